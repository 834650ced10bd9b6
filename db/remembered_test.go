package db_test

import (
	"fmt"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

func TestRemembered(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, _, _ := person(t, s, "ann@example.org")
		bob, _, _ := person(t, s, "bob@example.org")
		set := func(id int64, name, data string) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error {
				if data == "" {
					return tx.Remember(id, name, nil)
				}
				return tx.Remember(id, name, []byte(data))
			})
		}
		has := func(id int64, want string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				all, err := tx.Remembered(id, "x@a", "y@a", "\x00", "z@a")
				if got := fmt.Sprintf("%s", all); got != want {
					t.Errorf("%s, want %s", got, want)
				}
				return err
			})
		}
		has(ann.ID, "map[]")
		set(ann.ID, "x@a", "1")
		set(ann.ID, "y@a", "2")
		set(ann.ID, "x@a", "3")
		set(bob.ID, "x@a", "4")
		has(ann.ID, "map[x@a:3 y@a:2]")
		set(ann.ID, "y@a", "")
		has(ann.ID, "map[x@a:3]")
		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(ann.ID) })
		has(ann.ID, "map[]")
		has(bob.ID, "map[x@a:4]")
	})
}
