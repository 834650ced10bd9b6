package scheduling

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// holding is one person's copy of a conversation in one transaction.
type holding struct {
	owner db.Principal
	uid   string
	row   *db.Object  // as loaded; nil: none stands there
	was   *ics.Object // what was loaded
	obj   *ics.Object // as it stands now; nil: none, or removed

	collection int64 // where it is, or is to be
	name       string

	changed   bool
	newTag    bool            // RFC 6638 §3.2.10
	scheduled bool            // it is a scheduling object resource (RFC 6638 §3.1)
	held      *db.Quarantined // in quarantine: makes nothing busy (decision 11)
	guest     int64           // who writes it, if he is a guest there
	own       []byte          // what he has for himself of it, once it is written

	stored db.Object // after flush
}

func (h *holding) dirty() bool { return h.changed }

// take makes the outcome of the core the state of the copy.
func (h *holding) take(out itip.Outcome) {
	switch {
	case out.Remove:
		h.changed = h.changed || h.obj != nil
		h.obj = nil
	case out.Object != nil && (out.Changed || h.obj == nil):
		h.obj, h.changed, h.scheduled = out.Object, true, out.Scheduled
		h.newTag = h.newTag || !out.KeepTag
	}
}

// home is where the objects of a calendar user lie.
type home struct {
	collections map[int64]db.Collection
	events      int64 // where invitations arrive (RFC 6638 §9.2); 0: nowhere
	tasks       int64 // where tasks arrive
	inbox       int64
	entries     []db.ACE // of the inbox: who may deliver into it
	asked       bool     // entries were looked for
}

// visit loads the homes of owners that are not known yet.
func (s *sitting) visit(owners ...int64) error {
	owners = slices.DeleteFunc(slices.Clone(owners), func(id int64) bool { _, ok := s.homes[id]; return ok })
	if len(owners) == 0 {
		return nil
	}
	cols, err := s.tx.CollectionsOf(owners, db.Calendar, db.Inbox)
	if err != nil {
		return err
	}
	for _, id := range owners {
		s.homes[id] = &home{collections: map[int64]db.Collection{}}
	}
	for _, c := range cols {
		s.homes[c.Owner].add(c)
	}
	return nil
}

func (h *home) add(c db.Collection) {
	h.collections[c.ID] = c
	if c.Kind == db.Inbox {
		h.inbox = c.ID
		return
	}
	for kind, at := range map[string]*int64{"VEVENT": &h.events, "VTODO": &h.tasks} {
		if takes(c, kind) && (c.Default || *at == 0 || !h.collections[*at].Default && c.ID < *at) {
			*at = c.ID
		}
	}
}

// arrives returns where a new object of a kind goes: the default calendar, or
// the oldest one that takes it; 0 if none does.
func (h *home) arrives(kind string) int64 {
	if kind == "VTODO" {
		return h.tasks
	}
	return h.events
}

// place gives somebody's part in a conversation its calendar; false if he has
// none for objects of that kind.
func (s *sitting) place(h *holding, kind string) bool {
	if h.row == nil && h.collection == 0 {
		h.collection = s.homes[h.owner.ID].arrives(kind)
	}
	return h.row != nil || h.collection != 0
}

// receivesInto is place for an invitation that comes in: into the calendar that
// the rules name for its CLASS, if there is such a one.
func (s *sitting) receivesInto(h *holding, o *ics.Object) bool {
	if h.row == nil && h.collection == 0 && s.agent(h.owner) {
		if name := s.rules(h.owner).Drawer(o); name != "" {
			for _, c := range s.homes[h.owner.ID].collections {
				if c.Name == name && takes(c, o.Kind()) {
					h.collection = c.ID
				}
			}
		}
	}
	return s.place(h, o.Kind())
}

// scheduled reports whether objects of a kind are scheduled: events and tasks.
func scheduled(kind string) bool { return kind == "VEVENT" || kind == "VTODO" }

