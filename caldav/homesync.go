package caldav

import (
	"encoding/base64"
	"encoding/binary"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// homeState is what somebody knows of a home: how far each collection that he
// may read had come, by id. A token holds all of it, so that nobody has to
// write down who changed what: a write to a calendar locks that calendar only.
type homeState map[int64]int64

// wordHome follows the scheme in a token of a home.
const wordHome = "home:"

// homeToken makes the sync-token of a home.
func homeToken(epoch string, owner int64, w *wing, s homeState) string {
	b := binary.AppendUvarint(nil, uint64(owner))
	last := int64(0)
	for _, id := range slices.Sorted(maps.Keys(s)) {
		b = binary.AppendUvarint(b, uint64(id-last))
		b = binary.AppendUvarint(b, uint64(s[id]))
		last = id
	}
	return tokenScheme + wordHome + w.name + ":" + epoch + ":" + base64.RawURLEncoding.EncodeToString(b)
}

// parseHomeToken reads one of this home; errToken for any other.
func parseHomeToken(token, epoch string, owner int64, w *wing) (homeState, error) {
	rest, ok := schemeless(token)
	if ok {
		rest, ok = strings.CutPrefix(rest, wordHome+w.name+":"+epoch+":")
	}
	b, err := base64.RawURLEncoding.DecodeString(rest)
	if !ok || err != nil {
		return nil, errToken
	}
	next := func() (v uint64) {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > math.MaxInt64 {
			ok, b = false, nil
			return 0
		}
		b = b[n:]
		return v
	}
	if next() != uint64(owner) || !ok {
		return nil, errToken
	}
	s := homeState{}
	id := int64(0)
	for len(b) > 0 && ok {
		d, modseq := next(), next()
		if d == 0 || uint64(id) > math.MaxInt64-d || len(s) > maxCollections {
			return nil, errToken
		}
		id += int64(d)
		s[id] = int64(modseq)
	}
	if !ok {
		return nil, errToken
	}
	return s, nil
}

// homeNow lists what I may read of a home, and the state that it is in.
func (x *exchange) homeNow(r *resource) ([]*resource, homeState, error) {
	cs, err := x.collections(r.owner, r.wing())
	if err != nil {
		return nil, nil, err
	}
	all, err := x.mounted(r)
	if err != nil {
		return nil, nil, err
	}
	s := homeState{}
	for _, c := range all {
		s[c.coll.ID] = c.coll.Modseq
	}
	for i := range cs {
		if x.elsewhere(&cs[i]) {
			continue
		}
		c := collectionResource(r.owner, cs[i])
		have, err := x.rights(c)
		if err != nil {
			return nil, nil, err
		}
		if have&directory.Read != 0 {
			all = append(all, c)
			s[cs[i].ID] = cs[i].Modseq
		}
	}
	return all, s, nil
}

// syncHome answers a sync-collection on a home (RFC 6578 §3.3): which
// collections are new, changed or gone; with sync-level infinite also what has
// changed in them.
func (x *exchange) syncHome(r *resource, root *dav.Element) error {
	q, err := dav.ParseSync(root)
	if err != nil {
		return err
	}
	deep := q.Level == "infinite"
	if q.Level == "" { // of drafts: then Depth says it
		depth, _ := dav.ParseDepth(x.r.Header.Get("Depth"), dav.One)
		deep = depth == dav.Infinity
	}
	p, err := x.reportPlan(r, q.Request)
	if err != nil {
		return err
	}
	epoch, err := x.storeEpoch()
	if err != nil {
		return err
	}
	known := homeState{}
	if q.Token != "" {
		if known, err = parseHomeToken(q.Token, epoch, r.owner.ID, r.wing()); err != nil {
			return err
		}
	}
	all, now, err := x.homeNow(r)
	if err != nil {
		return err
	}
	var changed []*resource
	for _, c := range all {
		modseq, knew := known[c.coll.ID]
		switch {
		case parentPath(c.name()) != "" && !deep:
			continue // a member of a member
		case knew && modseq > c.coll.Modseq, deep && knew && modseq < c.coll.PurgedModseq:
			return errToken
		case !knew || modseq < c.coll.Modseq:
			changed = append(changed, c)
		}
	}
	gone, renamed, err := x.goneFrom(r, known, now, all, deep)
	if err != nil {
		return err
	}
	if q.Limit > 0 && deep {
		// RFC 6578 §3.2: the whole tree, or a refusal.
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.D("number-of-matches-within-limits"), Detail: "a limit is for one level"}
	}
	told := maps.Clone(now)
	truncated := false
	if n := len(gone) + len(changed); q.Limit > 0 && n > q.Limit {
		truncated = true
		left := max(q.Limit-len(gone), 0)
		for _, g := range gone[min(len(gone), q.Limit):] {
			told[g.id] = g.modseq
		}
		gone = gone[:min(len(gone), q.Limit)]
		for _, c := range changed[left:] {
			if modseq, knew := known[c.coll.ID]; knew {
				told[c.coll.ID] = modseq
			} else {
				delete(told, c.coll.ID)
			}
		}
		changed = changed[:left]
	}
	ms := x.multistatus()
	for _, g := range gone {
		ms.Status(g.href, http.StatusNotFound)
	}
	for _, c := range changed {
		if err := x.renderLoaded(ms, []*resource{c}, p); err != nil {
			return err
		}
		if deep && c.kind != kOutbox {
			since := known[c.coll.ID]
			if renamed[c.coll.ID] {
				since = 0 // its members, too, are at addresses that nobody knows
			}
			if err := x.renderSince(ms, c, since, p); err != nil {
				return err
			}
		}
	}
	if truncated { // RFC 6578 §3.6
		ms.Status(r.href, http.StatusInsufficientStorage, dav.D("number-of-matches-within-limits"))
	}
	return ms.End(homeToken(epoch, r.owner.ID, r.wing(), told))
}

