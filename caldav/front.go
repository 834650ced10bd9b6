package caldav

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/text/language"
	"rsc.io/qr"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

// The page at "/" tells a person how to connect the program that he has. It
// needs no log-in; with one it names his own addresses. It loads nothing from
// anywhere and runs no script.

//go:embed front.css
var frontStyle string

//go:embed front.html
var frontSource string

var frontPage = template.Must(template.New("front").Parse(frontSource))

// frontPolicy lets the page have its own style and nothing else.
var frontPolicy = func() string {
	sum := sha256.Sum256([]byte(frontStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}()

// frontMatcher knows the languages of the page, the first where none fits.
var frontMatcher = language.NewMatcher([]language.Tag{language.English, language.German})

// front is what the page shows.
type front struct {
	Text    *frontText
	Style   template.CSS
	Host    string // to be typed: with the port where it is not the usual one
	Base    string // "https://cal.example.org"
	User    string // the address of whoever has logged in, "" nobody
	Code    qrCode
	Secure  bool
	DAVx    template.URL // opens DAVx5 with the address filled in
	Addrs   []frontAddress
	Guides  []frontGuide
	Offers  []frontOffer
	Profile string
	LogIn   string
}

type frontAddress struct{ Name, URL string }

// frontOffer is a calendar that whoever has logged in may take.
type frontOffer struct{ UID, Calendar, Owner string }

type frontGuide struct {
	Name, About string
	Steps       []template.HTML
	Profile     bool // offers the profile for Apple's programs
	DAVx        bool // offers the link that opens DAVx5
}

// base is how people reach the server: as configured, or as they did.
func (x *exchange) base() *url.URL {
	if x.publicURL != nil {
		return x.publicURL
	}
	u := &url.URL{Scheme: "http", Host: x.r.Host}
	if x.r.TLS != nil {
		u.Scheme = "https"
	}
	return u
}

// front answers with the page. "?login" asks for a password, so that a browser
// sends one.
func (x *exchange) front() error {
	ok, err := x.authenticate()
	if err != nil {
		return err
	}
	if _, login := x.r.URL.Query()["login"]; login && !ok {
		x.challenge()
		return nil
	}
	tags, _, err := language.ParseAcceptLanguage(x.r.Header.Get("Accept-Language"))
	if err != nil || len(tags) > 50 {
		tags = nil
	}
	_, lang, _ := frontMatcher.Match(tags...)
	base := x.base()
	f := front{Text: &frontTexts[lang], Style: template.CSS(frontStyle), Host: base.Host, Base: base.String(), Secure: base.Scheme == "https",
		Profile: pathProfile, LogIn: "/?login"}
	if f.Code, err = codeOf(f.Base + "/"); err != nil {
		return err
	}
	davx := url.URL{Scheme: "caldav", Host: base.Host, Path: "/"}
	if f.Secure {
		davx.Scheme = "caldavs"
	}
	if ok {
		f.User = x.me.Address
		davx.User = url.User(f.User)
		for i, p := range []string{
			principalHref(&x.me),
			homeHref(wings[wingCalendars], &x.me),
			homeHref(wings[wingBooks], &x.me),
		} {
			f.Addrs = append(f.Addrs, frontAddress{f.Text.Places[i], f.Base + p})
		}
		if f.Offers, err = x.offers(); err != nil {
			return err
		}
	} else {
		f.Addrs = append(f.Addrs, frontAddress{f.Text.Everything, f.Base + hrefDAV})
	}
	f.Addrs = append(f.Addrs, frontAddress{f.Text.Directory, f.Base + x.directoryBook().href})
	f.DAVx = template.URL(davx.String())
	f.Guides = f.guides()

	var page strings.Builder
	if err := frontPage.Execute(&page, &f); err != nil {
		return err
	}
	h := x.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	h.Set("Content-Language", f.Text.Lang)
	h.Set("Vary", "Accept-Language, Authorization")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Content-Security-Policy", frontPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	x.w.WriteHeader(http.StatusOK)
	if x.r.Method != "HEAD" {
		x.w.Write([]byte(page.String()))
	}
	return nil
}

// maxOffers bounds the calendars that the page offers.
const maxOffers = 50

// offers are the calendars that I was asked to share, for who has no program
// that can answer.
func (x *exchange) offers() (all []frontOffer, err error) {
	var ms []db.Mount
	err = x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		ms, err = tx.Offers(x.me.ID, maxOffers)
		return err
	})
	for i := range ms {
		m := &ms[i]
		owner := m.Owner.Address
		if m.Owner.Name != "" {
			owner = m.Owner.Name + " <" + owner + ">"
		}
		r := &resource{coll: &m.Calendar, mount: m}
		all = append(all, frontOffer{m.UID, r.title(), owner})
	}
	return all, err
}

