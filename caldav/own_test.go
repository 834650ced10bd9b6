package caldav

import (
	"strconv"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
)

func alarm(uid, before string) string {
	return "BEGIN:VALARM\nUID:" + uid + "\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-" + before + "\nEND:VALARM"
}

// Who sees a calendar of somebody else has alarms of his own there, and whether
// the time is free for him is his own to say; nobody sees those of the other.
func TestOwnAlarms(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const at, end = "20261102T100000Z", "20261102T110000Z"
		a := annCalendar + "a.ics"
		bare := event("a", at, end, "")
		hers, his := event("a", at, end, alarm("hers", "PT5M")), event("a", at, end, alarm("his", "PT1H"))
		h.acl(ann, annCalendar, aceFor(href(bobPath), "D:read D:write")).want(t, 200)
		reads := func(who, want string) string {
			t.Helper()
			g := h.do(who, "GET", a, "").want(t, 200)
			if g.body != want {
				t.Errorf("%s reads\n%s\nwant\n%s", who, g.body, want)
			}
			return g.header.Get("ETag")
		}
		h.put(ann, a, hers).want(t, 201)
		first := reads(bob, bare)

		// His own: nothing of hers moves but what tells programs to look again.
		token := func(who string) string {
			t.Helper()
			return h.propfind(who, annCalendar, "0", "D:sync-token").row(t, annCalendar).text("D:sync-token")
		}
		changed := func(who, since string) map[string]string {
			t.Helper()
			r := h.report(who, annCalendar, `<D:sync-collection><D:sync-token>`+since+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`)
			tags := map[string]string{}
			for _, w := range r.rows(t) {
				tags[w.href] = w.text("D:getetag")
			}
			return tags
		}
		herTag, since := reads(ann, hers), token(bob)
		w := h.put(bob, a, his, "If-Match", first).want(t, 204)
		hisTag := reads(bob, his)
		if w.header.Get("ETag") != hisTag || hisTag == first {
			t.Errorf("ETag %q in the answer, now %q, before %q", w.header.Get("ETag"), hisTag, first)
		}
		if tag := reads(ann, hers); tag != herTag {
			t.Errorf("her ETag moved from %s to %s", herTag, tag)
		}
		if got := changed(bob, since); got[a] != hisTag {
			t.Errorf("sync tells him %v", got)
		}
		h.put(bob, a, his, "If-Match", first).want(t, 412)
		h.put(bob, a, his, "If", "(["+first+"])").want(t, 412)
		h.put(bob, a, his, "If", "(["+hisTag+"])").want(t, 204)
		h.put(bob, a, his, "If-None-Match", "*").want(t, 412)
		h.do(bob, "GET", a, "", "If-None-Match", hisTag).want(t, 304)
		h.do(ann, "GET", a, "", "If-None-Match", hisTag).want(t, 200)

		// Every way to read it.
		for who, want := range map[string]string{ann: hers, bob: his} {
			tag := map[string]string{ann: herTag, bob: hisTag}[who]
			test := func(what string, r reply) {
				t.Helper()
				w := r.row(t, a)
				if w.text("D:getetag") != tag {
					t.Errorf("%s, %s: ETag %s, want %s", who, what, w.text("D:getetag"), tag)
				}
				if d := w.text("C:calendar-data"); d != "" && d != strings.ReplaceAll(want, "\r\n", "\n") && d != want {
					t.Errorf("%s, %s:\n%s", who, what, d)
				}
				if n := w.text("D:getcontentlength"); n != "" && n != strconv.Itoa(len(want)) {
					t.Errorf("%s, %s: length %s, want %d", who, what, n, len(want))
				}
			}
			test("multiget", h.report(who, annCalendar, `<C:calendar-multiget><D:prop><D:getetag/><D:getcontentlength/><C:calendar-data/></D:prop><D:href>`+a+`</D:href></C:calendar-multiget>`))
			test("query", h.report(who, annCalendar, `<C:calendar-query><D:prop><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>`, "Depth", "1"))
			test("listing", h.propfind(who, annCalendar, "1", "D:getetag D:getcontentlength"))
			test("lean listing", h.propfind(who, annCalendar, "1", "D:getetag"))
			test("object", h.propfind(who, a, "0", "D:getetag D:getcontentlength"))
			test("first sync", h.report(who, annCalendar, `<D:sync-collection><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:getetag/><D:getcontentlength/><C:calendar-data/></D:prop></D:sync-collection>`))
		}
		// When it rings.
		rings := func(who, from, to string, want int) {
			t.Helper()
			r := h.report(who, annCalendar, `<C:calendar-query><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:comp-filter name="VALARM"><C:time-range start="`+
				from+`" end="`+to+`"/></C:comp-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, "Depth", "1")
			if n := len(r.rows(t)); n != want {
				t.Errorf("%s has %d alarms from %s to %s, want %d", who, n, from, to, want)
			}
		}
		rings(ann, "20261102T095400Z", "20261102T095600Z", 1)
		rings(ann, "20261102T085900Z", "20261102T090100Z", 0)
		rings(bob, "20261102T085900Z", "20261102T090100Z", 1)
		rings(bob, "20261102T095400Z", "20261102T095600Z", 0)

		// What everybody sees and what is his own, in one PUT; hers stays.
		changedBody := strings.Replace(event("a", at, end, "TRANSP:TRANSPARENT\n"+alarm("his", "PT2H")), "SUMMARY:a", "SUMMARY:b", 1)
		h.put(bob, a, changedBody).want(t, 204)
		reads(bob, changedBody)
		reads(ann, strings.Replace(hers, "SUMMARY:a", "SUMMARY:b", 1))
		if r := h.report(ann, annCalendar, `<C:free-busy-query><C:time-range start="20261102T000000Z" end="20261103T000000Z"/></C:free-busy-query>`).want(t, 200); !strings.Contains(r.body, "FREEBUSY") {
			t.Errorf("his TRANSP made her free: %s", r.body)
		}
		if r := h.put(bob, a, changedBody, "Prefer", "return=representation").want(t, 200); r.body != changedBody || r.header.Get("ETag") != h.do(bob, "GET", a, "").header.Get("ETag") {
			t.Errorf("%v %s", r.header, r.body)
		}
		if r := h.put(bob, a, his, "Prefer", "return=representation").want(t, 200); r.body != his || r.header.Get("ETag") != h.do(bob, "GET", a, "").header.Get("ETag") {
			t.Errorf("%v %s", r.header, r.body)
		}
		h.put(bob, a, changedBody).want(t, 204)
		// She changes both; his stays.
		h.put(ann, a, event("a", at, end, alarm("hers", "PT7M"))).want(t, 204)
		reads(bob, event("a", at, end, "TRANSP:TRANSPARENT\n"+alarm("his", "PT2H")))

		// What he makes is his own and hers, but for the alarm.
		c := annCalendar + "c.ics"
		h.put(bob, c, event("c", at, end, "TRANSP:TRANSPARENT\n"+alarm("his", "PT1H"))).want(t, 201)
		if g := h.do(ann, "GET", c, "").want(t, 200); strings.Contains(g.body, "VALARM") || !strings.Contains(g.body, "TRANSPARENT") {
			t.Errorf("%s", g.body)
		}
		// Into his own calendar he copies what he sees.
		h.do(bob, "COPY", c, "", "Destination", bobCalendar+"c.ics").want(t, 201)
		if g := h.do(bob, "GET", bobCalendar+"c.ics", "").want(t, 200); !strings.Contains(g.body, "UID:his") {
			t.Errorf("%s", g.body)
		}
		h.do(bob, "DELETE", c, "", "If-Match", h.do(ann, "GET", c, "").header.Get("ETag")).want(t, 412)
		h.do(bob, "MOVE", c, "", "Destination", annCalendar+"d.ics").want(t, 201)
		d := h.do(bob, "GET", annCalendar+"d.ics", "").want(t, 200)
		if !strings.Contains(d.body, "UID:his") {
			t.Errorf("%s", d.body)
		}
		h.do(bob, "DELETE", annCalendar+"d.ics", "", "If-Match", d.header.Get("ETag")).want(t, 204)
		h.put(ann, annCalendar+"d.ics", event("d", at, end, "")).want(t, 201)
		if g := h.do(bob, "GET", annCalendar+"d.ics", "").want(t, 200); strings.Contains(g.body, "VALARM") {
			t.Errorf("of what was there before: %s", g.body)
		}

		// Both halves of a series that is split.
		s := annCalendar + "s.ics"
		h.put(ann, s, event("s", at, end, "RRULE:FREQ=DAILY;COUNT=9\n"+alarm("hers", "PT5M"))).want(t, 201)
		h.put(bob, s, event("s", at, end, "RRULE:FREQ=DAILY;COUNT=9\n"+alarm("his", "PT1H"))).want(t, 204)
		halves := h.do(bob, "POST", s+"?action=split&rid=20261105T100000Z", "", "Prefer", "return=representation").want(t, 207).rows(t)
		for _, half := range halves {
			g := h.do(bob, "GET", half.href, "").want(t, 200)
			if !strings.Contains(g.body, "UID:his") || strings.Contains(g.body, "UID:hers") || half.text("D:getetag") != g.header.Get("ETag") ||
				strings.ReplaceAll(half.text("C:calendar-data"), "\r", "") != strings.ReplaceAll(g.body, "\r", "") {
				t.Errorf("%s %s\n%+v", g.header.Get("ETag"), g.body, half)
			}
			if g := h.do(ann, "GET", half.href, "").want(t, 200); !strings.Contains(g.body, "UID:hers") || strings.Contains(g.body, "UID:his") {
				t.Errorf("%s", g.body)
			}
		}
		if len(halves) != 2 {
			t.Errorf("%+v", halves)
		}

		// Who acts in her name writes what is hers.
		h.proppatch(ann, annSelf+"calendar-proxy-write/", `<D:set><D:prop><D:group-member-set>`+href(bobPath)+`</D:group-member-set></D:prop></D:set>`).want(t, 207)
		h.put(bob, annCalendar+"d.ics", event("d", at, end, alarm("for her", "PT1H"))).want(t, 204)
		if g := h.do(ann, "GET", annCalendar+"d.ics", "").want(t, 200); !strings.Contains(g.body, "UID:for her") {
			t.Errorf("%s", g.body)
		}
		h.proppatch(ann, annSelf+"calendar-proxy-write/", `<D:set><D:prop><D:group-member-set/></D:prop></D:set>`).want(t, 207)
		reads(bob, event("a", at, end, "TRANSP:TRANSPARENT\n"+alarm("his", "PT2H")))

		// Without the right to read it there is nothing left.
		h.acl(ann, annCalendar, "").want(t, 200)
		h.acl(ann, annCalendar, aceFor(href(bobPath), "D:read")).want(t, 200)
		reads(bob, event("a", at, end, ""))
	})
}

// Who may only read changes nothing but what is his own.
func TestOwnAlarmsOfReaders(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a := annCalendar + "a.ics"
		series := event("a", "20261102T100000Z", "20261102T110000Z", "RRULE:FREQ=DAILY;COUNT=5\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bob@example.org\nORGANIZER:mailto:ann@example.org\n"+alarm("hers", "PT5M"))
		h.put(ann, a, series).want(t, 201)
		h.acl(ann, annCalendar, aceFor(href(bobPath), "D:read")).want(t, 200)
		before := h.do(bob, "GET", a, "").want(t, 200)
		hers := h.do(ann, "GET", a, "").want(t, 200)
		refused := func(body string) {
			t.Helper()
			h.put(bob, a, body).refused(t, 403, "D:need-privileges")
			if g := h.do(bob, "GET", a, ""); g.body != before.body || g.header.Get("ETag") != before.header.Get("ETag") {
				t.Errorf("now he reads %s", g.body)
			}
			if g := h.do(ann, "GET", a, ""); g.body != hers.body || g.header.Get("ETag") != hers.header.Get("ETag") {
				t.Errorf("now she reads %s", g.body)
			}
		}
		with := strings.Replace(before.body, "END:VEVENT", strings.ReplaceAll(alarm("his", "PT1H"), "\n", "\r\n")+"\r\nEND:VEVENT", 1)
		refused(before.body) // there is nothing of his own
		refused(strings.Replace(with, "SUMMARY:a", "SUMMARY:b", 1))
		refused(strings.Replace(with, "COUNT=5", "COUNT=6", 1))
		refused(strings.Replace(with, "UID:a", "UID:b", 1))
		refused("BEGIN:VCALENDAR")
		refused(strings.Replace(with, "END:VALARM", strings.Repeat("X-A:"+strings.Repeat("x", 70)+"\r\n", 1000)+"END:VALARM", 1))
		h.put(bob, annCalendar+"b.ics", with).refused(t, 403, "D:need-privileges")
		h.put(bob, a, with, "If-Match", `"other"`).want(t, 412)

		r := h.put(bob, a, strings.Replace(with, "DTSTAMP:20261101T000000Z", "DTSTAMP:20261101T000001Z", 1), "If-Match", before.header.Get("ETag")).want(t, 204)
		if r.header.Get("Schedule-Tag") != hers.header.Get("Schedule-Tag") || r.header.Get("ETag") != "" {
			t.Errorf("%v", r.header)
		}
		if g := h.do(bob, "GET", a, ""); g.body != with {
			t.Errorf("%s", g.body)
		}
		if g := h.do(ann, "GET", a, ""); g.body != hers.body || g.header.Get("ETag") != hers.header.Get("ETag") || g.header.Get("Schedule-Tag") != hers.header.Get("Schedule-Tag") {
			t.Errorf("%v %s", g.header, g.body)
		}
		// An instance that she changes later rings for him as the series does.
		moved := strings.Replace(strings.Replace(hers.body, "END:VCALENDAR", strings.Replace(strings.Replace(hers.body[strings.Index(hers.body, "BEGIN:VEVENT"):], "END:VCALENDAR\r\n", "", 1),
			"RRULE:FREQ=DAILY;COUNT=5", "RECURRENCE-ID:20261103T100000Z", 1)+"END:VCALENDAR", 1), "DTSTART:20261102T100000Z\r\nDTEND:20261102T110000Z\r\nSUMMARY:a\r\nRECURRENCE-ID", "DTSTART:20261103T120000Z\r\nDTEND:20261103T130000Z\r\nSUMMARY:a\r\nRECURRENCE-ID", 1)
		h.put(ann, a, moved).want(t, 204)
		g := h.do(bob, "GET", a, "")
		if strings.Count(g.body, "UID:his") != 2 || strings.Contains(g.body, "UID:hers") {
			t.Errorf("%s", g.body)
		}
		h.put(bob, a, strings.ReplaceAll(g.body, "TRIGGER:-PT1H", "TRIGGER:-PT2H")).want(t, 204)
		// And all of them taken back.
		h.put(bob, a, withoutAlarms(h.do(bob, "GET", a, "").body)).want(t, 204)
		if g := h.do(bob, "GET", a, ""); strings.Contains(g.body, "VALARM") {
			t.Errorf("%s", g.body)
		}
		err := h.store.View(t.Context(), func(tx *db.Tx) error {
			p, err := tx.PrincipalByAddress(ann)
			if err != nil {
				return err
			}
			left, err := tx.Owning(p.ID)
			if len(left) > 0 {
				t.Errorf("%v", left)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func withoutAlarms(body string) string {
	for {
		i := strings.Index(body, "BEGIN:VALARM")
		if i < 0 {
			return body
		}
		j := strings.Index(body, "END:VALARM\r\n") + len("END:VALARM\r\n")
		body = body[:i] + body[j:]
	}
}
