// Package cuaddr gives every calendar user address one spelling, so that two
// addresses name the same calendar user if and only if they are equal (==).
//
// It normalises the scheme, percent-encoding and the case of the domain and
// nothing else. Aliases, plus-tags and the case of a local part are the
// directory's business, which knows the addresses that it holds.
package cuaddr

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"
)

// MaxLen bounds an address in octets; longer ones are refused (RFC 5321
// §4.5.3.1 allows 254, URLs of principals may be longer).
const MaxLen = 1024

// ErrInvalid is returned for a text that is no calendar user address.
var ErrInvalid = errors.New("cuaddr: not a calendar user address")

// Address is a calendar user address (RFC 5545 §3.3.3) in its normal form.
// The zero Address names nobody. Addresses are comparable and may be map keys.
type Address struct{ s string }

// Parse reads the value of an ORGANIZER or ATTENDEE, a SENT-BY or EMAIL
// parameter, or a bare mail address. What real programs write is accepted:
// MAILTO: in any case, doubled mailto:, angle brackets, surrounding blanks,
// percent-encoding and ?subject= of a mailto URL (RFC 6068), http(s) URLs and
// paths of principals, urn:uuid:.
func Parse(s string) (Address, error) {
	if normal(s) {
		return Address{s}, nil
	}
	s = strings.TrimSpace(s)
	if s == "" || len(s) > MaxLen || !utf8.ValidString(s) || strings.ContainsFunc(s, isControl) {
		return Address{}, ErrInvalid
	}
	mail := false
	for {
		rest, ok := cutPrefixFold(s, "mailto:")
		if !ok {
			break
		}
		s, mail = strings.TrimSpace(rest), true
	}
	if strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") {
		s = strings.TrimSpace(s[1 : len(s)-1])
		if rest, ok := cutPrefixFold(s, "mailto:"); ok {
			s, mail = rest, true
		}
	}
	if mail || (strings.Contains(s, "@") && !strings.Contains(s, ":") && !strings.HasPrefix(s, "/")) {
		return parseMail(s)
	}
	if rest, ok := cutPrefixFold(s, "urn:"); ok {
		return Address{"urn:" + strings.ToLower(rest)}, nil
	}
	if strings.HasPrefix(s, "/") {
		return parsePath(s)
	}
	if u, err := url.Parse(s); err == nil && u.Scheme != "" {
		if (strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https")) && u.Host != "" {
			// A principal is named by its path: one server answers under many
			// names (behind a proxy, by http and https).
			return parsePath(u.EscapedPath())
		}
		return Address{strings.ToLower(u.Scheme) + s[len(u.Scheme):]}, nil
	}
	return Address{}, ErrInvalid
}

// normal reports whether a text is surely the normal form of a mail address, as
// nearly all are: an invitation of many people is read through many times.
func normal(s string) bool {
	local, ok := strings.CutPrefix(s, "mailto:")
	if !ok || len(s) > MaxLen {
		return false
	}
	at := -1
	for i := range len(local) {
		switch c := local[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
		case c >= 'A' && c <= 'Z', c == '+':
			if at >= 0 {
				return false
			}
		case c == '@' && at < 0:
			at = i
		default:
			return false
		}
	}
	return at > 0 && at < len(local)-1 && local[len(local)-1] != '.'
}

func parseMail(s string) (Address, error) {
	if i := strings.IndexByte(s, '?'); i >= 0 { // RFC 6068 header fields
		s = s[:i]
	}
	if strings.Contains(s, "%") {
		if dec, err := url.PathUnescape(s); err == nil && utf8.ValidString(dec) && !strings.ContainsFunc(dec, isControl) {
			s = dec
		}
	}
	s = strings.TrimSpace(s)
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || at == len(s)-1 || !strings.HasPrefix(s, `"`) && (strings.ContainsAny(s, " \t<>,;") || strings.ContainsAny(s[:at], `@:\"()[]`)) {
		return Address{}, ErrInvalid // RFC 5321 §4.1.2: what is not quoted has no specials
	}
	domain := strings.ToLower(strings.TrimSuffix(s[at+1:], "."))
	if domain == "" || strings.ContainsAny(domain, " \t<>\",;/") {
		return Address{}, ErrInvalid
	}
	local := s[:at]
	if strings.HasPrefix(local, `"`) {
		bare, ok := unquote(local)
		if !ok {
			return Address{}, ErrInvalid
		}
		local = quote(bare)
	}
	return Address{"mailto:" + local + "@" + domain}, nil
}

