package db_test

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// SQLite chooses among indexes without knowing what is in them: it once read
// all objects of a calendar to find the few without a record of busy time.
func TestPlans(t *testing.T) {
	s := dbtest.New(t, "sqlite")
	for statement, want := range db.Planned {
		view(t, s, func(tx *db.Tx) error {
			plan, err := tx.Plan(statement)
			if !strings.Contains(plan, want) || strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("%s\nwant %s, have\n%s", statement, want, plan)
			}
			return err
		})
	}
}
