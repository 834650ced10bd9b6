package filter

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/scheduling/ics"
)

// maxExpanded bounds the octets that one object may grow to when expanded: a
// daily event with an attachment inside would otherwise fill the memory.
const maxExpanded = 32 << 20

func tooMany(detail string) error {
	return &dav.Error{Status: 403, Cond: dav.D("number-of-matches-within-limits"), Detail: detail}
}

// expand makes a component of every instance in r (RFC 4791 §9.6.5): without
// recurrence properties and time zones, with UTC times where they were zoned.
// changed is false if the object is so already.
func (m *matcher) expand(r Range) (root *ics.Component, changed bool, err error) {
	o := m.o
	root = &ics.Component{Name: o.Root().Name, Props: o.Root().Props}
	if o.Kind() == "VTODO" && !o.Recurs() {
		// One that does not recur may have no time at all, and is in r by its own table.
		for _, c := range o.Main() {
			if m.todo(r, c) {
				root.Children = append(root.Children, m.unzoned(c))
			}
		}
		return root, true, nil
	}
	var found []ics.Instance
	size, sizes := 0, map[*ics.Component]int{}
	failed := o.Instances(r.From, r.To, m.zone, m.bound, func(i ics.Instance) bool {
		n, ok := sizes[i.Component]
		if !ok {
			n = octets(i.Component)
			sizes[i.Component] = n
		}
		size += n
		found = append(found, i)
		return size <= maxExpanded
	})
	switch {
	case errors.Is(failed, ics.ErrTooMany):
		return nil, false, tooMany("an object has too many instances in the time that is to be expanded")
	case failed != nil:
		return o.Root(), false, nil // its times cannot be read: better as it is than not at all
	case size > maxExpanded:
		return nil, false, tooMany("an object is too large when expanded")
	case len(found) == 1 && len(o.Root().Children) == 1 && plain(found[0].Component):
		return o.Root(), false, nil
	}
	slices.SortStableFunc(found, func(a, b ics.Instance) int {
		if c := a.Start.Compare(b.Start); c != 0 {
			return c
		}
		return strings.Compare(string(a.RID), string(b.RID))
	})
	for _, i := range found {
		root.Children = append(root.Children, m.instance(i))
	}
	return root, true, nil
}

// plain reports whether a component is its own only instance, as expand would
// write it.
func plain(c *ics.Component) bool {
	for i := range c.Props {
		switch c.Props[i].Name {
		case "RRULE", "RDATE", "EXRULE", "EXDATE":
			return false
		}
	}
	return !zoned(c)
}

// zoned reports whether a component refers to a time zone.
func zoned(c *ics.Component) bool {
	for i := range c.Props {
		if c.Props[i].HasParam("TZID") {
			return true
		}
	}
	for _, ch := range c.Children {
		if zoned(ch) {
			return true
		}
	}
	return false
}

// octets estimates how long a component is on the wire.
func octets(c *ics.Component) int {
	n := 2*len(c.Name) + 16
	for i := range c.Props {
		p := &c.Props[i]
		n += len(p.Name) + len(p.Value) + 3
		for _, par := range p.Params {
			n += len(par.Name) + 2
			for _, v := range par.Values {
				n += len(v) + 3
			}
		}
	}
	for _, ch := range c.Children {
		n += octets(ch)
	}
	return n
}

