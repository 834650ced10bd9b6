package db_test

import (
	"errors"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

func TestProposals(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		p, _, _ := person(t, s, "ann@example.org")
		ann := p.ID
		at := time.UnixMicro(12345678).UTC()
		first := db.Proposal{Principal: ann, UID: "1", Attendee: "mailto:bob@example.com", RID: "20310311T180000Z", Body: []byte("first"), Created: at}
		other := db.Proposal{Principal: ann, UID: "1", Attendee: "mailto:bob@example.com", Body: []byte("whole"), Created: at}
		write(t, s, func(tx *db.Tx) error {
			if err := tx.PutProposal(&first); err != nil {
				return err
			}
			return tx.PutProposal(&other)
		})
		again := first
		again.Body, again.ID = []byte("second"), 0
		write(t, s, func(tx *db.Tx) error { return tx.PutProposal(&again) })
		if again.ID != first.ID {
			t.Errorf("a newer proposal for the same instance has the number %d, the first had %d", again.ID, first.ID)
		}
		want := func(n int, bodies ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.Proposals("1", ann)
				if len(got) != n {
					t.Errorf("%d proposals, want %d: %+v", len(got), n, got)
				}
				for i := range min(len(got), len(bodies)) {
					if string(got[i].Body) != bodies[i] || !got[i].Created.Equal(at) || got[i].Attendee != "mailto:bob@example.com" {
						t.Errorf("%+v, want %s", got[i], bodies[i])
					}
				}
				if none, err := tx.Proposals("2", ann); len(none) != 0 || err != nil {
					t.Errorf("of another conversation: %+v, %v", none, err)
				}
				return err
			})
		}
		want(2, "second", "whole")
		write(t, s, func(tx *db.Tx) error { return tx.DeleteProposal(first.ID) })
		want(1, "whole")
		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(ann) })
		want(0)
	})
}

func TestPreferences(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		p, _, _ := person(t, s, "ann@example.org")
		ann := p.ID
		version := func() (v int64) {
			view(t, s, func(tx *db.Tx) error {
				p, err := tx.Principal(ann)
				v = p.Version
				return err
			})
			return v
		}
		want := func(name, value string, n int) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				all, err := tx.Preferences(ann)
				if err != nil || len(all) != n || all[name] != value {
					t.Errorf("Preferences = %v, %v", all, err)
				}
				got, err := tx.Preference(ann, name)
				if got != value {
					t.Errorf("Preference(%s) = %q, want %q", name, got, value)
				}
				return err
			})
		}
		set := func(name, value string) {
			t.Helper()
			before := version()
			write(t, s, func(tx *db.Tx) error { return tx.SetPreference(ann, name, value) })
			if version() == before {
				t.Errorf("SetPreference(%s, %s) does not raise the version", name, value)
			}
		}
		want("a", "", 0)
		set("a", "x")
		set("b", "y")
		want("a", "x", 2)
		set("a", "z")
		want("a", "z", 2)
		set("a", "")
		want("a", "", 1)
		err := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.SetPreference(ann+1, "a", "x") })
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("of nobody: %v", err)
		}
		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(ann) })
		want("b", "", 0)
	})
}
