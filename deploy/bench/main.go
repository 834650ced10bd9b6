// Command bench sets Convene up with the people that davbench needs, measures
// it on one database, and prints what was reached beside the limits of the
// machine in the same run. README.md tells how to use it and what came out.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// step is a part of a run.
type step struct {
	clients   int
	workloads string // of davbench, or poll, or limits: what the machine does by itself
}

// table are the steps of a run that names no workloads: those that the aims
// are about, with as many clients as they are about. The limits are measured
// before and after what is compared with them; the mean counts.
var table = []step{
	{0, "limits"}, {1, "put"}, {8, "put"}, {1, "get"}, {4, "get"}, {1, "poll"}, {4, "poll"}, {0, "limits"},
	{1, "propfind-large"}, {1, "sync-initial"}, {0, "limits"},
	{1, "multiget100"}, {4, "multiget100"},
	{1, "query-range,expand,sync-delta,freebusy-50,invite-10,invite-50,invite-200,reply"},
	{4, "mixed"},
	{1, "cold"}, // restarts the server
}

// bySize are the steps that -sizes measures.
var bySize = []step{
	{1, "propfind-large,sync-initial,sync-delta,query-range,expand,multiget100,get,put,poll"},
	{4, "mixed"},
}

type options struct {
	kind      string // sqlite or postgres
	workloads string
	dir       string
	source    string // of davbench
	sizes     string
	duration  time.Duration
	rounds    int
	clients   int
	events    int
	fbEvents  int
	fresh     bool
	cpu       string // file for what the server's processor does
	out       string
	server    string
}

func main() {
	o, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		fmt.Fprintln(os.Stderr, "usage: deploy/bench/run sqlite|postgres [workloads] [flags]")
		os.Exit(2)
	}
	if err := measure(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	if len(args) == 0 || args[0] != "sqlite" && args[0] != "postgres" {
		return o, errors.New("say which database")
	}
	o.kind, args = args[0], args[1:]
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		o.workloads, args = args[0], args[1:]
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	source := os.Getenv("DAVBENCH")
	if source == "" {
		source = "../shared/davbench"
	}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.dir, "dir", filepath.Join(cache, "convene-bench", o.kind), "where the server lives; what is there already is used again")
	f.StringVar(&o.source, "davbench", source, "source of davbench; also $DAVBENCH")
	f.StringVar(&o.sizes, "sizes", "", "measure cost against size: objects of the large calendar, as 1000,10000,100000")
	f.DurationVar(&o.duration, "duration", 3*time.Second, "time for each workload")
	f.IntVar(&o.rounds, "rounds", 1, "how often to run each workload")
	f.IntVar(&o.clients, "concurrency", 4, "parallel clients, for workloads that are named")
	f.IntVar(&o.events, "events", 10_000, "objects in the large calendar")
	f.IntVar(&o.fbEvents, "fb-events", 1000, "events of each free/busy attendee")
	f.BoolVar(&o.fresh, "fresh", false, "begin with an empty database")
	f.StringVar(&o.cpu, "cpuprofile", "", "write what the server's processor does during the workloads to this file (pprof)")
	f.StringVar(&o.server, "server", "./cmd/convene", "package of the server")
	f.StringVar(&o.out, "json", "", "write all results as JSON to this file")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q: flags come last", f.Arg(0))
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return o, err
	}
	if o.cpu != "" {
		if o.cpu, err = filepath.Abs(o.cpu); err != nil {
			return o, err
		}
	}
	if o.workloads == "mail" {
		o.dir = filepath.Join(o.dir, "mail")
		return o, nil
	}
	if _, err := os.Stat(filepath.Join(o.source, "go.mod")); errors.Is(err, fs.ErrNotExist) {
		return o, fmt.Errorf("davbench is not in %s: name its source with -davbench or $DAVBENCH", o.source)
	}
	return o, nil
}

