package db_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// hand is a clock that a test moves.
type hand struct {
	mu sync.Mutex
	at time.Time
}

func newHand() *hand { return &hand{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (h *hand) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *hand) forward(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

func eachWithHand(t *testing.T, f func(t *testing.T, s *db.Store, h *hand)) {
	h := newHand()
	dbtest.EachWith(t, db.Options{Clock: h.now}, func(t *testing.T, s *db.Store) { f(t, s, h) })
}

func queue(t testing.TB, s *db.Store, d db.Delivery) db.Delivery {
	t.Helper()
	write(t, s, func(tx *db.Tx) error {
		if err := tx.LockThreads(d.UID); err != nil {
			return err
		}
		return tx.InsertDelivery(&d)
	})
	return d
}

func claim(t testing.TB, s *db.Store, limit int, lease time.Duration) (ds []db.Delivery) {
	t.Helper()
	write(t, s, func(tx *db.Tx) (err error) {
		ds, err = tx.ClaimDeliveries(limit, lease)
		return err
	})
	return ds
}

func ids(ds []db.Delivery) []int64 {
	all := []int64{}
	for _, d := range ds {
		all = append(all, d.ID)
	}
	return all
}

// did runs fn, which reports whether the row was there.
func did(t testing.TB, s *db.Store, want bool, fn func(tx *db.Tx) (bool, error)) {
	t.Helper()
	write(t, s, func(tx *db.Tx) error {
		ok, err := fn(tx)
		if ok != want {
			t.Errorf("got %v, want %v", ok, want)
		}
		return err
	})
}

func TestDelivery(t *testing.T) {
	eachWithHand(t, func(t *testing.T, s *db.Store, h *hand) {
		in := db.Delivery{UID: "u", Principal: 7, From: "mailto:ann@example.org", Rcpt: "mailto:Eve@example.net", Method: "REQUEST", Sequence: 3,
			Body: []byte("body\x00"), Prior: []byte("prior"), Scope: "s", LocalCopy: true, Due: h.now().Add(time.Minute)}
		d := queue(t, s, in)
		due := func(want time.Time, any bool) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				at, ok, err := tx.NextDelivery()
				if ok != any || !at.Equal(want) {
					t.Errorf("NextDelivery = %v, %v; want %v", at, ok, want)
				}
				return err
			})
		}
		due(d.Due, true)
		if got := claim(t, s, 10, time.Minute); len(got) != 0 {
			t.Errorf("claimed %v before it is due", got)
		}
		h.forward(time.Minute)
		got := claim(t, s, 10, 10*time.Minute)
		if len(got) != 1 {
			t.Fatalf("claimed %v", got)
		}
		g := got[0]
		if g.ID != d.ID || g.UID != "u" || g.Principal != 7 || g.From != d.From || g.Rcpt != d.Rcpt || g.Method != "REQUEST" || g.Sequence != 3 ||
			string(g.Body) != "body\x00" || string(g.Prior) != "prior" || g.Scope != "s" || !g.LocalCopy || g.Attempts != 1 || g.Token == "" ||
			!g.Due.Equal(h.now().Add(10*time.Minute)) || !g.Created.Equal(d.Created) {
			t.Errorf("claimed %+v", g)
		}
		if again := claim(t, s, 10, time.Minute); len(again) != 0 {
			t.Errorf("claimed twice: %v", again)
		}
		did(t, s, false, func(tx *db.Tx) (bool, error) { return tx.FinishDelivery(d.ID, "forged") })
		did(t, s, false, func(tx *db.Tx) (bool, error) { return tx.PostponeDelivery(d.ID, "forged", h.now(), "") })
		later := h.now().Add(time.Hour)
		did(t, s, true, func(tx *db.Tx) (bool, error) {
			return tx.PostponeDelivery(d.ID, g.Token, later, "451 later\x00"+strings.Repeat("x", 9000))
		})
		due(later, true)
		did(t, s, false, func(tx *db.Tx) (bool, error) { return tx.FinishDelivery(d.ID, g.Token) }) // the claim was given back
		h.forward(time.Hour)
		got = claim(t, s, 10, 10*time.Minute)
		if len(got) != 1 || got[0].Attempts != 2 || !strings.HasPrefix(got[0].Answer, "451 later") {
			t.Fatalf("claimed %+v", got)
		}
		// The lease runs out: another worker takes it, and the first has lost it.
		h.forward(10 * time.Minute)
		second := claim(t, s, 10, 10*time.Minute)
		if len(second) != 1 || second[0].Token == got[0].Token {
			t.Fatalf("after the lease %+v", second)
		}
		did(t, s, false, func(tx *db.Tx) (bool, error) { return tx.FinishDelivery(d.ID, got[0].Token) })
		did(t, s, true, func(tx *db.Tx) (bool, error) { return tx.FinishDelivery(d.ID, second[0].Token) })
		due(time.Time{}, false)
	})
}

