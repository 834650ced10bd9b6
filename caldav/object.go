package caldav

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/caldav/filter"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

const doorName = "dav" // in decision records

// containerText is what GET returns of a container.
const containerText = "a collection: open it with a calendar program\n"

// get answers GET and HEAD: of an object its body, of a container a line.
func (x *exchange) get(segments []string, slash bool) error {
	r, err := x.find(segments)
	if err != nil {
		return err
	}
	if err := x.may(r, directory.Read); err != nil {
		return err
	}
	if r.kind&kContainer != 0 {
		h := x.w.Header()
		if tag := r.etag(); tag != "" {
			h["Etag"] = []string{`"` + tag + `"`}
		}
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(containerText)))
		x.w.WriteHeader(http.StatusOK)
		if x.r.Method == "GET" {
			x.w.Write([]byte(containerText))
		}
		return nil
	}
	if r.kind&(kCard|kEntry) != 0 {
		x.inForm(r)
	}
	return x.sendObject(r, http.StatusOK)
}

// sendObject answers with an object, unless the conditions of the request say
// otherwise (RFC 9110 §13.2.2).
func (x *exchange) sendObject(r *resource, status int) error {
	h := x.w.Header()
	in := x.r.Header
	if status == http.StatusOK && x.r.Method != "PUT" {
		c := x.conditions()
		c.IfNoneMatch, c.IfScheduleTagMatch = nil, nil // the latter is about writing
		if err := c.Check(&r.obj); err != nil {
			return err
		}
		if n := dav.WeakTags(in["If-None-Match"]); n.Asked {
			if n.Match(r.obj.ETag) {
				status = http.StatusNotModified
			}
		} else if since := in.Get("If-Modified-Since"); since != "" && !r.obj.Modified.IsZero() {
			if t, err := http.ParseTime(since); err == nil && !r.obj.Modified.Truncate(time.Second).After(t) {
				status = http.StatusNotModified
			}
		}
	}
	if r.obj.ETag != "" {
		h["Etag"] = []string{`"` + r.obj.ETag + `"`}
	}
	if r.obj.ScheduleTag != "" {
		h["Schedule-Tag"] = []string{`"` + r.obj.ScheduleTag + `"`} // RFC 6638 §8.2
	}
	if !r.obj.Modified.IsZero() {
		h["Last-Modified"] = []string{dav.Date(r.obj.Modified)}
	}
	// Whatever stands between may keep it, if it asks before each use.
	h["Cache-Control"] = []string{"private, no-cache"}
	if status == http.StatusNotModified {
		x.w.WriteHeader(status)
		return nil
	}
	body, mediaType := x.represent(r)
	h["Content-Type"] = []string{mediaType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	h["X-Content-Type-Options"] = []string{"nosniff"} // a body is somebody's text, not a page
	if r.kind == kFile {
		h["Content-Security-Policy"] = []string{"sandbox; default-src 'none'"} // and if it is one, it does nothing
	}
	x.w.WriteHeader(status)
	if x.r.Method != "HEAD" {
		x.w.Write(body)
	}
	return nil
}

// conditions of a request that changes an object, as values: they are checked
// under the lock.
func (x *exchange) conditions() scheduling.Conditions {
	h := x.r.Header
	c := scheduling.Conditions{
		IfMatch:     dav.StrongTags(h["If-Match"]).Conditions(),
		IfNoneMatch: dav.WeakTags(h["If-None-Match"]).Conditions(),
	}
	if t, err := http.ParseTime(h.Get("If-Unmodified-Since")); err == nil { // RFC 9110 §13.1.4: what is no date is passed over
		c.IfUnmodifiedSince = t
	}
	if v := h["If-Schedule-Tag-Match"]; len(v) > 0 {
		// RFC 6638 §8.3. Apple's programs send it empty where they know none.
		tag := dav.Unquote(v[0])
		c.IfScheduleTagMatch = &tag
	}
	return c
}

// put answers a PUT of an object.
func (x *exchange) put(segments []string, slash bool) error {
	if len(segments) == 3 && segments[1] == wordDirectory {
		return needs(x.directoryBook().href, "bind") // whether there is such a card or not: nobody writes there
	}
	p, ok := x.placeOf(segments)
	if !ok || p.member == "" || slash {
		if _, err := x.find(segments); err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
		// RFC 4918 §9.7.2 leaves the status open; Apple's server has this one.
		return &dav.Error{Status: http.StatusForbidden, Detail: "only objects in collections are written by PUT"}
	}
	coll, err := x.collection(place{owner: p.owner, wing: p.wing, coll: p.coll})
	switch {
	case errors.Is(err, db.ErrNotFound):
		return &dav.Error{Status: http.StatusConflict, Detail: "the collection does not exist"} // RFC 4918 §9.7.1
	case unseen(err):
		return hidden // whether it is there or not
	case err != nil:
		return err
	}
	var only error // why nothing may change but what I have for myself
	switch coll.kind {
	case kInbox, kOutbox, kBox:
		// RFC 6638 §2.1, §2.2: only the server makes something there.
		return needs(coll.href, "bind")
	case kPlain:
	default:
		if err := x.mayPut(coll, p); err != nil {
			if coll.kind != kCalendar || !x.mayKeepOwn(coll) {
				return err
			}
			only = err
		}
	}
	h := x.r.Header
	if h.Get("Content-Range") != "" { // RFC 9110 §14.5
		return &dav.Error{Status: http.StatusBadRequest, Detail: "a part of an object cannot be written"}
	}
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return &dav.Error{Status: http.StatusUnsupportedMediaType, Detail: "the body must not be encoded"}
	}
	switch coll.kind {
	case kPlain:
		err = x.putFile(coll, p)
	case kBook:
		err = x.putCard(coll, p.member)
	default:
		err = x.putEvent(coll, p.member, only != nil)
		if only != nil && err != nil {
			if s := x.explain(err).Status; s != http.StatusPreconditionFailed && s < 500 {
				err = only
			}
		}
	}
	if x.prefer.Representation && err != nil && x.explain(err).Status == http.StatusPreconditionFailed {
		// RFC 8144 §3.2: what is there instead.
		if r, rerr := x.object(p); rerr == nil && x.may(r, directory.Read) == nil {
			x.w.Header().Set("Preference-Applied", "return=representation")
			x.w.Header().Set("Content-Location", r.href)
			if r.kind == kCard {
				x.inForm(r)
			}
			return x.sendObject(r, http.StatusPreconditionFailed)
		}
	}
	return err
}

