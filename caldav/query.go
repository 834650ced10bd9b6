package caldav

import (
	"net/http"
	"strings"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/caldav/filter"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling/ics"
)

// calendarQuery answers a calendar-query (RFC 4791 §7.8). The index tells
// which objects may match; bodies are loaded of those for which it cannot say.
func (x *exchange) calendarQuery(r *resource, root *dav.Element) error {
	if r.kind == kCalendarHome {
		return x.queryHome(r, root)
	}
	q, err := x.parseQuery(r, root)
	if err != nil {
		return err
	}
	// RFC 4791 §7.8: Depth 0 is the resource itself. Without the header, which
	// means 0 by RFC 3253 §3.6, a collection is searched, as programs expect.
	depth, err := dav.ParseDepth(x.r.Header.Get("Depth"), dav.One)
	if err != nil {
		return err
	}
	ms := x.multistatus()
	switch {
	case r.kind&kMember != 0:
		err = q.look(ms, []*resource{r})
	case depth != dav.Zero:
		err = q.run(ms)
	}
	if err != nil {
		return err
	}
	return x.endQuery(ms, r)
}

// queryHome asks all calendars of a home, which RFC 4791 §7 allows. With Depth
// 1 too, though nothing that a query looks for lies so near: who asks so wants
// what is in the calendars.
func (x *exchange) queryHome(r *resource, root *dav.Element) error {
	depth, err := dav.ParseDepth(x.r.Header.Get("Depth"), dav.Zero)
	if err != nil {
		return err
	}
	if _, err := filter.Parse(root.Child(dav.C("filter"))); err != nil {
		return err
	}
	cs, err := x.collections(r.owner, wings[wingCalendars])
	if err != nil {
		return err
	}
	calendars, err := x.mounted(r)
	if err != nil {
		return err
	}
	for i := range cs {
		c := collectionResource(r.owner, cs[i])
		if cs[i].Kind == db.Calendar && !x.elsewhere(&cs[i]) && x.may(c, directory.Read) == nil {
			calendars = append(calendars, c)
		}
	}
	var queries []*query
	for _, c := range calendars {
		if depth == dav.Zero {
			break
		}
		q, err := x.parseQuery(c, root)
		if err != nil {
			return err
		}
		queries = append(queries, q)
	}
	ms := x.multistatus()
	for _, q := range queries {
		if err := q.run(ms); err != nil {
			return err
		}
	}
	return x.endQuery(ms, r)
}

// endQuery ends an answer, and says if it is not all.
func (x *exchange) endQuery(ms *dav.MultiStatus, r *resource) error {
	if x.tooMuch {
		// RFC 4791 §7.8: more than we are willing to return.
		ms.Status(r.href, http.StatusInsufficientStorage, dav.D("number-of-matches-within-limits"))
	}
	return ms.End("")
}

// run asks one collection.
func (q *query) run(ms *dav.MultiStatus) error {
	switch {
	case q.by.UID != nil && q.by.UID.Collation != dav.UnicodeCasemap:
		return q.byUID(ms)
	case q.by.Window != nil && q.r.kind == kCalendar:
		return q.byWindow(ms)
	}
	return q.byList(ms)
}

// query is one calendar-query.
type query struct {
	x      *exchange
	r      *resource
	filter *filter.Filter
	by     filter.Plan
	plan   *plan
	zone   *time.Location // where floating times stand for the request
	own    *time.Location // and where they stand in the index
}

func (x *exchange) parseQuery(r *resource, root *dav.Element) (*query, error) {
	if r.kind&kMember != 0 { // the collection says where its times stand
		c, err := x.collection(place{owner: x.ownerSegment(r.owner.Address), wing: wingOf(r.coll.Kind), coll: r.coll.Name})
		if err != nil {
			return nil, err
		}
		r.coll = c.coll
	}
	q := &query{x: x, r: r, own: zoneOf(r)}
	q.zone = q.own
	var err error
	if q.filter, err = filter.Parse(root.Child(dav.C("filter"))); err != nil {
		return nil, err
	}
	q.by = q.filter.Plan()
	// RFC 4791 §9.8: the request's zone, if it says, then the calendar's.
	if tz := root.Child(dav.C("timezone")); tz != nil {
		loc, err := filter.Zone(tz.Text())
		if err == nil && !strings.Contains(tz.Text(), "VERSION:") { // RFC 5545 §3.7.4
			err = &dav.Error{Status: http.StatusForbidden, Cond: dav.C("valid-calendar-data"), Detail: "timezone: it has no VERSION"}
		}
		if err != nil {
			return nil, err
		}
		if loc != nil {
			q.zone = loc
		}
	} else if id := root.Child(dav.C("timezone-id")); id != nil { // RFC 7809 §5.3.1
		loc := ics.Location(id.Trimmed())
		if loc == nil {
			return nil, &dav.Error{Status: http.StatusForbidden, Cond: dav.C("valid-timezone")}
		}
		q.zone = loc
	}
	q.plan, err = x.reportPlanAt(r, q.zone, dav.WantedIn(root))
	return q, err
}

