package ics

import (
	"cmp"
	"slices"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
)

// BusyType is the effect of an instance on its owner's free/busy time (RFC
// 5545 §3.2.9). Its numbers are stored.
type BusyType uint8

const (
	Free        BusyType = 0
	Busy        BusyType = 1
	Tentative   BusyType = 2
	Unavailable BusyType = 3
)

// Span is a period of time of one type; End is exclusive.
type Span struct {
	Start, End time.Time
	Type       BusyType
}

// Effect returns what a component means for its owner: Free where it is
// transparent, cancelled, or the owner has not accepted (NEEDS-ACTION,
// DECLINED, DELEGATED); Tentative where he or the event is; else Busy. who
// recognises the owner's addresses; the organizer is always taking part unless
// his own ATTENDEE line says otherwise than NEEDS-ACTION.
func Effect(c *Component, who func(cuaddr.Address) bool) BusyType {
	status := c.Value("STATUS")
	if equalFold(c.Value("TRANSP"), "TRANSPARENT") || equalFold(status, "CANCELLED") { // RFC 5545 §3.8.2.7
		return Free
	}
	tentative := equalFold(status, "TENTATIVE")
	if who != nil {
		if a := Attendee(c, who); a != nil {
			switch stat := PartStat(a); {
			case stat == "ACCEPTED":
			case stat == "TENTATIVE":
				tentative = true
			case stat == "NEEDS-ACTION" && isOrganizer(c, who):
			default: // RFC 5545 §3.2.12: an unknown value means NEEDS-ACTION
				return Free
			}
		}
	}
	if tentative {
		return Tentative
	}
	return Busy
}

func isOrganizer(c *Component, who func(cuaddr.Address) bool) bool {
	a := Organizer(c)
	return !a.IsZero() && who(a)
}

// Slot is the record of an object with exactly one instance that is at most
// seven days long. Times are microseconds since 1970 UTC.
type Slot struct {
	Start, Fin int64
	Type       BusyType
	Floating   bool
}

// Series is the record of any other object: recurring, or longer.
type Series struct {
	First        int64  // start of the first instance; -Endless if that would be too much work
	Last         int64  // end of the last instance; Endless if there is none or it is too far
	CoveredUntil int64  // instances that start before are in Runs, later ones are computed from the object; Endless: all are
	Runs         []byte // arithmetic progressions of instances, see RunSpans
	Floating     bool
}

// Endless is the Last of a series without an end.
const Endless = int64(1) << 62

// Index is the record of an object's time that the database keeps: one of the
// two, or none (no VEVENT; nothing that happens in time).
type Index struct {
	Slot   *Slot
	Series *Series
}

const (
	micro         = 1_000_000
	slotLength    = 7 * daySecs
	coverage      = 10 * 366 * daySecs
	maxRuns       = 2048   // octets
	indexedAtMost = 20_000 // instances looked at for the runs
)

// Index computes the record. All instances are in it, free ones with type
// Free, because time-range queries look for them too. It covers ten years from
// the first instance or two kilobytes of runs, whichever is less.
func (o *Object) Index(who func(cuaddr.Address) bool, floating *time.Location, b Bound) (Index, error) {
	if o.Kind() != "VEVENT" {
		return Index{}, nil
	}
	s, err := o.series()
	if err != nil {
		return Index{}, err
	}
	origin := int64(maxTime)
	endless := false
	if s != nil {
		origin, endless = s.start.At(floating).Unix(), s.endless()
	} else if len(o.overrides) > 0 {
		x, _, err := o.override(o.overrides[0], nil, zoneOf(floating))
		if err != nil {
			return Index{}, err
		}
		origin = x.start
	}
	horizon := origin + coverage
	to := int64(maxTime)
	if endless {
		to = horizon
	}
	limit := indexedAtMost
	if b.Instances > 0 {
		limit = min(limit, b.Instances)
	}
	computed := Index{Series: &Series{First: -Endless, Last: Endless, CoveredUntil: -Endless, Floating: true}}
	if named := len(o.overrides); named > limit || s != nil && named+len(s.rdates) > limit {
		return computed, nil // these come in no order: there is no part that could be covered
	}

	var list []stretch
	var effect BusyType
	var effectOf *Component
	loose := false
	last, cut := int64(minTime), int64(maxTime)
	reached, err := o.each(minTime, to, floating, b.budget(), func(x occurrence) bool {
		loose = loose || x.floating
		last = max(last, x.end)
		if x.start >= horizon {
			cut = horizon
			return true
		}
		if len(list) >= limit {
			cut = min(cut, x.start-reach)
			return false
		}
		if effectOf != x.c {
			effect, effectOf = Effect(x.c, who), x.c
		}
		list = append(list, stretch{x.start, x.end - x.start, effect})
		return true
	})
	switch {
	case err == ErrTooMany && reached == minTime:
		return computed, nil
	case err == ErrTooMany:
		cut, endless = min(cut, reached), true
	case err != nil:
		return Index{}, err
	case endless:
		cut = min(cut, horizon)
	case cut < horizon: // the rest was not looked at
		endless = true
	}
	if len(list) == 0 && cut == maxTime {
		return Index{}, nil
	}
	if len(list) == 1 && cut == maxTime && list[0].length <= slotLength {
		x := list[0]
		return Index{Slot: &Slot{x.start * micro, (x.start + x.length) * micro, x.typ, loose}}, nil
	}
	slices.SortFunc(list, func(a, b stretch) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.length, b.length), cmp.Compare(a.typ, b.typ))
	})
	out := &Series{First: origin * micro, Last: last * micro, CoveredUntil: Endless, Floating: loose}
	if len(list) > 0 {
		out.First = list[0].start * micro
	}
	if endless {
		out.Last = Endless
	}
	out.Runs, cut = encodeRuns(list, cut)
	if cut < maxTime {
		out.CoveredUntil = max(cut*micro, out.First)
	}
	return Index{Series: out}, nil
}

// Merge sorts spans, drops free ones and joins those of one type that touch or
// overlap. Where types overlap both stay, as RFC 5545 §3.6.4 allows.
func Merge(spans []Span) []Span {
	var in []Span
	for _, s := range spans {
		if s.Type != Free && s.Start.Before(s.End) {
			in = append(in, s)
		}
	}
	slices.SortFunc(in, func(a, b Span) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Type, b.Type)) })
	var out []Span
	var open [256]int // place in out of the last span of a type, plus one
	for _, s := range in {
		if i := open[s.Type]; i > 0 && !out[i-1].End.Before(s.Start) {
			if out[i-1].End.Before(s.End) {
				out[i-1].End = s.End
			}
			continue
		}
		out = append(out, s)
		open[s.Type] = len(out)
	}
	return out
}
