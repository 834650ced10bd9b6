package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// binary builds the program once for all tests that run it as a process. Each
// checkout has one file for it, which the next run replaces: nothing piles up.
var binary = sync.OnceValues(func() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(here))
	file := filepath.Join(os.TempDir(), fmt.Sprintf("convene-test-%d-%x", os.Getuid(), sum[:6]))
	fresh, err := os.MkdirTemp(os.TempDir(), "convene-build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	build := exec.Command("go", "build", "-o", filepath.Join(fresh, "convene"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	// A process that still runs the old one keeps it.
	return file, os.Rename(filepath.Join(fresh, "convene"), file)
})

// process is `convene serve` as an operator runs it, between a relay and a next
// hop that play the outside world and the mailboxes.
type process struct {
	t         *testing.T
	bin, conf string
	dsn       string
	http      string // address
	lmtp      string
	relay     *sink
	nextHop   *sink

	cmd *exec.Cmd
	out *lockedBuffer
}

// newProcess writes a configuration over dsn; extra is more TOML, for top-level
// tables. It does not start the server.
func newProcess(t *testing.T, dsn, extra string) *process {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, bin: bin, dsn: dsn, relay: newSink(t, false), nextHop: newSink(t, true),
		http: freeAddr(t), lmtp: freeAddr(t), out: &lockedBuffer{}}
	p.conf = filepath.Join(t.TempDir(), "convene.toml")
	text := fmt.Sprintf(`domains = ["example.org"]
[http]
listen = %q
public_url = "http://%s"
[store]
dsn = %q
[lmtp]
listen = %q
deliver_to = %q
[smtp]
relay = %q
from = "calendar@example.org"
coalesce = "0s"
%s`, p.http, p.http, dsn, p.lmtp, p.nextHop.addr, p.relay.addr, extra)
	if err := os.WriteFile(p.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// run runs another command of the program on the same configuration.
func (p *process) run(stdin string, args ...string) (string, error) {
	cmd := exec.Command(p.bin, append(args, "--config", p.conf)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (p *process) must(stdin string, args ...string) string {
	p.t.Helper()
	out, err := p.run(stdin, args...)
	if err != nil {
		p.t.Fatalf("convene %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// start starts the server and waits until it answers.
func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.bin, "serve", "--config", p.conf)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get("http://" + p.http + "/healthz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) {
			p.t.Fatalf("the server does not answer: %v\n%s", err, p.out)
		}
	}
}

// kill ends the server as a power cut would.
func (p *process) kill() {
	if p.cmd != nil && p.cmd.Process != nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		p.cmd = nil
	}
}

// dav makes one request as a user whose password is his local part.
func (p *process) dav(user, method, path, body string, header ...string) (int, string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.http+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	local, _, _ := strings.Cut(user, "@")
	req.SetBasicAuth(user, local)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// deliver hands one mail to the server's LMTP listener and returns its verdict,
// an *smtp.SMTPError inside of an smtp.LMTPDataError where it refuses.
func (p *process) deliver(from, to, mail string) error {
	conn, err := net.DialTimeout("tcp", p.lmtp, time.Minute)
	if err != nil {
		return err
	}
	c := smtp.NewClientLMTP(conn)
	c.CommandTimeout, c.SubmissionTimeout = time.Minute, time.Minute
	defer c.Close()
	if err := c.Hello("mta.example.org"); err != nil {
		return err
	}
	if err := c.Mail(from, nil); err != nil {
		return err
	}
	if err := c.Rcpt(to, nil); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, strings.ReplaceAll(mail, "\n", "\r\n")); err != nil {
		return err
	}
	return w.Close()
}

// taken is one message that a sink took.
type taken struct {
	from, to string
	data     string
	read     bool // by the test
}

// sink is an SMTP or LMTP server that keeps what it takes.
type sink struct {
	addr string

	mu    sync.Mutex
	mails []taken
}

func newSink(t *testing.T, lmtp bool) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{addr: l.Addr().String()}
	srv := smtp.NewServer(s)
	srv.LMTP, srv.Domain = lmtp, "sink.example.net"
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return s
}

func (s *sink) taken() []taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]taken(nil), s.mails...)
}

// markRead remembers that the mails to an address were read.
func (s *sink) markRead(to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.mails {
		if s.mails[i].to == to {
			s.mails[i].read = true
		}
	}
}

func (s *sink) NewSession(*smtp.Conn) (smtp.Session, error) { return &sinkSession{s: s}, nil }

type sinkSession struct {
	s    *sink
	from string
	to   []string
}

func (c *sinkSession) Reset()        { c.from, c.to = "", nil }
func (c *sinkSession) Logout() error { return nil }
func (c *sinkSession) Mail(from string, _ *smtp.MailOptions) error {
	c.from = from
	return nil
}

func (c *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.to = append(c.to, to)
	return nil
}

func (c *sinkSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, to := range c.to {
		c.s.mails = append(c.s.mails, taken{from: c.from, to: to, data: string(b)})
	}
	return nil
}

func (c *sinkSession) LMTPData(r io.Reader, st smtp.StatusCollector) error {
	err := c.Data(r)
	for _, to := range c.to {
		st.SetStatus(to, err)
	}
	return nil
}

// lockedBuffer takes the output of a process that is still running.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
