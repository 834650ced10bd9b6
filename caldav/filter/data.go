package filter

import (
	"strings"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/scheduling/ics"
)

// Zones says which VTIMEZONE a client wants (RFC 7809 §7.1).
type Zones uint8

const (
	AsStored     Zones = iota
	WithZones          // all that are referred to
	WithoutZones       // none that goes by its IANA name
)

// JCal is the media type of jCal (RFC 7265 §9.1).
const JCal = "application/calendar+json"

// Data is a CALDAV:calendar-data element of a request (RFC 4791 §9.6): which
// parts of an object a client wants. The zero value is the whole object.
type Data struct {
	JSON     bool // as jCal (RFC 7265)
	Zones    Zones
	Comp     *Pick  // nil: everything
	Expand   *Range // both sides set
	Limit    *Range // limit-recurrence-set
	FreeBusy *Range // limit-freebusy-set
}

// Pick is a CALDAV:comp of calendar-data (§9.6.1): which properties and
// components of a component.
type Pick struct {
	Name     string // upper case
	AllProps bool
	Props    []PickProp
	AllComps bool
	Comps    []Pick
}

// PickProp is a CALDAV:prop (§9.6.4).
type PickProp struct {
	Name    string // upper case
	NoValue bool
}

// ParseData reads a CALDAV:calendar-data element. The error is a
// *dav.Error.
func ParseData(e *dav.Element) (*Data, error) {
	// RFC 4791 §7.8: supported-calendar-data.
	var d Data
	switch t := strings.ToLower(e.Attr("content-type")); t {
	case "", "text/calendar":
	case JCal:
		d.JSON = true
	default:
		return nil, &dav.Error{Status: 403, Cond: dav.C("supported-calendar-data"), Detail: "calendar data is to be had as text/calendar and " + JCal}
	}
	if v := e.Attr("version"); v != "" && v != "2.0" {
		return nil, &dav.Error{Status: 403, Cond: dav.C("supported-calendar-data"), Detail: "calendar data is to be had in version 2.0"}
	}
	var p parts
	for _, ch := range e.Children() {
		var to **Range
		switch ch.Name {
		case dav.C("comp"):
			pick, err := p.pick(ch, 1)
			if err != nil {
				return nil, err
			}
			if d.Comp != nil || pick.Name != "VCALENDAR" {
				return nil, invalid("calendar-data has to have one comp, of VCALENDAR")
			}
			d.Comp = &pick
			continue
		case dav.C("expand"):
			to = &d.Expand
		case dav.C("limit-recurrence-set"):
			to = &d.Limit
		case dav.C("limit-freebusy-set"):
			to = &d.FreeBusy
		default:
			continue
		}
		r, err := parseRange(ch, true)
		if err != nil {
			return nil, err
		}
		*to = r
	}
	if d.Expand != nil && d.Limit != nil { // §9.6: (expand | limit-recurrence-set)?
		return nil, invalid("calendar-data has both expand and limit-recurrence-set")
	}
	return &d, nil
}

func (p *parts) pick(e *dav.Element, depth int) (Pick, error) {
	if depth > maxDepth {
		return Pick{}, unsupported("comps are nested deeper than %d", maxDepth)
	}
	name, err := p.name(e)
	if err != nil {
		return Pick{}, err
	}
	c := Pick{Name: name}
	for _, ch := range e.Children() {
		switch ch.Name {
		case dav.C("allprop"):
			c.AllProps = true
		case dav.C("allcomp"):
			c.AllComps = true
		case dav.C("prop"):
			n, err := p.name(ch)
			if err != nil {
				return c, err
			}
			c.Props = append(c.Props, PickProp{n, ch.Attr("novalue") == "yes"})
		case dav.C("comp"):
			sub, err := p.pick(ch, depth+1)
			if err != nil {
				return c, err
			}
			c.Comps = append(c.Comps, sub)
		}
	}
	// §7.8.1 asks for <comp name="VTIMEZONE"/> and is given all of it.
	if !c.AllProps && !c.AllComps && c.Props == nil && c.Comps == nil {
		c.AllProps, c.AllComps = true, true
	}
	return c, nil
}

// Whole reports whether every object is returned as it is stored.
func (d *Data) Whole() bool {
	return d == nil || *d == Data{}
}

