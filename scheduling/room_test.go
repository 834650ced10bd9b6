package scheduling_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

func inRoom(p *db.Principal) { p.Password = "" }

// A room accepts when it is free and declines when not; its answer is in what
// the organizer's PUT leaves behind.
func TestRoom(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "cleo")
		h.add(db.Room, "room", inRoom)
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "room"))
		h.says("ann", "m1", "", "room", "ACCEPTED")
		h.status("ann", "m1", "room", itip.StatusSuccess)
		h.status("room", "m1", "ann", itip.StatusDelivered)
		if got := h.busy("room", 7); got != "03T1000-1100" {
			t.Errorf("the room is busy %q", got)
		}
		h.work()
		h.says("ben", "m1", "", "room", "ACCEPTED")
		if n := len(h.inbox("room")); n != 0 {
			t.Errorf("the room's inbox has %d objects", n)
		}

		h.put("cleo", invitation("m2", "20260303T1030", "20260303T1130", "cleo", "room"))
		h.says("cleo", "m2", "", "room", "DECLINED")
		h.says("room", "m2", "", "room", "DECLINED")
		h.put("cleo", invitation("m3", "20260303T1100", "20260303T1200", "cleo", "room")) // right after
		h.says("cleo", "m3", "", "room", "ACCEPTED")
		h.decided("m2", "applied", "not free")
		h.queue()

		// Moved to where it is free, the second one is accepted; its own time never
		// stands in its way.
		h.put("cleo", strings.NewReplacer("T103000Z", "T123000Z", "T113000Z", "T133000Z").Replace(string(h.has("cleo", "m2").Body)))
		h.says("cleo", "m2", "", "room", "ACCEPTED")
		h.put("cleo", strings.NewReplacer("T133000Z", "T140000Z").Replace(string(h.has("cleo", "m2").Body)))
		h.says("cleo", "m2", "", "room", "ACCEPTED")
		if got := h.busy("room", 7); got != "03T1000-1200 03T1230-1400" {
			t.Errorf("the room is busy %q", got)
		}

		// Cancelled, its time is free again.
		row := h.has("ann", "m1")
		if err := h.desk.Remove(h.ctx, scheduling.Remove{Actor: h.people["ann"], Collection: row.Collection, Name: row.Name}); err != nil {
			t.Fatal(err)
		}
		if got := h.busy("room", 7); got != "03T1100-1200 03T1230-1400" {
			t.Errorf("the room is busy %q", got)
		}
		h.put("ben", invitation("m4", "20260303T1000", "20260303T1100", "ben", "room"))
		h.says("ben", "m4", "", "room", "ACCEPTED")
	})
}

// What a room leaves open, or to its owner, is in its inbox, where the programs of
// its delegates look; so is that it was called off before anybody answered.
func TestRoomInbox(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		has := func(room string, want int) {
			t.Helper()
			if n := len(h.inbox(room)); n != want {
				t.Errorf("the inbox of %s has %d objects, not %d", room, n, want)
			}
		}
		for room, rules := range map[string]string{"open": "accept_mode none", "ask": "ACT_MANUAL\nowner ann@example.org", "auto": ""} {
			h.add(db.Room, room, inRoom, func(p *db.Principal) { p.Policy = rules })
		}
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "open", "ask", "auto"))
		has("open", 1)
		has("ask", 1)
		has("auto", 0)
		row := h.has("ann", "m1")
		if err := h.desk.Remove(h.ctx, scheduling.Remove{Actor: h.people["ann"], Collection: row.Collection, Name: row.Name}); err != nil {
			t.Fatal(err)
		}
		has("open", 2)
		has("ask", 1)
		has("auto", 0)
	})
}

// An organizer's word that the room has accepted does not make it so.
func TestRoomBelievesItself(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.add(db.Room, "room", inRoom)
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "room"))
		claim := strings.Replace(invitation("m2", "20260303T1000", "20260303T1100", "ben", "room"),
			"PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:room", "PARTSTAT=ACCEPTED:mailto:room", 1)
		h.put("ben", claim)
		h.says("ben", "m2", "", "room", "DECLINED")
		// Nor does it accept by mail what somebody outside claims.
		msg := strings.NewReplacer("UID:m2", "UID:m3", "ben@example.org", "out@example.net").Replace(claim)
		v := h.deliver("room", method(msg, "REQUEST"), "out@example.net")
		if !v.Applied {
			t.Errorf("%+v", v)
		}
		h.says("room", "m3", "", "room", "DECLINED")
	})
}

