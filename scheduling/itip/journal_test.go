package itip_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/dialogue"
	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
	"pgregory.net/rapid"
)

// journal writes a history down as each domain saw it, in the language of
// scenario scripts: what people there did, the mails that came, and what
// followed.
type journal struct {
	s     *simulation
	lines map[*core][]string
	uid   map[*core]string // of which it speaks
}

// unsaid stands where the language of the scripts has no words: an ADD is sent
// by no program here. What follows in that domain cannot be played.
const unsaid = "# no script lets anybody here do this: "

func asRefusal(err error, no **Refusal) bool { return errors.As(err, no) }

// begin notes an act; the function that it returns notes what came of it.
func (j *journal) begin(uid string, c *core, now time.Time, statement string, o *ics.Object) func(ignored bool, err error) {
	if j.lines == nil {
		j.lines, j.uid = map[*core][]string{}, map[*core]string{}
	}
	// A script's clock moves by one second with each act.
	var add []string
	if before := j.uid[c]; before != uid && (before != "" || uid != "1") {
		add = append(add, "meeting "+uid)
	}
	j.uid[c] = uid
	add = append(add, "", "now "+now.Add(-time.Second).UTC().Format(time.RFC3339))
	if verb, why, ok := strings.Cut(statement, " # "); ok {
		add = append(add, "# "+why, verb)
	} else {
		add = append(add, statement)
	}
	if o != nil {
		if id := o.Root().Value("PRODID"); strings.HasPrefix(statement, "mail ") && id != "" { // a server like this one is believed more
			add = append(add, "    PRODID:"+id)
		}
		if o.Kind() == "VTODO" {
			add = append(add, "    VTODO")
		}
		for i, comp := range o.Main() {
			if i > 0 {
				add = append(add, "    --")
			}
			text := strings.ReplaceAll(string(ics.New(&ics.Component{Name: "VCALENDAR", Children: []*ics.Component{comp}}).Bytes()), "\r\n ", "")
			lines := strings.Split(strings.TrimSpace(text), "\r\n")
			for _, l := range lines[2 : len(lines)-2] {
				add = append(add, "    "+l)
			}
		}
	}
	j.lines[c] = append(j.lines[c], add...)
	clear(c.told)
	return func(ignored bool, err error) {
		var no *Refusal
		switch {
		case errors.As(err, &no):
			j.lines[c] = append(j.lines[c], "refused "+no.Precondition)
		case err != nil:
			j.lines[c] = append(j.lines[c], "# error: "+err.Error())
		case ignored:
			j.lines[c] = append(j.lines[c], "ignored")
		}
		for _, p := range c.script.People {
			for _, b := range c.told[p.Name] {
				if o, err := ics.Parse(b, ics.Limits{}); err == nil {
					j.lines[c] = append(j.lines[c], "told "+p.Name+" "+o.Method())
				}
			}
		}
	}
}

// TestJournal plays what a failure of the simulation prints, of some histories
// that do not fail.
func TestJournal(t *testing.T) {
	meetings, acts := rapid.Custom(aMeeting), rapid.SliceOfN(rapid.Custom(anAct), 8, 12)
	for seed := range 60 {
		rapid.Custom(func(r *rapid.T) int {
			s := newSimulation(r, 3, meetings.Draw(r, "meeting"))
			for _, a := range acts.Draw(r, "acts") {
				s.which(a).step(a)
			}
			s.end()
			for i, text := range strings.Split(s.log.String(), "---- script")[1:] {
				_, text, _ = strings.Cut(text, "\n")
				text, _, _ = strings.Cut(text, unsaid)
				script, err := dialogue.Parse(text)
				if err != nil {
					t.Fatalf("%v\n%s", err, text)
				}
				script.File = fmt.Sprint("history ", seed, ", domain ", i)
				if dialogue.Run(t, script, newCore(script)); t.Failed() {
					t.Fatal(text)
				}
			}
			return 0
		}).Example(seed)
	}
}

// String is the scripts of all domains that took part.
func (j *journal) String() string {
	var b strings.Builder
	for i, c := range j.s.cores {
		if len(j.lines[c]) == 0 {
			continue
		}
		var text strings.Builder
		for _, p := range c.script.People {
			if by := j.s.at[cuaddr.Mailto(p.Address)]; by.removed && by.core == c { // later on
				p.Kind = "person"
			}
			fmt.Fprintf(&text, "%s %s %s\n", p.Name, p.Kind, p.Address)
		}
		text.WriteString(strings.Join(j.lines[c], "\n") + "\n")
		domain := ""
		for _, p := range c.script.People {
			if p.Kind == "person" {
				_, domain, _ = strings.Cut(p.Address, "@")
			}
		}
		fmt.Fprintf(&b, "---- script as domain %d saw it\n%s", i, strings.ReplaceAll(text.String(), "@"+domain, "@example.org"))
	}
	return b.String()
}
