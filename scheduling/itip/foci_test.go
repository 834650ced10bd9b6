package itip_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// focus lets few people do few things often, so that what rarely meets in
// TestSimulation meets in short histories.
type focus struct {
	name    string
	form    []int // of the meeting
	second  int   // what becomes of the other UID; alone: there is none
	guests  []int // of the cast, of whom some are invited
	count   int
	orgs    []int
	hers    []int // what the organizer writes, as organize has it
	his     []int // what those who are invited write, as answer has it
	beside  []int // what else happens
	mails   int   // of ten acts, how many happen to the mail
	longest int
}

var foci = []focus{
	{name: "days", form: []int{0}, second: alone, guests: []int{4, 7, 1, 5}, count: 1, orgs: []int{0, 2, 4},
		hers: []int{2, 3, 4, 5, 5, 6, 6, 9, 10, 11, 12, 12, 13, 13, 14, 14, 15}, his: []int{0, 2, 3, 4, 5, 7, 7, 8, 9}, mails: 4, longest: 14},
	{name: "stale", form: []int{0, 2}, second: alone, guests: []int{1, 4, 5, 7, 8}, count: 2, orgs: []int{0, 2, 4, 5},
		hers: []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, his: []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 10}, mails: 4, longest: 14},
	{name: "tasks", form: []int{3}, second: alone, guests: []int{1, 4, 5, 7, 8}, count: 2, orgs: []int{0, 2, 4, 5},
		hers: []int{0, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15}, his: []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 10}, mails: 4, longest: 14},
	{name: "rooms", form: []int{0}, second: alone, guests: []int{6, 6, 4, 5}, count: 2, orgs: []int{0, 2, 4, 5},
		hers: []int{0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, his: []int{0, 2, 3, 5, 7, 8},
		beside: []int{whatPropose, whatPropose, whatDecide, whatDecide, whatAsk}, mails: 4, longest: 14},
	{name: "split", form: []int{0}, second: parted, guests: []int{1, 4, 5, 7, 8}, count: 2, orgs: []int{0, 2, 5},
		hers: []int{0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, his: []int{0, 2, 3, 4, 5, 7, 8}, beside: []int{whatPropose, whatDecide, whatAsk}, mails: 4, longest: 14},
	{name: "twins", form: []int{0}, second: apart, guests: []int{1, 4, 5, 7}, count: 2, orgs: []int{0, 2, 4, 5},
		hers: []int{0, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14}, his: []int{0, 2, 3, 4, 5, 7, 8}, mails: 4, longest: 18},
	{name: "imports", form: []int{0, 3}, second: imported, guests: []int{1, 4, 5, 7}, count: 2, orgs: []int{0, 2, 4, 5},
		hers: []int{0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, his: []int{0, 2, 3, 4, 5, 7, 8}, beside: []int{whatPropose, whatDecide, whatAsk}, mails: 4, longest: 16},
	{name: "observed", form: []int{0}, second: alone, guests: []int{1, 3, 5, 8}, count: 2, orgs: []int{0, 2, 5},
		hers: []int{0, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14}, his: []int{0, 2, 3, 4, 5, 7, 8}, beside: []int{whatMails, whatMails, whatMails, whatAsk}, mails: 4, longest: 14},
	{name: "delegates", form: []int{0, 3}, second: alone, guests: []int{1, 4, 5, 7}, count: 2, orgs: []int{0, 2, 4},
		hers: []int{0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, his: []int{0, 2, 3, 4, 5, 7, 8}, beside: []int{whatDelegate, whatDelegate, whatAsk}, mails: 4, longest: 14},
	{name: "adds", form: []int{0}, second: alone, guests: []int{1, 2, 5, 8}, count: 2, orgs: []int{4, 7},
		hers: []int{0, 2, 3, 5, 6, 9, 10, 11, 12, 13, 14}, his: []int{0, 2, 3, 4, 5, 7, 8}, beside: []int{whatAdd, whatAsk}, mails: 4, longest: 14},
}

// alone is for meeting.Second: there is one UID only.
const alone = imported + 1

func (f focus) meeting(t *rapid.T) meeting {
	pick := func(name string, of []int) int { return of[evenly(t, name, len(of)-1)] }
	m := meeting{Organizer: pick("organizer", f.orgs), Form: pick("form", f.form), Rule: 1 + evenly(t, "rule", 1), Second: f.second, Styles: evenly(t, "styles", 8)}
	for range f.count {
		m.Guests |= 1 << pick("guest", f.guests)
	}
	return m
}

// act draws one of them. Among the occurrences of a series it prefers the first
// ones, so that several acts are about the same.
func (f focus) act(t *rapid.T) act {
	a := act{Who: len(cast), A: evenly(t, "a", 7), B: evenly(t, "b", 7), C: evenly(t, "c", 7), Which: evenly(t, "which", 1)}
	a.A = [...]int{0, 0, 0, 1, 1, 4, 5, 7}[a.A]
	of := func(name string, what []int) int { return what[evenly(t, name, len(what)-1)] }
	kind := evenly(t, "kind", 9)
	switch left := 10 - f.mails; {
	case kind >= left:
		a.What = whatMail + evenly(t, "mail", 20)
	case len(f.beside) > 0 && kind == 0:
		a.Who, a.What = of("who", f.guests), of("beside", f.beside)
		if evenly(t, "she", 2) == 0 || a.What == whatAdd {
			a.Who = len(cast)
		}
	case kind <= left/2:
		a.What = of("hers", f.hers)
	default:
		a.Who, a.What = of("who", f.guests), of("his", f.his)
	}
	return a
}

// TestFoci is TestSimulation with few people who do few things: what needs certain
// acts in a certain order is met sooner. A failure is shrunk and printed alike.
//
// CONVENE_SEED chooses the histories, CONVENE_FOCUS the foci by their names.
func TestFoci(t *testing.T) {
	parts := []int{2, 3, 4}
	choose(t, 600, 150_000, len(foci)*len(parts))
	for _, f := range foci {
		if want := os.Getenv("CONVENE_FOCUS"); want != "" && !slices.Contains(strings.Fields(want), f.name) {
			continue
		}
		for _, domains := range parts {
			t.Run(fmt.Sprint(f.name, " in ", domains, " domains"), func(t *testing.T) {
				t.Parallel()
				acts := rapid.SliceOfN(rapid.Custom(f.act), 4, f.longest)
				rapid.Check(t, func(t *rapid.T) {
					for range domains { // each part its own histories
						rapid.Bool().Draw(t, "part")
					}
					s := newSimulation(t, domains, rapid.Custom(f.meeting).Draw(t, "meeting"))
					for _, a := range acts.Draw(t, "acts") {
						s.which(a).step(a)
					}
					s.end()
				})
			})
		}
	}
}
