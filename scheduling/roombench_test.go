package scheduling_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// booked fills a room with bookings of an hour, one every two hours from now on,
// and endless weekly series beside them.
func (h *house) booked(room string, bookings, endless int) {
	collection := h.calendar(room, "")
	store := func(tx *db.Tx, modseq int64, n int, at time.Time, length time.Duration, rule string) error {
		uid := fmt.Sprintf("%s-%d", room, n)
		body := event(uid, at.Format("20060102T1504"), at.Add(length).Format("20060102T1504"))
		body = strings.Replace(body, "SUMMARY", rule+"SUMMARY", 1)
		o, err := ics.Parse([]byte(body), ics.Limits{})
		if err != nil {
			return err
		}
		rec, err := scheduling.Record(o, nil, time.UTC, ics.Bound{})
		if err != nil {
			return err
		}
		row := db.Object{Collection: collection, Name: uid, UID: uid, Component: "VEVENT", Modseq: modseq}
		return tx.PutObject(&row, []byte(body), rec, 0)
	}
	const most = 1000 // in one transaction
	for first := 0; first < bookings+endless; first += most {
		h.write(func(tx *db.Tx) error {
			mod, err := tx.BumpCollections(collection)
			for n := first; n < min(first+most, bookings+endless) && err == nil; n++ {
				if n < bookings {
					err = store(tx, mod[collection], n, today.Add(time.Duration(n)*2*time.Hour), time.Hour, "")
				} else { // in the half hours that are left, some a second time
					at := today.Add(time.Duration((n-bookings)%84)*2*time.Hour + time.Hour)
					err = store(tx, mod[collection], n, at, 30*time.Minute, "RRULE:FREQ=WEEKLY\r\n")
				}
			}
			return err
		})
	}
}

// A room with many bookings answers: asked by a program, for one free hour far ahead and for a
// series without an end; by mail for one hour. The size is how many bookings it
// has, a fortieth of that as endless series beside them.
func BenchmarkFullRoom(b *testing.B) {
	for _, size := range []int{1_000, 5_000, 20_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			onEach(b, func(b *testing.B, h *house) {
				h.persons("ann")
				h.add(db.Room, "blue", func(p *db.Principal) {
					p.Policy = "same_domain_only\nworking_hours MO-SU 00:00-24:00\nlongest PT8H\nschedule_in_freebusy"
				})
				h.add(db.Room, "open", func(p *db.Principal) {})
				for _, room := range []string{"blue", "open"} {
					h.booked(room, size, size/40)
				}
				run := func(name string, f func(b *testing.B)) {
					b.Run(name, func(b *testing.B) {
						before := processorTime(b)
						f(b)
						b.ReportMetric(float64(processorTime(b)-before)/1e6/float64(b.N), "cpu-ms/op")
					})
				}
				ask := func(b *testing.B, room string, body func(i int) string, want string) {
					p := scheduling.Put{Actor: h.people["ann"], Collection: h.calendar("ann", ""), Door: "dav"}
					i := 0
					for b.Loop() {
						i++
						p.Name = fmt.Sprintf("%s%d.ics", b.Name(), i)
						p.Name = strings.ReplaceAll(p.Name, "/", "-")
						p.Body = []byte(strings.ReplaceAll(body(i), "UID:u", "UID:"+p.Name))
						if _, err := h.desk.Put(h.ctx, p); err != nil {
							b.Fatal(err)
						}
					}
					b.StopTimer()
					row := h.has("ann", p.Name)
					if !strings.Contains(string(row.Body), "PARTSTAT="+want) {
						b.Fatalf("not %s:\n%s", want, row.Body)
					}
				}
				hour := func(i int) (string, string) { // beyond all single bookings
					at := today.AddDate(6, 0, 0).Add(time.Duration(i) * time.Hour)
					return at.Format("20060102T1504"), at.Add(25 * time.Minute).Format("20060102T1504")
				}
				run("free-slot", func(b *testing.B) {
					ask(b, "open", func(i int) string { from, to := hour(i); return invitation("u", from, to, "ann", "open") }, "ACCEPTED")
				})
				run("taken-slot", func(b *testing.B) {
					ask(b, "open", func(i int) string { return invitation("u", "20260303T1000", "20260303T1100", "ann", "open") }, "DECLINED")
				})
				run("endless", func(b *testing.B) {
					ask(b, "open", func(i int) string {
						return strings.Replace(invitation("u", "20260303T1130", "20260303T1145", "ann", "open"), "SUMMARY", "RRULE:FREQ=WEEKLY\r\nSUMMARY", 1)
					}, "")
				})
				run("by-rules", func(b *testing.B) {
					ask(b, "blue", func(i int) string { from, to := hour(i); return invitation("u", from, to, "ann", "blue") }, "ACCEPTED")
				})
				run("by-mail", func(b *testing.B) {
					i := 0
					for b.Loop() {
						i++
						from, to := hour(i + 20_000)
						body := method(strings.NewReplacer("ann@example.org", "out@example.net").Replace(invitation(fmt.Sprintf("%s-%d", b.Name(), i), from, to, "ann", "open")), "REQUEST")
						if v := h.deliver("open", body, "out@example.net"); !v.Applied {
							b.Fatal(v)
						}
					}
				})
			})
		})
	}
}

// processorTime is what this process has used so far: unlike the time that goes
// by, it says the same on a busy machine.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
