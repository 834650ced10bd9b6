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

// usual are the workloads of a run that names none: all of davbench's.
const usual = "put,get,propfind-small,propfind-large,multiget100,query-range,expand,sync-initial,sync-delta," +
	"freebusy,invite,reply,mixed,cold"

// bySize are those that -sizes measures: their answers have the same size
// whatever the calendar holds.
const bySize = "query-range,expand,sync-delta"

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
	o.workloads = usual
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
	f.IntVar(&o.clients, "concurrency", 4, "parallel clients")
	f.IntVar(&o.events, "events", 10_000, "objects in the large calendar")
	f.IntVar(&o.fbEvents, "fb-events", 1000, "events of each free/busy attendee")
	f.BoolVar(&o.fresh, "fresh", false, "begin with an empty database")
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
	if _, err := os.Stat(filepath.Join(o.source, "go.mod")); errors.Is(err, fs.ErrNotExist) {
		return o, fmt.Errorf("davbench is not in %s: name its source with -davbench or $DAVBENCH", o.source)
	}
	return o, nil
}

func measure(o options) error {
	if o.fresh {
		if err := os.RemoveAll(o.dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	if err := build(".", filepath.Join(o.dir, "convene"), o.server); err != nil {
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
	// The limits first, while nothing else runs.
	var r report
	r.kind = o.kind
	if err := r.commits(s); err != nil {
		return err
	}
	if err := r.listing(s); err != nil {
		return fmt.Errorf("reading names: %w", err)
	}
	if err := r.requests(o); err != nil {
		return err
	}
	if err := s.people(); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	if err := s.warmUp(); err != nil {
		return err
	}
	if o.sizes != "" {
		return measureSizes(o, s)
	}
	results, err := davbench(o, s, o.workloads, o.events)
	if err != nil {
		return err
	}
	r.results = results
	r.print(os.Stdout)
	return save(o.out, results)
}

func measureSizes(o options, s *server) error {
	workloads := bySize
	if o.workloads != usual {
		workloads = o.workloads
	}
	all := map[string][]result{}
	var sizes []string
	for size := range strings.SplitSeq(o.sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 {
			return fmt.Errorf("-sizes: %q is no number of objects", size)
		}
		results, err := davbench(o, s, workloads, n)
		if err != nil {
			return err
		}
		all[size], sizes = results, append(sizes, size)
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

func build(dir, binary, what string) error {
	cmd := exec.Command("go", "build", "-o", binary, what)
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
}

// davbench runs workloads and returns their results in order.
func davbench(o options, s *server, workloads string, events int) ([]result, error) {
	file := filepath.Join(o.dir, "results.json")
	os.Remove(file)
	err := command(filepath.Join(o.dir, "davbench"), "run", "-profile", s.profile, "-workloads", workloads,
		"-duration", o.duration.String(), "-rounds", strconv.Itoa(o.rounds), "-concurrency", strconv.Itoa(o.clients),
		"-events", strconv.Itoa(events), "-fb-events", strconv.Itoa(o.fbEvents), "-json", file)
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
