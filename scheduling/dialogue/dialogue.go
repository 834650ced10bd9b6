// Package dialogue is the language of the scenario scripts in
// scheduling/testdata: meetings told as dialogues between named people. A
// script says what people do and what they see afterwards; who does it is a
// Driver, so that one script runs against the pure core and against the whole
// server.
//
// A script is lines of words; indented lines below a statement belong to it;
// "#" begins a comment. First comes how the server is configured, if it matters,
// as convene.toml has it, then the people:
//
//	scheduling.tell_others = 3
//	ann   person  ann@example.org [alias ...]    has a calendar here; with CN=Ann
//	                                             the directory calls her so
//	bob   outside bob@example.com                has nothing but mail
//	x{1..50} outside x{1..50}@example.com        fifty people
//	blue  room    blue@example.org               answers for itself
//	    schedule_in_freebusy 2                   by these rules of the policy
//	all   group   all@example.org ann bob        who is in it, further groups too
//
// then what they do:
//
//	now 2026-01-10T09:00:00Z
//	put ann                   writes an object; the lines are its properties
//	put ann if-tag            the same with If-Schedule-Tag-Match: what she saw last;
//	                          old-tag: what she saw before the last act; empty-tag: an
//	                          empty one. seen: with If-Match, nothing came between;
//	                          unseen: with an ETag that was never there. So behind
//	                          edit, delete, move and copy too
//	edit ben                  changes the copy that he has, as his program would:
//	    old => new            every line of the copy that holds old has new in its place
//	    - text                lines that hold text are gone
//	    + line                a line more in the first event
//	    + @20260203T100000Z line   in the override with that RECURRENCE-ID as written
//	    + --                  a new event, to which the + lines after it belong
//	    - @20260203T100000Z   the override is gone
//	answer ben ACCEPTED       sets his PARTSTAT in his copy; with a RECURRENCE-ID
//	answer ben DECLINED 20260203T100000Z       behind it, in that instance
//	delete ann [silent]       removes it; silent is Schedule-Reply: F
//	mail bob ann REPLY        Bob sends Ann an iTIP mail
//	send ann REQUEST bob ben  Ann's own mail program, not her calendar, sends them an
//	                          iTIP mail; the mail system shows Convene a copy of it.
//	                          What it brings to whom is not told: Convene did not send
//	                          it. That it reaches somebody here is a "mail" of its own
//	propose ben 20260203T100000Z 20260203T110000Z [RECURRENCE-ID]
//	                          asks for another time, without a calendar program
//	accept ann ben [RECURRENCE-ID]             decides about what Ben proposed,
//	decline ann ben [RECURRENCE-ID]            without a calendar program
//	split ann 20260210T100000Z 2               parts her series: what was before has
//	                          the UID 2 from then on
//	meeting 2                 from here on the script speaks of that UID
//	join dan team             dan becomes a member of the group,
//	leave dan team            dan is none any more
//	rename ann ann@example.net    his address is another one from then on
//	move ann work             her copy goes into her calendar work
//	copy ann work             she copies it there
//	store ann work            writes an object there, whatever she has elsewhere
//	drop ann work [silent]    removes the calendar with all that is in it
//	default ann work          invitations go there
//	import ann                an administrator stores an object of hers
//	remove ann [ben]          she is gone; what she organized is Ben's
//	grant ann inbox ben schedule-deliver-reply ...    Ben has these privileges
//	                          there, nobody else any; D:read in a calendar
//	delegate big cleo         she acts for the room from then on, and nobody else does:
//	confirm cleo big ACCEPTED [RECURRENCE-ID]  her program answers so in the room's calendar
//	arrive big                somebody has come to what is booked there now
//	again                     the last mail comes once more, as after an answer that was lost
//	prefer ann NAME VALUE     sets what she chose on a page: freebusy_sharing no
//	available ann             when she can be met: the lines are a VAVAILABILITY
//	reads ann auto            she gets mail, too: auto or always, as --mail-copies
//	keep ann                  from here on the items of her inbox stay there,
//	clear ann                 until her program deletes them
//	mailed ann COUNTER        this mail, and no other, came into her mailbox since
//	                          she was last asked, beside what her inbox has; nothing:
//	                          none. The lines are as those of told. words: a mail that
//	                          is no message, with the lines in its text
//	sweep                     a day's work of the server
//	property ann calendar C:schedule-calendar-transp    sets a property of that
//	    <C:transparent/>      calendar, or of her inbox, home or principal: XML, or text
//	publish bob               at a URL of his the lines below can be read,
//	card ann bob              and her address book says so
//	rest                      the server leaves alone what is queued, until
//	work 2                    it does that: so many jobs
//
// Object lines are properties of one VEVENT; a line "--" begins the next one
// and "BEGIN:VALARM" stands for itself. UID:1, DTSTAMP and what encloses them
// are added where they are missing; PRODID names another program, METHOD is what a program left in. With a line "VTODO" before all others they
// are properties of a task, with "VFREEBUSY" or "VJOURNAL" of that. A line with "{1..50}" in it is fifty lines.
//
// Then what follows from it, in any order, before the next act:
//
//	refused C:allowed-attendee-scheduling-object-change
//	ignored                   the mail had no effect
//	told bob REQUEST          he gets this message: a mail, or an inbox item
//	object ben                he has a copy
//	none ben                  he has none
//	agree                     all copies tell the same time, status and answers
//	tag ben kept|renewed      his Schedule-Tag, compared with before the act
//	lies ben work             the calendar that his copy is in
//	inbox ben 2               that many items are in his inbox
//	shows ann calendar C:x    that property of hers, and the lines are in it
//	busy ann bob 20310203T000000Z 20310204T000000Z    what Ann is told of Bob's
//	                          time, period by period: "BUSY START/END"; "known
//	                          START/END" if it is less than she asked for, or
//	                          "unknown", or "refused"; "event START/END SUMMARY" of
//	                          what fills it. "with LINE" before them adds a property
//	                          to the question. bob,x{1..50} asks about all of them at
//	                          once; then each line begins with who it is about
//
// Messages that nobody told of are an error: a script names them all; one that
// says "unheard" first names none and is there to see what becomes of the copies. Under
// told and object stand lines that the object must have:
//
//	ATTENDEE ben PARTSTAT=ACCEPTED !RSVP     an ATTENDEE line with ben's address
//	                                         and this text, without that
//	no VALARM                                no such property or component
//	@20260203T100000Z SUMMARY "Team lunch"   in the override of that instance
//	@ DTSTART:20260202T100000Z               in the master
//	components 2                             that many events
package dialogue

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Person is somebody in a script.
type Person struct {
	Name    string
	Kind    string // person, outside, room, group
	Address string
	Called  string   // in the directory; most are not called anything there
	Aliases []string // of a group: its members' names
	Policy  []string // rules by which he answers by himself
}

