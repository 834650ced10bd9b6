package ics

import "slices"

// budget counts the work of an expansion down.
type budget struct{ steps int }

func (b *budget) step() error {
	if b.steps--; b.steps < 0 {
		return ErrTooMany
	}
	return nil
}

// ruleIter yields the wall clocks of one rule in ascending order, without
// looking at zones. DTSTART itself is not among them: it is an instance
// whatever the rule says, and the caller's.
type ruleIter struct {
	r      rule // with the parts that come from DTSTART filled in
	start  int64
	until  int64 // wall clock, inclusive
	end    int64 // wall clock of the last second that there is
	left   int   // instances to come, where COUNT is given
	budget *budget
	err    error
	done   bool

	unit   int64 // seconds of a period below a day, else 0
	first  int64 // the period of start: seconds, minutes, hours, days, weeks, months or years
	k      int64 // next period is first + k*interval
	empty  int   // periods without an instance, one after another
	last   int64 // wall clock of the last period with an instance
	told   int64 // the last instance
	filter dayFilter

	// SKIP moves days beyond their period: what lies where later periods have days
	// too waits for them.
	seam int64   // wall clock before which later periods have nothing
	late []int64 // at or after the seam, in order
	over bool    // no period is left

	// The current period: days x times, of which pick (BYSETPOS) selects.
	days  []int64
	hs    []int
	ms    []int
	ss    []int
	base  int64 // of periods below a day
	pick  []int
	picks bool
	i, n  int
}

// Every calendar date falls on the same weekday again after 400 years: a rule
// that has had no instance in so many periods has none ever.
var never = [...]int{daily: 146_097, weekly: 20_871, monthly: 4_800, yearly: 400}

const fourCenturies = 146_097 * daySecs

const lastYear = 9999

// iterate begins a walk at DTSTART, a wall clock. allDay drops what lies inside
// a day (RFC 5545 §3.3.10: BYHOUR, BYMINUTE, BYSECOND are ignored for a DATE).
func (r *rule) iterate(start int64, allDay bool, b *budget) *ruleIter {
	it := &ruleIter{r: *r, start: start, until: maxTime, end: endOfTime, budget: b, last: start, told: start, seam: maxTime}
	if r.count > 0 {
		it.left = r.count - 1
		it.done = it.left == 0
	}
	day, tod := floorDiv(start, daySecs), int(floorMod(start, daySecs))
	y, m, d := civil(day)
	q := &it.r
	first := monthRule{number: m}
	if q.scale != nil {
		it.filter.scaled = newScaled(q)
		f := it.filter.scaled
		it.end = min(it.end, f.end*daySecs-1)
		if day < f.from || day >= f.end {
			it.done = true
			return it
		}
		first, d = f.own(day)
	}
	if allDay {
		q.hour, q.minute, q.second = nil, nil, nil
		if q.freq < daily {
			q.hour, q.minute, q.second = []int{0}, []int{0}, []int{0}
		}
	}
	// What the rule leaves open comes from DTSTART (RFC 5545 §3.3.10).
	byDate := len(q.day) > 0 || len(q.monthDay) > 0 || len(q.yearDay) > 0
	if !byDate {
		switch {
		case q.freq == weekly || q.freq == yearly && len(q.weekNo) > 0:
			q.day = []dayRule{{0, weekday(day)}}
		case q.freq == monthly:
			q.monthDay = []int{d}
		case q.freq == yearly:
			q.monthDay = []int{d}
			if len(q.month) == 0 {
				q.month = []monthRule{first}
			}
		}
	}
	it.filter.set(q)
	if f := it.filter.scaled; f != nil {
		f.months, f.monthDays = q.month, q.monthDay
		y, m = f.yearOf(day).Number, f.index(day)
	}
	it.hs, it.ms, it.ss = q.hour, q.minute, q.second
	if len(it.hs) == 0 {
		it.hs = []int{tod / 3600}
	}
	if len(it.ms) == 0 {
		it.ms = []int{tod / 60 % 60}
	}
	if len(it.ss) == 0 {
		it.ss = []int{tod % 60}
	}
	zero := []int{0}
	switch q.freq {
	case yearly:
		it.first = int64(y)
	case monthly:
		if it.first = int64(m); q.scale == nil {
			it.first = int64(y)*12 + int64(m-1)
		}
	case weekly:
		it.first = floorDiv(day-int64(floorMod(int64(weekday(day)-q.wkst), 7))+3, 7) // +3: 1970-01-01 was a Thursday
	case daily:
		it.first = day
	case hourly:
		it.unit, it.hs = 3600, zero
	case minutely:
		it.unit, it.hs, it.ms = 60, zero, zero
	case secondly:
		it.unit, it.hs, it.ms, it.ss = 1, zero, zero, zero
	}
	if it.unit > 0 {
		it.first = floorDiv(start, it.unit)
		it.done = it.done || !it.reachable()
	}
	most := len(it.hs) * len(it.ms) * len(it.ss)
	switch q.freq {
	case yearly:
		most *= 366
		if q.scale != nil {
			most = most / 366 * (q.scale.MaxDays + 8) // a week may be moved into it
		}
	case monthly:
		most *= 32
	case weekly:
		if most *= 7; len(q.day) > 0 {
			most = most / 7 * len(q.day)
		}
	}
	it.done = it.done || !fits(q.spos, most)
	return it
}

