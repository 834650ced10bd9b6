package main

import (
	"context"
	"slices"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
)

// Join and Leave change a group as the command does.
func (h *stage) Join(who, group string) error {
	return h.regroup(group, func(members []string) []string { return append(members, h.person(who).Address) })
}

func (h *stage) Leave(who, group string) error {
	return h.regroup(group, func(members []string) []string {
		return slices.DeleteFunc(members, func(a string) bool { return a == h.person(who).Address })
	})
}

func (h *stage) regroup(group string, change func([]string) []string) error {
	return h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
		g, err := tx.PrincipalByAddress(h.person(group).Address)
		if err != nil {
			return err
		}
		members, err := tx.Members(g.ID)
		if err != nil {
			return err
		}
		return scheduling.Regroup(tx, g, func() error { return tx.SetMembers(g.ID, change(members)) })
	})
}

// Rename gives somebody another address as the command does.
func (h *stage) Rename(who, address string) error {
	old := h.person(who).Address
	for i := range h.people {
		if h.people[i].Name == who {
			h.people[i].Address = address
		}
	}
	return h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
		p, err := tx.PrincipalByAddress(old)
		if err != nil {
			return err
		}
		return scheduling.Rename(tx, p, address)
	})
}
