package db_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

func TestDavLocks(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, _, _ := person(t, s, "ann@example.org")
		bob, _, _ := person(t, s, "bob@example.org")
		at := time.UnixMicro(1_000_000_000).UTC()
		l := db.DavLock{Token: "urn:uuid:1", Owner: ann.ID, Home: db.Calendar, Path: "calendar/ä.ics", Holder: bob.ID, Shared: true, Deep: true,
			About: "<owner/>", Timeout: time.Minute, Expires: at.Add(time.Minute)}
		other := l
		other.Token, other.Path, other.Expires = "urn:uuid:2", "calendar", at.Add(time.Hour)
		write(t, s, func(tx *db.Tx) error { return errors.Join(tx.InsertDavLock(l, at), tx.InsertDavLock(other, at)) })
		locks := func(now time.Time, want ...db.DavLock) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				got, err := tx.DavLocks(ann.ID, db.Plain, now) // plain collections lie in the calendar home
				if !slices.Equal(got, want) {
					t.Errorf("DavLocks = %+v, want %+v", got, want)
				}
				books, err2 := tx.DavLocks(ann.ID, db.AddressBook, now)
				if len(books) != 0 {
					t.Errorf("locks of books: %+v", books)
				}
				return errors.Join(err, err2)
			})
		}
		locks(at, other, l)
		locks(at.Add(2*time.Minute), other)
		write(t, s, func(tx *db.Tx) error { return tx.RefreshDavLock(l.Token, 2*time.Hour, at.Add(2*time.Hour)) })
		l.Timeout, l.Expires = 2*time.Hour, at.Add(2*time.Hour)
		locks(at.Add(90*time.Minute), l)
		write(t, s, func(tx *db.Tx) error { // one that has run out goes when another comes
			more := l
			more.Token = "urn:uuid:3"
			return tx.InsertDavLock(more, at.Add(90*time.Minute))
		})
		if n := scalar(t, s, `SELECT count(*) FROM davlock`); n != 2 {
			t.Errorf("%d locks", n)
		}
		write(t, s, func(tx *db.Tx) error { return tx.DeleteDavLocks("urn:uuid:3", "none", "\x00") })
		locks(at, l)
		err := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.RefreshDavLock("none", 0, at) })
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("refresh of a lock that is gone: %v", err)
		}
		view(t, s, func(tx *db.Tx) error {
			a, err := tx.HasDavLocks(ann.ID)
			b, err2 := tx.HasDavLocks(bob.ID)
			if !a || b {
				t.Errorf("HasDavLocks = %v, %v", a, b)
			}
			return errors.Join(err, err2)
		})
		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(bob.ID) }) // his locks go with him
		locks(at)
	})
}

func TestACEs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, inbox := person(t, s, "ann@example.org")
		bob, _, _ := person(t, s, "bob@example.org")
		set := []db.ACE{{Grantee: bob.ID, Rights: 5}, {Grantee: db.Authenticated, Rights: 1 << 40, Deny: true}}
		write(t, s, func(tx *db.Tx) error {
			return errors.Join(tx.SetACEs(db.OnCollection, cal.ID, []db.ACE{{Grantee: bob.ID, Rights: 1}}), tx.SetACEs(db.OnCollection, cal.ID, set),
				tx.SetACEs(db.OnCalendarHome, bob.ID, []db.ACE{{Grantee: ann.ID, Rights: 2}}))
		})
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.ACEs(db.OnCollection, cal.ID)
			if !slices.Equal(got, set) {
				t.Errorf("ACEs = %+v", got)
			}
			all, err2 := tx.ACEsOf(db.OnCollection, []int64{cal.ID, inbox.ID})
			if len(all) != 1 || !slices.Equal(all[cal.ID], set) {
				t.Errorf("ACEsOf = %+v", all)
			}
			to, err3 := tx.GrantedTo([]int64{bob.ID, ann.ID})
			if !slices.Equal(to, []int64{ann.ID, bob.ID}) {
				t.Errorf("GrantedTo = %v", to)
			}
			return errors.Join(err, err2, err3)
		})
		write(t, s, func(tx *db.Tx) error { return tx.DeleteCollection(cal.ID) })
		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(bob.ID) })
		if n := scalar(t, s, `SELECT count(*) FROM ace`); n != 0 {
			t.Errorf("%d entries are left", n)
		}
	})
}

