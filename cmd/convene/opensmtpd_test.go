package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db/dbtest"
)

// startOpenSMTPD runs the mail server of example.org by deploy/opensmtpd.
// Addresses in the recipe are replaced as with says. submission is what stands
// beside it for the service for users.
func startOpenSMTPD(t *testing.T, mailboxes []string, boxes, outside, submission string, with ...string) *mta {
	t.Helper()
	root := unpacked(t, "opensmtpd", "usr/sbin/smtpd")
	m := &mta{t: t, smtp: freeAddr(t)}
	var err error
	m.dir, err = os.MkdirTemp(filepath.Join(root, "tmp"), "convene-") // its folders are built in
	m.check(err)
	t.Cleanup(func() { os.RemoveAll(m.dir) })
	m.check(os.Chmod(m.dir, 0o755))
	m.copyRoot(root)
	for _, d := range []string{"tmp", "var/run", "var/mail", "var/lib/opensmtpd/empty", "var/spool"} {
		m.check(os.MkdirAll(filepath.Join(m.dir, d), 0o755))
	}
	m.check(os.Chmod(filepath.Join(m.dir, "var/spool"), 0o711))
	boxHost, boxPort, _ := net.SplitHostPort(boxes)
	outHost, outPort, _ := net.SplitHostPort(outside)
	host, port, _ := net.SplitHostPort(m.smtp)
	// The organisation, with and without Convene: its people, its mailbox
	// server, and the world outside.
	config := func(recipe string) string {
		return fmt.Sprintf(`table mailboxes { "%s" }
%s
listen on %s port %s hostname mx.example.org
action "mailbox_server" relay host lmtp://%s:%s
match from any for rcpt-to <mailboxes> action "mailbox_server"
action "outside" relay host smtp+notls://%s:%s
match from local ! for domain "example.org" action "outside"
`, strings.Join(mailboxes, `", "`), recipe, host, port, boxHost, boxPort, outHost, outPort)
	}
	m.recipe("opensmtpd/convene.conf", "etc/convene.conf", with...)
	if submission != "" {
		m.recipe("opensmtpd/convene-observe.conf", "etc/convene-observe.conf", with...)
		m.withFilter()
	}
	os.Remove(filepath.Join(m.dir, "etc/smtpd.conf")) // the package's own, linked
	m.file("etc/smtpd.conf", config("include \"/etc/convene.conf\"\n"+submission), 0o644)
	start := func() func() { return m.run(exec.Command("chroot", m.dir, "/usr/sbin/smtpd", "-d")) }
	stop := start()
	m.uninstall = func() { // it reads its configuration when it starts
		stop()
		m.check(os.Remove(filepath.Join(m.dir, "etc/convene.conf")))
		m.file("etc/smtpd.conf", config(""), 0o644)
		start()
	}
	return m
}

// withFilter puts what the filter needs into the server's root: the program, the
// shell by which OpenSMTPD starts it, certificate and key of the service.
func (m *mta) withFilter() {
	m.t.Helper()
	built, err := binary()
	m.check(err)
	for from, to := range map[string]string{built: "usr/local/bin/convene", "/bin/sh": "bin/sh"} {
		data, err := os.ReadFile(from)
		m.check(err)
		m.check(os.MkdirAll(filepath.Dir(filepath.Join(m.dir, to)), 0o755))
		m.check(os.WriteFile(filepath.Join(m.dir, to), data, 0o755))
	}
	var key []byte
	m.certificate, key = certificate(m.t, "mx.example.org")
	m.file("etc/mx.crt", string(m.certificate), 0o644)
	m.file("etc/mx.key", string(key), 0o600)
}

