package ics

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/scheduling/ics/scale"
)

// testScaled compares the first days of a series; the last of want may be "...".
func testScaled(t *testing.T) func(dtstart, rule, want string) {
	return func(dtstart, rule, want string) {
		t.Helper()
		o := event(t, "DTSTART;VALUE=DATE:"+dtstart, "RRULE:"+rule)
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
		w := strings.Fields(want)
		got := starts(t, o, len(w)+1)
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], "T")
		}
		if w[len(w)-1] == "..." {
			w = w[:len(w)-1]
			got = got[:min(len(got), len(w))]
		}
		if a, b := strings.Join(got, " "), strings.Join(w, " "); a != b {
			t.Errorf("%s\n got %s\nwant %s", rule, a, b)
		}
	}
}

// The examples of RFC 7529 §4.3, and those of the calendars' programs.
func TestScaled(t *testing.T) {
	test := testScaled(t)
	// §4.3.1 to §4.3.3
	test("20130210", "RSCALE=CHINESE;FREQ=YEARLY", "20130210 20140131 20150219 20160208 20170128 ...")
	test("20130906", "RSCALE=ETHIOPIC;FREQ=MONTHLY;BYMONTH=13", "20130906 20140906 20150906 20160906 20170906 ...")
	test("20140208", "RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L;BYMONTHDAY=8;SKIP=FORWARD", "20140208 20150227 20160217 20170306 20180223 ...")
	// The month and the day of DTSTART, where the rule names none; aliases and lower case.
	test("20140208", "RSCALE=hebrew;FREQ=YEARLY;SKIP=FORWARD", "20140208 20150227 20160217 20170306 20180223 ...")
	test("20140208", "RSCALE=HEBREW;FREQ=YEARLY;SKIP=BACKWARD", "20140208 20150128 20160217 20170204 20180124 ...")
	test("20140208", "RSCALE=HEBREW;FREQ=YEARLY", "20140208 20160217 20190213 20220209 20240217 ...")
	test("20260617", "rscale=islamicc;freq=yearly;count=3", "20260617 20270606 20280525")
	test("20150911", "RSCALE=ETHIOAA;FREQ=YEARLY;SKIP=FORWARD;COUNT=5", "20150911 20160911 20170911 20180911 20190911")
	test("20150911", "RSCALE=ETHIOPIC;FREQ=YEARLY;SKIP=BACKWARD;COUNT=5", "20150911 20160910 20170910 20180910 20190911")
	test("20140910", "RSCALE=ETHIOPIC;FREQ=YEARLY;BYMONTH=13;BYMONTHDAY=-1;COUNT=4", "20140910 20150911 20160910 20170910")
	// Months of 29 days, leap months being months.
	test("20160109", "RSCALE=CHINESE;FREQ=MONTHLY", "20160109 20160308 20160506 20160802 20160930 20161030 20161228 ...")
	test("20160109", "RSCALE=CHINESE;FREQ=MONTHLY;SKIP=FORWARD", "20160109 20160208 20160308 20160407 20160506 20160605 20160704 20160802 20160901 ...")
	test("20160109", "RSCALE=CHINESE;FREQ=MONTHLY;SKIP=BACKWARD", "20160109 20160207 20160308 20160406 20160506 20160604 20160703 20160802 20160831 ...")
	test("20200523", "RSCALE=CHINESE;FREQ=MONTHLY;BYMONTHDAY=1;COUNT=4", "20200523 20200621 20200721 20200819")
	// A leap month that the year has not, and a day that it has not, in either order (§4.1).
	test("20200621", "RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=4L;BYMONTHDAY=30;SKIP=FORWARD", "20200621 20210709 20220628 20230717 20240705 ...")
	test("20200620", "RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=4L;SKIP=BACKWARD", "20200620 20210609 20220529 20230616 20240605 ...")
	test("20200620", "RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=4L;BYMONTHDAY=30;SKIP=BACKWARD", "20200620 20210609 20220529 20230617 20240605 ...")
	// The eleventh leap month of 2033, and what follows the last month of a year.
	test("20340101", "RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=11L,12;BYMONTHDAY=11", "20340101 20340130 20350119 20360108 ...")
	test("20200125", "RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=12L;BYMONTHDAY=1;SKIP=FORWARD", "20200125 20210212 20220201 20230122 ...")
	test("20200125", "RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=1,12L;BYMONTHDAY=1;SKIP=FORWARD;COUNT=3", "20200125 20210212 20220201")
	// INTERVAL counts years and months of the calendar.
	test("20200125", "RSCALE=CHINESE;FREQ=YEARLY;INTERVAL=5", "20200125 20250129 20300203 ...")
	test("20200423", "RSCALE=CHINESE;FREQ=MONTHLY;INTERVAL=2;UNTIL=20201231", "20200423 20200621 20200819 20201017 20201215")
	// Below a day the calendar chooses.
	test("20140208", "RSCALE=HEBREW;FREQ=HOURLY;BYMONTH=5L;BYMONTHDAY=8;COUNT=4", "20140208 20160217 20190213 20220209")
	// Days and weeks of the year.
	test("20230916", "RSCALE=HEBREW;FREQ=YEARLY;BYYEARDAY=1,-1", "20230916 20241002 20241003 20250922 20250923 ...")
}

