package caldav

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/convene-server/convene/caldav/dav"
)

// Names of resources as nobody should send them: none leads anywhere else than
// where it says, and none beyond one's own.
func TestBadHrefs(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		body := event("a", "20261102T100000Z", "20261102T110000Z", "")
		h.put(ann, annCalendar+"a.ics", body).want(t, 201)
		h.put(bob, bobCalendar+"b.ics", body).want(t, 201)
		hrefs := []string{
			annCalendar + "../calendar/a.ics", annCalendar + "./a.ics", annCalendar + "%2e%2e/calendar/a.ics", annCalendar + "%2E/a.ics", // dot segments
			annCalendar + "..%2f..%2fbob@example.org%2fcalendar%2fb.ics", annHome + "calendar%2Fa.ics", // a slash in a name
			annCalendar + "a%252eics", annCalendar + "%2561.ics", "/dav%252Fcalendars%252Fann@example.org/calendar/a.ics", // encoded twice
			annCalendar + "a.ics%00", annCalendar + "a.ics%0d%0aX:1", annCalendar + "%ff.ics", annCalendar + "%", annCalendar + "%4", annCalendar + "%zz",
			"https://elsewhere.example.com" + annCalendar + "a.ics", "//elsewhere.example.com" + annCalendar + "a.ics", "ftp://cal.example.org" + annCalendar + "a.ics",
			"mailto:ann@example.org", "a.ics", "", "?", "#", "http://", "http://[::1", "\x01", strings.Repeat("/x", 5000), bobCalendar + "b.ics", annHome + strings.Repeat("d/", 40) + "a.ics",
		}
		var ask strings.Builder
		for _, a := range hrefs {
			var w dav.Writer
			w.Href(a)
			ask.Write(w.Bytes())
		}
		rows := h.report(ann, annCalendar, `<C:calendar-multiget><D:prop><D:getetag/><C:calendar-data/></D:prop>`+ask.String()+`</C:calendar-multiget>`).rows(t)
		if len(rows) != len(hrefs) {
			t.Fatalf("%d rows for %d hrefs", len(rows), len(hrefs))
		}
		for i, w := range rows {
			if w.status != "HTTP/1.1 404 Not Found" {
				t.Errorf("%q: %+v", hrefs[i], w)
			}
		}
		for _, a := range hrefs {
			if strings.ContainsAny(a, "\x01\r\n") || strings.HasPrefix(a, annCalendar) && strings.Contains(a, "%25") {
				continue // no header can hold it; a name that may be given
			}
			for _, method := range []string{"COPY", "MOVE"} {
				if r := h.do(ann, method, annCalendar+"a.ics", "", "Destination", a); r.status < 400 || r.status >= 500 {
					t.Errorf("%s to %q: %d", method, a, r.status)
				}
			}
			h.put(ann, annCalendar+"a.ics", body, "If", "<"+a+"> (<urn:x>)").want(t, map[bool]int{true: 400, false: 412}[a == ""])
		}
		// The same resource under other spellings is the same.
		for _, a := range []string{annCalendar + "%61.ics", "/dav/calendars/ann%40example.org/calendar/a.ics", "/dav/calendars/ANN@EXAMPLE.ORG/calendar/a.ics", "https://cal.example.org" + annCalendar + "a.ics", h.http.URL + annCalendar + "a.ics"} {
			w := h.report(ann, annCalendar, `<C:calendar-multiget><D:prop><D:getetag/></D:prop><D:href>`+a+`</D:href></C:calendar-multiget>`).rows(t)[0]
			if w.href != a || !w.has("D:getetag") {
				t.Errorf("%s: %+v", a, w)
			}
		}
		if g := h.do(bob, "GET", bobCalendar+"b.ics", "").want(t, 200); g.body != body {
			t.Errorf("%q", g.body)
		}
	})
}

