package scheduling

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// Deliver takes a message in: at the desk by the same body as Put, as the act
// of whoever it speaks for (decision 6). It commits the decision whatever the
// outcome. The error is only ever ours: db.ErrAway, db.ErrFull, ...: try again.
func (d *Desk) Deliver(ctx context.Context, m Deliver) (Verdict, error) {
	var v Verdict
	l := locks{uids: []string{m.Body.UID()}}
	if !storable(m.Body.UID()) {
		l.uids = nil // nothing will be touched
	}
	if d.agent(m.Recipient) {
		l.latch = []int64{m.Recipient.ID}
	}
	if m.Body.Kind() == "VFREEBUSY" {
		l = busyLocks(m) // of no meeting
	}
	// Few mails come twice. That one did is seen where its recipient's copy is
	// read, at the latest when its decision is written, which only one can be:
	// then nothing of this stands, and the first one is looked up.
	take := func(again bool) error {
		return d.transact(ctx, l, func(s *sitting) (err error) {
			v = Verdict{}
			if again {
				v, err = s.repeated(m)
			}
			if !v.Repeated && err == nil {
				v, err = s.deliver(m)
			}
			return err
		})
	}
	err := take(false)
	if errors.Is(err, db.ErrExists) {
		err = take(true)
	}
	return v, err
}

// repeated returns what was decided about a message that came before (decision
// 3: a retry only hands on); not Repeated if nothing was.
func (s *sitting) repeated(m Deliver) (Verdict, error) {
	earlier, err := s.tx.DecisionByKey(m.Key)
	if errors.Is(err, db.ErrNotFound) {
		return Verdict{}, nil
	}
	held := earlier.Outcome == outcomeQuarantined
	return Verdict{
		Repeated: err == nil, Applied: earlier.Outcome == "applied" || held, Held: held, Rule: earlier.Rule,
		Gathered: strings.HasSuffix(earlier.Rule, inRoundUp),
	}, err
}

// deliver decides and records. What it returns as an error rolls everything
// back, the decision included.
func (s *sitting) deliver(m Deliver) (Verdict, error) {
	s.once = m.Key
	x := db.Decision{
		Direction: "in", Door: m.Door, UID: m.Body.UID(), MessageID: m.MessageID, Method: m.Body.Method(), Principal: m.Recipient.ID,
		From: m.From.String(), To: m.Address.String(), Belief: string(m.Believed), Key: m.Key, Outcome: "ignored", Detail: m.Note,
	}
	at := len(s.decisions)
	s.decide(x) // before those that follow from it
	r, err := s.take(m)
	if errors.Is(err, errDecided) {
		s.drop()
		return s.repeated(m)
	}
	if err == nil {
		err = s.index()
	}
	var no *itip.Refusal
	if errors.As(err, &no) {
		s.drop()
		x.Rule, x.Detail, x.Outcome = no.Precondition, strings.TrimSuffix(no.Detail+"\n"+m.Note, "\n"), "refused"
		s.decide(x)
		return Verdict{Rule: no.Detail, Refusal: no}, nil
	}
	if err != nil {
		return Verdict{}, err
	}
	x.Rule = r.rule
	if r.gathered {
		x.Rule += inRoundUp
	}
	if r.applied {
		x.Outcome = "applied"
	}
	if r.quarantined {
		x.Outcome = outcomeQuarantined
	}
	s.decisions[at] = x
	return Verdict{Applied: r.applied, Held: r.quarantined, Rule: x.Rule, Gathered: r.gathered}, nil
}

// inRoundUp ends the rule by which a message was decided that a round-up tells.
const inRoundUp = ", told in the round-up of the day"

// outcomeQuarantined is the outcome of what came into quarantine (decision 11).
const outcomeQuarantined = "quarantined"

// result is what became of a message.
type result struct {
	applied     bool
	quarantined bool
	gathered    bool // the recipient's round-up tells of it
	rule        string
}

func ignored(rule string) (result, error) { return result{rule: rule}, nil }

