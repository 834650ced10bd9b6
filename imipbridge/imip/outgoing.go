package imip

import (
	"errors"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/words"
)

// Message is one outgoing mail: an iTIP message for one recipient.
type Message struct {
	ID           string // Message-ID without angle brackets
	Conversation string // id that all mails of the conversation refer to
	Date         time.Time

	Speaker Mailbox // in whose name it speaks: the organizer, or an attendee who answers
	From    Mailbox // whom the mail shows as its author
	Sender  Mailbox // who sent it for him; zero: he himself
	ReplyTo Mailbox // zero: From
	To      Mailbox

	// Invited is the address under which To was invited; zero: the same. Where
	// the organizer hides his guests, only that one is named.
	Invited cuaddr.Address

	Body  *ics.Object // with METHOD
	Busy  *ics.Object // VFREEBUSY PUBLISH of the speaker that goes with it; nil: none
	Prior *ics.Object // what the recipient knew before; nil: nothing

	// Token stands for the Speaker's address in ORGANIZER, with EMAIL= keeping
	// the real one, where answers cannot reach him otherwise (decision 13).
	Token cuaddr.Address
	// SentBy is set on the Speaker's line where the mail cannot come from his
	// address (RFC 5545 §3.2.18).
	SentBy cuaddr.Address

	Answer string          // address of the page on which to answer or to decide; "" none
	Zone   *time.Location  // the recipient's; nil: times are shown in the event's
	Words  *words.Language // of the texts; nil: English
	Bound  ics.Bound       // of the dates that a text lists
	Look   Look
}

// ErrNoMethod is returned for a body that is no iTIP message.
var ErrNoMethod = errors.New("imip: the object has no METHOD")

// notForOthers are properties that a calendar program keeps for itself.
var notForOthers = []string{"X-MOZ-", "X-EVOLUTION-", "X-KDE-", "X-RADICALE-", "X-LIC-", "X-CONVENE-", "X-APPLE-DEFAULT-ALARM", "X-MS-OLK-SENDER", "ACKNOWLEDGED"}

// calendar makes of the iTIP message what all programs accept.
func (m *Message) calendar() *ics.Object {
	method := m.Body.Method()
	root := m.Body.Root().Clone()
	for i := range root.Props { // an edit folds long lines anew
		root.Props[i] = root.Props[i].WithValue(root.Props[i].Value)
	}
	if root.Prop("PRODID") == nil {
		root.Add(ics.NewProp("PRODID", "-//Convene//EN"))
	}
	if root.Prop("VERSION") == nil {
		root.Add(ics.NewProp("VERSION", "2.0"))
	}
	if root.Prop("CALSCALE") == nil {
		root.Add(ics.NewProp("CALSCALE", "GREGORIAN"))
	}
	for _, c := range root.Children {
		if c.Name != "VTIMEZONE" {
			m.strip(c, method)
			m.complete(c, method)
		}
	}
	m.zones(root)
	return ics.New(root)
}

// strip takes out what is not for others, and writes the people as mail programs
// expect them.
func (m *Message) strip(c *ics.Component, method string) {
	var children []*ics.Component
	for _, ch := range c.Children {
		if ch.Name != "VALARM" { // everybody has alarms of his own
			children = append(children, ch)
		}
	}
	c.Children = children
	c.RemoveFunc(func(p *ics.Prop) bool {
		for _, n := range notForOthers {
			if strings.HasPrefix(p.Name, n) {
				return true
			}
		}
		return false
	})
	m.hideGuests(c, method)
	for i, p := range c.Props {
		p = p.WithValue(p.Value)
		if p.Name == "ORGANIZER" || p.Name == "ATTENDEE" {
			p = m.calendarUser(p, method)
		}
		c.Props[i] = p
	}
}

