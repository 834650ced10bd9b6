package ics

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Generated zones are written out, and so right, until this year at least;
// those whose changes follow a yearly rule by then are right for good.
const writtenUntil = 2100

// The rules of a generated zone are traced back to where they began, but not
// beyond this year unless somebody asks for an earlier time.
const writtenFrom = 1970

// change is a change of a zone's offset or of its name.
type change struct {
	at       int64
	from, to int64 // offsets
	name     string
	daylight bool
	y, m, d  int   // when, by the clocks as they were before
	tod      int64 // time of day, seconds
}

// observance is one STANDARD or DAYLIGHT component in the making: changes that
// follow a yearly rule, or a list of single ones.
type observance struct {
	changes []change
	rule    string // RRULE without UNTIL; "": single changes
	forever bool
}

// Timezone makes a VTIMEZONE for an IANA zone that is right from the given
// instant on (RFC 5545 §3.6.5). Rules that hold then are written from their
// beginning: some programs do not take them cut off in front. The component is
// the caller's.
func Timezone(loc *time.Location, from time.Time) *Component {
	var list []observance
	shared := false
	if z := namedZone(loc.String()); z != nil && z.loc == loc && from.Year() >= writtenFrom && from.Year() < writtenUntil-30 {
		shared = true
		if l, ok := written.Load(loc.String()); ok {
			list = l.([]observance)
		}
	}
	if list == nil {
		first := min(max(from.Year(), 1), writtenFrom)
		until := min(max(writtenUntil, from.Year()+50), lastYear)
		list = observances(changes(loc, first, until), until)
		if shared {
			written.Store(loc.String(), list)
		}
	}
	// What holds at from began with the last change until then.
	active := int64(minTime)
	for _, o := range list {
		for _, c := range o.changes {
			if c.at <= from.Unix() {
				active = max(active, c.at)
			}
		}
	}
	tz := &Component{Name: "VTIMEZONE", Props: []Prop{NewProp("TZID", loc.String())}}
	for _, o := range list {
		if c := o.component(active); c != nil {
			tz.Children = append(tz.Children, c)
		}
	}
	return tz
}

// written keeps the observances of IANA zones by name, from writtenFrom on.
var written sync.Map // string -> []observance

// changes lists what happens to a zone in these years; the first is what holds
// when they begin.
func changes(loc *time.Location, first, until int) []change {
	var out []change
	z := zoneOf(loc)
	end := daysTo(until+1, 1, 1) * daySecs
	_, at, _ := z.segment(daysTo(first, 1, 1) * daySecs)
	before, dst := int64(0), false
	if at == minTime { // nothing changed before
		at = daysTo(first, 1, 1) * daySecs
		before, _, _ = z.segment(at)
	} else {
		before, _, _ = z.segment(at - 1)
		dst = time.Unix(at-1, 0).In(loc).IsDST()
	}
	for {
		t := time.Unix(at, 0).In(loc)
		name, off := t.Zone()
		c := change{at: t.Unix(), from: before, to: int64(off), name: name, daylight: t.IsDST()}
		switch {
		// Ireland and Morocco: the winter is the exception, with less. Programs
		// expect the greater offset in DAYLIGHT.
		case c.daylight && c.to < c.from:
			c.daylight = false
		case !c.daylight && dst && c.to > c.from:
			c.daylight = true
		}
		wall := c.at + c.from
		day := floorDiv(wall, daySecs)
		c.y, c.m, c.d = civil(day)
		c.tod = wall - day*daySecs
		if n := len(out); n == 0 || out[n-1].to != c.to || out[n-1].name != name || dst != t.IsDST() {
			out = append(out, c)
		}
		before, dst = c.to, t.IsDST()
		if _, _, at = z.segment(at); at >= end {
			return out
		}
	}
}

// observances sorts changes into yearly rules and single ones.
func observances(all []change, until int) []observance {
	type kind struct {
		from, to int64
		name     string
		daylight bool
	}
	type season struct {
		kind
		month int
		tod   int64
	}
	seasons := map[season][]change{}
	var order []season
	for _, c := range all {
		s := season{kind{c.from, c.to, c.name, c.daylight}, c.m, c.tod}
		if seasons[s] == nil {
			order = append(order, s)
		}
		seasons[s] = append(seasons[s], c)
	}
	var out []observance
	single := map[kind]int{} // place in out
	for _, s := range order {
		for list := seasons[s]; len(list) > 0; {
			n, y := yearlyRun(list)
			o := observance{changes: list[:n:n]}
			if next, _ := y.after(list[n-1].y); n >= 2 {
				o.forever = next > until
			}
			if n >= 3 || o.forever {
				o.rule = y.rule(s.month)
				out = append(out, o)
			} else if i, ok := single[s.kind]; ok {
				out[i].changes = append(out[i].changes, o.changes...)
			} else {
				single[s.kind] = len(out)
				o.forever = false
				out = append(out, o)
			}
			list = list[n:]
		}
	}
	for _, o := range out {
		slices.SortFunc(o.changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	}
	slices.SortStableFunc(out, func(a, b observance) int { return cmp.Compare(a.changes[0].at, b.changes[0].at) })
	return out
}

// onDay is a yearly rule for a day of a month: of the days lo to hi, or of the last
// seven (lo 0), the one on that weekday; weekday -1: lo itself.
type onDay struct{ month, lo, hi, weekday int }

// day returns the day in a year, 0 if there is none.
func (y onDay) day(year int) int {
	lo, hi := y.lo, min(y.hi, monthDays(year, y.month))
	switch {
	case y.weekday < 0:
		return lo
	case lo == 0:
		hi = monthDays(year, y.month)
		lo = hi - 6
	}
	d := lo + int(floorMod(int64(y.weekday-weekday(daysTo(year, y.month, lo))), 7))
	if d > hi {
		return 0
	}
	return d
}

// after returns the next year and day after a year.
func (y onDay) after(year int) (int, int) {
	for i := year + 1; i < year+40; i++ {
		if d := y.day(i); d > 0 {
			return i, d
		}
	}
	return lastYear + 1, 0
}

func (y onDay) rule(month int) string {
	r := "FREQ=YEARLY;BYMONTH=" + strconv.Itoa(month)
	if y.weekday < 0 {
		return r + ";BYMONTHDAY=" + strconv.Itoa(y.lo)
	}
	wd := [...]string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}[y.weekday]
	switch {
	case y.lo == 0:
		return r + ";BYDAY=-1" + wd
	case y.hi-y.lo == 6 && y.lo%7 == 1 && y.lo <= 22:
		return r + ";BYDAY=" + strconv.Itoa(y.lo/7+1) + wd
	}
	var days []string
	for d := y.lo; d <= y.hi; d++ {
		days = append(days, strconv.Itoa(d))
	}
	return r + ";BYDAY=" + wd + ";BYMONTHDAY=" + strings.Join(days, ",")
}

// yearlyRun returns how many of the first changes follow one rule, and the
// rule. They are of one month.
func yearlyRun(list []change) (int, onDay) {
	c := list[0]
	wd := weekday(daysTo(c.y, c.m, c.d))
	last := monthDays(c.y, c.m)
	var rules []onDay
	if last-c.d < 7 {
		rules = append(rules, onDay{c.m, 0, 0, wd})
	}
	if c.d <= 28 {
		lo := (c.d-1)/7*7 + 1
		rules = append(rules, onDay{c.m, lo, lo + 6, wd})
	}
	rules = append(rules, onDay{c.m, c.d, c.d, -1})
	for lo := c.d - 6; lo <= c.d; lo++ {
		rules = append(rules, onDay{c.m, max(lo, 1), min(lo+6, last), wd})
	}
	n := 1
	for ; n < len(list); n++ {
		var left []onDay
		for _, r := range rules {
			if y, d := r.after(list[n-1].y); y == list[n].y && d == list[n].d {
				left = append(left, r)
			}
		}
		if len(left) == 0 {
			break
		}
		rules = left
	}
	return n, rules[0]
}

