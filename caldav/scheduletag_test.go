package caldav

import "testing"

// RFC 6638 §3.2.10, §8.2, §8.3: the header and the property tell the same
// after every way to write, and DELETE and MOVE ask for it.
func TestScheduleTag(t *testing.T) { each(t, scheduleTags) }

func scheduleTags(t *testing.T, h *house) {
	h.do(ann, "MKCALENDAR", annHome+"work/", "").want(t, 201)
	same := func(path, told string) string {
		t.Helper()
		header := h.do(ann, "GET", path, "").want(t, 200).header.Get("Schedule-Tag")
		property := h.propfind(ann, path, "0", "C:schedule-tag").row(t, path).text("C:schedule-tag")
		if header == "" || header != property || told != "" && told != header {
			t.Errorf("%s: header %q, property %q, told %q", path, header, property, told)
		}
		return header
	}
	const path, moved = annCalendar + "m.ics", annHome + "work/m.ics"
	first := same(path, h.put(ann, path, meeting("m", "20261203T100000Z", "20261203T110000Z", bob)).want(t, 201).header.Get("Schedule-Tag"))

	h.do(ann, "COPY", path, "", "Destination", moved, "If-Schedule-Tag-Match", first).refused(t, 403, "C:unique-scheduling-object-resource")
	h.do(ann, "COPY", path, "", "Destination", moved, "If-Schedule-Tag-Match", `"other"`).want(t, 412)
	h.do(ann, "COPY", path, "", "Destination", moved, "If-Schedule-Tag-Match", "").want(t, 412)
	same(path, first)
	h.do(ann, "MOVE", path, "", "Destination", moved, "If-Schedule-Tag-Match", `"other"`).want(t, 412)
	r := h.do(ann, "MOVE", path, "", "Destination", moved, "If-Schedule-Tag-Match", first).want(t, 201)
	second := same(moved, r.header.Get("Schedule-Tag"))
	if second == first { // §3.2.10: a MOVE is a change by the client
		t.Error("MOVE kept the Schedule-Tag")
	}
	// §8.3: empty is a resource without a tag.
	h.do(ann, "DELETE", moved, "", "If-Schedule-Tag-Match", "").want(t, 412)
	h.do(ann, "DELETE", moved, "", "If-Schedule-Tag-Match", first).want(t, 412)
	same(moved, second)
	h.do(ann, "DELETE", moved, "", "If-Schedule-Tag-Match", second).want(t, 204)

	plain := event("p", "20261102T100000Z", "20261102T110000Z", "")
	h.put(ann, annCalendar+"p.ics", plain).want(t, 201)
	h.do(ann, "DELETE", annCalendar+"p.ics", "", "If-Schedule-Tag-Match", `"some"`).want(t, 412)
	h.do(ann, "DELETE", annCalendar+"p.ics", "", "If-Schedule-Tag-Match", "").want(t, 204)
}
