package imipbridge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// selfSigned is a certificate that nobody vouches for, as a fresh Postfix has.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: today.Add(-time.Hour), NotAfter: today.AddDate(50, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// STARTTLS is used where it is offered, and a relay whose TLS is broken still
// gets the mail, on the next attempt.
func TestSTARTTLS(t *testing.T) {
	test := func(name string, config *tls.Config, wantTLS bool, attempts int) {
		t.Run(name, func(t *testing.T) {
			h := open(t, "sqlite")
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var encrypted atomic.Bool
			srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
				_, on := c.TLSConnectionState()
				encrypted.Store(on)
				return &sinkSession{k: h.relay}, nil
			}))
			srv.TLSConfig = config
			srv.ErrorLog = errorLog{slog.New(slog.DiscardHandler)}
			go srv.Serve(l)
			defer srv.Close()
			h.bridge.relay.addr = l.Addr().String()
			for n := 1; ; n++ {
				err := h.bridge.relay.submit(h.ctx, ann, cleo, plainMail(ann, cleo, ""))
				if n < attempts {
					if err == nil {
						t.Fatal("sent already")
					}
					if _, forGood := permanent(err); forGood {
						t.Fatalf("given up: %v", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			h.bridge.relay.rest()
			h.want("sent", h.relay.rcpts(), cleo)
			h.want("encrypted", encrypted.Load(), wantTLS)
			if attempts > 1 { // a while later it may have been mended
				h.bridge.relay.plain = time.Now()
				if h.bridge.relay.submit(h.ctx, ann, cleo, plainMail(ann, cleo, "")) == nil {
					t.Error("TLS was not asked for again")
				}
			}
		})
	}
	test("offered", &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}, true, 1)
	test("not offered", nil, false, 1)
	test("broken", &tls.Config{}, false, 2)
}

// An address beyond ASCII needs a relay that takes it (RFC 6531 §3.2).
func TestSMTPUTF8(t *testing.T) {
	h := open(t, "sqlite")
	if err := h.bridge.relay.submit(h.ctx, ann, "jörg@example.net", plainMail(ann, "x@example.net", "")); err != nil {
		t.Errorf("offered: %v", err)
	}
	h.want("sent", h.relay.rcpts(), "jörg@example.net")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &sinkSession{k: h.relay}, nil }))
	go srv.Serve(l)
	defer srv.Close()
	h.bridge.relay.rest()
	h.bridge.relay.addr = l.Addr().String()
	err = h.bridge.relay.submit(h.ctx, ann, "jörg@example.net", plainMail(ann, "x@example.net", ""))
	said, forGood := permanent(err)
	if !forGood || enhanced(said) != "5.6.7" {
		t.Errorf("not offered: %v", err)
	}
}
