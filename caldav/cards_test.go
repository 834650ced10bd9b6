package caldav

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

const (
	annBooks    = "/dav/addressbooks/ann@example.org/"
	annContacts = annBooks + "contacts/"
)

// card is a small one, with more lines before its end.
func card(uid, name string, more ...string) string {
	lines := []string{"BEGIN:VCARD", "VERSION:3.0"}
	if uid != "" {
		lines = append(lines, "UID:"+uid)
	}
	lines = append(lines, "FN:"+name, "N:;"+name+";;;")
	return strings.Join(append(append(lines, more...), "END:VCARD", ""), "\r\n")
}

const vcardType = "text/vcard; charset=utf-8"

func (h *house) putCard(who, path, body string, headers ...string) reply {
	h.t.Helper()
	return h.do(who, "PUT", path, body, append([]string{"Content-Type", vcardType}, headers...)...)
}

// ctag of an address book: it changes exactly when something in it does.
func (h *house) ctag(path string) string {
	h.t.Helper()
	return h.propfind(ann, path, "0", "CS:getctag").row(h.t, path).text("CS:getctag")
}

func TestCardPutGetDelete(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const path = annContacts + "c1.vcf"
		body := card("c-1", "Carl", "item1.X-ODD;A=b:kept, as sent", "NOTE:folded\r\n  here")
		r := h.putCard(ann, path, body, "If-None-Match", "*").want(t, 201)
		etag := r.header.Get("ETag")
		g := h.do(ann, "GET", path, "").want(t, 200)
		if g.body != body || g.header.Get("Content-Type") != vcardType || g.header.Get("ETag") != etag || etag == "" {
			t.Errorf("%v %q", g.header, g.body)
		}
		before := h.ctag(annContacts)
		h.putCard(ann, path, body, "If-None-Match", "*").want(t, 412)
		h.putCard(ann, path, body, "If-Match", `"x"`).want(t, 412)
		h.putCard(ann, annContacts+"none.vcf", card("c-2", "Eve"), "If-Match", "*").want(t, 412)
		h.do(ann, "DELETE", path, "", "If-Match", `"x"`).want(t, 412)
		h.do(ann, "DELETE", annContacts+"none.vcf", "").want(t, 404)
		if after := h.ctag(annContacts); after != before {
			t.Errorf("what was refused changed the ctag from %s to %s", before, after)
		}
		// Thunderbird writes without conditions (clients.md §1.3).
		again := h.putCard(ann, path, card("c-1", "Carla")).want(t, 204).header.Get("ETag")
		if again == "" || again == etag || h.ctag(annContacts) == before {
			t.Errorf("ETag %s after %s, ctag %s", again, etag, before)
		}
		h.do(ann, "DELETE", path, "", "If-Match", again).want(t, 204)
		h.do(ann, "GET", path, "").want(t, 404)
		// The name and the UID are free again.
		h.putCard(ann, path, body, "If-None-Match", "*").want(t, 201)
	})
}

// RFC 6352 §6.3.2.1: what is refused, for what, without a trace.
func TestCardRefusals(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.putCard(ann, annContacts+"a.vcf", card("u-a", "A")).want(t, 201)
		h.putCard(ann, annContacts+"b.vcf", card("u-b", "B")).want(t, 201)
		before := h.ctag(annContacts)
		test := func(name, contentType, body, condition string) reply {
			t.Helper()
			return h.do(ann, "PUT", annContacts+name, body, "Content-Type", contentType).refused(t, 403, condition)
		}
		const dir = "text/vcard"
		test("x.vcf", "text/calendar", card("u-x", "X"), "CR:supported-address-data")
		test("x.vcf", dir, strings.Replace(card("u-x", "X"), "3.0", "2.1", 1), "CR:supported-address-data")
		test("x.vcf", dir, "", "CR:valid-address-data")
		test("x.vcf", dir, "hello", "CR:valid-address-data")
		test("x.vcf", dir, card("u-x", "X")+card("u-y", "Y"), "CR:valid-address-data")
		test("x.vcf", dir, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n", "CR:valid-address-data")
		test("x.vcf", dir, card("u-x", "X", "UID:second"), "CR:valid-address-data")
		test("x.vcf", dir, card(strings.Repeat("u", 3000), "X"), "CR:valid-address-data")
		test("x.vcf", dir, card("u-x", "X\x00"), "CR:valid-address-data")
		test("x.vcf", dir, card("u-x", "X", "NOTE:"+strings.Repeat("n", 1<<20)), "CR:max-resource-size")
		if r := test("x.vcf", dir, card("u-a", "X"), "CR:no-uid-conflict"); !strings.Contains(r.body, "<D:href>"+annContacts+"a.vcf</D:href>") {
			t.Errorf("the card that has the UID is not named: %s", r.body)
		}
		test("a.vcf", dir, card("u-b", "A"), "CR:no-uid-conflict")
		test("a.vcf", dir, card("u-new", "A"), "CR:no-uid-conflict") // a card keeps its UID
		if after := h.ctag(annContacts); after != before {
			t.Errorf("the ctag changed from %s to %s", before, after)
		}
		if r := test("x.vcf", dir, "BEGIN:VCARD\r\nVERSION:3.0\r\nFN;X\r\nEND:VCARD\r\n", "CR:valid-address-data"); !strings.Contains(r.body, "line 3") {
			t.Errorf("it does not say where: %s", r.body)
		}

		h.putCard(ann, annBooks+"none/x.vcf", card("u-x", "X")).want(t, 409)
		h.putCard(ann, annContacts, card("u-x", "X")).want(t, 403)
		h.putCard(ann, annCalendar+"x.vcf", card("u-x", "X")).refused(t, 403, "C:supported-calendar-data")
		// What other programs call the type.
		h.do(ann, "PUT", annContacts+"y.vcf", card("u-y", "Y"), "Content-Type", "text/x-vcard").want(t, 201)
		h.do(ann, "PUT", annContacts+"z.vcf", strings.Replace(card("u-z", "Z"), "3.0", "4.0", 1)).want(t, 201)
	})
}

