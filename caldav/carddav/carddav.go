// Package carddav is what RFC 6352 demands of vCards as functions over bytes:
// what may be stored, what an addressbook-query matches, which parts to return.
//
// A card is kept as it was sent, and served so unless another version is asked
// for; it is read here line by line, in time linear in its size. Cards of
// versions 3.0 (RFC 2426) and 4.0 (RFC 6350) are taken, each is made into the
// other without loss, and both into jCard (RFC 7095).
package carddav

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits bound what Parse accepts. The zero value of a field means the value
// that Defaults gives it.
type Limits struct {
	Bytes      int // of the whole card
	Properties int
	Params     int // values of parameters of one property
}

// Defaults hold a card with a photograph inside, or a group of thousands.
var Defaults = Limits{Bytes: 10 << 20, Properties: 20_000, Params: 256}

func (l Limits) orDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = Defaults.Bytes
	}
	if l.Properties <= 0 {
		l.Properties = Defaults.Properties
	}
	if l.Params <= 0 {
		l.Params = Defaults.Params
	}
	return l
}

// SyntaxError says where a card stops being a vCard, and why.
type SyntaxError struct {
	Line   int // counted from 1, in lines as sent; 0: the card as a whole
	Reason string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return "vCard: " + e.Reason
	}
	return fmt.Sprintf("vCard line %d: %s", e.Line, e.Reason)
}

// TooLargeError says which of the Limits a card passes.
type TooLargeError struct {
	What  string
	Limit int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("vCard: more than %d %s", e.Limit, e.What)
}

// VersionError says that a card is of a version that is not taken.
type VersionError struct{ Version string }

func (e *VersionError) Error() string {
	return fmt.Sprintf("vCard: version %q is neither 3.0 nor 4.0", e.Version)
}

// Card is one vCard: its bytes and its lines. It is read-only.
type Card struct {
	raw   []byte
	Props []Prop // without BEGIN and END
	end   int    // where END:VCARD begins
}

// Prop is one property.
type Prop struct {
	Group  string // upper case, "" without one
	Name   string // upper case
	Params []Param
	Value  string // as on the wire: unfolded, still escaped

	raw   []byte // the content line with its folds and its last line end
	at    int    // where in the card it begins
	colon int    // length of what stands before the value, once unfolded
}

// Param is one value of a parameter; a list makes several of one name.
type Param struct {
	Name  string // upper case; TYPE where a program wrote only a value
	Value string
}

// Bytes returns the card as it came. Read-only.
func (c *Card) Bytes() []byte { return c.raw }

// Value returns the unescaped value of the first property of that name, "" without one.
func (c *Card) Value(name string) string {
	for i := range c.Props {
		if c.Props[i].Name == name {
			return c.Props[i].Text()
		}
	}
	return ""
}

// UID returns the UID without blanks around it, "" without one.
func (c *Card) UID() string { return strings.TrimSpace(c.Value("UID")) }

// Version returns "3.0" or "4.0".
func (c *Card) Version() string { return strings.TrimSpace(c.Value("VERSION")) }

