package db_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// A full disk: the write that does not fit is refused whole, others that share
// its commit are not harmed, and the next write tries again (STORAGE 7, 12).
func TestFullSQLite(t *testing.T) {
	s := dbtest.New(t, "sqlite")
	_, cal, _ := person(t, s, "ann@example.org")
	limit := func(more int64) {
		t.Helper()
		pages := scalar(t, s, `SELECT page_count FROM pragma_page_count`)
		write(t, s, func(tx *db.Tx) error {
			_, err := tx.Scalar(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+more))
			return err
		})
	}
	big := bytes.Repeat([]byte("x"), 200<<10) // 50 pages
	store := func(name string, body []byte) error {
		return s.Write(ctx, nil, func(tx *db.Tx) error {
			m, err := tx.BumpCollections(cal.ID)
			if err != nil {
				return err
			}
			err = tx.PutObject(&db.Object{Collection: cal.ID, Name: name, UID: name, Component: "VEVENT", Modseq: m[cal.ID]}, body, slot(1, 2), 0)
			if err != nil {
				// SQLite has rolled back by itself: a statement that still ran
				// would be committed alone.
				if e := tx.SetMeta("half", []byte("written")); e == nil {
					t.Error("a statement ran after the transaction was gone")
				}
			}
			return nil // whatever the closure makes of it
		})
	}
	limit(20)
	for range 3 {
		if err := store("big", big); !errors.Is(err, db.ErrFull) {
			t.Fatalf("a write that does not fit: %v", err)
		}
	}
	view(t, s, func(tx *db.Tx) error {
		c, err := tx.Collection(cal.ID)
		if c.Modseq != 1 {
			t.Errorf("modseq %d", c.Modseq)
		}
		v, err2 := tx.Meta("half")
		if v != nil {
			t.Error("half of a transaction was written")
		}
		return errors.Join(err, err2)
	})
	if err := store("small", []byte("x")); err != nil {
		t.Errorf("a write that fits: %v", err)
	}
	// Many at once, one of them too big: the others are stored.
	limit(20)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if i%8 == 5 {
				if err := store(fmt.Sprint("big", i), big); !errors.Is(err, db.ErrFull) {
					t.Errorf("a write that does not fit: %v", err)
				}
			} else if err := store(fmt.Sprint("n", i), []byte("x")); err != nil {
				t.Errorf("a small one beside it: %v", err)
			}
		})
	}
	all.Wait()
	view(t, s, func(tx *db.Tx) error {
		n, err := tx.CountObjects(cal.ID)
		if n != 15 {
			t.Errorf("%d objects", n)
		}
		return err
	})
	limit(1000)
	if err := store("big", big); err != nil {
		t.Errorf("after room was made: %v", err)
	}
}

func TestSizeLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "convene.db")
	s := dbtest.Open(t, "sqlite:"+path+"?max_page_count=160", db.Options{})
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	err := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.SetMeta("k", make([]byte, 1<<20)) })
	if !errors.Is(err, db.ErrFull) {
		t.Errorf("over the limit: %v", err)
	}
	if s, err := db.Open(ctx, "sqlite:"+path+"?mode=ro", db.Options{}); err == nil {
		s.Close()
		t.Error("an unknown option was taken")
	}
}

// What PostgreSQL says is told apart by its code.
func TestPostgresErrors(t *testing.T) {
	s := dbtest.New(t, "postgres")
	test := func(code string, want error, runs int32) {
		t.Helper()
		var n atomic.Int32
		err := s.Write(ctx, nil, func(tx *db.Tx) error {
			n.Add(1)
			return tx.Run(`DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '` + code + `'; END $$`)
		})
		for _, kind := range []error{db.ErrFull, db.ErrAway} {
			if errors.Is(err, kind) != (want == kind) {
				t.Errorf("%s is %v", code, err)
			}
		}
		if err == nil || n.Load() != runs {
			t.Errorf("%s: %d runs, %v", code, n.Load(), err)
		}
	}
	test("53100", db.ErrFull, 1)
	test("40001", db.ErrAway, 5)
	test("40P01", db.ErrAway, 5)
	test("55P03", db.ErrAway, 5)
	test("57P01", db.ErrAway, 5)
	test("53300", db.ErrAway, 5)
	test("08006", db.ErrAway, 5)
	test("23505", nil, 1)
	test("42601", nil, 1)
	// One lock is waited for no longer than lock_timeout; then it is tried
	// again, and the holder goes.
	held, free := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		write(t, s, func(tx *db.Tx) error {
			err := tx.LockThreads("u")
			close(held)
			<-free
			return err
		})
	})
	<-held
	var n int
	write(t, s, func(tx *db.Tx) error {
		patience := "100ms"
		if n++; n == 2 {
			close(free)
		}
		if n > 1 {
			patience = "20s"
		}
		if err := tx.Run(`SET LOCAL lock_timeout = '` + patience + `'`); err != nil {
			return err
		}
		return tx.LockThreads("u")
	})
	if n < 2 {
		t.Errorf("the lock was waited for in %d runs", n)
	}
	all.Wait()
}

