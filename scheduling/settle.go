package scheduling

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// maxTurns bounds how often an answer is answered in one sitting: an
// invitation, a room's reply, nothing.
const maxTurns = 8

// letter is a message on its way through settle.
type letter struct {
	itip.Message
	from  db.Principal // local person in whose name it speaks; ID 0: somebody outside
	prior *ics.Object  // what the sender had before, nil if nothing
	// quiet: those concerned get it as mail already, so no mail copy is made
	// (decision 6).
	quiet bool
	// outside: only people outside get it; those here have what it tells.
	outside bool
	door    string
	rule    string // why it is mailed, where that is not for where somebody is

	local    []db.Principal
	external []cuaddr.Address
	direct   bool // addressed to a person, not to a group that holds him
}

// settle brings the messages that follow from h's change to whom they are for,
// and what agents answer back, until nobody has anything left to say. Then it
// stamps what became of them on h (RFC 6638 §3.2.9).
func (s *sitting) settle(h *holding, prior *ics.Object, msgs []itip.Message, door string) error {
	return s.circulate(h, letters(msgs, h.owner, prior, door, false))
}

func letters(msgs []itip.Message, from db.Principal, prior *ics.Object, door string, quiet bool) []*letter {
	out := make([]*letter, len(msgs))
	for i := range msgs {
		out[i] = &letter{Message: msgs[i], from: from, prior: prior, door: door, quiet: quiet}
	}
	return out
}

// stamp sets SCHEDULE-STATUS, except for those whose answer is there already:
// theirs says more than that they got the message.
func (s *sitting) stamp(h *holding, status map[cuaddr.Address]string) {
	if h == nil || h.obj == nil || len(status) == 0 {
		return
	}
	for a := range status {
		if p := s.find(a); p != nil && s.heard[p.ID] != "" {
			delete(status, a)
		}
	}
	if o := itip.Stamp(h.obj, status); o != h.obj {
		h.obj, h.changed = o, true
	}
}

// circulate delivers letters and what they bring about, turn by turn, and stamps
// what became of each recipient of the first turn on h, if that is not nil.
func (s *sitting) circulate(h *holding, turn []*letter) error {
	first := map[cuaddr.Address]string{}
	for n := 0; len(turn) > 0 && n < maxTurns; n++ {
		rest, err := s.address(turn)
		if err != nil {
			return err
		}
		var next []*letter
		for _, l := range turn {
			st, more, err := s.bring(l)
			if err != nil {
				return err
			}
			switch {
			case st == "":
			case n == 0 && l.Method != itip.Refresh: // a question is no answer to stamp
				first[l.To] = st
			case l.Method == itip.Reply: // an agent's answer
				s.stamp(s.holdings[thread{l.from.ID, l.UID}], map[cuaddr.Address]string{l.To: st})
			}
			next = append(next, more...)
		}
		for _, l := range rest {
			if n == 0 {
				first[l.To] = itip.StatusDelivered // durable, and on its way in a job
			}
		}
		s.recordLocal(turn)
		turn = next
	}
	s.stamp(h, first)
	return nil
}

