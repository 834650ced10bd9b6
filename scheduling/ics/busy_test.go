package ics

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
)

func ann(a cuaddr.Address) bool { return a.String() == "mailto:ann@example.org" }

func TestEffect(t *testing.T) {
	test := func(want BusyType, lines ...string) {
		t.Helper()
		o := event(t, lines...)
		if got := Effect(o.Master(), ann); got != want {
			t.Errorf("%v: %d, want %d", lines, got, want)
		}
	}
	const organizer, attendee = "ORGANIZER:mailto:ann@example.org", "ATTENDEE;PARTSTAT=%s:mailto:ann@Example.org"
	invited := func(s string) string {
		return "ORGANIZER:mailto:ben@example.org\n" + strings.Replace(attendee, "%s", s, 1)
	}
	organizes := func(s string) string { return organizer + "\n" + strings.Replace(attendee, "%s", s, 1) }
	test(Busy)
	test(Free, "TRANSP:transparent")
	test(Free, "STATUS:CANCELLED")
	test(Tentative, "STATUS:TENTATIVE")
	test(Busy, organizer)
	test(Busy, organizes("ACCEPTED"))
	test(Busy, organizes("NEEDS-ACTION"))
	test(Free, organizes("DECLINED"))
	test(Tentative, organizes("TENTATIVE"))
	test(Busy, invited("accepted"))
	test(Tentative, invited("TENTATIVE"))
	test(Tentative, invited("ACCEPTED"), "STATUS:TENTATIVE")
	test(Free, invited("NEEDS-ACTION"))
	test(Free, invited("DECLINED"))
	test(Free, invited("DELEGATED"))
	test(Free, invited("X-MAYBE"))
	test(Free, invited("ACCEPTED"), "TRANSP:TRANSPARENT")
	test(Free, "ORGANIZER:mailto:ben@example.org", "ATTENDEE:mailto:ann@example.org")
	test(Busy, "ORGANIZER:mailto:ben@example.org", "ATTENDEE;PARTSTAT=DECLINED:mailto:carl@example.org") // not among them: his own entry
	if got := Effect(event(t, "X:1").Master(), nil); got != Busy {
		t.Errorf("nobody: %d", got)
	}
}

func utc(s string) int64 {
	t, err := time.Parse("20060102T150405Z", s)
	if err != nil {
		panic(err)
	}
	return t.UnixMicro()
}

func TestIndexSlot(t *testing.T) {
	test := func(want string, lines ...string) {
		t.Helper()
		x, err := event(t, lines...).Index(ann, berlin(t), Bound{})
		got := "none"
		switch {
		case err != nil:
			got = err.Error()
		case x.Slot != nil:
			got = fmt.Sprintf("%s %s %d %v", time.UnixMicro(x.Slot.Start).UTC().Format("0102T1504"), time.UnixMicro(x.Slot.Fin).UTC().Format("0102T1504"), x.Slot.Type, x.Slot.Floating)
		case x.Series != nil:
			got = "series"
		}
		if got != want {
			t.Errorf("%v: %s, want %s", lines, got, want)
		}
	}
	test("0102T0800 0102T0900 1 false", "DTSTART;TZID=Europe/Berlin:20260102T090000", "DTEND;TZID=Europe/Berlin:20260102T100000")
	test("0102T0900 0102T0900 1 false", "DTSTART:20260102T090000Z")
	test("0101T2300 0102T2300 1 true", "DTSTART;VALUE=DATE:20260102")
	test("0101T2300 0102T2300 1 true", "DTSTART;VALUE=DATE:20260102", "DTEND;VALUE=DATE:20260102")
	test("0102T0800 0102T1000 0 true", "DTSTART:20260102T090000", "DURATION:PT2H", "TRANSP:TRANSPARENT")
	test("0102T0900 0102T1000 1 false", "DTSTART:20260102T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=1")
	test("0103T0900 0103T1000 1 false", "DTSTART:20260102T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20260102T090000Z")
	test("0102T0900 0102T1000 1 false", "RECURRENCE-ID:20260101T090000Z", "DTSTART:20260102T090000Z", "DURATION:PT1H")
	test("none", "DTSTART:20260102T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=1", "EXDATE:20260102T090000Z")
	test("0102T0900 0109T0900 1 false", "DTSTART:20260102T090000Z", "DURATION:P7D")
	test("series", "DTSTART:20260102T090000Z", "DURATION:P8D")
	test("series", "DTSTART:20260102T090000Z", "RRULE:FREQ=YEARLY;INTERVAL=50")
	if x, err := object(t, "BEGIN:VTODO\nUID:1\nDTSTART:20260101T000000Z\nEND:VTODO\n").Index(ann, time.UTC, Bound{}); err != nil || x != (Index{}) {
		t.Errorf("VTODO: %v %v", x, err)
	}
}

