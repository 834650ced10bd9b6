package scheduling

import (
	"errors"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
	"github.com/convene-server/convene/scheduling/policy"
)

// answer lets a room, a resource or an auto-replying person answer the
// invitation that h took in. Its lock is held since before any busy time was
// read.
func (s *sitting) answer(h *holding, before *ics.Object, organizer cuaddr.Address) ([]*letter, error) {
	if h.obj == nil || h.obj.Kind() != "VEVENT" {
		return nil, nil // a task asks for nobody's time
	}
	// The row was read before the lock: its rules may have changed (STORAGE 2).
	p, err := s.tx.Principal(h.owner.ID)
	if err != nil {
		return nil, err
	}
	me, err := s.actor(h, true)
	if err != nil {
		return nil, err
	}
	uid := h.obj.UID()
	ans, err := policyOf(p).Decide(policy.Question{
		Before: before, After: h.obj, Self: me.Self, Organizer: organizer, Unattended: p.Kind != db.Person,
		Now: s.now, Floating: me.Floating, Bound: s.d.opt.Bound,
		Busy:   func(from, to time.Time) ([]ics.Span, error) { return s.booked(p.ID, uid, from, to) },
		Booked: func(after time.Time) (time.Time, error) { return s.lastBooked(p.ID, uid, after) },
	})
	if errors.Is(err, ics.ErrTooMany) {
		ans, err = policy.Answer{Master: "DECLINED", Reason: policy.Reason{Text: "recurs too often to be checked"}}, nil
	}
	if err != nil {
		return nil, err
	}
	if ans.None() {
		return nil, nil
	}
	after := reply(h.obj, me.Self, ans)
	out, err := itip.Originate(me, h.obj, after, itip.Options{})
	var no *itip.Refusal
	if errors.As(err, &no) {
		s.decide(db.Decision{
			Direction: "agent", Door: "agent", UID: uid, Principal: p.ID, From: p.Address, To: organizer.String(),
			Rule: no.Precondition, Detail: no.Detail, Outcome: "refused",
		})
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out.Changed = true
	h.take(out)
	s.decide(db.Decision{
		Direction: "agent", Door: "agent", UID: uid, Method: string(itip.Reply), Principal: p.ID, From: p.Address,
		To: organizer.String(), Rule: ans.Reason.String(), Outcome: "applied", Detail: summary(ans),
	})
	return letters(out.Messages, h.owner, nil, "agent", false), nil
}

// reply puts an answer into the agent's copy.
func reply(o *ics.Object, self func(cuaddr.Address) bool, ans policy.Answer) *ics.Object {
	set := func(r ics.RID, partstat string) {
		if n := itip.SetPartStat(o, self, r, partstat, ans.Reason.String()); n != nil {
			o = n
		}
	}
	if ans.Master != "" {
		// The whole is set first; occurrences that answer otherwise after it.
		stands := map[ics.RID]string{}
		for _, c := range o.Overrides() {
			if me := ics.Attendee(c, self); me != nil {
				stands[o.RID(c)] = ics.PartStat(me)
			}
		}
		was := ""
		if m := o.Master(); m != nil {
			if me := ics.Attendee(m, self); me != nil {
				was = ics.PartStat(me)
			}
		}
		if was != ans.Master {
			set("", ans.Master)
		}
		for r, partstat := range stands {
			if c := o.Override(r); c != nil {
				if me := ics.Attendee(c, self); me != nil && ics.PartStat(me) != partstat {
					set(r, partstat)
				}
			}
		}
	}
	for _, one := range ans.Single {
		set(one.RID, one.PartStat)
	}
	return o
}

// summary tells an answer in words for the decision record.
func summary(a policy.Answer) string {
	if a.Master == "" && len(a.Single) == 1 {
		return a.Single[0].PartStat + " " + string(a.Single[0].RID)
	}
	n := map[string]int{}
	for _, o := range a.Single {
		n[o.PartStat]++
	}
	out := a.Master
	for _, p := range []string{"ACCEPTED", "DECLINED", "NEEDS-ACTION"} {
		if n[p] > 0 {
			if out != "" {
				out += ", "
			}
			out += p + " " + plural(n[p], "occurrence")
		}
	}
	return out
}

// booked returns what a principal has in a window beside one conversation, and
// when it cannot be met at all.
func (s *sitting) booked(principal int64, uid string, from, to time.Time) ([]ics.Span, error) {
	rows, err := s.tx.BusyRows([]int64{principal}, from.UnixMicro(), to.UnixMicro(), uid)
	if err != nil {
		return nil, err
	}
	closed, err := s.d.unavailable(s.tx, []int64{principal}, from, to)
	if err != nil {
		return nil, err
	}
	spans := closed[principal]
	for i := range spans { // of whatever BUSYTYPE: nothing else stands there
		spans[i].Type = ics.Unavailable
	}
	err = s.d.expand(s.tx, rows, from, to, func(_ db.BusyRow, sp ics.Span) { spans = append(spans, sp) })
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
