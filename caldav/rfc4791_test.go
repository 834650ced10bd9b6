package caldav

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/convene-server/convene/db/dbtest"
)

// TestPrintedExamples plays the exchanges of RFC 4791 §7.8.1 to §7.10.1, word for
// word, with the calendar of its appendix B, through the door. (Package filter
// compares what they print, line by line.) Two objects are as the examples have
// them, not the appendix: of abcd2 one more day has moved, Task #2 is due at a time.
func TestPrintedExamples(t *testing.T) {
	h := newHouse(t, dbtest.New(t, "sqlite"))
	const work = annHome + "work/"
	h.do(ann, "MKCALENDAR", work, "").want(t, 201)
	data, err := os.ReadFile("filter/testdata/rfc4791b.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range strings.Split(string(data), "\n-- ")[1:] {
		name, body, _ := strings.Cut(file, " --\n")
		body = strings.Replace(body, "DUE;VALUE=DATE:20060106", "DUE:20060106T170000Z", 1)
		if name == "abcd2" {
			body = strings.Replace(body, "END:VCALENDAR", "BEGIN:VEVENT\nDTSTAMP:20060206T001121Z\nDTSTART;TZID=US/Eastern:20060106T140000\nDURATION:PT1H\n"+
				"RECURRENCE-ID;TZID=US/Eastern:20060106T120000\nSUMMARY:Event #2 bis bis\nUID:00959BC664CA650E933C892C@example.com\nEND:VEVENT\nEND:VCALENDAR", 1)
		}
		put := h.put(ann, work+name+".ics", strings.ReplaceAll(body, "\n", "\r\n"))
		if name == "abcd8" { // stored busy time: no calendar here takes it (§5.2.3)
			put.refused(t, 403, "C:supported-calendar-component")
			continue
		}
		put.want(t, 201)
	}
	ask := func(section, body, depth string, want ...string) reply {
		t.Helper()
		got := h.do(ann, "REPORT", work, `<?xml version="1.0" encoding="utf-8" ?>`+body, "Content-Type", `application/xml; charset="utf-8"`, "Depth", depth).want(t, 207)
		list := names(t, got, work)
		if slices.Sort(list); !slices.Equal(list, want) {
			t.Errorf("%s: %q, want %q", section, list, want)
		}
		return got
	}
	has := func(section string, q reply, name string, want ...string) {
		t.Helper()
		text := q.row(t, work+name).text("C:calendar-data")
		for _, w := range want {
			not := strings.HasPrefix(w, "!")
			if w = strings.TrimPrefix(w, "!"); strings.Contains(text, w) == not {
				t.Errorf("%s: %q in\n%s", section, w, text)
			}
		}
	}
	q := ask("7.8.1", `<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data><C:comp name="VCALENDAR"><C:prop name="VERSION"/><C:comp name="VEVENT"><C:prop name="SUMMARY"/><C:prop name="UID"/><C:prop name="DTSTART"/><C:prop name="DTEND"/><C:prop name="DURATION"/><C:prop name="RRULE"/><C:prop name="RDATE"/><C:prop name="EXRULE"/><C:prop name="EXDATE"/><C:prop name="RECURRENCE-ID"/></C:comp><C:comp name="VTIMEZONE"/></C:comp></C:calendar-data></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20060104T000000Z" end="20060105T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, "1", "abcd2.ics", "abcd3.ics")
	has("7.8.1", q, "abcd3.ics", "BEGIN:VTIMEZONE", "SUMMARY:Event #3", "!ATTENDEE", "!PRODID")
	if q.row(t, work+"abcd2.ics").text("D:getetag") == "" {
		t.Error("7.8.1: no ETag")
	}
	q = ask("7.8.2", `<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data><C:limit-recurrence-set start="20060103T000000Z" end="20060105T000000Z"/></C:calendar-data></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20060103T000000Z" end="20060105T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, "1", "abcd2.ics", "abcd3.ics")
	has("7.8.2", q, "abcd2.ics", "RRULE", "RECURRENCE-ID;TZID=US/Eastern:20060104T120000", "!bis bis")
	q = ask("7.8.3", `<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data><C:expand start="20060103T000000Z" end="20060105T000000Z"/></C:calendar-data></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20060103T000000Z" end="20060105T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, "1", "abcd2.ics", "abcd3.ics")
	has("7.8.3", q, "abcd2.ics", "DTSTART:20060103T170000Z", "RECURRENCE-ID:20060103T170000Z", "DTSTART:20060104T190000Z", "RECURRENCE-ID:20060104T170000Z", "!RRULE", "!TZID", "!bis bis")
	has("7.8.3", q, "abcd3.ics", "DTSTART:20060104T150000Z", "!RECURRENCE-ID")
	ask("7.8.4", `<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data><C:limit-freebusy-set start="20060102T000000Z" end="20060103T000000Z"/></C:calendar-data></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VFREEBUSY"><C:time-range start="20060102T000000Z" end="20060103T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, "1")
	q = ask("7.8.5", `<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop xmlns:D="DAV:"><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VTODO"><C:comp-filter name="VALARM"><C:time-range start="20060106T100000Z" end="20060107T100000Z"/></C:comp-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, "1", "abcd5.ics")
	has("7.8.5", q, "abcd5.ics", "BEGIN:VALARM")
	ask("7.8.6", `<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop xmlns:D="DAV:"><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match collation="i;octet" >DC6C50A017428C5216A2F1CD@example.com</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, "1", "abcd3.ics")
	ask("7.8.7", `<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop xmlns:D="DAV:"><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="ATTENDEE"><C:text-match collation="i;ascii-casemap" >mailto:lisa@example.com</C:text-match><C:param-filter name="PARTSTAT"><C:text-match collation="i;ascii-casemap" >NEEDS-ACTION</C:text-match></C:param-filter></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, "1", "abcd3.ics")
	ask("7.8.8", `<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop xmlns:D="DAV:"><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"/></C:comp-filter></C:filter></C:calendar-query>`, "1", "abcd1.ics", "abcd2.ics", "abcd3.ics")
	ask("7.8.9", `<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop xmlns:D="DAV:"><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VTODO"><C:prop-filter name="COMPLETED"><C:is-not-defined/></C:prop-filter><C:prop-filter name="STATUS"><C:text-match negate-condition="yes">CANCELLED</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, "1", "abcd4.ics", "abcd5.ics")
	// What the server of the example cannot do: any property can be asked for.
	ask("7.8.10", `<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop xmlns:D="DAV:"><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="X-ABC-GUID"><C:text-match>ABC</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, "1")
	h.put(ann, work+"guid.ics", event("guid", "20070102T100000Z", "20070102T110000Z", "X-ABC-GUID:xabcx")).want(t, 201)
	ask("7.8.10", `<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop xmlns:D="DAV:"><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="X-ABC-GUID"><C:text-match>ABC</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, "1", "guid.ics")

	multi := h.do(ann, "REPORT", work, strings.ReplaceAll(`<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop><D:href>/bernard/work/abcd1.ics</D:href><D:href>/bernard/work/mtg1.ics</D:href></C:calendar-multiget>`, "/bernard/work/", work)).want(t, 207)
	if rows := multi.rows(t); len(rows) != 2 || rows[1].href != work+"mtg1.ics" || !strings.Contains(rows[1].status, "404") {
		t.Errorf("7.9.1: %s", multi.body)
	}
	has("7.9.1", multi, "abcd1.ics", "Description:Go Steelers!")

	// The example leaves out the fifth of January, which its range holds.
	busy := h.do(ann, "REPORT", work, `<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="20060104T140000Z" end="20060105T220000Z"/></C:free-busy-query>`, "Depth", "1").want(t, 200)
	for _, want := range []string{"DTSTART:20060104T140000Z", "DTEND:20060105T220000Z", "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060104T150000Z/", "20060104T190000Z/", "20060105T170000Z/"} {
		if !strings.Contains(busy.body, want) {
			t.Errorf("7.10.1: no %s in\n%s", want, busy.body)
		}
	}
	if strings.Count(busy.body, "2006010") != 5 {
		t.Errorf("7.10.1:\n%s", busy.body)
	}
}
