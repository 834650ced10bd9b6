package itip

import (
	"slices"

	"github.com/convene-server/convene/scheduling/ics"
)

// Mail overtakes mail: what an attendee took off his calendar, or was told of
// before he had it, must not come (back) by an older message. Outcome.Left says
// what is to be remembered for that, Actor.Left gives it back with the next
// message: an object with the last known revision of each component, his own
// line, and STATUS where it was cancelled.

// AddLeft adds what is to be remembered (Outcome.Left) to what was before.
// Either may be nil.
func AddLeft(before, left *ics.Object) *ics.Object {
	if before == nil || left == nil {
		if left == nil {
			return before
		}
		return left
	}
	now := newSeries(left, left.Root().Clone())
	whole := now.master // not that of before, which comes beside it
	for _, p := range newSeries(before, before.Root()).parts {
		var later *part
		switch {
		case p.rid == "":
			later = whole
		case now.byRID[p.rid] != nil:
			later = now.byRID[p.rid]
		case whole != nil && !now.excludes(p.rid) && !older(whole.comp, p.comp): // the whole went
			later = whole
		}
		if later == nil {
			c := p.comp
			if m := whole; m != nil && !p.off && now.excludes(p.rid) && older(c, m.comp) {
				c = awayIn(c, m.comp)
			}
			now.graft(c)
		}
	}
	if !now.dirty {
		return left
	}
	zonesOf(now.root, left, before)
	return ics.New(now.root)
}

// LeftApart is what somebody remembers of a series, as he does of the part of it
// that has another UID from now on. left may be nil.
func LeftApart(left *ics.Object, uid string) *ics.Object {
	if left == nil {
		return nil
	}
	root := left.Root().Clone()
	for _, c := range root.Children {
		if schedules(c.Name) {
			c.Set(ics.NewProp("UID", uid))
		}
	}
	return ics.New(root)
}

// awayIn is what is left of an occurrence that is still away in a later revision
// of its series.
func awayIn(c, master *ics.Component) *ics.Component {
	c = c.Clone()
	c.Remove(propReceived)
	c.Set(ics.NewProp("DTSTAMP", dtstamp(master)))
	setSequence(c, sequence(master))
	return c
}

// zonesOf gives a tree the time zones that its components refer to, from the
// first object that has them.
func zonesOf(root *ics.Component, from ...*ics.Object) {
	have := map[string]bool{}
	comps := root.Children
	root.Children = nil
	for _, c := range comps {
		if c.Name != "VTIMEZONE" {
			root.Children = append(root.Children, c)
		}
	}
	for _, o := range from {
		for _, z := range o.Root().Children {
			if id := z.Value("TZID"); z.Name == "VTIMEZONE" && !have[id] && refers(comps, id) {
				have[id] = true
				root.Children = append(root.Children, z)
			}
		}
	}
}

// leaving is what is left of components that an attendee takes off his
// calendar. silent: he does not decline; nor does he where his answer is one of
// those that stand.
func (me Actor) leaving(o *ics.Object, comps []*ics.Component, silent bool, stand ...string) *ics.Object {
	root := &ics.Component{Name: "VCALENDAR", Props: o.Root().Props}
	for _, c := range comps {
		if !schedules(c.Name) {
			continue
		}
		out := &ics.Component{Name: c.Name}
		for i := range c.Props {
			p := c.Props[i]
			switch {
			case p.Name == "ATTENDEE" && me.Self(ics.CalAddress(&p)):
				if !silent && !slices.Contains(stand, ics.PartStat(&p)) {
					p = p.WithoutParams(paramSaid).WithParam("PARTSTAT", "DECLINED")
				}
				out.Add(p)
			case kept[p.Name], p.Name == "DTSTAMP", p.Name == "STATUS", p.Name == propReceived:
				out.Add(p)
			}
		}
		root.Children = append(root.Children, out)
	}
	if len(root.Children) == 0 {
		return nil
	}
	zonesOf(root, o)
	return ics.New(root)
}

// cancelledUnseen is what is left of parts of a meeting of which only a CANCEL
// came.
func (me Actor) cancelledUnseen(in *series, parts []*part) *ics.Object {
	root := &ics.Component{Name: "VCALENDAR", Props: in.root.Props}
	left := me.left()
	for _, p := range parts {
		if len(p.guests()) > 0 && p.self(me) == nil {
			continue
		}
		if outdated(left, in, p) {
			continue
		}
		c := p.comp.Clone()
		c.Set(ics.NewProp("STATUS", "CANCELLED"))
		root.Children = append(root.Children, c)
	}
	if len(root.Children) == 0 {
		return nil
	}
	zonesOf(root, in.obj)
	return ics.New(root)
}

// left is Actor.Left, empty where he remembers nothing.
func (me Actor) left() *series {
	if me.Left == nil {
		return &series{byRID: map[ics.RID]*part{}}
	}
	return newSeries(me.Left, me.Left.Root())
}

// anew is a component of a message as it comes to somebody who does not have
// it: with the answer that he gave before he removed it, unless he is asked
// anew.
func (me Actor) anew(left *series, in *series, p *part) *ics.Component {
	c := received(p.comp)
	if old := left.at(p.rid); old != nil {
		base := old.comp
		if old.rid != p.rid {
			base = left.regular(p.rid)
		}
		if base != nil {
			me.keepAnswer(left.obj, base, in.obj, c)
		}
	}
	return c
}

