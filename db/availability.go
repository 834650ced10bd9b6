package db

import "slices"

// Available is an iCalendar object with VAVAILABILITY components: a property
// of its owner's inbox, or an object in one of his calendars.
type Available struct {
	Owner      int64
	Collection int64 // 0: the property of the inbox
	Data       []byte
}

// Availability returns the calendar-availability of a principal, nil without
// one.
func (tx *Tx) Availability(principal int64) ([]byte, error) {
	all, err := collect(tx, availabilityOf+`($1)`, []any{principal}, func(a *Available) []any { return []any{&a.Owner, &a.Data} })
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0].Data, nil
}

// SetAvailability stores it; nil removes it.
func (tx *Tx) SetAvailability(principal int64, data []byte) error {
	if data == nil {
		_, err := tx.exec(`DELETE FROM availability WHERE principal = $1`, principal)
		return err
	}
	_, err := tx.exec(`INSERT INTO availability (principal, data) VALUES ($1, $2) ON CONFLICT (principal) DO UPDATE SET data = excluded.data`, principal, data)
	return err
}

// The statements of Availabilities. TestPlans keeps them on their indexes.
const (
	availabilityOf      = `SELECT a.principal, a.data FROM availability a WHERE a.principal IN `
	availabilityObjects = `SELECT c.owner, c.id, b.data FROM collection c JOIN object o ON o.collection = c.id JOIN body b ON b.id = o.body
		WHERE o.component = 'VAVAILABILITY' AND o.deleted = 0 AND c.kind = 'calendar' AND c.transparent = 0 AND c.owner IN `
	availabilityIn = `SELECT o.collection, b.data FROM object o JOIN body b ON b.id = o.body
		WHERE o.component = 'VAVAILABILITY' AND o.deleted = 0 AND o.collection = $1`
)

// Availabilities returns what says when many owners can be met: the property
// of each one's inbox and the objects in his opaque calendars (RFC 7953 §7.2).
func (tx *Tx) Availabilities(owners []int64) ([]Available, error) {
	var all []Available
	owners = slices.Compact(slices.Sorted(slices.Values(owners)))
	err := chunks(owners, 1, func(in string, args []any) error {
		own, err := collect(tx, availabilityOf+in, args, func(a *Available) []any { return []any{&a.Owner, &a.Data} })
		if err != nil {
			return err
		}
		stored, err := collect(tx, availabilityObjects+in, args, func(a *Available) []any { return []any{&a.Owner, &a.Collection, &a.Data} })
		all = append(append(all, own...), stored...)
		return err
	})
	return all, err
}

// AvailabilitiesIn returns those of one calendar.
func (tx *Tx) AvailabilitiesIn(collection int64) ([]Available, error) {
	return collect(tx, availabilityIn, []any{collection}, func(a *Available) []any { return []any{&a.Collection, &a.Data} })
}
