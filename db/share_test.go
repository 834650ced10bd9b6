package db_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// An invitation lives as long as the calendar and the sharee. What was in his
// home and is no longer there is remembered under the name that it had.
func TestShares(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, _ := person(t, s, "ann@example.org")
		bob, _, _ := person(t, s, "bob@example.org")
		cyn, _, _ := person(t, s, "cyn@example.org")
		set := func(sh db.Share) {
			t.Helper()
			sh.Collection = cal.ID
			write(t, s, func(tx *db.Tx) error { return tx.SetShare(sh) })
		}
		test := func(what string, want ...db.Share) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.Shares(cal.ID)
				if len(got) != len(want) {
					t.Fatalf("%s: %+v", what, got)
				}
				for i := range got {
					want[i].Collection = cal.ID
					if got[i] != want[i] {
						t.Errorf("%s: %+v, want %+v", what, got[i], want[i])
					}
					if by, err := tx.ShareByUID(got[i].UID); err != nil || by != got[i] {
						t.Errorf("%s: %+v, %v", what, by, err)
					}
				}
				return err
			})
		}
		mounts := func(who int64, want ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.Mounts(who)
				if len(got) != len(want) {
					t.Fatalf("%+v", got)
				}
				for i, m := range got {
					if m.Name != want[i] || m.Calendar.ID != cal.ID || m.Calendar.Name != cal.Name || m.Owner.ID != ann.ID || m.Owner.Address != ann.Address {
						t.Errorf("%+v", m)
					}
				}
				return err
			})
		}
		gone := func(who int64, want ...string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.GoneFrom(who, db.Calendar)
				if len(got) != len(want) {
					t.Fatalf("%+v", got)
				}
				for i := range got {
					if got[i].Name != want[i] || got[i].Collection != cal.ID || got[i].Modseq == 0 {
						t.Errorf("%+v", got[i])
					}
				}
				return err
			})
		}
		b := db.Share{Sharee: bob.ID, UID: "one", Summary: "Ours"}
		c := db.Share{Sharee: cyn.ID, Group: 7, UID: "two", Writes: true, Declined: true}
		set(b)
		set(c)
		test("asked", b, c)
		mounts(bob.ID)
		offers := func(who int64, want int) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.Offers(who, 10)
				if len(got) != want || want > 0 && (got[0].Share.Sharee != who || got[0].Owner.ID != ann.ID) {
					t.Errorf("%+v", got)
				}
				return err
			})
		}
		offers(bob.ID, 1)
		offers(cyn.ID, 0) // she has declined
		b.Name, b.Title, b.Writes = "shared-b", "Mine", true
		c.Name, c.Declined = "shared-c", false
		set(b)
		set(c)
		test("taken", b, c)
		mounts(bob.ID, "shared-b")
		offers(bob.ID, 0)
		view(t, s, func(tx *db.Tx) error {
			from, err := tx.MountsFrom(ann.ID)
			if len(from) != 2 || from[0].Share.Sharee != bob.ID {
				t.Errorf("%+v", from)
			}
			for _, uid := range []string{"none", "a\x00b"} {
				if _, err := tx.ShareByUID(uid); !errors.Is(err, db.ErrNotFound) {
					t.Errorf("%q: %v", uid, err)
				}
			}
			return err
		})

		write(t, s, func(tx *db.Tx) error { return tx.Unmount(cal.ID, bob.ID) })
		b.Name, b.Title = "", ""
		test("left", b, c)
		gone(bob.ID, "shared-b")
		mounts(bob.ID)
		b.Name = "shared-again"
		set(b)
		write(t, s, func(tx *db.Tx) error { return tx.DropShare(cal.ID, bob.ID) })
		test("dropped", c)
		gone(bob.ID, "shared-b", "shared-again")
		b.UID, b.Name = "three", ""
		set(b)
		gone(bob.ID, "shared-b", "shared-again")

		write(t, s, func(tx *db.Tx) error {
			if err := tx.BecomeGuest(bob.ID); err != nil {
				return err
			}
			return tx.MarkShared(cal.ID, true)
		})
		view(t, s, func(tx *db.Tx) error {
			p, err := tx.Principal(bob.ID)
			if err != nil || !p.Guest || p.Version <= bob.Version {
				t.Errorf("%+v, %v", p, err)
			}
			at, _, err := tx.CollectionAt(ann.ID, db.Calendar, cal.Name)
			if err != nil || !at.Shared {
				t.Errorf("%+v, %v", at, err)
			}
			to, _, _, err := tx.CollectionToWrite(ann.ID, db.Calendar, cal.Name)
			if err != nil || !to.Shared {
				t.Errorf("%+v, %v", to, err)
			}
			all, err := tx.Collections(ann.ID, db.Calendar)
			for _, other := range all {
				if other.Shared != (other.ID == cal.ID) {
					t.Errorf("%+v", other)
				}
			}
			return err
		})

		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(bob.ID) })
		test("without Bob", c)
		write(t, s, func(tx *db.Tx) error { return tx.DeleteCollection(cal.ID) })
		test("without the calendar")
		gone(cyn.ID, "shared-c")
	})
}

