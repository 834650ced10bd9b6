package ics

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Availability is what the VAVAILABILITY components of an object say of when
// their owner can be met (RFC 7953).
type Availability struct{ blocks []block }

// block is one VAVAILABILITY: a stretch of time in which its owner cannot be
// met, but for its AVAILABLE parts.
type block struct {
	start, end int64 // minTime and maxTime where it is open (RFC 7953 §3.1)
	busy       BusyType
	rank       int       // 1 counts most, lowest least
	sets       []*Object // AVAILABLE components, each with its overrides
}

// lowest ranks what has no PRIORITY, or 0: below all others (RFC 7953 §4).
const lowest = 10

// maxAvailable bounds the AVAILABLE components of one object.
const maxAvailable = 500

// Availability reads the VAVAILABILITY components of an object. The error is a
// *SyntaxError or a *TooLargeError and says what may not be stored.
func (o *Object) Availability() (*Availability, error) {
	a := &Availability{}
	n := 0
	for _, c := range o.main {
		if c.Name != "VAVAILABILITY" {
			return nil, &SyntaxError{0, clip(c.Name) + ": only VAVAILABILITY and VTIMEZONE (RFC 7953 §7.2.4)"}
		}
		if n += len(c.Children); n > maxAvailable {
			return nil, &TooLargeError{"AVAILABLE components", maxAvailable}
		}
		b, err := o.block(c)
		if err != nil {
			return nil, err
		}
		a.blocks = append(a.blocks, b)
	}
	return a, nil
}

func (o *Object) block(c *Component) (block, error) {
	b := block{start: minTime, end: maxTime, busy: Unavailable, rank: lowest}
	for _, name := range []string{"UID", "DTSTAMP"} {
		if c.Prop(name) == nil {
			return b, &SyntaxError{0, name + ": none in a VAVAILABILITY (RFC 7953 §3.1)"}
		}
	}
	start, end, dur := c.Prop("DTSTART"), c.Prop("DTEND"), c.Prop("DURATION")
	if start != nil {
		t, err := o.anchored(start)
		if err != nil {
			return b, err
		}
		b.start = t
	}
	switch {
	case end != nil && dur != nil:
		return b, &SyntaxError{o.line(dur), "DURATION: excludes DTEND (RFC 7953 §3.1)"}
	case end != nil:
		t, err := o.anchored(end)
		if err != nil {
			return b, err
		}
		if b.end = t; b.end <= b.start {
			return b, &SyntaxError{o.line(end), "DTEND: not after DTSTART"}
		}
	case dur != nil && start == nil:
		return b, &SyntaxError{o.line(dur), "DURATION: needs a DTSTART (RFC 7953 §3.1)"}
	case dur != nil:
		t, err := o.times(c)
		if err != nil {
			return b, err
		}
		b.end = t.length.after(t.start.fixed(), b.start)
	}
	if p := c.Prop("BUSYTYPE"); p != nil {
		b.busy = busyType(p.Value, Unavailable)
	}
	if p := c.Prop("PRIORITY"); p != nil {
		n, err := strconv.Atoi(trim(p.Value))
		if err != nil || n < 0 || n > 9 { // RFC 5545 §3.8.1.9
			return b, &SyntaxError{o.line(p), "PRIORITY: a number from 0 to 9"}
		}
		if n > 0 {
			b.rank = n
		}
	}
	var err error
	b.sets, err = o.available(c)
	return b, err
}

// anchored reads a time that must be in UTC or a known zone (RFC 7953 §3.1).
func (o *Object) anchored(p *Prop) (int64, error) {
	t, err := o.PropTime(p)
	if err != nil {
		return 0, err
	}
	if t.Form != UTC && t.Form != Zoned {
		return 0, &SyntaxError{o.line(p), p.Name + ": has to be in UTC or in a zone that is known (RFC 7953 §3.1)"}
	}
	return t.At(time.UTC).Unix(), nil
}