// Headers that make no sense are refused before anything is done.
func TestBadHeaders(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		body := event("a", "20261102T100000Z", "20261102T110000Z", "")
		h.put(ann, annCalendar+"a.ics", body).want(t, 201)
		for _, depth := range []string{"2", "-1", "0, 1", "one", "infinite", "1,root"} {
			h.propfind(ann, annCalendar, depth, "D:getetag").want(t, 400)
			h.report(ann, annCalendar, `<D:sync-collection><D:sync-token/><D:prop><D:getetag/></D:prop></D:sync-collection>`, "Depth", depth).want(t, 400)
			lock, _ := h.lock(ann, annCalendar+"a.ics", "exclusive", depth)
			lock.want(t, 400)
		}
		h.propfind(ann, annCalendar, "infinity", "D:getetag").refused(t, 403, "D:propfind-finite-depth")
		h.do(ann, "COPY", annCalendar+"a.ics", "", "Destination", annCalendar+"b.ics", "Overwrite", "maybe").want(t, 400)
		for _, lists := range []string{"(", "()", "<>", "(<a>", "<a>", "(Not)", strings.Repeat("(<urn:x>)", 2000)} {
			h.put(ann, annCalendar+"a.ics", body, "If", lists).want(t, 400)
		}
		for _, tags := range []string{`"`, `""`, `W/"x"`, ",,,", `"a" "b"`, "*x"} {
			if r := h.put(ann, annCalendar+"a.ics", body, "If-Match", tags); r.status != 412 {
				t.Errorf("If-Match: %s: %d", tags, r.status)
			}
		}
		for _, auth := range []string{"Basic", "Basic !", "Basic " + base64.StdEncoding.EncodeToString([]byte("ann@example.org")), "Bearer x", "Basic " + strings.Repeat("A", 8000), "Digest username=\"ann\""} {
			h.do("", "PROPFIND", annCalendar, "", "Authorization", auth).want(t, 401)
		}
	})
}

// XML that would make a server work for nothing (RFC 4918 §20.6).
func TestBadXML(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ask := func(body string, status int) {
			t.Helper()
			h.do(ann, "PROPFIND", annCalendar, body, "Depth", "0").want(t, status)
		}
		ask(`<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><D:propfind xmlns:D="DAV:"><D:prop><D:x>&b;</D:x></D:prop></D:propfind>`, 400)
		h.do(ann, "PROPFIND", annCalendar, `<!DOCTYPE a SYSTEM "file:///etc/passwd"><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>`, "Depth", "0").refused(t, 403, "D:no-external-entities") // §16
		ask(`<D:propfind xmlns:D="DAV:"><D:prop><D:x>&xxe;</D:x></D:prop></D:propfind>`, 400)
		ask(`<D:propfind xmlns:D="DAV:"><D:prop><E:x/></D:prop></D:propfind>`, 400) // a prefix that nobody declared
		ask(`<D:propfind xmlns:D="DAV:"><D:prop><D:x E:y="1"/></D:prop></D:propfind>`, 400)
		ask(`<propfind><prop/></propfind>`, 400) // no namespace at all
		var attrs strings.Builder
		for i := range 10_000 {
			fmt.Fprintf(&attrs, ` a%d="1"`, i)
		}
		ask(`<D:propfind xmlns:D="DAV:"><D:prop><D:x`+attrs.String()+`/></D:prop></D:propfind>`, 400)
		ask(`<D:propfind xmlns:D="DAV:"><D:prop>`+strings.Repeat("<D:x>", 10_000), 400)
		ask(`<D:propfind xmlns:D="DAV:"><D:prop>`+strings.Repeat("<D:x/>", 200_000)+`</D:prop></D:propfind>`, 400)
		ask(`<?xml version="1.0" encoding="utf-16"?><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>`, 415)
		ask("\xff\xfe<\x00a\x00/\x00>\x00", 415)
		ask("<D:propfind xmlns:D=\"DAV:\"><D:prop><D:x>\xff</D:x></D:prop></D:propfind>", 400)
		ask(`<D:propfind xmlns:D="DAV:"><D:prop/></D:propfind><D:propfind xmlns:D="DAV:"/>`, 400)
		ask(`<D:propfind xmlns:D="DAV:"><D:allprop/><D:propname/></D:propfind>`, 400)
	})
}

