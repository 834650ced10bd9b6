package db

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Put is one object that PutAll stores, as PutObject has it: a new one where
// Expected is 0, else one that was loaded and stays in its place.
type Put struct {
	Object   *Object
	Body     []byte
	Record   Indexed
	Expected int64
}

// AtOnce is how many objects PutAll takes.
const AtOnce = 4

// PutAll raises the collections of a few objects of one conversation, in
// ascending order, and stores them under the new modseqs, which it sets in
// them: BumpCollections and PutObject of each, on PostgreSQL in one journey. No
// two bodies are equal. ErrConflict also where a collection is gone.
func (tx *Tx) PutAll(puts []Put) error {
	if len(puts) == 0 || len(puts) > AtOnce {
		return fmt.Errorf("db: PutAll of %d objects", len(puts))
	}
	together := tx.s.d == postgresDialect
	var collections []int64
	for _, p := range puts {
		if err := sound(p.Object, p.Record); err != nil {
			return err
		}
		if p.Object.UID != puts[0].Object.UID {
			return errors.New("db: PutAll: objects of different conversations")
		}
		together = together && (p.Expected == 0 || p.Object.ID != 0 && p.Object.body != 0)
		collections = append(collections, p.Object.Collection)
	}
	if !together {
		modseqs, err := tx.BumpCollections(collections...)
		if errors.Is(err, ErrNotFound) {
			return tx.fail(fmt.Errorf("%w: a collection", ErrConflict))
		}
		for _, p := range puts {
			if err != nil {
				return err
			}
			p.Object.Modseq = modseqs[p.Object.Collection]
			err = tx.PutObject(p.Object, p.Body, p.Record, p.Expected)
		}
		return err
	}
	return tx.putTogether(puts, collections)
}

// putTogether is PutAll in one statement. A part of it that reads what another
// part returns is done after it, so that whoever waits for a collection's row
// has written nothing yet, and the rows are waited for in their order (STORAGE
// 1, 5).
func (tx *Tx) putTogether(puts []Put, collections []int64) error {
	uid := puts[0].Object.UID
	tx.unheard = slices.DeleteFunc(tx.unheard, func(u string) bool { return u == uid })
	slices.Sort(collections)
	collections = slices.Compact(collections)

	var shape strings.Builder
	fmt.Fprint(&shape, len(collections))
	for _, p := range puts {
		fmt.Fprintf(&shape, " %t%d%d", p.Expected != 0, p.Object.record, p.Record.kind())
	}
	text, ok := putTogetherTexts.Load(shape.String())
	if !ok {
		text, _ = putTogetherTexts.LoadOrStore(shape.String(), putTogetherText(puts, len(collections)))
	}
	args := []any{uid}
	for _, c := range collections {
		args = append(args, c)
	}
	for _, p := range puts {
		if p.Expected != 0 {
			args = append(args, p.Object.ID)
		}
	}
	now := tx.stamp().Truncate(time.Microsecond)
	var into []any
	for _, p := range puts {
		o := p.Object
		o.ETag, o.Size, o.Deleted, o.Modified = ETagOf(p.Body), int64(len(p.Body)-p.Record.Hidden), false, now
		if o.Created.IsZero() {
			o.Created = now
		}
		args = append(args, bodyHash(o, p.Body), some(p.Body), o.Collection, o.Name, o.Component, o.ETag, o.ScheduleTag, o.Size,
			micros(o.Created), micros(o.Modified), p.Record.kind())
		if p.Expected != 0 {
			args = append(args, o.ID, p.Expected, o.body)
		}
		switch r := p.Record; {
		case r.Slot != nil:
			args = append(args, r.Slot.values()...)
		case r.Series != nil:
			args = append(args, r.Series.values()...)
		}
		o.record = p.Record.kind()
		into = append(into, &o.ID, &o.body, &o.Modseq)
	}
	err := tx.row(text.(string), args, into...)
	if errors.Is(err, ErrNotFound) {
		return tx.fail(fmt.Errorf("%w: an object", ErrConflict))
	}
	return err
}

// putTogetherTexts are the statements by what they write: few, since few are
// written together.
var putTogetherTexts sync.Map

