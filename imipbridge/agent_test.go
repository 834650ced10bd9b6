package imipbridge

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/words"
)

// Defects of imip-agent 0.3 that concern mail, each one that Convene shall not
// have: STANDARDS.md lists them all and their tests.

// Whatever becomes of the calendar in it, a mail reaches the mailbox as it came.
func TestNothingIsLost(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.give(cleo, mailOf(cleo, ann, "", event("REQUEST", "u1", "SEQUENCE:5\n"+organizer(cleo)+attendees(ann))), ann)
		h.nextHop.all()
		test := func(what string, data []byte) {
			h.Helper()
			h.want(what+": verdict", h.give(cleo, data, ann)[ann], "250")
			got := h.nextHop.all()
			if len(got) != 1 || !strings.HasSuffix(string(got[0].data), string(data)) {
				h.Errorf("%s: not handed on as it came", what)
			}
			h.want(what+": SEQUENCE", h.copyOf("ann", "u1").Master().Value("SEQUENCE"), "5")
		}
		test("stale", mailOf(cleo, ann, "", event("REQUEST", "u1", "SEQUENCE:1\n"+organizer(cleo)+attendees(ann))))
		test("forged", mailOf("mallory@evil.example", ann, "", event("REQUEST", "u1", "SEQUENCE:9\n"+organizer(cleo)+attendees(ann))))
		test("another method in the header", []byte(strings.Replace(string(mailOf(cleo, ann, "", event("REPLY", "u1", "SEQUENCE:9\n"+organizer(cleo)+answered(ann, "ACCEPTED")))), "method=REPLY", "method=REQUEST", 1)))
		test("not an attendee", mailOf(cleo, ann, "", event("REQUEST", "u1", "SEQUENCE:9\n"+organizer(cleo)+attendees("x@example.com"))))
		test("an answer to nothing", mailOf(cleo, ann, "", event("REPLY", "u9", organizer(ann)+answered(cleo, "ACCEPTED"))))
		test("busy time asked for by a stranger", mailOf(cleo, ann, "", strings.ReplaceAll(event("REQUEST", "f1", organizer(cleo)+attendees(ann)), "VEVENT", "VFREEBUSY")))
		test("unknown method", mailOf(cleo, ann, "", event("X-ASK", "u1", organizer(cleo)+attendees(ann))))
		test("not iCalendar", mailOf(cleo, ann, "", "METHOD:REQUEST\nnonsense\n"))
	})
}

// An answer that names nobody, or does not say what it is: From is who gives it,
// but what he answers stood on the line or in the parameter that is missing. It
// changes nothing, not what he said before either, and the organizer reads it.
func TestReplyWithoutAttendee(t *testing.T) {
	one(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo)))
		h.work()
		h.relay.all()
		h.give(cleo, mailOf(cleo, ann, "", event("REPLY", "u1", organizer(ann)+answered(cleo, "ACCEPTED"))), ann)
		h.nextHop.all()
		before := string(h.copyOf("ann", "u1").Bytes())
		for _, lines := range []string{"", "ATTENDEE:mailto:" + cleo + "\n", "ATTENDEE;PARTSTAT=X-MAYBE:mailto:" + cleo + "\n"} {
			data := mailOf(cleo, ann, "", event("REPLY", "u1", organizer(ann)+lines))
			h.want("verdict", h.give(cleo, data, ann)[ann], "250")
			got := h.nextHop.all()
			h.want("handed on as it came", len(got) == 1 && strings.HasSuffix(string(got[0].data), string(data)), true)
			h.want("unchanged", string(h.copyOf("ann", "u1").Bytes()), before)
		}
		h.work()
		h.want("mails", len(h.relay.all()), 0)
	})
}

// Should reading a mail ever fail by a fault of ours, it goes on as it came.
func TestFaultWhileReading(t *testing.T) {
	one(t, func(h *house) {
		h.persons("ann")
		h.bridge.parse = func([]byte, time.Time, imip.Limits) (*imip.Mail, error) { panic("a fault") }
		data := mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann)))
		h.want("verdict", h.give(cleo, data, ann)[ann], "250")
		got := h.nextHop.all()
		h.want("handed on as it came", len(got) == 1 && strings.HasSuffix(string(got[0].data), string(data)), true)
		h.want("told in its header", strings.Contains(strings.ReplaceAll(string(got[0].data), "\r\n ", " "), "the calendar cannot be read: a fault of this server"), true)
	})
}

