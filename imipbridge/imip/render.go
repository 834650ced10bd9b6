package imip

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"unicode"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Render writes the mail in the one shape that all programs accept: an
// alternative of plain text, HTML and the calendar, and beside it the calendar
// as an attachment. All octets are ASCII unless an address is not; lines are
// at most 78 long. Equal messages render to equal octets.
func (m *Message) Render() ([]byte, error) {
	method := m.Body.Method()
	if method == "" {
		return nil, ErrNoMethod
	}
	object := m.calendar()
	page, calendar := m.page(object), object.Bytes()
	plain, html, err := m.Look.words(&page)
	if err != nil {
		return nil, err
	}

	var b bytes.Buffer
	b.Grow(4096 + 3*len(calendar))
	m.head(&b, page.Subject)

	mixed, alternative := m.boundaries()
	fieldLine(&b, "Content-Type", `multipart/mixed; boundary="`+mixed+`"`)
	b.WriteString("\r\n--" + mixed + "\r\n")
	beginAlternative(&b, alternative, page.Lang, plain, html)
	b.WriteString("--" + alternative + "\r\n")
	// RFC 6047 §2.4; without a Content-Disposition, or some programs show an
	// attachment where they should ask.
	fieldLine(&b, "Content-Type", `text/calendar; charset="UTF-8"; method=`+methodName(method))
	base64Part(&b, calendar)
	b.WriteString("--" + alternative + "--\r\n\r\n--" + mixed + "\r\n")
	fieldLine(&b, "Content-Type", `application/ics; name="invite.ics"`)
	fieldLine(&b, "Content-Disposition", `attachment; filename="invite.ics"`)
	base64Part(&b, calendar)
	if m.Busy != nil {
		b.WriteString("--" + mixed + "\r\n")
		fieldLine(&b, "Content-Type", `text/calendar; charset="UTF-8"; method=PUBLISH; component=VFREEBUSY; name="busy.ifb"`)
		fieldLine(&b, "Content-Disposition", `attachment; filename="busy.ifb"`)
		base64Part(&b, m.Busy.Bytes())
	}
	b.WriteString("--" + mixed + "--\r\n")
	return b.Bytes(), nil
}

// boundaries of a mail are always the same. "=_" stands in neither base64 nor
// quoted-printable (RFC 2045 §6.7).
func (m *Message) boundaries() (mixed, alternative string) {
	sum := sha256.Sum256([]byte(m.ID))
	return "=_m" + hex.EncodeToString(sum[:10]), "=_a" + hex.EncodeToString(sum[10:20])
}

// beginAlternative writes the text as plain text and HTML; further forms of it,
// and the end, are the caller's.
func beginAlternative(b *bytes.Buffer, boundary, language, plain, html string) {
	fieldLine(b, "Content-Type", `multipart/alternative; boundary="`+boundary+`"`)
	b.WriteString("\r\n--" + boundary + "\r\n")
	textPart(b, "text/plain", language, plain)
	b.WriteString("--" + boundary + "\r\n")
	textPart(b, "text/html", language, html)
}

// head writes the header up to Content-Type.
func (m *Message) head(b *bytes.Buffer, subject string) {
	fieldLine(b, "From", address(m.From))
	if !m.Sender.Address.IsZero() && m.Sender.Address != m.From.Address {
		fieldLine(b, "Sender", address(m.Sender)) // RFC 5322 §3.6.2
	}
	if !m.ReplyTo.Address.IsZero() {
		fieldLine(b, "Reply-To", address(m.ReplyTo))
	}
	fieldLine(b, "To", address(m.To))
	fieldLine(b, "Subject", encodeWord(subject))
	fieldLine(b, "Date", m.Date.UTC().Format("Mon, 02 Jan 2006 15:04:05 +0000"))
	fieldLine(b, "Message-ID", "<"+m.ID+">")
	if m.Conversation != "" {
		fieldLine(b, "In-Reply-To", "<"+m.Conversation+">")
		fieldLine(b, "References", "<"+m.Conversation+">")
	}
	fieldLine(b, "Auto-Submitted", "auto-generated") // RFC 3834 §5
	fieldLine(b, "MIME-Version", "1.0")
}

// Notice is a mail about a mail: to whom somebody's message did not come, and
// why.
type Notice struct {
	Message             // ID, Conversation, Date, From, To, Zone, Words, Look
	Event   *ics.Object // nil: gone
	Rcpt    string      // who was not reached
	Why     string      // what the mail server said
	Waits   bool        // nothing is lost: there were too many within an hour, and they wait
}

