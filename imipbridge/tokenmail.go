package imipbridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// ruleAnswer takes mail at the address that stands for an organizer whose own
// domain is not ours. What is no answer, or had no effect, reaches him as it
// came.
func (b *Bridge) ruleAnswer(ctx context.Context, a *arrival, r recipient) (ruling, error) {
	t, ok := readReply(r.payload)
	var organizer db.Principal
	if ok {
		err := b.store.Read(ctx, func(tx *db.Tx) (err error) {
			organizer, err = tx.Principal(t.Principal)
			return err
		})
		if errors.Is(err, db.ErrNotFound) {
			ok = false
		} else if err != nil {
			return ruling{}, err
		}
	}
	if !ok {
		x := a.decision(r, 0, "")
		x.Rule, x.Outcome = "the organizer is gone", "ignored"
		return ruling{}, b.record(ctx, x)
	}
	r.principal = organizer
	consumed, proposed := false, false
	var notes []note
	for _, o := range a.mail.Objects {
		m, err := b.proved(ctx, a, t, organizer, o)
		if err != nil {
			return ruling{}, err
		}
		if m == nil { // the token says nothing about it
			said, err := b.deliverOne(ctx, a, r, organizer, o)
			if err != nil {
				return ruling{}, err
			}
			notes = append(notes, said)
			continue
		}
		m.Address, m.Consumed = cuaddr.Mailto(organizer.Address), true
		m.Note = a.detail("by the address for answers that only he was told")
		m.Key = a.key(r.address.Fold(), fmt.Sprint(organizer.ID), o.Method(), o.UID())
		said, v, err := b.bring(ctx, a, *m)
		if err != nil {
			return ruling{}, err
		}
		notes = append(notes, said)
		// A proposal is shown by mail programs, not by calendars: he gets it as it
		// came (decision 26).
		proposed = proposed || v.Applied && o.Method() == "COUNTER"
		consumed = consumed || v.Applied && o.Method() != "COUNTER"
	}
	if consumed {
		return ruling{notes: notes}, nil
	}
	x := a.decision(r, organizer.ID, "")
	if a.mail.Report != nil || a.envelope == "" {
		x.Rule, x.Outcome = "automatic mail at the address for answers", "ignored"
		return ruling{}, b.record(ctx, x)
	}
	x.Rule, x.Outcome = "no answer that counts: to the organizer as it came", "handed on"
	if proposed {
		x.Rule = "a proposal: to the organizer as it came"
	}
	return ruling{mailbox: organizer.Address, forward: true, notes: notes}, b.record(ctx, x)
}

