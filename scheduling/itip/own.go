package itip

import (
	"bytes"
	"slices"
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
)

// In a calendar that several people see, each has some things of an object for
// himself: when it reminds him, that he has seen the reminder, and whether the
// time is free for him. The owner's stand in the object. What a guest has for
// himself is kept beside it, and an object that he reads has that in place of
// the owner's.

// Own is what one guest has for himself of one object, by instance.
type Own struct {
	parts map[ics.RID]ownPart
	any   bool // there is anything in them
}

type ownPart struct {
	kind   string // of the component
	props  []ics.Prop
	alarms []*ics.Component
}

// isOwn reports whether a property other than TRANSP is everybody's own:
// Thunderbird notes in the component what became of its reminders.
func isOwn(name string) bool {
	return name == "X-MOZ-LASTACK" || strings.HasPrefix(name, "X-MOZ-SNOOZE-TIME")
}

func isAlarm(c *ics.Component) bool { return c.Name == "VALARM" }

// HasOwn reports whether there may be such things in a body, TRANSP aside.
func HasOwn(body []byte) bool {
	b := bytes.ToUpper(body)
	for _, fold := range []string{"\r\n ", "\r\n\t", "\n ", "\n\t"} { // one may stand inside of a name
		b = bytes.ReplaceAll(b, []byte(fold), nil)
	}
	return bytes.Contains(b, []byte("VALARM")) || bytes.Contains(b, []byte("X-MOZ-"))
}

// ownOf returns what an object has of them, with every TRANSP.
func ownOf(o *ics.Object) Own {
	own := Own{parts: map[ics.RID]ownPart{}}
	for _, c := range o.Main() {
		p := ownPart{kind: c.Name}
		for i := range c.Props {
			if name := c.Props[i].Name; isOwn(name) || name == "TRANSP" {
				p.props = append(p.props, c.Props[i])
			}
		}
		for _, ch := range c.Children {
			if isAlarm(ch) {
				p.alarms = append(p.alarms, ch)
			}
		}
		rid := o.RID(c)
		if _, twice := own.parts[rid]; !twice {
			own.parts[rid] = p
			own.any = own.any || len(p.props)+len(p.alarms) > 0
		}
	}
	return own
}

// at returns what holds for an instance. One of which nothing is known has what
// the series has, as far as that does not speak of a point in time.
func (own Own) at(rid ics.RID) ownPart {
	if p, ok := own.parts[rid]; ok {
		return p
	}
	var p ownPart
	for _, q := range own.parts[""].props {
		if q.Name == "TRANSP" {
			p.props = append(p.props, q)
		}
	}
	for _, a := range own.parts[""].alarms {
		if t := a.Prop("TRIGGER"); t != nil && !strings.EqualFold(t.Param("VALUE"), "DATE-TIME") {
			p.alarms = append(p.alarms, a)
		}
	}
	return p
}

func (p ownPart) prop(name string) *ics.Prop {
	for i := range p.props {
		if p.props[i].Name == name {
			return &p.props[i]
		}
	}
	return nil
}

// transp is what TRANSP says; without it an event is opaque (RFC 5545
// §3.8.2.7).
func transp(p *ics.Prop) string {
	if p != nil && strings.EqualFold(trim(p.Value), "TRANSPARENT") {
		return "TRANSPARENT"
	}
	return "OPAQUE"
}

// ParseOwn reads what Bytes has written. What cannot be read is nothing.
func ParseOwn(b []byte) Own {
	own := Own{}
	if len(b) == 0 {
		return own
	}
	o, err := ics.Parse(b, ics.Limits{})
	if err != nil {
		return own
	}
	own.parts = map[ics.RID]ownPart{}
	for _, c := range o.Main() {
		p := ownPart{kind: c.Name, alarms: c.Children}
		for i := range c.Props {
			if c.Props[i].Name != "RECURRENCE-ID" {
				p.props = append(p.props, c.Props[i])
			}
		}
		own.parts[ics.RID(c.Value("RECURRENCE-ID"))] = p
		own.any = true
	}
	return own
}

// Bytes are what is stored of it; nil: there is nothing.
func (own Own) Bytes() []byte {
	if !own.any {
		return nil
	}
	root := &ics.Component{Name: "VCALENDAR"}
	rids := make([]ics.RID, 0, len(own.parts))
	for rid := range own.parts {
		rids = append(rids, rid)
	}
	slices.Sort(rids)
	for _, rid := range rids {
		p := own.parts[rid]
		c := &ics.Component{Name: p.kind, Children: p.alarms}
		if rid != "" {
			c.Add(ics.NewProp("RECURRENCE-ID", string(rid)))
		}
		for _, q := range p.props {
			c.Add(q)
		}
		root.Children = append(root.Children, c)
	}
	return ics.New(root).Bytes()
}

// with returns o with these things in place of its own. Of TRANSP it says what
// they say; where they do not, it stays if stays is set.
func (own Own) with(o *ics.Object, stays bool) *ics.Object {
	var root *ics.Component
	for i, c := range o.Root().Children {
		if c.Name == "VTIMEZONE" {
			continue
		}
		p := own.at(o.RID(c))
		t := p.prop("TRANSP")
		if t == nil && !stays && transp(c.Prop("TRANSP")) != transp(nil) {
			t = &ics.Prop{}
		}
		if t != nil && transp(t) == transp(c.Prop("TRANSP")) {
			t = nil
		}
		if t == nil && p.stands(c) {
			continue
		}
		if root == nil {
			root = o.Root().Clone()
		}
		p.put(root.Children[i], t)
	}
	if root == nil {
		return o
	}
	return ics.New(root)
}

