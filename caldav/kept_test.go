package caldav

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/convene-server/convene/db/dbtest"
)

// RFC 7529 §10: which calendars recurrences are counted in is told; what cannot
// be expanded is not stored.
func TestRscale(t *testing.T) {
	h := newHouse(t, dbtest.New(t, "sqlite"))
	put := func(rule string) reply {
		return h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "RRULE:"+rule))
	}
	put("RSCALE=ISLAMIC;FREQ=YEARLY").refused(t, 403, "C:supported-rscale")
	put("RSCALE=x-mine;FREQ=YEARLY").refused(t, 403, "C:supported-rscale")
	h.put(ann, annCalendar+"a.ics", event("a", "18991102T100000Z", "18991102T110000Z", "RRULE:RSCALE=CHINESE;FREQ=YEARLY")).refused(t, 403, "C:supported-rscale")
	put("RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=6L").refused(t, 403, "C:valid-calendar-data")
	put("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=SIDEWAYS").refused(t, 403, "C:valid-calendar-data")
	put("RSCALE=GREGORIAN;FREQ=WEEKLY;SKIP=OMIT;COUNT=3").want(t, 201)
	q := h.report(ann, annCalendar, queryOf(`<C:comp-filter name="VEVENT"><C:time-range start="20261109T100000Z" end="20261109T103000Z"/></C:comp-filter>`, "D:getetag"))
	equal(t, "second week", names(t, q, annCalendar), []string{"a.ics"})
	// RFC 7529 §4.1
	h.put(ann, annCalendar+"b.ics", event("b", "20270131T100000Z", "20270131T110000Z", "RRULE:RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD")).want(t, 201)
	q = h.report(ann, annCalendar, queryOf(`<C:comp-filter name="VEVENT"><C:time-range start="20270228T100000Z" end="20270228T103000Z"/></C:comp-filter>`, "D:getetag"))
	equal(t, "February", names(t, q, annCalendar), []string{"b.ics"})
	// A Chinese new year: found, expanded and busy on its day; the rule is kept as it was sent, and told in jCal (§9).
	body := event("c", "20260217T100000Z", "20260217T110000Z", "RRULE:RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=12L,1;SKIP=FORWARD")
	h.put(ann, annCalendar+"c.ics", body).want(t, 201)
	const newYear = `start="20270206T000000Z" end="20270207T000000Z"`
	q = h.report(ann, annCalendar, queryOf(`<C:comp-filter name="VEVENT"><C:time-range `+newYear+`/></C:comp-filter>`, "D:getetag"))
	equal(t, "new year", names(t, q, annCalendar), []string{"c.ics"})
	q = h.report(ann, annCalendar, `<C:calendar-multiget xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop><C:calendar-data><C:expand `+newYear+`/></C:calendar-data></D:prop><D:href>`+annCalendar+`c.ics</D:href></C:calendar-multiget>`)
	if data := q.row(t, annCalendar+"c.ics").text("C:calendar-data"); !strings.Contains(data, "DTSTART:20270206T100000Z") || strings.Contains(data, "RRULE") {
		t.Error(data)
	}
	busy := h.report(ann, annCalendar, `<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range `+newYear+`/></C:free-busy-query>`)
	if !strings.Contains(busy.body, "20270206T100000Z/") {
		t.Error(busy.body)
	}
	if g := h.do(ann, "GET", annCalendar+"c.ics", "").want(t, 200); g.body != body {
		t.Error(g.body)
	}
	if g := h.do(ann, "GET", annCalendar+"c.ics", "", "Accept", "application/calendar+json").want(t, 200); !strings.Contains(g.body, `{"rscale":"CHINESE","freq":"YEARLY","bymonth":["12L",1],"skip":"FORWARD"}`) {
		t.Error(g.body)
	}
	// §10.1: on homes and calendars, and not in allprop.
	for _, path := range []string{annCalendar, annHome} {
		set := h.propfind(ann, path, "0", "C:supported-rscale-set").row(t, path).text("C:supported-rscale-set")
		for _, name := range []string{"GREGORIAN", "CHINESE", "DANGI", "HEBREW", "ETHIOPIC", "ISLAMIC-CIVIL", "PERSIAN"} {
			if !strings.Contains(set, "<C:supported-rscale>"+name+"</C:supported-rscale>") {
				t.Errorf("%s: no %s in %s", path, name, set)
			}
		}
		if all := h.do(ann, "PROPFIND", path, `<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>`, "Depth", "0").want(t, 207); strings.Contains(all.body, "rscale") {
			t.Error(all.body)
		}
	}
}

