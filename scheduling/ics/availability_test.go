package ics

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// available makes an Availability of the lines between BEGIN:VCALENDAR and
// END:VCALENDAR; UID and DTSTAMP are put in.
func available(t testing.TB, lines string) (*Availability, error) {
	t.Helper()
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t\r\n")
	for _, l := range strings.Split(strings.TrimSpace(lines), "\n") {
		l = strings.TrimSpace(l)
		b.WriteString(l + "\r\n")
		if l == "BEGIN:VAVAILABILITY" || l == "BEGIN:AVAILABLE" {
			b.WriteString("UID:u\r\nDTSTAMP:20111005T133225Z\r\n")
		}
	}
	b.WriteString("END:VCALENDAR\r\n")
	o, err := Parse([]byte(b.String()), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return o.Availability()
}

const office = `BEGIN:VAVAILABILITY
	BEGIN:AVAILABLE
	DTSTART;TZID=America/Montreal:20111002T080000
	DTEND;TZID=America/Montreal:20111002T180000
	RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR
	END:AVAILABLE
	END:VAVAILABILITY`

// RFC 7953 §4 and §6, by the examples of its draft among others.
func TestUnavailability(t *testing.T) {
	test := func(name, from, to, want string, sources ...string) {
		t.Helper()
		var as []*Availability
		for _, s := range sources {
			a, err := available(t, s)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			as = append(as, a)
		}
		lo, _ := time.Parse("20060102T1504", from)
		hi, _ := time.Parse("20060102T1504", to)
		got, err := Unavailability(as, lo, hi, Bound{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s := show(got); s != want {
			t.Errorf("%s: %s, want %s", name, s, want)
		}
	}
	// Monday, in Montreal, which is four hours behind UTC until 6 November.
	test("§4.1.1", "20111031T0400", "20111101T0400", "31T0400-31T1200! 31T2200-01T0400!", office)
	test("a weekend", "20111105T1200", "20111106T1200", "05T1200-06T1200!", office)
	test("nothing said", "20111031T0400", "20111101T0400", "")
	test("it begins later", "20111031T0000", "20111101T0000", "31T1200-01T0000!", `BEGIN:VAVAILABILITY
		DTSTART:20111031T120000Z
		END:VAVAILABILITY`)
	test("it ends, of another type", "20111031T0000", "20111101T0000", "31T0000-31T1200", `BEGIN:VAVAILABILITY
		DTEND:20111031T120000Z
		BUSYTYPE:BUSY
		END:VAVAILABILITY`)
	test("DURATION", "20111031T0000", "20111101T0000", "31T1200-31T1400?", `BEGIN:VAVAILABILITY
		DTSTART:20111031T120000Z
		DURATION:PT2H
		BUSYTYPE:BUSY-TENTATIVE
		END:VAVAILABILITY`)
	test("available outside of its stretch", "20111031T0000", "20111101T0000", "31T1300-31T1400!", `BEGIN:VAVAILABILITY
		DTSTART:20111031T120000Z
		DTEND:20111031T140000Z
		BEGIN:AVAILABLE
		DTSTART:20111031T090000Z
		DTEND:20111031T130000Z
		END:AVAILABLE
		END:VAVAILABILITY
		BEGIN:VAVAILABILITY
		DTSTART:20111030T000000Z
		DTEND:20111030T140000Z
		END:VAVAILABILITY`)
	trip := `BEGIN:VAVAILABILITY
		PRIORITY:1
		DTSTART:20111031T000000Z
		DTEND:20111101T000000Z
		BEGIN:AVAILABLE
		DTSTART:20111031T060000Z
		DURATION:PT2H
		END:AVAILABLE
		END:VAVAILABILITY`
	test("a higher priority hides", "20111031T0000", "20111101T1200", "31T0000-31T0600! 31T0800-01T1200!", office, trip)
	test("in whatever order", "20111031T0000", "20111101T1200", "31T0000-31T0600! 31T0800-01T1200!", trip, office)
	test("0 is the lowest", "20111031T0400", "20111031T2300", "31T0400-31T0600! 31T0800-31T2300!", strings.Replace(trip, ":1\n", ":9\n", 1), strings.Replace(office, "BEGIN:VAVAILABILITY", "BEGIN:VAVAILABILITY\nPRIORITY:0", 1))
	test("among equals what is available counts", "20111031T0400", "20111031T2300", "31T0400-31T0600! 31T0800-31T1200! 31T2200-31T2300!", office, strings.Replace(trip, "PRIORITY:1\n", "", 1))
	test("overrides", "20111031T0400", "20111102T0400", "31T0400-31T1200! 31T1300-01T1200! 01T2200-02T0400!", `BEGIN:VAVAILABILITY
		BEGIN:AVAILABLE
		DTSTART:20111030T120000Z
		DTEND:20111030T220000Z
		RRULE:FREQ=DAILY
		EXDATE:20111030T120000Z
		END:AVAILABLE
		BEGIN:AVAILABLE
		RECURRENCE-ID:20111031T120000Z
		DTSTART:20111031T120000Z
		DTEND:20111031T130000Z
		END:AVAILABLE
		END:VAVAILABILITY`)
	test("the stronger type hides", "20111031T0000", "20111031T0400", "31T0000-31T0100! 31T0100-31T0200 31T0200-31T0300! 31T0300-31T0400?", `BEGIN:VAVAILABILITY
		DTEND:20111031T030000Z
		END:VAVAILABILITY
		BEGIN:VAVAILABILITY
		DTSTART:20111031T010000Z
		DTEND:20111031T020000Z
		BUSYTYPE:X-DEAF
		END:VAVAILABILITY
		BEGIN:VAVAILABILITY
		BUSYTYPE:BUSY-TENTATIVE
		END:VAVAILABILITY`)
	test("years later", "20411104T0400", "20411105T0500", "04T0400-04T1300! 04T2300-05T0500!", office)
}

func show(spans []Span) string {
	var out []string
	for _, s := range spans {
		out = append(out, s.Start.Format("02T1504")+"-"+s.End.Format("02T1504")+map[BusyType]string{Busy: "", Tentative: "?", Unavailable: "!"}[s.Type])
	}
	return strings.Join(out, " ")
}

// What may not be kept as somebody's availability, and why.
func TestAvailabilityRefused(t *testing.T) {
	test := func(what, old, now string) {
		t.Helper()
		whole := "BEGIN:VAVAILABILITY\nDTSTART:20111001T000000Z\n" + strings.TrimPrefix(office, "BEGIN:VAVAILABILITY\n")
		if _, err := available(t, whole); err != nil {
			t.Fatal(err)
		}
		_, err := available(t, strings.Replace(whole, old, now, 1))
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%q: %v", now, err)
		}
	}
	test("DTSTART", "DTSTART:20111001T000000Z", "DTSTART;VALUE=DATE:20111001")
	test("DTSTART", "DTSTART:20111001T000000Z", "DTSTART:20111001T000000")
	test("DTSTART", "TZID=America/Montreal:20111002T080000", "TZID=Nowhere:20111002T080000")
	test("DTEND", "DTSTART:20111001T000000Z", "DTSTART:20111001T000000Z\nDTEND:20111001T000000Z")
	test("DURATION", "DTSTART:20111001T000000Z", "DURATION:PT1H")
	test("DURATION", "DTSTART:20111001T000000Z", "DTSTART:20111001T000000Z\nDTEND:20111002T000000Z\nDURATION:PT1H")
	test("PRIORITY", "DTSTART:20111001T000000Z", "PRIORITY:10")
	test("RRULE", "FREQ=WEEKLY", "FREQ=OFTEN")
	test("DTSTART", "DTSTART;TZID=America/Montreal:20111002T080000", "SUMMARY:x")
	test("VEVENT", "BEGIN:VAVAILABILITY", "BEGIN:VEVENT\nUID:1\nEND:VEVENT\nBEGIN:VAVAILABILITY")
	many, err := available(t, `BEGIN:VAVAILABILITY
		BEGIN:AVAILABLE
		DTSTART:20111030T120000Z
		DURATION:PT1S
		RRULE:FREQ=SECONDLY;INTERVAL=2
		END:AVAILABLE
		END:VAVAILABILITY`)
	if err != nil {
		t.Fatal(err)
	}
	if err := many.Dense(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Bound{Instances: 20_000, Steps: 100_000}); !errors.Is(err, ErrTooMany) {
		t.Errorf("every two seconds: %v", err)
	}
}

func TestCommon(t *testing.T) {
	at := func(from, to int, typ BusyType) Span {
		day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
		return Span{day.Add(time.Duration(from) * time.Hour), day.Add(time.Duration(to) * time.Hour), typ}
	}
	test := func(want string, lists ...[]Span) {
		t.Helper()
		if got := show(Common(lists)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	test("")
	test("02T0100-02T0300", []Span{at(1, 3, Busy)})
	test("", []Span{at(1, 3, Busy)}, nil)
	test("02T0200-02T0300", []Span{at(1, 3, Busy)}, []Span{at(2, 5, Busy)})
	test("02T0200-02T0300? 02T0400-02T0500!", []Span{at(1, 3, Busy), at(4, 6, Unavailable)}, []Span{at(2, 3, Tentative), at(4, 5, Busy)})
	test("02T0100-02T0200", []Span{at(0, 2, Tentative), at(1, 2, Busy)}, []Span{at(1, 4, Busy)})
	test("02T0100-02T0200 02T0300-02T0400", []Span{at(0, 5, Busy)}, []Span{at(1, 2, Busy), at(3, 4, Busy)}, []Span{at(0, 9, Busy)})
}

// Whatever a stranger writes as his availability, reading it ends, and what it
// gives lies in the window, in order and apart.
func FuzzAvailability(f *testing.F) {
	f.Add("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + strings.ReplaceAll(strings.ReplaceAll(office, "\n\t", "\n"), "AVAILABLE\n", "AVAILABLE\nUID:b\n") + "\r\nEND:VCALENDAR\r\n")
	f.Add("BEGIN:VCALENDAR\nBEGIN:VAVAILABILITY\nUID:a\nDTSTAMP:20260101T000000Z\nPRIORITY:3\nBUSYTYPE:BUSY\nDTSTART:20260101T000000Z\nDURATION:P2W\nBEGIN:AVAILABLE\nUID:b\n" +
		"DTSTART:20260105T080000Z\nDTEND:20260105T090000Z\nRRULE:FREQ=HOURLY;COUNT=900\nEXDATE:20260105T100000Z\nEND:AVAILABLE\nEND:VAVAILABILITY\nEND:VCALENDAR\n")
	from := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	to := from.AddDate(0, 1, 0)
	f.Fuzz(func(t *testing.T, text string) {
		o, err := Parse([]byte(text), Limits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		a, err := o.Availability()
		if err != nil {
			return
		}
		spans, err := Unavailability([]*Availability{a}, from, to, Bound{Instances: 5000, Steps: 20_000})
		if err != nil {
			return
		}
		for i, s := range spans {
			if s.Start.Before(from) || s.End.After(to) || !s.Start.Before(s.End) || s.Type == Free || i > 0 && s.Start.Before(spans[i-1].End) {
				t.Fatalf("%s in\n%s", show(spans), text)
			}
		}
	})
}
