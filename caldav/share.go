package caldav

import (
	"crypto/rand"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
)

// Sharing by invitation (caldav-sharing): the owner names sharees, who accept
// or decline. What a sharee may do is an entry of the calendar's ACL, as if the
// owner had set it there; there is no other truth about it.

// Bounds of sharing.
const (
	maxSharees  = maxACEs // of one calendar
	maxInvited  = 1_000   // with the members of groups who were asked
	maxNotified = 500     // members of a group who are told; in a larger one nobody is
	maxSummary  = 1024    // octets of what a calendar is called
)

func randomName() string { return strings.ToLower(rand.Text()) }

// sharee is one change that the owner makes.
type sharee struct {
	href    string
	remove  bool
	writes  bool
	summary string
	who     *db.Principal // nil: nobody who could share
}

// sentXML reports whether the body of a POST is XML: then it is about sharing.
func (x *exchange) sentXML() bool {
	m, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	return err == nil && (m == "application/xml" || m == "text/xml")
}

// postXML answers a POST about sharing on a calendar or on a calendar home.
func (x *exchange) postXML(r *resource) error {
	root, err := x.body()
	if err != nil {
		return err
	}
	switch {
	case root == nil:
		return &dav.Error{Status: http.StatusBadRequest, Detail: "a POST of XML needs a body"}
	case r.kind == kCalendar && root.Name == dav.CS("share"):
		return x.share(r, root)
	case r.kind == kCalendarHome && root.Name == dav.CS("invite-reply"):
		return x.reply(r, root)
	}
	return &dav.Error{Status: http.StatusForbidden, Cond: dav.CS("supported-post"), Detail: "a calendar takes a share, a calendar home an invite-reply"}
}

