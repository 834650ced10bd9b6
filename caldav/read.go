package caldav

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

func readNothing(*exchange, *resource, *dav.Writer) bool { return true }

func readResourceType(x *exchange, r *resource, w *dav.Writer) bool {
	if r.kind&kContainer != 0 {
		w.Raw("<D:collection/>")
	}
	switch r.kind {
	case kPrincipal:
		w.Raw("<D:principal/>") // RFC 3744 §4
	case kProxy:
		w.Raw("<D:principal/>")
		w.Empty(dav.CS(proxyNames[r.writes]))
	case kCalendar:
		w.Raw("<C:calendar/>") // RFC 4791 §4.2
		switch {               // caldav-sharing §5.2.1
		case r.mount != nil:
			w.Raw("<CS:shared/>")
		case r.coll.Shared && r.owner.ID == x.me.ID:
			w.Raw("<CS:shared-owner/>")
		}
	case kBox:
		w.Raw("<CS:notification/>") // caldav-sharing §4
	case kInbox:
		w.Raw("<C:schedule-inbox/>") // RFC 6638 §2.2
	case kOutbox:
		w.Raw("<C:schedule-outbox/>") // RFC 6638 §2.1
	case kBook:
		w.Raw("<CR:addressbook/>") // RFC 6352 §5.2
	case kDirectory:
		w.Raw("<CR:addressbook/><CR:directory/>") // Apple's programs search what is a directory, and copy what is none
	}
	return true
}

func readDisplayName(x *exchange, r *resource, w *dav.Writer) bool {
	name := ""
	switch {
	case r.mount != nil:
		name = r.title()
	case r.kind&kColl != 0:
		if name = r.coll.DisplayName; name == "" {
			name = r.coll.Name[len(parentPath(r.coll.Name)):]
			name = strings.TrimPrefix(name, "/")
		}
	case r.kind&(kPrincipal|kHome) != 0:
		if name = r.owner.Name; name == "" {
			name = r.owner.Address
		}
	case r.kind == kProxy:
		name = proxyNames[r.writes]
	case r.kind == kRoot:
		name = "Convene"
	case r.kind == kPrincipals:
		name = "People, rooms and groups"
	case r.kind == kCalendars:
		name = "Calendars"
	case r.kind == kBooks:
		name = "Address books"
	case r.kind == kDirectory:
		name = "Directory"
	}
	w.Text(name)
	return true
}

func readCreationDate(x *exchange, r *resource, w *dav.Writer) bool {
	t := r.obj.Created
	if r.kind&kColl != 0 {
		t = r.coll.Created
	}
	if t.IsZero() {
		return false
	}
	w.Raw(t.UTC().Format(time.RFC3339))
	return true
}

func readETag(x *exchange, r *resource, w *dav.Writer) bool {
	w.Raw(`"`)
	w.Text(r.etag())
	w.Raw(`"`)
	return true
}

// etag is the entity tag of an object, and of a collection one that changes
// with anything in it; "" of what has none.
func (r *resource) etag() string {
	switch {
	case r.kind&kSynced != 0:
		return r.coll.Incarnation + "-" + strconv.FormatInt(r.coll.Modseq, 10)
	case r.kind&kFixed != 0:
		return "1"
	}
	return r.obj.ETag
}

var blanks = regexp.MustCompile(`[ \t]*;[ \t]*`)

func readContentType(x *exchange, r *resource, w *dav.Writer) bool {
	switch {
	case r.kind == kNotice:
		w.Text("text/calendar;charset=utf-8") // word for word what Apple's programs got of an inbox
		return true
	case r.kind&kContainer != 0:
		w.Text("httpd/unix-directory") // as everywhere, and nothing that could be taken for an object
		return true
	}
	if r.kind == kFile { // as it came, but for blanks around ";"
		w.Text(blanks.ReplaceAllString(contentType(r), ";"))
		return true
	}
	w.Text(contentType(r))
	return true
}

func readContentLength(x *exchange, r *resource, w *dav.Writer) bool {
	if r.kind&kContainer != 0 { // RFC 4918 §15.4: of what GET returns
		w.Int(int64(len(containerText)))
		return true
	}
	size := r.obj.Size
	if r.guest && r.obj.Body == nil {
		var err error
		if size, err = x.sizeSeen(r); err != nil {
			x.broken = err
			return false
		}
	}
	w.Int(size)
	return true
}

func readLastModified(x *exchange, r *resource, w *dav.Writer) bool {
	w.Raw(dav.Date(r.obj.Modified))
	return true
}

func readCurrentUserPrincipal(x *exchange, r *resource, w *dav.Writer) bool {
	w.Href(principalHref(&x.me))
	return true
}

func readPrincipalURL(x *exchange, r *resource, w *dav.Writer) bool {
	w.Href(r.href)
	return true
}

func readPrincipalCollections(x *exchange, r *resource, w *dav.Writer) bool {
	w.Href(hrefPrincipals)
	return true
}

func readOwner(x *exchange, r *resource, w *dav.Writer) bool {
	w.Href(principalHref(r.owner))
	return true
}

func readSupportedReports(x *exchange, r *resource, w *dav.Writer) bool {
	for i := range reports {
		if t := &reports[i]; t.kinds&r.kind != 0 {
			w.Raw("<D:supported-report><D:report>")
			w.Empty(t.name)
			w.Raw("</D:report></D:supported-report>")
		}
	}
	return true
}

