package scheduling

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
	"github.com/convene-server/convene/scheduling/policy"
)

// people is who the addresses of a conversation are, looked up together and
// remembered for one transaction. A failed look-up is remembered by the
// transaction itself, which refuses every later statement.
type people struct {
	tx     *db.Tx
	known  map[cuaddr.Address]*db.Principal // nil: nobody here
	seen   map[*ics.Object]bool
	groups map[int64]*membership
	lists  map[int64][]itip.Member

	site string // rules of rooms and resources that have none
	// sitePeople are those of people who have none.
	sitePeople string
	programs   []string         // by name, that rules may ask
	inherited  map[int64]string // rules that are not their own, by principal
	read       *rulebook        // rules that were read before; nil: none
}

// membership is who is behind a group.
type membership struct {
	local    []db.Principal
	external []cuaddr.Address
	ids      map[int64]bool
}

// meet looks up addresses that are not known yet, all at once.
func (p *people) meet(as ...cuaddr.Address) error {
	var missing []cuaddr.Address
	for _, a := range as {
		if _, ok := p.known[a]; ok || a.IsZero() {
			continue
		}
		if p.known == nil {
			p.known = map[cuaddr.Address]*db.Principal{}
		}
		p.known[a] = nil
		missing = append(missing, a)
	}
	if len(missing) == 0 {
		return nil
	}
	found, err := directory.LookupAll(p.tx, missing)
	if err != nil {
		for _, a := range missing {
			delete(p.known, a)
		}
		return err
	}
	for a, pr := range found {
		p.known[a] = &pr
	}
	return nil
}

// meetIn looks up everybody whom the objects name.
func (p *people) meetIn(objs ...*ics.Object) error {
	var as []cuaddr.Address
	for _, o := range objs {
		if o == nil || p.seen[o] {
			continue
		}
		if p.seen == nil {
			p.seen = map[*ics.Object]bool{}
		}
		p.seen[o] = true
		as = append(as, calendarUsers(o)...)
	}
	return p.meet(as...)
}

// calendarUsers returns the addresses in the ORGANIZER and ATTENDEE properties
// of an object.
func calendarUsers(o *ics.Object) []cuaddr.Address {
	var as []cuaddr.Address
	for _, c := range o.Main() {
		for i := range c.Props {
			if n := c.Props[i].Name; n == "ATTENDEE" || n == "ORGANIZER" {
				if a := ics.CalAddress(&c.Props[i]); !a.IsZero() {
					as = append(as, a)
				}
			}
		}
	}
	return as
}

// find returns whom an address names, nil if nobody here.
func (p *people) find(a cuaddr.Address) *db.Principal {
	if pr, ok := p.known[a]; ok || a.IsZero() {
		return pr
	}
	if err := p.meet(a); err != nil {
		return nil
	}
	return p.known[a]
}

// self recognises the addresses of a principal; with groups also those of the
// groups that hold him (decision 29).
func (p *people) self(me db.Principal, groups bool) func(cuaddr.Address) bool {
	return func(a cuaddr.Address) bool {
		pr := p.find(a)
		switch {
		case pr == nil:
			return false
		case pr.ID == me.ID:
			return true
		case groups && pr.Kind == db.Group:
			m, err := p.members(*pr)
			return err == nil && m.ids[me.ID]
		}
		return false
	}
}

// members expands a group once.
func (p *people) members(g db.Principal) (*membership, error) {
	if m, ok := p.groups[g.ID]; ok {
		return m, nil
	}
	local, external, err := directory.Expand(p.tx, g)
	if err != nil {
		return nil, err
	}
	m := &membership{local: local, external: external, ids: map[int64]bool{}}
	for _, pr := range local {
		m.ids[pr.ID] = true
	}
	if p.groups == nil {
		p.groups = map[int64]*membership{}
	}
	p.groups[g.ID] = m
	return m, nil
}

