package itip

import "github.com/convene-server/convene/scheduling/ics"

// Originate decides what follows when a user writes (before nil: creates;
// after nil: removes) an object in a calendar of his (RFC 6638 §3.2). The
// object to store is Outcome.Object: after, with everything restored that the
// user may not change (decisions 19 and 22). The error is a *Refusal.
func Originate(me Actor, before, after *ics.Object, opt Options) (Outcome, error) {
	panic("itip: not built yet")
}
