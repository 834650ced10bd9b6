package scheduling

import (
	"encoding/json"
	"errors"
	"math"
	"slices"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/ics"
)

// recordArgs is what stood when the zone changed: nothing but free time, as of
// an object in quarantine (decision 11), stays free while nobody writes it.
type recordArgs struct {
	Modseq int64
	Free   bool
}

// Rezone queues, in the transaction that changed the zone of a calendar, that
// its floating and all-day times are recorded where they stand now (decision
// 32). Until a job is done the old record counts.
func Rezone(tx *db.Tx, c db.Collection) error {
	cs, err := tx.InRange(c.ID, "VEVENT", math.MinInt64, math.MaxInt64)
	if err != nil {
		return err
	}
	free := map[int64]bool{} // of the floating ones
	var ids []int64
	for _, o := range cs {
		if o.Slot != nil && o.Slot.Floating {
			free[o.ID] = ics.BusyType(o.Slot.Type) == ics.Free
			ids = append(ids, o.ID)
		}
		if o.Series != nil && o.Series.Floating {
			all := true
			err := ics.RunSpans(o.Series.Runs, math.MinInt64, math.MaxInt64, func(_, _ int64, t ics.BusyType) bool {
				all = t == ics.Free
				return all
			})
			free[o.ID] = all && err == nil
			ids = append(ids, o.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	now, err := tx.Now()
	if err != nil {
		return err
	}
	for page := range slices.Chunk(ids, 500) {
		heads, err := tx.Heads(page)
		if err != nil {
			return err
		}
		for _, o := range heads {
			raw, err := json.Marshal(recordArgs{Modseq: o.Modseq, Free: free[o.ID]})
			if err != nil {
				return err
			}
			if err := tx.InsertJob(&db.Job{Kind: jobRecord, UID: o.UID, Principal: c.Owner, Args: raw, Due: now}); err != nil {
				return err
			}
		}
	}
	tx.Wake("job")
	return nil
}

// RezoneOwner does so for all calendars without a zone of their own, in the
// transaction that changed their owner's.
func RezoneOwner(tx *db.Tx, owner int64) error {
	cols, err := tx.Collections(owner, db.Calendar)
	if err != nil {
		return err
	}
	for _, c := range cols {
		if c.TZ != "" {
			continue
		}
		if err := Rezone(tx, c); err != nil {
			return err
		}
	}
	return nil
}

// recordAnew writes an object as it is, so that its record is made anew:
// without messages or a new Schedule-Tag.
func (s *sitting) recordAnew(j db.Job) error {
	var args recordArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return err
	}
	owner, err := s.tx.Principal(j.Principal)
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if agent(owner) {
		if err := s.lockAgents(owner.ID); err != nil {
			return err
		}
	}
	if err := s.load(j.UID, owner); err != nil {
		return err
	}
	h := s.holdings[thread{owner.ID, j.UID}]
	if h.row == nil {
		return nil
	}
	h.changed = true
	h.quarantine = args.Free && h.row.Modseq == args.Modseq
	return nil
}
