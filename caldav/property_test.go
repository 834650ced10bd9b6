package caldav

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

// Apple's first writes (clients.md fixtures 4 and 5): kept with their
// attributes.
func TestAppleProppatch(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		r := h.proppatch(ann, annCalendar, `<D:set><D:prop><A:calendar-color symbolic-color="orange">#FD8208FF</A:calendar-color></D:prop></D:set>`)
		if w := r.row(t, annCalendar); !w.has("A:calendar-color") || len(w.props) != 1 {
			t.Errorf("%+v", w)
		}
		r = h.propfind(ann, annCalendar, "0", "A:calendar-color")
		if !strings.Contains(r.body, `symbolic-color='orange'`) || r.row(t, annCalendar).text("A:calendar-color") != "#FD8208FF" {
			t.Errorf("%s", r.body)
		}
		const alarm = "BEGIN:VALARM&#13;\nUID:A1&#13;\nX-WR-ALARMUID:A1&#13;\nTRIGGER:-PT15H&#13;\nACTION:AUDIO&#13;\nATTACH;VALUE=URI:Basso&#13;\nEND:VALARM&#13;\n"
		for _, path := range []string{annHome, annCalendar, annInbox, annSelf} {
			h.proppatch(ann, path, `<D:set><D:prop><C:default-alarm-vevent-date>`+alarm+`</C:default-alarm-vevent-date></D:prop></D:set>`).row(t, path)
			w := h.propfind(ann, path, "0", "C:default-alarm-vevent-date").row(t, path)
			if got, want := w.text("C:default-alarm-vevent-date"), strings.ReplaceAll(alarm, "&#13;", "\r"); got != want {
				t.Errorf("%s: got %q, want %q", path, got, want)
			}
		}
		// On an object, listed with the calendar.
		etag := h.seed(ann, "calendar", "a.ics", event("a", "20261102T100000Z", "20261102T110000Z", ""))
		h.proppatch(ann, annCalendar+"a.ics", `<D:set><D:prop><x xmlns="urn:y" xml:lang="de">Wert</x></D:prop></D:set>`).row(t, annCalendar+"a.ics")
		r = h.do(ann, "PROPFIND", annCalendar, `<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/><x xmlns="urn:y"/></D:prop></D:propfind>`, "Depth", "1")
		if o := r.row(t, annCalendar+"a.ics"); o.text("{urn:y}x") != "Wert" || o.text("D:getetag") != etag || !strings.Contains(r.body, `xml:lang='de'`) {
			t.Errorf("%s", r.body)
		}
		// Others see none of it.
		if w := h.propfind(bob, annSelf, "0", "C:default-alarm-vevent-date").row(t, annSelf); !w.lacks("C:default-alarm-vevent-date") {
			t.Errorf("%+v", w)
		}
		h.proppatch(ann, annCalendar, `<D:remove><D:prop><A:calendar-color/><A:never-there/></D:prop></D:remove>`).row(t, annCalendar)
		if w := h.propfind(ann, annCalendar, "0", "A:calendar-color").row(t, annCalendar); !w.lacks("A:calendar-color") {
			t.Errorf("%+v", w)
		}
	})
}

