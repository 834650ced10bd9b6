package itip

import (
	"slices"
	"strconv"

	"github.com/convene-server/convene/scheduling/ics"
)

// An attendee may answer from a mail program that is no calendar: his server sees a
// copy of it (decision 12). Such a program repeats what SEQUENCE it likes and names
// no occurrence beside the series, so his organizer does not confirm what it says
// (RFC 5546 §3.2.2.2). Where both sides could not mean the same by it, his own server
// says it again, with all that belongs to it.

// unsaid reports whether what a mail program has sent says less than the answers that
// follow from it: to which revision they are, that he was sent by somebody of whom
// the organizer may not know, or which occurrences an answer to the series is none
// for after earlier ones (RFC 5546 §2.1.5, §4.2.6, RFC 6638 §3.2.2.3).
func (m *mend) unsaid(sent *ics.Object, said []answer) bool {
	if sent == nil {
		return false
	}
	in := newSeries(sent, sent.Root())
	for _, a := range said {
		r := m.is.obj.RID(a.comp)
		c := in.exactly(r)
		old := m.was.at(r)
		switch {
		case old == nil:
		case c == nil:
			if in.master != nil && ics.PartStat(m.was.master.self(m.me)) != "NEEDS-ACTION" {
				return true
			}
		case sequence(c.comp) != sequence(a.comp):
			return true
		case dtstamp(old.comp) == longAgo && !ics.Attendee(c.comp, m.me.Self).HasParam("DELEGATED-FROM") && a.mine.HasParam("DELEGATED-FROM"):
			return true
		}
	}
	return false
}

// mailed notes on his lines that what they say went out by his mail program alone.
func (m *mend) mailed(sent *ics.Object) {
	for _, c := range newSeries(sent, sent.Root()).parts {
		p := m.is.exactly(c.rid)
		if p == nil {
			continue
		}
		if l, said := p.self(m.me), c.self(m.me); l != nil && said != nil && ics.PartStat(l) == ics.PartStat(said) {
			*l = l.WithParam(paramMailed, strconv.Itoa(sequence(m.me.current(m.is, p))))
			m.is.dirty = true
		}
	}
}

// restated says once more what he answered by his mail program, to the revision that he
// answered, where a REQUEST of a later one at the same time says that he has not: the
// two may have crossed, and the organizer tells what counts (RFC 5546 §3.2.2.2).
func (me Actor) restated(have, o *ics.Object, msg Message) []Message {
	_, org := organizerOf(o)
	if msg.Prompt || me.past(o) || agent(org) != byServer || trim(msg.Body.Root().Value("PRODID")) != ProductID {
		return nil // others confirm nothing
	}
	was, is, in := newSeries(have, have.Root()), newSeries(o, o.Root()), newSeries(msg.Body, msg.Body.Root())
	asked := func(p *part) bool { l := p.self(me); return !p.off && l != nil && ics.PartStat(l) == "NEEDS-ACTION" }
	// Also where it is asked about one occurrence as the series has it: the organizer
	// takes that for answered with the series (RFC 5546 §3.2.3).
	alike := func(p *part) bool {
		occ := is.regular(p.rid)
		return p.rid != "" && asked(p) && in.byRID[p.rid] != nil && occ != nil && sameTime(o, occ, o, p.comp)
	}
	var said []answer
	whole := ""
	for _, p := range masterFirst(is.parts) {
		l := p.self(me)
		if l == nil || p.off {
			continue
		}
		now := ics.PartStat(l)
		if l.HasParam(paramSaid) {
			now = l.Param(paramSaid)
		}
		to, err := strconv.Atoi(l.Param(paramMailed))
		again := err == nil && (in.at(p.rid) != nil && asked(p) || p == is.master && slices.ContainsFunc(is.parts, alike))
		if !again && (whole == "" || now == whole) {
			continue
		}
		c := p.comp
		if again {
			*l = l.WithoutParams(paramMailed)
			c = c.Clone()
			setSequence(c, to)
			if p.rid == "" {
				whole = now
			}
		}
		mine := *l
		if now != "DELEGATED" {
			mine = mine.WithoutParams("DELEGATED-TO")
		}
		said = append(said, answer{comp: c, mine: mine, partstat: now})
	}
	for _, old := range was.parts { // what he said alone of an occurrence that is as the series has it now
		if l := old.self(me); old.rid != "" && is.byRID[old.rid] == nil && l != nil && l.HasParam(paramMailed) && !old.off {
			to, err := strconv.Atoi(l.Param(paramMailed))
			if occ := is.regular(old.rid); err == nil && occ != nil && asked(&part{comp: occ}) && sameTime(have, old.comp, o, occ) {
				setSequence(occ, to)
				said = append(said, answer{comp: occ, mine: *l, partstat: ics.PartStat(l)})
			}
		}
	}
	if whole != "" && whole != "DECLINED" {
		gone, _ := me.away(was, is, nil)
		said = append(said, gone...)
	}
	return me.reply(o, said)
}
