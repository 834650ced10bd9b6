package caldav

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
)

// queryOf makes a calendar-query.
func queryOf(compFilter, props string) string {
	return `<C:calendar-query><D:prop>` + elements(props) + `</D:prop><C:filter><C:comp-filter name="VCALENDAR">` + compFilter + `</C:comp-filter></C:filter></C:calendar-query>`
}

// names of the rows below a collection, sorted; those with a status of their
// own get it after them.
func names(t testing.TB, r reply, below string) []string {
	t.Helper()
	out := []string{}
	for _, w := range r.rows(t) {
		n := strings.TrimPrefix(w.href, below)
		if w.status != "" {
			n += " " + strings.Fields(w.status)[1]
		}
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// clients.md fixture 10: a row for each href, as spelled, in order, without a
// Depth header.
func TestMultiget(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a := event("a", "20261102T100000Z", "20261102T110000Z", "")
		h.put(ann, annCalendar+"@a.ics", a).want(t, 201)
		h.put(ann, annCalendar+"b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		h.put(bob, bobCalendar+"c.ics", event("c", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		hrefs := []string{
			annCalendar + "b.ics",
			"/dav/calendars/ann%40example.org/calendar/%40a.ics",
			annCalendar + "@a.ics",
			annCalendar + "missing.ics",
			bobCalendar + "c.ics",
			bobCalendar + "missing.ics",
			"/dav/calendars/nobody@example.org/calendar/c.ics",
			h.http.URL + annCalendar + "b.ics",
			"https://elsewhere.example.com" + annCalendar + "b.ics",
			annCalendar,
			"nonsense",
			annCalendar + "b.ics",
		}
		var body strings.Builder
		body.WriteString(`<C:calendar-multiget><D:prop><D:getetag/><C:schedule-tag/><C:calendar-data/></D:prop>`)
		for _, href := range hrefs {
			body.WriteString("<D:href>" + href + "</D:href>")
		}
		body.WriteString(`</C:calendar-multiget>`)
		for _, depth := range []string{"", "0", "1"} {
			var headers []string
			if depth != "" {
				headers = []string{"Depth", depth}
			}
			rows := h.report(ann, annCalendar, body.String(), headers...).rows(t)
			var got, found []string
			for _, w := range rows {
				got = append(got, w.href)
				if w.status == "" {
					found = append(found, w.href)
				} else if w.status != "HTTP/1.1 404 Not Found" || len(w.props) != 0 {
					t.Errorf("%+v", w)
				}
			}
			equal(t, "hrefs", got, hrefs)
			equal(t, "found", found, []string{hrefs[0], hrefs[1], hrefs[2], hrefs[7], hrefs[11]})
			if rows[1].text("C:calendar-data") != a || rows[1].text("D:getetag") == "" || !rows[1].lacks("C:schedule-tag") {
				t.Errorf("%+v", rows[1])
			}
		}
		h.report(ann, annCalendar, `<C:calendar-multiget><D:prop><D:getetag/></D:prop></C:calendar-multiget>`).want(t, 400)
		// Large bodies come as small ones do.
		big := event("big", "20261102T100000Z", "20261102T110000Z", "DESCRIPTION:"+strings.Repeat("x", 3*pageBytes/pageBodies))
		h.put(ann, annCalendar+"big.ics", big).want(t, 201)
		for _, props := range []string{"D:getetag C:calendar-data", "D:getetag"} {
			r := h.report(ann, annCalendar, `<C:calendar-multiget><D:prop>`+elements(props)+`</D:prop><D:href>`+annCalendar+`big.ics</D:href><D:href>`+annCalendar+`@a.ics</D:href></C:calendar-multiget>`)
			w, small := r.row(t, annCalendar+"big.ics"), r.row(t, annCalendar+"@a.ics")
			if w.text("D:getetag") == "" || w.has("C:calendar-data") && (w.text("C:calendar-data") != big || small.text("C:calendar-data") != a) || w.has("C:calendar-data") != strings.Contains(props, "data") {
				t.Errorf("%s: %d octets", props, len(w.text("C:calendar-data")))
			}
		}
		r := h.report(ann, annCalendar+"b.ics", `<C:calendar-multiget><D:prop><D:getetag/></D:prop><D:href>`+annCalendar+`b.ics</D:href></C:calendar-multiget>`)
		equal(t, "on an object", names(t, r, annCalendar), []string{"b.ics"})
	})
}