func TestProppatchLive(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const zone = "BEGIN:VCALENDAR&#13;\nBEGIN:VTIMEZONE&#13;\nTZID:America/New_York&#13;\nBEGIN:STANDARD&#13;\nDTSTART:20071104T020000&#13;\n" +
			"TZOFFSETFROM:-0400&#13;\nTZOFFSETTO:-0500&#13;\nEND:STANDARD&#13;\nEND:VTIMEZONE&#13;\nEND:VCALENDAR&#13;\n"
		before := h.propfind(ann, annCalendar, "0", "CS:getctag").row(t, annCalendar).text("CS:getctag")
		set := func(prop string) row {
			t.Helper()
			return h.proppatch(ann, annCalendar, "<D:set><D:prop>"+prop+"</D:prop></D:set>").row(t, annCalendar)
		}
		get := func(name string) string {
			t.Helper()
			return h.propfind(ann, annCalendar, "0", name).row(t, annCalendar).text(name)
		}
		if !set("<D:displayname>Arbeit &amp; mehr</D:displayname>").has("D:displayname") || get("D:displayname") != "Arbeit & mehr" {
			t.Error("displayname")
		}
		if !set("<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>").has("C:schedule-calendar-transp") || get("C:schedule-calendar-transp") != "<C:transparent/>" {
			t.Error("schedule-calendar-transp")
		}
		if w := set("<C:schedule-calendar-transp>no</C:schedule-calendar-transp>"); w.props["HTTP/1.1 409 Conflict"] == nil {
			t.Errorf("%+v", w)
		}
		if !set("<C:calendar-timezone>" + zone + "</C:calendar-timezone>").has("C:calendar-timezone") {
			t.Error("calendar-timezone")
		}
		if got, want := get("C:calendar-timezone"), strings.ReplaceAll(zone, "&#13;", "\r"); got != want {
			t.Errorf("calendar-timezone: got %q", got)
		}
		bare := "BEGIN:VTIMEZONE\nTZID:Asia/Tokyo\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0900\nTZOFFSETTO:+0900\nEND:STANDARD\nEND:VTIMEZONE\n"
		if !set("<C:calendar-timezone>"+bare+"</C:calendar-timezone>").has("C:calendar-timezone") || get("C:calendar-timezone-id") != "Asia/Tokyo" {
			t.Errorf("a bare VTIMEZONE: %q", get("C:calendar-timezone-id"))
		}
		set("<C:calendar-timezone>" + zone + "</C:calendar-timezone>")
		if get("C:calendar-timezone-id") != "America/New_York" {
			t.Errorf("calendar-timezone-id: %q", get("C:calendar-timezone-id"))
		}
		if w := set("<C:calendar-timezone>BEGIN:VCALENDAR\nEND:VCALENDAR</C:calendar-timezone>"); w.props["HTTP/1.1 403 Forbidden"] == nil {
			t.Errorf("%+v", w)
		}
		if !set("<C:calendar-timezone-id>Europe/Paris</C:calendar-timezone-id>").has("C:calendar-timezone-id") || get("C:calendar-timezone-id") != "Europe/Paris" {
			t.Error("calendar-timezone-id")
		}
		if got := get("C:calendar-timezone"); !strings.Contains(got, "TZID:Europe/Paris\r\n") || !strings.Contains(got, "BEGIN:DAYLIGHT") {
			t.Errorf("calendar-timezone beside the new id: %s", got)
		}
		if w := set("<C:calendar-timezone-id>Mars/Base</C:calendar-timezone-id>"); w.props["HTTP/1.1 403 Forbidden"] == nil {
			t.Errorf("%+v", w)
		}
		if after := get("CS:getctag"); after == before {
			t.Error("the ctag did not change")
		}
	})
}

