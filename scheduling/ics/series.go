package ics

import (
	"errors"
	"sort"
	"strings"
	"sync"
)

func equalFold(a, b string) bool { return strings.EqualFold(trim(a), b) }
func trim(s string) string       { return strings.TrimSpace(s) }

// times is when a component takes place.
type times struct {
	start  Time
	length length
}

// after returns the end of something that begins at an instant.
func (l length) after(z *Zone, at int64) int64 {
	if l.days != 0 { // RFC 5545 §3.3.6: days are nominal, then what is shorter
		at = z.instant(z.wall(at) + l.days*daySecs)
	}
	return at + l.secs
}

// atMost bounds the length from above, in seconds, changes of offset included.
func (l length) atMost() int64 { return max(0, l.days*daySecs+l.secs) + reach }

// times reads DTSTART and DTEND, DUE or DURATION of a component. A component
// without DTSTART has Form 0, a VTODO with DUE alone begins and ends there.
func (o *Object) times(c *Component) (times, error) {
	endName := "DTEND"
	if c.Name == "VTODO" {
		endName = "DUE"
	}
	start, end, dur := c.Prop("DTSTART"), c.Prop(endName), c.Prop("DURATION")
	var t times
	var err error
	if start == nil {
		if end == nil || c.Name != "VTODO" {
			return t, nil
		}
		t.start, err = o.PropTime(end)
		return t, err
	}
	if t.start, err = o.PropTime(start); err != nil {
		return t, err
	}
	switch {
	case end != nil && dur != nil: // RFC 5545 §3.6.1
		return t, &SyntaxError{o.line(dur), "DURATION: excludes " + endName}
	case end != nil:
		e, err := o.PropTime(end)
		if err != nil {
			return t, err
		}
		todo := c.Name == "VTODO"                                // programs for tasks are careless with DUE
		if (e.Form == Date) != (t.start.Form == Date) && !todo { // RFC 5545 §3.8.2.2
			return t, &SyntaxError{o.line(end), endName + ": of another value type than DTSTART"}
		}
		if t.start.Form == Date {
			t.length.days = (e.Wall.Unix() - t.start.Wall.Unix()) / daySecs
		} else {
			t.length.secs = t.start.key(e) - t.start.key(t.start)
		}
		if todo {
			t.length = length{max(0, t.length.days), max(0, t.length.secs)}
		}
		if t.length.days < 0 || t.length.secs < 0 {
			return t, &SyntaxError{o.line(end), endName + ": before DTSTART"}
		}
		if c.Name == "VEVENT" && t.start.Form == Date && t.length.days == 0 { // some programs give the last day itself
			t.length.days = 1
		}
	case dur != nil:
		if t.length, err = parseDuration(dur.Value); err != nil {
			return t, o.fault(dur, err)
		}
		if t.length.days < 0 || t.length.secs < 0 {
			return t, &SyntaxError{o.line(dur), "DURATION: negative"}
		}
		if t.start.Form == Date { // RFC 5545 §3.8.2.5: of days only
			t.length = length{days: max(1, t.length.days+t.length.secs/daySecs)}
		}
	case t.start.Form == Date && (c.Name == "VEVENT" || c.Name == "VJOURNAL"): // RFC 5545 §3.6.1, RFC 4791 §9.9
		t.length.days = 1
	}
	return t, nil
}

// series is the recurrence set of a master, overrides not looked at. Instances
// are known by a key: the instant of their start, or the wall clock where they
// follow the zone of the calendar (floating times and days).
type series struct {
	o       *Object
	start   Time
	zone    *Zone // nil: keys are wall clocks
	length  length
	rules   []*rule
	exrules []*rule
	rdates  []rdate // by key
	exdates map[int64]struct{}
	exdays  map[int64]struct{} // days that an EXDATE of type DATE takes from a series of times
	longest int64              // of all instances

	counted struct { // all keys, where COUNT makes every question begin at DTSTART
		once sync.Once
		keys map[int64]struct{}
	}
}

type rdate struct {
	key       int64
	length    length
	hasLength bool // from a PERIOD
}

// seriesCache and ridCache keep what was worked out of an object once.
type seriesCache struct {
	once sync.Once
	s    *series
	err  error
}

