package imipbridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// belief is how sure it is who sent a message, and what [trust] makes of it
// (decisions 10 and 11).
type belief struct {
	degree     scheduling.Belief
	act        bool // it may change something
	quarantine bool // a new REQUEST may be stored where it decides nothing
}

// fromOrganizer tells the methods that an organizer sends from those that an
// attendee sends (RFC 5546 §1.4).
func fromOrganizer(method string) bool {
	return method != "REPLY" && method != "COUNTER" && method != "REFRESH"
}

// believe weighs header From and the evidence for it against whom the message
// speaks for.
func (b *Bridge) believe(tx *db.Tx, m *imip.Mail, evidence imip.Evidence, o *ics.Object, rcpt db.Principal) (belief, error) {
	method := o.Method()
	speaks, err := b.speaks(tx, m, o, rcpt)
	if err != nil {
		return belief{}, err
	}
	switch {
	case evidence == imip.Failed || m.Froms != 1:
		return belief{degree: scheduling.Contradicted}, nil
	case !speaks:
		// Calendars that are no mailbox, booking systems, assistants: stored
		// where it decides nothing, if it is sure at least who sent it.
		sure := evidence == imip.Passed || b.opt.Trust.Unverified == "all"
		return belief{degree: scheduling.Contradicted, quarantine: method == "REQUEST" && sure}, nil
	case evidence == imip.Passed:
		return belief{degree: scheduling.Proved, act: true}, nil
	}
	w := belief{degree: scheduling.Unverified}
	switch b.opt.Trust.Unverified {
	case "all":
		w.act = true
	case "reply":
		w.act = !fromOrganizer(method)
		w.quarantine = method == "REQUEST"
	}
	return w, nil
}

// speaks reports whether header From is the ORGANIZER or the ATTENDEE that the
// message speaks for, or its SENT-BY.
func (b *Bridge) speaks(tx *db.Tx, m *imip.Mail, o *ics.Object, rcpt db.Principal) (bool, error) {
	from := m.From.Address
	if from.IsZero() || o.First() == nil {
		return false, nil
	}
	prop := "ATTENDEE"
	if fromOrganizer(o.Method()) {
		prop = "ORGANIZER"
	}
	lines := o.First().PropsNamed(prop)
	if o.Method() == "REQUEST" { // RFC 5546 §3.2.2.3: a delegator forwards what he got
		self, err := directory.Self(tx, rcpt, false)
		if err != nil {
			return false, err
		}
		if by := itip.Delegator(o, self); by != nil {
			lines = append(lines, by)
		}
	}
	for _, p := range lines {
		same, err := samePerson(tx, ics.CalAddress(p), from)
		if same || err != nil {
			return same, err
		}
	}
	for _, p := range lines {
		by := imip.SentBy(p)
		if by.IsZero() {
			continue
		}
		same, err := samePerson(tx, by, from)
		if err != nil {
			return false, err
		}
		if !same {
			continue
		}
		// RFC 6047 §2.2.1: nothing tells whether the organizer knows of who
		// says to act for him. An update is believed from his own domain, or
		// from whom the copy at hand names already.
		if prop == "ORGANIZER" && !imip.Aligned(by.Domain(), ics.CalAddress(p).Domain()) {
			return b.namedBefore(tx, o.UID(), rcpt, by)
		}
		return true, nil
	}
	return false, nil
}

// namedBefore reports whether the recipient has no copy yet, or one that names
// by as acting for the organizer.
func (b *Bridge) namedBefore(tx *db.Tx, uid string, rcpt db.Principal, by cuaddr.Address) (bool, error) {
	have, err := tx.ObjectsByUID(uid, rcpt.ID)
	if err != nil || len(have) == 0 {
		return err == nil, err
	}
	return slices.ContainsFunc(have, func(x db.OwnedObject) bool {
		o, err := ics.Parse(x.Body, ics.Limits{})
		if err != nil || o.First() == nil {
			return false
		}
		p := o.First().Prop("ORGANIZER")
		return p != nil && imip.Same(imip.SentBy(p), by)
	}), nil
}

// samePerson reports whether two addresses name one calendar user: the same
// mailbox, or two addresses of one person here.
func samePerson(tx *db.Tx, a, b cuaddr.Address) (bool, error) {
	if imip.Same(a, b) {
		return true, nil
	}
	if a.IsZero() || b.IsZero() {
		return false, nil
	}
	p, err := directory.Lookup(tx, a)
	if errors.Is(err, directory.ErrUnknown) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	q, err := directory.Lookup(tx, b)
	if errors.Is(err, directory.ErrUnknown) {
		return false, nil
	}
	return err == nil && p.ID == q.ID, err
}

// evidence returns what is known of who sent the mail: what our own servers
// wrote into it, else its DKIM signatures; and says by what.
func (b *Bridge) evidence(ctx context.Context, data []byte, m *imip.Mail) (imip.Evidence, string) {
	got, why := m.Evidence(b.opt.Trust.AuthservIDs)
	switch {
	case got != imip.None:
		return got, "Authentication-Results: " + why
	case m.Froms != 1:
		return got, fmt.Sprintf("%d senders in From", m.Froms)
	case b.opt.Trust.LookupTXT == nil || m.Ambiguous:
		return got, "no evidence of who sent it"
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	list, err := dkim.VerifyWithOptions(bytes.NewReader(data), &dkim.VerifyOptions{
		MaxVerifications: 3,
		LookupTXT:        func(name string) ([]string, error) { return b.opt.Trust.LookupTXT(ctx, name) },
	})
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		return imip.None, "DKIM: " + err.Error()
	}
	why = "no evidence of who sent it"
	for _, v := range list {
		// A signature that fails is as good as none (RFC 6376 §6.1).
		switch {
		case v.Err != nil:
			why = "DKIM signature of " + v.Domain + ": " + strings.TrimPrefix(v.Err.Error(), "dkim: ")
		case !v.Expiration.IsZero() && !b.now().Before(v.Expiration):
			why = "DKIM signature of " + v.Domain + " has expired"
		case !imip.Aligned(v.Domain, m.From.Address.Domain()):
			why = "DKIM signature of " + v.Domain + ", which is not the sender's"
		default:
			return imip.Passed, "DKIM signature of " + v.Domain
		}
	}
	return imip.None, why
}
