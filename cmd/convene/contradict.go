package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/policy"
)

// finding is something that cannot be meant, and what to do about it.
type finding struct {
	Problem bool // it does harm; otherwise it may be meant after all
	What    string
	Do      string
}

// census is what config check looks at of the directory.
type census struct {
	all  []resident
	whom map[string]int // address in lower case: which of them
}

type resident struct {
	db.Principal
	addresses, catchAlls, members []string
}

func (d *census) add(r resident) {
	if d.whom == nil {
		d.whom = map[string]int{}
	}
	for _, a := range r.addresses {
		d.whom[strings.ToLower(a)] = len(d.all)
	}
	d.all = append(d.all, r)
}

// find returns who has an address, nil if nobody here.
func (d *census) find(address string) *resident {
	a := cuaddr.Mailto(address)
	name := strings.ToLower(a.Mail())
	i, ok := d.whom[name]
	if plus := strings.IndexByte(name, '+'); !ok && plus > 0 {
		i, ok = d.whom[name[:plus]+"@"+a.Domain()]
	}
	if !ok {
		return nil
	}
	return &d.all[i]
}

// takeCensus reads the directory, page by page.
func takeCensus(ctx context.Context, s *db.Store) (d census, err error) {
	for after := ""; ; {
		n := 0
		err := s.View(ctx, func(tx *db.Tx) error {
			page, err := tx.Principals(after, 500)
			if err != nil {
				return err
			}
			n = len(page)
			ids := make([]int64, n)
			for i, p := range page {
				ids[i] = p.ID
			}
			addresses, err := tx.AddressesOf(ids)
			if err != nil {
				return err
			}
			alls, err := tx.AllCatchAlls()
			if err != nil {
				return err
			}
			for _, p := range page {
				r := resident{Principal: p, addresses: addresses[p.ID], catchAlls: alls[p.ID]}
				if p.Kind == db.Group {
					if r.members, err = tx.Members(p.ID); err != nil {
						return err
					}
				}
				d.add(r)
				after = p.Address
			}
			return nil
		})
		if err != nil || n < 500 {
			return d, err
		}
	}
}

// contradictions says what in the configuration and the directory cannot be
// meant so.
func contradictions(c Config, d census) (list []finding) {
	problem := func(do, format string, args ...any) {
		list = append(list, finding{true, fmt.Sprintf(format, args...), do})
	}
	doubt := func(do, format string, args ...any) {
		list = append(list, finding{false, fmt.Sprintf(format, args...), do})
	}

	// Mail in circles.
	for _, to := range []struct{ key, addr, do string }{
		{"[lmtp] deliver_to", c.LMTP.DeliverTo, "name the mailbox server there, or leave it empty where the mail server delivers the original itself"},
		{"[smtp] relay", c.SMTP.Relay, "name the mail server's SMTP port there"},
	} {
		for _, from := range []struct{ key, addr string }{{"[lmtp] listen", c.LMTP.Listen}, {"[lmtp] observe", c.LMTP.Observe}} {
			if to.addr != "" && sameEnd(to.addr, from.addr) {
				problem(to.do, "%s is %s itself: mail would go in circles", to.key, from.key)
			}
		}
	}
	if c.LMTP.DeliverTo != "" && sameEnd(c.LMTP.DeliverTo, c.SMTP.Relay) {
		problem("name the mailbox server's LMTP in deliver_to: what goes to the relay for a local address comes back here", "[lmtp] deliver_to and [smtp] relay are both %s", c.SMTP.Relay)
	}
	if c.LMTP.Observe != "" && sameEnd(c.LMTP.Observe, c.LMTP.Listen) {
		problem("give observe an address of its own", "[lmtp] listen and observe are the same")
	}

	ours := func(domain string) bool {
		return slices.ContainsFunc(c.Domains, func(x string) bool { return strings.EqualFold(x, domain) })
	}
	for i, x := range c.Domains {
		if slices.ContainsFunc(c.Domains[:i], func(y string) bool { return strings.EqualFold(x, y) }) {
			doubt("leave one out", "domains names %s twice", x)
		}
	}
	calendar := cuaddr.Mailto(c.SMTP.From)
	if r := d.find(calendar.Mail()); r != nil && !calendar.IsZero() {
		problem("rename that one, or set [smtp] from to an address that nobody has", "%s is the calendar's own address and that of the %s %s", calendar.Mail(), kindWord[r.Kind], r.Address)
	}

	claimed := map[string]string{}
	for i := range d.all {
		r := &d.all[i]
		who := kindWord[r.Kind] + " " + r.Address
		for _, a := range r.addresses {
			name := strings.ToLower(a)
			if other, twice := claimed[name]; twice && other != r.Address {
				problem("take it from one of the two: convene "+kindWord[r.Kind]+" set "+r.Address+" --remove-alias "+a, "%s is an address of %s and of %s", a, other, r.Address)
			}
			claimed[name] = r.Address
			domain := cuaddr.Mailto(a).Domain()
			switch {
			case domain == "" || ours(domain):
			case strings.EqualFold(a, r.Address) && r.Kind != db.Group:
				doubt("add "+domain+" to domains if its mail may be sent from here", "%s is outside of domains: its mail goes out as %s", who, c.SMTP.From)
			case !strings.EqualFold(a, r.Address):
				doubt("see that mail for it comes here, or take it away: convene "+kindWord[r.Kind]+" set "+r.Address+" --remove-alias "+a, "%s, an alias of %s, is outside of domains", a, r.Address)
			}
		}
		for _, a := range r.catchAlls {
			if domain := strings.TrimPrefix(a, "@"); !ours(domain) {
				problem("add "+domain+" to domains, or convene "+kindWord[r.Kind]+" set "+r.Address+" --remove-alias "+a, "%s has all of %s, which is not in domains", who, domain)
			}
		}
		switch {
		case r.Kind == db.Group:
			d.group(c, r, problem, doubt)
		case r.Kind == db.Person && r.Password == "" && r.MailCopies == "never":
			doubt("give a password, or convene user set "+r.Address+" --mail-copies auto", "%s has no log-in and wants no mail: nothing reaches them", who)
		}
		d.rules(c, r, who, problem, doubt)
	}
	return list
}

