package scheduling

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// Put stores an object and does what follows from it. Errors: *itip.Refusal
// (which changed nothing), db.ErrNotFound if the collection is gone,
// db.ErrFull, db.ErrAway.
func (d *Desk) Put(ctx context.Context, p Put) (Written, error) {
	obj, err := d.read(p.Body)
	if err != nil {
		return Written{}, err
	}
	l, err := d.foresee(ctx, p.Actor, obj)
	if err != nil {
		return Written{}, err
	}
	c := p.Conditions
	l.fresh = p.Found != nil && len(l.uids) == 1 && !organized(obj) && c.IfMatch == nil && c.IfScheduleTagMatch == nil
	var h *holding
	var created bool
	again := false
	err = d.transact(ctx, l, func(s *sitting) (err error) {
		s.assuming, again = !again, true
		h, created, err = s.put(p, obj)
		return err
	})
	if errors.Is(err, db.ErrText) {
		err = &itip.Refusal{Detail: "the name cannot be stored"}
	}
	if err != nil {
		d.refused(ctx, err, db.Decision{Door: p.Door, UID: obj.UID(), Principal: p.Actor.ID, From: p.Actor.Address})
		return Written{}, err
	}
	seen := h.obj.Bytes()
	if p.Conditions.Guest != 0 {
		seen = itip.SeenBy(seen, h.own)
	}
	return Written{
		Created: created, ETag: db.SeenETag(h.stored.ETag, h.own), ScheduleTag: h.stored.ScheduleTag,
		Rewritten:  !bytes.Equal(itip.Shown(seen), p.Body),
		Collection: h.collection, Name: h.name,
	}, nil
}

// read parses and checks what a client sent, outside of any transaction.
func (d *Desk) read(body []byte) (*ics.Object, error) {
	if d.opt.MaxResource > 0 && int64(len(body)) > d.opt.MaxResource {
		return nil, &itip.Refusal{Precondition: itip.MaxResourceSize, Detail: "the object is larger than this server takes"}
	}
	obj, err := ics.Parse(itip.Shown(body), ics.Limits{Bytes: int(d.opt.MaxResource)}) // what copies remember, they say themselves
	if err != nil {
		r := &itip.Refusal{Precondition: itip.ValidData, Detail: err.Error()} // RFC 4791 §5.3.2.1
		var large *ics.TooLargeError
		if errors.As(err, &large) && large.What == "octets" {
			r.Precondition = itip.MaxResourceSize
		}
		return nil, r
	}
	// RFC 4791 §5.3.2.1; the bounds are those that calendars tell.
	if p := obj.TooEarly(); p != nil {
		return nil, &itip.Refusal{Precondition: itip.MinDateTime, Detail: p.Name + " is before " + ics.MinDateTime}
	}
	if p := obj.TooLate(); p != nil {
		return nil, &itip.Refusal{Precondition: itip.MaxDateTime, Detail: p.Name + " is after " + ics.MaxDateTime}
	}
	if obj.LocalAcknowledged() != nil {
		return nil, &itip.Refusal{Precondition: itip.ValidData, Detail: "ACKNOWLEDGED is not in UTC (RFC 9074 §6.1)"}
	}
	if obj.Root().Prop("METHOD") != nil && organized(obj) {
		// A program that stores an invitation as it came by mail means well.
		// What concerns nobody else is refused for it (RFC 4791 §4.1).
		root := obj.Root().Clone()
		root.Remove("METHOD")
		obj = ics.New(root)
	}
	obj = ics.Mended(obj)
	if err := obj.Check(); err != nil {
		r := &itip.Refusal{Precondition: itip.ValidData, Detail: err.Error()}
		switch {
		case ics.Restricted(err):
			r.Precondition = itip.ValidResource
		case ics.OtherScale(err):
			r.Precondition = itip.SupportedRscale
		}
		return nil, r
	}
	if obj.Exceeds(ics.MaxInstances) {
		return nil, &itip.Refusal{Precondition: itip.MaxInstances, Detail: "the series has more than " + strconv.Itoa(ics.MaxInstances) + " instances"}
	}
	if !storable(obj.UID()) {
		return nil, &itip.Refusal{Precondition: itip.ValidResource, Detail: "the UID is too long"}
	}
	return obj, nil
}

