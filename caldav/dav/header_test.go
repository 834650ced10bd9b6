package dav

import (
	"reflect"
	"testing"
	"time"
)

func TestTags(t *testing.T) {
	test := func(header []string, strong, weak []string) {
		t.Helper()
		if got := StrongTags(header).Conditions(); !reflect.DeepEqual(got, strong) {
			t.Errorf("If-Match %q: got %#v, want %#v", header, got, strong)
		}
		if got := WeakTags(header).Conditions(); !reflect.DeepEqual(got, weak) {
			t.Errorf("If-None-Match %q: got %#v, want %#v", header, got, weak)
		}
	}
	test(nil, nil, nil)
	test([]string{""}, []string{}, []string{})
	test([]string{"*"}, []string{"*"}, []string{"*"})
	test([]string{`"*"`}, []string{"*"}, []string{"*"})
	test([]string{`"a"`}, []string{"a"}, []string{"a"})
	test([]string{`"a", "b,c" ,W/"d"`, `"e"`}, []string{"a", "b,c", "e"}, []string{"a", "b,c", "d", "e"})
	test([]string{`W/"a"`}, []string{}, []string{"a"})
	test([]string{`a,b`}, []string{"a", "b"}, []string{"a", "b"}) // without quotes
	test([]string{`"a`}, []string{"a"}, []string{"a"})
}

func TestTagsMatch(t *testing.T) {
	test := func(header, etag string, want bool) {
		t.Helper()
		if got := StrongTags([]string{header}).Match(etag); got != want {
			t.Errorf("If-Match: %s with %q: got %v", header, etag, got)
		}
	}
	test(`"a"`, "a", true)
	test(`"a"`, "b", false)
	test("*", "b", true)
	test("*", "", false) // RFC 9110 §13.1.1: false if there is no current representation
	test(`""`, "", false)
	test(`W/"a"`, "a", false)
}

func TestUnquote(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		if got := Unquote(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	test(`"s1"`, "s1")
	test(` s1 `, "s1")
	test(`""`, "")
	test("", "")
}

func TestDepth(t *testing.T) {
	test := func(in string, want Depth) {
		t.Helper()
		if got, err := ParseDepth(in, Infinity); err != nil || got != want {
			t.Errorf("%q: got %v, %v", in, got, err)
		}
	}
	test("", Infinity)
	test("0", Zero)
	test(" 1 ", One)
	test("Infinity", Infinity)
	if _, err := ParseDepth("2", Zero); err == nil {
		t.Error("Depth: 2 was taken")
	}
}

func TestPrefer(t *testing.T) {
	test := func(prefer []string, brief string, want Prefer) {
		t.Helper()
		if got := ParsePrefer(prefer, brief); got != want {
			t.Errorf("%q, %q: got %+v", prefer, brief, got)
		}
	}
	test(nil, "", Prefer{})
	test(nil, "t", Prefer{Minimal: true})
	test(nil, "f", Prefer{})
	test([]string{"return=minimal"}, "", Prefer{Minimal: true})
	test([]string{`respond-async, Return="minimal"; foo=bar`}, "", Prefer{Minimal: true})
	test([]string{"depth-noroot", "return=representation"}, "", Prefer{Representation: true, NoRoot: true})
	test([]string{"noreturn=minimal"}, "", Prefer{})
}

func TestSegments(t *testing.T) {
	test := func(in string, slash bool, want ...string) {
		t.Helper()
		got, s, err := Segments(in)
		if err != nil || s != slash || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %q, %v, %v", in, got, s, err)
		}
	}
	test("/", true)
	test("/dav", false, "dav")
	test("/dav/a%40b.c/", true, "dav", "a@b.c")
	test("/dav/a@b.c/x%20y+z%2b", false, "dav", "a@b.c", "x y+z+")
	test("/%C3%BC", false, "ü")
	refuse := func(in string) {
		t.Helper()
		if got, _, err := Segments(in); err == nil {
			t.Errorf("%q was taken as %q", in, got)
		}
	}
	refuse("")
	refuse("dav")
	refuse("//")
	refuse("/a//b")
	refuse("/a%2Fb")
	refuse("/a/../b")
	refuse("/a/%2e%2e/b")
	refuse("/a/.")
	refuse("/a%zz")
	refuse("/a%00")
	refuse("/a%0a")
	refuse("/%FF")
}

func TestReference(t *testing.T) {
	test := func(in, host, path string) {
		t.Helper()
		h, p, err := Reference(in)
		if err != nil || h != host || p != path {
			t.Errorf("%q: got %q, %q, %v", in, h, p, err)
		}
	}
	test("/dav/a%40b/", "", "/dav/a%40b/")
	test(" /a?b#c ", "", "/a")
	test("https://cal.example.org/dav/%40", "cal.example.org", "/dav/%40")
	test("http://h:8008", "h:8008", "/")
	refuse := func(in string) {
		t.Helper()
		if _, _, err := Reference(in); err == nil {
			t.Errorf("%q was taken", in)
		}
	}
	refuse("")
	refuse("a/b")
	refuse("//host/a")
	refuse("mailto:a@b.c")
	refuse("http://[::1")
}

func TestPath(t *testing.T) {
	test := func(want string, slash bool, segments ...string) {
		t.Helper()
		got := Path(slash, segments...)
		if got != want {
			t.Errorf("%q: got %q, want %q", segments, got, want)
		}
		back, s, err := Segments(got)
		if err != nil || s != (slash || len(segments) == 0) || len(back) != len(segments) || len(back) > 0 && !reflect.DeepEqual(back, segments) {
			t.Errorf("%q is read as %q, %v, %v", got, back, s, err)
		}
	}
	test("/", true)
	test("/dav/calendars/ann@example.org/", true, "dav", "calendars", "ann@example.org")
	test("/a%20b%2Bc%25%26.ics", false, "a b+c%&.ics")
	test("/%C3%BC:1", false, "ü:1")
}

func TestDate(t *testing.T) {
	const layout = "Mon, 02 Jan 2006 15:04:05 GMT"
	east := time.FixedZone("east", 9*3600)
	for _, at := range []time.Time{
		{}, time.Unix(0, 0), time.Date(2026, 11, 22, 13, 5, 59, 999, time.UTC), time.Date(2027, 1, 1, 3, 4, 5, 0, east),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, want := Date(at), at.UTC().Format(layout); got != want {
			t.Errorf("%v: got %q, want %q", at, got, want)
		}
	}
	for day := range 400 {
		at := time.Date(2028, 1, 1, day%24, day%60, 7, 0, time.UTC).AddDate(0, 0, day)
		if got, want := Date(at), at.Format(layout); got != want {
			t.Errorf("%v: got %q, want %q", at, got, want)
		}
	}
}
