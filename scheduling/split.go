package scheduling

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// Split parts a recurring event in two (caldav-recursplit §3): from an instance
// on it keeps its UID and its place, what was before gets a new one.
type Split struct {
	Actor      db.Principal
	Collection int64
	Name       string
	At         string // the rid parameter: a DATE or DATE-TIME as the client sent it
	UID        string // of what was before; "": one is made
	Conditions Conditions
	Door       string
}

// Halves is the answer to a Split: what keeps the UID, and what was before.
type Halves struct{ From, Before Written }

// maxSplitUID bounds the UID that a client wants.
const maxSplitUID = 255

// Split does it in the calendars of everybody here, whose alarms and answers
// stay as they are; attendees outside get a message for each half. Errors are
// those of Put.
func (d *Desk) Split(ctx context.Context, sp Split) (Halves, error) {
	l, err := d.lockObject(ctx, sp.Collection, sp.Name)
	if err != nil {
		return Halves{}, err
	}
	given := sp.UID
	if sp.UID == "" {
		sp.UID = rand.Text()
	}
	if len(sp.UID) > maxSplitUID || strings.ContainsFunc(sp.UID, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xfffd }) {
		return Halves{}, &itip.Refusal{Precondition: itip.InvalidSplit, Detail: "no UID can be like that"}
	}
	l.add(locks{uids: []string{sp.UID}})
	set := rand.Text()
	var from, before *holding
	err = d.transact(ctx, l, func(s *sitting) (err error) {
		from, before, err = s.split(sp, given != "", set)
		return err
	})
	if err != nil {
		d.refused(ctx, err, db.Decision{Door: sp.Door, UID: l.uids[0], Principal: sp.Actor.ID, From: sp.Actor.Address})
		return Halves{}, err
	}
	written := func(h *holding) Written {
		return Written{ETag: h.stored.ETag, ScheduleTag: h.stored.ScheduleTag, Rewritten: true, Collection: h.collection, Name: h.name}
	}
	out := Halves{written(from), written(before)}
	out.Before.Created = true
	return out, nil
}

func (s *sitting) split(sp Split, named bool, set string) (from, before *holding, err error) {
	s.under = sp.Conditions.Under
	row, err := s.loadObject(sp.Collection, sp.Name)
	if err != nil {
		return nil, nil, err
	}
	if err := s.met(sp.Conditions, &row); err != nil {
		return nil, nil, err
	}
	col, owner, err := s.open(sp.Actor, sp.Collection)
	if err != nil {
		return nil, nil, err
	}
	if col.Kind != db.Calendar {
		return nil, nil, &itip.Refusal{Precondition: itip.InvalidSplit, Detail: "only what is in a calendar can be split"}
	}
	if named {
		taken, err := s.tx.ObjectsByUID(sp.UID, owner.ID)
		if err != nil {
			return nil, nil, err
		}
		if len(taken) > 0 {
			return nil, nil, &itip.Refusal{Precondition: itip.InvalidSplit, Detail: "that UID is in your calendars already"}
		}
	}
	from = &holding{owner: owner}
	if err := s.fill(from, &row); err != nil {
		return nil, nil, err
	}
	s.hold(row.UID, from)
	if err := s.meetIn(from.obj); err != nil {
		return nil, nil, err
	}
	me, err := s.actor(from, false)
	if err != nil {
		return nil, nil, err
	}
	parts, err := itip.Split(me, from.obj, sp.At, sp.UID, set)
	if err != nil {
		return nil, nil, err
	}
	s.by = sp.Actor
	if err := s.maySend(owner, parts.Messages); err != nil {
		return nil, nil, err
	}
	before, err = s.apart(from, parts, sp.UID, set, "user", sp.Door, nil)
	return from, before, err
}

