package scheduling_test

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// deliver brings a mailed message to somebody here, as the mail door does.
func (h *house) deliver(to string, msg *ics.Object, from string, set ...func(*scheduling.Deliver)) scheduling.Verdict {
	h.Helper()
	m := scheduling.Deliver{
		Recipient: h.people[to], Address: address(to), Body: msg, From: address(from), Believed: scheduling.Unverified, Act: true,
		MessageID: "<1@example.net>", Door: "lmtp",
	}
	for _, f := range set {
		f(&m)
	}
	v, err := h.desk.Deliver(h.ctx, m)
	if err != nil {
		h.Fatal(err)
	}
	return v
}

func proved(m *scheduling.Deliver) { m.Believed = scheduling.Proved }

// A REPLY from outside by mail: once, however often it comes.
func TestDeliverReply(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "out@example.net"))
		tag := h.has("ann", "m1").ScheduleTag
		msg := reply("m1", "ann", "out@example.net", "ACCEPTED")
		key := func(m *scheduling.Deliver) { m.Key = "ann/hash1" }
		v := h.deliver("ann", msg, "out@example.net", key)
		if !v.Applied || v.Repeated || v.Refusal != nil {
			t.Errorf("%+v", v)
		}
		h.says("ann", "m1", "", "out@example.net", "ACCEPTED")
		h.status("ann", "m1", "out@example.net", itip.StatusSuccess)
		if h.has("ann", "m1").ScheduleTag != tag {
			t.Error("a reply moved the Schedule-Tag")
		}
		etag, n := h.has("ann", "m1").ETag, len(h.decisions("m1"))
		if v := h.deliver("ann", msg, "out@example.net", key); !v.Repeated || !v.Applied {
			t.Errorf("the same mail again: %+v", v)
		}
		if h.has("ann", "m1").ETag != etag || len(h.decisions("m1")) != n {
			t.Error("a repeated mail had an effect")
		}
		// The same answer in another mail changes nothing and is recorded.
		v = h.deliver("ann", msg, "out@example.net", func(m *scheduling.Deliver) { m.Key = "ann/hash2" })
		if v.Applied || v.Repeated || v.Rule == "" {
			t.Errorf("the same answer in another mail: %+v", v)
		}
		h.work()
		h.says("ben", "m1", "", "out@example.net", "ACCEPTED")
		// An older answer does not undo a newer one.
		old := method(strings.Replace(strings.ReplaceAll(string(reply("m1", "ann", "out@example.net", "DECLINED").Bytes()), "METHOD:REPLY\r\n", ""), "20260302T090000Z", "20260302T080000Z", 1), "REPLY")
		if v := h.deliver("ann", old, "out@example.net"); v.Applied || !strings.Contains(v.Rule, "stale") {
			t.Errorf("a stale answer: %+v", v)
		}
		h.says("ann", "m1", "", "out@example.net", "ACCEPTED")
		h.queue("REQUEST out@example.net")
	})
}

func TestDeliverNotBelieved(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "out@example.net"))
		before := h.has("ann", "m1").ETag
		msg := reply("m1", "ann", "out@example.net", "ACCEPTED")
		v := h.deliver("ann", msg, "evil@example.net", func(m *scheduling.Deliver) { m.Believed, m.Act = scheduling.Contradicted, true })
		if v.Applied || v.Rule == "" {
			t.Errorf("contradicted: %+v", v)
		}
		v = h.deliver("ann", msg, "out@example.net", func(m *scheduling.Deliver) { m.Act = false })
		if v.Applied || v.Rule == "" {
			t.Errorf("not to be acted upon: %+v", v)
		}
		if h.has("ann", "m1").ETag != before {
			t.Error("something changed")
		}
		h.decided("m1", "ignored", "not believed")
		for _, d := range h.decisions("m1") {
			if d.Direction == "in" && d.Belief == "" {
				t.Errorf("the degree of belief is missing: %+v", d)
			}
		}
		// A party crasher, and a stranger's meeting.
		if v := h.deliver("ann", reply("m1", "ann", "crasher@example.net", "ACCEPTED"), "crasher@example.net"); !v.Applied || h.has("ann", "m1").ETag != before {
			t.Errorf("a party crasher is shown to the organizer, and not let in: %+v", v)
		}
		if v := h.deliver("ben", msg, "out@example.net"); v.Applied {
			t.Errorf("to somebody who has no such meeting: %+v", v)
		}
		if v := h.deliver("ann", reply("none", "ann", "out@example.net", "ACCEPTED"), "out@example.net"); v.Applied {
			t.Errorf("about no meeting: %+v", v)
		}
	})
}

