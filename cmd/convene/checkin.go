package main

import (
	"fmt"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
)

type checkInCmd struct {
	kind    db.Kind
	Address string `arg:"" help:"Mail address."`
}

// Run notes that somebody has come to what is booked now (rule check_in).
func (c *checkInCmd) Run(e *env) error {
	var all []scheduling.CheckedIn
	p, err := e.atDesk(c.Address, c.kind, func(d *scheduling.Desk, p db.Principal) (err error) {
		all, err = d.CheckIn(e.ctx, p, "command")
		return err
	})
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
		fmt.Fprintf(plain{e.stdout}, "%s  %s  %s\n", start, x.Organizer, oneLine(x.Title))
	}
	return nil
}
