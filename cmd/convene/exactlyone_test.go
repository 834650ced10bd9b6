package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/convene-server/convene/cmd/convene/catcher"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/emersion/go-smtp"
)

// TestExactlyOne asks for one slot of a room many times at once, half by CalDAV
// and half by mail, on one process over SQLite and on three over PostgreSQL, one
// of which is killed on the way: one request is accepted, every other declined,
// and all copies and mails say the same. So with what a quota leaves of two
// cars, and with a pool of three. CONVENE_SOAK=1 asks 1,000 times instead of 40;
// CONVENE_REQUESTS another number.
func TestExactlyOne(t *testing.T) {
	requests := 40
	if os.Getenv("CONVENE_SOAK") != "" {
		requests = 1000
	}
	if s := os.Getenv("CONVENE_REQUESTS"); s != "" {
		fmt.Sscan(s, &requests)
	}
	for _, c := range []struct {
		dialect string
		nodes   int
	}{{"sqlite", 1}, {"postgres", 3}} {
		t.Run(c.dialect, func(t *testing.T) {
			dsn := dbtest.DSN(t, c.dialect)
			r := &rush{t: t, store: dbtest.Open(t, dsn, db.Options{}), people: 5, results: map[string]map[string]string{}}
			for range c.nodes {
				r.nodes = append(r.nodes, newProcess(t, dsn, ""))
			}
			p := r.nodes[0]
			for i := range r.people {
				p.must(fmt.Sprintf("p%d\n", i), "user", "add", person(i), "--password-stdin", "--mail-copies", "never")
			}
			p.must("", "room", "add", "hall@example.org")
			for i := 1; i <= 2; i++ {
				p.must("", "resource", "add", fmt.Sprintf("van%d@example.org", i), "--policy", "check_quota vans PT1H", "--policy", "schedule_in_freebusy")
			}
			p.must("", "resource", "add", "any@example.org", "--policy", "pool car1@example.org car2@example.org car3@example.org")
			for i := 1; i <= 3; i++ {
				p.must("", "resource", "add", fmt.Sprintf("car%d@example.org", i))
			}
			for _, n := range r.nodes {
				n.start()
			}

			started := time.Now()
			hall := r.ask("hall", requests, func(i int) wish { // a killed node's share is asked again at the others
				return wish{by: i / 2 % r.people, whom: "hall@example.org"}
			}, c.nodes > 1)
			t.Logf("%d requests for one slot in %.1f s", requests, time.Since(started).Seconds())
			if n := len(slices.Concat(slices.Collect(maps.Values(hall))...)); n != 1 {
				t.Errorf("the hall was given %d times: %v", n, hall)
			}

			// At different hours, so that nothing but the quota can refuse: one
			// for who asks by CalDAV, one for who asks by mail.
			for by, got := range r.ask("vans", requests, func(i int) wish {
				return wish{whom: fmt.Sprintf("van%d@example.org", 1+i/2%2), hour: i + 1}
			}, false) {
				if len(got) != 1 {
					t.Errorf("%s has %d vans at a time: %v", by, len(got), got)
				}
			}

			pool := slices.Concat(slices.Collect(maps.Values(r.ask("pool", requests, func(i int) wish {
				return wish{by: i / 2 % r.people, whom: "any@example.org"}
			}, false)))...)
			slices.Sort(pool)
			if want := []string{"car1@example.org", "car2@example.org", "car3@example.org"}; !slices.Equal(pool, want) {
				t.Errorf("of the pool were given %v", pool)
			}
		})
	}
}

func person(i int) string { return fmt.Sprintf("p%d@example.org", i) }

// rush is many requests at once at the nodes of one database.
type rush struct {
	t      *testing.T
	store  *db.Store
	nodes  []*process
	people int

	results map[string]map[string]string // PARTSTATs by UID and attendee, of mails
}

// wish is what one person, here or outside, asks for.
type wish struct {
	by   int
	whom string
	hour int
}

