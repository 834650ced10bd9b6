package caldav

import (
	"net/http"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// Everybody has two groups of people who may act for him, each a principal
// below his own (calendar-proxy): one may read his calendars, one may also
// write, and schedule in his name.

// maxProxies bounds each of them.
const maxProxies = 100

// proxyNames are the last segments of their paths.
var proxyNames = map[bool]string{false: "calendar-proxy-read", true: "calendar-proxy-write"}

func proxyHref(p *db.Principal, writes bool) string {
	return dav.Path(true, "dav", "principals", p.Address, proxyNames[writes])
}

// proxyGroup finds one of the two below a principal.
func (x *exchange) proxyGroup(address, name string) (*resource, error) {
	writes := name == proxyNames[true]
	if !writes && name != proxyNames[false] {
		return nil, notFound
	}
	r, err := x.principal(address)
	if err != nil {
		return nil, err
	}
	if r.owner.Kind == db.Group {
		return nil, notFound
	}
	return &resource{kind: kProxy, href: proxyHref(r.owner, writes), owner: r.owner, writes: writes}, nil
}

// proxyGroups are those that have rights on a resource by being such a group:
// both in a calendar home, none among address books.
func (x *exchange) proxyGroups(r *resource) (out []*resource) {
	if r.wing() != wings[wingCalendars] {
		return nil
	}
	for _, writes := range []bool{true, false} {
		out = append(out, &resource{kind: kProxy, href: proxyHref(r.owner, writes), owner: r.owner, writes: writes})
	}
	return out
}

// readGroupMembers tells who is in a group (RFC 3744 §4.3): of proxies to
// their principal and to themselves, of others to whoever is in it.
func readGroupMembers(x *exchange, r *resource, w *dav.Writer) bool {
	var members []db.Principal
	mine := false
	ok := x.view(func(tx *db.Tx) error {
		if r.kind != kProxy {
			if mine = r.owner.Kind != db.Group; mine {
				return nil
			}
			var err error
			members, mine, err = x.membersOf(tx, r.owner)
			return err
		}
		me, err := directory.Grantees(tx, x.me)
		if err != nil {
			return err
		}
		all, err := tx.Proxies(r.owner.ID)
		mine = r.owner.ID == x.me.ID
		for _, p := range all {
			mine = mine || me[p.Proxy] && p.Writes // who may write for him sees who may read
			if p.Writes != r.writes || err != nil {
				continue
			}
			var who db.Principal
			if who, err = tx.Principal(p.Proxy); err == nil {
				members = append(members, who)
			}
			mine = mine || me[p.Proxy]
		}
		return err
	})
	if !ok || !mine {
		return false
	}
	for i := range members {
		w.Href(principalHref(&members[i]))
	}
	return true
}

// readDelegateOf tells of somebody else those of his groups that I have to do
// with: where he may act for me, or for whom I may act, too.
func (x *exchange) readDelegateOf(who *db.Principal, w *dav.Writer) bool {
	owners := []*db.Principal{&x.me}
	if !x.eachActedFor(true, func(p *db.Principal) { owners = append(owners, p) }) {
		return false
	}
	found := false
	for _, o := range owners {
		var all []db.Proxy
		if !x.view(func(tx *db.Tx) (err error) {
			all, err = tx.Proxies(o.ID)
			return err
		}) {
			return false
		}
		for _, p := range all {
			if p.Proxy == who.ID {
				w.Href(proxyHref(o, p.Writes))
				found = true
			}
		}
	}
	return found
}

// writeGroupMembers chooses who may act for me.
func writeGroupMembers(x *exchange, r *resource, c dav.Change, u *update) error {
	if r.kind != kProxy {
		return errProtected // groups are made by whoever runs the server
	}
	u.proxies = []int64{}
	if c.Remove {
		return nil
	}
	seen := map[int64]bool{}
	for _, h := range c.Prop.Children() {
		if h.Name != dav.D("href") {
			continue
		}
		p, err := x.principalOfHref(h.Trimmed())
		if err != nil {
			return err
		}
		if p == nil || p.ID == r.owner.ID || len(seen) == maxProxies {
			return &dav.Error{Status: http.StatusForbidden, Cond: dav.D("recognized-principal")}
		}
		if !seen[p.ID] {
			seen[p.ID] = true
			u.proxies = append(u.proxies, p.ID)
		}
	}
	return nil
}

// selves are the principals whose rights are mine: I and the groups that hold
// me.
func (x *exchange) selves(tx *db.Tx) ([]int64, error) {
	me, err := directory.Grantees(tx, x.me)
	var ids []int64
	for id := range me {
		if id > 0 {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// actsFor lists for whom I may act, as a proxy myself or by a group.
func (x *exchange) actsFor() ([]db.Proxy, error) {
	if x.acting != nil {
		return x.acting, nil
	}
	x.acting = []db.Proxy{}
	err := x.store.View(x.ctx, func(tx *db.Tx) error {
		ids, err := x.selves(tx)
		if err != nil {
			return err
		}
		all, err := tx.ProxiesFor(ids)
		for _, p := range all {
			if p.Principal != x.me.ID {
				x.acting = append(x.acting, p)
			}
		}
		return err
	})
	return x.acting, err
}

// eachActedFor calls fn for those for whom I may act in one way.
func (x *exchange) eachActedFor(writes bool, fn func(*db.Principal)) bool {
	all, err := x.actsFor()
	if err != nil {
		x.broken = err
		return false
	}
	seen := map[int64]bool{}
	for _, p := range all {
		if p.Writes != writes || seen[p.Principal] {
			continue
		}
		seen[p.Principal] = true
		var who db.Principal
		if !x.view(func(tx *db.Tx) (err error) {
			who, err = tx.Principal(p.Principal)
			return err
		}) {
			return false
		}
		fn(&who)
	}
	return true
}

func readProxyReadFor(x *exchange, r *resource, w *dav.Writer) bool {
	return readProxyFor(x, r, w, false)
}

func readProxyWriteFor(x *exchange, r *resource, w *dav.Writer) bool {
	return readProxyFor(x, r, w, true)
}

func readProxyFor(x *exchange, r *resource, w *dav.Writer, writes bool) bool {
	return r.owner.ID == x.me.ID && x.eachActedFor(writes, func(p *db.Principal) { w.Href(principalHref(p)) })
}

// sharing lists those who have granted me, or a group that holds me, something
// in their homes.
func (x *exchange) sharing() ([]*db.Principal, error) {
	if x.sharers != nil {
		return x.sharers, nil
	}
	x.sharers = []*db.Principal{}
	err := x.store.View(x.ctx, func(tx *db.Tx) error {
		ids, err := x.selves(tx)
		if err != nil {
			return err
		}
		owners, err := tx.GrantedTo(ids)
		if err != nil {
			return err
		}
		acting, err := tx.ProxiesFor(ids)
		for _, p := range acting {
			owners = append(owners, p.Principal)
		}
		seen := map[int64]bool{x.me.ID: true}
		for _, id := range owners {
			if err != nil {
				return err
			}
			if seen[id] {
				continue
			}
			seen[id] = true
			var p db.Principal
			if p, err = tx.Principal(id); err == nil {
				x.sharers = append(x.sharers, &p)
			}
		}
		return err
	})
	return x.sharers, err
}
