package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/convene-server/convene/db"
)

type conflictsCmd struct {
	kind    db.Kind
	Address string `arg:"" help:"Mail address."`
	Days    int    `default:"180" help:"How far ahead."`
}

// Run lists where bookings of a room or a resource overlap from now on.
func (c *conflictsCmd) Run(e *env) error {
	if c.Days < 1 || c.Days > 3660 {
		return errors.New("--days: a number from 1 to 3660")
	}
	config, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	var p db.Principal
	if err := s.View(e.ctx, func(tx *db.Tx) (err error) {
		p, err = find(tx, c.Address, c.kind)
		return err
	}); err != nil {
		return err
	}
	now := time.Now()
	all, err := newDesk(s, config, slog.New(slog.DiscardHandler)).Conflicts(e.ctx, p, now, now.AddDate(0, 0, c.Days))
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(plain{e.stdout}, 0, 8, 2, ' ', 0)
	for _, x := range all {
		if e.json {
			if err := e.object(map[string]string{
				"start": x.Second.Start.Format(time.RFC3339), "uid": x.First.UID, "organizer": x.First.Organizer, "title": x.First.Title,
				"other_uid": x.Second.UID, "other_organizer": x.Second.Organizer, "other_title": x.Second.Title,
			}); err != nil {
				return err
			}
			continue
		}
		one := func(s string) string { return strings.Join(strings.Fields(s), " ") }
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", x.Second.Start.UTC().Format("2006-01-02 15:04 MST"), x.First.Organizer, one(x.First.Title), x.Second.Organizer, one(x.Second.Title))
	}
	if len(all) == 0 && !e.json {
		fmt.Fprintf(e.stdout, "no conflicts of %s in the next %d days\n", p.Address, c.Days)
	}
	return w.Flush()
}

type checkInCmd struct {
	kind    db.Kind
	Address string `arg:"" help:"Mail address."`
}

// Run notes that somebody has come to what is booked now (rule check_in).
func (c *checkInCmd) Run(e *env) error {
	config, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	var p db.Principal
	if err := s.View(e.ctx, func(tx *db.Tx) (err error) {
		p, err = find(tx, c.Address, c.kind)
		return err
	}); err != nil {
		return err
	}
	all, err := newDesk(s, config, slog.New(slog.DiscardHandler)).CheckIn(e.ctx, p, "command")
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("nothing is booked in %s now or within a quarter of an hour", p.Address)
	}
	for _, x := range all {
		start := x.Start.Format(time.RFC3339)
		if e.json {
			if err := e.object(map[string]string{"start": start, "uid": x.UID, "organizer": x.Organizer, "title": x.Title}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(e.stdout, "%s  %s  %s\n", start, x.Organizer, strings.Join(strings.Fields(x.Title), " "))
	}
	return nil
}
