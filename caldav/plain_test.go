package caldav

import (
	"fmt"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
)

// Plain collections lie beside calendars and take files and their like (RFC
// 4791 §5.2).
func TestPlainCollections(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const files = annHome + "files/"
		h.do(ann, "MKCOL", files, "").want(t, 201)
		h.do(ann, "MKCOL", files, "").want(t, 405)
		h.do(ann, "MKCOL", files+"a/b/", "").want(t, 409)
		h.do(ann, "MKCOL", files+"a/", "").want(t, 201)
		h.do(ann, "MKCOL", files+"a/b/", `<D:mkcol xmlns:D="DAV:"><D:set><D:prop><D:resourcetype><D:collection/></D:resourcetype><D:displayname>B</D:displayname></D:prop></D:set></D:mkcol>`,
			"Content-Type", "application/xml").want(t, 201)
		h.do(ann, "MKCOL", files+"x/", "what", "Content-Type", "text/plain").want(t, 415)
		h.do(ann, "MKCALENDAR", files+"cal/", "").refused(t, 403, "C:calendar-collection-location-ok")
		h.do(ann, "MKCOL", annCalendar+"x/", "").refused(t, 403, "C:calendar-collection-location-ok")
		r := h.do(ann, "PUT", files+"a/b/note", "<b>hello</b>", "Content-Type", "text/html; charset=utf-8").want(t, 201)
		h.do(ann, "PUT", files+"a/b", "x").want(t, 403)
		h.do(ann, "PUT", files+"none/x", "x").want(t, 409)
		h.do(ann, "MKCOL", files+"a/b/note", "").want(t, 405)
		g := h.do(ann, "GET", files+"a/b/note", "").want(t, 200)
		if g.body != "<b>hello</b>" || g.header.Get("Content-Type") != "text/html; charset=utf-8" || g.header.Get("ETag") != r.header.Get("ETag") ||
			g.header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(g.header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%+v", g)
		}
		h.do(ann, "PUT", files+"a/b/note", "x", "If-Match", `"other"`).want(t, 412)
		h.do(ann, "PUT", files+"a/b/note", "x", "If-None-Match", "*").want(t, 412)
		h.do(bob, "GET", files+"a/b/note", "").refused(t, 403, "D:need-privileges")
		equal(t, "home", names(t, h.propfind(ann, annHome, "1", "D:displayname"), annHome), []string{"", "calendar/", "files/", "inbox/", "outbox/", "tasks/"})
		equal(t, "members", names(t, h.propfind(ann, files+"a/b/", "1", "D:getetag D:getcontenttype"), files), []string{"a/b/", "a/b/note"})
		equal(t, "members", names(t, h.propfind(ann, files+"a", "1", "D:getetag"), files), []string{"a/", "a/b/"})
		if got := h.propfind(ann, files+"a/b/note", "0", "D:getcontenttype").row(t, files+"a/b/note").text("D:getcontenttype"); got != "text/html;charset=utf-8" {
			t.Errorf("%q", got)
		}
		if w := h.propfind(ann, files+"a/b/", "0", "D:resourcetype D:displayname CS:getctag").row(t, files+"a/b/"); w.text("D:resourcetype") != "<D:collection/>" || w.text("D:displayname") != "B" || !w.has("CS:getctag") {
			t.Errorf("%+v", w)
		}

		// COPY and MOVE (RFC 4918 §9.8, §9.9).
		to := func(method, from, dest string, headers ...string) reply {
			return h.do(ann, method, from, "", append([]string{"Destination", dest}, headers...)...)
		}
		h.proppatch(ann, files+"a/b/note", `<D:set><D:prop><x xmlns="urn:y">1</x></D:prop></D:set>`).want(t, 207)
		to("COPY", files+"a/", files+"c/").want(t, 201)
		to("COPY", files+"a/", files+"c/", "Overwrite", "F").want(t, 412)
		to("COPY", files+"a/", files+"c/").want(t, 204)
		to("COPY", files+"a/", files+"d/", "Depth", "0").want(t, 201)
		to("COPY", files+"a/", files+"a/b/e/").want(t, 409)
		to("COPY", files+"a/", files+"none/e/").want(t, 409)
		to("COPY", files+"a/", annCalendar+"e/").want(t, 403)
		to("COPY", files+"a/", annCalendar).want(t, 403)
		to("COPY", annCalendar, files+"e/").want(t, 403)
		to("COPY", files+"a/b/note", annCalendar+"e.ics").want(t, 403)
		to("MOVE", files+"a/", files+"e/", "Depth", "0").want(t, 400)

		// A file of a calendar becomes an event, as if it were PUT there (RFC 4791 §5.3.2.1).
		body := event("of-file", "20261102T100000Z", "20261102T110000Z", "")
		h.put(ann, files+"good", body).want(t, 201)
		h.put(ann, files+"bad", strings.Replace(body, "SUMMARY", "SUMM\xe4RY", 1)).want(t, 201)
		for _, method := range []string{"COPY", "MOVE"} {
			to(method, files+"bad", annCalendar+"bad.ics").refused(t, 403, "C:valid-calendar-data")
			to(method, files+"good", annTasks+"good.ics").refused(t, 403, "C:supported-calendar-component")
		}
		to("COPY", files+"good", annCalendar+"of-file.ics").want(t, 201)
		to("COPY", files+"good", annCalendar+"of-file.ics", "Overwrite", "F").want(t, 412)
		to("COPY", files+"good", annCalendar+"twice.ics").refused(t, 403, "C:no-uid-conflict")
		to("MOVE", files+"good", annCalendar+"of-file.ics").want(t, 204)
		h.do(ann, "GET", files+"good", "").want(t, 404)
		h.do(ann, "GET", files+"bad", "").want(t, 200)
		if got := h.do(ann, "GET", annCalendar+"of-file.ics", "").want(t, 200).body; got != body {
			t.Errorf("%q", got)
		}
		h.do(ann, "DELETE", files+"bad", "").want(t, 204)
		h.do(ann, "GET", files+"c/b/note", "").want(t, 200)
		h.do(ann, "GET", files+"d/b/note", "").want(t, 404)
		if !strings.Contains(h.do(ann, "PROPFIND", files+"c/b/note", "", "Depth", "0").body, "urn:y") {
			t.Error("a copy has lost its properties")
		}
		to("MOVE", files+"c/", files+"d/").want(t, 204)
		h.do(ann, "GET", files+"c/b/note", "").want(t, 404)
		h.do(ann, "GET", files+"d/b/note", "").want(t, 200)
		to("MOVE", files+"d/b/note", files+"note").want(t, 201)
		to("MOVE", files+"note", files+"a").want(t, 204) // a file over a collection
		h.do(ann, "GET", files+"a/b/note", "").want(t, 404)
		h.do(ann, "DELETE", files+"d/", "", "Depth", "0").want(t, 400)
		h.do(ann, "DELETE", files+"d/", "").want(t, 204)
		h.do(ann, "DELETE", files+"a", "").want(t, 204)
		equal(t, "members", names(t, h.propfind(ann, files, "1", "D:getetag"), files), []string{""})
		h.do(ann, "DELETE", files, "").want(t, 204)
		h.do(ann, "PROPFIND", files, "").want(t, 404)

		// A calendar gets another name; what is in it goes with it.
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		to("MOVE", annCalendar, annHome+"work/").want(t, 201)
		h.do(ann, "GET", annHome+"work/a.ics", "").want(t, 200)
		h.do(ann, "GET", annCalendar+"a.ics", "").want(t, 404)
		to("MOVE", annHome+"work/", bobHome+"work/").refused(t, 403, "D:need-privileges")
	})
}

