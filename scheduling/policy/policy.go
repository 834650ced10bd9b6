// Package policy decides how a room, a resource or a person who lets the
// server answer replies to an invitation. Busy time and quotas are given to
// it; it stores nothing and asks no clock.
//
// A policy is a list of rules, one a line. Conditions (imip-agent's scheduling
// functions, and more of their kind) must all be met; they refuse an
// occurrence, or the whole, or propose another time, or somebody else. What
// they let pass is answered by the first action (Wallace's ACT_...) that is
// about the sender, and accepted where there is none. Without any rule a room
// or a resource accepts when it is free and declines when it is not,
// occurrence by occurrence.
package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
)

// Policy is a list of rules. By the zero Policy a person answers by hand, and a
// room as it is free.
type Policy struct {
	conditions []condition
	actions    []action
	// looks: some rule says itself what becomes of busy time, so that the
	// condition of a room without any is not added.
	looks bool

	access    access
	permitted *clocks
	hours     []hours
	owners    []cuaddr.Address
	quotas    []string
	programs  []Program
	hold      time.Duration
	whole     bool // one refused occurrence refuses all
	share     int  // per cent of the occurrences that may be refused before all are; 0: any
	most      int  // occurrences that may be; 0: any

	beyond   *whose // whose requests the owner decides about that break a condition; nil: nobody's
	named    bool   // who has the time is told to whom it is refused
	response string // what every answer says, too
	keeps    keeps
	arrive   time.Duration // how long after its beginning somebody has checked in; 0: nobody needs to
	forget   time.Duration // how long after its end a booking stays; 0: for ever
	drawers  drawers
}

// A condition looks at an invitation and refuses what must not be.
type condition interface {
	judge(*inquiry) error
}

// DefaultHold is how long an offered time is kept for whom it was offered to,
// where no freebusy_offers says otherwise.
const DefaultHold = 24 * time.Hour

// Parse reads rules, one a line, in their order; empty lines are skipped. An
// unknown or malformed rule is refused, so that no misspelt one is silently
// without effect.
func Parse(lines []string) (Policy, error) {
	var p Policy
	for _, line := range lines {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if err := p.add(words[0], words[1:]); err != nil {
			return Policy{}, fmt.Errorf("policy: %w", err)
		}
	}
	p.complete()
	return p, nil
}

// complete adds the conditions that gather several lines.
func (p *Policy) complete() {
	var first []condition
	if p.access.some() {
		first = append(first, p.access)
	}
	if len(p.hours) > 0 {
		first = append(first, each{workingHours(p.hours)})
	}
	corrects := false
	for _, c := range p.conditions {
		if f, ok := c.(inFreeBusy); ok {
			corrects = corrects || f.correct
		}
	}
	if !corrects && p.permitted != nil {
		first = append(first, each{permittedOnly{p.permitted}})
	}
	p.conditions = append(first, p.conditions...)
}

// Automatic reports whether any rule answers invitations. Rooms and resources
// answer without any.
func (p Policy) Automatic() bool {
	if len(p.conditions) > 0 {
		return true
	}
	for _, a := range p.actions {
		if a.answers() {
			return true
		}
	}
	return false
}

// Owners are those who decide what is left to them, and are told what the
// rules say they are to be told.
func (p Policy) Owners() []cuaddr.Address { return p.owners }

// Quotas names the quotas that a booking counts in.
func (p Policy) Quotas() []string { return p.quotas }

// CheckIn is how long after its beginning a booking is given back to which nobody
// has checked in; 0: it is not.
func (p Policy) CheckIn() time.Duration { return p.arrive }

// keep is how long an offered time is held.
func (p Policy) keep() time.Duration {
	if p.hold == 0 {
		return DefaultHold
	}
	return p.hold
}
