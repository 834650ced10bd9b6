package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Tx runs statements: inside the transaction of Write or the snapshot of
// Read, or one by one in View. After its first error it refuses every further
// statement with that error (STORAGE 7): SQLite rolls back by itself when the
// disk is full, and what came next would be committed alone.
type Tx struct {
	s     *Store
	ctx   context.Context
	c     *conn
	pool  *pool // of View, which may change a stale connection; else nil
	err   error
	n     int    // statements run
	xid   string // PostgreSQL's transaction, once known
	write bool
	begun bool // PostgreSQL: BEGIN is sent with the first statement of a Write
	ended bool // PutOnly has committed
	wakes []string
	// UIDs that nobody has used before (LockThreads).
	unheard []string
	fresh   string   // the one that LockNew takes for such, until a lock is taken
	letters []letter // last used
}

var errTxDone = errors.New("db: the transaction has ended")

// fail remembers the first error.
func (tx *Tx) fail(err error) error {
	if tx.err == nil {
		tx.err = err
	}
	return tx.err
}

// ready is asked before each statement.
func (tx *Tx) ready() error {
	if tx.err != nil {
		return tx.err
	}
	if tx.ended {
		return tx.fail(errTxDone)
	}
	err := tx.ctx.Err()
	// The context's timer may be late on a busy machine.
	if end, limited := tx.ctx.Deadline(); err == nil && limited && time.Now().After(end) {
		err = context.DeadlineExceeded
	}
	if err != nil {
		if tx.write { // its own time limit: nobody else can cancel it
			err = fmt.Errorf("%w: the transaction took too long: %w", ErrAway, err)
		}
		return tx.fail(err)
	}
	return nil
}

// open begins the transaction of a Write on PostgreSQL, where BEGIN is a journey
// that PutOnly spares, on a fresh connection if the server has closed this one
// meanwhile. What LockNew took for granted is found out then.
func (tx *Tx) open() error {
	if err := tx.ready(); err != nil || !tx.write || tx.begun || tx.s.d == sqliteDialect {
		return err
	}
	c, err := tx.s.beginOn(tx.ctx, tx.s.writers, tx.c, tx.s.d.beginWrite)
	if tx.c = c; err != nil {
		return tx.fail(err)
	}
	tx.begun = true
	uid := tx.fresh
	if uid == "" {
		return nil
	}
	tx.fresh, tx.unheard = "", nil
	if err := tx.LockThreads(uid); err != nil {
		return err
	}
	if len(tx.unheard) == 0 { // who has asked for it was told that there is nothing
		return tx.fail(errHeard)
	}
	return nil
}

// do runs one statement by f and sorts out what went wrong. In a View the
// first statement may meet a connection that the server closed long ago.
func (tx *Tx) do(text string, f func(statement) error) error {
	if err := tx.open(); err != nil {
		return err
	}
	return tx.send(text, f)
}

// send is do in a transaction that is open, or for a statement that needs none.
func (tx *Tx) send(text string, f func(statement) error) error {
	if err := tx.ready(); err != nil {
		return err
	}
	for {
		st, err := tx.c.prepared(unwatched, text)
		if err == nil {
			err = f(st)
		}
		tx.n++
		tx.s.ran.Add(1)
		if err == nil {
			return nil
		}
		var e *scanError
		if errors.As(err, &e) {
			return tx.fail(err)
		}
		kind := tx.s.d.classify(err)
		if kind == away {
			tx.c.broken = true
		}
		if kind == away && tx.pool != nil && tx.n == 1 && tx.c.used && tx.ctx.Err() == nil {
			tx.pool.put(tx.c)
			tx.c = nil
			fresh, err := tx.pool.get(tx.ctx)
			if err != nil {
				return tx.fail(tx.s.connecting(err))
			}
			tx.c = fresh
			continue
		}
		if kind == other && strings.Contains(err.Error(), "cached plan") {
			tx.c.broken = true
		}
		return tx.fail(failed(kind, err, text))
	}
}

