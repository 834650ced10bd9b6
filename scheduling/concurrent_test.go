package scheduling_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/itip"
)

// Answers of many at the same moment all land, whatever comes between, and in
// the end all copies agree. Two nodes where the database allows it.
func TestConcurrentReplies(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			dsn := dbtest.DSN(t, kind)
			h := newHouse(t, dbtest.Open(t, dsn, db.Options{}))
			desks := []*scheduling.Desk{h.desk}
			if kind == "postgres" {
				desks = append(desks, scheduling.New(dbtest.Open(t, dsn, db.Options{}), options()))
			}
			var names []string
			for i := range 12 {
				names = append(names, fmt.Sprintf("p%d", i))
			}
			h.persons("ann")
			h.persons(names...)
			h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", names...))
			ctx, stop := context.WithCancel(h.ctx)
			var workers, wg sync.WaitGroup
			for _, d := range desks {
				workers.Go(func() { d.Work(ctx) })
			}
			for i, who := range names {
				row := h.has(who, "m1")
				body := h.answered(who, "m1", "ACCEPTED")
				wg.Go(func() {
					p := scheduling.Put{Actor: h.people[who], Collection: row.Collection, Name: row.Name, Body: []byte(body), Door: "dav"}
					_, err := desks[i%len(desks)].Put(h.ctx, p)
					if no := (*itip.Refusal)(nil); errors.As(err, &no) { // made on the old title: his program looks again
						p.Body = []byte(h.answered(who, "m1", "ACCEPTED"))
						_, err = desks[i%len(desks)].Put(h.ctx, p)
					}
					if err != nil {
						t.Errorf("%s: %v", who, err)
					}
				})
			}
			tag := h.has("ann", "m1").ScheduleTag
			wg.Go(func() { // the organizer changes the title meanwhile
				body := strings.Replace(invitation("m1", "20260303T1000", "20260303T1100", "ann", names...), "Review", "Preview", 1)
				row := h.has("ann", "m1")
				p := scheduling.Put{Actor: h.people["ann"], Collection: row.Collection, Name: row.Name, Body: []byte(body), Door: "dav",
					Conditions: scheduling.Conditions{IfScheduleTagMatch: &tag}}
				if _, err := desks[0].Put(h.ctx, p); err != nil {
					t.Errorf("ann: %v", err)
				}
			})
			wg.Wait()
			deadline := time.Now().Add(20 * time.Second)
			for h.pending() && time.Now().Before(deadline) {
				time.Sleep(20 * time.Millisecond)
			}
			stop()
			workers.Wait()
			for _, who := range append(names, "ann") {
				for _, whom := range names {
					h.says(who, "m1", "", whom, "ACCEPTED")
				}
				if s := h.object(who, "m1").Master().Text("SUMMARY"); s != "Preview" {
					t.Errorf("%s reads %q", who, s)
				}
			}
		})
	}
}

// pending reports whether jobs wait.
func (h *house) pending() (yes bool) {
	h.view(func(tx *db.Tx) (err error) {
		_, yes, err = tx.NextJob()
		return err
	})
	return yes
}

// Everything at once on few objects: nothing fails but by a refusal, and
// nobody ends with two copies.
func TestEverythingAtOnce(t *testing.T) {
	each(t, func(h *house) {
		names := []string{"a", "b", "c", "d"}
		h.persons(names...)
		h.add(db.Room, "room", inRoom)
		other := map[string]int64{}
		for _, who := range names {
			other[who] = h.newCalendar(who, "other")
		}
		type place struct {
			col  int64
			name string
		}
		var wg sync.WaitGroup
		for i := range 8 {
			me := names[i%len(names)]
			homes := []int64{h.calendar(me, ""), other[me]}
			wg.Go(func() {
				for n := range 12 {
					uid := fmt.Sprintf("m%d", (i+n)%3)
					by := names[(i+n)%3]
					at := place{homes[n%2], uid + ".ics"}
					var err error
					switch (i + n) % 4 {
					case 0, 1:
						var whom []string
						for _, w := range append(names, "room") {
							if w != by {
								whom = append(whom, w)
							}
						}
						body := invitation(uid, "20260303T1000", "20260303T1100", by, whom...)
						if by != me {
							body = strings.Replace(body, attendee(me), attendee(me, "PARTSTAT=ACCEPTED"), 1)
						}
						_, err = h.desk.Put(h.ctx, scheduling.Put{Actor: h.people[me], Collection: at.col, Name: at.name, Body: []byte(body), Door: "dav"})
					case 2:
						err = h.desk.Remove(h.ctx, scheduling.Remove{Actor: h.people[me], Collection: at.col, Name: at.name, Door: "dav"})
					case 3:
						_, err = h.desk.Move(h.ctx, scheduling.Move{Actor: h.people[me], Collection: at.col, Name: at.name,
							To: homes[(n+1)%2], ToName: fmt.Sprintf("%s-%d.ics", uid, n%2), Overwrite: true, Door: "dav"})
					}
					var no *itip.Refusal
					if err != nil && !errors.As(err, &no) && !errors.Is(err, db.ErrNotFound) && !errors.Is(err, db.ErrConflict) {
						t.Errorf("%v", err)
					}
				}
			})
		}
		wg.Wait()
		h.work()
		for _, uid := range []string{"m0", "m1", "m2"} {
			for _, who := range append(names, "room") {
				h.row(who, uid) // complains of two copies
			}
		}
		accepted := 0
		for _, uid := range []string{"m0", "m1", "m2"} {
			if _, ok := h.row("room", uid); ok {
				o := h.object("room", uid)
				if p := line(o.First(), "room"); p != nil && o.First().Value("STATUS") != "CANCELLED" && strings.Contains(string(o.Bytes()), "PARTSTAT=ACCEPTED") && p.Param("PARTSTAT") == "ACCEPTED" {
					accepted++
				}
			}
		}
		if accepted > 1 {
			t.Errorf("the room accepted %d meetings at one time", accepted)
		}
	})
}

// A job that fails is tried again later, not at once.
func TestJobsAreGivenUp(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.write(func(tx *db.Tx) error {
			return tx.InsertJob(&db.Job{Kind: "remove", UID: "m1", Principal: h.people["ann"].ID, Args: []byte("nonsense")})
		})
		for range 3 {
			h.work()
		}
		if !h.pending() {
			t.Fatal("the job was given up at once")
		}
		h.write(func(tx *db.Tx) error { // a job of a principal who is gone has nothing to do
			return tx.InsertJob(&db.Job{Kind: "refresh", UID: "m2", Principal: 1 << 40})
		})
		if n := h.work(); n != 1 {
			t.Errorf("%d jobs", n)
		}
	})
}
