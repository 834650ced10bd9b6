package itip_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/dialogue"
	"github.com/convene-server/convene/scheduling/ics"
)

// step plays one act.
func (s *simulation) step(a act) {
	if a.What >= whatMore {
		a.What -= whatMore
	}
	switch { // a third of what happens, happens to the mail
	case a.What == whatMove:
		if who := s.people[a.Who%len(s.people)]; s.object(who) != nil && !who.room {
			if a.B >= 6 {
				s.drops(who, a)
			} else if a.B == 5 {
				s.leaves(who, a)
			} else {
				s.moves(who, a)
			}
		}
		return
	case a.What >= whatQuiet && a.What < whatDelegate:
		s.quiet()
		return
	case a.What >= whatMail && a.What < whatDelegate || a.What >= whatBeyond:
		if n := len(s.mail); n > 0 {
			s.hand((a.A*64+a.B*8+a.C)%n, a.What >= whatAgain && a.What < whatQuiet)
		}
		return
	}
	who := s.org
	if a.Who < len(s.people) {
		who = s.people[a.Who]
	}
	o := s.object(who)
	for n := range s.people { // or the next who has a copy
		if o == nil || who.room {
			who = s.people[(a.Who+n)%len(s.people)]
			o = s.object(who)
		}
	}
	if o == nil || who.room {
		return
	}
	if a.C == 7 && who.cached != nil && a.What < 36 { // his program has not synchronised
		if old, err := ics.Parse(who.cached, ics.Limits{}); err == nil {
			o = old
		}
	}
	if a.What >= whatDelegate {
		s.beside(a, who, o)
		return
	}
	root := o.Root().Clone()
	what := ""
	if who == s.org {
		what = s.organize(a, o, root)
	} else {
		what = s.answer(who, a, o, root)
	}
	if what != "" {
		s.write(who, what, root)
	}
}

// write puts an object as somebody's program would.
func (s *simulation) write(who *somebody, what string, root *ics.Component) {
	o := ics.New(root)
	s.clock()
	s.acting = who.name + ": " + what
	done := s.log.begin(s.uid, who.core, s.now, "put "+who.name+" # "+what, o)
	err := who.core.Put(who.name, o.Bytes(), dialogue.Condition{})
	done(false, err)
	if now := s.object(who); now != nil && err == nil {
		who.cached = now.Bytes()
	}
	s.after(who.core, err)
}

// moves puts somebody's copy into another calendar of his, which nobody hears of.
func (s *simulation) moves(who *somebody, a act) {
	to := []string{"calendar", "work"}[a.A%2]
	if who.core.Lies(who.name, s.uid) == to {
		return
	}
	s.clock()
	s.acting = who.name + " moves his copy to " + to
	was, before := s.sent, s.object(who)
	done := s.log.begin(s.uid, who.core, s.now, "move "+who.name+" "+to, nil)
	err := who.core.Move(who.name, s.uid, to, dialogue.Condition{})
	done(false, err)
	if s.sent != was || s.object(who) != before {
		s.fail("somebody hears of it")
	}
	s.after(who.core, err)
}

// drops removes a calendar of somebody's: each meeting in it ends as if it were
// removed alone (RFC 6638 §3.2.3.2).
func (s *simulation) drops(who *somebody, a act) {
	calendar := who.core.Lies(who.name, s.uid)
	s.clock()
	s.acting = who.name + " drops " + calendar
	done := s.log.begin(s.uid, who.core, s.now, "drop "+who.name+" "+calendar, nil)
	if t := s.twin; t != nil { // which may lie there, too
		t.acting, t.known, t.now = s.acting, s.known, s.now
	}
	err := who.core.Drop(who.name, calendar, false)
	done(false, err)
	for _, of := range []*simulation{s, s.twin} {
		if of == nil {
			continue
		}
		for _, p := range of.people {
			if p.name == who.name && of.object(p) == nil {
				p.cached = nil
			}
		}
		of.after(who.core, err)
	}
}

// remove deletes somebody's copy.
func (s *simulation) remove(who *somebody, silent bool) {
	s.clock()
	s.acting = who.name + " removes his copy"
	statement := "delete " + who.name
	if silent {
		statement += " silent"
		who.silent = true
	}
	done := s.log.begin(s.uid, who.core, s.now, statement, nil)
	err := who.core.Delete(who.name, s.uid, silent, dialogue.Condition{})
	done(false, err)
	who.cached = nil
	s.after(who.core, err)
}

func events(root *ics.Component) []*ics.Component {
	var out []*ics.Component
	for _, c := range root.Children {
		if c.Name == "VEVENT" || c.Name == "VTODO" {
			out = append(out, c)
		}
	}
	return out
}

