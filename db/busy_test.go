package db_test

import (
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

const testHour = int64(3600e6)

func TestInRange(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		_, cal, _ := person(t, s, "ann@example.org")
		_, other, _ := person(t, s, "bob@example.org")
		at := func(start, fin int64) db.Indexed { return slot(start*testHour, fin*testHour) }
		put(t, s, cal.ID, "hour", "1", "x", at(1000, 1001))
		put(t, s, cal.ID, "point", "2", "x", at(1000, 1000))
		put(t, s, cal.ID, "week", "3", "x", at(1000, 1000+7*24))
		put(t, s, cal.ID, "free", "4", "x", db.Indexed{Slot: &db.Slot{Start: 1000 * testHour, Fin: 1001 * testHour}})
		put(t, s, cal.ID, "float", "5", "x", db.Indexed{Slot: &db.Slot{Start: 1000 * testHour, Fin: 1001 * testHour, Type: 1, Floating: true}})
		put(t, s, cal.ID, "series", "6", "x", db.Indexed{Series: &db.Series{First: 2000 * testHour, Last: 3000 * testHour, CoveredUntil: 2500 * testHour, Runs: []byte{1}}})
		put(t, s, cal.ID, "endless", "7", "x", db.Indexed{Series: &db.Series{First: 9000 * testHour, Last: 1 << 62, Floating: true}})
		put(t, s, other.ID, "others", "8", "x", at(1000, 1001))
		write(t, s, func(tx *db.Tx) error { // two without a record
			m, err := tx.BumpCollections(cal.ID)
			if err != nil {
				return err
			}
			todo := db.Object{Collection: cal.ID, Name: "todo", UID: "9", Component: "VTODO", Modseq: m[cal.ID]}
			journal := db.Object{Collection: cal.ID, Name: "journal", UID: "10", Component: "VJOURNAL", Modseq: m[cal.ID]}
			if err := tx.PutObject(&todo, []byte("x"), db.Indexed{}, 0); err != nil {
				return err
			}
			return tx.PutObject(&journal, []byte("x"), db.Indexed{}, 0)
		})
		names := map[int64]string{}
		view(t, s, func(tx *db.Tx) error {
			os, err := tx.List(cal.ID, "", 100)
			for _, o := range os {
				names[o.ID] = o.Name
			}
			return err
		})
		test := func(component string, from, to int64, want ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				cs, err := tx.InRange(cal.ID, component, from, to)
				var got []string
				for _, c := range cs {
					got = append(got, names[c.ID])
				}
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("InRange(%s, %v, %v) = %q, want %q", component, from/testHour, to/testHour, got, want)
				}
				return err
			})
		}
		hours := func(component string, from, to int64, want ...string) {
			t.Helper()
			test(component, from*testHour, to*testHour, want...)
		}
		// RFC 4791 §9.9: [start, end) against [from, to); a point is in it from
		// its start on.
		hours("VEVENT", 1000, 1001, "float", "free", "hour", "point", "week")
		hours("VEVENT", 999, 1000, "float")
		hours("VEVENT", 1001, 1002, "float", "week")
		hours("VEVENT", 1000+7*24-1, 1000+7*24, "week")
		hours("VEVENT", 1000+7*24, 1000+7*24+1)
		hours("VEVENT", 985, 986)
		hours("VEVENT", 986, 987, "float")           // 14 hours before
		hours("VEVENT", 1015, 1016, "float", "week") // and after
		hours("VEVENT", 1016, 1017, "week")
		hours("VEVENT", 2000, 2001, "series")
		hours("VEVENT", 1900, 1901)
		hours("VEVENT", 2999, 3000, "series")
		hours("VEVENT", 3100, 3200)
		hours("VEVENT", 90000, 90001, "endless")
		hours("VTODO", 0, 1, "todo")
		hours("", 0, 1, "journal", "todo")
		test("VEVENT", math.MinInt64, math.MaxInt64, "endless", "float", "free", "hour", "point", "series", "week")
		view(t, s, func(tx *db.Tx) error {
			cs, err := tx.InRange(cal.ID, "VEVENT", 2000*testHour, 2001*testHour)
			if len(cs) != 1 || cs[0].Series == nil || names[cs[0].ID] != "series" || cs[0].Slot != nil ||
				cs[0].Series.First != 2000*testHour || cs[0].Series.CoveredUntil != 2500*testHour || string(cs[0].Series.Runs) != "\x01" {
				t.Errorf("InRange = %+v", cs)
			}
			return err
		})
	})
}

