package db

import (
	"context"
	"errors"
	"sync"

	"github.com/convene-server/convene/db/sqlite"
)

// memo remembers what was found for polls and GETs while SQLite's file is as
// it was then, which is seen in memory that SQLite shares among all who have
// the file open: no statement is run and no lock taken for what programs ask
// again and again while nothing happens. It holds no truth: the first commit,
// of whichever process, ends it.
type memo struct {
	mu    sync.Mutex
	watch *sqlite.Watch // nil: not open, or no longer
	state sqlite.State  // under which all that follows was found
	found map[asked]answered
	size  int // octets, about
}

// asked is a question of ObjectAt or CollectionAt.
type asked struct {
	owner            int64
	home             string
	collection, name string
	object           bool
}

// answered is what they return. An error is ErrNotFound.
type answered struct {
	object     Object
	collection Collection
	kind       CollectionKind
	version    int64
	err        error
}

const (
	memoMost = 2 << 20 // octets
	memoBody = 8 << 10 // octets of the longest body that is kept
)

// open begins to remember; where that cannot be, everything is asked for anew.
func (m *memo) open(path string) {
	if w, err := sqlite.OpenWatch(path); err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.watch = w
	}
}

func (m *memo) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watch != nil {
		m.watch.Close()
		m.watch = nil
	}
}

// look returns what is remembered. Without that, whatever is found out from
// now on may be kept under the state that it returns, if known.
func (m *memo) look(q asked) (a answered, state sqlite.State, known, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watch == nil {
		return a, state, false, false
	}
	if state, known = m.watch.State(); !known || state != m.state {
		return a, state, known, false
	}
	a, ok = m.found[q]
	return a, state, true, ok
}

// keep remembers what was found out since look returned state, unless there
// was a commit meanwhile.
func (m *memo) keep(q asked, a answered, state sqlite.State) {
	if len(a.object.Body) > memoBody || len(q.name) > maxKey || len(q.collection) > maxKey {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watch == nil {
		return
	}
	if now, known := m.watch.State(); !known || now != state {
		return
	}
	if m.state != state || m.size > memoMost || m.found == nil {
		m.state, m.found, m.size = state, make(map[asked]answered), 0
	}
	if _, ok := m.found[q]; !ok {
		m.size += 1000 + len(q.name) + len(a.object.Body) // rows and the map itself
	}
	m.found[q] = a
}

// ask answers from memory, or by fn.
func (m *memo) ask(q asked, fn func() (answered, error)) (answered, error) {
	a, state, known, ok := m.look(q)
	if ok {
		return a, a.err
	}
	a, err := fn()
	a.err = err
	if known && (err == nil || errors.Is(err, ErrNotFound)) {
		m.keep(q, a, state)
	}
	return a, err
}

// ObjectAt is Tx.ObjectAt in a View. The octets of the body belong to all who
// ask.
func (s *Store) ObjectAt(ctx context.Context, owner int64, home CollectionKind, collection, name string) (o Object, kind CollectionKind, version int64, err error) {
	a, err := s.memo.ask(asked{owner, home.home(), collection, name, true}, func() (a answered, err error) {
		err = s.View(ctx, func(tx *Tx) (err error) {
			a.object, a.kind, a.version, err = tx.ObjectAt(owner, home, collection, name)
			return err
		})
		return a, err
	})
	return a.object, a.kind, a.version, err
}

// CollectionAt is Tx.CollectionAt in a View.
func (s *Store) CollectionAt(ctx context.Context, owner int64, home CollectionKind, name string) (c Collection, version int64, err error) {
	a, err := s.memo.ask(asked{owner, home.home(), name, "", false}, func() (a answered, err error) {
		err = s.View(ctx, func(tx *Tx) (err error) {
			a.collection, a.version, err = tx.CollectionAt(owner, home, name)
			return err
		})
		return a, err
	})
	return a.collection, a.version, err
}
