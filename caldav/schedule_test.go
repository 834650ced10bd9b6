package caldav

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// meeting is an invitation from ann.
func meeting(uid, start, end string, attendees ...string) string {
	more := "ORGANIZER:mailto:ann@example.org\nATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.org\n"
	for _, a := range attendees {
		more += "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:" + a + "\n"
	}
	return event(uid, start, end, more)
}

// Whoever writes with a calendar program has one: what follows from his first
// request of all comes to his calendar, not by mail (decision 5).
func TestFirstRequest(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(ann, annCalendar+"m.ics", meeting("m", "20261203T100000Z", "20261203T110000Z", "room@example.org")).want(t, 201)
		err := h.store.View(t.Context(), func(tx *db.Tx) error {
			mails, err := tx.Deliveries(0, 10)
			if len(mails) != 0 {
				t.Errorf("%s to %s is mailed", mails[0].Method, mails[0].Rcpt)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// RFC 6638 §2.3: the inbox is searched as a calendar is; what does not tell
// when, as a REPLY need not, is always in the range.
func TestInboxQuery(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(ann, annCalendar+"m.ics", meeting("m", "20261203T100000Z", "20261203T110000Z", "out@example.net")).want(t, 201)
		h.put(bob, bobCalendar+"n.ics", strings.NewReplacer(ann, bob, "guest", ann).Replace(meeting("n", "20261204T100000Z", "20261204T110000Z", "guest"))).want(t, 201)
		reply, err := ics.Parse([]byte(strings.ReplaceAll("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//out//EN\nMETHOD:REPLY\nBEGIN:VEVENT\nUID:m\nDTSTAMP:20261101T120000Z\nSEQUENCE:0\n"+
			"ORGANIZER:mailto:ann@example.org\nATTENDEE;PARTSTAT=ACCEPTED:mailto:out@example.net\nEND:VEVENT\nEND:VCALENDAR\n", "\n", "\r\n")), ics.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var me db.Principal
		if err := h.store.View(t.Context(), func(tx *db.Tx) (err error) {
			me, err = tx.PrincipalByAddress(ann)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		v, err := h.desk.Deliver(t.Context(), scheduling.Deliver{Recipient: me, Address: cuaddr.Mailto(ann), Body: reply, From: cuaddr.Mailto("out@example.net"), Believed: scheduling.Proved, Act: true, Door: "lmtp"})
		if err != nil || !v.Applied {
			t.Fatalf("%+v %v", v, err)
		}
		test := func(from, to string, want ...string) {
			t.Helper()
			r := h.report(ann, annInbox, `<C:calendar-query><D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="`+from+`" end="`+to+`"/>`+
				`</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`)
			var got []string
			for _, w := range r.rows(t) {
				o, err := ics.Parse([]byte(w.text("C:calendar-data")), ics.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, o.Method())
			}
			slices.Sort(got)
			equal(t, from, got, want)
		}
		test("20300101T000000Z", "20300102T000000Z", "REPLY")
		test("20261204T000000Z", "20261205T000000Z", "REPLY", "REQUEST")
		h.report(ann, annInbox, `<C:free-busy-query><C:time-range start="20261204T000000Z" end="20261205T000000Z"/></C:free-busy-query>`).refused(t, 403, "D:supported-report")
	})
}

// An invitation goes round: RFC 6638 as two programs see it.
func TestMeeting(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const path = annCalendar + "m.ics"
		before := h.propfind(bob, bobHome, "0", "CS:getctag").rows(t)[0].text("CS:getctag")
		r := h.put(ann, path, meeting("m", "20261203T100000Z", "20261203T110000Z", bob), "If-None-Match", "*").want(t, 201)
		tag := r.header.Get("Schedule-Tag")
		if len(tag) < 3 || tag[0] != '"' {
			t.Errorf("Schedule-Tag %q", tag)
		}
		if r.header.Get("ETag") != "" {
			t.Error("an ETag although SCHEDULE-STATUS was written") // RFC 4791 §5.3.4
		}
		g := h.do(ann, "GET", path, "").want(t, 200)
		if g.header.Get("Schedule-Tag") != tag || !strings.Contains(strings.ReplaceAll(g.body, "\r\n ", ""), "SCHEDULE-STATUS=1.2") {
			t.Errorf("%v\n%s", g.header, g.body)
		}
		w := h.propfind(ann, path, "0", "C:schedule-tag").row(t, path)
		if w.text("C:schedule-tag") != tag {
			t.Errorf("%+v", w)
		}
		// Bob has it in his calendar and in his inbox; his home changed.
		if after := h.propfind(bob, bobHome, "0", "CS:getctag").rows(t)[0].text("CS:getctag"); after == before {
			t.Error("the ctag of the home did not change")
		}
		rows := h.propfind(bob, bobCalendar, "1", "D:getetag").rows(t)
		if len(rows) != 2 {
			t.Fatalf("%+v", rows)
		}
		copyAt := rows[1].href
		inbox := h.propfind(bob, bobHome+"inbox/", "1", "D:getetag D:getcontenttype").rows(t)
		if len(inbox) != 2 || inbox[1].text("D:getcontenttype") != "text/calendar;charset=utf-8" {
			t.Fatalf("%+v", inbox)
		}
		if m := h.do(bob, "GET", inbox[1].href, "").want(t, 200); !strings.Contains(m.body, "METHOD:REQUEST") {
			t.Errorf("%s", m.body)
		}
		equal(t, "inbox by query", len(h.report(bob, bobHome+"inbox/", queryOf(`<C:comp-filter name="VEVENT"><C:time-range start="20261203T000000Z" end="20261204T000000Z"/></C:comp-filter>`, "D:getetag"), "Depth", "1").rows(t)), 1)

		// He accepts as Apple's program does (clients.md fixture 17).
		mine := h.do(bob, "GET", copyAt, "").want(t, 200)
		accepted := strings.Replace(strings.ReplaceAll(mine.body, "\r\n ", ""), "PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED", 1)
		h.put(bob, copyAt, accepted, "If-Schedule-Tag-Match", `"other"`).want(t, 412)
		h.put(bob, copyAt, accepted, "If-Schedule-Tag-Match", "").want(t, 412) // empty: a resource without a tag
		h.put(bob, copyAt, accepted, "If-Schedule-Tag-Match", mine.header.Get("Schedule-Tag")).want(t, 204)
		h.do(bob, "DELETE", inbox[1].href, "").want(t, 204) // no decline
		g = h.do(ann, "GET", path, "").want(t, 200)
		if text := strings.ReplaceAll(g.body, "\r\n ", ""); !strings.Contains(text, "PARTSTAT=ACCEPTED;") && !strings.Contains(text, "PARTSTAT=ACCEPTED:mailto:bob") {
			t.Errorf("the organizer has not learned it: %s", text)
		}
		if g.header.Get("Schedule-Tag") != tag {
			t.Error("a reply changed the organizer's Schedule-Tag") // RFC 6638 §3.2.10
		}
		// An attendee may not move the meeting (RFC 6638 §3.2.4.4).
		mine = h.do(bob, "GET", copyAt, "").want(t, 200)
		h.put(bob, copyAt, strings.Replace(mine.body, "20261203T100000Z", "20261203T090000Z", 1)).refused(t, 403, "C:allowed-attendee-scheduling-object-change")
		// A second calendar cannot hold it (RFC 6638 §3.2.4.1).
		h.do(ann, "MKCALENDAR", annHome+"work/", "").want(t, 201)
		r = h.do(ann, "COPY", path, "", "Destination", annHome+"work/m.ics").refused(t, 403, "C:unique-scheduling-object-resource")
		if !strings.Contains(r.body, "<D:href>"+path+"</D:href>") {
			t.Errorf("%s", r.body)
		}
		// The organizer deletes: cancelled.
		h.do(ann, "DELETE", path, "").want(t, 204)
		if mine := h.do(bob, "GET", copyAt, ""); mine.status == 200 && !strings.Contains(mine.body, "STATUS:CANCELLED") {
			t.Errorf("%s", mine.body)
		}
	})
}

// RFC 6638 §8.1.
func TestScheduleReply(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, quiet := range []bool{false, true} {
			path := annCalendar + "m.ics"
			h.put(ann, path, meeting("m", "20261203T100000Z", "20261203T110000Z", bob)).want(t, 201)
			at := h.propfind(bob, bobCalendar, "1", "D:getetag").rows(t)[1].href
			mine := h.do(bob, "GET", at, "").want(t, 200)
			h.put(bob, at, strings.Replace(strings.ReplaceAll(mine.body, "\r\n ", ""), "PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED", 1)).want(t, 204)
			var headers []string
			if quiet {
				headers = []string{"Schedule-Reply", "F"}
			}
			h.do(bob, "DELETE", at, "", headers...).want(t, 204)
			g := h.do(ann, "GET", path, "").want(t, 200)
			if told := strings.Contains(g.body, "DECLINED"); told == quiet {
				t.Errorf("Schedule-Reply: F is %v, told is %v", quiet, told)
			}
			h.do(ann, "DELETE", path, "").want(t, 204)
		}
	})
}

// What a program brings from elsewhere is stored with the answers that it has, and told
// to nobody; what is here already cannot be changed so.
func TestImportHeader(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		body := strings.Replace(meeting("m", "20261203T100000Z", "20261203T110000Z", bob), "NEEDS-ACTION", "ACCEPTED", 1)
		quiet := []string{"X-NC-Disable-Scheduling", "true"}
		copies := func() int { return len(h.propfind(bob, bobCalendar, "1", "D:getetag").rows(t)) - 1 }
		h.put(ann, annCalendar+"m.ics", body, quiet...).want(t, 201)
		if n := copies(); n != 0 {
			t.Errorf("an import made %d copies", n)
		}
		if g := h.do(ann, "GET", annCalendar+"m.ics", "").want(t, 200); !strings.Contains(g.body, "PARTSTAT=ACCEPTED") || g.header.Get("Schedule-Tag") == "" {
			t.Errorf("what was brought: %v\n%s", g.header, g.body)
		}
		h.put(ann, annCalendar+"m.ics", strings.Replace(body, "SUMMARY:m", "SUMMARY:n", 1), quiet...).want(t, 204)
		if n := copies(); n != 1 {
			t.Errorf("a change after it made %d copies", n)
		}
		h.put(ann, annCalendar+"other.ics", meeting("o", "20261203T100000Z", "20261203T110000Z", bob), "X-NC-Disable-Scheduling", "false").want(t, 201)
		if n := copies(); n != 2 {
			t.Errorf("a new meeting made %d copies in all", n)
		}
	})
}

