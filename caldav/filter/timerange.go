package filter

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// The four comparisons of RFC 4791 §9.9's tables; an open side holds always.

func (r Range) startLE(t time.Time) bool { return r.From.IsZero() || !r.From.After(t) }
func (r Range) startLT(t time.Time) bool { return r.From.IsZero() || r.From.Before(t) }
func (r Range) endGT(t time.Time) bool   { return r.To.IsZero() || r.To.After(t) }
func (r Range) endGE(t time.Time) bool   { return r.To.IsZero() || !r.To.Before(t) }

// holds is the condition for points in time: properties and alarms.
func (r Range) holds(t time.Time) bool { return r.startLE(t) && r.endGT(t) }

// overlaps is the condition for VEVENT: without length it is a point.
func (r Range) overlaps(start, end time.Time) bool {
	if !end.After(start) {
		return r.holds(start)
	}
	return r.startLT(end) && r.endGT(start)
}

// anyInRange reports whether an instance of one of comps, all of one name,
// overlaps r by the table of its kind.
func (m *matcher) anyInRange(r Range, owner *ics.Component, comps []*ics.Component) bool {
	switch comps[0].Name {
	case "VEVENT", "VJOURNAL":
		if comps[0].Name == "VEVENT" && slices.ContainsFunc(comps, func(c *ics.Component) bool { return c.Prop("DTSTART") == nil }) {
			return true // RFC 6638 §2.3: an item of the inbox, such as a REPLY, which need not tell
		}
		// Their tables say the same of an instance.
		return m.anyInstance(r, comps, func(i ics.Instance) bool { return r.overlaps(i.Start, i.End) })
	case "VTODO":
		for _, c := range comps {
			if m.todo(r, c) {
				return true
			}
		}
	case "VFREEBUSY":
		for _, c := range comps {
			if m.freeBusy(r, c) {
				return true
			}
		}
	case "VAVAILABILITY":
		for _, c := range comps {
			if m.availability(r, c) {
				return true
			}
		}
	case "VALARM":
		for _, c := range comps {
			if m.alarm(r, owner, c) {
				return true
			}
		}
	}
	return false
}

// anyInstance reports whether f is true for an instance of one of comps in r.
func (m *matcher) anyInstance(r Range, comps []*ics.Component, f func(ics.Instance) bool) bool {
	found := false
	err := m.o.Instances(r.From, r.To, m.zone, m.bound, func(i ics.Instance) bool {
		for _, c := range comps {
			if i.Component == c && f(i) {
				found = true
				break
			}
		}
		return !found
	})
	return found || errors.Is(err, ics.ErrTooMany)
}

// when reads a time of a component; ok is false where it is not there or
// cannot be read.
func (m *matcher) when(c *ics.Component, name string) (at time.Time, date, ok bool) {
	p := c.Prop(name)
	if p == nil {
		return at, false, false
	}
	t, err := m.o.PropTime(p)
	if err != nil {
		return at, false, false
	}
	return t.At(m.zone), t.Form == ics.Date, true
}

// recurring reports whether a component stands for several instances.
func recurring(c *ics.Component) bool {
	return c.Prop("RRULE") != nil || c.Prop("RDATE") != nil
}

// todo is the table for VTODO.
func (m *matcher) todo(r Range, c *ics.Component) bool {
	start, _, hasStart := m.when(c, "DTSTART")
	due, _, hasDue := m.when(c, "DUE")
	var length time.Duration
	hasDur := false
	if p := c.Prop("DURATION"); p != nil && !hasDue {
		length, hasDur = duration(p.Value)
	}
	if hasStart && recurring(c) {
		// Its ends count as inside here, so that a second more is looked at.
		wide := Range{r.From, r.To}
		if !r.From.IsZero() {
			wide.From = r.From.Add(-time.Second)
		}
		if !r.To.IsZero() {
			wide.To = r.To.Add(time.Second)
		}
		return m.anyInstance(wide, []*ics.Component{c}, func(i ics.Instance) bool {
			return todoStarts(r, i.Start, i.End, hasDur, hasDue)
		})
	}
	if hasDue && !hasStart && recurring(c) {
		wide := Range{From: r.From}
		if !r.To.IsZero() {
			wide.To = r.To.Add(time.Second) // an end counts as inside here
		}
		return m.anyInstance(wide, []*ics.Component{c}, func(i ics.Instance) bool { return r.startLT(i.Start) && r.endGE(i.Start) })
	}
	switch {
	case hasStart && hasDur:
		return todoStarts(r, start, start.Add(length), true, false)
	case hasStart:
		return todoStarts(r, start, due, false, hasDue)
	case hasDue:
		return r.startLT(due) && r.endGE(due)
	}
	completed, _, hasCompleted := m.when(c, "COMPLETED")
	created, _, hasCreated := m.when(c, "CREATED")
	switch {
	case hasCompleted && hasCreated:
		return (r.startLE(created) || r.startLE(completed)) && (r.endGE(created) || r.endGE(completed))
	case hasCompleted:
		return r.startLE(completed) && r.endGE(completed)
	case hasCreated:
		return r.endGT(created)
	}
	return true
}

// availability is the table for VAVAILABILITY (RFC 7953 §7.2.3): a side that is
// not there is open. Neither can be read: it is shown rather than missed.
func (m *matcher) availability(r Range, c *ics.Component) bool {
	start, _, hasStart := m.when(c, "DTSTART")
	end, _, hasEnd := m.when(c, "DTEND")
	if p := c.Prop("DURATION"); p != nil && hasStart && !hasEnd {
		var length time.Duration
		length, hasEnd = duration(p.Value)
		end = start.Add(length)
	}
	return (!hasStart || r.endGT(start)) && (!hasEnd || r.startLT(end))
}

