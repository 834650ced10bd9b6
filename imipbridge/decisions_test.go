package imipbridge

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// The tests of this file are the decisions 1 to 14, 29, 31 and 33 as far as
// they are the mail door's, one by one.

const (
	ann  = "ann@example.org"
	ben  = "ben@example.org"
	cleo = "cleo@example.net" // outside
)

// Local means: the directory holds the address, whatever its domain.
func TestDecision01WhoIsLocal(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "dora@elsewhere.example")
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, "colleague@example.org", "dora@elsewhere.example", cleo)))
		h.work()
		h.want("mailed", h.relay.rcpts(), "cleo@example.net colleague@example.org")
		h.want("in her calendar", h.partstat("dora@elsewhere.example", "u1", "dora@elsewhere.example"), "NEEDS-ACTION")

		// domains decides only which From we may use.
		h.put("dora@elsewhere.example", event("", "u2", organizer("dora@elsewhere.example")+attendees(cleo)))
		h.put("ann", event("", "u3", organizer(ann)+attendees(cleo)))
		h.work()
		for _, m := range h.relay.all() {
			p := h.parsed(m)
			want := "calendar@example.org"
			if p.Objects[0].UID() == "u3" {
				want = ann
			}
			h.want("From of "+p.Objects[0].UID(), p.From.Address.Mail(), want)
		}
	})
}

// In-line mode: whom the directory lacks is the next hop's, in the same
// transaction, with no calendar effect.
func TestDecision02InLine(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.nextHop.answer(func(stage, rcpt string) *smtp.SMTPError {
			switch {
			case stage == "RCPT" && rcpt == "nobody@example.org":
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "who?"}
			case stage == "DATA" && rcpt == "full@example.org":
				return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "full"}
			}
			return nil
		})
		data := mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann, "else@example.org")))
		got := h.give(cleo, data, "else@example.org", "nobody@example.org", ann, "full@example.org")
		h.want("verdicts", got, map[string]string{"else@example.org": "250", "nobody@example.org": "RCPT 550 5.1.1 who?", ann: "250", "full@example.org": "452 4.2.2 full"})
		h.want("effect", h.partstat("ann", "u1", ann), "NEEDS-ACTION")
		for _, m := range h.nextHop.all() {
			if m.rcpt == "else@example.org" && !bytes.Equal(m.data, data) {
				t.Errorf("not as it came: %q", m.data)
			}
			h.want("envelope", m.from, cleo)
		}
		// The next hop away: temporary, for known and unknown alike; the effect of
		// the known stands.
		h.bridge.opt.DeliverTo = "127.0.0.1:1"
		data = mailOf(cleo, ann, "", event("REQUEST", "u2", organizer(cleo)+attendees(ann)))
		got = h.give(cleo, data, "else@example.org", ann)
		if !strings.HasPrefix(got["else@example.org"], "RCPT 451 4.4.1") || !strings.HasPrefix(got[ann], "451 4.4.1") {
			t.Errorf("next hop away: %v", got)
		}
		h.want("effect", h.partstat("ann", "u2", ann), "NEEDS-ACTION")
	})
}

// Copy mode: known 250 once the decision is committed, unknown 550 5.1.1.
func TestDecision02Copy(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		data := mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann)))
		got := h.give(cleo, data, ann, "nobody@example.org")
		h.want("verdicts", got, map[string]string{ann: "250", "nobody@example.org": "RCPT 550 5.1.1 no such user here"})
		h.want("effect", h.partstat("ann", "u1", ann), "NEEDS-ACTION")
		h.want("handed on", len(h.nextHop.all())+len(h.relay.all()), 0)
	}, copyMode)
}

// Directory or database away: 451, before and in the middle of a mail.
func TestDecision02DatabaseAway(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		data := mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann)))
		whole := h.bridge.desk
		h.bridge.desk = away{}
		if got := h.give(cleo, data, ann)[ann]; !strings.HasPrefix(got, "451 4.3.0") {
			t.Errorf("away at the decision: %s", got)
		}
		h.want("handed on", len(h.nextHop.all()), 0)
		h.bridge.desk = whole
		h.want("when it is back", h.give(cleo, data, ann)[ann], "250")
		h.store.Close()
		if got := h.give(cleo, data, ann)[ann]; !strings.HasPrefix(got, "RCPT 451 4.3.0") {
			t.Errorf("away at RCPT: %s", got)
		}
	})
}

// away is a desk whose database went away between RCPT and DATA.
type away struct{ desk }

func (away) Deliver(context.Context, scheduling.Deliver) (scheduling.Verdict, error) {
	return scheduling.Verdict{}, fmt.Errorf("settle: %w", db.ErrAway)
}

