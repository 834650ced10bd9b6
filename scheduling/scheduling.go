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
	Domains         []string          // in whose names mail may be sent
	DomainsComplete []string          // in which everybody is in the directory (decision 1)
	Coalesce        time.Duration     // how long a mail waits for a newer one (decision 33)
	MaxResource     int64             // octets of one object
	MaxAttendees    int               // of one component, members of groups not counted; zero: 5,000
	Bound           ics.Bound         // instances and steps of one series
	PastGrace       time.Duration     // what ended longer ago sends nothing (decision 18); zero: 7 days
	Policy          string            // rules, one a line, of rooms and resources that have none and inherit none; without quotas
	Strict          bool              // between people here the server alone schedules, see operators.md
	PeoplePolicy    string            // the same of people
	Prefer          map[string]string // what people prefer who did not choose, by the names of preferences
	Administrator   string            // mail address that is told of rules that cannot be read; "": postmaster of the room's domain
	Programs        []string          // names of those that rules of rooms may ask (ask_program)
	// Program runs one of them, outside of any transaction, and returns what it
	// writes. An error that is ErrLater: it is asked again; any other: it did not decide.
	Program     func(context.Context, Consulted) (string, error)
	LocalInline int      // local recipients settled in the transaction; zero: 500
	PublicX     []string // X- properties, upper case, that organizers tell everybody, beside those that they always do
	SharedX     []string // and those that attendees may set for everybody, too
	TellOthers  int      // answers reach the other attendees' copies in meetings of up to so many; zero: 250
	Now         func() time.Time
	Log         *slog.Logger
}

// Desk is safe for concurrent use, on any number of nodes.
type Desk struct {
	store *db.Store
	opt   Options
	rules rulebook
	runs  chan struct{} // holds one of each program that runs
}

// New makes the desk of a store.
func New(store *db.Store, opt Options) *Desk {
	if opt.MaxAttendees <= 0 {
		opt.MaxAttendees = 5000
	}
	if opt.LocalInline <= 0 {
		opt.LocalInline = 500
	}
	if opt.TellOthers <= 0 {
		opt.TellOthers = 250
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	return &Desk{store: store, opt: opt, runs: make(chan struct{}, maxPrograms)}
}

// MaxAttendees is how many may be invited by name to one event or occurrence
// (RFC 4791 §5.2.9).
func (d *Desk) MaxAttendees() int { return d.opt.MaxAttendees }

// Conditions are what a request demands of the resource as it stands, checked
// under the lock (RFC 9110 §13, RFC 6638 §8.3). An entity tag is without
// quotes.
type Conditions struct {
	IfMatch            []string // nil: not asked; "*" any
	IfNoneMatch        []string
	IfUnmodifiedSince  time.Time // zero: not asked
	IfScheduleTagMatch *string   // "" matches a resource without a tag, as Apple's programs send it
	// Under, if there is one, is asked inside the transaction when the
	// collections that change are locked: what a door demands beyond this (locks
	// and If lists of RFC 4918 §10.4). Its error ends the change.
	Under func(*db.Tx) error
	// Guest is who acts, if he is a guest in that calendar: the entity tags are
	// those of the object as he sees it (itip.SeenBy). 0: as it is stored.
	Guest int64
}

// Put is one write of a calendar object by a user.
type Put struct {
	Actor      db.Principal // who is logged in, or in whose name a door acts
	Collection int64
	// Found is the collection as the door has read it, if it has. It saves
	// reading it again: under its lock the desk sees whether it has changed.
	Found *db.Collection
	// Free: Conditions.Under asks for nothing where the owner's homes have no
	// lock of WebDAV, and had none when Found was read.
	Free       bool
	Name       string
	Body       []byte
	Conditions Conditions
	Door       string // for the decision record: "dav", "rsvp", "lmtp", "import"
	Silent     bool   // import: stores, sends nothing
	Import     bool   // Silent where the owner has nothing with that UID; otherwise a write like any other
	Copy       bool   // COPY: the UID must not be in another calendar of the owner (decision 23)
	// Own: the actor, a guest, may change nothing but what he has for himself.
	Own bool
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

// Remove is one DELETE of a calendar object by a user.
type Remove struct {
	Actor      db.Principal
	Collection int64
	Name       string
	Conditions Conditions
	NoReply    bool // Schedule-Reply: F (RFC 6638 §8.1)
	Door       string
}

// Move puts an object elsewhere among the actor's own calendars, without
// messages (RFC 6638 §3.2.3.4).
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

// Belief is how sure it is who sent a message (decision 10).
type Belief string

const (
	Proved       Belief = "proved"
	Unverified   Belief = "unverified"
	Contradicted Belief = "contradicted"
)

// Deliver is one iTIP message that came by mail for one recipient.
type Deliver struct {
	Recipient db.Principal   // of a group: for those who join it later, each member gets it by himself
	Address   cuaddr.Address // under which he was addressed
	Body      *ics.Object    // one UID, with METHOD
	From      cuaddr.Address // header From
	Sender    cuaddr.Address // header Sender, zero if none
	Attendee  cuaddr.Address // who answers, proved by a token; zero: header From tells
	// Others are in the recipient's copy, as the door has seen it: they are looked
	// up together with those in the message, which spares a journey.
	Others   []cuaddr.Address
	Believed Belief
	Act      bool // what [trust] makes of the belief: false: nothing may change
	// Quarantine: a new REQUEST is stored transparent and not answered, and
	// that sender may update it; nothing else may change (decisions 10, 11). The
	// desk does the same by itself where From is not the ORGANIZER.
	Quarantine bool
	// Consumed: the mail itself does not reach the recipient, so that he is told of
	// what it says as of what people here say. Spare: it need not, where his round-up
	// tells all that it says.
	Consumed, Spare bool
	MessageID       string
	Note            string    // what else the door knows, for the decision record: evidence, repairs
	Key             string    // of the decision: recipient and hash of the message
	Date            time.Time // of the mail, to repair a DTSTAMP (decision 21)
	Door            string
}

// Verdict is what the desk did with a delivered message.
type Verdict struct {
	Applied  bool   // something changed
	Repeated bool   // the same mail was decided before; nothing was done again
	Held     bool   // in quarantine
	Gathered bool   // the recipient's round-up tells of it
	Rule     string // why, in words for people
	Refusal  *itip.Refusal
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

// FreeBusy is the busy time of one calendar user, or why there is none.
type FreeBusy struct {
	Address cuaddr.Address
	Asked   string // spelling of the request
	Status  string // "2.0;Success", "3.7;Invalid calendar user", "3.8;No authority"
	Spans   []ics.Span
	// From and To bound what is known: all of the question, or less for
	// somebody outside.
	From, To time.Time
	// Events are VEVENTs that tell what fills the time, where the asker asked
	// and may see it.
	Events []*ics.Component
}
