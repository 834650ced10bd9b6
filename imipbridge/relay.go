package imipbridge

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/itip"
)

// relay is the SMTP server that takes what we send. Connections are kept for
// the next mail of a run.
type relay struct {
	addr, hello    string
	user, password string
	strict         bool // only TLS, and only with the relay's own certificate
	roots          *x509.CertPool

	mu    sync.Mutex
	idle  []*relayConn
	plain time.Time // until then TLS is not tried: it was offered and did not come about
}

// relayConn is a connection to the relay.
type relayConn struct {
	*smtp.Client
	conn net.Conn
}

// withoutTLS is for how long mail goes without TLS to a relay that offers it and
// cannot do it: it may have been about to start.
const withoutTLS = 10 * time.Minute

// submitDeadline is the time for one mail, connecting included; the lease of a
// row is longer (STORAGE 28).
const submitDeadline = 5 * time.Minute

// errSetup wraps what a relay says before it was asked to take a mail: a
// refusal then is about us, not about the mail, and passes.
type errSetup struct{ error }

func (e errSetup) Unwrap() error { return e.error }

// submit hands one mail to the relay. The error is a *smtp.SMTPError where the
// relay answered about this mail.
func (r *relay) submit(ctx context.Context, from, to string, data []byte) error {
	end := time.Now().Add(submitDeadline)
	c := r.take()
	fresh := c == nil
	for {
		if c == nil {
			var err error
			if c, err = r.connect(ctx); err != nil {
				return errSetup{err}
			}
		}
		stop := deadline(c.conn, max(time.Until(end), time.Second))
		err := transaction(c.Client, from, to, data)
		stop()
		var said *smtp.SMTPError
		switch {
		case err == nil:
			r.put(c)
			return nil
		case errors.As(err, &said) && said.Code != 421:
			if c.Reset() == nil {
				r.put(c)
			} else {
				c.Close()
			}
			return err
		}
		c.Close()
		var broken *unanswered
		if fresh || errors.As(err, &broken) {
			return err
		}
		c, fresh = nil, true // it had been closed while it waited
	}
}

// unanswered marks a mail that was sent whole and not answered: it may have
// been taken.
type unanswered struct{ error }

func (e *unanswered) Unwrap() error { return e.error }

func transaction(c *smtp.Client, from, to string, data []byte) error {
	opts := &smtp.MailOptions{Size: int64(len(data))} // RFC 1870
	if most, ok := c.MaxMessageSize(); ok && most > 0 && len(data) > most {
		return &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "the mail is larger than the relay takes"}
	}
	if !isASCII(to) || !isASCII(from) || bytes.ContainsFunc(head(data), func(r rune) bool { return r >= 0x80 }) {
		if ok, _ := c.Extension("SMTPUTF8"); !ok { // RFC 6531 §3.2
			return &smtp.SMTPError{Code: 553, EnhancedCode: smtp.EnhancedCode{5, 6, 7}, Message: "the relay takes no addresses beyond ASCII"}
		}
		opts.UTF8 = true
	}
	if err := c.Mail(cuaddr.Quoted(cuaddr.Unquoted(from)), opts); err != nil {
		return err
	}
	if err := c.Rcpt(cuaddr.Quoted(cuaddr.Unquoted(to)), nil); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		var said *smtp.SMTPError
		if errors.As(err, &said) {
			return err
		}
		return &unanswered{err}
	}
	return nil
}

