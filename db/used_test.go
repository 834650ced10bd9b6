package db_test

import (
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// A sum, which PostgreSQL tells as a numeric.
func TestUsedBytes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, _ := person(t, s, "ann@example.org")
		used := func(want int64) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				n, err := tx.UsedBytes(ann.ID)
				if n != want {
					t.Errorf("%d octets, want %d", n, want)
				}
				return err
			})
		}
		used(0)
		put(t, s, cal.ID, "a.ics", "a", "12345", db.Indexed{})
		put(t, s, cal.ID, "b.ics", "b", "678", db.Indexed{})
		used(8)
		_, others, _ := person(t, s, "bob@example.org")
		o := put(t, s, others.ID, "c.ics", "c", "90", db.Indexed{})
		write(t, s, func(tx *db.Tx) error { return tx.SetOwn(ann.ID, o.ID, []byte("abc")) })
		used(11)
	})
}
