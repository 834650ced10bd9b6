package caldav

import (
	"strings"
	"testing"
)

// RFC 4791 §5.2.5 to §5.2.8: what is told is what is enforced, with the
// precondition of its name (§5.3.2.1).
func TestAdvertisedLimits(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		w := h.propfind(ann, annCalendar, "0", "C:max-resource-size C:max-instances C:min-date-time C:max-date-time").row(t, annCalendar)
		for name, want := range map[string]string{"C:max-resource-size": "1048576", "C:max-instances": "100000", "C:min-date-time": "00010101T000000Z", "C:max-date-time": "99991231T235959Z"} {
			if got := w.text(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		n := 0
		test := func(condition, start, end, more string) {
			t.Helper()
			n++
			r := h.put(ann, annCalendar+"a"+strings.Repeat("x", n)+".ics", event("a"+strings.Repeat("x", n), start, end, more))
			if condition == "" {
				r.want(t, 201)
			} else {
				r.refused(t, 403, condition)
			}
		}
		test("C:max-resource-size", "20261102T100000Z", "20261102T110000Z", "DESCRIPTION:"+strings.Repeat("x", 1<<20))

		test("", "00010101T000000Z", "00010101T010000Z", "")
		test("C:min-date-time", "00001231T230000Z", "00010101T010000Z", "")
		test("C:min-date-time", "20261102T100000Z", "20261102T110000Z", "RRULE:FREQ=DAILY;COUNT=3\nEXDATE:20261103T100000Z,00001231T230000Z")
		test("", "99991231T220000Z", "99991231T235959Z", "")
		test("", "20261102T100000Z", "20261102T110000Z", "RRULE:FREQ=YEARLY")
		r := h.put(ann, annCalendar+"late.ics", strings.NewReplacer("DTSTART:", "DTSTART;TZID=America/New_York:", "DTEND:", "DTEND;TZID=America/New_York:").Replace(
			event("late", "99991231T200000", "99991231T210000", "")))
		r.refused(t, 403, "C:max-date-time") // it is the year 10000 in UTC

		test("", "20200101T000000Z", "20200101T000100Z", "RRULE:FREQ=HOURLY;COUNT=100000")
		test("C:max-instances", "20200101T000000Z", "20200101T000100Z", "RRULE:FREQ=HOURLY;COUNT=100001")
		test("C:max-instances", "20200101T000000Z", "20200101T000001Z", "RRULE:FREQ=SECONDLY;UNTIL=20991231T000000Z")
		test("", "20200101T000000Z", "20200101T000100Z", "RRULE:FREQ=HOURLY") // without end: as many as are asked for

		// RFC 4791 §7.8: what a report asks for lies within them as well.
		within := func(start, end string) reply {
			t.Helper()
			return h.report(ann, annCalendar, `<C:calendar-query><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="`+start+`" end="`+end+`"/>`+
				`</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`)
		}
		within("00001231T235959Z", "20261102T100000Z").refused(t, 403, "C:min-date-time")
		within("00010101T000000Z", "99991231T235959Z").want(t, 207)
	})
}
