package itip

import (
	"slices"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Delegation (RFC 5546 §3.2.2.3, §3.4.2.3, §4.2.5 to §4.2.7): an attendee sends
// another in his place. The delegator's line names the delegate in DELEGATED-TO,
// the delegate's names the delegator in DELEGATED-FROM, and it counts only where
// both do, the one said by the delegator himself.

// persons reads the addresses of DELEGATED-TO or DELEGATED-FROM.
func persons(l *ics.Prop, param string) []cuaddr.Address {
	var out []cuaddr.Address
	for _, v := range l.ParamValues(param) {
		if a, err := cuaddr.Parse(v); err == nil && !a.IsZero() {
			out = append(out, a)
		}
	}
	return out
}

// namesIn reports whether a parameter of a line names somebody.
func namesIn(l *ics.Prop, param string, who cuaddr.Address) bool {
	return slices.ContainsFunc(persons(l, param), isPerson(who))
}

// sends reports whether somebody's line says that he sends another in his place.
func sends(l *ics.Prop, whom cuaddr.Address) bool {
	return ics.PartStat(l) == "DELEGATED" && namesIn(l, "DELEGATED-TO", whom)
}

// delegates returns the lines of those who are in a component only because who
// sent them.
func delegates(p *part, who cuaddr.Address) []cuaddr.Address {
	var out []cuaddr.Address
	for _, a := range p.guests() {
		from := persons(p.attendee(a), "DELEGATED-FROM")
		if a != who && len(from) == 1 && samePerson(from[0], who) {
			out = append(out, a)
		}
	}
	return out
}

// maxChain bounds how often an invitation is passed on.
const maxChain = 16

// behind reports whether whom is the delegator of who, or of his delegator, and
// so on: sending him would let the invitation go in a circle.
func behind(p *part, who, whom cuaddr.Address) bool {
	at := []cuaddr.Address{who}
	for range maxChain {
		var up []cuaddr.Address
		for _, a := range at {
			if samePerson(a, whom) {
				return true
			}
			if l := find(p, a); l != nil {
				up = append(up, persons(l, "DELEGATED-FROM")...)
			}
		}
		if len(up) == 0 {
			return false
		}
		at = up
	}
	return true // longer than any that is meant
}

// delegate notes whom an attendee sends in his place. c is his answer, p where
// it is noted, l his line in c.
func (r *replying) delegate(c, p *part, l *ics.Prop) {
	who := ics.CalAddress(l)
	to := persons(l, "DELEGATED-TO")
	r.dismissed(p, dismiss(p, who, to))
	for _, a := range to {
		if r.me.Self(a) {
			continue // he is in it anyway
		}
		if line := find(p, a); line != nil {
			if from := persons(line, "DELEGATED-FROM"); len(from) > 0 && !namesIn(line, "DELEGATED-FROM", who) {
				*line = line.WithParam("DELEGATED-FROM", append(line.ParamValues("DELEGATED-FROM"), who.String())...)
				r.noted, r.news = true, true
			}
			if mine := find(p, who); mine != nil { // the organizer has invited him meanwhile
				if said := claimOf(mine); samePerson(said.who, a) && ics.PartStat(line) == "NEEDS-ACTION" && !line.HasParam(paramSince) {
					*line = said.answer(*line)
					*mine = mine.WithoutParams(paramClaim)
					r.noted, r.news = true, true
					r.passOn(p, a)
				}
			}
			if r.ours && !r.calledOff(p) && r.behindHand(c, p, a) {
				r.back = append(r.back, a) // what his delegator invites him by may come first
			}
			continue
		}
		if r.me.MaxAttendees > 0 && len(p.guests()) >= r.me.MaxAttendees {
			continue
		}
		line := ics.NewProp("ATTENDEE", a.String(),
			ics.Param{Name: "PARTSTAT", Values: []string{"NEEDS-ACTION"}}, ics.Param{Name: "RSVP", Values: []string{"TRUE"}})
		if sent := find(c, a); sent != nil {
			line = sent.WithoutParams(ownParams...).WithParam("PARTSTAT", "NEEDS-ACTION")
		}
		line = line.WithParam("DELEGATED-FROM", who.String())
		if mine := find(p, who); mine != nil {
			if said := claimOf(mine); samePerson(said.who, a) {
				line = said.answer(line)
			}
			*mine = mine.WithoutParams(paramClaim)
		}
		if m := r.s.master; m != nil && p.rid != "" && r.serial[a.Fold()] && !line.HasParam(paramSince) {
			// He has the series without this occurrence: what he says of that is no answer
			// to it (RFC 5546 §2.1.5).
			was := sequence(p.comp)
			setSequence(p.comp, max(was, sequence(m.comp))+1)
			r.me.keepCounting(p.comp, was)
			line = line.WithParam(paramSince, since{seq: sequence(p.comp)}.String())
		}
		p.comp.Add(line)
		p.moved()
		r.passOn(p, a)
		switch {
		case r.calledOff(p): // nobody is asked about it
		case r.ours && (find(c, a) == nil || p.rid != "" && r.serial[a.Fold()] || r.behindHand(c, p, a)):
			// To the delegator he was in it already, or he may know less than there is, or
			// the delegate has the series, in which no delegator changes anything: his word
			// is not enough.
			r.back = append(r.back, a)
		default:
			r.invited = append(r.invited, a)
		}
		r.noted, r.news = true, true
	}
}

// declined gives the invitation back to whoever sent somebody that does not
// come (RFC 5546 §4.2.7).
func (r *replying) declined(p *part, l *ics.Prop) {
	who := ics.CalAddress(l)
	for _, from := range persons(l, "DELEGATED-FROM") {
		by := find(p, from)
		if by == nil || !sends(by, who) || r.me.Self(from) {
			continue
		}
		*by = by.WithParam("PARTSTAT", "NEEDS-ACTION").WithParam("RSVP", "TRUE").WithParam(paramRefused, by.ParamValues("DELEGATED-TO")...).WithoutParams("DELEGATED-TO")
		r.noted, r.news = true, true
		if !r.calledOff(p) && !slices.ContainsFunc(r.back, func(a cuaddr.Address) bool { return a == from }) {
			r.back = append(r.back, ics.CalAddress(by))
		}
	}
}

// refused reports whether all whom somebody says he sends have declined that,
// and he does not invite them anew: his answer crossed the REQUEST that gave him
// the invitation back.
func refused(c, p *part, l *ics.Prop) bool {
	to := persons(l, "DELEGATED-TO")
	return len(to) > 0 && !slices.ContainsFunc(to, func(a cuaddr.Address) bool {
		line := find(p, a)
		return find(c, a) != nil || line == nil || ics.PartStat(line) != "DECLINED" || !namesIn(line, "DELEGATED-FROM", ics.CalAddress(l))
	})
}

// outdated reports whether what somebody says of whom he sends is from before the
// invitation was given back to him: he repeats it beside another answer (RFC 6638
// §3.2.2.3) and invites nobody by it. Whom the organizer has taken out since stands in
// it no more, so his line remembers it.
func (r *replying) outdated(c *part, m, l *ics.Prop) bool {
	to := persons(l, "DELEGATED-TO")
	if ics.PartStat(m) != "NEEDS-ACTION" || len(to) == 0 || !r.ours {
		return false
	}
	return !slices.ContainsFunc(to, func(a cuaddr.Address) bool {
		return !namesIn(m, paramRefused, a) || find(c, a) != nil
	})
}

// giveBack leaves the invitation with somebody whose delegates have declined,
// and tells him so again (RFC 5546 §4.2.7).
func (r *replying) giveBack(c, p *part, mine *ics.Prop, to []cuaddr.Address) {
	who := ics.CalAddress(mine)
	if ics.PartStat(mine) != "NEEDS-ACTION" {
		r.news = true
	}
	*mine = mine.WithParam("PARTSTAT", "NEEDS-ACTION").WithParam("RSVP", "TRUE").WithoutParams("DELEGATED-TO", paramPercent, paramDone).
		WithParam(paramSince, answeredBy(c.comp).String())
	r.noted = true
	if !r.calledOff(p) && r.news { // or he has been told all there is
		r.back = append(r.back, who)
	}
	r.dismissed(p, dismiss(p, who, to))
}

// calledOff reports whether nobody is asked about a part any more.
func (r *replying) calledOff(p *part) bool {
	return p.off || r.s.master != nil && r.s.master.off
}

// keepDelegates puts delegates back whom the organizer's program has not seen
// yet: they came by an answer, and an overwrite with an older state takes no
// answer back (RFC 6638 §3.2.10.1, decision 22).
func (v *revision) keepDelegates() {
	if v.opt.Seen {
		return
	}
	for _, p := range v.is.parts {
		old := v.was.at(p.rid)
		if old == nil {
			continue
		}
		for _, a := range old.guests() {
			l := old.attendee(a)
			if p.attendee(a) == nil && slices.ContainsFunc(persons(l, "DELEGATED-FROM"), func(b cuaddr.Address) bool {
				by := find(old, b)
				return by != nil && sends(by, a) && find(p, b) != nil
			}) {
				p.comp.Add(*l)
				p.moved()
				v.is.dirty = true
			}
		}
	}
}

// dropDelegates takes those out again whom the organizer's program still shows as
// sent by somebody who sends them no more: that too came by an answer. Whom she
// invites on what is stored now comes in his own right.
func (v *revision) dropDelegates() {
	for _, p := range v.is.parts {
		old := v.was.at(p.rid)
		if old == nil {
			continue
		}
		for _, a := range slices.Clone(p.guests()) {
			l := p.attendee(a)
			from := persons(l, "DELEGATED-FROM")
			if old.attendee(a) != nil || len(from) == 0 || slices.ContainsFunc(from, func(b cuaddr.Address) bool {
				by := find(old, b)
				return by == nil || sends(by, a)
			}) {
				continue
			}
			if v.opt.Seen {
				*l = l.WithoutParams("DELEGATED-FROM")
			} else {
				p.comp.RemoveFunc(func(q *ics.Prop) bool { return q.Name == "ATTENDEE" && ics.CalAddress(q) == a })
			}
			p.moved()
			v.is.dirty = true
		}
	}
}

// delegated keeps on an attendee's line whom he sends and who sent him. Whose
// delegate the organizer took out is asked himself.
func (v *revision) delegated(p *part, l ics.Prop, a cuaddr.Address, base *part) ics.Prop {
	if base == nil || base.attendee(a) == nil || agent(&l) != byServer {
		return l
	}
	old := base.attendee(a)
	if !old.HasParam("DELEGATED-FROM") && !old.HasParam("DELEGATED-TO") && !l.HasParam("DELEGATED-FROM") && !l.HasParam("DELEGATED-TO") {
		return l
	}
	l = carry(carry(l, old, "DELEGATED-FROM"), old, "DELEGATED-TO")
	to := persons(old, "DELEGATED-TO")
	if ics.PartStat(&l) == "DELEGATED" && len(to) > 0 && !slices.ContainsFunc(to, func(b cuaddr.Address) bool { return find(p, b) != nil || v.me.Self(b) }) {
		v.asked[a] = true
		l = l.WithParam("PARTSTAT", "NEEDS-ACTION").WithParam("RSVP", "TRUE").WithoutParams("DELEGATED-TO")
	}
	return l
}

// sent returns what the organizer tells those concerned by a delegation: who is
// not sent any more, and whose delegate declined. new are the delegates whom
// their delegators invite (RFC 5546 §3.2.2.3), should their message not come.
func (r *replying) sent(o *ics.Object) (told, new []Message) {
	comps := map[cuaddr.Address][]*ics.Component{}
	for _, p := range masterFirst(r.s.parts) {
		for _, l := range r.gone[p] {
			a := ics.CalAddress(&l)
			if r.calledOff(p) || agent(&l) != byServer || find(p, a) != nil || p.rid != "" && len(comps[a]) > 0 && comps[a][0].Prop("RECURRENCE-ID") == nil {
				continue
			}
			comps[a] = append(comps[a], r.me.cancelComponent(p.comp, sequence(p.comp), []ics.Prop{l}, false))
		}
	}
	told = cancelEach(o, comps, true)
	only := slices.DeleteFunc(r.invited, func(a cuaddr.Address) bool { return slices.Contains(r.back, a) }) // who is told all of it is told once
	return append(told, r.me.invite(o, r.back...)...), r.me.invite(o, only...)
}

func byAddress(a, b cuaddr.Address) int { return strings.Compare(a.String(), b.String()) }

// invite sends people, each once, all that they may see of the organizer's object.
func (me Actor) invite(o *ics.Object, whom ...cuaddr.Address) []Message {
	whom = slices.Compact(slices.SortedFunc(slices.Values(whom), byAddress))
	if len(whom) == 0 {
		return nil
	}
	v := me.fromNothing(newSeries(o, o.Root()))
	var plans []*plan
	for _, a := range whom {
		g := v.plan(a)
		g.whom = []cuaddr.Address{a}
		plans = append(plans, g)
	}
	return v.messages(plans)
}
