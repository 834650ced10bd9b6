package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// report is one run: what the machine can do, and what was reached.
type report struct {
	kind          string
	commitLimits  []limit
	requestLimits []limit
	listLimits    []limit // ms
	peak          float64 // memory of the server, MB
	results       []result
}

// peers is the median latency in milliseconds of Cyrus 3.6.1, the fastest
// living peer, on a machine of this size, by davbench with 10,000 objects; the
// second number is how many times faster Convene is meant to be.
var peers = map[string]struct{ cyrus, aim float64 }{
	"multiget100":  {63.2, 20},
	"query-range":  {300.4, 50},
	"expand":       {520.4, 50},
	"sync-initial": {117.4, 0}, // 2 x the limit
	"sync-delta":   {5.7, 5},
	"freebusy-50":  {280.7, 20},
	"invite-10":    {94.1, 20},
	"invite-50":    {460.4, 20},
	"invite-200":   {4825, 40},
	"reply":        {25.1, 5},
}

// limitOf is the mean of what was measured with so many clients.
func limitOf(ls []limit, clients int) float64 {
	sum, n := 0.0, 0.0
	for _, l := range ls {
		if l.clients == clients {
			sum, n = sum+l.value, n+1
		}
	}
	if n == 0 {
		return 0
	}
	return sum / n
}

// merged makes one result of the rounds of a workload: the median of each
// figure, all errors.
func merged(rs []result) []result {
	var out []result
	for len(rs) > 0 {
		n := 1
		for n < len(rs) && rs[n].Workload == rs[0].Workload && rs[n].Concurrency == rs[0].Concurrency {
			n++
		}
		m := rs[0]
		m.Errors, m.FirstErrors = 0, nil
		of := func(f func(*result) float64) float64 {
			var v []float64
			for i := range rs[:n] {
				v = append(v, f(&rs[i]))
			}
			slices.Sort(v)
			return v[(len(v)-1)/2]
		}
		m.OpsPerSec = of(func(r *result) float64 { return r.OpsPerSec })
		m.P50 = of(func(r *result) float64 { return r.P50 })
		m.P95 = of(func(r *result) float64 { return r.P95 })
		m.P99 = of(func(r *result) float64 { return r.P99 })
		for i := range rs[:n] {
			m.Errors += rs[i].Errors
			m.FirstErrors = append(m.FirstErrors, rs[i].FirstErrors...)
		}
		out, rs = append(out, m), rs[n:]
	}
	return out
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\n## %s\n\n| limit of this run | clients | per second |\n| --- | --- | --- |\n", r.kind)
	for _, l := range r.commitLimits {
		fmt.Fprintf(w, "| durable commit of one row of 600 octets | %d | %.0f |\n", l.clients, l.value)
	}
	for _, l := range r.requestLimits {
		fmt.Fprintf(w, "| net/http answering 1 KB | %d | %.0f |\n", l.clients, l.value)
	}
	for _, l := range r.listLimits {
		fmt.Fprintf(w, "| 10,000 names and entity tags read and written as XML | %d | %.1f ms each |\n", l.clients, l.value)
	}
	if r.peak > 0 {
		fmt.Fprintf(w, "\nThe server's memory at its peak: %.0f MB.\n", r.peak)
	}
	fmt.Fprint(w, "\n| workload | clients | per second | p50 ms | p95 ms | p99 ms | right / wrong | compared |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, x := range merged(r.results) {
		if x.Skipped != "" {
			fmt.Fprintf(w, "| %s | | | | | | | not run: %s |\n", x.Workload, x.Skipped)
			continue
		}
		fmt.Fprintf(w, "| %s | %d | %.1f | %.2f | %.2f | %.2f | %d / %d | %s |\n", x.Workload, x.Concurrency, x.OpsPerSec, x.P50, x.P95, x.P99, x.Ops, x.Errors, r.compared(x))
	}
	for _, x := range r.results {
		for _, e := range x.FirstErrors {
			fmt.Fprintf(w, "\n%s: %s\n", x.Workload, e)
		}
	}
}