// What becomes of days that a year does not have, and of those before the first
// of a month (RFC 7529 §4.1, items 4, 7 and 8).
func TestSkipOfYears(t *testing.T) {
	test := testScaled(t)
	test("20161231", "RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=366;SKIP=FORWARD", "20161231 20180101 20190101 20200101 20201231 20220101 ...")
	test("20161231", "RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=366;SKIP=BACKWARD", "20161231 20171231 20181231 20191231 20201231 ...")
	test("20161231", "RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=366", "20161231 20201231 20241231 ...")
	test("20160101", "RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=-366;SKIP=FORWARD", "20160101 20170101 20180101 20190101 20200101 ...")
	test("20160101", "RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=-366;SKIP=BACKWARD", "20160101 20161231 20171231 20181231 20200101 ...")
	test("20140201", "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=-31;SKIP=FORWARD", "20140201 20140301 20140401 20140501 20140601 ...")
	test("20140131", "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=-31;SKIP=BACKWARD", "20140131 20140301 20140331 20140501 20140531 ...")
	test("20140131", "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=-31;SKIP=BACKWARD;UNTIL=20140531", "20140131 20140301 20140331 20140501 20140531")
	test("20201228", "RSCALE=GREGORIAN;FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO", "20201228 20261228 20321227 ...")
	test("20201228", "RSCALE=GREGORIAN;FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO;SKIP=BACKWARD", "20201228 20211227 20221226 20231225 20241223 20251222 20261228 ...")
	test("20201228", "RSCALE=GREGORIAN;FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO;SKIP=FORWARD", "20201228 20220103 20230102 20240101 20241230 20251229 20261228 ...")
	test("20200918", "RSCALE=HEBREW;FREQ=YEARLY;BYYEARDAY=355;SKIP=BACKWARD;COUNT=4", "20200918 20210906 20220827 20230915")
	// A week before the first one begins in the year before.
	test("20150105", "RSCALE=GREGORIAN;FREQ=YEARLY;BYWEEKNO=-53,52;BYDAY=MO;SKIP=BACKWARD;UNTIL=20171231", "20150105 20151221 20151228 20161226 20171225")
	test("20131223", "RSCALE=GREGORIAN;FREQ=YEARLY;BYWEEKNO=-53,52;BYDAY=MO;SKIP=FORWARD;UNTIL=20131231", "20131223 20131230")
	// SKIP acts where a part makes dates, not where it chooses among them.
	test("20140131", "RSCALE=GREGORIAN;FREQ=DAILY;BYMONTHDAY=31;SKIP=FORWARD;COUNT=3", "20140131 20140331 20140531")
	test("20140201", "RSCALE=HEBREW;FREQ=MONTHLY;BYMONTH=5L;BYMONTHDAY=1;SKIP=FORWARD;COUNT=3", "20140201 20160210 20190206")
	test("20140209", "RSCALE=HEBREW;FREQ=WEEKLY;BYMONTH=5L;BYDAY=SU;COUNT=5", "20140209 20140216 20140223 20140302 20160214")
}

// TestScaledAgainstDays compares random rules in every calendar with a walk
// over all days, which knows nothing of seeking, of periods without instances
// and of bits.
func TestScaledAgainstDays(t *testing.T) {
	rng := rand.New(rand.NewPCG(75, 29))
	instances := 0
	for i := range 15 * len(scale.All) {
		cal := scale.All[i%len(scale.All)]
		text := randomScaled(rng, cal)
		r, err := parseRule(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		start := daysTo(1925+rng.IntN(120), 1+rng.IntN(12), 1+rng.IntN(28))
		end := start + 5_000
		want := walkDays(r, cal, start, end)
		allDay := len(r.hour) == 0
		collect := func(from int64) (got []int64) {
			it := r.iterate(start*daySecs, allDay, &budget{1_000_000})
			it.seek(from)
			for {
				w, ok := it.next()
				if !ok || w >= end*daySecs {
					break
				}
				if w >= from {
					got = append(got, w)
				}
			}
			if it.err != nil {
				t.Fatalf("%s: %v", text, it.err)
			}
			return got
		}
		if got := collect(start * daySecs); !slices.Equal(got, want) {
			t.Fatalf("%s from %s\n got %s\nwant %s", text, dates(start*daySecs), dates(got...), dates(want...))
		}
		from := start*daySecs + rng.Int64N(5_000*daySecs)
		later := slices.DeleteFunc(slices.Clone(want), func(d int64) bool { return d < from })
		if got := collect(from); !slices.Equal(got, later) {
			t.Fatalf("%s from %s, window %s\n got %s\nwant %s", text, dates(start*daySecs), dates(from), dates(got...), dates(later...))
		}
		instances += len(want)
	}
	if instances < 10_000 {
		t.Errorf("only %d instances", instances)
	}
}

func dates(walls ...int64) string {
	var out []string
	for _, w := range walls[:min(len(walls), 12)] {
		out = append(out, strings.TrimSuffix(unix(w).Format("20060102T15"), "T00"))
	}
	return strings.Join(out, " ")
}

func randomScaled(rng *rand.Rand, cal *scale.Calendar) string {
	f := []string{"YEARLY", "YEARLY", "YEARLY", "MONTHLY", "MONTHLY", "WEEKLY", "DAILY"}[rng.IntN(7)]
	out := "RSCALE=" + cal.Name + ";FREQ=" + f
	list := func(name string, p float64, most int, value func() string) bool {
		if rng.Float64() >= p {
			return false
		}
		var have []string
		for range 1 + rng.IntN(most) {
			if v := value(); !slices.Contains(have, v) {
				have = append(have, v)
			}
		}
		out += ";" + name + "=" + strings.Join(have, ",")
		return true
	}
	number := func(most int) func() string {
		return func() string {
			n := 1 + rng.IntN(most)
			if rng.IntN(2) == 0 { // what SKIP moves, and where it moves to
				n = []int{1, most - 1, most}[rng.IntN(3)]
			}
			if rng.IntN(3) == 0 {
				n = -n
			}
			return strconv.Itoa(n)
		}
	}
	month := list("BYMONTH", 0.4, 3, func() string {
		for {
			n, leap := 1+rng.IntN(cal.Regular), rng.IntN(3) == 0
			if leap && cal.Has(n, true) {
				return strconv.Itoa(n) + "L"
			} else if !leap || !cal.Has(5, true) {
				return strconv.Itoa(n)
			}
		}
	})
	by := month
	switch {
	case f == "YEARLY" && !month && rng.IntN(4) == 0:
		by = list("BYYEARDAY", 1, 4, number(cal.MaxDays))
	case f == "YEARLY" && !month && rng.IntN(5) == 0:
		by = list("BYWEEKNO", 1, 4, number(cal.Weeks()))
		list("BYDAY", 1, 3, func() string { return []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}[rng.IntN(7)] })
	case f != "WEEKLY" && list("BYMONTHDAY", 0.5, 4, number(31)):
		by = true
	case list("BYDAY", 0.5, 3, func() string {
		s := []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}[rng.IntN(7)]
		if f == "MONTHLY" || f == "YEARLY" && month {
			s = []string{"", "2", "-1", "5", "1"}[rng.IntN(5)] + s
		} else if f == "YEARLY" {
			s = []string{"", "20", "-1", "-40", "1", "55"}[rng.IntN(5)] + s
		}
		return s
	}):
		by = true
	}
	by = list("BYHOUR", 0.3, 3, func() string { return strconv.Itoa(rng.IntN(24)) }) || by
	if by && (f == "YEARLY" || f == "MONTHLY") {
		list("BYSETPOS", 0.3, 2, number(3))
	}
	if rng.IntN(3) == 0 {
		out += ";WKST=" + []string{"SU", "TH", "SA"}[rng.IntN(3)]
	}
	if rng.IntN(3) == 0 {
		out += fmt.Sprintf(";INTERVAL=%d", 2+rng.IntN(4))
	}
	return out + []string{"", ";SKIP=OMIT", ";SKIP=FORWARD", ";SKIP=BACKWARD"}[rng.IntN(4)]
}