// occurrence picks an instance; its override is added to the tree if it has
// none.
func (s *simulation) occurrence(n int, o *ics.Object, root *ics.Component) (*ics.Component, ics.RID) {
	if m := o.Master(); m != nil && m.Prop("RRULE") == nil {
		return nil, ""
	}
	var rids []ics.RID
	err := o.Instances(time.Time{}, time.Time{}, time.UTC, ics.Bound{}, func(i ics.Instance) bool {
		rids = append(rids, i.RID)
		return len(rids) < 32
	})
	if err != nil {
		s.fail("%v", err)
	}
	if len(rids) == 0 {
		return nil, ""
	}
	slices.Sort(rids)
	r := rids[n%len(rids)]
	for _, c := range events(root) {
		if o.RID(c) == r {
			return c, r
		}
	}
	if c := o.Occurrence(r); c != nil {
		c = c.Clone()
		root.Children = append(root.Children, c)
		return c, r
	}
	return nil, ""
}

// shift moves a component; a whole day where it lasts whole days.
func shift(c *ics.Component, by time.Duration) {
	for _, n := range []string{"DTSTART", "DTEND", "DUE"} {
		p := c.Prop(n)
		if p == nil {
			continue
		}
		for _, layout := range []string{"20060102T150405Z", "20060102T150405", "20060102"} {
			at, err := time.Parse(layout, p.Value)
			if err != nil {
				continue
			}
			if layout == "20060102" {
				by = 24 * time.Hour
			}
			c.Set(p.WithValue(at.Add(by).Format(layout)))
		}
	}
}

func (s *simulation) organize(a act, o *ics.Object, root *ics.Component) string {
	all := events(root)
	master := all[0]
	for _, c := range all {
		if c.Prop("RECURRENCE-ID") == nil {
			master = c
		}
	}
	series := master.Prop("RRULE") != nil
	drop := func(gone func(*ics.Component) bool) {
		root.Children = slices.DeleteFunc(root.Children, func(c *ics.Component) bool { return c.Name == master.Name && gone(c) })
	}
	overrides := func(c *ics.Component) bool { return c != master }
	place := ics.NewProp("LOCATION", fmt.Sprint("Room ", a.B%3))
	guest := s.people[(a.B*8+a.C)%len(s.people)]
	if guest == s.org {
		guest = s.people[(a.B*8+a.C+1)%len(s.people)]
	}
	line := ics.NewProp("ATTENDEE", s.address(guest).String())
	is := func(p *ics.Prop) bool { return p.Name == "ATTENDEE" && s.self(guest)(ics.CalAddress(p)) }
	has := func(c *ics.Component) bool {
		return slices.ContainsFunc(c.Props, func(p ics.Prop) bool { return is(&p) })
	}
	switch a.What % 20 {
	case 0:
		master.Set(place)
		return "place of the series"
	case 1:
		for _, c := range all {
			c.Set(place)
		}
		return "place everywhere"
	case 2:
		if c, r := s.occurrence(a.A, o, root); c != nil {
			c.Set(place)
			return "place of " + string(r)
		}
	case 3:
		if c, r := s.occurrence(a.A, o, root); c != nil {
			shift(c, time.Duration(1+a.B%2)*time.Hour)
			return "time of " + string(r)
		}
	case 4: // a new time for all: programs drop the overrides and EXDATEs
		shift(master, time.Duration(1+a.B%3)*time.Hour)
		master.Remove("EXDATE")
		drop(overrides)
		return "time of the series"
	case 5:
		if c, r := s.occurrence(a.A, o, root); c != nil {
			drop(func(d *ics.Component) bool { return d == c })
			master.Add(o.DateProp("EXDATE", r))
			return "no " + string(r)
		}
	case 6:
		if master.Prop("EXDATE") != nil {
			master.Remove("EXDATE")
			return "all days again"
		}
	case 7, 16:
		for _, c := range all {
			if !has(c) {
				c.Add(line)
			}
		}
		return guest.name + " joins all"
	case 8:
		for _, c := range all {
			c.RemoveFunc(is)
		}
		return guest.name + " leaves all"
	case 9:
		if c, r := s.occurrence(a.A, o, root); c != nil && !has(c) {
			c.Add(line)
			return guest.name + " joins " + string(r)
		}
	case 10:
		if c, r := s.occurrence(a.A, o, root); c != nil {
			c.RemoveFunc(is)
			return guest.name + " leaves " + string(r)
		}
	case 11:
		if n := 4 + a.B; series {
			master.Set(ics.NewProp("RRULE", fmt.Sprint("FREQ=DAILY;COUNT=", n)))
			drop(overrides)
			return fmt.Sprint(n, " days, without overrides")
		}
	case 12:
		if len(all) > 1 {
			gone := all[1+a.A%(len(all)-1)]
			drop(func(c *ics.Component) bool { return c == gone })
			return "override " + string(o.RID(gone)) + " taken back"
		}
	case 13:
		if c, r := s.occurrence(a.A, o, root); c != nil {
			c.Set(ics.NewProp("STATUS", "CANCELLED"))
			return string(r) + " is cancelled by its status"
		}
	case 14:
		for _, c := range all {
			c.Remove("STATUS")
		}
		return "all confirmed"
	case 15:
		for _, c := range all {
			status := []string{"TENTATIVE", "CONFIRMED", "CANCELLED"}
			if c.Name == "VTODO" {
				status = []string{"IN-PROCESS", "NEEDS-ACTION", "CANCELLED"}
			}
			c.Set(ics.NewProp("STATUS", status[a.B%3]))
		}
		return "status everywhere"
	case 17:
		master.Set(ics.NewProp("X-PRIVATE", fmt.Sprint(a.B)))
		return "a private note"
	case 18:
		if a.A == 0 && a.B < 3 {
			s.remove(s.org, false)
		}
	case 19:
		if own := ics.Attendee(master, s.self(s.org)); own != nil {
			*own = own.WithParam("PARTSTAT", []string{"ACCEPTED", "TENTATIVE"}[a.B%2])
			return "her own answer"
		}
	}
	return ""
}

