package caldav

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
)

const (
	annHome     = "/dav/calendars/ann@example.org/"
	annCalendar = annHome + "calendar/"
	annTasks    = annHome + "tasks/"
	annInbox    = annHome + "inbox/"
	annOutbox   = annHome + "outbox/"
	annSelf     = "/dav/principals/ann@example.org/"
	bobHome     = "/dav/calendars/bob@example.org/"
	bobCalendar = bobHome + "calendar/"
)

// Apple's first request (clients.md fixture 1): a redirect without a log-in, a
// challenge, an answer.
func TestWellKnown(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, path := range []string{"/.well-known/caldav", "/.well-known/caldav/", "/.well-known/carddav", "/.well-known/carddav/"} {
			for _, method := range []string{"PROPFIND", "GET", "OPTIONS", "HEAD", "POST"} {
				for _, who := range []string{"", ann} {
					r := h.do(who, method, path, "").want(t, 301)
					if loc := r.header.Get("Location"); loc != "/dav/" {
						t.Errorf("%s %s: Location %q", method, path, loc)
					}
				}
			}
		}
		// By the public name: where that leads, in full.
		asked := func(host, proto, want string) {
			t.Helper()
			req, err := http.NewRequest("PROPFIND", h.http.URL+"/.well-known/caldav", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = host
			if proto != "" {
				req.Header.Set("X-Forwarded-Proto", proto)
			}
			if loc := h.send(req).want(t, 301).header.Get("Location"); loc != want {
				t.Errorf("at %s: Location %q", host, loc)
			}
		}
		asked("cal.example.org", "", "https://cal.example.org/dav/")
		asked("cal.example.org", "https", "https://cal.example.org/dav/")
		asked("cal.example.org", "http", "/dav/")
		asked("other.example.org", "https", "/dav/")

		// The folder around them, of which nobody learns anything.
		for _, depth := range []string{"0", "1"} {
			rows := h.propfind("", "/.well-known/", depth, "D:resourcetype D:owner").rows(t)
			if len(rows) != 1 || rows[0].text("D:resourcetype") != "<D:collection/>" || !rows[0].lacks("D:owner") {
				t.Errorf("%+v", rows)
			}
		}
		h.propfind("", "/.well-known/", "infinity", "D:resourcetype").refused(t, 403, "D:propfind-finite-depth")
		for _, path := range []string{"/.well-known/", "/dav/"} { // what is asked is read before how deep, everywhere
			h.do(ann, "PROPFIND", path, "<D:x", "Depth", "infinity").want(t, 400)
		}
		h.do("", "GET", "/.well-known/", "").want(t, 200)
		h.do("", "OPTIONS", "/.well-known/", "").want(t, 200)
		if r := h.do("", "PUT", "/.well-known/", "x").want(t, 405); r.header.Get("Allow") == "" {
			t.Error("no Allow")
		}
		const ask = "D:resourcetype D:principal-URL D:current-user-principal"
		h.propfind("", "/dav/", "0", ask).want(t, 401)
		for _, root := range []string{"/", "/dav/", "/dav"} {
			rows := h.propfind(ann, root, "0", ask).rows(t)
			if len(rows) != 1 || rows[0].text("D:current-user-principal") != "<D:href>"+annSelf+"</D:href>" ||
				rows[0].text("D:resourcetype") != "<D:collection/>" || !rows[0].lacks("D:principal-URL") {
				t.Errorf("%s: %+v", root, rows)
			}
		}
	})
}

// clients.md §6: Thunderbird finds a saved log-in by origin and realm; every
// path and every method must challenge alike.
func TestChallenge(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const realm = `Basic realm="Convene", charset="UTF-8"`
		for _, path := range []string{"/", "/dav/", annSelf, annHome, annCalendar, annInbox, annCalendar + "x.ics", "/dav/calendars/nobody@example.org/", "/nothing", "/freebusy/" + ann} {
			for _, method := range []string{"OPTIONS", "PROPFIND", "REPORT", "PUT", "DELETE", "MKCALENDAR", "GET"} {
				if method == "GET" && (path == "/" || strings.HasPrefix(path, "/freebusy")) {
					continue // the page for browsers, and what is published
				}
				r := h.do("", method, path, "").want(t, 401)
				if got := r.header.Get("WWW-Authenticate"); got != realm {
					t.Errorf("%s %s: %q", method, path, got)
				}
			}
		}
		req := h.do("", "GET", "/", "").want(t, 200)
		if !strings.Contains(req.body, "Convene") {
			t.Errorf("front page: %s", req.body)
		}
		h.do("ann", "PROPFIND", annSelf, "", "Depth", "0").want(t, 207)
	})
}

