package imip

import "bytes"

// Summary tells the owner of a mailbox what a mail that came to him means, in
// his language: in place of the mail, beside it or around it.
type Summary struct {
	Message // ID, Conversation, Date, From, ReplyTo, To, Speaker, Body, Zone, Words, Look

	Subject string // of the mail; "": what the summary says itself
	More    int    // other messages in the mail, which are not told of
	// Waits: it is in quarantine, and Answer the page on which to take or to drop it.
	Waits bool
	// Original is the mail, octet for octet, to go inside; nil: it does not.
	Original []byte
}

// Render writes it. Where the mail goes inside it is a message/rfc822, behind
// text that programs show: a preamble they do not.
func (u *Summary) Render() ([]byte, error) {
	if u.Body.Method() == "" {
		return nil, ErrNoMethod
	}
	s := speak(u.Words)
	page := u.page(u.Body)
	page.Answer, page.Buttons, page.Query, page.Here, page.Footer = "", nil, "", "", ""
	if u.More > 0 {
		page.Heading += " (" + s.Count(u.More, "and %d more", "and %d more", u.More) + ")"
	}
	state := s.Say("shows this already")
	if u.Waits {
		state = s.Say("shows this without blocking time, until you take it")
		if u.Answer != "" {
			page.Answer, page.Query, page.Buttons = u.Answer, "decide", QuarantineButtons(u.Words)
			page.Here, page.Footer = s.Say("Decide here, without a calendar program:"), s.Say("Nothing is decided by opening the page.")
		}
	}
	page.Rows = append(page.Rows, Row{Label: s.Say("Your calendar"), Value: state})
	if u.Original != nil {
		page.Rows = append(page.Rows, Row{Label: s.Say("The mail"), Value: s.Say("attached as it came")})
	}
	plain, html, err := u.Look.words(&page)
	if err != nil {
		return nil, err
	}

	var b bytes.Buffer
	b.Grow(8192 + len(u.Original))
	subject := oneLine(u.Subject, 400)
	if subject == "" {
		subject = page.Subject
	}
	u.head(&b, subject)
	mixed, alternative := u.boundaries()
	if u.Original != nil {
		fieldLine(&b, "Content-Type", `multipart/mixed; boundary="`+mixed+`"`)
		b.WriteString("\r\n--" + mixed + "\r\n")
	}
	beginAlternative(&b, alternative, page.Lang, plain, html)
	b.WriteString("--" + alternative + "--\r\n")
	if u.Original != nil {
		b.WriteString("\r\n--" + mixed + "\r\n")
		fieldLine(&b, "Content-Type", "message/rfc822")
		fieldLine(&b, "Content-Disposition", "inline")
		// RFC 2046 §5.2.1: it is never encoded.
		encoding := "7bit"
		if bytes.ContainsFunc(u.Original, func(r rune) bool { return r >= 0x80 }) {
			encoding = "8bit"
		}
		fieldLine(&b, "Content-Transfer-Encoding", encoding)
		b.WriteString("\r\n")
		b.Write(u.Original)
		b.WriteString("\r\n--" + mixed + "--\r\n") // the line end belongs to the boundary
	}
	return b.Bytes(), nil
}
