package db

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a Store; the zero value is right for serving.
type Options struct {
	MaxOpen int           // connections for reading and, on PostgreSQL, for writing; zero: 8
	Timeout time.Duration // of one Write; zero: 30 s
	// Clock replaces the database's clock, on which due times and leases
	// stand; nil in service, a clock in the test's hand otherwise.
	Clock func() time.Time
}

var (
	// ErrNotFound is returned where a row that was asked for does not exist.
	ErrNotFound = errors.New("db: not found")
	// ErrConflict is returned by a write whose row was changed by somebody else
	// since it was loaded (STORAGE 6); Write restarts its closure.
	ErrConflict = errors.New("db: changed meanwhile")
	// ErrExists is returned where a unique name is taken. The transaction can
	// go on.
	ErrExists = errors.New("db: exists already")
	// ErrFull means that the disk or the size limit is reached: 507 or 452.
	ErrFull = errors.New("db: no space left")
	// ErrAway means that the database does not answer: 503 or 451.
	ErrAway = errors.New("db: not reachable")
	// ErrNewer means that the schema was made by a newer release.
	ErrNewer = errors.New("db: the schema is newer than this program")
)

// Store is one database. It is safe for concurrent use.
type Store struct {
	d       *dialect
	opt     Options
	path    string // of SQLite's file
	readers *pool
	write   func(ctx context.Context, fn func(*Tx) error, alone bool) error
	latches latches
	waker   *waker
	clock   clock
	memo    memo    // SQLite
	writer  *writer // SQLite
	writers *pool   // PostgreSQL
	ran     atomic.Int64

	closing sync.Once
}

// Ran is how many statements transactions of this store have run, each try
// counted.
func (s *Store) Ran() int64 { return s.ran.Load() }

// Open connects to "sqlite:PATH" or "postgres://..." and checks that it
// answers. It does not migrate. A PostgreSQL address without sslmode gets
// "prefer".
func Open(ctx context.Context, dsn string, opt Options) (*Store, error) {
	if opt.MaxOpen <= 0 {
		opt.MaxOpen = 8
	}
	if opt.Timeout <= 0 {
		opt.Timeout = 30 * time.Second
	}
	s := &Store{opt: opt}
	s.waker = newWaker()
	var err error
	scheme, rest, _ := strings.Cut(dsn, ":")
	switch scheme {
	case "sqlite":
		err = s.openSQLite(ctx, rest)
	case "postgres", "postgresql":
		err = s.openPostgres(ctx, dsn)
	default:
		return nil, fmt.Errorf("db: %q is neither sqlite:PATH nor postgres://...", scheme+":...")
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close waits for running transactions and closes all connections.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.waker.close()
		s.memo.close()
		if s.readers != nil {
			s.readers.close()
		}
		if s.writers != nil {
			s.writers.close()
		}
		if s.writer != nil {
			s.writer.close()
		}
	})
	return nil
}

// Dialect returns "sqlite" or "postgres".
func (s *Store) Dialect() string { return s.d.name }

