package db_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// PutAll does what BumpCollections and PutObject of each do.
func TestPutAll(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		_, cal, inbox := person(t, s, "ann@example.org")
		_, other, _ := person(t, s, "ben@example.org")
		series := db.Indexed{Series: &db.Series{First: 5, Last: 6, Runs: []byte{1}}}
		put := func(puts ...db.Put) error {
			return s.Write(ctx, nil, func(tx *db.Tx) error {
				return errors.Join(tx.LockThreads(puts[0].Object.UID), tx.PutAll(puts))
			})
		}
		fresh := func(collection int64, name, body string, rec db.Indexed) db.Put {
			return db.Put{Object: &db.Object{Collection: collection, Name: name, UID: "u1", Component: "VEVENT"}, Body: []byte(body), Record: rec}
		}
		again := func(collection int64, name, body string, rec db.Indexed) db.Put {
			o := loadObject(t, s, collection, name)
			return db.Put{Object: &o, Body: []byte(body), Record: rec, Expected: o.Modseq}
		}
		modseq := func(collection int64) int64 {
			return scalar(t, s, fmt.Sprintf(`SELECT modseq FROM collection WHERE id = %d`, collection))
		}
		count := func(what string, bodies, slots, serieses int64) {
			t.Helper()
			b, sl, se := scalar(t, s, `SELECT count(*) FROM body`), scalar(t, s, `SELECT count(*) FROM slot`), scalar(t, s, `SELECT count(*) FROM series`)
			if b != bodies || sl != slots || se != serieses {
				t.Errorf("%s: %d bodies, %d slots, %d series; want %d, %d, %d", what, b, sl, se, bodies, slots, serieses)
			}
		}
		test := func(what string, puts ...db.Put) {
			t.Helper()
			was := map[int64]int64{}
			for _, p := range puts {
				was[p.Object.Collection] = modseq(p.Object.Collection)
			}
			if err := put(puts...); err != nil {
				t.Errorf("%s: %v", what, err)
				return
			}
			for _, p := range puts {
				got := loadObject(t, s, p.Object.Collection, p.Object.Name)
				if string(got.Body) != string(p.Body) || got.ID != p.Object.ID || got.Modseq != was[p.Object.Collection]+1 || p.Object.Modseq != got.Modseq ||
					got.ETag != db.ETagOf(p.Body) || got.Size != int64(len(p.Body)-p.Record.Hidden) || modseq(p.Object.Collection) != got.Modseq {
					t.Errorf("%s: stored %+v under %d, returned %+v", what, got, modseq(p.Object.Collection), p.Object)
				}
			}
		}
		part := db.Indexed{Hidden: 2}
		test("with what no program sees", fresh(other.ID, "h.ics", "shown", part))
		test("and replaced", again(other.ID, "h.ics", "shown again", part))
		if err := s.Write(ctx, nil, func(tx *db.Tx) error {
			o := loadObject(t, s, other.ID, "h.ics")
			m, err := tx.BumpCollections(other.ID)
			return errors.Join(err, tx.DeleteObject(o.ID, m[other.ID], o.Modseq))
		}); err != nil {
			t.Fatal(err)
		}
		test("a new one and a notice", fresh(cal.ID, "a.ics", "1", slot(1, 2)), fresh(inbox.ID, "i.ics", "n1", db.Indexed{}))
		count("new", 2, 1, 0)
		test("replaced, and another notice", again(cal.ID, "a.ics", "2", slot(3, 4)), fresh(inbox.ID, "j.ics", "n2", db.Indexed{}))
		count("the body that was is gone", 3, 1, 0)
		test("a series now", again(cal.ID, "a.ics", "3", series))
		count("a series", 3, 0, 1)
		test("an event again", again(cal.ID, "a.ics", "4", slot(1, 2)))
		count("a slot", 3, 1, 0)
		test("busy no longer", again(cal.ID, "a.ics", "5", db.Indexed{}))
		count("neither", 3, 0, 0)
		test("the same bytes", again(cal.ID, "a.ics", "5", slot(1, 2)))
		count("kept", 3, 1, 0)
		test("two people", again(cal.ID, "a.ics", "6", slot(1, 2)), fresh(other.ID, "b.ics", "b", series))
		count("both", 4, 1, 1)
		test("bodies change hands", again(cal.ID, "a.ics", "b", slot(1, 2)), again(other.ID, "b.ics", "c", series))
		count("whose body another one has now", 4, 1, 1)
		if err := s.Write(ctx, nil, func(tx *db.Tx) error { // one body for both
			if err := tx.LockThreads("u1"); err != nil {
				return err
			}
			m, err := tx.BumpCollections(cal.ID, other.ID)
			if err != nil {
				return err
			}
			a, b := loadObject(t, s, cal.ID, "a.ics"), loadObject(t, s, other.ID, "b.ics")
			expected := []int64{a.Modseq, b.Modseq}
			a.Modseq, b.Modseq = m[cal.ID], m[other.ID]
			return tx.PutObjects([]*db.Object{&a, &b}, []byte("both"), []db.Indexed{slot(1, 2), slot(1, 2)}, expected)
		}); err != nil {
			t.Fatal(err)
		}
		count("one body", 3, 2, 0)
		test("one of them leaves it", again(cal.ID, "a.ics", "7", slot(1, 2)))
		count("the other one keeps it", 4, 2, 0)
		test("one takes the body of the other, who leaves it", again(cal.ID, "a.ics", "both", slot(1, 2)), again(other.ID, "b.ics", "8", slot(1, 2)))
		count("it is there", 4, 2, 0)

		refused := func(what string, puts ...db.Put) {
			t.Helper()
			was, there := modseq(cal.ID), scalar(t, s, `SELECT count(*) FROM object`)
			if err := put(puts...); !errors.Is(err, db.ErrConflict) || modseq(cal.ID) != was || scalar(t, s, `SELECT count(*) FROM object`) != there {
				t.Errorf("%s: %v, modseq %d after %d", what, err, modseq(cal.ID), was)
			}
		}
		refused("a name that is taken", fresh(cal.ID, "a.ics", "x", slot(1, 2)), fresh(inbox.ID, "k.ics", "y", db.Indexed{}))
		refused("a collection that is not there", again(cal.ID, "a.ics", "x", slot(1, 2)), fresh(inbox.ID+1000, "k.ics", "y", db.Indexed{}))
		stale := again(cal.ID, "a.ics", "x", slot(1, 2))
		stale.Expected--
		refused("changed meanwhile", fresh(inbox.ID, "k.ics", "y", db.Indexed{}), stale)
		if err := put(fresh(cal.ID, "a\xff", "x", slot(1, 2))); !errors.Is(err, db.ErrText) {
			t.Errorf("a name that cannot be stored: %v", err)
		}

		// Notices for two inboxes, named in either order, from many at once: nobody
		// waits for ever, and each change has a number of its own.
		const many = 16
		was := modseq(inbox.ID)
		numbers := make([]int64, many)
		var wg sync.WaitGroup
		for i := range many {
			wg.Go(func() {
				a := fresh(inbox.ID, fmt.Sprint("many", i), fmt.Sprint("a", i), db.Indexed{})
				b := fresh(other.ID, fmt.Sprint("many", i), fmt.Sprint("b", i), slot(1, 2))
				a.Object.UID, b.Object.UID = fmt.Sprint("many", i), fmt.Sprint("many", i)
				puts := []db.Put{a, b}
				if i%2 == 1 {
					puts = []db.Put{b, a}
				}
				if err := put(puts...); err != nil {
					t.Error(err)
				}
				numbers[i] = a.Object.Modseq - was
			})
		}
		wg.Wait()
		seen := map[int64]bool{}
		for _, n := range numbers {
			if n < 1 || n > many || seen[n] {
				t.Errorf("numbers %v", numbers)
			}
			seen[n] = true
		}
	})
}

