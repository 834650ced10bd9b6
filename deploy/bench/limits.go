package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"
)

// limit is what the machine does when nothing but the database works.
type limit struct {
	clients int
	perSec  float64
}

// commits measures bare durable commits: one row of 600 octets each, with the
// settings that Convene's own database has.
func (r *report) commits(s *server) error {
	row := strings.Repeat("x", 600)
	for _, clients := range []int{1, 4, 8} {
		open := func() (*sql.DB, error) { return sql.Open("postgres", s.cluster.url("convene")) }
		file := filepath.Join(s.dir, "limit.db")
		if r.kind == "sqlite" {
			open = func() (*sql.DB, error) {
				return sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_txlock=immediate")
			}
		}
		n, err := commitRate(open, clients, row, r.kind)
		for _, suffix := range []string{"", "-wal", "-shm"} {
			os.Remove(file + suffix)
		}
		if err != nil {
			return fmt.Errorf("bare commits: %w", err)
		}
		r.commitLimits = append(r.commitLimits, limit{clients, n})
	}
	return nil
}

const limitTime = 2 * time.Second

func commitRate(open func() (*sql.DB, error), clients int, row, kind string) (float64, error) {
	d, err := open()
	if err != nil {
		return 0, err
	}
	defer d.Close()
	d.SetMaxOpenConns(clients)
	if kind == "sqlite" {
		d.SetMaxOpenConns(1) // SQLite has one writer
	}
	d.SetMaxIdleConns(clients)
	id := "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
	if kind == "sqlite" {
		id = "INTEGER PRIMARY KEY"
	}
	if _, err := d.Exec("DROP TABLE IF EXISTS bench_limit"); err != nil {
		return 0, err
	}
	if _, err := d.Exec("CREATE TABLE bench_limit (id " + id + ", data TEXT NOT NULL)"); err != nil {
		return 0, err
	}
	defer d.Exec("DROP TABLE bench_limit")
	insert, err := d.Prepare("INSERT INTO bench_limit (data) VALUES ($1)")
	if err != nil {
		return 0, err
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	total, start := 0, time.Now()
	for range clients {
		wg.Go(func() {
			n := 0
			var failed error
			for time.Since(start) < limitTime && failed == nil {
				if _, failed = insert.Exec(row); failed == nil {
					n++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total += n
			if failed != nil {
				err = failed
			}
		})
	}
	wg.Wait()
	return float64(total) / time.Since(start).Seconds(), err
}

// requests measures what davbench and net/http do by themselves: GET of a
// fixed kilobyte.
func (r *report) requests(o options) error {
	file := filepath.Join(o.dir, "floor.json")
	for _, clients := range []int{1, 4} {
		err := command(filepath.Join(o.dir, "davbench"), "floor", "-duration", limitTime.String(), "-concurrency", fmt.Sprint(clients), "-json", file)
		if err != nil {
			return fmt.Errorf("davbench floor: %w", err)
		}
		rs, err := read(file)
		if err != nil {
			return err
		}
		r.requestLimits = append(r.requestLimits, limit{clients, rs[0].OpsPerSec})
	}
	return nil
}