func series(uid, start, end, rule, by string, whom ...string) string {
	return strings.Replace(invitation(uid, start, end, by, whom...), "SUMMARY", "RRULE:"+rule+"\r\nSUMMARY", 1)
}

// Occurrence by occurrence: those that are free are accepted.
func TestRoomSeries(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "cleo")
		h.add(db.Room, "room", inRoom)
		h.put("ann", invitation("m1", "20260305T1000", "20260305T1100", "ann", "room"))
		h.put("ben", series("m2", "20260303T1000", "20260303T1100", "FREQ=DAILY;COUNT=5", "ben", "room"))
		h.says("ben", "m2", "", "room", "ACCEPTED")
		h.says("ben", "m2", "20260305T100000Z", "room", "DECLINED")
		if got := h.busy("room", 7); got != "03T1000-1100 04T1000-1100 05T1000-1100 06T1000-1100 07T1000-1100" {
			t.Errorf("the room is busy %q", got)
		}
		// A series that never ends, over both.
		h.put("cleo", series("m3", "20260303T1000", "20260303T1030", "FREQ=DAILY", "cleo", "room"))
		h.says("cleo", "m3", "", "room", "ACCEPTED")
		h.says("cleo", "m3", "20260307T100000Z", "room", "DECLINED")
		if got := h.busy("room", 7); !strings.HasSuffix(got, "08T1000-1030 09T1000-1030") && !strings.HasSuffix(got, "08T1000-1030") {
			t.Errorf("the room is busy %q", got)
		}
		// Far beyond what is recorded, the endless one stands in the way, computed
		// from the object.
		h.put("ann", invitation("m4", "20461204T1015", "20461204T1045", "ann", "room"))
		h.says("ann", "m4", "", "room", "DECLINED")
		h.put("ann", invitation("m5", "20461204T1115", "20461204T1145", "ann", "room"))
		h.says("ann", "m5", "", "room", "ACCEPTED")
		// Two endless series at the same time: one of them is declined as a whole.
		h.put("ben", series("m6", "20260310T1015", "20260310T1020", "FREQ=DAILY", "ben", "room"))
		h.says("ben", "m6", "", "room", "DECLINED")
		// An endless one finds the far booking.
		h.put("ben", series("m7", "20260303T1130", "20260303T1200", "FREQ=DAILY", "ben", "room"))
		h.says("ben", "m7", "", "room", "ACCEPTED")
		h.says("ben", "m7", "20461204T113000Z", "room", "DECLINED")

		// One occurrence is moved: only that one is asked about.
		o := h.object("ben", "m2")
		root := o.Root().Clone()
		one := o.Occurrence("20260304T100000Z").Clone()
		one.Set(ics.NewProp("DTSTART", "20260305T103000Z"))
		one.Set(ics.NewProp("DTEND", "20260305T113000Z"))
		root.Children = append(root.Children, one)
		h.put("ben", string(ics.New(root).Bytes()))
		h.says("ben", "m2", "20260304T100000Z", "room", "DECLINED")
		h.says("ben", "m2", "", "room", "ACCEPTED")
		h.says("ben", "m2", "20260305T100000Z", "room", "DECLINED")
	})
}

