package directory_test

import (
	"context"
	"errors"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
)

// "@example.net" has every address of the domain that nobody has in his own
// right; it is not shown among somebody's addresses.
func TestCatchAll(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, ben := db.Principal{Address: "ann@example.org", Kind: db.Person}, db.Principal{Address: "ben@example.net", Kind: db.Person}
		err := s.Write(context.Background(), nil, func(tx *db.Tx) error {
			ann, ben := &ann, &ben
			ann.ID, ben.ID = 0, 0
			if err := directory.Add(tx, ann, []string{"@Example.NET"}); err != nil {
				return err
			}
			if err := directory.Add(tx, ben, nil); err != nil {
				return err
			}
			for _, bad := range []string{"@", "@a b", "@@example.net"} {
				if err := directory.AddAlias(tx, ann.ID, bad); !errors.Is(err, directory.ErrAddress) {
					t.Errorf("%q: %v", bad, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Read(context.Background(), func(tx *db.Tx) error {
			for address, want := range map[string]int64{"x@example.net": ann.ID, "x+y@EXAMPLE.net": ann.ID, "ben@example.net": ben.ID, "ben+x@example.net": ben.ID, "x@example.org": 0, "x@sub.example.net": 0} {
				p, err := directory.Lookup(tx, cuaddr.Mailto(address))
				if want == 0 && errors.Is(err, directory.ErrUnknown) {
					continue
				}
				if err != nil || p.ID != want {
					t.Errorf("%s: %d, %v", address, p.ID, err)
				}
			}
			all, err := tx.Addresses(ann.ID)
			if err != nil || len(all) != 1 {
				t.Errorf("%q, %v", all, err)
			}
			domains, err := tx.CatchAlls(ann.ID)
			if err != nil || len(domains) != 1 || domains[0] != "@example.net" {
				t.Errorf("%q, %v", domains, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
