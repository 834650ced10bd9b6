package caldav

import (
	"fmt"
	"net/http"
	"regexp"
	"sort"
	"strings"
	"testing"
)

// telling is everything that an answer tells, the time aside.
func telling(r reply) string {
	var hs []string
	for k, v := range r.header {
		if k != "Date" {
			hs = append(hs, k+": "+strings.Join(v, ","))
		}
	}
	sort.Strings(hs)
	return fmt.Sprintf("%d\n%s\n%s", r.status, strings.Join(hs, "\n"), r.body)
}

// Nobody learns what another has: whatever is asked of another's resources,
// the answer is that about resources of a person who does not exist.
func TestPrivacy(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		// "none@example.org" is as long as "bob2@example.org", who is there.
		h.add(dbPerson("bob2@example.org"))
		const there, nobody = "bob2@example.org", "none@example.org"
		body := event("secret", "20261102T100000Z", "20261102T110000Z", "")
		h.put(there, "/dav/calendars/"+there+"/calendar/secret.ics", body).want(t, 201)
		h.seed(there, "inbox", "notice.ics", body)

		propfind := `<D:propfind` + namespaces + `><D:prop><D:displayname/><D:getetag/></D:prop></D:propfind>`
		multiget := `<C:calendar-multiget` + namespaces + `><D:prop><D:getetag/></D:prop><D:href>%s</D:href></C:calendar-multiget>`
		sync := `<D:sync-collection` + namespaces + `><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`
		patch := `<D:propertyupdate` + namespaces + `><D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set></D:propertyupdate>`
		requests := []struct {
			method, body string
			headers      []string
		}{
			{"OPTIONS", "", nil}, {"GET", "", nil}, {"HEAD", "", nil}, {"DELETE", "", nil}, {"MKCALENDAR", "", nil}, {"MKCOL", "", nil}, {"ACL", "", nil},
			{"PROPFIND", propfind, []string{"Depth", "0"}}, {"PROPFIND", propfind, []string{"Depth", "1"}}, {"PROPFIND", propfind, []string{"Depth", "infinity"}},
			{"PROPPATCH", patch, nil},
			{"PUT", body, []string{"Content-Type", "text/calendar"}},
			{"PUT", body, []string{"Content-Type", "text/calendar", "If-None-Match", "*"}},
			{"PUT", body, []string{"Content-Type", "text/calendar", "If-Match", "*"}},
			{"POST", body, []string{"Content-Type", "text/calendar"}},
			{"REPORT", sync, nil},
			{"REPORT", `<D:expand-property` + namespaces + `><D:property name="owner"/></D:expand-property>`, nil},
			{"COPY", "", []string{"Destination", annCalendar + "stolen.ics"}},
			{"MOVE", "", []string{"Destination", annCalendar + "stolen.ics"}},
			{"LOCK", "", nil},
		}
		for _, wing := range []string{"calendars", "addressbooks"} {
			for _, path := range []string{"", "calendar/", "calendar", "calendar/secret.ics", "calendar/none.ics", "inbox/", "inbox/notice.ics", "outbox/", "contacts/", "contacts/x.vcf", "none/", "none/x.ics"} {
				for _, q := range requests {
					mine := h.do(ann, q.method, "/dav/"+wing+"/"+there+"/"+path, q.body, q.headers...)
					none := h.do(ann, q.method, "/dav/"+wing+"/"+nobody+"/"+path, q.body, q.headers...)
					if a, b := strings.ReplaceAll(telling(mine), there, nobody), telling(none); a != b {
						t.Errorf("%s %s/%s:\n%s\ndiffers from\n%s", q.method, wing, path, a, b)
					}
					if mine.status < 400 {
						t.Errorf("%s %s/%s: %d", q.method, wing, path, mine.status)
					}
				}
			}
		}
		// By way of what names them: hrefs, Destination, expand.
		h.put(ann, annCalendar+"own.ics", event("own", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		for _, path := range []string{"calendar/secret.ics", "calendar/none.ics", "inbox/notice.ics", "calendar/"} {
			for _, q := range [][]string{
				{"REPORT", annCalendar, fmt.Sprintf(multiget, "/dav/calendars/%s/"+path)},
				{"COPY", annCalendar + "own.ics", "", "Destination", "/dav/calendars/%s/" + path},
				{"MOVE", annCalendar + "own.ics", "", "Destination", "/dav/calendars/%s/" + path, "Overwrite", "F"},
				{"PROPPATCH", annInbox, `<D:propertyupdate` + namespaces + `><D:set><D:prop><C:schedule-default-calendar-URL><D:href>/dav/calendars/%s/` + path + `</D:href></C:schedule-default-calendar-URL></D:prop></D:set></D:propertyupdate>`},
			} {
				ask := func(who string) reply {
					args := make([]string, len(q))
					for i := range q {
						args[i] = strings.ReplaceAll(q[i], "%s", who)
					}
					return h.do(ann, args[0], args[1], args[2], args[3:]...)
				}
				if a, b := strings.ReplaceAll(telling(ask(there)), there, nobody), telling(ask(nobody)); a != b {
					t.Errorf("%v:\n%s\ndiffers from\n%s", q, a, b)
				}
			}
		}
		if g := h.do(there, "GET", "/dav/calendars/"+there+"/calendar/secret.ics", "").want(t, http.StatusOK); g.body != body {
			t.Errorf("%q", g.body)
		}
		// The busy URL: nobody, and somebody who is not here, are not found alike.
		a := h.do(ann, "GET", "/freebusy/"+nobody, "").want(t, 404)
		b := h.do(ann, "GET", "/freebusy/not-an-address", "").want(t, 404)
		if telling(a) != telling(b) {
			t.Errorf("%s\ndiffers from\n%s", telling(a), telling(b))
		}
		// Without logging in, both get the same dummy.
		for _, more := range []string{"", ".ifb", "?token=wrong", "?start=20261101T000000Z"} {
			a, b := h.do("", "GET", "/freebusy/"+there+more, "").want(t, 200), h.do("", "GET", "/freebusy/"+nobody+more, "").want(t, 200)
			blind := func(r reply) string {
				return regexp.MustCompile("UID:[^\r]*").ReplaceAllString(telling(r), "")
			}
			if blind(a) != blind(b) || strings.Contains(a.body, "FREEBUSY;") {
				t.Errorf("%s\ndiffers from\n%s", telling(a), telling(b))
			}
		}
	})
}

