package caldav

import (
	"net/http"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
)

const hrefWellKnown = "/.well-known/"

// wellKnown answers, without a log-in, at the two paths of RFC 6764 §5 and at
// the folder above them, in which there is nothing else to see; false: it is
// another path.
func (x *exchange) wellKnown(path string) (bool, error) {
	switch strings.TrimSuffix(path, "/") + "/" {
	case hrefWellKnown + "caldav/", hrefWellKnown + "carddav/":
		x.w.Header().Set("Location", x.origin()+hrefDAV)
		x.w.Header().Set("Cache-Control", "max-age=3600")
		x.w.WriteHeader(http.StatusMovedPermanently)
		return true, nil
	case hrefWellKnown:
		return true, x.wellKnownFolder()
	}
	return false, nil
}

// origin is the public one, where the request came to it, else "", so that a
// redirect leads to the origin that was asked: Thunderbird gives its password
// to no other.
func (x *exchange) origin() string {
	u := x.publicURL
	if u == nil || x.r.Host != u.Host {
		return ""
	}
	if p := x.r.Header.Get("X-Forwarded-Proto"); p != "" && p != u.Scheme {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// wellKnownFolder tells of the folder of RFC 8615, to whoever asks, that it is
// one.
func (x *exchange) wellKnownFolder() error {
	h := x.w.Header()
	switch x.r.Method {
	case "GET", "HEAD":
		h.Set("Content-Type", "text/plain; charset=utf-8")
		x.w.WriteHeader(http.StatusOK)
		if x.r.Method == "GET" {
			x.w.Write([]byte("caldav\ncarddav\n"))
		}
		return nil
	case "PROPFIND":
	default:
		h.Set("Allow", "OPTIONS, GET, HEAD, PROPFIND")
		h.Set("Content-Length", "0")
		if x.r.Method != "OPTIONS" {
			x.w.WriteHeader(http.StatusMethodNotAllowed)
			return nil
		}
		h.Set("DAV", x.classes)
		x.w.WriteHeader(http.StatusOK)
		return nil
	}
	wanted, depth, err := x.wanted()
	if err != nil {
		return err
	}
	if depth == dav.Infinity {
		return tooDeep
	}
	ms := x.multistatus()
	ms.Begin(hrefWellKnown)
	switch {
	case wanted.PropName:
		ms.Empty(dav.D("resourcetype"))
	case wanted.AllProp || wanted.Wants(dav.D("resourcetype")):
		ms.Raw("<D:resourcetype><D:collection/></D:resourcetype>")
	}
	for _, p := range wanted.Props {
		if p.Name != dav.D("resourcetype") {
			ms.Absent(p.Name)
		}
	}
	ms.Finish()
	return ms.End("")
}
