package caldav

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// The people of the tests: all have the password "secret".
const (
	ann = "ann@example.org"
	bob = "bob@example.org"
)

var now = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// hashed is the password as cheaply as the directory takes it.
var hashed = sync.OnceValues(func() (string, error) {
	b, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	return string(b), err
})

// house is a whole server but for the mail.
type house struct {
	t     testing.TB
	store *db.Store
	desk  *scheduling.Desk
	http  *httptest.Server
}

// each runs a test against a house on each database.
func each(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, s *db.Store) { f(t, newHouse(t, s)) })
}

// storeOf is a fresh store on one database.
func storeOf(t testing.TB, kind string) *db.Store { return dbtest.New(t, kind) }

func newHouse(t testing.TB, s *db.Store) *house {
	t.Helper()
	h := &house{t: t, store: s}
	h.add(db.Principal{Address: ann, Kind: db.Person, Name: "Ann Ärmel", TZ: "Europe/Berlin"}, "ann.b@example.org")
	h.add(db.Principal{Address: bob, Kind: db.Person, Name: "Bob"})
	h.add(db.Principal{Address: "room@example.org", Kind: db.Room, Name: "Big room"})
	log := slog.New(slog.NewTextHandler(failOnError{t}, &slog.HandlerOptions{Level: slog.LevelError}))
	h.desk = scheduling.New(s, scheduling.Options{Domains: []string{"example.org"}, MaxResource: 1 << 20, MaxAttendees: 1000,
		Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	h.http = httptest.NewServer(New(Options{Store: s, Directory: directory.New(s), Desk: h.desk, PublicURL: "https://cal.example.org", TimezoneService: "https://zones.example.org/tz",
		MaxResource: 1 << 20, Log: log, Now: func() time.Time { return now }}))
	t.Cleanup(h.http.Close)
	return h
}

// failOnError fails a test in which the door logs an error: a panic.
type failOnError struct{ t testing.TB }

func (f failOnError) Write(b []byte) (int, error) {
	f.t.Errorf("logged: %s", b)
	return len(b), nil
}

func (h *house) add(p db.Principal, aliases ...string) {
	h.t.Helper()
	hash, err := hashed()
	if err != nil {
		h.t.Fatal(err)
	}
	p.Password = hash
	err = h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
		p := p
		return directory.Add(tx, &p, aliases)
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request as a person, "" as nobody. Headers alternate name, value.
func (h *house) do(who, method, path, body string, headers ...string) reply {
	h.t.Helper()
	req, err := http.NewRequest(method, h.http.URL+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if who != "" {
		req.SetBasicAuth(who, "secret")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return h.send(req)
}

func (h *house) send(req *http.Request) reply {
	h.t.Helper()
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(b)}
}

// want checks the status of an answer.
func (r reply) want(t testing.TB, status int) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d\n%v\n%s", r.status, status, r.header, r.body)
	}
	return r
}

// row is one response of a multistatus.
type row struct {
	href   string
	status string                       // of the response itself
	props  map[string]map[string]string // by status line: property to content
}

// text is a found property, with its markup in short.
func (r row) text(name string) string { return r.props["HTTP/1.1 200 OK"][name] }

// has reports whether a property was found.
func (r row) has(name string) bool {
	_, ok := r.props["HTTP/1.1 200 OK"][name]
	return ok
}

// lacks reports whether a property was told to be absent.
func (r row) lacks(name string) bool {
	_, ok := r.props["HTTP/1.1 404 Not Found"][name]
	return ok
}

// rows reads a multistatus.
func (r reply) rows(t testing.TB) []row {
	t.Helper()
	r.want(t, 207)
	root := parseXML(t, r.body)
	if root.Name != dav.D("multistatus") {
		t.Fatalf("not a multistatus: %s", r.body)
	}
	var out []row
	for _, e := range root.Children() {
		if e.Name != dav.D("response") {
			continue
		}
		w := row{props: map[string]map[string]string{}}
		for _, c := range e.Children() {
			switch c.Name {
			case dav.D("href"):
				w.href = c.Text()
			case dav.D("status"):
				w.status = c.Text()
			case dav.D("propstat"):
				s := c.Child(dav.D("status")).Text()
				if w.props[s] != nil {
					t.Errorf("%s: two propstats with %s", w.href, s)
				}
				w.props[s] = map[string]string{}
				for _, p := range c.Child(dav.D("prop")).Children() {
					w.props[s][short(p)] = inner(p)
				}
			}
		}
		out = append(out, w)
	}
	return out
}

// row returns the row of one href.
func (r reply) row(t testing.TB, href string) row {
	t.Helper()
	for _, w := range r.rows(t) {
		if w.href == href {
			return w
		}
	}
	t.Fatalf("no row for %s in\n%s", href, r.body)
	return row{}
}

func parseXML(t testing.TB, s string) *dav.Element {
	t.Helper()
	e, err := dav.Parse(strings.NewReader(s), dav.Limits{Bytes: 1 << 28, Elements: 1 << 20})
	if err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return e
}

var shortNames = map[string]string{dav.NS: "D:", dav.CalDAV: "C:", dav.CardDAV: "CR:", dav.CalServer: "CS:", dav.Apple: "A:", "": ""}

func short(e *dav.Element) string {
	if s, ok := shortNames[e.Name.Space]; ok {
		return s + e.Name.Local
	}
	return "{" + e.Name.Space + "}" + e.Name.Local
}

// inner writes the content of an element in short: <D:href>/a/</D:href>.
func inner(e *dav.Element) string {
	var b strings.Builder
	for _, n := range e.Nodes {
		if n.Elem == nil {
			b.WriteString(n.Text)
			continue
		}
		b.WriteString("<" + short(n.Elem))
		for _, a := range n.Elem.Attrs {
			fmt.Fprintf(&b, " %s=%q", a.Name.Local, a.Value)
		}
		if in := inner(n.Elem); in != "" {
			b.WriteString(">" + in + "</" + short(n.Elem) + ">")
		} else {
			b.WriteString("/>")
		}
	}
	return b.String()
}

// condition is the precondition in a DAV:error, "" without one.
func (r reply) condition(t testing.TB) string {
	t.Helper()
	if r.body == "" {
		return ""
	}
	root := parseXML(t, r.body)
	if root.Name != dav.D("error") {
		t.Fatalf("not a DAV:error: %s", r.body)
	}
	for _, c := range root.Children() {
		if c.Name != dav.ErrorDescription {
			return short(c)
		}
	}
	return ""
}

// refused checks that a request was refused for a precondition.
func (r reply) refused(t testing.TB, status int, condition string) reply {
	t.Helper()
	r.want(t, status)
	if got := r.condition(t); got != condition {
		t.Errorf("refused for %q, want %q\n%s", got, condition, r.body)
	}
	return r
}

const namespaces = ` xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" xmlns:CS="http://calendarserver.org/ns/" xmlns:A="http://apple.com/ns/ical/"`

// propfind asks for properties: "D:getetag CS:getctag".
func (h *house) propfind(who, path, depth, props string, headers ...string) reply {
	h.t.Helper()
	return h.do(who, "PROPFIND", path, `<?xml version="1.0" encoding="UTF-8"?><D:propfind`+namespaces+`><D:prop>`+elements(props)+`</D:prop></D:propfind>`,
		append([]string{"Depth", depth, "Content-Type", "text/xml"}, headers...)...)
}

func elements(names string) string {
	var b strings.Builder
	for _, n := range strings.Fields(names) {
		b.WriteString("<" + n + "/>")
	}
	return b.String()
}

func (h *house) proppatch(who, path, inner string) reply {
	h.t.Helper()
	return h.do(who, "PROPPATCH", path, `<D:propertyupdate`+namespaces+`>`+inner+`</D:propertyupdate>`, "Content-Type", "text/xml")
}

func (h *house) report(who, path, body string, headers ...string) reply {
	h.t.Helper()
	return h.do(who, "REPORT", path, strings.Replace(body, ">", namespaces+">", 1), headers...)
}

// seed stores an object without the desk, for tests that need it to be there
// and nothing to follow; it returns its entity tag.
func (h *house) seed(owner, collection, name, body string) string {
	h.t.Helper()
	return h.seedAll(owner, collection, map[string]string{name: body})[name]
}

func (h *house) seedAll(owner, collection string, objects map[string]string) map[string]string {
	h.t.Helper()
	tags := map[string]string{}
	err := h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
		p, err := tx.PrincipalByAddress(owner)
		if err != nil {
			return err
		}
		c, err := tx.CollectionByName(p.ID, db.Calendar, collection)
		if err != nil {
			return err
		}
		m, err := tx.BumpCollections(c.ID)
		if err != nil {
			return err
		}
		for name, body := range objects {
			o, err := ics.Parse([]byte(body), ics.Limits{})
			if err != nil {
				return err
			}
			rec, err := scheduling.Record(o, func(cuaddr.Address) bool { return false }, time.UTC, ics.Bound{})
			if err != nil {
				return err
			}
			row := db.Object{Collection: c.ID, Name: name, UID: o.UID(), Component: o.Kind(), Modseq: m[c.ID]}
			if err := tx.PutObject(&row, []byte(body), rec, 0); err != nil {
				return err
			}
			tags[name] = `"` + row.ETag + `"`
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return tags
}

// event is a small event in UTC.
func event(uid, start, end, more string) string {
	return lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VEVENT", "UID:"+uid, "DTSTAMP:20261101T000000Z",
		"DTSTART:"+start, "DTEND:"+end, "SUMMARY:"+uid, more, "END:VEVENT", "END:VCALENDAR")
}

// lines joins content lines; more of them may come in one with "\n".
func lines(ls ...string) string {
	var b strings.Builder
	for _, l := range ls {
		for p := range strings.SplitSeq(l, "\n") {
			if p != "" {
				b.WriteString(p + "\r\n")
			}
		}
	}
	return b.String()
}

func dbPerson(address string) db.Principal { return db.Principal{Address: address, Kind: db.Person} }