// compared says what a figure means: beside a limit of the same run, or beside
// the peer's median.
func (r *report) compared(x result) string {
	var s []string
	switch x.Workload {
	case "get", "poll":
		if l := limitOf(r.requestLimits, x.Concurrency); l > 0 {
			s = append(s, fmt.Sprintf("%.0f %% of net/http", 100*x.OpsPerSec/l))
		}
	case "propfind-large", "sync-initial":
		if l := limitOf(r.listLimits, 1); l > 0 {
			s = append(s, fmt.Sprintf("%.1f x the limit", x.P50/l))
		}
	case "put":
		one := limitOf(r.commitLimits, 1)
		if l := limitOf(r.commitLimits, x.Concurrency); l > 0 {
			s = append(s, fmt.Sprintf("%.0f %% of the commits of %d clients", 100*x.OpsPerSec/l, x.Concurrency))
		}
		if x.Concurrency > 1 && one > 0 {
			s = append(s, fmt.Sprintf("%.0f %% of those of 1", 100*x.OpsPerSec/one))
		}
		if h := limitOf(r.requestLimits, x.Concurrency); x.Concurrency == 1 && one > 0 && h > 0 {
			s = append(s, fmt.Sprintf("%.0f %% of a bare commit and a bare answer, one after the other", 100*x.OpsPerSec*(1/one+1/h)))
		}
	}
	p50 := x.P50
	if put, ok := x.Extra["put_p50_ms"]; ok {
		s = append(s, fmt.Sprintf("the PUT alone %.2f ms", put))
		if strings.HasPrefix(x.Workload, "invite") {
			p50 = put
		}
	}
	if p, ok := peers[x.Workload]; ok && p50 > 0 {
		t := fmt.Sprintf("%.0f x Cyrus", p.cyrus/p50)
		if p.aim > 0 {
			t += fmt.Sprintf(" (aim %.0f)", p.aim)
		}
		s = append(s, t)
	}
	for _, k := range []string{"poll_mean_ms", "put_mean_ms", "query_mean_ms", "sync_mean_ms", "freebusy_mean_ms", "loaded_pss_mb", "idle_pss_mb", "start_ms"} {
		if v, ok := x.Extra[k]; ok {
			s = append(s, fmt.Sprintf("%s %.1f", strings.ReplaceAll(k, "_", " "), v))
		}
	}
	return strings.Join(s, "; ")
}

// printSizes prints the median of each workload by the size of the calendar.
func printSizes(w io.Writer, sizes []string, all map[string][]result) {
	fmt.Fprint(w, "\n| p50 ms (kB returned) at objects |")
	for _, size := range sizes {
		fmt.Fprintf(w, " %s |", size)
	}
	fmt.Fprint(w, "\n| --- |"+strings.Repeat(" --- |", len(sizes))+"\n")
	peaks := make([]float64, len(sizes))
	for i, x := range merged(all[sizes[0]]) {
		fmt.Fprintf(w, "| %s |", x.Workload)
		for k, size := range sizes {
			y := merged(all[size])[i]
			peaks[k] = max(peaks[k], y.Peak)
			fmt.Fprintf(w, " %.2f", y.P50)
			if y.Ops > 0 && y.BytesIn > 0 {
				fmt.Fprintf(w, " (%.0f)", float64(y.BytesIn)/1000/float64(y.Ops))
			}
			if y.Errors > 0 || y.Skipped != "" {
				fmt.Fprintf(w, " (%d wrong %s)", y.Errors, y.Skipped)
			}
			fmt.Fprint(w, " |")
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "| the server's memory at its peak, MB |")
	for _, p := range peaks {
		fmt.Fprintf(w, " %.0f |", p)
	}
	fmt.Fprintln(w)
}
