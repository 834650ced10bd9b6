package itip

import (
	"slices"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// revision is one write of an organizer: what stood there, what he wrote, and
// what follows for whom.
type revision struct {
	me     Actor
	opt    Options
	was    *series // without parts when the meeting is new
	is     *series
	deltas map[*part]delta // of each part against what described its instance before
	base   map[*part]*part // that description: an override, the master, or nil
	rids   []ics.RID       // instances that either side speaks of by name
	wasAt  map[ics.RID]*part
	isAt   map[ics.RID]*part
	lapsed map[ics.RID]bool // overrides that were taken back, their instance as the master says again
	raise  map[*part]bool   // parts whose SEQUENCE must rise
	forced map[cuaddr.Address]string
	asked  map[cuaddr.Address]bool   // whom the organizer asks anew without a new time
	shown  map[cuaddr.Address]string // the answers to the series that the program shows
	// revised: the organizer's program itself raised SEQUENCE.
	revised bool
}

// fromNothing is a revision before which there was nothing.
func (me Actor) fromNothing(s *series) *revision {
	return &revision{
		me: me, is: s, was: &series{byRID: map[ics.RID]*part{}},
		deltas: map[*part]delta{}, base: map[*part]*part{}, wasAt: map[ics.RID]*part{}, isAt: map[ics.RID]*part{},
		lapsed: map[ics.RID]bool{}, raise: map[*part]bool{}, forced: map[cuaddr.Address]string{}, asked: map[cuaddr.Address]bool{},
	}
}

// organize decides what follows from an organizer's write (RFC 6638 §3.2.1.1,
// §3.2.1.2). before is nil for what was no scheduling object.
func (me Actor) organize(before *ics.Object, s *series, opt Options) (Outcome, error) {
	v := me.fromNothing(s)
	v.opt = opt
	if before != nil {
		v.was = newSeries(before, before.Root())
	}
	if err := v.claim(); err != nil {
		return Outcome{}, err
	}
	if before == nil && s.master == nil && !me.Agent && me.others(s) && !me.past(s.obj) {
		// Only attendees have occurrences without their series (RFC 6638 §3.2.6). What a
		// program lost of a meeting of its own would take those to whom it is told the
		// rest of it. What a room asks its owner is about what it has of one.
		return Outcome{}, &Refusal{Precondition: AllowedOrganizerReceived, Detail: "an organizer has the series, not single occurrences of it"}
	}
	v.strict()
	v.outlived()
	v.again()
	v.dropDelegates()
	v.keepDelegates() // what they answered is kept, too
	v.keepAnswers()
	if err := v.expand(); err != nil {
		return Outcome{}, err
	}
	v.keepDelegates()
	v.compare()
	if m := s.master; opt.Added && m != nil { // RFC 5546 §3.2.4: an answer to the series is none to it, and stands
		d := v.deltas[m]
		d.content, d.grown = d.content || d.grown, false
		v.deltas[m] = d
	}
	v.revised = v.renewed()
	v.answers()
	plans := v.plans()
	out := Outcome{Scheduled: true, Refresh: v.gathering(), Rule: "organizer's change stored"}
	if before == nil {
		out.Rule = "organizer's new meeting stored"
	}
	switch {
	case muted(s):
		out.Rule += ", nothing sent: the program asks for silence"
	case me.past(before, s.obj):
		out.Rule += ", nothing sent: the meeting is past" // decision 18
	default:
		v.revise(plans)
		v.expect(plans)
		v.lapse()
		v.remember(plans)
		v.ask(plans)
		out.Messages = v.messages(plans)
		v.refuseForce(out.Messages)
	}
	v.decide(&out, muted(s) || me.past(before, s.obj))
	out.Object, out.Changed = s.object(), s.dirty
	return out, nil
}

// claim makes every component name the organizer alike. The ORGANIZER of an
// existing meeting stays (decision 22); hrefs that Apple's programs write become
// the address that mail can reach.
func (v *revision) claim() error {
	var line *ics.Prop
	if v.was.obj != nil {
		_, line = organizerOf(v.was.obj)
	} else {
		_, line = organizerOf(v.is.obj)
		if a := ics.CalAddress(line); a.Mail() == "" && !v.me.Address.IsZero() {
			p := line.WithValue(v.me.Address.String())
			line = &p
		}
	}
	for _, p := range v.is.parts {
		own := p.comp.Prop("ORGANIZER")
		switch {
		case own == nil:
			p.comp.Add(line.WithoutParams(ownParams...))
			v.is.dirty = true
		case ics.CalAddress(own) != ics.CalAddress(line):
			if v.was.obj != nil && ics.CalAddress(own).Mail() != "" {
				return &Refusal{Precondition: AllowedOrganizerChange, Detail: "the ORGANIZER of a meeting cannot be changed"}
			}
			p.comp.Set(own.WithValue(line.Value))
			v.is.dirty = true
		}
		if own = p.comp.Prop("ORGANIZER"); own.HasParam("SCHEDULE-FORCE-SEND") {
			p.comp.Set(own.WithoutParams("SCHEDULE-FORCE-SEND"))
			v.is.dirty = true
		}
		p.moved()
		v.name(p.comp)
		for i := range p.comp.Props {
			a := &p.comp.Props[i]
			if a.Name == "ATTENDEE" && ics.CalAddress(a).IsZero() && agent(a) == byServer && a.Param("SCHEDULE-STATUS") != StatusInvalidUser {
				p.comp.Props[i] = a.WithParam("SCHEDULE-STATUS", StatusInvalidUser) // RFC 6638 §3.2.9: no message reaches that
				v.is.dirty = true
				p.moved()
			}
			if a.Name == "ATTENDEE" && v.me.Kind != nil && !a.HasParam("CUTYPE") {
				if kind := v.me.Kind(ics.CalAddress(a)); kind != "" { // all programs then show it as what it is
					p.comp.Props[i] = a.WithParam("CUTYPE", kind)
					v.is.dirty = true
					p.moved()
				}
			}
			if a.Name == "ATTENDEE" && ics.CalAddress(a).Mail() == "" && v.me.Self(ics.CalAddress(a)) && !v.me.Address.IsZero() {
				p.comp.Props[i] = a.WithValue(v.me.Address.String())
				v.is.dirty = true
				p.moved()
			}
		}
	}
	return nil
}

// outlived takes out components that were made for nothing but an answer, of
// occurrences that the series does not have any more: it ends earlier, or has
// another time. A program that changes the rule alone leaves them, and everybody's
// copy would show that occurrence (RFC 5545 §3.8.4.4).
func (v *revision) outlived() {
	if v.is.master == nil || v.was.master == nil {
		return
	}
	gone := func(p *part) bool {
		if p.rid == "" || v.was.byRID[p.rid] == nil || v.is.obj.HasInstance(p.rid) || v.is.excludes(p.rid) || !v.was.obj.HasInstance(p.rid) {
			return false
		}
		occ := v.was.regular(p.rid)
		return occ != nil && !v.me.compare(v.was.obj, occ, v.is.obj, p.comp).tell() && samePeople(p, v.was.master)
	}
	out := map[*ics.Component]bool{}
	for _, p := range v.is.parts {
		if gone(p) {
			out[p.comp] = true
		}
	}
	if len(out) == 0 {
		return
	}
	root := v.is.root
	root.Children = slices.DeleteFunc(root.Children, func(c *ics.Component) bool { return out[c] })
	*v.is = *newSeries(ics.New(root.Clone()), root)
	v.is.dirty = true
}

func samePeople(a, b *part) bool {
	if len(a.guests()) != len(b.guests()) {
		return false
	}
	for _, who := range a.guests() {
		if b.attendee(who) == nil {
			return false
		}
	}
	return true
}

// compare finds for each part what described its instance before, and how it
// differs.
func (v *revision) compare() {
	seen := map[ics.RID]bool{}
	note := func(r ics.RID) {
		if r != "" && !seen[r] {
			seen[r] = true
			v.rids = append(v.rids, r)
		}
	}
	for _, p := range v.is.parts {
		old := v.was.at(p.rid)
		v.base[p] = old
		note(p.rid)
		switch {
		case old == nil:
		case old.rid == p.rid:
			v.deltas[p] = v.me.compare(v.was.obj, old.comp, v.is.obj, p.comp)
			for _, r := range v.deltas[p].excluded {
				note(r)
			}
		default: // a new override of what the master described
			if occ := v.was.regular(p.rid); occ != nil {
				v.deltas[p] = v.me.compare(v.was.obj, occ, v.is.obj, p.comp)
			}
		}
	}
	for _, p := range v.was.parts {
		note(p.rid)
	}
	for _, r := range v.rids {
		v.wasAt[r], v.isAt[r] = v.was.at(r), v.is.at(r)
		if old := v.was.byRID[r]; old != nil && v.isAt[r] != nil && v.isAt[r] == v.is.master {
			if occ := v.is.regular(r); occ != nil && v.me.compare(v.was.obj, old.comp, v.is.obj, occ).tell() {
				v.lapsed[r] = true
			}
		}
	}
}

// expect writes RSVP=TRUE where those who are told now read it, so that all
// copies agree on who is asked.
func (v *revision) expect(plans []*plan) {
	ask := func(l *ics.Prop) {
		if wantsAnswer(l) && agent(l) == byServer && !v.me.Self(ics.CalAddress(l)) {
			*l = l.WithParam("RSVP", "TRUE")
			v.is.dirty = true
		}
	}
	for _, g := range plans {
		for _, p := range g.request {
			for i := range p.comp.Props {
				if l := &p.comp.Props[i]; l.Name == "ATTENDEE" {
					ask(l)
				}
			}
		}
		for _, p := range v.is.parts { // what they have of the rest asks them, too
			for _, a := range g.whom {
				if l := p.attendee(a); l != nil && len(g.request) > 0 {
					ask(l)
				}
			}
		}
	}
}

// gathering reports whether who is in the meeting changed, whether an answer was
// taken back, or what the organizer himself answers: those who hear of nothing
// else see it all the same.
func (v *revision) gathering() bool {
	if len(v.asked) > 0 {
		return true
	}
	for _, p := range v.is.parts {
		old := v.base[p]
		if old == nil {
			continue
		}
		if !samePeople(p, old) {
			return true
		}
		if a, b := p.self(v.me), old.self(v.me); a != nil && b != nil && ics.PartStat(a) != ics.PartStat(b) {
			return true
		}
	}
	return v.vanished()
}

// refuseForce marks the lines whose SCHEDULE-FORCE-SEND we do not know (RFC
// 6638 §7.2).
func (v *revision) refuseForce(sent []Message) {
	status := map[cuaddr.Address]string{}
	for a, f := range v.forced {
		if f != string(Request) {
			status[a] = "2.3"
		}
	}
	for _, m := range sent {
		delete(status, m.To)
	}
	for _, p := range v.is.parts {
		if stampPart(p.comp, served(status)) {
			v.is.dirty = true
		}
	}
}
