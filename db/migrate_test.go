package db_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/db/migrations"
)

// Nodes that start together make one schema, and a second time nothing.
func TestMigrateTogether(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			dsn := dbtest.Empty(t, kind)
			var all sync.WaitGroup
			for range 3 {
				s := dbtest.Open(t, dsn, db.Options{})
				all.Go(func() {
					for range 2 {
						if err := s.Migrate(ctx); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			s := dbtest.Open(t, dsn, db.Options{})
			if n := scalar(t, s, `SELECT count(*) FROM schema_version`); n != 1 {
				t.Errorf("%d versions", n)
			}
			person(t, s, "ann@example.org")
		})
	}
}

func TestNewerSchema(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		write(t, s, func(tx *db.Tx) error { return tx.Run(`UPDATE schema_version SET version = version + 1`) })
		if err := s.Migrate(ctx); !errors.Is(err, db.ErrNewer) {
			t.Errorf("Migrate of a newer schema: %v", err)
		}
	})
}

// TestUpgrade begins with each released schema as it was, with data in it, and
// brings it up to date. A released migration is never changed: what comes
// later goes into a new one, and its copy beside schema-1.sql.
func TestUpgrade(t *testing.T) {
	all, err := migrations.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		frozen, err := os.ReadFile(fmt.Sprintf("testdata/schema-%d.sql", m.Version))
		if err != nil {
			t.Errorf("%s has no frozen copy: %v", m.Name, err)
		} else if string(frozen) != m.SQL {
			t.Errorf("%s is not what was released", m.Name)
		}
	}
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			s := dbtest.Open(t, dbtest.Empty(t, kind), db.Options{})
			schema, err := os.ReadFile("testdata/schema-1.sql")
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile("testdata/data-1.sql")
			if err != nil {
				t.Fatal(err)
			}
			write(t, s, func(tx *db.Tx) error { return tx.Script(string(schema) + string(data)) })
			if err := s.Migrate(ctx); err != nil {
				t.Fatal(err)
			}
			view(t, s, func(tx *db.Tx) error {
				p, err := tx.PrincipalByAddress("ann@example.org")
				if err != nil || p.Name != "Ann" {
					t.Errorf("PrincipalByAddress = %+v, %v", p, err)
				}
				o, kind, _, err := tx.ObjectAt(p.ID, db.Calendar, "calendar", "a.ics")
				if err != nil || kind != db.Calendar || string(o.Body) != "body" || o.UID != "uid" {
					t.Errorf("ObjectAt = %+v, %v", o, err)
				}
				rows, err := tx.BusyRows([]int64{p.ID}, 0, 100, "")
				if err != nil || len(rows) != 1 {
					t.Errorf("BusyRows = %+v, %v", rows, err)
				}
				ds, err := tx.DeliveriesAbout("uid")
				if err != nil || len(ds) != 1 || string(ds[0].Body) != "body" || ds[0].Prior != nil {
					t.Errorf("DeliveriesAbout = %+v, %v", ds, err)
				}
				d, err := tx.DecisionByKey("key")
				if err != nil || d.Rule != "rule" {
					t.Errorf("DecisionByKey = %+v, %v", d, err)
				}
				epoch, err := tx.Meta("epoch")
				if err != nil || string(epoch) != "epoch-1" {
					t.Errorf("epoch %q, %v", epoch, err)
				}
				return nil
			})
			person(t, s, "new@example.org") // numbers go on where they were
			put(t, s, 1, "a.ics", "uid", "changed", slot(10, 20))
		})
	}
}

// A copy of a database is another one: it gets an epoch of its own, so that no
// sync token of the first is good for it (STORAGE 10).
func TestEpoch(t *testing.T) {
	epoch := func(t *testing.T, dsn string) string {
		t.Helper()
		s := dbtest.Open(t, dsn, db.Options{})
		defer s.Close()
		if err := s.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		var v []byte
		view(t, s, func(tx *db.Tx) (err error) {
			v, err = tx.Meta("epoch")
			return err
		})
		return string(v)
	}
	t.Run("sqlite", func(t *testing.T) {
		dsn := dbtest.Empty(t, "sqlite")
		first := epoch(t, dsn)
		if again := epoch(t, dsn); again != first || first == "" {
			t.Errorf("epoch %q, then %q", first, again)
		}
		whole, err := os.ReadFile(strings.TrimPrefix(dsn, "sqlite:"))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "restored.db")
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		restored := epoch(t, "sqlite:"+path)
		if restored == first {
			t.Error("a restored database has the epoch of the first")
		}
		if again := epoch(t, "sqlite:"+path); again != restored {
			t.Error("the epoch changes with each start")
		}
		// The place as earlier releases wrote it: the same file is the same database.
		s := dbtest.Open(t, dsn, db.Options{})
		err = s.Write(ctx, nil, func(tx *db.Tx) error {
			place, err := tx.Meta("place")
			if err != nil {
				return err
			}
			older, _, _ := strings.Cut(string(place), "@")
			return tx.SetMeta("place", []byte(older))
		})
		s.Close()
		if err != nil {
			t.Fatal(err)
		}
		if again := epoch(t, dsn); again != first {
			t.Error("the epoch changes with an upgrade")
		}
		// A backup that is put where the file was: it may get the number of the file that is gone.
		file := strings.TrimPrefix(dsn, "sqlite:")
		for _, f := range []string{file, file + "-wal", file + "-shm"} {
			if err := os.Remove(f); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(file, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		if epoch(t, dsn) == first {
			t.Error("a database restored in the place of its predecessor has the epoch of the first")
		}
	})
	t.Run("postgres", func(t *testing.T) {
		dsn := dbtest.DSN(t, "postgres") // a copy of the template, which knew its own place
		first := epoch(t, dsn)
		if again := epoch(t, dsn); again != first || first == "" {
			t.Errorf("epoch %q, then %q", first, again)
		}
		if other := epoch(t, dbtest.DSN(t, "postgres")); other == first {
			t.Error("two copies have one epoch")
		}
	})
}
