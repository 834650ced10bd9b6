package dav

import (
	"strconv"
	"strings"
)

// Lockinfo is the body of a LOCK (RFC 4918 §14.11).
type Lockinfo struct {
	Shared bool
	Owner  *Element // DAV:owner, nil without one
}

// ParseLockinfo reads one. The error is an *Error.
func ParseLockinfo(root *Element) (Lockinfo, error) {
	var l Lockinfo
	if root.Name != D("lockinfo") {
		return l, wrongRoot(root, "lockinfo")
	}
	scope, kind := root.Child(D("lockscope")), root.Child(D("locktype"))
	switch {
	case scope == nil || kind == nil || kind.Child(D("write")) == nil:
		return l, &Error{Status: 400, Detail: "a lockinfo needs a lockscope, and write as its locktype"}
	case scope.Child(D("shared")) != nil:
		l.Shared = true
	case scope.Child(D("exclusive")) == nil:
		return l, &Error{Status: 400, Detail: "a lockscope is exclusive or shared"}
	}
	l.Owner = root.Child(D("owner"))
	return l, nil
}

// ParseTimeout reads a Timeout header (RFC 4918 §10.7): the first time in
// seconds that it names, Infinite as most; most without any that can be read.
func ParseTimeout(header string, most int64) int64 {
	for item := range strings.SplitSeq(header, ",") {
		item = strings.TrimSpace(item)
		if strings.EqualFold(item, "Infinite") {
			return most
		}
		if len(item) > len("Second-") && strings.EqualFold(item[:len("Second-")], "Second-") {
			n, err := strconv.ParseInt(item[len("Second-"):], 10, 64)
			if err == nil && n > 0 {
				return min(n, most)
			}
		}
	}
	return most
}

// Coded takes the URL out of a Coded-URL, "<urn:uuid:...>" (RFC 4918 §10.1).
func Coded(header string) (string, bool) {
	in, ok := strings.CutPrefix(strings.TrimSpace(header), "<")
	if !ok {
		return "", false
	}
	in, ok = strings.CutSuffix(in, ">")
	return in, ok && in != "" && !strings.ContainsAny(in, "<> ")
}

// IfList is one list of an If header (RFC 4918 §10.4): all of its conditions
// have to be true of a resource.
type IfList struct {
	Resource string // URL of its tag; "": that of the request
	Conds    []IfCond
}

// IfCond is one condition of a list.
type IfCond struct {
	Not   bool
	Token string // a state token; "": ETag
	ETag  string // without quotes
}

// maxIf bounds the conditions of one header.
const maxIf = 1_000

// ParseIf reads an If header. The header is met if any of its lists is. The
// error is an *Error.
func ParseIf(header string) ([]IfList, error) {
	bad := &Error{Status: 400, Detail: "the If header cannot be read"}
	var lists []IfList
	tag, tagged, n := "", false, 0
	s := strings.TrimSpace(header)
	for s != "" {
		switch s[0] {
		case '<':
			end := strings.IndexByte(s, '>')
			if end < 2 || len(lists) > 0 && !tagged {
				return nil, bad // tags for all lists or for none
			}
			tag, tagged = s[1:end], true
			s = strings.TrimLeft(s[end+1:], " \t")
			if s == "" || s[0] != '(' {
				return nil, bad
			}
		case '(':
			l := IfList{Resource: tag}
			s = s[1:]
			for {
				s = strings.TrimLeft(s, " \t")
				if s == "" {
					return nil, bad
				}
				if s[0] == ')' {
					s = strings.TrimLeft(s[1:], " \t")
					break
				}
				var c IfCond
				if len(s) > 3 && strings.EqualFold(s[:3], "not") {
					c.Not = true
					s = strings.TrimLeft(s[3:], " \t")
				}
				if s == "" {
					return nil, bad
				}
				closing := map[byte]byte{'<': '>', '[': ']'}[s[0]]
				end := strings.IndexByte(s, closing)
				if closing == 0 || end < 2 {
					return nil, bad
				}
				if inside := s[1:end]; closing == '>' {
					c.Token = inside
				} else {
					c.ETag = Unquote(inside)
					if strings.HasPrefix(inside, "W/") {
						c.ETag = "W/" + c.ETag // never equal by strong comparison
					}
				}
				s = s[end+1:]
				if n++; n > maxIf {
					return nil, bad
				}
				l.Conds = append(l.Conds, c)
			}
			if len(l.Conds) == 0 {
				return nil, bad
			}
			lists = append(lists, l)
		default:
			return nil, bad
		}
	}
	if len(lists) == 0 {
		return nil, bad
	}
	return lists, nil
}
