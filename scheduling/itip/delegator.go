package itip

import (
	"slices"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Delegation in the copies of who sends another in his place, and of whom he sends
// (RFC 5546 §3.2.2.3, decision 25).

// keepDelegation leaves an attendee those whom he sends, should the organizer
// not know of them yet.
func (me Actor) keepDelegation(old, c *ics.Component) {
	mine, now := ics.Attendee(old, me.Self), ics.Attendee(c, me.Self)
	if mine == nil || now == nil || ics.PartStat(now) != "DELEGATED" {
		return
	}
	was, is := &part{comp: old}, &part{comp: c}
	for _, a := range persons(now, "DELEGATED-TO") {
		if l := find(was, a); l != nil && find(is, a) == nil {
			c.Add(*l)
			is.moved()
		}
	}
}

// givenBack reports whether an update of the organizer says that those whom the
// attendee sends do not come, so that he is asked again (RFC 5546 §4.2.7). mine
// is his line as it stands.
func givenBack(mine *ics.Prop, c *ics.Component) bool {
	p := &part{comp: c}
	to := persons(mine, "DELEGATED-TO")
	return ics.PartStat(mine) == "DELEGATED" && len(to) > 0 && !slices.ContainsFunc(to, func(a cuaddr.Address) bool {
		l := find(p, a)
		return l == nil || ics.PartStat(l) != "DECLINED" || !namesIn(l, "DELEGATED-FROM", ics.CalAddress(mine)) // or that is his own answer
	})
}

// sentBeside is a REQUEST by which somebody sends another in his place who has a
// copy of his own: a delegator invites, he changes nothing (RFC 5546 §3.2.2.3).
// Who is in single occurrences and is sent to others, or to the series, gets what
// he lacks.
func (me Actor) sentBeside(have *ics.Object, in *series, msg Message) Outcome {
	was := newSeries(have, have.Root())
	if was.master != nil {
		return ignored("a delegator invites, he changes nothing")
	}
	s := newSeries(have, have.Root().Clone())
	for _, p := range masterFirst(in.parts) {
		if p.self(me) != nil && was.byRID[p.rid] == nil {
			s.graft(me.merge(was, nil, in, p))
		}
	}
	if !s.dirty {
		return ignored("a delegator invites, he changes nothing")
	}
	zonesOf(s.root, have, msg.Body)
	return Outcome{Object: s.object(), Changed: true, Scheduled: true, Inbox: msg.Body, Rule: "invited by a delegator to what he did not have"}
}

// passedOn is what became of a copy by a REQUEST of a delegator. What he knows of the
// meeting is of the revision that he had, whenever he passed it on: to its own
// organizer's words of that revision it is the older one (RFC 5546 §2.1.5).
func passedOn(out Outcome, in *series) Outcome {
	if out.Object == nil {
		return out
	}
	s := newSeries(out.Object, out.Object.Root().Clone())
	for _, p := range s.parts {
		sent := in.exactly(p.rid)
		if sent != nil && p.comp.Prop(propReceived) == nil && dtstamp(p.comp) == dtstamp(sent.comp) {
			p.comp.Set(ics.NewProp(propReceived, longAgo))
		}
	}
	out.Object = ics.New(s.root)
	return out
}

// longAgo is before any DTSTAMP.
const longAgo = "00010101T000000Z"

// delegation is a new delegate whom the attendee named (decision 25).
type delegation struct {
	part *part
	line ics.Prop
}

func delegatedFrom(l *ics.Prop, me Actor) bool {
	for _, v := range l.ParamValues("DELEGATED-FROM") {
		if a, err := cuaddr.Parse(v); err == nil && me.Self(a) {
			return true
		}
	}
	return false
}

// delegatesOf returns the addresses in DELEGATED-TO, for comparing.
func delegatesOf(l ics.Prop) []string {
	var out []string
	for _, a := range persons(&l, "DELEGATED-TO") {
		out = append(out, a.Fold())
	}
	return out
}

// delegating looks at whom an attendee sends in his place by his line in what he
// wrote (decision 25). It returns those who are not sent any more, with those
// whom they sent. p is edited: a delegate who is only named gets a line.
func (m *mend) delegating(p, stored *part, mine *ics.Prop) (gone map[cuaddr.Address]bool, err error) {
	given, old := &part{comp: p.comp}, stored.self(m.me)
	who := ics.CalAddress(old)
	to := persons(mine, "DELEGATED-TO")
	if ics.PartStat(mine) == "DELEGATED" {
		for _, a := range given.guests() {
			if stored.attendee(a) == nil && len(to) == 0 && delegatedFrom(given.attendee(a), m.me) {
				to = []cuaddr.Address{a}
				*mine = mine.WithParam("DELEGATED-TO", a.String())
				m.is.dirty = true
			}
		}
		if len(to) == 0 && ics.PartStat(old) == "DELEGATED" { // merely dropped
			to = persons(old, "DELEGATED-TO")
			if old.HasParam("DELEGATED-TO") {
				*mine = mine.WithParam("DELEGATED-TO", old.ParamValues("DELEGATED-TO")...)
				m.is.dirty = true
			}
		}
	}
	switch ics.PartStat(mine) {
	case "NEEDS-ACTION":
		return nil, nil
	case "DELEGATED":
	default:
		if mine.HasParam("DELEGATED-TO") {
			*mine = mine.WithoutParams("DELEGATED-TO") // he comes himself, or nobody does
			m.is.dirty = true
		}
		if ics.PartStat(mine) == ics.PartStat(old) {
			return nil, nil // nobody hears of that
		}
		to = nil
	}
	left := &part{comp: stored.comp.Clone()}
	for _, l := range dismiss(left, who, to) {
		if gone == nil {
			gone = map[cuaddr.Address]bool{}
		}
		gone[ics.CalAddress(&l)] = true
	}
	if ics.PartStat(mine) != "DELEGATED" || equalSets(delegatesOf(*mine), delegatesOf(*old)) && ics.PartStat(old) == "DELEGATED" {
		return gone, nil
	}
	if len(to) != 1 {
		return nil, refuse("his answer to a delegation to nobody, or to more than one")
	}
	a := to[0]
	if m.me.Self(a) || a == m.org || behind(stored, who, a) {
		return nil, refuse("his answer to a delegation that leads back")
	}
	if stored.attendee(a) == nil && given.attendee(a) == nil {
		rsvp := "TRUE"
		if strings.EqualFold(old.Param("RSVP"), "FALSE") { // as his delegator was asked (RFC 5546 §3.4.2.3)
			rsvp = "FALSE"
		}
		l := ics.NewProp("ATTENDEE", a.String(), ics.Param{Name: "RSVP", Values: []string{rsvp}}, ics.Param{Name: "DELEGATED-FROM", Values: []string{who.String()}})
		p.comp.Add(l)
		p.moved()
		m.is.dirty = true
	}
	return gone, nil
}

// delegations invites the delegates (RFC 5546 §3.2.2.3, decision 25).
func (m *mend) delegations() []Message {
	var out []Message
	byWhom := map[cuaddr.Address][]*part{}
	var order []cuaddr.Address
	for _, d := range m.delegate {
		a := ics.CalAddress(&d.line)
		if byWhom[a] == nil {
			order = append(order, a)
		}
		byWhom[a] = append(byWhom[a], d.part)
	}
	for _, a := range order {
		var from cuaddr.Address
		if l := byWhom[a][0].self(m.me); l != nil {
			from = ics.CalAddress(l)
		}
		if slices.Contains(byWhom[a], m.is.master) { // and what he is invited to beside it, as that stands
			for _, p := range m.is.parts {
				if p.rid != "" && !p.off && p.attendee(a) != nil && !slices.Contains(byWhom[a], p) {
					byWhom[a] = append(byWhom[a], p)
				}
			}
		}
		// RFC 5546 §3.2.2: what is called off has no place in a REQUEST.
		to := slices.DeleteFunc(byWhom[a], func(p *part) bool { return p.off })
		if len(to) == 0 {
			continue
		}
		out = append(out, Message{Method: Request, UID: m.was.obj.UID(), From: from, To: a,
			Body: m.me.requestBody(m.is, to, m.beyond(to, a)), Significant: true})
	}
	return out
}

// beyond returns the instances of a delegated series that its delegate is not
// sent to (RFC 6638 §3.2.6).
func (m *mend) beyond(parts []*part, who cuaddr.Address) []ics.RID {
	if !slices.Contains(parts, m.is.master) {
		return nil
	}
	var out []ics.RID
	for _, p := range m.is.parts {
		if p.rid != "" && (p.off || p.attendee(who) == nil) && m.was.obj.HasInstance(p.rid) {
			out = append(out, p.rid)
		}
	}
	return out
}
