package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

const (
	// Ahead is how far an endless series is looked at, or to the end of the
	// last booking if that is later (at most Farthest).
	Ahead    = 10 * 366 * 24 * time.Hour
	Farthest = 100 * 366 * 24 * time.Hour
	// MaxExceptions is how many occurrences of a series are declined one by
	// one; a series with more conflicts is declined as a whole, as is one
	// without any free occurrence.
	MaxExceptions = 100
)

// Question is one invitation, or a change of one, that asks for an answer.
type Question struct {
	// Before is the copy that was answered last, nil without one; After is the
	// copy as the organizer wants it now.
	Before, After *ics.Object
	Self          func(cuaddr.Address) bool
	Organizer     cuaddr.Address
	// Unattended: nobody looks at what no rule decides, so it is declined. So
	// for rooms and resources, not for people.
	Unattended bool

	Now      time.Time
	Floating *time.Location
	Bound    ics.Bound

	// Busy returns what else is booked in a window, spans of one conversation
	// each (not merged) and this conversation left out. Where nothing can be
	// booked at all, a span is ics.Unavailable.
	Busy func(from, to time.Time) ([]ics.Span, error)
	// Booked returns the end of the last booking that has an end and ends after
	// the given time; the zero time if there is none.
	Booked func(after time.Time) (time.Time, error)
}

// Answer is what to reply.
type Answer struct {
	// Master is the PARTSTAT for the component without RECURRENCE-ID, "" if it
	// stays as it is.
	Master string
	// Single holds the PARTSTAT of occurrences that have one of their own, in
	// the order of time.
	Single []Occurrence
	// Reason says in few words why.
	Reason string
}

// Occurrence is the answer to one occurrence.
type Occurrence struct {
	RID      ics.RID
	PartStat string
}

// None reports whether there is nothing to reply.
func (a Answer) None() bool { return a.Master == "" && len(a.Single) == 0 }

const (
	accepted    = "ACCEPTED"
	declined    = "DECLINED"
	needsAction = "NEEDS-ACTION"
)

// occasion is one occurrence that takes place from now on.
type occasion struct {
	ics.Instance
	answer string // what stands or is decided now; "" undecided
	asked  bool   // it was not answered at this time before
	clash  bool
}

// Decide answers every occurrence that begins or goes on after q.Now and was
// not answered before at the time at which it now is. What an organizer says
// about our PARTSTAT does not count: only Before does.
func (p Policy) Decide(q Question) (Answer, error) {
	if !p.Automatic() {
		return Answer{}, nil
	}
	occ, err := q.occasions()
	if err != nil {
		return Answer{}, err
	}
	var from, to time.Time
	asked := 0
	for _, o := range occ {
		if !o.asked {
			continue
		}
		if asked++; from.IsZero() || o.Start.Before(from) {
			from = o.Start
		}
		if o.End.After(to) {
			to = o.End
		}
	}
	if asked == 0 {
		return Answer{}, nil
	}
	busy, err := q.Busy(from, to)
	if err != nil {
		return Answer{}, err
	}
	clashes := 0
	for _, r := range p.rules {
		if !r.about(q.Organizer) {
			continue
		}
		if r.action != accept && r.action != reject {
			clashes = markClashes(occ, busy, max(r.limit, 1))
		}
		for i := range occ {
			if o := &occ[i]; o.asked && o.answer == "" {
				o.answer = r.decide(o.clash)
			}
		}
	}
	if q.Unattended {
		for i := range occ {
			if occ[i].answer == "" {
				occ[i].answer = declined
			}
		}
	}
	a := collect(q.After, occ)
	switch {
	case a.None():
	case clashes > 0 && asked == 1:
		a.Reason = "not free at that time"
	case clashes > 0:
		a.Reason = fmt.Sprintf("not free at %d of %d occurrences", clashes, asked)
	default:
		a.Reason = "free at that time"
	}
	if clashes == 0 && a.refuses() {
		a.Reason = "refused by its rules"
	}
	return a, nil
}

func (r rule) decide(clash bool) string {
	switch {
	case r.action == accept, !clash && (r.action == acceptIfFree || r.action == byFreeBusy):
		return accepted
	case r.action == reject, clash && (r.action == rejectIfConflict || r.action == byFreeBusy):
		return declined
	}
	return ""
}

func (a Answer) refuses() bool {
	if a.Master == declined {
		return true
	}
	return slices.ContainsFunc(a.Single, func(o Occurrence) bool { return o.PartStat == declined })
}

