package itip

import "github.com/convene-server/convene/scheduling/ics"

// receivePublish puts a published event, or its next edition, into a calendar
// (RFC 5546 §3.2.1, §4.1). Nobody is asked anything and nothing is answered;
// until its owner says otherwise it makes no time busy.
func (me Actor) receivePublish(have *ics.Object, msg Message) (Outcome, error) {
	org, _ := organizerOf(msg.Body)
	switch {
	case org.IsZero():
		return ignored("a published event without an organizer"), nil
	case me.Self(org):
		return ignored("it is his own event: his copy is the truth"), nil // decision 7
	case have != nil && me.role(have) == attendee:
		return ignored("he is invited to it: a REQUEST tells him"), nil
	}
	if was, _ := organizerOf(have); have != nil && (was.IsZero() || was != org && was.Fold() != org.Fold()) {
		return Outcome{}, &Refusal{Precondition: AllowedOrganizerReceived, Detail: "an event with this UID is somebody else's"}
	}
	root := msg.Body.Root().Clone()
	for _, c := range root.Children {
		c.Remove("ATTENDEE") // RFC 5546 §3.2.1: MUST NOT be there
	}
	in := newSeries(msg.Body, root)
	if have != nil {
		in.everybody = true
		out := me.update(have, in, msg)
		out.Scheduled, out.Inbox, out.KeepTag = false, nil, false
		return out, nil
	}
	copy := shell(msg.Body)
	for _, p := range in.parts {
		c := received(p.comp)
		if c.Name == "VEVENT" {
			c.Set(ics.NewProp("TRANSP", "TRANSPARENT"))
		}
		copy.Children = append(copy.Children, c)
	}
	return Outcome{Object: ics.New(copy), Changed: true, Rule: "published event stored"}, nil
}
