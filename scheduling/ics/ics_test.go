package ics

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

const meeting = `BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//t//EN
X-WR-CALNAME;X-P="a,b":x
BEGIN:VEVENT
UID:1@example.org
DTSTAMP:20260101T000000Z
DTSTART:20260202T090000Z
DTEND:20260202T100000Z
SUMMARY:a long line that a program folded somewhere in the middle\, with a
  comma and ümlauts
ORGANIZER;CN="Ann, of Accounts":MAILTO:ann@Example.org
ATTENDEE;PARTSTAT=accepted;X-Q=^'hi^'^n^^:mailto:ben@example.org
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT5M
END:VALARM
END:VEVENT
END:VCALENDAR
`

func TestParseKeepsBytesAndReadsValues(t *testing.T) {
	in := crlf(meeting)
	o, err := Parse(in, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(o.Bytes(), in) {
		t.Error("bytes changed")
	}
	e := o.Master()
	if o.UID() != "1@example.org" || o.Kind() != "VEVENT" || o.Method() != "" || len(e.Children) != 1 {
		t.Errorf("uid %q kind %q method %q", o.UID(), o.Kind(), o.Method())
	}
	if got := e.Text("SUMMARY"); got != "a long line that a program folded somewhere in the middle, with a comma and ümlauts" {
		t.Errorf("SUMMARY = %q", got)
	}
	if got := Organizer(e).String(); got != "mailto:ann@example.org" {
		t.Errorf("organizer %q", got)
	}
	a := Attendees(e)[0]
	if PartStat(a) != "ACCEPTED" || a.Param("X-Q") != "\"hi\"\n^" {
		t.Errorf("attendee %q %q", PartStat(a), a.Param("X-Q"))
	}
}

func TestEditKeepsUntouchedLines(t *testing.T) {
	o, err := Parse(crlf(meeting), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	root := o.Root().Clone()
	e := root.Children[0]
	e.Set(e.Prop("ATTENDEE").WithParam("PARTSTAT", "DECLINED"))
	n := New(root)
	want := strings.Replace(string(crlf(meeting)), "PARTSTAT=accepted", "PARTSTAT=DECLINED", 1)
	if string(n.Bytes()) != want {
		t.Errorf("edited:\n%s\nwant:\n%s", n.Bytes(), want)
	}
	if PartStat(Attendees(o.Master())[0]) != "ACCEPTED" {
		t.Error("the edit reached the original")
	}
	again, err := Parse(n.Bytes(), Limits{})
	if err != nil || again.Master().Prop("ATTENDEE").Param("X-Q") != "\"hi\"\n^" {
		t.Errorf("round trip: %v", err)
	}
}

func TestParseErrors(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		_, err := Parse([]byte(in), Limits{Depth: 3, Components: 5, Properties: 20, Line: 200, Params: 2, Bytes: 1000})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.40q) = %v, want %q", in, err, want)
		}
	}
	test("", "no VCALENDAR")
	test("hello", "line 1: no property")
	test("BEGIN:VEVENT\nEND:VEVENT\n", "begins with VEVENT")
	test("BEGIN:VCALENDAR\n", "ends inside VCALENDAR")
	test("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", "line 3: END:VCALENDAR where VEVENT is open")
	test("BEGIN:VCALENDAR\nEND:VCALENDAR\nEND:VCALENDAR\n", "line 3: END:VCALENDAR without")
	test("BEGIN:VCALENDAR\nEND:VCALENDAR\nBEGIN:VCALENDAR\nEND:VCALENDAR\n", "second VCALENDAR")
	test("BEGIN:VCALENDAR\nX;A=b\nEND:VCALENDAR\n", "X has no value")
	test("BEGIN:VCALENDAR\nX;A=\"b\nEND:VCALENDAR\n", "quote of parameter A does not end")
	test("BEGIN:VCALENDAR\nX;A=\"b\"c:1\nEND:VCALENDAR\n", "text after the quote")
	test("BEGIN:VCALENDAR\nX;A:1\nEND:VCALENDAR\n", "parameter without a value")
	test("0;0=", "has no value")
	test("BEGIN:VCALENDAR\nX:\x00\nEND:VCALENDAR\n", "line 2: control character")
	test("BEGIN:VCALENDAR\nX:\xff\nEND:VCALENDAR\n", "not UTF-8")
	test("X:1\n", "outside of VCALENDAR")
	test("BEGIN:VCALENDAR\nBEGIN:A\nBEGIN:B\nBEGIN:C\n", "more than 3 levels")
	test("BEGIN:VCALENDAR\n"+strings.Repeat("BEGIN:A\nEND:A\n", 6), "more than 5 components")
	test("BEGIN:VCALENDAR\n"+strings.Repeat("A:1\n", 30), "more than 20 properties")
	test("BEGIN:VCALENDAR\nX:"+strings.Repeat("a", 300), "octets in one line")
	test("BEGIN:VCALENDAR\nX:"+strings.Repeat("a\n ", 300), "octets in one line")
	test("BEGIN:VCALENDAR\nX;A=1;B=2;C=3:x\n", "more than 2 parameters")
	test(strings.Repeat("x", 1001), "more than 1000 octets")
	var se *SyntaxError
	if _, err := Parse([]byte("BEGIN:VCALENDAR\nSUMMARY:a\n b\nbad\n"), Limits{}); !errors.As(err, &se) || se.Line != 4 {
		t.Errorf("folded lines must count: %v", err)
	}
}

