package itip

import (
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
	asked  map[cuaddr.Address]bool // whom the organizer asks anew without a new time
}

// organize decides what follows from an organizer's write (RFC 6638 §3.2.1.1,
// §3.2.1.2). before is nil for what was no scheduling object.
func (me Actor) organize(before *ics.Object, s *series, opt Options) (Outcome, error) {
	v := &revision{
		me: me, opt: opt, is: s, was: &series{byRID: map[ics.RID]*part{}},
		deltas: map[*part]delta{}, base: map[*part]*part{}, wasAt: map[ics.RID]*part{}, isAt: map[ics.RID]*part{},
		lapsed: map[ics.RID]bool{}, raise: map[*part]bool{}, forced: map[cuaddr.Address]string{}, asked: map[cuaddr.Address]bool{},
	}
	if before != nil {
		v.was = newSeries(before, before.Root())
	}
	if err := v.claim(); err != nil {
		return Outcome{}, err
	}
	v.keepAnswers()
	v.compare()
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
		out.Messages = v.messages(plans)
		v.refuseForce(out.Messages)
	}
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
		for i := range p.comp.Props {
			a := &p.comp.Props[i]
			if a.Name == "ATTENDEE" && ics.CalAddress(a).Mail() == "" && v.me.Self(ics.CalAddress(a)) && !v.me.Address.IsZero() {
				p.comp.Props[i] = a.WithValue(v.me.Address.String())
				v.is.dirty = true
				p.moved()
			}
		}
	}
	return nil
}

// keepAnswers puts overrides back that are needed for answers: whoever gave
// one occurrence another answer than the series has given it, also if the
// organizer's program has not seen the override yet or takes it back (RFC 6638
// §3.2.10.1). What the organizer says there is as for the series.
func (v *revision) keepAnswers() {
	if v.is.master == nil || v.was.master == nil {
		return
	}
	for _, old := range v.was.parts {
		if old.rid == "" || v.is.byRID[old.rid] != nil || !v.is.obj.HasInstance(old.rid) || !v.differ(old) {
			continue
		}
		if c := v.is.regular(old.rid); c != nil && sameTime(v.was.obj, old.comp, v.is.obj, c) {
			v.is.graft(c)
		}
	}
}

// differ reports whether somebody of the series answered otherwise for an
// occurrence.
func (v *revision) differ(old *part) bool {
	for _, a := range old.guests() {
		l, all := old.attendee(a), v.was.master.attendee(a)
		if all != nil && !v.me.Self(a) && ics.PartStat(l) != ics.PartStat(all) && v.is.master.attendee(a) != nil {
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
			v.deltas[p] = compare(v.was.obj, old.comp, v.is.obj, p.comp)
			for _, r := range v.deltas[p].excluded {
				note(r)
			}
		default: // a new override of what the master described
			if occ := v.was.regular(p.rid); occ != nil {
				v.deltas[p] = compare(v.was.obj, occ, v.is.obj, p.comp)
			}
		}
	}
	for _, p := range v.was.parts {
		note(p.rid)
	}
	for _, r := range v.rids {
		v.wasAt[r], v.isAt[r] = v.was.at(r), v.is.at(r)
		if old := v.was.byRID[r]; old != nil && v.isAt[r] != nil && v.isAt[r] == v.is.master {
			if occ := v.is.regular(r); occ != nil && compare(v.was.obj, old.comp, v.is.obj, occ).tell() {
				v.lapsed[r] = true
			}
		}
	}
}

