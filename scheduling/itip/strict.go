package itip

import (
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// An administrator may want the server to schedule alone between the people
// here (Actor.Strict), as Apple's server did: no program takes a colleague off
// its hands by SCHEDULE-AGENT, and what the server does not schedule says so.

func (me Actor) strict(a cuaddr.Address) bool { return me.Strict != nil && me.Strict(a) }

// strict takes SCHEDULE-AGENT=CLIENT from whom the server schedules itself.
func (v *revision) strict() {
	if v.me.Strict == nil {
		return
	}
	for _, p := range v.is.parts {
		for i := range p.comp.Props {
			l := &p.comp.Props[i]
			if l.Name == "ATTENDEE" && agent(l) == byClient && v.me.Strict(ics.CalAddress(l)) {
				p.comp.Props[i] = l.WithoutParams("SCHEDULE-AGENT")
				v.is.dirty = true
				p.moved()
			}
		}
	}
}

// markNote says on somebody else's meeting, which its owner keeps as a note,
// that nothing of it is scheduled (decision 22).
func (me Actor) markNote(s *series) {
	if me.Strict == nil || !schedules(s.obj.Kind()) {
		return
	}
	for _, p := range s.parts {
		if l := p.comp.Prop("ORGANIZER"); l != nil && !ics.CalAddress(l).IsZero() && !me.Self(ics.CalAddress(l)) && !l.HasParam("SCHEDULE-AGENT") {
			p.comp.Set(l.WithParam("SCHEDULE-AGENT", "NONE").WithParam("SCHEDULE-STATUS", StatusRejected))
			s.dirty = true
		}
	}
}

// noted reports whether an ORGANIZER line has the mark of markNote.
func noted(l *ics.Prop) bool {
	return agent(l) == byNobody && strings.HasPrefix(l.Param("SCHEDULE-STATUS"), StatusRejected)
}

// note reports whether an object has that mark.
func note(o *ics.Object) bool {
	_, l := organizerOf(o)
	return l != nil && noted(l)
}

// Invites reports whether an organizer's object invites somebody.
func Invites(o *ics.Object, who func(cuaddr.Address) bool) bool {
	for _, c := range o.Main() {
		if ics.Attendee(c, who) != nil {
			return true
		}
	}
	return false
}

// Schedules reports whether the server is to schedule an attendee's copy with
// its organizer, who is returned: somebody else, not left to a program.
func Schedules(o *ics.Object, self func(cuaddr.Address) bool) (cuaddr.Address, bool) {
	if o == nil || !schedules(o.Kind()) {
		return cuaddr.Address{}, false
	}
	org, l := organizerOf(o)
	return org, l != nil && !self(org) && agent(l) == byServer && Invites(o, self)
}

// TakesOver reports whether the server schedules an attendee's copy from now on
// that was left to a program before.
func TakesOver(was, is *ics.Object) bool {
	_, before := organizerOf(was)
	_, now := organizerOf(is)
	return before != nil && now != nil && agent(before) != byServer && agent(now) == byServer
}
