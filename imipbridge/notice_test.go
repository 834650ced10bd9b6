package imipbridge

import (
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/ics"
)

// Whose mail was refused, or came back, is told so: once, in his language, by a
// mail that nothing comes back to.
func TestNotice(t *testing.T) {
	each(t, func(h *house) {
		h.add(db.Person, "ann", func(p *db.Principal) { p.Language = "de" })
		h.relay.answer(func(stage, rcpt string) *smtp.SMTPError {
			if stage == "RCPT" && rcpt == "finn@example.net" {
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such <b>mailbox</b>"}
			}
			return nil
		})
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo, "finn@example.net")))
		h.work()
		out := h.relay.all()
		h.want("mails", len(out), 2)
		m := h.to(ann, out)
		h.want("envelope", m.from, "")
		p := h.parsed(m)
		h.want("Subject", p.Subject, "Nicht zugestellt: Budget")
		h.want("From", p.From.Address.Mail(), "calendar@example.org")
		h.want("automatic", p.AutoSubmitted, "auto-generated")
		h.want("thread", thread(m), thread(h.to(cleo, out)))
		text := strings.ReplaceAll(string(m.data), "=\r\n", "")
		h.want("who and why", strings.Contains(text, "finn@example.net") && strings.Contains(text, "550 5.1.1 no such <b>mailbox</b>") && strings.Contains(text, "550 5.1.1 no such &lt;b&gt;mailbox"), true)
		h.want("no calendar", strings.Contains(text, "text/calendar"), false)

		// The other one comes back later, and again.
		invitation := h.to(cleo, out)
		for range 2 {
			h.give("", bounceOf(cleo, "5.1.1"), invitation.from)
			h.work()
		}
		h.want("status", h.status("ann", "u1", cleo), "5.2")
		h.want("told once", h.relay.rcpts(), ann)

		// A notice that is refused itself is nobody's business.
		h.relay.answer(func(string, string) *smtp.SMTPError {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "no"}
		})
		h.put("ann", event("", "u2", organizer(ann)+attendees(ann, cleo)))
		h.work()
		h.want("queue", len(h.queue()), 0)
	})
}

// Where the organizer hides his guests, each is told of himself alone, in the
// mail and on the page.
func TestHiddenGuests(t *testing.T) {
	h := open(t, "sqlite")
	h.persons("ann")
	h.put("ann", event("", "u1", "X-JMAP-HIDE-ATTENDEES:TRUE\n"+organizer(ann)+attendees(ann, cleo, "finn@example.net")))
	h.work()
	out := h.relay.all()
	h.want("mails", len(out), 2)
	for _, m := range out {
		other := cleo
		if m.rcpt == cleo {
			other = "finn@example.net"
		}
		var list []string
		for _, a := range ics.Attendees(h.parsed(m).Objects[0].Master()) {
			list = append(list, ics.CalAddress(a).Mail())
		}
		h.want("list", strings.Join(list, " "), ann+" "+m.rcpt)
		local, _, _ := strings.Cut(other, "@")
		h.want("text", strings.Contains(strings.ToLower(string(m.data)), local), false)
		_, body, _ := h.page("GET", h.link(m), nil)
		h.want("page", strings.Contains(strings.ToLower(body), local), false)
	}
}