// Of two cards with one UID that come at once, one is stored.
func TestCardUIDRace(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var wg sync.WaitGroup
		status := make([]int, 8)
		for i := range status {
			wg.Go(func() {
				status[i] = h.putCard(ann, fmt.Sprintf("%sr%d.vcf", annContacts, i), card("same", "Same")).status
			})
		}
		wg.Wait()
		created := 0
		for _, s := range status {
			if s == 201 {
				created++
			} else if s != 403 {
				t.Errorf("status %d", s)
			}
		}
		if created != 1 {
			t.Errorf("%d were stored: %v", created, status)
		}
	})
}

// RFC 6352 §5.1 wants a UID in every card that is stored.
func TestCardWithoutUID(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.putCard(ann, annContacts+"n.vcf", card("", "Nora")).refused(t, 403, "CR:valid-addressbook-object-resource")
		h.do(ann, "POST", annContacts+";add-member", card("", "Nora"), "Content-Type", "text/vcard").refused(t, 403, "CR:valid-addressbook-object-resource")
		h.do(ann, "GET", annContacts+"n.vcf", "").want(t, 404)
		// A program that knows no UIDs changes a card that has one.
		h.putCard(ann, annContacts+"o.vcf", card("has-one", "Otto")).want(t, 201)
		if r := h.putCard(ann, annContacts+"o.vcf", card("", "Otto O.")).want(t, 204); r.header.Get("ETag") != "" { // RFC 6352 §6.3.2.3: what is stored is not what was sent
			t.Errorf("ETag %s", r.header.Get("ETag"))
		}
		if b := h.do(ann, "GET", annContacts+"o.vcf", "").body; !strings.Contains(b, "UID:has-one\r\n") || !strings.Contains(b, "Otto O.") {
			t.Errorf("%q", b)
		}
	})
}

func TestCardMoveCopy(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const work = annBooks + "work/"
		h.do(ann, "MKCOL", work, mkbook("Work")).want(t, 201)
		h.putCard(ann, annContacts+"a.vcf", card("u-a", "A")).want(t, 201)
		h.putCard(ann, annContacts+"b.vcf", card("u-b", "B")).want(t, 201)
		to := func(path string, more ...string) []string { return append([]string{"Destination", path}, more...) }

		h.do(ann, "COPY", annContacts+"a.vcf", "", to(annContacts+"a2.vcf")...).refused(t, 403, "CR:no-uid-conflict")
		h.do(ann, "COPY", annContacts+"a.vcf", "", to(work+"a.vcf")...).want(t, 201)
		h.do(ann, "COPY", annContacts+"a.vcf", "", to(work+"a.vcf", "Overwrite", "F")...).want(t, 412)
		h.do(ann, "COPY", annContacts+"a.vcf", "", to(work+"a.vcf")...).want(t, 204)
		h.do(ann, "COPY", annContacts+"a.vcf", "", to(work+"c.vcf", "If-Match", `"x"`)...).want(t, 412)

		h.do(ann, "MOVE", annContacts+"a.vcf", "", to(work+"other.vcf")...).refused(t, 403, "CR:no-uid-conflict")
		h.do(ann, "MOVE", annContacts+"b.vcf", "", to(work+"a.vcf")...).refused(t, 403, "CR:no-uid-conflict")
		h.do(ann, "MOVE", annContacts+"a.vcf", "", to(work+"a.vcf", "Overwrite", "F")...).want(t, 412)
		h.do(ann, "MOVE", annContacts+"b.vcf", "", to(work+"b.vcf", "If-Match", `"x"`)...).want(t, 412)
		h.do(ann, "MOVE", annContacts+"a.vcf", "", to(work+"a.vcf")...).want(t, 204)
		h.do(ann, "MOVE", annContacts+"b.vcf", "", to(annContacts+"b%202.vcf")...).want(t, 201)
		h.do(ann, "GET", annContacts+"a.vcf", "").want(t, 404)
		h.do(ann, "GET", annContacts+"b.vcf", "").want(t, 404)
		if b := h.do(ann, "GET", annContacts+"b%202.vcf", "").want(t, 200).body; b != card("u-b", "B") {
			t.Errorf("%q", b)
		}
		if b := h.do(ann, "GET", work+"a.vcf", "").want(t, 200).body; b != card("u-a", "A") {
			t.Errorf("%q", b)
		}
		h.do(ann, "MOVE", annContacts+"b%202.vcf", "", to(annCalendar+"b.ics")...).want(t, 403)
	})
}

