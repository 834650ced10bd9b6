package itip

import (
	"slices"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// plan is what one group of attendees, alike in where they are listed, must be
// told.
type plan struct {
	whom        []cuaddr.Address
	request     []*part
	without     []ics.RID // instances of the master that do not include them
	significant bool
	whole       bool // CANCEL of everything
	cancel      []ics.RID
	echo        bool // the request tells copies what the cancel tells people
	marks       bool // the cancel marks in copies what the request leaves out
}

// listed is part.listed under a master that is not cancelled as a whole.
func (s *series) listed(p *part, a cuaddr.Address) bool {
	return p.listed(a) && (s.master == nil || !s.master.off)
}

// plans groups the attendees and decides for each group (RFC 6638 §3.2.1.2,
// instance by instance).
func (v *revision) plans() []*plan {
	var out []*plan
	groups := map[string]*plan{}
	seen := map[cuaddr.Address]bool{}
	key := make([]byte, 0, len(v.is.parts)+len(v.was.parts)+1)
	for _, side := range []*series{v.is, v.was} {
		for _, p := range side.parts {
			for _, a := range p.guests() {
				if seen[a] {
					continue
				}
				seen[a] = true
				if v.me.Self(a) || v.me.group(a) {
					continue // RFC 6638 §3.2.1: never to the organizer himself; a group's members are told, one by one
				}
				key = key[:0]
				for _, s := range []*series{v.is, v.was} {
					for _, q := range s.parts {
						if s.listed(q, a) {
							key = append(key, '1')
						} else {
							key = append(key, '0')
						}
					}
				}
				if v.forced[a] == string(Request) || v.asked[a] {
					key = append(key, '!')
				}
				g := groups[string(key)]
				if g == nil {
					g = v.plan(a)
					groups[string(key)] = g
					out = append(out, g)
				}
				g.whom = append(g.whom, a)
			}
		}
	}
	return out
}

func (v *revision) plan(a cuaddr.Address) *plan {
	g := &plan{}
	took := func(r ics.RID) bool { p := v.wasAt[r]; return p != nil && v.was.listed(p, a) }
	takes := func(r ics.RID) bool { p := v.isAt[r]; return p != nil && v.is.listed(p, a) }
	var anyWas, anyIs bool
	for _, p := range v.was.parts {
		anyWas = anyWas || v.was.listed(p, a)
	}
	for _, p := range v.is.parts {
		anyIs = anyIs || v.is.listed(p, a)
	}
	wasAll := v.was.master != nil && v.was.listed(v.was.master, a)
	isAll := v.is.master != nil && v.is.listed(v.is.master, a)
	whole := func() {
		for _, p := range v.is.parts {
			if v.is.listed(p, a) {
				g.request = append(g.request, p)
				g.significant = g.significant || v.deltas[p].reschedule() || p.rid != "" && !took(p.rid) || p.rid == "" && !wasAll
			} else if p.rid != "" && isAll && v.is.obj.HasInstance(p.rid) {
				g.without = append(g.without, p.rid) // RFC 6638 §3.2.6
			}
		}
	}
	lost := func() {
		for _, r := range v.rids {
			if took(r) && !takes(r) {
				g.cancel = append(g.cancel, r)
			}
		}
	}
	// Where an instance is gone for everybody, copies here learn also what is left.
	// One that is called off in words, or takes place without him, is lost by its
	// CANCEL alone (RFC 6638 §3.2.1.2).
	echo := func() {
		gone := func(r ics.RID) bool { return v.isAt[r] == nil }
		if len(g.request) == 0 && slices.ContainsFunc(g.cancel, gone) {
			whole()
			g.echo = true
		}
	}
	switch {
	case !anyWas && !anyIs:
	case !anyWas: // invited
		whole()
	case !anyIs && wasAll: // removed, or the meeting is cancelled
		g.whole = true
		if m := v.is.master; m != nil && m.off && m.attendee(a) != nil && (v.deltas[m].content || v.deltas[m].reschedule()) {
			g.echo = true // called off, and something else changed
			for _, p := range v.is.parts {
				if p.attendee(a) != nil {
					g.request = append(g.request, p)
				}
			}
		}
	case !anyIs:
		lost()
	case wasAll && !isAll: // from the series to some of its instances
		g.whole = true
		whole()
	case !wasAll && isAll: // from some instances to the series
		whole()
	case isAll:
		tell := v.deltas[v.is.master].tell()
		for _, r := range v.rids {
			back := v.isAt[r] == v.is.master && takes(r) && !took(r) // his again, as the series says
			g.significant = g.significant || back
			tell = tell || back || v.lapsed[r] && (took(r) || takes(r))
		}
		if tell {
			whole() // instances lost are EXDATEs in it
			gone := datesOf(v.is.obj, v.is.master.comp, "EXDATE")
			for _, r := range v.rids {
				if took(r) && !takes(r) && (gone[r] || v.is.byRID[r] != nil && v.is.byRID[r].off) {
					g.cancel = append(g.cancel, r) // called off, not merely beyond the end
				}
			}
			g.marks = len(g.cancel) > 0
		} else {
			v.some(g, a, took)
			lost()
			echo()
		}
	default: // only ever in some instances
		v.some(g, a, took)
		lost()
		echo()
	}
	short := len(g.request) == 0 || g.echo
	if v.asked[a] && isAll && !slices.Contains(g.request, v.is.master) || v.unasked(g, a) {
		short = true // all of it is a new revision
	}
	said := v.revised && v.me.strict(a) && len(g.cancel) == 0                     // a revision, says his program, whatever is new in it
	if anyIs && short && (v.forced[a] == string(Request) || v.asked[a] || said) { // RFC 6638 §3.2.7
		g.request, g.without, g.echo = nil, nil, false
		whole()
	}
	if v.asked[a] || v.forced[a] == string(Request) {
		g.significant = true
	}
	return g
}

// unasked reports whether somebody is asked anew in a part that he would not be
// told of.
func (v *revision) unasked(g *plan, a cuaddr.Address) bool {
	if !v.asked[a] {
		return false
	}
	return slices.ContainsFunc(v.is.parts, func(p *part) bool {
		base := v.base[p]
		if base == nil || !v.is.listed(p, a) || slices.Contains(g.request, p) {
			return false
		}
		old := base.attendee(a)
		return old != nil && ics.PartStat(old) != ics.PartStat(p.attendee(a))
	})
}

// some puts into a plan the overrides that changed for somebody, or that are
// new to him.
func (v *revision) some(g *plan, a cuaddr.Address, took func(ics.RID) bool) {
	for _, p := range v.is.parts {
		if p.rid == "" || !v.is.listed(p, a) {
			continue
		}
		if d := v.deltas[p]; d.tell() || !took(p.rid) {
			g.request = append(g.request, p)
			g.significant = g.significant || d.reschedule() || !took(p.rid)
		}
	}
}