// Of returns the wanted parts of an object, as iCalendar or as jCal. zone is where
// floating times stand, as for Filter.Match. An object that has nothing to
// leave out or to change keeps its bytes. The error is a *dav.Error of
// DAV:number-of-matches-within-limits: too many instances, or too many octets.
func (d *Data) Of(o *ics.Object, zone *time.Location, b ics.Bound) ([]byte, error) {
	if d.Whole() {
		return o.Bytes(), nil
	}
	if zone == nil {
		zone = time.UTC
	}
	m := matcher{o: o, zone: zone, bound: b}
	root, changed := o.Root(), false
	switch {
	case d.Expand != nil:
		var err error
		if root, changed, err = m.expand(*d.Expand); err != nil {
			return nil, err
		}
	case d.Limit != nil && len(o.Overrides()) > 0:
		root, changed = m.limit(*d.Limit), true
	}
	if d.FreeBusy != nil && o.Kind() == "VFREEBUSY" {
		root, changed = limitFreeBusy(root, *d.FreeBusy), true
	}
	switch d.Zones {
	case WithZones, WithoutZones: // before parts are picked, which may pass over VTIMEZONE
		own := &ics.Component{Name: root.Name, Props: root.Props, Children: root.Children}
		n := len(own.Children)
		if d.Zones == WithZones {
			ics.WithTimezones(own)
		} else {
			ics.WithoutTimezones(own)
		}
		if len(own.Children) != n {
			root, changed = own, true
		}
	}
	if d.Comp != nil {
		root, changed = d.Comp.of(root), true
	}
	if changed {
		o = ics.New(root)
	}
	if d.JSON {
		return o.JCal(), nil
	}
	return o.Bytes(), nil
}

// of returns the picked parts of c in a new component.
func (p *Pick) of(c *ics.Component) *ics.Component {
	out := &ics.Component{Name: c.Name, Props: c.Props, Children: c.Children}
	if !p.AllProps {
		out.Props = nil
		for i := range c.Props {
			for j := range p.Props {
				if c.Props[i].Name != p.Props[j].Name {
					continue
				}
				q := c.Props[i]
				if p.Props[j].NoValue { // §9.6.4
					q = q.WithValue("")
				}
				out.Props = append(out.Props, q)
				break
			}
		}
	}
	if !p.AllComps {
		out.Children = nil
		for _, ch := range c.Children {
			for j := range p.Comps {
				if ch.Name == p.Comps[j].Name {
					out.Children = append(out.Children, p.Comps[j].of(ch))
					break
				}
			}
		}
	}
	return out
}

// limit leaves out the overrides that have no effect on r (§9.6.6).
func (m *matcher) limit(r Range) *ics.Component {
	stands := map[*ics.Component]bool{} // overrides that are in r now
	tooMany := m.o.Instances(r.From, r.To, m.zone, m.bound, func(i ics.Instance) bool {
		stands[i.Component] = true
		return true
	}) != nil
	length := m.length(m.o.Master())
	root := m.o.Root()
	out := &ics.Component{Name: root.Name, Props: root.Props}
	for _, c := range root.Children {
		p := c.Prop("RECURRENCE-ID")
		if c.Name == "VTIMEZONE" || p == nil || tooMany || stands[c] || c.Name == "VTODO" && m.todo(r, c) {
			out.Children = append(out.Children, c)
			continue
		}
		was, _, ok := m.when(c, "RECURRENCE-ID")
		// An override that cannot be placed stays; so does one that changes
		// what comes after it.
		if !ok || r.overlaps(was, was.Add(length)) || strings.EqualFold(p.Param("RANGE"), "THISANDFUTURE") && r.endGT(was) {
			out.Children = append(out.Children, c)
		}
	}
	return out
}

// length is how long an instance of the master takes.
func (m *matcher) length(master *ics.Component) time.Duration {
	if master == nil {
		return 0
	}
	start, date, _ := m.when(master, "DTSTART")
	for _, name := range []string{"DTEND", "DUE"} {
		if end, _, ok := m.when(master, name); ok {
			return max(end.Sub(start), 0)
		}
	}
	if p := master.Prop("DURATION"); p != nil {
		if d, ok := duration(p.Value); ok {
			return max(d, 0)
		}
	}
	if date {
		return 24 * time.Hour
	}
	return 0
}

// limitFreeBusy leaves out the periods that are not in r (§9.6.7).
func limitFreeBusy(root *ics.Component, r Range) *ics.Component {
	out := &ics.Component{Name: root.Name, Props: root.Props}
	for _, c := range root.Children {
		if c.Name != "VFREEBUSY" {
			out.Children = append(out.Children, c)
			continue
		}
		fb := &ics.Component{Name: c.Name, Children: c.Children}
		for i := range c.Props {
			p := c.Props[i]
			if p.Name != "FREEBUSY" {
				fb.Props = append(fb.Props, p)
				continue
			}
			var kept []string
			all := strings.Split(p.Value, ",")
			for _, v := range all {
				if s, e, ok := period(v); ok && r.startLT(e) && r.endGT(s) {
					kept = append(kept, v)
				}
			}
			switch {
			case len(kept) == len(all):
				fb.Props = append(fb.Props, p)
			case len(kept) > 0:
				fb.Props = append(fb.Props, p.WithValue(strings.Join(kept, ",")))
			}
		}
		out.Children = append(out.Children, fb)
	}
	return out
}
