package filter

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/scheduling/ics"
)

// The refusals that RFC 4791 §7.8 names.
func invalid(format string, args ...any) error {
	return &dav.Error{Status: 403, Cond: dav.C("valid-filter"), Detail: fmt.Sprintf(format, args...)}
}

func unsupported(format string, args ...any) error {
	return &dav.Error{Status: 403, Cond: dav.C("supported-filter"), Detail: fmt.Sprintf(format, args...)}
}

// Parse reads a CALDAV:filter element (RFC 4791 §9.7). The error is a
// *dav.Error of valid-filter, supported-filter or supported-collation.
func Parse(e *dav.Element) (*Filter, error) {
	if e == nil || e.Name != dav.C("filter") {
		return nil, invalid("there is no filter")
	}
	var root *dav.Element
	for _, c := range e.Children() {
		if c.Name != dav.C("comp-filter") {
			continue
		}
		if root != nil { // <!ELEMENT filter (comp-filter)>
			return nil, invalid("the filter has more than one comp-filter")
		}
		root = c
	}
	if root == nil {
		return nil, invalid("the filter has no comp-filter")
	}
	var p parts
	c, err := p.comp(root, "", 1)
	if err != nil {
		return nil, err
	}
	// RFC 4791 §9.7.1: the scope of the outer comp-filter is the calendar object.
	if c.Name != "VCALENDAR" {
		return nil, invalid("the outer comp-filter is for %s, not for VCALENDAR", c.Name)
	}
	return New(c), nil
}

type parts struct{ seen int }

// name reads the name attribute of a filter part and counts the part.
func (p *parts) name(e *dav.Element) (string, error) {
	if p.seen++; p.seen > maxParts {
		return "", unsupported("the filter has more than %d parts", maxParts)
	}
	n := strings.ToUpper(strings.TrimSpace(e.Attr("name")))
	switch {
	case n == "":
		return "", invalid("a %s has no name", e.Name.Local)
	case len(n) > maxName:
		return "", unsupported("a name of %d octets", len(n))
	}
	return n, nil
}

// inside tells in which component the known ones stand (RFC 5545 §3.6): RFC
// 4791 §7.8 calls a filter that nests them otherwise invalid.
var inside = map[string]string{
	"VEVENT": "VCALENDAR", "VTODO": "VCALENDAR", "VJOURNAL": "VCALENDAR", "VFREEBUSY": "VCALENDAR",
	"VTIMEZONE": "VCALENDAR", "VAVAILABILITY": "VCALENDAR", "VCALENDAR": "",
	"STANDARD": "VTIMEZONE", "DAYLIGHT": "VTIMEZONE", "AVAILABLE": "VAVAILABILITY",
}

// ranged are the components for which §9.9 says what a time-range means, and
// RFC 7953 §7.2.3.
var ranged = map[string]bool{"VAVAILABILITY": true, "VEVENT": true, "VTODO": true, "VJOURNAL": true, "VFREEBUSY": true, "VALARM": true}

// rangedProps are the properties for which it does.
var rangedProps = map[string]bool{"COMPLETED": true, "CREATED": true, "DTEND": true, "DTSTAMP": true, "DTSTART": true, "DUE": true, "LAST-MODIFIED": true}

func (p *parts) comp(e *dav.Element, scope string, depth int) (Comp, error) {
	if depth > maxDepth {
		return Comp{}, unsupported("comp-filters are nested deeper than %d", maxDepth)
	}
	name, err := p.name(e)
	if err != nil {
		return Comp{}, err
	}
	if in, known := inside[name]; known && in != scope && scope != AnyName || name == "VALARM" && scope != "VEVENT" && scope != "VTODO" && scope != AnyName {
		return Comp{}, invalid("%s cannot stand in %s", name, orTop(scope))
	}
	c := Comp{Name: name}
	if c.Any, err = anyOf(e); err != nil {
		return c, err
	}
	rest := false
	for _, ch := range e.Children() {
		switch ch.Name {
		case dav.C("is-not-defined"):
			c.NotDefined = true
			continue
		case dav.C("time-range"):
			if c.Range != nil {
				return c, invalid("%s has two time-ranges", name)
			}
			if !ranged[name] && name != AnyName {
				return c, invalid("a time-range has no meaning for %s", name)
			}
			if c.Range, err = parseRange(ch, false); err != nil {
				return c, err
			}
		case dav.C("prop-filter"):
			q, err := p.prop(ch)
			if err != nil {
				return c, err
			}
			c.Props = append(c.Props, q)
		case dav.C("comp-filter"):
			sub, err := p.comp(ch, name, depth+1)
			if err != nil {
				return c, err
			}
			c.Comps = append(c.Comps, sub)
		default:
			if ch.Name.Space == dav.CalDAV {
				return c, unsupported("%s in a comp-filter", ch.Name.Local)
			}
			continue // RFC 4918 §17: elements of others are ignored
		}
		rest = true
	}
	if c.NotDefined && rest {
		return c, invalid("is-not-defined of %s stands beside other conditions", name)
	}
	return c, nil
}

func orTop(scope string) string {
	if scope == "" {
		return "the filter"
	}
	return scope
}

