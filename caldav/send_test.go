package caldav

import (
	"slices"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
)

// RFC 6638 §6.2: who may write in another's calendar sends messages in the
// owner's name only if the owner's outbox lets him, each kind by a privilege of
// its own; what is refused changes nothing and tells nobody.
func TestScheduleSend(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const eve, eveCalendar, annOutbox = "eve@example.org", "/dav/calendars/eve@example.org/calendar/", annHome + "outbox/"
		h.add(dbPerson(eve))
		missing := func(r reply, privilege string) {
			t.Helper()
			r.refused(t, 403, "D:need-privileges")
			if want := "<D:href>" + annOutbox + "</D:href><D:privilege><" + privilege + "/></D:privilege>"; !strings.Contains(r.body, want) {
				t.Errorf("%s: not %s", r.body, want)
			}
		}
		grant := func(privileges string) {
			t.Helper()
			aces := ""
			if privileges != "" {
				aces = aceFor(href(bobPath), privileges)
			}
			h.acl(ann, annOutbox, aces).want(t, 200)
		}
		// What there is, and what changed of it.
		state := func() string {
			t.Helper()
			var b strings.Builder
			for who, paths := range map[string][]string{ann: {annCalendar, annInbox}, eve: {eveCalendar, "/dav/calendars/eve@example.org/inbox/"}} {
				for _, path := range paths {
					b.WriteString(h.propfind(who, path, "0", "CS:getctag").row(t, path).text("CS:getctag") + " ")
				}
			}
			err := h.store.View(t.Context(), func(tx *db.Tx) error {
				mails, err := tx.Deliveries(0, 100)
				for _, m := range mails {
					b.WriteString(m.Method + " ")
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			words := strings.Fields(b.String())
			return strings.Join(slices.Sorted(slices.Values(words)), " ")
		}
		still := func(before string) {
			t.Helper()
			if after := state(); after != before {
				t.Errorf("something has changed from\n%s to\n%s", before, after)
			}
		}
		h.acl(ann, annCalendar, aceFor(href(bobPath), "D:read D:write")).want(t, 200)
		invite := meeting("m", "20261203T100000Z", "20261203T110000Z", eve, "carol@example.net")
		before := state()
		missing(h.put(bob, annCalendar+"m.ics", invite), "C:schedule-send-invite")
		still(before)
		h.do(bob, "GET", annCalendar+"m.ics", "").want(t, 404)
		// What tells nobody needs no more than to write.
		h.put(bob, annCalendar+"plain.ics", event("plain", "20261203T100000Z", "20261203T110000Z", "")).want(t, 201)
		h.put(bob, annCalendar+"alone.ics", meeting("alone", "20261203T100000Z", "20261203T110000Z")).want(t, 201)

		grant("C:schedule-send-reply C:schedule-send-freebusy") // others do not help
		before = state()
		missing(h.put(bob, annCalendar+"m.ics", invite), "C:schedule-send-invite")
		still(before)
		grant("C:schedule-send-invite")
		h.put(bob, annCalendar+"m.ics", invite).want(t, 201)
		rows := h.report(eve, eveCalendar, `<C:calendar-query><D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>`, "Depth", "1").rows(t)
		if len(rows) != 1 || !strings.Contains(strings.ReplaceAll(rows[0].text("C:calendar-data"), "\r\n ", ""), "SENT-BY=\"mailto:bob@example.org\"") {
			t.Errorf("%+v", rows)
		}
		grant("")
		before = state()
		missing(h.put(bob, annCalendar+"m.ics", strings.Replace(invite, "T110000Z", "T113000Z", 1)), "C:schedule-send-invite")
		missing(h.do(bob, "DELETE", annCalendar+"m.ics", ""), "C:schedule-send-invite")
		still(before)
		// Her alarm is nobody else's business, and no message.
		own := h.do(bob, "GET", annCalendar+"m.ics", "").want(t, 200).body
		h.put(bob, annCalendar+"m.ics", strings.Replace(own, "END:VEVENT", "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT", 1)).want(t, 204)

		// Answers.
		asked := strings.NewReplacer("mailto:ann@", "mailto:eve@", "mailto:eve@", "mailto:ann@").Replace(meeting("q", "20261204T100000Z", "20261204T110000Z", eve))
		h.put(eve, eveCalendar+"q.ics", asked).want(t, 201)
		at, his := "", ""
		for _, w := range h.report(ann, annCalendar, `<C:calendar-query><D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match>q</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, "Depth", "1").rows(t) {
			if at = w.href; at != "" {
				his = strings.ReplaceAll(h.do(ann, "GET", at, "").want(t, 200).body, "\r\n ", "")
			}
		}
		yes := strings.Replace(his, "PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED", 1)
		if yes == his {
			t.Fatalf("no invitation: %s", his)
		}
		grant("C:schedule-send-invite")
		before = state()
		missing(h.put(bob, at, yes), "C:schedule-send-reply")
		missing(h.do(bob, "DELETE", at, ""), "C:schedule-send-reply")
		still(before)
		h.do(bob, "DELETE", at, "", "Schedule-Reply", "F").want(t, 204) // nobody is told
		h.put(eve, eveCalendar+"r.ics", strings.Replace(asked, "UID:q", "UID:r", 1)).want(t, 201)
		at = ""
		for _, w := range h.report(ann, annCalendar, `<C:calendar-query><D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match>r</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, "Depth", "1").rows(t) {
			at, his = w.href, strings.ReplaceAll(h.do(ann, "GET", w.href, "").want(t, 200).body, "\r\n ", "")
		}
		grant("C:schedule-send-reply")
		h.put(bob, at, strings.Replace(his, "PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED", 1)).want(t, 204)
		if got := strings.ReplaceAll(h.do(eve, "GET", eveCalendar+"r.ics", "").body, "\r\n ", ""); !strings.Contains(got, `PARTSTAT=ACCEPTED;CN="Ann Ärmel";SCHEDULE-STATUS=2.0`) {
			t.Errorf("the answer did not come: %s", got)
		}

		// A calendar ends with its meetings: not in the name of who does not allow that.
		h.do(ann, "MKCALENDAR", annHome+"more/", "").want(t, 201)
		h.acl(ann, annHome, aceFor(href(bobPath), "D:read D:write")).want(t, 200)
		h.put(ann, annHome+"more/n.ics", strings.Replace(invite, "UID:m", "UID:n", 1)).want(t, 201)
		h.acl(ann, annHome+"more/", aceFor(href(bobPath), "D:read D:write")).want(t, 200)
		before = state()
		missing(h.do(bob, "DELETE", annHome+"more/", ""), "C:schedule-send-invite")
		still(before)
		h.do(ann, "GET", annHome+"more/n.ics", "").want(t, 200)
		grant("C:schedule-send")
		h.do(bob, "DELETE", annHome+"more/", "").want(t, 204)

		// Through the outbox itself (§6.2.4).
		ask := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:f\r\nDTSTAMP:20261101T000000Z\r\nDTSTART:20261203T000000Z\r\nDTEND:20261204T000000Z\r\nORGANIZER:mailto:ann@example.org\r\nATTENDEE:mailto:eve@example.org\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
		grant("C:schedule-send-invite C:schedule-send-reply")
		h.do(bob, "POST", annOutbox, ask, "Content-Type", "text/calendar").refused(t, 403, "D:need-privileges")
		grant("C:schedule-send-freebusy")
		h.do(bob, "POST", annOutbox, ask, "Content-Type", "text/calendar").want(t, 200)
	})
}
