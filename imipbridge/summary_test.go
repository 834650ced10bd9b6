package imipbridge

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// prefers sets a preference of somebody here.
func (h *house) prefers(who, name, value string) {
	h.Helper()
	h.write(func(tx *db.Tx) error { return directory.SetPreference(tx, h.people[who].ID, name, value) })
}

// bodied makes a mail with this body behind its Content-Type.
func bodied(from, to, id, contentType, body string) []byte {
	return crlf("From: Cleo <" + from + ">\nTo: " + to + "\nSubject: the plan\nDate: Mon, 2 Mar 2026 08:00:00 +0000\nMessage-ID: <" + id +
		"@outside>\nMIME-Version: 1.0\nContent-Type: " + contentType + "\n\n" + body)
}

// The five ways in which imip-agent hands mail on, as each person prefers. What
// is signed, or encrypted, or carries more than a calendar, or had no effect,
// is never altered nor left out.
func TestIncomingModes(t *testing.T) {
	modes := []string{directory.MessageOnly, directory.SummaryThenMessage, directory.MessageThenSummary, directory.SummaryOnly, directory.SummaryWrapsMessage}
	invite := func(uid string) string { return event("REQUEST", uid, organizer(cleo)+attendees(ann)) }
	calendar := func(uid string) string {
		return "Content-Type: text/calendar; charset=utf-8; method=REQUEST\n\n" + invite(uid)
	}
	shapes := map[string]func(uid string) []byte{
		"plain": func(uid string) []byte {
			return bodied(cleo, ann, uid, "text/calendar; charset=utf-8; method=REQUEST", invite(uid))
		},
		"alternative": func(uid string) []byte {
			return bodied(cleo, ann, uid, "multipart/alternative; boundary=b", "--b\nContent-Type: text/plain\n\ncome é\n--b\n"+calendar(uid)+"\n--b--\n")
		},
		"attachment only": func(uid string) []byte {
			return bodied(cleo, ann, uid, "multipart/mixed; boundary=b", "--b\nContent-Type: text/plain\n\ncome\n--b\nContent-Disposition: attachment; filename=invite.ics\n"+calendar(uid)+"\n--b--\n")
		},
		"with a file": func(uid string) []byte {
			return bodied(cleo, ann, uid, "multipart/mixed; boundary=b", "--b\nContent-Type: text/plain\n\ncome\n--b\n"+calendar(uid)+"\n--b\nContent-Type: application/pdf\n\n%PDF\n--b--\n")
		},
		"signed": func(uid string) []byte {
			return bodied(cleo, ann, uid, "multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=s", "--s\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\ncome\n--b\n"+
				calendar(uid)+"\n--b--\n--s\nContent-Type: application/pkcs7-signature\nContent-Transfer-Encoding: base64\n\nAAAA\n--s--\n")
		},
		"signed in the text": func(uid string) []byte {
			return bodied(cleo, ann, uid, "multipart/mixed; boundary=b", "--b\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\nLS0tLS1CRUdJTiBQR1AgU0lHTkVEIE1FU1NBR0UtLS0tLQo=\n--b\n"+calendar(uid)+"\n--b--\n")
		},
		"in a part that is encrypted": func(uid string) []byte {
			return bodied(cleo, ann, uid, "multipart/mixed; boundary=b", "--b\n"+calendar(uid)+"\n--b\nContent-Type: application/pkcs7-mime\n\nAAAA\n--b--\n")
		},
	}
	// What comes to the mailbox, in its order: m the mail as it came, s a summary
	// alone, w one with the mail inside.
	want := map[string][5]string{
		"plain": {"m", "sm", "ms", "s", "w"}, "alternative": {"m", "sm", "ms", "s", "w"}, "attachment only": {"m", "sm", "ms", "s", "w"},
		"with a file": {"m", "sm", "ms", "w", "w"},
		"signed":      {"m", "sm", "ms", "sm", "sm"}, "signed in the text": {"m", "sm", "ms", "sm", "sm"}, "in a part that is encrypted": {"m", "sm", "ms", "sm", "sm"},
	}
	one(t, func(h *house) {
		h.add(db.Person, "ann", func(p *db.Principal) { p.Language = "de" })
		n := 0
		for i, mode := range modes {
			h.prefers("ann", directory.Incoming, mode)
			for shape, mail := range shapes {
				n++
				uid := fmt.Sprint("u", n)
				data := mail(uid)
				h.want("verdict", h.give(cleo, data, ann)[ann], "250")
				h.want("effect", h.partstat("ann", uid, ann), "NEEDS-ACTION")
				got := ""
				for _, m := range h.nextHop.all() {
					switch p := h.parsed(m); {
					case bytes.HasSuffix(m.data, append([]byte("\r\n"), data...)) && strings.HasPrefix(string(m.data), "X-Convene-UID: "+uid):
						got += "m"
						continue
					case bytes.Contains(m.data, append(append([]byte("\r\n\r\n"), data...), "\r\n--=_m"...)):
						got += "w"
						h.want(shape+": encoding", strings.Contains(string(m.data), "Content-Transfer-Encoding: 8bit\r\n\r\nFrom: Cleo"), shape == "alternative")
					case strings.Contains(string(m.data), "BEGIN:VCALENDAR") || !bytes.Contains(m.data, []byte("text/html")):
						got += "?"
					default:
						got += "s"
						h.want("no calendar in it", len(p.Objects)+len(p.Problems), 0)
					}
					p, text := h.parsed(m), strings.ReplaceAll(string(m.data), "=\r\n", "")
					h.want(shape+": Subject", p.Subject, "the plan")
					h.want(shape+": From", p.From.Address.Mail(), "calendar@example.org")
					h.want(shape+": From", p.From.Name, "Cleo (über den Kalender)")
					h.want(shape+": automatic", p.AutoSubmitted, "auto-generated")
					h.want(shape+": thread", fmt.Sprint(p.References), "["+uid+"@outside]")
					h.want(shape+": Reply-To", strings.Contains(text, "\r\nReply-To: \"Cleo\" <"+cleo+">\r\n"), true)
					h.want(shape+": our fields", strings.HasPrefix(text, "X-Convene-UID: "+uid+"\r\nX-Convene-Method: REQUEST\r\nX-Convene-Outcome: applied\r\n"), true)
					h.want(shape+": words", strings.Contains(text, "Cleo l=C3=A4dt Sie") && strings.Contains(text, "zeigt es schon"), true)
				}
				h.want(mode+", "+shape, got, want[shape][i])
			}
			// What had no effect goes on as it came.
			for what, data := range map[string][]byte{
				"stale":     mailOf(cleo, ann, "", strings.Replace(invite("u1"), "DTSTAMP:2026", "DTSTAMP:2025", 1)),
				"forged":    mailOf("mallory@evil.example", ann, "", invite("u1")),
				"no method": bodied(cleo, ann, "x", "text/calendar", strings.Replace(invite("u1"), "METHOD:REQUEST\n", "", 1)),
				"nonsense":  bodied(cleo, ann, "x", "text/calendar; method=REQUEST", "nonsense\n"),
				"words":     plainMail(cleo, ann, ""),
			} {
				h.give(cleo, data, ann)
				if got := h.nextHop.all(); len(got) != 1 || !bytes.HasSuffix(got[0].data, data) {
					t.Errorf("%s, %s: %d mails, or not as it came", mode, what, len(got))
				}
			}
		}
	})
}

