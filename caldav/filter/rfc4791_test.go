package filter

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// collection reads the calendar of RFC 4791, appendix B. The examples of §7.8
// were printed from other data in two places, which are changed here: abcd2
// has a second override, and Task #2 (abcd4 in the example, abcd5 in the
// appendix) is due at a time.
func collection(t testing.TB) map[string]*ics.Object {
	t.Helper()
	data, err := os.ReadFile("testdata/rfc4791b.txtar")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*ics.Object{}
	for _, file := range strings.Split(string(data), "\n-- ")[1:] {
		name, body, _ := strings.Cut(file, " --\n")
		switch name {
		case "abcd2":
			body = strings.Replace(body, "END:VCALENDAR", `BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060106T140000
DURATION:PT1H
RECURRENCE-ID;TZID=US/Eastern:20060106T120000
SUMMARY:Event #2 bis bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
END:VCALENDAR`, 1)
		case "abcd5":
			body = strings.Replace(body, "DUE;VALUE=DATE:20060106", "DUE;TZID=US/Eastern:20060106T120000", 1)
		}
		o, err := ics.Parse([]byte(strings.ReplaceAll(body, "\n", "\r\n")), ics.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = o
	}
	if len(all) != 8 {
		t.Fatalf("%d objects", len(all))
	}
	return all
}

// TestExamples are the queries of RFC 4791 §7.8.
func TestExamples(t *testing.T) {
	all := collection(t)
	test := func(section, data, filter string, want ...string) map[string]string {
		t.Helper()
		f, d := parse(t, filter), wanted(t, data)
		var names []string
		got := map[string]string{}
		for name, o := range all {
			if f.Match(o, time.UTC, ics.Bound{}) {
				names = append(names, name)
				b, err := d.Of(o, time.UTC, ics.Bound{})
				if err != nil {
					t.Errorf("%s: %s: %v", section, name, err)
				}
				got[name] = strings.ReplaceAll(string(b), "\r\n", "\n")
			}
		}
		slices.Sort(names)
		if !slices.Equal(names, want) {
			t.Errorf("%s: %q, want %q", section, names, want)
		}
		return got
	}
	event := func(from, to string) string {
		return `<C:comp-filter name="VEVENT">` + window(from, to) + `</C:comp-filter>`
	}

	got := test("7.8.1", `<C:comp name="VCALENDAR"><C:prop name="VERSION"/><C:comp name="VEVENT"><C:prop name="SUMMARY"/><C:prop name="UID"/>
		<C:prop name="DTSTART"/><C:prop name="DTEND"/><C:prop name="DURATION"/><C:prop name="RRULE"/><C:prop name="RDATE"/><C:prop name="EXRULE"/>
		<C:prop name="EXDATE"/><C:prop name="RECURRENCE-ID"/></C:comp><C:comp name="VTIMEZONE"/></C:comp>`,
		event("20060104T000000Z", "20060105T000000Z"), "abcd2", "abcd3")
	if want := `BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VTIMEZONE
LAST-MODIFIED:20040110T032845Z
TZID:US/Eastern
BEGIN:DAYLIGHT
DTSTART:20000404T020000
RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4
TZNAME:EDT
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20001026T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZNAME:EST
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
DTSTART;TZID=US/Eastern:20060102T120000
DURATION:PT1H
RRULE:FREQ=DAILY;COUNT=5
SUMMARY:Event #2
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID=US/Eastern:20060104T140000
DURATION:PT1H
RECURRENCE-ID;TZID=US/Eastern:20060104T120000
SUMMARY:Event #2 bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID=US/Eastern:20060106T140000
DURATION:PT1H
RECURRENCE-ID;TZID=US/Eastern:20060106T120000
SUMMARY:Event #2 bis bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
END:VCALENDAR
`; got["abcd2"] != want {
		t.Errorf("7.8.1:\n%s", got["abcd2"])
	}

	got = test("7.8.2", `<C:limit-recurrence-set start="20060103T000000Z" end="20060105T000000Z"/>`,
		event("20060103T000000Z", "20060105T000000Z"), "abcd2", "abcd3")
	if s := got["abcd2"]; !strings.Contains(s, "SUMMARY:Event #2\n") || !strings.Contains(s, "SUMMARY:Event #2 bis\n") || strings.Contains(s, "bis bis") {
		t.Errorf("7.8.2:\n%s", s)
	}
	if got["abcd3"] != strings.ReplaceAll(string(all["abcd3"].Bytes()), "\r\n", "\n") {
		t.Errorf("7.8.2: an object without overrides changed:\n%s", got["abcd3"])
	}

	// The example prints the times without their Z, which its text demands.
	got = test("7.8.3", `<C:expand start="20060103T000000Z" end="20060105T000000Z"/>`,
		event("20060103T000000Z", "20060105T000000Z"), "abcd2", "abcd3")
	if want := `BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example Corp.//CalDAV Client//EN
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART:20060103T170000Z
RECURRENCE-ID:20060103T170000Z
DURATION:PT1H
SUMMARY:Event #2
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART:20060104T190000Z
DURATION:PT1H
RECURRENCE-ID:20060104T170000Z
SUMMARY:Event #2 bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
END:VCALENDAR
`; got["abcd2"] != want {
		t.Errorf("7.8.3:\n%s", got["abcd2"])
	}
	if s := got["abcd3"]; !strings.Contains(s, "\nDTSTART:20060104T150000Z\n") || strings.Contains(s, "RECURRENCE-ID") || strings.Contains(s, "TZID") {
		t.Errorf("7.8.3:\n%s", s)
	}

	got = test("7.8.4", `<C:limit-freebusy-set start="20060102T000000Z" end="20060103T000000Z"/>`,
		`<C:comp-filter name="VFREEBUSY">`+window("20060102T000000Z", "20060103T000000Z")+`</C:comp-filter>`, "abcd8")
	if s := got["abcd8"]; strings.Count(s, "FREEBUSY") != 3 || !strings.Contains(s, "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z\n") {
		t.Errorf("7.8.4:\n%s", s)
	}

	test("7.8.5", ``, `<C:comp-filter name="VTODO"><C:comp-filter name="VALARM">`+window("20060106T100000Z", "20060107T100000Z")+`</C:comp-filter></C:comp-filter>`, "abcd5")

	test("7.8.6", ``, `<C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match collation="i;octet">DC6C50A017428C5216A2F1CD@example.com</C:text-match></C:prop-filter></C:comp-filter>`, "abcd3")

	test("7.8.7", ``, `<C:comp-filter name="VEVENT"><C:prop-filter name="ATTENDEE"><C:text-match collation="i;ascii-casemap">mailto:lisa@example.com</C:text-match>
		<C:param-filter name="PARTSTAT"><C:text-match collation="i;ascii-casemap">NEEDS-ACTION</C:text-match></C:param-filter></C:prop-filter></C:comp-filter>`, "abcd3")

	test("7.8.8", ``, `<C:comp-filter name="VEVENT"/>`, "abcd1", "abcd2", "abcd3")

	test("7.8.9", ``, `<C:comp-filter name="VTODO"><C:prop-filter name="COMPLETED"><C:is-not-defined/></C:prop-filter>
		<C:prop-filter name="STATUS"><C:text-match negate-condition="yes">CANCELLED</C:text-match></C:prop-filter></C:comp-filter>`, "abcd4", "abcd5")

	test("B", ``, ``, "abcd1", "abcd2", "abcd3", "abcd4", "abcd5", "abcd6", "abcd7", "abcd8")
}
