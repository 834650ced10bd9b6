package itip_test

import (
	"fmt"
	"maps"

	. "github.com/convene-server/convene/scheduling/itip"
)

// leaves removes somebody from the directory: what he organized is called off or
// goes to an heir, and the rest ends as if he had removed it (RFC 5546 §3.2.2.4). No
// mail is under way then: what comes for him afterwards reaches nobody. COPY is
// refused by the desk, of which the core knows nothing: TestTwoServers has it.
func (s *simulation) leaves(who *somebody, a act) {
	if who.home < 0 || who.room || who.removed {
		return
	}
	var heir *somebody
	for _, p := range s.people {
		if p.core == who.core && p != who && !p.room && !p.removed && p.home >= 0 && (heir == nil || a.A%2 == 1) {
			heir = p
		}
	}
	if a.A%4 == 0 {
		heir = nil
	}
	both := []*simulation{s}
	for _, of := range []*simulation{s.twin, s.later} {
		if of != nil {
			both = append(both, of)
		}
	}
	for _, of := range both {
		of.quiet()
	}
	s.clock()
	statement := "remove " + who.name
	if heir != nil {
		statement += " " + heir.name
		s.prefersAny()
	}
	s.acting = fmt.Sprint(who.name, " is removed; ", statement)
	done := s.log.begin(s.uid, who.core, s.now, statement, nil)
	name := ""
	if heir != nil {
		name = heir.name
	}
	for _, of := range both {
		of.acting, of.known, of.now = s.acting, s.known, s.now
		for _, p := range of.people {
			if p.name == who.name {
				p.silent, p.removed, p.cached = true, true, nil
			}
			if heir == nil || p.name != name {
				continue
			}
			if p.cached = nil; of.org.name == who.name {
				p.sequent, of.org = maps.Clone(of.org.sequent), p
			}
		}
	}
	err := who.core.Remove(who.name, name)
	for i := range who.core.script.People {
		if p := &who.core.script.People[i]; p.Name == who.name {
			p.Kind = "outside"
		}
	}
	done(false, err)
	for _, of := range both {
		of.after(who.core, err)
		of.quiet()
	}
}

// prefersAny lets everybody follow a new organizer, whoever that is.
func (s *simulation) prefersAny() {
	for _, p := range s.people {
		if key := p.name + " " + PreferReplacement; !p.removed && p.core.prefs[key] == "" {
			p.core.prefs[key] = "any"
			s.log.begin(s.uid, p.core, s.now, "prefer "+p.name+" "+PreferReplacement+" any", nil)(false, nil)
		}
	}
}