// Here reports whether he has a calendar here.
func (p Person) Here() bool { return p.Kind == "person" || p.Kind == "room" }

// Open returns the people in a group and in the groups in it, each once.
func (s *Script) Open(name string) []Person {
	var out []Person
	seen := map[string]bool{}
	var add func(string)
	add = func(name string) {
		for _, p := range s.People {
			if p.Name != name || seen[name] {
				continue
			}
			seen[name] = true
			if p.Kind != "group" {
				out = append(out, p)
				continue
			}
			for _, m := range p.Aliases {
				add(m)
			}
		}
	}
	add(name)
	return out
}

// Script is a parsed dialogue.
type Script struct {
	File   string
	Config []string // lines of convene.toml
	People []Person
	Steps  []Step
}

// Step is one statement with the lines below it.
type Step struct {
	Line  int
	Words []string
	Body  []string
}

// NeedsServer reports whether the script has a part that the core alone cannot
// play: a room that asks or tells its owner or looks at the answers of others,
// rules of a group, somebody for whom the server answers or who takes no part, a
// configuration, and what administrators do.
func (s *Script) NeedsServer() bool {
	if len(s.Config) > 0 {
		return true
	}
	for _, p := range s.People {
		if p.Kind != "room" && len(p.Policy) > 0 {
			return true
		}
		if p.Kind == "room" && slices.ContainsFunc(p.Policy, func(rule string) bool {
			return strings.HasPrefix(rule, "owner ") || strings.HasPrefix(rule, "ask_program ") || rule == "auto_release"
		}) {
			return true
		}
	}
	return slices.ContainsFunc(s.Steps, func(t Step) bool {
		switch t.Words[0] {
		case "prefer":
			return t.Words[2] == "participating" || t.Words[2] == "freebusy_bundling"
		case "join", "leave", "rename":
			return true
		}
		return slices.Contains(clerical, t.Words[0])
	})
}

// Tasks reports whether anybody in the script has something to do.
func (s *Script) Tasks() bool {
	return slices.ContainsFunc(s.Steps, func(t Step) bool { return len(t.Body) > 0 && t.Body[0] == "VTODO" })
}

// Read reads a script from a file.
func Read(file string) (*Script, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s, err := Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", file, err)
	}
	s.File = file
	return s, nil
}

