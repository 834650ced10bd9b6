package filter

import (
	"math"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/scheduling/ics"
)

// Plan is what the index of the database can do for a filter, so that bodies
// are loaded of objects that may match and of no others.
type Plan struct {
	// Component is the kind that every match has; "" where any may match.
	Component string
	// Window is where a match has an instance; nil where the filter asks for
	// none that the index knows (it knows those of VEVENT).
	Window *Range
	// UID is what the UID of a match contains; nil where any will do.
	UID *Text
	// Exact: Component, Window and UID are the whole filter, so an object that
	// meets them matches and needs no look at its body.
	Exact bool
}

// mainComponents are those that make the kind of a calendar object (RFC 4791
// §4.1).
var mainComponents = map[string]bool{"VEVENT": true, "VTODO": true, "VJOURNAL": true, "VFREEBUSY": true, "VAVAILABILITY": true}

// Plan returns the plan of f.
func (f *Filter) Plan() Plan {
	r := &f.root
	if r.Any && len(r.Props)+len(r.Comps) > 1 {
		return Plan{}
	}
	if r.NotDefined || len(r.Props) > 0 || len(r.Comps) > 1 {
		return f.mixed()
	}
	if len(r.Comps) == 0 {
		return Plan{Exact: true} // every calendar object has a VCALENDAR
	}
	c := &r.Comps[0]
	if c.NotDefined || !mainComponents[c.Name] {
		return Plan{}
	}
	return planOf(c)
}

// mixed plans a filter with several conditions on the calendar object: all
// must hold, so that one of them may narrow the search.
func (f *Filter) mixed() Plan {
	for i := range f.root.Comps {
		if c := &f.root.Comps[i]; !c.NotDefined && mainComponents[c.Name] && !f.root.NotDefined {
			p := planOf(c)
			p.Exact = false
			return p
		}
	}
	return Plan{}
}

func planOf(c *Comp) Plan {
	p := Plan{Component: c.Name, Exact: len(c.Comps) == 0}
	if c.Any {
		p.Exact = c.Range == nil && len(c.Comps)+len(c.Props) == 0
		return p
	}
	switch {
	case c.Range == nil:
	case c.Name == "VEVENT":
		p.Window = c.Range
	default:
		p.Exact = false
	}
	for i := range c.Props {
		// RFC 4791 §7.8.6; every component of an object has the same UID (§4.1).
		if q := &c.Props[i]; q.Name == "UID" && q.Text != nil && !q.Text.Negate && len(q.Params) == 0 && p.UID == nil {
			p.UID = q.Text
			p.Exact = p.Exact && q.Text.Type == dav.Contains
		} else {
			p.Exact = false
		}
	}
	return p
}

// Micros returns the window in microseconds since 1970 UTC, as the index
// counts; an open side is as far as an int64 goes.
func (r Range) Micros() (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if !r.From.IsZero() {
		from = r.From.UnixMicro()
	}
	if !r.To.IsZero() {
		to = r.To.UnixMicro()
	}
	return from, to
}

// Answer is what the record of an object says about a window.
type Answer uint8

const (
	No   Answer = iota // no instance of it lies there
	Yes                // one does
	Look               // the record does not tell: load the object
)

// InWindow says whether an object with this record (one of the two, or none)
// has an instance in r by the rules for VEVENT (RFC 4791 §9.9). sameZone tells
// that floating times stand for the request in the zone for which the record
// was made.
func InWindow(r Range, slot *ics.Slot, series *ics.Series, sameZone bool) Answer {
	from, to := r.Micros()
	switch {
	case slot != nil:
		if slot.Floating && !sameZone {
			return Look
		}
		return answer(inside64(slot.Start, slot.Fin, from, to))
	case series != nil:
		if series.Floating && !sameZone {
			return Look
		}
		found := false
		// One microsecond more to the left: an instance without length at from
		// counts, however RunSpans takes it.
		err := ics.RunSpans(series.Runs, max(from, math.MinInt64+1)-1, to, func(start, end int64, _ ics.BusyType) bool {
			found = inside64(start, end, from, to)
			return !found
		})
		switch {
		case found:
			return Yes
		case err == nil && (to <= series.CoveredUntil || series.Last <= series.CoveredUntil):
			return No
		}
		return Look
	}
	return Look
}

func answer(yes bool) Answer {
	if yes {
		return Yes
	}
	return No
}

// inside64 is Range.overlaps in microseconds.
func inside64(start, end, from, to int64) bool {
	if end <= start {
		return from <= start && start < to
	}
	return from < end && start < to
}

// SameZone reports whether two zones give floating times the same meaning.
func SameZone(a, b *time.Location) bool {
	return a == b || a != nil && b != nil && a.String() == b.String()
}
