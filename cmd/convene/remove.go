package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/convene-server/convene/caldav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/itip"
)

type removeCmd struct {
	kind    db.Kind
	Address string `arg:"" help:"Mail address or alias."`
}

type userRemoveCmd struct {
	kind       db.Kind
	Address    string `arg:"" help:"Mail address or alias."`
	HandOverTo string `placeholder:"ADDRESS" help:"Who organizes from now on what this user organized; without, it is cancelled."`
}

// Run removes a principal.
func (c *removeCmd) Run(e *env) error { return removePrincipal(e, c.kind, c.Address, "") }

// Run removes a user; what he organized is somebody else's then, if so asked.
func (c *userRemoveCmd) Run(e *env) error {
	return removePrincipal(e, c.kind, c.Address, c.HandOverTo)
}

// removePrincipal removes one. Each meeting in its calendars ends first, through
// the desk like a deletion by its owner and in a transaction of its own: an
// organizer's is cancelled or handed over, an attendee's declined. Interrupted, it may be run
// again and goes on where it was.
func removePrincipal(e *env, kind db.Kind, address, handOverTo string) error {
	cfg, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	var p, heir db.Principal
	err = s.Write(e.ctx, nil, func(tx *db.Tx) error {
		var err error
		if p, err = find(tx, address, kind); err != nil || p.Kind == db.Group {
			return err
		}
		if handOverTo != "" {
			if heir, err = find(tx, handOverTo, db.Person); err != nil {
				return fmt.Errorf("--hand-over-to: %w", err)
			}
			if heir.ID == p.ID {
				return errors.New("--hand-over-to: that is who is to be removed")
			}
		}
		p.Password = "" // no program of his writes from here on
		return tx.UpdatePrincipal(&p)
	})
	if err != nil {
		return err
	}
	desk := newDesk(s, cfg, logger(e.stderr, "warn"))
	ended := 0
	if p.Kind == db.Group {
		n, err := desk.Disband(e.ctx, p, "command")
		ended = n
		if err != nil {
			return fmt.Errorf("%s: stopped after %d meetings; run it again: %w", p.Address, ended, err)
		}
	}
	for {
		n, err := endMeetings(e.ctx, s, desk, p, heir)
		ended += n
		if err != nil {
			return fmt.Errorf("%s: stopped after %d meetings, log-in is closed; run it again: %w", p.Address, ended, err)
		}
		err = s.Write(e.ctx, nil, func(tx *db.Tx) error {
			// An invitation may have come in meanwhile.
			calendars, err := tx.Collections(p.ID, db.Calendar)
			if err != nil {
				return err
			}
			for _, col := range calendars {
				if n, err := tx.CountObjects(col.ID); err != nil {
					return err
				} else if n > 0 {
					return errBusy
				}
			}
			if err := caldav.Forget(tx, p, time.Now()); err != nil {
				return err
			}
			return tx.DeletePrincipal(p.ID)
		})
		if errors.Is(err, errBusy) {
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	more := ""
	switch {
	case ended > 0 && p.Kind == db.Group:
		more = fmt.Sprintf("; its members stay in %d meetings", ended)
	case ended > 0:
		more = fmt.Sprintf("; %d objects were taken out of the calendars, and who had to know is told", ended)
	}
	return e.say(act{Done: "removed", Kind: kindWord[p.Kind], Address: p.Address, Objects: &ended}, "removed %s %s%s", kindWord[p.Kind], p.Address, more)
}

var errBusy = errors.New("something came in meanwhile")

// endMeetings removes everything in the calendars of p, or gives what he
// organized to an heir (ID 0: to nobody), and returns how many objects that were.
func endMeetings(ctx context.Context, s *db.Store, desk *scheduling.Desk, p, heir db.Principal) (int, error) {
	n := 0
	err := eachObject(ctx, s, p.ID, "", func(col db.Collection, o db.Object) error {
		if heir.ID != 0 {
			done, err := desk.HandOver(ctx, scheduling.HandOver{From: p, To: heir, Collection: col.ID, Name: o.Name, Door: "command"})
			if done || err != nil && !errors.Is(err, db.ErrNotFound) {
				n++
				return err
			}
		}
		err := desk.Remove(ctx, scheduling.Remove{Actor: p, Collection: col.ID, Name: o.Name, Door: "command"})
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		if refusal, ok := errors.AsType[*itip.Refusal](err); ok {
			return fmt.Errorf("%s/%s: %w", col.Name, o.Name, refusal)
		}
		n++
		return err
	})
	return n, err
}

// eachObject calls fn for every live object, with its body, in an owner's
// calendars, or in the one named, outside of any transaction.
func eachObject(ctx context.Context, s *db.Store, owner int64, calendar string, fn func(db.Collection, db.Object) error) error {
	const page = 100
	var cols []db.Collection
	err := s.View(ctx, func(tx *db.Tx) (err error) {
		cols, err = tx.Collections(owner, db.Calendar)
		return err
	})
	if err != nil {
		return err
	}
	for _, col := range cols {
		if calendar != "" && col.Name != calendar {
			continue
		}
		for after := ""; ; {
			var objects []db.Object
			last := ""
			err := s.Read(ctx, func(tx *db.Tx) error {
				list, err := tx.List(col.ID, after, page)
				if err != nil || len(list) == 0 {
					objects, last = nil, ""
					return err
				}
				var names []string
				for _, o := range list {
					names = append(names, o.Name)
				}
				last = names[len(names)-1]
				objects, err = tx.ByNames(col.ID, names)
				return err
			})
			if err != nil {
				return err
			}
			if last == "" {
				break
			}
			after = last
			for _, o := range objects {
				if err := fn(col, o); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
