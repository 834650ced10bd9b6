package ics

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/teambition/rrule-go"
)

// randomRule makes a rule that rrule-go v1.8.2 gets right: no value twice, no
// plain beside numbered weekdays, no weekday that a month cannot have so often,
// no BYWEEKNO without a day (it takes the whole week, RFC 5545 the weekday of
// DTSTART), no week 52 or 53 (it finds days in week 53 of years that have 52; see
// TestWeekNo), and nothing on which it loops or walks to the year 9999.
func randomRule(rng *rand.Rand) string {
	f := []string{"YEARLY", "YEARLY", "MONTHLY", "MONTHLY", "WEEKLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"}[rng.IntN(10)]
	parts := []string{"FREQ=" + f}
	add := func(name string, p float64, values func() []string) bool {
		if rng.Float64() >= p {
			return false
		}
		parts = append(parts, name+"="+strings.Join(values(), ","))
		return true
	}
	list := func(most, lo, hi int, negative bool) func() []string {
		return func() []string {
			seen := map[string]bool{}
			var out []string
			for range 1 + rng.IntN(most) {
				n := lo + rng.IntN(hi-lo+1)
				if negative && rng.IntN(3) == 0 {
					n = -n
				}
				if s := strconv.Itoa(n); !seen[s] {
					seen[s] = true
					out = append(out, s)
				}
			}
			return out
		}
	}
	sub := f == "HOURLY" || f == "MINUTELY" || f == "SECONDLY"
	interval := 1
	if rng.IntN(2) == 0 {
		interval = 1 + rng.IntN(5)
	}
	add("WKST", 0.4, func() []string { return []string{[]string{"MO", "SU", "TH", "SA"}[rng.IntN(4)]} })
	by := add("BYMONTH", 0.3, list(4, 1, 12, false))
	month := by
	days := f == "YEARLY" && add("BYYEARDAY", 0.2, list(8, 1, 366, true))
	if f != "WEEKLY" && !days {
		days = add("BYMONTHDAY", 0.25, func() []string {
			if f == "YEARLY" || f == "MONTHLY" {
				return list(5, 1, 31, true)()
			}
			return list(5, 1, 28, true)()
		})
	}
	weekdays := []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}
	week := f == "YEARLY" && rng.IntN(5) == 0
	numbered := (f == "YEARLY" || f == "MONTHLY") && rng.IntN(2) == 0 && !week
	p := 0.4
	if week {
		p = 1
	}
	if add("BYDAY", p, func() []string {
		var out []string
		for _, i := range rng.Perm(7)[:1+rng.IntN(4)] {
			s := weekdays[i]
			if numbered {
				most := 5
				if f == "YEARLY" && !month {
					most = 52
				}
				n := 1 + rng.IntN(most)
				if rng.IntN(3) == 0 {
					n = -n
				}
				s = strconv.Itoa(n) + s
			}
			out = append(out, s)
		}
		return out
	}) {
		days = true
	}
	if week {
		parts = append(parts, "BYWEEKNO="+strings.Join(list(4, 1, 51, true)(), ","))
	}
	times := false
	if !sub || interval == 1 {
		times = add("BYHOUR", 0.2, list(4, 0, 23, false)) || times
		times = add("BYMINUTE", 0.2, list(4, 0, 59, false)) || times
		times = add("BYSECOND", 0.1, list(3, 0, 59, false)) || times
	}
	if (by || days || times) && !sub {
		most := 6
		if f == "DAILY" {
			most = 1
		}
		add("BYSETPOS", 0.3, list(3, 1, most, true))
	}
	if interval > 1 {
		parts = append(parts, "INTERVAL="+strconv.Itoa(interval))
	}
	if rng.IntN(4) == 0 {
		parts = append(parts, "COUNT="+strconv.Itoa(1+rng.IntN(30)))
	}
	return strings.Join(parts, ";")
}