// take applies a message to the calendars that it concerns.
func (s *sitting) take(m Deliver) (result, error) {
	if m.Believed == Contradicted && !m.Quarantine {
		return ignored("not believed: the sender is somebody else") // decision 10
	}
	if !m.Act && !m.Quarantine {
		return ignored("not believed: " + string(m.Believed) + " senders do not count") // decision 10
	}
	if !storable(m.Body.UID()) {
		return ignored("a UID that cannot be stored")
	}
	if m.Body.Kind() == "VFREEBUSY" && m.Recipient.Kind != db.Group {
		return s.busyMail(m)
	}
	if !scheduled(m.Body.Kind()) {
		return ignored(m.Body.Kind() + " is not scheduled")
	}
	if err := s.meet(slices.Concat(calendarUsers(m.Body), []cuaddr.Address{m.From, m.Sender}, m.Others)...); err != nil {
		return result{}, err
	}
	if m.Recipient.Kind == db.Group {
		return s.toList(m)
	}
	switch method := itip.Method(m.Body.Method()); method {
	case itip.Request, itip.Add, itip.Cancel, itip.DeclineCounter, itip.Publish:
		return s.fromOrganizer(m, method)
	case itip.Reply, itip.Counter, itip.Refresh:
		if !m.Act {
			return ignored("not believed: " + string(m.Believed) + " senders do not count")
		}
		return s.fromAttendee(m, method)
	}
	return ignored("not a method of iTIP: " + m.Body.Method())
}

// fromOrganizer takes what an organizer sends to an attendee.
func (s *sitting) fromOrganizer(m Deliver, method itip.Method) (result, error) {
	uid := m.Body.UID()
	first := m.Body.First()
	organizer := ics.Organizer(first)
	me := s.self(m.Recipient, true)
	if err := s.load(uid, m.Recipient); err != nil {
		return result{}, err
	}
	h := s.holdings[thread{m.Recipient.ID, uid}]
	// A CANCEL that names nobody is for whoever has the meeting (RFC 5546
	// §3.2.5: without ATTENDEE the whole event is cancelled).
	all := (method == itip.Cancel || method == itip.Add) && h.obj != nil && first.Prop("ATTENDEE") == nil
	if method == itip.Publish && m.Recipient.Kind != db.Person {
		return ignored("published events are for people")
	}
	if method != itip.Publish && !all && !s.invites(m.Body, me) {
		return ignored("the recipient is no attendee") // decision 7
	}
	if local := s.find(organizer); local != nil {
		if local.ID == m.Recipient.ID {
			return ignored("the recipient is the organizer")
		}
		if done, rule, err := s.ownTruth(m, *local); done || err != nil {
			return result{rule: rule}, err
		}
	}
	if no, err := s.usurped(h, organizer); no || err != nil {
		return result{rule: "the organizer is here: our copy is the truth"}, err
	}
	delegated := method == itip.Request && m.Act && s.delegates(m, me)
	held, stop, err := s.holdBack(h, m, method, organizer, delegated)
	if stop != "" || err != nil {
		return result{rule: stop}, err
	}
	if !s.receivesInto(h, m.Body) {
		return ignored("the recipient has no calendar for invitations")
	}
	before := h.obj
	actor, err := s.actor(h, true)
	if err != nil {
		return result{}, err
	}
	if err := s.meetIn(h.obj); err != nil {
		return result{}, err
	}
	if s.agent(m.Recipient) && held == nil {
		if err := s.lockWith(m.Recipient); err != nil {
			return result{}, err
		}
	}
	msg := itip.Message{Method: method, UID: uid, From: organizer, To: m.Address, Body: m.Body, Significant: true}
	if delegated {
		msg.From = m.From
	}
	if actor.Left, err = s.recall(m.Recipient, uid); err != nil {
		return result{}, err
	}
	out, err := itip.Receive(actor, h.obj, msg)
	if err != nil {
		return result{}, err
	}
	if err := s.remember(h, m.Body, out.Left, false); err != nil {
		return result{}, err
	}
	if out.Ignored {
		return ignored(out.Rule)
	}
	if out.Object != nil {
		if err := out.Object.Check(); err != nil { // programs would stumble over it (RFC 4791 §4.1)
			return ignored("cannot be stored: " + err.Error())
		}
	}
	if held == nil {
		s.heeds(m.Recipient, method, organizer, &out) // he has the mail already
		if err := s.stands(m.Recipient, &out); err != nil {
			return result{}, err
		}
	}
	h.take(out)
	h.held = held
	if s.agent(m.Recipient) && method == itip.DeclineCounter && held == nil {
		if err := s.tx.Release(m.Recipient.ID, uid); err != nil {
			return result{}, err
		}
	}
	if !h.changed && len(out.Messages) == 0 && out.Inbox == nil {
		return ignored(out.Rule)
	}
	next := letters(out.Messages, m.Recipient, before, m.Door, false)
	if m.Recipient.Kind == db.Person || method == itip.Cancel && open(before, s.self(m.Recipient, false)) {
		s.toInbox(m.Recipient.ID, out.Inbox)
	}
	if held != nil {
		return result{applied: true, quarantined: true, rule: "in quarantine: " + held.Rule}, s.circulate(nil, next)
	}
	if s.agent(m.Recipient) && out.Object != nil && (method == itip.Request || method == itip.Add) {
		answers, err := s.answer(h, before, out.Inbox)
		if err != nil {
			return result{}, err
		}
		next = append(next, answers...)
	}
	if out.Object == nil || method != itip.Request && method != itip.Add {
		h = nil // there is no agent's reply of which the copy says what became of it (RFC 6638 §3.2.9)
	}
	return result{applied: true, rule: out.Rule}, s.circulate(h, next)
}