// unquote returns what a quoted local part says (RFC 5321 §4.1.2).
func unquote(local string) (string, bool) {
	if len(local) < 3 || local[0] != '"' || local[len(local)-1] != '"' {
		return "", false
	}
	var b strings.Builder
	for s := local[1 : len(local)-1]; s != ""; s = s[1:] {
		if s[0] == '\\' {
			s = s[1:]
		} else if s[0] == '"' {
			return "", false
		}
		if s == "" {
			return "", false
		}
		b.WriteByte(s[0])
	}
	return b.String(), true
}

// quote puts quotes around a local part that needs them; one that does not is
// the same mailbox without (RFC 5321 §4.1.2).
func quote(local string) string {
	if !strings.HasPrefix(local, ".") && !strings.HasSuffix(local, ".") && !strings.Contains(local, "..") && !strings.ContainsAny(local, " \t<>,;@:\\\"()[]") {
		return local
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
}

// Quoted returns a mail address as it stands in a command of SMTP, given one
// whose local part is as it is meant: the reverse of Unquoted.
func Quoted(mail string) string {
	at := strings.LastIndexByte(mail, '@')
	if at < 1 {
		return mail
	}
	return quote(mail[:at]) + mail[at:]
}

// Unquoted returns a mail address as Mail returns it with its local part as it
// is meant, without quotes: as SMTP hands it over, and for whoever quotes by
// himself.
func Unquoted(mail string) string {
	if at := strings.LastIndexByte(mail, '@'); at > 0 {
		if bare, ok := unquote(mail[:at]); ok {
			return bare + mail[at:]
		}
	}
	return mail
}

func parsePath(p string) (Address, error) {
	dec, err := url.PathUnescape(p)
	if err != nil || !utf8.ValidString(dec) || strings.ContainsFunc(dec, isControl) || dec == "" {
		return Address{}, ErrInvalid
	}
	return Address{strings.TrimSuffix(dec, "/") + "/"}, nil
}

// Mailto returns the address of a mailbox that is known to be well-formed,
// such as one read from the directory; the zero Address if it is not.
func Mailto(mail string) Address {
	a, err := parseMail(mail)
	if err != nil {
		return Address{}
	}
	return a
}

// String returns the normal form, ready to be the value of an ORGANIZER or
// ATTENDEE: "mailto:ann@example.org", "urn:uuid:...", "/dav/principals/ann/".
func (a Address) String() string { return a.s }

// IsZero reports whether a names nobody.
func (a Address) IsZero() bool { return a.s == "" }

// Mail returns the bare mail address, or "" if a is not a mailto: address.
func (a Address) Mail() string {
	m, ok := strings.CutPrefix(a.s, "mailto:")
	if !ok {
		return ""
	}
	return m
}

// Local returns the part of a mail address before the last "@".
func (a Address) Local() string {
	m := a.Mail()
	if i := strings.LastIndexByte(m, '@'); i >= 0 {
		return m[:i]
	}
	return ""
}

// Domain returns the lower-case domain of a mail address.
func (a Address) Domain() string {
	m := a.Mail()
	if i := strings.LastIndexByte(m, '@'); i >= 0 {
		return m[i+1:]
	}
	return ""
}

// Path returns the decoded path of an address that is a principal's URL.
func (a Address) Path() string {
	if strings.HasPrefix(a.s, "/") {
		return a.s
	}
	return ""
}

// Fold returns the key under which a directory looks an address up: the whole
// address in lower case. Only for addresses that the directory holds do local
// parts differing in case name one mailbox (RFC 5321 §2.4).
func (a Address) Fold() string { return strings.ToLower(a.s) }

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
