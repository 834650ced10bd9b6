package itip

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Proposal is what one attendee proposed for one instance by a COUNTER (RFC
// 5546 §3.2.7), as long as the organizer has not decided about it.
type Proposal struct {
	ID       int64          // of the caller's; the core only hands it back
	Attendee cuaddr.Address // as invited
	RID      ics.RID        // "" the whole
	Body     *ics.Object    // the COUNTER
}

// maxProposals bounds what one attendee may leave undecided in a meeting.
const maxProposals = 20

// comp returns the component that proposes.
func (p *Proposal) comp() *ics.Component {
	for _, c := range p.Body.Main() {
		if p.RID == "" && c.Prop("RECURRENCE-ID") == nil || p.RID != "" && p.Body.RID(c) == p.RID {
			return c
		}
	}
	return p.Body.First()
}

// receiveCounter takes a proposal in: it is kept and shown, the meeting stays
// as it is until the organizer changes it (RFC 5546 §3.2.7, decision 26).
func (me Actor) receiveCounter(have *ics.Object, msg Message) (Outcome, error) {
	switch {
	case have == nil:
		return ignored("no such meeting"), nil
	case me.role(have) != organizer:
		return ignored("he does not organize this meeting"), nil
	}
	s := newSeries(have, have.Root())
	in := newSeries(msg.Body, msg.Body.Root())
	var out Outcome
	why := "nobody proposes anything in it"
	open := me.proposals()
	for _, c := range in.parts {
		p, no := me.proposed(s, c, msg, open)
		if no != "" {
			why = no
			continue
		}
		open = append(open, p)
		out.Proposed = append(out.Proposed, p)
	}
	if len(out.Proposed) == 0 {
		return ignored("%s", why), nil
	}
	if l := s.parts[0].comp.Value("X-MICROSOFT-DISALLOW-COUNTER"); strings.EqualFold(strings.TrimSpace(l), "TRUE") {
		for _, p := range out.Proposed {
			out.Messages = append(out.Messages, me.declineCounter(s, p, "the organizer takes no proposals")...)
		}
		out.Proposed, out.Rule = nil, "declined: the meeting takes no proposals"
		return out, nil
	}
	out.KeepTag, out.Scheduled, out.Inbox = true, true, msg.Body
	out.Rule = "proposal kept for the organizer"
	return out, nil
}

func (me Actor) proposals() []Proposal {
	if me.Proposals == nil {
		return nil
	}
	return slices.Clone(me.Proposals())
}

// proposed reads one component of a COUNTER; no says why it does not count.
func (me Actor) proposed(s *series, c *part, msg Message, open []Proposal) (p Proposal, no string) {
	at := s.at(c.rid)
	if at == nil {
		return p, "the meeting has no such occurrence"
	}
	line := find(at, msg.From)
	switch {
	case line == nil || me.Self(msg.From):
		return p, "he is not invited"
	case at.off || s.master != nil && s.master.off:
		return p, "what he proposes to change is cancelled"
	case me.passed(s, c.rid):
		return p, "what he proposes to change is over"
	}
	// RFC 5546 §3.2.7: it echoes the SEQUENCE that is countered. What was moved
	// since is not what he speaks of.
	if c.comp.Prop("SEQUENCE") != nil {
		n := sequence(at.comp)
		if line.HasParam(paramSince) {
			n = sinceOf(line).seq
		}
		if sequence(c.comp) < n {
			return p, "stale: he counters revision " + strconv.Itoa(sequence(c.comp)) + ", the meeting is at " + strconv.Itoa(sequence(at.comp))
		}
	}
	p = Proposal{Attendee: ics.CalAddress(line), RID: c.rid, Body: msg.Body}
	if now := describe(s, c.rid); now == nil || !differs(s.obj, now, msg.Body, c.comp) {
		return p, "it proposes nothing new"
	}
	n := 0
	for i := range open {
		q := &open[i]
		if !samePerson(q.Attendee, p.Attendee) {
			continue
		}
		n++
		if q.RID != p.RID {
			continue
		}
		switch old := q.comp(); { // decision 21
		case older(c.comp, old):
			return p, "he has proposed something newer"
		case !differs(q.Body, old, msg.Body, c.comp) && slices.Equal(valuesOf(old, "COMMENT"), valuesOf(c.comp, "COMMENT")):
			return p, "a repetition: he has proposed that before"
		}
		n = 0 // it takes the place of the earlier one
		break
	}
	if n >= maxProposals {
		return p, "he has too many open proposals for this meeting"
	}
	return p, ""
}

// describe returns the component that tells of an instance as it is now.
func describe(s *series, r ics.RID) *ics.Component {
	p := s.at(r)
	if p == nil {
		return nil
	}
	if p.rid == r {
		return p.comp
	}
	return s.regular(r)
}

// sameWhen reports whether a proposal and a component are at the same time. A
// proposal that says nothing of the recurrence leaves it as it is.
func sameWhen(oa *ics.Object, a *ics.Component, proposal *ics.Object, b *ics.Component) bool {
	if b.Prop("DTEND") == nil && b.Prop("DURATION") == nil && b.Prop("DUE") == nil {
		x, _ := span(oa, a)
		y, _ := span(proposal, b)
		return samePoint(x, y)
	}
	if !sameTime(oa, a, proposal, b) {
		return false
	}
	return b.Prop("RRULE") == nil || a.Prop("RRULE") == nil || compareRules(oa, a, proposal, b) == 0
}

// counterable is what people propose beside another time.
var counterable = []string{"SUMMARY", "LOCATION", "DESCRIPTION"}

// wanted returns the properties that a proposal wants otherwise than a
// component has them. What it leaves out it does not want otherwise.
func wanted(now, proposal *ics.Component) []string {
	var out []string
	for _, n := range counterable {
		if v := valuesOf(proposal, n); len(v) > 0 && !slices.Equal(v, valuesOf(now, n)) {
			out = append(out, n)
		}
	}
	return out
}

// differs reports whether a proposal asks for anything that is not so already:
// another time, another place, other people.
func differs(oa *ics.Object, now *ics.Component, ob *ics.Object, proposal *ics.Component) bool {
	if !sameWhen(oa, now, ob, proposal) || len(wanted(now, proposal)) > 0 {
		return true
	}
	have := &part{comp: now}
	for _, a := range (&part{comp: proposal}).guests() {
		if find(have, a) == nil && a != ics.Organizer(now) {
			return true
		}
	}
	return false
}

// passed reports whether an instance, "" all of them, has ended.
func (me Actor) passed(s *series, r ics.RID) bool {
	end, ok := me.ends(s, r)
	return ok && !end.After(me.Now)
}

// ends returns when an instance ends; false for what never does.
func (me Actor) ends(s *series, r ics.RID) (time.Time, bool) {
	if r == "" {
		last, ok := s.obj.Last(me.floating(), me.Bound)
		return last, ok && !last.IsZero()
	}
	c := describe(s, r)
	if c == nil {
		return time.Time{}, false
	}
	_, end := span(s.obj, c)
	if end.Form == 0 {
		return time.Time{}, false
	}
	return end.At(me.floating()), true
}

// decide closes the proposals about which an organizer's write decides: what
// he took over is accepted, and the REQUEST that tells of it is the answer; a
// third time declines, and whoever proposed hears so once (RFC 5546 §3.2.8,
// decision 26). What is still as it was when it was proposed stays open.
func (v *revision) decide(out *Outcome, silent bool) {
	if v.was.obj == nil {
		return
	}
	for _, p := range v.me.proposals() {
		before, now := describe(v.was, p.RID), describe(v.is, p.RID)
		at, c := v.is.at(p.RID), p.comp()
		if before == nil || now == nil || at == nil || find(at, p.Attendee) == nil || cancelled(now) {
			out.Closed = append(out.Closed, p) // a CANCEL tells him
			continue
		}
		moved := !sameTime(v.was.obj, before, v.is.obj, now) || now.Prop("RRULE") != nil && compareRules(v.was.obj, before, v.is.obj, now) != 0
		switch another := !sameWhen(v.was.obj, before, p.Body, c); {
		case !differs(v.is.obj, now, p.Body, c), another && sameWhen(v.is.obj, now, p.Body, c):
			out.Closed = append(out.Closed, p)
		case moved:
			out.Closed = append(out.Closed, p)
			if !silent {
				out.Messages = append(out.Messages, v.me.declineCounter(v.was, p, "")...)
			}
		case !another && len(wanted(now, c)) < len(wanted(before, c)):
			out.Closed = append(out.Closed, p) // some of it was taken over
		}
	}
}

// Lapsed returns the open proposals whose instances have passed undecided, and
// the DECLINECOUNTERs that say so (decision 26); next is when the next one of
// those that stay open passes, zero if none does.
func Lapsed(me Actor, have *ics.Object) (closed []Proposal, out []Message, next time.Time) {
	if have == nil || me.role(have) != organizer {
		return me.proposals(), nil, next
	}
	s := newSeries(have, have.Root())
	for _, p := range me.proposals() {
		end, ok := me.ends(s, p.RID)
		switch {
		case describe(s, p.RID) == nil:
			closed = append(closed, p)
		case !ok:
		case end.After(me.Now):
			if next.IsZero() || end.Before(next) {
				next = end
			}
		default:
			closed = append(closed, p)
			out = append(out, me.declineCounter(s, p, "")...)
		}
	}
	return closed, out, next
}

// Lapses returns when an instance ends of which a proposal speaks; false if
// never.
func Lapses(me Actor, have *ics.Object, r ics.RID) (time.Time, bool) {
	return me.ends(newSeries(have, have.Root()), r)
}

// Decline is an organizer's no to one open proposal.
func Decline(me Actor, have *ics.Object, p Proposal, comment string) []Message {
	return me.declineCounter(newSeries(have, have.Root()), p, comment)
}

// declineCounter makes the DECLINECOUNTER for one proposal (RFC 5546 §3.2.8):
// it names the event as the organizer has it and echoes the SEQUENCE that was
// countered. more are further properties, as a REQUEST-STATUS.
func (me Actor) declineCounter(s *series, p Proposal, comment string, more ...ics.Prop) []Message {
	now := describe(s, p.RID)
	if now == nil {
		now = s.parts[0].comp
	}
	line := ics.Attendee(now, isPerson(p.Attendee))
	if line == nil || agent(line) != byServer { // RFC 6638 §7.1: his program tells him
		return nil
	}
	out := me.brief(now)
	out.Remove("RRULE", "RDATE", "EXDATE", "SEQUENCE")
	out.Add(ics.NewProp("SEQUENCE", strconv.Itoa(sequence(p.comp()))))
	out.Add(publicAttendee(*line))
	if comment != "" {
		out.Add(ics.NewProp("COMMENT", ics.Escape(comment)))
	}
	out.Props = append(out.Props, more...)
	from, _ := organizerOf(s.obj)
	return []Message{{
		Method: DeclineCounter, UID: s.obj.UID(), From: from, To: ics.CalAddress(line),
		Body: envelope(s.obj, DeclineCounter, []*ics.Component{out}),
	}}
}

// receiveDeclineCounter tells an attendee that his proposal was not taken: the
// meeting stays as it is (RFC 5546 §3.2.8).
func (me Actor) receiveDeclineCounter(have *ics.Object, msg Message) (Outcome, error) {
	if have == nil {
		return ignored("he has no copy of that meeting"), nil
	}
	was, _ := organizerOf(have)
	org, _ := organizerOf(msg.Body)
	switch {
	case me.Self(was):
		return ignored("it is his own meeting: his copy is the truth"), nil
	case was.IsZero() || was != org && was.Fold() != org.Fold():
		return Outcome{}, &Refusal{Precondition: AllowedOrganizerReceived, Detail: "a meeting with this UID has another organizer"}
	case !me.in(newSeries(msg.Body, msg.Body.Root())):
		return ignored("others' proposals are declined, not his"), nil
	}
	return Outcome{Inbox: msg.Body, Scheduled: true, KeepTag: true, Rule: "his proposal was declined"}, nil
}

// Propose makes the COUNTER by which an attendee asks for another time of an
// instance ("" the whole) of the meeting that have tells of: his own copy, or
// the organizer's. The times are written as the event's are; for days and
// floating times the wall clock of start and end counts. nil: he is not invited
// to it, or it would end before it begins.
func Propose(me Actor, have *ics.Object, r ics.RID, start, end time.Time, comment string) *Message {
	s := newSeries(have, have.Root())
	now := describe(s, r)
	org, line := organizerOf(have)
	if now == nil || org.IsZero() || me.Self(org) || agent(line) != byServer || end.Before(start) || cancelled(now) {
		return nil
	}
	mine := ics.Attendee(now, me.Self)
	if mine == nil {
		return nil
	}
	c := me.public(now)
	c.Remove("DURATION", "DTEND", "DUE", "COMMENT")
	fin := "DTEND"
	if c.Name == "VTODO" {
		fin = "DUE"
	}
	form := ics.UTC
	if t, _ := span(have, now); t.Form != 0 {
		form = t.Form
	}
	write := func(name string, t time.Time) ics.Prop {
		id := t.UTC().Format("20060102T150405Z")
		switch form {
		case ics.Date:
			id = t.Format("20060102")
		case ics.Floating:
			id = t.Format("20060102T150405")
		}
		if form == ics.Zoned || s.master != nil && r == "" {
			return have.DateProp(name, ics.RID(id))
		}
		p := ics.NewProp(name, id)
		if form == ics.Date {
			p = p.WithParam("VALUE", "DATE")
		}
		return p
	}
	c.Set(write("DTSTART", start))
	c.Add(write(fin, end))
	c.RemoveFunc(func(p *ics.Prop) bool { return p.Name == "ATTENDEE" && !me.Self(ics.CalAddress(p)) })
	for i := range c.Props {
		if p := &c.Props[i]; p.Name == "ATTENDEE" {
			*p = p.WithoutParams("RSVP")
		}
	}
	if comment != "" {
		c.Add(ics.NewProp("COMMENT", ics.Escape(comment)))
	}
	return &Message{
		Method: Counter, UID: have.UID(), From: ics.CalAddress(mine), To: org,
		Body: envelope(have, Counter, []*ics.Component{c}), Significant: true,
	}
}

// Accepted is the organizer's object with what a proposal asks for: what he
// would put to accept it. nil if it has no such instance any more.
func Accepted(have *ics.Object, p Proposal) *ics.Object {
	s := newSeries(have, have.Root().Clone())
	at := s.byRID[p.RID]
	if p.RID == "" {
		at = s.master
	}
	if at == nil {
		occ := have.Occurrence(p.RID)
		if occ == nil {
			return nil
		}
		at = s.graft(occ)
	}
	want := p.comp()
	take := append([]string{"DTSTART", "DTEND", "DURATION", "DUE"}, counterable...)
	if p.RID == "" {
		take = append(take, "RRULE")
	}
	for _, n := range take {
		has := want.PropsNamed(n)
		if len(has) == 0 && (n == "DTEND" || n == "DURATION" || n == "DUE") && (want.Prop("DTEND") != nil || want.Prop("DURATION") != nil || want.Prop("DUE") != nil) {
			at.comp.Remove(n)
		}
		if len(has) > 0 {
			at.comp.Remove(n)
			at.comp.Add(*has[0])
		}
	}
	zones := map[string]bool{}
	for _, c := range s.root.Children {
		if c.Name == "VTIMEZONE" {
			zones[c.Value("TZID")] = true
		}
	}
	for _, c := range p.Body.Root().Children {
		if id := c.Value("TZID"); c.Name == "VTIMEZONE" && !zones[id] && refers([]*ics.Component{at.comp}, id) {
			s.root.Children = slices.Insert(s.root.Children, 0, c.Clone())
		}
	}
	return ics.New(s.root)
}
