package ics

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const benchStart = "DTSTART;TZID=Europe/Berlin:20260105T090000"

func benchIndex(b *testing.B, o *Object) {
	loc := berlin(b)
	raw := o.Bytes()
	var x Index
	b.ReportAllocs()
	for b.Loop() {
		// As on each PUT: an object that nothing has been worked out of yet.
		b.StopTimer()
		fresh, err := Parse(raw, Limits{})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if x, err = fresh.Index(ann, loc, Bound{}); err != nil {
			b.Fatal(err)
		}
	}
	if x.Series != nil {
		b.ReportMetric(float64(len(x.Series.Runs)), "octets")
	}
}

func BenchmarkIndexSimple(b *testing.B) {
	benchIndex(b, event(b, benchStart, "DTEND;TZID=Europe/Berlin:20260105T100000"))
}

func BenchmarkIndexTwoYearsDaily(b *testing.B) {
	benchIndex(b, event(b, benchStart, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=730"))
}

func BenchmarkIndexEndlessWeekly(b *testing.B) {
	benchIndex(b, event(b, benchStart, "DURATION:PT1H", "RRULE:FREQ=WEEKLY"))
}

func BenchmarkIndexEndlessDaily(b *testing.B) {
	benchIndex(b, event(b, benchStart, "DURATION:PT1H", "RRULE:FREQ=DAILY"))
}

func BenchmarkIndexEndlessWorkdays(b *testing.B) {
	benchIndex(b, event(b, benchStart, "DURATION:PT1H", "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"))
}

func BenchmarkIndexEndlessMonthly(b *testing.B) {
	benchIndex(b, event(b, benchStart, "DURATION:PT1H", "RRULE:FREQ=MONTHLY;BYDAY=2TU"))
}

// crowd is a daily series with many attendees and many overrides.
func crowd(b *testing.B, attendees, overrides int) *Object {
	var who strings.Builder
	for i := range attendees {
		fmt.Fprintf(&who, "ATTENDEE;CN=\"Attendee %d\";PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:attendee%d@example.org\n", i, i)
	}
	body := "BEGIN:VEVENT\nUID:1\nORGANIZER:mailto:ben@example.org\n" + benchStart + "\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=365\n" + who.String() + "END:VEVENT\n"
	for i := range overrides {
		day := time.Date(2026, 1, 6+3*i, 9, 0, 0, 0, time.UTC).Format("20060102")
		body += fmt.Sprintf("BEGIN:VEVENT\nUID:1\nORGANIZER:mailto:ben@example.org\nRECURRENCE-ID;TZID=Europe/Berlin:%sT090000\nDTSTART;TZID=Europe/Berlin:%sT140000\nDURATION:PT1H\n%sEND:VEVENT\n", day, day, who.String())
	}
	return object(b, body)
}

func BenchmarkParse200Attendees50Overrides(b *testing.B) {
	raw := crowd(b, 200, 50).Bytes()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(raw, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIndex200Attendees50Overrides(b *testing.B) { benchIndex(b, crowd(b, 200, 50)) }

func BenchmarkCheck200Attendees50Overrides(b *testing.B) {
	o := crowd(b, 200, 50)
	for b.Loop() {
		if err := o.Check(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchWindow(b *testing.B, o *Object, from time.Time, days, want int) {
	loc := berlin(b)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := o.Instances(from, from.AddDate(0, 0, days), loc, Bound{}, func(Instance) bool { n++; return true }); err != nil || n != want {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkExpandOneYearDaily(b *testing.B) {
	benchWindow(b, event(b, benchStart, "RRULE:FREQ=DAILY"), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 365, 361)
}

func BenchmarkExpandWeekIn20Years(b *testing.B) {
	benchWindow(b, event(b, benchStart, "RRULE:FREQ=DAILY"), time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC), 7, 7)
}

func BenchmarkExpandNeverMatching(b *testing.B) {
	benchWindow(b, event(b, benchStart, "RRULE:FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=31"), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 36500, 1)
}

func BenchmarkRunSpansWeek(b *testing.B) {
	x, err := event(b, benchStart, "DURATION:PT1H", "RRULE:FREQ=DAILY").Index(ann, time.UTC, Bound{})
	if err != nil {
		b.Fatal(err)
	}
	from := time.Date(2035, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	for b.Loop() {
		n := 0
		if err := RunSpans(x.Series.Runs, from, from+7*daySecs*micro, func(int64, int64, BusyType) bool { n++; return true }); err != nil || n != 7 {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkEmbeddedZone(b *testing.B) {
	c := object(b, custom).Root().Children[0]
	b.ReportAllocs()
	for b.Loop() {
		steps := 0
		embeddedZone(c, &steps)
	}
}

func BenchmarkHasInstanceCounted(b *testing.B) {
	o := event(b, "DTSTART:20260101T090000Z", "RRULE:FREQ=DAILY;COUNT=10000")
	for b.Loop() {
		if !o.HasInstance("20360101T090000Z") {
			b.Fatal("no instance")
		}
	}
}
