package itip

import (
	"slices"

	"github.com/convene-server/convene/scheduling/ics"
)

// what a merge changed in a copy.
type change uint8

const (
	nothing change = iota
	answersOnly
	substantial
)

// difference says how two states of an attendee's copy differ: in nothing that
// he sees, only in what others answered, or really (RFC 6638 §3.2.10).
func difference(a, b *ics.Object, me Actor) change {
	if len(a.Main()) != len(b.Main()) {
		return substantial
	}
	was := newSeries(a, a.Root())
	worst := nothing
	for _, p := range newSeries(b, b.Root()).parts {
		old := was.exactly(p.rid)
		switch {
		case old == nil:
			return substantial
		case slices.Equal(tells(old.comp, me, false), tells(p.comp, me, false)):
		case slices.Equal(tells(old.comp, me, true), tells(p.comp, me, true)):
			worst = answersOnly
		default:
			return substantial
		}
	}
	return worst
}

// tells is what a component says, line by line; with bare, without what others
// answered.
func tells(c *ics.Component, me Actor, bare bool) []string {
	lines := make([]string, 0, len(c.Props))
	for i := range c.Props {
		p := c.Props[i]
		switch p.Name {
		case "DTSTAMP", "LAST-MODIFIED", "CREATED", propReceived, propAdded:
			continue
		case "ATTENDEE":
			p = p.WithoutParams("RSVP", "SCHEDULE-STATUS")
			if bare && !me.Self(ics.CalAddress(&p)) {
				if p.HasParam("DELEGATED-FROM") {
					continue // a delegate is an answer too
				}
				p = p.WithoutParams("PARTSTAT", "DELEGATED-TO")
			}
		}
		if v := meaning(&p); v != "" {
			lines = append(lines, p.Name+v)
		}
	}
	for _, ch := range c.Children {
		lines = append(lines, ch.Name)
	}
	slices.Sort(lines)
	return lines
}
