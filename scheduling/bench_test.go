package scheduling_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

func onEach(b *testing.B, f func(b *testing.B, h *house)) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) { f(b, newHouse(b, dbtest.Open(b, dbtest.Durable(b, kind), db.Options{}))) })
	}
}

// One commit of one row: what the rest is compared with.
func BenchmarkBareCommit(b *testing.B) {
	onEach(b, func(b *testing.B, h *house) {
		for b.Loop() {
			h.write(func(tx *db.Tx) error { return tx.InsertDecision(&db.Decision{At: today, UID: "u", Outcome: "x"}) })
		}
	})
}

func BenchmarkPutPlain(b *testing.B) {
	onEach(b, func(b *testing.B, h *house) {
		h.persons("ann")
		p := scheduling.Put{Actor: h.people["ann"], Collection: h.calendar("ann", ""), Door: "dav"}
		i := 0
		for b.Loop() {
			i++
			p.Name = fmt.Sprintf("u%d.ics", i)
			p.Body = []byte(event(fmt.Sprintf("u%d", i), "20260303T1000", "20260303T1100"))
			if _, err := h.desk.Put(h.ctx, p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Eight clients, each with a calendar of his own.
func BenchmarkPutPlainParallel(b *testing.B) {
	onEach(b, func(b *testing.B, h *house) {
		var puts []scheduling.Put
		for i := range 8 {
			who := fmt.Sprintf("p%d", i)
			h.persons(who)
			puts = append(puts, scheduling.Put{Actor: h.people[who], Collection: h.calendar(who, ""), Door: "dav"})
		}
		var worker, n atomic.Int64
		b.SetParallelism(4) // of two processors
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			p := puts[int(worker.Add(1))%len(puts)]
			for pb.Next() {
				i := n.Add(1)
				p.Name = fmt.Sprintf("u%d.ics", i)
				p.Body = []byte(event(fmt.Sprintf("u%d", i), "20260303T1000", "20260303T1100"))
				if _, err := h.desk.Put(h.ctx, p); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func BenchmarkInvite(b *testing.B) {
	for _, n := range []int{1, 10, 50, 200} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			onEach(b, func(b *testing.B, h *house) {
				h.persons("ann")
				var whom []string
				for i := range n {
					whom = append(whom, fmt.Sprintf("p%d", i))
				}
				h.persons(whom...)
				p := scheduling.Put{Actor: h.people["ann"], Collection: h.calendar("ann", ""), Door: "dav"}
				i := 0
				var update time.Duration
				for b.Loop() {
					i++
					p.Name = fmt.Sprintf("u%d.ics", i)
					body := invitation(fmt.Sprintf("u%d", i), "20260303T1000", "20260303T1100", "ann", whom...)
					p.Body = []byte(body)
					if _, err := h.desk.Put(h.ctx, p); err != nil {
						b.Fatal(err)
					}
					p.Body = []byte(strings.Replace(body, "20260303T11", "20260303T12", 1))
					start := time.Now()
					if _, err := h.desk.Put(h.ctx, p); err != nil {
						b.Fatal(err)
					}
					update += time.Since(start)
				}
				b.ReportMetric(float64(b.Elapsed()-update)/float64(b.N)/1e6, "ms/create")
				b.ReportMetric(float64(update)/float64(b.N)/1e6, "ms/update")
			})
		})
	}
}

func BenchmarkReply(b *testing.B) {
	for _, n := range []int{1, 50} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			onEach(b, func(b *testing.B, h *house) {
				h.persons("ann")
				var whom []string
				for i := range n {
					whom = append(whom, fmt.Sprintf("p%d", i))
				}
				h.persons(whom...)
				h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", whom...))
				row := h.has("p0", "m1")
				yes, no := []byte(h.answered("p0", "m1", "ACCEPTED")), []byte(h.answered("p0", "m1", "DECLINED"))
				p := scheduling.Put{Actor: h.people["p0"], Collection: row.Collection, Name: row.Name, Door: "dav"}
				for i := 0; b.Loop(); i++ {
					p.Body = yes
					if i%2 == 1 {
						p.Body = no
					}
					if _, err := h.desk.Put(h.ctx, p); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				h.work()
			})
		})
	}
}

// Fifty people with a thousand events each, one in ten a series.
func BenchmarkFreeBusy(b *testing.B) {
	onEach(b, func(b *testing.B, h *house) {
		h.persons("ann")
		var whom []string
		for i := range 50 {
			who := fmt.Sprintf("p%d", i)
			p := h.add(db.Person, who)
			cal := h.calendar(who, "")
			whom = append(whom, address(who).String())
			h.write(func(tx *db.Tx) error { return fill(tx, p, cal, 1000) })
		}
		from := today.AddDate(0, 6, 0)
		b.ResetTimer()
		for b.Loop() {
			fb, err := h.desk.FreeBusy(h.ctx, scheduling.FreeBusyQuery{Asker: h.people["ann"], Whom: whom, From: from, To: from.AddDate(0, 0, 7)})
			if err != nil || len(fb[0].Spans) == 0 {
				b.Fatal(err, fb)
			}
		}
	})
}

// Cost against attendees: of one question about up to five hundred people with
// a hundred events each, all of whom say when they can be met.
func BenchmarkFreeBusyAttendees(b *testing.B) {
	onEach(b, func(b *testing.B, h *house) {
		h.persons("ann")
		var whom []string
		for i := range 500 {
			who := fmt.Sprintf("p%d", i)
			p := h.add(db.Person, who)
			cal := h.calendar(who, "")
			whom = append(whom, address(who).String())
			h.write(func(tx *db.Tx) error {
				if err := fill(tx, p, cal, 100); err != nil {
					return err
				}
				return h.desk.SetAvailability(tx, p, strings.ReplaceAll(officeHours, "UID:a", "UID:"+who))
			})
		}
		from := today.AddDate(0, 0, 14)
		for _, n := range []int{1, 50, 200, 500} {
			b.Run(fmt.Sprint(n), func(b *testing.B) {
				for b.Loop() {
					fb, err := h.desk.FreeBusy(h.ctx, scheduling.FreeBusyQuery{Asker: h.people["ann"], Whom: whom[:n], From: from, To: from.AddDate(0, 0, 7)})
					if err != nil || len(fb[n-1].Spans) == 0 {
						b.Fatal(err, fb)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/attendee")
			})
		}
	})
}

// Cost against attendees: of an invitation to a crowd outside, whom a mail each
// names all the others.
func BenchmarkPutOutside(b *testing.B) {
	onEach(b, func(b *testing.B, h *house) {
		h.persons("ann")
		turn := 0
		for _, n := range []int{50, 500, 2000} {
			crowd := "ATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.org"
			for i := range n - 1 {
				crowd += fmt.Sprintf("\r\nATTENDEE;RSVP=TRUE:mailto:p%d@example.net", i)
			}
			b.Run(fmt.Sprint(n), func(b *testing.B) {
				for b.Loop() {
					turn++
					h.put("ann", event(fmt.Sprint("crowd-", turn), "20260303T1400", "20260303T1500", "ORGANIZER:mailto:ann@example.org", crowd))
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/attendee")
			})
		}
	})
}

// fill stores n events directly, one in ten a series.
func fill(tx *db.Tx, p db.Principal, cal int64, n int) error {
	mod, err := tx.BumpCollections(cal)
	if err != nil {
		return err
	}
	for i := range n {
		uid := fmt.Sprintf("%s-%d", p.Name, i)
		start := today.Add(time.Duration(i) * 9 * time.Hour)
		body := event(uid, start.Format("20060102T1504"), start.Add(time.Hour).Format("20060102T1504"))
		if i%10 == 0 {
			body = strings.Replace(body, "SUMMARY", "RRULE:FREQ=WEEKLY;COUNT=30\r\nSUMMARY", 1)
		}
		o, err := ics.Parse([]byte(body), ics.Limits{})
		if err != nil {
			return err
		}
		rec, err := scheduling.Record(o, nil, time.UTC, ics.Bound{})
		if err != nil {
			return err
		}
		row := db.Object{Collection: cal, Name: uid, UID: uid, Component: "VEVENT", Modseq: mod[cal]}
		if err := tx.PutObject(&row, []byte(body), rec, 0); err != nil {
			return err
		}
	}
	return nil
}

// A room with 20,000 bookings and 500 endless series is asked for one slot.
func BenchmarkRoom(b *testing.B) {
	onEach(b, func(b *testing.B, h *house) {
		h.persons("ann")
		room := h.add(db.Room, "room", inRoom)
		cal := h.calendar("room", "")
		h.write(func(tx *db.Tx) error { return fill(tx, room, cal, 20_000) })
		p := scheduling.Put{Actor: h.people["ann"], Collection: h.calendar("ann", ""), Door: "dav"}
		b.ResetTimer()
		for i := 0; b.Loop(); i++ {
			p.Name = fmt.Sprintf("m%d.ics", i)
			p.Body = []byte(invitation(fmt.Sprintf("m%d", i), "20270303T1000", "20270303T1100", "ann", "room"))
			if _, err := h.desk.Put(h.ctx, p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The answers of one attendee come to the copies of all others.
func BenchmarkRefresh(b *testing.B) {
	for _, n := range []int{10, 200} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			onEach(b, func(b *testing.B, h *house) {
				h.persons("ann")
				var whom []string
				for i := range n {
					whom = append(whom, fmt.Sprintf("p%d", i))
				}
				h.persons(whom...)
				h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", whom...))
				partstat := []string{"ACCEPTED", "DECLINED"}
				for i := 0; b.Loop(); i++ {
					b.StopTimer()
					h.put("p0", h.answered("p0", "m1", partstat[i%2]))
					b.StartTimer()
					if h.work() != 1 {
						b.Fatal("no job")
					}
				}
			})
		})
	}
}

// A group is invited: it is opened up, and each member here gets his copy. What
// is beyond the first members is done by jobs, which are counted too.
func BenchmarkInviteGroup(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			onEach(b, func(b *testing.B, h *house) {
				h.persons("ann")
				h.group(n, true)
				i := 0
				var later time.Duration
				for b.Loop() {
					i++
					h.put("ann", invitation(fmt.Sprintf("u%d", i), "20260303T1000", "20260303T1100", "ann", "team"))
					start := time.Now()
					h.work()
					later += time.Since(start)
				}
				b.ReportMetric(float64(b.Elapsed()-later)/float64(b.N)/1e6, "ms/put")
				b.ReportMetric(float64(later)/float64(b.N)/1e6, "ms/jobs")
			})
		})
	}
}

// Who is in a group, looked up and flattened.
func BenchmarkExpandGroup(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			onEach(b, func(b *testing.B, h *house) {
				team := h.group(n, false)
				for b.Loop() {
					h.view(func(tx *db.Tx) error {
						local, _, err := directory.Expand(tx, team)
						if len(local) != n {
							b.Fatalf("%d members", len(local))
						}
						return err
					})
				}
			})
		})
	}
}

// group makes a group of many people, with calendars or without.
func (h *house) group(n int, calendars bool) db.Principal {
	h.Helper()
	team := h.add(db.Group, "team")
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf("m%d@example.org", i)
	}
	for page := range slices.Chunk(members, 250) {
		h.write(func(tx *db.Tx) error {
			for _, a := range page {
				p := db.Principal{Address: a, Kind: db.Person, Name: "Member", MailCopies: "never", Password: "x"}
				add := tx.InsertPrincipal
				if calendars {
					add = func(p *db.Principal) error { return directory.Add(tx, p, nil) }
				}
				if err := add(&p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	h.write(func(tx *db.Tx) error { return tx.SetMembers(team.ID, members) })
	return team
}
