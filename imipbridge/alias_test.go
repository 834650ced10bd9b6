package imipbridge

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
)

const dmarcPass = "Authentication-Results: mx.example.org; dmarc=pass\n"

// An answer under another address than was invited: Exchange writes the main
// one, people have tags, mail is forwarded. Only what binds the two counts.
func TestAliasInReply(t *testing.T) {
	test := func(name, invited, wrote, head, want string, set ...func(*Options)) {
		t.Run(name, func(t *testing.T) {
			one(t, func(h *house) {
				h.persons("ann")
				h.put("ann", event("", "u1", organizer(ann)+
					"ATTENDEE;CN=Cleo Clark;PARTSTAT=NEEDS-ACTION:mailto:"+invited+"\nATTENDEE;CN=Finn;PARTSTAT=NEEDS-ACTION:mailto:finn@corp.example\n"))
				h.work()
				ours := h.parsed(h.to(invited, h.relay.all())).MessageID
				head = strings.ReplaceAll(head, "OURS", "<"+ours+">")
				reply := event("REPLY", "u1", organizer(ann)+"ATTENDEE;CN=Cleo Clark;PARTSTAT=ACCEPTED:mailto:"+wrote+"\n")
				h.want("verdict", h.give(wrote, mailOf("Cleo Clark <"+wrote+">", ann, head, reply), ann)[ann], "250")
				h.want("effect", h.partstat("ann", "u1", invited), want)
				if wrote != "finn@corp.example" {
					h.want("the other", h.partstat("ann", "u1", "finn@corp.example"), "NEEDS-ACTION")
				}
			}, set...)
		})
	}
	const yes, no = "ACCEPTED", "NEEDS-ACTION"
	trusted := trust("mx.example.org")
	test("as invited", "cleo@corp.example", "cleo@corp.example", "", yes)
	test("main address, answers our mail", "sales@corp.example", "cleo.clark@corp.example", "In-Reply-To: OURS\n", yes)
	test("by References", "sales@corp.example", "cleo.clark@corp.example", "References: <x@y> OURS\n <z@corp.example>\n", yes)
	test("subdomain", "sales@corp.example", "cleo@mail.corp.example", "In-Reply-To: OURS\n", yes)
	test("somebody else's provider", "sales@gmail.com", "cleo.clark@gmail.com", "In-Reply-To: OURS\n", no)
	test("forwarded elsewhere", "sales@corp.example", "cleo@other.example", "In-Reply-To: OURS\n", no)
	test("invited himself, answers another's mail", "sales@corp.example", "finn@corp.example", "In-Reply-To: OURS\n", no)
	test("a forged reference", "sales@corp.example", "mallory@corp.example", "In-Reply-To: <maaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.org>\n", no)
	test("a tag that was invited", "cleo+work@gmail.com", "Cleo@gmail.com", "", yes)
	test("a tag that answers", "cleo@gmail.com", "cleo+x@gmail.com", "", yes)
	test("name, proved", "sales@corp.example", "cleo.clark@corp.example", dmarcPass, yes, trusted)
	test("name, not proved", "sales@corp.example", "cleo.clark@corp.example", "", no, trusted, unverified("all"))
	test("name at a provider", "sales@gmail.com", "cleo.clark@gmail.com", dmarcPass, no, trusted)
	test("name elsewhere", "sales@corp.example", "cleo@other.example", dmarcPass, no, trusted)
	test("answers our mail, failed", "sales@corp.example", "cleo.clark@corp.example", "Authentication-Results: mx.example.org; dmarc=fail\nIn-Reply-To: OURS\n", no, trusted)
}

// From is not the ATTENDEE: only his organisation, proved, in answer to the
// mail that went to him alone, or a SENT-BY.
func TestReplyFromAnother(t *testing.T) {
	test := func(name, from, sentBy, head, want string) {
		t.Run(name, func(t *testing.T) {
			one(t, func(h *house) {
				h.persons("ann")
				boss := "boss@corp.example"
				h.put("ann", event("", "u1", organizer(ann)+attendees(boss, "pat@corp.example")))
				h.work()
				out := h.relay.all()
				head = strings.ReplaceAll(head, "OURS", "<"+h.parsed(h.to(boss, out)).MessageID+">")
				head = strings.ReplaceAll(head, "PATS", "<"+h.parsed(h.to("pat@corp.example", out)).MessageID+">")
				reply := event("REPLY", "u1", organizer(ann)+"ATTENDEE;PARTSTAT=DECLINED"+sentBy+":mailto:"+boss+"\n")
				h.give(from, mailOf(from, ann, head, reply), ann)
				h.want("effect", h.partstat("ann", "u1", boss), want)
			}, trust("mx.example.org"))
		})
	}
	const yes, no = "DECLINED", "NEEDS-ACTION"
	test("his secretary, named", "sec@corp.example", `;SENT-BY="mailto:sec@corp.example"`, dmarcPass, yes)
	test("his secretary's program does not say", "sec@corp.example", "", dmarcPass+"In-Reply-To: OURS\n", yes)
	test("without our mail", "sec@corp.example", "", dmarcPass, no)
	test("with a colleague's mail", "pat@corp.example", "", dmarcPass+"In-Reply-To: PATS\n", no)
	test("not proved", "sec@corp.example", "", "In-Reply-To: OURS\n", no)
	test("of another house", "sec@other.example", "", dmarcPass+"In-Reply-To: OURS\n", no)
}

