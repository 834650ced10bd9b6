package ics

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/convene-server/convene/scheduling/ics/scale"
)

type freq uint8

const (
	secondly freq = iota + 1
	minutely
	hourly
	daily
	weekly
	monthly
	yearly
)

var freqs = map[string]freq{"SECONDLY": secondly, "MINUTELY": minutely, "HOURLY": hourly, "DAILY": daily,
	"WEEKLY": weekly, "MONTHLY": monthly, "YEARLY": yearly}

// Weekdays count from Monday, 0.
var weekdays = map[string]int{"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}

// dayRule is one BYDAY value: n is 0 for every such weekday.
type dayRule struct{ n, weekday int }

// rule is a recurrence rule as written (RFC 5545 §3.3.10). Its lists are
// sorted and hold nothing twice.
type rule struct {
	freq                       freq
	interval                   int64
	count                      int
	until                      Time // Form 0: none
	wkst                       int
	month                      []monthRule
	monthDay, yearDay, weekNo  []int
	day                        []dayRule
	hour, minute, second, spos []int
	scale                      *scale.Calendar // nil: the Gregorian one
	skip                       skip
}

// skip says what becomes of a month that a year does not have, and of a day that
// a month or a year does not have (RFC 7529 §4.1).
type skip uint8

const (
	omit skip = iota
	backward
	forward
)

var skips = map[string]skip{"OMIT": omit, "BACKWARD": backward, "FORWARD": forward}

// parseRule reads a RECUR value. Parts in lower case, a semicolon too many and
// X- parts are passed over; what would change the meaning is refused.
func parseRule(s string) (*rule, error) {
	r := &rule{interval: 1}
	seen := map[string]bool{}
	cal, err := scaleOf(s)
	if err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(strings.TrimSpace(s), ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, v, ok := strings.Cut(part, "=")
		name, v = strings.ToUpper(strings.TrimSpace(name)), strings.ToUpper(strings.TrimSpace(v))
		if !ok {
			return nil, fmt.Errorf("%q is no rule part", clip(part))
		}
		if seen[name] {
			return nil, fmt.Errorf("%s twice", clip(name))
		}
		seen[name] = true
		switch name {
		case "FREQ":
			if r.freq = freqs[v]; r.freq == 0 {
				err = errors.New("no frequency")
			}
		case "INTERVAL":
			var n int
			n, err = positive(v)
			r.interval = int64(n)
		case "COUNT":
			r.count, err = positive(v)
		case "UNTIL":
			r.until, err = parseTime(v)
		case "WKST":
			if r.wkst, ok = weekdays[v]; !ok {
				err = errors.New("no weekday")
			}
		case "BYSECOND":
			r.second, err = numbers(v, 0, 60, false)
			if i := slices.Index(r.second, 60); i >= 0 { // read as 59, like a time with second 60
				r.second[i] = 59
				r.second = slices.Compact(r.second)
			}
		case "BYMINUTE":
			r.minute, err = numbers(v, 0, 59, false)
		case "BYHOUR":
			r.hour, err = numbers(v, 0, 23, false)
		case "BYDAY":
			r.day, err = byDay(v, cal.Weeks())
		case "BYMONTHDAY":
			r.monthDay, err = numbers(v, 1, 31, true)
		case "BYYEARDAY":
			r.yearDay, err = numbers(v, 1, cal.MaxDays, true)
		case "BYWEEKNO":
			r.weekNo, err = numbers(v, 1, cal.Weeks(), true)
		case "BYMONTH":
			r.month, err = byMonth(v, cal)
		case "BYSETPOS":
			r.spos, err = numbers(v, 1, cal.MaxDays, true)
		case "RSCALE": // read before the others
		case "SKIP":
			if r.skip, ok = skips[v]; !ok {
				err = errors.New("none of OMIT, BACKWARD and FORWARD")
			}
		default:
			if !strings.HasPrefix(name, "X-") {
				return nil, fmt.Errorf("%s is no rule part", clip(name))
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s=%s: %w", name, clip(v), err)
		}
	}
	switch {
	case r.freq == 0:
		return nil, errors.New("a rule without FREQ")
	case r.count > 0 && r.until.Form != 0:
		return nil, errors.New("COUNT and UNTIL exclude each other")
	case seen["SKIP"] && !seen["RSCALE"]: // RFC 7529 §4.1
		return nil, errors.New("SKIP needs RSCALE")
	}
	if !cal.Gregorian() || r.skip != omit {
		r.scale = cal
	}
	for _, d := range r.day {
		if d.n != 0 && (r.freq != monthly && r.freq != yearly || len(r.weekNo) > 0) {
			return nil, errors.New("BYDAY with a number needs FREQ=MONTHLY or YEARLY, without BYWEEKNO")
		}
	}
	return r, nil
}

// scaleOf returns the calendar in which a rule counts (RFC 7529 §4): its limits
// are those of the numbers.
func scaleOf(s string) (*scale.Calendar, error) {
	for part := range strings.SplitSeq(s, ";") {
		if name, v, _ := strings.Cut(part, "="); equalFold(name, "RSCALE") {
			if cal := scale.Named(trim(v)); cal != nil {
				return cal, nil
			}
			return nil, &unknownScale{"RSCALE=" + clip(trim(v)) + " is no calendar that is known here"}
		}
	}
	return gregorian, nil
}

var gregorian = scale.Named("GREGORIAN")

// unknownScale is the error of a rule that counts what nobody here knows.
type unknownScale struct{ reason string }

func (e *unknownScale) Error() string { return e.reason }

// reaches tells whether the calendar of a rule knows the day on which a series
// begins.
func (r *rule) reaches(wall int64) error {
	if r.scale == nil {
		return nil
	}
	if from, end := r.scale.Known(); wall < from*daySecs || wall >= end*daySecs {
		return &unknownScale{fmt.Sprintf("RSCALE=%s is known from %s to %s, and the series begins outside of that", r.scale.Name,
			unix(from*daySecs).Format("2006-01-02"), unix((end-1)*daySecs).Format("2006-01-02"))}
	}
	return nil
}

// byMonth reads months, of which leap months have an L (RFC 7529 §4.2).
func byMonth(v string, cal *scale.Calendar) ([]monthRule, error) {
	var out []monthRule
	for s := range strings.SplitSeq(v, ",") {
		num, leap := strings.CutSuffix(trim(s), "L")
		n, err := strconv.Atoi(num)
		if m := (monthRule{n, leap}); err != nil || !cal.Has(n, leap) {
			return nil, fmt.Errorf("%q does not fit", clip(s))
		} else if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out, nil
}

func positive(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > 1e9 {
		return 0, errors.New("no positive number")
	}
	return n, nil
}

// numbers reads a list of numbers whose absolute value lies in [lo, hi].
func numbers(v string, lo, hi int, negative bool) ([]int, error) {
	var out []int
	for s := range strings.SplitSeq(v, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		abs := n
		if negative && n < 0 {
			abs = -n
		}
		if err != nil || abs < lo || abs > hi {
			return nil, fmt.Errorf("%q does not fit", clip(s))
		}
		out = append(out, n)
		if len(out) > 1024 {
			return nil, errors.New("too many values")
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func byDay(v string, weeks int) ([]dayRule, error) {
	var out []dayRule
	for s := range strings.SplitSeq(v, ",") {
		s = strings.TrimSpace(s)
		if len(s) < 2 {
			return nil, errors.New("no weekday")
		}
		wd, ok := weekdays[s[len(s)-2:]]
		if !ok {
			return nil, fmt.Errorf("%q is no weekday", clip(s))
		}
		d := dayRule{0, wd}
		if num := s[:len(s)-2]; num != "" {
			n, err := strconv.Atoi(num)
			if err != nil || n == 0 || n < -weeks || n > weeks {
				return nil, fmt.Errorf("%q does not fit", clip(s))
			}
			d.n = n
		}
		if !slices.Contains(out, d) {
			out = append(out, d)
		}
		if len(out) > 1024 {
			return nil, errors.New("too many values")
		}
	}
	return out, nil
}
