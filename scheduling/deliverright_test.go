package scheduling_test

import (
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling/itip"
)

// Whose messages somebody takes is said by the entries of his inbox (RFC 6638
// §6.1): a refused one leaves no trace with him and 3.8 with the sender.
func TestScheduleDeliver(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "cleo", "dan")
		inbox := func(who string, aces ...db.ACE) {
			t.Helper()
			h.write(func(tx *db.Tx) error {
				c, err := tx.CollectionByName(h.people[who].ID, db.Inbox, "inbox")
				if err != nil {
					return err
				}
				return tx.SetACEs(db.OnCollection, c.ID, aces)
			})
		}
		cleo := db.ACE{Grantee: h.people["cleo"].ID, Rights: uint64(directory.Delivering)}
		inbox("ben", cleo)
		h.put("ann", invitation("d1", "20260303T1000", "20260303T1100", "ann", "ben", "dan"))
		h.status("ann", "d1", "ben", itip.StatusNoAuthority)
		h.status("ann", "d1", "dan", itip.StatusDelivered)
		h.hasNot("ben", "d1")
		if in := h.inbox("ben"); len(in) != 0 {
			t.Errorf("%d in the inbox", len(in))
		}
		h.decided("d1", "refused", "does not take this")
		h.put("cleo", invitation("d2", "20260304T1000", "20260304T1100", "cleo", "ben"))
		h.has("ben", "d2")

		// Replies are a right of their own.
		inbox("cleo", db.ACE{Grantee: db.Authenticated, Rights: uint64(directory.DeliverInvite)})
		h.put("ben", h.answered("ben", "d2", "ACCEPTED"))
		h.says("cleo", "d2", "", "ben", "NEEDS-ACTION")
		h.status("ben", "d2", "cleo", itip.StatusNoAuthority)
		h.put("ann", invitation("d3", "20260305T1000", "20260305T1100", "ann", "cleo"))
		h.has("cleo", "d3")
		// What is denied first stays so.
		inbox("dan", db.ACE{Grantee: h.people["ann"].ID, Rights: uint64(directory.Delivering), Deny: true}, db.ACE{Grantee: db.Authenticated, Rights: uint64(directory.Delivering)})
		h.put("ann", invitation("d4", "20260306T1000", "20260306T1100", "ann", "dan"))
		h.status("ann", "d4", "dan", itip.StatusNoAuthority)
	})
}
