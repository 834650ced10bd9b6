package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

var ctx = context.Background()

// write runs fn in one transaction that must succeed.
func write(t testing.TB, s *db.Store, fn func(*db.Tx) error) {
	t.Helper()
	if err := s.Write(ctx, nil, fn); err != nil {
		t.Fatal(err)
	}
}

// view runs fn outside a transaction; it must succeed.
func view(t testing.TB, s *db.Store, fn func(*db.Tx) error) {
	t.Helper()
	if err := s.View(ctx, fn); err != nil {
		t.Fatal(err)
	}
}

// person makes a person with a default calendar and an inbox.
func person(t testing.TB, s *db.Store, address string) (p db.Principal, calendar, inbox db.Collection) {
	t.Helper()
	write(t, s, func(tx *db.Tx) error {
		p = db.Principal{Address: address, Kind: db.Person}
		if err := tx.InsertPrincipal(&p); err != nil {
			return err
		}
		calendar = db.Collection{Owner: p.ID, Kind: db.Calendar, Name: "calendar", Default: true}
		if err := tx.InsertCollection(&calendar); err != nil {
			return err
		}
		inbox = db.Collection{Owner: p.ID, Kind: db.Inbox, Name: "inbox"}
		return tx.InsertCollection(&inbox)
	})
	return p, calendar, inbox
}

// put stores one object in a transaction of its own.
func put(t testing.TB, s *db.Store, collection int64, name, uid, body string, rec db.Indexed) (o db.Object) {
	t.Helper()
	write(t, s, func(tx *db.Tx) error {
		if err := tx.LockThreads(uid); err != nil {
			return err
		}
		var expected int64
		o = db.Object{Collection: collection, Name: name}
		have, err := tx.Object(collection, name)
		switch {
		case err == nil:
			o, expected = have, have.Modseq
		case !errors.Is(err, db.ErrNotFound):
			return err
		}
		m, err := tx.BumpCollections(collection)
		if err != nil {
			return err
		}
		o.UID, o.Component, o.Modseq = uid, "VEVENT", m[collection]
		return tx.PutObject(&o, []byte(body), rec, expected)
	})
	return o
}

func slot(start, fin int64) db.Indexed {
	return db.Indexed{Slot: &db.Slot{Start: start, Fin: fin, Type: 1}}
}

func TestWriteReadBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		p, cal, _ := person(t, s, "Ann@example.org")
		o := put(t, s, cal.ID, "a.ics", "uid-a", "first", slot(10, 20))
		if o.ID == 0 || o.ETag == "" || o.Size != 5 || o.Modseq != 2 {
			t.Fatalf("stored %+v", o)
		}
		o2 := put(t, s, cal.ID, "a.ics", "uid-a", "second", slot(30, 40))
		if o2.ID != o.ID || o2.Modseq != 3 || o2.ETag == o.ETag {
			t.Fatalf("replaced %+v by %+v", o, o2)
		}
		view(t, s, func(tx *db.Tx) error {
			got, kind, version, err := tx.ObjectAt(p.ID, db.Calendar, "calendar", "a.ics")
			if string(got.Body) != "second" || kind != db.Calendar || version != p.Version || got.ETag != o2.ETag {
				t.Errorf("ObjectAt = %+v %q, %s, %d", got, got.Body, kind, version)
			}
			return err
		})
		view(t, s, func(tx *db.Tx) error {
			now, err := tx.Now()
			if d := time.Since(now); d < -time.Minute || d > time.Minute {
				t.Errorf("Now is %v away", d)
			}
			return err
		})
	})
}

// scalar reads one number by a statement of the test's own.
func scalar(t testing.TB, s *db.Store, text string) (n int64) {
	t.Helper()
	view(t, s, func(tx *db.Tx) (err error) {
		n, err = tx.Scalar(text)
		return err
	})
	return n
}

func bodies(t testing.TB, s *db.Store) int64 {
	t.Helper()
	return scalar(t, s, `SELECT count(*) FROM body`)
}
