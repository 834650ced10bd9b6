package db

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Where an object's busy time stands.
const (
	inNone   = 0
	inSlot   = 1
	inSeries = 2
)

func (r Indexed) kind() int64 {
	switch {
	case r.Slot != nil:
		return inSlot
	case r.Series != nil:
		return inSeries
	}
	return inNone
}

// PutObject creates (o.ID 0) or replaces an object with body and record and
// sets o.ID, o.ETag, o.Size, o.Modified and, of a new one, o.Created where
// they are zero. o.Modseq is the collection's new modseq; expected is the
// modseq under which the object was loaded, 0 where none stood there (STORAGE
// 6): ErrConflict if that is no longer so. A tombstone of the name is taken
// over. Bodies are shared by content (STORAGE 17): the conversation is locked.
func (tx *Tx) PutObject(o *Object, body []byte, rec Indexed, expected int64) error {
	return tx.PutObjects([]*Object{o}, body, []Indexed{rec}, []int64{expected})
}

// PutObjects stores many that share one body, such as the copies of fifty
// attendees, in few statements. expected as in PutObject, one for each.
func (tx *Tx) PutObjects(os []*Object, body []byte, recs []Indexed, expected []int64) error {
	if len(os) == 0 {
		return tx.ready()
	}
	if len(recs) != len(os) || len(expected) != len(os) {
		return errors.New("db: PutObjects: lists of different length")
	}
	for i, o := range os {
		if err := sound(o, recs[i]); err != nil {
			return err
		}
		if o.UID != os[0].UID {
			return errors.New("db: PutObjects: objects of different conversations")
		}
	}
	tx.unheard = slices.DeleteFunc(tx.unheard, func(uid string) bool { return uid == os[0].UID })
	old, err := tx.loaded(os, expected)
	if err != nil {
		return err
	}
	if tx.s.d == postgresDialect && len(os) == 1 && expected[0] == 0 {
		return tx.putNew(os[0], body, recs[0], numbered)
	}
	id, err := tx.putBody(os[0], body)
	if err != nil {
		return err
	}
	etag, now := ETagOf(body), tx.stamp().Truncate(time.Microsecond)
	var fresh, replaced [][]any
	places := make(map[place]int, len(os))
	for i, o := range os {
		o.ETag, o.Size, o.Deleted, o.Modified = etag, int64(len(body)-recs[i].Hidden), false, now
		if o.Created.IsZero() {
			o.Created = now
		}
		places[place{o.Collection, o.Name}] = i
		row := []any{o.Collection, o.Name, o.UID, o.Component, o.ETag, o.ScheduleTag, o.Size, o.Modseq,
			micros(o.Created), micros(o.Modified), recs[i].kind(), id}
		if expected[i] == 0 {
			fresh = append(fresh, row)
		} else if len(os) > 1 {
			replaced = append(replaced, row)
		} else {
			replaced = append(replaced, append(row, o.ID, expected[i]))
		}
	}
	if len(places) < len(os) {
		return errors.New("db: PutObjects: two objects at one place")
	}
	stored := 0
	note := func(scan func(...any) error) error {
		var p place
		var row int64
		if err := scan(&row, &p.collection, &p.name); err != nil {
			return err
		}
		i, ok := places[p]
		if !ok {
			return fmt.Errorf("db: stored at a place that nobody named: %v", p)
		}
		os[i].ID = row
		stored++
		return nil
	}
	zero := func(rows [][]any) [][]any {
		for i := range rows {
			rows[i] = append(rows[i], 0)
		}
		return rows
	}
	if err := tx.insertMany(insertObject, replaceObject+` WHERE object.deleted = 1 RETURNING id, collection, name`, zero(fresh), note); err != nil {
		return err
	}
	if len(replaced) == 1 && len(os) == 1 {
		err = tx.rows(`UPDATE object SET collection = $1, name = $2, uid = $3, component = $4, etag = $5, schedule_tag = $6, size = $7,
			modseq = $8, created = $9, modified = $10, record = $11, body = $12
			WHERE id = $13 AND modseq = $14 AND deleted = 0 RETURNING id, collection, name`, replaced[0], note)
	} else {
		// loaded has compared them, and the collections are locked.
		err = tx.insertMany(insertObject, replaceObject+` WHERE object.deleted = 0 RETURNING id, collection, name`, zero(replaced), note)
	}
	if err != nil {
		return err
	}
	if stored != len(os) {
		return tx.fail(fmt.Errorf("%w: an object", ErrConflict))
	}
	if err := tx.putRecords(os, recs, old); err != nil {
		return err
	}
	for i, o := range os {
		o.body, o.record = id, recs[i].kind()
	}
	return tx.dropBodies(old, id)
}

