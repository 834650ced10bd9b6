package caldav

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/db/dbtest"
)

// zoned is an event of two zones; with adds what stands before it.
func zoned(uid, with string) string {
	return lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", with, "BEGIN:VEVENT", "UID:"+uid, "DTSTAMP:20261101T000000Z",
		"DTSTART;TZID=Europe/Berlin:20261102T100000", "DTEND;TZID=Europe/Berlin:20261102T110000", "SUMMARY:"+uid, "END:VEVENT", "END:VCALENDAR")
}

const (
	berlinRules = "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nBEGIN:STANDARD\nDTSTART:19701025T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\n" +
		"BEGIN:DAYLIGHT\nDTSTART:19700329T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nEND:DAYLIGHT\nEND:VTIMEZONE"
	officeRules = "BEGIN:VTIMEZONE\nTZID:Our office\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE"
)

// RFC 7809 §3.1.3: rules are sent as they were stored, with CalDAV-Timezones: T
// all of them, with F none that go by their IANA name, in every answer.
func TestTimezonesByReference(t *testing.T) {
	h := newHouse(t, dbtest.New(t, "sqlite"))
	bare, full := zoned("bare", ""), zoned("full", berlinRules)
	office := strings.ReplaceAll(zoned("office", officeRules), "=Europe/Berlin", "=Our office")
	for name, body := range map[string]string{"bare": bare, "full": full, "office": office} {
		h.put(ann, annCalendar+name+".ics", body).want(t, 201)
	}
	test := func(name, header, want string, zones int) {
		t.Helper()
		path := annCalendar + name + ".ics"
		var headers []string
		if header != "" {
			headers = []string{"CalDAV-Timezones", header}
		}
		g := h.do(ann, "GET", path, "", headers...).want(t, 200)
		query := h.report(ann, annCalendar, queryOf(`<C:comp-filter name="VEVENT"/>`, "C:calendar-data"), headers...).row(t, path)
		multiget := h.report(ann, annCalendar, `<C:calendar-multiget><D:prop><C:calendar-data/></D:prop><D:href>`+path+`</D:href></C:calendar-multiget>`, headers...).row(t, path)
		for door, body := range map[string]string{"GET": g.body, "query": query.text("C:calendar-data"), "multiget": multiget.text("C:calendar-data")} {
			if n := strings.Count(body, "BEGIN:VTIMEZONE"); n != zones || want != "" && strings.ReplaceAll(body, "\r", "") != strings.ReplaceAll(want, "\r", "") {
				t.Errorf("%s of %s with %q: %d zones\n%s", door, name, header, n, body)
			}
		}
		if !strings.Contains(g.header.Get("Vary"), "CalDAV-Timezones") {
			t.Errorf("Vary: %q", g.header.Get("Vary"))
		}
		if head := h.do(ann, "HEAD", path, "", headers...).want(t, 200); head.header.Get("Content-Length") != g.header.Get("Content-Length") {
			t.Errorf("HEAD tells %s octets", head.header.Get("Content-Length"))
		}
	}
	test("bare", "", bare, 0)
	test("bare", "T", "", 1)
	test("bare", "F", bare, 0)
	test("full", "", full, 1)
	test("full", "T", full, 1)
	test("full", "F", zoned("full", ""), 0)
	test("full", "perhaps", full, 1)
	test("office", "F", office, 1) // nobody else has these rules
	test("office", "T", office, 1)

	expand := `<C:calendar-data><C:expand start="20261101T000000Z" end="20261110T000000Z"/></C:calendar-data>`
	w := h.report(ann, annCalendar, `<C:calendar-multiget><D:prop>`+expand+`</D:prop><D:href>`+annCalendar+`full.ics</D:href></C:calendar-multiget>`, "CalDAV-Timezones", "T").row(t, annCalendar+"full.ics")
	if body := w.text("C:calendar-data"); strings.Contains(body, "VTIMEZONE") || !strings.Contains(body, "DTSTART:20261102T090000Z") {
		t.Errorf("expanded: %s", body)
	}
	// §3.1.1, §5.1
	home := "/dav/calendars/" + ann + "/"
	for _, path := range []string{home, annCalendar} {
		if d := h.do(ann, "OPTIONS", path, "").want(t, 200).header.Get("DAV"); !strings.Contains(d, "calendar-no-timezone") {
			t.Errorf("DAV: %s", d)
		}
	}
	if got := h.propfind(ann, home, "0", "C:timezone-service-set").row(t, home).text("C:timezone-service-set"); got != `<D:href>https://zones.example.org/tz</D:href>` {
		t.Errorf("timezone-service-set %q", got)
	}
}

