package caldav

import (
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"rsc.io/qr"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// TestFrontPage: the page tells the real addresses in the reader's language,
// loads nothing from anywhere, and names nobody who has not logged in.
func TestFrontPage(t *testing.T) {
	h := newHouse(t, dbtest.New(t, "sqlite"))
	h.add(db.Principal{Address: "o'neil&co@example.org", Kind: db.Person, Name: "<b>O'Neil</b>"})
	page := h.do("", "GET", "/", "").want(t, 200)
	for _, want := range []string{`lang="en"`, "cal.example.org", "https://cal.example.org/dav/", "https://cal.example.org/dav/directory/", `href="/connect.mobileconfig"`, `href="caldavs://cal.example.org/"`, "Thunderbird", "Evolution", "DAVx⁵", "iPhone", "Outlook", `name="viewport"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if csp := page.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
	for _, outside := range []string{"<script", "<link", "src=", "@import", "url(", " style=", "ZgotmplZ", "{server}", "{url}", "{user}", "{dav}"} {
		if strings.Contains(page.body, outside) {
			t.Errorf("the page has %s", outside)
		}
	}
	test := func(lang, want string) {
		t.Helper()
		r := h.do("", "GET", "/", "", "Accept-Language", lang).want(t, 200)
		if got := r.header.Get("Content-Language"); got != want || !strings.Contains(r.body, `<html lang="`+want+`"`) {
			t.Errorf("%s: %s", lang, got)
		}
	}
	test("de-CH,de;q=0.9,en;q=0.5", "de")
	test("en;q=0.3, de;q=0.2", "en")
	test("ja", "en")
	test("nonsense;;", "en")
	if len(frontTexts[0].Guides) != len(frontTexts[1].Guides) {
		t.Error("one language lacks a program")
	}
	if r := h.do("", "HEAD", "/", "").want(t, 200); r.body != "" || r.header.Get("Content-Length") == "0" {
		t.Errorf("HEAD: %v", r.header)
	}

	h.do("", "GET", "/?login", "").want(t, 401)
	mine := h.do("o'neil&co@example.org", "GET", "/?login", "").want(t, 200)
	for _, want := range []string{"<code>o&#39;neil&amp;co@example.org</code>", "https://cal.example.org/dav/calendars/o", `href="caldavs://o%27neil&amp;co%40example.org@cal.example.org/"`} {
		if !strings.Contains(mine.body, want) {
			t.Errorf("my page lacks %s", want)
		}
	}
	if strings.Contains(mine.body, "<b>O") {
		t.Error("a name is not escaped")
	}
}

// The code on the page is that of its address: read back as modules.
func TestCode(t *testing.T) {
	const text = "https://cal.example.org/"
	c, err := codeOf(text)
	if err != nil {
		t.Fatal(err)
	}
	dark := map[[2]int]bool{}
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(c.Path, -1) {
		var x, y, n, back int
		fmt.Sscan(m[1]+" "+m[2]+" "+m[3]+" "+m[4], &x, &y, &n, &back)
		if n != back {
			t.Errorf("%s is not closed", m[0])
		}
		for i := range n {
			dark[[2]int{x + i, y}] = true
		}
	}
	want, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	for y := range c.Side {
		for x := range c.Side {
			if dark[[2]int{x, y}] != want.Black(x-4, y-4) {
				t.Fatalf("the module at %d, %d", x, y)
			}
		}
	}
}

// plist reads a dict of Apple's property lists.
func plist(t *testing.T, d *xml.Decoder) map[string]any {
	t.Helper()
	out, key := map[string]any{}, ""
	var list []map[string]any
	for {
		tok, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			switch e.Name.Local {
			case "key":
				d.DecodeElement(&key, &e)
			case "string", "integer":
				var s string
				d.DecodeElement(&s, &e)
				out[key] = s
			case "true", "false":
				out[key] = e.Name.Local == "true"
			case "dict":
				list = append(list, plist(t, d))
				out[key] = list
			}
		case xml.EndElement:
			if e.Name.Local == "dict" {
				return out
			}
		}
	}
}

func TestProfile(t *testing.T) {
	h := newHouse(t, dbtest.New(t, "sqlite"))
	const odd = "o'neil&co@example.org"
	h.add(db.Principal{Address: odd, Kind: db.Person})
	read := func(who string) map[string]any {
		t.Helper()
		r := h.do(who, "GET", "/connect.mobileconfig", "").want(t, 200)
		if r.header.Get("Content-Type") != "application/x-apple-aspen-config" || strings.Contains(r.body, "secret") {
			t.Errorf("%v %s", r.header, r.body)
		}
		d := xml.NewDecoder(strings.NewReader(r.body))
		for {
			tok, err := d.Token()
			if err == io.EOF || err != nil {
				t.Fatalf("no dict: %v", err)
			}
			if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "dict" {
				return plist(t, d)
			}
		}
	}
	h.do("", "GET", "/connect.mobileconfig", "").want(t, 401)
	p := read(odd)
	in := p["PayloadContent"].([]map[string]any)
	if len(in) != 2 {
		t.Fatalf("%v", p)
	}
	cal, card := in[0], in[1]
	test := func(m map[string]any, key string, want any) {
		t.Helper()
		if m[key] != want {
			t.Errorf("%s = %v, want %v", key, m[key], want)
		}
	}
	test(p, "PayloadType", "Configuration")
	test(p, "PayloadVersion", "1")
	test(cal, "PayloadType", "com.apple.caldav.account")
	test(cal, "CalDAVHostName", "cal.example.org")
	test(cal, "CalDAVPort", "443")
	test(cal, "CalDAVUseSSL", true)
	test(cal, "CalDAVUsername", odd)
	test(card, "PayloadType", "com.apple.carddav.account")
	test(card, "CardDAVUsername", odd)
	test(card, "CardDAVHostName", "cal.example.org")
	if path := card["CardDAVPrincipalURL"].(string); !strings.HasPrefix(path, "/dav/principals/") || h.do(odd, "PROPFIND", path, "", "Depth", "0").status != 207 {
		t.Errorf("the principal is at %s", path)
	}
	again, other := read(odd), read(ann)
	uuids := map[any]bool{}
	for _, m := range []map[string]any{p, cal, card, other} {
		uuids[m["PayloadUUID"]] = true
	}
	if len(uuids) != 4 || again["PayloadUUID"] != p["PayloadUUID"] || again["PayloadIdentifier"] != p["PayloadIdentifier"] {
		t.Errorf("the UUIDs: %v, again %v", uuids, again["PayloadUUID"])
	}
}

func TestAutoconfig(t *testing.T) {
	h := newHouse(t, dbtest.New(t, "sqlite"))
	var c struct {
		AddressBook, Calendar struct {
			Type string `xml:"type,attr"`
			URL  string `xml:"serverURL"`
		}
	}
	body := h.do("", "GET", "/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=ann@example.org", "").want(t, 200).body
	body = strings.NewReplacer("addressBook", "AddressBook", "calendar", "Calendar").Replace(body)
	if err := xml.Unmarshal([]byte(body), &c); err != nil {
		t.Fatal(err)
	}
	if c.AddressBook.Type != "carddav" || c.Calendar.Type != "caldav" || c.AddressBook.URL != "https://cal.example.org/dav/" || c.Calendar.URL != c.AddressBook.URL {
		t.Errorf("%+v", c)
	}
}