// mayPut asks for the right to write an object in a collection of somebody
// else: to change it where it is there, to add it where it is not (RFC 3744
// appendix B).
func (x *exchange) mayPut(coll *resource, p place) error {
	if coll.owner.ID == x.me.ID {
		return nil
	}
	need := directory.WriteContent
	if _, err := x.object(p); errors.Is(err, db.ErrNotFound) {
		need = directory.Bind
	} else if err != nil {
		return err
	}
	return x.may(coll, need)
}

// guardPut is the guard of a write of an object whether it is there or not:
// what locks a collection locks the coming of members only, so whoever has
// locked it is asked only where there is none.
func (x *exchange) guardPut(coll *resource, name string) (func(*db.Tx) error, error) {
	t := touchAt(coll.owner, place{wing: coll.wing(), coll: coll.coll.Name, member: name})
	there, err := x.guard(t)
	if err != nil {
		return nil, err
	}
	comes, err := x.guard(t.comes())
	if err != nil {
		return nil, err
	}
	return func(tx *db.Tx) error {
		locked, err := tx.HasDavLocks(coll.owner.ID)
		if err != nil || !locked && x.r.Header["If"] == nil {
			return err
		}
		switch o, err := cardAt(tx, coll.coll.ID, name); {
		case err != nil:
			return err
		case o == nil:
			return comes(tx)
		}
		return there(tx)
	}, nil
}

// readObject reads the body of a PUT within its bound. The conditions are
// those of RFC 4791 §5.3.2.1 and RFC 6352 §6.3.2.1.
func (x *exchange) readObject(mediaTypes []string, badType, tooLarge *dav.Error) ([]byte, error) {
	if t := x.r.Header.Get("Content-Type"); t != "" {
		if m, _, err := mime.ParseMediaType(t); err != nil || !slices.Contains(mediaTypes, m) {
			return nil, badType
		}
	}
	if x.r.ContentLength > x.maxResource {
		return nil, tooLarge
	}
	b, err := io.ReadAll(io.LimitReader(x.r.Body, x.maxResource+1))
	if err != nil {
		return nil, &dav.Error{Status: http.StatusBadRequest, Detail: "the request ended early"}
	}
	if int64(len(b)) > x.maxResource {
		return nil, tooLarge
	}
	return b, nil
}

