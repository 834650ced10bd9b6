package caldav

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"github.com/convene-server/convene/caldav/carddav"
	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// The directory is an address book of everybody here, for whoever has logged
// in: people, rooms, resources and groups, with name, addresses and kind. Its
// cards are made of the rows of principals; nobody writes them
// (draft-daboo-carddav-directory-gateway).

const (
	wordDirectory = "directory"
	// maxListed is how many entries a listing has at most: a larger directory is
	// searched, not copied (draft §5).
	maxListed = 1_000
	// maxLooked bounds how many principals one search looks at.
	maxLooked = 5_000
	// cardSuffix ends the names of cards that are made here.
	cardSuffix = ".vcf"
)

func (x *exchange) directoryBook() *resource {
	return &resource{kind: kDirectory, href: dav.Path(true, "dav", wordDirectory)}
}

// entry finds somebody's card by its name.
func (x *exchange) entry(name string) (*resource, error) {
	address, ok := strings.CutSuffix(strings.ToLower(name), cardSuffix)
	if !ok {
		return nil, notFound
	}
	var p db.Principal
	err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		p, err = tx.PrincipalByAddress(address)
		return err
	})
	if errors.Is(err, db.ErrNotFound) || err == nil && !strings.EqualFold(p.Address, address) {
		return nil, notFound // one card, one name
	}
	if err != nil {
		return nil, err
	}
	rs, err := x.entries([]db.Principal{p})
	if err != nil {
		return nil, err
	}
	return rs[0], nil
}

// entryName is the name of somebody's card.
func entryName(p *db.Principal) string { return strings.ToLower(p.Address) + cardSuffix }

func entryHref(p *db.Principal) string {
	return memberHref(dav.Path(true, "dav", wordDirectory), entryName(p))
}

// entryKinds say in the words of cards what a principal is.
var entryKinds = map[db.Kind]carddav.Kind{db.Person: carddav.Person, db.Group: carddav.Group, db.Room: carddav.Room, db.Resource: carddav.Resource}

// entries makes the cards of some principals.
func (x *exchange) entries(ps []db.Principal) ([]*resource, error) {
	ids := make([]int64, len(ps))
	for i := range ps {
		ids[i] = ps[i].ID
	}
	var addresses map[int64][]string
	var attributes map[int64]map[string][]string
	err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		if addresses, err = tx.AddressesOf(ids); err != nil {
			return err
		}
		attributes, err = tx.Attributes(ids...)
		return err
	})
	if err != nil {
		return nil, err
	}
	rs := make([]*resource, len(ps))
	for i := range ps {
		p := &ps[i]
		e := carddav.Entry{UID: "urn:uuid:" + stableUUID(principalName(p)), Kind: entryKinds[p.Kind], Name: p.Name, Capacity: p.Capacity,
			Building: strings.Join(attributes[p.ID][directory.Building], ", "), Floor: strings.Join(attributes[p.ID][directory.Floor], ", "),
			Features: attributes[p.ID][directory.Feature], Geo: strings.Join(attributes[p.ID][directory.Geo], "")}
		if e.First, e.Last = splitName(p); e.Name == "" {
			e.Name = p.Address
		}
		for _, a := range addresses[p.ID] {
			if strings.Contains(a, "@") {
				e.Addresses = append(e.Addresses, a)
			}
		}
		body := e.Bytes()
		sum := sha256.Sum256(body)
		name := entryName(p)
		rs[i] = &resource{kind: kEntry, href: entryHref(p), owner: p,
			obj: db.Object{Name: name, ETag: hex.EncodeToString(sum[:12]), Size: int64(len(body)), Body: body}}
	}
	return rs, nil
}

// renderDirectory writes the entries, as many as a listing may have.
func (x *exchange) renderDirectory(ms *dav.MultiStatus, r *resource, p *plan) error {
	return x.search(ms, r, nil, 0, maxListed, p)
}

