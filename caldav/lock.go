package caldav

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// Bounds of locks.
const (
	maxLockTime  = 7 * 24 * time.Hour
	maxLocks     = 1_000   // in one home
	maxLockAbout = 4 << 10 // octets of DAV:owner
)

// lock answers a LOCK (RFC 4918 §9.10): with a body a new lock, without one
// that of the If header gets more time.
func (x *exchange) lock(segments []string, slash bool) error {
	root, err := x.body()
	if err != nil {
		return err
	}
	p, ok := x.placeOf(segments)
	if !ok {
		if _, err := x.find(segments); err != nil {
			return err
		}
		return &dav.Error{Status: http.StatusForbidden, Detail: "what holds the tree together is not locked"}
	}
	r, err := x.locate(p)
	if errors.Is(err, db.ErrNotFound) && p.member != "" && root != nil {
		return x.lockNew(p, root)
	}
	if err != nil {
		return err
	}
	t := x.touch(r)
	if root == nil {
		return x.refreshLock(r, t)
	}
	if err := x.mayLock(r); err != nil {
		return err
	}
	l, err := x.newLock(t, root)
	if err != nil {
		return err
	}
	lists, err := x.ifHeader()
	if err != nil {
		return err
	}
	var below []db.Collection
	err = x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		if l.Deep && r.kind == kPlain {
			if below, err = tx.CollectionsBelow(r.owner.ID, db.Plain, r.coll.Name); err != nil {
				return err
			}
		}
		ids := []int64{r.coll.ID}
		for _, c := range below {
			ids = append(ids, c.ID)
		}
		// Whoever writes there holds this row: he is done, or will see the lock.
		if _, err := tx.BumpCollections(ids...); err != nil {
			return err
		}
		return x.insertLock(tx, l, t, lists)
	})
	if err != nil {
		return x.lockRefused(err, r.href)
	}
	return x.sendLock(l, r.owner, http.StatusOK)
}

// mayLock: whoever may change a resource may lock it.
func (x *exchange) mayLock(r *resource) error {
	if r.kind&kContainer != 0 {
		if have, err := x.rights(r); err != nil || have&(directory.Bind|directory.Unbind) != 0 {
			return err
		}
		return x.may(r, directory.WriteProperties)
	}
	if r.kind == kNotice {
		return x.may(r, directory.WriteProperties)
	}
	return x.may(r, directory.WriteContent)
}

// lockNew locks what is not there yet (RFC 4918 §7.3): in a plain collection
// an empty file is made. A calendar or an address book holds nothing empty;
// there the name is kept for whoever has the lock.
func (x *exchange) lockNew(p place, root *dav.Element) error {
	coll, err := x.collection(place{owner: p.owner, wing: p.wing, coll: p.coll})
	if errors.Is(err, db.ErrNotFound) {
		return &dav.Error{Status: http.StatusConflict, Detail: "the collection does not exist"}
	}
	if err != nil {
		return err
	}
	if err := x.may(coll, directory.Bind); err != nil {
		return err
	}
	t := touchAt(coll.owner, p).comes()
	l, err := x.newLock(t, root)
	if err != nil {
		return err
	}
	guard, err := x.guard(t)
	if err != nil {
		return err
	}
	err = x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		modseqs, err := tx.BumpCollections(coll.coll.ID)
		if err != nil {
			return err
		}
		if err := guard(tx); err != nil {
			return err
		}
		if coll.kind == kPlain {
			o := db.Object{Collection: coll.coll.ID, Name: p.member, UID: fileUID(), Component: defaultMedia, Modseq: modseqs[coll.coll.ID]}
			if err := tx.PutObject(&o, nil, db.Indexed{}, 0); err != nil {
				return err
			}
		}
		return x.insertLock(tx, l, t, nil)
	})
	if err != nil {
		return x.lockRefused(err, memberHref(coll.href, p.member))
	}
	return x.sendLock(l, coll.owner, http.StatusCreated)
}

