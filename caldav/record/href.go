package record

import (
	"net/url"
	"strings"
)

// ours are the segments of paths that the server itself names, and those that
// every home has.
var ours = map[string]bool{
	"": true, ".": true, "..": true, "dav": true, "principals": true, "calendars": true, "addressbooks": true, "directory": true, "freebusy": true, ".well-known": true,
	"caldav": true, "carddav": true, "calendar": true, "tasks": true, "inbox": true, "outbox": true, "contacts": true, "calendar-proxy-read": true, "calendar-proxy-write": true,
	"connect.mobileconfig": true, "autoconfig": true, "mail": true, "config-v1.1.xml": true,
}

// plainQuery are the parameters of queries that say nothing about anybody.
var plainQuery = map[string]bool{"start": true, "end": true, "action": true, "rid": true}

// Href redacts a URL, a path or the address of a calendar user. What it is
// remains to be seen, and which spelling it had.
func (r *Redactor) Href(v string) string {
	low := strings.ToLower(v)
	switch {
	case v == "":
		return ""
	case strings.HasPrefix(low, "mailto:"):
		rest, err := url.PathUnescape(v[7:])
		if err != nil {
			return v[:7] + r.mark(v)
		}
		return v[:7] + r.text(rest)
	case strings.HasPrefix(low, "urn:uuid:"):
		return v[:9] + r.mark(v[9:])
	case strings.HasPrefix(low, "http://"), strings.HasPrefix(low, "https://"):
		scheme, rest, _ := strings.Cut(v, "://")
		host, path, slash := strings.Cut(rest, "/")
		host = r.mark(strings.ToLower(host)) + ".invalid"
		if !slash {
			return scheme + "://" + host
		}
		return scheme + "://" + host + r.Target("/"+path)
	case strings.HasPrefix(v, "/"):
		return r.Target(v)
	}
	return r.text(v)
}

// Target redacts what a request is for: a path, and a query if it has one.
func (r *Redactor) Target(v string) string {
	path, query, asked := strings.Cut(v, "?")
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = r.segment(s)
	}
	out := strings.Join(segments, "/")
	if !asked {
		return out
	}
	var params []string
	for _, p := range strings.Split(query, "&") {
		name, value, has := strings.Cut(p, "=")
		switch {
		case plainQuery[name] && len(value) < 40:
			params = append(params, oneLine(p))
		case !has:
			params = append(params, r.mark(p))
		default:
			if name != "token" {
				name = r.mark(name)
			}
			params = append(params, name+"="+r.mark(value))
		}
	}
	return out + "?" + strings.Join(params, "&")
}

func (r *Redactor) segment(raw string) string {
	s, err := url.PathUnescape(raw)
	if err != nil {
		return r.mark(raw)
	}
	if ours[s] {
		return raw
	}
	ext := ""
	for _, e := range []string{".ics", ".vcf", ".ifb"} {
		if len(s) > len(e) && strings.HasSuffix(s, e) {
			s, ext = s[:len(s)-len(e)], e
		}
	}
	out := r.text(s) + ext
	if strings.Contains(raw, "%40") {
		out = strings.ReplaceAll(out, "@", "%40")
	}
	return out
}
