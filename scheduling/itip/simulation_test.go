package itip_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/dialogue"
	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
	"pgregory.net/rapid"
)

// TestSimulation lets people in two to four domains, rooms, and people who have
// nothing but mail do what comes to their minds to one or two meetings, with a
// mail network between them that delays, repeats and reorders. When the queues are
// empty all copies agree (decision 34). A failure is shrunk and printed as
// scenario scripts, one for each domain that saw it, ready for
// scheduling/testdata.
//
// CONVENE_SEED chooses the histories; 2,000 of them are played, with
// CONVENE_SOAK 100,000 of a new seed.
func TestSimulation(t *testing.T) {
	parts := []int{2, 3, 4}
	choose(t, 2000, 100_000, len(parts))
	for _, domains := range parts {
		t.Run(fmt.Sprint(domains, "domains"), func(t *testing.T) {
			t.Parallel()
			acts := rapid.SliceOfN(rapid.Custom(anAct), 3, 32)
			rapid.Check(t, func(t *rapid.T) {
				s := newSimulation(t, domains, rapid.Custom(aMeeting).Draw(t, "meeting"))
				for _, a := range acts.Draw(t, "acts") {
					a.What = (a.What + 7*domains) % whatEnd // each part its own histories
					s.which(a).step(a)
				}
				s.end()
			})
		})
	}
}

// choose sets how many histories are played, in so many parts, and from which seed:
// a sample, or with CONVENE_SOAK the whole of a new seed. CONVENE_SEED and
// CONVENE_HISTORIES say otherwise.
func choose(t *testing.T, sample, whole, parts int) {
	seed, checks := uint64(5546), sample
	if os.Getenv("CONVENE_SOAK") != "" {
		seed, checks = uint64(time.Now().UnixNano()>>10), whole
	}
	if s := os.Getenv("CONVENE_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	if s := os.Getenv("CONVENE_HISTORIES"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		checks = n
	}
	if testing.Short() {
		checks /= 10
	}
	for name, value := range map[string]string{
		"rapid.seed": fmt.Sprint(seed), "rapid.checks": fmt.Sprint(checks / parts), "rapid.nofailfile": "true",
	} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d histories, CONVENE_SEED=%d", checks, seed)
}

// meeting is what a history begins with.
type meeting struct {
	Organizer, Form, Rule int
	Guests                int // a bit for each
	Styles                int // of the mail programs
	Second                int // what becomes of the other UID
}

func aMeeting(t *rapid.T) meeting {
	return meeting{evenly(t, "organizer", len(cast)-1), evenly(t, "form", 3), evenly(t, "rule", 2), evenly(t, "guests", 1<<len(cast)-1), evenly(t, "styles", 8), evenly(t, "second", 7)}
}

// act is one thing that happens: somebody does something to his copy, or the
// network does something to a mail. A, B and C choose how.
type act struct{ Who, What, A, B, C, Which int }

func anAct(t *rapid.T) act {
	return act{evenly(t, "who", 2*len(cast)-1), evenly(t, "what", whatEnd-1), evenly(t, "a", 7), evenly(t, "b", 7), evenly(t, "c", 7), evenly(t, "which", 1)}
}

// evenly draws a number; IntRange prefers what is small.
func evenly(t *rapid.T, name string, max int) int {
	v := 0
	for b := 1; b <= max; b *= 2 {
		if rapid.Bool().Draw(t, name) {
			v += b
		}
	}
	return v % (max + 1)
}

// somebody is one of the cast.
type somebody struct {
	name  string
	home  int // domain, modulo how many there are; -1: a mail program
	room  bool
	by    string // who acts in his name, in the same domain
	core  *core  // of his domain, or of his mail program
	style int    // of his mail program

	cached  []byte // his own object as it was after his last write
	silent  bool   // he removed his copy without telling (decision 34)
	removed bool   // he has no calendar any more
	ideal   *ics.Object
	sequent map[ics.RID]int
}

var cast = []somebody{
	{name: "ann"}, {name: "ben"}, {name: "cat", home: 1}, {name: "dan", home: 1, by: "cat"}, {name: "bob", home: -1},
	{name: "eve", home: 2}, {name: "blue", room: true}, {name: "hal", home: -1}, {name: "fay", home: 3},
}

// packet is a mail on its way.
type packet struct {
	id int
	m  Message
}

