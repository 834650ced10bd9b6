package db_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// only stores a new object as the desk does what it takes for all that there is
// to write, and looks at second sight if that was wrong. It returns how often it
// was run.
func only(s *db.Store, o *db.Object, body string, modseq int64, between func(*db.Tx) error) (runs int, err error) {
	fresh := *o
	err = s.Write(ctx, nil, func(tx *db.Tx) error {
		*o = fresh
		if runs++; runs == 1 {
			if err := tx.LockNew(o.UID); err != nil {
				return err
			}
		} else if err := tx.LockThreads(o.UID); err != nil {
			return err
		}
		if have, err := tx.ObjectsByUID(o.UID); err != nil || len(have) > 0 {
			return errors.Join(err, errTaken)
		}
		if between != nil {
			if err := between(tx); err != nil {
				return err
			}
		}
		return tx.PutOnly(o, []byte(body), slot(1, 2), modseq)
	})
	return runs, err
}

var errTaken = errors.New("the conversation is there already")

// PutOnly is PutFirst in one statement, where what it takes for granted holds;
// where that does not, nothing is written.
func TestPutOnly(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		postgres := s.Dialect() == "postgres"
		ann, cal, _ := person(t, s, "ann@example.org")
		modseq := func() int64 {
			return scalar(t, s, fmt.Sprintf(`SELECT modseq FROM collection WHERE id = %d`, cal.ID))
		}
		twice := func(n int) int { // on SQLite everything is asked for before
			if postgres {
				return n
			}
			return 1
		}
		test := func(what, name, uid string, seen int64, between func(*db.Tx) error, runs int, want error) {
			t.Helper()
			before, bodies := modseq(), scalar(t, s, `SELECT count(*) FROM body`)
			o := db.Object{Collection: cal.ID, Name: name, UID: uid, Component: "VEVENT"}
			n, err := only(s, &o, what, seen, between)
			if !errors.Is(err, want) || (want == nil) != (err == nil) || n != runs {
				t.Errorf("%s: %v after %d runs, want %v after %d", what, err, n, want, runs)
			}
			if want != nil {
				if now := scalar(t, s, `SELECT count(*) FROM body`); modseq() != before || now != bodies {
					t.Errorf("%s: modseq %d after %d, %d bodies after %d", what, modseq(), before, now, bodies)
				}
				return
			}
			got := loadObject(t, s, cal.ID, name)
			if got.ID != o.ID || got.Modseq != before+1 || o.Modseq != got.Modseq || modseq() != got.Modseq || string(got.Body) != what {
				t.Errorf("%s: modseq %d after %d, stored %+v, returned %+v", what, modseq(), before, got, o)
			}
		}
		ask := func(tx *db.Tx) error { _, err := tx.Meta("x"); return err }

		at := modseq()
		ran := s.Ran()
		o := db.Object{Collection: cal.ID, Name: "a.ics", UID: "u1", Component: "VEVENT"}
		if _, err := only(s, &o, "1", at, nil); err != nil {
			t.Fatal(err)
		}
		if n := s.Ran() - ran; postgres && n != 1 {
			t.Errorf("%d statements", n)
		}
		test("new", "b.ics", "u2", modseq(), nil, 1, nil)
		test("asked before", "c.ics", "u3", modseq(), ask, 1, nil)
		test("heard of", "d.ics", "u2", modseq(), nil, twice(2), errTaken)
		test("heard of, asked before", "d.ics", "u2", modseq(), ask, twice(2), errTaken)
		test("the collection has changed", "e.ics", "u4", modseq()-1, nil, twice(2), nil)
		test("the name is taken", "a.ics", "u5", modseq(), nil, 5, db.ErrConflict)
		got := loadObject(t, s, cal.ID, "a.ics")
		if err := bumped(s, cal.ID, func(tx *db.Tx, m int64) error { return tx.DeleteObject(got.ID, m, got.Modseq) }); err != nil {
			t.Fatal(err)
		}
		test("where a tombstone was", "a.ics", "u6", modseq(), nil, 1, nil)

		// Nothing may follow.
		if postgres {
			o := db.Object{Collection: cal.ID, Name: "f.ics", UID: "u7", Component: "VEVENT"}
			at = modseq()
			err := s.Write(ctx, nil, func(tx *db.Tx) error {
				if err := errors.Join(tx.LockNew(o.UID), tx.PutOnly(&o, []byte("x"), slot(1, 2), at)); err != nil {
					return err
				}
				if tx.SetMeta("after", []byte("x")) == nil {
					t.Error("a statement ran after the end of the transaction")
				}
				return nil
			})
			if err == nil {
				t.Error("nobody was told")
			}
		}

		// Many at once into one calendar, all of which saw it as it was before.
		const many = 12
		at = modseq()
		before := at
		var wg sync.WaitGroup
		for i := range many {
			wg.Go(func() {
				o := db.Object{Collection: cal.ID, Name: fmt.Sprintf("many%d.ics", i), UID: fmt.Sprint("many", i), Component: "VEVENT"}
				if _, err := only(s, &o, fmt.Sprint(i), at, nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if modseq() != before+many {
			t.Errorf("modseq %d after %d", modseq(), before)
		}
		// Of one conversation one.
		calendars := []db.Collection{cal}
		for i := range 3 {
			_, c, _ := person(t, s, fmt.Sprintf("other%d@example.org", i))
			calendars = append(calendars, c)
		}
		var mu sync.Mutex
		stored := 0
		for i := range many {
			wg.Go(func() {
				c := calendars[i%len(calendars)]
				o := db.Object{Collection: c.ID, Name: fmt.Sprintf("one%d.ics", i), UID: "one", Component: "VEVENT"}
				switch _, err := only(s, &o, "one", c.Modseq, nil); {
				case err == nil:
					mu.Lock()
					stored++
					mu.Unlock()
				case !errors.Is(err, errTaken):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		view(t, s, func(tx *db.Tx) error {
			have, err := tx.ObjectsByUID("one")
			if len(have) != 1 || stored != 1 {
				t.Errorf("%d stored, %d there, %v", stored, len(have), ann.Address)
			}
			return err
		})
	})
}

// A connection that breaks during PutOnly: what it did is seen by the object.
func TestAmbiguousPutOnly(t *testing.T) {
	p, dsn := newProxy(t, dbtest.DSN(t, "postgres"))
	p.at = []byte("CUT HERE")
	s := dbtest.Open(t, dsn, db.Options{})
	_, cal, _ := person(t, s, "ann@example.org")
	test := func(what string, before, after int32, runs int) {
		t.Helper()
		p.before.Store(before)
		p.after.Store(after)
		modseq := scalar(t, s, fmt.Sprintf(`SELECT modseq FROM collection WHERE id = %d`, cal.ID))
		o := db.Object{Collection: cal.ID, Name: what, UID: what, Component: "CUT HERE"}
		n, err := only(s, &o, what, modseq, nil)
		if err != nil || n != runs {
			t.Errorf("%s: %v after %d runs", what, err, n)
		}
		if got := loadObject(t, s, cal.ID, what); got.ID != o.ID || got.Modseq != modseq+1 || o.Modseq != modseq+1 {
			t.Errorf("%s: stored %+v, returned %+v", what, got, o)
		}
	}
	test("whole", 0, 0, 1)
	test("swallowed", 1, 0, 2)
	test("unanswered", 0, 1, 1)
}