// PutFirst is PutObject of a new object with BumpCollections of its collection,
// which no other change of the transaction concerns: on PostgreSQL one journey.
// It sets o.Modseq, too. ErrConflict also where the collection is gone.
func (tx *Tx) PutFirst(o *Object, body []byte, rec Indexed) error {
	if tx.s.d == postgresDialect {
		if err := sound(o, rec); err != nil {
			return err
		}
		tx.unheard = slices.DeleteFunc(tx.unheard, func(uid string) bool { return uid == o.UID })
		return tx.putNew(o, body, rec, first)
	}
	modseqs, err := tx.BumpCollections(o.Collection)
	if errors.Is(err, ErrNotFound) {
		return tx.fail(fmt.Errorf("%w: a collection", ErrConflict))
	}
	if err != nil {
		return err
	}
	o.Modseq = modseqs[o.Collection]
	return tx.PutObject(o, body, rec, 0)
}

// PutOnly is PutFirst of an object of the conversation of LockNew in a
// collection whose modseq was read before, and ends the transaction: nothing
// else may be written in it. If nothing was asked yet either, it is one statement
// on PostgreSQL, without BEGIN and COMMIT. The closure of Write is run again also
// where the collection has changed since.
func (tx *Tx) PutOnly(o *Object, body []byte, rec Indexed, modseq int64) error {
	if tx.fresh == "" {
		return tx.PutFirst(o, body, rec)
	}
	if err := sound(o, rec); err != nil {
		return err
	}
	if o.UID != tx.fresh {
		return errors.New("db: PutOnly: an object of another conversation")
	}
	o.Modseq = modseq
	err := tx.putNew(o, body, rec, only)
	if err != nil && tx.unanswered(err) {
		switch there, asked := tx.stands(o); {
		case asked != nil:
			err = failed(away, err, ambiguous)
			tx.err = err
		case there:
			tx.err, err = nil, nil
		}
	}
	tx.ended = true
	return err
}

// sound checks what is about to be stored; the transaction goes on.
func sound(o *Object, rec Indexed) error {
	if err := needText([]string{o.Name, o.UID}, o.Component, o.ScheduleTag); err != nil {
		return err
	}
	if s := rec.Slot; s != nil && (s.Fin < s.Start || s.Fin-s.Start > slotMax) {
		return fmt.Errorf("db: a slot of %d microseconds", s.Fin-s.Start)
	}
	return nil
}

type place struct {
	collection int64
	name       string
}

// before is what an object was before it is written.
type before struct{ body, record int64 }

// loaded returns what the objects to be replaced were. One that was loaded
// knows it by itself and is compared when it is written; of many the database
// is asked, for a statement for many rows compares none.
func (tx *Tx) loaded(os []*Object, expected []int64) ([]before, error) {
	old := make([]before, len(os))
	var ids []int64
	at := make(map[int64]int)
	for i, o := range os {
		if expected[i] == 0 {
			continue
		}
		if o.ID == 0 {
			return nil, errors.New("db: an object is expected but has no id")
		}
		old[i] = before{o.body, o.record}
		if len(os) > 1 || o.body == 0 {
			ids = append(ids, o.ID)
			at[o.ID] = i
		}
	}
	same := 0
	err := chunks(ids, 1, func(in string, args []any) error {
		return tx.rows(`SELECT id, collection, name, modseq, record, body FROM object WHERE deleted = 0 AND id IN `+in, args,
			func(scan func(...any) error) error {
				var id, modseq int64
				var p place
				var b before
				if err := scan(&id, &p.collection, &p.name, &modseq, &b.record, &b.body); err != nil {
					return err
				}
				i := at[id]
				if o := os[i]; modseq == expected[i] && p == (place{o.Collection, o.Name}) {
					old[i] = b
					same++
				}
				return nil
			})
	})
	if err == nil && same != len(at) {
		err = tx.fail(fmt.Errorf("%w: an object", ErrConflict))
	}
	return old, err
}

