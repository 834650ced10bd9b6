package db_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

func TestCollection(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, inbox := person(t, s, "ann@example.org")
		c := db.Collection{Owner: ann.ID, Kind: db.Calendar, Name: "Wörk", Components: "VEVENT,VTODO", DisplayName: "Work", TZ: "Europe/Vienna",
			Transparent: true, Created: time.UnixMicro(5).UTC()}
		write(t, s, func(tx *db.Tx) error { return tx.InsertCollection(&c) })
		if c.ID == 0 || c.Incarnation == "" || c.Modseq != 1 {
			t.Errorf("stored %+v", c)
		}
		same := func(want db.Collection) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.Collection(want.ID)
				if got != want {
					t.Errorf("Collection = %+v, want %+v", got, want)
				}
				byName, err2 := tx.CollectionByName(want.Owner, db.Calendar, want.Name)
				if byName != want {
					t.Errorf("CollectionByName = %+v, want %+v", byName, want)
				}
				return errors.Join(err, err2)
			})
		}
		same(c)
		c.Components, c.DisplayName, c.TZ, c.Transparent, c.Default = "VTODO", "Other", "UTC", false, true
		write(t, s, func(tx *db.Tx) error { return tx.UpdateCollection(&c) })
		if c.Modseq != 2 {
			t.Errorf("modseq %d", c.Modseq)
		}
		same(c)
		view(t, s, func(tx *db.Tx) error { // there is one default
			def, in, err := tx.DefaultCalendar(ann.ID)
			if def.ID != c.ID || in.ID != inbox.ID {
				t.Errorf("DefaultCalendar = %v, %v", def, in)
			}
			return err
		})
		// An address book may have a calendar's name: the homes differ.
		book := db.Collection{Owner: ann.ID, Kind: db.AddressBook, Name: "calendar", Default: true}
		write(t, s, func(tx *db.Tx) error { return tx.InsertCollection(&book) })
		for _, kind := range []db.CollectionKind{db.Calendar, db.Inbox} { // an inbox shares its home with calendars
			err := s.Write(ctx, nil, func(tx *db.Tx) error {
				return tx.InsertCollection(&db.Collection{Owner: ann.ID, Kind: kind, Name: "calendar"})
			})
			if !errors.Is(err, db.ErrExists) {
				t.Errorf("a second %s named calendar: %v", kind, err)
			}
		}
		list := func(want []int64, kinds ...db.CollectionKind) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				cs, err := tx.Collections(ann.ID, kinds...)
				var got []int64
				for _, c := range cs {
					got = append(got, c.ID)
				}
				if !slices.Equal(got, want) {
					t.Errorf("Collections(%v) = %v, want %v", kinds, got, want)
				}
				return err
			})
		}
		list([]int64{c.ID, book.ID, cal.ID, inbox.ID}[:0:0], db.Outbox)
		list([]int64{c.ID, cal.ID}, db.Calendar)
		list([]int64{c.ID, cal.ID, inbox.ID}, db.Calendar, db.Inbox)
		list([]int64{book.ID}, db.AddressBook)
		list([]int64{c.ID, book.ID}[:0:0], db.Outbox)
		view(t, s, func(tx *db.Tx) error {
			for _, name := range []string{"none", "\x00", "\xff"} {
				if _, err := tx.CollectionByName(ann.ID, db.Calendar, name); !errors.Is(err, db.ErrNotFound) {
					t.Errorf("CollectionByName(%q): %v", name, err)
				}
			}
			if _, _, err := tx.DefaultCalendar(99999); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("DefaultCalendar of nobody: %v", err)
			}
			if cs, err := tx.Collections(99999); len(cs) > 0 || err != nil {
				t.Errorf("Collections of nobody: %v, %v", cs, err)
			}
			return nil
		})
		err := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.UpdateCollection(&db.Collection{ID: 99999}) })
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("UpdateCollection of none: %v", err)
		}
	})
}

