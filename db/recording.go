package db

import (
	"context"
	"errors"
	"time"
)

// Recording is what is kept of what one user's programs do, redacted.
type Recording struct {
	Until  time.Time
	Secret []byte // from which the marks in it are made
	Octets int64
}

// MaxRecording is how many octets a recording may have: then it takes no more.
const MaxRecording = 16 << 20

// Record begins a recording in place of an older one. ErrNotFound without such
// a principal.
func (tx *Tx) Record(principal int64, until time.Time, secret []byte) error {
	if err := tx.StopRecording(principal); err != nil {
		return err
	}
	if _, err := tx.exec(`UPDATE principal SET recorded = $2 WHERE id = $1`, principal, micros(until)); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO recording (principal, until, secret, octets) VALUES ($1, $2, $3, 0)`, principal, micros(until), secret)
	return err
}

// StopRecording ends a recording, if there is one, and forgets it. ErrNotFound
// without such a principal.
func (tx *Tx) StopRecording(principal int64) error {
	if err := tx.changed(principal); err != nil {
		return err
	}
	if _, err := tx.exec(`UPDATE principal SET recorded = 0 WHERE id = $1`, principal); err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM recorded WHERE principal = $1`, principal); err != nil {
		return err
	}
	_, err := tx.exec(`DELETE FROM recording WHERE principal = $1`, principal)
	return err
}

// Recording returns the one of a principal, whether it goes on or not;
// ErrNotFound without one.
func (tx *Tx) Recording(principal int64) (r Recording, err error) {
	err = tx.row(`SELECT until, secret, octets FROM recording WHERE principal = $1`, []any{principal}, when{&r.Until}, &r.Secret, &r.Octets)
	return r, err
}

// AddRecorded adds an exchange to a recording. false: it is over, or full, and
// nothing was added.
func (tx *Tx) AddRecorded(principal int64, data []byte) (bool, error) {
	now, err := tx.Now()
	if err != nil {
		return false, err
	}
	n := int64(len(data))
	switch rows, err := tx.exec(`UPDATE recording SET octets = octets + $2 WHERE principal = $1 AND until > $3 AND octets + $2 <= $4`,
		principal, n, micros(now), int64(MaxRecording)); {
	case err != nil:
		return false, err
	case rows == 0:
		return false, nil
	}
	_, err = tx.exec(`INSERT INTO recorded (principal, data) VALUES ($1, $2)`, principal, data)
	return err == nil, err
}

// Recorded is one exchange of a recording.
type Recorded struct {
	ID   int64
	Data []byte
}

// RecordedAfter returns exchanges of a recording in their order, page by page.
func (tx *Tx) RecordedAfter(principal, after int64, limit int) ([]Recorded, error) {
	return collect(tx, `SELECT id, data FROM recorded WHERE principal = $1 AND id > $2 ORDER BY id LIMIT $3`, []any{principal, after, limit},
		func(r *Recorded) []any { return []any{&r.ID, &r.Data} })
}

// sweepRecordings forgets those that ended long ago and that nobody took.
func (s *Store) sweepRecordings(ctx context.Context, keep Keep) error {
	if keep.Recordings <= 0 {
		return nil
	}
	return s.Write(ctx, nil, func(tx *Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		old, err := collect(tx, `SELECT principal FROM recording WHERE until < $1 ORDER BY principal LIMIT $2`, []any{micros(now.Add(-keep.Recordings)), sweepMost},
			func(id *int64) []any { return []any{id} })
		for _, id := range old {
			if err == nil {
				err = tx.StopRecording(id)
			}
		}
		if errors.Is(err, ErrNotFound) { // removed meanwhile
			err = nil
		}
		return err
	})
}
