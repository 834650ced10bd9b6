package db

import "time"

// What monitoring reads.

// Waiting returns how many mails wait in the queue.
func (tx *Tx) Waiting() (n int64, err error) {
	err = tx.row(`SELECT COUNT(*) FROM delivery`, nil, &n)
	return n, err
}

// Decided is how many decisions of one direction had one outcome.
type Decided struct {
	Direction, Outcome string
	Count              int64
}

// Decided counts the decisions made in [from, to). A transaction lives for
// half a minute at most: a window that ended a minute ago is complete.
func (tx *Tx) Decided(from, to time.Time) ([]Decided, error) {
	return collect(tx, `SELECT direction, outcome, COUNT(*) FROM decision WHERE at >= $1 AND at < $2 GROUP BY direction, outcome ORDER BY direction, outcome`,
		[]any{micros(from), micros(to)}, func(d *Decided) []any { return []any{&d.Direction, &d.Outcome, &d.Count} })
}

// Unsafe names the settings of the database server under which a power cut may
// take back what was accepted (STORAGE 12); none on SQLite, whose settings are
// ours.
func (tx *Tx) Unsafe() ([]string, error) {
	if tx.s.Dialect() == "sqlite" {
		return nil, nil
	}
	return texts(tx, `SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name`)
}