// walkDays is RFC 7529 §4.1 step by step: the months, those that there are not
// moved; the weeks and days, those that there are not moved; then BYDAY, BYHOUR
// and BYSETPOS. It returns wall clocks.
func walkDays(r *rule, cal *scale.Calendar, start, end int64) []int64 {
	type day struct {
		at              int64
		year            *scale.Year
		month           int // its place in the year
		d, len          int
		first           int64 // of its month
		yday, no, weeks int
	}
	days := map[int64]day{}
	var order []int64
	for n := cal.YearOf(start) - 1; n <= cal.YearOf(end)+1; n++ {
		y := cal.Year(n)
		at := y.First
		for i, m := range y.Months[:y.Count] {
			for d := range m.Days {
				days[at] = day{at: at, year: &y, month: i, d: d + 1, len: m.Days, first: at - int64(d), yday: int(at-y.First) + 1}
				order = append(order, at)
				at++
			}
		}
	}
	for _, at := range order { // the fourth day of a week decides
		x := days[at]
		if mid, ok := days[at-floorMod(int64(weekday(at)-r.wkst), 7)+3]; ok {
			x.no = (mid.yday-1)/7 + 1
			x.weeks = x.no + (mid.year.Days-mid.yday)/7
			days[at] = x
		}
	}
	months, monthDays, weekdays := r.month, r.monthDay, r.day
	first := days[start]
	if len(r.day)+len(r.monthDay)+len(r.yearDay) == 0 {
		switch {
		case r.freq == weekly || len(r.weekNo) > 0:
			weekdays = []dayRule{{0, weekday(start)}}
		case r.freq == monthly || r.freq == yearly:
			monthDays = []int{first.d}
			if m := first.year.Months[first.month]; r.freq == yearly && len(months) == 0 {
				months = []monthRule{{m.Number, m.Leap}}
			}
		}
	}
	place := func(at int64) int64 {
		switch x := days[at]; r.freq {
		case yearly:
			return int64(x.year.Number)
		case monthly:
			return int64(x.year.Index + x.month)
		case weekly:
			return floorDiv(at+3-int64(r.wkst), 7)
		}
		return at
	}
	onDay := func(at int64) bool {
		x := days[at]
		if len(weekdays) == 0 {
			return true
		}
		n, of := x.d, x.len
		if r.freq == yearly && len(r.month) == 0 {
			n, of = x.yday, x.year.Days
		}
		return slices.ContainsFunc(weekdays, func(w dayRule) bool {
			return w.weekday == weekday(at) && (w.n == 0 || w.n == (n+6)/7 || w.n == -(of-n+7)/7)
		})
	}
	// A date of which the part asks for n of so many days from first on.
	resolve := func(n int, first int64, of int) (int64, bool) {
		switch {
		case n > 0 && n <= of:
			return first + int64(n) - 1, true
		case n < 0 && -n <= of:
			return first + int64(of+n), true
		case r.skip == forward && n > 0:
			return first + int64(of), true
		case r.skip == forward:
			return first, true
		case r.skip == backward && n > 0:
			return first + int64(of) - 1, true
		case r.skip == backward:
			return first - 1, true
		}
		return 0, false
	}
	inMonth := func(x day) bool {
		if len(months) == 0 {
			return true
		}
		m := x.year.Months[x.month]
		if slices.Contains(months, monthRule{m.Number, m.Leap}) {
			return true
		}
		if r.freq != yearly || r.skip == omit {
			return false
		}
		// The place of a leap month that is missing: the month before or after it.
		year, number := x.year, m.Number
		if r.skip == forward {
			if m.Leap {
				return false
			}
			if number--; number == 0 {
				y := cal.Year(year.Number - 1)
				year, number = &y, cal.Regular
			}
		} else if m.Leap {
			return false
		}
		has := slices.ContainsFunc(year.Months[:year.Count], func(o scale.Month) bool { return o.Number == number && o.Leap })
		return !has && slices.Contains(months, monthRule{number, true})
	}
	sets := map[int64][]int64{}
	var periods []int64
	for _, at := range order {
		x := days[at]
		p := place(at)
		if r.freq == yearly && len(months) > 0 && r.skip == forward && x.month == 0 {
			// Perhaps the first month instead of one after the last: of the year before.
			y := cal.Year(x.year.Number - 1)
			last := y.Months[max(0, y.Count-1)]
			if m := x.year.Months[0]; !slices.Contains(months, monthRule{m.Number, m.Leap}) && !last.Leap {
				p--
			}
		}
		if (p-place(start))%r.interval != 0 || !inMonth(x) {
			continue
		}
		if _, ok := sets[p]; !ok {
			periods = append(periods, p)
			sets[p] = nil
		}
		add := func(at int64) {
			if _, ok := days[at]; ok && onDay(at) {
				sets[p] = append(sets[p], at)
			}
		}
		switch {
		case len(r.yearDay) > 0:
			if x.yday == 1 {
				for _, n := range r.yearDay {
					if at, ok := resolve(n, x.year.First, x.year.Days); ok {
						add(at)
					}
				}
			}
		case len(r.weekNo) > 0:
			if slices.Contains(r.weekNo, x.no) || slices.Contains(r.weekNo, x.no-x.weeks-1) {
				add(at)
			}
			if x.yday > 1 || r.skip == omit {
				break
			}
			first := at - floorMod(int64(weekday(at)-r.wkst), 7)
			if x.no != 1 { // the week is one of the year before
				first += 7
			}
			weeks := days[at+20].weeks
			for _, n := range r.weekNo {
				if n > 0 && n <= weeks || n < 0 && -n <= weeks {
					continue
				}
				moved := first // FORWARD, before the first week
				switch {
				case n > 0 && r.skip == forward:
					moved += 7 * int64(weeks)
				case n > 0:
					moved += 7 * int64(weeks-1)
				case r.skip == backward:
					moved -= 7
				}
				for d := range int64(7) {
					add(moved + d)
				}
			}
		case len(monthDays) > 0 && (r.freq == yearly || r.freq == monthly):
			if x.d == 1 {
				for _, n := range monthDays {
					if at, ok := resolve(n, x.first, x.len); ok {
						add(at)
					}
				}
			}
		case len(monthDays) > 0:
			if slices.Contains(monthDays, x.d) || slices.Contains(monthDays, x.d-x.len-1) {
				add(at)
			}
		default:
			add(at)
		}
	}
	var out []int64
	for _, p := range periods {
		set := sets[p]
		slices.Sort(set)
		set = slices.Compact(set)
		if len(r.hour) > 0 {
			var times []int64
			for _, at := range set {
				for _, h := range r.hour {
					times = append(times, at*24+int64(h))
				}
			}
			set = times
		} else {
			for i := range set {
				set[i] *= 24
			}
		}
		for i, hour := range set {
			at := hour * 3600
			if at <= start*daySecs || at >= end*daySecs || len(r.spos) > 0 && !slices.Contains(r.spos, i+1) && !slices.Contains(r.spos, i-len(set)) {
				continue
			}
			out = append(out, at)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Hostile rules end, and what a table does not know ends a series.
func TestScaledEnds(t *testing.T) {
	test := func(want int, rule string) {
		t.Helper()
		begin, n := time.Now(), 0
		o := event(t, "DTSTART:20260101T120000Z", "RRULE:"+rule)
		err := o.Instances(time.Time{}, time.Time{}, time.UTC, Bound{}, func(Instance) bool { n++; return true })
		if err != nil || n != want {
			t.Errorf("%s: %d, %v, want %d", rule, n, err, want)
		}
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("%s took %s", rule, d)
		}
	}
	for _, f := range []string{"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"} {
		test(1, "RSCALE=ISLAMIC-CIVIL;FREQ="+f+";BYMONTHDAY=31")
		test(1, "RSCALE=HEBREW;FREQ="+f+";BYMONTH=1;BYMONTHDAY=1;BYDAY=SU") // the year never begins on a Sunday
		test(1, "RSCALE=CHINESE;FREQ="+f+";BYMONTH=1L")                     // not in these two centuries
		test(1, "RSCALE=HEBREW;FREQ="+f+";BYMONTH=2;BYMONTHDAY=31;INTERVAL=1000000000")
	}
	test(1+75, "RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1;SKIP=FORWARD")
	test(1+915, "RSCALE=DANGI;FREQ=MONTHLY;BYMONTHDAY=1;UNTIL=20991231T235959Z")
}

func BenchmarkExpandChineseYearly(b *testing.B) {
	benchWindow(b, event(b, "DTSTART;VALUE=DATE:20260217", "RRULE:RSCALE=CHINESE;FREQ=YEARLY;SKIP=FORWARD"), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 3650, 10)
}

func BenchmarkExpandGregorianYearly(b *testing.B) {
	benchWindow(b, event(b, "DTSTART;VALUE=DATE:20260217", "RRULE:FREQ=YEARLY"), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 3650, 10)
}
