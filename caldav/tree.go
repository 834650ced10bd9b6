package caldav

import (
	"errors"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

// kind of a resource. Rows of the tables of properties and reports say by a
// set of kinds where they hold.
type kind uint32

const (
	kRoot         kind = 1 << iota // "/" and "/dav/"
	kPrincipals                    // /dav/principals/
	kPrincipal                     // /dav/principals/ADDRESS/
	kCalendars                     // /dav/calendars/
	kCalendarHome                  // /dav/calendars/ADDRESS/
	kCalendar                      // /dav/calendars/ADDRESS/NAME/
	kInbox
	kOutbox
	kEvent     // an object in a calendar, whatever its component
	kNotice    // an iTIP message in the inbox
	kBooks     // /dav/addressbooks/
	kBookHome  // /dav/addressbooks/ADDRESS/
	kBook      // /dav/addressbooks/ADDRESS/NAME/
	kCard      // an object in an address book
	kLast      = kCard
	kEvery     = kLast<<1 - 1
	kHome      = kCalendarHome | kBookHome
	kColl      = kCalendar | kInbox | kOutbox | kBook // those with a row in the database
	kSynced    = kCalendar | kInbox | kBook           // those with members that change
	kMember    = kEvent | kNotice | kCard
	kContainer = kEvery &^ kMember
)

// resource is one node of the tree, with what the database says of it.
type resource struct {
	kind  kind
	href  string         // encoded, in the one spelling that answers have
	owner *db.Principal  // of kPrincipal, kHome, kColl and kMember
	coll  *db.Collection // of kColl and kMember
	obj   db.Object      // of kMember; with Body where a method needed it

	dead []db.Property // once loaded
}

// The names of the two wings.
const (
	wingCalendars = "calendars"
	wingBooks     = "addressbooks"
)

// wing is what calendars and address books have in common.
type wing struct {
	name       string
	home       db.CollectionKind // of db.Tx.CollectionByName
	kinds      []db.CollectionKind
	root, node kind // of the wing and of a home
}

var wings = map[string]*wing{
	wingCalendars: {wingCalendars, db.Calendar, []db.CollectionKind{db.Calendar, db.Inbox, db.Outbox}, kCalendars, kCalendarHome},
	wingBooks:     {wingBooks, db.AddressBook, []db.CollectionKind{db.AddressBook}, kBooks, kBookHome},
}

// kindOf a collection, and of the objects in it.
func kindOf(k db.CollectionKind) (coll, member kind) {
	switch k {
	case db.Inbox:
		return kInbox, kNotice
	case db.Outbox:
		return kOutbox, 0
	case db.AddressBook:
		return kBook, kCard
	}
	return kCalendar, kEvent
}

// wingOf a collection.
func wingOf(k db.CollectionKind) *wing {
	if k == db.AddressBook {
		return wings[wingBooks]
	}
	return wings[wingCalendars]
}

// Encoded paths of the fixed part of the tree.
const (
	hrefDAV        = "/dav/"
	hrefPrincipals = "/dav/principals/"
)

func principalHref(p *db.Principal) string { return dav.Path(true, "dav", "principals", p.Address) }

func homeHref(w *wing, p *db.Principal) string { return dav.Path(true, "dav", w.name, p.Address) }

func collectionHref(p *db.Principal, c *db.Collection) string {
	return dav.Path(true, "dav", wingOf(c.Kind).name, p.Address, c.Name)
}

// memberHref is the path of an object below its collection's.
func memberHref(coll string, name string) string {
	b := make([]byte, 0, len(coll)+len(name)+8)
	return string(dav.AppendSegment(append(b, coll...), name))
}

// place is a decoded path of a collection or an object in one of my homes.
type place struct {
	wing   *wing
	coll   string
	member string // "": the collection
}

// placeOf reads a path in a home of mine. The homes of others do not exist for
// me: whatever is asked of them gets the answer that a home which nobody has
// gets, without a look at the database.
func (x *exchange) placeOf(segments []string) (place, bool) {
	if len(segments) < 4 || len(segments) > 5 || segments[0] != "dav" {
		return place{}, false
	}
	w := wings[segments[1]]
	if w == nil || !x.mine(segments[2]) || len(segments[3]) > maxSegment {
		return place{}, false
	}
	p := place{wing: w, coll: segments[3]}
	if len(segments) == 5 {
		if p.member = segments[4]; len(p.member) > maxSegment {
			return place{}, false
		}
	}
	return p, true
}

// mine reports whether a path segment is my address.
func (x *exchange) mine(address string) bool { return strings.EqualFold(address, x.me.Address) }

// find looks a path up. The error is db.ErrNotFound where something of mine
// could be but is not, and notFound where nothing can be.
func (x *exchange) find(segments []string) (*resource, error) {
	n := len(segments)
	switch {
	case n == 0:
		return &resource{kind: kRoot, href: "/"}, nil
	case segments[0] != "dav":
		return nil, notFound
	case n == 1:
		return &resource{kind: kRoot, href: hrefDAV}, nil
	case segments[1] == "principals":
		if n == 2 {
			return &resource{kind: kPrincipals, href: hrefPrincipals}, nil
		}
		if n == 3 {
			return x.principal(segments[2])
		}
		return nil, notFound
	}
	w := wings[segments[1]]
	switch {
	case w == nil:
		return nil, notFound
	case n == 2:
		return &resource{kind: w.root, href: dav.Path(true, "dav", w.name)}, nil
	case n == 3:
		if !x.mine(segments[2]) {
			return nil, notFound
		}
		return x.home(w), nil
	}
	p, ok := x.placeOf(segments)
	if !ok {
		return nil, notFound
	}
	if p.member == "" {
		return x.collection(p)
	}
	return x.object(p)
}

func (x *exchange) home(w *wing) *resource {
	return &resource{kind: w.node, href: homeHref(w, &x.me), owner: &x.me}
}

// principal finds one that everybody who has logged in may see: name and
// addresses, as in an address book of the organisation.
func (x *exchange) principal(address string) (*resource, error) {
	p := x.me
	if !x.mine(address) {
		err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
			p, err = tx.PrincipalByAddress(strings.ToLower(address))
			return err
		})
		if errors.Is(err, db.ErrNotFound) {
			return nil, notFound
		}
		if err != nil {
			return nil, err
		}
	}
	return &resource{kind: kPrincipal, href: principalHref(&p), owner: &p}, nil
}

