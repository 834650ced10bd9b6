package imip

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/directory/cuaddr"
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
	// A server that writes below its own Received, and one behind it that forges.
	test(Passed, "dmarc=pass", "Received: from a by mx.example.org (Postfix) with ESMTPS;", ar+"; dmarc=pass header.from=mail.example.net")
	test(None, "", "Received: from a by mx.example.org with ESMTPS id 1;", "Received: from b by a", ar+"; dmarc=pass header.from=mail.example.net")
	test(Passed, "dmarc=pass", "Received: from c by store.example.org", "Received: from filter by inner.example.org", ar+"; dmarc=pass header.from=mail.example.net")
	test(None, "", "Received: from a (by mx2) by MX.example.org; now", "X: y", "Received: from z by mx.example.org", ar+"; dmarc=pass header.from=mail.example.net")
	// Folded, with comments in every place and a version.
	test(Passed, "dkim=pass example.net", ar+" (ours) 1 (v);\n (a) dkim (b) = (c) pass (d)\n\treason=\"good\" header.d (e) = (f) example.net (g)")
	test(Failed, "dmarc=fail", ar+"; dmarc=fail (p=reject dis=none) header.from=mail.example.net; arc=pass")
	test(None, "", ar+"; dmarc=temperror header.from=mail.example.net; dkim=neutral header.d=example.net; spf=permerror smtp.mailfrom=example.net")
	test(None, "", ar+"; auth=pass smtp.auth=cleo@mail.example.net") // who logged in is not whom From names
}

// Whatever stands in the field: it is bounded and never believed for another
// domain than it names.
func FuzzAuthenticationResults(f *testing.F) {
	for _, s := range []string{"mx.example.org; dmarc=pass header.from=example.net", "mx.example.org 1; dkim=pass (a(b)) header.d=\"x;y\"; spf=fail", "mx; none", ";", "(", "\"", "mx.example.org; dkim=pass header.d=example.net\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, field string) {
		m := &Mail{Froms: 1, From: Mailbox{Address: cuaddr.Mailto("cleo@other.example")}, results: []string{field}}
		if got, why := m.Evidence([]string{"mx.example.org"}); got == Passed && !strings.Contains(why, "dmarc") && !strings.Contains(strings.ToLower(field), "other.example") {
			t.Fatalf("%q proves another domain by %q", field, why)
		}
	})
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
