package db

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

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

const decisionColumns = `id, at, direction, door, uid, message_id, method, principal, sender, rcpt, belief, rule, outcome, detail, once`

func (d *Decision) fields() []any {
	return []any{&d.ID, when{&d.At}, &d.Direction, &d.Door, &d.UID, &d.MessageID, &d.Method, &d.Principal, &d.From, &d.To,
		&d.Belief, &d.Rule, &d.Outcome, &d.Detail, optional{&d.Key}}
}

// optional scans null as "".
type optional struct{ s *string }

func (o optional) Scan(v any) error {
	var n sql.NullString
	err := n.Scan(v)
	*o.s = n.String
	return err
}

// InsertDecision stores d and sets d.ID and, if it is zero, d.At; ErrExists if
// its Key is there. Texts that cannot be stored as they are lose what is in
// the way: a decision is never refused for what a stranger sent.
func (tx *Tx) InsertDecision(d *Decision) error {
	if d.At.IsZero() {
		d.At = tx.stamp()
	}
	if err := needText([]string{d.Key}); err != nil {
		return err
	}
	args := []any{micros(d.At), d.Direction, d.Door, fit(d.UID), fit(d.MessageID), fit(d.Method), d.Principal, fit(d.From), fit(d.To),
		d.Belief, fit(d.Rule), d.Outcome, fit(d.Detail), sql.NullString{String: d.Key, Valid: d.Key != ""}}
	err := tx.row(`INSERT INTO decision (at, direction, door, uid, message_id, method, principal, sender, rcpt, belief, rule, outcome, detail, once)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (once) DO NOTHING RETURNING id`, args, &d.ID)
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: the decision %s", ErrExists, d.Key)
	}
	return err
}

// fit makes a text storable.
func fit(s string) string {
	if text(s) && len(s) <= maxKey {
		return s
	}
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
	if len(s) > maxKey {
		s = strings.ToValidUTF8(s[:maxKey-3], "") + "..."
	}
	return s
}

// DecisionByKey returns the earlier decision about the same mail.
func (tx *Tx) DecisionByKey(once string) (d Decision, err error) {
	if !key(once) || once == "" {
		return d, ErrNotFound
	}
	err = tx.row(`SELECT `+decisionColumns+` FROM decision WHERE once = $1`, []any{once}, d.fields()...)
	return d, err
}

// Decisions returns those about a UID or a Message-ID in order, the last ones
// if there are more than limit.
func (tx *Tx) Decisions(uidOrMessageID string, limit int) ([]Decision, error) {
	about := fit(uidOrMessageID)
	if about == "" {
		return nil, nil
	}
	ds, err := collect(tx, `SELECT `+decisionColumns+` FROM decision WHERE id IN (
			SELECT id FROM decision WHERE uid = $1 UNION SELECT id FROM decision WHERE message_id = $1)
		ORDER BY id DESC LIMIT $2`, []any{about, limit}, (*Decision).fields)
	slices.Reverse(ds)
	return ds, err
}

// LastSent returns when a principal last sent a message of a method about a UID to
// somebody outside, as far as decisions go back; zero: never.
func (tx *Tx) LastSent(principal int64, uid, method string) (at time.Time, err error) {
	err = tx.row(`SELECT at FROM decision WHERE uid = $1 AND principal = $2 AND method = $3 AND direction = 'out' ORDER BY id DESC LIMIT 1`,
		[]any{fit(uid), principal, method}, when{&at})
	if errors.Is(err, ErrNotFound) {
		return time.Time{}, nil
	}
	return at, err
}