const lockinfo = `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:%s/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>Ann's <D:href>mailto:ann</D:href></D:owner></D:lockinfo>`

func (h *house) lock(who, path, scope, depth string) (reply, string) {
	h.t.Helper()
	r := h.do(who, "LOCK", path, fmt.Sprintf(lockinfo, scope), "Depth", depth, "Timeout", "Second-600")
	return r, r.header.Get("Lock-Token")
}

// Locks on objects and calendars (RFC 4918 §6, §7).
func TestLocks(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		body := event("a", "20261102T100000Z", "20261102T110000Z", "")
		h.put(ann, annCalendar+"a.ics", body).want(t, 201)
		r, token := h.lock(ann, annCalendar+"a.ics", "exclusive", "0")
		r.want(t, 200)
		if lock := inner(parseXML(t, r.body)); !strings.Contains(lock, "<D:lockscope><D:exclusive/></D:lockscope><D:depth>0</D:depth><D:owner>Ann's <D:href>mailto:ann</D:href></D:owner><D:timeout>Second-600</D:timeout>") ||
			!strings.Contains(lock, "<D:lockroot><D:href>"+annCalendar+"a.ics</D:href></D:lockroot>") || !strings.Contains(lock, token[1:len(token)-1]) {
			t.Errorf("%s", lock)
		}
		if w := h.propfind(ann, annCalendar+"a.ics", "0", "D:lockdiscovery D:supportedlock").row(t, annCalendar+"a.ics"); !strings.Contains(w.text("D:lockdiscovery"), "activelock") || !strings.Contains(w.text("D:supportedlock"), "shared") {
			t.Errorf("%+v", w)
		}
		later := strings.Replace(body, "SUMMARY:a", "SUMMARY:b", 1)
		held := func(r reply) { t.Helper(); r.refused(t, 423, "D:lock-token-submitted") }
		held(h.put(ann, annCalendar+"a.ics", later))
		held(h.do(ann, "DELETE", annCalendar+"a.ics", ""))
		held(h.do(ann, "MOVE", annCalendar+"a.ics", "", "Destination", annCalendar+"b.ics"))
		held(h.proppatch(ann, annCalendar+"a.ics", `<D:set><D:prop><x xmlns="urn:y">1</x></D:prop></D:set>`))
		held(h.do(ann, "MOVE", annCalendar, "", "Destination", annHome+"work/"))
		other, _ := h.lock(ann, annCalendar+"a.ics", "shared", "0")
		other.refused(t, 423, "D:no-conflicting-lock")
		deep, _ := h.lock(ann, annCalendar, "exclusive", "infinity")
		if rows := deep.rows(t); len(rows) != 2 || rows[0].href != annCalendar+"a.ics" || rows[0].status != "HTTP/1.1 423 Locked" || rows[1].status != "HTTP/1.1 424 Failed Dependency" {
			t.Errorf("%+v", rows)
		}
		h.put(ann, annCalendar+"a.ics", later, "If", "("+token+` ["other"])`).want(t, 412)
		h.put(ann, annCalendar+"a.ics", later, "If", "(<urn:uuid:none>)").want(t, 412)
		h.put(ann, annCalendar+"a.ics", later, "If", "what").want(t, 400)
		tag := h.do(ann, "GET", annCalendar+"a.ics", "").header.Get("ETag")
		h.put(ann, annCalendar+"a.ics", later, "If", "<"+annCalendar+"a.ics> ("+token+" ["+tag+"])").want(t, 204)
		r = h.do(ann, "LOCK", annCalendar+"a.ics", "", "If", "("+token+")", "Timeout", "Second-60").want(t, 200)
		if !strings.Contains(r.body, "Second-60<") || r.header.Get("Lock-Token") != "" {
			t.Errorf("%s", r.body)
		}
		h.do(ann, "UNLOCK", annCalendar+"a.ics", "").want(t, 400)
		h.do(ann, "UNLOCK", annCalendar, "", "Lock-Token", token).refused(t, 409, "D:lock-token-matches-request-uri")
		h.do(ann, "UNLOCK", annCalendar+"a.ics", "", "Lock-Token", token).want(t, 204)
		h.put(ann, annCalendar+"a.ics", body).want(t, 204)

		// A name that is kept for a new object; a collection that stays as it is.
		r, token = h.lock(ann, annCalendar+"new.ics", "exclusive", "0")
		r.want(t, 201)
		held(h.put(ann, annCalendar+"new.ics", event("n", "20261102T100000Z", "20261102T110000Z", "")))
		h.put(ann, annCalendar+"new.ics", event("n", "20261102T100000Z", "20261102T110000Z", ""), "If", "("+token+")").want(t, 201)
		h.do(ann, "DELETE", annCalendar+"new.ics", "", "If", "("+token+")").want(t, 204)
		h.do(ann, "UNLOCK", annCalendar+"new.ics", "", "Lock-Token", token).want(t, 409) // ended with it
		r, token = h.lock(ann, annTasks, "exclusive", "0")
		r.want(t, 200)
		todo := lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VTODO", "UID:t", "DTSTAMP:20261101T000000Z", "END:VTODO", "END:VCALENDAR")
		if !strings.Contains(r.body, "<D:lockroot><D:href>"+annTasks+"</D:href></D:lockroot>") {
			t.Errorf("%s", r.body)
		}
		held(h.put(ann, annTasks+"t.ics", todo))
		h.put(ann, annTasks+"t.ics", todo, "If", "<"+annTasks+"> ("+token+")").want(t, 201)
		h.put(ann, annTasks+"t.ics", strings.Replace(todo, "END:VTODO", "SUMMARY:x\r\nEND:VTODO", 1)).want(t, 204) // Depth 0: members may change

		// An empty file is locked where there was none (RFC 4918 §7.3).
		h.do(ann, "MKCOL", annHome+"files/", "").want(t, 201)
		r, token = h.lock(ann, annHome+"files/f", "shared", "0")
		r.want(t, 201)
		if g := h.do(ann, "GET", annHome+"files/f", "").want(t, 200); g.body != "" {
			t.Errorf("%q", g.body)
		}
		second, _ := h.lock(ann, annHome+"files/f", "shared", "0")
		second.want(t, 200)
		h.do(ann, "PUT", annHome+"files/f", "x", "If", "("+token+")").want(t, 204)

		// Nobody else's token opens it, and it runs out.
		if err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
			return tx.RefreshDavLock(strings.Trim(token, "<>"), 0, now.AddDate(-1, 0, 0))
		}); err != nil {
			t.Fatal(err)
		}
		h.do(ann, "PUT", annHome+"files/f", "x", "If", "("+token+")").want(t, 412)
		lock, _ := h.lock(bob, annCalendar, "exclusive", "0")
		lock.refused(t, 403, "D:need-privileges")
		lock, _ = h.lock(ann, annHome, "exclusive", "0")
		lock.want(t, 403)
		lock, _ = h.lock(ann, annCalendar, "exclusive", "1")
		lock.want(t, 400)
	})
}

// The sync-token of a collection is a state token (RFC 6578 §5).
func TestIfHeaderSyncToken(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		token := h.propfind(ann, annCalendar, "0", "D:sync-token").row(t, annCalendar).text("D:sync-token")
		body := event("a", "20261102T100000Z", "20261102T110000Z", "")
		h.put(ann, annCalendar+"a.ics", body, "If", "<"+annCalendar+"> (<"+token+">)").want(t, 201)
		h.put(ann, annCalendar+"a.ics", body, "If", "<"+annCalendar+"> (<"+token+">)").want(t, 412) // that was before the first one
	})
}
