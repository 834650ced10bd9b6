package main

import (
	"bytes"
	"context"
	"net/smtp"
	"strings"
	"testing"

	"github.com/convene-server/convene/cmd/convene/catcher"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory"
)

// What a mail server says beyond plain SMTP, in both directions, with a real
// one: several recipients at once with a verdict each (PIPELINING), octets
// beyond ASCII (8BITMIME) in addresses too (SMTPUTF8), and how large a mail is
// (SIZE).
func TestPostfixExtensions(t *testing.T) {
	const joerg, kaethe = "jörg@example.org", "käthe@example.net"
	outside, outsideAddr := startSink(t, false)
	boxes, boxesAddr := startSink(t, true)
	lmtp := freeAddr(t)
	mta := startPostfix(t, "inline.cf", "", []string{ann, ben, joerg, lost}, outsideAddr, "127.0.0.1:2424", lmtp, "$mailbox_server", boxesAddr)
	h := startHouse(t, dbtest.DSN(t, "sqlite"), lmtp, boxesAddr, mta.smtp)
	password, err := directory.HashPassword(demoPasswords[ann])
	if err != nil {
		t.Fatal(err)
	}
	err = h.Store.Write(t.Context(), nil, func(tx *db.Tx) error {
		return directory.Add(tx, &db.Principal{Address: joerg, Name: "Jörg", Kind: db.Person, MailCopies: "never", Password: password}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	wait := func(c *catcher.Catcher, what string, want func(*catcher.Mail) bool) *catcher.Mail {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		m, err := c.Wait(ctx, want)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return m
	}

	request := outsideRequest("everybody@example.net", "All of us, grün", ann, ben)
	if err := smtp.SendMail(mta.smtp, nil, carol, []string{ann, lost, ben}, request); err != nil {
		t.Fatal(err)
	}
	h.arrived(ann, "everybody@example.net")
	h.arrived(ben, "everybody@example.net")
	for _, who := range []string{ann, ben} {
		m := wait(boxes, "to "+who, func(m *catcher.Mail) bool { return m.Rcpt() == who })
		if _, body, _ := bytes.Cut(request, []byte("\r\n\r\n")); !bytes.HasSuffix(m.Raw, body) {
			t.Errorf("the original for %s was altered:\n%s", who, m.Raw)
		}
	}
	bounce := wait(outside, "a bounce", func(m *catcher.Mail) bool { return m.EnvelopeFrom == "" && m.Rcpt() == carol })
	if !bytes.Contains(bounce.Raw, []byte(lost)) || bytes.Contains(bounce.Raw, []byte("Final-Recipient: rfc822; "+ann)) {
		t.Errorf("the bounce:\n%s", bounce.Raw)
	}

	theirs := bytes.ReplaceAll(outsideRequest("utf8@example.net", "Grüße", joerg), []byte(carol), []byte(kaethe))
	if err := smtp.SendMail(mta.smtp, nil, kaethe, []string{joerg}, theirs); err != nil {
		t.Fatal(err)
	}
	wait(boxes, "to Jörg", func(m *catcher.Mail) bool { return m.Rcpt() == joerg && m.EnvelopeFrom == kaethe })
	as := davClient{base: "http://" + h.HTTP.String(), user: joerg, password: demoPasswords[ann]}
	f, err := as.event(t.Context(), calendarOf(joerg), "utf8@example.net")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := as.put(t.Context(), f.Href, accepting(f.Object, joerg), "If-Match", f.ETag); err != nil {
		t.Fatal(err)
	}
	wait(outside, "Jörg's answer", func(m *catcher.Mail) bool {
		return m.Method == "REPLY" && m.Rcpt() == kaethe && partStats(m.Calendar)[joerg] == "ACCEPTED"
	})

	// What is too large for Convene is refused by its size alone, and comes back.
	large := append([]byte("From: "+carol+"\r\nTo: "+ann+"\r\nSubject: large\r\n\r\n"), bytes.Repeat([]byte(strings.Repeat("x", 998)+"\r\n"), 53*1024)...)
	if err := smtp.SendMail(mta.smtp, nil, "eve@example.net", []string{ann}, large); err != nil {
		t.Fatal(err)
	}
	bounce = wait(outside, "the large mail", func(m *catcher.Mail) bool { return m.EnvelopeFrom == "" && m.Rcpt() == "eve@example.net" })
	if !bytes.Contains(bounce.Raw, []byte("5.3.4")) {
		t.Errorf("the large mail came back as\n%.3000s", bounce.Raw)
	}
}
