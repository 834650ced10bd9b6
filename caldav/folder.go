package caldav

import (
	"net/http"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/caldav/filter"
)

// The folder of principals takes the reports of calendars, as RFC 4791 §7 lets
// ordinary collections do. No calendar object lies in it.

// queryFolder answers a calendar-query there: nothing matches.
func (x *exchange) queryFolder(r *resource, root *dav.Element) error {
	if _, err := filter.Parse(root.Child(dav.C("filter"))); err != nil {
		return err
	}
	if _, err := planOf(dav.WantedIn(root), x.calendarData(time.UTC)); err != nil {
		return err
	}
	return x.multistatus().End("")
}

// multigetFolder answers a calendar-multiget there: what is asked for is not in
// it (RFC 4791 §7.9).
func (x *exchange) multigetFolder(r *resource, root *dav.Element) error {
	m, malformed := dav.ParseMultiget(root)
	if _, err := planOf(m.Request, x.calendarData(time.UTC)); err != nil {
		return err
	}
	if malformed != nil {
		return malformed
	}
	ms := x.multistatus()
	ms.EncodedAt = false // each has its own spelling
	for _, h := range m.Hrefs {
		ms.Status(h, http.StatusNotFound)
	}
	return ms.End("")
}
