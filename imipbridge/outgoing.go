package imipbridge

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/itip"
)

const (
	workers = 16          // mails on their way at once, on one node
	lease   = time.Minute // of a claimed row, renewed while its worker lives
)

// Work sends what is due until ctx ends. It is woken by the queue and looks by
// itself every second: a wake-up is only a hint (STORAGE 26), and commands
// beside a server on SQLite cannot give one.
func (b *Bridge) Work(ctx context.Context) {
	woken := b.store.Listen(ctx, "delivery")
	for ctx.Err() == nil {
		wait, err := b.untilDue(ctx)
		if err == nil && wait <= 0 {
			_, err = b.WorkOnce(ctx)
		}
		if err != nil && ctx.Err() == nil {
			b.log.Warn("the queue of mail is not worked on", "error", err)
			wait = time.Second + rand.N(time.Second)
		}
		pause := time.NewTimer(max(wait, 20*time.Millisecond))
		select {
		case <-ctx.Done():
		case <-woken:
		case <-pause.C:
		}
		pause.Stop()
	}
}

// untilDue is for how long nothing is due, at most a second. It reads only: an
// idle server writes nothing.
func (b *Bridge) untilDue(ctx context.Context) (time.Duration, error) {
	wait := time.Second
	err := b.store.View(ctx, func(tx *db.Tx) error {
		due, any, err := tx.NextDelivery()
		if err != nil || !any {
			return err
		}
		now, err := tx.Now()
		wait = min(wait, due.Sub(now))
		return err
	})
	return wait, err
}

// WorkOnce sends what is due now and returns how many mails it took in hand.
// The error is the database's; what the relay says is in the rows.
//
// While mail to one domain is slow, others go on: of the mails on their way at
// most PerDomain are for one, and what is behind them waits in the queue.
func (b *Bridge) WorkOnce(ctx context.Context) (n int, err error) {
	defer b.relay.rest()
	type done struct {
		domain string
		err    error
	}
	ended := make(chan done)
	running, domains := 0, map[string]int{}
	half := max(b.opt.PerDomain/2, 1)
	for empty := false; ; {
		for err == nil && ctx.Err() == nil && !empty && running < workers {
			var busy []string
			for domain, k := range domains {
				if k+half > b.opt.PerDomain {
					busy = append(busy, domain)
				}
			}
			var rows []db.Delivery
			rows, empty, err = b.claim(ctx, min(half, workers-running), busy)
			if err != nil || empty {
				break
			}
			if len(rows) == 0 { // all of them wait for their turn
				continue
			}
			n += len(rows)
			stop, left := b.heartbeat(ctx, rows[0].Token), new(atomic.Int64)
			left.Store(int64(len(rows)))
			for i := range rows {
				d := &rows[i]
				domain := domainOf(d.Rcpt)
				domains[domain]++
				running++
				go func() {
					err := b.work(ctx, d)
					if left.Add(-1) == 0 {
						stop()
					}
					ended <- done{domain, err}
				}()
			}
		}
		if running == 0 {
			return n, errors.Join(err, ctx.Err())
		}
		// Several at once, if several have ended: a claim is a transaction.
		pause := time.NewTimer(5 * time.Millisecond)
		for first := true; running > 0 && (first || running > workers-half); first = false {
			var waiting <-chan time.Time
			if !first {
				waiting = pause.C
			}
			select {
			case e := <-ended:
				running--
				if domains[e.domain]--; domains[e.domain] == 0 {
					delete(domains, e.domain)
				}
				err, empty = errors.Join(err, e.err), false
				continue
			case <-waiting:
			}
			break
		}
		pause.Stop()
	}
}