// answerOnPage takes what a button beside an offer sends. Nobody else knows the
// UID of an invitation, so no other page can press it.
func (x *exchange) answerOnPage() error {
	if ok, err := x.login(); !ok {
		return err
	}
	x.r.Body = http.MaxBytesReader(x.w, x.r.Body, 4<<10)
	if err := x.r.ParseForm(); err != nil {
		return &dav.Error{Status: http.StatusBadRequest, Detail: "not a form"}
	}
	answer := x.r.PostForm.Get("answer")
	if answer != "accept" && answer != "decline" {
		return &dav.Error{Status: http.StatusBadRequest, Detail: "neither accept nor decline"}
	}
	if _, err := x.answer(x.r.PostForm.Get("invitation"), answer == "accept", ""); err != nil && !errors.Is(err, errNoInvitation) {
		return err
	}
	x.w.Header().Set("Location", "/?login")
	x.w.Header().Set("Content-Length", "0")
	x.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// guides fill the addresses into what the texts say of each program.
func (f *front) guides() []frontGuide {
	// What stands in braces is shown as something to type.
	values := map[string]string{"{server}": f.Host, "{url}": f.Base + "/", "{dav}": f.Base + hrefDAV, "{directory}": f.Base + hrefDAV + wordDirectory + "/"}
	var pairs []string
	if f.User != "" {
		values["{user}"] = f.User
	} else {
		pairs = append(pairs, "{user}", template.HTMLEscapeString(f.Text.YourAddress))
	}
	for k, v := range values {
		pairs = append(pairs, k, `<code>`+template.HTMLEscapeString(v)+`</code>`)
	}
	fill := strings.NewReplacer(pairs...)
	var all []frontGuide
	for _, g := range f.Text.Guides {
		out := frontGuide{Name: g.Name, About: g.About, Profile: g.Offer == offerProfile, DAVx: g.Offer == offerDAVx}
		for _, s := range g.Steps {
			out.Steps = append(out.Steps, template.HTML(fill.Replace(template.HTMLEscapeString(s))))
		}
		all = append(all, out)
	}
	return all
}

// qrCode is a QR code as a path in an SVG of Side units, with the empty border
// of four that ISO/IEC 18004 wants.
type qrCode struct {
	Side int
	Path string
}

func codeOf(text string) (qrCode, error) {
	c, err := qr.Encode(text, qr.M)
	if err != nil {
		return qrCode{}, err
	}
	const border = 4
	var b strings.Builder
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			from := x
			for x < c.Size && c.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from+border, y+border, x-from, x-from)
			}
		}
	}
	return qrCode{Side: c.Size + 2*border, Path: b.String()}, nil
}

const (
	pathProfile    = "/connect.mobileconfig"
	pathAutoconfig = "/.well-known/autoconfig/mail/config-v1.1.xml"
)

