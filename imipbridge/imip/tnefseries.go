package imip

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// series is how Outlook describes one in PidLidAppointmentRecur ([MS-OXOCAL]
// §2.2.1.44.5). Its times are on the clocks of the organizer's place.
type series struct {
	rule     string // RRULE without an end
	endType  uint32
	count    uint32
	first    time.Time // the day of the first occurrence
	last     time.Time // that of the last
	from, to time.Duration
	left     []time.Time // days on which it does not take place as the rule says
	changed  []changedDay
}

// changedDay is an occurrence with other times ([MS-OXOCAL] §2.2.1.44.2).
type changedDay struct {
	start, end, original time.Time
	subject, location    string
	named, placed        bool
}

// Ends of a series ([MS-OXOCAL] §2.2.1.44.1).
const (
	endsByDate  = 0x2021
	endsByCount = 0x2022
)

var (
	errSeries   = errors.New("winmail.dat: a series whose recurrence is cut off")
	errCalendar = errors.New("winmail.dat: a series by another calendar or a rule that is not known")
)

// winDays are the bits of a mask of days, Sunday first.
var winDays = [7]string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}

// minutes returns the instant, on clocks without a zone, that Outlook counts
// in minutes since 1601.
func minutes(n uint32) time.Time {
	return time.Unix(int64(n)*60-11644473600, 0).UTC()
}

// parseSeries reads a recurrence; what it does not know it refuses, because
// half of a rule is another one.
func parseSeries(b []byte) (s series, err error) {
	r := &reader{b: b}
	r.u32() // versions
	r.u16() // frequency: the pattern says the same
	pattern := r.u16()
	if calendar := r.u16(); calendar > 1 { // CAL_DEFAULT, CAL_GREGORIAN
		return s, errCalendar
	}
	r.u32() // how the period lies: the first day says it
	period := r.u32()
	r.u32() // tasks alone slide
	interval := func(n uint32) string { return fmt.Sprintf(";INTERVAL=%d", max(n, 1)) }
	switch pattern {
	case 0: // days, in minutes
		if period%1440 != 0 {
			return s, errCalendar
		}
		s.rule = "FREQ=DAILY" + interval(period/1440)
	case 1:
		s.rule = "FREQ=WEEKLY" + interval(period) + ";BYDAY=" + maskDays(r.u32())
	case 2: // a day of the month, of which shorter months have the last
		s.rule = "FREQ=MONTHLY" + interval(period)
		switch day := r.u32(); {
		case day < 1 || day > 31:
			return s, errCalendar
		case day == 31:
			s.rule += ";BYMONTHDAY=-1"
		case day == 30:
			s.rule += ";BYMONTHDAY=28,29,30;BYSETPOS=-1"
		case day == 29:
			s.rule += ";BYMONTHDAY=28,29;BYSETPOS=-1"
		default:
			s.rule += fmt.Sprintf(";BYMONTHDAY=%d", day)
		}
	case 3: // the second Tuesday
		days, n := maskDays(r.u32()), int(r.u32())
		if n < 1 || n > 5 {
			return s, errCalendar
		}
		if n == 5 {
			n = -1
		}
		s.rule = "FREQ=MONTHLY" + interval(period) + ";BYDAY=" + days + fmt.Sprintf(";BYSETPOS=%d", n)
	case 4:
		r.u32()
		s.rule = "FREQ=MONTHLY" + interval(period) + ";BYMONTHDAY=-1"
	default:
		return s, errCalendar
	}
	if strings.HasSuffix(s.rule, "BYDAY=") || strings.Contains(s.rule, "BYDAY=;") || period > 1440*1000 {
		return s, errCalendar
	}
	s.endType, s.count = r.u32(), r.u32()
	if first := r.u32(); pattern == 1 && first < 7 {
		s.rule += ";WKST=" + winDays[first]
	}
	left := r.days()
	r.days() // which of these are changed: told again below
	s.first, s.last = minutes(r.u32()), minutes(r.u32())
	r.take(8) // versions
	s.from, s.to = time.Duration(r.u32())*time.Minute, time.Duration(r.u32())*time.Minute
	for range r.u16() {
		c := changedDay{start: minutes(r.u32()), end: minutes(r.u32()), original: minutes(r.u32())}
		flags := r.u16()
		if c.named = flags&0x01 != 0; c.named {
			c.subject = r.counted()
		}
		for _, bit := range []uint16{0x02, 0x04, 0x08} { // kind of meeting, reminder, its time
			if flags&bit != 0 {
				r.u32()
			}
		}
		if c.placed = flags&0x10 != 0; c.placed {
			c.location = r.counted()
		}
		for _, bit := range []uint16{0x20, 0x40, 0x80, 0x100} { // busy, attached, the whole day, colour
			if flags&bit != 0 {
				r.u32()
			}
		}
		if r.short {
			break
		}
		s.changed = append(s.changed, c)
	}
	if r.short || s.to <= s.from || s.to-s.from > 32*24*time.Hour {
		return s, errSeries
	}
	for _, day := range left {
		if !slices.ContainsFunc(s.changed, func(c changedDay) bool { return c.original.Truncate(24 * time.Hour).Equal(day) }) {
			s.left = append(s.left, day)
		}
	}
	return s, nil
}

