package db_test

import (
	"errors"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// An entry is in force while nobody has written its object.
func TestQuarantine(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, col, _ := person(t, s, "ann@example.org")
		ben, _, _ := person(t, s, "ben@example.org")
		o := db.Object{Name: "a.ics", UID: "u1", Component: "VEVENT"}
		write(t, s, func(tx *db.Tx) error {
			o.Collection = col.ID
			m, err := tx.BumpCollections(col.ID)
			if err != nil {
				return err
			}
			o.Modseq = m[col.ID]
			if err := tx.PutObject(&o, []byte("one"), db.Indexed{}, 0); err != nil {
				return err
			}
			return tx.PutQuarantine(&db.Quarantined{Principal: ann.ID, UID: "u1", Object: o.ID, Modseq: o.Modseq, From: "mailto:x@example.net", Rule: "why\x00"})
		})
		list := func(who int64) (out []db.Quarantined) {
			t.Helper()
			view(t, s, func(tx *db.Tx) (err error) {
				out, err = tx.Quarantines(who, 0, 10)
				return err
			})
			return out
		}
		q := list(0)
		if len(q) != 1 || len(list(ann.ID)) != 1 || len(list(ben.ID)) != 0 || q[0].From != "mailto:x@example.net" || q[0].Rule != "why" || q[0].Created.IsZero() {
			t.Fatalf("%+v", q)
		}
		view(t, s, func(tx *db.Tx) error {
			one, err := tx.QuarantineByID(q[0].ID)
			if err != nil || !one.InForce || one.UID != "u1" {
				t.Errorf("%+v, %v", one, err)
			}
			if _, err := tx.Quarantine(ben.ID, "u1"); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("somebody else's: %v", err)
			}
			return nil
		})
		write(t, s, func(tx *db.Tx) error {
			m, err := tx.BumpCollections(col.ID)
			if err != nil {
				return err
			}
			before := o.Modseq
			o.Modseq = m[col.ID]
			return tx.PutObject(&o, []byte("two"), db.Indexed{}, before)
		})
		view(t, s, func(tx *db.Tx) error {
			if one, err := tx.Quarantine(ann.ID, "u1"); err != nil || one.InForce {
				t.Errorf("adopted: %+v, %v", one, err)
			}
			return nil
		})
		if len(list(0)) != 0 {
			t.Error("adopted, and still listed")
		}
		write(t, s, func(tx *db.Tx) error { return tx.DeleteQuarantine(ann.ID, "u1") })
		write(t, s, func(tx *db.Tx) error { return tx.DeleteQuarantine(ann.ID, "u1") })
		view(t, s, func(tx *db.Tx) error {
			if _, err := tx.Quarantine(ann.ID, "u1"); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("%v", err)
			}
			return nil
		})
	})
}
