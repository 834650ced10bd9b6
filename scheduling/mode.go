package scheduling

import (
	"slices"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/itip"
	"github.com/convene-server/convene/scheduling/policy"
)

// Mode tells how a room or a resource answers, by the rules that it has or
// inherits: a mode of the rule accept_mode, or "" where they say more than that.
func (d *Desk) Mode(tx *db.Tx, room db.Principal) string {
	who := d.people(tx)
	return policy.Mode(who.rulesText(room))
}

// SetMode lets a room or a resource answer in another mode from now on, in the
// transaction in which a door changes what belongs to it; only then may other
// rows of that transaction be locked. Rules that it inherited become its own.
// The error is a *itip.Refusal.
func (d *Desk) SetMode(tx *db.Tx, room db.Principal, mode string) error {
	if err := tx.LockAgents(room.ID); err != nil {
		return err
	}
	p, err := tx.Principal(room.ID)
	if err != nil {
		return err
	}
	who := d.people(tx)
	rules, ok := policy.WithMode(who.rulesText(p), mode)
	if !ok {
		return &itip.Refusal{Precondition: itip.ValidResource, Detail: "there is no such mode"}
	}
	p.Policy = rules
	return tx.UpdatePrincipal(&p)
}

// LooksAfter reports whether somebody may say how a room or a resource answers:
// its owners by the rules, and its delegates.
func (d *Desk) LooksAfter(tx *db.Tx, me, room db.Principal) (bool, error) {
	who := d.people(tx)
	self := who.self(me, true)
	if slices.ContainsFunc(who.rules(room).Owners(), func(a cuaddr.Address) bool { return self(a) }) {
		return true, nil
	}
	grantees, err := directory.Grantees(tx, me)
	if err != nil {
		return false, err
	}
	proxies, err := tx.Proxies(room.ID)
	return slices.ContainsFunc(proxies, func(p db.Proxy) bool { return p.Writes && grantees[p.Proxy] }), err
}
