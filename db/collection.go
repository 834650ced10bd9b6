package db

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// CollectionKind says what a collection holds.
type CollectionKind string

const (
	Calendar    CollectionKind = "calendar"
	Inbox       CollectionKind = "inbox"
	Outbox      CollectionKind = "outbox"
	AddressBook CollectionKind = "addressbook"
	Plain       CollectionKind = "plain" // in a calendar home, for ordinary files
	// Notifications are messages of the server to a person, in his calendar home.
	Notifications CollectionKind = "notification"
)

// Collection is a calendar, an address book, a scheduling inbox or outbox, or
// a plain collection. Plain ones lie in one another: the name of an inner one
// is its path below the home.
type Collection struct {
	ID           int64
	Owner        int64
	Kind         CollectionKind
	Name         string // path below the home, decoded: one segment but for plain ones
	Components   string // "VEVENT,VTODO": what a calendar takes
	DisplayName  string
	TZ           string // IANA name in which floating and all-day times stand; "" the owner's
	Transparent  bool   // does not count for free/busy (RFC 6638 §9.1)
	Default      bool   // where invitations arrive (RFC 6638 §9.2)
	Shared       bool   // of a calendar: somebody was asked to share it, or is granted it by name
	Incarnation  string // differs when a collection is made anew under an old name
	Modseq       int64
	PurgedModseq int64 // tombstones up to here are gone: older sync tokens are invalid
	Created      time.Time
}

const collectionColumns = `c.id, c.owner, c.kind, c.name, c.components, c.display_name, c.tz, c.transparent, c.main, c.incarnation, c.modseq, c.purged_modseq, c.created, c.shared`

func (c *Collection) fields() []any {
	return []any{&c.ID, &c.Owner, &c.Kind, &c.Name, &c.Components, &c.DisplayName, &c.TZ, flag{&c.Transparent}, flag{&c.Default},
		&c.Incarnation, &c.Modseq, &c.PurgedModseq, when{&c.Created}, flag{&c.Shared}}
}

// home is the part of the URL tree in which a collection lies.
func (k CollectionKind) home() string {
	if k == AddressBook {
		return string(AddressBook)
	}
	return string(Calendar)
}

// Collection returns one by id.
func (tx *Tx) Collection(id int64) (c Collection, err error) {
	err = tx.row(`SELECT `+collectionColumns+` FROM collection c WHERE c.id = $1`, []any{id}, c.fields()...)
	return c, err
}

// CollectionByName returns one of an owner's collections of the calendar home
// (calendars, inbox, outbox) or, with home "addressbook", of that home.
func (tx *Tx) CollectionByName(owner int64, home CollectionKind, name string) (c Collection, err error) {
	if !key(name) {
		return c, ErrNotFound
	}
	err = tx.row(`SELECT `+collectionColumns+` FROM collection c WHERE c.owner = $1 AND c.home = $2 AND c.name = $3`,
		[]any{owner, home.home(), name}, c.fields()...)
	return c, err
}

// CollectionAt is CollectionByName with the owner's Principal.Version, for a
// poll: the hot path beside ObjectAt. version is 0 if there is no such owner,
// and set with ErrNotFound if there is.
func (tx *Tx) CollectionAt(owner int64, home CollectionKind, name string) (c Collection, version int64, err error) {
	return tx.collectionAt(collectionAt, owner, home, name)
}

// CollectionToWrite is CollectionAt that also tells whether the home has any
// lock of WebDAV, run out or not. Where there is none there is still none while
// the collection has the same modseq: taking a lock raises it.
func (tx *Tx) CollectionToWrite(owner int64, home CollectionKind, name string) (c Collection, version int64, locked bool, err error) {
	c, version, err = tx.collectionAt(collectionToWrite, owner, home, name, flag{&locked})
	return c, version, locked, err
}