// inGroup returns who is in the group that an address names, as the core opens
// it up; nil for whatever is no group here.
func (p *people) inGroup(a cuaddr.Address) []itip.Member {
	g := p.find(a)
	if g == nil || g.Kind != db.Group {
		return nil
	}
	if l, ok := p.lists[g.ID]; ok {
		return l
	}
	m, err := p.members(*g)
	if err != nil {
		return nil // the transaction refuses every later statement
	}
	list := make([]itip.Member, 0, len(m.local)+len(m.external))
	for _, pr := range m.local {
		list = append(list, itip.Member{Address: cuaddr.Mailto(pr.Address), Name: pr.Name, Type: strings.ToUpper(string(pr.Kind))})
	}
	for _, a := range m.external {
		list = append(list, itip.Member{Address: a})
	}
	if p.lists == nil {
		p.lists = map[int64][]itip.Member{}
	}
	p.lists[g.ID] = list
	return list
}

// kind is the CUTYPE of a room or resource here, "" of everybody else.
func (p *people) kind(a cuaddr.Address) string {
	if pr := p.find(a); pr != nil && (pr.Kind == db.Room || pr.Kind == db.Resource) {
		return strings.ToUpper(string(pr.Kind))
	}
	return ""
}

// named is what somebody is called in the directory, which everybody here may
// look up; "" for people outside.
func (p *people) named(a cuaddr.Address) string {
	if pr := p.find(a); pr != nil {
		return pr.Name
	}
	return ""
}

// agent reports whether a principal answers by itself, so that its busy time
// is read under its lock (STORAGE 1).
func (p *people) agent(pr db.Principal) bool {
	return pr.Kind == db.Room || pr.Kind == db.Resource || pr.Kind == db.Person && strings.TrimSpace(pr.Policy+p.sitePeople) != ""
}

func (d *Desk) agent(pr db.Principal) bool {
	who := d.people(nil)
	return who.agent(pr)
}

// people is nobody yet, as a transaction finds them out.
func (d *Desk) people(tx *db.Tx) people {
	return people{tx: tx, site: d.opt.Policy, sitePeople: d.opt.PeoplePolicy, programs: d.opt.Programs, read: &d.rules}
}

// rulesText returns the rules of a principal as they are written: its own; a
// person without any has the site's for people; a room or resource those of a
// group that holds it, or else the site's.
func (p *people) rulesText(pr db.Principal) string {
	switch {
	case strings.TrimSpace(pr.Policy) != "":
		return pr.Policy
	case pr.Kind == db.Person:
		return p.sitePeople
	case pr.Kind != db.Room && pr.Kind != db.Resource:
		return pr.Policy
	}
	text, ok := p.inherited[pr.ID]
	if ok {
		return text
	}
	text, err := directory.Inherited(p.tx, pr)
	switch {
	case err != nil:
		text = never // the transaction refuses every later statement
	case text == "":
		text = p.site
	}
	if p.inherited == nil {
		p.inherited = map[int64]string{}
	}
	p.inherited[pr.ID] = text
	return text
}

const never = "accept_mode never"

// rules returns by which rules a principal answers. Rules that a newer release
// wrote and this one cannot read answer nothing for a person, and decline for a
// room.
func (p *people) rules(pr db.Principal) policy.Policy {
	pol, err := p.readRules(pr)
	switch {
	case err != nil && pr.Kind != db.Person:
		pol, _ = p.read.parse(never)
	case err != nil:
		return policy.Policy{}
	}
	return pol
}

// readRules reads the rules of a principal. Programs are asked for rooms and
// resources only, and only those that the configuration names.
func (p *people) readRules(pr db.Principal) (policy.Policy, error) {
	pol, err := p.read.parse(p.rulesText(pr))
	for _, x := range pol.Programs() {
		if pr.Kind == db.Person || !slices.Contains(p.programs, x.Name) {
			return pol, fmt.Errorf("policy: ask_program: there is no program %q here", x.Name)
		}
	}
	return pol, err
}

// byID puts people into the order in which their rows are locked and paged.
func byID(ps []db.Principal) {
	slices.SortFunc(ps, func(a, b db.Principal) int { return cmp.Compare(a.ID, b.ID) })
}
