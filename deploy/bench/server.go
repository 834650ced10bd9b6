package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// people is how many there are: user001 to user260, whose passwords are their
// names.
const people = 260

func userName(n int) string { return fmt.Sprintf("user%03d", n) }

// server is `convene serve` in a directory of its own, beside its database.
type server struct {
	dir     string
	dsn     string
	http    string // address
	profile string // file for davbench
	cluster *cluster
}

func newServer(o options) (*server, error) {
	s := &server{dir: o.dir, profile: filepath.Join(o.dir, "profile.json")}
	s.stop() // one that an earlier run left behind
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	s.http = addr
	s.dsn = "sqlite:" + filepath.Join(o.dir, "convene.db")
	if o.kind == "postgres" {
		if s.cluster, err = startCluster(o.dir); err != nil {
			return nil, err
		}
		s.dsn = s.cluster.url("convene")
	}
	files := map[string]string{
		// Nobody outside is invited, so that nothing is ever sent.
		"convene.toml": fmt.Sprintf(`domains = ["example.com"]
[http]
listen = %q
public_url = "http://%s"
[store]
dsn = %q
[lmtp]
listen = ""
[smtp]
relay = "127.0.0.1:25"
from = "calendar@example.com"
[log]
level = "warn"
`, addr, addr, s.dsn),
		"start": fmt.Sprintf("#!/bin/sh\ncd %s || exit 1\nCONVENE_CPUPROFILE=%s ./convene serve --config convene.toml >>convene.log 2>&1 &\necho $! >convene.pid\n", o.dir, o.cpu),
		"stop": fmt.Sprintf("#!/bin/sh\ncd %s || exit 1\n[ -f convene.pid ] || exit 0\npid=$(cat convene.pid)\nrm convene.pid\n"+
			"[ \"$(readlink /proc/$pid/exe)\" = %s ] || exit 0\nkill $pid\nwhile [ -d /proc/$pid ]; do sleep 0.02; done\n", o.dir, filepath.Join(o.dir, "convene")),
	}
	for name, text := range files {
		mode := os.FileMode(0o755)
		if strings.HasSuffix(name, ".toml") {
			mode = 0o600
		}
		if err := os.WriteFile(filepath.Join(o.dir, name), []byte(text), mode); err != nil {
			s.close()
			return nil, err
		}
	}
	home := "/dav/calendars/{user}@example.com/"
	b, err := json.MarshalIndent(map[string]any{
		"name": "convene-" + o.kind, "base_url": "http://" + addr,
		"auth": "basic", "user": "user{n}", "password": "{user}", "users": people,
		"address": "mailto:{user}@example.com", "principal": "/dav/principals/{user}@example.com/",
		"home": home, "calendar": home + "{cal}/", "default_calendar": "calendar", "inbox": home + "inbox/", "outbox": home + "outbox/",
		"caps":      map[string]bool{"scheduling": true, "freebusy": true, "sync_collection": true, "mkcalendar": true},
		"pid_files": []string{filepath.Join(o.dir, "convene.pid")},
		"start":     []string{filepath.Join(o.dir, "start")}, "stop": []string{filepath.Join(o.dir, "stop")},
	}, "", " ")
	if err == nil {
		err = os.WriteFile(s.profile, b, 0o644)
	}
	return s, err
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (s *server) stop() {
	if f := filepath.Join(s.dir, "stop"); exists(f) {
		command(f)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func (s *server) close() {
	s.stop()
	if s.cluster != nil {
		s.cluster.stop()
	}
}

// people adds those of the first count that are missing, all from one process: each `convene user
// add` would pay for a start and a look at the schema.
func (s *server) people(count int) error {
	ctx := context.Background()
	store, err := db.Open(ctx, s.dsn, db.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.Migrate(ctx); err != nil {
		return err
	}
	for n := 1; n <= count; n++ {
		address := userName(n) + "@example.com"
		err := store.View(ctx, func(tx *db.Tx) error {
			_, err := tx.PrincipalByAddress(address)
			return err
		})
		if err == nil {
			continue
		}
		if !errors.Is(err, db.ErrNotFound) {
			return err
		}
		hash, err := directory.HashPassword(userName(n))
		if err != nil {
			return err
		}
		err = store.Write(ctx, nil, func(tx *db.Tx) error {
			return directory.Add(tx, &db.Principal{Address: address, Kind: db.Person, Password: hash, MailCopies: "never"}, nil)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", address, err)
		}
	}
	return nil
}

// start starts the server and waits until it answers.
func (s *server) start() error {
	if err := command(filepath.Join(s.dir, "start")); err != nil {
		return err
	}
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if r, err := http.Get("http://" + s.http + "/healthz"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	return fmt.Errorf("the server does not answer; see %s", filepath.Join(s.dir, "convene.log"))
}

// peak is the most memory that the server had since it started, or since
// forgetPeak, in MB; 0 where the system does not tell.
func (s *server) peak() float64 {
	status, _ := os.ReadFile(filepath.Join("/proc", s.pid(), "status"))
	for line := range strings.Lines(string(status)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	return 0
}

// cpu is the processor's time that the server has taken so far; 0 where the
// system does not tell.
func (s *server) cpu() time.Duration {
	stat, _ := os.ReadFile(filepath.Join("/proc", s.pid(), "stat"))
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond // proc(5): hundredths of a second
}

// forgetPeak makes what the server has now the peak.
func (s *server) forgetPeak() {
	_ = os.WriteFile(filepath.Join("/proc", s.pid(), "clear_refs"), []byte("5"), 0)
}

// profileCPU begins the profile of a server that is built for it; end waits
// until it is written.
func (s *server) profileCPU(file string) (end func(), err error) {
	os.Remove(file)
	pid, err := strconv.Atoi(s.pid())
	if err != nil {
		return nil, err
	}
	return func() {
		syscall.Kill(pid, syscall.SIGUSR2)
		for until := time.Now().Add(10 * time.Second); !exists(file) && time.Now().Before(until); {
			time.Sleep(10 * time.Millisecond)
		}
	}, syscall.Kill(pid, syscall.SIGUSR2)
}

func (s *server) pid() string {
	b, _ := os.ReadFile(filepath.Join(s.dir, "convene.pid"))
	return strings.TrimSpace(string(b))
}

// warmUp has everybody log in once: the first log-in of a person costs the
// hash of a password, as it should, and is not what is measured.
func (s *server) warmUp(count int) error {
	for n := 1; n <= count; n++ {
		r, err := http.NewRequest("OPTIONS", fmt.Sprintf("http://%s/dav/calendars/%s@example.com/", s.http, userName(n)), nil)
		if err != nil {
			return err
		}
		r.SetBasicAuth(userName(n), userName(n))
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		io.Copy(io.Discard, a.Body)
		a.Body.Close()
		if a.StatusCode != http.StatusOK && a.StatusCode != http.StatusNoContent {
			return fmt.Errorf("%s cannot log in: %s", userName(n), a.Status)
		}
	}
	return nil
}

// cluster is a PostgreSQL server of our own, as durable as one in service.
type cluster struct {
	bin, data string
	as        *syscall.Credential
	port      string
}

func startCluster(dir string) (*cluster, error) {
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(all) == 0 {
		return nil, errors.New("PostgreSQL is not installed; on Debian: apt install postgresql")
	}
	sort.Slice(all, func(i, j int) bool { return major(all[i]) < major(all[j]) })
	c := &cluster{bin: all[len(all)-1], data: filepath.Join(dir, "postgres")}
	if os.Getuid() == 0 { // as which PostgreSQL does not run
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		c.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	_, c.port, _ = net.SplitHostPort(addr)
	fresh := !exists(filepath.Join(c.data, "PG_VERSION"))
	if fresh {
		if err := os.MkdirAll(c.data, 0o700); err != nil {
			return nil, err
		}
		if c.as != nil {
			if err := os.Chown(c.data, int(c.as.Uid), int(c.as.Gid)); err != nil {
				return nil, err
			}
		}
		if err := c.run("initdb", "-D", c.data, "-U", "convene", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"); err != nil {
			return nil, err
		}
	}
	c.stop()
	err = c.run("pg_ctl", "-D", c.data, "-l", filepath.Join(c.data, "log"), "-w", "start", "-o",
		"-p "+c.port+" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=on -c synchronous_commit=on -c shared_buffers=256MB")
	if err == nil && fresh {
		err = c.run("createdb", "-h", "127.0.0.1", "-p", c.port, "-U", "convene", "convene")
	}
	return c, err
}

func major(bin string) int {
	n, _ := strconv.Atoi(strings.Split(bin, "/")[4])
	return n
}

func (c *cluster) run(program string, args ...string) error {
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.Dir = "/"
	if c.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	}
	// Its output goes to a file: a pipe would be held open by the server.
	log, err := os.CreateTemp("", "convene-bench-")
	if err != nil {
		return err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		out, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

func (c *cluster) stop() {
	if exists(filepath.Join(c.data, "postmaster.pid")) {
		c.run("pg_ctl", "-D", c.data, "-m", "fast", "-w", "stop")
	}
}

func (c *cluster) url(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("convene"), Host: "127.0.0.1:" + c.port, Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}
