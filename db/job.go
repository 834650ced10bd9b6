package db

import "time"

// Job is internal work on one conversation, done by the desk of any node.
type Job struct {
	ID        int64
	Kind      string // "refresh", "deliver", "remove", ...
	UID       string
	Principal int64
	Args      []byte // meaning known to the kind
	Due       time.Time
	Attempts  int
	Token     string
}

// InsertJob queues one; an unclaimed one of the same kind, conversation,
// principal and arguments stands for both (coalescing).
func (tx *Tx) InsertJob(j *Job) error { panic("db: not built yet") }

// ClaimJobs takes up to limit due ones for the time of lease.
func (tx *Tx) ClaimJobs(limit int, lease time.Duration) ([]Job, error) { panic("db: not built yet") }

// FinishJob removes a claimed one, inside the transaction that did its work;
// false if the claim was lost: then the work must be rolled back.
func (tx *Tx) FinishJob(id int64, token string) (bool, error) { panic("db: not built yet") }

// PostponeJob gives a claimed one back for later.
func (tx *Tx) PostponeJob(id int64, token string, due time.Time) (bool, error) {
	panic("db: not built yet")
}
