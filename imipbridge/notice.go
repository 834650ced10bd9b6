package imipbridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling/ics"
)

// methodNotice marks a row of the queue that is no iTIP message but tells
// somebody here that one of his was not delivered: Scope is to whom, Body why.
// Without a Scope it tells that some wait.
const methodNotice = "NOTICE"

// tell queues a notice to the person in whose name a mail went out that did not
// arrive. mail is its key: about one mail he is told once.
func (b *Bridge) tell(ctx context.Context, mail string, principal int64, uid string, rcpt cuaddr.Address, why string) error {
	return b.store.Write(ctx, nil, func(tx *db.Tx) error {
		p, err := reads(tx, principal)
		if p == nil {
			return err
		}
		return b.queueNotice(tx, p, "notice:"+mail, "not delivered to "+rcpt.Mail(), &db.Delivery{UID: uid, Scope: rcpt.Mail(), Body: []byte(why)})
	})
}

// tellWaiting queues a notice to somebody whose mail about a meeting is beyond
// the pace: once a day, whatever other meetings follow. It is not held up itself.
func (b *Bridge) tellWaiting(tx *db.Tx, d *db.Delivery) error {
	p, err := reads(tx, d.Principal)
	if p == nil {
		return err
	}
	now, err := tx.Now()
	if err != nil {
		return err
	}
	key := fmt.Sprintf("notice:held:%d:%s", p.ID, now.UTC().Format(time.DateOnly))
	return b.queueNotice(tx, p, key, "told that mail about the meeting waits", &db.Delivery{UID: d.UID, Held: true})
}

// reads returns the principal if it is a person, who reads mail; nil for rooms,
// groups and who is gone.
func reads(tx *db.Tx, id int64) (*db.Principal, error) {
	p, err := tx.Principal(id)
	if errors.Is(err, db.ErrNotFound) || err == nil && p.Kind != db.Person {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// queueNotice queues a notice to somebody here, once for its key. d has what it is
// about.
func (b *Bridge) queueNotice(tx *db.Tx, p *db.Principal, key, rule string, d *db.Delivery) error {
	d.Principal, d.From, d.Rcpt = p.ID, "mailto:"+b.opt.From, cuaddr.Mailto(p.Address).String()
	d.Method, d.LocalCopy = methodNotice, true
	err := tx.InsertDecision(&db.Decision{
		Direction: "out", Door: "queue", UID: d.UID, Method: d.Method, Principal: d.Principal, From: d.From, To: d.Rcpt,
		Rule: rule, Outcome: "queued", Detail: string(d.Body), Key: key,
	})
	if errors.Is(err, db.ErrExists) {
		return nil
	}
	if err != nil {
		return err
	}
	tx.Wake("delivery")
	return tx.InsertDelivery(d)
}

// notice renders one. Its envelope sender is empty, so that nothing comes back
// because of it (RFC 3834 §3.3).
func (b *Bridge) notice(ctx context.Context, k keys, d *db.Delivery, rcpt cuaddr.Address) (letter, error) {
	var p db.Principal
	var have []db.OwnedObject
	err := b.store.Read(ctx, func(tx *db.Tx) (err error) {
		if p, err = tx.Principal(d.Principal); err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
		have, err = tx.ObjectsByUID(d.UID, d.Principal)
		return err
	})
	if err != nil {
		return letter{}, err
	}
	n := imip.Notice{
		Message: imip.Message{
			ID: k.delivery(kindID, d) + "@" + b.from.Domain(), Conversation: k.conversation(d.UID) + "@" + b.from.Domain(), Date: d.Created,
			From: imip.Mailbox{Address: b.from}, To: imip.Mailbox{Name: p.Name, Address: rcpt}, Words: b.words.For(p.Language), Look: b.look,
		},
		Rcpt: d.Scope, Why: string(d.Body), Waits: d.Scope == "",
	}
	n.Zone = zoneOf(p.TZ)
	for _, x := range have {
		if o, err := ics.Parse(x.Body, ics.Limits{}); err == nil {
			n.Event = o
		}
	}
	data, err := n.Render()
	if err != nil {
		return letter{}, unsendable(err.Error())
	}
	return letter{to: rcpt.Mail(), id: n.ID, data: data}, nil
}
