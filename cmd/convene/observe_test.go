package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/cmd/convene/catcher"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// What local users send from their mail program counts as if they had done it
// in the calendar, by the recipes for the submission service with its TLS and
// its log-in, for which Postfix asks Dovecot: by a copy, and by milter.
func TestPostfixObserve(t *testing.T) {
	auth := startDovecot(t, ann, ben).auth
	for _, by := range []string{"submission.master", "milter.master"} {
		t.Run(by, func(t *testing.T) {
			outside, outsideAddr := startSink(t, false)
			boxes, boxesAddr := startSink(t, true)
			lmtp, observe, milter, submission := freeAddr(t), freeAddr(t), freeAddr(t), freeAddr(t)
			mta := startPostfix(t, "inline.cf", by, []string{ann, ben}, outsideAddr,
				"127.0.0.1:2424", lmtp, "127.0.0.1:2425", observe, "127.0.0.1:2426", milter, "$mailbox_server", boxesAddr, "$log_in", auth,
				"submission inet", submission+" inet", "# transport_maps = ", "transport_maps = ")
			config := houseConfig(dbtest.DSN(t, "sqlite"), lmtp, boxesAddr, mta.smtp, "observe = \""+observe+"\"")
			if by == "milter.master" {
				config = strings.Replace(config, "observe = \""+observe+"\"", "[milter]\nlisten = \""+milter+"\"", 1)
			}
			h := startObserving(t, config)
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(mta.certificate)
			send := func(login, from string, to []string, mail []byte) error {
				c, err := smtp.Dial(submission)
				if err != nil {
					return err
				}
				defer c.Close()
				if ok, _ := c.Extension("AUTH"); ok {
					t.Error("a log-in is offered without TLS")
				}
				if err := c.StartTLS(&tls.Config{RootCAs: roots, ServerName: "mx.example.org"}); err != nil {
					return err
				}
				err = submit(c, login, from, to, mail)
				if login != from && err == nil {
					t.Errorf("who logs in as %q may send as %s", login, from)
				}
				return err
			}
			observed(t, h, mta.smtp, send, outside, boxes)

			// Whatever is the matter with Convene, what users send goes out.
			h.Stop()
			if err := send(ann, ann, []string{carol}, []byte("From: "+ann+"\r\nTo: "+carol+"\r\nSubject: without it\r\n\r\n.\r\n")); err != nil {
				t.Error(err)
			}
			waitMail(t, outside, carol, "", "without it")
		})
	}
}

// TestEximObserve is Exim's recipe for the same.
func TestEximObserve(t *testing.T) {
	outside, outsideAddr := startSink(t, false)
	boxes, boxesAddr := startSink(t, true)
	lmtp, observe := freeAddr(t), freeAddr(t)
	mta := startExim(t, "convene-inline", []string{ann, ben}, boxesAddr, outsideAddr, "convene-observe", "2424", port(lmtp), "2425", port(observe))
	h := startObserving(t, houseConfig(dbtest.DSN(t, "sqlite"), lmtp, boxesAddr, mta.smtp, "observe = \""+observe+"\""))
	observed(t, h, mta.smtp, func(login, from string, to []string, mail []byte) error {
		c, err := smtp.Dial(mta.smtp)
		if err != nil {
			return err
		}
		defer c.Close()
		return submit(c, login, from, to, mail)
	}, outside, boxes)
}

// startObserving starts a house that sends nothing for an hour: what it would
// send stands in its queue.
func startObserving(t *testing.T, config string) *house {
	t.Helper()
	return startHouseBy(t, strings.Replace(config, `coalesce = "0s"`, `coalesce = "1h"`, 1))
}

