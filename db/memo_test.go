package db_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// What a Store answers from memory is what the database would answer, whoever
// has written meanwhile: two nodes, or a server and a command, change and ask.
func TestRememberedAnswers(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dsn := dbtest.DSN(t, kind)
			nodes := []*db.Store{dbtest.Open(t, dsn, db.Options{}), dbtest.Open(t, dsn, db.Options{})}
			ann, cal, _ := person(t, nodes[0], "ann@example.org")
			seed := rand.Uint64()
			random := rand.New(rand.NewPCG(seed, 1))
			defer func() {
				if t.Failed() {
					t.Log("seed", seed)
				}
			}()
			compare := func(s *db.Store, name string) {
				t.Helper()
				view(t, s, func(tx *db.Tx) error {
					want, wantKind, wantVersion, wantErr := tx.ObjectAt(ann.ID, db.Calendar, cal.Name, name)
					got, kind, version, err := s.ObjectAt(ctx, ann.ID, db.Calendar, cal.Name, name)
					if !reflect.DeepEqual(got, want) || kind != wantKind || version != wantVersion || !errors.Is(err, wantErr) {
						t.Errorf("ObjectAt %s: got %+v %s %d %v, want %+v %s %d %v", name, got, kind, version, err, want, wantKind, wantVersion, wantErr)
					}
					c, wantVersion, wantErr := tx.CollectionAt(ann.ID, db.Calendar, cal.Name)
					d, version, err := s.CollectionAt(ctx, ann.ID, db.Calendar, cal.Name)
					if d != c || version != wantVersion || !errors.Is(err, wantErr) {
						t.Errorf("CollectionAt: got %+v %d %v, want %+v %d %v", d, version, err, c, wantVersion, wantErr)
					}
					return nil
				})
			}
			for i := range 60 {
				s, name := nodes[random.IntN(2)], fmt.Sprint(random.IntN(3))
				switch random.IntN(4) {
				case 0:
					put(t, s, cal.ID, name, "uid"+name, fmt.Sprint("body ", i), db.Indexed{})
				case 1:
					if o, _, _, err := s.ObjectAt(ctx, ann.ID, db.Calendar, cal.Name, name); err == nil {
						if err := bumped(s, cal.ID, func(tx *db.Tx, m int64) error { return tx.DeleteObject(o.ID, m, o.Modseq) }); err != nil {
							t.Fatal(err)
						}
					}
				case 2:
					write(t, s, func(tx *db.Tx) error {
						p, err := tx.Principal(ann.ID)
						p.Name = fmt.Sprint("name ", i)
						return errors.Join(err, tx.UpdatePrincipal(&p))
					})
				}
				for _, s := range nodes {
					for range 2 { // the second from memory
						compare(s, name)
					}
				}
			}
			if got := nodes[0].Remembers(ann.ID, db.Calendar, cal.Name, "9"); got {
				t.Error("what nobody asked for is remembered")
			}
			compare(nodes[0], "0")
			if got := nodes[0].Remembers(ann.ID, db.Calendar, cal.Name, "0"); got != (kind == "sqlite") {
				t.Errorf("remembered: %v", got)
			}
			put(t, nodes[1], cal.ID, "big", "big", string(make([]byte, 20<<10)), db.Indexed{})
			compare(nodes[0], "big")
			if nodes[0].Remembers(ann.ID, db.Calendar, cal.Name, "big") || nodes[0].Remembers(ann.ID, db.Calendar, cal.Name, "0") {
				t.Error("a large body, or what was before a commit, is remembered")
			}
			nodes[0].Close()
			if _, _, _, err := nodes[0].ObjectAt(ctx, ann.ID, db.Calendar, cal.Name, "0"); err == nil {
				t.Error("a store that is closed answers")
			}
		})
	}
}

// Who was told that his change is stored, or asks after somebody who was,
// never gets an older answer.
func TestRememberedAnswersAreNew(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		ann, cal, _ := person(t, s, "ann@example.org")
		var stored atomic.Int64
		var wg sync.WaitGroup
		done := make(chan struct{})
		for range 3 {
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					least := stored.Load()
					c, _, err := s.CollectionAt(ctx, ann.ID, db.Calendar, cal.Name)
					if err != nil || c.Modseq < least {
						t.Errorf("modseq %d after %d was stored: %v", c.Modseq, least, err)
						return
					}
				}
			})
		}
		for range 50 {
			write(t, s, func(tx *db.Tx) error {
				m, err := tx.BumpCollections(cal.ID)
				cal.Modseq = m[cal.ID]
				return err
			})
			stored.Store(cal.Modseq)
		}
		close(done)
		wg.Wait()
	})
}
