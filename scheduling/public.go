package scheduling

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// PublicFreeBusy tells the busy time of a calendar user to somebody who has
// not logged in: of one who publishes what he shares with those outside, or
// whose token is known. false: nothing is told, whether he is here or not.
func (d *Desk) PublicFreeBusy(ctx context.Context, a cuaddr.Address, token string, from, to time.Time) (spans []ics.Span, ok bool, err error) {
	err = d.store.Read(ctx, func(tx *db.Tx) error {
		spans, ok = nil, false
		p, err := directory.Lookup(tx, a)
		if errors.Is(err, directory.ErrUnknown) {
			return nil
		}
		if err != nil {
			return err
		}
		prefs, err := tx.Preferences(p.ID)
		if err != nil {
			return err
		}
		q := FreeBusyQuery{Whom: []string{a.String()}, From: from, To: to}
		secret := prefs[directory.FreeBusyToken]
		q.Granted = secret != "" && subtle.ConstantTimeCompare([]byte(secret), []byte(token)) == 1
		if !q.Granted && d.preferred(p, prefs, directory.FreeBusyPublishing) != "publish" {
			return nil
		}
		answers, err := d.answer(tx, q)
		if err != nil {
			return err
		}
		spans, ok = answers[0].Spans, strings.HasPrefix(answers[0].Status, "2.")
		return nil
	})
	return spans, ok, err
}

// bundled is how far ahead the busy time reaches that goes with somebody's
// mail.
const bundled = 100 * 24 * time.Hour

// BundledBusyTime returns the busy time that goes with what a principal sends
// to those outside; false where he does not want that, or does not share it
// with them.
func (d *Desk) BundledBusyTime(ctx context.Context, principal int64) (b itip.BusyTime, ok bool, err error) {
	wants := ""
	err = d.store.View(ctx, func(tx *db.Tx) (err error) {
		wants, err = tx.Preference(principal, directory.FreeBusyBundling)
		return err
	})
	if err != nil || cmp.Or(wants, d.opt.Prefer[directory.FreeBusyBundling]) != "always" {
		return b, false, err
	}
	err = d.store.Read(ctx, func(tx *db.Tx) error {
		ok = false
		p, err := tx.Principal(principal)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if wants == "" && p.Kind != db.Person { // what the site prefers is for people
			return nil
		}
		now := d.opt.Now().UTC().Truncate(time.Hour)
		answers, err := d.answer(tx, FreeBusyQuery{Whom: []string{cuaddr.Mailto(p.Address).String()}, From: now, To: now.Add(bundled)})
		if err != nil {
			return err
		}
		ok = answers[0].Status == success
		b = itip.BusyTime{From: now, To: now.Add(bundled), Stamp: d.opt.Now(), Spans: answers[0].Spans}
		return nil
	})
	return b, ok, err
}