// claim takes up to limit mails in hand that are due and may go; empty: none is
// due. What is beyond the pace waits in the queue for its turn, and the record
// tells so.
func (b *Bridge) claim(ctx context.Context, limit int, busy []string) (rows []db.Delivery, empty bool, err error) {
	var held []db.Delivery
	err = b.store.Write(ctx, nil, func(tx *db.Tx) error {
		claimed, err := tx.ClaimDeliveries(limit, lease, busy...)
		if rows, held, empty = claimed, nil, len(claimed) == 0; err != nil || empty || b.pace.Event+b.pace.User == 0 {
			return err
		}
		if rows, held, err = tx.PaceDeliveries(claimed, b.pace); err != nil {
			return err
		}
		for _, d := range held {
			err := tx.InsertDecision(&db.Decision{
				Direction: "out", Door: "queue", UID: d.UID, Method: d.Method, Principal: d.Principal, From: d.From, To: d.Rcpt, Key: "held:" + mailKey(d.ID, d.Created),
				Rule:    fmt.Sprintf("more than %d mails about one meeting or %d of one person within %s", b.pace.Event, b.pace.User, b.pace.Window),
				Outcome: "held", Detail: "goes out at " + d.Due.UTC().Format(time.RFC3339),
			})
			if err != nil && !errors.Is(err, db.ErrExists) {
				return err
			}
			if err := b.tellWaiting(tx, &d); err != nil {
				return err
			}
		}
		return nil
	})
	for _, d := range held {
		b.log.Warn("mail held back: too many within an hour", "id", d.ID, "uid", d.UID, "from", d.From, "to", d.Rcpt, "until", d.Due)
	}
	return rows, empty, err
}

// heartbeat renews the lease of a claim until it is stopped: a node that dies
// has its mails taken over within a lease, one that lives keeps what is slow.
func (b *Bridge) heartbeat(ctx context.Context, token string) (stop func()) {
	ctx, stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		beat := time.NewTicker(b.beat)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-beat.C:
			}
			err := b.store.Write(ctx, nil, func(tx *db.Tx) error { return tx.RenewDeliveries(token, lease) })
			if err != nil && ctx.Err() == nil {
				b.log.Warn("the lease of mails in hand is not renewed", "error", err)
			}
		}
	}()
	return stop
}

// domainOf is the domain of a calendar user address.
func domainOf(rcpt string) string {
	a, err := cuaddr.Parse(rcpt)
	if err != nil {
		return ""
	}
	return a.Domain()
}

// patience is how long a mail in hand waits for a database that is away. While
// it is, nobody else can claim it either.
const patience = 4 * time.Minute

