package caldav

import (
	"errors"
	"slices"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

// Notifications are messages of the server to a person, which programs read in
// a collection of his calendar home (caldav-notifications §4). Only invitations
// to share calendars and answers to them come so.

const (
	wordNotifications = "notification" // the name of the collection
	maxNotifications  = 500            // of one person: older ones give way
)

// What is told, as CS:notificationtype names it.
const (
	inviteNotification = "invite-notification"
	inviteReply        = "invite-reply"
)

// neverTold is the incarnation of what noNotifications returns.
const neverTold = "none"

// noNotifications stands for the collection of somebody who was never told
// anything: it is empty, and nothing is stored.
func (x *exchange) noNotifications() *resource {
	return collectionResource(&x.me, db.Collection{Owner: x.me.ID, Kind: db.Notifications, Name: wordNotifications, Incarnation: neverTold, Modseq: 1, Created: x.me.Created})
}

// readNotificationURL tells where they are (caldav-sharing §4.1.1), to their
// reader.
func readNotificationURL(x *exchange, r *resource, w *dav.Writer) bool {
	if r.owner.ID != x.me.ID {
		return false
	}
	cs, err := x.collections(r.owner, wings[wingCalendars])
	if err != nil {
		x.broken = err
		return false
	}
	name := wordNotifications
	for i := range cs {
		switch {
		case cs[i].Kind == db.Notifications:
			w.Href(collectionHref(r.owner, &cs[i]))
			return true
		case cs[i].Name == wordNotifications: // something of his own
			name = ""
		}
	}
	if name != "" {
		w.Href(collectionHref(r.owner, x.noNotifications().coll))
	}
	return name != ""
}

// readNotificationType tells what a notification is about without its body
// (caldav-sharing §4.2.1).
func readNotificationType(x *exchange, r *resource, w *dav.Writer) bool {
	w.OpenWith(dav.CS(r.obj.Component), sharedCalendar)
	w.Close(dav.CS(r.obj.Component))
	return true
}

// sharedCalendar is the attribute that Apple's programs look for.
const sharedCalendar = ` shared-type="calendar"`

// posting gathers the notifications of one transaction.
type posting struct {
	now   time.Time
	boxes map[int64]db.Collection // by principal
	moved map[int64]int64         // modseqs of what is locked
}

// tell locks the collections of notifications of some people, which are made
// where there were none, and the collections that change with them, all in one
// go (STORAGE 5).
func tell(tx *db.Tx, now time.Time, people []int64, collections ...int64) (*posting, error) {
	t := &posting{now: now, boxes: make(map[int64]db.Collection)}
	people = slices.Compact(slices.Sorted(slices.Values(people)))
	have, err := tx.CollectionsOf(people, db.Notifications)
	if err != nil {
		return nil, err
	}
	for _, c := range have {
		t.boxes[c.Owner] = c
	}
	for _, id := range people {
		c, ok := t.boxes[id]
		if !ok {
			c = db.Collection{Owner: id, Kind: db.Notifications, Name: wordNotifications}
			err := tx.InsertCollection(&c)
			if errors.Is(err, db.ErrExists) { // made meanwhile, or something of his own
				if c, err = tx.CollectionByName(id, db.Notifications, wordNotifications); err == nil && c.Kind != db.Notifications {
					c = db.Collection{Owner: id, Kind: db.Notifications, Name: wordNotifications + "-" + randomName()}
					err = tx.InsertCollection(&c)
				}
			}
			if err != nil {
				return nil, err
			}
			t.boxes[id] = c
		}
		collections = append(collections, c.ID)
	}
	t.moved, err = tx.BumpCollections(collections...)
	return t, err
}

// put leaves a notification, in place of an earlier one of its name.
func (t *posting) put(tx *db.Tx, who int64, name, what string, content func(*dav.Writer)) error {
	box := t.boxes[who].ID
	body := dav.Document(dav.CS("notification"), func(w *dav.Writer) {
		w.Element(dav.CS("dtstamp"), t.now.UTC().Format("20060102T150405Z"))
		w.OpenWith(dav.CS(what), sharedCalendar)
		content(w)
		w.Close(dav.CS(what))
	})
	old, err := cardAt(tx, box, name)
	if err != nil {
		return err
	}
	if old == nil {
		if err := t.makeRoom(tx, box); err != nil {
			return err
		}
	}
	o := db.Object{Collection: box, Name: name, UID: fileUID(), Component: what, Modseq: t.moved[box]}
	var expected int64
	if old != nil {
		o.ID, o.UID, o.Created, expected = old.ID, old.UID, old.Created, old.Modseq
	}
	return tx.PutObject(&o, body, db.Indexed{}, expected)
}

// makeRoom removes the oldest notification where there are too many.
func (t *posting) makeRoom(tx *db.Tx, box int64) error {
	all, err := tx.List(box, "", maxNotifications)
	if err != nil || len(all) < maxNotifications {
		return err
	}
	oldest := slices.MinFunc(all, func(a, b db.Object) int { return a.Modified.Compare(b.Modified) })
	return tx.DeleteObject(oldest.ID, t.moved[box], oldest.Modseq)
}

// drop removes a notification that says nothing any more.
func (t *posting) drop(tx *db.Tx, who int64, name string) error {
	o, err := cardAt(tx, t.boxes[who].ID, name)
	if err != nil || o == nil {
		return err
	}
	return tx.DeleteObject(o.ID, t.moved[o.Collection], o.Modseq)
}

// invited tells a sharee how his invitation stands (caldav-sharing §6.15):
// state is the name of one of the elements that say so.
func (t *posting) invited(tx *db.Tx, owner *db.Principal, c *db.Collection, s *db.Share, who *db.Principal, state, summary string) error {
	return t.put(tx, s.Sharee, s.UID+".xml", inviteNotification, func(w *dav.Writer) {
		w.Element(dav.CS("uid"), s.UID)
		w.Href(mailtoOf(who))
		w.Empty(dav.CS(state))
		writeAccess(w, s.Writes)
		writeHost(w, owner, c)
		w.Raw("<CS:organizer>")
		w.Href(mailtoOf(owner))
		writeNames(w, owner)
		w.Raw("</CS:organizer>")
		if summary != "" {
			w.Element(dav.CS("summary"), summary)
		}
		w.Raw("<C:supported-calendar-component-set>")
		readComponents(nil, &resource{coll: c}, w)
		w.Raw("</C:supported-calendar-component-set>")
	})
}

// answered tells the owner what a sharee has made of it (caldav-sharing §6.22).
func (t *posting) answered(tx *db.Tx, owner *db.Principal, c *db.Collection, s *db.Share, who *db.Principal, state string) error {
	return t.put(tx, owner.ID, s.UID+"-reply.xml", inviteReply, func(w *dav.Writer) {
		w.Href(mailtoOf(who))
		w.Empty(dav.CS(state))
		writeHost(w, owner, c)
		w.Element(dav.CS("in-reply-to"), s.UID)
		if s.Title != "" {
			w.Element(dav.CS("summary"), s.Title)
		}
		writeNames(w, who)
	})
}

func mailtoOf(p *db.Principal) string { return "mailto:" + p.Address }

func writeAccess(w *dav.Writer, writes bool) {
	if writes {
		w.Raw("<CS:access><CS:read-write/></CS:access>")
	} else {
		w.Raw("<CS:access><CS:read/></CS:access>")
	}
}

func writeHost(w *dav.Writer, owner *db.Principal, c *db.Collection) {
	w.Raw("<CS:hosturl>")
	w.Href(collectionHref(owner, c))
	w.Raw("</CS:hosturl>")
}

// writeNames tells how somebody is called, if anybody knows.
func writeNames(w *dav.Writer, p *db.Principal) {
	if p.Name != "" {
		w.Element(dav.CS("common-name"), p.Name)
	}
}