// Objects that lie about their charset: what counts is whether they are UTF-8.
func TestLyingCharsets(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		utf8 := event("a", "20261102T100000Z", "20261102T110000Z", "LOCATION:Küche")
		latin1 := strings.ReplaceAll(utf8, "ü", "\xfc")
		put := func(path, body, media string) reply {
			return h.do(ann, "PUT", path, body, "Content-Type", media)
		}
		put(annCalendar+"a.ics", utf8, "text/calendar; charset=iso-8859-1").want(t, 201)
		if g := h.do(ann, "GET", annCalendar+"a.ics", "").want(t, 200); g.body != utf8 || !strings.Contains(g.header.Get("Content-Type"), "charset=utf-8") {
			t.Errorf("%+v", g)
		}
		for _, media := range []string{"text/calendar", "text/calendar; charset=utf-8", "text/calendar; charset=iso-8859-1", "text/calendar; charset=\"x"} {
			if r := put(annCalendar+"b.ics", latin1, media); r.status != 403 {
				t.Errorf("%s: %d", media, r.status)
			}
		}
		wide := "\xff\xfe" + strings.Join(strings.Split(utf8, ""), "\x00")
		put(annCalendar+"b.ics", wide, "text/calendar; charset=utf-16").refused(t, 403, "C:valid-calendar-data")
		vcard := "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nFN:Jürgen\r\nN:J;;;;\r\nEND:VCARD\r\n"
		put(annContacts+"c.vcf", vcard, "text/vcard; charset=iso-8859-1").want(t, 201)
		put(annContacts+"d.vcf", strings.ReplaceAll(vcard, "ü", "\xfc"), "text/vcard; charset=utf-8").refused(t, 403, "CR:valid-address-data")
		for _, path := range []string{annCalendar + "b.ics", annContacts + "d.vcf"} {
			h.do(ann, "GET", path, "").want(t, 404)
		}
	})
}

// A multiget of a hundred thousand hrefs is refused, one of thirty thousand is
// answered as a stream: neither takes more memory than a bounded piece.
func TestHugeMultiget(t *testing.T) {
	h := newHouse(t, storeOf(t, "sqlite"))
	h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
	ask := func(n int) string {
		var b strings.Builder
		b.WriteString(`<C:calendar-multiget` + namespaces + `><D:prop><D:getetag/><C:calendar-data/></D:prop>`)
		for i := range n {
			fmt.Fprintf(&b, `<D:href>%s%d.ics</D:href>`, annCalendar, i)
		}
		b.WriteString(`</C:calendar-multiget>`)
		return b.String()
	}
	test := func(body string, status, rows int, says string) {
		t.Helper()
		req := httptest.NewRequest("REPORT", annCalendar, strings.NewReader(body))
		req.SetBasicAuth(ann, "secret")
		w := &peak{header: http.Header{}}
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		w.from = before.HeapAlloc
		h.http.Config.Handler.ServeHTTP(w, req)
		if w.status != status || w.rows != rows || !strings.Contains(w.first, says) {
			t.Errorf("%d, %d rows: %s", w.status, w.rows, w.first)
		}
		if w.most > 64<<20 {
			t.Errorf("%d MB at the peak", w.most>>20)
		}
	}
	test(ask(100_000), 413, 0, "too many octets")
	test(strings.ReplaceAll(ask(100_000), annCalendar, "/"), 400, 0, "more than 100000 elements")
	test(ask(30_000), 207, 30_000, "")
}

// peak throws an answer away and looks at the memory in use meanwhile.
type peak struct {
	header http.Header
	status int
	rows   int
	first  string // what came first
	writes int
	from   uint64
	most   uint64
}

func (p *peak) Header() http.Header    { return p.header }
func (p *peak) WriteHeader(status int) { p.status = status }
func (p *peak) Write(b []byte) (int, error) {
	if p.first == "" {
		p.first = string(b[:min(len(b), 500)])
	}
	p.rows += strings.Count(string(b), "<D:response>")
	if p.writes++; p.writes%20 == 1 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if m.HeapAlloc > p.from {
			p.most = max(p.most, m.HeapAlloc-p.from)
		}
	}
	return len(b), nil
}