// A mailed REPLY of somebody here is his own act: his copy first, then the
// organizer's, and no second mail (decision 6).
func TestDeliverOwnAct(t *testing.T) {
	each(t, func(h *house) {
		h.add(db.Person, "ann", func(p *db.Principal) { p.MailCopies = "always" })
		h.persons("ben", "cleo")
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "cleo"))
		msg := reply("m1", "ann", "ben", "ACCEPTED")
		if v := h.deliver("ann", msg, "ben"); !v.Applied {
			t.Errorf("%+v", v)
		}
		h.says("ben", "m1", "", "ben", "ACCEPTED")
		h.says("ann", "m1", "", "ben", "ACCEPTED")
		if got := h.busy("ben", 7); got != "03T1000-1100" {
			t.Errorf("ben is busy %q", got)
		}
		h.queue()
		h.work()
		h.says("cleo", "m1", "", "ben", "ACCEPTED")
		if v := h.deliver("ann", msg, "ben"); v.Applied {
			t.Errorf("again: %+v", v)
		}
		// One occurrence of a series.
		h.put("ann", series("m2", "20260303T1000", "20260303T1100", "FREQ=DAILY;COUNT=3", "ann", "ben"))
		one := reply("m2", "ann", "ben", "DECLINED", "RECURRENCE-ID:20260304T100000Z")
		if v := h.deliver("ann", one, "ben"); !v.Applied {
			t.Errorf("%+v", v)
		}
		h.says("ben", "m2", "20260304T100000Z", "ben", "DECLINED")
		h.says("ann", "m2", "20260304T100000Z", "ben", "DECLINED")
		h.says("ann", "m2", "", "ben", "NEEDS-ACTION")
	})
}

func TestDeliverRequest(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		out := "out@example.net"
		text := invitation("x1", "20260303T1000", "20260303T1100", out, "ann")
		if v := h.deliver("ann", method(text, "REQUEST"), out); !v.Applied {
			t.Errorf("%+v", v)
		}
		h.says("ann", "x1", "", "ann", "NEEDS-ACTION")
		if n := len(h.inbox("ann")); n != 1 {
			t.Errorf("inbox has %d", n)
		}
		if v := h.deliver("ann", method(text, "REQUEST"), out); v.Applied {
			t.Errorf("the same again: %+v", v)
		}
		// His answer goes out by mail.
		h.put("ann", h.answered("ann", "x1", "ACCEPTED"))
		h.queue("REPLY " + out)
		h.status("ann", "x1", out, itip.StatusSent)
		// Not an attendee: no calendar effect (decision 7).
		if v := h.deliver("ben", method(text, "REQUEST"), out); v.Applied {
			t.Errorf("a Bcc: %+v", v)
		}
		h.hasNot("ben", "x1")
		// Cancelled.
		cancel := method(strings.Replace(text, "SUMMARY", "SEQUENCE:1\r\nSTATUS:CANCELLED\r\nSUMMARY", 1), "CANCEL")
		if v := h.deliver("ann", cancel, "other@example.net"); v.Applied {
			t.Errorf("a CANCEL from somebody else: %+v", v)
		}
		if v := h.deliver("ann", cancel, out); !v.Applied {
			t.Errorf("%+v", v)
		}
		if got := h.busy("ann", 7); got != "" {
			t.Errorf("busy %q", got)
		}
		// Another organizer takes no meeting over, and a series without measure is
		// refused; both are in the record (decision 14).
		v := h.deliver("ann", method(strings.NewReplacer("ORGANIZER:mailto:out@", "ORGANIZER:mailto:thief@", "SUMMARY", "SEQUENCE:5\r\nSUMMARY").Replace(text), "REQUEST"), "thief@example.net")
		if v.Applied || v.Refusal == nil {
			t.Errorf("another organizer: %+v", v)
		}
		h.decided("x1", "refused", itip.AllowedOrganizerReceived)
		v = h.deliver("ann", method(series("x2", "20260303T1000", "20260303T1100", "FREQ=MINUTELY", out, "ann"), "REQUEST"), out)
		if v.Applied || v.Refusal == nil || v.Refusal.Precondition != itip.MaxInstances {
			t.Errorf("a series without measure: %+v", v)
		}
		h.decided("x2", "refused", itip.MaxInstances)
		h.hasNot("ann", "x2")
		// What is no method of iTIP, or is not carried out, changes nothing.
		for _, m := range []string{"DECLINECOUNTER", "REFRESH", "COUNTER", "NONSENSE"} {
			if v := h.deliver("ann", method(strings.Replace(text, "UID:x1", "UID:"+m, 1), m), out); v.Applied || v.Rule == "" {
				t.Errorf("%s: %+v", m, v)
			}
			h.hasNot("ann", m)
		}
		h.queue("REPLY " + out)
		// An ADD to what she does not have is answered by a REFRESH; what is
		// published is hers and makes no time busy.
		if v := h.deliver("ann", method(strings.Replace(text, "UID:x1", "UID:add", 1), "ADD"), out); !v.Applied {
			t.Errorf("ADD: %+v", v)
		}
		h.hasNot("ann", "add")
		h.queue("REPLY "+out, "REFRESH "+out)
		if v := h.deliver("ann", method(strings.Replace(text, "UID:x1", "UID:pub", 1), "PUBLISH"), out); !v.Applied {
			t.Errorf("PUBLISH: %+v", v)
		}
		if row := h.has("ann", "pub"); row.ScheduleTag != "" || h.busy("ann", 7) != "" {
			t.Errorf("published: %+v, busy %q", row, h.busy("ann", 7))
		}
	})
}

