package db

import "time"

// Object is one resource in a collection, or the tombstone that it left.
type Object struct {
	ID          int64
	Collection  int64
	Name        string // path segment, decoded
	UID         string
	Component   string // VEVENT, VTODO, ..., VCARD
	ETag        string // without quotes
	ScheduleTag string // without quotes; "" for what is no scheduling object
	Size        int64
	Modseq      int64 // of the collection when it last changed
	Deleted     bool
	Created     time.Time
	Modified    time.Time

	Body []byte // only where a method says so
}

// ETagOf derives the entity tag of a body.
func ETagOf(body []byte) string { panic("db: not built yet") }

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
}

// Object returns a live object with its body; ErrNotFound for a tombstone.
func (tx *Tx) Object(collection int64, name string) (Object, error) { panic("db: not built yet") }

// ObjectAt is Object by owner and path in one statement, for GET: the hot path.
// version is the owner's Principal.Version.
func (tx *Tx) ObjectAt(owner int64, home CollectionKind, collection, name string) (o Object, kind CollectionKind, version int64, err error) {
	panic("db: not built yet")
}

// ObjectsByUID returns the live objects with this UID in calendars (never
// inboxes) of any of the owners, with bodies, by id.
func (tx *Tx) ObjectsByUID(uid string, owners ...int64) ([]OwnedObject, error) {
	panic("db: not built yet")
}

// OwnedObject is an Object with where it lies.
type OwnedObject struct {
	Object
	Owner          int64
	CollectionName string
}

// PutObject creates (o.ID 0) or replaces an object with body and record and
// sets o.ID, o.ETag, o.Size. o.Modseq is the collection's new modseq; expected
// is the modseq under which the object was loaded, 0 where none stood there
// (STORAGE 6): ErrConflict if that is no longer so. A tombstone of the name is
// taken over. Bodies are shared by content (STORAGE 17).
func (tx *Tx) PutObject(o *Object, body []byte, rec Indexed, expected int64) error {
	panic("db: not built yet")
}

// PutObjects stores many that share one body, such as the copies of fifty
// attendees, in few statements. expected as in PutObject, one for each.
func (tx *Tx) PutObjects(os []*Object, body []byte, recs []Indexed, expected []int64) error {
	panic("db: not built yet")
}

// DeleteObject leaves a tombstone with the given modseq; ErrConflict if the
// object is no longer as loaded.
func (tx *Tx) DeleteObject(id, modseq, expected int64) error { panic("db: not built yet") }

// MoveObject puts an object under another collection and name and leaves a
// tombstone at the old place. modseqs are those of the bumped collections.
func (tx *Tx) MoveObject(id, expected int64, from, to int64, name string, fromModseq, toModseq int64) error {
	panic("db: not built yet")
}

// List returns live objects without bodies, by name, after a name.
func (tx *Tx) List(collection int64, after string, limit int) ([]Object, error) {
	panic("db: not built yet")
}

// ByNames returns the live objects of these names with bodies, in any order.
func (tx *Tx) ByNames(collection int64, names []string) ([]Object, error) {
	panic("db: not built yet")
}

// ByIDs returns live objects with bodies.
func (tx *Tx) ByIDs(ids []int64) ([]Object, error) { panic("db: not built yet") }

// Changes returns objects and tombstones changed after (modseq, id), ordered
// by (modseq, id), without bodies (STORAGE 10). since 0 leaves tombstones out.
func (tx *Tx) Changes(collection int64, modseq, id int64, limit int) ([]Object, error) {
	panic("db: not built yet")
}

// Candidate is an object that may have an instance in a window.
type Candidate struct {
	Object         // without body
	Slot   *Slot   // set: it does
	Series *Series // set: look at the runs
}

// InRange returns the objects whose record meets [from, to) in microseconds;
// floating ones are found 14 hours to either side. component "" means any;
// objects without a record (no VEVENT) of the component come always.
func (tx *Tx) InRange(collection int64, component string, from, to int64) ([]Candidate, error) {
	panic("db: not built yet")
}

// BusyRow is one row of busy time.
type BusyRow struct {
	Owner      int64
	Collection int64
	Object     int64
	UID        string
	Slot       *Slot
	Series     *Series
}

// BusyRows returns what stands in [from, to) in the opaque calendars of many
// owners at once, free slots left out. Series come if their span meets the
// window.
func (tx *Tx) BusyRows(owners []int64, from, to int64) ([]BusyRow, error) {
	panic("db: not built yet")
}

// CountObjects returns how many live objects a collection has.
func (tx *Tx) CountObjects(collection int64) (int64, error) { panic("db: not built yet") }
