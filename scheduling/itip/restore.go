package itip

import (
	"slices"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// mend restores in an attendee's write what is not his to change: what his
// program merely dropped or had not seen yet comes back silently, a real change
// is refused (decision 19, RFC 6638 §3.2.2.1).
type mend struct {
	me       Actor
	was, is  *series
	org      cuaddr.Address
	base     map[*part]*part  // what described each instance before
	dropped  []ics.RID        // instances that he took away by EXDATE
	still    []*ics.Component // and those that he took away before, of which he speaks again
	delegate []*delegation
	back     map[ics.RID]bool // those that he took away before, to which he comes now
	ask      bool             // of which he does not know all
	alone    bool             // he wrote one of his occurrences as if there were no others
}

// duty says how a property of an attendee's copy is treated.
type duty uint8

const (
	strict duty = iota // the organizer's: dropped comes back, changed is refused
	mild               // the organizer's: always comes back
	own                // the attendee's
)

// duties are RFC 6638 §3.2.2.1 and decision 19. What is not in it is strict,
// private X- properties are the attendee's, public ones mild.
var duties = map[string]duty{
	"TRANSP": own, "PERCENT-COMPLETE": own, "COMPLETED": own, "CREATED": own, "LAST-MODIFIED": own, "DTSTAMP": own,
	"CATEGORIES": own, "COLOR": own, "COMMENT": own, "CLASS": own, "PRIORITY": own, "REQUEST-STATUS": own,
	"SEQUENCE": mild, "STATUS": mild, "GEO": mild, "UID": own, "RECURRENCE-ID": own,
}

func (me Actor) dutyOf(name string) duty {
	if d, ok := duties[name]; ok {
		return d
	}
	if strings.HasPrefix(name, "X-") {
		if me.tells(name) && !slices.Contains(me.SharedX, name) {
			return mild
		}
		return own
	}
	return strict
}

func refuse(why string) error {
	return &Refusal{Precondition: AllowedAttendeeChange, Detail: "an attendee cannot change " + why}
}

func (m *mend) all() error {
	m.base = map[*part]*part{}
	m.single()
	if m.is.master == nil && m.was.master != nil {
		m.is.graft(m.was.master.comp.Clone())
	}
	for _, p := range m.is.parts {
		old := m.was.at(p.rid)
		if old == nil {
			if p.rid == "" {
				return refuse("single occurrences into a series")
			}
			return refuse("which occurrences there are")
		}
		m.base[p] = old
		base := old.comp
		if old.rid != p.rid { // a new override of what the master described
			if base = m.was.regular(p.rid); base == nil {
				return refuse("which occurrences there are")
			}
		}
		if err := m.component(p, base); err != nil {
			return err
		}
	}
	return m.missing()
}

// single gives an occurrence its RECURRENCE-ID back: a program that has been sent
// nothing but single occurrences may write one as if it were a meeting by
// itself.
func (m *mend) single() {
	p := m.is.master
	if p == nil || m.was.master != nil || p.comp.Prop("RRULE") != nil || p.comp.Prop("RDATE") != nil {
		return
	}
	var of *part
	for _, old := range m.was.parts {
		if m.is.byRID[old.rid] == nil && sameTime(m.was.obj, old.comp, m.is.obj, p.comp) {
			if of != nil {
				return // it could be either
			}
			of = old
		}
	}
	if of == nil {
		return
	}
	p.comp.Add(*of.comp.Prop("RECURRENCE-ID"))
	p.rid, m.is.master, m.is.byRID[of.rid], m.is.dirty = of.rid, nil, p, true
	p.moved()
	m.alone = true // of the others that program knows nothing
}

// missing puts overrides back that are simply not there any more. With an
// EXDATE in their place they were taken away, which is a refusal to come
// (RFC 6638 §3.2.2.1 item 8). In a copy of single occurrences nothing can hold
// an EXDATE: there a program has no other way to take one away.
func (m *mend) missing() error {
	var gone map[ics.RID]bool
	if m.is.master == nil && m.was.master == nil && !m.alone {
		for _, old := range m.was.parts {
			if m.is.byRID[old.rid] == nil {
				m.dropped = append(m.dropped, old.rid)
			}
		}
		return nil
	}
	if m.is.master != nil && m.was.master != nil {
		before := datesOf(m.was.obj, m.was.master.comp, "EXDATE")
		gone = map[ics.RID]bool{}
		for _, r := range more(before, datesOf(m.is.obj, m.is.master.comp, "EXDATE")) {
			if m.is.byRID[r] == nil {
				gone[r] = true
				if m.was.at(r) != nil {
					m.dropped = append(m.dropped, r)
				}
			}
		}
	}
	for _, old := range m.was.parts {
		if old.rid != "" && m.is.byRID[old.rid] == nil && !gone[old.rid] {
			p := m.is.graft(old.comp.Clone())
			m.base[p] = old
			m.follow(p)
		}
	}
	return nil
}

// follow gives an override that came back the answer to the series, if it tells
// nothing else than the series does and he answered both alike so far: others'
// answers made it, and his program may not have seen it yet.
func (m *mend) follow(p *part) {
	if m.is.master == nil || m.was.master == nil {
		return
	}
	before, now, here := m.was.master.self(m.me), m.is.master.self(m.me), p.self(m.me)
	if before == nil || now == nil || here == nil || ics.PartStat(here) != ics.PartStat(before) || ics.PartStat(now) == ics.PartStat(before) {
		return
	}
	if occ := m.was.regular(p.rid); occ != nil && m.me.sameContent(occ, p.comp) && sameTime(m.was.obj, occ, m.was.obj, p.comp) {
		*here = m.me.ownLine(*here, *now)
	}
}

// component mends one component: base is how it stood before.
func (m *mend) component(p *part, base *ics.Component) error {
	given := p.comp
	restore := map[string]bool{}
	for _, name := range names(base, given) {
		switch name {
		case "ATTENDEE", "ORGANIZER", "DTSTART", "DTEND", "DURATION", "DUE", "EXDATE", "RRULE":
			continue
		}
		d := m.me.dutyOf(name)
		if name == "STATUS" && given.Name == "VTODO" && !cancelled(base) && !cancelled(given) {
			d = own // how far he is with it
		}
		if d == own || slices.Equal(valuesOf(base, name), valuesOf(given, name)) {
			continue
		}
		if d == strict && len(valuesOf(given, name)) > 0 {
			return refuse(name)
		}
		restore[name] = true
	}
	if !sameTime(m.was.obj, base, m.is.obj, given) {
		start, end := span(m.is.obj, given)
		oldStart, oldEnd := span(m.was.obj, base)
		ends := given.Prop("DTEND") != nil || given.Prop("DURATION") != nil || given.Prop("DUE") != nil
		if start.Form != 0 && !samePoint(start, oldStart) || ends && end.Form != 0 && !samePoint(end, oldEnd) {
			return refuse("the time")
		}
		for _, n := range []string{"DTSTART", "DTEND", "DURATION", "DUE"} {
			restore[n] = true
		}
	}
	if m.rezoned(p, base) {
		for _, n := range []string{"DTSTART", "DTEND", "DURATION", "DUE"} {
			restore[n] = true
		}
	}
	if a, b := base.Value("RRULE"), given.Value("RRULE"); !sameRule(a, b) {
		if b != "" && given.Prop("RECURRENCE-ID") == nil {
			return refuse("the recurrence rule")
		}
		restore["RRULE"] = true
	}
	m.put(p, base, restore)
	m.exdates(p, base)
	if err := m.organizer(p, base); err != nil {
		return err
	}
	if err := m.attendees(p, base); err != nil {
		return err
	}
	m.advance(p, base)
	m.claim(p, base)
	m.stamp(p, base)
	if q := base.Prop(propAdded); q != nil && p.comp.Prop(propAdded) == nil {
		p.comp.Add(*q)
		m.is.dirty = true
	}
	return nil
}

// shared are the properties that an attendee may set and that organizers set
// too: an update brings the organizer's, unless he has set his own.
var shared = []string{"CATEGORIES", "CLASS", "PRIORITY", "COMMENT"}

// claim remembers what the attendee sets himself.
func (m *mend) claim(p *part, base *ics.Component) {
	have := hisOwn(base)
	for _, n := range shared {
		if !slices.Contains(have, n) && !slices.Equal(valuesOf(base, n), valuesOf(p.comp, n)) {
			have = append(have, n)
		}
	}
	slices.Sort(have)
	if v := strings.Join(have, ","); v != trim(p.comp.Value(propOwn)) {
		p.comp.Set(ics.NewProp(propOwn, v))
		m.is.dirty = true
	}
}

// put gives the component the base's properties of these names.
func (m *mend) put(p *part, base *ics.Component, restore map[string]bool) {
	if len(restore) == 0 {
		return
	}
	p.comp.RemoveFunc(func(q *ics.Prop) bool { return restore[q.Name] })
	for _, q := range base.Props {
		if restore[q.Name] {
			p.comp.Add(q)
		}
	}
	m.is.dirty = true
}

// exdates brings back the instances' exclusions that were dropped; new ones may
// stay.
func (m *mend) exdates(p *part, base *ics.Component) {
	have := datesOf(m.is.obj, p.comp, "EXDATE")
	for _, r := range more(have, datesOf(m.was.obj, base, "EXDATE")) {
		if m.back[r] {
			continue
		}
		p.comp.Add(m.was.obj.DateProp("EXDATE", r))
		m.is.dirty = true
	}
}

// organizer restores the ORGANIZER line, whose parameters some programs drop.
func (m *mend) organizer(p *part, base *ics.Component) error {
	old, l := base.Prop("ORGANIZER"), p.comp.Prop("ORGANIZER")
	if old == nil {
		if _, old = organizerOf(m.was.obj); old == nil {
			return nil
		}
	}
	if l != nil && ics.CalAddress(l) != ics.CalAddress(old) {
		return refuse("the ORGANIZER")
	}
	want := *old
	if l != nil && l.HasParam("SCHEDULE-AGENT") && l.Param("SCHEDULE-AGENT") != old.Param("SCHEDULE-AGENT") {
		want = want.WithParam("SCHEDULE-AGENT", l.Param("SCHEDULE-AGENT")) // RFC 6638 §3.2.2.2: his to say
	}
	if l != nil && agent(&want) != byServer {
		want = statusOfProgram(want, *l)
	}
	if l == nil || !l.Equal(&want) {
		p.comp.Set(want)
		m.is.dirty = true
	}
	return nil
}

// statusOfProgram is a line that a program schedules by itself, with the
// SCHEDULE-STATUS that it writes there now (RFC 6638 §3.2.2.1 item 10). One that
// writes no SCHEDULE-AGENT either has merely lost both.
func statusOfProgram(stored, given ics.Prop) ics.Prop {
	switch {
	case given.HasParam("SCHEDULE-STATUS"):
		return stored.WithParam("SCHEDULE-STATUS", given.ParamValues("SCHEDULE-STATUS")...)
	case given.HasParam("SCHEDULE-AGENT"):
		return stored.WithoutParams("SCHEDULE-STATUS")
	}
	return stored
}

// attendees restores everybody's line but his own, of which PARTSTAT and RSVP
// are his.
func (m *mend) attendees(p *part, base *ics.Component) error {
	given, stored := &part{comp: p.comp}, &part{comp: base}
	mine := m.me.answer(given, stored)
	var gone map[cuaddr.Address]bool
	if mine != nil && stored.self(m.me) != nil {
		var err error
		if gone, err = m.delegating(p, stored, mine); err != nil {
			return err
		}
		given.moved()
		mine = m.me.answer(given, stored)
	}
	var want []ics.Prop
	for _, old := range ics.Attendees(base) {
		a := ics.CalAddress(old)
		if gone[a] {
			continue
		}
		l := *old
		if !a.IsZero() && m.me.Self(a) && mine != nil {
			l = m.me.ownLine(l, *mine)
		} else if g := given.attendee(a); g != nil {
			if agent(old) == byClient {
				l = statusOfProgram(l, *g)
			}
			if g.Equal(&l) {
				l = *g
			}
		}
		want = append(want, l)
	}
	for _, a := range given.guests() {
		l := given.attendee(a)
		if stored.attendee(a) != nil || gone[a] || m.me.Self(a) {
			continue
		}
		if mine == nil || ics.PartStat(mine) != "DELEGATED" || !delegatedFrom(l, m.me) {
			return refuse("who is invited")
		}
		d := l.WithoutParams(ownParams...).WithParam("PARTSTAT", "NEEDS-ACTION")
		want = append(want, d)
		m.delegate = append(m.delegate, &delegation{part: p, line: d})
	}
	if have := ics.Attendees(p.comp); !sameLines(have, want) {
		at := slices.IndexFunc(p.comp.Props, func(q ics.Prop) bool { return q.Name == "ATTENDEE" })
		p.comp.Remove("ATTENDEE")
		if at < 0 {
			at = len(p.comp.Props)
		}
		p.comp.Props = slices.Insert(p.comp.Props, at, want...)
		m.is.dirty = true
	}
	p.moved()
	return nil
}

// answer returns the line by which he answers, nil without one: of several, if
// he is invited under several addresses, the one that says something new
// (decision 28).
func (me Actor) answer(given, stored *part) *ics.Prop {
	for _, l := range ics.Attendees(given.comp) {
		if a := ics.CalAddress(l); !a.IsZero() && me.Self(a) {
			if old := stored.attendee(a); old != nil && ics.PartStat(old) != ics.PartStat(l) {
				return l
			}
		}
	}
	return given.self(me)
}

// ownLine is the attendee's line: as the organizer wrote it, with the answer
// that he gives now.
func (me Actor) ownLine(stored, given ics.Prop) ics.Prop {
	switch now := ics.PartStat(&given); {
	case now != "NEEDS-ACTION" && now != ics.PartStat(&stored):
		given = given.WithoutParams("RSVP") // who has answered is not asked any more
	case now == "NEEDS-ACTION" && now == ics.PartStat(&stored) && stored.HasParam("RSVP") && !given.HasParam("RSVP"):
		given = given.WithParam("RSVP", stored.ParamValues("RSVP")...) // a program that has no such thing
	}
	same := given
	if ics.PartStat(&stored) != ics.PartStat(&given) {
		stored = stored.WithoutParams(paramSaid, paramAnswers, paramMailed)
	}
	for _, n := range append([]string{"PARTSTAT", "RSVP", "DELEGATED-TO"}, me.SharedX...) {
		if given.HasParam(n) {
			stored = stored.WithParam(n, given.ParamValues(n)...)
		} else {
			stored = stored.WithoutParams(n)
		}
	}
	if same.Equal(&stored) {
		return same // his program's line, byte for byte
	}
	return stored
}

// stamp remembers the organizer's DTSTAMP where the program wrote its own.
func (m *mend) stamp(p *part, base *ics.Component) {
	received := dtstamp(base)
	p0 := p.comp.Prop(propReceived)
	switch {
	case strings.TrimSpace(p.comp.Value("DTSTAMP")) == received && p0 == nil:
	case received == "" || p0 != nil && strings.TrimSpace(p0.Value) == received:
	default:
		p.comp.Set(ics.NewProp(propReceived, received))
		m.is.dirty = true
	}
}
