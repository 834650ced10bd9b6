package scheduling_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/scheduling"
)

// front is a program of the site that says what it is told to say, and remembers
// what it was asked.
type front struct {
	says  string
	err   error
	asked []string
	while func()         // happens while it thinks
	later *time.Duration // the queue's clock goes before
}

func (f *front) ask(_ context.Context, q scheduling.Consulted) (string, error) {
	title := ""
	for l := range strings.SplitSeq(string(q.Body), "\r\n") {
		if t, ok := strings.CutPrefix(l, "DTSTART:"); ok {
			title = strings.TrimSuffix(t, "00Z")
		}
	}
	f.asked = append(f.asked, strings.TrimSpace(q.Phase+" "+q.Program.Name+" "+strings.Join(q.Program.Args, ",")+" "+title+" "+q.Answer))
	if while := f.while; while != nil {
		f.while = nil
		while()
	}
	if q.Phase != scheduling.Schedule {
		return "", nil
	}
	return f.says, f.err
}

// was checks what it was asked since the last time.
func (f *front) was(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(f.asked)
	slices.Sort(want)
	if !slices.Equal(f.asked, want) {
		t.Errorf("it was asked %q, not %q", f.asked, want)
	}
	f.asked = nil
}

func withFront(t *testing.T, rules string, do func(h *house, f *front)) {
	later := time.Duration(0)
	dbtest.EachWith(t, db.Options{Clock: func() time.Time { return time.Now().Add(later) }}, func(t *testing.T, s *db.Store) {
		h := newHouse(t, s)
		f := &front{says: "ACCEPTED", later: &later}
		opt := options()
		opt.Programs, opt.Program = []string{"desk"}, f.ask
		h.desk = scheduling.New(h.store, opt)
		h.persons("ann", "ola")
		h.add(db.Room, "room", inRoom, func(p *db.Principal) { p.Policy = rules })
		do(h, f)
	})
}

// Programs learn what became of what they were asked about: what stands, and that
// nothing does.
func TestProgramsAreTold(t *testing.T) {
	withFront(t, "ask_program desk a b", func(h *house, f *front) {
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "room"))
		h.says("ann", "m1", "", "room", "TENTATIVE")
		if got := h.busy("room", 7); got != "03T1000-1100?" {
			t.Errorf("the room is busy %q", got)
		}
		h.work()
		h.says("ann", "m1", "", "room", "ACCEPTED")
		h.says("room", "m1", "", "room", "ACCEPTED")
		f.was(t, "schedule desk a,b 20260303T1000 ACCEPTED", "confirm desk a,b 20260303T1000")

		// A change of what does not matter asks and tells nothing.
		edit := func(old, new string) {
			t.Helper()
			h.put("ann", strings.ReplaceAll(string(h.has("ann", "m1").Body), old, new))
			h.work()
		}
		edit("Review", "Preview")
		f.was(t)
		edit("20260303T1", "20260304T1")
		f.was(t, "retract desk a,b 20260303T1000", "schedule desk a,b 20260304T1000 ACCEPTED", "confirm desk a,b 20260304T1000")
		row := h.has("ann", "m1")
		if err := h.desk.Remove(h.ctx, scheduling.Remove{Actor: h.people["ann"], Collection: row.Collection, Name: row.Name}); err != nil {
			t.Fatal(err)
		}
		h.work()
		f.was(t, "retract desk a,b 20260304T1000")

		f.says = "DECLINED\nNo"
		h.put("ann", invitation("m2", "20260303T1000", "20260303T1100", "ann", "room"))
		h.work()
		h.says("ann", "m2", "", "room", "DECLINED")
		f.was(t, "schedule desk a,b 20260303T1000 ACCEPTED")
		h.decided("m2", "applied", "decided by desk: No")
		if got := h.busy("room", 7); got != "" {
			t.Errorf("the room is busy %q", got)
		}
	})
}

