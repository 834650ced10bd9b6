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

// A meeting between people here and one outside, from the invitation to its
// end (ARCHITECTURE.md §6).
func TestMeeting(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "cleo")
		w := h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "cleo", "out@example.net", "nobody@complete.example"))
		if w.ScheduleTag == "" || !w.Rewritten || !w.Created {
			t.Errorf("%+v", w)
		}
		for _, who := range []string{"ben", "cleo"} {
			h.says(who, "m1", "", who, "NEEDS-ACTION")
			h.status("ann", "m1", who, itip.StatusDelivered)
			if in := h.inbox(who); len(in) != 1 || in[0].Method() != "REQUEST" {
				t.Errorf("inbox of %s: %v", who, in)
			}
			if h.has(who, "m1").ScheduleTag == "" {
				t.Errorf("%s's copy has no Schedule-Tag", who)
			}
			if got := h.busy(who, 7); got != "" {
				t.Errorf("unanswered, %s is busy %q", who, got)
			}
		}
		if b, c := h.has("ben", "m1"), h.has("cleo", "m1"); b.ETag != c.ETag {
			t.Error("equal copies differ")
		}
		h.status("ann", "m1", "out@example.net", itip.StatusSent)
		h.status("ann", "m1", "nobody@complete.example", itip.StatusInvalidUser)
		q := h.queue("REQUEST out@example.net")[0]
		if q.Principal != h.people["ann"].ID || q.Prior != nil || q.LocalCopy || parse(t, q.Body).Method() != "REQUEST" {
			t.Errorf("%+v", q)
		}
		if got := h.busy("ann", 7); got != "03T1000-1100" {
			t.Errorf("the organizer is busy %q", got)
		}

		// One accepts: the organizer sees it now, the other soon.
		ann, cleo := h.has("ann", "m1"), h.has("cleo", "m1")
		bw := h.put("ben", h.answered("ben", "m1", "ACCEPTED"))
		if bw.ScheduleTag == "" {
			t.Errorf("%+v", bw)
		}
		h.says("ann", "m1", "", "ben", "ACCEPTED")
		h.status("ann", "m1", "ben", itip.StatusSuccess)
		h.status("ben", "m1", "ann", itip.StatusDelivered)
		if now := h.has("ann", "m1"); now.ScheduleTag != ann.ScheduleTag || now.ETag == ann.ETag {
			t.Error("a reply must move the ETag and keep the Schedule-Tag") // RFC 6638 §3.2.10
		}
		if got := h.busy("ben", 7); got != "03T1000-1100" {
			t.Errorf("having accepted, ben is busy %q", got)
		}
		h.says("cleo", "m1", "", "ben", "NEEDS-ACTION")
		if n := h.work(); n != 1 {
			t.Errorf("%d jobs", n)
		}
		h.says("cleo", "m1", "", "ben", "ACCEPTED")
		if now := h.has("cleo", "m1"); now.ScheduleTag != cleo.ScheduleTag || now.ETag == cleo.ETag {
			t.Error("a refresh must move the ETag and keep the Schedule-Tag")
		}
		if n := len(h.inbox("cleo")); n != 1 {
			t.Errorf("a refresh is no message, yet cleo's inbox has %d", n)
		}
		if n := len(h.inbox("ann")); n != 1 {
			t.Errorf("ann's inbox has %d", n)
		}
		h.queue("REQUEST out@example.net")

		// The time changes: everybody is asked anew.
		moved := strings.NewReplacer("20260303T", "20260304T").Replace(string(h.has("ann", "m1").Body))
		h.put("ann", moved)
		h.says("ann", "m1", "", "ben", "NEEDS-ACTION")
		h.says("ben", "m1", "", "ben", "NEEDS-ACTION")
		if got := h.has("ben", "m1"); !strings.Contains(string(got.Body), "20260304T100000Z") || got.ScheduleTag == bw.ScheduleTag {
			t.Errorf("ben's copy after the change:\n%s", got.Body)
		}

		// It is cancelled.
		row := h.has("ann", "m1")
		if err := h.desk.Remove(h.ctx, scheduling.Remove{Actor: h.people["ann"], Collection: row.Collection, Name: row.Name, Door: "dav"}); err != nil {
			t.Fatal(err)
		}
		h.hasNot("ann", "m1")
		if o := h.object("ben", "m1"); o.Master().Value("STATUS") != "CANCELLED" {
			t.Errorf("ben's copy:\n%s", o.Bytes())
		}
		h.decided("m1", "applied", "delivered here")
		h.decided("m1", "queued", "by mail")
	})
}

