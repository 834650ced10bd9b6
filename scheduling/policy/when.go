package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// A timing is about one occurrence, and so about any time that is tried
// instead of it. It returns why it may not be then, or the zero Reason.
type timing interface {
	fits(in *inquiry, start, end time.Time, allDay bool) (Reason, error)
}

// each asks a timing about every occurrence.
type each struct{ timing }

func (e each) judge(in *inquiry) error {
	for _, o := range in.asked {
		if o.answer != "" {
			continue
		}
		why, err := e.fits(in, o.Start, o.End, o.AllDay)
		if err != nil {
			return err
		}
		if why.Text != "" {
			in.refuse(o, why)
		}
	}
	return nil
}

// clocks are the times of day at which a booking may begin: minutes of any
// hour, or of some hours.
type clocks [24 * 60]bool

func parseClocks(s string) (*clocks, error) {
	c := new(clocks)
	hours, minutes, both := strings.Cut(s, ":")
	if !both {
		hours, minutes = "", s
	}
	list := func(s string, most int) ([]int, error) {
		var all []int
		for _, f := range strings.Split(s, ",") {
			n, err := strconv.Atoi(f)
			if err != nil || n < 0 || n > most {
				return nil, fmt.Errorf("%q is no number up to %d", f, most)
			}
			all = append(all, n)
		}
		return all, nil
	}
	minutes, _, _ = strings.Cut(minutes, ":") // seconds are of no use to anybody
	ms, err := list(minutes, 59)
	if err != nil {
		return nil, err
	}
	var hs []int
	if hours != "" {
		if hs, err = list(hours, 23); err != nil {
			return nil, err
		}
	} else {
		for h := range 24 {
			hs = append(hs, h)
		}
	}
	for _, h := range hs {
		for _, m := range ms {
			c[h*60+m] = true
		}
	}
	return c, nil
}

// next returns the first permitted time from t on, on the clock of loc.
func (c *clocks) next(t time.Time, loc *time.Location) time.Time {
	if c == nil {
		return t
	}
	l := t.In(loc)
	if c[l.Hour()*60+l.Minute()] && l.Second() == 0 && l.Nanosecond() == 0 {
		return t
	}
	day, from := l, l.Hour()*60+l.Minute()+1
	for range 3 { // a day whose only permitted times a clock change skips is no reason to look on for ever
		for m := from; m < len(c); m++ {
			if !c[m] {
				continue
			}
			n := time.Date(day.Year(), day.Month(), day.Day(), m/60, m%60, 0, 0, loc)
			if n.After(t) {
				return n.UTC()
			}
		}
		day, from = day.AddDate(0, 0, 1), 0
	}
	return t
}

// permittedOnly refuses what begins at another time, where no rule corrects it.
type permittedOnly struct{ *clocks }

func (p permittedOnly) fits(in *inquiry, start, _ time.Time, allDay bool) (Reason, error) {
	if !allDay && !p.next(start, in.zone()).Equal(start) {
		return Reason{Text: "begins at a time that is not permitted"}, nil
	}
	return Reason{}, nil
}

type shortest time.Duration

func (d shortest) fits(_ *inquiry, start, end time.Time, _ bool) (Reason, error) {
	if end.Sub(start) < time.Duration(d) {
		return Reason{Text: "shorter than %s", Args: []any{Length(d)}}, nil
	}
	return Reason{}, nil
}

type longest time.Duration

func (d longest) fits(_ *inquiry, start, end time.Time, _ bool) (Reason, error) {
	if end.Sub(start) > time.Duration(d) {
		return Reason{Text: "longer than %s", Args: []any{Length(d)}}, nil
	}
	return Reason{}, nil
}

type granularity time.Duration

func (d granularity) fits(in *inquiry, start, end time.Time, allDay bool) (Reason, error) {
	l := start.In(in.zone())
	clock := time.Duration(l.Hour())*time.Hour + time.Duration(l.Minute())*time.Minute + time.Duration(l.Second())*time.Second
	if !allDay && (clock%time.Duration(d) != 0 || end.Sub(start)%time.Duration(d) != 0) {
		return Reason{Text: "booked in steps of %s", Args: []any{Length(d)}}, nil
	}
	return Reason{}, nil
}