// same reports whether two addresses name one calendar user. Outside, local
// parts that differ in case are taken for one person: nobody's mail system
// tells them apart.
func (s *sitting) same(a, b cuaddr.Address) bool {
	if a.Fold() == b.Fold() {
		return !a.IsZero()
	}
	p, q := s.find(a), s.find(b)
	return p != nil && q != nil && p.ID == q.ID
}

// fromAttendee takes what an attendee sends to the organizer. What an answer says of
// a part of its series that has another UID now is for that.
func (s *sitting) fromAttendee(m Deliver, method itip.Method) (result, error) {
	uid := m.Body.UID()
	if err := s.load(uid, m.Recipient); err != nil {
		return result{}, err
	}
	h := s.holdings[thread{m.Recipient.ID, uid}]
	part := itip.Crossing(h.obj, m.Body)
	if part == nil || !storable(part.UID()) {
		return s.toOrganizer(h, m, method, false)
	}
	if !slices.Contains(s.want.uids, part.UID()) {
		return result{}, &wider{locks{uids: []string{part.UID()}}}
	}
	all, err := s.toOrganizer(h, m, method, false)
	if err != nil {
		return result{}, err
	}
	m.Body = part
	if err := s.load(part.UID(), m.Recipient); err != nil {
		return result{}, err
	}
	r, err := s.toOrganizer(s.holdings[thread{m.Recipient.ID, part.UID()}], m, method, true)
	if r.applied && !all.applied {
		all = r
	}
	return all, err
}

// toOrganizer takes it to one object of hers. crossed: it is to the series of which
// that was a part.
func (s *sitting) toOrganizer(h *holding, m Deliver, method itip.Method, crossed bool) (result, error) {
	uid := h.uid
	if h.obj == nil {
		return s.tooLate(h, m, method)
	}
	if err := s.meetIn(h.obj); err != nil {
		return result{}, err
	}
	org := s.find(ics.Organizer(h.obj.First()))
	if self := s.find(m.Attendee); org == nil && method == itip.Reply && self != nil && self.ID == m.Recipient.ID {
		// He was told here of a meeting of somebody outside, and answers to that.
		acted, err := s.ownAct(m.Recipient, m)
		if err != nil || !acted {
			return result{rule: "a repetition: his copy says so already"}, err
		}
		return result{applied: true, rule: "his own act"}, nil
	}
	if org == nil || org.ID != m.Recipient.ID {
		return ignored("the recipient is not the organizer")
	}
	attendee := s.speaker(m)
	msg := itip.Message{Method: method, UID: uid, From: attendee, To: m.Address, Body: m.Body, Crossed: crossed}
	me, err := s.actor(h, true)
	if err != nil {
		return result{}, err
	}
	out, err := itip.Receive(me, h.obj, msg)
	if err != nil {
		return result{}, err
	}
	if out.Ignored {
		return ignored(out.Rule)
	}
	if p := s.find(attendee); p != nil && p.Kind != db.Group && p.ID != m.Recipient.ID && method == itip.Reply && out.Object != nil {
		acted, err := s.ownAct(*p, m)
		if err != nil {
			return result{}, err
		}
		if acted {
			return result{applied: true, rule: "the attendee is here: his own act"}, nil
		}
		if !out.Refresh {
			return ignored("a repetition: both copies say so already")
		}
	}
	before := h.obj
	if method == itip.Refresh {
		before = nil // he asks because he does not know it
	}
	s.listen(h, msg)
	h.take(out)
	if err := s.keep(h, out.Proposed); err != nil {
		return result{}, err
	}
	for _, d := range out.Delegates { // whether his delegator's message reaches him or not
		if s.find(d.To) != nil {
			out.Messages = append(out.Messages, d)
		}
	}
	if out.Refresh && s.few(out.Object) && s.someoneHere(out.Object, m.Recipient.ID) {
		s.refresh(m.Recipient.ID, uid)
	}
	if m.Recipient.Kind == db.Person {
		s.toInbox(m.Recipient.ID, out.Inbox)
	}
	if err := s.circulate(nil, letters(out.Messages, m.Recipient, before, m.Door, false)); err != nil {
		return result{}, err
	}
	if !h.changed && len(out.Messages) == 0 && out.Inbox == nil {
		return ignored(out.Rule)
	}
	return result{applied: true, rule: out.Rule, gathered: s.tellsAnswer(m, msg, &out)}, nil
}

