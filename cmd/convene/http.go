package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
)

// newHTTPServer bounds what a client may do to a connection: slow headers,
// slow bodies, endless idling, headers without end.
func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      10 * time.Minute, // a first synchronisation over a slow line
		IdleTimeout:       3 * time.Minute,  // programs poll every few minutes and like to keep the connection
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// routes gives each door its paths. The path is not cleaned before: the DAV
// door compares decoded segments by itself, and a redirect would cost programs
// a request.
func (s *server) routes() http.Handler {
	m := newMetrics(s.Store)
	dav, rsvp := s.davDoor(), s.Bridge.RSVP()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p := r.URL.Path; {
		case strings.HasPrefix(p, "/rsvp/"):
			rsvp.ServeHTTP(w, r)
		case p == "/healthz":
			s.health(w, r)
		case p == "/metrics":
			m.handler.ServeHTTP(w, r)
		default:
			dav.ServeHTTP(w, r)
		}
	})
	return m.count(s.recover(h))
}

// health answers 200 while the database answers.
func (s *server) health(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	err := s.Store.View(ctx, func(tx *db.Tx) error {
		_, err := tx.Now()
		return err
	})
	if err != nil {
		s.log.Error("health: the database does not answer", "err", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "the database does not answer\n")
		return
	}
	io.WriteString(w, "ok\n")
}

// recover keeps a mistake of ours in one request: it is logged with where it
// happened, and answered as a failure of the server.
func (s *server) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v)
			}
			s.log.Error("panic in a request", "method", r.Method, "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
			if rec, ok := w.(*recorder); ok && rec.status == 0 {
				http.Error(w, "internal error", http.StatusInternalServerError)
				return
			}
			panic(http.ErrAbortHandler) // the answer has begun: cut it off
		}()
		next.ServeHTTP(w, r)
	})
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Flush and Unwrap keep what the writer below can do.
func (r *recorder) Flush()                      { http.NewResponseController(r.ResponseWriter).Flush() }
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// statusClass of an answer, for a metric of few values: "2xx".
func statusClass(status int) string { return strconv.Itoa(status/100) + "xx" }