type ridCache struct {
	once  sync.Once
	byRID map[RID]*Component
}

// series returns the recurrence set of the master; nil without a master or
// without a time.
func (o *Object) series() (*series, error) {
	o.set.once.Do(func() { o.set.s, o.set.err = o.readSeries() })
	return o.set.s, o.set.err
}

func (o *Object) readSeries() (*series, error) {
	c := o.master
	if c == nil {
		return nil, nil
	}
	t, err := o.times(c)
	if err != nil {
		return nil, err
	}
	s := &series{o: o, start: t.start, zone: t.start.fixed(), length: t.length, longest: t.length.atMost()}
	for i := range c.Props {
		p := &c.Props[i]
		var err error
		switch p.Name {
		case "RRULE", "EXRULE":
			var r *rule
			if r, err = parseRule(p.Value); err == nil && t.start.Form != 0 {
				err = r.reaches(t.start.Wall.Unix())
			}
			if err != nil {
				break
			}
			if p.Name == "RRULE" {
				s.rules = append(s.rules, r)
			} else {
				s.exrules = append(s.exrules, r)
			}
		case "RDATE":
			err = s.readRDATE(p)
		case "EXDATE":
			err = s.readEXDATE(p)
		default:
			continue
		}
		switch {
		case err != nil:
			return nil, o.fault(p, err)
		case t.start.Form == 0 && c.Name == "VTODO": // programs for tasks repeat what has no date at all: when it is done
		case t.start.Form == 0: // RFC 5545 §3.8.5.3
			return nil, &SyntaxError{o.line(p), p.Name + ": needs a DTSTART"}
		case len(s.rules)+len(s.exrules) > 32:
			return nil, &SyntaxError{o.line(p), p.Name + ": more than 32 rules"}
		}
	}
	if t.start.Form == 0 {
		return nil, nil
	}
	sort.SliceStable(s.rdates, func(i, j int) bool { return s.rdates[i].key < s.rdates[j].key })
	return s, nil
}

func (s *series) readRDATE(p *Prop) error {
	for v := range strings.SplitSeq(p.Value, ",") {
		if trim(v) == "" {
			continue
		}
		begin, end, period := strings.Cut(v, "/")
		t, err := s.o.timeValue(p, begin)
		if err != nil {
			return err
		}
		r := rdate{key: s.start.key(t), hasLength: period}
		if period { // RFC 5545 §3.3.9
			if end = trim(end); strings.HasPrefix(strings.TrimLeft(end, "+-"), "P") {
				if r.length, err = parseDuration(end); err != nil {
					return err
				}
			} else {
				e, err := s.o.timeValue(p, end)
				if err != nil {
					return err
				}
				r.length.secs = s.start.key(e) - r.key
			}
			if r.length.days < 0 || r.length.secs < 0 {
				return errors.New("a PERIOD that ends before it begins")
			}
			if s.start.Form == Date {
				r.hasLength = false
			}
			s.longest = max(s.longest, r.length.atMost())
		}
		s.rdates = append(s.rdates, r)
	}
	return nil
}

func (s *series) readEXDATE(p *Prop) error {
	for v := range strings.SplitSeq(p.Value, ",") {
		if trim(v) == "" {
			continue
		}
		t, err := s.o.timeValue(p, v)
		if err != nil {
			return err
		}
		if t.Form == Date && s.start.Form != Date {
			// RFC 5545 §3.8.5.1 wants the value type of DTSTART; some programs
			// write the day, and mean what begins on it.
			if s.exdays == nil {
				s.exdays = map[int64]struct{}{}
			}
			s.exdays[floorDiv(t.Wall.Unix(), daySecs)] = struct{}{}
			continue
		}
		if s.exdates == nil {
			s.exdates = map[int64]struct{}{}
		}
		s.exdates[s.start.key(t)] = struct{}{}
	}
	return nil
}

// single tells whether DTSTART, if EXDATE leaves it, is the whole set.
func (s *series) single() bool { return len(s.rules)+len(s.exrules)+len(s.rdates) == 0 }

// endless tells whether a rule has neither COUNT nor UNTIL.
func (s *series) endless() bool {
	for _, r := range s.rules {
		if r.count == 0 && r.until.Form == 0 {
			return true
		}
	}
	return false
}

