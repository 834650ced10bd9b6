package itip

import (
	"strconv"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// ProductID is the PRODID of the messages that the server makes.
const ProductID = "-//Convene//Convene//EN"

const (
	// paramSince stands on the ATTENDEE lines of an organizer's object: answers
	// count from this revision on, "SEQUENCE", "SEQUENCE/DTSTAMP" of the last one, or
	// "SEQUENCE/DTSTAMP/all" if that spoke for every instance (RFC 5546
	// §2.1.5: what the last response said must be remembered), with "/SEQUENCE" behind
	// it where that is of a later revision. It is never sent.
	paramSince = "X-CONVENE-SINCE"
	// paramSaid stands on the user's own line in an attendee's copy where a new
	// revision at the same time asks him anew: what he had said. His answer may
	// have crossed that revision; if the organizer then confirms that he answered,
	// this was it. It is never sent.
	paramSaid = "X-CONVENE-SAID"
	// paramAnswers stands on the user's own line in an attendee's copy where the
	// answer is to an earlier revision than the component is of, and the organizer
	// has not said that she has it: "SEQUENCE" of that revision, or
	// "SEQUENCE/PARTSTAT" where the component came with another answer, "SEQUENCE+"
	// where an ADD alone has raised it. It is never sent.
	paramAnswers = "X-CONVENE-ANSWERS"
	// paramMailed stands on the user's own line in an attendee's copy where the answer
	// went out by his mail program alone, which the organizer has not confirmed:
	// to which revision (SEQUENCE). It is never sent.
	paramMailed = "X-CONVENE-MAILED"
	// paramAsked stands on a line of an organizer's object whose owner was told
	// that he has not answered: in which revision, "SEQUENCE", or "SEQUENCE/mail" if a
	// mail program of the organizer's told him. It is never sent.
	paramAsked = "X-CONVENE-ASKED"
	// paramCrossed stands on a line of an organizer's object whose owner's answer crossed
	// what he was told since, and was not confirmed: a mail program wrote it. It is
	// never sent.
	paramCrossed = "X-CONVENE-CROSSED"
	// paramCovered stands on a line of an organizer's object for an occurrence that was
	// answered with its series by a mail program: when that was written. It is never
	// sent.
	paramCovered = "X-CONVENE-COVERED"
	// paramRefused stands on a line of an organizer's object to whom the invitation was
	// given back: those whom he had sent and who do not come. It is never sent.
	paramRefused = "X-CONVENE-REFUSED"
	// propLapsed stands in an organizer's series for an instance that had another
	// time for a while, or was none, "RECURRENCE-ID/SEQUENCE": answers to it count
	// from this revision on. "RECURRENCE-ID/SEQUENCE/ADDRESS ADDRESS" is said of
	// those from whom it was taken for a while, "RECURRENCE-ID+/SEQUENCE" of this
	// instance and all later ones, "*/SEQUENCE" of all that have no component of their
	// own. "/0/ADDRESS" is said of who was taken off a
	// meeting of revision 0 by an answer. It is never sent.
	propLapsed = "X-CONVENE-LAPSED"
	// propReceived stands in an attendee's copy whose DTSTAMP his program
	// changed, as it may (RFC 6638 §3.2.2.1): the DTSTAMP that the organizer
	// sent, by which later messages are ordered. It is never sent.
	propReceived = "X-CONVENE-RECEIVED"
	// propAdded stands in an attendee's series that an ADD has made one of a later
	// revision: "SEQUENCE/DTSTAMP" of the last one that he was told all of, with
	// "/asked" behind it once he has asked for that. It is never sent.
	propAdded = "X-CONVENE-ADDED"
	// propOff stands in an organizer's series and names who got a CANCEL of it or of
	// some of it, the last ones, separated by spaces. It is never sent.
	propOff = "X-CONVENE-OFF"
	// propOwn names in an attendee's copy the properties that he set himself, of
	// those that organizers set too: they stay his. It is never sent.
	propOwn = "X-CONVENE-OWN"
)

// ownParams never leave the server (RFC 6638 §7.1 to §7.3).
var ownParams = []string{"SCHEDULE-AGENT", "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND", paramSince, paramPercent, paramDone, paramClaim, paramSaid, paramAnswers, paramMailed, paramAsked, paramCrossed, paramCovered, paramWhole, paramRefused}

// envelope makes the VCALENDAR of a message with the time zones of o.
func envelope(o *ics.Object, m Method, comps []*ics.Component) *ics.Object {
	scale := "GREGORIAN"
	if v := strings.TrimSpace(o.Root().Value("CALSCALE")); v != "" {
		scale = v
	}
	root := &ics.Component{Name: "VCALENDAR", Props: []ics.Prop{
		ics.NewProp("VERSION", "2.0"),
		ics.NewProp("PRODID", ProductID),
		ics.NewProp("CALSCALE", scale),
		ics.NewProp("METHOD", string(m)),
	}}
	for _, c := range o.Root().Children {
		if c.Name == "VTIMEZONE" && refers(comps, c.Value("TZID")) {
			root.Children = append(root.Children, c)
		}
	}
	root.Children = append(root.Children, comps...)
	return ics.New(root)
}

func refers(comps []*ics.Component, tzid string) bool {
	for _, c := range comps {
		for i := range c.Props {
			if c.Props[i].Param("TZID") == tzid {
				return true
			}
		}
	}
	return false
}

// public returns a component as others may see it: without alarms, private
// properties and the marks of this server, stamped anew (RFC 6638 §3.2.5).
func (me Actor) public(c *ics.Component) *ics.Component {
	out := &ics.Component{Name: c.Name, Props: make([]ics.Prop, 0, len(c.Props))}
	stamped := false
	for i := range c.Props {
		p := c.Props[i]
		switch {
		case p.Name == "DTSTAMP":
			if !stamped {
				out.Props = append(out.Props, ics.NewProp("DTSTAMP", utc(me.Now)))
				stamped = true
			}
			continue
		case me.private(p.Name), p.Name == "REQUEST-STATUS":
			continue
		case p.Name == "ATTENDEE" || p.Name == "ORGANIZER":
			if p.Name == "ATTENDEE" {
				p = publicAttendee(p)
			} else {
				p = p.WithoutParams(ownParams...)
			}
		}
		out.Props = append(out.Props, p)
	}
	if !stamped {
		out.Add(ics.NewProp("DTSTAMP", utc(me.Now)))
	}
	if out.Prop("SEQUENCE") == nil { // what answers repeat; see replying.crossed
		out.Add(ics.NewProp("SEQUENCE", "0"))
	}
	for _, ch := range c.Children {
		if ch.Name != "VALARM" {
			out.Children = append(out.Children, ch)
		}
	}
	return out
}

// publicAttendee is an ATTENDEE line as others may see it: without RSVP some
// programs show no buttons.
func publicAttendee(p ics.Prop) ics.Prop {
	p = p.WithoutParams(ownParams...)
	if wantsAnswer(&p) {
		p = p.WithParam("RSVP", "TRUE")
	}
	return p
}

// wantsAnswer reports whether an ATTENDEE line that does not say should ask
// for an answer.
func wantsAnswer(p *ics.Prop) bool {
	return !p.HasParam("RSVP") && ics.PartStat(p) == "NEEDS-ACTION" && !strings.EqualFold(p.Param("ROLE"), "NON-PARTICIPANT")
}

// Explicit returns an invitation with the PARTSTAT written out that the standard
// says by default (RFC 5545 §3.2.12): not all programs that read mail know it.
func Explicit(o *ics.Object) *ics.Object {
	var root *ics.Component
	for i, c := range o.Root().Children {
		for k := range c.Props {
			if p := &c.Props[k]; p.Name != "ATTENDEE" || p.HasParam("PARTSTAT") {
				continue
			}
			if root == nil {
				root = o.Root().Clone()
			}
			p := &root.Children[i].Props[k]
			*p = p.WithParam("PARTSTAT", "NEEDS-ACTION")
		}
	}
	if root == nil {
		return o
	}
	return ics.New(root)
}

// requestBody makes a REQUEST of what somebody who takes part in these parts
// may see (RFC 6638 §3.2.6): with the master, the instances that do not
// include him are EXDATEs.
func (me Actor) requestBody(s *series, parts []*part, without []ics.RID) *ics.Object {
	comps := make([]*ics.Component, 0, len(parts))
	for _, p := range parts {
		c := me.public(p.comp)
		if p == s.master {
			for _, r := range without {
				c.Add(exdate(s.obj, r))
			}
		}
		comps = append(comps, c)
	}
	return envelope(s.obj, Request, comps)
}

// exdate takes an instance out of a series that is sent. A point in time is
// written in UTC (RFC 5545 §3.8.5.1): no zone has to be looked up for it.
func exdate(o *ics.Object, r ics.RID) ics.Prop {
	p := o.DateProp("EXDATE", r)
	if p.HasParam("TZID") && strings.HasSuffix(string(r), "Z") {
		return ics.NewProp("EXDATE", string(r))
	}
	return p
}

// kept in the components of a CANCEL and a REPLY: enough for every mail
// program to show which event is meant, with its time.
var kept = map[string]bool{
	"UID": true, "ORGANIZER": true, "RECURRENCE-ID": true, "DTSTART": true, "DTEND": true, "DURATION": true, "DUE": true,
	"RRULE": true, "RDATE": true, "EXDATE": true, "SUMMARY": true, "LOCATION": true, "SEQUENCE": true,
}

// brief returns the part of a component that a CANCEL or REPLY repeats.
func (me Actor) brief(c *ics.Component) *ics.Component {
	out := &ics.Component{Name: c.Name}
	out.Add(ics.NewProp("DTSTAMP", utc(me.Now)))
	for i := range c.Props {
		if p := c.Props[i]; kept[p.Name] {
			if p.Name == "ORGANIZER" {
				p = p.WithoutParams(ownParams...)
			}
			out.Add(p)
		}
	}
	return out
}

// cancelComponent makes one component of a CANCEL (RFC 5546 §3.2.5). whole says
// that the event or the instance is cancelled for everybody: only then does it
// have a STATUS (RFC 5546 §4.2.10).
func (me Actor) cancelComponent(c *ics.Component, seq int, whom []ics.Prop, whole bool) *ics.Component {
	out := me.brief(c)
	out.Set(ics.NewProp("SEQUENCE", strconv.Itoa(seq)))
	for _, p := range whom {
		out.Add(p.WithoutParams(ownParams...))
	}
	if whole {
		out.Add(ics.NewProp("STATUS", "CANCELLED"))
	}
	return out
}

// replyComponent makes one component of a REPLY (RFC 5546 §3.2.3): exactly one
// ATTENDEE, by the address that was invited, and the revision that he answers.
func (me Actor) replyComponent(c *ics.Component, mine ics.Prop, partstat string, extra ...ics.Prop) *ics.Component {
	out := me.brief(c)
	out.Remove("EXDATE", "RDATE")
	if out.Prop("SEQUENCE") == nil {
		out.Add(ics.NewProp("SEQUENCE", "0"))
	}
	mine = mine.WithoutParams(append([]string{"RSVP"}, ownParams...)...)
	if ics.PartStat(&mine) != partstat || !mine.HasParam("PARTSTAT") {
		mine = mine.WithParam("PARTSTAT", partstat)
	}
	out.Add(mine)
	for _, p := range append(progress(c), extra...) {
		out.Add(p)
	}
	if out.Prop("REQUEST-STATUS") == nil { // RFC 5546 §3.6
		out.Add(ics.NewProp("REQUEST-STATUS", "2.0;Success"))
	}
	return out
}

// invitee is the recipient that an ATTENDEE or ORGANIZER line names.
func invitee(p *ics.Prop) cuaddr.Address { return ics.CalAddress(p) }

// setSequence writes a SEQUENCE.
func setSequence(c *ics.Component, n int) {
	if c.Prop("SEQUENCE") == nil && n == 0 || c.Prop("SEQUENCE") != nil && sequence(c) == n {
		return
	}
	c.Set(ics.NewProp("SEQUENCE", strconv.Itoa(n)))
}

// SentBy returns messages that somebody sends in another's name with SENT-BY on
// the line of whom they speak for (RFC 5545 §3.2.18, RFC 5546 §3.2.2.5, decision
// 30). One who says so already is left alone.
func SentBy(msgs []Message, by cuaddr.Address) []Message {
	if by.IsZero() {
		return msgs
	}
	done := map[*ics.Object]*ics.Object{}
	out := make([]Message, len(msgs))
	for i, m := range msgs {
		if done[m.Body] == nil {
			done[m.Body] = sentBy(m, by)
		}
		m.Body = done[m.Body]
		out[i] = m
	}
	return out
}

func sentBy(m Message, by cuaddr.Address) *ics.Object {
	name := "ORGANIZER"
	if m.Method == Reply || m.Method == Counter || m.Method == Refresh || m.Method == Request && ics.Organizer(m.Body.First()) != m.From {
		name = "ATTENDEE" // a delegator's REQUEST speaks for him
	}
	root := m.Body.Root().Clone()
	for _, c := range root.Children {
		for i := range c.Props {
			if p := &c.Props[i]; p.Name == name && !p.HasParam("SENT-BY") && ics.CalAddress(p) == m.From {
				*p = p.WithParam("SENT-BY", by.String())
			}
		}
	}
	return ics.New(root)
}
