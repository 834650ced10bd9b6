package caldav

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

const calendarType = "text/calendar; charset=utf-8"

// putEvent stores an object as a person and returns the answer.
func (h *house) put(who, path, body string, headers ...string) reply {
	h.t.Helper()
	return h.do(who, "PUT", path, body, append([]string{"Content-Type", calendarType}, headers...)...)
}

func TestPutGetDelete(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const path = annCalendar + "a%20b.ics"
		body := event("a", "20261102T100000Z", "20261102T110000Z", "X-MOZ-LASTACK:20261101T000000Z\nDESCRIPTION:ü\\, folded\n  here")
		r := h.put(ann, path, body, "If-None-Match", "*").want(t, 201)
		etag := r.header.Get("ETag")
		if len(etag) < 3 || etag[0] != '"' || r.body != "" {
			t.Errorf("%+v", r)
		}
		if r.header.Get("Schedule-Tag") != "" {
			t.Error("a plain event has a Schedule-Tag") // RFC 6638 §3.2.10
		}
		for range 2 { // the second is served by what the first left in the cache
			g := h.do(ann, "GET", path, "").want(t, 200)
			if g.body != body {
				t.Errorf("bytes changed: %q", g.body)
			}
			for k, want := range map[string]string{"ETag": etag, "Content-Type": "text/calendar; charset=utf-8; component=VEVENT"} {
				if g.header.Get(k) != want {
					t.Errorf("%s: %q, want %q", k, g.header.Get(k), want)
				}
			}
			if g.header.Get("Last-Modified") == "" || g.header.Get("Content-Length") == "" {
				t.Errorf("%v", g.header)
			}
		}
		if g := h.do(ann, "HEAD", path, "").want(t, 200); g.body != "" || g.header.Get("ETag") != etag {
			t.Errorf("%+v", g)
		}
		w := h.propfind(ann, path, "0", "D:getetag D:getcontenttype D:getcontentlength D:getlastmodified D:resourcetype C:schedule-tag").row(t, path)
		if w.text("D:getetag") != etag || w.text("D:getcontenttype") != "text/calendar; charset=utf-8; component=VEVENT" || !w.lacks("C:schedule-tag") ||
			!w.has("D:resourcetype") || w.text("D:resourcetype") != "" || w.text("D:getcontentlength") == "" {
			t.Errorf("%+v", w)
		}

		h.put(ann, path, body, "If-None-Match", "*").want(t, 412)
		h.put(ann, path, body, "If-Match", `"other"`).want(t, 412)
		h.put(ann, path, body, "If-Match", "W/"+etag).want(t, 412) // RFC 9110 §13.1.1: strong comparison
		h.put(ann, annCalendar+"none.ics", event("n", "20261102T100000Z", "20261102T110000Z", ""), "If-Match", "*").want(t, 412)
		changed := strings.Replace(body, "SUMMARY:a", "SUMMARY:b", 1)
		r = h.put(ann, path, changed, "If-Match", `"x", `+etag).want(t, 204)
		if r.header.Get("ETag") == etag || r.header.Get("ETag") == "" {
			t.Errorf("ETag %q", r.header.Get("ETag"))
		}
		etag = r.header.Get("ETag")
		etag = h.put(ann, path, body, "If-Match", strings.Trim(etag, `"`)).want(t, 204).header.Get("ETag") // without quotes, as OCS may

		h.do(ann, "GET", path, "", "If-None-Match", etag).want(t, 304)
		h.do(ann, "GET", path, "", "If-None-Match", "W/"+etag).want(t, 304) // weak comparison
		h.do(ann, "GET", path, "", "If-None-Match", `"x"`).want(t, 200)
		h.do(ann, "GET", path, "", "If-Match", `"x"`).want(t, 412)
		h.do(ann, "GET", path, "", "If-Modified-Since", "Mon, 01 Jan 2024 00:00:00 GMT").want(t, 200)
		h.do(ann, "GET", path, "", "If-Modified-Since", h.do(ann, "GET", path, "").header.Get("Last-Modified")).want(t, 304)

		// RFC 9110 §13.1.4: before an entity tag nobody asks for a date; what is no date
		// and what is not there are passed over.
		const before, later = "Mon, 01 Jan 2024 00:00:00 GMT", "Fri, 01 Jan 2049 00:00:00 GMT"
		for _, method := range []string{"GET", "PUT", "COPY", "MOVE", "DELETE"} {
			h.do(ann, method, path, body, "If-Unmodified-Since", before, "Destination", annCalendar+"other.ics", "Content-Type", calendarType).want(t, 412)
		}
		h.do(ann, "GET", path, "", "If-Unmodified-Since", h.do(ann, "GET", path, "").header.Get("Last-Modified")).want(t, 200)
		h.put(ann, path, body, "If-Unmodified-Since", later).want(t, 204)
		h.put(ann, path, body, "If-Unmodified-Since", "yesterday").want(t, 204)
		etag = h.put(ann, path, body, "If-Unmodified-Since", before, "If-Match", "*").want(t, 204).header.Get("ETag")
		h.put(ann, annCalendar+"new.ics", event("new", "20261102T100000Z", "20261102T110000Z", ""), "If-Unmodified-Since", before).want(t, 201)

		h.do(ann, "DELETE", path, "", "If-Match", `"x"`).want(t, 412)
		h.do(ann, "DELETE", path, "", "If-Match", etag).want(t, 204)
		h.do(ann, "GET", path, "").want(t, 404)
		h.do(ann, "DELETE", path, "").want(t, 404)
		h.do(ann, "GET", annCalendar, "").want(t, 200)
	})
}

