package caldav

import (
	"errors"
	"net/http"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
)

// transfer is what COPY and MOVE have in common (RFC 4918 §9.8, §9.9).
type transfer struct {
	from      *resource // an object with its body, or a collection
	to        place
	owner     *db.Principal // of the home where it goes
	coll      *resource     // the collection into which it goes; nil: the home itself
	overwrite bool
}

func (x *exchange) transfer(segments []string, move bool) (*transfer, error) {
	r, err := x.find(segments)
	if err != nil {
		return nil, err
	}
	if r.kind&(kMember|kColl) == 0 || r.kind&(kInbox|kOutbox|kNotice|kBox|kTold) != 0 || r.mount != nil {
		// What holds the tree together stays, and messages stay in their inbox.
		return nil, needs(r.href, "unbind")
	}
	t := &transfer{from: r}
	switch o := strings.TrimSpace(x.r.Header.Get("Overwrite")); {
	case o == "" || strings.EqualFold(o, "T"):
		t.overwrite = true // RFC 4918 §10.6
	case strings.EqualFold(o, "F"):
	default:
		return nil, &dav.Error{Status: http.StatusBadRequest, Detail: "Overwrite is neither T nor F"}
	}
	dest := x.r.Header.Get("Destination")
	if dest == "" {
		return nil, &dav.Error{Status: http.StatusBadRequest, Detail: "there is no Destination"}
	}
	host, path, err := dav.Reference(dest)
	if err != nil || strings.ContainsAny(dest, "?#") { // RFC 4918 §8.3: Simple-ref has neither
		return nil, &dav.Error{Status: http.StatusBadRequest, Detail: "the Destination names no resource"}
	}
	if host != "" && !x.ourHost(host) {
		return nil, &dav.Error{Status: http.StatusForbidden, Detail: "the Destination is on another server"}
	}
	to, slash, err := dav.Segments(path)
	if err != nil {
		return nil, &dav.Error{Status: http.StatusBadRequest, Detail: "the Destination names no resource"}
	}
	x.dest = dest
	var ok bool
	if t.to, ok = x.placeOf(to); !ok {
		there, err := x.find(to)
		if err == nil { // what holds the tree together is replaced by nothing
			err = needs(there.href, "bind")
		}
		return nil, err
	}
	if err := x.destination(t, slash); err != nil {
		return nil, err
	}
	return t, x.mayTransfer(t, move)
}

// destination finds where a transfer goes, and whether it can go there.
func (x *exchange) destination(t *transfer, slash bool) (err error) {
	r := t.from
	if t.owner, err = x.ownerOf(t.to); err != nil {
		return err
	}
	if t.to.member == "" {
		// Into the home: collections only.
		if r.kind&kMember != 0 {
			home, err := x.home(place{owner: t.to.owner, wing: t.to.wing})
			if err != nil {
				return err
			}
			return &dav.Error{Status: http.StatusForbidden, Hrefs: []string{home.href}, Detail: "there are only collections in a home"}
		}
		if t.to.wing != r.wing() {
			return &dav.Error{Status: http.StatusForbidden, Detail: "calendars and address books have homes of their own"}
		}
		if _, err := x.home(place{owner: t.to.owner, wing: t.to.wing}); err != nil {
			return err
		}
	} else {
		t.coll, err = x.collection(place{owner: t.to.owner, wing: t.to.wing, coll: t.to.coll})
		switch {
		case errors.Is(err, db.ErrNotFound):
			return &dav.Error{Status: http.StatusConflict, Detail: "the Destination's collection does not exist"}
		case unseen(err):
			return hidden // whether it is there or not
		case err != nil:
			return err
		}
		switch {
		case t.coll.kind&(kInbox|kOutbox|kBox) != 0:
			return needs(t.coll.href, "bind")
		case r.kind&kColl != 0 && (r.kind != kPlain || t.coll.kind != kPlain):
			return misplaced(r.kind == kBook) // RFC 4791 §4.2, RFC 6352 §5.2
		case r.kind == kFile && t.coll.kind == kCalendar && !slash && isCalendar(r.obj.Component):
			// As if it were PUT there (RFC 4791 §5.3.2.1).
		case r.kind&kMember != 0 && (slash && r.kind != kFile || t.coll.kind != containerOf(r.kind)):
			e := &dav.Error{Status: http.StatusForbidden, Detail: "events go into calendars, cards into address books, files into plain collections"}
			switch t.coll.kind {
			case kCalendar:
				e.Cond = dav.C("supported-calendar-data") // RFC 4791 §5.3.2.1
			case kBook:
				e.Cond = dav.CR("supported-address-data") // RFC 6352 §6.3.2.1
			}
			return e
		}
	}
	from := x.touch(r)
	if t.owner.ID == r.owner.ID && t.to.wing == r.wing() {
		if path := t.to.path(); path == from.path { // RFC 4918 §9.8.5, §9.9.4
			return &dav.Error{Status: http.StatusForbidden, Detail: "source and Destination are the same"}
		} else if below(path, from.path) || below(from.path, path) {
			return &dav.Error{Status: http.StatusConflict, Detail: "source and Destination lie in one another"}
		}
	}
	return nil
}

