package caldav

import (
	"encoding/xml"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/caldav/filter"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// report is one row of the table of reports.
type report struct {
	name  xml.Name
	kinds kind // where it can be asked
	spec  string
	root  bool // Depth is 0, whatever else makes no sense
	serve func(x *exchange, r *resource, root *dav.Element) error
}

// reports is a table that init fills, because serving one reads it.
var reports []report

func init() {
	reports = []report{
		{name: dav.D("expand-property"), kinds: kEvery, root: true, spec: "RFC 3253 §3.8", serve: (*exchange).expandProperty},
		{name: dav.D("principal-match"), kinds: kEvery &^ kMember, root: true, spec: "RFC 3744 §9.3", serve: (*exchange).principalMatch},
		{name: dav.D("principal-property-search"), kinds: kEvery, root: true, spec: "RFC 3744 §9.4", serve: (*exchange).principalSearch},
		{name: dav.D("principal-search-property-set"), kinds: kPrincipals | kPrincipal | kRoot, root: true, spec: "RFC 3744 §9.5", serve: (*exchange).searchProperties},
		{name: dav.CS("calendarserver-principal-search"), kinds: kEvery, root: true, spec: "calendarserver-principal-search", serve: (*exchange).attendeeSearch},
		{name: dav.D("acl-principal-prop-set"), kinds: kOwned | kPrincipals, root: true, spec: "RFC 3744 §9.2", serve: (*exchange).aclPrincipals},
		{name: dav.D("sync-collection"), kinds: kSynced, spec: "RFC 6578 §3.2", serve: (*exchange).syncCollection},
		{name: dav.D("sync-collection"), kinds: kHome, spec: "RFC 6578 §3.3", serve: (*exchange).syncHome},
		{name: dav.C("calendar-query"), kinds: kCalendarHome | kCalendar | kInbox | kOutbox | kEvent | kNotice, spec: "RFC 4791 §7.8", serve: (*exchange).calendarQuery},
		{name: dav.C("calendar-multiget"), kinds: kCalendarHome | kCalendar | kInbox | kOutbox | kEvent | kNotice, spec: "RFC 4791 §7.9", serve: (*exchange).multiget},
		{name: dav.C("calendar-query"), kinds: kPrincipals, spec: "RFC 4791 §7", serve: (*exchange).queryFolder},
		{name: dav.C("calendar-multiget"), kinds: kPrincipals, spec: "RFC 4791 §7", serve: (*exchange).multigetFolder},
		{name: dav.CR("addressbook-query"), kinds: kBook | kCard, spec: "RFC 6352 §8.6", serve: (*exchange).addressbookQuery},
		{name: dav.CR("addressbook-multiget"), kinds: kBookHome | kBook | kCard, spec: "RFC 6352 §8.7", serve: (*exchange).multiget},
		{name: dav.CR("addressbook-query"), kinds: kDirectory | kEntry, spec: "RFC 6352 §8.6", serve: (*exchange).directoryQuery},
		{name: dav.CR("addressbook-multiget"), kinds: kDirectory | kEntry, spec: "RFC 6352 §8.7", serve: (*exchange).directoryMultiget},
		{name: dav.C("free-busy-query"), kinds: kPrincipals | kPrincipal | kCalendarHome | kCalendar, spec: "RFC 4791 §7.10", serve: (*exchange).freeBusyQuery},
	}
}

// report answers a REPORT (RFC 3253 §3.6).
func (x *exchange) report(segments []string, slash bool) error {
	root, err := x.body()
	if err != nil {
		return err
	}
	if root == nil {
		return &dav.Error{Status: http.StatusBadRequest, Detail: "a REPORT needs a body"}
	}
	depth, err := dav.ParseDepth(x.r.Header.Get("Depth"), dav.Zero)
	if err != nil {
		return err
	}
	need, busy := directory.Read, root.Name == dav.C("free-busy-query")
	if busy {
		need = directory.ReadFreeBusy
	}
	r, err := x.find(segments)
	if busy && unseen(err) {
		return notFound // RFC 4791 §7.10
	}
	if err != nil {
		return err
	}
	for i := range reports {
		if t := &reports[i]; t.name == root.Name && t.kinds&r.kind != 0 {
			if err := x.may(r, need); err != nil {
				if refused := new(dav.Error); busy && errors.As(err, &refused) {
					return notFound
				}
				return err
			}
			if t.root && depth != dav.Zero { // RFC 3744 §9.2 to §9.5
				return &dav.Error{Status: http.StatusBadRequest, Detail: "the Depth of this report is 0"}
			}
			return t.serve(x, r, root)
		}
	}
	// RFC 3253 §3.6
	return &dav.Error{Status: http.StatusForbidden, Cond: dav.D("supported-report"), Detail: "no such report here"}
}

// calendarData is how reports return bodies: the CALDAV:calendar-data element
// of the request says which parts (RFC 4791 §9.6). zone is where floating times
// stand.
func (x *exchange) calendarData(zone *time.Location) func(*dav.Element) (datum, error) {
	return func(e *dav.Element) (datum, error) {
		if e.Name != dav.C("calendar-data") {
			return nil, nil
		}
		d, err := filter.ParseData(e)
		if err != nil {
			return nil, err
		}
		d.Zones = x.zones()
		return func(x *exchange, r *resource, w *dav.Writer) *dav.Error {
			if r.kind&(kEvent|kNotice) == 0 {
				return notFound
			}
			body := itip.Shown(r.obj.Body)
			if d.Whole() {
				w.TextBytes(body)
				return nil
			}
			o, err := ics.Parse(body, ics.Limits{})
			if err != nil { // stored by an older release that took more
				if d.JSON {
					return notFound
				}
				w.TextBytes(body)
				return nil
			}
			b, err := d.Of(o, zone, x.bound)
			if err != nil {
				x.tooMuch = true
				return notFound
			}
			w.TextBytes(b)
			return nil
		}, nil
	}
}

// reportPlan prepares what a report asks of each object.
func (x *exchange) reportPlan(r *resource, wanted dav.Request) (*plan, error) {
	return x.reportPlanAt(r, nil, wanted)
}

// reportPlanAt is reportPlan where the request says where floating times stand
// (RFC 4791 §7.3, §9.8); nil: where they do in the calendar.
func (x *exchange) reportPlanAt(r *resource, zone *time.Location, wanted dav.Request) (*plan, error) {
	if r.kind&(kBookHome|kBook|kCard|kDirectory|kEntry) != 0 {
		return planOf(wanted, addressData)
	}
	if zone == nil {
		zone = zoneOf(r)
	}
	return planOf(wanted, x.calendarData(zone))
}

// renderObjects writes members that a report found, with their bodies where
// the plan needs them. missing is called for those that vanished meanwhile; it
// may be nil.
func (x *exchange) renderObjects(ms *dav.MultiStatus, rs []*resource, p *plan) error {
	if !p.bodies {
		return x.renderLoaded(ms, rs, p)
	}
	return x.withBodies(rs, func(page []*resource) error { return x.renderLoaded(ms, page, p) })
}

// renderIDs writes the objects of a collection with these ids.
func (x *exchange) renderIDs(ms *dav.MultiStatus, coll *resource, ids []int64, p *plan) error {
	if p.bodies {
		return x.idsWithBodies(coll, ids, func(page []*resource) error { return x.renderLoaded(ms, page, p) })
	}
	for page := range slices.Chunk(ids, pageRows) {
		var os []db.Object
		err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
			os, err = tx.Heads(page)
			return err
		})
		if err != nil {
			return err
		}
		rs, err := x.members(coll, os)
		if err == nil {
			err = x.renderLoaded(ms, rs, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// idsWithBodies loads objects by their ids, page by page. Their sizes are not
// known before, so large bodies are left to a second look, one by one.
func (x *exchange) idsWithBodies(coll *resource, ids []int64, fn func([]*resource) error) error {
	for page := range slices.Chunk(ids, pageBodies) {
		var os []db.Object
		err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
			os, err = tx.SmallByIDs(page, pageBytes/pageBodies)
			return err
		})
		if err != nil {
			return err
		}
		rs, err := x.members(coll, os)
		if err != nil {
			return err
		}
		var small, large []*resource
		for _, r := range rs {
			if r.obj.Body == nil && r.obj.Size > 0 {
				large = append(large, r)
			} else {
				small = append(small, r)
			}
		}
		if err := fn(small); err != nil {
			return err
		}
		if err := x.withBodies(large, fn); err != nil {
			return err
		}
	}
	return nil
}

// renderLoaded writes objects whose bodies are loaded where they are needed.
func (x *exchange) renderLoaded(ms *dav.MultiStatus, rs []*resource, p *plan) error {
	if err := x.loadDead(p, rs...); err != nil {
		return err
	}
	for _, r := range rs {
		x.render(ms, r, p)
	}
	if x.broken != nil {
		return x.broken
	}
	return ms.Err()
}

// openMultiget reads a multiget of whatever objects. What can be said of its
// properties comes before what is malformed.
func (x *exchange) openMultiget(r *resource, root *dav.Element) (m dav.Multiget, p *plan, err error) {
	m, malformed := dav.ParseMultiget(root)
	if p, err = x.reportPlan(r, m.Request); err != nil {
		return m, nil, err
	}
	if malformed == nil && r.kind&(kMember|kEntry) != 0 && len(m.Hrefs) != 1 {
		malformed = &dav.Error{Status: http.StatusBadRequest, Detail: "a multiget on an object asks for that object"}
	}
	return m, p, malformed
}

// multiget answers a calendar-multiget (RFC 4791 §7.9): one response for each
// href of the request, in its order and spelling. The Depth header does not
// matter.
func (x *exchange) multiget(r *resource, root *dav.Element) error {
	m, p, err := x.openMultiget(r, root)
	if err != nil {
		return err
	}
	ms := x.multistatus()
	ms.EncodedAt = false // each has its own spelling
	colls := map[place]*resource{}
	for hrefs := m.Hrefs; len(hrefs) > 0; {
		n := min(len(hrefs), pageBodies)
		if err := x.multigetPage(ms, r, colls, hrefs[:n], p); err != nil {
			return err
		}
		hrefs = hrefs[n:]
	}
	return ms.End("")
}

func (x *exchange) multigetPage(ms *dav.MultiStatus, target *resource, colls map[place]*resource, hrefs []string, p *plan) error {
	w := target.wing()
	places := make([]place, len(hrefs))
	names := make(map[place][]string) // by collection
	for i, h := range hrefs {
		if pl, ok := x.placeOfHref(h); ok && pl.wing == w && pl.member != "" {
			places[i] = pl
			coll := place{owner: pl.owner, wing: w, coll: pl.coll}
			names[coll] = append(names[coll], pl.member)
		}
	}
	found := make(map[place]*resource, len(hrefs))
	for coll, ns := range names {
		c, err := x.multigetCollection(colls, coll)
		if err != nil {
			return err
		}
		if c == nil {
			continue
		}
		limit := int64(0)
		if p.bodies {
			limit = pageBytes / pageBodies
		}
		var os []db.Object
		err = x.store.View(x.ctx, func(tx *db.Tx) (err error) {
			os, err = tx.SmallByNames(c.coll.ID, ns, limit)
			return err
		})
		if err != nil {
			return err
		}
		rs, err := x.members(c, os)
		if err != nil {
			return err
		}
		for _, r := range rs {
			at := coll
			at.member = r.obj.Name
			found[at] = r
		}
	}
	rs := make([]*resource, 0, len(found))
	for _, r := range found {
		rs = append(rs, r)
	}
	if err := x.loadDead(p, rs...); err != nil {
		return err
	}
	for i, h := range hrefs {
		r := found[places[i]]
		if r != nil && p.bodies && r.obj.Body == nil && r.obj.Size > 0 {
			// A large one, by itself; what is gone by now was never there. It is
			// not kept: the page may name many.
			large := *r
			err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
				large.obj, err = tx.Object(r.obj.Collection, r.obj.Name)
				return err
			})
			if err == nil {
				err = x.asSeen([]*resource{&large})
			}
			if err != nil && !errors.Is(err, db.ErrNotFound) {
				return err
			}
			if r = &large; err != nil {
				r = nil
			}
		}
		if r != nil {
			x.renderAt(ms, h, r, p)
		} else {
			ms.Status(h, http.StatusNotFound)
		}
	}
	if x.broken != nil {
		return x.broken
	}
	return ms.Err()
}

// maxMultigetCollections bounds how many collections one multiget names.
const maxMultigetCollections = 100

// multigetCollection looks a collection up once for a request; nil: there is
// none that I may read.
func (x *exchange) multigetCollection(colls map[place]*resource, at place) (*resource, error) {
	if c, ok := colls[at]; ok {
		return c, nil
	}
	if len(colls) >= maxMultigetCollections {
		return nil, nil
	}
	c, err := x.collection(at)
	var refused *dav.Error
	switch {
	case errors.Is(err, db.ErrNotFound), errors.As(err, &refused):
		c = nil
	case err != nil:
		return nil, err
	case x.may(c, directory.Read) != nil:
		c = nil
	}
	colls[at] = c
	return c, nil
}
