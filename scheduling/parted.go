package scheduling

import (
	"errors"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// parting is what somebody remembers of a meeting beside his calendar.
type parting struct {
	owner int64
	uid   string
	left  *ics.Object
}

// maxParted bounds what is remembered of one meeting: more is not needed for
// what people do, and strangers fill no disk with it.
const maxParted = 64 << 10

// remember keeps Outcome.Left of an object whose organizer is elsewhere, or its
// owner himself. Between people here nothing is overtaken; of their meetings only
// that is kept which somebody takes out of a series and names with his next
// answer.
func (s *sitting) remember(h *holding, o, left *ics.Object, takes bool) error {
	if left == nil || !storable(o.UID()) {
		return nil
	}
	organizer := ics.Organizer(o.First())
	if err := s.meet(organizer); err != nil {
		return err
	}
	if by := s.find(organizer); by != nil && by.ID != h.owner.ID && !takes {
		return nil
	}
	before, err := s.recall(h.owner, o.UID())
	if err == nil {
		s.parted = append(s.parted, parting{h.owner.ID, o.UID(), itip.AddLeft(before, left)})
	}
	return err
}

// recall returns what somebody remembers, nil if it is nothing.
func (s *sitting) recall(owner db.Principal, uid string) (*ics.Object, error) {
	for i := len(s.parted) - 1; i >= 0; i-- {
		if p := s.parted[i]; p.owner == owner.ID && p.uid == uid {
			return p.left, nil
		}
	}
	data, err := s.tx.Parted(owner.ID, uid)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return ics.Parse(data, storedLimits)
}

// flushParted writes what is to be remembered.
func (s *sitting) flushParted() error {
	for _, p := range s.parted {
		data := p.left.Bytes()
		if len(data) > maxParted {
			continue
		}
		if err := s.tx.PutParted(p.owner, p.uid, data); err != nil {
			return err
		}
	}
	return nil
}
