package imipbridge

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// arrival is one mail that came in.
type arrival struct {
	door     string // for the decision record: "lmtp", "pipe", "observe", "milter"
	envelope string // MAIL FROM, "" for a bounce
	data     []byte // as it came
	keys     keys
	mail     *imip.Mail // nil where it passes the limits
	fault    string     // why mail is nil
	// evidence is what is known of who sent it, and by what.
	evidence func() (imip.Evidence, string)
	inReply  *inReply // what it answers, once asked
}

func (b *Bridge) arrive(ctx context.Context, door, envelope string, data []byte) (*arrival, error) {
	k, err := b.keys(ctx)
	if err != nil {
		return nil, err
	}
	a := &arrival{door: door, envelope: envelope, data: data, keys: k}
	if a.mail, err = b.understand(data); err != nil {
		a.fault = err.Error()
		a.mail = &imip.Mail{}
	}
	a.evidence = sync.OnceValues(func() (imip.Evidence, string) { return b.evidence(ctx, data, a.mail) })
	return a, nil
}

// understand reads a mail. A fault of ours in that is no reason to hold it back,
// to try it for ever, or to fall over at a door that others use: it goes on as
// it came, like any other that is not understood.
func (b *Bridge) understand(data []byte) (m *imip.Mail, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			b.log.Error("a mail could not be read: a fault of this program, please report it", "fault", fault, "stack", string(debug.Stack()))
			m, err = nil, errors.New("a fault of this server while reading")
		}
	}()
	return b.parse(data, b.now(), b.limits())
}

// key names the decision about one message for one recipient (decision 3): by
// what the mail is, never by its Message-ID, which strangers choose.
func (a *arrival) key(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	h.Write(a.data)
	return "in:" + hex.EncodeToString(h.Sum(nil)[:20])
}

// noReply reports whether the mail must not be answered: nobody wrote it, or
// its sender wants no answer (RFC 3834 §2).
func (a *arrival) noReply() bool { return a.envelope == "" || a.mail.Automatic() }

// station is what an address in an envelope is to us.
type station int

const (
	outside station = iota // not in the directory: the next hop's business
	person
	group
	agent   // a room or a resource: has no mailbox
	answers // calendar+TOKEN@ in an ORGANIZER
	bounces // calendar+TOKEN@ in an envelope
)

// recipient is one RCPT, resolved.
type recipient struct {
	asked     string // as it stands in the envelope
	address   cuaddr.Address
	station   station
	principal db.Principal
	kind      string // of the token
	payload   []byte
	spare     bool // what comes only says an answer, and its reader wants nothing else: scheduling.Deliver
}

// resolve finds out whom an envelope names. The error is the database's.
func (b *Bridge) resolve(ctx context.Context, rcpt string) (recipient, error) {
	r := recipient{asked: rcpt, address: cuaddr.Mailto(rcpt)}
	if r.address.IsZero() {
		return r, nil
	}
	k, err := b.keys(ctx)
	if err != nil {
		return r, err
	}
	if token := b.tokenOf(r.address); token != "" {
		r.kind, r.payload = k.unpack(token)
		switch r.kind {
		case kindReply:
			r.station = answers
			return r, nil
		case kindBounce, kindCopy:
			r.station = bounces
			return r, nil
		}
	}
	err = b.store.View(ctx, func(tx *db.Tx) (err error) {
		r.principal, err = directory.Lookup(tx, r.address)
		return err
	})
	if errors.Is(err, directory.ErrUnknown) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	switch r.principal.Kind {
	case db.Room, db.Resource:
		r.station = agent
	case db.Group:
		r.station = group
	default:
		r.station = person
	}
	return r, nil
}

// ruling is what follows from a mail for one recipient, once that is durable.
type ruling struct {
	// mailbox to which the original goes; "" none. forward: also in copy mode,
	// since no mail system has a mailbox for the address it came to.
	mailbox string
	forward bool
	notes   []note          // our header fields
	brief   *brief          // nil: the mail goes on as it came
	refuse  *smtp.SMTPError // the verdict, where the mail goes nowhere
}

// note is what became of one message in a mail, for the header of what goes on
// to the mailbox: filters of mail programs and servers file by it.
type note struct {
	uid, method string // "" where there was none to read
	outcome     string // "applied", "ignored", "refused"
	why         string // as a person reads it
	page        string // on which to take it out of quarantine, "" where it is not there
	body        *ics.Object
	held        bool // in quarantine
	gathered    bool // its reader's round-up tells of it
}

