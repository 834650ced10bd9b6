package scheduling_test

import (
	"slices"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/scheduling"
)

// A room forgets bookings when its rules say so, series when their last
// occurrence is over; other people keep theirs, and nobody is told.
func TestForget(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		h := newHouse(t, s)
		h.persons("ann")
		h.add(db.Room, "short", inRoom, func(p *db.Principal) { p.Policy = "forget_after P10D\nschedule_in_freebusy" })
		h.add(db.Room, "long", inRoom)
		h.put("ann", invitation("over", "20260303T1000", "20260303T1100", "ann", "short", "long"))
		h.put("ann", series("series", "20260303T1200", "20260303T1300", "FREQ=DAILY;COUNT=5", "ann", "short", "long"))
		h.put("ann", series("endless", "20260303T1400", "20260303T1500", "FREQ=DAILY", "ann", "short"))
		h.put("ann", invitation("later", "20260320T1000", "20260320T1100", "ann", "short"))
		left := func(days int, want ...string) {
			t.Helper()
			later := options()
			now := today.AddDate(0, 0, days)
			later.Now = func() time.Time { return now }
			desk := scheduling.New(h.store, later)
			if _, err := desk.Forget(h.ctx); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, uid := range []string{"endless", "later", "over", "series"} {
				if _, ok := h.row("short", uid); ok {
					got = append(got, uid)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d days later %q are left, want %q", days, got, want)
			}
		}
		left(5, "endless", "later", "over", "series")
		left(12, "endless", "later", "series")
		left(40, "endless")
		left(400, "endless")
		for _, who := range []string{"ann", "long"} {
			h.has(who, "over")
			h.has(who, "series")
		}
		h.work()
		h.queue()
	})
}
