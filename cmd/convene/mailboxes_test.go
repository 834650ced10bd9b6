package main

import (
	"bytes"
	"fmt"
	"net/smtp"
	"os"
	"testing"
	"time"

	"github.com/convene-server/convene/cmd/convene/catcher"
	"github.com/convene-server/convene/db/dbtest"
)

// mailboxes is a real mailbox server.
type mailboxes struct {
	lmtp string // its address
	auth string // socket at which mail servers ask whether a log-in is right

	// files names the mails in a folder of somebody's; "" is the inbox.
	files func(owner, folder string) []string
}

// look returns the mail in a folder in which stands some text, nil without it.
func (b mailboxes) look(t *testing.T, owner, folder, text string) []byte {
	t.Helper()
	for _, file := range b.files(owner, folder) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(text)) {
			data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) // as maildirs keep lines
			return bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
		}
	}
	return nil
}

// wait waits for it.
func (b mailboxes) wait(t *testing.T, owner, folder, text string) []byte {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if mail := b.look(t, owner, folder, text); mail != nil {
			return mail
		}
	}
	t.Fatalf("no mail with %q in %q of %s", text, folder, owner)
	return nil
}

// TestDovecot is the whole way of a mail to a real mailbox: Exim, Convene,
// Dovecot, whose Sieve files it by what Convene says of it.
func TestDovecot(t *testing.T) {
	outside, outsideAddr := startSink(t, false)
	boxes := startDovecot(t, ann, ben)
	lmtp := freeAddr(t)
	mta := startExim(t, "convene-inline", []string{ann, ben, lost}, boxes.lmtp, outsideAddr, "", "2424", port(lmtp))
	h := startHouse(t, dbtest.DSN(t, "sqlite"), lmtp, boxes.lmtp, mta.smtp)
	toMailboxes(t, h, mta, outside, boxes)
}

// TestCyrus is the same with Postfix and Cyrus imapd.
func TestCyrus(t *testing.T) {
	outside, outsideAddr := startSink(t, false)
	boxes := startCyrus(t, ann, ben)
	lmtp := freeAddr(t)
	mta := startPostfix(t, "inline.cf", "", []string{ann, ben, lost}, outsideAddr, "127.0.0.1:2424", lmtp, "$mailbox_server", boxes.lmtp)
	h := startHouse(t, dbtest.DSN(t, "sqlite"), lmtp, boxes.lmtp, mta.smtp)
	toMailboxes(t, h, mta, outside, boxes)
}

// toMailboxes plays what comes into real mailboxes: invitation, answer, other
// mail, what the mailbox server refuses, and mail after Convene is gone.
func toMailboxes(t *testing.T, h *house, mta *mta, outside *catcher.Catcher, boxes mailboxes) {
	send := func(to string, mail []byte) {
		t.Helper()
		if err := smtp.SendMail(mta.smtp, nil, carol, []string{to}, mail); err != nil {
			t.Fatal(err)
		}
	}
	has := func(mail []byte, want ...string) {
		t.Helper()
		for _, w := range want {
			if !bytes.Contains(mail, []byte("\r\n"+w+"\r\n")) {
				t.Errorf("no %q in\n%s", w, mail)
			}
		}
	}

	const uid = "mailbox-1@example.net"
	request := outsideRequest(uid, "Their plans", ann)
	send(ann, request)
	h.arrived(ann, uid)
	invitation := boxes.wait(t, ann, "Calendar", "Their plans")
	has(invitation, "X-Convene-UID: "+uid, "X-Convene-Method: REQUEST", "X-Convene-Outcome: applied")
	if _, body, _ := bytes.Cut(request, []byte("\r\n\r\n")); !bytes.HasSuffix(invitation, body) {
		t.Errorf("the original was altered on its way to the mailbox:\n%s", invitation)
	}

	const uid2 = "mailbox-2@example.org"
	if _, err := h.as(ben).put(t.Context(), calendarOf(ben)+"plans.ics", demoEvent(time.Now(), uid2, "Plans", ben, carol), "If-None-Match", "*"); err != nil {
		t.Fatal(err)
	}
	_, to, reply, err := waitMail(t, outside, carol, "REQUEST", "Plans").Reply("ACCEPTED", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	send(to, reply)
	h.eventually(ben, uid2, carol, "ACCEPTED")
	has(boxes.wait(t, ben, "Calendar.Answers", "Plans"), "X-Convene-UID: "+uid2, "X-Convene-Method: REPLY", "X-Convene-Outcome: applied")

	// A field that says so is not believed, and other mail stays in the inbox.
	send(ben, []byte("From: "+carol+"\r\nTo: "+ben+"\r\nX-Convene-Outcome: applied\r\nSubject: lunch\r\n\r\nNow?\r\n"))
	if m := boxes.wait(t, ben, "", "Subject: lunch"); bytes.Contains(m, []byte("X-Convene-")) {
		t.Errorf("in the inbox is\n%s", m)
	}
	send(lost, []byte("From: "+carol+"\r\nTo: "+lost+"\r\nSubject: dinner\r\n\r\nNow?\r\n"))
	bounce := waitMail(t, outside, carol, "", "")
	if bounce.EnvelopeFrom != "" || !bytes.Contains(bounce.Raw, []byte("5.1.1")) {
		t.Errorf("what the mailbox server refused came back as\n%s", bounce.Raw)
	}

	mta.uninstall()
	h.Stop()
	var after []byte
	for try := 1; after == nil; try++ {
		// The first may meet the configuration that was, and wait in its queue.
		err := smtp.SendMail(mta.smtp, nil, carol, []string{ann}, outsideRequest(fmt.Sprintf("after-%d@example.net", try), "Afterwards", ann))
		for range 20 {
			if after = boxes.look(t, ann, "", "Afterwards"); after != nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if after == nil && try == 100 {
			t.Fatalf("no mail comes to the mailbox after the recipe went: %v", err)
		}
	}
	if bytes.Contains(after, []byte("X-Convene-")) {
		t.Errorf("Convene still had it in its hands:\n%s", after)
	}
}