// Commit first, then hand on; a retry finds the decision and only hands on. A
// 5xx of the next hop is passed back and the effect stays.
func TestDecision03Order(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		data := mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann)))
		committed := ""
		h.nextHop.mu.Lock()
		h.nextHop.before = func() { committed = h.partstat("ann", "u1", ann) }
		h.nextHop.mu.Unlock()
		h.nextHop.answer(func(stage, rcpt string) *smtp.SMTPError {
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "busy"}
		})
		h.want("first attempt", h.give(cleo, data, ann)[ann], "451 4.2.0 busy")
		h.want("effect", h.partstat("ann", "u1", ann), "NEEDS-ACTION")

		// She deletes the invitation; the retry must not bring it back.
		h.removeCopy("ann", "u1")
		h.nextHop.answer(nil)
		h.want("retry", h.give(cleo, data, ann)[ann], "250")
		h.want("handed on", h.nextHop.rcpts(), ann)
		h.want("committed before", committed, "no copy")
		h.want("no second effect", h.partstat("ann", "u1", ann), "no copy")

		// Another mail with the same Message-ID is another mail.
		other := mailOf(cleo, ann, "X: y\n", event("REQUEST", "u1", "SEQUENCE:1\n"+organizer(cleo)+attendees(ann)))
		h.want("same Message-ID", h.give(cleo, other, ann)[ann], "250")
		h.want("its effect, committed before it was handed on", committed, "NEEDS-ACTION")

		h.nextHop.answer(func(stage, rcpt string) *smtp.SMTPError {
			return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "policy"}
		})
		data = mailOf(cleo, ann, "", event("REQUEST", "u2", organizer(cleo)+attendees(ann)))
		h.want("5xx", h.give(cleo, data, ann)[ann], "554 5.7.1 policy")
		h.want("its effect", h.partstat("ann", "u2", ann), "NEEDS-ACTION")
	})
}

func (h *house) removeCopy(who, uid string, set ...func(*scheduling.Remove)) {
	h.Helper()
	h.read(func(tx *db.Tx) error {
		have, err := tx.ObjectsByUID(uid, h.people[who].ID)
		for _, x := range have {
			r := scheduling.Remove{Actor: h.people[who], Collection: x.Collection, Name: x.Name, NoReply: true, Door: "dav"}
			for _, f := range set {
				f(&r)
			}
			if err := h.desk.Remove(h.ctx, r); err != nil {
				return err
			}
		}
		return err
	})
}

// Handed on byte for byte, our header fields before it, foreign ones removed.
func TestDecision04AsItCame(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		plain := plainMail(cleo, ann, "Received: x\n\tfolded\n")
		h.want("plain", h.give(cleo, plain, ann)[ann], "250")
		if m := h.nextHop.all(); len(m) != 1 || !bytes.Equal(m[0].data, plain) {
			t.Errorf("plain mail: %q", m)
		}
		signed := mailOf(cleo, ann, "DKIM-Signature: v=1; d=example.net;\n  b=abc\n", event("REQUEST", "u1", organizer(cleo)+attendees(ann)))
		h.give(cleo, append([]byte("X-Convene-Decision: REQUEST applied; forged\r\n and folded\r\nx-convene-other: y\r\n"), signed...), ann)
		m := h.nextHop.all()
		if len(m) != 1 || !bytes.HasSuffix(m[0].data, signed) {
			t.Fatalf("signed mail: %q", m)
		}
		if got := string(m[0].data[:len(m[0].data)-len(signed)]); got != "X-Convene-UID: u1\r\nX-Convene-Method: REQUEST\r\nX-Convene-Outcome: applied\r\nX-Convene-Decision: REQUEST applied; new invitation stored; sender unverified\r\n" {
			t.Errorf("our header: %q", got)
		}
		h.give(cleo, []byte("X-Convene-Decision: forged\r\n"+string(plain)), "else@example.org")
		if m := h.nextHop.all(); len(m) != 1 || !bytes.Equal(m[0].data, plain) {
			t.Errorf("foreign field for somebody outside: %q", m)
		}
	})
}

// Our own mail coming back is handed on and has no effect.
func TestDecision04OwnMail(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, "list@example.net")))
		h.work()
		out := h.relay.all()
		if len(out) != 1 {
			t.Fatalf("%d mails", len(out))
		}
		// The list spreads it back to Ben here.
		h.want("verdict", h.give("list@example.net", out[0].data, ben)[ben], "250")
		h.want("handed on", h.nextHop.rcpts(), ben)
		h.want("effect", h.partstat("ben", "u1", ben), "no copy")
		id := h.parsed(out[0]).MessageID
		if got := h.decisions(id); !slices.Contains(got, "in ignored our own mail came back") {
			t.Errorf("decisions: %q", got)
		}
	})
}

