package db

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/convene-server/convene/db/sqlite"
)

// session is a connection of one of the two databases.
type session interface {
	prepare(ctx context.Context, text string) (statement, error)
	command(ctx context.Context, text string) error // not prepared; may be a script
	close()
}

type statement interface {
	exec(ctx context.Context, args []any) (changed int64, err error)
	query(ctx context.Context, args []any, each func(scan func(...any) error) error) error
	close()
}

// conn is one connection with its prepared statements. It bypasses
// database/sql's own pool, which prepares a statement of a transaction on
// another connection first: inside a Write only its connection is used
// (STORAGE 23).
type conn struct {
	c      session
	d      *dialect
	stmts  map[string]statement
	born   time.Time
	used   bool // has answered before: an error may only mean that it is stale
	broken bool
	life   string // of the server, to know a crash by (serverLife)
	pid    int64  // of its process for this connection
}

func newConn(c session, d *dialect) *conn {
	return &conn{c: c, d: d, stmts: make(map[string]statement), born: time.Now()}
}

// prepared returns the statement, prepared once a connection. The texts come
// from this package, with lists padded to powers of two, so they are few.
func (c *conn) prepared(ctx context.Context, text string) (statement, error) {
	if st, ok := c.stmts[text]; ok {
		return st, nil
	}
	st, err := c.c.prepare(ctx, c.d.words.Replace(text))
	if err != nil {
		return nil, err
	}
	c.stmts[text] = st
	return st, nil
}

// command runs a statement that is not worth preparing (BEGIN, PRAGMA).
func (c *conn) command(ctx context.Context, text string) error {
	err := c.c.command(ctx, text)
	if err != nil && c.d.classify(err) == away {
		c.broken = true
	}
	return err
}

func (c *conn) close() {
	for _, st := range c.stmts {
		st.close()
	}
	c.c.close()
}

// sqliteSession is a connection by SQLite's own interface. Its statements are
// short and local: no context is watched.
type sqliteSession struct {
	c      *sqlite.Conn
	common map[string]*sqlite.Stmt // begin and end of transactions
}

func (s sqliteSession) prepare(_ context.Context, text string) (statement, error) {
	st, err := s.c.Prepare(text)
	if err != nil {
		return nil, err
	}
	return sqliteStatement{st}, nil
}

// transactional are the commands that every transaction needs.
var transactional = map[string]bool{
	"BEGIN": true, "BEGIN IMMEDIATE": true, "COMMIT": true, "ROLLBACK": true,
	"SAVEPOINT closure": true, "RELEASE closure": true, "ROLLBACK TO closure": true,
}

func (s sqliteSession) command(_ context.Context, text string) (err error) {
	if !transactional[text] {
		return s.c.Exec(text)
	}
	st := s.common[text]
	if st == nil {
		if st, err = s.c.Prepare(text); err != nil {
			return err
		}
		s.common[text] = st
	}
	_, err = st.Exec()
	return err
}

func (s sqliteSession) close() {
	for _, st := range s.common {
		st.Close()
	}
	s.c.Close()
}

type sqliteStatement struct{ st *sqlite.Stmt }

func (s sqliteStatement) exec(_ context.Context, args []any) (int64, error) {
	return s.st.Exec(args...)
}

func (s sqliteStatement) query(_ context.Context, args []any, each func(scan func(...any) error) error) error {
	return s.st.Query(args, each)
}

func (s sqliteStatement) close() { s.st.Close() }

// pool keeps connections of one role. The most recently used one is taken
// first, so that its statements and pages are warm.
type pool struct {
	open   func(context.Context) (*conn, error)
	maxAge time.Duration // zero: for ever
	free   chan struct{} // one token for each connection that may be open

	mu     sync.Mutex
	idle   []*conn
	since  time.Time // connections born before are suspect: one of them broke
	closed bool
	done   chan struct{}
}

func newPool(n int, maxAge time.Duration, open func(context.Context) (*conn, error)) *pool {
	p := &pool{open: open, maxAge: maxAge, free: make(chan struct{}, n), done: make(chan struct{})}
	for range n {
		p.free <- struct{}{}
	}
	return p
}

var errClosed = errors.New("db: store is closed")

func (p *pool) get(ctx context.Context) (*conn, error) {
	select {
	case <-p.free:
	default:
		select {
		case <-p.free:
		case <-p.done:
			return nil, errClosed
		case <-ctx.Done():
			return nil, errors.Join(ErrAway, ctx.Err())
		}
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		p.free <- struct{}{}
		return nil, errClosed
	}
	for n := len(p.idle); n > 0; n = len(p.idle) {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		if p.maxAge > 0 && time.Since(c.born) > p.maxAge {
			c.close()
			continue
		}
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	c, err := p.open(ctx)
	if err != nil {
		p.free <- struct{}{}
		return nil, err
	}
	return c, nil
}

// put gives a connection back. A broken one takes the idle ones with it: a
// server that ended one session has usually ended all.
func (p *pool) put(c *conn) {
	c.used = true
	p.mu.Lock()
	if c.broken || p.closed || c.born.Before(p.since) {
		if c.broken {
			p.since = time.Now()
			for _, i := range p.idle {
				i.close()
			}
			p.idle = p.idle[:0]
		}
		p.mu.Unlock()
		c.close()
	} else {
		p.idle = append(p.idle, c)
		p.mu.Unlock()
	}
	p.free <- struct{}{}
}

// close waits for all connections to come back and closes them.
func (p *pool) close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	for _, c := range p.idle {
		c.close()
	}
	p.idle = nil
	close(p.done)
	p.mu.Unlock()
	for range cap(p.free) {
		<-p.free
	}
}
