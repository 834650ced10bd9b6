package caldav

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// The benchmarks go over HTTP, as programs do; Bare is what net/http costs without us.

func benchEach(b *testing.B, n int, f func(b *testing.B, h *house)) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			dsn := dbtest.DSN(b, kind)
			h := newHouse(b, dbtest.Open(b, dsn, db.Options{}))
			h.seedMany(ann, "calendar", n)
			if kind == "postgres" { // a server in service has statistics
				d, err := sql.Open("postgres", dsn)
				if err == nil {
					_, err = d.Exec("ANALYZE")
				}
				if err != nil {
					b.Fatal(err)
				}
				d.Close()
			}
			h.propfind(ann, annCalendar, "0", "D:getetag") // log in
			f(b, h)
		})
	}
}

// drain sends one request and reads the answer to its end.
func drain(b *testing.B, c *http.Client, method, url, body string, want int, headers ...string) int64 {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.SetBasicAuth(ann, "secret")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	n, err := io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != want {
		b.Fatalf("%s %s: %d, %v", method, url, res.StatusCode, err)
	}
	return n
}

func client() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}}
}

func parallel(b *testing.B, f func(c *http.Client)) {
	c := client()
	b.SetParallelism(2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			f(c)
		}
	})
}

func BenchmarkBare(b *testing.B) {
	body := []byte(strings.Repeat("x", 1000))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/calendar")
		w.Write(body)
	}))
	defer s.Close()
	parallel(b, func(c *http.Client) { drain(b, c, "GET", s.URL+"/", "", 200) })
}

func BenchmarkGet(b *testing.B) {
	benchEach(b, 1000, func(b *testing.B, h *house) {
		parallel(b, func(c *http.Client) { drain(b, c, "GET", h.http.URL+annCalendar+"e00500.ics", "", 200) })
	})
}

func BenchmarkPoll(b *testing.B) {
	const body = `<propfind xmlns="DAV:" xmlns:S="http://calendarserver.org/ns/"><prop><S:getctag/><sync-token/></prop></propfind>`
	benchEach(b, 1000, func(b *testing.B, h *house) {
		parallel(b, func(c *http.Client) {
			drain(b, c, "PROPFIND", h.http.URL+annCalendar, body, 207, "Depth", "0")
		})
	})
}

// one runs requests one by one.
func one(b *testing.B, n int, method, body string, headers ...string) {
	benchEach(b, n, func(b *testing.B, h *house) {
		c := client()
		var size int64
		b.ReportAllocs()
		for b.Loop() {
			size = drain(b, c, method, h.http.URL+annCalendar, body, 207, headers...)
		}
		b.ReportMetric(float64(size), "octets")
	})
}

func BenchmarkPropfind(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			one(b, n, "PROPFIND", `<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>`, "Depth", "1")
		})
	}
}

// BenchmarkPropfindLimit is what the same listing costs without the door: the
// rows read and octets written.
func BenchmarkPropfindLimit(b *testing.B) {
	benchEach(b, 10_000, func(b *testing.B, h *house) {
		var coll int64
		h.store.View(b.Context(), func(tx *db.Tx) error {
			p, err := tx.PrincipalByAddress(ann)
			if err != nil {
				b.Fatal(err)
			}
			c, err := tx.CollectionByName(p.ID, db.Calendar, "calendar")
			coll = c.ID
			return err
		})
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			buf := make([]byte, 0, 64<<10)
			for after := ""; ; {
				var os []db.Listed
				h.store.View(r.Context(), func(tx *db.Tx) (err error) {
					os, err = tx.Names(coll, after, 1000)
					return err
				})
				for _, o := range os {
					buf = append(buf, "\n<D:response><D:href>/dav/calendars/ann@example.org/calendar/"...)
					buf = append(buf, o.Name...)
					buf = append(buf, "</D:href><D:propstat><D:prop><D:getetag>\""...)
					buf = append(buf, o.ETag...)
					buf = append(buf, "\"</D:getetag></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"...)
				}
				w.Write(buf)
				buf = buf[:0]
				if len(os) < 1000 {
					return
				}
				after = os[len(os)-1].Name
			}
		}))
		defer s.Close()
		c := client()
		for b.Loop() {
			drain(b, c, "GET", s.URL+"/", "", 200)
		}
	})
}

