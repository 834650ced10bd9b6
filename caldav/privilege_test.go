package caldav

import (
	"slices"
	"strings"
	"testing"

	"github.com/convene-server/convene/caldav/dav"
)

// What supported-privilege-set says of what holds what (RFC 3744 §3, §5.3; RFC
// 4791 §6.1; RFC 6638 §6.3), on every kind of resource alike, and that each
// privilege is explained.
func TestSupportedPrivileges(t *testing.T) {
	h := newHouse(t, storeOf(t, "sqlite"))
	for _, path := range []string{"/dav/", annSelf, annHome, annCalendar, annInbox, annOutbox, annContacts} {
		r := h.propfind(ann, path, "0", "D:supported-privilege-set").want(t, 207)
		var set *dav.Element
		var find func(e *dav.Element)
		find = func(e *dav.Element) {
			if short(e) == "D:supported-privilege-set" {
				set = e
			}
			for _, c := range e.Children() {
				find(c)
			}
		}
		find(parseXML(t, r.body))
		if set == nil {
			t.Fatalf("%s: %s", path, r.body)
		}
		holds := map[string][]string{}
		var walk func(e *dav.Element) string
		walk = func(e *dav.Element) string {
			p, about := e.Child(dav.D("privilege")), e.Child(dav.D("description"))
			if p == nil || len(p.Children()) != 1 || about == nil || about.Trimmed() == "" || about.Lang == "" || e.Child(dav.D("abstract")) != nil {
				t.Fatalf("%s: a supported-privilege without a name, a description or its language", path)
			}
			name := short(p.Children()[0])
			for _, c := range e.Children() {
				if short(c) == "D:supported-privilege" {
					holds[name] = append(holds[name], walk(c))
				}
			}
			if slices.Sort(holds[name]); holds[name] == nil {
				holds[name] = []string{}
			}
			return name
		}
		if roots := set.Children(); len(roots) != 1 || walk(roots[0]) != "D:all" {
			t.Fatalf("%s: %s", path, r.body)
		}
		for name, want := range map[string]string{
			"D:all":              "C:schedule-deliver C:schedule-send D:read D:read-acl D:unlock D:write D:write-acl",
			"D:read":             "C:read-free-busy D:read-current-user-privilege-set",
			"D:write":            "D:bind D:unbind D:write-content D:write-properties",
			"C:schedule-deliver": "C:schedule-deliver-invite C:schedule-deliver-reply C:schedule-query-freebusy",
			"C:schedule-send":    "C:schedule-send-freebusy C:schedule-send-invite C:schedule-send-reply",
			"C:read-free-busy":   "",
			"D:unlock":           "",
		} {
			if got, ok := holds[name]; !ok || strings.Join(got, " ") != want {
				t.Errorf("%s: %s holds %q, want %s", path, name, got, want)
			}
		}
		if n := len(holds); n != 20 {
			t.Errorf("%s: %d privileges", path, n)
		}
	}
}

// The collations that must be there (RFC 4791 §7.5.1, RFC 6352 §8.3.1), each of
// which a query takes.
func TestSupportedCollations(t *testing.T) {
	h := newHouse(t, storeOf(t, "sqlite"))
	h.put(ann, annCalendar+"a.ics", strings.Replace(event("a", "20261102T100000Z", "20261102T110000Z", ""), "SUMMARY:a", "SUMMARY:Straße", 1)).want(t, 201)
	h.putCard(ann, annContacts+"c.vcf", card("u-c", "Straße")).want(t, 201)
	cal := h.propfind(ann, annCalendar, "0", "C:supported-collation-set").row(t, annCalendar).text("C:supported-collation-set")
	book := h.propfind(ann, annContacts, "0", "CR:supported-collation-set").row(t, annContacts).text("CR:supported-collation-set")
	for _, c := range []string{"i;ascii-casemap", "i;octet", "i;unicode-casemap"} {
		if !strings.Contains(cal, "<C:supported-collation>"+c+"</C:supported-collation>") || !strings.Contains(book, "<CR:supported-collation>"+c+"</CR:supported-collation>") {
			t.Errorf("%s is not told: %s %s", c, cal, book)
		}
		found := func(text string, want int) {
			t.Helper()
			q := queryOf(`<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match collation="`+c+`">`+text+`</C:text-match></C:prop-filter></C:comp-filter>`, "D:getetag")
			if rows := h.report(ann, annCalendar, q, "Depth", "1").rows(t); len(rows) != want {
				t.Errorf("%s finds %d events by %s", c, len(rows), text)
			}
			b := `<CR:addressbook-query><D:prop><D:getetag/></D:prop><CR:filter><CR:prop-filter name="FN"><CR:text-match collation="` + c + `">` + text + `</CR:text-match></CR:prop-filter></CR:filter></CR:addressbook-query>`
			if rows := h.report(ann, annContacts, b, "Depth", "1").rows(t); len(rows) != want {
				t.Errorf("%s finds %d cards by %s", c, len(rows), text)
			}
		}
		found("Straße", 1)
		found("STRAßE", map[string]int{"i;ascii-casemap": 1, "i;octet": 0, "i;unicode-casemap": 1}[c])
		found("strasse", 0)
	}
	h.report(ann, annCalendar, queryOf(`<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match collation="i;nothing">a</C:text-match></C:prop-filter></C:comp-filter>`, "D:getetag"), "Depth", "1").
		refused(t, 403, "C:supported-collation")
}