// RFC 4918 §9.2: all changes or none.
func TestProppatchIsAtomic(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, protected := range []string{"D:getetag", "D:resourcetype", "D:owner", "D:current-user-privilege-set", "C:supported-calendar-component-set", "CS:getctag", "D:sync-token"} {
			w := h.proppatch(ann, annCalendar, `<D:set><D:prop><D:displayname>new</D:displayname><A:calendar-order>1</A:calendar-order></D:prop></D:set>`+
				`<D:set><D:prop><`+protected+`>x</`+protected+`></D:prop></D:set>`).row(t, annCalendar)
			if _, ok := w.props["HTTP/1.1 403 Forbidden"][protected]; !ok {
				t.Errorf("%s: %+v", protected, w)
			}
			if f := w.props["HTTP/1.1 424 Failed Dependency"]; len(f) != 2 || len(w.props) != 2 {
				t.Errorf("%s: %+v", protected, w)
			}
		}
		w := h.propfind(ann, annCalendar, "0", "D:displayname A:calendar-order").row(t, annCalendar)
		if w.text("D:displayname") != "calendar" || !w.lacks("A:calendar-order") {
			t.Errorf("%+v", w)
		}
		// What nobody may change.
		h.proppatch(ann, "/dav/", `<D:set><D:prop><A:x>1</A:x></D:prop></D:set>`).refused(t, 403, "D:need-privileges")
		h.proppatch(ann, "/dav/principals/bob@example.org/", `<D:set><D:prop><A:x>1</A:x></D:prop></D:set>`).refused(t, 403, "D:need-privileges")
		if w := h.proppatch(ann, annSelf, `<D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set>`).row(t, annSelf); w.props["HTTP/1.1 403 Forbidden"] == nil {
			t.Errorf("%+v", w)
		}
		big := `<D:set><D:prop><A:x>` + strings.Repeat("x", maxDeadProperty) + `</A:x></D:prop></D:set>`
		if w := h.proppatch(ann, annCalendar, big).row(t, annCalendar); w.props["HTTP/1.1 403 Forbidden"] == nil {
			t.Errorf("%+v", w.props)
		}
	})
}

// RFC 6638 §9.2, §4.3.1.2: where invitations arrive.
func TestDefaultCalendar(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.do(ann, "MKCALENDAR", annHome+"work/", "").want(t, 201)
		for _, at := range []string{annInbox, annSelf} {
			for _, bad := range []string{annTasks, annInbox, annHome, annHome + "none/", bobCalendar, annCalendar + "x.ics", "mailto:x@y"} {
				r := h.proppatch(ann, at, `<D:set><D:prop><C:schedule-default-calendar-URL><D:href>`+bad+`</D:href></C:schedule-default-calendar-URL></D:prop></D:set>`)
				if r.row(t, at).props["HTTP/1.1 403 Forbidden"] == nil || !strings.Contains(r.body, "<D:error><C:valid-schedule-default-calendar-URL/></D:error>") {
					t.Errorf("%s became the default: %s", bad, r.body) // RFC 6638 §4.3.1.2
				}
			}
		}
		for _, at := range []string{annInbox, annSelf} { // one is needed (RFC 6638 §4.3.1.1)
			r := h.proppatch(ann, at, `<D:remove><D:prop><C:schedule-default-calendar-URL/></D:prop></D:remove>`)
			if r.row(t, at).props["HTTP/1.1 403 Forbidden"] == nil || !strings.Contains(r.body, "<D:error><C:default-calendar-needed/></D:error>") {
				t.Errorf("the default went: %s", r.body)
			}
		}
		for _, good := range []string{annHome + "work/", "https://cal.example.org/dav/calendars/ann%40example.org/calendar", annHome + "work"} {
			if w := h.proppatch(ann, annInbox, `<D:set><D:prop><C:schedule-default-calendar-URL><D:href>`+good+`</D:href></C:schedule-default-calendar-URL></D:prop></D:set>`).row(t, annInbox); !w.has("C:schedule-default-calendar-URL") {
				t.Errorf("%s: %+v", good, w)
			}
		}
		for _, at := range []string{annInbox, annSelf} {
			if got := h.propfind(ann, at, "0", "C:schedule-default-calendar-URL").row(t, at).text("C:schedule-default-calendar-URL"); got != "<D:href>"+annHome+"work/</D:href>" {
				t.Errorf("%s: %s", at, got)
			}
		}
	})
}

