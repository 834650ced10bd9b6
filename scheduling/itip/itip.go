// Package itip is every rule of RFC 5546 (iTIP) and of RFC 6638 §3 (implicit
// scheduling) as functions over values. It knows no clock, no database and no
// network: who acts, what was there before and what is there after go in; what
// to store and whom to tell come out.
//
// The core is two verbs. Originate: a user wrote, changed or removed a
// scheduling object (RFC 6638 §3.2). Receive: an iTIP message reached a
// calendar user (RFC 5546 §3, RFC 6638 §4).
package itip

import (
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Method is an iTIP method (RFC 5546 §1.4).
type Method string

const (
	Publish        Method = "PUBLISH"
	Request        Method = "REQUEST"
	Reply          Method = "REPLY"
	Add            Method = "ADD"
	Cancel         Method = "CANCEL"
	Refresh        Method = "REFRESH"
	Counter        Method = "COUNTER"
	DeclineCounter Method = "DECLINECOUNTER"
)

// Message is one iTIP message for one recipient. Recipients whose message is
// the same share one Body (the same pointer), so that it is parsed and stored
// once.
type Message struct {
	Method Method
	UID    string
	From   cuaddr.Address // the ORGANIZER or ATTENDEE in whose name it speaks
	To     cuaddr.Address // the recipient as invited, or the organizer
	Body   *ics.Object    // with METHOD, without SCHEDULE-* and private data
	// Significant says that the recipient must answer anew: the time changed,
	// or he is newly invited (RFC 6638 §3.2.8). Mail texts and room policies
	// read it.
	Significant bool
	// Echo marks what goes with another message for the sake of copies that a
	// server keeps: the series as it stands now beside a CANCEL of occurrences,
	// the CANCEL of those that a REQUEST leaves out. A person has read the other
	// one: it is never mailed, and no room answers it.
	Echo bool
	// Besides marks what is mailed though its sender's own mail program has told its
	// recipient: that said less.
	Besides bool
	// Crossed says that a REPLY is to the series of which this meeting was a part when
	// it was written, see Crossing.
	Crossed bool
	// Prompt says that its sender is served here, too: nothing has overtaken it, and
	// he knows all that its recipient knows.
	Prompt bool
	// Successor says that the meeting is the new organizer's by decision of
	// whoever runs the server, whatever the recipient prefers.
	Successor bool
}

// Actor is the calendar user for whom the core works.
type Actor struct {
	// Self recognises all of the user's own addresses.
	Self func(cuaddr.Address) bool
	// Groups recognises the groups that hold him, where he is invited with one
	// that nobody opened up; may be nil.
	Groups func(cuaddr.Address) bool
	// Members returns who is in a group that the directory knows, nil for
	// whatever is none; may be nil.
	Members func(cuaddr.Address) []Member
	// Name is his name for people, or "".
	Name string
	// Address is the one that he writes by: preferred of his own.
	Address cuaddr.Address
	Now     time.Time
	// Floating is the zone of his calendar (decides whether an event is past).
	Floating *time.Location
	Bound    ics.Bound
	// PastGrace: objects whose every instance ended longer ago send nothing
	// (decision 18). Zero means seven days.
	PastGrace time.Duration
	// PublicX are X- properties, in upper case, that an organizer tells
	// everybody as he tells a SUMMARY; some are always.
	PublicX []string
	// SharedX are those that any attendee may set for everybody, too.
	SharedX []string
	// Strict recognises everybody with whom the server alone schedules, whatever
	// SCHEDULE-AGENT a program writes; nil: nobody, as RFC 6638 §7.1 has it.
	Strict func(cuaddr.Address) bool
	// MaxAttendees bounds ATTENDEE lines of one component; zero: no bound.
	MaxAttendees int
	// Prefers returns how he wants a thing done, by names such as
	// PreferAdd; "" or a nil function: as for everybody.
	Prefers func(name string) string
	// Proposals returns the open proposals about a meeting that he organizes,
	// oldest first; nil: there are none.
	Proposals func() []Proposal
	// Left is what he remembers of those parts of the meeting that are not in his
	// calendar: Outcome.Left of earlier changes and messages, added up by
	// AddLeft. nil: nothing. Originate asks where an organizer's meeting is new,
	// and where an attendee's series leaves occurrences out.
	Left *ics.Object
	// Agent says that he is a room or a resource: nobody looks at its calendar to
	// learn what was called off, so nothing of that stays there.
	Agent bool
	// Same reports whether two addresses are one person's, as far as the directory
	// knows; nil: only equal ones are.
	Same func(a, b cuaddr.Address) bool
	// Kind returns the CUTYPE of a room or resource that the directory knows, ""
	// for everybody else; may be nil.
	Kind func(cuaddr.Address) string
	// Named returns what somebody whom the directory holds is called there, "" for
	// everybody else; may be nil.
	Named func(cuaddr.Address) string
}

// Options are what a door may say about a change beside the object.
type Options struct {
	// NoReply suppresses the REPLY DECLINED of a removal (RFC 6638 §8.1,
	// Schedule-Reply: F).
	NoReply bool
	// Silent stores without scheduling: import, MOVE between own calendars.
	Silent bool
	// Seen: the change was made on what is stored now (an If-Match held). Only
	// then does an organizer's PARTSTAT=NEEDS-ACTION ask an attendee anew;
	// otherwise it is taken for what a program knew before the answer came
	// (decision 22, RFC 6638 §3.2.10.1).
	Seen bool
	// Tag: an If-Schedule-Tag-Match held. The program may not know answers that
	// came since (RFC 6638 §3.2.10.1).
	Tag bool
	// Mailed: his own mail program has sent what this follows from. Of an answer
	// nothing is named beside it, so it holds for all that it covers; a REQUEST has
	// told those who are in it of its revision, whatever is new in that.
	Mailed bool
	// Sent is what the mail program of an attendee wrote, with Mailed; nil: nothing
	// that is known.
	Sent *ics.Object
	// Added: what his own mail program has sent is an ADD: nobody is asked about the
	// rest of the series.
	Added bool
	// Comment goes with an attendee's answer (RFC 5546 §3.2.3) and stays out of
	// his copy: why an agent answers as it does.
	Comment string
}

// Outcome is what follows from a change or a message.
type Outcome struct {
	Object  *ics.Object // to be stored; nil: nothing to store
	Remove  bool        // the object is to be removed
	Changed bool        // Object differs from what was stored (or from what was written)

	Messages []Message
	// Delegates are the organizer's REQUESTs to those whom an attendee sends in
	// his place. He invites them himself (RFC 5546 §3.2.2.3): these are for whoever
	// his message may not reach.
	Delegates []Message

	// Again is what an attendee has answered, said again to an organizer who asks
	// how things stand (RFC 5546 §3.2.2.7). It is to be sent if his answer is older
	// than AgainAfter.
	Again []Message

	// Left is to be remembered beside the calendar, so that an older message that
	// comes later does not bring (back) what he removed or what was cancelled; nil:
	// nothing. See AddLeft. It is no calendar object.
	Left *ics.Object

	// Scheduled says that the object is a scheduling object resource (RFC 6638
	// §3.1): it has a Schedule-Tag.
	Scheduled bool
	// KeepTag: the Schedule-Tag stays (RFC 6638 §3.2.10, decision 16).
	KeepTag bool

	// Inbox is the iTIP object for the recipient's inbox (RFC 6638 §4), nil
	// where he need not be told.
	Inbox *ics.Object
	// Refresh says that the other attendees should learn of a PARTSTAT that
	// changed, or of who is in the meeting (RFC 6638 §4.2): queued by the desk,
	// coalesced, without mail. See Participation.
	Refresh bool

	// Proposed are to be kept until the organizer decides, each in place of what
	// its attendee proposed for the same instance. Closed are decided.
	Proposed, Closed []Proposal

	// Rule names the rule that decided, in few words for people: "new
	// invitation stored", "stale: SEQUENCE 1 is below 3". It goes into the
	// decision record.
	Rule string
	// Ignored: the message had no effect (stale, a repetition, not for us); the
	// rule says why. A mail is then handed on as it came.
	Ignored bool
}

// Refusal says no to a change or a message, by the name that the RFCs give to
// the precondition. Each door renders it in its own way.
type Refusal struct {
	// Precondition is the element's name with its namespace's prefix: "C:..."
	// is urn:ietf:params:xml:ns:caldav, "D:..." is DAV:.
	Precondition string
	// Detail is for people.
	Detail string
	// Href is an address that the precondition's element holds, as
	// no-uid-conflict does; or "".
	Href string
	// Privilege is the one that is missing where the precondition is
	// "D:need-privileges", spelled like a precondition.
	Privilege string
	// Status is the HTTP status if it is not 403: 412, 404, 409, 507, 413.
	Status int
}

func (r *Refusal) Error() string { return r.Detail + " (" + r.Precondition + ")" }

// Preconditions of RFC 4791 §5.3.2.1 and RFC 6638 §3.2.4.
const (
	SupportedData            = "C:supported-calendar-data"
	ValidData                = "C:valid-calendar-data"
	ValidResource            = "C:valid-calendar-object-resource"
	SupportedComponent       = "C:supported-calendar-component"
	NoUIDConflict            = "C:no-uid-conflict"
	MaxResourceSize          = "C:max-resource-size"
	MaxInstances             = "C:max-instances"
	ValidTimezone            = "C:valid-timezone" // RFC 7809 §3.1.4
	MinDateTime              = "C:min-date-time"
	MaxDateTime              = "C:max-date-time"
	SupportedRscale          = "C:supported-rscale" // RFC 7529 §10
	MaxAttendeesPerInstance  = "C:max-attendees-per-instance"
	UniqueSchedulingObject   = "C:unique-scheduling-object-resource"
	SameOrganizer            = "C:same-organizer-in-all-components"
	AllowedOrganizerChange   = "C:allowed-organizer-scheduling-object-change"
	AllowedAttendeeChange    = "C:allowed-attendee-scheduling-object-change"
	AllowedOrganizerReceived = "C:organizer-allowed"
	AllowedAttendee          = "C:attendee-allowed" // of drafts before RFC 6638
)
