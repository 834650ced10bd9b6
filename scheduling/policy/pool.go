package policy

import (
	"errors"
	"slices"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// inPool lets a free member of a pool take what this one cannot (RFC 5546
// §3.2.2.3). Who got it from somebody else does not pass it on.
type inPool struct {
	members []cuaddr.Address
	self    bool // this one is a member
	most    bool // where none is wholly free, the one with the fewest conflicts takes it
}

func (p *Policy) addPool(args []string, self bool) error {
	most := len(args) > 0 && args[0] == "most_available"
	if most {
		args = args[1:]
	}
	as, err := addresses(args)
	if err == nil && len(as) == 0 {
		err = errors.New("takes addresses")
	}
	return then(err, func() {
		p.looks = true
		p.conditions = append(p.conditions, inPool{as, self, most})
	})
}

// Members are those to whom a booking may be passed on.
func (p Policy) Members() []cuaddr.Address {
	var all []cuaddr.Address
	for _, c := range p.conditions {
		if l, ok := c.(inPool); ok {
			all = append(all, l.members...)
		}
	}
	return all
}

// StandsFor are those for whom an address stands that is none of them itself
// (pool); nil of all others.
func (p Policy) StandsFor() []cuaddr.Address {
	for _, c := range p.conditions {
		if l, ok := c.(inPool); ok && !l.self {
			return l.members
		}
	}
	return nil
}

func (l inPool) judge(in *inquiry) error {
	if err := in.mark(1); err != nil {
		return err
	}
	open, clashes := 0, 0
	for _, o := range in.asked {
		if o.answer == "" {
			open++
			if o.clash {
				clashes++
			}
		}
	}
	if open == 0 {
		return nil
	}
	from, to, chosen, anew := in.delegation()
	if from {
		l.members, l.self = nil, true
	}
	if l.self && clashes == 0 {
		return nil
	}
	if !from && in.parts() {
		return l.each(in)
	}
	if slices.Contains(l.members, chosen) {
		n, known, err := in.memberClashes(chosen)
		if err != nil {
			return err
		}
		if known && (n == 0 || l.most && n < open) { // it stays where it is, and answers by itself
			if anew {
				in.delegate = chosen
			} else {
				in.leave()
			}
			return nil
		}
	}
	best, fewest := cuaddr.Address{}, open // whoever could take nothing of it is no help
	if l.self {
		fewest = clashes
	}
	for _, m := range l.members {
		if m == chosen || in.Self(m) || slices.Contains(to, m) || slices.Contains(in.attendees(), m) {
			continue
		}
		n, known, err := in.memberClashes(m)
		if err != nil {
			return err
		}
		switch {
		case known && n == 0:
			in.delegate = m
			return nil
		case known && l.most && n < fewest:
			best, fewest = m, n
		}
	}
	if !best.IsZero() {
		in.delegate = best
		return nil
	}
	for _, o := range in.asked {
		if o.clash || !l.self {
			in.refuse(o, busyThen)
		}
	}
	return nil
}

// parts reports whether only occurrences that are described by themselves are
// asked for, and the rest of the series is with a member that has it.
func (in *inquiry) parts() bool {
	rest := false
	for i := range in.occ {
		o := &in.occ[i]
		switch {
		case o.asked && o.Component == in.After.Master():
			return false
		case !o.asked && o.answer == delegated:
			rest = true
		}
	}
	return rest
}

// each gives every such occurrence to a member that is free then: to the one that
// has it, or else to the first that is and is not in it yet. The rest stays where
// it is, and what nobody can take is declined.
func (l inPool) each(in *inquiry) error {
	for _, o := range in.asked {
		if o.answer != "" || o.left || l.self && !o.clash {
			continue
		}
		has, anew := in.delegateIn(o.Component)
		candidates := l.members
		if slices.Contains(l.members, has) {
			candidates = append([]cuaddr.Address{has}, l.members...)
		}
		to := cuaddr.Address{}
		for _, m := range candidates {
			if in.Self(m) || m != has && ics.Attendee(o.Component, named(m)) != nil {
				continue
			}
			free, err := in.memberFree(m, o)
			if err != nil {
				return err
			}
			if free {
				to = m
				break
			}
		}
		switch {
		case to.IsZero():
			in.refuse(o, busyThen)
		case to == has && !anew:
			o.left = true // it answers by itself
		default:
			o.to, o.answer, o.why = to, delegated, passedOn(to)
		}
	}
	return nil
}

func passedOn(to cuaddr.Address) Reason {
	return Reason{Text: "not free, passed on to %s", Args: []any{to.Mail()}}
}

// delegateIn returns to whom one component was passed on, and whether that is to be
// said anew.
func (in *inquiry) delegateIn(c *ics.Component) (has cuaddr.Address, anew bool) {
	me := ics.Attendee(c, in.Self)
	if me == nil {
		return has, false
	}
	stands := ics.PartStat(me) == delegated
	for _, v := range me.ParamValues("DELEGATED-TO") {
		if a, err := cuaddr.Parse(v); err == nil && (stands || ics.Attendee(c, named(a)) != nil) {
			has = a
		}
	}
	return has, !stands
}

// named recognises an address, whatever the case of its letters.
func named(who cuaddr.Address) func(cuaddr.Address) bool {
	return func(a cuaddr.Address) bool { return a.Fold() == who.Fold() }
}

// memberFree reports whether a member could take one occurrence.
func (in *inquiry) memberFree(m cuaddr.Address, o *occasion) (bool, error) {
	busy, known, err := in.Member(m, ics.WantedIn(o.Start, o.End))
	if err != nil || !known || !o.transparent() && newCalendar(busy).clash(o.Start, o.End, 1) {
		return false, err
	}
	says, err := in.wouldSay(m)
	return !says.declines(o.RID), err
}

// wouldSay is what a member would answer by its own rules: who would refuse it by
// them is not asked, so that nobody is sent who does not come.
func (in *inquiry) wouldSay(m cuaddr.Address) (Answer, error) {
	if in.Would == nil {
		return Answer{}, nil
	}
	if a, ok := in.would[m]; ok {
		return a, nil
	}
	a, err := in.Would(m)
	if in.would == nil {
		in.would = map[cuaddr.Address]Answer{}
	}
	in.would[m] = a
	return a, err
}

// delegation returns whether what is asked came from another one by
// delegation, to whom it was passed on so far, the last of them, and whether that
// is to be said anew: who moves a meeting asks everybody again, and leaves in it
// who has it (RFC 5546 §3.2.2.1).
func (in *inquiry) delegation() (from bool, to []cuaddr.Address, last cuaddr.Address, anew bool) {
	refused := false
	for _, c := range in.After.Main() {
		me := ics.Attendee(c, in.Self)
		if me == nil {
			continue
		}
		from = from || me.HasParam("DELEGATED-FROM")
		refused = refused || ics.PartStat(me) == declined
		stands := ics.PartStat(me) == delegated
		if !stands && ics.PartStat(me) != needsAction {
			continue
		}
		for _, v := range me.ParamValues("DELEGATED-TO") {
			if a, err := cuaddr.Parse(v); err == nil && (stands || slices.Contains(in.attendees(), a)) {
				to, last, anew = append(to, a), a, anew || !stands
			}
		}
	}
	return from, to, last, anew && !refused
}

// memberClashes counts what of all that is asked for a member could not take.
func (in *inquiry) memberClashes(m cuaddr.Address) (n int, known bool, err error) {
	busy, known, err := in.Member(m, in.times())
	if err != nil || !known {
		return 0, false, err
	}
	c, open := newCalendar(busy), 0
	for _, o := range in.asked {
		if o.answer != "" {
			continue
		}
		open++
		if !o.transparent() && c.clash(o.Start, o.End, 1) {
			n++
		}
	}
	if n == open {
		return n, true, nil
	}
	says, err := in.wouldSay(m)
	for _, o := range in.asked {
		if o.answer == "" && (o.transparent() || !c.clash(o.Start, o.End, 1)) && says.declines(o.RID) {
			n++
		}
	}
	return n, true, err
}
