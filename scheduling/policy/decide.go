package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

const (
	// Ahead is how far an endless series is looked at, or to the end of the
	// last booking if that is later (at most Farthest).
	Ahead    = 10 * 366 * 24 * time.Hour
	Farthest = 100 * 366 * 24 * time.Hour
)

// Question is one invitation, or a change of one, that asks for an answer.
type Question struct {
	// Before is the copy that was answered last, nil without one; After is the
	// copy as the organizer wants it now.
	Before, After *ics.Object
	Self          func(cuaddr.Address) bool
	Address       cuaddr.Address // the principal's own
	Organizer     cuaddr.Address
	// Unattended: nobody looks at what no rule decides, so it is declined. So
	// for rooms and resources, not for people.
	Unattended bool
	Capacity   int // how many people the room holds, 0 if nobody said

	Now      time.Time
	Floating *time.Location // also the clock that permitted times stand on
	Bound    ics.Bound

	// Busy returns what else is booked at some times, spans of one conversation
	// each (not merged) and this conversation left out; times that are held for
	// somebody are among them. Where nothing can be booked at all, a span is
	// ics.Unavailable.
	Busy func(ics.Wanted) ([]ics.Span, error)
	// Booked returns the end of the last booking that has an end and ends after
	// the given time; the zero time if there is none.
	Booked func(after time.Time) (time.Time, error)

	// What only some rules ask for; nil where no rule does.

	// Named reports whether an address of a rule means a calendar user by
	// another name, or as a group that holds him.
	Named func(named, who cuaddr.Address) bool
	// Used is what an organizer has booked ahead in all that share a quota, or
	// those who have it together with him, by that name (Policy.Together); this
	// conversation left out.
	Used func(quota string, organizer cuaddr.Address, together string) (time.Duration, error)
	// Reserved is when he has it, in a window.
	Reserved func(quota string, organizer cuaddr.Address, from, to time.Time) ([]ics.Span, error)
	// Others is the busy time of everybody else who is invited, as far as it is
	// known, this conversation left out.
	Others func(from, to time.Time) ([]ics.Span, error)
	// Member is the busy time of a member of the pool, this conversation left
	// out; known is false where it is nobody who answers by himself.
	Member func(m cuaddr.Address, at ics.Wanted) (busy []ics.Span, known bool, err error)
	// Would is what a member of the pool would answer by its own rules to all that
	// is asked; nil where all of them take whatever they are free for.
	Would func(m cuaddr.Address) (Answer, error)
	// Verdict is what the programs said (Policy.Programs) about what waits for
	// them, in Before as in After; nil: they are not asked yet.
	Verdict *Verdict
	// Holder names an organizer who has something booked at some time; "": nobody.
	Holder func(ics.Wanted) (string, error)
}

// inquiry is a question while the rules look at it.
type inquiry struct {
	Question
	policy     Policy
	conditions []condition

	occ     []occasion
	asked   []*occasion // of occ: what wants an answer
	endless bool

	busy   calendar
	loaded bool

	would map[cuaddr.Address]Answer // of members that were asked for

	open      bool // the owner decides about what conditions refuse
	waive     bool // so about what is refused now
	counter   *Counter
	delegate  cuaddr.Address
	ask, tell bool
	waits     string   // for programs: what would be answered without them
	other     *Counter // that one of them proposes
}

// occasion is one occurrence that takes place from now on.
type occasion struct {
	ics.Instance
	answer string // what stands or is decided now; "" undecided
	why    Reason
	asked  bool           // it was not answered at this time before
	left   bool           // nobody here answers it
	beyond Reason         // a condition that it breaks, about which the owner decides
	clash  bool           // with the busy time, at the limit last asked about
	to     cuaddr.Address // who takes it instead, of a pool
}

func (o *occasion) transparent() bool {
	return strings.EqualFold(o.Component.Value("TRANSP"), "TRANSPARENT")
}

