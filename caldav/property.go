package caldav

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/caldav/filter"
	"github.com/convene-server/convene/db"
)

// property is one row of the table of live properties.
type property struct {
	name  xml.Name
	kinds kind   // where it exists
	spec  string // where it is defined
	all   bool   // told by allprop (RFC 4918 §9.1: those of RFC 4918 itself)

	// read writes the content of the property's element, or all of the element
	// if own is set; false: this resource has none after all.
	read func(x *exchange, r *resource, w *dav.Writer) bool
	own  bool
	// heavy: of an object it needs more than name, entity tag and component.
	heavy bool
	// kept: the value is also kept as it was sent, among the dead properties.
	kept bool
	// write prepares a change; nil: protected.
	write func(x *exchange, r *resource, c dav.Change, u *update) error

	open, close string // tags
}

// live finds a row by its name.
var live map[xml.Name]*property

func init() {
	live = make(map[xml.Name]*property, len(table))
	for i := range table {
		p := &table[i]
		var w dav.Writer
		w.Open(p.name)
		p.open = string(w.Bytes())
		w.Cut(0)
		w.Close(p.name)
		p.close = string(w.Bytes())
		live[p.name] = p
	}
}

// want is one property that a request asks for.
type want struct {
	name xml.Name
	prop *property // nil: it can only be dead
	// data writes the content in place of prop: calendar-data and address-data,
	// which only reports know (RFC 4791 §9.6).
	data  datum
	attrs string // of the element around it
}

// datum writes the content of calendar-data or address-data; notFound: there
// is none in this resource, any other error: it cannot be had so.
type datum func(x *exchange, r *resource, w *dav.Writer) *dav.Error

// plan is what a request asks of every resource.
type plan struct {
	wants  []want
	all    bool // wants are what is asked for beyond allprop
	names  bool
	bodies bool // some want needs the object's body
}

// jcalAttrs are those of calendar-data that is jCal (RFC 4791 §9.6).
const jcalAttrs = ` content-type="` + filter.JCal + `" version="2.0"`

// planOf prepares a request. data is called for a property that only a report
// knows, and returns nil for those that it does not know either.
func planOf(r dav.Request, data func(*dav.Element) (datum, error)) (*plan, error) {
	p := &plan{all: r.AllProp, names: r.PropName}
	for _, e := range append(r.Props, r.Include...) {
		w := want{name: e.Name, prop: live[e.Name]}
		if e.Name == dav.C("calendar-timezone") && strings.EqualFold(e.Attr("content-type"), filter.JCal) {
			w.data, w.attrs = jsonTimezone, ` content-type="`+filter.JCal+`"`
		}
		if data != nil && w.data == nil {
			var err error
			if w.data, err = data(e); err != nil {
				return nil, err
			}
			p.bodies = p.bodies || w.data != nil
			if w.data != nil && strings.EqualFold(e.Attr("content-type"), filter.JCal) {
				w.attrs = jcalAttrs
			}
		}
		p.wants = append(p.wants, w)
	}
	return p, nil
}

// dead reports whether a resource of this kind must be asked for its dead
// properties, and by which names; nil means all.
func (p *plan) dead(k kind) (names []string, ask bool) {
	if p.all || p.names {
		return nil, true
	}
	for _, w := range p.wants {
		if (w.data == nil || w.prop != nil) && (w.prop == nil || w.prop.kinds&k == 0 || w.prop.kept) {
			names = append(names, clark(w.name))
		}
	}
	return names, names != nil
}

// lean reports whether the name and the entity tag of each object of a
// collection are enough to answer, which an index has (STORAGE 19).
func (p *plan) lean(coll *resource) bool {
	_, member := kindOf(coll.coll.Kind)
	if _, dead := p.dead(member); dead || p.bodies {
		return false
	}
	for _, w := range p.wants {
		if w.prop == nil || w.prop.heavy || w.name == contentTypeName && member != kCard && !oneComponent(coll.coll) {
			return false
		}
	}
	return true
}

// oneComponent reports whether all objects of a calendar are of one kind.
func oneComponent(c *db.Collection) bool {
	return c.Components != "" && !strings.Contains(c.Components, ",")
}

var contentTypeName = dav.D("getcontenttype")

// clark is a name as the database keeps it: "{namespace}local".
func clark(n xml.Name) string { return "{" + n.Space + "}" + n.Local }

func unclark(s string) xml.Name {
	space, local, _ := strings.Cut(strings.TrimPrefix(s, "{"), "}")
	return xml.Name{Space: space, Local: local}
}

// deadHome tells under which name of a resource and which id the database
// keeps its dead properties; "" where there are none.
func (r *resource) deadHome() (string, int64) {
	switch {
	case r.kind&kColl != 0:
		return "collection", r.coll.ID
	case r.kind&kMember != 0:
		return "object", r.obj.ID
	case r.kind == kPrincipal:
		return "principal", r.owner.ID
	case r.kind == kCalendarHome:
		return "calendar-home", r.owner.ID
	case r.kind == kBookHome:
		return "addressbook-home", r.owner.ID
	}
	return "", 0
}