// simulation is one history of one meeting.
type simulation struct {
	*rapid.T
	uid    string
	twin   *simulation // of another meeting of the same people, nil: there is none
	later  *simulation // what it will be
	now    time.Time
	people []*somebody
	at     map[cuaddr.Address]*somebody
	cores  []*core
	mail   []*packet
	sent   int
	org    *somebody
	log    *journal
	acting string // what is being done, for messages

	known map[*somebody]bool // who may be told what he knows: he asked by REFRESH, or is sent by somebody
}

func newSimulation(t *rapid.T, domains int, m meeting) *simulation {
	s := &simulation{T: t, uid: "1", now: present, at: map[cuaddr.Address]*somebody{}, log: &journal{}}
	s.log.s = s
	addresses := make([]string, len(cast))
	homes := make([]int, len(cast))
	programs := domains
	for i, p := range cast {
		if homes[i] = p.home % domains; p.home < 0 {
			homes[i] = programs
			programs++
		}
		addresses[i] = fmt.Sprintf("%s@%s.example", p.name, [...]string{"one", "two", "three", "four", "mail"}[min(homes[i], 4)])
	}
	for home := range programs {
		script := &dialogue.Script{}
		for i, p := range cast {
			kind := "outside"
			if homes[i] == home {
				kind = "person"
			}
			script.People = append(script.People, dialogue.Person{Name: p.name, Kind: kind, Address: addresses[i]})
		}
		c := newCore(script)
		c.post = func(m Message) { s.about(m).post(m) }
		c.arrived = func(to string, m Message, out Outcome) { s.about(m).arrived(to, m, out) }
		s.cores = append(s.cores, c)
	}
	for i := range cast {
		p := cast[i]
		p.core, p.style = s.cores[homes[i]], m.Styles
		if m.Styles = m.Styles / 3; p.home >= 0 {
			p.style = 0
		}
		p.sequent = map[ics.RID]int{}
		s.people = append(s.people, &p)
		s.at[cuaddr.Mailto(addresses[i])] = &p
	}
	s.org = s.people[m.Organizer]
	if s.org.room {
		s.org = s.people[0]
	}
	s.begin(m)
	s.second(m)
	return s
}

// begin puts the meeting.
func (s *simulation) begin(m meeting) {
	start, end, rule := "DTSTART:20310327T100000Z", "DTEND:20310327T110000Z", "RRULE:FREQ=DAILY;COUNT=6\n"
	switch m.Form {
	case 1:
		start, end = "DTSTART;VALUE=DATE:20310327", "DTEND;VALUE=DATE:20310328"
	case 2:
		start, end = "DTSTART;TZID=Europe/Berlin:20310327T100000", "DTEND;TZID=Europe/Berlin:20310327T110000"
	}
	if m.Rule == 0 && m.Second != parted {
		rule = ""
	}
	lines := start + "\n" + end + "\nSUMMARY:Budget\n" + rule + "ORGANIZER:" + s.address(s.org).String() + "\n"
	if m.Rule == 2 {
		lines += "ATTENDEE;PARTSTAT=ACCEPTED:" + s.address(s.org).String() + "\n"
	}
	for i, p := range s.people {
		if p != s.org && m.Guests>>i&1 == 1 {
			lines += "ATTENDEE;CN=" + p.name + ":" + s.address(p).String() + "\n"
		}
	}
	root := event(s, strings.TrimSuffix(lines, "\n")).Root().Clone()
	c := events(root)[0]
	c.Set(ics.NewProp("UID", s.uid))
	if m.Form == 3 { // a task
		c.Name = "VTODO"
		c.Prop("DTEND").Name = "DUE"
	}
	if m.Second == imported {
		s.imports(root)
		return
	}
	s.write(s.org, "the meeting", root)
}

func (s *simulation) address(p *somebody) cuaddr.Address {
	return cuaddr.Mailto(p.core.person(p.name).Address)
}

// object returns somebody's copy, nil if he has none.
func (s *simulation) object(p *somebody) *ics.Object {
	if e := p.core.store[p.name][s.uid]; e != nil {
		return e.obj
	}
	return nil
}

func (s *simulation) self(p *somebody) func(cuaddr.Address) bool {
	a := s.address(p)
	return func(b cuaddr.Address) bool { return a == b }
}

