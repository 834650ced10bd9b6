package ics

import (
	"encoding/binary"
	"errors"
)

// Runs hold the instances of a series as arithmetic progressions, in seconds:
//
//	octet   format, 1
//	then for each run, by its first start:
//	octet   bits 0-1 type, 2 one instance, 3 length as in the run before,
//	        4 step as before, 5 start counted from where the run before would
//	        go on (else from its start)
//	varint  start
//	uvarint step, count-2 (unless there is one instance)
//	uvarint length
//
// A series breaks where the zone's offset changes, at an EXDATE and where the
// type changes: two years of a daily meeting make five runs.
const (
	runFormat = 1

	runType     = 3
	runSingle   = 1 << 2
	runLength   = 1 << 3
	runStep     = 1 << 4
	runContinue = 1 << 5
	runUnused   = ^byte(1<<6 - 1)

	runMax = 1 << 40 // of every number in a run
)

// stretch is an instance in seconds.
type stretch struct {
	start, length int64
	typ           BusyType
}

// run is count instances of which each begins step after the one before.
type run struct {
	stretch
	step, count int64
}

func (r *run) follows() int64 { return r.start + r.step*r.count }

// encodeRuns writes the instances that start before cut, or as many of the
// first as find room; it returns before when all are written. The list is
// sorted.
func encodeRuns(list []stretch, cut int64) ([]byte, int64) {
	for {
		for len(list) > 0 && list[len(list)-1].start >= cut {
			list = list[:len(list)-1]
		}
		if len(list) == 0 {
			return nil, cut
		}
		out, full := tryRuns(list)
		if full < 0 {
			return out, cut
		}
		cut = list[full].start
	}
}

// tryRuns returns the place in the list of the first instance without room, -1
// if there is room for all.
func tryRuns(list []stretch) (out []byte, full int) {
	out = append(make([]byte, 0, 64), runFormat)
	used := make([]bool, len(list))
	var prev run
	for i := range list {
		if used[i] {
			continue
		}
		r := longestRun(list, used, i)
		out = prev.append(out, r)
		if len(out) > maxRuns {
			return nil, i
		}
		prev = r
	}
	return out, -1
}

// Steps are looked for among the next instances and these: a series on several
// weekdays is one run for each.
const nextSteps = 8

// longRun is long enough to look no further.
const longRun = 20

func longestRun(list []stretch, used []bool, i int) run {
	best := run{stretch: list[i], count: 1}
	try := func(step int64) bool {
		if n := follow(list, used, i, step, false); n > best.count {
			best.step, best.count = step, n
		}
		return best.count >= longRun
	}
	found := 0
	for j := i + 1; j < len(list) && found < nextSteps; j++ {
		if used[j] || list[j].typ != list[i].typ || list[j].length != list[i].length || list[j].start == list[i].start {
			continue
		}
		found++
		if try(list[j].start - list[i].start) {
			break
		}
	}
	if best.count < longRun && found > 0 {
		_ = try(daySecs) || try(7*daySecs)
	}
	if best.count < 3 { // two runs of one are as short, and leave the second free
		best.step, best.count = 0, 1
	}
	follow(list, used, i, best.step, true)
	return best
}

// follow counts how far a progression goes on from i, and marks it as used. A
// step of 0 is the one instance.
func follow(list []stretch, used []bool, i int, step int64, mark bool) (n int64) {
	want := list[i].start
	for j := i; j < len(list) && list[j].start <= want; j++ {
		if list[j].start != want || used[j] || list[j].typ != list[i].typ || list[j].length != list[i].length {
			continue
		}
		n++
		if mark {
			used[j] = true
		}
		if step == 0 {
			break
		}
		want += step
	}
	return n
}

func (prev *run) append(out []byte, r run) []byte {
	head := byte(r.typ & runType)
	delta := r.start - prev.start
	if d := r.start - prev.follows(); abs(d) < abs(delta) {
		head |= runContinue
		delta = d
	}
	if r.count == 1 {
		head |= runSingle
	} else if r.step == prev.step {
		head |= runStep
	}
	if r.length == prev.length {
		head |= runLength
	}
	out = append(out, head)
	out = binary.AppendVarint(out, delta)
	if head&runSingle == 0 {
		if head&runStep == 0 {
			out = binary.AppendUvarint(out, uint64(r.step))
		}
		out = binary.AppendUvarint(out, uint64(r.count-2))
	}
	if head&runLength == 0 {
		out = binary.AppendUvarint(out, uint64(r.length))
	}
	return out
}

func abs(n int64) int64 { return max(n, -n) }

var errRuns = errors.New("ics: malformed runs")

// runReader reads runs one by one.
type runReader struct {
	rest []byte
	prev run
	err  error
}

func newRunReader(runs []byte) runReader {
	switch {
	case len(runs) == 0:
		return runReader{}
	case runs[0] != runFormat:
		return runReader{err: errRuns}
	}
	return runReader{rest: runs[1:]}
}

func (d *runReader) next() (run, bool) {
	if d.err != nil || len(d.rest) == 0 {
		return run{}, false
	}
	head := d.rest[0]
	d.rest = d.rest[1:]
	prev := &d.prev
	r := run{count: 1}
	r.typ = BusyType(head & runType)
	r.start = prev.start
	if head&runContinue != 0 {
		r.start = prev.follows()
	}
	delta, n := binary.Varint(d.rest)
	if n <= 0 || head&runUnused != 0 || abs(delta) > runMax || delta < -runMax {
		d.err = errRuns
		return run{}, false
	}
	d.rest = d.rest[n:]
	r.start += delta
	if head&runSingle == 0 {
		r.step = prev.step
		if head&runStep == 0 {
			r.step = d.number()
		}
		if r.count = d.number() + 2; r.step < 1 || r.count > indexedAtMost || r.count > runMax/r.step {
			d.err = errRuns
		}
	}
	r.length = prev.length
	if head&runLength == 0 {
		r.length = d.number()
	}
	if abs(r.start) > runMax {
		d.err = errRuns
	}
	d.prev = r
	return r, d.err == nil
}

func (d *runReader) number() int64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > runMax {
		d.err = errRuns
		return 0
	}
	d.rest = d.rest[n:]
	return int64(v)
}

// RunSpans calls yield for each instance in runs that overlaps [from, to), in
// microseconds since 1970 UTC, until yield returns false. One without length
// counts if from <= start < to. They come run by run, not by start. Malformed
// runs end it with an error.
func RunSpans(runs []byte, from, to int64, yield func(start, end int64, t BusyType) bool) error {
	d := newRunReader(runs)
	for {
		r, ok := d.next()
		if !ok {
			return d.err
		}
		i := int64(0)
		if r.count > 1 { // the first that can end after from
			i = max(0, floorDiv(floorDiv(from, micro)-r.length-r.start, r.step))
		}
		for ; i < r.count; i++ {
			start := (r.start + i*r.step) * micro
			if start >= to {
				break
			}
			if end := start + r.length*micro; overlaps(start, end, from, to) && !yield(start, end, r.typ) {
				return nil
			}
		}
	}
}
