package db_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// bumped runs fn with the new modseq of a collection and returns the error.
func bumped(s *db.Store, collection int64, fn func(tx *db.Tx, modseq int64) error) error {
	return s.Write(ctx, nil, func(tx *db.Tx) error {
		m, err := tx.BumpCollections(collection)
		if err != nil {
			return err
		}
		return fn(tx, m[collection])
	})
}

// loadObject returns a live object.
func loadObject(t testing.TB, s *db.Store, collection int64, name string) (o db.Object) {
	t.Helper()
	view(t, s, func(tx *db.Tx) (err error) {
		o, err = tx.Object(collection, name)
		return err
	})
	return o
}

// names of objects, a tombstone's in brackets.
func names(os []db.Object) (all []string) {
	for _, o := range os {
		if o.Deleted {
			all = append(all, "("+o.Name+")")
		} else {
			all = append(all, o.Name)
		}
	}
	return all
}

func TestObjectPlaces(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, _ := person(t, s, "ann@example.org")
		put(t, s, cal.ID, "ä b.ics", "uid", "body\x00\xff", db.Indexed{})
		o := loadObject(t, s, cal.ID, "ä b.ics")
		if string(o.Body) != "body\x00\xff" || o.ETag != db.ETagOf(o.Body) || o.Size != 6 || o.UID != "uid" || o.Component != "VEVENT" || o.Created.IsZero() {
			t.Errorf("Object = %+v", o)
		}
		at := func(owner int64, home db.CollectionKind, collection, name string, found bool, version int64) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, kind, v, err := tx.ObjectAt(owner, home, collection, name)
				if found != (err == nil) || !found && !errors.Is(err, db.ErrNotFound) || v != version {
					t.Errorf("ObjectAt(%d, %s, %s, %q): version %d, %v", owner, home, collection, name, v, err)
				}
				if found && (got.ID != o.ID || string(got.Body) != string(o.Body) || kind != db.Calendar || got.ETag != o.ETag || !got.Modified.Equal(o.Modified)) {
					t.Errorf("ObjectAt = %+v, %s", got, kind)
				}
				return nil
			})
		}
		at(ann.ID, db.Calendar, "calendar", "ä b.ics", true, ann.Version)
		at(ann.ID, db.Inbox, "calendar", "ä b.ics", true, ann.Version) // the same home
		at(ann.ID, db.AddressBook, "calendar", "ä b.ics", false, ann.Version)
		at(ann.ID, db.Calendar, "calendar", "none", false, ann.Version)
		at(ann.ID, db.Calendar, "calendar", "a\x00", false, ann.Version)
		at(ann.ID, db.Calendar, "none", "ä b.ics", false, ann.Version)
		at(99999, db.Calendar, "calendar", "ä b.ics", false, 0)
		if err := bumped(s, cal.ID, func(tx *db.Tx, m int64) error { return tx.DeleteObject(o.ID, m, o.Modseq) }); err != nil {
			t.Fatal(err)
		}
		at(ann.ID, db.Calendar, "calendar", "ä b.ics", false, ann.Version)
		view(t, s, func(tx *db.Tx) error {
			for _, name := range []string{"ä b.ics", "\x00", "\xff"} {
				if _, err := tx.Object(cal.ID, name); !errors.Is(err, db.ErrNotFound) {
					t.Errorf("Object(%q): %v", name, err)
				}
			}
			return nil
		})
	})
}

