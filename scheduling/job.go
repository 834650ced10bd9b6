package scheduling

import (
	"context"
	"encoding/json"
	"errors"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// Kinds of jobs.
const (
	jobRefresh = "refresh" // tell local attendees what the others answered
	jobDeliver = "deliver" // a message for local people beyond Options.LocalInline
	jobRemove  = "remove"  // end a meeting whose calendar was deleted
	jobLapse   = "lapse"   // decline proposals whose instance has passed
	jobRecord  = "record"  // make the busy record of an object anew
)

const (
	jobLease    = 2 * time.Minute
	jobBatch    = 16
	jobAttempts = 12 // over about a day
)

// errLost says that another node has taken a job over.
var errLost = errors.New("scheduling: the claim of a job was lost")

// Work does queued jobs until ctx ends.
func (d *Desk) Work(ctx context.Context) {
	wake := d.store.Listen(ctx, "job")
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var outside sync.WaitGroup // what waits for programs holds up nothing else
	defer outside.Wait()
	for {
		n, err := d.work(ctx, outside.Go)
		if err != nil && ctx.Err() == nil {
			d.opt.Log.Error("jobs", "err", err)
		}
		if n > 0 && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-tick.C: // a wake-up is only a hint (STORAGE 26)
		}
	}
}

// WorkOnce does the jobs that are due now and returns how many; for tests and
// commands that must not leave work behind.
func (d *Desk) WorkOnce(ctx context.Context) (int, error) {
	return d.work(ctx, func(do func()) { do() })
}

// work does the jobs that are due and counts them. Those that wait for something
// outside are started, and may bring about others.
func (d *Desk) work(ctx context.Context, start func(do func())) (done int, err error) {
	for ctx.Err() == nil {
		var jobs []db.Job
		err := d.store.Write(ctx, nil, func(tx *db.Tx) (err error) {
			jobs, err = tx.ClaimJobs(jobBatch, jobLease)
			return err
		})
		if err != nil || len(jobs) == 0 {
			return done, err
		}
		for _, j := range jobs {
			done++
			if outside(j.Kind) {
				start(func() { d.doOutside(ctx, j) })
				continue
			}
			if err := d.do(ctx, j, func(s *sitting) error { return s.job(j) }); err != nil {
				return done, err
			}
		}
	}
	return done, ctx.Err()
}

// doOutside does one job that waits for a program. On a node that has run as many
// as it should for a while it is left for later.
func (d *Desk) doOutside(ctx context.Context, j db.Job) {
	fail := func(err error) {
		if err != nil && ctx.Err() == nil {
			d.opt.Log.Error("jobs", "err", err)
		}
	}
	soon, cancel := context.WithTimeout(ctx, jobLease/2)
	defer cancel()
	select {
	case d.runs <- struct{}{}:
		defer func() { <-d.runs }()
	case <-soon.Done():
		fail(d.store.Write(ctx, nil, func(tx *db.Tx) error {
			now, err := tx.Now()
			if err == nil {
				_, err = tx.PostponeJob(j.ID, j.Token, now.Add(time.Second))
			}
			return err
		}))
		return
	}
	rest, err := d.consultPrograms(ctx, j)
	if err != nil {
		rest = func(*sitting) error { return err }
	}
	fail(d.do(ctx, j, rest))
}

// do does one job in the transaction that removes it; what fails is tried
// again later, and given up with a word in the decision record.
func (d *Desk) do(ctx context.Context, j db.Job, work func(*sitting) error) error {
	err := d.attempt(ctx, j, work)
	if err == nil || errors.Is(err, errLost) {
		return nil
	}
	if errors.Is(err, db.ErrAway) || errors.Is(err, db.ErrFull) || ctx.Err() != nil {
		return err // nobody's fault: the lease ends by itself
	}
	d.opt.Log.Error("job", "kind", j.Kind, "uid", j.UID, "attempt", j.Attempts, "err", err)
	return d.store.Write(ctx, nil, func(tx *db.Tx) error {
		now, err2 := tx.Now()
		if err2 != nil {
			return err2
		}
		if j.Attempts < jobAttempts {
			_, err2 = tx.PostponeJob(j.ID, j.Token, now.Add(time.Second<<min(j.Attempts, 13)))
			return err2
		}
		if _, err2 = tx.FinishJob(j.ID, j.Token); err2 != nil {
			return err2
		}
		return tx.InsertDecision(&db.Decision{
			At: d.opt.Now(), Direction: "local", Door: "queue", UID: j.UID, Principal: j.Principal,
			Rule: j.Kind, Outcome: "given up", Detail: err.Error(),
		})
	})
}

