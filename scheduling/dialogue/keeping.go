package dialogue

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
)

// Keeper is a Driver whose people have several calendars, and come and go. A
// calendar that is not there is made.
type Keeper interface {
	// Move moves a person's copy into another of his calendars.
	Move(who, uid, calendar string, c Condition) error
	// Drop removes a calendar with all that is in it; silent is Schedule-Reply: F.
	Drop(who, calendar string, silent bool) error
	// Import stores an object as an administrator brings it from elsewhere.
	Import(who string, object []byte) error
	// Remove ends a person; what he organized becomes the heir's, "" nobody's.
	Remove(who, heir string) error
	// Lies returns the calendar that a person's copy is in.
	Lies(who, uid string) string
}

// Clerk is a Driver with all that servers have beside calendars; only servers
// are.
type Clerk interface {
	// Store writes an object into a calendar, whatever the person has elsewhere.
	Store(who, calendar string, object []byte) error
	// Copy copies a person's copy into another of his calendars.
	Copy(who, uid, calendar string, c Condition) error
	// Default says where invitations to a person go.
	Default(who, calendar string) error
	// Grant gives whom these privileges on a person's inbox, outbox or calendar, and
	// nobody else any.
	Grant(who, box, whom string, privileges []string) error
	// Keep leaves the items of a person's inbox where they are, from now on.
	Keep(who string)
	// Inbox counts them.
	Inbox(who string) int
	// Clear deletes them, as a program does that has shown them.
	Clear(who string) error
	// Mailed returns and forgets the iTIP messages that came to the mailbox of a
	// person here from the server, beside what his inbox has.
	Mailed(who string) [][]byte
	// Words returns and forgets the text of his mails.
	Words(who string) []string
	// Reads says whether he gets mail beside his inbox, as --mail-copies.
	Reads(who, copies string) error
	// Delegate lets somebody act for a room, and nobody else; Confirm answers in its
	// calendar as her program does.
	Delegate(room, who string) error
	Confirm(who, room, uid string, rid ics.RID, partstat string) error
	// Arrive notes that somebody has come to what is booked in a room now.
	Arrive(room string) error
	// Again brings in the last mail once more.
	Again() error
	// Sweep does what a server does once a day.
	Sweep() error
	// SetProperty sets a property of a person's calendar, or of his inbox, home or
	// principal: XML, or text. Property returns it, ok says whether it is there.
	SetProperty(who, of, name, value string) error
	Property(who, of, name string) (value string, ok bool)
	// Publish lets an object be read at a URL of a person outside; Card lets
	// somebody's address book name that URL.
	Publish(whom string, object []byte) error
	Card(who, whom string) error
	// Rest leaves alone what is queued, until Work does it, and counts the jobs.
	Rest()
	Work() (jobs int)
}

// keeping are the verbs of Keeper and Clerk, with the least and most words
// behind them; clerical are those that the core alone cannot play.
var (
	keeping = map[string][2]int{
		"move": {2, 4}, "drop": {2, 3}, "import": {1, 1}, "remove": {1, 2}, "lies": {2, 2},
		"store": {2, 2}, "copy": {2, 4}, "default": {2, 2}, "grant": {3, 9}, "keep": {1, 1}, "inbox": {2, 2}, "clear": {1, 1}, "mailed": {2, 2}, "sweep": {0, 0},
		"property": {3, 3}, "shows": {3, 3}, "publish": {1, 1}, "card": {2, 2}, "rest": {0, 0}, "work": {1, 1},
		"delegate": {2, 2}, "confirm": {3, 4}, "again": {0, 0}, "reads": {2, 2}, "arrive": {1, 1},
	}
	clerical = []string{"store", "copy", "default", "grant", "keep", "inbox", "clear", "mailed", "sweep", "property", "shows", "publish", "card", "rest", "work",
		"delegate", "confirm", "again", "reads", "arrive"}
)

// gone is the Kind of who was removed.
const gone = "gone"