func measure(o options) error {
	if o.workloads == "mail" {
		return measureMail(o)
	}
	if o.fresh {
		if err := os.RemoveAll(o.dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	var tags []string
	if o.cpu != "" {
		tags = []string{"-tags", "profile"}
	}
	if err := build(".", filepath.Join(o.dir, "convene"), o.server, tags...); err != nil {
		return err
	}
	if err := build(o.source, filepath.Join(o.dir, "davbench"), "."); err != nil {
		return err
	}
	s, err := newServer(o)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.people(people); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	if err := s.warmUp(people); err != nil {
		return err
	}
	s.forgetPeak() // hashing passwords takes memory by intent
	if o.cpu != "" {
		end, err := s.profileCPU(o.cpu)
		if err != nil {
			return err
		}
		defer end()
	}
	if o.sizes != "" {
		return measureSizes(o, s)
	}
	r := report{kind: o.kind}
	steps := table
	if o.workloads != "" {
		steps = []step{{0, "limits"}, {o.clients, o.workloads}, {0, "limits"}}
	}
	for _, p := range steps {
		r.peak = max(r.peak, s.peak())
		if p.workloads == "limits" {
			err = r.limits(o, s)
		} else {
			var results []result
			results, err = run(o, s, p, o.events, 1000)
			r.results = append(r.results, results...)
		}
		if err != nil {
			return err
		}
	}
	r.peak = max(r.peak, s.peak())
	r.print(os.Stdout)
	return save(o.out, r.results)
}

// run runs one step with calendars of so many objects.
func run(o options, s *server, p step, large, small int) (all []result, err error) {
	var names []string
	flush := func() error {
		if len(names) == 0 {
			return nil
		}
		results, err := davbench(o, s, strings.Join(names, ","), p.clients, large, small)
		all, names = append(all, results...), nil
		return err
	}
	for name := range strings.SplitSeq(p.workloads, ",") {
		if name != "poll" {
			names = append(names, name)
			continue
		}
		if err := flush(); err != nil {
			return nil, err
		}
		for range o.rounds {
			x, err := polls(o, s, p.clients)
			if err != nil {
				return nil, err
			}
			all = append(all, x)
		}
	}
	return all, flush()
}

func measureSizes(o options, s *server) error {
	steps := bySize
	if o.workloads != "" {
		steps = []step{{o.clients, o.workloads}}
	}
	all := map[string][]result{}
	var sizes []string
	for size := range strings.SplitSeq(o.sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 {
			return fmt.Errorf("-sizes: %q is no number of objects", size)
		}
		sizes = append(sizes, size)
		for _, p := range steps {
			// Filling the calendars is no part of the peak.
			seed := o
			seed.duration, seed.rounds = time.Millisecond, 1
			if _, err := run(seed, s, p, n, n); err != nil {
				return err
			}
			s.forgetPeak()
			results, err := run(o, s, p, n, n)
			if err != nil {
				return err
			}
			for i := range results {
				results[i].Peak = s.peak()
			}
			all[size] = append(all[size], results...)
		}
	}
	printSizes(os.Stdout, sizes, all)
	return save(o.out, all)
}

func save(file string, v any) error {
	if file == "" {
		return nil
	}
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

func build(dir, binary, what string, flags ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-o", binary}, flags...), what)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", what, err, out)
	}
	return nil
}

// result is davbench's, as far as it is used here.
type result struct {
	Workload    string             `json:"workload"`
	Concurrency int                `json:"concurrency"`
	Ops         int                `json:"ops"`
	Errors      int                `json:"errors"`
	OpsPerSec   float64            `json:"ops_per_s"`
	P50         float64            `json:"p50_ms"`
	P95         float64            `json:"p95_ms"`
	P99         float64            `json:"p99_ms"`
	BytesIn     int64              `json:"bytes_in"`
	Extra       map[string]float64 `json:"extra,omitempty"`
	FirstErrors []string           `json:"first_errors,omitempty"`
	Skipped     string             `json:"skipped,omitempty"`
	Peak        float64            `json:"peak_mb,omitempty"` // memory of the server during the step
}

// davbench runs workloads and returns their results in order.
func davbench(o options, s *server, workloads string, clients, large, small int) ([]result, error) {
	file := filepath.Join(o.dir, "results.json")
	os.Remove(file)
	err := command(filepath.Join(o.dir, "davbench"), "run", "-profile", s.profile, "-workloads", workloads,
		"-duration", o.duration.String(), "-rounds", strconv.Itoa(o.rounds), "-concurrency", strconv.Itoa(clients),
		"-events", strconv.Itoa(large), "-small", strconv.Itoa(small), "-fb-events", strconv.Itoa(o.fbEvents), "-json", file)
	if err != nil {
		return nil, fmt.Errorf("davbench: %w", err)
	}
	return read(file)
}

func read(file string) (rs []result, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return rs, json.Unmarshal(b, &rs)
}

// command runs a program whose words go to standard error.
func command(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}
