package db_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

func TestNamesByUID(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		_, calendar, inbox := person(t, s, "ann@example.org")
		put(t, s, calendar.ID, "a.ics", "1", "a", db.Indexed{})
		put(t, s, calendar.ID, "b.ics", "2", "b", db.Indexed{})
		gone := put(t, s, calendar.ID, "c.ics", "3", "c", db.Indexed{})
		put(t, s, inbox.ID, "x.ics", "1", "x", db.Indexed{})
		put(t, s, inbox.ID, "w.ics", "1", "w", db.Indexed{})
		write(t, s, func(tx *db.Tx) error { return tx.DeleteObject(gone.ID, gone.Modseq+1, gone.Modseq) })
		test := func(collection int64, uid string, want ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.NamesByUID(collection, uid)
				if !slices.Equal(got, want) {
					t.Errorf("%q: %q, want %q", uid, got, want)
				}
				return err
			})
		}
		test(calendar.ID, "1", "a.ics")
		test(calendar.ID, "2", "b.ics")
		test(calendar.ID, "3")
		test(calendar.ID, "4")
		test(calendar.ID, strings.Repeat("x", 5000))
		test(inbox.ID, "1", "w.ics", "x.ics")
	})
}

func TestSearchUID(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		_, calendar, inbox := person(t, s, "ann@example.org")
		put(t, s, calendar.ID, "a.ics", "Meeting-1%", "a", db.Indexed{})
		put(t, s, calendar.ID, "b.ics", "meeting-12", "b", db.Indexed{})
		put(t, s, calendar.ID, "c.ics", "ÄRGER_1", "c", db.Indexed{})
		put(t, s, inbox.ID, "x.ics", "meeting-1", "x", db.Indexed{})
		gone := put(t, s, calendar.ID, "d.ics", "meeting-1", "d", db.Indexed{})
		write(t, s, func(tx *db.Tx) error { return tx.DeleteObject(gone.ID, gone.Modseq+1, gone.Modseq) })
		test := func(text string, want ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				ids, err := tx.SearchUID(calendar.ID, text)
				if err != nil {
					return err
				}
				os, err := tx.Heads(ids)
				var got []string
				for _, o := range os {
					got = append(got, o.Name)
					if o.Body != nil || o.UID == "" {
						t.Errorf("head %+v", o)
					}
				}
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("%q: %q, want %q", text, got, want)
				}
				return err
			})
		}
		test("MEETING-1", "a.ics", "b.ics")
		test("meeting-12", "b.ics")
		test("1%", "a.ics")
		test("_1", "c.ics")
		test("e_t")
		test("rger", "c.ics")
		test("ärger") // only letters of ASCII have two cases
		test("!")
		test("", "a.ics", "b.ics", "c.ics")
	})
}

func TestSmallByIDs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		_, calendar, _ := person(t, s, "ann@example.org")
		a := put(t, s, calendar.ID, "a.ics", "1", "short", db.Indexed{})
		b := put(t, s, calendar.ID, "b.ics", "2", "rather long", db.Indexed{})
		view(t, s, func(tx *db.Tx) error {
			os, err := tx.SmallByIDs([]int64{b.ID, a.ID, a.ID, 1 << 40}, 5)
			bodies := map[string]string{}
			for _, o := range os {
				bodies[o.Name] = string(o.Body)
				if o.Size == 0 {
					t.Errorf("%+v", o)
				}
			}
			if len(os) != 2 || bodies["a.ics"] != "short" || bodies["b.ics"] != "" {
				t.Errorf("%q", bodies)
			}
			return err
		})
	})
}

// SmallByNames finds what ByNames does, and leaves out the same bodies.
func TestSmallByNames(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		_, cal, _ := person(t, s, "ann@example.org")
		put(t, s, cal.ID, "a.ics", "a", "small", db.Indexed{})
		put(t, s, cal.ID, "b.ics", "b", "larger", db.Indexed{})
		view(t, s, func(tx *db.Tx) error {
			os, err := tx.SmallByNames(cal.ID, []string{"b.ics", "none", "no\x00ne", "a.ics", "a.ics"}, 5)
			got := map[string]string{}
			for _, o := range os {
				got[o.Name] = string(o.Body)
				if o.ETag == "" || o.Size == 0 {
					t.Errorf("%+v", o)
				}
			}
			if len(os) != 2 || got["a.ics"] != "small" || got["b.ics"] != "" {
				t.Errorf("SmallByNames = %v", got)
			}
			return err
		})
	})
}
