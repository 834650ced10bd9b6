package db

import "context"

// Kept returns what stands of a meeting into which somebody outside invites a
// group; ErrNotFound if there is nothing.
func (tx *Tx) Kept(group int64, uid string) (data []byte, err error) {
	if !key(uid) {
		return nil, ErrNotFound
	}
	err = tx.row(`SELECT data FROM kept WHERE grp = $1 AND uid = $2`, []any{group, uid}, &data)
	return data, err
}

// Keep stores it, with when the last of it ends, in microseconds; nil data
// forgets it. The caller holds the lock of the conversation.
func (tx *Tx) Keep(group int64, uid string, fin int64, data []byte) error {
	if err := needText([]string{uid}); err != nil {
		return err
	}
	if data == nil {
		_, err := tx.exec(`DELETE FROM kept WHERE grp = $1 AND uid = $2`, group, uid)
		return err
	}
	_, err := tx.exec(`INSERT INTO kept (grp, uid, fin, data) VALUES ($1, $2, $3, $4)
		ON CONFLICT (grp, uid) DO UPDATE SET fin = excluded.fin, data = excluded.data`, group, uid, fin, data)
	return err
}

// KeptFor lists the meetings of a group that are not over, by UID after a given
// one. fin is from when on.
func (tx *Tx) KeptFor(group int64, fin int64, after string, limit int) ([]string, error) {
	if !text(after) {
		return nil, nil
	}
	return texts(tx, `SELECT uid FROM kept WHERE grp = $1 AND fin > $2 AND uid > $3 ORDER BY uid LIMIT $4`, group, fin, after, limit)
}

// sweepKept forgets what is over.
func (s *Store) sweepKept(ctx context.Context, keep Keep) error {
	return s.sweepOld(ctx, keep.Tombstones, `DELETE FROM kept WHERE (grp, uid) IN (SELECT grp, uid FROM kept WHERE fin < $1 ORDER BY fin LIMIT $2)`)
}
