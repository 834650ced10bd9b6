package imip

import (
	"regexp"
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/authres"
	"golang.org/x/net/publicsuffix"
)

// Evidence is what trusted Authentication-Results say of header From.
type Evidence int

const (
	None   Evidence = iota // nothing, or nothing that is about this domain
	Passed                 // DMARC, or DKIM or SPF in alignment with it
	Failed                 // a trusted check failed and none passed
)

// Evidence weighs the Authentication-Results (RFC 8601) that servers by these
// names put on the mail, against the domain of header From, and says in few
// words what decided. Fields of other servers count for nothing: anybody can
// write them. Nor do fields below the Received of the server that weighed:
// they were there when the mail came in (RFC 8601 §5). A server that writes
// none must take away those that claim to be its own, as RFC 8601 asks.
func (m *Mail) Evidence(authservIDs []string) (Evidence, string) {
	from := m.From.Address.Domain()
	if from == "" || m.Froms != 1 {
		return None, ""
	}
	var passed, failed string
	trusted, passedOurs := false, false
	for _, field := range m.results {
		if by, ok := strings.CutPrefix(field, receivedBy); ok {
			if trusted || passedOurs {
				break
			}
			// Some servers write their results below their own Received.
			passedOurs = slices.ContainsFunc(authservIDs, func(t string) bool { return strings.EqualFold(t, by) })
			continue
		}
		id, results := authResults(field)
		if !slices.ContainsFunc(authservIDs, func(t string) bool { return strings.EqualFold(t, id) }) {
			continue
		}
		trusted = true
		for _, r := range results {
			switch r := r.(type) {
			case *authres.DMARCResult:
				if r.From != "" && !strings.EqualFold(domainOf(r.From), from) {
					continue
				}
				switch r.Value {
				case authres.ResultPass:
					return Passed, "dmarc=pass"
				case authres.ResultFail:
					// DMARC has weighed the others already (RFC 7489 §4.2).
					return Failed, "dmarc=fail"
				}
			case *authres.DKIMResult:
				d := r.Domain
				if d == "" {
					d = domainOf(r.Identifier)
				}
				if Aligned(d, from) {
					note(&passed, &failed, r.Value, "dkim", d)
				}
			case *authres.SPFResult:
				if d := domainOf(r.From); Aligned(d, from) {
					note(&passed, &failed, r.Value, "spf", d)
				}
			}
		}
	}
	switch {
	case passed != "":
		return Passed, passed
	case failed != "":
		return Failed, failed
	}
	return None, ""
}

// receivedBy begins what stands for a Received field among the results; the
// host that wrote it follows.
const receivedBy = "\x00"

// by returns the host that a Received field says it was written by.
func by(v string) string {
	f := strings.Fields(stripComments(v))
	for i := 0; i+1 < len(f); i++ {
		if strings.EqualFold(f[i], "by") {
			return strings.TrimRight(f[i+1], ";.")
		}
	}
	return ""
}

func note(passed, failed *string, v authres.ResultValue, method, domain string) {
	switch v {
	case authres.ResultPass:
		if *passed == "" {
			*passed = method + "=pass " + domain
		}
	case authres.ResultFail, authres.ResultHardFail:
		if *failed == "" {
			*failed = method + "=fail " + domain
		}
	}
}

// Aligned reports whether two domains belong to one organization (RFC 7489
// §3.1, relaxed).
func Aligned(a, b string) bool {
	a, b = strings.ToLower(strings.TrimSuffix(a, ".")), strings.ToLower(strings.TrimSuffix(b, "."))
	if a == "" || b == "" {
		return false
	}
	if a == b {
		return true
	}
	oa, err := publicsuffix.EffectiveTLDPlusOne(a)
	if err != nil {
		return false
	}
	ob, err := publicsuffix.EffectiveTLDPlusOne(b)
	return err == nil && oa == ob
}

func domainOf(s string) string {
	s = strings.Trim(s, `<>"`)
	return strings.ToLower(s[strings.LastIndexByte(s, '@')+1:])
}

// authResults reads one field. Each result is read by itself, so that one that
// is malformed does not hide the others.
func authResults(field string) (id string, out []authres.Result) {
	field = equals.ReplaceAllString(strings.Join(strings.Fields(closeQuotes(stripComments(field))), " "), "=")
	head, rest, _ := strings.Cut(field, ";")
	id, results, err := authres.Parse(field)
	if err == nil {
		return id, results
	}
	for _, one := range strings.Split(rest, ";") {
		i, results, err := authres.Parse(head + ";" + one)
		if err == nil {
			id, out = i, append(out, results...)
		}
	}
	return id, out
}

// equals is a "=" with the blanks that may stand around it (RFC 8601 §2.2).
var equals = regexp.MustCompile(` ?= ?`)

// stripComments takes away the comments of a structured field (RFC 5322
// §3.2.2), which may nest and hold anything, a semicolon too.
func stripComments(s string) string {
	if !strings.ContainsRune(s, '(') {
		return s
	}
	var b strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			if depth == 0 {
				b.WriteByte(c)
				b.WriteByte(s[i+1])
			}
			i++
			continue
		case c == '"' && depth == 0:
			quoted = !quoted
		case c == '(' && !quoted:
			if depth++; depth == 1 {
				b.WriteByte(' ') // it parts words as a blank does
			}
			continue
		case c == ')' && !quoted && depth > 0:
			depth--
			continue
		}
		if depth == 0 {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// closeQuotes makes one word of each quoted string: what a stranger put into a
// reason or a local part must not read as a result of its own.
func closeQuotes(s string) string {
	if !strings.ContainsRune(s, '"') {
		return s
	}
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted && i+1 < len(s):
			i++
			b.WriteByte('_')
		case c == '"':
			quoted = !quoted
		case quoted && (c == ';' || c == '=' || c <= ' '):
			b.WriteByte('_')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
