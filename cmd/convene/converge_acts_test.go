package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// What people write in their calendars.

// invite begins a meeting or a task; some were brought here by an administrator.
func (h *history) invite() {
	start := time.Now().UTC().AddDate(0, 0, h.at).Truncate(24 * time.Hour).Add(10 * time.Hour)
	brought, rule := h.IntN(8) == 0 && h.organizer.server != nil, h.IntN(3) > 0
	end := "DTEND"
	if h.IntN(6) == 0 && !brought {
		h.kind, end = "VTODO", "DUE"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//two servers//EN\r\nBEGIN:%s\r\nUID:%s\r\nDTSTAMP:%s\r\n", h.kind, h.uid, stamp(time.Now()))
	if h.IntN(4) == 0 {
		day := start.Format("20060102")
		fmt.Fprintf(&b, "DTSTART;VALUE=DATE:%s\r\n%s;VALUE=DATE:%s\r\n", day, end, start.AddDate(0, 0, 1).Format("20060102"))
	} else {
		fmt.Fprintf(&b, "DTSTART:%s\r\n%s:%s\r\n", stamp(start), end, stamp(start.Add(time.Hour)))
	}
	b.WriteString("SUMMARY:Budget\r\n")
	if rule {
		b.WriteString("RRULE:FREQ=DAILY;COUNT=5\r\n")
	}
	fmt.Fprintf(&b, "ORGANIZER:mailto:%s\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:%s\r\n", h.organizer.address, h.organizer.address)
	for _, a := range h.others() {
		is := func(r *neighbour) bool { return r.address == a }
		if room := slices.ContainsFunc(h.w.rooms, is); h.IntN(4) > 0 && !(room && (brought || h.kind == "VTODO" || h.IntN(3) > 0)) {
			fmt.Fprintf(&b, "ATTENDEE;RSVP=TRUE:mailto:%s\r\n", a)
		}
	}
	fmt.Fprintf(&b, "END:%s\r\nEND:VCALENDAR\r\n", h.kind)
	o, err := ics.Parse([]byte(b.String()), ics.Limits{})
	if err != nil {
		h.w.t.Fatal(err)
	}
	switch {
	case brought:
		h.brings(o)
	case h.organizer.server == nil:
		h.programPuts(h.organizer, "invites", nil, o)
	default:
		status, text := h.organizer.asks(h.w.t, "PUT", h.organizer.calendars(h.kind)[0]+h.uid+".ics", b.String(), "If-None-Match", "*", "Content-Type", "text/calendar; charset=utf-8")
		h.did(h.organizer, "invites\n"+b.String(), "put "+h.organizer.name(), o)
		if status != http.StatusCreated {
			h.failf("%d %s", status, text)
		}
	}
}

// brings imports a meeting to all who are in it, of which nobody hears.
func (h *history) brings(o *ics.Object) {
	h.imported = o
	file := filepath.Join(h.w.t.TempDir(), "brought.ics")
	if err := os.WriteFile(file, o.Bytes(), 0o600); err != nil {
		h.w.t.Fatal(err)
	}
	for _, p := range append(slices.Clone(h.w.people), h.w.bob) {
		if ics.Attendee(o.First(), p.self) == nil {
			continue
		}
		h.did(p, "is brought\n"+string(o.Bytes()), "import "+p.name(), o)
		if p.server == nil {
			p.store[h.uid] = o
			continue
		}
		p.server.must("", "import", p.address, file)
	}
}

func stamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// others are those whom the organizer may invite.
func (h *history) others() []string {
	var out []string
	for _, p := range append(append(slices.Clone(h.w.people), h.w.bob), h.w.rooms...) {
		if p != h.organizer && !(p.room && h.kind == "VTODO") {
			out = append(out, p.address)
		}
	}
	return append(out, halOutside)
}

// events are the components of a tree that are it.
func events(root *ics.Component) (all []*ics.Component, master *ics.Component) {
	for _, c := range root.Children {
		if c.Name == "VEVENT" || c.Name == "VTODO" {
			all = append(all, c)
			if c.Prop("RECURRENCE-ID") == nil {
				master = c
			}
		}
	}
	return all, master
}

// without takes components out of a tree.
func without(root *ics.Component, which func(c *ics.Component) bool) {
	root.Children = slices.DeleteFunc(root.Children, func(c *ics.Component) bool { return (c.Name == "VEVENT" || c.Name == "VTODO") && which(c) })
}

// answer is what an attendee does.
func (h *history) answer(p *neighbour) {
	what, nth, said := h.IntN(16), h.IntN(5), []string{"ACCEPTED", "DECLINED", "TENTATIVE"}[h.IntN(3)]
	if h.kind == "VTODO" {
		said = []string{"ACCEPTED", "DECLINED", "IN-PROCESS", "COMPLETED"}[h.IntN(4)]
	}
	switch {
	case what == 9 || what == 10:
		if p.server != nil {
			h.carry(p, []string{"MOVE", "COPY"}[what-9])
		}
		return
	case what == 11:
		if p.server != nil && nth == 0 {
			h.drops(p)
		}
		return
	case what == 12:
		if p.server != nil {
			h.tidies(p)
		}
		return
	case what == 13:
		h.asks(p)
		return
	case what == 14:
		h.proposes(p, nth)
		return
	}
	h.write(p, func(f *found) (string, *ics.Object) {
		switch {
		case what == 0:
			h.gone[p], h.silent[p] = true, h.silent[p] || nth == 0
			return "removes his copy", nil
		case what < 4:
			if r := instance(f.Object, nth); r != "" {
				if o := itip.SetPartStat(f.Object, p.self, r, said, ""); o != nil {
					return said + " " + string(r), o
				}
			}
			return "", nil
		case what == 8: // a day off the calendar
			r := instance(f.Object, nth)
			if r == "" || f.Object.Master() == nil {
				return "", nil
			}
			root := f.Object.Root().Clone()
			without(root, func(c *ics.Component) bool { return f.Object.RID(c) == r })
			_, m := events(root)
			m.Add(f.Object.DateProp("EXDATE", r))
			return "without " + string(r), ics.New(root)
		case what == 15: // a program that drops what it does not know, and has an alarm
			root := f.Object.Root().Clone()
			all, _ := events(root)
			for _, c := range all {
				for i := range c.Props {
					if c.Props[i].Name == "ATTENDEE" {
						c.Props[i] = c.Props[i].WithoutParams("CN", "RSVP", "SCHEDULE-STATUS")
					}
				}
				c.Children = []*ics.Component{{Name: "VALARM", Props: []ics.Prop{ics.NewProp("ACTION", "AUDIO"), ics.NewProp("TRIGGER", "-PT5M")}}}
			}
			return "an alarm", ics.New(root)
		}
		if o := itip.SetPartStat(f.Object, p.self, "", said, ""); o != nil {
			return said, o
		}
		return "", nil
	})
}

// instance names the nth of a series, "" where there is none.
func instance(o *ics.Object, nth int) ics.RID {
	if m := o.Master(); m == nil || m.Prop("RRULE") == nil {
		return ""
	}
	var all []ics.RID
	o.Instances(time.Time{}, time.Time{}, time.UTC, ics.Bound{}, func(i ics.Instance) bool {
		all = append(all, i.RID)
		return len(all) < 50
	})
	if len(all) == 0 {
		return ""
	}
	slices.Sort(all)
	return all[nth%len(all)]
}

// single is the override of an instance, made where there is none.
func single(o *ics.Object, root *ics.Component, r ics.RID) *ics.Component {
	all, _ := events(root)
	for _, c := range all {
		if o.RID(c) == r {
			return c
		}
	}
	c := o.Occurrence(r).Clone()
	root.Children = append(root.Children, c)
	return c
}

// organize is what the organizer does.
func (h *history) organize() {
	what, nth, place := h.IntN(13), h.IntN(5), fmt.Sprint("Room ", h.IntN(3))
	guest := h.others()[h.IntN(len(h.others()))]
	is := func(p *ics.Prop) bool { return p.Name == "ATTENDEE" && ics.CalAddress(p).Mail() == guest }
	if what >= 11 {
		if h.organizer.server != nil {
			h.carry(h.organizer, []string{"MOVE", "COPY"}[what-11])
		}
		return
	}
	h.write(h.organizer, func(f *found) (string, *ics.Object) {
		root := f.Object.Root().Clone()
		all, master := events(root)
		r := instance(f.Object, nth)
		switch {
		case what == 0:
			for _, c := range all {
				c.Set(ics.NewProp("LOCATION", place))
			}
			return place + " everywhere", ics.New(root)
		case what == 1 && r != "":
			single(f.Object, root, r).Set(ics.NewProp("LOCATION", place))
			return place + " for " + string(r), ics.New(root)
		case what == 2 && r != "":
			later(single(f.Object, root, r))
			return string(r) + " is later", ics.New(root)
		case what == 3:
			without(root, func(c *ics.Component) bool { return c != master })
			master.Remove("EXDATE")
			later(master)
			return "all is later", ics.New(root)
		case what == 4 && r != "":
			without(root, func(c *ics.Component) bool { return f.Object.RID(c) == r })
			master.Add(f.Object.DateProp("EXDATE", r))
			return "no " + string(r), ics.New(root)
		case what == 5 || what == 6:
			for _, c := range all {
				if !slices.ContainsFunc(c.Props, func(p ics.Prop) bool { return is(&p) }) {
					c.Add(ics.NewProp("ATTENDEE", "mailto:"+guest))
				}
			}
			return guest + " joins", ics.New(root)
		case what == 7:
			for _, c := range all {
				c.RemoveFunc(is)
			}
			return guest + " leaves", ics.New(root)
		case what == 8 && r != "":
			single(f.Object, root, r).RemoveFunc(is)
			return guest + " leaves " + string(r), ics.New(root)
		case what == 9:
			for _, c := range all {
				status := []string{"TENTATIVE", "CONFIRMED"}
				if h.kind == "VTODO" {
					status = []string{"IN-PROCESS", "NEEDS-ACTION"}
				}
				c.Set(ics.NewProp("STATUS", status[nth%2]))
			}
			return "another status", ics.New(root)
		case what == 10 && nth == 0:
			return "removes the meeting", nil
		}
		return "", nil
	})
}

// later moves an event by an hour, or by a day where it lasts days.
func later(c *ics.Component) {
	for _, n := range []string{"DTSTART", "DTEND", "DUE"} {
		p := c.Prop(n)
		if p == nil {
			continue
		}
		for layout, by := range map[string]time.Duration{"20060102T150405Z": time.Hour, "20060102": 24 * time.Hour} {
			if at, err := time.Parse(layout, p.Value); err == nil {
				c.Set(p.WithValue(at.Add(by).Format(layout)))
				break
			}
		}
	}
}

// sequences checks that no instance goes back to an earlier revision.
func (h *history) sequences() {
	f := h.copy(h.organizer)
	if f == nil {
		return
	}
	for _, c := range f.Object.Main() {
		r := f.Object.RID(c)
		n, _ := strconv.Atoi(c.Value("SEQUENCE"))
		if n < h.sequence[r] {
			h.failf("SEQUENCE of %q fell from %d to %d", r, h.sequence[r], n)
		}
		h.sequence[r] = n
	}
}
