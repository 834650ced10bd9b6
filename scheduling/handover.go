package scheduling

import (
	"context"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/itip"
)

// HandOver gives a meeting that somebody organizes to somebody else.
type HandOver struct {
	From, To   db.Principal
	Collection int64 // where it lies in From's calendars
	Name       string
	Door       string
}

// HandOver moves a meeting into the calendar of who organizes it from now on,
// and tells everybody in it (RFC 5546 §3.2.2.4). done is false, and nothing
// changed, for what From does not organize. Errors as for Put.
func (d *Desk) HandOver(ctx context.Context, m HandOver) (done bool, err error) {
	l, err := d.lockObject(ctx, m.Collection, m.Name)
	if err != nil {
		return false, err
	}
	err = d.transact(ctx, l, func(s *sitting) (err error) {
		done, err = s.handOver(m)
		return err
	})
	return done, err
}

func (s *sitting) handOver(m HandOver) (bool, error) {
	row, err := s.loadObject(m.Collection, m.Name)
	if err != nil {
		return false, err
	}
	if !scheduled(row.Component) {
		return false, nil
	}
	old := &holding{owner: m.From}
	if err := s.fill(old, &row); err != nil {
		return false, err
	}
	if err := s.meetIn(old.obj); err != nil {
		return false, err
	}
	if p := s.find(cuaddr.Mailto(m.To.Address)); p == nil || p.ID != m.To.ID {
		return false, db.ErrNotFound
	}
	h, err := s.part(m.To, row.UID)
	if err != nil {
		return false, err
	}
	if !s.place(h, row.Component) {
		return false, &itip.Refusal{Precondition: "C:calendar-collection-location-ok", Detail: m.To.Address + " has no calendar for it"}
	}
	me, err := s.actor(h, false)
	if err != nil {
		return false, err
	}
	after, msgs, ok := itip.HandOver(me, s.self(m.From, false), old.obj)
	if !ok {
		return false, nil
	}
	s.hold(row.UID, old)
	prior := old.obj
	old.obj, old.changed = nil, true
	h.obj, h.changed, h.newTag, h.scheduled = after, true, true, true
	s.decide(db.Decision{
		Direction: "user", Door: m.Door, UID: row.UID, Principal: m.To.ID, From: m.From.Address, To: m.To.Address,
		Rule: "handed over", Outcome: "applied", Detail: told(len(msgs)),
	})
	return true, s.settle(h, prior, msgs, m.Door)
}