// loadDead loads the dead properties that a plan asks for of some resources.
func (x *exchange) loadDead(p *plan, rs ...*resource) error {
	var objects []int64
	for _, r := range rs {
		names, ask := p.dead(r.kind)
		if !ask {
			if r.kind&kMember != 0 {
				return nil // all members of a collection are alike
			}
			continue
		}
		if r.kind&kMember != 0 {
			objects = append(objects, r.obj.ID)
			continue
		}
		what, id := r.deadHome()
		if what == "" || r.kind&(kPrincipal|kHome) != 0 && r.owner.ID != x.me.ID {
			continue // what people keep with their principal is their own
		}
		err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
			if r.dead, err = tx.Properties(what, id, names...); err != nil || r.owner.ID == x.me.ID {
				return err
			}
			// A guest's own come before those that everybody sees.
			own, err := tx.PersonalProperties(x.me.ID, id)
			r.dead = append(own, slices.DeleteFunc(r.dead, func(d db.Property) bool {
				return slices.ContainsFunc(own, func(o db.Property) bool { return o.Name == d.Name }) || defaultAlarms[unclark(d.Name)]
			})...)
			return err
		})
		if err != nil {
			return err
		}
	}
	if objects == nil {
		return nil
	}
	var dead map[int64][]db.Property
	err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		dead, err = tx.PropertiesOf("object", objects)
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range rs {
		if r.kind&kMember != 0 {
			r.dead = dead[r.obj.ID]
		}
	}
	return nil
}

// personal are the properties that each guest of a collection has for himself,
// whatever he may do with it: how his programs show it, when they ring. Whoever
// may not change those that everybody sees has all dead ones for himself, since
// programs show errors where they cannot write what they keep. defaultAlarms are
// not even shown to him as the owner has them.
var (
	personal = map[xml.Name]bool{
		{Space: dav.Apple, Local: "calendar-color"}: true, {Space: dav.Apple, Local: "calendar-order"}: true, {Space: dav.Apple, Local: "refreshrate"}: true,
		dav.CS("subscribed-strip-alarms"): true, dav.CS("subscribed-strip-attachments"): true, dav.CS("subscribed-strip-todos"): true,
		dav.C("default-alarm-vevent-date"): true, dav.C("default-alarm-vevent-datetime"): true, dav.C("default-alarm-vtodo-date"): true, dav.C("default-alarm-vtodo-datetime"): true,
	}
	defaultAlarms = map[xml.Name]bool{
		dav.C("default-alarm-vevent-date"): true, dav.C("default-alarm-vevent-datetime"): true, dav.C("default-alarm-vtodo-date"): true, dav.C("default-alarm-vtodo-datetime"): true,
	}
)

// render writes the response of one resource.
func (x *exchange) render(ms *dav.MultiStatus, r *resource, p *plan) { x.renderAt(ms, r.href, r, p) }

// renderAt does so under the spelling of its href that a request used.
func (x *exchange) renderAt(ms *dav.MultiStatus, href string, r *resource, p *plan) {
	ms.Begin(href)
	if p.all || p.names {
		for i := range table {
			if t := &table[i]; t.kinds&r.kind != 0 && (t.all || p.names) {
				x.readLive(ms, r, t, p.names)
			}
		}
		for _, d := range r.dead {
			if t := live[unclark(d.Name)]; t != nil && t.kinds&r.kind != 0 {
				continue
			}
			if p.names {
				ms.Empty(unclark(d.Name))
			} else {
				ms.Raw(d.XML)
			}
		}
	}
	for i := range p.wants {
		w := &p.wants[i]
		switch {
		case w.data != nil:
			mark := ms.Len()
			ms.OpenWith(w.name, w.attrs)
			switch e := w.data(x, r, &ms.Writer); e {
			case nil:
				ms.Close(w.name)
			case notFound:
				ms.Cut(mark)
				ms.Absent(w.name)
			default:
				ms.Cut(mark)
				ms.Failed(w.name, e.Status, e.Cond)
			}
		case w.prop != nil && w.prop.kinds&r.kind != 0:
			if p.all && w.prop.all {
				continue // told already
			}
			if !x.readLive(ms, r, w.prop, false) {
				ms.Absent(w.name)
			}
		default:
			if !writeDead(ms, r, w.name) && !p.all {
				ms.Absent(w.name)
			}
		}
	}
	ms.Finish()
}

func (x *exchange) readLive(ms *dav.MultiStatus, r *resource, t *property, nameOnly bool) bool {
	mark := ms.Len()
	if !t.own {
		ms.Raw(t.open)
	}
	if !t.read(x, r, &ms.Writer) {
		ms.Cut(mark)
		return false
	}
	switch {
	case nameOnly:
		ms.Cut(mark)
		ms.Empty(t.name)
	case !t.own:
		ms.Raw(t.close)
	}
	return true
}

func writeDead(ms *dav.MultiStatus, r *resource, name xml.Name) bool {
	d := r.deadNamed(name)
	if d == nil {
		return false
	}
	ms.Raw(d.XML)
	return true
}

// deadNamed finds a dead property that was loaded.
func (r *resource) deadNamed(name xml.Name) *db.Property {
	if len(r.dead) == 0 {
		return nil
	}
	c := clark(name)
	for i := range r.dead {
		if r.dead[i].Name == c {
			return &r.dead[i]
		}
	}
	return nil
}
