package scheduling_test

import (
	"slices"
	"testing"

	"github.com/convene-server/convene/db"
)

// A room that lets two meetings have it tells of them, date by date.
func TestConflicts(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.add(db.Room, "room", inRoom, func(p *db.Principal) { p.Policy = "accept_mode always" })
		h.put("ann", series("s", "20260303T1000", "20260303T1100", "FREQ=DAILY;COUNT=3", "ann", "room"))
		h.put("ben", invitation("b", "20260304T1030", "20260304T1130", "ben", "room"))
		h.put("ben", invitation("next", "20260304T1130", "20260304T1230", "ben", "room"))
		h.put("ben", invitation("late", "20260320T1030", "20260320T1130", "ben", "room"))
		h.put("ann", invitation("same", "20260320T1030", "20260320T1130", "ann", "room"))
		test := func(days int, want ...string) {
			t.Helper()
			all, err := h.desk.Conflicts(h.ctx, h.people["room"], today, today.AddDate(0, 0, days))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range all {
				got = append(got, c.First.UID+" "+c.Second.UID+" "+c.Second.Start.Format("02T1504")+" "+c.Second.Organizer)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d days: %q, want %q", days, got, want)
			}
		}
		test(1)
		test(7, "s b 04T1030 ben@example.org")
		test(30, "s b 04T1030 ben@example.org", "late same 20T1030 ann@example.org")
	})
}
