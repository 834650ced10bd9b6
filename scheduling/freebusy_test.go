package scheduling_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

func TestFreeBusy(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "cleo")
		test := func(who, want string) {
			t.Helper()
			if got := h.busy(who, 7); got != want {
				t.Errorf("%s is busy %q, want %q", who, got, want)
			}
		}
		h.put("ann", event("u1", "20260303T1000", "20260303T1100"))
		h.put("ann", event("u2", "20260303T1030", "20260303T1200"))
		h.put("ann", event("u3", "20260303T1300", "20260303T1400", "TRANSP:TRANSPARENT"))
		h.put("ann", event("u4", "20260303T1400", "20260303T1500", "STATUS:CANCELLED"))
		h.put("ann", event("u5", "20260303T1500", "20260303T1600", "STATUS:TENTATIVE"))
		h.put("ann", event("u6", "20260301T1000", "20260302T0900")) // reaches into the window
		h.put("ann", event("u7", "20260308T1000", "20260320T0900")) // and out of it
		test("ann", "02T0800-0900 03T1000-1200 03T1500-1600? 08T1000-0800")

		// An invitation: not before it is accepted, TENTATIVE is tentative.
		h.put("ben", invitation("m1", "20260304T1000", "20260304T1100", "ben", "cleo"))
		test("ben", "04T1000-1100")
		test("cleo", "")
		h.put("cleo", h.answered("cleo", "m1", "TENTATIVE"))
		test("cleo", "04T1000-1100?")
		h.put("cleo", h.answered("cleo", "m1", "ACCEPTED"))
		test("cleo", "04T1000-1100")
		h.put("cleo", h.answered("cleo", "m1", "DECLINED"))
		test("cleo", "")

		// A transparent calendar does not count (RFC 6638 §9.1), its own report does.
		quiet := h.newCalendar("cleo", "quiet", func(c *db.Collection) { c.Transparent = true })
		h.put("cleo", event("u8", "20260305T1000", "20260305T1100"), func(p *scheduling.Put) { p.Collection, p.Name = quiet, "u8.ics" })
		test("cleo", "")
		spans, err := h.desk.Busy(h.ctx, quiet, today, today.AddDate(0, 0, 7))
		if err != nil || len(spans) != 1 {
			t.Errorf("%v, %v", spans, err)
		}

		// Many at once, in the order in which they were asked for.
		team := h.add(db.Group, "team")
		h.write(func(tx *db.Tx) error { return tx.SetMembers(team.ID, []string{"ann@example.org", "ben@example.org"}) })
		asked := []string{"mailto:Ben.Alias@Example.org", "mailto:out@example.net", "nonsense", "mailto:ann@example.org", "mailto:team@example.org", "mailto:ben@example.org"}
		fb, err := h.desk.FreeBusy(h.ctx, scheduling.FreeBusyQuery{Asker: h.people["ann"], Whom: asked, From: today, To: today.AddDate(0, 0, 7), Mask: "u2"})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, f := range fb {
			if f.Asked != asked[i] {
				t.Errorf("answer %d is about %s", i, f.Asked)
			}
			got = append(got, fmt.Sprint(f.Status[:3], " ", len(f.Spans)))
		}
		if s := strings.Join(got, ", "); s != "2.0 1, 3.7 0, 3.7 0, 2.0 4, 2.0 5, 2.0 1" {
			t.Errorf("got %s", s)
		}
		if end := fb[3].Spans[1].End; !end.Equal(time.Date(2026, 3, 3, 11, 0, 0, 0, time.UTC)) {
			t.Errorf("the masked conversation counts: %v", fb[3].Spans)
		}
	})
}

// Floating times and days stand in the zone of the calendar, else the owner's
// (decision 32).
func TestFloatingTimes(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann") // in Berlin
		tokyo := h.newCalendar("ann", "tokyo", func(c *db.Collection) { c.TZ = "Asia/Tokyo" })
		in := func(col int64, name string) func(*scheduling.Put) {
			return func(p *scheduling.Put) {
				if col != 0 {
					p.Collection = col
				}
				p.Name = name
			}
		}
		day := calendar(component("d1", "DTSTART;VALUE=DATE:20260303"))
		h.put("ann", day, in(0, "d1"))
		if got := h.busy("ann", 7); got != "02T2300-2300" {
			t.Errorf("a day in Berlin: %q", got)
		}
		h.put("ann", calendar(component("d2", "DTSTART:20260305T090000", "DTEND:20260305T100000")), in(tokyo, "d2"))
		if got := h.busy("ann", 7); got != "02T2300-2300 05T0000-0100" {
			t.Errorf("a floating time in Tokyo: %q", got)
		}
		row := h.has("ann", "d1")
		_, err := h.desk.Move(h.ctx, scheduling.Move{Actor: h.people["ann"], Collection: row.Collection, Name: row.Name, To: tokyo, ToName: "d1"})
		if err != nil {
			t.Fatal(err)
		}
		if got := h.busy("ann", 7); got != "02T1500-1500 05T0000-0100" {
			t.Errorf("the day moved to Tokyo: %q", got)
		}
	})
}