// A question about busy time (clients.md fixture 15), and RFC 6638 appendix
// B.5's shape of the answer.
func TestOutbox(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(bob, bobCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		h.put(bob, bobCalendar+"b.ics", event("b", "20261102T130000Z", "20261102T140000Z", "STATUS:TENTATIVE")).want(t, 201)
		ask := func(more, mask string) string {
			return lines("BEGIN:VCALENDAR", "VERSION:2.0", "METHOD:REQUEST", "PRODID:-//t", "BEGIN:VFREEBUSY", "UID:F1", "DTEND:20261103T000000Z",
				more, "DTSTART:20261102T000000Z", mask, "DTSTAMP:20261101T000000Z", "ORGANIZER:mailto:ann@example.org", "END:VFREEBUSY", "END:VCALENDAR")
		}
		post := func(path, body string) reply {
			t.Helper()
			return h.do(ann, "POST", path, body, "Content-Type", `text/calendar; charset="utf-8"`, "Originator", "mailto:ann@example.org", "Recipient", "mailto:bob@example.org, mailto:nobody@example.org")
		}
		whom := "ATTENDEE;CN=Bob B;RSVP=TRUE:MAILTO:Bob@Example.org\nATTENDEE:mailto:nobody@example.org\nATTENDEE:mailto:ann@example.org"
		for _, path := range []string{annOutbox, annInbox} { // Kontact posts to the inbox
			r := post(path, ask(whom, "")).want(t, 200)
			if !strings.HasPrefix(r.header.Get("Content-Type"), "application/xml") {
				t.Errorf("%v", r.header)
			}
			root := parseXML(t, r.body)
			if short(root) != "C:schedule-response" {
				t.Fatalf("%s", r.body)
			}
			var got [][3]string
			for _, e := range root.Children() {
				w := [3]string{}
				for _, c := range e.Children() {
					switch short(c) {
					case "C:recipient":
						w[0] = inner(c)
					case "C:request-status":
						w[1] = c.Text()
					case "C:calendar-data":
						w[2] = c.Text()
					}
				}
				got = append(got, w)
			}
			if len(got) != 3 {
				t.Fatalf("%s", r.body)
			}
			// The spelling of the request, in its order.
			equal(t, "recipients", []string{got[0][0], got[1][0], got[2][0]},
				[]string{"<D:href>MAILTO:Bob@Example.org</D:href>", "<D:href>mailto:nobody@example.org</D:href>", "<D:href>mailto:ann@example.org</D:href>"})
			equal(t, "statuses", []string{got[0][1], got[1][1], got[2][1]}, []string{"2.0;Success", "3.7;Invalid calendar user", "2.0;Success"})
			for _, want := range []string{"METHOD:REPLY\n", "UID:F1\n", "DTSTART:20261102T000000Z\n", "DTEND:20261103T000000Z\n", "ORGANIZER:mailto:ann@example.org\n",
				"ATTENDEE;CN=\"Bob B\":MAILTO:Bob@Example.org\n", "FREEBUSY;FBTYPE=BUSY:20261102T100000Z/PT1H\n", "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20261102T130000Z/PT1H\n"} {
				if !strings.Contains(got[0][2], want) {
					t.Errorf("no %q in %s", want, got[0][2])
				}
			}
			if got[1][2] != "" {
				t.Error("calendar-data about nobody")
			}
		}
		// Apple's program leaves the meeting that it edits out; nobody can ask
		// so about what is not his (caldav maskuids §6).
		h.put(ann, annCalendar+"m.ics", meeting("m", "20261102T150000Z", "20261102T160000Z", bob)).want(t, 201)
		if r := post(annOutbox, ask(whom, "X-CALENDARSERVER-MASK-UID:m")).want(t, 200); strings.Contains(r.body, "20261102T150000Z") {
			t.Errorf("%s", r.body)
		}
		if r := post(annOutbox, ask(whom, "X-CALENDARSERVER-MASK-UID:a")).want(t, 200); !strings.Contains(r.body, "20261102T100000Z") || !strings.Contains(r.body, "20261102T150000Z") {
			t.Errorf("%s", r.body)
		}
		// RFC 6638 §5.2.
		h.do(ann, "POST", annOutbox, ask(whom, ""), "Content-Type", "text/plain").refused(t, 403, "C:supported-calendar-data")
		h.do(ann, "POST", annOutbox, ask(whom, "")).refused(t, 403, "C:supported-calendar-data")
		post(annOutbox, "hello").refused(t, 403, "C:valid-calendar-data")
		post(annOutbox, ask("", "")).refused(t, 400, "C:valid-scheduling-message")
		post(annOutbox, strings.Replace(ask(whom, ""), "METHOD:REQUEST", "METHOD:REPLY", 1)).refused(t, 400, "C:valid-scheduling-message")
		post(annOutbox, strings.Replace(ask(whom, ""), "DTSTART:20261102T000000Z", "DTSTART:20261102T000000", 1)).refused(t, 400, "C:valid-scheduling-message")
		post(annOutbox, strings.Replace(ask(whom, ""), "DTSTART:20261102", "DTSTART:19261102", 1)).refused(t, 400, "C:valid-scheduling-message")
		// The table of RFC 5546 §3.3.2; what changes nothing may be there.
		post(annOutbox, strings.Replace(ask(whom, ""), "UID:F1\r\n", "", 1)).refused(t, 400, "C:valid-scheduling-message")
		post(annOutbox, ask(whom, "DTSTAMP:20260101T000000Z")).refused(t, 400, "C:valid-scheduling-message")
		for _, line := range []string{"FREEBUSY:20261102T100000Z/PT1H", "DURATION:P1D", "REQUEST-STATUS:2.0;Success", "URL:https://example.org/"} {
			post(annOutbox, ask(whom, line)).refused(t, 400, "C:valid-scheduling-message")
		}
		post(annOutbox, ask(whom, "SUMMARY:Lunch")).want(t, 200)
		post(annOutbox, strings.Replace(ask(whom, ""), "ORGANIZER:mailto:ann@", "ORGANIZER:mailto:bob@", 1)).refused(t, 403, "C:valid-organizer")
		post(annOutbox, strings.Replace(ask(whom, ""), "ORGANIZER:mailto:ann@example.org\r\n", "", 1)).refused(t, 403, "C:valid-organizer")
		post(annOutbox, strings.Replace(ask(whom, ""), "ORGANIZER:mailto:ann@example.org", "ORGANIZER:/dav/principals/ann@example.org/", 1)).want(t, 200)
		post(bobHome+"outbox/", ask(whom, "")).refused(t, 403, "D:need-privileges")
		post(annCalendar, ask(whom, "")).want(t, 405)
	})
}

