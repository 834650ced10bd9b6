package db

import (
	"context"
	"errors"
	"time"
)

// Options of a Store; the zero value is right for serving.
type Options struct {
	MaxOpen int           // connections for reading and, on PostgreSQL, for writing; zero: 8
	Timeout time.Duration // of one Write; zero: 30 s
}

var (
	// ErrNotFound is returned where a row that was asked for does not exist.
	ErrNotFound = errors.New("db: not found")
	// ErrConflict is returned by a write whose row was changed by somebody else
	// since it was loaded (STORAGE 6); Write restarts its closure.
	ErrConflict = errors.New("db: changed meanwhile")
	// ErrExists is returned where a unique name is taken.
	ErrExists = errors.New("db: exists already")
	// ErrFull means that the disk or the size limit is reached: 507 or 452.
	ErrFull = errors.New("db: no space left")
	// ErrAway means that the database does not answer: 503 or 451.
	ErrAway = errors.New("db: not reachable")
	// ErrNewer means that the schema was made by a newer release.
	ErrNewer = errors.New("db: the schema is newer than this program")
)

// Store is one database. It is safe for concurrent use.
type Store struct{}

// Open connects to "sqlite:PATH" or "postgres://..." and checks that it
// answers. It does not migrate.
func Open(ctx context.Context, dsn string, opt Options) (*Store, error) { panic("db: not built yet") }

// Close waits for running transactions and closes all connections.
func (s *Store) Close() error { panic("db: not built yet") }

// Migrate brings the schema up to date; nodes that start together wait for
// each other. ErrNewer if a newer release was here.
func (s *Store) Migrate(ctx context.Context) error { panic("db: not built yet") }

// Tx runs statements: inside the transaction of Write or the snapshot of
// Read, or one by one in View. After its first error it refuses every further
// statement with that error (STORAGE 7).
type Tx struct{}

// View runs reading statements without a transaction: right for a single one
// (STORAGE 24).
func (s *Store) View(ctx context.Context, fn func(*Tx) error) error { panic("db: not built yet") }

// Read runs fn in one read-only snapshot.
func (s *Store) Read(ctx context.Context, fn func(*Tx) error) error { panic("db: not built yet") }

// Write runs fn in one transaction and commits it durably if fn returns nil.
// fn is run again from the start after a deadlock, a serialisation failure, a
// busy database or ErrConflict (at most five times), so it must have no outer
// effect. latches are taken in this process, sorted, before BEGIN, so that
// waiters for one conversation or room hold no connection (STORAGE 23); they
// exclude nobody by themselves: LockThreads and LockAgents do.
// The transaction ignores that ctx is cancelled and has its own time limit
// (STORAGE 9).
func (s *Store) Write(ctx context.Context, latches []string, fn func(*Tx) error) error {
	panic("db: not built yet")
}

// Now returns the time of the database's clock, on which due times and leases
// stand.
func (tx *Tx) Now() (time.Time, error) { panic("db: not built yet") }

// LockThreads locks conversations until the end of the transaction, in
// bytewise order (STORAGE 1).
func (tx *Tx) LockThreads(uids ...string) error { panic("db: not built yet") }

// LockAgents locks principals whose busy time decides an answer, ascending
// (STORAGE 4); after LockThreads, before any busy time is read.
func (tx *Tx) LockAgents(ids ...int64) error { panic("db: not built yet") }

// BumpCollections locks collections in ascending order, raises each one's
// modseq by one and returns the new values. Once a transaction, before objects
// are written (STORAGE 5).
func (tx *Tx) BumpCollections(ids ...int64) (map[int64]int64, error) { panic("db: not built yet") }

// Meta returns a value of the installation ("secret", "epoch", ...), nil
// without one.
func (tx *Tx) Meta(key string) ([]byte, error) { panic("db: not built yet") }

// SetMetaOnce stores a value if there is none and returns the one that stands.
func (tx *Tx) SetMetaOnce(key string, value []byte) ([]byte, error) { panic("db: not built yet") }

// Wake tells every node's workers that the queue named topic ("delivery",
// "job") has work. It is sent after the commit of the transaction.
func (tx *Tx) Wake(topic string) { panic("db: not built yet") }

// Listen returns a channel that receives when topic may have work: after Wake
// on any node, and after a reconnection. A hint: poll beside it (STORAGE 26).
func (s *Store) Listen(ctx context.Context, topic string) <-chan struct{} {
	panic("db: not built yet")
}
