package imip

import (
	"slices"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
)

// Report is a delivery status notification (RFC 3464): what became of a mail
// for its recipients.
type Report struct {
	Recipients []Delivery
}

// Delivery is what a report says of one recipient.
type Delivery struct {
	Original   cuaddr.Address // as he was addressed, zero if it does not say
	Final      cuaddr.Address
	Action     string // failed, delayed, delivered, relayed, expanded
	Status     string // enhanced status code (RFC 3463), "5.1.1"
	Diagnostic string
}

// Failed returns what says that a mail to this recipient did not arrive, or nil.
// What a report says of others, to whom his address led, counts where it does
// not name him; and where some of it arrived, or may still do (delayed, relayed,
// expanded), nothing has failed for good (RFC 3464 §2.3.3).
func (r *Report) Failed(to cuaddr.Address) *Delivery {
	about := r.about(to)
	if len(about) == 0 || slices.ContainsFunc(about, func(d Delivery) bool { return d.Action != "failed" }) {
		return nil
	}
	return &about[0]
}

// Actions names what became of a mail to this recipient, each word once.
func (r *Report) Actions(to cuaddr.Address) []string {
	var words []string
	for _, d := range r.about(to) {
		switch d.Action {
		case "failed", "delayed", "delivered", "relayed", "expanded":
			if !slices.Contains(words, d.Action) {
				words = append(words, d.Action)
			}
		}
	}
	return words
}

// about returns what concerns a recipient: what names him, or all of it.
func (r *Report) about(to cuaddr.Address) (about []Delivery) {
	for _, d := range r.Recipients {
		if !to.IsZero() && (Same(d.Original, to) || Same(d.Final, to)) {
			about = append(about, d)
		}
	}
	if len(about) == 0 {
		return r.Recipients
	}
	return about
}

// readReport reads message/delivery-status (RFC 3464 §2.1): groups of fields
// between empty lines, the first about the mail, the others one a recipient.
func readReport(b []byte, lim Limits) *Report {
	r := &Report{}
	for first := true; len(b) > 0 && len(r.Recipients) < 100; first = false {
		h, rest, err := readHeader(b, lim)
		if err != nil {
			break
		}
		b = rest
		if first && h.get("final-recipient") == "" {
			continue
		}
		if len(h) == 0 {
			continue
		}
		code, _, _ := strings.Cut(strings.TrimSpace(stripComments(h.get("status"))), " ")
		_, diagnostic, _ := strings.Cut(h.get("diagnostic-code"), ";")
		r.Recipients = append(r.Recipients, Delivery{
			Original:   typedAddress(h.get("original-recipient")),
			Final:      typedAddress(h.get("final-recipient")),
			Action:     strings.ToLower(strings.TrimSpace(stripComments(h.get("action")))),
			Status:     code,
			Diagnostic: text(strings.TrimSpace(diagnostic)),
		})
	}
	return r
}

// typedAddress reads "rfc822; ann@example.org" (RFC 3464 §2.1.2).
func typedAddress(v string) cuaddr.Address {
	_, a, ok := strings.Cut(v, ";")
	if !ok {
		a = v
	}
	return cuaddr.Mailto(strings.Trim(strings.TrimSpace(a), "<>"))
}