// A calendar that says nothing to anybody is on record, so that why has an
// answer.
func TestCalendarWithoutMethod(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.add(db.Room, "blue")
		data := []byte(strings.NewReplacer("METHOD:REQUEST\r\n", "", "; method=REQUEST", "").Replace(string(mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann))))))
		h.want("verdict", h.give(cleo, data, ann)[ann], "250")
		h.want("effect", h.partstat("ann", "u1", ann), "no copy")
		h.want("record", h.decisions("REQUESTu1@outside"), []string{"in ignored a calendar without METHOD: for the reader, no message"})
		if got := h.give(cleo, data, "blue@example.org")["blue@example.org"]; !strings.Contains(got, "it has no METHOD") {
			t.Errorf("the room: %s", got)
		}
	})
}

// Rules that cannot be read decline; the mail server is not told to try again.
// Who looks after the room is told, once: its owner as far as the rules name him,
// and the administrator.
func TestUnreadableRules(t *testing.T) {
	each(t, func(h *house) {
		const blue, keeper, master = "blue@example.org", "keeper@example.net", "postmaster@example.org"
		h.add(db.Room, "blue", func(p *db.Principal) { p.Policy = "owner " + keeper + "\nschedule_in_freebuzy" })
		for i, uid := range []string{"u1", "u2"} {
			h.want("verdict", h.give(cleo, mailOf(cleo, blue, "", event("REQUEST", uid, organizer(cleo)+attendees(blue))), blue)[blue], "250")
			h.want("declined", h.partstat("blue", uid, blue), "DECLINED")
			h.work()
			told := map[string]int{}
			for _, m := range h.relay.all() {
				if told[m.rcpt]++; m.rcpt == master {
					if text := h.parsed(m).Objects[0].First().Text("COMMENT"); !strings.Contains(text, `there is no rule "schedule_in_freebuzy"`) {
						t.Errorf("the administrator is told: %s", text)
					}
				}
			}
			h.want("answer", told[cleo], 1)
			h.want("administrator", told[master], 1-i)
			h.want("owner", told[keeper], 1-i)
		}
	})
}

// A mail that is tried again, since nobody heard our verdict, is answered once.
func TestRetryIsAnsweredOnce(t *testing.T) {
	each(t, func(h *house) {
		const blue = "blue@example.org"
		h.add(db.Room, "blue")
		data := mailOf(cleo, blue, "", event("REQUEST", "u1", organizer(cleo)+attendees(blue)))
		for range 3 {
			h.want("verdict", h.give(cleo, data, blue)[blue], "250")
			h.work()
		}
		out := h.relay.all()
		if len(out) != 1 || h.parsed(out[0]).Objects[0].Method() != "REPLY" {
			t.Errorf("%d mails", len(out))
		}
		h.want("booked", h.partstat("blue", "u1", blue), "ACCEPTED")
	})
}

// Mail that a room cannot read goes to its owner, whom it may have from a group.
func TestInheritedOwner(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		room := h.add(db.Room, "blue")
		floor := h.add(db.Group, "floor", func(p *db.Principal) { p.Policy = "same_domain_only\nowner ann@example.org keeper@example.net" })
		h.write(func(tx *db.Tx) error { return tx.SetMembers(floor.ID, []string{room.Address}) })
		h.want("verdict", h.give(cleo, plainMail(cleo, room.Address, ""), room.Address)[room.Address], "250")
		h.want("handed on", h.nextHop.rcpts(), "ann@example.org")
	})
}

// Whose calendar program writes no CN is named to others as the directory names
// him.
func TestNameInMail(t *testing.T) {
	one(t, func(h *house) {
		h.add(db.Person, "ann", func(p *db.Principal) { p.Name = "Ann Arbor" })
		h.put("ann", event("", "u1", "ORGANIZER:mailto:"+ann+"\n"+attendees(cleo)))
		h.work()
		h.want("From", h.parsed(h.to(cleo, h.relay.all())).From.Name, "Ann Arbor")
	})
}

