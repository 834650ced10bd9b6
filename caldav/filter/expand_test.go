package filter

import (
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

func TestExpand(t *testing.T) {
	berlin, _ := time.LoadLocation("Europe/Berlin")
	test := func(lines, from, to string, zone *time.Location, want string) {
		t.Helper()
		o := object(t, lines)
		before := string(o.Bytes())
		got, err := wanted(t, `<C:expand start="`+from+`" end="`+to+`"/>`).Of(o, zone, ics.Bound{})
		if err != nil {
			t.Fatal(err)
		}
		want = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//EN\n" + strings.TrimLeft(want, "\n") + "END:VCALENDAR\n"
		if s := strings.ReplaceAll(string(got), "\r\n", "\n"); s != want {
			t.Errorf("got\n%swant\n%s", s, want)
		}
		if string(o.Bytes()) != before {
			t.Error("the object itself changed")
		}
	}
	// Days and floating times stay so; the zone says which of them are in the window.
	test(`
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20260327
DTEND;VALUE=DATE:20260329
RRULE:FREQ=DAILY;COUNT=4
EXDATE;VALUE=DATE:20260328
END:VEVENT`, "20260328T220000Z", "20260329T230000Z", berlin, `
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20260327
DTEND;VALUE=DATE:20260329
END:VEVENT
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20260329
RECURRENCE-ID;VALUE=DATE:20260329
DTEND;VALUE=DATE:20260331
END:VEVENT
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20260330
RECURRENCE-ID;VALUE=DATE:20260330
DTEND;VALUE=DATE:20260401
END:VEVENT
`)
	test(`
BEGIN:VEVENT
UID:1
DTSTART:20260328T090000
DTEND:20260328T100000
RRULE:FREQ=DAILY;COUNT=4
END:VEVENT`, "20260329T070000Z", "20260329T080000Z", berlin, `
BEGIN:VEVENT
UID:1
DTSTART:20260329T090000
RECURRENCE-ID:20260329T090000
DTEND:20260329T100000
END:VEVENT
`)
	// A day of a DURATION is a day of the zone's clock, which has 23 hours once a year; of UTC's all have 24.
	test(`
BEGIN:VEVENT
UID:1
DTSTART;TZID=Europe/Berlin:20260327T090000
DURATION:P1D
RRULE:FREQ=DAILY;COUNT=2
END:VEVENT`, "20260301T000000Z", "20260401T000000Z", berlin, `
BEGIN:VEVENT
UID:1
DTSTART:20260327T080000Z
DURATION:P1D
END:VEVENT
BEGIN:VEVENT
UID:1
DTSTART:20260328T080000Z
RECURRENCE-ID:20260328T080000Z
DURATION:PT23H
END:VEVENT
`)
	// Zoned times across a change of the clocks, other zoned properties, alarms, a moved instance; in order of time.
	test(`
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0100
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:1
RECURRENCE-ID;TZID=Europe/Berlin:20260328T090000
DTSTART;TZID=Europe/Berlin:20260330T120000
DURATION:PT30M
SUMMARY:moved
END:VEVENT
BEGIN:VEVENT
UID:1
DTSTART;TZID=Europe/Berlin;X-P=1:20260328T090000
DTEND;TZID=Europe/Berlin:20260328T100000
RRULE:FREQ=DAILY;COUNT=4
EXDATE;TZID=Europe/Berlin:20260331T090000
X-LOCAL;TZID=Europe/Berlin;VALUE=DATE-TIME:20260328T090000
BEGIN:VALARM
TRIGGER:-PT5M
END:VALARM
END:VEVENT`, "20260328T000000Z", "20260401T000000Z", time.UTC, `
BEGIN:VEVENT
UID:1
DTSTART;X-P=1:20260329T070000Z
RECURRENCE-ID:20260329T070000Z
DTEND:20260329T080000Z
X-LOCAL;VALUE=DATE-TIME:20260328T080000Z
BEGIN:VALARM
TRIGGER:-PT5M
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:1
DTSTART;X-P=1:20260330T070000Z
RECURRENCE-ID:20260330T070000Z
DTEND:20260330T080000Z
X-LOCAL;VALUE=DATE-TIME:20260328T080000Z
BEGIN:VALARM
TRIGGER:-PT5M
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:1
RECURRENCE-ID:20260328T080000Z
DTSTART:20260330T100000Z
DURATION:PT30M
SUMMARY:moved
END:VEVENT
`)
	// An RDATE with a length of its own.
	test(`
BEGIN:VEVENT
UID:1
DTSTART:20260328T090000Z
DURATION:PT1H
RDATE;VALUE=PERIOD:20260329T090000Z/PT3H
END:VEVENT`, "20260329T000000Z", "20260401T000000Z", time.UTC, `
BEGIN:VEVENT
UID:1
DTSTART:20260329T090000Z
RECURRENCE-ID:20260329T090000Z
DTEND:20260329T120000Z
END:VEVENT
`)
	// What does not recur has no RECURRENCE-ID; what is not in the window is left out.
	const single = `
BEGIN:VEVENT
UID:1
DTSTART:20260328T090000Z
END:VEVENT
`
	test(single, "20260328T000000Z", "20260401T000000Z", time.UTC, single)
	test(single, "20260329T000000Z", "20260401T000000Z", time.UTC, "")
	const todo = `
BEGIN:VTODO
UID:1
SUMMARY:some day
END:VTODO
`
	test(todo, "20260329T000000Z", "20260401T000000Z", time.UTC, todo)
	test(strings.Replace(todo, "SUMMARY:some day", "DUE:20260328T100000Z", 1), "20260329T000000Z", "20260401T000000Z", time.UTC, "")
	test(`
BEGIN:VTODO
UID:1
DTSTART:20260328T090000Z
DUE:20260328T100000Z
RRULE:FREQ=DAILY
END:VTODO`, "20260329T000000Z", "20260330T000000Z", time.UTC, `
BEGIN:VTODO
UID:1
DTSTART:20260329T090000Z
RECURRENCE-ID:20260329T090000Z
DUE:20260329T100000Z
END:VTODO
`)
}

func TestExpandIsBounded(t *testing.T) {
	test := func(lines string, b ics.Bound) {
		t.Helper()
		o := object(t, "BEGIN:VEVENT\nUID:1\nDTSTART:20260101T000000Z\n"+lines+"\nEND:VEVENT")
		_, err := wanted(t, `<C:expand start="20260101T000000Z" end="20460101T000000Z"/>`).Of(o, time.UTC, b)
		if got := condition(err); got != "number-of-matches-within-limits" {
			t.Errorf("%.60s: %q", lines, got)
		}
	}
	test("RRULE:FREQ=HOURLY", ics.Bound{Instances: 1000})
	test("RRULE:FREQ=DAILY\nATTACH;VALUE=BINARY;ENCODING=BASE64:"+strings.Repeat("QUJD", 1<<18), ics.Bound{})
}

func TestLimitRecurrenceSet(t *testing.T) {
	test := func(recurrenceID, from, to string, want bool) {
		t.Helper()
		o := object(t, strings.Replace(moved, "RECURRENCE-ID:", recurrenceID, 1))
		got, err := wanted(t, `<C:limit-recurrence-set start="`+from+`" end="`+to+`"/>`).Of(o, time.UTC, ics.Bound{})
		if err != nil || !strings.Contains(string(got), "stand-up") || strings.Contains(string(got), "retreat") != want {
			t.Errorf("%s %s/%s:\n%s%v", recurrenceID, from, to, got, err)
		}
	}
	// RFC 4791 §9.6.6: where it stands, and where it stood.
	test("RECURRENCE-ID:", "20260210T153000Z", "20260210T154000Z", true)
	test("RECURRENCE-ID:", "20260204T093000Z", "20260204T094000Z", true)
	test("RECURRENCE-ID:", "20260205T093000Z", "20260205T094000Z", false)
	test("RECURRENCE-ID:", "20260204T100000Z", "20260204T110000Z", false)
	test("RECURRENCE-ID;RANGE=THISANDFUTURE:", "20260205T093000Z", "20260205T094000Z", true)
	test("RECURRENCE-ID;RANGE=THISANDFUTURE:", "20260203T093000Z", "20260203T094000Z", false)
}

func TestInWindowSeries(t *testing.T) {
	record := func(lines string) *ics.Series {
		t.Helper()
		x, err := object(t, lines).Index(nil, time.UTC, ics.Bound{})
		if err != nil || x.Series == nil {
			t.Fatalf("%+v %v", x, err)
		}
		return x.Series
	}
	s := record("BEGIN:VEVENT\nUID:1\nDTSTART:20260202T090000Z\nDTEND:20260202T100000Z\nRRULE:FREQ=WEEKLY\nEXDATE:20260209T090000Z\nEND:VEVENT")
	test := func(from, to string, want Answer) {
		t.Helper()
		r, err := parseRange(element(t, window(from, to)), false)
		if err != nil {
			t.Fatal(err)
		}
		if got := InWindow(*r, nil, s, true); got != want {
			t.Errorf("%s/%s: %v, want %v", from, to, got, want)
		}
	}
	test("20260202T093000Z", "20260202T094000Z", Yes)
	test("20260209T093000Z", "20260209T094000Z", No)
	test("20260216T100000Z", "20260217T090000Z", No)
	test("20260216T100000Z", "20260223T090001Z", Yes)
	test("20260216T100000Z", "-", Yes)
	test("-", "20260202T090000Z", No)
	test("20990101T000000Z", "20990201T000000Z", Look) // beyond what the record covers
	s = record("BEGIN:VEVENT\nUID:1\nDTSTART:20260202T090000Z\nRRULE:FREQ=DAILY;COUNT=10\nEND:VEVENT")
	test("20260203T090000Z", "20260203T090001Z", Yes) // without length
	test("20260203T080000Z", "20260203T090000Z", No)
	test("20990101T000000Z", "20990201T000000Z", No) // the series is over
	s.Floating = true
	if InWindow(Range{From: time.Now()}, nil, s, false) != Look {
		t.Error("floating times in another zone are not looked at")
	}
}