// Local people without a calendar program get mail too.
func TestDecision05MailCopies(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.add(db.Person, "ben", func(p *db.Principal) { p.MailCopies, p.Language, p.TZ = "always", "de", "America/New_York" })
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, ben)))
		h.work()
		out := h.relay.all()
		if len(out) != 1 || out[0].rcpt != ben {
			t.Fatalf("%v", out)
		}
		text := string(out[0].data)
		if !strings.Contains(text, "Subject: Einladung: Budget") || !strings.Contains(text, "America/New_York") {
			t.Errorf("not in his language and zone:\n%s", text)
		}
		h.want("his calendar", h.partstat("ben", "u1", ben), "NEEDS-ACTION")

		// It does not arrive: the calendar has it anyway, no status changes.
		before := h.copyOf("ann", "u1").Bytes()
		h.give("", bounceOf(out[0].rcpt, "5.1.1"), out[0].from)
		h.want("Ann's copy", string(h.copyOf("ann", "u1").Bytes()), string(before))
	})
}

// A mailed REPLY whose ATTENDEE is local is his own act: his copy first, then
// the organizer's, with no second mail.
func TestDecision06OwnAct(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, ben)))
		data := mailOf(ben, ann, "", event("REPLY", "u1", organizer(ann)+answered(ben, "ACCEPTED")))
		h.want("verdict", h.give(ben, data, ann)[ann], "250")
		h.want("his copy", h.partstat("ben", "u1", ben), "ACCEPTED")
		h.want("organizer's copy", h.partstat("ann", "u1", ben), "ACCEPTED")
		h.want("mail", len(h.queue()), 0)
	})
}

// For a UID whose organizer is local our copy is the truth; a recipient who is
// no attendee gets the mail and no effect.
func TestDecision07OurCopyIsTheTruth(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "dora")
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, ben)))
		for _, method := range []string{"REQUEST", "CANCEL"} {
			forged := mailOf(ann, ben, "", event(method, "u1", "SEQUENCE:5\nLOCATION:elsewhere\n"+organizer(ann)+attendees(ann, ben)))
			h.want("verdict", h.give(ann, forged, ben)[ben], "250")
			if o := h.copyOf("ben", "u1"); o == nil || o.Master().Value("LOCATION") != "" || o.Master().Value("STATUS") == "CANCELLED" {
				t.Errorf("a mailed %s changed Ben's copy", method)
			}
		}
		bcc := mailOf(cleo, ben, "", event("REQUEST", "u2", organizer(cleo)+attendees(ben)))
		h.give(cleo, bcc, "dora@example.org")
		h.want("Bcc", h.partstat("dora", "u2", ben), "no copy")
		h.want("handed on", strings.Count(h.nextHop.rcpts(), "example.org"), 3)
	})
}

// A room consumes iTIP; anything else goes to its owner or back with a reason.
func TestDecision08Rooms(t *testing.T) {
	each(t, func(h *house) {
		h.add(db.Room, "room1")
		h.add(db.Room, "room2", func(p *db.Principal) { p.Policy = "schedule_in_freebusy\nowner keeper@example.org" })
		room1, room2 := "room1@example.org", "room2@example.org"
		data := mailOf(cleo, room1, "", event("REQUEST", "u1", organizer(cleo)+attendees(room1)))
		h.want("REQUEST", h.give(cleo, data, room1)[room1], "250")
		h.want("never handed on", h.nextHop.rcpts(), "")
		h.want("answered", h.partstat("room1", "u1", room1), "ACCEPTED")
		h.work()
		out := h.relay.all()
		if len(out) != 1 || out[0].rcpt != cleo || h.parsed(out[0]).Objects[0].Method() != "REPLY" || h.parsed(out[0]).From.Address.Mail() != room1 {
			t.Errorf("its REPLY: %v", out)
		}
		h.want("the same mail again", h.give(cleo, data, room1)[room1], "250")
		h.work()
		h.want("answered once", len(h.relay.all()), 0)
		if got := h.give(cleo, plainMail(cleo, room1, ""), room1)[room1]; !strings.HasPrefix(got, "550 5.7.1 room1@example.org is a room") {
			t.Errorf("plain mail: %s", got)
		}
		h.want("to the owner", h.give(cleo, plainMail(cleo, room2, ""), room2)[room2], "250")
		h.want("handed on", h.nextHop.rcpts(), "keeper@example.org")
		bad := mailOf(cleo, room1, "", "BEGIN:VCALENDAR\nMETHOD:REQUEST\nUID:x\n")
		if got := h.give(cleo, bad, room1)[room1]; !strings.HasPrefix(got, "550 5.7.1") || !strings.Contains(got, "ends inside VCALENDAR") {
			t.Errorf("a calendar that cannot be read: %s", got)
		}
		for _, auto := range [][]byte{plainMail(cleo, room1, "Auto-Submitted: auto-replied\n"), bounceOf(cleo, "5.1.1")} {
			h.want("automatic", h.give(cleo, auto, room1)[room1], "250")
		}
		h.want("null sender", h.give("", plainMail(cleo, room1, "X: 1\n"), room1)[room1], "250")
		h.want("nothing sent", len(h.queue())+len(h.nextHop.all())+len(h.relay.all()), 0)
		h.want("recorded", h.decisions("plain@outside"), []string{
			"in refused no scheduling message: a room or resource has no mailbox",
			"in handed on no scheduling message: to the owner of the room or resource",
			"in ignored automatic mail for a room or resource", "in ignored automatic mail for a room or resource",
			"in ignored automatic mail for a room or resource",
		})
	})
}

