package itip

import (
	"slices"
	"strconv"
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
)

// merge is what the organizer says now with what the attendee added (decision
// 20; behaviours that users miss first: alarms and colours lost on an update).
// old describes the instance in his copy: its override, his master, or nil.
func (me Actor) merge(was *series, old *part, in *series, p *part) *ics.Component {
	c := received(p.comp)
	if old == nil {
		for _, q := range was.parts {
			if was.master == nil || q == was.master { // as of the others: he has answered, or his program schedules them
				me.keepOrganizer(q.comp, c)
			}
		}
		me.heard(c)
		return c
	}
	base := old.comp
	if old.rid != p.rid {
		if base = was.regular(p.rid); base == nil {
			base = old.comp
		}
	}
	for _, ch := range base.Children {
		if ch.Name == "VALARM" && (old.rid == p.rid || relative(ch)) {
			c.Children = append(c.Children, ch)
		}
	}
	own := hisOwn(base)
	for _, n := range own {
		c.Remove(n) // all of his, in place of all of theirs
	}
	for i := range base.Props {
		q := base.Props[i]
		switch {
		case q.Name == "TRANSP" || q.Name == "COLOR":
			c.Set(q)
		case slices.Contains(own, q.Name):
			c.Add(q)
		case me.personal(q.Name):
			c.RemoveFunc(func(r *ics.Prop) bool { return r.Name == q.Name && base.Prop(q.Name) == &base.Props[i] })
			c.Add(q)
		}
	}
	me.keepAnswer(was.obj, base, in.obj, c)
	me.keepDelegation(base, c)
	me.keepHeadway(base, c)
	me.keepOrganizer(base, c)
	return c
}

// keepOrganizer leaves on an ORGANIZER line who schedules the organizer, and
// what became of the last answer.
func (me Actor) keepOrganizer(base, c *ics.Component) {
	o, had := c.Prop("ORGANIZER"), base.Prop("ORGANIZER")
	if o == nil || had == nil || noted(had) || me.strict(ics.CalAddress(o)) && agent(had) != byServer {
		return
	}
	for _, n := range []string{"SCHEDULE-AGENT", "SCHEDULE-STATUS"} {
		if had.HasParam(n) {
			c.Set(o.WithParam(n, had.ParamValues(n)...))
			o = c.Prop("ORGANIZER")
		}
	}
}

// keepAnswer leaves an attendee his own answer unless he is asked anew: by a
// new time, or by a higher SEQUENCE that calls for action (RFC 5546 §2.1.4,
// §3.2.2.1).
func (me Actor) keepAnswer(oa *ics.Object, old *ics.Component, ob *ics.Object, c *ics.Component) {
	mine := ics.Attendee(old, me.Self)
	if mine == nil {
		return
	}
	if cancelled(old) {
		me.heard(c)
		return
	}
	had, said := ics.PartStat(mine), mine.Param(paramSaid)
	known := sequence(old) // the revision that he answers
	if m := oa.Master(); m != nil {
		known = max(known, sequence(m))
	}
	if n, ok := answeredBeforeAdd(mine); ok {
		known = n
	}
	d := me.compare(oa, old, ob, c)
	for i := range c.Props {
		l := &c.Props[i]
		if l.Name != "ATTENDEE" || !me.Self(ics.CalAddress(l)) {
			continue
		}
		says := ics.PartStat(l)
		switch {
		case says == had && said == "":
		case d.moved && (had == "NEEDS-ACTION" || said != ""):
		case said != "": // the organizer tells which of his answers counts
			*l = l.WithParam(paramSaid, said)
			if says == "NEEDS-ACTION" {
				*l = carry(*l, mine, paramMailed)
			}
		case d.moved && says != "NEEDS-ACTION" && says != "DELEGATED":
			// His answer was to another time. To this one the organizer has one by his
			// answer to the series, which she knows to be at this time.
			*l = l.WithParam(paramSaid, "NEEDS-ACTION")
		case had == "NEEDS-ACTION":
			*l = l.WithParam(paramSaid, had)
		case says == "NEEDS-ACTION" && (d.moved || givenBack(mine, c)):
		case says == "NEEDS-ACTION" && (d.grown || sequence(c) > known): // an EXDATE that is gone may have been his own
			if had != "DELEGATED" {
				*l = carry(l.WithParam(paramSaid, had), mine, paramMailed)
			}
		default:
			*l = l.WithParam("PARTSTAT", had)
			if sequence(c) > sequence(old) || mine.HasParam(paramAnswers) {
				*l = l.WithParam(paramAnswers, answersTo(mine, old)+"/"+says)
			}
			if had == "DELEGATED" && mine.HasParam("DELEGATED-TO") {
				*l = l.WithParam("DELEGATED-TO", mine.ParamValues("DELEGATED-TO")...)
			}
			*l = carry(*l, mine, paramMailed)
			if mine.HasParam("RSVP") {
				*l = l.WithParam("RSVP", mine.ParamValues("RSVP")...)
			}
		}
	}
}