// window is how long before it a booking is made.
type window struct{ earliest, latest time.Duration }

func readWindow(p *Policy, args []string) (err error) {
	var w window
	switch len(args) {
	case 1:
		w.latest, err = duration(args[0])
	case 2:
		if w.earliest, err = duration(args[0]); err == nil {
			w.latest, err = duration(args[1])
		}
	default:
		err = errors.New("takes one or two durations")
	}
	if err == nil && w.earliest >= w.latest {
		err = errors.New("EARLIEST is shorter than LATEST")
	}
	return then(err, func() { p.conditions = append(p.conditions, ahead{w}) })
}

func (w window) fits(in *inquiry, start, end time.Time, _ bool) (Reason, error) {
	switch {
	case start.Before(in.Now.Add(w.earliest)):
		return Reason{Text: "booked at least %s before", Args: []any{Length(w.earliest)}}, nil
	case end.After(in.Now.Add(w.latest)):
		return Reason{Text: "booked at most %s ahead", Args: []any{Length(w.latest)}}, nil
	}
	return Reason{}, nil
}

// ahead is a window that a series without an end can never lie in.
type ahead struct{ window }

func (a ahead) judge(in *inquiry) error {
	if in.endless {
		in.refuseAll(Reason{Text: "booked at most %s ahead", Args: []any{Length(a.latest)}})
	}
	return each{a.window}.judge(in)
}

// endsSometime refuses series without an end.
type endsSometime struct{}

func (endsSometime) judge(in *inquiry) error {
	if in.endless {
		in.refuseAll(Reason{Text: "a series needs an end"})
	}
	return nil
}

// single refuses series; several dates under one UID are one, too.
type single struct{}

func (single) judge(in *inquiry) error {
	if in.After.Recurs() || len(in.After.Main()) > 1 {
		in.refuseAll(Reason{Text: "not for a series"})
	}
	return nil
}

// hours are working hours of some days of the week.
type hours struct {
	days     [7]bool // by time.Weekday
	from, to int     // minutes of the day
	zone     *time.Location
}

var weekdays = []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}

func parseHours(args []string) (hours, error) {
	var h hours
	bad := errors.New("takes days and hours such as MO-FR 08:00-18:00")
	if len(args) < 2 || len(args) > 3 {
		return h, bad
	}
	for _, part := range strings.Split(strings.ToUpper(args[0]), ",") {
		first, last, _ := strings.Cut(part, "-")
		if last == "" {
			last = first
		}
		i, j := slices.Index(weekdays, first), slices.Index(weekdays, last)
		if i < 0 || j < 0 {
			return h, bad
		}
		for ; ; i = (i + 1) % 7 {
			h.days[i] = true
			if i == j {
				break
			}
		}
	}
	clock := func(s string) (int, bool) {
		hh, mm, _ := strings.Cut(s, ":")
		a, err1 := strconv.Atoi(hh)
		b, err2 := strconv.Atoi(mm)
		m := a*60 + b
		return m, err1 == nil && err2 == nil && len(mm) == 2 && a >= 0 && b >= 0 && b < 60 && m <= 24*60
	}
	from, to, _ := strings.Cut(args[1], "-")
	var ok1, ok2 bool
	h.from, ok1 = clock(from)
	h.to, ok2 = clock(to)
	if !ok1 || !ok2 || h.from >= h.to {
		return h, bad
	}
	if len(args) == 3 {
		if h.zone = ics.Location(args[2]); h.zone == nil {
			return h, fmt.Errorf("%q is no time zone", args[2])
		}
	}
	return h, nil
}

type workingHours []hours

func (w workingHours) fits(in *inquiry, start, end time.Time, _ bool) (Reason, error) {
	for _, h := range w {
		zone := h.zone
		if zone == nil {
			zone = in.zone()
		}
		s := start.In(zone)
		if !h.days[s.Weekday()] {
			continue
		}
		at := func(m int) time.Time { return time.Date(s.Year(), s.Month(), s.Day(), m/60, m%60, 0, 0, zone) }
		if !start.Before(at(h.from)) && !end.After(at(h.to)) {
			return Reason{}, nil
		}
	}
	return Reason{Text: "outside of its hours"}, nil
}
