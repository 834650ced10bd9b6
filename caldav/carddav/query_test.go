package carddav

import (
	"errors"
	"strings"
	"testing"

	"github.com/convene-server/convene/caldav/dav"
)

func element(t testing.TB, s string) *dav.Element {
	t.Helper()
	e, err := dav.Parse(strings.NewReader(`<x xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">`+s+`</x>`), dav.Limits{})
	if err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return e.Children()[0]
}

// condition returns the precondition of an error, or its status.
func condition(err error) string {
	var e *dav.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e) && e.Cond.Local != "":
		return e.Cond.Local
	case errors.As(err, &e) && e.Status == 400:
		return "400"
	}
	return err.Error()
}

func TestMatch(t *testing.T) {
	c, err := Parse(crlf(ann), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	test := func(filter string, want bool) {
		t.Helper()
		f, err := ParseFilter(element(t, filter))
		if err != nil {
			t.Errorf("%s: %v", filter, err)
		} else if got := f.Match(c); got != want {
			t.Errorf("%s: %v", filter, got)
		}
	}
	one := func(name, attrs, s string) string {
		return `<C:prop-filter name="` + name + `"` + attrs + `>` + s + `</C:prop-filter>`
	}
	in := func(s string) string { return `<C:filter>` + s + `</C:filter>` }
	text := func(attrs, s string) string { return `<C:text-match` + attrs + `>` + s + `</C:text-match>` }

	// RFC 6352 §10.5
	test(in(``), true)
	test(in(one("FN", "", "")+one("NICKNAME", "", "")), true)
	test(`<C:filter test="allof">`+one("FN", "", "")+one("NICKNAME", "", "")+`</C:filter>`, false)
	test(`<C:filter test="allof">`+one("FN", "", "")+one("EMAIL", "", "")+`</C:filter>`, true)
	test(in(one("NICKNAME", "", "")+one("TEL", "", "")), false)

	// §10.5.1
	test(in(one("fn", "", "")), true)
	test(in(one("FN", "", "<C:is-not-defined/>")), false)
	test(in(one("TEL", "", "<C:is-not-defined/>")), true)
	// Not in the grammar, but sent: a text, or none at all.
	test(in(one("TEL", "", "<C:text-match>1</C:text-match><C:is-not-defined/>")), true)
	test(in(one("FN", "", "<C:text-match>no such</C:text-match><C:is-not-defined/>")), false)
	test(in(one("FN", "", "<C:is-not-defined/><C:text-match match-type='starts-with'></C:text-match>")), true)
	test(in(one("EMAIL", "", text("", "home.example"))), true) // the second one
	test(in(one("EMAIL", "", text("", "nobody"))), false)
	test(in(one("ITEM1.EMAIL", "", text("", "ann@example.org"))), true)
	test(in(one("item1.email", "", text("", "home.example"))), false)
	test(in(one("ITEM2.EMAIL", "", "")), false)
	test(in(one("FN", "", text("", "zzz")+text("", "doe"))), true)
	test(in(one("FN", ` test="allof"`, text("", "zzz")+text("", "doe"))), false)
	test(in(one("FN", ` test="allof"`, text("", "ann")+text("", "doe"))), true)

	// §10.5.2
	par := func(name, s string) string { return `<C:param-filter name="` + name + `">` + s + `</C:param-filter>` }
	test(in(one("EMAIL", "", par("TYPE", text("", "work")))), true)
	test(in(one("EMAIL", "", par("TYPE", text("", "fax")))), false)
	test(in(one("EMAIL", "", par("TYPE", text(` negate-condition="yes"`, "work")))), true) // the one at home
	test(in(one("item1.EMAIL", "", par("TYPE", text(` negate-condition="yes"`, "work")))), false)
	test(in(one("FN", "", par("TYPE", "<C:is-not-defined/>"))), true)
	test(in(one("EMAIL", "", par("TYPE", "<C:is-not-defined/>"))), false)
	test(in(one("EMAIL", "", par("TYPE", ""))), true)
	test(in(one("EMAIL", "", par("PREF", ""))), false)
	test(in(one("EMAIL", "", par("PREF", text("", "1")))), false)
	test(in(one("EMAIL", ` test="allof"`, text("", "home.example")+par("TYPE", text("", "WORK")))), false) // one property meets both
	test(in(one("EMAIL", ` test="allof"`, text("", "example.org")+par("TYPE", text("", "WORK")))), true)
	test(in(one("EMAIL", "", text("", "nobody")+par("TYPE", text("", "WORK")))), true)

	// §10.5.4 and §8.3
	test(in(one("ADR", "", text("", "KÖLN"))), true) // i;unicode-casemap is the default
	test(in(one("ADR", "", text(` collation="default"`, "KÖLN"))), true)
	test(in(one("ADR", "", text(` collation="i;ascii-casemap"`, "KÖLN"))), false)
	test(in(one("ADR", "", text(` collation="i;octet"`, "köln"))), false)
	test(in(one("ADR", "", text("", "main st, left"))), true)
	test(in(one("FN", "", text(` match-type="equals"`, "ann doe"))), true)
	test(in(one("FN", "", text(` match-type="equals"`, "ann"))), false)
	test(in(one("FN", "", text(` match-type="starts-with"`, "ann"))), true)
	test(in(one("FN", "", text(` match-type="starts-with"`, "doe"))), false)
	test(in(one("FN", "", text(` match-type="ends-with"`, "DOE"))), true)
	test(in(one("FN", "", text(` match-type="ends-with"`, "ann"))), false)
	test(in(one("FN", "", text(` match-type="contains"`, "n d"))), true)
	test(in(one("FN", "", text(` match-type="equals" negate-condition="yes"`, "ann"))), true)
	test(in(one("TEL", "", text(` negate-condition="yes"`, "1"))), false)

	if f, err := ParseFilter(nil); err != nil || !f.Match(c) {
		t.Error("no filter does not mean every card")
	}
}

func TestFilterRefusals(t *testing.T) {
	test := func(inner, want string) {
		t.Helper()
		_, err := ParseFilter(element(t, inner))
		if got := condition(err); got != want {
			t.Errorf("%.100s: %q, want %q", inner, got, want)
		}
	}
	in := func(s string) string { return `<C:filter>` + s + `</C:filter>` }
	fn := func(s string) string { return in(`<C:prop-filter name="FN">` + s + `</C:prop-filter>`) }
	test(in(`<D:other/>`), "")
	test(in(`<C:prop-filter/>`), "400")
	test(`<C:filter test="some"/>`, "400")
	test(in(`<C:prop-filter name="FN" test="x"/>`), "400")
	test(in(`<C:near/>`), "supported-filter")
	test(fn(`<C:near/>`), "supported-filter")
	test(in(`<C:prop-filter name="FN" test="allof"><C:is-not-defined/><C:text-match>x</C:text-match></C:prop-filter>`), "400")
	test(fn(`<C:param-filter/>`), "400")
	test(fn(`<C:param-filter name="A"><C:is-not-defined/><C:text-match>x</C:text-match></C:param-filter>`), "400")
	test(fn(`<C:param-filter name="A"><C:text-match>x</C:text-match><C:text-match>x</C:text-match></C:param-filter>`), "400")
	test(fn(`<C:text-match match-type="like">x</C:text-match>`), "400")
	test(fn(`<C:text-match negate-condition="1">x</C:text-match>`), "400")
	test(fn(`<C:text-match collation="i;x">x</C:text-match>`), "supported-collation")
	test(fn(`<C:text-match>`+strings.Repeat("x", maxText+1)+`</C:text-match>`), "supported-filter")
	test(fn(strings.Repeat(`<C:text-match>x</C:text-match>`, maxParts)), "supported-filter")
	test(in(`<C:prop-filter name="`+strings.Repeat("x", maxName+1)+`"/>`), "supported-filter")
}

func TestData(t *testing.T) {
	c, err := Parse(crlf(ann), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	test := func(data, want, refusal string) {
		t.Helper()
		d, err := ParseData(element(t, data))
		var got []byte
		if err == nil {
			got, err = d.Of(c)
		}
		if condition(err) != refusal || strings.ReplaceAll(string(got), "\r\n", "\n") != want {
			t.Errorf("%s:\n%s%v", data, got, err)
		}
	}
	test(`<C:address-data/>`, ann, "")
	test(`<C:address-data content-type="text/vcard" version="3.0"/>`, ann, "")
	test(`<C:address-data><C:allprop/></C:address-data>`, ann, "")
	// RFC 6352 §5.1.1
	test(`<C:address-data content-type="text/vcard" version="4.0"><C:prop name="VERSION"/><C:prop name="UID"/><C:prop name="ITEM1.EMAIL"/></C:address-data>`,
		"BEGIN:VCARD\nVERSION:4.0\nUID;VALUE=text:ann-1\nitem1.EMAIL;TYPE=INTERNET,WORK;PREF=1:ann@example.org\nEND:VCARD\n", "")
	// RFC 7095
	test(`<C:address-data content-type="application/vcard+json"><C:prop name="VERSION"/><C:prop name="FN"/><C:prop name="ITEM1.EMAIL" novalue="yes"/></C:address-data>`,
		`["vcard",[["version",{},"text","4.0"],["fn",{},"text","Ann Doe"],["email",{"group":"item1","pref":"1","type":["INTERNET","WORK"]},"text",""]]]`, "")
	test(`<C:address-data content-type="application/vcard+json" version="3.0"/>`, "", "supported-address-data")
	test(`<C:address-data content-type="application/json"/>`, "", "supported-address-data")
	test(`<C:address-data version="2.1"/>`, "", "supported-address-data")
	test(`<C:address-data><C:prop/></C:address-data>`, "", "400")
	test(`<C:address-data><C:prop name="VERSION"/><C:prop name="fn"/><C:prop name="NOTE"/></C:address-data>`,
		"BEGIN:VCARD\nVERSION:3.0\nFN:Ann Doe\nNOTE:a long note that a program folded somewhere in the mid\n dle\\Nof a word\nEND:VCARD\n", "")
	test(`<C:address-data><C:prop name="EMAIL" novalue="yes"/></C:address-data>`,
		"BEGIN:VCARD\nitem1.EMAIL;TYPE=INTERNET,WORK;type=pref:\nEMAIL;HOME:\nEND:VCARD\n", "")
	test(`<C:address-data><C:prop name="ITEM1.EMAIL"/></C:address-data>`,
		"BEGIN:VCARD\nitem1.EMAIL;TYPE=INTERNET,WORK;type=pref:ann@example.org\nEND:VCARD\n", "")

	whole := func(data string, want bool) {
		t.Helper()
		if d, err := ParseData(element(t, data)); err != nil || d.Whole() != want {
			t.Errorf("%s: whole %v, %v", data, d.Whole(), err)
		}
	}
	whole(`<C:address-data/>`, true)
	whole(`<C:address-data version="3.0"/>`, false) // the card's version has to be looked at
	whole(`<C:address-data><C:prop name="FN"/></C:address-data>`, false)
}

func BenchmarkMatch(b *testing.B) {
	in := crlf(ann)
	f, err := ParseFilter(element(b, `<C:filter><C:prop-filter name="FN"><C:text-match>doe</C:text-match></C:prop-filter><C:prop-filter name="EMAIL"><C:text-match>nobody</C:text-match></C:prop-filter></C:filter>`))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		c, err := Parse(in, Limits{})
		if err != nil || !f.Match(c) {
			b.Fatal(err)
		}
	}
}

// FuzzFilter: a filter that is taken matches without trouble.
func FuzzFilter(f *testing.F) {
	f.Add(`<C:filter xmlns:C="urn:ietf:params:xml:ns:carddav" test="anyof"><C:prop-filter name="FN"><C:text-match collation="i;unicode-casemap" match-type="contains" negate-condition="yes">x</C:text-match><C:param-filter name="TYPE"><C:is-not-defined/></C:param-filter></C:prop-filter></C:filter>`)
	card, err := Parse([]byte("BEGIN:VCARD\r\nVERSION:4.0\r\nUID:c\r\nFN;TYPE=x:C\r\nEND:VCARD\r\n"), Limits{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		root, err := dav.Parse(strings.NewReader(s), dav.Limits{})
		if err != nil {
			return
		}
		if q, err := ParseFilter(root); err == nil {
			q.Match(card)
		}
	})
}

// What a filter looks for in cards of which only some properties are indexed.
func TestNeedles(t *testing.T) {
	has := map[string]bool{"FN": true, "N": true, "KIND": false}
	test := func(filter, want string) {
		t.Helper()
		f, err := ParseFilter(element(t, `<C:filter`+filter+`</C:filter>`))
		if err != nil {
			t.Fatal(err)
		}
		texts, ok := f.Needles(has)
		got := "every card"
		if ok {
			got = strings.Join(texts, "|")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
	fn := func(attrs, in string) string {
		return `<C:prop-filter name="FN"` + attrs + `>` + in + `</C:prop-filter>`
	}
	text := func(s string) string { return `<C:text-match>` + s + `</C:text-match>` }
	not := `<C:text-match negate-condition="yes">x</C:text-match>`
	tel := `<C:prop-filter name="TEL">` + text("1") + `</C:prop-filter>`
	kind := `<C:prop-filter name="KIND">` + text("group") + `</C:prop-filter>`
	test(`>`, "every card")
	test(`>`+fn("", text("ann")), "ANN")
	test(`>`+fn("", ""), "every card")
	test(`>`+fn("", not), "every card")
	test(`>`+fn("", text("")), "every card")
	test(`>`+fn("", text("doe;ann-marie")), "ANN-MARIE")
	test(`>`+fn("", text("ann")+text("bob")), "ANN|BOB")
	test(`>`+fn("", text("ann")+not), "every card")
	test(`>`+fn(` test="allof"`, not+text("ann")), "ANN")
	test(`>`+fn("", text("ann")+`<C:param-filter name="X"/>`), "every card")
	test(`>`+fn(` test="allof"`, text("ann")+`<C:param-filter name="X"/>`), "ANN")
	test(`>`+tel, "")
	test(`>`+tel+fn("", text("ann")), "ANN")
	test(`>`+kind+fn("", text("ann")), "every card")
	test(` test="allof">`+kind+fn("", text("ann")), "ANN")
	test(` test="allof">`+kind, "every card")
	test(` test="allof">`+tel+fn("", text("ann")), "")
	test(`>`+`<C:prop-filter name="TEL"><C:is-not-defined/></C:prop-filter>`, "every card")
}
