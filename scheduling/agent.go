package scheduling

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
	"github.com/convene-server/convene/scheduling/policy"
	"github.com/convene-server/convene/words"
)

// answer lets a room, a resource or an auto-replying person answer the
// invitation that h took in. Its lock is held since before any busy time was
// read. What a room leaves open, or to its owner, stands in its inbox, too, where
// the programs of those look who may answer for it (RFC 6638 §4.1). The copy
// that stays is what the rules let its calendar keep.
func (s *sitting) answer(h *holding, before, inbox *ics.Object) ([]*letter, error) {
	if h.obj == nil {
		return nil, nil
	}
	answers, err := s.decideFor(h, before, inbox)
	if err == nil && h.obj != nil && h.owner.Kind != db.Person {
		h.obj = s.rules(h.owner).Keep(h.obj)
	}
	return answers, err
}

func (s *sitting) decideFor(h *holding, before, inbox *ics.Object) ([]*letter, error) {
	organizer := ics.Organizer(h.obj.First())
	// The row was read before the lock: its rules may have changed (STORAGE 2).
	p, err := s.tx.Principal(h.owner.ID)
	if err != nil {
		return nil, err
	}
	if h.obj.Kind() != "VEVENT" && p.Kind != db.Person {
		return nil, nil // a task asks for nobody's time
	}
	me, err := s.actor(h, true)
	if err != nil {
		return nil, err
	}
	delete(s.inherited, p.ID)
	rules := s.rules(p)
	ans, err := rules.Decide(s.question(h, p, me, before, organizer))
	if errors.Is(err, ics.ErrTooMany) {
		ans, err = policy.Answer{Master: "DECLINED", Reason: policy.Reason{Text: "recurs too often to be checked"}}, nil
	}
	if err != nil {
		return nil, err
	}
	if (ans.Open || ans.Ask) && p.Kind != db.Person {
		s.toInbox(p.ID, rules.Keep(inbox))
	}
	if ans.None() {
		if ans.Tell {
			s.notify(p, rules, itip.Message{Method: itip.Publish, UID: h.uid, From: organizer, Body: withMethod(h.obj, itip.Publish, "ATTENDEE")}) // RFC 5546 §3.2.1: it asks for nothing
		}
		return nil, nil
	}
	if err := s.tx.Release(p.ID, h.uid); err != nil { // what it was offered before
		return nil, err
	}
	if ans.Counter != nil {
		return s.offer(h, me, ans)
	}
	if ans.Waits != "" {
		if s.elsewhere == nil {
			s.elsewhere = map[thread]bool{}
		}
		s.elsewhere[thread{p.ID, h.uid}] = true
		if err := s.later(jobProgram, h.uid, p.ID, programArgs{Answer: ans.Waits}); err != nil {
			return nil, err
		}
	}
	msgs, err := s.say(h, me, ans)
	if err != nil || msgs == nil {
		return nil, err
	}
	if at := slices.IndexFunc(msgs, func(l *letter) bool { return l.Method == itip.Reply }); at >= 0 {
		if ans.Tell {
			s.notify(p, rules, msgs[at].Message)
		}
		if err := s.tellBroken(p, msgs[at].Message); err != nil {
			return nil, err
		}
	}
	return msgs, s.book(rules, p.ID, h.uid, organizer)
}

// toInbox puts a message into somebody's inbox.
func (s *sitting) toInbox(owner int64, body *ics.Object) {
	if in := s.homes[owner].inbox; body != nil && in != 0 {
		s.inbox = append(s.inbox, inboxItem{in, body})
	}
}

// open reports whether something of a copy is not answered.
func open(o *ics.Object, self func(cuaddr.Address) bool) bool {
	return o != nil && slices.ContainsFunc(o.Main(), func(c *ics.Component) bool {
		me := ics.Attendee(c, self)
		return me != nil && ics.PartStat(me) == "NEEDS-ACTION"
	})
}

// agentDecision is the record of an agent's answer.
func agentDecision(h *holding, ans policy.Answer) db.Decision {
	return db.Decision{
		Direction: "agent", Door: "agent", UID: h.uid, Method: string(itip.Reply), Principal: h.owner.ID, From: h.owner.Address,
		To: ics.Organizer(h.obj.First()).String(), Rule: ans.Reason.String(), Outcome: "applied", Detail: summary(ans),
	}
}

