package dav

import (
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
)

// Request is what a PROPFIND or a REPORT wants to know of each resource.
type Request struct {
	AllProp  bool       // RFC 4918 §9.1: everything of §15 and the dead properties, and Include
	PropName bool       // the names only
	Props    []*Element // asked for by name; calendar-data has its parameters inside
	Include  []*Element // with AllProp (RFC 4918 §14.8)
}

// Wants reports whether a property was asked for by name.
func (r *Request) Wants(name xml.Name) bool {
	for _, e := range r.Props {
		if e.Name == name {
			return true
		}
	}
	return false
}

// Propfind reads the body of a PROPFIND; nil, no body at all, is allprop (RFC
// 4918 §9.1). The error is an *Error.
func Propfind(root *Element) (Request, error) {
	if root == nil {
		return Request{AllProp: true}, nil
	}
	if root.Name != D("propfind") {
		return Request{}, wrongRoot(root, "propfind")
	}
	r := WantedIn(root)
	if r.AllProp && (r.PropName || r.Props != nil) || r.PropName && r.Props != nil {
		// RFC 4918 §14.20: one of propname, allprop and prop.
		return Request{}, &Error{Status: 400, Detail: "a propfind asks in more than one way"}
	}
	if !r.AllProp && !r.PropName && r.Props == nil {
		return Request{}, &Error{Status: 400, Detail: "a propfind names no property"}
	}
	return r, nil
}

// WantedIn finds prop, allprop or propname in the root of a REPORT, which may
// have none of them.
func WantedIn(root *Element) Request {
	var r Request
	for _, c := range root.Children() {
		switch c.Name {
		case D("allprop"):
			r.AllProp = true
		case D("propname"):
			r.PropName = true
		case D("prop"):
			r.Props = unique(r.Props, c)
			if r.Props == nil {
				r.Props = []*Element{}
			}
		case D("include"):
			r.Include = unique(r.Include, c)
		}
	}
	return r
}

// unique adds the children of prop, each name once: asking twice is answered
// once.
func unique(have []*Element, prop *Element) []*Element {
	seen := make(map[xml.Name]bool)
	for _, e := range have {
		seen[e.Name] = true
	}
	for _, e := range prop.Children() {
		if !seen[e.Name] {
			seen[e.Name] = true
			have = append(have, e)
		}
	}
	return have
}

// Change is one property to set or to remove.
type Change struct {
	Remove bool
	Prop   *Element // with the new value inside
}

// Proppatch reads the body of a PROPPATCH; the changes are to be made in their
// order (RFC 4918 §9.2). The error is an *Error.
func Proppatch(root *Element) ([]Change, error) {
	if root == nil || root.Name != D("propertyupdate") {
		return nil, wrongRoot(root, "propertyupdate")
	}
	changes := changesIn(root, true)
	if len(changes) == 0 {
		return nil, &Error{Status: 400, Detail: "a propertyupdate changes no property"}
	}
	return changes, nil
}

// Mkcol reads the body of an extended MKCOL (RFC 5689 §3) or a MKCALENDAR (RFC
// 4791 §5.3.1), the name of whose root is given; nil, no body, sets nothing.
func Mkcol(root *Element, name xml.Name) ([]Change, error) {
	if root == nil {
		return nil, nil
	}
	if root.Name != name {
		return nil, wrongRoot(root, name.Local)
	}
	return changesIn(root, false), nil
}

func changesIn(root *Element, removes bool) []Change {
	var out []Change
	for _, c := range root.Children() {
		remove := c.Name == D("remove")
		if c.Name != D("set") && !(remove && removes) {
			continue
		}
		for _, prop := range c.Children() {
			if prop.Name != D("prop") {
				continue
			}
			for _, e := range prop.Children() {
				out = append(out, Change{Remove: remove, Prop: e})
			}
		}
	}
	return out
}

// Multiget is a calendar-multiget (RFC 4791 §7.9) or an addressbook-multiget
// (RFC 6352 §8.7).
type Multiget struct {
	Request
	Hrefs []string // as spelled in the request, in its order
}

// ParseMultiget reads one whose root the caller knows.
func ParseMultiget(root *Element) (Multiget, error) {
	m := Multiget{Request: WantedIn(root)}
	for _, c := range root.Children() {
		if c.Name == D("href") {
			m.Hrefs = append(m.Hrefs, c.Trimmed())
		}
	}
	if len(m.Hrefs) == 0 { // RFC 4791 §9.10: href+
		return m, &Error{Status: 400, Detail: "a multiget without an href"}
	}
	return m, nil
}

// Sync is a sync-collection REPORT (RFC 6578 §6.1).
type Sync struct {
	Request
	Token string // "": from the beginning
	Level string // "1", "infinite", "" not said
	Limit int    // 0: none
}

// ParseSync reads one whose root the caller knows.
func ParseSync(root *Element) (Sync, error) {
	s := Sync{Request: WantedIn(root)}
	if c := root.Child(D("sync-token")); c != nil {
		s.Token = c.Trimmed()
	}
	if c := root.Child(D("sync-level")); c != nil {
		s.Level = c.Trimmed()
		switch s.Level {
		case "1", "infinite":
		case "infinity": // as Depth has it; Apple's programs do
			s.Level = "infinite"
		default:
			return s, &Error{Status: 400, Detail: "sync-level is neither 1 nor infinite"}
		}
	}
	var err error
	s.Limit, err = Limit(root)
	return s, err
}

