package imipbridge

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/ics"
)

// automatic are mails that nobody wrote, with the header fields that their
// programs send: SENDER, ID and CALENDAR stand for whom and what they are about.
var automatic = map[string]string{
	"Outlook's read receipt": `From: Cleo Clark <SENDER>
Subject: Read: Invitation: Budget
Message-ID: <a1@corp.example>
In-Reply-To: <ID>
References: <ID>
X-MS-Exchange-Organization-SCL: -1
X-Auto-Response-Suppress: All
MIME-Version: 1.0
Content-Type: multipart/report; boundary="_000_x"; report-type=disposition-notification

--_000_x
Content-Type: text/plain; charset="us-ascii"

Your message
   To: Cleo Clark
was read on Monday.

--_000_x
Content-Type: message/disposition-notification

Reporting-UA: corp.example; Microsoft Outlook
Final-recipient: RFC822; SENDER
Disposition: automatic-action/MDN-sent-automatically; displayed
X-MSExch-Correlation-Key: x
Original-Message-ID: <ID>

--_000_x
Content-Type: message/rfc822

From: Ann <ann@example.org>
Content-Type: text/calendar; method=REPLY

CALENDAR
--_000_x--
`,
	"Thunderbird's receipt, deleted unread": `From: SENDER
Subject: Return Receipt (displayed) - Invitation: Budget
Message-ID: <a2@corp.example>
References: <ID>
Mime-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification;
 boundary="---mdn2"

-----mdn2
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: quoted-printable

This is a Return Receipt.

-----mdn2
Content-Type: message/disposition-notification; name="MDNPart2.txt"
Content-Disposition: inline

Reporting-UA: corp.example; Mozilla Thunderbird
Final-Recipient: rfc822;SENDER
Original-Message-ID: <ID>
Disposition: manual-action/MDN-sent-manually; deleted

-----mdn2
Content-Type: text/rfc822-headers; name="MDNPart3.txt"

Subject: Invitation: Budget

-----mdn2--
`,
	"Exchange's out of office": `From: Cleo Clark <SENDER>
Subject: Automatic reply: Invitation: Budget
Message-ID: <a3@corp.example>
In-Reply-To: <ID>
X-Auto-Response-Suppress: All
auto-submitted: auto-generated
X-MS-Exchange-Inbox-Rules-Loop: SENDER
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="_002_x"

--_002_x
Content-Type: text/plain; charset="iso-8859-1"

I am away until Monday.
--_002_x
Content-Type: text/html; charset="iso-8859-1"

<p>I am away until Monday.</p>
--_002_x--
`,
	"Gmail's vacation responder": `From: Cleo Clark <SENDER>
Subject: Away Re: Invitation: Budget
Message-ID: <a4@mail.gmail.example>
In-Reply-To: <ID>
References: <ID>
Precedence: bulk
X-Autoreply: yes
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: text/plain; charset="UTF-8"

I am away.
`,
	"Sieve's vacation, with the mail": `From: SENDER
Subject: Auto: Invitation: Budget
Message-ID: <a5@dovecot.example>
In-Reply-To: <ID>
Auto-Submitted: auto-replied (vacation)
X-Sieve: Pigeonhole Sieve 0.5.19
Precedence: bulk
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=v

--v
Content-Type: text/plain; charset=utf-8

Gone fishing.
--v
Content-Type: message/rfc822

Subject: Invitation: Budget
Content-Type: text/calendar; method=REPLY

CALENDAR
--v--
`,
	"a challenge for the sender": `From: "Spam filter" <SENDER>
Subject: Please confirm your message
Message-ID: <a6@filter.example>
Auto-Submitted: auto-replied
Content-Type: text/plain

Click here.
`,
	"a list's post": `From: SENDER
To: all@lists.example
Subject: [all] minutes
Message-ID: <a7@lists.example>
List-Id: Everybody <all.lists.example>
List-Post: <mailto:all@lists.example>
List-Unsubscribe: <mailto:all-leave@lists.example>
Precedence: list
X-Mailman-Version: 3.3.8
Sender: all-bounces@lists.example
Content-Type: text/plain

the minutes
`,
	"a list's digest with an invitation in it": `From: all-request@lists.example
To: all@lists.example
Subject: all Digest, Vol 3, Issue 1
Message-ID: <a8@lists.example>
List-Id: <all.lists.example>
Precedence: list
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="===d=="

--===d==
Content-Type: text/plain; charset="utf-8"

Today's Topics:
--===d==
Content-Type: multipart/digest; boundary="===e=="

--===e==

From: SENDER
Subject: Accepted: Budget
Content-Type: text/calendar; method=REPLY

CALENDAR
--===e==--
--===d==--
`,
}

