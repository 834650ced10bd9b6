package catcher

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"
	"github.com/emersion/go-message/mail"
)

// Mail is one mail that came.
type Mail struct {
	ID           int
	At           time.Time
	EnvelopeFrom string
	Rcpts        []string
	Raw          []byte

	From, ReplyTo, To, Subject, MessageID string

	Text, HTML string
	Calendar   *ics.Object // nil without one that can be read
	Method     string

	answer string // what the visitor answered last
}

// Rcpt returns the first recipient of the envelope.
func (m *Mail) Rcpt() string {
	if len(m.Rcpts) == 0 {
		return ""
	}
	return m.Rcpts[0]
}

// read takes a mail apart as far as it can be.
func read(raw []byte) *Mail {
	m := &Mail{Raw: raw}
	e, err := message.Read(bytes.NewReader(raw))
	if e == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		m.Text = string(raw)
		return m
	}
	h := mail.Header{Header: e.Header}
	m.Subject, _ = h.Subject()
	m.MessageID, _ = h.MessageID()
	m.From, m.To, m.ReplyTo = addresses(h, "From"), addresses(h, "To"), addresses(h, "Reply-To")
	e.Walk(func(_ []int, part *message.Entity, err error) error {
		if err != nil {
			return nil
		}
		kind, params, _ := part.Header.ContentType()
		if strings.HasPrefix(kind, "multipart/") {
			return nil // its parts come one by one
		}
		body, err := io.ReadAll(io.LimitReader(part.Body, maxMail))
		if err != nil {
			return nil
		}
		switch {
		case kind == "text/plain" && m.Text == "":
			m.Text = strings.ReplaceAll(string(body), "\r\n", "\n")
		case kind == "text/html" && m.HTML == "":
			m.HTML = string(body)
		case (kind == "text/calendar" || kind == "application/ics") && m.Calendar == nil:
			if o, err := ics.Parse(body, ics.Limits{}); err == nil {
				m.Calendar, m.Method = o, strings.ToUpper(params["method"])
				if m.Method == "" {
					m.Method = o.Method()
				}
			}
		}
		return nil
	})
	return m
}

func addresses(h mail.Header, field string) string {
	list, err := h.AddressList(field)
	if err != nil {
		return h.Get(field)
	}
	var all []string
	for _, a := range list {
		if a.Name != "" {
			all = append(all, a.Name+" <"+a.Address+">")
		} else {
			all = append(all, a.Address)
		}
	}
	return strings.Join(all, ", ")
}

// Answerable says whether the mail is an invitation that its recipient can
// answer.
func (m *Mail) Answerable() bool { return m.Method == "REQUEST" && m.attendee() != nil }

// attendee returns the ATTENDEE line of the recipient.
func (m *Mail) attendee() *ics.Prop {
	if m.Calendar == nil || m.Calendar.First() == nil {
		return nil
	}
	for _, rcpt := range m.Rcpts {
		me := cuaddr.Mailto(rcpt)
		if p := ics.Attendee(m.Calendar.First(), func(a cuaddr.Address) bool { return a.Fold() == me.Fold() }); p != nil {
			return p
		}
	}
	return nil
}

// Reply writes the mail by which the recipient's mail program answers an
// invitation (RFC 5546 §3.2.3, RFC 6047 §2), and to whom it goes.
func (m *Mail) Reply(partstat string, now time.Time) (from, to string, reply []byte, err error) {
	at := m.attendee()
	if at == nil {
		return "", "", nil, fmt.Errorf("no invitation to %s", m.Rcpt())
	}
	organizer := ics.Organizer(m.Calendar.First())
	from, to = ics.CalAddress(at).Mail(), organizer.Mail()
	if from == "" || to == "" {
		return "", "", nil, fmt.Errorf("organizer and attendee are no mail addresses")
	}
	root := &ics.Component{Name: "VCALENDAR", Props: []ics.Prop{
		ics.NewProp("PRODID", "-//Convene//Mail catcher//EN"), ics.NewProp("VERSION", "2.0"), ics.NewProp("METHOD", "REPLY"),
	}}
	summary := ""
	for _, c := range m.Calendar.Root().Children {
		if c.Name == "VTIMEZONE" {
			root.Children = append(root.Children, c)
			continue
		}
		r := &ics.Component{Name: c.Name}
		for i := range c.Props {
			switch p := c.Props[i]; p.Name {
			case "UID", "SEQUENCE", "RECURRENCE-ID", "DTSTART", "DTEND", "DURATION", "ORGANIZER":
				r.Props = append(r.Props, p)
			case "SUMMARY":
				r.Props = append(r.Props, p)
				summary = p.Text()
			}
		}
		answer := ics.NewProp("ATTENDEE", at.Value, ics.Param{Name: "PARTSTAT", Values: []string{partstat}})
		if cn := at.Param("CN"); cn != "" {
			answer = answer.WithParam("CN", cn)
		}
		r.Props = append(r.Props, ics.NewProp("DTSTAMP", now.UTC().Format("20060102T150405Z")), answer)
		root.Children = append(root.Children, r)
	}
	word := map[string]string{"ACCEPTED": "Accepted", "DECLINED": "Declined", "TENTATIVE": "Tentative"}[partstat]
	if word == "" {
		word = partstat
	}
	var b bytes.Buffer
	var h mail.Header
	h.SetAddressList("From", []*mail.Address{{Name: at.Param("CN"), Address: from}})
	h.SetAddressList("To", []*mail.Address{{Address: to}})
	h.SetSubject(word + ": " + summary)
	h.SetDate(now)
	h.SetMessageID(fmt.Sprintf("%d.%d@catcher.%s", now.UnixNano(), m.ID, cuaddr.Mailto(from).Domain()))
	if m.MessageID != "" {
		h.SetMsgIDList("In-Reply-To", []string{m.MessageID})
	}
	h.Set("MIME-Version", "1.0")
	h.SetContentType("multipart/alternative", nil)
	w, err := message.CreateWriter(&b, h.Header)
	if err != nil {
		return "", "", nil, err
	}
	for _, part := range []struct {
		kind   string
		params map[string]string
		body   []byte
	}{
		{"text/plain", map[string]string{"charset": "utf-8"}, []byte(from + " has answered: " + strings.ToLower(word) + "\r\n")},
		{"text/calendar", map[string]string{"charset": "utf-8", "method": "REPLY"}, ics.New(root).Bytes()},
	} {
		var ph message.Header
		ph.SetContentType(part.kind, part.params)
		ph.Set("Content-Transfer-Encoding", "quoted-printable")
		pw, err := w.CreatePart(ph)
		if err != nil {
			return "", "", nil, err
		}
		if _, err := pw.Write(part.body); err != nil {
			return "", "", nil, err
		}
		if err := pw.Close(); err != nil {
			return "", "", nil, err
		}
	}
	if err := w.Close(); err != nil {
		return "", "", nil, err
	}
	return from, to, b.Bytes(), nil
}
