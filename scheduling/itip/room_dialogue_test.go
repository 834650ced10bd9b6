package itip_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
	"github.com/convene-server/convene/scheduling/policy"
	"github.com/convene-server/convene/words"
)

// offer is a time that a room keeps for whom it proposed it to.
type offer struct {
	room, uid  string
	start, end time.Time
	expires    time.Time
}

// answer lets a room answer what it was just invited to.
func (c *core) answer(room, uid string, before *ics.Object) error {
	p, me, e := c.person(room), c.actor(room, uid), c.store[room][uid]
	rules, err := policy.Parse(p.Policy)
	if err != nil {
		return err
	}
	organizer := ics.Organizer(e.obj.First())
	ans, err := rules.Decide(c.question(room, uid, before, e.obj, me))
	if err != nil {
		return err
	}
	defer func() {
		if e := c.store[room][uid]; e != nil {
			e.obj = rules.Keep(e.obj)
		}
	}()
	if ans.None() {
		return nil
	}
	why := rules.Comment(ans.Reason, words.Default().For(e.obj.First().Prop("ORGANIZER").Param("LANGUAGE")), "")
	c.offers = slices.DeleteFunc(c.offers, func(o offer) bool { return o.room == room && o.uid == uid })
	if x := ans.Counter; x != nil {
		c.offers = append(c.offers, offer{room, uid, x.Start, x.End, c.now.Add(x.Hold)})
		_, err := c.hand([]Message{*Propose(me, e.obj, x.RID, x.Start, x.End, why)})
		return err
	}
	after := PassOn(e.obj, me.Self, "", ans.Delegate)
	if ans.Delegate.IsZero() {
		var single []Choice
		for _, one := range ans.Single {
			single = append(single, Choice{RID: one.RID, PartStat: one.PartStat, To: one.Delegate})
		}
		after = SetAnswer(e.obj, me.Self, ans.Master, single)
	}
	out, err := Originate(me, e.obj, after, Options{Comment: why})
	if err != nil {
		return err
	}
	c.keep(room, uid, out)
	for _, q := range rules.Quotas() {
		for _, by := range []string{organizer.String(), rules.Together(q, organizer, c.means)} {
			c.quotas[q+" "+by] = append(c.quotas[q+" "+by], room+" "+uid)
		}
	}
	err = c.settle(room, uid, out)
	c.heard[room+" "+uid] = true
	return err
}

// question is what a room's rules are asked about a meeting as it is to be.
func (c *core) question(room, uid string, before, after *ics.Object, me Actor) policy.Question {
	return policy.Question{
		Before: before, After: after, Self: me.Self, Address: me.Address, Organizer: ics.Organizer(after.First()), Unattended: true,
		Now: c.now, Floating: time.UTC,
		Busy: func(at ics.Wanted) ([]ics.Span, error) { return c.booked(room, uid, at) },
		Booked: func(after time.Time) (last time.Time, err error) {
			for other, e := range c.store[room] {
				if end, ok := e.obj.Last(time.UTC, ics.Bound{}); ok && other != uid && end.After(after) && end.After(last) {
					last = end
				}
			}
			return last, nil
		},
		Named: c.means,
		Used: func(quota string, organizer cuaddr.Address, together string) (sum time.Duration, err error) {
			spans, err := c.reserved(quota, cmp.Or(together, organizer.String()), uid, c.now, c.now.Add(policy.Ahead))
			for _, s := range spans {
				sum += s.End.Sub(s.Start)
			}
			return sum, err
		},
		Reserved: func(quota string, organizer cuaddr.Address, from, to time.Time) ([]ics.Span, error) {
			return c.reserved(quota, organizer.String(), uid, from, to)
		},
		Others: func(from, to time.Time) (all []ics.Span, err error) {
			for _, comp := range after.Main() {
				for _, a := range append(ics.Attendees(comp), comp.Prop("ORGANIZER")) {
					who, here := c.name(ics.CalAddress(a))
					if !here {
						org, _ := c.name(ics.Organizer(after.First()))
						for _, asked := range []string{room, org} {
							for _, k := range c.known[asked+" "+who] {
								all = append(all, k.Spans...)
							}
						}
					}
					if !here || who == room {
						continue
					}
					spans, err := c.spans(who, from, to, func(other string, _ *ics.Object) bool { return other != uid })
					if err != nil {
						return nil, err
					}
					all = append(all, spans...)
				}
			}
			return all, nil
		},
		Member: func(m cuaddr.Address, at ics.Wanted) ([]ics.Span, bool, error) {
			name, here := c.name(m)
			if !here || c.person(name).Kind != "room" {
				return nil, false, nil
			}
			busy, err := c.booked(name, uid, at)
			return busy, true, err
		},
		Holder: func(at ics.Wanted) (who string, err error) {
			from, to, _ := at.Span()
			for booking, e := range c.store[room] {
				spans, err := c.spans(room, from, to, func(other string, _ *ics.Object) bool { return other == booking && other != uid })
				if err != nil || len(spans) > 0 {
					return ics.Organizer(e.obj.First()).Mail(), err
				}
			}
			return "", nil
		},
		Would: func(m cuaddr.Address) (policy.Answer, error) {
			name, here := c.name(m)
			if !here || len(c.person(name).Policy) == 0 {
				return policy.Answer{}, nil
			}
			its, err := policy.Parse(c.person(name).Policy)
			if err != nil {
				return policy.Answer{}, err
			}
			return its.Decide(c.question(name, uid, nil, PassOn(after, me.Self, "", m), c.actor(name, uid)))
		},
	}
}