func (p *parts) prop(e *dav.Element) (Prop, error) {
	name, err := p.name(e)
	if err != nil {
		return Prop{}, err
	}
	q := Prop{Name: name}
	if q.Any, err = anyOf(e); err != nil {
		return q, err
	}
	rest := false
	for _, ch := range e.Children() {
		switch ch.Name {
		case dav.C("is-not-defined"):
			q.NotDefined = true
			continue
		case dav.C("time-range"):
			if q.Range != nil {
				return q, invalid("%s has two time-ranges", name)
			}
			if !rangedProps[name] {
				return q, invalid("a time-range has no meaning for %s", name)
			}
			if q.Range, err = parseRange(ch, false); err != nil {
				return q, err
			}
		case dav.C("text-match"):
			if q.Text != nil {
				return q, invalid("%s has two text-matches", name)
			}
			if q.Text, err = parseText(ch); err != nil {
				return q, err
			}
		case dav.C("param-filter"):
			pn, err := p.name(ch)
			if err != nil {
				return q, err
			}
			par := Param{Name: pn}
			for _, x := range ch.Children() {
				switch {
				case x.Name == dav.C("is-not-defined"):
					par.NotDefined = true
				case x.Name == dav.C("text-match") && par.Text == nil:
					if par.Text, err = parseText(x); err != nil {
						return q, err
					}
				case x.Name.Space == dav.CalDAV:
					return q, invalid("%s in the param-filter of %s", x.Name.Local, pn)
				}
			}
			if par.NotDefined && par.Text != nil {
				return q, invalid("is-not-defined of %s stands beside other conditions", pn)
			}
			q.Params = append(q.Params, par)
		default:
			if ch.Name.Space == dav.CalDAV {
				return q, unsupported("%s in a prop-filter", ch.Name.Local)
			}
			continue
		}
		rest = true
	}
	switch {
	case q.NotDefined && rest:
		return q, invalid("is-not-defined of %s stands beside other conditions", name)
	case q.Range != nil && q.Text != nil:
		return q, invalid("%s has a time-range and a text-match", name)
	}
	return q, nil
}

// anyOf reads the test attribute, which RFC 4791 does not know: there all
// conditions have to hold.
func anyOf(e *dav.Element) (bool, error) {
	switch e.Attr("test") {
	case "anyof":
		return true, nil
	case "", "allof":
		return false, nil
	}
	return false, invalid("test is neither anyof nor allof")
}

func parseText(e *dav.Element) (*Text, error) {
	t := &Text{Value: e.Text()}
	if len(t.Value) > maxText {
		return nil, unsupported("a text-match of more than %d octets", maxText)
	}
	var ok bool
	if t.Collation, ok = dav.CollationByName(e.Attr("collation"), dav.ASCIICasemap); !ok {
		return nil, &dav.Error{Status: 403, Cond: dav.C("supported-collation"), Detail: "the collation is not known"}
	}
	if t.Type, ok = dav.MatchTypeByName(e.Attr("match-type")); !ok {
		return nil, invalid("there is no match-type of this name")
	}
	switch e.Attr("negate-condition") {
	case "yes":
		t.Negate = true
	case "", "no":
	default:
		return nil, invalid("negate-condition is neither yes nor no")
	}
	return t, nil
}

// parseRange reads the start and end of a time-range, expand,
// limit-recurrence-set or limit-freebusy-set; both asks for both.
func parseRange(e *dav.Element, both bool) (*Range, error) {
	var r Range
	for _, side := range []struct {
		attr string
		to   *time.Time
	}{{"start", &r.From}, {"end", &r.To}} {
		if !e.HasAttr(side.attr) {
			if both {
				return nil, invalid("%s has no %s", e.Name.Local, side.attr)
			}
			continue
		}
		t, err := utc(e.Attr(side.attr))
		if err != nil {
			return nil, invalid("the %s of %s is no date with UTC time", side.attr, e.Name.Local)
		}
		if t.Year() < 1 { // RFC 4791 §7.8: before min-date-time; max-date-time is the last that can be written
			return nil, &dav.Error{Status: 403, Cond: dav.C("min-date-time"), Detail: "there is nothing before the year 1"}
		}
		*side.to = t
	}
	switch {
	case r.From.IsZero() && r.To.IsZero():
		return nil, invalid("%s has neither start nor end", e.Name.Local)
	case !r.From.IsZero() && !r.To.IsZero() && !r.From.Before(r.To): // RFC 4791 §9.9
		return nil, invalid("the end of %s is not after its start", e.Name.Local)
	}
	return &r, nil
}

const utcForm = "20060102T150405Z"

// utc reads a "date with UTC time" (RFC 5545 §3.3.5, form #2).
func utc(s string) (time.Time, error) {
	t, err := time.Parse(utcForm, s)
	if err == nil && len(s) != len(utcForm) { // time.Parse takes fractions of a second
		return t, strconv.ErrSyntax
	}
	if err == nil && t.IsZero() {
		t = t.Add(time.Second) // 00010101T000000Z is a time and not an open side
	}
	return t, err
}

// Zone reads a CALDAV:timezone element (RFC 4791 §9.8) or the value of
// calendar-timezone: an iCalendar object with exactly one VTIMEZONE. It
// returns nil where that names no zone that we know; the caller then keeps to
// the zone of the calendar. The error is a *dav.Error of
// valid-calendar-data.
func Zone(text string) (*time.Location, error) {
	bad := func(format string, args ...any) error {
		return &dav.Error{Status: 403, Cond: dav.C("valid-calendar-data"), Detail: "timezone: " + fmt.Sprintf(format, args...)}
	}
	o, err := ics.Parse([]byte(strings.TrimSpace(text)), ics.Limits{Bytes: 256 << 10, Components: 2000})
	if err != nil {
		return nil, bad("%v", err)
	}
	zones := o.Root().Children
	if len(zones) != 1 || zones[0].Name != "VTIMEZONE" || len(zones[0].Children) == 0 || zones[0].Value("TZID") == "" {
		return nil, bad("it is not exactly one VTIMEZONE with a TZID and its rules")
	}
	if loc := ics.Location(zones[0].Text("TZID")); loc != nil {
		return loc, nil
	}
	if loc := ics.Location(zones[0].Text("X-LIC-LOCATION")); loc != nil {
		return loc, nil
	}
	return nil, nil
}
