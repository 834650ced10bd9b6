package db_test

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

func TestPrincipalsLike(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		add := func(address, name string) (id int64) {
			write(t, s, func(tx *db.Tx) error {
				p := db.Principal{Address: address, Kind: db.Person, Name: name}
				err := tx.InsertPrincipal(&p)
				id = p.ID
				return err
			})
			return id
		}
		ann := add("Ann@example.org", "Ann Ärmel")
		add("bob@example.org", "Straße")
		test := func(text, want string) {
			t.Helper()
			var got []string
			view(t, s, func(tx *db.Tx) error {
				for after := int64(0); ; {
					ps, err := tx.PrincipalsLike(text, after, 1)
					if err != nil || len(ps) == 0 {
						return err
					}
					got, after = append(got, ps[0].Address), ps[0].ID
				}
			})
			if strings.Join(got, " ") != want {
				t.Errorf("%q: %v, want %q", text, got, want)
			}
		}
		test("", "Ann@example.org bob@example.org")
		test("example", "Ann@example.org bob@example.org")
		test("ANN", "Ann@example.org")
		test("n ä", "Ann@example.org")
		test("a\u0308rm", "Ann@example.org") // as two characters
		test("el", "Ann@example.org")        // at the end
		test("g", "Ann@example.org bob@example.org")
		test("straße", "bob@example.org")
		test("annx", "")
		test("ann\x1f", "")
		write(t, s, func(tx *db.Tx) error { return tx.AddAlias(ann, "x.y@example.com") })
		test("x.y@example.com", "Ann@example.org")
		write(t, s, func(tx *db.Tx) error { return tx.RemoveAlias(ann, "x.y@example.com") })
		test("x.y", "")
		write(t, s, func(tx *db.Tx) error {
			p, err := tx.Principal(ann)
			if err != nil {
				return err
			}
			p.Name = "Nora"
			return tx.UpdatePrincipal(&p)
		})
		test("ärm", "")
		test("nora", "Ann@example.org")
		// As an older release left it: found, and indexed by and by.
		write(t, s, func(tx *db.Tx) error { return tx.Script(`DELETE FROM gram; UPDATE principal SET grams = 0;`) })
		test("bob", "Ann@example.org bob@example.org")
		if err := s.Gram(ctx); err != nil {
			t.Fatal(err)
		}
		test("bob", "bob@example.org")
		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(ann) })
		test("nora", "")
	})
}
