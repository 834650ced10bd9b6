package caldav

import (
	"errors"
	"net/http"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// maxACEs bounds the entries of one access control list.
const maxACEs = 200

// aclOn tells on which resource the entries of r are set: its collection or
// its home.
func (r *resource) aclOn() (string, int64) {
	switch {
	case r.kind&(kColl|kMember) != 0:
		return db.OnCollection, r.coll.ID
	case r.kind == kCalendarHome:
		return db.OnCalendarHome, r.owner.ID
	}
	return db.OnBookHome, r.owner.ID
}

// ace is one entry as DAV:acl tells it.
type ace struct {
	db.ACE
	inherited string // href of the resource on which it is set; "": this one
}

// aces are the entries of a resource that people have set: its own, and what
// it inherits from its collection and its home (RFC 3744 §5.5.4).
func (x *exchange) aces(r *resource) ([]ace, error) {
	var all []ace
	add := func(on string, id int64, inherited string, inbox bool) error {
		var set []db.ACE
		err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
			set, err = tx.ACEs(on, id)
			return err
		})
		if len(set) == 0 && inbox {
			set = directory.OpenInbox
		}
		for _, a := range set {
			if a.Rights != 0 {
				all = append(all, ace{a, inherited})
			}
		}
		return err
	}
	if r.kind&(kColl|kMember) != 0 {
		inherited := ""
		if r.kind&kMember != 0 {
			inherited = collectionHref(r.owner, r.coll)
		}
		if err := add(db.OnCollection, r.coll.ID, inherited, r.coll.Kind == db.Inbox); err != nil {
			return nil, err
		}
		on, home := db.OnCalendarHome, homeHref(r.wing(), r.owner)
		if r.wing().home == db.AddressBook {
			on = db.OnBookHome
		}
		return all, add(on, r.owner.ID, home, false)
	}
	on, id := r.aclOn()
	return all, add(on, id, "", false)
}

// readACL tells every entry: first those that cannot be changed, of the owner,
// who has everything, and of those who act for him.
func readACL(x *exchange, r *resource, w *dav.Writer) bool {
	have, err := x.rights(r)
	if err == nil && have&directory.ReadACL == 0 {
		return false
	}
	if err == nil && r.kind&kOwned == 0 {
		writeCommonACL(r, w)
		return true
	}
	var all []ace
	if err == nil {
		all, err = x.aces(r)
	}
	var who map[int64]*db.Principal
	if err == nil {
		who, err = x.grantees(all)
	}
	if err != nil {
		x.broken = err
		return false
	}
	w.Raw("<D:ace><D:principal><D:property><D:owner/></D:property></D:principal><D:grant><D:privilege><D:all/></D:privilege></D:grant><D:protected/></D:ace>")
	for _, g := range x.proxyGroups(r) {
		w.Raw("<D:ace><D:principal>")
		w.Href(g.href)
		w.Raw("</D:principal><D:grant>")
		writePrivileges(w, directory.ProxyRights(g.writes)&sense(r.kind))
		w.Raw("</D:grant><D:protected/></D:ace>")
	}
	for _, a := range all {
		p, ok := who[a.Grantee]
		if !ok && a.Grantee > 0 {
			continue // removed since
		}
		w.Raw("<D:ace><D:principal>")
		switch a.Grantee {
		case db.Authenticated:
			w.Raw("<D:authenticated/>")
		case db.Everybody:
			w.Raw("<D:all/>")
		default:
			w.Href(principalHref(p))
		}
		verb := "grant"
		if a.Deny {
			verb = "deny"
		}
		w.Raw("</D:principal><D:" + verb + ">")
		writePrivileges(w, directory.Rights(a.Rights))
		w.Raw("</D:" + verb + ">")
		if a.inherited != "" {
			w.Raw("<D:inherited>")
			w.Href(a.inherited)
			w.Raw("</D:inherited>")
		}
		w.Raw("</D:ace>")
	}
	return true
}