// In copy mode nobody but us can bring a room's mail to its owner.
func TestDecision08RoomsInCopyMode(t *testing.T) {
	each(t, func(h *house) {
		h.add(db.Room, "room2", func(p *db.Principal) { p.Policy = "owner keeper@example.org" })
		h.want("to the owner", h.give(cleo, plainMail(cleo, "room2@example.org", ""), "room2@example.org")["room2@example.org"], "250")
		out := h.relay.all()
		if len(out) != 1 || out[0].rcpt != "keeper@example.org" || out[0].from != cleo {
			t.Errorf("%v", out)
		}
	}, copyMode)
}

// A part with a valid METHOD is processed whatever Auto-Submitted says.
func TestDecision09AutoSubmitted(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo)))
		data := mailOf(cleo, ann, "Auto-Submitted: auto-generated\n", event("REPLY", "u1", organizer(ann)+answered(cleo, "DECLINED")))
		h.want("verdict", h.give("", data, ann)[ann], "250")
		h.want("effect", h.partstat("ann", "u1", cleo), "DECLINED")
	})
}

// Three degrees of belief, and what [trust] makes of them.
func TestDecision10Belief(t *testing.T) {
	const pass = "Authentication-Results: mx.example.org; dmarc=pass header.from=example.net\n"
	const fail = "Authentication-Results: mx.example.org; dmarc=fail header.from=example.net\n"
	const foreign = "Authentication-Results: mx.evil.example; dmarc=pass header.from=example.net\n"
	test := func(name, head, from, want, belief string, set ...func(*Options)) {
		t.Run(name, func(t *testing.T) {
			one(t, func(h *house) {
				h.persons("ann")
				h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo)))
				data := mailOf(from, ann, head, event("REPLY", "u1", organizer(ann)+answered(cleo, "ACCEPTED")))
				h.want("verdict", h.give(cleo, data, ann)[ann], "250")
				h.want("PARTSTAT", h.partstat("ann", "u1", cleo), want)
				h.want("handed on", h.nextHop.rcpts(), ann)
				got := h.decisions("REPLYu1@outside")
				if len(got) != 1 || !strings.Contains(got[0], " "+belief+" ") {
					t.Errorf("decision %q, want the degree %s", got, belief)
				}
			}, set...)
		})
	}
	test("nothing set", "", cleo, "ACCEPTED", "unverified")
	test("set, no evidence", "", cleo, "NEEDS-ACTION", "unverified", trust("mx.example.org"))
	test("set, proved", pass, cleo, "ACCEPTED", "proved", trust("mx.example.org"))
	test("set, failed", fail, cleo, "NEEDS-ACTION", "contradicted", trust("mx.example.org"))
	test("failed, all", fail, cleo, "NEEDS-ACTION", "contradicted", trust("mx.example.org"), unverified("all"))
	test("foreign server", foreign, cleo, "NEEDS-ACTION", "unverified", trust("mx.example.org"))
	test("somebody else", pass, "mallory@example.net", "NEEDS-ACTION", "contradicted", trust("mx.example.org"))
	test("somebody else, all", "", "mallory@example.com", "NEEDS-ACTION", "contradicted")
	test("two senders", "", cleo+", mallory@example.com", "NEEDS-ACTION", "contradicted")
	test("case of the address", "", "Cleo <Cleo@Example.NET>", "ACCEPTED", "unverified")
	test("reply", "", cleo, "ACCEPTED", "unverified", unverified("reply"))
	test("none", "", cleo, "NEEDS-ACTION", "unverified", unverified("none"))
}

func TestDecision10Requests(t *testing.T) {
	test := func(name, head, from, org, want string, set ...func(*Options)) {
		t.Run(name, func(t *testing.T) {
			one(t, func(h *house) {
				h.persons("ann")
				h.give(from, mailOf(from, ann, head, event("REQUEST", "u1", org+attendees(ann))), ann)
				h.want("copy", h.partstat("ann", "u1", ann), want)
				busy := 0
				h.read(func(tx *db.Tx) error {
					rows, err := tx.BusyRows([]int64{h.people["ann"].ID}, 0, 1<<60, "")
					busy = len(rows)
					return err
				})
				h.want("busy", busy, 0)
			}, set...)
		})
	}
	test("all", "", cleo, organizer(cleo), "NEEDS-ACTION")
	test("reply: quarantine only", "", cleo, organizer(cleo), "NEEDS-ACTION", unverified("reply"))
	test("none", "", cleo, organizer(cleo), "no copy", unverified("none"))
	test("his secretary", "", "sec@example.net", "ORGANIZER;SENT-BY=\"mailto:sec@example.net\":mailto:"+cleo+"\n", "NEEDS-ACTION")
}