// speaker is the attendee for whom a message speaks: whom a token proves, else whoever
// the mail is from.
func (s *sitting) speaker(m Deliver) cuaddr.Address {
	if !m.Attendee.IsZero() {
		return m.Attendee
	}
	return itip.Speaker(m.Body, func(a cuaddr.Address) bool { return s.same(a, m.From) || !m.Sender.IsZero() && s.same(a, m.Sender) })
}

// tooLate takes an answer to a meeting that the recipient does not have any more.
func (s *sitting) tooLate(h *holding, m Deliver, method itip.Method) (result, error) {
	const rule = "the recipient has no such meeting"
	if method != itip.Reply {
		return ignored(rule)
	}
	left, err := s.recall(m.Recipient, h.uid)
	if err != nil || left == nil {
		return result{rule: rule}, err
	}
	attendee := s.speaker(m)
	me, err := s.actor(h, true)
	if err != nil {
		return result{}, err
	}
	me.Left = left
	out, err := itip.Receive(me, nil, itip.Message{Method: method, UID: h.uid, From: attendee, To: m.Address, Body: m.Body})
	if err != nil || out.Ignored {
		return result{rule: rule}, err
	}
	return result{applied: true, rule: out.Rule}, s.circulate(nil, letters(out.Messages, m.Recipient, nil, m.Door, false))
}

// tellsAnswer tells an organizer of an answer from outside whose mail does not
// reach him, as his rules say, or if he uses no calendar program; true: in his
// round-up. That takes, too, what reaches him and says no more.
func (s *sitting) tellsAnswer(m Deliver, msg itip.Message, out *itip.Outcome) bool {
	if msg.Method != itip.Reply || !m.Consumed && !m.Spare {
		return false
	}
	hears := s.heeds(m.Recipient, msg.Method, msg.From, out)
	copies := m.Consumed && s.wantsCopy(m.Recipient, msg.Method) // decision 5
	if !hears && !copies {
		return false
	}
	l := &letter{Message: msg, door: m.Door, rule: "told as the rules say"}
	if line := ics.Attendee(out.Object.First(), func(a cuaddr.Address) bool { return s.same(a, msg.From) }); line != nil {
		l.from.Name = line.Param("CN")
	}
	if hears && !copies && s.gathers(l, m.Recipient) {
		return true
	}
	if m.Consumed {
		s.mail(l, cuaddr.Mailto(m.Recipient.Address), nil, true)
	}
	return false
}

// ownAct makes a mailed REPLY of somebody here his own act: his copy first,
// the organizer's through settle, no second mail (decision 6). false: he has
// no copy, or it says so already.
func (s *sitting) ownAct(p db.Principal, m Deliver) (bool, error) {
	if err := s.load(m.Body.UID(), p); err != nil {
		return false, err
	}
	h := s.holdings[thread{p.ID, m.Body.UID()}]
	if h.obj == nil {
		return false, nil
	}
	if err := s.meetIn(h.obj); err != nil {
		return false, err
	}
	me, err := s.actor(h, true)
	if err != nil {
		return false, err
	}
	after, _ := itip.Observed(me, h.obj, m.Body)
	return s.act(h, after, itip.Options{Mailed: true}, m.Door, true)
}

// act lets a person here answer with what his program would have put; quiet:
// the organizer has it as mail already. false: nobody is told anything.
func (s *sitting) act(h *holding, after *ics.Object, opt itip.Options, door string, quiet bool) (bool, error) {
	if after == h.obj {
		return false, nil
	}
	if err := s.lockDeciding(h.owner); err != nil {
		return false, err
	}
	me, err := s.actor(h, true)
	if err != nil {
		return false, err
	}
	before := h.obj
	if asksLeft(me, before, after) {
		if me.Left, err = s.recall(h.owner, before.UID()); err != nil {
			return false, err
		}
	}
	out, err := itip.Originate(me, before, after, opt)
	if err != nil {
		return false, err
	}
	if len(out.Messages) == 0 {
		return false, nil
	}
	out.Changed = true
	h.take(out)
	if err := s.remember(h, before, out.Left, true); err != nil {
		return false, err
	}
	s.decide(db.Decision{
		Direction: "user", Door: door, UID: before.UID(), Principal: h.owner.ID, From: h.owner.Address,
		Rule: out.Rule, Outcome: "applied", Detail: told(len(out.Messages)),
	})
	return true, s.circulate(h, letters(out.Messages, h.owner, before, door, quiet))
}
