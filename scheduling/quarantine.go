package scheduling

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/itip"
)

// inQuarantine returns the entry of a copy that nobody has written since it
// came into quarantine; nil for any other.
func (s *sitting) inQuarantine(h *holding) (*db.Quarantined, error) {
	q, err := s.entry(h)
	if q == nil || !q.InForce || q.Object != h.row.ID {
		return nil, err
	}
	return q, err
}

// entry returns the quarantine's entry of a copy, in force or not.
func (s *sitting) entry(h *holding) (*db.Quarantined, error) {
	if h.row == nil {
		return nil, nil
	}
	q, err := s.tx.Quarantine(h.owner.ID, h.row.UID)
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil
	}
	return &q, err
}

// holdBack decides whether a message of an organizer reaches a calendar, or its
// quarantine (held), or neither (stop says why; decision 11). delegated: it comes
// from an attendee who sends the recipient in his place (decision 25).
func (s *sitting) holdBack(h *holding, m Deliver, method itip.Method, organizer cuaddr.Address, delegated bool) (held *db.Quarantined, stop string, err error) {
	fresh := &db.Quarantined{
		Principal: m.Recipient.ID, UID: m.Body.UID(), From: m.From.String(), Organizer: organizer.String(), Summary: m.Body.First().Text("SUMMARY"),
	}
	const no = "the sender is not the organizer"
	stranger := !delegated && (m.Quarantine || !s.speaksFor(m, m.Body.First(), organizer))
	if h.obj == nil {
		switch {
		case stranger && method != itip.Request:
			return nil, no, nil
		case stranger && m.Believed == Unverified:
			fresh.Rule = "nothing proves who sent it"
			return fresh, "", nil
		case stranger:
			fresh.Rule = no
			return fresh, "", nil
		case method != itip.Request && method != itip.Publish:
			return nil, "", nil
		}
		fresh.Rule, err = s.unknown(m.Recipient, organizer)
		if fresh.Rule == "" || err != nil {
			return nil, "", err
		}
		return fresh, "", nil
	}
	q, err := s.entry(h)
	switch {
	case err != nil:
		return nil, "", err
	case q == nil && !stranger:
		return nil, "", nil
	case q == nil || stranger && q.From != m.From.String():
		return nil, no, nil
	case !q.InForce || q.Object != h.row.ID: // adopted
		return nil, "", nil
	}
	fresh.Rule, fresh.From, fresh.Created = q.Rule, q.From, q.Created
	return fresh, "", nil
}

// unknown says why an organizer's invitations do not go straight into
// somebody's calendar, by his own choice; "" where they do.
func (s *sitting) unknown(p db.Principal, organizer cuaddr.Address) (string, error) {
	if p.Kind != db.Person || s.find(organizer) != nil {
		return "", nil
	}
	prefs, err := s.tx.Preferences(p.ID)
	mode := prefs[directory.UnknownOrganizers]
	if err != nil || mode == "" || mode == "everyone" {
		return "", err
	}
	for w := range strings.FieldsSeq(prefs[directory.KnownOrganizers]) {
		if domain, all := strings.CutPrefix(strings.ToLower(w), "@"); all && domain == organizer.Domain() || strings.EqualFold("mailto:"+w, organizer.String()) {
			return "", nil
		}
	}
	switch mode {
	case "own-domain":
		all, err := s.tx.Addresses(p.ID)
		if err != nil || slices.ContainsFunc(all, func(a string) bool { return cuaddr.Mailto(a).Domain() == organizer.Domain() }) {
			return "", err
		}
	case "contacts":
		found, err := s.contact(p, organizer)
		if err != nil || found {
			return "", err
		}
	}
	return "an organizer whom the policy " + mode + " does not know", nil
}

// maxContacts bounds how many cards are looked through for one invitation.
const maxContacts = 20_000

