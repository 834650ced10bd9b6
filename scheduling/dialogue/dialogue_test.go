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
