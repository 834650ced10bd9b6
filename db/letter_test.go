package db_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
)

// An invitation to a crowd names all of it to each: what is large stands once,
// however many wait for it, and goes when nobody waits any longer.
func TestLetters(t *testing.T) {
	eachWithHand(t, func(t *testing.T, s *db.Store, h *hand) {
		large := func(text string) []byte { return bytes.Repeat([]byte(text), 4000) }
		one, two := large("one"), large("two")
		letters := func(want int64) {
			t.Helper()
			if err := s.Sweep(ctx, db.Keep{}); err != nil {
				t.Fatal(err)
			}
			view(t, s, func(tx *db.Tx) error {
				n, err := tx.Scalar(`SELECT count(*) FROM letter`)
				if n != want {
					t.Errorf("%d letters, want %d", n, want)
				}
				return err
			})
		}
		queue := func(uid string, n int, body, prior []byte) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error {
				for i := range n {
					d := db.Delivery{UID: uid, Rcpt: fmt.Sprint("mailto:p", i, "@example.net"), Method: "REQUEST", Body: body, Prior: prior, Due: h.now()}
					if err := tx.InsertDelivery(&d); err != nil {
						return err
					}
				}
				return nil
			})
		}
		queue("u", 3, one, nil)
		queue("v", 1, []byte("small"), nil)
		letters(1)
		queue("u", 2, two, one) // in place of what waits
		letters(2)
		queue("w", 1, two, nil) // another conversation's is another's
		letters(3)

		view(t, s, func(tx *db.Tx) error {
			rows, err := tx.Deliveries(1, 2)
			if len(rows) != 2 || rows[0].ID < 2 || rows[0].Rcpt == "" || rows[0].Body != nil || rows[0].Prior != nil {
				t.Errorf("the queue lists %+v", rows)
			}
			return err
		})
		got := claim(t, s, 10, time.Minute)
		if len(got) != 5 {
			t.Fatalf("claimed %d", len(got))
		}
		read := map[string]db.Delivery{}
		for _, d := range got {
			read[d.UID+d.Rcpt] = d
		}
		test := func(of string, body, prior []byte) {
			t.Helper()
			if d := read[of]; !bytes.Equal(d.Body, body) || !bytes.Equal(d.Prior, prior) || (d.Prior == nil) != (prior == nil) {
				t.Errorf("%s: %.12q after %.12q", of, d.Body, d.Prior)
			}
		}
		test("umailto:p0@example.net", two, nil)
		test("umailto:p1@example.net", two, nil)
		test("umailto:p2@example.net", one, nil)
		test("vmailto:p0@example.net", []byte("small"), nil)
		test("wmailto:p0@example.net", two, nil)

		// Written anew, gathered, and done.
		for _, d := range got {
			did(t, s, true, func(tx *db.Tx) (bool, error) { return tx.PostponeDelivery(d.ID, d.Token, h.now(), "") })
		}
		d := read["umailto:p2@example.net"]
		d.Body, d.Prior = []byte("rewritten"), two
		write(t, s, func(tx *db.Tx) error { return tx.RewriteDelivery(&d) })
		letters(2)
		view(t, s, func(tx *db.Tx) error {
			d, err := tx.Delivery(d.ID)
			if string(d.Body) != "rewritten" || !bytes.Equal(d.Prior, two) {
				t.Errorf("rewritten: %.12q after %.12q", d.Body, d.Prior)
			}
			return err
		})
		for _, d := range claim(t, s, 10, time.Minute) {
			if d.UID == "w" {
				continue
			}
			did(t, s, true, func(tx *db.Tx) (bool, error) { return tx.FinishDelivery(d.ID, d.Token) })
		}
		letters(1)

		gather := func() (d db.Delivery) {
			write(t, s, func(tx *db.Tx) error {
				d = db.Delivery{UID: "g", Rcpt: "mailto:ann@example.org", Method: "ROUND-UP", Body: one, Due: h.now()}
				return tx.GatherDelivery(&d, 1<<20)
			})
			return d
		}
		gather()
		d = gather()
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.Delivery(d.ID)
			if want := append(bytes.Clone(one), one...); !bytes.Equal(got.Body, want) {
				t.Errorf("gathered %d octets, want %d", len(got.Body), len(want))
			}
			return err
		})
		letters(1)
	})
}