// todoStarts are the rows of the table for a VTODO with DTSTART.
func todoStarts(r Range, start, end time.Time, hasDur, hasDue bool) bool {
	switch {
	case hasDur:
		return r.startLE(end) && (r.endGT(start) || r.endGE(end))
	case hasDue:
		return (r.startLT(end) || r.startLE(start)) && (r.endGT(start) || r.endGE(end))
	}
	return r.holds(start)
}

// freeBusy is the table for VFREEBUSY; its DTEND counts as inside.
func (m *matcher) freeBusy(r Range, c *ics.Component) bool {
	start, _, hasStart := m.when(c, "DTSTART")
	end, _, hasEnd := m.when(c, "DTEND")
	if hasStart && hasEnd {
		return r.startLE(end) && r.endGT(start)
	}
	for _, p := range c.PropsNamed("FREEBUSY") {
		for v := range strings.SplitSeq(p.Value, ",") {
			if s, e, ok := period(v); ok && r.startLT(e) && r.endGT(s) {
				return true
			}
		}
	}
	return false
}

// period reads a PERIOD in UTC (RFC 5545 §3.3.9), as FREEBUSY has them.
func period(s string) (start, end time.Time, ok bool) {
	a, b, found := strings.Cut(strings.TrimSpace(s), "/")
	if !found {
		return start, end, false
	}
	start, err := utc(a)
	if err != nil {
		return start, end, false
	}
	if d, isDur := duration(b); isDur {
		return start, start.Add(d), true
	}
	end, err = utc(b)
	return start, end, err == nil
}

// alarm is the condition for VALARM: one of its triggers, repetitions
// included, for one of the instances of owner, lies in r.
func (m *matcher) alarm(r Range, owner, c *ics.Component) bool {
	p := c.Prop("TRIGGER")
	if p == nil || owner == nil {
		return false
	}
	repeat, every := repetition(c)
	span := time.Duration(repeat) * every
	offset, relative := duration(p.Value)
	if !relative {
		t, err := utc(p.Value) // RFC 5545 §3.8.6.3: an absolute trigger is in UTC
		return err == nil && r.triggers(t, repeat, every)
	}
	atEnd := strings.EqualFold(p.Param("RELATED"), "END")
	if owner.Name == "VTODO" && !recurring(owner) {
		return m.todoAlarm(r, owner, atEnd, offset, repeat, every)
	}
	// An instance counts if its start or end lies so that a trigger falls into
	// r; Instances is asked a second more to either side, since an end is not
	// part of its instance.
	wide := Range{}
	if !r.From.IsZero() {
		wide.From = r.From.Add(-offset - span - time.Second)
	}
	if !r.To.IsZero() {
		wide.To = r.To.Add(-offset + time.Second)
	}
	return m.anyInstance(wide, []*ics.Component{owner}, func(i ics.Instance) bool {
		base := i.Start
		if atEnd {
			base = i.End
		}
		return r.triggers(base.Add(offset), repeat, every)
	})
}

// todoAlarm is alarm for a VTODO that does not recur. One without DTSTART is
// reminded relative to its DUE whatever RELATED says: so does RFC 4791's own
// example (§7.8.5).
func (m *matcher) todoAlarm(r Range, c *ics.Component, atEnd bool, offset time.Duration, repeat int, every time.Duration) bool {
	start, _, hasStart := m.when(c, "DTSTART")
	due, _, hasDue := m.when(c, "DUE")
	if p := c.Prop("DURATION"); p != nil && hasStart && !hasDue {
		if d, ok := duration(p.Value); ok {
			due, hasDue = start.Add(d), true
		}
	}
	base := start
	if atEnd && hasDue || !hasStart {
		base = due
	}
	return (hasStart || hasDue) && r.triggers(base.Add(offset), repeat, every)
}

// repetition returns how often an alarm sounds again, and after how long (RFC
// 5545 §3.8.6.2).
func repetition(c *ics.Component) (n int, every time.Duration) {
	rep, dur := c.Prop("REPEAT"), c.Prop("DURATION")
	if rep == nil || dur == nil {
		return 0, 0
	}
	every, ok := duration(dur.Value)
	if n = digits(strings.TrimSpace(rep.Value)); n <= 0 || !ok || every <= 0 {
		return 0, 0
	}
	return min(n, int(maxDuration/every)), every
}

// triggers reports whether first or one of its repetitions lies in r.
func (r Range) triggers(first time.Time, repeat int, every time.Duration) bool {
	if r.holds(first) {
		return true
	}
	if repeat == 0 || r.From.IsZero() || !first.Before(r.From) {
		return false
	}
	k := (r.From.Sub(first) + every - 1) / every // the first one not before From
	return k <= time.Duration(repeat) && r.holds(first.Add(k*every))
}

// effectiveEnd tests the DTEND of a VEVENT or the DUE of a VTODO that has a
// DURATION instead (§9.9).
func (m *matcher) effectiveEnd(f *Prop, c *ics.Component) bool {
	if !(c.Name == "VEVENT" && f.Name == "DTEND" || c.Name == "VTODO" && f.Name == "DUE") {
		return false
	}
	start, _, ok := m.when(c, "DTSTART")
	p := c.Prop("DURATION")
	if !ok || p == nil {
		return false
	}
	d, ok := duration(p.Value)
	return ok && f.Range.holds(start.Add(d))
}
