package db_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

func TestFeeds(t *testing.T) {
	now := time.UnixMicro(1_800_000_000_000_000).UTC()
	dbtest.EachWith(t, db.Options{Clock: func() time.Time { return now }}, func(t *testing.T, s *db.Store) {
		ann, _, _ := person(t, s, "ann@example.org")
		bob, _, _ := person(t, s, "bob@example.org")
		book := db.Collection{Owner: ann.ID, Kind: db.AddressBook, Name: "contacts"}
		write(t, s, func(tx *db.Tx) error { return tx.InsertCollection(&book) })
		card := db.Object{Collection: book.ID, Name: "c", UID: "c", Component: "VCARD"}
		write(t, s, func(tx *db.Tx) error {
			m, err := tx.BumpCollections(book.ID)
			if err != nil {
				return err
			}
			card.Modseq = m[book.ID]
			return tx.PutObject(&card, []byte("x"), db.Indexed{}, 0)
		})
		set := func(viewer, object int64, name string, urls ...string) {
			t.Helper()
			var ps []db.Published
			for _, u := range urls {
				ps = append(ps, db.Published{Name: name, URL: u})
			}
			write(t, s, func(tx *db.Tx) error { return tx.SetPublished(viewer, object, name, ps) })
		}
		has := func(viewer int64, want string) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				all, err := tx.PublishedFor(viewer, "x@a", "y@a", "\x00")
				var got []string
				for _, p := range all {
					got = append(got, p.Name+" "+p.URL+" "+string(p.Feed.Data))
				}
				if fmt.Sprint(got) != want {
					t.Errorf("%v, want %s", got, want)
				}
				return err
			})
		}
		set(ann.ID, card.ID, "x@a", "http://a/1")
		set(0, 0, "x@a", "http://site/x")
		set(0, 0, "y@a", "http://a/1")
		has(ann.ID, "[x@a http://a/1  x@a http://site/x  y@a http://a/1 ]")
		has(bob.ID, "[x@a http://site/x  y@a http://a/1 ]")

		claim := func(want int) (fs []db.Feed) {
			t.Helper()
			write(t, s, func(tx *db.Tx) (err error) {
				fs, err = tx.ClaimFeeds(10, time.Minute)
				return err
			})
			if len(fs) != want {
				t.Errorf("%d feeds are due, want %d", len(fs), want)
			}
			return fs
		}
		for _, f := range claim(2) {
			f.Due, f.Fetched, f.ETag, f.Data, f.Answer = time.Time{}, now, "tag", []byte("data"), "\x00"
			write(t, s, func(tx *db.Tx) error { return tx.PutFeed(f) })
		}
		has(bob.ID, "[x@a http://site/x data y@a http://a/1 data]")
		claim(0)
		view(t, s, func(tx *db.Tx) error {
			due, err := tx.DueFeed()
			if due {
				t.Error("one is due")
			}
			return err
		})
		write(t, s, func(tx *db.Tx) error { return tx.WantFeeds([]string{"http://a/1", "http://nowhere"}) })
		view(t, s, func(tx *db.Tx) error {
			due, err := tx.DueFeed()
			if !due {
				t.Error("none is due")
			}
			return err
		})
		if f := claim(1)[0]; f.URL != "http://a/1" || f.ETag != "tag" || !f.Fetched.Equal(now) {
			t.Errorf("%+v", f)
		}
		claim(0) // the lease
		view(t, s, func(tx *db.Tx) error {
			ps, err := tx.PublishedBySite("", 10)
			if len(ps) != 2 || ps[0].Name != "x@a" || ps[1].Feed.ETag != "tag" {
				t.Errorf("%+v", ps)
			}
			return err
		})
		// A card that says it no longer, and one that is gone.
		set(ann.ID, card.ID, "")
		has(ann.ID, "[x@a http://site/x data y@a http://a/1 data]")
		set(ann.ID, card.ID, "x@a", "http://a/2")
		write(t, s, func(tx *db.Tx) error {
			m, err := tx.BumpCollections(book.ID)
			if err != nil {
				return err
			}
			return tx.DeleteObject(card.ID, m[book.ID], card.Modseq)
		})
		has(ann.ID, "[x@a http://site/x data y@a http://a/1 data]")
		set(0, 0, "x@a")
		has(ann.ID, "[y@a http://a/1 data]")
		if err := s.Sweep(ctx, db.Keep{}); err != nil {
			t.Fatal(err)
		}
		if n := scalar(t, s, `SELECT count(*) FROM published`); n != 1 {
			t.Errorf("%d rows stay", n)
		}
		if n := scalar(t, s, `SELECT count(*) FROM feed`); n != 1 {
			t.Errorf("%d feeds stay", n)
		}
	})
}
