package dbtest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq" // the driver
)

// keeper starts a server and waits for the end of its standard input, which
// comes when the test binary ends, however it ends. Then it stops the server
// and removes everything.
const keeper = `
trap '' INT TERM HUP
"$1/postgres" -D "$2/data" $3 >>"$2/log" 2>&1 </dev/null &
pid=$!
read line
kill -QUIT $pid
wait $pid
cd /
[ "$line" = keep ] || rm -rf "$2"
`

// binaries finds the newest PostgreSQL.
func binaries() (string, error) {
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(all, func(a, b string) int { return version(a) - version(b) })
	if len(all) > 0 {
		return filepath.Dir(all[len(all)-1]), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("initdb is not installed")
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

// owner is whom PostgreSQL runs as: it refuses root.
func owner() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("there is no user to run PostgreSQL as")
}

// private is the server of this test binary. It is remembered for ever: were
// it collected, the pipe that its keeper reads would be closed.
var private *Server

// startPrivate makes a server on a free port of the loopback and returns its
// address. It may lose what it holds with the machine.
func startPrivate() (string, error) {
	p, err := newPrivate(false)
	if err != nil {
		return "", err
	}
	if err := p.Start(); err != nil {
		return "", err
	}
	private = p
	return p.Address(), nil
}

// Server is a private PostgreSQL server that a test may stop and start.
type Server struct {
	dir, bin string
	port     int
	settings string
	as       *syscall.Credential
	keeper   *exec.Cmd
	input    io.WriteCloser
}

// Private starts a server of the test's own, as durable as one in service,
// with an empty migrated database. It is skipped like Each.
func Private(t testing.TB) (s *Server, dsn string) {
	t.Helper()
	s, err := newPrivate(true)
	if err == nil {
		err = s.Start()
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("dbtest: PostgreSQL: %v", err)
		}
		t.Skipf("dbtest: no PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		s.Stop(syscall.SIGQUIT)
		os.RemoveAll(s.dir)
	})
	on, err := connect(s.Address())
	if err != nil {
		t.Fatal(err)
	}
	on.admin.Close()
	return s, on.database(on.template)
}

// place is where a server lies that may lose what it holds: in memory, if
// there is room for it.
func place(durable bool) string {
	const memory = "/dev/shm"
	var fs syscall.Statfs_t
	if !durable && syscall.Statfs(memory, &fs) == nil && fs.Bavail*uint64(fs.Bsize) > 1<<30 {
		return memory
	}
	return ""
}

func newPrivate(durable bool) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	as, err := owner()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(place(durable), "convene-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, as: as}
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			return nil, err
		}
	}
	out, err := s.command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "convene",
		"-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions").CombinedOutput()
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	s.settings = fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 -c shared_buffers=64MB -c max_wal_size=256MB -c log_min_messages=warning", s.port)
	if !durable {
		s.settings += " -c fsync=off -c full_page_writes=off -c autovacuum=off"
	}
	return s, nil
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setsid: true}
	return cmd
}

// Address returns the URL of the server's database postgres.
func (s *Server) Address() string {
	u := url.URL{Scheme: "postgres", User: url.User("convene"), Host: fmt.Sprintf("127.0.0.1:%d", s.port), Path: "/postgres", RawQuery: "sslmode=disable"}
	return u.String()
}

// Start starts a server that is stopped and waits until it answers.
func (s *Server) Start() error {
	cmd := s.command("/bin/sh", "-c", keeper, "keeper", s.bin, s.dir, s.settings)
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.keeper, s.input = cmd, input
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if s.command(filepath.Join(s.bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port)).Run() == nil {
			return nil
		}
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	s.Stop(syscall.SIGQUIT)
	return fmt.Errorf("PostgreSQL does not start: %s", log)
}

// Stop ends the server: by SIGINT in order, by SIGQUIT as in a crash. What it
// holds stays for the next Start.
func (s *Server) Stop(by syscall.Signal) {
	if s.keeper == nil {
		return
	}
	if by == syscall.SIGINT {
		s.command(filepath.Join(s.bin, "pg_ctl"), "-D", filepath.Join(s.dir, "data"), "-m", "fast", "-w", "stop").Run()
	}
	fmt.Fprintln(s.input, "keep")
	s.input.Close()
	s.keeper.Wait()
	s.keeper = nil
}

// Own gives a folder to the user that a private server runs as.
func Own(dir string) error {
	as, err := owner()
	if err != nil || as == nil {
		return err
	}
	return os.Chown(dir, int(as.Uid), int(as.Gid))
}