func TestEscape(t *testing.T) {
	s := "a,b;c\\d\ne\r\nf"
	if got := Escape(s); got != `a\,b\;c\\d\ne\nf` {
		t.Errorf("Escape = %q", got)
	}
	if got := Unescape(`a\,b\;c\\d\Ne C:\temp \"q\"`); got != "a,b;c\\d\ne C:\\temp \"q\"" {
		t.Errorf("Unescape = %q", got)
	}
	root := &Component{Name: "VCALENDAR", Props: []Prop{NewProp("SUMMARY", "x\r\nATTENDEE:mailto:eve@example.com")}}
	if n := New(root); bytes.Contains(n.Bytes(), []byte("\nATTENDEE")) {
		t.Error("a value began a new line")
	}
}

func TestFold(t *testing.T) {
	long := strings.Repeat("ü", 100)
	n := New(&Component{Name: "VCALENDAR", Props: []Prop{NewProp("SUMMARY", long)}})
	for _, l := range strings.Split(string(n.Bytes()), "\r\n") {
		if len(l) > 75 {
			t.Errorf("line of %d octets", len(l))
		}
	}
	o, err := Parse(n.Bytes(), Limits{})
	if err != nil || o.Root().Text("SUMMARY") != long {
		t.Errorf("round trip: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(crlf(meeting))
	f.Add([]byte("BEGIN:VCALENDAR\r\nX;A=b\r\n"))
	f.Add([]byte("0;0="))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := Parse(data, Limits{})
		if err != nil {
			return
		}
		n := New(o.Root().Clone())
		m, err := Parse(n.Bytes(), Limits{})
		if err != nil {
			t.Fatalf("what we wrote does not parse: %v\n%q", err, n.Bytes())
		}
		if !bytes.Equal(New(m.Root().Clone()).Bytes(), n.Bytes()) {
			t.Fatalf("not stable: %q", n.Bytes())
		}
	})
}

func BenchmarkParse(b *testing.B) {
	in := crlf(meeting)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(in, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// What go-ical's reader stumbles over, or takes minutes for, is read, or refused
// with the line's number, at once; and what its writer refuses or rewrites comes
// back as it was sent.
func TestTrapsOfReaders(t *testing.T) {
	keeps := func(in string) *Object {
		t.Helper()
		o, err := Parse([]byte(in), Limits{})
		if err != nil {
			t.Fatalf("%.80q: %v", in, err)
		}
		if string(o.Bytes()) != in {
			t.Errorf("%.80q became %.80q", in, o.Bytes())
		}
		return o
	}
	const head, tail = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "END:VEVENT\r\nEND:VCALENDAR\r\n"
	keeps("\xef\xbb\xbf" + head + "UID:1\r\n" + tail) // a mark of the byte order
	o := keeps(head + "UID:1\r\nSUMMARY:" + strings.Repeat("x", 400) + "\r\nCOMMENT:C:\\temp \\: \\\" a, b\r\nDTSTART;VALUE=date:20260202\r\n" + tail)
	if e := o.Master(); len(e.Text("SUMMARY")) != 400 || e.Text("COMMENT") != `C:\temp : " a, b` {
		t.Errorf("%q", e.Text("COMMENT"))
	}
	// No DTSTAMP, no PRODID, SUMMARY twice, parts of RFC 9073, an order of its own.
	keeps(head + "Z-LAST:1\r\nUID;B=2;A=1:1\r\nSUMMARY:a\r\nSUMMARY:b\r\nBEGIN:PARTICIPANT\r\nUID:p\r\nBEGIN:VLOCATION\r\nUID:l\r\nEND:VLOCATION\r\nEND:PARTICIPANT\r\n" + tail)
	begin := time.Now()
	keeps(head + "UID:1\r\nATTACH;X=" + strings.Repeat("x", 400_000) + ":a\r\n" + tail)        // it takes a minute
	if _, err := Parse([]byte(strings.Repeat("BEGIN:X\n", 1_000_000)), Limits{}); err == nil { // its stack ends, and the process
		t.Error("no error")
	}
	if _, err := Parse([]byte(head+"UID:1\r\nCOMMENT:a\rb\r\n"+tail), Limits{}); err == nil { // a line's end of its own
		t.Error("no error")
	}
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("it took %s", d)
	}
}
