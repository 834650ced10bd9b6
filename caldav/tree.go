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
	kProxy                         // /dav/principals/ADDRESS/calendar-proxy-read/ and -write/
	kCalendars                     // /dav/calendars/
	kCalendarHome                  // /dav/calendars/ADDRESS/
	kCalendar                      // /dav/calendars/ADDRESS/NAME/
	kInbox
	kOutbox
	kPlain     // a collection of ordinary files and of its like, in a calendar home
	kEvent     // an object in a calendar, whatever its component
	kNotice    // an iTIP message in the inbox
	kFile      // an ordinary file
	kBox       // /dav/calendars/ADDRESS/notification/
	kTold      // a notification in it
	kBooks     // /dav/addressbooks/
	kBookHome  // /dav/addressbooks/ADDRESS/
	kBook      // /dav/addressbooks/ADDRESS/NAME/
	kCard      // an object in an address book
	kDirectory // /dav/directory/
	kEntry     // somebody in it
	kLast      = kEntry
	kEvery     = kLast<<1 - 1
	kHome      = kCalendarHome | kBookHome
	kColl      = kCalendar | kInbox | kOutbox | kPlain | kBook | kBox // those with a row in the database
	kSynced    = kCalendar | kInbox | kBook | kBox                    // those with members that change and nothing else
	kMember    = kEvent | kNotice | kFile | kCard | kTold
	kContainer = kEvery &^ (kMember | kEntry)
	kOwned     = kHome | kColl | kMember
	kFixed     = kRoot | kPrincipals | kCalendars | kBooks // the same for everybody, always
)

// resource is one node of the tree, with what the database says of it.
type resource struct {
	kind  kind
	href  string         // encoded, in the one spelling that answers have
	owner *db.Principal  // of kPrincipal, kProxy and kOwned; whom a kEntry describes
	coll  *db.Collection // of kColl and kMember
	mount *db.Mount      // of a calendar of somebody else in my home
	obj   db.Object      // of kMember, with Body where a method needed it; of kEntry, made on the spot

	form   string // media type of a body that is not in the form of its kind
	writes bool   // of kProxy: the group that may also write
	// unlocked: of kColl, for PUT: there was no lock in the owner's homes.
	unlocked bool

	// guest: of kEvent, as somebody sees it who is a guest in that calendar.
	guest bool

	dead []db.Property // once loaded
}

// wing of the tree in which a resource of kOwned lies.
func (r *resource) wing() *wing {
	if r.kind&(kBookHome|kBook|kCard) != 0 {
		return wings[wingBooks]
	}
	return wings[wingCalendars]
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
	wingCalendars: {wingCalendars, db.Calendar, []db.CollectionKind{db.Calendar, db.Inbox, db.Outbox, db.Plain, db.Notifications}, kCalendars, kCalendarHome},
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
	case db.Plain:
		return kPlain, kFile
	case db.Notifications:
		return kBox, kTold
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
	if strings.IndexByte(c.Name, '/') >= 0 {
		return homeHref(wingOf(c.Kind), p) + encodePath(c.Name) + "/"
	}
	return dav.Path(true, "dav", wingOf(c.Kind).name, p.Address, c.Name)
}

// memberHref is the path of an object below its collection's.
func memberHref(coll string, name string) string {
	b := make([]byte, 0, len(coll)+len(name)+8)
	return string(dav.AppendSegment(append(b, coll...), name))
}

// encodePath encodes a decoded relative path.
func encodePath(p string) string {
	var b []byte
	for i, s := range strings.Split(p, "/") {
		if i > 0 {
			b = append(b, '/')
		}
		b = dav.AppendSegment(b, s)
	}
	return string(b)
}

// place is a decoded path of a collection or an object in somebody's home.
type place struct {
	owner  string // address in lower case; "": mine
	wing   *wing
	coll   string // path of the collection below the home
	member string // "": the collection. It may turn out to be a collection in a plain one
}

// path below the home.
func (p place) path() string {
	if p.member == "" {
		return p.coll
	}
	return p.coll + "/" + p.member
}

// inner is the place of a collection that has the name of a member.
func (p place) inner() place { return place{owner: p.owner, wing: p.wing, coll: p.path()} }

