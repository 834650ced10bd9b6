package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func open(t testing.TB, pragmas ...string) *Conn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Open(path, pragmas...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func prepare(t testing.TB, c *Conn, text string) *Stmt {
	t.Helper()
	s, err := c.Prepare(text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func one(t testing.TB, s *Stmt, args []any, dest ...any) error {
	t.Helper()
	n := 0
	err := s.Query(args, func(scan func(...any) error) error {
		n++
		return scan(dest...)
	})
	if err == nil && n != 1 {
		t.Fatalf("%d rows", n)
	}
	return err
}

func code(t testing.TB, err error) int {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no error of SQLite", err)
	}
	return e.Primary()
}

type named string
type small int8

// What goes in comes out, of every type that a statement takes.
func TestValues(t *testing.T) {
	c := open(t)
	s := prepare(t, c, `SELECT $1`)
	test := func(in, want any) {
		t.Helper()
		got := reflect.New(reflect.TypeOf(want))
		if err := one(t, s, []any{in}, got.Interface()); err != nil {
			t.Errorf("%#v: %v", in, err)
		} else if !reflect.DeepEqual(got.Elem().Interface(), want) {
			t.Errorf("%#v came back as %#v", in, got.Elem().Interface())
		}
	}
	test(int64(-1<<63), int64(-1<<63))
	test(7, int64(7))
	test(7, uint8(7))
	test(7, small(7))
	test(true, int64(1))
	test(true, true)
	test("", "")
	test("Grüße\x00!", "Grüße\x00!")
	test(named("x"), named("x"))
	test("x", named("x"))
	test([]byte{0, 255}, []byte{0, 255})
	test([]byte{}, []byte(nil))
	test([]byte(nil), sql.NullString{})
	test(nil, sql.NullString{})
	test("x", sql.NullString{String: "x", Valid: true})
	test(sql.NullString{}, sql.NullString{})
	test(strings.Repeat("x", 3*scratchSize), strings.Repeat("x", 3*scratchSize))

	refused := func(in, place any) {
		t.Helper()
		if err := one(t, s, []any{in}, place); err == nil {
			t.Errorf("%#v went into a %T", in, place)
		}
	}
	refused(nil, new(string))
	refused(nil, new(int64))
	refused("x", new(int64))
	refused(256, new(uint8))
	refused(200, new(small))
	refused(1, 1)
	refused(struct{}{}, new(string))
}

// An empty blob is no null: a column may need a value.
func TestEmptyBlob(t *testing.T) {
	c := open(t)
	var kind string
	if err := one(t, prepare(t, c, `SELECT typeof($1)`), []any{[]byte{}}, &kind); err != nil || kind != "blob" {
		t.Errorf("%s, %v", kind, err)
	}
}

// Arguments are numbered as written, whichever comes first.
func TestArguments(t *testing.T) {
	c := open(t)
	s := prepare(t, c, `SELECT $3 || $1 || $2 || $1`)
	var got string
	if err := one(t, s, []any{"a", "b", "c"}, &got); err != nil || got != "caba" {
		t.Errorf("%q, %v", got, err)
	}
	if err := one(t, s, []any{"a", "b"}, &got); err == nil {
		t.Error("an argument was missing")
	}
	if _, err := c.Prepare(`SELECT :name`); err == nil {
		t.Error("an argument without a number")
	}
	if _, err := c.Prepare(`-- nothing`); err == nil {
		t.Error("no statement was prepared")
	}
}

// A statement runs again after its end, after an error and after it was left
// before its end, and others run meanwhile.
func TestAgain(t *testing.T) {
	c := open(t)
	if err := c.Exec(`CREATE TABLE x (a INTEGER PRIMARY KEY, b TEXT NOT NULL); INSERT INTO x VALUES (1, 'one'), (2, 'two')`); err != nil {
		t.Fatal(err)
	}
	all := prepare(t, c, `SELECT b FROM x WHERE b <> $1 ORDER BY a`)
	inner := prepare(t, c, `SELECT $1 || a FROM x WHERE b = $2`)
	enough := errors.New("enough")
	for range 2 {
		if err := all.Query([]any{"x"}, func(func(...any) error) error { return enough }); err != enough {
			t.Fatal(err)
		}
	}
	var got []string
	err := all.Query([]any{strings.Repeat("-", 100)}, func(scan func(...any) error) error {
		var b, c string
		if err := scan(&b); err != nil {
			return err
		}
		if err := all.Query(nil, nil); err != errRunning {
			t.Errorf("a statement ran within itself: %v", err)
		}
		err := one(t, inner, []any{"no. ", b}, &c)
		got = append(got, b, c)
		return err
	})
	if want := []string{"one", "no. 1", "two", "no. 2"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	insert := prepare(t, c, `INSERT INTO x VALUES ($1, $2)`)
	if _, err := insert.Exec(1, "again"); code(t, err) != 19 { // CONSTRAINT
		t.Error(err)
	}
	if n, err := insert.Exec(3, "three"); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := prepare(t, c, `UPDATE x SET b = b`).Exec(); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestErrors(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "nothing")); code(t, err) != 14 { // CANTOPEN
		t.Error(err)
	}
	c := open(t, "max_page_count(10)")
	if err := c.Exec(`CREATE TABLE x (a BLOB)`); err != nil {
		t.Fatal(err)
	}
	insert := prepare(t, c, `INSERT INTO x VALUES ($1)`)
	if _, err := insert.Exec(bytes.Repeat([]byte{1}, 100_000)); code(t, err) != 13 { // FULL
		t.Error(err)
	}
	if err := c.Exec(`SELECT * FROM absent`); code(t, err) != 1 || !strings.Contains(err.Error(), "no such table") {
		t.Error(err)
	}
	if err := c.Exec(`PRAGMA query_only(on)`); err != nil {
		t.Fatal(err)
	}
	if _, err := insert.Exec([]byte{1}); code(t, err) != 8 { // READONLY
		t.Error(err)
	}
}

func BenchmarkQuery(b *testing.B) {
	c := open(b)
	if err := c.Exec(`CREATE TABLE x (a INTEGER PRIMARY KEY, b TEXT, c TEXT, d BLOB); INSERT INTO x VALUES (1, 'one', 'two', 'three')`); err != nil {
		b.Fatal(err)
	}
	s := prepare(b, c, `SELECT a, b, c, d FROM x WHERE a = $1`)
	var n int64
	var x, y string
	var z []byte
	b.ReportAllocs()
	for b.Loop() {
		if err := one(b, s, []any{int64(1)}, &n, &x, &y, &z); err != nil {
			b.Fatal(err)
		}
	}
}
