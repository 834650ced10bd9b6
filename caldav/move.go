package caldav

import (
	"errors"
	"net/http"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
)

// transfer is what COPY and MOVE have in common: an object of mine and where
// in a collection of mine it goes (RFC 4918 §9.8, §9.9).
type transfer struct {
	from      *resource // with its body
	to        *resource // the collection
	name      string
	overwrite bool
	same      bool // source and destination are one
}

func (x *exchange) transfer(segments []string) (transfer, error) {
	var t transfer
	r, err := x.find(segments)
	if err != nil {
		return t, err
	}
	if r.kind&(kEvent|kCard) == 0 {
		// Collections keep their names, messages their inbox.
		return t, needs(r.href, "unbind")
	}
	switch o := strings.TrimSpace(x.r.Header.Get("Overwrite")); {
	case o == "" || strings.EqualFold(o, "T"):
		t.overwrite = true // RFC 4918 §10.6
	case strings.EqualFold(o, "F"):
	default:
		return t, &dav.Error{Status: http.StatusBadRequest, Detail: "Overwrite is neither T nor F"}
	}
	dest := x.r.Header.Get("Destination")
	if dest == "" {
		return t, &dav.Error{Status: http.StatusBadRequest, Detail: "there is no Destination"}
	}
	host, path, err := dav.Reference(dest)
	if err != nil {
		return t, &dav.Error{Status: http.StatusBadRequest, Detail: "the Destination names no resource"}
	}
	if host != "" && !x.ourHost(host) {
		return t, &dav.Error{Status: http.StatusForbidden, Detail: "the Destination is on another server"}
	}
	to, slash, err := dav.Segments(path)
	if err != nil {
		return t, &dav.Error{Status: http.StatusBadRequest, Detail: "the Destination names no resource"}
	}
	p, ok := x.placeOf(to)
	if !ok || p.member == "" || slash {
		// Somebody else's home is like none at all.
		return t, notFound
	}
	t.to, err = x.collection(place{wing: p.wing, coll: p.coll})
	if errors.Is(err, db.ErrNotFound) {
		return t, &dav.Error{Status: http.StatusConflict, Detail: "the Destination's collection does not exist"}
	}
	if err != nil {
		return t, err
	}
	if t.to.kind&(kInbox|kOutbox) != 0 {
		return t, needs(t.to.href, "bind")
	}
	if (t.to.kind == kBook) != (r.kind == kCard) {
		return t, &dav.Error{Status: http.StatusForbidden, Detail: "events go into calendars, cards into address books"}
	}
	t.from, t.name = r, p.member
	t.same = t.to.coll.ID == r.obj.Collection && t.name == r.obj.Name
	if t.same { // RFC 4918 §9.8.5, §9.9.4
		return t, &dav.Error{Status: http.StatusForbidden, Detail: "source and Destination are the same"}
	}
	return t, nil
}

// move answers a MOVE between own calendars: nobody is told (RFC 6638
// §3.2.3.4).
func (x *exchange) move(segments []string, slash bool) error {
	t, err := x.transfer(segments)
	if err != nil {
		return err
	}
	if t.from.kind == kCard {
		return x.moveCard(t)
	}
	w, err := x.desk.Move(x.ctx, scheduling.Move{Actor: x.me, Collection: t.from.obj.Collection, Name: t.from.obj.Name,
		To: t.to.coll.ID, ToName: t.name, Overwrite: t.overwrite, Conditions: x.conditions(), Door: doorName})
	if err != nil {
		return x.absolute(err)
	}
	return x.sendWritten(w, memberHref(t.to.href, t.name), w.Created)
}

// copy answers a COPY: a PUT of the same bytes, which the desk refuses where
// it would make a second copy of one conversation (RFC 6638 §3.2.3.3, decision
// 23).
func (x *exchange) copy(segments []string, slash bool) error {
	t, err := x.transfer(segments)
	if err != nil {
		return err
	}
	if t.from.kind == kCard {
		return x.copyCard(t)
	}
	// The conditions of the request are about the source.
	if m := dav.StrongTags(x.r.Header["If-Match"]); m.Asked && !m.Match(t.from.obj.ETag) {
		return &dav.Error{Status: http.StatusPreconditionFailed}
	}
	var c scheduling.Conditions
	if !t.overwrite {
		c.IfNoneMatch = []string{"*"}
	}
	w, err := x.desk.Put(x.ctx, scheduling.Put{Actor: x.me, Collection: t.to.coll.ID, Name: t.name, Body: t.from.obj.Body, Conditions: c, Door: doorName, Copy: true})
	if err != nil {
		return x.absolute(err)
	}
	return x.sendWritten(w, memberHref(t.to.href, t.name), w.Created)
}