// share answers the owner's POST on a calendar (caldav-sharing §5.3.2). All
// that it asks for is done, or nothing.
func (x *exchange) share(r *resource, root *dav.Element) error {
	if r.mount != nil {
		return needs(r.href, "write-acl")
	}
	if err := x.may(r, directory.WriteACL); err != nil {
		return err
	}
	all, err := parseShare(root)
	if err != nil {
		return err
	}
	wrong, err := x.findSharees(r.owner, all)
	if err != nil {
		return err
	}
	if wrong {
		return x.shareRefused(all)
	}
	guard, err := x.guard(x.touch(r))
	if err != nil {
		return err
	}
	err = x.store.Write(x.ctx, nil, func(tx *db.Tx) error { return x.setSharees(tx, r, all, guard) })
	if err != nil {
		return err
	}
	x.w.Header().Set("Cache-Control", "no-cache")
	x.w.Header().Set("Content-Length", "0")
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// parseShare reads a CS:share (caldav-sharing §6.26).
func parseShare(root *dav.Element) ([]sharee, error) {
	bad := func(detail string) error { return &dav.Error{Status: http.StatusBadRequest, Detail: detail} }
	var all []sharee
	for _, e := range root.Children() {
		if e.Name != dav.CS("set") && e.Name != dav.CS("remove") {
			continue
		}
		s := sharee{remove: e.Name == dav.CS("remove")}
		href := e.Child(dav.D("href"))
		if href == nil {
			return nil, bad("a sharee needs an href")
		}
		s.href = href.Trimmed()
		if sum := e.Child(dav.CS("summary")); sum != nil {
			s.summary = sum.Trimmed()
		}
		if len(s.summary) > maxSummary || len(s.href) > maxPath {
			return nil, bad("the name of the calendar, or of a sharee, is too long")
		}
		s.writes = e.Child(dav.CS("read-write")) != nil
		if !s.remove && !s.writes && e.Child(dav.CS("read")) == nil {
			return nil, bad("a sharee gets read or read-write")
		}
		if all = append(all, s); len(all) > maxSharees {
			return nil, tooManySharees
		}
	}
	if len(all) == 0 {
		return nil, bad("a share sets or removes sharees")
	}
	return all, nil
}

var tooManySharees = &dav.Error{Status: http.StatusForbidden, Cond: dav.D("limited-number-of-aces"), Detail: "too many sharees of one calendar"}

// findSharees looks up who is meant. wrong: somebody is to be set who cannot
// share: nobody here, the owner himself, a room. Removing such is no change.
func (x *exchange) findSharees(owner *db.Principal, all []sharee) (wrong bool, err error) {
	for i := range all {
		s := &all[i]
		if strings.HasPrefix(s.href, "/") || strings.HasPrefix(s.href, "http") {
			if s.who, err = x.principalOfHref(s.href); err != nil {
				return false, err
			}
		} else if a, perr := cuaddr.Parse(s.href); perr == nil {
			err := x.store.View(x.ctx, func(tx *db.Tx) error {
				p, err := directory.Lookup(tx, a)
				if err == nil {
					s.who = &p
				}
				return err
			})
			if err != nil && !errors.Is(err, directory.ErrUnknown) {
				return false, err
			}
		}
		if s.who != nil && (s.who.ID == owner.ID || s.who.Kind != db.Person && s.who.Kind != db.Group) {
			s.who = nil
		}
		wrong = wrong || s.who == nil && !s.remove
	}
	return wrong, nil
}

// shareRefused names who could not be asked: 403, and 424 for those who were
// not because of that.
func (x *exchange) shareRefused(all []sharee) error {
	ms := x.multistatus()
	for _, s := range all {
		if s.who == nil && !s.remove {
			ms.Status(s.href, http.StatusForbidden)
		} else {
			ms.Status(s.href, http.StatusFailedDependency)
		}
	}
	return ms.End("")
}

// sharees are those of a calendar while they change.
type sharees struct {
	*posting
	owner  *db.Principal
	coll   *db.Collection
	rows   []db.Share
	aces   []db.ACE
	people map[int64]*db.Principal
}

func (s *sharees) row(who int64) *db.Share {
	for i := range s.rows {
		if s.rows[i].Sharee == who {
			return &s.rows[i]
		}
	}
	return nil
}

// setSharees makes the changes inside a transaction.
func (x *exchange) setSharees(tx *db.Tx, r *resource, all []sharee, guard func(*db.Tx) error) error {
	s := &sharees{owner: r.owner, coll: r.coll, people: make(map[int64]*db.Principal)}
	members := make(map[int64][]db.Principal) // of groups
	told := []int64{}
	for _, c := range all {
		if c.who == nil {
			continue
		}
		s.people[c.who.ID] = c.who
		var in []db.Principal
		if c.who.Kind != db.Group || !c.remove {
			var err error
			if in, _, err = directory.Expand(tx, *c.who); err != nil {
				return err
			}
		}
		if len(in) > maxNotified {
			in = nil
		}
		members[c.who.ID] = in
		for i := range in {
			if in[i].ID != r.owner.ID && in[i].Kind == db.Person {
				s.people[in[i].ID] = &in[i]
				told = append(told, in[i].ID)
			}
		}
	}
	// Who was asked by a group that has lost him since is told, too.
	before, err := tx.Shares(r.coll.ID)
	if err != nil {
		return err
	}
	for _, b := range before {
		if _, ok := members[b.Group]; !ok || b.Group == 0 || s.people[b.Sharee] != nil {
			continue
		}
		p, err := tx.Principal(b.Sharee)
		if err != nil {
			return err
		}
		s.people[p.ID] = &p
		told = append(told, p.ID)
	}
	if s.posting, err = tell(tx, x.now(), told, r.coll.ID); err != nil {
		return err
	}
	if err := guard(tx); err != nil {
		return err
	}
	if s.rows, err = tx.Shares(r.coll.ID); err != nil {
		return err
	}
	if s.aces, err = tx.ACEs(db.OnCollection, r.coll.ID); err != nil {
		return err
	}
	for _, c := range all {
		switch {
		case c.who == nil:
		case c.remove && c.who.Kind == db.Group:
			err = s.removeGroup(tx, c.who)
		case c.remove:
			err = s.remove(tx, c.who.ID, 0)
		case c.who.Kind == db.Group:
			err = s.setGroup(tx, c, members[c.who.ID])
		default:
			err = s.set(tx, c)
		}
		if err != nil {
			return err
		}
	}
	byHimself := 0
	for _, row := range s.rows {
		if row.Group == 0 {
			byHimself++
		}
	}
	if len(s.aces) > maxACEs || byHimself > maxSharees || len(s.rows) > maxInvited {
		return tooManySharees
	}
	if err := tx.SetACEs(db.OnCollection, r.coll.ID, s.aces); err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(c sharee) bool { return c.remove }) {
		if err := directory.Withdraw(tx, *r.owner); err != nil {
			return err
		}
	}
	return directory.MarkShared(tx, r.coll.ID)
}

// set asks somebody, or changes what he was asked.
func (s *sharees) set(tx *db.Tx, c sharee) error {
	who := c.who.ID
	rights := directory.ShareRights(c.writes)
	has := directory.Named(s.aces, who)
	row := s.row(who)
	if row != nil && row.Group == 0 && !row.Declined && row.Writes == c.writes && row.Summary == c.summary && (has == 0 || has == rights) {
		return s.remind(tx, row)
	}
	if has&directory.Read != 0 { // he has it already: what he may do changes at once
		s.aces = directory.Grant(s.aces, who, rights)
	}
	if row == nil {
		s.rows = append(s.rows, db.Share{Collection: s.coll.ID, Sharee: who, UID: randomName()})
		row = &s.rows[len(s.rows)-1]
	}
	if row.Group != 0 && row.Name != "" { // he has it by a group, and from now on by himself
		s.aces = directory.Grant(s.aces, who, rights)
	}
	row.Group, row.Writes, row.Declined, row.Summary = 0, c.writes, false, c.summary
	return s.store(tx, row)
}

