package ics

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever runs and windows: those instances come, each once, that a look at
// each of them finds.
func TestWanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.SampledFrom([]int64{600, 3600, daySecs, daySecs + 3600, 7 * daySecs, 2 * daySecs})
		series := func(label string, most int) (list []stretch) {
			for range rapid.IntRange(0, 4).Draw(t, label+" runs") {
				start := rapid.Int64Range(-10, 3000).Draw(t, label+" start") * 600
				step := steps.Draw(t, label+" step")
				length := rapid.Int64Range(0, 20).Draw(t, label+" length") * 300
				for i := range rapid.Int64Range(1, int64(most)).Draw(t, label+" count") {
					list = append(list, stretch{start + i*step, length, Busy})
				}
			}
			slices.SortFunc(list, func(a, b stretch) int { return int(a.start - b.start) })
			return list
		}
		booked := series("booked", 60)
		var asked []Span
		for _, s := range series("asked", 60) {
			asked = append(asked, Span{Start: time.Unix(s.start, 0), End: time.Unix(s.start+s.length, 0)})
		}
		runs, _ := encodeRuns(booked, 1<<39)
		if len(booked) > 0 && runs == nil {
			t.Skip("too many for one record")
		}
		w := WantedAt(asked)
		var want, got []int64
		all := []stretch{}
		if err := RunSpans(runs, -1<<60, 1<<60, func(start, end int64, _ BusyType) bool {
			all = append(all, stretch{start: start, length: end - start})
			return true
		}); err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if slices.ContainsFunc(asked, func(a Span) bool { return s.start < a.End.UnixMicro() && s.start+s.length > a.Start.UnixMicro() }) {
				want = append(want, s.start, s.start+s.length)
			}
		}
		if err := w.RunSpans(runs, func(start, end int64, _ BusyType) { got = append(got, start, end) }); err != nil {
			t.Fatal(err)
		}
		if len(want) == 0 && len(got) == 0 {
			return
		}
		if !slices.Equal(got, want) {
			t.Fatalf("booked %v, asked %v: got %v, want %v", booked, asked, got, want)
		}
	})
}

// A series that is far from what is asked, every week for ten years, costs as
// little as one booking.
func TestWantedPassBy(t *testing.T) {
	weekly := func(start int64) (list []stretch) {
		for i := range int64(520) {
			list = append(list, stretch{start + i*7*daySecs, 1800, Busy})
		}
		return list
	}
	var asked []Span
	for _, s := range weekly(0) {
		asked = append(asked, Span{Start: time.Unix(s.start, 0), End: time.Unix(s.start+s.length, 0)})
	}
	w := WantedAt(asked)
	near := func(start int64, want bool) {
		t.Helper()
		runs, _ := encodeRuns(weekly(start), 1<<39)
		r, _ := (&runReader{rest: runs[1:]}).next()
		if got := w.near(&r); got != want {
			t.Errorf("begins %d s later: near is %v, want %v", start, got, want)
		}
	}
	near(1799, true)
	near(1800, false)
	near(-1800, false)
	near(-1799, true)
	near(3*daySecs, false)
	near(7*daySecs*1000+60, false) // when the other is over
	if len(w.progressions) != 1 {
		t.Errorf("%d progressions, want 1", len(w.progressions))
	}
}