// Evolution sends chunks and no length.
func TestPutChunked(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		body := event("a", "20261102T100000Z", "20261102T110000Z", "")
		req, _ := http.NewRequest("PUT", h.http.URL+annCalendar+"a.ics", io.MultiReader(strings.NewReader(body[:50]), strings.NewReader(body[50:])))
		req.SetBasicAuth(ann, "secret")
		req.Header.Set("Content-Type", "text/calendar")
		req.Header.Set("If-None-Match", "*")
		if req.ContentLength != 0 && req.ContentLength != -1 {
			t.Fatal("the request is not chunked")
		}
		h.send(req).want(t, 201)
		if g := h.do(ann, "GET", annCalendar+"a.ics", ""); g.body != body {
			t.Errorf("%q", g.body)
		}
	})
}

// RFC 8144 §3: the stored object in the answer.
func TestPutRepresentation(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		body := event("a", "20261102T100000Z", "20261102T110000Z", "")
		r := h.put(ann, annCalendar+"a.ics", body, "Prefer", "return=representation").want(t, 201)
		if r.body != body || r.header.Get("ETag") == "" || r.header.Get("Content-Location") != annCalendar+"a.ics" {
			t.Errorf("%+v", r)
		}
		h.put(ann, annCalendar+"a.ics", body, "Prefer", "return=representation").want(t, 200)
	})
}

// What is advertised is what is enforced (RFC 4791 §5.2.9).
func TestMaxAttendees(t *testing.T) {
	h := newHouse(t, dbtest.New(t, "sqlite"))
	if got := h.propfind(ann, annCalendar, "0", "C:max-attendees-per-instance").row(t, annCalendar).text("C:max-attendees-per-instance"); got != "1000" {
		t.Errorf("advertised %q", got)
	}
	guests := make([]string, 1001)
	for i := range guests {
		guests[i] = fmt.Sprintf("ATTENDEE:mailto:g%d@example.net", i)
	}
	test := func(n int) reply {
		return h.put(ann, annCalendar+"m.ics", event("m", "20361102T100000Z", "20361102T110000Z", strings.Join(append(guests[:n:n], "ORGANIZER:mailto:"+ann), "\n")))
	}
	test(1001).refused(t, 403, "C:max-attendees-per-instance")
	h.do(ann, "GET", annCalendar+"m.ics", "").want(t, 404)
	test(40).want(t, 201)
}

func TestPutRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ok := event("a", "20261102T100000Z", "20261102T110000Z", "")
		h.put(ann, annHome+"none/a.ics", ok).want(t, 409) // RFC 4918 §9.7.1
		h.put(ann, annCalendar, ok).want(t, 403)
		h.put(ann, annHome, ok).want(t, 403)
		h.put(ann, annInbox+"a.ics", ok).refused(t, 403, "D:need-privileges")
		h.put(ann, annOutbox+"a.ics", ok).refused(t, 403, "D:need-privileges")
		h.put(ann, annTasks+"a.ics", ok).refused(t, 403, "C:supported-calendar-component")
		h.do(ann, "PUT", annCalendar+"a.ics", ok, "Content-Type", "text/html").refused(t, 403, "C:supported-calendar-data")
		h.put(ann, annCalendar+"a.ics", ok, "Content-Range", "bytes 0-1/9").want(t, 400)
		h.put(ann, annCalendar+"a.ics", ok, "Content-Encoding", "gzip").want(t, 415)
		h.do(ann, "POST", annCalendar, ok, "Content-Type", "text/calendar").want(t, 405)
		h.do(ann, "BREW", annCalendar+"a.ics", "").want(t, 501)
		if rows := h.propfind(ann, annCalendar, "1", "D:getetag").rows(t); len(rows) != 1 {
			t.Errorf("something was stored: %+v", rows)
		}
		// No Content-Type is taken for iCalendar.
		h.do(ann, "PUT", annCalendar+"a.ics", ok).want(t, 201)
	})
}

// What is wrong is said precisely, and changes nothing.
func TestBadInput(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		bad := func(body, condition, says string) {
			t.Helper()
			r := h.put(ann, annCalendar+"bad.ics", body).refused(t, 403, condition)
			if !strings.Contains(r.body, says) {
				t.Errorf("not said: %s in %s", says, r.body)
			}
			h.do(ann, "GET", annCalendar+"bad.ics", "").want(t, 404)
		}
		bad("", "C:valid-calendar-data", "")
		bad("hello", "C:valid-calendar-data", "line 1")
		bad(strings.Replace(event("a", "20261102T100000Z", "20261102T110000Z", ""), "SUMMARY:a", "SUMMARY a", 1), "C:valid-calendar-data", "line 9")
		bad(strings.Replace(event("a", "20261102T100000Z", "20261102T110000Z", ""), "END:VEVENT\r\n", "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:b\r\nDTSTAMP:20261101T000000Z\r\nDTSTART:20261102T100000Z\r\nEND:VEVENT\r\n", 1),
			"C:valid-calendar-object-resource", "UID")
		bad(event("a", "20261399T100000Z", "20261102T110000Z", ""), "C:valid-calendar-data", "DTSTART")
		bad(event("a", "20261102T100000Z", "20261102T110000Z", "DESCRIPTION:"+strings.Repeat("x", 1<<20)), "C:max-resource-size", "1048576")
		bad(event("a", "20261102T100000Z", "20261102T110000Z", "RRULE:FREQ=SOMETIMES"), "C:valid-calendar-data", "RRULE")
		// Rules that never end or never match must not run for ever.
		for i, rule := range []string{"FREQ=SECONDLY", "FREQ=HOURLY;INTERVAL=4;BYHOUR=2,18", "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=31", "FREQ=YEARLY;BYDAY=53MO;BYMONTH=2",
			"FREQ=HOURLY;INTERVAL=3;BYSETPOS=3", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"} {
			path := annCalendar + "rule" + string(rune('0'+i)) + ".ics"
			r := h.put(ann, path, event("rule"+string(rune('0'+i)), "20261102T230000Z", "20261102T230001Z", "RRULE:"+rule))
			if r.status != 201 && r.status != 403 {
				t.Errorf("%s: %+v", rule, r)
			}
		}
		h.report(ann, annCalendar, queryOf(`<C:comp-filter name="VEVENT"><C:time-range start="20360101T000000Z" end="20360201T000000Z"/></C:comp-filter>`, "D:getetag"), "Depth", "1").want(t, 207)

		h.do(ann, "PROPFIND", annCalendar, `<!DOCTYPE a [<!ENTITY x "y">]><D:propfind xmlns:D="DAV:"><D:prop><D:displayname>&x;</D:displayname></D:prop></D:propfind>`, "Depth", "0").want(t, 400)
		h.do(ann, "PROPFIND", annCalendar, strings.Repeat("<a>", 100)+strings.Repeat("</a>", 100), "Depth", "0").want(t, 400)
		h.do(ann, "PROPFIND", annCalendar, "<D:propfind/>", "Depth", "0").want(t, 400)
		h.do(ann, "PROPFIND", annCalendar, "<propfind", "Depth", "0").want(t, 400)
		h.do(ann, "PROPFIND", annCalendar, `<?xml version="1.0" encoding="iso-8859-1"?><a/>`, "Depth", "0").want(t, 415)
		h.do(ann, "PROPFIND", annCalendar, "<a>"+strings.Repeat(" ", 5<<20)+"</a>", "Depth", "0").want(t, 413)
		h.do(ann, "REPORT", annCalendar, "").want(t, 400)
		h.report(ann, annCalendar, "<D:version-tree></D:version-tree>").refused(t, 403, "D:supported-report")
		h.do(ann, "BREW", annCalendar, "").want(t, 501)
		h.do(ann, "SCHEDULE", annCalendar, "").want(t, 405) // of drafts of RFC 6638
		for _, path := range []string{"/dav/calendars/ann@example.org/calendar%2Fx", "/dav/calendars//", "/dav/%FF/", "/dav/calendars/ann@example.org/calendar/%2e%2e/x", "/dav/calendars/ann@example.org/calendar/a/b", "/x"} {
			h.propfind(ann, path, "0", "D:displayname").want(t, 404)
		}
	})
}

