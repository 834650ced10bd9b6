package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/dialogue"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// busy compares what each calendar says of its owner's time (RFC 4791 §7.10), from
// the record that is kept of it, with the copies of meetings that lie in it.
func (w *twoServers) busy() {
	from := time.Now().UTC().Truncate(24 * time.Hour)
	to := from.AddDate(1, 0, 0)
	for _, p := range append(slices.Clone(w.people), w.rooms...) {
		for _, at := range p.calendars("VEVENT") {
			want := itip.BusyTime{From: from, To: to, Stamp: from}
			for _, f := range p.list(w.t, at, "VEVENT", "") {
				err := f.Object.Instances(from, to, time.UTC, ics.Bound{}, func(i ics.Instance) bool {
					want.Spans = append(want.Spans, ics.Span{Start: i.Start, End: i.End, Type: ics.Effect(i.Component, p.self)})
					return true
				})
				if err != nil {
					w.t.Fatal(err)
				}
			}
			want.Spans = ics.Merge(want.Spans)
			status, text := p.asks(w.t, "REPORT", at, fmt.Sprintf(`<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="%s" end="%s"/></C:free-busy-query>`, stamp(from), stamp(to)),
				"Depth", "1", "Content-Type", "text/xml; charset=utf-8")
			if status != http.StatusOK {
				w.t.Fatal(status, text)
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