// Answers and calls off are summed up too; the verdict is the mail's, and a
// retry sends no second summary.
func TestSummaryOnce(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "u1", organizer(ann)+attendees(cleo)))
		reply := mailOf(cleo, ann, "", event("REPLY", "u1", organizer(ann)+answered(cleo, "DECLINED")))
		// nth refuses the nth mail that comes to the next hop.
		nth := func(n int32, e *smtp.SMTPError) {
			var seen atomic.Int32
			h.nextHop.answer(func(stage, _ string) *smtp.SMTPError {
				if stage == "DATA" && seen.Add(1) == n {
					return e
				}
				return nil
			})
		}
		// The summary is taken, the mail not yet.
		nth(2, &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "full"})
		h.want("verdict", h.give(cleo, reply, ann)[ann], "452 4.2.2 full")
		h.want("effect", h.partstat("ann", "u1", cleo), "DECLINED")
		first := h.nextHop.all()
		h.want("only the summary", len(first), 1)
		h.want("it says", strings.Contains(string(first[0].data), "cleo@example.net declined"), true)
		h.want("its envelope", first[0].from, "")
		h.nextHop.answer(nil)
		h.want("again", h.give(cleo, reply, ann)[ann], "250")
		second := h.nextHop.all()
		if len(second) != 1 || !bytes.HasSuffix(second[0].data, reply) {
			t.Errorf("%d mails after the retry", len(second))
		}
		// A summary that comes back is ours: no effect, handed on.
		h.give("", first[0].data, ann)
		h.want("came back", h.nextHop.rcpts(), ann)

		// One that cannot be delivered holds nothing up.
		nth(1, &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "no"})
		invite := mailOf(cleo, ann, "", event("REQUEST", "u2", organizer(cleo)+attendees(ann)))
		h.want("verdict", h.give(cleo, invite, ann)[ann], "250")
		if got := h.nextHop.all(); len(got) != 1 || !bytes.HasSuffix(got[0].data, invite) {
			t.Errorf("%d mails", len(got))
		}

		// What the site has unless somebody chooses.
		h.nextHop.answer(nil)
		h.prefers("ann", directory.Incoming, directory.MessageOnly)
		h.give(cleo, mailOf(cleo, ann, "", event("REQUEST", "u3", organizer(cleo)+attendees(ann))), ann)
		h.want("her choice", len(h.nextHop.all()), 1)
	}, func(o *Options) { o.Incoming = directory.SummaryThenMessage })
}