// A plain GET of busy time, as Outlook asks for it.
func TestFreeBusyURL(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(bob, bobCalendar+"a.ics", event("a", "20261103T100000Z", "20261103T110000Z", "")).want(t, 201)
		r := h.do(ann, "GET", "/freebusy/bob%40example.org", "").want(t, 200)
		if !strings.HasPrefix(r.header.Get("Content-Type"), "text/calendar") {
			t.Errorf("%v", r.header)
		}
		for _, want := range []string{"BEGIN:VFREEBUSY\r\n", "DTSTART:20261102T000000Z\r\n", "DTEND:20270101T000000Z\r\n", "FREEBUSY;FBTYPE=BUSY:20261103T100000Z/PT1H\r\n"} {
			if !strings.Contains(r.body, want) {
				t.Errorf("no %q in %s", want, r.body)
			}
		}
		if strings.Contains(r.body, "SUMMARY") || strings.Contains(r.body, "UID:a\r\n") {
			t.Errorf("it tells more than busy time: %s", r.body)
		}
		r = h.do(ann, "GET", "/freebusy/"+bob+"?start=20261201T000000Z&end=20261202T000000Z", "").want(t, 200)
		if strings.Contains(r.body, "FREEBUSY;") || !strings.Contains(r.body, "DTEND:20261202T000000Z\r\n") {
			t.Errorf("%s", r.body)
		}
		h.do(ann, "GET", "/freebusy/"+bob+"?start=x", "").want(t, 400)
		h.do(ann, "POST", "/freebusy/"+bob, "").want(t, 405)
		h.do(ann, "GET", "/freebusy/", "").want(t, 404)
		h.do(ann, "GET", "/freebusy/nobody@example.org", "").want(t, 404)

		for query, want := range map[string]string{
			"?start=20261103T000000Z&period=P1D": "DTEND:20261104T000000Z", "?period=P7D": "DTEND:20261109T000000Z",
			"?start=2026-11-03T01:00:00%2B01:00&end=2026-11-04T00:00:00Z": "DTSTART:20261103T000000Z", "?start=2026-11-03T01:00:00+01:00": "DTSTART:20261103T000000Z",
		} {
			if r := h.do(ann, "GET", "/freebusy/"+bob+".vfb"+query, "").want(t, 200); !strings.Contains(r.body, want+"\r\n") || !strings.Contains(r.body, "20261103T100000Z/PT1H") {
				t.Errorf("%s: %s", query, r.body)
			}
		}
		h.do(ann, "GET", "/freebusy/"+bob+"?period=soon", "").want(t, 400)
		h.do(ann, "GET", "/freebusy/"+bob+"?period=P99999D", "").want(t, 400)
		h.do(ann, "HEAD", "/freebusy/"+bob, "").want(t, 200)

		// The ending that programs put there; and what is told again is not sent
		// again, until it changes.
		ifb := h.do(ann, "GET", "/freebusy/"+bob+".ifb", "").want(t, 200)
		tag := ifb.header.Get("ETag")
		if tag == "" || ifb.header.Get("Cache-Control") != "private, no-cache" {
			t.Errorf("%v", ifb.header)
		}
		h.do(ann, "GET", "/freebusy/"+bob+".ifb", "", "If-None-Match", tag).want(t, 304)
		h.put(bob, bobCalendar+"b.ics", event("b", "20261103T120000Z", "20261103T130000Z", "")).want(t, 201)
		h.do(ann, "GET", "/freebusy/"+bob+".ifb", "", "If-None-Match", tag).want(t, 200)
	})
}

