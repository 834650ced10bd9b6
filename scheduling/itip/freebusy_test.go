package itip_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
)

var day = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func hour(n int) time.Time { return day.Add(time.Duration(n) * time.Hour) }

// busy makes what is known from one hour to another, told at an hour, with
// periods of one hour.
func busy(from, to, told int, periods ...int) BusyTime {
	b := BusyTime{From: hour(from), To: hour(to), Stamp: hour(told)}
	for _, p := range periods {
		b.Spans = append(b.Spans, ics.Span{Start: hour(p), End: hour(p + 1), Type: ics.Busy})
	}
	return b
}

func showBusy(known []BusyTime) string {
	at := func(t time.Time) int { return int(t.Sub(day) / time.Hour) }
	var out []string
	for _, k := range known {
		s := fmt.Sprintf("%d-%d", at(k.From), at(k.To))
		for _, sp := range k.Spans {
			s += fmt.Sprintf(" %d-%d", at(sp.Start), at(sp.End))
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

// Busy time that is told replaces what was known of its window, unless that is
// later.
func TestRemember(t *testing.T) {
	test := func(want string, told bool, now int, known ...BusyTime) {
		t.Helper()
		var all []BusyTime
		var ok bool
		for _, b := range known {
			all, ok = Remember(all, b, hour(now))
		}
		if got := showBusy(all); got != want || ok != told {
			t.Errorf("%s, %v; want %s", got, ok, want)
		}
	}
	test("10-20 12-13", true, 0, busy(10, 20, 1, 12))
	test("10-20 14-15", true, 0, busy(10, 20, 1, 12), busy(10, 20, 2, 14))
	test("10-20 14-15", true, 0, busy(10, 20, 1, 12), busy(10, 20, 1, 14)) // the same instant: what comes last
	test("10-20 12-13", false, 0, busy(10, 20, 2, 12), busy(10, 20, 1, 14))
	test("10-12 10-11, 12-15 13-14, 15-20 18-19", true, 0, busy(10, 20, 1, 10, 12, 18), busy(12, 15, 2, 13))
	test("5-10 8-9, 10-20 12-13, 20-25 22-23", true, 0, busy(10, 20, 2, 12), busy(5, 25, 1, 8, 15, 22)) // late, yet news elsewhere
	test("5-8 6-7, 10-12 11-12", true, 0, busy(5, 8, 1, 6), busy(10, 12, 1, 11))
	test("11-20 12-13", true, 11, busy(10, 20, 1, 10, 12)) // what is past is forgotten
	test("", false, 30, busy(10, 20, 1, 12))
	test("15-25 16-17", true, 15, busy(10, 20, 1, 12), busy(15, 25, 2, 16))

	all := []BusyTime(nil)
	for i := range 40 {
		all, _ = Remember(all, busy(10+2*i, 11+2*i, i), hour(0))
	}
	if len(all) != 24 || !all[0].From.Equal(hour(10+2*16)) {
		t.Errorf("%d windows, %s", len(all), showBusy(all))
	}
}

func TestKnown(t *testing.T) {
	known := []BusyTime{busy(5, 8, 1, 6), busy(10, 12, 1, 11), busy(12, 15, 2, 12), busy(20, 30, 1)}
	test := func(from, to int, want string) {
		t.Helper()
		b, ok := Known(known, hour(from), hour(to))
		got := showBusy([]BusyTime{b})
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%d-%d: %q, want %q", from, to, got, want)
		}
	}
	test(0, 5, "")
	test(6, 7, "6-7 6-7")
	test(0, 18, "10-15 11-13")
	test(0, 40, "20-30")
	test(11, 21, "11-15 11-13")
	test(40, 50, "")
}

// The constraints of RFC 5546 §3.3, and RFC 5545 §3.6.4.
func TestBusyMessage(t *testing.T) {
	b := busy(0, 24, 5, 10)
	b.Spans = append(b.Spans, ics.Span{Start: hour(12), End: hour(13), Type: ics.Tentative}, ics.Span{Start: hour(14), End: hour(15), Type: ics.Unavailable}, ics.Span{Start: hour(16), End: hour(17)})
	o := BusyMessage(Reply, "u", b, []ics.Prop{ics.NewProp("ATTENDEE", "mailto:a@x")}, []ics.Prop{ics.NewProp("ATTENDEE", "mailto:b@x")})
	if o.Method() != "REPLY" || len(o.Main()) != 2 || o.Main()[1].Value("ATTENDEE") != "mailto:b@x" {
		t.Errorf("%s", o.Bytes())
	}
	for _, want := range []string{"UID:u\r\n", "DTSTAMP:20260302T050000Z\r\n", "DTSTART:20260302T000000Z\r\n", "DTEND:20260303T000000Z\r\n",
		"FREEBUSY;FBTYPE=BUSY:20260302T100000Z/PT1H\r\n", "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260302T120000Z/PT1H\r\n", "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260302T140000Z/20260302T150000Z\r\n"} {
		if strings.Count(string(o.Bytes()), want) != 2 {
			t.Errorf("no %q in %s", want, o.Bytes())
		}
	}
	back, err := ReadBusyTime(o, o.First())
	if err != nil || showBusy([]BusyTime{back}) != "0-24 10-11 12-13 14-15" || !back.Stamp.Equal(b.Stamp) {
		t.Errorf("%v, %v", back, err)
	}
}

func TestReadBusyTime(t *testing.T) {
	test := func(want string, lines ...string) {
		t.Helper()
		text := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VFREEBUSY\r\nUID:u\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
		o, err := ics.Parse([]byte(text), ics.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := ReadBusyTime(o, o.First())
		got := showBusy([]BusyTime{b})
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %s (%v), want %s", lines, got, err, want)
		}
	}
	test("0-24", "DTSTART:20260302T000000Z", "DTEND:20260303T000000Z")
	test("0-24 1-2 3-5", "DTSTART:20260302T000000Z", "DTEND:20260303T000000Z", "FREEBUSY:20260302T010000Z/PT1H,20260302T030000Z/20260302T040000Z", "FREEBUSY;FBTYPE=X-DEAF:20260302T040000Z/20260302T050000Z")
	test("0-2 1-2", "DTSTART:20260302T000000Z", "DTEND:20260302T020000Z", "FREEBUSY:20260302T010000Z/PT5H")
	test("1-2 1-2", "FREEBUSY:20260302T010000Z/PT1H") // nothing is known beyond
	test("0-24", "DTSTART:20260302T000000Z", "DTEND:20260303T000000Z", "FREEBUSY;FBTYPE=FREE:20260302T010000Z/PT1H")
	test("error", "FREEBUSY:20260302T010000/PT1H")
	test("error", "FREEBUSY:20260302T010000Z")
	test("error", "FREEBUSY:20260302T010000Z/20260301T010000Z")
	test("error", "DTSTART:yesterday")
}

// What is published fills what is not known otherwise.
func TestBesideAndPublished(t *testing.T) {
	known := Beside([]BusyTime{busy(10, 12, 5, 11)}, []BusyTime{busy(0, 24, 1, 3, 11), busy(20, 30, 1, 22, 25)})
	if got := showBusy(known); got != "0-10 3-4, 10-12 11-12, 12-24, 24-30 25-26" {
		t.Error(got)
	}
	if got := showBusy(ReadKnown(WriteKnown(known))); got != showBusy(known) {
		t.Errorf("kept as %s", got)
	}
	file := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VFREEBUSY\r\nDTSTART:20260302T000000Z\r\nDTEND:20260303T000000Z\r\nFREEBUSY:20260302T030000Z/PT1H\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
	if known, err := ReadPublished([]byte(file), hour(2)); err != nil || showBusy(known) != "2-24 3-4" {
		t.Errorf("%s, %v", showBusy(known), err)
	}
	for _, bad := range []string{"", "hello", strings.ReplaceAll(file, "VFREEBUSY", "VJOURNAL"), strings.Replace(file, "PT1H", "soon", 1)} {
		if known, err := ReadPublished([]byte(bad), hour(2)); err == nil {
			t.Errorf("%q: %v", bad, known)
		}
	}
}