func TestPolicies(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		rules := func(kind db.Kind, name, rules string) {
			h.add(kind, name, func(p *db.Principal) { p.Policy = rules })
		}
		rules(db.Room, "two", "schedule_in_freebusy 2")
		rules(db.Room, "any", "accept_mode always")
		rules(db.Room, "none", "ACT_REJECT")
		rules(db.Person, "eager", "ACT_ACCEPT_IF_NO_CONFLICT:example.org")
		rules(db.Person, "picky", "ACT_REJECT_IF_CONFLICT:example.net")
		rules(db.Room, "newer", "a_rule_of_a_later_release")
		all := []string{"two", "any", "none", "eager", "picky", "newer"}
		test := func(uid string, want ...string) {
			t.Helper()
			h.put("ann", invitation(uid, "20260303T1000", "20260303T1100", "ann", all...))
			for i, who := range all {
				h.says("ann", uid, "", who, want[i])
			}
		}
		if n := len(h.inbox("eager")) + len(h.inbox("picky")); n != 0 {
			t.Fatalf("%d in the inboxes", n)
		}
		test("m1", "ACCEPTED", "ACCEPTED", "DECLINED", "ACCEPTED", "NEEDS-ACTION", "DECLINED")
		test("m2", "ACCEPTED", "ACCEPTED", "DECLINED", "NEEDS-ACTION", "NEEDS-ACTION", "DECLINED")
		test("m3", "DECLINED", "ACCEPTED", "DECLINED", "NEEDS-ACTION", "NEEDS-ACTION", "DECLINED")
		// A person sees what was answered for him, and what was not.
		if n := len(h.inbox("eager")); n != 3 {
			t.Errorf("%d in eager's inbox", n)
		}
		// One who answers by himself invites a room: its lock is found to be needed
		// after his own.
		h.put("eager", invitation("m4", "20260304T1000", "20260304T1100", "eager", "two", "any", "picky"))
		h.says("eager", "m4", "", "two", "ACCEPTED")
		h.says("eager", "m4", "", "any", "ACCEPTED")
	})
}

// What has no rules and is in no group with any has the site's.
func TestSitePolicy(t *testing.T) {
	each(t, func(h *house) {
		o := options()
		o.Policy = "ACT_TENTATIVE"
		h.desk = scheduling.New(h.store, o)
		h.persons("ann")
		h.add(db.Room, "plain", inRoom)
		h.add(db.Room, "grouped", inRoom)
		h.add(db.Room, "own", func(p *db.Principal) { p.Policy = "ACT_ACCEPT" })
		g := h.add(db.Group, "floor", func(p *db.Principal) { p.Policy = "ACT_REJECT" })
		h.write(func(tx *db.Tx) error { return tx.SetMembers(g.ID, []string{"grouped@example.org", "own@example.org"}) })
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "plain", "grouped", "own"))
		h.says("ann", "m1", "", "plain", "TENTATIVE")
		h.says("ann", "m1", "", "grouped", "DECLINED")
		h.says("ann", "m1", "", "own", "ACCEPTED")
	})
}

// Of many requests for one slot at the same time a room accepts exactly one.
func TestOneSlot(t *testing.T) {
	each(t, func(h *house) {
		race(t, h, 40, h.desk)
	})
}

// So do two nodes on one database.
func TestOneSlotTwoNodes(t *testing.T) {
	dsn := dbtest.DSN(t, "postgres")
	h := newHouse(t, dbtest.Open(t, dsn, db.Options{}))
	other := scheduling.New(dbtest.Open(t, dsn, db.Options{}), options())
	race(t, h, 40, h.desk, other)
}

func race(t *testing.T, h *house, n int, desks ...*scheduling.Desk) {
	h.add(db.Room, "room", inRoom)
	h.add(db.Room, "second", inRoom)
	var puts []scheduling.Put
	for i := range n {
		who := fmt.Sprintf("p%d", i)
		h.persons(who)
		rooms := []string{"room", "second"}
		if i%2 == 1 {
			rooms = []string{"second", "room"} // whatever the order of the lines
		}
		puts = append(puts, scheduling.Put{
			Actor: h.people[who], Collection: h.calendar(who, ""), Name: "m.ics", Door: "dav",
			Body: []byte(invitation("m"+who, "20260303T1000", "20260303T1100", who, rooms...)),
		})
	}
	var wg sync.WaitGroup
	for i, p := range puts {
		wg.Go(func() {
			if _, err := desks[i%len(desks)].Put(h.ctx, p); err != nil {
				t.Errorf("%s: %v", p.Actor.Name, err)
			}
		})
	}
	wg.Wait()
	for _, room := range []string{"room", "second"} {
		accepted, declined := 0, 0
		for i := range n {
			who := fmt.Sprintf("p%d", i)
			switch p := line(h.object(who, "m"+who).Master(), room); ics.PartStat(p) {
			case "ACCEPTED":
				accepted++
			case "DECLINED":
				declined++
			}
		}
		if accepted != 1 || declined != n-1 {
			t.Errorf("%s accepted %d and declined %d of %d", room, accepted, declined, n)
		}
		if got := h.busy(room, 7); got != "03T1000-1100" {
			t.Errorf("%s is busy %q", room, got)
		}
	}
}

