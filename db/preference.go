package db

import (
	"errors"
	"slices"
)

// Preference returns how a principal wants a thing done, "" where he did not
// say. The names are the callers'.
func (tx *Tx) Preference(principal int64, name string) (value string, err error) {
	err = tx.row(`SELECT value FROM preference WHERE principal = $1 AND name = $2`, []any{principal, name}, &value)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return value, err
}

// Preferences returns all that a principal said, by name.
func (tx *Tx) Preferences(principal int64) (map[string]string, error) {
	all := map[string]string{}
	err := tx.rows(`SELECT name, value FROM preference WHERE principal = $1`, []any{principal}, func(scan func(...any) error) error {
		var name, value string
		err := scan(&name, &value)
		all[name] = value
		return err
	})
	return all, err
}

// SetPreference stores one, "" takes it back; Version is raised. ErrNotFound
// without such a principal.
func (tx *Tx) SetPreference(principal int64, name, value string) error {
	if err := needText([]string{name}, value); err != nil {
		return err
	}
	if err := tx.changed(principal); err != nil {
		return err
	}
	if value == "" {
		_, err := tx.exec(`DELETE FROM preference WHERE principal = $1 AND name = $2`, principal, name)
		return err
	}
	_, err := tx.exec(`INSERT INTO preference (principal, name, value) VALUES ($1, $2, $3)
		ON CONFLICT (principal, name) DO UPDATE SET value = $3`, principal, name, value)
	return err
}

// PreferencesOf returns what many principals said; those who said nothing are
// left out.
func (tx *Tx) PreferencesOf(principals []int64) (map[int64]map[string]string, error) {
	all := make(map[int64]map[string]string)
	principals = slices.Compact(slices.Sorted(slices.Values(principals)))
	err := chunks(principals, 1, func(in string, args []any) error {
		return tx.rows(`SELECT principal, name, value FROM preference WHERE principal IN `+in, args, func(scan func(...any) error) error {
			var id int64
			var name, value string
			if err := scan(&id, &name, &value); err != nil {
				return err
			}
			if all[id] == nil {
				all[id] = make(map[string]string)
			}
			all[id][name] = value
			return nil
		})
	})
	return all, err
}
