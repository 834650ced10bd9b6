package itip_test

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/dialogue"
	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
)

func (c *core) Prefer(who, name, value string) error {
	c.prefs[who+" "+name] = value
	return nil
}

func (c *core) Available(who string, object []byte) error {
	c.available[who] = object
	return nil
}

// busyTime is when somebody is busy, by his objects and what he says, without
// one meeting that is none of his time.
func (c *core) busyTime(who string, from, to time.Time, mask string) (BusyTime, error) {
	b := BusyTime{From: from, To: to, Stamp: c.now}
	self := c.actor(who, "").Self
	for uid, e := range c.store[who] {
		if uid == mask {
			continue
		}
		err := e.obj.Instances(from, to, time.UTC, ics.Bound{}, func(i ics.Instance) bool {
			b.Spans = append(b.Spans, ics.Span{Start: i.Start, End: i.End, Type: ics.Effect(i.Component, self)})
			return true
		})
		if err != nil {
			return b, err
		}
	}
	if text := c.available[who]; text != nil {
		o, err := ics.Parse(text, ics.Limits{})
		if err != nil {
			return b, err
		}
		a, err := o.Availability()
		if err != nil {
			return b, err
		}
		closed, err := ics.Unavailability([]*ics.Availability{a}, from, to, ics.Bound{})
		if err != nil {
			return b, err
		}
		b.Spans = append(b.Spans, closed...)
	}
	b.Spans = ics.Merge(b.Spans)
	return b, nil
}

func (c *core) Busy(who string, whom []string, from, to time.Time, with []string) (told [][]string, err error) {
	mask := ""
	for _, l := range with {
		m, ok := strings.CutPrefix(l, "X-CALENDARSERVER-MASK-UID:")
		if !ok {
			return nil, errors.New("the core knows nothing of " + l)
		}
		if e := c.store[who][m]; e != nil && c.actor(who, m).Self(ics.Organizer(e.obj.First())) {
			mask = m
		}
	}
	for _, name := range whom {
		lines, err := c.busyOf(who, name, from, to, mask)
		if err != nil {
			return nil, err
		}
		told = append(told, lines)
	}
	return told, nil
}

func (c *core) busyOf(who, whom string, from, to time.Time, mask string) ([]string, error) {
	var b BusyTime
	var err error
	switch {
	case c.person(whom).Kind == "outside":
		var ok bool
		if b, ok = Known(c.known[who+" "+whom], from, to); !ok {
			return []string{"unknown"}, nil
		}
	case who != whom && c.prefs[whom+" freebusy_sharing"] == "no":
		return []string{"refused"}, nil
	default:
		if b, err = c.busyTime(whom, from, to, mask); err != nil {
			return nil, err
		}
	}
	return dialogue.BusyLines(BusyMessage("", "1", b), from, to)
}

// busyMail takes a VFREEBUSY for somebody here.
func (c *core) busyMail(from, to string, method Method, o *ics.Object) (ignored bool, err error) {
	first := o.First()
	switch method {
	case Request:
		asked := ics.Attendee(first, c.actor(to, "").Self)
		start, end, wrong := AskedFor(o)
		if by, _ := c.name(ics.Organizer(first)); by != from || asked == nil || wrong != "" || c.prefs[to+" freebusy_sharing"] != "share" && c.person(to).Kind != "room" {
			return true, nil
		}
		b, err := c.busyTime(to, start, end, "")
		if err != nil {
			return true, err
		}
		c.told[from] = append(c.told[from], BusyMessage(Reply, o.UID(), b, []ics.Prop{*first.Prop("ORGANIZER"), *asked}).Bytes())
		return false, nil
	case Reply, Publish:
		of := ics.Organizer(first)
		if method == Reply {
			of = ics.CalAddress(first.Prop("ATTENDEE"))
		}
		whom, here := c.name(of)
		if here || whom != from {
			return true, nil
		}
		b, err := ReadBusyTime(o, first)
		if err != nil {
			return true, nil
		}
		known, news := Remember(slices.Clone(c.known[to+" "+whom]), b, c.now)
		c.known[to+" "+whom] = known
		return !news, nil
	}
	return true, nil
}