// An update whose SENT-BY nobody has heard of, from another domain, is not
// believed: the mail says so of itself.
func TestDecision10SentByOfAStranger(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.give(cleo, mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann))), ann)
		evil := "ORGANIZER;SENT-BY=\"mailto:mallory@evil.example\":mailto:" + cleo + "\n"
		h.give("mallory@evil.example", mailOf("mallory@evil.example", ann, "", event("CANCEL", "u1", "SEQUENCE:1\n"+evil+attendees(ann))), ann)
		if o := h.copyOf("ann", "u1"); o == nil || o.Master().Value("STATUS") == "CANCELLED" {
			t.Error("a stranger cancelled the meeting")
		}
		good := "ORGANIZER;SENT-BY=\"mailto:sec@example.net\":mailto:" + cleo + "\n"
		h.give("sec@example.net", mailOf("sec@example.net", ann, "", event("REQUEST", "u1", "SEQUENCE:1\nLOCATION:Room 9\n"+good+attendees(ann))), ann)
		h.want("his own secretary", h.copyOf("ann", "u1").Master().Value("LOCATION"), "Room 9")
	})
}

// A new REQUEST from an authenticated sender who is not the organizer goes to
// quarantine; that sender may update it.
func TestDecision11Quarantine(t *testing.T) {
	const pass = "Authentication-Results: mx.example.org; dkim=pass header.d=booking.example\n"
	each(t, func(h *house) {
		h.persons("ann")
		lines := organizer("calendar-17@group.example") + attendees(ann)
		from := "noreply@booking.example"
		h.give(from, mailOf(from, ann, "", event("REQUEST", "u1", lines)), ann)
		h.want("not authenticated", h.partstat("ann", "u1", ann), "no copy")
		h.give(from, mailOf(from, ann, pass, event("REQUEST", "u1", lines)), ann)
		h.want("authenticated", h.partstat("ann", "u1", ann), "NEEDS-ACTION")
		other := "x@other.example"
		h.give(other, mailOf(other, ann, strings.Replace(pass, "booking", "other", 1), event("REQUEST", "u1", "SEQUENCE:1\nLOCATION:evil\n"+lines)), ann)
		h.want("another sender", h.copyOf("ann", "u1").Master().Value("LOCATION"), "")
		h.give(from, mailOf(from, ann, pass, event("REQUEST", "u1", "SEQUENCE:1\nLOCATION:Hall\n"+lines)), ann)
		h.want("the same sender", h.copyOf("ann", "u1").Master().Value("LOCATION"), "Hall")
		h.want("answers", len(h.queue()), 0)
	}, trust("mx.example.org"))
}

// Observing: the acting user is the owner of header From, and MAIL FROM must
// be his; copies go nowhere; what comes in by the other listener is no
// observation.
func TestDecision12Observe(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		data := mailOf(ann, cleo, "", event("REQUEST", "u1", organizer(ann)+attendees(ann, cleo)))
		h.want("MAIL FROM of somebody else", h.giveTo(h.observe, ben, data, cleo)[cleo], "250")
		h.want("MAIL FROM of nobody", h.giveTo(h.observe, "x@example.net", data, cleo)[cleo], "250")
		h.want("no effect", h.partstat("ann", "u1", cleo), "no copy")
		h.want("recorded", h.decisions("u1"), []string{
			"in REQUEST ignored contradicted header From is nobody here, or MAIL FROM may not speak for him",
		})
		// The same by port 25: a forgery.
		h.want("forgery", h.give(ann, data, ann)[ann], "250")
		h.want("no effect", h.partstat("ann", "u1", cleo), "no copy")
		h.want("handed on", h.nextHop.rcpts(), ann)

		stranger := mailOf(cleo, ann, "", event("REQUEST", "u2", organizer(cleo)+attendees(ann)))
		h.giveTo(h.observe, cleo, stranger, ann)
		h.want("a stranger", h.partstat("ann", "u2", ann), "no copy")
		h.want("copies go nowhere", len(h.nextHop.all())+len(h.relay.all()), 0)
	})
}

