package scheduling

import (
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// maxOwn bounds what a guest has for himself of one object.
const maxOwn = 64 << 10

// ownOf takes out of what a guest has sent what he has for himself, and returns
// what everybody shall see. same: that is as it was, so that nothing follows from
// it, and nothing of the owner's moves but what tells programs to look again.
func (s *sitting) ownOf(h *holding, col db.Collection, sent *ics.Object, p Put) (obj *ics.Object, same bool, err error) {
	// How busy a room is is said by whoever may write into its calendar.
	shared, own := itip.TakeOwn(sent, h.was, h.owner.Kind == db.Person)
	h.guest, h.own = p.Conditions.Guest, own.Bytes()
	if len(h.own) > maxOwn {
		return nil, false, &itip.Refusal{Precondition: itip.MaxResourceSize, Detail: "these are too many alarms"}
	}
	same = h.was != nil && itip.SameForAll(h.was, shared)
	if p.Own {
		had, err := s.tx.OwnOf(h.guest, idsOf(h.row))
		if err != nil {
			return nil, false, err
		}
		if !same || len(h.own)+len(had) == 0 {
			return nil, false, &itip.Refusal{Precondition: "D:need-privileges", Privilege: "D:write-content", Href: col.Name + "/" + p.Name, Detail: "only alarms of one's own can be changed here"}
		}
	}
	if same {
		h.obj = h.was
	}
	return shared, same, nil
}

func idsOf(o *db.Object) []int64 {
	if o == nil {
		return nil
	}
	return []int64{o.ID}
}

// met checks the conditions of a request, which a guest makes of the object as
// he sees it.
func (s *sitting) met(c Conditions, o *db.Object) error {
	if c.Guest == 0 || c.IfMatch == nil && c.IfNoneMatch == nil {
		return c.Check(o)
	}
	own, err := s.tx.OwnOf(c.Guest, idsOf(o))
	if err != nil {
		return err
	}
	seen := *o
	seen.ETag = db.SeenETag(o.ETag, own[o.ID])
	return c.Check(&seen)
}

// flushOwn stores what guests have for themselves, beside objects that have
// their rows by now.
func (s *sitting) flushOwn() error {
	for _, h := range s.order {
		if h.guest != 0 && h.obj != nil {
			if err := s.tx.SetOwn(h.guest, h.stored.ID, h.own); err != nil {
				return err
			}
		}
	}
	for _, pair := range s.heirs {
		if from, to := pair[0].stored.ID, pair[1].stored.ID; from != 0 && to != 0 {
			if err := s.tx.CopyOwn(from, to); err != nil {
				return err
			}
		}
	}
	return nil
}
