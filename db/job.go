package db

import (
	"bytes"
	"slices"
	"time"
)

// Job is internal work on one conversation, done by the desk of any node.
type Job struct {
	ID        int64
	Kind      string // "refresh", "deliver", "remove", ...
	UID       string
	Principal int64
	Args      []byte // meaning known to the kind
	Due       time.Time
	Attempts  int // claims, this one included
	Token     string
}

const jobColumns = `id, kind, uid, principal, args, due, attempts, token`

func (j *Job) fields() []any {
	return []any{&j.ID, &j.Kind, &j.UID, &j.Principal, &j.Args, when{&j.Due}, &j.Attempts, &j.Token}
}

// InsertJob queues one, due now if j.Due is zero; an unclaimed one of the same
// kind, conversation, principal and arguments stands for both (coalescing) and
// becomes due no later than either. It sets j.ID.
func (tx *Tx) InsertJob(j *Job) error {
	if err := needText([]string{j.Kind, j.UID}); err != nil {
		return err
	}
	if j.Due.IsZero() {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		j.Due = now
	}
	same, err := collect(tx, `SELECT `+jobColumns+` FROM job WHERE uid = $1 AND kind = $2 AND principal = $3 AND token = '' ORDER BY id`,
		[]any{j.UID, j.Kind, j.Principal}, (*Job).fields)
	if err != nil {
		return err
	}
	for _, o := range same {
		if !bytes.Equal(o.Args, j.Args) {
			continue
		}
		// Claimed meanwhile, it may have read what was before us.
		n, err := tx.exec(`UPDATE job SET due = CASE WHEN due < $2 THEN due ELSE $2 END WHERE id = $1 AND token = ''`, o.ID, micros(j.Due))
		if err != nil {
			return err
		}
		if n == 1 {
			j.ID = o.ID
			return nil
		}
	}
	return tx.row(`INSERT INTO job (kind, uid, principal, args, due, attempts, token) VALUES ($1, $2, $3, $4, $5, 0, '') RETURNING id`,
		[]any{j.Kind, j.UID, j.Principal, some(j.Args), micros(j.Due)}, &j.ID)
}

// ClaimJobs takes up to limit due ones for the time of lease, of each kind,
// conversation and principal the oldest.
func (tx *Tx) ClaimJobs(limit int, lease time.Duration) ([]Job, error) {
	now, err := tx.Now()
	if err != nil {
		return nil, err
	}
	js, err := collect(tx, `WITH c AS MATERIALIZED (
			SELECT d.id FROM job d WHERE d.due <= $1 AND NOT EXISTS (
				SELECT 1 FROM job e WHERE e.uid = d.uid AND e.kind = d.kind AND e.principal = d.principal AND e.id < d.id)
			ORDER BY d.due, d.id LIMIT $2 {skip})
		UPDATE job SET due = $3, token = $4, attempts = attempts + 1 WHERE id IN (SELECT id FROM c)
		RETURNING `+jobColumns, []any{micros(now), limit, micros(now.Add(lease)), randomText()}, (*Job).fields)
	slices.SortFunc(js, func(a, b Job) int { return int(a.ID - b.ID) })
	return js, err
}

// FinishJob removes a claimed one, inside the transaction that did its work;
// false if the claim was lost: then the work must be rolled back.
func (tx *Tx) FinishJob(id int64, token string) (bool, error) {
	n, err := tx.exec(`DELETE FROM job WHERE id = $1 AND token = $2`, id, token)
	return n == 1, err
}

// PostponeJob gives a claimed one back for later; false if the claim was lost.
func (tx *Tx) PostponeJob(id int64, token string, due time.Time) (bool, error) {
	n, err := tx.exec(`UPDATE job SET due = $3, token = '' WHERE id = $1 AND token = $2`, id, token, micros(due))
	return n == 1, err
}

// NextJob returns when the next row that no other holds back is due, false for
// an empty queue.
func (tx *Tx) NextJob() (time.Time, bool, error) {
	return tx.next(`SELECT d.due FROM job d WHERE NOT EXISTS (
			SELECT 1 FROM job e WHERE e.uid = d.uid AND e.kind = d.kind AND e.principal = d.principal AND e.id < d.id)
		ORDER BY d.due LIMIT 1`)
}