// timely refuses what leaves open when something is.
func timely(obj *ics.Object) error {
	if id := obj.UnknownZone(); id != "" { // RFC 7809 §3.1.4
		return &itip.Refusal{Precondition: itip.ValidTimezone, Detail: "nobody knows the time zone " + strconv.Quote(id) + ", and its VTIMEZONE is missing"}
	}
	if obj.LooseEnd() != nil { // RFC 5545 §3.8.2.2
		return &itip.Refusal{Precondition: itip.ValidData, Detail: "DTSTART and DTEND are both of a time zone, or neither is"}
	}
	if p := obj.Misnamed(); p != nil { // RFC 5545 §3.8.4.4
		return &itip.Refusal{Precondition: itip.ValidData, Detail: "RECURRENCE-ID: there is an instance on that day, at another time than " + p.Value}
	}
	return nil
}

// storable bounds a UID in octets; RFC 7986 §5.3 asks for at most 255.
func storable(uid string) bool { return uid != "" && len(uid) <= 1000 }

// foresee tells which locks a write will probably need, so that its waiters
// hold no connection (STORAGE 23): the conversation, and the rooms and
// resources that an organizer invites.
func (d *Desk) foresee(ctx context.Context, actor db.Principal, obj *ics.Object) (locks, error) {
	l := locks{uids: []string{obj.UID()}}
	if !storable(obj.UID()) {
		return locks{}, nil // it will be refused
	}
	if !organized(obj) {
		return l, nil
	}
	err := d.store.View(ctx, func(tx *db.Tx) error {
		found, err := directory.LookupAll(tx, calendarUsers(obj))
		if err != nil {
			return err
		}
		if o, ok := found[ics.Organizer(obj.First())]; ok && o.ID != actor.ID {
			return nil // an attendee writes: only the organizer's copy follows
		}
		for _, p := range found {
			if d.agent(p) {
				l.latch = union(l.latch, []int64{p.ID})
			}
		}
		return nil
	})
	return l, err
}

// organized reports whether any component has an organizer: without one an
// object is nobody's business but its owner's (RFC 6638 §3.1).
func organized(objs ...*ics.Object) bool {
	for _, o := range objs {
		if o == nil {
			continue
		}
		for _, c := range o.Main() {
			if c.Prop("ORGANIZER") != nil {
				return true
			}
		}
	}
	return false
}

// put is Put inside the transaction.
func (s *sitting) put(p Put, obj *ics.Object) (h *holding, created bool, err error) {
	s.under, s.found, s.free = p.Conditions.Under, p.Found, p.Free
	col, owner, err := s.openFor(p, obj)
	if err != nil {
		return nil, false, err
	}
	if col.Kind != db.Calendar {
		return nil, false, &itip.Refusal{Precondition: "C:calendar-collection-location-ok", Detail: "objects are stored in calendars only"}
	}
	if !takes(col, obj.Kind()) {
		return nil, false, &itip.Refusal{Precondition: itip.SupportedComponent, Detail: "this calendar takes no " + obj.Kind()} // RFC 4791 §5.2.3
	}
	s.by = p.Actor
	rows, err := s.tx.ObjectsByUID(obj.UID(), owner.ID)
	if err != nil {
		return nil, false, err
	}
	if len(rows) == 0 && !p.Silent { // who has it already, as it came by mail, may answer
		if err := timely(obj); err != nil {
			return nil, false, err
		}
	}
	p.Silent = p.Silent || p.Import && len(rows) == 0
	h = &holding{owner: owner, collection: col.ID, name: p.Name}
	there, err := s.target(h, rows, obj, p, col.Name)
	if err != nil {
		return nil, false, err
	}
	s.hold(obj.UID(), h)
	h.collection, h.name = col.ID, p.Name
	h.changed = true
	// through whichever door its busy rows are written (STORAGE 1)
	if err := s.lockDeciding(owner); err != nil {
		return nil, false, err
	}
	if p.Conditions.Guest != 0 {
		var same bool
		if obj, same, err = s.ownOf(h, col, obj, p); err != nil || same {
			return h, !there, err
		}
	}
	if itip.Ranged(obj) {
		me, err := s.actor(h, false)
		if err == nil {
			obj, err = me.Unranged(obj, p.Silent)
		}
		if err != nil {
			return nil, false, err
		}
	}
	if !scheduled(obj.Kind()) || !organized(h.was, obj) {
		h.obj, h.scheduled = obj, false
		return h, !there, nil
	}
	if err := s.visit(owner.ID); err != nil {
		return nil, false, err
	}
	if err := s.invited(h, obj, p.Silent); err != nil {
		return nil, false, err
	}
	return h, !there, s.originate(h, obj, itip.Options{Silent: p.Silent, Seen: p.Conditions.seen(), Tag: p.Conditions.IfScheduleTagMatch != nil}, p.Door)
}

