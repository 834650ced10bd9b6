package caldav

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// RFC 4791 §7: a home may be asked, too; each calendar's floating times stand
// in its own zone, and nobody finds what he may not read.
func TestQueryHome(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.do(ann, "MKCALENDAR", annHome+"work/", `<C:mkcalendar`+namespaces+`><D:set><D:prop><C:calendar-timezone-id>America/New_York</C:calendar-timezone-id></D:prop></D:set></C:mkcalendar>`).want(t, 201)
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000", "20261102T110000", "")).want(t, 201)  // 9 to 10 UTC
		h.put(ann, annHome+"work/b.ics", event("b", "20261102T100000", "20261102T110000", "")).want(t, 201) // 15 to 16 UTC
		h.put(bob, bobCalendar+"c.ics", event("c", "20261102T090000Z", "20261102T160000Z", "")).want(t, 201)
		test := func(who, home, depth, start, end string, want ...string) {
			t.Helper()
			r := h.report(who, home, queryOf(`<C:comp-filter name="VEVENT"><C:time-range start="`+start+`" end="`+end+`"/></C:comp-filter>`, "D:getetag C:calendar-data"), "Depth", depth).want(t, 207)
			equal(t, who+" at "+start, names(t, r, annHome), append([]string{}, want...))
		}
		test(ann, annHome, "infinity", "20261102T000000Z", "20261103T000000Z", "calendar/a.ics", "work/b.ics")
		test(ann, annHome, "infinity", "20261102T090000Z", "20261102T100000Z", "calendar/a.ics")
		test(ann, annHome, "infinity", "20261102T150000Z", "20261102T160000Z", "work/b.ics")
		test(ann, annHome, "1", "20261102T000000Z", "20261103T000000Z", "calendar/a.ics", "work/b.ics")
		test(ann, annHome, "0", "20261102T000000Z", "20261103T000000Z")
		h.report(bob, annHome, queryOf(`<C:comp-filter name="VEVENT"/>`, "D:getetag"), "Depth", "infinity").refused(t, 403, "D:need-privileges")
		h.report(ann, annHome, `<C:calendar-query><D:prop><D:getetag/></D:prop></C:calendar-query>`, "Depth", "infinity").refused(t, 403, "C:valid-filter")
	})
}

// RFC 4791 §7.10: a home is asked for busy time, too, and so is a principal,
// where Evolution looks: what is told is what the outbox would tell.
func TestFreeBusyOfHome(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.do(ann, "MKCALENDAR", annHome+"work/", "").want(t, 201)
		h.do(ann, "MKCALENDAR", annHome+"birthdays/", `<C:mkcalendar`+namespaces+`><D:set><D:prop><C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp></D:prop></D:set></C:mkcalendar>`).want(t, 201)
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		h.put(ann, annHome+"work/b.ics", event("b", "20261102T103000Z", "20261102T120000Z", "")).want(t, 201)
		h.put(ann, annHome+"birthdays/c.ics", event("c", "20261102T150000Z", "20261102T160000Z", "")).want(t, 201)
		ask := func(who, path string) reply {
			t.Helper()
			return h.report(who, path, `<C:free-busy-query><C:time-range start="20261102T000000Z" end="20261103T000000Z"/></C:free-busy-query>`, "Depth", "infinity")
		}
		const busy = "FREEBUSY;FBTYPE=BUSY:20261102T100000Z/PT2H\r\n"
		for _, path := range []string{annHome, annSelf} {
			if r := ask(ann, path).want(t, 200); strings.Count(r.body, "FREEBUSY;") != 1 || !strings.Contains(r.body, busy) {
				t.Errorf("%s: %s", path, r.body)
			}
		}
		if r := ask(bob, annSelf).want(t, 200); !strings.Contains(r.body, busy) {
			t.Errorf("%s", r.body)
		}
		// RFC 4791 §7.10: who may not know is told 404, of what is there and what is not.
		for _, path := range []string{annHome, annCalendar, annHome + "none/", "/dav/calendars/nobody@example.org/", "/dav/calendars/nobody@example.org/calendar/"} {
			if r := ask(bob, path).want(t, 404); r.body != "" {
				t.Errorf("%s: %s", path, r.body)
			}
		}
		h.report(ann, annHome, `<C:free-busy-query/>`).want(t, 400)
		// Who does not share his busy time.
		if err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
			p, err := tx.PrincipalByAddress(ann)
			if err != nil {
				return err
			}
			return directory.SetPreference(tx, p.ID, directory.FreeBusySharing, "no")
		}); err != nil {
			t.Fatal(err)
		}
		ask(bob, annSelf).refused(t, 403, "D:need-privileges")
		ask(ann, annSelf).want(t, 200)
	})
}
