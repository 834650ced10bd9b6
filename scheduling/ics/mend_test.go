package ics

import (
	"strings"
	"testing"
	"time"
)

func TestMended(t *testing.T) {
	object := func(components ...string) string {
		return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" + strings.Join(components, "") + "END:VCALENDAR\r\n"
	}
	event := func(lines ...string) string {
		return "BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\n"
	}
	test := func(in, want string) {
		t.Helper()
		o, err := Parse([]byte(in), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		m := Mended(o)
		if got := string(m.Bytes()); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		if (in == want) != (m == o) {
			t.Error("another object where nothing is mended")
		}
		if err := m.Check(); err != nil {
			t.Error(err)
		}
	}
	same := func(in string) { t.Helper(); test(in, in) }
	// An end that lies before the beginning is none.
	ends := func(start, end string) {
		t.Helper()
		test(object(event(start, end)), object(event(start)))
	}
	ends("DTSTART:20260709T120000Z", "DTEND:20260708T120000Z")
	ends("DTSTART:20260709T120000Z", "DTEND;VALUE=DATE:20260708")
	ends("DTSTART:20260709T120000Z", "DTEND:20060708T120000")
	ends("DTSTART;VALUE=DATE:20260709", "DTEND;VALUE=DATE:20260708")
	ends("DTSTART;VALUE=DATE:20260709", "DTEND:20260708T120000")
	ends("DTSTART;TZID=America/Vancouver:20260709T120000", "DTEND:20260709T180000Z")
	same(object(event("DTSTART;TZID=America/Vancouver:20260709T120000", "DTEND:20260709T200000Z")))
	same(object(event("DTSTART:20260709T120000Z", "DTEND:20260709T120000Z")))
	same(object(strings.NewReplacer("VEVENT", "VTODO", "DTEND", "DUE").Replace(event("DTSTART:20260709T120000Z", "DTEND:20260708T120000Z"))))

	daily := event("DTSTART;TZID=Europe/Berlin:20260427T120000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5")
	changed := func(rid string) string {
		return event("RECURRENCE-ID"+rid, "DTSTART;TZID=Europe/Berlin:20260428T150000", "DURATION:PT1H")
	}
	const berlin = ";TZID=Europe/Berlin:"
	test(object(daily, changed(berlin+"20260428T000000")), object(daily, changed(berlin+"20260428T120000")))
	test(object(changed(berlin+"20260428T000000"), daily), object(changed(berlin+"20260428T120000"), daily))
	same(object(daily, changed(berlin+"20260428T120000")))
	misnamed := func(rid string, want bool) {
		t.Helper()
		o, err := Parse([]byte(object(daily, changed(rid))), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if p := o.Misnamed(); (p != nil) != want {
			t.Errorf("%s: %+v", rid, p)
		}
	}
	misnamed(berlin+"20260428T010000", true)
	misnamed(berlin+"20260428T120000", false)
	misnamed(berlin+"20260503T010000", false) // no day of the series
	misnamed(":20260428T010000Z", false)
	same(object(daily, changed(berlin+"20260428T010000"))) // no midnight
	same(object(daily, changed(berlin+"20260503T000000"))) // a day without one
	same(object(daily, changed(":20260428T000000Z")))      // a midnight, but whose?
	same(object(daily, changed(berlin+"20260428T120000"), changed(berlin+"20260428T000000")))
	same(object(changed(berlin + "20260428T000000"))) // nobody knows the series
	twice := strings.Replace(daily, "DURATION", "RDATE;TZID=Europe/Berlin:20260428T180000\r\nDURATION", 1)
	same(object(twice, changed(berlin+"20260428T000000")))
	without := strings.Replace(daily, "DURATION", "EXDATE;TZID=Europe/Berlin:20260428T120000\r\nDURATION", 1)
	same(object(without, changed(berlin+"20260428T000000")))
}

// A task may repeat without any date: again when it is done.
func TestUndatedTask(t *testing.T) {
	o, err := Parse([]byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\nRRULE:FREQ=WEEKLY;COUNT=4\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"), Limits{})
	if err != nil || o.Check() != nil {
		t.Fatalf("%v, %v", err, o.Check())
	}
	if err := o.Instances(time.Time{}, time.Time{}, time.UTC, Bound{}, func(i Instance) bool {
		t.Errorf("%+v", i)
		return true
	}); err != nil {
		t.Error(err)
	}
}

func TestUnknownZone(t *testing.T) {
	test := func(zones, start, want string) {
		t.Helper()
		o, err := Parse([]byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n"+zones+"BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\nDTSTART"+start+"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := o.UnknownZone(); got != want {
			t.Errorf("%s: %q, want %q", start, got, want)
		}
	}
	test("", ":20260709T120000", "")
	test("", ";TZID=Europe/Berlin:20260709T120000", "")
	test("", ";TZID=W. Europe Standard Time:20260709T120000", "")
	test("", ";TZID=/freeassociation.sourceforge.net/Europe/Berlin:20260709T120000", "")
	test("", ";TZID=Mars:20260709T120000", "Mars")
	test("BEGIN:VTIMEZONE\r\nTZID:Mars\r\nEND:VTIMEZONE\r\n", ";TZID=Mars:20260709T120000", "")
}

func TestLooseEnd(t *testing.T) {
	test := func(start, end string, loose bool) {
		t.Helper()
		o, err := Parse([]byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTART"+start+"\r\nDTEND"+end+"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if p := o.LooseEnd(); (p != nil) != loose {
			t.Errorf("%s to %s: %+v", start, end, p)
		}
	}
	const berlin = ";TZID=Europe/Berlin:20260710T120000"
	test(":20260709T120000Z", ":20260710T120000Z", false)
	test(":20260709T120000", ":20260710T120000", false)
	test(":20260709T120000Z", berlin, false)
	test(":20260709T120000Z", ":20260710T120000", true)
	test(":20260709T120000", berlin, true)
	test(":20260709", ":20260710", false)
}
