package caldav

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
)

// Plain collections lie in a calendar home beside the calendars (RFC 4791
// §5.2), and take ordinary files and their like. Nothing follows from what is
// in them: they are written here and not at the desk.

// defaultMedia is the type of a file that came without one (RFC 9110 §8.3).
const defaultMedia = "application/octet-stream"

// mediaType is that of a request's body, as the file keeps it.
func mediaType(header string) string {
	m, _, err := mime.ParseMediaType(header)
	if err != nil || !strings.Contains(m, "/") || len(m) > 200 {
		return defaultMedia
	}
	if header = strings.TrimSpace(header); len(header) <= 200 {
		return header
	}
	return m
}

// putFile writes an ordinary file.
func (x *exchange) putFile(coll *resource, p place) error {
	if x.r.ContentLength > x.maxResource {
		return errFileTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(x.r.Body, x.maxResource+1))
	if err != nil {
		return &dav.Error{Status: http.StatusBadRequest, Detail: "the request ended early"}
	}
	if int64(len(body)) > x.maxResource {
		return errFileTooLarge
	}
	if err := x.fits(coll.owner, int64(len(body))); err != nil {
		return err
	}
	conditions := x.conditions()
	t := touchAt(coll.owner, p)
	have, err := x.rights(coll)
	if err != nil {
		return err
	}
	guardThere, err := x.guard(t)
	if err != nil {
		return err
	}
	guardNew, err := x.guard(t.comes())
	if err != nil {
		return err
	}
	media := mediaType(x.r.Header.Get("Content-Type"))
	var w scheduling.Written
	err = x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		modseqs, err := tx.BumpCollections(coll.coll.ID)
		if err != nil {
			return err
		}
		if err := noCollectionAt(tx, coll, p.member); err != nil {
			return err
		}
		old, err := cardAt(tx, coll.coll.ID, p.member)
		if err != nil {
			return err
		}
		guard, need := guardNew, directory.Bind
		if old != nil {
			guard, need = guardThere, directory.WriteContent
		}
		if have&need == 0 {
			return x.may(coll, need)
		}
		if err := guard(tx); err != nil {
			return err
		}
		if err := conditions.Check(old); err != nil {
			return err
		}
		o := db.Object{Collection: coll.coll.ID, Name: p.member, UID: fileUID(), Component: media, Modseq: modseqs[coll.coll.ID]}
		var expected int64
		if old != nil {
			o.ID, o.UID, o.Created, expected = old.ID, old.UID, old.Created, old.Modseq
		}
		if err := tx.PutObject(&o, body, db.Indexed{}, expected); err != nil {
			return err
		}
		w = scheduling.Written{Created: old == nil, ETag: o.ETag}
		return nil
	})
	if err != nil {
		return err
	}
	return x.sendWritten(w, memberHref(coll.href, p.member), false)
}

var errFileTooLarge = &dav.Error{Status: http.StatusRequestEntityTooLarge, Detail: "the file has too many octets"}

// noCollectionAt: a file and a collection have one name only once.
func noCollectionAt(tx *db.Tx, coll *resource, name string) error {
	switch _, err := tx.CollectionByName(coll.owner.ID, db.Plain, coll.coll.Name+"/"+name); {
	case errors.Is(err, db.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return &dav.Error{Status: http.StatusForbidden, Detail: "there is a collection of this name"} // RFC 4918 §9.7.2
}

// deleteFile removes an ordinary file.
func (x *exchange) deleteFile(coll *resource, p place) error {
	conditions := x.conditions()
	guard, err := x.guard(touchAt(coll.owner, p).goes())
	if err != nil {
		return err
	}
	return x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		modseqs, err := tx.BumpCollections(coll.coll.ID)
		if err != nil {
			return err
		}
		if err := guard(tx); err != nil {
			return err
		}
		o, err := tx.Object(coll.coll.ID, p.member)
		if err != nil {
			return err
		}
		if err := conditions.Check(&o); err != nil {
			return err
		}
		return tx.DeleteObject(o.ID, modseqs[o.Collection], o.Modseq)
	})
}

// deleteTree removes a collection with everything in it, or nothing.
func (x *exchange) deleteTree(r *resource) error {
	guard, err := x.guard(x.touch(r).goes())
	if err != nil {
		return err
	}
	return x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		all, err := lockTree(tx, *r.coll)
		if err != nil {
			return err
		}
		if err := guard(tx); err != nil {
			return err
		}
		return dropTree(tx, all)
	})
}