// RFC 6578, as each program asks (clients.md fixture 8).
func TestSync(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		variants := map[string]func(token string) reply{
			"Apple 10.7": func(token string) reply {
				return h.report(ann, annCalendar, `<D:sync-collection><D:sync-token>`+token+`</D:sync-token><D:prop><D:getcontenttype/><D:getetag/></D:prop></D:sync-collection>`, "Depth", "1")
			},
			"Thunderbird": func(token string) reply {
				return h.report(ann, annCalendar, `<D:sync-collection><D:sync-token>`+token+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getcontenttype/><D:getetag/></D:prop></D:sync-collection>`, "Depth", "1")
			},
			"Evolution": func(token string) reply {
				return h.report(ann, annCalendar, `<D:sync-collection><D:sync-token>`+token+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`, "Depth", "0")
			},
			"no Depth": func(token string) reply {
				return h.report(ann, annCalendar, `<D:sync-collection><D:sync-token>`+token+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/><C:calendar-data/></D:prop></D:sync-collection>`)
			},
		}
		put := func(name, more string) {
			t.Helper()
			if r := h.put(ann, annCalendar+name+".ics", event(name, "20261102T100000Z", "20261102T110000Z", more)); r.status >= 300 {
				t.Fatalf("%+v", r)
			}
		}
		put("old", "")
		h.do(ann, "DELETE", annCalendar+"old.ics", "").want(t, 204)
		put("a", "")
		put("b", "")
		tokens := map[string]string{}
		for name, sync := range variants {
			r := sync("")
			equal(t, name+" initial", names(t, r, annCalendar), []string{"a.ics", "b.ics"})
			tokens[name] = tokenOf(t, r)
			if name == "no Depth" && !strings.Contains(r.row(t, annCalendar+"a.ics").text("C:calendar-data"), "UID:a") {
				t.Error("no calendar-data")
			}
			if name == "Thunderbird" && r.row(t, annCalendar+"a.ics").text("D:getcontenttype") != "text/calendar; charset=utf-8; component=VEVENT" {
				t.Errorf("%s", r.body)
			}
			r = sync(tokens[name])
			equal(t, name+" nothing new", names(t, r, annCalendar), []string{})
			equal(t, name+" token", tokenOf(t, r), tokens[name])
		}
		if got := h.propfind(ann, annCalendar, "0", "D:sync-token").row(t, annCalendar).text("D:sync-token"); got != tokens["Evolution"] {
			t.Errorf("the property says %q, the report %q", got, tokens["Evolution"])
		}
		put("a", "LOCATION:x")
		put("c", "")
		put("d", "")
		h.do(ann, "DELETE", annCalendar+"b.ics", "").want(t, 204)
		h.do(ann, "DELETE", annCalendar+"d.ics", "").want(t, 204)
		put("e", "")
		h.do(ann, "DELETE", annCalendar+"e.ics", "").want(t, 204)
		put("e", "")
		for name, sync := range variants {
			// RFC 6578 §3.5: made and removed in between: removed; made anew: changed.
			equal(t, name+" changes", names(t, sync(tokens[name]), annCalendar), []string{"a.ics", "b.ics 404", "c.ics", "d.ics 404", "e.ics"})
		}

		// RFC 6578 §3.6, §3.7: a limit, until nothing is left.
		token, all := "", []string{}
		for page := 0; ; page++ {
			r := h.report(ann, annCalendar, `<D:sync-collection><D:sync-token>`+token+`</D:sync-token><D:sync-level>1</D:sync-level><D:limit><D:nresults>2</D:nresults></D:limit><D:prop><D:getetag/></D:prop></D:sync-collection>`)
			ns := names(t, r, annCalendar)
			token = tokenOf(t, r)
			if len(ns) > 0 && ns[0] == " 507" {
				if !strings.Contains(r.body, "<D:error><D:number-of-matches-within-limits/></D:error>") || len(ns) != 3 {
					t.Errorf("page %d: %s", page, r.body)
				}
				all = append(all, ns[1:]...)
				if page > 5 {
					t.Fatal("it does not end")
				}
				continue
			}
			all = append(all, ns...)
			break
		}
		sort.Strings(all)
		// What went since the first page must be told; what went before may be.
		all = slices.DeleteFunc(all, func(n string) bool { return strings.HasSuffix(n, " 404") })
		equal(t, "by pages", all, []string{"a.ics", "c.ics", "e.ics"})
		equal(t, "after the pages", names(t, variants["Evolution"](token), annCalendar), []string{})
	})
}

func tokenOf(t testing.TB, r reply) string {
	t.Helper()
	for _, c := range parseXML(t, r.want(t, 207).body).Children() {
		if short(c) == "D:sync-token" {
			if !strings.Contains(c.Text(), ":") {
				t.Errorf("token %q", c.Text()) // Evolution ignores what is no URI
			}
			return c.Text()
		}
	}
	t.Fatalf("no token in %s", r.body)
	return ""
}

// RFC 6578 §3.2: a token of another time or place is refused by its name,
// never with an empty DAV:error, which Thunderbird takes for a rate limit.
func TestSyncToken(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		sync := func(path, token string) reply {
			t.Helper()
			return h.report(ann, path, `<D:sync-collection><D:sync-token>`+token+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`)
		}
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		good := tokenOf(t, sync(annCalendar, ""))
		parsed, err := parseToken(good)
		if err != nil {
			t.Fatal(err)
		}
		ahead, epoch, place := parsed, parsed, parsed
		ahead.modseq++
		epoch.epoch = "x"
		place.incarnation = "x"
		for _, bad := range []string{"x", "urn:x", "data:,sync:", "data:,sync:a:b:1", "urn:convene:sync:a:b:-1:0", strings.Replace(good, "data:", "DATA:", 1),
			ahead.String(), epoch.String(), place.String(), tokenOf(t, sync(annTasks, ""))} {
			sync(annCalendar, bad).refused(t, 403, "D:valid-sync-token")
		}
		sync(annCalendar, good).want(t, 207)
		// Those that earlier releases gave are good as long as Thunderbird has them.
		sync(annCalendar, strings.Replace(good, tokenScheme, oldTokenScheme, 1)).want(t, 207)
		home := tokenOf(t, sync(annHome, ""))
		sync(annHome, strings.Replace(home, tokenScheme, oldTokenScheme, 1)).want(t, 207)
		sync(annHome, strings.Replace(home, "home:calendars", "home:addressbooks", 1)).refused(t, 403, "D:valid-sync-token")
		// A calendar made anew under an old name is another one.
		h.do(ann, "MKCALENDAR", annHome+"w/", "").want(t, 201)
		old := tokenOf(t, sync(annHome+"w/", ""))
		h.do(ann, "DELETE", annHome+"w/", "").want(t, 204)
		h.do(ann, "MKCALENDAR", annHome+"w/", "").want(t, 201)
		sync(annHome+"w/", old).refused(t, 403, "D:valid-sync-token")
		// What homes lie in is not synchronised; it does not say so either.
		sync("/dav/calendars/", "").refused(t, 403, "D:supported-report")
	})
}

