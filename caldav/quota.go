package caldav

import (
	"net/http"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

// used is how many octets a person keeps, asked once for a request.
func (x *exchange) used(owner *db.Principal) (n int64, err error) {
	if n, ok := x.usage[owner.ID]; ok {
		return n, nil
	}
	err = x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		n, err = tx.UsedBytes(owner.ID)
		return err
	})
	if err == nil {
		if x.usage == nil {
			x.usage = make(map[int64]int64)
		}
		x.usage[owner.ID] = n
	}
	return n, err
}

// readQuotaUsed tells the octets that the owner of a collection keeps, whom a
// quota is about (RFC 4331 §4); only to himself.
func readQuotaUsed(x *exchange, r *resource, w *dav.Writer) bool {
	if r.owner.ID != x.me.ID {
		return false
	}
	n, err := x.used(r.owner)
	if err != nil {
		x.broken = err
		return false
	}
	w.Int(n)
	return true
}

// readQuotaAvailable tells what is left (RFC 4331 §3); without a quota nothing
// can be said.
func readQuotaAvailable(x *exchange, r *resource, w *dav.Writer) bool {
	if x.quota == 0 || r.owner.ID != x.me.ID {
		return false
	}
	n, err := x.used(r.owner)
	if err != nil {
		x.broken = err
		return false
	}
	w.Int(max(x.quota-n, 0))
	return true
}

// fits refuses octets that pass the owner's quota (RFC 4331 §6). It is asked
// before the transaction: of two writes at once both may fit.
func (x *exchange) fits(owner *db.Principal, octets int64) error {
	if x.quota == 0 {
		return nil
	}
	n, err := x.used(owner)
	if err == nil && n+octets > x.quota {
		err = &dav.Error{Status: http.StatusInsufficientStorage, Cond: dav.D("quota-not-exceeded"), Detail: "the quota is used up"}
	}
	return err
}
