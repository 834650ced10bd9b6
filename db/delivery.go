package db

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Delivery is one mail on its way to one recipient.
type Delivery struct {
	ID        int64
	UID       string // of the conversation
	Principal int64  // local person in whose name it goes out
	From      string // calendar user address in whose name it speaks, "mailto:..."
	Rcpt      string // recipient's calendar user address
	Method    string
	Sequence  int64
	Body      []byte // the iTIP object
	Prior     []byte // what the recipient knew before, nil if nothing
	Scope     string // recurrence ids that it speaks of; equal scopes replace one another
	LocalCopy bool   // to somebody here who has no calendar program (decision 5)
	Created   time.Time
	Due       time.Time
	Attempts  int    // claims, the present one included
	Answer    string // last answer of the relay
	Token     string // of the claim
	Held      bool   // not counted by the pace, for it was beyond it and Due is its turn, or is none of its mails
}

const (
	deliveryHead    = `id, uid, principal, sender, rcpt, method, sequence, `
	deliveryBody    = `CASE body_letter WHEN 0 THEN body ELSE (SELECT l.data FROM letter l WHERE l.id = body_letter) END, `
	deliveryPrior   = `CASE prior_letter WHEN 0 THEN prior ELSE (SELECT l.data FROM letter l WHERE l.id = prior_letter) END, `
	deliveryRest    = `scope, local_copy, created, due, attempts, answer, token, held`
	deliveryColumns = deliveryHead + deliveryBody + deliveryPrior + deliveryRest
)

func (d *Delivery) fields() []any {
	return []any{&d.ID, &d.UID, &d.Principal, &d.From, &d.Rcpt, &d.Method, &d.Sequence, &d.Body, &d.Prior, &d.Scope,
		flag{&d.LocalCopy}, when{&d.Created}, when{&d.Due}, &d.Attempts, &d.Answer, &d.Token, flag{&d.Held}}
}

// InsertDelivery queues one and sets d.ID, d.Created and, if it is zero, d.Due
// (now). The conversation is locked, so that ids are in its order (STORAGE
// 28). What is still waiting for its first attempt may be spared:
//
//   - A REQUEST or REPLY replaces an unattempted one of equal method and scope
//     if nothing of another method stands behind that; it then tells against
//     what the recipient knew before the first of them, and goes out when that
//     would have gone.
//   - A CANCEL takes away an unattempted REQUEST of equal scope. Was that the
//     first that the recipient would have heard, and all that waits for him,
//     the CANCEL is not queued either: d.ID is 0.
func (tx *Tx) InsertDelivery(d *Delivery) error {
	if err := needText([]string{d.UID, d.Rcpt}, d.From, d.Method, d.Scope); err != nil {
		return err
	}
	now, err := tx.Now()
	if err != nil {
		return err
	}
	d.ID, d.Created = 0, now
	if d.Due.IsZero() {
		d.Due = now
	}
	waiting, err := collect(tx, `SELECT `+deliveryHead+`NULL, `+deliveryPrior+deliveryRest+` FROM delivery WHERE uid = $1 AND rcpt = $2 ORDER BY id`,
		[]any{d.UID, d.Rcpt}, (*Delivery).fields)
	if err != nil {
		return err
	}
	waiting = slices.DeleteFunc(waiting, func(w Delivery) bool {
		return w.Principal != d.Principal || w.From != d.From || w.LocalCopy != d.LocalCopy
	})
	switch d.Method {
	case "REQUEST", "REPLY":
		for _, w := range slices.Backward(waiting) {
			if w.Attempts > 0 || w.Method != d.Method {
				break
			}
			if w.Scope != d.Scope {
				continue
			}
			gone, err := tx.takeBack(w.ID)
			if err != nil {
				return err
			}
			if gone {
				d.Prior = w.Prior
				if d.Held = w.Held; d.Held || w.Due.Before(d.Due) { // its turn is kept
					d.Due = w.Due
				}
			}
			break
		}
	case "CANCEL":
		i := slices.IndexFunc(waiting, func(w Delivery) bool {
			return w.Method == "REQUEST" && w.Scope == d.Scope && w.Attempts == 0
		})
		if i < 0 || i != len(waiting)-1 || len(waiting[i].Prior) == 0 && len(waiting) > 1 {
			break
		}
		gone, err := tx.takeBack(waiting[i].ID)
		if err != nil {
			return err
		}
		if gone && len(waiting[i].Prior) == 0 {
			return nil
		}
		if gone {
			d.Prior = waiting[i].Prior
		}
	}
	texts, err := d.texts(tx)
	if err != nil {
		return err
	}
	return tx.row(`INSERT INTO delivery (body, body_letter, prior, prior_letter, uid, principal, sender, rcpt, method, sequence, scope, local_copy, created, due, attempts, answer, token, held)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, '', '', $15) RETURNING id`,
		append(texts, d.UID, d.Principal, d.From, d.Rcpt, d.Method, d.Sequence, d.Scope, bit(d.LocalCopy),
			micros(d.Created), micros(d.Due), bit(d.Held)), &d.ID)
}

