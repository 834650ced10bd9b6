package imip

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/convene-server/convene/scheduling/ics"
)

// repaired parses a mail from cleo with one calendar part and returns its one
// message and what was repaired.
func repaired(t testing.TB, contentType, body string) (*ics.Object, string) {
	t.Helper()
	m := parse(t, crlf("From: Cleo <cleo@example.net>\nTo: ann@example.org\nDate: Mon, 2 Feb 2026 09:00:00 +0000\nContent-Type: "+contentType+"\n\n"+body))
	return one(t, m), strings.Join(m.Repairs, "; ")
}

// calendar makes an iTIP message of property lines.
func calendar(method, lines string) string {
	s := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//EN\nMETHOD:" + method + "\nBEGIN:VEVENT\nUID:u1\n"
	if !strings.Contains(lines, "DTSTAMP") {
		s += "DTSTAMP:20260201T000000Z\n"
	}
	if !strings.Contains(lines, "DTSTART") {
		s += "DTSTART:20260209T090000Z\n"
	}
	if !strings.Contains(lines, "ORGANIZER") {
		s += "ORGANIZER:mailto:cleo@example.net\n"
	}
	return s + lines + "END:VEVENT\nEND:VCALENDAR\n"
}

// The line of a property, as it stands after repair.
func TestMalformedLines(t *testing.T) {
	test := func(line, want, repair string) {
		t.Helper()
		o, what := repaired(t, "text/calendar; method=REQUEST", calendar("REQUEST", line+"\n"))
		if what != repair {
			t.Errorf("%s: repaired %q, want %q", line, what, repair)
		}
		if got := string(ics.New(&ics.Component{Name: "X", Props: o.Master().Props}).Bytes()); want != "" && !strings.Contains(strings.ReplaceAll(got, "\r\n ", ""), "\r\n"+want+"\r\n") {
			t.Errorf("%s: no %s in\n%s", line, want, got)
		}
	}
	const who = "ATTENDEE:mailto:ann@example.org"
	test("ATTENDEE:MAILTO:Ann@Example.org", "ATTENDEE:MAILTO:Ann@Example.org", "") // 8: understood as it is
	test("ATTENDEE:mailto:mailto:ann@example.org", who, "address of ATTENDEE")
	test("ATTENDEE: mailto: ann@example.org", who, "address of ATTENDEE")
	test("ATTENDEE:mailto:<ann@example.org>", who, "address of ATTENDEE")
	test("ATTENDEE:<ann@example.org>", who, "address of ATTENDEE")
	test("ATTENDEE:mailto:ann%40example.org", who, "address of ATTENDEE") // 9
	test("ATTENDEE:mailto:ann@example.org?subject=Re", who, "address of ATTENDEE")
	test("ATTENDEE:mailto:%22Ann%20A.%22%20%3Cann%40example.org%3E", who, "address of ATTENDEE")
	test("ATTENDEE:mailto:Ann A. <ann@example.org>", who, "address of ATTENDEE")
	test("ATTENDEE:ann@example.org", who, "address of ATTENDEE") // 43
	test("ATTENDEE:invalid:nomail", "ATTENDEE:invalid:nomail", "")
	test("ATTENDEE;CN=A;EMAIL=ann@example.org:invalid:nomail", `ATTENDEE;CN="A":mailto:ann@example.org`, "address of ATTENDEE from its EMAIL")
	test("ATTENDEE;EMAIL=ann@example.org:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1", who, "address of ATTENDEE from its EMAIL")
	test("ATTENDEE;EMAIL=ann@example.org:/123/principal/", who, "address of ATTENDEE from its EMAIL")
	test("ATTENDEE;EMAIL=ann@example.org:mailto:2_HEYDQ@imip.example", "ATTENDEE;EMAIL=ann@example.org:mailto:2_HEYDQ@imip.example", "")
	test("ATTENDEE;EMAIL=nobody:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1", "ATTENDEE;EMAIL=nobody:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1", "")
	test("ORGANIZER;EMAIL=cleo@example.net:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1", "ORGANIZER:mailto:cleo@example.net", "address of ORGANIZER from its EMAIL")
	test("ATTENDEE:", "", "empty ATTENDEE")
	test("ATTENDEE:mailto:", "", "empty ATTENDEE")
	test("LOCATION:\nURL:\nCOMMENT:", "", "empty LOCATION; empty URL; empty COMMENT")
	test("ORGANIZER:hello@example.net", "ORGANIZER:mailto:hello@example.net", "address of ORGANIZER")
	// 10, 45: parameters that should be quoted.
	const sec = `ORGANIZER;SENT-BY="mailto:sec@example.net":mailto:cleo@example.net`
	test("ORGANIZER;SENT-BY=mailto:sec@example.net:mailto:cleo@example.net", sec, "parameters")
	test("ORGANIZER;SEND-BY=mailto:sec@example.net:mailto:cleo@example.net", sec, "parameters")
	test(`ORGANIZER;SENT-BY=sec@example.net:mailto:cleo@example.net`, sec, "SENT-BY of ORGANIZER")
	test("ATTENDEE;DELEGATED-TO=mailto:b@example.org,mailto:c@example.org;PARTSTAT=DELEGATED:mailto:ann@example.org",
		`ATTENDEE;DELEGATED-TO="mailto:b@example.org","mailto:c@example.org";PARTSTAT=DELEGATED:mailto:ann@example.org`, "parameters")
	test("ATTENDEE;DELEGATED-FROM=b@example.org:mailto:ann@example.org", `ATTENDEE;DELEGATED-FROM="mailto:b@example.org":mailto:ann@example.org`, "DELEGATED-FROM of ATTENDEE")
	test("ATTENDEE;CN=\"Ann:mailto:ann@example.org", `ATTENDEE;CN="Ann":mailto:ann@example.org`, "parameters")
	// 28: rules with two ends.
	test("RRULE:FREQ=DAILY;UNTIL=20260301T000000Z;COUNT=3", "RRULE:FREQ=DAILY;COUNT=3", "UNTIL beside COUNT")
	test("RRULE:FREQ=DAILY;UNTIL=20260301", "RRULE:FREQ=DAILY;UNTIL=20260301", "")
	test("SEQUENCE:first", "SEQUENCE:0", "SEQUENCE") // 13
	test("SUMMARY:a\nSUMMARY:b", "SUMMARY:a", "SUMMARY twice")
	test("DTEND:20260209T100000Z\nDURATION:PT1H", "DTEND:20260209T100000Z", "DURATION beside DTEND")
	// 31: answers in other words.
	test("ATTENDEE;PARTSTAT=accept:mailto:ann@example.org", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.org", "PARTSTAT ACCEPT")
	test("ATTENDEE;PARTSTAT=declined:mailto:ann@example.org", "ATTENDEE;PARTSTAT=declined:mailto:ann@example.org", "") // understood as it is
	test("ATTENDEE;PARTSTAT=X-MAYBE:mailto:ann@example.org", "ATTENDEE;PARTSTAT=X-MAYBE:mailto:ann@example.org", "")
	// 41: files.
	test("ATTACH:CID:image001.png@01D0", "", "an attachment that is elsewhere in the mail")
	test("ATTACH;VALUE=BINARY;ENCODING=BASE64:"+strings.Repeat("QUJD", 70_000), "", "an attachment of more than 256 kB")
	test("ATTACH:https://example.net/plan.pdf", "ATTACH:https://example.net/plan.pdf", "")
	// Values that run on without a fold, blanks in the head of a line.
	test("DESCRIPTION:first\nsecond line\n\nthird: line", `DESCRIPTION:first\nsecond line`, "lines without a fold joined")
	test("SUMMARY ; LANGUAGE=en : Budget", "SUMMARY;LANGUAGE=en: Budget", "parameters")
	// 42: HTML is kept, never shown (see the tests of pages).
	test(`X-ALT-DESC;FMTTYPE=text/html:<script>alert(1)</script>`, `X-ALT-DESC;FMTTYPE=text/html:<script>alert(1)</script>`, "")
}

// 15 to 18: zones of Windows, custom ones, ones that nobody defines.
func TestMalformedZones(t *testing.T) {
	const custom = "BEGIN:VTIMEZONE\nTZID:Customized Time Zone\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n" +
		"BEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE\n"
	test := func(tzid, extra string, want int) { // hour in UTC of 10:00 there, -1 for nobody knows
		t.Helper()
		body := calendar("REQUEST", "DTSTART;TZID="+tzid+":20260209T100000\n")
		body = strings.Replace(body, "BEGIN:VEVENT", extra+"BEGIN:VEVENT", 1)
		o, what := repaired(t, "text/calendar; method=REQUEST", body)
		at, err := o.PropTime(o.Master().Prop("DTSTART"))
		got := -1
		if err == nil && at.Form == ics.Zoned {
			got = at.At(time.UTC).Hour()
		}
		if got != want {
			t.Errorf("%s: %d, want %d (%s)", tzid, got, want, what)
		}
	}
	test("W. Europe Standard Time", "", 9)
	test("Customized Time Zone", custom, 9)
	test(`"tzone://Microsoft/Custom"`, strings.Replace(custom, "Customized Time Zone", "tzone://Microsoft/Custom", 1), 9)
	test(`"tzone://Microsoft/Utc"`, "", 10)
	test("Eastern Standard Time 1", "", 15)
	test(`"(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna"`, "", 9)
	test(`"(GMT+01.00) Sarajevo/Skopje/Sofija"`, "", 9)
	test("Mitteleuropäische Zeit", "", 9)
	test("Romance (heure standard)", "", 9)
	test("/freeassociation.sourceforge.net/Europe/Berlin", "", 9)
	test(`"W. Europe Standard Time "`, "", 9)
	test(`Europe/Berlin\n`, "", 9)
	test("Nowhere", "", -1)
	test("Nowhere", "X-WR-TIMEZONE:Asia/Tokyo\n", 1)
}

// 27: Exchange's days.
func TestMalformedDays(t *testing.T) {
	test := func(lines, want string) {
		t.Helper()
		o, _ := repaired(t, "text/calendar; method=REQUEST", calendar("REQUEST", lines+"X-MICROSOFT-CDO-ALLDAYEVENT:TRUE\n"))
		if got := o.Master().Value("DTSTART"); got != want {
			t.Errorf("%q: %s, want %s", lines, got, want)
		}
	}
	test("DTSTART;TZID=Europe/Berlin:20260209T000000\nDTEND;TZID=Europe/Berlin:20260210T000000\n", "20260209")
	test("DTSTART:20260209T000000Z\nDTEND:20260210T000000Z\n", "20260209T000000Z") // whose midnight?
	test("DTSTART;TZID=Europe/Berlin:20260209T000000\nDTEND;TZID=Europe/Berlin:20260209T120000\n", "20260209T000000")
}

// 2, 3: what the part's header says counts only where the calendar says
// nothing.
func TestMalformedMethod(t *testing.T) {
	test := func(header, body, want, repair string) {
		t.Helper()
		c := strings.Replace(calendar("X", ""), "METHOD:X\n", body, 1)
		o, what := repaired(t, "text/calendar"+header, c)
		if o.Method() != want || what != repair {
			t.Errorf("%q %q: %s %q, want %s %q", header, body, o.Method(), what, want, repair)
		}
	}
	test("; method=REQUEST", "METHOD:REQUEST\n", "REQUEST", "")
	test("", "METHOD:REQUEST\n", "REQUEST", "")
	test("; method=request", "METHOD:Request\n", "REQUEST", "")
	test("; method=REQUEST", "", "REQUEST", "METHOD from the part's header")
	test("; method=REQUEST", "METHOD:\n", "REQUEST", "METHOD from the part's header")
	test("; method=REQUEST", "METHOD:PUBLISH\n", "PUBLISH", "the part's header says REQUEST")
	test("; method=REQUEST", "METHOD:COUNTER\n", "COUNTER", "the part's header says REQUEST") // Kontact
}

// 19: charsets.
func TestMalformedCharset(t *testing.T) {
	wide := func(s string, bom bool, big bool) string {
		var b []byte
		units := utf16.Encode([]rune(s))
		if bom {
			units = append([]uint16{0xfeff}, units...)
		}
		for _, u := range units {
			if big {
				b = binary.BigEndian.AppendUint16(b, u)
			} else {
				b = binary.LittleEndian.AppendUint16(b, u)
			}
		}
		return base64.StdEncoding.EncodeToString(b)
	}
	test := func(label, cte, body, want string) {
		t.Helper()
		m := parse(t, crlf("From: cleo@example.net\nContent-Type: text/calendar; method=REQUEST"+label+"\nContent-Transfer-Encoding: "+cte+"\n\n"+body))
		if got := one(t, m).Master().Text("SUMMARY"); got != want {
			t.Errorf("%s: %q, want %q", label, got, want)
		}
	}
	c := calendar("REQUEST", "SUMMARY:Grüße ✓\n")
	test("", "8bit", c, "Grüße ✓")
	test("; charset=utf-7", "7bit", calendar("REQUEST", "SUMMARY:Gr+APwA3w-e +JxM- 1+-1\n"), "Grüße ✓ 1+1")
	test("; charset=utf-16", "base64", wide(c, true, false), "Grüße ✓")
	test("; charset=utf-16", "base64", wide(c, true, true), "Grüße ✓")
	test("; charset=utf-16le", "base64", wide(c, false, false), "Grüße ✓")
	test("", "base64", wide(c, false, true), "Grüße ✓")
	test("; charset=iso-2022-jp", "7bit", calendar("REQUEST", "SUMMARY:\x1b$B2q5D\x1b(B\n"), "会議")
	test("; charset=\"US-ASCII\"", "8bit", c, "Grüße ✓")
	test("; charset=windows-1250", "8bit", calendar("REQUEST", "SUMMARY:\xb3\xf3d\x9f\n"), "łódź")
	test("; charset=utf-8", "8bit", calendar("REQUEST", "SUMMARY:Gr\xfc\xdfe\n"), "Grüße")
	test("; charset=utf-8", "8bit", calendar("REQUEST", "SUMMARY:Gr\xc3\n \xbc\xc3\n \x9fe\n"), "Grüße") // folded inside characters
	test("", "8bit", "\xef\xbb\xbf"+c, "Grüße ✓")
}

// 20, 21: encodings and line ends.
func TestMalformedText(t *testing.T) {
	c := calendar("REQUEST", "SUMMARY:Budget\nDESCRIPTION:"+strings.Repeat("long ", 400)+"\n")
	b64 := base64.StdEncoding.EncodeToString(crlf(c))
	test := func(what, cte, body, repair string) {
		t.Helper()
		m := parse(t, []byte("From: cleo@example.net\r\nContent-Type: text/calendar; method=REQUEST\r\nContent-Transfer-Encoding: "+cte+"\r\n\r\n"+body))
		if o := one(t, m); o.Master().Text("SUMMARY") != "Budget" || strings.Join(m.Repairs, "; ") != repair {
			t.Errorf("%s: %q, repaired %q", what, o.Master().Text("SUMMARY"), m.Repairs)
		}
	}
	test("LF", "8bit", c, "")
	test("CR", "8bit", strings.ReplaceAll(c, "\n", "\r"), "line ends")
	test("CRCRLF", "8bit", strings.ReplaceAll(c, "\n", "\r\r\n"), "")
	test("CR among CRLF", "8bit", strings.Replace(string(crlf(c)), "\r\nSUMMARY", "\rSUMMARY", 1), "line ends")
	test("tabs as folds", "7bit", strings.Replace(c, "Budget", "Bud\n\tget", 1), "")
	test("base64 in one line", "base64", b64, "")
	test("base64 that is not told", "7bit", b64, "")
	test("not base64", "base64", c, "")
	test("quoted-printable that is not told", "7bit", strings.ReplaceAll(strings.ReplaceAll(c, "=", "=3D"), "\n", "=0D=0A=\n"), "")
	test("NULs", "8bit", strings.Replace(c, "Budget", "Bud\x00get", 1), "control characters taken out")
	test("a list's footer", "8bit", c+"\n____\nTo unsubscribe: https://example.net/\n", "text around the calendar")
	test("a gateway's banner", "8bit", "CAUTION: this mail came from outside\n\n"+c, "text around the calendar")
}

// 22, 25, 40, 44: where the calendar stands, how many there are.
func TestMalformedParts(t *testing.T) {
	c := calendar("REQUEST", "SUMMARY:S\n")
	test := func(what, want, mime string) {
		t.Helper()
		m := parse(t, crlf("From: cleo@example.net\n"+mime))
		var got []string
		for _, o := range m.Objects {
			got = append(got, o.Method()+" "+o.UID()+" "+o.Kind())
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %q, want %q (%q)", what, got, want, m.Problems)
		}
	}
	const req = "REQUEST u1 VEVENT"
	part := func(h string) string { return "--b\nContent-Type: " + h + "\n\n" + c + "\n" }
	mixed := func(parts ...string) string {
		return "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Join(parts, "") + "--b--\n"
	}
	test("an attachment only", req, mixed("--b\n\nhello\n", part("text/calendar; name=x.ics\nContent-Disposition: attachment")))
	test("application/ics", req, mixed(part("application/ics; name=invite.ics")))
	test("octets named .ics", req, mixed(part("application/octet-stream\nContent-Disposition: attachment; filename=\"=?utf-8?q?Einladung=2Eics?=\"")))
	test("vCalendar", req, mixed(part("text/x-vcalendar; name=meeting.vcs")))
	test("Teams: no name at all", req, mixed(part("text/calendar; charset=utf-8; method=REQUEST")))
	test("alternative and attachment", req, mixed(part("text/calendar; method=REQUEST"), part("application/ics; name=invite.ics")))
	test("twice the same", req, mixed(part("text/calendar; method=REQUEST"), part("text/calendar; method=REQUEST")))
	test("a boundary that the header lost", req, "Content-Type: multipart/mixed\n\n"+part("text/calendar; method=REQUEST")+"--b--\n")
	test("a forwarded mail", "", mixed("--b\nContent-Type: message/rfc822\n\nContent-Type: text/calendar; method=REQUEST\n\n"+c+"\n"))
	deep := "Content-Type: multipart/mixed; boundary=a1\n\n--a1\nContent-Type: multipart/related; boundary=a2\n\n--a2\nContent-Type: multipart/alternative; boundary=a3\n\n--a3\nContent-Type: multipart/mixed; boundary=b\n\n"
	test("nested", req, deep+part("text/calendar; method=REQUEST")+"--b--\n--a3--\n--a2--\n--a1--\n")
	second := strings.Replace(c, "UID:u1", "UID:u2", 1)
	test("two calendars in one part", req+", REQUEST u2 VEVENT", "Content-Type: text/calendar\n\n"+c+second)
	todo := "BEGIN:VTODO\nUID:u3\nDTSTAMP:20260201T000000Z\nORGANIZER:mailto:cleo@example.net\nEND:VTODO\n"
	test("an event and a task", req+", REQUEST u3 VTODO", "Content-Type: text/calendar\n\n"+strings.Replace(c, "END:VCALENDAR", todo+"END:VCALENDAR", 1))
	test("a component of its own making", req, "Content-Type: text/calendar\n\n"+strings.Replace(c, "END:VCALENDAR", "BEGIN:X-NOTE\nEND:X-NOTE\nEND:VCALENDAR", 1))
}

// 26: vCalendar 1.0.
func TestMalformedVCalendar(t *testing.T) {
	m := parse(t, crlf(`From: cleo@example.net
Content-Type: text/x-vcalendar; name="meeting.vcs"; method=REQUEST

BEGIN:VCALENDAR
VERSION:1.0
BEGIN:VEVENT
UID:u1
SUMMARY; ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:Bespr=E4chung, die=
 zweite
DESCRIPTION;QUOTED-PRINTABLE:line one=0D=0Aline =
two
ORGANIZER:cleo@example.net
DTSTART:20260209T090000Z
END:VEVENT
END:VCALENDAR
`))
	c := one(t, m).Master()
	if got := c.Text("SUMMARY"); !strings.HasPrefix(got, "Besprächung, die") {
		t.Errorf("SUMMARY %q", got)
	}
	if got := c.Text("DESCRIPTION"); got != "line one\nline two" {
		t.Errorf("DESCRIPTION %q", got)
	}
	if v := m.Objects[0].Root().Value("VERSION"); v != "2.0" || m.Objects[0].Method() != "REQUEST" {
		t.Errorf("VERSION %s of %s", v, m.Objects[0].Method())
	}
}

// 38: nobody wrote these.
func TestMalformedAutomatic(t *testing.T) {
	test := func(head string, want bool) {
		t.Helper()
		if got := parse(t, crlf(head+"From: cleo@example.net\n\nx")).Automatic(); got != want {
			t.Errorf("%q: %v", head, got)
		}
	}
	test("", false)
	test("Auto-Submitted: no\n", false)
	test("Auto-Submitted: auto-replied (vacation)\n", true)
	test("Precedence: bulk\n", true)
	test("X-Autoreply: yes\n", true)
	test("List-Id: <all.example.net>\n", true)
	test("Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n", false)
	receipt := parse(t, crlf("From: cleo@example.net\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n\nread\n--b\nContent-Type: message/disposition-notification\n\nDisposition: manual-action/MDN-sent-manually; displayed\n--b--\n"))
	if !receipt.Automatic() {
		t.Error("a read receipt counts as written")
	}
}

// A message that speaks in nobody's name speaks in its sender's; two senders
// are nobody.
func TestMalformedOrganizer(t *testing.T) {
	test := func(from, method, want string) {
		t.Helper()
		c := strings.Replace(calendar(method, ""), "ORGANIZER:mailto:cleo@example.net\n", "", 1)
		o := one(t, parse(t, crlf("From: "+from+"\nContent-Type: text/calendar\n\n"+c)))
		if got := ics.Organizer(o.Master()).Mail(); got != want {
			t.Errorf("%s from %s: %q, want %q", method, from, got, want)
		}
	}
	test("Cleo <cleo@example.net>", "REQUEST", "cleo@example.net")
	test("Cleo <cleo@example.net>", "CANCEL", "cleo@example.net")
	test("Cleo <cleo@example.net>", "REPLY", "")
	test("cleo@example.net, finn@example.net", "REQUEST", "")
}

// tnefOf writes a winmail.dat.
type tnefOf struct{ b []byte }

func newTNEF() *tnefOf { return (&tnefOf{}).u32(tnefSignature).u16(1) }

func (w *tnefOf) u16(v uint16) *tnefOf { w.b = binary.LittleEndian.AppendUint16(w.b, v); return w }
func (w *tnefOf) u32(v uint32) *tnefOf { w.b = binary.LittleEndian.AppendUint32(w.b, v); return w }

func (w *tnefOf) attribute(id uint32, data []byte) *tnefOf {
	w.b = append(w.b, 1)
	w.u32(id).u32(uint32(len(data)))
	w.b = append(w.b, data...)
	return w.u16(0)
}

func padded(b []byte) []byte { return append(b[:len(b):len(b)], make([]byte, -len(b)&3)...) }

func (w *tnefOf) named(kind uint16, set string, id uint32) *tnefOf {
	w.u16(kind).u16(0x8001)
	w.b = append(w.b, set...)
	return w.u32(0).u32(id)
}

func (w *tnefOf) moment(t time.Time) *tnefOf {
	w.b = binary.LittleEndian.AppendUint64(w.b, uint64(t.UnixMicro()+11644473600_000_000)*10)
	return w
}

func (w *tnefOf) blob(b []byte) *tnefOf {
	w.u32(1).u32(uint32(len(b)))
	w.b = append(w.b, padded(b)...)
	return w
}

// objectID is a global object id that wraps a UID of ours, or has its own.
func objectID(uid string) []byte {
	b := make([]byte, 40)
	copy(b, "\x04\x00\x00\x00\x82\x00\xe0\x00\x74\xc5\xb7\x10\x1a\x82\xe0\x08")
	if uid == "" {
		return append(b, "sixteen octets!!"...)
	}
	return append(append(b, "vCal-Uid\x01\x00\x00\x00"...), uid+"\x00"...)
}

func meetingTNEF(class, uid string) []byte {
	at := time.Date(2026, 2, 9, 9, 0, 0, 0, time.UTC)
	p := (&tnefOf{}).u32(7)
	p.u16(0x1e).u16(0x1a).blob([]byte(class + "\x00"))
	p.u16(0x1f).u16(0x70)
	var wide []byte
	for _, u := range utf16.Encode([]rune("Grüße\x00")) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	p.blob(wide)
	p.named(0x40, setAppointment, 0x820d).moment(at)
	p.named(0x40, setAppointment, 0x820e).moment(at.Add(time.Hour))
	p.named(0x03, setAppointment, 0x8201).u32(2)
	p.named(0x0b, setAppointment, 0x8223).u32(0)
	p.named(0x102, setMeeting, 0x23).blob(objectID(uid))
	return newTNEF().attribute(attMessageClass, []byte("IPM.Microsoft Mail.Note\x00")).attribute(attMAPIProps, p.b).b
}

func mailWithTNEF(data []byte) []byte {
	return crlf("From: Cleo <cleo@example.net>\nTo: ann@example.org\nDate: Mon, 2 Feb 2026 09:00:00 +0000\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\n" +
		"Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString(data) + "\n--b--\n")
}

// 24: Exchange's own format.
func TestMalformedTNEF(t *testing.T) {
	test := func(class, uid, want string) {
		t.Helper()
		o := one(t, parse(t, mailWithTNEF(meetingTNEF(class, uid))))
		c := o.Master()
		got := strings.Join([]string{o.Method(), o.UID(), c.Value("DTSTART"), c.Value("DTEND"), c.Value("SEQUENCE"), c.Text("SUMMARY")}, " ")
		for _, a := range ics.Attendees(c) {
			got += " " + ics.CalAddress(a).Mail() + "=" + ics.PartStat(a)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", class, got, want)
		}
	}
	const when = " 20260209T090000Z 20260209T100000Z 2 Grüße "
	test("IPM.Schedule.Meeting.Resp.Pos", "budget-1@example.org", "REPLY budget-1@example.org"+when+"cleo@example.net=ACCEPTED")
	test("IPM.Schedule.Meeting.Resp.Neg", "budget-1@example.org", "REPLY budget-1@example.org"+when+"cleo@example.net=DECLINED")
	test("IPM.Schedule.Meeting.Resp.Tent", "budget-1@example.org", "REPLY budget-1@example.org"+when+"cleo@example.net=TENTATIVE")
	test("IPM.Schedule.Meeting.Request", "", "REQUEST 040000008200E00074C5B7101A82E00800000000000000000000000000000000000000000000000073697874656"+
		"56E206F637465747321"+"21"+when+"ann@example.org=NEEDS-ACTION")
	test("IPM.Schedule.Meeting.Canceled", "u1", "CANCEL u1"+when+"ann@example.org=NEEDS-ACTION")

	// A calendar file inside of it.
	file := newTNEF().attribute(attRendData, []byte{0}).attribute(attAttachTitle, []byte("invite.ics\x00")).attribute(attAttachData, crlf(calendar("REQUEST", ""))).b
	m := parse(t, mailWithTNEF(file))
	if o := one(t, m); o.UID() != "u1" || m.Repairs[0] != "calendar in winmail.dat" {
		t.Errorf("%s %q", o.UID(), m.Repairs)
	}
	// A series is not read, and said so; an answer to one is.
	series := func(class string) *Mail {
		once := (&tnefOf{}).named(0x0b, setAppointment, 0x8223)
		return parse(t, mailWithTNEF(bytes.Replace(meetingTNEF(class, "u1"), once.u32(0).b, slices.Concat(once.b[:len(once.b)-4], []byte{1, 0, 0, 0}), 1)))
	}
	if m := series("IPM.Schedule.Meeting.Request"); len(m.Objects) != 0 || len(m.Problems) != 1 || !strings.Contains(m.Problems[0], "a series") {
		t.Errorf("a series: %d objects, %q", len(m.Objects), m.Problems)
	}
	if o := one(t, series("IPM.Schedule.Meeting.Resp.Pos")); o.Method() != "REPLY" {
		t.Errorf("an answer to a series: %s", o.Bytes())
	}
	// An ordinary mail of Outlook's is no calendar.
	if m := parse(t, mailWithTNEF(meetingTNEF("IPM.Note", "u1"))); len(m.Objects)+len(m.Problems) != 0 {
		t.Errorf("a note: %d objects, %q", len(m.Objects), m.Problems)
	}
	// Beside a calendar it says the same once more.
	both := bytes.Replace(mailWithTNEF(meetingTNEF("IPM.Schedule.Meeting.Resp.Pos", "u1")), []byte("--b\r\n\r\nhello"),
		append([]byte("--b\r\nContent-Type: text/calendar; method=REPLY\r\n\r\n"), crlf(calendar("REPLY", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:cleo@example.net\n"))...), 1)
	if o := one(t, parse(t, both)); o.Root().Value("PRODID") != "-//t//EN" {
		t.Errorf("%s", o.Bytes())
	}
}

func FuzzTNEF(f *testing.F) {
	f.Add(meetingTNEF("IPM.Schedule.Meeting.Resp.Pos", "u1"))
	f.Add(seriesTNEF(recurrence{frequency: 0x200b, pattern: 1, period: 2, specific: []uint32{0x02}, end: endsByCount, count: 3, left: []string{"20260323"}}.bytes(), clocks(), 0))
	f.Add(newTNEF().attribute(attRendData, nil).attribute(attAttachTitle, []byte("a.ics")).attribute(attAttachData, crlf(calendar("REQUEST", ""))).b)
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &Mail{Date: received}
		docs, _ := m.readTNEF(data, ics.Limits{})
		for _, d := range docs {
			if d.object == nil {
				t.Fatal("a document without an object")
			}
		}
	})
}
