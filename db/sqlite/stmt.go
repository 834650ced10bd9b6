package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Stmt is a prepared statement.
type Stmt struct {
	c       *Conn
	p       uintptr // *sqlite3_stmt
	places  []int   // number of the argument at each place
	columns int32
	running bool
	scan    func(...any) error // Scan, made once
}

// Close frees the statement.
func (s *Stmt) Close() {
	sqlite3.Xsqlite3_finalize(s.c.tls, s.p)
	s.p = 0
}

// Exec runs the statement to its end and returns how many rows it changed.
func (s *Stmt) Exec(args ...any) (changed int64, err error) {
	err = s.run(args, func() error { return nil })
	if err != nil {
		return 0, err
	}
	return int64(sqlite3.Xsqlite3_changes(s.c.tls, s.c.db)), nil
}

// Query calls each for every row; scan reads the row, as sql.Rows.Scan does.
// An error of each ends the statement and is returned as it is.
func (s *Stmt) Query(args []any, each func(scan func(dest ...any) error) error) error {
	return s.run(args, func() error { return each(s.scan) })
}

var errRunning = errors.New("sqlite: the statement is running already")

func (s *Stmt) run(args []any, row func() error) (err error) {
	if s.running {
		return errRunning
	}
	s.running = true
	var held held
	held.c = s.c
	defer func() { // also when row panics
		s.running = false
		if rc := sqlite3.Xsqlite3_reset(s.c.tls, s.p); rc != sqlite3.SQLITE_OK && err == nil {
			err = s.c.failed(rc)
		}
		if held.any() {
			sqlite3.Xsqlite3_clear_bindings(s.c.tls, s.p)
			held.free()
		}
	}()
	for i, place := range s.places {
		if place > len(args) {
			return fmt.Errorf("sqlite: argument %d is missing", place)
		}
		if err := s.bind(int32(i+1), args[place-1], &held); err != nil {
			return err
		}
	}
	for {
		switch rc := sqlite3.Xsqlite3_step(s.c.tls, s.p); rc {
		case sqlite3.SQLITE_ROW:
			if err := row(); err != nil {
				return err
			}
		case sqlite3.SQLITE_DONE:
			return nil
		default:
			return s.c.failed(rc)
		}
	}
}

// held is the memory of a statement's arguments while it runs.
type held struct {
	c    *Conn
	mine bool // the scratch; no other statement has it
	used int  // of it
	more []uintptr
}

// take returns memory for n octets, 0 without any.
func (h *held) take(n int) uintptr {
	if !h.mine && !h.c.scratchUsed {
		h.mine, h.c.scratchUsed = true, true
	}
	if h.mine && n <= scratchSize-h.used {
		p := h.c.scratch + uintptr(h.used)
		h.used += n
		return p
	}
	p := h.c.alloc(max(n, 1))
	if p != 0 {
		h.more = append(h.more, p)
	}
	return p
}

func (h *held) any() bool { return h.mine || len(h.more) > 0 }

func (h *held) free() {
	if h.mine {
		h.c.scratchUsed = false
	}
	for _, p := range h.more {
		libc.Xfree(h.c.tls, p)
	}
}

// bind sets one argument. Texts and blobs are copied to where the collector
// does not move or free them.
func (s *Stmt) bind(i int32, v any, h *held) error {
	tls := s.c.tls
	var rc int32
	switch v := v.(type) {
	case int64:
		rc = sqlite3.Xsqlite3_bind_int64(tls, s.p, i, v)
	case int:
		rc = sqlite3.Xsqlite3_bind_int64(tls, s.p, i, int64(v))
	case string:
		p := h.take(len(v))
		if p == 0 {
			return errNoMemory
		}
		copy(memory(p, len(v)), v)
		rc = sqlite3.Xsqlite3_bind_text(tls, s.p, i, p, int32(len(v)), sqlite3.SQLITE_STATIC)
	case []byte:
		if v == nil {
			rc = sqlite3.Xsqlite3_bind_null(tls, s.p, i)
			break
		}
		p := h.take(len(v))
		if p == 0 {
			return errNoMemory
		}
		copy(memory(p, len(v)), v)
		rc = sqlite3.Xsqlite3_bind_blob(tls, s.p, i, p, int32(len(v)), sqlite3.SQLITE_STATIC)
	case nil:
		rc = sqlite3.Xsqlite3_bind_null(tls, s.p, i)
	case float64:
		rc = sqlite3.Xsqlite3_bind_double(tls, s.p, i, v)
	case bool:
		n := int64(0)
		if v {
			n = 1
		}
		rc = sqlite3.Xsqlite3_bind_int64(tls, s.p, i, n)
	default: // of a type of its own
		plain, err := driver.DefaultParameterConverter.ConvertValue(v)
		if err != nil {
			return err
		}
		switch plain.(type) {
		case int64, string, []byte, nil, float64, bool:
			return s.bind(i, plain, h)
		}
		return fmt.Errorf("sqlite: an argument of type %T", v)
	}
	if rc != sqlite3.SQLITE_OK {
		return s.c.failed(rc)
	}
	return nil
}

