package directory

import (
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
)

// Rights are what somebody may do with a collection and what is in it: the
// leaves of the tree of privileges of RFC 3744 §3, RFC 4791 §6.1 and RFC 6638
// §6, one bit each, as db.ACE keeps them.
type Rights uint64

const (
	Read            Rights = 1 << iota // content and properties
	ReadFreeBusy                       // RFC 4791 §6.1.1
	ReadACL                            // who may do what
	ReadPrivileges                     // what one may do oneself
	WriteProperties                    //
	WriteContent                       // of what is there
	Bind                               // add members
	Unbind                             // remove members
	WriteACL                           //
	Unlock                             // locks of others
	DeliverInvite                      // RFC 6638 §6.1: into this inbox
	DeliverReply                       //
	QueryFreeBusy                      //
	SendInvite                         // RFC 6638 §6.2: through this outbox
	SendReply                          //
	SendFreeBusy                       //
)

// Sets of rights that belong together.
const (
	Reading    = Read | ReadFreeBusy | ReadPrivileges
	Writing    = WriteProperties | WriteContent | Bind | Unbind
	Delivering = DeliverInvite | DeliverReply | QueryFreeBusy
	Sending    = SendInvite | SendReply | SendFreeBusy
	Knowing    = ^(Delivering | Sending) // any of these: one may know that it is there
)

// Grants are somebody's rights in another's homes.
type Grants struct {
	CalendarHome, BookHome Rights
	Collections            map[int64]Rights // by id, those of the home included
	// Visible tells in which of the homes there is anything to see.
	VisibleCalendars, VisibleBooks bool
	// Acts: he acts in the owner's name (calendar-proxy-write). Everybody else is
	// a guest.
	Acts bool
}

// Granted tells what me may do in the homes of owner, who is somebody else: by
// entries that name him, a group that holds him, or whoever has logged in, and
// as a proxy (calendar-proxy).
func Granted(tx *db.Tx, me, owner db.Principal) (Grants, error) {
	var g Grants
	grantees, err := Grantees(tx, me)
	if err != nil {
		return g, err
	}
	sum := func(lists ...[]db.ACE) Rights { return Decided(grantees, lists...) }
	home := map[string][]db.ACE{}
	for _, h := range []struct {
		on string
		to *Rights
	}{{db.OnCalendarHome, &g.CalendarHome}, {db.OnBookHome, &g.BookHome}} {
		aces, err := tx.ACEs(h.on, owner.ID)
		if err != nil {
			return g, err
		}
		*h.to = sum(aces)
		home[h.on] = aces
	}
	proxies, err := tx.Proxies(owner.ID)
	if err != nil {
		return g, err
	}
	var acting Rights
	for _, p := range proxies {
		if grantees[p.Proxy] {
			acting |= ProxyRights(p.Writes)
			g.Acts = g.Acts || p.Writes
		}
	}
	g.CalendarHome |= acting
	cs, err := tx.Collections(owner.ID)
	if err != nil {
		return g, err
	}
	ids := make([]int64, len(cs))
	for i, c := range cs {
		ids[i] = c.ID
	}
	on, err := tx.ACEsOf(db.OnCollection, ids)
	if err != nil {
		return g, err
	}
	g.Collections = make(map[int64]Rights, len(cs))
	plain := make(map[string]int64) // what lies in a plain collection has its entries too
	for _, c := range cs {
		if c.Kind == db.Plain {
			plain[c.Name] = c.ID
		}
	}
	for _, c := range cs {
		lists := [][]db.ACE{on[c.ID]}
		inherited, seen := home[db.OnCalendarHome], &g.VisibleCalendars
		switch c.Kind {
		case db.AddressBook:
			inherited, seen = home[db.OnBookHome], &g.VisibleBooks
		case db.Inbox:
			if len(on[c.ID]) == 0 {
				lists[0] = OpenInbox
			}
		case db.Notifications: // for nobody else, whatever he may do
			continue
		case db.Plain:
			for up := c.Name; strings.Contains(up, "/"); {
				up = up[:strings.LastIndexByte(up, '/')]
				lists = append(lists, on[plain[up]])
			}
		}
		r := sum(append(lists, inherited)...)
		if c.Kind != db.AddressBook {
			r |= acting
		}
		g.Collections[c.ID] = r
		*seen = *seen || r&Knowing != 0
	}
	g.VisibleCalendars = g.VisibleCalendars || g.CalendarHome&Knowing != 0
	g.VisibleBooks = g.VisibleBooks || g.BookHome&Knowing != 0
	return g, nil
}

// Decided are the rights that entries give to somebody who goes by these
// names. What comes first decides: of a collection its own entries before those
// of the home.
func Decided(grantees map[int64]bool, lists ...[]db.ACE) (have Rights) {
	var decided Rights
	for _, a := range slices.Concat(lists...) {
		if grantees[a.Grantee] {
			if !a.Deny {
				have |= Rights(a.Rights) &^ decided
			}
			decided |= Rights(a.Rights)
		}
	}
	return have
}

// OpenInbox are the entries of an inbox whose owner has said nothing:
// everybody here may send and ask.
var OpenInbox = []db.ACE{{Grantee: db.Authenticated, Rights: uint64(Delivering)}}

// ProxyRights are those of a proxy in the calendar home.
func ProxyRights(writes bool) Rights {
	if writes {
		return Reading | Writing | Unlock | Sending
	}
	return Reading
}

// Grantees are the names under which a principal is granted something: itself,
// the groups that hold it, whoever has logged in, everybody.
func Grantees(tx *db.Tx, p db.Principal) (map[int64]bool, error) {
	up, err := groupsAbove(tx, p.ID)
	if err != nil {
		return nil, err
	}
	all := map[int64]bool{p.ID: true, db.Authenticated: true, db.Everybody: true}
	for _, g := range up {
		all[g] = true
	}
	return all, nil
}

// MayActFor reports whether somebody may write and schedule in a principal's
// name: he himself, and whom he granted that, alone or in a group (calendar-
// proxy-write; decision 12).
func MayActFor(tx *db.Tx, who, principal db.Principal) (bool, error) {
	if who.ID == principal.ID {
		return true, nil
	}
	all, err := tx.Proxies(principal.ID)
	if err != nil || len(all) == 0 {
		return false, err
	}
	names, err := Grantees(tx, who)
	if err != nil {
		return false, err
	}
	for _, p := range all {
		if p.Writes && names[p.Proxy] {
			return true, nil
		}
	}
	return false, nil
}
