package directory_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory"
)

func hash(t testing.TB, password string) string {
	t.Helper()
	h, err := directory.HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAuthenticate(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann := add(t, s, db.Principal{Address: "Ann@example.org", Kind: db.Person, Password: hash(t, "right")}, "a@example.org")
		add(t, s, db.Principal{Address: "bob@example.org", Kind: db.Person})
		add(t, s, db.Principal{Address: "twin@example.org", Kind: db.Person, Password: hash(t, "right")})
		add(t, s, db.Principal{Address: "twin@example.net", Kind: db.Person, Password: hash(t, "right")})
		old, err := bcrypt.GenerateFromPassword([]byte("older"), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		add(t, s, db.Principal{Address: "olaf@example.org", Kind: db.Person, Password: string(old)})
		d := directory.New(s)
		test := func(login, password, want string) {
			t.Helper()
			p, err := d.Authenticate(ctx, login, password)
			if want == "" && !errors.Is(err, directory.ErrDenied) || want != "" && (err != nil || p.Address != want) {
				t.Errorf("Authenticate(%q, %q) = %q, %v; want %q", login, password, p.Address, err, want)
			}
		}
		for range 2 { // by hash, then by cache
			test("ann@example.org", "right", "Ann@example.org")
			test("ANN@EXAMPLE.ORG", "right", "Ann@example.org")
			test("ann", "right", "Ann@example.org")
			test("a@example.org", "right", "Ann@example.org")
			test("olaf", "older", "olaf@example.org")
			test("ann", "wrong", "")
			test("a", "right", "")    // an alias has no local part of its own
			test("twin", "right", "") // ambiguous
			test("twin@example.net", "right", "twin@example.net")
			test("bob", "", "")
			test("bob", "right", "") // has no password
			test("nobody", "right", "")
			test("no@body@", "right", "")
			test("", "right", "")
			test("ann", strings.Repeat("x", 5000), "")
			test(strings.Repeat("x", 5000), "right", "")
		}
		if p, ok := d.AuthenticateCached("ann", "right"); !ok || p.ID != ann.ID || p.Version != ann.Version {
			t.Errorf("AuthenticateCached = %v, %v", p, ok)
		}
		if _, ok := d.AuthenticateCached("ann", "wrong"); ok {
			t.Error("AuthenticateCached knows a wrong password")
		}

		// A change counts at once, here and on any node: the version tells.
		if err := s.Write(ctx, nil, func(tx *db.Tx) error {
			ann.Password = hash(t, "new")
			return tx.UpdatePrincipal(&ann)
		}); err != nil {
			t.Fatal(err)
		}
		if p, ok := d.AuthenticateCached("ann", "right"); ok && p.Version == ann.Version {
			t.Error("the version did not rise with the password")
		}
		test("ann", "right", "")
		test("ann", "new", "Ann@example.org")
		if err := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.RemoveAlias(ann.ID, "a@example.org") }); err != nil {
			t.Fatal(err)
		}
		test("a@example.org", "right", "")
		test("ann", "new", "Ann@example.org")

		// Nor does a refusal outlive what it was founded on.
		test("carl", "right", "")
		add(t, s, db.Principal{Address: "carl@example.org", Kind: db.Person, Password: hash(t, "right")})
		test("carl", "right", "carl@example.org")

		if err := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.DeletePrincipal(ann.ID) }); err != nil {
			t.Fatal(err)
		}
		test("ann", "new", "")
	})
}

// Many requests that begin together cost one hash.
func TestAuthenticateTogether(t *testing.T) {
	s := dbtest.New(t, "sqlite")
	add(t, s, db.Principal{Address: "ann@example.org", Kind: db.Person, Password: hash(t, "right")})
	d := directory.New(s)
	one := time.Now()
	hash(t, "as long as a check")
	cost := time.Since(one)
	began := time.Now()
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if _, err := d.Authenticate(ctx, "ann", "right"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if took := time.Since(began); took > 30*cost {
		t.Errorf("100 log-ins took %v, a hash takes %v", took, cost)
	}
}

func TestGuessesAreSlowedDown(t *testing.T) {
	s := dbtest.New(t, "sqlite")
	add(t, s, db.Principal{Address: "ann@example.org", Kind: db.Person, Password: hash(t, "right")})
	d := directory.New(s)
	for range 5 {
		d.Authenticate(ctx, "ann", "wrong")
	}
	began := time.Now()
	for range 3 { // 0.1, 0.2 and 0.4 s
		d.Authenticate(ctx, "ann", "wrong")
	}
	if took := time.Since(began); took < 700*time.Millisecond {
		t.Errorf("three guesses took %v", took)
	}
	began = time.Now()
	if _, err := d.Authenticate(ctx, "ann", "right"); err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	d.Authenticate(short, "nobody", "wrong") // whoever hangs up is not waited for
	if _, err := d.Authenticate(ctx, "ann", "right"); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the right password took %v", took)
	}
}

func TestTouch(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		p := add(t, s, db.Principal{Address: "ann@example.org", Kind: db.Person})
		d := directory.New(s)
		for range 3 {
			if err := d.Touch(ctx, p); err != nil {
				t.Fatal(err)
			}
		}
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.Principal(p.ID)
			if age := time.Since(got.LastDAV); age < 0 || age > time.Hour+time.Minute || got.Version != p.Version {
				t.Errorf("LastDAV %v, version %d", got.LastDAV, got.Version)
			}
			return err
		})
	})
}

func BenchmarkAuthenticateAgain(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			s := dbtest.New(b, kind)
			add(b, s, db.Principal{Address: "ann@example.org", Kind: db.Person, Password: hash(b, "right")})
			d := directory.New(s)
			for b.Loop() {
				if _, err := d.Authenticate(ctx, "ann@example.org", "right"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAuthenticateCached(b *testing.B) {
	s := dbtest.New(b, "sqlite")
	add(b, s, db.Principal{Address: "ann@example.org", Kind: db.Person, Password: hash(b, "right")})
	d := directory.New(s)
	if _, err := d.Authenticate(ctx, "ann@example.org", "right"); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, ok := d.AuthenticateCached("ann@example.org", "right"); !ok {
			b.Fatal("forgotten")
		}
	}
}
