package imipbridge

import (
	"cmp"
	"context"
	"errors"
	"runtime/debug"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// letter is a mail ready to go.
type letter struct {
	from, to string // envelope
	id       string // Message-ID with its angle brackets taken off
	data     []byte
}

// unsendable says why a row of the queue can never become a mail.
func unsendable(why string) error {
	return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: why}
}

// compose renders a row of the queue. An error that is a *smtp.SMTPError is
// about the row, any other is the database's. A fault of ours in one row is no
// reason to fall over with all the others, and again at each start.
func (b *Bridge) compose(ctx context.Context, k keys, d *db.Delivery) (mail letter, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			b.log.Error("a mail could not be written: a fault of this program, please report it", "id", d.ID, "uid", d.UID, "fault", fault, "stack", string(debug.Stack()))
			mail, err = letter{}, unsendable("a fault of this server while writing")
		}
	}()
	speaker, err := cuaddr.Parse(d.From)
	if err != nil {
		return letter{}, unsendable("the sender is no calendar user address")
	}
	rcpt, err := cuaddr.Parse(d.Rcpt)
	if err != nil || rcpt.Mail() == "" {
		return letter{}, &smtp.SMTPError{Code: 553, EnhancedCode: smtp.EnhancedCode{5, 1, 3}, Message: "the recipient is no mail address"}
	}
	switch d.Method {
	case methodNotice:
		return b.notice(ctx, k, d, rcpt)
	case scheduling.RoundUp:
		return b.roundUp(ctx, k, d, rcpt)
	}
	body, err := ics.Parse(d.Body, ics.Limits{})
	if err != nil || body.First() == nil || body.Method() == "" {
		return letter{}, unsendable("the message is no iTIP message")
	}
	var prior *ics.Object
	if len(d.Prior) > 0 {
		if prior, err = ics.Parse(d.Prior, ics.Limits{}); err != nil || prior.First() == nil {
			prior = nil // then the mail tells no difference
		}
	}

	p, err := b.parties(ctx, d, body, rcpt)
	if err != nil {
		return letter{}, err
	}
	m := imip.Message{
		ID:           k.delivery(kindID, d) + "@" + b.from.Domain(),
		Conversation: k.conversation(d.UID) + "@" + b.from.Domain(),
		Date:         d.Created,
		Speaker:      imip.Mailbox{Name: nameOf(body, speaker), Address: speaker},
		To:           imip.Mailbox{Name: nameOf(body, p.invited), Address: rcpt},
		Body:         body,
		Prior:        prior,
		Look:         b.look,
		Invited:      p.invited,
	}
	language := b.wordFor(&m, p)
	domain := b.sign(&m, k, d, p.invited)
	b.link(&m, k, d, p, language)
	kind := kindBounce
	if d.LocalCopy {
		kind = kindCopy
	} else if body.Kind() != "VFREEBUSY" && d.Principal != 0 {
		if m.Busy, err = b.bundle(ctx, d.Principal, &m); err != nil {
			return letter{}, err
		}
	}
	data, err := m.Render()
	if err != nil {
		return letter{}, unsendable(err.Error())
	}
	return letter{from: b.at(k.delivery(kind, d), domain), to: rcpt.Mail(), id: m.ID, data: data}, nil
}

// parties are those between whom a mail goes.
type parties struct {
	sender  db.Principal   // in whose name it goes out; the zero one if he is gone
	reader  *db.Principal  // the recipient, if he is here
	invited cuaddr.Address // under which address the message names the recipient
}

func (b *Bridge) parties(ctx context.Context, d *db.Delivery, body *ics.Object, rcpt cuaddr.Address) (p parties, err error) {
	p.invited = rcpt
	err = b.store.View(ctx, func(tx *db.Tx) (err error) {
		if p.sender, err = tx.Principal(d.Principal); err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
		reader, err := directory.Lookup(tx, rcpt)
		if errors.Is(err, directory.ErrUnknown) {
			return nil
		}
		if err != nil {
			return err
		}
		p.reader = &reader
		// Under an alias he was invited himself; as a member of a group he
		// answers for himself, not for the group.
		self, err := directory.Self(tx, reader, false)
		if err != nil {
			return err
		}
		if line := ics.Attendee(body.First(), self); line != nil && !listed(body, rcpt) {
			p.invited = ics.CalAddress(line)
		}
		return nil
	})
	return p, err
}

// wordFor gives a mail the language and the zone of who reads it, or else of who
// sends it, and names that the message does not tell. It returns the language.
func (b *Bridge) wordFor(m *imip.Message, p parties) (language string) {
	if m.Speaker.Name == "" && (p.reader == nil || p.reader.ID != p.sender.ID) {
		m.Speaker.Name = p.sender.Name
	}
	language = p.sender.Language
	if p.reader != nil {
		language = cmp.Or(p.reader.Language, language)
		m.To.Name = cmp.Or(m.To.Name, p.reader.Name)
		m.Zone = zoneOf(p.reader.TZ)
	}
	m.Words = b.words.For(language)
	if m.Zone == nil {
		m.Zone = zoneOfUTC(m.Body.First(), p.sender.TZ)
	}
	return language
}

