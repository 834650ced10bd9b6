package ics

import (
	"errors"
	"time"
)

// Bound limits the work of an expansion; the zero value means DefaultBound.
type Bound struct {
	Instances int // returned
	Steps     int // candidates looked at, across the whole series
}

// DefaultBound holds a daily series of a century and an hourly one of years.
var DefaultBound = Bound{Instances: 100_000, Steps: 2_000_000}

// ErrTooMany is returned when an expansion passes its Bound.
var ErrTooMany = errors.New("ics: the recurrence has too many instances")

// Instance is one occurrence of an object in time.
type Instance struct {
	RID        RID        // "" for the only instance of an object without recurrence
	Start, End time.Time  // UTC; End is never before Start; End is exclusive
	Component  *Component // the override, or the master
	AllDay     bool       // DATE values
	Floating   bool       // follows the zone of the calendar (floating and all-day times)
}

// Instances calls yield for every instance that overlaps [from, to) by the
// rules of RFC 4791 §9.9 for VEVENT (an instance without length counts if
// from <= start < to), in no particular order, until yield returns false. A
// zero from or to leaves that side open; an endless series with an open end
// ends with ErrTooMany. Overrides replace the instance that they name and
// count where they stand; detached instances without a master are instances.
func (o *Object) Instances(from, to time.Time, floating *time.Location, b Bound, yield func(Instance) bool) error {
	panic("ics: not built yet")
}

// Last returns the end of the last instance, and false if the series is
// endless or longer than the bound.
func (o *Object) Last(floating *time.Location, b Bound) (time.Time, bool) {
	panic("ics: not built yet")
}

// Recurs reports whether the object can have more than one instance: RRULE,
// RDATE, or more than one component.
func (o *Object) Recurs() bool { panic("ics: not built yet") }

// Check says whether the object may be stored as a calendar object resource
// (RFC 4791 §4.1): one kind of component, one UID, no METHOD, at most one
// master, one DTSTART that can be read, no instance named twice, recurrence
// rules that can be read. The error is a *SyntaxError with the line's reason.
func (o *Object) Check() error { panic("ics: not built yet") }
