package caldav

import (
	"errors"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// readSharingModes tells that a calendar can be shared (caldav-sharing §5.2.3),
// to who may do so.
func readSharingModes(x *exchange, r *resource, w *dav.Writer) bool {
	w.Raw("<CS:can-be-shared/>")
	return r.owner.ID == x.me.ID
}

// readSharedURL tells where the owner has a calendar that is in my home
// (caldav-sharing §5.2.4).
func readSharedURL(x *exchange, r *resource, w *dav.Writer) bool {
	w.Href(collectionHref(r.owner, r.coll))
	return r.mount != nil
}

// readInvite tells with whom a calendar is shared (caldav-sharing §5.2.2): the
// owner everything, a sharee who the owner is and how he himself stands.
func readInvite(x *exchange, r *resource, w *dav.Writer) bool {
	mine := r.owner.ID == x.me.ID
	if !r.coll.Shared || !mine && r.mount == nil {
		return false
	}
	var rows []db.Share
	var aces []db.ACE
	if !x.view(func(tx *db.Tx) (err error) {
		if rows, err = tx.Shares(r.coll.ID); err == nil {
			aces, err = tx.ACEs(db.OnCollection, r.coll.ID)
		}
		return err
	}) {
		return false
	}
	if !mine {
		w.Raw("<CS:organizer>")
		w.Href(mailtoOf(r.owner))
		writeNames(w, r.owner)
		w.Raw("</CS:organizer>")
		writeUser(w, &x.me, &r.mount.Share, directory.Named(aces, x.me.ID))
		return true
	}
	// Whom an entry names has it, as if he had accepted it, whoever set that.
	var all []ace
	asked := map[int64]*db.Share{}
	for i := range rows {
		if r := &rows[i]; r.Group == 0 {
			asked[r.Sharee] = r
			all = append(all, ace{ACE: db.ACE{Grantee: r.Sharee}})
		}
	}
	for _, a := range aces {
		if _, known := asked[a.Grantee]; a.Grantee > 0 && !known && directory.Named(aces, a.Grantee)&directory.Read != 0 {
			asked[a.Grantee] = nil
			all = append(all, ace{ACE: a})
		}
	}
	who, err := x.grantees(all)
	if err != nil {
		x.broken = err
		return false
	}
	for _, a := range all {
		if p := who[a.Grantee]; p != nil {
			writeUser(w, p, asked[p.ID], directory.Named(aces, p.ID))
		}
	}
	return true
}

// writeUser tells of one sharee (caldav-sharing §6.5): s is his invitation, if
// there was one, have what entries grant him by name.
func writeUser(w *dav.Writer, p *db.Principal, s *db.Share, have directory.Rights) {
	w.Raw("<CS:user>")
	if s != nil {
		w.Element(dav.CS("uid"), s.UID)
	}
	w.Href(mailtoOf(p))
	writeNames(w, p)
	accepted := have&directory.Read != 0 || s != nil && s.Name != ""
	if have&directory.Read != 0 {
		writeAccess(w, have&directory.WriteContent != 0)
	} else {
		writeAccess(w, s != nil && s.Writes)
	}
	switch {
	case accepted:
		w.Raw("<CS:invite-accepted/>")
	case s.Declined:
		w.Raw("<CS:invite-declined/>")
	default:
		w.Raw("<CS:invite-noresponse/>")
	}
	w.Raw("</CS:user>")
}

// title is what I call a calendar of somebody else in my home.
func (r *resource) title() string {
	switch {
	case r.mount.Title != "":
		return r.mount.Title
	case r.mount.Summary != "":
		return r.mount.Summary
	case r.coll.DisplayName != "":
		return r.coll.DisplayName
	}
	return r.coll.Name
}

// remount stores what I say of it for myself, if I still have it.
func (x *exchange) remount(tx *db.Tx, r *resource, title *string, busy *bool) error {
	s, err := tx.ShareByUID(r.mount.UID)
	if err != nil || s.Name != r.mount.Name {
		return errors.Join(err, db.ErrNotFound)
	}
	if title != nil {
		s.Title = *title
	}
	if busy != nil {
		s.Busy = *busy
	}
	return tx.SetShare(s)
}

// writeMounted prepares a change of a live property of a calendar of somebody
// else in my home: I have its name for myself (caldav-sharing §5.5.3), and say
// whether it counts as my busy time, which it does not by itself (§5.5.4).
func (x *exchange) writeMounted(c dav.Change, u *update) error {
	switch c.Prop.Name {
	case dav.D("displayname"):
		name := strings.TrimSpace(c.Prop.Text())
		if c.Remove {
			name = ""
		}
		if len(name) > maxSummary {
			return conflict("the name is too long")
		}
		u.title = &name
		return nil
	case dav.C("schedule-calendar-transp"):
		opaque := !c.Remove && c.Prop.Child(dav.C("opaque")) != nil
		if !c.Remove && !opaque && c.Prop.Child(dav.C("transparent")) == nil {
			return conflict("neither opaque nor transparent")
		}
		u.counts = &opaque
		return nil
	}
	return errProtected
}