// mkbook is the body of an extended MKCOL of an address book (RFC 6352
// §6.3.1).
func mkbook(name string) string {
	return `<D:mkcol` + namespaces + `><D:set><D:prop><D:resourcetype><D:collection/><CR:addressbook/></D:resourcetype><D:displayname>` + name +
		`</D:displayname><CR:addressbook-description>for work</CR:addressbook-description></D:prop></D:set></D:mkcol>`
}

func TestAddressBooks(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		if dav := h.do(ann, "OPTIONS", annContacts, "").want(t, 200).header.Get("DAV"); !strings.Contains(dav, ", addressbook,") {
			t.Errorf("DAV: %s", dav) // RFC 6352 §6.1
		}
		if got := h.propfind(ann, annSelf, "0", "CR:addressbook-home-set").row(t, annSelf).text("CR:addressbook-home-set"); got != "<D:href>"+annBooks+"</D:href>" {
			t.Errorf("addressbook-home-set %s", got)
		}
		h.do(ann, "MKCOL", annBooks+"work/", mkbook("Work")).want(t, 201)
		h.do(ann, "MKCOL", annBooks+"work/", mkbook("Work")).want(t, 405)
		rows := h.propfind(ann, annBooks, "1", "D:resourcetype D:displayname").rows(t)
		if len(rows) != 3 || rows[1].href != annContacts || rows[2].href != annBooks+"work/" { // the default one first (clients.md 46)
			t.Fatalf("%+v", rows)
		}
		w := h.propfind(ann, annBooks+"work/", "0", "D:resourcetype D:displayname CR:addressbook-description CR:supported-address-data CR:max-resource-size "+
			"CR:supported-collation-set D:supported-report-set D:sync-token CS:getctag D:current-user-privilege-set C:supported-calendar-component-set").row(t, annBooks+"work/")
		test := func(name, want string) {
			t.Helper()
			if got := w.text(name); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		test("D:resourcetype", "<D:collection/><CR:addressbook/>")
		test("D:displayname", "Work")
		test("CR:addressbook-description", "for work")
		test("CR:supported-address-data", `<CR:address-data-type content-type="text/vcard" version="3.0"/><CR:address-data-type content-type="text/vcard" version="4.0"/><CR:address-data-type content-type="application/vcard+json" version="4.0"/>`)
		test("CR:max-resource-size", fmt.Sprint(1<<20))
		test("CR:supported-collation-set", "<CR:supported-collation>i;ascii-casemap</CR:supported-collation><CR:supported-collation>i;octet</CR:supported-collation>"+
			"<CR:supported-collation>i;unicode-casemap</CR:supported-collation>")
		for _, report := range []string{"<CR:addressbook-query/>", "<CR:addressbook-multiget/>", "<D:sync-collection/>"} {
			if !strings.Contains(w.text("D:supported-report-set"), report) {
				t.Errorf("supported-report-set has no %s", report)
			}
		}
		if strings.Contains(w.text("D:supported-report-set"), "calendar-query") || !w.lacks("C:supported-calendar-component-set") {
			t.Error("an address book looks like a calendar")
		}
		if !strings.Contains(w.text("D:current-user-privilege-set"), "<D:bind/>") || w.text("CS:getctag") == "" || w.text("D:sync-token") == "" {
			t.Errorf("%+v", w)
		}
		h.report(ann, annContacts, `<C:calendar-query><C:filter/></C:calendar-query>`, "Depth", "1").refused(t, 403, "D:supported-report")
		h.report(ann, annCalendar, `<CR:addressbook-query><CR:filter/></CR:addressbook-query>`, "Depth", "1").refused(t, 403, "D:supported-report")
		h.do(ann, "DELETE", annBooks+"work/", "").want(t, 204)
	})
}

func (h *house) fill() {
	h.t.Helper()
	for _, p := range []struct{ name, body string }{
		{"a.vcf", card("u-a", "Anna Berg", "EMAIL;TYPE=HOME:anna@example.org")},
		{"b.vcf", card("u-b", "Bert Ärmel", "EMAIL;TYPE=WORK:bert@example.com", "NICKNAME:me")},
		{"c.vcf", strings.Replace(card("u-c", "Cleo", "NICKNAME:you"), "3.0", "4.0", 1)},
	} {
		h.putCard(ann, annContacts+p.name, p.body).want(h.t, 201)
	}
}

