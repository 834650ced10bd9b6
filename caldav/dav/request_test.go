package dav

import (
	"encoding/xml"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func parse(t *testing.T, s string) *Element {
	t.Helper()
	e, err := Parse(strings.NewReader(s), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func names(es []*Element) []xml.Name {
	var out []xml.Name
	for _, e := range es {
		out = append(out, e.Name)
	}
	return out
}

func refused(t *testing.T, err error, detail string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Status != 400 || e.Detail != detail {
		t.Errorf("got %v, want 400: %s", err, detail)
	}
}

func TestPropfind(t *testing.T) {
	if r, err := Propfind(nil); err != nil || !r.AllProp {
		t.Errorf("no body: %+v, %v", r, err)
	}
	r, err := Propfind(parse(t, `<propfind xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><prop><getetag/><c:schedule-tag/><getetag/></prop></propfind>`))
	if want := []xml.Name{D("getetag"), C("schedule-tag")}; err != nil || r.AllProp || !reflect.DeepEqual(names(r.Props), want) {
		t.Errorf("got %v, %v", names(r.Props), err)
	}
	if !r.Wants(C("schedule-tag")) || r.Wants(D("schedule-tag")) {
		t.Error("Wants does not look at the namespace")
	}
	r, err = Propfind(parse(t, `<propfind xmlns="DAV:"><prop/></propfind>`))
	if err != nil || r.Props == nil || len(r.Props) != 0 {
		t.Errorf("empty prop: %+v, %v", r, err)
	}
	r, err = Propfind(parse(t, `<propfind xmlns="DAV:"><allprop/><include><owner/></include></propfind>`))
	if err != nil || !r.AllProp || !reflect.DeepEqual(names(r.Include), []xml.Name{D("owner")}) {
		t.Errorf("include: %+v, %v", r, err)
	}
	r, err = Propfind(parse(t, `<propfind xmlns="DAV:"><propname/></propfind>`))
	if err != nil || !r.PropName {
		t.Errorf("propname: %+v, %v", r, err)
	}
	_, err = Propfind(parse(t, `<propfind xmlns="DAV:"/>`))
	refused(t, err, "a propfind names no property")
	_, err = Propfind(parse(t, `<propfind xmlns="x"><prop/></propfind>`))
	refused(t, err, "the request is a {x}propfind and not a propfind")
}

func TestProppatch(t *testing.T) {
	got, err := Proppatch(parse(t, `<propertyupdate xmlns="DAV:"><set><prop><displayname>a</displayname></prop></set>`+
		`<remove><prop><x xmlns="y"/></prop></remove><set><prop><displayname>b</displayname></prop></set></propertyupdate>`))
	if err != nil || len(got) != 3 {
		t.Fatalf("got %v, %v", got, err)
	}
	if got[0].Remove || got[0].Prop.Text() != "a" || !got[1].Remove || got[1].Prop.Name != (xml.Name{Space: "y", Local: "x"}) || got[2].Prop.Text() != "b" {
		t.Errorf("got %+v", got)
	}
	_, err = Proppatch(nil)
	refused(t, err, "the request needs a body: propertyupdate")
	_, err = Proppatch(parse(t, `<propertyupdate xmlns="DAV:"><set/></propertyupdate>`))
	refused(t, err, "a propertyupdate changes no property")
}

func TestSync(t *testing.T) {
	test := func(in string, token, level string, limit int) {
		t.Helper()
		s, err := ParseSync(parse(t, `<sync-collection xmlns="DAV:">`+in+`<prop><getetag/></prop></sync-collection>`))
		if err != nil || s.Token != token || s.Level != level || s.Limit != limit || !s.Wants(D("getetag")) {
			t.Errorf("%s: got %+v, %v", in, s, err)
		}
	}
	test(`<sync-token/>`, "", "", 0)
	test(``, "", "", 0)
	test("<sync-token>\n urn:x:1\n</sync-token><sync-level>1</sync-level>", "urn:x:1", "1", 0)
	test(`<sync-level>infinite</sync-level><limit><nresults>7</nresults></limit>`, "", "infinite", 7)
	_, err := ParseSync(parse(t, `<sync-collection xmlns="DAV:"><sync-level>2</sync-level></sync-collection>`))
	refused(t, err, "sync-level is neither 1 nor infinite")
	_, err = ParseSync(parse(t, `<sync-collection xmlns="DAV:"><limit><nresults>0</nresults></limit></sync-collection>`))
	refused(t, err, "nresults is no positive number")
}

func TestMultiget(t *testing.T) {
	m, err := ParseMultiget(parse(t, `<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/></D:prop>`+
		"<D:href>/b%40c</D:href><D:href>\n/a </D:href><D:href>/b%40c</D:href></C:calendar-multiget>"))
	if want := []string{"/b%40c", "/a", "/b%40c"}; err != nil || !reflect.DeepEqual(m.Hrefs, want) {
		t.Errorf("got %q, %v", m.Hrefs, err)
	}
	_, err = ParseMultiget(parse(t, `<C:calendar-multiget xmlns:C="urn:ietf:params:xml:ns:caldav"/>`))
	refused(t, err, "a multiget without an href")
}

func TestExpand(t *testing.T) {
	got, err := ParseExpand(parse(t, `<expand-property xmlns="DAV:"><property name="calendar-proxy-write-for" namespace="http://calendarserver.org/ns/">`+
		`<property name="displayname"/></property></expand-property>`))
	want := []Expand{{CS("calendar-proxy-write-for"), []Expand{{D("displayname"), nil}}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = ParseExpand(parse(t, `<expand-property xmlns="DAV:"><property/></expand-property>`))
	refused(t, err, "a property without a name")
}

func TestPropertySearch(t *testing.T) {
	s, err := ParsePropertySearch(parse(t, `<principal-property-search xmlns="DAV:" test="anyof">`+
		`<property-search><prop><displayname/></prop><match match-type="starts-with">big</match></property-search>`+
		`<property-search><prop><displayname/><x xmlns="y"/></prop><match> x </match></property-search>`+
		`<prop><displayname/></prop><apply-to-principal-collection-set/></principal-property-search>`))
	want := []PropertyMatch{{[]xml.Name{D("displayname")}, "big", StartsWith, false}, {[]xml.Name{D("displayname"), {Space: "y", Local: "x"}}, "x", Contains, false}}
	if err != nil || !s.Any || !s.Collections || !reflect.DeepEqual(s.Matches, want) {
		t.Errorf("got %+v, %v", s, err)
	}
	_, err = ParsePropertySearch(parse(t, `<principal-property-search xmlns="DAV:"/>`))
	refused(t, err, "a principal-property-search without a property-search")
	_, err = ParsePropertySearch(parse(t, `<principal-property-search xmlns="DAV:"><property-search><prop><displayname/></prop><match match-type="x">y</match></property-search></principal-property-search>`))
	refused(t, err, "unknown match-type x")
}
