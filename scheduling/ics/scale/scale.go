// Package scale knows the calendars in which recurrences may be counted
// (RSCALE, RFC 7529): how each divides days into years and months. It knows
// nothing of rules; package ics counts, and asks here what it counts.
//
// Days are numbered from 1970-01-01. Years are numbered as each calendar does,
// which no rule depends on; months as RFC 7529 §4.2 does: a leap month has the
// number of the regular one that it follows.
package scale

import "strings"

// Calendar is one calendar.
type Calendar struct {
	// Name is what CLDR calls it, in capitals, as in supported-rscale-set.
	Name string
	// Regular is how many months a year has at least, MaxDays how many days at most.
	Regular, MaxDays int

	leaps    uint16 // bit n: a leap month can follow month n
	from, to int    // the years that are known
	mean     float64
	system
}

// system is what the calendars differ in.
type system interface {
	begin(year int) int64       // its first day
	lengths(year int, to *Year) // its months; First and Number are set
	before(year int) int        // how many months all years before it have, from some beginning on
}

// Month is a month of a year.
type Month struct {
	Number int
	Leap   bool
	Days   int
}

// Year is a year laid out. One that is not known has no months.
type Year struct {
	Number int
	First  int64 // its first day
	Days   int
	Index  int // of its first month, months being counted through all years
	Count  int // of its months
	Months [13]Month
}

func (y *Year) add(number int, leap bool, days int) {
	y.Months[y.Count] = Month{number, leap, days}
	y.Count++
	y.Days += days
}

// Year lays a year out.
func (c *Calendar) Year(n int) Year {
	y := Year{Number: n}
	if n >= c.from && n <= c.to {
		y.First, y.Index = c.begin(n), c.before(n)
		c.lengths(n, &y)
	}
	return y
}

// Weeks is how many weeks a year has at most (RFC 5545 §3.3.10, BYWEEKNO).
func (c *Calendar) Weeks() int { return (c.MaxDays + 6) / 7 }

// Known returns the first day that the calendar knows, and the one after the
// last.
func (c *Calendar) Known() (from, end int64) { return c.begin(c.from), c.begin(c.to + 1) }

// Knows tells whether a day lies in the years that the calendar knows. Those
// that are arithmetic know all of iCalendar's.
func (c *Calendar) Knows(day int64) bool { return day >= c.begin(c.from) && day < c.begin(c.to+1) }

// YearOf returns the year of a day: the first or the last one, if the calendar
// does not know it.
func (c *Calendar) YearOf(day int64) int {
	n := c.within(c.from + int(float64(day-c.begin(c.from))/c.mean))
	for n > c.from && c.begin(n) > day {
		n--
	}
	for n < c.to && c.begin(n+1) <= day {
		n++
	}
	return n
}

// YearOfMonth returns the year of a month's index, as YearOf.
func (c *Calendar) YearOfMonth(index int) int {
	n := c.within(c.from + int(float64(index-c.before(c.from))/(c.mean/29.53)))
	if c.leaps == 0 {
		n = c.within(c.from + (index-c.before(c.from))/c.Regular)
	}
	for n > c.from && c.before(n) > index {
		n--
	}
	for n < c.to && c.before(n+1) <= index {
		n++
	}
	return n
}

func (c *Calendar) within(n int) int { return max(c.from, min(n, c.to)) }

// Has tells whether there can be a month of that number, or a leap month that
// follows it.
func (c *Calendar) Has(number int, leap bool) bool {
	return number >= 1 && number <= c.Regular && (!leap || c.leaps>>number&1 == 1)
}

// Named returns the calendar that CLDR knows by a name, or by an alias of it
// (RFC 7529 §5), in any case; nil if there is none.
func Named(name string) *Calendar {
	name = strings.ToUpper(name)
	if n, ok := aliases[name]; ok {
		name = n
	}
	for _, c := range All {
		if c.Name == name {
			return c
		}
	}
	return nil
}

var aliases = map[string]string{"GREGORY": "GREGORIAN", "ETHIOAA": "ETHIOPIC-AMETE-ALEM", "ISLAMICC": "ISLAMIC-CIVIL"}

// Gregorian tells whether the months and days of a calendar are those of the
// Gregorian one, whatever its years are called.
func (c *Calendar) Gregorian() bool {
	_, ok := c.system.(gregorian)
	return ok
}

const allMonths = 1<<13 - 2

// All are the calendars that are known. The years of those that are arithmetic
// reach beyond iCalendar's, 1 to 9999, on both sides.
var All = []*Calendar{
	{"GREGORIAN", 12, 366, 0, -1, 10_001, 365.2425, gregorian{}},
	{"BUDDHIST", 12, 366, 0, -1, 10_001, 365.2425, gregorian{}},
	{"CHINESE", 12, 385, allMonths, firstLunar, firstLunar + len(chineseYears) - 1, 365.2422, newTable(firstLunar, chineseBegins, chineseYears[:])},
	{"COPTIC", 13, 366, 0, -286, 9_720, 365.25, coptic{103_605 - unixEpoch}},
	{"DANGI", 12, 385, allMonths, firstLunar, firstLunar + len(dangiYears) - 1, 365.2422, newTable(firstLunar, dangiBegins, dangiYears[:])},
	{"ETHIOPIC", 13, 366, 0, -10, 9_996, 365.25, coptic{2_796 - unixEpoch}},
	{"ETHIOPIC-AMETE-ALEM", 13, 366, 0, 5_490, 15_496, 365.25, coptic{2_796 - unixEpoch - 5_500*1461/4}},
	{"HEBREW", 12, 385, 1 << 5, 3_758, 13_763, 365.2468, hebrew{}},
	{"INDIAN", 12, 366, 0, -80, 9_925, 365.2425, indian{}},
	{"ISLAMIC-CIVIL", 12, 355, 0, -642, 9_670, 354.3667, islamic{227_015 - unixEpoch}},
	{"ISLAMIC-TBLA", 12, 355, 0, -642, 9_670, 354.3667, islamic{227_014 - unixEpoch}},
	{"ISO8601", 12, 366, 0, -1, 10_001, 365.2425, gregorian{}},
	{"JAPANESE", 12, 366, 0, -1, 10_001, 365.2425, gregorian{}},
	{"PERSIAN", 12, 366, 0, -625, 9_380, 365.2424, persian{}},
	{"ROC", 12, 366, 0, -1, 10_001, 365.2425, gregorian{}},
}
