package caldav

import (
	"errors"
	"net/http"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// errNoInvitation: whoever may know of an invitation knows its UID.
var errNoInvitation = &dav.Error{Status: http.StatusForbidden, Cond: dav.CS("valid-request"), Detail: "there is no such invitation, or not any more"}

// reply answers a sharee's POST on his home (caldav-sharing §5.4.1).
func (x *exchange) reply(home *resource, root *dav.Element) error {
	if home.owner.ID != x.me.ID { // he answers himself
		return needs(home.href, "bind")
	}
	uid, accepts, declines := "", root.Child(dav.CS("invite-accepted")) != nil, root.Child(dav.CS("invite-declined")) != nil
	if e := root.Child(dav.CS("in-reply-to")); e != nil {
		uid = e.Trimmed()
	}
	if uid == "" || accepts == declines {
		return &dav.Error{Status: http.StatusBadRequest, Detail: "an invite-reply accepts or declines, and says in reply to what"}
	}
	title := ""
	if e := root.Child(dav.CS("summary")); e != nil {
		title = e.Trimmed()
	}
	if len(title) > maxSummary {
		return &dav.Error{Status: http.StatusForbidden, Detail: "the name is too long"}
	}
	s, err := x.answer(uid, accepts, title)
	if errors.Is(err, errNoInvitation) {
		return errors.Join(x.dropStale(uid), err)
	}
	if err != nil {
		return err
	}
	x.w.Header().Set("Cache-Control", "no-cache")
	if declines {
		x.w.Header().Set("Content-Length", "0")
		x.w.WriteHeader(http.StatusOK)
		return nil
	}
	x.sendXML(http.StatusOK, dav.Document(dav.CS("shared-as"), func(w *dav.Writer) { w.Href(x.mountHref(&db.Mount{Share: s})) }))
	return nil
}

// dropStale removes a notification of mine that asks about nothing any more:
// who asked, or the calendar, is gone.
func (x *exchange) dropStale(uid string) error {
	return x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		boxes, err := tx.Collections(x.me.ID, db.Notifications)
		if err != nil || len(boxes) == 0 {
			return err
		}
		if o, err := cardAt(tx, boxes[0].ID, uid+".xml"); err != nil || o == nil {
			return err
		}
		t, err := tell(tx, x.now(), []int64{x.me.ID})
		if err != nil {
			return err
		}
		return t.drop(tx, x.me.ID, uid+".xml")
	})
}

// answer accepts or declines my invitation with a UID. Doing so again changes
// nothing, but for what I call the calendar.
func (x *exchange) answer(uid string, accepts bool, title string) (s db.Share, err error) {
	err = x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		if s, err = tx.ShareByUID(uid); err != nil || s.Sharee != x.me.ID {
			if err == nil || errors.Is(err, db.ErrNotFound) {
				err = errNoInvitation
			}
			return err
		}
		c, err := tx.Collection(s.Collection)
		if err != nil {
			return err
		}
		owner, err := tx.Principal(c.Owner)
		if err != nil {
			return err
		}
		if accepts { // before collections are locked
			if err := tx.BecomeGuest(x.me.ID); err != nil {
				return err
			}
		}
		t, err := tell(tx, x.now(), []int64{owner.ID, x.me.ID}, c.ID)
		if err != nil {
			return err
		}
		if s, err = tx.ShareByUID(uid); err != nil { // taken back meanwhile
			if errors.Is(err, db.ErrNotFound) {
				err = errNoInvitation
			}
			return err
		}
		if accepts {
			err = x.accept(tx, t, &owner, &c, &s, title)
		} else {
			err = x.decline(tx, t, &owner, &c, &s)
		}
		return err
	})
	return s, err
}

// accept takes a calendar into my home. It does not count as my busy time
// there until I say so (caldav-sharing §5.5.4).
func (x *exchange) accept(tx *db.Tx, t *posting, owner *db.Principal, c *db.Collection, s *db.Share, title string) error {
	aces, err := tx.ACEs(db.OnCollection, c.ID)
	if err != nil {
		return err
	}
	again := s.Name != ""
	if s.Group == 0 {
		if aces = directory.Grant(aces, x.me.ID, directory.ShareRights(s.Writes)); len(aces) > maxACEs {
			return tooManySharees
		}
		if err := tx.SetACEs(db.OnCollection, c.ID, aces); err != nil {
			return err
		}
	} else if g, err := directory.Granted(tx, x.me, *owner); err != nil || g.Collections[c.ID]&directory.Read == 0 {
		return errors.Join(err, errNoInvitation) // he has left the group
	}
	if !again {
		if err := x.roomFor(tx); err != nil {
			return err
		}
		s.Name = mountPrefix + randomName()
	}
	if title != "" || !again {
		s.Title = title
	}
	s.Declined = false
	if err := tx.SetShare(*s); err != nil {
		return err
	}
	if err := t.drop(tx, x.me.ID, s.UID+".xml"); err != nil || again || s.Group != 0 {
		return err
	}
	return t.answered(tx, owner, c, s, &x.me, "invite-accepted")
}

