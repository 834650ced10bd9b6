// Package sqlite is the little of SQLite's C interface that db needs: prepared
// statements that take and return values without a detour. Going by
// database/sql and the driver of modernc.org/sqlite doubles what a short
// statement costs, for names and types of columns that nobody asks for, boxed
// values and locks that a connection of one owner does not need.
package sqlite

import (
	"fmt"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"
)

// Error is what SQLite answered.
type Error struct {
	Code int // extended result code (https://sqlite.org/rescode.html)
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("sqlite: %s (%d)", e.Text, e.Code) }

// Primary is the code without its extension.
func (e *Error) Primary() int { return e.Code & 0xff }

func init() { sqlite3.PatchIssue199() } // as the library's driver does

// Conn is one connection. It and its statements belong to one goroutine at a
// time.
type Conn struct {
	tls *libc.TLS
	db  uintptr // *sqlite3
	out uintptr // where SQLite returns a pointer

	scratch     uintptr // arguments of the statement that runs
	scratchUsed bool
}

// scratchSize holds the arguments of most statements; longer ones are
// allocated.
const scratchSize = 8 << 10

// Open opens a file for reading and writing, which must be there, and runs
// "PRAGMA p" for each of pragmas.
func Open(path string, pragmas ...string) (*Conn, error) {
	c := &Conn{tls: libc.NewTLS()}
	c.out = c.alloc(int(unsafe.Sizeof(uintptr(0))))
	c.scratch = c.alloc(scratchSize)
	if c.out == 0 || c.scratch == 0 {
		c.Close()
		return nil, errNoMemory
	}
	name, err := libc.CString(path)
	vfs, err2 := libc.CString(gatheringVFS())
	if err != nil || err2 != nil {
		c.Close()
		return nil, errNoMemory
	}
	*at[uintptr](c.out) = 0
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, c.out, sqlite3.SQLITE_OPEN_READWRITE|sqlite3.SQLITE_OPEN_NOMUTEX, vfs)
	libc.Xfree(c.tls, name)
	libc.Xfree(c.tls, vfs)
	c.db = *at[uintptr](c.out) // also after most errors
	if rc != sqlite3.SQLITE_OK {
		err := c.failed(rc)
		c.Close()
		return nil, err
	}
	sqlite3.Xsqlite3_extended_result_codes(c.tls, c.db, 1)
	for _, p := range pragmas {
		if err := c.Exec("PRAGMA " + p); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

var errNoMemory = &Error{Code: sqlite3.SQLITE_NOMEM, Text: "out of memory"}

func (c *Conn) alloc(n int) uintptr { return libc.Xmalloc(c.tls, types.Size_t(n)) }

// Close closes the connection after its statements.
func (c *Conn) Close() {
	if c.tls == nil {
		return
	}
	sqlite3.Xsqlite3_close_v2(c.tls, c.db) // nothing to do for 0
	libc.Xfree(c.tls, c.out)
	libc.Xfree(c.tls, c.scratch)
	c.tls.Close()
	c.tls = nil
}

// failed is the error of the last call.
func (c *Conn) failed(rc int32) error {
	e := &Error{Code: int(rc)}
	if c.db == 0 {
		e.Text = libc.GoString(sqlite3.Xsqlite3_errstr(c.tls, rc))
		return e
	}
	if code := sqlite3.Xsqlite3_extended_errcode(c.tls, c.db); code&0xff == rc&0xff {
		e.Code = int(code)
	}
	e.Text = libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db))
	return e
}

// Exec runs a script of statements without arguments.
func (c *Conn) Exec(script string) error {
	text, err := libc.CString(script)
	if err != nil {
		return errNoMemory
	}
	defer libc.Xfree(c.tls, text)
	if rc := sqlite3.Xsqlite3_exec(c.tls, c.db, text, 0, 0, 0); rc != sqlite3.SQLITE_OK {
		return c.failed(rc)
	}
	return nil
}

// Prepare compiles one statement, whose arguments are written $1, $2 and so on.
func (c *Conn) Prepare(text string) (*Stmt, error) {
	p, err := libc.CString(text)
	if err != nil {
		return nil, errNoMemory
	}
	defer libc.Xfree(c.tls, p)
	if rc := sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, p, int32(len(text)), sqlite3.SQLITE_PREPARE_PERSISTENT, c.out, 0); rc != sqlite3.SQLITE_OK {
		return nil, c.failed(rc)
	}
	s := &Stmt{c: c, p: *at[uintptr](c.out)}
	if s.p == 0 {
		return nil, &Error{Code: sqlite3.SQLITE_MISUSE, Text: "no statement"}
	}
	s.scan = s.Scan
	s.columns = sqlite3.Xsqlite3_column_count(c.tls, s.p)
	// To SQLite $2 is a name, which gets the next number where it first stands.
	s.places = make([]int, sqlite3.Xsqlite3_bind_parameter_count(c.tls, s.p))
	for i := range s.places {
		name := libc.GoString(sqlite3.Xsqlite3_bind_parameter_name(c.tls, s.p, int32(i+1)))
		if _, err := fmt.Sscanf(name, "$%d", &s.places[i]); err != nil || s.places[i] < 1 {
			s.Close()
			return nil, &Error{Code: sqlite3.SQLITE_MISUSE, Text: "an argument is called " + name}
		}
	}
	return s, nil
}
