package published

import (
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

var today = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

const file = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VFREEBUSY\r\nDTSTART:20260301T000000Z\r\nDTEND:20260401T000000Z\r\nFREEBUSY:20260303T100000Z/PT1H\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"

// house is a fetcher with a database and a web server whose answers a test
// makes.
type house struct {
	testing.TB
	store *db.Store
	*Fetcher
	web *httptest.Server

	mu    sync.Mutex
	serve http.HandlerFunc
	asked int
	now   time.Time
}

func open(t testing.TB, kind string, networks ...string) *house {
	h := &house{TB: t, now: today}
	clock := func() time.Time {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.now
	}
	h.store = dbtest.Open(t, dbtest.DSN(t, kind), db.Options{Clock: clock})
	opt := Options{Store: h.store, Now: clock}
	for _, n := range networks {
		opt.Networks = append(opt.Networks, netip.MustParsePrefix(n))
	}
	h.Fetcher = New(opt)
	h.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.asked++
		serve := h.serve
		h.mu.Unlock()
		serve(w, r)
	}))
	t.Cleanup(h.web.Close)
	return h
}

func (h *house) answer(f http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serve = f
}

func (h *house) forward(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func (h *house) write(f func(*db.Tx) error) {
	h.Helper()
	if err := h.store.Write(context.Background(), nil, f); err != nil {
		h.Fatal(err)
	}
}

func (h *house) publish(url string) {
	h.Helper()
	h.write(func(tx *db.Tx) error {
		return tx.SetPublished(0, 0, "bob@example.com", []db.Published{{Name: "bob@example.com", URL: url}})
	})
}

// work fetches what is due, wants it to be n URLs, and returns the first.
func (h *house) work(n int) db.Feed {
	h.Helper()
	got, err := h.WorkOnce(context.Background())
	if err != nil || got != n {
		h.Errorf("%d fetched, %v; want %d", got, err, n)
	}
	var all []db.Published
	h.write(func(tx *db.Tx) (err error) {
		all, err = tx.PublishedFor(0, "bob@example.com")
		return err
	})
	return all[0].Feed
}

func TestFetch(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			h := open(t, kind, "127.0.0.0/8")
			h.answer(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("If-None-Match") == `"1"` {
					w.WriteHeader(http.StatusNotModified)
					return
				}
				w.Header().Set("ETag", `"1"`)
				fmt.Fprint(w, file)
			})
			h.publish(h.web.URL + "/secret/bob.ifb")
			f := h.work(1)
			if !strings.Contains(string(f.Data), "20260303T100000Z/PT1H") || f.ETag != `"1"` || !f.Fetched.Equal(today) || !f.Due.IsZero() {
				t.Errorf("%+v", f)
			}
			h.work(0) // nobody asks
			want := func() {
				h.write(func(tx *db.Tx) error { return tx.WantFeeds([]string{h.web.URL + "/secret/bob.ifb"}) })
			}
			h.forward(time.Hour)
			want()
			if g := h.work(1); string(g.Data) != string(f.Data) || !g.Fetched.Equal(today.Add(time.Hour)) {
				t.Errorf("unchanged: %+v", g)
			}
			// A failure keeps what was found, is tried again, and not for ever.
			h.answer(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", 500) })
			want()
			n := 0
			for range 40 {
				got, err := h.WorkOnce(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				n += got
				h.forward(time.Hour)
			}
			if f = h.work(0); n != tries || f.Failures != tries || f.Answer != "status 500" || len(f.Data) == 0 {
				t.Errorf("%d tries, %+v", n, f)
			}
			want()
			h.answer(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, file) })
			if f = h.work(1); f.Failures != 0 || f.Answer != "" {
				t.Errorf("%+v", f)
			}
		})
	}
}

// What a stranger's server can answer is bounded.
func TestFetchBounds(t *testing.T) {
	h := open(t, "sqlite", "127.0.0.1/32")
	test := func(why string, f http.HandlerFunc) {
		t.Helper()
		h.answer(f)
		feed := db.Feed{URL: h.web.URL}
		h.refresh(context.Background(), &feed)
		if !strings.Contains(feed.Answer, why) || (why == "") != (len(feed.Data) > 0) || strings.Contains(feed.Answer, "secret") {
			t.Errorf("%q, want %q", feed.Answer, why)
		}
	}
	test("", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, file) })
	test("status 404", func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
	test("no VFREEBUSY", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.ReplaceAll(file, "VFREEBUSY", "VEVENT"))
	})
	test("octets", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, MaxBytes+1)) })
	test("octets", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		z.Write(make([]byte, 100<<20))
		z.Close()
	})
	test("more than 3 redirects", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/secret", 302) })
	n := 0
	test("", func(w http.ResponseWriter, r *http.Request) {
		if n++; n <= MaxRedirects {
			http.Redirect(w, r, "/again", 302)
			return
		}
		fmt.Fprint(w, file)
	})
	test("neither http", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "file:///etc/passwd", 302) })
	test("is no public address", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(h.web.URL, "127.0.0.1", "127.0.0.2", 1), 302)
	})
	test("is no public address", func(w http.ResponseWriter, r *http.Request) { // a name, too
		http.Redirect(w, r, strings.Replace(h.web.URL, "127.0.0.1", "[::1]", 1), 302)
	})
}

// It connects to public addresses only, whatever the URL is called.
func TestFetchPublicOnly(t *testing.T) {
	h := open(t, "sqlite")
	h.answer(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, file) })
	for _, u := range []string{h.web.URL, strings.Replace(h.web.URL, "127.0.0.1", "localhost", 1)} {
		feed := db.Feed{URL: u}
		h.refresh(context.Background(), &feed)
		if !strings.Contains(feed.Answer, "is no public address") {
			t.Errorf("%s: %q", u, feed.Answer)
		}
	}
	if h.asked > 0 {
		t.Error("it was asked")
	}
	test := func(want bool, addrs ...string) {
		t.Helper()
		for _, a := range addrs {
			if got := Public(netip.MustParseAddr(a)); got != want {
				t.Errorf("%s is public: %v", a, got)
			}
		}
	}
	test(true, "1.1.1.1", "192.0.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1")
	test(false, "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255",
		"224.0.0.1", "198.18.0.1", "::", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "fe80::1", "fc00::1", "fd00::1", "ff02::1", "2002:a00:1::1", "2001:db8::1", "fec0::1", "::7f00:1")
	for _, u := range []string{"", "ftp://a/", "http://", "http:///x", "file:///etc/passwd", "http://user:secret@a/", "gopher://a", "http://" + strings.Repeat("a", 1000)} {
		if Check(u) == nil {
			t.Errorf("%q is taken", u)
		}
	}
}