func TestQuery(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		put := func(name, body string) {
			t.Helper()
			h.put(ann, annCalendar+name, body).want(t, 201)
		}
		put("one.ics", event("one", "20261102T100000Z", "20261102T110000Z", ""))
		put("daily.ics", event("daily", "20261001T080000Z", "20261001T083000Z", "RRULE:FREQ=DAILY\nEXDATE:20261103T080000Z"))
		put("ended.ics", event("ended", "20261001T080000Z", "20261001T083000Z", "RRULE:FREQ=DAILY;COUNT=3"))
		put("allday.ics", strings.NewReplacer("DTSTART:2", "DTSTART;VALUE=DATE:2", "DTEND:2", "DTEND;VALUE=DATE:2").Replace(event("allday", "20261103", "20261104", "")))
		put("long.ics", event("long", "20261001T000000Z", "20261201T000000Z", ""))
		h.put(ann, annTasks+"t.ics", lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VTODO", "UID:t", "DTSTAMP:20261101T000000Z", "SUMMARY:milk", "END:VTODO", "END:VCALENDAR")).want(t, 201)
		test := func(compFilter string, want ...string) {
			t.Helper()
			r := h.report(ann, annCalendar, queryOf(compFilter, "D:getetag"), "Depth", "1")
			equal(t, compFilter, names(t, r, annCalendar), append([]string{}, want...))
			// The same with bodies: what was decided by the index alone must be the same.
			equal(t, compFilter, names(t, h.report(ann, annCalendar, queryOf(compFilter, "D:getetag C:calendar-data")), annCalendar), append([]string{}, want...))
		}
		ranged := func(attrs string) string {
			return `<C:comp-filter name="VEVENT"><C:time-range ` + attrs + `/></C:comp-filter>`
		}
		test(`<C:comp-filter name="VEVENT"/>`, "allday.ics", "daily.ics", "ended.ics", "long.ics", "one.ics")
		test(ranged(`start="20261102T000000Z" end="20261103T000000Z"`), "allday.ics", "daily.ics", "long.ics", "one.ics") // the day begins at 23:00Z in Berlin
		test(ranged(`start="20261103T080000Z" end="20261103T083000Z"`), "allday.ics", "long.ics")                         // EXDATE
		test(ranged(`start="20261102T110000Z" end="20261102T120000Z"`), "long.ics")                                       // the end is exclusive
		test(ranged(`start="20261002T080000Z" end="20261002T090000Z"`), "daily.ics", "ended.ics", "long.ics")
		test(ranged(`start="20261105T080000Z"`), "daily.ics", "long.ics") // iOS: no end
		test(ranged(`end="20261002T000000Z"`), "daily.ics", "ended.ics", "long.ics")
		test(ranged(`start="20400101T080000Z" end="20400101T090000Z"`), "daily.ics") // beyond what the record covers
		test(`<C:comp-filter name="VTODO"/>`)
		test(`<C:comp-filter name="VJOURNAL"/>`) // an empty 207, not an error
		test(`<C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match collation="i;octet">daily</C:text-match></C:prop-filter></C:comp-filter>`, "daily.ics")
		test(`<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match>LON</C:text-match></C:prop-filter></C:comp-filter>`, "long.ics")
		test(`<C:comp-filter name="VEVENT"><C:time-range start="20261102T000000Z" end="20261103T000000Z"/><C:prop-filter name="RRULE"/></C:comp-filter>`, "daily.ics")

		r := h.report(ann, annTasks, queryOf(`<C:comp-filter name="VTODO"/>`, "D:getetag C:calendar-data"), "Depth", "1")
		equal(t, "tasks", names(t, r, annTasks), []string{"t.ics"})
		// In another zone the day is elsewhere (RFC 4791 §9.8).
		const tokyo = "<C:timezone>BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//EN\nBEGIN:VTIMEZONE\nTZID:Asia/Tokyo\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0900\nTZOFFSETTO:+0900\nEND:STANDARD\nEND:VTIMEZONE\nEND:VCALENDAR\n</C:timezone></C:calendar-query>"
		q := queryOf(ranged(`start="20261102T150000Z" end="20261102T160000Z"`), "D:getetag")
		equal(t, "Berlin", names(t, h.report(ann, annCalendar, q), annCalendar), []string{"long.ics"})
		equal(t, "Tokyo", names(t, h.report(ann, annCalendar, strings.Replace(q, "</C:calendar-query>", tokyo, 1)), annCalendar), []string{"allday.ics", "long.ics"})
		// So is what expand makes of it (§9.6.5, §7.3).
		r = h.report(ann, annCalendar, strings.Replace(strings.Replace(q, "<D:getetag/>", `<C:calendar-data><C:expand start="20261102T150000Z" end="20261102T160000Z"/></C:calendar-data>`, 1), "</C:calendar-query>", tokyo, 1))
		if data := r.row(t, annCalendar+"allday.ics").text("C:calendar-data"); !strings.Contains(data, "BEGIN:VEVENT") {
			t.Errorf("expanded in Tokyo: %s", data)
		}
		for _, bad := range []string{strings.Replace(tokyo, "VERSION:2.0\n", "", 1), strings.Replace(tokyo, "END:VCALENDAR", "BEGIN:VEVENT\nUID:1\nDTSTART:20260101T000000Z\nEND:VEVENT\nEND:VCALENDAR", 1), "<C:timezone/></C:calendar-query>"} {
			h.report(ann, annCalendar, strings.Replace(q, "</C:calendar-query>", bad, 1)).refused(t, 403, "C:valid-calendar-data")
		}
		// draft-daboo-caldav-extensions §3: any of several components.
		either := strings.Replace(queryOf(`<C:comp-filter name="VTODO"/>`+ranged(`start="20261102T150000Z" end="20261102T160000Z"`), "D:getetag"), `"VCALENDAR"`, `"VCALENDAR" test="anyof"`, 1)
		equal(t, "anyof", names(t, h.report(ann, annCalendar, either), annCalendar), []string{"long.ics"})
		equal(t, "anyof", names(t, h.report(ann, annTasks, either), annTasks), []string{"t.ics"})
		// Depth 0 on a collection is the collection, which is no object.
		equal(t, "Depth 0", names(t, h.report(ann, annCalendar, q, "Depth", "0"), annCalendar), []string{})
		equal(t, "object", names(t, h.report(ann, annCalendar+"long.ics", q, "Depth", "0"), annCalendar), []string{"long.ics"})

		// expand: instances in UTC (RFC 4791 §9.6.5).
		r = h.report(ann, annCalendar, `<C:calendar-query><D:prop><C:calendar-data><C:expand start="20261102T000000Z" end="20261105T000000Z"/></C:calendar-data></D:prop><C:filter><C:comp-filter name="VCALENDAR">`+
			ranged(`start="20261102T000000Z" end="20261105T000000Z"`)+`</C:comp-filter></C:filter></C:calendar-query>`, "Depth", "1")
		data := r.row(t, annCalendar+"daily.ics").text("C:calendar-data")
		if strings.Contains(data, "RRULE") || strings.Count(data, "BEGIN:VEVENT") != 2 || !strings.Contains(data, "RECURRENCE-ID:20261104T080000Z") {
			t.Errorf("%s", data)
		}

		h.report(ann, annCalendar, `<C:calendar-query><D:prop><D:getetag/></D:prop></C:calendar-query>`).refused(t, 403, "C:valid-filter")
		h.report(ann, annCalendar, queryOf(ranged(`start="2026"`), "D:getetag")).refused(t, 403, "C:valid-filter")
		h.report(ann, annSelf, queryOf(`<C:comp-filter name="VEVENT"/>`, "D:getetag"), "Depth", "1").refused(t, 403, "D:supported-report")
	})
}