// Beyond what is recorded, instances are computed from the object.
func TestFarAhead(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", strings.Replace(event("u1", "20260303T1000", "20260303T1100"), "SUMMARY", "RRULE:FREQ=DAILY\r\nSUMMARY", 1))
		for _, years := range []int{1, 9, 10, 11, 40} {
			from := today.AddDate(years, 0, 0)
			fb, err := h.desk.FreeBusy(h.ctx, scheduling.FreeBusyQuery{Asker: h.people["ann"], Whom: []string{"mailto:ann@example.org"}, From: from, To: from.AddDate(0, 0, 20)})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(fb[0].Spans); n != 20 {
				t.Errorf("in %d years: %d spans", years, n)
			}
		}
	})
}

// Beyond the bound a series is refused, and a rule that never matches costs
// nothing.
func TestBounds(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		opt := options()
		opt.Bound = ics.Bound{Instances: 1000, Steps: 10_000}
		h.desk = scheduling.New(h.store, opt)
		many := strings.Replace(event("u1", "20260303T1000", "20260303T1001"), "SUMMARY", "RRULE:FREQ=MINUTELY;COUNT=5000000\r\nSUMMARY", 1)
		start := time.Now()
		_, err := h.tryPut("ann", many)
		refused(t, err, "C:max-instances")
		h.hasNot("ann", "u1")
		never := strings.Replace(event("u2", "20260303T1000", "20260303T1001"), "SUMMARY", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31\r\nSUMMARY", 1)
		h.put("ann", never)
		h.busy("ann", 7)
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

// ask returns the statuses and the number of spans of an answer.
func (h *house) ask(q scheduling.FreeBusyQuery) string {
	h.Helper()
	if q.From.IsZero() {
		q.From, q.To = today, today.AddDate(0, 0, 7)
	}
	fb, err := h.desk.FreeBusy(h.ctx, q)
	if err != nil {
		h.Fatal(err)
	}
	var got []string
	for _, f := range fb {
		got = append(got, fmt.Sprint(f.Status[:3], " ", len(f.Spans)))
	}
	return strings.Join(got, ", ")
}

func (h *house) prefer(who, name, value string) {
	h.Helper()
	h.write(func(tx *db.Tx) error { return directory.SetPreference(tx, h.people[who].ID, name, value) })
}

// Who is told somebody's busy time (decision 27, freebusy_sharing).
func TestFreeBusySharing(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		room := h.add(db.Room, "room")
		h.put("ann", event("u1", "20260303T1000", "20260303T1100"))
		test := func(asker db.Principal, want string) {
			t.Helper()
			if got := h.ask(scheduling.FreeBusyQuery{Asker: asker, Whom: []string{"mailto:ann@example.org", "mailto:room@example.org"}}); got != want {
				t.Errorf("%s is told %s, want %s", asker.Address, got, want)
			}
		}
		outside := db.Principal{}
		test(h.people["ben"], "2.0 1, 2.0 0")
		test(outside, "3.8 0, 2.0 0") // rooms answer everybody
		h.prefer("ann", directory.FreeBusySharing, "share")
		test(outside, "2.0 1, 2.0 0")
		h.prefer("ann", directory.FreeBusySharing, "no")
		h.prefer("room", directory.FreeBusySharing, "no")
		test(h.people["ben"], "3.8 0, 3.8 0")
		test(outside, "3.8 0, 3.8 0")
		test(h.people["ann"], "2.0 1, 3.8 0") // herself
		test(room, "3.8 0, 2.0 0")
		// In a group she is passed over.
		team := h.add(db.Group, "team")
		h.write(func(tx *db.Tx) error { return tx.SetMembers(team.ID, []string{"ann@example.org", "ben@example.org"}) })
		if got := h.ask(scheduling.FreeBusyQuery{Asker: h.people["ben"], Whom: []string{"mailto:team@example.org"}}); got != "2.0 0" {
			t.Error(got)
		}
		if got := h.ask(scheduling.FreeBusyQuery{Granted: true, Whom: []string{"mailto:team@example.org"}}); got != "2.0 1" {
			t.Error(got)
		}
		h.prefer("ann", directory.FreeBusySharing, "")
		test(h.people["ben"], "2.0 1, 3.8 0")
		err := h.store.Write(h.ctx, nil, func(tx *db.Tx) error {
			return directory.SetPreference(tx, room.ID, directory.FreeBusySharing, "perhaps")
		})
		if err == nil {
			t.Error("an unknown choice was taken")
		}
	})
}

