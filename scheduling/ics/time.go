package ics

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

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
	// TZID as written, for Zoned. A time with a TZID of which nobody knows the
	// rules is Floating and keeps its TZID.
	TZID string

	zone *Zone
}

// At returns the instant in UTC. Floating times and days follow the zone
// floating, which must not be nil.
func (t Time) At(floating *time.Location) time.Time {
	z := t.fixed()
	if z == nil {
		z = zoneOf(floating)
	}
	return unix(z.instant(t.Wall.Unix()))
}

// fixed returns the zone of a time, nil for one that follows the calendar's.
func (t Time) fixed() *Zone {
	switch t.Form {
	case UTC:
		return utcZone
	case Zoned:
		if t.zone == nil {
			return namedZone(t.TZID)
		}
		return t.zone
	}
	return nil
}

func unix(sec int64) time.Time { return time.Unix(sec, 0).UTC() }

// PropTime reads the value of DTSTART, DTEND, DUE, RECURRENCE-ID, ... with its
// VALUE and TZID. The error is a *SyntaxError.
func (o *Object) PropTime(p *Prop) (Time, error) {
	t, err := o.timeValue(p, p.Value)
	if err != nil {
		return Time{}, o.fault(p, err)
	}
	return t, nil
}

// timeValue reads one value of a property that may have a list.
func (o *Object) timeValue(p *Prop, v string) (Time, error) {
	t, err := parseTime(v)
	if err != nil {
		return Time{}, err
	}
	// The shape of the value decides: some programs leave VALUE=DATE away, and
	// some write midnight into a DATE.
	if t.Form != Date && strings.EqualFold(p.Param("VALUE"), "DATE") {
		y, m, d := t.Wall.Date()
		return Time{Wall: time.Date(y, m, d, 0, 0, 0, 0, time.UTC), Form: Date}, nil
	}
	if t.Form == Floating { // RFC 5545 §3.2.19: TZID says nothing of UTC times and dates
		if t.TZID = p.Param("TZID"); t.TZID != "" {
			if t.zone = o.zone(t.TZID); t.zone != nil {
				t.Form = Zoned
			}
		}
	}
	return t, nil
}

var errTime = errors.New("neither DATE nor DATE-TIME")

// parseTime reads a DATE or a DATE-TIME in its floating or UTC form.
func parseTime(s string) (Time, error) {
	s = strings.TrimSpace(s)
	form := Date
	switch {
	case len(s) == 8:
	case len(s) == 15 && s[8] == 'T':
		form = Floating
	case len(s) == 16 && s[8] == 'T' && s[15] == 'Z':
		form = UTC
	default:
		return Time{}, errTime
	}
	num := func(i, n int) (v int) {
		for _, b := range []byte(s[i : i+n]) {
			if !digit(b) {
				return -1
			}
			v = v*10 + int(b-'0')
		}
		return v
	}
	for i := range s {
		if i != 8 && i != 15 && !digit(s[i]) {
			return Time{}, errTime
		}
	}
	y, m, d := num(0, 4), num(4, 2), num(6, 2)
	var hh, mm, ss int
	if form != Date {
		hh, mm, ss = num(9, 2), num(11, 2), num(13, 2)
	}
	if y < 1 || m < 1 || m > 12 || d < 1 || d > monthDays(y, m) {
		return Time{}, errors.New("no such day")
	}
	if hh > 23 || mm > 59 || ss > 60 {
		return Time{}, errors.New("no such time of day")
	}
	if ss == 60 { // RFC 5545 §3.3.12: without leap seconds it is read as 59
		ss = 59
	}
	return Time{Wall: time.Date(y, time.Month(m), d, hh, mm, ss, 0, time.UTC), Form: form}, nil
}

// Zones returns the TZIDs that components of the object refer to.
func (o *Object) Zones() []string {
	var out []string
	seen := map[string]bool{}
	var walk func(c *Component)
	walk = func(c *Component) {
		for i := range c.Props {
			if id := c.Props[i].Param("TZID"); id != "" && !seen[id] {
				seen[id] = true
				out = append(out, id)
			}
		}
		for _, ch := range c.Children {
			walk(ch)
		}
	}
	for _, c := range o.main {
		walk(c)
	}
	return out
}

