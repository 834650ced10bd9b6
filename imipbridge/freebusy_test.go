package imipbridge

import (
	"fmt"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// busyTime makes a VFREEBUSY message about the day after today.
func busyTime(uid, method string, lines ...string) string {
	return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t\nMETHOD:" + method + "\nBEGIN:VFREEBUSY\nUID:" + uid + "\nDTSTAMP:20260302T070000Z\n" +
		"DTSTART:20260303T000000Z\nDTEND:20260304T000000Z\n" + strings.Join(lines, "\n") + "\nEND:VFREEBUSY\nEND:VCALENDAR\n"
}

func (h *house) prefer(who, name, value string) {
	h.Helper()
	h.write(func(tx *db.Tx) error { return directory.SetPreference(tx, h.people[who].ID, name, value) })
}

// asks is what somebody is told of a calendar user: status and periods.
func (h *house) asks(who, whom string) string {
	h.Helper()
	fb, err := h.desk.FreeBusy(h.ctx, scheduling.FreeBusyQuery{Asker: h.people[who], Whom: []string{"mailto:" + whom}, From: today, To: today.AddDate(0, 0, 2)})
	if err != nil {
		h.Fatal(err)
	}
	out := fb[0].Status[:3]
	if out == "2.0" {
		out += fb[0].From.Format(" 02T15") + fb[0].To.Format("-02T15")
	}
	for _, s := range fb[0].Spans {
		out += s.Start.Format(" 1504") + s.End.Format("-1504")
	}
	return out
}

// A question by mail is answered by mail, as the recipient shares his busy
// time; the answer is of the window that was asked for (RFC 5546 §3.3.2, §3.3.3).
func TestFreeBusyAskedByMail(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.add(db.Room, "room")
		h.put("ann", "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t\nBEGIN:VEVENT\nUID:e\nDTSTAMP:20260301T120000Z\nDTSTART:20260303T100000Z\nDTEND:20260303T110000Z\nSUMMARY:Secret\nEND:VEVENT\nEND:VCALENDAR\n")
		n := 0
		ask := func(from, who string, lines ...string) []caught {
			t.Helper()
			n++
			before := len(h.relay.all())
			lines = append([]string{"ORGANIZER:mailto:" + from, "ATTENDEE:mailto:" + who}, lines...)
			if v := h.give(from, mailOf(from, who, "", busyTime(fmt.Sprint("q", n), "REQUEST", lines...)), who)[who]; v != "250" {
				t.Fatal(v)
			}
			h.work()
			return h.relay.all()[before:]
		}
		none := func(got []caught, why string) {
			t.Helper()
			if len(got) != 0 {
				t.Errorf("%s was answered: %s", why, got[0].data)
			}
		}
		answered := func(got []caught, to string) *ics.Object {
			t.Helper()
			if len(got) != 1 || got[0].rcpt != to {
				t.Fatalf("%v", got)
			}
			m, err := imip.Parse(got[0].data, today, imip.Limits{})
			if err != nil || len(m.Objects) != 1 {
				t.Fatalf("%v: %s", err, got[0].data)
			}
			return m.Objects[0]
		}
		none(ask("bob@example.com", "ann@example.org"), "somebody outside")
		h.prefer("ann", directory.FreeBusySharing, "share")
		o := answered(ask("bob@example.com", "ann@example.org", "ATTENDEE:mailto:ann.alias@example.org"), "bob@example.com")
		if o.Method() != "REPLY" || len(o.Main()) != 2 {
			t.Errorf("%s", o.Bytes())
		}
		for _, c := range o.Main() {
			for _, name := range []string{"UID", "DTSTAMP", "DTSTART", "DTEND", "ORGANIZER", "ATTENDEE", "REQUEST-STATUS", "FREEBUSY"} { // RFC 5546 §3.3.3
				if len(c.PropsNamed(name)) != 1 {
					t.Errorf("not one %s in %s", name, o.Bytes())
				}
			}
			if c.Value("DTSTART") != "20260303T000000Z" || c.Value("DTEND") != "20260304T000000Z" || c.Value("FREEBUSY") != "20260303T100000Z/PT1H" || c.Prop("SEQUENCE") != nil {
				t.Errorf("%s", o.Bytes())
			}
		}
		if text := string(o.Bytes()); strings.Contains(text, "Secret") {
			t.Error(text)
		}
		if a, b := o.Main()[0].Value("ATTENDEE"), o.Main()[1].Value("ATTENDEE"); a != "mailto:ann@example.org" || b != "mailto:ann.alias@example.org" {
			t.Errorf("as %s and %s", a, b)
		}
		h.prefer("ann", directory.FreeBusySharing, "no")
		none(ask("bob@example.com", "ann@example.org"), "nobody")
		none(ask("ben@example.org", "ann@example.org"), "somebody here")
		h.prefer("ann", directory.FreeBusySharing, "")
		answered(ask("ben@example.org", "ann@example.org"), "ben@example.org")
		answered(ask("bob@example.com", "room@example.org"), "bob@example.com") // rooms answer everybody
		// Not the sender's question, and not the recipient's.
		h.prefer("ann", directory.FreeBusySharing, "share")
		before := len(h.relay.all())
		h.give("eve@example.com", mailOf("eve@example.com", "ann@example.org", "", busyTime("f1", "REQUEST", "ORGANIZER:mailto:bob@example.com", "ATTENDEE:mailto:ann@example.org")), "ann@example.org")
		h.give("bob@example.com", mailOf("bob@example.com", "ann@example.org", "", busyTime("f2", "REQUEST", "ORGANIZER:mailto:bob@example.com", "ATTENDEE:mailto:ben@example.org")), "ann@example.org")
		floating := strings.Replace(busyTime("f3", "REQUEST", "ORGANIZER:mailto:bob@example.com", "ATTENDEE:mailto:ann@example.org"), "DTSTART:20260303T000000Z", "DTSTART:20260303T000000", 1)
		h.give("bob@example.com", mailOf("bob@example.com", "ann@example.org", "", floating), "ann@example.org")
		h.work()
		none(h.relay.all()[before:], "a stranger's question")
		// Each member answers for himself.
		team := h.add(db.Group, "team")
		h.write(func(tx *db.Tx) error { return tx.SetMembers(team.ID, []string{"ann@example.org", "ben@example.org"}) })
		o = answered(ask("bob@example.com", "team@example.org"), "bob@example.com")
		if p := o.First().Prop("ATTENDEE"); p.Value != "mailto:ann@example.org" || p.Param("MEMBER") != "mailto:team@example.org" {
			t.Errorf("%s", o.Bytes())
		}
	})
}

