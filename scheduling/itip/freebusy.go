package itip

import (
	"cmp"
	"slices"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// BusyTime is what a VFREEBUSY tells of a calendar user: his busy time from
// one instant to another (RFC 5545 §3.6.4).
type BusyTime struct {
	From, To time.Time
	Stamp    time.Time // DTSTAMP: later ones replace earlier ones
	Spans    []ics.Span
}

// MostBusyTime bounds the window of a question, and of what is remembered.
const MostBusyTime = 5 * 366 * 24 * time.Hour

const mostPeriods = 5000

// BusyMessage makes a VFREEBUSY of busy time, with METHOD if it is not "". who
// are ORGANIZER, ATTENDEE and what else it has, for each component.
func BusyMessage(method Method, uid string, b BusyTime, who ...[]ics.Prop) *ics.Object {
	root := &ics.Component{Name: "VCALENDAR", Props: []ics.Prop{ics.NewProp("VERSION", "2.0"), ics.NewProp("PRODID", ProductID)}}
	if method != "" {
		root.Props = append(root.Props, ics.NewProp("METHOD", string(method)))
	}
	if len(who) == 0 {
		who = [][]ics.Prop{nil}
	}
	periods := ics.FreeBusy(b.Spans)
	for _, more := range who {
		fb := &ics.Component{Name: "VFREEBUSY", Props: []ics.Prop{
			ics.NewProp("UID", uid),
			ics.NewProp("DTSTAMP", utc(b.Stamp)),
			ics.NewProp("DTSTART", utc(b.From)),
			ics.NewProp("DTEND", utc(b.To)),
		}}
		fb.Props = append(append(fb.Props, more...), periods...)
		root.Children = append(root.Children, fb)
	}
	return ics.New(root)
}

// AskedFor reads the window of a VFREEBUSY REQUEST (RFC 5546 §3.3.2): DTSTART
// and DTEND in UTC (RFC 5545 §3.6.4). What is wrong with it is said in words
// for people; "" is nothing.
func AskedFor(o *ics.Object) (from, to time.Time, wrong string) {
	c := o.First()
	for _, p := range []struct {
		name string
		to   *time.Time
	}{{"DTSTART", &from}, {"DTEND", &to}} {
		prop := c.Prop(p.name)
		if prop == nil {
			return from, to, "there is no " + p.name
		}
		t, err := o.PropTime(prop)
		if err != nil || t.Form != ics.UTC {
			return from, to, p.name + " has to be a time in UTC"
		}
		*p.to = t.At(time.UTC)
	}
	if !from.Before(to) || to.Sub(from) > MostBusyTime {
		return from, to, "DTEND has to be after DTSTART, by five years at most"
	}
	return from, to, ""
}

// ReadBusyTime reads a component of a VFREEBUSY REPLY or PUBLISH. Without
// DTSTART or DTEND nothing is known beyond the periods that it names. The
// error is for people.
func ReadBusyTime(o *ics.Object, c *ics.Component) (b BusyTime, err error) {
	if b.Spans, err = o.Periods(c, mostPeriods); err != nil {
		return b, err
	}
	for _, s := range b.Spans {
		if b.From.IsZero() || s.Start.Before(b.From) {
			b.From = s.Start
		}
		if s.End.After(b.To) {
			b.To = s.End
		}
	}
	for _, p := range []struct {
		name string
		to   *time.Time
	}{{"DTSTART", &b.From}, {"DTEND", &b.To}, {"DTSTAMP", &b.Stamp}} {
		prop := c.Prop(p.name)
		if prop == nil {
			continue
		}
		t, err := o.PropTime(prop)
		if err != nil {
			return b, err
		}
		*p.to = t.At(time.UTC)
	}
	if b.To.Sub(b.From) > MostBusyTime {
		b.To = b.From.Add(MostBusyTime)
	}
	return b.within(b.From, b.To), nil
}

// within is the part of busy time from one instant to another.
func (b BusyTime) within(from, to time.Time) BusyTime {
	if from.Before(b.From) {
		from = b.From
	}
	if to.After(b.To) {
		to = b.To
	}
	out := BusyTime{From: from, To: to, Stamp: b.Stamp}
	for _, s := range b.Spans {
		if s.Start.Before(from) {
			s.Start = from
		}
		if s.End.After(to) {
			s.End = to
		}
		if s.Start.Before(s.End) {
			out.Spans = append(out.Spans, s)
		}
	}
	return out
}

func (b BusyTime) empty() bool { return !b.From.Before(b.To) }

// without cuts the windows of others out.
func (b BusyTime) without(others []BusyTime) []BusyTime {
	rest := []BusyTime{b}
	for _, o := range others {
		var next []BusyTime
		for _, r := range rest {
			for _, part := range []BusyTime{r.within(r.From, o.From), r.within(o.To, r.To)} {
				if !part.empty() {
					next = append(next, part)
				}
			}
		}
		rest = next
	}
	return rest
}

// mostWindows is how many windows are remembered of one calendar user.
const mostWindows = 24

// Remember adds what a message tells of somebody to what was known of him: in
// its window it replaces what is not later (RFC 5546 §2.1.5), elsewhere that
// stays; what is past is forgotten. Windows come in the order of time and do
// not overlap. false: all of it was known better.
func Remember(known []BusyTime, b BusyTime, now time.Time) ([]BusyTime, bool) {
	var later, rest []BusyTime
	for _, k := range known {
		if k.Stamp.After(b.Stamp) {
			later = append(later, k)
		}
	}
	if b = b.within(now, b.To); b.empty() {
		return known, false
	}
	fresh := b.without(later)
	if len(fresh) == 0 {
		return known, false
	}
	for _, k := range known {
		if k = k.within(now, k.To); !k.empty() {
			rest = append(rest, k.without(fresh)...)
		}
	}
	out := append(rest, fresh...)
	slices.SortFunc(out, func(a, b BusyTime) int { return b.Stamp.Compare(a.Stamp) })
	out = out[:min(len(out), mostWindows)]
	slices.SortFunc(out, func(a, b BusyTime) int { return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To)) })
	return out, true
}

