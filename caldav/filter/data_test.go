package filter

import (
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// wanted reads a calendar-data element from what stands inside.
func wanted(t testing.TB, inner string) *Data {
	t.Helper()
	d, err := ParseData(element(t, `<C:calendar-data>`+inner+`</C:calendar-data>`))
	if err != nil {
		t.Fatalf("%v in %s", err, inner)
	}
	return d
}

func TestPick(t *testing.T) {
	o := object(t, party)
	test := func(inner, want string) {
		t.Helper()
		got, err := wanted(t, inner).Of(o, time.UTC, ics.Bound{})
		if err != nil {
			t.Fatal(err)
		}
		if s := strings.ReplaceAll(string(got), "\r\n", "\n"); s != strings.TrimSpace(want)+"\n" {
			t.Errorf("%s:\n%s", inner, s)
		}
	}
	whole := strings.ReplaceAll(string(o.Bytes()), "\r\n", "\n")
	test(``, whole)
	test(`<C:comp name="VCALENDAR"/>`, whole)
	test(`<C:comp name="VCALENDAR"><C:allprop/><C:allcomp/></C:comp>`, whole)
	test(`<C:comp name="VCALENDAR"><C:prop name="VERSION"/></C:comp>`, "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR")
	test(`<C:comp name="VCALENDAR"><C:allprop/><C:comp name="VTODO"/></C:comp>`, "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//EN\nEND:VCALENDAR")
	test(`<C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="uid"/><C:prop name="ATTENDEE" novalue="yes"/><C:comp name="VALARM"/></C:comp></C:comp>`,
		`BEGIN:VCALENDAR
BEGIN:VEVENT
UID:party-1@example.org
ATTENDEE;PARTSTAT=ACCEPTED;CN="Ann A.":
ATTENDEE;PARTSTAT=NEEDS-ACTION;MEMBER="mailto:a@example.org","mailto:b@exa
 mple.org":
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT5M
END:VALARM
END:VEVENT
END:VCALENDAR`)
	if string(o.Bytes()) != strings.ReplaceAll(whole, "\n", "\r\n") {
		t.Error("the object itself changed")
	}
}

// RFC 4791 §7.8.4.
func TestLimitFreeBusy(t *testing.T) {
	o := object(t, `
BEGIN:VFREEBUSY
UID:76ef34-54a3d2@example.com
DTSTART:20060101T000000Z
DTEND:20060108T000000Z
FREEBUSY:20050531T230000Z/20050601T010000Z
FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z,20060103T100000Z/PT2H
FREEBUSY:20060101T230000Z/PT1H,20060102T235959Z/PT1H
END:VFREEBUSY`)
	got, err := wanted(t, `<C:limit-freebusy-set start="20060102T000000Z" end="20060103T000000Z"/>`).Of(o, time.UTC, ics.Bound{})
	if err != nil {
		t.Fatal(err)
	}
	want := `UID:76ef34-54a3d2@example.com
DTSTART:20060101T000000Z
DTEND:20060108T000000Z
FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z
FREEBUSY:20060102T235959Z/PT1H
END:VFREEBUSY`
	if s := strings.ReplaceAll(string(got), "\r\n", "\n"); !strings.Contains(s, want) {
		t.Errorf("got\n%s", s)
	}
}