// answersTo is the revision that an answer of the user's is to.
func answersTo(mine *ics.Prop, c *ics.Component) string {
	if mine.HasParam(paramAnswers) {
		n, _, _ := strings.Cut(mine.Param(paramAnswers), "/")
		return strings.TrimSuffix(n, beforeAdd)
	}
	return strconv.Itoa(sequence(c))
}

// beforeAdd stands behind the revision that an answer is to where nothing but an ADD
// came since.
const beforeAdd = "+"

// answeredBeforeAdd returns that revision. The series is of that of the ADD, which asks
// about its own instance alone (RFC 5546 §3.2.4): what comes then may ask about all.
func answeredBeforeAdd(mine *ics.Prop) (int, bool) {
	v, ok := strings.CutSuffix(mine.Param(paramAnswers), beforeAdd)
	n, err := strconv.Atoi(v)
	return n, ok && err == nil
}

// letGo gives up an answer to an instance that was called off, or at another time,
// after the revision that it is to, and is as it was again: the REQUEST that says so
// came before the message that undid it, which is late now. In their order that
// would have taken the answer with it, and so does the organizer (RFC 5546 §2.1.5).
func (me Actor) letGo(s *series, p *part, late *ics.Component) bool {
	done := false
	for i := range p.comp.Props {
		l := &p.comp.Props[i]
		if l.Name != "ATTENDEE" || !me.Self(ics.CalAddress(l)) || !l.HasParam(paramAnswers) {
			continue
		}
		to, said, told := strings.Cut(l.Param(paramAnswers), "/")
		if n, err := strconv.Atoi(strings.TrimSuffix(to, beforeAdd)); err != nil || n >= sequence(late) {
			continue
		}
		if occ := s.regular(p.rid); occ != nil {
			// Where the series has the same mark, a program has only written the day out.
			if all := ics.Attendee(occ, me.Self); all != nil && (!told || all.Param(paramAnswers) == l.Param(paramAnswers)) {
				said, told = ics.PartStat(all), false
			}
		}
		*l = l.WithoutParams(paramAnswers, paramSaid, "DELEGATED-TO").WithParam("PARTSTAT", said)
		if told {
			me.heard(p.comp)
		}
		done = true
	}
	return done
}

// comesBack puts an instance back into a series that the user took off his calendar
// before a message was written that undid his answer, a CANCEL of it or a REQUEST at
// another time, and that takes place again since; as letGo.
func (me Actor) comesBack(s *series, r ics.RID, late *ics.Component) bool {
	p := me.left().byRID[r]
	if p == nil || p.off || !declines(p.self(me)) || !answeredBefore(p, late) || !s.excludes(r) || sequence(s.master.comp) <= sequence(late) {
		return false
	}
	if overtaken(s.master.comp, late) {
		return false // an ADD says nothing of it
	}
	out := datesOf(s.obj, s.master.comp, "EXDATE")
	delete(out, r)
	setExdates(s.obj, s.master.comp, out)
	if occ := newSeries(ics.New(s.root), s.root).regular(r); occ != nil && apart(p.comp, occ) {
		s.lacks = s.master.self(me)
	}
	return true
}