// A listing does not end at the size of a page.
func TestLongListing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const n = pageRows + 30
		h.seedMany(ann, "calendar", n)
		rows := h.propfind(ann, annCalendar, "1", "D:getetag D:getcontenttype").rows(t)
		if len(rows) != n+1 {
			t.Fatalf("%d rows", len(rows))
		}
		seen := map[string]bool{}
		for _, w := range rows[1:] {
			seen[w.href] = true
			if w.text("D:getetag") == "" || w.text("D:getcontenttype") != "text/calendar; charset=utf-8; component=VEVENT" {
				t.Fatalf("%+v", w)
			}
		}
		if len(seen) != n {
			t.Errorf("%d names", len(seen))
		}
		r := h.report(ann, annCalendar, `<D:sync-collection><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:getetag/><C:calendar-data/></D:prop></D:sync-collection>`)
		if rows := r.rows(t); len(rows) != n || !strings.Contains(rows[n-1].text("C:calendar-data"), "BEGIN:VEVENT") {
			t.Errorf("sync: %d rows", len(rows))
		}
		if rows := h.report(ann, annCalendar, queryOf(`<C:comp-filter name="VEVENT"/>`, "D:getetag")).rows(t); len(rows) != n {
			t.Errorf("query: %d rows", len(rows))
		}
	})
}

