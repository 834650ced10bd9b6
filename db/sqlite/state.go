package sqlite

import (
	"errors"
	"sync/atomic"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// State is what a database was after some commit: two that are equal have the
// same content. It is the header of the index of the write-ahead log
// (https://sqlite.org/walformat.html §2.1), by which SQLite itself finds out
// whether the pages that it has in memory are still right, whichever
// connection of whichever process has written.
type State [stateWords]uint64

const (
	stateWords = 48 / 8
	indexPage  = 32 << 10 // octets that are mapped at once
)

// Watch sees without a call of the system whether a database has changed.
type Watch struct {
	c     *Conn
	index uintptr // in memory while c is open
}

// OpenWatch watches the database of a file that is in WAL mode.
func OpenWatch(path string) (*Watch, error) {
	c, err := Open(path, "busy_timeout(5000)", "query_only(on)", "cache_size(-20)")
	if err != nil {
		return nil, err
	}
	w := &Watch{c: c}
	if err := w.find(); err != nil {
		c.Close()
		return nil, err
	}
	return w, nil
}

var errNoIndex = errors.New("sqlite: no index of a write-ahead log")

func (w *Watch) find() error {
	c := w.c
	if err := c.Exec("SELECT count(*) FROM sqlite_master"); err != nil { // maps the index
		return err
	}
	*at[uintptr](c.out) = 0
	if rc := sqlite3.Xsqlite3_file_control(c.tls, c.db, 0, sqlite3.SQLITE_FCNTL_FILE_POINTER, c.out); rc != sqlite3.SQLITE_OK {
		return c.failed(rc)
	}
	file := *at[uintptr](c.out)
	if file == 0 {
		return errNoIndex
	}
	m := at[sqlite3.Tsqlite3_io_methods](at[sqlite3.Tsqlite3_file](file).FpMethods)
	if m.FiVersion < 2 || m.FxShmMap == 0 {
		return errNoIndex
	}
	*at[uintptr](c.out) = 0
	shmMap := as[func(*libc.TLS, uintptr, int32, int32, int32, uintptr) int32](m.FxShmMap)
	if rc := shmMap(c.tls, file, 0, indexPage, 0, c.out); rc != sqlite3.SQLITE_OK {
		return c.failed(rc)
	}
	if w.index = *at[uintptr](c.out); w.index == 0 {
		return errNoIndex
	}
	return nil
}

// State returns the present one; false while it cannot be told, as when it is
// just being written.
func (w *Watch) State() (s State, ok bool) {
	// There are two copies. Who commits writes the second one first, so that
	// whoever finds the same in both, the first one read first, has all of it.
	first, second := at[State](w.index), at[State](w.index+8*stateWords)
	for i := range s {
		s[i] = atomic.LoadUint64(&first[i])
	}
	for i := range s {
		if atomic.LoadUint64(&second[i]) != s[i] {
			return State{}, false
		}
	}
	return s, s[0] != 0 // the number of the format: it is there
}

// Close ends it.
func (w *Watch) Close() { w.c.Close() }
