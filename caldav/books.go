package caldav

import (
	"errors"
	"net/http"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

// Everybody has an address book: programs put a new card into the default one,
// and some know no other.

// defaultBook finds an owner's default address book: the one that he chose, or
// else the first.
func (x *exchange) defaultBook(owner *db.Principal) (*db.Collection, error) {
	cs, err := x.collections(owner, wings[wingBooks]) // the default first
	if err != nil || len(cs) == 0 {
		return nil, err
	}
	return &cs[0], nil
}

func readDefaultBook(x *exchange, r *resource, w *dav.Writer) bool {
	c, err := x.defaultBook(r.owner)
	if err != nil {
		x.broken = err
		return false
	}
	if c == nil || x.visible(collectionResource(r.owner, *c)) != nil {
		return false
	}
	w.Href(collectionHref(r.owner, c))
	return true
}

// writeDefaultBook chooses the default address book, as writeDefaultCalendar
// the calendar.
func writeDefaultBook(x *exchange, r *resource, c dav.Change, u *update) error {
	invalid := &dav.Error{Status: http.StatusForbidden, Cond: dav.CR("valid-default-addressbook-URL"), Detail: "not an address book of one's own"}
	href := c.Prop.Child(dav.D("href"))
	if c.Remove || href == nil || r.owner.ID != x.me.ID {
		return invalid
	}
	p, ok := x.placeOfHref(href.Trimmed())
	if !ok || p.member != "" || p.wing.home != db.AddressBook {
		return invalid
	}
	book, err := x.collection(p)
	if err != nil || book.owner.ID != r.owner.ID {
		return invalid
	}
	u.makeDefault = book.coll.ID
	return nil
}

// deleteBook removes an address book with everything in it. If it was the
// default one another takes its place; if it was the last, an empty one of its
// name that has nothing in common with it.
func (x *exchange) deleteBook(r *resource) error {
	guard, err := x.guard(x.touch(r).goes())
	if err != nil {
		return err
	}
	return x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		books, err := tx.Collections(r.owner.ID, db.AddressBook)
		if err != nil {
			return err
		}
		ids := make([]int64, len(books))
		for i := range books {
			ids[i] = books[i].ID
		}
		// All are locked, so that of two requests that delete the last two the
		// second one sees that it has the last.
		_, locked := tx.BumpCollections(ids...)
		gone, err := tx.Collection(r.coll.ID)
		switch {
		case err != nil:
			return err
		case errors.Is(locked, db.ErrNotFound):
			return db.ErrConflict // another of them has been deleted since they were listed
		case locked != nil:
			return locked
		}
		if err := guard(tx); err != nil {
			return err
		}
		if err := tx.DeleteCollection(gone.ID); err != nil {
			return err
		}
		var next *db.Collection
		for i := range books {
			if b := &books[i]; b.ID != gone.ID && (next == nil || b.Default || !next.Default && b.ID < next.ID) {
				next = b
			}
		}
		switch {
		case next == nil:
			return tx.InsertCollection(&db.Collection{Owner: gone.Owner, Kind: db.AddressBook, Name: gone.Name, Default: true})
		case gone.Default:
			next.Default = true
			return tx.UpdateCollection(next)
		}
		return nil
	})
}

// readPrincipalCard tells where the card of somebody is: in the directory.
func readPrincipalCard(x *exchange, r *resource, w *dav.Writer) bool {
	w.Href(entryHref(r.owner))
	return true
}