// attempt does a job once. A fault of ours in it is an error of this job, and no
// reason to fall over with all the others, and again at each start.
func (d *Desk) attempt(ctx context.Context, j db.Job, work func(*sitting) error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			d.opt.Log.Error("a fault of this program, please report it", "job", j.Kind, "uid", j.UID, "fault", fault, "stack", string(debug.Stack()))
			err = errors.New("scheduling: a fault of this server")
		}
	}()
	return d.transact(ctx, locks{uids: []string{j.UID}}, func(s *sitting) error {
		ok, err := s.tx.FinishJob(j.ID, j.Token)
		if err != nil {
			return err
		}
		if !ok {
			return errLost
		}
		return work(s)
	})
}

// job does what a job is about.
func (s *sitting) job(j db.Job) error {
	switch j.Kind {
	case jobRefresh:
		return s.tellOthers(j)
	case jobDeliver:
		return s.deliverQueued(j)
	case jobRemove:
		return s.removed(j)
	case jobLapse:
		return s.lapse(j)
	case jobRecord:
		return s.recordAnew(j)
	case jobAsk:
		return s.askOwner(j)
	case jobArrive:
		return s.arrived(j)
	case jobDecided:
		return s.decidedByOwner(j)
	case jobRegroup:
		return s.regroup(j)
	case jobRename:
		return s.rename(j)
	case jobRenamed:
		return s.renamed(j)
	case jobMember:
		return s.regrouped(j)
	case jobListed:
		return s.listed(j)
	}
	return errors.New("scheduling: no such job: " + j.Kind)
}

// later queues a job with its arguments.
func (s *sitting) later(kind, uid string, principal int64, args any) error {
	raw, err := json.Marshal(args)
	if err == nil {
		s.jobs = append(s.jobs, db.Job{Kind: kind, UID: uid, Principal: principal, Args: raw})
	}
	return err
}

// pageOf returns who comes after a principal, in the order of their ids, as many
// as one transaction takes; more: there are others behind them.
func (s *sitting) pageOf(people []db.Principal, after int64) (page []db.Principal, more bool) {
	from := slices.IndexFunc(people, func(p db.Principal) bool { return p.ID > after })
	if from < 0 {
		return nil, false
	}
	page = people[from:]
	n := min(len(page), s.d.opt.LocalInline)
	return page[:n:n], n < len(page)
}

// refreshArgs continues a refresh of very many.
type refreshArgs struct{ After int64 }

// refresh queues that the other attendees learn of a PARTSTAT (RFC 6638
// §4.2). Many replies before it is done make one job.
func (s *sitting) refresh(organizer int64, uid string) {
	for _, j := range s.jobs {
		if j.Kind == jobRefresh && j.Principal == organizer && j.UID == uid {
			return
		}
	}
	s.jobs = append(s.jobs, db.Job{Kind: jobRefresh, UID: uid, Principal: organizer})
}

// few reports whether a meeting is so small that each answer is told to the
// others. In a larger one they learn how things stand when its organizer
// changes it: every answer would write every copy.
func (s *sitting) few(o *ics.Object) bool {
	for _, c := range o.Main() {
		if len(ics.Attendees(c)) > s.d.opt.TellOthers {
			return false
		}
	}
	return true
}

// someoneHere reports whether somebody here, beside the organizer, is on the list of
// a meeting whose people are met: for a list of people outside no job is worth
// its while.
func (s *sitting) someoneHere(o *ics.Object, organizer int64) bool {
	for _, c := range o.Main() {
		for _, a := range ics.Attendees(c) {
			if p := s.find(ics.CalAddress(a)); p != nil && p.ID != organizer {
				return true
			}
		}
	}
	return false
}

