package ics

import "strings"

// What may be stored, as a server tells it (RFC 4791 §5.2.6 to §5.2.8): the
// years that iCalendar and the expansion of recurrences both know, and as many
// instances as are ever looked at.
const (
	MinDateTime  = "00010101T000000Z"
	MaxDateTime  = "99991231T235959Z"
	MaxInstances = 100_000
)

// TooEarly returns a property whose value lies before MinDateTime, TooLate one
// after MaxDateTime; nil if there is none. Instances of a recurrence do not
// count, only what is written (RFC 4791 §5.2.6).
func (o *Object) TooEarly() *Prop {
	return o.findTime(func(_ *Prop, v string) bool { return strings.HasPrefix(v, "0000") })
}

// TooLate is the other side of TooEarly.
func (o *Object) TooLate() *Prop {
	return o.findTime(func(p *Prop, v string) bool {
		t, err := o.timeValue(p, v)
		return err == nil && t.At(utcZone.loc).Year() > lastYear
	})
}

// findTime returns the first property with a DATE or DATE-TIME for which f is
// true, in all components but VTIMEZONE.
func (o *Object) findTime(f func(*Prop, string) bool) *Prop {
	var walk func(c *Component) *Prop
	walk = func(c *Component) *Prop {
		for i := range c.Props {
			p := &c.Props[i]
			typ := valueTypes[p.Name]
			if v := p.Param("VALUE"); v != "" {
				typ = strings.ToLower(v)
			}
			if typ != "date" && typ != "date-time" && typ != "period" {
				continue
			}
			for v := range strings.SplitSeq(p.Value, ",") {
				for v := range strings.SplitSeq(v, "/") {
					if v = strings.TrimSpace(v); len(v) >= 8 && digits(v[:8]) && f(p, v) {
						return p
					}
				}
			}
		}
		for _, ch := range c.Children {
			if p := walk(ch); p != nil {
				return p
			}
		}
		return nil
	}
	for _, c := range o.main {
		if p := walk(c); p != nil {
			return p
		}
	}
	return nil
}

// Exceeds reports whether a series that ends has more than n instances, which
// is at most MaxInstances. One without end has as many as somebody asks for.
func (o *Object) Exceeds(n int) bool {
	s, err := o.series()
	if err != nil || s == nil || s.endless() {
		return false
	}
	count := 0
	_, err = o.each(minTime, maxTime, utcZone.loc, Bound{}.budget(), func(occurrence) bool {
		count++
		return count <= n
	})
	return count > n || err != nil
}

// LocalAcknowledged returns an ACKNOWLEDGED of an alarm that is not in UTC, as
// RFC 9074 §6.1 has it: nobody knows when that was. nil if there is none.
func (o *Object) LocalAcknowledged() *Prop {
	for _, c := range o.main {
		for _, a := range c.Children {
			if a.Name != "VALARM" {
				continue
			}
			for _, p := range a.PropsNamed("ACKNOWLEDGED") {
				if t, err := parseTime(p.Value); err != nil || t.Form != UTC {
					return p
				}
			}
		}
	}
	return nil
}
