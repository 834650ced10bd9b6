package carddav

import (
	"fmt"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
)

// Bounds of one request; a filter that passes them violates
// CARDDAV:supported-filter.
const (
	maxParts = 256     // prop-filters, param-filters and text-matches in all
	maxText  = 4 << 10 // octets of one text-match
	maxName  = 128     // octets of a property's or parameter's name
)

// Filter is a valid CARDDAV:filter (RFC 6352 §10.5). Without conditions it
// means every card. It is read-only and safe for concurrent use.
type Filter struct {
	All   bool // allof; else anyof
	Props []PropFilter
}

// PropFilter is a CARDDAV:prop-filter (§10.5.1).
type PropFilter struct {
	Group      string // upper case; "" whatever group
	Name       string // upper case
	All        bool   // allof; else anyof
	NotDefined bool   // with conditions, which the grammar does not have: or it is not defined
	Texts      []TextMatch
	Params     []ParamFilter
}

// ParamFilter is a CARDDAV:param-filter (§10.5.2).
type ParamFilter struct {
	Name       string // upper case
	NotDefined bool
	Text       *TextMatch
}

// TextMatch is a CARDDAV:text-match (§10.5.4).
type TextMatch struct {
	Type      dav.MatchType
	Collation dav.Collation
	Negate    bool
	folded    string
}

func unsupported(format string, args ...any) error {
	return &dav.Error{Status: 403, Cond: dav.CR("supported-filter"), Detail: fmt.Sprintf(format, args...)}
}

// malformed is a filter against the grammar, for which RFC 6352 has no name.
func malformed(format string, args ...any) error {
	return &dav.Error{Status: 400, Detail: fmt.Sprintf(format, args...)}
}

// ParseFilter reads a CARDDAV:filter element; nil, none at all, means every
// card. The error is a *dav.Error.
func ParseFilter(e *dav.Element) (*Filter, error) {
	f := &Filter{}
	if e == nil {
		return f, nil
	}
	var err error
	if f.All, err = allOf(e); err != nil {
		return nil, err
	}
	var p parts
	for _, ch := range e.Children() {
		switch {
		case ch.Name == dav.CR("prop-filter"):
			q, err := p.prop(ch)
			if err != nil {
				return nil, err
			}
			f.Props = append(f.Props, q)
		case ch.Name.Space == dav.CardDAV:
			return nil, unsupported("%s in a filter", ch.Name.Local)
		}
	}
	return f, nil
}

func allOf(e *dav.Element) (bool, error) {
	switch e.Attr("test") {
	case "allof":
		return true, nil
	case "", "anyof":
		return false, nil
	}
	return false, malformed("the test of a %s is neither anyof nor allof", e.Name.Local)
}

type parts struct{ seen int }

func (p *parts) count() error {
	if p.seen++; p.seen > maxParts {
		return unsupported("the filter has more than %d parts", maxParts)
	}
	return nil
}

func (p *parts) name(e *dav.Element) (string, error) {
	if err := p.count(); err != nil {
		return "", err
	}
	n := strings.ToUpper(strings.TrimSpace(e.Attr("name")))
	switch {
	case n == "":
		return "", malformed("a %s has no name", e.Name.Local)
	case len(n) > maxName:
		return "", unsupported("a name of %d octets", len(n))
	}
	return n, nil
}

// group splits "X-ABC.TEL" (RFC 6352 §10.5.1).
func group(name string) (string, string) {
	if g, n, ok := strings.Cut(name, "."); ok {
		return g, n
	}
	return "", name
}

func (p *parts) prop(e *dav.Element) (PropFilter, error) {
	name, err := p.name(e)
	if err != nil {
		return PropFilter{}, err
	}
	var q PropFilter
	q.Group, q.Name = group(name)
	if q.All, err = allOf(e); err != nil {
		return q, err
	}
	for _, ch := range e.Children() {
		switch ch.Name {
		case dav.CR("is-not-defined"):
			q.NotDefined = true
		case dav.CR("text-match"):
			t, err := p.text(ch)
			if err != nil {
				return q, err
			}
			q.Texts = append(q.Texts, *t)
		case dav.CR("param-filter"):
			par, err := p.param(ch)
			if err != nil {
				return q, err
			}
			q.Params = append(q.Params, par)
		default:
			if ch.Name.Space == dav.CardDAV {
				return q, unsupported("%s in a prop-filter", ch.Name.Local)
			}
		}
	}
	if q.NotDefined && q.All && (len(q.Texts) > 0 || len(q.Params) > 0) {
		return q, malformed("is-not-defined of %s stands beside other conditions", name)
	}
	return q, nil
}

func (p *parts) param(e *dav.Element) (ParamFilter, error) {
	name, err := p.name(e)
	if err != nil {
		return ParamFilter{}, err
	}
	q := ParamFilter{Name: name}
	for _, ch := range e.Children() {
		switch {
		case ch.Name == dav.CR("is-not-defined"):
			q.NotDefined = true
		case ch.Name == dav.CR("text-match") && q.Text == nil:
			if q.Text, err = p.text(ch); err != nil {
				return q, err
			}
		case ch.Name.Space == dav.CardDAV:
			return q, malformed("%s in the param-filter of %s", ch.Name.Local, name)
		}
	}
	if q.NotDefined && q.Text != nil {
		return q, malformed("is-not-defined of %s stands beside other conditions", name)
	}
	return q, nil
}

func (p *parts) text(e *dav.Element) (*TextMatch, error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	value := e.Text()
	if len(value) > maxText {
		return nil, unsupported("a text-match of more than %d octets", maxText)
	}
	var t TextMatch
	var ok bool
	// RFC 6352 §8.3: i;unicode-casemap where nothing is said.
	if t.Collation, ok = dav.CollationByName(e.Attr("collation"), dav.UnicodeCasemap); !ok {
		return nil, &dav.Error{Status: 403, Cond: dav.CR("supported-collation"), Detail: "the collation is not known"}
	}
	if t.Type, ok = dav.MatchTypeByName(e.Attr("match-type")); !ok {
		return nil, malformed("the match-type is not known")
	}
	switch e.Attr("negate-condition") {
	case "yes":
		t.Negate = true
	case "", "no":
	default:
		return nil, malformed("negate-condition is neither yes nor no")
	}
	t.folded = t.Collation.Fold(value)
	return &t, nil
}
