package main

import "fmt"

// policyText takes the rules of --policy.
func policyText(rules []string) (string, error) {
	return "", fmt.Errorf("--policy %q: no rule of this name is known; without --policy it accepts when free and declines when not", rules[0])
}
