package itip

import (
	"strconv"

	"github.com/convene-server/convene/scheduling/ics"
)

// receiveCancel takes an event or some of its instances off: they stay in the
// copy as cancelled, where the user sees them and no time is busy (RFC 5546
// §3.2.5, RFC 6638 §4.1).
func (me Actor) receiveCancel(have *ics.Object, msg Message) (Outcome, error) {
	if have == nil {
		out := ignored("he has no copy of the cancelled meeting")
		in := newSeries(msg.Body, msg.Body.Root())
		out.Left = me.cancelledUnseen(in, in.parts)
		return out, nil
	}
	org, _ := organizerOf(msg.Body)
	if org.IsZero() {
		org = msg.From
	}
	was, _ := organizerOf(have)
	switch {
	case me.Self(org) || me.Self(was):
		return ignored("it is his own meeting: his copy is the truth"), nil // decision 7
	case was.IsZero() || was != org && was.Fold() != org.Fold():
		return Outcome{}, &Refusal{Precondition: AllowedOrganizerReceived, Detail: "a meeting with this UID has another organizer"}
	}
	s := newSeries(have, have.Root().Clone())
	in := newSeries(msg.Body, msg.Body.Root())
	exact := trim(msg.Body.Root().Value("PRODID")) == ProductID
	done, stale := false, "nothing of it is in his copy"
	void := false // an answer to what is called off
	var unseen []*part
	for _, c := range in.parts {
		if Ranged(msg.Body) && c.comp.Prop("RECURRENCE-ID") != nil && c.comp.Prop("RECURRENCE-ID").HasParam("RANGE") && (len(c.guests()) == 0 || c.self(me) != nil) {
			var rest *series
			if rest, stale = me.cancelFrom(have, s, c, stale); rest != nil {
				s, done = rest, true
			}
		}
	}
	for _, c := range in.parts {
		if len(c.guests()) > 0 && c.self(me) == nil {
			// Which attendees are taken off is said in the message; one that names
			// nobody is for whoever it reaches.
			stale = "others are taken off the meeting, not he"
			continue
		}
		if id := c.comp.Prop("RECURRENCE-ID"); id != nil && id.HasParam("RANGE") {
			continue
		}
		if c.rid == "" {
			if me.cancelWhole(s, c, exact, &stale) {
				done = true
			}
			if s.master == nil { // the series itself may still come
				unseen = append(unseen, c)
			}
			continue
		}
		old := s.at(c.rid)
		if old == nil {
			void = me.comesBack(s, c.rid, c.comp) || void
			unseen = append(unseen, c)
			continue
		}
		late := overtaken(old.comp, c.comp) // the ADD says nothing of this instance, also where his answer gave it a component
		if !late && older(c.comp, old.comp) && (sequence(c.comp) < sequence(old.comp) || exact && old.rid == c.rid) {
			stale = staleRule(c.comp, old.comp)
			void = old.rid == c.rid && me.letGo(s, old, c.comp) || void
			continue
		}
		if old.rid == "" { // an instance like all others: an override is made
			occ := have.Occurrence(c.rid)
			if occ == nil {
				continue
			}
			old = s.graft(occ)
		}
		if me.cancelPart(old, c.comp) {
			done = true
		}
	}
	left := me.cancelledUnseen(in, unseen)
	if void && !done {
		s.dirty = true
		var asks []Message
		if _, line := organizerOf(have); s.lacks != nil {
			asks = me.ask(have, *line, *s.lacks)
		}
		return Outcome{Left: left, Object: s.object(), Messages: asks, Changed: true, Scheduled: true, Rule: stale + ", and takes place again: his answer from before goes with it"}, nil
	}
	if !done {
		out := ignored("%s", stale)
		out.Left = left
		return out, nil
	}
	s.dirty = true
	out := Outcome{Left: left, Object: s.object(), Changed: true, Scheduled: me.role(have) != plain, Rule: "cancelled by the organizer"}
	if out.Scheduled {
		out.Inbox = calledOff(s, in)
	}
	return out, nil
}

