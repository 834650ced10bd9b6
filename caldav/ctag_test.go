package caldav

import (
	"strings"
	"testing"
)

// Every collection and both homes have a ctag, which moves when something in
// them changes, and with nothing else (caldav-ctag).
func TestTagsEverywhere(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const files, box = annHome + "files/", annHome + "notification/"
		h.do(ann, "MKCOL", files, "").want(t, 201)
		all := []string{annHome, annCalendar, annTasks, annInbox, annOutbox, files, box, annBooks, annContacts}
		tags := func() map[string]string {
			t.Helper()
			m := map[string]string{}
			for _, path := range all {
				if m[path] = h.propfind(ann, path, "0", "CS:getctag").row(t, path).text("CS:getctag"); m[path] == "" {
					t.Errorf("%s has no ctag", path)
				}
			}
			return m
		}
		moves := func(what string, act func(), want ...string) {
			t.Helper()
			before := tags()
			act()
			after := tags()
			var moved []string
			for _, path := range all {
				if before[path] != after[path] {
					moved = append(moved, path)
				}
			}
			equal(t, what, moved, want)
		}
		moves("an event", func() {
			h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		}, annHome, annCalendar)
		moves("the same event", func() { h.do(ann, "GET", annCalendar+"a.ics", "").want(t, 200) })
		moves("a removed event", func() { h.do(ann, "DELETE", annCalendar+"a.ics", "").want(t, 204) }, annHome, annCalendar)
		moves("a file", func() { h.do(ann, "PUT", files+"x", "x", "Content-Type", "text/plain").want(t, 201) }, annHome, files)
		moves("a card", func() {
			h.do(ann, "PUT", annContacts+"a.vcf", card("u-a", "A"), "Content-Type", "text/vcard").want(t, 201)
		}, annBooks, annContacts)
		moves("a name", func() {
			h.proppatch(ann, annTasks, `<D:set><D:prop><D:displayname>To do</D:displayname></D:prop></D:set>`).want(t, 207)
		}, annHome, annTasks)
		moves("an invitation", func() {
			h.put(bob, bobCalendar+"m.ics", strings.ReplaceAll(meeting("m", "20261203T100000Z", "20261203T110000Z", ann), "ORGANIZER:mailto:"+ann, "ORGANIZER:mailto:"+bob)).want(t, 201)
		}, annHome, annCalendar, annInbox)
	})
}
