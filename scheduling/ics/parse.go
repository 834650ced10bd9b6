package ics

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Parse reads one iCalendar stream (RFC 5545 §3.4) that holds exactly one
// VCALENDAR. It checks syntax and limits only; Object.Check has the rules for
// what may be stored. The errors are *SyntaxError and *TooLargeError.
//
// The Object keeps data: the caller must not write to it afterwards.
func Parse(data []byte, lim Limits) (*Object, error) {
	lim = lim.orDefaults()
	if len(data) > lim.Bytes {
		return nil, &TooLargeError{"octets", lim.Bytes}
	}
	p := parser{rest: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), lim: lim}
	root, err := p.stream()
	if err != nil {
		return nil, err
	}
	return newObject(data, root), nil
}

type parser struct {
	rest  []byte
	line  int // of the content line last read
	next  int // physical lines consumed so far
	lim   Limits
	comps int
	props int
	buf   []byte

	params []Param  // of the line in hand,
	values []string // and of its parameter in hand
	pages  pages
}

// pages are what parameters and their values are kept on, many to an allocation:
// most lines of an invitation are ATTENDEEs with five parameters of one value each.
type pages struct {
	params []Param
	values []string
}

// copyOf keeps a copy that nobody can append to in place.
func copyOf[T any](page *[]T, from []T) []T {
	const most = 256
	if len(from) == 0 {
		return nil
	}
	if cap(*page)-len(*page) < len(from) {
		*page = make([]T, 0, max(len(from), min(2*cap(*page)+8, most)))
	}
	n := len(*page)
	*page = append(*page, from...)
	return (*page)[n:len(*page):len(*page)]
}

func (p *parser) fail(format string, args ...any) error {
	return &SyntaxError{p.line, fmt.Sprintf(format, args...)}
}

func (p *parser) stream() (*Component, error) {
	var root *Component
	var stack []*Component
	for {
		raw, text, ok, err := p.contentLine()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if len(text) == 0 || len(bytes.TrimSpace(text)) == 0 {
			continue // some programs leave blank lines
		}
		if p.props++; p.props > p.lim.Properties {
			return nil, &TooLargeError{"properties", p.lim.Properties}
		}
		prop, err := p.property(raw, text)
		if err != nil {
			return nil, err
		}
		switch prop.Name {
		case "BEGIN":
			if p.comps++; p.comps > p.lim.Components {
				return nil, &TooLargeError{"components", p.lim.Components}
			}
			if len(stack) == p.lim.Depth {
				return nil, &TooLargeError{"levels of components", p.lim.Depth}
			}
			c := &Component{Name: strings.ToUpper(strings.TrimSpace(prop.Value)), Props: make([]Prop, 0, 10)}
			switch {
			case c.Name == "" || strings.ContainsFunc(c.Name, func(r rune) bool { return !nameByte(byte(r)) || r > 127 }):
				return nil, p.fail("BEGIN of no component: %q", clip(prop.Value))
			case len(stack) > 0:
				top := stack[len(stack)-1]
				top.Children = append(top.Children, c)
			case root != nil:
				return nil, p.fail("a second VCALENDAR begins")
			case c.Name != "VCALENDAR":
				return nil, p.fail("the object begins with %s, not with VCALENDAR", clip(c.Name))
			default:
				root = c
			}
			stack = append(stack, c)
		case "END":
			name := strings.ToUpper(strings.TrimSpace(prop.Value))
			if len(stack) == 0 {
				return nil, p.fail("END:%s without its BEGIN", clip(name))
			}
			if open := stack[len(stack)-1].Name; open != name {
				return nil, p.fail("END:%s where %s is open", clip(name), clip(open))
			}
			stack = stack[:len(stack)-1]
		default:
			if len(stack) == 0 {
				return nil, p.fail("%s outside of VCALENDAR", clip(prop.Name))
			}
			top := stack[len(stack)-1]
			top.Props = append(top.Props, prop)
		}
	}
	switch {
	case root == nil:
		return nil, &SyntaxError{0, "no VCALENDAR in it"}
	case len(stack) > 0:
		return nil, p.fail("ends inside %s", clip(stack[len(stack)-1].Name))
	}
	return root, nil
}

// contentLine returns the next line as it came (raw, folds inside, last line
// end cut off) and unfolded (RFC 5545 §3.1). Unfolding is by octet: some
// programs fold inside a UTF-8 sequence.
func (p *parser) contentLine() (raw, text []byte, ok bool, err error) {
	if len(p.rest) == 0 {
		return nil, nil, false, nil
	}
	p.line = p.next + 1
	start := p.rest
	first := p.physical()
	if len(p.rest) == 0 || (p.rest[0] != ' ' && p.rest[0] != '\t') {
		raw, text = first, first
	} else {
		p.buf = append(p.buf[:0], first...)
		for len(p.rest) > 0 && (p.rest[0] == ' ' || p.rest[0] == '\t') {
			p.rest = p.rest[1:]
			p.buf = append(p.buf, p.physical()...)
			if len(p.buf) > p.lim.Line {
				return nil, nil, false, &TooLargeError{"octets in one line", p.lim.Line}
			}
		}
		raw = trimEOL(start[:len(start)-len(p.rest)])
		text = p.buf
	}
	if len(text) > p.lim.Line {
		return nil, nil, false, &TooLargeError{"octets in one line", p.lim.Line}
	}
	if !utf8.Valid(text) {
		return nil, nil, false, p.fail("not UTF-8")
	}
	for _, b := range text {
		if b < 0x20 && b != '\t' || b == 0x7f {
			return nil, nil, false, p.fail("control character 0x%02X", b)
		}
	}
	return raw, text, true, nil
}

