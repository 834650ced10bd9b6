package scheduling

import (
	"errors"
	"fmt"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/ics"
)

// inboxItem is an iTIP object for somebody's scheduling inbox (RFC 6638 §4).
type inboxItem struct {
	inbox int64
	body  *ics.Object
}

// flush writes everything: collections are bumped once, ascending (STORAGE 1,
// 5), then objects, inbox, queue and decisions.
func (s *sitting) flush() error {
	if err := s.consult(); err != nil {
		return err
	}
	if err := s.flushObjects(); err != nil {
		return err
	}
	if err := s.flushOwn(); err != nil {
		return err
	}
	if err := s.flushProposals(); err != nil {
		return err
	}
	if err := s.flushQueue(); err != nil {
		return err
	}
	if err := s.flushParted(); err != nil {
		return err
	}
	for _, b := range s.busy {
		if err := s.tx.Remember(b.principal, b.name, b.data); err != nil {
			return err
		}
	}
	for i := range s.decisions {
		x := &s.decisions[i]
		x.At = s.now
		if err := s.tx.InsertDecision(x); err != nil {
			return err
		}
	}
	return s.flushRoundUps()
}

func (s *sitting) flushObjects() error {
	if h := s.lone(); h != nil {
		return s.flushLone(h)
	}
	if hs := s.handful(); hs != nil {
		return s.flushHandful(hs)
	}
	var cols []int64
	for _, h := range s.order {
		if h.dirty() {
			cols = append(cols, h.collection)
			if h.row != nil {
				cols = append(cols, h.row.Collection)
			}
		}
	}
	for _, it := range s.inbox {
		cols = append(cols, it.inbox)
	}
	if len(cols) == 0 {
		return nil
	}
	modseq, err := s.tx.BumpCollections(union(cols, nil)...)
	if errors.Is(err, db.ErrNotFound) {
		return fmt.Errorf("%w: a calendar was deleted", db.ErrConflict) // look again: an invitation then finds another one
	}
	if err != nil {
		return err
	}
	free := false
	if f := s.found; f != nil && modseq[f.ID] != 0 {
		if free, err = s.confirm(modseq[f.ID]); err != nil {
			return err
		}
	}
	if s.under != nil && !free {
		if err := s.under(s.tx); err != nil {
			return err
		}
	}
	var b batch
	for _, h := range s.order {
		if h.dirty() {
			if err := s.noteGroups(h); err != nil {
				return err
			}
		}
		switch {
		case !h.dirty():
		case h.obj == nil:
			if h.row != nil {
				if err := s.tx.DeleteObject(h.row.ID, modseq[h.row.Collection], h.row.Modseq); err != nil {
					return err
				}
			}
		default:
			expected := int64(0)
			if h.row != nil {
				if expected, err = s.moved(h, modseq); err != nil {
					return err
				}
			}
			rec, err := s.stage(h, modseq[h.collection])
			if err != nil {
				return err
			}
			b.add(&h.stored, h.obj.Bytes(), rec, expected)
		}
	}
	for _, it := range s.inbox {
		b.add(s.notice(it, modseq[it.inbox]), it.body.Bytes(), db.Indexed{}, 0)
	}
	if err := b.write(s.tx); err != nil {
		return err
	}
	return s.flushQuarantine()
}

// confirm compares what a door has read of a collection with what it is now,
// that it has been raised to modseq and is locked. free tells whether the
// owner's homes still have no lock of WebDAV. A conflict starts the transaction
// anew, assuming nothing.
func (s *sitting) confirm(modseq int64) (free bool, err error) {
	f := s.found
	if f == nil || modseq == f.Modseq+1 || s.assumed == nil && !s.free {
		return s.free, nil // nobody else has changed anything since
	}
	now, _, locked, err := s.tx.CollectionToWrite(f.Owner, f.Kind, f.Name)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return false, err
	}
	same := now.ID == f.ID && now.Kind == f.Kind && now.Components == f.Components && now.TZ == f.TZ
	if s.assumed != nil && !same {
		return false, fmt.Errorf("%w: a calendar", db.ErrConflict)
	}
	return s.free && !locked, nil
}

// lone returns the holding if all that will be written is one new object in a
// collection of which a door has read what is needed; else nil.
func (s *sitting) lone() *holding {
	if len(s.order) != 1 || len(s.inbox) > 0 || !s.assuming || s.found == nil || s.under != nil && !s.free {
		return nil
	}
	if h := s.order[0]; h.dirty() && h.row == nil && h.obj != nil && h.collection == s.found.ID {
		return h
	}
	return nil
}

// flushLone writes a lone object and raises its collection in one. What is
// asked when that is locked is asked afterwards.
func (s *sitting) flushLone(h *holding) error {
	rec, err := s.stage(h, 0)
	if err != nil {
		return err
	}
	if err := s.noteGroups(h); err != nil {
		return err
	}
	if s.nothingElse(h) {
		err = s.tx.PutOnly(&h.stored, h.obj.Bytes(), rec, s.found.Modseq)
	} else {
		err = s.tx.PutFirst(&h.stored, h.obj.Bytes(), rec)
	}
	if err != nil {
		return err
	}
	if free, err := s.confirm(h.stored.Modseq); err != nil {
		return err
	} else if s.under != nil && !free {
		return fmt.Errorf("%w: a lock", db.ErrConflict) // asked before anything is written
	}
	return s.flushQuarantine()
}

