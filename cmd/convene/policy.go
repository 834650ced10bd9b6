package main

import (
	"fmt"
	"strings"

	"github.com/convene-server/convene/scheduling/policy"
)

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
