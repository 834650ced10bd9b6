package dav

import (
	"strings"
	"testing"
)

func TestCollations(t *testing.T) {
	test := func(c Collation, in, text string, want bool) {
		t.Helper()
		if got := strings.Contains(c.Fold(in), c.Fold(text)); got != want {
			t.Errorf("%s: %q in %q = %v", Collations[c], text, in, got)
		}
	}
	test(ASCIICasemap, "Ann Jones", "jONES", true)
	test(ASCIICasemap, "Ärger", "ärger", false) // RFC 4790 §9.2: only US-ASCII letters
	test(ASCIICasemap, "[a]", "{A}", false)
	test(Octet, "Ann", "ann", false)
	test(Octet, "Ann", "nn", true)
	test(UnicodeCasemap, "ÄRGER", "ärger", true)
	test(UnicodeCasemap, "A\u0308rger", "ärger", true) // composed and decomposed are equal
	test(UnicodeCasemap, "ΣΊΣΥΦΟΣ", "σίσυφος", true)
	test(UnicodeCasemap, "ann", "ANN", true)
	test(UnicodeCasemap, "Ärger", "x", false)

	if c, ok := CollationByName("default", UnicodeCasemap); !ok || c != UnicodeCasemap {
		t.Errorf("default = %v %v", c, ok)
	}
	for i, n := range Collations {
		if c, ok := CollationByName(n, Octet); !ok || c != Collation(i) {
			t.Errorf("%s = %v %v", n, c, ok)
		}
	}
	if _, ok := CollationByName("i;en", Octet); ok {
		t.Error("i;en is known")
	}
}
