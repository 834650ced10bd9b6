package scheduling_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

func (h *house) rename(who, address string) {
	h.Helper()
	h.write(func(tx *db.Tx) error { return scheduling.Rename(tx, h.people[who], address) })
	h.write(func(tx *db.Tx) (err error) {
		h.people[who], err = tx.Principal(h.people[who].ID)
		return err
	})
}

// A node dies while the meetings of somebody follow his new address: another one
// goes on, and each of those outside hears of it once.
func TestRenameGoesOn(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		const meetings = 40
		for i := range meetings {
			h.put("ann", invitation(fmt.Sprintf("m%d", i), "20260303T1000", "20260303T1100", "ann", "ben", fmt.Sprintf("out%d@example.net", i)))
		}
		h.work()
		h.write(func(tx *db.Tx) error { // the invitations have gone
			ds, err := tx.ClaimDeliveries(1000, time.Minute)
			for _, d := range ds {
				if _, err := tx.FinishDelivery(d.ID, d.Token); err != nil {
					return err
				}
			}
			return err
		})
		h.queue()
		h.rename("ann", "arbor@example.org")

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
		renamed := func() (n int) {
			for i := range meetings {
				mine, his := h.object("ann", fmt.Sprintf("m%d", i)), h.object("ben", fmt.Sprintf("m%d", i))
				a, b := ics.Organizer(mine.First()), ics.Organizer(his.First())
				if a != b {
					t.Errorf("m%d is of %v and %v", i, a, b)
				}
				if a == address("arbor") {
					n++
				}
			}
			return n
		}
		if n := renamed(); n == 0 || n == meetings {
			t.Fatalf("%d renamed", n)
		}
		h.write(func(tx *db.Tx) error { return tx.ReleaseClaims() }) // its leases have run out
		h.work()
		if n := renamed(); n != meetings {
			t.Errorf("%d renamed in the end", n)
		}
		told := map[string]int{}
		h.view(func(tx *db.Tx) error {
			ds, err := tx.Deliveries(0, 1000)
			for _, d := range ds {
				told[d.Rcpt]++
				if d.Method != "REQUEST" || d.From != "mailto:arbor@example.org" {
					t.Errorf("%s from %s to %s", d.Method, d.From, d.Rcpt)
				}
			}
			return err
		})
		if len(told) != meetings {
			t.Errorf("%d are told", len(told))
		}
		for who, n := range told {
			if n != 1 {
				t.Errorf("%s is told %d times", who, n)
			}
		}
		if n := h.work(); n != 0 {
			t.Errorf("%d jobs are left", n)
		}
	})
}

// Mail that waits speaks of the new address, also where its meeting is gone.
func TestRenameQueue(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.add(db.Person, "ben", func(p *db.Principal) { p.MailCopies = "always" })
		opt := options()
		opt.Coalesce = time.Hour
		h.desk = scheduling.New(h.store, opt)
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "out@example.net"))
		h.put("ann", invitation("m2", "20260304T1000", "20260304T1100", "ann", "out@example.net"))
		h.write(func(tx *db.Tx) error {
			ds, err := tx.Deliveries(0, 10)
			for _, d := range ds {
				if d.UID == "m2" && err == nil {
					if err = tx.RetryDelivery(d.ID); err == nil {
						ds, err = tx.ClaimDeliveries(1, time.Minute)
						if err == nil {
							_, err = tx.FinishDelivery(ds[0].ID, ds[0].Token)
						}
					}
					break
				}
			}
			return err
		})
		if err := h.desk.Remove(h.ctx, scheduling.Remove{Actor: h.people["ann"], Collection: h.calendar("ann", ""), Name: "m2.ics", Door: "dav"}); err != nil {
			t.Fatal(err)
		}
		h.queue("REQUEST ben@example.org", "REQUEST out@example.net", "CANCEL out@example.net")
		h.rename("ann", "arbor@example.org")
		h.rename("ben", "benjamin@example.org")
		h.work()
		for _, d := range h.queue("REQUEST benjamin@example.org", "CANCEL out@example.net", "REQUEST out@example.net") {
			text := d.From + string(d.Body) + string(d.Prior)
			if strings.Contains(text, "ann@example.org") || strings.Contains(text, "ben@example.org") || !strings.Contains(text, "arbor@example.org") {
				t.Errorf("%s to %s:\n%s", d.Method, d.Rcpt, text)
			}
		}
	})
}

// A domain is renamed: whoever has an address in it has the same one in the new
// domain, meetings follow, the old addresses stay, and rules speak of the new one.
func TestRenameDomain(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.add(db.Room, "blue", func(p *db.Principal) { p.Policy = "owner ann@example.org\nmay_book example.org ben@example.org" })
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "blue"))
		h.work()
		h.write(func(tx *db.Tx) error {
			if err := directory.AddAlias(tx, h.people["ben"].ID, "@example.org"); err != nil {
				return err
			}
			for _, n := range []string{"ann", "ben", "blue"} {
				if renamed, err := scheduling.RenameDomain(tx, h.people[n], "example.org", "example.com"); err != nil || !renamed {
					t.Fatal(renamed, err)
				}
			}
			return directory.RenameDomainIn(tx, "example.org", "example.com")
		})
		h.work()
		for _, n := range []string{"ann", "ben", "blue"} {
			body := strings.ReplaceAll(string(h.has(n, "m1").Body), "\r\n ", "")
			if strings.Contains(body, "example.org") || strings.Count(body, "@example.com") != 4 {
				t.Errorf("%s has\n%s", n, body)
			}
			h.view(func(tx *db.Tx) error {
				for _, a := range []string{n + "@example.org", n + "@example.com", n + ".alias@example.com", n + ".alias@example.org"} {
					if p, err := directory.Lookup(tx, address(a)); err != nil || p.ID != h.people[n].ID || p.Address != n+"@example.com" {
						t.Errorf("%s is %s, %v", a, p.Address, err)
					}
				}
				if p, err := directory.Lookup(tx, address("whoever@example.com")); err != nil || p.ID != h.people["ben"].ID {
					t.Errorf("the rest of the domain is %s, %v", p.Address, err)
				}
				p, err := tx.Principal(h.people["blue"].ID)
				if p.Policy != "owner ann@example.com\nmay_book example.com ben@example.com" {
					t.Errorf("rules %q", p.Policy)
				}
				return err
			})
		}
	})
}
