package caldav

import (
	"encoding/xml"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// mkcol answers MKCALENDAR (RFC 4791 §5.3.1), MKCOL (RFC 4918 §9.3) and
// extended MKCOL (RFC 5689 §3).
func (x *exchange) mkcol(segments []string, slash bool) error {
	calendar := x.r.Method == "MKCALENDAR"
	if t := x.r.Header.Get("Content-Type"); t != "" && x.r.ContentLength != 0 && !calendar {
		// RFC 4918 §9.3.1: a body that means nothing to us. A MKCALENDAR has no
		// other body than its own, and some send it under another name.
		if m, _, err := mime.ParseMediaType(t); err != nil || m != "text/xml" && m != "application/xml" {
			return &dav.Error{Status: http.StatusUnsupportedMediaType, Detail: "the body of " + x.r.Method + " is XML"}
		}
	}
	root, err := x.body()
	if err != nil {
		return err
	}
	rootName := dav.D("mkcol")
	if calendar {
		rootName = dav.C("mkcalendar")
	}
	changes, err := dav.Mkcol(root, rootName)
	if err != nil {
		return err
	}
	p, ok := x.placeOf(segments)
	if !ok {
		if _, err := x.find(segments); err == nil {
			return x.taken()
		} else if len(segments) >= 4 {
			return err
		}
		return misplaced(asksFor(changes, books))
	}
	around, err := x.aroundNew(p)
	if err != nil {
		return err
	}
	owner := around.owner
	p = p.inner()
	c := db.Collection{Owner: owner.ID, Kind: p.wing.home, Name: p.coll}
	if plain := !calendar && p.wing.home == db.Calendar && !typed(changes); plain || around.kind == kPlain && !calendar {
		c.Kind = db.Plain
	}
	r := &resource{href: collectionHref(owner, &c), owner: owner, coll: &c}
	r.kind, _ = kindOf(c.Kind)
	if calendar && (c.Kind != db.Calendar || around.kind == kPlain) {
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.C("calendar-collection-location-ok"), Detail: "calendars are made in " + homeHref(wings[wingCalendars], owner)}
	}
	if c.Kind == db.Calendar {
		c.Components = strings.Join(calendarComponents, ",") // RFC 4791 §5.2.3: all of them if it does not say
	}
	if there, err := x.locate(p); err == nil && there != nil {
		return x.taken()
	}
	u := &update{coll: c, creating: true}
	failed := x.prepareNew(r, changes, u, calendar)
	if failed != nil {
		if calendar {
			return x.mkcalendarFailed(r, changes, failed)
		}
		return x.mkcolFailed(changes, failed)
	}
	guard, err := x.guard(touchAt(owner, p).comes())
	if err != nil {
		return err
	}
	err = x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		n, err := tx.Collections(owner.ID, p.wing.kinds...)
		if err != nil {
			return err
		}
		if len(n) >= maxCollections {
			return &dav.Error{Status: http.StatusForbidden, Cond: dav.D("quota-not-exceeded"), Detail: "too many collections in one home"}
		}
		if around.kind == kPlain {
			if _, err := tx.BumpCollections(around.coll.ID); err != nil {
				return err
			}
			if o, err := cardAt(tx, around.coll.ID, segments[len(segments)-1]); err != nil || o != nil {
				return errors.Join(err, errExists)
			}
		}
		if err := guard(tx); err != nil {
			return err
		}
		c := u.coll
		if err := tx.InsertCollection(&c); err != nil {
			return err
		}
		return tx.SetProperties("collection", c.ID, u.set, nil)
	})
	if errors.Is(err, db.ErrExists) || err == errExists {
		return x.taken()
	}
	if err != nil {
		return err
	}
	x.w.Header().Set("Cache-Control", "no-cache") // RFC 4791 §5.3.1: MUST NOT be cached
	x.w.Header().Set("Content-Length", "0")
	x.w.WriteHeader(http.StatusCreated)
	return nil
}

// books is the resourcetype of an address book.
var books = dav.CR("addressbook")

// typed reports whether an extended MKCOL says what to make.
func typed(changes []dav.Change) bool {
	return asks(changes, func(n xml.Name) bool { return n != dav.D("collection") })
}

// asksFor reports whether it asks for a resourcetype.
func asksFor(changes []dav.Change, what xml.Name) bool {
	return asks(changes, func(n xml.Name) bool { return n == what })
}

func asks(changes []dav.Change, what func(xml.Name) bool) bool {
	for _, c := range changes {
		if c.Prop.Name == dav.D("resourcetype") {
			for _, e := range c.Prop.Children() {
				if what(e.Name) {
					return true
				}
			}
		}
	}
	return false
}