// apart puts the two parts of an organizer's series where they belong, in the
// calendars of everybody here, and tells those outside. but leaves out messages
// that something else is about to replace; nil: none.
func (s *sitting) apart(from *holding, parts itip.Parting, uid, set, direction, door string, but func(itip.Message) bool) (before *holding, err error) {
	owner, prior := from.owner, from.obj
	people, err := s.splitters(prior, owner)
	if err != nil {
		return nil, err
	}
	open := s.proposals(owner.ID, from.uid)
	before = s.halve(from, parts, uid)
	gone, fresh := parts.Follow(open)
	for _, p := range gone {
		s.closed = append(s.closed, p.ID)
	}
	delete(s.pending, thread{owner.ID, from.uid})
	if err := s.keep(before, fresh); err != nil {
		return nil, err
	}
	if err := s.splitCopies(people, from.uid, uid, set, parts); err != nil {
		return nil, err
	}
	s.decide(db.Decision{
		Direction: direction, Door: door, UID: from.uid, Principal: owner.ID, From: owner.Address,
		Rule: "series split at " + string(parts.At), Outcome: "applied", Detail: "what was before is " + uid,
	})
	msgs := parts.Messages
	if but != nil {
		msgs = slices.DeleteFunc(slices.Clone(msgs), but)
	}
	turn := letters(msgs, owner, prior, door, false)
	for _, l := range turn {
		l.outside = true // who is here has it already
	}
	for _, h := range []*holding{from, before} {
		var about []*letter
		for _, l := range turn {
			if l.UID == h.uid {
				about = append(about, l)
			}
		}
		if err := s.circulate(h, about); err != nil {
			return nil, err
		}
	}
	return before, s.index()
}

// splitters returns the attendees here who have a copy to be split too, and
// locks those of them whose busy time decides (STORAGE 1).
func (s *sitting) splitters(o *ics.Object, owner db.Principal) ([]db.Principal, error) {
	var people []db.Principal
	if org := s.find(ics.Organizer(o.First())); org != nil && org.ID == owner.ID {
		var err error
		if people, err = s.attendees(o, owner.ID); err != nil {
			return nil, err
		}
	}
	return people, s.lockDeciding(append([]db.Principal{owner}, people...)...)
}

// halve puts the two parts of h's object where they belong and returns the
// holding of the earlier one, nil if there is none.
func (s *sitting) halve(h *holding, parts itip.Parting, uid string) *holding {
	var b *holding
	if parts.Before != nil {
		b = &holding{
			owner: h.owner, collection: h.collection, name: randomName(), obj: parts.Before,
			changed: true, newTag: true, scheduled: h.scheduled,
		}
		s.hold(uid, b)
		s.heirs = append(s.heirs, [2]*holding{h, b})
	}
	h.obj, h.changed, h.newTag = parts.From, true, true
	return b
}

// splitCopies splits the copies of attendees here at the instance at which the
// organizer's was split (caldav-recursplit §3).
func (s *sitting) splitCopies(people []db.Principal, old, fresh, set string, parts itip.Parting) error {
	if err := s.load(old, people...); err != nil {
		return err
	}
	taken := map[int64]bool{}
	if len(people) > 0 {
		ids := make([]int64, len(people))
		for i, p := range people {
			ids[i] = p.ID
		}
		rows, err := s.tx.ObjectsByUID(fresh, ids...)
		if err != nil {
			return err
		}
		for _, r := range rows {
			taken[r.Owner] = true // somebody's own event has that UID: his is not touched
		}
	}
	for _, p := range people {
		h := s.holdings[thread{p.ID, old}]
		if h.obj == nil || taken[p.ID] || !s.sameOrganizer(h.obj, parts.From) {
			continue
		}
		if err := s.meetIn(h.obj); err != nil {
			return err
		}
		me, err := s.actor(h, true)
		if err != nil {
			return err
		}
		his, err := itip.SplitCopy(me, h.obj, parts.At, fresh, set, itip.Revision(parts.From))
		if err != nil {
			var no *itip.Refusal
			if errors.As(err, &no) {
				return err
			}
			return &itip.Refusal{Precondition: itip.InvalidSplit, Detail: "an attendee's copy cannot be split: " + err.Error()}
		}
		s.halve(h, his, fresh)
		left, err := s.recall(h.owner, old)
		if err != nil {
			return err
		}
		if left != nil { // what he took off his calendar is in either part
			s.parted = append(s.parted, parting{h.owner.ID, fresh, itip.LeftApart(left, fresh)})
		}
	}
	return nil
}
