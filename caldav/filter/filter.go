// Package filter is RFC 4791 §9.7 and §9.6 as functions over calendar
// objects: which ones a calendar-query means, and which parts of them, with
// recurrences expanded, a client wants to see.
//
// A Filter says by its Plan what the index of the database can decide, so that
// a query for a week loads only the objects of that week. What a request may
// ask is bounded before anything is matched, and one object that cannot be
// read never spoils the answer about the others.
package filter

import (
	"time"

	"github.com/convene-server/convene/caldav/dav"
)

// Bounds of one request; a filter that passes them violates
// CALDAV:supported-filter.
const (
	maxDepth = 8       // of nested comp-filters
	maxParts = 256     // comp-, prop- and param-filters in all
	maxText  = 4 << 10 // octets of one text-match
	maxName  = 128     // octets of a component's, property's or parameter's name
)

// Filter is a valid CALDAV:filter. It is read-only and safe for concurrent use.
type Filter struct {
	root Comp
}

// Comp is a CALDAV:comp-filter (RFC 4791 §9.7.1). Any, AnyName and the Match of
// a Text are what calendar-query-extended adds (draft-daboo-caldav-extensions
// §3).
type Comp struct {
	Name       string // upper case; AnyName means every component
	Any        bool   // one of the conditions is enough
	NotDefined bool   // then nothing else is set
	Range      *Range
	Props      []Prop
	Comps      []Comp
}

// Prop is a CALDAV:prop-filter (§9.7.2). Of Range and Text at most one is set.
type Prop struct {
	Name       string // upper case
	Any        bool   // one of the conditions is enough
	NotDefined bool
	Range      *Range
	Text       *Text
	Params     []Param
}

// Param is a CALDAV:param-filter (§9.7.3).
type Param struct {
	Name       string // upper case
	NotDefined bool
	Text       *Text
}

// AnyName is the name of a comp-filter that any component fits.
const AnyName = "*"

// Text is a CALDAV:text-match (§9.7.5): a substring, unless Type says otherwise.
type Text struct {
	Value     string
	Type      dav.MatchType
	Collation dav.Collation
	Negate    bool

	folded string // Value as Collation folds it
}

// Range is a CALDAV:time-range (§9.9): From <= time < To. A zero time leaves
// its side open; never both are.
type Range struct {
	From, To time.Time
}

// New makes a Filter of a tree made by hand; root is the comp-filter of
// VCALENDAR. It must obey the rules that Parse checks.
func New(root Comp) *Filter {
	fold(&root)
	return &Filter{root}
}

func fold(c *Comp) {
	for i := range c.Props {
		foldText(c.Props[i].Text)
		for j := range c.Props[i].Params {
			foldText(c.Props[i].Params[j].Text)
		}
	}
	for i := range c.Comps {
		fold(&c.Comps[i])
	}
}

func foldText(t *Text) {
	if t != nil {
		t.folded = t.Collation.Fold(t.Value)
	}
}
