package caldav

import (
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling/itip"
)

// Who sees a calendar of somebody else has alarms of his own in it: an object
// is shown to him with what he has for himself in place of what the owner has
// (itip.SeenBy), under an entity tag that moves with both.

// guest reports whether I see what is in a calendar as a guest: not as its
// owner, nor as somebody who acts in his name.
func (x *exchange) guest(owner *db.Principal, member kind) (bool, error) {
	if owner.ID == x.me.ID || member != kEvent {
		return false, nil
	}
	g, err := x.granted(owner)
	return !g.Acts, err
}

// ownTags tells of which objects of a collection I have something for myself,
// read once for a request.
func (x *exchange) ownTags(collection int64) (map[int64]string, error) {
	if tags, ok := x.tags[collection]; ok {
		return tags, nil
	}
	var tags map[int64]string
	err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		tags, err = tx.OwnTags(x.me.ID, collection)
		return err
	})
	if x.tags == nil {
		x.tags = make(map[int64]map[int64]string)
	}
	x.tags[collection] = tags
	return tags, err
}

// asSeen makes members of one collection, which were just loaded, what I see of
// them. Without their bodies that is their entity tags.
func (x *exchange) asSeen(rs []*resource) error {
	if len(rs) == 0 {
		return nil
	}
	guest, err := x.guest(rs[0].owner, rs[0].kind)
	if err != nil || !guest {
		return err
	}
	tags, err := x.ownTags(rs[0].coll.ID)
	if err != nil {
		return err
	}
	var ids []int64
	for _, r := range rs {
		r.guest = true
		if tags[r.obj.ID] != "" && r.obj.Body != nil {
			ids = append(ids, r.obj.ID)
		}
	}
	var own map[int64][]byte
	if len(ids) > 0 {
		err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
			own, err = tx.OwnOf(x.me.ID, ids)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, r := range rs {
		o := &r.obj
		switch {
		case o.Deleted:
		case o.Body == nil:
			o.ETag = db.TaggedETag(o.ETag, tags[o.ID])
		default:
			o.Body, o.ETag = itip.SeenBy(o.Body, own[o.ID]), db.SeenETag(o.ETag, own[o.ID])
			o.Size = int64(len(itip.Shown(o.Body)))
		}
	}
	return nil
}

// members makes the resources of objects in a collection, as I see them.
func (x *exchange) members(coll *resource, os []db.Object) ([]*resource, error) {
	rs := membersOf(coll, os)
	return rs, x.asSeen(rs)
}

// leanly reports whether a plan is lean on a collection as I see it.
func (x *exchange) leanly(p *plan, coll *resource) (bool, error) {
	if !p.lean(coll) {
		return false, nil
	}
	_, member := kindOf(coll.coll.Kind)
	guest, err := x.guest(coll.owner, member)
	if err != nil || !guest {
		return err == nil, err
	}
	tags, err := x.ownTags(coll.coll.ID)
	return len(tags) == 0, err
}

// sizeSeen is how large an object is that was loaded without its body.
func (x *exchange) sizeSeen(r *resource) (int64, error) {
	whole := *r
	err := x.withBodies([]*resource{&whole}, func([]*resource) error { return nil })
	return whole.obj.Size, err
}

// mayKeepOwn reports whether I may change at least what I have for myself of
// the objects of a collection: where I may read.
func (x *exchange) mayKeepOwn(coll *resource) bool {
	_, member := kindOf(coll.coll.Kind)
	guest, err := x.guest(coll.owner, member)
	return err == nil && guest && x.may(coll, directory.Read) == nil
}

// asGuest names me in the conditions of a request on what is in a calendar in
// which I am a guest.
func (x *exchange) asGuest(coll *resource) (int64, error) {
	_, member := kindOf(coll.coll.Kind)
	guest, err := x.guest(coll.owner, member)
	if !guest {
		return 0, err
	}
	return x.me.ID, err
}
