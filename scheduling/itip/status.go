package itip

import (
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Delivery status codes (RFC 6638 §3.2.9, RFC 5546 §3.6; decision 17).
const (
	StatusPending       = "1.0"
	StatusSent          = "1.1" // durable on its way to somebody outside
	StatusDelivered     = "1.2" // in the calendar of somebody here
	StatusSuccess       = "2.0"
	StatusInvalidUser   = "3.7"
	StatusNoAuthority   = "3.8"
	StatusNotDelivered  = "5.1"
	StatusInvalidDomain = "5.2"
	StatusRejected      = "5.3"
)

// Stamp sets SCHEDULE-STATUS on the ATTENDEE lines (and the ORGANIZER line) of
// the given addresses, to whom something was sent just now, in every component;
// nothing else changes. It returns o itself where nothing differs.
//
// Whom the organizer has just left to his program, or to nobody, was sent a CANCEL
// (RFC 6638 §3.2.1.2): what became of that stands on his line, too (§7.3).
func Stamp(o *ics.Object, status map[cuaddr.Address]string) *ics.Object {
	if len(status) == 0 {
		return o
	}
	served := map[cuaddr.Address]bool{}
	for _, c := range o.Main() {
		for _, p := range c.Props {
			if p.Name == "ATTENDEE" && agent(&p) == byServer {
				served[ics.CalAddress(&p)] = true
			}
		}
	}
	return stamp(o, func(p *ics.Prop, a cuaddr.Address) (string, bool) {
		s, ok := status[a]
		return s, ok && (agent(p) == byServer || p.Name == "ATTENDEE" && !served[a])
	})
}

// StampLater sets it where something is known of a message afterwards. Lines that
// a program schedules by itself are that program's by then (RFC 6638 §7.3).
func StampLater(o *ics.Object, status map[cuaddr.Address]string) *ics.Object {
	return stamp(o, served(status))
}

func stamp(o *ics.Object, status func(*ics.Prop, cuaddr.Address) (string, bool)) *ics.Object {
	root := o.Root().Clone()
	changed := false
	for _, c := range root.Children {
		if schedules(c.Name) && stampPart(c, status) {
			changed = true
		}
	}
	if !changed {
		return o
	}
	return ics.New(root)
}

// served are the statuses of those whom the server schedules.
func served(status map[cuaddr.Address]string) func(*ics.Prop, cuaddr.Address) (string, bool) {
	return func(p *ics.Prop, a cuaddr.Address) (string, bool) {
		s, ok := status[a]
		return s, ok && agent(p) == byServer
	}
}

// stampPart sets the status in one component, which it edits.
func stampPart(c *ics.Component, status func(*ics.Prop, cuaddr.Address) (string, bool)) bool {
	changed := false
	org := ics.Organizer(c)
	for i := range c.Props {
		p := &c.Props[i]
		if p.Name != "ATTENDEE" && p.Name != "ORGANIZER" {
			continue
		}
		a := ics.CalAddress(p)
		if p.Name == "ATTENDEE" && a == org {
			continue // whoever writes to the organizer does so by his ORGANIZER line
		}
		if s, ok := status(p, a); ok && p.Param("SCHEDULE-STATUS") != s {
			*p = p.WithParam("SCHEDULE-STATUS", s)
			changed = true
		}
	}
	return changed
}

// SetPartStat returns o with the PARTSTAT of the attendees whom who recognises
// set in instance r ("" for the whole: every component), an override made where
// r has none: what an attendee's client would PUT. nil if there is no such
// attendee or instance.
func SetPartStat(o *ics.Object, who func(cuaddr.Address) bool, r ics.RID, partstat, comment string) *ics.Object {
	s := newSeries(o, o.Root().Clone())
	found := false
	set := func(c *ics.Component) {
		mine := false
		for i := range c.Props {
			p := &c.Props[i]
			if a := ics.CalAddress(p); p.Name == "ATTENDEE" && !a.IsZero() && who(a) {
				if ics.PartStat(p) != partstat {
					*p = p.WithParam("PARTSTAT", partstat)
				}
				mine = true
			}
		}
		if mine && comment != "" {
			c.Set(ics.NewProp("COMMENT", ics.Escape(comment)))
		}
		found = found || mine
	}
	if r == "" {
		for _, p := range s.parts {
			set(p.comp)
		}
	} else if p := s.byRID[r]; p != nil {
		set(p.comp)
	} else if c := o.Occurrence(r); c != nil {
		set(s.graft(c).comp)
	}
	if !found {
		return nil
	}
	return ics.New(s.root)
}

// Answered returns o as the program of the attendee whom who recognises would
// put it, had he given there the answer that a component of a REPLY says, for
// instance r ("" for the whole); nil if he or the instance is not there. An answer
// to the whole leaves him what he said otherwise of an occurrence, and one at
// another time: as its organizer understands it (RFC 5546 §3.2.3).
func Answered(o *ics.Object, who func(cuaddr.Address) bool, r ics.RID, said *ics.Component) *ics.Object {
	him := ics.Attendee(said, who)
	if him == nil {
		return nil
	}
	n := SetPartStat(o, who, r, ics.PartStat(him), said.Text("COMMENT"))
	if n != nil && r == "" {
		n = exceptions(o, n, who, ics.PartStat(him))
	}
	if n == nil || said.Name != "VTODO" && ics.PartStat(him) != "DELEGATED" {
		return n
	}
	root := n.Root().Clone()
	for _, c := range root.Children {
		l := ics.Attendee(c, who)
		if !schedules(c.Name) || l == nil || r != "" && n.RID(c) != r {
			continue
		}
		for _, p := range progress(said) {
			c.Set(p)
		}
		if ics.PartStat(him) != "DELEGATED" || !him.HasParam("DELEGATED-TO") {
			continue
		}
		*l = l.WithParam("DELEGATED-TO", him.ParamValues("DELEGATED-TO")...)
		p, sent := &part{comp: c}, &part{comp: said}
		for _, a := range persons(him, "DELEGATED-TO") {
			if line := find(sent, a); line != nil && find(p, a) == nil {
				c.Add(line.WithParam("DELEGATED-FROM", ics.CalAddress(l).String()))
			}
		}
	}
	return ics.New(root)
}

// exceptions gives those occurrences of n their component in o back that somebody's
// answer to the whole does not cover.
func exceptions(o, n *ics.Object, who func(cuaddr.Address) bool, say string) *ics.Object {
	was := newSeries(o, o.Root())
	if was.master == nil || len(was.parts) == 1 {
		return n
	}
	before := "NEEDS-ACTION"
	if l := ics.Attendee(was.master.comp, who); l != nil {
		before = ics.PartStat(l)
	}
	root := n.Root().Clone()
	for i, c := range root.Children {
		p := was.byRID[n.RID(c)]
		if p == nil || !schedules(c.Name) {
			continue
		}
		l := ics.Attendee(p.comp, who)
		if l == nil {
			continue
		}
		ps, occ := ics.PartStat(l), was.regular(p.rid)
		if occ == nil || !sameTime(o, occ, o, p.comp) || ps != "NEEDS-ACTION" && ps != before && ps != say {
			root.Children[i] = p.comp
		}
	}
	return ics.New(root)
}

// Delegator returns who sends the recipient of a REQUEST in his place by it,
// nil if nobody does: their lines say so of each other (RFC 5546 §3.2.2.3).
func Delegator(o *ics.Object, self func(cuaddr.Address) bool) *ics.Prop {
	for _, c := range o.Main() {
		l := ics.Attendee(c, self)
		if l == nil {
			continue
		}
		p := &part{comp: c}
		for _, a := range persons(l, "DELEGATED-FROM") {
			if by := find(p, a); by != nil && sends(by, ics.CalAddress(l)) {
				return by
			}
		}
	}
	return nil
}

// Speaker returns whose answer a REPLY, COUNTER or REFRESH is: the attendee whom
// is recognises, or for whom that one sends, else the only one; zero if nobody
// can be told from the others. A delegate's answer may name his delegator, too
// (RFC 5546 §4.2.6).
func Speaker(o *ics.Object, is func(cuaddr.Address) bool) cuaddr.Address {
	lines := ics.Attendees(o.First())
	for _, l := range lines {
		if a := ics.CalAddress(l); is(a) {
			return a
		}
	}
	for _, l := range lines {
		if by, err := cuaddr.Parse(l.Param("SENT-BY")); err == nil && is(by) {
			return ics.CalAddress(l)
		}
	}
	if len(lines) == 1 {
		return ics.CalAddress(lines[0])
	}
	return cuaddr.Address{}
}
