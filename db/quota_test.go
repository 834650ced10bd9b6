package db_test

import (
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// What counts in a quota is what is booked now, of that organizer, and ahead.
func TestQuotaRows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		car, calendar, _ := person(t, s, "car@example.org")
		const hour = int64(3600e6)
		booking := func(uid string, start, fin int64) {
			t.Helper()
			put(t, s, calendar.ID, uid+".ics", uid, "booking "+uid, slot(start*hour, fin*hour))
		}
		booking("1", 10, 12)
		booking("2", 20, 21)
		booking("3", 30, 31)
		use := func(organizer, uid string) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error {
				return tx.UseQuota(db.QuotaUse{Quota: "cars", Organizer: organizer, Principal: car.ID, UID: uid})
			})
		}
		use("mailto:ann@example.org", "1")
		use("mailto:ann@example.org", "1")
		use("mailto:ann@example.org", "2")
		use("mailto:ben@example.org", "3")
		want := func(quota, organizer string, from, to int64, except string, n int) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				rows, err := tx.QuotaRows(quota, organizer, from*hour, to*hour, except)
				if len(rows) != n {
					t.Errorf("%s of %s in [%d, %d) but %q: %d rows, want %d", quota, organizer, from, to, except, len(rows), n)
				}
				return err
			})
		}
		ann := "mailto:ann@example.org"
		want("cars", ann, 0, 100, "", 2)
		want("cars", ann, 0, 100, "2", 1)
		want("cars", ann, 12, 100, "", 1)
		want("cars", "mailto:ben@example.org", 0, 100, "", 1)
		want("rooms", ann, 0, 100, "", 0)
		want("cars", "mailto:cat@example.org", 0, 100, "", 0)
		write(t, s, func(tx *db.Tx) error { return tx.FreeQuota(car.ID, "1") })
		want("cars", ann, 0, 100, "", 1)
	})
}

func TestWithQuota(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		var car db.Principal
		write(t, s, func(tx *db.Tx) error {
			for _, p := range []*db.Principal{
				{Address: "car@example.org", Kind: db.Resource, Policy: "same_domain_only\ncheck_quota cars PT2H"},
				{Address: "bus@example.org", Kind: db.Resource, Policy: "schedule_in_freebusy"},
			} {
				if err := tx.InsertPrincipal(p); err != nil {
					return err
				}
				if p.Address == "car@example.org" {
					car = *p
				}
			}
			return nil
		})
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.WithQuota()
			if len(got) != 1 || got[car.ID] != car.Policy {
				t.Errorf("%v", got)
			}
			return err
		})
	})
}

func TestHolds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		room, _, _ := person(t, s, "room@example.org")
		at := time.UnixMicro(1_000_000_000).UTC()
		hold := func(uid string, start, fin int64, lasts time.Duration) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error {
				return tx.Hold(db.Hold{Principal: room.ID, UID: uid, Start: start, Fin: fin, Expires: at.Add(lasts)})
			})
		}
		want := func(now time.Time, except string, uids ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.Holds(room.ID, now, 100, 200, except)
				if len(got) != len(uids) {
					t.Errorf("%+v, want %q", got, uids)
					return err
				}
				for i, h := range got {
					if h.UID != uids[i] || h.Principal != room.ID {
						t.Errorf("%+v, want %s", h, uids[i])
					}
				}
				return err
			})
		}
		hold("1", 100, 150, time.Hour)
		hold("2", 150, 200, time.Minute)
		hold("3", 200, 300, time.Hour) // begins where the window ends
		want(at, "", "1", "2")
		want(at, "1", "2")
		want(at.Add(time.Minute), "", "1")
		hold("1", 160, 170, time.Hour)
		want(at, "", "2", "1")
		write(t, s, func(tx *db.Tx) error { return tx.Release(room.ID, "2") })
		want(at, "", "1")
	})
}
