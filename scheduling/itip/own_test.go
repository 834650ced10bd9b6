package itip

import (
	"slices"
	"strings"
	"testing"

	"github.com/convene-server/convene/scheduling/ics"
)

// calendarOf wraps components, with one line of the text a content line; "alarm
// X" stands for one that is called X.
func calendarOf(text string) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
	for l := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		l = strings.TrimSpace(l)
		name, ok := strings.CutPrefix(l, "alarm ")
		switch {
		case l == "event":
			b.WriteString("BEGIN:VEVENT\r\nUID:u\r\n")
		case l == "end":
			b.WriteString("END:VEVENT\r\n")
		case ok && strings.Contains(name, "T"):
			b.WriteString("BEGIN:VALARM\r\nUID:" + name + "\r\nTRIGGER;VALUE=DATE-TIME:" + name + "\r\nEND:VALARM\r\n")
		case ok:
			b.WriteString("BEGIN:VALARM\r\nUID:" + name + "\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n")
		default:
			b.WriteString(l + "\r\n")
		}
	}
	return b.String() + "END:VCALENDAR\r\n"
}

// What a guest sends is parted, and put together for him again; the owner keeps
// what he has.
func TestOwn(t *testing.T) {
	parse := func(text string) *ics.Object {
		t.Helper()
		o, err := ics.Parse([]byte(calendarOf(text)), ics.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	// test: have is the owner's, sent the guest's; stored is the owner's then, and
	// seen what the guest sees once the owner's has become later ("": stays).
	test := func(name, have, sent, stored, later, seen string) {
		t.Helper()
		var was *ics.Object
		if have != "" {
			was = parse(have)
		}
		shared, own := TakeOwn(parse(sent), was, true)
		if got, want := string(shared.Bytes()), calendarOf(stored); got != want {
			t.Errorf("%s: stored is\n%s\nwant\n%s", name, got, want)
		}
		if later == "" {
			later = stored
		}
		if got, want := string(SeenBy([]byte(calendarOf(later)), own.Bytes())), calendarOf(seen); got != want {
			t.Errorf("%s: he sees\n%s\nwant\n%s\nwith %s", name, got, want, own.Bytes())
		}
	}
	const plain = "event\nDTSTART:20260101T100000Z\nend"
	test("nothing", plain, plain, plain, "", plain)
	const hers, his = "event\nDTSTART:20260101T100000Z\nalarm a\nend", "event\nDTSTART:20260101T100000Z\nalarm b\nend"
	test("both", hers, his, hers, "", his)
	test("first", "", his, plain, hers, his)
	test("his none", hers, plain, hers, "", plain)
	const free = "event\nDTSTART:20260101T100000Z\nTRANSP:TRANSPARENT\nend"
	test("free for him", plain, free, plain, "", free)
	test("busy for him", free, plain, free, "", "event\nDTSTART:20260101T100000Z\nTRANSP:OPAQUE\nend")
	test("free from the start", "", free, free, plain, plain)
	test("Thunderbird", plain, "event\nDTSTART:20260101T100000Z\nX-MOZ-LASTACK:20260101T095900Z\nX-MOZ-SNOOZE-TIME-1767261600000000:20260101T101000Z\nX-MOZ-GENERATION:2\nend",
		"event\nDTSTART:20260101T100000Z\nX-MOZ-GENERATION:2\nend", plain,
		"event\nDTSTART:20260101T100000Z\nX-MOZ-LASTACK:20260101T095900Z\nX-MOZ-SNOOZE-TIME-1767261600000000:20260101T101000Z\nend")

	const series = "event\nDTSTART;TZID=Europe/Berlin:20260101T110000\nRRULE:FREQ=DAILY\n"
	const second, third = "event\nRECURRENCE-ID:20260102T100000Z\nDTSTART:20260102T120000Z\n", "event\nRECURRENCE-ID;TZID=Europe/Berlin:20260103T110000\nDTSTART:20260103T120000Z\n"
	test("an instance", series+"alarm a\nend\n"+second+"alarm c\nend", series+"alarm b\nend\n"+second+"end", series+"alarm a\nend\n"+second+"alarm c\nend", "", series+"alarm b\nend\n"+second+"end")
	// What the other one changes of the series rings as the series does, but for
	// alarms at a point in time.
	test("his instance", series+"alarm a\nalarm 20260101T090000Z\nend", series+"alarm b\nend\n"+second+"alarm d\nend",
		series+"alarm a\nalarm 20260101T090000Z\nend\n"+second+"alarm a\nend", "", series+"alarm b\nend\n"+second+"alarm d\nend")
	test("her instance later", series+"end", series+"TRANSP:TRANSPARENT\nalarm b\nalarm 20260101T090000Z\nend", series+"end", series+"end\n"+third+"end",
		series+"TRANSP:TRANSPARENT\nalarm b\nalarm 20260101T090000Z\nend\n"+third+"TRANSP:TRANSPARENT\nalarm b\nend")
	// However the same instance is written.
	test("other zone", series+"end\n"+second+"end", series+"end\n"+second+"alarm d\nend", series+"end\n"+second+"end",
		strings.Replace(series+"end\n"+second+"end", "RECURRENCE-ID:20260102T100000Z", "RECURRENCE-ID;TZID=Europe/Berlin:20260102T110000", 1),
		strings.Replace(series+"end\n"+second+"alarm d\nend", "RECURRENCE-ID:20260102T100000Z", "RECURRENCE-ID;TZID=Europe/Berlin:20260102T110000", 1))

	// A room's time is not its guests' own.
	if shared, own := TakeOwn(parse(free), parse(plain), false); shared.First().Value("TRANSP") != "TRANSPARENT" || own.Bytes() != nil {
		t.Errorf("%s, %s", shared.Bytes(), own.Bytes())
	}
	// A fold does not hide an alarm.
	if got := string(SeenBy([]byte(strings.Replace(calendarOf(hers), "BEGIN:VALARM", "BEGIN:VA\r\n LARM", 1)), nil)); strings.Contains(got, "TRIGGER") {
		t.Error(got)
	}

	same := func(a, b string, want bool) {
		t.Helper()
		if got := SameForAll(parse(a), parse(b)); got != want {
			t.Errorf("%v: %s and %s", got, a, b)
		}
	}
	same(hers, his, true)
	same(series+"DTSTAMP:20260101T000000Z\nX-CONVENE-OWN:CLASS\nend", series+"X-MOZ-GENERATION:3\nTRANSP:OPAQUE\nend", true)
	same(plain, free, false)
	same(plain, strings.Replace(plain, "end", "SUMMARY:x\nend", 1), false)
	same(series+"end", series+"end\n"+second+"end", false)
	same(series+"ATTENDEE;CN=A;RSVP=TRUE:mailto:a@b\nend", series+"ATTENDEE;RSVP=TRUE;CN=A:mailto:a@b\nend", true)
	same(series+"ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@b\nend", series+"ATTENDEE;PARTSTAT=DECLINED:mailto:a@b\nend", false)
}

// FuzzOwn parts what a guest sends from what everybody sees: put together again
// it is what he sent, and it is stored as something that can be read.
func FuzzOwn(f *testing.F) {
	const series = "event\nDTSTART;TZID=Europe/Berlin:20260101T110000\nRRULE:FREQ=DAILY\n"
	const second = "event\nRECURRENCE-ID:20260102T100000Z\nDTSTART:20260102T120000Z\n"
	for _, s := range [][2]string{
		{series + "alarm a\nend", series + "alarm b\nTRANSP:TRANSPARENT\nend\n" + second + "alarm c\nX-MOZ-LASTACK:20260101T000000Z\nend"},
		{series + "end\n" + second + "alarm c\nTRANSP:OPAQUE\nend", second + "alarm 20260101T000000Z\nend"},
	} {
		f.Add([]byte(calendarOf(s[0])), []byte(calendarOf(s[1])), true)
		f.Add([]byte(calendarOf(s[1])), []byte(calendarOf(s[0])), false)
	}
	f.Fuzz(func(t *testing.T, have, sent []byte, free bool) {
		read := func(b []byte) *ics.Object {
			o, err := ics.Parse(b, ics.Limits{Bytes: 1 << 16})
			if err != nil || o.Check() != nil {
				return nil
			}
			return o
		}
		was, is := read(have), read(sent)
		if is == nil {
			return
		}
		shared, own := TakeOwn(is, was, free)
		stored := own.Bytes()
		if stored != nil && ParseOwn(stored).Bytes() == nil {
			t.Fatalf("what is stored cannot be read: %q", stored)
		}
		seen := ParseOwn(stored).with(shared, true)
		if again := read(seen.Bytes()); again == nil {
			t.Fatalf("he sees %q", seen.Bytes())
		}
		said, shown := ownOf(is), ownOf(seen)
		for rid, p := range said.parts {
			q := shown.parts[rid]
			if transp(p.prop("TRANSP")) != transp(q.prop("TRANSP")) || !slices.EqualFunc(p.alarms, q.alarms, sameComponent) {
				t.Fatalf("at %q he said %+v and sees %+v", rid, p, q)
			}
		}
		if was == nil {
			return
		}
		hers, kept := ownOf(was), ownOf(shared)
		for rid, p := range hers.parts {
			if q, ok := kept.parts[rid]; ok && !slices.EqualFunc(p.alarms, q.alarms, sameComponent) {
				t.Fatalf("at %q she had %+v and has %+v", rid, p, q)
			}
		}
	})
}