// ignored is the note of what was no message.
func ignored(why string) note { return note{outcome: "ignored", why: "ignored; " + why} }

// rule decides about a mail for one recipient who is not outside, durably. The
// error is always ours: the mail must come again.
func (b *Bridge) rule(ctx context.Context, a *arrival, r recipient) (ruling, error) {
	switch r.station {
	case answers:
		return b.ruleAnswer(ctx, a, r)
	case bounces:
		return b.ruleBounce(ctx, a, r)
	case agent:
		return b.ruleAgent(ctx, a, r)
	case group:
		return b.ruleGroup(ctx, a, r)
	}
	prefers, err := b.preferences(ctx, r.principal.ID)
	if err != nil {
		return ruling{}, err
	}
	if prefers[directory.Participating] == "no" {
		x := a.decision(r, r.principal.ID, "")
		x.Rule, x.Outcome = "the recipient takes no part: the mail is all he gets", "ignored"
		return ruling{mailbox: r.asked}, b.record(ctx, x)
	}
	r.spare = cmp.Or(prefers[directory.Incoming], b.opt.Incoming) == directory.SummaryOnly && !a.mail.Attached && !a.mail.Sealed && b.opt.DeliverTo != ""
	notes, err := b.deliver(ctx, a, r, []db.Principal{r.principal})
	if err != nil {
		return ruling{}, err
	}
	if prefers[directory.FreeBusyMessages] == "none" && a.tellsBusyTime(notes) {
		return ruling{notes: notes}, nil
	}
	if len(notes) > 0 && !slices.ContainsFunc(notes, func(n note) bool { return !n.gathered }) {
		return ruling{notes: notes}, nil
	}
	ruled := ruling{mailbox: r.asked, notes: notes}
	ruled.brief, err = b.brief(ctx, a, r, notes, prefers[directory.Incoming])
	return ruled, err
}

// preferences are those of a recipient.
func (b *Bridge) preferences(ctx context.Context, id int64) (prefers map[string]string, err error) {
	err = b.store.View(ctx, func(tx *db.Tx) (err error) {
		prefers, err = tx.Preferences(id)
		return err
	})
	for name, value := range b.opt.Prefer {
		if err == nil && prefers[name] == "" {
			prefers[name] = value
		}
	}
	return prefers, err
}

// tellsBusyTime reports whether there is nothing in a mail but somebody's busy
// time, which is noted.
func (a *arrival) tellsBusyTime(notes []note) bool {
	return len(notes) > 0 && !a.mail.Attached && !a.mail.Sealed && !slices.ContainsFunc(notes, func(n note) bool {
		return n.outcome != "applied" || n.body == nil || n.body.Kind() != "VFREEBUSY" || n.body.Method() == "REQUEST"
	})
}

// ruleGroup brings the mail into every member's calendar; the original goes on
// under the list's address only (decision 29).
func (b *Bridge) ruleGroup(ctx context.Context, a *arrival, r recipient) (ruling, error) {
	var members []db.Principal
	if len(a.mail.Objects) > 0 {
		err := b.store.Read(ctx, func(tx *db.Tx) (err error) {
			members, err = b.listed(tx, r.principal)
			return err
		})
		if err != nil {
			return ruling{}, err
		}
	}
	// What became of it in each member's calendar is not the list's to know. The
	// group itself is told for those who join it later.
	_, err := b.deliver(ctx, a, r, append(members, r.principal))
	return ruling{mailbox: r.asked}, err
}

// listed returns those in a group who take part in scheduling: the mail itself is
// all that the others get.
func (b *Bridge) listed(tx *db.Tx, group db.Principal) ([]db.Principal, error) {
	members, _, err := directory.Expand(tx, group)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, p := range members {
		ids = append(ids, p.ID)
	}
	prefers, err := tx.PreferencesOf(ids)
	return slices.DeleteFunc(members, func(p db.Principal) bool {
		return cmp.Or(prefers[p.ID][directory.Participating], b.opt.Prefer[directory.Participating]) == "no"
	}), err
}