// seedMany stores n events of one hour each, an hour apart, "e00000.ics" on.
func (h *house) seedMany(owner, collection string, n int) {
	h.t.Helper()
	objects := map[string]string{}
	for i := range n {
		name := fmt.Sprintf("e%05d", i)
		day := now.AddDate(0, 0, i/24)
		objects[name+".ics"] = event(name, fmt.Sprintf("%sT%02d0000Z", day.Format("20060102"), i%24), fmt.Sprintf("%sT%02d3000Z", day.Format("20060102"), i%24), "")
	}
	h.seedAll(owner, collection, objects)
}

func TestFreeBusyQuery(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		h.put(ann, annCalendar+"b.ics", event("b", "20261102T103000Z", "20261102T120000Z", "")).want(t, 201)
		h.put(ann, annCalendar+"c.ics", event("c", "20261102T130000Z", "20261102T140000Z", "TRANSP:TRANSPARENT")).want(t, 201)
		h.put(ann, annCalendar+"d.ics", event("d", "20261102T150000Z", "20261102T160000Z", "STATUS:TENTATIVE")).want(t, 201)
		ask := func(who, path, attrs string) reply {
			t.Helper()
			return h.report(who, path, `<C:free-busy-query><C:time-range `+attrs+`/></C:free-busy-query>`, "Depth", "1")
		}
		r := ask(ann, annCalendar, `start="20261102T000000Z" end="20261103T000000Z"`).want(t, 200)
		if !strings.HasPrefix(r.header.Get("Content-Type"), "text/calendar") {
			t.Errorf("%v", r.header)
		}
		for _, want := range []string{"BEGIN:VFREEBUSY\r\n", "DTSTART:20261102T000000Z\r\n", "DTEND:20261103T000000Z\r\n",
			"FREEBUSY;FBTYPE=BUSY:20261102T100000Z/PT2H\r\n", "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20261102T150000Z/PT1H\r\n"} {
			if !strings.Contains(r.body, want) {
				t.Errorf("no %q in %s", want, r.body)
			}
		}
		if strings.Count(r.body, "FREEBUSY;") != 2 {
			t.Errorf("%s", r.body)
		}
		ask(ann, annCalendar, `start="20261102T000000Z"`).want(t, 400)
		ask(ann, annCalendar, `start="20261103T000000Z" end="20261102T000000Z"`).want(t, 400)
		ask(ann, annCalendar, `start="19700101T000000Z" end="21000101T000000Z"`).want(t, 403)
		ask(ann, bobCalendar, `start="20261102T000000Z" end="20261103T000000Z"`).want(t, 404)
	})
}

