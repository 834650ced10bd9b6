package caldav

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
)

// searchProperty is one property that people are found by.
type searchProperty struct {
	name    xml.Name
	about   string
	indexed bool
	texts   func(x *exchange, p *db.Principal) []string
}

// nextcloud is the namespace of what programs made for it ask of rooms.
func nextcloud(local string) xml.Name {
	return xml.Name{Space: "http://nextcloud.com/ns", Local: local}
}

// searchable are the properties that a principal-property-search looks at.
// indexed: where a text stands in one of texts, tx.PrincipalsLike finds it.
var searchable = []searchProperty{
	{dav.D("displayname"), "Name", true, func(x *exchange, p *db.Principal) []string { return []string{p.Name} }},
	{dav.CS("first-name"), "First name", true, func(x *exchange, p *db.Principal) []string { first, _ := splitName(p); return []string{first} }},
	{dav.CS("last-name"), "Last name", true, func(x *exchange, p *db.Principal) []string { _, last := splitName(p); return []string{last} }},
	{dav.CS("email-address-set"), "Mail address", true, func(x *exchange, p *db.Principal) []string { return x.addresses(p) }},
	{dav.C("calendar-user-address-set"), "Calendar user address", true, func(x *exchange, p *db.Principal) []string {
		var out []string
		for _, a := range x.addresses(p) {
			out = append(out, a, cuaddr.Mailto(a).Fold()) // with and without mailto:
		}
		return out
	}},
	{userType, "Kind", false, func(x *exchange, p *db.Principal) []string { return []string{string(p.Kind)} }},
	{seats, "Capacity, at least", false, nil},
	{nextcloud("room-building-address"), "Building", true, known(directory.Building)},
	{nextcloud("room-building-story"), "Floor", true, known(directory.Floor)},
	{nextcloud("room-features"), "Features", true, known(directory.Feature)},
}

var (
	userType = dav.C("calendar-user-type")
	seats    = nextcloud("room-seating-capacity")
)

func known(attribute string) func(*exchange, *db.Principal) []string {
	return func(x *exchange, p *db.Principal) []string { return x.attributes(p)[attribute] }
}

// readKnown tells an attribute of a room or resource, several of them parted by
// commas.
func readKnown(attribute string) func(*exchange, *resource, *dav.Writer) bool {
	return func(x *exchange, r *resource, w *dav.Writer) bool {
		all := x.attributes(r.owner)[attribute]
		w.Text(strings.Join(all, ","))
		return len(all) > 0
	}
}

func readSeats(x *exchange, r *resource, w *dav.Writer) bool {
	w.Int(int64(r.owner.Capacity))
	return r.owner.Capacity > 0
}

// roomTypes are the words for what is booked.
var roomTypes = map[db.Kind]string{db.Room: "meeting-room", db.Resource: "resource"}

func readRoomType(x *exchange, r *resource, w *dav.Writer) bool {
	w.Text(roomTypes[r.owner.Kind])
	return roomTypes[r.owner.Kind] != ""
}

// splitName takes the name of a person apart at its last blank.
func splitName(p *db.Principal) (first, last string) {
	if p.Kind != db.Person {
		return "", p.Name
	}
	i := strings.LastIndexByte(p.Name, ' ')
	if i < 0 {
		return "", p.Name
	}
	return strings.TrimSpace(p.Name[:i]), p.Name[i+1:]
}

func readFirstName(x *exchange, r *resource, w *dav.Writer) bool {
	first, _ := splitName(r.owner)
	w.Text(first)
	return first != ""
}

func readLastName(x *exchange, r *resource, w *dav.Writer) bool {
	_, last := splitName(r.owner)
	w.Text(last)
	return last != ""
}

// recordTypes are Apple's names of what a principal is.
var recordTypes = map[db.Kind]string{db.Person: "users", db.Group: "groups", db.Room: "locations", db.Resource: "resources"}

func readRecordType(x *exchange, r *resource, w *dav.Writer) bool {
	switch {
	case r.kind == kPrincipal:
		w.Text(recordTypes[r.owner.Kind])
	case r.writes:
		w.Raw("write-delegate-group")
	default:
		w.Raw("read-delegate-group")
	}
	return true
}

