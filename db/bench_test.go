package db_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

func benchEach(b *testing.B, f func(b *testing.B, s *db.Store)) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			f(b, dbtest.Open(b, dbtest.Durable(b, kind), db.Options{}))
		})
	}
}

var benchBody = []byte(strings.Repeat("DESCRIPTION:something\r\n", 40))

// parallel runs f from n goroutines.
func parallel(b *testing.B, n int, f func(i int) error) {
	b.SetParallelism((n + 1) / 2) // of two processors
	next := make(chan int, 1024)
	go func() {
		for i := range b.N {
			next <- i
		}
		close(next)
	}()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := f(<-next); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "/s")
}

// What a durable insert of one row costs: the measure for the next one.
func BenchmarkDurableInsert(b *testing.B) {
	benchEach(b, func(b *testing.B, s *db.Store) {
		for _, n := range []int{1, 4, 8, 32} {
			b.Run(fmt.Sprint(n), func(b *testing.B) {
				parallel(b, n, func(int) error {
					return s.Write(ctx, nil, func(tx *db.Tx) error {
						return tx.Run(`INSERT INTO decision (at, direction, door, uid, message_id, method, principal, sender, rcpt, belief, rule, outcome, detail)
							VALUES (1, 'user', 'dav', 'u', '', '', 1, '', '', '', '', '', $1)`, string(benchBody[:600]))
					})
				})
			})
		}
	})
}

// The statements of a PUT that creates an object.
func BenchmarkPut(b *testing.B) {
	benchEach(b, func(b *testing.B, s *db.Store) {
		var cals []int64
		for i := range 8 {
			_, cal, _ := person(b, s, fmt.Sprintf("p%d@example.org", i))
			cals = append(cals, cal.ID)
		}
		round := 0
		for _, n := range []int{1, 4, 8, 32} {
			b.Run(fmt.Sprint(n), func(b *testing.B) {
				round++
				round := round*1000 + b.N%1000
				began := time.Now().UnixNano()
				parallel(b, n, func(i int) error {
					uid := fmt.Sprintf("%d-%d-%d", round, began, i)
					cal := cals[i%len(cals)]
					body := append(append([]byte{}, benchBody...), uid...)
					return s.Write(ctx, []string{"t:" + uid}, func(tx *db.Tx) error {
						if err := tx.LockThreads(uid); err != nil {
							return err
						}
						if _, err := tx.ObjectsByUID(uid, cal); err != nil {
							return err
						}
						m, err := tx.BumpCollections(cal)
						if err != nil {
							return err
						}
						o := db.Object{Collection: cal, Name: uid, UID: uid, Component: "VEVENT", Modseq: m[cal]}
						if err := tx.PutObject(&o, body, slot(int64(i)*1e9, int64(i)*1e9+1e9), 0); err != nil {
							return err
						}
						return tx.InsertDecision(&db.Decision{UID: uid, Direction: "user"})
					})
				})
			})
		}
	})
}

// calendar fills a calendar with n events, one an hour.
func calendarOf(b *testing.B, s *db.Store, address string, n int) (p db.Principal, cal db.Collection) {
	b.Helper()
	p, cal, _ = person(b, s, address)
	for at := 0; at < n; {
		write(b, s, func(tx *db.Tx) error {
			m, err := tx.BumpCollections(cal.ID)
			if err != nil {
				return err
			}
			for i := at; i < min(at+1000, n); i++ {
				uid := fmt.Sprintf("%s-%06d", address, i)
				o := db.Object{Collection: cal.ID, Name: uid + ".ics", UID: uid, Component: "VEVENT", Modseq: m[cal.ID]}
				rec := slot(int64(i)*testHour, int64(i+1)*testHour)
				if i%20 == 0 {
					rec = db.Indexed{Series: &db.Series{First: int64(i) * testHour, Last: 1 << 62, Runs: bytes.Repeat([]byte{1}, 40)}}
				}
				if err := tx.PutObject(&o, append(append([]byte{}, benchBody...), uid...), rec, 0); err != nil {
					return err
				}
			}
			return nil
		})
		at += 1000
	}
	if s.Dialect() == "postgres" {
		write(b, s, func(tx *db.Tx) error { return tx.Run(`ANALYZE`) })
	}
	return p, cal
}

