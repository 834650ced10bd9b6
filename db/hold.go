package db

import "time"

// Hold is a time that a room or resource offered by a COUNTER to whom asked
// for another one: until it expires nobody else gets it.
type Hold struct {
	Principal  int64 // whose time it is
	UID        string
	RID        string // the instance, "" for the whole
	Start, Fin int64  // microseconds
	Expires    time.Time
}

// Hold keeps one, in place of what was held for the same instance before.
func (tx *Tx) Hold(h Hold) error {
	if err := needText([]string{h.UID, h.RID}); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO hold (principal, uid, rid, start, fin, expires) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (principal, uid, rid) DO UPDATE SET start = $4, fin = $5, expires = $6`,
		h.Principal, h.UID, h.RID, h.Start, h.Fin, micros(h.Expires))
	return err
}

// Release gives free what is held for a conversation; nothing is no error.
func (tx *Tx) Release(principal int64, uid string) error {
	if !key(uid) {
		return nil
	}
	_, err := tx.exec(`DELETE FROM hold WHERE principal = $1 AND uid = $2`, principal, uid)
	return err
}

// Holds returns what is held of somebody's time at a moment and lies in
// [from, to), the conversation except left out. What has expired holds nothing;
// Sweep removes it.
func (tx *Tx) Holds(principal int64, now time.Time, from, to int64, except string) ([]Hold, error) {
	return collect(tx, `SELECT principal, uid, rid, start, fin, expires FROM hold
		WHERE principal = $1 AND uid <> $2 AND expires > $3 AND start < $5 AND fin > $4 ORDER BY start, uid, rid`,
		[]any{principal, except, micros(now), bounded(from), bounded(to)},
		func(h *Hold) []any {
			return []any{&h.Principal, &h.UID, &h.RID, &h.Start, &h.Fin, when{&h.Expires}}
		})
}
