package db_test

import (
	"errors"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

func TestParted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, _, _ := person(t, s, "ann@example.org")
		test := func(id int64, uid, want string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				data, err := tx.Parted(id, uid)
				if string(data) != want || (want == "") != errors.Is(err, db.ErrNotFound) {
					t.Errorf("%d %q: %q, %v", id, uid, data, err)
				}
				return nil
			})
		}
		for _, data := range []string{"first", "second"} {
			write(t, s, func(tx *db.Tx) error { return tx.PutParted(ann.ID, "u", []byte(data)) })
		}
		test(ann.ID, "u", "second")
		test(ann.ID, "v", "")
		test(ann.ID, "\x00", "")
		test(ann.ID+1, "u", "")
		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(ann.ID) })
		test(ann.ID, "u", "")
	})
}
