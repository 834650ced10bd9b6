package itip

import "github.com/convene-server/convene/scheduling/ics"

// Receive decides what an iTIP message does to the copy that the recipient
// has (nil: none). A message that is stale, repeated or not for him is no
// error: Outcome.Ignored. The error is a *Refusal.
func Receive(me Actor, have *ics.Object, msg Message) (Outcome, error) {
	panic("itip: not built yet")
}
