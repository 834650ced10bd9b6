package caldav

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// update gathers what the changes of one request come to, so that all are made
// in one transaction or none.
type update struct {
	coll        db.Collection // as it will be
	touched     bool          // coll differs from what is stored
	rezoned     bool          // its floating and all-day times stand elsewhere
	creating    bool          // coll is being made: protected properties may be given
	makeDefault int64         // calendar or address book that becomes the default one
	busy        []int64       // calendars that count as busy time; nil: as it was
	turned      []int64       // those of them and of the others that change thereby
	available   *string       // calendar-availability as it will be, "" none
	proxies     []int64       // who may act for me; nil: as it was
	title       *string       // what I call a calendar of somebody else
	counts      *bool         // whether it is my busy time
	mode        string        // how a room answers from now on; "": as it did
	own         keeping       // what a guest keeps for himself
	keeping
}

// keeping gathers dead properties to store and to remove.
type keeping struct {
	set    []db.Property
	remove []string
}

// proppatch answers a PROPPATCH (RFC 4918 §9.2).
func (x *exchange) proppatch(segments []string, slash bool) error {
	root, err := x.body()
	if err != nil {
		return err
	}
	changes, err := dav.Proppatch(root)
	if err != nil {
		return err
	}
	r, err := x.find(segments)
	if err != nil {
		return err
	}
	what, _ := r.deadHome()
	if what == "" && r.kind != kProxy {
		return needs(r.href, "write-properties")
	}
	if r.kind == kPrincipal && onlyModes(changes) {
		// Each says whose it is to change.
	} else if guest := r.kind&kColl != 0 && r.owner.ID != x.me.ID; !guest {
		if err := x.may(r, directory.WriteProperties); err != nil {
			return err
		}
	} else if err := x.may(r, directory.Read); err != nil {
		return err
	}
	u := &update{}
	if r.coll != nil {
		u.coll = *r.coll
	}
	failed := x.prepare(r, changes, u)
	if failed == nil {
		if err := x.commit(r, u); err != nil {
			return err
		}
	}
	if x.prefer.Minimal && failed == nil {
		x.preferred() // RFC 8144 §2.2: nothing to tell
		x.w.Header().Set("DAV", x.classes)
		x.w.Header().Set("Content-Length", "0")
		x.w.WriteHeader(http.StatusOK)
		return nil
	}
	ms := x.multistatus()
	ms.Begin(r.href)
	writeChanges(ms, changes, failed)
	ms.Finish()
	return ms.End("")
}

// prepare checks every change; a nil map: all can be made.
func (x *exchange) prepare(r *resource, changes []dav.Change, u *update) map[xml.Name]*dav.Error {
	var failed map[xml.Name]*dav.Error
	for _, c := range changes {
		if err := x.prepareOne(r, c, u); err != nil {
			if failed == nil {
				failed = make(map[xml.Name]*dav.Error)
			}
			failed[c.Prop.Name] = x.explain(err)
		}
	}
	return failed
}

func (x *exchange) prepareOne(r *resource, c dav.Change, u *update) error {
	if p := live[c.Prop.Name]; p != nil {
		if p.write == nil || p.kinds&r.kind == 0 {
			return errProtected
		}
		if r.mount != nil {
			return x.writeMounted(c, u)
		}
		if r.kind&kColl != 0 && r.owner.ID != x.me.ID {
			// What everybody sees of it needs the right to change it.
			if err := x.may(r, directory.WriteProperties); err != nil {
				return err
			}
		}
		return p.write(x, r, c, u)
	}
	if r.kind == kProxy {
		return errProtected // nothing else is kept with it
	}
	if defaultAlarms[c.Prop.Name] && !c.Remove {
		if err := alarms(c.Prop.Text()); err != nil {
			return err
		}
	}
	if r.kind&kColl != 0 && r.owner.ID != x.me.ID {
		have, err := x.rights(r)
		if err != nil {
			return err
		}
		if personal[c.Prop.Name] || r.mount != nil || have&directory.WriteProperties == 0 {
			return u.own.keep(c) // nobody else sees it
		}
	}
	return u.keep(c)
}

var errProtected = &dav.Error{Status: http.StatusForbidden, Cond: dav.D("cannot-modify-protected-property")}

var errTooManyProperties = &dav.Error{Status: http.StatusForbidden, Cond: dav.D("quota-not-exceeded"), Detail: "too many properties on one resource"}

// keep stores or removes a dead property as it was sent (RFC 4918 §4.3).
func (u *keeping) keep(c dav.Change) error {
	name := clark(c.Prop.Name)
	u.set = slices.DeleteFunc(u.set, func(p db.Property) bool { return p.Name == name })
	u.remove = slices.DeleteFunc(u.remove, func(n string) bool { return n == name })
	if c.Remove {
		u.remove = append(u.remove, name)
		return nil
	}
	var w dav.Writer
	w.Tree(c.Prop)
	if len(w.Bytes()) > maxDeadProperty || len(name) > 512 {
		return &dav.Error{Status: http.StatusForbidden, Detail: "the property is too long"}
	}
	if len(u.set) >= maxDead {
		return errTooManyProperties
	}
	u.set = append(u.set, db.Property{Name: name, XML: string(w.Bytes())})
	return nil
}

