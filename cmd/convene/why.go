package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/convene-server/convene/db"
)

// whyLimit bounds what one call prints; a meeting has rarely hundreds of
// decisions.
const whyLimit = 10_000

type whyCmd struct {
	What string `arg:"" name:"uid|message-id" help:"UID of a meeting, or Message-ID of a mail."`
}

func (c *whyCmd) Run(e *env) error {
	_, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	return why(e, s, e.stdout, c.What)
}

func why(e *env, s *db.Store, w io.Writer, what string) error {
	var list []db.Decision
	who := map[int64]string{}
	err := s.Read(e.ctx, func(tx *db.Tx) error {
		// A Message-ID is stored without or with its brackets, as the mail has it.
		bare := strings.Trim(strings.TrimSpace(what), "<>")
		var err error
		for _, key := range []string{strings.TrimSpace(what), bare, "<" + bare + ">"} {
			if list, err = tx.Decisions(key, whyLimit); err != nil || len(list) > 0 {
				break
			}
		}
		if err != nil {
			return err
		}
		for _, d := range list {
			if _, known := who[d.Principal]; known || d.Principal == 0 {
				continue
			}
			p, err := tx.Principal(d.Principal)
			if err == nil {
				who[d.Principal] = p.Address
			}
			// One that was removed is shown without a name.
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("nothing was decided about %s: no meeting of this UID changed here, and no mail of this Message-ID came or went", what)
	}
	printDecisions(w, list, who)
	return nil
}

// doorWords say through which door something came.
var doorWords = map[string]string{
	"dav": "a calendar program", "lmtp": "mail", "pipe": "mail (piped)", "observe": "mail that a user sent",
	"rsvp": "the answer page", "import": "an import", "queue": "the queue", "command": "a command", "agent": "",
}

// printDecisions writes decisions for people: what happened to whom, then
// indented by which rule. A removed principal is left out.
func printDecisions(w io.Writer, list []db.Decision, who map[int64]string) {
	w = plain{w}
	day := ""
	for _, d := range list {
		at := d.At.UTC()
		if now := at.Format("Monday, 2 January 2006"); now != day {
			if day != "" {
				fmt.Fprintln(w)
			}
			day = now
			fmt.Fprintf(w, "%s (UTC)\n", day)
		}
		what := ""
		switch d.Direction {
		case "user":
			what = "written by " + or(d.From, who[d.Principal], "a user")
		case "in":
			what = arrow("mail", d)
		case "out":
			what = arrow("mail out", d)
		case "local":
			what = arrow("between people here", d)
		case "agent":
			what = "answered by itself: " + or(who[d.Principal], d.From, "a room")
		default:
			what = arrow(d.Direction, d)
		}
		door, known := doorWords[d.Door]
		if !known {
			door = d.Door
		}
		if door != "" {
			what += " (" + door + ")"
		}
		fmt.Fprintf(w, "%s  %-9s %s\n", at.Format("15:04:05.000"), or(d.Outcome, "-"), what)
		line := func(label, text string) {
			for i, l := range strings.Split(strings.TrimSpace(text), "\n") {
				if l = strings.TrimSpace(l); l == "" {
					continue
				}
				if i > 0 {
					label = ""
				}
				fmt.Fprintf(w, "%14s%-9s %s\n", "", label, l)
			}
		}
		line("rule", d.Rule)
		line("detail", d.Detail)
		line("sender", d.Belief)
		if p := who[d.Principal]; p != "" && !strings.Contains(what, p) {
			line("for", p)
		}
		line("mail", d.MessageID)
	}
}

func arrow(what string, d db.Decision) string {
	if d.Method != "" {
		what += ": " + d.Method
	}
	if d.From != "" {
		what += " from " + strings.TrimPrefix(d.From, "mailto:")
	}
	if d.To != "" {
		what += " to " + strings.Join(strings.Fields(strings.ReplaceAll(d.To, "mailto:", "")), ", ")
	}
	return what
}

// or returns the first text that is not empty, without mailto:.
func or(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return strings.TrimPrefix(t, "mailto:")
		}
	}
	return ""
}

// plain lets no control character through but line ends: what strangers wrote
// into addresses and identifiers shall not steer a terminal.
type plain struct{ w io.Writer }

func (p plain) Write(b []byte) (int, error) {
	clean := bytes.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, b)
	if _, err := p.w.Write(clean); err != nil {
		return 0, err
	}
	return len(b), nil
}