// ruleAgent consumes iTIP for a room or resource, which has no mailbox
// (decision 8). Anything else goes to its owner, or back with a reason.
func (b *Bridge) ruleAgent(ctx context.Context, a *arrival, r recipient) (ruling, error) {
	if len(a.mail.Objects) > 0 {
		_, err := b.deliver(ctx, a, r, []db.Principal{r.principal})
		return ruling{}, err
	}
	said := append([]string{a.fault}, a.mail.Problems...)
	if a.mail.Shown {
		said = append(said, "it has no METHOD")
	}
	reason := strings.Join(said, "; ")
	reason = strings.Trim(reason, "; ")
	x := a.decision(r, r.principal.ID, "")
	x.Detail = reason
	owners, err := b.desk.Owners(ctx, r.principal)
	if err != nil {
		return ruling{}, err
	}
	owner := ""
	if len(owners) > 0 {
		owner = owners[0].Mail()
	}
	switch {
	case a.noReply():
		x.Rule, x.Outcome = "automatic mail for a room or resource", "ignored"
		return ruling{}, b.record(ctx, x)
	case owner != "":
		x.Rule, x.Outcome = "no scheduling message: to the owner of the room or resource", "handed on"
		return ruling{mailbox: owner, forward: true}, b.record(ctx, x)
	}
	x.Rule, x.Outcome = "no scheduling message: a room or resource has no mailbox", "refused"
	text := r.principal.Address + " is a room or resource and takes only invitations from calendar programs"
	if reason != "" {
		text += "; the calendar in this mail cannot be read: " + ascii(reason, 200)
	}
	return ruling{refuse: &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: text}}, b.record(ctx, x)
}

// decision begins the record of a mail for a recipient.
func (a *arrival) decision(r recipient, principal int64, uid string) *db.Decision {
	return &db.Decision{
		Direction: "in", Door: a.door, UID: uid, MessageID: a.mail.MessageID, Principal: principal,
		From: a.mail.From.Address.String(), To: r.address.String(), Key: a.key(r.address.Fold(), uid),
	}
}

// record makes a decision durable. One that stands already is as good.
func (b *Bridge) record(ctx context.Context, x *db.Decision) error {
	return b.store.Write(ctx, nil, func(tx *db.Tx) error {
		err := tx.InsertDecision(x)
		if errors.Is(err, db.ErrExists) {
			return nil
		}
		return err
	})
}

// deliver brings the iTIP messages of a mail before the desk, for each of the
// people behind one recipient, and returns what became of them. A mail without
// any concerns us not at all.
func (b *Bridge) deliver(ctx context.Context, a *arrival, r recipient, people []db.Principal) (notes []note, err error) {
	if a.keys.ownMail(a.mail.MessageID) {
		// Decision 4: it tells nothing that is not known here.
		x := a.decision(r, r.principal.ID, "")
		x.Rule, x.Outcome = "our own mail came back", "ignored"
		return []note{ignored(x.Rule)}, b.record(ctx, x)
	}
	for _, o := range a.mail.Objects {
		for _, p := range people {
			said, err := b.deliverOne(ctx, a, r, p, o)
			if err != nil {
				return nil, err
			}
			notes = append(notes, said)
		}
	}
	if a.mail.Shown && len(a.mail.Objects)+len(a.mail.Problems) == 0 {
		x := a.decision(r, r.principal.ID, "")
		x.Key = a.key(r.address.Fold(), "shown")
		x.Rule, x.Outcome = "a calendar without METHOD: for the reader, no message", "ignored"
		if err := b.record(ctx, x); err != nil {
			return nil, err
		}
		notes = append(notes, ignored(x.Rule))
	}
	problems := a.mail.Problems
	if a.fault != "" {
		problems = append(problems, a.fault)
	}
	for i, text := range problems {
		x := a.decision(r, r.principal.ID, "")
		x.Key = a.key(r.address.Fold(), "problem", fmt.Sprint(i))
		x.Rule, x.Detail, x.Outcome = "the calendar cannot be read", text, "ignored"
		if err := b.record(ctx, x); err != nil {
			return nil, err
		}
		notes = append(notes, ignored(x.Rule+": "+text))
	}
	return notes, nil
}

