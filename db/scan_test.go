package db_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// No request costs what it does not return: SQLite, which chooses without
// statistics, goes by an index for every statement of the serving paths.
func TestNothingIsScanned(t *testing.T) {
	s := dbtest.New(t, "sqlite")
	p, cal, _ := person(t, s, "ann@example.org")
	for i := range 3 {
		put(t, s, cal.ID, fmt.Sprint(i), fmt.Sprint(i), "a", slot(10, 20))
		put(t, s, cal.ID, fmt.Sprint(i), fmt.Sprint(i), "b", db.Indexed{Series: &db.Series{First: 10, Last: 20}})
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	ask := func(tx *db.Tx) error {
		var err error
		_, err = tx.Principal(p.ID)
		must(err)
		_, err = tx.PrincipalByAddress("ann@example.org")
		must(err)
		_, err = tx.PrincipalsByAddress([]string{"ann@example.org", "b"})
		must(err)
		_, err = tx.PrincipalsByLocalPart("ann")
		must(err)
		_, err = tx.Principals("", 10)
		must(err)
		_, err = tx.AddressesOf([]int64{p.ID, 2})
		must(err)
		_, err = tx.TaggedAddresses()
		must(err)
		_, err = tx.GroupsOf(p.ID)
		must(err)
		_, err = tx.Members(p.ID)
		must(err)
		_, err = tx.Collections(p.ID)
		must(err)
		_, err = tx.CollectionByName(p.ID, db.Calendar, "calendar")
		must(err)
		_, _, _, err = tx.ObjectAt(p.ID, db.Calendar, "calendar", "1")
		must(err)
		_, err = tx.Object(cal.ID, "1")
		must(err)
		_, err = tx.ObjectsByUID("1")
		must(err)
		_, err = tx.ObjectsByUID("1", p.ID, 2)
		must(err)
		_, err = tx.List(cal.ID, "", 10)
		must(err)
		_, err = tx.Names(cal.ID, "", 10)
		must(err)
		_, err = tx.NamesByUID(cal.ID, "1")
		must(err)
		_, err = tx.SearchUID(cal.ID, "1")
		must(err)
		_, err = tx.Heads([]int64{1, 2})
		must(err)
		_, err = tx.SmallByIDs([]int64{1, 2}, 10)
		must(err)
		_, err = tx.ByNames(cal.ID, []string{"1", "2"})
		must(err)
		_, err = tx.ByIDs([]int64{1, 2})
		must(err)
		_, err = tx.Changes(cal.ID, 1, 0, 10)
		must(err)
		_, err = tx.InRange(cal.ID, "VEVENT", 0, 100)
		must(err)
		_, err = tx.BusyRows([]int64{p.ID, 2}, 0, 100, "1")
		must(err)
		_, err = tx.CalendarsFor(p.ID)
		must(err)
		_, err = tx.CountedBy([]int64{p.ID, 2})
		must(err)
		_, err = tx.RecordIn([]int64{cal.ID, 2}, 0, 100, "1")
		must(err)
		_, err = tx.HasOf(p.ID, []int64{1, 2})
		must(err)
		_, err = tx.CountObjects(cal.ID)
		must(err)
		_, err = tx.Properties("object", 1)
		must(err)
		_, err = tx.PropertiesOf("object", []int64{1, 2})
		must(err)
		_, err = tx.Decisions("1", 10)
		must(err)
		_, _, err = tx.NextDelivery()
		must(err)
		_, _, err = tx.NextJob()
		must(err)
		return nil
	}
	view(t, s, ask)
	queue(t, s, db.Delivery{UID: "u", Rcpt: "r", Method: "REQUEST"})
	queue(t, s, db.Delivery{UID: "u", Rcpt: "r", Method: "REQUEST"})
	write(t, s, func(tx *db.Tx) error { return tx.InsertJob(&db.Job{Kind: "k", UID: "u"}) })
	for _, d := range claim(t, s, 10, time.Minute) {
		did(t, s, true, func(tx *db.Tx) (bool, error) { return tx.FinishDelivery(d.ID, d.Token) })
	}
	write(t, s, func(tx *db.Tx) error { _, err := tx.ClaimJobs(10, time.Minute); return err })
	o := loadObject(t, s, cal.ID, "1")
	must(bumped(s, cal.ID, func(tx *db.Tx, m int64) error { return tx.DeleteObject(o.ID, m, o.Modseq) }))

	// A scan of the rows that a claim has just chosen is none of a table.
	scan := regexp.MustCompile(`SCAN (\w+)`)
	explained := 0
	for text := range s.Statements() {
		verb, _, _ := strings.Cut(text, " ")
		if verb == "INSERT" || strings.Contains(text, "schema_version") {
			continue
		}
		explained++
		view(t, s, func(tx *db.Tx) error {
			plan, err := tx.Explain(text)
			for _, step := range plan {
				m := scan.FindStringSubmatch(step)
				if m == nil || m[1] == "c" || strings.Contains(step, "USING INDEX delivery_due") || strings.Contains(step, "USING INDEX job_due") ||
					strings.Contains(step, "USING COVERING INDEX delivery_due") || strings.Contains(step, "USING COVERING INDEX job_due") ||
					strings.Contains(step, "INDEX address_tagged") || strings.Contains(step, "CONSTANT ROW") {
					continue
				}
				t.Errorf("%s\n%s", step, text)
			}
			return err
		})
	}
	if explained < 30 {
		t.Errorf("only %d statements were looked at", explained)
	}
}