// parent is the place of the collection around it; false: that is the home.
func (p place) parent() (place, bool) {
	if p.member != "" {
		return place{owner: p.owner, wing: p.wing, coll: p.coll}, true
	}
	i := strings.LastIndexByte(p.coll, '/')
	if i < 0 {
		return p, false
	}
	return place{owner: p.owner, wing: p.wing, coll: p.coll[:i]}, true
}

// Bounds of a path below a home.
const (
	maxLevels = 32
	maxPath   = 1_500 // octets
)

// placeOf reads a path in a home.
func (x *exchange) placeOf(segments []string) (place, bool) {
	n := len(segments)
	if n < 4 || n > 3+maxLevels || segments[0] != "dav" {
		return place{}, false
	}
	w := wings[segments[1]]
	if w == nil || w.home == db.AddressBook && n > 5 {
		return place{}, false
	}
	size := 0
	for _, s := range segments[3:] {
		size += len(s) + 1
		if len(s) > maxSegment || size > maxPath {
			return place{}, false
		}
	}
	p := place{wing: w, coll: segments[3]}
	if !x.mine(segments[2]) {
		p.owner = strings.ToLower(segments[2])
	}
	if n > 4 {
		p.coll, p.member = strings.Join(segments[3:n-1], "/"), segments[n-1]
	}
	return x.ownersPlace(p), true
}

// mine reports whether a path segment is my address.
func (x *exchange) mine(address string) bool { return strings.EqualFold(address, x.me.Address) }

// find looks a path up. The error is db.ErrNotFound where something could be
// but is not, notFound where nothing can be or nobody may know, and hidden in a
// home of which I may know nothing.
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
		if n == 4 {
			return x.proxyGroup(segments[2], segments[3])
		}
		return nil, notFound
	case segments[1] == wordDirectory && n <= 3:
		if n == 2 {
			return x.directoryBook(), nil
		}
		return x.entry(segments[2])
	}
	w := wings[segments[1]]
	switch {
	case w == nil:
		return nil, notFound
	case n == 2:
		return &resource{kind: w.root, href: dav.Path(true, "dav", w.name)}, nil
	case n == 3:
		return x.home(place{owner: x.ownerSegment(segments[2]), wing: w})
	}
	p, ok := x.placeOf(segments)
	if !ok {
		return nil, notFound
	}
	return x.locate(p)
}

func (x *exchange) ownerSegment(s string) string {
	if x.mine(s) {
		return ""
	}
	return strings.ToLower(s)
}

// locate finds what is at a place: an object, or a collection.
func (x *exchange) locate(p place) (*resource, error) {
	if p.member == "" {
		return x.collection(p)
	}
	r, err := x.object(p)
	if errors.Is(err, db.ErrNotFound) && p.wing.home == db.Calendar {
		// A plain collection may hold collections.
		inner, ierr := x.collection(p.inner())
		if ierr != notFound { // which it is in somebody else's home
			return inner, ierr
		}
	}
	return r, err
}

// home finds somebody's home.
func (x *exchange) home(p place) (*resource, error) {
	who, err := x.ownerOf(p)
	if err != nil {
		return nil, err
	}
	r := &resource{kind: p.wing.node, href: homeHref(p.wing, who), owner: who}
	return r, x.visible(r)
}

// ownerOf finds whose home a place is in. The homes of people whom the
// directory does not hold are like those that nobody may see.
func (x *exchange) ownerOf(p place) (*db.Principal, error) {
	if p.owner == "" {
		return &x.me, nil
	}
	if who, ok := x.owners[p.owner]; ok {
		return who, nil
	}
	var who db.Principal
	err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		who, err = tx.PrincipalByAddress(p.owner)
		return err
	})
	if errors.Is(err, db.ErrNotFound) {
		return nil, hidden
	}
	if err != nil {
		return nil, err
	}
	if x.owners == nil {
		x.owners = make(map[string]*db.Principal)
	}
	found := &who
	if who.ID == x.me.ID {
		found = &x.me
	}
	x.owners[p.owner] = found
	return found, nil
}