// proxy stands between a store and PostgreSQL and cuts the line at a COMMIT:
// before it is handed on, or after it was answered.
type proxy struct {
	l      net.Listener
	dial   func() (net.Conn, error)
	at     []byte                 // by what a commit is known
	before atomic.Int32           // commits to swallow
	after  atomic.Int32           // commits whose answer to swallow
	crash  atomic.Pointer[func()] // what happens to the server instead of the next commit
	mute   atomic.Bool            // nothing is handed on any more, and nothing closed
}

func newProxy(t *testing.T, dsn string) (p *proxy, through string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	host := u.Host
	p = &proxy{l: l, at: []byte("COMMIT\x00"), dial: func() (net.Conn, error) { return net.Dial("tcp", host) }}
	q := u.Query()
	if dir := q.Get("host"); dir != "" { // a unix socket
		port := q.Get("port")
		if port == "" {
			port = "5432"
		}
		p.dial = func() (net.Conn, error) { return net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port)) }
		q.Del("host")
		q.Del("port")
		u.RawQuery = q.Encode()
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	u.Host = l.Addr().String()
	return p, u.String()
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := p.dial()
	if err != nil {
		return
	}
	defer server.Close()
	crashing := make(chan struct{}, 1)
	go func() {
		io.Copy(client, server)
		select {
		case crashing <- struct{}{}:
			client.Close()
		default: // whoever crashes it closes
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if p.mute.Load() {
			continue
		}
		if bytes.Contains(buf[:n], p.at) {
			if crash := p.crash.Swap(nil); crash != nil {
				crashing <- struct{}{}
				(*crash)()
				return
			}
			if p.before.Load() > 0 {
				p.before.Add(-1)
				return
			}
			if p.after.Load() > 0 {
				p.after.Add(-1)
				client.Close()
				server.Write(buf[:n])
				time.Sleep(50 * time.Millisecond)
				return
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A connection that breaks during COMMIT: the transaction is not repeated if
// it happened, and is if it did not (STORAGE 8).
func TestAmbiguousCommit(t *testing.T) {
	p, dsn := newProxy(t, dbtest.DSN(t, "postgres"))
	s := dbtest.Open(t, dsn, db.Options{})
	test := func(what string, before, after int32, lock bool, runs int) {
		t.Helper()
		n := 0
		p.before.Store(before)
		p.after.Store(after)
		err := s.Write(ctx, nil, func(tx *db.Tx) error {
			n++
			if lock {
				if err := tx.LockThreads("u"); err != nil {
					return err
				}
			}
			return tx.InsertDecision(&db.Decision{UID: what})
		})
		if err != nil || n != runs {
			t.Errorf("%s: %v after %d runs", what, err, n)
		}
		view(t, s, func(tx *db.Tx) error {
			ds, err := tx.Decisions(what, 10)
			if len(ds) != 1 {
				t.Errorf("%s: %d effects", what, len(ds))
			}
			return err
		})
	}
	for _, lock := range []bool{false, true} { // who learns the transaction's number
		test(fmt.Sprint("whole ", lock), 0, 0, lock, 1)
		test(fmt.Sprint("swallowed ", lock), 1, 0, lock, 2)
		test(fmt.Sprint("unanswered ", lock), 0, 1, lock, 1)
	}
}

// A server that is cut off without a word, as by a broken network: requests
// end, and go on when it is back.
func TestServerGoesSilent(t *testing.T) {
	p, dsn := newProxy(t, dbtest.DSN(t, "postgres"))
	s := dbtest.Open(t, dsn, db.Options{Timeout: 2 * time.Second})
	set := func(tx *db.Tx) error { return tx.SetMeta("k", []byte("v")) }
	get := func(tx *db.Tx) error { _, err := tx.Meta("k"); return err }
	change := func() error { return s.Write(ctx, nil, set) }
	question := func() error { return s.View(ctx, get) }
	// On a busy machine what works may take longer than these two seconds.
	works := func(f func() error) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; {
			err := f()
			if err == nil {
				return
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	works(change)
	works(question)
	p.mute.Store(true)
	var all sync.WaitGroup
	for what, f := range map[string]func() error{"a change": change, "a question": question} {
		all.Go(func() {
			if err := f(); !errors.Is(err, db.ErrAway) {
				t.Errorf("%s to a silent server: %v", what, err)
			}
		})
	}
	all.Wait() // or for ever
	p.mute.Store(false)
	works(change)
	works(question)
}

// A server that crashes during COMMIT forgets what had not reached its log, and
// gives the number of that transaction to another: that one's commit says
// nothing of the first.
func TestCrashDuringCommit(t *testing.T) {
	server, dsn := dbtest.Private(t)
	p, through := newProxy(t, dsn)
	s := dbtest.Open(t, through, db.Options{})
	for i := range 3 {
		uid := fmt.Sprint("crash ", i)
		crash := func() {
			server.Stop(syscall.SIGQUIT)
			if err := server.Start(); err != nil {
				t.Error(err)
				return
			}
			others, err := db.Open(t.Context(), dsn, db.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer others.Close()
			for range 10 {
				if err := others.Write(t.Context(), nil, func(tx *db.Tx) error { return tx.InsertDecision(&db.Decision{UID: "another"}) }); err != nil {
					t.Error(err)
				}
			}
		}
		p.crash.Store(&crash)
		said := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.InsertDecision(&db.Decision{UID: uid}) })
		if said != nil && !errors.Is(said, db.ErrAway) {
			t.Error(said)
		}
		view(t, s, func(tx *db.Tx) error {
			ds, err := tx.Decisions(uid, 10)
			if said == nil && len(ds) != 1 || len(ds) > 1 {
				t.Errorf("%v was said, and %d effects are there", said, len(ds))
			}
			return err
		})
	}
}

// The server goes away and comes back: clear errors meanwhile, and no new
// store is needed.
func TestPostgresAway(t *testing.T) {
	server, dsn := dbtest.Private(t)
	s := dbtest.Open(t, dsn, db.Options{MaxOpen: 3})
	_, cal, _ := person(t, s, "ann@example.org")
	heard := s.Listen(t.Context(), "delivery")
	<-heard
	var all sync.WaitGroup
	for range 6 { // several idle connections, which will be stale
		all.Go(func() { view(t, s, func(tx *db.Tx) error { _, err := tx.CountObjects(cal.ID); return err }) })
		all.Go(func() { write(t, s, func(tx *db.Tx) error { return tx.SetMeta("k", []byte("1")) }) })
	}
	all.Wait()
	get := func() error {
		return s.View(ctx, func(tx *db.Tx) error { _, err := tx.Object(cal.ID, "none"); return err })
	}
	snapshot := func() error {
		return s.Read(ctx, func(tx *db.Tx) error { _, err := tx.Object(cal.ID, "none"); return err })
	}
	set := func() error {
		return s.Write(ctx, nil, func(tx *db.Tx) error { return tx.SetMeta("k", []byte("2")) })
	}
	for _, how := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGINT} {
		server.Stop(how)
		began := time.Now()
		for i, f := range []func() error{get, snapshot, set, get, set} {
			if err := f(); !errors.Is(err, db.ErrAway) {
				t.Errorf("while away, %d: %v", i, err)
			}
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("the errors took %v", took)
		}
		if _, err := db.Open(ctx, dsn, db.Options{}); !errors.Is(err, db.ErrAway) {
			t.Errorf("Open while away: %v", err)
		}
		for len(heard) > 0 {
			<-heard
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		for i, f := range []func() error{get, snapshot} {
			if err := f(); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("back again, %d: %v", i, err)
			}
		}
		if err := set(); err != nil {
			t.Errorf("back again: %v", err)
		}
		select { // anything may have happened meanwhile
		case <-heard:
		case <-time.After(time.Minute):
			t.Error("the listener was not told of its reconnection")
		}
	}
	// A server that only drops its sessions is not even noticed.
	for range 4 {
		write(t, s, func(tx *db.Tx) error {
			return tx.Run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		})
		if err := get(); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("after the sessions were dropped: %v", err)
		}
		if err := set(); err != nil {
			t.Errorf("after the sessions were dropped: %v", err)
		}
	}
}

// A second process writes the same file: each waits for the other.
func TestTwoProcessesOneFile(t *testing.T) {
	dsn := dbtest.DSN(t, "sqlite")
	var all sync.WaitGroup
	const each = 40
	for range 3 {
		s := dbtest.Open(t, dsn, db.Options{})
		for range 2 {
			all.Go(func() {
				for range each {
					err := s.Write(ctx, nil, func(tx *db.Tx) error {
						v, err := tx.Meta("n")
						if err != nil {
							return err
						}
						return tx.SetMeta("n", append(v, 'x'))
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	s := dbtest.Open(t, dsn, db.Options{})
	view(t, s, func(tx *db.Tx) error {
		v, err := tx.Meta("n")
		if len(v) != 6*each || strings.Trim(string(v), "x") != "" {
			t.Errorf("%d of %d writes", len(v), 6*each)
		}
		return err
	})
}
