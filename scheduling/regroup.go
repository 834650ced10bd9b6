package scheduling

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

const (
	jobRegroup = "regroup" // find the meetings into which a changed group is invited
	jobMember  = "member"  // let the change follow into one of them
)

// regroupArgs is the work of both jobs about a group: who came and who went. Who
// has done the opposite meanwhile is left to the job about that.
type regroupArgs struct {
	Joined []string `json:",omitempty"` // calendar user addresses
	Left   []string `json:",omitempty"`
	Fresh  bool     `json:",omitempty"` // nobody was in it before

	UID       string `json:",omitempty"` // regroup: go on after this meeting
	Organizer int64  `json:",omitempty"`
	Kept      bool   `json:",omitempty"` // regroup: of those from outside
}

// followed is how many conversations one job looks up for others to work on.
const followed = 200

// Regroup runs a change of who is in a group, and queues in the same transaction
// that it follows into the meetings to come into which the group is invited,
// itself or in another that holds it.
func Regroup(tx *db.Tx, group db.Principal, change func() error) error {
	above, err := directory.Above(tx, group)
	if err != nil {
		return err
	}
	groups := append([]db.Principal{group}, above...)
	before := make([][]string, len(groups))
	for i, g := range groups {
		if before[i], err = everyone(tx, g); err != nil {
			return err
		}
	}
	if err := change(); err != nil {
		return err
	}
	for i, g := range groups {
		after, err := everyone(tx, g)
		if err != nil {
			return err
		}
		args := regroupArgs{Joined: without(after, before[i]), Left: without(before[i], after), Fresh: len(before[i]) == 0}
		if len(args.Joined)+len(args.Left) == 0 {
			continue
		}
		met, err := tx.InvitedTo(g.ID, db.Invited{}, 1)
		if err != nil {
			return err
		}
		kept, err := tx.KeptFor(g.ID, 0, "", 1)
		if err != nil {
			return err
		}
		if len(met)+len(kept) == 0 {
			continue
		}
		raw, err := json.Marshal(args)
		if err != nil {
			return err
		}
		if err := tx.InsertJob(&db.Job{Kind: jobRegroup, Principal: g.ID, Args: raw}); err != nil {
			return err
		}
		tx.Wake("job")
	}
	return nil
}

// everyone returns the addresses of those behind a group, as it is opened up.
func everyone(tx *db.Tx, g db.Principal) ([]string, error) {
	p := people{tx: tx}
	m, err := p.members(g)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, x := range m.local {
		all = append(all, cuaddr.Mailto(x.Address).String())
	}
	for _, a := range m.external {
		all = append(all, a.String())
	}
	return all, nil
}

// without returns what is in a and not in b.
func without(a, b []string) (out []string) {
	in := make(map[string]bool, len(b))
	for _, x := range b {
		in[x] = true
	}
	for _, x := range a {
		if !in[x] {
			out = append(out, x)
		}
	}
	return out
}

// regroup queues one job for each meeting into which a changed group is invited,
// page by page.
func (s *sitting) regroup(j db.Job) error {
	var args regroupArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return err
	}
	if args.Kept {
		return s.regroupKept(j.Principal, args)
	}
	page, err := s.tx.InvitedTo(j.Principal, db.Invited{UID: args.UID, Organizer: args.Organizer}, followed)
	if err != nil {
		return err
	}
	at := args
	at.UID = ""
	for _, m := range page {
		at.Organizer = m.Organizer
		if err := s.later(jobMember, m.UID, j.Principal, at); err != nil {
			return err
		}
	}
	if len(page) < followed {
		args.UID, args.Organizer, args.Kept = "", 0, true
		return s.regroupKept(j.Principal, args)
	}
	last := page[len(page)-1]
	args.UID, args.Organizer = last.UID, last.Organizer
	return s.later(jobRegroup, "", j.Principal, args)
}

// regroupKept does so for the meetings of organizers outside.
func (s *sitting) regroupKept(group int64, args regroupArgs) error {
	page, err := s.tx.KeptFor(group, s.now.UnixMicro(), args.UID, followed)
	if err != nil {
		return err
	}
	at := args
	at.UID, at.Kept = "", false
	for _, uid := range page {
		if err := s.later(jobListed, uid, group, at); err != nil {
			return err
		}
	}
	if len(page) < followed {
		return nil
	}
	args.UID = page[len(page)-1]
	return s.later(jobRegroup, "", group, args)
}

