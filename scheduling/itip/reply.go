package itip

import (
	"slices"
	"strconv"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// receiveReply notes an attendee's answer in the organizer's object (RFC 5546
// §3.2.3, RFC 6638 §4.2).
func (me Actor) receiveReply(have *ics.Object, msg Message) (Outcome, error) {
	if have == nil {
		return me.tooLate(msg), nil
	}
	if me.role(have) != organizer {
		return ignored("he does not organize this meeting"), nil
	}
	s := newSeries(have, have.Root().Clone())
	in := newSeries(msg.Body, msg.Body.Root())
	r := &replying{me: me, s: s, in: in, why: "nobody answers in it", serial: map[string]bool{}, prompt: msg.Prompt, split: msg.Crossed, ours: trim(msg.Body.Root().Value("PRODID")) == ProductID}
	if s.master != nil {
		for _, a := range s.master.guests() {
			r.serial[a.Fold()] = true
		}
	}
	for _, c := range masterFirst(in.parts) {
		r.component(c, msg.From)
	}
	unsent := r.unsent(msg)
	if !r.noted && !r.news {
		if len(unsent) > 0 {
			out := Outcome{Messages: unsent, Scheduled: true, KeepTag: true, Rule: r.why + ": whom he sends is told"}
			if s.dirty {
				out.Object, out.Changed = s.object(), true
			}
			return out, nil
		}
		if out, ok := me.crash(s, in, msg); ok {
			return out, nil
		}
		return ignored("%s", r.why), nil
	}
	s.dirty = true
	r.outlive()
	r.askAgain()
	r.markTakenOff()
	for _, gone := range r.gone {
		for i := range gone {
			s.turnedAway(ics.CalAddress(&gone[i]))
		}
	}
	out := Outcome{Object: s.object(), Changed: true, Scheduled: true, KeepTag: !r.shared, Refresh: r.news, Rule: "answer noted"}
	if !r.news {
		out.Rule = "answer noted: nothing new in it"
	}
	out.Inbox = msg.Body
	out.Messages, out.Delegates = r.sent(out.Object)
	out.Messages = append(out.Messages, unsent...)
	out.Messages = append(out.Messages, r.confirmations()...)
	if r.claim && !r.news {
		out.Inbox, out.Rule = nil, "kept until he is said to be a delegate"
	}
	return out, nil
}

// confirmations tell those whose answer crossed a new revision how things
// stand: the revision said that they had not answered, and their own servers
// took that for being asked anew (RFC 5546 §3.2.2.2: a REQUEST of the same
// SEQUENCE confirms).
func (r *replying) confirmations() []Message {
	var out []Message
	for _, a := range r.crossed {
		if slices.Contains(r.back, a) {
			continue // he is told all of it already
		}
		var parts []*part
		var without []ics.RID
		all := r.s.master != nil && r.s.listed(r.s.master, a)
		for _, p := range r.s.parts {
			if r.s.listed(p, a) {
				parts = append(parts, p)
			} else if all && p.rid != "" && r.s.obj.HasInstance(p.rid) {
				without = append(without, p.rid)
			}
		}
		if len(parts) == 0 || r.me.past(r.s.obj) {
			continue
		}
		org, _ := organizerOf(r.s.obj)
		out = append(out, Message{Method: Request, UID: r.s.obj.UID(), From: org, To: a, Body: r.me.requestBody(r.s, parts, without)})
	}
	return out
}

// askAgain marks what confirmations and invitations tell their recipients that
// they have not answered, as revision.ask does.
func (r *replying) askAgain() {
	for _, a := range slices.Concat(r.back, r.invited, r.crossed) {
		for _, p := range r.s.parts {
			if n := sequence(p.comp); n > 0 && r.s.listed(p, a) {
				l := p.attendee(a)
				if *l = l.WithoutParams(paramCrossed); ics.PartStat(l) == "NEEDS-ACTION" {
					*l = l.WithParam(paramAsked, strconv.Itoa(n))
				}
			}
		}
	}
}

// markTakenOff remembers of a meeting that has not been revised yet who gets a
// CANCEL: should he be invited anew, that must be a new revision (RFC 5546 §2.1.4).
func (r *replying) markTakenOff() {
	if r.s.master == nil || slices.ContainsFunc(r.s.parts, func(p *part) bool { return sequence(p.comp) > 0 }) {
		return
	}
	c := r.s.master.comp
	for _, p := range r.s.parts {
		for i := range r.gone[p] {
			mark := ics.NewProp(propLapsed, offByAnswer(ics.CalAddress(&r.gone[p][i])))
			if have := c.PropsNamed(propLapsed); len(have) < maxLapsed && !slices.ContainsFunc(have, func(p *ics.Prop) bool { return p.Value == mark.Value }) {
				c.Add(mark)
				r.s.master.moved()
			}
		}
	}
}

func offByAnswer(a cuaddr.Address) string { return "/0/" + a.Fold() }

type replying struct {
	me     Actor
	s      *series
	in     *series
	made   *part  // the override that the present answer needed
	why    string // nothing came of it
	noted  bool   // the object changed
	news   bool   // a PARTSTAT changed, or how far somebody is with a task
	shared bool   // a property that attendees may set for everybody changed

	claim   bool                 // somebody says that he is a delegate
	invited []cuaddr.Address     // delegates who are new, told by who sends them
	gone    map[*part][]ics.Prop // delegates who are not sent any more
	back    []cuaddr.Address     // whom the organizer asks: delegators whose delegate does not come

	// crossed: who is to hear that his answer counts, though it is for an earlier
	// revision than the one that he was told since.
	crossed []cuaddr.Address
	ours    bool            // the answer was made by a server like this one
	prompt  bool            // and by this one
	split   bool            // it is to a series of which this was a part
	serial  map[string]bool // who was in the series before it
}

func (r *replying) component(c *part, from cuaddr.Address) {
	l := answering(c, from)
	if l == nil {
		return
	}
	who := ics.CalAddress(l)
	if c.rid == "" {
		if r.s.master == nil {
			r.every(c, l, who)
			return
		}
		r.whole(c, l, who)
		return
	}
	p := r.s.byRID[c.rid]
	r.made = nil
	if p == nil && failed(c.comp, l) {
		p = r.s.at(c.rid)
	}
	if p == nil {
		if r.s.master == nil || !r.s.obj.HasInstance(c.rid) {
			r.why = "the meeting has no such occurrence"
			return
		}
		m := find(r.s.master, who)
		if m == nil && !r.waits(c, r.s.master, l) {
			r.why = "he is not invited" // a party crasher (RFC 5546 §3.2.2.6)
			return
		}
		if m != nil {
			if stale, why := r.stale(c, r.s.master, m); stale {
				r.why = why
				return
			}
			if said := withProgress(*m, c.comp, ics.PartStat(l)); ics.PartStat(m) == ics.PartStat(l) && said.Equal(m) && !l.HasParam("DELEGATED-TO") && !r.overtook(c, m) {
				r.why = "a repetition: nothing in it is new"
				return
			}
		}
		occ := r.s.regular(c.rid)
		if occ == nil {
			r.why = "the meeting has no such occurrence"
			return
		}
		p = r.s.graft(occ)
		r.made = p
		for i := range p.comp.Props {
			if q := &p.comp.Props[i]; q.Name == "ATTENDEE" {
				*q = sinceRevision(*q)
			}
		}
	}
	r.note(c, p, l, who)
}

// whole answers for the series, and for the occurrences that followed it so far.
// Those that say otherwise are in the same message (RFC 6638 §3.2.2.3): whatever a
// server like this one does not name is answered as the series is, unless he has
// said something of it, or was asked anew, later than that (RFC 5546 §2.1.5). So
// it does not matter which occurrences have a component of their own, as others'
// answers make them too. Of other programs' answers it is only known that they
// concern the occurrences at their usual time to which he answered alike before.
func (r *replying) whole(c *part, l *ics.Prop, who cuaddr.Address) {
	before := "NEEDS-ACTION"
	if m := find(r.s.master, who); m != nil {
		before = ics.PartStat(m)
	}
	counts := r.note(c, r.s.master, l, who)
	for _, p := range r.s.parts {
		m := find(p, who)
		if p.rid == "" || cancelled(p.comp) {
			continue
		}
		if m == nil {
			if r.ours && r.in.byRID[p.rid] == nil {
				r.early(c, p, l) // he may be sent to this one, too
			}
			continue
		}
		if named := r.in.byRID[p.rid]; named != nil {
			if stale, _ := r.stale(named, p, m); !stale || !r.ours {
				continue // it says otherwise; if it is of an occurrence that is no more, this one is as the series
			}
		}
		covered := !answeredSince(m, c.comp) && m.Param(paramCovered) <= answeredBy(c.comp).stamp
		if !r.ours {
			ps := ics.PartStat(m)
			covered = counts && r.asMaster(p) && (ps == "NEEDS-ACTION" || ps == before || ps == ics.PartStat(l))
		}
		switch {
		case r.aside(m):
		case covered:
			r.note(c, p, l, who)
		case r.ours && m.HasParam(paramCrossed): // his mail program answered it with the series before
			r.confirm(p, m)
			r.noted = true
		}
	}
}

// answeredSince reports whether somebody's line remembers a later answer, or
// being asked anew since this one. An occurrence has a SEQUENCE of its own, so the
// order of what he wrote is that of DTSTAMP.
func answeredSince(m *ics.Prop, c *ics.Component) bool {
	last, this := sinceOf(m), answeredBy(c)
	return m.HasParam(paramSince) && (this.seq < last.seq || this.stamp < last.stamp)
}

// asMaster reports whether an override is at the time that the master gives
// its instance: an answer to the series then covers it.
func (r *replying) asMaster(p *part) bool {
	occ := r.s.regular(p.rid)
	return occ != nil && sameTime(r.s.obj, occ, r.s.obj, p.comp)
}

// overtook reports whether an answer for one occurrence that is the same as that
// for the series came before another answer for the series: a server like this
// one says nothing twice. It must be remembered, or the other one would cover it.
// So must one to a revision of which the organizer's mail program has sent no copy
// here yet (RFC 5546 §2.1.5).
func (r *replying) overtook(c *part, m *ics.Prop) bool {
	last, this := sinceOf(m), answeredBy(c.comp)
	return r.ours && last.stamp != "" && last.stamp < this.stamp || this.seq > r.s.top()
}

// every answers for all instances of an object without a master.
func (r *replying) every(c *part, l *ics.Prop, who cuaddr.Address) {
	for _, p := range r.s.parts {
		if find(p, who) != nil {
			r.note(c, p, l, who)
		}
	}
}

// answersSeries reports whether the message has an answer for the series, which
// one taken back is not.
func (r *replying) answersSeries(who cuaddr.Address) bool {
	if r.in.master == nil {
		return false
	}
	l := find(r.in.master, who)
	return l == nil || ics.PartStat(l) != "NEEDS-ACTION"
}

// note writes an answer down; false if it does not count.
func (r *replying) note(c, p *part, l *ics.Prop, who cuaddr.Address) bool {
	m := find(p, who)
	if m == nil {
		r.why = "he is not invited"
		return r.early(c, p, l)
	}
	own := c.rid == p.rid // not an answer to the series that covers an occurrence
	if stale, why := r.stale(c, p, m); own && p != r.made && stale {
		r.why = why
		if r.ours && m.HasParam(paramCrossed) && ics.PartStat(m) == ics.PartStat(l) { // it counted with his answer to the series
			r.confirm(p, m)
			r.noted = true
		}
		return false
	}
	said := ics.PartStat(l)
	if failed(c.comp, l) {
		said = ics.PartStat(m)
	}
	if !mayAnswer(c.comp.Name, said) {
		r.why = "no answer that is known: " + said
		return false
	}
	if said == "NEEDS-ACTION" && own && c.rid != "" && r.ours && r.answersSeries(who) && ics.PartStat(m) != said {
		// It is named because his answer for the series is none for it (RFC 6638
		// §3.2.2.3). What he had said of it came after he was asked anew, and he is
		// told that it counts.
		if m.HasParam(paramCrossed) {
			r.confirm(p, m)
			r.noted = true
		}
		return true
	}
	if said == "DELEGATED" && slices.ContainsFunc(persons(l, "DELEGATED-TO"), func(a cuaddr.Address) bool { return behind(p, who, a) }) {
		said = "DECLINED" // he sends those who sent him: nobody comes
	}
	if said == "DELEGATED" && refused(c, p, l) {
		r.giveBack(c, p, m, persons(l, "DELEGATED-TO"))
		return true
	}
	if said == "DELEGATED" && own && r.outdated(c, m, l) {
		r.why = "whom he sends has declined since, which he did not know"
		return true
	}
	status := statusOf(c.comp)
	now := answeredBy(c.comp)
	now.all = own && c.rid == "" && r.ours // RFC 6638 §3.2.2.3: instances that differ are in the same message
	at := ics.CalAddress(m)
	for i := range p.comp.Props { // two lines of one person get one PARTSTAT (decision 28)
		q := &p.comp.Props[i]
		if q.Name != "ATTENDEE" || !sameLine(q, at) && (r.me.Same == nil || !r.me.Same(ics.CalAddress(q), at)) {
			continue
		}
		n := *q
		if before := ics.PartStat(&n); before != said {
			n = n.WithParam("PARTSTAT", said).WithoutParams(paramRefused)
			r.news = true
			n = n.WithoutParams(paramCrossed)
			if r.parted(c) && (r.ours || r.split || c.rid == "") { // his copies are two now, and have what he had said before
				r.confirm(p, q)
			}
			switch {
			case !r.crosses(c, p, q):
				n = n.WithoutParams(paramAsked)
			case !r.ours && agent(q) == byServer && !slices.Contains(r.crossed, ics.CalAddress(q)):
				n = n.WithParam(paramCrossed, "TRUE")
			}
		} else if r.ours && n.HasParam(paramCrossed) && r.crosses(c, p, q) {
			n = n.WithoutParams(paramCrossed) // his server says again what his mail program said
		}
		if far := withProgress(n, c.comp, said); !far.Equal(&n) {
			n, r.news = far, true
		}
		if said != "NEEDS-ACTION" {
			n = n.WithoutParams("RSVP") // who has answered is not asked any more
		}
		n = n.WithParam("SCHEDULE-STATUS", status)
		switch {
		case r.split: // and what he says of this part by itself may come late
			n = n.WithParam(paramWhole, now.stamp)
		case own || r.ours:
			n = n.WithParam(paramSince, r.counting(q, p, now, own).String())
		default:
			n = n.WithParam(paramCovered, now.stamp)
		}
		switch {
		case said == "DELEGATED" && l.HasParam("DELEGATED-TO"):
			// Whom he sends is news also where that one is in it already.
			r.news = r.news || !slices.EqualFunc(persons(q, "DELEGATED-TO"), persons(l, "DELEGATED-TO"), samePerson)
			n = n.WithParam("DELEGATED-TO", l.ParamValues("DELEGATED-TO")...)
		case said != "DELEGATED" && said != "NEEDS-ACTION":
			n = n.WithoutParams("DELEGATED-TO") // he comes himself, or nobody does
		}
		if !n.Equal(q) {
			*q = n
			r.noted = true
		}
	}
	if own && r.share(c, p, l, find(p, who)) {
		r.noted, r.news, r.shared = true, true, true
	}
	switch said {
	case "DELEGATED":
		r.delegate(c, p, l)
	case "NEEDS-ACTION":
	case "DECLINED":
		r.dismissed(p, dismiss(p, who, nil))
		r.declined(p, find(p, who))
	default:
		r.dismissed(p, dismiss(p, who, nil))
	}
	if !r.noted {
		r.why = "a repetition: nothing in it is new"
	}
	return true
}

// crosses reports whether an answer crossed what its giver was told since, and notes
// that he is to hear that it counts. Mail programs repeat what SEQUENCE they like:
// whether what one says crossed anything, the server of who gave it knows, and says it
// again; only of what the organizer's own program told it does not know that there is
// a server.
func (r *replying) crosses(c, p *part, l *ics.Prop) bool {
	seq, byMail := asked(l)
	if sequence(c.comp) >= seq {
		return false
	}
	if r.ours || byMail {
		r.confirm(p, l)
	}
	return true
}

// confirm notes that somebody is to hear that his answer counts.
func (r *replying) confirm(p *part, l *ics.Prop) {
	if a := ics.CalAddress(l); !p.off && agent(l) == byServer && !slices.Contains(r.crossed, a) {
		r.crossed = append(r.crossed, a)
	}
}

// answering returns the ATTENDEE line of whoever replies: his whom the message
// speaks for, or the only one.
func answering(c *part, from cuaddr.Address) *ics.Prop {
	if l := find(c, from); l != nil {
		return l
	}
	if from.IsZero() && len(c.guests()) == 1 {
		return c.attendee(c.guests()[0])
	}
	return nil
}

// find returns somebody's line, whatever the case of his address.
func find(p *part, who cuaddr.Address) *ics.Prop {
	if l := p.attendee(who); l != nil {
		return l
	}
	if who.IsZero() {
		return nil
	}
	return ics.Attendee(p.comp, isPerson(who))
}

// failed reports whether a REPLY says that the request could not be processed,
// and nothing of whether he comes (RFC 5546 §3.2.3, §4.4.10).
func failed(c *ics.Component, l *ics.Prop) bool {
	status := statusOf(c)
	return !l.HasParam("PARTSTAT") && (status[0] == '3' || status[0] == '5')
}

// statusOf reads REQUEST-STATUS into a SCHEDULE-STATUS: the codes, or success
// (RFC 6638 §4.2).
func statusOf(c *ics.Component) string {
	var codes []string
	for _, p := range c.PropsNamed("REQUEST-STATUS") {
		code, _, _ := strings.Cut(trim(p.Value), ";")
		if code != "" && strings.Trim(code, "0123456789.") == "" && len(code) < 12 && len(codes) < 8 {
			codes = append(codes, code)
		}
	}
	if len(codes) == 0 {
		return StatusSuccess
	}
	return strings.Join(codes, ",")
}