// component writes the observance without single changes before active; nil if
// it ended before.
func (o *observance) component(active int64) *Component {
	list := o.changes
	if o.rule == "" {
		i := slices.IndexFunc(list, func(c change) bool { return c.at >= active })
		if i < 0 {
			return nil
		}
		list = list[i:]
	} else if !o.forever && list[len(list)-1].at < active {
		return nil
	}
	first, last := list[0], list[len(list)-1]
	c := &Component{Name: "STANDARD"}
	if first.daylight {
		c.Name = "DAYLIGHT"
	}
	wall := func(c change) string { return unix(c.at + c.from).Format("20060102T150405") }
	c.Props = []Prop{
		NewProp("DTSTART", wall(first)),
		NewProp("TZOFFSETFROM", formatOffset(first.from)),
		NewProp("TZOFFSETTO", formatOffset(first.to)),
		NewProp("TZNAME", first.name),
	}
	switch {
	case o.forever:
		c.Props = append(c.Props, NewProp("RRULE", o.rule))
	case o.rule != "": // RFC 5545 §3.6.5: UNTIL in UTC
		c.Props = append(c.Props, NewProp("RRULE", o.rule+";UNTIL="+unix(last.at).Format("20060102T150405Z")))
	case len(list) > 1:
		var at []string
		for _, c := range list[1:] {
			at = append(at, wall(c))
		}
		c.Props = append(c.Props, NewProp("RDATE", strings.Join(at, ",")))
	}
	return c
}

// formatOffset is the reverse of utcOffset.
func formatOffset(n int64) string {
	sign := '+'
	if n < 0 {
		sign, n = '-', -n
	}
	s := fmt.Sprintf("%c%02d%02d", sign, n/3600, n/60%60)
	if n%60 != 0 {
		s += fmt.Sprintf("%02d", n%60)
	}
	return s
}

// WithTimezones adds to a VCALENDAR the VTIMEZONE of every TZID that its
// components refer to, that has none there and that Location knows; the TZID
// stays as it is written. The tree must be the caller's to edit.
func WithTimezones(root *Component) {
	have := map[string]bool{}
	at := 0
	for i, c := range root.Children {
		if c.Name == "VTIMEZONE" {
			have[trimZone(c.Value("TZID"))] = true
			at = i + 1
		}
	}
	if at == 0 { // RFC 5545 has no order, but many programs read in theirs
		at = len(root.Children)
		if i := slices.IndexFunc(root.Children, func(c *Component) bool { return c.Name != "VTIMEZONE" }); i >= 0 {
			at = i
		}
	}
	var ids []string
	earliest := map[string]int64{}
	var walk func(*Component)
	walk = func(c *Component) {
		for i := range c.Props {
			p := &c.Props[i]
			id := p.Param("TZID")
			if id == "" || have[trimZone(id)] {
				continue
			}
			e, ok := earliest[id]
			if !ok {
				ids = append(ids, id)
				e = maxTime
			}
			for v := range strings.SplitSeq(p.Value, ",") {
				v, _, _ = strings.Cut(v, "/")
				if t, err := parseTime(v); err == nil {
					e = min(e, t.Wall.Unix())
				}
			}
			earliest[id] = e
		}
		for _, ch := range c.Children {
			walk(ch)
		}
	}
	for _, c := range root.Children {
		if c.Name != "VTIMEZONE" {
			walk(c)
		}
	}
	var add []*Component
	for _, id := range ids {
		loc := Location(id)
		if loc == nil || have[trimZone(id)] {
			continue
		}
		have[trimZone(id)] = true
		from := earliest[id]
		if from == maxTime {
			from = daysTo(writtenFrom, 1, 1) * daySecs
		}
		tz := Timezone(loc, unix(from-daySecs))
		tz.Set(NewProp("TZID", id))
		add = append(add, tz)
	}
	if len(add) > 0 {
		root.Children = slices.Insert(slices.Clone(root.Children), at, add...)
	}
}

// WithoutTimezones takes from a VCALENDAR the VTIMEZONE of every zone that
// goes by its IANA name, which whoever reads it has anyway (RFC 7809 §3.1.3);
// rules under any other name stay. It reports whether one went. The tree must
// be the caller's to edit.
func WithoutTimezones(root *Component) bool {
	n := len(root.Children)
	root.Children = slices.DeleteFunc(slices.Clone(root.Children), func(c *Component) bool {
		return c.Name == "VTIMEZONE" && ianaZone(c.Value("TZID")) != nil
	})
	return len(root.Children) < n
}
