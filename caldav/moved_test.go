package caldav

import (
	"context"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
)

// Who has a new address is found where he was: requests for old URLs are led to
// the new ones by whoever may see those, and the old address logs in.
func TestOldURLs(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const old, fresh = "/dav/calendars/ann@example.org/", "/dav/calendars/arbor@example.net/"
		h.do(ann, "PUT", old+"calendar/1.ics", event("1", "20261103T090000Z", "20261103T100000Z", "")).want(t, 201)
		err := h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
			p, err := tx.PrincipalByAddress(ann)
			if err != nil {
				return err
			}
			return scheduling.Rename(tx, p, "arbor@example.net")
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, who := range []string{ann, "arbor@example.net"} {
			test := func(method, path string, status int, location string) {
				t.Helper()
				if r := h.do(who, method, path, ""); r.status != status || r.header.Get("Location") != location {
					t.Errorf("%s %s: %d %q", method, path, r.status, r.header.Get("Location"))
				}
			}
			test("PROPFIND", old, 301, fresh)
			test("PROPFIND", old+"calendar", 301, fresh+"calendar")
			test("GET", old+"calendar/1.ics?x=y", 301, fresh+"calendar/1.ics?x=y")
			test("PUT", old+"calendar/2.ics", 308, fresh+"calendar/2.ics")
			test("DELETE", old+"calendar/1.ics", 308, fresh+"calendar/1.ics")
			test("PROPFIND", "/dav/addressbooks/ann@example.org/contacts/", 301, "/dav/addressbooks/arbor@example.net/contacts/")
			test("GET", "/dav/directory/ann@example.org.vcf", 301, "/dav/directory/arbor@example.net.vcf")
			test("GET", fresh+"calendar/1.ics", 200, "")
			if row := h.do(who, "PROPFIND", "/dav/principals/ann@example.org/", `<D:propfind xmlns:D="DAV:"><D:prop><D:displayname/></D:prop></D:propfind>`, "Depth", "0").rows(t)[0]; row.href != "/dav/principals/arbor@example.net/" {
				t.Errorf("the principal is at %s", row.href)
			}
		}
		// What a program remembers of it still leads there.
		r := h.report(ann, fresh+"calendar/", `<C:calendar-multiget><D:prop><D:getetag/></D:prop><D:href>`+old+`calendar/1.ics</D:href></C:calendar-multiget>`)
		if rows := r.rows(t); len(rows) != 1 || !rows[0].has("D:getetag") {
			t.Errorf("%s", r.body)
		}
		h.do(ann, "MOVE", fresh+"calendar/1.ics", "", "Destination", old+"calendar/3.ics").want(t, 201)
		h.do(ann, "GET", fresh+"calendar/3.ics", "").want(t, 200)

		// Whoever may not see it does not learn of it.
		nobody := h.do(bob, "PROPFIND", "/dav/calendars/nobody@example.org/", "")
		if r := h.do(bob, "PROPFIND", old, ""); r.status != 403 || r.body != nobody.body || r.header.Get("Location") != "" {
			t.Errorf("Bob is told %d %s", r.status, r.body)
		}
		h.do("", "PROPFIND", old, "").want(t, 401)
		if r := h.do(bob, "GET", "/freebusy/ann@example.org", ""); r.status != 200 || !strings.Contains(r.body, "VFREEBUSY") {
			t.Errorf("free/busy by the old address: %d", r.status)
		}
	})
}
