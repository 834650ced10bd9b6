package dialogue

import (
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

const utcForm = "20060102T150405Z"

// expectBusy asks about the time of one or of many, and compares what is told.
func (r *run) expectBusy(w, lines []string) {
	from, err := time.Parse(utcForm, w[3])
	to, err2 := time.Parse(utcForm, w[4])
	if err != nil || err2 != nil {
		r.failf("%s and %s are no times in UTC", w[3], w[4])
		return
	}
	var whom, with []string
	for _, name := range strings.Split(w[2], ",") {
		for _, one := range many(name) {
			whom = append(whom, r.person(one).Name)
		}
	}
	want := slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		more, ok := strings.CutPrefix(l, "with ")
		if ok {
			with = append(with, more)
		}
		return ok
	})
	told, err := r.d.Busy(w[1], whom, from, to, with)
	if err == nil && len(told) != len(whom) {
		r.failf("%s asked about %d and is told of %d", w[1], len(whom), len(told))
		return
	}
	if err != nil {
		r.failf("%v", err)
		return
	}
	var got []string
	for i, name := range whom {
		for _, l := range told[i] {
			if len(whom) > 1 {
				l = name + " " + l
			}
			got = append(got, l)
		}
	}
	var wanted []string
	for _, l := range want {
		wanted = append(wanted, many(l)...)
	}
	if !slices.Equal(got, wanted) {
		r.failf("%s is told of %s's time\n\t%s\nand not\n\t%s", w[1], w[2], strings.Join(got, "\n\t"), strings.Join(wanted, "\n\t"))
	}
}

// BusyLines words busy time as scripts have it: a VFREEBUSY object that
// answers a question about [from, to), and the events in it.
func BusyLines(o *ics.Object, from, to time.Time) ([]string, error) {
	at := slices.IndexFunc(o.Root().Children, func(c *ics.Component) bool { return c.Name == "VFREEBUSY" })
	b, err := itip.ReadBusyTime(o, o.Root().Children[max(at, 0)])
	if err != nil {
		return nil, err
	}
	var out []string
	if !b.From.Equal(from) || !b.To.Equal(to) {
		out = append(out, "known "+b.From.Format(utcForm)+"/"+b.To.Format(utcForm))
	}
	types := map[ics.BusyType]string{ics.Busy: "BUSY", ics.Tentative: "BUSY-TENTATIVE", ics.Unavailable: "BUSY-UNAVAILABLE"}
	for _, s := range b.Spans {
		out = append(out, types[s.Type]+" "+s.Start.Format(utcForm)+"/"+s.End.Format(utcForm))
	}
	for _, c := range o.Root().Children {
		if c.Name == "VEVENT" {
			out = append(out, strings.TrimSpace("event "+c.Value("DTSTART")+"/"+c.Value("DTEND")+" "+c.Text("SUMMARY")))
		}
	}
	return out, nil
}
