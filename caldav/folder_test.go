package caldav

import (
	"strings"
	"testing"
)

// The folder of principals is an ordinary collection, which RFC 4791 §7 allows
// to take the reports of calendars: there is nothing in it, whatever is asked.
func TestCalendarReportsOnPrincipals(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const folder = "/dav/principals/"
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		set := h.propfind(ann, folder, "0", "D:supported-report-set").row(t, folder).text("D:supported-report-set")
		for _, name := range []string{"D:acl-principal-prop-set", "C:calendar-query", "C:calendar-multiget", "C:free-busy-query"} {
			if !strings.Contains(set, "<"+name+"/>") {
				t.Errorf("%s is not told: %s", name, set)
			}
		}
		equal(t, "query", names(t, h.report(ann, folder, queryOf("", "D:getetag"), "Depth", "1"), ""), []string{})
		h.report(ann, folder, `<C:calendar-query><D:prop><D:getetag/></D:prop></C:calendar-query>`, "Depth", "1").refused(t, 403, "C:valid-filter")
		h.report(ann, folder, queryOf("", `C:calendar-data`), "Depth", "infinity").want(t, 207)
		multiget := func(hrefs string) reply {
			return h.report(ann, folder, `<C:calendar-multiget><D:prop><D:getetag/></D:prop>`+hrefs+`</C:calendar-multiget>`)
		}
		equal(t, "multiget", names(t, multiget(href(annCalendar+"a.ics")+href("/dav/principals/x.ics")), ""), []string{annCalendar + "a.ics 404", "/dav/principals/x.ics 404"})
		multiget("").want(t, 400)
		busy := h.report(ann, folder, `<C:free-busy-query><C:time-range start="20261102T000000Z" end="20261103T000000Z"/></C:free-busy-query>`)
		busy.want(t, 200)
		if !strings.Contains(busy.body, "BEGIN:VFREEBUSY") || strings.Contains(busy.body, "\nFREEBUSY") {
			t.Error(busy.body)
		}
		h.report(ann, folder, `<C:free-busy-query/>`).want(t, 400)
		const who = `<D:acl-principal-prop-set><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>`
		equal(t, "acl-principal-prop-set", names(t, h.report(ann, folder, who), ""), []string{})
		h.report(ann, folder, who, "Depth", "1").want(t, 400)
	})
}
