package caldav

import (
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

// contexts are the kinds of principals that a search is for.
var contexts = map[string][]db.Kind{
	"":         {db.Person, db.Group, db.Room, db.Resource},
	"attendee": {db.Person, db.Group, db.Room, db.Resource},
	"user":     {db.Person},
	"group":    {db.Group},
	"location": {db.Room},
	"resource": {db.Resource},
}

// attendeeSearch answers a calendarserver-principal-search: principals in
// whose name, addresses or attributes every word of the search is found.
func (x *exchange) attendeeSearch(r *resource, root *dav.Element) error {
	s, err := dav.ParsePrincipalSearch(root)
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
	needle := "" // the longest word leaves the fewest
	for i := range s.Tokens {
		if len(s.Tokens[i]) > len(needle) {
			needle = s.Tokens[i]
		}
		s.Tokens[i] = dav.UnicodeCasemap.Fold(s.Tokens[i])
	}
	meets := func(who *db.Principal) bool {
		kind := false
		for _, k := range contexts[s.Context] {
			kind = kind || k == who.Kind
		}
		if !kind {
			return false
		}
		texts := []string{dav.UnicodeCasemap.Fold(who.Name)}
		for _, a := range x.addresses(who) {
			texts = append(texts, dav.UnicodeCasemap.Fold(a))
		}
		for _, values := range x.attributes(who) {
			for _, v := range values {
				texts = append(texts, dav.UnicodeCasemap.Fold(v))
			}
		}
		for _, token := range s.Tokens {
			hit := false
			for _, text := range texts {
				hit = hit || strings.Contains(text, token)
			}
			if !hit {
				return false
			}
		}
		return true
	}
	return x.principals(r, p, limit, []string{needle}, contexts[s.Context], meets)
}