// ask makes n requests at the same moment, every other by mail, and returns
// what was accepted, by organizer.
func (r *rush) ask(name string, n int, what func(int) wish, killing bool) map[string][]string {
	r.t.Helper()
	type asked struct{ uid, organizer, whom string }
	all := make([]asked, n)
	var wg sync.WaitGroup
	var verdicts atomic.Int64
	gate := make(chan struct{})
	dead := make(chan struct{})
	for i := range n {
		q := what(i)
		a := asked{fmt.Sprintf("%s-%d", name, i), person(q.by), q.whom}
		byMail := i%2 == 1
		if byMail {
			a.organizer = fmt.Sprintf("o%d@example.com", q.by)
		}
		all[i] = a
		start := time.Date(2030, 1, 7, 9, 0, 0, 0, time.UTC).Add(time.Duration(q.hour) * time.Hour)
		object := strings.NewReplacer("\n", "\r\n").Replace(fmt.Sprintf("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nBEGIN:VEVENT\nUID:%s\nDTSTAMP:20260101T000000Z\nDTSTART:%s\nDTEND:%s\nSUMMARY:%s\nSEQUENCE:0\nORGANIZER:mailto:%s\nATTENDEE;PARTSTAT=ACCEPTED:mailto:%s\nATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:%s\nEND:VEVENT\nEND:VCALENDAR\n",
			a.uid, start.Format("20060102T150405Z"), start.Add(time.Hour).Format("20060102T150405Z"), a.uid, a.organizer, a.organizer, a.whom))
		wg.Go(func() {
			<-gate
			end := time.Now().Add(10 * time.Minute)
			for try := 0; ; try++ { // at the next node, as a client behind a proxy and an MTA do
				var again error
				if node := r.nodes[(i+try)%len(r.nodes)]; byMail {
					again = node.deliver(a.organizer, a.whom, itipMail(a.organizer, a.whom, a.uid, "REQUEST", withMethod(object, "REQUEST")))
					if no := (*smtp.SMTPError)(nil); errors.As(again, &no) && !no.Temporary() {
						r.t.Errorf("%s: %v", a.uid, no)
						again = nil
					}
				} else {
					code, text, err := node.dav(a.organizer, "PUT", "/dav/calendars/"+a.organizer+"/calendar/"+a.uid+".ics", object, "Content-Type", "text/calendar", "If-None-Match", "*")
					switch {
					case err != nil:
						again = err
					case code == 503:
						again = errors.New(text)
					case code != 201 && (code != 412 || try == 0): // it was done, and the answer was lost
						r.t.Errorf("%s: %d %s", a.uid, code, text)
					}
				}
				if again == nil {
					break
				}
				if time.Now().After(end) {
					r.t.Errorf("%s: no verdict: %v", a.uid, again)
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			if verdicts.Add(1) == int64(n/3) && killing {
				r.nodes[1].kill()
				close(dead)
			}
		})
	}
	close(gate)
	wg.Wait()
	if killing {
		<-dead
		// What it had in hand waits for its lease, which the test has no time for.
		for _, table := range []string{"delivery", "job"} {
			dbtest.Exec(r.t, r.nodes[0].dsn, "UPDATE "+table+" SET due = 0 WHERE token <> ''")
		}
		r.nodes[1].start()
	}
	r.settle()
	r.readMails()

	given := map[string][]string{}
	for _, a := range all {
		said, copies := r.results[a.uid], r.copies(a.uid)
		if own := copies[a.organizer]; own != nil {
			said = partStats(own)
		}
		for owner, has := range copies { // whoever answers has kept what the organizer was told
			if s := partStats(has)[owner]; owner != a.organizer && s != said[owner] {
				r.t.Errorf("%s: in the copy of %s it is %s, the organizer knows %s", a.uid, owner, s, said[owner])
			}
		}
		var accepted []string
		for who, partstat := range said {
			if partstat == "ACCEPTED" && who != a.organizer {
				accepted = append(accepted, who)
			}
		}
		switch {
		case len(accepted) == 1 && (accepted[0] == a.whom || said[a.whom] == "DELEGATED"):
			if copies[accepted[0]] == nil {
				r.t.Errorf("%s: %s has accepted, and has no copy", a.uid, accepted[0])
			}
		case len(accepted) > 0 || said[a.whom] != "DECLINED":
			r.t.Errorf("%s: the organizer knows %v", a.uid, said)
		}
		given[a.organizer] = append(given[a.organizer], accepted...)
	}
	return given
}

// settle waits until nothing is left to do or to send.
func (r *rush) settle() {
	r.t.Helper()
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		var jobs, mails bool
		err := r.store.View(context.Background(), func(tx *db.Tx) (err error) {
			if _, jobs, err = tx.NextJob(); err == nil {
				_, mails, err = tx.NextDelivery()
			}
			return err
		})
		if err == nil && !jobs && !mails {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("it does not settle: jobs %v, mails %v, %v", jobs, mails, err)
		}
	}
}

// readMails collects the answers that went outside.
func (r *rush) readMails() {
	c := catcher.New("outside")
	for _, n := range r.nodes {
		for _, m := range n.relay.taken() {
			mail := c.Add(m.from, []string{m.to}, []byte(m.data))
			if mail.Calendar == nil || mail.Method != "REPLY" {
				r.t.Errorf("a mail to %s that was not expected: %s", m.to, mail.Subject)
				continue
			}
			uid := mail.Calendar.UID()
			if r.results[uid] == nil {
				r.results[uid] = map[string]string{}
			}
			for who, partstat := range partStats(mail.Calendar) {
				if was := r.results[uid][who]; was != "" && was != partstat && partstat != "NEEDS-ACTION" && was != "NEEDS-ACTION" {
					r.t.Errorf("%s: %s was told %s, then %s of %s", uid, m.to, was, partstat, who)
				}
				if partstat != "NEEDS-ACTION" {
					r.results[uid][who] = partstat
				}
			}
		}
	}
}

// copies returns everybody's copy by its owner's address.
func (r *rush) copies(uid string) map[string]*ics.Object {
	r.t.Helper()
	all := map[string]*ics.Object{}
	err := r.store.View(context.Background(), func(tx *db.Tx) error {
		rows, err := tx.ObjectsByUID(uid)
		if err != nil {
			return err
		}
		for _, row := range rows {
			p, err := tx.Principal(row.Owner)
			if err != nil {
				return err
			}
			if all[p.Address] != nil {
				r.t.Errorf("%s: %s has two copies", uid, p.Address)
			}
			if all[p.Address], err = ics.Parse(row.Body, ics.Limits{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}