func TestMoveCopy(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.do(ann, "MKCALENDAR", annHome+"work/", "").want(t, 201)
		body := event("a", "20261102T100000Z", "20261102T110000Z", "")
		h.put(ann, annCalendar+"a.ics", body).want(t, 201)
		h.put(ann, annCalendar+"b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		move := func(method, from, to string, headers ...string) reply {
			t.Helper()
			return h.do(ann, method, from, "", append([]string{"Destination", to}, headers...)...)
		}
		h.do(ann, "MOVE", annCalendar+"a.ics", "").want(t, 400)
		move("MOVE", annCalendar+"a.ics", h.http.URL+annCalendar+"b.ics", "Overwrite", "F").want(t, 412)
		move("MOVE", annCalendar+"a.ics", annCalendar+"a.ics").want(t, 403)
		move("MOVE", annCalendar+"a.ics", "https://elsewhere.example.com"+annHome+"work/a.ics").want(t, 403)
		move("MOVE", annCalendar+"a.ics", annHome+"none/a.ics").want(t, 409)
		move("MOVE", annCalendar+"a.ics", annTasks+"a.ics").refused(t, 403, "C:supported-calendar-component")
		move("MOVE", annCalendar+"a.ics", annInbox+"a.ics").refused(t, 403, "D:need-privileges")
		move("MOVE", annCalendar+"a.ics", bobCalendar+"a.ics").refused(t, 403, "D:need-privileges")
		move("MOVE", annCalendar+"a.ics", "/dav/calendars/nobody@example.org/calendar/a.ics").refused(t, 403, "D:need-privileges")
		move("MOVE", annInbox, annHome+"renamed/").refused(t, 403, "D:need-privileges")
		move("MOVE", annCalendar+"none.ics", annHome+"work/a.ics").want(t, 404)
		h.do(ann, "GET", annCalendar+"a.ics", "").want(t, 200)

		move("MOVE", annCalendar+"a.ics", "https://cal.example.org/dav/calendars/ann%40example.org/work/a.ics", "Overwrite", "F").want(t, 201)
		h.do(ann, "GET", annCalendar+"a.ics", "").want(t, 404)
		if g := h.do(ann, "GET", annHome+"work/a.ics", "").want(t, 200); g.body != body {
			t.Errorf("%q", g.body)
		}
		// Over an object of another UID: RFC 4791 §5.3.2.1.
		for _, r := range []reply{move("MOVE", annHome+"work/a.ics", h.http.URL+annCalendar+"b.ics"), move("COPY", annHome+"work/a.ics", h.http.URL+annCalendar+"b.ics"), h.put(ann, annCalendar+"b.ics", event("z", "20261102T100000Z", "20261102T110000Z", ""))} {
			if r.refused(t, 403, "C:no-uid-conflict"); !strings.Contains(r.body, "<C:no-uid-conflict><D:href>"+annCalendar+"b.ics</D:href></C:no-uid-conflict>") {
				t.Errorf("%s", r.body)
			}
		}
		h.do(ann, "GET", annHome+"work/a.ics", "").want(t, 200)
		h.do(ann, "DELETE", annCalendar+"b.ics", "").want(t, 204)
		if r := move("MOVE", annHome+"work/a.ics", h.http.URL+annCalendar+"b.ics").want(t, 201); r.header.Get("Location") != h.http.URL+annCalendar+"b.ics" {
			t.Errorf("Location %q", r.header.Get("Location"))
		}
		if g := h.do(ann, "GET", annCalendar+"b.ics", "").want(t, 200); g.body != body {
			t.Errorf("%q", g.body)
		}
		// Decision 23: a second object of one UID is refused, with the href of the first.
		r := move("COPY", annCalendar+"b.ics", annHome+"work/c.ics").refused(t, 403, "C:no-uid-conflict")
		if !strings.Contains(r.body, "<D:href>"+annCalendar+"b.ics</D:href>") {
			t.Errorf("%s", r.body)
		}
		r = h.put(ann, annCalendar+"other.ics", body).refused(t, 403, "C:no-uid-conflict")
		if !strings.Contains(r.body, "<D:href>"+annCalendar+"b.ics</D:href>") {
			t.Errorf("%s", r.body)
		}
		// A PUT into another own calendar moves it.
		h.put(ann, annHome+"work/d.ics", body, "If-None-Match", "*").want(t, 201)
		h.do(ann, "DELETE", annCalendar+"b.ics", "").want(t, 404)
		h.do(ann, "GET", annHome+"work/d.ics", "").want(t, 200)
	})
}

