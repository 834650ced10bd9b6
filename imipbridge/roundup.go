package imipbridge

import (
	"context"
	"errors"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// roundUp renders what somebody is told once a day, in his language. The row is
// as it was when it was first taken: a retry tells the same. Its envelope sender
// is empty, as a notice's.
func (b *Bridge) roundUp(ctx context.Context, k keys, d *db.Delivery, rcpt cuaddr.Address) (letter, error) {
	var p db.Principal
	at := d.Created
	err := b.store.View(ctx, func(tx *db.Tx) (err error) {
		if p, err = tx.Principal(d.Principal); err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
		now, err := tx.Now()
		if now.Before(at) { // the administrator did not wait
			at = now
		}
		return err
	})
	if err != nil {
		return letter{}, err
	}
	list, err := scheduling.ReadRoundUp(d.Body)
	if err != nil {
		return letter{}, unsendable(err.Error())
	}
	u := imip.RoundUp{Message: imip.Message{
		ID: k.delivery(kindID, d) + "@" + b.from.Domain(), Date: at, From: imip.Mailbox{Address: b.from},
		To: imip.Mailbox{Name: p.Name, Address: rcpt}, Words: b.words.For(p.Language), Look: b.look,
	}}
	for _, n := range list {
		body, err := ics.Parse([]byte(n.Body), ics.Limits{})
		if err != nil || body.First() == nil {
			b.log.Error("not in a round-up, because it cannot be read", "id", d.ID, "uid", n.UID, "to", d.Rcpt, "error", err)
			continue
		}
		from, err := cuaddr.Parse(n.From)
		if err != nil {
			b.log.Error("not in a round-up, because nobody says it", "id", d.ID, "uid", n.UID, "to", d.Rcpt, "error", err)
			continue
		}
		one := imip.Message{Speaker: imip.Mailbox{Name: nameOf(body, from), Address: from}, Body: body, Zone: zoneOf(p.TZ), Words: u.Words}
		if one.Speaker.Name == "" {
			one.Speaker.Name = n.Name
		}
		u.Told = append(u.Told, one)
	}
	data, err := u.Render()
	if err != nil {
		return letter{}, unsendable(err.Error())
	}
	return letter{to: rcpt.Mail(), id: u.ID, data: data}, nil
}
