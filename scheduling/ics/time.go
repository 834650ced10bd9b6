package ics

import "time"

// Form says how a point in time is written (RFC 5545 §3.3.4, §3.3.5).
type Form uint8

const (
	Date     Form = iota + 1 // a day: 20260101
	Floating                 // the same wall clock everywhere: 20260101T120000
	UTC                      // 20260101T120000Z
	Zoned                    // a wall clock in the zone TZID
)

// Time is a DATE or DATE-TIME as written. Wall holds its calendar fields in
// time.UTC whatever the form; At gives the instant.
type Time struct {
	Wall time.Time
	Form Form
	TZID string // as written; only for Zoned

	zone *Zone
}

// At returns the instant in UTC. Floating times and days follow the zone
// floating, which must not be nil.
func (t Time) At(floating *time.Location) time.Time { panic("ics: not built yet") }

// Zone maps wall clocks to instants: an IANA zone, or the rules of an embedded
// VTIMEZONE (RFC 5545 §3.6.5).
type Zone struct{}

// zoneTable finds an object's zones by TZID: IANA name first, then Windows
// names, then the embedded rules.
type zoneTable struct{}

// PropTime reads the value of DTSTART, DTEND, DUE, RECURRENCE-ID, ... with its
// VALUE and TZID. The error is a *SyntaxError.
func (o *Object) PropTime(p *Prop) (Time, error) { panic("ics: not built yet") }

// Zones returns the TZIDs that components of the object refer to.
func (o *Object) Zones() []string { panic("ics: not built yet") }

// Location returns the IANA zone of a name as programs write it: IANA names,
// also behind a prefix ("/mozilla.org/20050126_1/Europe/Berlin"), Windows names
// ("W. Europe Standard Time"). nil if there is none.
func Location(tzid string) *time.Location { panic("ics: not built yet") }

// Timezone makes a VTIMEZONE for an IANA zone that is right from the given
// instant on (RFC 5545 §3.6.5).
func Timezone(loc *time.Location, from time.Time) *Component { panic("ics: not built yet") }

// RID names one instance of a series in a form in which equal instances are
// equal strings: "" is the master; "20260101" a day; "20260101T120000"
// floating; "20260101T120000Z" an instant in UTC, whatever zone the program
// wrote it in.
type RID string

// RID returns which instance a component is, "" for the master or a
// RECURRENCE-ID that cannot be read (Check refuses those).
func (o *Object) RID(c *Component) RID { panic("ics: not built yet") }

// Override returns the component with that RECURRENCE-ID, nil without one.
func (o *Object) Override(r RID) *Component { panic("ics: not built yet") }

// Occurrence returns the component that describes an instance: its override if
// there is one, else a copy of the master moved there (RRULE, RDATE, EXDATE,
// EXRULE gone, RECURRENCE-ID in the form of DTSTART, DTSTART and DTEND or DUE
// set). It is nil if the series has no such instance.
func (o *Object) Occurrence(r RID) *Component { panic("ics: not built yet") }

// EachInstance tells whether r is an instance of the recurrence set of the
// master, EXDATE applied, overrides not looked at.
func (o *Object) HasInstance(r RID) bool { panic("ics: not built yet") }

// DateProp makes a property (EXDATE, RECURRENCE-ID, ...) that names instance r
// in the form of the master's DTSTART (value type and TZID).
func (o *Object) DateProp(name string, r RID) Prop { panic("ics: not built yet") }