// proved returns the message in the words of the organizer's own copy, if the
// token proves who sent it: the invited address in ATTENDEE, the real ORGANIZER
// in place of the token. nil: the token was made for something else.
func (b *Bridge) proved(ctx context.Context, a *arrival, t replyToken, organizer db.Principal, o *ics.Object) (*scheduling.Deliver, error) {
	if fromOrganizer(o.Method()) || !t.conversation(a.keys, o.UID()) || o.First() == nil {
		return nil, nil
	}
	var have []db.OwnedObject
	err := b.store.View(ctx, func(tx *db.Tx) (err error) {
		have, err = tx.ObjectsByUID(o.UID(), organizer.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, x := range have {
		stored, err := ics.Parse(x.Body, ics.Limits{})
		if err != nil || stored.First() == nil || stored.First().Prop("ORGANIZER") == nil {
			continue
		}
		invited, ok := invitedBy(a.keys, t, stored)
		renamed := false
		if !ok {
			if invited, ok, err = b.renamed(ctx, a.keys, t, o, stored); err != nil {
				return nil, err
			}
			renamed = ok
		}
		if !ok {
			continue
		}
		body := imip.WithOrganizer(o, *stored.First().Prop("ORGANIZER"))
		if lines := ics.Attendees(o.First()); renamed {
			body = imip.WithAttendee(body, invited)
		} else if len(lines) == 1 {
			wrote := ics.CalAddress(lines[0])
			if !imip.Same(wrote, invited) {
				// An alias of whom was invited, or somebody whom he told? An
				// alias is of his domain, and nobody else on the list.
				if !imip.Aligned(wrote.Domain(), invited.Domain()) || listed(stored, wrote) {
					return nil, nil
				}
				body = imip.WithAttendee(body, invited)
			}
		}
		return &scheduling.Deliver{Recipient: organizer, Attendee: invited, Body: body, Believed: scheduling.Proved, Act: true}, nil
	}
	return nil, nil
}

// renamed returns the attendee under the address that he has now, where the
// token was made for him under an earlier one, by which his program answers.
func (b *Bridge) renamed(ctx context.Context, k keys, t replyToken, o, stored *ics.Object) (invited cuaddr.Address, ok bool, err error) {
	lines := ics.Attendees(o.First())
	if len(lines) != 1 || !t.names(k, o.UID(), ics.CalAddress(lines[0])) {
		return invited, false, nil
	}
	err = b.store.View(ctx, func(tx *db.Tx) error {
		p, err := directory.Lookup(tx, ics.CalAddress(lines[0]))
		if errors.Is(err, directory.ErrUnknown) {
			return nil
		}
		if err != nil {
			return err
		}
		self, err := directory.Self(tx, p, false)
		if err != nil {
			return err
		}
		for _, c := range stored.Main() {
			if l := ics.Attendee(c, self); l != nil {
				invited, ok = ics.CalAddress(l), true
			}
		}
		return nil
	})
	return invited, ok, err
}

// invitedBy returns the attendee for whom the token was made.
func invitedBy(k keys, t replyToken, o *ics.Object) (cuaddr.Address, bool) {
	for _, c := range o.Main() {
		for _, p := range ics.Attendees(c) {
			if a := ics.CalAddress(p); t.names(k, o.UID(), a) {
				return a, true
			}
		}
	}
	return cuaddr.Address{}, false
}

func listed(o *ics.Object, who cuaddr.Address) bool {
	for _, c := range o.Main() {
		if ics.Attendee(c, func(a cuaddr.Address) bool { return imip.Same(a, who) }) != nil {
			return true
		}
	}
	return false
}

// ruleBounce takes what comes to the envelope sender of a mail of ours:
// delivery reports, automatic answers, and people who answer to it by mistake.
func (b *Bridge) ruleBounce(ctx context.Context, a *arrival, r recipient) (ruling, error) {
	id, created, ok := readDelivery(r.payload)
	var sent sentMail
	if ok {
		var err error
		if sent, ok, err = b.sentMail(ctx, id, mailKey(id, created)); err != nil {
			return ruling{}, err
		}
	}
	x := a.decision(r, sent.principal, sent.uid)
	x.Outcome = "ignored"
	if !ok {
		x.Rule = "about a mail that is not known any more"
		return ruling{}, b.record(ctx, x)
	}
	report := a.mail.Report
	if a.envelope == "" { // RFC 3834 §3.3, RFC 5321 §4.5.5: nobody but a mail server or a vacation note
		if worded := a.mail.Worded(sent.rcpt); worded != nil {
			report = worded
		}
	}
	failed := (*imip.Delivery)(nil)
	if report != nil {
		failed = report.Failed(sent.rcpt)
	}
	switch {
	case failed != nil && r.kind == kindCopy:
		x.Rule = "a mail copy to somebody here was not delivered" // the calendar has it
		x.Detail = failed.Status + " " + failed.Diagnostic
	case failed != nil:
		status := deliveryStatus(failed.Status, 0)
		x.Rule, x.Outcome, x.Detail = "delivery report: "+status, "applied", failed.Status+" "+failed.Diagnostic
		if err := b.desk.Bounced(ctx, sent.principal, sent.uid, sent.rcpt, status, strings.TrimSpace(x.Detail)); err != nil {
			return ruling{}, err
		}
		if err := b.tell(ctx, mailKey(id, created), sent.principal, sent.uid, sent.rcpt, strings.TrimSpace(x.Detail)); err != nil {
			return ruling{}, err
		}
	case report != nil:
		x.Rule = "delivery report: nothing final"
		if said := report.Actions(sent.rcpt); len(said) > 0 {
			x.Rule = "delivery report: " + strings.Join(said, ", ")
		}
	case a.noReply():
		x.Rule = "automatic answer to a mail of ours"
	default:
		var owner *db.Principal
		err := b.store.View(ctx, func(tx *db.Tx) (err error) {
			owner, err = reads(tx, sent.principal)
			return err
		})
		if err != nil {
			return ruling{}, err
		}
		if owner != nil {
			x.Rule, x.Outcome = "an answer to the envelope: to whom it was sent for", "handed on"
			return ruling{mailbox: owner.Address, forward: true}, b.record(ctx, x)
		}
		x.Rule = "an answer to the envelope of somebody without a mailbox"
	}
	return ruling{}, b.record(ctx, x)
}

// sentMail is what is known of a mail that went out.
type sentMail struct {
	principal int64
	uid       string
	rcpt      cuaddr.Address
}

// mailKey is the key of the decision by which a mail left the queue.
func mailKey(id int64, created time.Time) string {
	return fmt.Sprintf("out:%d:%d", id, created.UnixMicro())
}

// sentMail finds a mail by the decision that it left, or in the queue if the
// report was faster than our commit.
func (b *Bridge) sentMail(ctx context.Context, id int64, key string) (s sentMail, ok bool, err error) {
	err = b.store.Read(ctx, func(tx *db.Tx) error {
		d, err := tx.DecisionByKey(key)
		if err == nil {
			to, _ := cuaddr.Parse(d.To)
			s, ok = sentMail{d.Principal, d.UID, to}, true
			return nil
		}
		if !errors.Is(err, db.ErrNotFound) {
			return err
		}
		row, err := tx.Delivery(id)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		if err == nil && mailKey(row.ID, row.Created) == key {
			to, _ := cuaddr.Parse(row.Rcpt)
			s, ok = sentMail{row.Principal, row.UID, to}, true
		}
		return err
	})
	return s, ok, err
}