// address finds out who the recipients are, loads their copies together and
// locks those among them who answer by themselves. What exceeds the number of
// local recipients for one transaction becomes jobs.
func (s *sitting) address(turn []*letter) (queued []*letter, err error) {
	var to []cuaddr.Address
	for _, l := range turn {
		to = append(to, l.To)
	}
	if err := s.meet(to...); err != nil {
		return nil, err
	}
	uid := ""
	count := 0
	var v overflow
	seen := map[int64]bool{}
	var owners []db.Principal
	var agents []db.Principal
	for _, l := range turn {
		uid = l.UID
		p := s.find(l.To)
		switch {
		case p == nil:
			l.external = []cuaddr.Address{l.To}
		case p.Kind == db.Group:
			m, err := s.members(*p)
			if err != nil {
				return nil, err
			}
			l.local, l.external = m.local, m.external
		default:
			l.local, l.direct = []db.Principal{*p}, true
		}
		if l.outside {
			l.local = nil
		}
		// Beyond the bound only agents stay: their answer belongs to the change.
		now := l.local[:0:0]
		for _, p := range l.local {
			if count++; count <= s.d.opt.LocalInline || s.agent(p) {
				now = append(now, p)
				continue
			}
			v.add(l, p)
			if len(queued) == 0 || queued[len(queued)-1] != l {
				queued = append(queued, l)
			}
		}
		l.local = now
		for _, p := range l.local {
			if s.agent(p) {
				agents = append(agents, p)
			}
			if !seen[p.ID] {
				seen[p.ID] = true
				owners = append(owners, p)
			}
		}
	}
	if err := s.queue(&v, uid); err != nil {
		return nil, err
	}
	if err := s.lockWith(agents...); err != nil {
		return nil, err
	}
	if err := s.load(uid, owners...); err != nil {
		return nil, err
	}
	if err := s.wishesOf(owners); err != nil {
		return nil, err
	}
	for _, l := range turn {
		if len(l.local) > 0 {
			if err := s.meetIn(l.Body); err != nil {
				return nil, err
			}
		}
	}
	return queued, nil
}

// deliverArgs is the work of a "deliver" job: one message for local people who
// were too many for one transaction.
type deliverArgs struct {
	Method      itip.Method
	From        string
	Sender      int64
	To          []int64
	Body        []byte
	Significant bool
	Echo        bool `json:",omitempty"`
	Successor   bool `json:",omitempty"`
}

// overflow gathers local recipients beyond the bound, by message.
type overflow struct {
	order []*ics.Object
	args  map[*ics.Object]*deliverArgs
}

func (v *overflow) add(l *letter, p db.Principal) {
	a := v.args[l.Body]
	if a == nil {
		if v.args == nil {
			v.args = map[*ics.Object]*deliverArgs{}
		}
		a = &deliverArgs{Method: l.Method, From: l.From.String(), Sender: l.from.ID, Body: l.Body.Bytes(), Significant: l.Significant, Echo: l.Echo, Successor: l.Successor}
		v.args[l.Body] = a
		v.order = append(v.order, l.Body)
	}
	a.To = append(a.To, p.ID)
}

// queue makes jobs of what overflowed, each for as many recipients as one
// transaction takes.
func (s *sitting) queue(v *overflow, uid string) error {
	for _, body := range v.order {
		all := v.args[body].To
		for to := range slices.Chunk(all, s.d.opt.LocalInline) {
			args := *v.args[body]
			args.To = to
			if err := s.later(jobDeliver, uid, args.Sender, args); err != nil {
				return err
			}
		}
	}
	return nil
}

// bring delivers one letter. It returns the delivery status of its recipient
// and what is answered.
func (s *sitting) bring(l *letter) (status string, more []*letter, err error) {
	if err := s.noteRefusals(l); err != nil {
		return "", nil, err
	}
	if err := s.tellDelegators(l); err != nil {
		return "", nil, err
	}
	for _, p := range l.local {
		if p.ID == l.from.ID || l.Echo && p.Kind != db.Person {
			continue // a group that holds the sender himself; no room answers twice
		}
		st, answers, err := s.receive(l, p)
		if err != nil {
			return "", nil, err
		}
		more = append(more, answers...)
		if status == "" || l.direct {
			status = st
		}
	}
	for _, a := range l.external {
		if l.Echo {
			continue
		}
		st := s.post(l, a)
		if status == "" {
			status = st
		}
	}
	return status, more, nil
}