// contact reports whether one of somebody's cards has a mail address.
func (s *sitting) contact(p db.Principal, who cuaddr.Address) (bool, error) {
	cols, err := s.tx.Collections(p.ID, db.AddressBook)
	if err != nil {
		return false, err
	}
	seen := 0
	for _, c := range cols {
		for after := ""; seen < maxContacts; {
			page, err := s.tx.List(c.ID, after, 200)
			if err != nil {
				return false, err
			}
			var ids []int64
			for _, o := range page {
				ids = append(ids, o.ID)
				after = o.Name
			}
			seen += len(page)
			cards, err := s.tx.SmallByIDs(ids, 1<<20)
			if err != nil {
				return false, err
			}
			if slices.ContainsFunc(cards, func(o db.Object) bool { return cardHas(o.Body, who) }) {
				return true, nil
			}
			if len(page) < 200 {
				break
			}
		}
	}
	return false, nil
}

var unfolder = strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\n ", "", "\n\t", "")

// cardHas reports whether a vCard has an EMAIL (RFC 6350 §6.4.2).
func cardHas(card []byte, who cuaddr.Address) bool {
	if !bytes.Contains(bytes.ToUpper(card), []byte("EMAIL")) {
		return false
	}
	for line := range strings.Lines(unfolder.Replace(string(card))) {
		head, value, ok := strings.Cut(line, ":")
		name, _, _ := strings.Cut(head, ";")
		if i := strings.LastIndexByte(name, '.'); i >= 0 { // a group
			name = name[i+1:]
		}
		if ok && strings.EqualFold(name, "EMAIL") {
			if a, err := cuaddr.Parse(value); err == nil && a.Fold() == who.Fold() {
				return true
			}
		}
	}
	return false
}

// flushQuarantine notes which of the written copies are in quarantine.
func (s *sitting) flushQuarantine() error {
	for _, h := range s.order {
		if h.held == nil || !h.dirty() {
			continue
		}
		if h.obj == nil {
			if err := s.tx.DeleteQuarantine(h.owner.ID, h.held.UID); err != nil {
				return err
			}
			continue
		}
		q := *h.held
		q.Object, q.Modseq = h.stored.ID, h.stored.Modseq
		if q.Created.IsZero() {
			q.Created = s.now
		}
		if err := s.tx.PutQuarantine(&q); err != nil {
			return err
		}
	}
	return nil
}

// Release takes an invitation out of quarantine, as if its organizer had been
// known: it counts as any other. The sender may update it from now on. Nobody
// is told. db.ErrNotFound: it is not in quarantine.
func (d *Desk) Release(ctx context.Context, id int64, door string) error {
	return d.endQuarantine(ctx, id, door, func(h *holding, x *db.Decision) {
		x.Rule, x.Outcome = "released from quarantine", "applied"
	})
}

// Drop removes an invitation that is in quarantine from the calendar. Nobody is
// told: its sender does not learn that it arrived. db.ErrNotFound: it is not in
// quarantine.
func (d *Desk) Drop(ctx context.Context, id int64, door string) error {
	return d.endQuarantine(ctx, id, door, func(h *holding, x *db.Decision) {
		x.Rule, x.Outcome = "dropped from quarantine", "applied"
		h.obj = nil
	})
}

func (d *Desk) endQuarantine(ctx context.Context, id int64, door string, end func(*holding, *db.Decision)) error {
	var q db.Quarantined
	err := d.store.Read(ctx, func(tx *db.Tx) (err error) {
		q, err = tx.QuarantineByID(id)
		return err
	})
	if err != nil {
		return err
	}
	return d.transact(ctx, locks{uids: []string{q.UID}}, func(s *sitting) error {
		owner, err := s.tx.Principal(q.Principal)
		if err != nil {
			return err
		}
		h, err := s.part(owner, q.UID)
		if err != nil {
			return err
		}
		held, err := s.inQuarantine(h)
		if err != nil {
			return err
		}
		if held == nil || held.ID != id {
			return db.ErrNotFound
		}
		h.changed = true
		x := db.Decision{
			Direction: "user", Door: door, UID: q.UID, Principal: owner.ID, To: owner.Address, Detail: "from " + q.From + ", organizer " + q.Organizer,
		}
		end(h, &x)
		if h.obj == nil {
			h.held = held
		}
		s.decide(x)
		return nil
	})
}
