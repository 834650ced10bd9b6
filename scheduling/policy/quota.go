package policy

import (
	"errors"
	"time"
)

// checkQuota bounds what one organizer has booked ahead in all that share a
// quota. What this meeting had booked before does not count, so that it can be
// moved within the limit.
type checkQuota struct {
	name  string
	limit time.Duration // 0: none
}

func readCheckQuota(p *Policy, args []string) error {
	if len(args) != 2 {
		return errors.New("takes the name of a quota and a duration, or * for no limit")
	}
	q := checkQuota{name: args[0]}
	if args[1] != "*" {
		d, err := duration(args[1])
		if err != nil {
			return err
		}
		q.limit = d
	}
	p.quotas = append(p.quotas, q.name)
	p.conditions = append(p.conditions, q)
	return nil
}

func (c checkQuota) judge(in *inquiry) error {
	if c.limit == 0 {
		return nil
	}
	if in.endless {
		in.refuseAll(Reason{Text: "a series needs an end"})
		return nil
	}
	used, err := in.Used(c.name, in.Organizer)
	if err != nil {
		return err
	}
	for _, o := range in.occ {
		if o.answer != declined && !o.transparent() {
			used += o.End.Sub(o.Start)
		}
	}
	if used > c.limit {
		in.refuseAll(Reason{Text: "more than the %s that one organizer can book", Args: []any{Length(c.limit)}})
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
