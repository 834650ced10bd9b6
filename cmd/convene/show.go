package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

type listCmd struct {
	kind db.Kind
}

func (c *listCmd) Run(e *env) error {
	_, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	w := tabwriter.NewWriter(e.stdout, 0, 8, 2, ' ', 0)
	for after := ""; ; {
		var page []db.Principal
		err := s.View(e.ctx, func(tx *db.Tx) (err error) {
			page, err = tx.Principals(after, 500)
			return err
		})
		if err != nil {
			return err
		}
		for _, p := range page {
			after = p.Address
			switch {
			case p.Kind != c.kind:
			case e.json:
				line := struct {
					Address string `json:"address"`
					Name    string `json:"name"`
				}{p.Address, p.Name}
				if err := e.object(line); err != nil {
					return err
				}
			default:
				fmt.Fprintf(w, "%s\t%s\n", p.Address, p.Name)
			}
		}
		if len(page) < 500 {
			return w.Flush()
		}
	}
}

type showCmd struct {
	kind    db.Kind
	Address string `arg:"" help:"Mail address or alias."`
}

// facts is what is known of a principal, in the order in which it is shown.
type facts []struct{ name, value string }

func (f *facts) add(name, value string) {
	if value != "" {
		*f = append(*f, struct{ name, value string }{name, value})
	}
}

// several are the facts of which there can be more than one.
var several = map[string]bool{
	"alias": true, "delegate": true, "reader": true, "policy": true, "policy of its group": true, "policy of the site": true, "member": true, "calendar": true, "feature": true,
}

func (f facts) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, x := range f {
		fmt.Fprintf(t, "%s\t%s\n", x.name, x.value)
	}
	return t.Flush()
}

func (f facts) json(w io.Writer) error {
	o := map[string]any{}
	for _, x := range f {
		name := strings.NewReplacer(" ", "_", "-", "_").Replace(x.name)
		if !several[x.name] {
			o[name] = x.value
			continue
		}
		all, _ := o[name].([]string)
		o[name] = append(all, x.value)
	}
	return json.NewEncoder(w).Encode(o)
}

func (c *showCmd) Run(e *env) error {
	site, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Read(e.ctx, func(tx *db.Tx) error {
		p, err := find(tx, c.Address, c.kind)
		if err != nil {
			return err
		}
		addresses, err := tx.Addresses(p.ID)
		if err != nil {
			return err
		}
		var f facts
		row := f.add
		row("address", p.Address)
		row("name", p.Name)
		for _, a := range addresses {
			if a != p.Address {
				row("alias", a)
			}
		}
		domains, err := tx.CatchAlls(p.ID)
		if err != nil {
			return err
		}
		for _, d := range domains {
			row("alias", d)
		}
		row("language", p.Language)
		row("timezone", p.TZ)
		switch p.Kind {
		case db.Person:
			err = showPerson(tx, p, site, row)
		case db.Room, db.Resource:
			err = showPlace(tx, p, site, row)
		case db.Group:
			err = showGroup(tx, p, row)
		}
		if err != nil {
			return err
		}
		if err := showFreeBusy(tx, p, row); err != nil {
			return err
		}
		if err := showHabits(tx, p, row); err != nil {
			return err
		}
		cols, err := tx.Collections(p.ID, db.Calendar, db.AddressBook)
		if err != nil {
			return err
		}
		for _, col := range cols {
			n, err := tx.CountObjects(col.ID)
			if err != nil {
				return err
			}
			row(string(col.Kind), fmt.Sprintf("%s (%d)", col.Name, n))
		}
		if e.json {
			return f.json(e.stdout)
		}
		return f.table(e.stdout)
	})
}

type row func(name, value string)

// rules shows a policy, one row a rule.
func (r row) rules(name, policy string) {
	for rule := range strings.Lines(policy) {
		r(name, strings.TrimSpace(rule))
	}
}

func showPerson(tx *db.Tx, p db.Principal, site Config, row row) error {
	row("mail-copies", p.MailCopies)
	if err := showDelegates(tx, p, row); err != nil {
		return err
	}
	row.rules("policy", p.Policy)
	if p.Policy == "" {
		row.rules("policy of the site", strings.Join(site.People.Policy, "\n"))
	}
	for _, name := range []string{directory.UnknownOrganizers, directory.KnownOrganizers} {
		v, err := tx.Preference(p.ID, name)
		if err != nil {
			return err
		}
		row(strings.ReplaceAll(name, "_", "-"), v)
	}
	row("password", map[bool]string{true: "none: no log-in", false: "set"}[p.Password == ""])
	if !p.LastDAV.IsZero() {
		row("last seen", p.LastDAV.UTC().Format("2006-01-02 15:04 MST"))
	}
	if !p.Recorded.IsZero() {
		row("recorded until", p.Recorded.UTC().Format("2006-01-02 15:04 MST"))
	}
	return nil
}

// showPlace shows a room or a resource.
func showPlace(tx *db.Tx, p db.Principal, site Config, row row) error {
	if p.Capacity > 0 {
		row("capacity", fmt.Sprint(p.Capacity))
	}
	if err := showDelegates(tx, p, row); err != nil {
		return err
	}
	known, err := tx.Attributes(p.ID)
	if err != nil {
		return err
	}
	for _, name := range []string{directory.Building, directory.Floor, directory.Feature, directory.Geo} {
		for _, v := range known[p.ID][name] {
			row(name, v)
		}
	}
	if p.Policy != "" {
		row.rules("policy", p.Policy)
		return nil
	}
	inherited, err := directory.Inherited(tx, p)
	switch {
	case err != nil:
		return err
	case inherited != "":
		row.rules("policy of its group", inherited)
	case len(site.Rooms.Policy) > 0:
		row.rules("policy of the site", strings.Join(site.Rooms.Policy, "\n"))
	default:
		row("policy", "accepts when free, declines when not")
	}
	return nil
}

func showGroup(tx *db.Tx, p db.Principal, row row) error {
	members, err := tx.Members(p.ID)
	if err != nil {
		return err
	}
	for _, m := range members {
		row("member", m)
	}
	said, err := tx.Preference(p.ID, directory.Members)
	if err != nil {
		return err
	}
	if said == directory.Hidden {
		row("members told to", "members")
	}
	row.rules("policy", p.Policy)
	return nil
}

// showDelegates lists who may act for somebody, and who may look.
func showDelegates(tx *db.Tx, p db.Principal, row row) error {
	acting, err := tx.Proxies(p.ID)
	if err != nil {
		return err
	}
	for _, x := range acting {
		who, err := tx.Principal(x.Proxy)
		if err != nil {
			return err
		}
		row(map[bool]string{true: "delegate", false: "reader"}[x.Writes], who.Address)
	}
	return nil
}
