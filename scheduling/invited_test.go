package scheduling_test

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/itip"
)

// A copy of a colleague's meeting that he does not have would answer nobody.
// It is refused, unless his calendar may be elsewhere, or it is long over.
func TestInvitedByNobody(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "cem")
		h.add(db.Person, "eve", func(p *db.Principal) { p.LastDAV = today.AddDate(0, -2, 0) })
		h.add(db.Person, "fay", func(p *db.Principal) { p.Password = "" })
		body := func(uid, organizer string) string {
			return invitation(uid, "20260303T1000", "20260303T1100", organizer, "ben")
		}
		no := func(body string) {
			t.Helper()
			_, err := h.tryPut("ben", body)
			refused(t, err, itip.AllowedAttendee)
		}
		no(body("u1", "ann"))
		h.hasNot("ben", "u1")
		// Those who do not use their calendar here, and those outside, have it elsewhere.
		h.put("ben", body("u2", "eve"))
		h.put("ben", body("u3", "fay"))
		h.put("ben", event("u4", "20260303T1000", "20260303T1100", "ORGANIZER:mailto:bob@example.com", attendee("ben")))
		// What is over, what is imported, what nobody schedules, and what is a note.
		h.put("ben", invitation("u5", "20240303T1000", "20240303T1100", "ann", "ben"))
		h.put("ben", body("u6", "ann"), func(p *scheduling.Put) { p.Silent = true })
		h.put("ben", strings.Replace(body("u7", "ann"), "ORGANIZER:", "ORGANIZER;SCHEDULE-AGENT=NONE:", 1))
		h.put("ben", invitation("u8", "20260303T1000", "20260303T1100", "ann", "cem"))
		// Nor can the server take over what a program scheduled (RFC 6638 §3.2.2.3).
		no(body("u7", "ann"))
		// What was imported goes on.
		h.put("ben", h.answered("ben", "u6", "ACCEPTED"))
		// As soon as she has it, it is a copy like any other; who is not invited asks her.
		h.put("ann", body("u1", "ann"))
		h.put("ben", h.answered("ben", "u1", "ACCEPTED"))
		h.says("ann", "u1", "", "ben", "ACCEPTED")
		h.put("cem", strings.ReplaceAll(body("u1", "ann"), "ben", "cem"))
		h.has("cem", "u1")
	})
}