func (b *Bridge) deliverOne(ctx context.Context, a *arrival, r recipient, p db.Principal, o *ics.Object) (note, error) {
	var w belief
	key := a.key(r.address.Fold(), fmt.Sprint(p.ID), o.Method(), o.UID())
	evidence, how := a.evidence()
	// Without a transaction, as elsewhere before the desk: it looks again at what
	// must not have changed, and on PostgreSQL each statement is a journey.
	err := b.store.View(ctx, func(tx *db.Tx) (err error) {
		w, err = b.believe(tx, a.mail, evidence, o, p)
		return err
	})
	if err != nil {
		return note{}, err
	}
	o, others, spelled, err := b.respell(ctx, a, o, p, &w)
	if err != nil {
		return note{}, err
	}
	said, _, err := b.bring(ctx, a, scheduling.Deliver{
		Recipient: p, Address: r.address, Body: o,
		Spare: r.spare, Others: others, Believed: w.degree, Act: w.act, Quarantine: w.quarantine, Key: key, Note: a.detail(how, spelled),
	})
	return said, err
}

// detail is what the record says beside the rule: by what the sender is believed
// or not, who he is to whom the message speaks, and what was mended.
func (a *arrival) detail(parts ...string) string {
	var lines []string
	for _, p := range parts {
		if p != "" {
			lines = append(lines, ascii(p, 400))
		}
	}
	if len(a.mail.Repairs) > 0 {
		lines = append(lines, "mended: "+ascii(strings.Join(a.mail.Repairs, "; "), 400))
	}
	return strings.Join(lines, "\n")
}

// bring asks the desk and words its verdict.
func (b *Bridge) bring(ctx context.Context, a *arrival, m scheduling.Deliver) (note, scheduling.Verdict, error) {
	m.From, m.Sender = a.mail.From.Address, a.mail.Sender.Address
	m.MessageID, m.Date, m.Door = a.mail.MessageID, a.mail.Date, a.door
	v, err := b.desk.Deliver(ctx, m)
	if err != nil {
		return note{}, v, err
	}
	outcome := "ignored"
	switch {
	case v.Refusal != nil:
		outcome = "refused"
	case v.Applied:
		outcome = "applied"
	}
	b.log.Info("mail decided", "uid", m.Body.UID(), "method", m.Body.Method(), "from", m.From.String(), "to", m.Address.String(),
		"belief", string(m.Believed), "outcome", outcome, "rule", v.Rule, "repeated", v.Repeated)
	said := note{uid: m.Body.UID(), method: m.Body.Method(), outcome: outcome, body: m.Body, held: v.Held, gathered: v.Gathered,
		why: m.Body.Method() + " " + outcome + "; " + v.Rule + "; sender " + string(m.Believed)}
	if v.Held && b.opt.PublicURL != "" && m.Recipient.Kind == db.Person {
		said.page = b.opt.PublicURL + "/rsvp/" + a.keys.page(invitation{
			Organizer: m.Recipient.ID, UID: m.Body.UID(), Attendee: cuaddr.Mailto(m.Recipient.Address), Expires: expiry(m.Body, b.now()),
			Language: m.Recipient.Language, Waits: true,
		})
	}
	return said, v, nil
}

// original returns the mail as it is handed on: our header fields first, those
// that claim to be ours taken out, every other octet as it came (decision 4).
func (a *arrival) original(notes []note) []byte {
	kept := imip.WithoutFields(a.data, "X-Convene-")
	if len(notes) == 0 {
		return kept
	}
	return append(fields(notes), kept...)
}

// fields are our header fields.
func fields(notes []note) []byte {
	var head strings.Builder
	for _, n := range notes {
		for _, f := range [][2]string{{"UID", n.uid}, {"Method", n.method}, {"Outcome", n.outcome}, {"Decision", n.why}} {
			if value := ascii(f[1], 400); value != "" {
				head.WriteString("X-Convene-" + f[0] + ": " + value + "\r\n")
			}
		}
		if n.page != "" && len(n.page) < 900 { // RFC 5322 §2.1.1
			head.WriteString("X-Convene-Page: " + n.page + "\r\n")
		}
	}
	return []byte(head.String())
}

// ascii makes a text fit for a header field or a reply line.
func ascii(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= n {
			break
		}
		switch {
		case r < 0x20 || r == 0x7f:
			b.WriteByte(' ')
		case r > 0x7e:
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}

// fault renders an error of ours: the mail must come again (decision 2).
func fault(err error) *smtp.SMTPError {
	switch {
	case errors.Is(err, db.ErrFull):
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "no space left, try again later"}
	case errors.Is(err, db.ErrAway):
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "the database does not answer, try again later"}
	}
	return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "a fault of ours, try again later"}
}