// TestRulesAgainstOracle compares random rules with rrule-go in naive UTC.
func TestRulesAgainstOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(2026, 11))
	compared, instances := 0, 0
	for range 1100 {
		text := randomRule(rng)
		start := time.Date(1990+rng.IntN(60), time.Month(1+rng.IntN(12)), 1+rng.IntN(28), rng.IntN(24), rng.IntN(60), rng.IntN(60), 0, time.UTC)
		want, ok := oracle(text, start, 40)
		if !ok {
			continue
		}
		r, err := parseRule(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		it := r.iterate(start.Unix(), false, &budget{1_000_000})
		var got []time.Time
		for len(got) < len(want) || len(got) < 30 {
			w, ok := it.next()
			if !ok {
				break
			}
			got = append(got, unix(w))
		}
		if it.err != nil {
			t.Fatalf("%s from %s: %v", text, start, it.err)
		}
		// DTSTART is an instance for us whether or not it matches, and one of COUNT.
		if len(want) > 0 && want[0].Equal(start) {
			want = want[1:]
		} else if r.count > 0 {
			want = want[:min(len(want), r.count-1)]
		}
		if r.freq == weekly && len(r.spos) > 0 {
			// Its first week begins at DTSTART, ours with the week.
			if r.count > 0 {
				continue
			}
			later := func(v time.Time) bool { return v.Before(start.AddDate(0, 0, 7)) }
			got, want = slices.DeleteFunc(got, later), slices.DeleteFunc(want, later)
		}
		// It cannot count beyond 292 years.
		tooLate := func(v time.Time) bool { return v.Year() > 2250 }
		got, want = slices.DeleteFunc(got, tooLate), slices.DeleteFunc(want, tooLate)
		n := min(len(got), len(want))
		if len(want) < 30 || len(got) < 30 {
			if len(want) != len(got) && len(want) < 30 {
				t.Errorf("%s from %s: %d, want %d\n got %v\nwant %v", text, start, len(got), len(want), got, want)
				continue
			}
		}
		if !slices.EqualFunc(got[:n], want[:n], time.Time.Equal) {
			t.Errorf("%s from %s\n got %v\nwant %v", text, start, got[:n], want[:n])
		}
		compared++
		instances += n
	}
	if compared < 1000 {
		t.Errorf("only %d rules compared", compared)
	}
	t.Logf("%d rules, %d instances", compared, instances)
}

func oracle(text string, start time.Time, n int) (out []time.Time, ok bool) {
	defer func() {
		if recover() != nil { // its known panic
			ok = false
		}
	}()
	opt, err := rrule.StrToROption(text)
	if err != nil {
		return nil, false
	}
	opt.Dtstart = start
	r, err := rrule.NewRRule(*opt)
	if err != nil {
		return nil, false
	}
	next := r.Iterator()
	for len(out) < n {
		v, more := next()
		if !more {
			break
		}
		out = append(out, v)
	}
	return out, true
}

// TestWeekNo compares week numbers with those of ISO 8601.
func TestWeekNo(t *testing.T) {
	var f dayFilter
	for day := daysTo(1950, 1, 1); day < daysTo(2360, 1, 1); day++ {
		y, m, d := civil(day)
		_, want := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC).ISOWeek()
		if time.Unix(day*daySecs, 0).UTC().Day() != d || daysTo(y, m, d) != day {
			t.Fatalf("day %d is %d-%d-%d", day, y, m, d)
		}
		got, of := f.weekNo(&date{day: day, weekday: weekday(day)})
		if got != want {
			t.Fatalf("%d-%d-%d: week %d, want %d", y, m, d, got, want)
		}
		iso, _ := time.Unix(day*daySecs, 0).UTC().ISOWeek()
		if _, last := time.Date(iso, 12, 28, 0, 0, 0, 0, time.UTC).ISOWeek(); of != last {
			t.Fatalf("%d has %d weeks, want %d", iso, of, last)
		}
	}
}

// TestSeekLosesNothing compares a window far from the start with the walk.
func TestSeekLosesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 400 {
		text := randomRule(rng)
		r, err := parseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		r.count = 0
		start := time.Date(2000+rng.IntN(10), time.Month(1+rng.IntN(12)), 1+rng.IntN(28), rng.IntN(24), rng.IntN(60), rng.IntN(60), 0, time.UTC).Unix()
		reach := int64(20 * 366 * daySecs)
		if r.freq < daily {
			reach = 20 * daySecs
		}
		from := start + rng.Int64N(reach)
		all := func(seek bool) (out []int64) {
			it := r.iterate(start, false, &budget{3_000_000})
			if seek {
				it.seek(from)
			}
			for len(out) < 10 {
				w, ok := it.next()
				if !ok {
					return out
				}
				if w >= from {
					out = append(out, w)
				}
			}
			return out
		}
		if a, b := all(true), all(false); !slices.Equal(a, b) {
			t.Errorf("%s from %s, window %s: %v, want %v", text, unix(start), unix(from), a, b)
		}
	}
}

