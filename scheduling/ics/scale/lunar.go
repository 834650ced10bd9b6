package scale

// hebrew counts its months from Tishri, and Adar I as 5L (RFC 7529 §4.2).
type hebrew struct{}

// A mean month is 29 days, 12 hours and 793 parts of an hour of 1080.
const (
	hebrewHour  = 1080
	hebrewDay   = 24 * hebrewHour
	hebrewMonth = 29*hebrewDay + 12*hebrewHour + 793
)

// before counts seven leap months in nineteen years.
func (hebrew) before(year int) int { return int(floorDiv(235*int64(year)-234, 19)) }

// elapsed is the day of the mean new moon of Tishri, put off to the next day if
// it falls after noon, and from Sunday, Wednesday and Friday.
func (h hebrew) elapsed(year int) int64 {
	parts := int64(h.before(year))*hebrewMonth + 11*hebrewHour + 204
	day := floorDiv(parts, hebrewDay)
	if floorMod(3*(day+1), 7) < 3 {
		day++
	}
	return day
}

// begin puts a year off so far that neither it nor the one before gets a
// length that no year has: 356 days, or 382.
func (h hebrew) begin(year int) int64 {
	last, this, next := h.elapsed(year-1), h.elapsed(year), h.elapsed(year+1)
	switch {
	case next-this == 356:
		this += 2
	case this-last == 382:
		this++
	}
	return -1_373_427 - unixEpoch + this
}

func (h hebrew) lengths(year int, to *Year) {
	days := int(h.begin(year+1) - to.First)
	leap := days > 370
	if leap {
		days -= 30
	}
	for m := 1; m <= 12; m++ {
		n := 29 + m%2
		switch {
		case m == 2 && days == 355, m == 3 && days != 353: // Cheshvan, Kislev
			n = 30
		case m == 3:
			n = 29
		}
		to.add(m, false, n)
		if m == 5 && leap {
			to.add(m, true, 30)
		}
	}
}

// islamic is the tabular calendar: eleven leap years in thirty. The civil one
// begins on a Friday, that of astronomers (TBLA) a day before.
type islamic struct{ epoch int64 }

func (islamic) before(year int) int { return 12 * year }

func (i islamic) begin(year int) int64 {
	y := int64(year)
	return i.epoch + 354*(y-1) + floorDiv(3+11*y, 30)
}

func (i islamic) lengths(year int, to *Year) {
	for m := 1; m < 12; m++ {
		to.add(m, false, 29+m%2)
	}
	to.add(12, false, int(i.begin(year+1)-to.First)-325)
}

// table is a calendar of which only some years are known: months of 29 or 30
// days.
type table struct {
	from   int
	years  []uint32 // bits 0-12: which months are long; from 13 on: which one is followed by a leap month
	begins []int64  // of each, and of the one after the last
	months []int    // before each
}

const leapAfter = 13

func newTable(from int, begins int64, years []uint32) *table {
	t := &table{from: from, years: years, begins: []int64{begins}, months: []int{0}}
	for i := range years {
		y := Year{}
		t.lengths(from+i, &y)
		begins += int64(y.Days)
		t.begins, t.months = append(t.begins, begins), append(t.months, t.months[i]+y.Count)
	}
	return t
}

func (t *table) at(year int) int { return max(0, min(year-t.from, len(t.years))) }

func (t *table) begin(year int) int64 { return t.begins[t.at(year)] }
func (t *table) before(year int) int  { return t.months[t.at(year)] }

func (t *table) lengths(year int, to *Year) {
	y := t.years[t.at(year)]
	leap := int(y >> leapAfter)
	for m := 1; m <= 12; m++ {
		to.add(m, false, 29+int(y>>to.Count&1))
		if m == leap {
			to.add(m, true, 29+int(y>>to.Count&1))
		}
	}
}
