package itip

import (
	"slices"

	"github.com/convene-server/convene/scheduling/ics"
)

// Names by which a calendar user says how he wants things done.
const (
	// PreferCrashers: somebody who is not invited answers (RFC 5546 §3.2.2.6).
	// "ask", so for everybody who says nothing: the organizer is shown it; "add":
	// he is invited; "refuse": he is told that he is not.
	PreferCrashers = "party_crashers"
	// PreferReplacement: who may become the organizer of a meeting in an
	// attendee's calendar (RFC 5546 §3.2.2.4): one of those invited ("attendee",
	// so for everybody who says nothing), anybody ("any"), nobody ("never").
	PreferReplacement = "organiser_replacement"
	// PreferAdd: what is done with an ADD (RFC 5546 §3.2.4): it is applied where it
	// follows on what is known ("add", so for everybody who says nothing), always
	// answered by a REFRESH ("refresh"), or left alone ("ignore").
	PreferAdd = "add_method_response"
	// PreferRefreshing: whether a REFRESH is answered without the organizer (RFC
	// 5546 §3.2.6): "always", so for everybody who says nothing, or "never".
	PreferRefreshing = "event_refreshing"
)

// prefers returns what the user says, "" if nothing.
func (me Actor) prefers(name string) string {
	if me.Prefers == nil {
		return ""
	}
	return me.Prefers(name)
}

// crash decides about the answer of somebody who is not invited: a "party
// crasher" (RFC 5546 §3.2.3, §3.2.2.6). s is a clone of the organizer's object.
// false: it is of no consequence.
func (me Actor) crash(s *series, in *series, msg Message) (Outcome, bool) {
	if msg.From.IsZero() || me.Self(msg.From) || me.past(s.obj) {
		return Outcome{}, false
	}
	for _, p := range s.parts {
		if find(p, msg.From) != nil {
			return Outcome{}, false // invited, if only to other occurrences
		}
		for _, a := range p.guests() {
			if me.Members != nil && slices.ContainsFunc(me.Members(a), func(m Member) bool { return samePerson(m.Address, msg.From) }) {
				return Outcome{}, false // invited with a group (decision 29)
			}
		}
	}
	comes := false
	for _, c := range in.parts {
		if l := find(c, msg.From); l != nil {
			switch ics.PartStat(l) {
			case "ACCEPTED", "TENTATIVE":
				comes = comes || s.at(c.rid) != nil && !s.at(c.rid).off
			}
		}
	}
	if !comes {
		return Outcome{}, false
	}
	out := Outcome{Scheduled: true, KeepTag: true}
	switch me.prefers(PreferCrashers) {
	case "refuse":
		out.Messages, out.Rule = []Message{me.turnAway(s, msg)}, "not invited: told so"
	case "add":
		if !me.welcome(s, in, msg) {
			return Outcome{}, false
		}
		out.Object, out.Changed, out.Refresh, out.Inbox, out.Rule = s.object(), true, true, msg.Body, "not invited: added"
		out.Messages = me.tell(out.Object, msg)
	default:
		out.Inbox, out.Rule = msg.Body, "not invited: the organizer is asked"
	}
	return out, true
}

// welcome adds somebody with the answer that he gave, to the series or to the
// occurrences for which he gave it.
func (me Actor) welcome(s *series, in *series, msg Message) bool {
	done := false
	for _, c := range masterFirst(in.parts) {
		l := find(c, msg.From)
		at := s.at(c.rid)
		if l == nil || at == nil || at.off || me.MaxAttendees > 0 && len(at.guests()) >= me.MaxAttendees {
			continue
		}
		if ps := ics.PartStat(l); ps != "ACCEPTED" && ps != "TENTATIVE" && ps != "DECLINED" {
			continue
		}
		if at.rid != c.rid {
			occ := s.regular(c.rid)
			if occ == nil {
				continue
			}
			at = s.graft(occ)
		}
		line := ics.NewProp("ATTENDEE", l.Value, ics.Param{Name: "PARTSTAT", Values: []string{ics.PartStat(l)}})
		if cn := l.Param("CN"); cn != "" {
			line = line.WithParam("CN", cn)
		}
		line = line.WithParam("SCHEDULE-STATUS", StatusSuccess).
			WithParam(paramSince, answeredBy(c.comp).String())
		parts := []*part{at}
		if c.rid == "" {
			for _, p := range s.parts {
				if p != at && in.byRID[p.rid] == nil && !p.off {
					parts = append(parts, p)
				}
			}
		}
		for _, p := range parts {
			if find(p, msg.From) == nil {
				p.comp.Add(line)
				p.moved()
			}
		}
		s.dirty, done = true, true
	}
	return done
}

// tell sends one attendee the current state of a meeting.
func (me Actor) tell(o *ics.Object, msg Message) []Message {
	out, err := me.receiveRefresh(o, Message{Method: Refresh, UID: o.UID(), From: msg.From, Body: msg.Body})
	if err != nil {
		return nil
	}
	return out.Messages
}

// replaces reports whether a REQUEST may put its organizer in the place of the
// one that an attendee's copy has (RFC 5546 §3.2.2.4, §4.2.11; decision 14): by
// his preference, for the whole of the meeting, in a newer revision.
func (me Actor) replaces(have *ics.Object, in *series) bool {
	org, _ := organizerOf(in.obj)
	if in.master == nil && have.Master() != nil {
		return false
	}
	was := newSeries(have, have.Root())
	for _, old := range was.parts {
		now := in.at(old.rid)
		if now == nil && in.master == nil || now != nil && sequence(now.comp) <= sequence(old.comp) {
			return false
		}
	}
	switch me.prefers(PreferReplacement) {
	case "any":
		return true
	case "never":
		return false
	}
	for _, p := range was.parts {
		if find(p, org) == nil {
			return false
		}
	}
	return true
}

// follow gives what an attendee keeps of a meeting beside what its new organizer has
// sent, an occurrence that was called off before, that organizer too: all components
// have the same one (RFC 6638 §3.2.4.2).
func follow(o, was, sent *ics.Object) *ics.Object {
	_, line := organizerOf(sent)
	old, _ := organizerOf(was)
	root, some := o.Root().Clone(), false
	for _, c := range root.Children {
		if schedules(c.Name) && ics.Organizer(c) == old {
			c.Set(line.WithoutParams(ownParams...))
			some = true
		}
	}
	if !some {
		return o
	}
	return ics.New(root)
}