// View runs reading statements without a transaction: right for a single one
// (STORAGE 24).
func (s *Store) View(ctx context.Context, fn func(*Tx) error) error {
	c, err := s.readers.get(ctx)
	if err != nil {
		return s.connecting(err)
	}
	tx := &Tx{s: s, ctx: ctx, c: c, pool: s.readers}
	defer func() {
		tx.fail(errTxDone)
		if tx.c != nil {
			tx.pool.put(tx.c)
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.err
}

// Read runs fn in one read-only snapshot.
func (s *Store) Read(ctx context.Context, fn func(*Tx) error) error {
	c, err := s.begin(ctx, s.readers, s.d.beginRead)
	if err != nil {
		return err
	}
	tx := &Tx{s: s, ctx: ctx, c: c}
	defer func() {
		tx.fail(errTxDone)
		if !c.broken && c.command(context.WithoutCancel(ctx), "ROLLBACK") != nil {
			c.broken = true
		}
		s.readers.put(c)
	}()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.err
}

// begin takes a connection and begins a transaction on it.
func (s *Store) begin(ctx context.Context, p *pool, command string) (*conn, error) {
	c, err := p.get(ctx)
	if err != nil {
		return nil, s.connecting(err)
	}
	return s.beginOn(ctx, p, c, command)
}

// beginOn begins a transaction on a connection of a pool, or on a fresh one if
// the server had closed it meanwhile. After an error there is none.
func (s *Store) beginOn(ctx context.Context, p *pool, c *conn, command string) (*conn, error) {
	for {
		err := c.command(ctx, command)
		if err == nil {
			return c, nil
		}
		c.broken = true
		stale := c.used
		p.put(c)
		if !stale || ctx.Err() != nil {
			return nil, failed(s.d.classify(err), err, command)
		}
		if c, err = p.get(ctx); err != nil {
			return nil, s.connecting(err)
		}
	}
}

// connecting sorts out why there is no connection.
func (s *Store) connecting(err error) error {
	if errors.Is(err, ErrAway) || errors.Is(err, errClosed) {
		return err
	}
	return failed(s.d.classify(err), err, "connect")
}

// tries is how often Write runs its closure at most (STORAGE 9).
const tries = 5

// Write runs fn in one transaction and commits it durably if fn returns nil.
// fn is run again from the start after a deadlock, a serialisation failure, a
// busy database or ErrConflict (at most five times), so it must have no outer
// effect. latches are taken in this process, sorted, before BEGIN, so that
// waiters for one conversation or room hold no connection (STORAGE 23); they
// exclude nobody by themselves: LockThreads and LockAgents do.
// The transaction ignores that ctx is cancelled and has its own time limit
// (STORAGE 9). On SQLite transactions that wait for each other share one
// commit (STORAGE 21): what fn sees of them is committed with it or not at all.
func (s *Store) Write(ctx context.Context, latches []string, fn func(*Tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opt.Timeout)
	defer cancel()
	if s.d != sqliteDialect { // SQLite's one writer makes them useless
		release, err := s.latches.take(ctx, latches)
		if err != nil {
			return err
		}
		defer release()
	}
	alone := false
	for try := 1; ; {
		err := s.write(ctx, fn, alone)
		if err == nil {
			return nil
		}
		if errors.Is(err, errBatchLost) { // somebody else's fault: once more, alone
			if alone {
				return failed(away, err, "COMMIT")
			}
			alone = true
			continue
		}
		if errors.Is(err, errHeard) && try < tries {
			try++
			continue // at once: nobody is in the way
		}
		if !again(err) || try == tries || ctx.Err() != nil {
			return err
		}
		pause := time.Duration(1<<try) * 2 * time.Millisecond
		pause += mathrand.N(pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
		try++
	}
}

// again reports whether the closure is worth another run.
func again(err error) bool {
	if errors.Is(err, ErrConflict) {
		return true
	}
	var f *failure
	return errors.As(err, &f) && (f.kind == retry || f.kind == away && f.text != "connect" && f.text != ambiguous)
}

// ambiguous marks a commit of which nobody could be asked whether it happened.
const ambiguous = "COMMIT, without an answer"

// run calls fn and tells what it means for the transaction: its own first
// error before what fn made of it.
func (tx *Tx) run(fn func(*Tx) error) error {
	err := fn(tx)
	if tx.err != nil {
		return tx.err
	}
	return err
}

// Now returns the time of the database's clock, on which due times and leases
// stand. On PostgreSQL it is carried on by this process' monotonic clock and
// compared again every minute.
func (tx *Tx) Now() (time.Time, error) {
	if tx.s.opt.Clock != nil {
		return tx.s.opt.Clock().UTC().Truncate(time.Microsecond), nil
	}
	if tx.s.d == sqliteDialect {
		return time.Now().UTC().Truncate(time.Microsecond), nil
	}
	if at, ok := tx.s.clock.now(); ok {
		return at, nil
	}
	var us int64
	before := time.Now()
	if err := tx.row(`SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`, nil, &us); err != nil {
		return time.Time{}, err
	}
	return tx.s.clock.set(fromMicros(us), before), nil
}

// clock is the database's, read now and then.
type clock struct {
	mu   sync.Mutex
	at   time.Time // of the database
	here time.Time // monotonic
}

func (c *clock) now() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.here.IsZero() || time.Since(c.here) > time.Minute {
		return time.Time{}, false
	}
	return c.at.Add(time.Since(c.here)).Truncate(time.Microsecond), true
}

func (c *clock) set(at, here time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.here = at, here
	return at
}

// stamp is now for columns that only people read: no statement is worth it.
func (tx *Tx) stamp() time.Time {
	if tx.s.opt.Clock != nil {
		return tx.s.opt.Clock().UTC()
	}
	return time.Now().UTC()
}

// Meta returns a value of the installation ("secret", "epoch", ...), nil
// without one.
func (tx *Tx) Meta(name string) ([]byte, error) {
	var v []byte
	err := tx.row(`SELECT value FROM meta WHERE name = $1`, []any{name}, &v)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return v, err
}

// SetMetaOnce stores a value if there is none and returns the one that stands.
func (tx *Tx) SetMetaOnce(name string, value []byte) ([]byte, error) {
	n, err := tx.exec(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, value)
	if err != nil {
		return nil, err
	}
	if n == 1 {
		return value, nil
	}
	return tx.Meta(name)
}

// SetMeta stores a value, whatever stood there.
func (tx *Tx) SetMeta(name string, value []byte) error {
	_, err := tx.exec(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}

// randomText returns 96 random bits as text.
func randomText() string { return rand.Text()[:20] }
