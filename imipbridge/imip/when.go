package imip

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// moment is a point in time as a reader sees it.
type moment struct {
	wall time.Time // calendar fields as shown
	day  bool      // a day without a time
	zone string    // name of the zone in which wall stands; "" floating or a day
}

// moment shows a time in the reader's zone where that is known and the time
// is an instant, else as it was written.
func (d *describer) moment(t ics.Time) moment {
	switch t.Form {
	case ics.Date:
		return moment{wall: t.Wall, day: true}
	case ics.Floating:
		return moment{wall: t.Wall}
	}
	if d.zone != nil {
		return moment{wall: t.At(time.UTC).In(d.zone), zone: d.zone.String()}
	}
	if t.Form == ics.UTC {
		return moment{wall: t.Wall, zone: "UTC"}
	}
	name := t.TZID
	if loc := ics.Location(t.TZID); loc != nil {
		name = loc.String()
	}
	return moment{wall: t.Wall, zone: oneLine(name, 60)}
}

// span words when a component takes place; "" where it does not say.
func (d *describer) span(o *ics.Object, c *ics.Component) string {
	p := c.Prop("DTSTART")
	if p == nil {
		p = c.Prop("DUE")
	}
	if p == nil {
		return ""
	}
	t, err := o.PropTime(p)
	if err != nil {
		return ""
	}
	from := d.moment(t)
	to, ok := d.ending(o, c, from)
	s := d.date(from.wall, true)
	switch {
	case from.day && c.Name == "VTODO": // its last day is the one that is named
		if ok && !sameDay(from.wall, to.wall) {
			s += " – " + d.date(to.wall, true)
		}
		return s
	case from.day:
		if ok {
			if last := to.wall.AddDate(0, 0, -1); last.After(from.wall) { // DTEND is exclusive
				s += " – " + d.date(last, true)
			}
		}
		return s + " (" + d.Say("all day") + ")"
	}
	s += ", " + from.wall.Format("15:04")
	switch {
	case !ok || to.wall.Equal(from.wall):
	case to.zone != from.zone: // each in its own zone, as flights are
		s += " (" + from.zone + ") – " + d.date(to.wall, true) + ", " + to.wall.Format("15:04")
	case sameDay(from.wall, to.wall):
		s += " – " + to.wall.Format("15:04")
	default:
		s += " – " + d.date(to.wall, true) + ", " + to.wall.Format("15:04")
	}
	if to.zone != "" && ok {
		return s + " (" + to.zone + ")"
	}
	if from.zone != "" {
		return s + " (" + from.zone + ")"
	}
	return s
}

func (d *describer) ending(o *ics.Object, c *ics.Component, from moment) (moment, bool) {
	p := c.Prop("DTEND")
	if p == nil && c.Prop("DTSTART") != nil {
		p = c.Prop("DUE")
	}
	if p != nil {
		if t, err := o.PropTime(p); err == nil {
			return d.moment(t), true
		}
	}
	if days, clock, err := ics.Length(c.Value("DURATION")); err == nil && days >= 0 && clock >= 0 {
		from.wall = from.wall.AddDate(0, 0, days).Add(clock)
		return from, true
	}
	return moment{}, false
}

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// instance words which date of a series a component is.
func (d *describer) instance(c *ics.Component) string {
	p := c.Prop("RECURRENCE-ID")
	if p == nil {
		return ""
	}
	t, err := d.body.PropTime(p)
	if err != nil {
		return ""
	}
	return d.date(d.moment(t).wall, false)
}