// tellOthers brings the PARTSTATs in the organizer's copy to the local
// attendees' copies: without mail, inbox item or new Schedule-Tag (RFC 6638
// §4.2, §3.2.10).
func (s *sitting) tellOthers(j db.Job) error {
	var args refreshArgs
	if len(j.Args) > 0 {
		if err := json.Unmarshal(j.Args, &args); err != nil {
			return err
		}
	}
	organizer, here, err := s.present(j.Principal)
	if !here || err != nil {
		return err
	}
	if err := s.load(j.UID, organizer); err != nil {
		return err
	}
	truth := s.holdings[thread{organizer.ID, j.UID}].obj
	if truth == nil {
		return nil
	}
	people, err := s.attendees(truth, organizer.ID)
	if err != nil {
		return err
	}
	page, more := s.pageOf(people, args.After)
	if more {
		if err := s.later(jobRefresh, j.UID, organizer.ID, refreshArgs{After: page[len(page)-1].ID}); err != nil {
			return err
		}
	}
	if err := s.lockDeciding(page...); err != nil {
		return err
	}
	if err := s.load(j.UID, page...); err != nil {
		return err
	}
	n := 0
	var given []*letter
	told := refreshed{truth: truth}
	for _, p := range page {
		h := s.holdings[thread{p.ID, j.UID}]
		if h.obj == nil {
			continue
		}
		o, err := s.participation(&told, h)
		if err != nil {
			return err
		}
		if o != h.obj {
			before := h.obj
			h.obj, h.changed = o, true
			h.newTag = h.newTag || !itip.SameShared(before, o, s.d.opt.SharedX) // RFC 6638 §3.2.10: more than answers
			n++
			if s.agent(p) && s.rules(p).Releases() {
				answers, err := s.answer(h, before, nil)
				if err != nil {
					return err
				}
				given = append(given, answers...)
			}
		}
	}
	if n > 0 {
		s.decide(db.Decision{
			Direction: "local", Door: "queue", UID: j.UID, Principal: organizer.ID, From: organizer.Address,
			Rule: "PARTSTAT told to the others", Outcome: "applied", Detail: plural(n, "copy"),
		})
	}
	return s.circulate(nil, given)
}

// attendees returns the people here whom an object invites, by id.
func (s *sitting) attendees(o *ics.Object, but int64) ([]db.Principal, error) {
	if err := s.meetIn(o); err != nil {
		return nil, err
	}
	seen := map[int64]bool{but: true}
	var out []db.Principal
	add := func(p db.Principal) {
		if !seen[p.ID] {
			seen[p.ID] = true
			out = append(out, p)
		}
	}
	for _, a := range calendarUsers(o) {
		p := s.find(a)
		if p == nil {
			continue
		}
		if p.Kind != db.Group {
			add(*p)
			continue
		}
		m, err := s.members(*p)
		if err != nil {
			return nil, err
		}
		for _, q := range m.local {
			add(q)
		}
	}
	byID(out)
	return out, nil
}

// deliverQueued brings a message to local people who were too many for the
// transaction in which it was made.
func (s *sitting) deliverQueued(j db.Job) error {
	var args deliverArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return err
	}
	body, err := ics.Parse(args.Body, storedLimits)
	if err != nil {
		return err
	}
	from, err := cuaddr.Parse(args.From)
	if err != nil {
		return err
	}
	sender, err := s.tx.Principal(args.Sender)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return err
	}
	var turn []*letter
	for _, id := range args.To {
		p, err := s.tx.Principal(id)
		if errors.Is(err, db.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		turn = append(turn, &letter{
			Message: itip.Message{
				Method: args.Method, UID: j.UID, From: from, To: cuaddr.Mailto(p.Address), Body: body, Significant: args.Significant, Echo: args.Echo, Successor: args.Successor,
			},
			from: sender, door: "queue",
		})
	}
	return s.circulate(nil, turn)
}

func plural(n int, one string) string {
	switch {
	case n == 1:
		return "1 " + one
	case one == "copy":
		return strconv.Itoa(n) + " copies"
	}
	return strconv.Itoa(n) + " " + one + "s"
}