// means reports whether a rule means somebody by a group that holds him.
func (c *core) means(named, who cuaddr.Address) bool {
	return slices.ContainsFunc(c.members(named), func(m Member) bool { return m.Address == who })
}

// booked is what a room has beside one meeting, and what it holds.
func (c *core) booked(room, uid string, at ics.Wanted) ([]ics.Span, error) {
	from, to, _ := at.Span()
	spans, err := c.spans(room, from, to, func(other string, _ *ics.Object) bool { return other != uid })
	for _, o := range c.offers {
		if o.room == room && o.uid != uid && o.expires.After(c.now) && o.start.Before(to) && o.end.After(from) {
			spans = append(spans, ics.Span{Start: o.start, End: o.end, Type: ics.Busy})
		}
	}
	if text := c.available[room]; text != nil && err == nil {
		o, err := ics.Parse(text, ics.Limits{})
		if err != nil {
			return nil, err
		}
		a, err := o.Availability()
		if err != nil {
			return nil, err
		}
		closed, err := ics.Unavailability([]*ics.Availability{a}, from, to, ics.Bound{})
		if err != nil {
			return nil, err
		}
		for i := range closed {
			closed[i].Type = ics.Unavailable
		}
		spans = append(spans, closed...)
	}
	return spans, err
}

// reserved is what somebody has of a quota beside one meeting.
func (c *core) reserved(quota, by, uid string, from, to time.Time) (all []ics.Span, err error) {
	seen := map[string]bool{}
	for _, use := range c.quotas[quota+" "+by] {
		room, booking, _ := strings.Cut(use, " ")
		if seen[use] || booking == uid {
			continue
		}
		seen[use] = true
		spans, err := c.spans(room, from, to, func(other string, _ *ics.Object) bool { return other == booking })
		if err != nil {
			return nil, err
		}
		all = append(all, spans...)
	}
	return all, nil
}

// spans is the busy time of some of somebody's copies.
func (c *core) spans(who string, from, to time.Time, of func(uid string, o *ics.Object) bool) (all []ics.Span, err error) {
	self := c.actor(who, "").Self
	for uid, e := range c.store[who] {
		if !of(uid, e.obj) {
			continue
		}
		err := e.obj.Instances(from, to, time.UTC, ics.Bound{}, func(i ics.Instance) bool {
			if t := ics.Effect(i.Component, self); t != ics.Free && i.End.After(i.Start) {
				all = append(all, ics.Span{Start: i.Start, End: i.End, Type: t})
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
