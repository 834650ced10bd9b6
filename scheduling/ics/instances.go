package ics

import (
	"errors"
	"time"
)

// Bound limits the work of an expansion; the zero value means DefaultBound.
type Bound struct {
	Instances int // returned
	Steps     int // candidates looked at, across the whole series
}

// DefaultBound holds a daily series of a century and an hourly one of years.
var DefaultBound = Bound{Instances: 100_000, Steps: 2_000_000}

// ErrTooMany is returned when an expansion passes its Bound.
var ErrTooMany = errors.New("ics: the recurrence has too many instances")

// Instance is one occurrence of an object in time.
type Instance struct {
	RID        RID        // "" for the only instance of an object without recurrence
	Start, End time.Time  // UTC; End is never before Start; End is exclusive
	Component  *Component // the override, or the master
	AllDay     bool       // DATE values
	Floating   bool       // follows the zone of the calendar (floating and all-day times)
}

// Instances calls yield for every instance that overlaps [from, to) by the
// rules of RFC 4791 §9.9 for VEVENT (an instance without length counts if
// from <= start < to), in no particular order, until yield returns false. A
// zero from or to leaves that side open; an endless series with an open end
// ends with ErrTooMany. Overrides replace the instance that they name and
// count where they stand; detached instances without a master are instances.
// RANGE=THISANDFUTURE moves the one instance that it names: no program writes it.
func (o *Object) Instances(from, to time.Time, floating *time.Location, b Bound, yield func(Instance) bool) error {
	if b.Instances <= 0 {
		b.Instances = DefaultBound.Instances
	}
	lo, hi := int64(minTime), int64(maxTime)
	if !from.IsZero() {
		lo = from.Unix()
	}
	if !to.IsZero() {
		if hi = to.Unix(); to.Nanosecond() > 0 {
			hi++
		}
	}
	recurs := o.Recurs()
	tooMany := false
	_, err := o.each(lo, hi, floating, b.budget(), func(x occurrence) bool {
		if b.Instances--; b.Instances < 0 {
			tooMany = true
			return false
		}
		i := Instance{Start: unix(x.start), End: unix(x.end), Component: x.c, AllDay: x.form == Date, Floating: x.floating}
		if recurs || x.c != o.master {
			i.RID = makeRID(x.keyForm, x.key)
		}
		return yield(i)
	})
	if tooMany {
		return ErrTooMany
	}
	return err
}

func (b Bound) budget() *budget {
	if b.Steps <= 0 {
		return &budget{DefaultBound.Steps}
	}
	return &budget{b.Steps}
}

// occurrence is an Instance in seconds.
type occurrence struct {
	key        int64
	start, end int64
	c          *Component
	keyForm    Form // in which the key is written
	form       Form // of the component's DTSTART
	floating   bool
}

// overlaps is RFC 4791 §9.9 for VEVENT.
func overlaps(start, end, from, to int64) bool {
	if start == end {
		return from <= start && start < to
	}
	return start < to && end > from
}

// each is Instances without its bound. Where it ends with ErrTooMany, it has
// yielded all that start before the instant that it returns.
func (o *Object) each(from, to int64, floating *time.Location, b *budget, yield func(occurrence) bool) (reached int64, err error) {
	loose := zoneOf(floating)
	s, err := o.series()
	if err != nil {
		return minTime, err
	}
	var replaced map[int64]struct{}
	if len(o.overrides) > 0 {
		replaced = make(map[int64]struct{}, len(o.overrides))
	}
	for _, c := range o.overrides {
		if err := b.step(); err != nil {
			return minTime, err
		}
		x, ok, err := o.override(c, s, loose)
		if err != nil {
			return minTime, err
		}
		if _, twice := replaced[x.key]; !ok || twice {
			continue
		}
		replaced[x.key] = struct{}{}
		if overlaps(x.start, x.end, from, to) && !yield(x) {
			return maxTime, nil
		}
	}
	if s == nil {
		return maxTime, nil
	}
	x := occurrence{c: o.master, keyForm: s.start.Form, form: s.start.Form, floating: s.zone == nil}
	zone := s.zone
	if zone == nil {
		zone = loose
	}
	starts, ends := clock{zone: zone}, clock{zone: zone}
	place := func(key int64, r *rdate) bool {
		if _, ok := replaced[key]; ok {
			return true
		}
		l := s.length
		if r != nil && r.hasLength {
			l = r.length
		}
		x.key, x.start = key, key
		if s.zone == nil {
			x.start = starts.instant(key)
		}
		x.end = x.start + l.secs
		if l.days != 0 {
			w := key
			if s.zone != nil {
				w = zone.wall(key)
			}
			x.end = ends.instant(w+l.days*daySecs) + l.secs
		}
		x.end = max(x.end, x.start)
		return !overlaps(x.start, x.end, from, to) || yield(x)
	}
	if s.single() {
		if key := s.start.key(s.start); !s.excluded(key) {
			place(key, nil)
		}
		return maxTime, nil
	}
	reached, err = s.keys(from-s.longest-reach, to+reach, b, place)
	if err != nil && s.zone == nil && reached > minTime {
		reached = loose.instant(reached) - reach/2
	}
	return reached, err
}

// override returns the instance that a component with RECURRENCE-ID describes.
func (o *Object) override(c *Component, s *series, loose *Zone) (occurrence, bool, error) {
	id, err := o.PropTime(c.Prop("RECURRENCE-ID"))
	if err != nil {
		return occurrence{}, false, err
	}
	t, err := o.times(c)
	if err != nil {
		return occurrence{}, false, err
	}
	if t.start.Form == 0 { // it does not move the instance
		t.start = id
		if s != nil {
			t.length = s.length
		}
	}
	base := id
	if s != nil {
		base = s.start
	}
	x := occurrence{key: base.key(id), keyForm: base.Form, c: c, form: t.start.Form}
	zone := t.start.fixed()
	if zone == nil {
		zone, x.floating = loose, true
	}
	w := t.start.Wall.Unix()
	x.start = zone.instant(w)
	x.end = x.start + t.length.secs
	if t.length.days != 0 {
		x.end = zone.instant(w+t.length.days*daySecs) + t.length.secs
	}
	x.end = max(x.end, x.start)
	return x, true, nil
}

// Last returns the end of the last instance, and false if the series is
// endless or longer than the bound. Without any instance it is the zero time.
func (o *Object) Last(floating *time.Location, b Bound) (time.Time, bool) {
	s, err := o.series()
	if err != nil || s != nil && s.endless() {
		return time.Time{}, false
	}
	last := int64(minTime)
	n := 0
	if b.Instances <= 0 {
		b.Instances = DefaultBound.Instances
	}
	_, err = o.each(minTime, maxTime, floating, b.budget(), func(x occurrence) bool {
		last = max(last, x.end)
		n++
		return n <= b.Instances
	})
	if err != nil || n > b.Instances {
		return time.Time{}, false
	}
	if last == minTime {
		return time.Time{}, true
	}
	return unix(last), true
}

// Recurs reports whether the object can have more than one instance: RRULE,
// RDATE, or more than one component.
func (o *Object) Recurs() bool {
	return len(o.main) > 1 || o.master != nil && (o.master.Prop("RRULE") != nil || o.master.Prop("RDATE") != nil)
}
