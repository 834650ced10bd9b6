package scheduling_test

import (
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
)

// Decision 32: floating times are busy where the calendar's zone says, also
// after that was changed; nothing else of the objects changes.
func TestRezone(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", calendar(component("once", "DTSTART:20260303T100000", "DTEND:20260303T110000")))
		h.put("ann", calendar(component("series", "DTSTART:20260303T150000", "DTEND:20260303T160000", "RRULE:FREQ=DAILY;COUNT=2")))
		h.put("ann", event("fixed", "20260303T2000", "20260303T2100"))
		before := map[string]db.OwnedObject{}
		for _, uid := range []string{"once", "series", "fixed"} {
			before[uid] = h.has("ann", uid)
		}
		// His own zone is Berlin.
		if got, want := h.busy("ann", 7), "03T0900-1000 03T1400-1500 03T2000-2100 04T1400-1500"; got != want {
			t.Fatalf("busy %q, want %q", got, want)
		}
		err := h.store.Write(h.ctx, nil, func(tx *db.Tx) error {
			c, err := tx.Collection(before["once"].Collection)
			if err != nil {
				return err
			}
			c.TZ = "Asia/Tokyo"
			if err := tx.UpdateCollection(&c); err != nil {
				return err
			}
			return scheduling.Rezone(tx, c)
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := h.work(); n != 2 {
			t.Errorf("%d jobs", n)
		}
		if got, want := h.busy("ann", 7), "03T0100-0200 03T0600-0700 03T2000-2100 04T0600-0700"; got != want {
			t.Errorf("busy %q, want %q", got, want)
		}
		// A changed zone of the owner does not move what has its own.
		owner := func(tz string) {
			t.Helper()
			h.write(func(tx *db.Tx) error {
				p, err := tx.Principal(h.people["ann"].ID)
				if err != nil {
					return err
				}
				p.TZ = tz
				if err := tx.UpdatePrincipal(&p); err != nil {
					return err
				}
				return scheduling.RezoneOwner(tx, p.ID)
			})
		}
		owner("America/New_York")
		if n := h.work(); n != 0 {
			t.Errorf("%d jobs", n)
		}
		h.write(func(tx *db.Tx) error {
			c, err := tx.Collection(before["once"].Collection)
			if err != nil {
				return err
			}
			c.TZ = ""
			if err := tx.UpdateCollection(&c); err != nil {
				return err
			}
			return scheduling.Rezone(tx, c)
		})
		owner("Europe/Lisbon")
		if n := h.work(); n != 2 && n != 4 {
			t.Errorf("%d jobs", n)
		}
		if got, want := h.busy("ann", 7), "03T1000-1100 03T1500-1600 03T2000-2100 04T1500-1600"; got != want {
			t.Errorf("busy %q, want %q", got, want)
		}
		for uid, b := range before {
			if a := h.has("ann", uid); a.ETag != b.ETag || a.ScheduleTag != b.ScheduleTag || string(a.Body) != string(b.Body) {
				t.Errorf("%s changed: %+v", uid, a)
			}
		}
		h.queue()
	})
}
