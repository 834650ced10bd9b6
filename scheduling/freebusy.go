package scheduling

import (
	"context"
	"errors"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Request statuses of a free/busy answer (RFC 5546 §3.6, RFC 6638 §5).
const (
	success     = "2.0;Success"
	invalidUser = "3.7;Invalid calendar user"
)

// FreeBusy answers for many calendar users from one snapshot (RFC 6638 §5), in
// the order in which they were asked for. maskUID leaves one conversation out.
// A group's busy time is that of everybody in it.
func (d *Desk) FreeBusy(ctx context.Context, asker db.Principal, whom []string, from, to time.Time, maskUID string) ([]FreeBusy, error) {
	answers := make([]FreeBusy, len(whom))
	var as []cuaddr.Address
	for i, w := range whom {
		answers[i] = FreeBusy{Asked: w, Status: invalidUser}
		if a, err := cuaddr.Parse(w); err == nil {
			answers[i].Address = a
			as = append(as, a)
		}
	}
	err := d.store.Read(ctx, func(tx *db.Tx) error {
		found, err := directory.LookupAll(tx, as)
		if err != nil {
			return err
		}
		asked := map[int64][]int{} // whose time goes into which answers
		var owners []int64
		add := func(p int64, i int) {
			if asked[p] == nil {
				owners = append(owners, p)
			}
			asked[p] = append(asked[p], i)
		}
		for i := range answers {
			p, ok := found[answers[i].Address]
			if !ok {
				continue
			}
			answers[i].Status = success
			if p.Kind != db.Group {
				add(p.ID, i)
				continue
			}
			members, _, err := directory.Expand(tx, p)
			if err != nil {
				return err
			}
			for _, m := range members {
				add(m.ID, i)
			}
		}
		if len(owners) == 0 {
			return nil
		}
		rows, err := tx.BusyRows(owners, from.UnixMicro(), to.UnixMicro(), maskUID)
		if err != nil {
			return err
		}
		return d.expand(tx, rows, from, to, func(owner int64, sp ics.Span) {
			for _, i := range asked[owner] {
				answers[i].Spans = append(answers[i].Spans, sp)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	for i := range answers {
		answers[i].Spans = ics.Merge(clip(answers[i].Spans, from, to))
	}
	return answers, nil
}

// Busy returns the busy time of one collection (RFC 4791 §7.10).
func (d *Desk) Busy(ctx context.Context, collection int64, from, to time.Time) ([]ics.Span, error) {
	var spans []ics.Span
	err := d.store.Read(ctx, func(tx *db.Tx) error {
		col, err := tx.Collection(collection)
		if err != nil {
			return err
		}
		found, err := tx.InRange(collection, "VEVENT", from.UnixMicro(), to.UnixMicro())
		if err != nil {
			return err
		}
		rows := make([]db.BusyRow, len(found))
		for i, c := range found {
			rows[i] = db.BusyRow{Owner: col.Owner, Collection: collection, Object: c.ID, Slot: c.Slot, Series: c.Series}
		}
		return d.expand(tx, rows, from, to, func(_ int64, sp ics.Span) { spans = append(spans, sp) })
	})
	if err != nil {
		return nil, err
	}
	return ics.Merge(clip(spans, from, to)), nil
}

// expand calls yield for every span of busy time in [from, to) that rows
// stand for. What a series has beyond its record is computed from the object
// (STORAGE 14).
func (d *Desk) expand(tx *db.Tx, rows []db.BusyRow, from, to time.Time, yield func(owner int64, sp ics.Span)) error {
	lo, hi := from.UnixMicro(), to.UnixMicro()
	var beyond []db.BusyRow
	for _, r := range rows {
		switch {
		case r.Slot != nil:
			if s := r.Slot; ics.BusyType(s.Type) != ics.Free && s.Start < hi && s.Fin > lo {
				yield(r.Owner, ics.Span{Start: micro(s.Start), End: micro(s.Fin), Type: ics.BusyType(s.Type)})
			}
		case r.Series != nil:
			err := ics.RunSpans(r.Series.Runs, lo, hi, func(start, end int64, t ics.BusyType) bool {
				if t != ics.Free && end > start {
					yield(r.Owner, ics.Span{Start: micro(start), End: micro(end), Type: t})
				}
				return true
			})
			if err != nil {
				return err
			}
			if r.Series.CoveredUntil < hi && r.Series.CoveredUntil < r.Series.Last {
				beyond = append(beyond, r)
			}
		}
	}
	return d.expandBeyond(tx, beyond, from, to, yield)
}

// expandBeyond computes the instances that the record does not hold.
func (d *Desk) expandBeyond(tx *db.Tx, rows []db.BusyRow, from, to time.Time, yield func(owner int64, sp ics.Span)) error {
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
		o, err := ics.Parse(row.Body, storedLimits)
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
				yield(r.Owner, ics.Span{Start: i.Start, End: i.End, Type: t})
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

func micro(us int64) time.Time { return time.UnixMicro(us).UTC() }

// clip cuts spans to a window and drops those outside of it.
func clip(spans []ics.Span, from, to time.Time) []ics.Span {
	out := spans[:0]
	for _, s := range spans {
		if s.Start.Before(from) {
			s.Start = from
		}
		if s.End.After(to) {
			s.End = to
		}
		if s.Start.Before(s.End) {
			out = append(out, s)
		}
	}
	return out
}