// What programs older than RFC 6638 §9.1 use for schedule-calendar-transp: the
// two say the same.
func TestFreeBusySet(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		work := annHome + "work/"
		h.do(ann, "MKCALENDAR", work, "").want(t, 201)
		set := func(hrefs ...string) row {
			t.Helper()
			body := ""
			for _, href := range hrefs {
				body += "<D:href>" + href + "</D:href>"
			}
			return h.proppatch(ann, annInbox, "<D:set><D:prop><C:calendar-free-busy-set>"+body+"</C:calendar-free-busy-set></D:prop></D:set>").row(t, annInbox)
		}
		test := func(want ...string) {
			t.Helper()
			all := ""
			for _, href := range want {
				all += "<D:href>" + href + "</D:href>"
			}
			if got := h.propfind(ann, annInbox, "0", "C:calendar-free-busy-set").row(t, annInbox).text("C:calendar-free-busy-set"); got != all {
				t.Errorf("%s, want %s", got, all)
			}
			for _, cal := range []string{annCalendar, work} {
				transp := "<C:transparent/>"
				if slices.Contains(want, cal) {
					transp = "<C:opaque/>"
				}
				if got := h.propfind(ann, cal, "0", "C:schedule-calendar-transp").row(t, cal).text("C:schedule-calendar-transp"); got != transp {
					t.Errorf("%s: %s, want %s", cal, got, transp)
				}
			}
		}
		test(annCalendar, work)
		for _, bad := range []string{annTasks, annInbox, annHome + "none/", bobCalendar, annCalendar + "x.ics", "mailto:x@y"} {
			if w := set(work, bad); w.props["HTTP/1.1 409 Conflict"] == nil {
				t.Errorf("%s: %+v", bad, w)
			}
		}
		if w := h.proppatch(ann, annInbox, "<D:remove><D:prop><C:calendar-free-busy-set/></D:prop></D:remove>").row(t, annInbox); w.props["HTTP/1.1 403 Forbidden"] == nil {
			t.Errorf("removed: %+v", w)
		}
		test(annCalendar, work)
		set(strings.TrimSuffix(work, "/"))
		test(work)
		h.proppatch(ann, work, "<D:set><D:prop><C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp></D:prop></D:set>")
		test()
		set(annCalendar, work)
		test(annCalendar, work)
	})
}

// RFC 8144 §2.2: nothing to tell about a PROPPATCH that was made.
func TestProppatchMinimal(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		body := `<D:propertyupdate` + namespaces + `><D:set><D:prop><A:x>1</A:x></D:prop></D:set></D:propertyupdate>`
		r := h.do(ann, "PROPPATCH", annCalendar, body, "Prefer", "return=minimal").want(t, 200)
		if r.body != "" || r.header.Get("Preference-Applied") != "return=minimal" {
			t.Errorf("%+v", r)
		}
		// RFC 8144 §2.1: an empty propstat where nothing is left.
		w := h.propfind(ann, annCalendar, "0", "A:none", "Prefer", "return=minimal").row(t, annCalendar)
		if p, ok := w.props["HTTP/1.1 200 OK"]; !ok || len(p) != 0 || len(w.props) != 1 {
			t.Errorf("%+v", w)
		}
	})
}