// anonymously opens a session with STARTTLS and no certificate: OpenSMTPD 6.8 has
// its keys in a process of their own, which those of OpenSSL 3 do not reach, and
// TLS is what it demands of a log-in. Go has no such ciphers: OpenSSL speaks them.
func anonymously(t *testing.T, addr string) (*smtp.Client, error) {
	cmd := exec.CommandContext(t.Context(), "openssl", "s_client", "-quiet", "-starttls", "smtp", "-tls1_2", "-cipher", "aNULL:@SECLEVEL=0", "-connect", addr)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return smtp.NewClient(&piped{Reader: io.MultiReader(strings.NewReader("220 again\r\n"), &withoutFirst{r: bufio.NewReader(out)}), WriteCloser: in}, "127.0.0.1")
}

// withoutFirst leaves the first line out: the last one from before TLS, which
// comes with what follows.
type withoutFirst struct {
	r    *bufio.Reader
	gone bool
}

func (w *withoutFirst) Read(p []byte) (int, error) {
	if !w.gone {
		if _, err := w.r.ReadString('\n'); err != nil {
			return 0, err
		}
		w.gone = true
	}
	return w.r.Read(p)
}

// piped is a connection that a program holds.
type piped struct {
	io.Reader
	io.WriteCloser
}

func (p *piped) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (p *piped) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (p *piped) SetDeadline(time.Time) error      { return nil }
func (p *piped) SetReadDeadline(time.Time) error  { return nil }
func (p *piped) SetWriteDeadline(time.Time) error { return nil }

// TestOpenSMTPDObserve is its recipe for what users send.
func TestOpenSMTPDObserve(t *testing.T) {
	outside, outsideAddr := startSink(t, false)
	boxes, boxesAddr := startSink(t, true)
	lmtp, milter, submission := freeAddr(t), freeAddr(t), freeAddr(t)
	host, port, _ := net.SplitHostPort(submission)
	// "secret", for both.
	const hash = "$6$convene$g3OyuC5cyXoOPfGLiCFoMtdrH5BBlSh379M2AtEOGvXTCL/odJUpiS/287YUZMomUWta5L1iodzPYEPN/AEQU."
	service := fmt.Sprintf(`include "/etc/convene-observe.conf"
smtp ciphers "AECDH-AES128-SHA:@SECLEVEL=0"
pki mx.example.org cert "/etc/mx.crt"
pki mx.example.org key "/etc/mx.key"
table logins { "%s" = "%s", "%s" = "%s" }
listen on %s port %s tls-require pki mx.example.org auth <logins> hostname mx.example.org filter "convene_observe"
`, ann, hash, ben, hash, host, port)
	mta := startOpenSMTPD(t, []string{ann, ben}, boxesAddr, outsideAddr, service, "127.0.0.1:2424", lmtp, "127.0.0.1:2426", milter)
	config := houseConfig(dbtest.DSN(t, "sqlite"), lmtp, boxesAddr, mta.smtp, "[milter]\nlisten = \""+milter+"\"")
	h := startObserving(t, config)
	send := func(login, from string, to []string, mail []byte) error {
		c, err := anonymously(t, submission)
		if err != nil {
			return err
		}
		defer c.Close()
		return submit(c, login, from, to, mail)
	}
	observed(t, h, mta.smtp, send, outside, boxes)

	// Whatever is the matter with Convene, what users send goes out.
	h.Stop()
	if err := send(ann, ann, []string{carol}, []byte("From: "+ann+"\r\nTo: "+carol+"\r\nSubject: without it\r\n\r\n.\r\n")); err != nil {
		t.Error(err)
	}
	waitMail(t, outside, carol, "", "without it")
}

// TestOpenSMTPD plays the main job by the recipe of deploy/opensmtpd.
func TestOpenSMTPD(t *testing.T) {
	outside, outsideAddr := startSink(t, false)
	boxes, boxesAddr := startSink(t, true)
	lmtp := freeAddr(t)
	mta := startOpenSMTPD(t, []string{ann, ben, "dave@example.org", lost}, boxesAddr, outsideAddr, "", "127.0.0.1:2424", lmtp)
	h := startHouse(t, dbtest.DSN(t, "sqlite"), lmtp, boxesAddr, mta.smtp)
	throughMTA(t, h, mta, "by mx.example.org (OpenSMTPD)", outside, boxes)
}