// What is told to whoever has not logged in: with a token, or of those who
// publish what they share.
func TestFreeBusyURLWithoutLogin(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(bob, bobCalendar+"a.ics", event("a", "20261103T100000Z", "20261103T110000Z", "")).want(t, 201)
		prefer := func(name, value string) {
			t.Helper()
			if err := h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
				p, err := tx.PrincipalByAddress(bob)
				if err != nil {
					return err
				}
				return directory.SetPreference(tx, p.ID, name, value)
			}); err != nil {
				t.Fatal(err)
			}
		}
		tells := func(query string, want bool) {
			t.Helper()
			r := h.do("", "GET", "/freebusy/"+bob+query, "").want(t, 200)
			if strings.Contains(r.body, "20261103T100000Z/PT1H") != want || (r.header.Get("WWW-Authenticate") == "") != want || !strings.Contains(r.body, "BEGIN:VFREEBUSY") {
				t.Errorf("%q: %v\n%s", query, r.header, r.body)
			}
			if !want && (strings.Contains(r.body, "FREEBUSY;") || !strings.Contains(r.body, "DTEND:19700101T000001Z")) {
				t.Errorf("the dummy tells something: %s", r.body)
			}
		}
		tells("", false)
		prefer(directory.FreeBusyToken, "sesame")
		tells("", false)
		tells("?token=", false)
		tells("?token=sesam", false)
		tells("?token=sesame", true)
		tells(".ifb?token=sesame&start=20261103T000000Z&end=20261104T000000Z", true)
		prefer(directory.FreeBusyToken, "")
		tells("?token=sesame", false)
		tells("?token=", false)
		prefer(directory.FreeBusyPublishing, "publish")
		tells("", false) // he does not share with those outside
		prefer(directory.FreeBusySharing, "share")
		tells("", true)
		prefer(directory.FreeBusySharing, "no")
		tells("", false)
		h.do(ann, "GET", "/freebusy/"+bob, "").want(t, 404)
		h.do("", "GET", "/freebusy/"+bob+"?start=20261103T000000Z&end=20401104T000000Z", "").want(t, 403)
		h.do("", "POST", "/freebusy/"+bob, "").want(t, 401)
		h.do("", "GET", "/freebusy/"+bob+"/more", "").want(t, 401)
		// Who shows a password is somebody, or is asked again.
		if r := h.do("nobody@example.org", "GET", "/freebusy/"+bob, "").want(t, 401); r.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%v", r.header)
		}
	})
}

