package ics

import (
	"errors"
	"fmt"
	"slices"
)

// Check says whether the object may be stored as a calendar object resource
// (RFC 4791 §4.1): one kind of component, one UID, no METHOD, at most one
// master, one DTSTART that can be read, no instance named twice, recurrence
// rules that can be read. The error is a *SyntaxError with the line's reason.
func (o *Object) Check() error {
	whole := func(format string, args ...any) error {
		return restriction{&SyntaxError{0, fmt.Sprintf(format, args...)}}
	}
	if p := o.root.Prop("METHOD"); p != nil {
		return restriction{&SyntaxError{o.line(p), "METHOD is for messages, not for what is stored (RFC 4791 §4.1)"}}
	}
	if p := o.root.Prop("CALSCALE"); p != nil && !equalFold(p.Value, "GREGORIAN") {
		return &SyntaxError{o.line(p), "CALSCALE: only the Gregorian calendar is known"}
	}
	for _, z := range o.root.Children {
		if z.Name != "VTIMEZONE" {
			continue
		}
		for _, c := range z.Children { // RFC 7529 §1: a rule of a zone may have one, too
			for _, p := range c.PropsNamed("RRULE") {
				if _, err := scaleOf(p.Value); err != nil {
					return o.fault(p, err)
				}
			}
		}
	}
	if len(o.main) == 0 {
		return whole("no component but VTIMEZONE (RFC 4791 §4.1)")
	}
	kind, uid := o.Kind(), o.UID()
	masters := 0
	seen := map[RID]bool{}
	for _, c := range o.main {
		if c.Name != kind {
			return whole("both %s and %s in one object (RFC 4791 §4.1)", kind, clip(c.Name))
		}
		if err := o.checkComponent(c, uid); err != nil {
			return err
		}
		p := c.Prop("RECURRENCE-ID")
		if p == nil {
			if masters++; masters > 1 && kind != "VAVAILABILITY" { // several stretches of time (RFC 7953 §3.1)
				return whole("more than one %s without RECURRENCE-ID (RFC 4791 §4.1)", kind)
			}
			continue
		}
		r := o.RID(c)
		if seen[r] {
			return restriction{&SyntaxError{o.line(p), "RECURRENCE-ID: " + string(r) + " is named twice"}}
		}
		seen[r] = true
	}
	if kind == "VAVAILABILITY" {
		_, err := o.Availability()
		var broken *SyntaxError
		if errors.As(err, &broken) { // RFC 7953 §3.1 restricts it
			err = restriction{broken}
		}
		return err
	}
	_, err := o.series()
	return err
}

// maxUID bounds a UID, in octets: it is a key in the database.
const maxUID = 1024

// singles are the properties that a component has at most once (RFC 5545 §3.6).
var singles = []string{"UID", "DTSTAMP", "DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID", "ORGANIZER", "SEQUENCE", "STATUS", "TRANSP"}

func (o *Object) checkComponent(c *Component, uid string) error {
	fault := func(p *Prop, reason string) error { return &SyntaxError{o.line(p), p.Name + ": " + reason} }
	var count [16]*Prop
	for i := range c.Props {
		p := &c.Props[i]
		if n := slices.Index(singles, p.Name); n >= 0 {
			if count[n] != nil {
				return fault(p, "more than one in a "+c.Name)
			}
			count[n] = p
		}
	}
	switch p := c.Prop("UID"); {
	case p == nil:
		return restriction{&SyntaxError{0, "UID: none in a " + c.Name + " (RFC 5545 §3.6)"}}
	case uid == "" || len(p.Value) > maxUID:
		return restriction{&SyntaxError{o.line(p), fmt.Sprintf("UID: between 1 and %d octets", maxUID)}}
	case trim(p.Value) != uid:
		return restriction{&SyntaxError{o.line(p), "UID: more than one in an object (RFC 4791 §4.1)"}}
	}
	if c.Prop("DTSTART") == nil && c.Name == "VEVENT" {
		return &SyntaxError{0, "DTSTART: none in a VEVENT (RFC 5545 §3.6.1)"}
	}
	if p := c.Prop("RECURRENCE-ID"); p != nil {
		if _, err := o.PropTime(p); err != nil {
			return err
		}
	}
	_, err := o.times(c)
	return err
}
