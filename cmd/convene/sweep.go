package main

import (
	"context"
	"time"

	"github.com/convene-server/convene/db"
)

// What a server keeps of the past. A program that has not asked for more than a
// year reads its calendars anew; Thunderbird cannot do so with an address book,
// so that is long enough. Nobody asks why after a year. Some programs never
// empty the scheduling inbox; how long its items lie there may be configured. A recording waits a week to be taken.
var keep = db.Keep{Tombstones: 400 * 24 * time.Hour, Decisions: 365 * 24 * time.Hour, Inbox: 30 * 24 * time.Hour, Recordings: 7 * 24 * time.Hour}

// sweep removes once a day what nobody needs any longer, first an hour after
// the start. On several nodes each does it; that costs little.
func (s *server) sweep(ctx context.Context) {
	keep := keep
	keep.Inbox = s.Config.Scheduling.InboxKeep
	for pause := time.Hour; ; pause = 24 * time.Hour {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if err := s.Store.Sweep(ctx, keep); err != nil {
			s.log.Warn("the database is not swept", "error", err)
		}
		if n, err := s.Desk.Forget(ctx); err != nil {
			s.log.Warn("rooms have not forgotten what is over", "error", err)
		} else if n > 0 {
			s.log.Info("rooms have forgotten what is over", "bookings", n)
		}
	}
}