func TestAttendeeRemoves(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "cleo")
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "cleo"))
		drop := func(who string, noReply bool) {
			t.Helper()
			row := h.has(who, "m1")
			err := h.desk.Remove(h.ctx, scheduling.Remove{Actor: h.people[who], Collection: row.Collection, Name: row.Name, NoReply: noReply, Door: "dav"})
			if err != nil {
				t.Fatal(err)
			}
			h.hasNot(who, "m1")
		}
		drop("ben", false)
		h.says("ann", "m1", "", "ben", "DECLINED") // decision 18
		drop("cleo", true)
		h.says("ann", "m1", "", "cleo", "NEEDS-ACTION") // Schedule-Reply: F
		h.work()
		h.hasNot("ben", "m1") // a refresh brings nothing back
		// Inbox objects go without any effect.
		in := h.calendar("cleo", "inbox")
		var name string
		h.view(func(tx *db.Tx) error {
			list, err := tx.List(in, "", 10)
			name = list[0].Name
			return err
		})
		if err := h.desk.Remove(h.ctx, scheduling.Remove{Actor: h.people["cleo"], Collection: in, Name: name}); err != nil {
			t.Fatal(err)
		}
		if len(h.inbox("cleo")) != 0 {
			t.Error("the inbox object is there still")
		}
		h.says("ann", "m1", "", "cleo", "NEEDS-ACTION")
	})
}

func TestRefusedChangeLeavesNoTrace(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "dan")
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben"))
		before := h.has("ann", "m1")
		stolen := strings.Replace(string(before.Body), organizer("ann"), organizer("dan"), 1)
		_, err := h.tryPut("ann", stolen)
		refused(t, err, itip.AllowedOrganizerChange)
		if now := h.has("ann", "m1"); now.ETag != before.ETag || now.Modseq != before.Modseq {
			t.Error("a refused change changed something")
		}
		h.decided("m1", "refused", itip.AllowedOrganizerChange)
	})
}

// An attendee's own calendar and an invitation that was delivered elsewhere:
// storing it in another calendar moves and merges it (decision 23).
func TestPutMergesDelivered(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		work := h.newCalendar("ben", "work")
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben"))
		body := h.answered("ben", "m1", "ACCEPTED")
		w := h.put("ben", body, func(p *scheduling.Put) { p.Collection, p.Name = work, "mine.ics" })
		row := h.has("ben", "m1")
		if !w.Created || row.Collection != work || row.Name != "mine.ics" || w.ETag != row.ETag || w.ScheduleTag != row.ScheduleTag {
			t.Errorf("%+v, %+v", w, row)
		}
		h.says("ann", "m1", "", "ben", "ACCEPTED")
	})
}

// Two strangers may hold the same imported UID and never learn of each other
// (decision 14).
func TestStrangersShareUID(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "zoe")
		h.put("zoe", event("m1", "20260305T1000", "20260305T1100"))
		before := h.has("zoe", "m1").ETag
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben"))
		h.says("ben", "m1", "", "ben", "NEEDS-ACTION")
		if h.has("zoe", "m1").ETag != before {
			t.Error("a stranger's object changed")
		}
		// Somebody who holds the UID under another organizer does not lose it.
		h.put("zoe", invitation("m2", "20260305T1000", "20260305T1100", "zoe"))
		before = h.has("zoe", "m2").ETag
		h.put("ann", invitation("m2", "20260303T1000", "20260303T1100", "ann", "zoe"))
		h.status("ann", "m2", "zoe", itip.StatusRejected)
		if h.has("zoe", "m2").ETag != before {
			t.Error("her own meeting was replaced")
		}
		h.persons("dan")
		h.put("ben", invitation("m3", "20260305T1000", "20260305T1100", "ben", "dan"))
		h.put("ann", invitation("m3", "20260303T1000", "20260303T1100", "ann", "dan"))
		h.status("ann", "m3", "dan", itip.StatusRejected)
		h.status("ben", "m3", "dan", itip.StatusDelivered)
	})
}

