package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/cmd/convene/catcher"
	"github.com/convene-server/convene/db/dbtest"
	"go.uber.org/goleak"
)

// Stop ends everything that start began.
func TestStopLeavesNothing(t *testing.T) {
	dsn := dbtest.DSN(t, "sqlite")
	_, relay := startSink(t, false)
	before := goleak.IgnoreCurrent()
	c, err := parseConfig("test", fmt.Sprintf("domains = [\"example.org\"]\n[http]\nlisten = \"127.0.0.1:0\"\n[store]\ndsn = %q\n[lmtp]\nlisten = \"127.0.0.1:0\"\nobserve = \"127.0.0.1:0\"\n[milter]\nlisten = \"127.0.0.1:0\"\n[smtp]\nrelay = %q\n[trust]\nverify_dkim = false\n", dsn, relay))
	if err != nil {
		t.Fatal(err)
	}
	s, err := start(t.Context(), c, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _, err := (davClient{base: s.Config.HTTP.PublicURL}).do(t.Context(), "GET", "/healthz", "", "Connection", "close"); status != 200 || err != nil {
		t.Errorf("%d %v", status, err)
	}
	s.Stop()
	s.Stop() // harmless
	goleak.VerifyNone(t, before)
	if _, err := net.DialTimeout("tcp", s.HTTP.String(), time.Second); err == nil {
		t.Error("somebody still listens")
	}
}

// The LMTP door on a unix socket: a socket left behind by a kill is replaced,
// one in use is not, and only owner and group may connect.
func TestUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "cv") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "lmtp.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	boxes, boxesAddr := startSink(t, true)
	_, relay := startSink(t, false)
	startHouse(t, dbtest.DSN(t, "sqlite"), "unix:"+socket, boxesAddr, relay)
	fi, err := os.Stat(socket)
	if err != nil || fi.Mode().Perm() != 0o660 {
		t.Errorf("the socket is %v, %v", fi, err)
	}
	if err := catcher.SendLMTP("unix:"+socket, carol, []string{ann}, []byte("From: carol@example.net\r\nSubject: by socket\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	waitMail(t, boxes, ann, "", "by socket")
	if _, err := listenOn("unix:" + socket); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a socket in use was taken: %v", err)
	}
	plain := filepath.Join(dir, "file")
	if err := os.WriteFile(plain, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenOn("unix:" + plain); err == nil {
		t.Error("a file was replaced by a socket")
	}
}

// systemd's socket activation and readiness, as systemd itself does both.
func TestSystemd(t *testing.T) {
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "cv")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	config := filepath.Join(dir, "convene.toml")
	// [http] listen is an address that cannot be bound: what is passed counts.
	text := fmt.Sprintf("domains = [\"example.org\"]\n[http]\nlisten = \"192.0.2.1:80\"\n[store]\ndsn = %q\n[lmtp]\nlisten = \"127.0.0.1:0\"\n", dbtest.DSN(t, "sqlite"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// LISTEN_PID must be the server's own: a shell replaces itself by it.
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" serve --config "$1"`, bin, config)
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=http", "NOTIFY_SOCKET="+filepath.Join(dir, "notify"))
	cmd.ExtraFiles = []*os.File{file}
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	file.Close()
	said := func(want string) {
		t.Helper()
		buf := make([]byte, 256)
		notify.SetReadDeadline(time.Now().Add(time.Minute))
		n, err := notify.Read(buf)
		if err != nil || !strings.Contains(string(buf[:n]), want) {
			t.Fatalf("systemd was told %q, %v; want %s\n%s", buf[:n], err, want, out.String())
		}
	}
	said("READY=1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if status, _, _, err := (davClient{base: "http://" + address}).do(ctx, "GET", "/healthz", ""); status != 200 || err != nil {
		t.Errorf("%d %v", status, err)
	}
	cmd.Process.Signal(os.Interrupt)
	said("STOPPING=1")
	if err := cmd.Wait(); err != nil {
		t.Errorf("stopped with %v\n%s", err, out.String())
	}
}
