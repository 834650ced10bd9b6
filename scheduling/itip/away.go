package itip

import (
	"slices"

	"github.com/convene-server/convene/scheduling/ics"
)

// An attendee who takes an occurrence off his calendar declines it. Of a series
// that he has declined he does so without a word, because nothing is new in it.
// As soon as he says something else of the series, his organizer and he must mean
// the same by that.

// away are the occurrences that he took off his calendar before, declining: what
// he says now of the series is no answer for them, so they are named with it
// (RFC 6638 §3.2.2.3). The organizer may never have been told of them one by one,
// if he had declined them all.
func (m *mend) away() []answer {
	out, still := m.me.away(m.was, m.is, m.dropped)
	m.still = append(m.still, still...)
	return out
}

// away are the occurrences that are neither in his copy as it was nor as it is,
// because he declined them, but for those that are dropped only now; still are those
// that stay away in a later revision.
func (me Actor) away(was, is *series, dropped []ics.RID) (out []answer, still []*ics.Component) {
	for _, p := range me.left().parts {
		l := p.self(me)
		if p.rid == "" || p.off || l == nil || ics.PartStat(l) != "DECLINED" || slices.Contains(dropped, p.rid) {
			continue
		}
		if is.excludes(p.rid) && was.excludes(p.rid) && is.byRID[p.rid] == nil {
			c := p.comp
			if older(c, was.master.comp) { // it stays away in the revision that he answers
				c = awayIn(c, was.master.comp)
				still = append(still, c)
			}
			out = append(out, answer{comp: c, mine: *l, partstat: "DECLINED"})
		}
	}
	return out, still
}

// comeBack puts the occurrences of a declined series that he took off his calendar
// back into it where his mail program says something else of the whole now: it
// names none beside that, and his organizer reads it as an answer to all of them
// (RFC 5546 §3.2.3). Of those that were not as the series says, nobody here knows any
// more how they are: he asks (§3.2.6).
func (m *mend) comeBack() {
	if m.was.master == nil || m.is.master == nil || !declines(m.was.master.self(m.me)) || declines(m.is.master.self(m.me)) {
		return
	}
	out := datesOf(m.is.obj, m.is.master.comp, "EXDATE")
	root := m.is.root.Clone()
	whole := masterOf(root)
	whole.Remove("EXDATE")
	open := newSeries(ics.New(root), root)
	m.back = map[ics.RID]bool{}
	left := m.me.left()
	for _, p := range left.parts {
		if out[p.rid] && m.me.declinedAlone(left, p, open) {
			m.back[p.rid] = true
			delete(out, p.rid)
			m.ask = m.ask || apart(p.comp, open.regular(p.rid))
		}
	}
	if len(m.back) == 0 {
		return
	}
	setExdates(m.is.obj, whole, out)
	m.is = newSeries(ics.New(root), root)
	m.is.dirty = true
}
