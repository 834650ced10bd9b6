package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
)

// ErrUnknown: the directory does not hold the address.
var ErrUnknown = errors.New("directory: unknown")

// ErrAddress: not a mail address that somebody here can have.
var ErrAddress = errors.New("directory: not a mail address")

// names returns under which names the directory may hold an address: first the
// address itself, then without its plus-tag, then as any address of its domain.
func names(a cuaddr.Address) []string {
	if path := a.Path(); path != "" {
		_, last, ok := strings.Cut(path, "/principals/")
		last = strings.TrimSuffix(last, "/")
		if !ok || last == "" || strings.Contains(last, "/") {
			return nil
		}
		if a = cuaddr.Mailto(last); a.IsZero() {
			return nil
		}
		return []string{a.Fold()[len("mailto:"):]} // a URL has no tags
	}
	if a.IsZero() {
		return nil
	}
	name, mail := strings.CutPrefix(a.Fold(), "mailto:")
	if !mail {
		return []string{name}
	}
	if base, ok := untagged(name); ok {
		return []string{name, base, "@" + a.Domain()}
	}
	return []string{name, "@" + a.Domain()}
}

// untagged takes "ann@example.org" from "ann+lists@example.org".
func untagged(name string) (string, bool) {
	at := strings.LastIndexByte(name, '@')
	plus := strings.IndexByte(name, '+')
	if plus <= 0 || plus > at {
		return "", false
	}
	return name[:plus] + name[at:], true
}

// Lookup finds whom an address names: primary address, alias, plus-tag of
// either, urn:uuid: and principal URL; and who has every other address of its
// domain. ErrUnknown if nobody here. Inside a
// transaction it uses that transaction only.
func Lookup(tx *db.Tx, a cuaddr.Address) (db.Principal, error) {
	found, err := LookupAll(tx, []cuaddr.Address{a})
	if err != nil {
		return db.Principal{}, err
	}
	p, ok := found[a]
	if !ok {
		return p, ErrUnknown
	}
	return p, nil
}

// LookupAll does so for many addresses with few statements; unknown ones are
// left out.
func LookupAll(tx *db.Tx, as []cuaddr.Address) (map[cuaddr.Address]db.Principal, error) {
	var all []string
	seen := make(map[string]bool)
	for _, a := range as {
		for _, n := range names(a) {
			if !seen[n] {
				seen[n] = true
				all = append(all, n)
			}
		}
	}
	byName, err := tx.PrincipalsByAddress(all)
	if err != nil {
		return nil, err
	}
	found := make(map[cuaddr.Address]db.Principal, len(as))
	for _, a := range as {
		for _, n := range names(a) {
			if p, ok := byName[n]; ok {
				found[a] = p
				break
			}
		}
	}
	return found, nil
}

// Self returns a function that recognises all addresses of a principal: every
// spelling that Lookup resolves to it, but for addresses that are its own only
// because nobody else has them. groups adds the addresses of the groups
// that hold it, directly or through others (decision 29).
func Self(tx *db.Tx, p db.Principal, groups bool) (func(cuaddr.Address) bool, error) {
	all, err := SelfAll(tx, []db.Principal{p}, groups)
	return all[p.ID], err
}

// SelfAll is Self for many principals, by id, with few statements.
func SelfAll(tx *db.Tx, ps []db.Principal, groups bool) (map[int64]func(cuaddr.Address) bool, error) {
	ids := make([]int64, len(ps))
	holds := make(map[int64][]int64, len(ps)) // principal and its groups
	for i, p := range ps {
		ids[i] = p.ID
		holds[p.ID] = []int64{p.ID}
	}
	if groups {
		for _, p := range ps {
			up, err := groupsAbove(tx, p.ID)
			if err != nil {
				return nil, err
			}
			holds[p.ID] = append(holds[p.ID], up...)
			ids = append(ids, up...)
		}
	}
	addresses, err := tx.AddressesOf(ids)
	if err != nil {
		return nil, err
	}
	tagged, err := tx.TaggedAddresses()
	if err != nil {
		return nil, err
	}
	all := make(map[int64]func(cuaddr.Address) bool, len(ps))
	for _, p := range ps {
		mine := make(map[string]bool)
		for _, id := range holds[p.ID] {
			for _, a := range addresses[id] {
				mine[strings.ToLower(a)] = true
			}
		}
		all[p.ID] = func(a cuaddr.Address) bool {
			for _, n := range names(a) {
				if mine[n] {
					return true
				}
				if tagged[n] != 0 { // held by somebody in its own right
					return false
				}
			}
			return false
		}
	}
	return all, nil
}

