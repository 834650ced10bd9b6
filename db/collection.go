package db

import "time"

// CollectionKind says what a collection holds.
type CollectionKind string

const (
	Calendar    CollectionKind = "calendar"
	Inbox       CollectionKind = "inbox"
	Outbox      CollectionKind = "outbox"
	AddressBook CollectionKind = "addressbook"
)

// Collection is a calendar, an address book, a scheduling inbox or outbox.
type Collection struct {
	ID           int64
	Owner        int64
	Kind         CollectionKind
	Name         string // path segment, decoded
	Components   string // "VEVENT,VTODO": what a calendar takes
	DisplayName  string
	TZ           string // IANA name in which floating and all-day times stand; "" the owner's
	Transparent  bool   // does not count for free/busy (RFC 6638 §9.1)
	Default      bool   // where invitations arrive (RFC 6638 §9.2)
	Incarnation  string // differs when a collection is made anew under an old name
	Modseq       int64
	PurgedModseq int64 // tombstones up to here are gone: older sync tokens are invalid
	Created      time.Time
}

// Collection returns one by id.
func (tx *Tx) Collection(id int64) (Collection, error) { panic("db: not built yet") }

// CollectionByName returns one of an owner's collections of the calendar home
// (calendars, inbox, outbox) or, with home "addressbook", of that home.
func (tx *Tx) CollectionByName(owner int64, home CollectionKind, name string) (Collection, error) {
	panic("db: not built yet")
}

// Collections lists an owner's collections of these kinds, the default first,
// then by name.
func (tx *Tx) Collections(owner int64, kinds ...CollectionKind) ([]Collection, error) {
	panic("db: not built yet")
}

// DefaultCalendar returns the calendar in which invitations arrive, and the
// inbox.
func (tx *Tx) DefaultCalendar(owner int64) (calendar, inbox Collection, err error) {
	panic("db: not built yet")
}

// InsertCollection stores c and sets ID and Incarnation; ErrExists if the
// name is taken.
func (tx *Tx) InsertCollection(c *Collection) error { panic("db: not built yet") }

// UpdateCollection stores Components, DisplayName, TZ, Transparent, Default
// and raises Modseq.
func (tx *Tx) UpdateCollection(c *Collection) error { panic("db: not built yet") }

// DeleteCollection removes it with its objects and properties.
func (tx *Tx) DeleteCollection(id int64) error { panic("db: not built yet") }

// Property is a dead property (RFC 4918 §4) of a collection, object or
// principal: stored as sent, meaning nothing to us.
type Property struct {
	Name string // "{namespace}local"
	XML  string // the element's inner XML with its namespaces declared
}

// Properties returns the dead properties of a resource ("collection", "object"
// or "principal" with its id), all or the named ones.
func (tx *Tx) Properties(resource string, id int64, names ...string) ([]Property, error) {
	panic("db: not built yet")
}

// SetProperties stores and removes dead properties of a resource.
func (tx *Tx) SetProperties(resource string, id int64, set []Property, remove []string) error {
	panic("db: not built yet")
}
