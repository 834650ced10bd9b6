package directory

import (
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
	sum := func(aces []db.ACE) (r Rights) {
		for _, a := range aces {
			if grantees[a.Grantee] {
				r |= Rights(a.Rights)
			}
		}
		return r
	}
	for _, h := range []struct {
		on string
		to *Rights
	}{{db.OnCalendarHome, &g.CalendarHome}, {db.OnBookHome, &g.BookHome}} {
		aces, err := tx.ACEs(h.on, owner.ID)
		if err != nil {
			return g, err
		}
		*h.to = sum(aces)
	}
	proxies, err := tx.Proxies(owner.ID)
	if err != nil {
		return g, err
	}
	for _, p := range proxies {
		if grantees[p.Proxy] {
			g.CalendarHome |= ProxyRights(p.Writes)
		}
	}
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
	visible := make(map[string]Rights) // of plain collections: what lies in them has their entries too
	for _, c := range cs {
		r := sum(on[c.ID])
		home, seen := &g.CalendarHome, &g.VisibleCalendars
		switch c.Kind {
		case db.AddressBook:
			home, seen = &g.BookHome, &g.VisibleBooks
		case db.Inbox:
			if len(on[c.ID]) == 0 {
				r = Delivering
			}
		case db.Plain:
			for at := 0; ; {
				i := strings.IndexByte(c.Name[at:], '/')
				if i < 0 {
					break
				}
				r |= visible[c.Name[:at+i]]
				at += i + 1
			}
			visible[c.Name] = r
		}
		r |= *home
		g.Collections[c.ID] = r
		*seen = *seen || r&Knowing != 0
	}
	g.VisibleCalendars = g.VisibleCalendars || g.CalendarHome&Knowing != 0
	g.VisibleBooks = g.VisibleBooks || g.BookHome&Knowing != 0
	return g, nil
}

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
