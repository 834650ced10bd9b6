package ics

// Days are counted from 1970-01-01 in the proleptic Gregorian calendar.

// daysTo returns the day of a date.
func daysTo(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := floorDiv(int64(y), 400)
	yoe := int64(y) - era*400
	doy := int64((153*(m-3)+2)/5 + d - 1)
	return era*146_097 + yoe*365 + yoe/4 - yoe/100 + doy - 719_468
}

// civil returns the date of a day.
func civil(day int64) (y, m, d int) {
	day += 719_468
	era := floorDiv(day, 146_097)
	doe := day - era*146_097
	yoe := (doe - doe/1460 + doe/36_524 - doe/146_096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = int(doy - (153*mp+2)/5 + 1)
	m = int(mp) + 3
	y = int(yoe + era*400)
	if m > 12 {
		m -= 12
		y++
	}
	return y, m, d
}

// weekday counts from Monday, 0.
func weekday(day int64) int { return int(floorMod(day+3, 7)) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return m
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// dayFilter holds the parts of a rule that choose days. Whether a part expands
// or limits (the table of RFC 5545 §3.3.10), the days of a period are those
// that satisfy all of them.
type dayFilter struct {
	open                 bool   // every day
	months               uint32 // a leap month's bit is leapMonth above that of its number
	monthDays, monthEnds uint32 // from the first and from the last day
	yearDayNos, yearEnds []int
	weekNos              []int
	days                 uint8 // every such weekday
	nth                  []dayRule
	nthOfMonth           bool // else of the year
	wkst                 int
	scaled               *scaled // nil: the Gregorian calendar, without what it has not
}

func (f *dayFilter) set(r *rule) {
	f.wkst = r.wkst
	for _, m := range r.month {
		f.months |= m.bit()
	}
	for _, d := range r.monthDay {
		if d > 0 {
			f.monthDays |= 1 << d
		} else {
			f.monthEnds |= 1 << -d
		}
	}
	for _, d := range r.yearDay {
		if d > 0 {
			f.yearDayNos = append(f.yearDayNos, d)
		} else {
			f.yearEnds = append(f.yearEnds, -d)
		}
	}
	f.weekNos = r.weekNo
	for _, d := range r.day {
		if d.n == 0 {
			f.days |= 1 << d.weekday
		} else {
			f.nth = append(f.nth, d)
		}
	}
	// A number counts within the month for MONTHLY, and for YEARLY with BYMONTH.
	f.nthOfMonth = r.freq == monthly || len(r.month) > 0
	f.open = len(r.month)+len(r.monthDay)+len(r.yearDay)+len(r.weekNo)+len(r.day) == 0
}

// date is a day with what the filter asks about it.
type date struct {
	day        int64
	y, m, d    int
	monthLen   int
	yday, ylen int // yday counts from 1
	weekday    int
}

func (f *dayFilter) match(day int64) bool {
	if f.scaled != nil {
		t, ok := f.scaled.date(day)
		return ok && f.matches(&t)
	}
	y, m, d := civil(day)
	return f.matches(&date{day, y, m, d, monthDays(y, m), int(day-daysTo(y, 1, 1)) + 1, yearLen(y), weekday(day)})
}

func yearLen(y int) int {
	if leap(y) {
		return 366
	}
	return 365
}

// year appends the days of a year that match.
func (f *dayFilter) year(y int, out *[]int64) {
	for m := 1; m <= 12; m++ {
		f.month(y, m, out)
	}
}

// month appends the days of a month that match.
func (f *dayFilter) month(y, m int, out *[]int64) {
	if f.months != 0 && f.months&(1<<m) == 0 {
		return
	}
	day := daysTo(y, m, 1)
	t := date{day, y, m, 1, monthDays(y, m), int(day-daysTo(y, 1, 1)) + 1, yearLen(y), weekday(day)}
	for ; t.d <= t.monthLen; t.d++ {
		if f.matches(&t) {
			*out = append(*out, t.day)
		}
		t.day++
		t.yday++
		if t.weekday++; t.weekday == 7 {
			t.weekday = 0
		}
	}
}

func (f *dayFilter) matches(t *date) bool {
	if f.months != 0 && f.months&(1<<t.m) == 0 {
		return false
	}
	if f.monthDays|f.monthEnds != 0 && f.monthDays&(1<<t.d) == 0 && f.monthEnds&(1<<(t.monthLen-t.d+1)) == 0 {
		return false
	}
	if f.days != 0 || len(f.nth) > 0 {
		if f.days&(1<<t.weekday) == 0 && !f.isNth(t) {
			return false
		}
	}
	if len(f.yearDayNos)+len(f.yearEnds) > 0 && !has(f.yearDayNos, t.yday) && !has(f.yearEnds, t.ylen-t.yday+1) {
		return false
	}
	if len(f.weekNos) > 0 {
		no, of := f.weekNo(t)
		if !has(f.weekNos, no) && !has(f.weekNos, no-of-1) {
			return false
		}
	}
	return true
}

func has(list []int, n int) bool {
	for _, v := range list {
		if v == n {
			return true
		}
	}
	return false
}

func (f *dayFilter) isNth(t *date) bool {
	at, of := t.d, t.monthLen
	if !f.nthOfMonth {
		at, of = t.yday, t.ylen
	}
	for _, n := range f.nth {
		if n.weekday == t.weekday && (n.n == (at-1)/7+1 || -n.n == (of-at)/7+1) {
			return true
		}
	}
	return false
}

// weekNo returns the number of a day's week, and of how many in the year to
// which that week belongs: the first has at least four days in it (RFC 5545
// §3.3.10).
func (f *dayFilter) weekNo(t *date) (no, of int) {
	// The fourth day of a week decides about its year.
	mid := t.day - floorMod(int64(t.weekday-f.wkst), 7) + 3
	if f.scaled != nil {
		first, next := f.scaled.weeks(mid, f.wkst)
		return int(mid-first)/7 + 1, int(next-first) / 7
	}
	y, _, _ := civil(mid)
	first := firstMid(y, f.wkst)
	return int(mid-first)/7 + 1, int(firstMid(y+1, f.wkst)-first) / 7
}

// firstMid returns the fourth day of the first week of a year.
func firstMid(y, wkst int) int64 { return firstMidOf(daysTo(y, 1, 1), wkst) }

// firstMidOf is firstMid of a year that begins on a day.
func firstMidOf(day int64, wkst int) int64 {
	return day + floorMod(int64(wkst+3-weekday(day)), 7)
}