// putBody finds or makes the row of a body. A card or a file is in no
// conversation whose lock its writers hold, so it shares with nobody.
func (tx *Tx) putBody(o *Object, body []byte) (id int64, err error) {
	err = tx.row(insertBody, []any{o.UID, bodyHash(o, body), some(body)}, &id)
	return id, err
}

const (
	insertBody = `INSERT INTO body (uid, hash, data) VALUES ($1, $2, $3) ` + shareBody
	shareBody  = `ON CONFLICT (uid, hash) DO UPDATE SET uid = excluded.uid RETURNING id`
)

func bodyHash(o *Object, body []byte) []byte {
	hash := sha256.Sum256(body)
	if o.Component == "VCARD" || strings.Contains(o.Component, "/") {
		rand.Read(hash[:])
	}
	return hash[:]
}

// putNew is PutObjects of one new object on PostgreSQL, where each statement
// is a journey: body, object and record go in one. Unless the collection was
// numbered before, it gets its new modseq as well, which then counts instead of
// o.Modseq. SQLite knows no INSERT within another statement, and needs none.
func (tx *Tx) putNew(o *Object, body []byte, rec Indexed, how int) error {
	now := tx.stamp().Truncate(time.Microsecond)
	o.ETag, o.Size, o.Deleted, o.Modified, o.record = ETagOf(body), int64(len(body)-rec.Hidden), false, now, rec.kind()
	if o.Created.IsZero() {
		o.Created = now
	}
	kind := &newObject
	args := []any{o.UID, bodyHash(o, body), some(body), o.Collection, o.Name, o.Component, o.ETag, o.ScheduleTag, o.Size, o.Modseq,
		micros(o.Created), micros(o.Modified), o.record}
	switch {
	case rec.Slot != nil:
		kind, args = &newSlot, append(args, rec.Slot.values()...)
	case rec.Series != nil:
		kind, args = &newSeries, append(args, rec.Series.values()...)
	}
	found, run := false, tx.do
	if how == only {
		run = tx.send
	}
	err := run(kind[how], func(st statement) error {
		return st.query(unwatched, args, func(scan func(...any) error) error {
			found = true
			return scan(&o.ID, &o.body, &o.Modseq)
		})
	})
	switch {
	case err != nil || found:
		return err
	case how == only:
		return tx.fail(errHeard)
	}
	return tx.fail(fmt.Errorf("%w: an object", ErrConflict))
}

// In which way putNew gets the collection's modseq.
const (
	numbered = iota // it was raised before
	first           // it is raised now
	only            // the same, if it is still what it was and the conversation is new
)

const (
	insertObject  = `INSERT INTO object (collection, name, uid, component, etag, schedule_tag, size, modseq, created, modified, record, body, deleted)`
	replaceObject = `ON CONFLICT (collection, name) DO UPDATE SET uid = excluded.uid, component = excluded.component, etag = excluded.etag,
		schedule_tag = excluded.schedule_tag, size = excluded.size, modseq = excluded.modseq, created = excluded.created,
		modified = excluded.modified, record = excluded.record, body = excluded.body, deleted = 0`
	insertSlot    = `INSERT INTO slot (object, collection, start, fin, busy, floating)`
	replaceSlot   = `ON CONFLICT (object) DO UPDATE SET collection = excluded.collection, start = excluded.start, fin = excluded.fin, busy = excluded.busy, floating = excluded.floating`
	insertSeries  = `INSERT INTO series (object, collection, start, fin, covered, floating, runs)`
	replaceSeries = `ON CONFLICT (object) DO UPDATE SET collection = excluded.collection, start = excluded.start, fin = excluded.fin, covered = excluded.covered, floating = excluded.floating, runs = excluded.runs`
)

