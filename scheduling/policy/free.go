package policy

import (
	"errors"
	"slices"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// inFreeBusy accepts what is free: imip-agent's schedule_in_freebusy, and its
// relatives that propose another time.
type inFreeBusy struct {
	limit   int  // other bookings at one instant that are too many
	correct bool // to the next permitted time
	search  bool // for the next time at which everybody is free
}

func (p *Policy) addFreeBusy(args []string, correct, search bool) error {
	n, err := count(args, 1, 10_000)
	return then(err, func() {
		p.looks = true
		p.conditions = append(p.conditions, inFreeBusy{n, correct, search})
	})
}

func (f inFreeBusy) judge(in *inquiry) error {
	if f.correct {
		if o := in.single(); o != nil && o.answer == "" {
			return f.propose(in, o)
		}
		for _, o := range in.asked {
			if o.AllDay || !in.policy.permitted.next(o.Start, in.zone()).Equal(o.Start) {
				in.refuse(o, Reason{Text: "begins at a time that is not permitted"})
			}
		}
	}
	if err := in.mark(f.limit); err != nil {
		return err
	}
	for _, o := range in.asked {
		if o.clash {
			in.refuse(o, busyThen)
		}
	}
	return nil
}

var busyThen = Reason{Text: "not free at that time"}

// Search is how far ahead of what was asked another time is looked for.
const Search = 100 * 24 * time.Hour

// propose answers one occurrence by itself, or proposes another time for it. A
// proposed time lasts as long as what was asked for.
func (f inFreeBusy) propose(in *inquiry, o *occasion) error {
	if o.AllDay {
		in.refuse(o, Reason{Text: "a day has no time that could be permitted"})
		return nil
	}
	start := in.policy.permitted.next(o.Start, in.zone())
	to := o.End.Add(24 * time.Hour)
	if f.search {
		to = o.End.Add(Search)
	}
	own, err := in.Busy(ics.WantedIn(o.Start, to))
	if err != nil {
		return err
	}
	var others []ics.Span
	if f.search && in.Others != nil {
		if others, err = in.Others(o.Start, to); err != nil {
			return err
		}
	}
	mine, theirs := newCalendar(own), newCalendar(others)
	length := o.End.Sub(o.Start)
	// As it was asked, only the own calendar counts: who invites knows whom.
	if !mine.clash(start, start.Add(length), f.limit) {
		why, err := in.fits(start, start.Add(length))
		if err != nil {
			return err
		}
		switch {
		case (why.Text == "" || in.open) && start.Equal(o.Start):
			return nil
		case why.Text == "":
			in.counter = &Counter{RID: o.RID, Start: start, End: start.Add(length), Hold: in.policy.keep()}
			return nil
		case !f.search:
			in.refuse(o, why)
			return nil
		}
	}
	if !f.search {
		in.refuse(o, busyThen)
		return nil
	}
	const step = 5 * time.Minute
	for n := 0; n < int(Search/step) && !start.Add(length).After(to); n++ {
		end := start.Add(length)
		until, busy := mine.busyUntil(start, end, f.limit)
		if u, b := theirs.busyUntil(start, end, 1); b && (!busy || u.After(until)) {
			until, busy = u, true
		}
		if !busy {
			why, err := in.fits(start, end)
			if err != nil {
				return err
			}
			if why.Text == "" {
				in.counter = &Counter{RID: o.RID, Start: start, End: end, Hold: in.policy.keep()}
				return nil
			}
			until = start.Add(step)
		}
		if !until.After(start) {
			until = start.Add(step)
		}
		start = in.policy.permitted.next(until, in.zone())
	}
	in.refuse(o, busyThen)
	return nil
}

// fits asks all other timings of the policy about a time.
func (in *inquiry) fits(start, end time.Time) (Reason, error) {
	for _, c := range in.conditions {
		t, ok := c.(timing)
		if !ok {
			continue
		}
		if why, err := t.fits(in, start, end, false); err != nil || why.Text != "" {
			return why, err
		}
	}
	return Reason{}, nil
}

// buffer wants other bookings to keep their distance.
type buffer struct{ before, after time.Duration }

func readBuffer(p *Policy, args []string) (err error) {
	var b buffer
	switch len(args) {
	case 1:
		b.before, err = duration(args[0])
		b.after = b.before
	case 2:
		if b.before, err = duration(args[0]); err == nil {
			b.after, err = duration(args[1])
		}
	default:
		err = errors.New("takes one or two durations")
	}
	return then(err, func() { p.conditions = append(p.conditions, each{b}) })
}

func (b buffer) fits(in *inquiry, start, end time.Time, _ bool) (Reason, error) {
	near, err := in.Busy(ics.WantedIn(start.Add(-b.before), end.Add(b.after)))
	if err != nil {
		return Reason{}, err
	}
	for _, s := range near {
		if s.Type != ics.Free && (!s.End.After(start) && s.End.After(start.Add(-b.before)) ||
			!s.Start.Before(end) && s.Start.Before(end.Add(b.after))) {
			return Reason{Text: "too close to another booking"}, nil
		}
	}
	return Reason{}, nil
}

// calendar is busy time by its start, ready to be asked about many periods.
type calendar struct {
	spans []ics.Span
	// reach[i] is the latest end among spans[:i+1]: how far back one must look.
	reach []time.Time
}

func newCalendar(busy []ics.Span) calendar {
	c := calendar{spans: slices.DeleteFunc(slices.Clone(busy), func(s ics.Span) bool { return s.Type == ics.Free })}
	slices.SortFunc(c.spans, func(a, b ics.Span) int { return a.Start.Compare(b.Start) })
	c.reach = make([]time.Time, len(c.spans))
	for i, s := range c.spans {
		c.reach[i] = s.End
		if i > 0 && c.reach[i-1].After(s.End) {
			c.reach[i] = c.reach[i-1]
		}
	}
	return c
}

// from returns the spans among which all are that end after a time.
func (c calendar) from(t time.Time) []ics.Span {
	first, _ := slices.BinarySearchFunc(c.reach, t, func(end, t time.Time) int {
		if end.After(t) {
			return 1
		}
		return -1
	})
	return c.spans[first:]
}

// clash reports whether at some instant of [start, end) at least limit spans
// are booked, or nothing can be whatever the limit. What ends where another
// begins does not clash.
func (c calendar) clash(start, end time.Time, limit int) bool {
	var ends []time.Time // of the spans that reach over the instant looked at
	for _, s := range c.from(start) {
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

// busyUntil reports whether [start, end) clashes, and the first time at which
// something ends that is booked then: there is no use in an earlier one.
func (c calendar) busyUntil(start, end time.Time, limit int) (until time.Time, busy bool) {
	if !c.clash(start, end, limit) {
		return time.Time{}, false
	}
	for _, s := range c.from(start) {
		if !s.Start.Before(end) {
			break
		}
		if s.End.After(start) && (until.IsZero() || s.End.Before(until)) {
			until = s.End
		}
	}
	return until, true
}

// mark says of each occurrence that is asked for whether it clashes with limit
// others. What blocks no time never does.
func (in *inquiry) mark(limit int) error {
	if err := in.load(); err != nil {
		return err
	}
	for _, o := range in.asked {
		o.clash = !o.transparent() && in.busy.clash(o.Start, o.End, limit)
	}
	return nil
}

// load reads the busy time of all that is asked for, once.
func (in *inquiry) load() error {
	if in.loaded || len(in.asked) == 0 {
		return nil
	}
	busy, err := in.Busy(in.times())
	if err != nil {
		return err
	}
	in.busy, in.loaded = newCalendar(busy), true
	return nil
}

// times are those that are asked for.
func (in *inquiry) times() ics.Wanted {
	spans := make([]ics.Span, len(in.asked))
	for i, o := range in.asked {
		spans[i] = ics.Span{Start: o.Start, End: o.End}
	}
	return ics.WantedAt(spans)
}

// span reaches from the first to the last of what is asked for.
func (in *inquiry) span() (from, to time.Time) {
	for _, o := range in.asked {
		if from.IsZero() || o.Start.Before(from) {
			from = o.Start
		}
		if o.End.After(to) {
			to = o.End
		}
	}
	return from, to
}