// failure is an error of the database with what it means for us.
type failure struct {
	kind class
	err  error
	text string
}

func failed(kind class, err error, text string) error { return &failure{kind, err, text} }

func (f *failure) Error() string {
	first, _, _ := strings.Cut(strings.TrimSpace(f.text), "\n")
	if len(first) > 60 {
		first = first[:60] + "..."
	}
	switch f.kind {
	case full:
		return fmt.Sprintf("%v: %v (%s)", ErrFull, f.err, first)
	case away, retry:
		return fmt.Sprintf("%v: %v (%s)", ErrAway, f.err, first)
	}
	return fmt.Sprintf("db: %v (%s)", f.err, first)
}

func (f *failure) Unwrap() []error {
	switch f.kind {
	case full:
		return []error{ErrFull, f.err}
	case away, retry: // given up after the last try: the same to a client
		return []error{ErrAway, f.err}
	}
	return []error{f.err}
}

// scanError is an error of the caller's, not of the statement.
type scanError struct{ err error }

func (e *scanError) Error() string { return e.err.Error() }
func (e *scanError) Unwrap() error { return e.err }

// unwatched is the context of short statements: the driver would start a
// goroutine for each to see whether a context ends. What PostgreSQL itself
// limits is how long they may take (postgresSettings); tx.ctx is asked before
// each.
var unwatched = context.Background()

// exec runs a statement and returns how many rows it changed.
func (tx *Tx) exec(text string, args ...any) (n int64, err error) {
	err = tx.do(text, func(st statement) (err error) {
		n, err = st.exec(unwatched, args)
		return err
	})
	return n, err
}

// row reads the one row of a statement; ErrNotFound, which does not end the
// transaction, if there is none.
func (tx *Tx) row(text string, args []any, dest ...any) error {
	found := false
	err := tx.each(unwatched, text, args, func(scan func(...any) error) error {
		found = true
		return scan(dest...)
	})
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}

// rows calls each for every row of a statement. Outside of a Write a client
// that hangs up ends it.
func (tx *Tx) rows(text string, args []any, each func(scan func(...any) error) error) error {
	if tx.write {
		return tx.each(unwatched, text, args, each)
	}
	return tx.each(tx.ctx, text, args, each)
}

func (tx *Tx) each(ctx context.Context, text string, args []any, each func(scan func(...any) error) error) error {
	return tx.do(text, func(st statement) error {
		return st.query(ctx, args, func(scan func(...any) error) error {
			if err := each(scan); err != nil {
				return &scanError{err}
			}
			return nil
		})
	})
}

// collect reads all rows of a statement into a slice.
func collect[T any](tx *Tx, text string, args []any, fields func(*T) []any) ([]T, error) {
	var all []T
	err := tx.rows(text, args, func(scan func(...any) error) error {
		var v T
		if err := scan(fields(&v)...); err != nil {
			return err
		}
		all = append(all, v)
		return nil
	})
	return all, err
}

