package ics

import (
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
)

// Object is one iCalendar object: bytes and parsed view. It is never changed
// after it was made and may be shared between goroutines.
type Object struct {
	raw       []byte
	root      *Component
	main      []*Component // everything but VTIMEZONE
	master    *Component
	overrides []*Component
	zones     zoneTable

	set seriesCache
	ids ridCache
}

func newObject(raw []byte, root *Component) *Object {
	o := &Object{raw: raw, root: root}
	for _, c := range root.Children {
		if c.Name == "VTIMEZONE" {
			continue
		}
		o.main = append(o.main, c)
		switch {
		case c.Prop("RECURRENCE-ID") != nil:
			o.overrides = append(o.overrides, c)
		case o.master == nil:
			o.master = c
		}
	}
	return o
}

// New makes an Object of an edited tree; the tree belongs to it from then on.
func New(root *Component) *Object {
	return newObject(encode(root), root)
}

// Bytes returns the object as it came, or as New wrote it. Read-only.
func (o *Object) Bytes() []byte { return o.raw }

// Root returns the VCALENDAR. Read-only: Clone it to edit.
func (o *Object) Root() *Component { return o.root }

// Main returns the components that are not VTIMEZONE, in their order.
func (o *Object) Main() []*Component { return o.main }

// Master returns the component without RECURRENCE-ID; nil where the object
// holds detached instances only (an attendee who is invited to some).
func (o *Object) Master() *Component { return o.master }

// Overrides returns the components with a RECURRENCE-ID, in their order.
func (o *Object) Overrides() []*Component { return o.overrides }

// First returns the master, or else the first component that is not a
// VTIMEZONE, or nil if there is none.
func (o *Object) First() *Component {
	if o.master != nil {
		return o.master
	}
	if len(o.main) > 0 {
		return o.main[0]
	}
	return nil
}

// Kind returns the name of the components: VEVENT, VTODO, VJOURNAL,
// VFREEBUSY, VAVAILABILITY; "" for an object without any.
func (o *Object) Kind() string {
	if c := o.First(); c != nil {
		return c.Name
	}
	return ""
}

// UID returns the UID of the first component, without blanks around it.
func (o *Object) UID() string {
	if c := o.First(); c != nil {
		return strings.TrimSpace(c.Value("UID"))
	}
	return ""
}

// Method returns the METHOD in upper case, "" for a stored object.
func (o *Object) Method() string {
	return strings.ToUpper(strings.TrimSpace(o.root.Value("METHOD")))
}

// Organizer returns who organizes a component; the zero Address if nobody or
// nobody that can be named.
func Organizer(c *Component) cuaddr.Address {
	p := c.Prop("ORGANIZER")
	if p == nil {
		return cuaddr.Address{}
	}
	return CalAddress(p)
}

// CalAddress returns the normal form of the value of an ORGANIZER or ATTENDEE
// property; the zero Address if it is none.
func CalAddress(p *Prop) cuaddr.Address {
	a, err := cuaddr.Parse(p.Value)
	if err != nil {
		return cuaddr.Address{}
	}
	return a
}

// Attendees returns the ATTENDEE properties of a component, in their order.
func Attendees(c *Component) []*Prop { return c.PropsNamed("ATTENDEE") }

// Attendee returns the first ATTENDEE property for which who is true, or nil.
func Attendee(c *Component, who func(cuaddr.Address) bool) *Prop {
	for _, p := range Attendees(c) {
		if a := CalAddress(p); !a.IsZero() && who(a) {
			return p
		}
	}
	return nil
}

// PartStat returns the participation status of an ATTENDEE in upper case,
// NEEDS-ACTION where it does not say (RFC 5545 §3.2.12).
func PartStat(attendee *Prop) string {
	if v := strings.ToUpper(strings.TrimSpace(attendee.Param("PARTSTAT"))); v != "" {
		return v
	}
	return "NEEDS-ACTION"
}
