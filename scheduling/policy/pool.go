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
}

func (p *Policy) addPool(args []string, self bool) error {
	as, err := addresses(args)
	if err == nil && len(as) == 0 {
		err = errors.New("takes addresses")
	}
	return then(err, func() {
		p.looks = true
		p.conditions = append(p.conditions, inPool{as, self})
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
	open, clashes := false, false
	for _, o := range in.asked {
		if o.answer == "" {
			open = true
			clashes = clashes || o.clash
		}
	}
	if !open {
		return nil
	}
	from, to, chosen := in.delegation()
	if from {
		l.members, l.self = nil, true
	}
	if l.self && !clashes {
		return nil
	}
	if slices.Contains(l.members, chosen) {
		ok, err := in.memberFree(chosen)
		if err != nil {
			return err
		}
		if ok { // it stays where it is, and answers by itself
			in.leave()
			return nil
		}
	}
	for _, m := range l.members {
		if m == chosen || in.Self(m) || slices.Contains(to, m) || slices.Contains(in.attendees(), m) {
			continue
		}
		ok, err := in.memberFree(m)
		if err != nil {
			return err
		}
		if ok {
			in.delegate = m
			return nil
		}
	}
	for _, o := range in.asked {
		if o.clash || !l.self {
			in.refuse(o, busyThen)
		}
	}
	return nil
}

// delegation returns whether what is asked came from another one by
// delegation, to whom it was passed on so far, and the last of them.
func (in *inquiry) delegation() (from bool, to []cuaddr.Address, last cuaddr.Address) {
	for _, c := range in.After.Main() {
		me := ics.Attendee(c, in.Self)
		if me == nil {
			continue
		}
		from = from || me.HasParam("DELEGATED-FROM")
		if ics.PartStat(me) != delegated {
			continue
		}
		for _, v := range me.ParamValues("DELEGATED-TO") {
			if a, err := cuaddr.Parse(v); err == nil {
				to, last = append(to, a), a
			}
		}
	}
	return from, to, last
}

// memberFree reports whether a member could take all that is asked for.
func (in *inquiry) memberFree(m cuaddr.Address) (bool, error) {
	busy, known, err := in.Member(m, in.times())
	if err != nil || !known {
		return false, err
	}
	c := newCalendar(busy)
	for _, o := range in.asked {
		if o.answer == "" && !o.transparent() && c.clash(o.Start, o.End, 1) {
			return false, nil
		}
	}
	return true, nil
}