// Every write says what it believes to stand there (STORAGE 6).
func TestCompareAndSwap(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		_, cal, _ := person(t, s, "ann@example.org")
		runs := 0
		refused := func(what string, fn func(tx *db.Tx, modseq int64) error) {
			t.Helper()
			runs = 0
			err := bumped(s, cal.ID, func(tx *db.Tx, m int64) error { runs++; return fn(tx, m) })
			if !errors.Is(err, db.ErrConflict) || runs != 5 {
				t.Errorf("%s: %v after %d runs", what, err, runs)
			}
		}
		first := put(t, s, cal.ID, "a.ics", "u", "1", slot(1, 2))
		second := put(t, s, cal.ID, "a.ics", "u", "2", slot(1, 2))
		try := func(o db.Object, expected int64) func(*db.Tx, int64) error {
			return func(tx *db.Tx, m int64) error {
				o := o
				o.Modseq = m
				return tx.PutObject(&o, []byte("3"), slot(1, 2), expected)
			}
		}
		nothing := db.Object{Collection: cal.ID, Name: "a.ics", UID: "u", Component: "VEVENT"}
		refused("created where one stands", try(nothing, 0))
		refused("replaced a version that is gone", try(first, first.Modseq))
		refused("replaced one not loaded", try(db.Object{ID: first.ID, Collection: cal.ID, Name: "a.ics", UID: "u"}, first.Modseq))
		refused("deleted a version that is gone", func(tx *db.Tx, m int64) error { return tx.DeleteObject(first.ID, m, first.Modseq) })
		refused("moved a version that is gone", func(tx *db.Tx, m int64) error {
			return tx.MoveObject(first.ID, first.Modseq, cal.ID, cal.ID, "b.ics", m, m)
		})
		refused("moved from elsewhere", func(tx *db.Tx, m int64) error {
			return tx.MoveObject(first.ID, second.Modseq, cal.ID+1, cal.ID, "b.ics", m, m)
		})
		refused("stored two, one of them late", func(tx *db.Tx, m int64) error {
			a, b := first, nothing
			a.Modseq, b.Modseq, b.Name = m, m, "b.ics"
			return tx.PutObjects([]*db.Object{&b, &a}, []byte("3"), make([]db.Indexed, 2), []int64{0, first.Modseq})
		})
		if got := loadObject(t, s, cal.ID, "a.ics"); string(got.Body) != "2" || got.Modseq != second.Modseq {
			t.Errorf("refused writes left %+v %q", got, got.Body)
		}
		view(t, s, func(tx *db.Tx) error {
			c, err := tx.Collection(cal.ID)
			if c.Modseq != second.Modseq {
				t.Errorf("refused writes left modseq %d", c.Modseq)
			}
			return err
		})
		if err := bumped(s, cal.ID, func(tx *db.Tx, m int64) error { return tx.DeleteObject(second.ID, m, second.Modseq) }); err != nil {
			t.Fatal(err)
		}
		refused("replaced a tombstone", try(second, second.Modseq))
		refused("replaced a tombstone by its modseq", try(second, second.Modseq+1))
		if err := bumped(s, cal.ID, try(nothing, 0)); err != nil {
			t.Errorf("a tombstone was not taken over: %v", err)
		}
		if got := loadObject(t, s, cal.ID, "a.ics"); string(got.Body) != "3" || got.ID != first.ID {
			t.Errorf("the tombstone became %+v", got)
		}
		// ErrConflict is sticky: nothing runs after it, whatever the closure makes of it.
		err := bumped(s, cal.ID, func(tx *db.Tx, m int64) error {
			if err := try(nothing, 0)(tx, m); err == nil {
				t.Error("no conflict")
			}
			if _, err := tx.CountObjects(cal.ID); !errors.Is(err, db.ErrConflict) {
				t.Errorf("the next statement: %v", err)
			}
			return nil
		})
		if !errors.Is(err, db.ErrConflict) {
			t.Errorf("a swallowed conflict: %v", err)
		}
	})
}