// instance makes the component of one instance.
func (m *matcher) instance(i ics.Instance) *ics.Component {
	c := i.Component
	out := &ics.Component{Name: c.Name, Children: c.Children, Props: make([]ics.Prop, 0, len(c.Props)+1)}
	override := c.Prop("RECURRENCE-ID") != nil
	// An RDATE may give its instance a length of its own (RFC 5545 §3.8.5.2).
	ownLength := !override && slices.ContainsFunc(c.PropsNamed("RDATE"), func(p *ics.Prop) bool { return strings.Contains(p.Value, "/") })
	for k := range c.Props {
		p := &c.Props[k]
		switch p.Name {
		case "RRULE", "RDATE", "EXRULE", "EXDATE":
		case "DTSTART":
			out.Props = append(out.Props, m.at(p, i, i.Start))
			if i.RID != "" && !override && !m.initial(i) {
				out.Props = append(out.Props, recurrenceID(i.RID))
			}
		case "DURATION":
			if !ownLength {
				out.Props = append(out.Props, lasting(p, i))
			}
		case "DTEND", "DUE":
			ownLength = false // this line tells it
			out.Props = append(out.Props, m.at(p, i, i.End))
			if i.RID != "" && !override && c.Prop("DTSTART") == nil && !m.initial(i) { // a task that repeats by its DUE
				out.Props = append(out.Props, recurrenceID(i.RID))
			}
		case "RECURRENCE-ID":
			out.Props = append(out.Props, p.WithoutParams("TZID").WithValue(string(i.RID)))
		default:
			out.Props = append(out.Props, m.unzonedProp(p))
		}
	}
	if ownLength {
		out.Props = append(out.Props, m.at(&ics.Prop{Name: "DTEND"}, i, i.End))
	}
	if slices.ContainsFunc(c.Children, zoned) {
		out.Children = nil
		for _, ch := range c.Children {
			out.Children = append(out.Children, m.unzoned(ch))
		}
	}
	return out
}

// initial reports whether an instance of the master is the one that it
// describes itself, which needs no RECURRENCE-ID (§9.6.5).
func (m *matcher) initial(i ics.Instance) bool {
	at, _, ok := m.when(i.Component, "DTSTART")
	if !ok {
		at, _, ok = m.when(i.Component, "DUE")
	}
	return ok && at.Equal(i.Start)
}

// lasting returns the DURATION of an instance. A day of it is as long as the
// clock of its zone makes it (RFC 5545 §3.3.6), after a time in UTC 24 hours.
func lasting(p *ics.Prop, i ics.Instance) ics.Prop {
	if i.AllDay || i.Floating || !i.Start.Before(i.End) {
		return *p
	}
	exact := i.End.Sub(i.Start)
	if d, err := ics.Duration(p.Value); err != nil || d == exact {
		return *p
	}
	return p.WithValue(ics.Exactly(exact))
}

func recurrenceID(r ics.RID) ics.Prop {
	if len(r) == len("20060102") {
		return ics.NewProp("RECURRENCE-ID", string(r), ics.Param{Name: "VALUE", Values: []string{"DATE"}})
	}
	return ics.NewProp("RECURRENCE-ID", string(r))
}

// at writes t as the value of p in the form that the instance has: days and
// floating times stay what they are (§9.6.5 speaks of those with a zone).
func (m *matcher) at(p *ics.Prop, i ics.Instance, t time.Time) ics.Prop {
	switch {
	case i.AllDay:
		return p.WithoutParams("TZID").WithValue(t.In(m.zone).Format("20060102"))
	case i.Floating:
		return p.WithoutParams("TZID").WithValue(t.In(m.zone).Format("20060102T150405"))
	}
	return p.WithoutParams("TZID").WithValue(t.UTC().Format(utcForm))
}

// unzoned returns c with every zoned time in UTC, itself if it has none.
func (m *matcher) unzoned(c *ics.Component) *ics.Component {
	if !zoned(c) {
		return c
	}
	out := &ics.Component{Name: c.Name}
	for k := range c.Props {
		out.Props = append(out.Props, m.unzonedProp(&c.Props[k]))
	}
	for _, ch := range c.Children {
		out.Children = append(out.Children, m.unzoned(ch))
	}
	return out
}

func (m *matcher) unzonedProp(p *ics.Prop) ics.Prop {
	if !p.HasParam("TZID") {
		return *p
	}
	q := p.WithoutParams("TZID")
	if t, err := m.o.PropTime(p); err == nil && t.Form == ics.Zoned {
		q = q.WithValue(t.At(m.zone).UTC().Format(utcForm))
	}
	return q
}
