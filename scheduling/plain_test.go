package scheduling_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

func TestPlainPut(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		body := event("u1", "20260303T1000", "20260303T1100")
		w := h.put("ann", body)
		row := h.has("ann", "u1")
		if !w.Created || w.Rewritten || w.ScheduleTag != "" || w.ETag != row.ETag || string(row.Body) != body || row.Name != "u1.ics" {
			t.Errorf("created: %+v, row %+v", w, row)
		}
		if got := h.busy("ann", 7); got != "03T1000-1100" {
			t.Errorf("busy %q", got)
		}
		changed := event("u1", "20260304T1000", "20260304T1100")
		w2 := h.put("ann", changed)
		if w2.Created || w2.ETag == w.ETag || string(h.has("ann", "u1").Body) != changed {
			t.Errorf("changed: %+v", w2)
		}
		if got := h.busy("ann", 7); got != "04T1000-1100" {
			t.Errorf("busy %q", got)
		}
		if n := len(h.decisions("u1")); n != 0 {
			t.Errorf("%d decisions about a private event", n)
		}
		h.queue()
		if err := h.desk.Remove(h.ctx, scheduling.Remove{Actor: h.people["ann"], Collection: row.Collection, Name: row.Name}); err != nil {
			t.Fatal(err)
		}
		h.hasNot("ann", "u1")
		if got := h.busy("ann", 7); got != "" {
			t.Errorf("busy %q", got)
		}
		err := h.desk.Remove(h.ctx, scheduling.Remove{Actor: h.people["ann"], Collection: row.Collection, Name: row.Name})
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("removed twice: %v", err)
		}
		if w := h.put("ann", body); !w.Created {
			t.Error("put after removal is no creation")
		}
	})
}

// What a program got wrong and what says plainly what was meant is put right,
// and the program told so.
func TestPutMended(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		body := event("u1", "20260303T1000", "20260303T1100")
		w := h.put("ann", strings.Replace(body, "DTEND:20260303T110000Z", "DTEND:20250303T110000Z", 1))
		if got := string(h.has("ann", "u1").Body); !w.Rewritten || strings.Contains(got, "DTEND") || !strings.Contains(got, "DTSTART:20260303T100000Z") {
			t.Errorf("%+v, %s", w, got)
		}
	})
}

// What the server remembers in a copy no program tells it.
func TestPutMarks(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		body := invitation("u1", "20260303T1000", "20260303T1100", "ann", "ben")
		marked := strings.Replace(body, attendee("ben"), attendee("ben", "X-CONVENE-CLAIM=\"ACCEPTED 0/20260301T120000Z mailto:eve@example.net\"")+"\r\nX-CONVENE-LAPSED:/0/ben@example.org", 1)
		w := h.put("ann", marked)
		if got := string(h.has("ann", "u1").Body); !w.Rewritten || strings.Contains(got, "CLAIM") || strings.Contains(got, "LAPSED") {
			t.Errorf("%+v, %s", w, got)
		}
	})
}

func TestPutRefusals(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		test := func(body, precondition string, set ...func(*scheduling.Put)) {
			t.Helper()
			_, err := h.tryPut("ann", body, set...)
			refused(t, err, precondition)
		}
		plain := event("u1", "20260303T1000", "20260303T1100")
		test("BEGIN:VCALENDAR\r\nEND:VEVENT\r\n", itip.ValidData)
		test("", itip.ValidData)
		test(plain[:len(plain)-30], itip.ValidData)
		test(calendar(component("u1", "DTSTART:20260303T100000Z"), component("u2", "DTSTART:20260303T100000Z")), itip.ValidResource)
		test(string(method(plain, "REQUEST").Bytes()), itip.ValidResource)
		test(calendar("BEGIN:VTODO\r\nUID:t\r\nDTSTAMP:20260301T120000Z\r\nEND:VTODO\r\n"), itip.SupportedComponent)
		test(plain+string(make([]byte, 1<<20)), itip.MaxResourceSize)
		test(event(string(make([]byte, 1001)), "20260303T1000", "20260303T1100"), itip.ValidData) // control characters
		test(plain, "C:calendar-collection-location-ok", func(p *scheduling.Put) { p.Collection = h.calendar("ann", "inbox") })
		if _, err := h.tryPut("ann", plain, func(p *scheduling.Put) { p.Collection = 1 << 40 }); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("no such collection: %v", err)
		}
		mars := event("u9", "20260303T1000", "20260303T1100")
		mars = strings.Replace(mars, "DTSTART:20260303T100000Z", "DTSTART;TZID=Mars:20260303T100000", 1)
		test(mars, itip.ValidTimezone)
		test(mars, itip.ValidTimezone, func(p *scheduling.Put) { p.Name = "taken.ics" })
		test(strings.Replace(plain, "DTEND:20260303T110000Z", "DTEND:20260303T110000", 1), itip.ValidData)
		test(strings.Replace(plain, "DTEND:20260303T110000Z", "DTEND;VALUE=DATE:20260304", 1), itip.ValidData)
		weekly := component("u1", "DTSTART:20260303T100000Z", "RRULE:FREQ=WEEKLY")
		test(calendar(weekly, component("u1", "RECURRENCE-ID:20260310T110000Z", "DTSTART:20260310T120000Z")), itip.ValidData)
		h.hasNot("ann", "u1")

		// What is imported is kept, and may be changed afterwards.
		if _, err := h.tryPut("ann", mars, func(p *scheduling.Put) { p.Silent = true }); err != nil {
			t.Error(err)
		}
		h.put("ann", strings.Replace(mars, "Review", "Later", 1))

		h.put("ann", plain)
		second := func(p *scheduling.Put) { p.Name = "other.ics" }
		_, err := h.tryPut("ann", plain, second)
		if r := refused(t, err, itip.NoUIDConflict); r.Href != "calendar/u1.ics" {
			t.Errorf("href %q", r.Href)
		}
		h.put("ann", event("u2", "20260303T1000", "20260303T1100"))
		test(event("u3", "20260303T1000", "20260303T1100"), itip.NoUIDConflict, func(p *scheduling.Put) { p.Name = "u2.ics" })
	})
}

