package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
)

type renameCmd struct {
	kind db.Kind
	Old  string `arg:"" help:"Mail address now."`
	New  string `arg:"" help:"Mail address from now on."`
}

// Run gives somebody another address; the server lets his meetings follow.
func (c *renameCmd) Run(e *env) error {
	a, err := mailArg(c.New)
	if err != nil {
		return err
	}
	cfg, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	var p db.Principal
	err = s.Write(e.ctx, nil, func(tx *db.Tx) error {
		var err error
		if p, err = find(tx, c.Old, c.kind); err != nil {
			return err
		}
		if old, err := mailArg(c.Old); err != nil || !strings.EqualFold(old.Mail(), p.Address) {
			return fmt.Errorf("%s is an alias of %s; rename that, or change aliases with set", c.Old, p.Address)
		}
		return scheduling.Rename(tx, p, a.Mail())
	})
	if errors.Is(err, db.ErrExists) {
		return fmt.Errorf("%s belongs to somebody here already", a.Mail())
	}
	if err != nil {
		return err
	}
	e.noteDomain(cfg, p.Kind, a)
	return e.say(act{Done: "renamed", Kind: kindWord[p.Kind], Address: a.Mail(), Was: p.Address},
		"renamed %s %s to %s; the old address is an alias, and meetings follow while a server runs", kindWord[p.Kind], p.Address, a.Mail())
}

// noteDomain says so where we may not send in the name of an address.
func (e *env) noteDomain(c Config, kind db.Kind, a cuaddr.Address) {
	if !slices.Contains(c.Domains, a.Domain()) && kind != db.Group {
		e.note("%s is not in domains; mail for %s goes out as %s", a.Domain(), a.Mail(), c.SMTP.From)
	}
}

type domainRenameCmd struct {
	Old string `arg:"" help:"Domain now."`
	New string `arg:"" help:"Domain from now on."`
}

// renamedAtOnce is how many get their address in one transaction.
const renamedAtOnce = 50

// Run renames everybody in a domain. Nobody is, where an address would be taken
// from somebody. Interrupted, it may be run again and goes on where it was.
func (c *domainRenameCmd) Run(e *env) error {
	from, to := domainArg(c.Old), domainArg(c.New)
	if from == "" || to == "" || from == to {
		return &exitError{exitUsage, errors.New("two mail domains are needed, as example.com example.org")}
	}
	cfg, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	if err := free(e.ctx, s, from, to); err != nil {
		return err
	}
	n := 0
	for after := int64(0); ; {
		var page []db.Principal
		renamed := 0
		err := s.Write(e.ctx, nil, func(tx *db.Tx) (err error) {
			if page, err = tx.InDomain(from, after, renamedAtOnce); err != nil {
				return err
			}
			renamed = 0
			for _, p := range page {
				did, err := scheduling.RenameDomain(tx, p, from, to)
				if err != nil {
					return fmt.Errorf("%s: %w", p.Address, err)
				}
				if did {
					renamed++
				}
			}
			if len(page) < renamedAtOnce {
				return directory.RenameDomainIn(tx, from, to)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("stopped after %d; run it again: %w", n, err)
		}
		n += renamed
		if len(page) < renamedAtOnce {
			break
		}
		after = page[len(page)-1].ID
	}
	if !slices.Contains(cfg.Domains, to) {
		e.note("%s is not in domains; add it, or mail goes out as %s", to, cfg.SMTP.From)
	}
	return e.say(act{Done: "renamed", Kind: "domain", Address: to, Was: from, Objects: &n},
		"renamed %d from %s to %s; the old addresses are aliases, and meetings follow while a server runs", n, from, to)
}

func domainArg(s string) string { return cuaddr.Mailto("x@" + strings.TrimPrefix(s, "@")).Domain() }

// free reports whether nobody has an address that somebody else would get.
func free(ctx context.Context, s *db.Store, from, to string) error {
	var taken []string
	for after := int64(0); ; {
		var page []db.Principal
		err := s.View(ctx, func(tx *db.Tx) (err error) {
			if page, err = tx.InDomain(from, after, 500); err != nil {
				return err
			}
			ids := make([]int64, len(page))
			for i, p := range page {
				ids[i] = p.ID
			}
			all, err := tx.AddressesOf(ids)
			if err != nil {
				return err
			}
			wanted := map[string]int64{}
			var keys []string
			for id, as := range all {
				for _, a := range as {
					if at := strings.LastIndexByte(a, '@'); at >= 0 && strings.EqualFold(a[at+1:], from) {
						k := strings.ToLower(a[:at+1]) + to
						wanted[k] = id
						keys = append(keys, k)
					}
				}
			}
			have, err := tx.PrincipalsByAddress(keys)
			for k, p := range have {
				if wanted[k] != p.ID {
					taken = append(taken, k)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		if len(page) < 500 {
			break
		}
		after = page[len(page)-1].ID
	}
	if len(taken) == 0 {
		return nil
	}
	slices.Sort(taken)
	taken = slices.Compact(taken)
	more := ""
	if len(taken) > 10 {
		more = fmt.Sprintf(" and %d more", len(taken)-10)
		taken = taken[:10]
	}
	return fmt.Errorf("nothing is renamed: %s%s would be somebody's who is not the one that has it; rename or remove one of the two first", strings.Join(taken, ", "), more)
}
