package db_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// A new primary address: the old one is an alias, groups and quotas follow, and
// what is somebody else's is not taken.
func TestRenamePrincipal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, calendar, _ := person(t, s, "Ann@example.org")
		ben, _, _ := person(t, s, "ben@example.org")
		team := db.Principal{Address: "team@example.org", Kind: db.Group}
		write(t, s, func(tx *db.Tx) error {
			if err := tx.InsertPrincipal(&team); err != nil {
				return err
			}
			if err := tx.AddAlias(ann.ID, "a@example.org"); err != nil {
				return err
			}
			for _, org := range []string{"mailto:ann@example.org", "mailto:x@example.net"} {
				if err := tx.UseQuota(db.QuotaUse{Quota: "cars", Organizer: org, Principal: ben.ID, UID: "1"}); err != nil {
					return err
				}
			}
			return tx.SetMembers(team.ID, []string{"ann@Example.org", "ben@example.org"})
		})
		put(t, s, calendar.ID, "1.ics", "1", "a meeting", slot(1, 2))
		rename := func(id int64, address string, want error) {
			t.Helper()
			err := s.Write(t.Context(), nil, func(tx *db.Tx) error { return tx.RenamePrincipal(id, address) })
			if !errors.Is(err, want) {
				t.Fatalf("%s: %v", address, err)
			}
		}
		rename(ann.ID, "ben@example.org", db.ErrExists)
		rename(-1, "new@example.org", db.ErrNotFound)
		rename(ann.ID, "Arbor@Example.net", nil)
		view(t, s, func(tx *db.Tx) error {
			for _, a := range []string{"ann@example.org", "a@example.org", "arbor@example.net"} {
				if p, err := tx.PrincipalByAddress(a); err != nil || p.ID != ann.ID || p.Address != "Arbor@Example.net" || p.Version <= ann.Version {
					t.Errorf("%s: %+v, %v", a, p, err)
				}
			}
			all, err := tx.Addresses(ann.ID)
			if !slices.Equal(all, []string{"Arbor@Example.net", "a@example.org", "Ann@example.org"}) || err != nil {
				t.Errorf("%q, %v", all, err)
			}
			if ps, err := tx.PrincipalsByLocalPart("arbor"); len(ps) != 1 || err != nil {
				t.Errorf("local part: %v, %v", ps, err)
			}
			if ps, err := tx.PrincipalsLike("rbor@ex", 0, 10); len(ps) != 1 || err != nil {
				t.Errorf("search: %v, %v", ps, err)
			}
			members, err := tx.Members(team.ID)
			if !slices.Equal(members, []string{"Arbor@Example.net", "ben@example.org"}) || err != nil {
				t.Errorf("%q, %v", members, err)
			}
			return err
		})
		// Back again, and to another case of the same.
		rename(ann.ID, "ann@example.org", nil)
		rename(ann.ID, "ANN@example.org", nil)
		view(t, s, func(tx *db.Tx) error {
			all, err := tx.Addresses(ann.ID)
			if !slices.Equal(all, []string{"ANN@example.org", "a@example.org", "Arbor@Example.net"}) || err != nil {
				t.Errorf("%q, %v", all, err)
			}
			in, err := tx.InDomain("example.net", 0, 10)
			if len(in) != 1 || in[0].ID != ann.ID {
				t.Errorf("in the domain: %v", in)
			}
			return err
		})
	})
}
