package caldav

import (
	"fmt"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// What many sharees of one calendar cost, counted in statements: a PUT in it and
// what one of them asks cost the same as with few; sharing with a group is
// linear in who is in it.
func TestManySharees(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		type costs struct{ put, busy, home, share, take int64 }
		const group = "mailto:many@example.org"
		h.add(db.Principal{Address: "many@example.org", Kind: db.Group, Name: "Many"})
		least := func(ask func()) int64 {
			n := int64(1 << 60)
			for range 8 { // what is done beside it, now and then, is counted too
				h.propfind(ann, annTasks, "0", "D:sync-token").row(t, annTasks)
				before := h.store.Ran()
				ask()
				n = min(n, h.store.Ran()-before)
			}
			return n
		}
		at := ""
		measure := func(from, n int) (c costs) {
			t.Helper()
			err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
				members := []string{bob}
				for i := range n {
					a := fmt.Sprintf("p%d@example.org", i)
					members = append(members, a)
					if i >= from {
						p := db.Principal{Address: a, Kind: db.Person, Name: a}
						if err := directory.Add(tx, &p, nil); err != nil {
							return err
						}
					}
				}
				g, err := tx.PrincipalByAddress("many@example.org")
				if err != nil {
					return err
				}
				return tx.SetMembers(g.ID, members)
			})
			if err != nil {
				t.Fatal(err)
			}
			before := h.store.Ran()
			h.share(ann, annCalendar, group, "read-write").want(t, 200)
			c.share = h.store.Ran() - before
			if at == "" {
				before = h.store.Ran()
				at = h.answer(bob, bobHome, annCalendar, h.invitation(bob, bobBox, "invite-noresponse"), "invite-accepted", "").accepted(t)
				c.take = h.store.Ran() - before
			}
			// All have it, and it is the time of all.
			err = h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
				a, err := tx.PrincipalByAddress(ann)
				if err != nil {
					return err
				}
				cal, err := tx.CollectionByName(a.ID, db.Calendar, "calendar")
				if err != nil {
					return err
				}
				rows, err := tx.Shares(cal.ID)
				for _, s := range rows {
					if s.Name == "" {
						s.Name = mountPrefix + s.UID
					}
					if s.Busy = true; err == nil {
						err = tx.SetShare(s)
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			i := 0
			c.put = least(func() {
				i++
				name := fmt.Sprintf("e%d-%d", n, i)
				h.put(ann, annCalendar+name+".ics", event(name, "20261103T100000Z", "20261103T110000Z", "")).want(t, 201)
			})
			c.home = least(func() {
				h.propfind(bob, bobHome, "1", "D:resourcetype D:displayname CS:getctag D:sync-token C:schedule-calendar-transp").row(t, at)
			})
			c.busy = least(func() {
				h.do(ann, "GET", "/freebusy/"+bob+"?start=20261103T000000Z&end=20261104T000000Z", "").want(t, 200)
			})
			return c
		}
		few := measure(0, 20)
		many := measure(20, 100)
		t.Logf("%+v, %+v", few, many)
		// 80 more are asked by the group of 101.
		if each := (many.share - few.share) / 80; each > 8 {
			t.Errorf("sharing with a group asks %d statements for each who is asked", each)
		}
		if many.put > few.put || many.home > few.home || many.busy > few.busy {
			t.Errorf("with 20 others %+v, with 100 %+v", few, many)
		}
	})
}