// post takes a mail that leaves a domain.
func (s *simulation) post(m Message) {
	if to := s.at[m.To]; to.removed {
		return
	}
	s.told(m)
	if from := s.at[m.From]; from != nil && from.by != "" { // decision 30
		m = SentBy([]Message{m}, cuaddr.Mailto(from.core.person(from.by).Address))[0]
	}
	raw := m.Body.Bytes()
	if from := s.at[m.From]; from != nil && from.home < 0 && m.Method == Reply {
		raw = mangled(raw, from.style)
	}
	body, err := ics.Parse(raw, ics.Limits{})
	if err != nil {
		s.fail("what %s mails cannot be read: %v\n%s", m.From, err, raw)
		return
	}
	m.Body = body
	if m.Method == Reply {
		s.mustBeNews(m)
	}
	s.mail = append(s.mail, &packet{s.sent, m})
	s.sent++
}

// mangled is what mail programs make of an answer.
func mangled(raw []byte, style int) []byte {
	switch style % 3 {
	case 1: // every parameter but the answer is gone, and what is optional
		text := strings.ReplaceAll(string(raw), "\r\n ", "")
		var out []string
		for _, l := range strings.Split(text, "\r\n") {
			if strings.HasPrefix(l, "ATTENDEE;") {
				i := strings.Index(l, "PARTSTAT=")
				ps, _, _ := strings.Cut(l[i:], ";")
				ps, _, _ = strings.Cut(ps, ":")
				ps = "ATTENDEE;" + ps
				for _, n := range []string{";DELEGATED-TO=", ";DELEGATED-FROM="} {
					if _, v, ok := strings.Cut(l, n); ok {
						ps += n + `"` + strings.Split(v, `"`)[1] + `"`
					}
				}
				l = ps + l[strings.LastIndex(l, ":mailto:"):]
			}
			if strings.HasPrefix(l, "RRULE") || strings.HasPrefix(l, "REQUEST-STATUS") || strings.HasPrefix(l, "SUMMARY") {
				continue
			}
			out = append(out, l)
		}
		return []byte(strings.Join(out, "\r\n"))
	case 2: // addresses in capitals, whatever the program likes beside
		text := strings.ReplaceAll(string(raw), ":mailto:", ":MAILTO:")
		return []byte(strings.ReplaceAll(text, "BEGIN:VEVENT", "BEGIN:VEVENT\r\nX-MICROSOFT-CDO-BUSYSTATUS:BUSY\r\nTRANSP:OPAQUE"))
	}
	return raw
}

// hand brings one mail to whom it is for; kept, it comes again later.
func (s *simulation) hand(i int, keep bool) {
	p := s.mail[i]
	if !keep {
		s.mail = append(s.mail[:i:i], s.mail[i+1:]...)
	}
	to := s.at[p.m.To]
	s.acting = fmt.Sprintf("mail %d comes to %s: %s from %s", p.id, to.name, p.m.Method, p.m.From.Mail())
	s.clock()
	done := s.log.begin(s.uid, to.core, s.now, fmt.Sprintf("mail %s %s %s", s.at[p.m.From].name, to.name, p.m.Method), p.m.Body)
	ignored, err := to.core.Mail(s.at[p.m.From].name, to.name, p.m.Method, p.m.Body.Bytes())
	done(ignored, err)
	s.after(to.core, err)
}

// clock lets a few seconds go by for everybody.
func (s *simulation) clock() {
	s.known = map[*somebody]bool{}
	if s.twin != nil && s.twin.now.After(s.now) {
		s.now = s.twin.now
	}
	s.now = s.now.Add(3 * time.Second)
	for _, c := range s.cores {
		c.now = s.now
	}
}

// after checks what must always hold, and lets rooms answer.
func (s *simulation) after(c *core, err error) {
	var no *Refusal
	if err != nil && !asRefusal(err, &no) {
		s.fail("%v", err)
	}
	s.sequences()
	for _, p := range s.people {
		if p.room && p.core == c {
			s.roomAnswers(p)
		}
	}
}

// quiet lets the network deliver what it holds, and compares.
func (s *simulation) quiet() {
	for n := 0; len(s.mail) > 0; n++ {
		if n > 200 {
			s.fail("the mails do not end")
			return
		}
		s.hand(0, false)
	}
	s.compare()
}

// fail ends the history with all that is known of it.
func (s *simulation) fail(format string, args ...any) {
	s.Helper()
	s.Log(s.log.String()) // shown of the shrunken history only
	s.Fatalf("%s: %s", s.acting, fmt.Sprintf(format, args...))
}
