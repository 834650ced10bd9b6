package imip

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/directory/cuaddr"
)

// A report may be about several recipients, and about what is not final.
func TestReports(t *testing.T) {
	r := func(groups ...string) *Report {
		return readReport([]byte("Reporting-MTA: dns; mx.example.net\r\n\r\n"+strings.ReplaceAll(strings.Join(groups, "\n"), "\n", "\r\n")), Limits{}.orDefaults())
	}
	group := func(original, final, action, status string) string {
		g := "Final-Recipient: rfc822; " + final + "\nAction: " + action + "\nStatus: " + status + "\n"
		if original != "" {
			g = "Original-Recipient: rfc822;" + original + "\n" + g
		}
		return g
	}
	test := func(what, want, actions string, r *Report) {
		t.Helper()
		got := "-"
		if d := r.Failed(cuaddr.Mailto("team@example.net")); d != nil {
			got = d.Final.Mail() + " " + d.Status
		}
		if said := strings.Join(r.Actions(cuaddr.Mailto("team@example.net")), " "); got != want || said != actions {
			t.Errorf("%s: failed %s, actions %q; want %s, %q", what, got, said, want, actions)
		}
	}
	test("failed", "team@example.net 5.1.1", "failed", r(group("", "team@example.net", "failed", "5.1.1")))
	test("in another case", "team@example.net 5.1.1", "failed", r(group("", "team@Example.NET", "Failed", "5.1.1")))
	test("given up after days", "team@example.net 4.4.7", "failed", r(group("", "team@example.net", "failed", "4.4.7")))
	test("delayed", "-", "delayed", r(group("", "team@example.net", "delayed", "4.4.1")))
	test("relayed to a system without reports", "-", "relayed", r(group("", "team@example.net", "relayed", "2.0.0")))
	test("delivered", "-", "delivered", r(group("", "team@example.net", "delivered", "2.0.0")))
	test("expanded into a list", "-", "expanded", r(group("", "team@example.net", "expanded", "2.0.0")))
	test("forwarded, and refused there", "x@other.example 5.2.2", "failed", r(group("team@example.net", "x@other.example", "failed", "5.2.2")))
	test("forwarded without a word of it", "x@other.example 5.2.2", "failed", r(group("", "x@other.example", "failed", "5.2.2")))
	test("one of a list's members", "-", "failed delivered", r(group("", "a@example.net", "failed", "5.1.1"), group("", "b@example.net", "delivered", "2.0.0")))
	test("all of them", "a@example.net 5.1.1", "failed", r(group("", "a@example.net", "failed", "5.1.1"), group("", "b@example.net", "failed", "5.2.1")))
	test("another one beside him", "-", "delivered", r(group("", "a@example.net", "failed", "5.1.1"), group("", "team@example.net", "delivered", "2.0.0")))
	test("he beside another one", "team@example.net 5.7.1", "failed", r(group("", "a@example.net", "delivered", "2.0.0"), group("", "team@example.net", "failed", "5.7.1")))
	test("his two mailboxes", "-", "expanded failed", r(group("team@example.net", "team@example.net", "expanded", "2.0.0"), group("team@example.net", "a@example.net", "failed", "5.1.1")))
	test("no recipient", "-", "", r())
	test("a word of their own", "-", "", r(group("", "team@example.net", "bounced\r\n x", "5.0.0")))
}