// submit sends one mail as a mail program does, with a log-in where one is given.
func submit(c *smtp.Client, login, from string, to []string, mail []byte) error {
	if login != "" {
		if err := c.Auth(smtp.PlainAuth("", login, "secret", "127.0.0.1")); err != nil {
			return err
		}
	}
	if err := c.Mail(from); err != nil {
		return err
	}
	for _, rcpt := range to {
		if err := c.Rcpt(rcpt); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(mail); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// certificate makes a server's key and certificate, both as PEM.
func certificate(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048) // OpenSMTPD 6.8 cannot use others with OpenSSL 3
	if err != nil {
		t.Fatal(err)
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, x, x, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// programMail is an iTIP message that a local user's mail program sends.
func programMail(from string, to []string, method, uid, lines string) []byte {
	var b strings.Builder
	day := time.Now().AddDate(0, 0, 20).UTC().Format("20060102")
	now := time.Now().UTC()
	fmt.Fprintf(&b, "From: %s\nTo: %s\nSubject: %s of %s\nMessage-ID: <%d.%s>\nDate: %s\nMIME-Version: 1.0\nContent-Type: text/calendar; charset=utf-8; method=%s\n\n",
		from, strings.Join(to, ", "), method, uid, now.UnixNano(), from, now.Format(time.RFC1123Z), method)
	fmt.Fprintf(&b, "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Mail program//EN\nMETHOD:%s\nBEGIN:VEVENT\nUID:%s\nDTSTAMP:%s\nDTSTART:%sT150000Z\nDTEND:%sT160000Z\n%sEND:VEVENT\nEND:VCALENDAR\n",
		method, uid, now.Format("20060102T150405Z"), day, day, lines)
	return []byte(strings.ReplaceAll(b.String(), "\n", "\r\n"))
}

// observed plays what users do in their mail programs through a submission
// service: what they sent has happened, here and outside exactly once. submit
// sends a mail with a log-in, mx is the server's port 25.
func observed(t *testing.T, h *house, mx string, submit func(login, from string, to []string, mail []byte) error, outside, boxes *catcher.Catcher) {
	t.Helper()
	send := func(login, from string, mail []byte, to ...string) {
		t.Helper()
		if err := submit(login, from, to, mail); err != nil {
			t.Fatal(err)
		}
	}
	// once waits for a mail outside and fails if it comes by the calendar too.
	once := func(uid, method string) *catcher.Mail {
		t.Helper()
		of := func(m *catcher.Mail) bool { return m.Method == method && m.Calendar.UID() == uid }
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if _, err := outside.Wait(ctx, of); err != nil {
			t.Fatalf("%s of %s outside: %v; %s", method, uid, err, h.why(uid))
		}
		h.unsent(0)
		var all []*catcher.Mail
		for _, m := range outside.Mails() {
			if of(m) {
				all = append(all, m)
			}
		}
		if len(all) != 1 {
			t.Errorf("outside came %d mails with %s of %s", len(all), method, uid)
		}
		return all[0]
	}

	// She answers an invitation; her calendar program then stores the same.
	const theirs = "theirs@example.net"
	if err := smtp.SendMail(mx, nil, carol, []string{ann}, outsideRequest(theirs, "Their plans", ann)); err != nil {
		t.Fatal(err)
	}
	h.arrived(ann, theirs)
	from, to, reply, err := waitMail(t, boxes, ann, "REQUEST", "Their plans").Reply("TENTATIVE", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	send(ann, from, reply, to)
	h.eventually(ann, theirs, ann, "TENTATIVE")
	once(theirs, "REPLY")
	f := h.arrived(ann, theirs)
	if _, err := h.as(ann).put(t.Context(), f.Href, string(f.Object.Bytes()), "If-Match", f.ETag); err != nil {
		t.Fatal(err)
	}
	h.unsent(0)

	// She invites.
	const hers = "hers@example.org"
	guests := "ORGANIZER:mailto:" + ann + "\nATTENDEE;PARTSTAT=ACCEPTED:mailto:" + ann + "\nATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:" + ben + "\nATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:" + carol + "\n"
	send(ann, ann, programMail(ann, []string{ben, carol}, "REQUEST", hers, "SEQUENCE:0\nSUMMARY:Plans\n"+guests), ben, carol)
	h.eventually(ann, hers, carol, "NEEDS-ACTION")
	h.eventually(ben, hers, ben, "NEEDS-ACTION")
	waitMail(t, boxes, ben, "REQUEST", hers)
	from, to, reply, err = once(hers, "REQUEST").Reply("ACCEPTED", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := smtp.SendMail(mx, nil, from, []string{to}, reply); err != nil {
		t.Fatal(err)
	}
	h.eventually(ann, hers, carol, "ACCEPTED")

	// She moves it in the calendar program, which sends the mail too: the mail
	// that waits is taken back.
	f = h.arrived(ann, hers)
	moved := strings.Replace(string(f.Object.Bytes()), "SUMMARY:Plans\r\n", "SUMMARY:Plans\r\nLOCATION:Hall\r\n", 1)
	moved = strings.Replace(moved, "SEQUENCE:0", "SEQUENCE:1", 1)
	if _, err := h.as(ann).put(t.Context(), f.Href, moved, "If-Match", f.ETag); err != nil {
		t.Fatal(err)
	}
	h.unsent(1)
	send(ann, ann, programMail(ann, []string{ben, carol}, "REQUEST", hers, "SEQUENCE:1\nSUMMARY:Plans\nLOCATION:Hall\n"+strings.Replace(guests, "NEEDS-ACTION;RSVP=TRUE:mailto:"+carol, "ACCEPTED:mailto:"+carol, 1)), ben, carol)
	h.unsent(0)
	if got := h.arrived(ben, hers).Object.First().Value("LOCATION"); got != "Hall" {
		t.Errorf("Ben's copy is in %q", got)
	}

	// Nobody else calls it off: neither who has no log-in or another's (his mail
	// is refused, or it is not looked at), nor who comes by port 25.
	cancel := programMail(ann, []string{ben, carol}, "CANCEL", hers, "SEQUENCE:2\n"+guests)
	submit("", ann, []string{carol}, cancel)
	submit(ben, ann, []string{carol}, cancel)
	before := h.ignored(hers)
	send(ben, ben, cancel, carol) // From is Ann all the same
	h.moreIgnored(hers, before)
	before = h.ignored(hers)
	if err := smtp.SendMail(mx, nil, ann, []string{ben}, append([]byte("X-Forged: yes\r\n"), cancel...)); err != nil {
		t.Fatal(err)
	}
	h.moreIgnored(hers, before)
	forged := programMail(ann, []string{ben, carol}, "REQUEST", "forged@example.org", guests)
	if err := smtp.SendMail(mx, nil, ann, []string{ben}, forged); err != nil {
		t.Fatal(err)
	}
	h.moreIgnored("forged@example.org", 0)
	for _, who := range []string{ann, ben} {
		if _, err := h.as(who).event(t.Context(), calendarOf(who), "forged@example.org"); err == nil {
			t.Errorf("%s has what somebody else sent in Ann's name", who)
		}
		if got := h.arrived(who, hers).Object.First().Value("STATUS"); got == "CANCELLED" {
			t.Errorf("%s has called off what Ann has not", who)
		}
	}

	// She does.
	send(ann, ann, append([]byte("X-Mailer: hers\r\n"), cancel...), ben, carol)
	h.gone(ann, hers)
	h.gone(ben, hers)
	h.unsent(0)
}

// unsent waits until so many mails stand in the queue.
func (h *house) unsent(want int) {
	h.t.Helper()
	got := -1
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		err := h.Store.Read(h.t.Context(), func(tx *db.Tx) error {
			rows, err := tx.Deliveries(0, 10)
			got = len(rows)
			return err
		})
		if err != nil {
			h.t.Fatal(err)
		}
		if got == want {
			return
		}
	}
	h.t.Fatalf("%d mails are in the queue, not %d", got, want)
}

// ignored counts the messages about a UID that changed nothing.
func (h *house) ignored(uid string) (n int) {
	h.t.Helper()
	err := h.Store.Read(h.t.Context(), func(tx *db.Tx) error {
		rows, err := tx.Decisions(uid, 100)
		n = 0
		for _, d := range rows {
			if d.Direction != "out" && d.Outcome == "ignored" {
				n++
			}
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *house) moreIgnored(uid string, before int) {
	h.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if h.ignored(uid) > before {
			return
		}
	}
	h.t.Fatalf("nothing was ignored; %s", h.why(uid))
}

// gone waits until somebody's event is called off or not there any more.
func (h *house) gone(owner, uid string) {
	h.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		list, err := h.as(owner).query(h.t.Context(), calendarOf(owner), uid)
		if err == nil && (len(list) == 0 || list[0].Object.First().Value("STATUS") == "CANCELLED") {
			return
		}
	}
	h.t.Fatalf("%s still has it; %s", owner, h.why(uid))
}
