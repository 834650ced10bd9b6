package itip

import (
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
)

// Originate decides what follows when a user writes (before nil: creates;
// after nil: removes) an object in a calendar of his (RFC 6638 §3.2). The
// object to store is Outcome.Object: after, with everything restored that the
// user may not change (decisions 19 and 22). The error is a *Refusal.
func Originate(me Actor, before, after *ics.Object, opt Options) (Outcome, error) {
	out, err := me.originate(before, after, opt)
	if err == nil && out.Object != nil && out.Object != after {
		if bad := out.Object.Check(); bad != nil { // restoring may meet what a program made impossible
			return Outcome{}, &Refusal{Precondition: ValidResource, Detail: bad.Error()}
		}
	}
	return out, err
}

func (me Actor) originate(before, after *ics.Object, opt Options) (Outcome, error) {
	switch {
	case before == nil && after == nil:
		return Outcome{Ignored: true, Rule: "nothing was there"}, nil
	case after == nil:
		return me.remove(before, opt)
	}
	if before != nil && before.UID() != after.UID() {
		return Outcome{}, &Refusal{Precondition: NoUIDConflict, Detail: "an object's UID cannot change"}
	}
	after, err := me.Unranged(after, opt.Silent)
	if err != nil {
		return Outcome{}, err
	}
	s := newSeries(after, after.Root().Clone())
	me.tidy(s)
	was, is := me.role(before), me.role(after)
	if was == organizer && is == plain && me.ticked(before, s) {
		is = organizer
	}
	if opt.Silent {
		return Outcome{Object: s.object(), Changed: s.dirty, Scheduled: is != plain, Rule: "stored without scheduling"}, nil
	}
	if was != plain || is != plain {
		if err := me.valid(s); err != nil {
			return Outcome{}, err
		}
	}
	switch {
	case was == attendee:
		return me.attend(before, s, opt)
	case was == organizer && is != organizer:
		if org, _ := organizerOf(after); !org.IsZero() { // decision 22
			return Outcome{}, &Refusal{Precondition: AllowedOrganizerChange, Detail: "the ORGANIZER of a meeting cannot be changed"}
		}
		if me.others(s) {
			return me.organize(before, s, opt) // ORGANIZER was merely dropped
		}
		out, err := me.remove(before, opt) // RFC 6638 §3.2.3.1: what was scheduled becomes a plain object
		out.Object, out.Remove, out.Changed = s.object(), false, s.dirty
		return out, err
	case is == organizer:
		if was == plain {
			before = nil
		}
		return me.organize(before, s, opt)
	case is == attendee:
		return me.accept(s)
	}
	me.markNote(s)
	return Outcome{Object: s.object(), Changed: s.dirty, Rule: "no scheduling object"}, nil
}

// remove decides what a DELETE means (RFC 6638 §3.2.1.3, §3.2.2.4).
func (me Actor) remove(before *ics.Object, opt Options) (Outcome, error) {
	out := Outcome{Remove: true, Rule: "removed"}
	if opt.Silent {
		return out, nil
	}
	switch me.role(before) {
	case organizer:
		return me.cancelAll(before), nil
	case attendee:
		return me.decline(before, opt), nil
	}
	return out, nil
}

// tidy takes away METHOD, which never is stored, and puts in a missing DTSTAMP.
func (me Actor) tidy(s *series) {
	if s.root.Prop("METHOD") != nil {
		s.root.Remove("METHOD")
		s.dirty = true
	}
	for _, p := range s.parts {
		if p.comp.Prop("DTSTAMP") == nil {
			p.comp.Add(ics.NewProp("DTSTAMP", utc(me.Now))) // RFC 6638 §3.2.5
			s.dirty = true
		}
	}
}

// valid checks what every scheduling object must obey.
func (me Actor) valid(s *series) error {
	first := ""
	for _, p := range s.parts {
		if me.MaxAttendees > 0 && p.named() > me.MaxAttendees {
			return &Refusal{Precondition: MaxAttendeesPerInstance, Detail: "too many ATTENDEE properties in one component"}
		}
		o := p.comp.Prop("ORGANIZER")
		if o == nil {
			continue
		}
		a := ics.CalAddress(o)
		v := a.String()
		if me.Self(a) {
			v = "me" // whatever he calls himself
		}
		if first == "" {
			first = v
		}
		if v != first { // RFC 6638 §3.2.4.2
			return &Refusal{Precondition: SameOrganizer, Detail: "all components of a meeting must have the same ORGANIZER"}
		}
	}
	return nil
}

// others reports whether anybody but the user is in the object.
func (me Actor) others(s *series) bool {
	for _, p := range s.parts {
		for _, a := range p.guests() {
			if !me.Self(a) {
				return true
			}
		}
	}
	return false
}

// past reports whether every instance of the objects ended so long ago that
// nobody is told any more (decision 18). A task whose time ran out is not over
// before it is done.
func (me Actor) past(objects ...*ics.Object) bool {
	grace := me.PastGrace
	if grace == 0 {
		grace = 7 * 24 * 60 * 60 * 1e9
	}
	loc := me.floating()
	for _, o := range objects {
		if o == nil {
			continue
		}
		if o.Kind() == "VTODO" && !finished(o) {
			return false
		}
		last, ok := o.Last(loc, me.Bound)
		if !ok || last.IsZero() || last.After(me.Now.Add(-grace)) {
			return false
		}
	}
	return true
}

// Over reports whether nobody is told of a meeting any more.
func (me Actor) Over(o *ics.Object) bool { return me.past(o) }

// finished reports whether all of a task is completed or called off.
func finished(o *ics.Object) bool {
	for _, c := range o.Main() {
		s := status(c)
		if c.Prop("COMPLETED") == nil && s != "COMPLETED" && s != "CANCELLED" {
			return false
		}
	}
	return true
}

// muted reports whether a program asks for no messages at all in the way of
// SOGo's connectors (decision 15).
func muted(s *series) bool {
	for _, p := range s.parts {
		if strings.EqualFold(strings.TrimSpace(p.comp.Value("X-SOGO-SEND-APPOINTMENT-NOTIFICATIONS")), "NO") {
			return true
		}
	}
	return false
}
