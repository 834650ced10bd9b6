package scheduling

import (
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// Whose word counts about a meeting (RFC 5546 §6).

// invites reports whether a message names the recipient, or a group that holds
// him, as an attendee.
func (s *sitting) invites(o *ics.Object, me func(cuaddr.Address) bool) bool {
	return slices.ContainsFunc(o.Main(), func(c *ics.Component) bool { return ics.Attendee(c, me) != nil })
}

// ownTruth decides on mail for a conversation whose organizer is here: our
// copy is the truth (decision 7). done: nothing may change.
func (s *sitting) ownTruth(m Deliver, organizer db.Principal) (done bool, rule string, err error) {
	own := s.self(organizer, false)
	const truth = "the organizer is here: our copy is the truth"
	if !own(m.From) && !own(m.Sender) {
		return true, truth, nil
	}
	if err := s.load(m.Body.UID(), organizer); err != nil {
		return true, "", err
	}
	o := s.holdings[thread{organizer.ID, m.Body.UID()}].obj
	if o == nil {
		// His calendar does not hold it: then it counts if it is proved to be his.
		return m.Believed != Proved, truth, nil
	}
	if err := s.meetIn(o); err != nil {
		return true, "", err
	}
	return !s.byClient(o, m.Recipient), truth, nil
}

// byClient reports whether an organizer's copy leaves it to his program to
// tell an attendee (RFC 6638 §7.1): then its mail counts (decision 24).
func (s *sitting) byClient(o *ics.Object, p db.Principal) bool {
	him := s.self(p, true)
	for _, c := range o.Main() {
		if l := ics.Attendee(c, him); l != nil {
			return strings.EqualFold(l.Param("SCHEDULE-AGENT"), "CLIENT")
		}
	}
	return false
}

// speaksFor reports whether the mail came from the ORGANIZER or his SENT-BY.
func (s *sitting) speaksFor(m Deliver, c *ics.Component, organizer cuaddr.Address) bool {
	if m.From.IsZero() {
		return true // the door knows why it believes
	}
	allowed := []cuaddr.Address{organizer}
	if p := c.Prop("ORGANIZER"); p != nil {
		for _, name := range []string{"SENT-BY", "EMAIL"} {
			if a, err := cuaddr.Parse(p.Param(name)); err == nil {
				allowed = append(allowed, a)
			}
		}
	}
	return slices.ContainsFunc(allowed, func(a cuaddr.Address) bool {
		return s.same(a, m.From) || !m.Sender.IsZero() && s.same(a, m.Sender)
	})
}

// delegates reports whether the sender of a REQUEST sends the recipient in his
// place by it (RFC 5546 §3.2.2.3): his word invites, and changes nothing later.
func (s *sitting) delegates(m Deliver, me func(cuaddr.Address) bool) bool {
	by := itip.Delegator(m.Body, me)
	return by != nil && s.same(ics.CalAddress(by), m.From)
}

// usurped reports whether a copy is of a meeting whose organizer is here and
// has it: nobody else becomes its organizer (decision 7), whatever the owner of
// the copy prefers.
func (s *sitting) usurped(h *holding, organizer cuaddr.Address) (bool, error) {
	if h.obj == nil {
		return false, nil
	}
	was := ics.Organizer(h.obj.First())
	if was.IsZero() || organizer.IsZero() || was.Fold() == organizer.Fold() {
		return false, nil
	}
	if err := s.meet(was, organizer); err != nil {
		return false, err
	}
	p := s.find(was)
	if p == nil || p.ID == h.owner.ID || s.same(was, organizer) {
		return false, nil
	}
	if err := s.load(h.uid, *p); err != nil {
		return false, err
	}
	o := s.holdings[thread{p.ID, h.uid}].obj
	return o != nil && s.same(ics.Organizer(o.First()), was), nil
}
