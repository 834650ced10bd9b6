package scheduling

import (
	"context"
	"errors"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// Answer applies it to the organizer's copy, and to the attendee's own if he
// is local.
func (d *Desk) Answer(ctx context.Context, a Answer) (Verdict, error) {
	x := db.Decision{
		Direction: "user", Door: a.Door, UID: a.UID, Method: string(itip.Reply), Principal: a.Organizer.Principal,
		From: a.Attendee.String(), Belief: string(Proved), Outcome: "ignored", Detail: a.PartStat,
	}
	return d.page(ctx, x, func(s *sitting) (result, error) { return s.rsvp(a) })
}

func (s *sitting) rsvp(a Answer) (result, error) {
	h, err := s.organizersCopy(a.UID, a.Organizer)
	if err != nil || h == nil {
		return result{rule: "the meeting is gone"}, err
	}
	organizer := h.owner
	who := func(b cuaddr.Address) bool { return b == a.Attendee }
	outside := s.find(ics.Organizer(h.obj.First())) == nil // then it is the copy of whoever was told of it here
	if p := s.find(a.Attendee); p != nil && p.Kind != db.Group && (p.ID != organizer.ID || outside) {
		if err := s.load(a.UID, *p); err != nil {
			return result{}, err
		}
		if own := s.holdings[thread{p.ID, a.UID}]; own.obj != nil {
			if after := itip.SetPartStat(own.obj, s.self(*p, false), a.RID, a.PartStat, a.Comment); after != nil {
				acted, err := s.act(own, after, itip.Options{}, a.Door, false)
				if acted || err != nil {
					return result{applied: true, rule: "answered by a link"}, err
				}
			}
		}
		who = s.self(*p, false)
	}
	// What his program would put is made of the organizer's copy, and the core
	// makes the REPLY of it.
	after := itip.SetPartStat(h.obj, who, a.RID, a.PartStat, a.Comment)
	if after == nil {
		return ignored("not invited, or no such occurrence")
	}
	me, err := s.actor(h, false)
	if err != nil {
		return result{}, err
	}
	him := me
	him.Self, him.Address = who, a.Attendee
	out, err := itip.Originate(him, h.obj, after, itip.Options{})
	if err != nil {
		return result{}, err
	}
	applied := false
	for _, msg := range out.Messages {
		if msg.Method != itip.Reply {
			continue
		}
		msg.Prompt = true // it is given on a page that shows what the organizer has
		got, err := itip.Receive(me, h.obj, msg)
		if err != nil {
			return result{}, err
		}
		if got.Ignored {
			return ignored(got.Rule)
		}
		s.listen(h, msg)
		h.take(got)
		applied = true
		if got.Refresh {
			s.refresh(organizer.ID, a.UID)
		}
		l := letters([]itip.Message{msg}, organizer, nil, a.Door, false)[0] // in his own name: the attendee is outside
		s.toInbox(organizer.ID, got.Inbox)
		if s.wantsCopy(organizer, msg.Method) {
			s.mail(l, cuaddr.Mailto(organizer.Address), nil, true)
		}
	}
	if !applied {
		return ignored("it says so already")
	}
	return result{applied: true, rule: "answered by a link"}, nil
}

// Bounced records on the organizer's object that a mail did not arrive: status
// is a delivery status (itip.StatusNotDelivered, ...; decision 17). The ETag
// moves, the Schedule-Tag stays (RFC 6638 §3.2.10).
func (d *Desk) Bounced(ctx context.Context, principal int64, uid string, rcpt cuaddr.Address, status, detail string) error {
	return d.transact(ctx, locks{uids: []string{uid}}, func(s *sitting) error {
		owner, err := s.tx.Principal(principal)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.load(uid, owner); err != nil {
			return err
		}
		x := db.Decision{
			Direction: "in", Door: "queue", UID: uid, Principal: principal, From: rcpt.String(), To: owner.Address,
			Rule: "not delivered: " + status, Outcome: "applied", Detail: detail,
		}
		h := s.holdings[thread{principal, uid}]
		if h.obj == nil {
			x.Outcome = "ignored"
		} else {
			as, err := s.spellings(h.obj, rcpt)
			if err != nil {
				return err
			}
			marks := map[cuaddr.Address]string{}
			for _, a := range as {
				marks[a] = status
			}
			if o := itip.StampLater(h.obj, marks); o != h.obj {
				h.obj, h.changed = o, true
			} else {
				x.Outcome = "ignored"
			}
		}
		s.decide(x)
		return nil
	})
}

// spellings returns how an object names the mailbox that a mail went to: the
// case of its local part may differ.
func (s *sitting) spellings(o *ics.Object, rcpt cuaddr.Address) ([]cuaddr.Address, error) {
	if err := s.meetIn(o); err != nil {
		return nil, err
	}
	var as []cuaddr.Address
	for _, a := range calendarUsers(o) {
		if s.same(a, rcpt) {
			as = append(as, a)
		}
	}
	return as, nil
}
