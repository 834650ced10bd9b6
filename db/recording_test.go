package db_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// A recording takes what comes while it goes on, up to its bound, and no more.
func TestRecording(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, _, _ := person(t, s, "ann@example.org")
		ben, _, _ := person(t, s, "ben@example.org")
		add := func(id int64, data string, want bool) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error {
				ok, err := tx.AddRecorded(id, []byte(data))
				if err == nil && ok != want {
					t.Errorf("%d octets are added: %v", len(data), ok)
				}
				return err
			})
		}
		var now time.Time
		view(t, s, func(tx *db.Tx) (err error) {
			now, err = tx.Now()
			return err
		})
		version := func() (v int64, until time.Time) {
			t.Helper()
			view(t, s, func(tx *db.Tx) error {
				p, err := tx.Principal(ann.ID)
				v, until = p.Version, p.Recorded
				return err
			})
			return v, until
		}
		begin := func(until time.Time) {
			t.Helper()
			write(t, s, func(tx *db.Tx) error { return tx.Record(ann.ID, until, []byte("secret")) })
		}
		add(ann.ID, "before", false)
		before, until := version()
		if !until.IsZero() {
			t.Errorf("recorded until %v", until)
		}
		begin(now.Add(time.Hour))
		if v, until := version(); v == before || !until.Equal(now.Add(time.Hour)) {
			t.Errorf("version %d, until %v: no cache learns of it", v, until)
		}
		add(ann.ID, "one", true)
		add(ben.ID, "his", false)
		add(ann.ID, "two", true)
		add(ann.ID, string(bytes.Repeat([]byte("x"), db.MaxRecording)), false)
		read := func(after int64, limit int) (rs []db.Recorded) {
			t.Helper()
			view(t, s, func(tx *db.Tx) (err error) {
				rs, err = tx.RecordedAfter(ann.ID, after, limit)
				return err
			})
			return rs
		}
		first := read(0, 1)
		if len(first) != 1 || string(first[0].Data) != "one" {
			t.Fatalf("%+v", first)
		}
		if rest := read(first[0].ID, 10); len(rest) != 1 || string(rest[0].Data) != "two" {
			t.Errorf("%+v", rest)
		}
		view(t, s, func(tx *db.Tx) error {
			r, err := tx.Recording(ann.ID)
			if err != nil || string(r.Secret) != "secret" || r.Octets != 6 {
				t.Errorf("%+v, %v", r, err)
			}
			if _, err := tx.Recording(ben.ID); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("%v", err)
			}
			return nil
		})
		begin(now.Add(-time.Minute)) // anew, and over already
		if len(read(0, 10)) != 0 {
			t.Error("it goes on with what an older one had")
		}
		add(ann.ID, "late", false)
		sweep := func(keep time.Duration, want bool) {
			t.Helper()
			if err := s.Sweep(t.Context(), db.Keep{Recordings: keep}); err != nil {
				t.Fatal(err)
			}
			view(t, s, func(tx *db.Tx) error {
				if _, err := tx.Recording(ann.ID); (err == nil) != want {
					t.Errorf("kept for %v: %v", keep, err)
				}
				return nil
			})
		}
		sweep(0, true)
		sweep(time.Hour, true)
		sweep(time.Second, false)
		if _, until := version(); !until.IsZero() {
			t.Errorf("recorded until %v", until)
		}
		begin(now.Add(time.Hour))
		add(ann.ID, "three", true)
		write(t, s, func(tx *db.Tx) error { return tx.StopRecording(ann.ID) })
		write(t, s, func(tx *db.Tx) error { return tx.StopRecording(ann.ID) })
		if len(read(0, 10)) != 0 {
			t.Error("something is left")
		}
		if err := s.Write(t.Context(), nil, func(tx *db.Tx) error { return tx.Record(1<<40, now, nil) }); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("nobody is recorded: %v", err)
		}
		begin(now.Add(time.Hour))
		add(ann.ID, "four", true)
		write(t, s, func(tx *db.Tx) error { return tx.DeletePrincipal(ann.ID) })
	})
}
