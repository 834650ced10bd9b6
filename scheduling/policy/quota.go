package policy

import (
	"errors"
	"slices"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
)

// checkQuota bounds what one organizer has booked ahead in all that share a
// quota. What this meeting had booked before does not count, so that it can be
// moved within the limit.
type checkQuota struct {
	name  string
	lines []allotment // the first that is about an organizer counts
}

// allotment is how much is for some together, or for everybody else alone.
type allotment struct {
	whose
	limit time.Duration // 0: none
}

func readCheckQuota(p *Policy, args []string) error {
	if len(args) < 2 {
		return errors.New("takes the name of a quota and a duration, or * for no limit")
	}
	var a allotment
	var err error
	if args[1] != "*" {
		if a.limit, err = duration(args[1]); err != nil {
			return err
		}
	}
	if a.whose, err = readWhose(args[2:]); err != nil {
		return err
	}
	if c := p.quota(args[0]); c != nil {
		c.lines = append(c.lines, a)
		return nil
	}
	p.quotas = append(p.quotas, args[0])
	p.conditions = append(p.conditions, &checkQuota{args[0], []allotment{a}})
	return nil
}

func (p Policy) quota(name string) *checkQuota {
	for _, c := range p.conditions {
		if q, ok := c.(*checkQuota); ok && q.name == name {
			return q
		}
	}
	return nil
}

// of returns what is for an organizer: a line that names him, wherever it
// stands, or else the one about everybody; nil without any.
func (c *checkQuota) of(organizer cuaddr.Address, is func(named, who cuaddr.Address) bool) *allotment {
	if i := slices.IndexFunc(c.lines, func(a allotment) bool { return a.has(organizer, is) }); i >= 0 {
		return &c.lines[i]
	}
	if i := slices.IndexFunc(c.lines, func(a allotment) bool { return a.everybody() }); i >= 0 {
		return &c.lines[i]
	}
	return nil
}

// together names those who have an allotment together, "" where each has his
// own.
func (a *allotment) together() string {
	switch {
	case len(a.who) > 0:
		return "together:" + a.who[0].Fold()
	case len(a.domains) > 0:
		return "together:" + a.domains[0]
	}
	return ""
}

// Together says with whom an organizer has a quota together, by a name that is
// the same for all of them; "" if he has it alone. means says whether an address
// of a rule is somebody, or a group that holds him.
func (p Policy) Together(quota string, organizer cuaddr.Address, means func(named, who cuaddr.Address) bool) string {
	c := p.quota(quota)
	if c == nil {
		return ""
	}
	a := c.of(organizer, func(named, who cuaddr.Address) bool { return is(means, named, who) })
	if a == nil {
		return ""
	}
	return a.together()
}

func (c *checkQuota) judge(in *inquiry) error {
	a := c.of(in.Organizer, in.is)
	if a == nil {
		in.refuseAll(Reason{Text: "nothing of it is allotted to this organizer"})
		return nil
	}
	if a.limit == 0 {
		return nil
	}
	if in.endless {
		in.refuseAll(Reason{Text: "a series needs an end"})
		return nil
	}
	used, err := in.Used(c.name, in.Organizer, a.together())
	if err != nil {
		return err
	}
	for _, o := range in.occ {
		if o.answer != declined && !o.transparent() {
			used += o.End.Sub(o.Start)
		}
	}
	if used > a.limit {
		if a.together() != "" {
			in.refuseAll(Reason{Text: "more than the %s that these organizers can book together", Args: []any{Length(a.limit)}})
		}
		in.refuseAll(Reason{Text: "more than the %s that one organizer can book", Args: []any{Length(a.limit)}})
	}
	return nil
}

// acrossQuota lets an organizer have one thing of a quota at a time.
type acrossQuota string

func (name acrossQuota) judge(in *inquiry) error {
	if len(in.asked) == 0 {
		return nil
	}
	from, to := in.span()
	spans, err := in.Reserved(string(name), in.Organizer, from, to)
	if err != nil {
		return err
	}
	c := newCalendar(spans)
	for _, o := range in.asked {
		if c.clash(o.Start, o.End, 1) {
			in.refuse(o, Reason{Text: "the organizer has another booking at that time"})
		}
	}
	return nil
}