// A UID that comes back in another case, or with blanks around it.
func TestUIDInAnotherCase(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "Budget-1@example.org", organizer(ann)+attendees(cleo, "finn@example.net")))
		h.work()
		out := h.relay.all()
		ref := "In-Reply-To: <" + h.parsed(h.to(cleo, out)).MessageID + ">\n"
		h.give(cleo, mailOf(cleo, ann, ref, event("REPLY", "BUDGET-1@EXAMPLE.ORG", answered(cleo, "ACCEPTED"))), ann)
		h.want("by the mail that he answers", h.partstat("ann", "Budget-1@example.org", cleo), "ACCEPTED")
		h.put("ann", event("", "plain", organizer(ann)+attendees(cleo)))
		h.give(cleo, mailOf(cleo, ann, "", event("REPLY", "PLAIN", answered(cleo, "declined"))), ann)
		h.want("by its lower case, the answer in lower case too", h.partstat("ann", "plain", cleo), "DECLINED")
		h.put("ann", event("", "blanks", organizer(ann)+attendees(cleo)))
		h.give(cleo, mailOf(cleo, ann, "X: blanks\n", event("REPLY", " bla\n nks\t", answered(cleo, "TENTATIVE"))), ann)
		h.want("with blanks around it, folded", h.partstat("ann", "blanks", cleo), "TENTATIVE")
	})
}

// Some programs give a second answer the DTSTAMP of the first.
func TestSecondAnswerSameStamp(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "u1", organizer(ann)+attendees(cleo)))
		for _, ps := range []string{"ACCEPTED", "DECLINED", "ACCEPTED"} {
			h.give(cleo, mailOf(cleo, ann, "X-Try: "+ps+h.clock.now().String()+"\n", event("REPLY", "u1", organizer(ann)+answered(cleo, ps))), ann)
			h.want("answer", h.partstat("ann", "u1", cleo), ps)
			h.clock.forward(1)
		}
	})
}

// Lists and forwarders break signatures: what comes by a token is proved all
// the same, anything else is handed on without an effect.
func TestBrokenSignatures(t *testing.T) {
	const broken = "Authentication-Results: mx.example.org; dkim=fail header.d=example.net; dmarc=fail; arc=pass\n"
	each(t, func(h *house) {
		h.persons("dora@elsewhere.example", "ann")
		dora := "dora@elsewhere.example"
		h.put(dora, event("", "u1", organizer(dora)+attendees(cleo)))
		h.work()
		token := h.parsed(h.to(cleo, h.relay.all())).Objects[0].Master().Prop("ORGANIZER").Value
		token = strings.TrimPrefix(token, "mailto:")
		h.give("", mailOf(cleo, token, broken, event("REPLY", "u1", answered(cleo, "ACCEPTED"))), token)
		h.want("by the token", h.partstat(dora, "u1", cleo), "ACCEPTED")

		h.put("ann", event("", "u2", organizer(ann)+attendees(cleo)))
		list := mailOf("Cleo via Friends <friends@lists.example>", ann, broken, event("REPLY", "u2", organizer(ann)+answered(cleo, "ACCEPTED")))
		h.want("verdict", h.give("friends-bounces@lists.example", list, ann)[ann], "250")
		h.want("by a list that rewrites From", h.partstat("ann", "u2", cleo), "NEEDS-ACTION")
		h.want("handed on", h.nextHop.rcpts(), ann)
		h.want("why", h.decisions("u2")[len(h.decisions("u2"))-1], "in REPLY ignored contradicted not believed: the sender is somebody else")
	}, trust("mx.example.org"))
}

func (h *house) quarantine() []db.Quarantined {
	h.Helper()
	var list []db.Quarantined
	h.read(func(tx *db.Tx) (err error) {
		list, err = tx.Quarantines(0, 0, 10)
		return err
	})
	return list
}