// The oldest row of a conversation and recipient holds back its successors.
func TestDeliveryOrder(t *testing.T) {
	eachWithHand(t, func(t *testing.T, s *db.Store, h *hand) {
		d := func(uid, rcpt, method string) db.Delivery {
			return queue(t, s, db.Delivery{UID: uid, Rcpt: rcpt, Method: method})
		}
		a1, a2, b1, c1 := d("u", "a", "ADD"), d("u", "a", "ADD"), d("u", "b", "ADD"), d("v", "a", "ADD")
		first := claim(t, s, 10, time.Minute)
		if want := []int64{a1.ID, b1.ID, c1.ID}; !slices.Equal(ids(first), want) {
			t.Fatalf("claimed %v, want %v", ids(first), want)
		}
		did(t, s, true, func(tx *db.Tx) (bool, error) {
			return tx.PostponeDelivery(a1.ID, first[0].Token, h.now().Add(time.Hour), "")
		})
		if got := claim(t, s, 10, time.Minute); len(got) != 0 {
			t.Errorf("%v overtook a postponed row", ids(got))
		}
		view(t, s, func(tx *db.Tx) error { // what is held back is not next
			at, _, err := tx.NextDelivery()
			if !at.Equal(h.now().Add(time.Minute)) { // the leases of b1 and c1
				t.Errorf("NextDelivery = %v", at)
			}
			return err
		})
		h.forward(time.Hour)
		again := claim(t, s, 1, time.Minute)
		if len(again) != 1 {
			t.Fatalf("limit 1 claimed %v", ids(again))
		}
		all := append(again, claim(t, s, 10, time.Minute)...)
		for _, g := range all {
			did(t, s, true, func(tx *db.Tx) (bool, error) { return tx.FinishDelivery(g.ID, g.Token) })
		}
		if got := claim(t, s, 10, time.Minute); !slices.Equal(ids(got), []int64{a2.ID}) {
			t.Errorf("then came %v, want %d", ids(got), a2.ID)
		}
	})
}

