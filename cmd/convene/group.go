package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/caldav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
)

type groupAddCmd struct {
	kind    db.Kind
	Address string   `arg:"" help:"Mail address."`
	Profile profile  `embed:""`
	Member  []string `sep:"none" placeholder:"ADDRESS" help:"A member, from here or outside; may be repeated. Members can be added later."`
	Policy  []string `sep:"none" placeholder:"RULE" help:"How rooms and resources in it answer that have no rules of their own; may be repeated."`
}

func (c *groupAddCmd) Run(e *env) error {
	members, err := memberArgs("--member", c.Member)
	if err != nil {
		return err
	}
	p := db.Principal{Kind: c.kind, MailCopies: "never"}
	if err := e.setPlace(&p, nil, c.Policy); err != nil {
		return err
	}
	return add(e, p, c.Address, c.Profile, members)
}

func memberArgs(option string, list []string) ([]string, error) {
	var all []string
	for _, s := range list {
		a, err := mailArg(s)
		if err != nil {
			return nil, fmt.Errorf("%s %w", option, err)
		}
		all = append(all, a.Mail())
	}
	return all, nil
}

type groupSetCmd struct {
	kind         db.Kind
	Address      string   `arg:"" help:"Mail address."`
	Profile      profile  `embed:""`
	FreeBusy     freeBusy `embed:"" prefix:"freebusy-"`
	RemoveAlias  []string `sep:"none" placeholder:"ADDRESS" help:"An alias to take away; may be repeated."`
	Member       []string `sep:"none" placeholder:"ADDRESS" xor:"member" help:"A member; those given replace all; may be repeated."`
	AddMember    []string `sep:"none" placeholder:"ADDRESS" xor:"member" help:"One more member; may be repeated."`
	RemoveMember []string `sep:"none" placeholder:"ADDRESS" help:"Who is no member any more; may be repeated."`
	Policy       []string `sep:"none" placeholder:"RULE" xor:"policy" help:"How rooms and resources in it answer from now on that have no rules of their own; may be repeated."`
	NoPolicy     bool     `xor:"policy" help:"Without such rules."`
	HideMembers  bool     `xor:"members" help:"Programs tell who is in it to its members alone."`
	ShowMembers  bool     `xor:"members" help:"Programs tell it to everybody here."`
}

func (c *groupSetCmd) Run(e *env) error {
	all, err := memberArgs("--member", c.Member)
	if err != nil {
		return err
	}
	more, err := memberArgs("--add-member", c.AddMember)
	if err != nil {
		return err
	}
	fewer, err := memberArgs("--remove-member", c.RemoveMember)
	if err != nil {
		return err
	}
	return change(e, c.kind, c.Address, c.Profile, c.RemoveAlias, func(tx *db.Tx, p *db.Principal) error {
		if c.NoPolicy {
			p.Policy = ""
		}
		if err := e.setPlace(p, nil, c.Policy); err != nil {
			return err
		}
		if err := c.FreeBusy.set(tx, p); err != nil {
			return err
		}
		if c.HideMembers || c.ShowMembers {
			if err := tx.SetPreference(p.ID, directory.Members, map[bool]string{true: directory.Hidden}[c.HideMembers]); err != nil {
				return err
			}
		}
		return setMembers(tx, *p, all, more, fewer)
	})
}

// setMembers changes who is in a group: all of them, or some more and some
// fewer. Meetings into which it is invited, and calendars that are shared with
// it, follow.
func setMembers(tx *db.Tx, group db.Principal, all, more, fewer []string) error {
	if len(all)+len(more)+len(fewer) == 0 {
		return nil
	}
	if len(all) == 0 {
		var err error
		if all, err = tx.Members(group.ID); err != nil {
			return err
		}
	}
	for _, a := range fewer {
		n := len(all)
		all = slices.DeleteFunc(all, func(m string) bool { return strings.EqualFold(m, a) })
		if len(all) == n {
			return fmt.Errorf("%s is no member of %s", a, group.Address)
		}
	}
	for _, a := range more {
		if !slices.ContainsFunc(all, func(m string) bool { return strings.EqualFold(m, a) }) {
			all = append(all, a)
		}
	}
	if err := scheduling.Regroup(tx, group, func() error { return tx.SetMembers(group.ID, all) }); err != nil {
		return err
	}
	return caldav.FollowGroup(tx, group, time.Now())
}