// Render writes it as text and HTML.
func (n *Notice) Render() ([]byte, error) {
	s := speak(n.Words)
	title, rows := s.Say("(no title)"), []Row(nil)
	if n.Event != nil && n.Event.First() != nil {
		c := n.Event.First()
		title, _ = Describe(n.Words, n.Event, c, n.Zone)
		if when := When(n.Words, n.Event, c, n.Zone); when != "" {
			rows = append(rows, Row{Label: s.Say("When"), Value: when})
		}
	}
	page := Page{Lang: s.Tag, Was: s.Say("before")}
	if n.Waits {
		page.Subject, page.Heading = s.Say("Delayed: %s", title), s.Say("Messages about %s wait: there were more within an hour than may go out.", s.quote(title))
		page.Notes = []string{s.Say("They go out one after the other, none is lost.")}
	} else {
		rows = append(rows, Row{Label: s.Say("The mail server said"), Value: oneLine(n.Why, maxValue)})
		page.Subject, page.Heading = s.Say("Not delivered: %s", title), s.Say("Your message about %s could not be delivered to %s.", s.quote(title), oneLine(n.Rcpt, 200))
	}
	page.Rows = rows
	return n.alternative(&page)
}

// alternative writes a mail of words alone, as text and HTML.
func (m *Message) alternative(page *Page) ([]byte, error) {
	plain, html, err := m.Look.words(page)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	m.head(&b, page.Subject)
	_, boundary := m.boundaries()
	beginAlternative(&b, boundary, page.Lang, plain, html)
	b.WriteString("--" + boundary + "--\r\n")
	return b.Bytes(), nil
}

// methodName keeps a METHOD that came from a stranger from being more than a
// token.
func methodName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r == '-' {
			return r
		}
		return -1
	}, s)
}

func address(b Mailbox) string {
	a := mail.Address{Name: oneLine(b.Name, 80), Address: cuaddr.Unquoted(b.Address.Mail())}
	if strings.Contains(a.Name, "=?") { // within quotes it is none (RFC 2047 §5), but many read it
		name := encodeWord(a.Name)
		a.Name = ""
		return name + " " + a.String()
	}
	return a.String()
}

// fieldLine writes a header field, folded at its blanks (RFC 5322 §2.2.3).
func fieldLine(b *bytes.Buffer, name, value string) {
	value = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, value)
	b.WriteString(name + ":")
	room := 78 - len(name) - 1
	for _, w := range strings.Fields(value) {
		if len(w)+1 > room && room < 77 {
			b.WriteString("\r\n")
			room = 78
		}
		b.WriteString(" " + w)
		room -= len(w) + 1
	}
	b.WriteString("\r\n")
}

func textPart(b *bytes.Buffer, media, language, s string) {
	fieldLine(b, "Content-Type", media+"; charset=utf-8")
	fieldLine(b, "Content-Language", language)
	fieldLine(b, "Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(b)
	w.Write([]byte(strings.ReplaceAll(s, "\n", "\r\n"))) // a bytes.Buffer takes everything
	w.Close()
	b.WriteString("\r\n")
}

func base64Part(b *bytes.Buffer, data []byte) {
	fieldLine(b, "Content-Transfer-Encoding", "base64")
	b.WriteString("\r\n")
	for enc := base64.StdEncoding.EncodeToString(data); enc != ""; {
		n := min(76, len(enc)) // RFC 2045 §6.8
		b.WriteString(enc[:n] + "\r\n")
		enc = enc[n:]
	}
	b.WriteString("\r\n")
}

// oneLine makes a text fit for one line: blanks joined, controls and marks
// that turn the direction of writing taken out, at most n characters.
func oneLine(s string, n int) string {
	s = strings.Join(strings.Fields(clean(s)), " ")
	r := []rune(s)
	if len(r) > n {
		s = strings.TrimSpace(string(r[:n-1])) + "…"
	}
	return s
}

// clean takes out what no person sees and some are deceived by.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r', r == 0xfeff, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, unicode.IsControl(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// name returns how a calendar user is called: CN, else his address.
func name(p *ics.Prop) string {
	if p == nil {
		return ""
	}
	if cn := oneLine(p.Param("CN"), 80); cn != "" {
		return cn
	}
	if e := p.Param("EMAIL"); e != "" {
		return oneLine(e, 200)
	}
	if a := ics.CalAddress(p); a.Mail() != "" {
		return oneLine(a.Mail(), 200)
	}
	return ""
}
