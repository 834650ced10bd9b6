package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/convene-server/convene/db/dbtest"
)

// startOpenSMTPD runs the mail server of example.org by deploy/opensmtpd.
// Addresses in the recipe are replaced as with says.
func startOpenSMTPD(t *testing.T, mailboxes []string, boxes, outside string, with ...string) *mta {
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
	os.Remove(filepath.Join(m.dir, "etc/smtpd.conf")) // the package's own, linked
	m.file("etc/smtpd.conf", config(`include "/etc/convene.conf"`), 0o644)
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

// TestOpenSMTPD plays the main job by the recipe of deploy/opensmtpd.
func TestOpenSMTPD(t *testing.T) {
	outside, outsideAddr := startSink(t, false)
	boxes, boxesAddr := startSink(t, true)
	lmtp := freeAddr(t)
	mta := startOpenSMTPD(t, []string{ann, ben, "dave@example.org", lost}, boxesAddr, outsideAddr, "127.0.0.1:2424", lmtp)
	h := startHouse(t, dbtest.DSN(t, "sqlite"), lmtp, boxesAddr, mta.smtp)
	throughMTA(t, h, mta, "by mx.example.org (OpenSMTPD)", outside, boxes)
}
