package filter

import (
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// window makes a time-range element; "-" leaves a side open.
func window(from, to string) string {
	s := "<C:time-range"
	if from != "-" {
		s += ` start="` + from + `"`
	}
	if to != "-" {
		s += ` end="` + to + `"`
	}
	return s + "/>"
}

// in tests whether a component of that kind overlaps a window.
func in(t *testing.T, kind, lines, from, to string, zone *time.Location, want bool) {
	t.Helper()
	o := object(t, "BEGIN:"+kind+"\nUID:1\n"+lines+"\nEND:"+kind)
	f := parse(t, `<C:comp-filter name="`+kind+`">`+window(from, to)+`</C:comp-filter>`)
	if got := f.Match(o, zone, ics.Bound{}); got != want {
		t.Errorf("%v for %s/%s of %s", got, from, to, strings.ReplaceAll(lines, "\n", " "))
	}
}

// RFC 4791 §9.9, the table for VEVENT.
func TestEventRange(t *testing.T) {
	test := func(lines, from, to string, want bool) {
		t.Helper()
		in(t, "VEVENT", lines, from, to, time.UTC, want)
	}
	const hour = "DTSTART:20260202T090000Z\nDTEND:20260202T100000Z"
	test(hour, "20260202T090000Z", "20260202T100000Z", true) // probe: equal to the range
	test(hour, "20260202T090000Z", "20260202T093000Z", true) // probe: starts at its start
	test(hour, "20260202T093000Z", "20260202T100000Z", true) // probe: ends at its end
	test(hour, "20260202T100000Z", "20260202T110000Z", false)
	test(hour, "20260202T080000Z", "20260202T090000Z", false)
	test(hour, "20260202T080000Z", "20260202T090001Z", true)
	test(hour, "20260202T095959Z", "20260202T110000Z", true)
	test(hour, "20260101T000000Z", "20270101T000000Z", true)
	test(hour, "-", "20260202T090000Z", false) // probe: only the end is given
	test(hour, "-", "20260202T090001Z", true)
	test(hour, "20260202T095959Z", "-", true)
	test(hour, "20260202T100000Z", "-", false)
	// RFC 6638 §2.3: a message need not tell when.
	test("ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.org", "20260202T080000Z", "20260202T090000Z", true)

	const lasting = "DTSTART:20260202T090000Z\nDURATION:PT1H"
	test(lasting, "20260202T095959Z", "20260203T000000Z", true)
	test(lasting, "20260202T100000Z", "20260203T000000Z", false)
	const zero = "DTSTART:20260202T090000Z\nDURATION:PT0S"
	test(zero, "20260202T090000Z", "20260202T090001Z", true) // probe: without length, at the start
	test(zero, "20260202T080000Z", "20260202T090000Z", false)
	const moment = "DTSTART:20260202T090000Z"
	test(moment, "20260202T090000Z", "20260202T100000Z", true)
	test(moment, "20260202T080000Z", "20260202T090000Z", false)
	test(moment, "20260202T090001Z", "20260202T100000Z", false)
	const day = "DTSTART;VALUE=DATE:20260202"
	test(day, "20260202T000000Z", "20260203T000000Z", true) // probe: all day, on its day
	test(day, "20260202T235959Z", "20260203T000000Z", true)
	test(day, "20260203T000000Z", "20260204T000000Z", false)
	test(day, "20260201T000000Z", "20260202T000000Z", false)
	test("DTSTART:gibberish", "20260101T000000Z", "20270101T000000Z", false)

	// §9.9, §7.3: floating times and days in the zone of the request.
	berlin, _ := time.LoadLocation("Europe/Berlin")
	in(t, "VEVENT", day, "20260201T230000Z", "20260201T233000Z", berlin, true)
	in(t, "VEVENT", day, "20260202T230000Z", "20260202T233000Z", berlin, false)
	in(t, "VEVENT", "DTSTART:20260202T090000\nDTEND:20260202T100000", "20260202T080000Z", "20260202T081500Z", berlin, true)
	in(t, "VEVENT", "DTSTART:20260202T090000\nDTEND:20260202T100000", "20260202T080000Z", "20260202T081500Z", time.UTC, false)

	// probe: a Windows name; an EXDATE list. Neither spoils the answer.
	test("DTSTART;TZID=W. Europe Standard Time:20260202T090000\nDURATION:PT1H", "20260202T080000Z", "20260202T090000Z", true)
	test("DTSTART;TZID=W. Europe Standard Time:20260202T090000\nDURATION:PT1H", "20260202T090000Z", "20260202T100000Z", false)
}

// Every instance is considered (RFC 4791 §9.9).
func TestRecurringEventRange(t *testing.T) {
	test := func(lines, from, to string, want bool) {
		t.Helper()
		in(t, "VEVENT", lines, from, to, time.UTC, want)
	}
	const daily = "DTSTART:20260202T090000Z\nDTEND:20260202T100000Z\nRRULE:FREQ=DAILY"
	test(daily, "20260302T093000Z", "20260302T094500Z", true)  // probe: an instance in progress
	test(daily, "20260302T100000Z", "20260303T090000Z", false) // probe: the next one starts exactly at the end
	test(daily, "20260302T100000Z", "20260303T090001Z", true)
	test(daily, "20360302T000000Z", "20360303T000000Z", true)
	test(daily, "20260302T000000Z", "-", true) // probe: open end
	test(daily, "-", "20260202T090000Z", false)
	test(daily, "-", "20260202T090001Z", true)
	const counted = "DTSTART:20260202T090000Z\nDTEND:20260202T100000Z\nRRULE:FREQ=DAILY;COUNT=5\nEXDATE:20260203T090000Z,20260204T090000Z"
	test(counted, "20260203T000000Z", "20260205T000000Z", false) // probe: a list of EXDATEs
	test(counted, "20260205T000000Z", "20260206T000000Z", true)
	test(counted, "20260206T100000Z", "-", false)
	const dates = "DTSTART:20260202T090000Z\nDTEND:20260202T100000Z\nRDATE:20260310T090000Z,20260311T090000Z"
	test(dates, "20260311T093000Z", "20260311T094500Z", true) // probe: RDATE only
	test(dates, "20260203T000000Z", "20260310T090000Z", false)
	const days = "DTSTART;VALUE=DATE:20260202\nRRULE:FREQ=WEEKLY;UNTIL=20260216"
	test(days, "20260216T120000Z", "20260216T130000Z", true)
	test(days, "20260223T120000Z", "20260223T130000Z", false)
	test(days, "20260217T000000Z", "20260218T000000Z", false)

	// A series that passes the bound matches.
	o := object(t, "BEGIN:VEVENT\nUID:1\nDTSTART:20260202T090000Z\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\nEND:VEVENT")
	f := parse(t, `<C:comp-filter name="VEVENT">`+window("30260101T000000Z", "-")+`</C:comp-filter>`)
	if !f.Match(o, time.UTC, ics.Bound{Instances: 10, Steps: 10}) {
		t.Error("a series that passes the bound is not shown")
	}
}

const moved = `
BEGIN:VEVENT
UID:1
DTSTART:20260202T090000Z
DTEND:20260202T100000Z
SUMMARY:stand-up
RRULE:FREQ=DAILY;COUNT=5
END:VEVENT
BEGIN:VEVENT
UID:1
RECURRENCE-ID:20260204T090000Z
DTSTART:20260210T150000Z
DTEND:20260210T160000Z
SUMMARY:retreat
END:VEVENT`

func TestOverrides(t *testing.T) {
	o := object(t, moved)
	test := func(inner string, want bool) {
		t.Helper()
		if got := parse(t, `<C:comp-filter name="VEVENT">`+inner+`</C:comp-filter>`).Match(o, time.UTC, ics.Bound{}); got != want {
			t.Errorf("%v for %s", got, inner)
		}
	}
	summary := func(s string) string {
		return `<C:prop-filter name="SUMMARY"><C:text-match>` + s + `</C:text-match></C:prop-filter>`
	}
	test(window("20260204T000000Z", "20260205T000000Z"), false) // probe: the slot that it left
	test(window("20260210T153000Z", "20260210T154500Z"), true)
	// All conditions on one component (RFC 4791 §9.7.1).
	test(window("20260210T000000Z", "20260211T000000Z")+summary("retreat"), true)
	test(window("20260210T000000Z", "20260211T000000Z")+summary("stand-up"), false)
	test(window("20260203T000000Z", "20260204T000000Z")+summary("stand-up"), true)
	test(window("20260203T000000Z", "20260204T000000Z")+summary("retreat"), false)

	// An attendee who is invited to one occurrence has no master.
	alone := object(t, "BEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20260204T090000Z\nDTSTART:20260204T090000Z\nDTEND:20260204T100000Z\nEND:VEVENT")
	f := parse(t, `<C:comp-filter name="VEVENT">`+window("20260204T093000Z", "20260204T094500Z")+`</C:comp-filter>`)
	if !f.Match(alone, time.UTC, ics.Bound{}) {
		t.Error("a detached instance is not found")
	}
}

// RFC 4791 §9.9, the table for VTODO, row by row.
func TestTodoRange(t *testing.T) {
	test := func(lines, from, to string, want bool) {
		t.Helper()
		in(t, "VTODO", lines, from, to, time.UTC, want)
	}
	const lasting = "DTSTART:20260202T090000Z\nDURATION:PT1H"
	test(lasting, "20260202T100000Z", "20260202T110000Z", true) // start <= DTSTART+DURATION
	test(lasting, "20260202T100001Z", "20260202T110000Z", false)
	test(lasting, "20260202T080000Z", "20260202T090000Z", false)
	test(lasting, "20260202T080000Z", "20260202T090001Z", true)
	test("DTSTART:20260202T090000Z\nDURATION:PT0S", "20260202T080000Z", "20260202T090000Z", true) // end >= DTSTART+DURATION
	const due = "DTSTART:20260202T090000Z\nDUE:20260202T100000Z"
	test(due, "20260202T100000Z", "20260202T110000Z", false)
	test(due, "20260202T095959Z", "20260202T110000Z", true)
	test(due, "20260202T080000Z", "20260202T090000Z", false)
	test("DTSTART:20260202T090000Z\nDUE:20260202T090000Z", "20260202T090000Z", "20260202T110000Z", true) // start <= DTSTART
	test("DTSTART:20260202T090000Z\nDUE:20260202T090000Z", "20260202T080000Z", "20260202T090000Z", true) // end >= DUE
	test("DTSTART:20260202T090000Z", "20260202T090000Z", "20260202T100000Z", true)
	test("DTSTART:20260202T090000Z", "20260202T090001Z", "20260202T100000Z", false)
	test("DTSTART:20260202T090000Z", "20260202T080000Z", "20260202T090000Z", false)
	const dueOnly = "DUE:20260202T100000Z"
	test(dueOnly, "20260202T095959Z", "20260202T110000Z", true) // start < DUE
	test(dueOnly, "20260202T100000Z", "20260202T110000Z", false)
	test(dueOnly, "20260202T090000Z", "20260202T100000Z", true) // end >= DUE
	test(dueOnly, "20260202T090000Z", "20260202T095959Z", false)
	const both = "CREATED:20260201T000000Z\nCOMPLETED:20260203T000000Z"
	test(both, "20260202T000000Z", "20260202T010000Z", true)
	test(both, "20260203T000000Z", "20260204T000000Z", true)
	test(both, "20260203T000001Z", "20260204T000000Z", false)
	test(both, "20260101T000000Z", "20260201T000000Z", true)
	test(both, "20260101T000000Z", "20260131T000000Z", false)
	test("COMPLETED:20260203T000000Z", "20260203T000000Z", "20260204T000000Z", true)
	test("COMPLETED:20260203T000000Z", "20260202T000000Z", "20260203T000000Z", true)
	test("COMPLETED:20260203T000000Z", "20260203T000001Z", "20260204T000000Z", false)
	test("CREATED:20260203T000000Z", "20260204T000000Z", "20260205T000000Z", true)
	test("CREATED:20260203T000000Z", "20260202T000000Z", "20260203T000000Z", false)
	test("SUMMARY:some day", "20260202T000000Z", "20260203T000000Z", true) // probe: a to-do without a time

	const daily = "DTSTART:20260202T090000Z\nDUE:20260202T100000Z\nRRULE:FREQ=DAILY;COUNT=3"
	test(daily, "20260204T093000Z", "20260204T094500Z", true) // probe: VTODO
	test(daily, "20260205T000000Z", "20260206T000000Z", false)
	test("DTSTART:20260202T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3", "20260203T100000Z", "20260203T110000Z", true)
	const repeated = "DUE:20260202T100000Z\nRRULE:FREQ=DAILY;COUNT=3" // as programs for tasks write it
	test(repeated, "20260203T095959Z", "20260203T110000Z", true)
	test(repeated, "20260203T100000Z", "20260203T110000Z", false)
	test(repeated, "20260204T090000Z", "20260204T100000Z", true)
	test(repeated, "20260205T000000Z", "20260206T000000Z", false)
}

// RFC 4791 §9.9, the tables for VJOURNAL and VFREEBUSY.
func TestJournalAndFreeBusyRange(t *testing.T) {
	test := func(kind, lines, from, to string, want bool) {
		t.Helper()
		in(t, kind, lines, from, to, time.UTC, want)
	}
	test("VJOURNAL", "DTSTART:20260202T090000Z", "20260202T090000Z", "20260202T100000Z", true)
	test("VJOURNAL", "DTSTART:20260202T090000Z", "20260202T090001Z", "20260202T100000Z", false)
	test("VJOURNAL", "DTSTART;VALUE=DATE:20260202", "20260202T230000Z", "20260203T000000Z", true)
	test("VJOURNAL", "DTSTART;VALUE=DATE:20260202", "20260203T000000Z", "20260204T000000Z", false)
	test("VJOURNAL", "DTSTART;VALUE=DATE:20260202\nRRULE:FREQ=DAILY;COUNT=3", "20260204T230000Z", "20260205T000000Z", true)
	test("VJOURNAL", "SUMMARY:x", "20260203T000000Z", "20260204T000000Z", false)

	const span = "DTSTART:20260202T090000Z\nDTEND:20260202T100000Z\nFREEBUSY:20260301T090000Z/PT1H"
	test("VFREEBUSY", span, "20260202T100000Z", "20260202T110000Z", true) // start <= DTEND
	test("VFREEBUSY", span, "20260202T100001Z", "20260202T110000Z", false)
	test("VFREEBUSY", span, "20260202T080000Z", "20260202T090000Z", false)
	test("VFREEBUSY", span, "20260301T090000Z", "20260301T100000Z", false)
	const periods = "FREEBUSY;FBTYPE=FREE:20260202T090000Z/20260202T100000Z,20260301T090000Z/PT1H\nFREEBUSY:nonsense"
	test("VFREEBUSY", periods, "20260301T093000Z", "20260301T110000Z", true)
	test("VFREEBUSY", periods, "20260301T100000Z", "20260301T110000Z", false)
	test("VFREEBUSY", periods, "20260202T080000Z", "20260202T090001Z", true)
	test("VFREEBUSY", "SUMMARY:x", "20260202T080000Z", "20260202T090001Z", false)
}

// RFC 7953 §7.2.3: a side that is not there is open.
func TestAvailabilityRange(t *testing.T) {
	test := func(lines, from, to string, want bool) {
		t.Helper()
		in(t, "VAVAILABILITY", lines, from, to, time.UTC, want)
	}
	const both = "DTSTART:20260202T090000Z\nDTEND:20260202T100000Z"
	test(both, "20260202T100000Z", "20260202T110000Z", false)
	test(both, "20260202T095959Z", "20260202T110000Z", true)
	test(both, "20260202T080000Z", "20260202T090000Z", false)
	test(both, "20260202T080000Z", "20260202T090001Z", true)
	test("DTSTART:20260202T090000Z\nDURATION:PT1H", "20260202T095959Z", "20260202T110000Z", true)
	test("DTSTART:20260202T090000Z\nDURATION:PT1H", "20260202T100000Z", "20260202T110000Z", false)
	test("DTSTART:20260202T090000Z", "20990202T100000Z", "20990202T110000Z", true)
	test("DTSTART:20260202T090000Z", "20260202T080000Z", "20260202T090000Z", false)
	test("DTEND:20260202T100000Z", "19700202T100000Z", "19700202T110000Z", true)
	test("DTEND:20260202T100000Z", "20260202T100000Z", "20260202T110000Z", false)
	test("SUMMARY:always", "20260202T100000Z", "20260202T110000Z", true)
}

// RFC 4791 §9.9, VALARM.
func TestAlarmRange(t *testing.T) {
	test := func(kind, lines, alarm, from, to string, want bool) {
		t.Helper()
		o := object(t, "BEGIN:"+kind+"\nUID:1\n"+lines+"\nBEGIN:VALARM\nACTION:AUDIO\n"+alarm+"\nEND:VALARM\nEND:"+kind)
		f := parse(t, `<C:comp-filter name="`+kind+`"><C:comp-filter name="VALARM">`+window(from, to)+`</C:comp-filter></C:comp-filter>`)
		if got := f.Match(o, time.UTC, ics.Bound{}); got != want {
			t.Errorf("%v for %s/%s of %s with %s", got, from, to, lines, alarm)
		}
	}
	const event = "DTSTART:20260202T090000Z\nDTEND:20260202T100000Z"
	test("VEVENT", event, "TRIGGER:-PT10M", "20260202T085000Z", "20260202T085001Z", true) // probe: VALARM
	test("VEVENT", event, "TRIGGER:-PT10M", "20260202T085001Z", "20260202T100000Z", false)
	test("VEVENT", event, "TRIGGER:-PT10M", "20260202T080000Z", "20260202T085000Z", false)
	test("VEVENT", event, "TRIGGER;RELATED=END:PT10M", "20260202T101000Z", "20260202T101001Z", true)
	test("VEVENT", event, "TRIGGER;RELATED=END:PT10M", "20260202T091000Z", "20260202T091001Z", false)
	test("VEVENT", event, "TRIGGER;VALUE=DATE-TIME:20260101T120000Z", "20260101T120000Z", "20260101T130000Z", true)
	test("VEVENT", event, "TRIGGER;VALUE=DATE-TIME:20260101T120000Z", "20260202T000000Z", "20260203T000000Z", false)
	test("VEVENT", event, "TRIGGER:-P2D", "20260131T090000Z", "20260131T090001Z", true)
	test("VEVENT", event, "SUMMARY:no trigger", "20260101T120000Z", "20270101T130000Z", false)
	test("VEVENT", event, "TRIGGER:gibberish", "20260101T120000Z", "20270101T130000Z", false)
	// It sounds again, REPEAT times.
	test("VEVENT", event, "TRIGGER:-PT30M\nREPEAT:2\nDURATION:PT10M", "20260202T084500Z", "20260202T085001Z", true)
	test("VEVENT", event, "TRIGGER:-PT30M\nREPEAT:2\nDURATION:PT10M", "20260202T085001Z", "20260202T100000Z", false)
	test("VEVENT", event, "TRIGGER:-PT30M\nREPEAT:2\nDURATION:PT10M", "20260202T084100Z", "20260202T084500Z", false)
	test("VEVENT", event, "TRIGGER:-PT30M\nREPEAT:99999999999\nDURATION:PT1S", "20270202T085001Z", "20270202T085002Z", true)
	test("VEVENT", event, "TRIGGER:-PT30M\nREPEAT:2\nDURATION:PT0S", "20260202T083000Z", "20260202T083001Z", true)
	// Any instance's alarm.
	const weekly = event + "\nRRULE:FREQ=WEEKLY"
	test("VEVENT", weekly, "TRIGGER:-PT10M", "20260302T085000Z", "20260302T085001Z", true)
	test("VEVENT", weekly, "TRIGGER:-PT10M", "20260302T085001Z", "20260302T100000Z", false)
	test("VEVENT", weekly, "TRIGGER;RELATED=END:-PT10M", "20260302T095000Z", "20260302T095001Z", true)
	test("VEVENT", weekly, "TRIGGER:-PT10M", "20260302T000000Z", "-", true)

	test("VTODO", "DUE:20260202T090000Z", "TRIGGER;RELATED=END:-PT10M", "20260202T085000Z", "20260202T085001Z", true)
	test("VTODO", "DTSTART:20260201T090000Z\nDUE:20260202T090000Z", "TRIGGER:-PT10M", "20260201T085000Z", "20260201T085001Z", true)
	test("VTODO", "DTSTART:20260201T090000Z\nDURATION:P1D", "TRIGGER;RELATED=END:-PT10M", "20260202T085000Z", "20260202T085001Z", true)
	test("VTODO", "SUMMARY:no time", "TRIGGER:-PT10M", "20260101T000000Z", "20270201T085001Z", false)
	test("VTODO", "DTSTART:20260201T090000Z\nDUE:20260202T090000Z\nRRULE:FREQ=WEEKLY", "TRIGGER;RELATED=END:-PT10M", "20260209T085000Z", "20260209T085001Z", true)
}

// RFC 4791 §9.9: properties, with the effective DTEND and DUE.
func TestPropertyRange(t *testing.T) {
	test := func(kind, lines, prop, from, to string, want bool) {
		t.Helper()
		o := object(t, "BEGIN:"+kind+"\nUID:1\n"+lines+"\nEND:"+kind)
		f := parse(t, `<C:comp-filter name="`+kind+`"><C:prop-filter name="`+prop+`">`+window(from, to)+`</C:prop-filter></C:comp-filter>`)
		if got := f.Match(o, time.UTC, ics.Bound{}); got != want {
			t.Errorf("%v for %s in %s/%s of %s", got, prop, from, to, lines)
		}
	}
	const e = "DTSTAMP:20260101T000000Z\nDTSTART:20260202T090000Z\nDURATION:PT1H"
	test("VEVENT", e, "DTSTAMP", "20260101T000000Z", "20260101T000001Z", true)
	test("VEVENT", e, "DTSTAMP", "20251231T000000Z", "20260101T000000Z", false)
	test("VEVENT", e, "DTSTART", "20260202T090000Z", "-", true)
	test("VEVENT", e, "DTSTART", "20260202T090001Z", "-", false)
	test("VEVENT", e, "DTEND", "20260202T100000Z", "20260202T100001Z", true)
	test("VEVENT", e, "DTEND", "20260202T090000Z", "20260202T100000Z", false)
	test("VEVENT", e, "CREATED", "20250202T090000Z", "20270202T100000Z", false)
	test("VTODO", "DTSTART:20260202T090000Z\nDURATION:PT1H", "DUE", "20260202T100000Z", "20260202T100001Z", true)
	test("VTODO", "DUE:20260202T100000Z", "DUE", "20260202T100000Z", "20260202T100001Z", true)
	test("VEVENT", "DTSTART:x\nDTSTAMP:y", "DTSTAMP", "20250202T100000Z", "20270202T100001Z", false)
}