// What a door has read of a calendar may have changed until its lock is taken:
// then what stands counts.
func TestFoundCollection(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		id := h.calendar("ann", "")
		var found db.Collection
		look := func() {
			h.view(func(tx *db.Tx) (err error) {
				found, err = tx.Collection(id)
				return err
			})
		}
		change := func(f func(*db.Collection)) {
			h.write(func(tx *db.Tx) error {
				now := found
				f(&now)
				return tx.UpdateCollection(&now)
			})
		}
		floating := func(uid, at string) string {
			return calendar(component(uid, "DTSTART:202603"+at+"00", "DURATION:PT1H"))
		}
		as := func(p *scheduling.Put) { p.Collection, p.Found = id, &found }
		test := func(want string) {
			t.Helper()
			if got := h.busy("ann", 7); got != want {
				t.Errorf("busy %q, want %q", got, want)
			}
		}
		look()
		h.put("ann", floating("u1", "03T1000"), as)
		h.put("ann", floating("u2", "04T1000"), as) // meanwhile u1 was written
		test("03T0900-1000 04T0900-1000")           // Ann is in Berlin
		look()
		change(func(c *db.Collection) { c.TZ = "Asia/Tokyo" })
		h.put("ann", floating("u3", "05T1000"), as)
		test("03T0900-1000 04T0900-1000 05T0100-0200")
		look()
		change(func(c *db.Collection) { c.Components = "VTODO" })
		_, err := h.tryPut("ann", floating("u4", "06T1000"), as)
		refused(t, err, itip.SupportedComponent)
		look()
		h.write(func(tx *db.Tx) error { return tx.DeleteCollection(id) })
		found.Components = "VEVENT"
		p := scheduling.Put{Actor: h.people["ann"], Name: "u5.ics", Body: []byte(floating("u5", "07T1000")), Door: "dav"}
		as(&p)
		if _, err := h.desk.Put(h.ctx, p); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("the calendar is gone: %v", err)
		}
	})
}

func TestConditions(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		body := event("u1", "20260303T1000", "20260303T1100")
		test := func(ok bool, c scheduling.Conditions) {
			t.Helper()
			_, err := h.tryPut("ann", body, func(p *scheduling.Put) { p.Conditions = c })
			var r *itip.Refusal
			if ok && err != nil || !ok && (!errors.As(err, &r) || r.Status != 412) {
				t.Errorf("%+v: %v", c, err)
			}
		}
		none, some := "", "tag"
		test(false, scheduling.Conditions{IfMatch: []string{"*"}})
		test(false, scheduling.Conditions{IfMatch: []string{}})
		test(false, scheduling.Conditions{IfScheduleTagMatch: &some})
		test(true, scheduling.Conditions{IfNoneMatch: []string{"*"}})
		test(false, scheduling.Conditions{IfNoneMatch: []string{"*"}})
		etag := h.has("ann", "u1").ETag
		test(true, scheduling.Conditions{IfMatch: []string{"stale", etag}})
		test(true, scheduling.Conditions{IfMatch: []string{"*"}})
		test(false, scheduling.Conditions{IfMatch: []string{"stale"}})
		test(false, scheduling.Conditions{IfNoneMatch: []string{etag}})
		test(true, scheduling.Conditions{IfNoneMatch: []string{"stale"}})
		test(true, scheduling.Conditions{IfScheduleTagMatch: &none})
		test(false, scheduling.Conditions{IfScheduleTagMatch: &some})
	})
}