// When somebody can be met at all: a property of the inbox, or objects in a
// calendar (RFC 7953 §7.2).
func TestAvailability(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		object := func(uid, more string) string {
			return lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t", "BEGIN:VAVAILABILITY", "UID:"+uid, "DTSTAMP:20261101T000000Z", more,
				"BEGIN:AVAILABLE", "UID:"+uid+"-1", "DTSTAMP:20261101T000000Z", "SUMMARY:office & home", "DTSTART;TZID=Europe/Vienna:20261101T090000", "DTEND;TZID=Europe/Vienna:20261101T170000",
				"RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "END:AVAILABLE", "END:VAVAILABILITY", "END:VCALENDAR")
		}
		set := func(path, text string) reply {
			t.Helper()
			return h.do(bob, "PROPPATCH", path, `<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop><C:calendar-availability>`+
				strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(text)+`</C:calendar-availability></D:prop></D:set></D:propertyupdate>`)
		}
		free := func(want ...string) {
			t.Helper()
			r := h.do(ann, "GET", "/freebusy/"+bob+"?start=20261102T000000Z&end=20261103T000000Z", "").want(t, 200)
			var got []string
			for _, l := range strings.Split(strings.ReplaceAll(r.body, "\r\n ", ""), "\r\n") {
				if strings.HasPrefix(l, "FREEBUSY;") {
					got = append(got, strings.TrimPrefix(l, "FREEBUSY;FBTYPE="))
				}
			}
			equal(t, "busy", got, want)
			if strings.Contains(r.body, "office") { // RFC 7953 §9
				t.Errorf("it tells more than when: %s", r.body)
			}
		}
		free()
		// Under the name of the draft, which older programs of Apple's know.
		const alias = `<CS:calendar-availability xmlns:CS="http://calendarserver.org/ns/">`
		h.do(bob, "PROPPATCH", bobHome+"inbox/", `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>`+alias+`hello</CS:calendar-availability></D:prop></D:set></D:propertyupdate>`).want(t, 207)
		equal(t, "the property", h.propfind(bob, bobHome+"inbox/", "0", "CS:calendar-availability").rows(t)[0].lacks("CS:calendar-availability"), true)
		h.do(bob, "PROPPATCH", bobHome+"inbox/", `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>`+alias+strings.ReplaceAll(object("0", ""), "&", "&amp;")+`</CS:calendar-availability></D:prop></D:set></D:propertyupdate>`).want(t, 207)
		free("BUSY-UNAVAILABLE:20261102T000000Z/20261102T080000Z,20261102T160000Z/20261103T000000Z")
		equal(t, "the property", h.propfind(bob, bobHome+"inbox/", "0", "CS:calendar-availability").rows(t)[0].text("CS:calendar-availability"),
			h.propfind(bob, bobHome+"inbox/", "0", "C:calendar-availability").rows(t)[0].text("C:calendar-availability"))
		if r := set(bobHome+"inbox/", object("1", "")).want(t, 207); !strings.Contains(r.body, "200 OK") {
			t.Fatal(r.body)
		}
		free("BUSY-UNAVAILABLE:20261102T000000Z/20261102T080000Z,20261102T160000Z/20261103T000000Z")
		equal(t, "the property", h.propfind(bob, bobHome+"inbox/", "0", "C:calendar-availability").rows(t)[0].text("C:calendar-availability"),
			strings.TrimSpace(strings.ReplaceAll(object("1", ""), "\r\n", "\n")))

		refuse := func(text, cond string) {
			t.Helper()
			if r := set(bobHome+"inbox/", text).want(t, 207); !strings.Contains(r.body, "403") || !strings.Contains(r.body, cond) {
				t.Errorf("want %s in %s", cond, r.body)
			}
		}
		refuse("hello", "valid-calendar-data")
		refuse(event("x", "20261102T100000Z", "20261102T110000Z", ""), "valid-calendar-object-resource")
		refuse(object("1", "DTSTART:20261102T100000"), "valid-calendar-object-resource")
		refuse(strings.Replace(object("1", ""), "VERSION:2.0", "VERSION:2.0\r\nMETHOD:PUBLISH", 1), "valid-calendar-object-resource")
		refuse(object("1", "DESCRIPTION:"+strings.Repeat("x", 70_000)), "max-resource-size")
		refuse(strings.NewReplacer("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "FREQ=SECONDLY", "20261101T170000", "20261101T090001").Replace(object("1", "")), "max-instances")
		if r := set(bobCalendar, object("1", "")).want(t, 207); !strings.Contains(r.body, "cannot-modify-protected-property") {
			t.Errorf("on a calendar: %s", r.body)
		}
		free("BUSY-UNAVAILABLE:20261102T000000Z/20261102T080000Z,20261102T160000Z/20261103T000000Z")

		// As an object, in a calendar that takes them; a higher priority hides
		// what the inbox says.
		h.put(bob, bobCalendar+"v.ics", object("2", "")).refused(t, 403, "C:supported-calendar-component")
		h.do(bob, "MKCALENDAR", bobHome+"hours/", "").want(t, 201)
		h.put(bob, bobHome+"hours/v.ics", object("2", "PRIORITY:1\r\nBUSYTYPE:BUSY\r\nDTSTART:20261102T100000Z\r\nDTEND:20261102T200000Z")).want(t, 201)
		h.put(bob, bobHome+"hours/w.ics", object("3", "DTEND:20261102T200000")).refused(t, 403, "C:valid-calendar-object-resource")
		free("BUSY:20261102T160000Z/PT4H", "BUSY-UNAVAILABLE:20261102T000000Z/20261102T080000Z,20261102T200000Z/20261103T000000Z")
		// The report about one calendar knows what lies in it.
		r := h.report(bob, bobHome+"hours/", `<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="20261102T000000Z" end="20261103T000000Z"/></C:free-busy-query>`, "Depth", "1").want(t, 200)
		if !strings.Contains(r.body, "FREEBUSY;FBTYPE=BUSY:20261102T160000Z/PT4H\r\n") || strings.Contains(r.body, "UNAVAILABLE") {
			t.Errorf("%s", r.body)
		}
		h.do(bob, "DELETE", bobHome+"hours/v.ics", "").want(t, 204)
		h.do(bob, "PROPPATCH", bobHome+"inbox/", `<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:remove><D:prop><C:calendar-availability/></D:prop></D:remove></D:propertyupdate>`).want(t, 207)
		free()
		if r := h.propfind(bob, bobHome+"inbox/", "0", "C:calendar-availability"); !strings.Contains(r.body, "404 Not Found") {
			t.Errorf("%s", r.body)
		}
		if r := h.do(bob, "OPTIONS", bobHome, ""); !strings.Contains(r.header.Get("DAV"), "calendar-availability") { // RFC 7953 §7.2.1
			t.Errorf("%v", r.header)
		}
	})
}

