package imipbridge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-milter"
	"golang.org/x/net/netutil"

	"github.com/convene-server/convene/directory/cuaddr"
)

var ( // tests have less time
	// milterIdle is how long a mail server may say nothing: longer than it waits
	// for its own client's next command (RFC 5321 §4.5.3.2).
	milterIdle = 15 * time.Minute
	// milterDecide is how long a mail that a user sends may wait for us.
	milterDecide = 30 * time.Second
)

// ServeMilter answers the milter protocol on l until ctx ends; then it finishes
// the mails at hand. It is the second way to observe what users send (decision
// 12): of a mail with a log-in it takes the iTIP messages as ServeLMTP's
// observing listener does, and of any other it wants to know nothing.
//
// It never alters a mail and never refuses one. Where it cannot decide, because
// the database is away or the mail is too large, it lets the mail go, logs that,
// and the mail has no effect on the calendar: a person's mail is worth more.
func (b *Bridge) ServeMilter(ctx context.Context, l net.Listener) error {
	conns := &connections{open: map[net.Conn]bool{}}
	tracked := &tracking{netutil.LimitListener(l, b.opt.MaxSessions), conns}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()

	var sessions sync.WaitGroup
	var failed error
	for wait := time.Duration(0); ; {
		conn, err := tracked.Accept()
		if err == nil {
			wait = 0
			sessions.Go(func() { b.milterSession(context.WithoutCancel(ctx), conn, conns) })
			continue
		}
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, net.ErrClosed) {
			failed = err
			break
		}
		wait = min(2*wait+10*time.Millisecond, time.Second) // too many open files, say
		b.log.Warn("milter: no connection can be taken", "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	conns.drain()
	ended := make(chan struct{})
	go func() { sessions.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(milterDecide):
		conns.closeAll()
	}
	return failed
}

// milterSession is one connection. The protocol library knows no deadlines and
// does not tell a session on which connection it is: each connection is served
// by itself.
func (b *Bridge) milterSession(ctx context.Context, conn net.Conn, conns *connections) {
	s := &sending{b: b, ctx: ctx, busy: func(on bool) { conns.busy(conn, on) }}
	defer s.end()
	srv := milter.Server{
		NewMilter: func() milter.Milter { return s },
		Actions:   0, // nothing is ever changed
		Protocol:  milter.OptNoConnect | milter.OptNoHelo,
	}
	c := &milterConn{Conn: conn, ended: make(chan struct{})}
	srv.Serve(&oneConn{conn: c})
}

// sending is a mail that a mail server is taking from a user who has logged in.
// Its methods are called one after the other.
type sending struct {
	milter.NoOpMilter
	b    *Bridge
	ctx  context.Context
	busy func(bool)

	login, from string
	rcpts       []cuaddr.Address
	data        bytes.Buffer
	size        int64 // with all recipients
	held        int64 // octets of b.memory
}

// end forgets the mail.
func (s *sending) end() {
	if s.held > 0 {
		s.b.memory.Release(s.held)
	}
	if s.login != "" {
		s.busy(false)
	}
	*s = sending{b: s.b, ctx: s.ctx, busy: s.busy}
}

// pass ends the mail here, and lets it go.
func (s *sending) pass(why string) (milter.Response, error) {
	if why != "" {
		s.b.log.Warn("a user's mail was not looked at", "login", ascii(s.login, 200), "mail_from", ascii(s.from, 200), "why", why)
	}
	s.end()
	return milter.RespAccept, nil
}

// MailFrom begins a mail; without a log-in it is none of ours.
func (s *sending) MailFrom(from string, m *milter.Modifier) (milter.Response, error) {
	s.end()
	login := m.Macros["{auth_authen}"]
	if login == "" || from == "" || len(login)+len(from) > 4*cuaddr.MaxLen {
		return milter.RespAccept, nil
	}
	s.login, s.from = login, from
	s.busy(true)
	return milter.RespContinue, nil
}

// take counts what was received; false once it is more than a mail may have.
func (s *sending) take(n int) bool {
	s.size += int64(n)
	return s.size <= s.b.opt.MaxMessage
}

// RcptTo notes who gets the mail: they need not be told by us.
func (s *sending) RcptTo(to string, _ *milter.Modifier) (milter.Response, error) {
	if s.login == "" {
		return milter.RespAccept, nil
	}
	if !s.take(len(to)) || len(s.rcpts) == s.b.opt.MaxRecipients {
		return s.pass("too many recipients")
	}
	if a := cuaddr.Mailto(to); !a.IsZero() {
		s.rcpts = append(s.rcpts, a)
	}
	return milter.RespContinue, nil
}

// write keeps a piece of the mail. All sessions together hold as much as a few
// mails of the largest size.
func (s *sending) write(pieces ...[]byte) (milter.Response, error) {
	if s.login == "" {
		return milter.RespAccept, nil
	}
	if s.held == 0 {
		ctx, cancel := context.WithTimeout(s.ctx, milterDecide)
		defer cancel()
		if s.b.memory.Acquire(ctx, s.b.opt.MaxMessage) != nil {
			return s.pass("too many mails at once")
		}
		s.held = s.b.opt.MaxMessage
	}
	for _, p := range pieces {
		if !s.take(len(p)) {
			return s.pass("larger than mails may be")
		}
		s.data.Write(p)
	}
	return milter.RespContinue, nil
}

// Header gets one field; lines of a folded one are parted by LF.
func (s *sending) Header(name, value string, m *milter.Modifier) (milter.Response, error) {
	clear(m.Headers) // the library keeps them too, for as long as the connection lasts
	value = strings.ReplaceAll(strings.ReplaceAll(value, "\r\n", "\n"), "\n", "\r\n")
	return s.write([]byte(name+": "), []byte(value+"\r\n"))
}

// Headers ends the header.
func (s *sending) Headers(_ textproto.MIMEHeader, _ *milter.Modifier) (milter.Response, error) {
	return s.write([]byte("\r\n"))
}

// BodyChunk gets a piece of the body, as it came by SMTP.
func (s *sending) BodyChunk(chunk []byte, _ *milter.Modifier) (milter.Response, error) {
	return s.write(chunk)
}

// Body ends the mail: what it says has happened before the mail goes on.
func (s *sending) Body(*milter.Modifier) (milter.Response, error) {
	if s.login == "" {
		return milter.RespAccept, nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, milterDecide)
	defer cancel()
	err := s.b.observe(ctx, observed{door: "milter", from: s.from, login: s.login, rcpts: slices.Clip(s.rcpts), data: s.data.Bytes()})
	if err != nil {
		return s.pass(err.Error())
	}
	return s.pass("")
}

// Abort forgets the mail; the connection goes on.
func (s *sending) Abort(*milter.Modifier) error {
	s.end()
	return nil
}

// milterConn gives the library's reading and writing deadlines, and tells when
// it has ended with the connection.
type milterConn struct {
	net.Conn
	once  sync.Once
	ended chan struct{}
}

func (c *milterConn) Read(p []byte) (int, error) {
	c.SetReadDeadline(time.Now().Add(milterIdle))
	n, err := c.Conn.Read(p)
	if err != nil && n == 0 {
		err = io.EOF // nobody needs to read in a log how a connection ended
	}
	return n, err
}

func (c *milterConn) Write(p []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(time.Minute))
	return c.Conn.Write(p)
}

func (c *milterConn) Close() error {
	c.once.Do(func() { close(c.ended) })
	return c.Conn.Close()
}

// oneConn is a listener on which one connection comes in, and that ends with it.
type oneConn struct {
	conn  *milterConn
	given bool
}

func (l *oneConn) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.conn, nil
	}
	<-l.conn.ended
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }
