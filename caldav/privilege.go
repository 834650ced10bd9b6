package caldav

import (
	"encoding/xml"
	"errors"
	"net/http"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// privilege is a node of the tree of RFC 3744 §5.3: who has it has those in it.
type privilege struct {
	name  xml.Name
	about string
	bits  directory.Rights // a leaf's own; an aggregate's are those of all in it, too
	in    []*privilege
}

// privileges is the tree.
var privileges = &privilege{name: dav.D("all"), about: "everything", in: []*privilege{
	{name: dav.D("read"), about: "read", bits: directory.Read, in: []*privilege{
		{name: dav.C("read-free-busy"), about: "see busy time", bits: directory.ReadFreeBusy}, // RFC 4791 §6.1.1
		{name: dav.D("read-current-user-privilege-set"), about: "see what one may do", bits: directory.ReadPrivileges},
	}},
	{name: dav.D("read-acl"), about: "see who may do what", bits: directory.ReadACL},
	{name: dav.D("write"), about: "write", in: []*privilege{
		{name: dav.D("write-properties"), about: "change properties", bits: directory.WriteProperties},
		{name: dav.D("write-content"), about: "change content", bits: directory.WriteContent},
		{name: dav.D("bind"), about: "add members", bits: directory.Bind},
		{name: dav.D("unbind"), about: "remove members", bits: directory.Unbind},
	}},
	{name: dav.D("write-acl"), about: "change who may do what", bits: directory.WriteACL},
	{name: dav.D("unlock"), about: "remove locks of others", bits: directory.Unlock},
	{name: dav.C("schedule-deliver"), about: "deliver scheduling messages", in: []*privilege{ // RFC 6638 §6.1
		{name: dav.C("schedule-deliver-invite"), about: "deliver invitations", bits: directory.DeliverInvite},
		{name: dav.C("schedule-deliver-reply"), about: "deliver replies", bits: directory.DeliverReply},
		{name: dav.C("schedule-query-freebusy"), about: "ask for busy time", bits: directory.QueryFreeBusy},
	}},
	{name: dav.C("schedule-send"), about: "send scheduling messages", in: []*privilege{ // RFC 6638 §6.2
		{name: dav.C("schedule-send-invite"), about: "send invitations", bits: directory.SendInvite},
		{name: dav.C("schedule-send-reply"), about: "send replies", bits: directory.SendReply},
		{name: dav.C("schedule-send-freebusy"), about: "ask for busy time", bits: directory.SendFreeBusy},
	}},
}}

// privilegeByName finds nodes of the tree.
var privilegeByName = map[xml.Name]*privilege{}

func init() {
	var sum func(*privilege) directory.Rights
	sum = func(p *privilege) directory.Rights {
		privilegeByName[p.name] = p
		for _, in := range p.in {
			p.bits |= sum(in)
		}
		return p.bits
	}
	sum(privileges)
}

// common is what everybody who has logged in may do with what belongs to nobody
// and with principals, and owners with everything.
const common = directory.Reading | directory.ReadACL

// sense is what makes sense on a kind of resource: the rights of its owner.
func sense(k kind) directory.Rights {
	switch {
	case k&kOwned == 0:
		return common
	case k == kInbox:
		// RFC 6638 §2.2: nobody but the server puts anything there.
		return common | directory.WriteProperties | directory.Unbind | directory.WriteACL | directory.Unlock | directory.Delivering
	case k == kOutbox:
		return common | directory.WriteProperties | directory.WriteACL | directory.Sending
	case k == kBox: // only the server puts anything there
		return common | directory.Unbind
	case k == kTold:
		return common
	case k == kNotice:
		return common | directory.WriteProperties
	}
	return common | directory.Writing | directory.WriteACL | directory.Unlock
}

// rights are those that I have on a resource.
func (x *exchange) rights(r *resource) (directory.Rights, error) {
	switch {
	case r.kind&(kPrincipal|kProxy) != 0 && r.owner.ID == x.me.ID:
		return common | directory.WriteProperties, nil
	case r.kind&kOwned == 0:
		return common, nil
	case r.owner.ID == x.me.ID:
		return sense(r.kind), nil
	}
	g, err := x.granted(r.owner)
	if err != nil {
		return 0, err
	}
	var have directory.Rights
	switch {
	case r.kind&(kColl|kMember) != 0:
		have = g.Collections[r.coll.ID]
	case r.kind == kCalendarHome:
		if have = g.CalendarHome; g.VisibleCalendars {
			have |= directory.Reading
		}
	case r.kind == kBookHome:
		if have = g.BookHome; g.VisibleBooks {
			have |= directory.Reading
		}
	}
	return have & sense(r.kind), nil
}

// granted loads what I may do in another's homes, once for a request.
func (x *exchange) granted(owner *db.Principal) (directory.Grants, error) {
	if g, ok := x.grants[owner.ID]; ok {
		return g, nil
	}
	var g directory.Grants
	err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		g, err = directory.Granted(tx, x.me, *owner)
		return err
	})
	if err == nil {
		if x.grants == nil {
			x.grants = make(map[int64]directory.Grants)
		}
		x.grants[owner.ID] = g
	}
	return g, err
}

