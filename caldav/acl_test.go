package caldav

import (
	"fmt"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
)

const annPath = "/dav/principals/ann@example.org/"
const bobPath = "/dav/principals/bob@example.org/"

func (h *house) acl(who, path, aces string) reply {
	h.t.Helper()
	return h.do(who, "ACL", path, `<D:acl`+namespaces+`>`+aces+`</D:acl>`, "Content-Type", "text/xml")
}

// ace grants privileges: "D:read D:write".
func aceFor(principal, privileges string) string {
	var b strings.Builder
	for _, p := range strings.Fields(privileges) {
		b.WriteString("<D:privilege><" + p + "/></D:privilege>")
	}
	return "<D:ace><D:principal>" + principal + "</D:principal><D:grant>" + b.String() + "</D:grant></D:ace>"
}

func href(path string) string { return "<D:href>" + path + "</D:href>" }

// What another may do follows from the entries of a calendar, and from nothing
// else (RFC 3744 §3, §8.1, appendix B).
func TestSharing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		body := event("a", "20261102T100000Z", "20261102T110000Z", "")
		h.put(ann, annCalendar+"a.ics", body).want(t, 201)
		query := `<C:free-busy-query><C:time-range start="20261101T000000Z" end="20261106T000000Z"/></C:free-busy-query>`
		missing := func(r reply, privilege string) {
			t.Helper()
			r.refused(t, 403, "D:need-privileges")
			if !strings.Contains(r.body, "<D:privilege><"+privilege+"/></D:privilege>") {
				t.Errorf("not for %s: %s", privilege, r.body)
			}
		}

		// Busy time only.
		h.acl(ann, annCalendar, aceFor(href(bobPath), "C:read-free-busy")).want(t, 200)
		h.report(bob, annCalendar, query).want(t, 200)
		missing(h.do(bob, "GET", annCalendar+"a.ics", ""), "D:read")
		missing(h.propfind(bob, annCalendar, "1", "D:getetag"), "D:read")
		h.do(bob, "GET", annCalendar+"none.ics", "").want(t, 404)
		h.do(bob, "GET", annTasks, "").want(t, 404)
		equal(t, "home", names(t, h.propfind(bob, annHome, "1", "D:displayname"), annHome), []string{""})

		// Read.
		h.acl(ann, annCalendar, aceFor(href(bobPath), "D:read")).want(t, 200)
		if g := h.do(bob, "GET", annCalendar+"a.ics", "").want(t, 200); g.body != body {
			t.Errorf("%q", g.body)
		}
		equal(t, "home", names(t, h.propfind(bob, annHome, "1", "D:displayname"), annHome), []string{"", "calendar/"})
		equal(t, "members", names(t, h.propfind(bob, annCalendar, "1", "D:getetag"), annCalendar), []string{"", "a.ics"})
		w := h.propfind(bob, annCalendar, "0", "D:owner D:current-user-privilege-set D:acl").row(t, annCalendar)
		if w.text("D:owner") != href(annPath) || !w.lacks("D:acl") {
			t.Errorf("%+v", w)
		}
		if got, want := w.text("D:current-user-privilege-set"), "<D:privilege><D:read/></D:privilege><D:privilege><C:read-free-busy/></D:privilege><D:privilege><D:read-current-user-privilege-set/></D:privilege>"; got != want {
			t.Errorf("got %s", got)
		}
		if w := h.propfind(bob, bobPath, "0", "C:calendar-home-set CR:addressbook-home-set").row(t, bobPath); w.text("C:calendar-home-set") != href(bobHome)+href(annHome) || strings.Contains(w.text("CR:addressbook-home-set"), "ann") {
			t.Errorf("%+v", w)
		}
		missing(h.put(bob, annCalendar+"a.ics", body), "D:write-content")
		missing(h.put(bob, annCalendar+"b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")), "D:bind")
		missing(h.do(bob, "DELETE", annCalendar+"a.ics", ""), "D:unbind")
		missing(h.do(bob, "DELETE", annCalendar, ""), "D:unbind")
		missing(h.do(bob, "MOVE", annCalendar+"a.ics", "", "Destination", bobCalendar+"a.ics"), "D:unbind")
		missing(h.do(bob, "MKCALENDAR", annHome+"more/", ""), "D:bind")
		missing(h.acl(bob, annCalendar, aceFor(href(bobPath), "D:all")), "D:write-acl")
		lock, _ := h.lock(bob, annCalendar+"a.ics", "exclusive", "0")
		missing(lock, "D:write-content")
		h.do(bob, "COPY", annCalendar+"a.ics", "", "Destination", bobCalendar+"a.ics").want(t, 201)
		// His colour of it is his own, whatever he may.
		h.proppatch(bob, annCalendar, `<D:set><D:prop><A:calendar-color>#123456</A:calendar-color></D:prop></D:set>`).row(t, annCalendar)
		if w := h.propfind(bob, annCalendar, "0", "A:calendar-color").row(t, annCalendar); w.text("A:calendar-color") != "#123456" {
			t.Errorf("%+v", w)
		}
		if w := h.propfind(ann, annCalendar, "0", "A:calendar-color").row(t, annCalendar); !w.lacks("A:calendar-color") {
			t.Errorf("%+v", w)
		}
		if w := h.proppatch(bob, annCalendar, `<D:set><D:prop><D:displayname>Mine</D:displayname></D:prop></D:set>`).row(t, annCalendar); w.props["HTTP/1.1 403 Forbidden"] == nil {
			t.Errorf("%+v", w)
		}
		// Reports that name hrefs.
		if r := h.report(bob, bobCalendar, `<C:calendar-multiget><D:prop><D:getetag/></D:prop><D:href>`+annCalendar+`a.ics</D:href><D:href>`+annTasks+`x.ics</D:href></C:calendar-multiget>`); !r.row(t, annCalendar+"a.ics").has("D:getetag") || r.row(t, annTasks+"x.ics").status != "HTTP/1.1 404 Not Found" {
			t.Errorf("%s", r.body)
		}
		h.report(bob, annCalendar, `<D:sync-collection><D:sync-token/><D:prop><D:getetag/></D:prop></D:sync-collection>`).want(t, 207)

		// Read and write.
		h.acl(ann, annCalendar, aceFor(href(bobPath), "D:read D:write")).want(t, 200)
		h.put(bob, annCalendar+"a.ics", strings.Replace(body, "SUMMARY:a", "SUMMARY:changed", 1)).want(t, 204)
		h.put(bob, annCalendar+"c.ics", event("c", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		h.do(ann, "GET", annCalendar+"c.ics", "").want(t, 200)
		h.do(bob, "DELETE", annCalendar+"c.ics", "").want(t, 204)
		h.proppatch(bob, annCalendar, `<D:set><D:prop><D:displayname>Ours</D:displayname></D:prop></D:set>`).row(t, annCalendar)
		if w := h.propfind(ann, annCalendar, "0", "D:displayname").row(t, annCalendar); w.text("D:displayname") != "Ours" {
			t.Errorf("%+v", w)
		}
		r, token := h.lock(bob, annCalendar+"a.ics", "exclusive", "0")
		r.want(t, 200)
		h.put(ann, annCalendar+"a.ics", body).refused(t, 423, "D:lock-token-submitted")
		h.put(ann, annCalendar+"a.ics", body, "If", "("+token+")").refused(t, 423, "D:lock-token-submitted") // his token, not hers
		h.do(ann, "UNLOCK", annCalendar+"a.ics", "", "Lock-Token", token).want(t, 204)                       // her calendar

		// By a group; by the home; to whoever has logged in.
		h.add(db.Principal{Address: "team@example.org", Kind: db.Group, Name: "Team"})
		if err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
			g, err := tx.PrincipalByAddress("team@example.org")
			if err == nil {
				err = tx.SetMembers(g.ID, []string{bob})
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		h.acl(ann, annCalendar, "").want(t, 200)
		h.do(bob, "GET", annCalendar+"a.ics", "").refused(t, 403, "D:need-privileges")
		h.acl(ann, annTasks, aceFor(href("/dav/principals/team@example.org/"), "D:read")).want(t, 200)
		h.propfind(bob, annTasks, "1", "D:getetag").want(t, 207)
		h.acl(ann, annTasks, "").want(t, 200)
		h.acl(ann, annHome, aceFor("<D:authenticated/>", "D:read")).want(t, 200)
		h.do(bob, "GET", annCalendar+"a.ics", "").want(t, 200)
		h.do("", "GET", annCalendar+"a.ics", "").want(t, 401)
		if w := h.propfind(bob, bobPath, "0", "C:calendar-home-set").row(t, bobPath); w.text("C:calendar-home-set") != href(bobHome) {
			t.Errorf("what everybody may read is listed: %+v", w) // only what was given to him by name
		}
		const own = "<D:ace><D:principal><D:property><D:owner/></D:property></D:principal><D:grant><D:privilege><D:all/></D:privilege></D:grant><D:protected/></D:ace>"
		acting := protectedFor(annPath+"calendar-proxy-write/", "D:read", "D:write", "D:unlock") + protectedFor(annPath+"calendar-proxy-read/", "D:read")
		if w := h.propfind(ann, annCalendar, "0", "D:acl D:acl-restrictions D:inherited-acl-set").row(t, annCalendar); w.text("D:acl") != own+acting+
			"<D:ace><D:principal><D:authenticated/></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant><D:inherited>"+href(annHome)+"</D:inherited></D:ace>" ||
			w.text("D:acl-restrictions") != "<D:no-invert/>" || w.text("D:inherited-acl-set") != href(annHome) {
			t.Errorf("%+v", w)
		}
		h.acl(ann, annHome, "").want(t, 200)
		h.do(bob, "GET", annCalendar+"a.ics", "").refused(t, 403, "D:need-privileges")

		// What is denied first is not granted after it.
		deny := strings.Replace(aceFor(href(bobPath), "D:write"), "D:grant>", "D:deny>", 2)
		h.acl(ann, annCalendar, deny+aceFor("<D:authenticated/>", "D:read D:write")).want(t, 200)
		missing(h.put(bob, annCalendar+"a.ics", body), "D:write-content")
		h.do(bob, "GET", annCalendar+"a.ics", "").want(t, 200)
		if w := h.propfind(ann, annCalendar, "0", "D:acl").row(t, annCalendar); !strings.Contains(w.text("D:acl"), "<D:deny><D:privilege><D:write/></D:privilege></D:deny>") {
			t.Errorf("%+v", w)
		}
		h.acl(ann, annCalendar, "").want(t, 200)

		// A book.
		h.putCard(ann, annContacts+"x.vcf", card("u-x", "X")).want(t, 201)
		h.do(bob, "GET", annContacts+"x.vcf", "").refused(t, 403, "D:need-privileges")
		h.acl(ann, annContacts, aceFor("<D:all/>", "D:read")).want(t, 200)
		h.do(bob, "GET", annContacts+"x.vcf", "").want(t, 200)
	})
}