// Limit reads the number of results that a REPORT wants at most (RFC 5323
// §5.17), 0 where it does not say. CardDAV's limit (RFC 6352 §10.6) looks alike.
func Limit(root *Element) (int, error) {
	for _, space := range []string{NS, CardDAV, CalServer} {
		l := root.Child(xml.Name{Space: space, Local: "limit"})
		if l == nil {
			continue
		}
		n := l.Child(xml.Name{Space: space, Local: "nresults"})
		if n == nil {
			return 0, &Error{Status: 400, Detail: "a limit without nresults"}
		}
		v, err := strconv.ParseUint(n.Trimmed(), 10, 31)
		if err != nil || v == 0 {
			return 0, &Error{Status: 400, Detail: "nresults is no positive number"}
		}
		return int(v), nil
	}
	return 0, nil
}

// Expand is a property of an expand-property REPORT (RFC 3253 §3.8).
type Expand struct {
	Name  xml.Name
	Props []Expand // wanted of the resources to whose hrefs it points
}

// ParseExpand reads the root of the REPORT, or a property inside it.
func ParseExpand(root *Element) ([]Expand, error) {
	var out []Expand
	for _, c := range root.Children() {
		if c.Name != D("property") {
			continue
		}
		name := xml.Name{Space: c.Attr("namespace"), Local: c.Attr("name")}
		if !c.HasAttr("namespace") {
			name.Space = NS // RFC 3253 §3.8: the default
		}
		if name.Local == "" {
			return nil, &Error{Status: 400, Detail: "a property without a name"}
		}
		in, err := ParseExpand(c)
		if err != nil {
			return nil, err
		}
		out = append(out, Expand{name, in})
	}
	return out, nil
}

// PropertySearch is a principal-property-search REPORT (RFC 3744 §9.4).
type PropertySearch struct {
	Request
	Any     bool   // test="anyof": one match is enough
	Type    string // INDIVIDUAL, GROUP, ROOM, RESOURCE; "" any
	Matches []PropertyMatch
	// Collections: search in principal-collection-set whatever the URL
	// (apply-to-principal-collection-set).
	Collections bool
	Limit       int
}

// PropertyMatch is one property-search: a text and where to look for it.
type PropertyMatch struct {
	Props []xml.Name
	Text  string
	Type  MatchType
	Exact bool // caseless="no"
}

// ParsePropertySearch reads one. match-type, test and limit are those of the
// draft that Apple's programs speak.
func ParsePropertySearch(root *Element) (PropertySearch, error) {
	s := PropertySearch{Request: WantedIn(root), Any: root.Attr("test") == "anyof", Type: strings.ToUpper(root.Attr("type"))}
	if !slices.Contains([]string{"", "anyof", "allof"}, root.Attr("test")) || !slices.Contains([]string{"", "INDIVIDUAL", "GROUP", "ROOM", "RESOURCE"}, s.Type) {
		return s, &Error{Status: 400, Detail: "unknown test or type of a principal-property-search"}
	}
	s.Collections = root.Child(D("apply-to-principal-collection-set")) != nil
	var err error
	if s.Limit, err = Limit(root); err != nil {
		return s, err
	}
	for _, c := range root.Children() {
		if c.Name != D("property-search") {
			continue
		}
		var m PropertyMatch
		if p := c.Child(D("prop")); p != nil {
			for _, e := range p.Children() {
				m.Props = append(m.Props, e.Name)
			}
		}
		text := c.Child(D("match"))
		if text == nil || len(m.Props) == 0 {
			return s, &Error{Status: 400, Detail: "a property-search needs prop and match"}
		}
		m.Text = text.Trimmed()
		switch text.Attr("caseless") {
		case "", "yes":
		case "no":
			m.Exact = true
		default:
			return s, &Error{Status: 400, Detail: "caseless is yes or no"}
		}
		var known bool
		if m.Type, known = MatchTypeByName(text.Attr("match-type")); !known {
			return s, &Error{Status: 400, Detail: "unknown match-type " + clip(text.Attr("match-type"))}
		}
		s.Matches = append(s.Matches, m)
	}
	if len(s.Matches) == 0 {
		return s, &Error{Status: 400, Detail: "a principal-property-search without a property-search"}
	}
	return s, nil
}

func wrongRoot(root *Element, want string) error {
	if root == nil {
		return &Error{Status: 400, Detail: "the request needs a body: " + want}
	}
	return &Error{Status: 400, Detail: "the request is a {" + clip(root.Name.Space) + "}" + clip(root.Name.Local) + " and not a " + want}
}

// PrincipalSearch is a calendarserver-principal-search REPORT: how Apple's
// programs look for whom to invite.
type PrincipalSearch struct {
	Request
	Tokens  []string // all of them have to be found
	Context string   // attendee, user, group, location, resource; "" any
	Limit   int
}

// maxTokens bounds the words of a search.
const maxTokens = 20

// ParsePrincipalSearch reads one whose root the caller knows.
func ParsePrincipalSearch(root *Element) (PrincipalSearch, error) {
	s := PrincipalSearch{Request: WantedIn(root), Context: root.Attr("context")}
	var err error
	if s.Limit, err = Limit(root); err != nil {
		return s, err
	}
	for _, c := range root.Children() {
		if c.Name == CS("search-token") && c.Trimmed() != "" {
			s.Tokens = append(s.Tokens, c.Trimmed())
		}
	}
	switch {
	case len(s.Tokens) == 0 || len(s.Tokens) > maxTokens:
		return s, &Error{Status: 400, Detail: "a calendarserver-principal-search needs a search-token, and not too many"}
	case !slices.Contains([]string{"", "attendee", "user", "group", "location", "resource"}, s.Context):
		return s, &Error{Status: 400, Detail: "unknown context " + clip(s.Context)}
	}
	return s, nil
}
