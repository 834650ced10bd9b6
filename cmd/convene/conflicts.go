package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
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
	var all []scheduling.Conflict
	p, err := e.atDesk(c.Address, c.kind, func(d *scheduling.Desk, p db.Principal) (err error) {
		now := time.Now()
		all, err = d.Conflicts(e.ctx, p, now, now.AddDate(0, 0, c.Days))
		return err
	})
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
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", x.Second.Start.UTC().Format("2006-01-02 15:04 MST"), x.First.Organizer, oneLine(x.First.Title), x.Second.Organizer, oneLine(x.Second.Title))
	}
	if len(all) == 0 && !e.json {
		fmt.Fprintf(e.stdout, "no conflicts of %s in the next %d days\n", p.Address, c.Days)
	}
	return w.Flush()
}
