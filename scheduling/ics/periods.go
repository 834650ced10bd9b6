package ics

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Periods reads the FREEBUSY properties of a VFREEBUSY (RFC 5545 §3.8.2.6):
// merged, free ones left out. The error is a *SyntaxError or a *TooLargeError.
func (o *Object) Periods(c *Component, most int) ([]Span, error) {
	var out []Span
	for _, p := range c.PropsNamed("FREEBUSY") {
		t := busyType(p.Param("FBTYPE"), Busy)
		for v := range strings.SplitSeq(p.Value, ",") {
			if trim(v) == "" {
				continue
			}
			if len(out) == most {
				return nil, &TooLargeError{"periods of busy time", most}
			}
			s, err := period(v)
			if err != nil {
				return nil, o.fault(p, err)
			}
			s.Type = t
			out = append(out, s)
		}
	}
	return Merge(out), nil
}

// period reads a PERIOD of times in UTC (RFC 5545 §3.3.9).
func period(v string) (s Span, err error) {
	begin, end, ok := strings.Cut(trim(v), "/")
	from, err := parseTime(begin)
	if err != nil {
		return s, err
	}
	if !ok || from.Form != UTC {
		return s, errors.New("no PERIOD in UTC")
	}
	s.Start = from.Wall
	if strings.HasPrefix(strings.TrimLeft(end, "+-"), "P") {
		l, err := parseDuration(end)
		if err != nil {
			return s, err
		}
		s.End = unix(l.after(utcZone, from.Wall.Unix()))
	} else {
		to, err := parseTime(end)
		if err != nil {
			return s, err
		}
		if to.Form != UTC {
			return s, errors.New("no PERIOD in UTC")
		}
		s.End = to.Wall
	}
	if s.End.Before(s.Start) {
		return s, errors.New("a PERIOD that ends before it begins")
	}
	return s, nil
}

// fbTypes are the values of FBTYPE (RFC 5545 §3.2.9), in the order in which
// they are told.
var fbTypes = []struct {
	kind BusyType
	name string
}{{Busy, "BUSY"}, {Tentative, "BUSY-TENTATIVE"}, {Unavailable, "BUSY-UNAVAILABLE"}}

// mostInLine bounds how many periods one property holds: some programs bound
// the length of what they read.
const mostInLine = 200

// FreeBusy makes the FREEBUSY properties of spans, in their order; free ones
// are left out. There is one for each FBTYPE, and what is busy is told by start
// and duration, as Apple's server told it: RFC 5545 §3.8.2.6 allows all forms,
// and there are programs that were tried with no other one.
func FreeBusy(spans []Span) []Prop {
	const stamp = "20060102T150405Z"
	var props []Prop
	for _, t := range fbTypes {
		var line strings.Builder
		n := 0
		end := func() {
			if n > 0 {
				props = append(props, NewProp("FREEBUSY", line.String(), Param{"FBTYPE", []string{t.name}}))
			}
			line.Reset()
			n = 0
		}
		for _, s := range spans {
			from, to := s.Start.UTC().Truncate(time.Second), s.End.UTC().Truncate(time.Second)
			if s.Type != t.kind || !from.Before(to) {
				continue
			}
			if n == mostInLine {
				end()
			}
			if n++; n > 1 {
				line.WriteByte(',')
			}
			line.WriteString(from.Format(stamp) + "/")
			if t.kind == Unavailable {
				line.WriteString(to.Format(stamp))
			} else {
				line.WriteString(Exactly(to.Sub(from)))
			}
		}
		end()
	}
	return slices.Clip(props)
}

// Exactly writes a duration after a time in UTC in hours, minutes and seconds,
// or in whole days, all of which are as long there (RFC 5545 §3.3.6).
func Exactly(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day == 0 {
		return "P" + strconv.FormatInt(int64(d/day), 10) + "D"
	}
	s := int64(d / time.Second)
	out := "PT"
	for _, part := range []struct {
		n    int64
		unit string
	}{{s / 3600, "H"}, {s / 60 % 60, "M"}, {s % 60, "S"}} {
		if part.n > 0 {
			out += strconv.FormatInt(part.n, 10) + part.unit
		}
	}
	return out
}
