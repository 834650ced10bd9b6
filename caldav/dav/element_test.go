package dav

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// outline writes an element as {namespace}name[attributes](content).
func outline(e *Element) string {
	var b strings.Builder
	var walk func(*Element)
	walk = func(e *Element) {
		fmt.Fprintf(&b, "{%s}%s", e.Name.Space, e.Name.Local)
		for _, a := range e.Attrs {
			fmt.Fprintf(&b, "[{%s}%s=%s]", a.Name.Space, a.Name.Local, a.Value)
		}
		b.WriteString("(")
		for _, n := range e.Nodes {
			if n.Elem != nil {
				walk(n.Elem)
			} else {
				b.WriteString(n.Text)
			}
		}
		b.WriteString(")")
	}
	walk(e)
	return b.String()
}

func TestParse(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		e, err := Parse(strings.NewReader(in), Limits{})
		if err != nil {
			t.Errorf("%q: %v", in, err)
		} else if got := outline(e); got != want {
			t.Errorf("%q:\n got %s\nwant %s", in, got, want)
		}
	}
	test(`<propfind xmlns="DAV:"/>`, "{DAV:}propfind()")
	test("\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<D:a xmlns:D=\"DAV:\"><D:b>x</D:b></D:a>\r\n", "{DAV:}a({DAV:}b(x))")
	test(`<?xml version="1.0" encoding="US-ASCII"?><a/>`, "{}a()")
	// The innermost declaration counts, and only inside its element.
	test(`<x:a xmlns:x="1"><x:b xmlns:x="2"/><x:c/></x:a>`, "{1}a({2}b(){1}c())")
	test(`<a xmlns="1"><b xmlns=""><c/></b><d/></a>`, "{1}a({}b({}c()){1}d())")
	// Attributes without a prefix have no namespace (Namespaces in XML §6.2).
	test(`<a xmlns="1" xmlns:p="2" q="3" p:q="4"/>`, "{1}a[{}q=3][{2}q=4]()")
	test(`<a>1<!-- no -->2<b/><![CDATA[<3>]]>&amp;&#52;</a>`, "{}a(12{}b()<3>&4)")
	test("<a>b<c>d</c>e</a>", "{}a(b{}c(d)e)")
	test("<a>\r\n</a>", "{}a(\n)")
	test("<a>&#13;\n</a>", "{}a(\r\n)")
}

func TestParseRefuses(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		e, err := Parse(strings.NewReader(in), Limits{Bytes: 1000, Depth: 4, Elements: 10, Attrs: 3})
		if err == nil {
			t.Errorf("%q: taken as %s", in, outline(e))
		} else if err.Error() != want {
			t.Errorf("%q:\n got %s\nwant %s", in, err, want)
		}
	}
	test("", ErrEmpty.Error())
	test("  \n", ErrEmpty.Error())
	test("<?xml version='1.0'?>", ErrEmpty.Error())
	test("<a>\n<b>", "XML line 2: it ends inside <b>")
	test("<a></b>", "XML line 1: </b> closes nothing")
	test("</a>", "XML line 1: </a> closes nothing")
	test("<a/>\n<b/>", "XML line 2: a second root element <b>")
	test("<a/>b", "XML line 1: text outside the root element")
	test("a<a/>", "XML line 1: text outside the root element")
	test("<x:0 xmlns:x='1'/>", "XML line 1: <0> is no name")
	test("<:a/>", "XML line 1: <:a> is no name")
	test("<a :b=''/>", `XML line 1: the attribute ":b" is no name`)
	test("<Z:a/>", `XML line 1: the prefix "Z" is not declared`)
	test(`<a><x:b xmlns:x="1"/><x:c/></a>`, `XML line 1: the prefix "x" is not declared`)
	test("<a Z:b='1'/>", `XML line 1: the prefix of the attribute "b" is not declared`)
	test(`<a xmlns:x=""/>`, `XML line 1: the prefix "x" cannot be declared so`)
	test(`<a b="1" b="2"/>`, `XML line 1: the attribute "b" is there twice`)
	test(`<a xmlns:p="1" xmlns:q="1" p:b="1" q:b="2"/>`, `XML line 1: <a> has more than 3 attributes`)
	test(`<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`, "XML line 1: a document type is not allowed")
	test(`<!DOCTYPE a SYSTEM "http://x/"><a/>`, ErrExternal.Error())
	test(`<!DOCTYPE a [<!ENTITY x PUBLIC "y" "file:///z">]><a>&x;</a>`, ErrExternal.Error())
	test("<a>&x;</a>", "XML line 1: invalid character entity &x;")
	test("<a>\x01</a>", "XML line 1: illegal character code U+0001")
	test("<a>\xff</a>", "XML line 1: invalid UTF-8")
	test("<a><b><c><d><e/></d></c></b></a>", "XML line 1: elements are nested deeper than 4")
	test("<a>"+strings.Repeat("<b/>", 10)+"</a>", "XML line 1: more than 10 elements")
	test("<a>"+strings.Repeat(" ", 1000)+"</a>", ErrTooLarge.Error())
	test(`<?xml version="1.0" encoding="iso-8859-1"?><a/>`, ErrCharset.Error())
	test("\xFF\xFE<\x00a\x00/\x00>\x00", ErrCharset.Error())
}

func TestParseIsLinear(t *testing.T) {
	// A reader that joined pieces of text by copying, or searched all
	// declarations for each prefix, would not end in time.
	in := "<a>" + strings.Repeat("<![CDATA[a]]>", 300_000) + "</a>"
	e, err := Parse(strings.NewReader(in), Limits{})
	if err != nil || len(e.Text()) != 300_000 {
		t.Fatal(err)
	}
}

func TestLang(t *testing.T) {
	e, err := Parse(strings.NewReader(`<a xml:lang="de"><b/><c xml:lang="fr"/></a>`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range e.Children() {
		got = append(got, c.Lang)
	}
	if want := []string{"de", "fr"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>`,
		`<a xmlns="DAV:" xmlns:x="y" x:b="1" xml:lang="de">t<![CDATA[u]]><!-- v --><x:c/>&amp;&#13;</a>`,
		`<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`, "\xEF\xBB\xBF<a/>", `<?xml version="1.0" encoding="utf-16"?><a/>`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := Parse(strings.NewReader(s), Limits{})
		if err != nil {
			var syn *SyntaxError
			if !errors.As(err, &syn) && err != ErrEmpty && err != ErrTooLarge && err != ErrCharset && err != error(ErrExternal) {
				t.Fatalf("%q: an error without a name: %v", s, err)
			}
			return
		}
		// What was read can be written and is read as the same again.
		var w Writer
		w.Tree(e)
		again, err := Parse(strings.NewReader(string(w.Bytes())), Limits{Attrs: 1000})
		if err != nil {
			t.Fatalf("%q was written as %q: %v", s, w.Bytes(), err)
		}
		if outline(e) != outline(again) || e.Lang != again.Lang {
			t.Fatalf("%q was written as %q", s, w.Bytes())
		}
	})
}