func TestOptions(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, path := range []string{"/", "/dav/", annSelf, annHome, annCalendar, annInbox, annOutbox, "/dav/addressbooks/ann@example.org/", "/dav/addressbooks/ann@example.org/contacts/"} {
			r := h.do(ann, "OPTIONS", path, "").want(t, 200)
			tokens := strings.Split(r.header.Get("DAV"), ", ")
			if len(r.header["Dav"]) != 1 || tokens[0] != "1" {
				t.Errorf("%s: DAV %q", path, r.header["Dav"])
			}
			for _, want := range []string{"2", "3", "access-control", "calendar-access", "calendar-schedule", "calendar-auto-schedule", "extended-mkcol"} {
				if !strings.Contains(", "+strings.Join(tokens, ", ")+",", ", "+want+",") {
					t.Errorf("%s: no %s in %q", path, want, tokens)
				}
			}
			if !strings.Contains(r.header.Get("Allow"), "PROPFIND") {
				t.Errorf("%s: Allow %q", path, r.header.Get("Allow"))
			}
		}
		h.do(ann, "OPTIONS", bobHome, "").refused(t, 403, "D:need-privileges")
		// The same everywhere, and on what programs read without asking for it.
		all := h.do(ann, "OPTIONS", annSelf, "").want(t, 200).header.Get("DAV")
		for _, r := range []reply{h.do(ann, "OPTIONS", annHome, ""), h.do(ann, "OPTIONS", "/", ""), h.propfind(ann, annCalendar, "0", "D:resourcetype").want(t, 207),
			h.propfind(ann, annSelf, "0", "D:resourcetype").want(t, 207), h.report(ann, annCalendar, queryOf(`<C:comp-filter name="VEVENT"/>`, "D:getetag"), "Depth", "1").want(t, 207)} {
			if !strings.HasPrefix(all, "1, 2, 3, ") || r.header.Get("DAV") != all {
				t.Errorf("DAV %q, elsewhere %q", r.header.Get("DAV"), all)
			}
		}
	})
}

