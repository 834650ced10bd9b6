package caldav

import (
	"encoding/xml"

	"github.com/convene-server/convene/caldav/dav"
)

// privilege is a node of the tree of RFC 3744 §5.3: who has it has those in it.
type privilege struct {
	name  xml.Name
	about string
	in    []privilege
}

var (
	pRead = privilege{dav.D("read"), "read", []privilege{
		{dav.C("read-free-busy"), "see busy time", nil}, // RFC 4791 §6.1.1
		{dav.D("read-acl"), "see who may do what", nil},
		{dav.D("read-current-user-privilege-set"), "see what one may do", nil},
	}}
	pWrite = privilege{dav.D("write"), "write", []privilege{
		{dav.D("write-properties"), "change properties", nil},
		{dav.D("write-content"), "change content", nil},
		{dav.D("bind"), "add members", nil},
		{dav.D("unbind"), "remove members", nil},
	}}
	// RFC 6638 §6.1
	pDeliver = privilege{dav.C("schedule-deliver"), "deliver scheduling messages", []privilege{
		{dav.C("schedule-deliver-invite"), "deliver invitations", nil},
		{dav.C("schedule-deliver-reply"), "deliver replies", nil},
		{dav.C("schedule-query-freebusy"), "ask for busy time", nil},
	}}
	// RFC 6638 §6.2
	pSend = privilege{dav.C("schedule-send"), "send scheduling messages", []privilege{
		{dav.C("schedule-send-invite"), "send invitations", nil},
		{dav.C("schedule-send-reply"), "send replies", nil},
		{dav.C("schedule-send-freebusy"), "ask for busy time", nil},
	}}
	pAll = privilege{dav.D("all"), "everything", []privilege{pRead, pWrite, pDeliver, pSend}}
)

// privileges that I have on a resource: its owner everything that makes sense
// there, anybody who has logged in the reading of what is common.
func (x *exchange) privileges(r *resource) []privilege {
	switch {
	case r.kind == kPrincipal && r.owner.ID != x.me.ID, r.kind&(kPrincipal|kHome|kColl|kMember) == 0:
		return []privilege{pRead}
	case r.kind == kPrincipal:
		return []privilege{pRead, {name: dav.D("write-properties")}}
	case r.kind == kInbox:
		// RFC 6638 §2.2: nobody but the server puts anything there.
		return []privilege{pRead, {name: dav.D("write-properties")}, {name: dav.D("unbind")}, pDeliver}
	case r.kind == kOutbox:
		return []privilege{pRead, {name: dav.D("write-properties")}, pSend}
	case r.kind == kNotice:
		return []privilege{pRead, {name: dav.D("write-properties")}}
	}
	return []privilege{{name: dav.D("all")}, pRead, pWrite}
}

// readPrivileges tells them one by one, aggregates and what is in them:
// programs look for the one that they know.
func readPrivileges(x *exchange, r *resource, w *dav.Writer) bool {
	var all func([]privilege)
	all = func(ps []privilege) {
		for _, p := range ps {
			w.Raw("<D:privilege>")
			w.Empty(p.name)
			w.Raw("</D:privilege>")
			all(p.in)
		}
	}
	all(x.privileges(r))
	return true
}

func readSupportedPrivileges(x *exchange, r *resource, w *dav.Writer) bool {
	var tree func(privilege)
	tree = func(p privilege) {
		w.Raw("<D:supported-privilege><D:privilege>")
		w.Empty(p.name)
		w.Raw(`</D:privilege><D:description xml:lang="en">` + p.about + "</D:description>")
		for _, in := range p.in {
			tree(in)
		}
		w.Raw("</D:supported-privilege>")
	}
	tree(pAll)
	return true
}

// readACL says what is so: the owner has everything, and that cannot be
// changed.
func readACL(x *exchange, r *resource, w *dav.Writer) bool {
	w.Raw("<D:ace><D:principal><D:property><D:owner/></D:property></D:principal><D:grant><D:privilege><D:all/></D:privilege></D:grant><D:protected/></D:ace>")
	return true
}

func readACLRestrictions(x *exchange, r *resource, w *dav.Writer) bool {
	w.Raw("<D:grant-only/><D:no-invert/>")
	return true
}

// acl refuses every change: all entries are protected (RFC 3744 §8.1.1).
func (x *exchange) acl(segments []string, slash bool) error {
	if _, err := x.find(segments); err != nil {
		return err
	}
	return &dav.Error{Status: 403, Cond: dav.D("no-protected-ace-conflict"), Detail: "access cannot be granted yet"}
}