// sameEnd reports whether two addresses lead to one listener on this machine.
func sameEnd(a, b string) bool {
	plain := func(s string) string {
		for _, host := range []string{"localhost:", "[::1]:", "0.0.0.0:", "[::]:"} {
			if rest, ok := strings.CutPrefix(s, host); ok {
				return "127.0.0.1:" + rest
			}
		}
		return s
	}
	return a != "" && plain(a) == plain(b)
}

type tell func(do, format string, args ...any)

func (d *census) group(c Config, g *resident, problem, doubt tell) {
	seen := map[string]bool{}
	for _, m := range g.members {
		name := strings.ToLower(m)
		if seen[name] {
			doubt("convene group set "+g.Address+" --member ... with each once", "group %s lists %s twice", g.Address, m)
		}
		seen[name] = true
		if d.find(m) == nil && slices.Contains(c.DomainsComplete, cuaddr.Mailto(m).Domain()) {
			problem("convene group set "+g.Address+" --remove-member "+m, "group %s lists %s, whom the directory does not hold though its domain is complete", g.Address, m)
		}
	}
	if len(g.members) == 0 {
		doubt("convene group set "+g.Address+" --add-member ADDRESS, or remove it", "group %s is empty", g.Address)
	}
	if way := d.circle(g, g, map[string]bool{}); way != nil {
		// Told of each circle once: by the first of it.
		if first := slices.Min(way); strings.EqualFold(first, g.Address) {
			problem("take one of them out of another: convene group set ADDRESS --remove-member ADDRESS", "groups hold one another in a circle: %s", strings.Join(append(way, way[0]), ", "))
		}
	}
}

// circle returns the way from a group back to another one, nil if there is none.
func (d *census) circle(from, to *resident, seen map[string]bool) []string {
	seen[from.Address] = true
	for _, m := range from.members {
		next := d.find(m)
		switch {
		case next == nil || next.Kind != db.Group:
		case next.Address == to.Address:
			return []string{from.Address}
		case !seen[next.Address]:
			if way := d.circle(next, to, seen); way != nil {
				return append([]string{from.Address}, way...)
			}
		}
	}
	return nil
}

// roomsOnly are the rules without any meaning for a person.
var roomsOnly = map[string]bool{
	"pool": true, "schedule_for_delegate": true, "within_capacity": true, "auto_release": true, "ask_program": true, "check_quota": true, "schedule_across_quota": true,
}

// rules looks at how somebody answers.
func (d *census) rules(c Config, r *resident, who string, problem, doubt tell) {
	text := strings.TrimSpace(r.Policy)
	if text == "" {
		return
	}
	set := "convene " + kindWord[r.Kind] + " set " + r.Address + " --policy ..."
	if r.Kind == db.Person {
		set = "convene user set " + r.Address
	}
	lines := strings.Split(text, "\n")
	p, err := policy.Parse(lines)
	if err != nil {
		problem("write the rules anew: "+set, "%s has a rule that this release cannot read, and declines everything: %v", who, err)
		return
	}
	if err := c.knowsPrograms(text); err != nil {
		problem("name it in [rooms] programs, or write the rules anew: "+set, "%s declines everything: %v", who, err)
	}
	asks := false
	for _, l := range lines {
		words := strings.Fields(l)
		if len(words) == 0 {
			continue
		}
		if r.Kind == db.Person && roomsOnly[words[0]] {
			problem("take the rule away: "+set, "%s has the rule %q, which only rooms and resources know", who, l)
		}
		asks = asks || strings.HasPrefix(words[0], "ACT_MANUAL") || words[0] == "accept_mode" && len(words) > 1 && words[1] == "manual"
		switch words[0] {
		case "owner", "pool", "schedule_for_delegate":
			for _, a := range words[1:] {
				a = strings.TrimPrefix(a, "mailto:")
				x := d.find(a)
				switch {
				case x == nil && words[0] == "owner":
					doubt("name somebody here, who can decide: "+set, "%s is owned by %s, whom the directory does not hold", who, a)
				case x == nil:
					problem("name rooms and resources that are here: "+set, "%s passes bookings on to %s, which the directory does not hold", who, a)
				case words[0] == "owner" && (x.Kind == db.Room || x.Kind == db.Resource):
					problem("name a person or a group of people: "+set, "%s is owned by %s, which is a %s and decides nothing", who, a, kindWord[x.Kind])
				case words[0] == "pool" && x.Kind == db.Person:
					problem("name rooms and resources: "+set, "%s passes bookings on to the person %s", who, a)
				}
			}
		}
	}
	if asks && len(p.Owners()) == 0 && r.Kind != db.Person {
		problem("add --policy 'owner ADDRESS': "+set, "%s leaves bookings to an owner and has none: nobody ever answers them", who)
	}
}

// sorted puts problems before doubts, each as it was found, and leaves out what
// is too much to read.
func sorted(list []finding, most int) []finding {
	slices.SortStableFunc(list, func(a, b finding) int {
		order := map[bool]int{true: 0, false: 1}
		return order[a.Problem] - order[b.Problem]
	})
	if len(list) > most {
		more := len(list) - most
		list = append(list[:most:most], finding{list[most].Problem, fmt.Sprintf("and %d more", more), "mend these first"})
	}
	return list
}
