package db

// What a guest of a calendar has for himself of an object in it. It goes with
// the object, wherever that is moved, and with the guest.

// OwnTags returns the objects of a collection of which a principal has
// something for himself, each with the tag of that.
func (tx *Tx) OwnTags(principal, collection int64) (map[int64]string, error) {
	all := make(map[int64]string)
	err := tx.rows(ownTags, []any{principal, collection}, func(scan func(...any) error) error {
		var id int64
		var tag string
		err := scan(&id, &tag)
		all[id] = tag
		return err
	})
	return all, err
}

// ownTags begins with what there is of a guest, which is less than a calendar.
const ownTags = `SELECT w.object, w.tag FROM own w CROSS JOIN object o WHERE w.principal = $1 AND o.id = w.object AND o.collection = $2`

// OwnOf returns what a principal has for himself of some objects, by their ids.
func (tx *Tx) OwnOf(principal int64, objects []int64) (map[int64][]byte, error) {
	all := make(map[int64][]byte)
	err := chunks(objects, 2, func(in string, args []any) error {
		return tx.rows(`SELECT w.object, w.data FROM own w WHERE w.principal = $1 AND w.object IN `+in, append([]any{principal}, args...),
			func(scan func(...any) error) error {
				var id int64
				var data []byte
				err := scan(&id, &data)
				all[id] = data
				return err
			})
	})
	return all, err
}

// SetOwn stores what a principal has for himself of an object; nothing if data
// is empty.
func (tx *Tx) SetOwn(principal, object int64, data []byte) error {
	if len(data) == 0 {
		_, err := tx.exec(`DELETE FROM own WHERE principal = $1 AND object = $2`, principal, object)
		return err
	}
	_, err := tx.exec(`INSERT INTO own (principal, object, data, tag) VALUES ($1, $2, $3, $4)
		ON CONFLICT (principal, object) DO UPDATE SET data = excluded.data, tag = excluded.tag`, principal, object, data, ownTag(data))
	return err
}

// CopyOwn gives an object what everybody has for himself of another one.
func (tx *Tx) CopyOwn(from, to int64) error {
	_, err := tx.exec(`INSERT INTO own (principal, object, data, tag) SELECT principal, $2, data, tag FROM own WHERE object = $1
		ON CONFLICT (principal, object) DO NOTHING`, from, to)
	return err
}

// Owning returns who has something for himself in the collections of an owner,
// ascending.
func (tx *Tx) Owning(owner int64) ([]int64, error) {
	return collect(tx, `SELECT DISTINCT w.principal FROM own w CROSS JOIN object o CROSS JOIN collection c
		WHERE o.id = w.object AND c.id = o.collection AND c.owner = $1 ORDER BY w.principal`, []any{owner}, func(id *int64) []any { return []any{id} })
}

// DropOwn removes what a principal has for himself in a collection.
func (tx *Tx) DropOwn(principal, collection int64) error {
	_, err := tx.exec(`DELETE FROM own WHERE principal = $1 AND EXISTS (SELECT 1 FROM object o WHERE o.id = own.object AND o.collection = $2)`, principal, collection)
	return err
}

// SeenETag is the entity tag of an object as somebody sees it who has this for
// himself.
func SeenETag(etag string, own []byte) string { return TaggedETag(etag, ownTag(own)) }

// TaggedETag is SeenETag where the tag of it is known, "" for nothing.
func TaggedETag(etag, tag string) string {
	if tag == "" {
		return etag
	}
	return etag + "." + tag
}

func ownTag(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	return ETagOf(data)[:10]
}
