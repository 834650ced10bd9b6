package scheduling_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
)

// A group goes: those who were invited by it stay, and nobody is told anything,
// nor is the address of the group mailed later on.
func TestDisband(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		team := h.add(db.Group, "team")
		h.write(func(tx *db.Tx) error { return tx.SetMembers(team.ID, []string{"ben@example.org"}) })
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "team"))
		h.put("ben", h.answered("ben", "m1", "ACCEPTED"))
		h.work()
		before := len(h.inbox("ben"))
		if n, err := h.desk.Disband(h.ctx, team, "command"); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := h.desk.Disband(h.ctx, team, "command"); n != 0 || err != nil {
			t.Fatal("again:", n, err)
		}
		h.write(func(tx *db.Tx) error { return tx.DeletePrincipal(team.ID) })
		h.work()
		for _, who := range []string{"ann", "ben"} {
			h.says(who, "m1", "", "ben", "ACCEPTED")
			if o := h.object(who, "m1"); line(o.First(), "team") != nil {
				t.Errorf("%s has\n%s", who, o.Bytes())
			}
		}
		if l := line(h.object("ann", "m1").First(), "ben"); l.HasParam("MEMBER") {
			t.Errorf("Ben is in it by %s", l.Param("MEMBER"))
		}
		if n := len(h.inbox("ben")); n != before {
			t.Errorf("Ben is told: %d", n-before)
		}
		h.put("ann", strings.Replace(string(h.has("ann", "m1").Body), "SUMMARY:Review", "SUMMARY:Preview", 1))
		h.queue()
		h.says("ben", "m1", "", "ben", "ACCEPTED")
	})
}

// A node dies while a change of a group follows into meetings: another one goes
// on, and each new member is invited once.
func TestRegroupGoesOn(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "dan")
		team := h.add(db.Group, "team")
		h.write(func(tx *db.Tx) error { return tx.SetMembers(team.ID, []string{"ben@example.org"}) })
		const meetings = 40
		for i := range meetings {
			h.put("ann", invitation(fmt.Sprintf("m%d", i), "20260303T1000", "20260303T1100", "ann", "team"))
		}
		h.work()
		h.write(func(tx *db.Tx) error {
			return scheduling.Regroup(tx, team, func() error {
				return tx.SetMembers(team.ID, []string{"dan@example.org", "out@example.net"})
			})
		})
		ctx, die := context.WithCancel(h.ctx)
		opt := options()
		turns := 0
		opt.Now = func() time.Time {
			if turns++; turns == 6 {
				die()
			}
			return today
		}
		if _, err := scheduling.New(h.store, opt).WorkOnce(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if n := len(h.inbox("dan")); n == 0 || n == meetings {
			t.Fatalf("invited into %d", n)
		}
		h.write(func(tx *db.Tx) error { return tx.ReleaseClaims() }) // its leases have run out
		h.work()
		if n := len(h.inbox("dan")); n != meetings {
			t.Errorf("invited into %d", n)
		}
		told := map[string]int{}
		h.view(func(tx *db.Tx) error {
			ds, err := tx.Deliveries(0, 1000)
			for _, d := range ds {
				told[d.UID+d.Method+d.Rcpt]++
			}
			return err
		})
		for what, n := range told {
			if n != 1 {
				t.Errorf("%s %d times", what, n)
			}
		}
		if len(told) != meetings {
			t.Errorf("%d mails", len(told))
		}
		for i := range meetings {
			uid := fmt.Sprintf("m%d", i)
			h.says("ann", uid, "", "dan", "NEEDS-ACTION")
			if line(h.object("ann", uid).First(), "ben") != nil {
				t.Errorf("Ben is still in %s", uid)
			}
		}
	})
}

// A series that has begun changes as a whole where it cannot be parted: in a
// meeting of too many, or where the name of its earlier part is taken.
func TestRegroupKeepsWhole(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "dan")
		whole := func(uid string, desk *scheduling.Desk) {
			h.Helper()
			team := h.add(db.Group, "team."+uid)
			h.write(func(tx *db.Tx) error { return tx.SetMembers(team.ID, []string{"ben@example.org"}) })
			h.put("ann", strings.Replace(invitation(uid, "20260224T1000", "20260224T1100", "ann", "team."+uid), "SUMMARY", "RRULE:FREQ=WEEKLY;COUNT=4\r\nSUMMARY", 1))
			h.write(func(tx *db.Tx) error {
				return scheduling.Regroup(tx, team, func() error { return tx.SetMembers(team.ID, []string{"ben@example.org", "dan@example.org"}) })
			})
			if _, err := desk.WorkOnce(h.ctx); err != nil {
				h.Fatal(err)
			}
			if o := h.object("dan", uid); o.Master().Value("RRULE") != "FREQ=WEEKLY;COUNT=4" {
				t.Errorf("Dan has of %s\n%s", uid, o.Bytes())
			}
		}
		opt := options()
		opt.LocalInline = 2
		whole("m1", scheduling.New(h.store, opt))
		h.put("ann", event("m2-until-20260303T100000Z", "20260310T1000", "20260310T1100"))
		whole("m2", h.desk)
	})
}
