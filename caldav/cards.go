package caldav

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/convene-server/convene/caldav/carddav"
	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
)

// Cards are written here and not at the desk: nothing follows from them.

// putCard writes an object of an address book.
func (x *exchange) putCard(coll *resource, name string) error {
	body, err := x.readObject([]string{"text/vcard", "text/x-vcard", carddav.JSONType},
		&dav.Error{Status: http.StatusForbidden, Cond: dav.CR("supported-address-data"), Detail: "an address book takes text/vcard and " + carddav.JSONType},
		tooLargeCard(x))
	if err != nil {
		return err
	}
	parse := carddav.Parse
	if x.sentJCard() {
		parse = carddav.ParseJCard
	}
	card, err := x.parseCard(body, parse)
	if err != nil {
		return err
	}
	once := card.MembersOnce()
	if once != nil {
		if card, err = x.parseCard(once, carddav.Parse); err != nil {
			return err
		}
	}
	if err := x.fits(coll.owner, int64(len(card.Bytes()))); err != nil {
		return err
	}
	w := cardWrite{coll: coll, name: name, card: card, conditions: x.conditions()}
	if w.conditions.Under, err = x.guardPut(coll, name); err != nil {
		return err
	}
	written, err := x.writeCard(&w)
	if err != nil {
		return err
	}
	// RFC 6352 §6.3.2.3: the octets of a jCard are not what is stored.
	written.Rewritten = written.Rewritten || x.sentJCard() || once != nil
	return x.sendWritten(written, memberHref(coll.href, name), false)
}

func tooLargeCard(x *exchange) *dav.Error {
	return &dav.Error{Status: http.StatusForbidden, Cond: dav.CR("max-resource-size"), Detail: "a card may have " + strconv.FormatInt(x.maxResource, 10) + " octets, its picture included"}
}

// parseCard says what is wrong with a card in the words of RFC 6352 §6.3.2.1.
func (x *exchange) parseCard(body []byte, parse func([]byte, carddav.Limits) (*carddav.Card, error)) (*carddav.Card, error) {
	card, err := parse(body, carddav.Limits{Bytes: int(x.maxResource)})
	if err == nil {
		err = card.Check()
	}
	var version *carddav.VersionError
	var large *carddav.TooLargeError
	switch {
	case errors.As(err, &large) && large.What == "octets": // once it is a vCard
		return nil, tooLargeCard(x)
	case errors.As(err, &version):
		return nil, &dav.Error{Status: http.StatusForbidden, Cond: dav.CR("supported-address-data"), Detail: err.Error()}
	case err != nil:
		return nil, &dav.Error{Status: http.StatusForbidden, Cond: dav.CR("valid-address-data"), Detail: err.Error()}
	}
	return card, nil
}

// cardWrite is a card on its way to a place in an address book.
type cardWrite struct {
	coll       *resource
	name       string
	card       *carddav.Card
	conditions scheduling.Conditions
}

// writeCard stores a card in one transaction: its UID is locked, then the
// address book, and only then is anything looked at that decides.
func (x *exchange) writeCard(c *cardWrite) (w scheduling.Written, err error) {
	uid := c.card.UID()
	if uid == "" {
		if uid, err = x.uidFor(c); err != nil {
			return w, err
		}
	}
	err = x.store.Write(x.ctx, []string{"thread:" + uid}, func(tx *db.Tx) error {
		if err := tx.LockThreads(uid); err != nil {
			return err
		}
		modseqs, err := tx.BumpCollections(c.coll.coll.ID)
		if err != nil {
			return err
		}
		old, err := cardAt(tx, c.coll.coll.ID, c.name)
		if err != nil {
			return err
		}
		if err := c.conditions.Under(tx); err != nil {
			return err
		}
		if err := c.conditions.Check(old); err != nil {
			return err
		}
		o := db.Object{Collection: c.coll.coll.ID, Name: c.name, UID: uid, Component: "VCARD", Modseq: modseqs[c.coll.coll.ID]}
		var expected int64
		if old != nil {
			if old.UID != uid {
				return x.uidTaken(c.coll, old.Name)
			}
			o.ID, o.Created, expected = old.ID, old.Created, old.Modseq
		}
		if err := x.uidFree(tx, c.coll, uid, c.name); err != nil {
			return err
		}
		body := c.card.Bytes()
		w = scheduling.Written{Created: old == nil}
		if c.card.UID() == "" {
			body, w.Rewritten = c.card.WithUID(uid), true
		}
		if err := tx.PutObject(&o, body, db.Indexed{}, expected); err != nil {
			return err
		}
		w.ETag = o.ETag
		if busy := publishedBy(c.card); len(busy) > 0 || old != nil {
			return tx.SetPublished(c.coll.coll.Owner, o.ID, "", busy)
		}
		return nil
	})
	return w, err
}

// publishedBy tells where a card says that busy time is published: its FBURL
// (RFC 6350 §6.9.1, RFC 2739 §2.2), for each of its addresses.
func publishedBy(c *carddav.Card) (out []db.Published) {
	url := strings.TrimSpace(c.Value("FBURL"))
	if low := strings.ToLower(url); !strings.HasPrefix(low, "http://") && !strings.HasPrefix(low, "https://") || len(url) > 1000 {
		return nil
	}
	for i := range c.Props {
		if p := &c.Props[i]; p.Name == "EMAIL" && len(out) < 20 {
			if a := cuaddr.Mailto(strings.TrimPrefix(strings.TrimSpace(p.Text()), "mailto:")); !a.IsZero() {
				out = append(out, db.Published{Name: scheduling.OutsideName(a), URL: url})
			}
		}
	}
	return out
}