// A meeting handed over is the heir's, whatever attendees prefer; what the other
// did not organize stays his.
func TestHandOver(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "cleo", "dan")
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "cleo"))
		h.put("ben", h.answered("ben", "m1", "DECLINED"))
		h.put("cleo", h.answered("cleo", "m1", "ACCEPTED"))
		h.put("dan", invitation("m2", "20260304T1000", "20260304T1100", "dan", "ann"))
		give := func(who, uid, heir string) bool {
			t.Helper()
			row := h.has(who, uid)
			done, err := h.desk.HandOver(h.ctx, scheduling.HandOver{From: h.people[who], To: h.people[heir], Collection: row.Collection, Name: row.Name, Door: "command"})
			if err != nil {
				t.Fatal(err)
			}
			return done
		}
		if give("ann", "m2", "ben") {
			t.Error("an invitation was handed over")
		}
		h.has("ann", "m2")
		if !give("ann", "m1", "ben") {
			t.Error("not done")
		}
		h.hasNot("ann", "m1")
		for _, who := range []string{"ben", "cleo"} {
			o := h.object(who, "m1")
			if a := ics.Organizer(o.First()); a != address("ben") || o.First().Value("SEQUENCE") != "1" {
				t.Errorf("%s has\n%s", who, o.Bytes())
			}
			h.says(who, "m1", "", "cleo", "ACCEPTED")
			h.says(who, "m1", "", "ben", "ACCEPTED")
		}
		h.decided("m1", "applied", "handed over")
		h.put("cleo", h.answered("cleo", "m1", "TENTATIVE"))
		h.says("ben", "m1", "", "cleo", "TENTATIVE")
		if got := h.busy("ann", 7); strings.Contains(got, "03T") {
			t.Errorf("she is busy %q", got)
		}
	})
}

func TestGroups(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "cleo")
		team := h.add(db.Group, "team")
		h.write(func(tx *db.Tx) error {
			return tx.SetMembers(team.ID, []string{"ben@example.org", "cleo.alias@example.org", "ann@example.org", "far@example.net"})
		})
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "team"))
		h.has("ben", "m1")
		h.has("cleo", "m1")
		h.status("ann", "m1", "ben", itip.StatusDelivered)
		h.status("ann", "m1", "cleo", itip.StatusDelivered)
		h.status("ann", "m1", "team", "")
		h.queue("REQUEST far@example.net")
		// Members are alike: their copies are one body.
		if h.has("ben", "m1").ETag != h.has("cleo", "m1").ETag {
			t.Error("the members' copies are not equal")
		}
	})
}

// Aliases are one person; objects keep the spelling that was invited (decision
// 28).
func TestAliases(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben.alias", "ann.alias"))
		h.says("ben", "m1", "", "ben.alias", "NEEDS-ACTION")
		body := strings.Replace(string(h.has("ben", "m1").Body), "NEEDS-ACTION;RSVP=TRUE:mailto:ben.alias", "ACCEPTED:mailto:ben.alias", 1)
		h.put("ben", body)
		h.says("ann", "m1", "", "ben.alias", "ACCEPTED")
		if n := len(h.inbox("ann")); n != 1 {
			t.Errorf("the organizer got %d messages, want ben's answer only", n)
		}
	})
}

// Local people without a calendar program get mail too (decision 5).
func TestMailCopies(t *testing.T) {
	each(t, func(h *house) {
		set := func(f func(*db.Principal)) func(*db.Principal) { return f }
		h.persons("ann", "seen")
		h.add(db.Person, "away", set(func(p *db.Principal) { p.LastDAV = today.AddDate(0, 0, -31) }))
		h.add(db.Person, "nopass", set(func(p *db.Principal) { p.Password = "" }))
		h.add(db.Person, "always", set(func(p *db.Principal) { p.MailCopies = "always" }))
		h.add(db.Person, "never", set(func(p *db.Principal) { p.MailCopies, p.Password = "never", "" }))
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "seen", "away", "nopass", "always", "never"))
		for _, q := range h.queue("REQUEST away@example.org", "REQUEST nopass@example.org", "REQUEST always@example.org") {
			if !q.LocalCopy {
				t.Errorf("%+v", q)
			}
		}
		for _, who := range []string{"seen", "away", "nopass", "always", "never"} {
			h.status("ann", "m1", who, itip.StatusDelivered)
			h.has(who, "m1")
		}
		// Answers to an organizer too.
		h.put("always", invitation("m2", "20260303T1000", "20260303T1100", "always", "seen"))
		h.put("seen", h.answered("seen", "m2", "TENTATIVE"))
		h.queue("REQUEST away@example.org", "REQUEST nopass@example.org", "REQUEST always@example.org", "REPLY always@example.org")
	})
}

// Beyond the bound local people are settled in jobs.
func TestManyLocalPeople(t *testing.T) {
	each(t, func(h *house) {
		opt := options()
		opt.LocalInline = 3
		h.desk = scheduling.New(h.store, opt)
		names := []string{"p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"}
		h.persons("ann")
		h.persons(names...)
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", names...))
		h.has("p3", "m1")
		h.hasNot("p4", "m1")
		if n := h.work(); n != 2 {
			t.Errorf("%d jobs, want 2", n)
		}
		etag := h.has("ann", "m1").ETag
		for _, who := range names {
			h.says(who, "m1", "", who, "NEEDS-ACTION")
			h.status("ann", "m1", who, itip.StatusDelivered)
		}
		h.put("p1", h.answered("p1", "m1", "ACCEPTED"))
		h.work()
		for _, who := range names {
			h.says(who, "m1", "", "p1", "ACCEPTED")
		}
		if h.has("ann", "m1").ETag == etag {
			t.Error("the answer is not there")
		}
	})
}

