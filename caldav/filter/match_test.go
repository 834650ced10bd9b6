package filter

import (
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// object makes an object of lines; BEGIN and END of VCALENDAR are added.
func object(t testing.TB, lines string) *ics.Object {
	t.Helper()
	s := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//EN\n" + strings.TrimSpace(lines) + "\nEND:VCALENDAR\n"
	o, err := ics.Parse([]byte(strings.ReplaceAll(s, "\n", "\r\n")), ics.Limits{})
	if err != nil {
		t.Fatalf("%v in\n%s", err, s)
	}
	return o
}

const party = `
BEGIN:VEVENT
UID:party-1@example.org
DTSTAMP:20260101T000000Z
DTSTART:20260202T090000Z
SUMMARY:Grüße\, at Bob's
CATEGORIES:fun,Work
STATUS:CONFIRMED
ORGANIZER:mailto:ann@example.org
ATTENDEE;PARTSTAT=ACCEPTED;CN="Ann A.":mailto:ann@example.org
ATTENDEE;PARTSTAT=NEEDS-ACTION;MEMBER="mailto:a@example.org","mailto:b@example.org":mailto:ben@example.org
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT5M
END:VALARM
END:VEVENT`

func TestMatchWithoutTime(t *testing.T) {
	o := object(t, party)
	test := func(inner string, want bool) {
		t.Helper()
		if got := parse(t, inner).Match(o, time.UTC, ics.Bound{}); got != want {
			t.Errorf("%v for %s", got, inner)
		}
	}
	event := func(s string) string { return `<C:comp-filter name="VEVENT">` + s + `</C:comp-filter>` }
	prop := func(name, s string) string {
		return event(`<C:prop-filter name="` + name + `">` + s + `</C:prop-filter>`)
	}
	text := func(attrs, s string) string { return `<C:text-match ` + attrs + `>` + s + `</C:text-match>` }

	// RFC 4791 §9.7.1
	test(``, true)
	test(event(``), true)
	test(`<C:comp-filter name="VTODO"/>`, false)
	test(`<C:comp-filter name="VTODO"><C:is-not-defined/></C:comp-filter>`, true)
	test(event(`<C:is-not-defined/>`), false) // probe: is-not-defined of a component that is there
	test(event(`<C:comp-filter name="VALARM"/>`), true)
	test(event(`<C:comp-filter name="VALARM"><C:is-not-defined/></C:comp-filter>`), false)
	test(event(`<C:comp-filter name="VALARM"><C:prop-filter name="ACTION">`+text("", "DISP")+`</C:prop-filter></C:comp-filter>`), true)
	test(event(`<C:comp-filter name="VALARM"><C:prop-filter name="ACTION">`+text("", "EMAIL")+`</C:prop-filter></C:comp-filter>`), false)
	test(event(``)+`<C:comp-filter name="VTODO"/>`, false) // all have to match
	test(event(``)+`<C:comp-filter name="VTODO"><C:is-not-defined/></C:comp-filter>`, true)
	test(`<C:prop-filter name="PRODID">`+text("", "//T//")+`</C:prop-filter>`, true)

	// §9.7.2
	test(prop("SUMMARY", ""), true)
	test(prop("summary", ""), true)
	test(prop("LOCATION", ""), false)
	test(prop("LOCATION", `<C:is-not-defined/>`), true)
	test(prop("SUMMARY", `<C:is-not-defined/>`), false)       // probe
	test(prop("ATTENDEE", text("", "ben@example.org")), true) // probe: the second ATTENDEE
	test(prop("ATTENDEE", text("", "cal@example.org")), false)
	test(event(`<C:prop-filter name="SUMMARY"/><C:prop-filter name="LOCATION"/>`), false)

	// §9.7.5
	test(prop("SUMMARY", text("", "at bob")), true) // probe: i;ascii-casemap is the default
	test(prop("SUMMARY", text(`collation="i;octet"`, "at bob")), false)
	test(prop("SUMMARY", text(`collation="i;octet"`, "at Bob")), true)
	test(prop("SUMMARY", text("", "GRÜSSE")), false)
	test(prop("SUMMARY", text(`collation="i;unicode-casemap"`, "GRÜ")), true)
	test(prop("SUMMARY", text("", "grüße, at")), true) // the value is compared without its escapes
	test(prop("SUMMARY", text("", "")), true)
	test(prop("STATUS", text(`negate-condition="yes"`, "CANCELLED")), true)
	test(prop("STATUS", text(`negate-condition="yes"`, "confirmed")), false)
	test(prop("STATUS", text(`negate-condition="no"`, "confirmed")), true)
	test(prop("LOCATION", text(`negate-condition="yes"`, "x")), false) // there is no value that does not match
	test(prop("ATTENDEE", text(`negate-condition="yes"`, "ben@")), true)
	test(prop("CATEGORIES", text("", "work")), true)

	// §9.7.3
	par := func(name, s string) string { return `<C:param-filter name="` + name + `">` + s + `</C:param-filter>` }
	test(prop("ATTENDEE", par("PARTSTAT", text("", "needs-action"))), true)
	test(prop("ATTENDEE", par("PARTSTAT", text("", "DECLINED"))), false)
	test(prop("ATTENDEE", text("", "ann@")+par("PARTSTAT", text("", "NEEDS-ACTION"))), false) // one property meets both
	test(prop("ATTENDEE", text("", "ben@")+par("PARTSTAT", text("", "NEEDS-ACTION"))), true)
	test(prop("ATTENDEE", text("", "ben@")+par("CN", `<C:is-not-defined/>`)), true)
	test(prop("ATTENDEE", text("", "ann@")+par("CN", `<C:is-not-defined/>`)), false)
	test(prop("ATTENDEE", text("", "ann@")+par("CN", "")), true)
	test(prop("ATTENDEE", text("", "ben@")+par("CN", "")), false)
	test(prop("ATTENDEE", text("", "ben@")+par("CN", text("", "x"))), false)
	test(prop("ATTENDEE", par("MEMBER", text("", "b@example.org"))), true)
	test(prop("ATTENDEE", par("MEMBER", text(`negate-condition="yes"`, "b@example.org"))), false)
	test(prop("ATTENDEE", par("MEMBER", text(`negate-condition="yes"`, "c@example.org"))), true)
}

// TestExtendedMatch is draft-daboo-caldav-extensions §3: any of the conditions,
// any component, and other comparisons than "contains".
func TestExtendedMatch(t *testing.T) {
	o := object(t, party)
	test := func(attrs, inner string, want bool) {
		t.Helper()
		f, err := Parse(element(t, `<C:filter><C:comp-filter name="VCALENDAR" `+attrs+`>`+inner+`</C:comp-filter></C:filter>`))
		if err != nil {
			t.Fatalf("%v in %s", err, inner)
		}
		if got := f.Match(o, time.UTC, ics.Bound{}); got != want {
			t.Errorf("%v for %s %s", got, attrs, inner)
		}
	}
	const any = `test="anyof"`
	comp := func(name, attrs, s string) string {
		return `<C:comp-filter name="` + name + `" ` + attrs + `>` + s + `</C:comp-filter>`
	}
	prop := func(name, attrs, s string) string {
		return `<C:prop-filter name="` + name + `" ` + attrs + `>` + s + `</C:prop-filter>`
	}
	text := func(attrs, s string) string { return `<C:text-match ` + attrs + `>` + s + `</C:text-match>` }
	param := func(name, s string) string {
		return `<C:param-filter name="` + name + `">` + s + `</C:param-filter>`
	}
	const in, out = `<C:time-range start="20260202T000000Z" end="20260203T000000Z"/>`, `<C:time-range start="20260302T000000Z" end="20260303T000000Z"/>`

	todo, event := comp("VTODO", "", ""), comp("VEVENT", "", "")
	test("", todo+event, false)
	test(`test="allof"`, todo+event, false)
	test(any, todo+event, true)
	test(any, todo, false)
	test(any, "", true)

	// One component, one of its conditions.
	yes, no := prop("SUMMARY", "", text("", "bob")), prop("SUMMARY", "", text("", "carl"))
	test("", comp("VEVENT", "", no+yes), false)
	test("", comp("VEVENT", any, no+yes), true)
	test("", comp("VEVENT", any, no+no), false)
	test("", comp("VEVENT", any, no+comp("VALARM", "", "")), true)
	test("", comp("VEVENT", any, out+yes), true)
	test("", comp("VEVENT", any, in+no), true)
	test("", comp("VEVENT", any, out+no), false)
	test("", comp("VEVENT", any, in), true)
	test("", comp("VEVENT", any, out), false)
	test("", comp("VEVENT", "", in+yes), true)
	test("", comp("VTODO", any, in), false)

	// One property, one of its conditions.
	ben, needs, cn := text("", "ben@"), param("PARTSTAT", text("", "ACCEPTED")), param("CN", "")
	test("", comp("VEVENT", "", prop("ATTENDEE", "", ben+needs)), false)
	test("", comp("VEVENT", "", prop("ATTENDEE", any, ben+needs)), true)
	test("", comp("VEVENT", "", prop("ATTENDEE", any, text("", "carl")+param("PARTSTAT", text("", "DECLINED")))), false)
	test("", comp("VEVENT", "", prop("ATTENDEE", any, param("ROLE", "")+cn)), true)
	test("", comp("VEVENT", "", prop("ATTENDEE", any, param("ROLE", "")+param("DIR", ""))), false)
	test("", comp("VEVENT", "", prop("ATTENDEE", any, "")), true)
	test("", comp("VEVENT", "", prop("DTSTART", any, out+param("TZID", ""))), false)
	test("", comp("VEVENT", "", prop("DTSTART", any, in+param("TZID", ""))), true)

	summary := func(how, s string) string {
		return comp("VEVENT", "", prop("SUMMARY", "", text(`match-type="`+how+`"`, s)))
	}
	test("", summary("contains", "at"), true)
	test("", summary("starts-with", "gr"), true)
	test("", summary("starts-with", "at"), false)
	test("", summary("ends-with", "BOB'S"), true)
	test("", summary("ends-with", "bob"), false)
	test("", summary("equals", "grüße, at bob's"), true)
	test("", summary("equals", "grüße"), false)
	test("", comp("VEVENT", "", prop("STATUS", "", text(`negate-condition="yes" match-type="equals"`, "CONFIRM"))), true)

	// "*" is any component.
	test("", comp("*", "", comp("VALARM", "", "")), true)
	test("", comp("*", "", comp("VALARM", "", prop("ACTION", "", text("", "EMAIL")))), false)
	test("", comp("*", "", yes), true)
	test("", comp("*", "", no), false)
	test("", comp("*", "", in+yes), true)
	test("", comp("*", "", out), false)
	test("", comp("*", "", "<C:is-not-defined/>"), false)
	test("", comp("VEVENT", "", comp("*", "", "<C:is-not-defined/>")), false)
}

func TestPlan(t *testing.T) {
	test := func(inner, kind, window, uid string, exact bool) {
		t.Helper()
		p := parse(t, inner).Plan()
		w, u := "", ""
		if p.Window != nil {
			w = stamp(p.Window.From) + "/" + stamp(p.Window.To)
		}
		if p.UID != nil {
			u = p.UID.Value
		}
		if p.Component != kind || w != window || u != uid || p.Exact != exact {
			t.Errorf("%s: %q %q %q %v", inner, p.Component, w, u, p.Exact)
		}
	}
	event := func(s string) string { return `<C:comp-filter name="VEVENT">` + s + `</C:comp-filter>` }
	const when = `<C:time-range start="20260101T000000Z" end="20260108T000000Z"/>`
	const week = "20260101T000000Z/20260108T000000Z"
	test(``, "", "", "", true)
	test(event(``), "VEVENT", "", "", true)
	test(event(when), "VEVENT", week, "", true)
	test(event(`<C:time-range start="20260101T000000Z"/>`), "VEVENT", "20260101T000000Z/", "", true)
	test(event(when+`<C:prop-filter name="SUMMARY"/>`), "VEVENT", week, "", false)
	test(event(when+`<C:comp-filter name="VALARM"/>`), "VEVENT", week, "", false)
	test(event(`<C:prop-filter name="UID"><C:text-match>abc</C:text-match></C:prop-filter>`), "VEVENT", "", "abc", true)
	test(event(when+`<C:prop-filter name="UID"><C:text-match>abc</C:text-match></C:prop-filter>`), "VEVENT", week, "abc", true)
	test(event(`<C:prop-filter name="UID"><C:text-match negate-condition="yes">abc</C:text-match></C:prop-filter>`), "VEVENT", "", "", false)
	test(event(`<C:prop-filter name="UID"/>`), "VEVENT", "", "", false)
	test(event(`<C:is-not-defined/>`), "", "", "", false)
	test(`<C:comp-filter name="VTODO">`+when+`</C:comp-filter>`, "VTODO", "", "", false) // the index knows events only
	test(`<C:comp-filter name="VTODO"/>`, "VTODO", "", "", true)
	test(`<C:comp-filter name="VTIMEZONE"/>`, "", "", "", false)
	test(`<C:prop-filter name="PRODID"/>`+event(when), "VEVENT", week, "", false)
	test(`<C:comp-filter name="VTODO"><C:is-not-defined/></C:comp-filter>`+event(when), "VEVENT", week, "", false)
	// What any of several conditions may find, no index narrows.
	test(`<C:comp-filter name="VEVENT" test="anyof">`+when+`<C:prop-filter name="SUMMARY"/></C:comp-filter>`, "VEVENT", "", "", false)
	test(`<C:comp-filter name="VEVENT" test="anyof"/>`, "VEVENT", "", "", true)
	test(`<C:comp-filter name="*"/>`, "", "", "", false)
	test(event(`<C:prop-filter name="UID"><C:text-match match-type="equals">a</C:text-match></C:prop-filter>`), "VEVENT", "", "a", false)
}

func TestPlanOfAnyComponent(t *testing.T) {
	f, err := Parse(element(t, `<C:filter><C:comp-filter name="VCALENDAR" test="anyof"><C:comp-filter name="VEVENT"/><C:comp-filter name="VTODO"/></C:comp-filter></C:filter>`))
	if err != nil {
		t.Fatal(err)
	}
	if p := f.Plan(); p.Component != "" || p.Exact {
		t.Errorf("%+v", p)
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(utcForm)
}

func TestInWindowSlot(t *testing.T) {
	at := func(s string) time.Time {
		v, err := utc(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	r := Range{at("20260101T000000Z"), at("20260102T000000Z")}
	test := func(r Range, start, fin string, floating, sameZone bool, want Answer) {
		t.Helper()
		s := ics.Slot{Start: at(start).UnixMicro(), Fin: at(fin).UnixMicro(), Floating: floating}
		if got := InWindow(r, &s, nil, sameZone); got != want {
			t.Errorf("%s/%s: %v, want %v", start, fin, got, want)
		}
	}
	test(r, "20251231T230000Z", "20260101T000000Z", false, true, No)
	test(r, "20251231T230000Z", "20260101T000001Z", false, true, Yes)
	test(r, "20260101T000000Z", "20260101T000000Z", false, true, Yes) // without length
	test(r, "20260102T000000Z", "20260102T000000Z", false, true, No)
	test(r, "20260101T235959Z", "20260103T000000Z", false, true, Yes)
	test(r, "20260102T000000Z", "20260103T000000Z", false, true, No)
	test(Range{From: r.From}, "20300102T000000Z", "20300103T000000Z", false, true, Yes)
	test(Range{To: r.To}, "19300102T000000Z", "19300103T000000Z", false, true, Yes)
	test(r, "20260101T100000Z", "20260101T110000Z", true, true, Yes)
	test(r, "20260101T100000Z", "20260101T110000Z", true, false, Look) // floating in another zone
	if InWindow(r, nil, nil, true) != Look {
		t.Error("no record tells nothing")
	}
}

func TestDuration(t *testing.T) {
	test := func(in string, want time.Duration, ok bool) {
		t.Helper()
		if d, k := duration(in); d != want || k != ok {
			t.Errorf("%q = %v %v", in, d, k)
		}
	}
	test("PT10M", 10*time.Minute, true)
	test("-PT10M", -10*time.Minute, true)
	test("+P1W", 7*24*time.Hour, true)
	test(" p1dt2h3m4s ", 26*time.Hour+3*time.Minute+4*time.Second, true)
	test("PT0S", 0, true)
	test("P99999999999999999999D", maxDuration, true)
	test("-P99999999999999999999D", -maxDuration, true)
	test("P", 0, false)
	test("PT", 0, false)
	test("P1DT", 0, false)
	test("P1H", 0, false)
	test("PT1D", 0, false)
	test("1D", 0, false)
	test("P1", 0, false)
	test("20260101T000000Z", 0, false)
}
