package db_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// Eight writers read, change and write one object: no change is lost.
func TestNoLostUpdate(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		const writers, each = 8, 15
		_, cal, _ := person(t, s, "ann@example.org")
		put(t, s, cal.ID, "a", "uid", "", db.Indexed{})
		var all sync.WaitGroup
		for range writers {
			all.Go(func() {
				for range each {
					err := s.Write(ctx, []string{"thread uid"}, func(tx *db.Tx) error {
						if err := tx.LockThreads("uid"); err != nil {
							return err
						}
						o, err := tx.Object(cal.ID, "a")
						if err != nil {
							return err
						}
						m, err := tx.BumpCollections(cal.ID)
						if err != nil {
							return err
						}
						expected := o.Modseq
						o.Modseq = m[cal.ID]
						return tx.PutObject(&o, append(o.Body, 'x'), slot(1, 2), expected)
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		o := loadObject(t, s, cal.ID, "a")
		if len(o.Body) != writers*each || o.Modseq != 2+writers*each {
			t.Errorf("%d of %d changes, modseq %d", len(o.Body), writers*each, o.Modseq)
		}
	})
}

// Of many requests for one slot of a room exactly one sees it free. Each comes
// in a conversation of its own: only the room's lock is common.
func TestOneSlotOneBooking(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		room, cal, _ := person(t, s, "room@example.org")
		for round := range int64(5) {
			var accepted atomic.Int32
			var all sync.WaitGroup
			for i := range 12 {
				all.Go(func() {
					uid := fmt.Sprintf("r%d-%d", round, i)
					free := false
					err := s.Write(ctx, nil, func(tx *db.Tx) error {
						if err := tx.LockThreads(uid); err != nil {
							return err
						}
						if err := tx.LockAgents(room.ID, room.ID); err != nil {
							return err
						}
						rows, err := tx.BusyRows([]int64{room.ID}, round*100, round*100+100, "")
						if err != nil {
							return err
						}
						if free = len(rows) == 0; !free {
							return nil
						}
						m, err := tx.BumpCollections(cal.ID)
						if err != nil {
							return err
						}
						return tx.PutObject(&db.Object{Collection: cal.ID, Name: uid, UID: uid, Component: "VEVENT", Modseq: m[cal.ID]},
							[]byte(uid), slot(round*100, round*100+100), 0)
					})
					if err != nil {
						t.Error(err)
					}
					if free {
						accepted.Add(1)
					}
				})
			}
			all.Wait()
			if n := accepted.Load(); n != 1 {
				t.Fatalf("%d requests were accepted", n)
			}
		}
		err := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.LockAgents(99999) })
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("LockAgents of nobody: %v", err)
		}
		err = s.Write(ctx, nil, func(tx *db.Tx) error { _, err := tx.BumpCollections(cal.ID, 99999); return err })
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("BumpCollections of none: %v", err)
		}
	})
}

