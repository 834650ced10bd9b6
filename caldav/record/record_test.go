package record

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
)

var red = New([]byte("a key"))

// anyMark makes what is expected independent of the marks themselves.
var anyMark = regexp.MustCompile(`x-[0-9a-f]{10}`)

func marked(s string) string { return anyMark.ReplaceAllString(s, "*") }

func TestHref(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		if got := marked(red.Href(in)); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	test("/dav/", "/dav/")
	test("/dav/calendars/ann@example.org/calendar/", "/dav/calendars/*@redacted.invalid/calendar/")
	test("/dav/calendars/ann%40example.org/Private%20plans/a-b.ics", "/dav/calendars/*%40redacted.invalid/*/*.ics")
	test("/dav/directory/ann@example.org.vcf", "/dav/directory/*@redacted.invalid.vcf")
	test("/dav//calendars/%zz/..", "/dav//calendars/*/..")
	test("https://cal.example.org:8443/dav/", "https://*.invalid/dav/")
	test("https://cal.example.org", "https://*.invalid")
	test("/freebusy/ann@example.org.ifb?start=20260101T000000Z&token=secret&x=y&z", "/freebusy/*@redacted.invalid.ifb?start=20260101T000000Z&token=*&*=*&*")
	test("MAILTO:Ann@Example.org", "MAILTO:*@redacted.invalid")
	test("urn:uuid:1234", "urn:uuid:*")
	test("Ann Arbor", "*")
	test("", "")
	same := func(a, b string) {
		t.Helper()
		if x, y := anyMark.FindString(red.Href(a)), anyMark.FindString(red.Href(b)); x == "" || x != y {
			t.Errorf("%s and %s: %s and %s", a, b, x, y)
		}
	}
	same("mailto:Ann@example.org", "/dav/principals/ann%40example.org/")
	same("ann@EXAMPLE.org", "/freebusy/ann@example.org.ifb")
	same("uid-1", "/dav/calendars/uid-1.ics")
	if a, b := red.Href("uid-1"), New([]byte("another")).Href("uid-1"); a == b {
		t.Error("another key makes the same mark")
	}
}

func TestHeader(t *testing.T) {
	var b strings.Builder
	for _, f := range red.Header(map[string][]string{
		"Authorization": {"Basic c2VjcmV0"}, "Cookie": {"session=secret"}, "X-Auth-Token": {"secret"}, "Depth": {"1"}, "User-Agent": {"Program/1.0"},
		"Destination": {"http://cal.example.org/dav/calendars/ann@example.org/calendar/b.ics"}, "Recipient": {"mailto:bob@example.org, mailto:eve@example.net"},
		"If": {`</dav/x/> (Not <urn:uuid:1> ["e"]) secret`}, "Lock-Token": {"<opaquelocktoken:1>"}, "Proxy-Authorization": {"secret"}, "Set-Cookie": {"secret"},
	}) {
		b.WriteString(f.Name + ": " + marked(f.Value) + "\n")
	}
	const want = `Authorization: Basic (not shown)
Cookie: (not shown)
Depth: 1
Destination: http://*.invalid/dav/calendars/*@redacted.invalid/calendar/*.ics
If: </dav/*/> (Not <urn:uuid:*> ["e"]) (not shown)
Lock-Token: <*>
Proxy-Authorization: (not shown)
Recipient: mailto:*@redacted.invalid, mailto:*@redacted.invalid
Set-Cookie: (not shown)
User-Agent: Program/1.0
X-Auth-Token: (not shown)
`
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}