// aux answers the paths outside of the tree that are no calendar data: true if
// this was one.
func (x *exchange) aux(path string) (bool, error) {
	if x.r.Method == "POST" && path == "/" {
		if m, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err == nil && m == "application/x-www-form-urlencoded" {
			return true, x.answerOnPage()
		}
	}
	if x.r.Method != "GET" && x.r.Method != "HEAD" {
		return false, nil
	}
	switch path {
	case "/":
		return true, x.front()
	case pathProfile:
		return true, x.profile()
	case pathAutoconfig:
		return true, x.autoconfig()
	}
	return false, nil
}

// profile answers with a configuration profile for iOS and macOS: a CalDAV and
// a CardDAV account of whoever asks, without a password. Its UUIDs stay, so
// that a second one replaces the first.
func (x *exchange) profile() error {
	if ok, err := x.login(); !ok {
		return err
	}
	base := x.base()
	port := base.Port()
	if port == "" {
		port = "443"
		if base.Scheme == "http" {
			port = "80"
		}
	}
	labels := strings.Split(base.Hostname(), ".")
	for i, j := 0, len(labels)-1; i < j; i, j = i+1, j-1 {
		labels[i], labels[j] = labels[j], labels[i]
	}
	id := strings.Join(labels, ".") + ".convene." + stableUUID(principalName(&x.me))
	name := "Convene: " + x.me.Address

	var w dav.Writer
	w.Raw(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">` + "\n" + `<plist version="1.0"><dict>`)
	entry := func(key, value string) {
		w.Raw("<key>" + key + "</key><string>")
		w.Text(value)
		w.Raw("</string>")
	}
	common := func(kind, sub string) {
		entry("PayloadType", kind)
		entry("PayloadIdentifier", id+sub)
		entry("PayloadUUID", stableUUID("profile "+id+sub))
		w.Raw("<key>PayloadVersion</key><integer>1</integer>")
		entry("PayloadDisplayName", name)
	}
	common("Configuration", "")
	entry("PayloadDescription", "Calendars, reminders and contacts at "+base.Host)
	w.Raw("<key>PayloadContent</key><array>")
	for _, a := range []struct{ prefix, kind string }{{"CalDAV", "caldav"}, {"CardDAV", "carddav"}} {
		w.Raw("<dict>")
		common("com.apple."+a.kind+".account", "."+a.kind)
		entry(a.prefix+"AccountDescription", name)
		entry(a.prefix+"HostName", base.Hostname())
		w.Raw("<key>" + a.prefix + "Port</key><integer>" + port + "</integer>")
		entry(a.prefix+"PrincipalURL", principalHref(&x.me))
		entry(a.prefix+"Username", x.me.Address)
		w.Raw("<key>" + a.prefix + "UseSSL</key><" + strconv.FormatBool(base.Scheme == "https") + "/></dict>")
	}
	w.Raw("</array></dict></plist>\n")
	h := x.w.Header()
	h.Set("Content-Type", "application/x-apple-aspen-config")
	h.Set("Content-Disposition", `attachment; filename="convene.mobileconfig"`)
	return x.sendAux(w.Bytes())
}

// autoconfig answers with what Thunderbird's format knows of calendars and
// contacts. It is the whole for a program that asks this host, and shows
// operators what to add to the file of their mail service.
func (x *exchange) autoconfig() error {
	var w dav.Writer
	w.Raw(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<clientConfig version="1.1">` + "\n")
	for _, a := range []struct{ element, kind string }{{"addressBook", "carddav"}, {"calendar", "caldav"}} {
		w.Raw("  <" + a.element + ` type="` + a.kind + `"><username>%EMAILADDRESS%</username><authentication>http-basic</authentication><serverURL>`)
		w.Text(x.base().String() + hrefDAV)
		w.Raw("</serverURL></" + a.element + ">\n")
	}
	w.Raw("</clientConfig>\n")
	x.w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	return x.sendAux(w.Bytes())
}

func (x *exchange) sendAux(body []byte) error {
	h := x.w.Header()
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "private, no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	x.w.WriteHeader(http.StatusOK)
	if x.r.Method != "HEAD" {
		x.w.Write(body)
	}
	return nil
}
