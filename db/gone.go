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
