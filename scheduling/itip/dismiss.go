package itip

import (
	"slices"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Who was sent by somebody goes with his delegation: when his delegator comes
// himself, declines, or sends another (RFC 5546 §3.2.2.3).

// dismiss takes those who were sent by somebody out of a component, and those
// whom they sent; except keeps those named there. It returns who they were.
func dismiss(p *part, by cuaddr.Address, except []cuaddr.Address) []ics.Prop {
	var gone []ics.Prop
	for _, a := range delegates(p, by) {
		if slices.ContainsFunc(except, isPerson(a)) {
			continue
		}
		l := p.attendee(a)
		if l == nil {
			continue
		}
		gone = append(gone, *l)
		p.comp.RemoveFunc(func(q *ics.Prop) bool { return q.Name == "ATTENDEE" && ics.CalAddress(q) == a })
		p.moved()
		gone = append(gone, dismiss(p, a, nil)...)
	}
	return gone
}

// outlive keeps those in single occurrences who are not sent to the series any
// more: the CANCEL of it must not take these, whichever comes first.
func (r *replying) outlive() {
	m := r.s.master
	if m == nil {
		return
	}
	if len(r.gone[m]) > 0 {
		r.overtake(m)
	}
	for _, l := range r.gone[m] {
		a, stays := ics.CalAddress(&l), false
		for _, p := range r.s.parts {
			if p != m && find(m, a) == nil && r.s.listed(p, a) {
				setSequence(p.comp, max(sequence(p.comp), sequence(m.comp))+1)
				p.moved()
				stays = true
			}
		}
		if stays {
			r.back = append(r.back, a)
		}
	}
}

// overtake raises the revision of a series to the highest of its occurrences: a
// CANCEL of it is not older than what its recipient was told of one of these (RFC
// 5546 §2.1.5).
func (r *replying) overtake(m *part) {
	was, top := sequence(m.comp), r.s.top()
	if top <= was {
		return
	}
	setSequence(m.comp, top)
	r.me.keepCounting(m.comp, was)
	m.moved()
}

// dismissed notes who is not sent any more.
func (r *replying) dismissed(p *part, gone []ics.Prop) {
	if len(gone) == 0 {
		return
	}
	if r.gone == nil {
		r.gone = map[*part][]ics.Prop{}
	}
	r.gone[p] = append(r.gone[p], gone...)
	r.noted, r.news = true, true
}