// A secretary's mail counts for whom she may act for, and says whose it is; once
// she may not any more it is nobody's.
func TestDecision12Secretary(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "sue")
		may := func(writes bool, proxies ...int64) {
			h.write(func(tx *db.Tx) error { return tx.SetProxies(h.people["ann"].ID, writes, proxies) })
		}
		sue := h.people["sue"].Address
		mail := func(uid string) []byte {
			return mailOf(ann, cleo, "Sender: "+sue+"\n", event("REQUEST", uid, organizer(ann)+attendees(ann, ben, cleo)))
		}
		may(false, h.people["sue"].ID)
		h.giveTo(h.observe, sue, mail("u1"), cleo)
		h.want("who may only read", h.partstat("ann", "u1", cleo), "no copy")
		may(true, h.people["sue"].ID)
		h.giveTo(h.observe, sue, mail("u2"), cleo)
		h.want("her copy", h.partstat("ann", "u2", cleo), "NEEDS-ACTION")
		h.want("Ben's", h.partstat("ben", "u2", ben), "NEEDS-ACTION")
		h.want("by whom", h.copyOf("ben", "u2").First().Prop("ORGANIZER").Param("SENT-BY"), "mailto:"+sue)
		// Whom the mail did not reach gets ours, from Ann, sent by Sue.
		some := mailOf(ann, cleo, "Sender: "+sue+"\n", event("REQUEST", "u2", "SEQUENCE:1\nLOCATION:Hall\n"+organizer(ann)+attendees(ann, ben, cleo, "finn@example.net")))
		h.giveTo(h.observe, sue, some, cleo)
		h.work()
		out := h.relay.all()
		h.want("one mail", len(out), 1)
		h.want("mailed", out[0].rcpt, "finn@example.net")
		m := h.parsed(out[0])
		h.want("From", m.From.Address.String(), "mailto:"+ann)
		h.want("Sender", m.Sender.Address.String(), "mailto:"+sue)
		h.want("SENT-BY", m.Objects[0].First().Prop("ORGANIZER").Param("SENT-BY"), "mailto:"+sue)
		may(true)
		h.giveTo(h.observe, sue, mail("u3"), cleo)
		h.want("who may not any more", h.partstat("ann", "u3", cleo), "no copy")
	})
}

// What a user sends from his mail program is what he did: his copy, people
// here in their calendars; nobody is mailed twice.
func TestDecision12ObservedMail(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		both := ann + ", " + ben + ", " + cleo
		invite := mailOf(ann, both, "", event("REQUEST", "u1", organizer(ann)+attendees(ben, cleo)))
		h.want("observed", h.giveTo(h.observe, "ann.alias@example.org", invite, cleo)[cleo], "250")
		h.want("her copy", h.partstat("ann", "u1", cleo), "NEEDS-ACTION")
		h.want("Ben's", h.partstat("ben", "u1", ben), "NEEDS-ACTION")
		h.want("status", h.status("ann", "u1", cleo), "1.1")
		// Ben's mail comes by the other door, and the copy once more.
		h.give(ann, invite, ben)
		h.giveTo(h.observe, ann, invite, cleo)
		h.want("nobody is mailed", len(h.queue()), 0)

		// Somebody whom her mail program has not told is mailed by us.
		some := mailOf(ann, cleo, "", event("REQUEST", "u1", "SEQUENCE:1\nLOCATION:Hall\n"+organizer(ann)+attendees(ben, cleo, "finn@example.net")))
		h.giveTo(h.observe, ann, some, cleo)
		h.want("Ben's", h.copyOf("ben", "u1").Master().Value("LOCATION"), "Hall")
		h.work()
		h.want("mailed", h.relay.rcpts(), "finn@example.net")

		// Ben answers from his mail program.
		reply := mailOf(ben, ann, "", event("REPLY", "u1", "SEQUENCE:1\n"+organizer(ann)+answered(ben, "ACCEPTED")))
		h.giveTo(h.observe, ben, reply, ann)
		h.want("his copy", h.partstat("ben", "u1", ben), "ACCEPTED")
		h.want("her copy", h.partstat("ann", "u1", ben), "ACCEPTED")

		cancel := mailOf(ann, both+", finn@example.net", "", event("CANCEL", "u1", "SEQUENCE:2\n"+organizer(ann)+attendees(ben, cleo, "finn@example.net")))
		h.giveTo(h.observe, ann, cancel, cleo)
		h.want("her copy", h.partstat("ann", "u1", cleo), "no copy")
		if o := h.copyOf("ben", "u1"); o != nil && o.Master().Value("STATUS") != "CANCELLED" {
			t.Errorf("Ben's copy:\n%s", o.Bytes())
		}
		h.want("nobody is mailed", len(h.queue()), 0)
	})
}

// The same change by PUT and by observed mail: one object state, and one mail
// if it was observed before the delivery was claimed (decision 33).
func TestDecision33PutAndMail(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "u1", organizer(ann)+attendees(cleo)))
		h.want("queued by the PUT", len(h.queue()), 1)
		invite := mailOf(ann, cleo, "", event("REQUEST", "u1", organizer(ann)+attendees(cleo)))
		h.giveTo(h.observe, ann, invite, cleo)
		h.want("taken back", len(h.queue()), 0)
		h.want("one object", h.partstat("ann", "u1", cleo), "NEEDS-ACTION")

		h.put("ann", event("", "u1", "SEQUENCE:1\nLOCATION:Hall\n"+organizer(ann)+attendees(cleo)))
		old := mailOf(ann, cleo, "X: again\n", event("REQUEST", "u1", organizer(ann)+attendees(cleo)))
		h.giveTo(h.observe, ann, old, cleo)
		h.want("an older mail takes nothing back", len(h.queue()), 1)
		h.want("nor changes anything", h.copyOf("ann", "u1").Master().Value("LOCATION"), "Hall")
	})
}