// lockTree locks a collection, those in it and the one around it, and lists
// it and those in it.
func lockTree(tx *db.Tx, c db.Collection) ([]db.Collection, error) {
	all, err := withBelow(tx, c)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	if up := parentPath(c.Name); up != "" {
		around, err := tx.CollectionByName(c.Owner, db.Plain, up)
		if err != nil {
			return nil, err
		}
		ids = append(ids, around.ID)
	}
	_, err = tx.BumpCollections(ids...)
	return all, err
}

func dropTree(tx *db.Tx, all []db.Collection) error {
	for _, c := range slices.Backward(all) {
		if err := tx.DeleteCollection(c.ID); err != nil {
			return err
		}
	}
	return nil
}

// maxCopied bounds the files that one COPY makes.
const maxCopied = 10_000

// moveTree and copyTree put a collection, or a file, elsewhere: what was at
// the destination goes first (RFC 4918 §9.8.4, §9.9.3).
func (x *exchange) moveTree(t *transfer) error { return x.transferTree(t, true) }
func (x *exchange) copyTree(t *transfer) error { return x.transferTree(t, false) }

func (x *exchange) transferTree(t *transfer, move bool) error {
	depth, err := dav.ParseDepth(x.r.Header.Get("Depth"), dav.Infinity)
	if err != nil {
		return err
	}
	// RFC 4918 §9.8.3, §9.9.2: a file has no depth, a collection is moved whole.
	if depth == dav.One || move && depth != dav.Infinity && t.from.kind&kContainer != 0 {
		return &dav.Error{Status: http.StatusBadRequest, Detail: "this Depth makes no sense here"}
	}
	conditions := x.conditions()
	to := touchAt(t.owner, t.to).comes()
	to.deep, to.gone = true, false
	touches := []touch{to}
	if move {
		touches = append(touches, x.touch(t.from).goes())
	}
	guard, err := x.guard(touches...)
	if err != nil {
		return err
	}
	created := false
	err = x.store.Write(x.ctx, nil, func(tx *db.Tx) error {
		created = false
		from, err := sourceTree(tx, t)
		if err != nil {
			return err
		}
		there, err := destinationTree(tx, t)
		if err != nil {
			return err
		}
		modseqs, err := bumpAll(tx, from, there, t.around(move))
		if err != nil {
			return err
		}
		if err := guard(tx); err != nil {
			return err
		}
		if t.from.kind&kMember != 0 {
			o, err := tx.Object(t.from.coll.ID, t.from.obj.Name)
			if err != nil {
				return err
			}
			if err := conditions.Check(&o); err != nil {
				return err
			}
		}
		old, err := t.fileThere(tx)
		if err != nil {
			return err
		}
		created = old == nil && len(there) == 0
		if !created && !t.overwrite { // RFC 4918 §10.6
			return &dav.Error{Status: http.StatusPreconditionFailed, Detail: "there is something at the Destination"}
		}
		if old != nil {
			if err := tx.DeleteObject(old.ID, modseqs[old.Collection], old.Modseq); err != nil {
				return err
			}
		}
		if err := dropTree(tx, there); err != nil {
			return err
		}
		switch {
		case t.from.kind&kMember != 0 && move:
			o, err := tx.Object(t.from.coll.ID, t.from.obj.Name)
			if err != nil {
				return err
			}
			return tx.MoveObject(o.ID, o.Modseq, o.Collection, t.coll.coll.ID, t.to.member, modseqs[o.Collection], modseqs[t.coll.coll.ID])
		case t.from.kind&kMember != 0:
			n := 0
			return copyFile(tx, t.from.obj, t.coll.coll.ID, t.to.member, modseqs[t.coll.coll.ID], &n)
		case move:
			for i := range from {
				if err := tx.RenameCollection(&from[i], t.to.path()+strings.TrimPrefix(from[i].Name, t.from.coll.Name)); err != nil {
					return err
				}
			}
			return nil
		}
		return copyCollections(tx, t, from, depth)
	})
	if errors.Is(err, db.ErrNotFound) {
		err = notFound
	}
	if err != nil {
		return err
	}
	if created {
		x.w.Header().Set("Location", x.dest)
		x.w.Header().Set("Content-Length", "0")
		x.w.WriteHeader(http.StatusCreated)
	} else {
		x.w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// sourceTree lists the collections that are moved or copied.
func sourceTree(tx *db.Tx, t *transfer) ([]db.Collection, error) {
	if t.from.kind&kMember != 0 {
		return nil, nil
	}
	c, err := tx.Collection(t.from.coll.ID)
	if err != nil {
		return nil, err
	}
	return withBelow(tx, c)
}

// withBelow lists a collection and those in it.
func withBelow(tx *db.Tx, c db.Collection) ([]db.Collection, error) {
	all := []db.Collection{c}
	if c.Kind != db.Plain {
		return all, nil
	}
	in, err := tx.CollectionsBelow(c.Owner, db.Plain, c.Name)
	return append(all, in...), err
}

// destinationTree lists the collections that are overwritten.
func destinationTree(tx *db.Tx, t *transfer) ([]db.Collection, error) {
	c, err := tx.CollectionByName(t.owner.ID, t.to.wing.home, t.to.path())
	if err != nil {
		return nil, ignoreAbsent(err)
	}
	if c.Kind != db.Plain {
		// A calendar is not overwritten by the way.
		return nil, &dav.Error{Status: http.StatusForbidden, Detail: "the Destination is a collection of another kind"}
	}
	in, err := tx.CollectionsBelow(c.Owner, db.Plain, c.Name)
	return append([]db.Collection{c}, in...), err
}

// around are the collections in which something comes or goes.
func (t *transfer) around(move bool) (ids []int64) {
	if t.coll != nil {
		ids = append(ids, t.coll.coll.ID)
	}
	if t.from.kind&kMember != 0 && move {
		ids = append(ids, t.from.coll.ID)
	}
	return ids
}

// fileThere is the file at the destination, nil without one.
func (t *transfer) fileThere(tx *db.Tx) (*db.Object, error) {
	if t.coll == nil || t.coll.kind != kPlain {
		return nil, nil
	}
	return cardAt(tx, t.coll.coll.ID, t.to.member)
}

// bumpAll locks everything that a transfer touches, in one go (STORAGE 5).
func bumpAll(tx *db.Tx, from, there []db.Collection, ids []int64) (map[int64]int64, error) {
	for _, cs := range [][]db.Collection{from, there} {
		for _, c := range cs {
			ids = append(ids, c.ID)
		}
	}
	return tx.BumpCollections(ids...)
}

// copyCollections makes a collection, those in it and their files anew, with
// their dead properties (RFC 4918 §9.8.2); Depth 0: the collection alone.
func copyCollections(tx *db.Tx, t *transfer, from []db.Collection, depth dav.Depth) error {
	n := 0
	for _, c := range from {
		to := db.Collection{Owner: t.owner.ID, Kind: c.Kind, Name: t.to.path() + strings.TrimPrefix(c.Name, t.from.coll.Name), DisplayName: c.DisplayName}
		if err := tx.InsertCollection(&to); err != nil {
			return err
		}
		dead, err := tx.Properties("collection", c.ID)
		if err != nil {
			return err
		}
		if err := tx.SetProperties("collection", to.ID, dead, nil); err != nil {
			return err
		}
		if depth == dav.Zero {
			return nil
		}
		for after := ""; ; {
			os, err := tx.List(c.ID, after, pageRows)
			if err != nil {
				return err
			}
			for _, o := range os {
				whole, err := tx.Object(c.ID, o.Name)
				if err != nil {
					return err
				}
				if err := copyFile(tx, whole, to.ID, o.Name, to.Modseq, &n); err != nil {
					return err
				}
			}
			if len(os) < pageRows {
				break
			}
			after = os[len(os)-1].Name
		}
	}
	return nil
}

// copyFile makes a file, or a card, a second time, with its dead properties.
func copyFile(tx *db.Tx, o db.Object, collection int64, name string, modseq int64, n *int) error {
	if *n++; *n > maxCopied {
		return &dav.Error{Status: http.StatusForbidden, Detail: "too many files for one request"}
	}
	uid := o.UID
	if o.Component != "VCARD" {
		uid = fileUID()
	}
	to := db.Object{Collection: collection, Name: name, UID: uid, Component: o.Component, Modseq: modseq}
	if err := tx.PutObject(&to, o.Body, db.Indexed{}, 0); err != nil {
		return err
	}
	dead, err := tx.Properties("object", o.ID)
	if err != nil {
		return err
	}
	return tx.SetProperties("object", to.ID, dead, nil)
}
