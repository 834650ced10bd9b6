package scheduling

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// maxRounds bounds how often a transaction starts again because it turned out
// to need more locks; the set only grows (STORAGE 2).
const maxRounds = 5

// locks is what a transaction holds before it looks at anything.
type locks struct {
	uids   []string
	agents []int64 // whose busy time decides; those found out in an earlier round
	latch  []int64 // agents that will probably be needed: waited for without a connection
	fresh  bool    // the one conversation is probably new, until that is seen not to be so
}

func (l *locks) add(more locks) {
	l.uids = union(l.uids, more.uids)
	l.agents = union(l.agents, more.agents)
	l.latch = union(l.latch, more.agents)
}

func (l *locks) latches() []string {
	var keys []string
	for _, u := range l.uids {
		keys = append(keys, "thread:"+u)
	}
	for _, a := range l.latch {
		keys = append(keys, "agent:"+strconv.FormatInt(a, 10))
	}
	return keys
}

// lock locks the conversations.
func (l *locks) lock(tx *db.Tx) error {
	if l.fresh {
		l.fresh = false
		return tx.LockNew(l.uids[0])
	}
	return tx.LockThreads(l.uids...)
}

func union[T int64 | string](a, b []T) []T {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

// wider is returned by a round that needs more locks than it has: it is rolled
// back and begun anew with them.
type wider struct{ locks }

func (*wider) Error() string { return "scheduling: more locks are needed" }

// sitting is one transaction at the desk: what it has loaded and what it will
// write. Nothing is written before flush, so that a refusal leaves no trace.
type sitting struct {
	d    *Desk
	tx   *db.Tx
	now  time.Time
	want locks

	people
	locked   []int64 // agents
	holdings map[thread]*holding
	order    []*holding // in which they were loaded
	homes    map[int64]*home
	parsed   map[string]*ics.Object // by ETag

	inbox      []inboxItem
	deliveries []db.Delivery
	roundUps   []roundUp // added last
	jobs       []db.Job
	decisions  []db.Decision
	busy       []busyNews
	parted     []parting
	pending    map[thread][]itip.Proposal // of COUNTERs, as far as they were asked for
	proposed   []db.Proposal
	closed     []int64
	wishes     map[int64]map[string]string // preferences, as far as they were asked for
	said       map[thread]string           // what owners add to their answers, by the question
	elsewhere  map[thread]bool             // parts of rooms about which programs are asked
	heard      map[int64]string            // agents and others that answered the originator in this sitting

	once string // key of the decision that is being made; "": of one that may be made again

	by       db.Principal     // who acts for the user (decision 12); ID 0: nobody
	mailer   int64            // user whose mail program has told people already (decision 12)
	told     []cuaddr.Address // these
	forwards bool             // it was an answer: whom it delegates to, the program tells
	withdraw *withdrawal
	under    func(*db.Tx) error // asked when the collections are locked
	found    *db.Collection     // as a door has read it, before
	free     bool               // under held then

	assuming bool           // the first run: what usually holds is seen to hold when it is written
	assumed  *db.Collection // found, where nothing else was asked of it

	rosters  map[*ics.Object]*roster
	received map[receipt]itip.Outcome
	records  map[recordKey]db.Indexed

	explicits map[*ics.Object]*ics.Object

	heirs [][2]*holding // of what guests have for themselves: the second gets what the first has
}

// thread is one person's part in a conversation.
type thread struct {
	owner int64
	uid   string
}

// transact runs fn under the locks that it turns out to need, and writes what
// it decided. fn may run several times.
func (d *Desk) transact(ctx context.Context, l locks, fn func(*sitting) error) error {
	for range maxRounds {
		err := d.store.Write(ctx, l.latches(), func(tx *db.Tx) error {
			s := d.sit(tx, l)
			if err := l.lock(tx); err != nil {
				return err
			}
			if err := fn(s); err != nil {
				return err
			}
			return s.flush()
		})
		var more *wider
		if !errors.As(err, &more) {
			return err
		}
		l.add(more.locks)
	}
	return db.ErrConflict
}

func (d *Desk) sit(tx *db.Tx, l locks) *sitting {
	return &sitting{
		d: d, tx: tx, now: d.opt.Now(), want: l,
		people:   d.people(tx),
		holdings: map[thread]*holding{},
		parsed:   map[string]*ics.Object{},
		heard:    map[int64]string{},
		homes:    map[int64]*home{},
	}
}

// lockAgents locks those whose busy time decides an answer, before any of it
// is read (STORAGE 1, 2). One that is found later than the first starts the
// transaction anew, because locks are taken in ascending order only.
func (s *sitting) lockAgents(ids ...int64) error {
	var missing []int64
	for _, id := range ids {
		if !slices.Contains(s.locked, id) {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	all := union(union(s.locked, missing), s.want.agents)
	if len(s.locked) > 0 {
		return &wider{locks{agents: all}}
	}
	s.locked = all
	err := s.tx.LockAgents(all...)
	if errors.Is(err, db.ErrNotFound) {
		return fmt.Errorf("%w: a principal was removed", db.ErrConflict) // look again: the address is unknown now
	}
	return err
}

// lockDeciding locks those of them whose busy time decides answers (STORAGE 1).
func (s *sitting) lockDeciding(people ...db.Principal) error {
	var ids []int64
	for _, p := range people {
		if s.agent(p) {
			ids = append(ids, p.ID)
		}
	}
	return s.lockAgents(ids...)
}

// present reads somebody; false: he was removed meanwhile.
func (s *sitting) present(id int64) (p db.Principal, here bool, err error) {
	p, err = s.tx.Principal(id)
	if errors.Is(err, db.ErrNotFound) {
		return p, false, nil
	}
	return p, err == nil, err
}

// part loads somebody's part in a conversation that is locked, to change it: his
// busy time is locked before, if it decides answers.
func (s *sitting) part(owner db.Principal, uid string) (*holding, error) {
	if err := s.lockDeciding(owner); err != nil {
		return nil, err
	}
	if err := s.load(uid, owner); err != nil {
		return nil, err
	}
	return s.holdings[thread{owner.ID, uid}], nil
}

// roomsPart loads a room's part in the conversation of a job, to answer anew:
// all whose busy time that depends on are locked before. nil: it was removed.
func (s *sitting) roomsPart(j db.Job) (*holding, error) {
	room, here, err := s.present(j.Principal)
	if !here || err != nil {
		return nil, err
	}
	if err := s.lockWith(room); err != nil {
		return nil, err
	}
	if err := s.load(j.UID, room); err != nil {
		return nil, err
	}
	return s.holdings[thread{room.ID, j.UID}], nil
}

// drop forgets everything that would be written: the change is refused, only
// the decision about it remains.
func (s *sitting) drop() {
	s.order, s.inbox, s.deliveries, s.jobs, s.decisions, s.busy, s.parted = nil, nil, nil, nil, nil, nil, nil
	s.roundUps, s.heirs = nil, nil
	s.pending, s.proposed, s.closed = nil, nil, nil
	s.withdraw = nil
	clear(s.holdings)
}

// decide adds a row to the decision record.
func (s *sitting) decide(x db.Decision) { s.decisions = append(s.decisions, x) }

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// randomName names an object that no client named; nobody can have taken it.
func randomName() string { return randomHex(16) + ".ics" }
