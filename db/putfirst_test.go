package db_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// PutFirst stores a new object under the collection's new modseq, as
// BumpCollections and PutObject do.
func TestPutFirst(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, _ := person(t, s, "ann@example.org")
		modseq := func() int64 {
			return scalar(t, s, fmt.Sprintf(`SELECT modseq FROM collection WHERE id = %d`, cal.ID))
		}
		first := func(collection int64, name, uid, body string, rec db.Indexed) (o db.Object, err error) {
			err = s.Write(ctx, nil, func(tx *db.Tx) error {
				o = db.Object{Collection: collection, Name: name, UID: uid, Component: "VEVENT"}
				return errors.Join(tx.LockThreads(uid), tx.PutFirst(&o, []byte(body), rec))
			})
			return o, err
		}
		stored := func(name, uid, body string, rec db.Indexed) {
			t.Helper()
			before := modseq()
			o, err := first(cal.ID, name, uid, body, rec)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			got := loadObject(t, s, cal.ID, name)
			if got.Modseq != before+1 || o.Modseq != before+1 || modseq() != before+1 || got.ID != o.ID || string(got.Body) != body || got.ETag != o.ETag {
				t.Errorf("%s: modseq %d after %d, stored %+v, returned %+v", name, modseq(), before, got, o)
			}
		}
		stored("a.ics", "u1", "1", slot(1, 2))
		stored("b.ics", "u2", "2", db.Indexed{Series: &db.Series{First: 5, Last: 6, Runs: []byte{1}}})
		stored("c.ics", "u3", "3", db.Indexed{})
		view(t, s, func(tx *db.Tx) error {
			found, err := tx.InRange(cal.ID, "", 0, 10)
			if len(found) != 3 || found[0].Slot == nil || found[1].Series == nil || found[2].Slot != nil || found[2].Series != nil {
				t.Errorf("records: %+v", found)
			}
			return err
		})
		refused := func(what string, collection int64, name string) {
			t.Helper()
			before := modseq()
			if _, err := first(collection, name, "u4", "4", slot(1, 2)); !errors.Is(err, db.ErrConflict) || modseq() != before {
				t.Errorf("%s: %v, modseq %d after %d", what, err, modseq(), before)
			}
		}
		refused("a name that is taken", cal.ID, "a.ics")
		refused("a collection that is not there", cal.ID+1000, "d.ics")
		if _, err := first(cal.ID, "a\xff", "u4", "4", slot(1, 2)); !errors.Is(err, db.ErrText) {
			t.Errorf("a name that cannot be stored: %v", err)
		}
		o := loadObject(t, s, cal.ID, "a.ics")
		if err := bumped(s, cal.ID, func(tx *db.Tx, m int64) error { return tx.DeleteObject(o.ID, m, o.Modseq) }); err != nil {
			t.Fatal(err)
		}
		stored("a.ics", "u1", "again", slot(1, 2)) // where a tombstone was

		// Sixteen at once: each has a number of its own.
		const many = 16
		before := modseq()
		numbers := make([]int64, many)
		var wg sync.WaitGroup
		for i := range many {
			wg.Go(func() {
				o, err := first(cal.ID, fmt.Sprintf("%d.ics", i), fmt.Sprintf("many%d", i), "x", slot(1, 2))
				if err != nil {
					t.Error(err)
				}
				numbers[i] = o.Modseq
			})
		}
		wg.Wait()
		seen := map[int64]bool{}
		for _, n := range numbers {
			seen[n] = true
		}
		if modseq() != before+many || len(seen) != many {
			t.Errorf("modseq %d after %d, numbers %v", modseq(), before, numbers)
		}

		// Whether there is a lock of WebDAV in the home.
		has := func(want bool) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				c, version, locked, err := tx.CollectionToWrite(ann.ID, db.Calendar, "calendar")
				if err != nil || c.ID != cal.ID || version != ann.Version || locked != want {
					t.Errorf("CollectionToWrite: %+v, version %d, locked %v, %v", c, version, locked, err)
				}
				return nil
			})
		}
		has(false)
		write(t, s, func(tx *db.Tx) error {
			return tx.InsertDavLock(db.DavLock{Token: "urn:uuid:1", Owner: ann.ID, Home: db.Calendar, Path: "calendar", Holder: ann.ID}, ann.LastDAV)
		})
		has(true)
	})
}

// The first to lock a conversation need not ask for what is in it; everybody
// after him does, also once its lock was swept.
func TestConversationsThatAreNew(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, _ := person(t, s, "ann@example.org")
		count := func(tx *db.Tx, uid string, want int) error {
			t.Helper()
			os, err := tx.ObjectsByUID(uid, ann.ID)
			if len(os) != want {
				t.Errorf("%s has %d objects, want %d", uid, len(os), want)
			}
			return err
		}
		stop := errors.New("stop")
		for range 2 { // what was undone was not the first
			err := s.Write(ctx, nil, func(tx *db.Tx) error {
				if err := errors.Join(tx.LockThreads("u", "v"), count(tx, "u", 0)); err != nil {
					return err
				}
				o := db.Object{Collection: cal.ID, Name: "a.ics", UID: "u", Component: "VEVENT"}
				return errors.Join(tx.PutFirst(&o, []byte("1"), db.Indexed{}), count(tx, "u", 1), count(tx, "v", 0), stop)
			})
			if !errors.Is(err, stop) {
				t.Fatal(err)
			}
		}
		put(t, s, cal.ID, "a.ics", "u", "1", db.Indexed{})
		if err := s.Sweep(ctx, db.Keep{}); err != nil {
			t.Fatal(err)
		}
		write(t, s, func(tx *db.Tx) error { return errors.Join(tx.LockThreads("u"), count(tx, "u", 1)) })
	})
}
