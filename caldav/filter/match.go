package filter

import (
	"strings"
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
	var found []*ics.Component
	for _, c := range scope {
		if c.Name != f.Name {
			continue
		}
		if f.NotDefined {
			return false
		}
		if m.inner(f, c) {
			found = append(found, c)
		}
	}
	switch {
	case f.NotDefined: // RFC 4791 §9.7.4
		return true
	case len(found) == 0:
		return false
	case f.Range == nil:
		return true
	}
	return m.anyInRange(*f.Range, owner, found)
}

// inner checks the prop-filters and nested comp-filters: all of them, on one
// component (§9.7.1). Its time-range comes last, because it costs most.
func (m *matcher) inner(f *Comp, c *ics.Component) bool {
	for i := range f.Props {
		if !m.prop(&f.Props[i], c) {
			return false
		}
	}
	for i := range f.Comps {
		if !m.comps(&f.Comps[i], c, c.Children) {
			return false
		}
	}
	return true
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
		if m.value(f, c, p) {
			return true
		}
	}
	if f.NotDefined {
		return true
	}
	// §9.9: where DTEND or DUE is not there, the effective one is tested.
	return !seen && f.Range != nil && len(f.Params) == 0 && m.effectiveEnd(f, c)
}

func (m *matcher) value(f *Prop, c *ics.Component, p *ics.Prop) bool {
	switch {
	case f.Text != nil:
		if !f.Text.Match(p.Text()) {
			return false
		}
	case f.Range != nil:
		t, err := m.o.PropTime(p)
		if err != nil || !f.Range.holds(t.At(m.zone)) {
			return false
		}
	}
	for i := range f.Params {
		if !param(&f.Params[i], p) {
			return false
		}
	}
	return true
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
	return strings.Contains(t.Collation.Fold(value), t.folded)
}
