package scheduling_test

import (
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
)

// A fault of ours in one job takes nothing else down: it is tried again later.
func TestFaultInJob(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.write(func(tx *db.Tx) error {
			return tx.InsertJob(&db.Job{Kind: "refresh", UID: "m1", Principal: h.people["ann"].ID})
		})
		opt := options()
		opt.Now = func() time.Time { panic("no clock") }
		if n, err := scheduling.New(h.store, opt).WorkOnce(h.ctx); n != 1 || err != nil {
			t.Errorf("%d jobs, %v", n, err)
		}
		h.write(func(tx *db.Tx) error {
			_, any, err := tx.NextJob()
			if !any {
				t.Error("it is gone")
			}
			return err
		})
	})
}

// Quick successive edits become one mail, which tells against what its
// recipient knew; after it has gone the next one tells against that (decision
// 33).
func TestCoalesce(t *testing.T) {
	each(t, func(h *house) {
		opt := options()
		opt.Coalesce = time.Hour
		h.desk = scheduling.New(h.store, opt)
		h.persons("ann")
		edit := func(old, new string) string {
			t.Helper()
			body := strings.Replace(string(h.has("ann", "m1").Body), old, new, 1)
			h.put("ann", body)
			return string(h.has("ann", "m1").Body)
		}
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "out@example.net"))
		first := h.queue("REQUEST out@example.net")[0]
		if wait := time.Until(first.Due); wait < 50*time.Minute || wait > time.Hour {
			t.Errorf("due in %v", wait)
		}
		edit("Review", "Preview")
		sent := edit("T110000Z", "T113000Z")
		q := h.queue("REQUEST out@example.net")[0]
		if q.Prior != nil || !strings.Contains(string(q.Body), "Preview") || !strings.Contains(string(q.Body), "T113000Z") {
			t.Errorf("%+v\n%s", q, q.Body)
		}
		// It goes out.
		h.write(func(tx *db.Tx) error { return tx.RetryDelivery(q.ID) })
		h.write(func(tx *db.Tx) error {
			ds, err := tx.ClaimDeliveries(10, time.Minute)
			if err != nil || len(ds) != 1 {
				t.Fatalf("%v, %v", ds, err)
			}
			_, err = tx.FinishDelivery(ds[0].ID, ds[0].Token)
			return err
		})
		h.queue()
		edit("Preview", "Overview")
		edit("Overview", "Interview")
		q = h.queue("REQUEST out@example.net")[0]
		if string(q.Prior) != sent || !strings.Contains(string(q.Body), "Interview") {
			t.Errorf("prior:\n%s\nwant:\n%s", q.Prior, sent)
		}
	})
}
