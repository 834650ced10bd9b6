package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

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
	if e.json {
		list, who, err := decisions(e, s, c.What)
		if err != nil {
			return err
		}
		return jsonDecisions(e.stdout, list, who)
	}
	return why(e, s, e.stdout, c.What)
}

func why(e *env, s *db.Store, w io.Writer, what string) error {
	list, who, err := decisions(e, s, what)
	if err != nil {
		return err
	}
	printDecisions(w, list, who)
	// About a mail: where the rest of the story is.
	var more []string
	for _, d := range list {
		if d.UID != "" && d.UID != strings.TrimSpace(what) && !slices.Contains(more, d.UID) {
			more = append(more, d.UID)
		}
	}
	for _, uid := range more {
		fmt.Fprintf(plain{w}, "\nthe whole story of this meeting: convene why '%s'\n", uid)
	}
	return nil
}

// decisions returns what was decided about a UID or Message-ID, in order, and
// the addresses of the principals in it; an error if that is nothing.
func decisions(e *env, s *db.Store, what string) (list []db.Decision, who map[int64]string, err error) {
	who = map[int64]string{}
	err = s.Read(e.ctx, func(tx *db.Tx) error {
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
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("nothing was decided about %s: no meeting of this UID changed here, and no mail of this Message-ID came or went", what)
	}
	return list, who, err
}

// decision is one object of why --json. The names are part of the outside, as
// the commands are.
type decision struct {
	Time      time.Time `json:"time"`
	Direction string    `json:"direction"`            // in, out, user, local, agent
	Door      string    `json:"door,omitempty"`       // dav, lmtp, pipe, observe, milter, rsvp, import, queue, command
	UID       string    `json:"uid,omitempty"`        // of the meeting
	MessageID string    `json:"message_id,omitempty"` // of the mail, without brackets
	Method    string    `json:"method,omitempty"`
	Principal string    `json:"principal,omitempty"` // whose calendar
	Sender    string    `json:"sender,omitempty"`
	Recipient string    `json:"recipient,omitempty"`
	Belief    string    `json:"belief,omitempty"` // proved, unverified, contradicted
	Rule      string    `json:"rule"`
	Outcome   string    `json:"outcome"`
	Detail    string    `json:"detail,omitempty"` // one finding a line: evidence, what was mended
}

func jsonDecisions(w io.Writer, list []db.Decision, who map[int64]string) error {
	out := make([]decision, len(list))
	for i, d := range list {
		out[i] = decision{d.At.UTC(), d.Direction, d.Door, d.UID, d.MessageID, d.Method, who[d.Principal], or(d.From), or(d.To), d.Belief, d.Rule, d.Outcome, d.Detail}
	}
	return json.NewEncoder(w).Encode(out)
}

// doorWords say through which door something came.
var doorWords = map[string]string{
	"dav": "a calendar program", "lmtp": "mail", "pipe": "mail (piped)", "observe": "mail that a user sent", "milter": "mail that a user sent",
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
