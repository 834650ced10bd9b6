package itip_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/dialogue"
	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
)

// TestCopiesAgree lets an organizer and her guests do what comes to their minds
// to a series, and compares all copies after each act, occurrence by occurrence:
// whoever takes part in one has it, at its time, with everybody's answers; who
// does not has none.
func TestCopiesAgree(t *testing.T) {
	runs := 150
	switch {
	case os.Getenv("CONVENE_SOAK") != "":
		runs = 3000
	case testing.Short():
		runs = 20
	}
	for seed := range uint64(runs) {
		w := &world{T: t, r: rand.New(rand.NewPCG(7, seed)), c: newCore(people)}
		w.c.now = present
		w.start()
		for range 25 {
			w.act()
			w.compare()
			if t.Failed() {
				t.Fatalf("seed %d, after:\n%s", seed, strings.Join(w.did, "\n"))
			}
		}
	}
}

var people = &dialogue.Script{People: []dialogue.Person{
	{Name: "ann", Kind: "person", Address: "ann@example.org"},
	{Name: "ben", Kind: "person", Address: "ben@example.org"},
	{Name: "dan", Kind: "person", Address: "dan@example.org"},
	{Name: "eve", Kind: "person", Address: "eve@example.org"},
	{Name: "bob", Kind: "outside", Address: "bob@example.com"},
}}

type world struct {
	*testing.T
	r   *rand.Rand
	c   *core
	did []string
}

func (w *world) start() {
	o := event(w, when+"RRULE:FREQ=DAILY;COUNT=8\n"+ann+"ATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.org\n"+ben+bob+"ATTENDEE:mailto:dan@example.org")
	if err := w.c.Put("ann", o.Bytes(), nil); err != nil {
		w.Fatal(err)
	}
}

func (w *world) object(who string) *ics.Object {
	if e := w.c.store[who]["1"]; e != nil {
		return e.obj
	}
	return nil
}

// act does one thing; a refusal is one of the things that may happen.
func (w *world) act() {
	who := []string{"ann", "ann", "ben", "dan", "eve"}[w.r.IntN(5)]
	o := w.object(who)
	if o == nil {
		return
	}
	root := o.Root().Clone()
	what := ""
	if who == "ann" {
		what = w.organize(o, root)
	} else {
		what = w.answer(who, o, root)
	}
	if what == "" {
		return
	}
	w.did = append(w.did, who+": "+what)
	err := w.c.Put(who, ics.New(root).Bytes(), nil)
	var no *Refusal
	if errors.As(err, &no) {
		w.did[len(w.did)-1] += " (" + no.Detail + ")"
	} else if err != nil {
		w.Errorf("%s: %v", what, err)
	}
	w.c.told = map[string][][]byte{}
}

func events(root *ics.Component) []*ics.Component {
	var out []*ics.Component
	for _, c := range root.Children {
		if c.Name == "VEVENT" {
			out = append(out, c)
		}
	}
	return out
}

// occurrence picks an instance; its override is added to the tree if it has
// none.
func (w *world) occurrence(o *ics.Object, root *ics.Component) (*ics.Component, ics.RID) {
	day := w.r.IntN(8)
	r := ics.RID("")
	if m := o.Master(); m != nil {
		start, err := o.PropTime(m.Prop("DTSTART"))
		if err != nil {
			return nil, ""
		}
		r = ics.RID(start.Wall.AddDate(0, 0, day).Format("20060102T150405Z"))
	} else if list := o.Overrides(); len(list) > 0 {
		r = o.RID(list[w.r.IntN(len(list))])
	}
	for _, c := range events(root) {
		if o.RID(c) == r && r != "" {
			return c, r
		}
	}
	if c := o.Occurrence(r); r != "" && c != nil {
		c = c.Clone()
		root.Children = append(root.Children, c)
		return c, r
	}
	return nil, ""
}

