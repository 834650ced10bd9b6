package imipbridge

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/directory/cuaddr"
)

// hop is a connection to the next hop, on which one transaction follows the
// other.
type hop struct {
	c    *smtp.Client
	conn net.Conn
	lmtp bool
}

var ( // tests have less time
	hopCommand = time.Minute
	hopData    = 5 * time.Minute // RFC 2033 leaves it to RFC 5321 §4.5.3.2: 10 minutes
	// hopDeadline bounds a transaction as a whole: the protocol library knows
	// no deadline for writing.
	hopDeadline = 8 * time.Minute
)

// deadline closes a connection on which something takes too long. stop ends
// the watch.
func deadline(conn net.Conn, d time.Duration) (stop func() bool) {
	return time.AfterFunc(d, func() { conn.Close() }).Stop
}

// dial opens a connection to "host:port" or "unix:/path".
func dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return d.DialContext(ctx, "unix", path)
	}
	return d.DialContext(ctx, "tcp", addr)
}

// dialHop connects to the next hop by LMTP, or by SMTP if it is no LMTP
// server.
func dialHop(ctx context.Context, addr, hello string) (*hop, error) {
	conn, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	c := smtp.NewClientLMTP(conn)
	c.CommandTimeout, c.SubmissionTimeout = hopCommand, hopData
	err = c.Hello(hello)
	if err == nil {
		// RFC 2033 §5: an LMTP server has both; one that took HELO instead of
		// LHLO has none.
		if ok, _ := c.Extension("ENHANCEDSTATUSCODES"); ok {
			return &hop{c, conn, true}, nil
		}
		if ok, _ := c.Extension("PIPELINING"); ok {
			return &hop{c, conn, true}, nil
		}
	}
	c.Close()
	var refused *smtp.SMTPError
	if err != nil && !(errors.As(err, &refused) && refused.Code/100 == 5) {
		return nil, err
	}
	if conn, err = dial(ctx, addr); err != nil {
		return nil, err
	}
	c = smtp.NewClient(conn)
	c.CommandTimeout, c.SubmissionTimeout = hopCommand, hopData
	if err := c.Hello(hello); err != nil {
		c.Close()
		return nil, err
	}
	return &hop{c, conn, false}, nil
}

// Our LMTP server hands local parts over unquoted.
func (h *hop) mail(from string, opts *smtp.MailOptions) error {
	var pass smtp.MailOptions
	if opts != nil && opts.UTF8 {
		// Mailbox servers take UTF-8 in headers whether they say so or not;
		// an envelope beyond ASCII needs the extension (RFC 6531 §3.2).
		pass.UTF8, _ = h.c.Extension("SMTPUTF8")
		if !pass.UTF8 && !isASCII(from) {
			return errNoUTF8
		}
	}
	return h.c.Mail(cuaddr.Quoted(from), &pass)
}

var errNoUTF8 = &smtp.SMTPError{Code: 553, EnhancedCode: smtp.EnhancedCode{5, 6, 7}, Message: "the next hop takes no addresses beyond ASCII"}

func (h *hop) rcpt(to string) error {
	if ok, _ := h.c.Extension("SMTPUTF8"); !ok && !isASCII(to) {
		return errNoUTF8
	}
	return h.c.Rcpt(cuaddr.Quoted(to), nil)
}

// data sends the mail and returns one verdict for each recipient that was
// taken: nil for those that are not in the map.
func (h *hop) data(data []byte, rcpts []string) map[string]error {
	defer deadline(h.conn, hopDeadline)()
	verdicts := map[string]error{}
	all := func(err error) map[string]error {
		for _, r := range rcpts {
			verdicts[r] = err
		}
		return verdicts
	}
	w, err := h.c.Data()
	if err != nil {
		return all(err)
	}
	if _, err := w.Write(data); err != nil {
		return all(err)
	}
	if !h.lmtp {
		if _, err := w.CloseWithResponse(); err != nil {
			return all(err)
		}
		return verdicts
	}
	taken, err := w.CloseWithLMTPResponse()
	if err == nil {
		return verdicts
	}
	var each smtp.LMTPDataError
	errors.As(err, &each)
	for _, r := range rcpts {
		if e := each[cuaddr.Quoted(r)]; e != nil {
			verdicts[r] = e
		} else if taken[cuaddr.Quoted(r)] == nil {
			verdicts[r] = err // the connection broke before its verdict came
		}
	}
	return verdicts
}

// send is one transaction for one recipient.
func (h *hop) send(from string, opts *smtp.MailOptions, to string, data []byte) error {
	if err := h.mail(from, opts); err != nil {
		return err
	}
	if err := h.rcpt(to); err != nil {
		h.c.Reset()
		return err
	}
	return h.data(data, []string{to})[to]
}

func (h *hop) close() {
	// What the next hop says to it changes nothing.
	h.c.CommandTimeout = time.Second
	if h.c.Quit() != nil {
		h.c.Close()
	}
}

// passBack renders what the next hop said as our own verdict: its reply, or a
// temporary one where it said nothing.
func passBack(err error) error {
	var said *smtp.SMTPError
	if err == nil {
		return nil
	}
	if errors.As(err, &said) && (said.Code/100 == 4 || said.Code/100 == 5) {
		text := said.Message
		if strings.HasPrefix(text, "<") { // LMTP servers name the recipient, and so will ours
			if _, after, ok := strings.Cut(text, "> "); ok {
				text = after
			}
		}
		return &smtp.SMTPError{Code: said.Code, EnhancedCode: said.EnhancedCode, Message: ascii(text, 400)}
	}
	return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 4, 1}, Message: "the next hop does not answer, try again later"}
}
