package ics

import (
	"slices"

	"github.com/convene-server/convene/scheduling/ics/scale"
)

// scaled is what a dayFilter needs to count in another calendar than the plain
// Gregorian one, or to move days that there are not (RFC 7529 §4).
type scaled struct {
	cal       *scale.Calendar
	skip      skip
	months    []monthRule
	monthDays []int      // as written
	year      scale.Year // laid out last
	from, end int64      // the days that the calendar knows
}

// monthRule is one BYMONTH value (RFC 7529 §4.2).
type monthRule struct {
	number int
	leap   bool
}

// bit is a month's place in dayFilter.months.
func (m monthRule) bit() uint32 {
	if m.leap {
		return 1 << (leapMonth + m.number)
	}
	return 1 << m.number
}

// leapMonth is what the number of a leap month is raised by in a date.
const leapMonth = 16

func newScaled(r *rule) *scaled {
	s := &scaled{cal: r.scale, skip: r.skip, months: r.month, monthDays: r.monthDay}
	s.from, s.end = s.cal.Known()
	return s
}

func (s *scaled) lay(year int) *scale.Year {
	if s.year.Number != year || s.year.Count == 0 {
		s.year = s.cal.Year(year)
	}
	return &s.year
}

// yearOf lays the year of a day out.
func (s *scaled) yearOf(day int64) *scale.Year {
	if y := &s.year; y.Count > 0 && day >= y.First && day < y.First+int64(y.Days) {
		return y
	}
	return s.lay(s.cal.YearOf(day))
}

// date tells what the filter asks about a day; false beyond the years that are
// known.
func (s *scaled) date(day int64) (date, bool) {
	if day < s.from || day >= s.end {
		return date{}, false
	}
	y := s.yearOf(day)
	t := date{day: day, y: y.Number, yday: int(day-y.First) + 1, ylen: y.Days, weekday: weekday(day)}
	t.d = t.yday
	for _, m := range y.Months[:y.Count] {
		if t.d <= m.Days {
			t.m, t.monthLen = m.Number, m.Days
			if m.Leap {
				t.m += leapMonth
			}
			break
		}
		t.d -= m.Days
	}
	return t, true
}

// index counts the month of a day through all years.
func (s *scaled) index(day int64) int {
	y := s.yearOf(day)
	i, first := 0, y.First
	for ; i < y.Count-1 && day >= first+int64(y.Months[i].Days); i++ {
		first += int64(y.Months[i].Days)
	}
	return y.Index + i
}

// own is the month and the day in it of a day that is known.
func (s *scaled) own(day int64) (monthRule, int) {
	t, _ := s.date(day)
	return monthRule{t.m % leapMonth, t.m > leapMonth}, t.d
}

// yearDays appends the days of a year that match, and returns on which day it
// begins and the next one; false if the year is not known.
func (f *dayFilter) yearDays(year int, out *[]int64) (begin, end int64, ok bool) {
	s := f.scaled
	laid := *s.lay(year) // a copy: looking at a day of another year lays that out
	y := &laid
	if y.Count == 0 {
		return 0, 0, false
	}
	wanted, first := s.wanted(y), y.First
	for i := range y.Count {
		if wanted>>i&1 == 1 {
			f.monthDaysOf(y, i, first, out)
		}
		first += int64(y.Months[i].Days)
	}
	if wanted>>y.Count&1 == 1 { // a leap month after the last one, moved on
		next := s.cal.Year(year + 1)
		if next.Count > 0 {
			f.monthDaysOf(&next, 0, next.First, out)
		}
	}
	f.movedInYear(y, out)
	slices.Sort(*out)
	*out = slices.Compact(*out)
	return y.First, y.First + int64(y.Days), true
}

// wanted are the places of the months that BYMONTH names in a year, in bits,
// that of the first month of the next year above them all.
func (s *scaled) wanted(y *scale.Year) (bits uint32) {
	if len(s.months) == 0 {
		return 1<<y.Count - 1
	}
	for _, m := range s.months {
		at := -1 // of the regular month
		for i, have := range y.Months[:y.Count] {
			if have.Number != m.number {
				continue
			}
			if !have.Leap {
				at = i
			}
			if have.Leap == m.leap {
				bits |= 1 << i
				at = -1
				break
			}
		}
		switch { // RFC 7529 §4.1: SKIP for an invalid month, which only a leap month can be
		case at < 0 || s.skip == omit:
		case s.skip == backward:
			bits |= 1 << at
		case s.skip == forward:
			bits |= 1 << (at + 1)
		}
	}
	return bits
}