// Whose invitations go straight into the calendar is each person's choice.
func TestUnknownOrganizers(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		n := 0
		test := func(mode, known, organizerIs string, held bool) {
			h.Helper()
			n++
			uid := "u" + string(rune('0'+n/10)) + string(rune('0'+n%10))
			h.write(func(tx *db.Tx) error {
				if err := directory.SetPreference(tx, h.people["ann"].ID, directory.UnknownOrganizers, mode); err != nil {
					return err
				}
				return directory.SetPreference(tx, h.people["ann"].ID, directory.KnownOrganizers, known)
			})
			before := len(h.quarantine())
			h.give(organizerIs, mailOf(organizerIs, ann, "", event("REQUEST", uid, organizer(organizerIs)+attendees(ann))), ann)
			h.want(mode+" "+organizerIs+" arrived", h.partstat("ann", uid, ann), "NEEDS-ACTION")
			h.want(mode+" "+organizerIs+" held", len(h.quarantine()) > before, held)
		}
		h.write(func(tx *db.Tx) error {
			book, err := tx.CollectionByName(h.people["ann"].ID, db.AddressBook, "contacts")
			if err != nil {
				return err
			}
			m, err := tx.BumpCollections(book.ID)
			if err != nil {
				return err
			}
			card := "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nFN:Cleo\r\nitem1.EMAIL;TYPE=work:CLEO@exam\r\n ple.net\r\nEND:VCARD\r\n"
			return tx.PutObject(&db.Object{Collection: book.ID, Name: "c.vcf", UID: "c", Component: "VCARD", Modseq: m[book.ID]}, []byte(card), db.Indexed{}, 0)
		})
		other := "boss@corp.example"
		test("", "", other, false)
		test("everyone", "", other, false)
		test("contacts", "", other, true)
		test("contacts", "", cleo, false)
		test("contacts", "boss@CORP.example", other, false)
		test("own-domain", "", other, true)
		test("own-domain", "", "guest@example.org", false)
		test("allow-list", "", cleo, true)
		test("allow-list", "@corp.example", other, false)
		test("quarantine", "", other, true)
		test("quarantine", "boss@corp.example", other, false)
	})
}

// In quarantine: the organizer's updates stay there, a DELETE tells nobody, a
// PUT or an answer adopts; release and drop.
func TestQuarantineEnds(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.write(func(tx *db.Tx) error {
			return directory.SetPreference(tx, h.people["ann"].ID, directory.UnknownOrganizers, "quarantine")
		})
		invite := func(uid, lines string) {
			h.Helper()
			h.give(cleo, mailOf(cleo, ann, "", event("REQUEST", uid, lines+organizer(cleo)+attendees(ann))), ann)
		}
		entry := func(uid string) *db.Quarantined {
			for _, q := range h.quarantine() {
				if q.UID == uid {
					return &q
				}
			}
			return nil
		}
		invite("u1", "")
		first := entry("u1")
		if first == nil || first.Summary != "Budget" || first.From != "mailto:"+cleo || !strings.Contains(first.Rule, "policy quarantine") {
			t.Fatalf("%+v", first)
		}
		invite("u1", "SEQUENCE:1\nLOCATION:Hall\n")
		h.want("its update", h.copyOf("ann", "u1").Master().Value("LOCATION"), "Hall")
		if q := entry("u1"); q == nil || q.ID != first.ID || !q.Created.Equal(first.Created) {
			t.Errorf("an update is out of quarantine: %+v", q)
		}
		if err := h.desk.Release(h.ctx, first.ID, "command"); err != nil {
			t.Fatal(err)
		}
		h.want("released", entry("u1") == nil, true)
		if err := h.desk.Release(h.ctx, first.ID, "command"); err == nil {
			t.Error("released twice")
		}
		invite("u1", "SEQUENCE:2\nLOCATION:Barn\n")
		h.want("updated after its release", h.copyOf("ann", "u1").Master().Value("LOCATION"), "Barn")
		h.want("not back", entry("u1") == nil, true)

		invite("u2", "")
		if err := h.desk.Drop(h.ctx, entry("u2").ID, "command"); err != nil {
			t.Fatal(err)
		}
		h.want("dropped", h.partstat("ann", "u2", ann), "no copy")
		h.want("nobody is told", len(h.queue()), 0)
		invite("u2", "SEQUENCE:1\n")
		h.want("comes again into quarantine", entry("u2") != nil, true)

		invite("u3", "")
		h.removeCopy("ann", "u3", func(r *scheduling.Remove) { r.NoReply = false })
		h.want("deleted", h.partstat("ann", "u3", ann), "no copy")
		h.want("a stranger learns nothing", len(h.queue()), 0)

		invite("u4", "")
		h.put("ann", strings.NewReplacer("\r\n", "\n", "PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED").Replace(string(h.copyOf("ann", "u4").Bytes())))
		h.want("adopted", entry("u4") == nil, true)
		h.want("and answered", len(h.queue()), 1)

		invite("u5", "")
		h.giveTo(h.observe, ann, mailOf(ann, cleo, "", event("REPLY", "u5", organizer(cleo)+answered(ann, "ACCEPTED"))), cleo)
		h.want("adopted by an answer from the mail program", entry("u5") == nil, true)
		h.want("his copy", h.partstat("ann", "u5", ann), "ACCEPTED")

		invite("u6", "")
		h.give(cleo, mailOf(cleo, ann, "", event("CANCEL", "u6", "SEQUENCE:1\n"+organizer(cleo)+attendees(ann))), ann)
		h.want("cancelled", h.copyOf("ann", "u6").Master().Value("STATUS"), "CANCELLED")
	})
}
