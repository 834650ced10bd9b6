package imip

import (
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

// Failed returns the recipient that the mail did not reach, or nil. A report
// that the mail is delayed tells nothing final.
func (r *Report) Failed() *Delivery {
	for i := range r.Recipients {
		if r.Recipients[i].Action == "failed" {
			return &r.Recipients[i]
		}
	}
	return nil
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
