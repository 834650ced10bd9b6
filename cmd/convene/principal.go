package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
	"golang.org/x/text/language"
)

// kindWord is what a kind of principal is called on the command line.
var kindWord = map[db.Kind]string{db.Person: "user", db.Room: "room", db.Resource: "resource", db.Group: "group"}

// mailArg is a mail address of the command line.
func mailArg(s string) (cuaddr.Address, error) {
	a, err := cuaddr.Parse(s)
	if err != nil || a.Mail() == "" {
		return cuaddr.Address{}, fmt.Errorf("%q is no mail address", s)
	}
	return a, nil
}

// find returns the principal behind an address of the command line; kind ""
// takes any.
func find(tx *db.Tx, address string, kind db.Kind) (db.Principal, error) {
	a, err := mailArg(address)
	if err != nil {
		return db.Principal{}, err
	}
	p, err := directory.Lookup(tx, a)
	switch {
	case errors.Is(err, directory.ErrUnknown):
		return p, fmt.Errorf("%s is unknown here", a.Mail())
	case err != nil:
		return p, err
	case kind != "" && p.Kind != kind:
		return p, fmt.Errorf("%s is no %s but a %s", a.Mail(), kindWord[kind], kindWord[p.Kind])
	}
	return p, nil
}

// profile are the options that all kinds of principals share.
type profile struct {
	Name     *string  `help:"Name for people."`
	Alias    []string `sep:"none" placeholder:"ADDRESS" help:"Another address, or @DOMAIN for all of a domain that nobody has; may be repeated."`
	Language *string  `placeholder:"TAG" help:"Language of mail and pages, as de or pt-BR."`
	Timezone *string  `placeholder:"TZ" help:"Time zone of floating times, as Europe/Berlin."`
}

func (o profile) apply(p *db.Principal) error {
	if o.Name != nil {
		p.Name = strings.TrimSpace(*o.Name)
	}
	if o.Language != nil {
		p.Language = ""
		if *o.Language != "" {
			tag, err := language.Parse(*o.Language)
			if err != nil {
				return fmt.Errorf("--language %q: not a language tag; write it as de or pt-BR", *o.Language)
			}
			p.Language = tag.String()
		}
	}
	if o.Timezone != nil {
		if _, err := time.LoadLocation(*o.Timezone); err != nil || *o.Timezone == "Local" {
			return fmt.Errorf("--timezone %q: no such time zone; write it as Europe/Berlin", *o.Timezone)
		}
		p.TZ = *o.Timezone
	}
	return nil
}

// aliases returns the bare addresses of --alias.
func (o profile) aliases() ([]string, error) {
	var all []string
	for _, s := range o.Alias {
		if domain, whole := strings.CutPrefix(s, "@"); whole && cuaddr.Mailto("x@"+domain).Domain() != "" {
			all = append(all, "@"+cuaddr.Mailto("x@"+domain).Domain())
			continue
		}
		a, err := mailArg(s)
		if err != nil {
			return nil, fmt.Errorf("--alias %w", err)
		}
		all = append(all, a.Mail())
	}
	return all, nil
}

type password struct {
	PasswordStdin bool `xor:"password" help:"Read the password from standard input, one line."`
	NoPassword    bool `xor:"password" help:"No log-in: reached by mail only."`
}

// set reads and hashes the password before any transaction begins.
func (o password) set(e *env, p *db.Principal) error {
	switch {
	case o.NoPassword:
		p.Password = ""
	case o.PasswordStdin:
		line, err := bufio.NewReader(io.LimitReader(e.stdin, 4096)).ReadString('\n')
		if err != nil && err != io.EOF {
			return err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			return errors.New("--password-stdin: standard input has no password in its first line")
		}
		if p.Password, err = directory.HashPassword(line); err != nil {
			return err
		}
	}
	return nil
}