// moved returns where a home, or what lies in it, is now, if a path names it by
// an address that its owner has beside his primary one, or had before. "" for
// everything else, and for what the user may not see: whoever asks for that
// learns nothing.
func (x *exchange) moved(segments []string, slash bool) (string, error) {
	if len(segments) < 3 || segments[0] != "dav" || x.mine(segments[2]) {
		return "", nil
	}
	at := append([]string{}, segments...)
	switch w := wings[segments[1]]; {
	case w != nil:
		p := place{owner: strings.ToLower(segments[2]), wing: w}
		who, err := x.ownerOf(p)
		if unseen(err) || err == nil && strings.EqualFold(who.Address, segments[2]) {
			return "", nil
		}
		if err == nil {
			_, err = x.home(p)
		}
		if unseen(err) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		at[2] = who.Address
	case segments[1] == wordDirectory && len(segments) == 3:
		address, ok := strings.CutSuffix(strings.ToLower(segments[2]), cardSuffix)
		if !ok {
			return "", nil
		}
		who, err := x.ownerOf(place{owner: address})
		if unseen(err) || err == nil && strings.EqualFold(who.Address, address) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		at[2] = strings.ToLower(who.Address) + cardSuffix
	default:
		return "", nil
	}
	return dav.Path(slash, at...), nil
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

// collectionAt is collection with the owner's version as the statement saw it.
func (x *exchange) collectionAt(p place) (r *resource, version int64, err error) {
	who, err := x.ownerOf(p)
	if err != nil {
		return nil, 0, err
	}
	var c db.Collection
	locked := true
	if x.r.Method == "PUT" {
		err = x.store.View(x.ctx, func(tx *db.Tx) (err error) {
			c, version, locked, err = tx.CollectionToWrite(who.ID, p.wing.home, p.coll)
			return err
		})
	} else {
		c, version, err = x.store.CollectionAt(x.ctx, who.ID, p.wing.home, p.coll)
	}
	if errors.Is(err, db.ErrNotFound) && p.owner != "" {
		return nil, version, x.absent(p)
	}
	if errors.Is(err, db.ErrNotFound) && p.wing.home == db.Calendar && p.coll == wordNotifications {
		return x.noNotifications(), version, nil
	}
	if err != nil {
		return nil, version, err
	}
	r = x.resourceOf(who, c)
	r.unlocked = !locked
	return r, version, x.visible(r)
}

// absent tells that there is no collection at a place in somebody else's home,
// as of one that is there and that I may not see.
func (x *exchange) absent(p place) error {
	if _, err := x.home(place{owner: p.owner, wing: p.wing}); err != nil {
		return err
	}
	return notFound
}

func collectionResource(owner *db.Principal, c db.Collection) *resource {
	k, _ := kindOf(c.Kind)
	return &resource{kind: k, href: collectionHref(owner, &c), owner: owner, coll: &c}
}

// object finds an object with its body, in one statement (STORAGE 24).
func (x *exchange) object(p place) (*resource, error) {
	if r, err, ok := x.take(p); ok {
		return r, err
	}
	r, _, err := x.objectAt(p)
	return r, err
}

// objectAt is object with the owner's version as the statement saw it.
func (x *exchange) objectAt(p place) (r *resource, version int64, err error) {
	who, err := x.ownerOf(p)
	if err != nil {
		return nil, 0, err
	}
	o, k, version, err := x.store.ObjectAt(x.ctx, who.ID, p.wing.home, p.coll, p.member)
	if errors.Is(err, db.ErrNotFound) && p.owner != "" {
		_, err := x.collection(place{owner: p.owner, wing: p.wing, coll: p.coll}) // may I know of it?
		if err == nil {
			err = db.ErrNotFound
		}
		return nil, version, err
	}
	if err != nil {
		return nil, version, err
	}
	_, member := kindOf(k)
	coll := &db.Collection{ID: o.Collection, Owner: who.ID, Kind: k, Name: p.coll}
	r = &resource{kind: member, href: memberHref(x.resourceOf(who, *coll).href, o.Name), owner: who, coll: coll, obj: o}
	if err := x.visible(r); err != nil {
		return r, version, err
	}
	return r, version, x.asSeen([]*resource{r})
}
