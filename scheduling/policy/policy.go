// Package policy decides how a room, a resource or a person who lets the
// server answer replies to an invitation. Busy time and quotas are given to
// it; it stores nothing and asks no clock.
//
// Without any rule a room or a resource accepts when it is free and declines
// when it is not, occurrence by occurrence.
package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
)

// Policy is an ordered list of rules. The zero Policy decides nothing: a
// person answers by hand.
type Policy struct{ rules []rule }

// action is what a rule does with an occurrence that it applies to.
type action uint8

const (
	accept           action = iota + 1 // whatever else there is
	reject                             // whatever else there is
	acceptIfFree                       // leaves conflicts to the next rule
	rejectIfConflict                   // leaves free occurrences to the next rule
	byFreeBusy                         // accepts free ones, declines the others
)

type rule struct {
	action action
	limit  int    // concurrent bookings that byFreeBusy allows
	sender string // domain or address of those whom it is about; "" everybody
}

// ErrUnsupported is wrapped by the refusal of a rule that belongs to the
// vocabulary but is not carried out yet.
var ErrUnsupported = errors.New("not supported yet")

// Parse reads rules, one a line, in their order; empty lines are skipped. An
// unknown rule is refused, so that no misspelt one is silently without effect.
func Parse(lines []string) (Policy, error) {
	var p Policy
	for _, line := range lines {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		r, err := parseRule(words[0], words[1:])
		if err != nil {
			return Policy{}, err
		}
		p.rules = append(p.rules, r)
	}
	return p, nil
}

// Default is the policy of a room or resource without rules.
func Default() Policy { return Policy{[]rule{{action: byFreeBusy, limit: 1}}} }

// Automatic reports whether any rule answers.
func (p Policy) Automatic() bool { return len(p.rules) > 0 }

var actions = map[string]action{
	"ACT_ACCEPT":                accept,
	"ACT_REJECT":                reject,
	"ACT_ACCEPT_IF_NO_CONFLICT": acceptIfFree,
	"ACT_REJECT_IF_CONFLICT":    rejectIfConflict,
}

// later holds the rest of the vocabulary: scheduling functions of imip-agent,
// resource and invitation policies of Wallace.
var later = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range []string{
		"schedule_corrected_in_freebusy", "schedule_next_available_in_freebusy", "permitted_times", "same_domain_only",
		"access_control_list", "check_quota", "schedule_across_quota", "schedule_for_delegate", "owner",
		"ACT_ACCEPT_AND_NOTIFY", "ACT_STORE_AND_NOTIFY", "ACT_SAVE_TO_CALENDAR", "ACT_SAVE_AND_FORWARD",
	} {
		m[n] = true
	}
	for _, prefix := range []string{"ACT_", "ALL_", "EVENT_", "TASK_"} {
		for _, n := range []string{
			"MANUAL", "ACCEPT", "TENTATIVE", "REJECT", "DELEGATE", "UPDATE", "UPDATE_AND_NOTIFY", "SAVE_TO_FOLDER",
			"SAVE_AND_FORWARD", "CANCEL_DELETE", "CANCEL_DELETE_AND_NOTIFY", "ACCEPT_IF_NO_CONFLICT",
			"TENTATIVE_IF_NO_CONFLICT", "REJECT_IF_CONFLICT", "DELEGATE_IF_CONFLICT",
		} {
			m[prefix+n] = true
		}
	}
	for n := range actions {
		delete(m, n)
	}
	return m
}()

func parseRule(name string, args []string) (rule, error) {
	name, sender, _ := strings.Cut(name, ":")
	if a, ok := actions[name]; ok {
		if len(args) > 0 {
			return rule{}, fmt.Errorf("policy: %s takes no argument, got %q", name, args[0])
		}
		return rule{action: a, sender: strings.ToLower(strings.TrimPrefix(sender, "*"))}, nil
	}
	switch {
	case name == "schedule_in_freebusy" && sender == "":
		r := rule{action: byFreeBusy, limit: 1}
		if len(args) > 1 {
			return rule{}, fmt.Errorf("policy: schedule_in_freebusy takes one number, got %q", args[1])
		}
		if len(args) == 1 {
			n, err := strconv.Atoi(args[0])
			if err != nil || n < 1 || n > 10_000 {
				return rule{}, fmt.Errorf("policy: schedule_in_freebusy takes a number of concurrent bookings, not %q", args[0])
			}
			r.limit = n
		}
		return r, nil
	case later[name]:
		return rule{}, fmt.Errorf("policy: the rule %s is %w", name, ErrUnsupported)
	}
	return rule{}, fmt.Errorf("policy: there is no rule %q", name)
}

// about reports whether a rule is about what this organizer sends. A domain
// holds its subdomains and never just ends like another ("example.org" is not
// "badexample.org").
func (r rule) about(organizer cuaddr.Address) bool {
	switch {
	case r.sender == "":
		return true
	case strings.Contains(r.sender, "@"):
		return strings.EqualFold(organizer.Mail(), r.sender)
	}
	d := strings.TrimPrefix(r.sender, ".")
	return organizer.Domain() == d || strings.HasSuffix(organizer.Domain(), "."+d)
}
