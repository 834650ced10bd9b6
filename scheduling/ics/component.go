package ics

import (
	"slices"
	"strings"
)

// Param is one parameter of a property; its values are decoded (quotes
// removed, RFC 6868 carets resolved).
type Param struct {
	Name   string // upper case
	Values []string
}

// Prop is one property. Value is as on the wire: unfolded and still escaped;
// Text decodes it where its type is TEXT. A Prop is a value: With... return a
// changed copy and never touch the original, so trees may share them.
type Prop struct {
	Name   string // upper case
	Params []Param
	Value  string

	raw []byte // the content line as it came, folds included, without its last line end; nil once edited
}

// NewProp makes a property from a name and a value that is already escaped.
func NewProp(name, value string, params ...Param) Prop {
	return Prop{Name: strings.ToUpper(name), Value: value, Params: params}
}

// Param returns the first value of a parameter, "" if it is not there.
func (p *Prop) Param(name string) string {
	for i := range p.Params {
		if p.Params[i].Name == name && len(p.Params[i].Values) > 0 {
			return p.Params[i].Values[0]
		}
	}
	return ""
}

// ParamValues returns all values of a parameter.
func (p *Prop) ParamValues(name string) []string {
	for i := range p.Params {
		if p.Params[i].Name == name {
			return p.Params[i].Values
		}
	}
	return nil
}

// HasParam reports whether the parameter is there, with whatever value.
func (p *Prop) HasParam(name string) bool {
	for i := range p.Params {
		if p.Params[i].Name == name {
			return true
		}
	}
	return false
}

// WithValue returns the property with another value, escaped by the caller.
func (p Prop) WithValue(v string) Prop {
	p.Value, p.raw = v, nil
	return p
}

// WithParam returns the property with a parameter set; it keeps its place if
// it was there and comes last if not.
func (p Prop) WithParam(name string, values ...string) Prop {
	params := make([]Param, 0, len(p.Params)+1)
	done := false
	for _, old := range p.Params {
		if old.Name != name {
			params = append(params, old)
		} else if !done {
			params, done = append(params, Param{name, values}), true
		}
	}
	if !done {
		params = append(params, Param{name, values})
	}
	p.Params, p.raw = params, nil
	return p
}

// WithoutParams returns the property without the named parameters; a property
// that has none of them keeps its line.
func (p Prop) WithoutParams(names ...string) Prop {
	return p.WithoutParamsFunc(func(name string) bool { return slices.Contains(names, name) })
}

// WithoutParamsFunc returns the property without the parameters whose names gone
// is true of; a property that has none of them keeps its line.
func (p Prop) WithoutParamsFunc(gone func(name string) bool) Prop {
	of := func(q Param) bool { return gone(q.Name) }
	if slices.ContainsFunc(p.Params, of) {
		p.Params, p.raw = slices.DeleteFunc(slices.Clone(p.Params), of), nil
	}
	return p
}

// Equal reports whether two properties say the same: name, value and every
// parameter in any order. How their lines are folded does not count.
func (p *Prop) Equal(q *Prop) bool {
	if p.Name != q.Name || p.Value != q.Value || len(p.Params) != len(q.Params) {
		return false
	}
	for i := range p.Params {
		a, b := p.Params[i].Values, q.ParamValues(p.Params[i].Name)
		if len(a) != len(b) {
			return false
		}
		for j := range a {
			if a[j] != b[j] {
				return false
			}
		}
	}
	return true
}

// Text returns the value of a TEXT property unescaped (RFC 5545 §3.3.11).
// Escapes that the RFC does not know stay as they are, as in "C:\temp".
func (p *Prop) Text() string { return Unescape(p.Value) }

// Escape makes a TEXT value of s (RFC 5545 §3.3.11). Line ends of any kind
// become \n; other control characters are dropped, so that no text from a
// stranger can begin a new content line.
func Escape(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == '\\' || r == ';' || r == ',' || r < 0x20 || r == 0x7f }) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i, r := range s {
		switch {
		case r == '\\' || r == ';' || r == ',':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\r' && i+1 < len(s) && s[i+1] == '\n':
		case r == '\n' || r == '\r':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteByte('\t')
		case r < 0x20 || r == 0x7f:
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Unescape is the reverse of Escape.
func Unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		switch s[i+1] {
		case 'n', 'N':
			b.WriteByte('\n')
			i++
		case '\\', ';', ',', ':', '"':
			b.WriteByte(s[i+1])
			i++
		default:
			b.WriteByte('\\')
		}
	}
	return b.String()
}

// Component is one component with its properties and sub-components in the
// order in which they came. The tree of an Object is read-only: Clone first.
type Component struct {
	Name     string // upper case
	Props    []Prop
	Children []*Component
}

// Prop returns the first property of that name, or nil.
func (c *Component) Prop(name string) *Prop {
	for i := range c.Props {
		if c.Props[i].Name == name {
			return &c.Props[i]
		}
	}
	return nil
}

// PropsNamed returns all properties of that name.
func (c *Component) PropsNamed(name string) []*Prop {
	var out []*Prop
	for i := range c.Props {
		if c.Props[i].Name == name {
			out = append(out, &c.Props[i])
		}
	}
	return out
}

// Value returns the raw value of the first property of that name, or "".
func (c *Component) Value(name string) string {
	if p := c.Prop(name); p != nil {
		return p.Value
	}
	return ""
}

// Text returns the unescaped value of the first property of that name, or "".
func (c *Component) Text(name string) string {
	if p := c.Prop(name); p != nil {
		return p.Text()
	}
	return ""
}

// Set puts p in the place of the first property of its name and removes the
// others; without one, p comes last.
func (c *Component) Set(p Prop) {
	out, done := make([]Prop, 0, len(c.Props)+1), false
	for _, old := range c.Props {
		if old.Name != p.Name {
			out = append(out, old)
		} else if !done {
			out, done = append(out, p), true
		}
	}
	if !done {
		out = append(out, p)
	}
	c.Props = out
}

// Add puts p last.
func (c *Component) Add(p Prop) { c.Props = append(c.Props[:len(c.Props):len(c.Props)], p) }

// Remove takes away every property of these names.
func (c *Component) Remove(names ...string) {
	c.RemoveFunc(func(p *Prop) bool {
		for _, n := range names {
			if p.Name == n {
				return true
			}
		}
		return false
	})
}

// RemoveFunc takes away the properties for which f is true.
func (c *Component) RemoveFunc(f func(*Prop) bool) {
	out := make([]Prop, 0, len(c.Props)) // never in place: trees share their properties
	for i := range c.Props {
		if !f(&c.Props[i]) {
			out = append(out, c.Props[i])
		}
	}
	c.Props = out
}

// Clone returns a copy of the whole tree that may be edited.
func (c *Component) Clone() *Component {
	d := &Component{Name: c.Name, Props: append([]Prop(nil), c.Props...)}
	for _, ch := range c.Children {
		d.Children = append(d.Children, ch.Clone())
	}
	return d
}
