package dav

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"testing"
)

const head = prolog + "<D:multistatus" + declarations + ">"

func multistatus(minimal bool, write func(*MultiStatus)) string {
	var b strings.Builder
	m := NewMultiStatus(&b, minimal)
	write(m)
	m.End("")
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), head), "\n</D:multistatus>\n")
}

func TestMultiStatus(t *testing.T) {
	test := func(minimal bool, write func(*MultiStatus), want string) {
		t.Helper()
		if got := multistatus(minimal, write); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
	test(false, func(m *MultiStatus) {}, "")
	found := func(m *MultiStatus) {
		m.Begin("/a/")
		m.Absent(D("owner"))
		m.Element(D("displayname"), "A & B")
		m.Absent(xml.Name{Space: "urn:x", Local: "y"})
		m.Finish()
	}
	const a = "\n<D:response><D:href>/a/</D:href><D:propstat><D:prop><D:displayname>A &amp; B</D:displayname></D:prop>" +
		"<D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
	test(false, found, a+`<D:propstat><D:prop><D:owner/><X:y xmlns:X="urn:x"/></D:prop>`+
		"<D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>")
	test(true, found, a+"</D:response>")
	none := func(m *MultiStatus) {
		m.Begin("/a/")
		m.Absent(D("owner"))
		m.Finish()
	}
	test(false, none, "\n<D:response><D:href>/a/</D:href><D:propstat><D:prop><D:owner/></D:prop>"+
		"<D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>")
	// RFC 8144 §2.1: a response needs a propstat even if nothing is left in it.
	const empty = "\n<D:response><D:href>/a/</D:href><D:propstat><D:prop></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
	test(true, none, empty)
	test(false, func(m *MultiStatus) { m.Begin("/a/"); m.Finish() }, empty)
	// RFC 4918 §9.2.1: one property refused, the others failed with it.
	test(true, func(m *MultiStatus) {
		m.Begin("/a/")
		m.Failed(D("getetag"), 403, D("cannot-modify-protected-property"))
		m.Failed(D("displayname"), 424, xml.Name{})
		m.Failed(C("calendar-timezone"), 424, xml.Name{})
		m.Finish()
	}, "\n<D:response><D:href>/a/</D:href><D:propstat><D:prop><D:getetag/></D:prop><D:status>HTTP/1.1 403 Forbidden</D:status>"+
		"<D:error><D:cannot-modify-protected-property/></D:error></D:propstat><D:propstat><D:prop><D:displayname/><C:calendar-timezone/></D:prop>"+
		"<D:status>HTTP/1.1 424 Failed Dependency</D:status></D:propstat></D:response>")
	test(false, func(m *MultiStatus) { m.Status("/a/b%20c", 404) },
		"\n<D:response><D:href>/a/b%20c</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>")
	test(false, func(m *MultiStatus) { m.Status("/a/", 507, D("number-of-matches-within-limits")) },
		"\n<D:response><D:href>/a/</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status>"+
			"<D:error><D:number-of-matches-within-limits/></D:error></D:response>")
}

func TestMultiStatusToken(t *testing.T) {
	var b strings.Builder
	m := NewMultiStatus(&b, false)
	if err := m.End("urn:x:1&2"); err != nil {
		t.Fatal(err)
	}
	if want := head + "\n<D:sync-token>urn:x:1&amp;2</D:sync-token>\n</D:multistatus>\n"; b.String() != want {
		t.Errorf("\n got %s\nwant %s", b.String(), want)
	}
}

func TestText(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		if got := string(appendText(nil, in, false)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
		if got := string(appendText(nil, []byte(in), false)); got != want {
			t.Errorf("%q as bytes: got %q, want %q", in, got, want)
		}
	}
	test("", "")
	test(`a"b'c`, `a"b'c`)
	test("a<b>&c]]>", "a&lt;b&gt;&amp;c]]&gt;")
	test("a\r\n b\tc", "a&#13;\n b\tc")
	test("ü€𝄞", "ü€𝄞")
	test("a\x00b\x0bc\xffd\uFFFEe", "a\uFFFDb\uFFFDc\uFFFDd\uFFFDe")
	if got := string(appendText(nil, "\"\n<", true)); got != "&#34;&#10;&lt;" {
		t.Errorf("attribute: got %q", got)
	}
}

func TestTree(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		e, err := Parse(strings.NewReader(in), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var w Writer
		w.Tree(e.Children()[0])
		if got := string(w.Bytes()); got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
	// Declarations that stood outside come along.
	test(`<D:prop xmlns:D="DAV:" xmlns:i="http://apple.com/ns/ical/"><i:calendar-color symbolic-color="orange">#FD8208FF</i:calendar-color></D:prop>`,
		`<calendar-color symbolic-color='orange' xmlns='http://apple.com/ns/ical/'>#FD8208FF</calendar-color>`)
	test(`<prop xmlns="DAV:" xml:lang="de"><x xmlns="urn:y" xmlns:z="urn:z"><DAV xmlns="DAV:"/><z:a z:b="1"/><n xmlns=""/>&lt;</x></prop>`,
		`<x xml:lang='de' xmlns='urn:y'><DAV xmlns='DAV:'/><a xmlns:a0='urn:z' a0:b='1' xmlns='urn:z'/><n xmlns=''/>&lt;</x>`)
	test(`<prop xmlns="DAV:"><x a="it's" b='"&lt;'/></prop>`, `<x a='it&#39;s' b='&#34;&lt;' xmlns='DAV:'/>`)
}

func TestErrorBody(t *testing.T) {
	test := func(e Error, want string) {
		t.Helper()
		got := strings.TrimSuffix(strings.TrimPrefix(string(e.Body()), prolog+"<D:error"+declarations+">"), "</D:error>\n")
		if got != want {
			t.Errorf("%v:\n got %s\nwant %s", &e, got, want)
		}
	}
	test(Error{Status: 404}, "")
	test(Error{Status: 403, Cond: D("valid-sync-token")}, "<D:valid-sync-token/>")
	test(Error{Status: 403, Cond: C("no-uid-conflict"), Hrefs: []string{"/a/b.ics"}, Detail: "a<b"},
		"<C:no-uid-conflict><D:href>/a/b.ics</D:href></C:no-uid-conflict><X:error-description xmlns:X=\"http://twistedmatrix.com/xml_namespace/dav/\">a&lt;b</X:error-description>")
	test(Error{Status: 403, Cond: D("need-privileges"), Hrefs: []string{"/a/"}, Privileges: []xml.Name{D("bind")}},
		"<D:need-privileges><D:resource><D:href>/a/</D:href><D:privilege><D:bind/></D:privilege></D:resource></D:need-privileges>")
}

// BenchmarkMultiStatus is the answer to a PROPFIND of a calendar with 10,000
// objects, as programs without sync-collection ask for it.
func BenchmarkMultiStatus(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		m := NewMultiStatus(io.Discard, false)
		var href []byte
		for i := range 10_000 {
			href = append(href[:0], "/dav/calendars/ann@example.org/calendar/event-"...)
			href = append(strconv.AppendInt(href, int64(i), 10), ".ics"...)
			m.Begin(string(href))
			m.Empty(D("resourcetype"))
			m.Element(D("getcontenttype"), "text/calendar; charset=utf-8; component=vevent")
			m.Element(D("getetag"), `"0123456789abcdef0123456789abcdef"`)
			m.Finish()
		}
		if err := m.End(""); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	in := `<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"><D:prop><CS:getctag/><D:sync-token/></D:prop></D:propfind>`
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(strings.NewReader(in), Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
