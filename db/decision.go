package db

import "time"

// Decision is what was decided about a message or a change, and by which rule.
type Decision struct {
	ID        int64
	At        time.Time
	Direction string // "in" (mail), "out" (mail), "user" (a door), "local" (message between people here), "agent"
	Door      string // "dav", "lmtp", "pipe", "rsvp", "import", "queue", ...
	UID       string
	MessageID string
	Method    string
	Principal int64  // whose calendar or queue
	From      string // addresses as text
	To        string
	Belief    string // proved, unverified, contradicted; "" where it does not matter
	Rule      string
	Outcome   string // "applied", "ignored", "refused", "queued", "sent", "given up", ...
	Detail    string
	// Key makes a repetition visible: (recipient, hash of the message) of a
	// mail (decision 3); "" for everything else.
	Key string
}

// InsertDecision stores d and sets d.ID; ErrExists if its Key is there.
func (tx *Tx) InsertDecision(d *Decision) error { panic("db: not built yet") }

// DecisionByKey returns the earlier decision about the same mail.
func (tx *Tx) DecisionByKey(key string) (Decision, error) { panic("db: not built yet") }

// Decisions returns those about a UID or a Message-ID in order.
func (tx *Tx) Decisions(uidOrMessageID string, limit int) ([]Decision, error) {
	panic("db: not built yet")
}
