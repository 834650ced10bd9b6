package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// LockThreads locks conversations until the end of the transaction, in
// bytewise order (STORAGE 1). On SQLite there is one writer at a time and
// nothing to lock. Whoever is the first ever to lock one need not ask for what
// is in it: every object in a calendar was written under this lock, whose row
// stays as long as the object or its tombstone.
func (tx *Tx) LockThreads(uids ...string) error {
	if tx.s.d == sqliteDialect {
		return tx.ready()
	}
	uids = slices.Compact(slices.Sorted(slices.Values(uids)))
	for _, uid := range uids {
		if err := needText([]string{uid}); err != nil {
			return err
		}
		var seq int64
		err := tx.row(`INSERT INTO thread (uid, seq) VALUES ($1, 1)
			ON CONFLICT (uid) DO UPDATE SET seq = thread.seq + 1
			RETURNING pg_current_xact_id()::text, seq`, []any{uid}, &tx.xid, &seq)
		if err != nil {
			return err
		}
		if seq == 1 {
			tx.unheard = append(tx.unheard, uid)
		}
	}
	return nil
}

// LockNew is LockThreads of one conversation that probably nobody has used
// before: on PostgreSQL nothing is asked yet, and until another statement runs
// than that of PutOnly it is taken for new. If it is not, the closure of Write is
// run again, and has to lock it by LockThreads then.
func (tx *Tx) LockNew(uid string) error {
	if err := needText([]string{uid}); err != nil {
		return err
	}
	if tx.s.d == sqliteDialect || tx.begun {
		return tx.LockThreads(uid)
	}
	tx.fresh, tx.unheard = uid, []string{uid}
	return tx.ready()
}

// errHeard: what LockNew took for a new conversation is none.
var errHeard = errors.New("db: the conversation is not new")

// LockAgents locks principals whose busy time decides an answer, ascending
// (STORAGE 4); after LockThreads, before any busy time is read. It writes the
// row rather than only locking it: under a wrong isolation level that ends in
// an error instead of a second booking. ErrNotFound if one is gone.
func (tx *Tx) LockAgents(ids ...int64) error {
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		n, err := tx.exec(`UPDATE principal SET busy_seq = busy_seq + 1 WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%w: principal %d", ErrNotFound, id)
		}
	}
	return nil
}

// BumpCollections locks collections in ascending order, raises each one's
// modseq by one and returns the new values. Once a transaction, before objects
// are written (STORAGE 5): whoever holds these rows is the only writer of the
// objects in them. ErrNotFound if one is gone.
func (tx *Tx) BumpCollections(ids ...int64) (map[int64]int64, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	modseqs := make(map[int64]int64, len(ids))
	if len(ids) > 1 && tx.s.d != sqliteDialect {
		// An UPDATE locks in the order of its plan; a SELECT in that of its
		// ORDER BY.
		err := chunks(ids, 1, func(in string, args []any) error {
			return tx.rows(`SELECT id FROM collection WHERE id IN `+in+` ORDER BY id {lock}`, args,
				func(scan func(...any) error) error {
					var id int64
					return scan(&id)
				})
		})
		if err != nil {
			return nil, err
		}
	}
	err := chunks(ids, 1, func(in string, args []any) error {
		return tx.rows(`UPDATE collection SET modseq = modseq + 1 WHERE id IN `+in+` RETURNING id, modseq`, args,
			func(scan func(...any) error) error {
				var id, modseq int64
				err := scan(&id, &modseq)
				modseqs[id] = modseq
				return err
			})
	})
	if err == nil && len(modseqs) < len(ids) {
		err = fmt.Errorf("%w: a collection", ErrNotFound)
	}
	return modseqs, err
}

// latches are locks of this process by name. A thousand requests for one room
// queue here and not on the database's connections.
type latches struct {
	mu   sync.Mutex
	held map[string]*latch
}

type latch struct {
	turn  chan struct{} // holds one token while free
	users int
}

// take takes all names in order and returns what gives them back.
func (l *latches) take(ctx context.Context, names []string) (release func(), err error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	taken := make([]*latch, 0, len(names))
	release = func() {
		for _, t := range taken {
			t.turn <- struct{}{}
		}
		l.forget(names[:len(taken)])
	}
	for _, name := range names {
		t := l.use(name)
		select {
		case <-t.turn:
			taken = append(taken, t)
		case <-ctx.Done():
			l.forget([]string{name})
			release()
			return nil, errors.Join(ErrAway, ctx.Err())
		}
	}
	return release, nil
}

func (l *latches) use(name string) *latch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = make(map[string]*latch)
	}
	t := l.held[name]
	if t == nil {
		t = &latch{turn: make(chan struct{}, 1)}
		t.turn <- struct{}{}
		l.held[name] = t
	}
	t.users++
	return t
}

func (l *latches) forget(names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range names {
		t := l.held[name]
		if t.users--; t.users == 0 {
			delete(l.held, name)
		}
	}
}
