package itip

import (
	"slices"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// A group that the directory knows is invited by expansion: its line stays, and
// each of its members gets one of his own with MEMBER (RFC 5545 §3.2.11), by
// which he is invited, answers and is taken off. Nobody answers for a group
// (decision 29). An invitation from elsewhere names the group alone: in the
// member's copy his own line is added.

// Member is somebody in a group, with the groups in it opened up.
type Member struct {
	Address cuaddr.Address
	Name    string // for CN; may be ""
	Type    string // CUTYPE; "" INDIVIDUAL
}

// maxMembers bounds the members of all groups in one component.
const maxMembers = 10_000

// line is the ATTENDEE line of a member.
func (m Member) line(group *ics.Prop) ics.Prop {
	l := ics.NewProp("ATTENDEE", m.Address.String())
	kind := m.Type
	if kind == "" {
		kind = "INDIVIDUAL"
	}
	l = l.WithParam("CUTYPE", kind)
	if m.Name != "" {
		l = l.WithParam("CN", m.Name)
	}
	if v := group.Param("ROLE"); v != "" {
		l = l.WithParam("ROLE", v)
	}
	l = l.WithParam("PARTSTAT", "NEEDS-ACTION")
	if group.Param("RSVP") != "FALSE" {
		l = l.WithParam("RSVP", "TRUE")
	}
	return l.WithParam("MEMBER", ics.CalAddress(group).String())
}

// group reports whether an address is that of a group whose members are known.
func (me Actor) group(a cuaddr.Address) bool {
	return me.Members != nil && me.Members(a) != nil
}

// opened reports whether a line is that of a group whose members stand beside it.
func (p *part) opened(group cuaddr.Address) bool {
	return slices.ContainsFunc(p.comp.Props, func(l ics.Prop) bool { return l.Name == "ATTENDEE" && namesIn(&l, "MEMBER", group) })
}

// expand opens up the groups that an organizer invites. Where a group was
// invited before, its members are those that were in the meeting: a later change
// of the group does not come by a write about something else, and whom the
// organizer took out stays out. Members of a group that is taken out go with it.
func (v *revision) expand() error {
	if v.me.Members == nil {
		return nil
	}
	for _, p := range v.is.parts {
		old := v.was.at(p.rid)
		if old != nil {
			v.close(p, old)
		}
		total := 0
		for _, a := range slices.Clone(p.guests()) {
			members := v.me.Members(a)
			if members == nil {
				continue
			}
			if total += len(members); total > maxMembers {
				return &Refusal{Precondition: MaxAttendeesPerInstance, Detail: "the groups invited have too many members"}
			}
			line := *p.attendee(a)
			if agent(&line) != byServer {
				continue
			}
			if !line.HasParam("CUTYPE") {
				*p.attendee(a) = line.WithParam("CUTYPE", "GROUP")
				v.is.dirty = true
			}
			if old != nil && old.attendee(a) != nil && old.opened(a) {
				v.reopen(p, old, a)
				continue
			}
			var add []ics.Prop
			in := p.folded()
			for _, m := range members {
				if !v.me.Self(m.Address) && !in[m.Address.Fold()] {
					add = append(add, m.line(&line))
				}
			}
			v.put(p, a, add)
		}
	}
	return nil
}

// reopen brings members back whom an organizer's program has not seen yet.
func (v *revision) reopen(p, old *part, group cuaddr.Address) {
	if v.opt.Seen || p.opened(group) {
		return
	}
	var add []ics.Prop
	in := p.folded()
	for _, l := range ics.Attendees(old.comp) {
		if namesIn(l, "MEMBER", group) && !in[ics.CalAddress(l).Fold()] {
			add = append(add, *l)
		}
	}
	v.put(p, group, add)
}

// close takes out those who were invited only as members of groups that are not
// invited any more.
func (v *revision) close(p, old *part) {
	n, in := len(p.comp.Props), p.folded()
	p.comp.RemoveFunc(func(l *ics.Prop) bool {
		groups := persons(l, "MEMBER")
		if l.Name != "ATTENDEE" || len(groups) == 0 {
			return false
		}
		left, was := false, false
		for _, g := range groups {
			left = left || in[g.Fold()]
			was = was || old.attendee(g) != nil && v.me.group(g)
		}
		return was && !left
	})
	if len(p.comp.Props) != n {
		p.moved()
		v.is.dirty = true
	}
}

// put adds lines behind that of a group.
func (v *revision) put(p *part, group cuaddr.Address, add []ics.Prop) {
	if len(add) == 0 {
		return
	}
	at := slices.IndexFunc(p.comp.Props, func(l ics.Prop) bool { return l.Name == "ATTENDEE" && ics.CalAddress(&l) == group })
	p.comp.Props = slices.Insert(p.comp.Props, at+1, add...)
	p.moved()
	v.is.dirty = true
}

// asMember returns an iTIP message in which the recipient has a line of his own
// where he is meant by the line of a group that holds him.
func (me Actor) asMember(have *ics.Object, msg Message) *ics.Object {
	if me.Groups == nil || me.Address.IsZero() || msg.Method == Reply || msg.Method == Counter || msg.Method == Refresh {
		return msg.Body
	}
	var root *ics.Component
	for i, c := range msg.Body.Root().Children {
		if !schedules(c.Name) || ics.Attendee(c, me.Self) != nil {
			continue
		}
		group := ics.Attendee(c, me.Groups)
		if group == nil || msg.Method == Cancel && !me.memberOf(have, ics.CalAddress(group)) {
			continue
		}
		if root == nil {
			root = msg.Body.Root().Clone()
		}
		root.Children[i].Add(Member{Address: me.Address, Name: me.Name}.line(group))
	}
	if root == nil {
		return msg.Body
	}
	return ics.New(root)
}

// memberOf reports whether the user is in his copy as a member of a group only.
func (me Actor) memberOf(have *ics.Object, group cuaddr.Address) bool {
	if have == nil {
		return false
	}
	return slices.ContainsFunc(have.Main(), func(c *ics.Component) bool {
		l := ics.Attendee(c, me.Self)
		return l != nil && namesIn(l, "MEMBER", group)
	})
}

// folded returns who is in the component, whatever the case of his address.
func (p *part) folded() map[string]bool {
	in := make(map[string]bool, len(p.guests()))
	for _, a := range p.guests() {
		in[a.Fold()] = true
	}
	return in
}

// named returns how many are invited by name, and not as members of a group.
func (p *part) named() int {
	n := 0
	for _, a := range p.guests() {
		if !p.attendee(a).HasParam("MEMBER") {
			n++
		}
	}
	return n
}