func (x *exchange) collection(p place) (*resource, error) {
	if r, err, ok := x.take(p); ok {
		return r, err
	}
	r, _, err := x.collectionAt(p)
	return r, err
}

// collectionAt is collection with my version as the statement saw it.
func (x *exchange) collectionAt(p place) (r *resource, version int64, err error) {
	var c db.Collection
	err = x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		c, version, err = tx.CollectionAt(x.me.ID, p.wing.home, p.coll)
		return err
	})
	if err != nil {
		return nil, version, err
	}
	return x.collectionResource(c), version, nil
}

func (x *exchange) collectionResource(c db.Collection) *resource {
	k, _ := kindOf(c.Kind)
	return &resource{kind: k, href: collectionHref(&x.me, &c), owner: &x.me, coll: &c}
}

// object finds an object with its body, in one statement (STORAGE 24).
func (x *exchange) object(p place) (*resource, error) {
	if r, err, ok := x.take(p); ok {
		return r, err
	}
	r, _, err := x.objectAt(p)
	return r, err
}

// objectAt is object with my version as the statement saw it.
func (x *exchange) objectAt(p place) (r *resource, version int64, err error) {
	var o db.Object
	var k db.CollectionKind
	err = x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		o, k, version, err = tx.ObjectAt(x.me.ID, p.wing.home, p.coll, p.member)
		return err
	})
	if err != nil {
		return nil, version, err
	}
	_, member := kindOf(k)
	coll := &db.Collection{ID: o.Collection, Owner: x.me.ID, Kind: k, Name: p.coll}
	return &resource{kind: member, href: memberHref(collectionHref(&x.me, coll), o.Name), owner: &x.me, coll: coll, obj: o}, version, nil
}
