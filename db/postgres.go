package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/lib/pq"
)

// settings of every session. The deadlock time-out and a lock time-out bound
// the wait for a row, the third ends transactions of a node that froze.
var postgresSettings = map[string]string{
	"application_name":                    "convene",
	"synchronous_commit":                  "on", // STORAGE 12
	"lock_timeout":                        "5s",
	"idle_in_transaction_session_timeout": "30s",
	"statement_timeout":                   "30s",
	"default_transaction_isolation":       "read committed",
	"TimeZone":                            "UTC",
}

func (s *Store) openPostgres(ctx context.Context, dsn string) error {
	s.d = postgresDialect
	u, err := url.Parse(dsn)
	if err != nil {
		return errors.New("db: the address of the database is no URL") // err would show a password
	}
	q := u.Query()
	if !q.Has("sslmode") && os.Getenv("PGSSLMODE") == "" {
		q.Set("sslmode", "prefer")
	}
	if !q.Has("connect_timeout") {
		q.Set("connect_timeout", "5")
	}
	for name, value := range postgresSettings {
		if !q.Has(name) || name == "synchronous_commit" || name == "default_transaction_isolation" {
			q.Set(name, value)
		}
	}
	u.RawQuery = q.Encode()
	writing, err := pq.NewConnector(u.String())
	if err != nil {
		return fmt.Errorf("db: %w", err)
	}
	q.Set("default_transaction_read_only", "on")
	u.RawQuery = q.Encode()
	reading, err := pq.NewConnector(u.String())
	if err != nil {
		return fmt.Errorf("db: %w", err)
	}
	// What PostgreSQL bounds itself, by statement_timeout, it bounds first.
	bounded := &boundedDialer{limit: s.opt.Timeout * 5 / 4}
	writing.Dialer(bounded)
	reading.Dialer(bounded)
	s.readers = newPool(s.opt.MaxOpen, 30*time.Minute, s.opener(reading))
	s.writers = newPool(s.opt.MaxOpen, 30*time.Minute, s.opener(writing))
	s.write = s.writePostgres
	q.Del("default_transaction_read_only")
	u.RawQuery = q.Encode()
	s.waker.openPostgres(s, u.String())
	return s.View(ctx, func(tx *Tx) error {
		var one int
		return tx.row(`SELECT 1`, nil, &one)
	})
}

// opener makes connections.
func (s *Store) opener(by driver.Connector) func(context.Context) (*conn, error) {
	return func(ctx context.Context) (*conn, error) {
		c, err := openPQ(ctx, by)
		if err != nil {
			return nil, err
		}
		fresh := newConn(c, s.d)
		st, err := fresh.prepared(ctx, `SELECT (`+serverLife+`), pg_backend_pid()`)
		if err == nil {
			err = st.query(ctx, nil, func(scan func(...any) error) error { return scan(&fresh.life, &fresh.pid) })
		}
		if err != nil {
			fresh.close()
			return nil, err
		}
		return fresh, nil
	}
}

// serverLife names the time between two crashes of the server: statistics begin
// anew with each, and no connection outlives one.
const serverLife = `SELECT COALESCE((SELECT stats_reset::text FROM pg_stat_bgwriter), '')`

func (s *Store) writePostgres(ctx context.Context, fn func(*Tx) error, _ bool) error {
	c, err := s.writers.get(ctx)
	if err != nil {
		return s.connecting(err)
	}
	tx := &Tx{s: s, ctx: ctx, c: c, write: true}
	open := true
	defer func() { // also when fn panics or ends the goroutine
		tx.fail(errTxDone)
		if tx.c == nil {
			return
		}
		if open && tx.begun && !tx.c.broken && tx.c.command(context.Background(), "ROLLBACK") != nil {
			tx.c.broken = true
		}
		s.writers.put(tx.c)
	}()
	if err := tx.run(fn); err != nil {
		return err
	}
	if !tx.begun { // nothing was to be done, or PutOnly has done it
		s.waker.wake(tx.wakes)
		return nil
	}
	if err := tx.knowXID(); err != nil {
		return err
	}
	open, c = false, tx.c
	if err := c.command(ctx, "COMMIT"); err != nil {
		c.broken = true
		if kind := s.d.classify(err); kind != away && kind != other {
			return failed(kind, err, "COMMIT")
		}
		if err := s.committed(ctx, tx.xid, c.life, err); err != nil {
			return err
		}
	}
	s.waker.wake(tx.wakes)
	return nil
}

