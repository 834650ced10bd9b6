package dav

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Collation compares text as a report's text-match asks for (RFC 4790). The
// zero value is i;ascii-casemap, the default of CalDAV (RFC 4791 §7.5).
type Collation uint8

const (
	ASCIICasemap   Collation = iota // i;ascii-casemap: a to z are A to Z
	Octet                           // i;octet: byte by byte
	UnicodeCasemap                  // i;unicode-casemap (RFC 5051)
)

// Collations are the names of all that we know, as supported-collation-set
// lists them.
var Collations = []string{"i;ascii-casemap", "i;octet", "i;unicode-casemap"}

// CollationByName finds a collation. "default" is def, the default of the
// protocol (RFC 4791 §7.5.1, RFC 6352 §8.3.1); wildcards are not looked up.
func CollationByName(name string, def Collation) (Collation, bool) {
	switch name {
	case "", "default":
		return def, true
	case "i;ascii-casemap":
		return ASCIICasemap, true
	case "i;octet":
		return Octet, true
	case "i;unicode-casemap":
		return UnicodeCasemap, true
	}
	return 0, false
}

// Fold returns the form of s in which texts that are equal under c are equal
// octets, so that substrings, beginnings and ends can be compared too.
func (c Collation) Fold(s string) string {
	switch c {
	case Octet:
		return s
	case UnicodeCasemap:
		// RFC 5051 §2: each character to title case, then decomposed.
		if ascii(s) {
			return foldASCII(s)
		}
		return norm.NFKD.String(strings.Map(unicode.ToTitle, s))
	default:
		return foldASCII(s)
	}
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// foldASCII maps a to z to A to Z and nothing else (RFC 4790 §9.2.1).
func foldASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if 'a' <= s[i] && s[i] <= 'z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'a' <= b[i] && b[i] <= 'z' {
					b[i] -= 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// MatchType says where in a value the text of a text-match must stand (RFC 6352
// §10.5.4; of calendars calendar-query-extended has it). The zero value is what
// RFC 4791 §9.7.5 knows.
type MatchType uint8

const (
	Contains MatchType = iota
	Equals
	StartsWith
	EndsWith
)

// MatchTypeByName finds a match-type; "" is contains.
func MatchTypeByName(name string) (MatchType, bool) {
	switch name {
	case "", "contains":
		return Contains, true
	case "equals":
		return Equals, true
	case "starts-with":
		return StartsWith, true
	case "ends-with":
		return EndsWith, true
	}
	return 0, false
}

// Found reports whether text stands in value where it must; both as one
// collation folds them.
func (m MatchType) Found(value, text string) bool {
	switch m {
	case Equals:
		return value == text
	case StartsWith:
		return strings.HasPrefix(value, text)
	case EndsWith:
		return strings.HasSuffix(value, text)
	}
	return strings.Contains(value, text)
}
