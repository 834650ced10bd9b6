package scheduling

import (
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling/itip"
)

// mayDeliver reports whether somebody here takes a message of this kind from
// somebody here (RFC 6638 §6.1): the entries of his inbox say so. Whoever has
// said nothing takes it from everybody. Mail has its own rules (decision 10).
func (s *sitting) mayDeliver(l *letter, p db.Principal) (bool, error) {
	if l.from.ID == 0 || l.from.ID == p.ID {
		return true, nil
	}
	home := s.homes[p.ID]
	if !home.asked {
		if err := s.loadEntries(); err != nil {
			return false, err
		}
	}
	if len(home.entries) == 0 {
		return true, nil
	}
	need := directory.DeliverInvite
	switch l.Method {
	case itip.Reply, itip.Counter, itip.Refresh:
		need = directory.DeliverReply
	}
	names, err := directory.Grantees(s.tx, l.from)
	if err != nil {
		return false, err
	}
	return directory.Decided(names, home.entries)&need != 0, nil
}

// loadEntries looks for the entries of all inboxes that are known by now, in
// one statement.
func (s *sitting) loadEntries() error {
	var ids []int64
	at := map[int64]*home{}
	for _, h := range s.homes {
		if !h.asked && h.inbox != 0 {
			ids = append(ids, h.inbox)
			at[h.inbox] = h
		}
		h.asked = true
	}
	found, err := s.tx.ACEsOf(db.OnCollection, ids)
	for id, aces := range found {
		at[id].entries = aces
	}
	return err
}