// A whole calendar goes: its meetings end one by one.
func TestRemoveCollectionEndsMeetings(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		work := h.newCalendar("ann", "work")
		into := func(p *scheduling.Put) { p.Collection, p.Name = work, "m.ics" }
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben"), into)
		h.put("ann", event("u1", "20260303T1000", "20260303T1100"), into, func(p *scheduling.Put) { p.Name = "u.ics" })
		if err := h.desk.RemoveCollection(h.ctx, scheduling.Remove{Actor: h.people["ann"], Collection: work, Door: "dav"}); err != nil {
			t.Fatal(err)
		}
		h.hasNot("ann", "m1")
		if h.object("ben", "m1").Master().Value("STATUS") == "CANCELLED" {
			t.Error("cancelled before its job")
		}
		if n := h.work(); n != 1 {
			t.Errorf("%d jobs", n)
		}
		if h.object("ben", "m1").Master().Value("STATUS") != "CANCELLED" {
			t.Error("not cancelled")
		}
		h.hasNot("ann", "m1")
	})
}

func TestImportSendsNothing(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		body := strings.Replace(invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "x@example.net"), "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ben", "PARTSTAT=ACCEPTED:mailto:ben", 1)
		w := h.put("ann", body, func(p *scheduling.Put) { p.Silent, p.Door = true, "import" })
		if w.ScheduleTag == "" {
			t.Error("an imported meeting is a scheduling object")
		}
		h.says("ann", "m1", "", "ben", "ACCEPTED") // decision 22: import is exempt
		h.hasNot("ben", "m1")
		h.queue()
	})
}

// The organizer's stale PUT does not take an answer back, if the Schedule-Tag
// still matches (RFC 6638 §3.2.10, §8.3).
func TestScheduleTagMatch(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		w := h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben"))
		stale := string(h.has("ann", "m1").Body)
		h.put("ben", h.answered("ben", "m1", "ACCEPTED"))
		_, err := h.tryPut("ann", stale, func(p *scheduling.Put) { p.Conditions.IfMatch = []string{w.ETag} })
		if r := refused(t, err, ""); r.Status != 412 {
			t.Errorf("%+v", r)
		}
		w2 := h.put("ann", strings.Replace(stale, "Review", "Retrospective", 1), func(p *scheduling.Put) { p.Conditions.IfScheduleTagMatch = &w.ScheduleTag })
		if w2.ScheduleTag == w.ScheduleTag {
			t.Error("a direct PUT gives a new Schedule-Tag") // decision 16
		}
		h.says("ann", "m1", "", "ben", "ACCEPTED")
		if s := h.object("ben", "m1").Master().Text("SUMMARY"); s != "Retrospective" {
			t.Errorf("ben reads %q", s)
		}
		h.says("ben", "m1", "", "ben", "ACCEPTED")
		_, err = h.tryPut("ann", stale, func(p *scheduling.Put) { p.Conditions.IfScheduleTagMatch = &w.ScheduleTag })
		if r := refused(t, err, ""); r.Status != 412 {
			t.Errorf("%+v", r)
		}
	})
}

// One occurrence is answered otherwise than the series.
func TestOneOccurrence(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "cleo")
		series := strings.Replace(invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "cleo"), "SUMMARY", "RRULE:FREQ=DAILY;COUNT=4\r\nSUMMARY", 1)
		h.put("ann", series)
		h.put("ben", h.answered("ben", "m1", "ACCEPTED"))
		o := itip.SetPartStat(h.object("ben", "m1"), func(a cuaddr.Address) bool { return a == address("ben") }, "20260305T100000Z", "DECLINED", "")
		h.put("ben", string(o.Bytes()))
		h.says("ann", "m1", "", "ben", "ACCEPTED")
		h.says("ann", "m1", "20260305T100000Z", "ben", "DECLINED")
		if got := h.busy("ben", 7); got != "03T1000-1100 04T1000-1100 06T1000-1100" {
			t.Errorf("ben is busy %q", got)
		}
		h.work()
		h.says("cleo", "m1", "20260305T100000Z", "ben", "DECLINED")
		h.says("cleo", "m1", "", "ben", "ACCEPTED")
		if got := h.busy("cleo", 7); got != "" {
			t.Errorf("cleo is busy %q", got)
		}
	})
}
