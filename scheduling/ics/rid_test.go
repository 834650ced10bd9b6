package ics

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// series of tests: a master in some form with overrides after it.
func withOverrides(t testing.TB, master string, overrides ...string) *Object {
	t.Helper()
	body := withOverridesBody(master, overrides)
	if master == "" {
		body = withOverridesBody("X:1", overrides)
		body = body[strings.Index(body, "END:VEVENT\n")+len("END:VEVENT\n"):]
	}
	return object(t, body)
}

func TestRID(t *testing.T) {
	test := func(master, rid string, want RID) {
		t.Helper()
		o := withOverrides(t, master, rid+"\nDTSTART:20260101T000000Z")
		c := o.Overrides()[0]
		if got := o.RID(c); got != want {
			t.Errorf("%s of %s: %q, want %q", rid, master, got, want)
		}
		if want != "" && o.Override(want) != c {
			t.Errorf("no override %s", want)
		}
	}
	const zoned = "DTSTART;TZID=Europe/Berlin:20260101T120000"
	test(zoned, "RECURRENCE-ID;TZID=Europe/Berlin:20260102T120000", "20260102T110000Z")
	test(zoned, "RECURRENCE-ID;TZID=W. Europe Standard Time:20260102T120000", "20260102T110000Z")
	test(zoned, "RECURRENCE-ID;TZID=America/New_York:20260102T060000", "20260102T110000Z")
	test(zoned, "RECURRENCE-ID:20260102T110000Z", "20260102T110000Z")
	test(zoned, "RECURRENCE-ID:20260102T120000", "20260102T110000Z")
	test(zoned, "RECURRENCE-ID;VALUE=DATE:20260102", "20260102T110000Z")
	test(zoned, "RECURRENCE-ID;VALUE=DATE:soon", "")
	test("DTSTART;VALUE=DATE:20260101", "RECURRENCE-ID;VALUE=DATE:20260102", "20260102")
	test("DTSTART;VALUE=DATE:20260101", "RECURRENCE-ID:20260102T000000", "20260102")
	test("DTSTART:20260101T120000", "RECURRENCE-ID:20260102T120000", "20260102T120000")
	test("", "RECURRENCE-ID;TZID=Europe/Berlin:20260702T120000", "20260702T100000Z")
	test("", "RECURRENCE-ID;VALUE=DATE:20260702", "20260702")
	o := event(t, zoned)
	if o.RID(o.Master()) != "" || o.Override("") != nil || o.Override("20260101") != nil {
		t.Error("the master is no override")
	}
}

func lines(c *Component) string {
	if c == nil {
		return "none"
	}
	out := strings.Split(strings.TrimSpace(string(New(c.Clone()).Bytes())), "\r\n")
	return strings.Join(out[2:len(out)-1], " ") // without BEGIN, UID, END
}