// complete adds what a message of a method must have (RFC 5546 §3), and what some
// programs need.
func (m *Message) complete(c *ics.Component, method string) {
	if c.Prop("DTSTAMP") == nil {
		c.Add(ics.NewProp("DTSTAMP", m.Date.UTC().Format("20060102T150405Z")))
	}
	if c.Prop("SEQUENCE") == nil && c.Name != "VFREEBUSY" && method != "REFRESH" { // RFC 5546 §3.3.3, §3.2.6
		c.Add(ics.NewProp("SEQUENCE", "0"))
	}
	if c.Name == "VEVENT" && c.Prop("DTEND") == nil {
		if end, ok := m.end(c); ok {
			// Some programs know no DURATION.
			c.Remove("DURATION")
			c.Add(end)
		}
	}
	switch method {
	case "PUBLISH", "REQUEST", "ADD", "COUNTER":
		// RFC 5546 §3.2.1, §3.2.2, §3.2.4, §3.2.7: it may be empty.
		if c.Prop("SUMMARY") == nil && (c.Name == "VEVENT" || c.Name == "VTODO") {
			c.Add(ics.NewProp("SUMMARY", ""))
		}
		if c.Prop("PRIORITY") == nil && c.Name == "VTODO" { // §3.4.1, §3.4.2, §3.4.4, §3.4.7
			c.Add(ics.NewProp("PRIORITY", "0"))
		}
	case "CANCEL":
		// RFC 5546 §3.2.5 wants it for a whole cancelled event; without it some
		// programs show the mail and leave the event.
		if c.Prop("STATUS") == nil {
			c.Add(ics.NewProp("STATUS", "CANCELLED"))
		}
	case "REPLY":
		if c.Prop("REQUEST-STATUS") == nil { // RFC 5546 §3.2.3
			c.Add(ics.NewProp("REQUEST-STATUS", "2.0;Success"))
		}
	}
}

// hidesGuests is how programs say that guests shall not see one another:
// JSCalendar's hideAttendees (RFC 8984 §4.4.7) as Cyrus writes it in iCalendar.
const hidesGuests = "X-JMAP-HIDE-ATTENDEES"

// HidesGuests reports whether the guests of an event shall not see one another.
func HidesGuests(c *ics.Component) bool { return strings.EqualFold(c.Value(hidesGuests), "TRUE") }

// hideGuests leaves the recipient alone on the list where the organizer says so.
func (m *Message) hideGuests(c *ics.Component, method string) {
	if !HidesGuests(c) || method == "REPLY" || method == "COUNTER" || method == "REFRESH" {
		return
	}
	c.RemoveFunc(func(p *ics.Prop) bool {
		a := ics.CalAddress(p)
		return p.Name == "ATTENDEE" && !Same(a, m.To.Address) && !Same(a, m.Invited) && a != m.Speaker.Address
	})
}

// calendarUser writes an ORGANIZER or ATTENDEE as mail programs expect it.
func (m *Message) calendarUser(p ics.Prop, method string) ics.Prop {
	p = p.WithoutParams("SCHEDULE-AGENT", "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND")
	a := ics.CalAddress(&p)
	if a.Mail() == "" {
		// RFC 6047 §2.3: it must be a mailto: address.
		if e, err := cuaddr.Parse(p.Param("EMAIL")); err == nil && e.Mail() != "" {
			a = e
			p = p.WithValue(a.String()).WithoutParams("EMAIL")
		}
	} else {
		p = p.WithValue(a.String())
	}
	if !a.IsZero() && a == m.Speaker.Address {
		if !p.HasParam("CN") && m.Speaker.Name != "" {
			p = p.WithParam("CN", oneLine(m.Speaker.Name, 80))
		}
		if !m.Token.IsZero() {
			p = p.WithValue(m.Token.String()).WithParam("EMAIL", a.Mail())
		}
		if !m.SentBy.IsZero() && SentBy(&p).IsZero() && (p.Name == "ATTENDEE") == (method == "REPLY" || method == "COUNTER" || method == "REFRESH") {
			p = p.WithParam("SENT-BY", m.SentBy.String())
		}
	}
	if p.Name != "ATTENDEE" {
		return p
	}
	switch {
	case method == "REPLY":
		p = p.WithoutParams("RSVP")
	case a == m.To.Address && (method == "REQUEST" || method == "ADD"):
		// Programs look for these on the line of whom they shall ask.
		fill := func(name, value string) {
			if !p.HasParam(name) && value != "" {
				p = p.WithParam(name, value)
			}
		}
		fill("CN", oneLine(m.To.Name, 80))
		fill("CUTYPE", "INDIVIDUAL")
		fill("ROLE", "REQ-PARTICIPANT")
		fill("PARTSTAT", "NEEDS-ACTION")
		if ics.PartStat(&p) == "NEEDS-ACTION" {
			fill("RSVP", "TRUE")
		}
	}
	return p
}