// setUntil fixes the end of the rule; wall turns UNTIL into the last wall clock
// that counts.
func (it *ruleIter) setUntil(wall func(Time) int64) {
	if it.r.until.Form != 0 {
		it.until = wall(it.r.until)
	}
}

// untilWall is the last wall clock of an UNTIL that is read as a wall clock: a
// day counts whole.
func untilWall(u Time) int64 {
	if u.Form == Date {
		return u.Wall.Unix() + daySecs - 1
	}
	return u.Wall.Unix()
}

// seek jumps near a wall clock, never past it. A rule with COUNT must be
// counted from its start.
func (it *ruleIter) seek(wall int64) {
	if it.r.count > 0 || wall <= it.start {
		return
	}
	var p int64
	y, m, _ := civil(floorDiv(wall, daySecs))
	switch it.r.freq {
	case yearly:
		p = int64(y)
		if f := it.filter.scaled; f != nil {
			p = int64(f.cal.YearOf(floorDiv(wall, daySecs)))
		}
	case monthly:
		p = int64(y)*12 + int64(m-1)
		if f := it.filter.scaled; f != nil {
			p = int64(f.index(floorDiv(wall, daySecs)))
		}
	case weekly:
		p = floorDiv(floorDiv(wall, daySecs), 7)
	case daily:
		p = floorDiv(wall, daySecs)
	default:
		p = floorDiv(wall, it.unit)
	}
	if k := (p-it.first)/it.r.interval - 2; k > it.k {
		it.k = k
		it.last = wall
	}
}

// reachable tells whether the times of day that a rule below DAILY asks for lie
// on its steps at all: FREQ=HOURLY;INTERVAL=4;BYHOUR=2 from 23:00 never does.
func (it *ruleIter) reachable() bool {
	q := &it.r
	g := gcd(q.interval*it.unit, daySecs)
	all := func(list []int, n int) []int {
		if len(list) > 0 {
			return list
		}
		out := make([]int, n)
		for i := range out {
			out[i] = i
		}
		return out
	}
	if len(q.hour) == 0 && (len(q.minute) == 0 || q.freq > minutely) && (len(q.second) == 0 || q.freq > secondly) {
		return true
	}
	at := floorMod(it.first*it.unit, g)
	for _, h := range all(q.hour, 24) {
		if q.freq == hourly {
			if floorMod(int64(h)*3600, g) == at {
				return true
			}
			continue
		}
		for _, m := range all(q.minute, 60) {
			if q.freq == minutely {
				if floorMod(int64(h)*3600+int64(m)*60, g) == at {
					return true
				}
				continue
			}
			for _, s := range all(q.second, 60) {
				if floorMod(int64(h)*3600+int64(m)*60+int64(s), g) == at {
					return true
				}
			}
		}
	}
	return false
}

// next returns the next wall clock after start; false at the end or when the
// budget is used up (then err says so).
func (it *ruleIter) next() (int64, bool) {
	for !it.done {
		w, ok := it.following()
		if it.err = it.budget.step(); it.err != nil || !ok && it.over {
			it.done = true
			break
		}
		switch {
		case !ok:
			it.load()
			if it.done && len(it.late) > 0 {
				it.done, it.over, it.n, it.seam = false, true, 0, maxTime
			}
			continue
		case w <= it.told: // DTSTART, or told in the period before
			continue
		}
		it.told = w
		if w > it.until {
			it.done = true
			break
		}
		if it.r.count > 0 {
			it.left--
			it.done = it.left == 0
		}
		return w, true
	}
	return 0, false
}

// following returns the next wall clock of the period at hand, and of those
// before it that have waited for it.
func (it *ruleIter) following() (int64, bool) {
	for it.i < it.n {
		w := it.value(it.i)
		if len(it.late) > 0 && it.late[0] <= w && it.late[0] < it.seam {
			break
		}
		it.i++
		if w < it.seam {
			return w, true
		}
		if it.wait(w); it.err != nil {
			return 0, false
		}
	}
	if len(it.late) == 0 || it.late[0] >= it.seam {
		return 0, false
	}
	w := it.late[0]
	it.late = it.late[1:]
	return w, true
}

// refund gives an instance back to COUNT: it fell together with another one.
func (it *ruleIter) refund() {
	if it.r.count > 0 {
		it.left++
		it.done = false
	}
}

func (it *ruleIter) value(i int) int64 {
	if it.picks {
		i = it.pick[i]
	}
	ns, nm := len(it.ss), len(it.ms)
	w := int64(it.ss[i%ns])
	i /= ns
	w += int64(it.ms[i%nm]) * 60
	i /= nm
	w += int64(it.hs[i%len(it.hs)]) * 3600
	i /= len(it.hs)
	if it.unit > 0 {
		return it.base + w
	}
	return it.days[i]*daySecs + w
}

