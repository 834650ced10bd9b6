package imip

import (
	"bytes"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/words"
)

var update = flag.Bool("update", false, "write the golden files anew")

func object(t testing.TB, s string) *ics.Object {
	t.Helper()
	o, err := ics.Parse(crlf(s), ics.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func box(name, addr string) Mailbox { return Mailbox{name, cuaddr.Mailto(addr)} }

const berlin = `BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19961027T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19810329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE
`

// vevent makes an iTIP object of lines of one VEVENT.
func vevent(method, lines string) string {
	return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//EN\nMETHOD:" + method + "\n" + berlin +
		"BEGIN:VEVENT\nUID:u1@example.org\nDTSTAMP:20260201T080000Z\n" + lines + "END:VEVENT\nEND:VCALENDAR\n"
}

const people = `ORGANIZER;CN=Ann Example:MAILTO:ann@Example.org
ATTENDEE;CN=Ann Example;PARTSTAT=ACCEPTED:mailto:ann@example.org
ATTENDEE;SCHEDULE-STATUS=1.1:mailto:cleo@example.net
ATTENDEE;CN=Ben;SCHEDULE-AGENT=SERVER;PARTSTAT=TENTATIVE:mailto:ben@example.org
`

const budget = `DTSTART;TZID=Europe/Berlin:20260209T100000
DTEND;TZID=Europe/Berlin:20260209T110000
SUMMARY:Budget für März
LOCATION:Room 1\, first floor
DESCRIPTION:Please bring the figures.\nCoffee is there.
SEQUENCE:0
X-MOZ-GENERATION:3
` + people + `BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT15M
DESCRIPTION:x
END:VALARM
`

func message(t testing.TB, body string) Message {
	return Message{
		ID: "d7.abcdef@example.org", Conversation: "c.0123456789@example.org",
		Date:    time.Date(2026, 2, 1, 8, 0, 5, 0, time.UTC),
		Speaker: box("Ann Example", "ann@example.org"), From: box("Ann Example", "ann@example.org"), To: box("Cleo Example", "cleo@example.net"),
		Body: object(t, body),
	}
}

func newYork(t testing.TB) *time.Location {
	loc, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// shape reads a rendered mail back with the standard library: header fields,
// the three alternatives, the attachment.
func shape(t testing.TB, data []byte) (h mail.Header, plain, html, calendar, attached string) {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var leaves []string
	var read func(contentType, cte string, r io.Reader)
	read = func(contentType, cte string, r io.Reader) {
		media, params, err := mime.ParseMediaType(contentType)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(media, "multipart/") {
			leaves = append(leaves, media)
			mr := multipart.NewReader(r, params["boundary"])
			for {
				p, err := mr.NextRawPart()
				if err == io.EOF {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				read(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)
			}
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		switch cte {
		case "base64":
			body = decodeBase64(body)
		case "quoted-printable":
			if body, err = io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body))); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s: encoding %q", media, cte)
		}
		leaves = append(leaves, media)
		switch media {
		case "text/plain":
			plain = string(body)
		case "text/html":
			html = string(body)
		case "text/calendar":
			calendar = string(body)
			if params["charset"] != "UTF-8" || !strings.Contains(calendar, "\r\nMETHOD:"+params["method"]+"\r\n") {
				t.Errorf("calendar part: %v of\n%s", params, calendar)
			}
		case "application/ics":
			attached = string(body)
		}
	}
	read(msg.Header.Get("Content-Type"), "", msg.Body)
	if got, want := strings.Join(leaves, " "), "multipart/mixed multipart/alternative text/plain text/html text/calendar application/ics"; got != want {
		t.Errorf("parts %q", got)
	}
	return msg.Header, plain, html, calendar, attached
}

func render(t testing.TB, m Message) []byte {
	t.Helper()
	data, err := m.Render()
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range strings.Split(string(data), "\r\n") {
		if len(l) > 78 {
			t.Errorf("line %d has %d octets: %q", i+1, len(l), l)
		}
		if strings.ContainsAny(l, "\r\n") {
			t.Errorf("line %d holds a line end of its own", i+1)
		}
		for _, c := range []byte(l) {
			if c >= 0x80 {
				t.Errorf("line %d is not ASCII: %q", i+1, l)
				break
			}
		}
	}
	return data
}

// TestGolden compares whole mails with what somebody looked at.
func TestGolden(t *testing.T) {
	test := func(name string, m Message) {
		t.Helper()
		data := render(t, m)
		_, plain, html, calendar, attached := shape(t, data)
		if calendar != attached {
			t.Errorf("%s: the attachment differs", name)
		}
		head, _, _ := strings.Cut(string(data), "\r\n\r\n")
		got := strings.ReplaceAll(head+"\n\n"+plain+"\n"+calendar, "\r\n", "\n")
		for file, text := range map[string]string{name + ".txt": got, name + ".html": strings.ReplaceAll(html, "\r\n", "\n")} {
			file = "testdata/golden/" + file
			if *update {
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if text != string(want) {
				t.Errorf("%s is not as it was looked at:\n%s", file, text)
			}
		}
	}

	m := message(t, vevent("REQUEST", budget))
	m.Answer = "https://cal.example.org/rsvp/TOKEN"
	test("invitation", m)

	m = message(t, vevent("REQUEST", strings.NewReplacer("T100000", "T143000", "T110000", "T160000", "Room 1\\, first floor", "Room 2",
		"SEQUENCE:0", "SEQUENCE:1", "Coffee", "Tea", "mailto:ben@example.org", "mailto:finn@example.org", "CN=Ben", "CN=Finn").Replace(budget)))
	m.Prior = object(t, vevent("REQUEST", budget))
	m.Zone = newYork(t)
	m.Answer = "https://cal.example.org/rsvp/TOKEN"
	test("update", m)

	m = message(t, vevent("REQUEST", `DTSTART;TZID=Europe/Berlin:20260209T100000
DURATION:PT45M
RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20260501T080000Z
EXDATE;TZID=Europe/Berlin:20260216T100000,20260218T100000
SUMMARY:Stand-up
URL:https://meet.example.org/standup
`+people+`END:VEVENT
BEGIN:VEVENT
UID:u1@example.org
DTSTAMP:20260201T080000Z
RECURRENCE-ID;TZID=Europe/Berlin:20260223T100000
DTSTART;TZID=Europe/Berlin:20260223T120000
DTEND;TZID=Europe/Berlin:20260223T124500
SUMMARY:Stand-up
`+people))
	m.Words = words.Default().For("de-AT, en;q=0.5")
	m.Answer = "https://cal.example.org/rsvp/TOKEN"
	test("series-de", m)

	m = message(t, vevent("CANCEL", `RECURRENCE-ID;TZID=Europe/Berlin:20260223T100000
DTSTART;TZID=Europe/Berlin:20260223T120000
DTEND;TZID=Europe/Berlin:20260223T124500
SUMMARY:Stand-up
SEQUENCE:2
`+people))
	test("cancel-one", m)

	// It names those whom it calls off: nobody else was taken out.
	m = message(t, vevent("CANCEL", strings.Replace(budget, "ATTENDEE;CN=Ann Example;PARTSTAT=ACCEPTED:mailto:ann@example.org\n", "", 1)))
	m.Prior = object(t, vevent("REQUEST", budget))
	test("cancel", m)

	m = message(t, vevent("REPLY", `DTSTART;TZID=Europe/Berlin:20260209T100000
DTEND;TZID=Europe/Berlin:20260209T110000
SUMMARY:Budget
COMMENT:Je serai en retard.
ORGANIZER;CN=Cleo Example:mailto:cleo@example.net
ATTENDEE;CN=Ann Example;PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:ann@example.org
`))
	m.Words = words.Default().For("fr")
	test("reply-fr", m)

	m = message(t, vevent("REQUEST", `DTSTART;VALUE=DATE:20260209
DTEND;VALUE=DATE:20260212
SUMMARY:Offsite
`+people))
	m.From, m.Sender = box("Ann Example (via calendar)", "calendar@example.org"), box("", "calendar@example.org")
	m.Token = cuaddr.Mailto("calendar+tok@example.org")
	m.ReplyTo = box("Ann Example", "calendar+tok@example.org")
	test("all-day-token", m)
}

func TestRecurrenceInWords(t *testing.T) {
	test := func(lines, en, de, fr string) {
		t.Helper()
		o := object(t, vevent("REQUEST", "DTSTART;TZID=Europe/Berlin:20260209T100000\n"+lines+"\n"))
		for lang, want := range map[string]string{"en": en, "de": de, "fr": fr} {
			d := describer{speak(words.Default().For(lang)), o, nil, nil, ics.Bound{}}
			if got := d.recurrence(o, o.Master()); got != want {
				t.Errorf("%s %s: %q, want %q", lines, lang, got, want)
			}
		}
	}
	test("RRULE:FREQ=DAILY", "every day", "jeden Tag", "tous les jours")
	test("RRULE:FREQ=DAILY;INTERVAL=2;COUNT=5", "every 2 days, 5 times", "alle 2 Tage, 5-mal", "tous les 2 jours, 5 fois")
	test("RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR;WKST=MO", "every week on Monday, Wednesday and Friday", "jede Woche am Montag, Mittwoch und Freitag", "toutes les semaines le lundi, le mercredi et le vendredi")
	test("RRULE:FREQ=MONTHLY;BYDAY=2TU", "every month on the second Tuesday", "jeden Monat am zweiten Dienstag", "tous les mois le deuxième mardi")
	test("RRULE:FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20261231", "every month on the last Friday, until 31 December 2026", "jeden Monat am letzten Freitag, bis 31. Dezember 2026", "tous les mois le dernier vendredi, jusqu’au 31 décembre 2026")
	test("RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15", "every month on the days 1 and 15", "jeden Monat am 1. und 15.", "tous les mois les 1 et 15")
	test("RRULE:FREQ=YEARLY", "every year", "jedes Jahr", "tous les ans")
	test("RRULE:FREQ=YEARLY;BYMONTH=2,5;BYDAY=1MO;COUNT=3", "on these dates: 9 February 2026, 4 May 2026, 1 February 2027",
		"an diesen Tagen: 9. Februar 2026, 4. Mai 2026, 1. Februar 2027", "à ces dates : 9 février 2026, 4 mai 2026, 1er février 2027")
	test("RDATE;TZID=Europe/Berlin:20260301T100000", "on these dates: 9 February 2026, 1 March 2026", "an diesen Tagen: 9. Februar 2026, 1. März 2026", "à ces dates : 9 février 2026, 1er mars 2026")
	// RFC 7529: no program but those that know the calendar could say more.
	test("RRULE:RSCALE=CHINESE;FREQ=YEARLY;UNTIL=20290101", "on these dates: 9 February 2026, 29 January 2027, 18 January 2028",
		"an diesen Tagen: 9. Februar 2026, 29. Januar 2027, 18. Januar 2028", "à ces dates : 9 février 2026, 29 janvier 2027, 18 janvier 2028")
	test("RRULE:RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=OMIT", "every year", "jedes Jahr", "tous les ans")
	test("SUMMARY:x", "", "", "")
}

func TestWhenInWords(t *testing.T) {
	test := func(lines string, zone *time.Location, want string) {
		t.Helper()
		o := object(t, vevent("REQUEST", lines))
		d := describer{speak(nil), o, nil, zone, ics.Bound{}}
		if got := d.span(o, o.First()); got != want {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
	ny := newYork(t)
	test("DTSTART;TZID=Europe/Berlin:20260209T100000\nDTEND;TZID=Europe/Berlin:20260209T110000\n", nil, "Monday, 9 February 2026, 10:00 – 11:00 (Europe/Berlin)")
	test("DTSTART;TZID=Europe/Berlin:20260209T100000\nDTEND;TZID=Europe/Berlin:20260209T110000\n", ny, "Monday, 9 February 2026, 04:00 – 05:00 (America/New_York)")
	test("DTSTART:20260209T233000Z\nDURATION:PT1H\n", nil, "Monday, 9 February 2026, 23:30 – Tuesday, 10 February 2026, 00:30 (UTC)")
	test("DTSTART:20260209T100000\nDTEND:20260209T110000\n", ny, "Monday, 9 February 2026, 10:00 – 11:00")
	test("DTSTART;VALUE=DATE:20260209\n", ny, "Monday, 9 February 2026 (all day)")
	test("DTSTART;VALUE=DATE:20260209\nDTEND;VALUE=DATE:20260210\n", nil, "Monday, 9 February 2026 (all day)")
	test("DTSTART;VALUE=DATE:20260209\nDURATION:P2D\n", nil, "Monday, 9 February 2026 – Tuesday, 10 February 2026 (all day)")
	test("DTSTART;TZID=Europe/Berlin:20260209T100000\nDTEND;TZID=America/New_York:20260209T120000\n", nil,
		"Monday, 9 February 2026, 10:00 (Europe/Berlin) – Monday, 9 February 2026, 12:00 (America/New_York)")
	test("DTSTART;TZID=Europe/Berlin:20260209T100000\n", nil, "Monday, 9 February 2026, 10:00 (Europe/Berlin)")
	test("DTSTART:garbage\n", nil, "")
	test("DUE:20260209T100000Z\n", nil, "Monday, 9 February 2026, 10:00 (UTC)")
	test("DTSTART:20260209T100000Z\nDUE:20260210T100000Z\n", nil, "Monday, 9 February 2026, 10:00 – Tuesday, 10 February 2026, 10:00 (UTC)")
	test("SUMMARY:x\n", nil, "")
}

// A task is told by when it is due, and by how far somebody is with it.
func TestTask(t *testing.T) {
	task := func(method, lines string) Message {
		return message(t, strings.ReplaceAll(vevent(method, "SUMMARY:Water the plants\n"+lines), "VEVENT", "VTODO"))
	}
	test := func(m Message, subject string, want ...string) {
		t.Helper()
		h, plain, _, calendar, _ := shape(t, render(t, m))
		if got := h.Get("Subject"); got != subject {
			t.Errorf("subject %q, want %q", got, subject)
		}
		for _, w := range want {
			if !strings.Contains(strings.Join(strings.Fields(plain), " "), w) {
				t.Errorf("no %q in\n%s", w, plain)
			}
		}
		if o := object(t, calendar); o.Kind() != "VTODO" || strings.Contains(calendar, "DTEND") {
			t.Errorf("the calendar is\n%s", calendar)
		}
	}
	const people = "ORGANIZER:mailto:ann@example.org\nATTENDEE:mailto:cleo@example.net\n"
	test(task("REQUEST", people+"DUE;VALUE=DATE:20260209\n"), "Invitation: Water the plants", "Due: Monday, 9 February 2026 Organizer")
	test(task("REQUEST", people+"DTSTART;VALUE=DATE:20260207\nDUE;VALUE=DATE:20260209\n"), "Invitation: Water the plants", "When: Saturday, 7 February 2026 – Monday, 9 February 2026 Organizer")
	// What is repeated whenever it is done has no dates to tell of.
	test(task("REQUEST", people+"RRULE:FREQ=HOURLY\n"), "Invitation: Water the plants", "What: Water the plants Organizer")
	test(task("REQUEST", people+"DUE:20260209T100000Z\nRDATE:20260210T100000Z\n"), "Invitation: Water the plants", "Due: Monday, 9 February 2026, 10:00 (UTC) Organizer")
	test(task("REPLY", "DUE:20260209T100000Z\nORGANIZER:mailto:cleo@example.net\nATTENDEE;PARTSTAT=COMPLETED:mailto:ann@example.org\n"),
		"Done: Water the plants", "Ann Example completed “Water the plants”", "Due: Monday, 9 February 2026, 10:00")
}

// Whatever somebody writes into his calendar can be told, or is refused: the text
// of a mail is made where a fault would be everybody's.
func FuzzRender(f *testing.F) {
	const people = "ORGANIZER:mailto:ann@example.org\nATTENDEE:mailto:cleo@example.net\n"
	series := vevent("REQUEST", "DTSTART;TZID=Europe/Berlin:20260209T100000\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;BYDAY=2MO;COUNT=9\nEXDATE;TZID=Europe/Berlin:20260309T100000\n"+people)
	f.Add([]byte(series), []byte(vevent("REQUEST", "DTSTART;VALUE=DATE:20260209\nRRULE:FREQ=YEARLY\n"+people)))
	f.Add([]byte(strings.ReplaceAll(vevent("REQUEST", "RRULE:FREQ=HOURLY\n"+people), "VEVENT", "VTODO")), []byte(series))
	f.Add([]byte(strings.ReplaceAll(vevent("REQUEST", "DUE:20260209T100000Z\nRDATE:20260210T100000Z\n"+people), "VEVENT", "VTODO")), []byte(nil))
	f.Add([]byte(vevent("CANCEL", "RECURRENCE-ID:20260209T100000Z\n"+people)), []byte(series))
	f.Add([]byte(vevent("COUNTER", "RECURRENCE-ID:20260309T090000Z\nDTSTART:20260309T120000Z\nCOMMENT:later\n"+people)), []byte(series))
	lim := ics.Limits{Bytes: 4096}
	f.Fuzz(func(t *testing.T, body, prior []byte) {
		o, err := ics.Parse(body, lim)
		if err != nil || o.First() == nil || o.Method() == "" {
			return
		}
		m := message(t, series)
		m.Body, m.Zone, m.Answer = o, newYork(t), "https://cal.example.org/rsvp/x"
		if p, err := ics.Parse(prior, lim); err == nil && p.First() != nil {
			m.Prior = p
		}
		if _, err := m.Render(); err != nil {
			t.Errorf("%v in\n%s", err, body)
		}
		for _, w := range []interface{ Render() ([]byte, error) }{
			&Summary{Message: m}, &Notice{Message: m, Event: o}, &RoundUp{Message: m, Told: []Message{m}},
		} {
			if _, err := w.Render(); err != nil {
				t.Errorf("%v in\n%s", err, body)
			}
		}
	})
}

// Words that look encoded are shown as they were written; a quoted local part
// is quoted once.
func TestLooksEncoded(t *testing.T) {
	const words = "=?utf-8?q?=0D=0ABcc:_x@example.com?= and a second one, =?utf-8?b?ZsO8cg==?= für 2026"
	m := message(t, vevent("REQUEST", "DTSTART:20260209T100000Z\nSUMMARY:"+strings.ReplaceAll(words, ",", "\\,")+"\nORGANIZER:mailto:ann@example.org\nATTENDEE:mailto:cleo@example.net\n"))
	m.From.Name = "=?utf-8?q?Bob?= Arbor"
	m.To.Address, _ = cuaddr.Parse(`mailto:"cleo q"@example.net`)
	h, _, _, _, _ := shape(t, render(t, m))
	if subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject")); err != nil || subject != "Invitation: "+words {
		t.Errorf("subject %q, %v", subject, err)
	}
	from, err := mail.ParseAddress(h.Get("From"))
	if err != nil || from.Name != m.From.Name {
		t.Errorf("From: %s: %v, %v", h.Get("From"), from, err)
	}
	if to := h.Get("To"); !strings.Contains(to, `<"cleo q"@example.net>`) {
		t.Errorf("To: %s", to)
	}
}

// What a stranger writes into an event begins neither a header field, nor a
// content line, nor an element.
func TestNoInjection(t *testing.T) {
	m := message(t, vevent("REQUEST", "DTSTART:20260209T100000Z\nSUMMARY:a\\nBcc: evil@example.com\\n<b>\u202egnp.\nLOCATION:<script>alert(1)</script>\nDESCRIPTION:<img src=x>\nURL:javascript:alert(1)\nORGANIZER;CN=\"X^nBcc: y\":mailto:ann@example.org\nATTENDEE;X=^nATTENDEE:mailto:cleo@example.net\n"))
	m.Speaker.Name = "Ann\r\nBcc: evil@example.com"
	m.From.Name = "Ann\r\nBcc: evil@example.com"
	m.ID = "x\r\nBcc: evil@example.com"
	m.Answer = `https://cal.example.org/rsvp/"><script>`
	h, plain, html, calendar, _ := shape(t, render(t, m))
	if h.Get("Bcc") != "" {
		t.Error("a header field was injected")
	}
	if strings.Contains(html, "<script") || strings.Contains(html, "<img") || strings.Contains(html, "<b>") || strings.Contains(html, "javascript:") {
		t.Errorf("HTML was injected:\n%s", html)
	}
	if strings.Contains(plain, "\u202e") || strings.Contains(html, "\u202e") {
		t.Error("a mark that turns the direction came through")
	}
	if o := object(t, calendar); len(ics.Attendees(o.Master())) != 1 {
		t.Errorf("a content line was injected:\n%s", calendar)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
	if err != nil || subject != "Invitation: a Bcc: evil@example.com <b>gnp." {
		t.Errorf("subject %q, %v", subject, err)
	}
}

func TestSubjectIsLimited(t *testing.T) {
	m := message(t, vevent("REQUEST", "DTSTART:20260209T100000Z\nSUMMARY:"+strings.Repeat("ü", 5000)+"\n"))
	h, _, _, _, _ := shape(t, render(t, m))
	subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
	if err != nil || len([]rune(subject)) != len("Invitation: ")+maxTitle || !strings.HasSuffix(subject, "ü…") {
		t.Errorf("%d runes, %v", len([]rune(subject)), err)
	}
}

// The calendar part, rule by rule (clients.md R7 to R18).
func TestCalendarPart(t *testing.T) {
	part := func(m Message) string {
		_, _, _, calendar, _ := shape(t, render(t, m))
		return calendar
	}
	has := func(calendar, line string, want bool) {
		t.Helper()
		unfolded := strings.ReplaceAll(calendar, "\r\n ", "")
		if strings.Contains("\r\n"+unfolded, "\r\n"+line) != want {
			t.Errorf("%q in it: %v\n%s", line, !want, unfolded)
		}
	}
	c := part(message(t, vevent("REQUEST", budget)))
	has(c, "BEGIN:VALARM", false)
	has(c, "X-MOZ-", false)
	has(c, "CALSCALE:GREGORIAN\r\n", true)
	has(c, `ORGANIZER;CN="Ann Example":mailto:ann@example.org`+"\r\n", true)
	has(c, `ATTENDEE;CN="Cleo Example";CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:cleo@example.net`+"\r\n", true)
	has(c, `ATTENDEE;CN="Ben";PARTSTAT=TENTATIVE:mailto:ben@example.org`+"\r\n", true)
	if strings.Contains(c, "SCHEDULE-") {
		t.Error("SCHEDULE- parameters went out")
	}
	for _, l := range strings.Split(c, "\r\n") {
		if len(l) > 75 {
			t.Errorf("content line of %d octets", len(l))
		}
	}

	// A long line that its author did not fold; a DURATION; no VTIMEZONE.
	body := vevent("REQUEST", "DTSTART;TZID=Europe/Berlin:20260209T233000\nDURATION:P1DT1H\nDESCRIPTION:"+strings.Repeat("long ", 100)+"\n"+people)
	c = part(message(t, strings.Replace(body, berlin, "", 1)))
	has(c, "DTEND;TZID=Europe/Berlin:20260211T003000\r\n", true)
	has(c, "DURATION", false)
	has(c, "SEQUENCE:0\r\n", true)
	has(c, "SUMMARY:\r\n", true) // RFC 5546 §3.2.2: there, if empty
	has(c, "PRIORITY", false)
	task := strings.NewReplacer("VEVENT", "VTODO", "DTEND", "DUE").Replace(vevent("REQUEST", "DTSTART:20260209T233000Z\n"+people))
	has(part(message(t, task)), "PRIORITY:0\r\n", true) // §3.4.2
	published := part(message(t, strings.Replace(task, "REQUEST", "PUBLISH", 1)))
	has(published, "SUMMARY:\r\n", true) // §3.4.1
	has(published, "PRIORITY:0\r\n", true)
	if strings.Count(c, "BEGIN:VTIMEZONE") != 1 || !strings.Contains(c, "TZID:Europe/Berlin\r\n") {
		t.Errorf("no VTIMEZONE was made:\n%s", c)
	}
	for _, l := range strings.Split(c, "\r\n") {
		if len(l) > 75 {
			t.Errorf("content line of %d octets", len(l))
		}
	}
	// One VTIMEZONE twice, and one that nothing refers to.
	c = part(message(t, strings.Replace(body, berlin, berlin+berlin+strings.ReplaceAll(berlin, "Europe/Berlin", "Mars/Base"), 1)))
	if strings.Count(c, "BEGIN:VTIMEZONE") != 1 || strings.Contains(c, "Mars/Base") {
		t.Errorf("VTIMEZONE:\n%s", c)
	}

	// Whatever is sent has what Outlook looks for.
	for _, method := range []string{"PUBLISH", "REQUEST", "REPLY", "ADD", "CANCEL", "COUNTER", "DECLINECOUNTER"} {
		c = part(message(t, vevent(method, budget)))
		for _, line := range []string{"PRODID:", "VERSION:2.0\r\n", "CALSCALE:GREGORIAN\r\n", "METHOD:" + method + "\r\n", "TZID:Europe/Berlin\r\n", "DTSTAMP:", "DTSTART;", "DTEND;"} {
			has(c, line, true)
		}
	}
	has(part(message(t, vevent("REFRESH", "ORGANIZER:mailto:cleo@example.net\nATTENDEE:mailto:ann@example.org\n"))), "METHOD:REFRESH\r\n", true) // it has no times (RFC 5546 §3.2.6)

	c = part(message(t, vevent("CANCEL", "DTSTART:20260209T100000Z\n"+people)))
	has(c, "STATUS:CANCELLED\r\n", true)

	m := message(t, vevent("REPLY", "DTSTART:20260209T100000Z\nORGANIZER:mailto:cleo@example.net\nATTENDEE;RSVP=TRUE;PARTSTAT=DECLINED:mailto:ann+team@example.org\nX-MS-OLK-SENDER:mailto:x@example.org\n"))
	m.Speaker = box("Ann", "ann+team@example.org")
	m.SentBy = cuaddr.Mailto("calendar@example.org")
	c = part(m)
	has(c, "REQUEST-STATUS:2.0;Success\r\n", true)
	has(c, `ATTENDEE;PARTSTAT=DECLINED;CN="Ann";SENT-BY="mailto:calendar@example.org":mailto:ann+team@example.org`+"\r\n", true)
	has(c, "ORGANIZER:mailto:cleo@example.net\r\n", true)
	has(c, "X-MS-OLK-SENDER", false)

	m = message(t, vevent("REQUEST", "DTSTART:20260209T100000Z\n"+people))
	m.Token = cuaddr.Mailto("calendar+tok@example.org")
	c = part(m)
	has(c, `ORGANIZER;CN="Ann Example";EMAIL=ann@example.org:mailto:calendar+tok@example.org`+"\r\n", true)
	has(c, `ATTENDEE;CN="Ann Example";PARTSTAT=ACCEPTED;EMAIL=ann@example.org:mailto:calendar+tok@example.org`+"\r\n", true)
}

// Who has no name in the event has the one that the directory gives him; an
// organizer behind a token is still the same person.
func TestNames(t *testing.T) {
	lines := "DTSTART:20260209T100000Z\nORGANIZER:mailto:ann@example.org\nATTENDEE:mailto:ann@example.org\nATTENDEE:mailto:cleo@example.net\n"
	m := message(t, vevent("REQUEST", "SEQUENCE:1\n"+lines))
	m.Prior = object(t, vevent("REQUEST", lines))
	m.Token = cuaddr.Mailto("calendar+tok@example.org")
	_, plain, _, _, _ := shape(t, render(t, m))
	for _, want := range []string{"Organizer: Ann Example\r\n", "Attendees: Ann Example, Cleo Example\r\n"} {
		if !strings.Contains(plain, want) {
			t.Errorf("no %q in:\n%s", want, plain)
		}
	}
	if strings.Contains(plain, "Changed") {
		t.Errorf("somebody is thought to be new:\n%s", plain)
	}
}

func TestRenderNeedsMethod(t *testing.T) {
	m := message(t, strings.Replace(vevent("REQUEST", budget), "METHOD:REQUEST\n", "", 1))
	if _, err := m.Render(); err != ErrNoMethod {
		t.Errorf("%v", err)
	}
}

// What was rendered is read back by Parse as what it was.
func TestRenderParse(t *testing.T) {
	got := parse(t, render(t, message(t, vevent("REQUEST", budget))))
	o := one(t, got)
	if o.UID() != "u1@example.org" || o.Method() != "REQUEST" || got.From.Name != "Ann Example" || got.Subject != "Invitation: Budget für März" ||
		got.MessageID != "d7.abcdef@example.org" || !got.Automatic() {
		t.Errorf("%+v", got)
	}
}

func TestRestoreTokenAndAlias(t *testing.T) {
	o := object(t, vevent("REPLY", "ORGANIZER:mailto:calendar+tok@example.org\nATTENDEE;PARTSTAT=ACCEPTED:mailto:cleo.primary@example.net\n"))
	o = WithOrganizer(o, ics.NewProp("ORGANIZER", "mailto:ann@example.com", ics.Param{Name: "SCHEDULE-STATUS", Values: []string{"1.1"}}))
	o = WithAttendee(o, cuaddr.Mailto("cleo@example.net"))
	a := ics.Attendees(o.Master())
	if ics.Organizer(o.Master()).Mail() != "ann@example.com" || o.Master().Prop("ORGANIZER").HasParam("SCHEDULE-STATUS") ||
		len(a) != 1 || a[0].Value != "mailto:cleo@example.net" || a[0].Param("EMAIL") != "cleo.primary@example.net" || ics.PartStat(a[0]) != "ACCEPTED" {
		t.Errorf("%s", o.Bytes())
	}
}

func BenchmarkRender(b *testing.B) {
	m := message(b, vevent("REQUEST", budget))
	m.Answer = "https://cal.example.org/rsvp/TOKEN"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Render(); err != nil {
			b.Fatal(err)
		}
	}
}

// Programs that name the organizer on one of his two lines name him.
func TestOrganizerAmongAttendees(t *testing.T) {
	o, err := ics.Parse([]byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260301T000000Z\r\nDTSTART:20260309T100000Z\r\nORGANIZER;CN=Ann Arbor:mailto:ann@example.org\r\n"+
		"ATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.org\r\nATTENDEE:mailto:cleo@example.net\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"), ics.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	_, rows := Describe(words.Default().For("en"), o, o.First(), nil)
	want := Row{Label: "Attendees", Value: "Ann Arbor (accepted), cleo@example.net"}
	if !slices.Contains(rows, want) {
		t.Errorf("%+v", rows)
	}
}
