package scheduling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
	"github.com/convene-server/convene/scheduling/policy"
)

// A room whose rules name programs of the site answers TENTATIVE what all other
// rules let pass, so that nobody else gets the time, and asks them in a job,
// outside of any transaction. What they say is applied in the job's
// transaction, under the room's lock, after all other rules were asked again.
const (
	jobProgram = "program" // ask the programs of a room about what waits for them
	jobBooked  = "booked"  // tell them what became of it
)

// What programs are asked.
const (
	Schedule = "schedule" // may it be? A verdict is expected
	Confirm  = "confirm"  // the booking stands so, whatever was told of its UID before
	Retract  = "retract"  // nothing of it is left
)

// Consulted is one question to a program, or what it is told.
type Consulted struct {
	Phase     string // Schedule, Confirm, Retract
	Program   policy.Program
	Room      string // mail address
	Organizer string // mail address
	Answer    string // PARTSTAT that the other rules would give
	Body      []byte // the room's copy, with the METHOD of a message
}

// ErrLater says that a program wants to be asked again.
var ErrLater = errors.New("scheduling: the program cannot say it now")

// maxPrograms bounds how many programs run at once on a node.
const maxPrograms = 4

// programArgs are those of both kinds of jobs.
type programArgs struct {
	Answer string `json:",omitempty"` // as in Consulted
	Was    []byte `json:",omitempty"` // the booking that is no more
}

// outside reports whether a kind of job waits for something that is not in the
// database.
func outside(kind string) bool { return kind == jobProgram || kind == jobBooked }

// consultPrograms does the part of such a job that must not be in a transaction;
// what it returns is the other part.
func (d *Desk) consultPrograms(ctx context.Context, j db.Job) (func(*sitting) error, error) {
	done := func(*sitting) error { return nil }
	var args programArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return nil, err
	}
	var q Consulted
	var ask []policy.Program
	var copied *ics.Object
	err := d.store.View(ctx, func(tx *db.Tx) error {
		q, ask, copied = Consulted{Answer: args.Answer}, nil, nil
		room, err := tx.Principal(j.Principal)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		who := d.people(tx)
		rows, err := tx.ObjectsByUID(j.UID, room.ID)
		if err != nil {
			return err
		}
		body := args.Was
		q.Phase, q.Room = Retract, room.Address
		if len(rows) > 0 {
			o, err := ics.Parse(rows[0].Body, storedLimits)
			if err != nil {
				return err
			}
			self := who.self(room, true)
			switch {
			case j.Kind == jobProgram && waits(o, self):
				q.Phase, body = Schedule, rows[0].Body
			case j.Kind == jobBooked && standing(o, self) != "":
				q.Phase, body = Confirm, rows[0].Body
			}
		}
		if q.Phase == Retract && j.Kind == jobProgram || len(body) == 0 {
			return nil // there is nothing to ask any more
		}
		ask = who.rules(room).Programs()
		copied, err = ics.Parse(body, storedLimits)
		return err
	})
	if err != nil || copied == nil {
		return done, err
	}
	q.Organizer = ics.Organizer(copied.First()).Mail()
	method := itip.Request
	if q.Phase == Retract {
		method = itip.Cancel
	}
	q.Body = itip.Shown(withMethod(copied, method).Bytes())
	v := policy.Verdict{Whole: "ACCEPTED"}
	for _, p := range ask {
		q.Program = p
		out, err := d.opt.Program(ctx, q)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && (q.Phase != Schedule || errors.Is(err, ErrLater) && j.Attempts < jobAttempts):
			return nil, fmt.Errorf("program %s: %w", p.Name, err)
		case q.Phase != Schedule:
			continue
		case err == nil:
			v, err = policy.ReadVerdict(p.Name, out)
		}
		if err != nil {
			err = fmt.Errorf("program %s: %w", p.Name, err)
			return func(s *sitting) error { return s.decidedByProgram(j, copied, v, err) }, nil
		}
		if !v.Passes() {
			break
		}
	}
	if q.Phase != Schedule {
		return done, nil
	}
	return func(s *sitting) error { return s.decidedByProgram(j, copied, v, nil) }, nil
}

// waits reports whether something of a room's copy is answered for the time
// being only.
func waits(o *ics.Object, self func(cuaddr.Address) bool) bool {
	return o != nil && slices.ContainsFunc(o.Main(), func(c *ics.Component) bool {
		me := ics.Attendee(c, self)
		return me != nil && ics.PartStat(me) == "TENTATIVE"
	})
}

// standing tells when a room's booking is that stands, "" for none.
func standing(o *ics.Object, self func(cuaddr.Address) bool) string {
	if o == nil {
		return ""
	}
	var b strings.Builder
	some := false
	for _, c := range o.Main() {
		me := ics.Attendee(c, self)
		has := me != nil && ics.PartStat(me) == "ACCEPTED" && !strings.EqualFold(c.Value("STATUS"), "CANCELLED")
		some = some || has
		b.WriteString(times(c))
		if !has {
			b.WriteString("not\n")
		}
	}
	if !some {
		return ""
	}
	return b.String()
}

