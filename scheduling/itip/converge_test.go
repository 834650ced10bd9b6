package itip_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
)

// told checks a message of the organizer against what she told its recipient
// before: in the order of sending, each must change something.
func (s *simulation) told(m Message) {
	to := s.at[m.To]
	if m.Method != Request && s.at[m.From] != s.org || m.Method == Reply || m.Echo || to == s.org {
		return
	}
	out, err := Receive(to.core.actor(to.name, s.uid), to.ideal, m)
	switch {
	case strings.Contains(out.Rule, "he declined it, or has done with it") && strings.Contains(s.acting, " parts the series "):
		root := m.Body.Root().Clone() // he has declined all of it, and hears what that is now
		root.Remove("METHOD")
		s.knows(to, ics.New(root))
		return
	case s.at[m.From] != s.org, s.known[to]: // who sends him repeats what others said; who asks is told what he knows
	case m.Method == DeclineCounter && err == nil && !out.Ignored:
		return
	case err != nil:
		s.fail("%s to %s: %v", m.Method, to.name, err)
	case out.Ignored:
		s.fail("%s to %s says nothing new: %s\n%s", m.Method, to.name, out.Rule, m.Body.Bytes())
	case strings.Contains(out.Rule, "nothing in it is new"):
		s.fail("%s to %s: %s\n%s", m.Method, to.name, out.Rule, m.Body.Bytes())
	}
	if out.Ignored || err != nil {
		return
	}
	to.ideal = out.Object
	if m.Method == Request && out.Object != nil {
		s.knows(to, out.Object)
	}
}

// knows notes what somebody was told, who has nothing of his own to say.
func (s *simulation) knows(to *somebody, o *ics.Object) {
	root := o.Root().Clone()
	for _, c := range events(root) {
		for i := range c.Props {
			if p := &c.Props[i]; p.Name == "ATTENDEE" && s.self(to)(ics.CalAddress(p)) {
				*p = p.WithParam("X-CONVENE-SAID", ics.PartStat(p))
			}
		}
	}
	to.ideal = ics.New(root)
}

// mustBeNews checks an answer against what its sender said before.
func (s *simulation) mustBeNews(m Message) {
	have := s.object(s.org)
	if have == nil || s.at[m.To] != s.org {
		return
	}
	for _, p := range s.mail {
		if p.m.To == m.From { // he does not know yet what he is asked now
			return
		}
	}
	me := s.org.core.actor(s.org.name, s.uid)
	for _, p := range s.mail {
		if p.m.Method != Reply || p.m.From != m.From {
			continue
		}
		if out, err := Receive(me, have, p.m); err == nil && out.Object != nil {
			have = out.Object
		}
	}
	if out, err := Receive(me, have, m); err == nil && strings.Contains(out.Rule, "repetition") {
		s.fail("%s answers what he answered: %s\n%s", m.From.Mail(), out.Rule, m.Body.Bytes())
	}
}

// arrived looks at what became of a message between people of one domain,
// where nothing is late.
func (s *simulation) arrived(to string, m Message, out Outcome) {
	from := s.at[m.From]
	if m.Method == Refresh {
		s.known[from] = true
	}
	for _, d := range out.Delegates {
		s.known[s.at[d.To]] = true
	}
	if m.Method == Reply { // nor does she know what a delegator knew whom he sends
		for _, c := range m.Body.Main() {
			for _, l := range ics.Attendees(c) {
				for _, v := range l.ParamValues("DELEGATED-TO") {
					if a, err := cuaddr.Parse(v); err == nil && s.at[a] != nil {
						s.known[s.at[a]] = true
					}
				}
			}
		}
	}
	if from == nil || from.core != s.at[m.To].core || m.Echo || m.Method == Counter { // who proposes by hand may do so twice
		return
	}
	s.told(m)
	if s.known[s.at[m.To]] || from != s.org && m.Method == Request {
		return
	}
	if m.Body.Kind() == "VTODO" && m.Method == Reply {
		return // a copy that came back does not know how far he was
	}
	if strings.Contains(out.Rule, "repetition") || strings.Contains(out.Rule, "nothing in it is new") || strings.Contains(out.Rule, "nothing new in it") {
		s.fail("%s from %s to %s: %s\n%s", m.Method, from.name, to, out.Rule, m.Body.Bytes())
	}
}

