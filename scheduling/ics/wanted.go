package ics

import (
	"cmp"
	"slices"
	"time"
)

// Wanted are times about which somebody asks what else stands there: one, or
// the occurrences of a series. What stands beside them costs little: a run
// that never comes near is seen by arithmetic, however long both are.
type Wanted struct {
	list []want // by start
	// progressions say when the times are, in whole seconds; nil where they
	// are too irregular for that to be of use.
	progressions []run
}

// want is one of them, in microseconds since 1970 UTC.
type want struct {
	start, end int64
	reach      int64 // the latest end of this one and those before it
}

// maxProgressions bounds how many progressions a run is compared with; a weekly series
// over ten years has about twenty, because clocks change.
const maxProgressions = 64

// WantedIn is the time between two instants.
func WantedIn(from, to time.Time) Wanted { return WantedAt([]Span{{Start: from, End: to}}) }

// WantedAt is the time of spans, of whatever type.
func WantedAt(spans []Span) Wanted {
	w := Wanted{list: make([]want, len(spans))}
	for i, s := range spans {
		w.list[i] = want{start: s.Start.UnixMicro(), end: s.End.UnixMicro()}
	}
	slices.SortFunc(w.list, func(a, b want) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	for i := range w.list {
		w.list[i].reach = w.list[i].end
		if i > 0 {
			w.list[i].reach = max(w.list[i].end, w.list[i-1].reach)
		}
	}
	w.progressions = progressions(w.list)
	return w
}

// progressions describes times as few progressions, widened to seconds.
func progressions(list []want) []run {
	all := make([]stretch, len(list))
	for i, w := range list {
		start := floorDiv(w.start, micro)
		all[i] = stretch{start: start, length: -floorDiv(-w.end, micro) - start}
	}
	var out []run
	used := make([]bool, len(all))
	for i := range all {
		if used[i] {
			continue
		}
		if len(out) == maxProgressions {
			return nil
		}
		out = append(out, longestRun(all, used, i))
	}
	return out
}

// Span reaches from the first to the last of the times; false if there are
// none.
func (w Wanted) Span() (from, to time.Time, ok bool) {
	if len(w.list) == 0 {
		return time.Time{}, time.Time{}, false
	}
	return time.UnixMicro(w.list[0].start).UTC(), time.UnixMicro(w.list[len(w.list)-1].reach).UTC(), true
}

// Rhythm says in which parts of a period of some microseconds, a week or a day, all
// the times lie: at most four, each from start on for as long as length. None if
// that would leave most of the period.
func (w Wanted) Rhythm() (every int64, parts [][2]int64) {
	if len(w.list) < 8 { // not worth a look
		return 0, nil
	}
	for _, every := range []int64{7 * daySecs * micro, daySecs * micro} {
		if parts := w.within(every); parts != nil {
			return every, parts
		}
	}
	return 0, nil
}

func (w Wanted) within(every int64) (parts [][2]int64) {
	for _, x := range w.list {
		start := floorMod(x.start, every)
		i := slices.IndexFunc(parts, func(p [2]int64) bool { return p[0] == start })
		switch {
		case i >= 0:
			parts[i][1] = max(parts[i][1], x.end-x.start)
		case len(parts) == 4:
			return nil
		default:
			parts = append(parts, [2]int64{start, x.end - x.start})
		}
	}
	sum := int64(0)
	for _, p := range parts {
		sum += p[1]
	}
	if sum > every/2 {
		return nil
	}
	return parts
}

// Meet reports whether a time in microseconds overlaps one of them.
func (w Wanted) Meet(start, end int64) bool {
	n, _ := slices.BinarySearchFunc(w.list, end, func(x want, end int64) int {
		if x.start < end {
			return -1
		}
		return 1
	})
	return n > 0 && w.list[n-1].reach > start
}

// RunSpans is RunSpans for all times at once: it calls yield, once, for every
// instance in runs that overlaps one of them.
func (w Wanted) RunSpans(runs []byte, yield func(start, end int64, t BusyType)) error {
	if len(w.list) == 0 {
		return nil
	}
	lo, hi := w.list[0].start, w.list[len(w.list)-1].reach
	d := newRunReader(runs)
	for {
		r, ok := d.next()
		if !ok {
			return d.err
		}
		if !w.near(&r) {
			continue
		}
		give := func(i int64) {
			start := (r.start + i*r.step) * micro
			if end := start + r.length*micro; w.Meet(start, end) {
				yield(start, end, r.typ)
			}
		}
		if r.count == 1 {
			give(0)
			continue
		}
		if r.count <= int64(len(w.list)) {
			for i := r.endsAfter(lo); i < r.count && (r.start+i*r.step)*micro < hi; i++ {
				give(i)
			}
			continue
		}
		for i, n := int64(0), 0; n < len(w.list); n++ {
			x := w.list[n]
			for i = max(i, r.endsAfter(x.start)); i < r.count && (r.start+i*r.step)*micro < x.end; i++ {
				give(i)
			}
		}
	}
}

// endsAfter returns the number of the first instance of a run that can end after
// an instant.
func (r *run) endsAfter(us int64) int64 {
	if r.step == 0 {
		return 0
	}
	return max(0, floorDiv(floorDiv(us, micro)-r.length-r.start, r.step))
}

// near reports whether an instance of a run can overlap a wanted time: false is
// certain.
func (w Wanted) near(r *run) bool {
	if w.progressions == nil {
		return true
	}
	for i := range w.progressions {
		p := &w.progressions[i]
		if r.start >= p.start+p.step*(p.count-1)+p.length || p.start >= r.start+r.step*(r.count-1)+r.length {
			continue // one is over before the other begins
		}
		// Whatever two of them are compared, their distance is the same but for a
		// multiple of this.
		g := gcd(p.step, r.step)
		if g == 0 {
			return true
		}
		if after := floorMod(r.start-p.start, g); after < p.length || g-after < r.length {
			return true
		}
	}
	return false
}
