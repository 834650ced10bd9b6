package scale

import (
	"math"
	"testing"
)

// computed lays the years of a calendar like China's out by its rules, as the
// sky over a meridian has it: a month begins on the day of the new moon; that
// of the winter solstice is the eleventh; of thirteen months from one such to
// the next, the first in which the sun reaches no multiple of 30° is a leap one.
func computed(from, to int, offset func(at float64) float64) (begins int64, years []uint32) {
	day := func(at float64) int64 { return int64(math.Floor(at + offset(at)/24)) }
	solstice := func(year int) int64 { return day(sunAt(270, float64(gregorian{}.begin(year))+354.5)) }
	type month struct {
		first  int64
		number int
		leap   bool
	}
	var all []month
	moon := func(k int) int64 {
		d := day(newMoon(float64(k)))
		if d == (gregorian{}).begin(1906)+112 { // 23 April, 8 minutes before midnight: the almanac of that year had the next day
			d++
		}
		return d
	}
	for year := from - 1; year <= to; year++ {
		this, next := solstice(year), solstice(year+1)
		k := int(math.Floor(float64(this-10_962) / 29.530588861))
		for moon(k+1) <= this {
			k++
		}
		for moon(k) > this {
			k--
		}
		n := 0
		for moon(k+n+1) <= next {
			n++
		}
		number, leapt := 11, n == 12
		for i := range n {
			first, end := moon(k+i), moon(k+i+1)
			m := month{first: first}
			if !leapt && i > 0 {
				l := math.Ceil(sun(float64(first)-2)/30) * 30
				at := day(sunAt(l, float64(first)+10))
				if at < first { // the one of the month before
					at = day(sunAt(l+30, float64(first)+25))
				}
				m.leap = at >= end
				leapt = m.leap
			}
			if !m.leap && i > 0 {
				number = number%12 + 1
			}
			m.number = number
			all = append(all, m)
		}
	}
	for i := 0; i < len(all)-1; i++ {
		m := all[i]
		if m.number == 1 && !m.leap {
			if len(years) == 0 {
				begins = m.first
			}
			years = append(years, 0)
		}
		if len(years) == 0 {
			continue
		}
		y := &years[len(years)-1]
		at := m.number - 1
		if m.leap || *y>>leapAfter > 0 {
			at++
		}
		if m.leap {
			*y |= uint32(m.number) << leapAfter
		}
		if all[i+1].first-m.first == 30 {
			*y |= 1 << at
		}
	}
	return begins, years[:to-from+1]
}

// beijing is the time by which the Chinese calendar is made: that of the
// meridian of Beijing until 1928, since then that of 120° E.
func beijing(at float64) float64 {
	if at < float64(gregorian{}.begin(1929)) {
		return 116.4167 / 15
	}
	return 8
}

// seoul is that of the Korean calendar: of Beijing until 1911, since then of 135° E.
func seoul(at float64) float64 {
	if at < float64(gregorian{}.begin(1912)) {
		return beijing(at)
	}
	return 9
}

// The tables are what the sky has.
func TestLunarTables(t *testing.T) {
	test := func(name string, offset func(float64) float64, begins int64, table []uint32) {
		t.Helper()
		at, years := computed(firstLunar, firstLunar+len(table)-1, offset)
		if at != begins {
			t.Errorf("%s begins on day %d, want %d", name, begins, at)
		}
		for i, y := range table {
			if y != years[i] {
				t.Errorf("%s: %d is %#x, want %#x", name, firstLunar+i, y, years[i])
			}
		}
	}
	test("CHINESE", beijing, chineseBegins, chineseYears[:])
	test("DANGI", seoul, dangiBegins, dangiYears[:])
}

// Iran's law has the year begin on the day on whose noon, by the time of 52.5°
// E, the sun has passed the equinox. That and the rule of 33 years are the same
// from 1836 to 2121.
func TestPersianEquinox(t *testing.T) {
	for year := 1215; year <= 1500; year++ {
		first := persian{}.begin(year)
		equinox := sunAt(0, float64(first)) + 3.5/24
		at := int64(math.Floor(equinox + 0.5))
		if at != first {
			t.Errorf("%d begins %d, want %d", year, first, at)
		}
	}
}
