package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/dialogue"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// busy compares what each calendar says of its owner's time (RFC 4791 §7.10), from
// the record that is kept of it, with the copies of all meetings that lie in it.
func (w *twoServers) busy(hs []*history) {
	from := time.Now().UTC().Truncate(24 * time.Hour)
	to := from.AddDate(0, 3, 0)
	stamp := func(t time.Time) string { return t.Format("20060102T150405Z") }
	for _, p := range w.people {
		self := func(a cuaddr.Address) bool { return a.Mail() == p.address }
		copies := map[string][]*ics.Object{}
		for _, h := range hs {
			if f := h.copy(p); f != nil {
				at := f.Href[:strings.LastIndex(f.Href, "/")+1]
				copies[at] = append(copies[at], f.Object)
			}
		}
		for _, at := range p.calendars() {
			want := itip.BusyTime{From: from, To: to, Stamp: from}
			for _, o := range copies[at] {
				err := o.Instances(from, to, time.UTC, ics.Bound{}, func(i ics.Instance) bool {
					want.Spans = append(want.Spans, ics.Span{Start: i.Start, End: i.End, Type: ics.Effect(i.Component, self)})
					return true
				})
				if err != nil {
					w.t.Fatal(err)
				}
			}
			want.Spans = ics.Merge(want.Spans)
			status, _, text, err := p.do(w.t.Context(), "REPORT", at, fmt.Sprintf(`<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="%s" end="%s"/></C:free-busy-query>`, stamp(from), stamp(to)),
				"Depth", "1", "Content-Type", "text/xml; charset=utf-8")
			if err != nil || status != http.StatusOK {
				w.t.Fatal(status, text, err)
			}
			o, err := ics.Parse([]byte(text), ics.Limits{})
			if err != nil {
				w.t.Fatal(err)
			}
			have, err := dialogue.BusyLines(o, from, to)
			if err != nil {
				w.t.Fatal(err)
			}
			said, err := dialogue.BusyLines(itip.BusyMessage("", "1", want), from, to)
			if err != nil {
				w.t.Fatal(err)
			}
			if !slices.Equal(have, said) {
				w.t.Errorf("%s is busy\n%s\nand by the copies in it\n%s", at, strings.Join(have, "\n"), strings.Join(said, "\n"))
			}
		}
	}
}
