package scheduling

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

const (
	jobRename  = "rename"  // find the conversations of who has a new address
	jobRenamed = "renamed" // write it into one of them
)

// renameArgs is the work of both jobs about a new address, or, with "@", a new
// domain.
type renameArgs struct {
	Old, New string

	After     int64  `json:",omitempty"` // rename: go on after this object; renamed: after this principal
	UID       string `json:",omitempty"` // rename of a group: go on after this meeting
	Organizer int64  `json:",omitempty"` // of that; renamed: whose copy tells of a group
}

// Rename gives somebody another primary address, and queues in the same
// transaction that his conversations follow, one by one. Errors are those of
// directory.Rename.
func Rename(tx *db.Tx, p db.Principal, address string) error {
	if err := directory.Rename(tx, p, address); err != nil {
		return err
	}
	return follow(tx, p.ID, p.Address, address)
}

// RenameDomain does so with all addresses that somebody has in a domain. It
// reports whether his primary address is another one now.
func RenameDomain(tx *db.Tx, p db.Principal, from, to string) (bool, error) {
	renamed, err := directory.RenameDomain(tx, p, from, to)
	if err != nil {
		return false, err
	}
	return renamed, follow(tx, p.ID, "@"+from, "@"+to)
}

func follow(tx *db.Tx, id int64, from, to string) error {
	raw, err := json.Marshal(renameArgs{Old: strings.ToLower(from), New: to})
	if err != nil {
		return err
	}
	tx.Wake("job")
	return tx.InsertJob(&db.Job{Kind: jobRename, Principal: id, Args: raw})
}

// rename queues one job for each conversation of who has a new address, page by
// page: those in his calendars, those into which a group is invited, and those
// about which mail waits.
func (s *sitting) rename(j db.Job) error {
	var args renameArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return err
	}
	p, here, err := s.present(j.Principal)
	if !here || err != nil {
		return err
	}
	more := false
	next := args
	work := func(uid string, organizer int64) error {
		return s.later(jobRenamed, uid, p.ID, renameArgs{Old: args.Old, New: args.New, Organizer: organizer})
	}
	if args.After == 0 && args.UID == "" {
		addresses, err := s.tx.Addresses(p.ID)
		if err != nil {
			return err
		}
		for i, a := range addresses {
			addresses[i] = cuaddr.Mailto(a).String()
		}
		uids, err := s.tx.QueuedAbout(p.ID, addresses)
		if err != nil {
			return err
		}
		slices.Sort(uids)
		for _, uid := range slices.Compact(uids) {
			if err := work(uid, 0); err != nil {
				return err
			}
		}
	}
	if p.Kind == db.Group {
		page, err := s.tx.InvitedTo(p.ID, db.Invited{UID: args.UID, Organizer: args.Organizer}, followed)
		if err != nil {
			return err
		}
		for _, m := range page {
			if err := work(m.UID, m.Organizer); err != nil {
				return err
			}
			next.UID, next.Organizer = m.UID, m.Organizer
		}
		more = len(page) == followed
	} else {
		page, err := s.tx.Meetings(p.ID, args.After, followed)
		if err != nil {
			return err
		}
		for _, m := range page {
			if err := work(m.UID, 0); err != nil {
				return err
			}
			next.After = m.Object
		}
		more = len(page) == followed
	}
	if !more {
		return nil
	}
	return s.later(jobRename, "", p.ID, next)
}

// naming tells who has a new address, as far as the directory says so too.
func (s *sitting) naming(args renameArgs) itip.Naming {
	from, whole := strings.CutPrefix(args.Old, "@")
	to := strings.TrimPrefix(args.New, "@")
	if !whole {
		old, fresh := cuaddr.Mailto(args.Old), cuaddr.Mailto(args.New)
		return func(a cuaddr.Address) (cuaddr.Address, bool) {
			if a.Mail() == "" {
				return a, false
			}
			if a.Fold() == old.Fold() {
				return fresh, true
			}
			tag, tagged := strings.CutPrefix(strings.ToLower(a.Local()), strings.ToLower(old.Local())+"+")
			if !tagged || a.Domain() != old.Domain() {
				return a, false
			}
			return s.alsoAt(a, fresh.Local()+"+"+tag+"@"+fresh.Domain())
		}
	}
	return func(a cuaddr.Address) (cuaddr.Address, bool) {
		if a.Mail() == "" || a.Domain() != from {
			return a, false
		}
		return s.alsoAt(a, a.Local()+"@"+to)
	}
}

// alsoAt returns an address if it is that of whom another one names.
func (s *sitting) alsoAt(a cuaddr.Address, address string) (cuaddr.Address, bool) {
	b := cuaddr.Mailto(address)
	p, q := s.find(a), s.find(b)
	return b, p != nil && q != nil && p.ID == q.ID
}

// renamed writes a new address into everybody's copy of one conversation whose
// organizer is here. Who is invited from elsewhere stays in it under the address
// by which he was invited, and answers by that (RFC 5546 §3.2.3).
func (s *sitting) renamed(j db.Job) error {
	var args renameArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return err
	}
	id := j.Principal
	if args.Organizer != 0 {
		id = args.Organizer
	}
	p, here, err := s.present(id)
	if !here || err != nil {
		return err
	}
	to := s.naming(args)
	if args.After == 0 {
		if err := s.respellQueue(j.UID, to); err != nil {
			return err
		}
		if err := s.respellProposals(j.UID, to); err != nil {
			return err
		}
	}
	if err := s.load(j.UID, p); err != nil {
		return err
	}
	h := s.holdings[thread{p.ID, j.UID}]
	if h.obj == nil {
		return nil
	}
	if err := s.meetIn(h.obj); err != nil {
		return err
	}
	organizer := s.find(ics.Organizer(h.obj.First()))
	if organizer == nil {
		return nil
	}
	return s.renameAll(j, args, *organizer, to)
}

