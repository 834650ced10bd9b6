package itip

import (
	"strconv"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// receiveRefresh answers an attendee who asks how things stand with all that he
// may see, or with a CANCEL (RFC 5546 §3.2.6, §4.4.8).
func (me Actor) receiveRefresh(have *ics.Object, msg Message) (Outcome, error) {
	switch {
	case have == nil:
		return ignored("no such meeting"), nil
	case me.role(have) != organizer:
		return ignored("he does not organize this meeting"), nil
	case me.prefers(PreferRefreshing) == "never":
		return ignored("the organizer answers a REFRESH himself"), nil
	case me.past(have):
		return ignored("the meeting is past"), nil // decision 18
	}
	s := newSeries(have, have.Root().Clone())
	var who cuaddr.Address
	for _, p := range s.parts {
		l := find(p, msg.From)
		if l == nil || me.Self(msg.From) {
			continue
		}
		if agent(l) != byServer {
			return ignored("the organizer's program tells him"), nil
		}
		who = ics.CalAddress(l)
	}
	if who.IsZero() {
		return me.uninvited(s, msg), nil
	}
	out := Outcome{KeepTag: true, Scheduled: true, Rule: "asked for the current state: told"}
	v := me.fromNothing(s)
	g := v.plan(who)
	g.whom = []cuaddr.Address{who}
	if len(g.request) > 0 {
		out.Messages = v.messages([]*plan{g})
		for i := range out.Messages {
			out.Messages[i].Significant = me.unanswered(g.request, who)
		}
		if v.ask([]*plan{g}); s.dirty { // his answer may cross this one
			out.Object, out.Changed = s.object(), true
		}
		return out, nil
	}
	// All that he was invited to is cancelled.
	var comps []*ics.Component
	for _, p := range masterFirst(s.parts) {
		if l := p.attendee(who); l != nil {
			comps = append(comps, me.cancelComponent(p.comp, sequence(p.comp), []ics.Prop{*l}, true))
			if p == s.master {
				break
			}
		}
	}
	from, _ := organizerOf(have)
	out.Messages = []Message{{Method: Cancel, UID: have.UID(), From: from, To: who, Body: envelope(have, Cancel, comps), Significant: true}}
	return out, nil
}

// unanswered reports whether somebody is still to answer any of these parts.
func (me Actor) unanswered(parts []*part, who cuaddr.Address) bool {
	for _, p := range parts {
		if l := p.attendee(who); l != nil && ics.PartStat(l) == "NEEDS-ACTION" {
			return true
		}
	}
	return false
}

// uninvited answers somebody who asks about a meeting to which he is not
// invited, or not any more, with a CANCEL that tells him nothing but that (RFC
// 5546 §3.2.3).
func (me Actor) uninvited(s *series, msg Message) Outcome {
	if msg.From.IsZero() || me.Self(msg.From) {
		return ignored("nobody asks")
	}
	return Outcome{
		KeepTag: true, Scheduled: true, Rule: "he is not invited: told so",
		Messages: []Message{me.turnAway(s, msg)},
	}
}

// turnAway is the CANCEL for somebody who is not invited. It holds what he
// knows: the UID, and the time and title that he wrote himself.
func (me Actor) turnAway(s *series, msg Message) Message {
	line := ics.NewProp("ATTENDEE", msg.From.String())
	if l := ics.Attendee(msg.Body.First(), func(a cuaddr.Address) bool { return a == msg.From }); l != nil {
		line = publicAttendee(*l).WithoutParams("RSVP", "PARTSTAT")
	}
	from, org := organizerOf(s.obj)
	c := &ics.Component{Name: s.obj.Kind(), Props: []ics.Prop{
		ics.NewProp("UID", s.obj.UID()), ics.NewProp("DTSTAMP", utc(me.Now)), org.WithoutParams(ownParams...), line,
		ics.NewProp("SEQUENCE", strconv.Itoa(s.top())),
	}}
	for _, n := range []string{"DTSTART", "DTEND", "DURATION", "DUE", "SUMMARY"} {
		if p := msg.Body.First().Prop(n); p != nil {
			c.Add(*p)
		}
	}
	return Message{Method: Cancel, UID: s.obj.UID(), From: from, To: msg.From, Body: envelope(msg.Body, Cancel, []*ics.Component{c}), Significant: true}
}

// ask makes the REFRESH by which an attendee asks for the whole of a meeting of
// which he has missed something (RFC 5546 §3.2.6, §4.7.2). mine is his line, as
// he is invited.
func (me Actor) ask(about *ics.Object, org, mine ics.Prop) []Message {
	to, from := ics.CalAddress(&org), ics.CalAddress(&mine)
	if to.IsZero() || from.IsZero() || me.Self(to) || agent(&org) != byServer {
		return nil
	}
	c := &ics.Component{Name: about.Kind(), Props: []ics.Prop{ics.NewProp("UID", about.UID()), ics.NewProp("DTSTAMP", utc(me.Now))}}
	if c.Name != "VTODO" { // RFC 5546 §3.4.6: of a task it has none
		c.Add(org.WithoutParams(ownParams...))
	}
	c.Add(mine.WithoutParams(append([]string{"RSVP"}, ownParams...)...))
	return []Message{{Method: Refresh, UID: about.UID(), From: from, To: to, Body: envelope(about, Refresh, []*ics.Component{c})}}
}