func (p *parser) physical() []byte {
	p.next++
	i := bytes.IndexByte(p.rest, '\n')
	if i < 0 {
		l := trimEOL(p.rest)
		p.rest = nil
		return l
	}
	l := p.rest[:i+1]
	p.rest = p.rest[i+1:]
	return trimEOL(l)
}

func trimEOL(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte{'\n'})
	for len(b) > 0 && b[len(b)-1] == '\r' {
		b = b[:len(b)-1]
	}
	return b
}

// property splits a content line into name, parameters and value (RFC 5545
// §3.1, RFC 6868 §3).
func (p *parser) property(raw, text []byte) (Prop, error) {
	i := 0
	for i < len(text) && nameByte(text[i]) {
		i++
	}
	if i == 0 || i == len(text) {
		return Prop{}, p.fail("no property: %q", clip(string(text)))
	}
	prop := Prop{Name: upper(text[:i]), raw: raw}
	line := string(text) // of which value and parameters are parts
	p.params = p.params[:0]
	for text[i] == ';' {
		i++
		start := i
		for i < len(text) && nameByte(text[i]) {
			i++
		}
		if i == start && i < len(text) && (text[i] == ';' || text[i] == ':') {
			continue // ";;" and ";:" say nothing
		}
		if i == start || i == len(text) || text[i] != '=' {
			return Prop{}, p.fail("%s: a parameter without a value", prop.Name)
		}
		if len(p.params) == p.lim.Params {
			return Prop{}, &TooLargeError{"parameters of one property", p.lim.Params}
		}
		par := Param{Name: upper(text[start:i])}
		p.values = p.values[:0]
		for {
			i++ // "=" or ","
			var v string
			if i < len(text) && text[i] == '"' {
				end := bytes.IndexByte(text[i+1:], '"')
				if end < 0 {
					return Prop{}, p.fail("%s: the quote of parameter %s does not end", prop.Name, par.Name)
				}
				v = line[i+1 : i+1+end]
				i += end + 2
			} else {
				start := i
				for i < len(text) && text[i] != ',' && text[i] != ';' && text[i] != ':' {
					i++
				}
				v = line[start:i]
			}
			p.values = append(p.values, uncaret(v))
			if len(p.values) > 1024 {
				return Prop{}, &TooLargeError{"values of one parameter", 1024}
			}
			if i == len(text) {
				return Prop{}, p.fail("%s has no value", prop.Name)
			}
			if text[i] != ',' {
				break
			}
		}
		if text[i] != ';' && text[i] != ':' {
			return Prop{}, p.fail("%s: text after the quote of parameter %s", prop.Name, par.Name)
		}
		par.Values = copyOf(&p.pages.values, p.values)
		p.params = append(p.params, par)
	}
	if text[i] != ':' {
		return Prop{}, p.fail("no colon after %s", prop.Name)
	}
	prop.Params = copyOf(&p.pages.params, p.params)
	prop.Value = line[i+1:]
	return prop, nil
}

func nameByte(b byte) bool {
	return b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '-' || b == '_'
}

var common = map[string]string{}

func init() {
	for _, n := range []string{"BEGIN", "END", "ATTENDEE", "ORGANIZER", "DTSTART", "DTEND", "DTSTAMP", "UID", "SUMMARY", "SEQUENCE",
		"RRULE", "EXDATE", "RDATE", "RECURRENCE-ID", "DESCRIPTION", "LOCATION", "STATUS", "TRANSP", "CREATED", "LAST-MODIFIED",
		"PARTSTAT", "ROLE", "CN", "RSVP", "CUTYPE", "TZID", "VALUE", "VERSION", "PRODID", "CALSCALE", "TZOFFSETFROM", "TZOFFSETTO",
		"TZNAME", "TRIGGER", "ACTION", "SCHEDULE-STATUS", "SCHEDULE-AGENT", "CLASS", "PRIORITY", "CATEGORIES", "DURATION"} {
		common[n] = n
	}
}

// upper returns a name in upper case; the usual ones cost no allocation.
func upper(b []byte) string {
	if s, ok := common[string(b)]; ok {
		return s
	}
	return strings.ToUpper(string(b))
}

// uncaret resolves RFC 6868 §3.2: ^n, ^^ and ^'.
func uncaret(s string) string {
	if !strings.Contains(s, "^") {
		return s
	}
	return caretDecoder.Replace(s)
}

var (
	caretDecoder = strings.NewReplacer("^n", "\n", "^^", "^", "^'", `"`)
	caretEncoder = strings.NewReplacer("\r\n", "^n", "\n", "^n", "\r", "^n", "^", "^^", `"`, "^'")
)

func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "..."
	}
	return s
}
