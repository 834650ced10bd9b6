// Package record makes of a request and its answer something that an operator
// can show to others: what a program did, without whose it is. Log-ins are left
// out; names, addresses, texts, places and the names of things are replaced by
// marks, the same one for the same value, so that what belongs together still
// does. Times, rules and what the protocol itself says stay.
//
// What is not understood is not shown: every list here is of what stays.
package record

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// MaxBody is how many octets of a body are kept.
const MaxBody = 64 << 10

// Exchange is one request with its answer, redacted.
type Exchange struct {
	At     time.Time     `json:"at"`
	Took   time.Duration `json:"took_ns"`
	Method string        `json:"method"`
	Target string        `json:"target"` // path and query
	Header []Field       `json:"header"`
	Body   string        `json:"body,omitempty"`
	Status int           `json:"status"`
	Answer []Field       `json:"answer_header"`
	Text   string        `json:"answer,omitempty"`
}

// Field is one header field.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Body is what was kept of a body.
type Body struct {
	Type   string // media type, as the header says
	Kept   []byte // its first octets, not encoded
	Octets int64  // how many it had
}

// Write writes the exchange as people and scripts read it: lines that begin with
// "> " are the request, with "< " the answer.
func (e *Exchange) Write(w io.Writer, number int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### %d %s %s\n", number, e.At.UTC().Format("2006-01-02T15:04:05.000Z"), e.Took.Round(10*time.Microsecond))
	part := func(mark, first string, header []Field, body string) {
		fmt.Fprintf(&b, "%s %s\n", mark, first)
		for _, f := range header {
			fmt.Fprintf(&b, "%s %s: %s\n", mark, f.Name, f.Value)
		}
		if body != "" {
			fmt.Fprintf(&b, "%s\n", mark)
			for line := range strings.Lines(strings.TrimRight(body, "\n")) {
				fmt.Fprintf(&b, "%s %s\n", mark, strings.TrimRight(line, "\n"))
			}
		}
	}
	part(">", e.Method+" "+e.Target, e.Header, e.Body)
	part("<", fmt.Sprint(e.Status), e.Answer, e.Text)
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Redactor makes marks. Without the key nobody can find out by trying what a
// mark stands for.
type Redactor struct{ key []byte }

// New makes one. Those of one key make the same marks.
func New(key []byte) *Redactor { return &Redactor{key} }

// mark stands for a value.
func (r *Redactor) mark(v string) string {
	if v == "" {
		return ""
	}
	h := hmac.New(sha256.New, r.key)
	h.Write([]byte(v))
	return "x-" + hex.EncodeToString(h.Sum(nil)[:5])
}

// text stands for a value, which may be nothing but a mail address.
func (r *Redactor) text(v string) string {
	if isAddress(v) {
		return r.address(v)
	}
	return r.mark(v)
}

// address stands for a mail address, whatever its case.
func (r *Redactor) address(v string) string {
	return r.mark(strings.ToLower(v)) + "@redacted.invalid"
}

func isAddress(v string) bool {
	local, domain, ok := strings.Cut(v, "@")
	return ok && local != "" && domain != "" && !strings.ContainsAny(v, " \t\r\n<>\"',;:/?&=()") && !strings.Contains(domain, "@")
}

// shown are the header fields whose values say nothing about anybody.
var shown = map[string]bool{
	"Accept": true, "Accept-Charset": true, "Accept-Encoding": true, "Accept-Language": true, "Allow": true, "Brief": true, "Cache-Control": true, "Caldav-Timezones": true,
	"Connection": true, "Content-Encoding": true, "Content-Length": true, "Content-Type": true, "Date": true, "Dav": true, "Depth": true, "Etag": true, "Expect": true,
	"If-Match": true, "If-Modified-Since": true, "If-None-Match": true, "If-Schedule-Tag-Match": true, "If-Unmodified-Since": true, "Last-Modified": true, "Overwrite": true,
	"Pragma": true, "Prefer": true, "Preference-Applied": true, "Range": true, "Retry-After": true, "Schedule-Reply": true, "Schedule-Tag": true, "Timeout": true,
	"Transfer-Encoding": true, "User-Agent": true, "Vary": true, "Www-Authenticate": true, "X-Content-Type-Options": true,
}

const notShown = "(not shown)"

// Header redacts header fields and puts them in order.
func (r *Redactor) Header(h map[string][]string) []Field {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	var all []Field
	for _, name := range names {
		for _, v := range h[name] {
			switch {
			case shown[name]:
				v = oneLine(v)
			case name == "Destination" || name == "Location" || name == "Content-Location" || name == "Referer":
				v = r.Href(v)
			case name == "Originator" || name == "Recipient":
				var each []string
				for _, a := range strings.Split(v, ",") {
					each = append(each, r.Href(strings.TrimSpace(a)))
				}
				v = strings.Join(each, ", ")
			case name == "If" || name == "Lock-Token":
				v = r.angled(v)
			case name == "Authorization":
				scheme, _, _ := strings.Cut(v, " ")
				if !slices.Contains([]string{"basic", "bearer", "digest", "negotiate"}, strings.ToLower(scheme)) {
					scheme = ""
				}
				v = strings.TrimSpace(scheme + " " + notShown)
			default:
				v = notShown
			}
			all = append(all, Field{name, v})
		}
	}
	return all
}

// angled redacts what stands in angle brackets, as in If (RFC 4918 §10.4), and
// leaves entity tags and the word Not; anything else goes.
func (r *Redactor) angled(v string) string {
	var b strings.Builder
	for v != "" {
		switch c := v[0]; c {
		case '<', '[', '"':
			end := strings.IndexByte(v[1:], map[byte]byte{'<': '>', '[': ']', '"': '"'}[c])
			if end < 0 {
				return b.String() + notShown
			}
			if c == '<' {
				b.WriteString("<" + r.Href(v[1:1+end]) + ">")
			} else {
				b.WriteString(oneLine(v[:end+2]))
			}
			v = v[end+2:]
		case '(', ')', ' ':
			b.WriteByte(c)
			v = v[1:]
		default:
			if len(v) < 3 || !strings.EqualFold(v[:3], "Not") {
				return b.String() + notShown
			}
			b.WriteString(v[:3])
			v = v[3:]
		}
	}
	return b.String()
}

func oneLine(v string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 || c == 0x7f {
			return ' '
		}
		return c
	}, v)
}

// Body redacts a body by its media type. JSON and what people keep as files are
// not shown at all.
func (r *Redactor) Body(b Body) string {
	if b.Octets == 0 {
		return ""
	}
	cut := b.Octets > int64(len(b.Kept))
	kind, _, _ := strings.Cut(b.Type, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	var out string
	ok := false
	switch {
	case kind == "text/calendar" || kind == "text/vcard" || kind == "text/x-vcard":
		out, ok = r.lines(string(b.Kept), cut)
	case strings.HasSuffix(kind, "/xml") || strings.HasSuffix(kind, "+xml"):
		out, ok = r.xml(b.Kept, cut)
	case kind == "":
		if out, ok = r.lines(string(b.Kept), cut); !ok {
			out, ok = r.xml(b.Kept, cut)
		}
	}
	switch {
	case !ok:
		return fmt.Sprintf("(%d octets)", b.Octets)
	case cut:
		return fmt.Sprintf("%s\n(cut: %d octets in all)", out, b.Octets)
	}
	return out
}