// Who takes no part gets invitations as mail and nothing else; his answer by mail
// counts as that of somebody outside.
func TestTakesNoPart(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.prefer("ann", directory.Participating, "no")
		h.want("verdict", h.give(cleo, mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann))), ann)[ann], "250")
		h.want("handed on", h.nextHop.rcpts(), ann)
		h.want("copy", h.partstat("ann", "u1", ann), "no copy")

		h.put("ben", event("", "u2", organizer("ben@example.org")+attendees("ben@example.org", ann)))
		h.want("copy", h.partstat("ann", "u2", ann), "no copy")
		h.work()
		m := h.to(ann, h.relay.all())
		h.want("mailed", h.parsed(m).Objects[0].Method(), "REQUEST")
		reply := event("REPLY", "u2", organizer("ben@example.org")+"ATTENDEE;PARTSTAT=ACCEPTED:mailto:"+ann+"\n")
		h.want("verdict", h.give(ann, mailOf(ann, "ben@example.org", "", reply), "ben@example.org")["ben@example.org"], "250")
		h.want("answer", h.partstat("ben", "u2", ann), "ACCEPTED")
	})
}

// Mail that only tells when others are busy stays out of the mailbox of who
// wants that, once it is noted.
func TestFreeBusyMessages(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		publish := func(uid string) {
			t.Helper()
			data := mailOf(cleo, ann, "", busyTime(uid, "PUBLISH", "ORGANIZER:mailto:"+cleo, "FREEBUSY:20260303T100000Z/20260303T110000Z"))
			h.want("verdict", h.give(cleo, data, ann)[ann], "250")
		}
		publish("f1")
		h.want("as it is", h.nextHop.rcpts(), ann)
		h.prefer("ann", directory.FreeBusyMessages, "none")
		publish("f2")
		h.want("noted", h.nextHop.rcpts(), "")
		h.want("known", strings.HasPrefix(h.asks("ann", cleo), "2.0"), true)
		h.want("mail", h.give(cleo, plainMail(cleo, ann, ""), ann)[ann], "250")
		h.want("everything else", h.nextHop.rcpts(), ann)
	})
}

// One more instance of a meeting is looked at like a request.
func TestMailedAddToRoom(t *testing.T) {
	each(t, func(h *house) {
		blue := "blue@example.org"
		h.add(db.Room, "blue")
		h.give(cleo, mailOf(cleo, blue, "", event("REQUEST", "u1", organizer(cleo)+attendees(blue))), blue)
		h.want("booked", h.partstat("blue", "u1", blue), "ACCEPTED")
		finn := "finn@example.net"
		series := strings.Replace(event("REQUEST", "u2", organizer(finn)+attendees(blue)), "20260309", "20260302", -1)
		h.give(finn, mailOf(finn, blue, "", series), blue)
		h.want("another day", h.partstat("blue", "u2", blue), "ACCEPTED")
		// The added instance is at the time of the first meeting.
		h.give(finn, mailOf(finn, blue, "", event("ADD", "u2", "SEQUENCE:1\n"+organizer(finn)+attendees(blue))), blue)
		o := h.copyOf("blue", "u2")
		for _, c := range o.Main() {
			if strings.HasPrefix(c.Value("DTSTART"), "20260309") && strings.Contains(c.Value("ATTENDEE")+c.Prop("ATTENDEE").Param("PARTSTAT"), "ACCEPTED") {
				t.Errorf("two bookings at once:\n%s", o.Bytes())
			}
		}
	})
}

// Addresses of outsiders come in every spelling.
func TestBelievedInAnyCase(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "u1", organizer(ann)+attendees("Cleo@Example.NET")))
		h.give("CLEO@EXAMPLE.net", mailOf("CLEO@EXAMPLE.net", ann, dmarcPass, event("REPLY", "u1", organizer("ANN@Example.ORG")+answered("cleo@example.net", "ACCEPTED"))), ann)
		h.want("answer", h.partstat("ann", "u1", "Cleo@example.net"), "ACCEPTED")
	}, trust("MX.example.ORG"))
}