// What waits for its first attempt is spared where a newer message says it all
// (STORAGE 28).
func TestDeliveryReplaced(t *testing.T) {
	eachWithHand(t, func(t *testing.T, s *db.Store, h *hand) {
		n := 0
		// test queues messages "METHOD scope prior", a "!" before one that is
		// claimed at once and comes back, and says what then waits.
		test := func(messages []string, want ...string) {
			t.Helper()
			n++
			uid := fmt.Sprint("u", n)
			for i, m := range messages {
				m, attempted := strings.CutPrefix(m, "!")
				f := append(strings.Fields(m), "", "")
				d := db.Delivery{UID: uid, Rcpt: "r", Principal: 1, Method: f[0], Scope: f[1], Body: []byte(fmt.Sprint(i)), Due: h.now().Add(time.Duration(10+i) * time.Second)}
				if f[2] != "" {
					d.Prior = []byte(f[2])
				}
				d = queue(t, s, d)
				if d.ID == 0 && f[0] != "CANCEL" {
					t.Errorf("%q: %s was not queued", messages, m)
				}
				if attempted {
					h.forward(time.Hour)
					for _, c := range claim(t, s, 1000, time.Minute) {
						did(t, s, true, func(tx *db.Tx) (bool, error) { return tx.PostponeDelivery(c.ID, c.Token, h.now(), "") })
					}
				}
			}
			var got []string
			view(t, s, func(tx *db.Tx) error {
				ds, err := tx.DeliveriesAbout(uid)
				for _, d := range ds {
					if d.UID == uid {
						got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s", d.Method, d.Scope, d.Prior))+" #"+string(d.Body))
						if d.Due.After(h.now().Add(10*time.Second)) && len(want) == 1 && !slices.Contains(messages, "CANCEL") && d.Method != "CANCEL" {
							t.Errorf("%q: due %v, later than the first", messages, d.Due)
						}
					}
				}
				return err
			})
			if !slices.Equal(got, want) {
				t.Errorf("%q leave %q, want %q", messages, got, want)
			}
		}
		test([]string{"REQUEST"}, "REQUEST #0")
		test([]string{"REQUEST", "REQUEST"}, "REQUEST #1")
		test([]string{"REQUEST x", "REQUEST x", "REQUEST x"}, "REQUEST x #2")
		test([]string{"REQUEST x old", "REQUEST x mid"}, "REQUEST x old #1") // what he knew before the first
		test([]string{"REPLY", "REPLY"}, "REPLY #1")
		test([]string{"REQUEST x", "REQUEST y"}, "REQUEST x #0", "REQUEST y #1")
		test([]string{"REQUEST x", "REQUEST y", "REQUEST x"}, "REQUEST y #1", "REQUEST x #2")
		test([]string{"!REQUEST", "REQUEST"}, "REQUEST #0", "REQUEST #1")
		test([]string{"!REQUEST", "REQUEST", "REQUEST"}, "REQUEST #0", "REQUEST #2")
		test([]string{"REQUEST", "CANCEL"})
		test([]string{"REQUEST x", "CANCEL x"})
		test([]string{"REQUEST x", "CANCEL y"}, "REQUEST x #0", "CANCEL y #1")
		test([]string{"!REQUEST", "CANCEL"}, "REQUEST #0", "CANCEL #1")
		test([]string{"REQUEST x old", "CANCEL x mid"}, "CANCEL x old #1") // he knew an earlier one
		test([]string{"REQUEST x", "REQUEST y", "CANCEL y"}, "REQUEST x #0", "REQUEST y #1", "CANCEL y #2")
		test([]string{"REQUEST x", "REQUEST y", "CANCEL x"}, "REQUEST x #0", "REQUEST y #1", "CANCEL x #2")
		test([]string{"REQUEST x old", "CANCEL x", "REQUEST x"}, "CANCEL x old #1", "REQUEST x #2")
		test([]string{"REQUEST", "CANCEL", "REQUEST"}, "REQUEST #2")
		test([]string{"ADD", "ADD"}, "ADD #0", "ADD #1")
		test([]string{"COUNTER", "COUNTER"}, "COUNTER #0", "COUNTER #1")
		test([]string{"REQUEST", "ADD", "REQUEST"}, "REQUEST #0", "ADD #1", "REQUEST #2")
		// Other people's messages are left alone.
		a := queue(t, s, db.Delivery{UID: "z", Rcpt: "r", Principal: 1, Method: "REQUEST"})
		b := queue(t, s, db.Delivery{UID: "z", Rcpt: "r", Principal: 2, Method: "REQUEST"})
		c := queue(t, s, db.Delivery{UID: "z", Rcpt: "q", Principal: 1, Method: "REQUEST"})
		view(t, s, func(tx *db.Tx) error {
			for _, d := range []db.Delivery{a, b, c} {
				if _, err := tx.Delivery(d.ID); err != nil {
					t.Errorf("delivery %d: %v", d.ID, err)
				}
			}
			return nil
		})
	})
}