// Answers to an organizer whose domain is not ours come to a token address,
// which proves who answers.
func TestDecision13ReplyTokens(t *testing.T) {
	const dora = "dora@elsewhere.example"
	each(t, func(h *house) {
		h.persons(dora)
		h.put(dora, event("", "u1", organizer(dora)+attendees("cleo+work@example.net", "finn@example.net")))
		h.work()
		out := h.relay.all()
		if len(out) != 2 {
			t.Fatalf("%d mails", len(out))
		}
		m := h.parsed(h.to("cleo+work@example.net", out))
		org := m.Objects[0].Master().Prop("ORGANIZER")
		token := ics.CalAddress(org).Mail()
		if !strings.HasPrefix(token, "calendar+r") || !strings.HasSuffix(token, "@example.org") || org.Param("EMAIL") != dora {
			t.Fatalf("ORGANIZER %s of %s", org.Value, org.Param("EMAIL"))
		}
		if local, _, _ := strings.Cut(token, "@"); len(local) > 64 {
			t.Errorf("a local part of %d octets", len(local))
		}
		h.want("From", m.From.Address.Mail(), "calendar@example.org")

		// His program answers as his main address and without ORGANIZER; case
		// of the address got lost on the way; nobody proves anything.
		reply := mailOf("cleo@example.net", token, "", event("REPLY", "u1", answered("cleo@example.net", "ACCEPTED")))
		upper := strings.ToUpper(token)
		h.want("answer", h.give("cleo@example.net", reply, upper)[upper], "250")
		h.want("PARTSTAT", h.partstat(dora, "u1", "cleo+work@example.net"), "ACCEPTED")
		h.want("consumed", h.nextHop.rcpts(), "")

		// Somebody else on the list cannot answer by it for him, nor for himself.
		crash := mailOf("finn@example.net", token, "", event("REPLY", "u1", answered("finn@example.net", "DECLINED")))
		h.give("finn@example.net", crash, token)
		h.want("another attendee by the token", h.partstat(dora, "u1", "finn@example.net"), "NEEDS-ACTION")
		h.want("PARTSTAT", h.partstat(dora, "u1", "cleo+work@example.net"), "ACCEPTED")
		h.want("handed on", h.nextHop.rcpts(), dora)

		// A person writes back in words; a wrong token is nobody.
		h.want("words", h.give(cleo, plainMail(cleo, token, ""), token)[token], "250")
		h.want("handed on", h.nextHop.rcpts(), dora)
		h.want("out of office", h.give("", plainMail(cleo, token, "Auto-Submitted: auto-replied\n"), token)[token], "250")
		h.want("handed on", h.nextHop.rcpts(), "")
		wrong := token[:15] + "a" + token[16:]
		if wrong == token {
			wrong = token[:15] + "b" + token[16:]
		}
		h.nextHop.answer(func(stage, rcpt string) *smtp.SMTPError {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "who?"}
		})
		h.want("a wrong token", h.give(cleo, reply, wrong)[wrong], "RCPT 550 5.1.1 who?")
	}, unverified("none"))
}

// Bounces come to the envelope address of the mail and change its recipient's
// SCHEDULE-STATUS.
func TestDecision13Bounces(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo, "finn@example.net")))
		h.work()
		out := h.relay.all()
		h.want("mails", len(out), 2)
		verp := h.to(cleo, out).from
		if !strings.HasPrefix(verp, "calendar+b") || !strings.HasSuffix(verp, "@example.org") {
			t.Fatalf("envelope %s", verp)
		}
		status := func(who string) string {
			p := ics.Attendee(h.copyOf("ann", "u1").Master(), isMail(who))
			return p.Param("SCHEDULE-STATUS")
		}
		late := bytes.Replace(bounceOf(cleo, "4.4.1"), []byte("Action: failed"), []byte("Action: delayed"), 1)
		h.want("a delay", h.give("", late, verp)[verp], "250")
		h.want("vacation", h.give("", plainMail(cleo, verp, "Auto-Submitted: auto-replied\n"), verp)[verp], "250")
		h.want("status", status(cleo), "1.1")
		h.want("a bounce", h.give("", bounceOf(cleo, "5.1.1"), verp)[verp], "250")
		h.want("status", status(cleo), "5.2")
		h.want("status of the other", status("finn@example.net"), "1.1")
		h.want("consumed", h.nextHop.rcpts(), "")
		h.want("an answer by a person", h.give(cleo, plainMail(cleo, verp, "X: 2\n"), verp)[verp], "250")
		h.want("reaches her", h.nextHop.rcpts(), ann)
	})
}

