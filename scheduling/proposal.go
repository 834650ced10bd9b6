package scheduling

import (
	"context"
	"errors"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// Proposal is another time that somebody asks for without a calendar program:
// on the RSVP page, by a token that proves who he is.
type Proposal struct {
	UID      string
	Attendee cuaddr.Address // as invited
	Organizer
	RID ics.RID // "" the whole
	// Start and End are instants; for events that last days or have floating
	// times their wall clock counts.
	Start, End time.Time
	Comment    string
	Door       string
}

// Propose sends the organizer a COUNTER in the attendee's name (RFC 5546
// §3.2.7, decision 26): it is kept until he decides, shown in his inbox and
// mailed to him. The meeting stays as it is.
func (d *Desk) Propose(ctx context.Context, p Proposal) (Verdict, error) {
	return d.page(ctx, countering(p.UID, p.Organizer, p.Attendee, p.Door), func(s *sitting) (result, error) { return s.propose(p) })
}

// ProposalAnswer is what an organizer decides about one open proposal, on a
// page.
type ProposalAnswer struct {
	UID string
	Organizer
	Attendee cuaddr.Address // who proposed
	RID      ics.RID
	Accept   bool
	Comment  string // to whom it is declined
	Door     string
}

// AnswerProposal accepts what an attendee proposed, as the organizer's program
// would by a write with that time, or declines it (RFC 5546 §3.2.8).
func (d *Desk) AnswerProposal(ctx context.Context, p ProposalAnswer) (Verdict, error) {
	return d.page(ctx, countering(p.UID, p.Organizer, p.Attendee, p.Door), func(s *sitting) (result, error) { return s.answerProposal(p) })
}

// countering is the record of what is done about a proposal on a page.
func countering(uid string, o Organizer, by cuaddr.Address, door string) db.Decision {
	return db.Decision{
		Direction: "user", Door: door, UID: uid, Method: string(itip.Counter), Principal: o.Principal, From: by.String(), Belief: string(Proved), Outcome: "ignored",
	}
}

// page does what somebody asked for on a page and records the decision x.
func (d *Desk) page(ctx context.Context, x db.Decision, fn func(*sitting) (result, error)) (Verdict, error) {
	var v Verdict
	err := d.transact(ctx, locks{uids: []string{x.UID}}, func(s *sitting) error {
		r, err := fn(s)
		v, err = s.conclude(x, r, err)
		return err
	})
	return v, err
}

// conclude records what became of an act. Of one that is refused nothing else
// remains.
func (s *sitting) conclude(x db.Decision, r result, err error) (Verdict, error) {
	if err == nil {
		err = s.index()
	}
	var no *itip.Refusal
	if errors.As(err, &no) {
		s.drop()
		x.Rule, x.Detail, x.Outcome = no.Precondition, no.Detail, "refused"
		s.decide(x)
		return Verdict{Rule: no.Detail, Refusal: no}, nil
	}
	if err != nil {
		return Verdict{}, err
	}
	x.Rule = r.rule
	if r.applied {
		x.Outcome = "applied"
	}
	s.decide(x)
	return Verdict{Applied: r.applied, Rule: r.rule}, nil
}

// organizersCopy loads the copy by which a page shows a meeting; nil: it is
// gone.
func (s *sitting) organizersCopy(uid string, o Organizer) (*holding, error) {
	organizer, err := s.tx.Principal(o.Principal)
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := s.load(uid, organizer); err != nil {
		return nil, err
	}
	h := s.holdings[thread{organizer.ID, uid}]
	if h.obj == nil {
		return nil, nil
	}
	return h, s.meetIn(h.obj)
}

func (s *sitting) propose(p Proposal) (result, error) {
	h, err := s.organizersCopy(p.UID, p.Organizer)
	if err != nil || h == nil {
		return result{rule: "the meeting is gone"}, err
	}
	me, err := s.actor(h, false)
	if err != nil {
		return result{}, err
	}
	him := me
	him.Address, him.Self = p.Attendee, func(a cuaddr.Address) bool { return a == p.Attendee }
	var from db.Principal
	if q := s.find(p.Attendee); q != nil && q.Kind != db.Group {
		from = *q
		him.Self = s.self(from, false)
	}
	msg := itip.Propose(him, h.obj, p.RID, p.Start, p.End, p.Comment)
	if msg == nil {
		return ignored("not invited, no such occurrence, or no such time")
	}
	out, err := itip.Receive(me, h.obj, *msg)
	if err != nil {
		return result{}, err
	}
	if out.Ignored {
		return ignored(out.Rule)
	}
	// It comes to the organizer like any other message.
	if err := s.circulate(nil, letters([]itip.Message{*msg}, from, nil, p.Door, false)); err != nil {
		return result{}, err
	}
	return result{applied: true, rule: "proposed by a link"}, nil
}

func (s *sitting) answerProposal(p ProposalAnswer) (result, error) {
	h, err := s.organizersCopy(p.UID, p.Organizer)
	if err != nil || h == nil {
		return result{rule: "the meeting is gone"}, err
	}
	me, err := s.actor(h, false)
	if err != nil {
		return result{}, err
	}
	for _, open := range me.Proposals() {
		if open.RID != p.RID || !s.same(open.Attendee, p.Attendee) {
			continue
		}
		if p.Accept {
			after := itip.Accepted(h.obj, open)
			if after == nil {
				return ignored("there is no such occurrence any more")
			}
			return result{applied: true, rule: "proposal accepted by a link"}, s.originate(h, after, itip.Options{}, p.Door)
		}
		s.close(h, []itip.Proposal{open})
		ms := itip.Decline(me, h.obj, open, p.Comment)
		return result{applied: true, rule: "proposal declined by a link"},
			s.circulate(nil, letters(ms, h.owner, nil, p.Door, false))
	}
	return ignored("no such proposal, or it is decided")
}

// proposals returns the open ones about a conversation that somebody
// organizes, as they are in this transaction.
func (s *sitting) proposals(owner int64, uid string) []itip.Proposal {
	key := thread{owner, uid}
	if open, ok := s.pending[key]; ok {
		return open
	}
	rows, err := s.tx.Proposals(uid, owner)
	if err != nil {
		return nil // the transaction remembers it and is rolled back
	}
	var open []itip.Proposal
	for _, r := range rows {
		body, err := ics.Parse(r.Body, storedLimits)
		a, err2 := cuaddr.Parse(r.Attendee)
		if err != nil || err2 != nil {
			s.closed = append(s.closed, r.ID)
			continue
		}
		open = append(open, itip.Proposal{ID: r.ID, Attendee: a, RID: ics.RID(r.RID), Body: body})
	}
	if s.pending == nil {
		s.pending = map[thread][]itip.Proposal{}
	}
	s.pending[key] = open
	return open
}

// keep stores what was proposed to h's owner, and sees to it that it ends with
// the instance of which it speaks.
func (s *sitting) keep(h *holding, proposed []itip.Proposal) error {
	if len(proposed) == 0 {
		return nil
	}
	me, err := s.actor(h, false)
	if err != nil {
		return err
	}
	for _, p := range proposed {
		s.proposed = append(s.proposed, db.Proposal{
			Principal: h.owner.ID, UID: h.uid, Attendee: p.Attendee.String(), RID: string(p.RID), Body: p.Body.Bytes(), Created: s.now,
		})
		if end, ok := itip.Lapses(me, h.obj, p.RID); ok {
			s.jobs = append(s.jobs, db.Job{Kind: jobLapse, UID: h.uid, Principal: h.owner.ID, Due: end})
		}
	}
	delete(s.pending, thread{h.owner.ID, h.uid})
	return nil
}

// close forgets proposals about which was decided.
func (s *sitting) close(h *holding, ps []itip.Proposal) {
	for _, p := range ps {
		s.closed = append(s.closed, p.ID)
		s.decide(db.Decision{
			Direction: "local", Door: "desk", UID: h.uid, Method: string(itip.Counter), Principal: h.owner.ID, From: p.Attendee.String(),
			To: h.owner.Address, Rule: "the proposal is decided", Outcome: "applied",
		})
	}
	if len(ps) > 0 {
		delete(s.pending, thread{h.owner.ID, h.uid})
	}
}

func (s *sitting) flushProposals() error {
	for _, id := range s.closed {
		if err := s.tx.DeleteProposal(id); err != nil {
			return err
		}
	}
	for i := range s.proposed {
		if err := s.tx.PutProposal(&s.proposed[i]); err != nil {
			return err
		}
	}
	return nil
}

// lapse declines proposals whose instance has passed (decision 26).
func (s *sitting) lapse(j db.Job) error {
	organizer, here, err := s.present(j.Principal)
	if !here || err != nil {
		return err
	}
	if err := s.load(j.UID, organizer); err != nil {
		return err
	}
	h := s.holdings[thread{organizer.ID, j.UID}]
	if err := s.meetIn(h.obj); err != nil {
		return err
	}
	me, err := s.actor(h, false)
	if err != nil {
		return err
	}
	closed, ms, next := itip.Lapsed(me, h.obj)
	s.close(h, closed)
	if !next.IsZero() {
		s.jobs = append(s.jobs, db.Job{Kind: jobLapse, UID: j.UID, Principal: j.Principal, Due: next})
	}
	return s.circulate(nil, letters(ms, organizer, nil, "queue", false))
}

// declined takes a DECLINECOUNTER that an organizer sent from his mail program
// as his decision: his proposals are closed, and people here are told.
func (s *sitting) declined(h *holding, me itip.Actor, m Observe) (result, error) {
	applied := false
	for _, open := range s.proposals(h.owner.ID, h.uid) {
		for _, c := range m.Body.Main() {
			if m.Body.RID(c) != open.RID || ics.Attendee(c, func(a cuaddr.Address) bool { return s.same(a, open.Attendee) }) == nil {
				continue
			}
			s.close(h, []itip.Proposal{open})
			ms := itip.Decline(me, h.obj, open, c.Text("COMMENT"))
			if err := s.circulate(nil, letters(ms, h.owner, nil, m.Door, false)); err != nil {
				return result{}, err
			}
			applied = true
		}
	}
	if !applied {
		return ignored("no such proposal")
	}
	return result{applied: true, rule: "proposal declined by mail"}, nil
}