// insist tries again while the database is away, so that a mail in hand is
// settled when it is back and need not wait for the end of its lease. stop ends
// the waiting.
func insist(stop context.Context, fn func() error) error {
	for end := time.Now().Add(patience); ; {
		err := fn()
		if !errors.Is(err, db.ErrAway) || time.Now().After(end) {
			return err
		}
		select {
		case <-stop.Done():
			return err
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// work sends one mail and settles its row. When stop ends it finishes what it
// began.
func (b *Bridge) work(stop context.Context, d *db.Delivery) error {
	ctx := context.WithoutCancel(stop)
	var mail letter
	err := insist(stop, func() error {
		k, err := b.keys(ctx)
		if err == nil {
			mail, err = b.compose(ctx, k, d)
		}
		return err
	})
	var cannot *smtp.SMTPError
	if err == nil {
		err = b.relay.submit(ctx, mail.from, mail.to, mail.data)
	} else if !errors.As(err, &cannot) {
		return err // the database's: the row comes again when its lease ends
	}
	x := db.Decision{
		Direction: "out", Door: "queue", UID: d.UID, MessageID: mail.id, Method: d.Method, Principal: d.Principal,
		From: d.From, To: d.Rcpt, Key: mailKey(d.ID, d.Created),
	}
	said, forGood := permanent(err)
	switch {
	case err == nil:
		x.Outcome, x.Rule = "sent", "the relay has it"
		if d.LocalCopy {
			x.Rule = "mail copy for somebody here: " + x.Rule
		}
		b.log.Info("mail sent", "id", d.ID, "uid", d.UID, "method", d.Method, "to", d.Rcpt, "attempt", d.Attempts)
		return insist(stop, func() error { return b.finish(ctx, d, &x) })
	case forGood:
		return insist(stop, func() error {
			return b.giveUp(ctx, d, &x, deliveryStatus(enhanced(said), said.Code), "refused", replyText(said))
		})
	}
	return insist(stop, func() error { return b.later(ctx, d, &x, err) })
}

// later puts a mail back that the relay did not take, or gives it up when it
// has been tried long enough.
func (b *Bridge) later(ctx context.Context, d *db.Delivery, x *db.Decision, why error) error {
	now, err := b.queueTime(ctx)
	if err != nil {
		return err
	}
	if now.Sub(d.Created) >= b.opt.GiveUp {
		return b.giveUp(ctx, d, x, itip.StatusNotDelivered, "given up", answer(why))
	}
	b.log.Warn("mail not sent yet", "id", d.ID, "uid", d.UID, "to", d.Rcpt, "attempt", d.Attempts, "error", why)
	return b.store.Write(ctx, nil, func(tx *db.Tx) error {
		_, err := tx.PostponeDelivery(d.ID, d.Token, now.Add(backOff(d.Attempts)), answer(why))
		return err
	})
}

// finish takes the row out of the queue and records why. A row that another
// worker has taken over meanwhile is his.
func (b *Bridge) finish(ctx context.Context, d *db.Delivery, x *db.Decision) error {
	return b.store.Write(ctx, nil, func(tx *db.Tx) error {
		mine, err := tx.FinishDelivery(d.ID, d.Token)
		if err != nil || !mine {
			return err
		}
		if err = tx.InsertDecision(x); errors.Is(err, db.ErrExists) {
			err = nil
		}
		tx.Wake("delivery") // its successor may be due
		return err
	})
}

// giveUp tells the organizer's object first: if we stop in between, the row is
// tried once more, and a status that stands already changes nothing.
func (b *Bridge) giveUp(ctx context.Context, d *db.Delivery, x *db.Decision, status, outcome, why string) error {
	x.Outcome, x.Rule, x.Detail = outcome, "not delivered: "+status, why
	b.log.Warn("mail given up", "id", d.ID, "uid", d.UID, "to", d.Rcpt, "status", status, "reason", why)
	if !d.LocalCopy { // the calendar of somebody here has it anyway
		rcpt, err := cuaddr.Parse(d.Rcpt)
		if err == nil {
			err = b.desk.Bounced(ctx, d.Principal, d.UID, rcpt, status, why)
		}
		if err == nil {
			err = b.tell(ctx, x.Key, d.Principal, d.UID, rcpt, why)
		}
		if err != nil {
			return err
		}
	}
	return b.finish(ctx, d, x)
}

func (b *Bridge) queueTime(ctx context.Context) (now time.Time, err error) {
	err = b.store.View(ctx, func(tx *db.Tx) (err error) {
		now, err = tx.Now()
		return err
	})
	return now, err
}

// backOff is the pause after the nth attempt: a minute, doubled up to half an
// hour, and a quarter of it by chance to either side.
func backOff(n int) time.Duration {
	d := 30 * time.Minute
	if n < 6 {
		d = time.Minute << max(n-1, 0)
	}
	return d*3/4 + rand.N(d/2)
}

func enhanced(e *smtp.SMTPError) string {
	if e.EnhancedCode == smtp.EnhancedCodeNotSet || e.EnhancedCode == smtp.NoEnhancedCode {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", e.EnhancedCode[0], e.EnhancedCode[1], e.EnhancedCode[2])
}

// replyText is what a server said, for people.
func replyText(e *smtp.SMTPError) string {
	s := fmt.Sprint(e.Code)
	if c := enhanced(e); c != "" {
		s += " " + c
	}
	return s + " " + ascii(e.Message, 400)
}

func answer(err error) string {
	var said *smtp.SMTPError
	if errors.As(err, &said) {
		return replyText(said)
	}
	return ascii(err.Error(), 400)
}