// commit makes the changes.
func (x *exchange) commit(r *resource, u *update) error {
	what, id := r.deadHome()
	guard, err := x.guard(x.touch(r))
	if err != nil {
		return err
	}
	return x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		if u.available != nil {
			if err := x.desk.SetAvailability(tx, *r.owner, *u.available); err != nil {
				return err
			}
		}
		if u.mode != "" {
			if err := x.desk.SetMode(tx, *r.owner, u.mode); err != nil {
				return err
			}
		}
		// Everything that changes changes under these locks.
		changed, err := u.collections(tx, r)
		if err != nil {
			return err
		}
		if _, err := tx.BumpCollections(changed...); err != nil {
			return err
		}
		if err := guard(tx); err != nil {
			return err
		}
		if u.proxies != nil {
			if err := tx.SetProxies(r.owner.ID, r.writes, u.proxies); err != nil {
				return err
			}
			if err := directory.Withdraw(tx, *r.owner); err != nil {
				return err
			}
		}
		if u.title != nil || u.counts != nil {
			if err := x.remount(tx, r, u.title, u.counts); err != nil {
				return err
			}
		}
		if u.touched {
			if err := tx.UpdateCollection(&u.coll); err != nil {
				return err
			}
		}
		if u.rezoned {
			if err := scheduling.Rezone(tx, u.coll); err != nil {
				return err
			}
		}
		if u.makeDefault != 0 {
			c, err := tx.Collection(u.makeDefault)
			if err != nil {
				return err
			}
			c.Default = true
			if err := tx.UpdateCollection(&c); err != nil {
				return err
			}
		}
		for _, id := range u.turned {
			c, err := tx.Collection(id)
			if err != nil {
				return err
			}
			c.Transparent = !slices.Contains(u.busy, id)
			if err := tx.UpdateCollection(&c); err != nil {
				return err
			}
		}
		if len(u.own.set)+len(u.own.remove) > 0 {
			if err := tx.SetPersonalProperties(x.me.ID, id, u.own.set, u.own.remove); err != nil {
				return err
			}
			own, err := tx.PersonalProperties(x.me.ID, id)
			if err == nil && len(own) > maxDead {
				err = errTooManyProperties
			}
			if err != nil {
				return err
			}
		}
		if len(u.set)+len(u.remove) == 0 {
			return nil
		}
		if err := tx.SetProperties(what, id, u.set, u.remove); err != nil {
			return err
		}
		have, err := tx.Properties(what, id)
		if err == nil && len(have) > maxDead {
			err = errTooManyProperties
		}
		return err
	})
}

// collections that the changes touch, to be locked in one go (STORAGE 5): with
// a new default calendar the old one changes, too. A transaction that is tried
// again begins here.
func (u *update) collections(tx *db.Tx, r *resource) (ids []int64, err error) {
	u.turned = nil
	if r.kind&(kColl|kMember) != 0 {
		ids = append(ids, r.coll.ID)
	}
	if u.makeDefault == 0 && u.busy == nil {
		return ids, nil
	}
	cs, err := tx.Collections(r.owner.ID, r.wing().home)
	for _, c := range cs {
		turns := u.busy != nil && inFreeBusySet(&c) && c.Transparent == slices.Contains(u.busy, c.ID)
		if turns {
			u.turned = append(u.turned, c.ID)
		}
		if turns || u.makeDefault != 0 && (c.Default || c.ID == u.makeDefault) {
			ids = append(ids, c.ID)
		}
	}
	return ids, err
}

// writeChanges tells what became of each change: all of them made, or none
// (RFC 4918 §9.2).
func writeChanges(ms *dav.MultiStatus, changes []dav.Change, failed map[xml.Name]*dav.Error) {
	told := make(map[xml.Name]bool)
	for _, c := range changes {
		name := c.Prop.Name
		if told[name] {
			continue
		}
		told[name] = true
		switch e := failed[name]; {
		case failed == nil:
			ms.Empty(name)
		case e != nil:
			ms.Failed(name, e.Status, e.Cond)
		default:
			ms.Failed(name, http.StatusFailedDependency, xml.Name{})
		}
	}
}

func conflict(format string) error { return &dav.Error{Status: http.StatusConflict, Detail: format} }

func writeDisplayName(x *exchange, r *resource, c dav.Change, u *update) error {
	if r.kind&kColl == 0 {
		return errProtected // the directory names principals
	}
	name := strings.TrimSpace(c.Prop.Text())
	if c.Remove {
		name = ""
	}
	if len(name) > 1024 {
		return conflict("the name is too long")
	}
	u.coll.DisplayName, u.touched = name, true
	return nil
}

// placeOfHref reads an href in a body or a Destination header.
func (x *exchange) placeOfHref(ref string) (place, bool) {
	host, path, err := dav.Reference(ref)
	if err != nil || host != "" && !x.ourHost(host) {
		return place{}, false
	}
	segments, _, err := dav.Segments(path)
	if err != nil {
		return place{}, false
	}
	return x.placeOf(segments)
}

func (x *exchange) ourHost(host string) bool {
	return strings.EqualFold(host, x.r.Host) || x.publicHost != "" && strings.EqualFold(host, x.publicHost)
}

// zoneOf is where floating and all-day times of a collection stand.
func zoneOf(r *resource) *time.Location {
	if r.coll != nil && r.coll.TZ != "" {
		if loc := ics.Location(r.coll.TZ); loc != nil {
			return loc
		}
	}
	if loc := ics.Location(r.owner.TZ); r.owner.TZ != "" && loc != nil {
		return loc
	}
	return time.UTC
}
