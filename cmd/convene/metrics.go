package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics of one server; each has a registry of its own, so that several run
// in one process.
type metrics struct {
	handler  http.Handler
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	byMethod map[string]*counted
}

// counted are the metrics of one method, looked up when they are first needed:
// by their labels that takes longer than to count.
type counted struct {
	status  [6]func() prometheus.Counter // by class
	seconds func() prometheus.Observer
}

func (m *metrics) counted(method string) *counted {
	c := &counted{seconds: sync.OnceValue(func() prometheus.Observer { return m.seconds.WithLabelValues(method) })}
	for class := range c.status {
		c.status[class] = sync.OnceValue(func() prometheus.Counter { return m.requests.WithLabelValues(method, statusClass(100*class)) })
	}
	return c
}

func newMetrics(s *db.Store) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "convene_http_requests_total", Help: "HTTP requests by method and class of status.",
		}, []string{"method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "convene_http_request_seconds", Help: "Time to answer an HTTP request.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method"}),
	}
	m.byMethod = make(map[string]*counted)
	for _, method := range methods {
		m.byMethod[method] = m.counted(method)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(m.requests, m.seconds, newTables(s), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	return m
}

// methods that have a label of their own; whatever else clients invent shares
// one, so that nobody fills our memory with labels.
var methods = []string{
	"GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS", "PROPFIND", "PROPPATCH",
	"REPORT", "MKCALENDAR", "MKCOL", "MOVE", "COPY", "ACL", otherMethod,
}

const otherMethod = "other"

func (m *metrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := m.byMethod[r.Method]
		if c == nil {
			c = m.byMethod[otherMethod]
		}
		rec, began := &recorder{ResponseWriter: w}, time.Now()
		defer func() {
			if rec.status == 0 {
				rec.status = http.StatusOK
			}
			c.status[min(rec.status/100, len(c.status)-1)]().Inc()
			c.seconds().Observe(time.Since(began).Seconds())
		}()
		next.ServeHTTP(rec, r)
	})
}

// tables reads from the database when somebody asks.
type tables struct {
	store     *db.Store
	up        *prometheus.Desc
	queue     *prometheus.Desc
	decisions *prometheus.Desc

	mu      sync.Mutex
	counted time.Time // decisions before are in total
	total   map[db.Decided]int64
}

// settled is how long after it was made a decision counts: no transaction
// lives longer, so that none is missed (db.Tx.Decided).
const settled = time.Minute

func newTables(s *db.Store) *tables {
	return &tables{
		store:     s,
		up:        prometheus.NewDesc("convene_database_up", "1 while the database answers.", nil, nil),
		queue:     prometheus.NewDesc("convene_queue_mails", "Outgoing mails that wait.", nil, nil),
		decisions: prometheus.NewDesc("convene_decisions_total", "Decisions of all nodes since this one started, a minute late.", []string{"direction", "outcome"}, nil),
		counted:   time.Now().Add(-settled),
		total:     map[db.Decided]int64{},
	}
}

func (t *tables) Describe(ch chan<- *prometheus.Desc) {
	ch <- t.up
	ch <- t.queue
	ch <- t.decisions
}

func (t *tables) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	t.mu.Lock()
	defer t.mu.Unlock()
	var waiting int64
	var decided []db.Decided
	until := t.counted
	err := t.store.View(ctx, func(tx *db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if cut := now.Add(-settled); cut.After(t.counted) {
			if decided, err = tx.Decided(t.counted, cut); err != nil {
				return err
			}
			until = cut
		}
		waiting, err = tx.Waiting()
		return err
	})
	if err != nil {
		ch <- prometheus.MustNewConstMetric(t.up, prometheus.GaugeValue, 0)
		return
	}
	t.counted = until
	for _, d := range decided {
		t.total[db.Decided{Direction: d.Direction, Outcome: d.Outcome}] += d.Count
	}
	ch <- prometheus.MustNewConstMetric(t.up, prometheus.GaugeValue, 1)
	ch <- prometheus.MustNewConstMetric(t.queue, prometheus.GaugeValue, float64(waiting))
	for d, n := range t.total {
		ch <- prometheus.MustNewConstMetric(t.decisions, prometheus.CounterValue, float64(n), d.Direction, d.Outcome)
	}
}
