package caldav

import (
	"strings"
	"testing"
)

// Small things that one program or another cannot do without, and that no
// other test is about.
func TestSmallThings(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		// What is not offered is not named, or Apple's programs use it.
		w := h.propfind(ann, annSelf, "0", "CS:dropbox-home-URL D:owner D:principal-collection-set").row(t, annSelf)
		if !w.lacks("CS:dropbox-home-URL") || strings.Count(w.text("D:principal-collection-set"), "<D:href>") != 1 {
			t.Errorf("%+v", w)
		}
		for _, path := range []string{annCalendar, annTasks, annInbox} {
			if w := h.propfind(ann, path, "0", "C:supported-calendar-component-set").row(t, path); !strings.Contains(w.text("C:supported-calendar-component-set"), "comp name") || strings.Contains(w.text("C:supported-calendar-component-set"), "VPOLL") {
				t.Errorf("%s: %+v", path, w)
			}
		}
		// Empty values, as an iPhone writes them.
		empty := event("e", "20261102T100000Z", "20261102T110000Z", "URL:\nLOCATION:\nDESCRIPTION:\nCOMMENT:")
		h.put(ann, annCalendar+"e.ics", strings.Replace(empty, "SUMMARY:e", "SUMMARY:", 1)).want(t, 201)
		// What others do moves tags and tokens, of the inbox too.
		tag := func(path string) string {
			return h.propfind(bob, path, "0", "CS:getctag D:sync-token").row(t, path).text("CS:getctag")
		}
		home, cal, in := tag(bobHome), tag(bobCalendar), tag(bobHome+"inbox/")
		h.put(ann, annCalendar+"m.ics", meeting("m", "20261203T100000Z", "20261203T110000Z", bob)).want(t, 201)
		if tag(bobHome) == home || tag(bobCalendar) == cal || tag(bobHome+"inbox/") == in {
			t.Error("an invitation moved no tag")
		}
		// A notice stays until its owner removes it, which declines nothing.
		notice := h.propfind(bob, bobHome+"inbox/", "1", "D:getetag").rows(t)[1].href
		if g := h.do(bob, "GET", notice, "").want(t, 200); !strings.Contains(g.body, "METHOD:REQUEST") {
			t.Errorf("%s", g.body)
		}
		h.do(bob, "DELETE", notice, "").want(t, 204)
		if g := h.do(ann, "GET", annCalendar+"m.ics", "").want(t, 200); strings.Contains(g.body, "DECLINED") {
			t.Errorf("%s", g.body)
		}
		// A body without a content type, and one with a byte order mark.
		h.do(ann, "PROPFIND", annCalendar, "\xef\xbb\xbf"+`<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>`, "Depth", "0").want(t, 207)
		// A collection does not list itself among what has changed in it.
		for _, row := range h.report(ann, annCalendar, `<D:sync-collection><D:sync-token/><D:prop><D:getetag/><D:getcontenttype/></D:prop></D:sync-collection>`).rows(t) {
			if row.href == annCalendar || row.status != "" || row.text("D:getetag") == "" || !strings.HasPrefix(row.text("D:getcontenttype"), "text/calendar") {
				t.Errorf("%+v", row)
			}
		}
		// Found properties come before those that are not there.
		body := h.propfind(ann, annCalendar, "0", "A:none D:displayname").body
		if strings.Index(body, "HTTP/1.1 200 OK") > strings.Index(body, "HTTP/1.1 404 Not Found") {
			t.Errorf("%s", body)
		}
		// Nothing found is an empty multistatus; a journal may be asked for where
		// there is none.
		if rows := h.report(ann, annCalendar, queryOf(`<C:comp-filter name="VJOURNAL"/>`, "D:getetag"), "Depth", "1").rows(t); len(rows) != 0 {
			t.Errorf("%+v", rows)
		}
		// The default book is the first that is told.
		h.do(ann, "MKCOL", annBooks+"a/", `<D:mkcol`+namespaces+`><D:set><D:prop><D:resourcetype><D:collection/><CR:addressbook/></D:resourcetype></D:prop></D:set></D:mkcol>`, "Content-Type", "text/xml").want(t, 201)
		if rows := h.propfind(ann, annBooks, "1", "D:displayname").rows(t); rows[1].href != annContacts {
			t.Errorf("%+v", rows)
		}
	})
}
