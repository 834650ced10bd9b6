package ics

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// RFC 7265 §3.4 to §3.7, each way: a line and its property.
func TestJCal(t *testing.T) {
	object := func(line string) string {
		return "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" + line + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	}
	wrap := func(prop string) string { return `["vcalendar",[],[["vevent",[` + prop + `],[]]]]` }
	test := func(line, prop string) {
		t.Helper()
		o, err := Parse([]byte(object(line)), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(o.JCal()); got != wrap(prop) {
			t.Errorf("%s\n got %s\nwant %s", line, got, wrap(prop))
		}
		back, err := ParseJCal([]byte(wrap(prop)), Limits{})
		if err != nil {
			t.Errorf("%s: %v", prop, err)
		} else if got := strings.ReplaceAll(string(back.Bytes()), "\r\n ", ""); got != object(line) {
			t.Errorf("%s\n got %q\nwant %q", prop, got, object(line))
		}
	}
	test(`SUMMARY:a\, b\; c\\ d\ne`, `["summary",{},"text","a, b; c\\ d\ne"]`)
	test(`CATEGORIES:Meetings,a\,b`, `["categories",{},"text","Meetings","a,b"]`)
	test(`DTSTART;TZID=Europe/Berlin:20261102T100000`, `["dtstart",{"tzid":"Europe/Berlin"},"date-time","2026-11-02T10:00:00"]`)
	test(`DTSTART;VALUE=DATE:20261102`, `["dtstart",{},"date","2026-11-02"]`)
	test(`DTSTAMP:20261102T100000Z`, `["dtstamp",{},"date-time","2026-11-02T10:00:00Z"]`)
	test(`EXDATE:20261102T100000Z,20261103T100000Z`, `["exdate",{},"date-time","2026-11-02T10:00:00Z","2026-11-03T10:00:00Z"]`)
	test(`RDATE;VALUE=PERIOD:20261102T100000Z/PT1H,20261103T100000Z/20261103T110000Z`,
		`["rdate",{},"period",["2026-11-02T10:00:00Z","PT1H"],["2026-11-03T10:00:00Z","2026-11-03T11:00:00Z"]]`)
	test(`DURATION:P1DT2H`, `["duration",{},"duration","P1DT2H"]`)
	test(`GEO:37.386013;-122.082932`, `["geo",{},"float",[37.386013,-122.082932]]`)
	test(`REQUEST-STATUS:3.7;Invalid\, user;ATTENDEE:mailto:a@example.org`, `["request-status",{},"text",["3.7","Invalid, user","ATTENDEE:mailto:a@example.org"]]`)
	test(`ATTENDEE;DELEGATED-TO="mailto:b@example.org","mailto:c@example.org";PARTSTAT=DELEGATED:mailto:a@example.org`,
		`["attendee",{"delegated-to":["mailto:b@example.org","mailto:c@example.org"],"partstat":"DELEGATED"},"cal-address","mailto:a@example.org"]`)
	test(`ATTENDEE;CN="a ^'b^' ^^":mailto:a@example.org`, `["attendee",{"cn":"a \"b\" ^"},"cal-address","mailto:a@example.org"]`)
	test(`RRULE:FREQ=MONTHLY;UNTIL=20131001;INTERVAL=2;BYMONTHDAY=1,15,-1`, `["rrule",{},"recur",{"freq":"MONTHLY","until":"2013-10-01","interval":2,"bymonthday":[1,15,-1]}]`)
	test(`RRULE:FREQ=YEARLY;COUNT=3;BYDAY=1SU,-1MO`, `["rrule",{},"recur",{"freq":"YEARLY","count":3,"byday":["1SU","-1MO"]}]`)
	test(`RRULE:RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L;SKIP=FORWARD`, `["rrule",{},"recur",{"rscale":"HEBREW","freq":"YEARLY","bymonth":"5L","skip":"FORWARD"}]`)
	test(`TZOFFSETFROM:-045630`, `["tzoffsetfrom",{},"utc-offset","-04:56:30"]`)
	test(`TZOFFSETTO:+1245`, `["tzoffsetto",{},"utc-offset","+12:45"]`)
	test(`PERCENT-COMPLETE:42`, `["percent-complete",{},"integer",42]`)
	test(`PRIORITY:+007`, `["priority",{},"integer","+007"]`) // no number in JSON: as it is
	test(`ATTACH;ENCODING=BASE64;VALUE=BINARY:SGVsbG8=`, `["attach",{"encoding":"BASE64"},"binary","SGVsbG8="]`)
	test(`X-SMOKING;VALUE=BOOLEAN:TRUE`, `["x-smoking",{},"boolean",true]`)
	test(`X-TIME;VALUE=TIME:123000Z`, `["x-time",{},"time","12:30:00Z"]`)
	test(`X-FOO;X-BAR=1:a\,b;c`, `["x-foo",{"x-bar":"1"},"unknown","a\\,b;c"]`) // §5
	test(`X-FOO;VALUE=X-KIND:a`, `["x-foo",{},"x-kind","a"]`)
	test(`DTSTART:in the morning`, `["dtstart",{},"date-time","in the morning"]`)

	// Appendix B.2.2 writes a period in one string.
	o, err := ParseJCal([]byte(wrap(`["rdate",{"tzid":"US/Eastern"},"period","2006-01-02T15:00:00/PT2H"],["x-n",{},"float",1e3]`)), Limits{})
	if err != nil || o.First().Value("RDATE") != "20060102T150000/PT2H" || o.First().Value("X-N") != "1000" {
		t.Errorf("%v", err)
	}
}

// What is no jCal is refused, and nothing in it begins a line of its own.
func TestJCalRefused(t *testing.T) {
	test := func(text string) {
		t.Helper()
		if o, err := ParseJCal([]byte(text), Limits{Depth: 3}); err == nil {
			t.Errorf("%s was read as\n%s", text, o.Bytes())
		}
	}
	for _, s := range []string{``, `{}`, `null`, `"vcalendar"`, `["vcalendar"]`, `["vcalendar",[],[],[]]`, `["vevent",[],[]]`, `["vcalendar",[],[]] []`,
		`["vcalendar\r\nX:",[],[]]`, `["vcalendar",[["x\r\ny",{},"text","a"]],[]]`, `["vcalendar",[["x",{"a\nb":"c"},"text","a"]],[]]`,
		`["vcalendar",[["x",{},"te\nxt","a"]],[]]`, `["vcalendar",[["x",{},"text"]],[]]`, `["vcalendar",[["x",{},"text",null]],[]]`,
		`["vcalendar",[["x",{},"text",[["a"]]]],[]]`, `["vcalendar",[["x",{},"text",{"a":1}]],[]]`, `["vcalendar",[["x",{"value":"DATE"},"text","a"]],[]]`,
		`["vcalendar",[["begin",{},"text","VEVENT"]],[]]`, `["vcalendar",[["x",{"a":"\u0001"},"text","a"]],[]]`,
		`["vcalendar",[["rrule",{},"recur",{"freq":"DAILY;COUNT=1"}]],[]]`, `["vcalendar",[["rrule",{},"recur",{}]],[]]`,
		`["vcalendar",[],[["a",[],[["b",[],[["c",[],[]]]]]]]]`, strings.Repeat("[", 100_000)} {
		test(s)
	}
	o, err := ParseJCal([]byte(`["vcalendar",[["x-a",{},"unknown","1\r\nBEGIN:VEVENT"],["url",{},"uri","a\nEND:VCALENDAR"]],[]]`), Limits{})
	if err != nil || len(o.Root().Children) != 0 || len(o.Root().Props) != 2 {
		t.Errorf("%v\n%s", err, o.Bytes())
	}
}

// sameJSON compares without order in objects.
func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// FuzzJCal: what Parse reads goes to jCal and back, and says the same then.
func FuzzJCal(f *testing.F) {
	for _, s := range []string{
		"BEGIN:VEVENT\nUID:a\nDTSTART;TZID=Europe/Berlin:20261102T100000\nRRULE:INTERVAL=2;FREQ=daily;UNTIL=20261201T000000Z;BYDAY=MO,TU\nEXDATE;VALUE=DATE:20261103,20261104\nATTENDEE;CN=\"a, ^'b\";MEMBER=\"mailto:c\",\"mailto:d\":mailto:a@example.org\nEND:VEVENT",
		"BEGIN:VEVENT\nDTSTART:20261102\nDTEND;VALUE=DATE-TIME:20261103\nX-A;VALUE=UNKNOWN:1\nPRIORITY;VALUE=FOO BAR:01\nGEO:1;2\nGEO:1,5;2\nTRIGGER;RELATED=END:-PT5M\nEND:VEVENT",
		"BEGIN:VTIMEZONE\nTZID:x\nBEGIN:STANDARD\nTZOFFSETFROM:+0100\nTZOFFSETTO:-00:30\nDTSTART:20261102T100000\nRRULE:FREQ=DAILY;X-A=b=c\nEND:STANDARD\nEND:VTIMEZONE",
		"BEGIN:VEVENT\nFREEBUSY;FBTYPE=BUSY:20261102T100000Z/PT1H,x,20261102T100000Z/a/b\nREQUEST-STATUS:2.0\nREQUEST-STATUS:2.0;a\\;b;c;d\nCATEGORIES:a\\\nSUMMARY:\\x\\n\\N\\\nX-B;A=1;A=2;VALUE=INTEGER:-0\nEND:VEVENT",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		o, err := Parse([]byte("BEGIN:VCALENDAR\n"+body+"\nEND:VCALENDAR\n"), Limits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		first := o.JCal()
		back, err := ParseJCal(first, Limits{})
		if err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		if again := back.JCal(); !sameJSON(first, again) {
			t.Fatalf("%s\nbecame\n%s\nand\n%s", first, back.Bytes(), again)
		}
		if bytes.ContainsAny(first, "\n\r") {
			t.Fatalf("a line end in %q", first)
		}
	})
}