// A client that follows sync tokens while others write sees every change: what
// it holds in the end is what is there.
func TestSyncMissesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		const writers, each = 4, 40
		_, cal, _ := person(t, s, "ann@example.org")
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for i := range each {
					name := fmt.Sprintf("w%d-%d", w, i%7)
					err := s.Write(ctx, nil, func(tx *db.Tx) error {
						uid := name
						if err := tx.LockThreads(uid); err != nil {
							return err
						}
						o, err := tx.Object(cal.ID, name)
						if errors.Is(err, db.ErrNotFound) {
							o = db.Object{Collection: cal.ID, Name: name, UID: uid, Component: "VEVENT"}
						} else if err != nil {
							return err
						}
						m, err := tx.BumpCollections(cal.ID)
						if err != nil {
							return err
						}
						if o.ID != 0 && i%5 == 4 {
							return tx.DeleteObject(o.ID, m[cal.ID], o.Modseq)
						}
						expected := o.Modseq
						o.Modseq = m[cal.ID]
						return tx.PutObject(&o, fmt.Appendf(nil, "%d", i), db.Indexed{}, expected)
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { all.Wait(); close(done) }()
		held := make(map[string]string)
		modseq, id := int64(1), int64(0)
		for last := false; ; {
			select {
			case <-done:
				last = true
			default:
			}
			var page []db.Object
			err := s.Read(ctx, func(tx *db.Tx) error { // the modseq before the rows (STORAGE 11)
				c, err := tx.Collection(cal.ID)
				if err != nil {
					return err
				}
				page, err = tx.Changes(cal.ID, modseq, id, 3)
				if len(page) == 0 && err == nil {
					modseq, id = c.Modseq, 1<<62
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page {
				if o.Deleted {
					delete(held, o.Name)
				} else {
					held[o.Name] = o.ETag
				}
				modseq, id = o.Modseq, o.ID
			}
			if last && len(page) == 0 {
				break
			}
		}
		view(t, s, func(tx *db.Tx) error {
			os, err := tx.List(cal.ID, "", 1000)
			if len(os) != len(held) {
				t.Errorf("%d objects, the client holds %d", len(os), len(held))
			}
			for _, o := range os {
				if held[o.Name] != o.ETag {
					t.Errorf("%s: the client holds %q, there is %q", o.Name, held[o.Name], o.ETag)
				}
			}
			return err
		})
	})
}

// Writers of several conversations, rooms and collections at once: in the
// order of locks no deadlock ever happens, so none is retried.
func TestNoDeadlock(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		const n = 6
		var ps, cals []int64
		for i := range n {
			p, cal, _ := person(t, s, fmt.Sprintf("p%d@example.org", i))
			ps, cals = append(ps, p.ID), append(cals, cal.ID)
		}
		before := deadlocks(t, s)
		var runs, writes atomic.Int64
		var all sync.WaitGroup
		for w := range 8 {
			all.Go(func() {
				for i := range 12 {
					a, b, c := (w+i)%n, (w*3+i*5)%n, (w*5+i*7+1)%n
					writes.Add(1)
					err := s.Write(ctx, nil, func(tx *db.Tx) error {
						runs.Add(1)
						if err := tx.LockThreads(fmt.Sprint(c), fmt.Sprint(a), fmt.Sprint(b)); err != nil {
							return err
						}
						if err := tx.LockAgents(ps[b], ps[a]); err != nil {
							return err
						}
						m, err := tx.BumpCollections(cals[c], cals[a], cals[b])
						if err != nil {
							return err
						}
						for _, at := range []int{c, b, a} {
							name := fmt.Sprintf("%d-%d", w, i)
							o, err := tx.Object(cals[at], name)
							if errors.Is(err, db.ErrNotFound) {
								o = db.Object{Collection: cals[at], Name: name, UID: fmt.Sprint(at), Component: "VEVENT"}
							} else if err != nil {
								return err
							}
							expected := o.Modseq
							o.Modseq = m[cals[at]]
							if err := tx.PutObject(&o, fmt.Appendf(nil, "%d", i), slot(1, 2), expected); err != nil {
								return err
							}
						}
						if err := tx.InsertDelivery(&db.Delivery{UID: fmt.Sprint(a), Rcpt: "r", Method: "REQUEST"}); err != nil {
							return err
						}
						return tx.InsertJob(&db.Job{Kind: "k", UID: fmt.Sprint(b)})
					})
					if err != nil {
						t.Error(err)
					}
					if i%4 == 0 {
						for _, d := range claim(t, s, 4, time.Minute) {
							write(t, s, func(tx *db.Tx) error { _, err := tx.FinishDelivery(d.ID, d.Token); return err })
						}
					}
				}
			})
		}
		all.Wait()
		if got := deadlocks(t, s) - before; got != 0 {
			t.Errorf("%d deadlocks", got)
		}
		if runs.Load() != writes.Load() {
			t.Errorf("%d runs of %d closures", runs.Load(), writes.Load())
		}
	})
}

func deadlocks(t testing.TB, s *db.Store) int64 {
	t.Helper()
	if s.Dialect() != "postgres" {
		return 0
	}
	return scalar(t, s, `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`)
}

// Inside a Write only its own connection is used.
func TestOneConnection(t *testing.T) {
	dbtest.EachWith(t, db.Options{MaxOpen: 1, Timeout: 20 * time.Second}, func(t *testing.T, s *db.Store) {
		_, cal, _ := person(t, s, "ann@example.org")
		write(t, s, func(tx *db.Tx) error {
			if err := tx.LockThreads("u"); err != nil {
				return err
			}
			if _, err := tx.Now(); err != nil {
				return err
			}
			m, err := tx.BumpCollections(cal.ID)
			if err != nil {
				return err
			}
			return tx.PutObject(&db.Object{Collection: cal.ID, Name: "a", UID: "u", Modseq: m[cal.ID]}, []byte("x"), slot(1, 2), 0)
		})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				view(t, s, func(tx *db.Tx) error { _, err := tx.Object(cal.ID, "a"); return err })
				if err := s.Read(ctx, func(tx *db.Tx) error { _, err := tx.Object(cal.ID, "a"); return err }); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

func TestRefusalsAndFailures(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		_, cal, _ := person(t, s, "ann@example.org")
		mine := errors.New("a refusal")
		runs := 0
		err := s.Write(ctx, nil, func(tx *db.Tx) error {
			runs++
			if err := tx.SetMeta("k", []byte("v")); err != nil {
				return err
			}
			return mine
		})
		if err != mine || runs != 1 {
			t.Errorf("a refusal became %v after %d runs", err, runs)
		}
		// A statement that fails ends the transaction, whatever the closure does.
		var first error
		err = s.Write(ctx, nil, func(tx *db.Tx) error {
			if err := tx.SetMeta("k", []byte("v")); err != nil {
				return err
			}
			first = tx.Run(`INSERT INTO nowhere VALUES (1)`)
			if err := tx.SetMeta("k2", []byte("v")); err != first {
				t.Errorf("the next statement: %v", err)
			}
			return nil
		})
		if first == nil || err != first {
			t.Errorf("a swallowed failure became %v", err)
		}
		// So does a panic, which goes on to whoever called.
		func() {
			defer func() {
				if r := recover(); r != "mine" {
					t.Errorf("recovered %v", r)
				}
			}()
			s.Write(ctx, nil, func(tx *db.Tx) error {
				if err := tx.SetMeta("k", []byte("v")); err != nil {
					return err
				}
				panic("mine")
			})
		}()
		// And a goroutine that ends, as a failing test does.
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.Write(ctx, nil, func(tx *db.Tx) error {
				if err := tx.SetMeta("k", []byte("v")); err != nil {
					return err
				}
				runtime.Goexit()
				return nil
			})
		}()
		<-ended
		view(t, s, func(tx *db.Tx) error {
			v, err := tx.Meta("k")
			if v != nil {
				t.Errorf("half a transaction stayed: %q", v)
			}
			return err
		})
		// A transaction that has ended is not used again.
		var old *db.Tx
		write(t, s, func(tx *db.Tx) error { old = tx; return nil })
		if _, err := old.Meta("k"); err == nil {
			t.Error("a statement after the end")
		}
		view(t, s, func(tx *db.Tx) error { old = tx; return nil })
		if _, err := old.Meta("k"); err == nil {
			t.Error("a statement after the end of a View")
		}
		// Reading cannot write.
		for what, f := range map[string]func(context.Context, func(*db.Tx) error) error{"View": s.View, "Read": s.Read} {
			if err := f(ctx, func(tx *db.Tx) error { return tx.SetMeta("k", []byte("v")) }); err == nil {
				t.Errorf("%s could write", what)
			}
		}
		// Whoever hangs up aborts no commit (STORAGE 9), but his reads.
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.Write(gone, nil, func(tx *db.Tx) error { return tx.SetMeta("k", []byte("v")) }); err != nil {
			t.Errorf("Write under a cancelled context: %v", err)
		}
		if err := s.View(gone, func(tx *db.Tx) error { _, err := tx.Object(cal.ID, "a"); return err }); !errors.Is(err, context.Canceled) {
			t.Errorf("View under a cancelled context: %v", err)
		}
		write(t, s, func(tx *db.Tx) error { return nil })
	})
}

func TestWriteTimeout(t *testing.T) {
	dbtest.EachWith(t, db.Options{Timeout: time.Second}, func(t *testing.T, s *db.Store) {
		err := s.Write(ctx, nil, func(tx *db.Tx) error {
			time.Sleep(1100 * time.Millisecond)
			return tx.SetMeta("k", []byte("v"))
		})
		if !errors.Is(err, db.ErrAway) {
			t.Errorf("a closure that takes too long: %v", err)
		}
		write(t, s, func(tx *db.Tx) error { return tx.SetMeta("k2", []byte("v")) })
	})
}

// A snapshot stands still.
func TestReadIsOneSnapshot(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		write(t, s, func(tx *db.Tx) error { return tx.SetMeta("k", []byte("1")) })
		err := s.Read(ctx, func(tx *db.Tx) error {
			for range 2 {
				v, err := tx.Meta("k")
				if err != nil || string(v) != "1" {
					t.Errorf("Meta = %q, %v", v, err)
				}
				write(t, s, func(tx *db.Tx) error { return tx.SetMeta("k", []byte("2")) })
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Latches queue in this process before a connection is taken (STORAGE 23).
func TestLatches(t *testing.T) {
	dbtest.EachWith(t, db.Options{MaxOpen: 2}, func(t *testing.T, s *db.Store) {
		var inside atomic.Int32
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				names := []string{"b", "a", "a"}
				if i%2 == 0 {
					names = []string{"a", "c", "b"}
				}
				err := s.Write(ctx, names, func(tx *db.Tx) error {
					if inside.Add(1) > 1 {
						t.Error("two inside one latch")
					}
					defer inside.Add(-1)
					return tx.SetMeta("k", []byte("v"))
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

func TestWake(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		listening, cancel := context.WithCancel(ctx)
		ch := s.Listen(listening, "delivery")
		other := s.Listen(listening, "job")
		hear := func(what string) {
			t.Helper()
			select {
			case <-ch:
			case <-time.After(time.Minute):
				t.Fatalf("%s: nothing was heard", what)
			}
		}
		if s.Dialect() == "postgres" {
			hear("the first connection") // anything may have happened before
		}
		s.Listen(listening, "a third") // after all that the connection told
		for len(ch) > 0 {
			<-ch
		}
		for len(other) > 0 {
			<-other
		}
		err := s.Write(ctx, nil, func(tx *db.Tx) error { tx.Wake("delivery"); return errors.New("no") })
		if err == nil || len(ch) > 0 {
			t.Error("woken by what did not happen")
		}
		write(t, s, func(tx *db.Tx) error { tx.Wake("delivery"); tx.Wake("delivery"); return nil })
		hear("the same node")
		if len(other) > 0 {
			t.Error("another topic was woken")
		}
		cancel()
		for range ch { // closed with its context
		}
	})
}

func TestWakeAcrossNodes(t *testing.T) {
	dsn := dbtest.DSN(t, "postgres")
	a, b := dbtest.Open(t, dsn, db.Options{}), dbtest.Open(t, dsn, db.Options{})
	ch := b.Listen(t.Context(), "delivery")
	<-ch // connected, and soon listening: what comes before that is lost
	for end := time.Now().Add(time.Minute); ; {
		write(t, a, func(tx *db.Tx) error { tx.Wake("delivery"); return nil })
		select {
		case <-ch:
			return
		case <-time.After(200 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatal("the other node heard nothing")
		}
	}
}

func TestOpenErrors(t *testing.T) {
	test := func(dsn string, want error, word string) {
		t.Helper()
		s, err := db.Open(ctx, dsn, db.Options{})
		if err == nil {
			s.Close()
		}
		if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%q): %v", dsn, err)
		}
	}
	test("mysql://x", nil, "neither")
	test("", nil, "neither")
	test("sqlite:", nil, "path")
	test("sqlite::memory:", nil, "file")
	test("sqlite:"+t.TempDir()+"/none/convene.db", nil, "none")
	test("postgres://u:secret@127.0.0.1:1/x", db.ErrAway, "refused")
	test("postgres://u:secret@[::1", nil, "URL")
}