// Text returns the value unescaped (RFC 6350 §3.4).
func (p *Prop) Text() string {
	if !strings.Contains(p.Value, `\`) {
		return p.Value
	}
	var b strings.Builder
	for i := 0; i < len(p.Value); i++ {
		ch := p.Value[i]
		if ch == '\\' && i+1 < len(p.Value) {
			switch next := p.Value[i+1]; next {
			case 'n', 'N':
				ch = '\n'
				i++
			case '\\', ',', ';', ':':
				ch = next
				i++
			}
		}
		b.WriteByte(ch)
	}
	return b.String()
}

// Parse reads one vCard (RFC 6350 §3.3, RFC 2426 §4). It checks syntax, limits
// and version; Check has the rules for what may be stored. The errors are
// *SyntaxError, *TooLargeError and *VersionError.
//
// The Card keeps data: the caller must not write to it afterwards.
func Parse(data []byte, lim Limits) (*Card, error) {
	lim = lim.orDefaults()
	if len(data) > lim.Bytes {
		return nil, &TooLargeError{"octets", lim.Bytes}
	}
	r := reader{all: data, pos: len(data) - len(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))), lim: lim}
	c := &Card{raw: data}
	state := 0 // 1: inside, 2: behind END
	for r.next() {
		if len(bytes.TrimSpace(r.text)) == 0 {
			continue
		}
		p, err := r.property()
		if err != nil {
			return nil, err
		}
		what := strings.ToUpper(strings.TrimSpace(p.Value))
		switch {
		case p.Name == "BEGIN" && what == "VCARD" && state == 0:
			state = 1
		case p.Name == "BEGIN" && what == "VCARD" && state == 2:
			return nil, r.fail("a second card begins") // RFC 6352 §5.1
		case p.Name == "BEGIN":
			return nil, r.fail("%s begins where it cannot", clip(what))
		case state != 1:
			return nil, r.fail("%s stands outside of the card", clip(p.Name))
		case p.Name == "END" && what == "VCARD":
			state, c.end = 2, r.start
		case p.Name == "END":
			return nil, r.fail("END of %s in a card", clip(what))
		default:
			if len(c.Props) == lim.Properties {
				return nil, &TooLargeError{"properties", lim.Properties}
			}
			c.Props = append(c.Props, p)
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	switch state {
	case 0:
		return nil, &SyntaxError{0, "no vCard in it"}
	case 1:
		return nil, &SyntaxError{r.line, "the card does not end"}
	}
	if v := c.Version(); v != "3.0" && v != "4.0" {
		return nil, &VersionError{clip(v)}
	}
	return c, nil
}

// reader reads content lines: logical lines made of physical ones.
type reader struct {
	all   []byte
	pos   int
	lim   Limits
	line  int // of the content line last read
	seen  int // physical lines
	start int // where the content line begins
	raw   []byte
	text  []byte // unfolded
	buf   []byte
	err   error
}

func (r *reader) fail(format string, args ...any) error {
	return &SyntaxError{r.line, fmt.Sprintf(format, args...)}
}

// next reads a content line and unfolds it (RFC 6350 §3.2), by octet: some
// programs fold inside a character.
func (r *reader) next() bool {
	if r.err != nil || r.pos >= len(r.all) {
		return false
	}
	r.start, r.line = r.pos, r.seen+1
	r.text = r.physical()
	if r.folded() {
		r.buf = append(r.buf[:0], r.text...)
		for r.folded() {
			r.pos++
			r.buf = append(r.buf, r.physical()...)
		}
		r.text = r.buf
	}
	r.raw = r.all[r.start:r.pos]
	if !utf8.Valid(r.text) {
		r.err = r.fail("it is not in UTF-8")
		return false
	}
	for _, b := range r.text {
		if b < 0x20 && b != '\t' || b == 0x7f {
			r.err = r.fail("a control character 0x%02X", b)
			return false
		}
	}
	return true
}

func (r *reader) folded() bool {
	return r.pos < len(r.all) && (r.all[r.pos] == ' ' || r.all[r.pos] == '\t')
}

func (r *reader) physical() []byte {
	r.seen++
	rest := r.all[r.pos:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i+1]
	}
	r.pos += len(rest)
	return bytes.TrimRight(rest, "\r\n")
}

// property splits the content line: [group.]name *(;param) : value (RFC 6350
// §3.3).
func (r *reader) property() (Prop, error) {
	t := r.text
	i := word(t, 0)
	p := Prop{raw: r.raw, at: r.start}
	if i < len(t) && t[i] == '.' && i > 0 {
		p.Group = strings.ToUpper(string(t[:i]))
		t0 := i + 1
		i = word(t, t0)
		p.Name = strings.ToUpper(string(t[t0:i]))
	} else {
		p.Name = strings.ToUpper(string(t[:i]))
	}
	if p.Name == "" {
		return p, r.fail("no property: %q", clip(string(t)))
	}
	for i < len(t) && t[i] == ';' {
		start := i + 1
		i = word(t, start)
		name := strings.ToUpper(string(t[start:i]))
		if i == len(t) || t[i] != '=' {
			if name == "" && i < len(t) && (t[i] == ';' || t[i] == ':') {
				continue // ";;" and ";:" say nothing
			}
			// "TEL;HOME:": version 2.1's way, still written under VERSION:3.0.
			if len(p.Params) >= r.lim.Params {
				return p, &TooLargeError{"parameters of one property", r.lim.Params}
			}
			p.Params = append(p.Params, Param{"TYPE", string(t[start:i])})
			continue
		}
		if name == "" {
			return p, r.fail("%s: a parameter without a name", clip(p.Name))
		}
		for {
			i++ // "=" or ","
			if len(p.Params) >= r.lim.Params {
				return p, &TooLargeError{"parameters of one property", r.lim.Params}
			}
			var v string
			if i < len(t) && t[i] == '"' {
				n := bytes.IndexByte(t[i+1:], '"')
				if n < 0 {
					return p, r.fail("%s: the quote of %s does not end", clip(p.Name), clip(name))
				}
				v = string(t[i+1 : i+1+n])
				i += n + 2
			} else {
				from := i
				for i < len(t) && t[i] != ',' && t[i] != ';' && t[i] != ':' {
					i++
				}
				v = string(t[from:i])
			}
			p.Params = append(p.Params, Param{name, decaret.Replace(v)})
			if i == len(t) || t[i] != ',' {
				break
			}
		}
	}
	if i == len(t) || t[i] != ':' {
		return p, r.fail("%s: no colon before its value", clip(p.Name))
	}
	p.colon = i + 1
	p.Value = string(t[i+1:])
	return p, nil
}

// decaret resolves RFC 6868 §3.2.
var decaret = strings.NewReplacer("^n", "\n", "^^", "^", "^'", `"`)

// word returns where the name that begins at i ends.
func word(t []byte, i int) int {
	for i < len(t) && (t[i] >= 'A' && t[i] <= 'Z' || t[i] >= 'a' && t[i] <= 'z' || t[i] >= '0' && t[i] <= '9' || t[i] == '-' || t[i] == '_') {
		i++
	}
	return i
}

func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "..."
	}
	return s
}