// spansOf lists what RunSpans says about a window, sorted.
func spansOf(t testing.TB, s *Series, from, to int64) []string {
	t.Helper()
	var out []string
	if err := RunSpans(s.Runs, from, to, func(start, end int64, b BusyType) bool {
		out = append(out, fmt.Sprint(start, " ", end, " ", b))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// instancesOf lists the same by Instances.
func instancesOf(t testing.TB, o *Object, loc *time.Location, from, to, before int64) []string {
	t.Helper()
	var out []string
	err := o.Instances(time.UnixMicro(from), time.UnixMicro(to), loc, Bound{}, func(i Instance) bool {
		if i.Start.UnixMicro() < before {
			out = append(out, fmt.Sprint(i.Start.UnixMicro(), " ", i.End.UnixMicro(), " ", Effect(i.Component, ann)))
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// TestRunsAreTheInstances compares the record with the object in many windows.
func TestRunsAreTheInstances(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	test := func(o *Object, most int) {
		t.Helper()
		for _, zone := range []string{"Europe/Berlin", "America/New_York"} {
			loc := mustLocation(t, zone)
			x, err := o.Index(ann, loc, Bound{})
			if err != nil {
				t.Fatal(err)
			}
			s := x.Series
			if s == nil {
				t.Fatalf("no series: %s", o.Bytes())
			}
			if len(s.Runs) > most {
				t.Errorf("%s: %d octets of runs, want at most %d", o.Master().Value("RRULE"), len(s.Runs), most)
			}
			lo, hi := max(s.First, utc("19900101T000000Z"))-10*daySecs*micro, min(s.CoveredUntil, s.Last)+10*daySecs*micro
			for range 60 {
				from := lo + rng.Int64N(hi-lo)
				if rng.IntN(3) == 0 { // on an edge
					from = from / (3600 * micro) * 3600 * micro
				}
				to := from + 1 + rng.Int64N(60*daySecs)*micro
				if got, want := spansOf(t, s, from, to), instancesOf(t, o, loc, from, to, s.CoveredUntil); !slices.Equal(got, want) {
					t.Fatalf("%s\n%v..%v\n got %v\nwant %v", o.Bytes(), time.UnixMicro(from).UTC(), time.UnixMicro(to).UTC(), got, want)
				}
			}
			if got, want := spansOf(t, s, lo, s.CoveredUntil), instancesOf(t, o, loc, lo, min(s.CoveredUntil, utc("99990101T000000Z")), s.CoveredUntil); !slices.Equal(got, want) {
				t.Fatalf("%s: whole: %d of %d instances", o.Bytes(), len(got), len(want))
			}
		}
	}
	const at = "DTSTART;TZID=Europe/Berlin:20260105T090000"
	test(event(t, at, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=730"), 40)
	test(event(t, at, "DURATION:PT1H", "RRULE:FREQ=WEEKLY"), 120)
	test(event(t, at, "DURATION:PT1H", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR"), 400)
	test(event(t, at, "DURATION:PT1H", "RRULE:FREQ=DAILY"), 120)
	test(event(t, at, "DURATION:P2D", "RRULE:FREQ=DAILY;UNTIL=20270101"), 60)
	test(event(t, at, "DURATION:P10D", "RRULE:FREQ=MONTHLY;BYDAY=1MO,-1FR"), 1500)
	test(event(t, at, "RRULE:FREQ=MONTHLY;BYMONTHDAY=31"), 500)
	test(event(t, at, "RRULE:FREQ=HOURLY;BYHOUR=9,10,11,12,13,14,15,16;BYDAY=MO,TU,WE,TH,FR", "DURATION:PT1H"), maxRuns)
	test(event(t, at, "RRULE:FREQ=MINUTELY", "DURATION:PT1M"), 40)
	test(event(t, at, "RRULE:FREQ=YEARLY;BYDAY=MO,SU,TU;BYSETPOS=1,5,9,50,-3", "DURATION:PT1M"), maxRuns)
	test(event(t, "DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=WEEKLY;INTERVAL=2"), 300)
	test(event(t, "DTSTART;VALUE=DATE:20260105", "DTEND;VALUE=DATE:20260107", "RRULE:FREQ=DAILY;INTERVAL=2"), 400)
	test(event(t, "DTSTART;VALUE=DATE:20260105", "DTEND;VALUE=DATE:20260120"), 12)
	test(event(t, "DTSTART:20260105T090000", "DURATION:PT30M", "RRULE:FREQ=DAILY;UNTIL=20280101T000000", "EXDATE:20260201T090000,20260301T090000", "RDATE;VALUE=PERIOD:20260115T100000/PT5H,20260116T100000/20260117T100000"), 100)

	// Overrides: moved, cancelled, answered otherwise.
	body := "BEGIN:VEVENT\nUID:1\n" + at + "\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=700\nORGANIZER:mailto:ben@example.org\nATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.org\nEND:VEVENT\n"
	for i := range 50 {
		day := time.Date(2026, 1, 10+9*i, 9, 0, 0, 0, time.UTC)
		stat := []string{"ACCEPTED", "TENTATIVE", "DECLINED"}[i%3]
		body += fmt.Sprintf("BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Berlin:%s\nDTSTART;TZID=Europe/Berlin:%s\nDURATION:PT%dM\nATTENDEE;PARTSTAT=%s:mailto:ann@example.org\nEND:VEVENT\n",
			day.Format("20060102T150405"), day.Add(time.Duration(i%5*40-40)*24*time.Hour).Format("20060102T150405"), 30+i%2*30, stat)
	}
	test(object(t, body), 900)
}

func TestSeriesRecord(t *testing.T) {
	test := func(first, last, covered string, lines ...string) {
		t.Helper()
		x, err := event(t, lines...).Index(ann, time.UTC, Bound{})
		if err != nil || x.Series == nil {
			t.Fatalf("%v %v", x, err)
		}
		say := func(n int64) string {
			if n == Endless {
				return "-"
			}
			return time.UnixMicro(n).UTC().Format("20060102T150405Z")
		}
		if a, b, c := say(x.Series.First), say(x.Series.Last), say(x.Series.CoveredUntil); a != first || b != last || c != covered {
			t.Errorf("%v: %s %s %s, want %s %s %s", lines, a, b, c, first, last, covered)
		}
	}
	const at = "DTSTART:20260101T090000Z"
	test("20260101T090000Z", "20260103T093000Z", "-", at, "DURATION:PT30M", "RRULE:FREQ=DAILY;COUNT=3")
	test("20260101T090000Z", "-", "20360109T090000Z", at, "RRULE:FREQ=DAILY")
	test("20260101T090000Z", "20551231T090000Z", "20360109T090000Z", at, "RRULE:FREQ=DAILY;UNTIL=20560101T000000Z")
	test("20251201T090000Z", "-", "20360109T090000Z", at, "RRULE:FREQ=DAILY", "RDATE:20251201T090000Z")
	test("20260102T090000Z", "-", "20360109T090000Z", at, "RRULE:FREQ=DAILY", "EXDATE:20260101T090000Z")
	// What has too many instances is covered as far as they were looked at.
	test("20260101T090000Z", "-", "20260101T090000Z", at, "RRULE:FREQ=SECONDLY;COUNT=1000000")
}

func TestRunSpansRefusesGarbage(t *testing.T) {
	test := func(runs ...byte) {
		t.Helper()
		if err := RunSpans(runs, -Endless, Endless, func(int64, int64, BusyType) bool { return true }); err == nil {
			t.Errorf("%x: no error", runs)
		}
	}
	test(9)
	test(1, 0)
	test(1, 0, 2)
	test(1, 0, 2, 0, 0, 0)    // step 0
	test(1, 0x80, 2, 1, 1, 1) // unknown bit
	test(1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 1, 1)
	test(1, 0, 2, 1, 0xff, 0xff, 0xff, 0xff, 0x7f, 1) // more instances than anybody wrote
	if err := RunSpans(nil, 0, 1, nil); err != nil {
		t.Error(err)
	}
}

func FuzzRunSpans(f *testing.F) {
	x, err := event(f, "DTSTART;TZID=Europe/Berlin:20260105T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=730").Index(ann, time.UTC, Bound{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(x.Series.Runs, int64(0), Endless)
	f.Fuzz(func(t *testing.T, runs []byte, from, to int64) {
		n := 0
		_ = RunSpans(runs, from, to, func(start, end int64, b BusyType) bool {
			if end < start || !overlaps(start, end, from, to) || b > Unavailable {
				t.Fatalf("%d %d %d", start, end, b)
			}
			n++
			return n < 1000
		})
	})
}

func TestMerge(t *testing.T) {
	at := func(h int) time.Time { return time.Date(2026, 1, 1, h, 0, 0, 0, time.UTC) }
	test := func(want string, spans ...Span) {
		t.Helper()
		var got []string
		for _, s := range Merge(spans) {
			got = append(got, fmt.Sprintf("%d-%d:%d", s.Start.Hour(), s.End.Hour(), s.Type))
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%v: %s, want %s", spans, g, want)
		}
	}
	test("")
	test("", Span{at(1), at(2), Free})
	test("", Span{at(1), at(1), Busy})
	test("1-4:1", Span{at(2), at(4), Busy}, Span{at(1), at(2), Busy})
	test("1-5:1", Span{at(1), at(5), Busy}, Span{at(2), at(4), Busy})
	test("1-3:1 4-5:1", Span{at(4), at(5), Busy}, Span{at(1), at(3), Busy})
	test("1-3:1 2-6:2 3-4:3 5-7:1", Span{at(1), at(3), Busy}, Span{at(2), at(6), Tentative}, Span{at(5), at(7), Busy}, Span{at(3), at(4), Unavailable})
}

// How busy time is told: a line for each type, in pieces that any program can
// read.
func TestFreeBusyLines(t *testing.T) {
	at := func(h, m int) time.Time { return time.Date(2026, 3, 2, h, m, 0, 0, time.UTC) }
	test := func(spans []Span, want ...string) {
		t.Helper()
		var got []string
		for _, p := range FreeBusy(spans) {
			got = append(got, p.Param("FBTYPE")+":"+p.Value)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	test(nil)
	test([]Span{{at(1, 0), at(2, 0), Tentative}, {at(3, 0), at(4, 30), Busy}, {at(5, 0), at(6, 0), Unavailable}, {at(7, 0), at(55, 0), Busy}, {at(8, 0), at(9, 0), Free}, {at(10, 0), at(11, 0), Unavailable}},
		"BUSY:20260302T030000Z/PT1H30M,20260302T070000Z/P2D", "BUSY-TENTATIVE:20260302T010000Z/PT1H",
		"BUSY-UNAVAILABLE:20260302T050000Z/20260302T060000Z,20260302T100000Z/20260302T110000Z")
	test([]Span{{at(1, 0), at(1, 0).Add(700 * time.Millisecond), Busy}, {at(1, 0), at(1, 0).Add(1500 * time.Millisecond), Busy}}, "BUSY:20260302T010000Z/PT1S")
	var many []Span
	for i := range 450 {
		many = append(many, Span{at(i, 0), at(i, 30), Busy})
	}
	props := FreeBusy(many)
	if len(props) != 3 || strings.Count(props[2].Value, "/PT30M") != 50 {
		t.Errorf("%d lines", len(props))
	}
}
