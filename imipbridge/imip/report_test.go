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
		}
	})
}
