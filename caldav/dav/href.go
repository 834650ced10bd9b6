package dav

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"
)

// ErrHref is returned for a path that names nothing: an encoded slash, a dot
// segment, an empty segment, bad percent-encoding, not UTF-8.
var ErrHref = errors.New("dav: the path names no resource")

// Segments splits an encoded absolute path into decoded segments, and tells
// whether it ends in a slash, as collections do. Paths are compared in this
// form: "%40", "%40" in another case and "@" are the same.
func Segments(escaped string) (segments []string, slash bool, err error) {
	rest, ok := strings.CutPrefix(escaped, "/")
	if !ok {
		return nil, false, ErrHref
	}
	if rest == "" {
		return nil, true, nil
	}
	rest, slash = strings.CutSuffix(rest, "/")
	for s := range strings.SplitSeq(rest, "/") {
		if strings.IndexByte(s, '%') >= 0 {
			if s, err = url.PathUnescape(s); err != nil {
				return nil, false, ErrHref
			}
		}
		if s == "" || s == "." || s == ".." || len(s) > 1024 || !utf8.ValidString(s) ||
			strings.ContainsFunc(s, func(r rune) bool { return r == '/' || r < 0x20 || r == 0x7f }) {
			return nil, false, ErrHref
		}
		segments = append(segments, s)
	}
	return segments, slash, nil
}

// Reference is an href or a Destination as a client writes it: an absolute
// path, or a URL whose host is given back ("" without one).
func Reference(ref string) (host, escaped string, err error) {
	ref = strings.TrimSpace(ref)
	if strings.HasPrefix(ref, "/") && !strings.HasPrefix(ref, "//") {
		if i := strings.IndexAny(ref, "?#"); i >= 0 {
			ref = ref[:i]
		}
		return "", ref, nil
	}
	u, err := url.Parse(ref)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", "", ErrHref
	}
	escaped = u.EscapedPath()
	if escaped == "" {
		escaped = "/"
	}
	return u.Host, escaped, nil
}

// Path makes the encoded absolute path of decoded segments; slash for a
// collection. It is the one spelling that answers have.
func Path(slash bool, segments ...string) string {
	n := 1
	for _, s := range segments {
		n += len(s) + 1
	}
	b := make([]byte, 0, n)
	for _, s := range segments {
		b = append(b, '/')
		b = AppendSegment(b, s)
	}
	if slash || len(segments) == 0 {
		b = append(b, '/')
	}
	return string(b)
}

const hexDigits = "0123456789ABCDEF"

// AppendSegment percent-encodes one path segment: everything but unreserved
// characters (RFC 3986 §2.3), "@" and ":". The sub-delims, which might stay too,
// are encoded because vdirsyncer's normal form of an href encodes them.
func AppendSegment(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '@', c == ':':
			b = append(b, c)
		default:
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return b
}