// changed reads what a job follows up: the change, and the group if it is still
// here.
func (s *sitting) changed(j db.Job) (args regroupArgs, group db.Principal, here bool, err error) {
	if err = json.Unmarshal(j.Args, &args); err == nil {
		group, here, err = s.present(j.Principal)
	}
	return args, group, here, err
}

// regrouped lets the change of a group follow into one meeting, as if its
// organizer had written it.
func (s *sitting) regrouped(j db.Job) error {
	args, group, here, err := s.changed(j)
	if !here || err != nil {
		return err
	}
	organizer, here, err := s.present(args.Organizer)
	if !here || err != nil {
		return err
	}
	h, err := s.part(organizer, j.UID)
	if err != nil {
		return err
	}
	if h.obj == nil {
		return nil
	}
	if err := s.meetIn(h.obj); err != nil {
		return err
	}
	meeting := db.Invited{Group: group.ID, UID: j.UID, Organizer: organizer.ID}
	away, err := s.tx.StayedAway(meeting)
	if err != nil {
		return err
	}
	m := s.membership(group, args, away)
	me, err := s.actor(h, false)
	if err != nil {
		return err
	}
	h, done, err := s.regroupRest(h, group, me, m, meeting)
	if done || err != nil {
		return err
	}
	r := itip.Regroup(me, h.obj, m)
	return s.follow(h, group, r, meeting)
}

// follow brings what a change of a group makes of a meeting to everybody in it.
func (s *sitting) follow(h *holding, group db.Principal, r itip.Regrouped, meeting db.Invited) error {
	note := db.Decision{
		Direction: "local", Door: "queue", UID: h.uid, Principal: h.owner.ID, From: group.Address,
		Rule: "the group has changed", Outcome: "applied",
	}
	if r.Over > 0 {
		note.Detail = strconv.Itoa(r.Over) + " are not invited: there are too many members of groups in it"
	}
	if r.Object == nil {
		if note.Detail != "" {
			note.Outcome = "refused"
			s.decide(note)
		}
		return nil
	}
	var names []string
	for _, a := range r.Declined {
		names = append(names, a.Fold())
	}
	if err := s.tx.StayAway(meeting, names); err != nil {
		return err
	}
	s.decide(note)
	err := s.originate(h, r.Object, itip.Options{Seen: true}, "queue")
	if no := (*itip.Refusal)(nil); errors.As(err, &no) { // it stays as it is
		s.drop()
		note.Outcome, note.Rule, note.Detail = "refused", no.Precondition, no.Detail
		s.decide(note)
		return nil
	}
	return err
}

// regroupRest lets the change follow into what is to come of a series that has
// begun: the series is parted now (caldav-recursplit §3), so that who joins is not
// invited to what was before he came, and who leaves keeps what he was at. Not
// done: it has not begun, or cannot be parted, and changes as a whole. So does a
// series of very many people, because parting it would write all their copies at
// once.
func (s *sitting) regroupRest(h *holding, group db.Principal, me itip.Actor, m itip.Membership, meeting db.Invited) (*holding, bool, error) {
	at, begun := itip.Underway(me, h.obj)
	if !begun {
		return h, false, nil
	}
	if at == "" {
		return h, true, nil // the last one is on
	}
	uid := partedUID(h.uid, at)
	if uid == "" || len(ics.Attendees(h.obj.Master())) > s.d.opt.LocalInline {
		return h, false, nil
	}
	if !slices.Contains(s.want.uids, uid) {
		return h, true, &wider{locks{uids: []string{uid}}}
	}
	taken, err := s.tx.ObjectsByUID(uid, h.owner.ID)
	if err != nil || len(taken) > 0 {
		return h, false, err
	}
	var no *itip.Refusal
	set := rand.Text()
	parts, err := itip.Split(me, h.obj, string(at), uid, set)
	if errors.As(err, &no) {
		return h, false, nil
	}
	if err != nil {
		return h, true, err
	}
	r := itip.Regroup(me, parts.From, m)
	if r.Object == nil {
		return h, true, s.follow(h, group, r, meeting)
	}
	_, err = s.apart(h, parts, uid, set, "local", "queue", func(msg itip.Message) bool {
		return msg.UID == h.uid && m.Left(msg.To) && !itip.Invites(r.Object, func(a cuaddr.Address) bool { return a.Fold() == msg.To.Fold() })
	})
	if errors.As(err, &no) { // the copy of somebody cannot be parted
		s.drop()
		h, err := s.part(h.owner, h.uid)
		if err == nil {
			err = s.meetIn(h.obj)
		}
		return h, false, err
	}
	if err != nil {
		return h, true, err
	}
	return h, true, s.follow(h, group, r, meeting)
}