// In copy mode the mail system delivers the mail; a summary comes beside it,
// whatever mode asks for one, and once.
func TestSummaryInCopyMode(t *testing.T) {
	one(t, func(h *house) {
		h.persons("ann")
		for i, mode := range []string{directory.MessageOnly, directory.SummaryThenMessage, directory.MessageThenSummary, directory.SummaryOnly, directory.SummaryWrapsMessage} {
			h.prefers("ann", directory.Incoming, mode)
			data := mailOf(cleo, ann, "", event("REQUEST", fmt.Sprint("u", i), organizer(cleo)+attendees(ann)))
			for range 2 {
				h.want(mode, h.give(cleo, data, ann)[ann], "250")
			}
			got := h.relay.all()
			h.want(mode+": summaries", len(got), min(i, 1))
			for _, m := range got {
				h.want(mode+": envelope", m.from+m.rcpt, ann)
				h.want(mode+": the mail in it", bytes.Contains(m.data, []byte("message/rfc822")), false)
				h.want("it comes back", h.give("", m.data, ann)[ann], "250")
			}
			h.want(mode+": nothing more", len(h.relay.all()), 0)
		}
	}, copyMode)
}

// An invitation in quarantine comes with the address of a page that takes or
// drops it: in the header of the mail, and in its summary. Opening it decides
// nothing; nobody else's page does anything.
func TestQuarantinePage(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.prefers("ann", directory.UnknownOrganizers, "quarantine")
		h.prefers("ann", directory.Incoming, directory.SummaryWrapsMessage)
		invite := func(uid string) string {
			h.Helper()
			h.give(cleo, mailOf(cleo, ann, "", event("REQUEST", uid, "LOCATION:<b>Room</b>\n"+organizer(cleo)+attendees(ann))), ann)
			m := h.to(ann, h.nextHop.all())
			head, _, _ := strings.Cut(headerOf(m.data), "\r\nFrom:")
			if !strings.Contains(head, "X-Convene-Page: https://cal.example.org"+h.link(m)) {
				t.Errorf("our fields: %s", head)
			}
			_, body, _ := strings.Cut(strings.ReplaceAll(string(m.data), "=\r\n", ""), "\r\n\r\n")
			h.want("the summary's link", strings.Contains(body, h.link(m)+"?decide=3Daccept"), true)
			h.want("what it says", strings.Contains(body, "without blocking time, until you take it"), true)
			h.want("held", len(h.quarantine()), 1)
			return h.link(m)
		}
		path := invite("u1")
		for _, query := range []string{"", "?decide=accept"} {
			status, body, _ := h.page("GET", path+query, nil)
			h.want("GET", status, 200)
			for _, part := range []string{"Budget", "&lt;b&gt;Room&lt;/b&gt;", cleo, "You do not know its organizer.", `name="accept"`, `name="decline"`, "This invitation waits"} {
				if !strings.Contains(body, part) {
					t.Errorf("no %s on the page:\n%s", part, body)
				}
			}
			h.want("chosen", strings.Contains(body, "accept chosen"), query != "")
			h.want("no field for a comment", strings.Contains(body, "<textarea"), false)
		}
		h.want("held", len(h.quarantine()), 1)
		status, _, _ := h.page("POST", path, url.Values{"ACCEPTED": {"1"}})
		h.want("another button", status, 400)
		status, body, _ := h.page("POST", path, url.Values{"accept": {"1"}})
		h.want("POST", status, 200)
		h.want("said", strings.Contains(body, "It is in your calendar now."), true)
		h.want("held", len(h.quarantine()), 0)
		h.want("in the calendar", h.partstat("ann", "u1", ann), "NEEDS-ACTION")
		status, _, _ = h.page("POST", path, url.Values{"decline": {"1"}})
		h.want("decided", status, 410)

		path = invite("u2")
		status, body, _ = h.page("POST", path, url.Values{"decline": {"1"}})
		h.want("POST", status, 200)
		h.want("said", strings.Contains(body, "Nobody is told."), true)
		h.want("dropped", h.partstat("ann", "u2", ann), "no copy")
		h.want("nobody is told", len(h.queue()), 0)
		status, _, _ = h.page("GET", path, nil)
		h.want("gone", status, 410)

		// A page for an answer is none to decide, and the other way round.
		k, err := h.bridge.keys(h.ctx)
		if err != nil {
			t.Fatal(err)
		}
		token := path[strings.LastIndexByte(path, '/')+1:]
		inv, ok := k.readPage(token)
		h.want("kind", ok && inv.Waits && !inv.Decide, true)
		inv.Waits = false
		if k.page(inv) == token {
			t.Error("both pages have one token")
		}

		// Why it waits, in words for each rule.
		test := func(rule, text string) { t.Helper(); h.want(rule, whyItWaits(rule), text) }
		test("nothing proves who sent it", "Nothing proves who sent it.")
		test("the sender is not the organizer", "Who sent it is not its organizer.")
		test("an organizer whom the policy contacts does not know", "You do not know its organizer.")
	})
}