// The statements of putNew, without a record and with either. An UPDATE that
// another part of the statement reads is done before it, and locks: what waits
// for it goes on with the row as it is then.
var (
	newObject = newTexts("")
	newSlot   = newTexts(`, r AS (` + insertSlot + ` SELECT o.id, $4::bigint, $14::bigint, $15::bigint, $16::smallint, $17::smallint FROM o ` + replaceSlot + `)`)
	newSeries = newTexts(`, r AS (` + insertSeries + ` SELECT o.id, $4::bigint, $14::bigint, $15::bigint, $16::bigint, $17::smallint, $18::bytea FROM o ` + replaceSeries + `)`)
)

// newTexts are the statements of putNew with this part for the record, by numbered,
// first and only. Of only nothing is written unless all of it is.
func newTexts(record string) (texts [3]string) {
	const values = `VALUES ($1, $2, $3)`
	text := func(number, body string) string {
		return `WITH ` + number + `, b AS (INSERT INTO body (uid, hash, data) ` + body + ` ` + shareBody + `), o AS (` + insertObject + `
			SELECT $4::bigint, $5, $1, $6, $7, $8, $9::bigint, k.modseq, $11::bigint, $12::bigint, $13::smallint, b.id, 0 FROM k, b
			` + replaceObject + ` WHERE object.deleted = 1 RETURNING id)` + record + ` SELECT o.id, b.id, k.modseq FROM k, o, b`
	}
	texts[numbered] = text(`k AS (SELECT $10::bigint AS modseq)`, values)
	// $10 has to stand somewhere.
	texts[first] = text(`k AS (UPDATE collection SET modseq = modseq + 1 WHERE id = $4::bigint AND $10::bigint IS NOT NULL RETURNING modseq)`, values)
	texts[only] = text(`t AS (INSERT INTO thread (uid, seq) SELECT $1::text, 1 FROM collection c WHERE c.id = $4::bigint AND c.modseq = $10::bigint
			ON CONFLICT (uid) DO NOTHING RETURNING seq),
		k AS (UPDATE collection SET modseq = collection.modseq + t.seq FROM t WHERE collection.id = $4::bigint AND collection.modseq = $10::bigint
			AND NOT EXISTS (SELECT 1 FROM object x WHERE x.collection = $4::bigint AND x.name = $5 AND x.deleted = 0) RETURNING collection.modseq)`,
		`SELECT $1, $2::bytea, $3::bytea FROM k`)
	return texts
}

// dropBodies removes the bodies of what was, except keep, unless another
// object of the conversation refers to them.
func (tx *Tx) dropBodies(old []before, keep int64) error {
	seen := map[int64]bool{0: true, keep: true}
	for _, b := range old {
		if seen[b.body] {
			continue
		}
		seen[b.body] = true
		_, err := tx.exec(`DELETE FROM body WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM object o WHERE o.uid = body.uid AND o.body = $1)`, b.body)
		if err != nil {
			return err
		}
	}
	return nil
}

// putRecords stores busy time and removes what stood in the other table.
func (tx *Tx) putRecords(os []*Object, recs []Indexed, old []before) error {
	var slots, series [][]any
	var notSlot, notSeries []int64
	for i, o := range os {
		kind := recs[i].kind()
		if old[i].record == inSlot && kind != inSlot {
			notSlot = append(notSlot, o.ID)
		}
		if old[i].record == inSeries && kind != inSeries {
			notSeries = append(notSeries, o.ID)
		}
		switch kind {
		case inSlot:
			slots = append(slots, append([]any{o.ID, o.Collection}, recs[i].Slot.values()...))
		case inSeries:
			series = append(series, append([]any{o.ID, o.Collection}, recs[i].Series.values()...))
		}
	}
	if err := tx.dropRecords(notSlot, notSeries); err != nil {
		return err
	}
	if err := tx.insertMany(insertSlot, replaceSlot, slots, nil); err != nil {
		return err
	}
	return tx.insertMany(insertSeries, replaceSeries, series, nil)
}

