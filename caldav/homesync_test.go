package caldav

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/convene-server/convene/directory"
)

// Changes of a home: collections that come, change, are renamed and go (RFC
// 6578 §3.3).
func TestHomeSync(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		sync := func(who, home, token, level, more string) reply {
			t.Helper()
			return h.report(who, home, `<D:sync-collection><D:sync-token>`+token+`</D:sync-token><D:sync-level>`+level+`</D:sync-level>`+more+`<D:prop><D:displayname/></D:prop></D:sync-collection>`)
		}
		token := func(r reply) string {
			t.Helper()
			c := parseXML(t, r.want(t, 207).body).Children()
			return c[len(c)-1].Text()
		}
		first := sync(ann, annHome, "", "1", "")
		equal(t, "first", names(t, first, annHome), []string{"calendar/", "inbox/", "outbox/", "tasks/"})
		at := token(first)
		if w := h.propfind(ann, annHome, "0", "D:sync-token D:supported-report-set").row(t, annHome); w.text("D:sync-token") != at || !strings.Contains(w.text("D:supported-report-set"), "sync-collection") {
			t.Errorf("%+v", w)
		}
		next := func(what string, want ...string) {
			t.Helper()
			r := sync(ann, annHome, at, "1", "")
			equal(t, what, names(t, r, annHome), append([]string{}, want...))
			at = token(r)
		}
		next("nothing")
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		next("a member", "calendar/")
		h.do(ann, "MKCALENDAR", annHome+"work/", "").want(t, 201)
		next("a new one", "work/")
		old := at
		h.do(ann, "MOVE", annHome+"work/", "", "Destination", annHome+"play/").want(t, 201)
		next("another name", "play/", "work/ 404")
		next("nothing")
		h.do(ann, "DELETE", annHome+"play/", "").want(t, 204)
		next("gone", "play/ 404")
		r := sync(ann, annHome, old, "1", "")
		equal(t, "since long", names(t, r, annHome), []string{"play/ 404", "work/ 404"})
		for _, bad := range []string{"x", at + "A", strings.Replace(at, "calendars", "addressbooks", 1), tokenScheme + wordHome + "calendars:::"} {
			sync(ann, annHome, bad, "1", "").refused(t, 403, "D:valid-sync-token")
		}
		// Page by page; the whole tree.
		r = sync(ann, annHome, "", "1", "<D:limit><D:nresults>3</D:nresults></D:limit>")
		rows := names(t, r, annHome)
		if len(rows) != 4 || !strings.Contains(r.body, "507") {
			t.Errorf("%q", rows)
		}
		r = sync(ann, annHome, token(r), "1", "<D:limit><D:nresults>3</D:nresults></D:limit>")
		if more := names(t, r, annHome); len(more) != 1 || token(r) != at {
			t.Errorf("%q", more)
		}
		r = sync(ann, annHome, "", "infinite", "")
		equal(t, "infinite", names(t, r, annHome), []string{"calendar/", "calendar/a.ics", "inbox/", "outbox/", "tasks/"})
		at = token(r)
		h.do(ann, "DELETE", annCalendar+"a.ics", "").want(t, 204)
		equal(t, "infinite", names(t, sync(ann, annHome, at, "infinite", ""), annHome), []string{"calendar/", "calendar/a.ics 404"})
		// Programs older than the RFC say it by Depth, or in Depth's word.
		equal(t, "infinity", names(t, sync(ann, annHome, at, "infinity", ""), annHome), []string{"calendar/", "calendar/a.ics 404"})
		body := "<D:sync-collection><D:sync-token>" + at + "</D:sync-token><D:prop/></D:sync-collection>"
		equal(t, "Depth: infinity", names(t, h.report(ann, annHome, body, "Depth", "infinity"), annHome), []string{"calendar/", "calendar/a.ics 404"})
		equal(t, "Depth: 1", names(t, h.report(ann, annHome, body, "Depth", "1"), annHome), []string{"calendar/"})
		// All of what was renamed has a new address, however deep it lies; what came under an old
		// name is not what was there: from the beginning then.
		h.do(ann, "MKCOL", annHome+"files/", "").want(t, 201)
		h.do(ann, "MKCOL", annHome+"files/sub/", "").want(t, 201)
		h.do(ann, "PUT", annHome+"files/sub/f.txt", "f", "Content-Type", "text/plain").want(t, 201)
		h.do(ann, "MKCALENDAR", annHome+"old/", "").want(t, 201)
		h.put(ann, annHome+"old/b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		at = token(sync(ann, annHome, "", "infinite", ""))
		h.do(ann, "MOVE", annHome+"old/", "", "Destination", annHome+"new/").want(t, 201)
		h.do(ann, "MOVE", annHome+"files/", "", "Destination", annHome+"folder/").want(t, 201)
		r = sync(ann, annHome, at, "infinite", "")
		equal(t, "renamed", names(t, r, annHome), []string{"files/ 404", "files/sub/ 404", "folder/", "folder/sub/", "folder/sub/f.txt", "new/", "new/b.ics", "old/ 404"})
		h.do(ann, "MKCALENDAR", annHome+"old/", "").want(t, 201)
		sync(ann, annHome, at, "infinite", "").refused(t, 403, "D:valid-sync-token")
		equal(t, "one level", names(t, sync(ann, annHome, at, "1", ""), annHome), []string{"files/ 404", "folder/", "new/", "old/"})
		equal(t, "since then", names(t, sync(ann, annHome, token(r), "infinite", ""), annHome), []string{"old/"})
		sync(ann, annHome, "", "infinite", "<D:limit><D:nresults>1</D:nresults></D:limit>").refused(t, 403, "D:number-of-matches-within-limits")

		// A guest hears of what he may read, and that he may no longer.
		sync(bob, annHome, "", "1", "").refused(t, 403, "D:need-privileges")
		h.acl(ann, annTasks, aceFor(href(bobPath), "D:read")).want(t, 200)
		r = sync(bob, annHome, "", "1", "")
		equal(t, "guest", names(t, r, annHome), []string{"tasks/"})
		h.acl(ann, annCalendar, aceFor(href(bobPath), "D:read")).want(t, 200)
		h.acl(ann, annTasks, "").want(t, 200)
		equal(t, "guest", names(t, sync(bob, annHome, token(r), "1", ""), annHome), []string{"calendar/", "tasks/ 404"})
	})
}