// Properties and components of later RFCs come back octet by octet, from GET
// and from reports, and say the same in jCal.
func TestLaterRFCsAreKept(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		test := func(name, inside string) {
			t.Helper()
			path, body := annCalendar+name+".ics", event(name, "20261102T100000Z", "20261102T110000Z", inside)
			if h.put(ann, path, body).want(t, 201).header.Get("ETag") == "" {
				t.Errorf("%s: no ETag", name)
			}
			if g := h.do(ann, "GET", path, "").want(t, 200); g.body != body {
				t.Errorf("%s: %q", name, g.body)
			}
			j := h.do(ann, "GET", path, "", "Accept", "application/calendar+json").want(t, 200)
			h.do(ann, "PUT", path, j.body, "Content-Type", "application/calendar+json").want(t, 204)
			if again := h.do(ann, "GET", path, "", "Accept", "application/calendar+json").want(t, 200); !sameJSON(again.body, j.body) {
				t.Errorf("%s: %s", name, again.body)
			}
		}
		// RFC 6868 §3: also what it gives no meaning, and a parameter that needs no quotes.
		test("caret", `COMMENT;X-P=a^nb^^c^'d^'^e;X-Q="f;g^n":^n stays`)
		// RFC 7529 §4: in whatever order and case.
		test("scale", "RRULE:SKIP=forward;FREQ=YEARLY;rscale=Hebrew;BYMONTH=5L,12")
		// RFC 9073 §6, §7
		test("participant", "STYLED-DESCRIPTION;VALUE=TEXT;DERIVED=TRUE;FMTTYPE=text/html:<b>a</b>\nBEGIN:PARTICIPANT\nUID:p\nPARTICIPANT-TYPE:SPEAKER\nCALENDAR-ADDRESS:mailto:s@example.com\n"+
			"BEGIN:VLOCATION\nUID:l\nLOCATION-TYPE:parking,street\nGEO:1.5;2.25\nEND:VLOCATION\nEND:PARTICIPANT\nBEGIN:VRESOURCE\nUID:r\nRESOURCE-TYPE:PROJECTOR\nEND:VRESOURCE\nBEGIN:VLOCATION\nUID:m\n"+
			"STRUCTURED-DATA;FMTTYPE=application/json;SCHEMA=\"https://schema.org/Place\";VALUE=TEXT:{}\nEND:VLOCATION")
		// RFC 9074 §6.1
		h.put(ann, annCalendar+"local.ics", event("local", "20261102T100000Z", "20261102T110000Z",
			"BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:a\nTRIGGER:-PT15M\nACKNOWLEDGED:20261101T100000\nEND:VALARM")).refused(t, 403, "C:valid-calendar-data")
		// RFC 9074 §4 to §8
		test("alarm", "BEGIN:VALARM\nUID:x\nTRIGGER:-PT15M\nACTION:DISPLAY\nDESCRIPTION:a\nACKNOWLEDGED:20261101T100000Z\nEND:VALARM\nBEGIN:VALARM\nUID:y\nRELATED-TO;RELTYPE=SNOOZE:x\n"+
			"TRIGGER;VALUE=DATE-TIME:20261102T095500Z\nACTION:DISPLAY\nDESCRIPTION:a\nEND:VALARM\nBEGIN:VALARM\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z\nACTION:DISPLAY\nDESCRIPTION:b\nPROXIMITY:ARRIVE\n"+
			"BEGIN:VLOCATION\nUID:l\nURL:geo:40.443,-79.945;u=10\nEND:VLOCATION\nEND:VALARM")
		// RFC 9253 §5 to §9
		test("relations", "CONCEPT:https://example.com/event-types/arts/music\nLINK;LINKREL=SOURCE;LABEL=Venue;VALUE=URI:https://example.com/events\nREFID:itinerary-2014-11-17\n"+
			"RELATED-TO;VALUE=URI;RELTYPE=STARTTOFINISH;GAP=PT5M:https://example.com/caldav/user/jb/cal/1.ics")
		// RFC 7986 §5
		test("more", "COLOR:turquoise\nIMAGE;VALUE=URI;DISPLAY=BADGE;FMTTYPE=image/png:http://example.com/a.png\nCONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO;LABEL=Call:xmpp:chat-123@conference.example.com")
		// RFC 7986 §5, of the object as a whole
		body := strings.Replace(event("whole", "20261102T100000Z", "20261102T110000Z", ""), "BEGIN:VEVENT",
			"UID:5FC53010\r\nNAME:Company holidays\r\nDESCRIPTION;LANGUAGE=en:Every one\r\nLAST-MODIFIED:20260101T000000Z\r\nURL:http://example.com/a\r\nCATEGORIES:a,b\r\nREFRESH-INTERVAL;VALUE=DURATION:P1W\r\nSOURCE;VALUE=URI:http://example.com/a.ics\r\nCOLOR:red\r\nBEGIN:VEVENT", 1)
		h.put(ann, annCalendar+"whole.ics", body).want(t, 201)
		if g := h.do(ann, "GET", annCalendar+"whole.ics", "").want(t, 200); g.body != body {
			t.Errorf("whole: %q", g.body)
		}
	})
}

