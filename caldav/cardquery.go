package caldav

import (
	"errors"
	"net/http"

	"github.com/convene-server/convene/caldav/carddav"
	"github.com/convene-server/convene/caldav/dav"
)

// errEnough ends a query whose limit is reached.
var errEnough = errors.New("caldav: enough")

// cardSearch is what an addressbook-query asks for.
type cardSearch struct {
	filter *carddav.Filter
	limit  int
	plan   *plan
	depth  dav.Depth
}

func (x *exchange) readCardSearch(r *resource, root *dav.Element) (q cardSearch, err error) {
	if q.filter, err = carddav.ParseFilter(root.Child(dav.CR("filter"))); err != nil {
		return q, err
	}
	if q.limit, err = dav.Limit(root); err != nil {
		return q, err
	}
	if q.plan, err = x.reportPlan(r, dav.WantedIn(root)); err != nil {
		return q, err
	}
	// Depth 0 is the resource itself; without the header, which RFC 6352 §8.6
	// demands, an address book is searched.
	q.depth, err = dav.ParseDepth(x.r.Header.Get("Depth"), dav.One)
	return q, err
}

// addressbookQuery answers an addressbook-query (RFC 6352 §8.6). Cards have no
// index: each is read.
func (x *exchange) addressbookQuery(r *resource, root *dav.Element) error {
	q, err := x.readCardSearch(r, root)
	if err != nil {
		return err
	}
	ms := x.multistatus()
	found := 0
	look := func(page []*resource) error {
		var matched []*resource
		var enough error
		for _, m := range page {
			card, err := carddav.Parse(m.obj.Body, carddav.Limits{})
			if err != nil || !q.filter.Match(card) {
				continue
			}
			if q.limit > 0 && found == q.limit {
				enough = errEnough
				break
			}
			found++
			matched = append(matched, m)
		}
		if err := x.renderLoaded(ms, matched, q.plan); err != nil {
			return err
		}
		return enough
	}
	switch {
	case r.kind == kCard:
		err = look([]*resource{r})
	case q.depth != dav.Zero:
		err = x.eachMember(r, func(page []*resource) error { return x.withBodies(page, look) })
	}
	if errors.Is(err, errEnough) {
		// RFC 6352 §8.6.2: it does not count for the limit.
		ms.Status(r.href, http.StatusInsufficientStorage, dav.D("number-of-matches-within-limits"))
		err = ms.Err()
	}
	if err != nil {
		return err
	}
	return ms.End("")
}

// addressData is how reports return cards: the CARDDAV:address-data element of
// the request says which parts, and in which version (RFC 6352 §10.4).
func addressData(e *dav.Element) (datum, error) {
	if e.Name != dav.CR("address-data") {
		return nil, nil
	}
	d, err := carddav.ParseData(e)
	if err != nil {
		return nil, err
	}
	return func(x *exchange, r *resource, w *dav.Writer) *dav.Error {
		if r.kind&(kCard|kEntry) == 0 {
			return notFound
		}
		if d.Whole() {
			w.TextBytes(r.obj.Body)
			return nil
		}
		card, err := carddav.Parse(r.obj.Body, carddav.Limits{})
		if err != nil { // stored by an older release that took more
			if d.JSON {
				return carddav.ErrConversion
			}
			w.TextBytes(r.obj.Body)
			return nil
		}
		b, err := d.Of(card)
		if err != nil {
			return carddav.ErrConversion
		}
		w.TextBytes(b)
		return nil
	}, nil
}

// The live properties of RFC 6352.

func readBookHome(x *exchange, r *resource, w *dav.Writer) bool {
	return homeOf(wings[wingBooks], x, r, w)
}

// readSupportedAddressData tells version 3.0 first: some programs take the
// first, and all understand that one.
func readSupportedAddressData(x *exchange, r *resource, w *dav.Writer) bool {
	for _, v := range carddav.Versions {
		w.Raw(`<CR:address-data-type content-type="text/vcard" version="` + v + `"/>`)
	}
	w.Raw(`<CR:address-data-type content-type="` + carddav.JSONType + `" version="4.0"/>`) // RFC 7095
	return true
}

func readCardCollations(x *exchange, r *resource, w *dav.Writer) bool {
	for _, c := range dav.Collations {
		w.Raw("<CR:supported-collation>" + c + "</CR:supported-collation>")
	}
	return true
}

// readMaxImageSize: a picture in base64 is four thirds of itself, and a little
// more in folded lines; its card has the limit that counts, by whose name it is
// refused (RFC 6352 §6.2.3).
func readMaxImageSize(x *exchange, r *resource, w *dav.Writer) bool {
	w.Int(x.maxResource / 10 * 7)
	return true
}
