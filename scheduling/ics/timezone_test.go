package ics

import (
	"archive/zip"
	"bytes"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
)

// ianaNames lists the names of the tz database that the toolchain carries.
func ianaNames(t testing.TB) []string {
	r, err := zip.OpenReader(runtime.GOROOT() + "/lib/time/zoneinfo.zip")
	if err != nil {
		t.Skip("no zoneinfo.zip: ", err)
	}
	defer r.Close()
	var out []string
	for _, f := range r.File {
		if ianaName(f.Name) {
			out = append(out, f.Name)
		}
	}
	return out
}

// sameOffsets compares the VTIMEZONE as we read it with the zone, at each change
// of either and between.
func sameOffsets(t *testing.T, loc *time.Location, from, until int) int {
	t.Helper()
	begin := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC)
	tz := Timezone(loc, begin)
	b := New(&Component{Name: "VCALENDAR", Children: []*Component{tz}}).Bytes()
	o, err := Parse(b, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	z := embeddedZone(o.Root().Children[0], &steps)
	if z == nil {
		t.Fatalf("%s: not read:\n%s", loc, b)
	}
	real := zoneOf(loc)
	check := func(at int64) {
		t.Helper()
		a, _, _ := z.segment(at)
		if b, _, _ := real.segment(at); a != b {
			t.Fatalf("%s at %s: %d, want %d\n%s", loc, unix(at), a, b, New(&Component{Name: "VCALENDAR", Children: []*Component{tz}}).Bytes())
		}
	}
	end := time.Date(until, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	for at := begin.Unix(); at < end; {
		check(at)
		_, _, e1 := z.segment(at)
		_, _, e2 := real.segment(at)
		at = min(e1, e2, at+100*daySecs)
		check(at - 1)
	}
	return len(b)
}

func TestTimezoneIsTheZone(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Istanbul", "Europe/Moscow", "America/New_York",
		"America/Sao_Paulo", "America/Santiago", "America/Asuncion", "America/Nuuk", "America/Caracas", "America/Havana", "America/St_Johns", "Asia/Jerusalem", "Asia/Gaza",
		"Asia/Tehran", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tokyo", "Asia/Pyongyang", "Africa/Cairo", "Africa/Casablanca", "Africa/El_Aaiun", "Australia/Sydney",
		"Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Apia", "Pacific/Fiji", "Antarctica/Troll", "Etc/UTC", "UTC", "Etc/GMT-14"} {
		n := sameOffsets(t, mustLocation(t, name), 1990, 2060)
		if rules := name != "Asia/Gaza" && !strings.HasPrefix(name, "Africa/Ca") && name != "Africa/El_Aaiun"; rules && n > 3000 {
			t.Errorf("%s: %d octets: its changes are yearly", name, n)
		}
		m := sameOffsets(t, mustLocation(t, name), 2026, 2060)
		t.Logf("%s: %d octets from 1990, %d from 2026", name, n, m)
	}
	names := ianaNames(t)
	if len(names) < 400 {
		t.Fatalf("only %d names", len(names))
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for range 60 {
		name := names[rng.IntN(len(names))]
		sameOffsets(t, mustLocation(t, name), 1990, 2060)
		sameOffsets(t, mustLocation(t, name), 1900+rng.IntN(200), 2150)
	}
}

func TestTimezoneText(t *testing.T) {
	got := string(New(&Component{Name: "VCALENDAR", Children: []*Component{Timezone(berlin(t), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}}).Bytes())
	want := string(crlf(`BEGIN:VCALENDAR
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
DTSTART:19810329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19961027T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
END:VCALENDAR
`))
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWithTimezones(t *testing.T) {
	o := object(t, custom+"BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20260101T000000\nDTEND;TZID=Romance Standard Time:20260101T010000\n"+
		"EXDATE;TZID=Europe/Berlin:20260102T000000\nRDATE;TZID=Customized Time Zone:20260101T000000\nX;TZID=Nowhere:1\nEND:VEVENT\n")
	root := o.Root().Clone()
	WithTimezones(root)
	var ids []string
	for _, c := range root.Children {
		ids = append(ids, c.Name[:2]+" "+c.Value("TZID"))
	}
	want := "VT Customized Time Zone, VT Seconds, VT Broken, VT W. Europe Standard Time, VT Europe/Berlin, VT Romance Standard Time, VE "
	if got := strings.Join(ids, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	n := New(root)
	before := len(root.Children)
	WithTimezones(root)
	if len(root.Children) != before {
		t.Error("added twice")
	}
	if !bytes.Contains(n.Bytes(), []byte("TZID:Romance Standard Time\r\n")) || len(o.Root().Children) != 5 {
		t.Errorf("%s", n.Bytes())
	}
}

func BenchmarkTimezone(b *testing.B) {
	loc, from := berlin(b), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		Timezone(loc, from)
	}
}
