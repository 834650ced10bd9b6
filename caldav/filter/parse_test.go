package filter

import (
	"errors"
	"strings"
	"testing"

	"github.com/convene-server/convene/caldav/dav"
)

// element parses XML in which C: is CalDAV's prefix.
func element(t testing.TB, s string) *dav.Element {
	t.Helper()
	e, err := dav.Parse(strings.NewReader(`<x xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">`+s+`</x>`), dav.Limits{})
	if err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return e.Children()[0]
}

// parse makes a filter of what stands inside the comp-filter of VCALENDAR.
func parse(t testing.TB, inner string) *Filter {
	t.Helper()
	f, err := Parse(element(t, `<C:filter><C:comp-filter name="VCALENDAR">`+inner+`</C:comp-filter></C:filter>`))
	if err != nil {
		t.Fatalf("%v in %s", err, inner)
	}
	return f
}

// condition returns the name of the precondition that an error tells.
func condition(err error) string {
	var e *dav.Error
	if errors.As(err, &e) {
		return e.Cond.Local
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestParseRefusals(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		_, err := Parse(element(t, in))
		if got := condition(err); got != want {
			t.Errorf("%.120s: %q (%v), want %q", in, got, err, want)
		}
	}
	in := func(s string) string {
		return `<C:filter><C:comp-filter name="VCALENDAR">` + s + `</C:comp-filter></C:filter>`
	}
	event := func(s string) string { return in(`<C:comp-filter name="VEVENT">` + s + `</C:comp-filter>`) }

	test(in(""), "")
	test(`<C:filter><C:comp-filter name="vcalendar"/></C:filter>`, "")
	test(event(`<C:time-range start="20260101T000000Z"/>`), "")
	test(event(`<C:time-range end="20260101T000000Z"/>`), "")
	test(event(`<D:foreign/><C:prop-filter name="UID"><D:foreign/><C:text-match>x</C:text-match></C:prop-filter>`), "")
	test(in(`<C:comp-filter name="VTODO"><C:comp-filter name="VALARM"/></C:comp-filter>`), "")
	test(in(`<C:comp-filter name="X-THING"><C:comp-filter name="X-INNER"/></C:comp-filter>`), "")

	test(`<C:other/>`, "valid-filter")
	test(`<C:filter/>`, "valid-filter")
	test(`<C:filter><C:comp-filter/></C:filter>`, "valid-filter")
	test(`<C:filter><C:comp-filter name="VEVENT"/></C:filter>`, "valid-filter")
	test(`<C:filter><C:comp-filter name="VCALENDAR"/><C:comp-filter name="VCALENDAR"/></C:filter>`, "valid-filter")
	test(in(`<C:comp-filter name="VTODO"><C:comp-filter name="VEVENT"/></C:comp-filter>`), "valid-filter") // RFC 4791 §7.8
	test(in(`<C:comp-filter name="VCALENDAR"/>`), "valid-filter")
	test(in(`<C:comp-filter name="VALARM"/>`), "valid-filter")
	test(event(`<C:prop-filter name="SUMMARY"><C:time-range start="20260101T000000Z"/></C:prop-filter>`), "valid-filter") // §7.8
	test(in(`<C:time-range start="20260101T000000Z"/>`), "valid-filter")
	test(event(`<C:time-range/>`), "valid-filter")
	test(event(`<C:time-range start="20260101T000000"/>`), "valid-filter")
	test(event(`<C:time-range start="20260101"/>`), "valid-filter")
	test(event(`<C:time-range start="20260101T000000.5Z"/>`), "valid-filter")
	test(event(`<C:time-range start="20260101T000000Z" end="20260101T000000Z"/>`), "valid-filter") // §9.9
	test(event(`<C:time-range start="20260101T000000Z"/><C:time-range start="20260101T000000Z"/>`), "valid-filter")
	test(event(`<C:is-not-defined/><C:prop-filter name="UID"/>`), "valid-filter")
	test(event(`<C:prop-filter name="UID"><C:is-not-defined/><C:text-match>x</C:text-match></C:prop-filter>`), "valid-filter")
	test(event(`<C:prop-filter name="DTSTART"><C:time-range start="20260101T000000Z"/><C:text-match>x</C:text-match></C:prop-filter>`), "valid-filter")
	test(event(`<C:prop-filter name="A"><C:text-match>x</C:text-match><C:text-match>x</C:text-match></C:prop-filter>`), "valid-filter")
	test(event(`<C:prop-filter name="A"><C:text-match negate-condition="maybe">x</C:text-match></C:prop-filter>`), "valid-filter")
	test(event(`<C:prop-filter name="A"><C:param-filter name="B"><C:is-not-defined/><C:text-match>x</C:text-match></C:param-filter></C:prop-filter>`), "valid-filter")
	test(event(`<C:prop-filter name="A"><C:param-filter/></C:prop-filter>`), "valid-filter")
	test(in(`<C:comp-filter name="VEVENT" test="some"/>`), "valid-filter")
	test(event(`<C:prop-filter name="A" test="some"/>`), "valid-filter")
	test(event(`<C:prop-filter name="A"><C:text-match match-type="like">x</C:text-match></C:prop-filter>`), "valid-filter")
	test(in(`<C:comp-filter name="*"><C:comp-filter name="VCALENDAR"/></C:comp-filter>`), "")

	test(event(`<C:prop-filter name="A"><C:text-match collation="i;klingon">x</C:text-match></C:prop-filter>`), "supported-collation")
	test(event(`<C:near/>`), "supported-filter")
	test(event(`<C:prop-filter name="A"><C:near/></C:prop-filter>`), "supported-filter")
	test(event(strings.Repeat(`<C:prop-filter name="A"/>`, maxParts)), "supported-filter")
	test(event(`<C:prop-filter name="`+strings.Repeat("A", maxName+1)+`"/>`), "supported-filter")
	test(event(`<C:prop-filter name="A"><C:text-match>`+strings.Repeat("x", maxText+1)+`</C:text-match></C:prop-filter>`), "supported-filter")
	test(in(strings.Repeat(`<C:comp-filter name="X-A">`, maxDepth)+strings.Repeat(`</C:comp-filter>`, maxDepth)), "supported-filter")
}

func TestParseData(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		_, err := ParseData(element(t, in))
		if got := condition(err); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	test(`<C:calendar-data/>`, "")
	test(`<C:calendar-data content-type="text/calendar" version="2.0"/>`, "")
	test(`<C:calendar-data content-type="application/calendar+xml"/>`, "supported-calendar-data")
	test(`<C:calendar-data content-type="application/calendar+json" version="2.0"/>`, "")
	test(`<C:calendar-data version="1.0"/>`, "supported-calendar-data")
	const r = ` start="20260101T000000Z" end="20260102T000000Z"/>`
	test(`<C:calendar-data><C:expand`+r+`<C:limit-freebusy-set`+r+`</C:calendar-data>`, "")
	test(`<C:calendar-data><C:expand`+r+`<C:limit-recurrence-set`+r+`</C:calendar-data>`, "valid-filter")
	test(`<C:calendar-data><C:expand start="20260101T000000Z"/></C:calendar-data>`, "valid-filter") // §9.6.5: both are required
	test(`<C:calendar-data><C:comp name="VEVENT"/></C:calendar-data>`, "valid-filter")
	test(`<C:calendar-data><C:comp name="VCALENDAR"/><C:comp name="VCALENDAR"/></C:calendar-data>`, "valid-filter")
	test(`<C:calendar-data>`+strings.Repeat(`<C:comp name="VCALENDAR">`, maxDepth+1)+strings.Repeat(`</C:comp>`, maxDepth+1)+`</C:calendar-data>`, "supported-filter")
}
