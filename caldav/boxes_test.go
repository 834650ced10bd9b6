package caldav

import "testing"

// What scheduling inboxes and outboxes are not (RFC 6638 §2.1 to §2.3), and what
// nobody writes (§9.3).
func TestBoxesHoldMessages(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		for _, box := range []string{annInbox, annOutbox} {
			for _, method := range []string{"MKCOL", "MKCALENDAR"} { // no collections in them
				if r := h.do(ann, method, box+"more/", ""); r.status < 400 || r.status > 499 {
					t.Errorf("%s in %s: %d", method, box, r.status)
				}
			}
			for _, method := range []string{"COPY", "MOVE"} {
				if r := h.do(ann, method, annCalendar+"a.ics", "", "Destination", box+"a.ics"); r.status < 400 || r.status > 499 {
					t.Errorf("%s into %s: %d", method, box, r.status)
				}
			}
			if r := h.do(ann, "DELETE", box, ""); r.status < 400 || r.status > 499 {
				t.Errorf("DELETE %s: %d", box, r.status)
			}
			if rows := h.propfind(ann, box, "1", "D:getetag").rows(t); len(rows) != 1 {
				t.Errorf("%s holds %+v", box, rows)
			}
		}
		// None in a calendar.
		h.do(ann, "MKCOL", annCalendar+"inbox/", `<D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop><D:resourcetype><D:collection/><C:schedule-inbox/></D:resourcetype></D:prop></D:set></D:mkcol>`).
			want(t, 403)
		h.report(ann, annInbox, `<C:free-busy-query><C:time-range start="20261101T000000Z" end="20261103T000000Z"/></C:free-busy-query>`).
			refused(t, 403, "D:supported-report")
		tag := h.do(ann, "GET", annCalendar+"a.ics", "").want(t, 200).header.Get("ETag")
		w := h.proppatch(ann, annCalendar+"a.ics", `<D:set><D:prop><C:schedule-tag>"mine"</C:schedule-tag></D:prop></D:set>`).row(t, annCalendar+"a.ics")
		if w.props["HTTP/1.1 403 Forbidden"] == nil {
			t.Errorf("schedule-tag can be written: %+v", w.props)
		}
		if now := h.do(ann, "GET", annCalendar+"a.ics", "").header.Get("ETag"); now != tag {
			t.Errorf("what was refused changed the object: %s, %s", tag, now)
		}
	})
}
