package db

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Object is one resource in a collection, or the tombstone that it left.
type Object struct {
	ID          int64
	Collection  int64
	Name        string // path segment, decoded
	UID         string
	Component   string // VEVENT, VTODO, ..., VCARD; of an ordinary file its media type
	ETag        string // without quotes
	ScheduleTag string // without quotes; "" for what is no scheduling object
	Size        int64
	Modseq      int64 // of the collection when it last changed
	Deleted     bool
	Created     time.Time
	Modified    time.Time

	Body []byte // only where a method says so

	body   int64 // row of body; 0 in an object that was not loaded
	record int64 // where its busy time stands
}

// ETagOf derives the entity tag of a body.
func ETagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:15])
}

const objectColumns = `o.id, o.collection, o.name, o.uid, o.component, o.etag, o.schedule_tag, o.size, o.modseq, o.deleted, o.created, o.modified, o.record, o.body`

func (o *Object) fields() []any {
	return []any{&o.ID, &o.Collection, &o.Name, &o.UID, &o.Component, &o.ETag, &o.ScheduleTag, &o.Size, &o.Modseq,
		flag{&o.Deleted}, when{&o.Created}, when{&o.Modified}, &o.record, &o.body}
}

func (o *Object) withBody() []any { return append(o.fields(), &o.Body) }

// Object returns a live object with its body; ErrNotFound for a tombstone.
func (tx *Tx) Object(collection int64, name string) (o Object, err error) {
	if !key(name) {
		return o, ErrNotFound
	}
	err = tx.row(`SELECT `+objectColumns+`, b.data FROM object o JOIN body b ON b.id = o.body
		WHERE o.collection = $1 AND o.name = $2 AND o.deleted = 0`, []any{collection, name}, o.withBody()...)
	return o, err
}

// ObjectAt is Object by owner and path in one statement, for GET: the hot path.
// version is the owner's Principal.Version, also with ErrNotFound if there is
// such an owner: then it is not 0.
func (tx *Tx) ObjectAt(owner int64, home CollectionKind, collection, name string) (o Object, kind CollectionKind, version int64, err error) {
	if !key(name) || !key(collection) {
		name, collection = "", ""
	}
	var k nullText
	err = tx.row(`SELECT p.version, c.kind, `+objectAtColumns+` FROM principal p
		LEFT JOIN collection c ON c.owner = p.id AND c.home = $2 AND c.name = $3
		LEFT JOIN object o ON o.collection = c.id AND o.name = $4 AND o.deleted = 0
		LEFT JOIN body b ON b.id = o.body
		WHERE p.id = $1`, []any{owner, home.home(), collection, name},
		append([]any{&version, &k}, o.withBody()...)...)
	if err == nil && o.ID == 0 {
		err = ErrNotFound
	}
	return o, CollectionKind(k), version, err
}

// objectAtColumns are objectColumns where there may be no object.
const objectAtColumns = `coalesce(o.id, 0), coalesce(o.collection, 0), coalesce(o.name, ''), coalesce(o.uid, ''), coalesce(o.component, ''), coalesce(o.etag, ''), coalesce(o.schedule_tag, ''), coalesce(o.size, 0), coalesce(o.modseq, 0), coalesce(o.deleted, 0), coalesce(o.created, 0), coalesce(o.modified, 0), coalesce(o.record, 0), coalesce(o.body, 0), b.data`

// nullText scans null as "".
type nullText string

func (n *nullText) Scan(v any) error {
	switch v := v.(type) {
	case string:
		*n = nullText(v)
	case []byte:
		*n = nullText(v)
	case nil:
		*n = ""
	default:
		return fmt.Errorf("db: %T is no text", v)
	}
	return nil
}

// OwnedObject is an Object with where it lies.
type OwnedObject struct {
	Object
	Owner          int64
	CollectionName string
}

// ObjectsByUID returns the live objects with this UID in calendars (never
// inboxes) of any of the owners, with bodies, by id; without owners: of
// everybody.
func (tx *Tx) ObjectsByUID(uid string, owners ...int64) ([]OwnedObject, error) {
	if !key(uid) || slices.Contains(tx.unheard, uid) {
		return nil, tx.ready()
	}
	q := `SELECT ` + objectColumns + `, b.data, c.owner, c.name FROM object o JOIN collection c ON c.id = o.collection JOIN body b ON b.id = o.body
		WHERE o.uid = $1 AND o.deleted = 0 AND c.kind = 'calendar'`
	fields := func(o *OwnedObject) []any { return append(o.Object.withBody(), &o.Owner, &o.CollectionName) }
	if len(owners) == 0 {
		return collect(tx, q+` ORDER BY o.id`, []any{uid}, fields)
	}
	var all []OwnedObject
	err := chunks(owners, 2, func(in string, args []any) error {
		part, err := collect(tx, q+` AND c.owner IN `+in+` ORDER BY o.id`, append([]any{uid}, args...), fields)
		all = append(all, part...)
		return err
	})
	if len(owners) > most {
		slices.SortFunc(all, func(a, b OwnedObject) int { return cmp.Compare(a.ID, b.ID) })
	}
	return all, err
}

