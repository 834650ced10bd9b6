package cuaddr

import "testing"

func TestParse(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		got, err := Parse(in)
		if want == "" {
			if err == nil {
				t.Errorf("Parse(%q) = %q, want an error", in, got)
			}
			return
		}
		if err != nil || got.String() != want {
			t.Errorf("Parse(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	test("mailto:ann@example.org", "mailto:ann@example.org")
	test("MAILTO:ann@Example.ORG", "mailto:ann@example.org")
	test("Mailto:Ann@example.org", "mailto:Ann@example.org") // RFC 5321 §2.4: the local part's case is its owner's
	test(" mailto:mailto:ann@example.org ", "mailto:ann@example.org")
	test("mailto:<ann@example.org>", "mailto:ann@example.org")
	test("ann@example.org", "mailto:ann@example.org")
	test("mailto:ann%40example.org", "mailto:ann@example.org")
	test("mailto:ann%2Btag@example.org?subject=hello", "mailto:ann+tag@example.org")
	test("mailto:ann+tag@example.org", "mailto:ann+tag@example.org")
	test("mailto:ann@example.org.", "mailto:ann@example.org")
	test(`mailto:"a b"@example.org`, `mailto:"a b"@example.org`)
	test("mailto:jürgen@example.org", "mailto:jürgen@example.org")
	test("urn:UUID:3F2504E0-4F89-11D3-9A0C-0305E82C3301", "urn:uuid:3f2504e0-4f89-11d3-9a0c-0305e82c3301")
	test("/dav/principals/ann%40example.org/", "/dav/principals/ann@example.org/")
	test("/dav/principals/ann@example.org", "/dav/principals/ann@example.org/")
	test("https://cal.example.org/dav/principals/ann@example.org/", "/dav/principals/ann@example.org/")
	test("invalid:nomail", "invalid:nomail")
	test("", "")
	test("mailto:", "")
	test("mailto:@example.org", "")
	test("mailto:ann@", "")
	test("mailto:a b@example.org", "")
	test("mailto:ann@example.org-", "mailto:ann@example.org-")
	test("mailto:ann@example.orgSTAT=ACCEPTED:mailto:ben@example.org", "") // two lines that a program glued together
	test("mailto:ann@ben@example.org", "")
	test("mailto:ann@[IPv6:::1]", "mailto:ann@[ipv6:::1]")
	test(`mailto:"a@b"@example.org`, `mailto:"a@b"@example.org`)
	test(`mailto:"ann"@example.org`, "mailto:ann@example.org") // the same mailbox (RFC 5321 §4.1.2)
	test(`mailto:%22a%20b%22@example.org`, `mailto:"a b"@example.org`)
	test(`mailto:"a\b\"c\\d"@example.org`, `mailto:"ab\"c\\d"@example.org`)
	test(`mailto:".a"@example.org`, `mailto:".a"@example.org`)
	test(`mailto:"a"b"@example.org`, "")
	test(`mailto:""@example.org`, "")
	test(`mailto:"a\"@example.org`, "")
	test(`mailto:"@example.org`, "")
	test("ann", "")
	test("mailto:ann@example.org\r\nBcc: eve@example.org", "")
	test("mailto:ann%0d%0aBcc@example.org", "mailto:ann%0d%0aBcc@example.org") // stays encoded: no line can be injected
}

func TestUnquoted(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		if got := Unquoted(in); got != want {
			t.Errorf("Unquoted(%s) = %s, want %s", in, got, want)
		}
	}
	test("ann@example.org", "ann@example.org")
	test(`"a b"@example.org`, "a b@example.org")
	test(`"a\"b\\c@d"@example.org`, `a"b\c@d@example.org`)
	test(`"a@example.org`, `"a@example.org`)
	test("ann", "ann")
}

func TestParts(t *testing.T) {
	a, err := Parse("MAILTO:Ann@Example.org")
	if err != nil {
		t.Fatal(err)
	}
	if a.Mail() != "Ann@example.org" || a.Local() != "Ann" || a.Domain() != "example.org" || a.Fold() != "mailto:ann@example.org" {
		t.Errorf("parts: %q %q %q %q", a.Mail(), a.Local(), a.Domain(), a.Fold())
	}
	p, _ := Parse("/dav/principals/ann/")
	if p.Mail() != "" || p.Path() != "/dav/principals/ann/" || p.Domain() != "" {
		t.Errorf("path: %q %q", p.Mail(), p.Path())
	}
	if Mailto("no mail").String() != "" || !(Address{}).IsZero() {
		t.Error("a malformed mailbox must give the zero Address")
	}
}

// Who is invited with hundreds is read with each of their lines, several times.
func TestParseAllocations(t *testing.T) {
	const in = "mailto:Ann.Arbor+team_1@mail-2.example.org"
	if n := testing.AllocsPerRun(10, func() {
		if a, err := Parse(in); err != nil || a.String() != in {
			t.Error(a, err)
		}
	}); n != 0 {
		t.Errorf("Parse(%q) takes %v allocations", in, n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"mailto:a@b", "MAILTO:<a@b>", "urn:uuid:1", "/p/a%40b/", "https://h/p/", "a@b?x=y", "mailto:a%25@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if b, slow := Parse(" " + s); a != b || (err == nil) != (slow == nil) { // not at a glance
			t.Fatalf("Parse(%q) = %q, %v, and with a blank before it %q, %v", s, a, err, b, slow)
		}
		if err != nil {
			return
		}
		if a.IsZero() {
			t.Fatalf("Parse(%q) gave nobody and no error", s)
		}
		for _, c := range a.String() {
			if c < 0x20 || c == 0x7f {
				t.Fatalf("Parse(%q) = %q holds a control character", s, a)
			}
		}
	})
}

// Local parts that need quotes have them in a command of SMTP, and no others.
func TestQuoted(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		if got := Quoted(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	test("ann+x@example.org", "ann+x@example.org")
	test("a b@example.org", `"a b"@example.org`)
	test(`a"b\c@example.org`, `"a\"b\\c"@example.org`)
	test(".a@example.org", `".a"@example.org`)
	test("a@b@example.org", `"a@b"@example.org`)
	test("jörg@example.org", "jörg@example.org")
	test("", "")
}