// renderSince writes what has changed in a collection since a modseq.
func (x *exchange) renderSince(ms *dav.MultiStatus, c *resource, modseq int64, p *plan) error {
	id := int64(0)
	if modseq > 0 {
		id = math.MaxInt64
	}
	for {
		var os []db.Object
		err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
			os, err = tx.Changes(c.coll.ID, modseq, id, pageRows)
			return err
		})
		if err == nil {
			err = x.renderChanges(ms, c, os, p)
		}
		if err != nil || len(os) < pageRows {
			return err
		}
		modseq, id = os[len(os)-1].Modseq, os[len(os)-1].ID
	}
}

// left is a collection that is no longer there, under the name that somebody
// knows.
type left struct {
	id, modseq int64
	href       string
}

// goneFrom tells which of the known collections are gone, were renamed (by id,
// those that are still there), or may not be read any longer.
func (x *exchange) goneFrom(r *resource, known, now homeState, all []*resource, deep bool) (out []left, renamed map[int64]bool, err error) {
	if len(known) == 0 {
		return nil, nil, nil
	}
	var rows []db.Gone
	cs, err := x.collections(r.owner, r.wing())
	if err == nil {
		err = x.store.View(x.ctx, func(tx *db.Tx) (err error) {
			rows, err = tx.GoneFrom(r.owner.ID, r.wing().home)
			return err
		})
	}
	if err != nil {
		return nil, nil, err
	}
	used := map[string]int64{}
	for _, c := range all {
		used[c.name()] = c.coll.ID
	}
	named := map[int64]bool{}
	renamed = map[int64]bool{}
	add := func(id, modseq int64, name string) {
		if used[name] == 0 && (deep || parentPath(name) == "") {
			used[name] = id
			out = append(out, left{id, modseq, homeHref(r.wing(), r.owner) + encodePath(name) + "/"})
		}
		named[id] = true
	}
	for _, g := range rows {
		if modseq, knew := known[g.Collection]; knew && modseq <= g.Modseq {
			if by := used[g.Name]; deep && now[by] != 0 && by != g.Collection {
				return nil, nil, errToken // an address is told once (RFC 6578 §3.5): as there, and what was below it would stay
			}
			add(g.Collection, modseq, g.Name)
			renamed[g.Collection] = now[g.Collection] != 0
		}
	}
	for _, c := range cs { // still there, but not for me
		if modseq, knew := known[c.ID]; knew && now[c.ID] == 0 {
			add(c.ID, modseq, c.Name)
		}
	}
	if r.owner.ID == x.me.ID && r.kind == kCalendarHome {
		for _, m := range x.inOrder() { // mine by a group that I have left
			if modseq, knew := known[m.Collection]; knew && now[m.Collection] == 0 {
				add(m.Collection, modseq, m.Name)
			}
		}
	}
	for id := range known {
		if now[id] == 0 && !named[id] {
			return nil, nil, errToken // gone for so long that nobody knows its name
		}
	}
	return out, renamed, nil
}
