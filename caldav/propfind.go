package caldav

import (
	"net/http"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// propfind answers a PROPFIND (RFC 4918 §9.1).
func (x *exchange) propfind(segments []string, slash bool) error {
	wanted, depth, err := x.wanted()
	if err != nil {
		return err
	}
	r, err := x.find(segments)
	if err != nil {
		return err
	}
	if depth == dav.Infinity && r.kind&kContainer != 0 {
		return tooDeep
	}
	if err := x.may(r, directory.Read); err != nil {
		return err
	}
	p, err := planOf(wanted, nil)
	if err != nil {
		return err
	}
	if r.kind&kContainer != 0 && !slash {
		x.w.Header().Set("Content-Location", r.href) // RFC 4918 §5.2
	}
	x.noroot = x.prefer.NoRoot && depth == dav.One
	ms := x.multistatus()
	if !x.noroot {
		if err := x.loadDead(p, r); err != nil {
			return err
		}
		x.render(ms, r, p)
	}
	if depth == dav.One {
		if err := x.renderMembers(ms, r, p); err != nil {
			return err
		}
	}
	if x.broken != nil {
		return x.broken
	}
	return ms.End("")
}

// wanted reads what a PROPFIND asks for, and how deep.
func (x *exchange) wanted() (dav.Request, dav.Depth, error) {
	depth, err := dav.ParseDepth(x.r.Header.Get("Depth"), dav.Infinity)
	if err != nil {
		return dav.Request{}, depth, err
	}
	root, err := x.body()
	if err != nil {
		return dav.Request{}, depth, err
	}
	wanted, err := dav.Propfind(root)
	return wanted, depth, err
}

// tooDeep refuses to list everything below a container (RFC 4918 §9.1.1).
var tooDeep = &dav.Error{Status: http.StatusForbidden, Cond: dav.D("propfind-finite-depth"), Detail: "a listing is one level deep at most"}

// renderMembers writes what is one level below r.
func (x *exchange) renderMembers(ms *dav.MultiStatus, r *resource, p *plan) error {
	if r.kind == kDirectory {
		return x.renderDirectory(ms, r, p)
	}
	if r.kind&kSynced != 0 {
		if lean, err := x.leanly(p, r); err != nil {
			return err
		} else if lean {
			return x.renderLean(ms, r, p)
		}
	}
	if r.kind&kColl != 0 {
		err := x.eachMember(r, func(page []*resource) error {
			if err := x.loadDead(p, page...); err != nil {
				return err
			}
			for _, m := range page {
				x.render(ms, m, p)
			}
			if x.broken != nil {
				return x.broken
			}
			return ms.Err()
		})
		if err != nil || r.kind != kPlain {
			return err
		}
	}
	below, err := x.below(r)
	if err != nil {
		return err
	}
	if err := x.loadDead(p, below...); err != nil {
		return err
	}
	for _, b := range below {
		x.render(ms, b, p)
	}
	return nil
}

// below are the containers in a container: of what belongs to people, only
// mine; in a home of somebody else what I may read.
func (x *exchange) below(r *resource) ([]*resource, error) {
	me := &resource{kind: kPrincipal, href: principalHref(&x.me), owner: &x.me}
	mine := func(w *wing) ([]*resource, error) {
		home, err := x.home(place{wing: w})
		return []*resource{home}, err
	}
	switch r.kind {
	case kRoot:
		if r.href == "/" {
			return []*resource{{kind: kRoot, href: hrefDAV}}, nil
		}
		return []*resource{
			{kind: kPrincipals, href: hrefPrincipals},
			{kind: kCalendars, href: dav.Path(true, "dav", wingCalendars)},
			{kind: kBooks, href: dav.Path(true, "dav", wingBooks)},
			x.directoryBook(),
		}, nil
	case kPrincipals:
		return []*resource{me}, nil
	case kPrincipal:
		if r.owner.Kind == db.Group {
			return nil, nil
		}
		var both []*resource
		for _, writes := range []bool{false, true} {
			both = append(both, &resource{kind: kProxy, href: proxyHref(r.owner, writes), owner: r.owner, writes: writes})
		}
		return both, nil
	case kCalendars:
		return mine(wings[wingCalendars])
	case kBooks:
		return mine(wings[wingBooks])
	case kCalendarHome, kBookHome:
		own, err := x.collectionsIn(r, "")
		if err != nil {
			return nil, err
		}
		others, err := x.mounted(r)
		return append(own, others...), err
	case kPlain:
		return x.collectionsIn(r, r.coll.Name)
	}
	return nil, nil
}

// collectionsIn lists the collections directly in a home or, with its name, in
// a plain collection, that I may read.
func (x *exchange) collectionsIn(r *resource, name string) ([]*resource, error) {
	cs, err := x.collections(r.owner, r.wing())
	if err != nil {
		return nil, err
	}
	var out []*resource
	for i := range cs {
		if parentPath(cs[i].Name) != name || x.elsewhere(&cs[i]) {
			continue
		}
		in := collectionResource(r.owner, cs[i])
		have, err := x.rights(in)
		if err != nil {
			return nil, err
		}
		if have&directory.Read != 0 {
			out = append(out, in)
		}
	}
	return out, nil
}

// eachMember hands out the objects of a collection page by page, by name,
// without bodies. No connection is held while fn writes (STORAGE 11).
func (x *exchange) eachMember(coll *resource, fn func(page []*resource) error) error {
	after := ""
	for {
		var os []db.Object
		err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
			os, err = tx.List(coll.coll.ID, after, pageRows)
			return err
		})
		if err != nil {
			return err
		}
		rs, err := x.members(coll, os)
		if err == nil {
			err = fn(rs)
		}
		if err != nil {
			return err
		}
		if len(os) < pageRows {
			return nil
		}
		after = os[len(os)-1].Name
	}
}