// fittings are the options about what a room or resource is like.
type fittings struct {
	Building      *string  `help:"Where it is; programs that look for rooms show and find it."`
	Floor         *string  `help:"On which floor."`
	Feature       []string `sep:"none" placeholder:"WORD" help:"What it has, as video or whiteboard; may be repeated."`
	RemoveFeature []string `sep:"none" placeholder:"WORD" help:"What it has no more; may be repeated."`
	Geo           *string  `placeholder:"LATITUDE,LONGITUDE" help:"Where on earth, in degrees."`
}

func (o fittings) set(tx *db.Tx, p *db.Principal) error {
	for name, value := range map[string]*string{directory.Building: o.Building, directory.Floor: o.Floor, directory.Geo: o.Geo} {
		if value != nil {
			if err := directory.SetAttribute(tx, p.ID, name, *value); err != nil {
				return err
			}
		}
	}
	if len(o.Feature)+len(o.RemoveFeature) == 0 {
		return nil
	}
	all, err := tx.Attributes(p.ID)
	if err != nil {
		return err
	}
	has := all[p.ID][directory.Feature]
	for _, f := range o.RemoveFeature {
		n := len(has)
		has = slices.DeleteFunc(has, func(x string) bool { return strings.EqualFold(x, f) })
		if len(has) == n {
			return fmt.Errorf("--remove-feature: it has no %q", f)
		}
	}
	for _, f := range o.Feature {
		if !slices.ContainsFunc(has, func(x string) bool { return strings.EqualFold(x, f) }) {
			has = append(has, f)
		}
	}
	return directory.SetAttribute(tx, p.ID, directory.Feature, has...)
}

// add stores a new principal and says so.
func add(e *env, p db.Principal, address string, o profile, members []string, more ...func(*db.Tx, *db.Principal) error) error {
	a, err := mailArg(address)
	if err != nil {
		return err
	}
	p.Address = a.Mail()
	if err := o.apply(&p); err != nil {
		return err
	}
	aliases, err := o.aliases()
	if err != nil {
		return err
	}
	c, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	err = s.Write(e.ctx, nil, func(tx *db.Tx) error {
		q := p // the closure may run again
		if err := directory.Add(tx, &q, aliases); err != nil {
			return err
		}
		for _, set := range more {
			if err := set(tx, &q); err != nil {
				return err
			}
		}
		if q.Kind != db.Group {
			return nil
		}
		return tx.SetMembers(q.ID, members)
	})
	if errors.Is(err, db.ErrExists) {
		return fmt.Errorf("%s, or an alias given, belongs to somebody here already", p.Address)
	}
	if err != nil {
		return err
	}
	e.noteDomain(c, p.Kind, a)
	return e.say(act{Done: "added", Kind: kindWord[p.Kind], Address: p.Address}, "added %s %s", kindWord[p.Kind], p.Address)
}

type userAddCmd struct {
	kind       db.Kind
	Address    string   `arg:"" help:"Mail address."`
	Profile    profile  `embed:""`
	MailCopies string   `enum:"auto,always,never" default:"auto" help:"Invitations by mail too: auto (to whoever uses no calendar program), always, never."`
	Policy     []string `sep:"none" placeholder:"RULE" help:"By which the server answers invitations for this user; may be repeated, the order counts. Without: the site's rules for people, if it has any; else this user answers."`
	Password   password `embed:""`
}

func (c *userAddCmd) Run(e *env) error {
	if !c.Password.PasswordStdin && !c.Password.NoPassword {
		return &exitError{exitUsage, errors.New("say --password-stdin, or --no-password for somebody who is reached by mail only")}
	}
	p := db.Principal{Kind: c.kind, MailCopies: c.MailCopies}
	if err := e.setRules(&p, c.Policy); err != nil {
		return err
	}
	if err := c.Password.set(e, &p); err != nil {
		return err
	}
	return add(e, p, c.Address, c.Profile, nil)
}

type placeAddCmd struct {
	kind     db.Kind
	Address  string   `arg:"" help:"Mail address."`
	Profile  profile  `embed:""`
	Capacity int      `help:"How many people it holds."`
	Fittings fittings `embed:""`
	Policy   []string `sep:"none" placeholder:"RULE" help:"How it answers; may be repeated, the order counts. Without: accepts when free, declines when not."`
}