// protectedFor is an entry that nobody can change.
func protectedFor(principal string, privileges ...string) string {
	out := "<D:ace><D:principal>" + href(principal) + "</D:principal><D:grant>"
	for _, p := range privileges {
		out += "<D:privilege><" + p + "/></D:privilege>"
	}
	return out + "</D:grant><D:protected/></D:ace>"
}

// RFC 3744 §5: every resource has a list of who may do what, also those that
// belong to nobody.
func TestACLOfFolders(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		read := strings.Replace(protectedFor("x", "D:read", "D:read-acl"), href("x"), "<D:authenticated/>", 1)
		test := func(path, want string) {
			t.Helper()
			for _, who := range []string{ann, bob} {
				if w := h.propfind(who, path, "0", "D:acl").row(t, path); w.text("D:acl") != want {
					t.Errorf("%s of %s: %s", path, who, w.text("D:acl"))
				}
			}
		}
		for _, path := range []string{"/dav/", "/dav/principals/", "/dav/calendars/", "/dav/addressbooks/", theDirectory} {
			test(path, read)
		}
		for _, path := range []string{annPath, annPath + "calendar-proxy-read/"} {
			test(path, protectedFor(annPath, "D:write-properties")+read)
		}
	})
}

// The preconditions of ACL (RFC 3744 §8.1.1).
func TestACLRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		refused := func(aces, condition string) {
			t.Helper()
			h.acl(ann, annCalendar, aces).refused(t, 403, condition)
		}
		refused("<D:ace><D:invert><D:principal>"+href(bobPath)+"</D:principal></D:invert><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace>", "D:no-invert")
		refused(aceFor(href(bobPath), "D:fly"), "D:not-supported-privilege")
		refused(aceFor(href("/dav/principals/none@example.org/"), "D:read"), "D:recognized-principal")
		refused(aceFor(href("https://elsewhere.example.com/"), "D:read"), "D:recognized-principal")
		refused(aceFor("<D:unauthenticated/>", "D:read"), "D:allowed-principal")
		refused(aceFor("<D:self/>", "D:read"), "D:allowed-principal")
		refused(strings.Repeat(aceFor(href(bobPath), "D:read")+aceFor("<D:all/>", "D:read"), maxACEs/2+1), "D:limited-number-of-aces")
		h.acl(ann, annCalendar, "<D:ace/>").want(t, 400)
		h.acl(ann, annCalendar, aceFor("<D:all/>", "")).want(t, 400)
		h.do(ann, "ACL", annCalendar, "").want(t, 400)
		h.acl(ann, "/dav/", "").refused(t, 403, "D:no-protected-ace-conflict")
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		h.acl(ann, annCalendar+"a.ics", "").refused(t, 403, "D:no-inherited-ace-conflict")
		h.acl(ann, annCalendar+"none.ics", "").want(t, 404)
		h.acl(bob, annCalendar, aceFor(href(bobPath), "D:all")).refused(t, 403, "D:need-privileges")
		// As it was told, it may be sent back.
		w := h.propfind(ann, annCalendar, "0", "D:acl").row(t, annCalendar)
		h.acl(ann, annCalendar, w.text("D:acl")+aceFor(href(annPath), "D:read")).want(t, 200)
	})
}