// For a conversation whose organizer is here our copy is the truth (decision
// 7).
func TestDeliverOwnTruth(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "cleo")
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben"))
		before := h.has("ben", "m1").ETag
		forged := strings.Replace(invitation("m1", "20260305T1000", "20260305T1100", "ann", "ben", "cleo"), "SUMMARY", "SEQUENCE:7\r\nSUMMARY", 1)
		for _, m := range []string{"REQUEST", "CANCEL"} {
			for _, set := range []func(*scheduling.Deliver){func(*scheduling.Deliver) {}, proved} {
				for _, to := range []string{"ben", "cleo", "ann"} {
					if v := h.deliver(to, method(forged, m), "ann", set); v.Applied {
						t.Errorf("%s to %s: %+v", m, to, v)
					}
				}
			}
		}
		if h.has("ben", "m1").ETag != before {
			t.Error("ben's copy changed")
		}
		h.hasNot("cleo", "m1")
		// His mail program invites, and his calendar does not hold it: only with
		// proof.
		mailed := method(strings.Replace(forged, "UID:m1", "UID:m2", 1), "REQUEST")
		if v := h.deliver("ben", mailed, "ann"); v.Applied {
			t.Errorf("without proof: %+v", v)
		}
		if v := h.deliver("ben", mailed, "ann", proved); !v.Applied {
			t.Errorf("proved to be his: %+v", v)
		}
		h.says("ben", "m2", "", "ben", "NEEDS-ACTION")
	})
}

// Whom the organizer's program tells by itself, its mail tells (decision 24).
func TestDeliverByClient(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		text := strings.Replace(invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben"), "RSVP=TRUE", "RSVP=TRUE;SCHEDULE-AGENT=CLIENT", 1)
		h.put("ann", text)
		h.hasNot("ben", "m1")
		if v := h.deliver("ben", method(text, "REQUEST"), "evil@example.net"); v.Applied {
			t.Errorf("from somebody else: %+v", v)
		}
		if v := h.deliver("ben", method(text, "REQUEST"), "ann"); !v.Applied {
			t.Errorf("%+v", v)
		}
		h.says("ben", "m1", "", "ben", "NEEDS-ACTION")
		if v := h.deliver("ann", reply("m1", "ann", "ben", "ACCEPTED"), "ben"); !v.Applied {
			t.Errorf("%+v", v)
		}
		h.says("ann", "m1", "", "ben", "ACCEPTED")
		h.says("ben", "m1", "", "ben", "ACCEPTED")
	})
}

// What strangers send never fails, whatever it is.
func TestDeliverNonsense(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		out := "out@example.net"
		for _, text := range []string{
			invitation(strings.Repeat("x", 5000), "20260303T1000", "20260303T1100", out, "ann"),
			invitation("", "20260303T1000", "20260303T1100", out, "ann"),
			strings.Replace(invitation("n1", "20260303T1000", "20260303T1100", out, "ann"), "DTSTART:20260303T100000Z", "DTSTART:soon", 1),
			strings.Replace(invitation("n2", "20260303T1000", "20260303T1100", out, "ann"), "SUMMARY", "RRULE:FREQ=NEVER\r\nSUMMARY", 1),
			strings.Replace(invitation("n3", "20260303T1000", "20260303T1100", out, "ann"), organizer(out), "ORGANIZER:", 1),
			strings.ReplaceAll(invitation("n4", "20260303T1000", "20260303T1100", out, "ann"), "VEVENT", "VJOURNAL"),
			calendar(),
			calendar(component("n5", organizer(out), attendee("ann"))),
		} {
			for _, m := range []string{"REQUEST", "REPLY", "CANCEL"} {
				if v := h.deliver("ann", method(text, m), out); v.Applied || v.Rule == "" {
					t.Errorf("%s of %.200s: %+v", m, text, v)
				}
			}
		}
	})
}