// rdate returns the RDATE of that key.
func (s *series) rdate(key int64) *rdate {
	i := sort.Search(len(s.rdates), func(i int) bool { return s.rdates[i].key >= key })
	if i < len(s.rdates) && s.rdates[i].key == key {
		return &s.rdates[i]
	}
	return nil
}

// excluded tells whether EXDATE names an instance.
func (s *series) excluded(key int64) bool {
	if _, ok := s.exdates[key]; ok {
		return true
	}
	if s.exdays != nil {
		w := key
		if s.zone != nil {
			w = s.zone.wall(key)
		}
		_, ok := s.exdays[floorDiv(w, daySecs)]
		return ok
	}
	return false
}

// has tells whether the set has an instance with that key. Of a series with
// COUNT only the first DefaultBound.Instances are known.
func (s *series) has(key int64) bool {
	if s.counts() {
		s.counted.once.Do(func() {
			s.counted.keys = map[int64]struct{}{}
			s.keys(minTime, maxTime, &budget{5 * DefaultBound.Instances}, func(k int64, _ *rdate) bool {
				s.counted.keys[k] = struct{}{}
				return len(s.counted.keys) < DefaultBound.Instances
			})
		})
		_, ok := s.counted.keys[key]
		return ok
	}
	if s.excluded(key) {
		return false
	}
	if s.rdate(key) != nil {
		return true
	}
	if s.zone == nil {
		return s.ruled(key, key)
	}
	// An instance that clocks skipped stands at the offset from before (RFC
	// 5545 §3.3.5).
	w, before := s.zone.wall(key), s.zone.wall(key-reach)+reach
	return s.zone.instant(w) == key && s.ruled(w, key) ||
		w != before && s.zone.instant(before) == key && s.ruled(before, key)
}

// ruled tells whether DTSTART or a rule gives the wall clock w, which is at key.
func (s *series) ruled(w, key int64) bool {
	m := s.merge(w, w, &budget{DefaultBound.Instances})
	for {
		x, ok := m.next()
		if !ok || x > w {
			return false
		}
		if x == w && (s.zone == nil || !m.ended(key)) {
			return true
		}
	}
}

// counts tells whether a rule must be followed from its start.
func (s *series) counts() bool {
	for _, r := range s.rules {
		if r.count > 0 {
			return true
		}
	}
	for _, r := range s.exrules {
		if r.count > 0 {
			return true
		}
	}
	return false
}

// keys calls yield for the instances with from <= key < to, and perhaps for
// some outside, each once: first those of RDATE, then by wall clock. It returns
// the wall clock that it reached before it stopped with ErrTooMany.
func (s *series) keys(from, to int64, b *budget, yield func(key int64, r *rdate) bool) (reached int64, err error) {
	for i := range s.rdates {
		r := &s.rdates[i]
		if i > 0 && s.rdates[i-1].key == r.key || r.key < from || r.key >= to || s.excluded(r.key) {
			continue
		}
		if err := b.step(); err != nil {
			return minTime, err
		}
		if !yield(r.key, r) {
			return maxTime, nil
		}
	}
	m := s.merge(from-reach, to+reach, b)
	c := clock{zone: s.zone}
	var inGap map[int64]struct{} // instances whose wall clock did not exist; a later one may be the same
	for {
		w, ok := m.next()
		if !ok {
			if m.err == nil || m.at == minTime {
				return m.at, m.err
			}
			if s.zone != nil {
				return s.zone.instant(m.at) - reach/2, m.err // later wall clocks in a gap may be earlier instants
			}
			return m.at, m.err
		}
		if w >= to+reach {
			return maxTime, nil
		}
		key := w
		if s.zone != nil {
			key = c.instant(w)
			if key+c.offset != w { // clocks skipped it
				if inGap == nil {
					inGap = map[int64]struct{}{}
				}
				inGap[key] = struct{}{}
			} else if _, twice := inGap[key]; twice {
				delete(inGap, key)
				m.refund()
				continue
			}
			if m.ended(key) {
				continue
			}
		}
		if key < from || key >= to || s.excluded(key) || s.rdate(key) != nil {
			continue
		}
		if !yield(key, nil) {
			return maxTime, nil
		}
	}
}
