package filter

import (
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// Match reports whether an object passes the filter. zone is where floating
// times and days stand: CALDAV:timezone of the request or else that of the
// calendar (RFC 4791 §7.3). Recurrences are followed as far as b goes; a
// series that passes it matches: one object too many is better than a meeting
// that is not shown. A component whose times cannot be read matches no
// time-range.
func (f *Filter) Match(o *ics.Object, zone *time.Location, b ics.Bound) bool {
	if zone == nil {
		zone = time.UTC
	}
	m := matcher{o: o, zone: zone, bound: b}
	return m.comps(&f.root, nil, []*ics.Component{o.Root()})
}

type matcher struct {
	o     *ics.Object
	zone  *time.Location
	bound ics.Bound
}

// comps applies a comp-filter to a scope: the components next to each other in
// owner (nil: the object itself).
func (m *matcher) comps(f *Comp, owner *ics.Component, scope []*ics.Component) bool {
	if f.Name == AnyName {
		return m.everyName(f, owner, scope)
	}
	var found, there []*ics.Component
	for _, c := range scope {
		if c.Name != f.Name {
			continue
		}
		if f.NotDefined {
			return false
		}
		there = append(there, c)
		if m.inner(f, c) {
			found = append(found, c)
		}
	}
	switch {
	case f.NotDefined: // RFC 4791 §9.7.4
		return true
	case f.Any && f.Range != nil:
		return len(found) > 0 || len(there) > 0 && m.anyInRange(*f.Range, owner, there)
	case len(found) == 0:
		return false
	case f.Range == nil:
		return true
	}
	return m.anyInRange(*f.Range, owner, found)
}

// everyName applies a comp-filter for components of any name to those of each.
func (m *matcher) everyName(f *Comp, owner *ics.Component, scope []*ics.Component) bool {
	seen := map[string]bool{"VTIMEZONE": true} // which says nothing by itself
	for _, c := range scope {
		if seen[c.Name] {
			continue
		}
		seen[c.Name] = true
		if f.NotDefined {
			return false
		}
		one := *f
		one.Name = c.Name
		if m.comps(&one, owner, scope) {
			return true
		}
	}
	return f.NotDefined
}

// inner checks the prop-filters and nested comp-filters on one component
// (§9.7.1): all of them, or any. Its time-range comes last, because it costs
// most.
func (m *matcher) inner(f *Comp, c *ics.Component) bool {
	for i := range f.Props {
		if m.prop(&f.Props[i], c) == f.Any {
			return f.Any
		}
	}
	for i := range f.Comps {
		if m.comps(&f.Comps[i], c, c.Children) == f.Any {
			return f.Any
		}
	}
	return !f.Any || len(f.Props)+len(f.Comps) == 0 && f.Range == nil
}

// prop applies a prop-filter: some one property of that name meets all of it
// (§9.7.2), also where the text-match is negated.
func (m *matcher) prop(f *Prop, c *ics.Component) bool {
	seen := false
	for i := range c.Props {
		p := &c.Props[i]
		if p.Name != f.Name {
			continue
		}
		if f.NotDefined {
			return false
		}
		seen = true
		if m.value(f, p) {
			return true
		}
	}
	if f.NotDefined {
		return true
	}
	// §9.9: where DTEND or DUE is not there, the effective one is tested.
	return !seen && f.Range != nil && len(f.Params) == 0 && m.effectiveEnd(f, c)
}

// value checks the conditions on one property: all of them, or any.
func (m *matcher) value(f *Prop, p *ics.Prop) bool {
	holds := true
	switch {
	case f.Text != nil:
		holds = f.Text.Match(p.Text())
	case f.Range != nil:
		t, err := m.o.PropTime(p)
		holds = err == nil && f.Range.holds(t.At(m.zone))
	case f.Any && len(f.Params) > 0:
		holds = false
	}
	if holds == f.Any {
		return holds
	}
	for i := range f.Params {
		if param(&f.Params[i], p) == f.Any {
			return f.Any
		}
	}
	return !f.Any
}

// param applies a param-filter (§9.7.3). A parameter with several values
// matches a text if one of them does, and its negation if none does.
func param(f *Param, p *ics.Prop) bool {
	if !p.HasParam(f.Name) {
		return f.NotDefined
	}
	if f.NotDefined {
		return false
	}
	if f.Text == nil {
		return true
	}
	for _, v := range p.ParamValues(f.Name) {
		if f.Text.contains(v) {
			return !f.Text.Negate
		}
	}
	return f.Text.Negate
}

// Match reports whether a value meets the text-match (§9.7.5).
func (t *Text) Match(value string) bool { return t.contains(value) != t.Negate }

func (t *Text) contains(value string) bool {
	return t.Type.Found(t.Collation.Fold(value), t.folded)
}