func shift(c *ics.Component, by time.Duration) {
	for _, n := range []string{"DTSTART", "DTEND"} {
		p := c.Prop(n)
		at, err := time.Parse("20060102T150405Z", p.Value)
		if err == nil {
			c.Set(p.WithValue(at.Add(by).Format("20060102T150405Z")))
		}
	}
}

func (w *world) organize(o *ics.Object, root *ics.Component) string {
	all := events(root)
	master := all[0]
	room := ics.NewProp("LOCATION", fmt.Sprint("Room ", w.r.IntN(3)))
	guest := []string{"ben", "dan", "eve"}[w.r.IntN(3)] + "@example.org"
	line := ics.NewProp("ATTENDEE", "mailto:"+guest)
	is := func(p *ics.Prop) bool { return p.Name == "ATTENDEE" && strings.Contains(p.Value, guest) }
	switch w.r.IntN(15) {
	case 0:
		master.Set(room)
		return "place of the series"
	case 1:
		for _, c := range all {
			c.Set(room)
		}
		return "place everywhere"
	case 2:
		if c, r := w.occurrence(o, root); c != nil {
			c.Set(room)
			return "place of " + string(r)
		}
	case 3:
		if c, r := w.occurrence(o, root); c != nil {
			shift(c, time.Hour)
			return "time of " + string(r)
		}
	case 4: // a new time for all: programs drop the overrides and EXDATEs
		shift(master, 2*time.Hour)
		master.Remove("EXDATE")
		root.Children = slices.DeleteFunc(root.Children, func(c *ics.Component) bool { return c.Name == "VEVENT" && c != master })
		return "time of the series"
	case 5:
		if c, r := w.occurrence(o, root); c != nil {
			root.Children = slices.DeleteFunc(root.Children, func(d *ics.Component) bool { return d == c })
			master.Add(o.DateProp("EXDATE", r))
			return "no " + string(r)
		}
	case 6:
		if master.Prop("EXDATE") != nil {
			master.Remove("EXDATE")
			return "all days again"
		}
	case 7:
		for _, c := range all {
			if !slices.ContainsFunc(c.Props, func(p ics.Prop) bool { return is(&p) }) {
				c.Add(line)
			}
		}
		return guest + " joins all"
	case 8:
		for _, c := range all {
			c.RemoveFunc(is)
		}
		return guest + " leaves all"
	case 9:
		if c, r := w.occurrence(o, root); c != nil && !slices.ContainsFunc(c.Props, func(p ics.Prop) bool { return is(&p) }) {
			c.Add(line)
			return guest + " joins " + string(r)
		}
	case 10:
		if c, r := w.occurrence(o, root); c != nil {
			c.RemoveFunc(is)
			return guest + " leaves " + string(r)
		}
	case 11:
		n := 5 + w.r.IntN(5)
		master.Set(ics.NewProp("RRULE", fmt.Sprint("FREQ=DAILY;COUNT=", n)))
		root.Children = slices.DeleteFunc(root.Children, func(c *ics.Component) bool { return c.Name == "VEVENT" && c != master })
		return fmt.Sprint(n, " days, without overrides")
	case 13:
		if c, r := w.occurrence(o, root); c != nil {
			c.Set(ics.NewProp("STATUS", "CANCELLED"))
			return string(r) + " is cancelled by its status"
		}
	case 14:
		for _, c := range all {
			c.Remove("STATUS")
		}
		return "all confirmed"
	case 12:
		if len(all) > 1 {
			gone := all[1+w.r.IntN(len(all)-1)]
			root.Children = slices.DeleteFunc(root.Children, func(c *ics.Component) bool { return c == gone })
			return "override " + string(o.RID(gone)) + " taken back"
		}
	}
	return ""
}

