package ics

import "time"

// Mended returns the object with the times put right that programs are known
// to get wrong, and that say plainly enough what was meant; the object itself
// where there is nothing to mend. What is stored differs from what was sent
// then, and the program reads it anew (RFC 4791 §5.3.4).
//
//   - A DTEND that lies before DTSTART ends nothing: it is left out, as programs
//     that come upon such an event read it.
//   - A RECURRENCE-ID at midnight that is no instance names the one that begins
//     on that day, where there is one and no other component describes it.
func Mended(o *Object) *Object {
	o = o.mend("DTEND", func(c *Component) (*Prop, bool) { return nil, o.endsBefore(c) })
	return o.mend("RECURRENCE-ID", func(c *Component) (*Prop, bool) {
		r, midnight := o.misnamed(c)
		if r == "" || !midnight {
			return nil, false
		}
		p := o.DateProp("RECURRENCE-ID", r)
		return &p, false
	})
}

// mend returns the object with one property of each component as of has it: nil
// as it is, or gone.
func (o *Object) mend(name string, of func(*Component) (p *Prop, gone bool)) *Object {
	var root *Component
	for i, c := range o.root.Children {
		if c.Name == "VTIMEZONE" {
			continue
		}
		p, gone := of(c)
		if p == nil && !gone {
			continue
		}
		if root == nil {
			root = o.root.Clone()
		}
		if gone {
			root.Children[i].Remove(name)
		} else {
			root.Children[i].Set(*p)
		}
	}
	if root == nil {
		return o
	}
	return New(root)
}

// endsBefore reports whether an event ends before it begins, whatever the forms
// of both.
func (o *Object) endsBefore(c *Component) bool {
	start, end, ok := o.ends(c)
	return ok && start.key(end) < start.key(start)
}

// ends reads DTSTART and DTEND of an event.
func (o *Object) ends(c *Component) (start, end Time, ok bool) {
	p, q := c.Prop("DTSTART"), c.Prop("DTEND")
	if c.Name != "VEVENT" || p == nil || q == nil {
		return start, end, false
	}
	start, err := o.PropTime(p)
	if err != nil {
		return start, end, false
	}
	end, err = o.PropTime(q)
	return start, end, err == nil
}

// LooseEnd returns a DTEND that is a time of no zone where DTSTART is one of a
// zone, or the other way round (RFC 5545 §3.8.2.2); nil if there is none.
func (o *Object) LooseEnd() *Prop {
	for _, c := range o.main {
		if start, end, ok := o.ends(c); ok && (start.Form == Floating) != (end.Form == Floating) {
			return c.Prop("DTEND")
		}
	}
	return nil
}

// Misnamed returns a RECURRENCE-ID that names another time of day than the one
// instance that begins on its day; nil if there is none. What names no day of
// the series is not among them: programs leave such behind when they change a
// rule.
func (o *Object) Misnamed() *Prop {
	for _, c := range o.main {
		if r, _ := o.misnamed(c); r != "" {
			return c.Prop("RECURRENCE-ID")
		}
	}
	return nil
}

// misnamed returns the instance that a component must mean whose RECURRENCE-ID
// is none, because it begins on that day and no other does, and no other
// component describes it; "" otherwise. midnight: only the day was said.
func (o *Object) misnamed(c *Component) (r RID, midnight bool) {
	p := c.Prop("RECURRENCE-ID")
	if p == nil {
		return "", false
	}
	t, err := o.PropTime(p)
	if err != nil || t.Form == Date {
		return "", false
	}
	s, err := o.series()
	if err != nil || s == nil || s.start.Form != t.Form || s.has(s.start.key(t)) {
		return "", false
	}
	day := t
	day.Wall = t.Wall.Truncate(24 * time.Hour)
	from := s.start.key(day)
	day.Wall = day.Wall.AddDate(0, 0, 1)
	var found []int64
	_, err = s.keys(from, s.start.key(day), &budget{DefaultBound.Instances}, func(k int64, _ *rdate) bool {
		found = append(found, k)
		return len(found) < 2
	})
	if err != nil || len(found) != 1 {
		return "", false
	}
	if r = makeRID(s.start.Form, found[0]); o.Override(r) != nil {
		return "", false
	}
	return r, floorMod(t.Wall.Unix(), daySecs) == 0
}
