package caldav

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// fail answers with an error. What clients sent never becomes a 5xx.
func (x *exchange) fail(err error) {
	e := x.explain(err)
	if x.w.status != 0 {
		// The answer has begun; all that is left is to break it off, so that
		// nobody takes it for whole.
		if e.Status >= 500 {
			x.log.Warn("dav: an answer was broken off", "method", x.r.Method, "path", x.r.URL.Path, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	if e.Status >= 500 && e.Status != http.StatusNotImplemented && e.Cond != dav.D("quota-not-exceeded") {
		x.log.Warn("dav: not served", "method", x.r.Method, "path", x.r.URL.Path, "status", e.Status, "error", err)
	}
	if e.Status == http.StatusServiceUnavailable {
		x.w.Header().Set("Retry-After", "10")
	}
	if body := e.Body(); body != nil {
		x.sendXML(e.Status, body)
		return
	}
	x.w.Header().Set("Content-Length", "0")
	x.w.WriteHeader(e.Status)
}

// explain says an error in the words of HTTP and WebDAV.
func (x *exchange) explain(err error) *dav.Error {
	var (
		e        *dav.Error
		refusal  *itip.Refusal
		xmlErr   *dav.SyntaxError
		syntax   *ics.SyntaxError
		tooLarge *ics.TooLargeError
	)
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &refusal):
		return x.refusal(refusal)
	case errors.As(err, &xmlErr):
		return &dav.Error{Status: http.StatusBadRequest, Detail: xmlErr.Error()}
	case errors.As(err, &syntax):
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.C("valid-calendar-data"), Detail: syntax.Error()}
	case errors.As(err, &tooLarge):
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.C("max-resource-size"), Detail: tooLarge.Error()}
	case errors.Is(err, dav.ErrTooLarge):
		return &dav.Error{Status: http.StatusRequestEntityTooLarge, Detail: "the request has too many octets"}
	case errors.Is(err, dav.ErrCharset):
		return &dav.Error{Status: http.StatusUnsupportedMediaType, Detail: "XML must be in UTF-8"}
	case errors.Is(err, db.ErrNotFound):
		return notFound
	case errors.Is(err, db.ErrExists):
		return &dav.Error{Status: http.StatusConflict}
	case errors.Is(err, db.ErrFull):
		// RFC 4331 §6: no more space, whoever asks.
		return &dav.Error{Status: http.StatusInsufficientStorage, Cond: dav.D("sufficient-disk-space"), Detail: "there is no space left on the server"}
	case errors.Is(err, db.ErrAway), errors.Is(err, db.ErrConflict), errors.Is(err, context.DeadlineExceeded):
		return &dav.Error{Status: http.StatusServiceUnavailable, Detail: "the database does not answer; try again"}
	case errors.Is(err, context.Canceled), clientGone(err):
		return &dav.Error{Status: http.StatusBadRequest, Detail: "the request ended early"}
	}
	return &dav.Error{Status: http.StatusInternalServerError, Detail: "internal error"}
}

// clientGone reports whether an error is one of reading a request's body.
func clientGone(err error) bool {
	var tooLarge *http.MaxBytesError
	s := err.Error()
	return errors.As(err, &tooLarge) || strings.Contains(s, "unexpected EOF") || strings.Contains(s, "malformed chunked") ||
		strings.Contains(s, "invalid byte in chunk length") || strings.Contains(s, "connection reset") || strings.Contains(s, "i/o timeout")
}

// refusal renders the core's no.
func (x *exchange) refusal(r *itip.Refusal) *dav.Error {
	e := &dav.Error{Status: r.Status, Cond: condition(r.Precondition), Detail: r.Detail}
	if e.Status == 0 {
		e.Status = http.StatusForbidden
	}
	if r.Href != "" {
		e.Hrefs = []string{r.Href}
		if !strings.HasPrefix(r.Href, "/") {
			e.Hrefs[0] = "/" + r.Href
		}
	}
	if r.Privilege != "" {
		e.Privileges = []xml.Name{condition(r.Privilege)}
	}
	return e
}

// condition turns "C:no-uid-conflict" into a name.
func condition(s string) xml.Name {
	switch prefix, local, _ := strings.Cut(s, ":"); prefix {
	case "D":
		return dav.D(local)
	case "C":
		return dav.C(local)
	case "CS":
		return dav.CS(local)
	case "CR":
		return dav.CR(local)
	}
	return xml.Name{}
}

// needs says that a privilege is missing (RFC 3744 §7.1.1).
func needs(href string, privilege string) *dav.Error {
	return &dav.Error{Status: http.StatusForbidden, Cond: dav.D("need-privileges"), Hrefs: []string{href}, Privileges: []xml.Name{dav.D(privilege)}}
}