// Apple's principal (clients.md fixture 2).
func TestPrincipal(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		r := h.propfind(ann, annSelf, "0", "D:displayname D:resource-id D:principal-URL D:principal-collection-set D:supported-report-set "+
			"C:calendar-home-set C:calendar-user-address-set C:schedule-inbox-URL C:schedule-outbox-URL CS:email-address-set CS:notification-URL CS:dropbox-home-URL "+
			"C:calendar-user-type C:schedule-default-calendar-URL D:resourcetype D:current-user-privilege-set")
		w := r.row(t, annSelf)
		want := map[string]string{
			"D:displayname":              "Ann Ärmel",
			"D:principal-URL":            "<D:href>" + annSelf + "</D:href>",
			"D:principal-collection-set": "<D:href>/dav/principals/</D:href>",
			"C:calendar-home-set":        "<D:href>" + annHome + "</D:href>",
			"C:calendar-user-address-set": `<D:href preferred="1">mailto:ann@example.org</D:href>` +
				"<D:href>mailto:ann.b@example.org</D:href>",
			"C:schedule-inbox-URL":            "<D:href>" + annInbox + "</D:href>",
			"C:schedule-outbox-URL":           "<D:href>" + annOutbox + "</D:href>",
			"CS:email-address-set":            "<CS:email-address>ann@example.org</CS:email-address><CS:email-address>ann.b@example.org</CS:email-address>",
			"CS:notification-URL":             "<D:href>" + annHome + "notification/</D:href>",
			"C:calendar-user-type":            "INDIVIDUAL",
			"C:schedule-default-calendar-URL": "<D:href>" + annCalendar + "</D:href>",
			"D:resourcetype":                  "<D:collection/><D:principal/>",
		}
		for name, v := range want {
			if w.text(name) != v {
				t.Errorf("%s: got %s, want %s", name, w.text(name), v)
			}
		}
		if !strings.HasPrefix(w.text("D:resource-id"), "<D:href>urn:uuid:") {
			t.Errorf("resource-id: %s", w.text("D:resource-id"))
		}
		for _, report := range []string{"expand-property", "principal-property-search", "principal-search-property-set"} {
			if !strings.Contains(w.text("D:supported-report-set"), "<D:supported-report><D:report><D:"+report+"/></D:report></D:supported-report>") {
				t.Errorf("no %s in %s", report, w.text("D:supported-report-set"))
			}
		}
		// A program that is told this uses it, and fails.
		if !w.lacks("CS:dropbox-home-URL") {
			t.Errorf("not absent: %+v", w.props)
		}
		if i, j := strings.Index(r.body, "200 OK"), strings.Index(r.body, "404 Not Found"); i < 0 || j < i {
			t.Error("the propstat with 200 is not first")
		}
		// In lower case, whatever was typed when he was added.
		h.add(db.Principal{Address: "Kim.Case@Example.org", Kind: db.Person, Name: "Kim"})
		if got := h.propfind(ann, "/dav/principals/kim.case@example.org/", "0", "C:calendar-user-address-set").rows(t)[0].text("C:calendar-user-address-set"); got != `<D:href preferred="1">mailto:kim.case@example.org</D:href>` {
			t.Errorf("Kim's addresses are %s", got)
		}
		// "%40" is "@", and the answer writes it as the request did.
		h.propfind(ann, "/dav/principals/ann%40example.org/", "0", "D:displayname").row(t, "/dav/principals/ann%40example.org/")

		// Another's: name and addresses, and nothing else of his.
		w = h.propfind(ann, "/dav/principals/bob@example.org/", "0", "D:displayname C:calendar-user-address-set C:calendar-home-set C:schedule-inbox-URL "+
			"C:schedule-default-calendar-URL D:group-membership D:current-user-privilege-set").row(t, "/dav/principals/bob@example.org/")
		if w.text("D:displayname") != "Bob" || w.text("C:calendar-user-address-set") != `<D:href preferred="1">mailto:bob@example.org</D:href>` {
			t.Errorf("%+v", w.props)
		}
		for _, p := range []string{"C:calendar-home-set", "C:schedule-inbox-URL", "C:schedule-default-calendar-URL", "D:group-membership"} {
			if !w.lacks(p) {
				t.Errorf("%s of another: %s", p, w.text(p))
			}
		}
		if strings.Contains(w.text("D:current-user-privilege-set"), "write") {
			t.Errorf("privileges on another: %s", w.text("D:current-user-privilege-set"))
		}
		h.propfind(ann, "/dav/principals/nobody@example.org/", "0", "D:displayname").want(t, 404)
	})
}

