package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/convene-server/convene/db"
)

// Whoever cannot start is told what to do next.
func TestHints(t *testing.T) {
	dir := t.TempDir()
	test := func(dsn, want string) {
		t.Helper()
		c := Config{}
		c.Store.DSN = dsn
		s, err := openStore(t.Context(), c)
		if err == nil {
			s.Close()
			t.Fatalf("%s was opened", dsn)
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", dsn, err, want)
		}
	}
	test("sqlite:"+filepath.Join(dir, "none", "c.db"), "make the folder "+filepath.Join(dir, "none"))
	note := filepath.Join(dir, "note.txt")
	if err := os.WriteFile(note, []byte(strings.Repeat("a shopping list\n", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	test("sqlite:"+note, note+" is something else")
	test("postgres://nobody@127.0.0.1:1/none?sslmode=disable", "see that PostgreSQL runs there")
	if got := atStore("postgres://u@h/d", errors.New("x")).Error(); got != "[store] dsn: x" {
		t.Errorf("%q", got)
	}
	if err := atStore("postgres://u@h/d", fmt.Errorf("%w: x", db.ErrAway)); !errors.Is(err, db.ErrAway) {
		t.Errorf("what went wrong is lost: %v", err)
	}

	listen := func(addr string, err error, want string) {
		t.Helper()
		got := atListener("[http] listen", addr, err)
		if !errors.Is(got, err) || !strings.Contains(got.Error(), want) {
			t.Errorf("%s: %v, want %q", addr, got, want)
		}
	}
	listen("127.0.0.1:8008", syscall.EADDRINUSE, "another program has it")
	listen("192.0.2.1:8008", syscall.EADDRNOTAVAIL, "does not have that address")
	listen("127.0.0.1:80", syscall.EACCES, "ports below 1024")
	listen("unix:/run/convene/http.sock", fs.ErrPermission, "[http] listen: permission denied")
}