func (s *sitting) renameAll(j db.Job, args renameArgs, organizer db.Principal, to itip.Naming) error {
	if err := s.load(j.UID, organizer); err != nil {
		return err
	}
	t := s.holdings[thread{organizer.ID, j.UID}]
	if t.obj == nil {
		return nil // the meeting has ended; its copies are nobody's any more
	}
	people, err := s.attendees(t.obj, organizer.ID)
	if err != nil {
		return err
	}
	if by := s.find(ics.Organizer(t.obj.First())); by == nil || by.ID != organizer.ID {
		return nil
	}
	page, more := s.pageOf(people, args.After)
	if more {
		rest := args
		rest.After = page[len(page)-1].ID
		if err := s.later(jobRenamed, j.UID, j.Principal, rest); err != nil {
			return err
		}
	}
	if err := s.lockDeciding(append([]db.Principal{organizer}, page...)...); err != nil {
		return err
	}
	if err := s.load(j.UID, page...); err != nil {
		return err
	}
	n := 0
	prior := t.obj
	var turn []*letter
	if args.After == 0 {
		me, err := s.actor(t, false)
		if err != nil {
			return err
		}
		after, msgs, changed := itip.Rename(me, t.obj, to, func(a cuaddr.Address) bool { return s.find(a) == nil })
		if changed {
			t.obj, t.changed, t.newTag = after, true, true
			n++
		}
		turn = letters(msgs, organizer, prior, "queue", false)
		for _, l := range turn {
			l.outside = true
		}
	}
	// Equal copies are made once.
	done := map[*ics.Object]*ics.Object{}
	for _, p := range page {
		h := s.holdings[thread{p.ID, j.UID}]
		if h.obj == nil {
			continue
		}
		if by := s.find(ics.Organizer(h.obj.First())); by == nil || by.ID != organizer.ID {
			continue // another conversation of this UID (decision 14)
		}
		held, err := s.inQuarantine(h)
		if err != nil {
			return err
		}
		after, known := done[h.obj]
		if !known {
			if err := s.meetIn(h.obj); err != nil {
				return err
			}
			after, _ = itip.RenameCopy(h.obj, to, t.obj)
			done[h.obj] = after
		}
		if after != h.obj {
			h.obj, h.changed, h.newTag, h.held = after, true, true, held
			n++
		}
	}
	if n == 0 {
		return nil
	}
	s.decide(db.Decision{
		Direction: "local", Door: "queue", UID: j.UID, Principal: organizer.ID, From: args.Old, To: args.New,
		Rule: "a new address", Outcome: "applied", Detail: plural(n, "copy"),
	})
	return s.circulate(t, turn)
}

// respellQueue writes a new address into mail that waits, of conversations whose
// organizer is here.
func (s *sitting) respellQueue(uid string, to itip.Naming) error {
	waiting, err := s.tx.DeliveriesAbout(uid)
	if err != nil {
		return err
	}
	for i := range waiting {
		q := &waiting[i]
		if q.Token != "" {
			continue
		}
		changed := false
		if body, err := ics.Parse(q.Body, storedLimits); err == nil { // a notice or a round-up is none
			if err := s.meetIn(body); err != nil {
				return err
			}
			if s.find(ics.Organizer(body.First())) == nil {
				continue
			}
			var o *ics.Object
			o, changed = itip.Respell(body, to)
			q.Body = o.Bytes()
		}
		if q.Prior != nil {
			was, err := ics.Parse(q.Prior, storedLimits)
			if err != nil {
				return err
			}
			o, hit := itip.Respell(was, to)
			q.Prior, changed = o.Bytes(), changed || hit
		}
		for _, a := range []*string{&q.From, &q.Rcpt} {
			if old, err := cuaddr.Parse(*a); err == nil {
				if b, ok := to(old); ok {
					*a, changed = b.String(), true
				}
			}
		}
		if changed {
			if err := s.tx.RewriteDelivery(q); err != nil {
				return err
			}
		}
	}
	return nil
}

// respellProposals writes a new address into what is proposed about a meeting
// and not decided.
func (s *sitting) respellProposals(uid string, to itip.Naming) error {
	open, err := s.tx.ProposalsAbout(uid)
	if err != nil {
		return err
	}
	for i := range open {
		p := &open[i]
		body, err := ics.Parse(p.Body, storedLimits)
		if err != nil {
			return err
		}
		o, changed := itip.Respell(body, to)
		if a, err := cuaddr.Parse(p.Attendee); err == nil {
			if b, ok := to(a); ok {
				p.Attendee, changed = b.String(), true
			}
		}
		if !changed {
			continue
		}
		if err := s.tx.DeleteProposal(p.ID); err != nil {
			return err
		}
		p.Body = o.Bytes()
		if err := s.tx.PutProposal(p); err != nil {
			return err
		}
	}
	return nil
}
