package directory_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
)

var ctx = context.Background()

func add(t testing.TB, s *db.Store, p db.Principal, aliases ...string) db.Principal {
	t.Helper()
	if err := s.Write(ctx, nil, func(tx *db.Tx) error {
		p.ID = 0
		return directory.Add(tx, &p, aliases)
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

func address(t testing.TB, s string) cuaddr.Address {
	t.Helper()
	a, err := cuaddr.Parse(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return a
}

func view(t testing.TB, s *db.Store, fn func(*db.Tx) error) {
	t.Helper()
	if err := s.View(ctx, fn); err != nil {
		t.Fatal(err)
	}
}

func TestLookup(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		add(t, s, db.Principal{Address: "Ann@Example.ORG", Kind: db.Person}, "a.nn@example.org", "urn:uuid:12345678-1234-1234-1234-123456789ABC")
		add(t, s, db.Principal{Address: "bob@example.org", Kind: db.Person}, "ann+bob@example.org")
		test := func(spelling, want string) {
			t.Helper()
			var p db.Principal
			err := s.View(ctx, func(tx *db.Tx) (err error) {
				p, err = directory.Lookup(tx, address(t, spelling))
				return err
			})
			if want == "" && !errors.Is(err, directory.ErrUnknown) || want != "" && (err != nil || p.Address != want) {
				t.Errorf("Lookup(%q) = %q, %v; want %q", spelling, p.Address, err, want)
			}
		}
		const ann, bob = "Ann@example.org", "bob@example.org"
		test("mailto:ann@example.org", ann)
		test("MAILTO:ANN@EXAMPLE.ORG", ann)
		test("mailto:a.nn@example.org", ann)
		test("mailto:ann+lists@example.org", ann)
		test("mailto:a.nn+x+y@example.org", ann)
		test("mailto:ann+bob@example.org", bob)
		test("urn:uuid:12345678-1234-1234-1234-123456789abc", ann)
		test("/dav/principals/ann@example.org/", ann)
		test("https://cal.example.org/dav/principals/a.nn%40example.org", ann)
		test("/dav/principals/ann+lists@example.org/", "")
		test("/dav/principals/ann@example.org/x/", "")
		test("/elsewhere/ann@example.org/", "")
		test("mailto:+x@example.org", "")
		test("mailto:carl@example.org", "")
		test("urn:uuid:00000000-0000-0000-0000-000000000000", "")
		view(t, s, func(tx *db.Tx) error {
			if _, err := directory.Lookup(tx, cuaddr.Address{}); !errors.Is(err, directory.ErrUnknown) {
				t.Errorf("Lookup of nobody: %v", err)
			}
			as := []cuaddr.Address{address(t, "mailto:ann@example.org"), address(t, "mailto:x@elsewhere.net"), address(t, "mailto:bob+1@example.org")}
			found, err := directory.LookupAll(tx, as)
			if len(found) != 2 || found[as[0]].Address != ann || found[as[2]].Address != bob {
				t.Errorf("LookupAll = %v", found)
			}
			return err
		})
	})
}

func TestSelf(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann := add(t, s, db.Principal{Address: "ann@example.org", Kind: db.Person}, "a@example.org")
		add(t, s, db.Principal{Address: "bob@example.org", Kind: db.Person}, "ann+bob@example.org")
		team := add(t, s, db.Principal{Address: "team@example.org", Kind: db.Group}, "crew@example.org")
		all := add(t, s, db.Principal{Address: "all@example.org", Kind: db.Group})
		if err := s.Write(ctx, nil, func(tx *db.Tx) error {
			if err := tx.SetMembers(team.ID, []string{"A@example.org", "x@elsewhere.net"}); err != nil {
				return err
			}
			return tx.SetMembers(all.ID, []string{"team@example.org", "all@example.org"})
		}); err != nil {
			t.Fatal(err)
		}
		test := func(groups bool, spelling string, want bool) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				self, err := directory.Self(tx, ann, groups)
				if err == nil && self(address(t, spelling)) != want {
					t.Errorf("Self(groups %v) of %s = %v", groups, spelling, !want)
				}
				return err
			})
		}
		test(false, "mailto:ANN@example.org", true)
		test(false, "mailto:a@example.org", true)
		test(false, "mailto:ann+x@example.org", true)
		test(false, "mailto:ann+bob@example.org", false)
		test(false, "/dav/principals/ann@example.org/", true)
		test(false, "mailto:bob@example.org", false)
		test(false, "mailto:team@example.org", false)
		test(true, "mailto:team@example.org", true)
		test(true, "mailto:crew+x@example.org", true)
		test(true, "mailto:all@example.org", true)
		test(true, "mailto:bob@example.org", false)
	})
}

