package db

// Parted returns what is remembered of a meeting that a principal does not
// have any more, or never had; ErrNotFound if there is nothing.
func (tx *Tx) Parted(principal int64, uid string) (data []byte, err error) {
	if !key(uid) {
		return nil, ErrNotFound
	}
	err = tx.row(`SELECT data FROM parted WHERE principal = $1 AND uid = $2`, []any{principal, uid}, &data)
	return data, err
}

// PutParted stores it in the place of what was remembered before. The caller
// holds the lock of the conversation.
func (tx *Tx) PutParted(principal int64, uid string, data []byte) error {
	if err := needText([]string{uid}); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO parted (principal, uid, at, data) VALUES ($1, $2, $3, $4)
		ON CONFLICT (principal, uid) DO UPDATE SET at = excluded.at, data = excluded.data`, principal, uid, micros(tx.stamp()), data)
	return err
}
