package scheduling_test

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// Where the server alone schedules between the people here, no program takes a
// colleague off its hands, and nobody keeps an invitation that nobody sent.
func TestLocalStrict(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		h := newHouse(t, s)
		opt := options()
		opt.Strict = true
		h.desk = scheduling.New(s, opt)
		h.persons("ann", "ben", "cem")
		no := func(who, body, precondition string) {
			t.Helper()
			_, err := h.tryPut(who, body)
			refused(t, err, precondition)
		}
		agent := func(who, uid, want string) {
			t.Helper()
			if l := h.object(who, uid).First().Prop("ORGANIZER"); l.Param("SCHEDULE-AGENT") != want {
				t.Errorf("SCHEDULE-AGENT=%s, want %q", l.Param("SCHEDULE-AGENT"), want)
			}
		}
		body := func(uid string, whom ...string) string {
			return invitation(uid, "20260303T1000", "20260303T1100", "ann", whom...)
		}

		// SCHEDULE-AGENT=CLIENT counts for those outside only; NONE always.
		h.put("ann", event("m1", "20260303T1000", "20260303T1100", organizer("ann"),
			attendee("ben", "SCHEDULE-AGENT=CLIENT"), attendee("cem", "SCHEDULE-AGENT=NONE"), "ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:bob@example.com"))
		h.has("ben", "m1")
		h.hasNot("cem", "m1")
		h.queue()
		for who, want := range map[string]string{"ben": "", "cem": "NONE"} {
			if l := line(h.object("ann", "m1").First(), who); l.Param("SCHEDULE-AGENT") != want {
				t.Errorf("%s", h.object("ann", "m1").Bytes())
			}
		}
		// Nor does an attendee's program take over.
		no("ben", strings.Replace(string(h.has("ben", "m1").Body), "ORGANIZER:", "ORGANIZER;SCHEDULE-AGENT=CLIENT:", 1), itip.AllowedAttendeeChange)

		// A copy of what its organizer does not have, or not with him.
		no("ben", body("m2", "ben"), itip.AllowedAttendee)
		h.put("ann", body("m2", "cem"))
		no("ben", body("m2", "ben"), itip.AllowedAttendee)
		h.hasNot("ben", "m2")
		h.put("ann", body("m2", "cem", "ben"))
		h.put("ben", h.answered("ben", "m2", "ACCEPTED"))
		h.says("ann", "m2", "", "ben", "ACCEPTED")
		// From outside it came by mail.
		h.put("ben", event("m3", "20260303T1000", "20260303T1100", "ORGANIZER:mailto:bob@example.com", attendee("ben")))
		agent("ben", "m3", "")

		// A program that schedules itself hands over when he is invited.
		h.put("ben", strings.Replace(body("m4", "ben"), "ORGANIZER:", "ORGANIZER;SCHEDULE-AGENT=CLIENT:", 1))
		agent("ben", "m4", "CLIENT")
		h.put("ann", body("m4", "ben"))
		agent("ben", "m4", "")

		// A note of a meeting of others says that it is one, until he is invited.
		h.put("ben", strings.Replace(body("m5", "cem"), "Review", "Ann's review", 1))
		agent("ben", "m5", "NONE")
		if l := h.object("ben", "m5").First().Prop("ORGANIZER"); l.Param("SCHEDULE-STATUS") != "5.3" {
			t.Errorf("%s", h.object("ben", "m5").Bytes())
		}
		h.put("ann", body("m5", "cem", "ben"))
		agent("ben", "m5", "")
		if o := h.object("ben", "m5"); o.First().Value("SUMMARY") != "Review" || ics.Attendee(o.First(), func(a cuaddr.Address) bool { return a == address("ben") }) == nil {
			t.Errorf("%s", o.Bytes())
		}

		// What an organizer's program calls a new revision is one.
		before := len(h.inbox("ben"))
		h.put("ann", strings.Replace(string(h.has("ann", "m5").Body), "SUMMARY:", "SEQUENCE:7\r\nSUMMARY:", 1))
		if n := len(h.inbox("ben")); n != before+1 {
			t.Errorf("%d items after %d", n, before)
		}

		no("ann", strings.Replace(body("m6", "ben"), "DTSTART:20260303T100000Z", "RECURRENCE-ID:20260303T100000Z\r\nDTSTART:20260303T100000Z", 1), itip.AllowedOrganizerReceived)
	})
}