// sameJSON compares without order in objects.
func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// What programs keep with a calendar that follows another, and the alarms that
// they give to new events, comes back as it was sent, from MKCALENDAR too.
func TestSubscriptionsAndDefaultAlarmsAreKept(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const path = annHome + "holidays/"
		const alarm = "BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM\n"
		props := map[string]string{"CS:source": "<D:href>https://example.com/holidays.ics</D:href>", "A:refreshrate": "P1W", "CS:subscribed-strip-alarms": "", "CS:subscribed-strip-attachments": "", "CS:subscribed-strip-todos": "",
			"C:default-alarm-vevent-datetime": alarm, "C:default-alarm-vevent-date": alarm, "C:default-alarm-vtodo-datetime": alarm, "C:default-alarm-vtodo-date": ""}
		var set, asked strings.Builder
		for name, value := range props {
			set.WriteString("<" + name + ">" + value + "</" + name + ">")
			asked.WriteString(name + " ")
		}
		h.do(ann, "MKCALENDAR", path, `<C:mkcalendar`+namespaces+`><D:set><D:prop>`+set.String()+`</D:prop></D:set></C:mkcalendar>`).want(t, 201)
		h.proppatch(ann, annCalendar, `<D:set><D:prop>`+set.String()+`</D:prop></D:set>`).want(t, 207)
		h.put(ann, path+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		// What is no alarm is not kept.
		for _, no := range []string{"Not an alarm", "SUMMARY:x", "BEGIN:VALARM", alarm + "END:VEVENT\nBEGIN:VEVENT\n" + alarm, "BEGIN:VTODO\nEND:VTODO"} {
			if r := h.proppatch(ann, annCalendar, `<D:set><D:prop><C:default-alarm-vevent-date>`+no+`</C:default-alarm-vevent-date></D:prop></D:set>`).want(t, 207); !strings.Contains(r.body, "<C:valid-calendar-data/>") {
				t.Errorf("%q: %s", no, r.body)
			}
		}
		for _, at := range []string{path, annCalendar} {
			w := h.propfind(ann, at, "0", asked.String()).row(t, at)
			for name, value := range props {
				if !w.has(name) || w.text(name) != value {
					t.Errorf("%s of %s: %q, want %q", name, at, w.text(name), value)
				}
			}
		}
		// They are for programs: what is stored gets no alarm by them.
		if g := h.do(ann, "GET", path+"a.ics", "").want(t, 200); strings.Contains(g.body, "VALARM") {
			t.Errorf("%s", g.body)
		}
		// An invitation into the calendar neither brings nor takes alarms.
		h.proppatch(bob, bobCalendar, `<D:set><D:prop>`+set.String()+`</D:prop></D:set>`).want(t, 207)
		h.put(ann, annCalendar+"m.ics", meeting("m", "20261203T100000Z", "20261203T110000Z", bob)).want(t, 201)
		rows := h.propfind(bob, bobCalendar, "1", "D:getetag").rows(t)
		if len(rows) != 2 {
			t.Fatalf("%+v", rows)
		}
		if g := h.do(bob, "GET", rows[1].href, "").want(t, 200); strings.Contains(g.body, "VALARM") {
			t.Errorf("%s", g.body)
		}
		if w := h.propfind(bob, bobCalendar, "0", "C:default-alarm-vevent-datetime").row(t, bobCalendar); w.text("C:default-alarm-vevent-datetime") != alarm {
			t.Errorf("%+v", w)
		}
	})
}
