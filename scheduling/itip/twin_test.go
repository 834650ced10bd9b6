package itip_test

import (
	"fmt"
	"slices"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
)

// Two meetings of the same people, whose messages interleave: what is said of the
// one means nothing for the other, though it reaches the same calendars.

// What becomes of the other UID; above it, nothing.
const (
	apart    = 0 // it is another meeting, of another organizer
	parted   = 1 // the first is parted, and what was before has it
	imported = 2 // both were brought here by an administrator, to everybody
)

// which is the meeting that an act is about. Where they are one so far, the first
// act about the other parts them.
func (s *simulation) which(a act) *simulation {
	if a.Which == 0 {
		return s
	}
	if s.later != nil && a.What%2 == 0 {
		if calmly("split") {
			s.quiet()
		}
		s.parts(a)
	}
	if s.twin != nil {
		return s.twin
	}
	return s
}

// about is the meeting that a message is about.
func (s *simulation) about(m Message) *simulation {
	switch {
	case m.UID == s.uid:
		return s
	case s.twin != nil:
		return s.twin
	}
	return s.later
}

// second makes ready what the other UID is of.
func (s *simulation) second(m meeting) {
	if m.Second > imported {
		return
	}
	t := &simulation{T: s.T, uid: "2", now: s.now, at: map[cuaddr.Address]*somebody{}, cores: s.cores, log: s.log}
	for _, p := range s.people {
		q := &somebody{name: p.name, home: p.home, room: p.room, by: p.by, core: p.core, style: p.style, sequent: map[ics.RID]int{}}
		t.people = append(t.people, q)
		t.at[s.address(p)] = q
		if p == s.org {
			t.org = q
		}
	}
	if m.Second == parted {
		s.later = t
		return
	}
	s.twin, t.twin = t, s
	if n := slices.Index(s.people, s.org); !s.people[(n+3)%len(s.people)].room {
		t.org = t.people[(n+3)%len(t.people)]
	}
	m.Guests, m.Rule = m.Guests*5%(1<<len(cast)), 1
	t.begin(m)
}

// imports brings a meeting to all who are in it as it is, of which nobody hears.
func (s *simulation) imports(root *ics.Component) {
	s.acting = "the meeting is imported"
	o := ics.New(root)
	for _, p := range s.people {
		if p != s.org && ics.Attendee(o.First(), s.self(p)) == nil {
			continue
		}
		s.clock()
		done := s.log.begin(s.uid, p.core, s.now, "import "+p.name, o)
		was := s.sent
		err := p.core.Import(p.name, o.Bytes())
		done(false, err)
		if err != nil || s.sent != was {
			s.fail("%v, or somebody hears of it", err)
		}
		p.ideal, p.cached = s.object(p), nil
	}
	for _, c := range s.cores {
		s.after(c, nil)
	}
}

// parts gives what was before an occurrence the other UID. See calm.
func (s *simulation) parts(a act) {
	t, o := s.later, s.object(s.org)
	if s.org.home < 0 || o == nil || o.Master() == nil || o.Master().Prop("RRULE") == nil {
		return
	}
	_, r := s.occurrence(1+a.A, o, o.Root().Clone())
	if r == "" {
		return
	}
	s.clock()
	s.acting = fmt.Sprintf("%s parts the series at %s", s.org.name, r)
	s.twin, t.twin, s.later = t, s, nil
	t.acting, t.known, t.now = s.acting, s.known, s.now
	done := s.log.begin(s.uid, s.org.core, s.now, "split "+s.org.name+" "+string(r)+" 2", nil)
	err := s.org.core.Split(s.org.name, s.uid, string(r), "2")
	done(false, err)
	if err != nil {
		s.twin, t.twin, s.later = nil, nil, t
		s.after(s.org.core, err)
		return
	}
	for i, p := range s.people {
		q := t.people[i]
		q.silent, q.removed, p.cached = p.silent, p.removed, nil
		if p.core != s.org.core || p.ideal == nil {
			continue
		}
		half, err := SplitCopy(p.core.actor(p.name, s.uid), p.ideal, r, "2", "set", Revision(s.object(s.org))) // it is parted for them
		if err != nil {
			s.fail("%v", err)
		}
		p.ideal, q.ideal = half.From, half.Before
	}
	s.after(s.org.core, nil)
	t.after(s.org.core, nil)
	if calmly("split") {
		s.quiet()
		t.quiet()
	}
}

// end lets all mail arrive and compares.
func (s *simulation) end() {
	s.quiet()
	if s.twin != nil {
		s.twin.quiet()
	}
}
