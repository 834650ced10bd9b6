package itip

import (
	"slices"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Membership is how a group changed that is invited into a meeting.
type Membership struct {
	// Group recognises the addresses of the group.
	Group func(cuaddr.Address) bool
	// Joined are to be invited as its members, unless they are in the meeting.
	Joined []Member
	// Left recognises who is no member any more.
	Left func(cuaddr.Address) bool
	// Fresh: nobody was in the group before.
	Fresh bool
}

// Regrouped is what a change of a group makes of a meeting.
type Regrouped struct {
	// Object is as its organizer would write it now, nil if nothing changes: it
	// goes through Originate with Options.Seen.
	Object *ics.Object
	// Declined are those who left and had declined all of it.
	Declined []cuaddr.Address
	// Over is how many found no place: maxMembers of one component are invited.
	Over int
}

// Regroup lets a change of a group follow into a meeting of me, the organizer.
// New members get lines with MEMBER (RFC 5545 §3.2.11). Who left and was invited
// as a member only is taken out, or stays by another group that holds him. What
// is over, the meeting or an occurrence of its own, stays as it was.
func Regroup(me Actor, o *ics.Object, m Membership) (r Regrouped) {
	if org, _ := organizerOf(o); org.IsZero() || !me.Self(org) || me.Ended(o) {
		return r
	}
	s := newSeries(o, o.Root().Clone())
	accepts := map[cuaddr.Address]bool{} // who left and has not declined everything
	var left []cuaddr.Address
	for _, p := range s.parts {
		at := slices.IndexFunc(p.comp.Props, func(l ics.Prop) bool {
			return l.Name == "ATTENDEE" && m.Group(ics.CalAddress(&l)) && agent(&l) == byServer
		})
		if at < 0 || p.off || p.rid != "" && me.Ended(s.alone(p)) {
			continue
		}
		line := p.comp.Props[at]
		group := ics.CalAddress(&line)
		if !m.Fresh && !p.opened(group) {
			continue // it was stored without inviting anybody
		}
		for _, a := range slices.Clone(p.guests()) {
			l := p.attendee(a)
			if l == nil || !namesIn(l, "MEMBER", group) || !m.Left(a) {
				continue
			}
			s.dirty = true
			if by := me.stays(p, l, m.Group); len(by) > 0 {
				*l = l.WithParam("MEMBER", by...)
				continue
			}
			left = append(left, a)
			accepts[a] = accepts[a] || ics.PartStat(l) != "DECLINED"
			p.comp.RemoveFunc(func(q *ics.Prop) bool { return q.Name == "ATTENDEE" && ics.CalAddress(q) == a })
			p.moved()
			dismiss(p, a, nil) // whom he sent goes with him
		}
		in, members := p.folded(), 0
		for i := range p.comp.Props {
			if l := &p.comp.Props[i]; l.Name == "ATTENDEE" && l.HasParam("MEMBER") {
				members++
			}
		}
		var add []ics.Prop
		for _, n := range m.Joined {
			switch {
			case me.Self(n.Address) || in[n.Address.Fold()]:
			case members >= maxMembers:
				r.Over++
			default:
				members++
				add = append(add, n.line(&line))
			}
		}
		if len(add) > 0 {
			at = slices.IndexFunc(p.comp.Props, func(l ics.Prop) bool { return l.Name == "ATTENDEE" && ics.CalAddress(&l) == group })
			p.comp.Props = slices.Insert(p.comp.Props, at+1, add...)
			p.moved()
			s.dirty = true
		}
	}
	if !s.dirty {
		return r
	}
	for _, a := range left {
		if !accepts[a] && !slices.Contains(r.Declined, a) {
			r.Declined = append(r.Declined, a)
		}
	}
	r.Object = s.object()
	return r
}

// stays returns by which groups a member stays in a component when he has left
// one: those named on his line, or that are invited and hold him.
func (me Actor) stays(p *part, l *ics.Prop, gone func(cuaddr.Address) bool) (by []string) {
	who := ics.CalAddress(l).Fold()
	for _, g := range p.guests() {
		if gone(g) || me.Members == nil {
			continue
		}
		if slices.ContainsFunc(me.Members(g), func(m Member) bool { return m.Address.Fold() == who }) {
			by = append(by, g.String())
		}
	}
	return by
}

// Ended reports whether every instance of an object has ended.
func (me Actor) Ended(o *ics.Object) bool {
	if o.Kind() == "VTODO" {
		return finished(o)
	}
	last, ok := o.Last(me.floating(), me.Bound)
	return ok && !last.IsZero() && !last.After(me.Now)
}

// alone is an override as an object of its own.
func (s *series) alone(p *part) *ics.Object {
	root := &ics.Component{Name: "VCALENDAR"}
	for _, c := range s.root.Children {
		if c.Name == "VTIMEZONE" {
			root.Children = append(root.Children, c)
		}
	}
	c := p.comp.Clone()
	c.Remove("RECURRENCE-ID")
	root.Children = append(root.Children, c)
	return ics.New(root)
}

// Disband makes of a meeting of me, the organizer, what it is without a group
// that is no more: its members stay, each invited for himself. nil: nothing
// changes. It goes through Originate with Options.Seen while the group is known.
func Disband(me Actor, o *ics.Object, group func(cuaddr.Address) bool) *ics.Object {
	if org, _ := organizerOf(o); org.IsZero() || !me.Self(org) {
		return nil
	}
	s := newSeries(o, o.Root().Clone())
	for _, p := range s.parts {
		n := len(p.comp.Props)
		p.comp.RemoveFunc(func(l *ics.Prop) bool { return l.Name == "ATTENDEE" && group(ics.CalAddress(l)) })
		if len(p.comp.Props) == n {
			continue
		}
		s.dirty = true
		p.moved()
		for i := range p.comp.Props {
			l := &p.comp.Props[i]
			if l.Name != "ATTENDEE" || !l.HasParam("MEMBER") {
				continue
			}
			var left []string
			for _, g := range persons(l, "MEMBER") {
				if !group(g) {
					left = append(left, g.String())
				}
			}
			if len(left) == 0 {
				*l = l.WithoutParams("MEMBER")
			} else {
				*l = l.WithParam("MEMBER", left...)
			}
		}
	}
	if !s.dirty {
		return nil
	}
	return s.object()
}

// Unanswered reports whether somebody is in all of an object as a member of a
// group only, and has not answered any of it.
func Unanswered(o *ics.Object, self, group func(cuaddr.Address) bool) bool {
	some := false
	for _, c := range o.Main() {
		l := ics.Attendee(c, self)
		if l == nil {
			continue
		}
		if ics.PartStat(l) != "NEEDS-ACTION" || !slices.ContainsFunc(persons(l, "MEMBER"), group) {
			return false
		}
		some = true
	}
	return some
}
