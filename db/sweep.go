package db

import (
	"context"
	"fmt"
	"time"
)

// Keep says how long Sweep leaves what is no longer in use; zero keeps it for
// ever.
type Keep struct {
	Tombstones time.Duration // of deleted objects and collections, Parted and Kept; older sync tokens become invalid
	Decisions  time.Duration
	Recordings time.Duration // after their end
	Inbox      time.Duration // messages in scheduling inboxes, which programs may have left there
}

// sweepMost is how many rows one transaction of Sweep removes, so that nobody
// waits long for it.
const sweepMost = 500

// Sweep removes what nobody needs any longer: old inbox messages, bodies, letters and locks of conversations
// without an object, old tombstones, old decisions and what is remembered of
// meetings that are gone. It is for a daily tick; nothing depends on it.
func (s *Store) Sweep(ctx context.Context, keep Keep) error {
	for _, step := range []func(context.Context, Keep) error{s.sweepInboxes, s.sweepBodies, s.sweepLetters, s.sweepTombstones, s.sweepParted, s.sweepKept, s.sweepDecisions, s.sweepQuarantine, s.sweepThreads, s.sweepFeeds, s.sweepPace, s.sweepRecordings} {
		if err := step(ctx, keep); err != nil {
			return err
		}
	}
	return nil
}