func TestPrincipalReports(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		r := h.report(ann, "/dav/principals/", `<D:principal-search-property-set></D:principal-search-property-set>`, "Depth", "0").want(t, 200) // not 207
		for _, p := range []string{"D:displayname", "CS:email-address-set", "C:calendar-user-address-set", "C:calendar-user-type"} {
			if !strings.Contains(r.body, "<D:prop><"+p+"/></D:prop>") {
				t.Errorf("no %s in %s", p, r.body)
			}
		}
		search := func(in string, want ...string) {
			t.Helper()
			r := h.report(ann, "/dav/principals/", `<D:principal-property-search`+in+`</D:principal-property-search>`)
			equal(t, in, names(t, r, "/dav/principals/"), append([]string{}, want...))
		}
		by := func(prop, match string) string {
			return `<D:property-search><D:prop><` + prop + `/></D:prop><D:match` + match + `</D:match></D:property-search>`
		}
		const props = `<D:prop><D:displayname/><C:calendar-user-address-set/><C:calendar-user-type/></D:prop>`
		search(`>`+by("D:displayname", ">bo")+props, "bob@example.org/")
		search(` test="anyof">`+by("D:displayname", ` match-type="starts-with">big`)+by("CS:email-address-set", ` match-type="starts-with">BOB`)+props, "bob@example.org/", "room@example.org/")
		search(` test="allof">` + by("D:displayname", ` match-type="starts-with">big`) + by("CS:email-address-set", ` match-type="starts-with">BOB`) + props)
		search(`>`+by("D:displayname", ` match-type="equals">Big room`)+props+`<D:apply-to-principal-collection-set/>`, "room@example.org/")
		search(`>`+by("C:calendar-user-address-set", ">bob@example.org")+props, "bob@example.org/")
		search(`>`+by("C:calendar-user-address-set", ">mailto:ann.b@example.org")+props, "ann@example.org/") // an alias
		search(`>`+by("C:calendar-user-type", ">room")+props, "room@example.org/")
		search(`>` + by("D:displayname", ">nobody") + props)
		search(`>` + by("CS:unknown", ">b") + props)
		r = h.report(ann, "/dav/principals/", `<D:principal-property-search>`+by("CS:email-address-set", ">example.org")+`<D:limit><D:nresults>2</D:nresults></D:limit>`+props+`</D:principal-property-search>`)
		equal(t, "limit", names(t, r, "/dav/principals/"), []string{" 507", "ann@example.org/", "bob@example.org/"})

		w := h.report(ann, annSelf, `<D:expand-property><D:property name="calendar-proxy-write-for" namespace="http://calendarserver.org/ns/"><D:property name="displayname"/></D:property>`+
			`<D:property name="calendar-home-set" namespace="urn:ietf:params:xml:ns:caldav"><D:property name="displayname"/><D:property name="resourcetype"/></D:property></D:expand-property>`).row(t, annSelf)
		if w.text("CS:calendar-proxy-write-for") != "" || !w.has("CS:calendar-proxy-write-for") {
			t.Errorf("%+v", w)
		}
		if want := "<D:response><D:href>" + annHome + "</D:href><D:propstat><D:prop><D:displayname>Ann Ärmel</D:displayname><D:resourcetype><D:collection/></D:resourcetype></D:prop>" +
			"<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"; strings.TrimSpace(w.text("C:calendar-home-set")) != want {
			t.Errorf("got %s\nwant %s", w.text("C:calendar-home-set"), want)
		}
		r = h.report(ann, "/dav/principals/", `<D:principal-match><D:self/><D:prop><D:displayname/></D:prop></D:principal-match>`)
		equal(t, "principal-match", names(t, r, ""), []string{annSelf})
		r = h.report(ann, annCalendar, `<D:acl-principal-prop-set><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>`)
		equal(t, "acl-principal-prop-set", names(t, r, ""), []string{annSelf, annSelf + "calendar-proxy-read/", annSelf + "calendar-proxy-write/"})
		r = h.report(ann, annContacts, `<D:acl-principal-prop-set><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>`)
		equal(t, "acl-principal-prop-set", names(t, r, ""), []string{annSelf})
		h.report(ann, annCalendar, `<D:acl-principal-prop-set><D:prop><D:displayname/></D:prop><D:prop><D:acl/></D:prop></D:acl-principal-prop-set>`).want(t, 400) // RFC 3744 §9.2
		h.report(ann, annCalendar, `<D:acl-principal-prop-set><D:all/></D:acl-principal-prop-set>`).want(t, 400)
		// Hrefs in what somebody keeps with a resource are followed too, where he may.
		h.proppatch(ann, annHome, `<D:set><D:prop><D:mine>`+href(annCalendar)+`</D:mine><D:his>`+href(bobCalendar)+`</D:his></D:prop></D:set>`).want(t, 207)
		w = h.report(ann, annHome, `<D:expand-property><D:property name="mine"><D:property name="resourcetype"/></D:property><D:property name="his"><D:property name="resourcetype"/></D:property></D:expand-property>`).row(t, annHome)
		if !strings.Contains(w.text("D:mine"), "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>") || !w.has("D:his") || w.text("D:his") != "" {
			t.Errorf("%+v", w)
		}
		h.do(ann, "ACL", annCalendar, `<D:acl xmlns:D="DAV:"/>`).want(t, 200)
		h.do(ann, "ACL", "/dav/principals/", `<D:acl xmlns:D="DAV:"/>`).refused(t, 403, "D:no-protected-ace-conflict")
	})
}
