package itip

import (
	"errors"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// maxRange bounds into how many single instances one RANGE=THISANDFUTURE is
// written out, maxRangeOctets how long they are all together.
const (
	maxRange       = 400
	maxRangeOctets = 4 << 20
)

var (
	errEndless = errors.New("of a series that has no end, or very many instances")
	errUnknown = errors.New("of an occurrence that is not known")
	errForm    = errors.New("with a time in another form than the series")
)

// rangeRule says why nothing came of a RANGE.
func rangeRule(why error) string { return "RANGE=THISANDFUTURE " + why.Error() }

// unrange rewrites an object in which a RECURRENCE-ID speaks of an instance and
// all later ones (RFC 5545 §3.2.13) into one that names each of them: no
// program shows a RANGE, and no calendar object can hold it and be shown
// rightly. As RFC 5545 §3.8.4.4 has it, all are moved by the same difference,
// and instances with a component of their own are left alone.
func (me Actor) unrange(have *ics.Object, body *ics.Object) (*ics.Object, error) {
	base := body
	if base.Master() == nil {
		if base = have; base == nil || base.Master() == nil {
			return nil, errUnknown
		}
	}
	root := &ics.Component{Name: "VCALENDAR", Props: body.Root().Props}
	own := map[ics.RID]bool{}
	for _, o := range []*ics.Object{body, base} {
		for _, c := range o.Overrides() {
			own[base.RID(c)] = true
		}
	}
	var later []*ics.Component
	for _, c := range body.Root().Children {
		id := c.Prop("RECURRENCE-ID")
		if id == nil || !id.HasParam("RANGE") {
			root.Children = append(root.Children, c)
			continue
		}
		r := base.RID(c)
		if r == "" || !base.HasInstance(r) && base.Override(r) == nil {
			return nil, errUnknown
		}
		all, err := me.instancesFrom(base, r)
		if err != nil {
			return nil, err
		}
		if weight(c)*len(all) > maxRangeOctets {
			return nil, errEndless
		}
		first := c.Clone()
		first.Set(base.DateProp("RECURRENCE-ID", r))
		root.Children = append(root.Children, first)
		for _, n := range all {
			if n == r || own[n] {
				continue
			}
			moved, err := shift(body, base, c, r, n)
			if err != nil {
				return nil, err
			}
			later = append(later, moved)
		}
	}
	root.Children = append(root.Children, later...)
	return ics.New(root), nil
}

// weight is about how many octets a component has.
func weight(c *ics.Component) int {
	n := 32
	for i := range c.Props {
		n += len(c.Props[i].Name) + len(c.Props[i].Value) + 32
		for _, p := range c.Props[i].Params {
			for _, v := range p.Values {
				n += len(p.Name) + len(v) + 2
			}
		}
	}
	for _, child := range c.Children {
		n += weight(child)
	}
	return n
}

// Unranged is an object that somebody writes with what it says of an instance
// and all later ones written out. Of a series without an end that cannot be
// done: then the error is a *Refusal, or, where nothing is refused because it is
// imported, the object stays as it is.
func (me Actor) Unranged(o *ics.Object, imported bool) (*ics.Object, error) {
	if !Ranged(o) {
		return o, nil
	}
	out, err := me.unrange(nil, o)
	switch {
	case err == nil:
		return out, nil
	case imported:
		return o, nil
	}
	return nil, &Refusal{Precondition: SupportedData, Detail: rangeRule(err) + ": end the series and begin a new one"}
}

// instancesFrom lists the instances of a series from one on, in order.
func (me Actor) instancesFrom(o *ics.Object, r ics.RID) ([]ics.RID, error) {
	if _, ok := o.Last(me.floating(), me.Bound); !ok {
		return nil, errEndless
	}
	var out []ics.RID
	seen := map[ics.RID]bool{}
	err := o.Instances(time.Time{}, time.Time{}, me.floating(), me.Bound, func(i ics.Instance) bool {
		if i.RID >= r && !seen[i.RID] {
			seen[i.RID] = true
			out = append(out, i.RID)
		}
		return len(out) <= maxRange
	})
	if err != nil || len(out) > maxRange {
		return nil, errEndless
	}
	return sorted(out), nil
}

// shift is a component for instance r as one for instance n of the same
// series.
func shift(body, base *ics.Object, c *ics.Component, r, n ics.RID) (*ics.Component, error) {
	out := c.Clone()
	from, to := base.DateProp("RECURRENCE-ID", r), base.DateProp("RECURRENCE-ID", n)
	a, err := base.PropTime(&from)
	if err != nil {
		return nil, errUnknown
	}
	b, err := base.PropTime(&to)
	if err != nil {
		return nil, errUnknown
	}
	for _, name := range []string{"DTSTART", "DTEND", "DUE"} {
		p := out.Prop(name)
		if p == nil {
			continue
		}
		t, err := body.PropTime(p)
		if err != nil || t.Form != a.Form || t.Form == ics.Zoned && t.TZID != a.TZID {
			return nil, errForm // it would drift when clocks change
		}
		out.Set(p.WithValue(written(t.Wall.Add(b.Wall.Sub(a.Wall)), t.Form)))
	}
	out.Set(to)
	return out, nil
}

// written is a wall clock in a form of RFC 5545 §3.3.4 and §3.3.5.
func written(t time.Time, f ics.Form) string {
	switch f {
	case ics.Date:
		return t.Format("20060102")
	case ics.UTC:
		return t.Format("20060102T150405Z")
	}
	return t.Format("20060102T150405")
}

// cannot answers a message with what is not understood here, as a RANGE that
// cannot be written out (3.14, RFC 5546 §3.6.27) or a recurrence in an unknown
// calendar (3.1, RFC 7529 §7): a REQUEST by a REPLY, a COUNTER by a
// DECLINECOUNTER, both with that REQUEST-STATUS. Nothing is changed.
func (me Actor) cannot(have *ics.Object, msg Message, code, rule string) Outcome {
	status := ics.NewProp("REQUEST-STATUS", code)
	none := ignored("%s", rule)
	in := newSeries(msg.Body, msg.Body.Root())
	if len(in.parts) == 0 {
		return none
	}
	var ms []Message
	switch msg.Method {
	case Request:
		if org, _ := organizerOf(msg.Body); org.IsZero() || me.Self(org) {
			return none
		}
		var said []answer
		for _, p := range in.parts {
			l := p.self(me)
			if l == nil {
				continue
			}
			now := "NEEDS-ACTION"
			if have != nil {
				if was := newSeries(have, have.Root()).at(have.RID(p.comp)); was != nil && was.self(me) != nil {
					now = ics.PartStat(was.self(me))
				}
			}
			c := p.comp.Clone()
			if id := c.Prop("RECURRENCE-ID"); id != nil {
				c.Set(id.WithoutParams("RANGE"))
			}
			said = append(said, answer{comp: c, mine: *l, partstat: now, extra: []ics.Prop{status}})
		}
		ms = me.reply(msg.Body, said)
	case Counter:
		if have == nil || me.role(have) != organizer {
			return none
		}
		s := newSeries(have, have.Root())
		for _, p := range in.parts {
			ms = append(ms, me.declineCounter(s, Proposal{Attendee: msg.From, RID: have.RID(p.comp), Body: msg.Body}, "", status)...)
		}
	}
	if len(ms) == 0 {
		return none
	}
	number, _, _ := strings.Cut(code, ";")
	return Outcome{Messages: ms, Scheduled: true, KeepTag: true, Rule: "refused with " + number + ": " + rule}
}