// A calendar of somebody else counts as one's busy time while one says so and has
// it; its record is that of the owner, free times and all.
func TestCounted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, _ := person(t, s, "ann@example.org")
		bob, mine, _ := person(t, s, "bob@example.org")
		one := put(t, s, cal.ID, "a", "uid-a", "a", slot(10, 20))
		put(t, s, cal.ID, "b", "uid-b", "b", db.Indexed{Slot: &db.Slot{Start: 30, Fin: 40}})
		put(t, s, cal.ID, "c", "uid-c", "c", db.Indexed{Series: &db.Series{First: 10, Last: 90}})
		put(t, s, mine.ID, "a", "uid-a", "a", slot(10, 20))
		set := func(sh db.Share) {
			t.Helper()
			sh.Collection, sh.Sharee, sh.UID = cal.ID, bob.ID, "one"
			write(t, s, func(tx *db.Tx) error { return tx.SetShare(sh) })
		}
		counted := func(want ...db.Counted) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.CountedBy([]int64{ann.ID, bob.ID})
				if !slices.Equal(got, want) {
					t.Errorf("%+v, want %+v", got, want)
				}
				return err
			})
		}
		set(db.Share{})
		counted()
		set(db.Share{Name: "shared-b"})
		counted()
		set(db.Share{Name: "shared-b", Busy: true})
		counted(db.Counted{Sharee: bob.ID, Collection: cal.ID, Owner: ann.ID})
		view(t, s, func(tx *db.Tx) error {
			for except, want := range map[string]int{"": 3, "uid-a": 2, "uid-x": 3} {
				got, err := tx.RecordIn([]int64{cal.ID}, 0, 100, except)
				if err != nil || len(got) != want {
					t.Errorf("%q: %+v, %v", except, got, err)
				}
			}
			got, err := tx.RecordIn([]int64{cal.ID, cal.ID}, 25, 28, "")
			if err != nil || len(got) != 1 || got[0].Series == nil || got[0].Owner != ann.ID {
				t.Errorf("%+v, %v", got, err)
			}
			has, err := tx.HasOf(bob.ID, []int64{one.ID, one.ID + 1, one.ID + 2})
			if err != nil || !slices.Equal(has, []int64{one.ID}) {
				t.Errorf("%v, %v", has, err)
			}
			return nil
		})
		write(t, s, func(tx *db.Tx) error { return tx.Unmount(cal.ID, bob.ID) })
		counted()
		set(db.Share{Name: "shared-again"})
		counted()
	})
}

// What was granted by name before there were invitations is shared.
func TestSharedBefore(t *testing.T) {
	schema, err := os.ReadFile("testdata/schema-20.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, upgrade, _ := strings.Cut(string(schema), "DEFAULT 0;\nUPDATE")
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			s := dbtest.Open(t, dbtest.DSN(t, kind), db.Options{})
			_, cal, other := person(t, s, "ann@example.org")
			bob, _, _ := person(t, s, "bob@example.org")
			write(t, s, func(tx *db.Tx) error {
				if err := tx.SetACEs(db.OnCollection, cal.ID, []db.ACE{{Grantee: bob.ID, Rights: 3}}); err != nil {
					return err
				}
				if err := tx.SetACEs(db.OnCollection, other.ID, []db.ACE{{Grantee: bob.ID, Rights: 3}}); err != nil {
					return err
				}
				return tx.Script("UPDATE" + upgrade)
			})
			view(t, s, func(tx *db.Tx) error {
				for _, c := range []db.Collection{cal, other} {
					now, err := tx.Collection(c.ID)
					if err != nil || now.Shared != (c.Kind == db.Calendar) {
						t.Errorf("%+v, %v", now, err)
					}
				}
				return nil
			})
		})
	}
}
