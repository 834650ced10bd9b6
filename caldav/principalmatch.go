package caldav

import (
	"net/http"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// principalMatch tells which principals are me (RFC 3744 §9.3).
func (x *exchange) principalMatch(r *resource, root *dav.Element) error {
	p, err := planOf(dav.WantedIn(root), nil)
	if err != nil {
		return err
	}
	if err := oneProp(root); err != nil { // RFC 3744 §9.3
		return err
	}
	ms := x.multistatus()
	if root.Child(dav.D("self")) == nil {
		return x.matchByProperty(ms, r, root.Child(dav.D("principal-property")), p)
	}
	if r.kind&(kPrincipals|kRoot) == 0 {
		return ms.End("") // only principals are me
	}
	who := []db.Principal{x.me}
	if err := x.store.View(x.ctx, func(tx *db.Tx) error {
		groups, err := tx.GroupsOf(x.me.ID)
		who = append(who, groups...)
		return err
	}); err != nil {
		return err
	}
	var acting []*resource // groups that hold me: those of whom I act for
	for _, writes := range []bool{false, true} {
		if !x.eachActedFor(writes, func(p *db.Principal) {
			acting = append(acting, &resource{kind: kProxy, href: proxyHref(p, writes), owner: p, writes: writes})
		}) {
			return x.broken
		}
	}
	if err := x.renderLoaded(ms, acting, p); err != nil {
		return err
	}
	return x.renderPrincipals(ms, who, p)
}

// matchByProperty finds what is directly in a resource and names me in one of
// its properties (RFC 3744 §9.3: DAV:principal-property).
func (x *exchange) matchByProperty(ms *dav.MultiStatus, r *resource, in *dav.Element, p *plan) error {
	if in == nil || len(in.Children()) != 1 {
		return &dav.Error{Status: http.StatusBadRequest, Detail: "a principal-match asks for self, or for one principal-property"}
	}
	name := in.Children()[0].Name
	t := live[name]
	me := principalHref(&x.me) + "</"
	names := func(m *resource) bool {
		if t == nil { // one that a program keeps there
			d := m.deadNamed(name)
			return d != nil && strings.Contains(d.XML, ">"+me)
		}
		var w dav.Writer
		return t.kinds&m.kind != 0 && t.read(x, m, &w) && strings.Contains(string(w.Bytes()), "<D:href>"+me+"D:href>")
	}
	asked := &plan{wants: []want{{name: name, prop: t}}}
	tell := func(page []*resource) error {
		if err := x.loadDead(asked, page...); err != nil {
			return err
		}
		var matched []*resource
		for _, m := range page {
			if names(m) {
				matched = append(matched, m)
			}
		}
		return x.renderLoaded(ms, matched, p)
	}
	below, err := x.below(r)
	if err == nil {
		err = tell(below)
	}
	if err == nil && r.kind&kColl != 0 && r.kind != kOutbox {
		err = x.eachMember(r, tell)
	}
	if err != nil {
		return err
	}
	return ms.End("")
}

// oneProp refuses a report that asks twice for properties.
func oneProp(root *dav.Element) error {
	props := 0
	for _, c := range root.Children() {
		if c.Name == dav.D("prop") {
			props++
		}
	}
	if props > 1 {
		return &dav.Error{Status: http.StatusBadRequest, Detail: root.Name.Local + " has one prop"}
	}
	return nil
}

// aclPrincipals tells about the principals in the access control list (RFC
// 3744 §9.2): the owner, those who act for him, and whom the entries name.
func (x *exchange) aclPrincipals(r *resource, root *dav.Element) error {
	if err := oneProp(root); err != nil { // RFC 3744 §9.2
		return err
	}
	wanted := dav.WantedIn(root)
	if !wanted.AllProp && !wanted.PropName && wanted.Props == nil {
		return &dav.Error{Status: http.StatusBadRequest, Detail: "the report names no property"}
	}
	p, err := planOf(wanted, nil)
	if err != nil {
		return err
	}
	if err := x.may(r, directory.ReadACL); err != nil {
		return err
	}
	if r.owner == nil { // of the folder: who has logged in, and nobody by name
		return x.multistatus().End("")
	}
	all, err := x.aces(r)
	if err != nil {
		return err
	}
	named, err := x.grantees(all)
	if err != nil {
		return err
	}
	who := []db.Principal{*r.owner}
	for _, a := range all {
		if p := named[a.Grantee]; p != nil {
			who = append(who, *p)
			delete(named, a.Grantee)
		}
	}
	ms := x.multistatus()
	for _, g := range x.proxyGroups(r) {
		if err := x.loadDead(p, g); err != nil {
			return err
		}
		x.render(ms, g, p)
	}
	return x.renderPrincipals(ms, who, p)
}
