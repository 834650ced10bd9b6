package db

import (
	"fmt"
	"strings"
)

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

	availabilityOf + "($1)":      "SEARCH a",
	availabilityObjects + "($1)": "INDEX object_availability",
	availabilityIn:               "INDEX object_availability",
	inboxACEs + "($1)":           "sqlite_autoindex_ace_1",
	ownTags:                      "SEARCH w USING INDEX sqlite_autoindex_own_1 (principal=?)\nSEARCH o USING INTEGER PRIMARY KEY",
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

// Statements returns the texts that the idle connections have prepared.
func (s *Store) Statements() map[string]bool {
	all := make(map[string]bool)
	note := func(c *conn) {
		for text := range c.stmts {
			all[c.d.words.Replace(text)] = true
		}
	}
	s.readers.mu.Lock()
	defer s.readers.mu.Unlock()
	for _, c := range s.readers.idle {
		note(c)
	}
	if s.writer != nil && s.writer.c != nil {
		note(s.writer.c)
	}
	return all
}

// Explain returns the steps of SQLite's plan for a statement.
func (tx *Tx) Explain(text string) ([]string, error) {
	type step struct {
		id, parent, unused int64
		detail             string
	}
	places := 0
	for places < 40 && strings.Contains(text, fmt.Sprintf("$%d", places+1)) {
		places++
	}
	steps, err := collect(tx, "EXPLAIN QUERY PLAN "+text, make([]any, places), func(s *step) []any {
		return []any{&s.id, &s.parent, &s.unused, &s.detail}
	})
	var all []string
	for _, s := range steps {
		all = append(all, s.detail)
	}
	return all, err
}

// Remembers reports whether the answer of ObjectAt needs no statement now.
func (s *Store) Remembers(owner int64, home CollectionKind, collection, name string) bool {
	_, _, _, ok := s.memo.look(asked{owner, home.home(), collection, name, true})
	return ok
}
