package caldav

import (
	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

func readCalendarHome(x *exchange, r *resource, w *dav.Writer) bool {
	return homeOf(wings[wingCalendars], x, r, w)
}

// homeOf a principal is told to itself, and to whoever may see something in it.
// Mine comes first, those of people who share with me after it: programs that
// look at one home only have the right one.
func homeOf(wg *wing, x *exchange, r *resource, w *dav.Writer) bool {
	if r.owner.ID != x.me.ID {
		return x.tellHome(wg, r.owner, w)
	}
	w.Href(homeHref(wg, r.owner))
	others, err := x.sharing()
	if err != nil {
		x.broken = err
		return false
	}
	for _, p := range others {
		x.tellHome(wg, p, w)
	}
	return x.broken == nil
}

// tellHome names the home of somebody else, if there is something to see.
func (x *exchange) tellHome(wg *wing, owner *db.Principal, w *dav.Writer) bool {
	g, err := x.granted(owner)
	if err != nil {
		x.broken = err
		return false
	}
	if wg.home == db.AddressBook && !g.VisibleBooks || wg.home == db.Calendar && !g.VisibleCalendars {
		return false
	}
	if wg.home == db.Calendar {
		left, err := x.anyLeft(owner, &g)
		if err != nil {
			x.broken = err
		}
		if !left {
			return false
		}
	}
	w.Href(homeHref(wg, owner))
	return true
}