// What a mail server says in words alone, and what only looks like it.
func TestWorded(t *testing.T) {
	test := func(what, want, from, subject, text string) {
		t.Helper()
		m := parse(t, crlf("From: "+from+"\nSubject: "+subject+"\n\n"+text))
		got := "-"
		if r := m.Worded(cuaddr.Mailto("team@example.net")); r != nil {
			got = strings.TrimSpace(r.Recipients[0].Action + " " + r.Recipients[0].Status + " " + r.Recipients[0].Diagnostic)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	const daemon = "MAILER-DAEMON@mx.example.net"
	test("a status in brackets", "failed 5.1.1 Sorry, no mailbox here by that name. (#5.1.1)", daemon, "failure notice", "<x>:\nSorry, no mailbox here by that name. (#5.1.1)\n")
	test("a reply code", "failed 5.1.0 550 unknown", daemon, "failure notice", "550 unknown\n")
	test("a full mailbox", "failed 5.2.2 552 full", daemon, "failure notice", "552 full\n")
	test("neither", "failed 5.0.0", daemon, "failure notice", "It went wrong.\n")
	test("an address of a host is no status", "failed 5.0.0", daemon, "failure notice", "from 5.1.1.9, 192.5.1.1\n")
	test("a status at the end", "failed 5.4.4 The reason is 5.4.4.", daemon, "failure notice", "The reason is 5.4.4.\n")
	test("words of the mail that comes back", "failed 5.0.0", daemon, "failure notice", "Regrets\n--- Below this line is a copy of the message.\n\n5.7.1 will be retried\n")
	test("its subject", "failed 5.1.1 550 5.1.1", "postmaster@example.net", "Undeliverable: will be retried", "Subject: delivery is delayed\n550 5.1.1\n")
	test("delayed", "delayed 4.0.0", daemon, "Warning: message x delayed 24 hours", "Regrets\n")
	test("delayed, with a permanent code", "delayed 4.0.0 550 for now", daemon, "Mail", "550 for now\nDelivery attempts will continue\n")
	test("relayed", "relayed 2.0.0", "postmaster@example.net", "Relayed: Budget", "Delivery to these recipients is complete.\n")
	test("a server without an address", "failed 5.1.1 5.1.1", "MAILER-DAEMON (Mail Delivery System)", "failure notice", "5.1.1\n")
	test("nobody", "failed 5.1.1 5.1.1", "<>", "failure notice", "5.1.1\n")
	test("a person", "-", "cleo@example.net", "failure notice", "550 5.1.1\n")
	test("he himself, whatever he is called", "-", "team@example.net", "failure notice", "550 5.1.1\n")
	test("a postmaster on leave", "-", "postmaster@example.net", "Automatic reply", "I am away. Call 550 12.\n")
	test("Exchange in German", "failed 5.1.10 550 5.1.10 no", "postmaster@example.net", "Unzustellbar: Budget", "550 5.1.10 no\n")
	m := parse(t, crlf("From: relay@example.net\nSubject: x\nX-Failed-Recipients: team@example.net\n\nno\n"))
	if r := m.Worded(cuaddr.Mailto("team@example.net")); r == nil || r.Failed(cuaddr.Mailto("team@example.net")) == nil {
		t.Errorf("X-Failed-Recipients: %+v", r)
	}
	m = parse(t, crlf("From: "+daemon+"\nSubject: failure notice\nContent-Type: text/html\n\n<style>5.7.1</style><p>550&nbsp;<b>5.1.1</b><br>no such user</p>\n"))
	if r := m.Worded(cuaddr.Mailto("team@example.net")); r == nil || r.Recipients[0].Status != "5.1.1" {
		t.Errorf("HTML: %+v", r)
	}
}

// Whatever a report holds: bounded, and never a failure without an action.
func FuzzReport(f *testing.F) {
	f.Add([]byte("Reporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; a@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"))
	f.Add([]byte("Final-Recipient: a@b\nAction: FAILED (x)\nStatus: 5\n\n\n\nOriginal-Recipient: ;;\n"))
	f.Add([]byte("\n\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := readReport(b, Limits{}.orDefaults())
		if len(r.Recipients) > 100 {
			t.Fatalf("%d recipients", len(r.Recipients))
		}
		for _, to := range []cuaddr.Address{{}, cuaddr.Mailto("a@example.net")} {
			if d := r.Failed(to); d != nil && d.Action != "failed" {
				t.Fatalf("%+v", d)
			}
			r.Actions(to)
			if m, err := Parse(append([]byte("From: MAILER-DAEMON@mx\r\n"), b...), received, Limits{}); err == nil {
				if w := m.Worded(to); w != nil && len(w.Recipients[0].Diagnostic) > 4*300 {
					t.Fatalf("a reason of %d octets", len(w.Recipients[0].Diagnostic))
				}
			}
		}
	})
}