// roomFor one more calendar in my home.
func (x *exchange) roomFor(tx *db.Tx) error {
	own, err := tx.Collections(x.me.ID, wings[wingCalendars].kinds...)
	if err != nil {
		return err
	}
	others, err := tx.Mounts(x.me.ID)
	if err == nil && len(own)+len(others) >= maxCollections {
		err = &dav.Error{Status: http.StatusForbidden, Cond: dav.D("quota-not-exceeded"), Detail: "too many collections in one home"}
	}
	return err
}

// decline gives a calendar back, or does not take it.
func (x *exchange) decline(tx *db.Tx, t *posting, owner *db.Principal, c *db.Collection, s *db.Share) error {
	again := s.Declined && s.Name == ""
	if s.Group == 0 {
		aces, err := tx.ACEs(db.OnCollection, c.ID)
		if err != nil {
			return err
		}
		if err := tx.SetACEs(db.OnCollection, c.ID, directory.Grant(aces, x.me.ID, 0)); err != nil {
			return err
		}
	}
	if err := tx.Unmount(c.ID, x.me.ID); err != nil {
		return err
	}
	s.Name, s.Title, s.Busy, s.Declined = "", "", false, true
	if err := tx.SetShare(*s); err != nil {
		return err
	}
	if err := directory.WithdrawFrom(tx, x.me.ID, *owner); err != nil {
		return err
	}
	if err := t.drop(tx, x.me.ID, s.UID+".xml"); err != nil || again || s.Group != 0 {
		return err
	}
	return t.answered(tx, owner, c, s, &x.me, "invite-declined")
}

// leave answers a DELETE of a calendar of somebody else in my home: it is
// declined, and the calendar lives (caldav-sharing §5.4.2).
func (x *exchange) leave(r *resource) error {
	_, err := x.answer(r.mount.UID, false, "")
	if errors.Is(err, errNoInvitation) {
		return notFound
	}
	return err
}

// invitedInto tells who was asked to share a calendar that is about to be
// deleted; after that, forget takes back what they were told.
func (x *exchange) invitedInto(r *resource) (shares []db.Share, err error) {
	if r.kind != kCalendar || !r.coll.Shared {
		return nil, nil
	}
	err = x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		shares, err = tx.Shares(r.coll.ID)
		return err
	})
	return shares, err
}

// forget tells the sharees of a calendar that is gone: who had it in his home,
// that it was taken away; from who had not answered, the question.
func (x *exchange) forget(owner *db.Principal, c *db.Collection, shares []db.Share) error {
	if len(shares) == 0 {
		return nil
	}
	return x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		return forget(tx, x.now(), owner, map[int64]*db.Collection{c.ID: c}, shares)
	})
}

// Forget tells the sharees of somebody who is about to be removed that they do
// not have his calendars any longer, and takes back what he has asked others.
func Forget(tx *db.Tx, owner db.Principal, now time.Time) error {
	cs, err := tx.Collections(owner.ID, db.Calendar)
	if err != nil {
		return err
	}
	of := make(map[int64]*db.Collection)
	var all []db.Share
	for i := range cs {
		if !cs[i].Shared {
			continue
		}
		shares, err := tx.Shares(cs[i].ID)
		if err != nil {
			return err
		}
		of[cs[i].ID] = &cs[i]
		all = append(all, shares...)
	}
	if len(all) == 0 {
		return nil
	}
	return forget(tx, now, &owner, of, all)
}

func forget(tx *db.Tx, now time.Time, owner *db.Principal, of map[int64]*db.Collection, shares []db.Share) error {
	people := make(map[int64]*db.Principal)
	var ids []int64
	for _, sh := range shares {
		p, err := tx.Principal(sh.Sharee)
		if errors.Is(err, db.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		people[p.ID] = &p
		ids = append(ids, p.ID)
	}
	t, err := tell(tx, now, ids)
	if err != nil {
		return err
	}
	for i := range shares {
		sh := &shares[i]
		s := &sharees{posting: t, owner: owner, coll: of[sh.Collection], people: people}
		if people[sh.Sharee] == nil {
			continue
		}
		if err := s.taken(tx, sh); err != nil {
			return err
		}
	}
	return nil
}