// UnknownZone returns a TZID that names no zone known here and has no VTIMEZONE
// either; "" if there is none.
func (o *Object) UnknownZone() string {
	for _, id := range o.Zones() {
		if namedZone(id) == nil && !slices.ContainsFunc(o.root.Children, func(c *Component) bool {
			return c.Name == "VTIMEZONE" && trimZone(c.Value("TZID")) == trimZone(id)
		}) {
			return id
		}
	}
	return ""
}

// length is how long something lasts. Weeks and days of a DURATION are nominal,
// what is shorter is exact (RFC 5545 §3.3.6); between DTSTART and DTEND lies an
// exact time (§3.8.5.3), days for a DATE.
type length struct{ days, secs int64 }

// parseDuration reads a DURATION (RFC 5545 §3.3.6).
func parseDuration(s string) (length, error) {
	bad := errors.New("no DURATION")
	s = strings.TrimSpace(s)
	sign := int64(1)
	if s != "" && (s[0] == '+' || s[0] == '-') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	if len(s) < 2 || s[0] != 'P' {
		return length{}, bad
	}
	var l length
	inTime, any := false, false
	for s = s[1:]; s != ""; {
		if s[0] == 'T' && !inTime {
			inTime = true
			s = s[1:]
			continue
		}
		n, i := int64(0), 0
		for ; i < len(s) && digit(s[i]); i++ {
			if n = n*10 + int64(s[i]-'0'); n > 1e10 {
				return length{}, errors.New("a DURATION of centuries")
			}
		}
		if i == 0 || i == len(s) {
			return length{}, bad
		}
		switch u := s[i]; {
		case u == 'W' && !inTime:
			l.days += 7 * n
		case u == 'D' && !inTime:
			l.days += n
		case u == 'H' && inTime:
			l.secs += 3600 * n
		case u == 'M' && inTime:
			l.secs += 60 * n
		case u == 'S' && inTime:
			l.secs += n
		default:
			return length{}, bad
		}
		any = true
		s = s[i+1:]
	}
	switch {
	case !any:
		return length{}, bad
	case l.days+l.secs/daySecs > 200*366: // a time.Duration holds it
		return length{}, errors.New("a DURATION of centuries")
	}
	return length{sign * l.days, sign * l.secs}, nil
}

// monthDays returns the length of a month.
func monthDays(y, m int) int {
	if m == 2 {
		if leap(y) {
			return 29
		}
		return 28
	}
	return 30 + (m+m>>3)&1
}

func leap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

// fault makes a SyntaxError about a property of the object.
func (o *Object) fault(p *Prop, err error) error {
	var s *SyntaxError
	if errors.As(err, &s) {
		return err
	}
	s = &SyntaxError{o.line(p), fmt.Sprintf("%s: %v: %q", p.Name, err, clip(p.Value))}
	if other := (*unknownScale)(nil); errors.As(err, &other) {
		return scaleFault{s}
	}
	return s
}

// line returns where a property stands in the bytes, 0 if it is not from them.
// The raw line of a parsed property is a part of the object's bytes, and both
// end with the same array: the difference of their capacities is its place.
func (o *Object) line(p *Prop) int {
	at := cap(o.raw) - cap(p.raw)
	if p.raw == nil || at < 0 || at+len(p.raw) > len(o.raw) || string(o.raw[at:at+len(p.raw)]) != string(p.raw) {
		return 0
	}
	n := 1
	for _, b := range o.raw[:at] {
		if b == '\n' {
			n++
		}
	}
	return n
}

// Duration reads a DURATION (RFC 5545 §3.3.6) as an exact time: a day is 24
// hours, a week seven days.
func Duration(s string) (time.Duration, error) {
	days, rest, err := Length(s)
	return time.Duration(days)*24*time.Hour + rest, err
}

// Length reads a DURATION (RFC 5545 §3.3.6) in whatever case: its weeks and days,
// which are those of a clock on the wall, and the rest, which is exact.
func Length(s string) (days int, rest time.Duration, err error) {
	l, err := parseDuration(strings.ToUpper(s))
	return int(l.days), time.Duration(l.secs) * time.Second, err
}
