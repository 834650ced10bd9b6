// Package scheduling is the desk: the one place where a calendar object
// changes, whichever door the change came through. It locks the conversation,
// asks the pure core (itip, policy) what follows, and settles the answer in one
// transaction: objects, inbox copies, busy time, outgoing mail, decisions. All
// or nothing.
package scheduling

import (
	"context"
	"log/slog"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// Options of a Desk.
type Options struct {
	Domains         []string      // in whose names mail may be sent
	DomainsComplete []string      // in which everybody is in the directory (decision 1)
	Coalesce        time.Duration // how long a mail waits for a newer one (decision 33)
	MaxResource     int64         // octets of one object
	MaxAttendees    int           // of one component
	Bound           ics.Bound     // instances and steps of one series
	LocalInline     int           // local recipients settled in the transaction; zero: 500
	Now             func() time.Time
	Log             *slog.Logger
}

// Desk is safe for concurrent use, on any number of nodes.
type Desk struct{}

// New makes the desk of a store.
func New(store *db.Store, opt Options) *Desk { panic("scheduling: not built yet") }

// Conditions are what a request demands of the resource as it stands, checked
// under the lock (RFC 9110 §13, RFC 6638 §8.3). An entity tag is without
// quotes.
type Conditions struct {
	IfMatch            []string // nil: not asked; "*" any
	IfNoneMatch        []string
	IfScheduleTagMatch *string // "" matches a resource without a tag, as Apple's programs send it
}

// Put is one write of a calendar object by a user.
type Put struct {
	Actor      db.Principal // who is logged in, or in whose name a door acts
	Collection int64
	Name       string
	Body       []byte
	Conditions Conditions
	Door       string // for the decision record: "dav", "rsvp", "lmtp", "import"
	Silent     bool   // import: stores, sends nothing
}

// Written is the answer to a Put or a Move.
type Written struct {
	Created     bool
	ETag        string // of what is stored now
	ScheduleTag string // "" for what is no scheduling object
	// Rewritten: the stored bytes differ from those sent, so no ETag may be in
	// the answer (RFC 4791 §5.3.4).
	Rewritten bool
	// Collection and Name tell where the object is, if it was merged into an
	// invitation that lies elsewhere (decision 23).
	Collection int64
	Name       string
}

// Put stores an object and does what follows from it. Errors: *itip.Refusal
// (which changed nothing), *ics.SyntaxError and *ics.TooLargeError wrapped in
// one, db.ErrFull, db.ErrAway.
func (d *Desk) Put(ctx context.Context, p Put) (Written, error) { panic("scheduling: not built yet") }

// Remove is one DELETE of a calendar object by a user.
type Remove struct {
	Actor      db.Principal
	Collection int64
	Name       string
	Conditions Conditions
	NoReply    bool // Schedule-Reply: F (RFC 6638 §8.1)
	Door       string
}

// Remove deletes an object: an organizer's cancels the meeting, an attendee's
// declines it. Inbox objects are deleted without any effect. The error is
// db.ErrNotFound or one of Put's.
func (d *Desk) Remove(ctx context.Context, r Remove) error { panic("scheduling: not built yet") }

// Move puts an object elsewhere among the actor's own calendars, without
// messages (RFC 6638 §3.2.4 speaks of resources, decision 23 of homes).
type Move struct {
	Actor      db.Principal
	Collection int64
	Name       string
	To         int64
	ToName     string
	Overwrite  bool
	Conditions Conditions
	Door       string
}

func (d *Desk) Move(ctx context.Context, m Move) (Written, error) { panic("scheduling: not built yet") }

// RemoveCollection deletes a calendar: gone for its owner at once, the
// conversations in it end one by one in queued jobs. A default calendar is
// refused while it is the only one (RFC 6638 §9.2).
func (d *Desk) RemoveCollection(ctx context.Context, actor db.Principal, collection int64, door string) error {
	panic("scheduling: not built yet")
}

// Belief is how sure it is who sent a message (decision 10).
type Belief string

const (
	Proved       Belief = "proved"
	Unverified   Belief = "unverified"
	Contradicted Belief = "contradicted"
)

// Deliver is one iTIP message that came by mail for one recipient.
type Deliver struct {
	Recipient db.Principal
	Address   cuaddr.Address // under which he was addressed
	Body      *ics.Object    // one UID, with METHOD
	From      cuaddr.Address // header From
	Sender    cuaddr.Address // header Sender, zero if none
	Believed  Belief
	Act       bool // what [trust] makes of the belief: false: nothing may change
	MessageID string
	Key       string    // of the decision: recipient and hash of the message
	Date      time.Time // of the mail, to repair a DTSTAMP (decision 21)
	Door      string
}

// Verdict is what the desk did with a delivered message.
type Verdict struct {
	Applied  bool   // something changed
	Repeated bool   // the same mail was decided before; nothing was done again
	Rule     string // why, in words for people
	Refusal  *itip.Refusal
}

// Deliver takes a message in: at the desk by the same body as Put, as the act
// of whoever it speaks for (decision 6). It commits the decision whatever the
// outcome. The error is only ever ours: db.ErrAway, db.ErrFull, ...: try again.
func (d *Desk) Deliver(ctx context.Context, m Deliver) (Verdict, error) {
	panic("scheduling: not built yet")
}

// Answer is an answer that somebody gives without a calendar program: on the
// RSVP page, by a token that proves who he is.
type Answer struct {
	UID      string
	Attendee cuaddr.Address // as invited
	Organizer
	RID      ics.RID // "" the whole
	PartStat string
	Comment  string
	Door     string
}

// Organizer names whose copy of a conversation is meant.
type Organizer struct{ Principal int64 }

// Answer applies it to the organizer's copy, and to the attendee's own if he
// is local.
func (d *Desk) Answer(ctx context.Context, a Answer) (Verdict, error) {
	panic("scheduling: not built yet")
}

// Bounced records on the organizer's object that a mail did not arrive: status
// is a delivery status (itip.StatusNotDelivered, ...; decision 17).
func (d *Desk) Bounced(ctx context.Context, principal int64, uid string, rcpt cuaddr.Address, status, detail string) error {
	panic("scheduling: not built yet")
}

// FreeBusy is the busy time of one calendar user, or why there is none.
type FreeBusy struct {
	Address cuaddr.Address
	Asked   string // spelling of the request
	Status  string // "2.0;Success", "3.7;Invalid calendar user", "3.8;No authority"
	Spans   []ics.Span
}

// FreeBusy answers for many calendar users from one snapshot (RFC 6638 §5).
// maskUID leaves one conversation out.
func (d *Desk) FreeBusy(ctx context.Context, asker db.Principal, whom []string, from, to time.Time, maskUID string) ([]FreeBusy, error) {
	panic("scheduling: not built yet")
}

// Busy returns the busy time of one collection (RFC 4791 §7.10).
func (d *Desk) Busy(ctx context.Context, collection int64, from, to time.Time) ([]ics.Span, error) {
	panic("scheduling: not built yet")
}

// Record makes the busy record of an object for its owner, for whoever stores
// objects (import, a changed time zone).
func Record(o *ics.Object, self func(cuaddr.Address) bool, floating *time.Location, b ics.Bound) (db.Indexed, error) {
	panic("scheduling: not built yet")
}

// Work does queued jobs until ctx ends.
func (d *Desk) Work(ctx context.Context) { panic("scheduling: not built yet") }

// WorkOnce does the jobs that are due now and returns how many; for tests and
// commands that must not leave work behind.
func (d *Desk) WorkOnce(ctx context.Context) (int, error) { panic("scheduling: not built yet") }
