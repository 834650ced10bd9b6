package caldav

import (
	"bytes"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/caldav/filter"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

func readComponents(x *exchange, r *resource, w *dav.Writer) bool {
	comps := r.coll.Components
	if comps == "" {
		comps = strings.Join(calendarComponents, ",")
	}
	for c := range strings.SplitSeq(comps, ",") {
		w.Raw(`<C:comp name="`)
		w.Text(c)
		w.Raw(`"/>`)
	}
	return true
}

// readAvailability tells when the owner of an inbox can be met, as he said it.
func readAvailability(x *exchange, r *resource, w *dav.Writer) bool {
	var text []byte
	if !x.view(func(tx *db.Tx) (err error) {
		text, err = tx.Availability(r.owner.ID)
		return err
	}) {
		return false
	}
	w.TextBytes(text)
	return text != nil
}

func readComponentSets(x *exchange, r *resource, w *dav.Writer) bool {
	for _, c := range calendarComponents {
		w.Raw(`<C:supported-calendar-component-set><C:comp name="` + c + `"/></C:supported-calendar-component-set>`)
	}
	return true
}

func readRscales(x *exchange, r *resource, w *dav.Writer) bool {
	for _, name := range ics.Scales() {
		w.Raw("<C:supported-rscale>" + name + "</C:supported-rscale>")
	}
	return true
}

func readSupportedCalendarData(x *exchange, r *resource, w *dav.Writer) bool {
	w.Raw(`<C:calendar-data content-type="text/calendar" version="2.0"/>`)
	if r.kind&kOutbox == 0 {
		w.Raw(`<C:calendar-data content-type="` + filter.JCal + `" version="2.0"/>`)
	}
	return true
}

func readMaxInstances(x *exchange, r *resource, w *dav.Writer) bool {
	w.Int(ics.MaxInstances)
	return true
}

func readMinDateTime(x *exchange, r *resource, w *dav.Writer) bool {
	w.Text(ics.MinDateTime)
	return true
}

func readMaxDateTime(x *exchange, r *resource, w *dav.Writer) bool {
	w.Text(ics.MaxDateTime)
	return true
}

func readMaxAttendees(x *exchange, r *resource, w *dav.Writer) bool {
	w.Int(int64(x.desk.MaxAttendees()))
	return true
}

// readTimezone tells the VTIMEZONE as it was set, or makes one where only its
// name was.
func readTimezone(x *exchange, r *resource, w *dav.Writer) bool {
	name := dav.C("calendar-timezone")
	if d := r.deadNamed(name); d != nil {
		w.Raw(d.XML)
		return true
	}
	loc := ics.Location(r.coll.TZ)
	if r.coll.TZ == "" || loc == nil {
		return false
	}
	root := &ics.Component{Name: "VCALENDAR", Children: []*ics.Component{ics.Timezone(loc, x.now().AddDate(-1, 0, 0))},
		Props: []ics.Prop{ics.NewProp("VERSION", "2.0"), ics.NewProp("PRODID", "-//Convene//EN")}}
	w.Open(name)
	w.TextBytes(ics.New(root).Bytes())
	w.Close(name)
	return true
}

// jsonTimezone tells calendar-timezone as jCal, to who asks for it as he would
// ask for calendar-data (RFC 7265, RFC 4791 §9.6).
func jsonTimezone(x *exchange, r *resource, w *dav.Writer) *dav.Error {
	var value dav.Writer
	if r.kind != kCalendar || !readTimezone(x, r, &value) {
		return notFound
	}
	text, ok := textOf(value.Bytes())
	if !ok {
		return notFound
	}
	o, err := ics.Parse([]byte(text), ics.Limits{})
	if err != nil {
		return notFound
	}
	w.TextBytes(o.JCal())
	return nil
}

// textOf is the text of a property in its markup.
func textOf(markup []byte) (string, bool) {
	doc := dav.Document(dav.D("prop"), func(w *dav.Writer) { w.RawBytes(markup) })
	root, err := dav.Parse(bytes.NewReader(doc), dav.Limits{})
	if err != nil || len(root.Children()) != 1 {
		return "", false
	}
	return strings.TrimSpace(root.Children()[0].Text()), true
}

func readTimezoneID(x *exchange, r *resource, w *dav.Writer) bool {
	w.Text(r.coll.TZ)
	return r.coll.TZ != ""
}

func readTimezoneServices(x *exchange, r *resource, w *dav.Writer) bool {
	w.Raw("<D:href>")
	w.Text(x.timezones)
	w.Raw("</D:href>")
	return x.timezones != ""
}

// addresses of a principal, the preferred one first.
func (x *exchange) addresses(p *db.Principal) []string {
	if p.ID == x.me.ID && x.self != nil {
		return x.self
	}
	if k, ok := x.known[p.ID]; ok {
		return k.addresses
	}
	var as []string
	if !x.view(func(tx *db.Tx) (err error) {
		as, err = tx.Addresses(p.ID)
		return err
	}) {
		return nil
	}
	if p.ID == x.me.ID {
		x.self = as
	}
	return as
}

// readAddresses tells mail addresses first, the preferred one before all and
// marked: programs take the first, the last or the marked one as ORGANIZER.
func readAddresses(x *exchange, r *resource, w *dav.Writer) bool {
	all := x.addresses(r.owner)
	for _, mail := range []bool{true, false} {
		for i, a := range all {
			m := cuaddr.Mailto(a)
			if m.IsZero() == mail {
				continue
			}
			if mail {
				a = m.Fold()
			}
			if i == 0 {
				w.Raw(`<D:href preferred="1">`)
			} else {
				w.Raw("<D:href>")
			}
			w.Text(a)
			w.Raw("</D:href>")
		}
	}
	return x.broken == nil
}

func readMailAddresses(x *exchange, r *resource, w *dav.Writer) bool {
	for _, a := range x.addresses(r.owner) {
		if m := cuaddr.Mailto(a); !m.IsZero() {
			w.Element(dav.CS("email-address"), strings.TrimPrefix(m.Fold(), "mailto:"))
		}
	}
	return x.broken == nil
}

func readUserType(x *exchange, r *resource, w *dav.Writer) bool {
	w.Text(strings.ToUpper(string(r.owner.Kind)))
	return true
}

func readInboxURL(x *exchange, r *resource, w *dav.Writer) bool {
	return ownCollection(x, r, w, func(c *db.Collection) bool { return c.Kind == db.Inbox })
}

func readOutboxURL(x *exchange, r *resource, w *dav.Writer) bool {
	return ownCollection(x, r, w, func(c *db.Collection) bool { return c.Kind == db.Outbox })
}

// ownCollection writes the href of the first of a principal's collections that
// is meant, if I may know of it.
func ownCollection(x *exchange, r *resource, w *dav.Writer, meant func(*db.Collection) bool) bool {
	cs, err := x.collections(r.owner, wings[wingCalendars])
	if err != nil {
		x.broken = err
		return false
	}
	for i := range cs {
		if meant(&cs[i]) {
			switch err := x.visible(collectionResource(r.owner, cs[i])); {
			case unseen(err):
				return false
			case err != nil:
				x.broken = err
				return false
			}
			w.Href(collectionHref(r.owner, &cs[i]))
			return true
		}
	}
	return false
}

func readDefaultCalendar(x *exchange, r *resource, w *dav.Writer) bool {
	return ownCollection(x, r, w, func(c *db.Collection) bool { return c.Default && c.Kind == db.Calendar })
}

// readFreeBusySet tells in the words of programs older than RFC 6638 which
// calendars count as busy time: those that are opaque.
func readFreeBusySet(x *exchange, r *resource, w *dav.Writer) bool {
	cs, err := x.collections(r.owner, wings[wingCalendars])
	if err != nil {
		x.broken = err
		return false
	}
	for i := range cs {
		if !inFreeBusySet(&cs[i]) || cs[i].Transparent {
			continue
		}
		switch err := x.visible(collectionResource(r.owner, cs[i])); {
		case unseen(err):
		case err != nil:
			x.broken = err
			return false
		default:
			w.Href(collectionHref(r.owner, &cs[i]))
		}
	}
	return true
}

// inFreeBusySet reports whether a collection can be in calendar-free-busy-set.
func inFreeBusySet(c *db.Collection) bool { return c.Kind == db.Calendar && takes(c, "VEVENT") }

func readTransp(x *exchange, r *resource, w *dav.Writer) bool {
	transparent := r.coll.Transparent
	if r.mount != nil { // I say for myself (caldav-sharing §5.5.5)
		transparent = !r.mount.Busy
	}
	if transparent {
		w.Raw("<C:transparent/>")
	} else {
		w.Raw("<C:opaque/>")
	}
	return true
}

func readScheduleTag(x *exchange, r *resource, w *dav.Writer) bool {
	if r.obj.ScheduleTag == "" {
		return false
	}
	w.Raw(`"`)
	w.Text(r.obj.ScheduleTag)
	w.Raw(`"`)
	return true
}
