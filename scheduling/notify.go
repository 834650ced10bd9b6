package scheduling

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
	"github.com/convene-server/convene/scheduling/policy"
)

// notify mails those who are to be told what an agent did (ACT_..._AND_NOTIFY):
// the owners of a room or a resource, a person himself. No calendar program
// would show it to them, so somebody here gets it unless he wants no mail copies
// at all.
func (s *sitting) notify(p db.Principal, rules policy.Policy, msg itip.Message) {
	owners := rules.Owners()
	if p.Kind == db.Person {
		owners = []cuaddr.Address{cuaddr.Mailto(p.Address)}
	}
	s.tellOwners(p, owners, msg, true)
}

// tellOwners mails them, and those in groups among them; later: who wants that
// gets it in his round-up.
func (s *sitting) tellOwners(p db.Principal, owners []cuaddr.Address, msg itip.Message, later bool) {
	l := &letter{Message: msg, from: p, door: "agent", rule: "told as the rules say"}
	told := map[string]bool{}
	tell := func(a cuaddr.Address) {
		pr := s.find(a)
		if pr != nil && (pr.Kind != db.Person || pr.MailCopies == "never") {
			return
		}
		if pr != nil {
			a = cuaddr.Mailto(pr.Address)
		}
		if !told[a.Fold()] {
			told[a.Fold()] = true
			if later && pr != nil && s.gathers(l, *pr) {
				return
			}
			s.mail(l, a, nil, true)
		}
	}
	for _, o := range owners {
		tell(o)
		for _, m := range s.inGroup(o) {
			tell(m.Address)
		}
	}
}

// tellBroken tells once who looks after a room that its rules cannot be read, by
// the answer that it gives because of that: its owners as far as the rules name
// any, and the administrator.
func (s *sitting) tellBroken(p db.Principal, reply itip.Message) error {
	_, bad := s.readRules(p)
	if bad == nil || p.Kind == db.Person {
		return nil
	}
	return s.tellKeepers(p, "rules", "its rules cannot be read", bad, reply)
}

// tellKeepers tells them, once for each mark and text of the rules, that a room
// declined because something is wrong.
func (s *sitting) tellKeepers(p db.Principal, mark, rule string, bad error, reply itip.Message) error {
	text := s.rulesText(p)
	sum := sha256.Sum256([]byte(text))
	key := mark + ":" + strconv.FormatInt(p.ID, 10) + ":" + hex.EncodeToString(sum[:8])
	if _, err := s.tx.DecisionByKey(key); !errors.Is(err, db.ErrNotFound) {
		return err // told before
	}
	to := s.d.opt.Administrator
	if to == "" {
		to = "postmaster@" + cuaddr.Mailto(p.Address).Domain()
	}
	whom := []cuaddr.Address{cuaddr.Mailto(to)}
	for line := range strings.SplitSeq(text, "\n") {
		if one, err := s.read.parse(line); err == nil {
			whom = append(whom, one.Owners()...)
		}
	}
	root := reply.Body.Root().Clone()
	for _, c := range root.Children {
		if c.Name != "VTIMEZONE" {
			c.Set(ics.NewProp("COMMENT", ics.Escape("declines, because "+rule+": "+bad.Error())))
		}
	}
	reply.Body = ics.New(root)
	s.d.opt.Log.Error(rule, "principal", p.Address, "err", bad)
	s.decide(db.Decision{
		Direction: "agent", Door: "agent", UID: reply.UID, Principal: p.ID, From: p.Address, To: to,
		Rule: rule, Detail: bad.Error(), Outcome: "refused", Key: key,
	})
	s.tellOwners(p, whom, reply, false)
	return nil
}

// Owners returns who decides for a room or a resource, and gets mail for it that
// it cannot read, by the rules that it has or inherits.
func (d *Desk) Owners(ctx context.Context, p db.Principal) (owners []cuaddr.Address, err error) {
	err = d.store.View(ctx, func(tx *db.Tx) error {
		who := d.people(tx)
		owners = who.rules(p).Owners()
		return nil
	})
	return owners, err
}

// heeds obeys what the rules of a person say of a message that asks for no
// answer: whether what was called off goes out of his calendar
// (ACT_CANCEL_DELETE), and whether he is told of it by mail.
func (s *sitting) heeds(p db.Principal, method itip.Method, from cuaddr.Address, out *itip.Outcome) (tell bool) {
	if p.Kind != db.Person || !s.agent(p) || out.Object == nil {
		return false
	}
	kind := out.Object.Kind()
	switch method {
	case itip.Reply:
		tell = s.rules(p).Answered(kind, from, s.means).Notify
	case itip.Cancel:
		do := s.rules(p).CalledOff(kind, from, s.means)
		tell = do.Notify
		if do.Forget {
			itip.Free(itip.Actor{Self: s.self(p, false)}, out)
		}
	}
	return tell && p.MailCopies != "never"
}

// withMethod makes a message of an object, without some properties of its
// components.
func withMethod(o *ics.Object, m itip.Method, but ...string) *ics.Object {
	root := o.Root().Clone()
	root.Set(ics.NewProp("METHOD", string(m)))
	for _, c := range root.Children {
		c.Remove(but...)
	}
	return ics.New(root)
}

// stands lets a person's answer go out again to an organizer elsewhere who asks how
// things stand (RFC 5546 §3.2.2.7), unless it may still be on its way.
func (s *sitting) stands(p db.Principal, out *itip.Outcome) error {
	if len(out.Again) == 0 || p.Kind != db.Person {
		return nil
	}
	last, err := s.tx.LastSent(p.ID, out.Again[0].UID, string(itip.Reply))
	if err == nil && !s.now.Before(last.Add(itip.AgainAfter)) {
		out.Messages = append(out.Messages, out.Again...)
	}
	return err
}
