package itip

import (
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// HandOver makes a meeting that somebody organized the heir's (RFC 5546 §3.2.2.4):
// the object as it stands in the heir's calendar, a revision of its own, and the
// REQUESTs that tell everybody whose it is now. Answers stand. from recognises
// who organized it, who is not in it any more. ok is false for what he does not
// organize.
func HandOver(heir Actor, from func(cuaddr.Address) bool, o *ics.Object) (after *ics.Object, msgs []Message, ok bool) {
	if org, _ := organizerOf(o); org.IsZero() || !from(org) || heir.Address.IsZero() {
		return nil, nil, false
	}
	s := newSeries(o, o.Root().Clone())
	top := s.top()
	var whom []cuaddr.Address
	seen := map[cuaddr.Address]bool{}
	for _, p := range s.parts {
		c := p.comp
		line := ics.NewProp("ORGANIZER", heir.Address.String())
		if heir.Name != "" {
			line = line.WithParam("CN", heir.Name)
		}
		c.Set(line)
		took := ics.Attendee(c, from) != nil
		c.RemoveFunc(func(q *ics.Prop) bool { return q.Name == "ATTENDEE" && from(ics.CalAddress(q)) })
		heir.keepCounting(c, sequence(c))
		for i := range c.Props {
			if l := &c.Props[i]; l.Name == "ATTENDEE" && heir.Self(ics.CalAddress(l)) {
				*l = l.WithoutParams(ownParams...).WithoutParams("RSVP").WithParam("PARTSTAT", "ACCEPTED")
			}
		}
		if took && ics.Attendee(c, heir.Self) == nil {
			c.Add(ics.NewProp("ATTENDEE", heir.Address.String(), ics.Param{Name: "PARTSTAT", Values: []string{"ACCEPTED"}}))
		}
		setSequence(c, top+1)
		kids := c.Children[:0:0]
		for _, ch := range c.Children {
			if ch.Name != "VALARM" { // they were the other's
				kids = append(kids, ch)
			}
		}
		c.Children = kids
		p.moved()
		for _, a := range p.guests() {
			if !seen[a] && !heir.Self(a) && !heir.group(a) {
				seen[a] = true
				whom = append(whom, a)
			}
		}
	}
	after = ics.New(s.root)
	if heir.past(o) || muted(s) {
		return after, nil, true
	}
	msgs = heir.invite(after, whom...)
	for i := range msgs {
		msgs[i].Significant, msgs[i].Successor = false, true
	}
	return after, msgs, true
}
