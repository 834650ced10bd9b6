package caldav

import (
	"fmt"
	"testing"
)

// To hear that nothing has changed costs one read of the collection's row,
// however much is in it: who asks is recognised by the same statement.
func TestPollIsOneRead(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, n := range []int{0, 300} {
			objects := map[string]string{}
			for i := range n {
				name := fmt.Sprintf("e%d", i)
				objects[name+".ics"] = event(name, "20261102T100000Z", "20261102T110000Z", "")
			}
			h.seedAll(ann, "calendar", objects)
			token := h.propfind(ann, annCalendar, "0", "D:sync-token").row(t, annCalendar).text("D:sync-token")
			test := func(what string, ask func()) {
				t.Helper()
				ask() // logs in
				least := int64(1 << 60)
				// What is done beside it, now and then, is counted too.
				for range 30 {
					// Whatever is remembered of Ann's is worth nothing after this.
					h.put(bob, bobCalendar+"other.ics", event("other", "20261102T100000Z", "20261102T110000Z", ""))
					h.propfind(ann, annTasks, "0", "D:sync-token").row(t, annTasks) // the store's epoch is known for a second
					before := h.store.Ran()
					ask()
					if least = min(least, h.store.Ran()-before); least <= 1 {
						break
					}
				}
				if least != 1 {
					t.Errorf("%s, with %d objects: %d statements", what, n, least)
				}
			}
			test("a poll by PROPFIND", func() {
				t.Helper()
				h.propfind(ann, annCalendar, "0", "CS:getctag D:sync-token D:getetag D:displayname D:resourcetype").row(t, annCalendar)
			})
			test("a poll by sync-collection", func() {
				t.Helper()
				r := h.report(ann, annCalendar, `<D:sync-collection><D:sync-token>`+token+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`)
				if rows := r.rows(t); len(rows) > 0 {
					t.Errorf("%+v", rows)
				}
			})
			test("an unchanged object", func() {
				t.Helper()
				h.do(bob, "GET", bobCalendar+"other.ics", "", "If-None-Match", "*").want(t, 304)
			})
		}
	})
}