func TestAddressbookQuery(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.fill()
		query := func(rest string, headers ...string) reply {
			t.Helper()
			return h.report(ann, annContacts, `<CR:addressbook-query><D:prop><D:getetag/><CR:address-data><CR:prop name="FN"/></CR:address-data></D:prop>`+rest+`</CR:addressbook-query>`, headers...)
		}
		test := func(filter string, want ...string) {
			t.Helper()
			rows := query(filter, "Depth", "1").rows(t)
			var got []string
			for _, w := range rows {
				got = append(got, strings.TrimPrefix(w.href, annContacts))
				if !w.has("D:getetag") || !strings.HasPrefix(w.text("CR:address-data"), "BEGIN:VCARD\r\nFN:") {
					t.Errorf("%+v", w)
				}
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%s: %q, want %q", filter, got, want)
			}
		}
		test(`<CR:filter/>`, "a.vcf", "b.vcf", "c.vcf")
		test(``, "a.vcf", "b.vcf", "c.vcf")
		test(`<CR:filter><CR:prop-filter name="FN"><CR:text-match>ÄRMEL</CR:text-match></CR:prop-filter></CR:filter>`, "b.vcf")
		test(`<CR:filter><CR:prop-filter name="NICKNAME"/></CR:filter>`, "b.vcf", "c.vcf")
		// Evolution's and Apple's search: any of several properties begins so.
		test(`<CR:filter test="anyof"><CR:prop-filter name="FN"><CR:text-match match-type="starts-with">an</CR:text-match></CR:prop-filter>`+
			`<CR:prop-filter name="EMAIL"><CR:text-match match-type="starts-with">bert@</CR:text-match></CR:prop-filter></CR:filter>`, "a.vcf", "b.vcf")
		test(`<CR:filter><CR:prop-filter name="FN"><CR:text-match>nobody</CR:text-match></CR:prop-filter></CR:filter>`)

		// RFC 6352 §8.6.2: the limit, and that there is more.
		rows := query(`<CR:filter/><CR:limit><CR:nresults>2</CR:nresults></CR:limit>`, "Depth", "1").rows(t)
		if len(rows) != 3 || rows[2].href != annContacts || rows[2].status != "HTTP/1.1 507 Insufficient Storage" {
			t.Errorf("%+v", rows)
		}
		if rows := query(`<CR:filter/><CR:limit><CR:nresults>3</CR:nresults></CR:limit>`, "Depth", "1").rows(t); len(rows) != 3 || rows[2].status != "" {
			t.Errorf("%+v", rows)
		}
		if rows := query(`<CR:filter/>`, "Depth", "0").rows(t); len(rows) != 0 {
			t.Errorf("Depth 0: %+v", rows)
		}
		query(`<CR:filter><CR:prop-filter name="FN"><CR:text-match collation="i;x">a</CR:text-match></CR:prop-filter></CR:filter>`).refused(t, 403, "CR:supported-collation")
		query(`<CR:filter><CR:prop-filter name="FN"><CR:sounds-like/></CR:prop-filter></CR:filter>`).refused(t, 403, "CR:supported-filter")
		query(`<CR:filter test="none"/>`).want(t, 400)
		h.report(ann, annContacts, `<CR:addressbook-query><D:prop><CR:address-data content-type="application/json"/></D:prop><CR:filter/></CR:addressbook-query>`).
			refused(t, 403, "CR:supported-address-data")
	})
}

func TestAddressbookMultiget(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.fill()
		get := func(data string) []row {
			t.Helper()
			return h.report(ann, annContacts, `<CR:addressbook-multiget><D:prop><D:getetag/>`+data+`</D:prop><D:href>`+annContacts+`c.vcf</D:href><D:href>`+
				strings.Replace(annContacts, "@", "%40", 1)+`a.vcf</D:href><D:href>`+annContacts+`none.vcf</D:href></CR:addressbook-multiget>`).rows(t)
		}
		rows := get(`<CR:address-data/>`)
		if len(rows) != 3 || !strings.Contains(rows[0].text("CR:address-data"), "UID:u-c\r\n") || rows[1].text("CR:address-data") != card("u-a", "Anna Berg", "EMAIL;TYPE=HOME:anna@example.org") ||
			!strings.Contains(rows[1].href, "%40") || rows[2].status != "HTTP/1.1 404 Not Found" {
			t.Errorf("%+v", rows)
		}
		// RFC 6352 §5.1.1: one card is of another version than the program takes.
		rows = get(`<CR:address-data content-type="text/vcard" version="3.0"/>`)
		if len(rows) != 3 || !strings.HasPrefix(rows[0].text("CR:address-data"), "BEGIN:VCARD\r\nVERSION:3.0\r\n") || rows[1].text("CR:address-data") != card("u-a", "Anna Berg", "EMAIL;TYPE=HOME:anna@example.org") {
			t.Errorf("%+v", rows)
		}
		rows = get(`<CR:address-data content-type="text/vcard" version="4.0"/>`)
		for _, w := range rows[:2] {
			if !strings.HasPrefix(w.text("CR:address-data"), "BEGIN:VCARD\r\nVERSION:4.0\r\n") {
				t.Errorf("%+v", w)
			}
		}
	})
}

