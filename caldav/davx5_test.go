package caldav

import (
	"fmt"
	"strings"
	"testing"
)

// A day of DAVx5, request by request as it sends them (clients.md §1.5, fixture
// 18): accounts found, collections listed, events and contacts synchronised both
// ways, an invitation answered, a calendar made and removed.
func TestDAVx5(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const accept, xml = "application/xml, text/xml", "application/xml; charset=utf-8"
		ask := func(method, path, depth, body string) reply {
			t.Helper()
			headers := []string{"Accept", accept, "Content-Type", xml}
			if depth != "" {
				headers = append(headers, "Depth", depth)
			}
			root, rest, _ := strings.Cut(body, ">")
			return h.do(bob, method, path, `<?xml version="1.0" encoding="UTF-8"?>`+root+namespaces+">"+rest, headers...)
		}
		propfind := func(path, depth, props string) reply {
			t.Helper()
			return ask("PROPFIND", path, depth, `<D:propfind><D:prop>`+elements(props)+`</D:prop></D:propfind>`).want(t, 207)
		}
		one := func(w row, name string) string {
			t.Helper()
			return strings.TrimSuffix(strings.TrimPrefix(w.text(name), "<D:href>"), "</D:href>")
		}
		const bobBook = "/dav/addressbooks/bob@example.org/contacts/"
		homes := map[string]string{}
		for _, service := range []struct{ class, homeSet, more string }{
			{"calendar-access", "C:calendar-home-set", "D:current-user-privilege-set C:supported-calendar-component-set A:calendar-color C:calendar-description C:calendar-timezone"},
			{"addressbook", "CR:addressbook-home-set", "CR:addressbook-description"},
		} {
			h.do("", "PROPFIND", "/", "", "Depth", "0").want(t, 401)
			principal := one(propfind("/", "0", "D:resourcetype D:displayname D:current-user-principal "+service.homeSet+" "+service.more).rows(t)[0], "D:current-user-principal")
			if dav := h.do(bob, "OPTIONS", principal, "", "Accept-Encoding", "identity").want(t, 200).header.Get("DAV"); !strings.Contains(dav, service.class) {
				t.Errorf("%s: DAV %s", principal, dav)
			}
			w := propfind(principal, "0", "D:displayname D:group-membership D:resourcetype C:calendar-user-address-set CS:calendar-proxy-read-for CS:calendar-proxy-write-for "+service.homeSet).rows(t)[0]
			if !strings.Contains(w.text("D:resourcetype"), "<D:principal/>") || !strings.Contains(w.text("C:calendar-user-address-set"), ">mailto:bob@example.org<") {
				t.Errorf("%+v", w)
			}
			homes[service.class] = one(w, service.homeSet)
		}
		found := map[string]string{}
		for class, home := range homes {
			for _, w := range propfind(home, "1", "D:current-user-privilege-set D:displayname D:owner D:resourcetype A:calendar-color C:calendar-description CR:addressbook-description C:calendar-timezone C:calendar-timezone-id C:supported-calendar-component-set CS:source").rows(t) {
				kind := map[string]string{"calendar-access": "<C:calendar/>", "addressbook": "<CR:addressbook/>"}[class]
				if !strings.Contains(w.text("D:resourcetype"), kind) {
					continue
				}
				if !strings.Contains(w.text("D:current-user-privilege-set"), "<D:write-content/>") || one(w, "D:owner") != bobPath {
					t.Errorf("%+v", w)
				}
				found[w.href] = w.text("C:supported-calendar-component-set")
			}
		}
		if len(found) != 3 || found[bobCalendar] != `<C:comp name="VEVENT"/>` || found[bobHome+"tasks/"] != `<C:comp name="VTODO"/>` {
			t.Fatalf("%v", found)
		}

		// What is there, then what of it is new: by query where only the last weeks
		// are wanted.
		h.put(ann, annCalendar+"m.ics", meeting("m", "20261203T100000Z", "20261203T110000Z", bob, "carol@example.net")).want(t, 201)
		state := propfind(bobCalendar, "0", "D:supported-report-set D:sync-token CS:getctag C:max-resource-size CR:max-resource-size CR:supported-address-data").row(t, bobCalendar)
		if !strings.Contains(state.text("D:supported-report-set"), "sync-collection") || state.text("C:max-resource-size") == "" {
			t.Errorf("%+v", state)
		}
		rows := ask("REPORT", bobCalendar, "1", `<C:calendar-query><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20260901T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`).rows(t)
		if len(rows) != 1 || rows[0].text("D:getetag") == "" {
			t.Fatalf("%+v", rows)
		}
		at := rows[0].href
		get := func() row {
			t.Helper()
			return ask("REPORT", bobCalendar, "", `<C:calendar-multiget><D:prop><D:getcontenttype/><D:getetag/><C:schedule-tag/><C:calendar-data/></D:prop><D:href>`+at+`</D:href></C:calendar-multiget>`).row(t, at)
		}
		invited := get()
		if !strings.HasPrefix(invited.text("D:getcontenttype"), "text/calendar") || invited.text("C:schedule-tag") == "" {
			t.Errorf("%+v", invited)
		}
		// Accepted, with everybody's line rewritten from Android's columns.
		yes := lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:DAVx5/4", "BEGIN:VEVENT", "UID:m", "DTSTAMP:20261102T100000Z", "DTSTART:20261203T100000Z", "DTEND:20261203T110000Z", "SUMMARY:m",
			"ORGANIZER:mailto:ann@example.org", "ATTENDEE;RSVP=TRUE;PARTSTAT=ACCEPTED:mailto:ann@example.org", "ATTENDEE;RSVP=TRUE;PARTSTAT=ACCEPTED:mailto:bob@example.org",
			"ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:carol@example.net", "END:VEVENT", "END:VCALENDAR")
		write := func(path, media, body string, headers ...string) reply {
			t.Helper()
			return h.do(bob, "PUT", path, body, append([]string{"Content-Type", media, "Push-Dont-Notify", `"x"`}, headers...)...)
		}
		write(at, calendarType, yes, "If-Schedule-Tag-Match", `"stale"`).want(t, 412)
		write(at, calendarType, yes, "If-Schedule-Tag-Match", invited.text("C:schedule-tag")).want(t, 204)
		mine := strings.ReplaceAll(h.do(ann, "GET", annCalendar+"m.ics", "").want(t, 200).body, "\r\n ", "")
		if n := strings.Count(mine, "PARTSTAT=ACCEPTED"); n != 2 || !strings.Contains(mine, "PARTSTAT=NEEDS-ACTION;RSVP=TRUE;SCHEDULE-STATUS=1.1:mailto:carol@example.net") {
			t.Errorf("%s", mine)
		}
		if again := get(); strings.Contains(again.text("C:calendar-data"), "SCHEDULE-STATUS=3") || again.text("D:getetag") == invited.text("D:getetag") {
			t.Errorf("%+v", again)
		}

		// His own, by sync-collection.
		own := event("own", "20261204T100000Z", "20261204T110000Z", "")
		r := write(bobCalendar+"own.ics", calendarType, own, "If-None-Match", "*").want(t, 201)
		if r.header.Get("ETag") == "" {
			t.Error("no ETag: it would load what it has just sent")
		}
		write(bobCalendar+"own.ics", calendarType, own, "If-None-Match", "*").want(t, 412)
		sync := func(path, token string) reply {
			t.Helper()
			return ask("REPORT", path, "0", `<D:sync-collection><D:sync-token>`+token+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/><D:resourcetype/></D:prop></D:sync-collection>`)
		}
		sync(bobCalendar, "http://example.com/none").refused(t, 403, "D:valid-sync-token")
		changed := sync(bobCalendar, state.text("D:sync-token"))
		equal(t, "changed", names(t, changed, bobCalendar), []string{strings.TrimPrefix(at, bobCalendar), "own.ics"})
		h.do(bob, "DELETE", bobCalendar+"own.ics", "", "If-Match", r.header.Get("ETag"), "Push-Dont-Notify", "*").want(t, 204)
		equal(t, "gone", names(t, sync(bobCalendar, tokenOf(t, changed)), bobCalendar), []string{"own.ics 404"})

		// Contacts in version 4.0, because the book says that it takes it.
		book := propfind(bobBook, "0", "D:supported-report-set D:sync-token CR:max-resource-size CR:supported-address-data").row(t, bobBook)
		if !strings.Contains(book.text("CR:supported-address-data"), `version="4.0"`) {
			t.Errorf("%+v", book)
		}
		four := strings.NewReplacer("VERSION:3.0", "VERSION:4.0", "N:;Dora;;;", "N:;Dora;;;\r\nKIND:individual").Replace(card("u-d", "Dora"))
		tag := write(bobBook+"d.vcf", "text/vcard; charset=utf-8", four, "If-None-Match", "*").want(t, 201).header.Get("ETag")
		h.putCard(bob, bobBook+"old.vcf", card("u-o", "Olga")).want(t, 201) // by another program, in 3.0
		var hrefs strings.Builder
		for _, w := range sync(bobBook, book.text("D:sync-token")).rows(t) {
			hrefs.WriteString("<D:href>" + w.href + "</D:href>")
		}
		got := ask("REPORT", bobBook, "", `<CR:addressbook-multiget><D:prop><D:getcontenttype/><D:getetag/><CR:address-data content-type="text/vcard" version="4.0"/></D:prop>`+hrefs.String()+`</CR:addressbook-multiget>`).rows(t)
		if len(got) != 2 {
			t.Fatalf("%+v", got)
		}
		for _, w := range got {
			if !strings.Contains(w.text("CR:address-data"), "VERSION:4.0") || w.text("D:getetag") == "" {
				t.Errorf("%+v", w)
			}
		}
		write(bobBook+"d.vcf", "text/vcard; charset=utf-8", strings.Replace(four, "FN:Dora", "FN:Dora D", 1), "If-Match", tag).want(t, 204)
		write(bobBook+"d.vcf", "text/vcard; charset=utf-8", four, "If-Match", tag).want(t, 412)

		// A calendar of his, and away with it.
		const fresh = bobHome + "7f2f0b1e-1111-4222-8333-444455556666/"
		ask("MKCALENDAR", fresh, "", `<C:mkcalendar><D:set><D:prop><D:resourcetype><D:collection/><C:calendar/></D:resourcetype><D:displayname>Sport</D:displayname><C:calendar-description>Running</C:calendar-description>`+
			`<A:calendar-color>#7CB342FF</A:calendar-color><C:calendar-timezone-id>Europe/Vienna</C:calendar-timezone-id><C:supported-calendar-component-set><C:comp name="VEVENT"/><C:comp name="VTODO"/></C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>`).want(t, 201)
		w := propfind(fresh, "0", "D:displayname A:calendar-color C:calendar-description C:calendar-timezone-id").row(t, fresh)
		if got := fmt.Sprint(w.text("D:displayname"), w.text("A:calendar-color"), w.text("C:calendar-description"), w.text("C:calendar-timezone-id")); got != "Sport#7CB342FFRunningEurope/Vienna" {
			t.Errorf("%s", got)
		}
		h.do(bob, "DELETE", fresh, "").want(t, 204)
		ask("PROPFIND", fresh, "0", `<D:propfind><D:prop><D:displayname/></D:prop></D:propfind>`).want(t, 404)
	})
}