// A pool is busy when none of its rooms can be had; X-CALENDARSERVER-MASK-UID
// leaves out what the asker organizes, and nothing else.
func TestFreeBusyPoolAndMask(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.add(db.Room, "r1")
		h.add(db.Room, "r2")
		pool := h.add(db.Group, "pool")
		h.write(func(tx *db.Tx) error { return tx.SetMembers(pool.ID, []string{"r1@example.org", "r2@example.org"}) })
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1200", "ann", "r1"))
		h.put("ben", invitation("m2", "20260303T1100", "20260303T1300", "ben", "r2"))
		test := func(who, mask, want string) {
			t.Helper()
			fb, err := h.desk.FreeBusy(h.ctx, scheduling.FreeBusyQuery{Asker: h.people["ann"], Whom: []string{address(who).String()}, From: today, To: today.AddDate(0, 0, 7), Mask: mask})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, s := range fb[0].Spans {
				got += s.Start.Format("1504") + "-" + s.End.Format("1504") + " "
			}
			if got != want {
				t.Errorf("%s without %q: %q, want %q", who, mask, got, want)
			}
		}
		test("r1", "", "1000-1200 ")
		test("pool", "", "1100-1200 ")
		test("r1", "m1", "")
		test("pool", "m1", "")
		test("r2", "m2", "1100-1300 ") // Ben's
		h.put("ben", event("own", "20260304T1000", "20260304T1100"))
		test("ben", "own", "1100-1300 1000-1100 ")
		h.put("ann", event("mine", "20260304T1000", "20260304T1100"))
		test("ann", "mine", "1000-1200 ")
	})
}

const officeHours = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t\r\nBEGIN:VAVAILABILITY\r\nUID:a\r\nDTSTAMP:20260301T120000Z\r\n" +
	"BEGIN:AVAILABLE\r\nUID:b\r\nDTSTAMP:20260301T120000Z\r\nDTSTART:20260301T080000Z\r\nDTEND:20260301T160000Z\r\nRRULE:FREQ=DAILY\r\nEND:AVAILABLE\r\nEND:VAVAILABILITY\r\nEND:VCALENDAR\r\n"

// A room, and a person who lets the server answer, decline what lies outside
// of the hours in which they can be met.
func TestUnavailableTimesDecline(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.add(db.Room, "room", func(p *db.Principal) { p.Policy = "schedule_in_freebusy 3" })
		h.add(db.Person, "ben", func(p *db.Principal) { p.Policy = "ACT_ACCEPT_IF_NO_CONFLICT\nACT_REJECT_IF_CONFLICT" })
		for _, who := range []string{"room", "ben"} {
			h.write(func(tx *db.Tx) error { return h.desk.SetAvailability(tx, h.people[who], officeHours) })
		}
		test := func(uid, start, end, want string) {
			t.Helper()
			h.put("ann", invitation(uid, start, end, "ann", "room", "ben"))
			h.says("ann", uid, "", "room", want)
			h.says("ann", uid, "", "ben", want)
		}
		test("in", "20260303T0800", "20260303T0900", "ACCEPTED")
		test("out", "20260303T1500", "20260303T1700", "DECLINED")
		test("years", "20340303T1700", "20340303T1800", "DECLINED")
		h.write(func(tx *db.Tx) error { return h.desk.SetAvailability(tx, h.people["room"], "") })
		h.put("ann", invitation("night", "20260303T2200", "20260303T2300", "ann", "room"))
		h.says("ann", "night", "", "room", "ACCEPTED")
	})
}
