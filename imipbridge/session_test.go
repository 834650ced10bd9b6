package imipbridge

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

func contextWithCancel(h *house) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(h.ctx)
	h.Cleanup(stop)
	return ctx, stop
}

// script speaks to a listener in raw lines: "> " sends, "< " expects a prefix.
func (h *house) script(addr, lines string) {
	h.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		h.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(conn)
	for _, l := range strings.Split(strings.TrimSpace(lines), "\n") {
		if out, ok := strings.CutPrefix(l, "> "); ok {
			fmt.Fprintf(conn, "%s\r\n", out)
			continue
		}
		want := strings.TrimPrefix(l, "< ")
		for {
			got, err := r.ReadString('\n')
			if err != nil {
				h.Fatalf("%s: %v", l, err)
			}
			if len(got) > 3 && got[3] == '-' {
				continue
			}
			if !strings.HasPrefix(got, want) {
				h.Fatalf("got %q, want %q", got, want)
			}
			break
		}
	}
}

// RFC 2033 §4.2: one reply for each recipient, in their order, twice for who
// stands there twice; no DATA without a recipient.
func TestLMTPReplies(t *testing.T) {
	h := open(t, "sqlite", copyMode)
	h.persons("ann", "ben")
	h.script(h.lmtp, `< 220 example.org LMTP
> EHLO x
< 500
> LHLO x
< 250
> MAIL FROM:<cleo@example.net>
< 250
> RCPT TO:<nobody@example.org>
< 550 5.1.1
> DATA
< 502
> RCPT TO:<ben@example.org>
< 250
> RCPT TO:<Ann+tag@Example.org>
< 250
> RCPT TO:<ben@example.org>
< 250
> DATA
< 354
> Subject: x
> 
> text
> .
< 250 2.0.0 <ben@example.org>
< 250 2.0.0 <Ann+tag@Example.org>
< 250 2.0.0 <ben@example.org>
> RSET
< 250
> MAIL FROM:<>
< 250
> RCPT TO:< >
< 5
> RCPT TO:<postmaster>
< 5
> RCPT TO:<"a b"@example.org>
< 550 5.1.1
> QUIT
< 221`)
}

func TestLMTPLimits(t *testing.T) {
	h := open(t, "sqlite", copyMode, func(o *Options) { o.MaxRecipients = 2; o.MaxMessage = 1000 })
	h.persons("ann", "ben", "dora")
	h.script(h.lmtp, `< 220
> LHLO x
< 250
> MAIL FROM:<cleo@example.net> SIZE=2000
< 552 5.3.4
> MAIL FROM:<cleo@example.net>
< 250
> RCPT TO:<ann@example.org>
< 250
> RCPT TO:<ben@example.org>
< 250
> RCPT TO:<dora@example.org>
< 452 4.5.3
> DATA
< 354
> `+strings.Repeat("x", 1200)+`
> .
< 552 5.3.4 <ann@example.org>
< 552 5.3.4 <ben@example.org>
> NOOP
< 250`)
	// What passes the parser's limits is still a mail.
	h = open(t, "sqlite")
	h.persons("ann")
	deep := ""
	for i := range 30 {
		b := strings.Repeat("x", i+1)
		deep += "Content-Type: multipart/mixed; boundary=" + b + "\r\n\r\n--" + b + "\r\n"
	}
	h.want("verdict", h.give(cleo, []byte(deep), ann)[ann], "250")
	m := h.nextHop.all()
	if len(m) != 1 || !bytes.HasSuffix(m[0].data, []byte(deep)) || !strings.Contains(string(m[0].data), "X-Convene-Decision: ignored; the calendar cannot be read: mail: more than 20 levels") {
		t.Errorf("%.300q", m)
	}
}

// The next hop may be an SMTP server.
func TestNextHopBySMTP(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		data := mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann)))
		got := h.give(cleo, data, ann, "else@example.org", "more@example.org")
		h.want("verdicts", got, map[string]string{ann: "250", "else@example.org": "250", "more@example.org": "250"})
		h.want("handed on", h.relay.rcpts(), ann+" else@example.org more@example.org")
	}, func(o *Options) { o.DeliverTo = o.Relay })
}

