package ics

// merged walks DTSTART and all rules in order of their wall clocks, each time
// once, without what EXRULE takes away.
type merged struct {
	s    *series
	its  []*ruleIter
	head []int64 // of its; maxTime: at its end
	ex   []*ruleIter
	exAt []int64
	from []int // which of its yielded the last one
	own  bool  // DTSTART is still to come
	at   int64 // the last one
	err  error
}

// merge begins a walk from about one wall clock to another.
func (s *series) merge(from, to int64, b *budget) *merged {
	m := &merged{s: s, own: true, at: minTime}
	begin := func(r *rule) (*ruleIter, int64) {
		start := s.start.Wall.Unix()
		it := r.iterate(start, s.start.Form == Date, b)
		it.setUntil(s.untilWall)
		it.until = min(it.until, to) // so that what never matches is not looked for beyond
		it.seek(from)
		w, ok := it.next()
		if !ok {
			w = maxTime
		}
		if it.err != nil {
			m.err = it.err
		}
		return it, w
	}
	for _, r := range s.rules {
		it, w := begin(r)
		m.its, m.head = append(m.its, it), append(m.head, w)
	}
	for _, r := range s.exrules {
		it, w := begin(r)
		m.ex, m.exAt = append(m.ex, it), append(m.exAt, w)
	}
	return m
}

// untilWall turns an UNTIL into the last wall clock that can count. For a
// series of instants with UNTIL in UTC, ended has the last word.
func (s *series) untilWall(u Time) int64 {
	switch {
	case s.start.Form == Date: // UNTIL as a time still means the day
		w := u.Wall.Unix()
		return w - floorMod(w, daySecs)
	case u.Form == UTC && s.zone != nil:
		return s.zone.wall(u.Wall.Unix()) + daySecs
	}
	return untilWall(u)
}

// ended tells whether every rule that yielded the last wall clock ended before
// that instant.
func (m *merged) ended(key int64) bool {
	if len(m.from) == 0 {
		return false
	}
	for _, i := range m.from {
		if u := m.its[i].r.until; u.Form != UTC || key <= u.Wall.Unix() {
			return false
		}
	}
	return true
}

func (m *merged) next() (int64, bool) {
	for m.err == nil {
		w, own := int64(maxTime), false
		for _, h := range m.head {
			w = min(w, h)
		}
		if start := m.s.start.Wall.Unix(); m.own {
			// Rules only yield what is later.
			w, own, m.own = start, true, false
		}
		if w == maxTime {
			return 0, false
		}
		m.from = m.from[:0]
		for i, it := range m.its {
			if m.head[i] == w && !own {
				m.from = append(m.from, i)
				m.head[i] = m.pull(it)
			}
		}
		if m.removed(w) {
			continue
		}
		if m.err != nil {
			break
		}
		m.at = w
		return w, true
	}
	return 0, false
}

func (m *merged) pull(it *ruleIter) int64 {
	if w, ok := it.next(); ok {
		return w
	}
	if it.err != nil && m.err == nil {
		m.err = it.err
	}
	return maxTime
}

// removed tells whether an EXRULE (RFC 2445 §4.8.5.2; gone from RFC 5545, but
// not from calendars) yields that wall clock.
func (m *merged) removed(w int64) bool {
	for i, it := range m.ex {
		for m.exAt[i] < w {
			m.exAt[i] = m.pull(it)
		}
		if m.exAt[i] == w {
			return true
		}
		if w == it.start && it.ownStart() {
			return true
		}
	}
	return false
}

// refund gives the last one back to the COUNT of the rules that yielded it.
func (m *merged) refund() {
	for _, i := range m.from {
		it := m.its[i]
		if m.head[i] == maxTime && it.r.count > 0 {
			it.refund()
			m.head[i] = m.pull(it)
		} else {
			it.refund()
		}
	}
}
