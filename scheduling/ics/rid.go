package ics

import (
	"slices"
	"time"
)

// RID names one instance of a series in a form in which equal instances are
// equal strings: "" is the master; "20260101" a day; "20260101T120000"
// floating; "20260101T120000Z" an instant in UTC, whatever zone the program
// wrote it in.
type RID string

// makeRID writes a key (see series) in the form of a series.
func makeRID(form Form, key int64) RID {
	day, tod := floorDiv(key, daySecs), int(floorMod(key, daySecs))
	y, m, d := civil(day)
	b := make([]byte, 0, 16)
	b = append(b, byte('0'+y/1000%10), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10),
		byte('0'+m/10), byte('0'+m%10), byte('0'+d/10), byte('0'+d%10))
	if form != Date {
		h, mi, s := tod/3600, tod/60%60, tod%60
		b = append(b, 'T', byte('0'+h/10), byte('0'+h%10), byte('0'+mi/10), byte('0'+mi%10), byte('0'+s/10), byte('0'+s%10))
		if form != Floating {
			b = append(b, 'Z')
		}
	}
	return RID(b)
}

// RID returns which instance a component is, "" for the master or a
// RECURRENCE-ID that cannot be read (Check refuses those).
//
// One that is not written in the form of the master's DTSTART is brought into
// it: a floating time is read in the master's zone, a day means the instance
// that begins on it.
func (o *Object) RID(c *Component) RID {
	p := c.Prop("RECURRENCE-ID")
	if p == nil {
		return ""
	}
	t, err := o.PropTime(p)
	if err != nil {
		return ""
	}
	base, ok := o.base()
	if !ok {
		base = t
	}
	return makeRID(base.Form, base.key(t))
}

// base returns the DTSTART of the master, in whose form instances are named.
func (o *Object) base() (Time, bool) {
	if o.master == nil {
		return Time{}, false
	}
	p := o.master.Prop("DTSTART")
	if p == nil {
		return Time{}, false
	}
	t, err := o.PropTime(p)
	return t, err == nil
}

// key returns by which number a series that begins at t knows the instance at
// u: an instant where t is one, else a wall clock.
func (t Time) key(u Time) int64 {
	w := u.Wall.Unix()
	if t.Form == Date {
		return w - floorMod(w, daySecs)
	}
	if u.Form == Date {
		w += floorMod(t.Wall.Unix(), daySecs)
	}
	own := t.fixed()
	switch z := u.fixed(); {
	case own == nil:
		return w
	case z != nil:
		return z.instant(w)
	}
	return own.instant(w)
}

// Override returns the component with that RECURRENCE-ID, nil without one.
func (o *Object) Override(r RID) *Component {
	if r == "" {
		return nil
	}
	o.ids.once.Do(func() {
		o.ids.byRID = make(map[RID]*Component, len(o.overrides))
		for _, c := range o.overrides {
			if id := o.RID(c); id != "" && o.ids.byRID[id] == nil {
				o.ids.byRID[id] = c
			}
		}
	})
	return o.ids.byRID[r]
}

// Occurrence returns the component that describes an instance: its override if
// there is one, else a copy of the master moved there (RRULE, RDATE, EXDATE,
// EXRULE gone, RECURRENCE-ID in the form of DTSTART, DTSTART and DTEND or DUE
// set). It is nil if the series has no such instance.
func (o *Object) Occurrence(r RID) *Component {
	if r == "" {
		return o.master
	}
	if c := o.Override(r); c != nil {
		return c
	}
	s, err := o.series()
	if err != nil || s == nil {
		return nil
	}
	key, ok := s.ridKey(r)
	if !ok || !s.has(key) {
		return nil
	}
	c := o.master.Clone()
	c.Remove("RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID")
	start := o.DateProp("DTSTART", r)
	c.Set(start)
	l, own := s.length, false
	if p := s.rdate(key); p != nil && p.hasLength {
		l, own = p.length, true
	}
	end := "DTEND"
	if c.Name == "VTODO" {
		end = "DUE"
	}
	switch p := o.master.Prop(end); {
	case p != nil:
		c.Set(s.endProp(*p, key, l))
	case own: // a PERIOD takes the place of the DURATION
		c.Remove("DURATION")
		c.Set(s.endProp(start, key, l).named(end))
	}
	i := slices.IndexFunc(c.Props, func(p Prop) bool { return p.Name == "DTSTART" })
	c.Props = slices.Insert(c.Props, i, o.DateProp("RECURRENCE-ID", r))
	return c
}

func (p Prop) named(name string) Prop {
	p.Name, p.raw = name, nil
	return p
}

// endProp writes the end of an instance in the form and zone of p.
func (s *series) endProp(p Prop, key int64, l length) Prop {
	if s.start.Form == Date {
		return p.WithValue(time.Unix(key+l.days*daySecs, 0).UTC().Format("20060102"))
	}
	zone := utcZone
	if s.zone != nil {
		zone = s.zone
	}
	end := l.after(zone, key)
	if s.zone == nil { // floating: the wall clock counts as if it were UTC
		return p.WithValue(unix(end).Format("20060102T150405"))
	}
	t, err := s.o.PropTime(&p)
	if err != nil {
		return p
	}
	if z := t.fixed(); z != nil && t.Form == Zoned {
		return p.WithValue(unix(z.wall(end)).Format("20060102T150405"))
	}
	return p.WithValue(unix(end).Format("20060102T150405Z")).WithoutParams("TZID")
}

// HasInstance tells whether r is an instance of the recurrence set of the
// master, EXDATE applied, overrides not looked at.
func (o *Object) HasInstance(r RID) bool {
	s, err := o.series()
	if err != nil || s == nil {
		return false
	}
	key, ok := s.ridKey(r)
	return ok && s.has(key)
}

// DateProp makes a property (EXDATE, RECURRENCE-ID, ...) that names instance r
// in the form of the master's DTSTART (value type and TZID), without a master
// in that of the first RECURRENCE-ID.
func (o *Object) DateProp(name string, r RID) Prop {
	t, err := parseTime(string(r))
	if err != nil {
		return NewProp(name, string(r))
	}
	base, ok := o.base()
	if !ok && len(o.overrides) > 0 {
		if base, err = o.PropTime(o.overrides[0].Prop("RECURRENCE-ID")); err == nil {
			ok = true
		}
	}
	if !ok {
		base = t
	}
	key := base.key(t)
	switch base.Form {
	case Date:
		return NewProp(name, unix(key).Format("20060102"), Param{"VALUE", []string{"DATE"}})
	case UTC:
		return NewProp(name, unix(key).Format("20060102T150405Z"))
	case Zoned:
		return NewProp(name, unix(base.fixed().wall(key)).Format("20060102T150405"), Param{"TZID", []string{base.TZID}})
	}
	p := NewProp(name, unix(key).Format("20060102T150405"))
	if base.TZID != "" {
		p = p.WithParam("TZID", base.TZID)
	}
	return p
}

// ridKey returns the key of an instance.
func (s *series) ridKey(r RID) (int64, bool) {
	t, err := parseTime(string(r))
	if err != nil {
		return 0, false
	}
	return s.start.key(t), true
}
