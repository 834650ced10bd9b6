package caldav

import (
	"crypto/rand"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

// syncToken names a state of a collection (STORAGE 10): everything up to and
// with modseq was told, and of modseq itself the objects up to id. It is a
// URI, as RFC 6578 §4 wants and Evolution checks.
type syncToken struct {
	epoch       string // of the store
	incarnation string // of the collection
	modseq      int64
	id          int64 // 0: all of modseq
}

const (
	tokenScheme = "data:,sync:"
	// oldTokenScheme begins tokens of earlier releases. They count: Thunderbird
	// never recovers from one that does not.
	oldTokenScheme = "urn:convene:sync:"
)

// schemeless cuts off what every token begins with.
func schemeless(token string) (string, bool) {
	if rest, ok := strings.CutPrefix(token, tokenScheme); ok {
		return rest, true
	}
	return strings.CutPrefix(token, oldTokenScheme)
}

func (t syncToken) String() string {
	return tokenScheme + t.epoch + ":" + t.incarnation + ":" + strconv.FormatInt(t.modseq, 10) + ":" + strconv.FormatInt(t.id, 10)
}

// errToken: RFC 6578 §3.2. The program starts over without a token.
var errToken = &dav.Error{Status: http.StatusForbidden, Cond: dav.D("valid-sync-token")}

func parseToken(s string) (syncToken, error) {
	rest, ok := schemeless(s)
	f := strings.Split(rest, ":")
	if !ok || len(f) != 4 {
		return syncToken{}, errToken
	}
	modseq, err1 := strconv.ParseInt(f[2], 10, 64)
	id, err2 := strconv.ParseInt(f[3], 10, 64)
	if err1 != nil || err2 != nil || modseq < 0 || id < 0 {
		return syncToken{}, errToken
	}
	return syncToken{f[0], f[1], modseq, id}, nil
}

// syncCollection answers a sync-collection REPORT (RFC 6578 §3.2). Programs
// send it with Depth 0, as the RFC wants, with 1, or without, and some leave
// sync-level out: a calendar is one level deep, so all mean the same.
func (x *exchange) syncCollection(r *resource, root *dav.Element) error {
	s, err := dav.ParseSync(root)
	if err != nil {
		return err
	}
	p, err := x.reportPlan(r, s.Request)
	if err != nil {
		return err
	}
	epoch, err := x.storeEpoch()
	if err != nil {
		return err
	}
	// The state of the collection was read before its rows are (STORAGE 11):
	// what changes in between is told twice and never missed.
	now := syncToken{epoch: epoch, incarnation: r.coll.Incarnation, modseq: r.coll.Modseq}
	var from syncToken
	if s.Token != "" {
		from, err = parseToken(s.Token)
		if err != nil {
			return err
		}
		if r.kind == kBox && from.epoch == now.epoch && from.incarnation == neverTold { // it was empty
			from = syncToken{epoch: now.epoch, incarnation: now.incarnation}
		}
		if from.epoch != now.epoch || from.incarnation != now.incarnation || from.modseq > now.modseq || from.modseq < r.coll.PurgedModseq {
			return errToken
		}
	}
	ms := x.multistatus()
	if s.Token != "" && from.modseq == now.modseq && from.id == 0 {
		return ms.End(now.String()) // nothing has changed since, as its row says
	}
	lean, err := x.leanly(p, r)
	if err != nil {
		return err
	}
	if from.modseq == 0 && s.Limit == 0 && lean {
		// From the beginning: what is there now, and nothing is gone.
		if err := x.renderLean(ms, r, p); err != nil {
			return err
		}
		return ms.End(now.String())
	}
	modseq, id := from.modseq, from.id
	if id == 0 && modseq > 0 {
		id = math.MaxInt64
	}
	left := s.Limit
	for {
		n := pageRows
		if s.Limit > 0 {
			n = min(n, left+1) // one more tells whether there is more
		}
		var os []db.Object
		err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
			os, err = tx.Changes(r.coll.ID, modseq, id, n)
			return err
		})
		if err != nil {
			return err
		}
		more := len(os) == n
		if s.Limit > 0 && len(os) > left {
			os = os[:left]
			if err := x.renderChanges(ms, r, os, p); err != nil {
				return err
			}
			// RFC 6578 §3.6
			ms.Status(r.href, http.StatusInsufficientStorage, dav.D("number-of-matches-within-limits"))
			last := os[len(os)-1]
			now.modseq, now.id = last.Modseq, last.ID
			return ms.End(now.String())
		}
		if err := x.renderChanges(ms, r, os, p); err != nil {
			return err
		}
		if !more {
			return ms.End(now.String())
		}
		left -= len(os)
		modseq, id = os[len(os)-1].Modseq, os[len(os)-1].ID
	}
}

// renderChanges writes a page: what is gone with 404 (RFC 6578 §3.5.2), the
// rest with its properties.
func (x *exchange) renderChanges(ms *dav.MultiStatus, coll *resource, os []db.Object, p *plan) error {
	rs, err := x.members(coll, os)
	if err != nil {
		return err
	}
	var changed []*resource
	for _, r := range rs {
		if r.obj.Deleted {
			ms.Status(r.href, http.StatusNotFound)
		} else {
			changed = append(changed, r)
		}
	}
	return x.renderObjects(ms, changed, p)
}

// loadEpoch reads the epoch of the store, and makes the first one.
func (d *door) loadEpoch() (string, error) {
	ctx, cancel := background()
	defer cancel()
	var epoch []byte
	err := d.store.View(ctx, func(tx *db.Tx) (err error) {
		epoch, err = tx.Meta("epoch")
		return err
	})
	if err == nil && epoch == nil {
		err = d.store.Write(ctx, nil, func(tx *db.Tx) (err error) {
			epoch, err = tx.SetMetaOnce("epoch", []byte(rand.Text()[:12]))
			return err
		})
	}
	if err == nil && len(epoch) == 0 {
		err = errors.New("caldav: the store has no epoch")
	}
	return string(epoch), err
}