// Whatever is put together of methods, paths, headers and bodies is answered,
// and never with the server's own fault.
func TestNothingBreaks(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "RRULE:FREQ=DAILY")).want(t, 201)
		h.putCard(ann, annContacts+"x.vcf", card("u-x", "X")).want(t, 201)
		h.do(ann, "MKCOL", annHome+"files/", "").want(t, 201)
		h.acl(bob, bobCalendar, aceFor(href(annPath), "D:read")).want(t, 200)
		var methodsAll []string
		for m := range methods {
			methodsAll = append(methodsAll, m)
		}
		slices.Sort(methodsAll) // the same requests in every run
		paths := []string{"/", "/dav", "/dav/", "/dav/principals/", annPath, annPath + "calendar-proxy-read/", "/dav/calendars/", annHome, annCalendar, annInbox, annOutbox, annTasks,
			annCalendar + "a.ics", annCalendar + "none.ics", annCalendar + ";add-member", annHome + "files/", annHome + "files/f", annHome + "files/d/", annHome + "files/d/e", annBooks, annContacts, annContacts + "x.vcf",
			bobHome, bobCalendar, bobHome + "tasks/", "/dav/calendars/none@example.org/calendar/", "/freebusy/bob@example.org", "/.well-known/caldav", "/dav/x", "/x"}
		prop := `<D:prop><D:getetag/><C:calendar-data><C:expand start="20261101T000000Z" end="20261201T000000Z"/></C:calendar-data><D:acl/><D:lockdiscovery/><x xmlns=""/></D:prop>`
		in := func(root, inner string) string {
			return "<" + root + namespaces + ">" + inner + "</" + strings.Fields(root)[0] + ">"
		}
		bodies := []string{"", "x", "<", in("D:propfind", prop), in("D:propfind", "<D:allprop/>"), in("D:propertyupdate", "<D:set><D:prop><D:displayname>x</D:displayname><D:group-member-set/></D:prop></D:set>"),
			in("D:propertyupdate", "<D:remove><D:prop><C:calendar-timezone/><y/></D:prop></D:remove>"), in("D:lockinfo", "<D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype>"), in("D:lockinfo", ""),
			in("D:mkcol", "<D:set><D:prop><D:resourcetype><D:collection/><CR:addressbook/></D:resourcetype></D:prop></D:set>"), in("C:mkcalendar", "<D:set><D:prop><C:supported-calendar-component-set/></D:prop></D:set>"),
			in("D:acl", aceFor(href(bobPath), "D:all")), in("D:acl", "<D:ace/>"), in("D:sync-collection", "<D:sync-token/><D:sync-level>infinite</D:sync-level>"+prop), in("D:sync-collection", "<D:sync-token>x</D:sync-token>"),
			in("C:calendar-query", prop+`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20261101T000000Z"/></C:comp-filter></C:comp-filter></C:filter>`),
			in("C:calendar-query", "<C:filter/>"), in("C:calendar-multiget", prop+"<D:href>"+annCalendar+"a.ics</D:href>"), in("CR:addressbook-query", "<D:prop><CR:address-data/></D:prop><CR:filter/>"), in("CR:addressbook-multiget", prop+"<D:href>/</D:href>"),
			in("C:free-busy-query", `<C:time-range start="20261101T000000Z" end="20261201T000000Z"/>`), in("D:expand-property", `<D:property name="owner"><D:property name="principal-URL"/></D:property>`),
			in("D:principal-match", "<D:self/>"), in("D:principal-match", "<D:principal-property><D:owner/></D:principal-property>"), in("D:principal-property-search", "<D:property-search><D:prop><D:displayname/></D:prop><D:match>a</D:match></D:property-search>"),
			in("D:principal-search-property-set", ""), in("D:acl-principal-prop-set", prop), in(`CS:calendarserver-principal-search context="attendee"`, "<CS:search-token>a</CS:search-token>"),
			event("z", "20261102T100000Z", "20261102T110000Z", ""), card("u-z", "Z"), lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "METHOD:REQUEST", "BEGIN:VFREEBUSY", "UID:x", "DTSTAMP:20261101T000000Z", "DTSTART:20261101T000000Z", "DTEND:20261102T000000Z",
				"ORGANIZER:mailto:"+ann, "ATTENDEE:mailto:"+bob, "END:VFREEBUSY", "END:VCALENDAR")}
		headers := [][2]string{{"Depth", "0"}, {"Depth", "1"}, {"Depth", "infinity"}, {"Destination", annHome + "moved/"}, {"Destination", annHome + "files/g"}, {"Destination", annCalendar + "b.ics"}, {"Destination", "x"}, {"Overwrite", "F"}, {"If-Match", "*"},
			{"If-None-Match", "*"}, {"If", "(<urn:x>)"}, {"If", "(Not <urn:x>)"}, {"Lock-Token", "<urn:x>"}, {"Timeout", "Second-1"}, {"Prefer", "return=minimal"}, {"Prefer", "return=representation, depth-noroot"}, {"Content-Type", "text/calendar"},
			{"Content-Type", "application/xml"}, {"Content-Type", "text/vcard"}, {"Content-Type", ";"}, {"Accept-Encoding", "gzip"}, {"If-Schedule-Tag-Match", ""}, {"Schedule-Reply", "F"}, {"Content-Range", "bytes 0-1/2"}, {"Range", "bytes=0-"}}
		random := rand.New(rand.NewPCG(1, 2))
		one := func(all []string) string { return all[random.IntN(len(all))] }
		seen := map[int]int{}
		for i := range 4000 {
			if i%100 == 0 { // what was deleted is there again
				h.do(ann, "MKCALENDAR", annCalendar, "")
				h.do(ann, "MKCOL", annHome+"files/", "")
			}
			method, path, body := one(methodsAll), one(paths), one(bodies)
			req := httptest.NewRequest(method, path, strings.NewReader(body))
			req.SetBasicAuth(ann, "secret")
			for range random.IntN(4) {
				hd := headers[random.IntN(len(headers))]
				req.Header.Set(hd[0], hd[1])
			}
			w := httptest.NewRecorder()
			h.http.Config.Handler.ServeHTTP(w, req)
			seen[w.Code]++
			if w.Code >= 500 && w.Code != 507 {
				t.Errorf("%s %s %v\n%s\n%d %s", method, path, req.Header, body, w.Code, w.Body)
			}
			if strings.HasPrefix(w.Header().Get("Content-Type"), "application/xml") && w.Header().Get("Content-Encoding") == "" && method != "HEAD" {
				parseXML(t, w.Body.String())
			}
		}
		if seen[200] == 0 || seen[201] == 0 || seen[204] == 0 || seen[207] == 0 {
			t.Errorf("nothing worked: %v", seen)
		}
	})
}

// FuzzSyncToken: no token of any shape is taken for one of ours by chance, and
// ours come back as they were.
func FuzzSyncToken(f *testing.F) {
	f.Add("urn:convene:sync:a:b:1:2")
	f.Add(homeToken("e", 7, wings[wingCalendars], homeState{1: 2, 900: 3}))
	f.Fuzz(func(t *testing.T, s string) {
		if token, err := parseToken(s); err == nil {
			if again, err := parseToken(token.String()); err != nil || again != token {
				t.Errorf("%q: %+v, then %+v, %v", s, token, again, err)
			}
		}
		if state, err := parseHomeToken(s, "e", 7, wings[wingCalendars]); err == nil {
			again, err := parseHomeToken(homeToken("e", 7, wings[wingCalendars], state), "e", 7, wings[wingCalendars])
			if err != nil || len(again) != len(state) {
				t.Errorf("%q: %v, then %v, %v", s, state, again, err)
			}
		}
	})
}