// renderLean is renderMembers where names and entity tags are enough.
func (x *exchange) renderLean(ms *dav.MultiStatus, coll *resource, p *plan) error {
	_, k := kindOf(coll.coll.Kind)
	m := &resource{kind: k, owner: coll.owner, coll: coll.coll}
	if oneComponent(coll.coll) {
		m.obj.Component = coll.coll.Components
	}
	after := ""
	for {
		var ls []db.Listed
		err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
			ls, err = tx.Names(coll.coll.ID, after, pageRows)
			return err
		})
		if err != nil {
			return err
		}
		for i := range ls {
			m.obj.Name, m.obj.ETag = ls[i].Name, ls[i].ETag
			m.href = memberHref(coll.href, ls[i].Name)
			x.render(ms, m, p)
		}
		if x.broken != nil {
			return x.broken
		}
		if err := ms.Err(); err != nil {
			return err
		}
		if len(ls) < pageRows {
			return nil
		}
		after = ls[len(ls)-1].Name
	}
}

// membersOf makes the resources of objects in a collection.
func membersOf(coll *resource, os []db.Object) []*resource {
	_, k := kindOf(coll.coll.Kind)
	rs := make([]resource, len(os))
	out := make([]*resource, len(os))
	for i := range os {
		rs[i] = resource{kind: k, href: memberHref(coll.href, os[i].Name), owner: coll.owner, coll: coll.coll, obj: os[i]}
		out[i] = &rs[i]
	}
	return out
}

// withBodies loads the bodies of some members, at most pageBodies rows or
// about pageBytes octets at a time, and hands them to fn in order. What was
// deleted meanwhile is left out.
func (x *exchange) withBodies(rs []*resource, fn func([]*resource) error) error {
	for len(rs) > 0 {
		n, size := 0, int64(0)
		for n < len(rs) && n < pageBodies && (n == 0 || size+rs[n].obj.Size <= pageBytes) {
			size += rs[n].obj.Size
			n++
		}
		ids := make([]int64, n)
		for i, r := range rs[:n] {
			ids[i] = r.obj.ID
		}
		var os []db.Object
		err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
			os, err = tx.ByIDs(ids)
			return err
		})
		if err != nil {
			return err
		}
		found := make(map[int64]db.Object, len(os))
		for _, o := range os {
			found[o.ID] = o
		}
		page := make([]*resource, 0, n)
		for _, r := range rs[:n] {
			if o, ok := found[r.obj.ID]; ok {
				r.obj = o
				page = append(page, r)
			}
		}
		if err := x.asSeen(page); err != nil {
			return err
		}
		if err := fn(page); err != nil {
			return err
		}
		rs = rs[n:]
	}
	return nil
}
