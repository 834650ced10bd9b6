package itip

import (
	"slices"
	"strconv"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// revision is one write of an organizer: what stood there, what he wrote, and
// what follows for whom.
type revision struct {
	me     Actor
	opt    Options
	was    *series // without parts when the meeting is new
	is     *series
	deltas map[*part]delta // of each part against what described its instance before
	base   map[*part]*part // that description: an override, the master, or nil
	rids   []ics.RID       // instances that either side speaks of by name
	wasAt  map[ics.RID]*part
	isAt   map[ics.RID]*part
	lapsed map[ics.RID]bool // overrides that were taken back, their instance as the master says again
	raise  map[*part]bool   // parts whose SEQUENCE must rise
	forced map[cuaddr.Address]string
	asked  map[cuaddr.Address]bool   // whom the organizer asks anew without a new time
	shown  map[cuaddr.Address]string // the answers to the series that the program shows
	// revised: the organizer's program itself raised SEQUENCE.
	revised bool
}

// fromNothing is a revision before which there was nothing.
func (me Actor) fromNothing(s *series) *revision {
	return &revision{
		me: me, is: s, was: &series{byRID: map[ics.RID]*part{}},
		deltas: map[*part]delta{}, base: map[*part]*part{}, wasAt: map[ics.RID]*part{}, isAt: map[ics.RID]*part{},
		lapsed: map[ics.RID]bool{}, raise: map[*part]bool{}, forced: map[cuaddr.Address]string{}, asked: map[cuaddr.Address]bool{},
	}
}

// organize decides what follows from an organizer's write (RFC 6638 §3.2.1.1,
// §3.2.1.2). before is nil for what was no scheduling object.
func (me Actor) organize(before *ics.Object, s *series, opt Options) (Outcome, error) {
	v := me.fromNothing(s)
	v.opt = opt
	if before != nil {
		v.was = newSeries(before, before.Root())
	}
	if err := v.claim(); err != nil {
		return Outcome{}, err
	}
	if before == nil && s.master == nil && me.others(s) && !me.past(s.obj) {
		// Only attendees have occurrences without their series (RFC 6638 §3.2.6). What a
		// program lost of a meeting of its own would take those to whom it is told the
		// rest of it.
		return Outcome{}, &Refusal{Precondition: AllowedOrganizerReceived, Detail: "an organizer has the series, not single occurrences of it"}
	}
	v.strict()
	v.outlived()
	v.again()
	v.dropDelegates()
	v.keepDelegates() // what they answered is kept, too
	v.keepAnswers()
	if err := v.expand(); err != nil {
		return Outcome{}, err
	}
	v.keepDelegates()
	v.compare()
	if m := s.master; opt.Added && m != nil { // RFC 5546 §3.2.4: an answer to the series is none to it, and stands
		d := v.deltas[m]
		d.content, d.grown = d.content || d.grown, false
		v.deltas[m] = d
	}
	v.revised = v.renewed()
	v.answers()
	plans := v.plans()
	out := Outcome{Scheduled: true, Refresh: v.gathering(), Rule: "organizer's change stored"}
	if before == nil {
		out.Rule = "organizer's new meeting stored"
	}
	switch {
	case muted(s):
		out.Rule += ", nothing sent: the program asks for silence"
	case me.past(before, s.obj):
		out.Rule += ", nothing sent: the meeting is past" // decision 18
	default:
		v.revise(plans)
		v.expect(plans)
		v.lapse()
		v.remember(plans)
		v.ask(plans)
		out.Messages = v.messages(plans)
		v.refuseForce(out.Messages)
	}
	v.decide(&out, muted(s) || me.past(before, s.obj))
	out.Object, out.Changed = s.object(), s.dirty
	return out, nil
}

// claim makes every component name the organizer alike. The ORGANIZER of an
// existing meeting stays (decision 22); hrefs that Apple's programs write become
// the address that mail can reach.
func (v *revision) claim() error {
	var line *ics.Prop
	if v.was.obj != nil {
		_, line = organizerOf(v.was.obj)
	} else {
		_, line = organizerOf(v.is.obj)
		if a := ics.CalAddress(line); a.Mail() == "" && !v.me.Address.IsZero() {
			p := line.WithValue(v.me.Address.String())
			line = &p
		}
	}
	for _, p := range v.is.parts {
		own := p.comp.Prop("ORGANIZER")
		switch {
		case own == nil:
			p.comp.Add(line.WithoutParams(ownParams...))
			v.is.dirty = true
		case ics.CalAddress(own) != ics.CalAddress(line):
			if v.was.obj != nil && ics.CalAddress(own).Mail() != "" {
				return &Refusal{Precondition: AllowedOrganizerChange, Detail: "the ORGANIZER of a meeting cannot be changed"}
			}
			p.comp.Set(own.WithValue(line.Value))
			v.is.dirty = true
		}
		if own = p.comp.Prop("ORGANIZER"); own.HasParam("SCHEDULE-FORCE-SEND") {
			p.comp.Set(own.WithoutParams("SCHEDULE-FORCE-SEND"))
			v.is.dirty = true
		}
		p.moved()
		v.name(p.comp)
		for i := range p.comp.Props {
			a := &p.comp.Props[i]
			if a.Name == "ATTENDEE" && ics.CalAddress(a).IsZero() && agent(a) == byServer && a.Param("SCHEDULE-STATUS") != StatusInvalidUser {
				p.comp.Props[i] = a.WithParam("SCHEDULE-STATUS", StatusInvalidUser) // RFC 6638 §3.2.9: no message reaches that
				v.is.dirty = true
				p.moved()
			}
			if a.Name == "ATTENDEE" && v.me.Kind != nil && !a.HasParam("CUTYPE") {
				if kind := v.me.Kind(ics.CalAddress(a)); kind != "" { // all programs then show it as what it is
					p.comp.Props[i] = a.WithParam("CUTYPE", kind)
					v.is.dirty = true
					p.moved()
				}
			}
			if a.Name == "ATTENDEE" && ics.CalAddress(a).Mail() == "" && v.me.Self(ics.CalAddress(a)) && !v.me.Address.IsZero() {
				p.comp.Props[i] = a.WithValue(v.me.Address.String())
				v.is.dirty = true
				p.moved()
			}
		}
	}
	return nil
}

// outlived takes out components that were made for nothing but an answer, of
// occurrences that the series does not have any more: it ends earlier, or has
// another time. A program that changes the rule alone leaves them, and everybody's
// copy would show that occurrence (RFC 5545 §3.8.4.4).
func (v *revision) outlived() {
	if v.is.master == nil || v.was.master == nil {
		return
	}
	gone := func(p *part) bool {
		if p.rid == "" || v.was.byRID[p.rid] == nil || v.is.obj.HasInstance(p.rid) || v.is.excludes(p.rid) || !v.was.obj.HasInstance(p.rid) {
			return false
		}
		occ := v.was.regular(p.rid)
		return occ != nil && !v.me.compare(v.was.obj, occ, v.is.obj, p.comp).tell() && samePeople(p, v.was.master)
	}
	out := map[*ics.Component]bool{}
	for _, p := range v.is.parts {
		if gone(p) {
			out[p.comp] = true
		}
	}
	if len(out) == 0 {
		return
	}
	root := v.is.root
	root.Children = slices.DeleteFunc(root.Children, func(c *ics.Component) bool { return out[c] })
	*v.is = *newSeries(ics.New(root.Clone()), root)
	v.is.dirty = true
}

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

func samePeople(a, b *part) bool {
	if len(a.guests()) != len(b.guests()) {
		return false
	}
	for _, who := range a.guests() {
		if b.attendee(who) == nil {
			return false
		}
	}
	return true
}

// compare finds for each part what described its instance before, and how it
// differs.
func (v *revision) compare() {
	seen := map[ics.RID]bool{}
	note := func(r ics.RID) {
		if r != "" && !seen[r] {
			seen[r] = true
			v.rids = append(v.rids, r)
		}
	}
	for _, p := range v.is.parts {
		old := v.was.at(p.rid)
		v.base[p] = old
		note(p.rid)
		switch {
		case old == nil:
		case old.rid == p.rid:
			v.deltas[p] = v.me.compare(v.was.obj, old.comp, v.is.obj, p.comp)
			for _, r := range v.deltas[p].excluded {
				note(r)
			}
		default: // a new override of what the master described
			if occ := v.was.regular(p.rid); occ != nil {
				v.deltas[p] = v.me.compare(v.was.obj, occ, v.is.obj, p.comp)
			}
		}
	}
	for _, p := range v.was.parts {
		note(p.rid)
	}
	for _, r := range v.rids {
		v.wasAt[r], v.isAt[r] = v.was.at(r), v.is.at(r)
		if old := v.was.byRID[r]; old != nil && v.isAt[r] != nil && v.isAt[r] == v.is.master {
			if occ := v.is.regular(r); occ != nil && v.me.compare(v.was.obj, old.comp, v.is.obj, occ).tell() {
				v.lapsed[r] = true
			}
		}
	}
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
	given := ics.PartStat(&l)
	if agent(&l) != byServer { // the program schedules him; only our own mark is ours
		return carry(carry(carry(l, old, paramSince), old, paramPercent), old, paramDone)
	}
	want := "NEEDS-ACTION"
	if old != nil && !again {
		want = ics.PartStat(old)
		if given == "NEEDS-ACTION" && want != given && (v.asksAnew(&l, old) || v.singledOut(&l, a, p, base)) {
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
	l = carry(carry(carry(l, old, paramSince), old, paramAsked), old, paramRefused)
	if !again { // else that was for another time
		l = carry(l, old, paramClaim)
	}
	if want == "NEEDS-ACTION" {
		return l.WithoutParams(paramPercent, paramDone)
	}
	return carry(carry(l, old, paramPercent), old, paramDone)
}

// askedAlone is somebody's line of the series with the highest revision in which
// he was asked about an occurrence whose override is taken back: his answer to
// the series covers that too.
func (v *revision) askedAlone(l ics.Prop, a cuaddr.Address) ics.Prop {
	n, _ := strconv.Atoi(l.Param(paramAsked))
	for _, r := range v.rids {
		if old := v.was.byRID[r]; old != nil && v.isAt[r] == v.is.master && old.attendee(a) != nil {
			if asked, _ := strconv.Atoi(old.attendee(a).Param(paramAsked)); asked > n {
				n = asked
				l = l.WithParam(paramAsked, strconv.Itoa(n))
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

// expect writes RSVP=TRUE where those who are told now read it, so that all
// copies agree on who is asked.
func (v *revision) expect(plans []*plan) {
	ask := func(l *ics.Prop) {
		if wantsAnswer(l) && agent(l) == byServer && !v.me.Self(ics.CalAddress(l)) {
			*l = l.WithParam("RSVP", "TRUE")
			v.is.dirty = true
		}
	}
	for _, g := range plans {
		for _, p := range g.request {
			for i := range p.comp.Props {
				if l := &p.comp.Props[i]; l.Name == "ATTENDEE" {
					ask(l)
				}
			}
		}
		for _, p := range v.is.parts { // what they have of the rest asks them, too
			for _, a := range g.whom {
				if l := p.attendee(a); l != nil && len(g.request) > 0 {
					ask(l)
				}
			}
		}
	}
}

// gathering reports whether who is in the meeting changed, whether an answer was
// taken back, or what the organizer himself answers: those who hear of nothing
// else see it all the same.
func (v *revision) gathering() bool {
	if len(v.asked) > 0 {
		return true
	}
	for _, p := range v.is.parts {
		old := v.base[p]
		if old == nil {
			continue
		}
		if !samePeople(p, old) {
			return true
		}
		if a, b := p.self(v.me), old.self(v.me); a != nil && b != nil && ics.PartStat(a) != ics.PartStat(b) {
			return true
		}
	}
	return v.vanished()
}

// refuseForce marks the lines whose SCHEDULE-FORCE-SEND we do not know (RFC
// 6638 §7.2).
func (v *revision) refuseForce(sent []Message) {
	status := map[cuaddr.Address]string{}
	for a, f := range v.forced {
		if f != string(Request) {
			status[a] = "2.3"
		}
	}
	for _, m := range sent {
		delete(status, m.To)
	}
	for _, p := range v.is.parts {
		if stampPart(p.comp, served(status)) {
			v.is.dirty = true
		}
	}
}
