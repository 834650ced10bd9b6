package ics

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/convene-server/convene/scheduling/ics/scale"
)

// randomObject makes a series in some form and zone, with RDATE, EXDATE, EXRULE
// and overrides.
func randomObject(t testing.TB, rng *rand.Rand) *Object {
	t.Helper()
	start := time.Date(2024, time.Month(1+rng.IntN(12)), 1+rng.IntN(28), rng.IntN(24), 15*rng.IntN(4), 0, 0, time.UTC)
	param, suffix, layout := "", "", "20060102T150405"
	switch rng.IntN(6) {
	case 0:
		param, layout = ";VALUE=DATE", "20060102"
	case 1:
		suffix = "Z"
	case 2:
		param = ";TZID=Customized Time Zone"
	case 3:
		param = ";TZID=" + []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"}[rng.IntN(4)]
	case 4:
		param = ";TZID=W. Europe Standard Time"
	}
	at := func(day int) string { return param + ":" + start.AddDate(0, 0, day).Format(layout) + suffix }
	length := []string{"", "\nDURATION:P1D", "\nDURATION:P3D"}[rng.IntN(3)]
	if layout != "20060102" && rng.IntN(2) == 0 {
		length = []string{"\nDURATION:PT1H", "\nDURATION:P1DT30M", "\nDURATION:PT36H"}[rng.IntN(3)]
	}
	s := "DTSTART" + at(0) + length
	switch rng.IntN(6) {
	case 0:
	case 1:
		s += "\nRRULE:" + randomScaled(rng, scale.All[rng.IntN(len(scale.All))])
	default:
		s += "\nRRULE:" + randomRule(rng)
	}
	for range rng.IntN(3) {
		s += "\nRDATE" + at(rng.IntN(200)-20)
	}
	for range rng.IntN(4) {
		s += "\nEXDATE" + at(rng.IntN(60))
	}
	if rng.IntN(8) == 0 {
		s += "\nEXRULE:FREQ=WEEKLY;COUNT=7"
	}
	var over []string
	used := map[int]bool{}
	for range rng.IntN(4) {
		day := rng.IntN(40)
		if used[day] {
			continue
		}
		used[day] = true
		over = append(over, "RECURRENCE-ID"+at(day)+"\nDTSTART"+at(day+rng.IntN(21)-10)+length)
	}
	return object(t, custom+string(withOverridesBody(s, over)))
}

func withOverridesBody(master string, overrides []string) string {
	body := "BEGIN:VEVENT\nUID:1\n" + master + "\nEND:VEVENT\n"
	for _, o := range overrides {
		body += "BEGIN:VEVENT\nUID:1\n" + o + "\nEND:VEVENT\n"
	}
	return body
}

