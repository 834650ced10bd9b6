package db_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
)

// So many as a bound says go at once, the rest one after the other, each in its
// turn and counted once; other people and meetings are not held up.
func TestPaceDeliveries(t *testing.T) {
	eachWithHand(t, func(t *testing.T, s *db.Store, h *hand) {
		pace := db.Pace{Event: 3, User: 5, Window: time.Hour}
		take := func() (may, wait []int64) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error {
				claimed, err := tx.ClaimDeliveries(100, time.Minute)
				if err != nil {
					return err
				}
				m, w, err := tx.PaceDeliveries(claimed, pace)
				may, wait = ids(m), ids(w)
				for _, d := range m {
					if _, err := tx.FinishDelivery(d.ID, d.Token); err != nil {
						return err
					}
				}
				return err
			})
			return may, wait
		}
		test := func(what string, may, wait int) {
			t.Helper()
			if m, w := take(); len(m) != may || len(w) != wait {
				t.Errorf("%s: %d may go and %d wait, want %d and %d", what, len(m), len(w), may, wait)
			}
		}
		fill := func(principal int64, uid string, n int) (all []db.Delivery) {
			t.Helper()
			for i := range n {
				all = append(all, queue(t, s, db.Delivery{UID: uid, Principal: principal, Rcpt: fmt.Sprintf("r%d@%s", i, uid), Method: "REQUEST"}))
			}
			return all
		}
		a := fill(1, "a", 6)
		test("one meeting", 3, 3)
		test("not before their turn", 0, 0)
		var got []time.Duration
		view(t, s, func(tx *db.Tx) error {
			all, err := tx.Deliveries(0, 10)
			for _, d := range all {
				got = append(got, d.Due.Sub(h.now()))
				if d.Attempts != 0 || !d.Held || d.Token != "" {
					t.Errorf("%+v", d)
				}
			}
			return err
		})
		if want := []time.Duration{20 * time.Minute, 40 * time.Minute, time.Hour}; !slices.Equal(got, want) {
			t.Errorf("due in %v, want %v", got, want)
		}
		fill(1, "b", 2) // the bound of the person has counted those that wait
		test("the same person's next meeting", 0, 2)
		fill(2, "a", 2)
		test("another person's", 2, 0)

		// What replaces one that waits has its turn.
		b := queue(t, s, db.Delivery{UID: "a", Principal: 1, Rcpt: a[3].Rcpt, Method: "REQUEST"})
		view(t, s, func(tx *db.Tx) error {
			d, err := tx.Delivery(b.ID)
			if d.Due.Sub(h.now()) != 20*time.Minute || !d.Held {
				t.Errorf("%+v", d)
			}
			return err
		})
		h.forward(20 * time.Minute)
		if m, _ := take(); !slices.Contains(m, b.ID) {
			t.Errorf("%v went, without %d", m, b.ID)
		}
		h.forward(time.Hour)
		m, w := take()
		if len(m) != 4 || len(w) != 0 { // two of each
			t.Errorf("at the end %v go, %v wait", m, w)
		}

		// One that was tried is not counted once more; time gives all of it back.
		h.forward(time.Hour)
		c := fill(1, "c", 3)
		for range 5 {
			h.forward(time.Minute)
			write(t, s, func(tx *db.Tx) error {
				claimed, err := tx.ClaimDeliveries(100, time.Minute)
				if err != nil {
					return err
				}
				m, w, err := tx.PaceDeliveries(claimed, pace)
				if len(m) != len(c) || len(w) != 0 {
					t.Errorf("of %d, %d may go and %d wait", len(c), len(m), len(w))
				}
				for _, d := range m {
					if _, err := tx.PostponeDelivery(d.ID, d.Token, h.now(), "later"); err != nil {
						return err
					}
				}
				return err
			})
		}
		h.forward(3 * time.Hour)
		if err := s.Sweep(ctx, db.Keep{}); err != nil {
			t.Fatal(err)
		}
		if n := scalar(t, s, `SELECT count(*) FROM pace`); n != 0 {
			t.Errorf("%d rows of pace are left", n)
		}
	})
}