// What several add at once is one mail; not more than it may hold, nor to what a
// worker has taken.
func TestGatherDelivery(t *testing.T) {
	eachWithHand(t, func(t *testing.T, s *db.Store, h *hand) {
		due := h.now().Add(time.Hour)
		add := func(text string) {
			write(t, s, func(tx *db.Tx) error {
				return tx.GatherDelivery(&db.Delivery{UID: "r", Rcpt: "mailto:a@x", From: "mailto:a@x", Method: "R", Body: []byte(text), Due: due}, 20)
			})
		}
		bodies := func() (got []string) {
			write(t, s, func(tx *db.Tx) error {
				ds, err := tx.DeliveriesAbout("r")
				got = nil
				for _, d := range ds {
					if got = append(got, string(d.Body)); !d.Created.Equal(due) || !d.Due.Equal(due) && d.Attempts == 0 {
						t.Errorf("created %s, due %s, want %s", d.Created, d.Due, due)
					}
				}
				return err
			})
			return got
		}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { add("1") })
		}
		all.Wait()
		if got := bodies(); !slices.Equal(got, []string{"11111111"}) {
			t.Errorf("at once: %q", got)
		}
		add("222222222222")
		add("3")
		if got := bodies(); !slices.Equal(got, []string{"11111111", "2222222222223"}) {
			t.Errorf("too much for one: %q", got)
		}
		h.forward(time.Hour)
		if ds := claim(t, s, 10, time.Minute); len(ds) != 1 || string(ds[0].Body) != "11111111" {
			t.Errorf("claimed %v", ds)
		} else {
			write(t, s, func(tx *db.Tx) error { _, err := tx.FinishDelivery(ds[0].ID, ds[0].Token); return err })
		}
		claim(t, s, 10, time.Minute)
		due = due.Add(time.Hour)
		add("4")
		write(t, s, func(tx *db.Tx) error {
			ds, err := tx.DeliveriesAbout("r")
			if err == nil && (len(ds) != 2 || string(ds[0].Body) != "2222222222223" || string(ds[1].Body) != "4" || !ds[1].Due.Equal(due)) {
				t.Errorf("taken: %v", ds)
			}
			return err
		})
	})
}

