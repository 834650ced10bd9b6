package db

import "slices"

// Attributes returns what is known of principals beside their rows: values by
// principal and name, in their order. The names are the callers'.
func (tx *Tx) Attributes(principals ...int64) (map[int64]map[string][]string, error) {
	all := make(map[int64]map[string][]string)
	principals = slices.Compact(slices.Sorted(slices.Values(principals)))
	err := chunks(principals, 1, func(in string, args []any) error {
		return tx.rows(`SELECT principal, name, value FROM attribute WHERE principal IN `+in+` ORDER BY principal, name, place`, args,
			func(scan func(...any) error) error {
				var id int64
				var name, value string
				if err := scan(&id, &name, &value); err != nil {
					return err
				}
				if all[id] == nil {
					all[id] = make(map[string][]string)
				}
				all[id][name] = append(all[id][name], value)
				return nil
			})
	})
	return all, err
}

// SetAttribute stores the values of one, none take it away; Version is raised.
// PrincipalsLike finds them. ErrNotFound without such a principal.
func (tx *Tx) SetAttribute(principal int64, name string, values ...string) error {
	if err := needText([]string{name}, values...); err != nil {
		return err
	}
	if err := tx.changed(principal); err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM attribute WHERE principal = $1 AND name = $2`, principal, name); err != nil {
		return err
	}
	var rows [][]any
	for i, v := range values {
		rows = append(rows, []any{principal, name, i, v})
	}
	if err := tx.insertMany(`INSERT INTO attribute (principal, name, place, value)`, ``, rows, nil); err != nil {
		return err
	}
	return tx.regram(principal)
}
