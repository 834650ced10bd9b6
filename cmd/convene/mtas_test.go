package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// needs skips a test for want of a program; in continuous integration it fails
// instead, so that nothing is skipped there without anybody knowing.
func needs(t *testing.T, ok bool, format string, args ...any) {
	t.Helper()
	if ok {
		return
	}
	text := fmt.Sprintf(format, args...) + " (deploy/test/install)"
	if os.Getenv("CI") != "" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// unpacked returns the root of a server that deploy/test/install has unpacked,
// beside whatever mail server the machine has.
func unpacked(t *testing.T, name, program string) string {
	t.Helper()
	root := os.Getenv("CONVENE_TEST_ROOT")
	if root == "" {
		root = "/var/cache/convene-test"
	}
	root = filepath.Join(root, name)
	_, err := os.Stat(filepath.Join(root, program))
	needs(t, err == nil, "no %s in %s", program, root)
	needs(t, os.Getuid() == 0, "%s starts as root only", name)
	return root
}

// mta is a real mail server on loopback with a configuration and a queue of its
// own.
type mta struct {
	t    *testing.T
	dir  string
	smtp string // address of its port 25

	certificate []byte // as PEM, where it speaks TLS

	// uninstall takes the recipe out and lets the server read its
	// configuration again.
	uninstall func()
}

func newMTA(t *testing.T, name string) *mta {
	t.Helper()
	m := &mta{t: t, smtp: freeAddr(t)}
	var err error
	// Not t.TempDir: others than root must get there.
	m.dir, err = os.MkdirTemp("", "convene-"+name+"-")
	m.check(err)
	t.Cleanup(func() { os.RemoveAll(m.dir) })
	m.check(os.Chmod(m.dir, 0o755))
	return m
}

func (m *mta) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// copyRoot makes m.dir a copy of a server's root, in which it has its folders
// to itself. Files are linked.
func (m *mta) copyRoot(root string) {
	m.t.Helper()
	m.check(filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil || rel == "." {
			return err
		}
		to := filepath.Join(m.dir, rel)
		switch {
		case rel == "tmp" && d.IsDir(): // copies are there
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(to, 0o755)
		case d.Type()&os.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, to)
		}
		return os.Link(path, to)
	}))
}

func (m *mta) file(name, text string, mode os.FileMode) {
	m.t.Helper()
	m.check(os.WriteFile(filepath.Join(m.dir, name), []byte(text), mode))
}

// recipe installs a file of deploy as it is, but for addresses that are
// replaced as with says.
func (m *mta) recipe(from, to string, with ...string) {
	m.t.Helper()
	data, err := os.ReadFile("../../deploy/" + from)
	m.check(err)
	m.file(to, strings.NewReplacer(with...).Replace(string(data)), 0o644)
}

// run starts the server, waits until it answers and ends it with the test,
// which shows its logs if it failed. It ends too if the test is killed, and by
// stop.
func (m *mta) run(cmd *exec.Cmd, logs ...string) (stop func()) {
	m.t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // some signal their whole group when they stop
	cmd.WaitDelay = 2 * time.Second
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	m.check(cmd.Start())
	watch := exec.Command("sh", "-c", "cat >/dev/null; kill -TERM -$0; sleep 2; kill -KILL -$0; rm -rf $1", strconv.Itoa(cmd.Process.Pid), m.dir)
	held, err := watch.StdinPipe() // ends with this process, however that ends
	m.check(err)
	watch.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	m.check(watch.Start())
	stop = sync.OnceFunc(func() {
		watch.Process.Kill()
		watch.Wait()
		held.Close()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		hard := time.AfterFunc(patience/4, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		cmd.Wait()
		hard.Stop()
	})
	m.t.Cleanup(func() {
		stop()
		if m.t.Failed() {
			m.t.Logf("the mail server: %s", out.String())
			for _, log := range logs {
				data, _ := os.ReadFile(log)
				m.t.Logf("%s:\n%s", log, data)
			}
		}
	})
	m.answers(m.smtp, &out)
	return stop
}

func (m *mta) answers(addr string, out fmt.Stringer) {
	m.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(end) {
			m.t.Fatalf("the mail server does not answer: %v\n%s", err, out)
		}
	}
}

// freeAddr returns an address on loopback on which nobody listens, and that
// no other test, of whatever process, gets while this one runs. Its port is none
// of those that the system gives to connections and to ":0".
func freeAddr(t testing.TB) string {
	t.Helper()
	const lockOpenFile = 37 // F_OFD_SETLK of Linux
	f, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("convene-test-ports-%d", os.Getuid())), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	for range 1000 {
		port := 10000 + rand.IntN(22000)
		byPort := syscall.Flock_t{Type: syscall.F_WRLCK, Start: int64(port), Len: 1}
		if syscall.FcntlFlock(f.Fd(), lockOpenFile, &byPort) != nil {
			continue
		}
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}