// texts are body, body_letter, prior and prior_letter of its row.
func (d *Delivery) texts(tx *Tx) ([]any, error) {
	body, bodyLetter, err := tx.letter(d.UID, d.Body)
	if err != nil {
		return nil, err
	}
	prior, priorLetter, err := tx.letter(d.UID, d.Prior)
	return []any{some(body), bodyLetter, orNull(prior), priorLetter}, err
}

// GatherDelivery adds d.Body to the row of equal conversation, recipient and
// method that waits for its first attempt, while that stays below limit octets;
// else it queues d, as a mail of the time at which it is due: from then it is
// tried, and has its Date. What a worker has taken is not changed any more.
func (tx *Tx) GatherDelivery(d *Delivery, limit int) error {
	if err := tx.LockThreads(d.UID); err != nil { // two that are the first would queue two
		return err
	}
	waiting, err := collect(tx, `SELECT `+deliveryColumns+` FROM delivery WHERE uid = $1 AND rcpt = $2 ORDER BY id DESC LIMIT 1`, []any{d.UID, d.Rcpt}, (*Delivery).fields)
	if err != nil {
		return err
	}
	if len(waiting) == 1 && waiting[0].Method == d.Method && len(waiting[0].Body)+len(d.Body) < limit {
		n, err := tx.exec(`UPDATE delivery SET body = $2, body_letter = 0 WHERE id = $1 AND attempts = 0`, waiting[0].ID, slices.Concat(waiting[0].Body, d.Body))
		if err != nil || n == 1 {
			d.ID = waiting[0].ID
			return err
		}
	}
	if err := tx.InsertDelivery(d); err != nil {
		return err
	}
	d.Created = d.Due
	_, err = tx.exec(`UPDATE delivery SET created = due WHERE id = $1`, d.ID)
	return err
}

// takeBack removes a row that no worker has ever taken; false if one just did.
func (tx *Tx) takeBack(id int64) (bool, error) {
	n, err := tx.exec(`DELETE FROM delivery WHERE id = $1 AND attempts = 0`, id)
	return n == 1, err
}

// WithdrawDeliveries removes what waits for its first attempt and tells these
// recipients, in somebody's name, of a revision of a conversation up to
// sequence: they have heard of it otherwise.
func (tx *Tx) WithdrawDeliveries(uid string, principal, sequence int64, rcpts []string) error {
	for _, r := range rcpts {
		if !key(r) {
			continue // nothing is queued for what cannot be stored
		}
		if _, err := tx.exec(`DELETE FROM delivery WHERE uid = $1 AND rcpt = $2 AND principal = $3 AND sequence <= $4 AND attempts = 0`,
			uid, r, principal, sequence); err != nil {
			return err
		}
	}
	return nil
}

// ClaimDeliveries takes up to limit due ones, oldest of each conversation and
// recipient first, for the time of lease (STORAGE 27): a row that has not
// ended holds back its successors. The claim counts as an attempt, for the
// worker may die after the mail has gone. Mail to these domains is left alone.
func (tx *Tx) ClaimDeliveries(limit int, lease time.Duration, except ...string) ([]Delivery, error) {
	now, err := tx.Now()
	if err != nil {
		return nil, err
	}
	args, others := []any{micros(now), limit, micros(now.Add(lease)), randomText()}, ""
	for _, domain := range except {
		args = append(args, "%@"+likeLiteral(domain))
		others += fmt.Sprintf(` AND d.rcpt NOT LIKE $%d ESCAPE '\'`, len(args))
	}
	ds, err := collect(tx, `WITH c AS MATERIALIZED (
			SELECT d.id FROM delivery d WHERE d.due <= $1`+others+` AND NOT EXISTS (
				SELECT 1 FROM delivery e WHERE e.uid = d.uid AND e.rcpt = d.rcpt AND e.id < d.id)
			ORDER BY d.due, d.id LIMIT $2 {skip})
		UPDATE delivery SET due = $3, token = $4, attempts = attempts + 1 WHERE id IN (SELECT id FROM c)
		RETURNING `+deliveryColumns, args, (*Delivery).fields)
	slices.SortFunc(ds, func(a, b Delivery) int { return int(a.ID - b.ID) })
	return ds, err
}