// nothingElse reports whether a lone object is all that the transaction writes.
func (s *sitting) nothingElse(h *holding) bool {
	return h.held == nil && h.guest == 0 && s.withdraw == nil &&
		len(s.heirs)+len(s.deliveries)+len(s.roundUps)+len(s.jobs)+len(s.decisions)+len(s.busy)+len(s.parted)+len(s.proposed)+len(s.closed) == 0
}

// handful returns what is to be written if it is little, stays where it is and
// needs no question when the collections are locked; else nil.
func (s *sitting) handful() []*holding {
	if s.found != nil || s.under != nil || len(s.inbox) > db.AtOnce {
		return nil
	}
	var hs []*holding
	bodies, uids := map[string]bool{}, map[string]bool{}
	for _, h := range s.order {
		if !h.dirty() {
			continue
		}
		if h.obj == nil || h.row != nil && (h.row.Collection != h.collection || h.row.Name != h.name) {
			return nil
		}
		hs = append(hs, h)
		bodies[string(h.obj.Bytes())], uids[h.obj.UID()] = true, true
	}
	for _, it := range s.inbox {
		bodies[string(it.body.Bytes())], uids[it.body.UID()] = true, true
	}
	if n := len(hs) + len(s.inbox); len(hs) == 0 || n > db.AtOnce || len(uids) > 1 || len(bodies) < n { // equal ones are stored as one (STORAGE 17)
		return nil
	}
	return hs
}

// flushHandful writes holdings and inbox at once.
func (s *sitting) flushHandful(hs []*holding) error {
	var puts []db.Put
	for _, h := range hs {
		rec, err := s.stage(h, 0)
		if err != nil {
			return err
		}
		p := db.Put{Object: &h.stored, Body: h.obj.Bytes(), Record: rec}
		if h.row != nil {
			p.Expected = h.row.Modseq
		}
		puts = append(puts, p)
	}
	for _, it := range s.inbox {
		puts = append(puts, db.Put{Object: s.notice(it, 0), Body: it.body.Bytes()})
	}
	if err := s.tx.PutAll(puts); err != nil {
		return err
	}
	for _, h := range hs {
		if err := s.noteGroups(h); err != nil {
			return err
		}
	}
	return s.flushQuarantine()
}

// notice is the row of what goes into an inbox.
func (s *sitting) notice(it inboxItem, modseq int64) *db.Object {
	return &db.Object{
		Collection: it.inbox, Name: randomName(), UID: it.body.UID(), Component: it.body.Kind(),
		Modseq: modseq, Created: s.now, Modified: s.now,
	}
}

// moved moves the object of a holding if it lies elsewhere. It returns the
// modseq under which it stands.
func (s *sitting) moved(h *holding, modseq map[int64]int64) (int64, error) {
	o := h.row
	if o.Collection == h.collection && o.Name == h.name {
		return o.Modseq, nil
	}
	err := s.tx.MoveObject(o.ID, o.Modseq, o.Collection, h.collection, h.name, modseq[o.Collection], modseq[h.collection])
	return modseq[h.collection], err
}

// stage makes the row of a holding, with this modseq, and its record.
func (s *sitting) stage(h *holding, modseq int64) (db.Indexed, error) {
	o := &h.stored
	if h.row != nil {
		*o = *h.row
	} else {
		o.Created = s.now
	}
	o.Collection, o.Name, o.UID, o.Component = h.collection, h.name, h.obj.UID(), h.obj.Kind()
	o.Modified, o.Modseq, o.Body = s.now, modseq, nil
	switch {
	case !h.scheduled:
		o.ScheduleTag = ""
	case h.newTag || o.ScheduleTag == "":
		o.ScheduleTag = randomHex(12)
	}
	return s.record(h)
}

// batch groups objects by body, so that equal copies are stored as one
// (STORAGE 17).
type batch struct {
	bodies []string
	byBody map[string]*stack
}

type stack struct {
	os       []*db.Object
	recs     []db.Indexed
	expected []int64
}

func (b *batch) add(o *db.Object, body []byte, rec db.Indexed, expected int64) {
	if b.byBody == nil {
		b.byBody = map[string]*stack{}
	}
	st := b.byBody[string(body)]
	if st == nil {
		st = &stack{}
		key := string(body)
		b.byBody[key] = st
		b.bodies = append(b.bodies, key)
	}
	st.os = append(st.os, o)
	st.recs = append(st.recs, rec)
	st.expected = append(st.expected, expected)
}

func (b *batch) write(tx *db.Tx) error {
	for _, body := range b.bodies {
		st := b.byBody[body]
		if err := tx.PutObjects(st.os, []byte(body), st.recs, st.expected); err != nil {
			return err
		}
	}
	return nil
}

// flushQueue inserts mail and jobs. Due times stand on the database's clock.
func (s *sitting) flushQueue() error {
	if err := s.takeBack(); err != nil {
		return err
	}
	if len(s.deliveries) == 0 && len(s.jobs) == 0 {
		return nil
	}
	now, err := s.tx.Now()
	if err != nil {
		return err
	}
	for i := range s.deliveries {
		q := &s.deliveries[i]
		q.Created, q.Due = now, now.Add(s.d.opt.Coalesce) // decision 33
		if err := s.tx.InsertDelivery(q); err != nil {
			return err
		}
	}
	for i := range s.jobs {
		j := &s.jobs[i]
		if j.Due.IsZero() {
			j.Due = now
		}
		if j.Kind == jobRefresh {
			j.Due = now.Add(s.d.opt.Coalesce)
		}
		if err := s.tx.InsertJob(j); err != nil {
			return err
		}
	}
	if len(s.deliveries) > 0 {
		s.tx.Wake("delivery")
	}
	if len(s.jobs) > 0 {
		s.tx.Wake("job")
	}
	return nil
}
