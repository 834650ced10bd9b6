package db

// PersonalProperties returns what a principal keeps with a collection of
// somebody else: properties that only he sees.
func (tx *Tx) PersonalProperties(principal, collection int64) ([]Property, error) {
	return collect(tx, `SELECT name, xml FROM personal WHERE collection = $2 AND principal = $1 ORDER BY name`, []any{principal, collection},
		func(p *Property) []any { return []any{&p.Name, &p.XML} })
}

// SetPersonalProperties stores and removes some of them.
func (tx *Tx) SetPersonalProperties(principal, collection int64, set []Property, remove []string) error {
	for _, p := range set {
		if err := needText([]string{p.Name}, p.XML); err != nil {
			return err
		}
	}
	for _, name := range remove {
		if !key(name) {
			continue // nobody has it
		}
		if _, err := tx.exec(`DELETE FROM personal WHERE collection = $2 AND principal = $1 AND name = $3`, principal, collection, name); err != nil {
			return err
		}
	}
	for _, p := range set {
		_, err := tx.exec(`INSERT INTO personal (principal, collection, name, xml) VALUES ($1, $2, $3, $4)
			ON CONFLICT (collection, principal, name) DO UPDATE SET xml = excluded.xml`, principal, collection, p.Name, p.XML)
		if err != nil {
			return err
		}
	}
	return nil
}