func (tx *Tx) dropRecords(slots, series []int64) error {
	err := chunks(slots, 1, func(in string, args []any) error {
		_, err := tx.exec(`DELETE FROM slot WHERE object IN `+in, args...)
		return err
	})
	if err != nil {
		return err
	}
	return chunks(series, 1, func(in string, args []any) error {
		_, err := tx.exec(`DELETE FROM series WHERE object IN `+in, args...)
		return err
	})
}

// standing reads what a change needs of a live object; ErrConflict if it is no
// longer as loaded. The collection is locked, so it stays so. owned counts who
// has something for himself of it.
func (tx *Tx) standing(id, expected int64) (o Object, owned int64, err error) {
	err = tx.row(`SELECT `+objectColumns+`, (SELECT count(*) FROM own w WHERE w.object = o.id) FROM object o WHERE o.id = $1 AND o.modseq = $2 AND o.deleted = 0`,
		[]any{id, expected}, append(o.fields(), &owned)...)
	if errors.Is(err, ErrNotFound) {
		err = tx.fail(fmt.Errorf("%w: an object", ErrConflict))
	}
	return o, owned, err
}

// DeleteObject leaves a tombstone with the given modseq; ErrConflict if the
// object is no longer as loaded.
func (tx *Tx) DeleteObject(id, modseq, expected int64) error {
	o, owned, err := tx.standing(id, expected)
	if err != nil {
		return err
	}
	_, err = tx.exec(`UPDATE object SET modseq = $2, deleted = 1, record = 0, body = 0, modified = $3 WHERE id = $1`, id, modseq, micros(tx.stamp()))
	if err != nil {
		return err
	}
	switch o.record {
	case inSlot:
		err = tx.dropRecords([]int64{id}, nil)
	case inSeries:
		err = tx.dropRecords(nil, []int64{id})
	}
	if err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM property WHERE resource = 'object' AND id = $1`, id); err != nil {
		return err
	}
	if owned > 0 { // the row may become another object of that name
		if _, err := tx.exec(`DELETE FROM own WHERE object = $1`, id); err != nil {
			return err
		}
	}
	return tx.dropBodies([]before{{o.body, o.record}}, 0)
}

// MoveObject puts an object under another collection and name and leaves a
// tombstone at the old place. modseqs are those of the bumped collections.
// ErrExists if a live object is there, ErrConflict if the moved one is no
// longer as loaded.
func (tx *Tx) MoveObject(id, expected int64, from, to int64, name string, fromModseq, toModseq int64) error {
	if err := needText([]string{name}); err != nil {
		return err
	}
	o, _, err := tx.standing(id, expected)
	if err != nil {
		return err
	}
	if o.Collection != from {
		return tx.fail(fmt.Errorf("%w: an object", ErrConflict))
	}
	var live bool
	switch err := tx.row(`SELECT 1 - deleted FROM object WHERE collection = $1 AND name = $2`, []any{to, name}, flag{&live}); {
	case err == nil && live:
		return fmt.Errorf("%w: the object %s", ErrExists, name)
	case err == nil: // its tombstone: the object that comes is a newer change
		if _, err := tx.exec(`DELETE FROM object WHERE collection = $1 AND name = $2 AND deleted = 1`, to, name); err != nil {
			return err
		}
	case !errors.Is(err, ErrNotFound):
		return err
	}
	now := micros(tx.stamp())
	if _, err := tx.exec(`UPDATE object SET collection = $2, name = $3, modseq = $4 WHERE id = $1`, id, to, name, toModseq); err != nil {
		return err
	}
	_, err = tx.exec(`INSERT INTO object (collection, name, uid, component, etag, schedule_tag, size, modseq, deleted, created, modified, record, body)
		VALUES ($1, $2, $3, $4, '', '', 0, $5, 1, $6, $7, 0, 0)`, from, o.Name, o.UID, o.Component, fromModseq, micros(o.Created), now)
	if err != nil {
		return err
	}
	switch o.record {
	case inSlot:
		_, err = tx.exec(`UPDATE slot SET collection = $2 WHERE object = $1`, id, to)
	case inSeries:
		_, err = tx.exec(`UPDATE series SET collection = $2 WHERE object = $1`, id, to)
	}
	return err
}