// Who may see one calendar of a home does not learn which others there are.
func TestPrivacyBesideShared(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		// "tasks" is there and not shared, "tusks" is not.
		h.seed(ann, "tasks", "a.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:a\r\nDTSTAMP:20261101T000000Z\r\nEND:VTODO\r\nEND:VCALENDAR\r\n")
		h.acl(ann, annCalendar, aceFor(href(bobPath), "D:read D:write")).want(t, 200)
		h.put(bob, annCalendar+"own.ics", event("own", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		h.put(bob, bobCalendar+"mine.ics", event("mine", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		body := event("b", "20261102T100000Z", "20261102T110000Z", "")
		props := `<D:propfind` + namespaces + `><D:prop><D:displayname/></D:prop></D:propfind>`
		for _, q := range [][]string{
			{"OPTIONS", "%s", ""}, {"GET", "%s", ""}, {"GET", "%sa.ics", ""}, {"DELETE", "%s", ""}, {"DELETE", "%sa.ics", ""}, {"PUT", "%sb.ics", body, "Content-Type", "text/calendar"},
			{"PROPFIND", "%s", props, "Depth", "1"}, {"PROPFIND", "%sa.ics", props, "Depth", "0"}, {"ACL", "%s", ""}, {"MKCALENDAR", "%sin/", ""}, {"MKCOL", "%sin/", ""},
			{"COPY", "%sa.ics", "", "Destination", bobCalendar + "x.ics"}, {"MOVE", "%sa.ics", "", "Destination", bobCalendar + "x.ics"},
			{"COPY", annCalendar + "own.ics", "", "Destination", "%sx.ics"}, {"MOVE", annCalendar + "own.ics", "", "Destination", "%sx.ics"},
			{"COPY", bobCalendar + "mine.ics", "", "Destination", "%sa.ics", "Overwrite", "T"}, {"MOVE", bobCalendar + "mine.ics", "", "Destination", "%sa.ics", "Overwrite", "F"},
			{"REPORT", annCalendar, `<C:calendar-multiget` + namespaces + `><D:prop><D:getetag/></D:prop><D:href>%sa.ics</D:href></C:calendar-multiget>`},
		} {
			ask := func(name string) string {
				args := make([]string, len(q))
				for i := range q {
					args[i] = strings.ReplaceAll(q[i], "%s", annHome+name+"/")
				}
				r := h.do(bob, args[0], args[1], args[2], args[3:]...)
				if r.status < 400 && r.status != 207 {
					t.Errorf("%v: %d", q, r.status)
				}
				return strings.ReplaceAll(telling(r), name, "NAME")
			}
			if a, b := ask("tasks"), ask("tusks"); a != b {
				t.Errorf("%v:\n%s\ndiffers from\n%s", q, a, b)
			}
		}
		h.put(bob, annTasks+"b.ics", body).refused(t, 403, "D:need-privileges")
		h.do(bob, "COPY", annCalendar+"own.ics", "", "Destination", annHome+"tusks/x.ics").refused(t, 403, "D:need-privileges")
	})
}

// The same UID may stand in two people's calendars (decision 14).
func TestSameUIDTwice(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		body := event("imported", "20261102T100000Z", "20261102T110000Z", "")
		h.put(ann, annCalendar+"a.ics", body).want(t, 201)
		h.put(bob, bobCalendar+"b.ics", body).want(t, 201)
		h.do(ann, "DELETE", annCalendar+"a.ics", "").want(t, 204)
		h.do(bob, "GET", bobCalendar+"b.ics", "").want(t, 200)
	})
}