// invited checks that the organizer of a copy that is stored here has that
// meeting, if his own calendar is here: his answer would reach nobody, and no
// change would ever reach him. Where the server alone schedules, he must be
// invited, too. Old meetings, and those of colleagues whose calendars are not here
// yet, may be brought along from elsewhere.
func (s *sitting) invited(h *holding, obj *ics.Object, silent bool) error {
	if silent || h.was != nil && !s.d.opt.Strict && !itip.TakesOver(h.was, obj) {
		return nil
	}
	if err := s.meetIn(h.was, obj); err != nil {
		return err
	}
	self := s.self(h.owner, true)
	by, now := itip.Schedules(obj, self)
	if _, before := itip.Schedules(h.was, self); !now || before {
		return nil
	}
	organizer := s.find(by)
	if organizer == nil {
		return nil
	}
	if !s.d.opt.Strict {
		me, err := s.actor(h, false)
		if err != nil || !s.keepsCalendar(organizer) || me.Over(obj) {
			return err
		}
	}
	rows, err := s.tx.ObjectsByUID(obj.UID(), organizer.ID)
	if err != nil {
		return err
	}
	if !s.d.opt.Strict && len(rows) > 0 {
		return nil // RFC 5546 §3.2.3: as a party crasher he is the organizer's to judge
	}
	for i := range rows {
		have, err := s.parse(&rows[i].Object)
		if err != nil {
			return err
		}
		if err := s.meetIn(have); err != nil {
			return err
		}
		if itip.Invites(have, self) {
			return nil
		}
	}
	return &itip.Refusal{Precondition: itip.AllowedAttendee, Detail: "its organizer does not invite to this meeting"}
}

// keepsCalendar reports whether somebody has a calendar program that is here at
// least now and then.
func (s *sitting) keepsCalendar(p *db.Principal) bool {
	return p.Kind == db.Person && p.Password != "" && s.now.Sub(p.LastDAV) <= copiesAfter
}

// openFor is open for a write. Of an object that concerns its owner alone
// nothing is needed of his home but the collection itself, which the door has
// read already.
func (s *sitting) openFor(p Put, obj *ics.Object) (db.Collection, db.Principal, error) {
	f := p.Found
	if !s.assuming || f == nil || f.ID != p.Collection || f.Owner != p.Actor.ID || organized(obj) {
		return s.open(p.Actor, p.Collection)
	}
	s.assumed = f
	return *f, p.Actor, nil
}

// open returns a collection and its owner, with one statement where it is the
// actor's own.
func (s *sitting) open(actor db.Principal, collection int64) (db.Collection, db.Principal, error) {
	if err := s.visit(actor.ID); err != nil {
		return db.Collection{}, actor, err
	}
	if col, ok := s.homes[actor.ID].collections[collection]; ok {
		return col, actor, nil
	}
	col, err := s.tx.Collection(collection)
	if err != nil {
		return col, db.Principal{}, err
	}
	owner, err := s.tx.Principal(col.Owner)
	return col, owner, err
}

// target finds what a write replaces: what stands under its name, or the same
// conversation elsewhere among the owner's calendars (decision 23). It checks
// the conditions under the lock. calendar is the name of the collection; there
// tells whether that of the object is taken.
func (s *sitting) target(h *holding, rows []db.OwnedObject, obj *ics.Object, p Put, calendar string) (there bool, err error) {
	at := slices.IndexFunc(rows, func(r db.OwnedObject) bool { return r.Collection == p.Collection && r.Name == p.Name })
	if at >= 0 {
		if err := s.met(p.Conditions, &rows[at].Object); err != nil {
			return false, err
		}
		return true, s.fill(h, &rows[at].Object)
	}
	if s.assuming && len(rows) == 0 && p.Conditions.IfMatch == nil && p.Conditions.IfScheduleTagMatch == nil {
		// Most new conversations get a new name. If this one is taken, writing
		// ends in a conflict, and the next run looks.
		return false, nil
	}
	other, err := s.tx.Object(p.Collection, p.Name)
	switch {
	case err == nil:
		if err := s.met(p.Conditions, &other); err != nil {
			return false, err
		}
		// RFC 4791 §5.3.2.1: nor overwrite a resource with another UID.
		return false, &itip.Refusal{Precondition: itip.NoUIDConflict, Detail: "the resource holds another UID", Href: calendar + "/" + p.Name}
	case !errors.Is(err, db.ErrNotFound):
		return false, err
	}
	if err := p.Conditions.Check(nil); err != nil {
		return false, err
	}
	if len(rows) == 0 {
		return false, nil
	}
	row := &rows[0]
	if row.Collection == p.Collection {
		return false, &itip.Refusal{Precondition: itip.NoUIDConflict, Detail: "the UID is in this calendar already", Href: row.CollectionName + "/" + row.Name}
	}
	have, err := s.parse(&row.Object)
	if err != nil {
		return false, err
	}
	if err := s.meetIn(have, obj); err != nil {
		return false, err
	}
	if p.Copy || !s.sameOrganizer(have, obj) {
		r := &itip.Refusal{Precondition: itip.NoUIDConflict, Detail: "the UID is in another calendar already", Href: row.CollectionName + "/" + row.Name}
		if organized(have, obj) {
			r.Precondition = itip.UniqueSchedulingObject // RFC 6638 §3.2.4.1
		}
		return false, r
	}
	return false, s.fill(h, &row.Object)
}

