package scheduling

import (
	"bytes"
	"slices"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling/ics"
)

// A calendar that somebody has taken into his home from its owner counts as his
// busy time if he says so (RFC 6638 §9.1, for himself: caldav-sharing §5.5.4).
// Nothing is recorded for that: the owner's record is read for both.

// busyRows is what stands in the calendars of people that count as their time,
// those of others among them.
func (d *Desk) busyRows(tx *db.Tx, people []int64, from, to int64, except string, at db.Rhythm) ([]db.BusyRow, error) {
	rows, err := tx.BusyRowsAt(people, from, to, except, at)
	if err != nil {
		return nil, err
	}
	others, err := countedRows(tx, people, from, to, except)
	return append(rows, others...), err
}

// countedRows are those of the calendars of others.
func countedRows(tx *db.Tx, people []int64, from, to int64, except string) ([]db.BusyRow, error) {
	counted, err := tx.CountedBy(people)
	if err != nil || len(counted) == 0 {
		return nil, err
	}
	// Whoever has it by a group may have left that.
	if counted, err = stillIn(tx, counted); err != nil || len(counted) == 0 {
		return nil, err
	}
	var collections []int64
	for _, c := range counted {
		collections = append(collections, c.Collection)
	}
	rows, err := tx.RecordIn(collections, from, to, except)
	if err != nil {
		return nil, err
	}
	in := map[int64][]db.BusyRow{}
	objects := map[int64][]int64{}
	for _, r := range rows {
		in[r.Collection] = append(in[r.Collection], r)
		objects[r.Collection] = append(objects[r.Collection], r.Object)
	}
	var all []db.BusyRow
	for _, c := range counted {
		if len(in[c.Collection]) == 0 {
			continue
		}
		// A meeting that is in a calendar of his own fills his time as that says:
		// he may have declined it.
		has, err := tx.HasOf(c.Sharee, objects[c.Collection])
		if err != nil {
			return nil, err
		}
		own, err := tx.OwnOf(c.Sharee, objects[c.Collection])
		if err != nil {
			return nil, err
		}
		for _, r := range in[c.Collection] {
			if slices.Contains(has, r.Object) {
				continue
			}
			r.Guest = c.Sharee
			if b := own[r.Object]; bytes.Contains(b, []byte("TRANSP")) { // computed from the object, as he sees it
				r.Own, r.Slot, r.Series = b, nil, &db.Series{First: -ics.Endless, CoveredUntil: -ics.Endless, Last: ics.Endless}
			} else if r.Slot != nil && ics.BusyType(r.Slot.Type) == ics.Free {
				continue
			}
			all = append(all, r)
		}
	}
	return all, nil
}

// stillIn leaves out what somebody may not read any more who has it by a group.
func stillIn(tx *db.Tx, counted []db.Counted) (all []db.Counted, err error) {
	for _, c := range counted {
		if c.Group != 0 {
			who, err := tx.Principal(c.Sharee)
			if err != nil {
				return nil, err
			}
			owner, err := tx.Principal(c.Owner)
			if err != nil {
				return nil, err
			}
			g, err := directory.Granted(tx, who, owner)
			if err != nil {
				return nil, err
			}
			if g.Collections[c.Collection]&directory.Read == 0 {
				continue
			}
		}
		all = append(all, c)
	}
	return all, nil
}