// visible is hidden for a resource in a home in which I may see nothing, and
// notFound for one that I may not know of among others that I may see: nobody
// learns what is there of what he may not see.
func (x *exchange) visible(r *resource) error {
	if r.owner != nil && r.owner.ID == x.me.ID {
		return nil
	}
	have, err := x.rights(r)
	switch {
	case err != nil || have&directory.Knowing != 0:
		return err
	case r.kind&(kColl|kMember) == 0:
		return hidden
	}
	if have, err = x.rights(&resource{kind: r.wing().node, owner: r.owner}); err == nil {
		if err = notFound; have&directory.Knowing == 0 {
			err = hidden
		}
	}
	return err
}

// unseen reports whether an error says that there is nothing, or nothing that I
// may know of.
func unseen(err error) bool { return errors.Is(err, notFound) || errors.Is(err, hidden) }

// may refuses what I have no right to on a resource that I may know of (RFC
// 3744 §7.1.1). All of the bits are needed.
func (x *exchange) may(r *resource, need directory.Rights) error {
	if r.owner != nil && r.owner.ID == x.me.ID && r.kind&kOwned != 0 && need&^sense(r.kind) == 0 {
		return nil
	}
	have, err := x.rights(r)
	if err != nil {
		return err
	}
	missing := need &^ have
	if missing == 0 {
		return nil
	}
	e := &dav.Error{Status: http.StatusForbidden, Cond: dav.D("need-privileges"), Hrefs: []string{r.href}}
	var name func(p *privilege)
	name = func(p *privilege) {
		if len(p.in) == 0 && p.bits&missing != 0 || p.name == dav.D("read") && missing&directory.Read != 0 {
			e.Privileges = append(e.Privileges, p.name)
		}
		for _, in := range p.in {
			name(in)
		}
	}
	name(privileges)
	return e
}

// readPrivileges tells them one by one, aggregates and what is in them:
// programs look for the one that they know.
func readPrivileges(x *exchange, r *resource, w *dav.Writer) bool {
	have, err := x.rights(r)
	if err != nil {
		x.broken = err
		return false
	}
	if have&directory.ReadPrivileges == 0 {
		return false
	}
	if r.mount != nil { // whose properties I have for myself
		have |= directory.WriteProperties
	}
	const every = directory.Reading | directory.ReadACL | directory.Writing | directory.WriteACL
	var tell func(*privilege)
	tell = func(p *privilege) {
		whole := p.bits
		if p == privileges {
			whole = every
		}
		if have&whole == whole {
			w.Raw("<D:privilege>")
			w.Empty(p.name)
			w.Raw("</D:privilege>")
		}
		for _, in := range p.in {
			tell(in)
		}
	}
	tell(privileges)
	return true
}

func readSupportedPrivileges(x *exchange, r *resource, w *dav.Writer) bool {
	var tree func(*privilege)
	tree = func(p *privilege) {
		w.Raw("<D:supported-privilege><D:privilege>")
		w.Empty(p.name)
		w.Raw(`</D:privilege><D:description xml:lang="en">` + p.about + "</D:description>")
		for _, in := range p.in {
			tree(in)
		}
		w.Raw("</D:supported-privilege>")
	}
	tree(privileges)
	return true
}