// Apple's new list of reminders (clients.md fixture 6).
func TestMkcalendar(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const body = `<C:mkcalendar` + namespaces + `><D:set><D:prop><C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set>` +
			`<D:displayname>Groceries</D:displayname><A:calendar-order>7</A:calendar-order><A:calendar-color symbolic-color="custom">#1BADF8</A:calendar-color>` +
			"<C:calendar-timezone>BEGIN:VCALENDAR&#13;\nVERSION:2.0&#13;\nBEGIN:VTIMEZONE&#13;\nTZID:Europe/Berlin&#13;\nBEGIN:STANDARD&#13;\nDTSTART:19961027T030000&#13;\n" +
			"TZOFFSETFROM:+0200&#13;\nTZOFFSETTO:+0100&#13;\nEND:STANDARD&#13;\nEND:VTIMEZONE&#13;\nEND:VCALENDAR&#13;\n</C:calendar-timezone>" +
			`<C:schedule-calendar-transp><C:opaque/></C:schedule-calendar-transp></D:prop></D:set></C:mkcalendar>`
		const path = annHome + "5E3F1A0C-0000-4000-8000-000000000001/"
		r := h.do(ann, "MKCALENDAR", path, body).want(t, 201)
		if r.body != "" || r.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%+v", r)
		}
		w := h.propfind(ann, annHome, "1", "D:resourcetype C:supported-calendar-component-set D:displayname A:calendar-order A:calendar-color C:calendar-timezone-id").row(t, path)
		want := map[string]string{"D:resourcetype": "<D:collection/><C:calendar/>", "C:supported-calendar-component-set": `<C:comp name="VTODO"/>`,
			"D:displayname": "Groceries", "A:calendar-order": "7", "A:calendar-color": "#1BADF8", "C:calendar-timezone-id": "Europe/Berlin"}
		for k, v := range want {
			if w.text(k) != v {
				t.Errorf("%s: %q, want %q", k, w.text(k), v)
			}
		}
		h.do(ann, "MKCALENDAR", path, body).refused(t, 403, "D:resource-must-be-null") // RFC 4791 §1.3, §5.3.1
		h.do(ann, "MKCOL", path, "").refused(t, 405, "D:resource-must-be-null")        // RFC 4918 §9.3.1
		// One property that cannot be set: none is, and there is no calendar (RFC 4791 §5.3.1.1).
		bad := strings.Replace(body, "<D:displayname>", "<D:getetag>1</D:getetag><D:displayname>", 1)
		h.do(ann, "MKCALENDAR", path, bad).refused(t, 403, "D:resource-must-be-null")
		failed := h.do(ann, "MKCALENDAR", annHome+"bad/", bad).want(t, 207)
		if row := failed.row(t, annHome+"bad/"); len(row.props["HTTP/1.1 403 Forbidden"]) != 1 || len(row.props["HTTP/1.1 424 Failed Dependency"]) != 6 || failed.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%+v", failed)
		}
		h.propfind(ann, annHome+"bad/", "0", "D:displayname").want(t, 404)
		h.do(ann, "MKCALENDAR", annCalendar, "").refused(t, 403, "D:resource-must-be-null")
		h.do(ann, "MKCALENDAR", annInbox, "").refused(t, 403, "D:resource-must-be-null")
		h.do(ann, "MKCALENDAR", annHome, "").refused(t, 403, "D:resource-must-be-null")
		h.do(ann, "MKCALENDAR", annCalendar+"inner/", "").refused(t, 403, "C:calendar-collection-location-ok")
		h.do(ann, "MKCALENDAR", annHome+"none/inner/", "").want(t, 409)
		h.do(ann, "MKCALENDAR", "/dav/addressbooks/ann@example.org/x/", "").refused(t, 403, "C:calendar-collection-location-ok")
		h.do(ann, "MKCALENDAR", bobHome+"x/", "").refused(t, 403, "D:need-privileges")
		h.do(ann, "MKCALENDAR", "/dav/calendars/nobody@example.org/x/", "").refused(t, 403, "D:need-privileges")

		// Without a body, it takes everything (RFC 4791 §5.2.3).
		h.do(ann, "MKCALENDAR", annHome+"all", "").want(t, 201)
		if got := h.propfind(ann, annHome+"all/", "0", "C:supported-calendar-component-set").row(t, annHome+"all/").text("C:supported-calendar-component-set"); got != `<C:comp name="VEVENT"/><C:comp name="VTODO"/><C:comp name="VJOURNAL"/><C:comp name="VAVAILABILITY"/>` {
			t.Errorf("components: %s", got)
		}
		// KDAV lists what is no kind of object, too.
		h.do(ann, "MKCALENDAR", annHome+"kde/", `<C:mkcalendar`+namespaces+`><D:set><D:prop><C:supported-calendar-component-set><C:comp name="VCALENDAR"/><C:comp name="VEVENT"/>`+
			`<C:comp name="VFREEBUSY"/></C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>`).want(t, 201)
		if got := h.propfind(ann, annHome+"kde/", "0", "C:supported-calendar-component-set").row(t, annHome+"kde/").text("C:supported-calendar-component-set"); got != `<C:comp name="VEVENT"/>` {
			t.Errorf("components: %s", got)
		}
	})
}