const (
	collectionAt = `SELECT p.version, c.kind, coalesce(c.id, 0), c.components, c.display_name, c.tz, coalesce(c.transparent, 0), coalesce(c.main, 0),
		c.incarnation, coalesce(c.modseq, 0), coalesce(c.purged_modseq, 0), coalesce(c.created, 0), coalesce(c.shared, 0)` + collectionAtFrom
	collectionToWrite = `SELECT p.version, c.kind, coalesce(c.id, 0), c.components, c.display_name, c.tz, coalesce(c.transparent, 0), coalesce(c.main, 0),
		c.incarnation, coalesce(c.modseq, 0), coalesce(c.purged_modseq, 0), coalesce(c.created, 0), coalesce(c.shared, 0),
		CASE WHEN EXISTS (SELECT 1 FROM davlock l WHERE l.owner = p.id) THEN 1 ELSE 0 END` + collectionAtFrom
	collectionAtFrom = `
		FROM principal p LEFT JOIN collection c ON c.owner = p.id AND c.home = $2 AND c.name = $3 WHERE p.id = $1`
)

func (tx *Tx) collectionAt(text string, owner int64, home CollectionKind, name string, more ...any) (c Collection, version int64, err error) {
	if !key(name) {
		name = ""
	}
	var kind, components, displayName, tz, incarnation nullText
	err = tx.row(text, []any{owner, home.home(), name}, append([]any{&version, &kind, &c.ID, &components, &displayName, &tz,
		flag{&c.Transparent}, flag{&c.Default}, &incarnation, &c.Modseq, &c.PurgedModseq, when{&c.Created}, flag{&c.Shared}}, more...)...)
	if err == nil && c.ID == 0 {
		err = ErrNotFound
	}
	c.Owner, c.Kind, c.Name, c.Components, c.DisplayName, c.TZ, c.Incarnation =
		owner, CollectionKind(kind), name, string(components), string(displayName), string(tz), string(incarnation)
	return c, version, err
}

// Collections lists an owner's collections of these kinds (without any: of all
// kinds), the default first, then by name.
func (tx *Tx) Collections(owner int64, kinds ...CollectionKind) ([]Collection, error) {
	all, err := collect(tx, `SELECT `+collectionColumns+` FROM collection c WHERE c.owner = $1 ORDER BY c.main DESC, c.name, c.id`,
		[]any{owner}, (*Collection).fields)
	if len(kinds) == 0 || err != nil {
		return all, err
	}
	// They are few; the statement is the same for all questions.
	return slices.DeleteFunc(all, func(c Collection) bool { return !slices.Contains(kinds, c.Kind) }), nil
}

// CollectionsOf is Collections of many owners, in any order.
func (tx *Tx) CollectionsOf(owners []int64, kinds ...CollectionKind) (all []Collection, err error) {
	err = chunks(owners, 1, func(in string, args []any) error {
		part, err := collect(tx, `SELECT `+collectionColumns+` FROM collection c WHERE c.owner IN `+in, args, (*Collection).fields)
		all = append(all, part...)
		return err
	})
	if len(kinds) > 0 {
		all = slices.DeleteFunc(all, func(c Collection) bool { return !slices.Contains(kinds, c.Kind) })
	}
	return all, err
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

// DefaultCalendar returns the calendar in which invitations arrive, and the
// inbox; ErrNotFound if either is missing.
func (tx *Tx) DefaultCalendar(owner int64) (calendar, inbox Collection, err error) {
	all, err := tx.Collections(owner, Calendar, Inbox)
	if err != nil {
		return calendar, inbox, err
	}
	for _, c := range all {
		if c.Kind == Calendar && c.Default && calendar.ID == 0 {
			calendar = c
		}
		if c.Kind == Inbox && inbox.ID == 0 {
			inbox = c
		}
	}
	if calendar.ID == 0 || inbox.ID == 0 {
		err = fmt.Errorf("%w: a default calendar or an inbox", ErrNotFound)
	}
	return calendar, inbox, err
}

// InsertCollection stores c and sets ID, Incarnation, Modseq (1) and, if it is
// zero, Created; ErrExists if the name is taken.
func (tx *Tx) InsertCollection(c *Collection) error {
	if err := needText([]string{c.Name}, c.Components, c.DisplayName, c.TZ); err != nil {
		return err
	}
	c.Incarnation = randomText()
	c.Modseq, c.PurgedModseq = 1, 0
	if c.Created.IsZero() {
		c.Created = tx.stamp()
	}
	err := tx.row(`INSERT INTO collection (owner, home, kind, name, components, display_name, tz, transparent, main, incarnation, modseq, purged_modseq, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, 0, $11) ON CONFLICT (owner, home, name) DO NOTHING RETURNING id`,
		[]any{c.Owner, c.Kind.home(), string(c.Kind), c.Name, c.Components, c.DisplayName, c.TZ, bit(c.Transparent), bit(c.Default),
			c.Incarnation, micros(c.Created)}, &c.ID)
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: the collection %s", ErrExists, c.Name)
	}
	if err == nil && c.Default {
		err = tx.onlyDefault(c)
	}
	return err
}