// Decide answers every occurrence that begins or goes on after q.Now and was
// not answered before at the time at which it now is. What an organizer says
// about our PARTSTAT does not count: only Before does.
func (p Policy) Decide(q Question) (Answer, error) {
	if !p.Automatic() && !q.Unattended {
		return Answer{}, nil
	}
	in := &inquiry{Question: q, policy: p, conditions: p.conditions}
	if q.Unattended && !p.looks {
		in.conditions = append(slices.Clip(in.conditions), inFreeBusy{limit: 1})
	}
	if err := in.occasions(); err != nil {
		return Answer{}, err
	}
	if len(in.asked) == 0 && !p.Releases() {
		return Answer{}, nil
	}
	if in.After.Kind() == "VEVENT" { // a task asks for nobody's time
		in.open = q.Unattended && p.beyond != nil && (p.beyond.everybody() || p.beyond.has(q.Organizer, in.is))
		for _, c := range in.conditions {
			in.waive = in.open && waivable(c)
			if err := c.judge(in); err != nil {
				return Answer{}, err
			}
		}
		in.waive = false
		if slices.ContainsFunc(p.actions, func(a action) bool {
			return a.verb == acceptIfFree || a.verb == tentativeIfFree || a.verb == rejectIfConflict
		}) {
			if err := in.mark(1); err != nil {
				return Answer{}, err
			}
		}
	}
	refused := in.refusedAny()
	switch {
	case !in.delegate.IsZero() && !refused:
		return Answer{Delegate: in.delegate, Reason: passedOn(in.delegate)}, nil
	case !in.delegate.IsZero():
		in.refuseAll(busyThen)
	case in.counter != nil && !refused:
		return Answer{Counter: in.counter, Reason: Reason{Text: "would do at another time"}}, nil
	}
	in.act()
	if err := in.elsewhere(); err != nil {
		return Answer{}, err
	}
	in.together()
	if err := in.tellHolder(); err != nil {
		return Answer{}, err
	}
	a := collect(in.After, in.occ)
	a.Ask, a.Tell, a.Waits, a.Counter = in.ask, in.tell, in.waits, in.other
	a.Open = slices.ContainsFunc(in.asked, func(o *occasion) bool { return o.answer == "" })
	a.Reason = in.reason(a)
	return a, nil
}

// waivable reports whether an owner may let pass what a condition refuses: what is
// about who comes, and what keeps two bookings apart, stands.
func waivable(c condition) bool {
	switch c := c.(type) {
	case each:
		_, distance := c.timing.(buffer)
		return !distance
	case ahead, withinCapacity, endsSometime, single, *checkQuota:
		return true
	}
	return false
}

// tellHolder says who has the time that is refused, if the rules want that.
func (in *inquiry) tellHolder() error {
	if !in.policy.named || in.Holder == nil {
		return nil
	}
	for _, o := range in.asked {
		if o.answer != declined || o.why.Text != busyThen.Text {
			continue
		}
		who, err := in.Holder(ics.WantedIn(o.Start, o.End))
		if err != nil {
			return err
		}
		if who != "" {
			o.why = Reason{Text: "not free at that time, booked by %s", Args: []any{who}}
		}
		return nil // the first is what the answer tells
	}
	return nil
}

// refuse declines one occurrence; the first reason stays.
func (in *inquiry) refuse(o *occasion, why Reason) {
	if o.left || o.answer == declined {
		return
	}
	if in.waive {
		if o.beyond.Text == "" {
			o.beyond = why
		}
		return
	}
	o.asked, o.answer, o.why = true, declined, why
}

func (in *inquiry) refuseAll(why Reason) {
	for _, o := range in.asked {
		in.refuse(o, why)
	}
}

// leave leaves what is undecided to whom it was passed on.
func (in *inquiry) leave() {
	for _, o := range in.asked {
		o.left = o.left || o.answer == ""
	}
}

// set decides what is undecided.
func (in *inquiry) set(o *occasion, answer string, why Reason) {
	if o.answer == "" && !o.left {
		o.answer, o.why = answer, why
	}
}

func (in *inquiry) refusedAny() bool {
	return slices.ContainsFunc(in.asked, func(o *occasion) bool { return o.answer == declined })
}

