package db_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

func TestKept(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		team, _, _ := person(t, s, "team@example.org")
		now := time.Now().UnixMicro()
		keep := func(uid string, fin int64, data string) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error {
				if data == "" {
					return tx.Keep(team.ID, uid, fin, nil)
				}
				return tx.Keep(team.ID, uid, fin, []byte(data))
			})
		}
		test := func(uid, want string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				data, err := tx.Kept(team.ID, uid)
				if string(data) != want || (want == "") != errors.Is(err, db.ErrNotFound) {
					t.Errorf("%q: %q, %v", uid, data, err)
				}
				return nil
			})
		}
		list := func(fin int64, after string, limit int, want ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.KeptFor(team.ID, fin, after, limit)
				if !slices.Equal(got, want) || err != nil {
					t.Errorf("after %q: %q, %v, want %q", after, got, err, want)
				}
				return nil
			})
		}
		for _, uid := range []string{"a", "b", "c"} {
			keep(uid, now+100, uid)
		}
		keep("old", now-48*time.Hour.Microseconds(), "old")
		keep("b", now+200, "new")
		test("b", "new")
		test("d", "")
		test("\x00", "")
		list(now, "", 10, "a", "b", "c")
		list(now+100, "", 10, "b")
		list(now, "a", 1, "b")
		list(now, "\x00", 10)
		keep("a", 0, "")
		test("a", "")
		if err := s.Sweep(ctx, db.Keep{Tombstones: 72 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		test("old", "old")
		if err := s.Sweep(ctx, db.Keep{Tombstones: 24 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		test("old", "")
		test("c", "c")
		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(team.ID) })
		test("b", "")
	})
}
