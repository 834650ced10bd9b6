package db

import (
	"slices"
	"strconv"
	"strings"
)

// Slot and Series are the live record of busy time (STORAGE 13 to 15); see
// ics.Slot and ics.Series for what the fields mean. Times are microseconds.
type Slot struct {
	Start, Fin int64
	Type       uint8
	Floating   bool
}

type Series struct {
	First, Last, CoveredUntil int64
	Runs                      []byte
	Floating                  bool
}

// Indexed is an object's record: one of the two or none.
type Indexed struct {
	Slot   *Slot
	Series *Series
	// Hidden is how many octets of the body no program sees: Object.Size is
	// without them.
	Hidden int
}

// Candidate is an object that may have an instance in a window.
type Candidate struct {
	ID     int64
	Slot   *Slot   // set: it does, unless the slot floats
	Series *Series // set: look at the runs
}

// BusyRow is one row of busy time.
type BusyRow struct {
	Owner      int64
	Collection int64
	Object     int64
	Guest      int64  // whose time it is, who has the calendar from Owner; 0: Owner's
	Own        []byte // what he has for himself of the object, if that says more than the record
	Slot       *Slot
	Series     *Series
}

// Whose time it is.
func (r *BusyRow) Whose() int64 {
	if r.Guest != 0 {
		return r.Guest
	}
	return r.Owner
}

const (
	hour    = int64(3600e6)
	slotMax = 7 * 24 * hour // longest slot; longer ones are series
	// endless bounds times: far from overflow.
	endless = int64(1) << 61
)

func (s *Slot) fields() []any { return []any{&s.Start, &s.Fin, &s.Type, flag{&s.Floating}} }
func (s *Series) fields() []any {
	return []any{&s.First, &s.Last, &s.CoveredUntil, flag{&s.Floating}, &s.Runs}
}

func (s *Slot) values() []any { return []any{s.Start, s.Fin, int64(s.Type), bit(s.Floating)} }
func (s *Series) values() []any {
	return []any{s.First, s.Last, s.CoveredUntil, bit(s.Floating), some(s.Runs)}
}

const (
	slotColumns   = `s.start, s.fin, s.busy, s.floating`
	seriesColumns = `s.start, s.fin, s.covered, s.floating, s.runs`
	// A slot meets [$1, $2) unless it ends where that starts; a point in time
	// meets it from its start on (RFC 4791 §9.9). The first line are the two
	// bounds of the index, the third holds for floating ones.
	slotMeets = `s.start > $1 - 655200000000 AND s.start < $2 + 50400000000
		AND (s.floating = 0 AND s.start < $2 AND (s.fin > $1 OR s.start >= $1)
			OR s.floating = 1 AND s.start < $2 + 50400000000 AND s.fin >= $1 - 50400000000)`
	seriesMeets = `s.fin >= $1 - 50400000000 AND s.start < $2 + 50400000000`
)

func bounded(us int64) int64 { return min(max(us, -endless), endless) }

// The statements of InRange. TestPlans keeps them on their indexes.
const (
	slotsInRange  = `SELECT s.object, ` + slotColumns + ` FROM slot s WHERE s.collection = $3 AND ` + slotMeets
	seriesInRange = `SELECT s.object, ` + seriesColumns + ` FROM series s WHERE s.collection = $3 AND ` + seriesMeets
	unrecorded    = `SELECT o.id FROM object o WHERE o.collection = $1 AND o.record = 0 AND o.deleted = 0 AND ($2 = '' OR o.component = $2)`
)

// InRange returns the objects whose record meets [from, to) in microseconds;
// floating ones are found 14 hours to either side. component "" means any;
// objects without a record (no VEVENT) of the component come always. Slots are
// answered by their index alone: what else is to be known of an object is
// asked for by its id, page by page.
func (tx *Tx) InRange(collection int64, component string, from, to int64) ([]Candidate, error) {
	args := []any{bounded(from), bounded(to), collection}
	var all []Candidate
	if component == "" || component == "VEVENT" { // nothing else has a record
		slots, err := collect(tx, slotsInRange, args,
			func(c *Candidate) []any {
				c.Slot = new(Slot)
				return append([]any{&c.ID}, c.Slot.fields()...)
			})
		if err != nil {
			return nil, err
		}
		series, err := collect(tx, seriesInRange, args,
			func(c *Candidate) []any {
				c.Series = new(Series)
				return append([]any{&c.ID}, c.Series.fields()...)
			})
		if err != nil {
			return nil, err
		}
		all = append(slots, series...)
	}
	rest, err := collect(tx, unrecorded, []any{collection, component},
		func(c *Candidate) []any { return []any{&c.ID} })
	return append(all, rest...), err
}

// BusyRows returns what stands in [from, to) in the opaque calendars of many
// owners at once, free slots and the conversation except left out; floating
// ones are found as in InRange. Series come if their span meets the window.
func (tx *Tx) BusyRows(owners []int64, from, to int64, except string) ([]BusyRow, error) {
	return tx.BusyRowsAt(owners, from, to, except, Rhythm{})
}

// Rhythm is what times have in common that come again and again: all lie within
// parts of a period. The zero Rhythm has every time.
type Rhythm struct {
	Every int64   // microseconds
	Parts []Phase // at most 4
}