// What fills somebody's time is told to those who may see it and ask (Apple's
// X-CALENDARSERVER-EXTENDED-FREEBUSY).
func TestRichFreeBusy(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(bob, bobCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "LOCATION:Main Street\r\nRRULE:FREQ=DAILY\r\nDESCRIPTION:long")).want(t, 201)
		h.put(bob, bobCalendar+"b.ics", event("b", "20261102T130000Z", "20261102T140000Z", "CLASS:PRIVATE")).want(t, 201)
		ask := func(extended string) string {
			t.Helper()
			r := h.do(ann, "POST", annOutbox, lines("BEGIN:VCALENDAR", "VERSION:2.0", "METHOD:REQUEST", "PRODID:-//t", "BEGIN:VFREEBUSY", "UID:F1", "DTSTAMP:20261101T000000Z",
				"DTSTART:20261102T000000Z", "DTEND:20261104T000000Z", "ORGANIZER:mailto:ann@example.org", "ATTENDEE:mailto:bob@example.org", extended, "END:VFREEBUSY", "END:VCALENDAR"),
				"Content-Type", "text/calendar").want(t, 200)
			return strings.ReplaceAll(r.body, "\r", "")
		}
		const extended = "X-CALENDARSERVER-EXTENDED-FREEBUSY:T"
		none := func(body string) {
			t.Helper()
			if strings.Contains(body, "VEVENT") || strings.Contains(body, "Main Street") || !strings.Contains(body, "FREEBUSY;FBTYPE=BUSY:20261102T100000Z/PT1H") {
				t.Errorf("%s", body)
			}
		}
		none(ask(extended)) // she may not see it
		prefer := func(name, value string) {
			t.Helper()
			if err := h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
				p, err := tx.PrincipalByAddress(bob)
				if err != nil {
					return err
				}
				return directory.SetPreference(tx, p.ID, name, value)
			}); err != nil {
				t.Fatal(err)
			}
		}
		prefer(directory.FreeBusyDetails, "cem@example.org ANN@example.org")
		none(ask("")) // she did not ask
		for _, sharing := range []string{"", "no"} {
			prefer(directory.FreeBusySharing, sharing)
			body := ask(extended)
			equal(t, "events", strings.Count(body, "BEGIN:VEVENT"), 3)
			for _, want := range []string{"UID:a\n", "SUMMARY:a\n", "LOCATION:Main Street\n", "DTSTART:20261103T100000Z\nDTEND:20261103T110000Z\n", "CLASS:PRIVATE\n", "FREEBUSY;FBTYPE=BUSY:20261102T100000Z/PT1H"} {
				if !strings.Contains(body, want) {
					t.Errorf("no %q in %s", want, body)
				}
			}
			if strings.Contains(body, "SUMMARY:b") || strings.Contains(body, "DESCRIPTION") {
				t.Errorf("it tells too much: %s", body)
			}
		}
	})
}