func TestBusyRows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, inbox := person(t, s, "ann@example.org")
		bob, bobs, _ := person(t, s, "bob@example.org")
		_, eves, _ := person(t, s, "eve@example.org")
		clear := db.Collection{Owner: ann.ID, Kind: db.Calendar, Name: "clear", Transparent: true}
		write(t, s, func(tx *db.Tx) error { return tx.InsertCollection(&clear) })
		a := put(t, s, cal.ID, "a", "ua", "x", slot(10, 20))
		put(t, s, cal.ID, "later", "ul", "x", slot(30, 40))
		put(t, s, cal.ID, "free", "uf", "x", db.Indexed{Slot: &db.Slot{Start: 10, Fin: 20}})
		put(t, s, clear.ID, "clear", "uc", "x", slot(10, 20))
		put(t, s, inbox.ID, "inbox", "ui", "x", slot(10, 20))
		b := put(t, s, bobs.ID, "b", "ub", "x", db.Indexed{Series: &db.Series{First: 0, Last: 1 << 62, CoveredUntil: 99, Runs: []byte("runs")}})
		put(t, s, eves.ID, "e", "ue", "x", slot(10, 20))
		except := ""
		test := func(owners []int64, from, to int64, want ...db.BusyRow) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.BusyRows(owners, from, to, except)
				if len(got) != len(want) {
					t.Errorf("BusyRows(%v) = %+v", owners, got)
					return err
				}
				for i, g := range got {
					w := want[i]
					if g.Owner != w.Owner || g.Collection != w.Collection || g.Object != w.Object ||
						(g.Slot == nil) != (w.Slot == nil) || g.Slot != nil && *g.Slot != *w.Slot ||
						(g.Series == nil) != (w.Series == nil) || g.Series != nil && string(g.Series.Runs) != string(w.Series.Runs) {
						t.Errorf("BusyRows(%v)[%d] = %+v, want %+v", owners, i, g, w)
					}
				}
				return err
			})
		}
		rowA := db.BusyRow{Owner: ann.ID, Collection: cal.ID, Object: a.ID, Slot: &db.Slot{Start: 10, Fin: 20, Type: 1}}
		rowB := db.BusyRow{Owner: bob.ID, Collection: bobs.ID, Object: b.ID, Series: &db.Series{Runs: []byte("runs")}}
		test([]int64{ann.ID, bob.ID, ann.ID, 99999}, 10, 20, rowA, rowB)
		test([]int64{ann.ID}, 20, 30)
		test([]int64{ann.ID}, 0, 10)
		test([]int64{bob.ID}, 1<<50, 1<<51, rowB)
		test(nil, 0, 100)
		except = "ua"
		test([]int64{ann.ID, bob.ID}, 10, 20, rowB)
		except = "nobody's"
		test([]int64{ann.ID, bob.ID}, 10, 20, rowA, rowB)
	})
}

// Of slots those come that overlap a time of the rhythm, wherever in its period
// they begin.
func TestBusyRowsAt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, _ := person(t, s, "ann@example.org")
		const day = 24 * testHour
		put(t, s, cal.ID, "series", "s", "x", db.Indexed{Series: &db.Series{First: 1, Last: 1 << 62}})
		starts := map[int64]int64{}
		for i, hours := range []int64{-50, 0, 8, 9, 10, 11, 12, 23, 24*400 + 10} {
			name := strconv.Itoa(i)
			put(t, s, cal.ID, name, name, "x", slot(hours*testHour, (hours+2)*testHour))
			starts[hours*testHour] = hours
		}
		test := func(at db.Rhythm, want ...int64) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				rows, err := tx.BusyRowsAt([]int64{ann.ID}, -100*day, 1000*day, "", at)
				var got []int64
				for _, r := range rows {
					if r.Slot != nil {
						got = append(got, starts[r.Slot.Start])
					}
				}
				slices.Sort(got)
				if !slices.Equal(got, want) || len(rows) != len(want)+1 {
					t.Errorf("%+v: slots at %d of %d rows, want %d", at, got, len(rows), want)
				}
				return err
			})
		}
		test(db.Rhythm{}, -50, 0, 8, 9, 10, 11, 12, 23, 9610)
		from10to11 := db.Phase{Start: 10 * testHour, Length: testHour}
		test(db.Rhythm{Every: day, Parts: []db.Phase{from10to11}}, 9, 10, 9610)
		test(db.Rhythm{Every: day, Parts: []db.Phase{{Start: 5000*day + 10*testHour, Length: testHour}}}, 9, 10, 9610)
		// Over midnight, from either side; -50 is ten at night.
		test(db.Rhythm{Every: day, Parts: []db.Phase{{Start: 0, Length: testHour}}}, 0, 23)
		test(db.Rhythm{Every: day, Parts: []db.Phase{{Start: 23 * testHour, Length: 2 * testHour}}}, -50, 0, 23)
		three := []db.Phase{from10to11, {Start: 0, Length: 1}, {Start: 14 * testHour, Length: testHour}}
		test(db.Rhythm{Every: day, Parts: three}, 0, 9, 10, 23, 9610)
		test(db.Rhythm{Every: 7 * day, Parts: []db.Phase{from10to11}}, 9, 10) // 9610 is on another day of the week
	})
}