// TestRandomObjects holds the answers about one object against each other.
func TestRandomObjects(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 22))
	loc := berlin(t)
	begin, end := time.Date(2023, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	checked := 0
	for range 400 {
		o := randomObject(t, rng)
		if err := o.Check(); err != nil {
			t.Fatalf("%v\n%s", err, o.Bytes())
		}
		list := func(from, to time.Time) (out []Instance, err error) {
			err = o.Instances(from, to, loc, Bound{Instances: 4000}, func(i Instance) bool { out = append(out, i); return true })
			slices.SortFunc(out, func(a, b Instance) int { return strings.Compare(string(a.RID), string(b.RID)) })
			return out, err
		}
		all, err := list(begin, end)
		if err == ErrTooMany {
			continue // one of the second or minute
		}
		if err != nil {
			t.Fatal(err)
		}
		checked++
		for i, x := range all {
			if i > 0 && all[i-1].RID == x.RID {
				t.Fatalf("%s twice\n%s", x.RID, o.Bytes())
			}
			if i%17 != 0 {
				continue
			}
			if x.Component == o.Master() && x.RID != "" && !o.HasInstance(x.RID) {
				t.Fatalf("no instance %s\n%s", x.RID, o.Bytes())
			}
			// The component of an instance is one that takes place then.
			c := o.Occurrence(x.RID)
			if c == nil {
				t.Fatalf("no occurrence %s\n%s", x.RID, o.Bytes())
			}
			if x.RID == "" {
				continue
			}
			alone := New(&Component{Name: "VCALENDAR", Children: append(slices.Clone(o.Root().Children[:4]), c)})
			n := 0
			if err := alone.Instances(time.Time{}, time.Time{}, loc, Bound{}, func(y Instance) bool {
				if !y.Start.Equal(x.Start) || !y.End.Equal(x.End) || y.RID != x.RID {
					t.Fatalf("%s: %v, want %v\n%s", x.RID, y, x, alone.Bytes())
				}
				n++
				return true
			}); err != nil || n != 1 {
				t.Fatalf("%d %v\n%s", n, err, alone.Bytes())
			}
			if x.Component == o.Master() {
				if p := o.DateProp("RECURRENCE-ID", x.RID); o.RID(&Component{Props: []Prop{p}}) != x.RID {
					t.Fatalf("%s became %s", x.RID, p.Value)
				}
			}
		}
		// A window shows what the whole shows there.
		for range 10 {
			from := begin.Add(time.Duration(rng.Int64N(int64(end.Sub(begin)))).Truncate(15 * time.Minute))
			to := from.Add(time.Duration(rng.Int64N(int64(40 * 24 * time.Hour)))).Truncate(15 * time.Minute).Add(time.Minute)
			if to.After(end) {
				to = end
			}
			got, err := list(from, to)
			if err != nil {
				t.Fatal(err)
			}
			var want []Instance
			for _, x := range all {
				if overlaps(x.Start.Unix(), x.End.Unix(), from.Unix(), to.Unix()) {
					want = append(want, x)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s..%s\n got %v\nwant %v\n%s", from, to, got, want, o.Bytes())
			}
		}
		// The record says the same.
		x, err := o.Index(ann, loc, Bound{})
		if err != nil {
			t.Fatal(err)
		}
		if s := x.Series; s != nil {
			until := min(s.CoveredUntil, end.UnixMicro())
			if got, want := spansOf(t, s, begin.UnixMicro(), until), instancesOf(t, o, loc, begin.UnixMicro(), max(until, begin.UnixMicro()+1), s.CoveredUntil); !slices.Equal(got, want) {
				t.Fatalf("runs: %d of %d\n%s", len(got), len(want), o.Bytes())
			}
			for _, y := range all {
				if y.Start.UnixMicro() < s.First || y.End.UnixMicro() > s.Last {
					t.Fatalf("%v outside of %d..%d\n%s", y, s.First, s.Last, o.Bytes())
				}
			}
		} else if n := 0; x.Slot != nil {
			for _, y := range all {
				if n++; x.Slot.Start != y.Start.UnixMicro() || x.Slot.Fin != y.End.UnixMicro() {
					t.Fatalf("slot %v, want %v\n%s", x.Slot, y, o.Bytes())
				}
			}
			if n > 1 {
				t.Fatalf("%d instances in a slot\n%s", n, o.Bytes())
			}
		} else if len(all) > 0 {
			t.Fatalf("no record of %v\n%s", all, o.Bytes())
		}
		if last, ok := o.Last(loc, Bound{}); ok {
			for _, y := range all {
				if y.End.After(last) {
					t.Fatalf("%v ends after %s\n%s", y, last, o.Bytes())
				}
			}
		}
	}
	if checked < 300 {
		t.Errorf("only %d objects", checked)
	}
	t.Log(fmt.Sprint(checked, " objects"))
}

// TestSegmentsAdvance walks over all zones' offsets by random instants: a
// segment holds the instant that was asked for.
func TestSegmentsAdvance(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, name := range ianaNames(t) {
		z := mustZone(t, name)
		for range 200 {
			at := rng.Int64N(12_000_000_000) - 4_000_000_000
			if rng.IntN(4) == 0 { // the last day of a leap year
				at = daysTo(1904+4*rng.IntN(100), 12, 31)*daySecs + rng.Int64N(daySecs)
			}
			off, start, end := z.segment(at)
			if at < start || at >= end {
				t.Fatalf("%s: %d is not in %d..%d", name, at, start, end)
			}
			if back := z.instant(at + off); back != at && z.wall(back) != at+off {
				t.Fatalf("%s: %d came back as %d", name, at, back)
			}
		}
	}
}

// TestObjectIsShared asks one object from many goroutines; it says something
// under the race detector.
func TestObjectIsShared(t *testing.T) {
	o := randomObject(t, rand.New(rand.NewPCG(1, 2)))
	loc := berlin(t)
	before := string(o.Bytes())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := o.Check(); err != nil {
				t.Error(err)
			}
			o.HasInstance("20240601T120000Z")
			o.Override("20240601T120000Z")
			o.Occurrence("20240601T120000Z")
			if _, err := o.Index(ann, loc, Bound{}); err != nil {
				t.Error(err)
			}
			WithTimezones(o.Root().Clone())
		})
	}
	all.Wait()
	if string(New(o.Root().Clone()).Bytes()) != before {
		t.Error("the tree was edited")
	}
}
