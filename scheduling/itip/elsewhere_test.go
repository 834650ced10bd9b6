package itip_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
)

// What people do beside writing their copies and answering: delegate, propose
// another time, ask how things stand, add a day by mail, and send mail that the
// server only sees.

// beside plays one of these acts.
func (s *simulation) beside(a act, who *somebody, o *ics.Object) {
	root := o.Root().Clone()
	what := ""
	switch a.What {
	case whatDelegate, whatDelegate + 1, whatDelegate + 2, whatDelegate + 3:
		if who != s.org {
			what = s.sends(who, a, o, root)
		}
	case whatPropose, whatPropose + 1:
		if who != s.org {
			s.proposes(who, a, o)
		}
	case whatDecide, whatDecide + 1, whatDecide + 2:
		s.decides(a)
	case whatAsk, whatAsk + 1:
		if who != s.org {
			s.refreshes(who)
		}
	case whatMails, whatMails + 1, whatMails + 2:
		switch {
		case who.home < 0: // he has no other program
			return
		case who == s.org:
			s.tells(a, o)
		case calmly("answers") && s.between([]*somebody{who, s.org}) >= 0:
			return
		default:
			n := s.sent
			s.replies(who, a, o)
			for i, p := range s.mail {
				if calmly("answers") && p.id == n && p.m.From == s.address(who) {
					s.hand(i, false)
					break
				}
			}
		}
	case whatAdd, whatAdd + 1, whatAdd + 2:
		if who == s.org && who.home < 0 {
			s.adds(a, o)
		}
	}
	if what != "" {
		s.write(who, what, root)
	}
}

// Where act.What changes its meaning: below whatMail, and from whatMore on, people
// write their copies.
const (
	whatMail     = 42 // a mail arrives
	whatAgain    = 57 // and stays on its way
	whatQuiet    = 60 // all mails arrive
	whatDelegate = 64
	whatPropose  = 68
	whatDecide   = 70
	whatAsk      = 73
	whatMails    = 75
	whatAdd      = 78
	whatMove     = 81 // to another calendar of his
	whatBeyond   = 82 // mails again
	whatMore     = 96
	whatEnd      = 128
)

// sends puts another in somebody's place, for one occurrence or for all.
func (s *simulation) sends(who *somebody, a act, o *ics.Object, root *ics.Component) string {
	to := s.people[(a.B*8+a.C)%len(s.people)]
	if to == who || to == s.org {
		return ""
	}
	line := func(c *ics.Component) bool {
		l := ics.Attendee(c, s.self(who))
		if l == nil {
			return false
		}
		*l = l.WithParam("PARTSTAT", "DELEGATED").WithParam("DELEGATED-TO", s.address(to).String())
		if a.A%2 == 0 && ics.Attendee(c, s.self(to)) == nil { // some programs write the line, others leave that to the server
			c.Add(ics.NewProp("ATTENDEE", s.address(to).String(), ics.Param{Name: "DELEGATED-FROM", Values: []string{s.address(who).String()}}))
		}
		return true
	}
	if a.A >= 4 {
		if c, r := s.occurrence(a.B, o, root); c != nil && line(c) {
			return "sends " + to.name + " on " + string(r)
		}
		return ""
	}
	did := false
	for _, c := range events(root) {
		did = line(c) || did
	}
	if !did {
		return ""
	}
	return "sends " + to.name
}

// proposes is a COUNTER (RFC 5546 §3.2.7).
func (s *simulation) proposes(who *somebody, a act, o *ics.Object) {
	r := ics.RID("")
	if a.A%2 == 1 {
		if c, at := s.occurrence(a.B, o, o.Root().Clone()); c != nil {
			r = at
		}
	}
	start := time.Date(2031, 3, 27+a.B%4, 10+a.C%4, 0, 0, 0, time.UTC)
	s.clock()
	s.acting = who.name + " proposes another time of " + string(r)
	me := who.core.actor(who.name, s.uid)
	me.Now = s.now
	m := Propose(me, o, r, start, start.Add(time.Hour), fmt.Sprint("Rather ", a.A))
	if m == nil {
		return
	}
	s.carry(who, *m)
}

