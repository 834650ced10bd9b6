package main

import (
	"strings"
	"testing"
)

// RFC 6764 §3, §4: what an operator puts into the zones of his domains.
func TestDNSLines(t *testing.T) {
	test := func(publicURL string, want ...string) {
		t.Helper()
		c := Config{Domains: []string{"example.org"}}
		c.HTTP.PublicURL = publicURL
		if got := strings.Join(dnsLines(c), "\n"); got != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s", publicURL, got)
		}
	}
	test("https://cal.example.org",
		`_caldavs._tcp.example.org. IN SRV 0 1 443 cal.example.org.`, `_caldavs._tcp.example.org. IN TXT "path=/dav/"`,
		`_carddavs._tcp.example.org. IN SRV 0 1 443 cal.example.org.`, `_carddavs._tcp.example.org. IN TXT "path=/dav/"`)
	test("http://cal.example.org:8008",
		`_caldav._tcp.example.org. IN SRV 0 1 8008 cal.example.org.`, `_caldav._tcp.example.org. IN TXT "path=/dav/"`,
		`_carddav._tcp.example.org. IN SRV 0 1 8008 cal.example.org.`, `_carddav._tcp.example.org. IN TXT "path=/dav/"`)
	test("http://127.0.0.1:8008")
	test("http://localhost:8008")
}
