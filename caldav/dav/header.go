package dav

import (
	"strings"
	"time"
)

// Tags are the entity tags of an If-Match or If-None-Match header (RFC 9110
// §13.1), without quotes.
type Tags struct {
	Asked bool // the header is there
	Any   bool // "*"
	List  []string
}

// StrongTags reads an If-Match: weak tags never match by strong comparison
// (RFC 9110 §13.1.1) and are left out.
func StrongTags(header []string) Tags { return tags(header, false) }

// WeakTags reads an If-None-Match, where a weak tag matches too.
func WeakTags(header []string) Tags { return tags(header, true) }

// tags also takes tags without quotes, as some programs send them back.
func tags(header []string, weak bool) Tags {
	t := Tags{Asked: len(header) > 0}
	for _, h := range header {
		for {
			h = strings.TrimLeft(h, " \t,")
			if h == "" {
				break
			}
			isWeak := strings.HasPrefix(h, "W/")
			h = strings.TrimPrefix(h, "W/")
			var tag string
			if q, ok := strings.CutPrefix(h, `"`); ok {
				end := strings.IndexByte(q, '"')
				if end < 0 {
					end = len(q)
				}
				tag = q[:end]
				h = strings.TrimPrefix(q[end:], `"`)
			} else {
				end := strings.IndexAny(h, ", \t")
				if end < 0 {
					end = len(h)
				}
				tag, h = h[:end], h[end:]
				if tag == "*" {
					t.Any = true
					continue
				}
			}
			if weak || !isWeak {
				t.List = append(t.List, tag)
			}
		}
	}
	return t
}

// Conditions gives the tags as a list with "*" for any; nil if the header is
// not there, empty if it can match nothing.
func (t Tags) Conditions() []string {
	switch {
	case !t.Asked:
		return nil
	case t.Any:
		return []string{"*"}
	case t.List == nil:
		return []string{}
	}
	return t.List
}

// Match reports whether a resource with this entity tag ("" none: it does not
// exist) is among the tags.
func (t Tags) Match(etag string) bool {
	if etag == "" {
		return false
	}
	if t.Any {
		return true
	}
	for _, l := range t.List {
		if l == etag {
			return true
		}
	}
	return false
}

// Unquote takes the quotes off a single tag, such as that of an
// If-Schedule-Tag-Match header (RFC 6638 §8.3).
func Unquote(tag string) string {
	tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
	return strings.TrimSuffix(strings.TrimPrefix(tag, `"`), `"`)
}

// Depth of a request (RFC 4918 §10.2).
type Depth int8

const (
	Zero     Depth = 0
	One      Depth = 1
	Infinity Depth = 2
)

// ParseDepth reads the header; without it, unset. The error is an *Error.
func ParseDepth(header string, unset Depth) (Depth, error) {
	switch strings.ToLower(strings.TrimSpace(header)) {
	case "":
		return unset, nil
	case "0":
		return Zero, nil
	case "1", "1,noroot":
		return One, nil
	case "infinity":
		return Infinity, nil
	}
	return unset, &Error{Status: 400, Detail: "Depth is none of 0, 1 and infinity"}
}

// Prefer is what a program would like (RFC 7240, RFC 8144).
type Prefer struct {
	Minimal        bool // return=minimal, or Brief: t
	Representation bool // return=representation
	NoRoot         bool // depth-noroot: what is in a collection without itself
}

// ParsePrefer reads the Prefer headers and Brief, Microsoft's older way to say
// return=minimal, which Apple's programs use.
func ParsePrefer(prefer []string, brief string) Prefer {
	var p Prefer
	for _, h := range prefer {
		for _, item := range strings.Split(h, ",") {
			item, _, _ = strings.Cut(item, ";")
			name, value, _ := strings.Cut(item, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "return":
				switch strings.ToLower(strings.Trim(strings.TrimSpace(value), `"`)) {
				case "minimal":
					p.Minimal = true
				case "representation":
					p.Representation = true
				}
			case "depth-noroot": // RFC 8144 §2.2
				p.NoRoot = true
			case "return-minimal": // before RFC 7240
				p.Minimal = true
			}
		}
	}
	if strings.EqualFold(strings.TrimSpace(brief), "t") {
		p.Minimal = true
	}
	return p
}

// Date writes a time as headers and getlastmodified do (RFC 9110 §5.6.7). It
// is time.Time.Format with http.TimeFormat in a tenth of the time.
func Date(t time.Time) string {
	const days, months = "SunMonTueWedThuFriSat", "JanFebMarAprMayJunJulAugSepOctNovDec"
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.Format("Mon, 02 Jan 2006 15:04:05 GMT")
	}
	hour, minute, second := t.Clock()
	b := [29]byte{}
	two := func(at, n int) { b[at], b[at+1] = byte('0'+n/10), byte('0'+n%10) }
	copy(b[:], "Mon, 02 Jan 2006 15:04:05 GMT")
	copy(b[:3], days[3*t.Weekday():])
	two(5, day)
	copy(b[8:11], months[3*(month-1):])
	two(12, year/100)
	two(14, year%100)
	two(17, hour)
	two(20, minute)
	two(23, second)
	return string(b[:])
}
