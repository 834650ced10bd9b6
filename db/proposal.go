package db

import "time"

// Proposal is what an attendee proposed by a COUNTER (RFC 5546 §3.2.7) and the
// organizer has not decided about.
type Proposal struct {
	ID        int64
	Principal int64 // the organizer
	UID       string
	Attendee  string // calendar user address, as invited
	RID       string // the instance, "" for the whole
	Body      []byte // the COUNTER
	Created   time.Time
}

const proposalColumns = `id, principal, uid, attendee, rid, body, created`

func (p *Proposal) fields() []any {
	return []any{&p.ID, &p.Principal, &p.UID, &p.Attendee, &p.RID, &p.Body, when{&p.Created}}
}

// Proposals returns the open ones of an organizer's conversation, oldest first.
func (tx *Tx) Proposals(uid string, organizer int64) ([]Proposal, error) {
	if !key(uid) {
		return nil, nil
	}
	return collect(tx, `SELECT `+proposalColumns+` FROM proposal WHERE uid = $1 AND principal = $2 ORDER BY id`,
		[]any{uid, organizer}, (*Proposal).fields)
}

// ProposalsAbout returns the open ones of a conversation, oldest first.
func (tx *Tx) ProposalsAbout(uid string) ([]Proposal, error) {
	if !key(uid) {
		return nil, nil
	}
	return collect(tx, `SELECT `+proposalColumns+` FROM proposal WHERE uid = $1 ORDER BY id`, []any{uid}, (*Proposal).fields)
}

// PutProposal stores one in place of what the same attendee proposed for the
// same instance; it sets p.ID and, if it is zero, p.Created.
func (tx *Tx) PutProposal(p *Proposal) error {
	if err := needText([]string{p.UID, p.Attendee, p.RID}); err != nil {
		return err
	}
	if p.Created.IsZero() {
		p.Created = tx.stamp()
	}
	return tx.row(`INSERT INTO proposal (principal, uid, attendee, rid, body, created) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (uid, principal, attendee, rid) DO UPDATE SET body = $5, created = $6 RETURNING id`,
		[]any{p.Principal, p.UID, p.Attendee, p.RID, some(p.Body), micros(p.Created)}, &p.ID)
}

// DeleteProposal removes one; none is no error.
func (tx *Tx) DeleteProposal(id int64) error {
	_, err := tx.exec(`DELETE FROM proposal WHERE id = $1`, id)
	return err
}