// Who writes in another's calendar acts for him: the messages say so, in either
// role, and the decision record too (decision 30).
func TestSentBy(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "sue")
		h.write(func(tx *db.Tx) error { return tx.SetProxies(h.people["ann"].ID, true, []int64{h.people["sue"].ID}) })
		forAnn := func(p *scheduling.Put) { p.Actor = h.people["sue"]; p.Collection = h.calendar("ann", "") }
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben"), forAnn)
		if p := h.object("ben", "m1").First().Prop("ORGANIZER"); p.Param("SENT-BY") != "mailto:sue@example.org" || ics.CalAddress(p) != address("ann") {
			t.Errorf("Ben has %v", p)
		}
		if p := h.object("ann", "m1").First().Prop("ORGANIZER"); p.HasParam("SENT-BY") {
			t.Errorf("Ann has %v", p)
		}
		h.decided("m1", "applied", "1 message; by sue@example.org")
		h.put("ben", invitation("m2", "20260304T1000", "20260304T1100", "ben", "ann"))
		row := h.has("ann", "m2")
		h.put("ann", h.answered("ann", "m2", "ACCEPTED"), func(p *scheduling.Put) { p.Actor, p.Collection, p.Name = h.people["sue"], row.Collection, row.Name })
		h.says("ben", "m2", "", "ann", "ACCEPTED")
		in := h.inbox("ben")
		if p := ics.Attendee(in[len(in)-1].First(), func(a cuaddr.Address) bool { return a == address("ann") }); p == nil || p.Param("SENT-BY") != "mailto:sue@example.org" {
			t.Errorf("Ben was told %v", p)
		}
		// She herself does nothing in another's name.
		h.put("sue", invitation("m3", "20260305T1000", "20260305T1100", "sue", "ben"))
		if p := h.object("ben", "m3").First().Prop("ORGANIZER"); p.HasParam("SENT-BY") {
			t.Errorf("Ben has %v", p)
		}
	})
}

// Tasks arrive in a calendar that takes them; rooms have none.
func TestTasksArrive(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.add(db.Room, "blue")
		todo := func(line string) string {
			return calendar("BEGIN:VTODO\r\nUID:t\r\nDTSTAMP:20260301T120000Z\r\n" + organizer("ann") + "\r\n" + attendee("ben") + "\r\n" + line + "END:VTODO\r\n")
		}
		w := h.put("ann", todo(attendee("blue")+"\r\n"), func(p *scheduling.Put) { p.Collection = h.calendar("ann", "tasks") })
		if w.ScheduleTag == "" {
			t.Errorf("%+v", w)
		}
		if got := h.has("ben", "t"); got.Collection != h.calendar("ben", "tasks") || got.Component != "VTODO" {
			t.Errorf("Ben's task is %+v", got)
		}
		h.hasNot("blue", "t")
		if body := string(h.has("ann", "t").Body); !strings.Contains(body, "SCHEDULE-STATUS=5.3") {
			t.Errorf("of the room it says\n%s", body)
		}
		_, err := h.tryPut("ben", todo(""), func(p *scheduling.Put) { p.Collection, p.Name = h.calendar("ben", "calendar"), "t.ics" })
		refused(t, err, itip.SupportedComponent)
	})
}

// A journal is nobody else's business.
func TestJournalsAreStoredOnly(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		var diary int64
		h.write(func(tx *db.Tx) error {
			c := db.Collection{Owner: h.people["ann"].ID, Kind: db.Calendar, Name: "diary", Components: "VJOURNAL"}
			err := tx.InsertCollection(&c)
			diary = c.ID
			return err
		})
		w := h.put("ann", calendar("BEGIN:VJOURNAL\r\nUID:j\r\nDTSTAMP:20260301T120000Z\r\n"+organizer("ann")+"\r\n"+attendee("ben")+"\r\nEND:VJOURNAL\r\n"),
			func(p *scheduling.Put) { p.Collection = diary })
		if w.ScheduleTag != "" || w.Rewritten {
			t.Errorf("%+v", w)
		}
		h.hasNot("ben", "j")
	})
}