func TestQueueByHand(t *testing.T) {
	eachWithHand(t, func(t *testing.T, s *db.Store, h *hand) {
		a := queue(t, s, db.Delivery{UID: "a", Rcpt: "r", Due: h.now().Add(time.Hour)})
		b := queue(t, s, db.Delivery{UID: "b", Rcpt: "r"})
		test := func(want error, fn func(tx *db.Tx) error) {
			t.Helper()
			if err := s.Write(ctx, nil, fn); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		view(t, s, func(tx *db.Tx) error {
			all, err := tx.Deliveries(0, 10)
			one, err2 := tx.Deliveries(a.ID, 10)
			first, err3 := tx.Deliveries(0, 1)
			if !slices.Equal(ids(all), []int64{a.ID, b.ID}) || !slices.Equal(ids(one), []int64{b.ID}) || !slices.Equal(ids(first), []int64{a.ID}) {
				t.Errorf("Deliveries = %v, %v, %v", ids(all), ids(one), ids(first))
			}
			return errors.Join(err, err2, err3)
		})
		got := claim(t, s, 10, time.Minute) // b
		test(db.ErrNotFound, func(tx *db.Tx) error { return tx.DropDelivery(b.ID) })
		test(nil, func(tx *db.Tx) error { return tx.RetryDelivery(b.ID) }) // is being tried
		did(t, s, true, func(tx *db.Tx) (bool, error) { return tx.FinishDelivery(b.ID, got[0].Token) })
		test(db.ErrNotFound, func(tx *db.Tx) error { return tx.RetryDelivery(b.ID) })
		test(nil, func(tx *db.Tx) error { return tx.RetryDelivery(a.ID) })
		if got := claim(t, s, 10, time.Minute); !slices.Equal(ids(got), []int64{a.ID}) {
			t.Errorf("after RetryDelivery claimed %v", ids(got))
		}
		h.forward(time.Minute) // a claim that has run out is no claim
		test(nil, func(tx *db.Tx) error { return tx.DropDelivery(a.ID) })
		test(db.ErrNotFound, func(tx *db.Tx) error { return tx.DropDelivery(a.ID) })
		// A number is never given twice: Message-IDs are made from it.
		if c := queue(t, s, db.Delivery{UID: "c", Rcpt: "r"}); c.ID <= b.ID {
			t.Errorf("id %d after %d", c.ID, b.ID)
		}
	})
}

func TestReleaseClaims(t *testing.T) {
	eachWithHand(t, func(t *testing.T, s *db.Store, h *hand) {
		a := queue(t, s, db.Delivery{UID: "a", Rcpt: "r"})
		b := queue(t, s, db.Delivery{UID: "b", Rcpt: "r", Due: h.now().Add(time.Hour)})
		write(t, s, func(tx *db.Tx) error { return tx.InsertJob(&db.Job{Kind: "k", UID: "a"}) })
		first := claim(t, s, 10, time.Hour)
		write(t, s, func(tx *db.Tx) error { _, err := tx.ClaimJobs(10, time.Hour); return err })
		write(t, s, func(tx *db.Tx) error { return tx.ReleaseClaims() })
		did(t, s, false, func(tx *db.Tx) (bool, error) { return tx.FinishDelivery(a.ID, first[0].Token) })
		if got := claim(t, s, 10, time.Hour); !slices.Equal(ids(got), []int64{a.ID}) || got[0].Attempts != 2 {
			t.Errorf("claimed %+v; %d is not due", got, b.ID)
		}
		write(t, s, func(tx *db.Tx) error {
			js, err := tx.ClaimJobs(10, time.Hour)
			if len(js) != 1 {
				t.Errorf("claimed %v", js)
			}
			return err
		})
	})
}

func TestJobs(t *testing.T) {
	eachWithHand(t, func(t *testing.T, s *db.Store, h *hand) {
		insert := func(j db.Job) db.Job {
			t.Helper()
			write(t, s, func(tx *db.Tx) error { return tx.InsertJob(&j) })
			return j
		}
		claim := func(want ...int64) (js []db.Job) {
			t.Helper()
			write(t, s, func(tx *db.Tx) (err error) {
				js, err = tx.ClaimJobs(10, time.Minute)
				return err
			})
			got := []int64{}
			for _, j := range js {
				got = append(got, j.ID)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("ClaimJobs = %v, want %v", got, want)
			}
			return js
		}
		a := insert(db.Job{Kind: "refresh", UID: "u", Principal: 1, Args: []byte("x"), Due: h.now().Add(time.Minute)})
		if same := insert(db.Job{Kind: "refresh", UID: "u", Principal: 1, Args: []byte("x")}); same.ID != a.ID {
			t.Errorf("an equal job got id %d", same.ID)
		}
		b := insert(db.Job{Kind: "refresh", UID: "u", Principal: 1, Args: []byte("y")})
		c := insert(db.Job{Kind: "refresh", UID: "u", Principal: 2})
		d := insert(db.Job{Kind: "remove", UID: "u", Principal: 1})
		js := claim(a.ID, c.ID, d.ID) // a became due at once; b waits for it
		if js[0].Kind != "refresh" || js[0].UID != "u" || js[0].Principal != 1 || string(js[0].Args) != "x" || js[0].Attempts != 1 {
			t.Errorf("claimed %+v", js[0])
		}
		// A claimed one may have read what was before: an equal one is new.
		again := insert(db.Job{Kind: "refresh", UID: "u", Principal: 1, Args: []byte("x")})
		if again.ID == a.ID {
			t.Error("joined a job at work")
		}
		did(t, s, false, func(tx *db.Tx) (bool, error) { return tx.FinishJob(a.ID, "forged") })
		did(t, s, true, func(tx *db.Tx) (bool, error) { return tx.FinishJob(a.ID, js[0].Token) })
		did(t, s, true, func(tx *db.Tx) (bool, error) { return tx.PostponeJob(c.ID, js[1].Token, h.now().Add(time.Hour)) })
		did(t, s, false, func(tx *db.Tx) (bool, error) { return tx.FinishJob(c.ID, js[1].Token) })
		js = claim(b.ID)
		did(t, s, true, func(tx *db.Tx) (bool, error) { return tx.FinishJob(b.ID, js[0].Token) })
		js = claim(again.ID)
		did(t, s, true, func(tx *db.Tx) (bool, error) { return tx.FinishJob(again.ID, js[0].Token) })
		claim()
		view(t, s, func(tx *db.Tx) error {
			at, ok, err := tx.NextJob()
			if !ok || !at.Equal(h.now().Add(time.Minute)) { // d's lease
				t.Errorf("NextJob = %v, %v", at, ok)
			}
			return err
		})
		h.forward(time.Hour)
		claim(c.ID, d.ID)
	})
}

// Three workers empty a queue that writers fill: each row is done once, and
// none before an older one of its conversation and recipient.
func TestClaimTogether(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		const writers, each, conversations = 4, 60, 5
		var mu sync.Mutex
		done := make(map[int64]bool)
		last := make(map[string]int64)
		var filling, working sync.WaitGroup
		for w := range writers {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			filling.Go(func() {
				for range each {
					uid := fmt.Sprint("u", r.IntN(conversations))
					queue(t, s, db.Delivery{UID: uid, Rcpt: "r", Method: "ADD", Principal: int64(w)})
				}
			})
		}
		stop := make(chan struct{})
		for range 3 {
			working.Go(func() {
				for {
					ds := claim(t, s, 8, time.Minute)
					for _, d := range ds {
						mu.Lock()
						if done[d.ID] {
							t.Errorf("row %d was claimed twice", d.ID)
						}
						done[d.ID] = true
						if last[d.UID] > d.ID {
							t.Errorf("row %d of %s after %d", d.ID, d.UID, last[d.UID])
						}
						last[d.UID] = d.ID
						mu.Unlock()
						did(t, s, true, func(tx *db.Tx) (bool, error) { return tx.FinishDelivery(d.ID, d.Token) })
					}
					if len(ds) == 0 {
						select {
						case <-stop:
							return
						case <-time.After(time.Millisecond):
						}
					}
				}
			})
		}
		filling.Wait()
		for until := time.Now().Add(20 * time.Second); time.Now().Before(until) && scalar(t, s, `SELECT count(*) FROM delivery`) > 0; {
			time.Sleep(5 * time.Millisecond)
		}
		close(stop)
		working.Wait()
		if len(done) != writers*each {
			t.Errorf("%d of %d rows were done", len(done), writers*each)
		}
	})
}