// writeCommonACL tells who may see what belongs to nobody, and principals: whoever
// has logged in; each may change properties of his own.
func writeCommonACL(r *resource, w *dav.Writer) {
	if r.kind&(kPrincipal|kProxy) != 0 {
		w.Raw("<D:ace><D:principal>")
		w.Href(principalHref(r.owner))
		w.Raw("</D:principal><D:grant>")
		writePrivileges(w, directory.WriteProperties)
		w.Raw("</D:grant><D:protected/></D:ace>")
	}
	w.Raw("<D:ace><D:principal><D:authenticated/></D:principal><D:grant>")
	writePrivileges(w, common)
	w.Raw("</D:grant><D:protected/></D:ace>")
}

// grantees loads the principals that entries name.
func (x *exchange) grantees(all []ace) (map[int64]*db.Principal, error) {
	who := make(map[int64]*db.Principal)
	err := x.store.View(x.ctx, func(tx *db.Tx) error {
		for _, a := range all {
			if a.Grantee <= 0 || who[a.Grantee] != nil {
				continue
			}
			p, err := tx.Principal(a.Grantee)
			if errors.Is(err, db.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			who[a.Grantee] = &p
		}
		return nil
	})
	return who, err
}

// writePrivileges names rights by the largest privileges that hold them.
func writePrivileges(w *dav.Writer, have directory.Rights) {
	var tell func(*privilege)
	tell = func(p *privilege) {
		if have&p.bits == p.bits {
			w.Raw("<D:privilege>")
			w.Empty(p.name)
			w.Raw("</D:privilege>")
			return
		}
		for _, in := range p.in {
			tell(in)
		}
	}
	tell(privileges)
}

// readACLRestrictions: RFC 3744 §5.6: entries name who is meant, not who is
// not.
func readACLRestrictions(x *exchange, r *resource, w *dav.Writer) bool {
	w.Raw("<D:no-invert/>")
	return true
}

// readInheritedACL names the resources from which entries are inherited (RFC
// 3744 §5.7).
func readInheritedACL(x *exchange, r *resource, w *dav.Writer) bool {
	switch {
	case r.kind&kMember != 0:
		w.Href(collectionHref(r.owner, r.coll))
		fallthrough
	case r.kind&kColl != 0:
		w.Href(homeHref(r.wing(), r.owner))
	}
	return true
}

// acl answers an ACL request (RFC 3744 §8.1): it replaces the entries that are
// neither protected nor inherited.
func (x *exchange) acl(segments []string, slash bool) error {
	root, err := x.body()
	if err != nil {
		return err
	}
	r, err := x.find(segments)
	if err != nil {
		return err
	}
	if r.kind&kOwned == 0 {
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.D("no-protected-ace-conflict"), Detail: "access to this cannot be changed"}
	}
	if err := x.may(r, directory.WriteACL); err != nil {
		return err
	}
	if root == nil || root.Name != dav.D("acl") {
		return &dav.Error{Status: http.StatusBadRequest, Detail: "an ACL request needs a DAV:acl"}
	}
	if r.kind&kMember != 0 {
		// Everything in a collection has the collection's entries.
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.D("no-inherited-ace-conflict"), Detail: "access is set on collections"}
	}
	set, err := x.parseACL(r, root)
	if err != nil {
		return err
	}
	if r.kind == kInbox && len(set) == 0 {
		set = []db.ACE{{Grantee: r.owner.ID}} // said, and not left open
	}
	on, id := r.aclOn()
	guard, err := x.guard(x.touch(r))
	if err != nil {
		return err
	}
	err = x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		if r.coll != nil {
			if _, err := tx.BumpCollections(r.coll.ID); err != nil {
				return err
			}
		}
		if err := guard(tx); err != nil {
			return err
		}
		if err := tx.SetACEs(on, id, set); err != nil {
			return err
		}
		if err := directory.Withdraw(tx, *r.owner); err != nil || r.kind != kCalendar {
			return err
		}
		return directory.MarkShared(tx, r.coll.ID)
	})
	if err != nil {
		return err
	}
	x.w.Header().Set("Content-Length", "0")
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// parseACL reads the entries of a request. What it refuses it names by the
// preconditions of RFC 3744 §8.1.1.
func (x *exchange) parseACL(r *resource, root *dav.Element) ([]db.ACE, error) {
	refuse := func(cond, detail string) error {
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.D(cond), Detail: detail}
	}
	bad := func(detail string) error { return &dav.Error{Status: http.StatusBadRequest, Detail: detail} }
	var set []db.ACE
	for _, e := range root.Children() {
		if e.Name != dav.D("ace") {
			continue
		}
		if e.Child(dav.D("protected")) != nil {
			continue // as it was told: it stays
		}
		if e.Child(dav.D("inherited")) != nil {
			continue // the same
		}
		who, grant, deny := e.Child(dav.D("principal")), e.Child(dav.D("grant")), e.Child(dav.D("deny"))
		switch {
		case e.Child(dav.D("invert")) != nil:
			return nil, refuse("no-invert", "an entry says who may, not who may not")
		case who == nil || (grant == nil) == (deny == nil):
			return nil, bad("an ace needs a principal, and a grant or a deny")
		case grant == nil:
			grant = deny
		}
		grantee, err := x.parseGrantee(r, who)
		if err != nil {
			return nil, err
		}
		var rights directory.Rights
		n := 0
		for _, p := range grant.Children() {
			if p.Name != dav.D("privilege") {
				continue
			}
			names := p.Children()
			if len(names) != 1 {
				return nil, bad("a privilege has one name in it")
			}
			known := privilegeByName[names[0].Name]
			if known == nil {
				return nil, refuse("not-supported-privilege", "there is no privilege "+names[0].Name.Local)
			}
			rights |= known.bits
			n++
		}
		if n == 0 {
			return nil, bad("a grant without a privilege")
		}
		if grantee == r.owner.ID {
			continue // has everything
		}
		a := db.ACE{Grantee: grantee, Rights: uint64(rights), Deny: deny != nil}
		if n := len(set); n > 0 && set[n-1].Grantee == a.Grantee && set[n-1].Deny == a.Deny {
			set[n-1].Rights |= a.Rights
			continue
		}
		if set = append(set, a); len(set) > maxACEs {
			return nil, refuse("limited-number-of-aces", "too many entries")
		}
	}
	return set, nil
}

