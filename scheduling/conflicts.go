package scheduling

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/ics"
)

// Booking is what stands in a room's calendar at one time.
type Booking struct {
	UID, Title, Organizer string
	Start, End            time.Time
}

// Conflict is two bookings that overlap.
type Conflict struct{ First, Second Booking }

// maxConflicts bounds what one report tells.
const maxConflicts = 1000

// Conflicts returns where bookings of a room overlap in a window, the first
// thousand of them: what its rules, who wrote its calendar, or an import let
// happen.
func (d *Desk) Conflicts(ctx context.Context, room db.Principal, from, to time.Time) (all []Conflict, err error) {
	err = d.store.Read(ctx, func(tx *db.Tx) error {
		all = nil
		rows, err := tx.BusyRows([]int64{room.ID}, from.UnixMicro(), to.UnixMicro(), "")
		if err != nil {
			return err
		}
		type taken struct {
			object int64
			ics.Span
		}
		var spans []taken
		if err := d.expand(tx, rows, from, to, func(r db.BusyRow, sp ics.Span) { spans = append(spans, taken{r.Object, sp}) }); err != nil {
			return err
		}
		slices.SortFunc(spans, func(a, b taken) int {
			return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End), cmp.Compare(a.object, b.object))
		})
		var pairs [][2]taken
		var open []taken
		for _, s := range spans {
			if len(pairs) == maxConflicts {
				break
			}
			open = slices.DeleteFunc(open, func(o taken) bool { return !o.End.After(s.Start) })
			for _, o := range open {
				if o.object != s.object && len(pairs) < maxConflicts {
					pairs = append(pairs, [2]taken{o, s})
				}
			}
			open = append(open, s)
		}
		var ids []int64
		for _, p := range pairs {
			ids = append(ids, p[0].object, p[1].object)
		}
		slices.Sort(ids)
		objs, err := tx.ByIDs(slices.Compact(ids))
		if err != nil {
			return err
		}
		what := map[int64]Booking{}
		for _, row := range objs {
			b := Booking{UID: row.UID}
			if o, err := ics.Parse(row.Body, storedLimits); err == nil && o.First() != nil {
				b.Title, b.Organizer = o.First().Text("SUMMARY"), ics.Organizer(o.First()).Mail()
			}
			what[row.ID] = b
		}
		for _, p := range pairs {
			var c Conflict
			for i, to := range []*Booking{&c.First, &c.Second} {
				*to = what[p[i].object]
				to.Start, to.End = p[i].Start, p[i].End
			}
			all = append(all, c)
		}
		return nil
	})
	return all, err
}
