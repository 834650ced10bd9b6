package main

import (
	"bytes"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db/dbtest"
)

// dovecot is a mailbox server in a root of its own.
type dovecot struct {
	lmtp     string // its address
	maildirs string // folder of all
	auth     string // socket at which mail servers ask whether a log-in is right
}

// startDovecot runs the mailbox server of example.org by deploy/dovecot.
func startDovecot(t *testing.T, mailboxes ...string) dovecot {
	t.Helper()
	root := unpacked(t, "dovecot", "usr/sbin/dovecot")
	m := &mta{t: t, smtp: freeAddr(t)}
	var err error
	m.dir, err = os.MkdirTemp(filepath.Join(root, "tmp"), "convene-")
	m.check(err)
	t.Cleanup(func() { os.RemoveAll(m.dir) })
	m.check(os.Chmod(m.dir, 0o755))
	const vmail = 65533 // in its root
	maildirs := filepath.Join(m.dir, "mail")
	m.check(os.Mkdir(maildirs, 0o755))
	m.check(os.Chown(maildirs, vmail, vmail))
	inside := strings.TrimPrefix(m.dir, root)
	users := ""
	for _, box := range mailboxes {
		users += box + ":{PLAIN}secret:65533:65533::" + inside + "/mail::\n"
	}
	m.file("users", users, 0o644)
	m.file("dovecot.conf", strings.ReplaceAll(`base_dir = DIR/run
state_dir = DIR/state
log_path = DIR/log
listen = 127.0.0.1
ssl = no
protocols =
default_internal_user = vmail
default_internal_group = vmail
default_login_user = vmail
first_valid_uid = 1
mail_location = maildir:DIR/mail/%u
passdb {
  driver = passwd-file
  args = DIR/users
}
userdb {
  driver = passwd-file
  args = DIR/users
}
service auth {
  unix_listener DIR/auth {
    mode = 0666
  }
}
!include DIR/90-convene.conf
`, "DIR", inside), 0o644)
	m.recipe("dovecot/convene.sieve", "convene.sieve")
	m.recipe("dovecot/90-convene.conf", "90-convene.conf", "/etc/dovecot/", inside+"/", "port = 24", "port = "+port(m.smtp))
	if out, err := exec.Command("chroot", root, "/usr/bin/sievec", "-c", inside+"/dovecot.conf", inside+"/convene.sieve").CombinedOutput(); err != nil {
		t.Fatalf("sievec: %v\n%s", err, out)
	}
	m.run(exec.Command("chroot", root, "/usr/sbin/dovecot", "-F", "-c", inside+"/dovecot.conf"), m.dir+"/log")
	return dovecot{m.smtp, maildirs, m.dir + "/auth"}
}

// TestDovecot is the whole way of a mail to a real mailbox: Exim, Convene,
// Dovecot, whose Sieve files it by what Convene says of it.
func TestDovecot(t *testing.T) {
	outside, outsideAddr := startSink(t, false)
	boxes := startDovecot(t, ann, ben)
	lmtp := freeAddr(t)
	mta := startExim(t, "convene-inline", []string{ann, ben, lost}, boxes.lmtp, outsideAddr, "", "2424", port(lmtp))
	h := startHouse(t, dbtest.DSN(t, "sqlite"), lmtp, boxes.lmtp, mta.smtp)
	send := func(to string, mail []byte) {
		t.Helper()
		if err := smtp.SendMail(mta.smtp, nil, carol, []string{to}, mail); err != nil {
			t.Fatal(err)
		}
	}
	// folder waits for the one mail in a folder of somebody's mailbox.
	folder := func(owner, name string) []byte {
		t.Helper()
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if files, _ := filepath.Glob(filepath.Join(boxes.maildirs, owner, name, "new", "*")); len(files) == 1 {
				data, err := os.ReadFile(files[0])
				if err != nil {
					t.Fatal(err)
				}
				return bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")) // as maildirs keep lines
			}
		}
		t.Fatalf("no mail in %q of %s", name, owner)
		return nil
	}
	has := func(mail []byte, want ...string) {
		t.Helper()
		for _, w := range want {
			if !bytes.Contains(mail, []byte("\r\n"+w+"\r\n")) {
				t.Errorf("no %q in\n%s", w, mail)
			}
		}
	}

	const uid = "dovecot-1@example.net"
	request := outsideRequest(uid, "Their plans", ann)
	send(ann, request)
	h.arrived(ann, uid)
	invitation := folder(ann, ".Calendar")
	has(invitation, "X-Convene-UID: "+uid, "X-Convene-Method: REQUEST", "X-Convene-Outcome: applied")
	if _, body, _ := bytes.Cut(request, []byte("\r\n\r\n")); !bytes.HasSuffix(invitation, body) {
		t.Errorf("the original was altered on its way to the mailbox:\n%s", invitation)
	}

	const uid2 = "dovecot-2@example.org"
	if _, err := h.as(ben).put(t.Context(), calendarOf(ben)+"plans.ics", demoEvent(time.Now(), uid2, "Plans", ben, carol), "If-None-Match", "*"); err != nil {
		t.Fatal(err)
	}
	_, to, reply, err := waitMail(t, outside, carol, "REQUEST", "Plans").Reply("ACCEPTED", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	send(to, reply)
	h.eventually(ben, uid2, carol, "ACCEPTED")
	has(folder(ben, ".Calendar.Answers"), "X-Convene-UID: "+uid2, "X-Convene-Method: REPLY", "X-Convene-Outcome: applied")

	// A field that says so is not believed, and other mail stays in the inbox.
	send(ben, []byte("From: "+carol+"\r\nTo: "+ben+"\r\nX-Convene-Outcome: applied\r\nSubject: lunch\r\n\r\nNow?\r\n"))
	if m := folder(ben, ""); !bytes.Contains(m, []byte("Subject: lunch")) || bytes.Contains(m, []byte("X-Convene-")) {
		t.Errorf("in the inbox is\n%s", m)
	}
	send(lost, []byte("From: "+carol+"\r\nTo: "+lost+"\r\nSubject: dinner\r\n\r\nNow?\r\n"))
	bounce := waitMail(t, outside, carol, "", "")
	if bounce.EnvelopeFrom != "" || !bytes.Contains(bounce.Raw, []byte("550 5.1.1")) {
		t.Errorf("what Dovecot refused came back as\n%s", bounce.Raw)
	}
}