func (c *placeAddCmd) Run(e *env) error {
	p := db.Principal{Kind: c.kind, MailCopies: "never", Capacity: c.Capacity}
	if err := e.setPlace(&p, &c.Capacity, c.Policy); err != nil {
		return err
	}
	return add(e, p, c.Address, c.Profile, nil, c.Fittings.set)
}

func (e *env) setPlace(p *db.Principal, capacity *int, rules []string) error {
	if capacity != nil {
		if *capacity < 0 {
			return errors.New("--capacity: a number of people cannot be negative")
		}
		p.Capacity = *capacity
	}
	return e.setRules(p, rules)
}

// setRules takes the rules of --policy; nil leaves those that there are.
func (e *env) setRules(p *db.Principal, rules []string) error {
	if rules == nil {
		return nil
	}
	text, err := policyText(rules)
	if err != nil {
		return err
	}
	if strings.Contains(text, "ask_program") {
		c, err := loadConfig(e.configFile)
		if err == nil {
			err = c.knowsPrograms(text)
		}
		switch {
		case err != nil:
			return fmt.Errorf("--policy: %w", err)
		case p.Kind == db.Person:
			return errors.New("--policy: programs decide for rooms and resources only")
		}
	}
	p.Policy = text
	return nil
}

// change loads a principal, lets fn edit it, and stores it.
func change(e *env, kind db.Kind, address string, o profile, without []string, fn func(*db.Tx, *db.Principal) error) error {
	aliases, err := o.aliases()
	if err != nil {
		return err
	}
	gone, err := (profile{Alias: without}).aliases()
	if err != nil {
		return err
	}
	_, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	var p db.Principal
	err = s.Write(e.ctx, nil, func(tx *db.Tx) error {
		var err error
		if p, err = find(tx, address, kind); err != nil {
			return err
		}
		zone := p.TZ
		if err := o.apply(&p); err != nil {
			return err
		}
		if p.TZ != zone {
			if err := scheduling.RezoneOwner(tx, p.ID); err != nil {
				return err
			}
		}
		if err := fn(tx, &p); err != nil {
			return err
		}
		for _, a := range gone {
			if err := tx.RemoveAlias(p.ID, a); errors.Is(err, db.ErrNotFound) {
				return fmt.Errorf("%s is no alias of %s", a, p.Address)
			} else if err != nil {
				return err
			}
		}
		for _, a := range aliases {
			if err := tx.AddAlias(p.ID, a); errors.Is(err, db.ErrExists) {
				return fmt.Errorf("%s belongs to somebody here already", a)
			} else if err != nil {
				return err
			}
		}
		return tx.UpdatePrincipal(&p)
	})
	if err != nil {
		return err
	}
	return e.say(act{Done: "changed", Kind: kindWord[p.Kind], Address: p.Address}, "changed %s %s", kindWord[p.Kind], p.Address)
}

// delegates changes who may act for somebody.
func delegates(tx *db.Tx, p *db.Principal, more, fewer []string) error {
	if len(more)+len(fewer) == 0 {
		return nil
	}
	all, err := tx.Proxies(p.ID)
	if err != nil {
		return err
	}
	var ids []int64
	for _, x := range all {
		if x.Writes {
			ids = append(ids, x.Proxy)
		}
	}
	for _, a := range fewer {
		who, err := find(tx, a, "")
		if err != nil {
			return err
		}
		at := slices.Index(ids, who.ID)
		if at < 0 {
			return fmt.Errorf("%s does not act for %s", who.Address, p.Address)
		}
		ids = slices.Delete(ids, at, at+1)
	}
	for _, a := range more {
		who, err := find(tx, a, "")
		switch {
		case err != nil:
			return err
		case who.ID == p.ID:
			return errors.New("--delegate: everybody acts for himself anyway")
		case who.Kind != db.Person && who.Kind != db.Group:
			return fmt.Errorf("--delegate %s: a %s acts for nobody", who.Address, kindWord[who.Kind])
		}
		if !slices.Contains(ids, who.ID) {
			ids = append(ids, who.ID)
		}
	}
	return tx.SetProxies(p.ID, true, ids)
}

