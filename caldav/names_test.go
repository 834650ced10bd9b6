package caldav

import (
	"strings"
	"testing"
)

// What is stored has the directory's names; the entity tag is told of what was
// sent as it is stored, and of nothing else (RFC 4791 §5.3.4).
func TestNamesAreFilledIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const path = annCalendar + "m.ics"
		body := event("m", "20261203T100000Z", "20261203T110000Z", "ORGANIZER:mailto:ann@example.org\nATTENDEE;SCHEDULE-AGENT=NONE:mailto:bob@example.org\nATTENDEE;SCHEDULE-AGENT=NONE:mailto:x@example.com")
		if r := h.put(ann, path, body).want(t, 201); r.header.Get("ETag") != "" {
			t.Errorf("ETag %s of what was not sent", r.header.Get("ETag"))
		}
		g := h.do(ann, "GET", path, "").want(t, 200)
		for _, want := range []string{"ORGANIZER;CN=\"Ann Ärmel\":mailto:ann@example.org\r\n", "ATTENDEE;SCHEDULE-AGENT=NONE;CN=\"Bob\":mailto:bob@example.org\r\n", "ATTENDEE;SCHEDULE-AGENT=NONE:mailto:x@example.com\r\n"} {
			if !strings.Contains(g.body, want) {
				t.Errorf("no %q in\n%s", want, g.body)
			}
		}
		if r := h.put(ann, path, g.body).want(t, 204); r.header.Get("ETag") != g.header.Get("ETag") {
			t.Errorf("ETag %q, want %q", r.header.Get("ETag"), g.header.Get("ETag"))
		}
		// Somebody else's meeting is told as it came.
		theirs := event("t", "20261203T100000Z", "20261203T110000Z", "ORGANIZER:mailto:x@example.com\nATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.org\nATTENDEE:mailto:bob@example.org")
		h.put(ann, annCalendar+"t.ics", theirs).want(t, 201)
		if g := h.do(ann, "GET", annCalendar+"t.ics", "").want(t, 200); strings.Contains(g.body, "CN=") {
			t.Errorf("%s", g.body)
		}
	})
}
