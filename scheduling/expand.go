package scheduling

import (
	"errors"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// expand calls yield for every span of busy time in [from, to) that rows
// stand for.
func (d *Desk) expand(tx *db.Tx, rows []db.BusyRow, from, to time.Time, yield func(db.BusyRow, ics.Span)) error {
	return d.expandAt(tx, rows, ics.WantedIn(from, to), yield)
}

// expandAt is expand for several times at once. What a series has beyond its
// record is computed from the object (STORAGE 14).
func (d *Desk) expandAt(tx *db.Tx, rows []db.BusyRow, at ics.Wanted, yield func(db.BusyRow, ics.Span)) error {
	from, to, some := at.Span()
	if !some {
		return nil
	}
	hi := to.UnixMicro()
	var beyond []db.BusyRow
	for _, r := range rows {
		switch {
		case r.Slot != nil:
			if s := r.Slot; ics.BusyType(s.Type) != ics.Free && at.Meet(s.Start, s.Fin) {
				yield(r, ics.Span{Start: micro(s.Start), End: micro(s.Fin), Type: ics.BusyType(s.Type)})
			}
		case r.Series != nil:
			err := at.RunSpans(r.Series.Runs, func(start, end int64, t ics.BusyType) {
				if t != ics.Free && end > start {
					yield(r, ics.Span{Start: micro(start), End: micro(end), Type: t})
				}
			})
			if err != nil {
				return err
			}
			if r.Series.CoveredUntil < hi && r.Series.CoveredUntil < r.Series.Last {
				beyond = append(beyond, r)
			}
		}
	}
	return d.expandBeyond(tx, beyond, from, to, func(r db.BusyRow, sp ics.Span) {
		if at.Meet(sp.Start.UnixMicro(), sp.End.UnixMicro()) {
			yield(r, sp)
		}
	})
}

// expandBeyond computes the instances that the record does not hold.
func (d *Desk) expandBeyond(tx *db.Tx, rows []db.BusyRow, from, to time.Time, yield func(db.BusyRow, ics.Span)) error {
	if len(rows) == 0 {
		return nil
	}
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.Object
	}
	objs, err := tx.ByIDs(ids)
	if err != nil {
		return err
	}
	byID := make(map[int64]*db.Object, len(objs))
	for i := range objs {
		byID[objs[i].ID] = &objs[i]
	}
	who := people{tx: tx}
	owners := map[int64]db.Principal{}
	zones := map[int64]*time.Location{}
	for _, r := range rows {
		row := byID[r.Object]
		if row == nil {
			continue // removed since the rows were read; only outside of a snapshot
		}
		body := row.Body
		if r.Own != nil {
			body = itip.SeenBy(body, r.Own)
		}
		o, err := ics.Parse(body, storedLimits)
		if err != nil {
			return err
		}
		owner, ok := owners[r.Owner]
		if !ok {
			if owner, err = tx.Principal(r.Owner); err != nil {
				return err
			}
			owners[r.Owner] = owner
		}
		loc := zones[r.Collection]
		if loc == nil {
			col, err := tx.Collection(r.Collection)
			if err != nil {
				return err
			}
			loc = zoneOf(col, owner)
			zones[r.Collection] = loc
		}
		if err := who.meetIn(o); err != nil {
			return err
		}
		self := who.self(owner, false)
		covered := micro(r.Series.CoveredUntil)
		start := from
		if covered.After(start) {
			start = covered
		}
		err = o.Instances(start, to, loc, d.opt.Bound, func(i ics.Instance) bool {
			if t := ics.Effect(i.Component, self); t != ics.Free && !i.Start.Before(covered) && i.End.After(i.Start) {
				yield(r, ics.Span{Start: i.Start, End: i.End, Type: t})
			}
			return true
		})
		// What is too much work to compute is left out: no client of others may
		// fail because of it.
		if err != nil && !errors.Is(err, ics.ErrTooMany) {
			return err
		}
	}
	return nil
}