func TestMove(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		work := h.newCalendar("ann", "work")
		body := event("u1", "20260303T1000", "20260303T1100")
		h.put("ann", body)
		from := h.has("ann", "u1")
		move := scheduling.Move{Actor: h.people["ann"], Collection: from.Collection, Name: from.Name, To: work, ToName: "new.ics"}
		w, err := h.desk.Move(h.ctx, move)
		if err != nil {
			t.Fatal(err)
		}
		row := h.has("ann", "u1")
		if !w.Created || w.ETag != row.ETag || row.Collection != work || row.Name != "new.ics" || string(row.Body) != body {
			t.Errorf("%+v: %+v", w, row)
		}
		if got := h.busy("ann", 7); got != "03T1000-1100" {
			t.Errorf("busy %q", got)
		}
		if _, err := h.desk.Move(h.ctx, move); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("moved twice: %v", err)
		}
		// Never over another conversation (RFC 4791 §5.3.2.1).
		h.put("ann", event("u2", "20260304T1000", "20260304T1100"))
		over := scheduling.Move{Actor: h.people["ann"], Collection: work, Name: "new.ics", To: from.Collection, ToName: "u2.ics"}
		_, err = h.desk.Move(h.ctx, over)
		if r := refused(t, err, ""); r.Status != 412 {
			t.Errorf("%+v", r)
		}
		over.Overwrite = true
		_, err = h.desk.Move(h.ctx, over)
		refused(t, err, itip.NoUIDConflict)
		h.has("ann", "u2")
		if row := h.has("ann", "u1"); row.Name != "new.ics" {
			t.Errorf("moved to %q", row.Name)
		}
		// Not to somebody else, nor where events are not taken.
		away := scheduling.Move{Actor: h.people["ann"], Collection: work, Name: "new.ics", To: h.calendar("ben", ""), ToName: "x.ics"}
		_, err = h.desk.Move(h.ctx, away)
		refused(t, err, itip.UniqueSchedulingObject)
		away.To = h.calendar("ann", "tasks")
		_, err = h.desk.Move(h.ctx, away)
		refused(t, err, itip.SupportedComponent)
	})
}

// The same event put into another own calendar is moved there: programs move
// by PUT and then DELETE (decision 23).
func TestPutMoves(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		work := h.newCalendar("ann", "work")
		body := event("u1", "20260303T1000", "20260303T1100")
		h.put("ann", body)
		old := h.has("ann", "u1")
		into := func(p *scheduling.Put) {
			p.Collection, p.Name, p.Conditions.IfNoneMatch = work, "u1.ics", []string{"*"}
		}
		_, err := h.tryPut("ann", body, into, func(p *scheduling.Put) { p.Copy = true })
		if r := refused(t, err, itip.NoUIDConflict); r.Href != "calendar/u1.ics" {
			t.Errorf("href %q", r.Href)
		}
		if w := h.put("ann", body, into); !w.Created {
			t.Errorf("%+v", w)
		}
		if row := h.has("ann", "u1"); row.Collection != work {
			t.Errorf("it lies in %d", row.Collection)
		}
		err = h.desk.Remove(h.ctx, scheduling.Remove{Actor: h.people["ann"], Collection: old.Collection, Name: old.Name})
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("the program's DELETE: %v", err)
		}
		h.has("ann", "u1")
		// With another organizer it is another conversation.
		_, err = h.tryPut("ann", invitation("u1", "20260303T1000", "20260303T1100", "zoe"), func(p *scheduling.Put) {
			p.Collection, p.Name = old.Collection, "u1.ics"
		})
		if r := refused(t, err, itip.UniqueSchedulingObject); r.Href != "work/u1.ics" {
			t.Errorf("href %q", r.Href)
		}
	})
}

func TestRemoveCollection(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		ann, def := h.people["ann"], h.calendar("ann", "")
		h.put("ann", event("u1", "20260303T1000", "20260303T1100"))
		refused(t, h.desk.RemoveCollection(h.ctx, scheduling.Remove{Actor: ann, Collection: def, Door: "dav"}), "C:default-calendar-needed")
		h.has("ann", "u1")
		work := h.newCalendar("ann", "work")
		refused(t, h.desk.RemoveCollection(h.ctx, scheduling.Remove{Actor: ann, Collection: def, Door: "dav"}), "C:default-calendar-needed")
		h.write(func(tx *db.Tx) error {
			c, err := tx.Collection(work)
			if err != nil {
				return err
			}
			c.Default = true
			return tx.UpdateCollection(&c)
		})
		if err := h.desk.RemoveCollection(h.ctx, scheduling.Remove{Actor: ann, Collection: def, Door: "dav"}); err != nil {
			t.Fatal(err)
		}
		h.hasNot("ann", "u1")
		if got := h.calendar("ann", ""); got != work {
			t.Errorf("the default calendar is %d, want %d", got, work)
		}
		if got := h.busy("ann", 7); got != "" {
			t.Errorf("busy %q", got)
		}
		if _, err := h.tryPut("ann", event("u1", "20260303T1000", "20260303T1100"), func(p *scheduling.Put) { p.Collection = def }); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("put into what is gone: %v", err)
		}
	})
}