// search writes the entries that pass a filter, nil: all, and ends with a 507
// for the directory if there are more than may be returned or looked at (RFC
// 6352 §8.6.2). limit is the client's, 0 for none.
func (x *exchange) search(ms *dav.MultiStatus, r *resource, f *carddav.Filter, limit, most int, p *plan) error {
	if limit <= 0 || limit > most {
		limit = most
	}
	texts, indexed := []string{""}, false
	if f != nil {
		if texts, indexed = f.Needles(indexedProps); !indexed {
			texts = []string{""}
		}
	}
	found, looked := 0, 0
	seen := map[int64]bool{}
	for _, text := range texts {
		for after, more := int64(0), true; more; {
			var ps []db.Principal
			err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
				ps, err = tx.PrincipalsLike(text, after, pageBodies)
				return err
			})
			if err != nil {
				return err
			}
			if more = len(ps) == pageBodies; len(ps) > 0 {
				after = ps[len(ps)-1].ID
			}
			es, err := x.entries(ps)
			if err != nil {
				return err
			}
			for _, e := range es {
				if seen[e.owner.ID] {
					continue
				}
				seen[e.owner.ID] = true
				if looked++; looked > maxLooked {
					return tooMany(ms, r)
				}
				if f != nil {
					card, err := carddav.Parse(e.obj.Body, carddav.Limits{})
					if err != nil || !f.Match(card) {
						continue
					}
				}
				if found++; found > limit {
					return tooMany(ms, r)
				}
				x.render(ms, e, p)
			}
			if x.broken != nil {
				return x.broken
			}
			if err := ms.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// indexedProps are the properties of entries, true those whose texts are found
// by tx.PrincipalsLike.
var indexedProps = map[string]bool{"FN": true, "N": true, "EMAIL": true, "VERSION": false, "PRODID": false, "UID": false, "KIND": false, "CALADRURI": false, "NOTE": false,
	"X-ADDRESSBOOKSERVER-KIND": false, "X-CONVENE-CUTYPE": false, "X-CONVENE-CAPACITY": false, "X-CONVENE-FLOOR": true, "CATEGORIES": true, "ADR": true, "GEO": false}

func tooMany(ms *dav.MultiStatus, r *resource) error {
	ms.Status(r.href, http.StatusInsufficientStorage, dav.D("number-of-matches-within-limits"))
	return ms.Err()
}

// directoryQuery answers an addressbook-query of the directory.
func (x *exchange) directoryQuery(r *resource, root *dav.Element) error {
	q, err := x.readCardSearch(r, root)
	if err != nil {
		return err
	}
	ms := x.multistatus()
	switch {
	case r.kind == kEntry:
		card, err := carddav.Parse(r.obj.Body, carddav.Limits{})
		if err == nil && q.filter.Match(card) {
			x.render(ms, r, q.plan)
		}
	case q.depth != dav.Zero:
		if err := x.search(ms, r, q.filter, q.limit, maxFound, q.plan); err != nil {
			return err
		}
	}
	if x.broken != nil {
		return x.broken
	}
	return ms.End("")
}

// directoryMultiget answers an addressbook-multiget of the directory.
func (x *exchange) directoryMultiget(r *resource, root *dav.Element) error {
	m, p, err := x.openMultiget(r, root)
	if err != nil {
		return err
	}
	if len(m.Hrefs) > maxListed {
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.D("number-of-matches-within-limits"), Detail: "too many cards of the directory at once"}
	}
	ms := x.multistatus()
	for _, h := range m.Hrefs {
		e, err := x.entryOfHref(h)
		switch {
		case errors.Is(err, notFound):
			ms.Status(h, http.StatusNotFound)
		case err != nil:
			return err
		default:
			x.renderAt(ms, h, e, p)
		}
		if err := ms.Err(); err != nil {
			return err
		}
	}
	if x.broken != nil {
		return x.broken
	}
	return ms.End("")
}

func (x *exchange) entryOfHref(h string) (*resource, error) {
	host, path, err := dav.Reference(h)
	if err != nil || host != "" && !x.ourHost(host) {
		return nil, notFound
	}
	s, _, err := dav.Segments(path)
	if err != nil || len(s) != 3 || s[0] != "dav" || s[1] != wordDirectory {
		return nil, notFound
	}
	return x.entry(s[2])
}

// readDirectoryGateway says where the directory is (draft §3).
func readDirectoryGateway(x *exchange, r *resource, w *dav.Writer) bool {
	w.Href(x.directoryBook().href)
	return true
}