func BenchmarkRead(b *testing.B) {
	benchEach(b, func(b *testing.B, s *db.Store) {
		const n = 10000
		p, cal := calendarOf(b, s, "ann@example.org", n)
		run := func(name string, f func(tx *db.Tx) error) {
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					if err := s.View(ctx, f); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("ObjectAt", func(tx *db.Tx) error {
			_, _, _, err := tx.ObjectAt(p.ID, db.Calendar, "calendar", "ann@example.org-005001.ics")
			return err
		})
		b.Run("ObjectAt/4clients", func(b *testing.B) {
			parallel(b, 4, func(i int) error {
				return s.View(ctx, func(tx *db.Tx) error {
					_, _, _, err := tx.ObjectAt(p.ID, db.Calendar, "calendar", fmt.Sprintf("ann@example.org-%06d.ics", i%n))
					return err
				})
			})
		})
		run("List10000", func(tx *db.Tx) error {
			os, err := tx.List(cal.ID, "", n)
			if len(os) != n {
				b.Fatal(len(os))
			}
			return err
		})
		run("Names10000", func(tx *db.Tx) error {
			os, err := tx.Names(cal.ID, "", n)
			if len(os) != n {
				b.Fatal(len(os))
			}
			return err
		})
		run("Changes0", func(tx *db.Tx) error { _, err := tx.Changes(cal.ID, 1<<40, 0, 1000); return err })
		run("InRangeWeek", func(tx *db.Tx) error {
			cs, err := tx.InRange(cal.ID, "VEVENT", 100*testHour, 268*testHour)
			if len(cs) < 160 {
				b.Fatal(len(cs))
			}
			return err
		})
		var names []string
		for i := range 128 {
			names = append(names, fmt.Sprintf("ann@example.org-%06d.ics", i*70))
		}
		run("ByNames128", func(tx *db.Tx) error {
			os, err := tx.ByNames(cal.ID, names)
			if len(os) != 128 {
				b.Fatal(len(os))
			}
			return err
		})
	})
}

func BenchmarkBusyRows50x1000(b *testing.B) {
	benchEach(b, func(b *testing.B, s *db.Store) {
		var owners []int64
		for i := range 50 {
			p, _ := calendarOf(b, s, fmt.Sprintf("p%d@example.org", i), 1000)
			owners = append(owners, p.ID)
		}
		for b.Loop() {
			err := s.View(ctx, func(tx *db.Tx) error {
				rows, err := tx.BusyRows(owners, 100*testHour, 124*testHour, "")
				if len(rows) < 50*24 {
					b.Fatal(len(rows))
				}
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A PUT with its copies for n local attendees, who all get one body.
func BenchmarkPutCopies(b *testing.B) {
	benchEach(b, func(b *testing.B, s *db.Store) {
		var cals []int64
		for i := range 200 {
			_, cal, inbox := person(b, s, fmt.Sprintf("p%d@example.org", i))
			cals = append(cals, cal.ID, inbox.ID)
		}
		for _, n := range []int{50, 200} {
			b.Run(fmt.Sprint(n), func(b *testing.B) {
				round := time.Now().UnixNano()
				for b.Loop() {
					round++
					uid := fmt.Sprint(round)
					write(b, s, func(tx *db.Tx) error {
						if err := tx.LockThreads(uid); err != nil {
							return err
						}
						m, err := tx.BumpCollections(cals[:2*n]...)
						if err != nil {
							return err
						}
						os := make([]*db.Object, 2*n)
						recs := make([]db.Indexed, 2*n)
						for i := range os {
							os[i] = &db.Object{Collection: cals[i], Name: uid, UID: uid, Component: "VEVENT", Modseq: m[cals[i]]}
							if i%2 == 0 {
								recs[i] = slot(round, round+1)
							}
						}
						return tx.PutObjects(os, benchBody, recs, make([]int64, 2*n))
					})
				}
			})
		}
	})
}

func BenchmarkClaim64(b *testing.B) {
	benchEach(b, func(b *testing.B, s *db.Store) {
		n := 0
		for b.Loop() {
			b.StopTimer()
			write(b, s, func(tx *db.Tx) error {
				for range 64 {
					n++
					if err := tx.InsertDelivery(&db.Delivery{UID: fmt.Sprint(n), Rcpt: "r", Method: "REQUEST", Body: benchBody}); err != nil {
						return err
					}
				}
				return nil
			})
			b.StartTimer()
			ds := claim(b, s, 64, time.Minute)
			if len(ds) != 64 {
				b.Fatal(len(ds))
			}
			write(b, s, func(tx *db.Tx) error {
				for _, d := range ds {
					if _, err := tx.FinishDelivery(d.ID, d.Token); err != nil {
						return err
					}
				}
				return nil
			})
		}
	})
}
