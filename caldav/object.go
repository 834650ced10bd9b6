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
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/itip"
)

const doorName = "dav" // in decision records

// get answers GET and HEAD: of an object its body, of a container a line.
func (x *exchange) get(segments []string, slash bool) error {
	r, err := x.find(segments)
	if err != nil {
		return err
	}
	if r.kind&kContainer != 0 {
		h := x.w.Header()
		const text = "a collection: open it with a calendar program\n"
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(text)))
		x.w.WriteHeader(http.StatusOK)
		if x.r.Method == "GET" {
			x.w.Write([]byte(text))
		}
		return nil
	}
	return x.sendObject(r, http.StatusOK)
}

// sendObject answers with an object, unless the conditions of the request say
// otherwise (RFC 9110 §13.2.2).
func (x *exchange) sendObject(r *resource, status int) error {
	h := x.w.Header()
	in := x.r.Header
	if status == http.StatusOK && x.r.Method != "PUT" {
		if m := dav.StrongTags(in["If-Match"]); m.Asked && !m.Match(r.obj.ETag) {
			return &dav.Error{Status: http.StatusPreconditionFailed}
		}
		if n := dav.WeakTags(in["If-None-Match"]); n.Asked {
			if n.Match(r.obj.ETag) {
				status = http.StatusNotModified
			}
		} else if since := in.Get("If-Modified-Since"); since != "" {
			if t, err := http.ParseTime(since); err == nil && !r.obj.Modified.Truncate(time.Second).After(t) {
				status = http.StatusNotModified
			}
		}
	}
	h["Etag"] = []string{`"` + r.obj.ETag + `"`}
	if r.obj.ScheduleTag != "" {
		h["Schedule-Tag"] = []string{`"` + r.obj.ScheduleTag + `"`} // RFC 6638 §8.2
	}
	h["Last-Modified"] = []string{r.obj.Modified.UTC().Format(http.TimeFormat)}
	// Whatever stands between may keep it, if it asks before each use.
	h["Cache-Control"] = []string{"private, no-cache"}
	if status == http.StatusNotModified {
		x.w.WriteHeader(status)
		return nil
	}
	h["Content-Type"] = []string{contentType(r)}
	h["Content-Length"] = []string{strconv.Itoa(len(r.obj.Body))}
	h["X-Content-Type-Options"] = []string{"nosniff"} // a body is somebody's text, not a page
	x.w.WriteHeader(status)
	if x.r.Method != "HEAD" {
		x.w.Write(r.obj.Body)
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
	if v := h["If-Schedule-Tag-Match"]; len(v) > 0 {
		// RFC 6638 §8.3. Apple's programs send it empty where they know none.
		tag := dav.Unquote(v[0])
		c.IfScheduleTagMatch = &tag
	}
	return c
}

// put answers a PUT of an object.
func (x *exchange) put(segments []string, slash bool) error {
	p, ok := x.placeOf(segments)
	if !ok || p.member == "" || slash {
		if _, err := x.find(segments); err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
		return &dav.Error{Status: http.StatusMethodNotAllowed, Detail: "only objects in collections are written by PUT"}
	}
	coll, err := x.collection(place{wing: p.wing, coll: p.coll})
	if errors.Is(err, db.ErrNotFound) {
		return &dav.Error{Status: http.StatusConflict, Detail: "the collection does not exist"} // RFC 4918 §9.7.1
	}
	if err != nil {
		return err
	}
	switch coll.kind {
	case kInbox, kOutbox:
		// RFC 6638 §2.1, §2.2: only the server makes something there.
		return needs(coll.href, "bind")
	}
	h := x.r.Header
	if h.Get("Content-Range") != "" { // RFC 9110 §14.5
		return &dav.Error{Status: http.StatusBadRequest, Detail: "a part of an object cannot be written"}
	}
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return &dav.Error{Status: http.StatusUnsupportedMediaType, Detail: "the body must not be encoded"}
	}
	if coll.kind == kBook {
		return x.putCard(coll, p.member)
	}
	return x.putEvent(coll, p.member)
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
func (x *exchange) putEvent(coll *resource, name string) error {
	body, err := x.readObject([]string{"text/calendar"},
		&dav.Error{Status: http.StatusForbidden, Cond: dav.C("supported-calendar-data"), Detail: "a calendar takes text/calendar"},
		&dav.Error{Status: http.StatusForbidden, Cond: dav.C("max-resource-size"), Detail: "an object may have " + strconv.FormatInt(x.maxResource, 10) + " octets"})
	if err != nil {
		return err
	}
	written, err := x.desk.Put(x.ctx, scheduling.Put{Actor: x.me, Collection: coll.coll.ID, Name: name, Body: body, Conditions: x.conditions(), Door: doorName})
	if err != nil {
		return x.absolute(err)
	}
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
	return memberHref(collectionHref(&x.me, &c), to), nil
}

// sendWritten answers a request that wrote an object.
func (x *exchange) sendWritten(written scheduling.Written, at string, elsewhere bool) error {
	h := x.w.Header()
	if x.prefer.Representation { // RFC 8144 §3
		if segments, _, err := dav.Segments(at); err == nil {
			if r, err := x.find(segments); err == nil && r.kind&kMember != 0 {
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
	if elsewhere {
		h.Set("Location", at)
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
	coll, err := x.collection(place{wing: p.wing, coll: p.coll})
	if err != nil {
		return err
	}
	switch {
	case p.member == "" && coll.kind&(kInbox|kOutbox) != 0:
		return needs(coll.href, "unbind") // RFC 6638 §2.1, §2.2
	case p.member == "" && coll.kind == kBook:
		err = x.store.Write(x.ctx, nil, func(tx *db.Tx) error { return tx.DeleteCollection(coll.coll.ID) })
	case p.member == "":
		err = x.desk.RemoveCollection(x.ctx, x.me, coll.coll.ID, doorName)
	case coll.kind == kBook:
		err = x.deleteCard(coll, p.member)
	default:
		err = x.desk.Remove(x.ctx, scheduling.Remove{Actor: x.me, Collection: coll.coll.ID, Name: p.member, Conditions: x.conditions(),
			NoReply: strings.EqualFold(strings.TrimSpace(x.r.Header.Get("Schedule-Reply")), "F"), Door: doorName})
	}
	if err != nil {
		return x.absolute(err)
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// absolute completes the href of a refusal: the desk names an object by its
// collection's id and its name, or by a path below the home.
func (x *exchange) absolute(err error) error {
	var r *itip.Refusal
	if !errors.As(err, &r) || r.Href == "" || strings.HasPrefix(r.Href, "/dav/") {
		return err
	}
	full := *r
	full.Href = homeHref(wings[wingCalendars], &x.me) + encodePath(strings.TrimPrefix(r.Href, "/"))
	return &full
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

// background is a context for work that outlives no request and belongs to
// none.
func background() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 10*time.Second)
}
