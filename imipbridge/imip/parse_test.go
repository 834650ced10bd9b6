package imip

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

var received = time.Date(2026, 2, 2, 12, 0, 0, 0, time.UTC)

func crlf(s string) []byte {
	return []byte(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n"))
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return crlf(string(b))
}

func parse(t testing.TB, data []byte) *Mail {
	t.Helper()
	m, err := Parse(data, received, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func one(t testing.TB, m *Mail) *ics.Object {
	t.Helper()
	if len(m.Objects) != 1 {
		t.Fatalf("%d objects, problems %q", len(m.Objects), m.Problems)
	}
	return m.Objects[0]
}

func TestParseReplies(t *testing.T) {
	test := func(file, from, attendee, partstat, organizer string) {
		t.Helper()
		for _, data := range [][]byte{sample(t, file), bytes.ReplaceAll(sample(t, file), []byte("\r\n"), []byte("\n"))} {
			m := parse(t, data)
			o := one(t, m)
			a := ics.Attendees(o.Master())
			if len(a) != 1 {
				t.Fatalf("%s: %d attendees", file, len(a))
			}
			if m.From.Address.Mail() != from || o.Method() != "REPLY" || o.UID() != "budget-1@example.org" ||
				ics.CalAddress(a[0]).Mail() != attendee || ics.PartStat(a[0]) != partstat || ics.Organizer(o.Master()).Mail() != organizer {
				t.Errorf("%s: from %s, %s of %s: %s %s to %s", file, m.From.Address, o.Method(), o.UID(), ics.CalAddress(a[0]), ics.PartStat(a[0]), ics.Organizer(o.Master()))
			}
			if len(m.Problems) > 0 {
				t.Errorf("%s: %q", file, m.Problems)
			}
		}
	}
	test("gmail-reply.eml", "cleo@gmail.example", "cleo@gmail.example", "ACCEPTED", "ann@example.org")
	test("exchange-reply.eml", "dora.mueller@corp.example", "dora.mueller@corp.example", "TENTATIVE", "")
	test("apple-reply.eml", "emil@icloud.example", "emil@icloud.example", "DECLINED", "ann@example.org")
}

func TestParseEnvelope(t *testing.T) {
	m := parse(t, sample(t, "exchange-reply.eml"))
	if m.From.Name != "Müller, Dora" || m.Subject != "Mit Vorbehalt: Budget" || m.To[0].Address.Mail() != "ann@example.org" {
		t.Errorf("%+v", m)
	}
	if want := time.Date(2026, 2, 2, 10, 15, 0, 0, time.UTC); !m.Date.Equal(want) {
		t.Errorf("date %v", m.Date)
	}
	m = parse(t, sample(t, "gmail-reply.eml"))
	if m.AutoSubmitted != "auto-generated" || !m.Automatic() || m.Sender.Address.Mail() != "calendar-notification@google.example" || m.MessageID != "calendar-5d1e@google.example" {
		t.Errorf("%+v", m)
	}
}

// The alternative counts, the attachment that says less is left aside, and
// 8-bit text without a word about it stays UTF-8.
func TestParseThunderbird(t *testing.T) {
	o := one(t, parse(t, sample(t, "thunderbird-request.eml")))
	if o.Master().Text("SUMMARY") != "Review – Grüße" || len(ics.Attendees(o.Master())) != 2 || len(o.Root().Children) != 2 {
		t.Errorf("%s", o.Bytes())
	}
}

func TestParseBounce(t *testing.T) {
	m := parse(t, sample(t, "bounce.eml"))
	if len(m.Objects) != 0 || m.Report == nil || !m.Automatic() {
		t.Fatalf("%+v", m)
	}
	d := m.Report.Failed(cuaddr.Mailto("gone@example.net"))
	if d == nil || d.Original.Mail() != "Gone@example.net" || d.Final.Mail() != "gone@example.net" || d.Status != "5.1.1" || d.Diagnostic != "550 5.1.1 no such user here" {
		t.Errorf("%+v", d)
	}
	late := bytes.Replace(sample(t, "bounce.eml"), []byte("Action: failed"), []byte("Action: delayed"), 1)
	if m := parse(t, late); m.Report == nil || m.Report.Failed(cuaddr.Address{}) != nil {
		t.Errorf("a delay is no failure: %+v", m.Report)
	}
}

const event = `BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//t//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:u1
DTSTAMP:20260201T000000Z
DTSTART:20260209T090000Z
SUMMARY:S
ORGANIZER:mailto:ann@example.org
END:VEVENT
END:VCALENDAR
`

func withHeader(contentType, body string) []byte {
	return crlf("From: ann@example.org\nDate: Mon, 2 Feb 2026 09:00:00 +0000\nContent-Type: " + contentType + "\n\n" + body)
}

func TestMethod(t *testing.T) {
	test := func(contentType, body, want string) {
		t.Helper()
		m := parse(t, withHeader(contentType, body))
		got := ""
		if len(m.Objects) > 0 {
			got = m.Objects[0].Root().Value("METHOD")
		}
		if got != want {
			t.Errorf("%s: METHOD %q, want %q", contentType, got, want)
		}
	}
	without := strings.Replace(event, "METHOD:REQUEST\n", "", 1)
	test("text/calendar; method=REQUEST", event, "REQUEST")
	test("text/calendar", event, "REQUEST")
	test("text/calendar; method=reply", event, "REQUEST") // the body wins
	test("text/calendar; method=request", without, "REQUEST")
	test("text/calendar", without, "") // RFC 6047 §2.4, note 2: shown, not sent
	test("text/calendar; method=REQUEST", strings.Replace(event, "METHOD:REQUEST", "METHOD:request", 1), "REQUEST")
	test("application/ics", event, "REQUEST")
	test(`application/octet-stream; name="Invite.ICS"`, event, "REQUEST")
	test(`application/octet-stream; name="invite.txt"`, event, "")
	test(`text/plain; name="invite.ics"`, event, "REQUEST")
	test(`message/rfc822; name="invite.ics"`, event, "")
	test("TEXT/Calendar; charset=utf-8; charset=utf-8; method=REQUEST;;", event, "REQUEST") // a parameter twice
}

func TestCharset(t *testing.T) {
	test := func(label, summary, want string) {
		t.Helper()
		m := parse(t, withHeader("text/calendar; method=REQUEST; charset="+label, strings.Replace(event, "SUMMARY:S", "SUMMARY:"+summary, 1)))
		if got := one(t, m).Master().Text("SUMMARY"); got != want {
			t.Errorf("%s: %q, want %q", label, got, want)
		}
	}
	test("utf-8", "Grüße", "Grüße")
	test("iso-8859-1", "Grüße", "Grüße") // says latin-1, is UTF-8
	test("iso-8859-1", "Gr\xfc\xdfe", "Grüße")
	test("windows-1252", "\x80 5", "€ 5")
	test("utf-8", "Gr\xfc\xdfe", "Grüße") // says UTF-8, is not
	test("koi8-r", "\xe4\xe1", "ДА")
	test("unknown-8bit", "Gr\xfc\xdfe", "Grüße")
}

func TestTransferEncodings(t *testing.T) {
	test := func(cte, body string) {
		t.Helper()
		m := parse(t, crlf("From: a@example.org\nContent-Type: text/calendar; method=REQUEST\nContent-Transfer-Encoding: "+cte+"\n\n"+body))
		if o := one(t, m); o.UID() != "u1" {
			t.Errorf("%s: %q", cte, o.UID())
		}
	}
	test("7bit", event)
	test("8BIT", event)
	test("quoted-printable", strings.ReplaceAll(event, "VEVENT", "V=45VE=\nNT"))
	test("quoted-printable", strings.TrimSuffix(event, "\n")+"=") // cut off
	test("base64", "QkVHSU46VkNBTEVOREFSDQpNRVRIT0Q6UkVRVUVTVA0KQkVHSU46VkVWRU5UDQpV\n!SUQ6dTENCkRUU1RBTVA6MjAyNjAyMDFUMDAwMDAwWg0KRU5EOlZFVkVOVA0KRU5EOlZDQUxFTkRBUg0K")
}

func TestRepairDTSTAMP(t *testing.T) {
	test := func(stamp, want string) {
		t.Helper()
		o := one(t, parse(t, withHeader("text/calendar", strings.Replace(event, "DTSTAMP:20260201T000000Z\n", stamp, 1))))
		if got := o.Master().Value("DTSTAMP"); got != want {
			t.Errorf("%q: %q, want %q", stamp, got, want)
		}
	}
	test("DTSTAMP:20260201T000000Z\n", "20260201T000000Z")
	test("", "20260202T090000Z")
	test("DTSTAMP:20260201T000000\n", "20260202T090000Z") // local
	test("DTSTAMP;VALUE=DATE:20260201\n", "20260202T090000Z")
	test("DTSTAMP:20270201T000000Z\n", "20260202T090000Z") // future
	test("DTSTAMP:\n", "20260202T090000Z")

	// Nothing to repair: the bytes are those of the mail.
	if o := one(t, parse(t, withHeader("text/calendar", event))); !bytes.Equal(o.Bytes(), crlf(event)) {
		t.Errorf("%s", o.Bytes())
	}
	// No Date either: when the mail came.
	bare := crlf("From: a@example.org\nContent-Type: text/calendar\n\n" + strings.Replace(event, "DTSTAMP:20260201T000000Z\n", "", 1))
	if got := one(t, parse(t, bare)).Master().Value("DTSTAMP"); got != "20260202T120000Z" {
		t.Errorf("without Date: %q", got)
	}
}

func TestRepairAttendees(t *testing.T) {
	reply := strings.Replace(strings.Replace(event, "METHOD:REQUEST", "METHOD:REPLY", 1), "SUMMARY:S\n", "%\n", 1)
	test := func(lines string, want ...string) {
		t.Helper()
		o := one(t, parse(t, withHeader("text/calendar", strings.Replace(reply, "%\n", lines, 1))))
		var got []string
		for _, a := range ics.Attendees(o.Master()) {
			got = append(got, a.Value)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
	test("", "mailto:ann@example.org")
	test("ATTENDEE:mailto:ben@example.org\nATTENDEE:MAILTO:Ann@example.org\n", "MAILTO:Ann@example.org")
	test("ATTENDEE:mailto:ben@example.org\n", "mailto:ben@example.org")
	test("ATTENDEE:mailto:ben@example.org\nATTENDEE:mailto:cleo@example.org\n", "mailto:ben@example.org", "mailto:cleo@example.org")
	test("ATTENDEE;SENT-BY=\"mailto:ann@example.org\":mailto:ben@example.org\nATTENDEE:mailto:cleo@example.org\n", "mailto:ben@example.org")
}

func TestSeveralUIDs(t *testing.T) {
	two := strings.Replace(event, "END:VCALENDAR", "BEGIN:VEVENT\nUID:u2\nDTSTAMP:20260201T000000Z\nDTSTART:20260209T090000Z\nEND:VEVENT\nBEGIN:VTIMEZONE\nTZID:X\nEND:VTIMEZONE\nEND:VCALENDAR", 1)
	m := parse(t, withHeader("text/calendar", two))
	if len(m.Objects) != 2 || m.Objects[0].UID() != "u1" || m.Objects[1].UID() != "u2" || len(m.Objects[1].Root().Children) != 2 {
		t.Fatalf("%d objects", len(m.Objects))
	}
	many := "BEGIN:VCALENDAR\nMETHOD:PUBLISH\n"
	for i := range maxUIDs + 1 {
		many += "BEGIN:VEVENT\nUID:" + strings.Repeat("x", i+1) + "\nEND:VEVENT\n"
	}
	if m := parse(t, withHeader("text/calendar", many+"END:VCALENDAR\n")); len(m.Objects) != 0 || len(m.Problems) != 1 {
		t.Errorf("%d objects, %q", len(m.Objects), m.Problems)
	}
}

func TestNestedMailIsNotRead(t *testing.T) {
	m := parse(t, crlf("From: a@example.org\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nFrom: x@example.org\nContent-Type: text/calendar; method=REQUEST\n\n"+event+"\n--b--\n"))
	if len(m.Objects) != 0 {
		t.Error("the calendar of an attached mail was read")
	}
}

func TestMultipart(t *testing.T) {
	part := "Content-Type: text/calendar; method=REQUEST\n\n" + event
	test := func(what, boundary, body string) {
		t.Helper()
		m := parse(t, withHeader("multipart/mixed; boundary="+boundary, body))
		if len(m.Objects) != 1 {
			t.Errorf("%s: %d objects, %q", what, len(m.Objects), m.Problems)
		}
	}
	test("plain", "b", "preamble\n--b\n"+part+"\n--b--\nepilogue")
	test("no last boundary", "b", "--b\n"+part)
	test("blanks behind the boundary", "b", "--b  \n"+part+"\n--b-- \n")
	test("a longer boundary inside", "b", "--b\nContent-Type: multipart/alternative; boundary=bb\n\n--bb\n"+part+"\n--bb--\n\n--b--\n")
	test("the boundary's text inside a line", "b", "--b\n"+strings.Replace(part, "SUMMARY:S", "SUMMARY:--b", 1)+"\n--b--\n")
	test("a line end in the boundary", "\"b\r\"", "--b\n"+part+"\n--b--\n")
	// Several of them, with METHODs of their own (RFC 6047 §2.4).
	several := parse(t, withHeader("multipart/mixed; boundary=b", "--b\n"+part+"\n--b\n"+strings.NewReplacer("REQUEST", "CANCEL", "UID:", "UID:other-").Replace(part)+"\n--b--\n"))
	if len(several.Objects) != 2 || several.Objects[0].Method() != "REQUEST" || several.Objects[1].Method() != "CANCEL" {
		t.Errorf("several: %d objects, %q", len(several.Objects), several.Problems)
	}
	test("signed", `s; protocol="application/pgp-signature"`, "--s\n"+part+"\n--s\nContent-Type: application/pgp-signature\n\nx\n--s--\n")
}

func TestLimits(t *testing.T) {
	test := func(want string, lim Limits, data []byte) {
		t.Helper()
		_, err := Parse(data, received, lim)
		var l *LimitError
		if !errors.As(err, &l) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	deep := ""
	for i := range 30 {
		b := strings.Repeat("x", i+1)
		deep += "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n"
	}
	test("octets", Limits{Bytes: 100}, make([]byte, 101))
	test("20 levels", Limits{}, []byte(deep))
	test("5 parts", Limits{Parts: 5}, []byte("Content-Type: multipart/mixed; boundary=b\n\n"+strings.Repeat("--b\n\nx\n", 10)))
	test("10 header fields", Limits{Fields: 10}, []byte(strings.Repeat("X: y\n", 11)))
	test("octets of header", Limits{Header: 100}, []byte("X: "+strings.Repeat("y", 200)+"\n\n"))
	test("2 calendar parts", Limits{Calendars: 2}, []byte("Content-Type: multipart/mixed; boundary=b\n\n"+strings.Repeat("--b\nContent-Type: text/calendar\n\nx\n", 3)))
}

func TestFroms(t *testing.T) {
	test := func(head, want string, n int) {
		t.Helper()
		m := parse(t, crlf(head+"\n\nx"))
		if m.From.Address.Mail() != want || m.Froms != n {
			t.Errorf("%q: %s of %d", head, m.From.Address, m.Froms)
		}
	}
	test("From: ann@example.org", "ann@example.org", 1)
	test("FROM: \"a@example.com\" <ann@example.org>", "ann@example.org", 1)
	test("From: a@example.com <ann@example.org>", "ann@example.org", 1)
	test("From: Müller, Ann <ann@example.org>", "ann@example.org", 1)
	test("From: a@example.org, b@example.org", "a@example.org", 2)
	test("From: a@example.org\nFrom: b@example.org", "a@example.org", 2)
	test("From: =?utf-8?q?b=40example=2Eorg?= <a@example.org>", "a@example.org", 1)
	test("From x Mon Feb  2 09:00:00 2026\nFrom: a@example.org", "a@example.org", 1)
	test("From:", "", 0)
	test("Subject: none", "", 0)
}

func TestWithoutFields(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		if got := string(WithoutFields([]byte(in), "X-Convene-")); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	test("A: b\r\n\r\nX-Convene-A: body\r\n", "A: b\r\n\r\nX-Convene-A: body\r\n")
	test("X-Convene-A: b\r\nC: d\r\n\r\nbody", "C: d\r\n\r\nbody")
	test("A: b\r\nx-convene-C: d\r\n e\r\n\tf\r\nG: h\r\n i\r\n\r\nbody", "A: b\r\nG: h\r\n i\r\n\r\nbody")
	test("A: b\nX-CONVENE-C: d\nX-Convene-D: e\nF: g", "A: b\nF: g")
	test("X-Convene-A: b\r\n\r\n", "\r\n")
	test("X-Convener: b\r\n\r\n", "X-Convener: b\r\n\r\n")
	test("X-Convene-A: b", "")
	test("", "")
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"gmail-reply.eml", "exchange-reply.eml", "apple-reply.eml", "thunderbird-request.eml", "bounce.eml"} {
		f.Add(sample(f, name))
	}
	corpus, err := filepath.Glob("testdata/corpus/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range corpus {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(crlf(string(a.Files[0].Data)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		keep := bytes.Clone(data)
		m, err := Parse(data, received, Limits{})
		if !bytes.Equal(data, keep) {
			t.Fatal("the mail was written to")
		}
		if err != nil {
			return
		}
		for _, o := range m.Objects {
			if o.Method() == "" || o.UID() == "" {
				t.Fatalf("object without METHOD or UID: %q", o.Bytes())
			}
		}
		m.Evidence([]string{"mx.example.org"})
		without := WithoutFields(data, "X-Convene-")
		if again := WithoutFields(without, "X-Convene-"); !bytes.Equal(again, without) {
			t.Fatal("fields came back")
		}
	})
}

func BenchmarkParse(b *testing.B) {
	data := sample(b, "gmail-reply.eml")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(data, received, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