// RFC 7809 §3.1.5: one property always tells what the other does.
func TestTimezoneProperties(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		set := func(name, value string) reply {
			return h.proppatch(ann, annCalendar, `<D:set><D:prop><C:`+name+`>`+value+`</C:`+name+`></D:prop></D:set>`).want(t, 207)
		}
		test := func(id, rules string) {
			t.Helper()
			w := h.propfind(ann, annCalendar, "0", "C:calendar-timezone C:calendar-timezone-id").row(t, annCalendar)
			if w.text("C:calendar-timezone-id") != id || !strings.Contains(w.text("C:calendar-timezone"), rules) || rules == "" && w.has("C:calendar-timezone") {
				t.Errorf("%+v", w)
			}
		}
		whole := func(rules string) string {
			return lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", rules, "END:VCALENDAR")
		}
		set("calendar-timezone-id", "America/New_York")
		test("America/New_York", "TZID:America/New_York")
		set("calendar-timezone", whole(berlinRules))
		test("Europe/Berlin", "TZID:Europe/Berlin")
		set("calendar-timezone", whole(officeRules))
		test("", "TZID:Our office")
		// As jCal, in both directions.
		const asked = `<D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-timezone content-type="application/calendar+json"/></D:prop></D:propfind>`
		told := h.do(ann, "PROPFIND", annCalendar, asked, "Depth", "0", "Content-Type", "application/xml").want(t, 207)
		value := told.rows(t)[0].text("C:calendar-timezone")
		if !strings.Contains(told.body, `<C:calendar-timezone content-type="application/calendar+json">`) || !strings.HasPrefix(value, `["vcalendar",`) || !strings.Contains(value, "Our office") {
			t.Errorf("%s", told.body)
		}
		set("calendar-timezone-id", "America/New_York")
		h.proppatch(ann, annCalendar, `<D:set><D:prop><C:calendar-timezone content-type="application/calendar+json">`+value+`</C:calendar-timezone></D:prop></D:set>`).want(t, 207)
		test("", "TZID:Our office")
		h.proppatch(ann, annCalendar, `<D:set><D:prop><C:calendar-timezone content-type="application/calendar+json">[]</C:calendar-timezone></D:prop></D:set>`).want(t, 207)
		test("", "TZID:Our office") // refused
		if r := h.do(ann, "PROPFIND", annTasks, asked, "Depth", "0", "Content-Type", "application/xml").want(t, 207).rows(t)[0]; !r.lacks("C:calendar-timezone") {
			t.Errorf("%+v", r)
		}
		set("calendar-timezone-id", "America/New_York")
		if r := set("calendar-timezone-id", "Mars/Olympus"); !strings.Contains(r.body, "valid-timezone") {
			t.Errorf("%s", r.body)
		}
		test("America/New_York", "TZID:America/New_York")
		h.proppatch(ann, annCalendar, `<D:remove><D:prop><C:calendar-timezone/></D:prop></D:remove>`).want(t, 207)
		test("", "")
		// §3.1.6
		query := `<C:calendar-query><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter><C:timezone-id>Mars/Olympus</C:timezone-id></C:calendar-query>`
		h.report(ann, annCalendar, query).refused(t, 403, "C:valid-timezone")
	})
}