func head(data []byte) []byte {
	h, _, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	return h
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

// errNoTLS is about the set-up: the mail waits until it is mended.
var errNoTLS = errors.New("the relay offers no TLS, which [smtp] tls or username asks for")

// connect opens a connection, with TLS where it is offered, and logs in if we
// have a name there. Certificates are checked only where that is asked for:
// without TLS nothing would be either (RFC 7435 §3), and the relay is the
// organization's own. A password goes over TLS, or stays on this machine.
func (r *relay) connect(ctx context.Context) (*relayConn, error) {
	c, err := r.greet(ctx)
	if err != nil || r.user == "" {
		return c, err
	}
	if _, encrypted := c.TLSConnectionState(); !encrypted && !r.here() {
		c.Close()
		return nil, errNoTLS
	}
	if err := c.Auth(sasl.NewPlainClient("", r.user, r.password)); err != nil { // RFC 4954 §4
		c.Close()
		return nil, err
	}
	return c, nil
}

// here reports whether the relay is on this machine.
func (r *relay) here() bool {
	host, _, _ := net.SplitHostPort(r.addr)
	return strings.HasPrefix(r.addr, "unix:") || host == "localhost" || net.ParseIP(host).IsLoopback()
}

func (r *relay) greet(ctx context.Context) (*relayConn, error) {
	conn, err := dial(ctx, r.addr)
	if err != nil {
		return nil, err
	}
	c := smtp.NewClient(conn)
	c.CommandTimeout = time.Minute
	if err := c.Hello(r.hello); err != nil {
		c.Close()
		return nil, err
	}
	r.mu.Lock()
	plain := !r.strict && time.Now().Before(r.plain)
	r.mu.Unlock()
	if offered, _ := c.Extension("STARTTLS"); !offered || plain {
		if r.strict {
			c.Close()
			return nil, errNoTLS
		}
		return &relayConn{c, conn}, nil
	}
	c.Quit()
	c.Close()
	if conn, err = dial(ctx, r.addr); err != nil {
		return nil, err
	}
	// The client says EHLO before STARTTLS by itself (RFC 3207 §4).
	conn.SetDeadline(time.Now().Add(time.Minute))
	host, _, _ := net.SplitHostPort(r.addr)
	c, err = smtp.NewClientStartTLS(conn, &tls.Config{ServerName: host, InsecureSkipVerify: !r.strict, RootCAs: r.roots})
	if err == nil {
		c.CommandTimeout = time.Minute
		if err = c.Hello(r.hello); err == nil {
			return &relayConn{c, conn}, nil
		}
		c.Close()
	}
	r.mu.Lock()
	r.plain = time.Now().Add(withoutTLS)
	r.mu.Unlock()
	return nil, err
}

func (r *relay) take() *relayConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.idle); n > 0 {
		c := r.idle[n-1]
		r.idle = r.idle[:n-1]
		return c
	}
	return nil
}

func (r *relay) put(c *relayConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.idle) < workers {
		r.idle = append(r.idle, c)
		return
	}
	c.Close()
}

// rest closes the connections that nobody uses.
func (r *relay) rest() {
	r.mu.Lock()
	idle := r.idle
	r.idle = nil
	r.mu.Unlock()
	for _, c := range idle {
		c.CommandTimeout = time.Second
		if c.Quit() != nil {
			c.Close()
		}
	}
}

// permanent reports whether the relay refused this mail for good.
func permanent(err error) (*smtp.SMTPError, bool) {
	var setup errSetup
	var said *smtp.SMTPError
	if errors.As(err, &setup) || !errors.As(err, &said) {
		return said, false
	}
	return said, said.Code/100 == 5
}

// deliveryStatus makes a SCHEDULE-STATUS of an enhanced status code "5.1.1"
// (RFC 3463) or, without one, of an SMTP reply code (decision 17; RFC 6638
// §3.2.9). They are different things: 5.1 here is a mail that could not be
// delivered, not an address that is wrong.
func deliveryStatus(enhanced string, code int) string {
	class, rest, _ := strings.Cut(enhanced, ".")
	subject, _, _ := strings.Cut(rest, ".")
	switch {
	case class == "4":
		return itip.StatusNotDelivered // retries exhausted
	case class == "5" && (subject == "1" || subject == "4"):
		return itip.StatusInvalidDomain
	case class == "5" && subject == "7":
		return itip.StatusRejected
	case class == "5":
		return itip.StatusNotDelivered
	}
	switch code { // RFC 5321 §4.2.3
	case 550, 551, 553:
		return itip.StatusInvalidDomain
	}
	return itip.StatusNotDelivered
}