// times are the lines of a component that say when it is.
func times(c *ics.Component) string {
	var b strings.Builder
	for _, n := range []string{"RECURRENCE-ID", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE"} {
		for _, p := range c.PropsNamed(n) {
			b.WriteString(n + ":" + p.Value + "\n")
		}
	}
	return b.String()
}

// schedule is when all of an object is.
func schedule(o *ics.Object) string {
	var b strings.Builder
	for _, c := range o.Main() {
		b.WriteString(times(c))
	}
	return b.String()
}

// tellPrograms queues that the programs of a room learn what became of a
// booking.
func (s *sitting) tellPrograms(h *holding, room func(cuaddr.Address) bool) error {
	if len(s.rules(h.owner).Programs()) == 0 {
		return nil
	}
	had, has := standing(h.was, room), standing(h.obj, room)
	switch {
	case had == has:
		return nil
	case has == "":
		// Before they are asked about another time, which they may have kept this
		// one from.
		if err := s.later(jobBooked, h.uid, h.owner.ID, programArgs{Was: h.was.Bytes()}); err != nil {
			return err
		}
		last := len(s.jobs) - 1
		s.jobs = slices.Insert(s.jobs[:last], 0, s.jobs[last])
		return nil
	}
	return s.later(jobBooked, h.uid, h.owner.ID, programArgs{})
}

// decidedByProgram lets a room answer as programs decided about the copy that
// they were shown; failed: none of them did, and it declines.
func (s *sitting) decidedByProgram(j db.Job, shown *ics.Object, v policy.Verdict, failed error) error {
	h, err := s.roomsPart(j)
	if h == nil || err != nil {
		return err
	}
	room := h.owner
	me, err := s.actor(h, true)
	if err != nil {
		return err
	}
	if err := s.meetIn(h.obj); err != nil {
		return err
	}
	if !waits(h.obj, me.Self) {
		return nil // called off, moved into what is taken, or decided by somebody
	}
	if schedule(h.obj) != schedule(shown) { // it was asked about another time
		s.jobs = append(s.jobs, db.Job{Kind: jobProgram, UID: j.UID, Principal: j.Principal, Args: j.Args})
		return nil
	}
	delete(s.inherited, room.ID)
	rules := s.rules(room)
	organizer := ics.Organizer(h.obj.First())
	decide := func(v policy.Verdict) (policy.Answer, error) {
		q := s.question(h, room, me, h.obj, organizer)
		q.Verdict = &v
		return rules.Decide(q)
	}
	var ans policy.Answer
	if failed == nil {
		if ans, err = decide(v); errors.Is(err, policy.ErrVerdict) {
			failed = fmt.Errorf("program %s: %w", v.By, err)
		} else if err != nil {
			return err
		}
	}
	if failed != nil {
		if ans, err = decide(policy.Verdict{By: v.By, Whole: "DECLINED"}); err != nil {
			return err
		}
		ans.Reason = policy.Reason{Text: "refused by its rules"}
	}
	reply, err := s.answerAnew(h, me, rules, ans)
	if err != nil || reply == nil {
		return err
	}
	if failed != nil {
		return s.tellKeepers(room, "program:"+s.now.UTC().Format("20060102"), "no program decided", failed, *reply)
	}
	return s.tellBroken(room, *reply)
}

// answerAnew answers what a room has answered for the time being, and returns the
// answer if it is another one now.
func (s *sitting) answerAnew(h *holding, me itip.Actor, rules policy.Policy, ans policy.Answer) (reply *itip.Message, err error) {
	if ans.Ask { // all but the owner have decided
		s.toInbox(h.owner.ID, rules.Keep(withMethod(h.obj, itip.Request)))
		if len(rules.Owners()) > 0 {
			if err := s.later(jobAsk, questionUID(h.owner.ID, h.uid), h.owner.ID, confirmArgs{UID: h.uid}); err != nil {
				return nil, err
			}
		}
	}
	var msgs []*letter
	after := answered(h.obj, me.Self, ans)
	if string(after.Bytes()) == string(h.obj.Bytes()) {
		s.decide(agentDecision(h, ans))
	} else {
		no := ans
		no.Counter = nil
		if msgs, err = s.say(h, me, no); err != nil {
			return nil, err
		}
		if len(msgs) > 0 {
			reply = &msgs[0].Message
			if ans.Tell {
				s.notify(h.owner, rules, *reply)
			}
		}
	}
	if ans.Counter != nil {
		if err := s.tx.Release(h.owner.ID, h.uid); err != nil {
			return nil, err
		}
		offer, err := s.offer(h, me, ans)
		if err != nil {
			return nil, err
		}
		msgs = append(msgs, offer...)
	}
	return reply, s.circulate(h, msgs)
}