// Integer is a place that takes a number without its being boxed first.
type Integer interface{ ScanInteger(int64) error }

// Scan reads the columns of the row at which the statement stands.
func (s *Stmt) Scan(dest ...any) error {
	if len(dest) != int(s.columns) {
		return fmt.Errorf("sqlite: %d columns into %d places", s.columns, len(dest))
	}
	for i, d := range dest {
		if err := s.column(int32(i), d); err != nil {
			return fmt.Errorf("sqlite: column %d: %w", i+1, err)
		}
	}
	return nil
}

var errNull = errors.New("null where a value is needed")

func (s *Stmt) column(i int32, dest any) error {
	tls := s.c.tls
	kind := sqlite3.Xsqlite3_column_type(tls, s.p, i)
	switch d := dest.(type) {
	case *int64:
		if kind != sqlite3.SQLITE_INTEGER {
			return fmt.Errorf("%s into an integer", kinds[kind])
		}
		*d = sqlite3.Xsqlite3_column_int64(tls, s.p, i)
	case *uint8:
		n := sqlite3.Xsqlite3_column_int64(tls, s.p, i)
		if kind != sqlite3.SQLITE_INTEGER || n < 0 || n > 255 {
			return fmt.Errorf("%s into an octet", kinds[kind])
		}
		*d = uint8(n)
	case *string:
		if kind == sqlite3.SQLITE_NULL {
			return errNull
		}
		// Many rows have the same text in a column: it need not be made anew.
		if b := s.octets(i, kind); string(b) != *d {
			*d = string(b)
		}
	case *[]byte:
		*d = nil
		if b := s.octets(i, kind); len(b) > 0 {
			*d = append(make([]byte, 0, len(b)), b...)
		}
	case Integer:
		if kind != sqlite3.SQLITE_INTEGER {
			return fmt.Errorf("%s into a %T", kinds[kind], dest)
		}
		return d.ScanInteger(sqlite3.Xsqlite3_column_int64(tls, s.p, i))
	case sql.Scanner:
		switch kind {
		case sqlite3.SQLITE_INTEGER:
			return d.Scan(sqlite3.Xsqlite3_column_int64(tls, s.p, i))
		case sqlite3.SQLITE_TEXT:
			return d.Scan(string(s.octets(i, kind)))
		case sqlite3.SQLITE_NULL:
			return d.Scan(nil)
		case sqlite3.SQLITE_BLOB:
			return d.Scan(append([]byte{}, s.octets(i, kind)...))
		}
		return fmt.Errorf("%s into a %T", kinds[kind], dest)
	default: // a pointer to a type of its own
		v := reflect.ValueOf(dest)
		if v.Kind() != reflect.Pointer || v.IsNil() {
			return fmt.Errorf("%T is no place for a value", dest)
		}
		v = v.Elem()
		switch {
		case v.Kind() == reflect.String && kind != sqlite3.SQLITE_NULL:
			if b := s.octets(i, kind); string(b) != v.String() {
				v.SetString(string(b))
			}
		case v.CanInt() && kind == sqlite3.SQLITE_INTEGER:
			n := sqlite3.Xsqlite3_column_int64(tls, s.p, i)
			if v.OverflowInt(n) {
				return fmt.Errorf("%d is too large for a %T", n, dest)
			}
			v.SetInt(n)
		case v.CanUint() && kind == sqlite3.SQLITE_INTEGER:
			n := sqlite3.Xsqlite3_column_int64(tls, s.p, i)
			if n < 0 || v.OverflowUint(uint64(n)) {
				return fmt.Errorf("%d is no %T", n, dest)
			}
			v.SetUint(uint64(n))
		case v.Kind() == reflect.Bool && kind == sqlite3.SQLITE_INTEGER:
			v.SetBool(sqlite3.Xsqlite3_column_int64(tls, s.p, i) != 0)
		default:
			return fmt.Errorf("%s into a %T", kinds[kind], dest)
		}
	}
	return nil
}

var kinds = map[int32]string{
	sqlite3.SQLITE_INTEGER: "an integer", sqlite3.SQLITE_FLOAT: "a floating number",
	sqlite3.SQLITE_TEXT: "a text", sqlite3.SQLITE_BLOB: "a blob", sqlite3.SQLITE_NULL: "null",
}

// octets are those of a text or blob, until the next step.
func (s *Stmt) octets(i, kind int32) []byte {
	var p uintptr
	if kind == sqlite3.SQLITE_BLOB {
		p = sqlite3.Xsqlite3_column_blob(s.c.tls, s.p, i)
	} else {
		p = sqlite3.Xsqlite3_column_text(s.c.tls, s.p, i)
	}
	return memory(p, int(sqlite3.Xsqlite3_column_bytes(s.c.tls, s.p, i)))
}

// memory is n octets that the library holds at p.
func memory(p uintptr, n int) []byte {
	if p == 0 {
		return nil
	}
	return unsafe.Slice(at[byte](p), n)
}
