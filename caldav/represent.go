package caldav

import (
	"github.com/convene-server/convene/caldav/filter"
	"github.com/convene-server/convene/scheduling/ics"
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

// represent returns the body of an object as the request wants it.
func (x *exchange) represent(r *resource) []byte {
	if r.kind&(kEvent|kNotice) == 0 {
		return r.obj.Body
	}
	x.w.Header().Add("Vary", "CalDAV-Timezones")
	d := filter.Data{Zones: x.zones()}
	if d.Whole() {
		return r.obj.Body
	}
	o, err := ics.Parse(r.obj.Body, ics.Limits{})
	if err != nil { // stored by an older release that took more
		return r.obj.Body
	}
	b, err := d.Of(o, zoneOf(r), x.bound)
	if err != nil {
		return r.obj.Body
	}
	return b
}
