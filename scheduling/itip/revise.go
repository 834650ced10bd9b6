package itip

import (
	"strconv"

	"github.com/convene-server/convene/scheduling/ics"
)

// revise sets SEQUENCE: never lower than before, and higher where RFC 5546
// §2.1.4 wants it and the program did not do it. Each attendee's line remembers
// from which revision on his answers count.
func (v *revision) revise(plans []*plan) {
	if v.was.obj == nil {
		return
	}
	top, parting := v.top(), false
	outlive := map[*part]bool{} // overrides for those who lose the series by a CANCEL
	for _, g := range plans {
		parting = parting || g.whole
		for _, p := range g.request {
			outlive[p] = outlive[p] || g.whole
		}
	}
	for _, p := range masterFirst(v.is.parts) {
		base := v.base[p]
		if base == nil {
			if sequence(p.comp) < top {
				setSequence(p.comp, top)
				v.is.dirty = true
			}
			continue
		}
		from, to := sequence(base.comp), sequence(p.comp)
		if outlive[p] || v.newcomers(p, base) || p == v.is.master && (parting || v.vanished()) {
			from = top // whatever they were told before, this is not older
		}
		if outlive[p] || v.raises(p, base) {
			from++
		}
		if m := v.is.master; m != nil && p != m && v.raised(m) {
			// An answer to an occurrence is one to the series as it stands: it would
			// seem older than that, should its override ever be taken back.
			from = max(from, sequence(m.comp))
		}
		if to < from {
			to = from
			setSequence(p.comp, to)
			v.is.dirty = true
		}
		was := sequence(base.comp)
		if to == was {
			continue
		}
		for i := range p.comp.Props {
			l := &p.comp.Props[i]
			if l.Name != "ATTENDEE" {
				continue
			}
			a := ics.CalAddress(l)
			if v.me.Self(a) || base.attendee(a) == nil {
				continue
			}
			switch {
			case v.deltas[p].reschedule() || v.asked[a]:
				*l = l.WithParam(paramSince, strconv.Itoa(to))
				v.is.dirty = true
			case !l.HasParam(paramSince):
				*l = l.WithParam(paramSince, strconv.Itoa(was))
				v.is.dirty = true
			}
		}
	}
}

// raised reports whether the revision of a part is a new one.
func (v *revision) raised(p *part) bool {
	base := v.base[p]
	return base != nil && sequence(p.comp) > sequence(base.comp)
}

// top is the highest revision of any component so far: no message was of a
// higher one.
func (v *revision) top() int {
	n := 0
	for _, p := range v.was.parts {
		n = max(n, sequence(p.comp))
	}
	return n
}

// raises reports whether the SEQUENCE of a part must be higher than before:
// somebody hears of it, and what he hears is a new revision or a CANCEL.
func (v *revision) raises(p, base *part) bool {
	audience := false
	for _, side := range []*part{p, base} {
		for _, a := range side.guests() {
			if v.me.Self(a) {
				continue
			}
			was, is := v.was.listed(base, a), v.is.listed(p, a)
			if was && !is || v.asked[a] && is {
				return true
			}
			audience = audience || was || is
		}
	}
	if !audience {
		return false
	}
	if v.deltas[p].revises() {
		return true
	}
	return p == v.is.master && v.vanished()
}

// newcomers reports whether somebody is in a part who was not. He may have been
// before, and a CANCEL may have told him so.
func (v *revision) newcomers(p, base *part) bool {
	for _, a := range p.guests() {
		if !v.me.Self(a) && v.is.listed(p, a) && !v.was.listed(base, a) {
			return true
		}
	}
	return false
}

// vanished reports whether overrides are not there any more.
func (v *revision) vanished() bool {
	for _, r := range v.rids {
		if v.was.byRID[r] != nil && v.is.byRID[r] == nil {
			return true
		}
	}
	return false
}
