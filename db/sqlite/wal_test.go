package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is committed stands in the files when COMMIT returns: a copy of them,
// taken as a crash would leave them, holds it, and nothing that was not
// committed. Small and large transactions, such as spill the page cache and
// read their own pages back, rolled back and not, with checkpoints between.
func TestLogIsWrittenAtCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(path string, pragmas ...string) *Conn {
		c, err := Open(path, append(pragmas, "busy_timeout(5000)")...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	exec := func(c *Conn, script string) {
		t.Helper()
		if err := c.Exec(script); err != nil {
			t.Fatal(err)
		}
	}
	w := open(path, "journal_mode(wal)", "synchronous(full)", "cache_size(20)", "wal_autocheckpoint(100)")
	defer w.Close()
	reader := open(path, "query_only(on)")
	defer reader.Close()
	if gatheringVFS() != "convene" {
		t.Fatal("the log is not gathered")
	}
	exec(w, `CREATE TABLE x (a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX xb ON x (b)`)
	count := func(c *Conn) (n, sum int64) {
		t.Helper()
		s, err := c.Prepare(`SELECT count(*), coalesce(sum(a), 0) FROM x`)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := one(t, s, nil, &n, &sum); err != nil {
			t.Fatal(err)
		}
		return n, sum
	}
	insert, err := w.Prepare(`INSERT INTO x VALUES ($1, $2)`)
	if err != nil {
		t.Fatal(err)
	}
	defer insert.Close()
	var next, n, sum int64
	for round, rows := range []int{1, 3, 2000, 1, 500, 1, 30} {
		for _, end := range []string{"ROLLBACK", "COMMIT"} {
			exec(w, "BEGIN IMMEDIATE")
			at, more := next, int64(0)
			for range rows {
				at++
				more += at
				if _, err := insert.Exec(at, fmt.Sprintf("%d %s", at*7919%10007, strings.Repeat("x", 300))); err != nil {
					t.Fatal(err)
				}
			}
			exec(w, `UPDATE x SET b = b || '.' WHERE a % 97 = 0`) // reads back what was spilled
			exec(w, end)
			if end == "COMMIT" {
				next, n, sum = at, n+int64(rows), sum+more
			}
			place := filepath.Join(dir, fmt.Sprint(round, end))
			for _, suffix := range []string{"", "-wal"} {
				b, err := os.ReadFile(path + suffix) // nobody else writes: its locks may go
				if err == nil {
					err = os.WriteFile(place+suffix, b, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			crashed := open(place)
			var verdict string
			check, err := crashed.Prepare(`PRAGMA integrity_check`)
			if err != nil {
				t.Fatal(err)
			}
			if err := one(t, check, nil, &verdict); err != nil || verdict != "ok" {
				t.Errorf("after %s of %d: %s, %v", end, rows, verdict, err)
			}
			check.Close()
			for who, c := range map[string]*Conn{"the writer": w, "a reader": reader, "a copy": crashed} {
				if gotN, gotSum := count(c); gotN != n || gotSum != sum {
					t.Errorf("after %s of %d rows %s has %d rows, sum %d; want %d, %d", end, rows, who, gotN, gotSum, n, sum)
				}
			}
			crashed.Close()
		}
	}
}