// apart reports whether what is left of an instance was not as its series says.
func apart(left, occ *ics.Component) bool {
	return older(occ, left) || !slices.Equal(valuesOf(occ, "LOCATION"), valuesOf(left, "LOCATION")) || !slices.Equal(valuesOf(occ, "SUMMARY"), valuesOf(left, "SUMMARY"))
}

// answeredBefore reports whether what is left of an instance was answered in an
// earlier revision than a message is of. He may have heard of it since.
func answeredBefore(p *part, late *ics.Component) bool {
	for _, l := range ics.Attendees(p.comp) {
		if !l.HasParam(paramAnswers) {
			continue
		}
		if n, err := strconv.Atoi(answersTo(l, p.comp)); err == nil {
			return n < sequence(late)
		}
	}
	return older(p.comp, late)
}

// undone is a copy without the answers to single instances that a late REQUEST puts
// at another time, or does not have, while what he has since has them at theirs again:
// they would have gone with that one, had it come first (RFC 5546 §2.1.5). What
// somebody took off his calendar is back in it; of what lacks is asked (§3.2.6).
func (me Actor) undone(have *ics.Object, in *series) (now *ics.Object, lacks *ics.Prop) {
	if have.Master() == nil || in.master != nil && !older(in.master.comp, have.Master()) {
		return have, nil
	}
	s := newSeries(have, have.Root().Clone())
	other := func(o *ics.Object, c *ics.Component, r ics.RID) *ics.Component {
		q := in.at(r)
		switch {
		case q == nil && in.master != nil: // it was none of them then
			return in.master.comp
		case q == nil || q.rid == r && q.self(me) == nil:
			return nil
		}
		then := q.comp
		if q.rid != r {
			if then = in.regular(r); then == nil {
				return nil
			}
		}
		if cancelled(then) || !sameTime(o, c, in.obj, then) {
			return q.comp
		}
		return nil
	}
	for _, old := range s.parts {
		if old.rid == "" || old.off {
			continue
		}
		if late := other(have, old.comp, old.rid); late != nil && older(late, old.comp) && me.letGo(s, old, late) {
			s.dirty = true
		}
	}
	for _, before := range me.left().parts {
		if before.rid == "" {
			continue
		}
		if late := other(me.Left, before.comp, before.rid); late != nil && me.comesBack(s, before.rid, late) {
			s.dirty = true
		}
	}
	return s.object(), s.lacks
}

// heard marks an answer of the user's that stands in a component by the
// organizer's word alone: until he gives another, a later word counts.
func (me Actor) heard(c *ics.Component) {
	for i := range c.Props {
		if l := &c.Props[i]; l.Name == "ATTENDEE" && me.Self(ics.CalAddress(l)) && ics.PartStat(l) != "NEEDS-ACTION" && ics.PartStat(l) != "DELEGATED" {
			*l = l.WithParam(paramSaid, "NEEDS-ACTION")
		}
	}
}

// excludes reports whether the master of a series takes an instance out.
func (s *series) excludes(r ics.RID) bool {
	return s.master != nil && datesOf(s.obj, s.master.comp, "EXDATE")[r]
}

// keepAway leaves those occurrences out of the new master that the attendee
// declined and took away, as long as he is not asked anew, and leaves in those
// that are in his copy as cancelled. It returns those of which the organizer knows
// that.
func (me Actor) keepAway(was, in *series, master *ics.Component, merged map[ics.RID]*ics.Component) (known []*ics.Component) {
	if was.master == nil {
		return nil
	}
	out := datesOf(in.obj, master, "EXDATE")
	for _, p := range was.parts {
		if p.rid == "" || !out[p.rid] || !cancelled(p.comp) {
			continue
		}
		delete(out, p.rid)
		setExdates(in.obj, master, out)
	}
	for _, r := range more(out, datesOf(was.obj, was.master.comp, "EXDATE")) {
		p := in.byRID[r]
		if p == nil || was.byRID[r] != nil {
			continue
		}
		if l := p.self(me); l != nil && ics.PartStat(l) == "DECLINED" {
			master.Add(in.obj.DateProp("EXDATE", r))
			delete(merged, r)
			known = append(known, received(p.comp))
		}
	}
	return known
}