// cancelFrom ends a series before an instance: this and all later ones are
// cancelled (RFC 5546 §3.2.5), those with a component of their own too. nil: it
// does not count, and why.
func (me Actor) cancelFrom(have *ics.Object, s *series, c *part, why string) (*series, string) {
	r := have.RID(c.comp)
	if s.master == nil {
		done := false
		for _, p := range s.parts {
			if p.rid >= r && sequence(c.comp) >= sequence(p.comp) && me.cancelPart(p, c.comp) {
				done = true
			}
		}
		if !done {
			return nil, why
		}
		return s, why
	}
	switch {
	case sequence(c.comp) < sequence(s.master.comp):
		return nil, staleRule(c.comp, s.master.comp)
	case s.at(r) == nil:
		return nil, rangeRule(errUnknown)
	}
	before, err := me.earlier(have, r)
	if err != nil {
		return nil, rangeRule(errEndless)
	}
	if before == nil { // from its first instance on
		if !me.cancelWhole(s, c, false, &why) {
			return nil, why
		}
		return s, why
	}
	rest := newSeries(before, before.Root().Clone())
	rest.master.comp.Set(ics.NewProp("SEQUENCE", strconv.Itoa(sequence(c.comp))))
	if v := c.comp.Value("DTSTAMP"); v != "" {
		rest.master.comp.Set(ics.NewProp("DTSTAMP", v))
		rest.master.comp.Remove(propReceived)
	}
	return rest, why
}

// calledOff is the inbox object of a CANCEL. Who is in some occurrences only and
// has lost the last of them is told in one word: nothing is left (RFC 5546
// §3.2.5: without RECURRENCE-ID the whole is cancelled).
func calledOff(s, in *series) *ics.Object {
	if s.master != nil || in.master != nil {
		return in.obj
	}
	for _, p := range s.parts {
		if !cancelled(p.comp) {
			return in.obj
		}
	}
	c := in.parts[0].comp.Clone()
	c.Remove("RECURRENCE-ID")
	return envelope(in.obj, Cancel, []*ics.Component{c})
}

// cancelWhole marks all that a CANCEL of the whole is not older than. exact: its
// DTSTAMP tells when it was made; not all programs write that.
func (me Actor) cancelWhole(s *series, c *part, exact bool, stale *string) bool {
	earlier := func(p *part) bool { // RFC 5546 §2.1.5, §4.2.9
		return sequence(c.comp) < sequence(p.comp) || exact && older(c.comp, p.comp)
	}
	if top := s.master; top != nil && earlier(top) {
		*stale = staleRule(c.comp, top.comp)
		return false
	}
	done := false
	for _, p := range s.parts {
		if earlier(p) && (s.master == nil || dtstamp(c.comp) <= dtstamp(p.comp)) { // this one was told of later, or with it
			*stale = staleRule(c.comp, p.comp)
			continue
		}
		if me.cancelPart(p, c.comp) {
			done = true
		}
	}
	if !done && *stale == "nothing of it is in his copy" {
		*stale = "a repetition: it was cancelled before"
	}
	return done
}

// cancelPart marks one component; false if it was cancelled before.
func (me Actor) cancelPart(p *part, by *ics.Component) bool {
	if cancelled(p.comp) && sequence(by) <= sequence(p.comp) {
		return false
	}
	p.comp.Set(ics.NewProp("STATUS", "CANCELLED"))
	p.comp.Set(ics.NewProp("SEQUENCE", strconv.Itoa(max(sequence(by), sequence(p.comp)))))
	p.comp.Remove(propAdded) // of this one he was told himself
	if v := by.Value("DTSTAMP"); v != "" {
		p.comp.Set(ics.NewProp("DTSTAMP", v))
		p.comp.Remove(propReceived)
	}
	kids := p.comp.Children[:0:0]
	for _, ch := range p.comp.Children {
		if ch.Name != "VALARM" { // nobody is reminded of what does not happen
			kids = append(kids, ch)
		}
	}
	p.comp.Children = kids
	return true
}
