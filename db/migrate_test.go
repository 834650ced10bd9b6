package db_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
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