// insertMany runs "head VALUES (...), (...) tail" for rows of equal width, in
// statements as large as the dialect likes them (STORAGE 20), of a power of
// two rows each so that few texts are prepared. each is called for every row
// that tail returns.
func (tx *Tx) insertMany(head, tail string, rows [][]any, each func(scan func(...any) error) error) error {
	for len(rows) > 0 {
		n := tx.s.d.rows
		for n > len(rows) {
			n /= 2
		}
		args := rows[0]
		if n > 1 {
			args = slices.Concat(rows[:n]...)
		}
		text := insertion(head, tail, n, len(rows[0]))
		if each == nil {
			if _, err := tx.exec(text, args...); err != nil {
				return err
			}
		} else if err := tx.rows(text, args, each); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// insertion is the text of insertMany for n rows.
func insertion(head, tail string, n, width int) string {
	return insertions.get(inserted{head, tail, n, width}, func(i inserted) string {
		var b strings.Builder
		b.WriteString(i.head + " VALUES ")
		for k := range i.n {
			if k > 0 {
				b.WriteString(", ")
			}
			b.WriteString(list(k*i.width+1, i.width))
		}
		b.WriteString(" " + i.tail)
		return b.String()
	})
}

// list is "($from, $from+1, ...)" with n places.
func list(from, n int) string {
	return lists.get([2]int{from, n}, func(l [2]int) string {
		b := []byte{'('}
		for i := range l[1] {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(b, '$')
			b = strconv.AppendInt(b, int64(l[0]+i), 10)
		}
		return string(append(b, ')'))
	})
}

type inserted struct {
	head, tail string
	n, width   int
}

var (
	insertions wordings[inserted]
	lists      wordings[[2]int]
)

// wordings are the texts of statements and their parts, made once each: there are as
// many as this package has, in powers of two.
type wordings[K comparable] struct {
	mu   sync.RWMutex
	made map[K]string
}

func (t *wordings[K]) get(k K, write func(K) string) string {
	t.mu.RLock()
	text, ok := t.made[k]
	t.mu.RUnlock()
	if ok {
		return text
	}
	text = write(k)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.made == nil {
		t.made = make(map[K]string)
	}
	t.made[k] = text
	return text
}

// most is the longest list that one statement gets.
const most = 256

// chunks calls f for parts of values, each with the text of an IN list that
// begins at place $from and its arguments, padded to a power of two by
// repeating the last one (STORAGE 20).
func chunks[T any](values []T, from int, f func(in string, args []any) error) error {
	for len(values) > 0 {
		n := min(len(values), most)
		size := 1
		for size < n {
			size *= 2
		}
		args := make([]any, size)
		for i := range args {
			args[i] = values[min(i, n-1)]
		}
		if err := f(list(from, size), args); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// ErrText is returned for a text that cannot be a name or an address in the
// database: not UTF-8, with a NUL, or longer than 2,000 octets. Whoever asks
// for such a name finds nothing.
var ErrText = errors.New("db: not a text that can be stored")

// key reports whether s can be indexed. PostgreSQL stores no NUL.
func key(s string) bool {
	return len(s) <= maxKey && text(s)
}

// keys returns those that can be indexed, in order, each once.
func keys(names []string) []string {
	return slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(names))), func(s string) bool { return !key(s) })
}

// likeLiteral makes a text mean itself in LIKE '...' ESCAPE '\'.
func likeLiteral(s string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(s)
}

func text(s string) bool {
	return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s)
}

// needText checks what is about to be stored; the transaction goes on.
func needText(keys []string, texts ...string) error {
	for _, s := range keys {
		if !key(s) {
			return fmt.Errorf("%w: %.40q", ErrText, s)
		}
	}
	for _, s := range texts {
		if !text(s) {
			return fmt.Errorf("%w: %.40q", ErrText, s)
		}
	}
	return nil
}

// some is never nil, which a driver would store as null.
func some(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// orNull is the reverse: nil is stored as null.
func orNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// when scans microseconds into a time, flag a 0 or 1 into a bool.
type when struct{ t *time.Time }

// ScanInteger is Scan of what SQLite has.
func (w when) ScanInteger(us int64) error {
	*w.t = fromMicros(us)
	return nil
}

func (w when) Scan(v any) error {
	us, ok := v.(int64)
	if !ok {
		return fmt.Errorf("db: %T is no time", v)
	}
	*w.t = fromMicros(us)
	return nil
}

type flag struct{ b *bool }

// ScanInteger is Scan of what SQLite has.
func (f flag) ScanInteger(n int64) error {
	*f.b = n != 0
	return nil
}

func (f flag) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("db: %T is no flag", v)
	}
	*f.b = n != 0
	return nil
}
