package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/convene-server/convene/db"
)

type queueListCmd struct {
	JSON bool `help:"One JSON object a line."`
}

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
			if c.JSON {
				if err := json.NewEncoder(e.stdout).Encode(queueEntry{d.ID, d.UID, d.From, d.Rcpt, d.Method, d.Created.UTC(), d.Due.UTC(), d.Attempts, d.Token != "", d.Answer}); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\tdue %s\t%d tries\t%s\n", d.ID, or(d.Rcpt), d.Method, d.UID,
				d.Due.UTC().Format(time.RFC3339), d.Attempts, strings.Join(strings.Fields(d.Answer), " "))
		}
		if len(page) < 500 {
			return w.Flush()
		}
	}
}

type queueRetryCmd struct {
	ID int64 `arg:"" help:"As queue list prints it."`
}

func (c *queueRetryCmd) Run(e *env) error {
	return c.do(e, "will be tried now", func(tx *db.Tx) error {
		tx.Wake("delivery")
		return tx.RetryDelivery(c.ID)
	})
}

func (c *queueRetryCmd) do(e *env, done string, fn func(*db.Tx) error) error {
	_, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	err = s.Write(e.ctx, nil, fn)
	if errors.Is(err, db.ErrNotFound) {
		return fmt.Errorf("the queue has no %d, or it is being sent just now; see convene queue list", c.ID)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%d %s\n", c.ID, done)
	return nil
}

type queueDropCmd struct {
	ID int64 `arg:"" help:"As queue list prints it."`
}

func (c *queueDropCmd) Run(e *env) error {
	q := queueRetryCmd{c.ID}
	return q.do(e, "is dropped and will not be sent", func(tx *db.Tx) error { return tx.DropDelivery(c.ID) })
}