// occasions expands After from now on and finds what Before answered.
func (q Question) occasions() ([]occasion, error) {
	to, ends := q.After.Last(q.Floating, q.Bound)
	if !ends {
		start := q.Now
		to = start.Add(Ahead)
		last, err := q.Booked(to)
		if err != nil {
			return nil, err
		}
		if far := start.Add(Farthest); last.After(far) {
			last = far
		}
		if last.After(to) {
			to = last
		}
	}
	to = to.Add(time.Second) // an occurrence without length may stand at the very end
	type answered struct {
		start, end time.Time
		partstat   string
	}
	before := map[ics.RID]answered{}
	if q.Before != nil {
		err := q.Before.Instances(q.Now, to, q.Floating, q.Bound, func(i ics.Instance) bool {
			if me := ics.Attendee(i.Component, q.Self); me != nil && !cancelled(i.Component) {
				before[i.RID] = answered{i.Start, i.End, ics.PartStat(me)}
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	var occ []occasion
	err := q.After.Instances(q.Now, to, q.Floating, q.Bound, func(i ics.Instance) bool {
		me := ics.Attendee(i.Component, q.Self)
		if me == nil || cancelled(i.Component) {
			return true // not invited to this one
		}
		o := occasion{Instance: i, asked: true}
		now := ics.PartStat(me)
		if b, ok := before[i.RID]; ok && b.start.Equal(i.Start) && b.end.Equal(i.End) && b.partstat == now &&
			(now == accepted || now == declined) {
			o.asked, o.answer = false, now
		}
		occ = append(occ, o)
		return true
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(occ, func(a, b occasion) int { return a.Start.Compare(b.Start) })
	return occ, nil
}

func cancelled(c *ics.Component) bool { return strings.EqualFold(c.Value("STATUS"), "CANCELLED") }

// markClashes says of each asked occurrence whether limit others are booked at
// one instant of it, or it cannot be booked then whatever the limit, and returns how many clash. Occurrences that end where
// another begins do not clash; those that block no time never do.
func markClashes(occ []occasion, busy []ics.Span, limit int) int {
	busy = slices.DeleteFunc(slices.Clone(busy), func(s ics.Span) bool { return s.Type == ics.Free })
	slices.SortFunc(busy, func(a, b ics.Span) int { return a.Start.Compare(b.Start) })
	// longest[i] is the latest end among busy[:i+1]: how far back one must look.
	longest := make([]time.Time, len(busy))
	for i, s := range busy {
		longest[i] = s.End
		if i > 0 && longest[i-1].After(s.End) {
			longest[i] = longest[i-1]
		}
	}
	n := 0
	for i := range occ {
		o := &occ[i]
		o.clash = false
		if !o.asked || strings.EqualFold(o.Component.Value("TRANSP"), "TRANSPARENT") {
			continue
		}
		first, _ := slices.BinarySearchFunc(longest, o.Start, func(end, start time.Time) int {
			if end.After(start) {
				return 1
			}
			return -1
		})
		if o.clash = concurrent(o.Start, o.End, busy[first:], limit); o.clash {
			n++
		}
	}
	return n
}

// concurrent reports whether at some instant of [start, end) at least limit
// spans are booked, or nothing can be. spans are sorted by Start.
func concurrent(start, end time.Time, spans []ics.Span, limit int) bool {
	var ends []time.Time // of the spans that reach over the instant looked at
	for _, s := range spans {
		if !s.Start.Before(end) {
			break
		}
		if !s.End.After(start) {
			continue
		}
		ends = slices.DeleteFunc(ends, func(e time.Time) bool { return !e.After(s.Start) })
		if ends = append(ends, s.End); len(ends) >= limit || s.Type == ics.Unavailable {
			return true
		}
	}
	return false
}

// collect makes the answer of what was decided occurrence by occurrence: one
// PARTSTAT for the master, and exceptions from it.
func collect(after *ics.Object, occ []occasion) Answer {
	var a Answer
	var yes, no, open []ics.RID
	asked := false
	for _, o := range occ {
		if o.Component != after.Master() {
			if o.asked && o.answer != "" {
				a.Single = append(a.Single, Occurrence{o.RID, o.answer})
			}
			continue
		}
		asked = asked || o.asked
		switch {
		case o.answer == accepted:
			yes = append(yes, o.RID)
		case o.answer == declined && o.asked:
			no = append(no, o.RID)
		case o.answer == "":
			open = append(open, o.RID)
		}
	}
	switch {
	case !asked || len(yes) == 0 && len(no) == 0:
	case len(yes) == 0 && len(open) == 0, len(no) > MaxExceptions:
		a.Master = declined
	case len(yes) == 0:
		for _, r := range no {
			a.Single = append(a.Single, Occurrence{r, declined})
		}
	default:
		a.Master = accepted
		for _, r := range no {
			a.Single = append(a.Single, Occurrence{r, declined})
		}
		for _, r := range open {
			a.Single = append(a.Single, Occurrence{r, needsAction})
		}
	}
	return a
}