// Receipts, vacation notes and list mail change nothing, are answered by nobody
// and reach a person as they came; at our own addresses they end.
func TestAutomaticMail(t *testing.T) {
	const dora = "dora@elsewhere.example"
	one(t, func(h *house) {
		h.persons("ann", dora)
		h.add(db.Room, "blue")
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo, "blue@example.org")))
		h.put(dora, event("", "u2", organizer(dora)+attendees(cleo)))
		h.work()
		out := h.relay.all()
		var invitation caught
		for _, m := range out {
			if strings.HasPrefix(m.from, "calendar+b") && strings.HasSuffix(string(m.from), "@example.org") && h.parsed(m).From.Address.Mail() == ann {
				invitation = m
			}
		}
		verp := invitation.from
		var token string
		for _, m := range out {
			if a := ics.Organizer(h.parsed(m).Objects[0].Master()).Mail(); strings.HasPrefix(a, "calendar+r") {
				token = a
			}
		}
		if verp == "" || token == "" {
			t.Fatalf("VERP %q, token %q", verp, token)
		}
		state := func() string {
			return fmt.Sprintf("%s\n%s\n%s\n%d", h.copyOf("ann", "u1").Bytes(), h.copyOf(dora, "u2").Bytes(), h.copyOf("blue", "u1").Bytes(), len(h.queue()))
		}
		before := state()
		accepted := event("REPLY", "u1", organizer(ann)+answered(cleo, "ACCEPTED"))
		for what, text := range automatic {
			data := crlf(strings.NewReplacer("SENDER", cleo, "ID", h.parsed(invitation).MessageID, "CALENDAR\n", accepted).Replace(text))
			for _, to := range []string{ann, "blue@example.org", verp, token} {
				for _, from := range []string{"", cleo} {
					if from != "" && (to == token || to == verp) && strings.HasPrefix(what, "a list") {
						continue // nobody subscribes them; by hand it is a letter to the organizer
					}
					h.want(what+": verdict", h.give(from, data, to)[to], "250")
					got := h.nextHop.all()
					switch {
					case to == ann && (len(got) != 1 || got[0].rcpt != ann || !bytes.HasSuffix(got[0].data, data)):
						t.Errorf("%s to %s: %d mails, or not as it came", what, to, len(got))
					case (to == verp || to == "blue@example.org") && len(got) != 0:
						t.Errorf("%s to %s goes on to %s", what, to, got[0].rcpt)
					}
					h.work()
					h.want(what+": answers", len(h.relay.all()), 0)
				}
			}
			if got := state(); got != before {
				t.Fatalf("%s changed something:\n%s\nwas\n%s", what, got, before)
			}
		}
	})
}