// load fetches the copies that owners have of a conversation; those without
// one get an empty holding, which place gives a calendar.
func (s *sitting) load(uid string, owners ...db.Principal) error {
	var ids []int64
	for _, p := range owners {
		if _, ok := s.holdings[thread{p.ID, uid}]; !ok {
			s.hold(uid, &holding{owner: p})
			ids = append(ids, p.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := s.objects(uid, ids)
	if err != nil {
		return err
	}
	for i := range rows {
		h := s.holdings[thread{rows[i].Owner, uid}]
		if h == nil || h.row != nil {
			continue // several of one person: the oldest counts
		}
		if err := s.fill(h, &rows[i].Object); err != nil {
			return err
		}
	}
	if err := s.visit(ids...); err != nil {
		return err
	}
	for _, id := range ids {
		h := s.holdings[thread{id, uid}]
		if h.row == nil {
			h.name = randomName()
		}
	}
	return nil
}

var errDecided = errors.New("scheduling: this was decided before")

// objects reads the copies of a conversation; of one owner whose home is not
// known yet together with that, and with whether what is being decided was
// decided before: errDecided.
func (s *sitting) objects(uid string, owners []int64) ([]db.OwnedObject, error) {
	if len(owners) != 1 || s.homes[owners[0]] != nil {
		return s.tx.ObjectsByUID(uid, owners...)
	}
	rows, cols, decided, err := s.tx.Part(uid, owners[0], s.once, db.Calendar, db.Inbox)
	if err != nil {
		return nil, err
	}
	if decided {
		return nil, errDecided
	}
	h := &home{collections: map[int64]db.Collection{}}
	s.homes[owners[0]] = h
	for _, c := range cols {
		h.add(c)
	}
	return rows, nil
}

// hold enters a holding into the sitting.
func (s *sitting) hold(uid string, h *holding) {
	h.uid = uid
	s.holdings[thread{h.owner.ID, uid}] = h
	s.order = append(s.order, h)
}

// fill sets what was loaded.
func (s *sitting) fill(h *holding, row *db.Object) error {
	o, err := s.parse(row)
	if err != nil {
		return err
	}
	h.row, h.was, h.obj = row, o, o
	h.collection, h.name = row.Collection, row.Name
	h.scheduled = row.ScheduleTag != ""
	return nil
}

// parse reads a stored body, equal ones once (STORAGE 18).
func (s *sitting) parse(row *db.Object) (*ics.Object, error) {
	if o, ok := s.parsed[row.ETag]; ok {
		return o, nil
	}
	o, err := ics.Parse(row.Body, storedLimits)
	if err != nil {
		return nil, fmt.Errorf("object %d: %w", row.ID, err)
	}
	s.parsed[row.ETag] = o
	return o, nil
}

// storedLimits let through whatever was once accepted, should the limits have
// been lowered since.
var storedLimits = ics.Limits{Bytes: 1 << 30, Line: 1 << 30, Components: 1 << 24, Properties: 1 << 28}

// zone returns the zone in which floating and all-day times of a collection
// stand.
func (s *sitting) zone(owner db.Principal, collection int64) (*time.Location, error) {
	if f := s.assumed; f != nil && f.ID == collection && f.Owner == owner.ID {
		return zoneOf(*f, owner), nil
	}
	if err := s.visit(owner.ID); err != nil {
		return nil, err
	}
	return zoneOf(s.homes[owner.ID].collections[collection], owner), nil
}

func zoneOf(c db.Collection, owner db.Principal) *time.Location {
	for _, tz := range []string{c.TZ, owner.TZ} {
		if tz != "" {
			if loc := ics.Location(tz); loc != nil {
				return loc
			}
		}
	}
	return time.UTC
}

// actor is a calendar user as the core sees him.
func (s *sitting) actor(h *holding, groups bool) (itip.Actor, error) {
	loc, err := s.zone(h.owner, h.collection)
	if err != nil {
		return itip.Actor{}, err
	}
	var in func(cuaddr.Address) bool
	if groups {
		in = s.self(h.owner, true)
	}
	var strict func(cuaddr.Address) bool
	if s.d.opt.Strict {
		strict = func(a cuaddr.Address) bool { return s.find(a) != nil }
	}
	return itip.Actor{
		Strict:       strict,
		Self:         s.self(h.owner, false),
		Groups:       in,
		Members:      s.inGroup,
		Name:         h.owner.Name,
		Address:      cuaddr.Mailto(h.owner.Address),
		Now:          s.now,
		Floating:     loc,
		Bound:        s.d.opt.Bound,
		PastGrace:    s.d.opt.PastGrace,
		PublicX:      s.d.opt.PublicX,
		SharedX:      s.d.opt.SharedX,
		MaxAttendees: s.d.opt.MaxAttendees,
		Prefers:      func(name string) string { return s.wish(h.owner.ID, name) },
		Agent:        h.owner.Kind == db.Room || h.owner.Kind == db.Resource,
		Same:         s.same,
		Kind:         s.kind,
		Named:        s.named,
		Proposals:    func() []itip.Proposal { return s.proposals(h.owner.ID, h.uid) },
	}, nil
}

// wish returns how a calendar user wants a thing done. Who is asked for one is
// seldom asked for another: nothing is read before it is needed.
func (s *sitting) wish(owner int64, name string) string {
	all, ok := s.wishes[owner]
	if !ok {
		var err error
		if all, err = s.tx.Preferences(owner); err != nil {
			return "" // the transaction remembers it and is rolled back
		}
		if s.wishes == nil {
			s.wishes = map[int64]map[string]string{}
		}
		s.wishes[owner] = all
	}
	if v := all[name]; v != "" {
		return v
	}
	return s.d.opt.Prefer[name]
}

// wishesOf reads together what many prefer.
func (s *sitting) wishesOf(owners []db.Principal) error {
	var ids []int64
	for _, p := range owners {
		if _, ok := s.wishes[p.ID]; !ok && p.Kind == db.Person {
			ids = append(ids, p.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	all, err := s.tx.PreferencesOf(ids)
	if err != nil {
		return err
	}
	if s.wishes == nil {
		s.wishes = map[int64]map[string]string{}
	}
	for _, id := range ids {
		s.wishes[id] = all[id]
	}
	return nil
}

// recordKey names a record that equal copies share: what counts is the object,
// the zone, and what its owner's lines say.
type recordKey struct {
	obj   *ics.Object
	zone  *time.Location
	lines string
}

// record makes the busy record of a holding, for equal copies once.
func (s *sitting) record(h *holding) (db.Indexed, error) {
	loc, err := s.zone(h.owner, h.collection)
	if err != nil {
		return db.Indexed{}, err
	}
	if h.held != nil {
		rec, err := quarantined(h.obj, loc, s.d.opt.Bound)
		rec.Hidden = hidden(h.obj)
		return rec, refuseIndex(err)
	}
	who := s.self(h.owner, false)
	if err := s.meetIn(h.obj); err != nil {
		return db.Indexed{}, err
	}
	all := s.roster(h.obj)
	lines := all.parts[h.owner.ID].key()
	if all.mixed {
		lines = strconv.FormatInt(h.owner.ID, 10)
	}
	key := recordKey{h.obj, loc, lines}
	if rec, ok := s.records[key]; ok {
		return rec, nil
	}
	rec, err := Record(h.obj, who, loc, s.d.opt.Bound)
	if err == nil {
		err = dense(h.obj, rec, loc, s.d.opt.Bound)
	}
	if err != nil {
		return db.Indexed{}, refuseIndex(err)
	}
	rec.Hidden = hidden(h.obj)
	if s.records == nil {
		s.records = map[recordKey]db.Indexed{}
	}
	s.records[key] = rec
	return rec, nil
}

// hidden is how many octets of an object no program sees.
func hidden(o *ics.Object) int { return len(o.Bytes()) - len(itip.Shown(o.Bytes())) }

// dense returns ics.ErrTooMany for a series with more instances in its first
// year than the bound allows: nobody could ask about any part of it later.
func dense(o *ics.Object, rec db.Indexed, loc *time.Location, b ics.Bound) error {
	if rec.Series == nil || !o.Recurs() {
		return nil
	}
	from := micro(max(rec.Series.First, time.Time{}.UnixMicro()))
	return o.Instances(from, from.AddDate(1, 0, 0), loc, b, func(ics.Instance) bool { return true })
}

// index makes the records of all that is about to be written, so that what
// cannot be recorded is refused before anything is decided.
func (s *sitting) index() error {
	for _, h := range s.order {
		if h.dirty() && h.obj != nil {
			if _, err := s.record(h); err != nil {
				return err
			}
		}
	}
	return nil
}

// quarantined is the record of an object that must not block time yet
// (decision 11).
func quarantined(o *ics.Object, loc *time.Location, b ics.Bound) (db.Indexed, error) {
	root := o.Root().Clone()
	for _, c := range root.Children {
		if c.Name == "VEVENT" {
			c.Set(ics.NewProp("TRANSP", "TRANSPARENT"))
		}
	}
	return Record(ics.New(root), func(cuaddr.Address) bool { return false }, loc, b)
}

// Record makes the busy record of an object for its owner, for whoever stores
// objects (import, a changed time zone). The error is ics.ErrTooMany or a
// *ics.SyntaxError.
func Record(o *ics.Object, self func(cuaddr.Address) bool, floating *time.Location, b ics.Bound) (db.Indexed, error) {
	idx, err := o.Index(self, floating, b)
	if err != nil {
		return db.Indexed{}, err
	}
	var rec db.Indexed
	if s := idx.Slot; s != nil {
		rec.Slot = &db.Slot{Start: s.Start, Fin: s.Fin, Type: uint8(s.Type), Floating: s.Floating}
	}
	if s := idx.Series; s != nil {
		rec.Series = &db.Series{First: s.First, Last: s.Last, CoveredUntil: s.CoveredUntil, Runs: s.Runs, Floating: s.Floating}
	}
	return rec, nil
}

// refuseIndex makes a refusal of what keeps an object from being indexed.
func refuseIndex(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ics.ErrTooMany) {
		return &itip.Refusal{Precondition: itip.MaxInstances, Detail: "the recurrence has too many instances"} // RFC 4791 §5.3.2.1
	}
	var syntax *ics.SyntaxError
	if errors.As(err, &syntax) {
		return &itip.Refusal{Precondition: itip.ValidData, Detail: err.Error()}
	}
	return err
}