// What somebody outside tells of his busy time is remembered for whom he told
// it, in its window, the latest first.
func TestFreeBusyRemembered(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		told := func(from, method, stamp string, lines ...string) {
			t.Helper()
			text := strings.Replace(busyTime("r"+stamp, method, lines...), "DTSTAMP:20260302T070000Z", "DTSTAMP:"+stamp, 1)
			if v := h.give(from, mailOf(from, "ann@example.org", "", text), "ann@example.org")["ann@example.org"]; v != "250" {
				t.Fatal(v)
			}
		}
		test := func(who, want string) {
			t.Helper()
			if got := h.asks(who, "Bob@example.com"); got != want {
				t.Errorf("%s is told %q, want %q", who, got, want)
			}
		}
		test("ann", "3.7")
		told("bob@example.com", "PUBLISH", "20260302T050000Z", "ORGANIZER:mailto:bob@example.com", "FREEBUSY:20260303T100000Z/20260303T110000Z")
		test("ann", "2.0 03T00-04T00 1000-1100")
		test("ben", "3.7") // he was not told
		told("bob@example.com", "REPLY", "20260302T060000Z", "ORGANIZER:mailto:ann@example.org", "ATTENDEE:mailto:bob@example.com", "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260303T120000Z/PT1H")
		test("ann", "2.0 03T00-04T00 1200-1300")
		told("bob@example.com", "PUBLISH", "20260302T053000Z", "ORGANIZER:mailto:bob@example.com", "FREEBUSY:20260303T140000Z/20260303T150000Z") // late
		told("eve@example.com", "PUBLISH", "20260302T070000Z", "ORGANIZER:mailto:bob@example.com")                                               // not his
		told("eve@example.com", "REPLY", "20260302T070000Z", "ORGANIZER:mailto:ann@example.org", "ATTENDEE:mailto:bob@example.com")
		told("bob@example.com", "PUBLISH", "20260302T071000Z", "ORGANIZER:mailto:bob@example.com", "FREEBUSY:nonsense")
		test("ann", "2.0 03T00-04T00 1200-1300")
		// Somebody here cannot be spoken of from outside, nor by himself.
		told("ben@example.org", "PUBLISH", "20260302T071000Z", "ORGANIZER:mailto:ben@example.org", "FREEBUSY:20260303T140000Z/20260303T150000Z")
		if got := h.asks("ann", "ben@example.org"); got != "2.0 02T08-04T08" {
			t.Error(got)
		}
		for _, d := range h.decisions("r20260302T053000Z") {
			if !strings.Contains(d, "stale") {
				t.Error(d)
			}
		}
		if n := len(h.nextHop.all()); n != 7 {
			t.Errorf("%d mails were handed on", n)
		}
	})
}