// TestTraps has what is known to go wrong in other expanders.
func TestTraps(t *testing.T) {
	test := func(want string, lines ...string) {
		t.Helper()
		begin := time.Now()
		got := strings.Join(starts(t, event(t, lines...), 6), " ")
		if got != want {
			t.Errorf("%v\n got %s\nwant %s", lines, got, want)
		}
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("%v took %s", lines, d)
		}
	}
	// Rules that never match end, and DTSTART stays.
	test("20240101T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=HOURLY;INTERVAL=4;BYHOUR=2,18")
	test("20240101T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=MINUTELY;INTERVAL=60;BYMINUTE=5")
	test("20240101T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=HOURLY;INTERVAL=3;BYSETPOS=3")
	test("20240101T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=31")
	test("20240101T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=31")
	test("20240101T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31")
	test("20240101T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=31")
	test("20240101T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31")
	test("20240101T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31")
	test("20240101T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=YEARLY;BYDAY=53MO;BYMONTH=2")
	test("20240101T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=YEARLY;BYDAY=MO;BYSETPOS=366")
	test("20240101T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=SECONDLY;INTERVAL=2;BYSECOND=1")
	test("20240101T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=MINUTELY;INTERVAL=1440;BYHOUR=5")
	test("20240101T2300 20240104T2300 20240107T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=SECONDLY;INTERVAL=259200;BYSECOND=0;COUNT=3")
	// What recurs seldom is found: 29 February on a Monday.
	test("20240101T2300 20440229T2300 20720229T2300", "DTSTART:20240101T230000Z", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;COUNT=3")
	// Plain beside numbered weekdays.
	test("20240105T0900 20240112T0900 20240119T0900 20240122T0900 20240126T0900 20240202T0900", "DTSTART:20240105T090000Z", "RRULE:FREQ=MONTHLY;BYDAY=FR,+4MO")
	// Values twice do not use COUNT up.
	test("20240105T0900 20240105T1000 20240106T0900 20240106T1000", "DTSTART:20240105T090000Z", "RRULE:FREQ=DAILY;BYHOUR=9,10,9;COUNT=4")
	// DTSTART outside of the rule is the first of COUNT.
	test("20240101T0900 20240102T0900 20240109T0900", "DTSTART:20240101T090000Z", "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=3")
	test("20240101T0900", "DTSTART:20240101T090000Z", "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=1")
	// Lower case, a last semicolon, X- parts, RSCALE.
	test("20240101T0900 20240102T0900", "DTSTART:20240101T090000Z", "RRULE:freq=daily;x-a=b;rscale=gregorian;skip=omit;count=2;")
	// UNTIL in every form, always inclusive.
	test("20240101T0000 20240102T0000 20240103T0000 20240104T0000 20240105T0000", "DTSTART;VALUE=DATE:20240101", "RRULE:FREQ=DAILY;UNTIL=20240105")
	test("20240101T0000 20240102T0000 20240103T0000", "DTSTART;VALUE=DATE:20240101", "RRULE:FREQ=DAILY;UNTIL=20240103T225959Z")
	test("20240101T0900 20240102T0900 20240103T0900", "DTSTART;TZID=America/New_York:20240101T090000", "RRULE:FREQ=DAILY;UNTIL=20240103")
	test("20240101T0900 20240102T0900 20240103T0900", "DTSTART;TZID=America/New_York:20240101T090000", "RRULE:FREQ=DAILY;UNTIL=20240103T090000")
	test("20240101T2100 20240102T2100 20240103T2100", "DTSTART;TZID=America/New_York:20240101T210000", "RRULE:FREQ=DAILY;UNTIL=20240104T020000Z")
	test("20240101T2100 20240102T2100", "DTSTART;TZID=America/New_York:20240101T210000", "RRULE:FREQ=DAILY;UNTIL=20240104T015959Z")
	test("20240101T0900 20240102T0900", "DTSTART:20240101T090000", "RRULE:FREQ=DAILY;UNTIL=20240102T090000Z")
	test("20240101T0900 20240102T0900", "DTSTART:20240101T090000Z", "RRULE:FREQ=DAILY;UNTIL=20240102T090000")
	test("20240101T0900", "DTSTART:20240101T090000Z", "RRULE:FREQ=DAILY;UNTIL=20230101T090000Z")
	// BYWEEKNO alone: the weekday of DTSTART (RFC 5545 §3.3.10).
	test("20240102T0900 20240514T0900 20250513T0900 20260512T0900", "DTSTART:20240102T090000Z", "RRULE:FREQ=YEARLY;BYWEEKNO=20;COUNT=4")
	// Parts below a day mean nothing for a DATE.
	test("20240101T0000 20240102T0000", "DTSTART;VALUE=DATE:20240101", "RRULE:FREQ=DAILY;BYHOUR=9,10;COUNT=2")
	test("20240101T0000 20240102T0000", "DTSTART;VALUE=DATE:20240101", "RRULE:FREQ=MINUTELY;INTERVAL=5;COUNT=2")
	// Seconds read as 59 where 60 is asked for.
	test("20240101T0900 20240102T0900", "DTSTART:20240101T090059Z", "RRULE:FREQ=DAILY;BYSECOND=60,59;COUNT=2")
}