// Part is ObjectsByUID of one owner with CollectionsOf him, in one statement.
// decided tells whether there is a decision with a key; "": none is looked for.
func (tx *Tx) Part(uid string, owner int64, once string, kinds ...CollectionKind) (have []OwnedObject, all []Collection, decided bool, err error) {
	if !key(uid) || !key(once) || slices.Contains(tx.unheard, uid) {
		all, err = tx.CollectionsOf([]int64{owner}, kinds...)
		return nil, all, false, err
	}
	err = tx.rows(part, []any{uid, owner, once}, func(scan func(...any) error) error {
		var c Collection
		var o OwnedObject
		var decisions int64
		if err := scan(append(append(c.fields(), o.withBody()...), &decisions)...); err != nil {
			return err
		}
		decided = decided || decisions > 0
		if o.ID != 0 {
			o.Owner, o.CollectionName = owner, c.Name
			have = append(have, o)
		}
		if slices.Contains(kinds, c.Kind) && !slices.ContainsFunc(all, func(x Collection) bool { return x.ID == c.ID }) {
			all = append(all, c)
		}
		return nil
	})
	slices.SortFunc(have, func(a, b OwnedObject) int { return cmp.Compare(a.ID, b.ID) })
	return have, all, decided, err
}

// part begins with the conversation, which is smaller than any calendar.
const part = `WITH h AS MATERIALIZED (SELECT ` + objectColumns + ` FROM object o WHERE o.uid = $1 AND o.deleted = 0)
	SELECT ` + collectionColumns + `, ` + objectAtColumns + `, (SELECT count(*) FROM decision WHERE once = $3) FROM collection c
	LEFT JOIN h o ON o.collection = c.id AND c.kind = 'calendar'
	LEFT JOIN body b ON b.id = o.body
	WHERE c.owner = $2`

// NamesByUID returns the names of the live objects of a collection that have
// this UID; at most one does, unless it is an inbox.
func (tx *Tx) NamesByUID(collection int64, uid string) ([]string, error) {
	if !key(uid) {
		return nil, nil
	}
	return collect(tx, `SELECT o.name FROM object o WHERE o.uid = $1 AND o.collection = $2 AND o.deleted = 0 ORDER BY o.name`,
		[]any{uid, collection}, func(s *string) []any { return []any{s} })
}

// List returns live objects without bodies, by name, after a name.
func (tx *Tx) List(collection int64, after string, limit int) ([]Object, error) {
	if !key(after) {
		return nil, nil
	}
	return collect(tx, `SELECT `+objectColumns+` FROM object o WHERE o.collection = $1 AND o.deleted = 0 AND o.name > $2 ORDER BY o.name LIMIT $3`,
		[]any{collection, after, limit}, (*Object).fields)
}

// Listed is what most listings ask of an object.
type Listed struct{ Name, ETag string }

const listNames = `SELECT o.name, o.etag FROM object o WHERE o.collection = $1 AND o.deleted = 0 AND o.name > $2 ORDER BY o.name LIMIT $3`

// Names is List where name and entity tag are enough: the index alone answers
// (STORAGE 19).
func (tx *Tx) Names(collection int64, after string, limit int) ([]Listed, error) {
	if !key(after) {
		return nil, nil
	}
	return collect(tx, listNames,
		[]any{collection, after, limit}, func(l *Listed) []any { return []any{&l.Name, &l.ETag} })
}

// ByNames returns the live objects of these names with bodies, in any order.
func (tx *Tx) ByNames(collection int64, names []string) ([]Object, error) {
	var all []Object
	err := chunks(keys(names), 2, func(in string, args []any) error {
		part, err := collect(tx, `SELECT `+objectColumns+`, b.data FROM object o JOIN body b ON b.id = o.body
			WHERE o.collection = $1 AND o.name IN `+in+` AND o.deleted = 0`, append([]any{collection}, args...), (*Object).withBody)
		all = append(all, part...)
		return err
	})
	return all, err
}