// Mail of one conversation does not wait for another one that is being settled,
// be they of the same person. SQLite has one writer, whatever is locked.
func TestConversationsDoNotWait(t *testing.T) {
	h := open(t, "postgres")
	h.persons("ann")
	if err := h.store.Write(h.ctx, nil, func(tx *db.Tx) error {
		if err := tx.LockThreads("u1"); err != nil {
			return err
		}
		data := mailOf(cleo, ann, "", event("REQUEST", "u2", organizer(cleo)+attendees(ann)))
		h.want("verdict meanwhile", h.give(cleo, data, ann)[ann], "250")
		h.want("effect meanwhile", h.partstat("ann", "u2", ann), "NEEDS-ACTION")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Who is in To and not in the envelope gets nothing by this mail.
func TestEnvelopeCounts(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.give(cleo, mailOf(cleo, ann+", "+ben, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann, ben))), ann)
		h.want("Ann", h.partstat("ann", "u1", ann), "NEEDS-ACTION")
		h.want("Ben", h.partstat("ben", "u1", ben), "no copy")
		h.want("handed on", h.nextHop.rcpts(), ann)
	})
}

// Single dates that come without their series, in whatever form they are named,
// are kept, and join the series where it is here.
func TestLoneOverrides(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		lone := func(uid, rid, hour string) string {
			return strings.Replace(event("REQUEST", uid, "RECURRENCE-ID"+rid+"\nSEQUENCE:1\n"+organizer(cleo)+attendees(ann)), "DTSTART:20260309T090000Z\nDTEND:20260309T100000Z",
				"DTSTART:20260316T"+hour+"0000Z\nDTEND:20260316T"+hour+"3000Z", 1)
		}
		give := func(calendar string) {
			h.Helper()
			h.want("verdict", h.give(cleo, mailOf(cleo, ann, "", calendar), ann)[ann], "250")
		}
		give(lone("u1", ":20260316T090000Z", "11"))
		h.want("alone", len(h.copyOf("ann", "u1").Main()), 1)
		h.want("answer asked", h.partstat("ann", "u1", ann), "NEEDS-ACTION")
		second := strings.NewReplacer("20260316", "20260323").Replace(lone("u1", ":20260316T090000Z", "12"))
		give(second)
		h.want("two of them", len(h.copyOf("ann", "u1").Main()), 2)

		series := strings.NewReplacer("DTSTART:20260309T090000Z", "DTSTART;TZID=Europe/Berlin:20260309T100000", "DTEND:20260309T100000Z", "DTEND;TZID=Europe/Berlin:20260309T110000").
			Replace(event("REQUEST", "u2", "RRULE:FREQ=WEEKLY;COUNT=5\n"+organizer(cleo)+attendees(ann)))
		for i, rid := range []string{":20260316T090000Z", ";TZID=America/New_York:20260316T050000", ";VALUE=DATE:20260316"} {
			uid := string("stu"[i])
			give(strings.Replace(series, "UID:u2", "UID:"+uid, 1))
			give(lone(uid, rid, "13"))
			o := h.copyOf("ann", uid)
			if len(o.Overrides()) != 1 || o.Master() == nil {
				t.Fatalf("RECURRENCE-ID%s:\n%s", rid, o.Bytes())
			}
			h.want("RECURRENCE-ID"+rid, o.Overrides()[0].Value("DTSTART"), "20260316T130000Z")
			begins := 0
			from := time.Date(2026, 3, 16, 0, 0, 0, 0, time.UTC)
			if err := o.Instances(from, from.AddDate(0, 0, 1), time.UTC, ics.Bound{Instances: 100, Steps: 1000}, func(i ics.Instance) bool {
				begins++
				return true
			}); err != nil {
				t.Fatal(err)
			}
			h.want("dates on that day", begins, 1)
		}
	})
}