// Delegates: the two groups of everybody (calendar-proxy).
func TestProxy(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const read, write = annPath + "calendar-proxy-read/", annPath + "calendar-proxy-write/"
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		if w := h.propfind(ann, write, "0", "D:resourcetype D:group-member-set D:principal-URL").row(t, write); w.text("D:resourcetype") != "<D:collection/><D:principal/><CS:calendar-proxy-write/>" ||
			!w.has("D:group-member-set") || w.text("D:principal-URL") != href(write) {
			t.Errorf("%+v", w)
		}
		set := func(who, path, members string) reply {
			t.Helper()
			return h.proppatch(who, path, `<D:set><D:prop><D:group-member-set>`+members+`</D:group-member-set></D:prop></D:set>`)
		}
		set(bob, write, href(bobPath)).refused(t, 403, "D:need-privileges")
		if w := set(ann, write, href("/dav/principals/none@example.org/")).row(t, write); w.props["HTTP/1.1 403 Forbidden"] == nil {
			t.Errorf("%+v", w)
		}
		set(ann, read, href(bobPath)).row(t, read)
		h.do(bob, "GET", annCalendar+"a.ics", "").want(t, 200)
		h.put(bob, annCalendar+"b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")).refused(t, 403, "D:need-privileges")
		set(ann, read, "").row(t, read)
		h.do(bob, "GET", annCalendar+"a.ics", "").refused(t, 403, "D:need-privileges")
		set(ann, write, href(bobPath)).row(t, write)
		h.put(bob, annCalendar+"b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		// Bob learns of it; a stranger does not.
		w := h.propfind(bob, bobPath, "0", "CS:calendar-proxy-write-for CS:calendar-proxy-read-for D:group-membership C:calendar-home-set").row(t, bobPath)
		if w.text("CS:calendar-proxy-write-for") != href(annPath) || w.text("CS:calendar-proxy-read-for") != "" || w.text("D:group-membership") != href(write) || w.text("C:calendar-home-set") != href(bobHome)+href(annHome) {
			t.Errorf("%+v", w)
		}
		if w := h.propfind(bob, annPath, "0", "C:calendar-home-set C:schedule-inbox-URL").row(t, annPath); w.text("C:calendar-home-set") != href(annHome) || w.text("C:schedule-inbox-URL") != href(annInbox) {
			t.Errorf("%+v", w)
		}
		if w := h.propfind(bob, write, "0", "D:group-member-set").row(t, write); w.text("D:group-member-set") != href(bobPath) {
			t.Errorf("%+v", w)
		}
		// Ann sees what he may do for her, and nothing else of what he is in.
		if w := h.propfind(ann, bobPath, "0", "D:group-membership").row(t, bobPath); w.text("D:group-membership") != href(write) {
			t.Errorf("%+v", w)
		}
		r := h.report(bob, "/dav/principals/", `<D:principal-match><D:self/><D:prop><D:displayname/></D:prop></D:principal-match>`)
		equal(t, "principal-match", names(t, r, ""), []string{write, bobPath})
		h.add(dbPerson("eve@example.org"))
		if w := h.propfind("eve@example.org", bobPath, "0", "D:group-membership").row(t, bobPath); !w.lacks("D:group-membership") {
			t.Errorf("%+v", w)
		}
		if w := h.propfind("eve@example.org", write, "0", "D:group-member-set").row(t, write); !w.lacks("D:group-member-set") {
			t.Errorf("%+v", w)
		}
		if w := h.propfind("eve@example.org", annPath, "0", "C:calendar-home-set").row(t, annPath); !w.lacks("C:calendar-home-set") {
			t.Errorf("%+v", w)
		}
		e := h.report(bob, bobPath, `<D:expand-property><D:property name="calendar-proxy-write-for" namespace="http://calendarserver.org/ns/"><D:property name="displayname"/></D:property></D:expand-property>`)
		if !strings.Contains(e.body, "Ann Ärmel") {
			t.Errorf("%s", e.body)
		}
		// He schedules in her name.
		h.put(bob, annCalendar+"m.ics", strings.Replace(meeting("m", "20261203T100000Z", "20261203T110000Z", "room@example.org"), "SUMMARY", "COMMENT", 1)).want(t, 201)
		h.do(ann, "GET", annCalendar+"m.ics", "").want(t, 200)
	})
}

