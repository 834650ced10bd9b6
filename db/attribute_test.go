package db_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// What is known of a room is kept in its order, found in searches, and goes
// with the room.
func TestAttributes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, _, _ := person(t, s, "ann@example.org")
		blue := db.Principal{Address: "blue@example.org", Kind: db.Room, Name: "Blue"}
		write(t, s, func(tx *db.Tx) error { return tx.InsertPrincipal(&blue) })
		set := func(name string, values ...string) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error { return tx.SetAttribute(blue.ID, name, values...) })
		}
		want := func(text string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				all, err := tx.Attributes(ann.ID, blue.ID, blue.ID)
				if got := fmt.Sprint(all[blue.ID]); got != text || len(all[ann.ID]) > 0 {
					t.Errorf("%s, want %s", got, text)
				}
				return err
			})
		}
		found := func(text string, kinds ...db.Kind) bool {
			t.Helper()
			var ps []db.Principal
			view(t, s, func(tx *db.Tx) (err error) {
				ps, err = tx.PrincipalsLike(text, 0, 10, kinds...)
				return err
			})
			return slices.ContainsFunc(ps, func(p db.Principal) bool { return p.ID == blue.ID })
		}
		want("map[]")
		set("feature", "video", "whiteboard", "Größe")
		set("building", "Tower")
		want("map[building:[Tower] feature:[video whiteboard Größe]]")
		if !found("tower") || !found("HITEB") || !found("GRÖß") || !found("TOW", db.Resource, db.Room) || found("tower", db.Person) || found("beamer") {
			t.Error("searches do not find it, or too much")
		}
		set("feature", "beamer")
		set("building")
		want("map[feature:[beamer]]")
		if found("tower") || !found("beamer") {
			t.Error("what was is found, or what is is not")
		}
		var version int64
		view(t, s, func(tx *db.Tx) error {
			p, err := tx.Principal(blue.ID)
			version = p.Version
			return err
		})
		if version <= blue.Version {
			t.Error("caches do not learn of it")
		}
		err := s.Write(t.Context(), nil, func(tx *db.Tx) error { return tx.SetAttribute(-1, "floor", "2") })
		if !errors.Is(err, db.ErrNotFound) {
			t.Error(err)
		}
		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(blue.ID) })
		want("map[]")
	})
}
