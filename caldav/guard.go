package caldav

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

// touch is a resource that a request is about to change, and how far.
type touch struct {
	owner  *db.Principal
	wing   *wing
	path   string // below the home
	parent bool   // it comes or goes: the collection around it changes, too
	deep   bool   // so does everything in it
	gone   bool   // nothing stays: locks on it end (RFC 4918 §9.6)
}

// touch is that of a resource whose content or properties change.
func (x *exchange) touch(r *resource) touch {
	t := touch{owner: r.owner, wing: r.wing()}
	if r.coll != nil {
		if t.path = r.coll.Name; r.kind&kMember != 0 {
			t.path += "/" + r.obj.Name
		}
	}
	return t
}

// touchAt is that of a place whose owner was found.
func touchAt(owner *db.Principal, p place) touch {
	return touch{owner: owner, wing: p.wing, path: p.path()}
}

// comes and goes say that a resource appears or vanishes.
func (t touch) comes() touch { t.parent = true; return t }
func (t touch) goes() touch  { t.parent, t.deep, t.gone = true, true, true; return t }

// guard returns what is asked inside a transaction, when the collections that
// change are locked: the If header (RFC 4918 §10.4), and that the request names
// a token of every lock in its way (RFC 4918 §7).
func (x *exchange) guard(touches ...touch) (func(*db.Tx) error, error) {
	lists, err := x.ifHeader()
	if err != nil {
		return nil, err
	}
	if lists != nil {
		if _, err := x.storeEpoch(); err != nil { // outside of the transaction, for stateOf
			return nil, err
		}
	}
	submitted := tokensOf(lists)
	return func(tx *db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		locks := map[homeKey][]db.DavLock{}
		for _, t := range touches {
			if _, err := x.locksOf(tx, locks, t.owner, t.wing, now); err != nil {
				return err
			}
		}
		if lists != nil {
			ok, err := x.ifMet(tx, lists, locks, now, touches)
			if err != nil {
				return err
			}
			if !ok {
				return &dav.Error{Status: http.StatusPreconditionFailed, Detail: "no list of the If header is true"}
			}
		}
		var ended []string
		for _, t := range touches {
			here, err := x.locksOf(tx, locks, t.owner, t.wing, now)
			if err != nil {
				return err
			}
			if err := x.unlocked(t, here, submitted); err != nil {
				return err
			}
			for _, l := range here {
				if t.gone && (l.Path == t.path || below(l.Path, t.path)) {
					ended = append(ended, l.Token)
				}
			}
		}
		return tx.DeleteDavLocks(ended...)
	}, nil
}

// homeKey names a home.
type homeKey struct {
	owner int64
	wing  *wing
}

func (x *exchange) locksOf(tx *db.Tx, loaded map[homeKey][]db.DavLock, owner *db.Principal, w *wing, now time.Time) ([]db.DavLock, error) {
	k := homeKey{owner.ID, w}
	if ls, ok := loaded[k]; ok {
		return ls, nil
	}
	ls, err := tx.DavLocks(owner.ID, w.home, now)
	loaded[k] = ls
	return ls, err
}

// below reports whether a path lies inside another.
func below(path, in string) bool {
	return len(path) > len(in) && path[len(in)] == '/' && strings.HasPrefix(path, in)
}

func parentPath(path string) string {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)]
}

// covers reports whether a lock is in the way of a change.
func covers(l *db.DavLock, t touch) bool {
	switch {
	case l.Path == t.path, l.Deep && below(t.path, l.Path):
		return true
	case t.parent && t.path != "" && l.Path == parentPath(t.path):
		return l.Path != ""
	}
	return t.deep && below(l.Path, t.path)
}

// unlocked checks that of the locks in the way the request names one on each
// path, and that it is the requester's own (RFC 4918 §6.4).
func (x *exchange) unlocked(t touch, locks []db.DavLock, submitted []string) error {
	var closed, open []string
	for i := range locks {
		l := &locks[i]
		if !covers(l, t) {
			continue
		}
		if l.Holder == x.me.ID && slices.Contains(submitted, l.Token) {
			open = append(open, l.Path)
		} else {
			closed = append(closed, l.Path)
		}
	}
	for _, path := range closed {
		if !slices.Contains(open, path) {
			return &dav.Error{Status: http.StatusLocked, Cond: dav.D("lock-token-submitted"), Hrefs: []string{lockRoot(t.owner, t.wing, path)}}
		}
	}
	return nil
}