// What changes while a program thinks is not decided by what it says of something
// else.
func TestProgramIsAskedAnew(t *testing.T) {
	withFront(t, "ask_program desk", func(h *house, f *front) {
		f.while = func() {
			h.put("ann", strings.ReplaceAll(string(h.has("ann", "m1").Body), "20260303T1", "20260304T1"))
			f.says = "DECLINED"
		}
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "room"))
		h.work()
		h.says("ann", "m1", "", "room", "DECLINED")
		if len(f.asked) < 2 || f.asked[0] != "schedule desk  20260303T1000 ACCEPTED" || f.asked[1] != "schedule desk  20260304T1000 ACCEPTED" {
			t.Errorf("it was asked %q", f.asked)
		}

		// Called off meanwhile: there is nothing to answer any more.
		f.says = "ACCEPTED"
		f.while = func() {
			row := h.has("ann", "m2")
			if err := h.desk.Remove(h.ctx, scheduling.Remove{Actor: h.people["ann"], Collection: row.Collection, Name: row.Name}); err != nil {
				t.Error(err)
			}
		}
		h.put("ann", invitation("m2", "20260305T1000", "20260305T1100", "ann", "room"))
		h.work()
		h.hasNot("room", "m2")
		h.queue()
	})
}

// A program that cannot say it now is asked again; one that fails declines, and
// those who look after the room are told once.
func TestProgramFails(t *testing.T) {
	withFront(t, "ask_program desk\nowner ola@example.org", func(h *house, f *front) {
		f.err = scheduling.ErrLater
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "room"))
		h.work()
		h.says("ann", "m1", "", "room", "TENTATIVE")
		if len(h.inbox("ola")) > 0 {
			t.Error("the owner is asked before the program has decided")
		}
		f.err = nil
		*f.later += time.Minute
		h.work()
		h.says("ann", "m1", "", "room", "ACCEPTED")
		if len(h.inbox("ola")) > 0 {
			t.Error("the owner is asked what the program has decided")
		}
		h.queue()

		f.err = errors.New("exit status 1")
		h.put("ann", invitation("m2", "20260304T1000", "20260304T1100", "ann", "room"))
		h.work()
		h.says("ann", "m2", "", "room", "DECLINED")
		h.decided("m2", "refused", "exit status 1")
		h.queue("REPLY postmaster@example.org", "REPLY ola@example.org")
		f.err, f.says = nil, "ACCEPTED\nDECLINED 20300101T000000Z"
		h.put("ann", invitation("m3", "20260305T1000", "20260305T1100", "ann", "room"))
		h.work()
		h.says("ann", "m3", "", "room", "DECLINED")
		h.queue("REPLY postmaster@example.org", "REPLY ola@example.org")
	})
}

// What a program accepts an owner may decide; he is asked then.
func TestProgramThenOwner(t *testing.T) {
	withFront(t, "ask_program desk\nACT_MANUAL\nowner ola@example.org", func(h *house, f *front) {
		f.err = scheduling.ErrLater
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "room"))
		h.work()
		if len(h.inbox("ola")) > 0 {
			t.Error("the owner is asked before the program has decided")
		}
		f.err = nil
		*f.later += time.Minute
		h.work()
		h.says("ann", "m1", "", "room", "TENTATIVE")
		if len(h.inbox("ola")) != 1 || len(h.inbox("room")) != 1 {
			t.Errorf("%d questions for the owner, %d for delegates", len(h.inbox("ola")), len(h.inbox("room")))
		}
	})
}

// A rule that names no program of the configuration declines everything, and it is
// told; so it is for a person, who then answers himself.
func TestProgramOfNobody(t *testing.T) {
	withFront(t, "ask_program desc", func(h *house, f *front) {
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "room"))
		h.work()
		h.says("ann", "m1", "", "room", "DECLINED")
		h.queue("REPLY postmaster@example.org")
		h.decided("m1", "refused", `there is no program "desc" here`)
		h.add(db.Person, "ben", func(p *db.Principal) { p.Policy = "ask_program desk" })
		h.put("ann", invitation("m2", "20260303T1000", "20260303T1100", "ann", "ben"))
		h.work()
		h.says("ann", "m2", "", "ben", "NEEDS-ACTION")
		f.was(t)
	})
}
