package sqlite

import (
	"os"
	"path/filepath"
	"testing"
)

// A state stays while nothing is committed, whoever reads, checkpoints or gives
// up a transaction, and is another after each commit, whichever connection
// makes it.
func TestState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if w, err := OpenWatch(path); err == nil {
		w.Close()
		t.Fatal("a database without a log is watched")
	}
	open := func() *Conn {
		c, err := Open(path, "journal_mode(wal)", "busy_timeout(5000)")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	a, b := open(), open()
	exec := func(c *Conn, script string) {
		t.Helper()
		if err := c.Exec(script); err != nil {
			t.Fatal(err)
		}
	}
	exec(a, `CREATE TABLE x (a INTEGER PRIMARY KEY, b TEXT)`)
	w, err := OpenWatch(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	seen := map[State]bool{}
	state := func() State {
		t.Helper()
		s, ok := w.State()
		if !ok {
			t.Fatal("nobody writes, and the state is not told")
		}
		return s
	}
	now := state()
	seen[now] = true
	changed := func(c *Conn, script string) {
		t.Helper()
		exec(c, script)
		if now = state(); seen[now] {
			t.Errorf("after %s: a state that was before", script)
		}
		seen[now] = true
	}
	same := func(c *Conn, script string) {
		t.Helper()
		exec(c, script)
		if s := state(); s != now {
			t.Errorf("after %s: another state", script)
		}
	}
	for range 3 {
		changed(a, `INSERT INTO x (b) VALUES ('one')`)
		same(b, `SELECT * FROM x`)
		changed(b, `UPDATE x SET b = 'two'`)
		same(a, `BEGIN IMMEDIATE; INSERT INTO x (b) VALUES ('none'); ROLLBACK`)
		same(b, `BEGIN IMMEDIATE; UPDATE x SET b = 'none'`)
		same(a, `SELECT * FROM x`)
		changed(b, `COMMIT`)
		exec(a, `PRAGMA wal_checkpoint(truncate)`) // the log begins anew: it may be another, and never an old one
		if s := state(); s != now && seen[s] {
			t.Error("after a checkpoint: a state that was before")
		}
		now = state()
		seen[now] = true
	}
}
