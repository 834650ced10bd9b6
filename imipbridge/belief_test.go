package imipbridge

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
)

// A DKIM signature in alignment proves the sender where no server of ours
// wrote down what it found.
func TestOwnDKIM(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(domain string, data []byte) []byte {
		var b bytes.Buffer
		err := dkim.Sign(&b, bytes.NewReader(data), &dkim.SignOptions{Domain: domain, Selector: "s", Signer: crypto.Signer(private), HeaderKeys: []string{"From", "Subject", "Date"}})
		if err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	lookup := func(o *Options) {
		o.Trust.Unverified = "none"
		o.Trust.LookupTXT = func(_ context.Context, name string) ([]string, error) {
			switch name {
			case "s._domainkey.example.net", "s._domainkey.mail.example.net", "s._domainkey.evil.example":
				return []string{"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)}, nil
			}
			return nil, errors.New("no such name")
		}
	}
	h := open(t, "sqlite", lookup)
	h.persons("ann")
	test := func(uid, want string, make func([]byte) []byte) {
		t.Helper()
		data := make(mailOf(cleo, ann, "", event("REQUEST", uid, organizer(cleo)+attendees(ann))))
		h.want("verdict", h.give(cleo, data, ann)[ann], "250")
		h.want(uid, h.partstat("ann", uid, ann), want)
	}
	test("signed", "NEEDS-ACTION", func(d []byte) []byte { return sign("example.net", d) })
	test("subdomain", "NEEDS-ACTION", func(d []byte) []byte { return sign("mail.example.net", d) })
	test("not-signed", "no copy", func(d []byte) []byte { return d })
	test("another-domain", "no copy", func(d []byte) []byte { return sign("evil.example", d) })
	test("no-key", "no copy", func(d []byte) []byte { return sign("other.example.net", d) })
	test("changed", "no copy", func(d []byte) []byte {
		return bytes.Replace(sign("example.net", d), []byte("SUMMARY:Budget"), []byte("SUMMARY:Holiday"), 1)
	})
	test("second-from", "no copy", func(d []byte) []byte {
		return append([]byte("From: mallory@evil.example\r\n"), sign("example.net", d)...)
	})
	if got := strings.Join(h.decisions("signed"), ""); !strings.Contains(got, " proved ") {
		t.Errorf("decision %q", got)
	}
}