// newLock reads what a LOCK asks for.
func (x *exchange) newLock(t touch, root *dav.Element) (db.DavLock, error) {
	l := db.DavLock{Owner: t.owner.ID, Home: t.wing.home, Path: t.path, Holder: x.me.ID, Token: lockToken()}
	info, err := dav.ParseLockinfo(root)
	if err != nil {
		return l, err
	}
	depth, err := dav.ParseDepth(x.r.Header.Get("Depth"), dav.Infinity) // RFC 4918 §9.10.3
	if err != nil {
		return l, err
	}
	if depth == dav.One {
		return l, &dav.Error{Status: http.StatusBadRequest, Detail: "the Depth of a lock is 0 or infinity"}
	}
	l.Shared, l.Deep = info.Shared, depth == dav.Infinity
	if info.Owner != nil {
		var w dav.Writer
		w.Tree(info.Owner)
		if len(w.Bytes()) > maxLockAbout {
			return l, &dav.Error{Status: http.StatusForbidden, Detail: "the owner of the lock is described at too great length"}
		}
		l.About = string(w.Bytes())
	}
	l.Timeout = x.lockTime()
	return l, nil
}

func (x *exchange) lockTime() time.Duration {
	return time.Duration(dav.ParseTimeout(x.r.Header.Get("Timeout"), int64(maxLockTime/time.Second))) * time.Second
}

// insertLock stores a lock unless another stands against it.
func (x *exchange) insertLock(tx *db.Tx, l db.DavLock, t touch, lists []dav.IfList) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	locks := map[homeKey][]db.DavLock{}
	here, err := x.locksOf(tx, locks, t.owner, t.wing, now)
	if err != nil {
		return err
	}
	if lists != nil {
		if ok, err := x.ifMet(tx, lists, locks, now, []touch{t}); err != nil || !ok {
			return errors.Join(err, &dav.Error{Status: http.StatusPreconditionFailed, Detail: "no list of the If header is true"})
		}
	}
	if len(here) >= maxLocks {
		return &dav.Error{Status: http.StatusInsufficientStorage, Detail: "there are too many locks in this home"}
	}
	for i := range here {
		o := &here[i]
		if o.Shared && l.Shared {
			continue
		}
		if o.Path == l.Path || o.Deep && below(l.Path, o.Path) || l.Deep && below(o.Path, l.Path) {
			return &lockConflict{href: lockRoot(t.owner, t.wing, o.Path), inside: below(o.Path, l.Path)}
		}
	}
	l.Expires = now.Add(l.Timeout)
	return tx.InsertDavLock(l, now)
}

// lockConflict is another lock in the way of a new one.
type lockConflict struct {
	href   string
	inside bool // somewhere below what was to be locked
}

func (*lockConflict) Error() string { return "caldav: another lock is in the way" }

// lockRefused tells of a conflict: a lock inside fails the request as a whole,
// with the reason beside it (RFC 4918 §9.10.3).
func (x *exchange) lockRefused(err error, href string) error {
	var c *lockConflict
	if !errors.As(err, &c) {
		return err
	}
	if !c.inside {
		return &dav.Error{Status: http.StatusLocked, Cond: dav.D("no-conflicting-lock"), Hrefs: []string{c.href}}
	}
	ms := x.multistatus()
	ms.Status(c.href, http.StatusLocked, dav.D("no-conflicting-lock"))
	ms.Status(href, http.StatusFailedDependency)
	return ms.End("")
}

// refreshLock gives a lock that the If header names more time (RFC 4918
// §9.10.2).
func (x *exchange) refreshLock(r *resource, t touch) error {
	lists, err := x.ifHeader()
	if err != nil {
		return err
	}
	submitted := tokensOf(lists)
	if len(submitted) == 0 {
		return &dav.Error{Status: http.StatusBadRequest, Detail: "a LOCK without a body refreshes the lock of its If header"}
	}
	var l db.DavLock
	err = x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		here, err := tx.DavLocks(t.owner.ID, t.wing.home, now)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(here, func(l db.DavLock) bool {
			return l.Holder == x.me.ID && slices.Contains(submitted, l.Token) && (l.Path == t.path || l.Deep && below(t.path, l.Path))
		})
		if i < 0 {
			return &dav.Error{Status: http.StatusPreconditionFailed, Cond: dav.D("lock-token-matches-request-uri")}
		}
		l = here[i]
		l.Timeout = x.lockTime()
		l.Expires = now.Add(l.Timeout)
		return tx.RefreshDavLock(l.Token, l.Timeout, l.Expires)
	})
	if err != nil {
		return err
	}
	return x.sendLock(l, r.owner, http.StatusOK)
}

// sendLock answers with the lock, as lockdiscovery tells it.
func (x *exchange) sendLock(l db.DavLock, owner *db.Principal, status int) error {
	if x.r.ContentLength != 0 || status == http.StatusCreated {
		x.w.Header().Set("Lock-Token", "<"+l.Token+">") // RFC 4918 §9.10.1: of a new lock
	}
	body := dav.Document(dav.D("prop"), func(w *dav.Writer) {
		w.Raw("<D:lockdiscovery>")
		writeLock(w, &l, owner, l.Timeout)
		w.Raw("</D:lockdiscovery>")
	})
	x.sendXML(status, body)
	return nil
}

