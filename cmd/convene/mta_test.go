package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/cmd/convene/catcher"
	"github.com/convene-server/convene/db/dbtest"
)

// The main job with a real mail server between Convene and the world, by the
// recipes of deploy/postfix: the invitation goes out by Convene's submission
// through Postfix, the answer comes in by Postfix's LMTP transport, the
// original is in the mailbox.
func TestPostfix(t *testing.T) {
	for _, mode := range []struct{ name, recipe, master, database string }{
		{"inline", "inline.cf", "", "sqlite"},
		{"inline", "inline.cf", "", "postgres"},
		{"copy", "copy.cf", "copy.master", "sqlite"},
	} {
		t.Run(mode.name+"/"+mode.database, func(t *testing.T) {
			outside, outsideAddr := startSink(t, false)
			boxes, boxesAddr := startSink(t, true)
			lmtp := freeAddr(t)
			deliverTo := ""
			if mode.name == "inline" {
				deliverTo = boxesAddr
			}
			mta := startPostfix(t, mode.recipe, mode.master, []string{ann, ben, "dave@example.org", lost}, outsideAddr,
				"127.0.0.1:2424", lmtp, "$mailbox_server", boxesAddr)
			h := startHouse(t, dbtest.DSN(t, mode.database), lmtp, deliverTo, mta.smtp)
			throughMTA(t, h, mta, "by mx.example.org (Postfix)", outside, boxes)
		})
	}
}