// The busy time of somebody outside is read where a card says that it is
// published (decision 27), in the background: for whose card it is, and no
// longer than the card says so.
func TestFreeBusyOfCard(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const book = "/dav/addressbooks/ann@example.org/contacts/"
		card := func(more string) string {
			return lines("BEGIN:VCARD", "VERSION:3.0", "UID:c", "FN:Cem", "N:Cem;;;;", "EMAIL;TYPE=work:Cem@example.com", "EMAIL:cem2@example.com", more, "END:VCARD")
		}
		ask := func(who string) string {
			t.Helper()
			r := h.do(who, "POST", "/dav/calendars/"+who+"/outbox/", lines("BEGIN:VCALENDAR", "VERSION:2.0", "METHOD:REQUEST", "PRODID:-//t", "BEGIN:VFREEBUSY", "UID:F1", "DTSTAMP:20261101T000000Z",
				"DTSTART:20261102T000000Z", "DTEND:20261110T000000Z", "ORGANIZER:mailto:"+who, "ATTENDEE:mailto:cem@example.com", "END:VFREEBUSY", "END:VCALENDAR"),
				"Content-Type", "text/calendar").want(t, 200)
			return strings.ReplaceAll(r.body, "\r", "")
		}
		unknown := func(who string) {
			t.Helper()
			if body := ask(who); !strings.Contains(body, "3.7;") || strings.Contains(body, "calendar-data") {
				t.Errorf("%s", body)
			}
		}
		due := func() (feeds []db.Feed) {
			t.Helper()
			if err := h.store.Write(context.Background(), nil, func(tx *db.Tx) (err error) {
				feeds, err = tx.ClaimFeeds(10, time.Minute)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return feeds
		}
		unknown(ann)
		h.do(ann, "PUT", book+"c.vcf", card("FBURL:https://example.com/cem.ifb"), "Content-Type", "text/vcard").want(t, 201)
		unknown(ann) // not in the request
		feeds := due()
		if len(feeds) != 1 || feeds[0].URL != "https://example.com/cem.ifb" {
			t.Fatalf("%+v", feeds)
		}
		found := func(at time.Time) {
			t.Helper()
			f := feeds[0]
			f.Due, f.Fetched, f.Data = time.Time{}, at, []byte(lines("BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VFREEBUSY", "DTSTART:20261101T000000Z", "DTEND:20261105T000000Z",
				"FREEBUSY:20261102T100000Z/20261102T110000Z", "END:VFREEBUSY", "END:VCALENDAR"))
			if err := h.store.Write(context.Background(), nil, func(tx *db.Tx) error { return tx.PutFeed(f) }); err != nil {
				t.Fatal(err)
			}
		}
		now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
		found(now)
		body := ask(ann)
		for _, want := range []string{"2.0;Success", "DTSTART:20261102T000000Z\n", "DTEND:20261105T000000Z\n", "FREEBUSY;FBTYPE=BUSY:20261102T100000Z/PT1H"} {
			if !strings.Contains(body, want) {
				t.Errorf("no %q in %s", want, body)
			}
		}
		unknown(bob) // it is not his card
		if n := len(due()); n != 0 {
			t.Errorf("%d are due though what is known is new", n)
		}
		found(now.Add(-time.Hour)) // old: told, and looked at again
		if body := ask(ann); !strings.Contains(body, "2.0;Success") {
			t.Error(body)
		}
		if n := len(due()); n != 1 {
			t.Errorf("%d are due", n)
		}
		h.do(ann, "PUT", book+"c.vcf", card("FBURL:ftp://example.com/cem.ifb"), "Content-Type", "text/vcard").want(t, 204)
		unknown(ann)
		h.do(ann, "PUT", book+"c.vcf", card("FBURL:https://example.com/cem.ifb"), "Content-Type", "text/vcard").want(t, 204)
		if body := ask(ann); !strings.Contains(body, "2.0;Success") {
			t.Error(body)
		}
		h.do(ann, "DELETE", book+"c.vcf", "").want(t, 204)
		unknown(ann)
	})
}