// A mail in the middle of which the client goes away has no effect.
func TestClientGoesAway(t *testing.T) {
	h := open(t, "sqlite")
	h.persons("ann")
	conn, err := net.Dial("tcp", h.lmtp)
	if err != nil {
		t.Fatal(err)
	}
	data := mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann)))
	fmt.Fprintf(conn, "LHLO x\r\nMAIL FROM:<cleo@example.net>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n")
	r := bufio.NewReader(conn)
	for l := ""; !strings.HasPrefix(l, "354"); {
		if l, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	conn.Write(data) // without the last dot
	conn.Close()
	time.Sleep(50 * time.Millisecond)
	h.want("effect", h.partstat("ann", "u1", ann), "no copy")
	h.want("handed on", len(h.nextHop.all()), 0)
}

// At the end the transactions at hand are finished and get their verdicts.
func TestShutdown(t *testing.T) {
	h := open(t, "sqlite")
	h.persons("ann")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(h.ctx)
	done := make(chan error, 1)
	go func() { done <- h.bridge.ServeLMTP(ctx, l, false) }()
	idle, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	bufio.NewReader(idle).ReadString('\n')
	var once sync.Once
	h.nextHop.mu.Lock()
	h.nextHop.before = func() {
		once.Do(func() {
			stop()
			time.Sleep(100 * time.Millisecond)
		})
	}
	h.nextHop.mu.Unlock()
	data := mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann)))
	h.want("verdict", h.giveTo(l.Addr().String(), cleo, data, ann)[ann], "250")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("still listening")
	}
}

// Many at once, each with an effect of its own.
func TestManySessions(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				uid := fmt.Sprintf("u%d", i)
				data := mailOf(cleo, ann, "", event("REQUEST", uid, organizer(cleo)+attendees(ann)))
				if got := h.give(cleo, data, ann)[ann]; got != "250" {
					t.Errorf("%s: %s", uid, got)
				}
			})
		}
		wg.Wait()
		h.want("handed on", len(h.nextHop.all()), 20)
		for i := range 20 {
			h.want("effect", h.partstat("ann", fmt.Sprintf("u%d", i), ann), "NEEDS-ACTION")
		}
	})
}

// What Exchange sends: no ORGANIZER, Windows zones; the answer counts.
func TestExchangeReply(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		dora := "dora.mueller@corp.example"
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, dora)))
		reply := strings.NewReplacer("DTSTART:20260309T090000Z", "DTSTART;TZID=W. Europe Standard Time:20260309T100000",
			"DTEND:20260309T100000Z", "DTEND;TZID=W. Europe Standard Time:20260309T110000").Replace(event("REPLY", "u1", answered(dora, "TENTATIVE")))
		h.want("verdict", h.give(dora, mailOf(dora, ann, "", reply), ann)[ann], "250")
		h.want("effect", h.partstat("ann", "u1", dora), "TENTATIVE")
	})
}

func BenchmarkLMTP(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			h := open(b, kind)
			h.persons("ann")
			n := 0
			for b.Loop() {
				n++
				data := mailOf(cleo, ann, "", event("REQUEST", fmt.Sprintf("u%d", n), organizer(cleo)+attendees(ann)))
				if got := h.give(cleo, data, ann)[ann]; got != "250" {
					b.Fatal(got)
				}
			}
		})
	}
}

// A mailbox that needs quotes has them on its way.
func TestQuotedMailbox(t *testing.T) {
	h := open(t, "sqlite")
	h.want("verdict", h.give(cleo, plainMail(cleo, ann, ""), `"a b"@example.org`), map[string]string{`"a b"@example.org`: "250"})
	h.want("handed on", h.nextHop.rcpts(), "a b@example.org") // the sink takes the quotes off as we do
}
