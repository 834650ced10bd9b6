package dialogue

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// Driver plays a script: the core with a map for a store, or a whole server.
// People are given by name; a refusal is an error that is an *itip.Refusal.
type Driver interface {
	Now(time.Time)
	// Put writes the object to where the person has it, or anew.
	Put(who string, object []byte, c Condition) error
	Delete(who, uid string, silent bool, c Condition) error
	// Mail brings an iTIP mail in; ignored tells that it had no effect.
	Mail(from, to string, method itip.Method, object []byte) (ignored bool, err error)
	// Send shows a copy of an iTIP mail that a person here sent from a mail program.
	Send(from string, to []string, method itip.Method, object []byte) (ignored bool, err error)
	// Propose asks for another time on the page that needs no calendar program.
	Propose(who, uid string, rid ics.RID, start, end time.Time) error
	// Decide accepts or declines what attendee proposed, on a page as well.
	Decide(who, uid, attendee string, rid ics.RID, accept bool) error
	// Split parts a series; what is before rid gets the UID fresh.
	Split(who, uid, rid, fresh string) error
	// Object returns a person's copy and its Schedule-Tag; nil without one.
	Object(who, uid string) (object []byte, tag string)
	// Prefer stores what a person chose.
	Prefer(who, name, value string) error
	// Available stores when a person can be met.
	Available(who string, object []byte) error
	// Busy returns what a person is told of others' time, as a script has it. The
	// lines of with are properties of the question.
	Busy(who string, whom []string, from, to time.Time, with []string) ([][]string, error)
	// Settle lets everything happen that is queued.
	Settle()
	// Told returns and forgets the messages that reached a person: mails, or
	// inbox items.
	Told(who string) [][]byte
}

// Condition is what a write demands of what is there; if it fails, the error
// is a *itip.Refusal with the precondition "412".
type Condition struct {
	Tag    *string // If-Schedule-Tag-Match
	Seen   bool    // If-Match: the person has read what is there
	Unseen bool    // If-Match: he has read something else
}

// Administrator is a Driver that changes who is there; only servers are.
type Administrator interface {
	Join(who, group string) error
	Leave(who, group string) error
	Rename(who, address string) error
}

// Run plays a script with a driver.
func Run(t *testing.T, s *Script, d Driver) {
	t.Helper()
	own := *s
	own.People = slices.Clone(s.People) // who is renamed is so in this run only
	r := &run{t: t, s: &own, d: d, seen: map[string]string{}, tags: map[string]string{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), uid: "1"}
	d.Now(r.now)
	for _, step := range s.Steps {
		r.line = step.Line
		r.step(step)
		if t.Failed() {
			break
		}
	}
	r.closeAct()
}

type run struct {
	t    *testing.T
	s    *Script
	d    Driver
	line int
	now  time.Time
	uid  string // of the meeting spoken of

	err     error // of the last act, until it is expected
	ignored bool
	mailed  bool
	deaf    bool // the script names no messages
	told    map[string][]*ics.Object
	seen    map[string]string // tag that a person's program saw last
	tags    map[string]string // tag before the last act
	older   map[string]string // and before the act before that
}

func (r *run) failf(format string, args ...any) {
	r.t.Helper()
	r.t.Errorf("%s:%d: %s", r.s.File, r.line, fmt.Sprintf(format, args...))
}

func (r *run) person(name string) Person {
	for _, p := range r.s.People {
		if p.Name == name {
			return p
		}
	}
	r.failf("who is %s?", name)
	return Person{}
}

func (r *run) step(s Step) {
	if _, ok := keeping[s.Words[0]]; ok {
		r.keep(s)
		return
	}
	r.does(s)
	r.expects(s)
}

// copyOf is what somebody has of the meeting.
func (r *run) copyOf(who string) ([]byte, error) {
	o, _ := r.d.Object(who, r.uid)
	if o == nil {
		return nil, fmt.Errorf("%s has no copy", who)
	}
	return o, nil
}