// Entries decide who may ask about somebody, in whose name, and who sees what
// fills his time (RFC 6638 §6.1, §6.2; RFC 4791 §6.1.1).
func TestFreeBusyPrivileges(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(bob, bobCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		ask := func(who, outbox, organizer, extended string) reply {
			t.Helper()
			return h.do(who, "POST", outbox, lines("BEGIN:VCALENDAR", "VERSION:2.0", "METHOD:REQUEST", "PRODID:-//t", "BEGIN:VFREEBUSY", "UID:F1", "DTSTAMP:20261101T000000Z",
				"DTSTART:20261102T000000Z", "DTEND:20261104T000000Z", "ORGANIZER:mailto:"+organizer, "ATTENDEE:mailto:bob@example.org", extended, "END:VFREEBUSY", "END:VCALENDAR"),
				"Content-Type", "text/calendar")
		}
		status := func(r reply, want string) {
			t.Helper()
			if r.want(t, 200); !strings.Contains(r.body, "<C:request-status>"+want) || (want == "2.0") != strings.Contains(r.body, "calendar-data") {
				t.Errorf("want %s: %s", want, r.body)
			}
		}
		const rich = "X-CALENDARSERVER-EXTENDED-FREEBUSY:T"
		status(ask(ann, annOutbox, ann, ""), "2.0")
		// Whoever has set entries on his inbox is asked by those whom they name.
		h.acl(bob, bobHome+"inbox/", aceFor(href("/dav/principals/cem@example.org/"), "C:schedule-deliver")).want(t, 403) // nobody
		h.acl(bob, bobHome+"inbox/", aceFor(href(annPath), "C:schedule-deliver-invite")).want(t, 200)
		status(ask(ann, annOutbox, ann, ""), "3.8")
		status(ask(bob, bobHome+"outbox/", bob, ""), "2.0")
		h.acl(bob, bobHome+"inbox/", aceFor(href(annPath), "C:schedule-query-freebusy")).want(t, 200)
		status(ask(ann, annOutbox, ann, ""), "2.0")
		h.acl(bob, bobHome+"inbox/", "").want(t, 200) // nobody
		status(ask(ann, annOutbox, ann, ""), "3.8")
		h.acl(bob, bobHome+"inbox/", aceFor("<D:authenticated/>", "C:schedule-deliver")).want(t, 200)
		status(ask(ann, annOutbox, ann, ""), "2.0")

		// Who may read a calendar sees what is in it.
		if r := ask(ann, annOutbox, ann, rich); strings.Contains(r.body, "VEVENT") {
			t.Errorf("%s", r.body)
		}
		h.acl(bob, bobCalendar, aceFor(href(annPath), "C:read-free-busy")).want(t, 200)
		if r := ask(ann, annOutbox, ann, rich); strings.Contains(r.body, "VEVENT") {
			t.Errorf("%s", r.body)
		}
		h.acl(bob, bobCalendar, aceFor(href(annPath), "D:read")).want(t, 200)
		if r := ask(ann, annOutbox, ann, rich); !strings.Contains(r.body, "BEGIN:VEVENT") || !strings.Contains(r.body, "UID:a") {
			t.Errorf("%s", r.body)
		}

		// In another's name asks who may send through his outbox.
		if r := ask(ann, bobHome+"outbox/", bob, ""); r.status != 403 && r.status != 404 {
			t.Errorf("%d", r.status)
		}
		h.acl(bob, bobHome+"outbox/", aceFor(href(annPath), "D:read C:schedule-send-freebusy")).want(t, 200)
		status(ask(ann, bobHome+"outbox/", bob, ""), "2.0")
		ask(ann, bobHome+"outbox/", ann, "").refused(t, 403, "C:valid-organizer")
	})
}

// Five hundred in one request; of more one is told so (RFC 6638 §5).
func TestOutboxOfMany(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(bob, bobCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		ask := func(n int) reply {
			var whom []string
			for i := range n {
				whom = append(whom, fmt.Sprintf("ATTENDEE:mailto:nobody%d@example.org", i))
			}
			whom[n/2] = "ATTENDEE:mailto:bob@example.org"
			return h.do(ann, "POST", annOutbox, lines("BEGIN:VCALENDAR", "VERSION:2.0", "METHOD:REQUEST", "PRODID:-//t", "BEGIN:VFREEBUSY", "UID:F1", "DTSTAMP:20261101T000000Z",
				"DTSTART:20261102T000000Z", "DTEND:20261104T000000Z", "ORGANIZER:mailto:ann@example.org", strings.Join(whom, "\r\n"), "END:VFREEBUSY", "END:VCALENDAR"), "Content-Type", "text/calendar")
		}
		r := ask(500).want(t, 200)
		equal(t, "responses", strings.Count(r.body, "<C:response>"), 500)
		equal(t, "unknown", strings.Count(r.body, "3.7;Invalid calendar user"), 499)
		equal(t, "busy", strings.Count(r.body, "20261102T100000Z/PT1H"), 1)
		r = ask(501).want(t, 200)
		equal(t, "unavailable", strings.Count(r.body, "<D:href>mailto:nobody500@example.org</D:href></C:recipient><C:request-status>5.1;Service unavailable</C:request-status></C:response>"), 1)
		equal(t, "unknown", strings.Count(r.body, "3.7;Invalid calendar user"), 499)
	})
}