// sequences checks that no instance of the organizer's object goes back to an
// earlier revision.
func (s *simulation) sequences() {
	o := s.object(s.org)
	if o == nil {
		return
	}
	for _, c := range o.Main() {
		r := o.RID(c)
		n, _ := strconv.Atoi(c.Value("SEQUENCE"))
		if n < s.org.sequent[r] {
			s.fail("SEQUENCE of %q fell from %d to %d", r, s.org.sequent[r], n)
		}
		s.org.sequent[r] = n
	}
}

// compare looks at every occurrence from everybody's place.
func (s *simulation) compare() {
	s.acting = "when all is said"
	truth := s.object(s.org)
	var bad []string
	for _, p := range s.people {
		if p == s.org || p.silent {
			continue
		}
		want, have := map[ics.RID]string{}, map[ics.RID]string{}
		if truth != nil {
			want = s.occurrences(truth, p)
		}
		o := s.object(p)
		gone := o == nil || o.Master() == nil // he declined by removing his copy; single occurrences may be back
		if o != nil {
			have = s.occurrences(o, p)
		}
		for at, what := range want {
			said := func(words ...string) bool {
				return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(what, ": "+w) })
			}
			if have[at] == "" && (gone || took(o, at)) && (said("DECLINED", "DELEGATED", "COMPLETED") || !gone && said("NEEDS-ACTION")) {
				// He took it off his calendar; asked anew about all of the series, he says so
				// with his next answer.
				continue
			}
			if have[at] != what {
				bad = append(bad, fmt.Sprintf("%s has %q, the organizer %q", p.name, have[at], what))
			}
		}
		for at, what := range have {
			if want[at] == "" {
				bad = append(bad, fmt.Sprintf("%s has %q, the organizer nothing", p.name, what))
			}
		}
	}
	if len(bad) == 0 {
		return
	}
	slices.Sort(bad)
	for _, p := range s.people {
		if o := s.object(p); o != nil {
			s.Logf("%s:\n%s", p.name, o.Bytes())
		}
	}
	s.fail("copies do not agree:\n%s", strings.Join(bad, "\n"))
}

// took reports whether somebody's copy leaves an occurrence out by EXDATE.
func took(o *ics.Object, at ics.RID) bool {
	m := o.Master()
	for _, p := range m.PropsNamed("EXDATE") {
		if q := *p; true {
			q.Name = "RECURRENCE-ID"
			if o.RID(&ics.Component{Name: "VEVENT", Props: []ics.Prop{q}}) == at {
				return true
			}
		}
	}
	return false
}

// occurrences tells each occurrence in which somebody takes part: when and
// where it is, and what he answered; for who is in the organizer's domain, what
// everybody answered.
func (s *simulation) occurrences(o *ics.Object, p *somebody) map[ics.RID]string {
	out := map[ics.RID]string{}
	self := s.self(p)
	err := o.Instances(time.Time{}, time.Time{}, time.UTC, ics.Bound{}, func(i ics.Instance) bool {
		c := i.Component
		mine := ics.Attendee(c, self)
		if mine == nil || strings.EqualFold(c.Value("STATUS"), "CANCELLED") {
			return true
		}
		answers := ics.PartStat(mine)
		if p.core == s.org.core {
			var who []string
			for _, a := range ics.Attendees(c) {
				if b := ics.CalAddress(a); b != (cuaddr.Address{}) && !self(b) {
					who = append(who, b.Mail()+" "+ics.PartStat(a))
				}
			}
			slices.Sort(who)
			answers += "; " + strings.Join(who, ", ")
		}
		status := strings.ToUpper(c.Value("STATUS"))
		if status == "" || c.Name == "VTODO" { // how far somebody is with a task is his own
			status = "CONFIRMED"
		}
		out[i.RID] = fmt.Sprintf("%s %s-%s %s %s: %s", i.RID, i.Start.UTC().Format("02T15"), i.End.UTC().Format("02T15"), c.Value("LOCATION"), status, answers)
		return true
	})
	if err != nil {
		s.fail("%v", err)
	}
	return out
}
