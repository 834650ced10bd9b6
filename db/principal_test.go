package db_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

func TestPrincipal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		p := db.Principal{Address: "Ann.Fisher@example.org", Kind: db.Person, Name: "Ann Fischer \U0001F600", Language: "de-AT", TZ: "Europe/Vienna",
			Password: "hash", MailCopies: "never", Policy: "one\ntwo", Capacity: 7, LastDAV: time.UnixMicro(3600e6).UTC(), Created: time.UnixMicro(12345678).UTC()}
		write(t, s, func(tx *db.Tx) error { return tx.InsertPrincipal(&p) })
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.Principal(p.ID)
			if got != p {
				t.Errorf("Principal = %+v, want %+v", got, p)
			}
			return err
		})
		changed := p
		changed.Address = "not stored"
		changed.Name, changed.Kind, changed.Language, changed.TZ = "A", db.Room, "en", "UTC"
		changed.Password, changed.MailCopies, changed.Policy, changed.Capacity = "other", "always", "three", 8
		write(t, s, func(tx *db.Tx) error { return tx.UpdatePrincipal(&changed) })
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.PrincipalByAddress("ann.fisher@example.org")
			want := changed
			want.Address, want.Version = p.Address, p.Version+1
			if got != want {
				t.Errorf("after UpdatePrincipal %+v, want %+v", got, want)
			}
			return err
		})
		at := time.UnixMicro(7200e6).UTC()
		write(t, s, func(tx *db.Tx) error { return tx.TouchPrincipal(p.ID, at) })
		write(t, s, func(tx *db.Tx) error { return tx.TouchPrincipal(p.ID, at.Add(-time.Hour)) })
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.Principal(p.ID)
			if !got.LastDAV.Equal(at) || got.Version != changed.Version {
				t.Errorf("after TouchPrincipal %+v", got)
			}
			return err
		})
		// Whatever is asked for and not there.
		view(t, s, func(tx *db.Tx) error {
			absent := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, db.ErrNotFound) {
					t.Errorf("%s: %v", what, err)
				}
			}
			_, err := tx.Principal(p.ID + 1)
			absent("Principal", err)
			for _, a := range []string{"nobody@example.org", "", "\x00", "\xff@example.org", strings.Repeat("x", 5000)} {
				_, err = tx.PrincipalByAddress(a)
				absent("PrincipalByAddress", err)
				if ps, err := tx.PrincipalsByLocalPart(a); len(ps) > 0 || err != nil {
					t.Errorf("PrincipalsByLocalPart(%.10q) = %v, %v", a, ps, err)
				}
			}
			return nil
		})
		err := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.UpdatePrincipal(&db.Principal{ID: p.ID + 1}) })
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("UpdatePrincipal of nobody: %v", err)
		}
		err = s.Write(ctx, nil, func(tx *db.Tx) error {
			return tx.InsertPrincipal(&db.Principal{Address: "x\x00@example.org", Kind: db.Person})
		})
		if !errors.Is(err, db.ErrText) {
			t.Errorf("an address with a NUL: %v", err)
		}
	})
}

func TestAddresses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, _, _ := person(t, s, "Ann@example.org")
		bob, _, _ := person(t, s, "bob@example.org")
		taken := func(fn func(*db.Tx) error) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error { // the transaction goes on after ErrExists
				if err := fn(tx); !errors.Is(err, db.ErrExists) {
					t.Errorf("got %v, want ErrExists", err)
				}
				_, err := tx.Principal(ann.ID)
				return err
			})
		}
		insert := func(address string) func(*db.Tx) error {
			return func(tx *db.Tx) error { return tx.InsertPrincipal(&db.Principal{Address: address, Kind: db.Person}) }
		}
		alias := func(id int64, address string) func(*db.Tx) error {
			return func(tx *db.Tx) error { return tx.AddAlias(id, address) }
		}
		write(t, s, alias(ann.ID, "A.Fisher@Example.org"))
		write(t, s, alias(ann.ID, "aa+x@example.org"))
		taken(insert("ANN@EXAMPLE.ORG"))
		taken(insert("a.fisher@example.org"))
		taken(alias(bob.ID, "ann@example.org"))
		taken(alias(bob.ID, "a.fisher@example.org"))
		taken(alias(ann.ID, "a.fisher@example.org"))
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.Addresses(ann.ID)
			if want := []string{"Ann@example.org", "A.Fisher@Example.org", "aa+x@example.org"}; !slices.Equal(got, want) {
				t.Errorf("Addresses = %q", got)
			}
			return err
		})
		view(t, s, func(tx *db.Tx) error {
			p, err := tx.Principal(ann.ID)
			if p.Version != ann.Version+2 {
				t.Errorf("version %d after two aliases", p.Version)
			}
			return err
		})
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.PrincipalsByAddress([]string{"bob@example.org", "a.fisher@example.org", "x@example.org", "\x00"})
			if len(got) != 2 || got["bob@example.org"].ID != bob.ID || got["a.fisher@example.org"].ID != ann.ID {
				t.Errorf("PrincipalsByAddress = %v", got)
			}
			return err
		})
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.AddressesOf([]int64{bob.ID, ann.ID, ann.ID})
			if len(got) != 2 || !slices.Equal(got[bob.ID], []string{"bob@example.org"}) || len(got[ann.ID]) != 3 || got[ann.ID][0] != "Ann@example.org" {
				t.Errorf("AddressesOf = %v", got)
			}
			return err
		})
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.TaggedAddresses()
			if len(got) != 1 || got["aa+x@example.org"] != ann.ID {
				t.Errorf("TaggedAddresses = %v", got)
			}
			return err
		})
		gone := func(id int64, address string, want error) {
			t.Helper()
			err := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.RemoveAlias(id, address) })
			if !errors.Is(err, want) {
				t.Errorf("RemoveAlias(%s): %v", address, err)
			}
		}
		gone(ann.ID, "a.FISHER@example.org", nil)
		gone(ann.ID, "a.fisher@example.org", db.ErrNotFound)
		gone(ann.ID, "ann@example.org", db.ErrNotFound) // the primary stays
		gone(bob.ID, "aa+x@example.org", db.ErrNotFound)
		err := s.Write(ctx, nil, alias(99999, "zz@example.org"))
		if err == nil {
			t.Error("an alias of nobody")
		}
		view(t, s, func(tx *db.Tx) error {
			if _, err := tx.PrincipalByAddress("zz@example.org"); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("an alias of nobody stayed: %v", err)
			}
			return nil
		})
	})
}

func TestPrincipalsPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		write(t, s, func(tx *db.Tx) error {
			for i := range 300 { // longer than one list of a statement
				if err := tx.InsertPrincipal(&db.Principal{Address: fmt.Sprintf("U%03d@example.org", i), Kind: db.Person}); err != nil {
					return err
				}
			}
			return tx.InsertPrincipal(&db.Principal{Address: "u001@example.net", Kind: db.Person})
		})
		view(t, s, func(tx *db.Tx) error {
			var all []string
			after := ""
			for {
				page, err := tx.Principals(after, 70)
				if err != nil || len(page) == 0 {
					if !slices.IsSorted(all) || len(all) != 301 {
						t.Errorf("%d principals", len(all))
					}
					return err
				}
				for _, p := range page {
					all = append(all, strings.ToLower(p.Address))
				}
				after = page[len(page)-1].Address
			}
		})
		view(t, s, func(tx *db.Tx) error {
			var keys []string
			for i := range 300 {
				keys = append(keys, fmt.Sprintf("u%03d@example.org", i))
			}
			got, err := tx.PrincipalsByAddress(keys)
			if len(got) != 300 {
				t.Errorf("PrincipalsByAddress found %d of 300", len(got))
			}
			return err
		})
		test := func(local string, want int) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.PrincipalsByLocalPart(local)
				if len(got) != want {
					t.Errorf("PrincipalsByLocalPart(%s) = %v", local, got)
				}
				return err
			})
		}
		test("u000", 1)
		test("u001", 2)
		test("u", 0)
	})
}

func TestGroups(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, _, _ := person(t, s, "ann@example.org")
		team := db.Principal{Address: "team@example.org", Kind: db.Group}
		write(t, s, func(tx *db.Tx) error {
			if err := tx.AddAlias(ann.ID, "a@example.org"); err != nil {
				return err
			}
			return tx.InsertPrincipal(&team)
		})
		set := func(members ...string) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error { return tx.SetMembers(team.ID, members) })
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.Members(team.ID)
				if !slices.Equal(got, members) {
					t.Errorf("Members = %q, want %q", got, members)
				}
				return err
			})
		}
		in := func(want bool) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.GroupsOf(ann.ID)
				if want != (len(got) == 1 && got[0].ID == team.ID) || len(got) > 1 {
					t.Errorf("GroupsOf = %v", got)
				}
				return err
			})
		}
		in(false)
		set("z@elsewhere.net", "A@Example.org")
		in(true)
		set("ann@example.org", "a@example.org", "ann@example.org")
		in(true)
		set("z@elsewhere.net")
		in(false)
		set()
		in(false)
		err := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.SetMembers(99999, nil) })
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("SetMembers of nobody: %v", err)
		}
	})
}

func TestDeletePrincipal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, _ := person(t, s, "ann@example.org")
		bob, bobs, _ := person(t, s, "bob@example.org")
		put(t, s, cal.ID, "a.ics", "uid", "shared", slot(10, 20))
		put(t, s, bobs.ID, "a.ics", "uid", "shared", slot(10, 20))
		write(t, s, func(tx *db.Tx) error {
			return tx.SetProperties("principal", ann.ID, []db.Property{{Name: "{x}y", XML: "z"}}, nil)
		})
		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(ann.ID) })
		view(t, s, func(tx *db.Tx) error {
			if _, err := tx.PrincipalByAddress("ann@example.org"); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("the address stayed: %v", err)
			}
			if _, err := tx.Collection(cal.ID); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("the calendar stayed: %v", err)
			}
			if ps, _ := tx.Properties("principal", ann.ID); len(ps) > 0 {
				t.Errorf("properties stayed: %v", ps)
			}
			os, err := tx.ObjectsByUID("uid")
			if len(os) != 1 || os[0].Owner != bob.ID || string(os[0].Body) != "shared" {
				t.Errorf("what is left: %v", os)
			}
			return err
		})
		person(t, s, "ann@example.org") // the address is free
		err := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.DeletePrincipal(99999) })
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("DeletePrincipal of nobody: %v", err)
		}
	})
}
