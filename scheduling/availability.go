package scheduling

import (
	"errors"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// availabilityBound limits the work that one person's availability makes for
// everybody who asks about him.
var availabilityBound = ics.Bound{Instances: 20_000, Steps: 200_000}

// MaxAvailability is how many octets a calendar-availability may have.
const MaxAvailability = 64 << 10

// SetAvailability stores when a principal can be met, in the transaction in
// which a door changes what belongs to him; "" removes it. Only then may other
// rows of that transaction be locked. The error is a *itip.Refusal.
func (d *Desk) SetAvailability(tx *db.Tx, p db.Principal, text string) error {
	if d.agent(p) { // its answers depend on it (STORAGE 1)
		if err := tx.LockAgents(p.ID); err != nil {
			return err
		}
	}
	if text == "" {
		return tx.SetAvailability(p.ID, nil)
	}
	if err := d.CheckAvailability(text); err != nil {
		return err
	}
	return tx.SetAvailability(p.ID, []byte(text))
}

// CheckAvailability says whether a text can be somebody's
// calendar-availability: an iCalendar object with nothing but VAVAILABILITY
// and VTIMEZONE components (RFC 7953 §7.2.4). The error is a *itip.Refusal.
func (d *Desk) CheckAvailability(text string) error {
	if len(text) > MaxAvailability {
		return &itip.Refusal{Precondition: itip.MaxResourceSize, Detail: "the availability has too many octets"}
	}
	o, err := ics.Parse([]byte(text), ics.Limits{})
	if err != nil {
		return &itip.Refusal{Precondition: itip.ValidData, Detail: err.Error()}
	}
	if o.First() == nil || o.Method() != "" {
		return &itip.Refusal{Precondition: itip.ValidResource, Detail: "an iCalendar object with VAVAILABILITY components is wanted, without METHOD"}
	}
	a, err := o.Availability()
	if err != nil {
		return &itip.Refusal{Precondition: itip.ValidResource, Detail: err.Error()}
	}
	if err := a.Dense(d.opt.Now(), availabilityBound); err != nil {
		return &itip.Refusal{Precondition: itip.MaxInstances, Detail: "the recurrence has too many instances"}
	}
	return nil
}

// unavailable returns when owners cannot be met, by id.
func (d *Desk) unavailable(tx *db.Tx, owners []int64, from, to time.Time) (map[int64][]ics.Span, error) {
	said, err := tx.Availabilities(owners)
	if err != nil {
		return nil, err
	}
	byOwner := map[int64][]db.Available{}
	for _, a := range said {
		byOwner[a.Owner] = append(byOwner[a.Owner], a)
	}
	spans := map[int64][]ics.Span{}
	for owner, list := range byOwner {
		spans[owner] = d.outside(list, from, to)
	}
	return spans, nil
}

// outside is the time that lies outside of what is said to be available. What
// cannot be read or is too much work is left out: no client of others may fail
// because of it.
func (d *Desk) outside(said []db.Available, from, to time.Time) []ics.Span {
	var as []*ics.Availability
	for _, s := range said {
		o, err := ics.Parse(s.Data, storedLimits)
		if err != nil {
			continue
		}
		if a, err := o.Availability(); err == nil {
			as = append(as, a)
		}
	}
	if len(as) == 0 {
		return nil
	}
	spans, err := ics.Unavailability(as, from, to, availabilityBound)
	if errors.Is(err, ics.ErrTooMany) {
		return nil
	}
	return spans
}
