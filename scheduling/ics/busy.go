package ics

import (
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
func Effect(c *Component, who func(cuaddr.Address) bool) BusyType { panic("ics: not built yet") }

// Slot is the record of an object with exactly one instance that is at most
// seven days long. Times are microseconds since 1970 UTC.
type Slot struct {
	Start, Fin int64
	Type       BusyType
	Floating   bool
}

// Series is the record of any other object: recurring, or longer.
type Series struct {
	First        int64  // start of the first instance
	Last         int64  // end of the last instance; Endless if there is none
	CoveredUntil int64  // instances that start before are in Runs; later ones are computed from the object
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

// Index computes the record. All instances are in it, free ones with type
// Free, because time-range queries look for them too. It covers ten years from
// the first instance or two kilobytes of runs, whichever is less.
func (o *Object) Index(who func(cuaddr.Address) bool, floating *time.Location, b Bound) (Index, error) {
	panic("ics: not built yet")
}

// RunSpans calls yield for each instance in runs that overlaps [from, to), in
// microseconds since 1970 UTC, until yield returns false. Malformed runs end
// it with an error.
func RunSpans(runs []byte, from, to int64, yield func(start, end int64, t BusyType) bool) error {
	panic("ics: not built yet")
}

// Merge sorts spans, drops free ones and joins those of one type that touch or
// overlap. Where types overlap both stay, as RFC 5545 §3.6.4 allows.
func Merge(spans []Span) []Span { panic("ics: not built yet") }
