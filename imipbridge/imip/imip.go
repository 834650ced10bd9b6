// Package imip is RFC 6047 as a codec: an iTIP message as a MIME mail, and a
// mail as the iTIP messages in it; delivery status notifications (RFC 3464)
// and Authentication-Results (RFC 8601). It reads what real programs send and
// writes what all of them accept. It decides nothing.
//
// Mails are read from memory by a reader of its own: it keeps the bytes where
// they are, cannot be made to allocate more than it was given, and takes what
// general MIME readers refuse (no closing boundary, wrong padding, a wrong
// charset), because a mail that is not understood is an answer that is lost.
package imip

import (
	"fmt"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Limits bound what Parse accepts. The zero value of a field means the value
// that Defaults gives it.
type Limits struct {
	Bytes     int // of the whole mail
	Header    int // octets of one header, the mail's or a part's
	Fields    int // of one header
	Parts     int // in all
	Depth     int // of nested multiparts; the mail is 1
	Calendars int // iCalendar parts that are read
	ICS       ics.Limits
}

// Defaults are the limits in force where the caller sets none.
var Defaults = Limits{
	Bytes:     64 << 20,
	Header:    256 << 10,
	Fields:    1000,
	Parts:     1000,
	Depth:     20,
	Calendars: 50,
}

func (l Limits) orDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Bytes, Defaults.Bytes)
	def(&l.Header, Defaults.Header)
	def(&l.Fields, Defaults.Fields)
	def(&l.Parts, Defaults.Parts)
	def(&l.Depth, Defaults.Depth)
	def(&l.Calendars, Defaults.Calendars)
	return l
}

// LimitError says which of the Limits a mail passes.
type LimitError struct {
	What  string
	Limit int
}

func (e *LimitError) Error() string { return fmt.Sprintf("mail: more than %d %s", e.Limit, e.What) }

// Mailbox is one address of a header field with the name beside it.
type Mailbox struct {
	Name    string
	Address cuaddr.Address
}

// Mail is what Parse finds in a mail.
type Mail struct {
	// From is the first address of header From. Froms counts all addresses of
	// all From fields: a mail with more than one speaks for nobody, since
	// programs differ in which one they show and check.
	From   Mailbox
	Froms  int
	Sender Mailbox
	To     []Mailbox // To and Cc

	// Ambiguous: a field that says how to read the mail stands in it more than
	// once, so that a signature may be about another reading than ours.
	Ambiguous bool

	// Hops counts the servers that had it (RFC 5321 §6.3).
	Hops int

	Subject   string
	MessageID string // without angle brackets
	Date      time.Time
	// AutoSubmitted is the keyword of RFC 3834 §5 in lower case: "", "no",
	// "auto-generated", "auto-replied", "auto-notified".
	AutoSubmitted string

	// Objects are the iTIP messages, one a UID and method, each with METHOD.
	Objects []*ics.Object
	// Problems tells of the calendar parts that could not be read, in words for
	// the decision record.
	Problems []string
	// Shown: there is a calendar without METHOD, which is for the reader and no
	// message to anybody (RFC 6047 §2.4, note 2).
	Shown bool
	// Repairs tells what was amended so that Objects can be used, in few words
	// each.
	Repairs []string
	// Report is the delivery status notification that the mail is, or nil.
	Report *Report

	// Sealed: it is signed or encrypted (RFC 1847, RFC 8551, RFC 9580), so that
	// whoever hands it on must not touch it.
	Sealed bool
	// Attached: there is more in it than words and calendars.
	Attached bool

	// References are the ids of the mails that this one answers, the last one
	// first, without brackets (RFC 5322 §3.6.4).
	References []string

	from        string // the field as it came
	namesFailed bool   // Exim's X-Failed-Recipients is there
	first       *part  // of text, that a person reads first

	machine bool     // a read receipt, a vacation note, a list's mail, by its other header fields
	results []string // Authentication-Results as they came, topmost first; receivedBy and the host where a Received stands
}

// Automatic reports whether nobody wrote this mail: an automatic answer, a
// notification, a report, a list's mail (RFC 3834 §2). A mail must not be
// generated in answer to one (decision 9).
func (m *Mail) Automatic() bool {
	return m.Report != nil || m.machine || m.AutoSubmitted != "" && m.AutoSubmitted != "no"
}