func TestOccurrence(t *testing.T) {
	test := func(r RID, want string, master string, overrides ...string) {
		t.Helper()
		o := withOverrides(t, master, overrides...)
		if got := lines(o.Occurrence(r)); got != want {
			t.Errorf("%s\n got %s\nwant %s", r, got, want)
		}
	}
	const daily = "DTSTART;TZID=Europe/Berlin:20260328T120000\nRRULE:FREQ=DAILY\nEXDATE;TZID=Europe/Berlin:20260402T120000"
	test("20260330T100000Z", "RECURRENCE-ID;TZID=Europe/Berlin:20260330T120000 DTSTART;TZID=Europe/Berlin:20260330T120000 DURATION:PT1H", daily+"\nDURATION:PT1H")
	test("20260330T100000Z", "RECURRENCE-ID;TZID=Europe/Berlin:20260330T120000 DTSTART;TZID=Europe/Berlin:20260330T120000 DTEND;TZID=Europe/Berlin:20260330T133000", daily+"\nDTEND;TZID=Europe/Berlin:20260328T133000")
	test("20260330T100000Z", "RECURRENCE-ID;TZID=Europe/Berlin:20260330T120000 DTSTART;TZID=Europe/Berlin:20260330T120000 DTEND;TZID=America/New_York:20260330T070000", daily+"\nDTEND;TZID=America/New_York:20260328T080000")
	test("20260330T100000Z", "RECURRENCE-ID;TZID=Europe/Berlin:20260330T120000 DTSTART;TZID=Europe/Berlin:20260330T120000 DTEND:20260330T113000Z", daily+"\nDTEND:20260328T123000Z")
	test("20260330T110000Z", "none", daily)
	test("20260327T110000Z", "none", daily)
	test("20260402T100000Z", "none", daily) // EXDATE
	test("20260330T100000Z", "RECURRENCE-ID:20260330T100000Z SUMMARY:moved", daily, "RECURRENCE-ID:20260330T100000Z\nSUMMARY:moved")
	test("20260103", "RECURRENCE-ID;VALUE=DATE:20260103 DTSTART;VALUE=DATE:20260103 DTEND;VALUE=DATE:20260105", "DTSTART;VALUE=DATE:20260101\nDTEND;VALUE=DATE:20260103\nRRULE:FREQ=DAILY")
	test("20260103T090000", "RECURRENCE-ID:20260103T090000 DTSTART:20260103T090000 DTEND:20260103T100000", "DTSTART:20260101T090000\nDTEND:20260101T100000\nRRULE:FREQ=DAILY")
	test("20260105T090000Z", "RECURRENCE-ID:20260105T090000Z DTSTART:20260105T090000Z DTEND:20260105T120000Z", "DTSTART:20260101T090000Z\nDURATION:PT1H\nRDATE;VALUE=PERIOD:20260105T090000Z/PT3H")
	test("20260102T090000Z", "RECURRENCE-ID:20260102T090000Z SUMMARY:alone", "", "RECURRENCE-ID:20260102T090000Z\nSUMMARY:alone")
	test("20260103T090000Z", "none", "", "RECURRENCE-ID:20260102T090000Z\nSUMMARY:alone")
	o := withOverrides(t, daily)
	if o.Occurrence("") != o.Master() {
		t.Error("\"\" is the master")
	}
	o.Occurrence("20260330T100000Z").Add(NewProp("X", "1"))
	if o.Master().Prop("X") != nil || o.Master().Prop("RRULE") == nil {
		t.Error("the object was edited")
	}
	todo := object(t, "BEGIN:VTODO\nUID:1\nDTSTART:20260101T090000Z\nDUE:20260101T100000Z\nRRULE:FREQ=DAILY\nEND:VTODO\n")
	if got := lines(todo.Occurrence("20260102T090000Z")); got != "RECURRENCE-ID:20260102T090000Z DTSTART:20260102T090000Z DUE:20260102T100000Z" {
		t.Errorf("VTODO: %s", got)
	}
}

func TestHasInstance(t *testing.T) {
	test := func(r RID, want bool, master string) {
		t.Helper()
		if got := withOverrides(t, master).HasInstance(r); got != want {
			t.Errorf("%s in %s: %v", r, master, got)
		}
	}
	const weekly = "DTSTART;TZID=America/New_York:20200106T090000\nRRULE:FREQ=WEEKLY\nRDATE:20260107T140000Z\nEXDATE:20260112T140000Z"
	test("20260105T140000Z", true, weekly)
	test("20260706T130000Z", true, weekly)
	test("20260706T140000Z", false, weekly)
	test("20260107T140000Z", true, weekly)
	test("20260112T140000Z", false, weekly)
	test("20200106T140000Z", true, weekly)
	test("", false, weekly)
	test("nonsense", false, weekly)
	test("20260101T090000Z", true, "DTSTART:20260101T090000Z")
	test("20260102T090000Z", false, "DTSTART:20260101T090000Z")
	test("20260102", false, "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY")
	test("20360101", true, "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY")
	test("20260103T090000Z", false, "DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY;COUNT=2")
	test("20260102T090000Z", true, "DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY;COUNT=2")
	test("20270101T090001Z", false, "DTSTART:20260101T090000Z\nRRULE:FREQ=SECONDLY;COUNT=1000000000") // beyond the bound
	test("20260105T090000Z", false, "DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY\nEXRULE:FREQ=DAILY;INTERVAL=2")
	test("20260101T090000Z", false, "DTSTART:20260101T090000Z\nEXRULE:FREQ=DAILY")
	test("20260106T090000Z", true, "DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY\nEXRULE:FREQ=DAILY;INTERVAL=2")
	test("20260101T090000Z", false, "DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY\nEXRULE:FREQ=DAILY;INTERVAL=2")
}

