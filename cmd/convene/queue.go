package main

import (
	"errors"
	"fmt"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/itip"
)

type queueListCmd struct{}

// queueEntry is a line of queue list --json.
type queueEntry struct {
	ID       int64     `json:"id"`
	UID      string    `json:"uid"`
	From     string    `json:"from"`
	To       string    `json:"to"`
	Method   string    `json:"method"`
	Created  time.Time `json:"created"`
	Due      time.Time `json:"due"`
	Attempts int       `json:"attempts"`
	InHand   bool      `json:"in_hand"` // a worker has it
	Held     bool      `json:"held"`    // it waits its turn: beyond the hourly bound, or a round-up
	Answer   string    `json:"answer,omitempty"`
}

func (c queueListCmd) Run(e *env) error {
	_, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	w := tabwriter.NewWriter(plain{e.stdout}, 0, 8, 2, ' ', 0)
	for after := int64(0); ; {
		var page []db.Delivery
		err := s.View(e.ctx, func(tx *db.Tx) (err error) {
			page, err = tx.Deliveries(after, 500)
			return err
		})
		if err != nil {
			return err
		}
		for _, d := range page {
			after = d.ID
			if e.json {
				if err := e.object(queueEntry{d.ID, d.UID, d.From, d.Rcpt, d.Method, d.Created.UTC(), d.Due.UTC(), d.Attempts, d.Token != "", d.Held, d.Answer}); err != nil {
					return err
				}
				continue
			}
			due := "due"
			if d.Held {
				due = "held until"
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s %s\t%d tries\t%s\n", d.ID, or(d.Rcpt), d.Method, d.UID,
				due, d.Due.UTC().Format(time.RFC3339), d.Attempts, oneLine(d.Answer))
		}
		if len(page) < 500 {
			return w.Flush()
		}
	}
}

type queueRetryCmd struct {
	ID  []int64 `arg:"" optional:"" help:"As queue list prints it; several may be given."`
	All bool    `help:"Everything that waits."`
}

func (c *queueRetryCmd) Run(e *env) error {
	return eachQueued(e, c.ID, c.All, "retried", "will be tried now", func(_ Config, s *db.Store, id int64) error {
		return s.Write(e.ctx, nil, func(tx *db.Tx) error {
			tx.Wake("delivery")
			return tx.RetryDelivery(id)
		})
	})
}

// eachQueued does something with the rows that are named, or with all, and says
// so of each.
func eachQueued(e *env, ids []int64, all bool, word, done string, do func(Config, *db.Store, int64) error) error {
	if all == (len(ids) > 0) {
		return &exitError{exitUsage, errors.New("say which: one or more ids as queue list prints them, or --all")}
	}
	c, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	if all {
		err := s.View(e.ctx, func(tx *db.Tx) error {
			for after := int64(0); ; {
				page, err := tx.Deliveries(after, 500)
				for _, d := range page {
					after = d.ID
					ids = append(ids, d.ID)
				}
				if err != nil || len(page) < 500 {
					return err
				}
			}
		})
		if err != nil {
			return err
		}
	}
	for _, id := range ids {
		err := do(c, s, id)
		switch {
		case errors.Is(err, db.ErrNotFound) && all:
			continue // it went meanwhile, or is being sent
		case errors.Is(err, db.ErrNotFound):
			return fmt.Errorf("the queue has no %d, or it is being sent just now; see convene queue list", id)
		case err != nil:
			return err
		}
		if err := e.say(act{Done: word, ID: id}, "%d %s", id, done); err != nil {
			return err
		}
	}
	return nil
}

type queueDropCmd struct {
	ID  []int64 `arg:"" optional:"" help:"As queue list prints it; several may be given."`
	All bool    `help:"Everything that waits."`
}

func (c *queueDropCmd) Run(e *env) error {
	return eachQueued(e, c.ID, c.All, "dropped", "is dropped and will not be sent", func(cfg Config, s *db.Store, id int64) error {
		var d db.Delivery
		err := s.Write(e.ctx, nil, func(tx *db.Tx) (err error) {
			if d, err = tx.Delivery(id); err != nil {
				return err
			}
			if err := tx.DropDelivery(id); err != nil {
				return err
			}
			tx.Wake("delivery") // its successor may be due
			return tx.InsertDecision(&db.Decision{
				Direction: "out", Door: "command", UID: d.UID, Method: d.Method, Principal: d.Principal, From: d.From, To: d.Rcpt,
				Rule: "taken out of the queue by an administrator", Outcome: "dropped", Detail: d.Answer,
			})
		})
		rcpt, bad := cuaddr.Parse(d.Rcpt)
		if err != nil || bad != nil || d.LocalCopy {
			return err
		}
		// The organizer's event tells that this attendee was not reached.
		return newDesk(s, cfg, slog.New(slog.DiscardHandler)).Bounced(e.ctx, d.Principal, d.UID, rcpt, itip.StatusNotDelivered, "dropped from the queue")
	})
}
