package itip_test

import (
	"fmt"
	"slices"
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
	case whatDelegate, whatDelegate + 1:
		if who == s.org || len(s.mail) > 0 {
			return
		}
		if what = s.sends(who, a, o, root); what != "" {
			s.write(who, what, root)
			s.quiet()
			return
		}
	case whatPropose:
		if who != s.org {
			s.proposes(who, a, o)
		}
	case whatDecide:
		s.decides(a)
	case whatAsk:
		if who != s.org {
			s.refreshes(who)
		}
	}
	if what != "" {
		s.write(who, what, root)
	}
}

// Where act.What changes its meaning: below whatMail people write their copies.
const (
	whatMail     = 42 // a mail arrives
	whatAgain    = 57 // and stays on its way
	whatQuiet    = 60 // all mails arrive
	whatDelegate = iota + 61
	_
	whatPropose
	whatDecide
	whatAsk
	whatBeyond // mails again
	whatEnd    = 80
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
	me := who.core.actor(who.name, "1")
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
	done := s.log.begin(to.core, s.now, fmt.Sprintf("mail %s %s %s", who.name, to.name, m.Method), m.Body)
	ignored, err := to.core.Mail(who.name, to.name, m.Method, m.Body.Bytes())
	done(ignored, err)
	s.after(to.core, err)
}

// decides lets the organizer take the oldest open proposal or turn it down.
func (s *simulation) decides(a act) {
	open := s.org.core.open[s.org.name+" 1"]
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
	done := s.log.begin(s.org.core, s.now, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", verb, s.org.name, by.name, p.RID)), nil)
	err := s.org.core.Decide(s.org.name, "1", by.name, p.RID, a.A < 4)
	done(false, err)
	if slices.ContainsFunc(s.org.core.open[s.org.name+" 1"], func(q Proposal) bool { return q.Attendee == p.Attendee && q.RID == p.RID }) {
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
		ics.NewProp("UID", "1"), ics.NewProp("DTSTAMP", s.now.UTC().Format("20060102T150405Z")),
		ics.NewProp("ORGANIZER", org.String()), ics.NewProp("ATTENDEE", s.address(who).String()),
	}}
	body := ics.New(&ics.Component{Name: "VCALENDAR", Props: []ics.Prop{
		ics.NewProp("VERSION", "2.0"), ics.NewProp("PRODID", ProductID), ics.NewProp("CALSCALE", "GREGORIAN"), ics.NewProp("METHOD", "REFRESH"),
	}, Children: []*ics.Component{c}})
	s.carry(who, Message{Method: Refresh, UID: "1", From: s.address(who), To: org, Body: body})
}
