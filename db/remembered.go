package db

// Remembered returns what a principal was told of the busy time of people
// outside, by name.
func (tx *Tx) Remembered(principal int64, names ...string) (map[string][]byte, error) {
	all := make(map[string][]byte)
	err := chunks(keys(names), 2, func(in string, args []any) error {
		return tx.rows(`SELECT name, data FROM remembered WHERE principal = $1 AND name IN `+in, append([]any{principal}, args...), func(scan func(...any) error) error {
			var name string
			var data []byte
			err := scan(&name, &data)
			all[name] = data
			return err
		})
	})
	return all, err
}

// Remember stores what a principal was told of somebody's busy time; nil
// forgets it. The caller holds the lock of a thread for the two.
func (tx *Tx) Remember(principal int64, name string, data []byte) error {
	if err := needText([]string{name}); err != nil {
		return err
	}
	if data == nil {
		_, err := tx.exec(`DELETE FROM remembered WHERE principal = $1 AND name = $2`, principal, name)
		return err
	}
	_, err := tx.exec(`INSERT INTO remembered (principal, name, data) VALUES ($1, $2, $3)
		ON CONFLICT (principal, name) DO UPDATE SET data = excluded.data`, principal, name, data)
	return err
}
