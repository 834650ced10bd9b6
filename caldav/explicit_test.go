package caldav

import (
	"strings"
	"testing"
)

// A message about a meeting that is posted to the outbox, as in the drafts
// before RFC 6638: it sends nothing, and says whom the stored meeting reached.
func TestExplicitScheduling(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		post := func(who, path, body string) reply {
			t.Helper()
			return h.do(who, "POST", path, body, "Content-Type", "text/calendar")
		}
		with := func(method, body string) string {
			return strings.Replace(body, "VERSION:2.0\r\n", "VERSION:2.0\r\nMETHOD:"+method+"\r\n", 1)
		}
		inbox := func(who string, want int) {
			t.Helper()
			equal(t, "inbox", len(h.propfind(who, "/dav/calendars/"+who+"/inbox/", "1", "D:getetag").rows(t))-1, want)
		}
		told := func(r reply, whom, status string) {
			t.Helper()
			if r.want(t, 200); !strings.Contains(r.body, "<C:recipient><D:href>mailto:"+whom+"</D:href></C:recipient><C:request-status>"+status) {
				t.Errorf("not %s: %s", status, r.body)
			}
		}
		const reached, not = "2.0;Success</C:request-status></C:response>", "3.14;Unsupported capability</C:request-status><D:responsedescription>"
		m := meeting("m", "20261203T100000Z", "20261203T110000Z", bob)
		told(post(ann, annOutbox, with("REQUEST", m)), bob, not)
		inbox(bob, 0)
		h.put(ann, annCalendar+"m.ics", m).want(t, 201)
		inbox(bob, 1)
		told(post(ann, annOutbox, with("REQUEST", m)), bob, reached)
		inbox(bob, 1)

		answer := strings.Replace(m, "ATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.org\r\n", "", 1)
		answer = strings.Replace(answer, "PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED", 1)
		told(post(bob, bobHome+"outbox/", with("REPLY", answer)), ann, not)
		at := h.propfind(bob, bobCalendar, "1", "D:getetag").rows(t)[1].href
		mine := h.do(bob, "GET", at, "").want(t, 200)
		h.put(bob, at, strings.Replace(strings.ReplaceAll(mine.body, "\r\n ", ""), "PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED", 1)).want(t, 204)
		told(post(bob, bobHome+"outbox/", with("REPLY", answer)), ann, reached)
		inbox(ann, 1)

		told(post(ann, annOutbox, with("CANCEL", m)), bob, reached) // as its REQUEST reached him; it changes nothing
		h.do(ann, "DELETE", annCalendar+"m.ics", "").want(t, 204)
		told(post(ann, annOutbox, with("CANCEL", m)), bob, reached)

		// What is wrong with one has the drafts' names.
		post(ann, annOutbox, m).refused(t, 403, "C:valid-calendar-data")
		post(ann, annOutbox, with("REQUEST", strings.ReplaceAll(m, "mailto:bob@", "mailto:ann@"))).refused(t, 403, "C:recipient-specified")
		post(bob, bobHome+"outbox/", with("REQUEST", m)).refused(t, 403, "C:organizer-allowed")
		post(ann, annOutbox, with("REQUEST", event("x", "20261203T100000Z", "20261203T110000Z", ""))).refused(t, 403, "C:organizer-allowed")
		post(bob, bobHome+"outbox/", with("REPLY", m)).refused(t, 403, "C:valid-calendar-data")
		post(ann, annOutbox, with("REPLY", answer)).refused(t, 403, "C:attendee-allowed")
		post(ann, annInbox, with("REQUEST", m)).refused(t, 400, "C:valid-scheduling-message")
		post(ann, bobHome+"outbox/", with("REPLY", answer)).refused(t, 403, "D:need-privileges")

		// There is never anything in an outbox to be found.
		equal(t, "outbox by query", len(h.report(ann, annOutbox, queryOf(`<C:comp-filter name="VEVENT"/>`, "D:getetag"), "Depth", "1").rows(t)), 0)
		if r := h.report(ann, annOutbox, `<C:calendar-multiget xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop><D:getetag/></D:prop><D:href>`+annOutbox+`1.ics</D:href></C:calendar-multiget>`).want(t, 207); !strings.Contains(r.body, "404 Not Found") {
			t.Errorf("%s", r.body)
		}
	})
}