// carry brings a message that is no write of an object to whom it is for.
func (s *simulation) carry(who *somebody, m Message) {
	to := s.at[m.To]
	if to == nil {
		return
	}
	if to.core != who.core {
		if err := who.core.sound(m); err != nil {
			s.fail("%v", err)
		}
		s.post(m)
		return
	}
	done := s.log.begin(s.uid, to.core, s.now, fmt.Sprintf("mail %s %s %s", who.name, to.name, m.Method), m.Body)
	ignored, err := to.core.Mail(who.name, to.name, m.Method, m.Body.Bytes())
	done(ignored, err)
	s.after(to.core, err)
}

// decides lets the organizer take the oldest open proposal or turn it down.
func (s *simulation) decides(a act) {
	open := s.org.core.open[s.org.name+" "+s.uid]
	if len(open) == 0 || s.object(s.org) == nil {
		return
	}
	p := open[0]
	by := s.at[p.Attendee]
	s.clock()
	verb := "decline"
	if a.A < 4 {
		verb = "accept"
	}
	s.acting = fmt.Sprintf("%s: %s what %s proposes for %q", s.org.name, verb, by.name, p.RID)
	done := s.log.begin(s.uid, s.org.core, s.now, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", verb, s.org.name, by.name, p.RID)), nil)
	err := s.org.core.Decide(s.org.name, s.uid, by.name, p.RID, a.A < 4)
	done(false, err)
	if slices.ContainsFunc(s.org.core.open[s.org.name+" "+s.uid], func(q Proposal) bool { return q.Attendee == p.Attendee && q.RID == p.RID }) {
		s.fail("a proposal is decided and still open")
	}
	s.after(s.org.core, err)
}

// refreshes asks the organizer how things stand (RFC 5546 §3.2.6).
func (s *simulation) refreshes(who *somebody) {
	o := s.object(who)
	org := ics.Organizer(o.First())
	mine := slices.IndexFunc(o.Main(), func(c *ics.Component) bool { return ics.Attendee(c, s.self(who)) != nil })
	if mine < 0 || s.at[org] != s.org {
		return
	}
	s.clock()
	s.acting = who.name + " asks how things stand"
	c := &ics.Component{Name: o.Kind(), Props: []ics.Prop{
		ics.NewProp("UID", s.uid), ics.NewProp("DTSTAMP", s.now.UTC().Format("20060102T150405Z")),
		ics.NewProp("ATTENDEE", s.address(who).String()),
	}}
	if c.Name != "VTODO" { // RFC 5546 §3.4.6
		c.Add(ics.NewProp("ORGANIZER", org.String()))
	}
	body := ics.New(&ics.Component{Name: "VCALENDAR", Props: []ics.Prop{
		ics.NewProp("VERSION", "2.0"), ics.NewProp("PRODID", ProductID), ics.NewProp("CALSCALE", "GREGORIAN"), ics.NewProp("METHOD", "REFRESH"),
	}, Children: []*ics.Component{c}})
	s.carry(who, Message{Method: Refresh, UID: s.uid, From: s.address(who), To: org, Body: body})
}

// mailing makes what a mail program sends.
func (s *simulation) mailing(method Method, comps []*ics.Component, zones *ics.Object) *ics.Object {
	root := &ics.Component{Name: "VCALENDAR", Props: []ics.Prop{
		ics.NewProp("VERSION", "2.0"), ics.NewProp("PRODID", "-//a mail program//EN"), ics.NewProp("METHOD", string(method)),
	}}
	for _, c := range zones.Root().Children {
		if c.Name == "VTIMEZONE" {
			root.Children = append(root.Children, c)
		}
	}
	root.Children = append(root.Children, comps...)
	return ics.New(root)
}

// observed is a mail that somebody here sends from his mail program, of which
// the server gets a copy. It reaches those outside as he wrote it.
func (s *simulation) observed(who *somebody, what string, method Method, body *ics.Object, to []*somebody) {
	s.clock()
	s.acting = who.name + " mails: " + what
	var names []string
	for _, p := range to {
		names = append(names, p.name)
	}
	raw := body.Bytes()
	done := s.log.begin(s.uid, who.core, s.now, fmt.Sprintf("send %s %s %s # %s", who.name, method, strings.Join(names, " "), what), body)
	ignored, err := who.core.Send(who.name, names, method, raw)
	done(ignored, err)
	if err == nil {
		if now := s.object(who); now != nil {
			who.cached = now.Bytes()
		}
		for _, p := range to {
			if p.core != who.core {
				s.letter(Message{Method: method, UID: s.uid, From: s.address(who), To: s.address(p), Body: body})
			}
		}
	}
	s.after(who.core, err)
}

// letter is a mail that nobody but its writer answers for: it may say what is
// known.
func (s *simulation) letter(m Message) {
	to := s.at[m.To]
	if m.Method != Reply {
		s.learns(to, m)
	}
	s.mail = append(s.mail, &packet{s.sent, m})
	s.sent++
}

// learns notes what somebody knows by a letter, and by what he asks because of
// it.
func (s *simulation) learns(to *somebody, m Message) {
	out, err := Receive(to.core.actor(to.name, s.uid), to.ideal, m)
	if err != nil {
		return
	}
	if out.Object != nil {
		s.knows(to, out.Object)
	}
	for _, q := range out.Messages {
		if by := s.at[q.To]; by == s.org && q.Method == Refresh {
			if told, err := Receive(by.core.actor(by.name, s.uid), s.object(by), q); err == nil {
				for _, n := range told.Messages {
					s.learns(to, n)
				}
			}
		}
	}
}

// replies is an answer from a mail program.
func (s *simulation) replies(who *somebody, a act, o *ics.Object) {
	c := o.Master()
	if a.A >= 4 || c == nil {
		c, _ = s.occurrence(a.A, o, o.Root().Clone())
	}
	if c == nil || strings.EqualFold(c.Value("STATUS"), "CANCELLED") || ics.Attendee(c, s.self(who)) == nil {
		return
	}
	say := []string{"ACCEPTED", "DECLINED", "TENTATIVE"}[a.B%3]
	said := &ics.Component{Name: c.Name, Props: []ics.Prop{
		ics.NewProp("UID", s.uid), ics.NewProp("DTSTAMP", s.now.Add(4*time.Second).UTC().Format("20060102T150405Z")),
	}}
	for _, p := range c.Props {
		switch p.Name {
		case "DTSTART", "SEQUENCE", "RECURRENCE-ID":
			said.Add(p)
		case "ORGANIZER":
			said.Add(p.WithoutParams("SCHEDULE-STATUS"))
		}
	}
	said.Add(ics.NewProp("ATTENDEE", s.address(who).String(), ics.Param{Name: "PARTSTAT", Values: []string{say}}))
	s.observed(who, say+" "+string(o.RID(c)), Reply, s.mailing(Reply, []*ics.Component{said}, o), []*somebody{s.org})
}

// tells is what an organizer sends from her mail program: a place or a time, of
// one occurrence or of all of a meeting in which everybody takes part in all.
func (s *simulation) tells(a act, o *ics.Object) {
	root := o.Root().Clone()
	comps := events(root)
	if a.A >= 4 {
		c, _ := s.occurrence(a.A, o, root)
		if c == nil {
			return
		}
		comps = []*ics.Component{c}
	} else if o.Master() == nil {
		return
	}
	top := 0
	for _, c := range o.Main() {
		n, _ := strconv.Atoi(c.Value("SEQUENCE"))
		top = max(top, n)
	}
	guests := func(c *ics.Component) (out []string) {
		for _, l := range ics.Attendees(c) {
			out = append(out, ics.CalAddress(l).String())
		}
		slices.Sort(out)
		return out
	}
	var to []*somebody
	for _, c := range comps {
		if !slices.Equal(guests(c), guests(comps[0])) || strings.EqualFold(c.Value("STATUS"), "CANCELLED") {
			return
		}
		c.Set(ics.NewProp("LOCATION", fmt.Sprint("Hall ", a.B%3)))
		moves := a.C%2 == 1 && len(comps) == 1
		if moves {
			shift(c, time.Hour)
		}
		c.Set(ics.NewProp("SEQUENCE", strconv.Itoa(top+1)))
		c.Set(ics.NewProp("DTSTAMP", s.now.Add(4*time.Second).UTC().Format("20060102T150405Z")))
		for i := range c.Props {
			if p := &c.Props[i]; p.Name == "ATTENDEE" || p.Name == "ORGANIZER" {
				if moves && p.Name == "ATTENDEE" && s.at[ics.CalAddress(p)] != s.org {
					*p = p.WithParam("PARTSTAT", "NEEDS-ACTION")
				}
				for _, q := range p.Params {
					if strings.HasPrefix(q.Name, "X-") || strings.HasPrefix(q.Name, "SCHEDULE-") {
						*p = p.WithoutParams(q.Name)
					}
				}
			}
		}
		c.RemoveFunc(func(p *ics.Prop) bool { return strings.HasPrefix(p.Name, "X-CONVENE") })
	}
	for _, l := range ics.Attendees(comps[0]) {
		if p := s.at[ics.CalAddress(l)]; p != nil && p != s.org {
			to = append(to, p)
		}
	}
	if len(to) > 0 {
		s.observed(s.org, "place or time", Request, s.mailing(Request, comps, o), to)
	}
}

// note notes for an organizer what she remembers of those whom she asked.
func note(c *ics.Component, of func(ics.Prop) ics.Prop) {
	for i := range c.Props {
		if p := &c.Props[i]; p.Name == "ATTENDEE" {
			*p = of(*p)
		}
	}
}

// adds is one more day, told by an ADD, as no program of ours does (RFC 5546
// §3.2.4).
func (s *simulation) adds(a act, o *ics.Object) {
	m := o.Master()
	if m == nil || m.Prop("RRULE") == nil {
		return
	}
	day := fmt.Sprint("203104", 20+a.B)
	var first ics.RID
	o.Instances(time.Time{}, time.Time{}, time.UTC, ics.Bound{}, func(i ics.Instance) bool { first = i.RID; return false })
	if first == "" {
		return
	}
	r := ics.RID(day + string(first[8:]))
	if o.HasInstance(r) || o.Override(r) != nil {
		return
	}
	top := 0
	for _, c := range o.Main() {
		n, _ := strconv.Atoi(c.Value("SEQUENCE"))
		top = max(top, n)
	}
	s.clock()
	s.acting = s.org.name + " adds " + day
	root := o.Root().Clone()
	var one *ics.Component
	for _, c := range events(root) {
		if c.Prop("RECURRENCE-ID") == nil {
			was, _ := strconv.Atoi(c.Value("SEQUENCE"))
			note(c, func(p ics.Prop) ics.Prop {
				if p.HasParam("X-CONVENE-SINCE") {
					return p
				}
				return p.WithParam("X-CONVENE-SINCE", strconv.Itoa(was))
			})
			c.Add(o.DateProp("RDATE", r))
			c.Set(ics.NewProp("SEQUENCE", strconv.Itoa(top+1)))
			one = c
		}
	}
	with := ics.New(root)
	if one = with.Occurrence(r); one == nil {
		return
	}
	one = one.Clone()
	one.Set(ics.NewProp("DTSTAMP", s.now.UTC().Format("20060102T150405Z")))
	var to []*somebody
	for i := range one.Props {
		l := &one.Props[i]
		if p := s.at[ics.CalAddress(l)]; l.Name == "ATTENDEE" && p != nil && p != s.org {
			*l = ics.NewProp("ATTENDEE", s.address(p).String(), ics.Param{Name: "RSVP", Values: []string{"TRUE"}})
			to = append(to, p)
		}
	}
	sent := one.Clone()
	note(one, func(p ics.Prop) ics.Prop {
		return p.WithParam("X-CONVENE-SINCE", strconv.Itoa(top+1)).WithParam("X-CONVENE-ASKED", strconv.Itoa(top+1)+"/mail")
	})
	root.Children = append(root.Children, one)
	s.org.core.keep(s.org.name, s.uid, Outcome{Object: ics.New(root), Scheduled: true})
	sent.Remove("RECURRENCE-ID", "RDATE", "EXDATE", "RRULE")
	sent.RemoveFunc(func(p *ics.Prop) bool { return strings.HasPrefix(p.Name, "X-CONVENE") })
	for _, p := range to {
		s.letter(Message{Method: Add, UID: s.uid, From: s.address(s.org), To: s.address(p), Body: s.mailing(Add, []*ics.Component{sent}, o)})
	}
	s.log.begin(s.uid, s.org.core, s.now, unsaid+s.acting, nil)
	s.after(s.org.core, nil)
}