// Known is the longest stretch of [from, to) of which busy time is known; false
// if there is none.
func Known(known []BusyTime, from, to time.Time) (BusyTime, bool) {
	var best, run BusyTime
	for _, k := range known {
		k = k.within(from, to)
		switch {
		case k.empty():
			continue
		case k.From.Equal(run.To):
			run.To, run.Spans = k.To, append(run.Spans[:len(run.Spans):len(run.Spans)], k.Spans...)
		default:
			run = k
		}
		if run.To.Sub(run.From) > best.To.Sub(best.From) {
			best = run
		}
	}
	best.Spans = ics.Merge(best.Spans)
	return best, !best.empty()
}

// Beside adds to what is known what others say of the time of which nothing
// is.
func Beside(known, others []BusyTime) []BusyTime {
	out := slices.Clone(known)
	for _, o := range others {
		out = append(out, o.without(out)...)
	}
	slices.SortFunc(out, func(a, b BusyTime) int { return a.From.Compare(b.From) })
	return out
}

// WriteKnown and ReadKnown keep what is known of somebody: an iCalendar object
// with one VFREEBUSY for each window. What cannot be read is not known.
func WriteKnown(known []BusyTime) []byte {
	root := &ics.Component{Name: "VCALENDAR", Props: []ics.Prop{ics.NewProp("VERSION", "2.0"), ics.NewProp("PRODID", ProductID)}}
	for _, b := range known {
		root.Children = append(root.Children, BusyMessage("", "known", b).Main()...)
	}
	return ics.New(root).Bytes()
}

func ReadKnown(data []byte) (known []BusyTime) {
	if len(data) == 0 {
		return nil
	}
	o, err := ics.Parse(data, ics.Limits{})
	if err != nil {
		return nil
	}
	for _, c := range o.Main() {
		if b, err := ReadBusyTime(o, c); err == nil && !b.empty() {
			known = append(known, b)
		}
	}
	return known
}

// ReadPublished reads a file of busy time as it is found at a URL: VFREEBUSY
// components, later ones before earlier ones. now stands for a DTSTAMP that
// they do not have. The error is for people.
func ReadPublished(data []byte, now time.Time) ([]BusyTime, error) {
	o, err := ics.Parse(data, ics.Limits{Bytes: len(data) + 1, Properties: 20_000, Components: 100})
	if err != nil {
		return nil, err
	}
	var known []BusyTime
	found := false
	for _, c := range o.Main() {
		if c.Name != "VFREEBUSY" {
			continue
		}
		b, err := ReadBusyTime(o, c)
		if err != nil {
			return nil, err
		}
		found = true
		if b.Stamp.IsZero() {
			b.Stamp = now
		}
		known, _ = Remember(known, b, now)
	}
	if !found {
		return nil, &ics.SyntaxError{Reason: "no VFREEBUSY"}
	}
	return known, nil
}
