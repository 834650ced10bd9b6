// Package ics is one iCalendar object (RFC 5545): its bytes as they came, the
// parsed view beside them, its instances in any time zone, and the time that
// it makes busy.
//
// Bytes are what counts: an Object that nobody edits is stored and served as
// it was sent. An edit works on a clone of the parsed tree; New makes an
// Object of it in which every property that was not touched keeps its line.
//
// Everything a stranger can send is bounded: Parse by Limits, the expansion of
// recurrences by Bound. Nothing here asks the clock or knows where an object
// is stored.
package ics

import (
	"errors"
	"fmt"

	"github.com/convene-server/convene/scheduling/ics/scale"
)

// Limits bound what Parse accepts. The zero value of a field means the value
// that Defaults gives it.
type Limits struct {
	Bytes      int // of the whole object
	Depth      int // of nested components; VCALENDAR is 1
	Components int // in all
	Properties int // in all
	Line       int // octets of one unfolded content line
	Params     int // of one property
}

// Defaults are the limits in force where the caller sets none. They hold a
// series with thousands of overrides and inline attachments.
var Defaults = Limits{
	Bytes:      10 << 20,
	Depth:      8,
	Components: 20_000,
	Properties: 400_000,
	Line:       9 << 20,
	Params:     64,
}

func (l Limits) orDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Bytes, Defaults.Bytes)
	def(&l.Depth, Defaults.Depth)
	def(&l.Components, Defaults.Components)
	def(&l.Properties, Defaults.Properties)
	def(&l.Line, Defaults.Line)
	def(&l.Params, Defaults.Params)
	return l
}

// SyntaxError says where an object stops being iCalendar, and why. Its text is
// meant for the person whose program wrote the object.
type SyntaxError struct {
	Line   int // counted from 1, in lines as sent (before unfolding); 0: the object as a whole
	Reason string
}

// restriction is a SyntaxError of iCalendar that is valid as such, and no
// calendar object resource.
type restriction struct{ *SyntaxError }

func (e restriction) Unwrap() error { return e.SyntaxError }

// Restricted reports whether an error of Check is about what a calendar object
// resource may hold (RFC 4791 §4.1), and not about iCalendar itself.
func Restricted(err error) bool {
	var r restriction
	return errors.As(err, &r)
}

// scaleFault is the SyntaxError of a recurrence in a calendar that is not known.
type scaleFault struct{ *SyntaxError }

func (e scaleFault) Unwrap() error { return e.SyntaxError }

// OtherScale reports whether an error of Check is about a recurrence in a
// calendar, or in years of a calendar, that are not known (RFC 7529 §10): it is
// never expanded rather than wrongly.
func OtherScale(err error) bool {
	var f scaleFault
	return errors.As(err, &f)
}

// Scales returns the names of the calendars that recurrences may be counted in
// (RFC 7529 §10.1).
func Scales() []string {
	out := make([]string, len(scale.All))
	for i, c := range scale.All {
		out[i] = c.Name
	}
	return out
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return "iCalendar: " + e.Reason
	}
	return fmt.Sprintf("iCalendar line %d: %s", e.Line, e.Reason)
}

// TooLargeError says which of the Limits an object passes.
type TooLargeError struct {
	What  string
	Limit int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("iCalendar: more than %d %s", e.Limit, e.What)
}