// sign says from whom a mail is and to whom one answers. It returns the domain of
// the envelope's sender.
func (b *Bridge) sign(m *imip.Message, k keys, d *db.Delivery, invited cuaddr.Address) (domain string) {
	speaker := m.Speaker.Address
	if b.ours(speaker) {
		m.From = m.Speaker
		if by := secretary(m.Body, speaker); !by.IsZero() { // decision 30
			m.Sender = imip.Mailbox{Address: by}
		}
		return speaker.Domain() // DMARC wants From and the envelope in one domain
	}
	m.From = imip.Mailbox{Name: imip.Via(m.Words, displayName(m.Speaker)), Address: b.from}
	if fromOrganizer(m.Body.Method()) {
		// Programs answer to ORGANIZER, not to Reply-To (decision 13).
		m.Token = cuaddr.Mailto(b.at(k.reply(d.Principal, d.UID, invited), b.from.Domain()))
		m.ReplyTo = imip.Mailbox{Name: m.Speaker.Name, Address: m.Token}
	} else {
		m.SentBy = b.from
		m.ReplyTo = m.Speaker
	}
	return b.from.Domain()
}

// link gives an invitation the page on which its reader answers, and a proposal
// that on which the organizer decides (decision 26).
func (b *Bridge) link(m *imip.Message, k keys, d *db.Delivery, p parties, language string) {
	page := invitation{Organizer: d.Principal, UID: d.UID, Attendee: p.invited, Expires: expiry(m.Body, d.Created), Language: language}
	switch method := m.Body.Method(); {
	case b.opt.PublicURL == "":
		return
	case method == "REQUEST" || method == "ADD":
	case method == "COUNTER" && p.reader != nil:
		page.Organizer, page.Attendee, page.Decide, page.RID = p.reader.ID, m.Speaker.Address, true, m.Body.RID(m.Body.First())
	default:
		return
	}
	m.Answer = b.opt.PublicURL + "/rsvp/" + k.page(page)
}

// bundle makes the VFREEBUSY that goes with a mail of who wants that
// (freebusy_bundling), nil for all others.
func (b *Bridge) bundle(ctx context.Context, principal int64, m *imip.Message) (*ics.Object, error) {
	busy, ok, err := b.desk.BundledBusyTime(ctx, principal)
	if err != nil || !ok {
		return nil, err
	}
	organizer := ics.NewProp("ORGANIZER", m.Speaker.Address.String())
	if m.From.Address != m.Speaker.Address { // RFC 6047 §2.2.1: who sends it speaks for him
		organizer = organizer.WithParam("SENT-BY", m.From.Address.String())
	}
	return itip.BusyMessage(itip.Publish, "busy-"+m.ID, busy, []ics.Prop{organizer}), nil
}

// zoneOfUTC returns the organizer's zone for times in UTC, in which nobody
// lives: programs write it where they do not say a zone. nil for all others.
func zoneOfUTC(c *ics.Component, tz string) *time.Location {
	if !strings.HasSuffix(c.Value("DTSTART"), "Z") {
		return nil
	}
	return zoneOf(tz)
}

// zoneOf returns the zone of a name in the directory; nil for none, and for a
// name that is none.
func zoneOf(tz string) *time.Location {
	if tz == "" {
		return nil
	}
	zone, _ := time.LoadLocation(tz)
	return zone
}

// displayName is how somebody is called where a name is needed.
func displayName(m imip.Mailbox) string {
	if m.Name != "" {
		return m.Name
	}
	return m.Address.Mail()
}

// nameOf returns the CN under which a message names a calendar user.
func nameOf(o *ics.Object, who cuaddr.Address) string {
	for _, name := range []string{"ORGANIZER", "ATTENDEE"} {
		for _, p := range o.First().PropsNamed(name) {
			if imip.Same(ics.CalAddress(p), who) && p.Param("CN") != "" {
				return p.Param("CN")
			}
		}
	}
	return ""
}

// secretary returns who acts for the speaker.
func secretary(o *ics.Object, speaker cuaddr.Address) cuaddr.Address {
	for _, name := range []string{"ORGANIZER", "ATTENDEE"} {
		for _, p := range o.First().PropsNamed(name) {
			if ics.CalAddress(p) == speaker {
				if by := imip.SentBy(p); by.Mail() != "" {
					return by
				}
			}
		}
	}
	return cuaddr.Address{}
}

// expiry is until when one can answer by link: a week after the end, at least
// a month from now, a year for what has no end.
func expiry(o *ics.Object, now time.Time) time.Time {
	last, ok := o.Last(time.UTC, ics.Bound{Instances: 10_000, Steps: 100_000})
	if !ok {
		return now.AddDate(1, 0, 0)
	}
	if end := last.AddDate(0, 0, 7); end.After(now.AddDate(0, 1, 0)) {
		return end
	}
	return now.AddDate(0, 1, 0)
}
