package itip

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// revise sets SEQUENCE: never lower than before, and higher where RFC 5546
// §2.1.4 wants it and the program did not do it. Each attendee's line remembers
// from which revision on his answers count.
func (v *revision) revise(plans []*plan) {
	if v.was.obj == nil {
		return
	}
	top, parting := v.was.top(), false
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
			least := top
			if m := v.is.master; m != nil && v.raised(m) { // it is of this revision, and so is what is said of it
				least = max(top, sequence(m.comp))
			}
			if sequence(p.comp) < least {
				setSequence(p.comp, least)
				v.is.dirty = true
			}
			if v.opt.Added {
				v.addedNow(p)
			}
			continue
		}
		from, to := sequence(base.comp), sequence(p.comp)
		come := v.newcomers(p, base)
		if outlive[p] || len(come) > 0 || p == v.is.master && (parting || v.vanished()) {
			from = top // whatever they were told before, this is not older
		}
		if len(come) > 0 && (top > 0 || v.takenOff(come) || base.rid != "" && v.haveSeries(come)) {
			// A CANCEL that took somebody off may still be on its way; or an answer to the
			// series, which he gives without knowing of this occurrence.
			from = top + 1
		}
		if outlive[p] || v.raises(p, base) {
			from++
		}
		if m := v.is.master; m != nil && p != m && (v.raised(m) || v.deltas[p].tell() || v.raises(p, base)) {
			// An answer to an occurrence is one to the series as it stands: it would
			// seem older than that, should its override ever be taken back. And who has no
			// component for it yet would take the REQUEST for older than his series (RFC
			// 5546 §2.1.5), which an ADD may have raised alone (§3.2.4).
			from = max(from, sequence(m.comp))
		}
		if m := v.is.master; m != nil && p != m && !v.raised(m) && (v.asksIn(p, base) || v.deltas[p].reschedule()) {
			from = max(from, sequence(m.comp)+1) // who is asked has answered the series as it stands, or does so now
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
			if v.me.Self(a) {
				continue
			}
			switch {
			case base.attendee(a) == nil: // what he said of it when he was in it before is of an earlier one
				*l = l.WithParam(paramSince, since{seq: to}.String())
				v.is.dirty = true
			case v.deltas[p].reschedule() || v.asked[a] && ics.PartStat(l) == "NEEDS-ACTION":
				// Whoever is asked anew about one occurrence is not asked about the others. When
				// he answered last stays known: what he wrote before that may still come.
				s := sinceOf(l)
				s.seq, s.said = to, 0
				*l = l.WithParam(paramSince, s.String())
				v.is.dirty = true
			case !l.HasParam(paramSince):
				*l = l.WithParam(paramSince, since{seq: was}.String())
				v.is.dirty = true
			}
		}
	}
}