// Apple's look at the home (clients.md fixture 3, §1.1(7)).
func TestHome(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const apple = "D:add-member CS:allowed-sharing-modes A:autoprovisioned C:calendar-alarm A:calendar-color C:calendar-description " +
			"C:calendar-free-busy-set A:calendar-order C:calendar-timezone D:current-user-privilege-set C:default-alarm-vevent-date C:default-alarm-vevent-datetime " +
			"D:displayname CS:getctag CS:invite A:language-code A:location-code D:owner CS:pre-publish-url CS:publish-url CS:push-transports CS:pushkey " +
			"D:quota-available-bytes D:quota-used-bytes A:refreshrate D:resource-id D:resourcetype C:schedule-calendar-transp C:schedule-default-calendar-URL " +
			"CS:source CS:subscribed-strip-alarms CS:subscribed-strip-attachments CS:subscribed-strip-todos C:supported-calendar-component-set " +
			"C:supported-calendar-component-sets D:supported-report-set D:sync-token C:managed-attachments-server-URL CR:max-image-size CS:me-card CS:xmpp-server"
		r := h.propfind(ann, annHome, "1", apple, "Brief", "t")
		rows := r.rows(t)
		var hrefs []string
		for _, w := range rows {
			hrefs = append(hrefs, w.href)
			if len(w.props) != 1 {
				t.Errorf("%s: Brief: t leaves absent properties out: %v", w.href, w.props)
			}
			if w.text("D:owner") != "<D:href>"+annSelf+"</D:href>" {
				t.Errorf("%s: owner %s", w.href, w.text("D:owner"))
			}
		}
		if got, want := strings.Join(hrefs, " "), strings.Join([]string{annHome, annCalendar, annInbox, annOutbox, annTasks}, " "); got != want {
			t.Errorf("home lists\n%s\nwant\n%s", got, want)
		}
		types := map[string]string{annHome: "<D:collection/>", annCalendar: "<D:collection/><C:calendar/>", annTasks: "<D:collection/><C:calendar/>",
			annInbox: "<D:collection/><C:schedule-inbox/>", annOutbox: "<D:collection/><C:schedule-outbox/>"}
		for _, w := range rows {
			if w.text("D:resourcetype") != types[w.href] {
				t.Errorf("%s is %s", w.href, w.text("D:resourcetype"))
			}
		}
		cal := r.row(t, annCalendar)
		if cal.text("C:supported-calendar-component-set") != `<C:comp name="VEVENT"/>` || cal.text("C:schedule-calendar-transp") != "<C:opaque/>" {
			t.Errorf("calendar: %v", cal.props)
		}
		if tasks := r.row(t, annTasks); tasks.text("C:supported-calendar-component-set") != `<C:comp name="VTODO"/>` {
			t.Errorf("tasks: %v", tasks.props)
		}
		for _, p := range []string{"read", "write", "write-content", "write-properties", "bind", "unbind", "all"} {
			if !strings.Contains(cal.text("D:current-user-privilege-set"), "<D:privilege><D:"+p+"/></D:privilege>") {
				t.Errorf("no privilege %s in %s", p, cal.text("D:current-user-privilege-set"))
			}
		}
		if !strings.Contains(cal.text("D:current-user-privilege-set"), "<C:read-free-busy/>") {
			t.Error("no read-free-busy")
		}
		inbox, outbox := r.row(t, annInbox), r.row(t, annOutbox)
		for _, p := range []string{"schedule-deliver", "schedule-deliver-invite", "schedule-deliver-reply", "schedule-query-freebusy"} {
			if !strings.Contains(inbox.text("D:current-user-privilege-set"), "<C:"+p+"/>") {
				t.Errorf("inbox: no privilege %s", p)
			}
		}
		for _, p := range []string{"schedule-send", "schedule-send-invite", "schedule-send-reply", "schedule-send-freebusy"} {
			if !strings.Contains(outbox.text("D:current-user-privilege-set"), "<C:"+p+"/>") {
				t.Errorf("outbox: no privilege %s", p)
			}
		}
		if inbox.text("C:schedule-default-calendar-URL") != "<D:href>"+annCalendar+"</D:href>" {
			t.Errorf("inbox: %v", inbox.props)
		}
		for _, w := range []row{cal, inbox} {
			if !strings.Contains(w.text("D:sync-token"), ":") || w.text("CS:getctag") == "" {
				t.Errorf("%s: token %q, ctag %q", w.href, w.text("D:sync-token"), w.text("CS:getctag"))
			}
			if !strings.Contains(w.text("D:supported-report-set"), "<D:sync-collection/>") {
				t.Errorf("%s: no sync-collection", w.href)
			}
		}
		// Without Brief every absent property is told.
		w := h.propfind(ann, annCalendar, "0", apple).row(t, annCalendar)
		if n := len(w.props["HTTP/1.1 200 OK"]) + len(w.props["HTTP/1.1 404 Not Found"]); n != len(strings.Fields(apple)) {
			t.Errorf("%d properties answered of %d", n, len(strings.Fields(apple)))
		}
	})
}

