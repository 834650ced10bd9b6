package scheduling_test

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
)

// An invitation marked private comes into the calendar that the rules name, also
// by mail; where there is no such calendar, or nothing is marked, into the usual
// one.
func TestDrawer(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.add(db.Person, "ben", func(p *db.Principal) { p.Policy = "private_calendar own\nconfidential_calendar none" })
		own := h.newCalendar("ben", "own")
		usual := h.calendar("ben", "")
		marked := func(uid, class string) string {
			return strings.Replace(invitation(uid, "20260303T1000", "20260303T1100", "ann", "ben"), "SUMMARY", "CLASS:"+class+"\r\nSUMMARY", 1)
		}
		in := func(uid string, want int64) {
			t.Helper()
			if row := h.has("ben", uid); row.Collection != want {
				t.Errorf("%s is in %d, want %d", uid, row.Collection, want)
			}
		}
		h.put("ann", marked("m1", "PRIVATE"))
		in("m1", own)
		h.put("ann", marked("m2", "CONFIDENTIAL"))
		in("m2", usual)
		h.put("ann", marked("m3", "PUBLIC"))
		in("m3", usual)
		h.says("ann", "m1", "", "ben", "NEEDS-ACTION")
		h.deliver("ben", method(strings.ReplaceAll(marked("m4", "PRIVATE"), "ann@example.org", "out@example.net"), "REQUEST"), "out@example.net")
		in("m4", own)
	})
}