// ByIDs returns live objects with bodies, in any order.
func (tx *Tx) ByIDs(ids []int64) ([]Object, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	var all []Object
	err := chunks(ids, 1, func(in string, args []any) error {
		part, err := collect(tx, `SELECT `+objectColumns+`, b.data FROM object o JOIN body b ON b.id = o.body
			WHERE o.id IN `+in+` AND o.deleted = 0`, args, (*Object).withBody)
		all = append(all, part...)
		return err
	})
	return all, err
}

// Heads returns live objects without bodies, in any order.
func (tx *Tx) Heads(ids []int64) ([]Object, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	var all []Object
	err := chunks(ids, 1, func(in string, args []any) error {
		part, err := collect(tx, `SELECT `+objectColumns+` FROM object o WHERE o.id IN `+in+` AND o.deleted = 0`, args, (*Object).fields)
		all = append(all, part...)
		return err
	})
	return all, err
}

// SmallByIDs is ByIDs for a page of objects whose sizes nobody knows yet:
// bodies of more than limit octets are left out, so that a page is bounded.
func (tx *Tx) SmallByIDs(ids []int64, limit int64) ([]Object, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	var all []Object
	err := chunks(ids, 2, func(in string, args []any) error {
		part, err := collect(tx, `SELECT `+objectColumns+`, CASE WHEN o.size <= $1 THEN b.data END FROM object o JOIN body b ON b.id = o.body
			WHERE o.id IN `+in+` AND o.deleted = 0`, append([]any{limit}, args...), (*Object).withBody)
		all = append(all, part...)
		return err
	})
	return all, err
}

// SmallByNames is ByNames with the bound of SmallByIDs.
func (tx *Tx) SmallByNames(collection int64, names []string, limit int64) ([]Object, error) {
	var all []Object
	err := chunks(keys(names), 3, func(in string, args []any) error {
		part, err := collect(tx, `SELECT `+objectColumns+`, CASE WHEN o.size <= $1 THEN b.data END FROM object o JOIN body b ON b.id = o.body
			WHERE o.collection = $2 AND o.name IN `+in+` AND o.deleted = 0`, append([]any{limit, collection}, args...), (*Object).withBody)
		all = append(all, part...)
		return err
	})
	return all, err
}

// SearchUID returns the ids of the live objects of a collection whose UID
// contains text, letters of ASCII in either case. It reads the names and UIDs of
// the whole collection, from an index.
func (tx *Tx) SearchUID(collection int64, text string) ([]int64, error) {
	if !key(text) {
		return nil, nil
	}
	pattern := "%" + likeLiteral(asciiUpper(text)) + "%"
	return collect(tx, searchUID, []any{collection, pattern}, func(id *int64) []any { return []any{id} })
}

const searchUID = `SELECT o.id FROM object o WHERE o.collection = $1 AND o.deleted = 0 AND upper(o.uid) LIKE $2 ESCAPE '\' ORDER BY o.name`

// asciiUpper is what upper does in the database, whose texts are compared by
// their bytes.
func asciiUpper(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

// Changes returns objects and tombstones changed after (modseq, id), ordered
// by (modseq, id), without bodies (STORAGE 10). since 0 leaves tombstones out:
// whoever has nothing yet need not hear of what is gone.
func (tx *Tx) Changes(collection int64, modseq, id int64, limit int) ([]Object, error) {
	return collect(tx, `SELECT `+objectColumns+` FROM object o WHERE o.collection = $1 AND (o.modseq, o.id) > ($2, $3) AND ($2 > 0 OR o.deleted = 0)
		ORDER BY o.modseq, o.id LIMIT $4`, []any{collection, modseq, id, limit}, (*Object).fields)
}

// UsedBytes returns how many octets an owner keeps in live objects, and beside
// those of others.
func (tx *Tx) UsedBytes(owner int64) (n int64, err error) {
	err = tx.row(`SELECT coalesce(sum(o.size), 0) + (SELECT coalesce(sum(length(w.data)), 0) FROM own w WHERE w.principal = $1)
		FROM collection c JOIN object o ON o.collection = c.id AND o.deleted = 0 WHERE c.owner = $1`, []any{owner}, &n)
	return n, err
}

// CountObjects returns how many live objects a collection has.
func (tx *Tx) CountObjects(collection int64) (n int64, err error) {
	err = tx.row(`SELECT count(*) FROM object WHERE collection = $1 AND deleted = 0`, []any{collection}, &n)
	return n, err
}
