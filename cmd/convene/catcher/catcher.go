// Package catcher plays the world outside: an SMTP server that takes every
// mail and keeps it in memory, and a page on which a visitor reads the mails
// and answers them as the person they were sent to would, by the buttons of a
// mail program. The demo and the end-to-end tests use it; nothing of it is
// part of a server.
package catcher

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// keep is how many mails are remembered.
const keep = 500

// maxMail bounds one mail, in octets.
const maxMail = 20 << 20

// Catcher keeps mails. It is safe for concurrent use.
type Catcher struct {
	// Send brings a mail in that a visitor wrote: to the LMTP door or a mail
	// server. nil: the page has no buttons.
	Send func(from string, to []string, mail []byte) error
	// Title of the page.
	Title string
	// Gone are recipients that it refuses, as in "carol@example.net".
	Gone []string

	mu    sync.Mutex
	mails []*Mail
	last  int
	more  chan struct{} // closed and renewed when a mail comes
}

// New makes one without mails.
func New(title string) *Catcher {
	return &Catcher{Title: title, more: make(chan struct{})}
}

// Add takes a mail in.
func (c *Catcher) Add(from string, to []string, raw []byte) *Mail {
	m := read(raw)
	m.EnvelopeFrom, m.Rcpts, m.At = from, to, time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	m.ID = c.last
	c.mails = append(c.mails, m)
	if len(c.mails) > keep {
		c.mails = slices.Delete(c.mails, 0, len(c.mails)-keep)
	}
	close(c.more)
	c.more = make(chan struct{})
	return m
}

// Mails returns the mails in the order in which they came.
func (c *Catcher) Mails() []*Mail {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.mails)
}

// Mail returns one by its number, nil without it.
func (c *Catcher) Mail(id int) *Mail {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.mails {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// Wait returns the first mail for which want is true, and waits for it until
// ctx ends.
func (c *Catcher) Wait(ctx context.Context, want func(*Mail) bool) (*Mail, error) {
	for {
		c.mu.Lock()
		mails, more := slices.Clone(c.mails), c.more
		c.mu.Unlock()
		for _, m := range mails {
			if want(m) {
				return m, nil
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, errors.New("the mail did not come")
		}
	}
}

func (c *Catcher) answered(m *Mail, partstat string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.answer = partstat
}

// ServeSMTP takes mail on l until it is closed.
func (c *Catcher) ServeSMTP(l net.Listener) error { return c.server(false).Serve(l) }

// ServeLMTP does so as a mailbox server that takes mail by LMTP.
func (c *Catcher) ServeLMTP(l net.Listener) error { return c.server(true).Serve(l) }

func (c *Catcher) server(lmtp bool) *smtp.Server {
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{catcher: c}, nil }))
	s.Domain = "outside.invalid"
	s.LMTP = lmtp
	s.ReadTimeout, s.WriteTimeout = time.Minute, time.Minute
	s.MaxMessageBytes, s.MaxRecipients = maxMail, 1000
	s.EnableSMTPUTF8 = true
	return s
}

type session struct {
	catcher *Catcher
	from    string
	to      []string
}

func (s *session) Reset()        { s.from, s.to = "", nil }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if slices.Contains(s.catcher.Gone, to) {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.catcher.Add(s.from, s.to, raw)
	return nil
}
