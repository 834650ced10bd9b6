package db_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// Which meetings a group is invited into is listed page by page, each once, and
// goes with the meeting, the group and the organizer.
func TestInvited(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, _, _ := person(t, s, "ann@example.org")
		ben, _, _ := person(t, s, "ben@example.org")
		team := db.Principal{Address: "team@example.org", Kind: db.Group}
		all := db.Principal{Address: "all@example.org", Kind: db.Group}
		write(t, s, func(tx *db.Tx) error {
			if err := tx.InsertPrincipal(&team); err != nil {
				return err
			}
			return tx.InsertPrincipal(&all)
		})
		set := func(uid string, organizer int64, groups ...int64) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error { return tx.SetInvited(uid, organizer, groups) })
		}
		want := func(group int64, limit int, meetings ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				var got []string
				for after := (db.Invited{}); ; {
					page, err := tx.InvitedTo(group, after, limit)
					if err != nil {
						return err
					}
					for _, m := range page {
						got = append(got, fmt.Sprint(m.UID, " ", m.Organizer == ann.ID))
						after = m
					}
					if len(page) < limit {
						break
					}
				}
				if !slices.Equal(got, meetings) {
					t.Errorf("%q, want %q", got, meetings)
				}
				return nil
			})
		}
		set("1", ann.ID, team.ID, all.ID)
		set("1", ben.ID, team.ID)
		set("2", ann.ID, team.ID)
		for _, limit := range []int{1, 2, 10} {
			want(team.ID, limit, "1 true", "1 false", "2 true")
		}
		want(all.ID, 10, "1 true")
		set("1", ann.ID, all.ID)
		want(team.ID, 10, "1 false", "2 true")

		away := func(uid string, names ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.StayedAway(db.Invited{Group: team.ID, UID: uid, Organizer: ann.ID})
				if !slices.Equal(got, names) {
					t.Errorf("away from %s: %q", uid, got)
				}
				return err
			})
		}
		write(t, s, func(tx *db.Tx) error {
			for range 2 {
				if err := tx.StayAway(db.Invited{Group: team.ID, UID: "2", Organizer: ann.ID}, []string{"mailto:x@example.org", "mailto:y@example.org"}); err != nil {
					return err
				}
			}
			return nil
		})
		away("2", "mailto:x@example.org", "mailto:y@example.org")
		away("1")
		set("2", ann.ID)
		away("2")
		want(team.ID, 10, "1 false")
		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(ben.ID) })
		want(team.ID, 10)
		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(all.ID) })
	})
}
