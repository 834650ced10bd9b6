package filter

import (
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/scheduling/ics"
)

// FuzzQuery: no filter, no calendar-data and no object makes a query panic,
// run for long, or return what is no iCalendar.
func FuzzQuery(f *testing.F) {
	const event = `<C:comp-filter name="VEVENT">`
	f.Add(event+window("20260101T000000Z", "20260108T000000Z")+`</C:comp-filter>`, `<C:expand start="20260101T000000Z" end="20270101T000000Z"/>`, party)
	f.Add(event+`<C:comp-filter name="VALARM">`+window("20260202T000000Z", "-")+`</C:comp-filter></C:comp-filter>`, `<C:comp name="VCALENDAR"><C:comp name="VEVENT"/></C:comp>`, party)
	f.Add(event+`<C:prop-filter name="ATTENDEE"><C:text-match collation="i;unicode-casemap" negate-condition="yes">ß</C:text-match><C:param-filter name="CN"/></C:prop-filter></C:comp-filter>`, ``, party)
	f.Add(`<C:comp-filter name="VTODO">`+window("-", "20260108T000000Z")+`</C:comp-filter>`, `<C:limit-recurrence-set start="20260101T000000Z" end="20270101T000000Z"/>`, moved)
	f.Fuzz(func(t *testing.T, filter, data, lines string) {
		const ns = `<x xmlns:C="urn:ietf:params:xml:ns:caldav">`
		e, err := dav.Parse(strings.NewReader(ns+`<C:filter><C:comp-filter name="VCALENDAR">`+filter+`</C:comp-filter></C:filter><C:calendar-data>`+data+`</C:calendar-data></x>`), dav.Limits{})
		if err != nil || len(e.Children()) != 2 {
			return
		}
		o, err := ics.Parse([]byte("BEGIN:VCALENDAR\n"+lines+"\nEND:VCALENDAR\n"), ics.Limits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		b := ics.Bound{Instances: 1000, Steps: 10_000}
		if q, err := Parse(e.Children()[0]); err == nil {
			q.Plan()
			q.Match(o, time.UTC, b)
		}
		d, err := ParseData(e.Children()[1])
		if err != nil {
			return
		}
		out, err := d.Of(o, time.UTC, b)
		if err != nil {
			return
		}
		if _, err := ics.Parse(out, ics.Limits{}); err != nil {
			t.Errorf("%q: %v", out, err)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	test := func(name, inner string, o *ics.Object) {
		f := parse(b, inner)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.Match(o, time.UTC, ics.Bound{})
			}
		})
	}
	week := `<C:comp-filter name="VEVENT">` + window("20260209T000000Z", "20260216T000000Z") + `</C:comp-filter>`
	test("single", week, object(b, party))
	test("daily", week, object(b, moved))
	test("text", `<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match>bob</C:text-match></C:prop-filter></C:comp-filter>`, object(b, party))
}

func BenchmarkExpand(b *testing.B) {
	test := func(name, lines string) {
		body := object(b, lines).Bytes()
		d := wanted(b, `<C:expand start="20260209T000000Z" end="20260216T000000Z"/>`)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				o, err := ics.Parse(body, ics.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := d.Of(o, time.UTC, ics.Bound{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	test("single", party)
	test("daily", "BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20250202T090000\nDTEND;TZID=Europe/Berlin:20250202T100000\nSUMMARY:x\nRRULE:FREQ=DAILY\nEND:VEVENT")
}
