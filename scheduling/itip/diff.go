package itip

import (
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// delta is how a component differs from what stood there before, in the
// classes that matter to those who are invited (decision 20).
type delta struct {
	content    bool // SUMMARY, LOCATION, ...: tell them, their answers stand
	status     bool // STATUS: the same, with a new SEQUENCE
	moved      bool // DTSTART, DTEND, DURATION, DUE
	grown      bool // new instances, by RRULE or RDATE
	shortened  bool // fewer instances, by RRULE or RDATE
	reinstated bool // an EXDATE or a cancellation taken back
	excluded   []ics.RID
}

// reschedule: answers given before do not count any more (RFC 6638 §3.2.8).
func (d delta) reschedule() bool { return d.moved || d.grown || d.reinstated }

// tell: those who are invited must hear of it.
func (d delta) tell() bool { return d.content || d.status || d.shortened || d.reschedule() }

// revises: SEQUENCE must be higher than before (RFC 5546 §2.1.4).
func (d delta) revises() bool {
	return d.reschedule() || d.shortened || d.status || len(d.excluded) > 0
}

// quiet are the properties whose change concerns nobody else, or that are
// compared by rules of their own.
var quiet = map[string]bool{
	"DTSTAMP": true, "CREATED": true, "LAST-MODIFIED": true, "SEQUENCE": true, "UID": true, "RECURRENCE-ID": true,
	"TRANSP": true, "COLOR": true, "REQUEST-STATUS": true, "PERCENT-COMPLETE": true, "COMPLETED": true,
	"ATTENDEE": true, "ORGANIZER": true, "STATUS": true,
	"DTSTART": true, "DTEND": true, "DURATION": true, "DUE": true,
	"RRULE": true, "EXRULE": true, "RDATE": true, "EXDATE": true,
}

// alwaysPublic are the X- properties that are part of what an organizer tells,
// beside those of Actor.PublicX; all others are private to the program that
// wrote them.
var alwaysPublic = map[string]bool{
	"X-ALT-DESC": true, "X-APPLE-STRUCTURED-LOCATION": true, "X-GOOGLE-CONFERENCE": true,
	"X-MICROSOFT-SKYPETEAMSMEETINGURL": true, "X-MICROSOFT-ONLINEMEETINGINFORMATION": true,
	"X-JMAP-HIDE-ATTENDEES": true, "X-MICROSOFT-CDO-ALLDAYEVENT": true, "X-MICROSOFT-DISALLOW-COUNTER": true, "X-NEXTCLOUD-TALK-URL": true,
}

// tells reports whether an X- property is told to others.
func (me Actor) tells(name string) bool {
	return alwaysPublic[name] || slices.Contains(me.PublicX, name) || slices.Contains(me.SharedX, name)
}

func (me Actor) private(name string) bool { return strings.HasPrefix(name, "X-") && !me.tells(name) }

// personal reports whether a property of an attendee's copy is private, and not
// what the server remembers of messages.
func (me Actor) personal(name string) bool {
	return me.private(name) && name != propReceived && name != propAdded
}

// compare says how component b of object ob differs from a of oa. They are of
// one instance; a may be the occurrence that the master described.
func (me Actor) compare(oa *ics.Object, a *ics.Component, ob *ics.Object, b *ics.Component) delta {
	var d delta
	d.content = !me.sameContent(a, b)
	d.status = status(a) != status(b)
	d.moved = !sameTime(oa, a, ob, b)
	d.reinstated = cancelled(a) && !cancelled(b)
	if a.Prop("RECURRENCE-ID") != nil || b.Prop("RECURRENCE-ID") != nil {
		return d
	}
	rule := compareRules(oa, a, ob, b)
	d.grown, d.shortened = rule > 0, rule < 0
	ra, rb := datesOf(oa, a, "RDATE"), datesOf(ob, b, "RDATE")
	d.grown = d.grown || len(more(ra, rb)) > 0
	d.shortened = d.shortened || len(more(rb, ra)) > 0
	ea, eb := datesOf(oa, a, "EXDATE"), datesOf(ob, b, "EXDATE")
	d.excluded = more(ea, eb)
	for _, r := range more(eb, ea) {
		// An EXDATE taken back counts if it brings an instance back.
		d.reinstated = d.reinstated || ob.HasInstance(r) || ob.Override(r) != nil
	}
	return d
}

// status returns STATUS as it matters: an event without one is confirmed, a
// task without one is not begun.
func status(c *ics.Component) string {
	s := strings.ToUpper(strings.TrimSpace(c.Value("STATUS")))
	if s != "" {
		return s
	}
	switch c.Name {
	case "VEVENT":
		return "CONFIRMED"
	case "VTODO":
		return "NEEDS-ACTION"
	}
	return ""
}

// sameContent reports whether two components tell people the same, whatever
// the order of their properties.
func (me Actor) sameContent(a, b *ics.Component) bool {
	return slices.Equal(me.contents(a), me.contents(b))
}

func (me Actor) contents(c *ics.Component) []string {
	var out []string
	for i := range c.Props {
		p := &c.Props[i]
		whole := c.Name == "VTODO" && (p.Name == "PERCENT-COMPLETE" || p.Name == "COMPLETED") // RFC 5546 §4.5.6
		if quiet[p.Name] && !whole || me.private(p.Name) {
			continue
		}
		if v := meaning(p); v != "" {
			out = append(out, p.Name+v)
		}
	}
	sort.Strings(out)
	return out
}

// meaning is a property's value and parameters in a form in which equal
// meanings are equal strings; "" for an empty property, which is as good as
// none (some programs write them).
func meaning(p *ics.Prop) string {
	v := strings.Join(strings.Fields(p.Text()), " ")
	if v == "" {
		return ""
	}
	var params []string
	for _, q := range p.Params {
		if !strings.HasPrefix(q.Name, "X-") && q.Name != "LANGUAGE" {
			params = append(params, q.Name+"="+strings.Join(q.Values, ","))
		}
	}
	sort.Strings(params)
	return ";" + strings.Join(params, ";") + ":" + v
}

// sameTime reports whether two components begin and end at the same points in
// time, however these are written.
func sameTime(oa *ics.Object, a *ics.Component, ob *ics.Object, b *ics.Component) bool {
	sa, ea := span(oa, a)
	sb, eb := span(ob, b)
	return samePoint(sa, sb) && samePoint(ea, eb)
}

func samePoint(a, b ics.Time) bool {
	if (a.Form == 0) != (b.Form == 0) || (a.Form == ics.Date) != (b.Form == ics.Date) || (a.Form == ics.Floating) != (b.Form == ics.Floating) {
		return false
	}
	return a.Form == 0 || a.At(time.UTC).Equal(b.At(time.UTC))
}

// span reads when a component begins and ends; a Form of 0 means that it does
// not say, and no component has an end that it does not imply (RFC 5545
// §3.6.1).
func span(o *ics.Object, c *ics.Component) (start, end ics.Time) {
	read := func(name string) (t ics.Time) {
		if p := c.Prop(name); p != nil {
			if got, err := o.PropTime(p); err == nil {
				return got
			}
		}
		return t
	}
	start = read("DTSTART")
	switch {
	case c.Prop("DTEND") != nil:
		return start, read("DTEND")
	case c.Prop("DUE") != nil:
		return start, read("DUE")
	case start.Form == 0:
		return start, ics.Time{}
	}
	end = start
	if p := c.Prop("DURATION"); p != nil {
		days, rest, _ := ics.Length(p.Value)
		end.Wall = end.Wall.AddDate(0, 0, days).Add(rest) // a wall clock: exact but for the hours of a change
	} else if start.Form == ics.Date && c.Name == "VEVENT" {
		end.Wall = end.Wall.AddDate(0, 0, 1)
	}
	return start, end
}

// compareRules says whether the RRULE of b makes instances that that of a did
// not (1), only fewer (-1), or the same (0). Only a rule that differs in
// nothing but its end is known to be shortened; any other change counts as new
// times (RFC 6638 §3.2.8).
func compareRules(oa *ics.Object, a *ics.Component, ob *ics.Object, b *ics.Component) int {
	if len(a.PropsNamed("RRULE")) > 1 || len(b.PropsNamed("RRULE")) > 1 {
		if slices.Equal(rules(a), rules(b)) {
			return 0
		}
		return 1
	}
	va, vb := a.Value("RRULE"), b.Value("RRULE")
	if va == "" && vb == "" {
		return 0
	}
	if va == "" || vb == "" {
		return 1 // whoever agreed to a series is asked about a single event, and the other way round
	}
	ra, rb := rule(va), rule(vb)
	ca, ua, cb, ub := ra["COUNT"], ra["UNTIL"], rb["COUNT"], rb["UNTIL"]
	for _, m := range []map[string]string{ra, rb} {
		delete(m, "COUNT")
		delete(m, "UNTIL")
	}
	if len(ra) != len(rb) {
		return 1
	}
	for k, v := range ra {
		if rb[k] != v {
			return 1
		}
	}
	switch {
	case ca == cb && ua == ub:
		return 0
	case cb == "" && ub == "":
		return 1 // without end now
	case ca == "" && ua == "":
		return -1
	case ca != "" && cb != "":
		na, _ := strconv.Atoi(ca)
		nb, _ := strconv.Atoi(cb)
		return nb - na
	}
	// The ends are written in different ways: compare the last instances.
	la, oka := lastOf(oa, a)
	lb, okb := lastOf(ob, b)
	if !oka || !okb {
		return 1
	}
	return lb.Compare(la)
}

// lastOf returns the end of the last instance that a master's rule makes.
func lastOf(o *ics.Object, c *ics.Component) (time.Time, bool) {
	root := &ics.Component{Name: "VCALENDAR"}
	for _, ch := range o.Root().Children {
		if ch.Name == "VTIMEZONE" {
			root.Children = append(root.Children, ch)
		}
	}
	bare := &ics.Component{Name: c.Name}
	for _, p := range c.Props {
		if p.Name != "EXDATE" && p.Name != "RDATE" {
			bare.Props = append(bare.Props, p)
		}
	}
	root.Children = append(root.Children, bare)
	return ics.New(root).Last(time.UTC, ics.Bound{})
}

// rule reads a recurrence rule into its parts; what is the default is left
// out.
func rule(v string) map[string]string {
	out := map[string]string{}
	for kv := range strings.SplitSeq(strings.ToUpper(v), ";") {
		k, v, _ := strings.Cut(kv, "=")
		k, v = strings.TrimSpace(k), strings.TrimSpace(v)
		if k == "" || v == "" || k == "INTERVAL" && v == "1" || k == "WKST" && v == "MO" ||
			k == "RSCALE" && v == "GREGORIAN" || k == "SKIP" && v == "OMIT" {
			continue
		}
		if strings.HasPrefix(k, "BY") {
			list := strings.Split(v, ",")
			sort.Strings(list)
			v = strings.Join(list, ",")
		}
		out[k] = v
	}
	return out
}

func rules(c *ics.Component) []string {
	var out []string
	for _, p := range c.PropsNamed("RRULE") {
		out = append(out, strings.ToUpper(strings.TrimSpace(p.Value)))
	}
	sort.Strings(out)
	return out
}

func sorted(r []ics.RID) []ics.RID {
	slices.Sort(r)
	return r
}

// sequence reads SEQUENCE; what is missing or no number is 0.
func sequence(c *ics.Component) int {
	n, err := strconv.Atoi(strings.TrimSpace(c.Value("SEQUENCE")))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// dtstamp returns the time of the revision; as text it sorts by time because
// it is always UTC.
func dtstamp(c *ics.Component) string {
	if v := strings.TrimSpace(c.Value(propReceived)); v != "" {
		return v
	}
	return strings.TrimSpace(c.Value("DTSTAMP"))
}

func utc(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// equalSets reports whether two lists hold the same texts in whatever order.
func equalSets(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	sort.Strings(a)
	sort.Strings(b)
	return slices.Equal(a, b)
}
