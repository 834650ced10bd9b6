package itip

import (
	"bytes"
	"slices"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Observed is what a user's copy becomes by an iTIP message that he sent
// himself from a mail program (decision 12): what his calendar program would
// have put. after is have itself where nothing follows, nil to remove it; the
// rule says why.
func Observed(me Actor, have, sent *ics.Object) (after *ics.Object, rule string) {
	switch Method(sent.Method()) {
	case Request:
		return me.observedRequest(have, sent)
	case Cancel:
		return me.observedCancel(have, sent)
	case Reply:
		return me.observedReply(have, sent)
	}
	return have, "sent by mail: " + sent.Method() + " changes nothing of one's own"
}

// organizes reports whether the user is the organizer of everything in o.
func (me Actor) organizes(o *ics.Object) bool {
	return !slices.ContainsFunc(o.Main(), func(c *ics.Component) bool {
		a := ics.Organizer(c)
		return a.IsZero() || !me.Self(a)
	})
}

func (me Actor) observedRequest(have, sent *ics.Object) (*ics.Object, string) {
	switch {
	case !me.organizes(sent):
		return have, "sent in the name of somebody else"
	case have != nil && !me.organizes(have):
		return have, "the meeting is somebody else's"
	case have == nil || sent.Master() != nil:
		if have != nil && have.Master() != nil && older(sent.Master(), have.Master()) {
			return have, staleRule(sent.Master(), have.Master())
		}
		root := sent.Root().Clone()
		root.Remove("METHOD")
		if have != nil {
			alarms(root, have)
		}
		return ics.New(root), "invited by mail"
	}
	// Only single instances were sent: each takes the place of what the series
	// has for it.
	root := have.Root().Clone()
	rule := "invited by mail"
	for _, c := range sent.Main() {
		old := have.Override(sent.RID(c))
		if old != nil && older(c, old) {
			rule = staleRule(c, old)
			continue
		}
		at := slices.Index(have.Root().Children, old)
		if old == nil || at < 0 {
			root.Children = append(root.Children, c.Clone())
		} else {
			root.Children[at] = c.Clone()
		}
	}
	for _, z := range sent.Root().Children {
		if z.Name == "VTIMEZONE" && !slices.ContainsFunc(root.Children, func(c *ics.Component) bool { return c.Name == "VTIMEZONE" && c.Text("TZID") == z.Text("TZID") }) {
			root.Children = slices.Insert(root.Children, 0, z.Clone())
		}
	}
	return ics.New(root), rule
}

// alarms keeps what the user's calendar has for himself: mail carries none.
func alarms(root *ics.Component, have *ics.Object) {
	if have.Master() == nil {
		return
	}
	for _, c := range root.Children {
		if c.Name == "VTIMEZONE" || c.Prop("RECURRENCE-ID") != nil {
			continue
		}
		c.Children = slices.DeleteFunc(c.Children, func(ch *ics.Component) bool { return ch.Name == "VALARM" })
		for _, ch := range have.Master().Children {
			if ch.Name == "VALARM" {
				c.Children = append(c.Children, ch.Clone())
			}
		}
	}
}

func (me Actor) observedCancel(have, sent *ics.Object) (*ics.Object, string) {
	switch {
	case have == nil:
		return nil, "no such meeting"
	case !me.organizes(sent) || !me.organizes(have):
		return have, "sent in the name of somebody else"
	}
	root := have.Root().Clone()
	for _, c := range sent.Main() {
		r := sent.RID(c)
		if r != "" {
			root = dropInstance(root, r)
			continue
		}
		if m := have.Master(); m != nil && sequence(c) < sequence(m) {
			return have, staleRule(c, m)
		}
		gone := func(a cuaddr.Address) bool {
			return ics.Attendee(c, func(b cuaddr.Address) bool { return a == b }) != nil
		}
		stays := func(p *ics.Prop) bool { a := ics.CalAddress(p); return !me.Self(a) && !gone(a) }
		left := slices.ContainsFunc(have.Main(), func(h *ics.Component) bool { return slices.ContainsFunc(ics.Attendees(h), stays) })
		if len(ics.Attendees(c)) == 0 || !left {
			return nil, "cancelled by mail" // RFC 5546 §3.2.5: for everybody
		}
		for _, h := range root.Children {
			h.RemoveFunc(func(p *ics.Prop) bool {
				return p.Name == "ATTENDEE" && !me.Self(ics.CalAddress(p)) && gone(ics.CalAddress(p))
			})
		}
	}
	if len(ics.New(root).Main()) == 0 {
		return nil, "cancelled by mail"
	}
	return ics.New(root), "cancelled by mail"
}

// dropInstance takes one instance out of a series and returns what is left.
func dropInstance(root *ics.Component, r ics.RID) *ics.Component {
	have := ics.New(root)
	old := have.Override(r)
	without := root.Clone()
	if old != nil {
		at := slices.Index(root.Children, old)
		without.Children = slices.Delete(without.Children, at, at+1)
	}
	if have.Master() != nil && have.HasInstance(r) {
		for _, c := range without.Children {
			if c.Name != "VTIMEZONE" && c.Prop("RECURRENCE-ID") == nil {
				c.Add(have.DateProp("EXDATE", r))
			}
		}
	}
	return without
}

func (me Actor) observedReply(have, sent *ics.Object) (*ics.Object, string) {
	if have == nil {
		return nil, "no such meeting"
	}
	after := have
	for _, c := range sent.Main() {
		him := ics.Attendee(c, me.Self)
		if him == nil {
			return have, "sent in the name of somebody else"
		}
		if o := Answered(after, me.Self, sent.RID(c), c); o != nil {
			after = o
		}
	}
	if bytes.Equal(ics.New(after.Root()).Bytes(), ics.New(have.Root()).Bytes()) {
		return have, "a repetition: his copy says so already"
	}
	return after, "answered by mail"
}