// available gathers the AVAILABLE components of a VAVAILABILITY: those with a
// RECURRENCE-ID belong to the one of their UID that has none.
func (o *Object) available(c *Component) ([]*Object, error) {
	var zones []*Component
	for _, z := range o.root.Children {
		if z.Name == "VTIMEZONE" {
			zones = append(zones, z)
		}
	}
	var roots []*Component
	byUID := map[string]*Component{}
	for _, overrides := range []bool{false, true} {
		for _, ch := range c.Children {
			if ch.Name != "AVAILABLE" || overrides != (ch.Prop("RECURRENCE-ID") != nil) {
				continue
			}
			for _, name := range []string{"UID", "DTSTART"} {
				if ch.Prop(name) == nil {
					return nil, &SyntaxError{0, name + ": none in an AVAILABLE (RFC 7953 §3.1)"}
				}
			}
			for _, name := range []string{"DTSTART", "DTEND", "RECURRENCE-ID"} {
				if p := ch.Prop(name); p != nil {
					if _, err := o.anchored(p); err != nil {
						return nil, err
					}
				}
			}
			if _, err := o.times(ch); err != nil {
				return nil, err
			}
			uid := trim(ch.Value("UID"))
			root := byUID[uid]
			if root == nil || !overrides {
				root = &Component{Name: "VCALENDAR", Children: zones[:len(zones):len(zones)]}
				roots = append(roots, root)
				if byUID[uid] == nil {
					byUID[uid] = root
				}
			}
			root.Children = append(root.Children, ch)
		}
	}
	var sets []*Object
	for _, root := range roots {
		set := newObject(nil, root)
		if _, err := set.series(); err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	return sets, nil
}

// busyType reads a BUSYTYPE or FBTYPE; unknown ones are BUSY (RFC 5545
// §3.2.9).
func busyType(v string, unset BusyType) BusyType {
	switch strings.ToUpper(trim(v)) {
	case "":
		return unset
	case "FREE":
		return Free
	case "BUSY-TENTATIVE":
		return Tentative
	case "BUSY-UNAVAILABLE":
		return Unavailable
	}
	return Busy
}

// Dense returns ErrTooMany where a year of it is more work than the bound
// allows: nobody could ask about it later.
func (a *Availability) Dense(from time.Time, b Bound) error {
	_, err := Unavailability([]*Availability{a}, from, from.AddDate(1, 0, 0), b)
	return err
}

// Unavailability is the time in [from, to) at which somebody cannot be met, by
// all that he says of it (RFC 7953 §4, §6): a component hides what those of
// lower priority say of its stretch of time, and among equals what one calls
// available is available. Spans are sorted and do not overlap. The error is
// ErrTooMany.
func Unavailability(as []*Availability, from, to time.Time, b Bound) ([]Span, error) {
	var blocks []block
	for _, a := range as {
		for _, bl := range a.blocks {
			if bl.start < to.Unix() && bl.end > from.Unix() {
				blocks = append(blocks, bl)
			}
		}
	}
	slices.SortStableFunc(blocks, func(a, b block) int { return cmp.Compare(b.rank, a.rank) })
	var out []Span
	for len(blocks) > 0 {
		n := 1
		for n < len(blocks) && blocks[n].rank == blocks[0].rank {
			n++
		}
		var covered, open []Span
		for _, bl := range blocks[:n] {
			lo, hi := latest(from, bl.start), earliest(to, bl.end)
			covered = append(covered, Span{lo, hi, bl.busy})
			for _, set := range bl.sets {
				err := set.Instances(lo, hi, time.UTC, b, func(i Instance) bool {
					open = append(open, clipped(Span{i.Start, i.End, Busy}, lo, hi))
					return true
				})
				if err != nil {
					return nil, err
				}
			}
		}
		out = append(Without(out, covered), Without(flat(covered), open)...)
		blocks = blocks[n:]
	}
	slices.SortFunc(out, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return Merge(out), nil
}

func latest(t time.Time, sec int64) time.Time {
	if sec > t.Unix() {
		return unix(sec)
	}
	return t
}

func earliest(t time.Time, sec int64) time.Time {
	if sec < t.Unix() {
		return unix(sec)
	}
	return t
}

func clipped(s Span, lo, hi time.Time) Span {
	if s.Start.Before(lo) {
		s.Start = lo
	}
	if s.End.After(hi) {
		s.End = hi
	}
	return s
}

// flat lets the stronger of overlapping spans hide the others: BUSY, then
// BUSY-UNAVAILABLE, then BUSY-TENTATIVE.
func flat(spans []Span) []Span {
	var out, hidden []Span
	for _, t := range []BusyType{Busy, Unavailable, Tentative} {
		var mine []Span
		for _, s := range spans {
			if s.Type == t {
				mine = append(mine, s)
			}
		}
		out = append(out, Without(Merge(mine), hidden)...)
		hidden = append(hidden, mine...)
	}
	return out
}

// apart is flat, in the order of time.
func apart(spans []Span) []Span {
	out := flat(Merge(spans))
	slices.SortFunc(out, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return out
}

// Without cuts holes, of whatever type, out of spans.
func Without(spans, holes []Span) []Span {
	holes = slices.Clone(holes)
	for i := range holes {
		holes[i].Type = Busy
	}
	holes = Merge(holes)
	var out []Span
	for _, s := range spans {
		i, _ := slices.BinarySearchFunc(holes, s.Start, func(h Span, t time.Time) int {
			if h.End.After(t) {
				return 1
			}
			return -1
		})
		for ; i < len(holes) && holes[i].Start.Before(s.End); i++ {
			if s.Start.Before(holes[i].Start) {
				out = append(out, Span{s.Start, holes[i].Start, s.Type})
			}
			s.Start = holes[i].End
		}
		if s.Start.Before(s.End) {
			out = append(out, s)
		}
	}
	return out
}

// Common is the time that is in every one of lists: of a pool of rooms, that
// at which none of them can be had. Its type is BUSY where all are, else the
// weakest of them.
func Common(lists [][]Span) []Span {
	if len(lists) == 0 {
		return nil
	}
	weak := func(a, b BusyType) BusyType {
		for _, t := range []BusyType{Tentative, Unavailable} {
			if a == t || b == t {
				return t
			}
		}
		return Busy
	}
	out := apart(lists[0])
	for _, l := range lists[1:] {
		var both []Span
		l = apart(l)
		for i, j := 0, 0; i < len(out) && j < len(l); {
			a, b := out[i], l[j]
			if s := clipped(a, b.Start, b.End); s.Start.Before(s.End) {
				s.Type = weak(a.Type, b.Type)
				both = append(both, s)
			}
			if a.End.Before(b.End) {
				i++
			} else {
				j++
			}
		}
		out = both
	}
	return Merge(out)
}