// aroundNew finds where a collection is to be made: a home, or a plain
// collection (RFC 4791 §4.2: nothing lies in a calendar but its objects).
func (x *exchange) aroundNew(p place) (*resource, error) {
	up, inside := p.parent()
	var around *resource
	var err error
	if inside {
		around, err = x.collection(up)
	} else {
		around, err = x.home(place{owner: p.owner, wing: p.wing})
	}
	if errors.Is(err, db.ErrNotFound) {
		return nil, &dav.Error{Status: http.StatusConflict, Detail: "the collection does not exist"} // RFC 4918 §9.3.1
	}
	if err != nil {
		return nil, err
	}
	if inside && around.kind != kPlain {
		if _, err := x.object(p); err == nil {
			return nil, x.taken()
		}
		return nil, misplaced(p.wing.home == db.AddressBook)
	}
	return around, x.may(around, directory.Bind)
}

// misplaced refuses a collection where there can be none (RFC 4791 §5.3.1.1,
// RFC 6352 §6.3.1.1).
func misplaced(book bool) *dav.Error {
	cond := dav.C("calendar-collection-location-ok")
	if book {
		cond = dav.CR("addressbook-collection-location-ok")
	}
	return &dav.Error{Status: http.StatusForbidden, Cond: cond, Detail: "collections can be made in a home only"}
}

// errExists: RFC 4918 §9.3.1 wants 405 for MKCOL on what is there already.
var errExists = &dav.Error{Status: http.StatusMethodNotAllowed, Cond: dav.D("resource-must-be-null"), Detail: "there is something already"}

// taken is errExists for the method of the request: MKCALENDAR has no 405, and
// its preconditions are told with 403 (RFC 4791 §1.3, §5.3.1).
func (x *exchange) taken() error {
	if x.r.Method != "MKCALENDAR" {
		return errExists
	}
	e := *errExists
	e.Status = http.StatusForbidden
	return &e
}

// prepareNew checks the properties of a collection to be made. resourcetype is
// one of them: it says what to make (RFC 5689 §3), and has to fit its place.
func (x *exchange) prepareNew(r *resource, changes []dav.Change, u *update, calendar bool) map[xml.Name]*dav.Error {
	var typed bool
	var rest []dav.Change
	failed := make(map[xml.Name]*dav.Error)
	for _, c := range changes {
		if c.Prop.Name != dav.D("resourcetype") {
			rest = append(rest, c)
			continue
		}
		typed = true
		want := dav.C("calendar")
		switch r.kind {
		case kBook:
			want = books
		case kPlain:
			want = dav.D("collection")
		}
		for _, e := range c.Prop.Children() {
			if e.Name != dav.D("collection") && e.Name != want {
				failed[c.Prop.Name] = &dav.Error{Status: http.StatusForbidden, Cond: dav.D("valid-resourcetype")} // RFC 5689 §3.3
			}
		}
		switch {
		case c.Prop.Child(want) != nil:
		case c.Prop.Child(books) != nil, c.Prop.Child(dav.C("calendar")) != nil:
			failed[c.Prop.Name] = misplaced(c.Prop.Child(books) != nil) // in the other home
		default:
			failed[c.Prop.Name] = &dav.Error{Status: http.StatusForbidden, Cond: dav.D("valid-resourcetype")}
		}
	}
	if !typed && !calendar && r.kind != kPlain {
		// A plain collection has no place among address books.
		failed[dav.D("resourcetype")] = &dav.Error{Status: http.StatusForbidden, Cond: dav.D("valid-resourcetype")}
	}
	for name, e := range x.prepare(r, rest, u) {
		failed[name] = e
	}
	if len(failed) == 0 {
		return nil
	}
	return failed
}

// mkcalendarFailed answers as RFC 4791 §5.3.1.1 has it, with a 207: nothing was
// made.
func (x *exchange) mkcalendarFailed(r *resource, changes []dav.Change, failed map[xml.Name]*dav.Error) error {
	x.w.Header().Set("Cache-Control", "no-cache")
	ms := x.multistatus()
	ms.Begin(r.href)
	writeChanges(ms, changes, failed)
	ms.Finish()
	return ms.End("")
}

// mkcolFailed answers with a mkcol-response (RFC 5689 §3): nothing was made.
func (x *exchange) mkcolFailed(changes []dav.Change, failed map[xml.Name]*dav.Error) error {
	if len(changes) == 0 {
		return failed[dav.D("resourcetype")]
	}
	body := dav.Document(dav.D("mkcol-response"), func(w *dav.Writer) {
		for _, c := range changes {
			status, cond := http.StatusFailedDependency, xml.Name{}
			if e := failed[c.Prop.Name]; e != nil {
				status, cond = e.Status, e.Cond
			}
			w.Raw("<D:propstat><D:prop>")
			w.Empty(c.Prop.Name)
			w.Raw("</D:prop><D:status>" + dav.StatusLine(status) + "</D:status>")
			if cond.Local != "" {
				w.Raw("<D:error>")
				w.Empty(cond)
				w.Raw("</D:error>")
			}
			w.Raw("</D:propstat>")
		}
	})
	status := http.StatusForbidden
	for _, c := range changes {
		if e := failed[c.Prop.Name]; e != nil {
			status = e.Status
			break
		}
	}
	x.w.Header().Set("Cache-Control", "no-cache")
	x.sendXML(status, body)
	return nil
}
