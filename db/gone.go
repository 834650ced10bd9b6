package db

// Gone names a collection that was deleted, or the name that it had before it
// was renamed.
type Gone struct {
	Collection int64
	Name       string
	Modseq     int64 // of the collection when it was left under this name
}

// GoneFrom returns the collections that are gone from a home.
func (tx *Tx) GoneFrom(owner int64, home CollectionKind) ([]Gone, error) {
	return collect(tx, `SELECT collection, name, modseq FROM gone WHERE owner = $1 AND home = $2 ORDER BY at, collection`, []any{owner, home.home()},
		func(g *Gone) []any { return []any{&g.Collection, &g.Name, &g.Modseq} })
}

// leave remembers under which name a collection was known.
func (tx *Tx) leave(id int64) error {
	_, err := tx.exec(`INSERT INTO gone (collection, owner, home, name, at, modseq) SELECT c.id, c.owner, c.home, c.name, $2, c.modseq FROM collection c WHERE c.id = $1
		ON CONFLICT (collection, name) DO UPDATE SET at = excluded.at, modseq = excluded.modseq`, id, micros(tx.stamp()))
	return err
}

// CollectionsBelow lists the collections inside a plain one, at every depth,
// by name.
func (tx *Tx) CollectionsBelow(owner int64, home CollectionKind, name string) ([]Collection, error) {
	if !key(name + "0") {
		return nil, nil
	}
	// "/" is followed by "0".
	return collect(tx, `SELECT `+collectionColumns+` FROM collection c WHERE c.owner = $1 AND c.home = $2 AND c.name > $3 AND c.name < $4 ORDER BY c.name`,
		[]any{owner, home.home(), name + "/", name + "0"}, (*Collection).fields)
}

// RenameCollection gives a collection another name in its home and raises its
// modseq; ErrExists if the name is taken. Its objects go with it.
func (tx *Tx) RenameCollection(c *Collection, name string) error {
	if err := needText([]string{name}); err != nil {
		return err
	}
	if _, err := tx.CollectionByName(c.Owner, c.Kind, name); err == nil {
		return ErrExists
	} else if err != ErrNotFound {
		return err
	}
	if err := tx.leave(c.ID); err != nil {
		return err
	}
	c.Name = name
	return tx.row(`UPDATE collection SET name = $2, modseq = modseq + 1 WHERE id = $1 RETURNING modseq`, []any{c.ID, name}, &c.Modseq)
}