// keep does a statement of keeping.
func (r *run) keep(s Step) {
	w := s.Words
	k, able := r.d.(Keeper)
	c, clerk := r.d.(Clerk)
	if !able || slices.Contains(clerical, w[0]) && !clerk {
		r.failf("nobody here can %s", w[0])
		return
	}
	written := func(f func([]byte) error) {
		r.act(func() error { return f(r.object(s.Body, "")) })
	}
	switch w[0] {
	case "move":
		r.act(func() error { return k.Move(w[1], r.uid, w[2], r.condition(w[1], w[3:])) })
	case "drop":
		r.act(func() error { return k.Drop(w[1], w[2], len(w) > 3 && w[3] == "silent") })
	case "import":
		written(func(body []byte) error { return k.Import(w[1], body) })
	case "remove":
		heir := ""
		if len(w) > 2 {
			heir = w[2]
		}
		at := slices.IndexFunc(r.s.People, func(p Person) bool { return p.Name == w[1] })
		r.act(func() error {
			if r.s.People[at].Kind != "person" {
				return errors.New("only people are removed")
			}
			r.s.People[at].Kind = gone
			return k.Remove(w[1], heir)
		})
	case "lies":
		if at := k.Lies(w[1], r.uid); at != w[2] {
			r.failf("%s has it in %q; want %s", w[1], at, w[2])
		}
	case "store":
		written(func(body []byte) error { return c.Store(w[1], w[2], body) })
	case "copy":
		r.act(func() error { return c.Copy(w[1], r.uid, w[2], r.condition(w[1], w[3:])) })
	case "default":
		r.act(func() error { return c.Default(w[1], w[2]) })
	case "grant":
		r.act(func() error { return c.Grant(w[1], w[2], w[3], w[4:]) })
	case "keep":
		c.Keep(w[1])
	case "inbox":
		if n := c.Inbox(w[1]); strconv.Itoa(n) != w[2] {
			r.failf("%d items are in the inbox of %s; want %s", n, w[1], w[2])
		}
	case "clear":
		r.act(func() error { return c.Clear(w[1]) })
	case "delegate":
		r.act(func() error { return c.Delegate(w[1], w[2]) })
	case "confirm":
		r.act(func() error { return c.Confirm(w[1], w[2], r.uid, ridOf(w, 4), w[3]) })
	case "arrive":
		r.act(func() error { return c.Arrive(w[1]) })
	case "again":
		r.act(c.Again)
	case "reads":
		r.act(func() error { return c.Reads(w[1], w[2]) })
	case "mailed":
		if w[2] == "words" {
			text := c.Words(w[1])
			if len(text) != 1 || slices.ContainsFunc(s.Body, func(l string) bool { return !strings.Contains(text[0], l) }) {
				r.failf("%s got %d mails:\n%s", w[1], len(text), strings.Join(text, "\n"))
			}
			return
		}
		r.mailbox(w[1], w[2], s.Body, c.Mailed(w[1]))
	case "sweep":
		r.act(c.Sweep)
	case "property":
		r.act(func() error { return c.SetProperty(w[1], w[2], w[3], strings.Join(s.Body, "\n")) })
	case "shows":
		value, ok := c.Property(w[1], w[2], w[3])
		for _, l := range s.Body {
			ok = ok && strings.Contains(value, l)
		}
		if !ok {
			r.failf("%s of %s's %s is %q", w[3], w[1], w[2], value)
		}
	case "publish":
		written(func(body []byte) error { return c.Publish(w[1], body) })
	case "card":
		r.act(func() error { return c.Card(w[1], w[2]) })
	case "rest":
		c.Rest()
	case "work":
		r.act(func() error {
			if n := c.Work(); strconv.Itoa(n) != w[1] {
				return fmt.Errorf("the server had %d jobs; want %s", n, w[1])
			}
			return nil
		})
	}
}

// mailbox compares the mails that somebody has with the one that he should have.
func (r *run) mailbox(who, method string, lines []string, mails [][]byte) {
	if method == "nothing" && len(mails) == 0 {
		return
	}
	if len(mails) != 1 || method == "nothing" {
		r.failf("%s was mailed %d messages:\n%s", who, len(mails), bytes.Join(mails, nil))
		return
	}
	o, err := ics.Parse(mails[0], ics.Limits{})
	if err != nil {
		r.failf("what %s was mailed: %v", who, err)
	} else if why := r.match(o, lines); o.Method() != method || why != "" {
		r.failf("%s was mailed %s: %s\n%s", who, o.Method(), why, mails[0])
	}
}