func BenchmarkSyncInitial(b *testing.B) {
	one(b, 10_000, "REPORT", `<sync-collection xmlns="DAV:"><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>`)
}

func BenchmarkMultiget100(b *testing.B) {
	var body strings.Builder
	body.WriteString(`<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop>`)
	for i := range 100 {
		fmt.Fprintf(&body, "<href>%se%05d.ics</href>", annCalendar, i*9)
	}
	body.WriteString(`</C:calendar-multiget>`)
	one(b, 1000, "REPORT", body.String())
}

func week(expand string) string {
	return `<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data>` + expand + `</C:calendar-data></prop><C:filter><C:comp-filter name="VCALENDAR">` +
		`<C:comp-filter name="VEVENT"><C:time-range start="20261109T000000Z" end="20261116T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`
}

func BenchmarkQueryWeek(b *testing.B) { one(b, 10_000, "REPORT", week(""), "Depth", "1") }

func BenchmarkQueryWeekExpanded(b *testing.B) {
	one(b, 10_000, "REPORT", week(`<C:expand start="20261109T000000Z" end="20261116T000000Z"/>`), "Depth", "1")
}

// BenchmarkPut stores new plain events.
func BenchmarkPut(b *testing.B) {
	benchEach(b, 1000, func(b *testing.B, h *house) {
		c := client()
		i := 0
		for b.Loop() {
			i++
			uid := fmt.Sprintf("put%d", i)
			drain(b, c, "PUT", h.http.URL+annCalendar+uid+".ics", event(uid, "20271102T100000Z", "20271102T110000Z", ""), 201, "Content-Type", "text/calendar", "If-None-Match", "*")
		}
	})
}

// nowhere takes an answer and keeps its status.
type nowhere struct {
	header http.Header
	status int
}

func (n *nowhere) Header() http.Header { return n.header }

func (n *nowhere) WriteHeader(status int) {
	if n.status == 0 {
		n.status = status
	}
}

func (n *nowhere) Write(b []byte) (int, error) {
	n.WriteHeader(http.StatusOK)
	return len(b), nil
}

// BenchmarkServe is the door without the network: what a request allocates and
// asks of the database does not depend on who else computes.
func BenchmarkServe(b *testing.B) {
	const poll = `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:" xmlns:S="http://calendarserver.org/ns/"><prop><S:getctag/><sync-token/></prop></propfind>`
	puts := 0
	for _, one := range []struct {
		name string
		want int
		ask  func(i int) *http.Request
	}{
		{"get", 200, func(i int) *http.Request {
			return httptest.NewRequest("GET", fmt.Sprintf("%se%05d.ics", annCalendar, i%1000), nil)
		}},
		{"poll", 207, func(int) *http.Request {
			r := httptest.NewRequest("PROPFIND", annCalendar, strings.NewReader(poll))
			r.Header.Set("Depth", "0")
			return r
		}},
		{"put", 201, func(int) *http.Request {
			puts++
			uid := fmt.Sprint("put", puts)
			return httptest.NewRequest("PUT", annCalendar+uid+".ics", strings.NewReader(event(uid, "20271102T100000Z", "20271102T110000Z", "")))
		}},
	} {
		b.Run(one.name, func(b *testing.B) {
			benchEach(b, 1000, func(b *testing.B, h *house) {
				door := h.http.Config.Handler
				serve := func(i int) {
					w, r := &nowhere{header: http.Header{}}, one.ask(i)
					r.SetBasicAuth(ann, "secret")
					if door.ServeHTTP(w, r); w.status != one.want {
						b.Fatalf("%s %s: %d", r.Method, r.URL, w.status)
					}
				}
				for i := range 20 { // statements are prepared, and planned for good
					serve(i)
				}
				ran, i := h.store.Ran(), 0
				b.ReportAllocs()
				for b.Loop() {
					serve(i)
					i++
				}
				b.ReportMetric(float64(h.store.Ran()-ran)/float64(b.N), "statements/op")
			})
		})
	}
}
