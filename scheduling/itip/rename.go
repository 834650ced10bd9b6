package itip

import (
	"slices"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Naming tells the new address of who had an old one; false for everybody else.
type Naming func(cuaddr.Address) (cuaddr.Address, bool)

// Respell writes new addresses into the lines of an object that name people. It
// reports whether anything changed.
func Respell(o *ics.Object, to Naming) (*ics.Object, bool) {
	s := newSeries(o, o.Root().Clone())
	s.respell(to)
	return s.object(), s.dirty
}

// respell reports whether the organizer has a new address.
func (s *series) respell(to Naming) (organizer bool) {
	for _, p := range s.parts {
		seen := map[string]bool{}
		twice := map[int]bool{}
		for i := range p.comp.Props {
			l := &p.comp.Props[i]
			if l.Name != "ATTENDEE" && l.Name != "ORGANIZER" {
				continue
			}
			line, changed := respelt(*l, to)
			if changed {
				organizer = organizer || l.Name == "ORGANIZER" && ics.CalAddress(&line) != ics.CalAddress(l)
				*l = line
				s.dirty = true
			}
			if l.Name != "ATTENDEE" {
				continue
			}
			if a := ics.CalAddress(l).Fold(); changed && seen[a] {
				twice[i] = true // he was invited under both
			} else {
				seen[a] = true
			}
		}
		if len(twice) > 0 {
			kept := p.comp.Props[:0:0]
			for i, l := range p.comp.Props {
				if !twice[i] {
					kept = append(kept, l)
				}
			}
			p.comp.Props = kept
		}
		p.moved()
	}
	return organizer
}

// respelt is one line with new addresses, in its value and in the parameters
// that name people (RFC 5545 §3.2, RFC 7986 §6.2).
func respelt(l ics.Prop, to Naming) (ics.Prop, bool) {
	changed := false
	if a, ok := to(ics.CalAddress(&l)); ok {
		l, changed = l.WithValue(a.String()), true
	}
	for _, name := range []string{"MEMBER", "DELEGATED-TO", "DELEGATED-FROM", "SENT-BY"} {
		values, hit := slices.Clone(l.ParamValues(name)), false
		for i, v := range values {
			if b, err := cuaddr.Parse(v); err == nil {
				if a, ok := to(b); ok {
					values[i], hit = a.String(), true
				}
			}
		}
		if hit {
			l, changed = l.WithParam(name, values...), true
		}
	}
	if v := l.Param("EMAIL"); v != "" {
		if a, ok := to(cuaddr.Mailto(v)); ok {
			l, changed = l.WithParam("EMAIL", a.Mail()), true
		}
	}
	return l, changed
}

// Rename makes of an organizer's object what it is when somebody in it has a new
// address. Where that is the organizer himself those outside must learn under
// which address the meeting goes on: REQUESTs with a new revision (RFC 5546
// §3.2.2.4), for whom outside says. Answers stand, those on their way too. changed is
// false where nobody in it has a new address.
func Rename(me Actor, o *ics.Object, to Naming, outside func(cuaddr.Address) bool) (after *ics.Object, msgs []Message, changed bool) {
	s := newSeries(o, o.Root().Clone())
	renamed := s.respell(to)
	if !s.dirty {
		return o, nil, false
	}
	if !renamed || me.past(o) || muted(s) {
		return s.object(), nil, true
	}
	var whom []cuaddr.Address
	for _, p := range s.parts {
		for _, a := range p.guests() {
			if s.listed(p, a) && outside(a) && !slices.Contains(whom, a) {
				whom = append(whom, a)
			}
		}
	}
	if len(whom) == 0 {
		return s.object(), nil, true
	}
	top := s.top()
	for _, p := range s.parts {
		me.keepCounting(p.comp, sequence(p.comp))
		setSequence(p.comp, top+1)
		p.moved()
	}
	after = ics.New(s.root)
	msgs = me.invite(after, whom...)
	for i := range msgs {
		msgs[i].Significant = false
	}
	return after, msgs, true
}

// RenameCopy makes of an attendee's copy what Rename made of the organizer's
// object.
func RenameCopy(o *ics.Object, to Naming, truth *ics.Object) (*ics.Object, bool) {
	s := newSeries(o, o.Root().Clone())
	if s.respell(to) {
		is := newSeries(truth, truth.Root())
		for _, p := range s.parts {
			if t := is.at(p.rid); t != nil && sequence(t.comp) > sequence(p.comp) {
				setSequence(p.comp, sequence(t.comp))
			}
		}
	}
	return s.object(), s.dirty
}
