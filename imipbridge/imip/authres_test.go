package imip

import (
	"strings"
	"testing"
)

func TestEvidence(t *testing.T) {
	test := func(want Evidence, why string, fields ...string) {
		t.Helper()
		m := parse(t, crlf(strings.Join(fields, "\n")+"\nFrom: Cleo <cleo@mail.example.net>\n\nx"))
		got, because := m.Evidence([]string{"MX.example.org", "other.example.org"})
		if got != want || because != why {
			t.Errorf("%q: %v %q, want %v %q", fields, got, because, want, why)
		}
	}
	const ar = "Authentication-Results: mx.example.org"
	test(None, "")
	test(None, "", ar+"; none")
	test(Passed, "dmarc=pass", ar+"; dmarc=pass header.from=mail.example.net")
	test(Passed, "dmarc=pass", ar+" 1;\n\tspf=fail smtp.mailfrom=x@mail.example.net;\n\tdmarc=pass (p=none; dis=none) header.from=mail.example.net")
	test(None, "", "Authentication-Results: evil.example.com; dmarc=pass header.from=mail.example.net")
	test(None, "", ar+"; dmarc=pass header.from=example.com")
	test(Failed, "dmarc=fail", ar+"; dkim=pass header.d=example.com; dmarc=fail header.from=mail.example.net")
	test(Passed, "dkim=pass example.net", ar+"; dkim=pass (1024-bit key) header.d=example.net header.s=a")
	test(Passed, "dkim=pass example.net", ar+"; dkim=pass header.i=@example.net")
	test(None, "", ar+"; dkim=pass header.d=example.com")
	test(None, "", ar+"; dkim=pass header.d=net")
	test(Failed, "dkim=fail example.net", ar+"; dkim=fail header.d=example.net")
	test(Passed, "spf=pass example.net", ar+"; dkim=fail header.d=example.net; spf=pass smtp.mailfrom=bounce@example.net")
	test(Passed, "spf=pass example.net", ar+"; spf=pass smtp.mailfrom=example.net")
	test(Failed, "spf=fail mail.example.net", ar+"; spf=fail smtp.mailfrom=cleo@mail.example.net")
	test(None, "", ar+"; spf=softfail smtp.mailfrom=cleo@mail.example.net")
	test(None, "", ar+"; spf=fail smtp.mailfrom=list@example.com")
	// What a stranger writes into a local part or a reason is no result.
	test(Failed, "spf=fail mail.example.net", ar+`; spf=fail smtp.mailfrom="a; dmarc=pass header.from=mail.example.net"@mail.example.net`)
	test(None, "", ar+`; spf=none reason="x; dmarc=pass header.from=mail.example.net"`)
	test(None, "", ar+`; spf=none (x; dmarc=pass header.from=mail.example.net)`)
	test(None, "", ar+`; spf=none (a (b) \) ; dmarc=pass header.from=mail.example.net)`)
	// One malformed result does not hide the next.
	test(Passed, "dmarc=pass", ar+"; nonsense; dmarc=pass header.from=mail.example.net")
	// Two servers of ours speak; what stands below our Received came with the mail.
	test(Passed, "dmarc=pass", "Received: x", ar+"; spf=none", "Authentication-Results: other.example.org; dmarc=pass", "Received: y")
	test(None, "", ar+"; spf=none", "Received: by mx.example.org", ar+"; dmarc=pass header.from=mail.example.net")
}

func TestEvidenceNeedsOneFrom(t *testing.T) {
	m := parse(t, crlf("Authentication-Results: mx; dmarc=pass\nFrom: a@example.net, b@example.com\n\nx"))
	if got, _ := m.Evidence([]string{"mx"}); got != None {
		t.Errorf("two senders: %v", got)
	}
}

func TestAligned(t *testing.T) {
	test := func(a, b string, want bool) {
		t.Helper()
		if Aligned(a, b) != want {
			t.Errorf("Aligned(%q, %q) = %v", a, b, !want)
		}
	}
	test("example.org", "Mail.Example.ORG.", true)
	test("a.example.co.uk", "b.example.co.uk", true)
	test("example.co.uk", "other.co.uk", false)
	test("example.org", "", false)
	test("org", "example.org", false)
}
