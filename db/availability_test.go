package db_test

import (
	"maps"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

func TestPreferencesOf(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, _, _ := person(t, s, "ann@example.org")
		bob, _, _ := person(t, s, "bob@example.org")
		cem, _, _ := person(t, s, "cem@example.org")
		write(t, s, func(tx *db.Tx) error {
			err := tx.SetPreference(ann.ID, "a", "1")
			if err == nil {
				err = tx.SetPreference(ann.ID, "b", "2")
			}
			if err == nil {
				err = tx.SetPreference(bob.ID, "a", "3")
			}
			return err
		})
		view(t, s, func(tx *db.Tx) error {
			all, err := tx.PreferencesOf([]int64{bob.ID, ann.ID, bob.ID, cem.ID})
			if len(all) != 2 || !maps.Equal(all[ann.ID], map[string]string{"a": "1", "b": "2"}) || !maps.Equal(all[bob.ID], map[string]string{"a": "3"}) {
				t.Errorf("%v", all)
			}
			return err
		})
	})
}

func TestAvailability(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, _ := person(t, s, "ann@example.org")
		bob, bobs, _ := person(t, s, "bob@example.org")
		set := func(id int64, data string) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error {
				if data == "" {
					return tx.SetAvailability(id, nil)
				}
				return tx.SetAvailability(id, []byte(data))
			})
		}
		set(ann.ID, "first")
		set(ann.ID, "second")
		object := func(collection int64, name, component, body string) db.Object {
			t.Helper()
			o := db.Object{Collection: collection, Name: name, UID: name, Component: component}
			write(t, s, func(tx *db.Tx) error {
				m, err := tx.BumpCollections(collection)
				if err != nil {
					return err
				}
				o.Modseq = m[collection]
				return tx.PutObject(&o, []byte(body), db.Indexed{}, 0)
			})
			return o
		}
		object(cal.ID, "todo", "VTODO", "no")
		stored := object(cal.ID, "hours", "VAVAILABILITY", "stored")
		object(bobs.ID, "hours", "VAVAILABILITY", "bob's")
		has := func(want ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				all, err := tx.Availabilities([]int64{ann.ID, bob.ID})
				var got []string
				for _, a := range all {
					got = append(got, map[int64]string{ann.ID: "ann ", bob.ID: "bob "}[a.Owner]+map[bool]string{true: "inbox ", false: ""}[a.Collection == 0]+string(a.Data))
				}
				same(t, got, want)
				return err
			})
		}
		has("ann inbox second", "ann stored", "bob bob's")
		view(t, s, func(tx *db.Tx) error {
			data, err := tx.Availability(ann.ID)
			none, err2 := tx.Availability(bob.ID)
			in, err3 := tx.AvailabilitiesIn(cal.ID)
			if string(data) != "second" || none != nil || len(in) != 1 || string(in[0].Data) != "stored" || err2 != nil || err3 != nil {
				t.Errorf("%q, %q, %v, %v, %v", data, none, in, err2, err3)
			}
			return err
		})
		// A transparent calendar says nothing of its owner.
		bobs.Transparent = true
		write(t, s, func(tx *db.Tx) error { return tx.UpdateCollection(&bobs) })
		write(t, s, func(tx *db.Tx) error {
			m, err := tx.BumpCollections(cal.ID)
			if err != nil {
				return err
			}
			return tx.DeleteObject(stored.ID, m[cal.ID], stored.Modseq)
		})
		has("ann inbox second")
		set(ann.ID, "")
		has()
	})
}

// same compares two lists without their order.
func same(t *testing.T, got, want []string) {
	t.Helper()
	n := map[string]int{}
	for _, s := range got {
		n[s]++
	}
	for _, s := range want {
		n[s]--
	}
	for _, c := range n {
		if c != 0 {
			t.Errorf("got %q, want %q", got, want)
			return
		}
	}
}