// putTogetherText makes the statement for objects of these kinds in n
// collections.
func putTogetherText(puts []Put, n int) string {
	at := 1
	next := func(as string) string {
		at++
		return "$" + strconv.Itoa(at) + as
	}
	list := func(n int) string {
		var all []string
		for range n {
			all = append(all, next("::bigint"))
		}
		return strings.Join(all, ", ")
	}
	var b strings.Builder
	// Locked in their order first, as an UPDATE alone would not.
	fmt.Fprintf(&b, `WITH l AS MATERIALIZED (SELECT id FROM collection WHERE id IN (%s) ORDER BY id FOR NO KEY UPDATE),
		k AS (UPDATE collection SET modseq = collection.modseq + 1 FROM l WHERE collection.id = l.id RETURNING collection.id, collection.modseq)`, list(n))
	replaced := 0
	for _, p := range puts {
		if p.Expected != 0 {
			replaced++
		}
	}
	others := list(replaced)
	kept := make([]string, len(puts))
	for i := range puts {
		kept[i] = "(SELECT id FROM b" + strconv.Itoa(i) + ")"
	}
	var from, what []string
	var end strings.Builder // speaks of all that is before
	for i, p := range puts {
		x := strconv.Itoa(i)
		fmt.Fprintf(&b, `, b`+x+` AS (INSERT INTO body (uid, hash, data) VALUES ($1, %s, %s) ON CONFLICT (uid, hash) DO UPDATE SET uid = excluded.uid RETURNING id)`, next("::bytea"), next("::bytea"))
		collection, name, component, etag, tag := next("::bigint"), next(""), next(""), next(""), next("")
		size, created, modified, record := next("::bigint"), next("::bigint"), next("::bigint"), next("::smallint")
		if p.Expected == 0 {
			fmt.Fprintf(&b, `, o`+x+` AS (`+insertObject+` SELECT %s, %s, $1, %s, %s, %s, %s, k.modseq, %s, %s, %s, b`+x+`.id, 0 FROM k, b`+x+` WHERE k.id = %s
				`+replaceObject+` WHERE object.deleted = 1 RETURNING id, body, modseq)`,
				collection, name, component, etag, tag, size, created, modified, record, collection)
		} else {
			id, expected, old := next("::bigint"), next("::bigint"), next("::bigint")
			fmt.Fprintf(&b, `, o`+x+` AS (UPDATE object SET collection = %s, name = %s, uid = $1, component = %s, etag = %s, schedule_tag = %s, size = %s, modseq = k.modseq,
				created = %s, modified = %s, record = %s, body = b`+x+`.id FROM k, b`+x+` WHERE k.id = %s AND object.id = %s AND object.modseq = %s AND object.deleted = 0
				RETURNING object.id, object.body, object.modseq)`,
				collection, name, component, etag, tag, size, created, modified, record, collection, id, expected)
			// The body that it had, unless it is one of the new ones or another
			// object has it, who is not replaced here.
			fmt.Fprintf(&end, `, d`+x+` AS (DELETE FROM body USING o`+x+` WHERE body.id = %s AND body.id NOT IN (%s)
				AND NOT EXISTS (SELECT 1 FROM object o WHERE o.uid = body.uid AND o.body = body.id AND o.id NOT IN (%s)))`, old, strings.Join(kept, ", "), others)
		}
		kind := p.Record.kind()
		switch was := p.Object.record; {
		case p.Expected != 0 && was == inSlot && kind != inSlot:
			b.WriteString(`, x` + x + ` AS (DELETE FROM slot WHERE object IN (SELECT id FROM o` + x + `))`)
		case p.Expected != 0 && was == inSeries && kind != inSeries:
			b.WriteString(`, x` + x + ` AS (DELETE FROM series WHERE object IN (SELECT id FROM o` + x + `))`)
		}
		switch kind {
		case inSlot:
			fmt.Fprintf(&b, `, r`+x+` AS (`+insertSlot+` SELECT o`+x+`.id, %s, %s, %s, %s, %s FROM o`+x+` `+replaceSlot+`)`, collection,
				next("::bigint"), next("::bigint"), next("::smallint"), next("::smallint"))
		case inSeries:
			fmt.Fprintf(&b, `, r`+x+` AS (`+insertSeries+` SELECT o`+x+`.id, %s, %s, %s, %s, %s, %s FROM o`+x+` `+replaceSeries+`)`, collection,
				next("::bigint"), next("::bigint"), next("::bigint"), next("::smallint"), next("::bytea"))
		}
		from = append(from, "o"+x)
		what = append(what, "o"+x+".id, o"+x+".body, o"+x+".modseq")
	}
	b.WriteString(end.String() + ` SELECT ` + strings.Join(what, ", ") + ` FROM ` + strings.Join(from, ", "))
	return b.String()
}