func TestExpand(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann := add(t, s, db.Principal{Address: "ann@example.org", Kind: db.Person})
		room := add(t, s, db.Principal{Address: "room@example.org", Kind: db.Room})
		team := add(t, s, db.Principal{Address: "team@example.org", Kind: db.Group})
		all := add(t, s, db.Principal{Address: "all@example.org", Kind: db.Group})
		if err := s.Write(ctx, nil, func(tx *db.Tx) error {
			if err := tx.SetMembers(team.ID, []string{"ann@example.org", "all@example.org", "eve@elsewhere.net"}); err != nil {
				return err
			}
			return tx.SetMembers(all.ID, []string{"team@example.org", "room@example.org", "Ann+x@example.org", "eve@elsewhere.net"})
		}); err != nil {
			t.Fatal(err)
		}
		test := func(p db.Principal, want, outside []string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				local, external, err := directory.Expand(tx, p)
				var got, out []string
				for _, l := range local {
					got = append(got, l.Address)
				}
				for _, e := range external {
					out = append(out, e.Mail())
				}
				if !slices.Equal(got, want) || !slices.Equal(out, outside) {
					t.Errorf("Expand(%s) = %v, %v", p.Address, got, out)
				}
				return err
			})
		}
		test(ann, []string{"ann@example.org"}, nil)
		test(room, []string{"room@example.org"}, nil)
		test(team, []string{"ann@example.org", "room@example.org"}, []string{"eve@elsewhere.net"})
		test(all, []string{"room@example.org", "ann@example.org"}, []string{"eve@elsewhere.net"})
	})
}

func TestAdd(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		test := func(kind db.Kind, address string, want ...string) {
			t.Helper()
			p := add(t, s, db.Principal{Address: address, Kind: kind})
			view(t, s, func(tx *db.Tx) error {
				cs, err := tx.Collections(p.ID)
				var got []string
				for _, c := range cs {
					got = append(got, string(c.Kind)+" "+c.Name)
				}
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("%s has %q", kind, got)
				}
				if len(want) > 0 {
					cal, _, err := tx.DefaultCalendar(p.ID)
					if err != nil || cal.Name != "calendar" {
						t.Errorf("%s: default %q, %v", kind, cal.Name, err)
					}
				}
				return err
			})
		}
		test(db.Person, "ann@example.org", "addressbook contacts", "calendar calendar", "calendar tasks", "inbox inbox", "outbox outbox")
		test(db.Room, "room@example.org", "calendar calendar", "inbox inbox")
		test(db.Resource, "beamer@example.org", "calendar calendar", "inbox inbox")
		test(db.Group, "team@example.org")

		refuse := func(want error, address string, aliases ...string) {
			t.Helper()
			err := s.Write(ctx, nil, func(tx *db.Tx) error {
				return directory.Add(tx, &db.Principal{Address: address, Kind: db.Person}, aliases)
			})
			if !errors.Is(err, want) {
				t.Errorf("Add(%q, %q): %v; want %v", address, aliases, err, want)
			}
		}
		refuse(db.ErrExists, "ANN@example.org")
		refuse(db.ErrExists, "new@example.org", "room@example.org")
		refuse(directory.ErrAddress, "no address")
		refuse(directory.ErrAddress, "new@example.org", "/dav/principals/x/")
		view(t, s, func(tx *db.Tx) error {
			if _, err := tx.PrincipalByAddress("new@example.org"); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("a refused principal stayed: %v", err)
			}
			return nil
		})
	})
}
