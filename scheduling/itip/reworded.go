package itip

import (
	"slices"
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
)

// What a program wrote in other words than the organizer's, and yet means the
// same: times in a zone of its own, rules and lists in another order.

// rezoned reports whether the program wrote the same time in another zone than
// the organizer's, which would go its own way at the next change of the clocks.
// The zone's definition comes back with the time.
func (m *mend) rezoned(p *part, base *ics.Component) bool {
	changed := false
	for _, n := range []string{"DTSTART", "DTEND", "DUE"} {
		a, b := base.Prop(n), p.comp.Prop(n)
		if a == nil || b == nil || a.Param("TZID") == b.Param("TZID") {
			continue
		}
		changed = true
		m.zone(a.Param("TZID"))
	}
	return changed
}

// zone puts the definition of a time zone into the object, if the copy had one
// and the program sent none.
func (m *mend) zone(id string) {
	find := func(root *ics.Component) *ics.Component {
		for _, c := range root.Children {
			if c.Name == "VTIMEZONE" && c.Value("TZID") == id {
				return c
			}
		}
		return nil
	}
	if z := find(m.was.obj.Root()); z != nil && find(m.is.root) == nil {
		m.is.root.Children = slices.Insert(m.is.root.Children, 0, z)
		m.is.dirty = true
	}
}

// names returns the names of the properties of two components, once each.
func names(a, b *ics.Component) []string {
	seen := map[string]bool{}
	var out []string
	for _, c := range []*ics.Component{a, b} {
		for i := range c.Props {
			if n := c.Props[i].Name; !seen[n] {
				seen[n] = true
				out = append(out, n)
			}
		}
	}
	return out
}

func valuesOf(c *ics.Component, name string) []string {
	var out []string
	for i := range c.Props {
		if p := &c.Props[i]; p.Name == name {
			if v := strings.Join(strings.Fields(p.Text()), " "); v != "" {
				out = append(out, v)
			}
		}
	}
	slices.Sort(out)
	return out
}

func sameRule(a, b string) bool {
	ra, rb := rule(a), rule(b)
	if len(ra) != len(rb) {
		return false
	}
	for k, v := range ra {
		if rb[k] != v {
			return false
		}
	}
	return true
}

// sameLines reports whether the lines are the same ones in whatever order.
func sameLines(have []*ics.Prop, want []ics.Prop) bool {
	if len(have) != len(want) {
		return false
	}
	used := make([]bool, len(want))
	for i, h := range have {
		found := false
		for k := range want {
			j := (i + k) % len(want) // usually they are in order
			if !used[j] && h.Equal(&want[j]) {
				used[j], found = true, true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}
