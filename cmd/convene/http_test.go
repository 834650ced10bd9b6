package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/convene-server/convene/db/dbtest"
)

// A mistake of ours costs one request, is logged, and tells the client nothing
// about the inside.
func TestPanicIsOneRequest(t *testing.T) {
	var log bytes.Buffer
	s := &server{log: slog.New(slog.NewTextHandler(&log, nil))}
	m := newMetrics(dbtest.New(t, "sqlite"))
	h := m.count(s.recover(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			io.WriteString(w, "begun")
			http.NewResponseController(w).Flush()
		}
		panic("inside")
	})))
	web := httptest.NewServer(h)
	defer web.Close()
	resp, err := http.Get(web.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 500 || strings.Contains(string(body), "inside") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, err := http.Get(web.URL + "/late"); err == nil {
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("an answer that broke off looks whole")
		}
		resp.Body.Close()
	}
	if n := strings.Count(log.String(), "panic in a request"); n != 2 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
}

// Methods that clients invent share one label.
func TestMetricsAreBounded(t *testing.T) {
	m := newMetrics(dbtest.New(t, "sqlite"))
	h := m.count(http.NotFoundHandler())
	for _, method := range []string{"GET", "BREW", "WHEN"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/", nil))
	}
	w := httptest.NewRecorder()
	m.handler.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`convene_http_requests_total{method="GET",status="4xx"} 1`, `convene_http_requests_total{method="other",status="4xx"} 2`, `convene_queue_mails 0`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
}

func TestHealth(t *testing.T) {
	store := dbtest.New(t, "sqlite")
	s := &server{Store: store, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	get := func(want int) {
		t.Helper()
		w := httptest.NewRecorder()
		s.health(w, httptest.NewRequest("GET", "/healthz", nil))
		if w.Code != want {
			t.Errorf("%d, want %d", w.Code, want)
		}
	}
	get(200)
	store.Close()
	get(503)
}