type userSetCmd struct {
	kind           db.Kind
	Address        string    `arg:"" help:"Mail address."`
	Profile        profile   `embed:""`
	FreeBusy       freeBusy  `embed:"" prefix:"freebusy-"`
	Habits         habits    `embed:""`
	Strangers      strangers `embed:""`
	RemoveAlias    []string  `sep:"none" placeholder:"ADDRESS" help:"An alias to take away; may be repeated."`
	MailCopies     *string   `enum:"auto,always,never" help:"Invitations by mail too: auto, always, never."`
	Delegate       []string  `sep:"none" placeholder:"ADDRESS" help:"Who may write, invite and answer in this user's name, a user or a group; may be repeated."`
	RemoveDelegate []string  `sep:"none" placeholder:"ADDRESS" help:"Who may not any more; may be repeated."`
	Policy         []string  `sep:"none" placeholder:"RULE" xor:"policy" help:"By which the server answers invitations for this user from now on, as ACT_ACCEPT_IF_NO_CONFLICT:example.org; may be repeated, the order counts. ACT_MANUAL: nothing of itself, whatever the site's rules are."`
	NoPolicy       bool      `xor:"policy" help:"Back to the site's rules, if it has any for people."`
	Password       password  `embed:""`
}

func (c *userSetCmd) Run(e *env) error {
	var pw db.Principal
	if err := c.Password.set(e, &pw); err != nil {
		return err
	}
	return change(e, c.kind, c.Address, c.Profile, c.RemoveAlias, func(tx *db.Tx, p *db.Principal) error {
		if c.MailCopies != nil {
			p.MailCopies = *c.MailCopies
		}
		if c.Password.NoPassword || c.Password.PasswordStdin {
			p.Password = pw.Password
		}
		if c.NoPolicy {
			p.Policy = ""
		}
		if err := e.setRules(p, c.Policy); err != nil {
			return err
		}
		if err := delegates(tx, p, c.Delegate, c.RemoveDelegate); err != nil {
			return err
		}
		if err := c.Strangers.set(tx, p); err != nil {
			return err
		}
		if err := c.Habits.set(tx, p); err != nil {
			return err
		}
		return c.FreeBusy.set(tx, p)
	})
}

type placeSetCmd struct {
	kind           db.Kind
	Address        string   `arg:"" help:"Mail address."`
	Profile        profile  `embed:""`
	FreeBusy       freeBusy `embed:"" prefix:"freebusy-"`
	RemoveAlias    []string `sep:"none" placeholder:"ADDRESS" help:"An alias to take away; may be repeated."`
	Capacity       *int     `help:"How many people it holds."`
	Delegate       []string `sep:"none" placeholder:"ADDRESS" help:"Who may see its calendar and answer for it in a calendar program, a user or a group; may be repeated."`
	RemoveDelegate []string `sep:"none" placeholder:"ADDRESS" help:"Who may not any more; may be repeated."`
	Fittings       fittings `embed:""`
	Policy         []string `sep:"none" placeholder:"RULE" xor:"policy" help:"How it answers from now on; may be repeated, the order counts."`
	NoPolicy       bool     `xor:"policy" help:"Back to accepting when free and declining when not."`
}

func (c *placeSetCmd) Run(e *env) error {
	return change(e, c.kind, c.Address, c.Profile, c.RemoveAlias, func(tx *db.Tx, p *db.Principal) error {
		if c.NoPolicy {
			p.Policy = ""
		}
		if err := c.FreeBusy.set(tx, p); err != nil {
			return err
		}
		if err := c.Fittings.set(tx, p); err != nil {
			return err
		}
		if err := delegates(tx, p, c.Delegate, c.RemoveDelegate); err != nil {
			return err
		}
		return e.setPlace(p, c.Capacity, c.Policy)
	})
}
