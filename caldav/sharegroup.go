package caldav

import (
	"slices"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// FollowGroup follows a change of who is in a group, in the transaction that
// makes it: whoever has come is asked whether he wants the calendars in his home
// that the group may read, and from who has left they go. Groups that hold this
// one change with it.
func FollowGroup(tx *db.Tx, group db.Principal, now time.Time) error {
	above, err := directory.Above(tx, group)
	if err != nil {
		return err
	}
	var all []*sharees
	var people, calendars []int64
	var acts []func(*posting) error
	for _, g := range append([]db.Principal{group}, above...) {
		cs, err := tx.CalendarsFor(g.ID)
		if err != nil {
			return err
		}
		if len(cs) == 0 {
			continue
		}
		members, _, err := directory.Expand(tx, g)
		if err != nil {
			return err
		}
		for i := range cs {
			s, err := shareesOf(tx, &cs[i])
			if err != nil {
				return err
			}
			come, left, err := s.moved(tx, g.ID, members)
			if err != nil {
				return err
			}
			if len(come)+len(left) == 0 {
				continue
			}
			all = append(all, s)
			people = append(append(people, come...), left...)
			calendars = append(calendars, cs[i].ID)
			acts = append(acts, func(t *posting) error {
				s.posting = t
				return s.follow(tx, g.ID, come, left)
			})
		}
	}
	if len(all) == 0 {
		return nil
	}
	t, err := tell(tx, now, people, slices.Compact(slices.Sorted(slices.Values(calendars)))...)
	for _, act := range acts {
		if err == nil {
			err = act(t)
		}
	}
	return err
}

// shareesOf loads those of a calendar.
func shareesOf(tx *db.Tx, c *db.Collection) (*sharees, error) {
	owner, err := tx.Principal(c.Owner)
	if err != nil {
		return nil, err
	}
	s := &sharees{owner: &owner, coll: c, people: make(map[int64]*db.Principal)}
	if s.rows, err = tx.Shares(c.ID); err == nil {
		s.aces, err = tx.ACEs(db.OnCollection, c.ID)
	}
	return s, err
}

// moved returns who is in a group that has the calendar and was not asked by
// it, and who was and is not in it any more.
func (s *sharees) moved(tx *db.Tx, group int64, members []db.Principal) (come, left []int64, err error) {
	in := make(map[int64]bool)
	for i := range members {
		m := &members[i]
		in[m.ID] = true
		if m.Kind == db.Person && m.ID != s.owner.ID && s.row(m.ID) == nil && len(members) <= maxNotified && directory.Named(s.aces, group)&directory.Read != 0 {
			s.people[m.ID] = m
			come = append(come, m.ID)
		}
	}
	for _, row := range s.rows {
		if row.Group == group && !in[row.Sharee] {
			p, err := tx.Principal(row.Sharee)
			if err != nil {
				return nil, nil, err
			}
			s.people[p.ID] = &p
			left = append(left, p.ID)
		}
	}
	return come, left, nil
}

// follow asks who has come, and takes it from who has left.
func (s *sharees) follow(tx *db.Tx, group int64, come, left []int64) error {
	asked := db.Share{Writes: directory.Named(s.aces, group)&directory.WriteContent != 0}
	for _, row := range s.rows {
		if row.Group == group {
			asked.Summary = row.Summary
		}
	}
	for _, who := range left {
		if err := s.remove(tx, who, group); err != nil {
			return err
		}
		if err := directory.WithdrawFrom(tx, who, *s.owner); err != nil {
			return err
		}
	}
	for _, who := range come {
		if s.row(who) != nil || len(s.rows) >= maxInvited {
			continue
		}
		row := db.Share{Collection: s.coll.ID, Sharee: who, Group: group, UID: randomName(), Writes: asked.Writes, Summary: asked.Summary}
		s.rows = append(s.rows, row)
		if err := s.store(tx, &row); err != nil {
			return err
		}
	}
	return directory.MarkShared(tx, s.coll.ID)
}
