package itip

import (
	"maps"
	"slices"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// series is one object seen as a master and its overrides, with the people of
// each. Its parts may belong to an edited copy of the object's tree; the object
// itself answers what concerns time.
type series struct {
	obj    *ics.Object
	root   *ics.Component
	parts  []*part // in the order of the object
	master *part
	byRID  map[ics.RID]*part // overrides only
	dirty  bool              // root was edited
	bare   *ics.Object       // the master alone; see regular
	// lacks is the user's line where an instance is back of which he does not know all.
	lacks *ics.Prop
	// everybody: a published event is for whoever has it, invited or not.
	everybody bool
}

// part is one component of a series.
type part struct {
	comp   *ics.Component
	rid    ics.RID                // "" for the master
	off    bool                   // it is cancelled
	people map[cuaddr.Address]int // their lines; see guests
	order  []cuaddr.Address
}

// newSeries looks at a tree of o: its own, or an edited clone.
func newSeries(o *ics.Object, root *ics.Component) *series {
	s := &series{obj: o, root: root, byRID: map[ics.RID]*part{}}
	for _, c := range root.Children {
		if schedules(c.Name) {
			s.add(c)
		}
	}
	return s
}

func (s *series) add(c *ics.Component) *part {
	p := &part{comp: c, rid: s.obj.RID(c), off: cancelled(c)}
	s.parts = append(s.parts, p)
	switch {
	case p.rid != "":
		if s.byRID[p.rid] == nil {
			s.byRID[p.rid] = p
		}
	case s.master == nil && c.Prop("RECURRENCE-ID") == nil:
		s.master = p
	}
	return p
}

// top is the highest revision of any component: no message of it is of a higher one.
func (s *series) top() int {
	n := 0
	for _, p := range s.parts {
		n = max(n, sequence(p.comp))
	}
	return n
}

// graft puts a component that the user's program did not send into the tree.
func (s *series) graft(c *ics.Component) *part {
	s.root.Children = append(s.root.Children, c)
	s.dirty = true
	return s.add(c)
}

// guests returns who is in the component, in the order of their lines.
func (p *part) guests() []cuaddr.Address {
	if p.people != nil {
		return p.order
	}
	p.people = map[cuaddr.Address]int{}
	for i := range p.comp.Props {
		if p.comp.Props[i].Name != "ATTENDEE" {
			continue
		}
		a := ics.CalAddress(&p.comp.Props[i])
		if _, known := p.people[a]; !known && !a.IsZero() {
			p.people[a] = i
			p.order = append(p.order, a)
		}
	}
	return p.order
}

// moved says that lines of the component came, went or moved.
func (p *part) moved() { p.people, p.order = nil, nil }

// attendee returns somebody's line, nil if he is not in the component.
func (p *part) attendee(a cuaddr.Address) *ics.Prop {
	p.guests()
	if i, ok := p.people[a]; ok {
		return &p.comp.Props[i]
	}
	return nil
}

// self returns the user's own line.
func (p *part) self(me Actor) *ics.Prop { return ics.Attendee(p.comp, me.Self) }

// exactly returns the component of its own that an instance has; "" is the master.
func (s *series) exactly(r ics.RID) *part {
	if r == "" {
		return s.master
	}
	return s.byRID[r]
}

// at returns the component that tells of an instance: its override, or the
// master where the instance is one of its own.
func (s *series) at(r ics.RID) *part {
	if p := s.exactly(r); p != nil || r == "" {
		return p
	}
	if s.master != nil && s.obj.HasInstance(r) {
		return s.master
	}
	return nil
}

// masterFirst returns parts with the master before the overrides, which may come
// first in an object.
func masterFirst(parts []*part) []*part {
	parts = slices.Clone(parts)
	slices.SortStableFunc(parts, func(a, b *part) int { return strings.Compare(string(a.rid), string(b.rid)) })
	return parts
}

// regular returns an instance as the master alone describes it, nil if it has
// no such instance.
func (s *series) regular(r ics.RID) *ics.Component {
	if s.obj == nil || s.obj.Master() == nil {
		return nil
	}
	if s.bare == nil {
		s.bare = s.obj
		if len(s.obj.Overrides()) > 0 {
			root := &ics.Component{Name: "VCALENDAR"}
			for _, c := range s.obj.Root().Children {
				if c.Name == "VTIMEZONE" || c == s.obj.Master() {
					root.Children = append(root.Children, c)
				}
			}
			s.bare = ics.New(root)
		}
	}
	return s.bare.Occurrence(r)
}

// listed reports whether somebody is invited to a component by us: he is in
// it, the server schedules him (RFC 6638 §7.1), and it is not cancelled.
func (p *part) listed(a cuaddr.Address) bool {
	l := p.attendee(a)
	return !p.off && l != nil && agent(l) == byServer
}

// object is the series as an Object again: the one it came from where nothing
// was edited.
func (s *series) object() *ics.Object {
	if !s.dirty {
		return s.obj
	}
	return ics.New(s.root)
}

// schedules reports whether components of that name are scheduled.
func schedules(name string) bool { return name == "VEVENT" || name == "VTODO" }

func cancelled(c *ics.Component) bool {
	return strings.EqualFold(strings.TrimSpace(c.Value("STATUS")), "CANCELLED")
}

// who schedules an attendee or organizer (RFC 6638 §7.1).
type agency uint8

const (
	byServer agency = iota
	byClient
	byNobody
)

// agent reads SCHEDULE-AGENT; values that nobody knows are NONE (RFC 6638 §7.1).
func agent(p *ics.Prop) agency {
	switch strings.ToUpper(strings.TrimSpace(p.Param("SCHEDULE-AGENT"))) {
	case "", "SERVER":
		return byServer
	case "CLIENT":
		return byClient
	}
	return byNobody
}

// organizerOf returns the first organizer that a component names, with its
// line.
func organizerOf(o *ics.Object) (cuaddr.Address, *ics.Prop) {
	if o == nil {
		return cuaddr.Address{}, nil
	}
	for _, c := range o.Main() {
		if p := c.Prop("ORGANIZER"); p != nil {
			if a := ics.CalAddress(p); !a.IsZero() {
				return a, p
			}
		}
	}
	return cuaddr.Address{}, nil
}

// role is what the owner of an object is in it (RFC 6638 §3.1).
type role uint8

const (
	plain     role = iota // nothing is scheduled
	organizer             // he is the ORGANIZER
	attendee              // somebody else is, and he is invited
)

func (me Actor) role(o *ics.Object) role {
	if o == nil || !schedules(o.Kind()) {
		return plain
	}
	org, _ := organizerOf(o)
	switch {
	case org.IsZero():
		return plain
	case me.Self(org):
		return organizer
	}
	for _, c := range o.Main() {
		if ics.Attendee(c, me.Self) != nil {
			return attendee
		}
	}
	return plain // decision 22: somebody else's meeting, kept as a note
}

// Ranged reports whether a component speaks of this and all later instances
// (RFC 5545 §3.2.13), which is never taken for one instance.
func Ranged(o *ics.Object) bool {
	for _, c := range o.Overrides() {
		if p := c.Prop("RECURRENCE-ID"); p != nil && p.HasParam("RANGE") {
			return true
		}
	}
	return false
}

// datesOf reads the instances that EXDATE or RDATE properties name.
func datesOf(o *ics.Object, c *ics.Component, name string) map[ics.RID]bool {
	var out map[ics.RID]bool
	for i := range c.Props {
		p := &c.Props[i]
		if p.Name != name {
			continue
		}
		for v := range strings.SplitSeq(p.Value, ",") {
			v, _, _ = strings.Cut(strings.TrimSpace(v), "/") // RDATE;VALUE=PERIOD
			q := p.WithValue(v)
			q.Name = "RECURRENCE-ID"
			if strings.EqualFold(q.Param("VALUE"), "PERIOD") {
				q = q.WithoutParams("VALUE")
			}
			if r := o.RID(&ics.Component{Name: c.Name, Props: []ics.Prop{q}}); r != "" {
				if out == nil {
					out = map[ics.RID]bool{}
				}
				out[r] = true
			}
		}
	}
	return out
}

// setExdates makes some instances those that a series' master takes out.
func setExdates(o *ics.Object, master *ics.Component, out map[ics.RID]bool) {
	master.Remove("EXDATE")
	for _, r := range sorted(slices.Collect(maps.Keys(out))) {
		master.Add(o.DateProp("EXDATE", r))
	}
}

// more returns what b has and a has not.
func more(a, b map[ics.RID]bool) []ics.RID {
	var out []ics.RID
	for r := range b {
		if !a[r] {
			out = append(out, r)
		}
	}
	return sorted(out)
}
