package imipbridge

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/db"
)

// fill queues mails, each of a conversation of its own.
func (h *house) fill(n int, rcpt func(int) string) {
	h.Helper()
	body := crlf(event("REQUEST", "u", organizer(ann)+attendees(cleo)))
	h.write(func(tx *db.Tx) error {
		for i := range n {
			d := db.Delivery{UID: fmt.Sprintf("q%d", i), Principal: h.people["ann"].ID, From: "mailto:" + ann, Rcpt: "mailto:" + rcpt(i), Method: "REQUEST", Body: body}
			if err := tx.InsertDelivery(&d); err != nil {
				return err
			}
		}
		return nil
	})
}

// A domain whose mail is slow gets so many at once and no more; mail to others
// passes it.
func TestSlowDomain(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.fill(60, func(i int) string {
			if i < 40 {
				return fmt.Sprintf("p%d@slow.example", i)
			}
			return fmt.Sprintf("p%d@quick_.example", i)
		})
		var mu sync.Mutex
		now, most, quick := 0, 0, 0
		open := make(chan struct{})
		h.relay.answer(func(stage, rcpt string) *smtp.SMTPError {
			if stage != "DATA" {
				return nil
			}
			if !strings.HasSuffix(rcpt, "@slow.example") {
				mu.Lock()
				if quick++; quick == 20 {
					close(open) // all the others have gone by
				}
				mu.Unlock()
				return nil
			}
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			select {
			case <-open:
			case <-time.After(time.Minute):
				t.Error("mail to another domain waits")
			}
			mu.Lock()
			now--
			mu.Unlock()
			return nil
		})
		h.want("sent", h.work(), 60)
		if most > 6 {
			t.Errorf("%d at once to one domain", most)
		}
		h.want("queue", len(h.queue()), 0)
	}, func(o *Options) { o.PerDomain = 6 })
}

// A worker that lives keeps what it has in hand, however slow the relay is; one
// that is dead loses it after a minute.
func TestLeaseIsRenewed(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.bridge.beat = 20 * time.Millisecond
		h.fill(1, func(int) string { return cleo })
		held, open := make(chan struct{}), make(chan struct{})
		h.relay.answer(func(stage, _ string) *smtp.SMTPError {
			if stage == "DATA" {
				close(held)
				<-open
			}
			return nil
		})
		sent := make(chan int)
		go func() { sent <- h.work() }()
		<-held
		for range 5 { // minutes of the queue's clock
			h.clock.forward(50 * time.Second)
			for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
				if row := h.queue()[0]; row.Due.Sub(h.clock.now()) > 55*time.Second {
					break
				}
				if time.Now().After(end) {
					t.Fatal("the lease is not renewed")
				}
			}
			h.write(func(tx *db.Tx) error {
				rows, err := tx.ClaimDeliveries(1, lease)
				h.want("another worker gets it", len(rows), 0)
				return err
			})
		}
		close(open)
		h.want("sent", <-sent, 1)
		h.want("queue", len(h.queue()), 0)
	})
}

// authRelay asks for a name and a password.
type authRelay struct{ *sinkSession }

func (authRelay) AuthMechanisms() []string { return []string{sasl.Plain} }
func (authRelay) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "convene" || password != "secret" {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no"}
		}
		return nil
	}), nil
}

func (s authRelay) Mail(from string, o *smtp.MailOptions) error {
	return s.sinkSession.Mail(from, o)
}

// The bridge logs in to the relay over TLS; a refusal is about the set-up, so
// that the mail waits.
func TestRelayAuth(t *testing.T) {
	test := func(name string, r *relay, withTLS bool, want string) {
		t.Run(name, func(t *testing.T) {
			h := open(t, "sqlite")
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return authRelay{&sinkSession{k: h.relay}}, nil }))
			srv.AllowInsecureAuth = true
			cert := selfSigned(t)
			if withTLS {
				srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
			}
			srv.ErrorLog = errorLog{slog.New(slog.DiscardHandler)}
			go srv.Serve(l)
			defer srv.Close()
			b := &h.bridge.relay
			b.addr, b.user, b.password, b.strict, b.roots = l.Addr().String(), r.user, r.password, r.strict, r.roots
			err = b.submit(h.ctx, ann, cleo, plainMail(ann, cleo, ""))
			if got := fmt.Sprint(err); !strings.Contains(got, want) {
				t.Errorf("%v, want %s", err, want)
			}
			if _, forGood := permanent(err); forGood {
				t.Error("the mail is given up")
			}
		})
	}
	test("right", &relay{user: "convene", password: "secret"}, true, "<nil>")
	test("on this machine", &relay{user: "convene", password: "secret"}, false, "<nil>")
	test("wrong", &relay{user: "convene", password: "x"}, true, "no")
	test("TLS required, none offered", &relay{strict: true}, false, "offers no TLS")
	test("TLS required, not its certificate", &relay{strict: true, roots: x509.NewCertPool()}, true, "certificate")

	// Over the network and without TLS, the password is not told.
	r := relay{addr: "mx.example.org:25", user: "convene"}
	if r.here() {
		t.Error("a relay elsewhere is taken for one here")
	}
	if !(&relay{addr: "unix:/run/x"}).here() {
		t.Error("a socket is on this machine")
	}
}