// days reads a list of days.
func (r *reader) days() (out []time.Time) {
	n := r.u32()
	if n > maxTNEF {
		r.b, r.short = nil, true
		return nil
	}
	for range n {
		out = append(out, minutes(r.u32()))
	}
	return out
}

// counted reads a text in the code page, which has its length twice.
func (r *reader) counted() string {
	r.u16()
	return strings.TrimSpace(ansi(r.take(int(r.u16()))))
}

func maskDays(mask uint32) string {
	var days []string
	for i, d := range winDays {
		if mask&(1<<i) != 0 {
			days = append(days, d)
		}
	}
	return strings.Join(days, ",")
}

// zone is what PidLidTimeZoneStruct says of the clocks by which a series goes
// ([MS-OXOCAL] §2.2.1.39).
type zone struct {
	id                 string
	bias               int32 // minutes to add for UTC
	standard, daylight int32 // more of them
	toStandard         winDate
	toDaylight         winDate
}

// winDate is when clocks change: the nth weekday of a month, 5 the last.
type winDate struct{ month, weekday, nth, hour, minute uint16 }

func (f *tnefFile) zone() (z zone, ok bool) {
	r := &reader{b: prop[[]byte](f, pidLidTimeZoneStruct)}
	date := func() (d winDate) {
		r.u16() // the year of the rule, or
		year := r.u16()
		d.month, d.weekday, d.nth, d.hour, d.minute = r.u16(), r.u16(), r.u16(), r.u16(), r.u16()
		r.take(4)
		if year != 0 || d.month > 12 || d.weekday > 6 || d.nth > 5 || d.hour > 23 || d.minute > 59 || d.month > 0 && d.nth == 0 {
			r.short = true // a change of one year alone is no rule
		}
		return d
	}
	z.bias, z.standard, z.daylight = int32(r.u32()), int32(r.u32()), int32(r.u32())
	z.toStandard, z.toDaylight = date(), date()
	for _, m := range []int32{z.bias, z.standard, z.daylight} {
		if m < -1440 || m > 1440 {
			return z, false
		}
	}
	z.id = strings.TrimSpace(strings.Map(func(c rune) rune {
		if c < ' ' || strings.ContainsRune(`",;:\`, c) {
			return -1
		}
		return c
	}, f.text(pidLidTimeZoneDescription)))
	if z.id == "" {
		z.id = "Organizer"
	}
	return z, !r.short
}

// write adds the zone as a VTIMEZONE.
func (z zone) write(line func(name, value string)) {
	offset := func(bias int32) string {
		sign := '+'
		if bias > 0 {
			sign = '-'
		}
		bias = max(bias, -bias)
		return fmt.Sprintf("%c%02d%02d", sign, bias/60, bias%60)
	}
	part := func(kind string, d winDate, from, to int32) {
		line("BEGIN", kind)
		line("TZOFFSETFROM", offset(z.bias+from))
		line("TZOFFSETTO", offset(z.bias+to))
		line("DTSTART", fmt.Sprintf("16010101T%02d%02d00", d.hour, d.minute))
		if d.month > 0 {
			nth := int(d.nth)
			if nth == 5 {
				nth = -1
			}
			line("RRULE", fmt.Sprintf("FREQ=YEARLY;BYMONTH=%d;BYDAY=%d%s", d.month, nth, winDays[d.weekday]))
		}
		line("END", kind)
	}
	line("BEGIN", "VTIMEZONE")
	line("TZID", z.id)
	if z.toStandard.month == 0 || z.toDaylight.month == 0 {
		part("STANDARD", winDate{}, z.standard, z.standard)
	} else {
		part("STANDARD", z.toStandard, z.daylight, z.standard)
		part("DAYLIGHT", z.toDaylight, z.standard, z.daylight)
	}
	line("END", "VTIMEZONE")
}

// times returns what writes when a series takes place into its component, and
// the same for each changed day, which has one of its own.
func (s series) times(z zone, allDay bool, line func(name, value string)) []func() {
	at := func(name string, t time.Time) {
		if allDay {
			line(name+";VALUE=DATE", t.Format("20060102"))
		} else {
			line(fmt.Sprintf(`%s;TZID="%s"`, name, z.id), t.Format("20060102T150405"))
		}
	}
	all := []func(){func() {
		at("DTSTART", s.first.Add(s.from))
		at("DTEND", s.first.Add(s.to))
		rule := s.rule
		switch s.endType {
		case endsByCount:
			rule += fmt.Sprintf(";COUNT=%d", max(s.count, 1))
		case endsByDate:
			if allDay {
				rule += ";UNTIL=" + s.last.Format("20060102")
			} else { // RFC 5545 §3.3.10: in UTC; some hours later, whatever clocks say then
				until := s.last.Add(s.from + time.Duration(z.bias)*time.Minute + 3*time.Hour)
				rule += ";UNTIL=" + until.Format("20060102T150405Z")
			}
		}
		line("RRULE", rule)
		for _, day := range s.left {
			at("EXDATE", day.Add(s.from))
		}
	}}
	for _, c := range s.changed {
		all = append(all, func() {
			at("RECURRENCE-ID", c.original)
			at("DTSTART", c.start)
			at("DTEND", c.end)
			if c.named {
				line("SUMMARY", ics.Escape(c.subject))
			}
			if c.placed && c.location != "" {
				line("LOCATION", ics.Escape(c.location))
			}
		})
	}
	return all
}