// Thunderbird's account detection and start of a calendar (clients.md §1.3).
func TestThunderbirdDiscovery(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		loc := h.do("", "PROPFIND", "/.well-known/caldav", "").want(t, 301).header.Get("Location")
		const ask = "D:resourcetype D:owner D:displayname D:current-user-principal D:current-user-privilege-set A:calendar-color C:calendar-home-set"
		h.propfind("", loc, "0", ask).want(t, 401)
		w := h.propfind(ann, loc, "0", ask).rows(t)[0]
		principal := strings.TrimSuffix(strings.TrimPrefix(w.text("D:current-user-principal"), "<D:href>"), "</D:href>")
		w = h.propfind(ann, principal, "0", "C:calendar-home-set").rows(t)[0]
		home := strings.TrimSuffix(strings.TrimPrefix(w.text("C:calendar-home-set"), "<D:href>"), "</D:href>")
		calendars := 0
		for _, w := range h.propfind(ann, home, "1", "D:resourcetype D:displayname D:current-user-privilege-set A:calendar-color").rows(t) {
			if strings.Contains(w.text("D:resourcetype"), "<C:calendar/>") {
				calendars++
				if w.text("D:displayname") == "" || !strings.Contains(w.text("D:current-user-privilege-set"), "<D:write/>") {
					t.Errorf("%+v", w)
				}
			}
		}
		if calendars != 2 {
			t.Errorf("%d calendars", calendars)
		}
		w = h.propfind(ann, annCalendar, "0", "D:resourcetype D:owner D:current-user-principal D:current-user-privilege-set D:supported-report-set "+
			"C:supported-calendar-component-set CS:getctag").row(t, annCalendar)
		if len(w.props) != 1 {
			t.Errorf("%+v", w.props)
		}
		dav := h.do(ann, "OPTIONS", annHome, "").want(t, 200).header.Get("DAV")
		if !strings.Contains(dav, "calendar-auto-schedule") {
			t.Errorf("DAV: %s", dav)
		}
	})
}

// Evolution's discovery and connect (clients.md §1.4, §6).
func TestEvolutionDiscovery(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.propfind("", "/", "0", "D:current-user-principal").want(t, 401)
		h.do("", "PROPFIND", "/.well-known/caldav", "").want(t, 301)
		h.do("", "PROPFIND", "/.well-known/carddav", "").want(t, 301)
		w := h.propfind(ann, "/dav/", "0", "D:resourcetype D:current-user-principal D:principal-URL C:calendar-home-set C:calendar-user-address-set CR:addressbook-home-set").rows(t)[0]
		if w.text("D:current-user-principal") == "" {
			t.Errorf("%+v", w)
		}
		dav := h.do(ann, "OPTIONS", annCalendar, "").want(t, 200).header.Get("DAV")
		if !strings.Contains(dav, "calendar-access") {
			t.Errorf("DAV: %s", dav)
		}
		w = h.propfind(ann, annCalendar, "0", "CS:getctag D:supported-report-set").row(t, annCalendar)
		if !strings.Contains(w.text("D:supported-report-set"), "sync-collection") || w.text("CS:getctag") == "" {
			t.Errorf("%+v", w)
		}
	})
}

func TestPropfindDepth(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.propfind(ann, annHome, "infinity", "D:displayname").refused(t, 403, "D:propfind-finite-depth")
		h.do(ann, "PROPFIND", annHome, "").refused(t, 403, "D:propfind-finite-depth") // RFC 4918 §9.1: infinity is the default
		h.propfind(ann, annHome, "2", "D:displayname").want(t, 400)
		for path, want := range map[string]string{
			"/":                        "/ /dav/",
			"/dav/":                    "/dav/ /dav/principals/ /dav/calendars/ /dav/addressbooks/ /dav/directory/",
			"/dav/principals/":         "/dav/principals/ " + annSelf,
			"/dav/calendars/":          "/dav/calendars/ " + annHome,
			"/dav/addressbooks/":       "/dav/addressbooks/ /dav/addressbooks/ann@example.org/",
			"/dav/addressbooks/" + ann: "/dav/addressbooks/ann@example.org/ /dav/addressbooks/ann@example.org/contacts/",
			annOutbox:                  annOutbox,
		} {
			var got []string
			for _, w := range h.propfind(ann, path, "1", "D:resourcetype").rows(t) {
				got = append(got, w.href)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s lists %s, want %s", path, got, want)
			}
		}
		if loc := h.propfind(ann, "/dav/calendars/ann%40example.org/calendar", "0", "D:displayname").want(t, 207).header.Get("Content-Location"); loc != annCalendar {
			t.Errorf("Content-Location %q", loc)
		}
	})
}