// parseGrantee reads whom an entry is about.
func (x *exchange) parseGrantee(r *resource, who *dav.Element) (int64, error) {
	in := who.Children()
	if len(in) != 1 {
		return 0, &dav.Error{Status: http.StatusBadRequest, Detail: "a principal is one of href, all, authenticated, property"}
	}
	switch e := in[0]; e.Name {
	case dav.D("all"):
		return db.Everybody, nil
	case dav.D("authenticated"):
		return db.Authenticated, nil
	case dav.D("property"):
		if e.Child(dav.D("owner")) != nil {
			return r.owner.ID, nil
		}
	case dav.D("href"):
		if p, err := x.principalOfHref(e.Trimmed()); err != nil || p != nil {
			if err != nil {
				return 0, err
			}
			return p.ID, nil
		}
		// RFC 3744 §8.1.1
		return 0, &dav.Error{Status: http.StatusForbidden, Cond: dav.D("recognized-principal"), Detail: "nobody here has that URL"}
	}
	return 0, &dav.Error{Status: http.StatusForbidden, Cond: dav.D("allowed-principal"), Detail: "access is given to people, groups and whoever has logged in"}
}

// principalOfHref finds the principal of a URL; nil: nobody.
func (x *exchange) principalOfHref(ref string) (*db.Principal, error) {
	host, path, err := dav.Reference(ref)
	if err != nil || host != "" && !x.ourHost(host) {
		return nil, nil
	}
	segments, _, err := dav.Segments(path)
	if err != nil || len(segments) != 3 || segments[0] != "dav" || segments[1] != "principals" {
		return nil, nil
	}
	r, err := x.principal(segments[2])
	if errors.Is(err, notFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.owner, nil
}