// readResourceID makes a URN that stays with a resource (RFC 5842 §3.1).
func readResourceID(x *exchange, r *resource, w *dav.Writer) bool {
	if r.kind == kDirectory { // of this store
		epoch, err := x.storeEpoch()
		if err != nil {
			x.broken = err
			return false
		}
		w.Raw("<D:href>urn:uuid:" + stableUUID("directory "+epoch) + "</D:href>")
		return true
	}
	what := principalName(r.owner)
	switch {
	case r.kind == kProxy:
		what = proxyNames[r.writes] + " " + what
	case r.kind&kHome != 0:
		what = fmt.Sprint(r.kind, " ", what)
	case r.kind&kColl != 0:
		what = "collection " + r.coll.Incarnation
	case r.kind&kMember != 0:
		what = fmt.Sprint("object ", r.obj.ID, " ", r.obj.Created.UnixMicro())
	}
	w.Raw("<D:href>urn:uuid:" + stableUUID(what) + "</D:href>")
	return true
}

// principalName is one that no other principal ever had.
func principalName(p *db.Principal) string {
	return fmt.Sprint("principal ", p.ID, " ", p.Created.UnixMicro())
}

// stableUUID makes a UUID of a name that is unique here (RFC 9562 §5.5).
func stableUUID(name string) string {
	h := sha1.Sum([]byte("convene " + name))
	h[6] = h[6]&0x0f | 0x50
	h[8] = h[8]&0x3f | 0x80
	s := hex.EncodeToString(h[:16])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func readSyncToken(x *exchange, r *resource, w *dav.Writer) bool {
	if r.kind&kHome != 0 {
		epoch, err := x.storeEpoch()
		var now homeState
		if err == nil {
			_, now, err = x.homeNow(r)
		}
		if err != nil {
			x.broken = err
			return false
		}
		w.Text(homeToken(epoch, r.owner.ID, r.wing(), now))
		return true
	}
	t, ok := x.token(r)
	w.Text(t)
	return ok
}

// token is the sync-token of a collection as it was loaded.
func (x *exchange) token(r *resource) (string, bool) {
	epoch, err := x.storeEpoch()
	if err != nil {
		x.broken = err
		return "", false
	}
	return syncToken{epoch: epoch, incarnation: r.coll.Incarnation, modseq: r.coll.Modseq}.String(), true
}

// readCTag is the same for a collection. That of a home changes whenever
// something in it does: iOS looks at nothing else.
func readCTag(x *exchange, r *resource, w *dav.Writer) bool {
	if r.kind&kHome == 0 {
		t, ok := x.token(r)
		w.Text(t)
		return ok
	}
	cs, err := x.collections(r.owner, r.wing())
	if err != nil {
		x.broken = err
		return false
	}
	others, err := x.mounted(r)
	if err != nil {
		x.broken = err
		return false
	}
	h := fnv.New64a()
	for _, c := range cs {
		fmt.Fprintf(h, "%s %d ", c.Incarnation, c.Modseq)
	}
	for _, c := range others {
		fmt.Fprintf(h, "%s %s %d ", c.mount.Name, c.coll.Incarnation, c.coll.Modseq)
	}
	w.Raw(strconv.FormatUint(h.Sum64(), 16))
	return true
}

func readMaxResourceSize(x *exchange, r *resource, w *dav.Writer) bool {
	w.Int(x.maxResource)
	return true
}

func readCollations(x *exchange, r *resource, w *dav.Writer) bool {
	for _, c := range dav.Collations {
		w.Raw("<C:supported-collation>" + c + "</C:supported-collation>")
	}
	return true
}

// contentType of an object, with its component, which saves programs a look
// inside (RFC 5545 §8.1).
func contentType(r *resource) string {
	if r.form != "" {
		return r.form
	}
	switch r.kind {
	case kCard, kEntry:
		return "text/vcard; charset=utf-8"
	case kFile:
		return r.obj.Component
	case kTold:
		return "application/xml; charset=utf-8"
	}
	switch r.obj.Component {
	case "VEVENT":
		return "text/calendar; charset=utf-8; component=VEVENT"
	case "":
		return "text/calendar; charset=utf-8"
	}
	return "text/calendar; charset=utf-8; component=" + r.obj.Component
}

// view reads outside of a transaction for a property; false: it failed, and
// the exchange with it.
func (x *exchange) view(fn func(*db.Tx) error) bool {
	if err := x.store.View(x.ctx, fn); err != nil {
		x.broken = err
		return false
	}
	return true
}

// collections lists those in somebody's home, once for a request.
func (x *exchange) collections(owner *db.Principal, w *wing) ([]db.Collection, error) {
	k := homeKey{owner.ID, w}
	if cs, ok := x.listed[k]; ok {
		return cs, nil
	}
	var cs []db.Collection
	err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		cs, err = tx.Collections(owner.ID, w.kinds...)
		return err
	})
	if err == nil {
		if x.listed == nil {
			x.listed = make(map[homeKey][]db.Collection)
		}
		x.listed[k] = cs
	}
	return cs, err
}

// storeEpoch is part of every token: after a restore or a lossy failover older
// tokens are worth nothing (STORAGE 10). It is read anew every second; until
// then a token of the old epoch only makes a program start over.
func (d *door) storeEpoch() (string, error) {
	d.epochMu.Lock()
	defer d.epochMu.Unlock()
	if now := time.Now(); d.epoch == "" || now.Sub(d.epochAt) > time.Second {
		epoch, err := d.loadEpoch()
		if err != nil {
			return "", err
		}
		d.epoch, d.epochAt = epoch, now
	}
	return d.epoch, nil
}