// putEvent writes an object of a calendar by way of the desk.
func (x *exchange) putEvent(coll *resource, name string, own bool) error {
	body, err := x.readObject([]string{"text/calendar", filter.JCal},
		&dav.Error{Status: http.StatusForbidden, Cond: dav.C("supported-calendar-data"), Detail: "a calendar takes text/calendar"},
		&dav.Error{Status: http.StatusForbidden, Cond: dav.C("max-resource-size"), Detail: "an object may have " + strconv.FormatInt(x.maxResource, 10) + " octets"})
	if err != nil {
		return err
	}
	if x.sentJCal() {
		o, err := ics.ParseJCal(body, ics.Limits{Bytes: int(x.maxResource)})
		if err != nil {
			return err
		}
		body = o.Bytes()
	}
	if !own {
		if err := x.fits(coll.owner, int64(len(body))); err != nil {
			return err
		}
	}
	conditions := x.conditions()
	if conditions.Under, err = x.guardPut(coll, name); err != nil {
		return err
	}
	if conditions.Guest, err = x.asGuest(coll); err != nil {
		return err
	}
	if conditions.Guest != 0 && itip.HasOwn(body) { // that is kept for him
		if err := x.fits(&x.me, int64(len(body))); err != nil {
			return err
		}
	}
	written, err := x.desk.Put(x.ctx, scheduling.Put{Actor: x.me, Collection: coll.coll.ID, Found: coll.coll, Name: name, Body: body, Door: doorName, Own: own,
		Import: x.imports(), Conditions: conditions, Free: coll.unlocked && x.r.Header["If"] == nil})
	if err != nil {
		return x.absolute(err, coll.owner)
	}
	// RFC 4791 §5.3.4: the octets of jCal are not what is stored.
	written.Rewritten = written.Rewritten || x.sentJCal()
	at, err := x.whereIs(coll, name, written.Collection, written.Name)
	if err != nil {
		return err
	}
	return x.sendWritten(written, at, at != memberHref(coll.href, name))
}

// whereIs is the path of what was written. The desk merges an invitation that
// was delivered already into the object that holds it (decision 23).
func (x *exchange) whereIs(coll *resource, name string, id int64, to string) (string, error) {
	if id == 0 || id == coll.coll.ID {
		if to == "" {
			to = name
		}
		return memberHref(coll.href, to), nil
	}
	var c db.Collection
	err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		c, err = tx.Collection(id)
		return err
	})
	if err != nil {
		return "", err
	}
	return memberHref(collectionHref(coll.owner, &c), to), nil
}