func TestListAndChanges(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		_, cal, _ := person(t, s, "ann@example.org")
		_, other, _ := person(t, s, "bob@example.org")
		for _, n := range []string{"b", "a", "Z", "ä", "c"} {
			put(t, s, cal.ID, n, n, n, db.Indexed{})
			put(t, s, other.ID, n, n, n, db.Indexed{})
		}
		b := loadObject(t, s, cal.ID, "b")
		if err := bumped(s, cal.ID, func(tx *db.Tx, m int64) error { return tx.DeleteObject(b.ID, m, b.Modseq) }); err != nil {
			t.Fatal(err)
		}
		list := func(after string, limit int, want ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				os, err := tx.List(cal.ID, after, limit)
				if !slices.Equal(names(os), want) {
					t.Errorf("List(%q, %d) = %q", after, limit, names(os))
				}
				ls, err2 := tx.Names(cal.ID, after, limit)
				for i, l := range ls {
					if l.Name != want[i] || l.ETag != os[i].ETag {
						t.Errorf("Names(%q, %d) = %v", after, limit, ls)
					}
				}
				if len(ls) != len(want) {
					t.Errorf("Names(%q, %d) = %v", after, limit, ls)
				}
				return errors.Join(err, err2)
			})
		}
		list("", 10, "Z", "a", "c", "ä") // bytewise, on both
		list("", 2, "Z", "a")
		list("a", 2, "c", "ä")
		list("ä", 2)
		list("\x00", 2)
		changes := func(modseq, id int64, limit int, want ...string) (last db.Object) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				os, err := tx.Changes(cal.ID, modseq, id, limit)
				if !slices.Equal(names(os), want) {
					t.Errorf("Changes(%d, %d, %d) = %q, want %q", modseq, id, limit, names(os), want)
				}
				if len(os) > 0 {
					last = os[len(os)-1]
				}
				return err
			})
			return last
		}
		changes(0, 0, 10, "a", "Z", "ä", "c")
		changes(1, 0, 10, "a", "Z", "ä", "c", "(b)")
		last := changes(1, 0, 2, "a", "Z")
		changes(last.Modseq, last.ID, 10, "ä", "c", "(b)")
		changes(7, b.ID, 10)
		view(t, s, func(tx *db.Tx) error {
			n, err := tx.CountObjects(cal.ID)
			if n != 4 {
				t.Errorf("CountObjects = %d", n)
			}
			os, err2 := tx.ByNames(cal.ID, []string{"c", "none", "a", "c", "b", "\x00"})
			got := names(os)
			slices.Sort(got)
			if !slices.Equal(got, []string{"a", "c"}) || string(os[0].Body) != os[0].Name {
				t.Errorf("ByNames = %v", os)
			}
			byID, err3 := tx.ByIDs([]int64{os[0].ID, os[1].ID, os[0].ID, b.ID, 99999})
			if len(byID) != 2 || string(byID[0].Body) != byID[0].Name {
				t.Errorf("ByIDs = %v", byID)
			}
			return errors.Join(err, err2, err3)
		})
	})
}

func TestObjectsByUID(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, inbox := person(t, s, "ann@example.org")
		bob, bobs, _ := person(t, s, "bob@example.org")
		put(t, s, cal.ID, "a", "uid", "same", slot(1, 2))
		put(t, s, inbox.ID, "a", "uid", "same", db.Indexed{})
		put(t, s, bobs.ID, "b", "uid", "other", slot(1, 2))
		put(t, s, bobs.ID, "c", "uid2", "other", slot(1, 2))
		test := func(uid string, owners []int64, want ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				os, err := tx.ObjectsByUID(uid, owners...)
				var got []string
				for _, o := range os {
					got = append(got, fmt.Sprintf("%d %s/%s %s", o.Owner, o.CollectionName, o.Name, o.Body))
				}
				if !slices.Equal(got, want) {
					t.Errorf("ObjectsByUID(%s, %v) = %q", uid, owners, got)
				}
				return err
			})
		}
		a, b := fmt.Sprintf("%d calendar/a same", ann.ID), fmt.Sprintf("%d calendar/b other", bob.ID)
		test("uid", []int64{ann.ID}, a)
		test("uid", []int64{bob.ID, ann.ID}, a, b)
		test("uid", []int64{99999})
		test("uid", nil, a, b)
		test("UID", nil)
		test("\x00", nil)
	})
}

