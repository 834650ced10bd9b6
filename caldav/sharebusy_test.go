package caldav

import (
	"strings"
	"testing"
)

// A calendar that somebody has from its owner is his busy time if he says so
// (RFC 6638 §9.1), as he has it for himself (caldav-sharing §5.5.4): what he
// marks as free is free to him, and a meeting in his own calendar counts as it
// stands there.
func TestSharedTimeCounts(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const cyn = "cyn@example.org"
		h.add(dbPerson(cyn))
		times := func(who string) string {
			t.Helper()
			var all []string
			body := h.do(cyn, "GET", "/freebusy/"+who+"?start=20261103T000000Z&end=20261110T000000Z", "").want(t, 200).body
			for line := range strings.SplitSeq(strings.ReplaceAll(body, "\r\n ", ""), "\r\n") {
				if _, list, ok := strings.Cut(line, ":"); ok && strings.HasPrefix(line, "FREEBUSY") {
					all = append(all, strings.Split(list, ",")...)
				}
			}
			return strings.Join(all, " ")
		}
		transp := func(path, value string) {
			t.Helper()
			if w := h.proppatch(bob, path, `<D:set><D:prop><C:schedule-calendar-transp><C:`+value+`/></C:schedule-calendar-transp></D:prop></D:set>`).row(t, path); !w.has("C:schedule-calendar-transp") {
				t.Errorf("%+v", w)
			}
			if w := h.propfind(bob, path, "0", "C:schedule-calendar-transp").row(t, path); w.text("C:schedule-calendar-transp") != "<C:"+value+"/>" {
				t.Errorf("%+v", w)
			}
		}
		take := func() string {
			t.Helper()
			for _, w := range h.propfind(bob, bobBox, "1", "D:getetag").rows(t)[1:] {
				h.do(bob, "DELETE", w.href, "").want(t, 204)
			}
			h.share(ann, annCalendar, bobPath, "read-write").want(t, 200)
			at := h.answer(bob, bobHome, annCalendar, h.invitation(bob, bobBox, "invite-noresponse"), "invite-accepted", "").accepted(t)
			if w := h.propfind(bob, at, "0", "C:schedule-calendar-transp").row(t, at); w.text("C:schedule-calendar-transp") != "<C:transparent/>" {
				t.Errorf("%+v", w)
			}
			return at
		}
		at := take()
		one, free := event("one", "20261103T100000Z", "20261103T110000Z", ""), event("free", "20261104T100000Z", "20261104T110000Z", "TRANSP:TRANSPARENT")
		h.put(ann, annCalendar+"one.ics", one).want(t, 201)
		h.put(ann, annCalendar+"free.ics", free).want(t, 201)
		equal(t, "not by itself", times(bob), "")
		before := h.propfind(ann, annCalendar, "0", "C:schedule-calendar-transp").row(t, annCalendar).text("C:schedule-calendar-transp")
		transp(at, "opaque")
		equal(t, "opaque", times(bob), "20261103T100000Z/PT1H")
		equal(t, "Ann's", h.propfind(ann, annCalendar, "0", "C:schedule-calendar-transp").row(t, annCalendar).text("C:schedule-calendar-transp"), before)

		// A series, and what is free to one of the two.
		h.put(ann, annCalendar+"daily.ics", event("daily", "20261105T100000Z", "20261105T110000Z", "RRULE:FREQ=DAILY;COUNT=3")).want(t, 201)
		equal(t, "a series", times(bob), "20261103T100000Z/PT1H 20261105T100000Z/PT1H 20261106T100000Z/PT1H 20261107T100000Z/PT1H")
		h.put(bob, at+"daily.ics", event("daily", "20261105T100000Z", "20261105T110000Z", "RRULE:FREQ=DAILY;COUNT=3\nTRANSP:TRANSPARENT")).want(t, 204)
		h.put(bob, at+"free.ics", strings.Replace(free, "TRANSPARENT", "OPAQUE", 1)).want(t, 204)
		equal(t, "as he says", times(bob), "20261103T100000Z/PT1H 20261104T100000Z/PT1H")
		equal(t, "as she says", times(ann), "20261103T100000Z/PT1H 20261105T100000Z/PT1H 20261106T100000Z/PT1H 20261107T100000Z/PT1H")
		h.put(bob, at+"daily.ics", event("daily", "20261105T100000Z", "20261105T110000Z", "RRULE:FREQ=DAILY;COUNT=3")).want(t, 204)
		h.do(ann, "DELETE", annCalendar+"daily.ics", "").want(t, 204)
		h.do(ann, "DELETE", annCalendar+"free.ics", "").want(t, 204)

		// What is in a calendar of his own counts as he has it there.
		h.put(ann, annCalendar+"m.ics", meeting("m", "20261106T100000Z", "20261106T110000Z", bob)).want(t, 201)
		equal(t, "unanswered", times(bob), "20261103T100000Z/PT1H")
		equal(t, "hers", times(ann), "20261103T100000Z/PT1H 20261106T100000Z/PT1H")
		h.do(ann, "DELETE", annCalendar+"m.ics", "").want(t, 204)

		// She asks with her own meeting left out (X-CALENDARSERVER-MASK-UID).
		mask := func(uid string) string {
			t.Helper()
			return h.do(ann, "POST", annOutbox, lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//EN", "METHOD:REQUEST", "BEGIN:VFREEBUSY", "UID:q", "DTSTAMP:20261101T000000Z", "DTSTART:20261103T000000Z",
				"DTEND:20261104T000000Z", uid, "ORGANIZER:mailto:"+ann, "ATTENDEE:mailto:"+bob, "END:VFREEBUSY", "END:VCALENDAR"), "Content-Type", "text/calendar").want(t, 200).body
		}
		if b := mask(""); !strings.Contains(b, "20261103T100000Z") {
			t.Error(b)
		}
		if b := mask("X-CALENDARSERVER-MASK-UID:one"); strings.Contains(b, "20261103T100000Z") {
			t.Error(b)
		}

		// Taken away or given back, it counts no longer, and not by itself again.
		transp(at, "transparent")
		equal(t, "transparent", times(bob), "")
		transp(at, "opaque")
		h.unshare(ann, annCalendar, bobPath).want(t, 200)
		equal(t, "taken away", times(bob), "")
		at = take()
		transp(at, "opaque")
		equal(t, "again", times(bob), "20261103T100000Z/PT1H")
		h.do(bob, "DELETE", at, "").want(t, 204)
		equal(t, "given back", times(bob), "")
		if w := h.proppatch(bob, take(), `<D:set><D:prop><C:schedule-calendar-transp>x</C:schedule-calendar-transp></D:prop></D:set>`).rows(t)[0]; w.props["HTTP/1.1 409 Conflict"] == nil {
			t.Errorf("%+v", w)
		}
	})
}
