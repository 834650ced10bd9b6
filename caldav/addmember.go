package caldav

import (
	"crypto/rand"
	"mime"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/directory"
)

// addMemberName is the last segment of the URL to which new members are posted
// (RFC 5995 §3.1). Nothing else can have the name.
const addMemberName = ";add-member"

// readAddMember tells that URL (RFC 5995 §3.2).
func readAddMember(x *exchange, r *resource, w *dav.Writer) bool {
	w.Href(r.href + addMemberName)
	return true
}

// addMember answers a POST of a new member, which gets a name here.
func (x *exchange) addMember(p place) error {
	coll, err := x.collection(place{owner: p.owner, wing: p.wing, coll: p.coll})
	if err != nil {
		return err
	}
	if coll.kind&(kCalendar|kBook|kPlain) == 0 {
		return needs(coll.href, "bind")
	}
	if err := x.may(coll, directory.Bind); err != nil {
		return err
	}
	p.member = strings.ToLower(rand.Text())
	x.added = true
	switch coll.kind {
	case kCalendar:
		p.member += ".ics"
		return x.putEvent(coll, p.member, false)
	case kBook:
		p.member += ".vcf"
		return x.putCard(coll, p.member)
	}
	if m, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err == nil {
		if es, err := mime.ExtensionsByType(m); err == nil && len(es) > 0 {
			p.member += es[0]
		}
	}
	return x.putFile(coll, p)
}
