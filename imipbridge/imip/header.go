package imip

import (
	"bytes"
	"mime"
	"net/mail"
	"strings"
	"time"

	"golang.org/x/net/html/charset"

	"github.com/convene-server/convene/directory/cuaddr"
)

// field is one header field; its value is unfolded and not decoded.
type field struct{ name, value string }

type header []field

// readHeader cuts a header off (RFC 5322 §2.2) and returns what follows the
// empty line. Lines that are no fields are passed over: an mbox "From " line
// that a pipe put first, a stray line that some gateway left.
func readHeader(b []byte, l Limits) (h header, body []byte, err error) {
	start := len(b)
	var folded []byte // value of the last field, if it has more than one line
	done := func() {
		if len(folded) > 0 {
			h[len(h)-1].value = string(folded)
			folded = folded[:0]
		}
	}
	for len(b) > 0 {
		line, rest := cutLine(b)
		if len(line) == 0 {
			done()
			return h, rest, nil
		}
		if start-len(rest) > l.Header {
			return nil, nil, &LimitError{"octets of header", l.Header}
		}
		b = rest
		if line[0] == ' ' || line[0] == '\t' {
			if len(h) > 0 { // RFC 5322 §2.2.3
				if len(folded) == 0 {
					folded = append(folded, h[len(h)-1].value...)
				}
				folded = append(append(folded, ' '), bytes.TrimSpace(line)...)
			}
			continue
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		name = bytes.TrimRight(name, " \t")
		if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t") {
			continue
		}
		if len(h) == l.Fields {
			return nil, nil, &LimitError{"header fields", l.Fields}
		}
		done()
		h = append(h, field{strings.ToLower(string(name)), string(bytes.TrimSpace(value))})
	}
	done()
	return h, nil, nil
}

// cutLine returns a line without its end, which is CRLF, LF or a bare CR at
// the very end.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return bytes.TrimSuffix(b, []byte("\r")), nil
	}
	return bytes.TrimSuffix(b[:i], []byte("\r")), b[i+1:]
}

func (h header) get(name string) string {
	for _, f := range h {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

func (h header) all(name string) []string {
	var out []string
	for _, f := range h {
		if f.name == name {
			out = append(out, f.value)
		}
	}
	return out
}

// contentType reads a Content-Type as far as it can be read; text/plain where
// there is none (RFC 2045 §5.2).
func (h header) contentType() (string, map[string]string) {
	v := h.get("content-type")
	if strings.TrimSpace(v) == "" {
		return "text/plain", nil
	}
	return mediaType(v)
}

func mediaType(v string) (string, map[string]string) {
	if t, params, err := mime.ParseMediaType(v); err == nil {
		return t, params
	}
	// Exact parsing failed (a parameter twice, a stray semicolon, an unquoted
	// value): take what has the form name=value.
	t, rest, _ := strings.Cut(v, ";")
	params := map[string]string{}
	for _, p := range strings.Split(rest, ";") {
		if k, val, ok := strings.Cut(p, "="); ok {
			k = strings.ToLower(strings.TrimSpace(k))
			if _, twice := params[k]; !twice {
				params[k] = strings.Trim(strings.TrimSpace(val), `"`)
			}
		}
	}
	return strings.ToLower(strings.TrimSpace(t)), params
}

var wordDecoder = mime.WordDecoder{CharsetReader: charset.NewReaderLabel}

// text decodes encoded words (RFC 2047).
func text(v string) string {
	if dec, err := wordDecoder.DecodeHeader(v); err == nil {
		v = dec
	}
	return strings.ToValidUTF8(strings.TrimSpace(v), "\uFFFD")
}

// mailboxes reads an address list (RFC 5322 §3.4), and from what is none the
// addresses in angle brackets.
func mailboxes(v string) []Mailbox {
	if strings.TrimSpace(v) == "" {
		return nil
	}
	var out []Mailbox
	if list, err := (&mail.AddressParser{WordDecoder: &wordDecoder}).ParseList(v); err == nil {
		for _, a := range list {
			if addr := cuaddr.Mailto(a.Address); !addr.IsZero() {
				out = append(out, Mailbox{a.Name, addr})
			}
		}
		return out
	}
	if !strings.Contains(v, "<") {
		for _, w := range strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ',' || r == ';' || r == '\t' }) {
			if addr := cuaddr.Mailto(w); !addr.IsZero() {
				out = append(out, Mailbox{"", addr})
			}
		}
		return out
	}
	for rest := v; ; {
		before, after, ok := strings.Cut(rest, "<")
		if !ok {
			return out
		}
		inner, next, ok := strings.Cut(after, ">")
		if !ok {
			return out
		}
		if addr := cuaddr.Mailto(inner); !addr.IsZero() {
			out = append(out, Mailbox{strings.Trim(text(before), ` ",`), addr})
		}
		rest = next
	}
}

// msgID returns the first id in angle brackets (RFC 5322 §3.6.4).
func msgID(v string) string {
	_, after, _ := strings.Cut(v, "<")
	id, _, ok := strings.Cut(after, ">")
	if !ok {
		return ""
	}
	return strings.TrimSpace(id)
}

func date(v string) time.Time {
	t, err := mail.ParseDate(v)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// WithoutFields returns the mail without the fields of its header whose names
// begin with prefix, whatever their case; every other octet stays. A mail that
// has none is returned as it is.
func WithoutFields(m []byte, prefix string) []byte {
	var out []byte
	kept, skipping := 0, false // m[kept:] is not yet copied
	for pos := 0; pos < len(m); {
		line, rest := cutLine(m[pos:])
		if len(line) == 0 {
			break
		}
		next := len(m) - len(rest)
		cont := line[0] == ' ' || line[0] == '\t'
		drop := cont && skipping || !cont && len(line) >= len(prefix) && strings.EqualFold(string(line[:len(prefix)]), prefix)
		if drop && !skipping {
			out = append(out, m[kept:pos]...)
		}
		if drop {
			kept = next
		}
		skipping = drop
		pos = next
	}
	if kept == 0 {
		return m
	}
	return append(out, m[kept:]...)
}

// ReturnPath returns the envelope sender that a mail system wrote into a mail
// when it delivered it (RFC 5321 §4.4); without one, who wrote the mail.
func ReturnPath(m []byte) string {
	h, _, err := readHeader(m, Defaults)
	if err != nil {
		return ""
	}
	for _, f := range h {
		if f.name == "return-path" {
			return strings.TrimSpace(strings.Trim(strings.TrimSpace(f.value), "<>"))
		}
	}
	for _, name := range []string{"sender", "from"} {
		if b := mailboxes(h.get(name)); len(b) > 0 {
			return b[0].Address.Mail()
		}
	}
	return ""
}