// searchProperties answers a principal-search-property-set, with 200 (RFC 3744
// §9.5).
func (x *exchange) searchProperties(r *resource, root *dav.Element) error {
	body := dav.Document(dav.D("principal-search-property-set"), func(w *dav.Writer) {
		for _, s := range searchable {
			w.Raw("<D:principal-search-property><D:prop>")
			w.Empty(s.name)
			w.Raw(`</D:prop><D:description xml:lang="en">` + s.about + "</D:description></D:principal-search-property>")
		}
	})
	x.w.Header().Set("DAV", x.classes)
	x.sendXML(http.StatusOK, body)
	return nil
}

// maxFound is how many principals a search returns at most.
const maxFound = 200

// principalSearch answers a principal-property-search (RFC 3744 §9.4) about
// everybody whom the directory holds.
func (x *exchange) principalSearch(r *resource, root *dav.Element) error {
	s, err := dav.ParsePropertySearch(root)
	if err != nil {
		return err
	}
	p, err := planOf(s.Request, nil)
	if err != nil {
		return err
	}
	limit := maxFound
	if s.Limit > 0 {
		limit = min(limit, s.Limit)
	}
	if r.kind == kPrincipal && !s.Collections {
		// The search is below the request's URL, where there is nobody.
		return x.multistatus().End("")
	}
	if who, ok := x.exactly(&s); ok {
		return x.renderPrincipals(x.multistatus(), who, p)
	}
	texts, kinds := needles(&s)
	return x.principals(r, p, limit, texts, kinds, func(who *db.Principal) bool { return x.matches(&s, who) })
}

// needles tells in which texts and kinds of principals to look: whoever meets
// the search is of one of the kinds, and one of the texts stands in his name, an
// address or an attribute. No texts: nobody meets it.
func needles(s *dav.PropertySearch) (texts []string, kinds []db.Kind) {
	fits := func(k db.Kind) bool {
		if s.Type != "" && !strings.EqualFold(s.Type, string(k)) {
			return false
		}
		return s.Any || !slices.ContainsFunc(s.Matches, func(m dav.PropertyMatch) bool {
			return slices.Equal(m.Props, []xml.Name{userType}) && !matchText(m, string(k))
		})
	}
	for _, k := range contexts[""] {
		if fits(k) {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) == 0 {
		return nil, nil
	}
	every := []string{""}
	best := ""
	for _, m := range s.Matches {
		there, indexed := true, false
		for _, n := range m.Props {
			i := slices.IndexFunc(searchable, func(x searchProperty) bool { return x.name == n })
			there = there && i >= 0
			indexed = indexed || i >= 0 && searchable[i].indexed
		}
		text := strings.TrimPrefix(strings.ToLower(m.Text), "mailto:")
		if strings.HasPrefix("mailto:", text) {
			text = "" // a piece of what stands before each address
		}
		switch {
		case !there && !s.Any:
			return nil, nil
		case !there:
		case s.Any && (!indexed || text == ""):
			return every, kinds
		case s.Any:
			texts = append(texts, text)
		case indexed && len(text) > len(best):
			best = text
		}
	}
	if s.Any {
		return texts, kinds
	}
	return []string{best}, kinds
}

// principals streams those who meet a search, up to limit. Looked at are those
// of some kinds in whom one of some texts may stand.
func (x *exchange) principals(r *resource, p *plan, limit int, texts []string, kinds []db.Kind, meets func(*db.Principal) bool) error {
	ms := x.multistatus()
	n, looked := 0, 0
	seen := map[int64]bool{}
	for _, text := range texts {
		for after, more := int64(0), true; more; {
			var page []db.Principal
			if !x.view(func(tx *db.Tx) (err error) {
				if page, err = tx.PrincipalsLike(text, after, pageRows, kinds...); err != nil {
					return err
				}
				return x.acquaint(tx, page)
			}) {
				return x.broken
			}
			if more = len(page) == pageRows; len(page) > 0 {
				after = page[len(page)-1].ID
			}
			for i := range page {
				if seen[page[i].ID] {
					continue
				}
				seen[page[i].ID] = true
				if looked++; looked > maxLooked {
					return endSearch(ms, r)
				}
				if !meets(&page[i]) {
					if x.broken != nil {
						return x.broken
					}
					continue
				}
				if n++; n > limit {
					return endSearch(ms, r)
				}
				if err := x.renderPrincipal(ms, &page[i], p); err != nil {
					return err
				}
			}
		}
	}
	return ms.End("")
}

// endSearch says that not all were told (RFC 3744 §9.4).
func endSearch(ms *dav.MultiStatus, r *resource) error {
	ms.Status(r.href, http.StatusInsufficientStorage, dav.D("number-of-matches-within-limits"))
	return ms.End("")
}

// acquainted is what is known of a principal beside its row.
type acquainted struct {
	addresses  []string
	attributes map[string][]string
}

// acquaint reads that of a page of principals at once; that of the page before
// is forgotten.
func (x *exchange) acquaint(tx *db.Tx, page []db.Principal) error {
	ids := make([]int64, len(page))
	for i := range page {
		ids[i] = page[i].ID
	}
	addresses, err := tx.AddressesOf(ids)
	if err != nil {
		return err
	}
	attributes, err := tx.Attributes(ids...)
	x.known = make(map[int64]acquainted, len(ids))
	for _, id := range ids {
		x.known[id] = acquainted{addresses[id], attributes[id]}
	}
	return err
}

// attributes of a room or resource.
func (x *exchange) attributes(p *db.Principal) map[string][]string {
	if k, ok := x.known[p.ID]; ok {
		return k.attributes
	}
	var all map[int64]map[string][]string
	x.view(func(tx *db.Tx) (err error) {
		all, err = tx.Attributes(p.ID)
		return err
	})
	return all[p.ID]
}

// exactly answers the search for one whole address, as programs make it before
// they ask for busy time, from the index of addresses.
func (x *exchange) exactly(s *dav.PropertySearch) ([]db.Principal, bool) {
	if len(s.Matches) != 1 || len(s.Matches[0].Props) != 1 || s.Type != "" || s.Matches[0].Exact {
		return nil, false
	}
	m := s.Matches[0]
	if n := m.Props[0]; n != dav.C("calendar-user-address-set") && n != dav.CS("email-address-set") {
		return nil, false
	}
	a, err := cuaddr.Parse(m.Text)
	if err != nil || a.Mail() == "" {
		return nil, false
	}
	var p db.Principal
	err = x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		p, err = tx.PrincipalByAddress(strings.ToLower(a.Mail()))
		return err
	})
	if err != nil {
		return nil, false // perhaps a part of an address that looks like one
	}
	return []db.Principal{p}, true
}

