package imipbridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/net/netutil"
)

// ServeLMTP answers LMTP (RFC 2033) on l until ctx ends; then it finishes the
// transactions at hand. With observe the mails are copies of what local users
// sent from their mail programs, by authenticated submission only (decision
// 12).
func (b *Bridge) ServeLMTP(ctx context.Context, l net.Listener, observe bool) error {
	conns := &connections{open: map[net.Conn]bool{}}
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		s := &session{b: b, ctx: context.WithoutCancel(ctx), busy: func(on bool) { conns.busy(c.Conn(), on) }}
		if observe {
			return &observer{session: s}, nil
		}
		return s, nil
	}))
	srv.LMTP = true
	srv.Domain = b.from.Domain()
	srv.MaxMessageBytes = b.opt.MaxMessage
	srv.MaxRecipients = b.opt.MaxRecipients
	srv.MaxLineLength = maxLine
	srv.ReadTimeout = 5 * time.Minute
	srv.WriteTimeout = time.Minute
	srv.EnableSMTPUTF8 = true
	srv.ErrorLog = errorLog{b.log}

	done := make(chan error, 1)
	go func() { done <- srv.Serve(&tracking{netutil.LimitListener(l, b.opt.MaxSessions), conns}) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	l.Close()
	conns.drain()
	grace, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := srv.Shutdown(grace)
	conns.closeAll()
	<-done
	if errors.Is(err, net.ErrClosed) { // l was closed before it
		return nil
	}
	return err
}

// maxLine bounds a line in octets: mail systems let longer ones through than
// RFC 5321 §4.5.3.1.6 allows.
const maxLine = 1 << 20

// session is one LMTP connection.
type session struct {
	b    *Bridge
	ctx  context.Context
	busy func(bool)

	from  string
	opts  *smtp.MailOptions
	rcpts []recipient
	// out is the transaction with the next hop for recipients who are not ours;
	// it runs beside this one (decision 2).
	out  *hop
	away error // why there is no such transaction: asked once a mail
}

func (s *session) Reset() {
	s.from, s.opts, s.rcpts, s.away = "", nil, nil, nil
	if s.out != nil {
		s.out.close()
		s.out = nil
	}
}

func (s *session) Logout() error {
	s.Reset()
	return nil
}

func (s *session) Mail(from string, opts *smtp.MailOptions) error {
	s.Reset()
	s.from, s.opts = from, opts
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
	defer cancel()
	r, err := s.b.resolve(ctx, to)
	if err != nil {
		s.b.log.Warn("recipient not looked up", "rcpt", to, "error", err)
		return fault(err)
	}
	if r.station == outside {
		if err := s.offer(to); err != nil {
			return err
		}
	}
	s.rcpts = append(s.rcpts, r)
	return nil
}

// offer asks the next hop for somebody whom the directory lacks.
func (s *session) offer(to string) error {
	if s.b.opt.DeliverTo == "" {
		return unknownUser
	}
	for _, r := range s.rcpts {
		if r.station == outside && r.asked == to {
			return nil
		}
	}
	if s.out == nil && s.away == nil {
		h, err := dialHop(s.ctx, s.b.opt.DeliverTo, s.b.from.Domain())
		if err == nil {
			if err = h.mail(s.from, s.opts); err != nil {
				h.close()
			}
		}
		s.out, s.away = h, err
	}
	if s.away != nil {
		s.out = nil
		return passBack(s.away)
	}
	return passBack(s.out.rcpt(to))
}

var unknownUser = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user here"}

// Data exists for the interface; an LMTP server calls LMTPData.
func (s *session) Data(r io.Reader) error {
	return &smtp.SMTPError{Code: 502, EnhancedCode: smtp.EnhancedCode{5, 5, 1}, Message: "LMTP only"}
}

func (s *session) LMTPData(r io.Reader, status smtp.StatusCollector) error {
	s.busy(true)
	defer s.busy(false)
	ctx, cancel := context.WithTimeout(s.ctx, mailDeadline)
	defer cancel()
	data, free, err := s.read(ctx, r)
	if err != nil {
		return err
	}
	defer free()
	a, err := s.b.arrive(ctx, "lmtp", s.from, data)
	if err != nil {
		return fault(err)
	}
	if a.mail.Hops > maxHops {
		return errLoop
	}
	verdicts := map[string]error{}
	s.handOnOutside(a, verdicts)

	known := &delivery{b: s.b, ctx: ctx, from: s.from, opts: s.opts}
	defer known.close()
	for _, r := range s.rcpts {
		if _, done := verdicts[r.asked]; !done {
			verdicts[r.asked] = known.one(a, r)
		}
		status.SetStatus(r.asked, verdicts[r.asked])
	}
	return nil
}

// maxHops is by how many servers a mail has come that goes round (RFC 5321
// §6.3). Convene adds no field of its own to what it hands on, the mail servers
// on both of its sides do.
const maxHops = 100

var errLoop = &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 4, 6}, Message: "more than 100 servers had this mail: it goes round"}

// mailDeadline is the time for one mail and all its recipients.
const mailDeadline = 20 * time.Minute

