package itip

import (
	"strconv"

	"github.com/convene-server/convene/scheduling/ics"
)

// The end of a meeting by its organizer, and what is remembered of it.

// again raises SEQUENCE above what the last CANCEL had, of a meeting that was
// removed and is written once more under its UID, as a program's "undo" does: to
// everybody else a revision below that is older than the CANCEL (RFC 5546
// §2.1.5).
func (v *revision) again() {
	if v.was.obj != nil {
		return
	}
	last := -1
	for _, p := range v.me.left().parts {
		last = max(last, sequence(p.comp))
	}
	for _, p := range v.is.parts {
		if sequence(p.comp) <= last {
			p.comp.Set(ics.NewProp("SEQUENCE", strconv.Itoa(last+1)))
			p.moved()
			v.is.dirty = true
		}
	}
}

// cancelAll is the removal of a meeting by its organizer (RFC 6638 §3.2.1.3).
func (me Actor) cancelAll(before *ics.Object) Outcome {
	out := Outcome{Remove: true, Rule: "organizer removed the meeting", Closed: me.proposals()}
	s := newSeries(before, before.Root())
	switch {
	case muted(s):
		out.Rule += ", nothing sent: the program asks for silence"
		return out
	case me.past(before):
		out.Rule += ", nothing sent: the meeting is past"
		return out
	}
	v := &revision{me: me, was: s, is: &series{obj: before, byRID: map[ics.RID]*part{}}, wasAt: map[ics.RID]*part{}, isAt: map[ics.RID]*part{}, deltas: map[*part]delta{}}
	for _, p := range s.parts {
		if p.rid != "" {
			v.rids = append(v.rids, p.rid)
			v.wasAt[p.rid] = p
		}
	}
	again := s.calledOff()
	out.Messages = v.messages(v.plans())
	for i := range out.Messages {
		out.Messages[i].Echo = again
		out.Left = AddLeft(out.Left, ended(out.Messages[i].Body))
	}
	if out.Left == nil && s.master != nil && s.master.comp.Prop(propOff) != nil { // nobody was in it any more
		out.Left = ended(before)
	}
	if out.Left != nil { // whoever of them sends another meanwhile, see tooLate
		root := out.Left.Root().Clone()
		left := newSeries(out.Left, root)
		if s.master != nil {
			if off := s.master.comp.Prop(propOff); off != nil { // or was taken off before
				root.Children[0].Add(*off)
			}
		}
		for _, m := range out.Messages[:min(len(out.Messages), maxLapsed)] {
			if m.Body.Master() == nil { // he had single occurrences, and hears of these alone
				left.turnedAway(m.To)
				continue
			}
			root.Children[0].Add(ics.NewProp("ATTENDEE", m.To.String()))
		}
		out.Left = ics.New(root)
	}
	return out
}

// ended is what an organizer remembers of a CANCEL: its number.
func ended(o *ics.Object) *ics.Object {
	c := &ics.Component{Name: o.Kind()}
	c.Add(ics.NewProp("UID", o.UID()))
	c.Add(ics.NewProp("SEQUENCE", strconv.Itoa(Revision(o))))
	c.Add(ics.NewProp("STATUS", "CANCELLED"))
	for i := range o.First().Props {
		if p := o.First().Props[i]; p.Name == "ORGANIZER" || p.Name == "DTSTAMP" {
			c.Add(p)
		}
	}
	return ics.New(&ics.Component{Name: "VCALENDAR", Props: o.Root().Props, Children: []*ics.Component{c}})
}

// calledOff reports whether a meeting is cancelled as a whole, and if so takes
// the mark away from its parts: who removes such a meeting sends CANCEL all the
// same (RFC 6638 §3.2.1.3), though nobody needs a second mail.
func (s *series) calledOff() bool {
	for _, p := range s.parts {
		if !p.off && (s.master == nil || p == s.master) {
			return false
		}
	}
	for _, p := range s.parts {
		p.off = false
	}
	return true
}