func TestDateProp(t *testing.T) {
	test := func(r RID, want, master string, overrides ...string) {
		t.Helper()
		p := withOverrides(t, master, overrides...).DateProp("EXDATE", r)
		root := &Component{Name: "V", Props: []Prop{p}}
		if got := strings.Split(string(New(root).Bytes()), "\r\n")[1]; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	test("20260702T100000Z", "EXDATE;TZID=Europe/Berlin:20260702T120000", "DTSTART;TZID=Europe/Berlin:20260101T120000")
	test("20260702T100000Z", "EXDATE:20260702T100000Z", "DTSTART:20260101T120000Z")
	test("20260702T100000", "EXDATE:20260702T100000", "DTSTART:20260101T120000")
	test("20260702T100000", "EXDATE;TZID=Nowhere:20260702T100000", "DTSTART;TZID=Nowhere:20260101T120000")
	test("20260702", "EXDATE;VALUE=DATE:20260702", "DTSTART;VALUE=DATE:20260101")
	test("20260702T100000Z", "EXDATE;TZID=America/New_York:20260702T060000", "", "RECURRENCE-ID;TZID=America/New_York:20260101T060000")
	test("20260702", "EXDATE;VALUE=DATE:20260702", "", "SUMMARY:no RECURRENCE-ID")
}

func TestCheck(t *testing.T) {
	test := func(want, body string) {
		t.Helper()
		err := object(t, body).Check()
		got := "ok"
		if err != nil {
			var se *SyntaxError
			if !errors.As(err, &se) {
				t.Errorf("%T is no SyntaxError", err)
			}
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
	ev := func(s ...string) string {
		return "BEGIN:VEVENT\nUID:1\n" + strings.Join(s, "\n") + "\nEND:VEVENT\n"
	}
	const at = "DTSTART:20260101T090000Z"
	test("ok", ev(at))
	test("ok", ev(at)+ev("RECURRENCE-ID:20260102T090000Z", at))
	test("ok", ev("RECURRENCE-ID:20260102T090000Z", at)+ev("RECURRENCE-ID:20260103T090000Z", at))
	test("ok", ev("RECURRENCE-ID;RANGE=THISANDFUTURE:20260102T090000Z", at)+ev(at, "RRULE:FREQ=DAILY"))
	test("ok", "BEGIN:VTODO\nUID:1\nDUE;VALUE=DATE:20260101\nEND:VTODO\n")
	test("ok", "BEGIN:VTODO\nUID:1\nDTSTART:20260102T100000Z\nDUE;VALUE=DATE:20260101\nEND:VTODO\n")
	test("ok", "BEGIN:VJOURNAL\nUID:1\nEND:VJOURNAL\n")
	test("no component but VTIMEZONE", custom)
	test("iCalendar line 3: METHOD", "METHOD:REQUEST\n"+ev(at))
	test("line 3: CALSCALE", "CALSCALE:HEBREW\n"+ev(at))
	test("ok", "CALSCALE:gregorian\n"+ev(at))
	test("both VEVENT and VTODO", ev(at)+"BEGIN:VTODO\nUID:1\nEND:VTODO\n")
	test("line 8: UID: more than one in an object", ev(at)+"BEGIN:VEVENT\nUID:2\nRECURRENCE-ID:20260102T090000Z\n"+at+"\nEND:VEVENT\n")
	test("line 5: UID: more than one in a VEVENT", ev("UID:1", at))
	test("UID: none in a VEVENT", "BEGIN:VEVENT\n"+at+"\nEND:VEVENT\n")
	test("line 4: UID: between 1 and 1024 octets", "BEGIN:VEVENT\nUID: \n"+at+"\nEND:VEVENT\n")
	test("line 4: UID: between", "BEGIN:VEVENT\nUID:"+strings.Repeat("x", 1025)+"\n"+at+"\nEND:VEVENT\n")
	test("more than one VEVENT without RECURRENCE-ID", ev(at)+ev(at))
	test("DTSTART: none in a VEVENT", ev("SUMMARY:x"))
	test("line 6: DTSTART: more than one", ev(at, at))
	test(`line 5: DTSTART: no such day: "20260231"`, ev("DTSTART:20260231"))
	test("line 6: DTEND: before DTSTART", ev(at, "DTEND:20260101T080000Z"))
	test("ok", ev(at, "DTEND:20260101T090000Z"))
	test("line 6: DTEND: of another value type", ev(at, "DTEND:20260102"))
	test("line 7: DURATION: excludes DTEND", ev(at, "DTEND:20260101T100000Z", "DURATION:PT1H"))
	test("DURATION: no DURATION", ev(at, "DURATION:1h"))
	test("DURATION: negative", ev(at, "DURATION:-PT1H"))
	test(`line 6: RRULE: FREQ=WEEKEND: no frequency: "FREQ=WEEKEND"`, ev(at, "RRULE:FREQ=WEEKEND"))
	test("RRULE: RSCALE=ISLAMIC is no calendar", ev(at, "RRULE:RSCALE=ISLAMIC;FREQ=YEARLY"))
	test("RRULE: RSCALE=CHINESE is known from 1900-01-31 to 2101-01-28", ev("DTSTART:18991231T090000Z", "RRULE:RSCALE=CHINESE;FREQ=YEARLY"))
	test("RRULE: RSCALE=X-MINE is no calendar", "BEGIN:VTIMEZONE\nTZID:A\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;RSCALE=X-MINE\nEND:STANDARD\nEND:VTIMEZONE\n"+ev(at))
	test("EXRULE: a rule without FREQ", ev(at, "EXRULE:INTERVAL=2"))
	test("RDATE: neither DATE nor", ev(at, "RDATE:20260101T090000Z,tomorrow"))
	test("RDATE: a PERIOD that ends before", ev(at, "RDATE;VALUE=PERIOD:20260101T090000Z/20250101T090000Z"))
	test("EXDATE: no such day", ev(at, "EXDATE:20260101T090000Z,20261301"))
	test("ok", ev(at, "EXDATE:", "RDATE:20260101T090000Z,,"))
	test("RECURRENCE-ID: neither", ev("RECURRENCE-ID:x", at))
	test("line 11: RECURRENCE-ID: 20260102T090000Z is named twice", ev("RECURRENCE-ID:20260102T090000Z", at, "X:1")+ev("RECURRENCE-ID;TZID=Europe/Berlin:20260102T100000", at))
	test("ok", "BEGIN:VTODO\nUID:1\nDUE:20260101T090000Z\nRRULE:FREQ=DAILY\nEND:VTODO\n")
	test("RRULE: needs a DTSTART", "BEGIN:VJOURNAL\nUID:1\nRRULE:FREQ=DAILY\nEND:VJOURNAL\n")
	test("more than 32 rules", ev(at, strings.Repeat("RRULE:FREQ=DAILY\n", 33)))
}

// TestInstances looks at windows: what overlaps, and what overrides do.
func TestInstances(t *testing.T) {
	test := func(from, to, want string, o *Object) {
		t.Helper()
		day := func(s string) time.Time {
			if s == "" {
				return time.Time{}
			}
			v, err := time.Parse("2006-01-02T15:04", s)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		var got []string
		err := o.Instances(day(from), day(to), berlin(t), Bound{}, func(i Instance) bool {
			s := fmt.Sprintf("%s-%s", i.Start.Format("02T15:04"), i.End.Format("02T15:04"))
			if i.RID != "" {
				s += "/" + string(i.RID[6:])
			}
			if i.AllDay {
				s += "/day"
			}
			if i.Floating {
				s += "/floating"
			}
			got = append(got, s+"/"+i.Component.Value("SUMMARY"))
			return true
		})
		slices.Sort(got)
		g := strings.Join(got, " ")
		if err != nil {
			g = err.Error()
		}
		if g != want {
			t.Errorf("%s..%s\n got %s\nwant %s", from, to, g, want)
		}
	}
	one := event(t, "DTSTART:20260102T090000Z", "DTEND:20260102T100000Z")
	test("", "", "02T09:00-02T10:00/", one)
	test("2026-01-02T09:00", "2026-01-02T10:00", "02T09:00-02T10:00/", one)
	test("2026-01-02T09:59", "", "02T09:00-02T10:00/", one)
	test("2026-01-02T10:00", "", "", one)
	test("", "2026-01-02T09:00", "", one)
	point := event(t, "DTSTART:20260102T090000Z")
	test("2026-01-02T09:00", "2026-01-02T09:01", "02T09:00-02T09:00/", point)
	test("2026-01-02T08:00", "2026-01-02T09:00", "", point)
	allDay := event(t, "DTSTART;VALUE=DATE:20260102")
	test("2026-01-01T22:00", "2026-01-01T23:01", "01T23:00-02T23:00/day/floating/", allDay)
	test("2026-01-02T23:00", "", "", allDay)
	test("", "", "02T08:00-02T08:30/floating/", event(t, "DTSTART:20260102T090000", "DURATION:PT30M"))

	// A series in progress when the window begins.
	test("2026-03-09T12:00", "2026-03-10T12:00", "01T09:00-10T09:00/01T090000Z/", event(t, "DTSTART:20260101T090000Z", "DURATION:P9D", "RRULE:FREQ=MONTHLY"))
	// Days are nominal, hours exact (RFC 5545 §3.3.6).
	const change = "DTSTART;TZID=Europe/Berlin:20260328T120000"
	test("", "", "28T11:00-29T10:00/", event(t, change, "DURATION:P1D"))
	test("", "", "28T11:00-29T11:00/", event(t, change, "DURATION:PT24H"))
	test("2026-03-28T00:00", "2026-03-28T12:00", "28T11:00-29T11:00/28T110000Z/", event(t, "DTSTART;TZID=Europe/Berlin:20260321T120000", "DTEND;TZID=Europe/Berlin:20260322T120000", "RRULE:FREQ=WEEKLY;COUNT=2"))

	daily := func(overrides ...string) *Object {
		return withOverrides(t, "DTSTART:20260101T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4\nSUMMARY:m", overrides...)
	}
	test("2026-01-02T00:00", "2026-01-03T00:00", "02T09:00-02T10:00/02T090000Z/m", daily())
	// Moved within, out of and into the window.
	test("2026-01-02T00:00", "2026-01-03T00:00", "02T12:00-02T13:00/02T090000Z/o", daily("RECURRENCE-ID:20260102T090000Z\nDTSTART:20260102T120000Z\nDURATION:PT1H\nSUMMARY:o"))
	test("2026-01-02T00:00", "2026-01-03T00:00", "", daily("RECURRENCE-ID:20260102T090000Z\nDTSTART:20260202T120000Z\nDURATION:PT1H\nSUMMARY:o"))
	test("2026-02-02T00:00", "2026-02-03T00:00", "02T12:00-02T13:00/02T090000Z/o", daily("RECURRENCE-ID:20260102T090000Z\nDTSTART:20260202T120000Z\nDURATION:PT1H\nSUMMARY:o"))
	test("2026-01-02T00:00", "2026-01-03T00:00", "02T09:00-02T10:00/02T090000Z/m 02T12:00-02T13:00/04T090000Z/o", daily("RECURRENCE-ID:20260104T090000Z\nDTSTART:20260102T120000Z\nDURATION:PT1H\nSUMMARY:o"))
	// Cancelled ones are instances; so are those without DTSTART of their own.
	test("2026-01-02T00:00", "2026-01-03T00:00", "02T09:00-02T10:00/02T090000Z/c", daily("RECURRENCE-ID:20260102T090000Z\nSTATUS:CANCELLED\nSUMMARY:c"))
	// Detached, without a master.
	test("", "", "02T12:00-02T12:00/02T090000Z/ 03T12:00-03T12:00/03T090000Z/", withOverrides(t, "", "RECURRENCE-ID:20260102T090000Z\nDTSTART:20260102T120000Z", "RECURRENCE-ID:20260103T090000Z\nDTSTART:20260103T120000Z"))
	test("", "", "02T12:00-02T12:00/02T090000Z/", withOverrides(t, "", "RECURRENCE-ID:20260102T090000Z\nDTSTART:20260102T120000Z"))

	// RDATE alone, with a PERIOD, in another zone, named twice; EXDATE lists.
	test("", "", "01T09:00-01T10:00/01T090000Z/ 05T09:00-05T12:00/05T090000Z/ 06T09:00-06T10:00/06T090000Z/",
		event(t, "DTSTART:20260101T090000Z", "DURATION:PT1H", "RDATE;VALUE=PERIOD:20260105T090000Z/PT3H", "RDATE;TZID=Europe/Berlin:20260106T100000,20260106T100000"))
	test("", "", "01T09:00-01T09:00/01T090000Z/ 03T09:00-03T09:00/03T090000Z/",
		event(t, "DTSTART:20260101T090000Z", "RRULE:FREQ=DAILY;COUNT=5", "EXDATE;TZID=Europe/Berlin:20260102T100000,20260104T100000", "EXDATE;VALUE=DATE:20260105"))
	test("", "", "01T23:00-02T23:00/02/day/floating/", event(t, "DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20260101"))
	test("", "", "01T09:00-01T09:00/01T090000Z/ 02T09:00-02T09:00/02T090000Z/ 08T09:00-08T09:00/08T090000Z/",
		event(t, "DTSTART:20260101T090000Z", "RRULE:FREQ=DAILY;COUNT=2", "RRULE:FREQ=WEEKLY;COUNT=2"))
	test("", "", ErrTooMany.Error(), event(t, "DTSTART:20260101T090000Z", "RRULE:FREQ=DAILY"))
	test("2026-01-01T00:00", "", ErrTooMany.Error(), event(t, "DTSTART:20260101T090000Z", "RRULE:FREQ=MINUTELY"))
	// Without a time there are no instances; a VTODO with DUE has one there.
	test("", "", "", object(t, "BEGIN:VTODO\nUID:1\nEND:VTODO\n"))
	test("", "", "02T09:00-02T09:00/", object(t, "BEGIN:VTODO\nUID:1\nDUE:20260102T090000Z\nEND:VTODO\n"))
	test("", "", "02T09:00-02T10:00/", object(t, "BEGIN:VTODO\nUID:1\nDTSTART:20260102T090000Z\nDUE:20260102T100000Z\nEND:VTODO\n"))
}

func TestBoundHolds(t *testing.T) {
	test := func(b Bound, rule string) {
		t.Helper()
		begin := time.Now()
		n := 0
		err := event(t, "DTSTART:20260101T090000Z", rule).Instances(time.Time{}, time.Time{}, time.UTC, b, func(Instance) bool { n++; return true })
		if err != ErrTooMany || b.Instances > 0 && n != b.Instances {
			t.Errorf("%s: %v after %d", rule, err, n)
		}
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("%s: %s", rule, d)
		}
	}
	test(Bound{Instances: 5}, "RRULE:FREQ=DAILY")
	test(Bound{Steps: 50}, "RRULE:FREQ=DAILY;COUNT=100")
	test(Bound{}, "RRULE:FREQ=SECONDLY;COUNT=1000000000")
	test(Bound{}, "RRULE:FREQ=SECONDLY\nEXRULE:FREQ=SECONDLY")
}

func TestLastAndRecurs(t *testing.T) {
	test := func(want string, recurs bool, o *Object) {
		t.Helper()
		got := "endless"
		if l, ok := o.Last(time.UTC, Bound{}); ok {
			got = l.Format("20060102T1504")
		}
		if got != want || o.Recurs() != recurs {
			t.Errorf("%s %v, want %s %v", got, o.Recurs(), want, recurs)
		}
	}
	const at = "DTSTART:20260101T090000Z"
	test("20260101T1000", false, event(t, at, "DURATION:PT1H"))
	test("20260103T1000", true, event(t, at, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3"))
	test("endless", true, event(t, at, "RRULE:FREQ=DAILY"))
	test("endless", true, event(t, at, "RRULE:FREQ=SECONDLY;COUNT=100000000"))
	test("20260401T0900", true, event(t, at, "RDATE:20260401T090000Z,20260301T090000Z"))
	test("20260501T0900", true, withOverrides(t, at+"\nRRULE:FREQ=DAILY;COUNT=3", "RECURRENCE-ID:20260102T090000Z\nDTSTART:20260501T090000Z"))
	test("20260501T0900", false, withOverrides(t, "", "RECURRENCE-ID:20260102T090000Z\nDTSTART:20260501T090000Z"))
	test("00010101T0000", true, event(t, at, "RRULE:FREQ=DAILY;COUNT=1", "EXDATE:20260101T090000Z"))
}

// A stranger may name thousands of instances of the densest series: each is
// looked up without a walk through the hours around it.
func BenchmarkHasInstanceDense(b *testing.B) {
	o := event(b, "DTSTART;TZID=Europe/Berlin:20260101T000000", "RRULE:FREQ=SECONDLY")
	for b.Loop() {
		if !o.HasInstance("20270501T000001Z") {
			b.Fatal("no instance")
		}
	}
}