// Thunderbird's address book from discovery to the second synchronisation
// (clients.md §1.3, fixture 9).
func TestThunderbirdContacts(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.fill()
		h.do("", "PROPFIND", "/.well-known/carddav", "").want(t, 301)
		who := h.propfind(ann, "/dav/", "0", "D:resourcetype D:displayname D:current-user-principal D:current-user-privilege-set").rows(t)[0].text("D:current-user-principal")
		if who != "<D:href>"+annSelf+"</D:href>" {
			t.Fatal(who)
		}
		home := h.propfind(ann, annSelf, "0", "CR:addressbook-home-set").row(t, annSelf).text("CR:addressbook-home-set")
		if home != "<D:href>"+annBooks+"</D:href>" {
			t.Fatal(home)
		}
		// It takes the first status of each response for that of the whole.
		raw := h.propfind(ann, annBooks, "1", "D:resourcetype D:displayname D:current-user-privilege-set CR:x-unknown").want(t, 207).body
		if i, j := strings.Index(raw, "<D:status>HTTP/1.1 200 OK<"), strings.Index(raw, "<D:status>HTTP/1.1 404"); i < 0 || j >= 0 && j < i {
			t.Errorf("the first status is not 200: %s", raw)
		}
		rows := h.propfind(ann, annContacts, "1", "D:resourcetype D:getetag CS:getctag").rows(t)
		if len(rows) != 4 || rows[1].text("D:getetag") == "" {
			t.Fatalf("%+v", rows)
		}
		token := h.propfind(ann, annContacts, "0", "D:displayname CS:getctag D:sync-token").row(t, annContacts).text("D:sync-token")
		sync := func(token string) (rows []row, next string) {
			t.Helper()
			r := h.do(ann, "REPORT", annContacts, `<sync-collection xmlns="DAV:" xmlns:k="urn:ietf:params:xml:ns:carddav"><sync-token>`+token+
				`</sync-token><sync-level>1</sync-level><prop><getetag/><k:address-data/></prop></sync-collection>`, "Depth", "1")
			rows = r.rows(t)
			_, rest, _ := strings.Cut(r.body, "<D:sync-token>")
			next, _, _ = strings.Cut(rest, "<")
			return rows, next
		}
		if rows, next := sync(token); len(rows) != 0 || next != token {
			t.Errorf("%+v %s, token %s", rows, next, token)
		}
		h.putCard(ann, annContacts+"d.vcf", card("u-d", "Dora")).want(t, 201)
		h.do(ann, "DELETE", annContacts+"a.vcf", "").want(t, 204)
		rows, next := sync(token)
		if len(rows) != 2 || next == token {
			t.Fatalf("%+v %s", rows, next)
		}
		for _, w := range rows {
			switch w.href {
			case annContacts + "d.vcf":
				if w.text("CR:address-data") != card("u-d", "Dora") {
					t.Errorf("%+v", w)
				}
			case annContacts + "a.vcf":
				if w.status != "HTTP/1.1 404 Not Found" {
					t.Errorf("%+v", w)
				}
			default:
				t.Errorf("%+v", w)
			}
		}
	})
}

// One user never learns of another's cards.
func TestCardsArePrivate(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.fill()
		for _, method := range []string{"GET", "PUT", "DELETE", "PROPFIND", "REPORT", "MKCOL", "COPY", "PROPPATCH"} {
			there := h.do(bob, method, annContacts+"a.vcf", "", "Content-Type", vcardType, "Depth", "0")
			none := h.do(bob, method, "/dav/addressbooks/nobody@example.org/contacts/a.vcf", "", "Content-Type", vcardType, "Depth", "0")
			if there.status != none.status || there.body != none.body || there.status < 400 {
				t.Errorf("%s: %d %q, of nobody %d %q", method, there.status, there.body, none.status, none.body)
			}
		}
		h.putCard(bob, "/dav/addressbooks/bob@example.org/contacts/a.vcf", card("u-a", "mine")).want(t, http.StatusCreated)
		if b := h.do(ann, "GET", annContacts+"a.vcf", "").want(t, 200).body; strings.Contains(b, "mine") {
			t.Errorf("%q", b)
		}
	})
}

