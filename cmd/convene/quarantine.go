package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
)

type quarantineListCmd struct {
	Address string `arg:"" optional:"" help:"Whose; without: everybody's."`
}

// quarantineEntry is a line of quarantine list --json.
type quarantineEntry struct {
	ID        int64     `json:"id"`
	Address   string    `json:"address"` // in whose calendar it stands
	From      string    `json:"from"`
	Organizer string    `json:"organizer"`
	Created   time.Time `json:"created"`
	Summary   string    `json:"summary"`
	Rule      string    `json:"rule"` // why
	UID       string    `json:"uid"`
}

func (c *quarantineListCmd) Run(e *env) error {
	_, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	w := tabwriter.NewWriter(plain{e.stdout}, 0, 8, 2, ' ', 0)
	whose, names := int64(0), map[int64]string{}
	for after := int64(0); ; {
		var page []db.Quarantined
		err := s.View(e.ctx, func(tx *db.Tx) error {
			if c.Address != "" {
				p, err := find(tx, c.Address, db.Person)
				if err != nil {
					return err
				}
				whose = p.ID
			}
			var err error
			if page, err = tx.Quarantines(whose, after, 500); err != nil {
				return err
			}
			for _, q := range page {
				if names[q.Principal] == "" {
					p, err := tx.Principal(q.Principal)
					if err != nil {
						return err
					}
					names[q.Principal] = p.Address
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, q := range page {
			after = q.ID
			if e.json {
				if err := e.object(quarantineEntry{q.ID, names[q.Principal], q.From, q.Organizer, q.Created.UTC(), q.Summary, q.Rule, q.UID}); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(w, "%d\t%s\tfrom %s\torganizer %s\t%s\t%s\t%s\t%s\n", q.ID, names[q.Principal], or(q.From), or(q.Organizer),
				q.Created.UTC().Format(time.RFC3339), oneLine(q.Summary), q.Rule, q.UID)
		}
		if len(page) < 500 {
			return w.Flush()
		}
	}
}

type quarantineReleaseCmd struct {
	ID int64 `arg:"" help:"As quarantine list prints it."`
}

func (c *quarantineReleaseCmd) Run(e *env) error {
	return endQuarantine(e, c.ID, "released", "is in the calendar as any other invitation", (*scheduling.Desk).Release)
}

type quarantineDropCmd struct {
	ID int64 `arg:"" help:"As quarantine list prints it."`
}

func (c *quarantineDropCmd) Run(e *env) error {
	return endQuarantine(e, c.ID, "dropped", "is dropped; nobody is told", (*scheduling.Desk).Drop)
}

func endQuarantine(e *env, id int64, word, done string, end func(*scheduling.Desk, context.Context, int64, string) error) error {
	cfg, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	err = end(newDesk(s, cfg, slog.New(slog.DiscardHandler)), e.ctx, id, "command")
	if errors.Is(err, db.ErrNotFound) {
		return fmt.Errorf("the quarantine has no %d, or somebody has taken it meanwhile; see convene quarantine list", id)
	}
	if err != nil {
		return err
	}
	return e.say(act{Done: word, ID: id}, "%d %s", id, done)
}

// strangers are the options about organizers whom nobody here knows.
type strangers struct {
	UnknownOrganizers      *string  `placeholder:"WHOSE" enum:"everyone,contacts,own-domain,allow-list,quarantine" help:"Whose invitations by mail go straight into the calendar: everyone (default), contacts, own-domain, allow-list, quarantine (nobody's); the others wait in quarantine."`
	AllowOrganizer         []string `sep:"none" placeholder:"ADDRESS" help:"Always straight into the calendar: an address, or a domain as @example.net; may be repeated."`
	RemoveAllowedOrganizer []string `sep:"none" placeholder:"ADDRESS" help:"No longer; may be repeated."`
}

func (o strangers) set(tx *db.Tx, p *db.Principal) error {
	if o.UnknownOrganizers != nil {
		if err := directory.SetPreference(tx, p.ID, directory.UnknownOrganizers, *o.UnknownOrganizers); err != nil {
			return err
		}
	}
	if len(o.AllowOrganizer)+len(o.RemoveAllowedOrganizer) == 0 {
		return nil
	}
	text, err := tx.Preference(p.ID, directory.KnownOrganizers)
	if err != nil {
		return err
	}
	list := strings.Fields(text)
	for _, a := range o.RemoveAllowedOrganizer {
		n := len(list)
		list = slices.DeleteFunc(list, func(x string) bool { return strings.EqualFold(x, a) })
		if len(list) == n {
			return fmt.Errorf("--remove-allowed-organizer: %s is not in the list", a)
		}
	}
	for _, a := range o.AllowOrganizer {
		if a = strings.ToLower(strings.TrimSpace(a)); strings.ContainsAny(a, " \t\n") {
			return fmt.Errorf("--allow-organizer: %q is no mail address, nor a domain as @example.net", a)
		} else if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return directory.SetPreference(tx, p.ID, directory.KnownOrganizers, strings.Join(list, " "))
}
