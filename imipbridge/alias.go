package imipbridge

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// inReply is the mail of ours that a mail answers, by its References: proof
// that its sender has seen what only one recipient got.
type inReply struct {
	sentMail
	ok bool
}

// answers finds the mail of ours that a mail answers, asked once a mail.
func (a *arrival) answers(ctx context.Context, b *Bridge) (inReply, error) {
	if a.inReply != nil {
		return *a.inReply, nil
	}
	var found inReply
	for _, id := range a.mail.References {
		local, _, _ := strings.Cut(id, "@")
		kind, payload := a.keys.unpack(local)
		if kind != kindID {
			continue
		}
		row, created, ok := readDelivery(payload)
		if !ok {
			continue
		}
		s, ok, err := b.sentMail(ctx, row, mailKey(row, created))
		if err != nil {
			return found, err
		}
		if ok {
			found = inReply{s, true}
			break
		}
	}
	a.inReply = &found
	return found, nil
}

// respell brings an attendee's message into the words of the organizer's own
// copy: programs answer under the main address of a mailbox where an alias was
// invited, and with a UID in another case. note says what was done; the message
// is returned as it is where nothing was. others are those whom that copy names.
func (b *Bridge) respell(ctx context.Context, a *arrival, o *ics.Object, organizer db.Principal, w *belief) (_ *ics.Object, others []cuaddr.Address, note string, err error) {
	if fromOrganizer(o.Method()) || o.First() == nil {
		return o, nil, "", nil
	}
	ref, err := a.answers(ctx, b)
	if err != nil {
		return o, nil, "", err
	}
	var lines []*ics.Prop
	var uid string
	err = b.store.View(ctx, func(tx *db.Tx) error {
		lines, uid = nil, ""
		have, err := tx.ObjectsByUID(o.UID(), organizer.ID)
		if err != nil {
			return err
		}
		if len(have) == 0 { // Exchange writes UIDs in upper case
			for _, other := range []string{ref.uid, strings.ToLower(o.UID()), strings.ToUpper(o.UID())} {
				if other == o.UID() || !strings.EqualFold(other, o.UID()) {
					continue
				}
				if have, err = tx.ObjectsByUID(other, organizer.ID); err != nil {
					return err
				}
				if len(have) > 0 {
					uid = other
					break
				}
			}
		}
		for _, x := range have {
			stored, err := ics.Parse(x.Body, ics.Limits{})
			if err != nil {
				continue
			}
			for _, c := range stored.Main() {
				lines = append(lines, ics.Attendees(c)...)
			}
		}
		return nil
	})
	if err != nil || len(lines) == 0 {
		return o, nil, "", err
	}
	for _, p := range lines {
		others = append(others, ics.CalAddress(p))
	}
	var notes []string
	if uid != "" {
		o = imip.WithUID(o, uid)
		notes = append(notes, "UID in another case")
	}
	if list := ics.Attendees(o.First()); len(list) == 1 {
		invited, why, err := b.invitedAs(ctx, a, list[0], lines, ref, *w)
		if err != nil {
			return o, nil, "", err
		}
		if !invited.IsZero() {
			o = imip.WithAttendee(o, invited)
			notes = append(notes, "invited as "+invited.Mail()+": "+why)
		} else if w.degree == scheduling.Contradicted && b.vouched(a, ref, list[0]) {
			// He answers from another mailbox of his organisation, which proves
			// itself, to the mail that went to the attendee alone.
			w.degree, w.act = scheduling.Proved, true
			notes = append(notes, "answers our mail to "+ref.rcpt.Mail()+" from the same organisation")
		}
	}
	return o, others, strings.Join(notes, "; "), nil
}

// invitedAs returns under which of the invited addresses somebody answers who
// is not among them; zero if he is, or nobody can tell.
func (b *Bridge) invitedAs(ctx context.Context, a *arrival, line *ics.Prop, invited []*ics.Prop, ref inReply, w belief) (_ cuaddr.Address, why string, err error) {
	wrote := ics.CalAddress(line)
	var zero cuaddr.Address
	if wrote.Mail() == "" || !w.act || slices.ContainsFunc(invited, func(p *ics.Prop) bool { return imip.Same(ics.CalAddress(p), wrote) }) {
		return zero, "", nil
	}
	local := false
	err = b.store.View(ctx, func(tx *db.Tx) error {
		_, err := directory.Lookup(tx, wrote)
		local = err == nil
		if errors.Is(err, directory.ErrUnknown) {
			err = nil
		}
		return err
	})
	if err != nil || local {
		return zero, "", err
	}
	// The mail that he answers went to this address alone. Forwarded, it may be
	// answered by anybody: an alias is of the same organisation.
	if ref.ok && imip.Aligned(ref.rcpt.Domain(), wrote.Domain()) && !imip.Shared(wrote.Domain()) {
		for _, p := range invited {
			if imip.Same(ics.CalAddress(p), ref.rcpt) {
				return ics.CalAddress(p), "he answers the mail to it", nil
			}
		}
	}
	only := func(match func(cuaddr.Address, *ics.Prop) bool) cuaddr.Address {
		var one cuaddr.Address
		for _, p := range invited {
			x := ics.CalAddress(p)
			if x.Mail() == "" || !match(x, p) || imip.Same(x, one) {
				continue
			}
			if !one.IsZero() {
				return zero // two may be meant
			}
			one = x
		}
		return one
	}
	if x := only(func(x cuaddr.Address, _ *ics.Prop) bool { return untagged(x) == untagged(wrote) }); !x.IsZero() {
		return x, "the same mailbox with a tag", nil
	}
	name := strings.TrimSpace(line.Param("CN"))
	if name == "" || strings.Contains(name, "@") {
		name = a.mail.From.Name
	}
	if w.degree == scheduling.Proved && name != "" && !imip.Shared(wrote.Domain()) {
		x := only(func(x cuaddr.Address, p *ics.Prop) bool {
			return ics.PartStat(p) == "NEEDS-ACTION" && strings.EqualFold(strings.TrimSpace(p.Param("CN")), name) && imip.Aligned(x.Domain(), wrote.Domain())
		})
		if !x.IsZero() {
			return x, "the only one of that name and organisation who has not answered", nil
		}
	}
	return zero, "", nil
}

// vouched reports whether a mail that is not from the attendee proves all the
// same that he answers: it answers the mail that went to him alone, and comes,
// proved, from his organisation.
func (b *Bridge) vouched(a *arrival, ref inReply, line *ics.Prop) bool {
	attendee, from := ics.CalAddress(line), a.mail.From.Address
	got, _ := a.evidence()
	return ref.ok && imip.Same(ref.rcpt, attendee) && got == imip.Passed && a.mail.Froms == 1 &&
		imip.Aligned(from.Domain(), attendee.Domain()) && !imip.Shared(from.Domain())
}

// untagged is a mail address without its tag, in lower case.
func untagged(a cuaddr.Address) string {
	local, domain := strings.ToLower(a.Local()), a.Domain()
	if i := strings.IndexByte(local, '+'); i > 0 {
		local = local[:i]
	}
	return local + "@" + domain
}
