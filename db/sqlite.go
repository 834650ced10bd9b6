package db

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/convene-server/convene/db/sqlite"
)

// openSQLite opens PATH or PATH?max_page_count=N, which limits the size of the
// file. The file is made for its owner alone. It is opened by SQLite only and
// never again by this process (STORAGE 22): closing any other descriptor of it
// would drop SQLite's locks.
func (s *Store) openSQLite(ctx context.Context, path string) error {
	s.d = sqliteDialect
	writing := []string{"cache_size(-4000)", "journal_size_limit(67108864)"}
	path, option, _ := strings.Cut(path, "?")
	if option != "" {
		n, ok := strings.CutPrefix(option, "max_page_count=")
		pages, err := strconv.ParseUint(n, 10, 31)
		if !ok || err != nil {
			return fmt.Errorf("db: sqlite: the only option is max_page_count=N, not %q", option)
		}
		writing = append(writing, fmt.Sprintf("max_page_count(%d)", pages))
	}
	s.path = path
	if path == "" || strings.Contains(path, ":memory:") {
		return errors.New("db: sqlite: needs the path of a file")
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if err == nil {
			f.Close()
		} else if !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("db: %w", err)
		}
	}
	open := func(pragmas ...string) func(context.Context) (*conn, error) {
		pragmas = append([]string{
			"busy_timeout(5000)", "temp_store(memory)", "journal_mode(wal)", "synchronous(full)", "foreign_keys(on)", "cache_size(-1500)",
		}, pragmas...)
		return func(context.Context) (*conn, error) {
			c, err := sqlite.Open(path, pragmas...)
			if err != nil {
				return nil, err
			}
			return newConn(sqliteSession{c, make(map[string]*sqlite.Stmt)}, s.d), nil
		}
	}
	s.readers = newPool(s.opt.MaxOpen, 0, open("query_only(on)"))
	s.writer = newWriter(open(writing...))
	s.write = s.writeSQLite
	// The writer first: it is the one that may turn the file into WAL mode.
	c, err := s.writer.connection(ctx)
	if err != nil {
		return s.connecting(err)
	}
	if err := c.command(ctx, "SELECT count(*) FROM sqlite_master"); err != nil {
		return err
	}
	s.memo.open(path)
	return nil
}

// writer is SQLite's one writing connection. Whoever holds the turn may use
// it; turns are given in the order of asking. Closures that are waiting when
// one ends join its transaction, each in a savepoint of its own, and are
// answered by one commit (STORAGE 21).
type writer struct {
	open func(context.Context) (*conn, error)

	mu      sync.Mutex
	taken   bool
	waiting []chan struct{}
	closed  bool

	// Of whoever holds the turn.
	c     *conn
	batch *batch
}

// batch is one transaction of one or more closures.
type batch struct {
	n     int
	began time.Time
	done  chan struct{} // closed after err is set
	err   error
}

const (
	batchMost = 32
	batchLong = 10 * time.Millisecond
)

// errBatchLost: the transaction that a closure had joined was undone by what
// another closure, or the commit, met.
var errBatchLost = errors.New("db: the shared transaction was lost")

func newWriter(open func(context.Context) (*conn, error)) *writer { return &writer{open: open} }

func (w *writer) take(ctx context.Context) error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return errClosed
	}
	if !w.taken {
		w.taken = true
		w.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	w.waiting = append(w.waiting, turn)
	w.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	for i, other := range w.waiting {
		if other == turn {
			w.waiting = append(w.waiting[:i], w.waiting[i+1:]...)
			w.mu.Unlock()
			return errors.Join(ErrAway, ctx.Err())
		}
	}
	w.mu.Unlock()
	return nil // it was given meanwhile
}

// pass ends the turn. With an open transaction it succeeds only if somebody
// is waiting to take it over.
func (w *writer) pass() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		if w.batch != nil {
			return false
		}
		w.taken = false
		return true
	}
	close(w.waiting[0])
	w.waiting = w.waiting[1:]
	return true
}

func (w *writer) connection(ctx context.Context) (*conn, error) {
	if w.c != nil && w.c.broken {
		w.c.close()
		w.c = nil
	}
	if w.c == nil {
		c, err := w.open(ctx)
		if err != nil {
			return nil, err
		}
		w.c = c
	}
	return w.c, nil
}

