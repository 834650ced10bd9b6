package caldav

import (
	"mime"
	"strconv"
	"strings"

	"github.com/convene-server/convene/caldav/carddav"
)

// The forms in which a card is to be had.
const (
	formStored = iota
	formOther  // the other version (RFC 6352 §5.1.1)
	formJSON   // jCard (RFC 7095)
)

// sentJCard reports whether the body of the request is jCard.
func (x *exchange) sentJCard() bool {
	m, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	return err == nil && m == carddav.JSONType
}

// inForm puts a card into the form that a request asks for. Every form has the
// entity tag of what is stored: DAVx5 refuses a card without one, and it is by
// that tag that the card is written again, in whichever form it was read. Who
// sends jCard and does not say what he takes gets jCard.
func (x *exchange) inForm(r *resource) {
	x.w.Header().Set("Vary", "Accept")
	accept := strings.Join(x.r.Header["Accept"], ",")
	if accept == "" && x.sentJCard() {
		accept = carddav.JSONType
	}
	if accept == "" || len(accept) > 4<<10 {
		return
	}
	card, err := carddav.Parse(r.obj.Body, carddav.Limits{})
	if err != nil { // stored by an older release that took more
		return
	}
	other := "4.0"
	if card.Version() == other {
		other = "3.0"
	}
	switch cardForm(accept, card.Version(), other) {
	case formOther:
		r.obj.Body, r.form = card.As(other), "text/vcard; charset=utf-8; version="+other
	case formJSON:
		if b, err := card.JCard(); err == nil {
			r.obj.Body, r.form = b, carddav.JSONType
		}
	}
}

// cardForm chooses by an Accept field (RFC 9110 §12.5.1): of the forms with the
// highest quality the stored one first. Where none is acceptable it is the
// stored one as well, which is more use than a 406.
func cardForm(accept, stored, other string) int {
	var quality [3]float64
	var precise [3]int // how closely the range that counts names the form
	forms := [...]struct{ kind, version string }{{"text/vcard", stored}, {"text/vcard", other}, {carddav.JSONType, ""}}
	for _, part := range strings.Split(accept, ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if v, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(v, 64); err != nil {
				continue
			}
		}
		for i, f := range forms {
			top, _, _ := strings.Cut(f.kind, "/")
			p := 0
			switch {
			case kind == f.kind && params["version"] != "":
				if params["version"] != f.version {
					continue
				}
				p = 4
			case kind == f.kind:
				p = 3
			case kind == top+"/*":
				p = 2
			case kind == "*/*":
				p = 1
			}
			if p > precise[i] {
				precise[i], quality[i] = p, q
			}
		}
	}
	best := formStored
	for i, q := range quality {
		if q > quality[best] {
			best = i
		}
	}
	return best
}