// visible takes those EXDATEs out of a series' master whose occurrences have a
// component: it would not show otherwise.
func visible(o *ics.Object, comps []*ics.Component) []*ics.Component {
	for i, m := range comps {
		if m.Prop("RECURRENCE-ID") != nil || m.Prop("EXDATE") == nil {
			continue
		}
		out, all := datesOf(o, m, "EXDATE"), 0
		for _, p := range m.PropsNamed("EXDATE") {
			all += strings.Count(p.Value, ",") + 1
		}
		for _, c := range comps {
			delete(out, o.RID(c))
		}
		if len(out) == all {
			continue
		}
		m = m.Clone()
		setExdates(o, m, out)
		comps[i] = m
	}
	return comps
}

// keepInstance decides about an override of the copy that a whole update does
// not have: what the attendee said or set there lives on upon the new master,
// what the organizer had changed there is gone. nil: the instance is as the
// master says.
func (me Actor) keepInstance(was *series, old *part, in *series) *ics.Component {
	if cancelled(old.comp) && in.excludes(old.rid) { // it was called off: he sees that until he takes it away
		if !older(old.comp, in.master.comp) {
			return old.comp
		}
		return awayIn(old.comp, in.master.comp) // and is so in this revision, too
	}
	base := in.regular(old.rid)
	if base == nil || !in.everybody && ics.Attendee(base, me.Self) == nil || cancelled(old.comp) {
		return nil
	}
	if !sameTime(was.obj, old.comp, in.obj, base) {
		return nil
	}
	was0, mine := ics.Attendee(base, me.Self), old.self(me)
	if was.master != nil {
		before := was.regular(old.rid)
		if before == nil {
			return nil
		}
		was0 = ics.Attendee(before, me.Self)
		moved := !sameTime(was.obj, was.master.comp, in.obj, in.master.comp) // then he is asked anew for all of it
		ownAnswer := !moved && was0 != nil && mine != nil && (ics.PartStat(was0) != ics.PartStat(mine) || was0.Param(paramSaid) != mine.Param(paramSaid) || was0.Param(paramMailed) != mine.Param(paramMailed))
		if !ownAnswer && me.sameOwn(before, old.comp) {
			return nil
		}
	} else if was0 == nil || mine == nil || mine.HasParam(paramSaid) || ics.PartStat(mine) == "NEEDS-ACTION" || ics.PartStat(mine) == ics.PartStat(was0) {
		return nil // he was in single occurrences, and has not answered this one by itself
	}
	c := me.merge(was, old, in, &part{comp: base, rid: old.rid})
	setSequence(c, max(sequence(base), sequence(old.comp)))
	for i := range c.Props { // it is as his series says
		l := &c.Props[i]
		if l.Name == "ATTENDEE" && l.HasParam(paramAnswers) {
			*l = l.WithParam(paramAnswers, answersTo(l, c))
		}
		if mine != nil && l.Name == "ATTENDEE" && ics.CalAddress(l) == ics.CalAddress(mine) && ics.PartStat(l) == ics.PartStat(mine) {
			*l = carry(*l, mine, paramMailed) // the organizer says nothing of this one
		}
	}
	return c
}

// sameOwn reports whether an override has nothing of the attendee's own
// beside what the master gives it.
func (me Actor) sameOwn(a, b *ics.Component) bool {
	pick := func(c *ics.Component) []string {
		var out []string
		for i := range c.Props {
			p := &c.Props[i]
			if p.Name == "TRANSP" || p.Name == "COLOR" || p.Name == "CATEGORIES" || me.personal(p.Name) {
				out = append(out, p.Name+":"+p.Value)
			}
		}
		for _, ch := range c.Children {
			if ch.Name == "VALARM" {
				out = append(out, "VALARM:"+ch.Value("TRIGGER"))
			}
		}
		return out
	}
	return equalSets(pick(a), pick(b))
}

func relative(alarm *ics.Component) bool {
	t := alarm.Prop("TRIGGER")
	return t != nil && !strings.EqualFold(t.Param("VALUE"), "DATE-TIME")
}

// hisOwn returns which of them an attendee has set in his copy.
func hisOwn(c *ics.Component) []string {
	v := trim(c.Value(propOwn))
	if v == "" {
		return nil
	}
	return strings.Split(v, ",")
}