// receive lets a local recipient take a message in.
func (s *sitting) receive(l *letter, p db.Principal) (status string, more []*letter, err error) {
	h := s.holdings[thread{p.ID, l.UID}]
	if p.Kind == db.Person && s.wish(p.ID, directory.Participating) == "no" {
		if !l.Echo && h.obj == nil {
			s.mail(l, cuaddr.Mailto(p.Address), l.prior, true)
			return itip.StatusSent, nil, nil
		}
	}
	if !s.receivesInto(h, l.Body) {
		s.note(l, p, itip.StatusRejected, "has no calendar for invitations", "refused")
		return itip.StatusRejected, nil, nil
	}
	if ok, err := s.mayDeliver(l, p); err != nil {
		return "", nil, err
	} else if !ok {
		s.note(l, p, "schedule-deliver", "does not take this from the sender", "refused")
		return itip.StatusNoAuthority, nil, nil // RFC 6638 §6.1, §3.2.9
	}
	before := h.obj
	if no, err := s.usurped(h, ics.Organizer(l.Body.First())); err != nil {
		return "", nil, err
	} else if no && l.Method == itip.Request {
		s.note(l, p, itip.AllowedOrganizerReceived, "the organizer of his copy is here and has the meeting", "refused")
		return itip.StatusRejected, nil, nil // decision 7
	}
	out, err := s.ask(l, h)
	var no *itip.Refusal
	if errors.As(err, &no) {
		s.note(l, p, no.Precondition, no.Detail, "refused")
		return itip.StatusRejected, nil, nil // decision 14
	}
	if err != nil {
		return "", nil, err
	}
	if out.Ignored {
		s.note(l, p, out.Rule, "", "ignored")
		return itip.StatusDelivered, nil, nil
	}
	hears := s.heeds(p, l.Method, l.From, &out)
	s.listen(h, l.Message)
	h.take(out)
	if err := s.keep(h, out.Proposed); err != nil {
		return "", nil, err
	}
	if s.agent(p) && l.Method == itip.DeclineCounter {
		if err := s.tx.Release(p.ID, l.UID); err != nil {
			return "", nil, err
		}
	}
	if l.Method == itip.Reply && l.from.ID != 0 {
		s.heard[l.from.ID] = string(l.Method)
	}
	if out.Refresh && s.few(out.Object) {
		s.refresh(p.ID, l.UID)
	}
	known := before
	if l.Method == itip.Refresh {
		known = nil // he asks because he does not know it
	}
	more = letters(out.Messages, p, known, l.door, false)
	if s.agent(p) && out.Object != nil && (l.Method == itip.Request || l.Method == itip.Add) {
		answers, err := s.answer(h, before, out.Inbox)
		if err != nil {
			return "", nil, err
		}
		more = append(more, answers...)
	}
	if p.Kind == db.Person || l.Method == itip.Cancel && open(before, s.self(p, false)) {
		s.toInbox(p.ID, out.Inbox)
	}
	if copies := s.wantsCopy(p, l.Method); !l.quiet && !l.Echo && !s.toldAlready(l, l.To) && (copies || hears && !s.gathers(l, p)) {
		s.mail(l, cuaddr.Mailto(p.Address), before, true)
	}
	return itip.StatusDelivered, more, nil
}

// copiesAfter is how long somebody may be away from DAV before he gets mail
// (decision 5).
const copiesAfter = 30 * 24 * time.Hour

// wantsCopy reports whether a local person is told by mail what a calendar
// program would show him (decision 5). A COUNTER always is, because calendar
// programs ignore it (decision 26).
func (s *sitting) wantsCopy(p db.Principal, m itip.Method) bool {
	if p.Kind != db.Person {
		return false
	}
	switch m {
	case itip.Counter:
		return true
	case itip.Request, itip.Add, itip.Cancel, itip.Reply, itip.DeclineCounter:
	default:
		return false
	}
	switch p.MailCopies {
	case "always":
		return true
	case "never":
		return false
	}
	return p.Password == "" || s.now.Sub(p.LastDAV) > copiesAfter
}