func TestMove(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, _ := person(t, s, "ann@example.org")
		work := db.Collection{Owner: ann.ID, Kind: db.Calendar, Name: "work"}
		write(t, s, func(tx *db.Tx) error { return tx.InsertCollection(&work) })
		put(t, s, cal.ID, "a", "ua", "A", slot(10, 20))
		put(t, s, cal.ID, "s", "us", "S", db.Indexed{Series: &db.Series{First: 10, Last: 20}})
		put(t, s, work.ID, "live", "ul", "L", db.Indexed{})
		gone := put(t, s, work.ID, "gone", "ug", "G", db.Indexed{})
		if err := bumped(s, work.ID, func(tx *db.Tx, m int64) error { return tx.DeleteObject(gone.ID, m, gone.Modseq) }); err != nil {
			t.Fatal(err)
		}
		move := func(from, to db.Collection, name, toName string) error {
			o := loadObject(t, s, from.ID, name)
			return s.Write(ctx, nil, func(tx *db.Tx) error {
				m, err := tx.BumpCollections(from.ID, to.ID)
				if err != nil {
					return err
				}
				return tx.MoveObject(o.ID, o.Modseq, from.ID, to.ID, toName, m[from.ID], m[to.ID])
			})
		}
		changes := func(c db.Collection, want ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				os, err := tx.Changes(c.ID, 1, 0, 100)
				if !slices.Equal(names(os), want) {
					t.Errorf("%s has %q, want %q", c.Name, names(os), want)
				}
				return err
			})
		}
		if err := move(cal, work, "a", "live"); !errors.Is(err, db.ErrExists) {
			t.Errorf("moved over a live object: %v", err)
		}
		if err := move(cal, work, "a", "gone"); err != nil {
			t.Fatal(err)
		}
		if err := move(cal, work, "s", "s"); err != nil {
			t.Fatal(err)
		}
		changes(cal, "(a)", "(s)")
		changes(work, "live", "gone", "s")
		if err := move(work, work, "s", "t"); err != nil { // a rename
			t.Fatal(err)
		}
		changes(work, "live", "gone", "t", "(s)")
		if got := loadObject(t, s, work.ID, "gone"); string(got.Body) != "A" || got.UID != "ua" {
			t.Errorf("moved %+v", got)
		}
		view(t, s, func(tx *db.Tx) error {
			for c, want := range map[int64]int{cal.ID: 0, work.ID: 3} {
				if cs, err := tx.InRange(c, "", 0, 100); len(cs) != want || err != nil {
					t.Errorf("InRange = %v, %v", cs, err)
				}
			}
			return nil
		})
		put(t, s, cal.ID, "a", "ua2", "A2", slot(10, 20)) // the old place is free
		changes(cal, "(s)", "a")
	})
}

func TestPutObjects(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		const n = 150 // more than one statement's rows
		var cals []int64
		for i := range n {
			_, cal, _ := person(t, s, fmt.Sprintf("p%d@example.org", i))
			cals = append(cals, cal.ID)
		}
		round := func(body string, rec func(i int) db.Indexed) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error {
				if err := tx.LockThreads("uid"); err != nil {
					return err
				}
				have, err := tx.ObjectsByUID("uid")
				if err != nil {
					return err
				}
				at := make(map[int64]db.Object)
				for _, o := range have {
					at[o.Collection] = o.Object
				}
				ms, err := tx.BumpCollections(cals...)
				if err != nil {
					return err
				}
				var os []*db.Object
				var recs []db.Indexed
				var expected []int64
				for i, c := range cals {
					o, ok := at[c]
					if !ok {
						o = db.Object{Collection: c, Name: fmt.Sprintf("%d.ics", i), UID: "uid", Component: "VEVENT"}
					}
					expected = append(expected, o.Modseq)
					o.ScheduleTag, o.Modseq = fmt.Sprintf("tag%d", i), ms[c]
					os, recs = append(os, &o), append(recs, rec(i))
				}
				return tx.PutObjects(os, []byte(body), recs, expected)
			})
		}
		check := func(body string, slots, series int) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				os, err := tx.ObjectsByUID("uid")
				if len(os) != n {
					t.Fatalf("%d objects", len(os))
				}
				var gotSlots, gotSeries int
				for _, o := range os {
					i := slices.Index(cals, o.Collection)
					if string(o.Body) != body || o.ScheduleTag != fmt.Sprintf("tag%d", i) || o.Name != fmt.Sprintf("%d.ics", i) {
						t.Errorf("object %d: %+v", i, o)
					}
					cs, err := tx.InRange(o.Collection, "VEVENT", 0, 1000)
					if err != nil || len(cs) > 1 {
						t.Errorf("object %d in range: %v, %v", i, cs, err)
					}
					for _, c := range cs {
						if c.Slot != nil {
							gotSlots++
							if c.Slot.Start != int64(i) {
								t.Errorf("object %d has the slot %+v", i, c.Slot)
							}
						}
						if c.Series != nil {
							gotSeries++
						}
					}
				}
				if gotSlots != slots || gotSeries != series {
					t.Errorf("%d slots, %d series", gotSlots, gotSeries)
				}
				return err
			})
			if got := bodies(t, s); got != 1 {
				t.Errorf("%d bodies are kept", got)
			}
		}
		round("one", func(i int) db.Indexed { return slot(int64(i), int64(i)+1) })
		check("one", n, 0)
		round("two", func(i int) db.Indexed {
			if i%2 == 0 {
				return slot(int64(i), int64(i)+1)
			}
			return db.Indexed{Series: &db.Series{First: 1, Last: 1 << 62, CoveredUntil: 5, Runs: []byte{1, 2}}}
		})
		check("two", n/2, n/2)
		round("three", func(i int) db.Indexed { return db.Indexed{} })
		check("three", 0, 0)
		// What cannot be asked for.
		o := db.Object{Collection: cals[0], Name: "x", UID: "v"}
		same, else_ := o, o
		else_.UID = "w"
		for what, fn := range map[string]func(*db.Tx) error{
			"lists of different length": func(tx *db.Tx) error { return tx.PutObjects([]*db.Object{&o}, nil, nil, nil) },
			"two conversations": func(tx *db.Tx) error {
				return tx.PutObjects([]*db.Object{&o, &else_}, nil, make([]db.Indexed, 2), make([]int64, 2))
			},
			"one place twice": func(tx *db.Tx) error {
				return tx.PutObjects([]*db.Object{&o, &same}, nil, make([]db.Indexed, 2), make([]int64, 2))
			},
			"too long a slot": func(tx *db.Tx) error { return tx.PutObject(&o, nil, slot(0, 7*86400e6+1), 0) },
			"a name with NUL": func(tx *db.Tx) error { return tx.PutObject(&db.Object{Name: "\x00"}, nil, db.Indexed{}, 0) },
			"expected, no id": func(tx *db.Tx) error { return tx.PutObject(&o, nil, db.Indexed{}, 3) },
			"a reversed slot": func(tx *db.Tx) error { return tx.PutObject(&o, nil, slot(2, 1), 0) },
			"a UID not UTF-8": func(tx *db.Tx) error { return tx.PutObject(&db.Object{Name: "n", UID: "\xff"}, nil, db.Indexed{}, 0) },
			"a tag with a NUL": func(tx *db.Tx) error {
				return tx.PutObject(&db.Object{Name: "n", ScheduleTag: "\x00"}, nil, db.Indexed{}, 0)
			},
		} {
			if err := s.Write(ctx, nil, fn); err == nil || errors.Is(err, db.ErrAway) {
				t.Errorf("%s: %v", what, err)
			}
		}
		write(t, s, func(tx *db.Tx) error { return tx.PutObjects(nil, nil, nil, nil) })
	})
}