// RFC 4918 §15.4 to §15.6: what GET tells of a container in its headers is a
// property of it, too.
func TestContainerProperties(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, path := range []string{"/dav/", "/dav/calendars/", annHome, annCalendar, "/dav/addressbooks/ann@example.org/contacts/", annSelf} {
			get := h.do(ann, "GET", path, "").want(t, 200)
			w := h.propfind(ann, path, "0", "D:getcontentlength D:getcontenttype D:getetag D:acl-restrictions D:inherited-acl-set").row(t, path)
			if l := w.text("D:getcontentlength"); l != get.header.Get("Content-Length") || l != strconv.Itoa(len(get.body)) {
				t.Errorf("%s: getcontentlength %q of %d", path, l, len(get.body))
			}
			if w.text("D:getcontenttype") == "" || w.text("D:getetag") != get.header.Get("ETag") || !w.has("D:acl-restrictions") || !w.has("D:inherited-acl-set") {
				t.Errorf("%s: %+v", path, w)
			}
		}
	})
}

// RFC 4918 §9.1: no body is allprop; propname tells names only.
func TestAllprop(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.proppatch(ann, annCalendar, `<D:set><D:prop><A:calendar-order>3</A:calendar-order></D:prop></D:set>`).want(t, 207)
		for _, body := range []string{"", `<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>`} {
			w := h.do(ann, "PROPFIND", annCalendar, body, "Depth", "0").row(t, annCalendar)
			for _, p := range []string{"D:resourcetype", "D:displayname", "D:creationdate", "A:calendar-order"} {
				if !w.has(p) {
					t.Errorf("allprop lacks %s", p)
				}
			}
			for _, p := range []string{"D:supported-report-set", "C:supported-calendar-component-set", "D:owner"} {
				if w.has(p) {
					t.Errorf("allprop tells %s", p)
				}
			}
		}
		w := h.do(ann, "PROPFIND", annCalendar, `<D:propfind xmlns:D="DAV:"><D:allprop/><D:include><D:owner/></D:include></D:propfind>`, "Depth", "0").row(t, annCalendar)
		if !w.has("D:owner") {
			t.Error("include is not told")
		}
		w = h.do(ann, "PROPFIND", annCalendar, `<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>`, "Depth", "0").row(t, annCalendar)
		for _, p := range []string{"D:displayname", "D:supported-report-set", "A:calendar-order"} {
			if v, ok := w.props["HTTP/1.1 200 OK"][p]; !ok || v != "" {
				t.Errorf("propname: %s is %q, %v", p, v, ok)
			}
		}
	})
}

// A program that asks with %40 for @ finds what it asked for in the answer,
// and what lies below it; one that asks with @ finds @. neon compares octets.
func TestEncodedAt(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		escape := strings.NewReplacer("@", "%40").Replace
		test := func(path string, want string) {
			t.Helper()
			h.propfind(ann, path, "1", "D:resourcetype").row(t, want)
			h.propfind(ann, path, "1", "D:getetag").row(t, want+"a.ics")
			h.report(ann, path, `<D:sync-collection><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`).row(t, want+"a.ics")
			h.report(ann, path, `<C:calendar-multiget><D:prop><D:getetag/></D:prop><D:href>`+annCalendar+`a.ics</D:href></C:calendar-multiget>`).row(t, annCalendar+"a.ics")
		}
		test(annCalendar, annCalendar)
		test(escape(annCalendar), escape(annCalendar))
		// Who takes the href of such an answer for a path and encodes that finds it too.
		again := strings.ReplaceAll(escape(annCalendar), "%40", "%2540")
		test(again, annCalendar)
		h.do(ann, "GET", again+"a.ics", "").want(t, 200)
	})
}
