package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/convene-server/convene/scheduling/policy"
)

// sitePolicy takes a rule of [rooms] policy. Quotas are shared by what names
// them, never by everything there is.
func sitePolicy(rule string) (string, error) {
	p, err := policy.Parse([]string{rule})
	switch {
	case err != nil:
		return "", fmt.Errorf("is no rule: %w", err)
	case len(p.Quotas()) > 0:
		return "", errors.New("is a quota; give it to a group of the rooms that share it, by convene group set")
	}
	return rule, nil
}

// peoplePolicy takes a rule of [people] policy.
func peoplePolicy(rule string) (string, error) {
	if p, err := policy.Parse([]string{rule}); err == nil && len(p.Programs()) > 0 {
		return "", errors.New("asks a program; programs decide for rooms and resources")
	}
	return sitePolicy(rule)
}

// policyText takes the rules of --policy: each must be of the vocabulary, so
// that no misspelt one is silently without effect.
func policyText(rules []string) (string, error) {
	for _, r := range rules {
		if _, err := policy.Parse([]string{r}); err != nil {
			return "", fmt.Errorf("--policy %q: %w", r, err)
		}
	}
	return strings.Join(rules, "\n"), nil
}