// setGroup grants a calendar to a group, which can accept nothing, and asks its
// members to take it into their homes.
func (s *sharees) setGroup(tx *db.Tx, c sharee, members []db.Principal) error {
	group := c.who.ID
	s.aces = directory.Grant(s.aces, group, directory.ShareRights(c.writes))
	for _, m := range members {
		row := s.row(m.ID)
		switch {
		case m.ID == s.owner.ID || m.Kind != db.Person, row != nil && row.Group != group:
			continue
		case row == nil:
			s.rows = append(s.rows, db.Share{Collection: s.coll.ID, Sharee: m.ID, Group: group, UID: randomName()})
			row = &s.rows[len(s.rows)-1]
		case !row.Declined && row.Writes == c.writes && row.Summary == c.summary:
			if err := s.remind(tx, row); err != nil {
				return err
			}
			continue
		}
		row.Writes, row.Declined, row.Summary = c.writes, false, c.summary
		if err := s.store(tx, row); err != nil {
			return err
		}
	}
	return nil
}

// remind tells somebody again who has put the question away without an answer.
// Nobody else is told what he knows (caldav-sharing §5.3.2).
func (s *sharees) remind(tx *db.Tx, row *db.Share) error {
	if row.Name != "" {
		return nil
	}
	there, err := cardAt(tx, s.boxes[row.Sharee].ID, row.UID+".xml")
	if err != nil || there != nil {
		return err
	}
	return s.store(tx, row)
}

// store keeps an invitation and tells of it.
func (s *sharees) store(tx *db.Tx, row *db.Share) error {
	if err := tx.SetShare(*row); err != nil {
		return err
	}
	state := "invite-noresponse"
	if row.Name != "" {
		state = "invite-accepted"
	}
	return s.invited(tx, s.owner, s.coll, row, s.people[row.Sharee], state, s.called(row))
}

// called is what the invitation calls the calendar.
func (s *sharees) called(row *db.Share) string {
	switch {
	case row.Summary != "":
		return row.Summary
	case s.coll.DisplayName != "":
		return s.coll.DisplayName
	}
	return s.coll.Name
}

// remove takes a calendar from somebody who was asked by himself, or by this
// group.
func (s *sharees) remove(tx *db.Tx, who, group int64) error {
	if group == 0 {
		s.aces = directory.Grant(s.aces, who, 0)
	}
	row := s.row(who)
	if row == nil || row.Group != group {
		return nil
	}
	if group != 0 {
		if by, rights, err := s.otherGroup(tx, s.people[who]); err != nil || by != 0 {
			row.Group, row.Writes = by, rights&directory.WriteContent != 0
			return errors.Join(err, tx.SetShare(*row))
		}
	}
	gone := *row
	s.rows = slices.DeleteFunc(s.rows, func(r db.Share) bool { return r.Sharee == who })
	if err := tx.DropShare(s.coll.ID, who); err != nil {
		return err
	}
	return s.taken(tx, &gone)
}

// taken tells somebody that a calendar was taken from him. From who had not
// answered, the question is taken back.
func (s *sharees) taken(tx *db.Tx, row *db.Share) error {
	if row.Name == "" {
		return s.drop(tx, row.Sharee, row.UID+".xml")
	}
	summary := row.Title
	if summary == "" {
		summary = s.called(row)
	}
	return s.invited(tx, s.owner, s.coll, row, s.people[row.Sharee], "invite-deleted", summary)
}

// otherGroup is one by which somebody has the calendar still.
func (s *sharees) otherGroup(tx *db.Tx, who *db.Principal) (group int64, have directory.Rights, err error) {
	names, err := directory.Grantees(tx, *who)
	if err != nil {
		return 0, 0, err
	}
	have = directory.Decided(names, s.aces)
	for _, a := range s.aces {
		if a.Grantee > 0 && a.Grantee != who.ID && names[a.Grantee] && !a.Deny && have&directory.Read != 0 {
			return a.Grantee, have, nil
		}
	}
	return 0, have, nil
}

// removeGroup takes it from a group, and from the homes of who has it by that.
func (s *sharees) removeGroup(tx *db.Tx, group *db.Principal) error {
	s.aces = directory.Grant(s.aces, group.ID, 0)
	for _, row := range slices.Clone(s.rows) {
		if row.Group == group.ID {
			if err := s.remove(tx, row.Sharee, group.ID); err != nil {
				return err
			}
		}
	}
	return nil
}