// scaledMonth appends the days of a month that match, the month counted through
// all years, and returns on which day it begins and the next one; false if it is
// not known.
func (f *dayFilter) scaledMonth(index int, out *[]int64) (begin, end int64, ok bool) {
	s := f.scaled
	laid := *s.lay(s.cal.YearOfMonth(index))
	y := &laid
	i := index - y.Index
	if i < 0 || i >= y.Count {
		return 0, 0, false
	}
	begin = y.First
	for _, m := range y.Months[:i] {
		begin += int64(m.Days)
	}
	m := y.Months[i]
	if f.months == 0 || f.months&(monthRule{m.Number, m.Leap}).bit() != 0 {
		f.monthDaysOf(y, i, begin, out)
	}
	slices.Sort(*out)
	*out = slices.Compact(*out)
	return begin, begin + int64(m.Days), true
}

// monthDaysOf appends what matches of a month that BYMONTH has chosen.
func (f *dayFilter) monthDaysOf(y *scale.Year, i int, first int64, out *[]int64) {
	s, m := f.scaled, y.Months[i]
	t := date{day: first, y: y.Number, d: 1, monthLen: m.Days, yday: int(first-y.First) + 1, ylen: y.Days, weekday: weekday(first)}
	chosen := *f
	chosen.months = 0
	for ; t.d <= t.monthLen; t.d++ {
		if chosen.matches(&t) {
			*out = append(*out, t.day)
		}
		t.day++
		t.yday++
		t.weekday = (t.weekday + 1) % 7
	}
	if s.skip == omit {
		return
	}
	// RFC 7529 §4.1: SKIP for an invalid day.
	rest := chosen
	rest.monthDays, rest.monthEnds = 0, 0
	for _, d := range s.monthDays {
		if d > m.Days || -d > m.Days {
			rest.move(first, int64(m.Days), d, out)
		}
	}
}

// movedInYear appends what BYYEARDAY asks for and the year has not.
func (f *dayFilter) movedInYear(y *scale.Year, out *[]int64) {
	if f.scaled.skip == omit {
		return
	}
	rest := *f
	rest.months, rest.yearDayNos, rest.yearEnds = 0, nil, nil
	for _, d := range f.yearDayNos {
		if d > y.Days {
			rest.move(y.First, int64(y.Days), d, out)
		}
	}
	for _, d := range f.yearEnds {
		if d > y.Days {
			rest.move(y.First, int64(y.Days), -d, out)
		}
	}
	if len(f.weekNos) == 0 {
		return
	}
	rest = *f
	rest.months, rest.weekNos = 0, nil
	first := firstMidOf(y.First, f.wkst) - 3
	days := firstMidOf(y.First+int64(y.Days), f.wkst) - 3 - first
	for _, n := range f.weekNos {
		if n := int64(n); n*7 > days || -n*7 > days {
			for i := range int64(7) { // whole weeks move
				if f.scaled.skip == backward {
					i -= 6
				}
				rest.move(first+i, days, int(n), out)
			}
		}
	}
}

// move appends the day that takes the place of one before or after a stretch of
// days: the one at that end of it, or its neighbour outside.
func (f *dayFilter) move(first, days int64, d int, out *[]int64) {
	at := first // of those before, FORWARD
	switch back := f.scaled.skip == backward; {
	case back && d > 0:
		at = first + days - 1
	case back:
		at = first - 1
	case d > 0:
		at = first + days
	}
	if t, ok := f.scaled.date(at); ok && f.matches(&t) {
		*out = append(*out, at)
	}
}

// weeks returns the fourth days of the first weeks of the year in which a day
// lies and of the next one.
func (s *scaled) weeks(mid int64, wkst int) (first, next int64) {
	y := s.yearOf(mid)
	return firstMidOf(y.First, wkst), firstMidOf(y.First+int64(y.Days), wkst)
}

// scaledPeriod makes the days of a year or a month in another calendar, and
// returns the wall clock before which it has none; true beyond what is known.
func (it *ruleIter) scaledPeriod(p int64) (begin int64, over bool) {
	f, end, ok := &it.filter, int64(0), false
	if p > maxPeriod {
		return 0, true
	}
	if it.r.freq == yearly {
		begin, end, ok = f.yearDays(int(p), &it.days)
	} else {
		begin, end, ok = f.scaledMonth(int(p), &it.days)
	}
	before := int64(0) // what SKIP moves before its period
	switch {
	case f.scaled.skip == omit:
		return begin * daySecs, !ok
	case len(f.weekNos) > 0:
		before = 10 // a week, and weeks begin up to three days before the year
	case f.scaled.skip == backward:
		before = 1
	}
	it.seam = (end - before) * daySecs
	return (begin - before) * daySecs, !ok
}

// wait keeps a wall clock until the periods are made that have some before it.
func (it *ruleIter) wait(w int64) {
	if it.err = it.budget.step(); it.err != nil {
		return
	}
	if i, found := slices.BinarySearch(it.late, w); !found {
		it.late = slices.Insert(it.late, i, w)
	}
}

const maxPeriod = 1 << 20
