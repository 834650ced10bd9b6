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
	"github.com/convene-server/convene/scheduling/ics"
)

// brief is the summary that goes to a mailbox with a mail, or in its place.
type brief struct {
	data    []byte
	replace bool // it goes in place of the mail, which is inside it or left out
	after   bool // it goes after the mail, not before it
	// told is the record that it went beside the mail: a retry does not send it
	// once more.
	told *db.Decision
}

// brief makes the summary that a recipient prefers to get of what was
// understood; nil: the mail goes on as it came. So does what had no effect, or
// less than it says, what is signed or encrypted (its summary goes beside it),
// and what carries more than words and a calendar is never left out.
func (b *Bridge) brief(ctx context.Context, a *arrival, r recipient, notes []note, mode string) (*brief, error) {
	understood := len(notes) > 0 && !slices.ContainsFunc(notes, func(n note) bool {
		return n.outcome != "applied" || n.body == nil || n.body.Kind() == "VFREEBUSY"
	})
	if !understood {
		return nil, nil
	}
	if mode == "" {
		mode = b.opt.Incoming
	}
	if mode == "" || mode == directory.MessageOnly {
		return nil, nil
	}
	if mode == directory.SummaryOnly && a.mail.Attached {
		mode = directory.SummaryWrapsMessage
	}
	replace := mode == directory.SummaryOnly || mode == directory.SummaryWrapsMessage
	if a.mail.Sealed || b.opt.DeliverTo == "" { // the mail system delivers it itself, or nobody may touch it
		replace = false
	}
	x := a.decision(r, r.principal.ID, notes[0].uid)
	x.Direction, x.Method, x.Key = "out", notes[0].method, a.key(r.address.Fold(), "summary")
	if !replace {
		err := b.store.View(ctx, func(tx *db.Tx) error {
			_, err := tx.DecisionByKey(x.Key)
			return err
		})
		if err == nil || !errors.Is(err, db.ErrNotFound) { // it went already, or the database is away
			return nil, err
		}
	}
	s := b.summary(a, r, notes)
	if replace && mode == directory.SummaryWrapsMessage {
		s.Original = a.data
	}
	data, err := s.Render()
	if err != nil {
		b.log.Warn("no summary", "message-id", a.mail.MessageID, "error", err)
		return nil, nil
	}
	x.MessageID, x.Rule, x.Outcome = s.ID, "a summary beside the mail, as its reader prefers", "handed on"
	return &brief{data: append(fields(notes), data...), replace: replace, after: mode == directory.MessageThenSummary, told: x}, nil
}

// summary words what the first message of a mail means.
func (b *Bridge) summary(a *arrival, r recipient, notes []note) *imip.Summary {
	n := notes[0]
	p := r.principal
	s := &imip.Summary{
		Message: imip.Message{
			ID:           a.keys.pack(kindID, a.keys.seal(12, "summary", a.key(r.address.Fold()))) + "@" + b.from.Domain(),
			Conversation: a.keys.conversation(n.uid) + "@" + b.from.Domain(),
			Date:         b.now(), Words: b.words.For(p.Language), Look: b.look, Body: n.body,
			To: imip.Mailbox{Name: p.Name, Address: r.address}, ReplyTo: a.mail.From, Answer: n.page,
		},
		Subject: a.mail.Subject, More: len(notes) - 1, Waits: n.held,
	}
	if id := a.mail.MessageID; id != "" && len(id) < 500 && isASCII(id) && !strings.ContainsAny(id, " \t<>") {
		s.Conversation = id // it answers the mail, where threads are shown
	}
	// Its author is the server, for whom the mail speaks stands in the text.
	s.From = imip.Mailbox{Name: imip.Via(s.Words, displayName(a.mail.From)), Address: b.from}
	s.Speaker = imip.Mailbox{Address: speakerOf(n.body)}
	if s.Speaker.Name = nameOf(n.body, s.Speaker.Address); s.Speaker.Address.IsZero() || s.Speaker.Name == "" && imip.Same(s.Speaker.Address, a.mail.From.Address) {
		s.Speaker = a.mail.From
	}
	s.Zone = zoneOf(p.TZ)
	return s
}

// speakerOf returns in whose name a message speaks.
func speakerOf(o *ics.Object) cuaddr.Address {
	if fromOrganizer(o.Method()) {
		return ics.Organizer(o.First())
	}
	if lines := ics.Attendees(o.First()); len(lines) == 1 {
		return ics.CalAddress(lines[0])
	}
	return cuaddr.Address{}
}

// handOnBriefed hands a mail on with its summary, or the summary in its place.
// The verdict is about the mail: a summary that the next hop does not take is
// left out, for nothing stands in it that does not stand in the mail.
func (d *delivery) handOnBriefed(a *arrival, r ruling) error {
	if r.brief.replace {
		return d.handOn(r, r.brief.data)
	}
	if !r.brief.after {
		d.handOnSummary(r)
	}
	err := d.handOn(r, a.original(r.notes))
	if err == nil && r.brief.after {
		d.handOnSummary(r)
	}
	return err
}

// handOnSummary sends one beside the mail. In copy mode it goes through the
// mail system, which brings it back to us as our own. Nothing comes back
// because of it (RFC 3834 §3.3).
func (d *delivery) handOnSummary(r ruling) {
	beside := delivery{b: d.b, ctx: d.ctx, opts: d.opts, hop: d.hop, away: d.away}
	r.forward = true
	err := beside.handOn(r, r.brief.data)
	d.hop, d.away = beside.hop, beside.away
	if err == nil {
		err = d.b.record(d.ctx, r.brief.told)
	}
	if err != nil {
		d.b.log.Warn("summary not handed on", "rcpt", r.mailbox, "error", err)
	}
}
