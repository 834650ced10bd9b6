package itip

import (
	"strings"
	"testing"
)

func TestShown(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		in, want = strings.ReplaceAll(in, "\n", "\r\n"), strings.ReplaceAll(want, "\n", "\r\n")
		if got := string(Shown([]byte(in))); got != want {
			t.Errorf("%q\n is shown as %q,\n     want %q", in, got, want)
		}
	}
	test("A:1\nX-CONVENE-OWN:CLASS\nB:2\n", "A:1\nB:2\n")
	test("A:1\nX-CONVENE-LAP\n SED:2/3\nB:2\n", "A:1\nB:2\n")
	test("A:1\nX-CON\n VENE-LAPSED:2/3\nB:2", "A:1\nB:2")
	test("ATTENDEE;X-CONVENE-SINCE=1/2/all;CN=\"X;Y:Z\";X-CONVENE-ASKED=3:mailto:a@b\n", "ATTENDEE;CN=\"X;Y:Z\":mailto:a@b\n")
	test("ATTENDEE;CN=A;X-CONVENE-CLAIM=\"ACCEPTED 1 mailto:x\":mailto:a@b\n", "ATTENDEE;CN=A:mailto:a@b\n")
	// What is left of a long line is folded anew, the others stay as they were.
	long := strings.Repeat("x", 60)
	test("SUMMARY:"+long+"\n  y\nATTENDEE;CN="+long+";X-C\n ONVENE-SAID=ACCEPTED:mailto:somebody@example.org\n",
		"SUMMARY:"+long+"\n  y\nATTENDEE;CN="+long+":m\n ailto:somebody@example.org\n")
	// The words of people are theirs.
	for _, same := range []string{
		"SUMMARY:about ;X-CONVENE-SINCE=1\n", "DESCRIPTION:X-CON\n VENE-OWN:1\n", "ATTENDEE;CN=\";X-CONVENE-SAID=1\":mailto:a@b\n",
		"X-CONVENE-CONFIRMS:booking\n", "ATTENDEE;X-CONVENE-PERCENT-COMPLETE=5:mailto:a@b\n", "COMMENT:a\nX-OTHER:X-CONVENE-OWN\n", "A", "", "\n",
	} {
		test(same, same)
	}
}