// A new REQUEST from somebody who is not the organizer goes to quarantine
// (decision 11).
func TestQuarantine(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.add(db.Room, "room", inRoom)
		text := strings.Replace(invitation("x1", "20260303T1000", "20260303T1100", "boss@example.net", "ann", "room"),
			"NEEDS-ACTION;RSVP=TRUE", "ACCEPTED", 2)
		v := h.deliver("ann", method(text, "REQUEST"), "booking@example.com", proved)
		if !v.Applied || !strings.Contains(v.Rule, "quarantine") {
			t.Errorf("%+v", v)
		}
		h.has("ann", "x1")
		if got := h.busy("ann", 7); got != "" {
			t.Errorf("in quarantine, yet busy %q", got)
		}
		h.decided("x1", "quarantined", "not the organizer")
		h.deliver("room", method(text, "REQUEST"), "booking@example.com", proved)
		if got := h.busy("room", 7); got != "" {
			t.Errorf("the room is busy %q", got)
		}
		h.queue()
		// That sender may update it, another may not.
		moved := strings.NewReplacer("20260303T", "20260304T", "SUMMARY", "SEQUENCE:1\r\nSUMMARY").Replace(text)
		if v := h.deliver("ann", method(moved, "REQUEST"), "other@example.com", proved); v.Applied {
			t.Errorf("from another sender: %+v", v)
		}
		if v := h.deliver("ann", method(moved, "REQUEST"), "booking@example.com", proved); !v.Applied {
			t.Errorf("from the same sender: %+v", v)
		}
		if got := h.busy("ann", 7); got != "" {
			t.Errorf("still in quarantine, yet busy %q", got)
		}
		// The user's PUT adopts it.
		h.put("ann", h.answered("ann", "x1", "TENTATIVE"))
		h.queue("REPLY boss@example.net")
		if got := h.busy("ann", 7); got != "04T1000-1100?" {
			t.Errorf("adopted, busy %q", got)
		}
		// [trust] unverified = "reply": only into quarantine.
		only := func(m *scheduling.Deliver) { m.Act, m.Quarantine = false, true }
		text = invitation("x2", "20260303T1000", "20260303T1100", "out@example.net", "ann")
		if v := h.deliver("ann", method(text, "REQUEST"), "out@example.net", only); !v.Applied {
			t.Errorf("%+v", v)
		}
		h.decided("x2", "quarantined", "")
		if v := h.deliver("ann", reply("m1", "ann", "out@example.net", "ACCEPTED"), "out@example.net", only); v.Applied {
			t.Errorf("%+v", v)
		}
		// SENT-BY speaks for the organizer.
		text = strings.Replace(invitation("x3", "20260303T1000", "20260303T1100", "boss@example.net", "ann"),
			"ORGANIZER:", `ORGANIZER;SENT-BY="mailto:Secretary@example.net":`, 1)
		if v := h.deliver("ann", method(text, "REQUEST"), "secretary@example.net"); !v.Applied || strings.Contains(v.Rule, "quarantine") {
			t.Errorf("%+v", v)
		}
	})
}

// A room that somebody outside invites by mail answers by mail.
func TestDeliverToRoom(t *testing.T) {
	each(t, func(h *house) {
		h.add(db.Room, "room", inRoom)
		out := "out@example.net"
		h.deliver("room", method(invitation("x1", "20260303T1000", "20260303T1100", out, "room"), "REQUEST"), out)
		h.says("room", "x1", "", "room", "ACCEPTED")
		h.status("room", "x1", out, itip.StatusSent)
		if got := h.busy("room", 7); got != "03T1000-1100" {
			t.Errorf("busy %q", got)
		}
		h.deliver("room", method(invitation("x2", "20260303T1000", "20260303T1100", out, "room"), "REQUEST"), out)
		qs := h.queue("REPLY "+out, "REPLY "+out)
		o := parse(t, qs[1].Body)
		if p := line(o.First(), "room"); o.Method() != "REPLY" || p == nil || ics.PartStat(p) != "DECLINED" || o.First().Text("COMMENT") == "" {
			t.Errorf("the reply:\n%s", qs[1].Body)
		}
	})
}