func TestProxies(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, _, _ := person(t, s, "ann@example.org")
		bob, _, _ := person(t, s, "bob@example.org")
		write(t, s, func(tx *db.Tx) error {
			return errors.Join(tx.SetProxies(ann.ID, true, []int64{bob.ID}), tx.SetProxies(ann.ID, false, []int64{bob.ID}), tx.SetProxies(ann.ID, false, nil))
		})
		view(t, s, func(tx *db.Tx) error {
			want := []db.Proxy{{Principal: ann.ID, Proxy: bob.ID, Writes: true}}
			of, err := tx.Proxies(ann.ID)
			who, err2 := tx.ProxiesFor([]int64{bob.ID, ann.ID})
			if !slices.Equal(of, want) || !slices.Equal(who, want) {
				t.Errorf("Proxies = %+v, ProxiesFor = %+v", of, who)
			}
			return errors.Join(err, err2)
		})
		if err := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.SetProxies(ann.ID, true, []int64{ann.ID}) }); err == nil {
			t.Error("somebody is his own proxy")
		}
	})
}

func TestPersonalProperties(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		_, cal, _ := person(t, s, "ann@example.org")
		bob, _, _ := person(t, s, "bob@example.org")
		write(t, s, func(tx *db.Tx) error {
			return errors.Join(tx.SetPersonalProperties(bob.ID, cal.ID, []db.Property{{Name: "{a}b", XML: "<b/>"}, {Name: "{a}c", XML: "<c/>"}}, nil),
				tx.SetPersonalProperties(bob.ID, cal.ID, []db.Property{{Name: "{a}b", XML: "<b>2</b>"}}, []string{"{a}c", "\x00"}))
		})
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.PersonalProperties(bob.ID, cal.ID)
			if len(got) != 1 || got[0] != (db.Property{Name: "{a}b", XML: "<b>2</b>"}) {
				t.Errorf("%+v", got)
			}
			return err
		})
		write(t, s, func(tx *db.Tx) error { return tx.DeleteCollection(cal.ID) })
		if n := scalar(t, s, `SELECT count(*) FROM personal`); n != 0 {
			t.Errorf("%d properties are left", n)
		}
	})
}

// A collection that was renamed or deleted is remembered under its old names.
func TestGone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, _ := person(t, s, "ann@example.org")
		in := db.Collection{Owner: ann.ID, Kind: db.Plain, Name: "a/b"}
		near := db.Collection{Owner: ann.ID, Kind: db.Plain, Name: "a0"}
		write(t, s, func(tx *db.Tx) error {
			return errors.Join(tx.InsertCollection(&db.Collection{Owner: ann.ID, Kind: db.Plain, Name: "a"}), tx.InsertCollection(&in), tx.InsertCollection(&near))
		})
		view(t, s, func(tx *db.Tx) error {
			cs, err := tx.CollectionsBelow(ann.ID, db.Plain, "a")
			if len(cs) != 1 || cs[0].ID != in.ID {
				t.Errorf("CollectionsBelow = %+v", cs)
			}
			return err
		})
		before := cal.Modseq
		write(t, s, func(tx *db.Tx) error { return tx.RenameCollection(&cal, "work") })
		if cal.Name != "work" || cal.Modseq <= before {
			t.Errorf("renamed: %+v", cal)
		}
		if err := s.Write(ctx, nil, func(tx *db.Tx) error { return tx.RenameCollection(&in, "work") }); !errors.Is(err, db.ErrExists) {
			t.Errorf("a taken name: %v", err)
		}
		write(t, s, func(tx *db.Tx) error { return tx.DeleteCollection(cal.ID) })
		view(t, s, func(tx *db.Tx) error {
			got, err := tx.GoneFrom(ann.ID, db.Calendar)
			slices.SortFunc(got, func(a, b db.Gone) int { return len(a.Name) - len(b.Name) })
			if len(got) != 2 || got[0].Name != "work" || got[1].Name != "calendar" || got[0].Collection != cal.ID || got[1].Modseq != before || got[0].Modseq <= before {
				t.Errorf("GoneFrom = %+v", got)
			}
			return err
		})
	})
}
