package scheduling

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// Observe is one iTIP message that a user here sent from his mail program, and
// of which the mail system gave us a copy (decision 12).
type Observe struct {
	Actor db.Principal
	By    db.Principal // who sent it for him; ID 0: he himself
	Body  *ics.Object  // one UID, with METHOD
	// Told are those to whom his mail program sent it. They are not mailed once
	// more, and what waits in the queue for them is taken back (decision 33).
	Told      []cuaddr.Address
	MessageID string
	Key       string // of the decision: a repetition changes nothing
	Door      string
}

// Observe does what would have followed had the user's calendar program put
// the same: his copy, and people here in their calendars. The error is only
// ever ours: try again.
func (d *Desk) Observe(ctx context.Context, m Observe) (Verdict, error) {
	l, err := d.foresee(ctx, m.Actor, m.Body)
	if err != nil {
		return Verdict{}, err
	}
	var v Verdict
	err = d.transact(ctx, l, func(s *sitting) (err error) {
		v, err = s.observe(m)
		return err
	})
	return v, err
}

func (s *sitting) observe(m Observe) (Verdict, error) {
	if m.Key != "" {
		earlier, err := s.tx.DecisionByKey(m.Key)
		if err == nil {
			return Verdict{Repeated: true, Applied: earlier.Outcome == "applied", Rule: earlier.Rule}, nil
		}
		if !errors.Is(err, db.ErrNotFound) {
			return Verdict{}, err
		}
	}
	x := db.Decision{
		Direction: "user", Door: m.Door, UID: m.Body.UID(), MessageID: m.MessageID, Method: m.Body.Method(), Principal: m.Actor.ID,
		From: m.Actor.Address, Belief: string(Proved), Key: m.Key, Outcome: "ignored",
	}
	r, err := s.observed(m)
	return s.conclude(x, r, err)
}

func (s *sitting) observed(m Observe) (result, error) {
	if !storable(m.Body.UID()) {
		return ignored("a UID that cannot be stored")
	}
	if !scheduled(m.Body.Kind()) {
		return ignored(m.Body.Kind() + " is not scheduled")
	}
	uid := m.Body.UID()
	if err := s.load(uid, m.Actor); err != nil {
		return result{}, err
	}
	h := s.holdings[thread{m.Actor.ID, uid}]
	if err := s.meetIn(h.obj, m.Body); err != nil {
		return result{}, err
	}
	me, err := s.actor(h, false)
	if err != nil {
		return result{}, err
	}
	if m.Body.Method() == string(itip.DeclineCounter) && h.obj != nil {
		s.mailer, s.told = m.Actor.ID, m.Told
		return s.declined(h, me, m)
	}
	after, rule := itip.Observed(me, h.obj, m.Body)
	if after == h.obj {
		return ignored(rule)
	}
	if after != nil {
		if err := after.Check(); err != nil {
			return result{}, &itip.Refusal{Precondition: itip.ValidResource, Detail: err.Error()}
		}
	}
	if !s.place(h, m.Body.Kind()) {
		return ignored("he has no calendar for it")
	}
	s.mailer, s.told, s.forwards = m.Actor.ID, m.Told, m.Body.Method() == string(itip.Reply)
	s.withdraw = &withdrawal{uid: uid, sequence: highest(m.Body)}
	s.by = m.By
	adds := m.Body.Method() == string(itip.Add)
	opt := itip.Options{Mailed: s.forwards || adds || m.Body.Method() == string(itip.Request), Added: adds}
	if s.forwards {
		opt.Sent = m.Body
	}
	return result{applied: true, rule: rule}, s.originate(h, after, opt, m.Door)
}

// toldAlready reports whether a user's own mail program has told somebody what
// a letter says.
func (s *sitting) toldAlready(l *letter, to cuaddr.Address) bool {
	if l.Method == itip.Refresh {
		return false // what the server asks because of it
	}
	if l.Method == itip.Request && (l.quiet || s.mailer != 0 && l.from.ID == s.mailer && s.forwards) {
		return true // who delegates by mail forwards what he got (RFC 5546 §3.2.2.3)
	}
	return s.mailer != 0 && l.from.ID == s.mailer && slices.ContainsFunc(s.told, func(a cuaddr.Address) bool { return s.same(a, to) })
}

// withdrawal is what an observed mail takes back from the queue.
type withdrawal struct {
	uid      string
	sequence int64
}

// highest returns the revision that a message tells of.
func highest(o *ics.Object) int64 {
	n := int64(0)
	for _, c := range o.Main() {
		v, _ := strconv.ParseInt(strings.TrimSpace(c.Value("SEQUENCE")), 10, 64)
		n = max(n, v)
	}
	return n
}

// takeBack removes from the queue what those who were told wait for.
func (s *sitting) takeBack() error {
	if s.withdraw == nil {
		return nil
	}
	var rcpts []string
	for _, a := range s.told {
		rcpts = append(rcpts, a.String())
	}
	return s.tx.WithdrawDeliveries(s.withdraw.uid, s.mailer, s.withdraw.sequence, rcpts)
}