// load makes the set of the next period.
func (it *ruleIter) load() {
	p := it.first + it.k*it.r.interval
	it.k++
	it.i, it.n = 0, 0
	it.days = it.days[:0]
	var begin int64 // wall clock at which the period begins
	switch it.r.freq {
	case yearly:
		if it.filter.scaled != nil {
			if begin, it.done = it.scaledPeriod(p); it.done {
				return
			}
			break
		}
		if p > lastYear {
			it.done = true
			return
		}
		begin = daysTo(int(p), 1, 1) * daySecs
		it.filter.year(int(p), &it.days)
	case monthly:
		if it.filter.scaled != nil {
			if begin, it.done = it.scaledPeriod(p); it.done {
				return
			}
			break
		}
		y, m := int(p/12), int(p%12)+1
		if y > lastYear {
			it.done = true
			return
		}
		begin = daysTo(y, m, 1) * daySecs
		it.filter.month(y, m, &it.days)
	case weekly:
		d := p*7 - 3 + int64(it.r.wkst)
		begin = d * daySecs
		for i := range int64(7) {
			if it.filter.match(d + i) {
				it.days = append(it.days, d+i)
			}
		}
	case daily:
		begin = p * daySecs
		if it.filter.open || it.filter.match(p) {
			it.days = append(it.days, p)
		}
	default:
		begin = p * it.unit
		if skip := it.skip(begin); skip > 0 {
			// To the first period that begins at or after begin+skip.
			step := it.r.interval * it.unit
			it.k += (skip+step-1)/step - 1
			if begin-it.last > fourCenturies {
				it.done = true
			}
			it.tooFar(begin)
			return
		}
		it.base = begin
		it.n = len(it.hs) * len(it.ms) * len(it.ss)
	}
	if it.unit == 0 {
		it.n = len(it.days) * len(it.hs) * len(it.ms) * len(it.ss)
	}
	if len(it.r.spos) > 0 {
		it.choose()
	}
	it.tooFar(begin)
	if it.n > 0 {
		it.empty, it.last = 0, begin
		return
	}
	it.empty++
	if it.unit == 0 && it.empty > never[it.r.freq] || it.unit > 0 && begin-it.last > fourCenturies {
		it.done = true
	}
}

// tooFar ends the walk when a period begins after UNTIL or the last year.
func (it *ruleIter) tooFar(begin int64) {
	if begin > it.until || begin > it.end {
		it.done = true
	}
}

var endOfTime = daysTo(lastYear+1, 1, 1)*daySecs - 1

// choose applies BYSETPOS to the period's set.
func (it *ruleIter) choose() {
	it.picks = true
	it.pick = it.pick[:0]
	for _, p := range it.r.spos {
		if p < 0 {
			p += it.n
		} else {
			p--
		}
		if p >= 0 && p < it.n {
			it.pick = append(it.pick, p)
		}
	}
	slices.Sort(it.pick)
	it.pick = slices.Compact(it.pick)
	it.n = len(it.pick)
}

// ownStart tells whether DTSTART itself matches the rule, BYSETPOS aside.
func (it *ruleIter) ownStart() bool {
	tod := int(floorMod(it.start, daySecs))
	in := func(list []int, n int) bool { return len(list) == 0 || has(list, n) }
	return it.filter.match(floorDiv(it.start, daySecs)) &&
		in(it.r.hour, tod/3600) && in(it.r.minute, tod/60%60) && in(it.r.second, tod%60)
}

// fits tells whether BYSETPOS can choose from sets of n at all.
func fits(spos []int, n int) bool {
	return len(spos) == 0 || slices.ContainsFunc(spos, func(p int) bool { return p <= n && -p <= n })
}

// skip returns how many seconds from a period below DAILY on cannot match, 0 if
// it matches.
func (it *ruleIter) skip(t int64) int64 {
	q := &it.r
	day := floorDiv(t, daySecs)
	if !it.filter.open && !it.filter.match(day) {
		next := day + 1
		if f := &it.filter; f.months != 0 && f.scaled == nil {
			y, m, _ := civil(day)
			if f.months&(1<<m) == 0 {
				if m++; m > 12 {
					y, m = y+1, 1
				}
				next = daysTo(y, m, 1)
			}
		}
		return next*daySecs - t
	}
	tod := t - day*daySecs
	if len(q.hour) > 0 {
		h := int(tod / 3600)
		i, ok := slices.BinarySearch(q.hour, h)
		if !ok {
			if i == len(q.hour) {
				return daySecs - tod
			}
			return int64(q.hour[i])*3600 - tod
		}
	}
	if q.freq <= minutely && len(q.minute) > 0 {
		in := tod % 3600
		i, ok := slices.BinarySearch(q.minute, int(in/60))
		if !ok {
			if i == len(q.minute) {
				return 3600 - in
			}
			return int64(q.minute[i])*60 - in
		}
	}
	if q.freq == secondly && len(q.second) > 0 {
		in := tod % 60
		i, ok := slices.BinarySearch(q.second, int(in))
		if !ok {
			if i == len(q.second) {
				return 60 - in
			}
			return int64(q.second[i]) - in
		}
	}
	return 0
}