// Which principals are me (RFC 3744 §9.3), and whom to invite
// (calendarserver-principal-search).
func TestPrincipalSearches(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		r := h.report(ann, annHome, `<D:principal-match><D:principal-property><D:owner/></D:principal-property><D:prop><D:displayname/></D:prop></D:principal-match>`)
		equal(t, "principal-property", names(t, r, annHome), []string{"calendar/", "inbox/", "outbox/", "tasks/"})
		h.report(ann, annHome, `<D:principal-match><D:prop><D:displayname/></D:prop></D:principal-match>`).want(t, 400)
		h.proppatch(ann, annTasks, `<D:set><D:prop><X:by xmlns:X="urn:x"><D:href>`+annSelf+`</D:href></X:by></D:prop></D:set>`).want(t, 207)
		h.proppatch(ann, annCalendar, `<D:set><D:prop><X:by xmlns:X="urn:x"><D:href>`+bobPath+`</D:href></X:by></D:prop></D:set>`).want(t, 207)
		r = h.report(ann, annHome, `<D:principal-match><D:principal-property><X:by xmlns:X="urn:x"/></D:principal-property><D:prop><D:displayname/></D:prop></D:principal-match>`)
		equal(t, "principal-property, dead", names(t, r, annHome), []string{"tasks/"})
		search := func(in string, want ...string) {
			t.Helper()
			r := h.report(ann, "/dav/principals/", `<CS:calendarserver-principal-search `+in+`<D:prop><D:displayname/></D:prop></CS:calendarserver-principal-search>`)
			equal(t, in, names(t, r, "/dav/principals/"), append([]string{}, want...))
		}
		search(`context="attendee"><CS:search-token>ärm</CS:search-token>`, "ann@example.org/")
		search(`context="location"><CS:search-token>EXAMPLE</CS:search-token><CS:search-token>big</CS:search-token>`, "room@example.org/")
		search(`context="user"><CS:search-token>example</CS:search-token><CS:limit><CS:nresults>1</CS:nresults></CS:limit>`, " 507", "ann@example.org/")
		search(`context="resource"><CS:search-token>example</CS:search-token>`)
		h.report(ann, "/dav/principals/", `<CS:calendarserver-principal-search context="all"><CS:search-token>x</CS:search-token></CS:calendarserver-principal-search>`).want(t, 400)
		h.report(ann, "/dav/principals/", `<CS:calendarserver-principal-search context="user"></CS:calendarserver-principal-search>`).want(t, 400)
	})
}

