package caldav

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-vcard"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

const theDirectory = "/dav/directory/"

// Everybody here is a card in a book that nobody writes.
func TestDirectory(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.add(db.Principal{Address: "Hall@example.org", Kind: db.Room, Name: "Hall, upper left", Capacity: 120})
		h.add(db.Principal{Address: "team@example.org", Kind: db.Group, Name: "Team"})
		h.add(db.Principal{Address: "beamer@example.org", Kind: db.Resource})

		for _, path := range []string{annSelf, annBooks, "/dav/addressbooks/"} {
			if got := h.propfind(ann, path, "0", "CR:directory-gateway").row(t, path).text("CR:directory-gateway"); got != "<D:href>/dav/directory/</D:href>" {
				t.Errorf("%s: %s", path, got)
			}
		}
		w := h.propfind(ann, theDirectory, "0", "D:resourcetype D:displayname D:current-user-privilege-set CR:supported-address-data D:supported-report-set").row(t, theDirectory)
		if w.text("D:resourcetype") != "<D:collection/><CR:addressbook/><CR:directory/>" || strings.Contains(w.text("D:current-user-privilege-set"), "write") ||
			!strings.Contains(w.text("D:supported-report-set"), "addressbook-query") || strings.Contains(w.text("D:supported-report-set"), "sync-collection") {
			t.Errorf("%+v", w)
		}
		var listed []string
		for _, w := range h.propfind(ann, theDirectory, "1", "D:getetag D:getcontenttype").rows(t)[1:] {
			listed = append(listed, strings.TrimPrefix(w.href, theDirectory))
			if w.text("D:getcontenttype") != vcardType || w.text("D:getetag") == "" {
				t.Errorf("%+v", w)
			}
		}
		if got := strings.Join(listed, " "); got != "ann@example.org.vcf bob@example.org.vcf room@example.org.vcf hall@example.org.vcf team@example.org.vcf beamer@example.org.vcf" {
			t.Errorf("listed: %s", got)
		}

		// Another reader than ours sees what is meant.
		read := func(name string) vcard.Card {
			t.Helper()
			r := h.do(ann, "GET", theDirectory+name, "").want(t, 200)
			if r.header.Get("Content-Type") != vcardType || r.header.Get("ETag") == "" || r.header.Get("Last-Modified") != "" {
				t.Errorf("%v", r.header)
			}
			h.do(ann, "GET", theDirectory+name, "", "If-None-Match", r.header.Get("ETag")).want(t, 304)
			c, err := vcard.NewDecoder(strings.NewReader(r.body)).Decode()
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		test := func(c vcard.Card, name, want string) {
			t.Helper()
			if got := c.Value(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		if got := h.propfind(ann, theDirectory, "0", "D:resource-id").row(t, theDirectory).text("D:resource-id"); !strings.HasPrefix(got, "<D:href>urn:uuid:") {
			t.Errorf("resource-id %s", got)
		}
		// RFC 6352 §7.1.2
		if got := h.propfind(bob, annSelf, "0", "CR:principal-address").row(t, annSelf).text("CR:principal-address"); got != "<D:href>"+theDirectory+"ann@example.org.vcf</D:href>" {
			t.Errorf("principal-address %s", got)
		}
		c := read("ann@example.org.vcf")
		test(c, "FN", "Ann Ärmel")
		if n := c.Name(); n.GivenName != "Ann" || n.FamilyName != "Ärmel" {
			t.Errorf("N: %+v", n)
		}
		if got := strings.Join(c.Values("EMAIL"), " "); got != "ann@example.org ann.b@example.org" || c.PreferredValue("EMAIL") != "ann@example.org" {
			t.Errorf("EMAIL: %s", got)
		}
		test(c, "CALADRURI", "mailto:ann@example.org")
		if uid := c.Value("UID"); !strings.HasPrefix(uid, "urn:uuid:") || uid != read("ann@example.org.vcf").Value("UID") || uid == read("bob@example.org.vcf").Value("UID") {
			t.Errorf("UID %s", uid)
		}
		hall := read("hall@example.org.vcf")
		test(hall, "FN", "Hall, upper left")
		test(hall, "KIND", "location")
		test(hall, "X-CONVENE-CUTYPE", "ROOM")
		test(hall, "X-CONVENE-CAPACITY", "120")
		test(read("team@example.org.vcf"), "X-ADDRESSBOOKSERVER-KIND", "group")
		test(read("team@example.org.vcf"), "KIND", "group")
		test(read("beamer@example.org.vcf"), "FN", "beamer@example.org")

		rows := h.report(ann, theDirectory, `<CR:addressbook-multiget><D:prop><D:getetag/><CR:address-data><CR:prop name="FN"/></CR:address-data></D:prop><D:href>`+
			theDirectory+`bob%40example.org.vcf</D:href><D:href>/dav/directory/nobody.vcf</D:href><D:href>`+annContacts+`x.vcf</D:href></CR:addressbook-multiget>`).rows(t)
		if len(rows) != 3 || rows[0].text("CR:address-data") != "BEGIN:VCARD\r\nFN:Bob\r\nEND:VCARD\r\n" || rows[1].status != "HTTP/1.1 404 Not Found" || rows[2].status != rows[1].status {
			t.Errorf("%+v", rows)
		}

		// Who has not logged in sees nothing; nobody writes.
		h.do("", "GET", theDirectory+"bob@example.org.vcf", "").want(t, 401)
		h.do("", "PROPFIND", theDirectory, "", "Depth", "1").want(t, 401)
		for _, path := range []string{theDirectory, theDirectory + "bob@example.org.vcf", theDirectory + "new.vcf"} {
			for _, m := range []string{"PUT", "DELETE", "MKCOL", "MKCALENDAR", "PROPPATCH", "ACL", "LOCK", "UNLOCK", "POST", "MOVE", "COPY"} {
				body := ""
				if m == "PUT" || m == "POST" {
					body = card("u", "U")
				}
				if m == "PROPPATCH" {
					body = `<D:propertyupdate` + namespaces + `><D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set></D:propertyupdate>`
				}
				r := h.do(ann, m, path, body, "Destination", annContacts+"x.vcf")
				if r.status < 400 || r.status >= 500 {
					t.Errorf("%s %s: %d %s", m, path, r.status, r.body)
				}
			}
		}
		for _, name := range []string{"bob@example.org.vcf", "new.vcf"} { // programs show what is missing (RFC 3744 §7.1.1)
			r := h.do(ann, "PUT", theDirectory+name, card("u", "U"))
			if r.want(t, 403); r.condition(t) != "D:need-privileges" {
				t.Errorf("PUT of %s: %s", name, r.body)
			}
		}
		h.do(ann, "GET", theDirectory+"ann.b@example.org.vcf", "").want(t, 301)
		h.do(ann, "GET", theDirectory+"bob@example.org", "").want(t, 404)
		h.do(ann, "GET", theDirectory+"a/b", "").want(t, 404)
	})
}

// A search finds by any part of a name or an address, and ends where its
// limits are (RFC 6352 §8.6.2, draft-daboo-carddav-directory-gateway §5).
func TestDirectorySearch(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		err := h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
			for i := range maxFound + 5 {
				if err := directory.Add(tx, &db.Principal{Address: fmt.Sprintf("crowd%d@example.org", i), Kind: db.Group, Name: fmt.Sprintf("Crowd %d", i)}, nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		search := func(rest string) []row {
			t.Helper()
			return h.report(ann, theDirectory, `<CR:addressbook-query><D:prop><D:getetag/><CR:address-data/></D:prop>`+rest+`</CR:addressbook-query>`, "Depth", "1").rows(t)
		}
		test := func(filter string, want ...string) {
			t.Helper()
			var got []string
			for _, w := range search(filter) {
				got = append(got, strings.TrimSuffix(strings.TrimPrefix(w.href, theDirectory), "@example.org.vcf"))
				if !strings.HasPrefix(w.text("CR:address-data"), "BEGIN:VCARD\r\nVERSION:3.0\r\n") {
					t.Errorf("%+v", w)
				}
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%s: %v, want %v", filter, got, want)
			}
		}
		prop := func(name, attrs, text string) string {
			return `<CR:prop-filter name="` + name + `"><CR:text-match collation="i;unicode-casemap"` + attrs + `>` + text + `</CR:text-match></CR:prop-filter>`
		}
		test(`<CR:filter>`+prop("FN", "", "ÄRM")+`</CR:filter>`, "ann")
		test(`<CR:filter>`+prop("N", ` match-type="starts-with"`, "ärmel;a")+`</CR:filter>`, "ann")
		test(`<CR:filter>`+prop("EMAIL", "", "ann.b@")+`</CR:filter>`, "ann")
		test(`<CR:filter>` + prop("FN", ` match-type="equals"`, "bo") + `</CR:filter>`)
		test(`<CR:filter>`+prop("FN", ` match-type="equals"`, "bob")+`</CR:filter>`, "bob")
		test(`<CR:filter>` + prop("NICKNAME", "", "bob") + `</CR:filter>`)
		test(`<CR:filter test="allof">`+prop("FN", "", "crowd 7")+prop("FN", ` negate-condition="yes"`, "crowd 7 ")+prop("EMAIL", ` match-type="starts-with"`, "crowd77")+`</CR:filter>`, "crowd77")
		// As Apple's and Evolution's searches are: any of several.
		test(`<CR:filter test="anyof">`+prop("FN", "", "bob")+prop("NICKNAME", "", "bob")+prop("EMAIL", "", "room@")+prop("FN", "", "b")+`</CR:filter>`+
			`<CR:limit><CR:nresults>3</CR:nresults></CR:limit>`, "bob", "room")
		// What no index helps with is looked through.
		test(`<CR:filter>`+prop("X-CONVENE-CUTYPE", "", "room")+`</CR:filter>`, "room")
		test(`<CR:filter test="allof"><CR:prop-filter name="NICKNAME"><CR:is-not-defined/></CR:prop-filter>`+prop("FN", "", "bob")+`</CR:filter>`, "bob")

		more := func(what string, rows []row, n int) {
			t.Helper()
			if len(rows) != n+1 || rows[n].href != theDirectory || rows[n].status != "HTTP/1.1 507 Insufficient Storage" {
				t.Errorf("%s: %d rows, the last %+v", what, len(rows), rows[len(rows)-1])
			}
		}
		more("the client's limit", search(`<CR:filter>`+prop("FN", "", "crowd")+`</CR:filter><CR:limit><CR:nresults>2</CR:nresults></CR:limit>`), 2)
		more("ours", search(`<CR:filter>`+prop("FN", "", "crowd")+`</CR:filter><CR:limit><CR:nresults>2000</CR:nresults></CR:limit>`), maxFound)
		more("everybody", search(`<CR:filter/>`), maxFound)
		if rows := h.report(ann, theDirectory+"bob@example.org.vcf", `<CR:addressbook-query><D:prop><D:getetag/></D:prop><CR:filter>`+prop("FN", "", "bob")+`</CR:filter></CR:addressbook-query>`).rows(t); len(rows) != 1 {
			t.Errorf("%+v", rows)
		}
	})
}
