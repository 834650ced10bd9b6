package scheduling

import (
	"errors"
	"slices"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// A group that is invited from outside has no calendar, and its organizer does not
// know who is in it. What he has told it is kept, as if it were an attendee, for
// those who join it later.

const jobListed = "listed" // let a change of a group follow into what is kept for it

// toList keeps what an organizer outside tells a group; its members get it each
// by himself (decision 29).
func (s *sitting) toList(m Deliver) (result, error) {
	group, uid := m.Recipient, m.Body.UID()
	organizer := ics.Organizer(m.Body.First())
	method := itip.Method(m.Body.Method())
	switch method {
	case itip.Request, itip.Add, itip.Cancel:
	default:
		return ignored("a group has no calendar")
	}
	if !m.Act || m.Quarantine || !s.speaksFor(m, m.Body.First(), organizer) {
		return ignored("the sender is not the organizer")
	}
	if s.find(organizer) != nil {
		return ignored("the organizer is here: our copy is the truth") // decision 7
	}
	if !s.invites(m.Body, s.self(group, false)) {
		return ignored("the group is not invited by its own address")
	}
	have, err := s.keptFor(group, uid)
	if err != nil {
		return result{}, err
	}
	if have != nil && !s.same(ics.Organizer(have.First()), organizer) {
		return ignored("another organizer has it") // decision 14
	}
	me, err := s.actor(&holding{owner: group, uid: uid}, false)
	if err != nil {
		return result{}, err
	}
	out, err := itip.Receive(me, have, itip.Message{Method: method, UID: uid, From: organizer, To: m.Address, Body: m.Body, Significant: true})
	if err != nil {
		return result{}, err
	}
	if !out.Ignored {
		itip.Free(me, &out)
	}
	switch {
	case out.Remove && have != nil:
		return result{applied: true, rule: "called off: nobody who joins the group is invited"}, s.tx.Keep(group.ID, uid, 0, nil)
	case out.Ignored || out.Object == nil:
		return ignored(out.Rule)
	}
	fin := int64(ics.Endless)
	if last, ends := out.Object.Last(me.Floating, me.Bound); ends {
		fin = last.UnixMicro()
	}
	return result{applied: true, rule: "kept for who joins the group"}, s.tx.Keep(group.ID, uid, fin, out.Object.Bytes())
}

// keptFor reads what is kept of a meeting, nil if nothing is.
func (s *sitting) keptFor(group db.Principal, uid string) (*ics.Object, error) {
	data, err := s.tx.Kept(group.ID, uid)
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := ics.Parse(data, storedLimits)
	if err != nil {
		return nil, err
	}
	return o, s.meetIn(o)
}

// listed lets a change of a group follow into a meeting to which somebody outside
// invites it: who has joined gets the invitation that the others have, and who
// has left and did not answer is in it no more. What he has answered stays: the
// organizer counts on it, and only he himself can take it back.
func (s *sitting) listed(j db.Job) error {
	args, group, here, err := s.changed(j)
	if !here || err != nil {
		return err
	}
	o, err := s.keptFor(group, j.UID)
	if o == nil || err != nil {
		return err
	}
	me, err := s.actor(&holding{owner: group, uid: j.UID}, false)
	if err != nil || me.Ended(o) {
		return err
	}
	m := s.membership(group, args, nil)
	for _, n := range m.Joined {
		if p := s.find(n.Address); p != nil {
			if err := s.joinsListed(group, *p, o); err != nil {
				return err
			}
		}
	}
	var left []cuaddr.Address
	for _, t := range args.Left {
		if a, err := cuaddr.Parse(t); err == nil && m.Left(a) {
			left = append(left, a)
		}
	}
	for _, a := range left {
		if p := s.find(a); p != nil {
			if err := s.leavesListed(group, *p, o); err != nil {
				return err
			}
		}
	}
	return s.index()
}

// joinsListed invites somebody to what is kept for a group, as its mail would
// have. Who took it off his calendar before is not invited again.
func (s *sitting) joinsListed(group, p db.Principal, o *ics.Object) error {
	if p.Kind == db.Person && s.wish(p.ID, directory.Participating) == "no" {
		return nil
	}
	body := withMethod(o, itip.Request)
	x := db.Decision{
		Direction: "local", Door: "queue", UID: o.UID(), Method: string(itip.Request), Principal: p.ID,
		From: ics.Organizer(o.First()).String(), To: p.Address, Outcome: "ignored", Detail: "joined " + group.Address,
	}
	at := len(s.decisions)
	s.decide(x)
	r, err := s.fromOrganizer(Deliver{
		Recipient: p, Address: cuaddr.Mailto(group.Address), Body: body, Believed: Proved, Act: true, Door: "queue",
	}, itip.Request)
	if err != nil {
		return err
	}
	x.Rule = r.rule
	if r.applied {
		x.Outcome = "applied"
		if s.wantsCopy(p, itip.Request) {
			// In his own name: what he answers to it is an act of his own.
			l := &letter{Message: itip.Message{Method: itip.Request, UID: o.UID(), From: ics.Organizer(o.First()), Body: body}, from: p, door: "queue"}
			s.mail(l, cuaddr.Mailto(p.Address), nil, true)
		}
	}
	s.decisions[at] = x
	return nil
}

// leavesListed takes a meeting off the calendar of somebody who was in it by a
// group only, and has not answered.
func (s *sitting) leavesListed(group, p db.Principal, o *ics.Object) error {
	h, err := s.part(p, o.UID())
	if err != nil || h.obj == nil || !s.sameOrganizer(h.obj, o) {
		return err
	}
	if err := s.meetIn(h.obj); err != nil {
		return err
	}
	if !itip.Unanswered(h.obj, s.self(p, false), s.self(group, false)) || s.byOther(h.obj, p, group) {
		return nil
	}
	h.obj, h.changed = nil, true
	s.decide(db.Decision{
		Direction: "local", Door: "queue", UID: o.UID(), Principal: p.ID, From: ics.Organizer(o.First()).String(), To: p.Address,
		Rule: "left the group by which he was invited", Outcome: "applied", Detail: group.Address,
	})
	return nil
}

// byOther reports whether an object invites another group that holds somebody.
func (s *sitting) byOther(o *ics.Object, p, but db.Principal) bool {
	return slices.ContainsFunc(calendarUsers(o), func(a cuaddr.Address) bool {
		g := s.find(a)
		return g != nil && g.Kind == db.Group && g.ID != but.ID && s.self(p, true)(a)
	})
}