// together refuses a whole series for the sake of some of its occurrences,
// where the rules want that.
func (in *inquiry) together() {
	n := 0
	var why Reason
	for _, o := range in.asked {
		if o.answer == declined {
			if n++; n == 1 {
				why = o.why
			}
		}
	}
	p := &in.policy
	few := (p.share == 0 || n*100 <= p.share*len(in.asked)) && (p.most == 0 || n <= p.most)
	if n == 0 || few && !p.whole {
		return
	}
	for i := range in.occ {
		in.refuse(&in.occ[i], why)
	}
}

// single returns the only occurrence that is asked for, if another time could
// be proposed for it: that of an event which does not recur, or one that is
// described by itself.
func (in *inquiry) single() *occasion {
	if len(in.asked) != 1 || in.asked[0].Component == in.After.Master() && in.After.Recurs() {
		return nil
	}
	return in.asked[0]
}

func (in *inquiry) zone() *time.Location {
	if in.Floating != nil {
		return in.Floating
	}
	return time.UTC
}

// reason tells the answer as a whole.
func (in *inquiry) reason(a Answer) Reason {
	if a.None() {
		return Reason{}
	}
	no, n := Reason{}, 0
	var yes Reason
	for i := range in.occ {
		switch o := &in.occ[i]; {
		case !o.asked:
		case o.answer == declined:
			if n++; n == 1 {
				no = o.why
			}
		case o.answer != "" && yes.Text == "":
			yes = o.why
		}
	}
	switch all := len(in.asked); {
	case n == 0:
		return yes
	case n < all:
		no.Some, no.All = n, all
	}
	return no
}

// occasions expands After from now on and finds what Before answered.
func (in *inquiry) occasions() error {
	if in.After.Kind() == "VTODO" {
		in.tasks()
		return nil
	}
	to, ends := in.After.Last(in.Floating, in.Bound)
	in.endless = !ends
	if !ends {
		start := in.Now
		to = start.Add(Ahead)
		last, err := in.Booked(to)
		if err != nil {
			return err
		}
		if far := start.Add(Farthest); last.After(far) {
			last = far
		}
		if last.After(to) {
			to = last
		}
	}
	to = to.Add(time.Second) // an occurrence without length may stand at the very end
	type answered struct {
		start, end time.Time
		partstat   string
	}
	before := map[ics.RID]answered{}
	if in.Before != nil {
		err := in.Before.Instances(in.Now, to, in.Floating, in.Bound, func(i ics.Instance) bool {
			if me := ics.Attendee(i.Component, in.Self); me != nil && !cancelled(i.Component) {
				before[i.RID] = answered{i.Start, i.End, ics.PartStat(me)}
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	err := in.After.Instances(in.Now, to, in.Floating, in.Bound, func(i ics.Instance) bool {
		me := ics.Attendee(i.Component, in.Self)
		if me == nil || cancelled(i.Component) {
			return true // not invited to this one
		}
		o := occasion{Instance: i, asked: true}
		now := ics.PartStat(me)
		if b, ok := before[i.RID]; ok && b.start.Equal(i.Start) && b.end.Equal(i.End) && b.partstat == now && now != needsAction {
			o.asked, o.answer = false, now
		}
		if in.Verdict != nil { // about what waits, and nothing else
			o.asked, o.answer, o.left = now == tentatively || now == needsAction, "", now == needsAction
			if !o.asked {
				o.answer = now
			}
		}
		in.occ = append(in.occ, o)
		return true
	})
	if err != nil {
		return err
	}
	slices.SortFunc(in.occ, func(a, b occasion) int { return a.Start.Compare(b.Start) })
	in.gather()
	return nil
}

// tasks finds what of a task is not answered; it has no time of its own.
func (in *inquiry) tasks() {
	for _, c := range in.After.Main() {
		if me := ics.Attendee(c, in.Self); me != nil && !cancelled(c) {
			in.occ = append(in.occ, occasion{
				Instance: ics.Instance{RID: in.After.RID(c), Component: c}, asked: ics.PartStat(me) == needsAction,
			})
		}
	}
	in.gather()
}

// gather gathers what is asked for.
func (in *inquiry) gather() {
	for i := range in.occ {
		if in.occ[i].asked {
			in.asked = append(in.asked, &in.occ[i])
		}
	}
}

func cancelled(c *ics.Component) bool { return strings.EqualFold(c.Value("STATUS"), "CANCELLED") }