// Part finds what ObjectsByUID and CollectionsOf do.
func TestPart(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, inbox := person(t, s, "ann@example.org")
		ben, other, _ := person(t, s, "ben@example.org")
		for i, c := range []int64{cal.ID, inbox.ID, other.ID} {
			err := s.Write(ctx, nil, func(tx *db.Tx) error {
				o := &db.Object{Collection: c, Name: "x", UID: "u1", Component: "VEVENT"}
				return errors.Join(tx.LockThreads("u1"), tx.PutAll([]db.Put{{Object: o, Body: []byte(fmt.Sprint(i))}}))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		write(t, s, func(tx *db.Tx) error { return tx.InsertDecision(&db.Decision{Key: "known"}) })
		once := ""
		test := func(uid string, owner int64, body string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				have, cols, decided, err := tx.Part(uid, owner, once, db.Calendar, db.Inbox)
				if err != nil {
					return err
				}
				if decided != (once == "known" && body != "") {
					t.Errorf("a decision %q: %t", once, decided)
				}
				want, err := tx.CollectionsOf([]int64{owner}, db.Calendar, db.Inbox)
				got := ""
				for _, o := range have {
					got += fmt.Sprint(string(o.Body), o.Owner == owner, o.CollectionName == "calendar")
				}
				if got != body || len(cols) != len(want) {
					t.Errorf("%s of %d: %q, %d collections of %d", uid, owner, got, len(cols), len(want))
				}
				return err
			})
		}
		test("u1", ann.ID, "0true true")
		once = "known"
		test("u1", ben.ID, "2true true")
		once = "unknown"
		test("u2", ann.ID, "")
		test("u\x00", ann.ID, "")
		test("u1", ben.ID+1000, "")
	})
}