func (x *exchange) renderPrincipals(ms *dav.MultiStatus, ps []db.Principal, p *plan) error {
	for i := range ps {
		if err := x.renderPrincipal(ms, &ps[i], p); err != nil {
			return err
		}
	}
	return ms.End("")
}

func (x *exchange) renderPrincipal(ms *dav.MultiStatus, who *db.Principal, p *plan) error {
	r := &resource{kind: kPrincipal, href: principalHref(who), owner: who}
	if err := x.loadDead(p, r); err != nil {
		return err
	}
	x.render(ms, r, p)
	return x.broken
}

// matches reports whether a principal meets a search: all of its texts, or any
// with test="anyof". Case does not matter.
func (x *exchange) matches(s *dav.PropertySearch, p *db.Principal) bool {
	if s.Type != "" && !strings.EqualFold(s.Type, string(p.Kind)) {
		return false
	}
	for _, m := range s.Matches {
		if x.matchesOne(m, p) == s.Any {
			return s.Any
		}
	}
	return !s.Any
}

// matchesOne: RFC 3744 §9.4: a property-search matches if every property in it
// does.
func (x *exchange) matchesOne(m dav.PropertyMatch, p *db.Principal) bool {
	for _, name := range m.Props {
		hit := false
		for _, s := range searchable {
			switch {
			case s.name != name:
			case name == seats: // who looks for eight seats can take more
				n, err := strconv.Atoi(m.Text)
				hit = err == nil && p.Capacity >= n && p.Capacity > 0
			default:
				for _, have := range s.texts(x, p) {
					hit = hit || matchText(m, have)
				}
			}
		}
		if !hit {
			return false
		}
	}
	return true
}

func matchText(m dav.PropertyMatch, have string) bool {
	want := m.Text
	if !m.Exact {
		have, want = strings.ToLower(have), strings.ToLower(want)
	}
	return m.Type.Found(have, want)
}
