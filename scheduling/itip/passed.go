package itip

import (
	"slices"
	"strconv"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// A delegate has from his delegator what that one knew (RFC 5546 §3.2.2.3), while
// the delegator's answer crosses what the organizer says. Hers is the truth: whom an
// answer sends is told by her what is not as the delegator had it.

// maxPassed bounds how many delegates of one answer are told that they are none.
const maxPassed = 4

// behindHand reports whether a delegator may have sent somebody with less than the
// organizer has told: an answer by mail says by SEQUENCE alone what it knows, which a
// change of content and one of a single occurrence need not raise (RFC 5546 §2.1.4).
// To whoever got a CANCEL, the invitation may be older than that.
func (r *replying) behindHand(c, p *part, a cuaddr.Address) bool {
	return sequence(c.comp) < sequence(p.comp) || !r.prompt || r.s.off(a)
}

// unsent turns those away whom an answer sends though it does not count, be it that
// another came before it, that the time is another one by now, that his delegator is
// not invited any more, or that the occurrence does not take place: they believe that
// they are invited (RFC 5546 §3.2.5).
func (r *replying) unsent(msg Message) []Message {
	known := slices.ContainsFunc(r.s.parts, func(p *part) bool { return find(p, msg.From) != nil }) || r.s.off(msg.From) ||
		!r.claim && r.in.sentBy(msg.From, r.s.off)
	if !known || r.me.past(r.s.obj) {
		return nil // a stranger sends nobody
	}
	comps := map[cuaddr.Address][]*ics.Component{}
	for _, c := range masterFirst(r.in.parts) {
		p, m := r.s.at(c.rid), r.s.master
		whom := sentIn(c, msg.From)
		if p != nil && len(whom) > 0 && find(p, msg.From) != nil {
			if k := claimOf(find(p, msg.From)); !k.to.IsZero() && slices.ContainsFunc(whom, isPerson(k.who)) {
				whom = append(whom, k.to)
			}
		}
		for _, a := range whom {
			switch {
			case r.me.Self(a) || len(comps) >= maxPassed && comps[a] == nil:
				continue
			case p != nil && find(p, a) != nil && !r.calledOff(p):
				continue // he is in it
			case c.rid != "" && m != nil && r.s.listed(m, a):
				continue // he has the series as it is
			case len(comps[a]) > 0 && comps[a][0].Prop("RECURRENCE-ID") == nil:
				continue
			case c.rid == "" && slices.ContainsFunc(r.s.parts, func(q *part) bool { return r.s.listed(q, a) }):
				r.dismissed(m, []ics.Prop{ics.NewProp("ATTENDEE", a.String())}) // he keeps what he is in
				continue
			}
			seq := r.s.top()
			if c.rid == "" && m != nil {
				r.overtake(m)
			} else if p != nil {
				seq = sequence(p.comp)
			}
			comps[a] = append(comps[a], r.me.turnsAway(r.s.obj, c.comp, a, max(seq, sequence(c.comp))))
			r.s.turnedAway(a)
		}
	}
	return cancelEach(r.s.obj, comps, true)
}

// sentBy reports whether somebody who answers is one of these, or was sent by one,
// says he.
func (s *series) sentBy(from cuaddr.Address, known func(cuaddr.Address) bool) bool {
	return known(from) || slices.ContainsFunc(s.parts, func(c *part) bool {
		l := answering(c, from)
		return l != nil && slices.ContainsFunc(persons(l, "DELEGATED-FROM"), known)
	})
}

// sentIn are those whom somebody sends by a component of his answer.
func sentIn(c *part, from cuaddr.Address) []cuaddr.Address {
	l := answering(c, from)
	if l == nil || ics.PartStat(l) != "DELEGATED" {
		return nil
	}
	return persons(l, "DELEGATED-TO")
}

// tooLate is an answer to a meeting that is not there any more (RFC 6638 §4.2: it
// SHOULD be ignored). Whom one of its guests sends in his place believes that it
// takes place.
func (me Actor) tooLate(msg Message) Outcome {
	out := ignored("no such meeting")
	left := me.left()
	if left.master == nil || !left.master.off || !me.Self(ics.Organizer(left.master.comp)) {
		return out
	}
	in := newSeries(msg.Body, msg.Body.Root())
	if !in.sentBy(msg.From, func(a cuaddr.Address) bool { return find(left.master, a) != nil || left.off(a) }) {
		return out
	}
	comps := map[cuaddr.Address][]*ics.Component{}
	for _, c := range masterFirst(in.parts) {
		for _, a := range sentIn(c, msg.From) {
			if me.Self(a) || find(left.master, a) != nil || len(comps) >= maxPassed || len(comps[a]) > 0 {
				continue
			}
			one := me.turnsAway(me.Left, c.comp, a, max(sequence(left.master.comp), sequence(c.comp)))
			one.Remove("RECURRENCE-ID") // all of it is no more
			comps[a] = []*ics.Component{one}
		}
	}
	if len(comps) == 0 {
		return out
	}
	return Outcome{Messages: cancelEach(me.Left, comps, true), Rule: out.Rule + " any more: whom he sends is told"}
}

// turnsAway is a component of the CANCEL for somebody who was sent in vain. It holds
// what his delegator wrote.
func (me Actor) turnsAway(o *ics.Object, c *ics.Component, a cuaddr.Address, seq int) *ics.Component {
	_, org := organizerOf(o)
	out := &ics.Component{Name: c.Name, Props: []ics.Prop{
		ics.NewProp("UID", o.UID()), ics.NewProp("DTSTAMP", utc(me.Now)), org.WithoutParams(ownParams...),
		ics.NewProp("ATTENDEE", a.String()), ics.NewProp("SEQUENCE", strconv.Itoa(seq)),
	}}
	for _, n := range []string{"RECURRENCE-ID", "DTSTART", "DTEND", "DURATION", "DUE", "SUMMARY"} {
		if p := c.Prop(n); p != nil {
			out.Add(*p)
		}
	}
	return out
}

// off reports whether somebody got a CANCEL of a meeting or of some of it.
func (s *series) off(a cuaddr.Address) bool {
	return s.master != nil && slices.Contains(strings.Fields(s.master.comp.Value(propOff)), a.Fold())
}

// turnedAway remembers that.
func (s *series) turnedAway(whom ...cuaddr.Address) {
	if s.master == nil {
		return
	}
	have := strings.Fields(s.master.comp.Value(propOff))
	n := len(have)
	for _, a := range whom {
		if !slices.Contains(have, a.Fold()) {
			have = append(have, a.Fold())
		}
	}
	if len(have) == n {
		return
	}
	s.master.comp.Set(ics.NewProp(propOff, strings.Join(have[max(0, len(have)-maxLapsed):], " ")))
	s.master.moved()
	s.dirty = true
}

// remember notes in the organizer's object who is told that it is over for him.
func (v *revision) remember(plans []*plan) {
	if m := v.is.master; m != nil && v.was.master != nil {
		for _, n := range []string{propOff, propParted, propApart} {
			if q := v.was.master.comp.Prop(n); q != nil && m.comp.Prop(n) == nil {
				m.comp.Add(*q)
				m.moved()
				v.is.dirty = true
			}
		}
	}
	for _, g := range plans {
		if g.whole || len(g.cancel) > 0 {
			v.is.turnedAway(g.whom...)
		}
	}
}