func TestOffsetsChange(t *testing.T) {
	test := func(zone, dtstart, rule, want string) {
		t.Helper()
		o := event(t, "DTSTART;TZID="+zone+":"+dtstart, "RRULE:"+rule)
		var got []string
		if err := o.Instances(time.Time{}, time.Time{}, time.UTC, Bound{}, func(i Instance) bool {
			got = append(got, i.Start.Format("02T1504Z"))
			return true
		}); err != nil {
			t.Fatal(err)
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s %s %s\n got %s\nwant %s", zone, dtstart, rule, g, want)
		}
	}
	// The same time of day on both sides.
	test("Europe/Berlin", "20240330T090000", "FREQ=DAILY;COUNT=3", "30T0800Z 31T0700Z 01T0700Z")
	test("America/New_York", "20241102T090000", "FREQ=DAILY;COUNT=3", "02T1300Z 03T1400Z 04T1400Z")
	// In the gap with the offset before it; the day after as ever.
	test("Europe/Berlin", "20240330T023000", "FREQ=DAILY;COUNT=3", "30T0130Z 31T0130Z 01T0030Z")
	test("Australia/Lord_Howe", "20241005T021500", "FREQ=DAILY;COUNT=3", "04T1545Z 05T1545Z 06T1515Z")
	// Twice: the first.
	test("Europe/Berlin", "20241026T023000", "FREQ=DAILY;COUNT=3", "26T0030Z 27T0030Z 28T0130Z")
	test("America/New_York", "20241102T013000", "FREQ=DAILY;COUNT=3", "02T0530Z 03T0530Z 04T0630Z")
	test("Australia/Lord_Howe", "20240406T014500", "FREQ=DAILY;COUNT=3", "05T1445Z 06T1445Z 07T1515Z")
	// By the hour: what the gap throws together is one instance, and COUNT holds.
	test("Europe/Berlin", "20240331T010000", "FREQ=HOURLY;COUNT=5", "31T0000Z 31T0100Z 31T0200Z 31T0300Z 31T0400Z")
	test("Europe/Berlin", "20240331T010000", "FREQ=MINUTELY;INTERVAL=30;COUNT=6", "31T0000Z 31T0030Z 31T0100Z 31T0130Z 31T0200Z 31T0230Z")
	test("Europe/Berlin", "20241027T010000", "FREQ=HOURLY;COUNT=4", "26T2300Z 27T0000Z 27T0200Z 27T0300Z")
}

