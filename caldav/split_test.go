package caldav

import (
	"strings"
	"testing"
)

// POST ?action=split as caldav-recursplit §3 has it; the first exchange is that
// of §3.1.
func TestSplit(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const path = annCalendar + "event.ics"
		unfolded := func(s string) string {
			return strings.NewReplacer("\r\n ", "", "&#13;\n ", "", "&#13;", "").Replace(s)
		}
		daily := func(uid string, more ...string) string {
			return event(uid, "20140101T120000Z", "20140101T130000Z", lines(append([]string{"RRULE:FREQ=DAILY;COUNT=20"}, more...)...))
		}
		if dav := h.do(ann, "OPTIONS", annHome, "").want(t, 200).header.Get("DAV"); !strings.Contains(dav, "calendarserver-recurrence-split") {
			t.Errorf("DAV: %s", dav)
		}
		h.put(ann, path, daily("DF400028")).want(t, 201)
		r := h.do(ann, "POST", path+"?action=split&rid=20140110T120000Z", "", "Prefer", "return=representation").want(t, 207)
		rows := r.rows(t)
		if len(rows) != 2 || rows[0].href != path || rows[1].href == path {
			t.Fatalf("%+v", rows)
		}
		for i, want := range [][]string{
			{"UID:DF400028\n", "DTSTART:20140110T120000Z\n", "DTEND:20140110T130000Z\n", "RRULE:FREQ=DAILY;COUNT=11\n"},
			{"DTSTART:20140101T120000Z\n", "RRULE:FREQ=DAILY;UNTIL=20140110T115959Z\n"},
		} {
			w := rows[i]
			g := h.do(ann, "GET", w.href, "").want(t, 200)
			if w.text("D:getetag") != g.header.Get("ETag") || w.text("D:getetag") == "" {
				t.Errorf("%s: getetag %s, %s is served", w.href, w.text("D:getetag"), g.header.Get("ETag"))
			}
			text := strings.ReplaceAll(unfolded(g.body), "\r", "")
			for _, l := range append(want, "RELATED-TO;RELTYPE=X-CALENDARSERVER-RECURRENCE-SET:") {
				if !strings.Contains(text, l) {
					t.Errorf("%s has no %q:\n%s", w.href, l, text)
				}
			}
			if !strings.Contains(strings.ReplaceAll(unfolded(w.text("C:calendar-data")), "\r", ""), want[0]) {
				t.Errorf("the answer has not %q: %s", want[0], w.text("C:calendar-data"))
			}
		}

		// Without that preference the address of the new one; the UID may be given.
		r = h.do(ann, "POST", path+"?action=split&rid=20140115T000000Z&uid=earlier", "").want(t, 204)
		fresh := r.header.Get("Split-Component-URL")
		if g := h.do(ann, "GET", fresh, "").want(t, 200); !strings.Contains(g.body, "UID:earlier\r\n") || !strings.Contains(g.body, "UNTIL=20140115T115959Z") {
			t.Errorf("%s", g.body)
		}
		etag := h.do(ann, "GET", path, "").want(t, 200).header.Get("ETag")
		if r.header.Get("ETag") != etag {
			t.Errorf("ETag %s, then %s", r.header.Get("ETag"), etag)
		}

		refused := func(query, condition string) {
			t.Helper()
			h.do(ann, "POST", path+"?action=split"+query, "").refused(t, 403, condition)
		}
		refused("", "C:valid-rid-parameter")
		refused("&rid=20140117", "C:valid-rid-parameter")
		refused("&rid=20140117T120000", "C:valid-rid-parameter")
		refused("&rid=nonsense", "C:valid-rid-parameter")
		refused("&rid=20130101T120000Z", "CS:invalid-split")
		refused("&rid=20140115T120000Z", "CS:invalid-split") // its first instance
		refused("&rid=20150101T120000Z", "CS:invalid-split")
		refused("&rid=20140117T120000Z&uid=earlier", "CS:invalid-split") // taken
		refused("&rid=20140117T120000Z&uid="+strings.Repeat("x", 300), "CS:invalid-split")
		h.do(ann, "POST", path+"?action=split&rid=20140117T120000Z", "", "If-Match", `"other"`).want(t, 412)
		h.do(ann, "POST", path+"?action=nothing", "").want(t, 405)
		h.do(bob, "POST", path+"?action=split&rid=20140117T120000Z", "").refused(t, 403, "D:need-privileges")
		if now := h.do(ann, "GET", path, "").header.Get("ETag"); now != etag {
			t.Error("a refused split changed something")
		}

		// Days, floating times, dates without a rule, exceptions on both sides.
		half := func(name, body, rid string, from, before []string) {
			t.Helper()
			at := annCalendar + name
			h.put(ann, at, body).want(t, 201)
			r := h.do(ann, "POST", at+"?action=split&rid="+rid, "").want(t, 204)
			for href, want := range map[string][]string{at: from, r.header.Get("Split-Component-URL"): before} {
				text := unfolded(h.do(ann, "GET", href, "").want(t, 200).body)
				for _, l := range want {
					if no, ok := strings.CutPrefix(l, "!"); ok == strings.Contains(text, no) {
						t.Errorf("%s: %q\n%s", name, l, text)
					}
				}
			}
		}
		half("days.ics", strings.NewReplacer("DTSTART:20140101T120000Z", "DTSTART;VALUE=DATE:20140101", "DTEND:20140101T130000Z", "DTEND;VALUE=DATE:20140103").
			Replace(event("days", "20140101T120000Z", "20140101T130000Z", lines("RRULE:FREQ=WEEKLY;BYDAY=WE"))), "20140106",
			[]string{"DTSTART;VALUE=DATE:20140108", "DTEND;VALUE=DATE:20140110", "RRULE:FREQ=WEEKLY;BYDAY=WE\r\n"},
			[]string{"RRULE:FREQ=WEEKLY;BYDAY=WE;UNTIL=20140107"})
		half("floating.ics", event("floating", "20140101T120000", "20140101T130000", lines("RRULE:FREQ=DAILY;UNTIL=20140104T120000", "EXDATE:20140102T120000,20140103T120000")), "20140103T000000",
			[]string{"DTSTART:20140104T120000", "UNTIL=20140104T120000", "!EXDATE:"},
			[]string{"UNTIL=20140104T115959", "EXDATE:20140102T120000,20140103T120000"})
		half("dates.ics", event("dates", "20140101T120000Z", "20140101T130000Z", lines("RRULE:FREQ=DAILY;COUNT=2", "RDATE:20140110T120000Z,20140120T120000Z")), "20140105T000000Z",
			[]string{"DTSTART:20140110T120000Z", "RDATE:20140110T120000Z,20140120T120000Z", "!RRULE"},
			[]string{"RRULE:FREQ=DAILY;COUNT=2\r\n", "!RDATE"})
	})
}

// The halves of a meeting tell their schedule-tags, so that the next change can
// be conditional.
func TestSplitScheduleTag(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const path = annCalendar + "m.ics"
		h.put(ann, path, strings.Replace(meeting("m", "20261101T120000Z", "20261101T130000Z", bob), "DTSTART", "RRULE:FREQ=DAILY;COUNT=20\r\nDTSTART", 1)).want(t, 201)
		rows := h.do(ann, "POST", path+"?action=split&rid=20261110T120000Z", "", "Prefer", "return=representation").want(t, 207).rows(t)
		if len(rows) != 2 {
			t.Fatalf("%+v", rows)
		}
		for _, w := range rows {
			g := h.do(ann, "GET", w.href, "").want(t, 200)
			if got := w.text("C:schedule-tag"); got == "" || got != g.header.Get("Schedule-Tag") {
				t.Errorf("%s: schedule-tag %s, %s is served", w.href, got, g.header.Get("Schedule-Tag"))
			}
		}
	})
}
