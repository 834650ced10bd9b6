package caldav

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// An answer that is larger than what a server may use is sent as it is made:
// what is held at once does not grow with the collection (STORAGE 11).
func TestListingStreams(t *testing.T) {
	const n, size = 4000, 6 << 10
	h := newHouse(t, storeOf(t, "sqlite"))
	text := strings.Repeat("x", size)
	for from := 0; from < n; from += 500 {
		objects := map[string]string{}
		for i := from; i < from+500; i++ {
			name := fmt.Sprintf("e%05d", i)
			objects[name+".ics"] = event(name, "20261102T100000Z", "20261102T110000Z", "DESCRIPTION:"+text)
		}
		h.seedAll(ann, "calendar", objects)
	}
	const data = `<D:prop><D:getetag/><C:calendar-data/></D:prop>`
	test := func(method, body string, rows int, least int64) {
		t.Helper()
		w := h.holds(method, body, 3<<20)
		if w.status != 207 || w.rows != rows || w.octets < least {
			t.Errorf("%s: %d, %d rows, %d octets", body, w.status, w.rows, w.octets)
		}
		if w.most > 8<<20 {
			t.Errorf("%s: %d kB were held of an answer of %d", body, w.most>>10, w.octets>>10)
		}
	}
	test("PROPFIND", `<D:propfind`+namespaces+`><D:prop><D:getetag/></D:prop></D:propfind>`, n+1, n*100)
	test("REPORT", `<D:sync-collection`+namespaces+`><D:sync-token/><D:sync-level>1</D:sync-level>`+data+`</D:sync-collection>`, n, n*size)
	test("REPORT", `<C:calendar-query`+namespaces+`>`+data+`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"/></C:comp-filter></C:filter></C:calendar-query>`, n, n*size)
	test("REPORT", `<C:calendar-query`+namespaces+`>`+data+`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20261101T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, n, n*size)
}

// held is peak that counts only what is still in use.
type held struct {
	peak
	octets int64
	looked int64
	every  int64 // octets after which it looks again
}

func (p *held) Write(b []byte) (int, error) {
	p.rows += strings.Count(string(b), "<D:response>")
	p.octets += int64(len(b))
	if p.octets-p.looked > p.every || p.looked == 0 {
		p.looked = p.octets
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if m.HeapAlloc > p.from {
			p.most = max(p.most, m.HeapAlloc-p.from)
		}
	}
	return len(b), nil
}

// Five times as many members are five times as long an answer, and nothing more
// at once (STORAGE 11).
func TestMembersStream(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			h := newHouse(t, storeOf(t, kind))
			asked := map[string]string{
				"PROPFIND": `<D:propfind` + namespaces + `><D:prop><D:getetag/><D:getcontentlength/><D:getlastmodified/></D:prop></D:propfind>`,
				"REPORT":   `<D:sync-collection` + namespaces + `><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:getetag/><D:getcontentlength/></D:prop></D:sync-collection>`,
			}
			few := map[string]uint64{}
			n := 0
			for _, members := range []int{2_000, 10_000} {
				for n < members {
					objects := map[string]string{}
					for range 1000 {
						name := fmt.Sprintf("e%05d", n)
						objects[name+".ics"] = event(name, "20261102T100000Z", "20261102T110000Z", "")
						n++
					}
					h.seedAll(ann, "calendar", objects)
				}
				for method, body := range asked {
					rows := members
					if method == "PROPFIND" {
						rows++
					}
					w := h.holds(method, body, 256<<10)
					if w.status != 207 || w.rows != rows {
						t.Fatalf("%s: %d, %d rows", method, w.status, w.rows)
					}
					if few[method] == 0 {
						few[method] = max(w.most, 1)
					} else if t.Logf("%s of %d: %d kB", method, members, w.most>>10); w.most > few[method]+2<<20 {
						t.Errorf("%s: %d kB were held of %d members, %d kB of 2000", method, w.most>>10, members, few[method]>>10)
					}
				}
			}
		})
	}
}

// holds sends a request for Ann's calendar and tells what was in use while the
// answer was written.
func (h *house) holds(method, body string, every int64) *held {
	req := httptest.NewRequest(method, annCalendar, strings.NewReader(body))
	req.SetBasicAuth(ann, "secret")
	req.Header.Set("Depth", "1")
	w := &held{peak: peak{header: http.Header{}}, every: every}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	w.from = m.HeapAlloc
	h.http.Config.Handler.ServeHTTP(w, req)
	return w
}