// A collection that is made anew is another one: tokens of the old one end.
func TestCollectionAnew(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, _ := person(t, s, "ann@example.org")
		o := put(t, s, cal.ID, "a.ics", "u", "body", slot(10, 20))
		write(t, s, func(tx *db.Tx) error {
			return errors.Join(tx.SetProperties("object", o.ID, []db.Property{{Name: "{x}y"}}, nil),
				tx.SetProperties("collection", cal.ID, []db.Property{{Name: "{x}y"}}, nil))
		})
		write(t, s, func(tx *db.Tx) error { return tx.DeleteCollection(cal.ID) })
		view(t, s, func(tx *db.Tx) error {
			if os, err := tx.ObjectsByUID("u"); len(os) > 0 || err != nil {
				t.Errorf("objects stayed: %v, %v", os, err)
			}
			if rows, err := tx.BusyRows([]int64{ann.ID}, 0, 100, ""); len(rows) > 0 || err != nil {
				t.Errorf("busy time stayed: %v, %v", rows, err)
			}
			for _, r := range []string{"object", "collection"} {
				for _, id := range []int64{o.ID, cal.ID} {
					if ps, err := tx.Properties(r, id); len(ps) > 0 || err != nil {
						t.Errorf("properties stayed: %v, %v", ps, err)
					}
				}
			}
			return nil
		})
		again := db.Collection{Owner: ann.ID, Kind: db.Calendar, Name: "calendar"}
		write(t, s, func(tx *db.Tx) error { return tx.InsertCollection(&again) })
		if again.Incarnation == cal.Incarnation || again.ID == cal.ID {
			t.Errorf("made anew as %+v", again)
		}
		for range 2 {
			err := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.DeleteCollection(cal.ID) })
			if !errors.Is(err, db.ErrNotFound) {
				t.Errorf("DeleteCollection of none: %v", err)
			}
		}
	})
}

func TestProperties(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		set := func(id int64, set []db.Property, remove ...string) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error { return tx.SetProperties("object", id, set, remove) })
		}
		test := func(id int64, want []db.Property, names ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.Properties("object", id, names...)
				if !slices.Equal(got, want) {
					t.Errorf("Properties(%d, %q) = %v, want %v", id, names, got, want)
				}
				return err
			})
		}
		a, b := db.Property{Name: "{n}a", XML: "<x xmlns='n'>ü</x>"}, db.Property{Name: "{n}b"}
		set(1, []db.Property{b, a})
		set(2, []db.Property{b})
		test(1, []db.Property{a, b})
		test(1, []db.Property{b}, "{n}b", "{n}c")
		test(2, []db.Property{b})
		test(3, nil)
		set(1, []db.Property{{Name: "{n}a", XML: "new"}}, "{n}b", "{n}none", "\x00")
		test(1, []db.Property{{Name: "{n}a", XML: "new"}})
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.PropertiesOf("object", []int64{1, 2, 3})
			if len(got) != 2 || len(got[1]) != 1 || got[1][0].XML != "new" || got[2][0] != b {
				t.Errorf("PropertiesOf = %v", got)
			}
			other, err2 := tx.Properties("collection", 1)
			if len(other) > 0 {
				t.Errorf("another resource has %v", other)
			}
			return errors.Join(err, err2)
		})
	})
}

func TestMeta(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		write(t, s, func(tx *db.Tx) error {
			if v, err := tx.Meta("none"); v != nil || err != nil {
				t.Errorf("Meta of nothing = %q, %v", v, err)
			}
			v, err := tx.SetMetaOnce("k", []byte{0, 1})
			if string(v) != "\x00\x01" {
				t.Errorf("SetMetaOnce = %q", v)
			}
			v, err2 := tx.SetMetaOnce("k", []byte("second"))
			if string(v) != "\x00\x01" {
				t.Errorf("SetMetaOnce again = %q", v)
			}
			err3 := tx.SetMeta("k", []byte("third"))
			v, err4 := tx.Meta("k")
			if string(v) != "third" {
				t.Errorf("Meta = %q", v)
			}
			return errors.Join(err, err2, err3, err4)
		})
		view(t, s, func(tx *db.Tx) error {
			v, err := tx.Meta("epoch")
			if len(v) < 12 {
				t.Errorf("epoch %q", v)
			}
			return err
		})
	})
}

// CollectionAt is CollectionByName with the owner's version.
func TestCollectionAt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, _ := person(t, s, "ann@example.org")
		at := func(owner int64, home db.CollectionKind, name string, found bool, version int64) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, v, err := tx.CollectionAt(owner, home, name)
				if found != (err == nil) || !found && !errors.Is(err, db.ErrNotFound) || v != version {
					t.Errorf("CollectionAt(%d, %s, %q): version %d, %v", owner, home, name, v, err)
				}
				if want, err := tx.CollectionByName(owner, home, name); err == nil && got != want {
					t.Errorf("CollectionAt = %+v, CollectionByName = %+v", got, want)
				}
				return nil
			})
		}
		at(ann.ID, db.Calendar, cal.Name, true, ann.Version)
		at(ann.ID, db.Outbox, cal.Name, true, ann.Version) // the same home
		at(ann.ID, db.AddressBook, cal.Name, false, ann.Version)
		at(ann.ID, db.Calendar, "none", false, ann.Version)
		at(ann.ID, db.Calendar, "no\x00ne", false, ann.Version)
		at(ann.ID+1000, db.Calendar, cal.Name, false, 0)
	})
}
