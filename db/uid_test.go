package db_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

func TestNamesByUID(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		_, calendar, inbox := person(t, s, "ann@example.org")
		put(t, s, calendar.ID, "a.ics", "1", "a", db.Indexed{})
		put(t, s, calendar.ID, "b.ics", "2", "b", db.Indexed{})
		gone := put(t, s, calendar.ID, "c.ics", "3", "c", db.Indexed{})
		put(t, s, inbox.ID, "x.ics", "1", "x", db.Indexed{})
		put(t, s, inbox.ID, "w.ics", "1", "w", db.Indexed{})
		write(t, s, func(tx *db.Tx) error { return tx.DeleteObject(gone.ID, gone.Modseq+1, gone.Modseq) })
		test := func(collection int64, uid string, want ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.NamesByUID(collection, uid)
				if !slices.Equal(got, want) {
					t.Errorf("%q: %q, want %q", uid, got, want)
				}
				return err
			})
		}
		test(calendar.ID, "1", "a.ics")
		test(calendar.ID, "2", "b.ics")
		test(calendar.ID, "3")
		test(calendar.ID, "4")
		test(calendar.ID, strings.Repeat("x", 5000))
		test(inbox.ID, "1", "w.ics", "x.ics")
	})
}
