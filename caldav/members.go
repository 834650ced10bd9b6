package caldav

import (
	"slices"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
)

// maxUnfolded bounds the members of a group and of the groups in it.
const maxUnfolded = 1_000

// knownGroups leaves out the groups whose members are told to nobody but
// themselves. Those of others everybody here may know: whoever invites a group
// has them in his event.
func (x *exchange) knownGroups(tx *db.Tx, groups []db.Principal) ([]db.Principal, error) {
	if len(groups) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(groups))
	for i := range groups {
		ids[i] = groups[i].ID
	}
	said, err := tx.PreferencesOf(ids)
	if err != nil {
		return nil, err
	}
	me, err := directory.Grantees(tx, x.me)
	return slices.DeleteFunc(groups, func(g db.Principal) bool {
		return said[g.ID][directory.Members] == directory.Hidden && !me[g.ID]
	}), err
}

// membersOf are those of a group who are here, in its order; false: they are
// not told to me.
func (x *exchange) membersOf(tx *db.Tx, group *db.Principal) (members []db.Principal, ok bool, err error) {
	known, err := x.knownGroups(tx, []db.Principal{*group})
	if err != nil || len(known) == 0 {
		return nil, false, err
	}
	names, err := tx.Members(group.ID)
	if err != nil {
		return nil, false, err
	}
	var as []cuaddr.Address
	for _, n := range names {
		if a, err := cuaddr.Parse(n); err == nil {
			as = append(as, a)
		}
	}
	found, err := directory.LookupAll(tx, as)
	if err != nil {
		return nil, false, err
	}
	for _, a := range as {
		if p, here := found[a]; here && !slices.ContainsFunc(members, func(m db.Principal) bool { return m.ID == p.ID }) {
			members = append(members, p)
		}
	}
	return members, true, nil
}

// readExpandedMembers tells who is in a group or in a group in it, and those
// groups, as Apple's server does.
func readExpandedMembers(x *exchange, r *resource, w *dav.Writer) bool {
	if r.kind != kPrincipal || r.owner.Kind != db.Group {
		return readGroupMembers(x, r, w)
	}
	told := false
	ok := x.view(func(tx *db.Tx) error {
		seen := map[int64]bool{r.owner.ID: true}
		for in := []db.Principal{*r.owner}; len(in) > 0 && len(seen) <= maxUnfolded; in = in[1:] {
			members, open, err := x.membersOf(tx, &in[0])
			if err != nil {
				return err
			}
			told = told || open && in[0].ID == r.owner.ID
			for i := range members {
				m := &members[i]
				if seen[m.ID] || !told {
					continue
				}
				seen[m.ID] = true
				w.Href(principalHref(m))
				if m.Kind == db.Group {
					in = append(in, *m)
				}
			}
		}
		return nil
	})
	return ok && told
}

// readExpandedMembership tells in which groups somebody is, directly or by
// others, and as group-membership does for whom he may act.
func readExpandedMembership(x *exchange, r *resource, w *dav.Writer) bool {
	return x.membership(r, w, directory.Above)
}

// readGroupMembership tells in which groups somebody is (RFC 3744 §4.4), and of
// those of calendar-proxy the ones that I have to do with.
func readGroupMembership(x *exchange, r *resource, w *dav.Writer) bool {
	return x.membership(r, w, func(tx *db.Tx, p db.Principal) ([]db.Principal, error) { return tx.GroupsOf(p.ID) })
}

func (x *exchange) membership(r *resource, w *dav.Writer, of func(*db.Tx, db.Principal) ([]db.Principal, error)) bool {
	mine := r.owner.ID == x.me.ID
	if r.kind == kProxy {
		return mine // it is a group that is in no other
	}
	var groups []db.Principal
	if !x.view(func(tx *db.Tx) (err error) {
		if groups, err = of(tx, *r.owner); err == nil {
			groups, err = x.knownGroups(tx, groups)
		}
		return err
	}) {
		return false
	}
	for i := range groups {
		w.Href(principalHref(&groups[i]))
	}
	if !mine {
		return x.readDelegateOf(r.owner, w) || len(groups) > 0
	}
	for _, writes := range []bool{false, true} {
		if !x.eachActedFor(writes, func(p *db.Principal) { w.Href(proxyHref(p, writes)) }) {
			return false
		}
	}
	return true
}