// answers gives every attendee the PARTSTAT that he gave himself (decision 22,
// RFC 6638 §3.2.1 and §3.2.8), and the server's marks on his line.
func (v *revision) answers() {
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
				l = v.answer(l, a, old, again)
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

func (v *revision) answer(l ics.Prop, a cuaddr.Address, base *part, again bool) ics.Prop {
	var old *ics.Prop
	if base != nil {
		old = base.attendee(a)
	}
	given := ics.PartStat(&l)
	if agent(&l) != byServer { // the program schedules him; only our own mark is ours
		return carry(l, old, paramSince)
	}
	want := "NEEDS-ACTION"
	if old != nil && !again {
		want = ics.PartStat(old)
		if given == "NEEDS-ACTION" && want != given && v.opt.Seen {
			want = given // RFC 6638 §3.2.8: the organizer may ask anew at any time
			v.asked[a] = true
		}
	}
	if given != want {
		l = l.WithParam("PARTSTAT", want)
	}
	if again && old != nil && !strings.EqualFold(l.Param("RSVP"), "TRUE") && !strings.EqualFold(l.Param("ROLE"), "NON-PARTICIPANT") {
		l = l.WithParam("RSVP", "TRUE")
	}
	return carry(carry(l, old, "SCHEDULE-STATUS"), old, paramSince)
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

// plan is what one group of attendees, alike in where they are listed, must be
// told.
type plan struct {
	whom        []cuaddr.Address
	request     []*part
	without     []ics.RID // instances of the master that do not include them
	significant bool
	whole       bool // CANCEL of everything
	cancel      []ics.RID
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
				if v.me.Self(a) {
					continue // RFC 6638 §3.2.1: never to the organizer himself
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
	switch {
	case !anyWas && !anyIs:
	case !anyWas: // invited
		whole()
	case !anyIs && wasAll: // removed, or the meeting is cancelled
		g.whole = true
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
		} else {
			v.some(g, a, took)
			lost()
		}
	default: // only ever in some instances
		v.some(g, a, took)
		lost()
	}
	if anyIs && len(g.request) == 0 && (v.forced[a] == string(Request) || v.asked[a]) { // RFC 6638 §3.2.7
		whole()
	}
	if v.asked[a] || v.forced[a] == string(Request) {
		g.significant = true
	}
	return g
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

// revise sets SEQUENCE: never lower than before, and higher where RFC 5546
// §2.1.4 wants it and the program did not do it. Each attendee's line remembers
// from which revision on his answers count.
func (v *revision) revise(plans []*plan) {
	if v.was.obj == nil {
		return
	}
	top := 0 // no message so far was of a higher revision
	for _, p := range v.was.parts {
		top = max(top, sequence(p.comp))
	}
	outlive := map[*part]bool{} // overrides for those who lose the series by a CANCEL
	for _, g := range plans {
		for _, p := range g.request {
			outlive[p] = outlive[p] || g.whole
		}
	}
	for _, p := range v.is.parts {
		base := v.base[p]
		if base == nil {
			if sequence(p.comp) < top {
				setSequence(p.comp, top)
				v.is.dirty = true
			}
			continue
		}
		from, to := sequence(base.comp), sequence(p.comp)
		if outlive[p] || v.newcomers(p, base) || p == v.is.master && v.vanished() {
			from = top // whatever they were told before, this is not older
		}
		if outlive[p] || v.raises(p, base) {
			from++
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

// messages writes what the plans say. Those who get the same share one body.
func (v *revision) messages(plans []*plan) []Message {
	var out []Message
	bodies := map[string]*ics.Object{}
	uid := v.is.obj.UID()
	from, _ := v.organizer()
	for _, c := range v.cancels(plans) {
		body := envelope(v.was.obj, Cancel, c.comps)
		for _, a := range c.whom {
			out = append(out, Message{Method: Cancel, UID: uid, From: from, To: a, Body: body, Significant: true})
		}
	}
	for _, g := range plans {
		if len(g.request) == 0 {
			continue
		}
		key := v.key(g)
		if bodies[key] == nil {
			bodies[key] = v.me.requestBody(v.is, g.request, g.without)
		}
		for _, a := range g.whom {
			out = append(out, Message{Method: Request, UID: uid, From: from, To: a, Body: bodies[key], Significant: g.significant})
		}
	}
	return out
}

func (v *revision) organizer() (cuaddr.Address, *ics.Prop) {
	for _, p := range v.is.parts {
		if l := p.comp.Prop("ORGANIZER"); l != nil {
			return ics.CalAddress(l), l
		}
	}
	return organizerOf(v.was.obj)
}

func (v *revision) key(g *plan) string {
	var b strings.Builder
	for _, p := range g.request {
		b.WriteString(string(p.rid) + " ")
	}
	b.WriteByte('|')
	for _, r := range g.without {
		b.WriteString(string(r) + " ")
	}
	return b.String()
}

// cancellation is one CANCEL and whom it reaches.
type cancellation struct {
	whom  []cuaddr.Address
	comps []*ics.Component
}

func (v *revision) cancels(plans []*plan) []*cancellation {
	type lot struct {
		whole bool
		rids  []ics.RID
		whom  []cuaddr.Address
	}
	var lots []*lot
	byKey := map[string]*lot{}
	for _, g := range plans {
		if !g.whole && len(g.cancel) == 0 {
			continue
		}
		key := ""
		for _, r := range g.cancel {
			key += string(r) + " "
		}
		if byKey[key] == nil {
			byKey[key] = &lot{whole: g.whole, rids: g.cancel}
			lots = append(lots, byKey[key])
		}
		byKey[key].whom = append(byKey[key].whom, g.whom...)
	}
	var out []*cancellation
	for _, l := range lots {
		c := &cancellation{whom: l.whom}
		if l.whole {
			seq := sequence(v.was.master.comp) + 1
			all := v.is.master == nil || cancelled(v.is.master.comp)
			if v.is.master != nil {
				seq = max(seq, sequence(v.is.master.comp))
			}
			c.comps = append(c.comps, v.me.cancelComponent(v.was.master.comp, seq, lines(v.was.master, l.whom), all))
		}
		for _, r := range l.rids {
			old := v.wasAt[r]
			comp := old.comp
			if old.rid == "" {
				if comp = v.was.regular(r); comp == nil {
					continue
				}
			}
			seq := sequence(comp) + 1
			now := v.isAt[r]
			if now != nil {
				seq = max(seq, sequence(now.comp))
			} else if v.is.master != nil {
				seq = max(seq, sequence(v.is.master.comp))
			}
			c.comps = append(c.comps, v.me.cancelComponent(comp, seq, lines(old, l.whom), now == nil || cancelled(now.comp)))
		}
		if len(c.comps) > 0 {
			out = append(out, c)
		}
	}
	return out
}

// lines returns the ATTENDEE lines of some people.
func lines(p *part, whom []cuaddr.Address) []ics.Prop {
	var out []ics.Prop
	for _, a := range whom {
		if l := p.attendee(a); l != nil {
			out = append(out, *l)
		}
	}
	return out
}

// gathering reports whether who is in the meeting changed, or what the
// organizer himself answers: those who hear of nothing else see it all the same.
func (v *revision) gathering() bool {
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
		if stampPart(p.comp, status) {
			v.is.dirty = true
		}
	}
}

// cancelAll is the removal of a meeting by its organizer (RFC 6638 §3.2.1.3).
func (me Actor) cancelAll(before *ics.Object) Outcome {
	out := Outcome{Remove: true, Rule: "organizer removed the meeting"}
	s := newSeries(before, before.Root())
	switch {
	case muted(s):
		out.Rule += ", nothing sent: the program asks for silence"
		return out
	case me.past(before):
		out.Rule += ", nothing sent: the meeting is past"
		return out
	}
	v := &revision{me: me, was: s, is: &series{obj: before, byRID: map[ics.RID]*part{}}, wasAt: map[ics.RID]*part{}, isAt: map[ics.RID]*part{}, deltas: map[*part]delta{}}
	for _, p := range s.parts {
		if p.rid != "" {
			v.rids = append(v.rids, p.rid)
			v.wasAt[p.rid] = p
		}
	}
	out.Messages = v.messages(v.plans())
	return out
}