func TestRulesRefused(t *testing.T) {
	test := func(rule, want string) {
		t.Helper()
		if _, err := parseRule(rule); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", rule, err, want)
		}
	}
	test("", "without FREQ")
	test("FREQ=FORTNIGHTLY", "no frequency")
	test("FREQ=DAILY;INTERVAL=0", "INTERVAL=0: no positive number")
	test("FREQ=DAILY;COUNT=0", "COUNT=0")
	test("FREQ=DAILY;COUNT=-1", "COUNT=-1")
	test("FREQ=DAILY;COUNT=99999999999999999999", "COUNT")
	test("FREQ=DAILY;COUNT=1;UNTIL=20260101", "exclude each other")
	test("FREQ=DAILY;UNTIL=tomorrow", "UNTIL=TOMORROW")
	test("FREQ=DAILY;FREQ=DAILY", "FREQ twice")
	test("FREQ=DAILY;BYFOO=1", "BYFOO is no rule part")
	test("FREQ=DAILY;COUNT", "no rule part")
	test("FREQ=MONTHLY;BYDAY=0MO", `"0MO" does not fit`)
	test("FREQ=MONTHLY;BYDAY=54MO", "does not fit")
	test("FREQ=MONTHLY;BYDAY=XX", "no weekday")
	test("FREQ=WEEKLY;BYDAY=1MO", "BYDAY with a number")
	test("FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", "BYDAY with a number")
	test("FREQ=DAILY;BYMONTH=13", "BYMONTH=13")
	test("FREQ=DAILY;BYMONTH=-1", "BYMONTH=-1")
	test("FREQ=DAILY;BYMONTHDAY=0", "BYMONTHDAY=0")
	test("FREQ=DAILY;BYHOUR=24", "BYHOUR=24")
	test("FREQ=DAILY;BYHOUR=", "BYHOUR=")
	test("FREQ=DAILY;WKST=XX", "no weekday")
	test("RSCALE=ISLAMIC;FREQ=YEARLY", "ISLAMIC is no calendar")
	test("FREQ=YEARLY;RSCALE=", "is no calendar")
	test("RSCALE=X-MINE;FREQ=YEARLY", "X-MINE is no calendar")
	test("RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=6L", "does not fit")
	test("RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=13", "does not fit")
	test("RSCALE=ETHIOPIC;FREQ=YEARLY;BYMONTH=14", "does not fit")
	test("RSCALE=GREGORIAN;FREQ=YEARLY;BYMONTH=5L", "does not fit")
	test("FREQ=YEARLY;BYMONTH=5L", "does not fit")
	test("FREQ=YEARLY;BYMONTH=L", "does not fit")
	test("RSCALE=ISLAMIC-CIVIL;FREQ=YEARLY;BYYEARDAY=356", "does not fit")
	test("RSCALE=CHINESE;FREQ=YEARLY;BYYEARDAY=386", "does not fit")
	test("RSCALE=CHINESE;FREQ=YEARLY;BYDAY=56MO", "does not fit")
	test("RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=SIDEWAYS", "none of OMIT, BACKWARD and FORWARD")
	test("FREQ=YEARLY;SKIP=FORWARD", "SKIP needs RSCALE")
	test("FREQ=DAILY;BYHOUR="+strings.Repeat("1,", 2000)+"1", "too many")
}

func FuzzRule(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 30 {
		f.Add(randomRule(rng), int64(rng.IntN(2_000_000_000)), false)
	}
	f.Add("FREQ=MINUTELY;INTERVAL=1440;BYHOUR=5;BYSETPOS=-1", int64(0), true)
	f.Fuzz(func(t *testing.T, text string, start int64, allDay bool) {
		r, err := parseRule(text)
		if err != nil || start < minRFC || start > endOfTime {
			return
		}
		b := &budget{200_000}
		it := r.iterate(start, allDay, b)
		last := start
		for range 1000 {
			w, ok := it.next()
			if !ok {
				break
			}
			if w <= last || w > endOfTime+366*daySecs {
				t.Fatalf("%s from %d: %d after %d", text, start, w, last)
			}
			last = w
		}
		it = r.iterate(start, allDay, b)
		it.seek(start + 5*366*daySecs)
		if w, ok := it.next(); ok && w <= start {
			t.Fatalf("%s: %d", text, w)
		}
	})
}

var minRFC = daysTo(1, 1, 1) * daySecs

// FuzzInstances expands whatever parses.
func FuzzInstances(f *testing.F) {
	f.Add([]byte(fmt.Sprintf("BEGIN:VCALENDAR\n%sBEGIN:VEVENT\nUID:1\nDTSTART;TZID=Customized Time Zone:20260101T120000\nRRULE:FREQ=DAILY;COUNT=5\nEXDATE:20260102\nRDATE;VALUE=PERIOD:20260101T120000Z/P1D\nEXRULE:FREQ=WEEKLY\nEND:VEVENT\nEND:VCALENDAR\n", custom)))
	f.Add([]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20260101\nRRULE:FREQ=DAILY\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20260102\nDTSTART:20260103T120000\nDURATION:P1DT1H\nEND:VEVENT\nEND:VCALENDAR\n"))
	loc := berlin(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := Parse(data, Limits{})
		if err != nil {
			return
		}
		b := Bound{Instances: 100, Steps: 20_000}
		stored := o.Check() == nil
		from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		err = o.Instances(from, from.AddDate(1, 0, 0), loc, b, func(i Instance) bool {
			if i.End.Before(i.Start) {
				t.Fatalf("%v ends before it begins", i)
			}
			if stored && i.RID != "" && o.Occurrence(i.RID) == nil {
				t.Fatalf("no occurrence %s in %q", i.RID, data)
			}
			return true
		})
		if stored && err != nil && err != ErrTooMany {
			t.Fatalf("%v: %q", err, data)
		}
		if _, err := o.Index(nil, loc, b); stored && err != nil {
			t.Fatalf("%v: %q", err, data)
		}
		o.Last(loc, b)
		root := o.Root().Clone()
		WithTimezones(root)
	})
}