// lapse remembers the instances whose own time was taken back: an answer to
// that time, or to the one before it, would seem to be one to the series. Of an
// instance that was taken from some and is theirs again, it remembers whose.
func (v *revision) lapse() {
	m := v.is.master
	if m == nil {
		return
	}
	if v.was.master != nil && m.comp.Prop(propLapsed) == nil {
		for _, p := range v.was.master.comp.PropsNamed(propLapsed) {
			m.comp.Add(*p)
			v.is.dirty = true
		}
	}
	for _, p := range v.is.parts {
		if p != m && p.comp.Prop(propLapsed) != nil {
			p.comp.Remove(propLapsed)
			p.moved()
			v.is.dirty = true
		}
	}
	remember := func(r string, whom ...string) {
		if kept := m.comp.PropsNamed(propLapsed); len(kept) >= maxLapsed {
			first := *kept[0]
			if strings.HasPrefix(first.Value, everyLapsed+"/") {
				first = *kept[1]
			}
			m.comp.RemoveFunc(func(p *ics.Prop) bool { return p.Name == propLapsed && p.Value == first.Value })
		}
		m.moved()
		m.comp.Add(ics.NewProp(propLapsed, strings.Join(append([]string{r, strconv.Itoa(sequence(m.comp))}, whom...), "/")))
		v.is.dirty = true
	}
	// A new time of the series asks anew for all of it (RFC 6638 §3.2.8), the
	// occurrences included that happen to be when they were: another one's answer to
	// these, from before, would not be told from one to the series as it is (RFC 5546
	// §2.1.5).
	if v.was.master != nil && v.deltas[m].moved && sequence(m.comp) > 0 {
		m.comp.RemoveFunc(func(p *ics.Prop) bool {
			return p.Name == propLapsed && strings.HasPrefix(p.Value, everyLapsed+"/")
		})
		remember(everyLapsed)
	}
	for _, r := range v.rids {
		old := v.was.byRID[r]
		if old == nil || v.isAt[r] != m || sequence(m.comp) == 0 {
			continue
		}
		occ := v.is.regular(r)
		if occ == nil {
			continue
		}
		if !sameTime(v.was.obj, old.comp, v.is.obj, occ) {
			m.comp.RemoveFunc(func(p *ics.Prop) bool { return p.Name == propLapsed && strings.HasPrefix(p.Value, string(r)+"/") })
			remember(string(r))
			continue
		}
		// RFC 5546 §2.1.5: what he said of it before the CANCEL that took it from him is
		// of an earlier revision than the REQUEST that gives it back, and his copy is as
		// that says.
		var again []string
		for _, a := range m.guests() {
			if !v.me.Self(a) && v.is.listed(m, a) && !v.was.listed(old, a) {
				again = append(again, a.Fold())
			}
		}
		if len(again) > 0 {
			remember(string(r), strings.Join(again, " "))
		}
	}
	// An instance that comes, or comes back, is a new one: what somebody said of it
	// when there was one before is of a meeting that was called off (RFC 5546
	// §2.1.5).
	if v.was.master == nil || sequence(m.comp) == 0 || !v.deltas[m].reschedule() || m.comp.Prop("RRULE") == nil && m.comp.Prop("RDATE") == nil {
		return
	}
	for _, r := range more(datesOf(v.is.obj, m.comp, "EXDATE"), datesOf(v.was.obj, v.was.master.comp, "EXDATE")) {
		if v.is.obj.HasInstance(r) {
			remember(string(r))
		}
	}
	fresh, all := v.fresh()
	switch {
	case len(fresh) == 0:
	case all:
		m.comp.RemoveFunc(func(p *ics.Prop) bool {
			rid, _, _ := strings.Cut(p.Value, "/")
			return p.Name == propLapsed && strings.HasSuffix(rid, "+") && rid >= string(fresh[0])
		})
		remember(string(fresh[0]) + "+")
	default:
		for _, r := range fresh {
			remember(string(r))
		}
	}
}

// fresh returns instances that a series did not have before its rule made any so
// late, and whether all from the first of them on are new.
func (v *revision) fresh() (fresh []ics.RID, all bool) {
	last, ok := lastOf(v.was.obj, v.was.master.comp)
	if !ok {
		return nil, false // it was endless
	}
	var known ics.RID // the last of these
	n := 0
	err := v.is.obj.Instances(last, time.Time{}, time.UTC, ics.Bound{}, func(i ics.Instance) bool {
		if v.was.obj.HasInstance(i.RID) || v.was.byRID[i.RID] != nil {
			known = max(known, i.RID)
		} else {
			fresh = append(fresh, i.RID)
		}
		n++
		return n < maxLapsed/2
	})
	if err != nil || len(fresh) == 0 {
		return nil, false
	}
	return sorted(fresh), known < slices.Min(fresh)
}

// maxLapsed bounds what is remembered of taken back times.
const maxLapsed = 50

// everyLapsed stands for all instances that have no component of their own.
const everyLapsed = "*"

// lapsed returns from which revision of a series on somebody's answers to an
// instance count; bare: it has no component of its own.
func lapsed(master *ics.Component, r ics.RID, who cuaddr.Address, bare bool) int {
	n := 0
	for _, p := range master.PropsNamed(propLapsed) {
		rid, rest, _ := strings.Cut(p.Value, "/")
		from, whom, some := strings.Cut(rest, "/")
		if start, later := strings.CutSuffix(rid, "+"); !(bare && rid == everyLapsed) && start != string(r) && !(later && start < string(r)) || some && !slices.Contains(strings.Fields(whom), who.Fold()) {
			continue
		}
		if seq, err := strconv.Atoi(from); err == nil {
			n = max(n, seq)
		}
	}
	return n
}

