package ics

import (
	"sort"
	"strings"
	"sync"
	"time"
)

// Instants and wall clocks are counted in seconds since 1970 here; a wall
// clock as if it were UTC. The far ends leave room for sums.
const (
	minTime = -1 << 52
	maxTime = 1 << 52
	daySecs = 86400
)

// Zone maps wall clocks to instants: an IANA zone, or the rules of an embedded
// VTIMEZONE (RFC 5545 §3.6.5).
type Zone struct {
	loc    *time.Location
	onsets []onset // embedded rules, by instant
	before int64   // offset before the first onset
}

// onset is an instant from which an offset (seconds east of UTC) holds.
type onset struct{ at, offset int64 }

var utcZone = &Zone{loc: time.UTC}

// zoneOf makes a Zone of a location, which must not be nil.
func zoneOf(loc *time.Location) *Zone {
	if loc == time.UTC {
		return utcZone
	}
	return &Zone{loc: loc}
}

// segment returns the offset that holds at an instant, and since and until
// when; neighbours may have the same offset.
func (z *Zone) segment(at int64) (offset, start, end int64) {
	start, end = minTime, maxTime
	if z.loc == time.UTC {
		return 0, start, end
	}
	if z.loc != nil {
		t := time.Unix(at, 0).In(z.loc)
		_, off := t.Zone()
		s, e := t.ZoneBounds()
		if !s.IsZero() {
			start = s.Unix()
		}
		if !e.IsZero() {
			// Beyond the table of changes, package time ends a segment 365 days
			// after New Year: on the last day of a leap year in the past.
			if end = e.Unix(); end <= at {
				end = at + daySecs
			}
		}
		return int64(off), start, end
	}
	i := sort.Search(len(z.onsets), func(i int) bool { return z.onsets[i].at > at })
	offset = z.before
	if i > 0 {
		offset, start = z.onsets[i-1].offset, z.onsets[i-1].at
	}
	if i < len(z.onsets) {
		end = z.onsets[i].at
	}
	return offset, start, end
}

// wall returns what clocks show at an instant.
func (z *Zone) wall(at int64) int64 {
	off, _, _ := z.segment(at)
	return at + off
}

// instant returns when clocks show a time. RFC 5545 §3.3.5: of two moments the
// first; a time that clocks skip is read with the offset before the gap.
func (z *Zone) instant(wall int64) int64 {
	c := clock{zone: z}
	return c.instant(wall)
}

// clock is a Zone that remembers the last segment, for many wall clocks that
// lie near each other.
type clock struct {
	zone               *Zone
	offset, start, end int64
}

// reach is more than any offset and any change of one.
const reach = 48 * 3600

func (c *clock) instant(wall int64) int64 {
	if t := wall - c.offset; t >= c.start+reach && t < c.end {
		return t
	}
	// The first segment in which it can lie, then forward.
	c.offset, c.start, c.end = c.zone.segment(wall - reach/2)
	for {
		t := wall - c.offset
		if t < c.end {
			return t
		}
		before := c.offset
		var start int64
		c.offset, start, c.end = c.zone.segment(c.end)
		c.start = start
		if wall-c.offset < start { // in the gap
			c.start, c.end = 0, 0 // remember nothing
			return wall - before
		}
	}
}

// zoneTable finds an object's zones by TZID: IANA name first, then Windows
// names, then the embedded rules.
type zoneTable struct {
	mu       sync.Mutex
	embedded map[string]*Zone // nil: looked for, and there is none
	steps    int              // used for embedded rules so far
}

// zone returns the zone that a TZID of the object means, nil if nothing says.
func (o *Object) zone(tzid string) *Zone {
	if z := namedZone(tzid); z != nil {
		return z
	}
	name := trimZone(tzid)
	o.zones.mu.Lock()
	defer o.zones.mu.Unlock()
	if z, ok := o.zones.embedded[name]; ok {
		return z
	}
	var z *Zone
	for _, c := range o.root.Children {
		if c.Name == "VTIMEZONE" && trimZone(c.Value("TZID")) == name {
			z = embeddedZone(c, &o.zones.steps)
			break
		}
	}
	if o.zones.embedded == nil {
		o.zones.embedded = map[string]*Zone{}
	}
	o.zones.embedded[name] = z
	return z
}

// Embedded rules are followed through these years, and no further than
// maxOnsets for all zones of an object.
const (
	zoneFrom  = -2208988800 // 1900-01-01
	zoneUntil = 7258118400  // 2200-01-01
	maxOnsets = 200_000
)

// embeddedZone reads a VTIMEZONE; nil if it has no observance that can be read.
func embeddedZone(c *Component, used *int) *Zone {
	z := &Zone{}
	first := int64(maxTime)
	budget := budget{steps: maxOnsets - *used}
	have := budget.steps
	for _, ch := range c.Children {
		if ch.Name != "STANDARD" && ch.Name != "DAYLIGHT" {
			continue
		}
		p := ch.Prop("DTSTART")
		from, ok1 := utcOffset(ch.Value("TZOFFSETFROM"))
		to, ok2 := utcOffset(ch.Value("TZOFFSETTO"))
		if p == nil || !ok2 {
			continue
		}
		if !ok1 {
			from = to
		}
		start, err := parseTime(p.Value)
		if err != nil {
			continue
		}
		add := func(wall int64) {
			at := wall - from
			z.onsets = append(z.onsets, onset{at, to})
			if at < first {
				first, z.before = at, from
			}
		}
		wall := start.Wall.Unix()
		add(wall)
		for _, p := range ch.PropsNamed("RDATE") {
			for v := range strings.SplitSeq(p.Value, ",") {
				if t, err := parseTime(v); err == nil && budget.step() == nil {
					if w := t.Wall.Unix(); t.Form == UTC {
						add(w + from)
					} else {
						add(w)
					}
				}
			}
		}
		for _, p := range ch.PropsNamed("RRULE") {
			r, err := parseRule(p.Value)
			if err != nil {
				continue
			}
			it := r.iterate(wall, false, &budget)
			it.setUntil(func(u Time) int64 {
				if u.Form == UTC { // RFC 5545 §3.6.5 wants UTC; Thunderbird writes local time
					return u.Wall.Unix() + from
				}
				return untilWall(u)
			})
			if r.count == 0 && r.until.Form == 0 {
				it.seek(zoneFrom)
			}
			for {
				w, ok := it.next()
				if !ok || w > zoneUntil {
					break
				}
				add(w)
			}
		}
	}
	*used += have - budget.steps
	if len(z.onsets) == 0 {
		return nil
	}
	sort.SliceStable(z.onsets, func(i, j int) bool { return z.onsets[i].at < z.onsets[j].at })
	return z
}

// utcOffset reads a UTC-OFFSET (RFC 5545 §3.3.14): ±hhmm or ±hhmmss.
func utcOffset(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	if len(s) != 5 && len(s) != 7 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	var n [3]int64
	for i := 1; i < len(s); i += 2 {
		if !digit(s[i]) || !digit(s[i+1]) {
			return 0, false
		}
		n[i/2] = int64(s[i]-'0')*10 + int64(s[i+1]-'0')
	}
	if n[0] > 23 || n[1] > 59 || n[2] > 59 {
		return 0, false
	}
	v := n[0]*3600 + n[1]*60 + n[2]
	if s[0] == '-' {
		v = -v
	}
	return v, true
}

func digit(b byte) bool { return b >= '0' && b <= '9' }