// end makes a DTEND of DTSTART and DURATION.
func (m *Message) end(c *ics.Component) (ics.Prop, bool) {
	start := c.Prop("DTSTART")
	if start == nil || c.Prop("DURATION") == nil {
		return ics.Prop{}, false
	}
	t, err := m.Body.PropTime(start)
	if err != nil {
		return ics.Prop{}, false
	}
	days, clock, err := ics.Length(c.Value("DURATION"))
	if err != nil || days < 0 || clock < 0 {
		return ics.Prop{}, false
	}
	wall := t.Wall.AddDate(0, 0, days).Add(clock)
	layout := "20060102T150405"
	switch t.Form {
	case ics.Date:
		layout = "20060102"
	case ics.UTC:
		layout += "Z"
	}
	p := start.WithValue(wall.Format(layout))
	p.Name = "DTEND"
	return p, true
}

// zones leaves one VTIMEZONE for each TZID that is used and makes those that
// are missing (RFC 5545 §3.6.5).
func (m *Message) zones(root *ics.Component) {
	used := m.Body.Zones()
	have := map[string]*ics.Component{}
	var rest []*ics.Component
	for _, c := range root.Children {
		if c.Name != "VTIMEZONE" {
			rest = append(rest, c)
		} else if id := c.Text("TZID"); have[id] == nil {
			have[id] = c
		}
	}
	var zones []*ics.Component
	for _, id := range used {
		c := have[id]
		if c == nil {
			if loc := ics.Location(id); loc != nil {
				c = ics.Timezone(loc, m.earliest())
				c.Set(ics.NewProp("TZID", ics.Escape(id)))
			}
		}
		if c != nil {
			zones = append(zones, c)
		}
	}
	root.Children = append(zones, rest...)
}

// earliest returns a time before everything that the message speaks of.
func (m *Message) earliest() time.Time {
	first := m.Date
	for _, c := range m.Body.Main() {
		for _, name := range []string{"DTSTART", "RECURRENCE-ID", "DUE"} {
			if p := c.Prop(name); p != nil {
				if t, err := m.Body.PropTime(p); err == nil && t.Wall.Before(first) {
					first = t.Wall
				}
			}
		}
	}
	return first.AddDate(0, 0, -2)
}

// WithOrganizer returns a message with this ORGANIZER in every component: that
// of the organizer's own copy, for answers that have none, as Exchange sends
// them, or a token in its place.
func WithOrganizer(o *ics.Object, organizer ics.Prop) *ics.Object {
	root := o.Root().Clone()
	organizer = organizer.WithoutParams("SCHEDULE-AGENT", "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND")
	for _, c := range root.Children {
		if c.Name != "VTIMEZONE" {
			c.Set(organizer)
		}
	}
	return ics.New(root)
}

// WithAttendee returns an answer in which the one ATTENDEE stands under the
// address that was invited; EMAIL= keeps the one that he wrote.
func WithAttendee(o *ics.Object, invited cuaddr.Address) *ics.Object {
	root := o.Root().Clone()
	for _, c := range root.Children {
		list := c.PropsNamed("ATTENDEE")
		if c.Name == "VTIMEZONE" || len(list) != 1 {
			continue
		}
		wrote := ics.CalAddress(list[0])
		if wrote == invited {
			continue
		}
		p := list[0].WithValue(invited.String())
		if wrote.Mail() != "" {
			p = p.WithParam("EMAIL", wrote.Mail())
		}
		c.Set(p)
	}
	return ics.New(root)
}

// WithUID returns a message with this UID in every component.
func WithUID(o *ics.Object, uid string) *ics.Object {
	root := o.Root().Clone()
	for _, c := range root.Children {
		if c.Prop("UID") != nil {
			c.Set(ics.NewProp("UID", uid))
		}
	}
	return ics.New(root)
}