// overrides words the dates of a series that differ from it.
func (d *describer) overrides(shown *ics.Component) string {
	var out []string
	for _, c := range d.body.Overrides() {
		if c == shown {
			continue
		}
		if len(out) == maxDates {
			out = append(out, "…")
			break
		}
		s := d.span(d.body, c)
		if strings.EqualFold(c.Value("STATUS"), "CANCELLED") {
			s = d.Say("removed") + ": " + s
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

// recurrence words how a component repeats; "" where it does not. Rules that
// are beyond words are told by their first dates, since some programs cannot
// show them either.
func (d *describer) recurrence(o *ics.Object, c *ics.Component) string {
	rule := c.Value("RRULE")
	if rule == "" && c.Prop("RDATE") == nil {
		return ""
	}
	var start time.Time
	if p := c.Prop("DTSTART"); p != nil {
		if t, err := o.PropTime(p); err == nil {
			start = t.Wall
		}
	}
	if s, ok := d.rule(rule, start); ok && c.Prop("RDATE") == nil && len(c.PropsNamed("RRULE")) == 1 {
		if except := d.excluded(o, c); except != "" {
			s += ", " + d.Say("except %s", except)
		}
		return s
	}
	if c != o.Master() {
		return ""
	}
	if p := c.Prop("DTSTART"); p != nil {
		return d.firstDates(o, p)
	}
	return "" // a task that recurs whenever it is done
}

// firstDates tells of a series that begins at start by its first dates; "" for one
// that has none.
func (d *describer) firstDates(o *ics.Object, start *ics.Prop) string {
	t, err := o.PropTime(start)
	if err != nil {
		return ""
	}
	bound := d.bound
	if bound.Steps == 0 {
		bound = ics.Bound{Instances: 2000, Steps: 100_000}
	}
	var dates []time.Time
	day := t.Form == ics.Date
	// In no particular order: so a window that grows until it holds enough.
	from := t.At(time.UTC).AddDate(0, 0, -1)
	for years := 1; years <= 16 && len(dates) < maxDates; years *= 4 {
		dates = dates[:0]
		err := o.Instances(from, from.AddDate(years, 0, 0), time.UTC, bound, func(i ics.Instance) bool {
			dates = append(dates, i.Start)
			return true
		})
		if err != nil {
			break
		}
	}
	if len(dates) == 0 {
		return ""
	}
	slices.SortFunc(dates, time.Time.Compare)
	var out []string
	for i, t := range dates {
		if i == maxDates {
			out = append(out, "…")
			break
		}
		if d.zone != nil && !day {
			t = t.In(d.zone)
		}
		out = append(out, d.date(t, false))
	}
	return d.Say("on these dates: %s", strings.Join(out, ", "))
}

// excluded words the dates that a series leaves out.
func (d *describer) excluded(o *ics.Object, c *ics.Component) string {
	var out []string
	for _, p := range c.PropsNamed("EXDATE") {
		for _, v := range strings.Split(p.Value, ",") {
			one := p.WithValue(v)
			t, err := o.PropTime(&one)
			if err != nil {
				continue
			}
			if len(out) == maxDates {
				return strings.Join(append(out, "…"), ", ")
			}
			out = append(out, d.date(d.moment(t).wall, false))
		}
	}
	return d.list(out)
}

// rule words an RRULE (RFC 5545 §3.3.10) of a component that begins at start;
// false for one that is beyond words.
func (d *describer) rule(v string, start time.Time) (string, bool) {
	parts := map[string]string{}
	for _, kv := range strings.Split(strings.ToUpper(strings.TrimSpace(v)), ";") {
		if k, val, ok := strings.Cut(kv, "="); ok {
			parts[k] = val
		}
	}
	if parts["RSCALE"] == "GREGORIAN" && (parts["SKIP"] == "" || parts["SKIP"] == "OMIT") {
		delete(parts, "RSCALE")
		delete(parts, "SKIP")
	}
	n := 1
	if i, err := strconv.Atoi(parts["INTERVAL"]); err == nil && i > 0 {
		n = i
	}
	s := d.every(parts["FREQ"], n)
	on, ok := d.by(parts, start)
	if s == "" || !ok {
		return "", false
	}
	if on != "" {
		s += " " + on
	}
	if c, err := strconv.Atoi(parts["COUNT"]); err == nil && c > 0 {
		s += ", " + d.Count(c, "%d time", "%d times", c)
	}
	if u := parts["UNTIL"]; len(u) >= 8 {
		t, err := time.Parse("20060102T150405Z", u)
		if err != nil {
			if t, err = time.Parse("20060102", u[:8]); err != nil {
				return "", false
			}
		} else if d.zone != nil {
			t = t.In(d.zone)
		}
		s += ", " + d.Say("until %s", d.date(t, false))
	}
	return s, true
}

// by words the parts of a rule that choose days; "" for none, false for what
// is beyond words.
func (d *describer) by(parts map[string]string, start time.Time) (string, bool) {
	freq, day, monthDay, month, pos := parts["FREQ"], parts["BYDAY"], parts["BYMONTHDAY"], parts["BYMONTH"], parts["BYSETPOS"]
	for k := range parts {
		switch k {
		case "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS":
		default:
			return "", false
		}
	}
	switch {
	case freq == "YEARLY" && day == "" && pos == "":
		// The day on which it begins, written out: a birthday.
		plain := (month == "" && monthDay == "" || month == strconv.Itoa(int(start.Month()))) && (monthDay == "" || monthDay == strconv.Itoa(start.Day()))
		return "", plain
	case month != "":
		return "", false
	case freq == "MONTHLY" && day != "" && monthDay == "":
		if pos != "" && len(day) == 2 { // the second of all Mondays
			day, pos = pos+day, ""
		}
		if len(day) < 3 || pos != "" {
			return "", false
		}
		nth, err := strconv.Atoi(day[:len(day)-2])
		no, ok := weekdayNos[day[len(day)-2:]]
		if err != nil || !ok || nth == 0 || nth > 5 || nth < -1 {
			return "", false
		}
		return d.onNth(nth, no), true
	case pos != "":
		return "", false
	case freq == "MONTHLY" && monthDay != "" && day == "":
		var days []int
		for _, x := range strings.Split(monthDay, ",") {
			i, err := strconv.Atoi(x)
			if err != nil || i < 1 || i > 31 {
				return "", false
			}
			days = append(days, i)
		}
		return d.onMonthDays(days), true
	case freq == "WEEKLY" && day != "" && monthDay == "":
		var days []int
		for _, w := range strings.Split(day, ",") {
			i, ok := weekdayNos[w]
			if !ok {
				return "", false
			}
			days = append(days, i)
		}
		return d.onDays(days), true
	}
	return "", day == "" && monthDay == ""
}
