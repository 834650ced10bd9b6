package dav

import (
	"fmt"
	"testing"
)

func TestParseIf(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		lists, err := ParseIf(in)
		got := fmt.Sprint(lists)
		if err != nil {
			got = "refused"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	// RFC 4918 §10.4.6 to §10.4.9
	test(`(<urn:uuid:1> ["I am an ETag"]) (["I am another ETag"])`, `[{ [{false urn:uuid:1 } {false  I am an ETag}]} { [{false  I am another ETag}]}]`)
	test(`(Not <urn:uuid:1> <urn:uuid:2>)`, `[{ [{true urn:uuid:1 } {false urn:uuid:2 }]}]`)
	test(`</a> (<urn:x:1> [W/"A weak ETag"]) (["strong ETag"])`, `[{/a [{false urn:x:1 } {false  W/A weak ETag}]} {/a [{false  strong ETag}]}]`)
	test(`</a>(not ["1"])<http://h/b>(<t>)`, `[{/a [{true  1}]} {http://h/b [{false t }]}]`)
	for _, bad := range []string{"", "()", "(", "(<a>", "<a>", "<a> <b> (<c>)", "(<>)", "(a)", "x", "(<a>) <b> (<c>)", "(Not)", "(<a>)x", "<>(<a>)"} {
		test(bad, "refused")
	}
}

func TestParseTimeout(t *testing.T) {
	test := func(in string, want int64) {
		t.Helper()
		if got := ParseTimeout(in, 600); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
	test("Second-60", 60)
	test("Infinite, Second-60", 600)
	test("Second-4100000000", 600)
	test("Extend-5, second-7", 7)
	test("Second-x, Second--1, Second-", 600)
	test("", 600)
}

func TestLockinfo(t *testing.T) {
	l, err := ParseLockinfo(parse(t, `<lockinfo xmlns="DAV:"><locktype><write/></locktype><lockscope><shared/></lockscope><owner>Ann</owner></lockinfo>`))
	if err != nil || !l.Shared || l.Owner.Text() != "Ann" {
		t.Errorf("%+v, %v", l, err)
	}
	_, err = ParseLockinfo(parse(t, `<lockinfo xmlns="DAV:"><lockscope><shared/></lockscope></lockinfo>`))
	refused(t, err, "a lockinfo needs a lockscope, and write as its locktype")
	_, err = ParseLockinfo(parse(t, `<lockinfo xmlns="DAV:"><locktype><write/></locktype><lockscope/></lockinfo>`))
	refused(t, err, "a lockscope is exclusive or shared")
	if s, ok := Coded(" <urn:x> "); s != "urn:x" || !ok {
		t.Errorf("%q %v", s, ok)
	}
	for _, bad := range []string{"", "urn:x", "<>", "<a", "<a> <b>"} {
		if _, ok := Coded(bad); ok {
			t.Errorf("%q is a token", bad)
		}
	}
}

func FuzzParseIf(f *testing.F) {
	f.Add(`</a> (<urn:x:1> [W/"A weak ETag"]) (Not ["strong ETag"])`)
	f.Fuzz(func(t *testing.T, s string) {
		lists, err := ParseIf(s)
		for _, l := range lists {
			if len(l.Conds) == 0 && err == nil {
				t.Errorf("%q: a list without a condition", s)
			}
		}
	})
}