// sweepInboxes deletes messages that lie in inboxes for long, as their owner
// would: what they told is in his calendar (RFC 6638 §2.2).
func (s *Store) sweepInboxes(ctx context.Context, keep Keep) error {
	if keep.Inbox <= 0 {
		return nil
	}
	type message struct {
		id, collection, modseq int64
		uid                    string
	}
	for {
		var old []message
		err := s.Write(ctx, nil, func(tx *Tx) error {
			now, err := tx.Now()
			if err != nil {
				return err
			}
			old, err = collect(tx, `SELECT o.id, o.collection, o.modseq, o.uid FROM collection c JOIN object o ON o.collection = c.id
				WHERE c.kind = $1 AND o.deleted = 0 AND o.created < $2 ORDER BY o.id LIMIT $3`,
				[]any{string(Inbox), micros(now.Add(-keep.Inbox)), sweepMost},
				func(m *message) []any { return []any{&m.id, &m.collection, &m.modseq, &m.uid} })
			if err != nil || len(old) == 0 {
				return err
			}
			var uids []string
			var inboxes []int64
			for _, m := range old {
				uids, inboxes = append(uids, m.uid), append(inboxes, m.collection)
			}
			if err := tx.LockThreads(uids...); err != nil {
				return err
			}
			modseq, err := tx.BumpCollections(inboxes...)
			if err != nil {
				return err
			}
			for _, m := range old {
				if err := tx.DeleteObject(m.id, modseq[m.collection], m.modseq); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(old) == 0 {
			return err
		}
	}
}

func (s *Store) sweepBodies(ctx context.Context, _ Keep) error {
	return s.sweepOrphans(ctx, `SELECT b.id, b.uid FROM body b WHERE b.id > $1
		AND NOT EXISTS (SELECT 1 FROM object o WHERE o.uid = b.uid AND o.body = b.id) ORDER BY b.id LIMIT $2`,
		func(tx *Tx, id int64) error { return tx.dropBodies([]before{{body: id}}, 0) })
}

// sweepOrphans walks over rows that nothing refers to: find takes the last id and
// how many, and selects (id, uid) in their order. The conversation of each is
// locked before drop looks again, so that no writer is just about to refer to it.
func (s *Store) sweepOrphans(ctx context.Context, find string, drop func(*Tx, int64) error) error {
	type orphan struct {
		id  int64
		uid string
	}
	after := int64(0)
	for {
		var found []orphan
		err := s.View(ctx, func(tx *Tx) (err error) {
			found, err = collect(tx, find, []any{after, sweepMost}, func(o *orphan) []any { return []any{&o.id, &o.uid} })
			return err
		})
		if err != nil || len(found) == 0 {
			return err
		}
		err = s.Write(ctx, nil, func(tx *Tx) error {
			uids := make([]string, len(found))
			for i, o := range found {
				uids[i] = o.uid
			}
			if err := tx.LockThreads(uids...); err != nil {
				return err
			}
			for _, o := range found {
				if err := drop(tx, o.id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		after = found[len(found)-1].id
	}
}

// sweepTombstones raises each collection's PurgedModseq to that of the last
// tombstone that goes: a client that has not heard of it must begin anew.
func (s *Store) sweepTombstones(ctx context.Context, keep Keep) error {
	if keep.Tombstones <= 0 {
		return nil
	}
	err := s.Write(ctx, nil, func(tx *Tx) error {
		now, err := tx.Now()
		if err == nil {
			_, err = tx.exec(`DELETE FROM gone WHERE at < $1`, micros(now.Add(-keep.Tombstones)))
		}
		return err
	})
	if err != nil {
		return err
	}
	for {
		swept := false
		err := s.Write(ctx, nil, func(tx *Tx) error {
			swept = false
			now, err := tx.Now()
			if err != nil {
				return err
			}
			before := micros(now.Add(-keep.Tombstones))
			var collection int64
			err = tx.row(`SELECT coalesce(min(collection), 0) FROM object WHERE deleted = 1 AND modified < $1`, []any{before}, &collection)
			if err != nil || collection == 0 {
				return err
			}
			swept = true
			// Locks the collection as any writer does.
			n, err := tx.exec(`UPDATE collection SET purged_modseq = (SELECT max(o.modseq) FROM object o
				WHERE o.collection = collection.id AND o.deleted = 1 AND o.modified < $2) WHERE id = $1`, collection, before)
			if err == nil && n == 0 {
				err = fmt.Errorf("db: tombstones of the collection %d, which is gone", collection)
			}
			if err != nil {
				return err
			}
			_, err = tx.exec(`DELETE FROM object WHERE collection = $1 AND deleted = 1 AND modified < $2
				AND modseq <= (SELECT purged_modseq FROM collection WHERE id = $1)`, collection, before)
			return err
		})
		if err != nil || !swept {
			return err
		}
	}
}

// sweepParted forgets of what no mail can still be on its way.
func (s *Store) sweepParted(ctx context.Context, keep Keep) error {
	return s.sweepOld(ctx, keep.Tombstones, `DELETE FROM parted WHERE (principal, uid) IN (SELECT principal, uid FROM parted WHERE at < $1 ORDER BY at LIMIT $2)`)
}

func (s *Store) sweepDecisions(ctx context.Context, keep Keep) error {
	return s.sweepOld(ctx, keep.Decisions, `DELETE FROM decision WHERE id IN (SELECT id FROM decision WHERE at < $1 ORDER BY at LIMIT $2)`)
}

// sweepOld removes the rows of a table that are older than age, some in each
// transaction: statement takes the point in time and how many.
func (s *Store) sweepOld(ctx context.Context, age time.Duration, statement string) error {
	if age <= 0 {
		return nil
	}
	for {
		var n int64
		err := s.Write(ctx, nil, func(tx *Tx) error {
			now, err := tx.Now()
			if err != nil {
				return err
			}
			n, err = tx.exec(statement, micros(now.Add(-age)), sweepMost)
			return err
		})
		if err != nil || n < sweepMost {
			return err
		}
	}
}

// sweepQuarantine removes the entries of objects that are gone.
func (s *Store) sweepQuarantine(ctx context.Context, _ Keep) error {
	for {
		var n int64
		err := s.Write(ctx, nil, func(tx *Tx) (err error) {
			n, err = tx.exec(`DELETE FROM quarantine WHERE id IN (SELECT q.id FROM quarantine q
				WHERE NOT EXISTS (SELECT 1 FROM object o WHERE o.id = q.object AND o.deleted = 0) ORDER BY q.id LIMIT $1)`, sweepMost)
			return err
		})
		if err != nil || n < sweepMost {
			return err
		}
	}
}

// sweepThreads skips rows that somebody holds, so it waits for nobody. One that
// is waited for may go: LockThreads makes it anew.
func (s *Store) sweepThreads(ctx context.Context, _ Keep) error {
	for {
		var n int64
		err := s.Write(ctx, nil, func(tx *Tx) (err error) {
			n = 0
			uids, err := collect(tx, `SELECT d.uid FROM thread d
				WHERE NOT EXISTS (SELECT 1 FROM object o WHERE o.uid = d.uid) LIMIT $1 {skip}`, []any{sweepMost}, func(uid *string) []any { return []any{uid} })
			if err != nil {
				return err
			}
			// Whoever held a row until a moment ago may have written under it.
			return chunks(uids, 1, func(in string, args []any) error {
				gone, err := tx.exec(`DELETE FROM thread WHERE uid IN `+in+` AND NOT EXISTS (SELECT 1 FROM object o WHERE o.uid = thread.uid)`, args...)
				n += gone
				return err
			})
		})
		if err != nil || n < sweepMost {
			return err
		}
	}
}

// sweepFeeds removes what cards that are gone said of published busy time, and
// what nobody refers to.
func (s *Store) sweepFeeds(ctx context.Context, _ Keep) error {
	return s.Write(ctx, nil, func(tx *Tx) error {
		if _, err := tx.exec(`DELETE FROM published WHERE object <> 0 AND NOT EXISTS (SELECT 1 FROM object o WHERE o.id = published.object AND o.deleted = 0)`); err != nil {
			return err
		}
		_, err := tx.exec(`DELETE FROM feed WHERE NOT EXISTS (SELECT 1 FROM published p WHERE p.url = feed.url)`)
		return err
	})
}