func TestAnswerByLink(t *testing.T) {
	each(t, func(h *house) {
		h.add(db.Person, "ann", func(p *db.Principal) { p.MailCopies = "always" })
		h.persons("ben", "cleo")
		h.put("ann", series("m1", "20260303T1000", "20260303T1100", "FREQ=DAILY;COUNT=3", "ann", "ben", "cleo", "out@example.net"))
		answer := func(who, partstat string, r ics.RID) scheduling.Verdict {
			t.Helper()
			v, err := h.desk.Answer(h.ctx, scheduling.Answer{
				UID: "m1", Attendee: address(who), Organizer: scheduling.Organizer{Principal: h.people["ann"].ID},
				RID: r, PartStat: partstat, Comment: "by link", Door: "rsvp",
			})
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		if v := answer("out@example.net", "ACCEPTED", ""); !v.Applied {
			t.Errorf("%+v", v)
		}
		h.says("ann", "m1", "", "out@example.net", "ACCEPTED")
		h.status("ann", "m1", "out@example.net", itip.StatusSuccess)
		if v := answer("out@example.net", "ACCEPTED", ""); v.Applied {
			t.Errorf("twice: %+v", v)
		}
		if v := answer("out@example.net", "DECLINED", "20260304T100000Z"); !v.Applied {
			t.Errorf("%+v", v)
		}
		h.says("ann", "m1", "20260304T100000Z", "out@example.net", "DECLINED")
		if v := answer("ben", "TENTATIVE", ""); !v.Applied {
			t.Errorf("%+v", v)
		}
		h.says("ben", "m1", "", "ben", "TENTATIVE")
		h.says("ann", "m1", "", "ben", "TENTATIVE")
		h.work()
		h.says("cleo", "m1", "", "ben", "TENTATIVE")
		h.says("cleo", "m1", "", "out@example.net", "ACCEPTED")
		h.queue("REQUEST out@example.net", "REPLY ann@example.org", "REPLY ann@example.org", "REPLY ann@example.org") // decision 5
		if v := answer("stranger@example.net", "ACCEPTED", ""); v.Applied {
			t.Errorf("not invited: %+v", v)
		}
		if v := answer("out@example.net", "ACCEPTED", "20260404T100000Z"); v.Applied {
			t.Errorf("no such occurrence: %+v", v)
		}
	})
}

func TestBounced(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "Out@example.net"))
		before := h.has("ann", "m1")
		bounce := func(uid string) {
			t.Helper()
			err := h.desk.Bounced(h.ctx, h.people["ann"].ID, uid, cuaddr.Mailto("out@example.net"), itip.StatusInvalidDomain, "550 5.1.1 no such user")
			if err != nil {
				t.Fatal(err)
			}
		}
		bounce("m1")
		h.status("ann", "m1", "Out@example.net", itip.StatusInvalidDomain)
		now := h.has("ann", "m1")
		if now.ETag == before.ETag || now.ScheduleTag != before.ScheduleTag {
			t.Error("the ETag must move and the Schedule-Tag stay") // decision 17
		}
		h.decided("m1", "applied", "550 5.1.1")
		bounce("m1")
		if h.has("ann", "m1").Modseq != now.Modseq {
			t.Error("the same bounce twice changed something")
		}
		bounce("no such meeting")
	})
}

// RFC 6638 §9.2: what comes by mail goes to the calendar that its owner chose,
// and what is there already stays where it is.
func TestDeliverToDefaultCalendar(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		const out = "out@example.net"
		first := invitation("x1", "20260303T1000", "20260303T1100", out, "ann")
		h.deliver("ann", method(first, "REQUEST"), out)
		before := h.calendar("ann", "")
		chosen := h.newCalendar("ann", "chosen", func(c *db.Collection) { c.Default = true })
		if h.calendar("ann", "") != chosen {
			t.Fatal("another calendar is the default one")
		}
		h.deliver("ann", method(invitation("x2", "20260304T1000", "20260304T1100", out, "ann"), "REQUEST"), out)
		h.deliver("ann", method(strings.Replace(first, "SUMMARY", "SEQUENCE:1\r\nSUMMARY", 1), "REQUEST"), out)
		for uid, want := range map[string]int64{"x1": before, "x2": chosen} {
			if got := h.has("ann", uid).Collection; got != want {
				t.Errorf("%s is in %d, want %d", uid, got, want)
			}
		}
	})
}