var verbs = map[string][2]int{ // least and most words behind it
	"now": {1, 1}, "put": {1, 3}, "edit": {1, 3}, "answer": {2, 3}, "delete": {1, 4}, "mail": {3, 3}, "send": {3, 12},
	"propose": {3, 4}, "accept": {2, 3}, "decline": {2, 3}, "split": {3, 3}, "meeting": {1, 1}, "unheard": {0, 0},
	"refused": {1, 1}, "ignored": {0, 0}, "told": {2, 2}, "object": {1, 1}, "none": {1, 1}, "agree": {0, 0}, "tag": {2, 2},
	"prefer": {3, 3}, "available": {1, 1}, "busy": {4, 4}, "join": {2, 2}, "leave": {2, 2}, "rename": {2, 2},
}

// Parse reads a script.
func Parse(text string) (*Script, error) {
	s := &Script{}
	names := map[string]bool{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, " \t\r")
		bare := strings.TrimSpace(line)
		if bare == "" || strings.HasPrefix(bare, "#") {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if len(s.Steps) == 0 && len(s.People) > 0 {
				last := &s.People[len(s.People)-1]
				last.Policy = append(last.Policy, bare)
				continue
			}
			if len(s.Steps) == 0 {
				return nil, fmt.Errorf("%d: an indented line belongs to no statement", i+1)
			}
			last := &s.Steps[len(s.Steps)-1]
			last.Body = append(last.Body, bare)
			continue
		}
		words, err := split(bare)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", i+1, err)
		}
		if len(words) > 2 && words[1] == "=" {
			if len(s.People) > 0 {
				return nil, fmt.Errorf("%d: the configuration comes first", i+1)
			}
			s.Config = append(s.Config, bare)
			continue
		}
		if len(words) > 2 && slices.Contains(kinds, words[1]) {
			if err := s.introduce(bare, names); err != nil {
				return nil, fmt.Errorf("%d: %w", i+1, err)
			}
			continue
		}
		n, known := verbs[words[0]]
		if !known {
			n, known = keeping[words[0]]
		}
		if !known || len(words)-1 < n[0] || len(words)-1 > n[1] {
			return nil, fmt.Errorf("%d: %q is no statement", i+1, bare)
		}
		switch words[0] {
		case "now":
			if _, err := time.Parse(time.RFC3339, words[1]); err != nil {
				return nil, fmt.Errorf("%d: %w", i+1, err)
			}
		case "refused", "ignored", "agree", "meeting", "unheard", "sweep", "rest", "work", "again":
		default:
			if !names[words[1]] {
				return nil, fmt.Errorf("%d: who is %s?", i+1, words[1])
			}
		}
		for _, to := range recipients(words) {
			if !names[to] {
				return nil, fmt.Errorf("%d: who is %s?", i+1, to)
			}
		}
		s.Steps = append(s.Steps, Step{Line: i + 1, Words: words})
	}
	if len(s.People) == 0 || len(s.Steps) == 0 {
		return nil, fmt.Errorf("1: a dialogue needs people who do something")
	}
	return s, nil
}

var kinds = []string{"person", "outside", "room", "group"}

// introduce adds who a line names.
func (s *Script) introduce(line string, names map[string]bool) error {
	for _, one := range many(line) {
		words, err := split(one)
		if err != nil {
			return err
		}
		if len(s.Steps) > 0 || names[words[0]] {
			return fmt.Errorf("people come first, each once")
		}
		names[words[0]] = true
		p := Person{Name: words[0], Kind: words[1], Address: words[2]}
		for _, w := range words[3:] {
			if called, ok := strings.CutPrefix(w, "CN="); ok {
				p.Called = called
			} else {
				p.Aliases = append(p.Aliases, w)
			}
		}
		s.People = append(s.People, p)
	}
	return nil
}

// recipients are to whom a mail program sends something.
func recipients(words []string) []string {
	if words[0] != "send" {
		return nil
	}
	return words[3:]
}

// split cuts a line into words; "..." keeps blanks together.
func split(line string) ([]string, error) {
	var words []string
	var b strings.Builder
	in, quoted := false, false
	for _, r := range line {
		switch {
		case r == '"':
			quoted, in = !quoted, true
		case (r == ' ' || r == '\t') && !quoted:
			if in {
				words, in = append(words, b.String()), false
				b.Reset()
			}
		default:
			b.WriteRune(r)
			in = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote does not end")
	}
	if in {
		words = append(words, b.String())
	}
	return words, nil
}