func (w *world) answer(who string, o *ics.Object, root *ics.Component) string {
	self := w.c.actor(who, "1").Self
	say := []string{"ACCEPTED", "DECLINED", "TENTATIVE"}[w.r.IntN(3)]
	set := func(c *ics.Component) {
		for i := range c.Props {
			if p := &c.Props[i]; p.Name == "ATTENDEE" && self(ics.CalAddress(p)) {
				*p = p.WithParam("PARTSTAT", say)
			}
		}
	}
	switch w.r.IntN(7) {
	case 5: // off his calendar: a decline
		m := o.Master()
		if c, r := w.occurrence(o, root); c != nil && m != nil && c.Value("STATUS") != "CANCELLED" {
			root.Children = slices.DeleteFunc(root.Children, func(d *ics.Component) bool { return d == c })
			for _, e := range events(root) {
				if e.Prop("RECURRENCE-ID") == nil {
					e.Add(o.DateProp("EXDATE", r))
				}
			}
			return "EXDATE " + string(r)
		}
	case 6:
		if err := w.c.Delete(who, "1", false); err != nil {
			w.Error(err)
		}
		w.did = append(w.did, who+" removes his copy")
		w.c.told = map[string][][]byte{}
	case 0:
		for _, c := range events(root) {
			set(c)
		}
		return say + " everything"
	case 1:
		if m := o.Master(); m != nil {
			set(events(root)[slices.Index(o.Main(), m)])
			return say + " the series"
		}
	case 2, 3:
		if c, r := w.occurrence(o, root); c != nil {
			set(c)
			return say + " " + string(r)
		}
	case 4:
		if c, r := w.occurrence(o, root); c != nil {
			c.Children = append(c.Children, &ics.Component{Name: "VALARM", Props: []ics.Prop{ics.NewProp("ACTION", "AUDIO"), ics.NewProp("TRIGGER", "-PT5M")}})
			return "alarm for " + string(r)
		}
	}
	return ""
}

// compare looks at every occurrence from everybody's place.
func (w *world) compare() {
	truth := w.object("ann")
	for _, p := range people.People[1:4] {
		self := w.c.actor(p.Name, "1").Self
		want, have := w.occurrences(truth, self), map[string]string{}
		gone := w.object(p.Name) == nil || w.object(p.Name).Master() == nil // he declined by removing his copy; single occurrences may be back
		if o := w.object(p.Name); o != nil {
			have = w.occurrences(o, self)
		}
		for at, what := range want {
			if have[at] == "" && (gone && strings.Contains(what, p.Address+" DECLINED") || !gone && w.took(p.Name, at)) {
				continue // he took it off his calendar
			}
			if have[at] != what {
				w.Errorf("%s has %q, the organizer %q", p.Name, have[at], what)
			}
		}
		for at, what := range have {
			if want[at] == "" {
				w.Errorf("%s has %q, the organizer nothing", p.Name, what)
			}
		}
	}
	if w.Failed() {
		for _, p := range people.People[:4] {
			if o := w.object(p.Name); o != nil {
				w.Logf("%s:\n%s", p.Name, o.Bytes())
			}
		}
	}
}

// took reports whether somebody's copy leaves an occurrence out by EXDATE.
func (w *world) took(who, at string) bool {
	m := w.object(who).Master()
	return m != nil && slices.ContainsFunc(m.PropsNamed("EXDATE"), func(p *ics.Prop) bool { return p.Value == at })
}

// occurrences tells each occurrence in which somebody takes part, by its place
// in the series.
func (w *world) occurrences(o *ics.Object, self func(cuaddr.Address) bool) map[string]string {
	out := map[string]string{}
	err := o.Instances(time.Time{}, time.Time{}, time.UTC, ics.Bound{}, func(i ics.Instance) bool {
		c := i.Component
		if ics.Attendee(c, self) == nil || c.Value("STATUS") == "CANCELLED" {
			return true
		}
		var who []string
		for _, a := range ics.Attendees(c) {
			who = append(who, ics.CalAddress(a).Mail()+" "+ics.PartStat(a))
		}
		slices.Sort(who)
		out[string(i.RID)] = fmt.Sprintf("%s %s-%s %s %s", i.RID, i.Start.Format("02T15"), i.End.Format("15"), c.Value("LOCATION"), strings.Join(who, ", "))
		return true
	})
	if err != nil {
		w.Fatal(err)
	}
	return out
}
