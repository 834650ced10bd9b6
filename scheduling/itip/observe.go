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
	case Add:
		return me.observedAdd(have, sent)
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

// observedAdd puts one more instance into an organizer's series, as those have it to
// whom she sent the ADD (RFC 5546 §3.2.4).
func (me Actor) observedAdd(have, sent *ics.Object) (*ics.Object, string) {
	c := sent.First()
	switch {
	case have == nil:
		return nil, "no such meeting"
	case !me.organizes(sent) || !me.organizes(have):
		return have, "sent in the name of somebody else"
	case have.Master() == nil || len(sent.Main()) != 1 || barred(c) != "":
		return have, "an ADD that is none"
	}
	r, ok := added(have, sent, c)
	switch {
	case !ok:
		return have, "an ADD in another form of time than the series"
	case have.HasInstance(r) || have.Override(r) != nil:
		return have, "a repetition: the series has that instance"
	case sequence(c) < Revision(have):
		return have, staleRule(c, have.Master())
	}
	root := have.Root().Clone()
	m := masterOf(root)
	m.Add(have.DateProp("RDATE", r))
	setSequence(m, max(sequence(c), sequence(m)))
	one := c.Clone()
	one.Set(have.DateProp("RECURRENCE-ID", r))
	if len(ics.Attendees(one)) == 0 { // those of the series
		for _, l := range ics.Attendees(m) {
			n := l.WithoutParams(ownParams...)
			if !me.Self(ics.CalAddress(l)) {
				n = n.WithParam("PARTSTAT", "NEEDS-ACTION")
			}
			one.Add(n)
		}
	}
	root.Children = append(root.Children, one)
	zonesOf(root, have, sent)
	return ics.New(root), "an instance added by mail"
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
	after := have
	for _, c := range sent.Main() {
		var why string
		switch id := c.Prop("RECURRENCE-ID"); {
		case id != nil && id.HasParam("RANGE"):
			after, why = me.calledOffFrom(after, c)
		case id != nil:
			after = me.calledOffAt(after, sent.RID(c), c)
		default:
			after, why = me.calledOffWhole(after, c)
		}
		if why != "" {
			return have, why
		}
		if after == nil || len(after.Main()) == 0 {
			return nil, "cancelled by mail"
		}
	}
	return after, "cancelled by mail"
}

// takenOff reports whether a CANCEL takes somebody off a component, and whether
// others stay in it; one that names nobody, or all, is for everybody (RFC 5546
// §3.2.5).
func (me Actor) takenOff(cancel *ics.Component, from ...*ics.Component) (gone func(cuaddr.Address) bool, stay bool) {
	gone = func(a cuaddr.Address) bool {
		return ics.Attendee(cancel, func(b cuaddr.Address) bool { return a == b }) != nil
	}
	stays := func(p *ics.Prop) bool { a := ics.CalAddress(p); return !me.Self(a) && !gone(a) }
	stay = len(ics.Attendees(cancel)) > 0 && slices.ContainsFunc(from, func(h *ics.Component) bool { return slices.ContainsFunc(ics.Attendees(h), stays) })
	return gone, stay
}

func (me Actor) uninvite(c *ics.Component, gone func(cuaddr.Address) bool) {
	c.RemoveFunc(func(p *ics.Prop) bool {
		return p.Name == "ATTENDEE" && !me.Self(ics.CalAddress(p)) && gone(ics.CalAddress(p))
	})
}

func (me Actor) calledOffWhole(have *ics.Object, c *ics.Component) (*ics.Object, string) {
	if m := have.Master(); m != nil && sequence(c) < sequence(m) {
		return have, staleRule(c, m)
	}
	gone, stay := me.takenOff(c, have.Main()...)
	if !stay {
		return nil, ""
	}
	root := have.Root().Clone()
	for _, h := range root.Children {
		me.uninvite(h, gone)
	}
	return ics.New(root), ""
}

// calledOffAt takes an instance out of a series, or some people out of it.
func (me Actor) calledOffAt(have *ics.Object, r ics.RID, c *ics.Component) *ics.Object {
	at := have.Occurrence(r)
	if at == nil {
		return have
	}
	gone, stay := me.takenOff(c, at)
	if !stay {
		return ics.New(dropInstance(have.Root(), r))
	}
	root := have.Root().Clone()
	one := at.Clone()
	me.uninvite(one, gone)
	if i := slices.Index(have.Root().Children, at); i >= 0 {
		root.Children[i] = one
	} else {
		root.Children = append(root.Children, one)
	}
	return ics.New(root)
}

// calledOffFrom ends a series before an instance, or takes some people out of
// all that is left of it.
func (me Actor) calledOffFrom(have *ics.Object, c *ics.Component) (*ics.Object, string) {
	r := have.RID(c)
	at := have.Occurrence(r)
	if r == "" || at == nil {
		return have, rangeRule(errUnknown)
	}
	if _, stay := me.takenOff(c, at); !stay && have.Master() != nil {
		before, err := me.earlier(have, r)
		if err != nil {
			return have, rangeRule(errEndless)
		}
		return before, ""
	}
	all, err := me.instancesFrom(have, r)
	if err == nil && weight(at)*len(all) > maxRangeOctets {
		err = errEndless
	}
	if err != nil {
		return have, rangeRule(err)
	}
	for _, n := range all { // also those with a component of their own
		have = me.calledOffAt(have, n, c)
	}
	return have, ""
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
	if Ranged(sent) { // never taken for an answer to one instance
		each, err := me.unrange(have, sent)
		if err != nil {
			return have, rangeRule(err)
		}
		sent = each
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
