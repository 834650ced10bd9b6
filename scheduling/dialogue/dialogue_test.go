package dialogue

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/scheduling/ics"
)

func TestParse(t *testing.T) {
	s, err := Parse("# a meeting\nann person ann@example.org a@example.org\nbob outside bob@example.com\n\nput ann\n    SUMMARY:x\n    ORGANIZER:ann\ntold bob REQUEST\n    no VALARM\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.People) != 2 || s.People[0].Aliases[0] != "a@example.org" || len(s.Steps) != 2 || s.Steps[0].Line != 5 || len(s.Steps[0].Body) != 2 || s.NeedsServer() {
		t.Errorf("%+v", s)
	}
	bad := func(text, want string) {
		t.Helper()
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v; want %q", text, err, want)
		}
	}
	bad("", "needs people")
	bad("    x", "belongs to no statement")
	bad("ann person a@b\nput ben\n", "2: who is ben?")
	bad("ann person a@b\nshout ann\n", "is no statement")
	bad("ann person a@b\ntold ann\n", "is no statement")
	bad("ann person a@b\nput ann\nben person b@b\n", "people come first")
	bad("ann person a@b\nnow noon\n", "2:")
	bad("ann person a@b\nput \"ann\n", "quote")
}

func TestMatch(t *testing.T) {
	r := &run{t: t, s: &Script{People: []Person{{Name: "ben", Address: "ben@example.org"}}}, uid: "1"}
	b := r.object([]string{"SUMMARY:Team lunch", "DTSTART:20260202T100000Z", "ATTENDEE;PARTSTAT=ACCEPTED:ben"}, "")
	o, err := ics.Parse(b, ics.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	test := func(line string, ok bool) {
		t.Helper()
		if why := r.match(o, []string{line}); (why == "") != ok {
			t.Errorf("match(%q) = %q", line, why)
		}
	}
	test("ATTENDEE ben PARTSTAT=ACCEPTED !RSVP", true)
	test("ATTENDEE ben !PARTSTAT", false)
	test("ATTENDEE ben RSVP", false)
	test(`SUMMARY "Team lunch"`, true)
	test("DTSTART:20260202T100000Z", true)
	test("DTSTART:20260202T10000", false)
	test("no VALARM", true)
	test("no SUMMARY", false)
	test("components 1", true)
	test("components 2", false)
	test("@ UID:1", true)
	test("@20260202T100000Z SUMMARY", false)
	test("@20260202T100000Z no SUMMARY", true)
}

func TestEdit(t *testing.T) {
	in := "BEGIN:VEVENT\r\nSUMMARY:a long\r\n  line\r\nX-A:1\r\nEND:VEVENT\r\n"
	got, err := edit(in, []string{"long line => short line", "- X-A", "+ X-B:2"})
	if want := "BEGIN:VEVENT\r\nSUMMARY:a short line\r\nX-B:2\r\nEND:VEVENT\r\n"; err != nil || got != want {
		t.Errorf("edit = %q, %v", got, err)
	}
	if _, err := edit(in, []string{"nothing => x"}); err == nil {
		t.Error("an edit that hits no line must fail")
	}
}

func TestBreaks(t *testing.T) {
	test := func(method, kind, lines, want string) {
		t.Helper()
		text := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nMETHOD:" + method + "\nBEGIN:" + kind + "\nUID:1\nDTSTAMP:20260102T100000Z\n" + lines + "END:" + kind + "\nEND:VCALENDAR\n"
		o, err := ics.Parse([]byte(strings.ReplaceAll(text, "\n", "\r\n")), ics.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := Breaks(o, true); got != want {
			t.Errorf("Breaks(%s of %s %q) = %q; want %q", method, kind, lines, got, want)
		}
	}
	const people = "ORGANIZER:mailto:ann@example.org\nATTENDEE:mailto:ben@example.org\n"
	test("REQUEST", "VEVENT", people+"DTSTART:20260202T100000Z\nSUMMARY:\n", "")
	test("REQUEST", "VEVENT", people+"DTSTART:20260202T100000Z\n", "0 SUMMARY in a VEVENT REQUEST")
	test("REQUEST", "VEVENT", people+"DTSTART;TZID=Mars:20260202T100000\nSUMMARY:\n", "no VTIMEZONE Mars")
	test("REQUEST", "VEVENT", people+"DTSTART:20260202T100000Z\nSUMMARY:\nSTATUS:CANCELLED\n", "STATUS:CANCELLED in a VEVENT REQUEST")
	test("REQUEST", "VEVENT", people+"DTSTART:20260202T100000Z\nDTEND:20260202T110000Z\nDURATION:PT1H\nSUMMARY:\n", "an end and a DURATION in a VEVENT REQUEST")
	test("REQUEST", "VTODO", people+"SUMMARY:\nPRIORITY:0\n", "")
	test("REQUEST", "VTODO", people+"SUMMARY:\n", "0 PRIORITY in a VTODO REQUEST")
	test("REQUEST", "VTODO", "ORGANIZER:mailto:ann@example.org\nSUMMARY:\nPRIORITY:0\n", "no ATTENDEE in a VTODO REQUEST")
	test("REQUEST", "VJOURNAL", people, "no such message: VJOURNAL REQUEST")
	test("REPLY", "VEVENT", people, "")
	test("REPLY", "VEVENT", people+"ATTENDEE:mailto:cat@example.org\n", "2 ATTENDEE in a VEVENT REPLY")
	test("REPLY", "VEVENT", people+"BEGIN:VALARM\nEND:VALARM\n", "VALARM in a VEVENT REPLY")
	test("ADD", "VEVENT", people+"DTSTART:20260202T100000Z\nSUMMARY:\nSEQUENCE:0\n", "SEQUENCE:0 in a VEVENT ADD")
	test("REFRESH", "VEVENT", people, "")
	test("REFRESH", "VTODO", people, "ORGANIZER in a VTODO REFRESH")
	test("CANCEL", "VEVENT", people, "0 SEQUENCE in a VEVENT CANCEL")
	test("DECLINECOUNTER", "VTODO", "ORGANIZER:mailto:ann@example.org\nSEQUENCE:0\n", "no ATTENDEE in a VTODO DECLINECOUNTER")
	const hours = people + "DTSTART:20260202T000000Z\nDTEND:20260203T000000Z\n"
	test("REPLY", "VFREEBUSY", hours+"FREEBUSY:20260202T100000Z/PT1H,20260202T120000Z/PT1H\n", "")
	test("REPLY", "VFREEBUSY", hours+"FREEBUSY:20260202T120000Z/PT1H\nFREEBUSY:20260202T100000Z/PT1H\n", "periods twice or out of order: 20260202T120000Z/PT1H, 20260202T100000Z/PT1H")
	test("REPLY", "VFREEBUSY", hours+"SEQUENCE:0\n", "SEQUENCE in a VFREEBUSY REPLY")
}
