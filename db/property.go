package db

import "slices"

// Property is a dead property (RFC 4918 §4) of a collection, object or
// principal: stored as sent, meaning nothing to us.
type Property struct {
	Name string // "{namespace}local"
	XML  string // the whole element, its namespaces declared in it
}

// Properties returns the dead properties of a resource ("collection", "object"
// or "principal" with its id), all or the named ones, by name.
func (tx *Tx) Properties(resource string, id int64, names ...string) ([]Property, error) {
	all, err := collect(tx, `SELECT name, xml FROM property WHERE resource = $1 AND id = $2 ORDER BY name`, []any{resource, id},
		func(p *Property) []any { return []any{&p.Name, &p.XML} })
	if len(names) == 0 || err != nil {
		return all, err
	}
	return slices.DeleteFunc(all, func(p Property) bool { return !slices.Contains(names, p.Name) }), nil
}

// PropertiesOf returns the dead properties of many resources of one sort, by
// id; those that have none are left out.
func (tx *Tx) PropertiesOf(resource string, ids []int64) (map[int64][]Property, error) {
	all := make(map[int64][]Property)
	err := chunks(ids, 2, func(in string, args []any) error {
		return tx.rows(`SELECT id, name, xml FROM property WHERE resource = $1 AND id IN `+in+` ORDER BY id, name`,
			append([]any{resource}, args...), func(scan func(...any) error) error {
				var id int64
				var p Property
				err := scan(&id, &p.Name, &p.XML)
				all[id] = append(all[id], p)
				return err
			})
	})
	return all, err
}

// SetProperties stores and removes dead properties of a resource.
func (tx *Tx) SetProperties(resource string, id int64, set []Property, remove []string) error {
	return tx.changeProperties(`INSERT INTO property (resource, id, name, xml) VALUES ($1, $2, $3, $4)
		ON CONFLICT (resource, id, name) DO UPDATE SET xml = excluded.xml`,
		`DELETE FROM property WHERE resource = $1 AND id = $2 AND name = $3`, resource, id, set, remove)
}

// changeProperties stores and removes properties by a statement for each; a and
// b are what a row has before name and xml.
func (tx *Tx) changeProperties(put, drop string, a, b any, set []Property, remove []string) error {
	for _, p := range set {
		if err := needText([]string{p.Name}, p.XML); err != nil {
			return err
		}
	}
	for _, name := range remove {
		if !key(name) {
			continue // nobody has it
		}
		if _, err := tx.exec(drop, a, b, name); err != nil {
			return err
		}
	}
	for _, p := range set {
		if _, err := tx.exec(put, a, b, p.Name, p.XML); err != nil {
			return err
		}
	}
	return nil
}

// PersonalProperties returns what a principal keeps with a collection of
// somebody else: properties that only he sees.
func (tx *Tx) PersonalProperties(principal, collection int64) ([]Property, error) {
	return collect(tx, `SELECT name, xml FROM personal WHERE collection = $2 AND principal = $1 ORDER BY name`, []any{principal, collection},
		func(p *Property) []any { return []any{&p.Name, &p.XML} })
}

// SetPersonalProperties stores and removes some of them.
func (tx *Tx) SetPersonalProperties(principal, collection int64, set []Property, remove []string) error {
	return tx.changeProperties(`INSERT INTO personal (principal, collection, name, xml) VALUES ($1, $2, $3, $4)
		ON CONFLICT (collection, principal, name) DO UPDATE SET xml = excluded.xml`,
		`DELETE FROM personal WHERE principal = $1 AND collection = $2 AND name = $3`, principal, collection, set, remove)
}
