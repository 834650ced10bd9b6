package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/convene-server/convene/caldav/record"
	"github.com/convene-server/convene/db"
)

// Bounds of how long a recording takes.
const (
	usualRecording   = time.Hour
	longestRecording = 24 * time.Hour
)

type recordCmd struct {
	Address string         `arg:"" help:"Mail address or alias."`
	For     *time.Duration `placeholder:"TIME" help:"How long from now; an hour unless said, 24 hours at most."`
	To      string         `placeholder:"FILE" help:"Write what was recorded so far to a file, \"-\": standard output."`
	Off     bool           `help:"End it and forget what was recorded."`
}

// Run begins a recording, writes it, ends it, or does the last two. The order
// is that of a day: begin, let the program work, write, off.
func (c *recordCmd) Run(e *env) error {
	length := usualRecording
	switch {
	case c.For == nil:
	case c.To != "" || c.Off:
		return &exitError{exitUsage, errors.New("--for begins a recording, --to and --off are for one that was begun")}
	case *c.For <= 0 || *c.For > longestRecording:
		return &exitError{exitUsage, fmt.Errorf("--for takes up to %s", longestRecording)}
	default:
		length = *c.For
	}
	_, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	if c.To == "" && !c.Off {
		return c.begin(e, s, length)
	}
	var p db.Principal
	var r db.Recording
	err = s.Read(e.ctx, func(tx *db.Tx) (err error) {
		if p, err = find(tx, c.Address, db.Person); err != nil {
			return err
		}
		r, err = tx.Recording(p.ID)
		if errors.Is(err, db.ErrNotFound) {
			err = fmt.Errorf("%s is not recorded", p.Address)
		}
		return err
	})
	if err != nil {
		return err
	}
	if c.To != "" {
		if err := c.write(e, s, p, r); err != nil {
			return err
		}
	}
	if !c.Off {
		return nil
	}
	if err := s.Write(e.ctx, nil, func(tx *db.Tx) error { return tx.StopRecording(p.ID) }); err != nil {
		return err
	}
	if c.To == "-" {
		return nil
	}
	return e.say(act{Done: "forgotten", Kind: "recording", Address: p.Address}, "%s is not recorded any more, and what was recorded is gone", p.Address)
}

func (c *recordCmd) begin(e *env, s *db.Store, length time.Duration) error {
	secret := make([]byte, 32)
	rand.Read(secret)
	var p db.Principal
	var until time.Time
	err := s.Write(e.ctx, nil, func(tx *db.Tx) (err error) {
		if p, err = find(tx, c.Address, db.Person); err != nil {
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		until = now.Add(length)
		return tx.Record(p.ID, until, secret)
	})
	if err != nil {
		return err
	}
	return e.say(act{Done: "recording", Kind: "user", Address: p.Address, Until: &until}, "%s is recorded until %s", p.Address, until.UTC().Format(time.RFC3339))
}

// write writes the recording: for people, or with --json an object a line.
func (c *recordCmd) write(e *env, s *db.Store, p db.Principal, r db.Recording) (err error) {
	out := e.stdout
	if c.To != "-" {
		f, err := os.OpenFile(c.To, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		out = f
	}
	n, err := writeRecording(e, s, p.ID, out)
	if err != nil || c.To == "-" {
		return err
	}
	if r.Octets > db.MaxRecording-record.MaxBody {
		e.note("the recording is full, or nearly so: what came later is not in it")
	}
	return e.say(act{Done: "written", Kind: "recording", Address: p.Address, File: c.To, Objects: &n}, "%d requests of %s are written to %s", n, p.Address, c.To)
}

func writeRecording(e *env, s *db.Store, principal int64, out io.Writer) (n int, err error) {
	for after := int64(0); ; {
		var page []db.Recorded
		err := s.View(e.ctx, func(tx *db.Tx) (err error) {
			page, err = tx.RecordedAfter(principal, after, 50)
			return err
		})
		if err != nil || len(page) == 0 {
			return n, err
		}
		for _, row := range page {
			after = row.ID
			n++
			if e.json {
				if _, err := fmt.Fprintf(out, "%s\n", row.Data); err != nil {
					return n, err
				}
				continue
			}
			var x record.Exchange
			if err := json.Unmarshal(row.Data, &x); err != nil {
				return n, err
			}
			if err := x.Write(out, n); err != nil {
				return n, err
			}
		}
	}
}