// partedUID names what a series was before an instance; "": no name is left for
// it.
func partedUID(uid string, at ics.RID) string {
	uid += "-until-" + string(at)
	if len(uid) > maxSplitUID {
		return ""
	}
	return uid
}

// membership puts a change of a group into the words of the core, as far as it
// still holds.
func (s *sitting) membership(group db.Principal, args regroupArgs, away []string) itip.Membership {
	name := cuaddr.Mailto(group.Address)
	joined := map[string]bool{}
	for _, a := range args.Joined {
		joined[a] = true
	}
	inside := map[string]bool{}
	m := itip.Membership{Fresh: args.Fresh, Group: s.self(group, false)}
	for _, n := range s.inGroup(name) {
		inside[n.Address.Fold()] = true
		if joined[n.Address.String()] && !slices.Contains(away, n.Address.Fold()) {
			m.Joined = append(m.Joined, n)
		}
	}
	left := map[string]bool{}
	gone := map[int64]bool{} // those here, by whichever of their addresses
	for _, t := range args.Left {
		a, err := cuaddr.Parse(t)
		if err != nil || inside[a.Fold()] {
			continue
		}
		left[a.Fold()] = true
		if p := s.find(a); p != nil {
			gone[p.ID] = true
		}
	}
	m.Left = func(a cuaddr.Address) bool {
		p := s.find(a)
		return left[a.Fold()] || p != nil && gone[p.ID]
	}
	return m
}

// noteGroups remembers into which meetings groups are invited.
func (s *sitting) noteGroups(h *holding) error {
	if !scheduled(kindOf(h.was, h.obj)) {
		return nil
	}
	was, is := s.groupsIn(h, h.was), s.groupsIn(h, h.obj)
	if slices.Equal(was, is) && (h.row != nil || len(is) == 0) {
		return nil
	}
	return s.tx.SetInvited(h.uid, h.owner.ID, is)
}

func kindOf(objs ...*ics.Object) string {
	for _, o := range objs {
		if o != nil {
			return o.Kind()
		}
	}
	return ""
}

// groupsIn returns the groups that the owner of a copy invites in it, by id.
func (s *sitting) groupsIn(h *holding, o *ics.Object) (ids []int64) {
	if o == nil {
		return nil
	}
	if by := s.find(ics.Organizer(o.First())); by == nil || by.ID != h.owner.ID {
		return nil
	}
	for _, c := range o.Main() {
		for _, l := range ics.Attendees(c) {
			if g := s.find(ics.CalAddress(l)); g != nil && g.Kind == db.Group && !slices.Contains(ids, g.ID) {
				ids = append(ids, g.ID)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// Disband takes a group that is about to be removed out of the meetings into
// which it is invited, each in a transaction of its own; its members stay in
// them. It returns how many meetings those were; interrupted, it may be called
// again.
func (d *Desk) Disband(ctx context.Context, group db.Principal, door string) (n int, err error) {
	for {
		var page []db.Invited
		err := d.store.View(ctx, func(tx *db.Tx) (err error) {
			page, err = tx.InvitedTo(group.ID, db.Invited{}, followed)
			return err
		})
		if err != nil || len(page) == 0 {
			return n, err
		}
		for _, m := range page {
			err := d.transact(ctx, locks{uids: []string{m.UID}}, func(s *sitting) error { return s.disband(group, m, door) })
			if err != nil {
				return n, err
			}
			n++
		}
	}
}

func (s *sitting) disband(group db.Principal, m db.Invited, door string) error {
	forget := func() error {
		is, err := s.tx.InvitedGroups(m.UID, m.Organizer)
		if err != nil {
			return err
		}
		return s.tx.SetInvited(m.UID, m.Organizer, slices.DeleteFunc(is, func(id int64) bool { return id == group.ID }))
	}
	organizer, err := s.tx.Principal(m.Organizer)
	if errors.Is(err, db.ErrNotFound) {
		return forget()
	}
	if err != nil {
		return err
	}
	h, err := s.part(organizer, m.UID)
	if err != nil {
		return err
	}
	if h.obj == nil {
		return forget()
	}
	if err := s.meetIn(h.obj); err != nil {
		return err
	}
	me, err := s.actor(h, false)
	if err != nil {
		return err
	}
	after := itip.Disband(me, h.obj, s.self(group, false))
	if after == nil {
		return forget()
	}
	s.decide(db.Decision{
		Direction: "local", Door: door, UID: m.UID, Principal: organizer.ID, From: group.Address,
		Rule: "the group is no more, its members stay", Outcome: "applied",
	})
	return s.originate(h, after, itip.Options{Seen: true}, door)
}
