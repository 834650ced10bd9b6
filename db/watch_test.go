package db_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

func TestWatch(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
		err := s.Write(t.Context(), nil, func(tx *db.Tx) error {
			for i, d := range []db.Decision{
				{Direction: "in", Outcome: "applied"}, {Direction: "in", Outcome: "applied"}, {Direction: "out", Outcome: "sent"}, {Direction: "in", Outcome: "refused"},
			} {
				d.At = at.Add(time.Duration(i) * time.Minute)
				if err := tx.InsertDecision(&d); err != nil {
					return err
				}
			}
			return tx.InsertDelivery(&db.Delivery{UID: "1", From: "mailto:ann@example.org", Rcpt: "mailto:carol@example.net", Method: "REQUEST", Due: at})
		})
		if err != nil {
			t.Fatal(err)
		}
		err = s.View(t.Context(), func(tx *db.Tx) error {
			got, err := tx.Decided(at, at.Add(3*time.Minute))
			if want := "[{in applied 2} {out sent 1}]"; fmt.Sprint(got) != want {
				t.Errorf("decided %v, want %s", got, want)
			}
			n, err2 := tx.Waiting()
			if n != 1 || err != nil || err2 != nil {
				t.Errorf("%d mails wait, %v, %v", n, err, err2)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// A test server runs without fsync or with it: what is told is what is set.
		_ = s.View(t.Context(), func(tx *db.Tx) error {
			unsafe, err := tx.Unsafe()
			if err != nil || s.Dialect() == "sqlite" && len(unsafe) > 0 {
				t.Errorf("unsafe: %v, %v", unsafe, err)
			}
			return nil
		})
	})
}