// RFC 6352 §5.1.1: a card is had in the version that Accept names, as stored
// where it names none, and as jCard (RFC 7095).
func TestCardVersions(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		photo := "PHOTO;ENCODING=b;TYPE=PNG:AAAA"
		stored := card("v-1", "Vera", photo)
		h.putCard(ann, annContacts+"v.vcf", stored).want(t, 201)
		test := func(path, accept, contentType, body string) {
			t.Helper()
			r := h.do(ann, "GET", path, "", "Accept", accept).want(t, 200)
			if r.header.Get("Content-Type") != contentType || !strings.Contains(r.body, body) || r.header.Get("Vary") != "Accept" {
				t.Errorf("%s: %v\n%s", accept, r.header, r.body)
			}
			// DAVx5 refuses a card without an entity tag, whichever its version.
			if etag := h.propfind(ann, path, "0", "D:getetag").row(t, path).text("D:getetag"); r.header.Get("ETag") != etag {
				t.Errorf("%s: ETag %s", accept, r.header.Get("ETag"))
			}
			if head := h.do(ann, "HEAD", path, "", "Accept", accept).want(t, 200); head.header.Get("Content-Length") != fmt.Sprint(len(r.body)) {
				t.Errorf("%s: HEAD %v", accept, head.header)
			}
		}
		const path, four, jcard = annContacts + "v.vcf", "text/vcard; charset=utf-8; version=4.0", "application/vcard+json"
		test(path, "", vcardType, stored)
		test(path, "*/*", vcardType, stored)
		test(path, "text/vcard", vcardType, stored)
		test(path, "text/vcard; version=3.0", vcardType, stored)
		test(path, `text/vcard; version="4.0"`, four, "PHOTO:data:image/png;base64,AAAA\r\n")
		test(path, "text/vcard;version=4.0, text/vcard;version=3.0;q=0.9", four, "VERSION:4.0")
		test(path, "text/vcard;version=4.0;q=0.5, text/vcard;version=3.0", vcardType, stored)
		test(path, "text/*;q=0.3, application/vcard+json", jcard, `["vcard",[["version",{},"text","4.0"],["uid",{},"text","v-1"]`)
		test(path, "application/vcard+json;q=0, */*", vcardType, stored)
		test(path, "image/png", vcardType, stored)
		test(path, ";;;,", vcardType, stored)
		test(theDirectory+"ann@example.org.vcf", "text/vcard;version=4.0", four, "EMAIL;TYPE=INTERNET,WORK;PREF=1:ann@example.org")
		test(theDirectory+"ann@example.org.vcf", "application/vcard+json", jcard, `["fn",{},"text","Ann Ärmel"]`)
		test(theDirectory+"ann@example.org.vcf", "", vcardType, "VERSION:3.0")
		if got := h.do(ann, "GET", path, "").body; got != stored {
			t.Errorf("it was changed: %s", got)
		}
	})
}

// RFC 7095: a jCard is written as the card of 4.0 that says the same, and had
// in reports; what is none is refused and leaves no trace.
func TestCardsInJSON(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const path, jcard = annContacts + "j.vcf", "application/vcard+json"
		const sent = `["vcard",[["version",{},"text","4.0"],["uid",{},"text","j-1"],["fn",{},"text","Jo, \"J\""],["tel",{"type":"home"},"uri","tel:+1-555"]]]`
		r := h.do(ann, "PUT", path, sent, "Content-Type", jcard, "If-None-Match", "*").want(t, 201)
		if r.header.Get("ETag") != "" {
			t.Error("an ETag for octets that are not stored (RFC 6352 §6.3.2.3)")
		}
		g := h.do(ann, "GET", path, "").want(t, 200)
		if g.header.Get("Content-Type") != vcardType || g.body != "BEGIN:VCARD\r\nVERSION:4.0\r\nUID;VALUE=text:j-1\r\nFN:Jo\\, \"J\"\r\nTEL;TYPE=home;VALUE=uri:tel:+1-555\r\nEND:VCARD\r\n" {
			t.Errorf("%v\n%s", g.header, g.body)
		}
		// What was read as jCard is written again by its tag, and answered in kind.
		g = h.do(ann, "GET", path, "", "Accept", jcard).want(t, 200)
		if g.body != sent || g.header.Get("ETag") == "" {
			t.Errorf("%v\n%s", g.header, g.body)
		}
		changed := strings.Replace(sent, "Jo, ", "Joe, ", 1)
		h.do(ann, "PUT", path, changed, "Content-Type", jcard, "If-Match", `"x"`).want(t, 412)
		r = h.do(ann, "PUT", path, changed, "Content-Type", jcard+"; charset=utf-8", "If-Match", g.header.Get("ETag"), "Prefer", "return=representation").want(t, 200)
		if r.body != changed || r.header.Get("Content-Type") != jcard || r.header.Get("ETag") == "" {
			t.Errorf("%v\n%s", r.header, r.body)
		}
		data := func(report string) {
			t.Helper()
			rows := h.report(ann, annContacts, report, "Depth", "1").rows(t)
			if len(rows) != 1 || rows[0].text("CR:address-data") != strings.ReplaceAll(changed, `"`, "&#34;") && rows[0].text("CR:address-data") != changed {
				t.Errorf("%+v", rows)
			}
		}
		const wanted = `<D:prop><CR:address-data content-type="` + jcard + `"/></D:prop>`
		data(`<CR:addressbook-multiget>` + wanted + `<D:href>` + path + `</D:href></CR:addressbook-multiget>`)
		data(`<CR:addressbook-query>` + wanted + `<CR:filter><CR:prop-filter name="FN"><CR:text-match>joe</CR:text-match></CR:prop-filter></CR:filter></CR:addressbook-query>`)
		if rows := h.report(ann, theDirectory, `<CR:addressbook-multiget>`+wanted+`<D:href>`+theDirectory+`ann@example.org.vcf</D:href></CR:addressbook-multiget>`).rows(t); len(rows) != 1 || !strings.HasPrefix(rows[0].text("CR:address-data"), `["vcard",[["version",`) && !strings.HasPrefix(rows[0].text("CR:address-data"), `[&#34;vcard`) {
			t.Errorf("%+v", rows)
		}

		before := h.ctag(annContacts)
		refused := func(body, condition string) {
			t.Helper()
			h.do(ann, "PUT", annContacts+"no.vcf", body, "Content-Type", jcard).refused(t, 403, condition)
		}
		refused(card("v", "V"), "CR:valid-address-data")
		refused(`["vcard",[["version",{},"text","4.0"]]]`, "CR:valid-address-data") // nobody is named
		refused(strings.Replace(sent, "4.0", "3.0", 1), "CR:supported-address-data")
		refused(sent, "CR:no-uid-conflict")
		refused(sent+strings.Repeat(" ", 1<<20), "CR:max-resource-size")
		refused(strings.Replace(sent, "j-1", strings.Repeat(`\n`, 500<<10), 1), "CR:max-resource-size")
		h.do(ann, "GET", annContacts+"no.vcf", "").want(t, 404)
		if after := h.ctag(annContacts); after != before {
			t.Errorf("the ctag moved from %s to %s", before, after)
		}
	})
}

