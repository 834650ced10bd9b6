package ics

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// event makes an object with one VEVENT of these lines.
func event(t testing.TB, lines ...string) *Object {
	t.Helper()
	return object(t, "BEGIN:VEVENT\nUID:1\n"+strings.Join(lines, "\n")+"\nEND:VEVENT\n")
}

func object(t testing.TB, body string) *Object {
	t.Helper()
	o, err := Parse(crlf("BEGIN:VCALENDAR\nVERSION:2.0\n"+body+"END:VCALENDAR\n"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func berlin(t testing.TB) *time.Location { return mustLocation(t, "Europe/Berlin") }

func mustLocation(t testing.TB, name string) *time.Location {
	t.Helper()
	l := Location(name)
	if l == nil {
		t.Fatalf("no zone %s", name)
	}
	return l
}

func TestLocation(t *testing.T) {
	test := func(tzid, want string) {
		t.Helper()
		got := ""
		if l := Location(tzid); l != nil {
			got = l.String()
		}
		if got != want {
			t.Errorf("Location(%q) = %q, want %q", tzid, got, want)
		}
	}
	test("Europe/Berlin", "Europe/Berlin")
	test("/freeassociation.sourceforge.net/Europe/Berlin", "Europe/Berlin")
	test("/freeassociation.sourceforge.net/Tzfile/America/Argentina/Salta", "America/Argentina/Salta")
	test("/mozilla.org/20050126_1/Europe/Berlin", "Europe/Berlin")
	test("/softwarestudio.org/Olson_20011030_5/America/New_York", "America/New_York")
	test(` "Europe/Berlin"  `, "Europe/Berlin")
	test(`Europe/Berlin\n`, "Europe/Berlin")
	test("europe/berlin", "Europe/Berlin")
	test("W. Europe Standard Time", "Europe/Berlin")
	test("w. europe standard time ", "Europe/Berlin")
	test("AUS Eastern Standard Time", "Australia/Sydney")
	test("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Berlin")
	test("tzone://Microsoft/Utc", "Etc/UTC")
	test("UTC", "UTC")
	test("UTC+2", "Etc/GMT-2")
	test("GMT-05:00", "Etc/GMT+5")
	test("GMT+0530", "")
	test("Customized Time Zone", "")
	test("tzone://Microsoft/Custom", "")
	test("Local", "")
	test("localtime", "")
	test("/etc/localtime", "")
	test("posixrules", "")
	test("../etc/passwd", "")
	test("Europe", "")
	test("right/Europe/Berlin", "")
	test("", "")
	test("/", "")
}

func TestWindowsZonesExist(t *testing.T) {
	for name, iana := range windowsZones {
		if name != strings.ToLower(name) || ianaZone(iana) == nil {
			t.Errorf("%q: %q", name, iana)
		}
	}
}

func TestWallClocks(t *testing.T) {
	test := func(zone, wall, want string) {
		t.Helper()
		o := event(t, "DTSTART;TZID="+zone+":"+wall)
		d, err := o.PropTime(o.Master().Prop("DTSTART"))
		if err != nil || d.Form != Zoned {
			t.Fatalf("%v %v", d, err)
		}
		if got := d.At(time.UTC).Format("20060102T150405Z"); got != want {
			t.Errorf("%s %s = %s, want %s", zone, wall, got, want)
		}
	}
	test("Europe/Berlin", "20260115T120000", "20260115T110000Z")
	test("Europe/Berlin", "20260715T120000", "20260715T100000Z")
	// RFC 5545 §3.3.5: what is skipped has the offset before the gap.
	test("Europe/Berlin", "20240331T013000", "20240331T003000Z")
	test("Europe/Berlin", "20240331T023000", "20240331T013000Z")
	test("Europe/Berlin", "20240331T030000", "20240331T010000Z")
	test("America/New_York", "20070311T023000", "20070311T073000Z")
	// ... and of two moments the first is meant.
	test("Europe/Berlin", "20241027T015959", "20241026T235959Z")
	test("Europe/Berlin", "20241027T023000", "20241027T003000Z")
	test("Europe/Berlin", "20241027T030000", "20241027T020000Z")
	test("America/New_York", "20071104T013000", "20071104T053000Z")
	test("Australia/Lord_Howe", "20240407T014500", "20240406T144500Z") // half an hour
	test("Australia/Lord_Howe", "20241006T021500", "20241005T154500Z")
	test("Pacific/Apia", "20111230T120000", "20111230T220000Z") // a day that was not
	test("Europe/Berlin", "16010101T000000", "16001231T230632Z")
	test("Europe/Berlin", "99991231T235959", "99991231T225959Z")
	// The last day of a leap year, after the table of changes.
	test("Europe/Berlin", "20401231T235959", "20401231T225959Z")
	test("America/New_York", "20441231T235959", "20450101T045959Z")
	test("Australia/Sydney", "20401231T120000", "20401231T010000Z")
}

func mustZone(t testing.TB, name string) *Zone { return zoneOf(mustLocation(t, name)) }

// TestClockAgreesWithZone walks through ten years hour by hour.
func TestClockAgreesWithZone(t *testing.T) {
	for i, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "Asia/Gaza"} {
		z := mustZone(t, name)
		c := clock{zone: z}
		from := time.Date(2008+i%2*30, 1, 1, 0, 15, 0, 0, time.UTC).Unix()
		for w := from; w < from+10*366*daySecs; w += 3600 {
			at := z.instant(w)
			if got := c.instant(w); got != at {
				t.Fatalf("%s: clock %d, zone %d at %s", name, got, at, unix(w))
			}
			// No earlier instant shows that wall clock.
			if g := time.Unix(w, 0).UTC(); z.wall(at) == w {
				for _, d := range []int64{1800, 3600, 7200} {
					if z.wall(at-d) == w {
						t.Fatalf("%s: %s has an earlier instant", name, g)
					}
				}
			}
		}
	}
}

func TestPropTime(t *testing.T) {
	test := func(line, form, wall string) {
		t.Helper()
		o := event(t, line)
		d, err := o.PropTime(o.Master().Prop("DTSTART"))
		got := map[Form]string{Date: "date", Floating: "floating", UTC: "utc", Zoned: "zoned", 0: "none"}[d.Form]
		if err != nil {
			var se *SyntaxError
			if !errors.As(err, &se) || se.Line != 5 {
				t.Errorf("%s: %v is no SyntaxError of line 5", line, err)
			}
			got = err.Error()
		} else if w := d.Wall.Format("20060102T150405"); w != wall {
			t.Errorf("%s: wall %s, want %s", line, w, wall)
		}
		if !strings.Contains(got, form) {
			t.Errorf("%s: %s, want %s", line, got, form)
		}
	}
	test("DTSTART:20260102", "date", "20260102T000000")
	test("DTSTART;VALUE=date:20260102", "date", "20260102T000000")
	test("DTSTART;VALUE=DATE:20260102T000000", "date", "20260102T000000")
	test("DTSTART:20260102T030405", "floating", "20260102T030405")
	test("DTSTART:20260102T030405Z", "utc", "20260102T030405")
	test("DTSTART;TZID=Europe/Berlin:20260102T030405Z", "utc", "20260102T030405")
	test("DTSTART;TZID=Europe/Berlin:20260102T030405", "zoned", "20260102T030405")
	test("DTSTART;TZID=Nowhere:20260102T030405", "floating", "20260102T030405")
	test("DTSTART;TZID=Local:20260102T030405", "floating", "20260102T030405")
	test("DTSTART:20260102T030460Z", "utc", "20260102T030459")
	test("DTSTART:20260229", "DTSTART: no such day", "")
	test("DTSTART:20260102T240000", "DTSTART: no such time of day", "")
	test("DTSTART:20260102T2400", "DTSTART: neither DATE nor DATE-TIME", "")
	test("DTSTART:2026010Z", "neither", "")
	test("DTSTART:-0260102", "neither", "")
	test("DTSTART:", "neither", "")
}

// custom is an embedded zone: the rules of New York as programs write them.
const custom = `BEGIN:VTIMEZONE
TZID:Customized Time Zone
BEGIN:STANDARD
DTSTART:16010101T020000
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VTIMEZONE
TZID:Seconds
BEGIN:STANDARD
DTSTART:19000101T000000
TZOFFSETFROM:+005328
TZOFFSETTO:+005328
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19180415T020000
TZOFFSETFROM:+005328
TZOFFSETTO:+015328
RRULE:FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=15;UNTIL=19200415T020000
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19181015T020000
TZOFFSETFROM:+015328
TZOFFSETTO:+005328
RDATE:19191015T020000,19201015T020000
END:STANDARD
END:VTIMEZONE
BEGIN:VTIMEZONE
TZID:Broken
BEGIN:STANDARD
DTSTART:19000101T000000
TZOFFSETFROM:+99
TZOFFSETTO:+99
END:STANDARD
END:VTIMEZONE
BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETFROM:+0500
TZOFFSETTO:+0500
END:STANDARD
END:VTIMEZONE
`

func TestEmbeddedZones(t *testing.T) {
	test := func(tzid, wall, want string) {
		t.Helper()
		o := object(t, custom+"BEGIN:VEVENT\nUID:1\nDTSTART;TZID="+tzid+":"+wall+"\nEND:VEVENT\n")
		d, err := o.PropTime(o.Master().Prop("DTSTART"))
		if err != nil {
			t.Fatal(err)
		}
		got := d.At(time.UTC).Format("20060102T150405Z")
		if d.Form == Floating {
			got = "floating"
		}
		if got != want {
			t.Errorf("%s %s = %s, want %s", tzid, wall, got, want)
		}
	}
	test("Customized Time Zone", "20260115T120000", "20260115T170000Z")
	test("Customized Time Zone", "20260715T120000", "20260715T160000Z")
	test("Customized Time Zone", "20260308T023000", "20260308T073000Z") // gap
	test("Customized Time Zone", "20261101T013000", "20261101T053000Z") // twice
	test("Customized Time Zone ", "20990715T120000", "20990715T160000Z")
	test("Seconds", "19180101T000000", "19171231T230632Z")
	test("Seconds", "19180501T000000", "19180430T220632Z")
	test("Seconds", "19181101T000000", "19181031T230632Z")
	test("Seconds", "19200501T000000", "19200430T220632Z")
	test("Seconds", "19210501T000000", "19210430T230632Z") // after UNTIL, in local time
	test("Broken", "20260101T000000", "floating")
	test("Missing", "20260101T000000", "floating")
	// The name that everybody knows comes before what is embedded.
	test("W. Europe Standard Time", "20260115T120000", "20260115T110000Z")
}

func TestZones(t *testing.T) {
	o := object(t, custom+"BEGIN:VEVENT\nUID:1\nDTSTART;TZID=A:20260101T000000\nDTEND;TZID=B:20260101T000000\nEXDATE;TZID=A:20260101T000000\nBEGIN:VALARM\nTRIGGER;TZID=C:x\nEND:VALARM\nEND:VEVENT\n")
	if got := strings.Join(o.Zones(), " "); got != "A B C" {
		t.Errorf("Zones = %s", got)
	}
}

func TestParseDuration(t *testing.T) {
	test := func(in string, days, secs int64) {
		t.Helper()
		l, err := parseDuration(in)
		if err != nil || l != (length{days, secs}) {
			t.Errorf("%s = %v %v", in, l, err)
		}
	}
	test("P1D", 1, 0)
	test("P2W", 14, 0)
	test("-P1DT2H3M4S", -1, -7384)
	test("PT90M", 0, 5400)
	test("+PT0S", 0, 0)
	for _, bad := range []string{"", "P", "PT", "1D", "P1", "P1H", "PT1D", "PD", "P99999999999999D", "P400Y", "P1DT1HT1H", "P1000000D", "P73000DT6000000000S"} {
		if l, err := parseDuration(bad); err == nil {
			t.Errorf("%q = %v", bad, l)
		}
	}
}