// RFC 5689 §3: all properties or no collection.
func TestMkcol(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		mkcol := func(path, props string) reply {
			t.Helper()
			return h.do(ann, "MKCOL", path, `<D:mkcol`+namespaces+`><D:set><D:prop>`+props+`</D:prop></D:set></D:mkcol>`)
		}
		mkcol(annHome+"a/", `<D:resourcetype><D:collection/><C:calendar/></D:resourcetype><D:displayname>A</D:displayname>`).want(t, 201)
		if got := h.propfind(ann, annHome+"a/", "0", "D:displayname").row(t, annHome+"a/").text("D:displayname"); got != "A" {
			t.Errorf("displayname %q", got)
		}
		mkcol("/dav/addressbooks/ann@example.org/b/", `<D:resourcetype><D:collection/><CR:addressbook/></D:resourcetype>`).want(t, 201)
		if got := h.propfind(ann, "/dav/addressbooks/ann@example.org/b/", "0", "D:resourcetype").rows(t)[0].text("D:resourcetype"); got != "<D:collection/><CR:addressbook/>" {
			t.Errorf("resourcetype %q", got)
		}
		fail := func(path, props string, status int, want string) {
			t.Helper()
			r := mkcol(path, props).want(t, status)
			root := parseXML(t, r.body)
			if short(root) != "D:mkcol-response" || !strings.Contains(inner(root), want) {
				t.Errorf("%s", r.body)
			}
			h.propfind(ann, path, "0", "D:displayname").want(t, 404)
		}
		const status403 = "<D:status>HTTP/1.1 403 Forbidden</D:status>"
		fail(annHome+"c/", `<D:resourcetype><D:collection/><CR:addressbook/></D:resourcetype><D:displayname>C</D:displayname>`, 403,
			"<D:propstat><D:prop><D:resourcetype/></D:prop>"+status403+"<D:error><CR:addressbook-collection-location-ok/></D:error></D:propstat>"+
				"<D:propstat><D:prop><D:displayname/></D:prop><D:status>HTTP/1.1 424 Failed Dependency</D:status></D:propstat>")
		fail(annHome+"c/", `<D:resourcetype><D:collection/><C:calendar/></D:resourcetype><D:getetag>x</D:getetag>`, 403, "<D:cannot-modify-protected-property/>")
		fail(annHome+"c/", `<D:resourcetype><D:collection/><C:calendar/></D:resourcetype><C:supported-calendar-component-set><C:comp name="X"/></C:supported-calendar-component-set>`, 409, "<C:supported-calendar-component/>")
		h.do(ann, "MKCOL", annBooks+"d/", "").refused(t, 403, "D:valid-resourcetype") // a plain collection
		mkcol("/elsewhere/", `<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>`).want(t, 403)
	})
}

// Decision 32: all-day times follow the zone of the calendar, also when it is
// set after they were stored.
func TestZoneOfCalendar(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(ann, annCalendar+"a.ics", strings.NewReplacer("DTSTART:2", "DTSTART;VALUE=DATE:2", "DTEND:2", "DTEND;VALUE=DATE:2").Replace(event("a", "20261103", "20261104", ""))).want(t, 201)
		busy := func(want string) {
			t.Helper()
			r := h.report(ann, annCalendar, `<C:free-busy-query><C:time-range start="20261101T000000Z" end="20261106T000000Z"/></C:free-busy-query>`).want(t, 200)
			if !strings.Contains(r.body, "FREEBUSY;FBTYPE=BUSY:"+want+"\r\n") {
				t.Errorf("not busy at %s: %s", want, r.body)
			}
		}
		busy("20261102T230000Z/P1D") // Berlin, ann's own
		h.proppatch(ann, annCalendar, `<D:set><D:prop><C:calendar-timezone-id>America/New_York</C:calendar-timezone-id></D:prop></D:set>`).row(t, annCalendar)
		if n, err := h.desk.WorkOnce(context.Background()); n != 1 || err != nil {
			t.Fatalf("%d jobs, %v", n, err)
		}
		busy("20261103T050000Z/P1D")
		equal(t, "query", names(t, h.report(ann, annCalendar, queryOf(`<C:comp-filter name="VEVENT"><C:time-range start="20261104T040000Z" end="20261104T043000Z"/></C:comp-filter>`, "D:getetag")), annCalendar), []string{"a.ics"})
		equal(t, "query", names(t, h.report(ann, annCalendar, queryOf(`<C:comp-filter name="VEVENT"><C:time-range start="20261102T233000Z" end="20261103T043000Z"/></C:comp-filter>`, "D:getetag")), annCalendar), []string{})
	})
}