// throughMTA plays the main job with a mail server between Convene, the world
// outside and the mailboxes, until the recipe is taken out again. received is
// how the server signs what passes it.
func throughMTA(t *testing.T, h *house, mta *mta, received string, outside, boxes *catcher.Catcher) {
	send := func(from, to string, mail []byte) {
		t.Helper()
		if err := smtp.SendMail(mta.smtp, nil, from, []string{to}, mail); err != nil {
			t.Fatal(err)
		}
	}

	// Out: CalDAV PUT, through Postfix, to the sink.
	const uid = "plans-1@example.org"
	event := demoEvent(time.Now(), uid, "Plans", ann, ben, blue, carol, gone)
	if _, err := h.as(ann).put(t.Context(), calendarOf(ann)+"plans.ics", event, "If-None-Match", "*"); err != nil {
		t.Fatal(err)
	}
	invitation := waitMail(t, outside, carol, "REQUEST", "Plans")
	if !bytes.Contains(invitation.Raw, []byte(received)) {
		t.Error("the invitation did not go through the mail server")
	}
	h.eventually(ann, uid, carol, "NEEDS-ACTION")

	// Back: the mailbox that is no more.
	h.unreached(ann, uid, gone)
	if m := waitMail(t, boxes, ann, "", "Not delivered"); m.EnvelopeFrom != "" {
		t.Errorf("what tells her so came from %s", m.EnvelopeFrom)
	}

	// In: her mail program's answer.
	from, to, reply, err := invitation.Reply("ACCEPTED", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	send(from, to, reply)
	h.eventually(ann, uid, carol, "ACCEPTED")
	h.eventually(ben, uid, carol, "ACCEPTED") // the others learn of it
	original := waitMail(t, boxes, ann, "REPLY", "Accepted")
	sent, _, _ := bytes.Cut(reply, []byte("\r\n\r\n"))
	if !bytes.HasSuffix(original.Raw, reply[len(sent):]) {
		t.Errorf("the original was altered on its way to the mailbox:\n%s", original.Raw)
	}
	h.eventually(ann, uid, blue, "ACCEPTED")

	// From outside, to a person and to a room.
	const uid2 = "outside-1@example.net"
	request := outsideRequest(uid2, "Their plans", ann, blue)
	send(carol, ann, request)
	send(carol, blue, request)
	f := h.arrived(ann, uid2)
	answer := strings.Replace(string(f.Object.Bytes()), "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:"+ann, "PARTSTAT=ACCEPTED:mailto:"+ann, 1)
	if _, err := h.as(ann).put(t.Context(), f.Href, answer, "If-Match", f.ETag); err != nil {
		t.Fatal(err)
	}
	waitMail(t, boxes, ann, "REQUEST", "Their plans")
	waitReply(t, outside, uid2, ann, "ACCEPTED")
	waitReply(t, outside, uid2, blue, "ACCEPTED")
	for _, m := range boxes.Mails() {
		if m.Rcpt() == blue {
			t.Error("the room got a mail into a mailbox")
		}
	}

	// Mail that is none of Convene's business, for somebody it does
	// not know.
	send("eve@example.net", "dave@example.org", []byte("From: eve@example.net\r\nTo: dave@example.org\r\nSubject: lunch\r\n\r\nNow?\r\n"))
	waitMail(t, boxes, "dave@example.org", "", "lunch")
	if err := smtp.SendMail(mta.smtp, nil, "eve@example.net", []string{"nobody@example.org"}, []byte("Subject: x\r\n\r\nx\r\n")); err == nil || !strings.HasPrefix(err.Error(), "550") {
		t.Errorf("mail to nobody: %v, want 550", err)
	}
	// What the mailbox server refuses comes back to the sender, and nothing
	// else does: no copy for somebody without a calendar becomes a bounce.
	send("eve@example.net", lost, []byte("From: eve@example.net\r\nTo: "+lost+"\r\nSubject: dinner\r\n\r\nNow?\r\n"))
	waitMail(t, outside, "eve@example.net", "", "")
	time.Sleep(time.Second)
	for _, m := range outside.Mails() {
		if m.EnvelopeFrom == "" && (m.Rcpt() != "eve@example.net" || !bytes.Contains(m.Raw, []byte("dinner"))) {
			t.Errorf("a bounce went out:\n%s", m.Raw)
		}
	}

	// Uninstalled, mail flows as before: Convene gets none.
	mta.uninstall()
	h.Stop()
	for try := 1; ; try++ {
		// The first may meet the configuration that was.
		err := smtp.SendMail(mta.smtp, nil, carol, []string{ann}, outsideRequest(fmt.Sprintf("outside-%d@example.org", try), "Afterwards", ann))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, missing := boxes.Wait(ctx, func(m *catcher.Mail) bool {
			return m.Rcpt() == ann && m.Subject == "Afterwards" && !bytes.Contains(m.Raw, []byte("X-Convene-"))
		})
		cancel()
		if missing == nil {
			return
		}
		if try == 100 {
			t.Fatalf("no mail comes to the mailbox past Convene after the recipe went: %v", err)
		}
	}
}

// TestExim plays the same by the recipes of deploy/exim.
func TestExim(t *testing.T) {
	for _, mode := range []string{"inline", "copy"} {
		t.Run(mode, func(t *testing.T) {
			outside, outsideAddr := startSink(t, false)
			boxes, boxesAddr := startSink(t, true)
			lmtp := freeAddr(t)
			deliverTo := ""
			if mode == "inline" {
				deliverTo = boxesAddr
			}
			mta := startExim(t, "convene-"+mode, []string{ann, ben, "dave@example.org", lost}, boxesAddr, outsideAddr, "", "2424", port(lmtp))
			h := startHouse(t, dbtest.DSN(t, "sqlite"), lmtp, deliverTo, mta.smtp)
			throughMTA(t, h, mta, "by mx.example.org with esmtp (Exim", outside, boxes)
		})
	}
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// outsideRequest is an invitation that somebody's mail program sends.
func outsideRequest(uid, summary string, attendees ...string) []byte {
	day := time.Now().AddDate(0, 0, 20).UTC().Format("20060102")
	var b strings.Builder
	fmt.Fprintf(&b, "From: Carol <%s>\nTo: %s\nSubject: %s\nMessage-ID: <%s>\nDate: %s\nMIME-Version: 1.0\nContent-Type: text/calendar; charset=utf-8; method=REQUEST\n\n",
		carol, strings.Join(attendees, ", "), summary, uid, time.Now().Format(time.RFC1123Z))
	fmt.Fprintf(&b, "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Elsewhere//EN\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:%s\nDTSTAMP:%s\nDTSTART:%sT150000Z\nDTEND:%sT160000Z\nSUMMARY:%s\nORGANIZER;CN=Carol:mailto:%s\nATTENDEE;PARTSTAT=ACCEPTED:mailto:%s\n",
		uid, time.Now().UTC().Format("20060102T150405Z"), day, day, summary, carol, carol)
	for _, a := range attendees {
		fmt.Fprintf(&b, "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:%s\n", a)
	}
	b.WriteString("END:VEVENT\nEND:VCALENDAR\n")
	return []byte(strings.ReplaceAll(b.String(), "\n", "\r\n"))
}

// waitReply waits for somebody's answer to the organizer outside.
func waitReply(t *testing.T, c *catcher.Catcher, uid, attendee, partstat string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := c.Wait(ctx, func(m *catcher.Mail) bool {
		return m.Method == "REPLY" && m.Calendar.UID() == uid && partStats(m.Calendar)[attendee] == partstat
	})
	if err != nil {
		t.Fatalf("%s of %s: %v", partstat, attendee, err)
	}
}

// TestPostfixPipe is the main job where Postfix runs a program for each mail.
func TestPostfixPipe(t *testing.T) {
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	outside, outsideAddr := startSink(t, false)
	boxes, boxesAddr := startSink(t, true)
	dsn := dbtest.DSN(t, "sqlite")
	file := strings.TrimPrefix(dsn, "sqlite:")
	conf, err := os.CreateTemp("", "convene-*.toml") // where another user finds it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(conf.Name()) })
	mta := startPostfix(t, "pipe.cf", "pipe.master", []string{ann, ben, "dave@example.org", lost}, outsideAddr,
		"$mailbox_server", boxesAddr, "/usr/local/bin/convene", program, "/etc/convene/convene.toml", conf.Name(),
		"user=convene", "user=Debian-exim") // somebody who is neither root nor Postfix
	config := houseConfig(dsn, "", boxesAddr, mta.smtp)
	h := startHouseBy(t, config)
	if _, err := conf.WriteString(config); err != nil {
		t.Fatal(err)
	}
	// Where it is installed the server is the same user.
	for name, mode := range map[string]os.FileMode{conf.Name(): 0o644, program: 0o755, filepath.Dir(file): 0o777, file: 0o666, file + "-wal": 0o666, file + "-shm": 0o666} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	throughMTA(t, h, mta, "by mx.example.org (Postfix)", outside, boxes)
}