// read takes the mail into memory. All sessions together hold as much as a few
// mails of the largest size; who comes too much waits.
func (s *session) read(ctx context.Context, r io.Reader) (data []byte, free func(), err error) {
	size := s.b.opt.MaxMessage
	if s.opts != nil && s.opts.Size > 0 && s.opts.Size < size { // RFC 1870: what the client says it is
		size = s.opts.Size
	}
	if s.b.memory.Acquire(ctx, size) != nil {
		return nil, nil, &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "too many mails at once, try again later"}
	}
	free = func() { s.b.memory.Release(size) }
	if data, err = io.ReadAll(r); err == nil {
		return data, free, nil
	}
	free()
	if errors.Is(err, smtp.ErrTooLongLine) { // it would be as long the next time
		return nil, nil, &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: fmt.Sprintf("a line of more than %d octets", maxLine)}
	}
	var too *smtp.SMTPError
	if errors.As(err, &too) {
		return nil, nil, too
	}
	return nil, nil, &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 4, 2}, Message: "the mail did not come whole"}
}

// handOnOutside ends the transaction for recipients who are not ours.
func (s *session) handOnOutside(a *arrival, verdicts map[string]error) {
	var rcpts []string
	for _, r := range s.rcpts {
		if _, twice := verdicts[r.asked]; r.station == outside && !twice {
			rcpts = append(rcpts, r.asked)
			verdicts[r.asked] = nil
		}
	}
	if len(rcpts) == 0 {
		return
	}
	for r, err := range s.out.data(a.original(nil), rcpts) {
		verdicts[r] = passBack(err)
	}
}

// delivery hands mails on, one recipient after the other, over as few
// connections as it can.
type delivery struct {
	b    *Bridge
	ctx  context.Context
	from string
	opts *smtp.MailOptions
	hop  *hop
	away error // the next hop could not be reached: one mail asks once
}

// one decides about a mail for a recipient and hands it on: effect and decision
// are durable before the next hop is asked, and its verdict is ours (decision
// 3).
func (d *delivery) one(a *arrival, r recipient) error {
	ruled, err := d.b.rule(d.ctx, a, r)
	if err != nil {
		d.b.log.Warn("mail not decided", "rcpt", r.asked, "message-id", a.mail.MessageID, "error", err)
		return fault(err)
	}
	switch {
	case ruled.refuse != nil:
		return ruled.refuse
	case ruled.mailbox == "":
		return nil
	}
	if ruled.brief == nil {
		return d.handOn(ruled, a.original(ruled.notes))
	}
	return d.handOnBriefed(a, ruled)
}

func (d *delivery) handOn(r ruling, data []byte) error {
	if d.b.opt.DeliverTo == "" {
		if !r.forward {
			return nil // the mail system delivers the original itself
		}
		return passBack(d.b.relay.submit(d.ctx, d.from, r.mailbox, data))
	}
	if d.hop == nil && d.away == nil {
		d.hop, d.away = dialHop(d.ctx, d.b.opt.DeliverTo, d.b.from.Domain())
	}
	if d.away != nil {
		return passBack(d.away)
	}
	err := d.hop.send(d.from, d.opts, r.mailbox, data)
	if err != nil {
		// Whatever state the connection is in, the next one begins anew.
		d.close()
	}
	return passBack(err)
}

func (d *delivery) close() {
	if d.hop != nil {
		d.hop.close()
		d.hop = nil
	}
}

// connections knows which connections are in the middle of a mail.
type connections struct {
	mu       sync.Mutex
	open     map[net.Conn]bool // true: busy
	draining bool
}

func (c *connections) busy(conn net.Conn, on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, ok := conn.(*trackedConn); ok {
		if _, open := c.open[t]; open {
			c.open[t] = on
			if c.draining && !on {
				time.AfterFunc(time.Second, func() { t.Close() }) // once its verdicts are written
			}
		}
	}
}

// drain closes the connections that wait for a command; whoever is in the
// middle of a mail gets his verdict first.
func (c *connections) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	for conn, busy := range c.open {
		if !busy {
			conn.Close()
		}
	}
}

func (c *connections) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		conn.Close()
	}
}

type tracking struct {
	net.Listener
	conns *connections
}

func (t *tracking) Accept() (net.Conn, error) {
	conn, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tc := &trackedConn{Conn: conn, conns: t.conns}
	t.conns.mu.Lock()
	t.conns.open[tc] = false
	t.conns.mu.Unlock()
	return tc, nil
}

type trackedConn struct {
	net.Conn
	conns *connections
	once  sync.Once
}

func (t *trackedConn) Close() error {
	t.once.Do(func() {
		go func() { // closing happens under the lock too
			t.conns.mu.Lock()
			delete(t.conns.open, t)
			t.conns.mu.Unlock()
		}()
	})
	return t.Conn.Close()
}

// errorLog carries what the protocol library has to say into our log.
type errorLog struct{ log *slog.Logger }

func (l errorLog) Printf(format string, v ...any) { l.log.Warn("lmtp: " + fmt.Sprintf(format, v...)) }
func (l errorLog) Println(v ...any)               { l.log.Warn("lmtp: " + strings.TrimSpace(fmt.Sprintln(v...))) }
