package scheduling_test

import (
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
)

// A proposal is a row until it is decided, an inbox item, and a mail to its
// organizer, whatever he says of copies by mail (decision 26).
func TestProposals(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "out@example.net"))
		ann := scheduling.Organizer{Principal: h.people["ann"].ID}
		propose := func(who string, hour int, applied bool) {
			t.Helper()
			at := time.Date(2026, 3, 3, hour, 0, 0, 0, time.UTC)
			v, err := h.desk.Propose(h.ctx, scheduling.Proposal{
				UID: "m1", Attendee: address(who), Organizer: ann, Start: at, End: at.Add(time.Hour), Comment: "later", Door: "rsvp"})
			if err != nil || v.Applied != applied {
				t.Errorf("%s proposes %d h: %+v, %v", who, hour, v, err)
			}
		}
		open := func(n int) {
			t.Helper()
			h.view(func(tx *db.Tx) error {
				ps, err := tx.Proposals("m1", ann.Principal)
				if len(ps) != n {
					t.Errorf("%d open proposals, want %d", len(ps), n)
				}
				return err
			})
		}
		propose("ben", 14, true)
		h.queue("REQUEST out@example.net", "COUNTER ann@example.org")
		propose("ben", 14, false) // the same once more
		propose("ben", 10, false) // as it is
		propose("stranger@example.net", 14, false)
		propose("out@example.net", 15, true)
		open(2)
		if in := h.inbox("ann"); len(in) != 2 || in[0].Method() != "COUNTER" {
			t.Errorf("%d items in the inbox: %v", len(in), in)
		}
		before := h.has("ann", "m1")
		v, err := h.desk.AnswerProposal(h.ctx, scheduling.ProposalAnswer{
			UID: "m1", Organizer: ann, Attendee: address("ben"), Comment: "no", Door: "rsvp"})
		if err != nil || !v.Applied || h.has("ann", "m1").ETag != before.ETag {
			t.Errorf("declined: %+v, %v", v, err)
		}
		open(1)
		if in := h.inbox("ben"); len(in) != 2 || in[1].Method() != "DECLINECOUNTER" || in[1].First().Text("COMMENT") != "no" {
			t.Errorf("ben's inbox: %v", in)
		}
		v, err = h.desk.AnswerProposal(h.ctx, scheduling.ProposalAnswer{
			UID: "m1", Organizer: ann, Attendee: address("out@example.net"), Accept: true, Door: "rsvp"})
		if err != nil || !v.Applied || h.object("ann", "m1").First().Value("DTSTART") != "20260303T150000Z" {
			t.Errorf("accepted: %+v, %v\n%s", v, err, h.has("ann", "m1").Body)
		}
		open(0)
		// The first invitation never left: this one takes its place (decision 33).
		h.queue("COUNTER ann@example.org", "COUNTER ann@example.org", "REQUEST out@example.net")

		// What ends with the meeting leaves nothing behind.
		propose("ben", 17, true)
		open(1)
		row := h.has("ann", "m1")
		if err := h.desk.Remove(h.ctx, scheduling.Remove{Actor: h.people["ann"], Collection: row.Collection, Name: row.Name, Door: "dav"}); err != nil {
			t.Fatal(err)
		}
		open(0)
	})
}