func writeLock(w *dav.Writer, l *db.DavLock, owner *db.Principal, left time.Duration) {
	w.Raw("<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope>")
	if l.Shared {
		w.Raw("<D:shared/>")
	} else {
		w.Raw("<D:exclusive/>")
	}
	w.Raw("</D:lockscope><D:depth>")
	if l.Deep {
		w.Raw("infinity")
	} else {
		w.Raw("0")
	}
	w.Raw("</D:depth>")
	w.Raw(l.About)
	w.Raw("<D:timeout>Second-" + strconv.FormatInt(int64(left/time.Second), 10) + "</D:timeout><D:locktoken>")
	w.Href(l.Token)
	w.Raw("</D:locktoken><D:lockroot>")
	wg := wings[wingCalendars]
	if l.Home == db.AddressBook {
		wg = wings[wingBooks]
	}
	w.Href(lockRoot(owner, wg, l.Path))
	w.Raw("</D:lockroot></D:activelock>")
}

// lockToken makes a URN that nobody can guess (RFC 4918 §6.5).
func lockToken() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40 // RFC 9562 §5.4
	b[8] = b[8]&0x3f | 0x80
	s := hex.EncodeToString(b[:])
	return "urn:uuid:" + s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// unlock answers an UNLOCK (RFC 4918 §9.11): by whoever holds the lock, or may
// remove those of others.
func (x *exchange) unlock(segments []string, slash bool) error {
	token, ok := dav.Coded(x.r.Header.Get("Lock-Token"))
	if !ok {
		return &dav.Error{Status: http.StatusBadRequest, Detail: "an UNLOCK needs a Lock-Token"}
	}
	p, ok := x.placeOf(segments)
	if !ok {
		if _, err := x.find(segments); err != nil {
			return err
		}
		return errNotLocked
	}
	r, err := x.locate(p)
	if errors.Is(err, db.ErrNotFound) && p.member != "" {
		r, err = x.collection(place{owner: p.owner, wing: p.wing, coll: p.coll}) // a name that was kept
	}
	if err != nil {
		return err
	}
	have, err := x.rights(r)
	if err != nil {
		return err
	}
	path := p.path()
	err = x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		here, err := tx.DavLocks(r.owner.ID, p.wing.home, now)
		if err != nil {
			return err
		}
		for _, l := range here {
			if l.Token != token || l.Path != path && !(l.Deep && below(path, l.Path)) {
				continue
			}
			if l.Holder != x.me.ID && have&directory.Unlock == 0 {
				return x.may(r, directory.Unlock)
			}
			return tx.DeleteDavLocks(token)
		}
		return errNotLocked
	})
	if err != nil {
		return err
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

var errNotLocked = &dav.Error{Status: http.StatusConflict, Cond: dav.D("lock-token-matches-request-uri"), Detail: "there is no such lock here"}

func readSupportedLock(x *exchange, r *resource, w *dav.Writer) bool {
	for _, scope := range []string{"exclusive", "shared"} {
		w.Raw("<D:lockentry><D:lockscope><D:" + scope + "/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>")
	}
	return true
}

// readLockDiscovery tells the locks on a resource. Their tokens are of use to
// nobody but their holders (RFC 4918 §6.4).
func readLockDiscovery(x *exchange, r *resource, w *dav.Writer) bool {
	t := x.touch(r)
	key := homeKey{r.owner.ID, t.wing}
	locks, ok := x.locks[key]
	if !ok {
		if !x.view(func(tx *db.Tx) error {
			now, err := tx.Now()
			if err == nil {
				locks, err = tx.DavLocks(r.owner.ID, t.wing.home, now)
			}
			x.lockedAt = now
			return err
		}) {
			return false
		}
		if x.locks == nil {
			x.locks = make(map[homeKey][]db.DavLock)
		}
		x.locks[key] = locks
	}
	for i := range locks {
		l := locks[i]
		if l.Path != t.path && !(l.Deep && below(t.path, l.Path)) {
			continue
		}
		writeLock(w, &l, r.owner, l.Expires.Sub(x.lockedAt))
	}
	return true
}

// fileUID is the conversation of an ordinary file: one that nobody else has.
func fileUID() string { return "file:" + strings.ToLower(rand.Text()) }