// keepsOut reports whether he had a component and removed it, declining or with
// an answer that stands, and is not asked anew. Where the organizer says that
// answer himself, there is nothing to keep out.
func (me Actor) keepsOut(left, in *series, p *part) bool {
	if left.at(p.rid) == nil {
		return false
	}
	said, now := p.self(me), ics.Attendee(me.anew(left, in, p), me.Self)
	if declines(said) || now == nil {
		return false
	}
	return declines(now) || slices.Contains(outlast, ics.PartStat(now)) && ics.PartStat(said) != ics.PartStat(now)
}

// standing are the occurrences of a series that comes (back) for which he gave an
// answer that stands though he removed his copy: that to the series is none to
// them.
func (me Actor) standing(left, in *series, have func(ics.RID) bool) []*ics.Component {
	var out []*ics.Component
	for _, old := range left.parts {
		l := old.self(me)
		if old.rid == "" || old.off || l == nil || !slices.Contains(outlast, ics.PartStat(l)) || have(old.rid) {
			continue
		}
		occ := in.regular(old.rid)
		if occ == nil || ics.Attendee(occ, me.Self) == nil || !sameTime(left.obj, old.comp, in.obj, occ) || older(in.at(old.rid).comp, old.comp) {
			continue // of the last, see removedSince
		}
		out = append(out, me.anew(left, in, &part{comp: occ, rid: old.rid}))
	}
	return out
}

// declinedDays are the occurrences of a series that he has done with, and keeps out,
// which he declined by themselves: what he said of the series is none of that.
func (me Actor) declinedDays(left, in *series, have func(ics.RID) bool) []*ics.Component {
	var out []*ics.Component
	if declines(in.master.self(me)) {
		return nil
	}
	for _, old := range left.parts {
		if me.declinedAlone(left, old, in) && !have(old.rid) {
			c := old.comp
			if older(c, in.master.comp) { // else he knew more of it
				c = awayIn(c, in.master.comp)
			}
			out = append(out, c)
		}
	}
	return out
}

// declines reads somebody's line; a published event may have none of his.
func declines(l *ics.Prop) bool { return l != nil && ics.PartStat(l) == "DECLINED" }

// cancelledSince are the instances of a series that were cancelled after it was
// written, although the CANCEL came first.
func cancelledSince(left, in *series, have func(ics.RID) bool) []*ics.Component {
	var out []*ics.Component
	for _, old := range left.parts {
		if old.off && old.rid != "" && !have(old.rid) && in.obj.HasInstance(old.rid) && dtstamp(in.at(old.rid).comp) < dtstamp(old.comp) {
			out = append(out, old.comp)
		}
	}
	return out
}

// removedSince are the instances of a series that he took off his calendar when
// he knew more of them than the series does that comes now.
func removedSince(left, in *series, have func(ics.RID) bool) []ics.RID {
	var out []ics.RID
	for _, old := range left.parts {
		if !old.off && old.rid != "" && !have(old.rid) && in.obj.HasInstance(old.rid) && older(in.at(old.rid).comp, old.comp) {
			out = append(out, old.rid)
		}
	}
	return sorted(out)
}

// calledOffMeanwhile are the occurrences that he took off his calendar and that are
// none in a new revision of their series: now they are off for everybody.
func calledOffMeanwhile(left, in *series) []*ics.Component {
	var out []*ics.Component
	for _, old := range left.parts {
		if !old.off && in.excludes(old.rid) && older(old.comp, in.master.comp) {
			c := awayIn(old.comp, in.master.comp)
			c.Set(ics.NewProp("STATUS", "CANCELLED"))
			out = append(out, c)
		}
	}
	return out
}

// declinedAlone reports whether he took one occurrence off his calendar that is
// still at the same time: a new revision of the series does not ask about it.
func (me Actor) declinedAlone(left *series, p *part, in *series) bool {
	l := p.self(me)
	if p.rid == "" || p.off || l == nil || ics.PartStat(l) != "DECLINED" {
		return false
	}
	occ := in.regular(p.rid)
	return occ != nil && sameTime(left.obj, p.comp, in.obj, occ)
}

// outdated reports whether a component of a message says nothing that is newer
// than what he knew when he had the meeting last; then it brings nothing back.
// What was called off as a whole and is asked for again later may begin anew,
// with SEQUENCE 0: its organizer's program does not have the old one any more. An
// occurrence has a SEQUENCE of its own (RFC 5546 §2.1.4): with a series, in, that is
// newer than his it is no older than that.
func outdated(left, in *series, p *part) bool {
	old := left.at(p.rid)
	if old != nil && old.rid != p.rid && in.master != nil && older(old.comp, in.master.comp) {
		return false
	}
	if old != nil && old.off && old.rid == "" && dtstamp(old.comp) < dtstamp(p.comp) {
		return false
	}
	if old == nil && left.master != nil { // an instance that the series no longer had
		return dtstamp(p.comp) < dtstamp(left.master.comp)
	}
	return old != nil && !older(old.comp, p.comp)
}