// uidFor gives a card without a UID that of the card which it replaces. There
// must be one (RFC 6352 §5.1): the precondition has the name that Apple's server
// gave it.
func (x *exchange) uidFor(c *cardWrite) (string, error) {
	var old *db.Object
	err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		old, err = cardAt(tx, c.coll.coll.ID, c.name)
		return err
	})
	switch {
	case err != nil:
		return "", err
	case old == nil:
		return "", &dav.Error{Status: http.StatusForbidden, Cond: dav.CR("valid-addressbook-object-resource"), Detail: "the card has no UID"}
	}
	return old.UID, nil
}

// cardAt loads the live object of a name, nil without one.
func cardAt(tx *db.Tx, collection int64, name string) (*db.Object, error) {
	o, err := tx.Object(collection, name)
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil
	}
	return &o, err
}

// uidFree refuses a UID that another card of the address book has.
func (x *exchange) uidFree(tx *db.Tx, coll *resource, uid, name string) error {
	same, err := tx.NamesByUID(coll.coll.ID, uid)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(same, func(n string) bool { return n != name }); i >= 0 {
		return x.uidTaken(coll, same[i])
	}
	return nil
}

// uidTaken is RFC 6352 §6.3.2.1: a UID is used once in an address book, and a
// card keeps its own.
func (x *exchange) uidTaken(coll *resource, by string) error {
	return &dav.Error{Status: http.StatusForbidden, Cond: dav.CR("no-uid-conflict"), Hrefs: []string{memberHref(coll.href, by)},
		Detail: "another card has this UID, or this card another"}
}

// deleteCard removes a card.
func (x *exchange) deleteCard(coll *resource, name string) error {
	conditions := x.conditions()
	guard, err := x.guard(touchAt(coll.owner, place{wing: coll.wing(), coll: coll.coll.Name, member: name}).goes())
	if err != nil {
		return err
	}
	return x.withCard(coll, name, func(tx *db.Tx, o *db.Object, modseqs map[int64]int64) error {
		if err := guard(tx); err != nil {
			return err
		}
		if err := conditions.Check(o); err != nil {
			return err
		}
		return tx.DeleteObject(o.ID, modseqs[o.Collection], o.Modseq)
	})
}

// withCard runs fn on a card under its lock and those of the collections that
// change.
func (x *exchange) withCard(coll *resource, name string, fn func(tx *db.Tx, o *db.Object, modseqs map[int64]int64) error, also ...int64) error {
	var uid string
	err := x.store.View(x.ctx, func(tx *db.Tx) error {
		o, err := tx.Object(coll.coll.ID, name)
		uid = o.UID
		return err
	})
	if err != nil {
		return err
	}
	return x.store.Write(x.ctx, []string{"thread:" + uid}, func(tx *db.Tx) error {
		if err := tx.LockThreads(uid); err != nil {
			return err
		}
		modseqs, err := tx.BumpCollections(append(also, coll.coll.ID)...)
		if err != nil {
			return err
		}
		o, err := tx.Object(coll.coll.ID, name)
		if err != nil {
			return err
		}
		if o.UID != uid { // deleted, and another one written, since it was looked at
			return db.ErrConflict
		}
		return fn(tx, &o, modseqs)
	})
}

// moveCard puts a card elsewhere.
func (x *exchange) moveCard(t *transfer) error {
	conditions := x.conditions()
	guard, err := x.guard(x.touch(t.from).goes(), touchAt(t.owner, t.to).comes())
	if err != nil {
		return err
	}
	name := t.to.member
	from := collectionResource(t.from.owner, *t.from.coll)
	var w scheduling.Written
	err = x.withCard(from, t.from.obj.Name, func(tx *db.Tx, o *db.Object, modseqs map[int64]int64) error {
		if err := guard(tx); err != nil {
			return err
		}
		if err := conditions.Check(o); err != nil {
			return err
		}
		to := t.coll.coll.ID
		there, err := cardAt(tx, to, name)
		if err != nil {
			return err
		}
		if there != nil && !t.overwrite { // RFC 4918 §9.9.3
			return &dav.Error{Status: http.StatusPreconditionFailed}
		}
		if there != nil && there.UID != o.UID {
			return x.uidTaken(t.coll, name)
		}
		if to != o.Collection {
			if err := x.uidFree(tx, t.coll, o.UID, name); err != nil {
				return err
			}
		}
		if there != nil {
			if err := tx.DeleteObject(there.ID, modseqs[to], there.Modseq); err != nil {
				return err
			}
		}
		w = scheduling.Written{Created: there == nil, ETag: o.ETag}
		return tx.MoveObject(o.ID, o.Modseq, o.Collection, to, name, modseqs[o.Collection], modseqs[to])
	}, t.coll.coll.ID)
	if err != nil {
		return err
	}
	return x.sendWritten(w, memberHref(t.coll.href, name), w.Created)
}

// copyCard writes a card a second time: into another address book, because a
// UID is used once in each.
func (x *exchange) copyCard(t *transfer) error {
	if err := x.conditions().Check(&t.from.obj); err != nil {
		return err
	}
	card, err := x.parseCard(t.from.obj.Body, carddav.Parse)
	if err != nil {
		return err
	}
	name := t.to.member
	c := cardWrite{coll: t.coll, name: name, card: card}
	if c.conditions.Under, err = x.guardPut(t.coll, name); err != nil {
		return err
	}
	if !t.overwrite { // RFC 4918 §10.6
		c.conditions.IfNoneMatch = []string{"*"}
	}
	w, err := x.writeCard(&c)
	if err != nil {
		return err
	}
	return x.sendWritten(w, memberHref(t.coll.href, name), w.Created)
}
