package itip

import (
	"slices"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// answer is one component of a REPLY.
type answer struct {
	comp     *ics.Component // describes the instance
	mine     ics.Prop       // the attendee's line
	partstat string
	extra    []ics.Prop // COMMENT, a delegate
}

// accept is an attendee's object that was not there before (RFC 6638
// §3.2.2.2): a program stores an invitation that came to it by mail, perhaps
// with the answer already in it.
func (me Actor) accept(s *series) (Outcome, error) {
	out := Outcome{Scheduled: true, Rule: "attendee's copy stored"}
	force := me.unforce(s)
	_, org := organizerOf(s.obj)
	if agent(org) == byServer && !me.past(s.obj) && !muted(s) {
		var said []answer
		for _, p := range s.parts {
			l := p.self(me)
			if l == nil || cancelled(p.comp) {
				continue
			}
			if ps := ics.PartStat(l); ps != "NEEDS-ACTION" || force == string(Reply) {
				said = append(said, answer{comp: p.comp, mine: *l, partstat: ps, extra: comments(nil, p.comp)})
			}
		}
		out.Messages = me.reply(s.obj, said)
	}
	out.Object, out.Changed = s.object(), s.dirty
	return out, nil
}

// attend is an attendee's change of his copy (RFC 6638 §3.2.2.3).
func (me Actor) attend(before *ics.Object, s *series, opt Options) (Outcome, error) {
	out := Outcome{Scheduled: true, Rule: "attendee's change stored"}
	was := newSeries(before, before.Root())
	org, orgLine := organizerOf(before)
	handled := agentNow(s, orgLine)
	if handled != byServer && agent(orgLine) == byServer && me.strict(org) {
		return Outcome{}, refuse("who schedules it")
	}
	if handled != byServer && agent(orgLine) != byServer {
		// RFC 6638 §3.2.2.3: no special processing of what the client schedules
		me.unforce(s)
		out.Object, out.Changed, out.Rule = s.object(), s.dirty, "stored: the program schedules it"
		return out, nil
	}
	force := me.unforce(s)
	m := &mend{me: me, was: was, is: s, org: org}
	if opt.Mailed {
		m.comeBack()
		s = m.is
	}
	if err := m.all(); err != nil {
		return Outcome{}, err
	}
	out.Left = me.leaving(before, m.droppedParts(), false)
	if handled == byServer && !me.past(before, s.obj) && !muted(s) {
		said, late := m.answers(force == string(Reply))
		out.Left = AddLeft(out.Left, me.leaving(before, m.still, false))
		if opt.Comment != "" {
			for i := range said {
				said[i].extra = append(said[i].extra, ics.NewProp("COMMENT", ics.Escape(opt.Comment)))
			}
		}
		out.Messages = me.reply(before, said)
		if besides := m.unsaid(opt.Sent, said); besides {
			for i := range out.Messages {
				out.Messages[i].Besides = true
			}
		} else if opt.Sent != nil {
			m.mailed(opt.Sent)
		}
		out.Messages = append(out.Messages, m.delegations()...)
		if mine := was.master; m.ask && mine != nil {
			out.Messages = append(out.Messages, me.ask(before, *orgLine, *mine.self(me))...)
		}
		for _, r := range me.reply(before, late) {
			// RFC 6638 §3.2.2.3 has it delivered; nobody needs a mail about what does not
			// take place.
			r.Echo = true
			out.Messages = append(out.Messages, r)
		}
		if len(said) > 0 {
			out.Rule = "attendee's answer stored"
		}
	}
	if force != "" && force != string(Reply) && len(out.Messages) == 0 {
		for _, p := range s.parts { // RFC 6638 §7.2
			if stampPart(p.comp, served(map[cuaddr.Address]string{org: "2.3"})) {
				s.dirty = true
			}
		}
	}
	out.Object, out.Changed = s.object(), s.dirty
	return out, nil
}

// agentNow reads who schedules the organizer: as the program says now, or as
// stored where it dropped the parameter.
func agentNow(s *series, stored *ics.Prop) agency {
	for _, p := range s.parts {
		if l := p.comp.Prop("ORGANIZER"); l != nil && l.HasParam("SCHEDULE-AGENT") {
			return agent(l)
		}
	}
	return agent(stored)
}

// unforce strips SCHEDULE-FORCE-SEND (RFC 6638 §7.2) and returns what the
// ORGANIZER line had.
func (me Actor) unforce(s *series) string {
	force := ""
	for _, p := range s.parts {
		for i := range p.comp.Props {
			l := &p.comp.Props[i]
			if (l.Name == "ORGANIZER" || l.Name == "ATTENDEE") && l.HasParam("SCHEDULE-FORCE-SEND") {
				if l.Name == "ORGANIZER" && agent(l) == byServer {
					force = strings.ToUpper(l.Param("SCHEDULE-FORCE-SEND"))
				}
				p.comp.Props[i] = l.WithoutParams("SCHEDULE-FORCE-SEND")
				s.dirty = true
			}
		}
	}
	return force
}

// outlast are the answers that stand when an attendee removes his copy.
var outlast = []string{"DELEGATED", "COMPLETED"}

// decline is an attendee's removal of his copy (RFC 6638 §3.2.2.4, §8.1).
func (me Actor) decline(before *ics.Object, opt Options) Outcome {
	out := Outcome{Remove: true, Rule: "attendee removed his copy", Left: me.leaving(before, before.Main(), opt.NoReply, outlast...)}
	s := newSeries(before, before.Root())
	_, org := organizerOf(before)
	switch {
	case opt.NoReply:
		out.Rule += ", no reply was wanted"
		return out
	case agent(org) != byServer || muted(s):
		out.Rule += ", the program schedules it"
		return out
	case me.past(before):
		out.Rule += ", nothing sent: the meeting is past"
		return out
	}
	var said, stand []answer
	for _, p := range masterFirst(s.parts) {
		l := p.self(me)
		if l == nil || cancelled(p.comp) || ics.PartStat(l) == "DECLINED" {
			continue // he has said so before
		}
		if slices.Contains(outlast, ics.PartStat(l)) { // it is done, or somebody else does it
			if len(said) > 0 && said[0].comp.Prop("RECURRENCE-ID") == nil {
				stand = append(stand, answer{comp: me.current(s, p), mine: *l, partstat: ics.PartStat(l)})
			}
			continue
		}
		said = append(said, answer{comp: me.current(s, p), mine: *l, partstat: "DECLINED"})
	}
	// RFC 6638 §3.2.2.3: instances for which the answer to the series is none are
	// named with it.
	said = append(said, stand...)
	out.Messages = me.reply(before, said)
	if len(said) > 0 {
		out.Rule += ": declined"
	}
	return out
}

// reply makes one REPLY of answers (RFC 5546 §3.2.3).
func (me Actor) reply(o *ics.Object, said []answer) []Message {
	if len(said) == 0 {
		return nil
	}
	org, _ := organizerOf(o)
	if org.IsZero() || me.Self(org) {
		return nil
	}
	var comps []*ics.Component
	for _, a := range said {
		comps = append(comps, me.replyComponent(a.comp, a.mine, a.partstat, a.extra...))
	}
	return []Message{{
		Method: Reply, UID: o.UID(), From: invitee(&said[0].mine), To: org,
		Body: envelope(o, Reply, comps), Significant: true,
	}}
}

// current is a component of the user's copy as he answers it: an occurrence that is
// as the series says, but for what is his own, is of the series' revision, which an
// ADD may have raised alone (RFC 5546 §3.2.4).
func (me Actor) current(s *series, p *part) *ics.Component {
	if p.rid == "" || s.master == nil || sequence(p.comp) >= sequence(s.master.comp) {
		return p.comp
	}
	occ := s.regular(p.rid)
	if occ == nil || !me.sameContent(occ, p.comp) || !sameTime(s.obj, occ, s.obj, p.comp) {
		return p.comp
	}
	c := p.comp.Clone()
	setSequence(c, sequence(s.master.comp))
	return c
}

// comments returns the COMMENTs and REQUEST-STATUSes of c that are not in old:
// what an attendee, or his program, wants to say with the answer.
func comments(old, c *ics.Component) []ics.Prop {
	var out []ics.Prop
	for _, p := range append(c.PropsNamed("COMMENT"), c.PropsNamed("REQUEST-STATUS")...) {
		known := strings.TrimSpace(p.Value) == ""
		if old != nil {
			for _, q := range old.PropsNamed(p.Name) {
				known = known || q.Value == p.Value
			}
		}
		if !known {
			out = append(out, *p)
		}
	}
	return out
}

// answers collects what the attendee says anew, by component: the master with
// each override whose answer differs from it, single instances, and instances
// that he took away (RFC 6638 §3.2.2.3). late is what he says of what is
// cancelled. What stood by the organizer's word is his own now.
func (m *mend) answers(force bool) (out, late []answer) {
	whole, wholeSaid := "", false
	for _, p := range masterFirst(m.is.parts) {
		l := p.self(m.me)
		if l == nil {
			continue
		}
		now, before := ics.PartStat(l), "NEEDS-ACTION"
		var oldComp *ics.Component
		if b := m.base[p]; b != nil {
			oldComp = b.comp
			if o := b.self(m.me); o != nil {
				before = ics.PartStat(o)
			}
		}
		if cancelled(p.comp) {
			if now != before {
				late = append(late, answer{comp: p.comp, mine: *l, partstat: now})
			}
			continue
		}
		further := oldComp != nil && p.comp.Name == "VTODO" && !slices.EqualFunc(progress(oldComp), progress(p.comp), func(a, b ics.Prop) bool { return a.Value == b.Value })
		passed := oldComp != nil && now == "DELEGATED" && !equalSets(delegatesOf(*l), delegatesOf(*ics.Attendee(oldComp, m.me.Self)))
		var shared []ics.Prop
		if oldComp != nil {
			shared = m.me.shares(oldComp, p.comp)
			if o := ics.Attendee(oldComp, m.me.Self); o != nil {
				passed = passed || m.me.says(o, l)
			}
		}
		if p.rid == "" { // said for whatever reason
			whole, wholeSaid = now, now != before || force || further || passed || len(shared) > 0
		}
		if now == before && !further && !passed && !force && len(shared) == 0 && !(p.rid != "" && wholeSaid && now != whole) {
			continue
		}
		if l.HasParam(paramSaid) || l.HasParam(paramAnswers) || l.HasParam(paramMailed) { // by the organizer's word no more: he says it himself
			*l = l.WithoutParams(paramSaid, paramAnswers, paramMailed)
			m.is.dirty = true
		}
		a := answer{comp: m.me.current(m.is, p), mine: *l, partstat: now, extra: append(comments(oldComp, p.comp), shared...)}
		for _, d := range m.delegate {
			if d.part == p {
				a.extra = append(a.extra, d.line)
			}
		}
		out = append(out, a)
	}
	for _, c := range m.droppedParts() {
		// Or he has said so before, and says nothing else of the series now (RFC 6638
		// §3.2.2.3).
		if l := ics.Attendee(c, m.me.Self); ics.PartStat(l) != "DECLINED" || wholeSaid && whole != "DECLINED" {
			out = append(out, answer{comp: m.me.current(m.was, &part{comp: c, rid: m.was.obj.RID(c)}), mine: *l, partstat: "DECLINED"})
		}
	}
	if wholeSaid { // and they are away in the revision that he answers
		if away := m.away(); whole != "DECLINED" {
			out = append(out, away...)
		}
	}
	return out, late
}

// droppedParts are the instances that he took away, as they were.
func (m *mend) droppedParts() []*ics.Component {
	var out []*ics.Component
	for _, r := range m.dropped {
		old := m.was.at(r)
		comp := old.comp
		if old.rid == "" {
			comp = m.was.regular(r)
		}
		if comp != nil && ics.Attendee(comp, m.me.Self) != nil && !cancelled(comp) {
			out = append(out, comp)
		}
	}
	return out
}