// A group of Apple's programs is stored, found by its members, and a group of
// 4.0 on request (RFC 6350 §6.1.4, §6.6.5).
func TestGroupCards(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		body := card("g-1", "Friends", "X-ADDRESSBOOKSERVER-KIND:group", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:u-a", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:u-b")
		// Who is named twice is a member once.
		twice := card("g-1", "Friends", "X-ADDRESSBOOKSERVER-KIND:group", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:u-a", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:u-a", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:u-b", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:u-a")
		if r := h.putCard(ann, annContacts+"twice.vcf", twice).want(t, 201); r.header.Get("ETag") != "" {
			t.Errorf("ETag %s", r.header.Get("ETag"))
		}
		if got := h.do(ann, "GET", annContacts+"twice.vcf", "").body; got != body {
			t.Errorf("%q", got)
		}
		h.do(ann, "DELETE", annContacts+"twice.vcf", "").want(t, 204)
		h.putCard(ann, annContacts+"g.vcf", body).want(t, 201)
		h.putCard(ann, annContacts+"a.vcf", card("u-a", "Anna")).want(t, 201)
		if got := h.do(ann, "GET", annContacts+"g.vcf", "").body; got != body {
			t.Errorf("%s", got)
		}
		rows := h.report(ann, annContacts, `<CR:addressbook-query><D:prop><CR:address-data version="4.0"/></D:prop><CR:filter><CR:prop-filter name="X-ADDRESSBOOKSERVER-MEMBER"><CR:text-match match-type="equals">urn:uuid:u-a</CR:text-match></CR:prop-filter></CR:filter></CR:addressbook-query>`, "Depth", "1").rows(t)
		if len(rows) != 1 || !strings.Contains(rows[0].text("CR:address-data"), "\r\nKIND:group\r\nMEMBER:urn:uuid:u-a\r\nMEMBER:urn:uuid:u-b\r\n") {
			t.Errorf("%+v", rows)
		}
	})
}

// Apple's programs keep with the home which card is one's own, and ask how
// large a picture may be.
func TestMeCard(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.putCard(ann, annContacts+"me.vcf", card("me", "Ann")).want(t, 201)
		for _, path := range []string{annBooks, annSelf} {
			h.proppatch(ann, path, `<D:set><D:prop><CS:me-card><D:href>`+annContacts+`me.vcf</D:href></CS:me-card></D:prop></D:set>`).want(t, 207)
			if got := h.propfind(ann, path, "0", "CS:me-card").row(t, path).text("CS:me-card"); got != "<D:href>"+annContacts+"me.vcf</D:href>" {
				t.Errorf("%s: %s", path, got)
			}
		}
		if h.propfind(bob, annSelf, "0", "CS:me-card").row(t, annSelf).has("CS:me-card") {
			t.Error("another person sees it")
		}
		for _, path := range []string{annBooks, annContacts} {
			w := h.propfind(ann, path, "0", "CR:max-image-size CR:max-resource-size").row(t, path)
			if w.text("CR:max-image-size") != fmt.Sprint(1<<20/10*7) || w.text("CR:max-resource-size") != fmt.Sprint(1<<20) {
				t.Errorf("%s: %+v", path, w)
			}
		}
		// A picture as large as is told is taken, folded; one that makes the card too
		// large is not, and the card is as it was.
		photo := func(octets int) string {
			text := base64.StdEncoding.EncodeToString(make([]byte, octets))
			var folded strings.Builder
			for len(text) > 74 {
				folded.WriteString("\r\n " + text[:74])
				text = text[74:]
			}
			return card("p", "P", "PHOTO;ENCODING=b;TYPE=PNG:"+folded.String()+"\r\n "+text)
		}
		largest := photo(1 << 20 / 10 * 7)
		h.putCard(ann, annContacts+"p.vcf", largest).want(t, 201)
		h.putCard(ann, annContacts+"p.vcf", photo(1<<20/4*3)).refused(t, 403, "CR:max-resource-size")
		if got := h.do(ann, "GET", annContacts+"p.vcf", "").want(t, 200).body; got != largest {
			t.Errorf("it has %d octets", len(got))
		}
	})
}