// reply answers anew what an agent has answered before.
func (s *sitting) reply(h *holding, me itip.Actor, ans policy.Answer) error {
	msgs, err := s.say(h, me, ans)
	if err != nil {
		return err
	}
	return s.circulate(h, msgs)
}

// offer proposes the time that an answer names, and holds it for a while.
func (s *sitting) offer(h *holding, me itip.Actor, ans policy.Answer) ([]*letter, error) {
	c := ans.Counter
	msg := itip.Propose(me, h.obj, c.RID, c.Start, c.End, s.comment(h, ans))
	if msg == nil {
		return nil, nil
	}
	x := agentDecision(h, ans)
	x.Method = string(itip.Counter)
	s.decide(x)
	return letters([]itip.Message{*msg}, h.owner, nil, "agent", false), s.tx.Hold(db.Hold{
		Principal: h.owner.ID, UID: h.uid, RID: string(c.RID), Start: c.Start.UnixMicro(), Fin: c.End.UnixMicro(), Expires: s.now.Add(c.Hold),
	})
}

// say puts an answer into the agent's copy, and returns the messages that tell it,
// with the reason in the language of whom they are for.
func (s *sitting) say(h *holding, me itip.Actor, ans policy.Answer) ([]*letter, error) {
	x := agentDecision(h, ans)
	out, err := itip.Originate(me, h.obj, answered(h.obj, me.Self, ans), itip.Options{Comment: s.comment(h, ans)})
	var no *itip.Refusal
	if errors.As(err, &no) {
		x.Rule, x.Detail, x.Outcome = no.Precondition, no.Detail, "refused"
		s.decide(x)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out.Changed = true
	h.take(out)
	s.decide(x)
	return letters(out.Messages, h.owner, nil, "agent", false), nil
}

// comment is what an answer says beside yes or no: why, who looks after the room,
// and what its rules add.
func (s *sitting) comment(h *holding, ans policy.Answer) string {
	l := s.speaks(h.obj)
	if h.owner.Kind == db.Person {
		return ans.Reason.In(l)
	}
	rules := s.rules(h.owner)
	owner := ""
	if owners := rules.Owners(); len(owners) > 0 {
		owner = s.called(owners[0])
	}
	return rules.Comment(ans.Reason, l, owner)
}

// called is how a text names somebody: with his name, if he is here.
func (s *sitting) called(a cuaddr.Address) string {
	if p := s.find(a); p != nil && p.Name != "" {
		return p.Name + " <" + a.Mail() + ">"
	}
	return a.Mail()
}

// means reports whether an address of a rule means somebody, by another of his
// names or as a group that holds him.
func (s *sitting) means(named, who cuaddr.Address) bool {
	pr := s.find(who)
	return pr != nil && s.self(*pr, true)(named)
}

// holder names who has something of a room at some time, beside one
// conversation; "" if nobody has, or it is the room's own.
func (s *sitting) holder(principal int64, uid string, at ics.Wanted) (string, error) {
	from, to, some := at.Span()
	if !some {
		return "", nil
	}
	rows, err := s.tx.BusyRows([]int64{principal}, from.UnixMicro(), to.UnixMicro(), uid)
	if err != nil {
		return "", err
	}
	var found []int64
	err = s.d.expandAt(s.tx, rows, at, func(r db.BusyRow, _ ics.Span) { found = append(found, r.Object) })
	if err != nil || len(found) == 0 {
		return "", err
	}
	objs, err := s.tx.ByIDs(found[:1])
	if err != nil || len(objs) == 0 {
		return "", err
	}
	o, err := s.parse(&objs[0])
	if err != nil {
		return "", err
	}
	line := o.First().Prop("ORGANIZER")
	if line == nil {
		return "", nil
	}
	return s.called(ics.CalAddress(line)), nil
}

// question is what a policy is asked about an invitation.
func (s *sitting) question(h *holding, p db.Principal, me itip.Actor, before *ics.Object, organizer cuaddr.Address) policy.Question {
	uid := h.uid
	return policy.Question{
		Before: before, After: h.obj, Self: me.Self, Address: me.Address, Organizer: organizer,
		Unattended: p.Kind != db.Person, Capacity: p.Capacity, Now: s.now, Floating: me.Floating, Bound: s.d.opt.Bound,
		Busy:   func(at ics.Wanted) ([]ics.Span, error) { return s.booked(p.ID, uid, at) },
		Booked: func(after time.Time) (time.Time, error) { return s.lastBooked(p.ID, uid, after) },
		Named:  s.means,
		Used: func(quota string, organizer cuaddr.Address, together string) (time.Duration, error) {
			return s.used(quota, cmp.Or(together, s.quotaKey(organizer)), uid)
		},
		Reserved: func(quota string, organizer cuaddr.Address, from, to time.Time) ([]ics.Span, error) {
			return s.reserved(quota, organizer, uid, from, to)
		},
		Others: func(from, to time.Time) ([]ics.Span, error) { return s.others(h, from, to) },
		Member: func(m cuaddr.Address, at ics.Wanted) ([]ics.Span, bool, error) {
			pr := s.find(m)
			if pr == nil || !s.agent(*pr) {
				return nil, false, nil
			}
			busy, err := s.booked(pr.ID, uid, at)
			return busy, true, err
		},
		Would:  func(m cuaddr.Address) (policy.Answer, error) { return s.would(h, me, m, organizer) },
		Holder: func(at ics.Wanted) (string, error) { return s.holder(p.ID, uid, at) },
	}
}

// would is what a member of a pool would answer by its own rules, were it sent in
// the pool's place.
func (s *sitting) would(h *holding, me itip.Actor, m, organizer cuaddr.Address) (policy.Answer, error) {
	pr := s.find(m)
	if pr == nil {
		return policy.Answer{}, nil
	}
	if said, err := s.refusals(h, pr.ID); err != nil || !said.None() {
		return said, err
	}
	if strings.TrimSpace(s.rulesText(*pr)) == "" {
		return policy.Answer{}, nil // it takes what it is free for
	}
	loc, err := s.zone(*pr, 0)
	if err != nil {
		return policy.Answer{}, err
	}
	sent := &holding{owner: *pr, uid: h.uid, obj: itip.PassOn(h.obj, me.Self, "", m)}
	him := itip.Actor{Self: s.self(*pr, false), Address: cuaddr.Mailto(pr.Address), Floating: loc}
	return s.rules(*pr).Decide(s.question(sent, *pr, him, nil, organizer))
}

// others is the busy time of everybody else who is invited, and of the organizer:
// of those here, and of those outside as far as they have told it.
func (s *sitting) others(h *holding, from, to time.Time) ([]ics.Span, error) {
	if err := s.meetIn(h.obj); err != nil {
		return nil, err
	}
	var ids []int64
	for _, a := range calendarUsers(h.obj) {
		if p := s.find(a); p != nil && p.Kind != db.Group && p.ID != h.owner.ID {
			ids = append(ids, p.ID)
		}
	}
	rows, err := s.d.busyRows(s.tx, ids, from.UnixMicro(), to.UnixMicro(), h.uid, db.Rhythm{})
	if err != nil {
		return nil, err
	}
	var spans []ics.Span
	if err := s.d.expand(s.tx, rows, from, to, func(_ db.BusyRow, sp ics.Span) { spans = append(spans, sp) }); err != nil {
		return nil, err
	}
	told, err := s.othersOutside(h, from, to)
	return append(spans, told...), err
}

// othersOutside is what those who are invited and not here have told the agent
// itself, or an organizer here, of their busy time (RFC 5546 §3.3).
func (s *sitting) othersOutside(h *holding, from, to time.Time) ([]ics.Span, error) {
	var names []string
	for _, a := range calendarUsers(h.obj) {
		if n := OutsideName(a); s.find(a) == nil && a.Mail() != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	who := []int64{h.owner.ID}
	if o := s.find(ics.Organizer(h.obj.First())); o != nil {
		who = append(who, o.ID)
	}
	var spans []ics.Span
	for _, id := range who {
		told, err := s.tx.Remembered(id, names...)
		if err != nil {
			return nil, err
		}
		for _, data := range told {
			for _, known := range itip.ReadKnown(data) {
				for _, sp := range known.Spans {
					if sp.Start.Before(to) && sp.End.After(from) {
						spans = append(spans, sp)
					}
				}
			}
		}
	}
	return spans, nil
}

// speaks is the language of whoever organizes a meeting.
func (s *sitting) speaks(o *ics.Object) *words.Language {
	tag := ""
	if line := o.First().Prop("ORGANIZER"); line != nil {
		tag = line.Param("LANGUAGE")
		if p := s.find(ics.CalAddress(line)); p != nil && p.Language != "" {
			tag = p.Language
		}
	}
	return words.Default().For(tag)
}

// answered is the agent's copy with its answer.
func answered(o *ics.Object, self func(cuaddr.Address) bool, ans policy.Answer) *ics.Object {
	if !ans.Delegate.IsZero() {
		return itip.PassOn(o, self, "", ans.Delegate)
	}
	single := make([]itip.Choice, len(ans.Single))
	for i, one := range ans.Single {
		single[i] = itip.Choice{RID: one.RID, PartStat: one.PartStat, To: one.Delegate}
	}
	return itip.SetAnswer(o, self, ans.Master, single)
}

// summary tells an answer in words for the decision record.
func summary(a policy.Answer) string {
	switch {
	case a.Counter != nil:
		return "COUNTER " + a.Counter.Start.UTC().Format("20060102T150405Z")
	case !a.Delegate.IsZero():
		return "DELEGATED " + a.Delegate.Mail()
	case a.Master == "" && len(a.Single) == 1:
		return strings.TrimSuffix(a.Single[0].PartStat+" "+a.Single[0].Delegate.Mail(), " ") + " " + string(a.Single[0].RID)
	}
	n := map[string]int{}
	for _, o := range a.Single {
		n[o.PartStat]++
	}
	out := a.Master
	for _, p := range []string{"ACCEPTED", "TENTATIVE", "DELEGATED", "DECLINED", "NEEDS-ACTION"} {
		if n[p] > 0 {
			if out != "" {
				out += ", "
			}
			out += p + " " + plural(n[p], "occurrence")
		}
	}
	return out
}

// booked returns what a principal has at some times beside one conversation, what
// is held for somebody, and when it cannot be met at all.
func (s *sitting) booked(principal int64, uid string, at ics.Wanted) ([]ics.Span, error) {
	from, to, some := at.Span()
	if !some {
		return nil, nil
	}
	var rhythm db.Rhythm
	every, parts := at.Rhythm()
	for _, p := range parts {
		rhythm.Every = every
		rhythm.Parts = append(rhythm.Parts, db.Phase{Start: p[0], Length: p[1]})
	}
	rows, err := s.d.busyRows(s.tx, []int64{principal}, from.UnixMicro(), to.UnixMicro(), uid, rhythm)
	if err != nil {
		return nil, err
	}
	closed, err := s.d.unavailable(s.tx, []int64{principal}, from, to)
	if err != nil {
		return nil, err
	}
	held, err := s.tx.Holds(principal, s.now, from.UnixMicro(), to.UnixMicro(), uid)
	if err != nil {
		return nil, err
	}
	var spans []ics.Span
	add := func(sp ics.Span) {
		if at.Meet(sp.Start.UnixMicro(), sp.End.UnixMicro()) {
			spans = append(spans, sp)
		}
	}
	for _, sp := range closed[principal] { // of whatever BUSYTYPE: nothing else stands there
		add(ics.Span{Start: sp.Start, End: sp.End, Type: ics.Unavailable})
	}
	for _, h := range held {
		add(ics.Span{Start: micro(h.Start), End: micro(h.Fin), Type: ics.Busy})
	}
	err = s.d.expandAt(s.tx, rows, at, func(_ db.BusyRow, sp ics.Span) { spans = append(spans, sp) })
	return spans, err
}

// lastBooked returns the end of the last booking that has one and ends after a
// time.
func (s *sitting) lastBooked(principal int64, uid string, after time.Time) (time.Time, error) {
	rows, err := s.tx.BusyRows([]int64{principal}, after.UnixMicro(), ics.Endless, uid)
	if err != nil {
		return time.Time{}, err
	}
	last := int64(0)
	for _, r := range rows {
		switch {
		case r.Slot != nil:
			last = max(last, r.Slot.Fin)
		case r.Series != nil && r.Series.Last < ics.Endless:
			last = max(last, r.Series.Last)
		}
	}
	if last == 0 {
		return time.Time{}, nil
	}
	return time.UnixMicro(last).UTC(), nil
}