func (s *simulation) answer(who *somebody, a act, o *ics.Object, root *ics.Component) string {
	say := []string{"ACCEPTED", "DECLINED", "TENTATIVE"}[a.B%3]
	if o.Kind() == "VTODO" {
		say = []string{"ACCEPTED", "DECLINED", "IN-PROCESS", "COMPLETED"}[a.B%4]
	}
	set := func(c *ics.Component) {
		for i := range c.Props {
			if p := &c.Props[i]; p.Name == "ATTENDEE" && s.self(who)(ics.CalAddress(p)) {
				*p = p.WithParam("PARTSTAT", say)
			}
		}
		switch say {
		case "IN-PROCESS":
			c.Set(ics.NewProp("PERCENT-COMPLETE", fmt.Sprint(10+10*a.C)))
		case "COMPLETED":
			c.Set(ics.NewProp("PERCENT-COMPLETE", "100"))
		}
	}
	switch a.What % 12 {
	case 0, 1:
		for _, c := range events(root) {
			set(c)
		}
		return say + " everything"
	case 2:
		if m := o.Master(); m != nil {
			set(events(root)[slices.Index(o.Main(), m)])
			return say + " the series"
		}
	case 3, 4, 5:
		if c, r := s.occurrence(a.A, o, root); c != nil {
			set(c)
			return say + " " + string(r)
		}
	case 6:
		if c, r := s.occurrence(a.A, o, root); c != nil {
			c.Children = append(c.Children, &ics.Component{Name: "VALARM", Props: []ics.Prop{ics.NewProp("ACTION", "AUDIO"), ics.NewProp("TRIGGER", "-PT5M")}})
			return "alarm for " + string(r)
		}
	case 7: // off his calendar: a decline
		m := o.Master()
		if c, r := s.occurrence(a.A, o, root); c != nil && m != nil && c.Value("STATUS") != "CANCELLED" {
			root.Children = slices.DeleteFunc(root.Children, func(d *ics.Component) bool { return d == c })
			for _, e := range events(root) {
				if e.Prop("RECURRENCE-ID") == nil {
					e.Add(o.DateProp("EXDATE", r))
				}
			}
			return "EXDATE " + string(r)
		}
	case 8:
		s.remove(who, a.A == 0)
	case 9: // a program that drops what it does not know
		for _, c := range events(root) {
			for i := range c.Props {
				if p := &c.Props[i]; p.Name == "ATTENDEE" {
					*p = p.WithoutParams("CN", "RSVP", "SCHEDULE-STATUS")
				}
			}
			set(c)
		}
		return say + " with less"
	case 10:
		for _, c := range events(root) {
			set(c)
			c.Set(ics.NewProp("COMMENT", fmt.Sprint("Because ", a.A)))
		}
		return say + " with a comment"
	case 11: // a program that has its own DTSTAMP
		for _, c := range events(root) {
			c.Set(ics.NewProp("DTSTAMP", s.now.Format("20060102T150405Z")))
			if c.Name == "VEVENT" {
				c.Set(ics.NewProp("TRANSP", []string{"OPAQUE", "TRANSPARENT"}[a.B%2]))
			}
		}
		return "transparency"
	}
	return ""
}

// roomAnswers lets a room say what it thinks of what it was asked.
func (s *simulation) roomAnswers(p *somebody) {
	o := s.object(p)
	if o == nil {
		return
	}
	root := o.Root().Clone()
	said := false
	for _, c := range events(root) {
		l := ics.Attendee(c, s.self(p))
		if l == nil || ics.PartStat(l) != "NEEDS-ACTION" || strings.EqualFold(c.Value("STATUS"), "CANCELLED") {
			continue
		}
		say := "ACCEPTED"
		if v := c.Value("DTSTART"); strings.Contains(v, "T12") || strings.Contains(v, "29") {
			say = "DECLINED"
		}
		*l = l.WithParam("PARTSTAT", say)
		said = true
	}
	if said {
		s.write(p, "the room answers", root)
	}
}