// What somebody prefers who did not choose is the site's.
func TestSitePreferences(t *testing.T) {
	each(t, func(h *house) {
		o := options()
		o.Prefer = map[string]string{directory.Participating: "no"}
		h.desk = scheduling.New(h.store, o)
		h.persons("ann", "ben", "cleo")
		h.write(func(tx *db.Tx) error {
			return directory.SetPreference(tx, h.people["cleo"].ID, directory.Participating, "participate")
		})
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "cleo"))
		h.hasNot("ben", "m1")
		h.has("cleo", "m1")
		h.queue("REQUEST ben@example.org")
	})
}

// Some keep an invitation without an answer; one of them wants to be told by mail
// that it came.
func TestSaveAndForward(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.add(db.Person, "ben", func(p *db.Principal) { p.Policy = "ACT_SAVE_AND_FORWARD" })
		h.add(db.Person, "cleo", func(p *db.Principal) { p.Policy = "ACT_SAVE_TO_CALENDAR" })
		h.add(db.Person, "dan", func(p *db.Principal) { p.Policy = "ACT_SAVE_TO_FOLDER" })
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "cleo", "dan"))
		for _, who := range []string{"ben", "cleo", "dan"} {
			h.has(who, "m1")
			h.says("ann", "m1", "", who, "NEEDS-ACTION")
		}
		h.queue("PUBLISH ben@example.org")
	})
}

// People without rules answer by the site's, if it has some for people, and share
// their busy time as it says.
func TestSitePeople(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.add(db.Person, "cleo", func(p *db.Principal) { p.Policy = "ACT_MANUAL" })
		asked := func(want string) {
			t.Helper()
			got := h.ask(scheduling.FreeBusyQuery{Whom: []string{"mailto:ben@example.org"}, From: today, To: today.AddDate(0, 0, 7)})
			if got != want {
				t.Errorf("somebody outside is told %q, want %q", got, want)
			}
		}
		asked("3.8 0")
		o := options()
		o.PeoplePolicy = "ACT_ACCEPT_IF_NO_CONFLICT:example.org"
		o.Prefer = map[string]string{directory.FreeBusySharing: "share"}
		h.desk = scheduling.New(h.store, o)
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "cleo"))
		h.says("ann", "m1", "", "ben", "ACCEPTED")
		h.says("ann", "m1", "", "cleo", "NEEDS-ACTION")
		h.put("ann", invitation("m2", "20260303T1030", "20260303T1130", "ann", "ben"))
		h.says("ann", "m2", "", "ben", "NEEDS-ACTION") // he has something then
		asked("2.0 1")
		h.prefer("ben", directory.FreeBusySharing, "no")
		asked("3.8 0")
	})
}

// Whoever may write a room's calendar answers for it there.
func TestRoomDelegate(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		room := h.add(db.Room, "room", inRoom, func(p *db.Principal) { p.Policy = "ACT_MANUAL" })
		h.write(func(tx *db.Tx) error { return tx.SetProxies(room.ID, true, []int64{h.people["ben"].ID}) })
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "room"))
		h.says("ann", "m1", "", "room", "TENTATIVE")
		row := h.has("room", "m1")
		_, err := h.desk.Put(h.ctx, scheduling.Put{
			Actor: h.people["ben"], Collection: row.Collection, Name: row.Name, Door: "dav",
			Body: []byte(strings.Replace(string(row.Body), "PARTSTAT=TENTATIVE", "PARTSTAT=ACCEPTED", 1)),
		})
		if err != nil {
			t.Fatal(err)
		}
		h.says("ann", "m1", "", "room", "ACCEPTED")
	})
}
