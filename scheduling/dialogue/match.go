package dialogue

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
)

// match says why an object has not what the lines demand, "" if it has.
func (r *run) match(o *ics.Object, lines []string) string {
	for _, line := range lines {
		words, err := split(line)
		if err != nil || len(words) == 0 {
			return fmt.Sprintf("%q is no demand", line)
		}
		if words[0] == "components" && len(words) == 2 {
			if n, _ := strconv.Atoi(words[1]); n != len(o.Main()) {
				return fmt.Sprintf("it has %d components, not %s", len(o.Main()), words[1])
			}
			continue
		}
		where := o.Main()
		if rid, ok := strings.CutPrefix(words[0], "@"); ok {
			words = words[1:]
			c := o.Master()
			if rid != "" {
				c = o.Override(ics.RID(rid))
			}
			where = nil
			if c != nil {
				where = []*ics.Component{c}
			} else if len(words) == 0 || words[0] != "no" {
				return "it has no component for " + line
			}
		}
		if len(words) == 0 {
			continue // "@rid" alone: the component is there
		}
		no := words[0] == "no"
		if no {
			words = words[1:]
		}
		if len(words) == 0 {
			return fmt.Sprintf("%q is no demand", line)
		}
		found := false
		for _, l := range contentLines(where) {
			found = found || r.lineHas(l, words)
		}
		if found == no {
			if no {
				return "it has " + line[strings.Index(line, "no ")+3:]
			}
			return "it has no " + line
		}
	}
	return ""
}

// lineHas: the line's property is the first word, or begins with it where that
// has a colon; every further word is in it, or not where it begins with "!".
func (r *run) lineHas(line string, words []string) bool {
	end := strings.IndexAny(line, ";:")
	if end < 0 {
		return false
	}
	if strings.ContainsAny(words[0], ":;") {
		if line != words[0] {
			return false
		}
	} else if line[:end] != words[0] {
		return false
	}
	for _, w := range words[1:] {
		want, absent := w, false
		if v, ok := strings.CutPrefix(w, "!"); ok {
			want, absent = v, true
		}
		for _, p := range r.s.People {
			if want == p.Name {
				want = ":mailto:" + p.Address
			}
		}
		has := strings.Contains(strings.ReplaceAll(line, `"`, ""), want)
		if want == "PARTSTAT=NEEDS-ACTION" { // so by default (RFC 5545 §3.2.12)
			has = has || !strings.Contains(line, "PARTSTAT=")
		}
		if has == absent {
			return false
		}
	}
	return true
}

// contentLines lists the unfolded lines of components; a component inside
// gives a line with its name.
func contentLines(cs []*ics.Component) []string {
	var out []string
	for _, c := range cs {
		for i := range c.Props {
			out = append(out, propLine(&c.Props[i]))
		}
		for _, ch := range c.Children {
			out = append(out, ch.Name+":")
			out = append(out, contentLines([]*ics.Component{ch})...)
		}
	}
	return out
}

func propLine(p *ics.Prop) string {
	var b strings.Builder
	b.WriteString(p.Name)
	for _, par := range p.Params {
		b.WriteString(";" + par.Name + "=" + strings.Join(par.Values, ","))
	}
	value := p.Value
	if p.Name == "ATTENDEE" || p.Name == "ORGANIZER" {
		if a := ics.CalAddress(p); !a.IsZero() {
			value = a.String()
		}
	}
	return b.String() + ":" + value
}

// agree compares what every copy tells of the meeting.
func (r *run) agree() {
	var first, firstWho string
	for _, p := range r.s.People {
		if !p.Here() {
			continue
		}
		b, _ := r.d.Object(p.Name, r.uid)
		if b == nil {
			continue
		}
		o, err := ics.Parse(b, ics.Limits{})
		if err != nil {
			r.failf("%s's copy: %v", p.Name, err)
			return
		}
		s := state(o)
		if firstWho == "" {
			first, firstWho = s, p.Name
		} else if s != first {
			r.failf("%s and %s do not agree:\n%s\n%s", firstWho, p.Name, first, s)
		}
	}
	if firstWho == "" {
		r.failf("nobody has a copy")
	}
}

// state is what all copies of a meeting must tell alike. How far somebody has
// got with a task is his own; an occurrence that was called off may be excluded
// in one copy and shown as cancelled in another.
func state(o *ics.Object) string {
	var out []string
	for _, c := range o.Main() {
		rid := string(o.RID(c))
		if rid != "" && c.Value("STATUS") == "CANCELLED" {
			continue
		}
		for _, n := range []string{"DTSTART", "DTEND", "DURATION", "DUE", "STATUS", "RRULE", "SEQUENCE", "SUMMARY", "LOCATION"} {
			if p := c.Prop(n); p != nil && (n != "STATUS" || c.Name != "VTODO" || p.Value == "CANCELLED") && !(n == "SEQUENCE" && p.Value == "0") { // as good as none
				out = append(out, rid+" "+n+" "+p.Value)
			}
		}
		for _, a := range ics.Attendees(c) {
			out = append(out, rid+" "+ics.CalAddress(a).String()+" "+ics.PartStat(a))
		}
	}
	sort.Strings(out)
	return strings.Join(out, "\n")
}