// Phase is Length microseconds from Start on, and again after each period.
type Phase struct{ Start, Length int64 }

// earliest is what a time is counted from in a rhythm: before all that are
// stored, so that no remainder is negative.
const earliest = int64(1) << 56

// meets is the condition that a slot overlaps a time of the rhythm, with its
// arguments from $n on.
func (r Rhythm) meets(n int, args []any) (string, []any) {
	if len(r.Parts) == 0 {
		return "", args
	}
	size := 1
	for size < len(r.Parts) {
		size *= 2
	}
	every := "$" + strconv.Itoa(n)
	args = append(args, r.Every)
	var or []string
	for i := range size {
		p := r.Parts[min(i, len(r.Parts)-1)]
		at := "(s.start - $" + strconv.Itoa(n+1+2*i) + ") % " + every
		or = append(or, at+" < $"+strconv.Itoa(n+2+2*i)+" OR "+at+" + s.fin - s.start > "+every)
		args = append(args, p.Start%r.Every-earliest/r.Every*r.Every, p.Length)
	}
	return " AND (" + strings.Join(or, " OR ") + ")", args
}

// RecordIn returns what stands in [from, to) in some calendars, whether they are
// opaque or not, and free slots too, which are busy for somebody else perhaps.
// Of the conversation except nothing is returned.
func (tx *Tx) RecordIn(collections []int64, from, to int64, except string) (all []BusyRow, err error) {
	collections = slices.Compact(slices.Sorted(slices.Values(collections)))
	left, err := tx.objectsOf(except)
	if err != nil {
		return nil, err
	}
	err = chunks(collections, 3, func(in string, args []any) error {
		args = append([]any{bounded(from), bounded(to)}, args...)
		part, err := tx.recordsOf(`c.kind = 'calendar' AND c.id IN `+in, args, "", args)
		all = append(all, part...)
		return err
	})
	return without(all, left), err
}

// objectsOf are the few objects of a conversation, by which rows are passed over
// without knowing the UID of each.
func (tx *Tx) objectsOf(uid string) ([]int64, error) {
	if uid == "" || !key(uid) {
		return nil, nil
	}
	return collect(tx, `SELECT o.id FROM object o WHERE o.uid = $1 AND o.deleted = 0`, []any{uid}, func(id *int64) []any { return []any{id} })
}

func without(rows []BusyRow, left []int64) []BusyRow {
	if len(left) == 0 {
		return rows
	}
	return slices.DeleteFunc(rows, func(r BusyRow) bool { return slices.Contains(left, r.Object) })
}

// HasOf returns those of some objects whose conversation somebody has in a
// calendar of his own.
func (tx *Tx) HasOf(owner int64, objects []int64) (all []int64, err error) {
	err = chunks(objects, 2, func(in string, args []any) error {
		part, err := collect(tx, `SELECT o.id FROM object o WHERE o.id IN `+in+` AND EXISTS (SELECT 1 FROM object m JOIN collection c ON c.id = m.collection
			WHERE m.uid = o.uid AND m.deleted = 0 AND c.owner = $1 AND c.kind = 'calendar')`, append([]any{owner}, args...), func(id *int64) []any { return []any{id} })
		all = append(all, part...)
		return err
	})
	return all, err
}

// BusyRowsAt is BusyRows without the slots that overlap no time of a rhythm.
func (tx *Tx) BusyRowsAt(owners []int64, from, to int64, except string, at Rhythm) ([]BusyRow, error) {
	owners = slices.Compact(slices.Sorted(slices.Values(owners)))
	left, err := tx.objectsOf(except)
	if err != nil {
		return nil, err
	}
	var all []BusyRow
	err = chunks(owners, 3, func(in string, args []any) error {
		args = append([]any{bounded(from), bounded(to)}, args...)
		meets, more := at.meets(len(args)+1, slices.Clip(args))
		part, err := tx.recordsOf(`c.kind = 'calendar' AND c.transparent = 0 AND c.owner IN `+in, args, ` AND s.busy <> 0`+meets, more)
		all = append(all, part...)
		return err
	})
	return without(all, left), err
}

// recordsOf returns the slots and the series of some calendars that meet the window
// of the first two arguments. Slots have a condition more, and arguments for it.
func (tx *Tx) recordsOf(calendars string, args []any, only string, more []any) ([]BusyRow, error) {
	const head = `SELECT c.owner, s.collection, s.object, `
	slots, err := collect(tx, head+slotColumns+` FROM collection c JOIN slot s ON s.collection = c.id WHERE `+calendars+` AND `+slotMeets+only, more,
		func(r *BusyRow) []any {
			r.Slot = new(Slot)
			return append([]any{&r.Owner, &r.Collection, &r.Object}, r.Slot.fields()...)
		})
	if err != nil {
		return nil, err
	}
	series, err := collect(tx, head+seriesColumns+` FROM collection c JOIN series s ON s.collection = c.id WHERE `+calendars+` AND `+seriesMeets, args,
		func(r *BusyRow) []any {
			r.Series = new(Series)
			return append([]any{&r.Owner, &r.Collection, &r.Object}, r.Series.fields()...)
		})
	return append(slots, series...), err
}