// does lets people do something.
func (r *run) does(s Step) {
	w := s.Words
	switch w[0] {
	case "now":
		r.closeAct()
		r.now, _ = time.Parse(time.RFC3339, w[1])
		r.d.Now(r.now)
		r.hear() // what only the time brings
	case "meeting":
		r.uid = w[1]
	case "unheard":
		r.deaf = true
	case "propose":
		r.act(func() error {
			start, err := time.Parse(utcForm, w[2])
			if err != nil {
				return err
			}
			end, err := time.Parse(utcForm, w[3])
			if err != nil {
				return err
			}
			return r.d.Propose(w[1], r.uid, ridOf(w, 4), start, end)
		})
	case "accept", "decline":
		r.act(func() error { return r.d.Decide(w[1], r.uid, w[2], ridOf(w, 3), w[0] == "accept") })
	case "split":
		r.act(func() error { return r.d.Split(w[1], r.uid, w[2], w[3]) })
	case "put":
		r.act(func() error { return r.d.Put(w[1], r.object(s.Body, ""), r.condition(w[1], w[2:])) })
	case "edit":
		r.act(func() error {
			old, err := r.copyOf(w[1])
			if err != nil {
				return err
			}
			body, err := edit(string(old), s.Body)
			if err != nil {
				return err
			}
			return r.d.Put(w[1], []byte(body), r.condition(w[1], w[2:]))
		})
	case "answer":
		r.act(func() error {
			old, err := r.copyOf(w[1])
			if err != nil {
				return err
			}
			o, err := ics.Parse(old, ics.Limits{})
			if err != nil {
				return err
			}
			n := itip.SetPartStat(o, r.self(r.person(w[1])), ridOf(w, 3), w[2], "")
			if n == nil {
				return fmt.Errorf("%s is not invited to that", w[1])
			}
			return r.d.Put(w[1], n.Bytes(), Condition{})
		})
	case "delete":
		more, silent := w[2:], len(w) > 2 && w[2] == "silent"
		if silent {
			more = w[3:]
		}
		r.act(func() error { return r.d.Delete(w[1], r.uid, silent, r.condition(w[1], more)) })
	case "mail":
		r.act(func() (err error) {
			r.mailed = true
			r.ignored, err = r.d.Mail(w[1], w[2], itip.Method(w[3]), r.object(s.Body, w[3]))
			return err
		})
	case "send":
		r.act(func() (err error) {
			r.mailed = true
			r.ignored, err = r.d.Send(w[1], recipients(w), itip.Method(w[2]), r.object(s.Body, w[2]))
			return err
		})
	case "prefer":
		r.act(func() error { return r.d.Prefer(w[1], w[2], w[3]) })
	case "available":
		r.act(func() error {
			return r.d.Available(w[1], []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//dialogue//EN\r\n"+strings.Join(s.Body, "\r\n")+"\r\nEND:VCALENDAR\r\n"))
		})
	case "join", "leave", "rename":
		r.act(func() error { return r.administer(w) })
	}
}

// expects looks at what follows from it.
func (r *run) expects(s Step) {
	w := s.Words
	switch w[0] {
	case "busy":
		r.expectBusy(w, s.Body)
	case "refused":
		var ref *itip.Refusal
		if !errors.As(r.err, &ref) || ref.Precondition != w[1] {
			r.failf("refused %s; want %s", show(r.err), w[1])
		}
		r.err = nil
	case "ignored":
		if !r.mailed || !r.ignored {
			r.failf("the mail had an effect")
		}
		r.ignored = false
	case "told":
		r.expectTold(w[1], w[2], s.Body)
	case "object":
		r.expectObject(w[1], s.Body)
	case "none":
		if o, _ := r.d.Object(w[1], r.uid); o != nil {
			r.failf("%s has a copy:\n%s", w[1], o)
		}
	case "agree":
		r.agree()
	case "tag":
		_, now := r.d.Object(w[1], r.uid)
		if kept := now == r.tags[w[1]]; kept != (w[2] == "kept") || now == "" {
			r.failf("%s's Schedule-Tag was %q and is %q; want it %s", w[1], r.tags[w[1]], now, w[2])
		}
	}
}

// administer changes who is there.
func (r *run) administer(w []string) error {
	d, ok := r.d.(Administrator)
	if !ok {
		return errors.New("nobody administers this")
	}
	switch w[0] {
	case "join":
		return d.Join(w[1], w[2])
	case "leave":
		return d.Leave(w[1], w[2])
	}
	for i := range r.s.People {
		if p := &r.s.People[i]; p.Name == w[1] {
			if p.Kind != "group" {
				p.Aliases = append(slices.Clone(p.Aliases), p.Address)
			}
			p.Address = w[2]
		}
	}
	return d.Rename(w[1], w[2])
}

// ridOf reads the instance that a statement may name.
func ridOf(words []string, at int) ics.RID {
	if len(words) > at {
		return ics.RID(words[at])
	}
	return ""
}

// condition reads the words behind a write and whom it is of.
func (r *run) condition(who string, words []string) (c Condition) {
	r.t.Helper()
	for _, w := range words {
		tag := ""
		switch w {
		case "if-tag":
			tag = r.seen[who]
		case "old-tag":
			tag = r.older[who]
		case "empty-tag":
		case "seen":
			c.Seen = true
			continue
		case "unseen":
			c.Unseen = true
			continue
		default:
			r.failf("%s is no condition", w)
		}
		c.Tag = &tag
	}
	return c
}

// act does one thing and gathers what people hear of it.
func (r *run) act(f func() error) {
	r.t.Helper()
	r.closeAct()
	r.now = r.now.Add(time.Second) // people are slower than that, and DTSTAMPs differ
	r.d.Now(r.now)
	r.older = maps.Clone(r.tags)
	for _, p := range r.s.People {
		if p.Here() {
			_, r.tags[p.Name] = r.d.Object(p.Name, r.uid)
		}
	}
	r.err = f()
	var ref *itip.Refusal
	if r.err != nil && !errors.As(r.err, &ref) {
		r.failf("%v", r.err)
		r.err = nil
		return
	}
	r.hear()
}

// hear lets everything happen that is queued and gathers what people hear.
func (r *run) hear() {
	r.t.Helper()
	r.d.Settle()
	r.told = map[string][]*ics.Object{}
	for _, p := range r.s.People {
		if p.Here() {
			_, r.seen[p.Name] = r.d.Object(p.Name, r.uid)
		}
		if p.Kind == "room" || p.Kind == "group" || p.Kind == gone {
			continue // they read nothing
		}
		for _, m := range r.d.Told(p.Name) {
			o, err := ics.Parse(m, ics.Limits{})
			if err != nil {
				r.failf("what %s was told is no iCalendar: %v\n%s", p.Name, err, m)
				continue
			}
			r.told[p.Name] = append(r.told[p.Name], o)
		}
	}
}

// closeAct complains of what the script did not tell.
func (r *run) closeAct() {
	r.t.Helper()
	if r.t.Failed() {
		return
	}
	if r.err != nil {
		r.failf("before this line: %v", r.err)
	}
	if r.ignored && !r.deaf {
		r.failf("before this line: the mail was ignored")
	}
	for who, ms := range r.told {
		for _, m := range ms {
			if r.deaf {
				continue
			}
			r.failf("before this line: %s was told and the script does not say so:\n%s", who, m.Bytes())
		}
	}
	r.err, r.ignored, r.mailed, r.told = nil, false, false, nil
}

func (r *run) expectTold(who, method string, lines []string) {
	wrong := ""
	for i, m := range r.told[who] {
		if m.Method() != method {
			continue
		}
		why := r.match(m, lines)
		if why == "" { // of several the one that fits: mails have no order among them
			r.told[who] = append(r.told[who][:i:i], r.told[who][i+1:]...)
			return
		}
		if wrong == "" {
			wrong = fmt.Sprintf("%s was told %s, but %s:\n%s", who, method, why, m.Bytes())
		}
	}
	if wrong == "" {
		wrong = who + " was not told " + method
	}
	r.failf("%s", wrong)
}

func (r *run) expectObject(who string, lines []string) {
	b, _ := r.d.Object(who, r.uid)
	if b == nil {
		r.failf("%s has no copy", who)
		return
	}
	o, err := ics.Parse(b, ics.Limits{})
	if err != nil {
		r.failf("%s's copy: %v", who, err)
		return
	}
	if why := r.match(o, lines); why != "" {
		r.failf("%s's copy: %s:\n%s", who, why, b)
	}
	if !bytes.Equal(itip.Shown(b), b) {
		r.failf("%s sees what the server remembers things by:\n%s", who, b)
	}
}

func (r *run) self(p Person) func(cuaddr.Address) bool {
	mine := map[cuaddr.Address]bool{cuaddr.Mailto(p.Address): true}
	for _, a := range p.Aliases {
		mine[cuaddr.Mailto(a)] = true
	}
	return func(a cuaddr.Address) bool { return mine[a] }
}

func show(err error) string {
	if err == nil {
		return "nothing"
	}
	return err.Error()
}
