package itip

import (
	"strconv"
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
)

// receiveAdd puts one more instance into an attendee's copy (RFC 5546 §3.2.4):
// as an RDATE of the series, with a component of its own, since his answer to
// the series is none to it. What does not follow on the revision that he has is
// answered by a REFRESH.
func (me Actor) receiveAdd(have *ics.Object, msg Message) (Outcome, error) {
	org, orgLine := organizerOf(msg.Body)
	in := newSeries(msg.Body, msg.Body.Root())
	switch {
	case org.IsZero():
		return ignored("an ADD without an organizer"), nil
	case me.Self(org):
		return ignored("it is his own meeting: his copy is the truth"), nil // decision 7
	}
	mine := ics.Attendee(in.parts[0].comp, me.Self)
	named := len(in.parts[0].guests()) > 0
	if mine == nil && (named || have == nil) {
		return ignored("he is not invited"), nil
	}
	prefer := me.prefers(PreferAdd)
	if prefer == "ignore" {
		return ignored("he takes no ADD"), nil
	}
	again := func(why string) (Outcome, error) {
		if mine == nil {
			if mine = ics.Attendee(have.First(), me.Self); mine == nil {
				return ignored("%s", why), nil // a published event: nobody is asked
			}
		}
		ms := me.ask(msg.Body, *orgLine, *mine)
		if len(ms) == 0 {
			return ignored("%s", why), nil
		}
		return Outcome{Messages: ms, Scheduled: true, KeepTag: true, Rule: why + ": asked for the whole"}, nil
	}
	if have == nil {
		return again("an ADD to a meeting that he does not have")
	}
	was, _ := organizerOf(have)
	if was != org && was.Fold() != org.Fold() {
		return Outcome{}, &Refusal{Precondition: AllowedOrganizerReceived, Detail: "a meeting with this UID has another organizer"}
	}
	s := newSeries(have, have.Root().Clone())
	if mine == nil && me.in(s) != (me.role(have) == attendee) {
		return ignored("he is not invited"), nil
	}
	top := s.top()
	if len(in.parts) != 1 {
		return again("an ADD of more than one component")
	}
	c := in.parts[0].comp
	if n := barred(c); n != "" {
		return again("an ADD with " + n)
	}
	seq := sequence(c)
	r, ok := added(have, msg.Body, c)
	left := me.left()
	switch {
	case s.master == nil:
		return again("an ADD to a meeting of which he has single instances")
	case !ok:
		return again("an ADD in another form of time than the series")
	case seq <= top && (s.byRID[r] != nil || have.HasInstance(r)):
		return ignored("a repetition: he has that instance"), nil
	case left.byRID[r] != nil && outdated(left, in, &part{comp: c, rid: r}):
		return ignored("he removed it, or it was cancelled, after this was written"), nil
	case seq <= sequence(s.master.comp) && missing(s.master.comp, c) && seq > wholeOf(s.master.comp):
		out, err := again(staleRule(c, s.master.comp) + ", yet a later ADD came before it")
		if len(out.Messages) > 0 {
			out.Object, out.Changed = askedOnce(have), true
		}
		return out, err
	case seq <= sequence(s.master.comp):
		return ignored("%s", staleRule(c, s.master.comp)), nil // RFC 5546 §2.1.5
	case seq <= top: // what he was told of one occurrence overtook it
		return again("an ADD of revision " + strconv.Itoa(seq) + ", of which he does not have the series")
	case prefer == "refresh":
		return again("he takes no ADD")
	case seq > top+1:
		return again("an ADD of revision " + strconv.Itoa(seq) + " to revision " + strconv.Itoa(top))
	}
	me.include(s, r, c, named)
	s.dirty = true
	for _, z := range msg.Body.Root().Children {
		if z.Name == "VTIMEZONE" && !hasZone(s.root.Children, z.Value("TZID")) {
			s.root.Children = append([]*ics.Component{z}, s.root.Children...)
		}
	}
	out := Outcome{Object: s.object(), Changed: true, Scheduled: me.role(have) == attendee, Rule: "an instance added by the organizer"}
	if out.Scheduled {
		out.Inbox = msg.Body
	}
	return out, nil
}

// barred names what an ADD has and MUST NOT have (RFC 5546 §3.2.4); "": nothing.
func barred(c *ics.Component) string {
	for _, n := range []string{"RECURRENCE-ID", "RRULE", "RDATE", "EXDATE"} {
		if c.Prop(n) != nil {
			return n
		}
	}
	return ""
}

// overtaken reports whether a component of a REQUEST that seems older than what the
// user has of a series is later than all that he was told of it: an ADD came before
// it, which says nothing but its instance (RFC 5546 §3.2.4).
func overtaken(master, c *ics.Component) bool {
	_, rest, ok := strings.Cut(master.Value(propAdded), "/")
	stamp, _, _ := strings.Cut(rest, "/")
	n := wholeOf(master)
	return ok && (sequence(c) > n || sequence(c) == n && dtstamp(c) > stamp)
}

