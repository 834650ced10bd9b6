package itip

import (
	"slices"

	"github.com/convene-server/convene/scheduling/ics"
)

// X- properties that any attendee may set for everybody, and parameters of that
// name on his own line, go to the organizer
// with an answer, and from him to the others. Which ones they are is the
// configuration's to say: RFC 5546 §3.2.3 lets a REPLY have any.

// shares are the shared properties of a component that differ from what it was;
// an empty one stands for one that is gone.
func (me Actor) shares(was, is *ics.Component) []ics.Prop {
	var out []ics.Prop
	for _, name := range me.SharedX {
		if slices.Equal(valuesOf(was, name), valuesOf(is, name)) {
			continue
		}
		now := is.PropsNamed(name)
		for _, p := range now {
			out = append(out, *p)
		}
		if len(now) == 0 {
			out = append(out, ics.NewProp(name, ""))
		}
	}
	return out
}

// says reports whether two of an attendee's own lines differ in a shared
// parameter.
func (me Actor) says(was, is *ics.Prop) bool {
	return slices.ContainsFunc(me.SharedX, func(name string) bool { return !slices.Equal(was.ParamValues(name), is.ParamValues(name)) })
}

// share notes what an answer says of shared properties; true if it changed
// something.
func (r *replying) share(c, p *part, l, m *ics.Prop) bool {
	changed := false
	if r.me.says(m, l) {
		for _, name := range r.me.SharedX {
			if v := l.ParamValues(name); len(v) > 0 {
				*m = m.WithParam(name, v...)
			} else {
				*m = m.WithoutParams(name)
			}
		}
		changed = true
	}
	for _, name := range r.me.SharedX {
		said := c.comp.PropsNamed(name)
		if len(said) == 0 || slices.Equal(valuesOf(c.comp, name), valuesOf(p.comp, name)) {
			continue
		}
		p.comp.Remove(name)
		for _, q := range said {
			if trim(q.Value) != "" {
				p.comp.Add(*q)
			}
		}
		changed = true
	}
	return changed
}

// SameShared reports whether two states of one object have the same shared
// properties.
func SameShared(a, b *ics.Object, shared []string) bool {
	if len(shared) == 0 {
		return true
	}
	was := newSeries(a, a.Root())
	for _, p := range newSeries(b, b.Root()).parts {
		old := was.at(p.rid)
		for _, name := range shared {
			if old == nil || !slices.Equal(valuesOf(old.comp, name), valuesOf(p.comp, name)) {
				return false
			}
		}
	}
	return true
}