// The default address book is where programs put new cards: everybody has one.
func TestDefaultBook(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const work = annBooks + "work/"
		test := func(want string) {
			t.Helper()
			if got := h.propfind(ann, annBooks, "0", "CR:default-addressbook-URL").row(t, annBooks).text("CR:default-addressbook-URL"); got != "<D:href>"+want+"</D:href>" {
				t.Errorf("default-addressbook-URL %s, want %s", got, want)
			}
		}
		choose := func(who, href string) string {
			t.Helper()
			return h.proppatch(who, annBooks, "<D:set><D:prop><CR:default-addressbook-URL><D:href>"+href+"</D:href></CR:default-addressbook-URL></D:prop></D:set>").body
		}
		test(annContacts)
		h.do(ann, "MKCOL", work, mkbook("Work")).want(t, 201)
		for _, no := range []string{annBooks + "none/", annCalendar, "/dav/addressbooks/bob@example.org/contacts/", "/dav/directory/", work + "x.vcf"} {
			if got := choose(ann, no); !strings.Contains(got, "<CR:valid-default-addressbook-URL/>") || !strings.Contains(got, "403") {
				t.Errorf("%s: %s", no, got)
			}
		}
		test(annContacts)
		choose(ann, work)
		test(work)
		rows := h.propfind(ann, annBooks, "1", "D:resourcetype").rows(t)
		if len(rows) != 3 || rows[1].href != work { // the first in a listing (clients.md 46)
			t.Errorf("%+v", rows)
		}

		// What comes after the one that is deleted.
		h.do(ann, "DELETE", work, "").want(t, 204)
		test(annContacts)
		h.putCard(ann, annContacts+"c.vcf", card("c", "C")).want(t, 201)
		token := h.propfind(ann, annContacts, "0", "D:sync-token").row(t, annContacts).text("D:sync-token")
		h.do(ann, "DELETE", annContacts, "").want(t, 204)
		test(annContacts)
		if rows := h.propfind(ann, annContacts, "1", "D:getetag").rows(t); len(rows) != 1 {
			t.Errorf("the new one is not empty: %+v", rows)
		}
		h.report(ann, annContacts, "<D:sync-collection><D:sync-token>"+token+"</D:sync-token><D:prop/></D:sync-collection>").refused(t, 403, "D:valid-sync-token")
	})
}

// Of the last two address books, both deleted at once, one is followed by a
// new one.
func TestLastBooks(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const work = annBooks + "work/"
		h.do(ann, "MKCOL", work, mkbook("Work")).want(t, 201)
		var wg sync.WaitGroup
		for _, book := range []string{annContacts, work} {
			wg.Go(func() { h.do(ann, "DELETE", book, "").want(t, 204) })
		}
		wg.Wait()
		if rows := h.propfind(ann, annBooks, "1", "D:resourcetype").rows(t); len(rows) != 2 {
			t.Errorf("%+v", rows)
		}
	})
}

// RFC 6352 §6.3.1.1, §5.2: where address books can be.
func TestBookPlaces(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, path := range []string{annContacts + "in/", annBooks + "none/in/", "/dav/books/", "/dav/principals/b/"} {
			if strings.Contains(path, "none") {
				h.do(ann, "MKCOL", path, mkbook("X")).want(t, 409) // RFC 4918 §9.3.1
				continue
			}
			h.do(ann, "MKCOL", path, mkbook("X")).refused(t, 403, "CR:addressbook-collection-location-ok")
		}
		if r := h.do(ann, "MKCOL", annHome+"book/", mkbook("X")).want(t, 403); !strings.Contains(r.body, "<CR:addressbook-collection-location-ok/>") {
			t.Errorf("%s", r.body)
		}
		h.do(ann, "MKCOL", annBooks+"other/", mkbook("X")).want(t, 201)
		h.do(ann, "MOVE", annBooks+"other/", "", "Destination", annContacts+"in/").refused(t, 403, "CR:addressbook-collection-location-ok")
		h.do(ann, "MOVE", annBooks+"other/", "", "Destination", annBooks+"moved/").want(t, 201)
		if got := h.do(ann, "OPTIONS", annBooks, "").header.Get("Allow"); !strings.Contains(got, "MKCOL") || strings.Contains(got, "MKCALENDAR") {
			t.Errorf("Allow: %s", got)
		}
		// Nothing was made.
		if rows := h.propfind(ann, annBooks, "1", "D:resourcetype").rows(t); len(rows) != 3 {
			t.Errorf("%+v", rows)
		}
	})
}
