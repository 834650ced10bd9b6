package ics

import (
	"errors"
	"slices"
	"strings"
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
			s, err := o.period(p, v)
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
func (o *Object) period(p *Prop, v string) (s Span, err error) {
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

// fbTypes are the values of FBTYPE (RFC 5545 §3.2.9).
var fbTypes = map[BusyType]string{Busy: "BUSY", Tentative: "BUSY-TENTATIVE", Unavailable: "BUSY-UNAVAILABLE"}

// FreeBusy makes the FREEBUSY properties of spans, in their order; free ones
// are left out.
func FreeBusy(spans []Span) []Prop {
	const stamp = "20060102T150405Z"
	props := make([]Prop, 0, len(spans))
	for _, s := range spans {
		if name := fbTypes[s.Type]; name != "" && s.Start.Before(s.End) {
			props = append(props, NewProp("FREEBUSY", s.Start.UTC().Format(stamp)+"/"+s.End.UTC().Format(stamp), Param{"FBTYPE", []string{name}}))
		}
	}
	return slices.Clip(props)
}