func TestBody(t *testing.T) {
	test := func(kind, body, want string) {
		t.Helper()
		if got := marked(red.Body(Body{kind, []byte(body), int64(len(body))})); got != want {
			t.Errorf("%s\n%s\nwant\n%s", body, got, want)
		}
	}
	const event = `BEGIN:VCALENDAR
PRODID:-//Program//1
BEGIN:VEVENT
UID:uid-1
DTSTART;TZID=Europe/Berlin:20260310T090000
SUMMARY;LANGUAGE=de:Doctor with a very l
 ong name
LOCATION:
ORGANIZER;CN="Ann, A";SENT-BY="mailto:sec@example.org":mailto:ann@example.org
ATTENDEE;PARTSTAT=NEEDS-ACTION;CN=Bob;X-NUM=1;MEMBER="mailto:a@b.c","mailto:d@e.f":/dav/principals/bob@example.org/
CATEGORIES:Health,Private
X-LASTACK:20260310T080000Z
X-TEXT:Something
BEGIN:VALARM
ACTION:EMAIL
TRIGGER:-PT15M
DESCRIPTION:Go
END:VALARM
END:VEVENT
END:VCALENDAR
`
	const redacted = `BEGIN:VCALENDAR
PRODID:-//Program//1
BEGIN:VEVENT
UID:*
DTSTART;TZID=Europe/Berlin:20260310T090000
SUMMARY;LANGUAGE=de:*
LOCATION:
ORGANIZER;CN="*";SENT-BY="mailto:*@redacted.invalid":mailto:*@redacted.invalid
ATTENDEE;PARTSTAT=NEEDS-ACTION;CN=*;X-NUM=*;MEMBER="mailto:*@redacted.invalid","mailto:*@redacted.invalid":/dav/principals/*@redacted.invalid/
CATEGORIES:*,*
X-LASTACK:20260310T080000Z
X-TEXT:*
BEGIN:VALARM
ACTION:EMAIL
TRIGGER:-PT15M
DESCRIPTION:*
END:VALARM
END:VEVENT
END:VCALENDAR
`
	test("text/calendar; charset=utf-8", strings.ReplaceAll(event, "\n", "\r\n"), redacted)
	test("", event, redacted)
	test("text/vcard", "BEGIN:VCARD\nVERSION:3.0\nFN:Ann\nN:Arbor;Ann,Anna;;;\nitem1.TEL;TYPE=HOME:12345\nTEL;HOME:1\nBDAY:19800101\nX-PIN:1234\nPHOTO;ENCODING=b:"+strings.Repeat("A", 300)+"\nEND:VCARD\n",
		"BEGIN:VCARD\nVERSION:3.0\nFN:*\nN:*;*,*;;;\nitem1.TEL;TYPE=HOME:*\nTEL;*:*\nBDAY:*\nX-PIN:*\nPHOTO;ENCODING=b:* (300 octets)\nEND:VCARD\n")
	test("application/xml", `<?xml version="1.0"?><D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><!-- secret --><D:response><D:href>/dav/calendars/ann@example.org/calendar/uid-1.ics</D:href>`+
		`<D:propstat><D:prop><D:getetag>"1"</D:getetag><D:displayname>My life</D:displayname><C:calendar-data>`+strings.ReplaceAll(event, `"`, "&quot;")+`</C:calendar-data><D:owner/></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>`,
		`<D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:response><D:href>/dav/calendars/*@redacted.invalid/calendar/*.ics</D:href>`+
			`<D:propstat><D:prop><D:getetag>"1"</D:getetag><D:displayname>*</D:displayname><C:calendar-data>`+"\n"+redacted+`</C:calendar-data><D:owner/></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`+"\n"+`</D:multistatus>`)
	test("text/xml", `<a b="secret" name="FN"><c>text<d/>more</c>`, `<a b="*" name="FN"><c>*<d/>*</c>`)
	test("text/xml", `<a>secret<b>`+"\x01secret", `<a>*<b>`+"\n(what follows is not XML)")
	test("text/xml", "secret", "(6 octets)")
	test("application/json", `{"secret":1}`, "(12 octets)")
	test("text/plain", "secret", "(6 octets)")
	test("text/calendar", "secret", "(6 octets)")
	test("", "", "")
	if got := marked(red.Body(Body{"text/calendar", []byte("BEGIN:VCALENDAR\nSUMMARY:sec"), 99})); got != "BEGIN:VCALENDAR\n\n(cut: 99 octets in all)" {
		t.Errorf("%q", got)
	}
}

// Nothing of a text that is in every place of a body comes through.
func TestNothingComesThrough(t *testing.T) {
	const secret = "Sikrit"
	for _, in := range []string{
		"BEGIN:VCALENDAR\nX-A;B=" + secret + ":" + secret + "\n" + secret + "\n:" + secret + "\n;" + secret + "\nSUMMARY;A=\"" + secret + "\nSUMMARY;" + secret + "\nSUMMARY " + secret + "\n" + secret + ":text\n" + secret + ";A=b:text",
		`<x a="` + secret + `">` + secret + `<displayname>` + secret + `</displayname><![CDATA[` + secret + `]]><?pi ` + secret + `?><!-- ` + secret + ` --></x>`,
		`<!DOCTYPE a [<!ENTITY b "` + secret + `">]><a>&b;` + secret,
		`<a><calendar-data>` + secret + `</calendar-data><href>` + secret + `</href><status>ok</status></a>`,
		`["vcard",["` + secret + `"]]`,
	} {
		for _, kind := range []string{"text/calendar", "text/xml", "application/json", "", "text/html", secret} {
			if out := red.Body(Body{kind, []byte(in), int64(len(in))}); strings.Contains(out, secret) {
				t.Errorf("%s as %q:\n%s", in, kind, out)
			}
		}
	}
}

func TestWrite(t *testing.T) {
	e := Exchange{At: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), Took: 1234 * time.Microsecond, Method: "PUT", Target: "/a", Header: []Field{{"Depth", "1"}}, Body: "one\ntwo\n", Status: 201,
		Answer: []Field{{"Etag", `"1"`}}}
	var b bytes.Buffer
	if err := e.Write(&b, 7); err != nil {
		t.Fatal(err)
	}
	const want = "### 7 2026-03-01T09:00:00.000Z 1.23ms\n> PUT /a\n> Depth: 1\n>\n> one\n> two\n< 201\n< Etag: \"1\"\n\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
}

// FuzzBody: whatever is sent, it ends, and no control character comes out.
func FuzzBody(f *testing.F) {
	f.Add("text/calendar", "BEGIN:VCALENDAR\nA;B=\"c\",d:e\n f\nSUMMARY;LANGUAGE=a\x1b:b\nDTSTART:\x1b\nEND:VCALENDAR", "/a?b=c")
	f.Add("text/xml", `<a b="c"><href>/d</href>&#1;<![CDATA[e]]></a>`, "mailto:a@b")
	f.Fuzz(func(t *testing.T, kind, body, target string) {
		out := red.Body(Body{kind, []byte(body), int64(len(body))}) + red.Href(target) + red.Target(target) + red.angled(target)
		if i := strings.IndexFunc(out, func(r rune) bool { return r < 0x20 && r != '\n' && r != '\t' && r != '\r' || r == 0x7f }); i >= 0 {
			t.Errorf("%q", out[i:])
		}
	})
}
