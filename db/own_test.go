package db_test

import (
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// What a guest has for himself of an object lives as long as he and the object,
// and goes where the object goes.
func TestOwn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		_, cal, _ := person(t, s, "ann@example.org")
		bob, _, _ := person(t, s, "bob@example.org")
		cyn, _, _ := person(t, s, "cyn@example.org")
		set := func(who, object int64, data string) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error { return tx.SetOwn(who, object, []byte(data)) })
		}
		test := func(who, object int64, want string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				data, err := tx.OwnOf(who, []int64{object, 1 << 40})
				if err != nil {
					return err
				}
				tags, err := tx.OwnTags(who, cal.ID)
				if string(data[object]) != want || db.SeenETag("e", []byte(want)) != db.TaggedETag("e", tags[object]) {
					t.Errorf("%q with %q, want %q", data[object], tags[object], want)
				}
				return err
			})
		}
		a := put(t, s, cal.ID, "a.ics", "uid", "body", slot(10, 20))
		b := put(t, s, cal.ID, "b.ics", "other", "body", slot(10, 20))
		set(bob.ID, a.ID, "one")
		set(bob.ID, a.ID, "two")
		set(cyn.ID, a.ID, "hers")
		set(bob.ID, b.ID, "more")
		test(bob.ID, a.ID, "two")
		test(cyn.ID, a.ID, "hers")
		set(bob.ID, b.ID, "")
		test(bob.ID, b.ID, "")
		write(t, s, func(tx *db.Tx) error { return tx.CopyOwn(a.ID, b.ID) })
		test(cyn.ID, b.ID, "hers")
		view(t, s, func(tx *db.Tx) error {
			who, err := tx.Owning(cal.Owner)
			if len(who) != 2 || who[0] != bob.ID || who[1] != cyn.ID {
				t.Errorf("%v", who)
			}
			return err
		})
		write(t, s, func(tx *db.Tx) error { return tx.DropOwn(cyn.ID, cal.ID) })
		test(cyn.ID, b.ID, "")
		test(bob.ID, b.ID, "two")

		// The row of an object that is deleted may become another one's.
		remove := func(o db.Object) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error {
				now, err := tx.Object(cal.ID, o.Name)
				if err != nil {
					return err
				}
				m, err := tx.BumpCollections(cal.ID)
				if err != nil {
					return err
				}
				return tx.DeleteObject(o.ID, m[cal.ID], now.Modseq)
			})
		}
		remove(a)
		again := put(t, s, cal.ID, "a.ics", "uid", "body", slot(10, 20))
		test(bob.ID, again.ID, "")

		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(bob.ID) })
		test(bob.ID, b.ID, "")
		set(cyn.ID, b.ID, "hers")
		write(t, s, func(tx *db.Tx) error { return tx.DeleteCollection(cal.ID) })
		if n := scalar(t, s, `SELECT count(*) FROM own`); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}