// A proposal is kept and reaches its organizer as mail too, at his own address
// and at the one that stands for him.
func TestDecision26Proposals(t *testing.T) {
	const dora = "dora@elsewhere.example"
	each(t, func(h *house) {
		h.persons("ann", dora)
		open := func(who, uid, whom string) {
			t.Helper()
			var ps []db.Proposal
			err := h.store.View(t.Context(), func(tx *db.Tx) error {
				p, err := tx.PrincipalByAddress(who)
				if err == nil {
					ps, err = tx.Proposals(uid, p.ID)
				}
				return err
			})
			if err != nil || len(ps) != 1 || ps[0].Attendee != "mailto:"+whom {
				t.Errorf("%s has the proposals %+v, %v; want one of %s", who, ps, err, whom)
			}
		}
		moved := func(uid, lines string) string {
			return strings.NewReplacer("20260309T09", "20260310T09", "20260309T10", "20260310T10").Replace(event("COUNTER", uid, lines))
		}
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo, "finn@example.net")))
		h.put(dora, event("", "u2", organizer(dora)+attendees("cleo+work@example.net", "finn@example.net")))
		h.work()
		out := h.relay.all()
		// The whole list stands in it: the mail says who proposes.
		h.want("COUNTER", h.give(cleo, mailOf(cleo, ann, "", moved("u1", organizer(ann)+attendees(ann, "finn@example.net", cleo))), ann)[ann], "250")
		open(ann, "u1", cleo)
		h.want("handed on", h.nextHop.rcpts(), ann)

		token := ics.CalAddress(h.parsed(h.to("cleo+work@example.net", out)).Objects[0].Master().Prop("ORGANIZER")).Mail()
		text := moved("u2", organizer(token)+attendees("finn@example.net", "cleo+work@example.net"))
		h.want("COUNTER", h.give(cleo, mailOf(cleo, token, "", text), token)[token], "250")
		open(dora, "u2", "cleo+work@example.net")
		h.want("handed on", h.nextHop.rcpts(), dora)
		h.want("the meeting", h.copyOf(dora, "u2").Master().Value("DTSTART"), "20260309T090000Z")
	})
}

// Two strangers may hold the same UID and never learn of each other.
func TestDecision14SameUID(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.put("ann", event("", "u1", "LOCATION:Ann's\n"))
		h.give(cleo, mailOf(cleo, ben, "", event("REQUEST", "u1", organizer(cleo)+attendees(ben))), ben)
		h.want("Ben", h.partstat("ben", "u1", ben), "NEEDS-ACTION")
		h.want("Ann", h.copyOf("ann", "u1").Master().Value("LOCATION"), "Ann's")
	})
}

// Mail to a group: every member's calendar, the original under the list's
// address only.
func TestDecision29Groups(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		team := "team@example.org"
		g := h.add(db.Group, "team")
		h.write(func(tx *db.Tx) error { return tx.SetMembers(g.ID, []string{ann, ben, "x@example.com"}) })
		data := mailOf(cleo, team, "", event("REQUEST", "u1", organizer(cleo)+attendees(team)))
		h.want("verdict", h.give(cleo, data, team)[team], "250")
		h.want("handed on", h.nextHop.rcpts(), team)
		for _, who := range []string{"ann", "ben"} {
			if h.copyOf(who, "u1") == nil {
				t.Errorf("%s has no copy", who)
			}
		}
	})
}

// convene mail: 0, 65, 67, 75.
func TestDecision31Pipe(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.add(db.Room, "room1")
		pipe := func(rcpt string, data []byte) int {
			return h.bridge.Pipe(h.ctx, rcpt, bytes.NewReader(data))
		}
		data := mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann)))
		unix := append([]byte("From cleo@example.net Mon Mar  2 08:00:00 2026\nReturn-Path: <bounces@example.net>\n"), bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))...)
		h.want("done", pipe(ann, unix), 0)
		h.want("effect", h.partstat("ann", "u1", ann), "NEEDS-ACTION")
		m := h.nextHop.all()
		if len(m) != 1 || !bytes.HasSuffix(m[0].data, append([]byte("Return-Path: <bounces@example.net>\r\n"), data...)) || m[0].from != "bounces@example.net" {
			t.Errorf("handed on: %q", m)
		}
		for _, empty := range []string{"<>", "<MAILER-DAEMON>"} { // the latter as Postfix writes it
			h.want("a bounce", pipe(ann, append([]byte("Return-Path: "+empty+"\r\n"), plainMail(cleo, ann, "")...)), 0)
			if m := h.nextHop.all(); len(m) != 1 || m[0].from != "" {
				t.Errorf("a bounce is handed on: %q", m)
			}
		}
		h.want("unknown, the next hop knows him", pipe("else@example.org", data), 0)
		h.nextHop.answer(func(stage, rcpt string) *smtp.SMTPError {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "who?"}
		})
		h.want("unknown", pipe("nobody@example.org", data), 67)
		h.want("no address", pipe("nobody", data), 67)
		h.want("not for a room", pipe("room1@example.org", plainMail(cleo, "room1@example.org", "")), 65)
		h.want("empty", pipe(ann, []byte("\n")), 65)
		h.want("too large", pipe(ann, make([]byte, 2<<20)), 65)
		h.nextHop.answer(func(stage, rcpt string) *smtp.SMTPError {
			return &smtp.SMTPError{Code: 451, Message: "later"}
		})
		h.want("later", pipe(ann, data), 75)
		h.store.Close()
		h.want("our fault", pipe(ann, data), 75)
	})
}