// Above returns the groups that hold a principal, directly or through others.
func Above(tx *db.Tx, p db.Principal) ([]db.Principal, error) {
	ids, err := groupsAbove(tx, p.ID)
	if err != nil {
		return nil, err
	}
	var all []db.Principal
	for _, id := range ids {
		g, err := tx.Principal(id)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}

// depth bounds how far groups lie in groups.
const depth = 16

func groupsAbove(tx *db.Tx, id int64) ([]int64, error) {
	seen := map[int64]bool{id: true}
	var all []int64
	level := []int64{id}
	for range depth {
		var next []int64
		for _, at := range level {
			gs, err := tx.GroupsOf(at)
			if err != nil {
				return nil, err
			}
			for _, g := range gs {
				if !seen[g.ID] {
					seen[g.ID] = true
					next = append(next, g.ID)
				}
			}
		}
		if len(next) == 0 {
			break
		}
		all = append(all, next...)
		level = next
	}
	return all, nil
}

// Inherited returns the rules by which a principal without any of its own
// answers: those of the nearest group that holds it and has some, the first by
// address among equally near ones. "" without such a group.
func Inherited(tx *db.Tx, p db.Principal) (string, error) {
	seen := map[int64]bool{p.ID: true}
	level := []int64{p.ID}
	for range depth {
		var next []db.Principal
		for _, at := range level {
			gs, err := tx.GroupsOf(at)
			if err != nil {
				return "", err
			}
			for _, g := range gs {
				if !seen[g.ID] {
					seen[g.ID] = true
					next = append(next, g)
				}
			}
		}
		slices.SortFunc(next, func(a, b db.Principal) int { return strings.Compare(a.Address, b.Address) })
		level = level[:0]
		for _, g := range next {
			if strings.TrimSpace(g.Policy) != "" {
				return g.Policy, nil
			}
			level = append(level, g.ID)
		}
	}
	return "", nil
}

// Expand returns the people, rooms and resources behind a principal: itself,
// or the members of a group in their order, nested ones flattened, loops cut,
// external members as addresses.
func Expand(tx *db.Tx, p db.Principal) (local []db.Principal, external []cuaddr.Address, err error) {
	if p.Kind != db.Group {
		return []db.Principal{p}, nil, nil
	}
	seen := map[int64]bool{p.ID: true}
	outside := make(map[cuaddr.Address]bool)
	level := []db.Principal{p}
	for range depth {
		var as []cuaddr.Address
		for _, g := range level {
			members, err := tx.Members(g.ID)
			if err != nil {
				return nil, nil, err
			}
			for _, m := range members {
				if a, err := cuaddr.Parse(m); err == nil {
					as = append(as, a)
				}
			}
		}
		found, err := LookupAll(tx, as)
		if err != nil {
			return nil, nil, err
		}
		level = nil
		for _, a := range as {
			m, ok := found[a]
			switch {
			case !ok && !outside[a]:
				outside[a] = true
				external = append(external, a)
			case !ok || seen[m.ID]:
			case m.Kind == db.Group:
				seen[m.ID] = true
				level = append(level, m)
			default:
				seen[m.ID] = true
				local = append(local, m)
			}
		}
		if len(level) == 0 {
			break
		}
	}
	return local, external, nil
}

// Add creates a principal with what it needs to be reached: people get
// calendar/ (events, the default), tasks/, inbox/, outbox/ and an address book
// contacts/; rooms and resources calendar/ and inbox/; groups nothing.
// db.ErrExists if the address or an alias is taken, ErrAddress if one is none:
// then the transaction must not be committed.
func Add(tx *db.Tx, p *db.Principal, aliases []string) error {
	a := cuaddr.Mailto(strings.TrimSpace(p.Address))
	if a.IsZero() {
		return fmt.Errorf("%w: %q", ErrAddress, p.Address)
	}
	p.Address = a.Mail()
	if err := tx.InsertPrincipal(p); err != nil {
		return err
	}
	for _, alias := range aliases {
		if err := AddAlias(tx, p.ID, alias); err != nil {
			return err
		}
		p.Version++
	}
	var cs []db.Collection
	switch p.Kind {
	case db.Person:
		cs = []db.Collection{
			{Kind: db.Calendar, Name: "calendar", Components: "VEVENT", Default: true},
			{Kind: db.Calendar, Name: "tasks", Components: "VTODO"},
			{Kind: db.Inbox, Name: "inbox"},
			{Kind: db.Outbox, Name: "outbox"},
			{Kind: db.AddressBook, Name: "contacts", Default: true},
		}
	case db.Room, db.Resource:
		cs = []db.Collection{
			{Kind: db.Calendar, Name: "calendar", Components: "VEVENT", Default: true},
			{Kind: db.Inbox, Name: "inbox"},
		}
	}
	for i := range cs {
		cs[i].Owner = p.ID
		if err := tx.InsertCollection(&cs[i]); err != nil {
			return err
		}
	}
	return nil
}

// AddAlias gives a principal one more address: a mail address, a urn:uuid:, or
// "@example.org" for every address of a domain that nobody has. db.ErrExists if it is taken, ErrAddress if it is none.
func AddAlias(tx *db.Tx, principal int64, alias string) error {
	if domain, all := strings.CutPrefix(strings.TrimSpace(alias), "@"); all {
		a := cuaddr.Mailto("x@" + domain)
		if a.IsZero() || strings.Contains(domain, "@") {
			return fmt.Errorf("%w: %q", ErrAddress, alias)
		}
		return tx.AddAlias(principal, "@"+a.Domain())
	}
	a, err := cuaddr.Parse(alias)
	if err != nil || a.Path() != "" {
		return fmt.Errorf("%w: %q", ErrAddress, alias)
	}
	name := a.Mail()
	if name == "" {
		name = a.String()
	}
	return tx.AddAlias(principal, name)
}