// post sends a message to somebody outside. Those whom mail cannot reach, and
// unknown ones in a domain that the directory holds whole, are invalid
// calendar users (decision 1).
func (s *sitting) post(l *letter, to cuaddr.Address) string {
	if to.Mail() == "" || slices.Contains(s.d.opt.DomainsComplete, to.Domain()) {
		s.decide(db.Decision{
			Direction: "out", Door: l.door, UID: l.UID, Method: string(l.Method), Principal: l.from.ID,
			From: l.From.String(), To: to.String(), Rule: "no such calendar user", Outcome: "refused",
		})
		return itip.StatusInvalidUser
	}
	if !l.Besides && s.toldAlready(l, to) {
		s.decide(db.Decision{
			Direction: "out", Door: l.door, UID: l.UID, Method: string(l.Method), Principal: l.from.ID,
			From: l.From.String(), To: to.String(), Rule: "told by his own mail program", Outcome: "ignored",
		})
		return itip.StatusSent
	}
	var prior *ics.Object
	if l.prior != nil && l.Method != itip.Reply && s.roster(l.prior).named[l.To] {
		prior = l.prior
	}
	s.mail(l, to, prior, false)
	return itip.StatusSent
}

// mail queues one mail to one recipient.
func (s *sitting) mail(l *letter, to cuaddr.Address, prior *ics.Object, copy bool) {
	q := db.Delivery{
		UID: l.UID, Principal: l.from.ID, From: l.From.String(), Rcpt: to.String(), Method: string(l.Method),
		Body: s.explicit(l.Body).Bytes(), Scope: scope(l.Body), LocalCopy: copy,
	}
	q.Sequence, _ = strconv.ParseInt(strings.TrimSpace(l.Body.First().Value("SEQUENCE")), 10, 64)
	if prior != nil {
		q.Prior = prior.Bytes()
	}
	s.deliveries = append(s.deliveries, q)
	s.decide(db.Decision{
		Direction: "out", Door: l.door, UID: l.UID, Method: q.Method, Principal: l.from.ID, From: q.From, To: q.Rcpt,
		Rule: cmp.Or(l.rule, mailRule(copy)), Outcome: "queued",
	})
}

// explicit is a message as it is mailed, made once for all to whom it goes.
func (s *sitting) explicit(o *ics.Object) *ics.Object {
	if e, ok := s.explicits[o]; ok {
		return e
	}
	if s.explicits == nil {
		s.explicits = map[*ics.Object]*ics.Object{}
	}
	s.explicits[o] = itip.Explicit(o)
	return s.explicits[o]
}

func mailRule(copy bool) string {
	if copy {
		return "copy by mail: no calendar program seen lately"
	}
	return "not in the directory: by mail"
}

// scope names the instances that a message speaks of; messages of equal scope
// replace one another in the queue (STORAGE 28).
func scope(o *ics.Object) string {
	var ids []string
	for _, c := range o.Main() {
		ids = append(ids, string(o.RID(c)))
	}
	slices.Sort(ids)
	return strings.Join(ids, ",")
}

// note records what one local recipient did not take.
func (s *sitting) note(l *letter, p db.Principal, rule, detail, outcome string) {
	l.local = slices.DeleteFunc(slices.Clone(l.local), func(q db.Principal) bool { return q.ID == p.ID })
	s.decide(db.Decision{
		Direction: "local", Door: l.door, UID: l.UID, Method: string(l.Method), Principal: p.ID,
		From: l.From.String(), To: p.Address, Rule: rule, Detail: detail, Outcome: outcome,
	})
}

// recordLocal adds one decision for each message between people here, however
// many got it.
func (s *sitting) recordLocal(turn []*letter) {
	type key struct {
		body   *ics.Object
		method itip.Method
		from   int64
	}
	at := map[key]int{}
	for _, l := range turn {
		for _, p := range l.local {
			if p.ID == l.from.ID {
				continue
			}
			k := key{l.Body, l.Method, l.from.ID}
			if i, ok := at[k]; ok {
				x := &s.decisions[i]
				if len(x.To) < 2000 {
					x.To += " " + p.Address
				} else if !strings.HasSuffix(x.To, " ...") {
					x.To += " ..."
				}
				continue
			}
			at[k] = len(s.decisions)
			s.decide(db.Decision{
				Direction: "local", Door: l.door, UID: l.UID, Method: string(l.Method), Principal: l.from.ID,
				From: l.From.String(), To: p.Address, Rule: "delivered here", Outcome: "applied",
			})
		}
	}
}
