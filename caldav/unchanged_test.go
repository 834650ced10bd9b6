package caldav

import (
	"fmt"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
)

// Whatever makes no sense is refused by its name, and nothing has changed after
// it: no tag, no name, no lock, no grant, no mail; in one's own homes or another's.
func TestRefusedChangesNothing(t *testing.T) {
	h := newHouse(t, storeOf(t, "sqlite"))
	const files = annHome + "files/"
	h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
	h.putCard(ann, annContacts+"c.vcf", card("u-c", "C")).want(t, 201)
	h.do(ann, "MKCALENDAR", annHome+"work/", "").want(t, 201)
	h.do(ann, "MKCOL", files, "").want(t, 201)
	h.do(ann, "PUT", files+"f", "x", "Content-Type", "text/plain").want(t, 201)
	state := func() string {
		var b strings.Builder
		for _, at := range [][2]string{{ann, annHome}, {ann, annBooks}, {bob, bobHome}, {ann, annCalendar}, {ann, annContacts}, {ann, files}} {
			for _, w := range h.propfind(at[0], at[1], "1", "CS:getctag D:getetag D:displayname D:acl D:lockdiscovery A:calendar-color").rows(t) {
				fmt.Fprintln(&b, w.href, w.text("CS:getctag"), w.text("D:getetag"), w.text("D:displayname"), w.text("D:acl"), w.text("D:lockdiscovery"), w.text("A:calendar-color"))
			}
		}
		err := h.store.View(t.Context(), func(tx *db.Tx) error {
			mails, err := tx.Deliveries(0, 10)
			fmt.Fprintln(&b, len(mails))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	before := state()
	test := func(status int, condition, method, path, body string, headers ...string) {
		t.Helper()
		r := h.do(ann, method, path, body, headers...)
		got := ""
		if strings.Contains(r.body, "<D:error") {
			got = r.condition(t)
		}
		if r.status != status || got != condition {
			t.Errorf("%s %s %q: %d %s, want %d %s\n%.300s\n%.300s", method, path, headers, r.status, got, status, condition, body, r.body)
		}
		if after := state(); after != before {
			t.Errorf("%s %s %q\n%.300s\nchanged\n%sto\n%s", method, path, headers, body, before, after)
			before = after
		}
	}

	// XML, to every method that reads it (RFC 4918 §8.2, §16, §20.6).
	var attrs strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&attrs, ` a%d="1"`, i)
	}
	for _, m := range []struct{ method, path, root, inner string }{
		{"PROPFIND", annCalendar, "D:propfind", "<D:allprop/>"}, {"PROPPATCH", annCalendar, "D:propertyupdate", "<D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set>"},
		{"MKCALENDAR", annHome + "new/", "C:mkcalendar", "<D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set>"}, {"MKCOL", annHome + "new/", "D:mkcol", "<D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set>"},
		{"ACL", annCalendar, "D:acl", aceFor(href(bobPath), "D:read")}, {"LOCK", annCalendar + "a.ics", "D:lockinfo", "<D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>"},
		{"LOCK", annCalendar + "new.ics", "D:lockinfo", "<D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>"}, {"REPORT", annCalendar, "C:calendar-query", "<C:filter/>"},
	} {
		doc := func(before, inner string) string {
			return before + "<" + m.root + namespaces + ">" + inner + "</" + m.root + ">"
		}
		bad := func(status int, condition, body string) {
			t.Helper()
			test(status, condition, m.method, m.path, body, "Content-Type", "application/xml; charset=utf-8", "Depth", "0")
		}
		bad(400, "", doc(`<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;">]>`, m.inner))
		bad(400, "", doc(`<!DOCTYPE x [<!ELEMENT x ANY>]>`, m.inner))
		bad(403, "D:no-external-entities", doc(`<!DOCTYPE x SYSTEM "file:///etc/passwd">`, m.inner))
		bad(403, "D:no-external-entities", doc(`<!DOCTYPE x [<!ENTITY a PUBLIC "x" "http://127.0.0.1/">]>`, m.inner))
		bad(400, "", doc("", m.inner+"<D:x>&a;</D:x>"))
		bad(400, "", doc("", m.inner+strings.Repeat("<D:x>", 5000)+strings.Repeat("</D:x>", 5000)))
		bad(400, "", doc("", m.inner+"<D:x"+attrs.String()+"/>"))
		bad(400, "", doc("", m.inner+"<Z:x/>"))
		bad(400, "", doc("", m.inner+`<D:x Z:y=""/>`))
		bad(400, "", doc("", m.inner+`<D:x y="1" y="2"/>`))
		bad(415, "", doc(`<?xml version="1.0" encoding="iso-8859-1"?>`, m.inner))
		bad(415, "", doc(`<?xml version="1.0" encoding="utf-16"?>`, m.inner))
		bad(415, "", "\xfe\xff\x00<\x00a\x00/\x00>")
		bad(400, "", doc("", m.inner+"<D:x>\xff\xfe</D:x>"))
		bad(400, "", doc("", m.inner+"<D:x>\x01</D:x>"))
		bad(400, "", doc("", m.inner)+doc("", m.inner))
		bad(400, "", doc("", m.inner)+"more")
		bad(400, "", strings.TrimSuffix(doc("", m.inner), ">"))
		bad(400, "", "hello")
		bad(400, "", `{"a":1}`)
		bad(413, "", doc("", m.inner+strings.Repeat(" ", int(xmlLimits.Bytes))))
		if m.method == "REPORT" {
			bad(403, "D:supported-report", "<D:nothing"+namespaces+"/>") // RFC 3253 §3.6
		} else {
			bad(400, "", "<D:nothing"+namespaces+"/>")
		}
	}

	// Destinations (RFC 4918 §9.8, §9.9, §10.3).
	long := strings.Repeat("n", 300)
	for _, d := range []struct {
		to        string
		status    int
		condition string
	}{
		{"", 400, ""}, {"x", 400, ""}, {"x/y", 400, ""}, {"mailto:ann@example.org", 400, ""}, {"http://[::1", 400, ""}, {"ftp://cal.example.org" + annCalendar + "b.ics", 400, ""}, {"//elsewhere.example.com/x", 400, ""},
		{annCalendar + "%zz", 400, ""}, {annCalendar + "%ff.ics", 400, ""}, {annCalendar + "../calendar/b.ics", 400, ""}, {annCalendar + "./b.ics", 400, ""}, {annCalendar + "%2e%2e/b.ics", 400, ""}, {annCalendar + "x%2Fb.ics", 400, ""},
		{annCalendar + "b.ics?x=y", 400, ""}, {annCalendar + "b.ics#x", 400, ""}, {annCalendar + "b%00.ics", 400, ""},
		{"https://elsewhere.example.com" + annCalendar + "b.ics", 403, ""},
		{"/", 403, "D:need-privileges"}, {"/dav/", 403, "D:need-privileges"}, {annSelf, 403, "D:need-privileges"}, {annHome, 403, "D:need-privileges"}, {theDirectory, 403, "D:need-privileges"}, {annInbox + "b.ics", 403, "D:need-privileges"}, {annOutbox + "b.ics", 403, "D:need-privileges"},
		{bobHome, 403, "D:need-privileges"}, {bobCalendar + "b.ics", 403, "D:need-privileges"}, {"/dav/calendars/nobody@example.org/calendar/b.ics", 403, "D:need-privileges"}, {theDirectory + "none.vcf", 404, ""}, {annCalendar + long, 404, ""}, {"/elsewhere", 404, ""},
		{annHome + "none/b.ics", 409, ""}, {files + "none/b.ics", 409, ""},
	} {
		for _, from := range []string{annCalendar + "a.ics", annContacts + "c.vcf", files + "f"} {
			for _, method := range []string{"COPY", "MOVE"} {
				test(d.status, d.condition, method, from, "", "Destination", d.to)
			}
		}
	}
	for _, method := range []string{"COPY", "MOVE"} {
		test(400, "", method, annCalendar+"a.ics", "")
		test(403, "", method, annCalendar+"a.ics", "", "Destination", annCalendar+"a.ics")
		test(403, "", method, annCalendar+"a.ics", "", "Destination", "/dav/calendars/ann%40example.org/calendar/%61.ics")
		test(409, "", method, files, "", "Destination", files+"in/")
		test(403, "CR:supported-address-data", method, annCalendar+"a.ics", "", "Destination", annContacts+"a.vcf")
		test(403, "C:supported-calendar-data", method, annContacts+"c.vcf", "", "Destination", annCalendar+"c.ics")
		test(403, "C:supported-calendar-data", method, files+"f", "", "Destination", annCalendar+"f.ics")
		test(403, "C:calendar-collection-location-ok", method, annHome+"work/", "", "Destination", annCalendar+"in/")
		test(400, "", method, annCalendar+"a.ics", "", "Destination", annCalendar+"b.ics", "Overwrite", "maybe")
		test(412, "", method, files+"f", "", "Destination", files+"f2", "If-Match", `"x"`)
		for _, depth := range []string{"2", "-1", "x", "0,1"} {
			test(400, "", method, annCalendar+"a.ics", "", "Destination", annCalendar+"b.ics", "Depth", depth)
			test(400, "", method, files, "", "Destination", annHome+"more/", "Depth", depth)
		}
		test(400, "", method, files, "", "Destination", annHome+"more/", "Depth", "1") // §9.8.3, §9.9.2
	}

	// Depth and conditions of the others.
	for _, depth := range []string{"2", "-1", "x", "0,1"} {
		test(400, "", "DELETE", annCalendar+"a.ics", "", "Depth", depth)
		test(400, "", "DELETE", annHome+"work/", "", "Depth", depth)
		test(400, "", "LOCK", annCalendar+"a.ics", `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`, "Depth", depth)
		test(400, "", "PROPFIND", annCalendar, "", "Depth", depth)
		test(400, "", "REPORT", annCalendar, `<C:calendar-query`+namespaces+`><C:filter/></C:calendar-query>`, "Depth", depth)
	}
	test(400, "", "DELETE", annHome+"work/", "", "Depth", "0") // §9.6.1
	test(400, "", "DELETE", annHome+"work/", "", "Depth", "1")
	test(403, "D:propfind-finite-depth", "PROPFIND", annCalendar, "", "Depth", "infinity")
	for _, lists := range []string{"(", "()", "<>", "(<a>", "(Not)", "x"} {
		test(400, "", "PUT", annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T113000Z", ""), "If", lists)
		test(400, "", "DELETE", annCalendar+"a.ics", "", "If", lists)
	}
	test(412, "", "DELETE", annCalendar+"a.ics", "", "If", "(<urn:x>)")
	test(412, "", "DELETE", annCalendar+"a.ics", "", "If-Match", `"x"`)
	test(412, "", "DELETE", annCalendar+"a.ics", "", "If-Match", ",,")
	test(412, "", "DELETE", annCalendar+"a.ics", "", "If-Schedule-Tag-Match", `"x"`)
	test(400, "", "UNLOCK", annCalendar+"a.ics", "")
	test(400, "", "UNLOCK", annCalendar+"a.ics", "", "Lock-Token", "x")
	test(409, "D:lock-token-matches-request-uri", "UNLOCK", annCalendar+"a.ics", "", "Lock-Token", "<urn:x>")

	// Names.
	ok := event("b", "20261102T100000Z", "20261102T110000Z", "")
	for _, name := range []string{"%00.ics", "a%2Fb.ics", "%ff.ics", "%2e%2e", "%2E", "a%0d%0ab", long} {
		test(404, "", "PUT", annCalendar+name, ok, "Content-Type", "text/calendar")
		test(404, "", "DELETE", annCalendar+name, "")
		test(404, "", "MKCALENDAR", annHome+name+"/", "")
	}
	test(403, "", "PUT", annCalendar+"b.ics/", ok, "Content-Type", "text/calendar")
	test(409, "", "PUT", annHome+"none/b.ics", ok, "Content-Type", "text/calendar")

	// Bodies that are not what they say (RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1).
	put := func(status int, condition, path, media, body string) {
		t.Helper()
		test(status, condition, "PUT", path, body, "Content-Type", media)
	}
	latin1 := strings.Replace(ok, "SUMMARY:b", "SUMMARY:K\xfcche", 1)
	for _, media := range []string{"text/calendar", "text/calendar; charset=utf-8", "text/calendar; charset=iso-8859-1", "text/calendar; charset=utf-16"} {
		put(403, "C:valid-calendar-data", annCalendar+"b.ics", media, latin1)
		put(403, "C:valid-calendar-data", annCalendar+"b.ics", media, "\xff\xfe"+strings.Join(strings.Split(ok, ""), "\x00"))
	}
	put(403, "C:supported-calendar-data", annCalendar+"b.ics", `text/calendar; charset="x`, ok)
	put(403, "C:supported-calendar-data", annCalendar+"b.ics", "text/vcard", ok)
	put(403, "C:valid-calendar-data", annCalendar+"b.ics", "text/calendar", card("b", "B"))
	put(403, "C:valid-calendar-data", annCalendar+"b.ics", "application/calendar+json", ok)
	put(403, "CR:supported-address-data", annContacts+"b.vcf", "text/calendar", ok)
	put(403, "CR:valid-address-data", annContacts+"b.vcf", "text/vcard", ok)
	put(403, "CR:valid-address-data", annContacts+"b.vcf", "text/vcard; charset=utf-8", strings.Replace(card("b", "B"), "FN:B", "FN:J\xfcrgen", 1))
	put(403, "CR:valid-address-data", annContacts+"b.vcf", "text/vcard; charset=iso-8859-1", strings.Replace(card("b", "B"), "FN:B", "FN:J\xfcrgen", 1))
}