// containerOf a kind of member.
func containerOf(k kind) kind {
	switch k {
	case kCard:
		return kBook
	case kFile:
		return kPlain
	case kNotice:
		return kInbox
	}
	return kCalendar
}

// mayTransfer checks privileges (RFC 3744 appendix B).
func (x *exchange) mayTransfer(t *transfer, move bool) error {
	if err := x.may(t.from, directory.Read); err != nil {
		return err
	}
	into := t.coll
	if into == nil {
		into = &resource{kind: t.to.wing.node, href: homeHref(t.to.wing, t.owner), owner: t.owner}
	}
	need := directory.Bind
	if t.overwrite {
		switch _, err := x.locate(t.to); {
		case err == nil:
			need |= directory.Unbind
			if t.from.kind&(kEvent|kCard) != 0 || t.coll != nil && t.coll.kind == kCalendar {
				need = directory.WriteContent
			}
		case !errors.Is(err, db.ErrNotFound):
			return err
		}
	}
	if err := x.may(into, need); err != nil {
		return err
	}
	if !move {
		return x.fits(t.owner, t.from.obj.Size)
	}
	return x.mayUnbind(t.from)
}

// mayUnbind asks for the right to take something away from where it is.
func (x *exchange) mayUnbind(r *resource) error {
	switch {
	case r.kind&kMember != 0:
		return x.may(&resource{kind: containerOf(r.kind), href: collectionHref(r.owner, r.coll), owner: r.owner, coll: r.coll}, directory.Unbind)
	case r.owner.ID == x.me.ID:
		return nil
	}
	if up := parentPath(r.coll.Name); up != "" {
		return x.may(r, directory.Unbind) // it has at least the rights of the one around it
	}
	return x.may(&resource{kind: r.wing().node, href: homeHref(r.wing(), r.owner), owner: r.owner}, directory.Unbind)
}

// move answers a MOVE. Between calendars of one owner nobody is told (RFC 6638
// §3.2.3.4).
func (x *exchange) move(segments []string, slash bool) error {
	t, err := x.transfer(segments, true)
	if err != nil {
		return err
	}
	switch {
	case t.from.kind == kCard:
		return x.moveCard(t)
	case t.from.kind == kFile && t.coll != nil && t.coll.kind == kCalendar:
		return x.enter(t, true)
	case t.from.kind&kColl != 0 && t.from.owner.ID != t.owner.ID:
		return &dav.Error{Status: http.StatusForbidden, Detail: "a collection stays with its owner"}
	case t.from.kind != kEvent:
		return x.moveTree(t)
	}
	c := x.conditions()
	if c.Under, err = x.guard(x.touch(t.from).goes(), touchAt(t.owner, t.to).comes()); err != nil {
		return err
	}
	if c.Guest, err = x.asGuest(t.coll); err != nil {
		return err
	}
	w, err := x.desk.Move(x.ctx, scheduling.Move{Actor: x.me, Collection: t.from.obj.Collection, Name: t.from.obj.Name,
		To: t.coll.coll.ID, ToName: t.to.member, Overwrite: t.overwrite, Conditions: c, Door: doorName})
	if err != nil {
		return x.absolute(err, t.from.owner)
	}
	w.Rewritten = c.Guest != 0 // what he sees has an entity tag of its own
	return x.sendWritten(w, memberHref(t.coll.href, t.to.member), w.Created)
}