func TestDecisions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		in := db.Decision{At: time.UnixMicro(5).UTC(), Direction: "in", Door: "lmtp", UID: "u", MessageID: "<m@x>", Method: "REPLY", Principal: 3,
			From: "from", To: "to", Belief: "proved", Rule: "rule", Outcome: "applied", Detail: "detail", Key: "k"}
		insert := func(d db.Decision) (db.Decision, error) {
			var kept error
			write(t, s, func(tx *db.Tx) error {
				kept = tx.InsertDecision(&d)
				if kept != nil && !errors.Is(kept, db.ErrExists) {
					return kept
				}
				_, err := tx.Decisions("u", 1) // the transaction goes on
				return err
			})
			return d, kept
		}
		first, err := insert(in)
		if err != nil {
			t.Fatal(err)
		}
		in.ID = first.ID
		if _, err := insert(in); !errors.Is(err, db.ErrExists) {
			t.Errorf("the same mail again: %v", err)
		}
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.DecisionByKey("k")
			if got != in {
				t.Errorf("DecisionByKey = %+v, want %+v", got, in)
			}
			for _, k := range []string{"", "none", "\x00"} {
				if _, err := tx.DecisionByKey(k); !errors.Is(err, db.ErrNotFound) {
					t.Errorf("DecisionByKey(%q): %v", k, err)
				}
			}
			return err
		})
		var all []int64
		for range 2 { // without a key they may repeat
			d, err := insert(db.Decision{UID: "u", MessageID: "u", Detail: "x\x00\xff"})
			if err != nil || d.At.IsZero() {
				t.Fatal(d, err)
			}
			all = append(all, d.ID)
		}
		test := func(about string, limit int, want ...int64) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				ds, err := tx.Decisions(about, limit)
				var got []int64
				for _, d := range ds {
					got = append(got, d.ID)
				}
				if !slices.Equal(got, want) {
					t.Errorf("Decisions(%q, %d) = %v, want %v", about, limit, got, want)
				}
				return err
			})
		}
		sent := func(principal int64, uid, method string, want time.Time) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				at, err := tx.LastSent(principal, uid, method)
				if !at.Equal(want) {
					t.Errorf("LastSent(%d, %q, %s) = %v, want %v", principal, uid, method, at, want)
				}
				return err
			})
		}
		sent(3, "u", "REPLY", time.Time{}) // it came in
		for at, method := range map[int64]string{7: "REPLY", 8: "COUNTER"} {
			if _, err := insert(db.Decision{At: time.UnixMicro(at).UTC(), Direction: "out", UID: "out", Method: method, Principal: 3}); err != nil {
				t.Fatal(err)
			}
		}
		sent(3, "out", "REPLY", time.UnixMicro(7))
		sent(4, "out", "REPLY", time.Time{})
		test("u", 10, first.ID, all[0], all[1])
		test("u", 2, all...)
		test("<m@x>", 10, first.ID)
		test("", 10)
		test("none", 10)
		long := strings.Repeat("ü", 5000)
		if _, err := insert(db.Decision{UID: long, Detail: long}); err != nil {
			t.Errorf("a long UID: %v", err)
		}
		view(t, s, func(tx *db.Tx) error {
			ds, err := tx.Decisions(long, 10)
			if len(ds) != 1 {
				t.Errorf("Decisions about a long UID: %v", ds)
			}
			return err
		})
	})
}

