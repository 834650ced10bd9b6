package scale

// unixEpoch is 1970-01-01 as Reingold and Dershowitz number days ("Calendrical
// Calculations"), whose epochs of the calendars are used here.
const unixEpoch = 719_163

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - b*floorDiv(a, b) }

// twelve is for calendars in which each year has twelve months.
type twelve struct{}

func (twelve) before(year int) int { return 12 * year }

// gregorian is also that of Japan, of Taiwan (ROC) and of Thailand (BUDDHIST),
// whose months and days are the same.
type gregorian struct{ twelve }

func (gregorian) begin(year int) int64 {
	y := int64(year) - 1
	return 1 - unixEpoch + 365*y + floorDiv(y, 4) - floorDiv(y, 100) + floorDiv(y, 400)
}

func (g gregorian) lengths(year int, to *Year) {
	for m, days := range [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31} {
		if m == 1 && g.leap(year) {
			days++
		}
		to.add(m+1, false, days)
	}
}

func (g gregorian) leap(year int) bool { return g.begin(year+1)-g.begin(year) == 366 }

// coptic has twelve months of 30 days and one of five or six; every fourth year
// is a leap year. The Ethiopic calendar counts from elsewhere.
type coptic struct{ epoch int64 }

func (c coptic) begin(year int) int64 {
	y := int64(year)
	return c.epoch + 365*(y-1) + floorDiv(y, 4)
}

func (coptic) before(year int) int { return 13 * year }

func (c coptic) lengths(year int, to *Year) {
	for m := range 12 {
		to.add(m+1, false, 30)
	}
	to.add(13, false, int(c.begin(year+1)-to.First)-360)
}

// indian is India's national calendar: its year begins with the 80th day of a
// Gregorian one, and is a leap year when that is.
type indian struct{ twelve }

func (indian) begin(year int) int64 { return gregorian{}.begin(year+78) + 80 }

func (i indian) lengths(year int, to *Year) {
	for m := range 12 {
		switch days := 30; {
		case m == 0:
			to.add(1, false, days+int(i.begin(year+1)-to.First)-365)
		case m < 6:
			to.add(m+1, false, days+1)
		default:
			to.add(m+1, false, days)
		}
	}
}

// persian is Iran's by the rule of 33 years, of which eight are leap years. The
// law knows no rule, only the equinox; TestPersianEquinox says for which years
// both are the same.
type persian struct{ twelve }

func (persian) begin(year int) int64 {
	y := int64(year)
	return 226_895 - unixEpoch + 365*(y-1) + floorDiv(8*y+21, 33)
}

func (p persian) lengths(year int, to *Year) {
	for m := range 11 {
		days := 31
		if m >= 6 {
			days = 30
		}
		to.add(m+1, false, days)
	}
	to.add(12, false, int(p.begin(year+1)-to.First)-336)
}
