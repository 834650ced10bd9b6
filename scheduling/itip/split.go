package itip

import (
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Parting is a series in two: what was before an instance, under a new UID, and
// what comes from it on, under the old one (caldav-recursplit §3).
type Parting struct {
	Before, From *ics.Object // nil: nothing of it is left on that side
	At           ics.RID     // the first instance of From
	Messages     []Message   // to the attendees
}

// related is the RELTYPE by which the two parts of a series know each other
// (caldav-recursplit §3).
const related = "X-CALENDARSERVER-RECURRENCE-SET"

// Preconditions of caldav-recursplit §3. "CS:" is http://calendarserver.org/ns/.
const (
	ValidRID     = "C:valid-rid-parameter"
	InvalidSplit = "CS:invalid-split"
)

// Split parts an organizer's series, or one that nobody else is in, at the
// first instance at or after the time that rid names, in the form that
// caldav-recursplit §3 wants. Answers stay as they are; the attendees get both
// parts. set names the two parts as belonging together. The error is a
// *Refusal.
func Split(me Actor, o *ics.Object, rid, uid, set string) (Parting, error) {
	no := func(why string) (Parting, error) {
		return Parting{}, &Refusal{Precondition: InvalidSplit, Detail: why}
	}
	r, ok := splitPoint(o, rid)
	switch {
	case !ok:
		return Parting{}, &Refusal{Precondition: ValidRID, Detail: "rid must be a DATE or a DATE-TIME, in UTC unless the event's times are floating"}
	case o.Master() == nil || o.Master().Prop("RRULE") == nil && o.Master().Prop("RDATE") == nil:
		return no("the event does not recur")
	case me.role(o) == attendee:
		return no("only the organizer can split a series")
	}
	at, any, err := me.instanceAt(o, r)
	if err != nil {
		return no("the event recurs too often to be split")
	}
	if at == "" || !any {
		return no("rid is not between the first and the last instance")
	}
	out, err := me.divide(o, at, uid, set)
	if err != nil {
		return no(err.Error())
	}
	if out.Before == nil || out.From == nil {
		return no("nothing would be left on one side")
	}
	if me.role(o) != organizer {
		return out, nil
	}
	out.From = me.parted(o, out.From)
	if m := out.From.Master(); m != nil { // of a tree of its own
		m.Set(cut{Revision(out.From), ridOf(o, mustStart(o)), at, uid}.prop())
	}
	if m := out.Before.Master(); m != nil {
		m.Set(ics.NewProp(propApart, utc(me.Now)))
	}
	if !muted(newSeries(o, o.Root())) && !me.past(o) {
		out.Messages = me.lost(o, at, Revision(out.From))
	}
	for _, half := range []*ics.Object{out.From, out.Before} {
		s := newSeries(half, half.Root())
		if muted(s) || me.past(half) {
			continue
		}
		v := me.fromNothing(s)
		ms := v.messages(v.plans())
		for i := range ms {
			ms[i].Significant = false
		}
		out.Messages = append(out.Messages, ms...)
	}
	return out, nil
}

// parted raises SEQUENCE where a series lost its beginning (RFC 5546 §2.1.4);
// answers to what is left count as before.
func (me Actor) parted(was, o *ics.Object) *ics.Object {
	root := o.Root().Clone()
	next := strconv.Itoa(Revision(was) + 1)
	for _, c := range root.Children {
		if !schedules(c.Name) {
			continue
		}
		me.keepCounting(c, sequence(c))
		c.Set(ics.NewProp("SEQUENCE", next))
		for i := range c.Props {
			if l := &c.Props[i]; l.Name == "ATTENDEE" && !me.Self(ics.CalAddress(l)) && ics.PartStat(l) == "NEEDS-ACTION" { // so he is told
				*l = l.WithParam(paramAsked, next)
			}
		}
	}
	return ics.New(root)
}

// lost takes the occurrences before an instance from those who had single ones:
// no REQUEST of what is left tells them that these have another UID now (RFC 5546
// §3.2.5).
func (me Actor) lost(o *ics.Object, at ics.RID, revision int) []Message {
	s := newSeries(o, o.Root())
	comps := map[cuaddr.Address][]*ics.Component{}
	for _, p := range s.parts {
		if p.rid == "" || p.rid >= at {
			continue
		}
		for _, a := range p.guests() {
			if l := p.attendee(a); !me.Self(a) && s.listed(p, a) && agent(l) == byServer && find(s.master, a) == nil {
				comps[a] = append(comps[a], me.cancelComponent(p.comp, revision, []ics.Prop{*l}, false))
			}
		}
	}
	return cancelEach(o, comps, false)
}

// Follow divides the open proposals about a series that was parted: gone are those
// about occurrences that are in the earlier part now, fresh the same with its UID.
func (p Parting) Follow(open []Proposal) (gone, fresh []Proposal) {
	if p.Before == nil || p.From == nil {
		return nil, nil
	}
	from, before := newSeries(p.From, p.From.Root()), newSeries(p.Before, p.Before.Root())
	for _, q := range open {
		if describe(from, q.RID) != nil || describe(before, q.RID) == nil {
			continue
		}
		gone = append(gone, q)
		q.ID, q.Body = 0, LeftApart(q.Body, p.Before.UID())
		fresh = append(fresh, q)
	}
	return gone, fresh
}

// SplitCopy parts an attendee's copy as the organizer's series was parted, at the
// instance at; sequence is that of the organizer's later part.
func SplitCopy(me Actor, o *ics.Object, at ics.RID, uid, set string, seq int) (Parting, error) {
	out, err := me.divide(o, at, uid, set)
	if err != nil || out.From == nil {
		return out, err
	}
	root := out.From.Root().Clone()
	for _, c := range root.Children {
		if schedules(c.Name) {
			setSequence(c, max(seq, sequence(c)))
		}
	}
	out.From = ics.New(root)
	return out, nil
}

// Revision is the highest SEQUENCE in an object.
func Revision(o *ics.Object) int {
	n := 0
	for _, c := range o.Main() {
		n = max(n, sequence(c))
	}
	return n
}

// Underway reports whether a series has begun, and returns the first
// instance to come, in the form that Split takes; "" if there is none.
func Underway(me Actor, o *ics.Object) (next ics.RID, begun bool) {
	m := o.Master()
	if m == nil || !o.Recurs() {
		return "", false
	}
	t, _ := span(o, m)
	now := me.Now.UTC()
	switch t.Form {
	case ics.Date: // today has begun
		now = me.Now.In(me.floating()).AddDate(0, 0, 1)
	case ics.Floating:
		now = me.Now.In(me.floating())
	case ics.Zoned:
		t.Form = ics.UTC
	}
	next, begun, err := me.instanceAt(o, ics.RID(written(now, t.Form)))
	if err != nil {
		return "", false
	}
	return next, begun
}

// splitPoint reads the rid parameter in the form of the event's DTSTART.
func splitPoint(o *ics.Object, rid string) (ics.RID, bool) {
	form := ics.Form(0)
	if c := o.First(); c != nil {
		t, _ := span(o, c)
		form = t.Form
	}
	p := ics.NewProp("RECURRENCE-ID", rid)
	t, err := o.PropTime(&p)
	want := form
	if form == ics.Zoned {
		want = ics.UTC
	}
	if err != nil || form == 0 || t.Form != want {
		return "", false
	}
	return ics.RID(written(t.Wall, want)), true
}

// instanceAt returns the first instance of a series at or after a point, "" if
// there is none, and whether any is before it.
func (me Actor) instanceAt(o *ics.Object, r ics.RID) (at ics.RID, earlier bool, err error) {
	see := func(id ics.RID) {
		if id < r {
			earlier = true
		} else if at == "" || id < at {
			at = id
		}
	}
	for _, c := range o.Overrides() {
		if id := o.RID(c); o.HasInstance(id) {
			see(id)
		}
	}
	p := ics.NewProp("DTSTART", string(r))
	t, err := o.PropTime(&p)
	if err != nil {
		return "", false, err
	}
	mid := t.At(me.floating())
	scan := func(from, to time.Time, stop func() bool) error {
		return o.Instances(from, to, me.floating(), me.Bound, func(i ics.Instance) bool {
			if i.Component == o.Master() {
				see(i.RID)
			}
			return stop == nil || !stop()
		})
	}
	day := 24 * time.Hour
	if err := scan(time.Time{}, mid.Add(day), func() bool { return earlier }); err != nil {
		return "", false, err
	}
	for _, ahead := range []time.Duration{60 * day, 3 * 366 * day, 110 * 366 * day} {
		if err := scan(mid.Add(-day), mid.Add(ahead), nil); err != nil {
			return "", false, err
		}
		if at != "" {
			break
		}
	}
	return at, earlier, nil
}

// divide parts an object at an instance, without any scheduling. Alarms,
// transparency, answers and everything else stay on both sides.
func (me Actor) divide(o *ics.Object, at ics.RID, uid, set string) (Parting, error) {
	before, err := me.earlier(o, at)
	if err != nil {
		return Parting{}, err
	}
	from, err := me.later(o, at)
	if err != nil {
		return Parting{}, err
	}
	if before != nil {
		before = marked(before, uid, set)
	}
	if from != nil {
		from = marked(from, "", set)
	}
	return Parting{Before: before, From: from, At: at}, nil
}

// marked gives the components the new UID, if any, and the RELATED-TO that
// holds the parts of a series together.
func marked(o *ics.Object, uid, set string) *ics.Object {
	root := o.Root().Clone()
	for _, c := range root.Children {
		if c.Name == "VTIMEZONE" {
			continue
		}
		if uid != "" {
			c.Set(ics.NewProp("UID", ics.Escape(uid)))
		}
		known := false
		for _, p := range c.PropsNamed("RELATED-TO") {
			known = known || strings.EqualFold(p.Param("RELTYPE"), related)
		}
		if !known {
			c.Add(ics.NewProp("RELATED-TO", set, ics.Param{Name: "RELTYPE", Values: []string{related}}))
		}
	}
	return ics.New(root)
}

// earlier is what an object has before an instance; nil if nothing.
func (me Actor) earlier(o *ics.Object, at ics.RID) (*ics.Object, error) {
	root := half(o, func(r ics.RID) bool { return r < at })
	m := masterOf(root)
	if m == nil {
		return left(root), nil
	}
	end := o.DateProp("RECURRENCE-ID", at)
	t, err := o.PropTime(&end)
	if err != nil {
		return nil, err
	}
	until := ""
	switch t.Form {
	case ics.Date:
		until = written(t.Wall.AddDate(0, 0, -1), ics.Date)
	case ics.Floating:
		until = written(t.Wall.Add(-time.Second), ics.Floating)
	default: // RFC 5545 §3.3.10: UTC
		until = written(t.At(time.UTC).Add(-time.Second), ics.UTC)
	}
	for _, rule := range m.PropsNamed("RRULE") {
		n, more, err := me.countBefore(o, *rule, at)
		if err != nil {
			return nil, err
		}
		if !more && n > 0 {
			continue // it has ended by itself
		}
		*rule = rule.WithValue(ruleWith(rule.Value, "UNTIL", until))
	}
	if start, _ := span(o, o.Master()); start.Form != 0 {
		if first := ridOf(o, start); first >= at {
			return nil, nil
		}
	}
	return left(root), nil
}

// later is what an object has from an instance on; nil if nothing.
func (me Actor) later(o *ics.Object, at ics.RID) (*ics.Object, error) {
	root := half(o, func(r ics.RID) bool { return r >= at })
	m := masterOf(root)
	if m == nil {
		return left(root), nil
	}
	var kept []ics.Prop
	start := ics.RID("")
	for _, rule := range m.PropsNamed("RRULE") {
		n, more, err := me.countBefore(o, *rule, at)
		if err != nil {
			return nil, err
		}
		if !more {
			continue // it makes nothing from here on
		}
		first, _, err := me.instanceAt(bareSeries(o, *rule), at)
		if err != nil {
			return nil, err
		}
		if first != "" && (start == "" || first < start) {
			start = first
		}
		v := rule.Value
		if c := ruleParts(v)["COUNT"]; c != "" {
			total, _ := strconv.Atoi(c)
			v = ruleWith(v, "COUNT", strconv.Itoa(max(total-n, 1)))
		}
		kept = append(kept, rule.WithValue(v))
	}
	m.Remove("RRULE")
	for _, p := range kept {
		m.Add(p)
	}
	if start == "" {
		for r := range datesOf(o, m, "RDATE") {
			if start == "" || r < start {
				start = r
			}
		}
	}
	if start == "" { // single overrides are all that is left
		for i, c := range root.Children {
			if c == m {
				root.Children = append(root.Children[:i:i], root.Children[i+1:]...)
				break
			}
		}
		return left(root), nil
	}
	old := o.DateProp("DTSTART", ridOf(o, mustStart(o)))
	now := o.DateProp("DTSTART", start)
	a, err := o.PropTime(&old)
	if err != nil {
		return nil, err
	}
	b, err := o.PropTime(&now)
	if err != nil {
		return nil, err
	}
	for _, n := range []string{"DTSTART", "DTEND", "DUE"} {
		p := m.Prop(n)
		if p == nil {
			continue
		}
		t, err := o.PropTime(p)
		if err != nil {
			return nil, err
		}
		diff := b.Wall.Sub(a.Wall)
		if t.Form != a.Form || t.TZID != a.TZID { // an end in another zone: at the same distance
			diff = b.At(me.floating()).Sub(a.At(me.floating()))
		}
		m.Set(p.WithValue(written(t.Wall.Add(diff), t.Form)))
	}
	return left(root), nil
}

func mustStart(o *ics.Object) ics.Time {
	t, _ := span(o, o.Master())
	return t
}

// ridOf names the instance at a time.
func ridOf(o *ics.Object, t ics.Time) ics.RID {
	p := ics.NewProp("RECURRENCE-ID", written(t.Wall, t.Form))
	switch t.Form {
	case ics.Date:
		p = p.WithParam("VALUE", "DATE")
	case ics.Zoned:
		p = p.WithParam("TZID", t.TZID)
	}
	return o.RID(&ics.Component{Name: o.Kind(), Props: []ics.Prop{p}})
}

// half is a clone of an object's tree with the overrides, RDATEs and EXDATEs
// that keep is true for.
func half(o *ics.Object, keep func(ics.RID) bool) *ics.Component {
	root := &ics.Component{Name: "VCALENDAR", Props: o.Root().Props}
	for _, c := range o.Root().Children {
		if c.Name != "VTIMEZONE" && c.Prop("RECURRENCE-ID") != nil && !keep(o.RID(c)) {
			continue
		}
		n := c.Clone()
		if c == o.Master() {
			keepDates(o, n, keep)
		}
		root.Children = append(root.Children, n)
	}
	return root
}

// keepDates drops single values of RDATE and EXDATE.
func keepDates(o *ics.Object, c *ics.Component, keep func(ics.RID) bool) {
	var props []ics.Prop
	for _, p := range c.Props {
		if p.Name != "RDATE" && p.Name != "EXDATE" {
			props = append(props, p)
			continue
		}
		var values []string
		for v := range strings.SplitSeq(p.Value, ",") {
			one := &ics.Component{Name: c.Name, Props: []ics.Prop{p.WithValue(v)}}
			for r := range datesOf(o, one, p.Name) {
				if keep(r) {
					values = append(values, strings.TrimSpace(v))
				}
			}
		}
		switch {
		case len(values) == 0:
		case strings.Join(values, ",") == p.Value:
			props = append(props, p)
		default:
			props = append(props, p.WithValue(strings.Join(values, ",")))
		}
	}
	c.Props = props
}

func masterOf(root *ics.Component) *ics.Component {
	for _, c := range root.Children {
		if c.Name != "VTIMEZONE" && c.Prop("RECURRENCE-ID") == nil {
			return c
		}
	}
	return nil
}

// left is the object of a tree, nil if no event is in it.
func left(root *ics.Component) *ics.Object {
	for _, c := range root.Children {
		if c.Name != "VTIMEZONE" {
			return ics.New(root)
		}
	}
	return nil
}