// RenewDeliveries makes the lease of what was claimed under a token begin anew.
func (tx *Tx) RenewDeliveries(token string, lease time.Duration) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	_, err = tx.exec(`UPDATE delivery SET due = $2 WHERE token = $1`, token, micros(now.Add(lease)))
	return err
}

// FinishDelivery removes a claimed row; false if the claim was lost.
func (tx *Tx) FinishDelivery(id int64, token string) (bool, error) {
	n, err := tx.exec(`DELETE FROM delivery WHERE id = $1 AND token = $2`, id, token)
	return n == 1, err
}

// PostponeDelivery gives a claimed row back for later; false if the claim was
// lost.
func (tx *Tx) PostponeDelivery(id int64, token string, due time.Time, answer string) (bool, error) {
	n, err := tx.exec(`UPDATE delivery SET due = $3, answer = $4, token = '' WHERE id = $1 AND token = $2`, id, token, micros(due), fit(answer))
	return n == 1, err
}

// ReleaseClaims ends every lease, of mails and of jobs: for the start of a
// server on SQLite, where no other process has workers and those of the one
// before are dead. What they had in hand need not wait for its lease.
func (tx *Tx) ReleaseClaims() error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	for _, q := range []string{
		`UPDATE delivery SET token = '', due = CASE WHEN due < $1 THEN due ELSE $1 END WHERE token <> ''`,
		`UPDATE job SET token = '', due = CASE WHEN due < $1 THEN due ELSE $1 END WHERE token <> ''`,
	} {
		if _, err := tx.exec(q, micros(now)); err != nil {
			return err
		}
	}
	return nil
}

// Delivery returns one by id.
func (tx *Tx) Delivery(id int64) (d Delivery, err error) {
	err = tx.row(`SELECT `+deliveryColumns+` FROM delivery WHERE id = $1`, []any{id}, d.fields()...)
	return d, err
}

// Deliveries lists the queue by id, without Body and Prior.
func (tx *Tx) Deliveries(after int64, limit int) ([]Delivery, error) {
	return collect(tx, `SELECT `+deliveryHead+`NULL, NULL, `+deliveryRest+` FROM delivery WHERE id > $1 ORDER BY id LIMIT $2`, []any{after, limit}, (*Delivery).fields)
}

// RetryDelivery makes a row due now; ErrNotFound without it. One that a worker
// has in hand is left to it.
func (tx *Tx) RetryDelivery(id int64) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	n, err := tx.exec(`UPDATE delivery SET due = CASE WHEN token = '' THEN $2 ELSE due END WHERE id = $1`, id, micros(now))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// DropDelivery removes a row that nobody has claimed, or whose claim has run
// out; ErrNotFound without one.
func (tx *Tx) DropDelivery(id int64) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	n, err := tx.exec(`DELETE FROM delivery WHERE id = $1 AND (token = '' OR due <= $2)`, id, micros(now))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// NextDelivery returns when the next row that no other holds back is due, false
// for an empty queue.
func (tx *Tx) NextDelivery() (time.Time, bool, error) {
	return tx.next(`SELECT d.due FROM delivery d WHERE NOT EXISTS (
			SELECT 1 FROM delivery e WHERE e.uid = d.uid AND e.rcpt = d.rcpt AND e.id < d.id)
		ORDER BY d.due LIMIT 1`)
}

func (tx *Tx) next(text string) (due time.Time, any bool, err error) {
	err = tx.row(text, nil, when{&due})
	if errors.Is(err, ErrNotFound) {
		return due, false, nil
	}
	return due, err == nil, err
}