// UpdateCollection stores Components, DisplayName, TZ, Transparent, Default
// and raises Modseq.
func (tx *Tx) UpdateCollection(c *Collection) error {
	if err := needText(nil, c.Components, c.DisplayName, c.TZ); err != nil {
		return err
	}
	err := tx.row(`UPDATE collection SET components = $2, display_name = $3, tz = $4, transparent = $5, main = $6, modseq = modseq + 1
		WHERE id = $1 RETURNING modseq`,
		[]any{c.ID, c.Components, c.DisplayName, c.TZ, bit(c.Transparent), bit(c.Default)}, &c.Modseq)
	if err == nil && c.Default {
		err = tx.onlyDefault(c)
	}
	return err
}

// onlyDefault takes the mark from the owner's other collections.
func (tx *Tx) onlyDefault(c *Collection) error {
	_, err := tx.exec(`UPDATE collection SET main = 0 WHERE owner = $1 AND kind = $2 AND main = 1 AND id <> $3`, c.Owner, string(c.Kind), c.ID)
	return err
}

// RenameCollection gives a collection another name in its home and raises its
// modseq; ErrExists if the name is taken. Its objects go with it.
func (tx *Tx) RenameCollection(c *Collection, name string) error {
	if err := needText([]string{name}); err != nil {
		return err
	}
	if _, err := tx.CollectionByName(c.Owner, c.Kind, name); err == nil {
		return ErrExists
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := tx.leave(c.ID); err != nil {
		return err
	}
	c.Name = name
	return tx.row(`UPDATE collection SET name = $2, modseq = modseq + 1 WHERE id = $1 RETURNING modseq`, []any{c.ID, name}, &c.Modseq)
}

// DeleteCollection removes it with its objects and properties; ErrNotFound
// without it. Bodies that nobody refers to any longer stay until Sweep, which
// takes the lock of each one's conversation first.
func (tx *Tx) DeleteCollection(id int64) error {
	if _, err := tx.BumpCollections(id); err != nil {
		return err
	}
	if err := tx.leave(id); err != nil {
		return err
	}
	if err := tx.dropShares(id); err != nil {
		return err
	}
	for _, q := range []string{
		`DELETE FROM property WHERE resource = 'object' AND id IN (SELECT id FROM object WHERE collection = $1)`,
		`DELETE FROM own WHERE object IN (SELECT id FROM object WHERE collection = $1)`,
		`DELETE FROM property WHERE resource = 'collection' AND id = $1`,
		`DELETE FROM personal WHERE collection = $1`,
		`DELETE FROM ace WHERE resource = 'collection' AND id = $1`,
		`DELETE FROM slot WHERE collection = $1`,
		`DELETE FROM series WHERE collection = $1`,
		`DELETE FROM object WHERE collection = $1`,
		`DELETE FROM collection WHERE id = $1`,
	} {
		if _, err := tx.exec(q, id); err != nil {
			return err
		}
	}
	return nil
}
