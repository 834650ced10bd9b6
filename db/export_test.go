package db

import "strings"

// Scalar reads one number, for tests that look behind the methods.
func (tx *Tx) Scalar(text string) (n int64, err error) {
	err = tx.row(text, nil, &n)
	return n, err
}

// Run runs any statement.
func (tx *Tx) Run(text string, args ...any) error {
	_, err := tx.exec(text, args...)
	return err
}

// Script runs statements with words in braces.
func (tx *Tx) Script(text string) error { return tx.script(text) }

// Statements whose cost must not grow with what a collection holds beside
// what they return, or that read an index alone.
var Planned = map[string]string{
	slotsInRange:  "COVERING INDEX slot_range",
	seriesInRange: "INDEX series_range",
	unrecorded:    "INDEX object_unrecorded",
	searchUID:     "COVERING INDEX object_listing",
	listNames:     "COVERING INDEX object_listing",
}

// Plan is how SQLite means to run a statement.
func (tx *Tx) Plan(text string) (plan string, err error) {
	err = tx.rows("EXPLAIN QUERY PLAN "+text, []any{1, 2, 3}[:places(text)], func(scan func(...any) error) error {
		var id, parent, unused int64
		var detail string
		err := scan(&id, &parent, &unused, &detail)
		plan += detail + "\n"
		return err
	})
	return plan, err
}

func places(text string) int {
	n := 0
	for strings.Contains(text, "$"+string(rune('1'+n))) {
		n++
	}
	return n
}