// New members get a name here (RFC 5995).
func TestAddMember(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		add := func(coll, body, media string, headers ...string) reply {
			t.Helper()
			at := h.propfind(ann, coll, "0", "D:add-member").row(t, coll).text("D:add-member")
			at = strings.TrimSuffix(strings.TrimPrefix(at, "<D:href>"), "</D:href>")
			return h.do(ann, "POST", at, body, append([]string{"Content-Type", media}, headers...)...)
		}
		body := event("a", "20261102T100000Z", "20261102T110000Z", "")
		r := add(annCalendar, body, "text/calendar").want(t, 201)
		at := r.header.Get("Location")
		if !strings.HasPrefix(at, annCalendar) || !strings.HasSuffix(at, ".ics") || r.header.Get("ETag") == "" {
			t.Errorf("%v", r.header)
		}
		if g := h.do(ann, "GET", at, "").want(t, 200); g.body != body {
			t.Errorf("%q", g.body)
		}
		r = add(annCalendar, strings.ReplaceAll(body, "UID:a", "UID:b"), "text/calendar", "Prefer", "return=representation").want(t, 201)
		if r.header.Get("Location") != r.header.Get("Content-Location") || !strings.Contains(r.body, "UID:b") {
			t.Errorf("%v %s", r.header, r.body)
		}
		add(annContacts, card("u-x", "X"), "text/vcard").want(t, 201)
		h.do(ann, "MKCOL", annHome+"files/", "").want(t, 201)
		r = add(annHome+"files/", "x", "text/plain").want(t, 201)
		if g := h.do(ann, "GET", r.header.Get("Location"), "").want(t, 200); g.body != "x" {
			t.Errorf("%q", g.body)
		}
		add(annCalendar, "x", "text/calendar").refused(t, 403, "C:valid-calendar-data")
		h.do(ann, "POST", annInbox+addMemberName, body, "Content-Type", "text/calendar").refused(t, 403, "D:need-privileges")
		h.do(bob, "POST", annCalendar+addMemberName, body, "Content-Type", "text/calendar").refused(t, 403, "D:need-privileges")
	})
}

// Prefer (RFC 8144): a listing without its root, and what is there instead
// where a condition fails.
func TestPreferences(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		body := event("a", "20261102T100000Z", "20261102T110000Z", "")
		h.put(ann, annCalendar+"a.ics", body).want(t, 201)
		r := h.propfind(ann, annCalendar, "1", "D:getetag", "Prefer", "depth-noroot")
		equal(t, "noroot", names(t, r, annCalendar), []string{"a.ics"})
		if r.header.Get("Preference-Applied") != "depth-noroot" {
			t.Errorf("%v", r.header)
		}
		equal(t, "depth 0", names(t, h.propfind(ann, annCalendar, "0", "D:displayname", "Prefer", "depth-noroot"), annCalendar), []string{""})
		r = h.put(ann, annCalendar+"a.ics", body, "If-None-Match", "*", "Prefer", "return=representation").want(t, 412)
		if r.body != body || r.header.Get("ETag") == "" || r.header.Get("Content-Location") != annCalendar+"a.ics" {
			t.Errorf("%v %s", r.header, r.body)
		}
		h.put(ann, annCalendar+"b.ics", body, "If-Match", `"x"`, "Prefer", "return=representation").want(t, 412)
	})
}