// copy answers a COPY: of an event a PUT of the same bytes, which the desk
// refuses where it would make a second copy of one conversation (RFC 6638
// §3.2.3.3, decision 23).
func (x *exchange) copy(segments []string, slash bool) error {
	t, err := x.transfer(segments, false)
	if err != nil {
		return err
	}
	switch t.from.kind {
	case kCard:
		return x.copyCard(t)
	case kCalendar:
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.C("unique-scheduling-object-resource"), Detail: "what is in a calendar is there once"}
	case kEvent:
	case kFile:
		if t.coll != nil && t.coll.kind == kCalendar {
			return x.enter(t, false)
		}
		return x.copyTree(t)
	default:
		return x.copyTree(t)
	}
	// The conditions of the request are about the source (RFC 6638 §3.2.10.2).
	if err := x.conditions().Check(&t.from.obj); err != nil {
		return err
	}
	var c scheduling.Conditions
	if !t.overwrite {
		c.IfNoneMatch = []string{"*"}
	}
	if c.Under, err = x.guard(touchAt(t.owner, t.to).comes()); err != nil {
		return err
	}
	if c.Guest, err = x.asGuest(t.coll); err != nil {
		return err
	}
	w, err := x.desk.Put(x.ctx, scheduling.Put{Actor: x.me, Collection: t.coll.coll.ID, Name: t.to.member, Body: t.from.obj.Body, Conditions: c, Door: doorName, Copy: true})
	if err != nil {
		return x.absolute(err, t.owner)
	}
	return x.sendWritten(w, memberHref(t.coll.href, t.to.member), w.Created)
}

// isCalendar reports whether the media type of a file is that of calendars.
func isCalendar(media string) bool {
	m, _, _ := strings.Cut(media, ";")
	return strings.EqualFold(strings.TrimSpace(m), "text/calendar")
}

// enter makes an object of a calendar of a file: a PUT of its bytes, after
// which a MOVE removes the file. If that fails, the same MOVE may be sent
// again.
func (x *exchange) enter(t *transfer, move bool) error {
	if err := x.conditions().Check(&t.from.obj); err != nil { // they are about the source
		return err
	}
	var c scheduling.Conditions
	if !t.overwrite {
		c.IfNoneMatch = []string{"*"}
	}
	into, err := x.guardPut(t.coll, t.to.member)
	if err != nil {
		return err
	}
	c.Under = into
	if move {
		leaves := x.touch(t.from).goes()
		leaves.gone = false // not yet
		out, err := x.guard(leaves)
		if err != nil {
			return err
		}
		c.Under = func(tx *db.Tx) error {
			if err := into(tx); err != nil {
				return err
			}
			return out(tx)
		}
	}
	file := place{owner: t.to.owner, wing: t.from.wing(), coll: t.from.coll.Name, member: t.from.obj.Name}
	from := collectionResource(t.from.owner, *t.from.coll)
	w, err := x.desk.Put(x.ctx, scheduling.Put{Actor: x.me, Collection: t.coll.coll.ID, Name: t.to.member, Body: t.from.obj.Body, Conditions: c, Door: doorName})
	if err != nil {
		return x.absolute(err, t.owner)
	}
	if move {
		if err := x.deleteFile(from, file); err != nil {
			return err
		}
	}
	at, err := x.whereIs(t.coll, t.to.member, w.Collection, w.Name)
	if err != nil {
		return err
	}
	return x.sendWritten(w, at, w.Created)
}