// Bodies are shared by equal objects of a conversation and go with the last of
// them (STORAGE 17).
func TestSharedBodies(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		_, cal, inbox := person(t, s, "ann@example.org")
		_, bobs, _ := person(t, s, "bob@example.org")
		test := func(want int64) {
			t.Helper()
			if got := bodies(t, s); got != want {
				t.Errorf("%d bodies, want %d", got, want)
			}
		}
		put(t, s, cal.ID, "a", "u", "same", db.Indexed{})
		b := put(t, s, inbox.ID, "a", "u", "same", db.Indexed{})
		c := put(t, s, bobs.ID, "a", "u", "same", db.Indexed{})
		test(1)
		put(t, s, bobs.ID, "z", "u2", "same", db.Indexed{})
		test(2) // another conversation: its lock is another
		a := put(t, s, cal.ID, "a", "u", "changed", db.Indexed{})
		test(3)
		if got := loadObject(t, s, bobs.ID, "a"); string(got.Body) != "same" {
			t.Errorf("a shared body was written to: %q", got.Body)
		}
		for i, o := range []db.Object{a, b, c} {
			if err := bumped(s, o.Collection, func(tx *db.Tx, m int64) error { return tx.DeleteObject(o.ID, m, o.Modseq) }); err != nil {
				t.Fatal(err)
			}
			test([]int64{2, 2, 1}[i])
		}
		// Cards are in no conversation and share nothing.
		write(t, s, func(tx *db.Tx) error {
			m, err := tx.BumpCollections(cal.ID)
			for _, name := range []string{"1", "2"} {
				err = errors.Join(err, tx.PutObject(&db.Object{Collection: cal.ID, Name: name, UID: "u", Component: "VCARD", Modseq: m[cal.ID]}, []byte("card"), db.Indexed{}, 0))
			}
			return err
		})
		test(3)
		write(t, s, func(tx *db.Tx) error { return tx.DeleteCollection(cal.ID) })
		test(3) // left to Sweep
		if err := s.Sweep(ctx, db.Keep{}); err != nil {
			t.Fatal(err)
		}
		test(1)
		if got := loadObject(t, s, bobs.ID, "z"); string(got.Body) != "same" {
			t.Errorf("Sweep took %q", got.Body)
		}
	})
}