// askedFor stands behind what is remembered of an ADD once the whole was asked for.
const askedFor = "/asked"

// missing reports whether the whole of a series is to be asked for because of a
// component of a REQUEST that an ADD has overtaken.
func missing(master, c *ics.Component) bool {
	return overtaken(master, c) && !strings.HasSuffix(master.Value(propAdded), askedFor)
}

// wholeOf is the last revision of a series that its attendee was told all of,
// before ADDs raised it.
func wholeOf(master *ics.Component) int {
	seq, _, _ := strings.Cut(master.Value(propAdded), "/")
	n, _ := strconv.Atoi(seq)
	return n
}

const askedAfterAdd = ", yet an ADD came before it: asked for the whole"

// askedOnce is a copy that remembers that the whole was asked for: the answer to the
// REFRESH is that.
func askedOnce(o *ics.Object) *ics.Object {
	m := o.Master()
	if m == nil || m.Prop(propAdded) == nil || strings.HasSuffix(m.Value(propAdded), askedFor) {
		return o
	}
	root := o.Root().Clone()
	p := masterOf(root).Prop(propAdded)
	*p = p.WithValue(p.Value + askedFor)
	return ics.New(root)
}

func hasZone(comps []*ics.Component, tzid string) bool {
	for _, c := range comps {
		if c.Name == "VTIMEZONE" && c.Value("TZID") == tzid {
			return true
		}
	}
	return false
}

// added names the instance that an ADD adds: by its DTSTART, which must be
// written in the form of the series.
func added(have, in *ics.Object, c *ics.Component) (ics.RID, bool) {
	start := c.Prop("DTSTART")
	if start == nil || have.Master() == nil {
		return "", false
	}
	a, _ := span(in, c)
	b, _ := span(have, have.Master())
	if a.Form == 0 || (a.Form == ics.Date) != (b.Form == ics.Date) || (a.Form == ics.Floating) != (b.Form == ics.Floating) {
		return "", false
	}
	id := *start
	id.Name = "RECURRENCE-ID"
	root := &ics.Component{Name: "VCALENDAR"}
	for _, o := range []*ics.Object{in, have} {
		for _, z := range o.Root().Children {
			if z.Name == "VTIMEZONE" && !hasZone(root.Children, z.Value("TZID")) {
				root.Children = append(root.Children, z)
			}
		}
	}
	one := &ics.Component{Name: c.Name, Props: []ics.Prop{id}}
	root.Children = append(root.Children, have.Master(), one)
	r := ics.New(root).RID(one)
	return r, r != ""
}

// include puts an added instance into the series.
func (me Actor) include(s *series, r ics.RID, c *ics.Component, named bool) {
	top := s.master.comp
	one := me.merge(s, s.master, s, &part{comp: c, rid: r})
	if !s.obj.HasInstance(r) {
		top.Add(s.obj.DateProp("RDATE", r))
	}
	if q := top.Prop(propAdded); q != nil {
		*q = q.WithValue(strings.TrimSuffix(q.Value, askedFor)) // it may have overtaken more
	} else {
		top.Add(ics.NewProp(propAdded, strconv.Itoa(sequence(top))+"/"+dtstamp(top)))
	}
	for _, p := range s.parts { // what he has answered is not this revision
		if l := p.self(me); l != nil && ics.PartStat(l) != "NEEDS-ACTION" && !l.HasParam(paramAnswers) {
			*l = l.WithParam(paramAnswers, strconv.Itoa(max(sequence(p.comp), sequence(top)))+beforeAdd)
		}
	}
	top.Set(ics.NewProp("SEQUENCE", strconv.Itoa(sequence(c))))
	if v := c.Value("DTSTAMP"); v != "" {
		top.Set(ics.NewProp("DTSTAMP", v))
		top.Remove(propReceived)
	}
	if !named { // those of the series are invited to it
		for _, l := range ics.Attendees(top) {
			n := *l
			if ics.CalAddress(l) != ics.Organizer(top) {
				n = n.WithParam("PARTSTAT", "NEEDS-ACTION")
			}
			one.Add(n)
		}
	}
	one.Set(s.obj.DateProp("RECURRENCE-ID", r))
	kept := s.parts[:0:0]
	for _, p := range s.parts {
		if p.rid != r {
			kept = append(kept, p)
		}
	}
	if len(kept) != len(s.parts) {
		old := s.byRID[r].comp
		for i, ch := range s.root.Children {
			if ch == old {
				s.root.Children[i] = one
			}
		}
		return
	}
	s.graft(one)
}
