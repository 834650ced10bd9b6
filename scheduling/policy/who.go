package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// sameDomain lets only organizers come whose address has the domain that this
// principal's own has.
type sameDomain struct{}

func (sameDomain) judge(in *inquiry) error {
	if in.Organizer.Domain() == "" || in.Organizer.Domain() != in.Address.Domain() {
		in.refuseAll(Reason{Text: "only for organizers of %s", Args: []any{in.Address.Domain()}})
	}
	return nil
}

// access is an access_control_list: the last line that names somebody who is
// there decides; a line without a name is about everybody whom no line names,
// wherever it stands. Without such a line those are treated in the way that
// the first line is not.
type access struct{ lines []accessLine }

type accessLine struct {
	accept bool
	whom   string // organizer, attendee, or "": everybody else
	who    []cuaddr.Address
}

func (a access) some() bool { return len(a.lines) > 0 }

func (a *access) add(args []string) error {
	if len(args) == 0 {
		return errors.New("takes accept or decline")
	}
	var l accessLine
	switch strings.ToLower(args[0]) {
	case "accept":
		l.accept = true
	case "decline", "reject":
	default:
		return fmt.Errorf("takes accept or decline, not %q", args[0])
	}
	if len(args) > 1 {
		switch strings.ToLower(args[1]) {
		case "organizer", "organiser":
			l.whom = "organizer"
		case "attendee", "attendees":
			l.whom = "attendee"
		default:
			return fmt.Errorf("takes organizer or attendee, not %q", args[1])
		}
		if len(args) == 2 {
			return fmt.Errorf("takes an address after %s", args[1])
		}
		var err error
		if l.who, err = addresses(args[2:]); err != nil {
			return err
		}
	}
	a.lines = append(a.lines, l)
	return nil
}

func (a access) judge(in *inquiry) error {
	accept := !a.lines[0].accept
	for _, l := range a.lines {
		if l.whom == "" {
			accept = l.accept
		}
	}
	for _, l := range a.lines {
		ok := false
		switch l.whom {
		case "organizer":
			ok = slices.ContainsFunc(l.who, func(w cuaddr.Address) bool { return in.is(w, in.Organizer) })
		case "attendee":
			ok = slices.ContainsFunc(in.attendees(), func(a cuaddr.Address) bool {
				return slices.ContainsFunc(l.who, func(w cuaddr.Address) bool { return in.is(w, a) })
			})
		}
		if ok {
			accept = l.accept
		}
	}
	if !accept {
		in.refuseAll(Reason{Text: "not open to these people"})
	}
	return nil
}

// whose are the organizers whom a rule is about: people, groups, and everybody
// of a domain.
type whose struct {
	who     []cuaddr.Address
	domains []string
}

func readWhose(args []string) (w whose, err error) {
	for _, s := range args {
		if !strings.Contains(s, "@") {
			w.domains = append(w.domains, strings.ToLower(strings.TrimPrefix(s, ".")))
			continue
		}
		as, err := addresses([]string{s})
		if err != nil {
			return whose{}, err
		}
		w.who = append(w.who, as...)
	}
	return w, nil
}

// everybody: none is named.
func (w whose) everybody() bool { return len(w.who)+len(w.domains) == 0 }

func (w whose) has(organizer cuaddr.Address, is func(named, who cuaddr.Address) bool) bool {
	return slices.ContainsFunc(w.domains, func(d string) bool { return within(organizer.Domain(), d) }) ||
		slices.ContainsFunc(w.who, func(a cuaddr.Address) bool { return is(a, organizer) })
}

// mayBook lets only some organizers come.
type mayBook struct{ whose }

func readMayBook(p *Policy, args []string) error {
	w, err := readWhose(args)
	if err == nil && w.everybody() {
		err = errors.New("takes addresses or domains")
	}
	return then(err, func() { p.conditions = append(p.conditions, mayBook{w}) })
}

func (m mayBook) judge(in *inquiry) error {
	if !m.has(in.Organizer, in.is) {
		in.refuseAll(Reason{Text: "not open to this organizer"})
	}
	return nil
}

// within reports whether a domain is another or lies in it; "badexample.org"
// does not lie in "example.org".
func within(domain, in string) bool {
	return domain != "" && (domain == in || strings.HasSuffix(domain, "."+in))
}

// is reports whether an address of a rule means a calendar user: it names him,
// or a group that holds him.
func (in *inquiry) is(named, who cuaddr.Address) bool { return is(in.Named, named, who) }

func is(means func(named, who cuaddr.Address) bool, named, who cuaddr.Address) bool {
	return named == who || named.Fold() == who.Fold() || means != nil && means(named, who)
}

// attendees returns everybody else who is invited to something of it.
func (in *inquiry) attendees() []cuaddr.Address {
	var all []cuaddr.Address
	for _, c := range in.After.Main() {
		for _, a := range ics.Attendees(c) {
			if who := ics.CalAddress(a); !in.Self(who) && !slices.Contains(all, who) {
				all = append(all, who)
			}
		}
	}
	return all
}

// withinCapacity refuses what more people are invited to than the given
// number, or than the room holds where it is zero.
type withinCapacity int

func (n withinCapacity) judge(in *inquiry) error {
	most := int(n)
	if most == 0 {
		most = in.Capacity
	}
	if most == 0 {
		return nil // nobody said how many it holds
	}
	for _, o := range in.asked {
		if have := in.people(o.Component); have > most {
			in.refuse(o, Reason{Text: "for %d people at most, %d are invited", Args: []any{most, have}})
		}
	}
	return nil
}

// people counts who is to be in the room: those invited who have not declined,
// and the organizer; rooms and resources take no seat.
func (in *inquiry) people(c *ics.Component) int {
	n, organizer := 0, false
	for _, a := range ics.Attendees(c) {
		who := ics.CalAddress(a)
		organizer = organizer || who == in.Organizer
		switch strings.ToUpper(a.Param("CUTYPE")) {
		case "ROOM", "RESOURCE", "GROUP":
			continue
		}
		if s := ics.PartStat(a); in.Self(who) || s == declined || s == delegated {
			continue
		}
		n++
	}
	if !organizer {
		n++
	}
	return n
}

// autoRelease gives a booking back once everybody invited, other than rooms
// and resources, has declined. The organizer, whom programs list among the
// attendees, invited nobody by that.
type autoRelease struct{}

// Releases reports whether a booking may be given back by what others answer.
func (p Policy) Releases() bool {
	for _, c := range p.conditions {
		if _, ok := c.(autoRelease); ok {
			return true
		}
	}
	return false
}

func (autoRelease) judge(in *inquiry) error {
	for i := range in.occ {
		if o := &in.occ[i]; in.deserted(o.Component) {
			in.refuse(o, Reason{Text: "everybody has declined"})
		}
	}
	return nil
}

func (in *inquiry) deserted(c *ics.Component) bool {
	invited := false
	for _, a := range ics.Attendees(c) {
		switch strings.ToUpper(a.Param("CUTYPE")) {
		case "ROOM", "RESOURCE":
			continue
		}
		if who := ics.CalAddress(a); in.Self(who) || who == ics.Organizer(c) {
			continue
		}
		if ics.PartStat(a) != declined {
			return false
		}
		invited = true
	}
	return invited
}
