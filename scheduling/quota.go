package scheduling

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/policy"
)

// What counts in a quota is read from the live record of busy time; a row only
// says which bookings to look at. So whatever frees the time frees the quota.

// quotaKey is how a quota knows an organizer.
func (s *sitting) quotaKey(organizer cuaddr.Address) string {
	if p := s.find(organizer); p != nil { // by whichever of his addresses
		organizer = cuaddr.Mailto(p.Address)
	}
	return organizer.Fold()
}

// book notes for whom a booking counts, in all quotas of the rules.
func (s *sitting) book(rules policy.Policy, principal int64, uid string, organizer cuaddr.Address) error {
	for _, q := range rules.Quotas() {
		for _, by := range []string{s.quotaKey(organizer), rules.Together(q, organizer, s.means)} {
			if by == "" {
				continue
			}
			if err := s.tx.UseQuota(db.QuotaUse{Quota: q, Organizer: by, Principal: principal, UID: uid}); err != nil {
				return err
			}
		}
	}
	return nil
}

// used is what is booked ahead of a quota under a name, beside one conversation.
func (s *sitting) used(quota, by, uid string) (time.Duration, error) {
	spans, err := s.reservedBy(quota, by, uid, s.now, s.now.Add(policy.Ahead))
	sum := time.Duration(0)
	for _, sp := range spans {
		sum += sp.End.Sub(sp.Start)
	}
	return sum, err
}

// reserved is when an organizer has something of it.
func (s *sitting) reserved(quota string, organizer cuaddr.Address, uid string, from, to time.Time) ([]ics.Span, error) {
	return s.reservedBy(quota, s.quotaKey(organizer), uid, from, to)
}

func (s *sitting) reservedBy(quota, by, uid string, from, to time.Time) ([]ics.Span, error) {
	rows, err := s.tx.QuotaRows(quota, by, from.UnixMicro(), to.UnixMicro(), uid)
	if err != nil {
		return nil, err
	}
	var spans []ics.Span
	err = s.d.expand(s.tx, rows, from, to, func(_ db.BusyRow, sp ics.Span) { spans = append(spans, sp) })
	return spans, err
}

// lockWith locks agents and all whose busy time their answers depend on.
func (s *sitting) lockWith(agents ...db.Principal) error {
	var ids []int64
	for _, p := range agents {
		more, err := s.beside(p)
		if err != nil {
			return err
		}
		ids = append(append(ids, p.ID), more...)
	}
	return s.lockAgents(ids...)
}

// beside returns whose busy time an agent's answer depends on, too: the members
// of its pool, and all that share a quota with it (STORAGE 2).
func (s *sitting) beside(p db.Principal) ([]int64, error) {
	if text := s.rulesText(p); !strings.Contains(text, "pool ") && !strings.Contains(text, "schedule_for_delegate ") && !strings.Contains(text, "quota ") {
		return nil, nil
	}
	rules := s.rules(p)
	members := rules.Members()
	if err := s.meet(members...); err != nil {
		return nil, err
	}
	var ids []int64
	for _, m := range members {
		if pr := s.find(m); pr != nil && s.agent(*pr) {
			ids = append(ids, pr.ID)
		}
	}
	if len(rules.Quotas()) == 0 {
		return ids, nil
	}
	mine := map[string]bool{}
	for _, q := range rules.Quotas() {
		mine[q] = true
	}
	policies, err := s.tx.WithQuota()
	if err != nil {
		return nil, err
	}
	for id, text := range policies {
		other, err := s.read.parse(text)
		if err != nil {
			continue
		}
		if !slices.ContainsFunc(other.Quotas(), func(q string) bool { return mine[q] }) {
			continue
		}
		all, err := s.ruledBy(id)
		if err != nil {
			return nil, err
		}
		ids = append(ids, all...)
	}
	return ids, nil
}

// ruledBy returns who answers by the rules of a principal: itself, and what has
// none of its own in a group.
func (s *sitting) ruledBy(id int64) ([]int64, error) {
	p, err := s.tx.Principal(id)
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil
	}
	if err != nil || p.Kind != db.Group {
		return []int64{id}, err
	}
	m, err := s.members(p)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, pr := range m.local {
		if pr.Kind != db.Person && strings.TrimSpace(pr.Policy) == "" {
			ids = append(ids, pr.ID)
		}
	}
	return ids, nil
}
