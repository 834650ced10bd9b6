package imipbridge

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What one meeting, or one person, sends beyond the bound waits in the queue,
// is on record, and goes out later; nothing of it is lost.
func TestRateCap(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		guests := []string{"a@x.example", "b@x.example", "c@y.example", "d@y.example"}
		h.put("ann", event("", "u1", organizer(ann)+attendees(append([]string{ann}, guests...)...)))
		h.want("taken", h.work(), 3)
		out := h.relay.all()
		var sent []string
		for _, m := range out {
			sent = append(sent, m.rcpt)
		}
		slices.Sort(sent)
		h.want("sent", strings.Join(sent, " "), "a@x.example "+ann+" b@x.example")
		notice := h.to(ann, out) // one for all of them, and nothing comes back to it
		h.want("told", h.parsed(notice).Subject+notice.from, "Delayed: Budget")
		h.want("in words", strings.Contains(string(notice.data), "They go out one after the other, none is lost."), true)
		h.want("waiting", len(h.queue()), 2)
		held := 0
		for _, line := range h.decisions("u1") {
			if strings.HasPrefix(line, "out REQUEST held more than 2 mails about one meeting or 3 of one person within 1h0m0s") {
				held++
			}
		}
		h.want("on record", held, 2)
		h.want("status", h.status("ann", "u1", "d@y.example"), "1.1")

		// Another meeting has what the person has left; another person is free.
		h.put("ann", event("", "u2", organizer(ann)+attendees(ann, cleo)))
		h.put("ben", event("", "u3", organizer(ben)+attendees(ben, cleo)))
		h.work()
		h.want("sent", h.relay.rcpts(), cleo)

		for range 5 {
			h.clock.forward(30 * time.Minute)
			h.work()
		}
		h.want("at last", h.relay.rcpts(), "c@y.example "+cleo+" d@y.example")
		h.want("queue", len(h.queue()), 0)
	}, func(o *Options) { o.PerEvent, o.PerUser = 2, 3 })
}