// inboxOf is what lies in somebody's scheduling inbox.
func (h *house) inboxOf(who string) (all []*ics.Object) {
	h.Helper()
	h.read(func(tx *db.Tx) error {
		all = nil
		cols, err := tx.CollectionsOf([]int64{h.people[who].ID}, db.Inbox)
		if err != nil {
			return err
		}
		list, err := tx.List(cols[0].ID, "", 100)
		if err != nil {
			return err
		}
		var ids []int64
		for _, o := range list {
			ids = append(ids, o.ID)
		}
		rows, err := tx.ByIDs(ids)
		for _, r := range rows {
			o, err := ics.Parse(r.Body, ics.Limits{})
			if err != nil {
				return err
			}
			all = append(all, o)
		}
		return err
	})
	return all
}

// The owner of a room decides on the page behind the link in his mail, whether he
// is here or outside; who asked for the room hears of it.
func TestOwnerDecidesOnAPage(t *testing.T) {
	each(t, func(h *house) {
		const keeper = "keeper@example.net"
		jobs := func() {
			h.Helper()
			if _, err := h.desk.WorkOnce(h.ctx); err != nil {
				h.Fatal(err)
			}
			h.work()
		}
		h.persons("ann")
		h.add(db.Person, "ola", mailCopies, func(p *db.Principal) { p.Language = "de" })
		h.add(db.Room, "blue", func(p *db.Principal) { p.Policy = "ACT_MANUAL\nowner " + keeper })
		h.add(db.Room, "red", func(p *db.Principal) { p.Policy = "ACT_MANUAL\nowner ola@example.org" })
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, "blue@example.org", "red@example.org")))
		h.want("waits", h.partstat("ann", "u1", "blue@example.org")+" "+h.partstat("ann", "u1", "red@example.org"), "TENTATIVE TENTATIVE")
		jobs()
		out := h.relay.all()
		h.want("mails", len(out), 2)

		path := h.link(h.to(keeper, out))
		status, body, _ := h.page("GET", path, nil)
		h.want("GET", status, 200)
		h.want("what is asked", strings.Contains(body, "Budget"), true)
		status, _, _ = h.page("POST", path, url.Values{"ACCEPTED": {""}})
		h.want("POST", status, 200)
		jobs()
		h.want("accepted", h.partstat("ann", "u1", "blue@example.org"), "ACCEPTED")

		path = h.link(h.to("ola@example.org", out))
		_, body, _ = h.page("GET", path, nil)
		h.want("in her language", strings.Contains(body, `lang="de"`), true)
		status, _, _ = h.page("POST", path, url.Values{"DECLINED": {""}})
		h.want("POST", status, 200)
		jobs()
		h.want("declined", h.partstat("ann", "u1", "red@example.org"), "DECLINED")
	})
}

// A room tells why in the language of who asks: that of his profile, or what an
// invitation from outside says.
func TestReasonsInLanguages(t *testing.T) {
	each(t, func(h *house) {
		h.add(db.Person, "ann", func(p *db.Principal) { p.Language = "fr" })
		h.add(db.Room, "blue", func(p *db.Principal) { p.Policy = "longest PT10M" })
		french := words.Default().For("fr").Say("longer than %s", "10 min")
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, "blue@example.org")))
		inbox := h.inboxOf("ann")
		h.want("one answer", len(inbox), 1)
		if got := inbox[0].First().Text("COMMENT"); !strings.HasPrefix(got, strings.Split(french, " 10")[0]) || strings.HasPrefix(got, "longer") {
			t.Errorf("told %q, not as %q", got, french)
		}
		for tag, want := range map[string]string{"de": "länger als", "": "longer than"} {
			line := "ORGANIZER;LANGUAGE=" + tag + ":mailto:" + cleo + "\n"
			if tag == "" {
				line = organizer(cleo)
			}
			h.give(cleo, mailOf(cleo, "blue@example.org", "", event("REQUEST", "x"+tag, line+attendees("blue@example.org"))), "blue@example.org")
			h.work()
			if got := h.parsed(h.to(cleo, h.relay.all())).Objects[0].First().Text("COMMENT"); !strings.HasPrefix(got, want) {
				t.Errorf("%q: told %q", tag, got)
			}
		}
	})
}