// Without any proof nothing is told and nothing remembered, where proof is
// asked for.
func TestFreeBusyBelief(t *testing.T) {
	one(t, func(h *house) {
		h.persons("ann")
		h.prefer("ann", directory.FreeBusySharing, "share")
		h.give("bob@example.com", mailOf("bob@example.com", "ann@example.org", "", busyTime("q", "REQUEST", "ORGANIZER:mailto:bob@example.com", "ATTENDEE:mailto:ann@example.org")), "ann@example.org")
		h.give("bob@example.com", mailOf("bob@example.com", "ann@example.org", "", busyTime("p", "PUBLISH", "ORGANIZER:mailto:bob@example.com")), "ann@example.org")
		if h.work() != 0 || h.asks("ann", "bob@example.com") != "3.7" {
			t.Errorf("%v %v", h.decisions("q"), h.decisions("p"))
		}
		proof := "Authentication-Results: mx.example.org; dmarc=pass header.from=example.com\n"
		h.give("bob@example.com", mailOf("bob@example.com", "ann@example.org", proof, busyTime("q2", "REQUEST", "ORGANIZER:mailto:bob@example.com", "ATTENDEE:mailto:ann@example.org")), "ann@example.org")
		h.give("bob@example.com", mailOf("bob@example.com", "ann@example.org", proof, busyTime("p2", "PUBLISH", "ORGANIZER:mailto:bob@example.com")), "ann@example.org")
		if h.work() != 1 || h.asks("ann", "bob@example.com") != "2.0 03T00-04T00" {
			t.Errorf("%v %v", h.decisions("q2"), h.decisions("p2"))
		}
	}, trust("mx.example.org"))
}

// Busy time goes with the mail of who wants that and shares it; a calendar
// that gets it remembers it, and answers the invitation as before.
func TestFreeBusyBundling(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		objects := func(uid string) (kinds string, last *ics.Object) {
			t.Helper()
			before := len(h.relay.all())
			h.put("ann", event("", uid, organizer("ann@example.org")+attendees("bob@example.com")))
			h.work()
			got := h.relay.all()[before:]
			if len(got) != 1 {
				t.Fatalf("%d mails", len(got))
			}
			m, err := imip.Parse(got[0].data, today, imip.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range m.Objects {
				kinds += o.Kind() + " " + o.Method() + " "
				last = o
			}
			return kinds, last
		}
		if got, _ := objects("m1"); got != "VEVENT REQUEST " {
			t.Error(got)
		}
		h.prefer("ann", directory.FreeBusyBundling, "always")
		if got, _ := objects("m2"); got != "VEVENT REQUEST " { // she does not share it
			t.Error(got)
		}
		h.prefer("ann", directory.FreeBusySharing, "share")
		got, o := objects("m3")
		if got != "VEVENT REQUEST VFREEBUSY PUBLISH " {
			t.Fatal(got)
		}
		if c := o.First(); c.Value("ORGANIZER") != "mailto:ann@example.org" || c.Value("DTSTART") != "20260302T080000Z" || c.Value("DTEND") != "20260610T080000Z" ||
			c.Value("FREEBUSY") != "20260309T090000Z/PT1H" {
			t.Errorf("%s", o.Bytes())
		}
	})
}
