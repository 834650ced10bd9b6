package itip

import (
	"strconv"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// How far a task is done is each attendee's own: his PARTSTAT, with the
// PERCENT-COMPLETE and COMPLETED of his part of it (RFC 5546 §3.4.3, RFC 5545
// §3.8.1.8). In his copy these are properties; the organizer's copy keeps them
// on his line, because the properties there tell of the whole.

const (
	// paramPercent and paramDone stand on the ATTENDEE lines of an organizer's
	// task: what each attendee said last. They are never sent.
	paramPercent = "X-CONVENE-PERCENT-COMPLETE"
	paramDone    = "X-CONVENE-COMPLETED"
)

// headway are the properties of an attendee's copy that tell how far he is.
var headway = []string{"STATUS", "PERCENT-COMPLETE", "COMPLETED"}

// percent reads PERCENT-COMPLETE; -1 where it is missing or none.
func percent(c *ics.Component) int {
	n, err := strconv.Atoi(trim(c.Value("PERCENT-COMPLETE")))
	if err != nil || n < 0 || n > 100 {
		return -1
	}
	return n
}

// done reads COMPLETED, which is a time in UTC (RFC 5545 §3.8.2.1); "" where it
// is missing or none.
func done(c *ics.Component) string {
	v := trim(c.Value("COMPLETED"))
	if _, err := time.Parse("20060102T150405Z", v); err != nil {
		return ""
	}
	return v
}

// sameHeadway reports whether two states of an attendee's task are as far done.
func sameHeadway(a, b *ics.Component) bool {
	return percent(a) == percent(b) && done(a) == done(b) && status(a) == status(b)
}

// headwayOf is the PARTSTAT that a task's own properties mean, "" where they
// mean none.
func headwayOf(c *ics.Component) string {
	switch p := percent(c); {
	case status(c) == "COMPLETED", p == 100, done(c) != "":
		return "COMPLETED"
	case status(c) == "IN-PROCESS", p > 0:
		return "IN-PROCESS"
	}
	return ""
}

// ticked puts the people back into a task that its organizer has done: there are
// programs that lose them when the tick is set. Without a tick, who takes all of
// them out calls it off (RFC 6638 §3.2.3.1).
func (me Actor) ticked(before *ics.Object, s *series) bool {
	if before.Kind() != "VTODO" || finished(before) || !finished(s.obj) {
		return false
	}
	was := newSeries(before, before.Root())
	for _, p := range s.parts {
		if p.comp.Prop("ORGANIZER") != nil || p.comp.Prop("ATTENDEE") != nil || was.at(p.rid) == nil {
			return false
		}
	}
	for _, p := range s.parts {
		for _, l := range was.at(p.rid).comp.Props {
			switch {
			case l.Name == "ATTENDEE" && me.Self(ics.CalAddress(&l)):
				l = l.WithParam("PARTSTAT", "COMPLETED")
			case l.Name != "ATTENDEE" && l.Name != "ORGANIZER":
				continue
			}
			p.comp.Add(l)
		}
		p.moved()
	}
	s.dirty = true
	return true
}

// advance lets an attendee's PARTSTAT follow the tick that he gave his task:
// programs for tasks set STATUS and know no PARTSTAT. base is how the component
// stood before.
func (m *mend) advance(p *part, base *ics.Component) {
	l, old := p.self(m.me), ics.Attendee(base, m.me.Self)
	if p.comp.Name != "VTODO" || l == nil || old == nil || cancelled(p.comp) ||
		ics.PartStat(l) != ics.PartStat(old) || sameHeadway(base, p.comp) {
		return
	}
	say := headwayOf(p.comp)
	if was := ics.PartStat(old); say == "" && (was == "COMPLETED" || was == "IN-PROCESS") {
		say = "ACCEPTED" // the tick is taken back: it is his to do again
	}
	if say != "" && say != ics.PartStat(l) {
		*l = l.WithParam("PARTSTAT", say)
		m.is.dirty = true
	}
}

// progress returns what a REPLY tells of an attendee's part of a task.
func progress(c *ics.Component) []ics.Prop {
	if c.Name != "VTODO" {
		return nil
	}
	var out []ics.Prop
	if n := percent(c); n >= 0 {
		out = append(out, ics.NewProp("PERCENT-COMPLETE", strconv.Itoa(n)))
	}
	if at := done(c); at != "" {
		out = append(out, ics.NewProp("COMPLETED", at))
	}
	return out
}

// withProgress notes on an attendee's line in the organizer's task what his
// answer tells of his part of it.
func withProgress(l ics.Prop, said *ics.Component, partstat string) ics.Prop {
	if said.Name != "VTODO" {
		return l
	}
	l = l.WithoutParams(paramPercent, paramDone)
	if partstat != "IN-PROCESS" && partstat != "COMPLETED" {
		return l
	}
	if n := percent(said); n >= 0 {
		l = l.WithParam(paramPercent, strconv.Itoa(n))
	}
	if at := done(said); at != "" {
		l = l.WithParam(paramDone, at)
	}
	return l
}

// keepHeadway leaves an attendee his own progress while his answer stands: what
// the organizer's update has is that of the whole (RFC 5546 §4.5.6).
func (me Actor) keepHeadway(old, c *ics.Component) {
	had, has := ics.Attendee(old, me.Self), ics.Attendee(c, me.Self)
	if c.Name != "VTODO" || had == nil || has == nil || cancelled(c) || cancelled(old) {
		return
	}
	if s := ics.PartStat(has); s != ics.PartStat(had) || s != "COMPLETED" && s != "IN-PROCESS" {
		return
	}
	for _, n := range headway {
		if p := old.Prop(n); p != nil {
			c.Set(*p)
		} else {
			c.Remove(n)
		}
	}
}

// mayAnswer knows the values of PARTSTAT that a REPLY may have for an event or a
// to-do (RFC 5545 §3.2.12).
func mayAnswer(kind, partstat string) bool {
	switch partstat {
	case "NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE", "DELEGATED":
		return true
	case "COMPLETED", "IN-PROCESS":
		return kind == "VTODO"
	}
	return false
}
