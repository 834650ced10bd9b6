package caldav

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

// mkcol answers MKCALENDAR (RFC 4791 §5.3.1) and extended MKCOL (RFC 5689 §3).
func (x *exchange) mkcol(segments []string, slash bool) error {
	root, err := x.body()
	if err != nil {
		return err
	}
	calendar := x.r.Method == "MKCALENDAR"
	rootName := dav.D("mkcol")
	if calendar {
		rootName = dav.C("mkcalendar")
	}
	changes, err := dav.Mkcol(root, rootName)
	if err != nil {
		return err
	}
	p, ok := x.placeOf(segments)
	if !ok || p.member != "" {
		r, err := x.find(segments)
		switch {
		case err == nil && r != nil:
			return errExists
		case ok && errors.Is(err, db.ErrNotFound):
			return x.noParent(p)
		}
		if len(segments) == 4 || len(segments) == 5 {
			return notFound // somebody else's
		}
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.C("calendar-collection-location-ok"), Detail: "collections can be made in a home only"}
	}
	c := db.Collection{Owner: x.me.ID, Kind: p.wing.home, Name: p.coll}
	r := &resource{href: collectionHref(&x.me, &c), owner: &x.me, coll: &c}
	r.kind, _ = kindOf(c.Kind)
	if calendar && c.Kind != db.Calendar {
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.C("calendar-collection-location-ok"), Detail: "calendars are made in " + homeHref(wings[wingCalendars], &x.me)}
	}
	if c.Kind == db.Calendar {
		c.Components = strings.Join(calendarComponents, ",") // RFC 4791 §5.2.3: all of them if it does not say
	}
	u := &update{coll: c, creating: true}
	failed := x.prepareNew(r, changes, u, calendar)
	if failed != nil {
		return x.mkcolFailed(changes, failed, calendar)
	}
	err = x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		n, err := tx.Collections(x.me.ID, p.wing.kinds...)
		if err != nil {
			return err
		}
		if len(n) >= maxCollections {
			return &dav.Error{Status: http.StatusForbidden, Cond: dav.D("quota-not-exceeded"), Detail: "too many collections in one home"}
		}
		c := u.coll
		if err := tx.InsertCollection(&c); err != nil {
			return err
		}
		return tx.SetProperties("collection", c.ID, u.set, nil)
	})
	if errors.Is(err, db.ErrExists) {
		return errExists
	}
	if err != nil {
		return err
	}
	x.w.Header().Set("Cache-Control", "no-cache") // RFC 4791 §5.3.1: MUST NOT be cached
	x.w.Header().Set("Content-Length", "0")
	x.w.WriteHeader(http.StatusCreated)
	return nil
}

// errExists: RFC 4918 §9.3.1 wants 405 for MKCOL on what is there already.
var errExists = &dav.Error{Status: http.StatusMethodNotAllowed, Cond: dav.D("resource-must-be-null"), Detail: "there is something already"}

// noParent tells why nothing can be made inside a collection: there is none,
// or it takes no collections (RFC 4791 §4.2).
func (x *exchange) noParent(p place) error {
	if _, err := x.collection(p); err == nil {
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.C("calendar-collection-location-ok"), Detail: "collections can be made in a home only"}
	} else if !errors.Is(err, db.ErrNotFound) {
		return err
	}
	return &dav.Error{Status: http.StatusConflict, Detail: "the collection does not exist"}
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
		if r.kind == kBook {
			want = dav.CR("addressbook")
		}
		for _, e := range c.Prop.Children() {
			if e.Name != dav.D("collection") && e.Name != want {
				failed[c.Prop.Name] = &dav.Error{Status: http.StatusForbidden, Cond: dav.D("valid-resourcetype")} // RFC 5689 §3.3
			}
		}
		if c.Prop.Child(want) == nil {
			failed[c.Prop.Name] = &dav.Error{Status: http.StatusForbidden, Cond: dav.D("valid-resourcetype")}
		}
	}
	if !typed && !calendar {
		// A plain collection has no place in a home.
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

// mkcolFailed answers with a mkcol-response or mkcalendar-response (RFC 5689
// §3, §4): nothing was made.
func (x *exchange) mkcolFailed(changes []dav.Change, failed map[xml.Name]*dav.Error, calendar bool) error {
	if len(changes) == 0 {
		return failed[dav.D("resourcetype")]
	}
	root := dav.D("mkcol-response")
	if calendar {
		root = dav.C("mkcalendar-response")
	}
	body := dav.Document(root, func(w *dav.Writer) {
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
