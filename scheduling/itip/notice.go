package itip

import (
	"maps"
	"slices"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// messages writes what the plans say. Those who get the same share one body.
func (v *revision) messages(plans []*plan) []Message {
	var out []Message
	bodies := map[string]*ics.Object{}
	uid := v.is.obj.UID()
	from, _ := v.organizer()
	for _, c := range v.cancels(plans) {
		body := envelope(v.was.obj, Cancel, c.comps)
		for _, a := range c.whom {
			out = append(out, Message{Method: Cancel, UID: uid, From: from, To: a, Body: body, Significant: true, Echo: c.marks})
		}
	}
	for _, g := range plans {
		if len(g.request) == 0 {
			continue
		}
		key := v.key(g)
		if bodies[key] == nil {
			bodies[key] = v.me.requestBody(v.is, g.request, g.without)
		}
		for _, a := range g.whom {
			out = append(out, Message{Method: Request, UID: uid, From: from, To: a, Body: bodies[key], Significant: g.significant && !g.echo, Echo: g.echo})
		}
	}
	return out
}

// cancelEach takes from people, each by one CANCEL, what was theirs of a meeting.
func cancelEach(o *ics.Object, comps map[cuaddr.Address][]*ics.Component, significant bool) (out []Message) {
	from, _ := organizerOf(o)
	for _, a := range slices.SortedFunc(maps.Keys(comps), byAddress) {
		out = append(out, Message{Method: Cancel, UID: o.UID(), From: from, To: a, Body: envelope(o, Cancel, comps[a]), Significant: significant})
	}
	return out
}

func (v *revision) organizer() (cuaddr.Address, *ics.Prop) {
	for _, p := range v.is.parts {
		if l := p.comp.Prop("ORGANIZER"); l != nil {
			return ics.CalAddress(l), l
		}
	}
	return organizerOf(v.was.obj)
}

func (v *revision) key(g *plan) string {
	var b strings.Builder
	for _, p := range g.request {
		b.WriteString(string(p.rid) + " ")
	}
	b.WriteByte('|')
	for _, r := range g.without {
		b.WriteString(string(r) + " ")
	}
	return b.String()
}

// cancellation is one CANCEL and whom it reaches.
type cancellation struct {
	whom  []cuaddr.Address
	comps []*ics.Component
	marks bool
}

func (v *revision) cancels(plans []*plan) []*cancellation {
	type lot struct {
		whole bool
		marks bool
		rids  []ics.RID
		whom  []cuaddr.Address
	}
	var lots []*lot
	byKey := map[string]*lot{}
	for _, g := range plans {
		if !g.whole && len(g.cancel) == 0 {
			continue
		}
		key := ""
		if g.marks {
			key = "marks "
		}
		for _, r := range g.cancel {
			key += string(r) + " "
		}
		if byKey[key] == nil {
			byKey[key] = &lot{whole: g.whole, marks: g.marks, rids: g.cancel}
			lots = append(lots, byKey[key])
		}
		byKey[key].whom = append(byKey[key].whom, g.whom...)
	}
	var out []*cancellation
	for _, l := range lots {
		c := &cancellation{whom: l.whom, marks: l.marks}
		if l.whole {
			seq := v.was.top() + 1
			all := v.is.master == nil || cancelled(v.is.master.comp)
			if v.is.master != nil {
				seq = max(seq, sequence(v.is.master.comp))
			}
			c.comps = append(c.comps, v.me.cancelComponent(v.was.master.comp, seq, lines(v.was.master, l.whom), all))
		}
		for _, r := range l.rids {
			old := v.wasAt[r]
			comp := old.comp
			if old.rid == "" {
				if comp = v.was.regular(r); comp == nil {
					continue
				}
			}
			seq := sequence(comp) + 1
			now := v.isAt[r]
			if now != nil {
				seq = max(seq, sequence(now.comp))
			} else if v.is.master != nil {
				seq = max(seq, sequence(v.is.master.comp))
			}
			c.comps = append(c.comps, v.me.cancelComponent(comp, seq, lines(old, l.whom), now == nil || cancelled(now.comp)))
		}
		if len(c.comps) > 0 {
			out = append(out, c)
		}
	}
	return out
}

// lines returns the ATTENDEE lines of some people.
func lines(p *part, whom []cuaddr.Address) []ics.Prop {
	var out []ics.Prop
	for _, a := range whom {
		if l := p.attendee(a); l != nil {
			out = append(out, *l)
		}
	}
	return out
}