// RFC 7265 by Accept, by Content-Type and by calendar-data.
func TestJCal(t *testing.T) {
	h := newHouse(t, dbtest.New(t, "sqlite"))
	const path = annCalendar + "a.ics"
	const j = `["vcalendar",[["version",{},"text","2.0"],["prodid",{},"text","-//test//EN"]],[["vevent",[["uid",{},"text","a"],["dtstamp",{},"date-time","2026-11-01T00:00:00Z"],` +
		`["dtstart",{},"date-time","2026-11-02T10:00:00Z"],["dtend",{},"date-time","2026-11-02T11:00:00Z"],["summary",{},"text","a"]],[]]]]`
	const jType = "application/calendar+json; charset=utf-8"
	stored := event("a", "20261102T100000Z", "20261102T110000Z", "")

	r := h.do(ann, "PUT", path, j, "Content-Type", jType).want(t, 201)
	if r.header.Get("ETag") != "" { // RFC 4791 §5.3.4
		t.Error("an ETag for octets that are not stored")
	}
	accept := func(want, mediaType string, accept ...string) {
		t.Helper()
		var headers []string
		for _, a := range accept {
			headers = append(headers, "Accept", a)
		}
		g := h.do(ann, "GET", path, "", headers...).want(t, 200)
		if g.body != want || !strings.HasPrefix(g.header.Get("Content-Type"), mediaType) || !strings.Contains(g.header.Get("Vary"), "Accept") {
			t.Errorf("%q: %v %s", accept, g.header, g.body)
		}
	}
	accept(stored, "text/calendar")
	accept(j, "application/calendar+json", "application/calendar+json")
	accept(j, "application/calendar+json", "text/calendar;q=0.5, application/calendar+json;q=0.8")
	accept(j, "application/calendar+json", "application/*, text/calendar;q=0.9")
	accept(stored, "text/calendar", "application/calendar+json;q=0, */*;q=0.1")
	accept(stored, "text/calendar", "text/calendar, application/calendar+json")
	accept(stored, "text/calendar", "*/*")
	accept(stored, "text/calendar", "image/png")

	// What was sent in one form comes back in it, or as was preferred.
	if r := h.do(ann, "PUT", path, j, "Content-Type", jType, "Prefer", "return=representation").want(t, 200); r.body != j {
		t.Errorf("%s", r.body)
	}
	if r := h.do(ann, "PUT", path, j, "Content-Type", jType, "Prefer", "return=representation", "Accept", "text/calendar").want(t, 200); r.body != stored {
		t.Errorf("%s", r.body)
	}
	data := `<C:calendar-data content-type="application/calendar+json" version="2.0"/>`
	q := h.report(ann, annCalendar, `<C:calendar-multiget><D:prop>`+data+`</D:prop><D:href>`+path+`</D:href></C:calendar-multiget>`)
	if got := q.row(t, path).text("C:calendar-data"); got != j || !strings.Contains(q.body, `content-type="application/calendar+json"`) {
		t.Errorf("%s", q.body)
	}
	h.report(ann, annCalendar, `<C:calendar-multiget><D:prop><C:calendar-data content-type="application/calendar+xml"/></D:prop><D:href>`+path+`</D:href></C:calendar-multiget>`).refused(t, 403, "C:supported-calendar-data")
	if got := h.propfind(ann, annCalendar, "0", "C:supported-calendar-data").body; !strings.Contains(got, "application/calendar+json") {
		t.Errorf("%s", got)
	}
	// A question about busy time is answered in the form in which it came.
	ask := strings.NewReplacer("vevent", "vfreebusy", `[["version"`, `[["method",{},"text","REQUEST"],["version"`,
		`["summary",{},"text","a"]`, `["organizer",{},"cal-address","mailto:ann@example.org"],["attendee",{},"cal-address","mailto:ann@example.org"]`).Replace(j)
	if r := h.do(ann, "POST", annOutbox, ask, "Content-Type", jType).want(t, 200); !strings.Contains(r.body, `<C:calendar-data content-type="application/calendar+json" version="2.0">[`) ||
		!strings.Contains(r.body, `["freebusy",{"fbtype":"BUSY"},"period",["2026-11-02T10:00:00Z","PT1H"]]`) {
		t.Errorf("%s", r.body)
	}
	if r := h.do(ann, "POST", annOutbox, ask, "Content-Type", jType, "Accept", "text/calendar, text/xml").want(t, 200); !strings.Contains(r.body, "\nBEGIN:VFREEBUSY") {
		t.Errorf("%s", r.body)
	}
	h.do(ann, "POST", annOutbox, j[:40], "Content-Type", jType).refused(t, 403, "C:valid-calendar-data")
	for _, bad := range []string{`{}`, `[]`, stored, `["vcalendar",[["uid"]],[]]`} {
		h.do(ann, "PUT", annCalendar+"b.ics", bad, "Content-Type", jType).refused(t, 403, "C:valid-calendar-data")
	}
	h.do(ann, "PUT", annCalendar+"b.ics", `["`+strings.Repeat("x", 1<<20), "Content-Type", jType).refused(t, 403, "C:max-resource-size")
}