func TestSweep(t *testing.T) {
	eachWithHand(t, func(t *testing.T, s *db.Store, h *hand) {
		ann, cal, _ := person(t, s, "ann@example.org")
		remove := func(name string) {
			t.Helper()
			o := put(t, s, cal.ID, name, name, name, db.Indexed{})
			if err := bumped(s, cal.ID, func(tx *db.Tx, m int64) error { return tx.DeleteObject(o.ID, m, o.Modseq) }); err != nil {
				t.Fatal(err)
			}
		}
		remove("old")
		oldest := h.now()
		write(t, s, func(tx *db.Tx) error { return tx.InsertDecision(&db.Decision{UID: "old", At: oldest}) })
		write(t, s, func(tx *db.Tx) error { return tx.PutParted(ann.ID, "old", []byte("x")) })
		h.forward(48 * time.Hour)
		remove("new")
		write(t, s, func(tx *db.Tx) error { return tx.InsertDecision(&db.Decision{UID: "new"}) })
		write(t, s, func(tx *db.Tx) error { return tx.PutParted(ann.ID, "new", []byte("x")) })
		sweep := func(keep db.Keep, purged int64, left ...string) {
			t.Helper()
			if err := s.Sweep(ctx, keep); err != nil {
				t.Fatal(err)
			}
			view(t, s, func(tx *db.Tx) error {
				c, err := tx.Collection(cal.ID)
				os, err2 := tx.Changes(cal.ID, 1, 0, 10)
				if c.PurgedModseq != purged || !slices.Equal(names(os), left) {
					t.Errorf("after Sweep(%v) purged %d, %q", keep, c.PurgedModseq, names(os))
				}
				return errors.Join(err, err2)
			})
		}
		sweep(db.Keep{}, 0, "(old)", "(new)")
		sweep(db.Keep{Tombstones: 24 * time.Hour, Decisions: 24 * time.Hour}, 3, "(new)")
		sweep(db.Keep{Tombstones: 24 * time.Hour, Decisions: 24 * time.Hour}, 3, "(new)")
		if n := scalar(t, s, `SELECT count(*) FROM decision`); n != 1 {
			t.Errorf("%d decisions are left", n)
		}
		view(t, s, func(tx *db.Tx) error {
			if _, err := tx.Parted(ann.ID, "old"); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("what was remembered long ago: %v", err)
			}
			_, err := tx.Parted(ann.ID, "new")
			return err
		})
		if n := scalar(t, s, `SELECT count(*) FROM thread WHERE uid = 'old'`); n != 0 {
			t.Error("the lock of a conversation that is gone stayed")
		}
	})
}

// Messages do not lie in inboxes for ever; what is in calendars stays.
func TestSweepInboxes(t *testing.T) {
	eachWithHand(t, func(t *testing.T, s *db.Store, h *hand) {
		_, cal, inbox := person(t, s, "ann@example.org")
		put(t, s, cal.ID, "event", "u1", "body", db.Indexed{})
		put(t, s, inbox.ID, "old", "u1", "message", db.Indexed{})
		h.forward(48 * time.Hour)
		put(t, s, inbox.ID, "new", "u1", "another", db.Indexed{})
		sweep := func(keep time.Duration, want ...string) {
			t.Helper()
			if err := s.Sweep(ctx, db.Keep{Inbox: keep}); err != nil {
				t.Fatal(err)
			}
			view(t, s, func(tx *db.Tx) error {
				os, err := tx.List(inbox.ID, "", 10)
				if !slices.Equal(names(os), want) {
					t.Errorf("in the inbox %q, want %q", names(os), want)
				}
				return err
			})
		}
		sweep(0, "new", "old")
		sweep(24*time.Hour, "new")
		view(t, s, func(tx *db.Tx) error {
			os, err := tx.Changes(inbox.ID, 1, 0, 10)
			if len(os) == 0 || !slices.Contains(names(os), "(old)") {
				t.Errorf("programs hear of %q", names(os))
			}
			_, err2 := tx.Object(cal.ID, "event")
			return errors.Join(err, err2)
		})
		if n := scalar(t, s, `SELECT count(*) FROM body`); n != 2 {
			t.Errorf("%d bodies are left", n)
		}
	})
}
