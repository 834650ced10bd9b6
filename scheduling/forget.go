package scheduling

import (
	"context"
	"time"

	"github.com/convene-server/convene/db"
)

// Forget takes out of the calendars of rooms and resources the bookings that
// were over for as long as their rules say (forget_after); nobody is told. It is
// for a daily tick, and returns how many went.
func (d *Desk) Forget(ctx context.Context) (n int, err error) {
	for after := ""; ; {
		var page []db.Principal
		ends := map[int64]time.Time{}
		err := d.store.View(ctx, func(tx *db.Tx) (err error) {
			who := d.people(tx)
			if page, err = tx.Principals(after, followed); err != nil {
				return err
			}
			for _, p := range page {
				if p.Kind != db.Room && p.Kind != db.Resource {
					continue
				}
				if keep := who.rules(p).Forgets(); keep > 0 {
					ends[p.ID] = d.opt.Now().Add(-keep)
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		for _, p := range page {
			after = p.Address
			if before, ok := ends[p.ID]; ok {
				m, err := d.forgetBefore(ctx, p, before)
				n += m
				if err != nil {
					return n, err
				}
			}
		}
		if len(page) < followed {
			return n, nil
		}
	}
}

func (d *Desk) forgetBefore(ctx context.Context, p db.Principal, before time.Time) (n int, err error) {
	var over []db.Object
	err = d.store.View(ctx, func(tx *db.Tx) error {
		over = nil
		cols, err := tx.Collections(p.ID, db.Calendar)
		if err != nil {
			return err
		}
		for _, c := range cols {
			found, err := tx.InRange(c.ID, "VEVENT", -1<<61, before.UnixMicro())
			if err != nil {
				return err
			}
			var ids []int64
			for _, x := range found {
				if ended(x, before) {
					ids = append(ids, x.ID)
				}
			}
			objs, err := tx.ByIDs(ids)
			if err != nil {
				return err
			}
			over = append(over, objs...)
		}
		return nil
	})
	for _, o := range over {
		if err != nil {
			break
		}
		gone := false
		err = d.transact(ctx, locks{uids: []string{o.UID}}, func(s *sitting) error {
			gone, err = s.forget(p, o, before)
			return err
		})
		if gone && err == nil {
			n++
		}
	}
	return n, err
}

// ended reports whether all that a record holds was over at some time; what is
// not recorded to its end never is.
func ended(x db.Candidate, before time.Time) bool {
	switch {
	case x.Slot != nil:
		return x.Slot.Fin <= before.UnixMicro()
	case x.Series != nil:
		return x.Series.Last <= before.UnixMicro()
	}
	return false
}

// forget removes one booking, unless it was changed since it was found.
func (s *sitting) forget(room db.Principal, o db.Object, before time.Time) (bool, error) {
	h, err := s.part(room, o.UID)
	if err != nil || h.row == nil || h.row.ID != o.ID || h.row.Modseq != o.Modseq {
		return false, err
	}
	h.obj, h.changed = nil, true
	s.decide(db.Decision{
		Direction: "local", Door: "desk", UID: o.UID, Principal: room.ID, To: room.Address,
		Rule: "forgotten: over since before " + before.UTC().Format(time.DateOnly), Outcome: "applied",
	})
	return true, s.tx.FreeQuota(room.ID, o.UID)
}
