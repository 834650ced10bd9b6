package policy

import "strings"

// Mode returns the accept_mode that the rules come to: of the rule of that name,
// or "automatic" where no action says otherwise; "" where actions do.
func Mode(rules string) string {
	mode, acts := "", false
	for line := range strings.SplitSeq(rules, "\n") {
		switch words := strings.Fields(line); {
		case len(words) == 0:
		case words[0] == "accept_mode" && len(words) == 2:
			if mode == "" {
				mode = strings.ReplaceAll(strings.ToLower(words[1]), "_", "-")
			}
		default:
			_, known, _ := parseAction(words[0])
			acts = acts || known
		}
	}
	switch {
	case mode == "automatic" && acts:
		return ""
	case mode == "" && !acts:
		return "automatic"
	}
	return mode
}

// WithMode returns the rules with another accept_mode, which decides in place of
// their actions; conditions stay. The second result is false where there is no
// such mode.
func WithMode(rules, mode string) (string, bool) {
	if _, ok := modes[mode]; !ok {
		return "", false
	}
	var out []string
	for line := range strings.SplitSeq(rules, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "accept_mode" {
			continue
		}
		if a, known, _ := parseAction(words[0]); known && a.answers() {
			continue
		}
		out = append(out, line)
	}
	if mode != "automatic" || len(out) == 0 {
		out = append(out, "accept_mode "+mode)
	}
	return strings.Join(out, "\n"), true
}
