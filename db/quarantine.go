package db

import "time"

// Quarantined is an invitation that was put into somebody's calendar without
// making anything busy, because nobody knows who sent it.
type Quarantined struct {
	ID        int64
	Principal int64 // whose calendar
	UID       string
	Object    int64
	Modseq    int64  // of the object: whoever writes it afterwards has adopted it
	From      string // header From: who may update it
	Organizer string
	Summary   string
	Rule      string // why it is here
	Created   time.Time
	InForce   bool // the object is as it came in
}

const quarantineColumns = `q.id, q.principal, q.uid, q.object, q.modseq, q.sender, q.organizer, q.summary, q.rule, q.created,
	CASE WHEN o.id IS NULL THEN 0 ELSE 1 END`

const quarantineTables = ` FROM quarantine q LEFT JOIN object o ON o.id = q.object AND o.modseq = q.modseq AND o.deleted = 0`

func (q *Quarantined) fields() []any {
	return []any{&q.ID, &q.Principal, &q.UID, &q.Object, &q.Modseq, &q.From, &q.Organizer, &q.Summary, &q.Rule, when{&q.Created}, flag{&q.InForce}}
}

// Quarantine returns the entry of somebody's conversation, in force or not;
// ErrNotFound without one.
func (tx *Tx) Quarantine(principal int64, uid string) (q Quarantined, err error) {
	if !key(uid) {
		return q, ErrNotFound
	}
	err = tx.row(`SELECT `+quarantineColumns+quarantineTables+` WHERE q.principal = $1 AND q.uid = $2`, []any{principal, uid}, q.fields()...)
	return q, err
}

// QuarantineByID is Quarantine by number.
func (tx *Tx) QuarantineByID(id int64) (q Quarantined, err error) {
	err = tx.row(`SELECT `+quarantineColumns+quarantineTables+` WHERE q.id = $1`, []any{id}, q.fields()...)
	return q, err
}

// Quarantines lists the entries in force, by id, of one principal or, by 0, of
// everybody.
func (tx *Tx) Quarantines(principal, after int64, limit int) ([]Quarantined, error) {
	return collect(tx, `SELECT `+quarantineColumns+quarantineTables+` WHERE q.id > $1 AND ($2 = 0 OR q.principal = $2) AND o.id IS NOT NULL ORDER BY q.id LIMIT $3`,
		[]any{after, principal, limit}, (*Quarantined).fields)
}

// PutQuarantine stores an entry in place of what stands for the conversation
// and sets q.ID and, if it is zero, q.Created. Texts of strangers are made to
// fit.
func (tx *Tx) PutQuarantine(q *Quarantined) error {
	if err := needText([]string{q.UID}); err != nil {
		return err
	}
	if q.Created.IsZero() {
		q.Created = tx.stamp()
	}
	return tx.row(`INSERT INTO quarantine (principal, uid, object, modseq, sender, organizer, summary, rule, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (principal, uid) DO UPDATE SET object = $3, modseq = $4, sender = $5, organizer = $6, summary = $7, rule = $8 RETURNING id`,
		[]any{q.Principal, q.UID, q.Object, q.Modseq, fit(q.From), fit(q.Organizer), fit(q.Summary), fit(q.Rule), micros(q.Created)}, &q.ID)
}

// DeleteQuarantine removes the entry of somebody's conversation, if there is one.
func (tx *Tx) DeleteQuarantine(principal int64, uid string) error {
	if !key(uid) {
		return nil
	}
	_, err := tx.exec(`DELETE FROM quarantine WHERE principal = $1 AND uid = $2`, principal, uid)
	return err
}
