package scheduling

import (
	"context"
	"errors"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/itip"
)

// Move puts an object elsewhere among its owner's calendars, without messages:
// for others the meeting stays what it is (RFC 6638 §3.2.3.4). An object with
// another UID is not overwritten (RFC 4791 §5.3.2.1).
func (d *Desk) Move(ctx context.Context, m Move) (Written, error) {
	l, err := d.lockObject(ctx, m.Collection, m.Name)
	if err != nil {
		return Written{}, err
	}
	if to, err := d.lockObject(ctx, m.To, m.ToName); err == nil {
		l.add(to)
	} else if !errors.Is(err, db.ErrNotFound) {
		return Written{}, err
	}
	var h *holding
	var created bool
	err = d.transact(ctx, l, func(s *sitting) (err error) {
		h, created, err = s.move(m)
		return err
	})
	if errors.Is(err, db.ErrText) {
		err = &itip.Refusal{Detail: "the name cannot be stored"}
	}
	if err != nil {
		return Written{}, err
	}
	return Written{Created: created, ETag: h.stored.ETag, ScheduleTag: h.stored.ScheduleTag, Collection: h.collection, Name: h.name}, nil
}

func (s *sitting) move(m Move) (h *holding, created bool, err error) {
	s.under = m.Conditions.Under
	row, err := s.loadObject(m.Collection, m.Name)
	if err != nil {
		return nil, false, err
	}
	if err := s.met(m.Conditions, &row); err != nil {
		return nil, false, err
	}
	col, owner, err := s.open(m.Actor, m.Collection)
	if err != nil {
		return nil, false, err
	}
	s.by = m.Actor
	to, toOwner, err := s.open(m.Actor, m.To)
	if err != nil {
		return nil, false, err
	}
	switch {
	case col.Kind != db.Calendar || to.Kind != db.Calendar:
		return nil, false, &itip.Refusal{Precondition: "C:calendar-collection-location-ok", Detail: "objects are moved among calendars only"}
	case toOwner.ID != owner.ID:
		return nil, false, &itip.Refusal{Precondition: itip.UniqueSchedulingObject, Detail: "objects are moved among the calendars of one owner"}
	case !takes(to, row.Component):
		return nil, false, &itip.Refusal{Precondition: itip.SupportedComponent, Detail: "that calendar takes no " + row.Component}
	}
	if err := s.lockDeciding(owner); err != nil {
		return nil, false, err
	}
	if col.ID == to.ID && m.Name == m.ToName {
		return nil, false, &itip.Refusal{Status: 403, Detail: "source and destination are the same resource"} // RFC 4918 §9.9.4
	}
	other, err := s.loadObject(m.To, m.ToName)
	switch {
	case errors.Is(err, db.ErrNotFound):
		created = true
	case err != nil:
		return nil, false, err
	case !m.Overwrite:
		return nil, false, &itip.Refusal{Status: 412, Detail: "the destination exists"} // RFC 4918 §10.6
	case other.UID != row.UID:
		return nil, false, &itip.Refusal{Precondition: itip.NoUIDConflict, Detail: "the destination holds another UID", Href: to.Name + "/" + m.ToName}
	default:
		if err := s.end(to, owner, &other, itip.Options{Silent: true}, m.Door); err != nil {
			return nil, false, err
		}
	}
	h = &holding{owner: owner}
	if err := s.fill(h, &row); err != nil {
		return nil, false, err
	}
	h.collection, h.name, h.changed, h.newTag = to.ID, m.ToName, true, true
	s.hold(row.UID, h)
	return h, created, nil
}