func TestDeleteCollection(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.do(ann, "MKCALENDAR", annHome+"work/", "").want(t, 201)
		h.put(ann, annHome+"work/a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		h.do(ann, "DELETE", annHome+"work/", "").want(t, 204)
		h.propfind(ann, annHome+"work/", "0", "D:displayname").want(t, 404)
		h.do(ann, "GET", annHome+"work/a.ics", "").want(t, 404)
		for _, path := range []string{annInbox, annOutbox, annHome, annSelf, "/dav/"} {
			h.do(ann, "DELETE", path, "").refused(t, 403, "D:need-privileges")
		}
		h.do(ann, "DELETE", bobCalendar, "").refused(t, 403, "D:need-privileges")
		h.do(ann, "DELETE", annHome+"none/", "").want(t, 404)
	})
}

// A password that was changed counts no longer at once, whatever was cached of
// it, and whichever way a request is recognised.
func TestRevocation(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		asks := func(status [4]int) {
			t.Helper()
			h.do(ann, "GET", annCalendar+"a.ics", "").want(t, status[0])
			h.do(ann, "GET", annCalendar+"none.ics", "").want(t, status[1])
			h.propfind(ann, annCalendar, "0", "CS:getctag").want(t, status[2])
			h.propfind(ann, annHome, "0", "CS:getctag").want(t, status[3])
		}
		asks([4]int{200, 404, 207, 207})
		err := h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
			p, err := tx.PrincipalByAddress(ann)
			if err != nil {
				return err
			}
			p.Password = ""
			return tx.UpdatePrincipal(&p)
		})
		if err != nil {
			t.Fatal(err)
		}
		asks([4]int{401, 401, 401, 401})
		h.put(ann, annCalendar+"b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")).want(t, 401)
		h.do(ann, "DELETE", annCalendar+"a.ics", "").want(t, 401)
	})
}