// Every live property is told or told to be absent on every kind of resource,
// by name, by allprop and by propname.
func TestEveryProperty(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(ann, annCalendar+"m.ics", meeting("m", "20261203T100000Z", "20261203T110000Z", bob)).want(t, 201)
		notice := h.propfind(bob, bobHome+"inbox/", "1", "D:getetag").rows(t)[1].href
		h.do(bob, "PUT", "/dav/addressbooks/bob@example.org/contacts/c.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nFN:C\r\nN:C;;;;\r\nEND:VCARD\r\n", "Content-Type", "text/vcard").want(t, 201)
		h.do(bob, "MKCOL", bobHome+"files/", "").want(t, 201)
		h.do(bob, "PUT", bobHome+"files/f", "x", "Content-Type", "text/plain").want(t, 201)
		h.share(ann, annTasks, "mailto:"+bob, "read").want(t, 200)
		var ask strings.Builder
		for i := range table {
			fmt.Fprintf(&ask, `<%s xmlns="%s"/>`, table[i].name.Local, table[i].name.Space)
		}
		paths := map[kind]string{kRoot: "/dav/", kPrincipals: "/dav/principals/", kPrincipal: "/dav/principals/bob@example.org/", kProxy: bobPath + "calendar-proxy-read/", kCalendars: "/dav/calendars/", kCalendarHome: bobHome,
			kCalendar: bobCalendar, kInbox: bobHome + "inbox/", kOutbox: bobHome + "outbox/", kEvent: h.propfind(bob, bobCalendar, "1", "D:getetag").rows(t)[1].href, kNotice: notice,
			kBooks: "/dav/addressbooks/", kBookHome: "/dav/addressbooks/bob@example.org/", kBook: "/dav/addressbooks/bob@example.org/contacts/", kCard: "/dav/addressbooks/bob@example.org/contacts/c.vcf",
			kPlain: bobHome + "files/", kFile: bobHome + "files/f", kBox: bobBox, kTold: h.propfind(bob, bobBox, "1", "D:getetag").rows(t)[1].href, kDirectory: "/dav/directory/", kEntry: "/dav/directory/ann@example.org.vcf"}
		for k := kRoot; k <= kLast; k <<= 1 {
			path := paths[k]
			if path == "" {
				t.Fatalf("no resource of kind %d", k)
			}
			for _, what := range []string{"<D:prop>" + ask.String() + "</D:prop>", "<D:allprop/>", "<D:propname/>"} {
				for _, w := range h.do(bob, "PROPFIND", path, `<D:propfind xmlns:D="DAV:">`+what+`</D:propfind>`, "Depth", "1").rows(t) {
					found, absent := len(w.props["HTTP/1.1 200 OK"]), len(w.props["HTTP/1.1 404 Not Found"])
					if strings.HasPrefix(what, "<D:prop>") && found+absent != len(table) || found == 0 || len(w.props) > 2 {
						t.Errorf("%s asked for %.10s: %d found, %d absent of %d", w.href, what, found, absent, len(table))
					}
				}
			}
			// What the table promises for this kind is there, but for what a
			// resource may lack.
			may := map[string]bool{"C:calendar-timezone": true, "C:calendar-timezone-id": true, "C:schedule-tag": true, "D:group-member-set": true, "CS:first-name": true, "D:quota-available-bytes": true, "C:calendar-availability": true, "CS:calendar-availability": true,
				"CS:invite": true, "CS:shared-url": true, // of shared calendars
				"CS:auto-schedule": true, "CS:auto-schedule-mode": true} // of rooms alone
			for _, p := range table {
				if p.name.Space == seats.Space { // of rooms alone
					may[short(&dav.Element{Name: p.name})] = true
				}
			}
			w := h.do(bob, "PROPFIND", path, `<D:propfind xmlns:D="DAV:"><D:prop>`+ask.String()+`</D:prop></D:propfind>`, "Depth", "0").rows(t)[0]
			for i := range table {
				name := short(&dav.Element{Name: table[i].name})
				if has := w.has(name); has != (table[i].kinds&k != 0) && !may[name] {
					t.Errorf("%s: %s is there: %v", path, name, has)
				}
			}
		}
	})
}

