package caldav

import (
	"mime"
	"strconv"
	"strings"

	"github.com/convene-server/convene/caldav/filter"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// zones reads CalDAV-Timezones (RFC 7809 §7.1). Without it, or with anything
// that it does not know, an object is what was stored.
func (x *exchange) zones() filter.Zones {
	switch x.r.Header.Get("CalDAV-Timezones") {
	case "T":
		return filter.WithZones
	case "F":
		return filter.WithoutZones
	}
	return filter.AsStored
}

// represent returns the body of an object as the request wants it, and its
// media type. The entity tag is that of what is stored, whatever the form.
func (x *exchange) represent(r *resource) ([]byte, string) {
	if r.kind&(kEvent|kNotice) == 0 {
		return r.obj.Body, contentType(r)
	}
	x.w.Header().Add("Vary", "Accept, CalDAV-Timezones")
	d := filter.Data{Zones: x.zones(), JSON: x.wantsJCal()}
	body := itip.Shown(r.obj.Body)
	if d.Whole() {
		return body, contentType(r)
	}
	o, err := ics.Parse(body, ics.Limits{})
	if err != nil { // stored by an older release that took more
		return body, contentType(r)
	}
	b, err := d.Of(o, zoneOf(r), x.bound)
	if err != nil {
		return body, contentType(r)
	}
	if d.JSON {
		return b, filter.JCal + strings.TrimPrefix(contentType(r), "text/calendar")
	}
	return b, contentType(r)
}

// sentJCal reports whether the body of the request is jCal.
func (x *exchange) sentJCal() bool {
	m, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	return err == nil && m == filter.JCal
}

// wantsJCal reads Accept (RFC 9110 §12.5.1). iCalendar is what is sent where
// nothing is preferred, and where nothing that we have is acceptable, because
// programs send whatever Accept their HTTP library has. Who sends jCal and says
// nothing gets jCal.
func (x *exchange) wantsJCal() bool {
	accept := x.r.Header["Accept"]
	if len(accept) == 0 {
		return x.sentJCal()
	}
	return quality(accept, filter.JCal) > quality(accept, "text/calendar")
}

// quality is how much a media type is wanted, from 0 to 1: what names it most
// precisely counts.
func quality(accept []string, mediaType string) float64 {
	kind, _, _ := strings.Cut(mediaType, "/")
	best, q := 0, 0.0
	for one := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, rest, _ := strings.Cut(one, ";")
		rank := 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case mediaType:
			rank = 3
		case kind + "/*":
			rank = 2
		case "*/*":
			rank = 1
		}
		if rank <= best {
			continue
		}
		best, q = rank, 1
		for p := range strings.SplitSeq(rest, ";") {
			if k, v, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(k, "q") {
				q, _ = strconv.ParseFloat(v, 64)
			}
		}
	}
	return q
}
