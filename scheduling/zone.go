package scheduling

import (
	"math"
	"slices"

	"github.com/convene-server/convene/db"
)

// Rezone queues, in the transaction that changed the zone of a calendar, that
// its floating and all-day times are recorded where they stand now (decision
// 32). Until a job is done the old record counts.
func Rezone(tx *db.Tx, c db.Collection) error {
	cs, err := tx.InRange(c.ID, "VEVENT", math.MinInt64, math.MaxInt64)
	if err != nil {
		return err
	}
	var ids []int64
	for _, o := range cs {
		if o.Slot != nil && o.Slot.Floating {
			ids = append(ids, o.ID)
		}
		if o.Series != nil && o.Series.Floating {
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
			if err := tx.InsertJob(&db.Job{Kind: jobRecord, UID: o.UID, Principal: c.Owner, Args: []byte{}, Due: now}); err != nil {
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
	owner, here, err := s.present(j.Principal)
	if !here || err != nil {
		return err
	}
	h, err := s.part(owner, j.UID)
	if err != nil {
		return err
	}
	if h.row == nil {
		return nil
	}
	h.changed = true
	// What is in quarantine stays there.
	h.held, err = s.inQuarantine(h)
	return err
}