// knowXID remembers which transaction this is, for the case that the
// connection breaks during COMMIT (STORAGE 8). LockThreads learns it on its
// way.
func (tx *Tx) knowXID() error {
	if tx.xid != "" {
		return nil
	}
	var xid sql.NullString
	err := tx.row(`SELECT pg_current_xact_id_if_assigned()::text`, nil, &xid)
	tx.xid = xid.String
	return err
}

// committed finds out, over a fresh connection, what became of a commit that
// got no answer: nil if it happened. If it did not, the closure may run again.
// If nobody can be asked, the outcome is unknown and the caller's client has
// to ask again. So it is if the server has crashed since the connection was
// opened: it gives the number of a transaction that had not reached its log to
// another one, which may have committed. That a number aborted holds of both.
func (s *Store) committed(ctx context.Context, xid, before string, cause error) error {
	if xid == "" { // it wrote nothing
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		var status sql.NullString
		var now string
		err := s.View(ctx, func(tx *Tx) error {
			return tx.row(`SELECT pg_xact_status($1::text::xid8), (`+serverLife+`)`, []any{xid}, &status, &now)
		})
		switch {
		case err == nil && status.String == "committed" && now == before:
			return nil
		case err == nil && status.String == "committed":
			return failed(away, cause, ambiguous)
		case err == nil && status.String == "aborted":
			return failed(retry, cause, "COMMIT")
		case err == nil && !status.Valid, err != nil && !errors.Is(err, ErrAway):
			return failed(away, cause, ambiguous) // too old, or of another history
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return failed(away, cause, ambiguous)
		}
	}
}

// unanswered reports whether an error leaves open what a statement has done: the
// connection broke, and the server did not say that it failed.
func (tx *Tx) unanswered(err error) bool {
	var said *pq.Error
	return errors.Is(err, ErrAway) && !errors.As(err, &said)
}

// stands finds out, over another connection, whether an object is stored as
// PutOnly was about to when its own connection broke: its entity tag and the
// moment of its writing are there. It waits until the server has ended that
// connection; before, it may still come to be.
func (tx *Tx) stands(o *Object) (there bool, err error) {
	tx.c.close()
	ctx, cancel := context.WithTimeout(tx.ctx, 10*time.Second)
	defer cancel()
	for {
		var ends int64
		err := tx.s.View(ctx, func(look *Tx) error {
			if err := look.row(`SELECT count(*) FROM pg_stat_activity WHERE pid = $1`, []any{tx.c.pid}, &ends); err != nil {
				return err
			}
			err := look.row(`SELECT id, body, modseq FROM object WHERE collection = $1 AND name = $2 AND etag = $3 AND modified = $4 AND deleted = 0`,
				[]any{o.Collection, o.Name, o.ETag, micros(o.Modified)}, &o.ID, &o.body, &o.Modseq)
			if there = err == nil; errors.Is(err, ErrNotFound) {
				return nil
			}
			return err
		})
		if there || err == nil && ends == 0 || err != nil && !errors.Is(err, ErrAway) {
			return there, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

func classifyPostgres(err error) class {
	var e *pq.Error
	if errors.As(err, &e) {
		switch e.Code {
		case "40001", "40P01", "55P03", "0A000":
			return retry
		case "53100":
			return full
		case "57P01", "57P02", "57P03", "53300", "25006", "25P03", "57014":
			return away
		}
		switch e.Code.Class() {
		case "08", "53", "58":
			return away
		}
		return other
	}
	var n net.Error
	var op *net.OpError
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &n) || errors.As(err, &op) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, sql.ErrConnDone) || errors.Is(err, os.ErrNotExist) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return away
	}
	return other
}
