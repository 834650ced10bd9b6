package imip

import (
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// recurrence is what goes into a PidLidAppointmentRecur ([MS-OXOCAL] §2.2.1.44.5);
// the series begins on Monday, 9 March 2026, from nine to ten.
type recurrence struct {
	frequency, pattern uint16
	period             uint32
	specific           []uint32
	end, count         uint32
	left, changed      []string // days
	last               string   // the last day
	exceptions         []byte   // with their number before them
}

// since1601 counts the minutes until a time on clocks without a zone.
func since1601(stamp string) uint32 {
	t, err := time.Parse("20060102T1504", stamp)
	if err != nil {
		panic(err)
	}
	return uint32((t.Unix() + 11644473600) / 60)
}

func (x recurrence) bytes() []byte {
	w := (&tnefOf{}).u16(0x3004).u16(0x3004).u16(x.frequency).u16(x.pattern).u16(0).u32(0).u32(x.period).u32(0)
	for _, v := range x.specific {
		w.u32(v)
	}
	w.u32(x.end).u32(x.count).u32(1) // weeks begin on Monday
	for _, days := range [][]string{x.left, x.changed} {
		w.u32(uint32(len(days)))
		for _, d := range days {
			w.u32(since1601(d + "T0000"))
		}
	}
	last := uint32(0x5ae980df)
	if x.last != "" {
		last = since1601(x.last + "T0000")
	}
	w.u32(since1601("20260309T0000")).u32(last).u32(0x3006).u32(0x3009).u32(9 * 60).u32(10 * 60)
	if x.exceptions == nil {
		return w.u16(0).b
	}
	return append(w.b, x.exceptions...)
}

// clocks are those of Berlin as Outlook writes them.
func clocks() []byte {
	bias := func(minutes int32) uint32 { return uint32(minutes) }
	date := func(w *tnefOf, month, hour uint16) {
		w.u16(0).u16(0).u16(month).u16(0).u16(5).u16(hour).u16(0).u16(0).u16(0)
	}
	w := (&tnefOf{}).u32(bias(-60)).u32(0).u32(bias(-60))
	date(w, 10, 3)
	date(w, 3, 2)
	return w.b
}

func seriesTNEF(recur, zone []byte, allDay uint32) []byte {
	p := (&tnefOf{}).u32(7)
	p.u16(0x1e).u16(0x1a).blob([]byte("IPM.Schedule.Meeting.Request\x00"))
	p.u16(0x1e).u16(0x70).blob([]byte("Budget\x00"))
	p.named(0x0b, setAppointment, 0x8223).u32(1)
	p.named(0x0b, setAppointment, 0x8215).u32(allDay)
	p.named(0x102, setAppointment, 0x8216).blob(recur)
	p.named(0x102, setAppointment, 0x8233).blob(zone)
	p.named(0x102, setMeeting, 0x23).blob(objectID("u1"))
	return newTNEF().attribute(attMAPIProps, p.b).b
}

// 24: a series in Exchange's own format, with the days that it really has.
func TestTNEFSeries(t *testing.T) {
	read := func(x recurrence, allDay uint32) *ics.Object {
		t.Helper()
		return one(t, parse(t, mailWithTNEF(seriesTNEF(x.bytes(), clocks(), allDay))))
	}
	test := func(x recurrence, rule string, want ...string) {
		t.Helper()
		o := read(x, 0)
		if got := o.Master().Value("RRULE"); got != rule {
			t.Errorf("RRULE:%s, want %s", got, rule)
		}
		var got []string
		err := o.Instances(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC), time.UTC, ics.DefaultBound, func(in ics.Instance) bool {
			got = append(got, in.Start.UTC().Format("0102T1504"))
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		if g := strings.Join(got, " "); g != strings.Join(want, " ") {
			t.Errorf("%s: %s, want %s", rule, g, strings.Join(want, " "))
		}
	}
	// Clocks go forward on 29 March: nine there is eight, then seven in UTC.
	test(recurrence{frequency: 0x200b, pattern: 1, period: 2, specific: []uint32{0x02}, end: endsByCount, count: 3, left: []string{"20260323"}},
		"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=MO;COUNT=3", "0309T0800", "0406T0700")
	test(recurrence{frequency: 0x200a, pattern: 0, period: 3 * 1440, end: endsByDate, count: 3, last: "20260315"},
		"FREQ=DAILY;INTERVAL=3;UNTIL=20260315T110000Z", "0309T0800", "0312T0800", "0315T0800")
	test(recurrence{frequency: 0x200a, pattern: 1, period: 1, specific: []uint32{0x3e}, end: endsByCount, count: 6},
		"FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,TU,WE,TH,FR;WKST=MO;COUNT=6", "0309T0800", "0310T0800", "0311T0800", "0312T0800", "0313T0800", "0316T0800")
	test(recurrence{frequency: 0x200c, pattern: 3, period: 1, specific: []uint32{0x02, 2}, end: endsByCount, count: 2},
		"FREQ=MONTHLY;INTERVAL=1;BYDAY=MO;BYSETPOS=2;COUNT=2", "0309T0800", "0413T0700")
	test(recurrence{frequency: 0x200d, pattern: 2, period: 12, specific: []uint32{9}, end: 0x2023, count: 10}, "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=9", "0309T0800")
	test(recurrence{frequency: 0x200c, pattern: 2, period: 1, specific: []uint32{9}, end: endsByCount, count: 2}, "FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=9;COUNT=2", "0309T0800", "0409T0700")

	// Days that shorter months do not have are their last.
	rule := func(day uint32, want string) {
		t.Helper()
		s, err := parseSeries(recurrence{frequency: 0x200c, pattern: 2, period: 1, specific: []uint32{day}, end: 0x2023}.bytes())
		if err != nil || s.rule != want {
			t.Errorf("day %d: %s, %v, want %s", day, s.rule, err, want)
		}
	}
	rule(28, "FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=28")
	rule(29, "FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=28,29;BYSETPOS=-1")
	rule(30, "FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=28,29,30;BYSETPOS=-1")
	rule(31, "FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=-1")

	// A day that is at another time, elsewhere and called otherwise, one that is left out.
	x := (&tnefOf{}).u16(1).u32(since1601("20260317T1400")).u32(since1601("20260317T1500")).u32(since1601("20260316T0900")).u16(0x11)
	x.u16(6).u16(5)
	x.b = append(x.b, "Later"...)
	x.u16(5).u16(4)
	x.b = append(x.b, "Hall"...)
	o := read(recurrence{frequency: 0x200b, pattern: 1, period: 1, specific: []uint32{0x02}, end: endsByCount, count: 3,
		left: []string{"20260316", "20260323"}, changed: []string{"20260316"}, exceptions: x.b}, 0)
	if len(o.Overrides()) != 1 {
		t.Fatalf("%s", o.Bytes())
	}
	c := o.Overrides()[0]
	if got := strings.Join([]string{c.Value("RECURRENCE-ID"), c.Value("DTSTART"), c.Value("DTEND"), c.Text("SUMMARY"), c.Text("LOCATION"), o.Master().Value("EXDATE"), o.Master().Text("SUMMARY")}, " "); got !=
		"20260316T090000 20260317T140000 20260317T150000 Later Hall 20260323T090000 Budget" {
		t.Errorf("%s", got)
	}
	if len(ics.Attendees(c)) != 1 || ics.Organizer(c).Mail() != "cleo@example.net" {
		t.Errorf("%s", o.Bytes())
	}

	// A series of whole days needs no clocks.
	days := recurrence{frequency: 0x200a, pattern: 0, period: 1440, end: endsByDate, count: 2, last: "20260310"}.bytes()
	off := len(days) - 10 // from midnight to midnight
	copy(days[off:], (&tnefOf{}).u32(0).u32(1440).b)
	o = one(t, parse(t, mailWithTNEF(seriesTNEF(days, nil, 1))))
	if m := o.Master(); m.Value("DTSTART") != "20260309" || m.Value("DTEND") != "20260310" || m.Value("RRULE") != "FREQ=DAILY;INTERVAL=1;UNTIL=20260310" {
		t.Errorf("%s", o.Bytes())
	}

	// What is not known, or not whole, changes nothing; the mail is handed on.
	refused := func(recur, zone []byte, want string) {
		t.Helper()
		m := parse(t, mailWithTNEF(seriesTNEF(recur, zone, 0)))
		if len(m.Objects) != 0 || len(m.Problems) != 1 || !strings.Contains(m.Problems[0], want) {
			t.Errorf("%d objects, %q, want %q", len(m.Objects), m.Problems, want)
		}
	}
	weekly := recurrence{frequency: 0x200b, pattern: 1, period: 1, specific: []uint32{0x02}, end: 0x2023}
	refused(weekly.bytes(), nil, "clocks")
	refused(weekly.bytes()[:40], clocks(), "cut off")
	hijri := weekly.bytes()
	hijri[8] = 0x0a
	refused(hijri, clocks(), "calendar")
	weekly.specific = []uint32{0}
	refused(weekly.bytes(), clocks(), "calendar")
}