func (w *writer) close() {
	if w.take(context.Background()) != nil {
		return
	}
	if w.c != nil {
		w.c.close()
	}
	w.mu.Lock()
	w.closed = true
	waiting := w.waiting
	w.waiting = nil
	w.mu.Unlock()
	for _, turn := range waiting {
		close(turn) // they find no connection
	}
}

// abandon undoes the open transaction and tells everybody in it.
func (w *writer) abandon(err error) {
	b := w.batch
	w.batch = nil
	// SQLite may have rolled back by itself; then this fails, as it should.
	_ = w.c.command(context.Background(), "ROLLBACK")
	b.err = err
	close(b.done)
}

// commit ends the open transaction and answers everybody in it.
func (w *writer) commit() {
	b := w.batch
	err := w.c.command(context.Background(), "COMMIT")
	if err == nil {
		w.batch = nil
		close(b.done)
		return
	}
	if b.n > 1 {
		w.abandon(errBatchLost)
		return
	}
	w.abandon(failed(w.c.d.classify(err), err, "COMMIT"))
}

func (s *Store) writeSQLite(ctx context.Context, fn func(*Tx) error, alone bool) error {
	w := s.writer
	if err := w.take(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	closed := w.closed
	w.mu.Unlock()
	if closed {
		return errClosed
	}
	if alone && w.batch != nil {
		w.commit()
	}
	c, err := w.connection(ctx)
	if err != nil {
		w.pass()
		return s.connecting(err)
	}
	first := w.batch == nil
	if first {
		if err := c.command(ctx, s.d.beginWrite); err != nil {
			w.pass()
			return failed(s.d.classify(err), err, s.d.beginWrite)
		}
		w.batch = &batch{began: time.Now(), done: make(chan struct{})}
	} else if err := c.command(ctx, "SAVEPOINT closure"); err != nil {
		w.abandon(errBatchLost)
		w.pass()
		return failed(s.d.classify(err), err, "SAVEPOINT")
	}
	b := w.batch
	b.n++
	tx := &Tx{s: s, ctx: ctx, c: c, write: true}
	returned := false
	defer func() {
		if !returned { // fn panicked or ended the goroutine: only its own work is undone
			tx.fail(errTxDone)
			w.undo(first)
			w.hand(false)
		}
	}()
	err = tx.run(fn)
	returned = true
	var f *failure
	dead := tx.err != nil && errors.As(tx.err, &f) // a statement failed: the transaction may be gone already
	tx.fail(errTxDone)
	switch {
	case dead:
		w.abandon(errBatchLost)
		w.pass()
		return err
	case err != nil && first: // nobody has joined it yet
		w.undo(true)
		w.pass()
		return err
	case err != nil:
		w.undo(false)
	case !first:
		if e := c.command(ctx, "RELEASE closure"); e != nil {
			w.abandon(errBatchLost)
			w.pass()
			return failed(s.d.classify(e), e, "RELEASE")
		}
	}
	w.hand(alone)
	// A refusal waits too: what it is founded on may be another closure's work.
	<-b.done
	if b.err != nil {
		return b.err
	}
	if err == nil {
		s.waker.wake(tx.wakes)
	}
	return err
}

// undo takes back the work of one closure.
func (w *writer) undo(first bool) {
	if first {
		w.abandon(errBatchLost)
		return
	}
	if w.c.command(context.Background(), "ROLLBACK TO closure") != nil ||
		w.c.command(context.Background(), "RELEASE closure") != nil {
		w.abandon(errBatchLost)
	}
}

// hand passes the turn on, with the transaction if others wait and it is
// still young and small, else after its commit.
func (w *writer) hand(alone bool) {
	b := w.batch
	if b != nil && !alone && b.n < batchMost && time.Since(b.began) < batchLong && w.pass() {
		return
	}
	if b != nil {
		w.commit()
	}
	w.pass()
}

func classifySQLite(err error) class {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return away
		}
		return other
	}
	switch e.Primary() {
	case 5, 6: // BUSY, LOCKED
		return retry
	case 13: // FULL
		return full
	case 7, 8, 9, 10, 14, 15: // NOMEM, READONLY, INTERRUPT, IOERR, CANTOPEN, PROTOCOL
		return away
	}
	return other
}