// Who may only read keeps what his programs want to keep for himself; it needs a
// right to change what others see.
func TestReadersKeepTheirOwn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.acl(ann, annCalendar, aceFor(href(bobPath), "D:read")).want(t, 200)
		set := func(who, value string) reply {
			t.Helper()
			return h.proppatch(who, annCalendar, `<D:set><D:prop><X:sort xmlns:X="urn:x">`+value+`</X:sort></D:prop></D:set>`).want(t, 207)
		}
		test := func(who, want string) {
			t.Helper()
			r := h.do(who, "PROPFIND", annCalendar, `<D:propfind xmlns:D="DAV:"><D:prop><X:sort xmlns:X="urn:x"/></D:prop></D:propfind>`, "Depth", "0").want(t, 207)
			if got := strings.Contains(r.body, ">"+want+"<"); got != (want != "") || want == "" && !strings.Contains(r.body, "404 Not Found") {
				t.Errorf("%s has %s, want %q", who, r.body, want)
			}
		}
		set(ann, "hers")
		test(bob, "hers")
		set(bob, "his")
		test(bob, "his")
		test(ann, "hers")
		h.proppatch(bob, annCalendar, `<D:remove><D:prop><X:sort xmlns:X="urn:x"/></D:prop></D:remove>`).want(t, 207)
		test(bob, "hers")
		test(ann, "hers")
		w := h.proppatch(bob, annCalendar, `<D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set>`).row(t, annCalendar)
		if len(w.props["HTTP/1.1 403 Forbidden"]) != 1 {
			t.Errorf("%+v", w)
		}
		// As many as others have.
		var many strings.Builder
		for i := range maxDead {
			fmt.Fprintf(&many, `<p%d xmlns="urn:x">1</p%d>`, i, i)
		}
		h.proppatch(bob, annCalendar, `<D:set><D:prop>`+many.String()+`</D:prop></D:set>`).want(t, 207)
		h.proppatch(bob, annCalendar, `<D:set><D:prop><more xmlns="urn:x">1</more></D:prop></D:set>`).refused(t, 403, "D:quota-not-exceeded")

		// With the right to, it is everybody's.
		h.acl(ann, annCalendar, aceFor(href(bobPath), "D:read D:write-properties")).want(t, 200)
		set(bob, "ours")
		test(ann, "ours")

		// A proxy group is in no group, whoever its owner is with (RFC 3744 §4.4).
		h.add(db.Principal{Kind: db.Group, Address: "team@example.org", Name: "Team"})
		err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
			g, err := tx.PrincipalByAddress("team@example.org")
			if err != nil {
				return err
			}
			return tx.SetMembers(g.ID, []string{ann})
		})
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]string{annSelf: href("/dav/principals/team@example.org/"), annSelf + "calendar-proxy-write/": ""} {
			if got := h.propfind(ann, path, "0", "D:group-membership").row(t, path).text("D:group-membership"); got != want {
				t.Errorf("%s: %q, want %q", path, got, want)
			}
		}
	})
}