// lockRoot is the URL of what is locked. What lies in a home itself is a
// collection.
func lockRoot(owner *db.Principal, w *wing, path string) string {
	href := homeHref(w, owner) + encodePath(path)
	if path != "" && !strings.Contains(path, "/") {
		href += "/"
	}
	return href
}

// ifHeader reads the If header; nil without one.
func (x *exchange) ifHeader() ([]dav.IfList, error) {
	h := x.r.Header["If"]
	if len(h) == 0 {
		return nil, nil
	}
	return dav.ParseIf(strings.Join(h, " "))
}

// tokensOf are the state tokens that lists name: naming one submits it,
// whatever becomes of the condition (RFC 4918 §10.4.1).
func tokensOf(lists []dav.IfList) []string {
	var all []string
	for _, l := range lists {
		for _, c := range l.Conds {
			if c.Token != "" {
				all = append(all, c.Token)
			}
		}
	}
	return all
}

// ifMet reports whether any list is true of the resource that it speaks of.
func (x *exchange) ifMet(tx *db.Tx, lists []dav.IfList, locks map[homeKey][]db.DavLock, now time.Time, touches []touch) (bool, error) {
	type state struct {
		etag   string
		tokens []string
	}
	states := map[string]*state{}
	for _, l := range lists {
		s := states[l.Resource]
		if s == nil {
			s = &state{}
			states[l.Resource] = s
			ref := l.Resource
			if ref == "" {
				ref = x.r.URL.EscapedPath()
			}
			var err error
			if s.etag, s.tokens, err = x.stateOf(tx, ref, locks, now, touches); err != nil {
				return false, err
			}
		}
		met := true
		for _, c := range l.Conds {
			is := c.ETag != "" && c.ETag == s.etag
			if c.Token != "" {
				is = slices.Contains(s.tokens, c.Token)
			}
			met = met && is != c.Not
		}
		if met {
			return true, nil
		}
	}
	return false, nil
}

// stateOf tells the entity tag and the state tokens of a resource: those of
// the locks on it, and the sync-token of a collection (RFC 6578 §5). What
// nobody may know of has none.
func (x *exchange) stateOf(tx *db.Tx, ref string, locks map[homeKey][]db.DavLock, now time.Time, touches []touch) (etag string, tokens []string, err error) {
	p, ok := x.placeOfHref(ref)
	if !ok {
		return "", nil, nil
	}
	owner := &x.me
	if p.owner != "" {
		// Looked up outside of this transaction, before it began.
		if owner = x.owners[p.owner]; owner == nil {
			return "", nil, nil
		}
	}
	here, err := x.locksOf(tx, locks, owner, p.wing, now)
	if err != nil {
		return "", nil, err
	}
	path := p.path()
	for i := range here {
		if l := &here[i]; l.Path == path || l.Deep && below(path, l.Path) {
			tokens = append(tokens, l.Token)
		}
	}
	visible := func(c *db.Collection) bool {
		g, ok := x.grants[owner.ID]
		return owner.ID == x.me.ID || ok && g.Collections[c.ID] != 0
	}
	c, err := tx.CollectionByName(owner.ID, p.wing.home, path)
	if err == nil {
		if r := collectionResource(owner, c); r.kind&kSynced != 0 && visible(&c) {
			for _, t := range touches {
				if t.owner.ID == owner.ID && t.wing == p.wing && (t.path == path || parentPath(t.path) == path) {
					// This request has locked it, and moved it on by one.
					r.coll.Modseq--
					break
				}
			}
			if t, ok := x.token(r); ok {
				tokens = append(tokens, t)
			}
			etag = r.etag()
		}
		return etag, tokens, nil
	}
	if !errors.Is(err, db.ErrNotFound) || p.member == "" {
		return "", tokens, ignoreAbsent(err)
	}
	c, err = tx.CollectionByName(owner.ID, p.wing.home, p.coll)
	if err != nil || !visible(&c) {
		return "", tokens, ignoreAbsent(err)
	}
	o, err := tx.Object(c.ID, p.member)
	if err == nil && owner.ID != x.me.ID && c.Kind == db.Calendar && !x.grants[owner.ID].Acts {
		own, err := tx.OwnOf(x.me.ID, []int64{o.ID})
		return db.SeenETag(o.ETag, own[o.ID]), tokens, err
	}
	return o.ETag, tokens, ignoreAbsent(err)
}

func ignoreAbsent(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	return err
}
