package itip

import (
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// What an organizer's write leaves of the answers that were given (decision 22): her
// program may not have seen them, and nobody but who gave one takes it back, unless
// she asks anew.

// keepAnswers puts overrides back that are needed for answers: whoever gave
// one occurrence another answer than the series has given it, also if the
// organizer's program has not seen the override yet or takes it back (RFC 6638
// §3.2.10.1). What the organizer says there is as for the series. An occurrence
// that goes back to its time in the series is rescheduled: whoever answered for
// the series is asked about that one (RFC 6638 §3.2.8).
func (v *revision) keepAnswers() {
	if v.is.master == nil || v.was.master == nil || !sameTime(v.was.obj, v.was.master.comp, v.is.obj, v.is.master.comp) {
		return // or everybody is asked anew
	}
	for _, old := range v.was.parts {
		if old.rid == "" || v.is.byRID[old.rid] != nil || !v.is.obj.HasInstance(old.rid) {
			continue
		}
		c := v.is.regular(old.rid)
		if c == nil {
			continue
		}
		if same := sameTime(v.was.obj, old.comp, v.is.obj, c); same && v.differ(old) || !same && v.answered(old) {
			v.is.graft(c)
		}
	}
}

// answered reports whether somebody who takes part in an occurrence has
// answered for the series.
func (v *revision) answered(old *part) bool {
	for _, a := range old.guests() {
		all := v.was.master.attendee(a)
		if all != nil && !v.me.Self(a) && ics.PartStat(all) != "NEEDS-ACTION" && v.is.master.attendee(a) != nil {
			return true
		}
	}
	return false
}

// differ reports whether somebody of the series answered otherwise for an
// occurrence.
func (v *revision) differ(old *part) bool {
	for _, a := range old.guests() {
		l, all := old.attendee(a), v.was.master.attendee(a)
		if all == nil || v.me.Self(a) || v.is.master.attendee(a) == nil {
			continue
		}
		// The same answer, but given later for this one: an older one for the series
		// may still come.
		if ics.PartStat(l) != ics.PartStat(all) || sinceOf(l).stamp > sinceOf(all).stamp {
			return true
		}
	}
	return false
}

// answers gives every attendee the PARTSTAT that he gave himself (decision 22,
// RFC 6638 §3.2.1 and §3.2.8), and the server's marks on his line.
func (v *revision) answers() {
	if m := v.is.master; m != nil {
		v.shown = map[cuaddr.Address]string{}
		for _, a := range m.guests() {
			v.shown[a] = ics.PartStat(m.attendee(a))
		}
	}
	for _, p := range v.is.parts {
		old, again := v.base[p], v.deltas[p].reschedule()
		changed := false
		for i := range p.comp.Props {
			if p.comp.Props[i].Name != "ATTENDEE" {
				continue
			}
			l := p.comp.Props[i]
			a := ics.CalAddress(&l)
			if f := l.Param("SCHEDULE-FORCE-SEND"); f != "" && agent(&l) == byServer && !a.IsZero() {
				v.forced[a] = strings.ToUpper(f)
			}
			l = l.WithoutParams("SCHEDULE-FORCE-SEND") // RFC 6638 §7.2
			if !v.me.Self(a) {
				l = v.answer(l, a, p, old, again)
				l = v.delegated(p, l, a, old)
				if p == v.is.master {
					l = v.askedAlone(l, a)
				}
				if old != nil && old.rid != p.rid {
					l = sinceRevision(l)
				}
			}
			if !l.Equal(&p.comp.Props[i]) {
				p.comp.Props[i] = l
				changed = true
			}
		}
		v.is.dirty = v.is.dirty || changed
	}
}

func (v *revision) answer(l ics.Prop, a cuaddr.Address, p, base *part, again bool) ics.Prop {
	var old *ics.Prop
	if base != nil {
		old = base.attendee(a)
	}
	first := v.overtaken(old, p, base)
	again = again && !first
	given := ics.PartStat(&l)
	if agent(&l) != byServer { // the program schedules him; only our own mark is ours
		return carry(carry(carry(l, old, paramSince), old, paramPercent), old, paramDone)
	}
	want := "NEEDS-ACTION"
	if old != nil && !again {
		want = ics.PartStat(old)
		if given == "NEEDS-ACTION" && want != given && !first && (v.asksAnew(&l, old) || v.singledOut(&l, a, p, base)) {
			want = given // RFC 6638 §3.2.8: the organizer may ask anew at any time
			v.asked[a] = true
		}
	}
	if given != want {
		// RFC 6638 §7.3: SCHEDULE-STATUS is added or changed where a message goes. What
		// the program shows stays, but for the answer that it did not know.
		l = carry(l.WithParam("PARTSTAT", want), old, "SCHEDULE-STATUS")
	}
	if want == "NEEDS-ACTION" && (given != want || old != nil && (again || v.opt.Tag && strings.EqualFold(old.Param("RSVP"), "TRUE"))) && !strings.EqualFold(l.Param("ROLE"), "NON-PARTICIPANT") && !strings.EqualFold(l.Param("RSVP"), "TRUE") {
		l = l.WithParam("RSVP", "TRUE")
	}
	for _, n := range []string{paramSince, paramAsked, paramCovered, paramWhole, paramRefused} {
		l = carry(l, old, n)
	}
	if !again { // else that was for another time
		l = carry(l, old, paramClaim)
	}
	if want == "NEEDS-ACTION" {
		return l.WithoutParams(paramPercent, paramDone, paramCrossed)
	}
	return carry(carry(carry(l, old, paramPercent), old, paramDone), old, paramCrossed)
}

// overtaken reports whether somebody has answered this revision already: his mail
// was faster than the copy of the one that told it to him (RFC 5546 §2.1.5), as that
// of a room mostly is.
func (v *revision) overtaken(old *ics.Prop, p, base *part) bool {
	if !v.opt.Mailed || old == nil || base.rid != p.rid {
		return false
	}
	s := sinceOf(old)
	return s.stamp != "" && s.top() > sequence(base.comp) && s.top() >= sequence(p.comp)
}

// askedAlone is somebody's line of the series with the highest revision in which
// he was asked about an occurrence whose override is taken back: his answer to
// the series covers that too.
func (v *revision) askedAlone(l ics.Prop, a cuaddr.Address) ics.Prop {
	n, _ := asked(&l)
	for _, r := range v.rids {
		if old := v.was.byRID[r]; old != nil && v.isAt[r] == v.is.master && old.attendee(a) != nil {
			if last, _ := asked(old.attendee(a)); last > n {
				n = last
				l = carry(l, old.attendee(a), paramAsked)
			}
		}
	}
	return l
}

// renewed reports whether the program gave a component a higher SEQUENCE than is
// stored.
func (v *revision) renewed() bool {
	for _, p := range v.is.parts {
		if old := v.base[p]; old != nil && sequence(p.comp) > sequence(old.comp) {
			return true
		}
	}
	return false
}

// asksAnew reports whether an organizer's NEEDS-ACTION takes an answer back. It
// may as well be what his program knew before the answer came (decision 22, RFC
// 6638 §3.2.10.1). It asks anew if the program says so, or wrote over what is
// stored now, or made a new revision of its own and shows no older status.
func (v *revision) asksAnew(l, old *ics.Prop) bool {
	if v.opt.Seen || v.forced[ics.CalAddress(l)] == string(Request) {
		return true
	}
	if v.opt.Tag || l.HasParam("SCHEDULE-STATUS") && l.Param("SCHEDULE-STATUS") != old.Param("SCHEDULE-STATUS") {
		return false
	}
	return v.revised
}

// singledOut reports whether an organizer's RSVP=TRUE;NEEDS-ACTION asks again
// about one occurrence: the program knows what this attendee answered to the
// series, and the occurrence differs from that by his answer only, so it was
// never written with NEEDS-ACTION before.
func (v *revision) singledOut(l *ics.Prop, a cuaddr.Address, p, base *part) bool {
	if p.rid == "" || base.rid != p.rid || v.is.master == nil || v.was.master == nil || !strings.EqualFold(l.Param("RSVP"), "TRUE") {
		return false
	}
	all := v.was.master.attendee(a)
	if all == nil || v.shown[a] == "" || v.shown[a] == "NEEDS-ACTION" || v.shown[a] != ics.PartStat(all) {
		return false
	}
	occ := v.was.regular(p.rid)
	return occ != nil && v.me.sameContent(occ, base.comp) && sameTime(v.was.obj, occ, v.was.obj, base.comp)
}

// carry takes a parameter from the stored line, whatever the program sent.
func carry(l ics.Prop, old *ics.Prop, name string) ics.Prop {
	if old == nil || !old.HasParam(name) {
		return l.WithoutParams(name)
	}
	want := old.ParamValues(name)
	if have := l.ParamValues(name); len(have) == len(want) && strings.Join(have, ",") == strings.Join(want, ",") {
		return l
	}
	return l.WithParam(name, want...)
}
