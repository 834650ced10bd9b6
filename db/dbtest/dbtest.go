// Package dbtest gives every database test a fresh store on SQLite and on
// PostgreSQL. PostgreSQL is the server that CONVENE_TEST_POSTGRES names, or a
// private one that is started once a test binary and goes away with it. Each
// store is a copy of a migrated template.
package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // for Exec

	"github.com/convene-server/convene/db"
)

// Each runs f as a subtest on each database, with a store that nobody else
// has.
func Each(t *testing.T, f func(t *testing.T, s *db.Store)) {
	t.Helper()
	EachWith(t, db.Options{}, f)
}

// EachWith is Each with options.
func EachWith(t *testing.T, opt db.Options, f func(t *testing.T, s *db.Store)) {
	t.Helper()
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) { f(t, Open(t, DSN(t, kind), opt)) })
	}
}

// New returns a fresh store on "sqlite" or "postgres".
func New(t testing.TB, kind string) *db.Store {
	t.Helper()
	return Open(t, DSN(t, kind), db.Options{})
}

// Open opens a store and closes it at the end of the test.
func Open(t testing.TB, dsn string, opt db.Options) *db.Store {
	t.Helper()
	s, err := db.Open(context.Background(), dsn, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// DSN makes a fresh, migrated database of kind "sqlite" or "postgres" that is
// gone after the test, and returns its address.
func DSN(t testing.TB, kind string) string {
	t.Helper()
	switch kind {
	case "sqlite":
		return sqliteCopy(t)
	case "postgres":
		return postgresCopy(t)
	}
	t.Fatalf("dbtest: no database is called %q", kind)
	return ""
}

// Empty is DSN of a database without a schema.
func Empty(t testing.TB, kind string) string {
	t.Helper()
	if kind == "sqlite" {
		return "sqlite:" + filepath.Join(t.TempDir(), "convene.db")
	}
	return createDatabase(t, shared(t), "template0")
}

// Exec runs a statement on a database as somebody else would, without a store:
// for what a test must bring about that no program does, such as a lease that
// has run out.
func Exec(t testing.TB, dsn, statement string, args ...any) {
	t.Helper()
	driver, name := "postgres", dsn
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		path, _, _ = strings.Cut(path, "?")
		driver, name = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	}
	d, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Exec(statement, args...); err != nil {
		t.Fatal(err)
	}
}

func migrated(dsn string) error {
	ctx := context.Background()
	s, err := db.Open(ctx, dsn, db.Options{MaxOpen: 1})
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Migrate(ctx)
}

// sqliteTemplate is the bytes of a migrated and closed file.
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "convene-dbtest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "template.db")
	if err := migrated("sqlite:" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func sqliteCopy(t testing.TB) string {
	t.Helper()
	template, err := sqliteTemplate()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(place(false), "convene-dbtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "convene.db")
	if err := os.WriteFile(path, template, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

// Durable is DSN of a database that is as durable as one in service: a file on
// the disk, or a server of its own that waits for its disk.
func Durable(t testing.TB, kind string) string {
	t.Helper()
	if kind == "postgres" {
		_, dsn := Private(t)
		return dsn
	}
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "convene.db")
	if err := migrated(dsn); err != nil {
		t.Fatal(err)
	}
	return dsn
}

// server is a PostgreSQL server on which databases may be made.
type server struct {
	url      *url.URL
	admin    *sql.DB
	template string // a migrated database

	mu   sync.Mutex
	made int
}

var postgres = sync.OnceValues(func() (*server, error) {
	address := os.Getenv("CONVENE_TEST_POSTGRES")
	if address == "" {
		var err error
		if address, err = startPrivate(); err != nil {
			return nil, err
		}
	}
	return connect(address)
})

func connect(address string) (*server, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("CONVENE_TEST_POSTGRES is no URL")
	}
	if q := u.Query(); !q.Has("sslmode") {
		q.Set("sslmode", "disable")
		u.RawQuery = q.Encode()
	}
	admin, err := sql.Open("postgres", u.String())
	if err != nil {
		return nil, err
	}
	s := &server{url: u, admin: admin, template: fmt.Sprintf("convene_template_%d_%d", os.Getpid(), time.Now().UnixNano())}
	if _, err := admin.Exec("CREATE DATABASE " + s.template + " TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		return nil, err
	}
	if err := migrated(s.database(s.template)); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *server) database(name string) string {
	u := *s.url
	u.Path = "/" + name
	return u.String()
}

func shared(t testing.TB) *server {
	t.Helper()
	s, err := postgres()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("dbtest: PostgreSQL: %v", err)
		}
		t.Skipf("dbtest: no PostgreSQL (name a server in CONVENE_TEST_POSTGRES, or install its Debian package): %v", err)
	}
	return s
}

func postgresCopy(t testing.TB) string {
	t.Helper()
	s := shared(t)
	return createDatabase(t, s, s.template)
}

func createDatabase(t testing.TB, s *server, from string) string {
	t.Helper()
	s.mu.Lock()
	s.made++
	name := fmt.Sprintf("convene_%d_%d_%d", os.Getpid(), time.Now().UnixNano(), s.made)
	s.mu.Unlock()
	if _, err := s.admin.Exec("CREATE DATABASE " + name + " TEMPLATE " + from); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Registered before the store's, so that it runs after that.
		if _, err := s.admin.Exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"); err != nil {
			t.Logf("dbtest: %v", err)
		}
	})
	return s.database(name)
}