// sameOrganizer reports whether two objects of one UID are copies of one
// conversation: both without an organizer, or with the same one.
func (s *sitting) sameOrganizer(a, b *ics.Object) bool {
	x, y := ics.Organizer(a.First()), ics.Organizer(b.First())
	if x == y {
		return true
	}
	p, q := s.find(x), s.find(y)
	return p != nil && q != nil && p.ID == q.ID
}

// originate asks the core what follows from the owner's change of h to after
// (nil: he removes it), settles that, and stamps what became of the messages
// on what is stored (RFC 6638 §3.2.9).
func (s *sitting) originate(h *holding, after *ics.Object, opt itip.Options, door string) error {
	before := h.obj
	if err := s.meetIn(before, after); err != nil {
		return err
	}
	me, err := s.actor(h, false)
	if err != nil {
		return err
	}
	if after != nil && !opt.Silent && asksLeft(me, before, after) {
		if me.Left, err = s.recall(h.owner, after.UID()); err != nil {
			return err
		}
	}
	out, err := itip.Originate(me, before, after, opt)
	if err != nil {
		return err
	}
	if err := s.maySend(h.owner, out.Messages); err != nil {
		return err
	}
	s.close(h, out.Closed)
	h.changed, h.scheduled = true, out.Scheduled
	h.newTag = true // a direct PUT always gives a new Schedule-Tag (decision 16)
	h.obj = out.Object
	if after == nil || out.Remove {
		h.obj = nil
	}
	if out.Refresh {
		s.refresh(h.owner.ID, uidOf(before, after))
	}
	if err := s.remember(h, before, out.Left, h.obj != nil); err != nil {
		return err
	}
	msgs, detail := out.Messages, told(len(out.Messages))
	if s.by.ID != 0 && s.by.ID != h.owner.ID {
		msgs = itip.SentBy(msgs, cuaddr.Mailto(s.by.Address))
		detail += "; by " + s.by.Address
	}
	s.decide(db.Decision{
		Direction: "user", Door: door, UID: uidOf(before, after), Principal: h.owner.ID, From: h.owner.Address,
		Rule: out.Rule, Outcome: "applied", Detail: detail,
	})
	return s.settle(h, before, msgs, door)
}

// asksLeft reports whether the core needs what the owner remembers beside his
// calendar: the last number of a meeting that he writes once more, or that has
// been a plain event in between, and what he took out of another's series.
func asksLeft(me itip.Actor, before, after *ics.Object) bool {
	if me.Self(ics.Organizer(after.First())) {
		return before == nil || ics.Organizer(before.First()).IsZero()
	}
	m := after.Master()
	return before != nil && m != nil && m.Prop("EXDATE") != nil
}

func uidOf(objs ...*ics.Object) string {
	for _, o := range objs {
		if o != nil {
			return o.UID()
		}
	}
	return ""
}

func told(n int) string {
	switch n {
	case 0:
		return "nobody to tell"
	case 1:
		return "1 message"
	}
	return strconv.Itoa(n) + " messages"
}

// takes reports whether a calendar takes a kind of component.
func takes(c db.Collection, kind string) bool {
	return slices.Contains(strings.Split(c.Components, ","), kind)
}

// refused adds a refusal of the core to the decision record: the change itself
// left no trace. Failed preconditions of HTTP are no decisions.
func (d *Desk) refused(ctx context.Context, err error, x db.Decision) {
	var r *itip.Refusal
	if !errors.As(err, &r) || r.Status == 412 || r.Status == 404 || x.UID == "" {
		return
	}
	x.At, x.Direction, x.Outcome, x.Rule, x.Detail = d.opt.Now(), "user", "refused", r.Precondition, r.Detail
	if werr := d.store.Write(ctx, nil, func(tx *db.Tx) error {
		row := x
		return tx.InsertDecision(&row)
	}); werr != nil {
		d.opt.Log.Error("a refusal is not in the decision record", "uid", x.UID, "err", werr)
	}
}
