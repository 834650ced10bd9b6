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
		req := httptest.NewRequest(method, annCalendar, strings.NewReader(body))
		req.SetBasicAuth(ann, "secret")
		req.Header.Set("Depth", "1")
		w := &held{peak: peak{header: http.Header{}}}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		w.from = m.HeapAlloc
		h.http.Config.Handler.ServeHTTP(w, req)
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
}

func (p *held) Write(b []byte) (int, error) {
	p.rows += strings.Count(string(b), "<D:response>")
	p.octets += int64(len(b))
	if p.octets-p.looked > 3<<20 || p.looked == 0 {
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