// ask marks the lines of those who are told that they have not answered.
func (v *revision) ask(plans []*plan) {
	how := ""
	if v.opt.Mailed {
		how = askedByMail
	}
	for _, g := range plans {
		for _, p := range g.request {
			if g.echo { // no mail of ours tells him
				v.mark(p, g.whom, askedByMail)
				continue
			}
			v.heard(p, g.whom)
			v.mark(p, g.whom, how)
		}
	}
	if !v.opt.Mailed {
		return
	}
	for _, p := range v.is.parts { // their mail says so already
		if v.raised(p) {
			v.heard(p, p.guests())
			v.mark(p, p.guests(), how)
		}
	}
}

// heard notes that people are told which of their answers count, also of those that
// crossed what they were told before.
func (v *revision) heard(p *part, whom []cuaddr.Address) {
	for _, a := range whom {
		if l := p.attendee(a); l != nil && l.HasParam(paramCrossed) {
			*l = l.WithoutParams(paramCrossed)
			v.is.dirty = true
		}
	}
}

// addedNow notes of an instance that an ADD has told that nobody has answered it, and
// that everybody has been asked.
func (v *revision) addedNow(p *part) {
	n := sequence(p.comp)
	for _, a := range p.guests() {
		if l := p.attendee(a); !v.me.Self(a) {
			*l = l.WithParam(paramSince, since{seq: n}.String())
		}
	}
	v.is.dirty = true
	v.mark(p, p.guests(), askedByMail)
}

// mark notes that people were told by a part's revision that they have not
// answered.
func (v *revision) mark(p *part, whom []cuaddr.Address, how string) {
	n := sequence(p.comp)
	if n == 0 {
		return // no answer is older than that
	}
	for _, a := range whom {
		l := p.attendee(a)
		if l != nil && !v.me.Self(a) && ics.PartStat(l) == "NEEDS-ACTION" && l.Param(paramAsked) != strconv.Itoa(n)+how {
			*l = l.WithParam(paramAsked, strconv.Itoa(n)+how)
			v.is.dirty = true
		}
	}
}

// raised reports whether the revision of a part is a new one.
func (v *revision) raised(p *part) bool {
	base := v.base[p]
	return base != nil && sequence(p.comp) > sequence(base.comp)
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
	if audience && v.deltas[p].revises() {
		return true
	}
	// Whoever was in an override that is gone has a CANCEL of it on the way, even
	// if nobody is in the series so far.
	return p == v.is.master && (audience || v.bereft()) && v.vanished()
}

// bereft reports whether anybody was in an override that is not there any more.
func (v *revision) bereft() bool {
	for _, p := range v.was.parts {
		if p.rid == "" || v.is.byRID[p.rid] != nil {
			continue
		}
		for _, a := range p.guests() {
			if !v.me.Self(a) && v.was.listed(p, a) {
				return true
			}
		}
	}
	return false
}

// asksIn reports whether somebody is asked anew in a part.
func (v *revision) asksIn(p, base *part) bool {
	return slices.ContainsFunc(p.guests(), func(a cuaddr.Address) bool {
		old := base.attendee(a)
		return v.asked[a] && v.is.listed(p, a) && old != nil && ics.PartStat(old) != ics.PartStat(p.attendee(a))
	})
}

// newcomers are in a part in which they were not. They may have been before, and a
// CANCEL may have told them so.
func (v *revision) newcomers(p, base *part) (come []cuaddr.Address) {
	for _, a := range p.guests() {
		if !v.me.Self(a) && v.is.listed(p, a) && !v.was.listed(base, a) {
			come = append(come, a)
		}
	}
	return come
}

// takenOff reports whether the answer of whoever sent one of these took him off
// something. The CANCEL was of the revision that there was.
func (v *revision) takenOff(come []cuaddr.Address) bool {
	return v.was.master != nil && slices.ContainsFunc(come, func(a cuaddr.Address) bool {
		return slices.ContainsFunc(v.was.master.comp.PropsNamed(propLapsed), func(l *ics.Prop) bool { return l.Value == offByAnswer(a) })
	})
}

// haveSeries reports whether one of these was in the series.
func (v *revision) haveSeries(come []cuaddr.Address) bool {
	return v.was.master != nil && slices.ContainsFunc(come, func(a cuaddr.Address) bool { return v.was.listed(v.was.master, a) })
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
