package db

import (
	"bytes"
	"context"
	"crypto/sha256"
)

// letterFrom is from how many octets on mails share a body: below, a row of its
// own would cost more than it spares.
const letterFrom = 8 << 10

// letter is where a body of a conversation stands.
type letter struct {
	uid  string
	data []byte
	id   int64
}

// letter returns what stands in a row of delivery for a body of it, and 0, or
// nothing and the letter that has it. The conversation is locked.
func (tx *Tx) letter(uid string, body []byte) (inline []byte, id int64, err error) {
	if len(body) < letterFrom {
		return body, 0, nil
	}
	for _, l := range tx.letters { // of a crowd all but the first
		if l.uid == uid && bytes.Equal(l.data, body) {
			return []byte{}, l.id, nil
		}
	}
	hash := sha256.Sum256(body)
	err = tx.row(`INSERT INTO letter (uid, hash, data) VALUES ($1, $2, $3)
		ON CONFLICT (uid, hash) DO UPDATE SET uid = excluded.uid RETURNING id`, []any{uid, hash[:], body}, &id)
	if err != nil {
		return nil, 0, err
	}
	if len(tx.letters) == 4 {
		tx.letters = tx.letters[1:]
	}
	tx.letters = append(tx.letters, letter{uid, body, id})
	return []byte{}, id, nil
}

// sweepLetters removes what no mail that waits refers to.
func (s *Store) sweepLetters(ctx context.Context, _ Keep) error {
	const unused = `NOT EXISTS (SELECT 1 FROM delivery d WHERE d.uid = letter.uid AND (d.body_letter = letter.id OR d.prior_letter = letter.id))`
	return s.sweepOrphans(ctx, `SELECT id, uid FROM letter WHERE id > $1 AND `+unused+` ORDER BY id LIMIT $2`, func(tx *Tx, id int64) error {
		_, err := tx.exec(`DELETE FROM letter WHERE id = $1 AND `+unused, id)
		return err
	})
}