// stands reports whether a component has just these things, TRANSP aside.
func (p ownPart) stands(c *ics.Component) bool {
	var have ownPart
	for i := range c.Props {
		if isOwn(c.Props[i].Name) {
			have.props = append(have.props, c.Props[i])
		}
	}
	for _, ch := range c.Children {
		if isAlarm(ch) {
			have.alarms = append(have.alarms, ch)
		}
	}
	want := slices.DeleteFunc(slices.Clone(p.props), func(q ics.Prop) bool { return !isOwn(q.Name) })
	return slices.EqualFunc(have.props, want, func(a, b ics.Prop) bool { return a.Equal(&b) }) &&
		slices.EqualFunc(have.alarms, p.alarms, sameComponent)
}

func sameComponent(a, b *ics.Component) bool {
	return a.Name == b.Name && slices.EqualFunc(a.Props, b.Props, func(p, q ics.Prop) bool { return p.Equal(&q) }) &&
		slices.EqualFunc(a.Children, b.Children, sameComponent)
}

// put writes them into a component; t is the TRANSP that it gets, nil: it keeps
// what it has, an empty one: none.
func (p ownPart) put(c *ics.Component, t *ics.Prop) {
	c.RemoveFunc(func(q *ics.Prop) bool { return isOwn(q.Name) })
	switch {
	case t == nil:
	case t.Name == "":
		c.Remove("TRANSP")
	default:
		c.Set(*t)
	}
	for _, q := range p.props {
		if isOwn(q.Name) {
			c.Add(q)
		}
	}
	c.Children = slices.DeleteFunc(slices.Clone(c.Children), isAlarm)
	c.Children = append(c.Children, p.alarms...)
}

// SeenBy is a stored body as a guest sees it who has these things for himself:
// nothing of the owner's. Without anything to change it is body.
func SeenBy(body, own []byte) []byte {
	if len(own) == 0 && !HasOwn(body) {
		return body
	}
	o, err := ics.Parse(body, ics.Limits{Bytes: len(body) + 1})
	if err != nil { // stored by an older release that took more
		return body
	}
	return ParseOwn(own).with(o, true).Bytes()
}

// TakeOwn parts what a guest has sent into what everybody shall see, in which
// what the owner has for himself stays as it is in have (nil: there was
// nothing), and what the guest keeps for himself. With free TRANSP is the
// guest's own, too, once an object is there: how busy the owner is is the
// owner's to say. Whoever makes an object says it for both.
func TakeOwn(sent, have *ics.Object, free bool) (shared *ics.Object, own Own) {
	own = ownOf(sent)
	var his Own
	if have != nil {
		his = ownOf(have)
	}
	if have == nil || !free {
		for rid, p := range his.parts {
			p.props = slices.DeleteFunc(p.props, func(q ics.Prop) bool { return q.Name == "TRANSP" })
			his.parts[rid] = p
		}
	}
	shared = his.with(sent, have == nil || !free)
	own.any = false
	for _, c := range sent.Main() {
		rid := sent.RID(c)
		p := own.parts[rid]
		// What everybody sees need not be said again.
		var is *ics.Prop
		if rid == "" && shared.Master() != nil {
			is = shared.Master().Prop("TRANSP")
		} else if o := shared.Override(rid); o != nil {
			is = o.Prop("TRANSP")
		}
		said := p.prop("TRANSP")
		p.props = slices.DeleteFunc(slices.Clone(p.props), func(q ics.Prop) bool { return q.Name == "TRANSP" })
		if transp(said) != transp(is) {
			p.props = append(p.props, ics.NewProp("TRANSP", transp(said)))
		}
		own.parts[rid] = p
		own.any = own.any || len(p.props)+len(p.alarms) > 0
	}
	return shared, own
}

// SameForAll reports whether two states of an object say the same to everybody:
// what each has for himself and what programs count up by themselves is left
// out.
func SameForAll(a, b *ics.Object) bool {
	return slices.Equal(saysToAll(a), saysToAll(b))
}

func saysToAll(o *ics.Object) []string {
	var out []string
	var walk func(c *ics.Component, at string)
	walk = func(c *ics.Component, at string) {
		at += "/" + c.Name
		out = append(out, at)
		for i := range c.Props {
			p := &c.Props[i]
			switch {
			case isOwn(p.Name), p.Name == "DTSTAMP", p.Name == "LAST-MODIFIED", p.Name == "CREATED", p.Name == "X-MOZ-GENERATION", isMark([]byte(p.Name)):
				continue
			case p.Name == "TRANSP":
				if transp(p) != transp(nil) {
					out = append(out, at+" TRANSP")
				}
				continue
			}
			q := p.WithoutParamsFunc(func(name string) bool { return isMark([]byte(name)) })
			var params []string
			for _, v := range q.Params {
				params = append(params, v.Name+"="+strings.Join(v.Values, ","))
			}
			slices.Sort(params)
			out = append(out, at+" "+p.Name+";"+strings.Join(params, ";")+":"+p.Value)
		}
		for _, ch := range c.Children {
			if !isAlarm(ch) {
				walk(ch, at)
			}
		}
	}
	for _, c := range o.Main() {
		walk(c, string(o.RID(c)))
	}
	slices.Sort(out)
	return out
}