// sendWritten answers a request that wrote an object.
func (x *exchange) sendWritten(written scheduling.Written, at string, elsewhere bool) error {
	x.tags = nil // this may have changed them
	h := x.w.Header()
	switch {
	case elsewhere && x.dest != "": // as the program calls it
		h.Set("Location", x.dest)
	case elsewhere || x.added:
		h.Set("Location", at)
	}
	if x.prefer.Representation { // RFC 8144 §3
		if segments, _, err := dav.Segments(at); err == nil {
			if r, err := x.find(segments); err == nil && r.kind&kMember != 0 {
				if r.kind == kCard {
					x.inForm(r)
				}
				h.Set("Preference-Applied", "return=representation")
				h.Set("Content-Location", at)
				status := http.StatusOK
				if written.Created {
					status = http.StatusCreated
				}
				return x.sendObject(r, status)
			}
		}
	}
	// RFC 4791 §5.3.4: an ETag only if what is stored is what was sent.
	if written.ETag != "" && !written.Rewritten {
		h["Etag"] = []string{`"` + written.ETag + `"`}
	}
	if written.ScheduleTag != "" {
		h["Schedule-Tag"] = []string{`"` + written.ScheduleTag + `"`}
	}
	if written.Created {
		h.Set("Content-Length", "0")
		x.w.WriteHeader(http.StatusCreated)
		return nil
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// delete answers a DELETE.
func (x *exchange) delete(segments []string, slash bool) error {
	p, ok := x.placeOf(segments)
	if !ok {
		r, err := x.find(segments)
		if err != nil {
			return err
		}
		return needs(r.href, "unbind")
	}
	coll, err := x.collection(place{owner: p.owner, wing: p.wing, coll: p.coll})
	if err != nil {
		return err
	}
	if p.member != "" && coll.kind == kPlain {
		r, err := x.locate(p)
		if err != nil {
			return err
		}
		if r.kind == kPlain {
			coll, p = r, p.inner()
		}
	}
	if p.member == "" {
		err = x.deleteCollection(coll)
	} else {
		err = x.deleteObject(coll, p)
	}
	if err != nil {
		return x.absolute(err, coll.owner)
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// deleteCollection removes a collection with everything in it.
func (x *exchange) deleteCollection(coll *resource) error {
	if coll.mount != nil {
		return x.leave(coll)
	}
	if coll.kind&(kInbox|kOutbox|kBox) != 0 {
		return needs(coll.href, "unbind") // RFC 6638 §2.1, §2.2
	}
	if d := x.r.Header.Get("Depth"); d != "" { // RFC 4918 §9.6.1
		if depth, err := dav.ParseDepth(d, dav.Infinity); err != nil || depth != dav.Infinity {
			return &dav.Error{Status: http.StatusBadRequest, Detail: "a collection is deleted with everything in it"}
		}
	}
	if err := x.mayUnbind(coll); err != nil {
		return err
	}
	switch coll.kind {
	case kBook:
		return x.deleteBook(coll)
	case kPlain:
		return x.deleteTree(coll)
	}
	guard, err := x.guard(x.touch(coll).goes())
	if err != nil {
		return err
	}
	shares, err := x.invitedInto(coll)
	if err != nil {
		return err
	}
	if err := x.desk.RemoveCollection(x.ctx, scheduling.Remove{Actor: x.me, Collection: coll.coll.ID, Conditions: scheduling.Conditions{Under: guard}, NoReply: x.noReply(), Door: doorName}); err != nil {
		return err
	}
	return x.forget(coll.owner, coll.coll, shares)
}

// deleteObject removes an object.
func (x *exchange) deleteObject(coll *resource, p place) error {
	if err := x.may(coll, directory.Unbind); err != nil {
		return err
	}
	switch coll.kind {
	case kPlain, kBox:
		return x.deleteFile(coll, p)
	case kBook:
		return x.deleteCard(coll, p.member)
	}
	conditions := x.conditions()
	var err error
	if conditions.Under, err = x.guard(touchAt(coll.owner, p).goes()); err != nil {
		return err
	}
	if conditions.Guest, err = x.asGuest(coll); err != nil {
		return err
	}
	return x.desk.Remove(x.ctx, scheduling.Remove{Actor: x.me, Collection: coll.coll.ID, Name: p.member, Conditions: conditions,
		NoReply: x.noReply(), Door: doorName})
}

// noReply reports whether who removes invitations wants nobody to hear of it (RFC
// 6638 §8.1).
func (x *exchange) noReply() bool {
	return strings.EqualFold(strings.TrimSpace(x.r.Header.Get("Schedule-Reply")), "F")
}

// imports reports whether a program brings what comes from elsewhere, of which
// nobody is to be told. No standard has a name for that; this one is Nextcloud's.
func (x *exchange) imports() bool {
	return strings.EqualFold(strings.TrimSpace(x.r.Header.Get("X-NC-Disable-Scheduling")), "true")
}

// absolute completes the href of a refusal: the desk names an object by its
// collection's id and its name, or by a path below the owner's home.
func (x *exchange) absolute(err error, owner *db.Principal) error {
	var r *itip.Refusal
	if !errors.As(err, &r) || r.Href == "" || strings.HasPrefix(r.Href, "/dav/") {
		return err
	}
	full := *r
	full.Href = homeHref(wings[wingCalendars], owner) + encodePath(strings.TrimPrefix(r.Href, "/"))
	return &full
}

// background is a context for work that outlives no request and belongs to
// none.
func background() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 10*time.Second)
}