// byWindow asks the index for what may have an instance in the window.
func (q *query) byWindow(ms *dav.MultiStatus) error {
	from, to := q.by.Window.Micros()
	var cs []db.Candidate
	err := q.x.store.View(q.x.ctx, func(tx *db.Tx) (err error) {
		cs, err = tx.InRange(q.r.coll.ID, q.by.Component, from, to)
		return err
	})
	if err != nil {
		return err
	}
	same := filter.SameZone(q.zone, q.own)
	var sure, look []int64
	for i := range cs {
		var slot *ics.Slot
		var series *ics.Series
		if s := cs[i].Slot; s != nil {
			slot = &ics.Slot{Start: s.Start, Fin: s.Fin, Type: ics.BusyType(s.Type), Floating: s.Floating}
		}
		if s := cs[i].Series; s != nil {
			series = &ics.Series{First: s.First, Last: s.Last, CoveredUntil: s.CoveredUntil, Runs: s.Runs, Floating: s.Floating}
		}
		switch filter.InWindow(*q.by.Window, slot, series, same) {
		case filter.Yes:
			if q.by.Exact {
				sure = append(sure, cs[i].ID)
				continue
			}
			fallthrough
		case filter.Look:
			look = append(look, cs[i].ID)
		}
	}
	if err := q.x.renderIDs(ms, q.r, sure, q.plan); err != nil {
		return err
	}
	return q.x.idsWithBodies(q.r, look, func(page []*resource) error { return q.look(ms, page) })
}

// byUID asks the database which UIDs contain the text that the filter wants,
// as programs do that look for one meeting (RFC 4791 §7.8.6).
func (q *query) byUID(ms *dav.MultiStatus) error {
	var ids []int64
	err := q.x.store.View(q.x.ctx, func(tx *db.Tx) (err error) {
		ids, err = tx.SearchUID(q.r.coll.ID, q.by.UID.Value)
		return err
	})
	if err != nil {
		return err
	}
	return q.x.idsWithBodies(q.r, ids, func(page []*resource) error { return q.look(ms, page) })
}

// byList goes through the names of a collection: their component and UID may
// rule them out, or be all that the filter asks for.
func (q *query) byList(ms *dav.MultiStatus) error {
	return q.x.eachMember(q.r, func(page []*resource) error {
		return q.pages(len(page), func(i int) (db.Object, filter.Answer) {
			o := page[i].obj
			switch {
			case q.by.Component != "" && o.Component != q.by.Component, q.by.UID != nil && !q.by.UID.Match(o.UID):
				return o, filter.No
			case q.by.Window != nil:
				return o, filter.Look
			}
			return o, filter.Yes
		}, ms)
	})
}

// pages goes through n objects with the index's answer about each: those that
// match are written, those that may are looked at, in their order.
func (q *query) pages(n int, at func(int) (db.Object, filter.Answer), ms *dav.MultiStatus) error {
	var sure, look []db.Object
	for i := range n {
		o, answer := at(i)
		switch {
		case answer == filter.No:
		case answer == filter.Yes && q.by.Exact:
			sure = append(sure, o)
		default:
			look = append(look, o)
		}
	}
	rs, err := q.x.members(q.r, sure)
	if err == nil {
		err = q.x.renderObjects(ms, rs, q.plan)
	}
	if err != nil {
		return err
	}
	return q.x.withBodies(membersOf(q.r, look), func(page []*resource) error { return q.look(ms, page) })
}

// look matches objects whose bodies are loaded, and writes those that match.
func (q *query) look(ms *dav.MultiStatus, page []*resource) error {
	var matched []*resource
	for _, r := range page {
		o, err := ics.Parse(r.obj.Body, ics.Limits{})
		if err == nil && q.filter.Match(o, q.zone, q.x.bound) {
			matched = append(matched, r)
		}
	}
	return q.x.renderLoaded(ms, matched, q.plan)
}