// Reports about one of our mails, as mail servers write them: what is final
// becomes the status of that attendee, what is not changes nothing but the
// record.
func TestDeliveryReports(t *testing.T) {
	report := func(groups ...string) []byte {
		return crlf("Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net (Mail Delivery System)\nSubject: Delivery Status Notification\nMessage-ID: <dsn@mx.example.net>\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n" +
			"Content-Type: multipart/report; report-type=delivery-status; boundary=\"r\"\n\n--r\nContent-Type: text/plain\n\nThis is the mail system.\n--r\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\nArrival-Date: Mon, 2 Mar 2026 08:00:00 +0000\n\n" +
			strings.Join(groups, "\n") + "\n--r\nContent-Type: text/rfc822-headers\n\nSubject: Invitation\n\n--r--\n")
	}
	group := func(rcpt, action, status string) string {
		return "Original-Recipient: rfc822;" + rcpt + "\nFinal-Recipient: rfc822; " + rcpt + "\nAction: " + action + "\nStatus: " + status + "\nRemote-MTA: dns; mx.example.net\nDiagnostic-Code: smtp; 550-" + status + " first line\n    550 " + status + " second line\n"
	}
	each(t, func(h *house) {
		h.persons("ann")
		n := 0
		test := func(what, status, rule string, groups ...string) {
			h.Helper()
			n++
			uid := fmt.Sprint("u", n)
			h.put("ann", event("", uid, organizer(ann)+attendees(ann, cleo, "finn@example.net")))
			h.work()
			verp := h.to(cleo, h.relay.all()).from
			data := report(groups...)
			for range 2 { // once more, as mail comes
				h.want(what, h.give("", data, verp)[verp], "250")
			}
			h.want(what+": status", h.status("ann", uid, cleo), status)
			h.want(what+": the other one's", h.status("ann", uid, "finn@example.net"), "1.1")
			found := 0
			for _, line := range h.decisions(uid) {
				if strings.HasSuffix(line, rule) && strings.HasPrefix(line, "in ") {
					found++
				}
			}
			h.want(what+": on record in "+strings.Join(h.decisions(uid), "; "), found > 0, true)
			h.want(what+": consumed", h.nextHop.rcpts(), "")
			notices := 1
			if status == "1.1" {
				notices = 0
			}
			h.work()
			h.want(what+": told", len(h.relay.all()), notices)
		}
		test("delayed", "1.1", "delivery report: delayed", group(cleo, "delayed", "4.4.1"))
		test("relayed", "1.1", "delivery report: relayed", group(cleo, "relayed", "2.0.0"))
		test("expanded", "1.1", "delivery report: expanded", group(cleo, "expanded", "2.0.0"))
		test("delivered", "1.1", "delivery report: delivered", group(cleo, "delivered", "2.0.0"))
		test("no such mailbox", "5.2", "delivery report: 5.2", group(cleo, "failed", "5.1.1"))
		test("expired", "5.1", "delivery report: 5.1", group(cleo, "failed", "4.4.7"))
		test("policy", "5.3", "delivery report: 5.3", group(cleo, "failed", "5.7.1"))
		test("full", "5.1", "delivery report: 5.1", group(cleo, "failed", "5.2.2"))
		test("two of whom he is one", "5.2", "delivery report: 5.2", group("x@example.net", "delivered", "2.0.0"), group(cleo, "failed", "5.1.1"))
		test("two of whom he is none, one reached", "1.1", "delivery report: failed, delivered", group("x@example.net", "failed", "5.1.1"), group("y@example.net", "delivered", "2.0.0"))
		test("two of whom he is none, none reached", "5.2", "delivery report: 5.2", group("x@example.net", "failed", "5.1.1"), group("y@example.net", "failed", "5.1.1"))
		test("nobody", "1.1", "delivery report: nothing final")
	})
}

