package caldav

import (
	"net/http"
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
// whose name or address every word of the search is found.
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
	for i := range s.Tokens {
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
	ms := x.multistatus()
	found := 0
	for after := ""; ; {
		var page []db.Principal
		if !x.view(func(tx *db.Tx) (err error) {
			page, err = tx.Principals(after, pageRows)
			return err
		}) {
			return x.broken
		}
		for i := range page {
			if !meets(&page[i]) {
				if x.broken != nil {
					return x.broken
				}
				continue
			}
			if found++; found > limit {
				ms.Status(r.href, http.StatusInsufficientStorage, dav.D("number-of-matches-within-limits"))
				return ms.End("")
			}
			if err := x.renderPrincipal(ms, &page[i], p); err != nil {
				return err
			}
		}
		if len(page) < pageRows {
			return ms.End("")
		}
		after = page[len(page)-1].Address
	}
}
