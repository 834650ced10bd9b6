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
	if l.most && slices.ContainsFunc(in.occ, func(o occasion) bool { return !o.asked && o.answer == delegated }) {
		// The rest is with somebody who cannot take these: nobody else gets the
		// whole for their sake.
		in.refuseAll(busyThen)
		return nil
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
	c := newCalendar(busy)
	for _, o := range in.asked {
		if o.answer == "" && !o.transparent() && c.clash(o.Start, o.End, 1) {
			n++
		}
	}
	return n, true, nil
}