// What mail servers say in words alone, without a part for programs: it becomes
// the status as a report does, if it comes as reports come.
func TestWordedReports(t *testing.T) {
	words := func(from, subject, text string) []byte {
		return crlf("From: " + from + "\nSubject: " + subject + "\nMessage-ID: <w@mx.example.net>\n\n" + text + "\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <x@example.net>\nSubject: delivery is delayed, will be retried\n")
	}
	const daemon, failed = "MAILER-DAEMON@mx.example.net", "failure notice"
	one(t, func(h *house) {
		h.persons("ann")
		n := 0
		test := func(what, status, rule, envelope string, data []byte) {
			h.Helper()
			n++
			uid := fmt.Sprint("u", n)
			h.put("ann", event("", uid, organizer(ann)+attendees(ann, cleo, "finn@example.net")))
			h.work()
			verp := h.to(cleo, h.relay.all()).from
			for range 2 { // once more, as mail comes
				h.want(what, h.give(envelope, data, verp)[verp], "250")
			}
			h.want(what+": status", h.status("ann", uid, cleo), status)
			h.want(what+": the other one's", h.status("ann", uid, "finn@example.net"), "1.1")
			found := false
			for _, line := range h.decisions(uid) {
				found = found || strings.HasPrefix(line, "in ") && strings.HasSuffix(line, rule)
			}
			h.want(what+": on record in "+strings.Join(h.decisions(uid), "; "), found, true)
			notices := 1
			if status == "1.1" {
				notices = 0
			}
			h.work()
			h.want(what+": told", len(h.relay.all()), notices)
		}
		test("qmail", "5.2", "delivery report: 5.2", "", words(daemon, failed, "Hi. This is the qmail-send program.\n<"+cleo+">:\nSorry, no mailbox here by that name. (#5.1.1)"))
		test("given up", "5.1", "delivery report: 5.1", "", words(daemon, failed, "I'm not going to try again; this message has been in the queue too long.\n451 4.4.2"))
		test("refused", "5.3", "delivery report: 5.3", "", words(daemon, failed, "host mx said: 554 5.7.1 no"))
		test("no reason told", "5.1", "delivery report: 5.1", "", words(daemon, failed, "It did not work."))
		test("Exchange", "5.2", "delivery report: 5.2", "", words("postmaster@example.net", "Undeliverable: Budget", "did not reach the following recipient(s): 550 5.1.10 not found"))
		test("still trying", "1.1", "delivery report: delayed", "", words(daemon, "Warning: message delayed 4 hours", "Delivery attempts will continue. 550 for now"))
		test("away", "1.1", "automatic answer to a mail of ours", "", words(cleo, "Delivery failed: away until Monday", "550 5.1.1"))
		test("away, a postmaster", "1.1", "automatic answer to a mail of ours", "", words("postmaster@example.net", "Automatic reply: Budget", "back on Monday"))
		test("with a sender in the envelope", "1.1", "to whom it was sent for", cleo, words(daemon, failed, "550 5.1.1"))
	})
}

// What goes round is cut: our own mail has no effect wherever it comes back, and
// what a hundred servers had goes no further.
func TestLoops(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.add(db.Room, "blue")
		blue := "blue@example.org"
		// A room's answer to somebody outside, who forwards all his mail to the room.
		h.give(cleo, mailOf(cleo, blue, "", event("REQUEST", "u1", organizer(cleo)+attendees(blue))), blue)
		h.work()
		answer := h.to(cleo, h.relay.all())
		for range 3 {
			h.want("verdict", h.give(cleo, answer.data, blue)[blue], "250")
			h.work()
		}
		h.want("answers", len(h.relay.all()), 0)
		// An invitation that a forwarder brings to its own organizer.
		h.put("ann", event("", "u2", organizer(ann)+attendees(ann, cleo)))
		h.work()
		invitation := h.to(cleo, h.relay.all())
		before := string(h.copyOf("ann", "u2").Bytes())
		h.give(cleo, append([]byte("Received: from forwarder.example by mx.example.org; Mon, 2 Mar 2026 08:00:00 +0000\r\n"), invitation.data...), ann, ben)
		h.want("handed on", h.nextHop.rcpts(), ann+" "+ben)
		h.want("unchanged", string(h.copyOf("ann", "u2").Bytes()), before)
		h.want("Ben", h.partstat("ben", "u2", ben), "no copy")
		h.work()
		h.want("mails", len(h.relay.all()), 0)

		round := []byte(strings.Repeat("Received: from mx.example.org by mx.example.org; Mon, 2 Mar 2026 08:00:00 +0000\r\n", 101))
		data := mailOf(cleo, ann, "", event("REQUEST", "u3", organizer(cleo)+attendees(ann)))
		got := h.give(cleo, append(round, data...), ann, "outside@example.org")
		h.want("verdict", got[ann], "554 5.4.6 more than 100 servers had this mail: it goes round")
		h.want("of the next hop's", got["outside@example.org"], got[ann])
		h.want("effect", h.partstat("ann", "u3", ann), "no copy")
		h.want("handed on", h.nextHop.rcpts(), "")
		h.want("by pipe", h.bridge.Pipe(h.ctx, ann, bytes.NewReader(append(round, data...))), 65)
		h.want("a long way", h.give(cleo, append(round[:len(round)*100/101], data...), ann)[ann], "250")
		h.want("effect", h.partstat("ann", "u3", ann), "NEEDS-ACTION")
	})
}