// What one person may keep is bounded.
func TestBounds(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var many strings.Builder
		for i := range maxDead {
			fmt.Fprintf(&many, `<p%d xmlns="urn:x">1</p%d>`, i, i)
		}
		h.proppatch(ann, annCalendar, `<D:set><D:prop>`+many.String()+`</D:prop></D:set>`).row(t, annCalendar)
		h.proppatch(ann, annCalendar, `<D:set><D:prop><p0 xmlns="urn:x">2</p0></D:prop></D:set>`).want(t, 207) // one that is there
		h.proppatch(ann, annCalendar, `<D:set><D:prop><more xmlns="urn:x">1</more></D:prop></D:set>`).refused(t, 403, "D:quota-not-exceeded")
		err := h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
			p, err := tx.PrincipalByAddress(ann)
			for i := 0; i < maxCollections-4 && err == nil; i++ {
				err = tx.InsertCollection(&db.Collection{Owner: p.ID, Kind: db.Calendar, Name: fmt.Sprint("c", i), Components: "VEVENT"})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		h.do(ann, "MKCALENDAR", annHome+"more/", "").refused(t, 403, "D:quota-not-exceeded")
		many.WriteString(`<more xmlns="urn:x">1</more>`)
		h.do(bob, "MKCALENDAR", bobHome+"more/", `<C:mkcalendar`+namespaces+`><D:set><D:prop>`+many.String()+`</D:prop></D:set></C:mkcalendar>`).want(t, 207)
		h.do(bob, "MKCALENDAR", bobHome+"more/", "").want(t, 201)
		h.do(ann, "MKCALENDAR", annHome+strings.Repeat("x", maxSegment+1)+"/", "").want(t, 404)
	})
}

// A collection of objects has an entity tag: that of everything in it.
func TestCollectionETag(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		tag := func(path string) string {
			t.Helper()
			w := h.propfind(ann, path, "0", "D:getetag D:getcontenttype").row(t, path)
			if got := w.text("D:getcontenttype"); got != "httpd/unix-directory" {
				t.Errorf("%s: getcontenttype %s", path, got)
			}
			return w.text("D:getetag")
		}
		cal, tasks, book := tag(annCalendar), tag(annTasks), tag(annContacts)
		body := event("a", "20261102T100000Z", "20261102T110000Z", "")
		// RFC 4918 §10.4: a condition on the calendar around it.
		h.put(ann, annCalendar+"a.ics", body, "If", "<"+annCalendar+"> (["+tasks+"])").want(t, 412)
		h.put(ann, annCalendar+"a.ics", body, "If", "<"+annCalendar+"> (["+cal+"])").want(t, 201)
		h.putCard(ann, annContacts+"c.vcf", card("c", "C")).want(t, 201)
		if tag(annCalendar) == cal || tag(annContacts) == book || tag(annTasks) != tasks {
			t.Error("the tags do not tell what has changed")
		}
	})
}