// Long answers are compressed for who likes it, as a stream.
func TestGzip(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		objects := map[string]string{}
		for _, c := range strings.Split("abcdefghijklmnopqrst", "") {
			objects[c+".ics"] = event(c, "20261102T100000Z", "20261102T110000Z", "")
		}
		h.seedAll(ann, "calendar", objects)
		ask := func(accept, path string) (*http.Response, string) {
			t.Helper()
			req, err := http.NewRequest("PROPFIND", h.http.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth(ann, "secret")
			req.Header.Set("Depth", "1")
			req.Header.Set("Accept-Encoding", accept)
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			var in io.Reader = res.Body
			if res.Header.Get("Content-Encoding") == "gzip" {
				if in, err = gzip.NewReader(res.Body); err != nil {
					t.Fatal(err)
				}
			}
			b, err := io.ReadAll(in)
			if err != nil {
				t.Fatal(err)
			}
			return res, string(b)
		}
		_, plain := ask("identity", annCalendar)
		for accept, want := range map[string]string{"gzip": "gzip", "gzip, deflate": "gzip", "deflate": "", "gzip;q=0": "", "identity, gzip;q=0.5": "", "*": "gzip", "GZIP;q=0.8": "gzip", "gzip;q=x": ""} {
			res, body := ask(accept, annCalendar)
			if res.Header.Get("Content-Encoding") != want || body != plain {
				t.Errorf("%s: %q, the same: %v", accept, res.Header.Get("Content-Encoding"), body == plain)
			}
		}
		parseXML(t, plain)
	})
}

// A quota is told, and kept (RFC 4331).
func TestQuota(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		body := event("a", "20261102T100000Z", "20261102T110000Z", "")
		h.put(ann, annCalendar+"a.ics", body).want(t, 201)
		if w := h.propfind(ann, annHome, "0", "D:quota-used-bytes D:quota-available-bytes").row(t, annHome); w.text("D:quota-used-bytes") != sizeOf(body) || !w.lacks("D:quota-available-bytes") {
			t.Errorf("%+v", w)
		}
		door := New(Options{Store: h.store, Directory: directory.New(h.store), Desk: h.desk, Quota: int64(2*len(body) + 10)})
		h.http.Config.Handler = door
		if w := h.propfind(ann, annCalendar, "0", "D:quota-available-bytes").row(t, annCalendar); w.text("D:quota-available-bytes") != sizeOf(body+"0123456789") {
			t.Errorf("%+v", w)
		}
		h.do(ann, "MKCOL", annHome+"files/", "").want(t, 201)
		h.do(ann, "PUT", annHome+"files/f", body).want(t, 201)
		h.do(ann, "PUT", annHome+"files/g", "0123456789").want(t, 201)
		h.do(ann, "PUT", annHome+"files/h", "x").refused(t, 507, "D:quota-not-exceeded")
		h.do(ann, "COPY", annHome+"files/g", "", "Destination", annHome+"files/h").refused(t, 507, "D:quota-not-exceeded")
		h.put(ann, annCalendar+"b.ics", strings.ReplaceAll(body, "UID:a", "UID:b")).refused(t, 507, "D:quota-not-exceeded")
		h.putCard(ann, annContacts+"x.vcf", card("u-x", "X")).refused(t, 507, "D:quota-not-exceeded")
		h.do(bob, "PUT", bobCalendar+"b.ics", body, "Content-Type", "text/calendar").want(t, 201)
		// His alarms in her calendar are his to pay for.
		h.acl(ann, annCalendar, aceFor(href(bobPath), "D:read")).want(t, 200)
		his := event("a", "20261102T100000Z", "20261102T110000Z", alarm("x", "PT5M"))
		h.put(bob, annCalendar+"a.ics", his).refused(t, 507, "D:quota-not-exceeded")
		h.do(bob, "DELETE", bobCalendar+"b.ics", "").want(t, 204)
		h.put(bob, annCalendar+"a.ics", his).want(t, 204)
		if w := h.propfind(bob, bobHome, "0", "D:quota-used-bytes").row(t, bobHome); w.text("D:quota-used-bytes") == "0" {
			t.Errorf("%+v", w)
		}
	})
}

func sizeOf(s string) string { return strconv.Itoa(len(s)) }
