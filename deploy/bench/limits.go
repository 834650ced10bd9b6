package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"
)

// limit is what the machine does when nothing but the database works.
type limit struct {
	clients int
	value   float64 // per second, or in ms
}

// limits measures what the machine does by itself. The server is idle
// meanwhile.
func (r *report) limits(o options, s *server) error {
	if err := r.commits(s); err != nil {
		return err
	}
	if err := r.listing(s); err != nil {
		return fmt.Errorf("reading names: %w", err)
	}
	return r.requests(o)
}

// commits measures bare durable commits: one row of 600 octets each, with the
// settings that Convene's own database has.
func (r *report) commits(s *server) error {
	row := strings.Repeat("x", 600)
	for _, clients := range []int{1, 4, 8} {
		d, done, err := r.open(s)
		if err != nil {
			return err
		}
		n, err := commitRate(d, clients, row, r.kind)
		done()
		if err != nil {
			return fmt.Errorf("bare commits: %w", err)
		}
		r.commitLimits = append(r.commitLimits, limit{clients, n})
	}
	return nil
}

// open opens a database that nobody else uses, or on PostgreSQL the server's
// own, whose tables here have names of their own. done leaves nothing behind.
func (r *report) open(s *server) (d *sql.DB, done func(), err error) {
	if r.kind == "postgres" {
		d, err = sql.Open("postgres", s.cluster.url("convene"))
		return d, func() { d.Close() }, err
	}
	file := filepath.Join(s.dir, "limit.db")
	d, err = sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_txlock=immediate")
	return d, func() {
		d.Close()
		for _, suffix := range []string{"", "-wal", "-shm"} {
			os.Remove(file + suffix)
		}
	}, err
}

// listing measures how long it takes to read 10,000 names and entity tags from
// an index and to make their part of an answer.
func (r *report) listing(s *server) error {
	d, done, err := r.open(s)
	if err != nil {
		return err
	}
	defer done()
	d.Exec("DROP TABLE IF EXISTS bench_list")
	if _, err := d.Exec("CREATE TABLE bench_list (name TEXT PRIMARY KEY, etag TEXT NOT NULL)"); err != nil {
		return err
	}
	defer d.Exec("DROP TABLE bench_list")
	tx, err := d.Begin()
	if err != nil {
		return err
	}
	for i := range 10_000 {
		if _, err := tx.Exec("INSERT INTO bench_list (name, etag) VALUES ($1, $2)", fmt.Sprintf("large-%05d.ics", i), fmt.Sprintf("%020d", i)); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	var took []time.Duration
	for range 15 {
		start := time.Now()
		rows, err := d.Query("SELECT name, etag FROM bench_list ORDER BY name")
		if err != nil {
			return err
		}
		var out []byte
		for rows.Next() {
			var name, etag string
			if err := rows.Scan(&name, &etag); err != nil {
				return err
			}
			out = append(out, "<D:response><D:href>/dav/calendars/user001@example.com/blarge10000/"...)
			out = append(append(out, name...), "</D:href><D:propstat><D:prop><D:getetag>&quot;"...)
			out = append(append(out, etag...), "&quot;</D:getetag></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>\n"...)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	r.listLimits = append(r.listLimits, limit{1, float64(took[len(took)/2].Microseconds()) / 1000})
	return nil
}

const limitTime = 2 * time.Second

func commitRate(d *sql.DB, clients int, row, kind string) (rate float64, err error) {
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
