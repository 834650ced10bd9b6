package scheduling

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// Remove deletes an object: an organizer's cancels the meeting, an attendee's
// declines it (RFC 6638 §3.2.1.3, §3.2.2.4). Inbox objects are deleted without
// any effect. The error is db.ErrNotFound or one of Put's.
func (d *Desk) Remove(ctx context.Context, r Remove) error {
	l, err := d.lockObject(ctx, r.Collection, r.Name)
	if err != nil {
		return err
	}
	return d.transact(ctx, l, func(s *sitting) error { return s.remove(r) })
}

// lockObject tells which conversation an object belongs to, by an unlocked
// read: the transaction looks again.
func (d *Desk) lockObject(ctx context.Context, collection int64, name string) (locks, error) {
	var l locks
	err := d.store.View(ctx, func(tx *db.Tx) error {
		o, err := tx.Object(collection, name)
		l.uids = []string{o.UID}
		return err
	})
	return l, err
}

// loadObject loads what stands under a name; it starts the transaction anew if
// it is of a conversation that is not locked.
func (s *sitting) loadObject(collection int64, name string) (db.Object, error) {
	o, err := s.tx.Object(collection, name)
	if err == nil && !slices.Contains(s.want.uids, o.UID) {
		return o, &wider{locks{uids: []string{o.UID}}}
	}
	return o, err
}

func (s *sitting) remove(r Remove) error {
	s.under = r.Conditions.Under
	row, err := s.loadObject(r.Collection, r.Name)
	if err != nil {
		return err
	}
	if err := s.met(r.Conditions, &row); err != nil {
		return err
	}
	col, owner, err := s.open(r.Actor, r.Collection)
	if err != nil {
		return err
	}
	s.by = r.Actor
	return s.end(col, owner, &row, itip.Options{NoReply: r.NoReply}, r.Door)
}

// end removes an object and does what follows from it.
func (s *sitting) end(col db.Collection, owner db.Principal, row *db.Object, opt itip.Options, door string) error {
	h := &holding{owner: owner, row: row, collection: row.Collection, name: row.Name, changed: true}
	if col.Kind != db.Calendar || !scheduled(row.Component) {
		s.hold(row.UID, h)
		return nil
	}
	// its busy time changes (STORAGE 1)
	if err := s.lockDeciding(owner); err != nil {
		return err
	}
	s.hold(row.UID, h)
	if err := s.fill(h, row); err != nil {
		return err
	}
	if !organized(h.obj) {
		h.obj = nil
		return nil
	}
	held, err := s.inQuarantine(h)
	if err != nil {
		return err
	}
	if held != nil { // a stranger does not learn that anybody saw it
		h.held, opt.NoReply = held, true
	}
	return s.originate(h, nil, opt, door)
}

// errDefaultNeeded refuses to delete the calendar that invitations go to (RFC
// 6638 §4.3).
var errDefaultNeeded = &itip.Refusal{Precondition: "C:default-calendar-needed", Detail: "invitations arrive in this calendar; choose another one for them first"}

// removeArgs is the work of a "remove" job: the meeting that a deleted
// calendar held.
type removeArgs struct {
	Body    []byte
	Door    string
	NoReply bool `json:",omitempty"`
}

// RemoveCollection deletes a calendar: gone for its owner at once, the
// conversations in it end one by one in queued jobs (STORAGE 3). The default
// calendar is refused. Of r the Name and all Conditions but Under, which is asked
// when the collection is locked, are left out.
func (d *Desk) RemoveCollection(ctx context.Context, r Remove) error {
	return d.transact(ctx, locks{}, func(s *sitting) error {
		col, owner, err := s.open(r.Actor, r.Collection)
		if err != nil {
			return err
		}
		if col.Kind != db.Calendar {
			return &itip.Refusal{Detail: "only calendars can be deleted"}
		}
		if err := s.lockDeciding(owner); err != nil {
			return err
		}
		// The bump locks the collection: what is written to it afterwards fails.
		if _, err := s.tx.BumpCollections(col.ID); err != nil {
			return err
		}
		if col, err = s.tx.Collection(col.ID); err != nil {
			return err
		}
		if col.Default {
			return errDefaultNeeded
		}
		if under := r.Conditions.Under; under != nil {
			if err := under(s.tx); err != nil {
				return err
			}
		}
		for after := ""; ; {
			page, err := s.tx.List(col.ID, after, 500)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(page, func(o db.Object) bool { return o.ScheduleTag != "" }) { // its meetings end
				if err := s.maySendAs(r.Actor, owner, directory.SendInvite|directory.SendReply); err != nil {
					return err
				}
			}
			if err := s.farewell(owner, page, r); err != nil {
				return err
			}
			if len(page) < 500 {
				break
			}
			after = page[len(page)-1].Name
		}
		return s.tx.DeleteCollection(col.ID)
	})
}

// farewell queues a job for every meeting on a page of a calendar.
func (s *sitting) farewell(owner db.Principal, page []db.Object, r Remove) error {
	var ids []int64
	for _, o := range page {
		if o.ScheduleTag != "" {
			ids = append(ids, o.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	objs, err := s.tx.ByIDs(ids)
	if err != nil {
		return err
	}
	for _, o := range objs {
		if err := s.later(jobRemove, o.UID, owner.ID, removeArgs{Body: o.Body, Door: r.Door, NoReply: r.NoReply}); err != nil {
			return err
		}
	}
	return nil
}

// removed ends a meeting whose calendar was deleted: unless its owner has it
// again meanwhile.
func (s *sitting) removed(j db.Job) error {
	var args removeArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return err
	}
	owner, here, err := s.present(j.Principal)
	if !here || err != nil {
		return err
	}
	o, err := ics.Parse(args.Body, storedLimits)
	if err != nil {
		return err
	}
	if err := s.load(j.UID, owner); err != nil {
		return err
	}
	h := s.holdings[thread{owner.ID, j.UID}]
	if h.row != nil {
		return nil
	}
	if err := s.lockDeciding(owner); err != nil {
		return err
	}
	h.obj = o
	if err := s.originate(h, nil, itip.Options{NoReply: args.NoReply}, args.Door); err != nil {
		return err
	}
	h.changed = false // there is no row any more
	return nil
}
