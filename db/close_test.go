package db_test

import (
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// Close waits for what runs, refuses what comes after, and leaves nothing
// running.
func TestClose(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			dsn := dbtest.DSN(t, kind)
			before := goleak.IgnoreCurrent()
			s := dbtest.Open(t, dsn, db.Options{})
			heard := s.Listen(t.Context(), "delivery")
			running := make(chan struct{})
			var all sync.WaitGroup
			all.Go(func() {
				err := s.Write(ctx, nil, func(tx *db.Tx) error {
					close(running)
					time.Sleep(50 * time.Millisecond)
					tx.Wake("delivery")
					return tx.SetMeta("k", []byte("v"))
				})
				if err != nil {
					t.Errorf("what ran when the store was closed: %v", err)
				}
			})
			<-running
			for range 2 {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
			all.Wait()
			nothing := func(*db.Tx) error { t.Error("ran in a closed store"); return nil }
			for what, err := range map[string]error{"Write": s.Write(ctx, nil, nothing), "View": s.View(ctx, nothing), "Read": s.Read(ctx, nothing)} {
				if err == nil {
					t.Errorf("%s of a closed store", what)
				}
			}
			for len(heard) > 0 {
				<-heard
			}
			goleak.VerifyNone(t, before)
			view(t, dbtest.Open(t, dsn, db.Options{}), func(tx *db.Tx) error {
				v, err := tx.Meta("k")
				if string(v) != "v" {
					t.Errorf("Meta = %q", v)
				}
				return err
			})
		})
	}
}
