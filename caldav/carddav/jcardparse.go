package carddav

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// ParseJCard reads one jCard (RFC 7095 §3) within the limits of Parse. Its bytes
// are those of the vCard 4.0 that says the same. The errors are those of Parse.
func ParseJCard(data []byte, lim Limits) (*Card, error) {
	lim = lim.orDefaults()
	if len(data) > lim.Bytes {
		return nil, &TooLargeError{"octets", lim.Bytes}
	}
	var parts, props []json.RawMessage
	var name string
	if !read(data, &parts) || len(parts) != 2 || !read(parts[0], &name) || !strings.EqualFold(name, "vcard") || !read(parts[1], &props) {
		return nil, notJCard("a card is an array of \"vcard\" and its properties (§3.2)")
	}
	if len(props) > lim.Properties {
		return nil, &TooLargeError{"properties", lim.Properties}
	}
	out := []byte("BEGIN:VCARD\r\n")
	for i, raw := range props {
		p, err := readProp(raw)
		if err != nil {
			return nil, err
		}
		if i == 0 && p.Name != "VERSION" { // RFC 6350 §6.7.9
			return nil, notJCard("version is its first property")
		}
		if p.Name == "VERSION" && p.Value != "4.0" { // §3.3
			return nil, &VersionError{clip(p.Value)}
		}
		out = appendLine(out, p.line())
	}
	return Parse(append(out, "END:VCARD\r\n"...), lim) // which also checks what no JSON tells
}

func notJCard(format string, args ...any) error {
	return &SyntaxError{0, "jCard: " + fmt.Sprintf(format, args...)}
}

// read decodes one piece of the text.
func read(data []byte, into any) bool {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(into) == nil && !d.More()
}

// isWord reports whether s can name a property, a parameter or a type.
func isWord(s string) bool { return s != "" && word([]byte(s), 0) == len(s) }

// readProp reads the array of one property (§3.3).
func readProp(data []byte) (p Prop, err error) {
	var parts []json.RawMessage
	var name, kind string
	var params map[string]json.RawMessage
	if !read(data, &parts) || len(parts) < 4 || !read(parts[0], &name) || !read(parts[1], &params) || params == nil || !read(parts[2], &kind) {
		return p, notJCard("a property is an array of a name, parameters, a type and values (§3.3)")
	}
	if p.Name = strings.ToUpper(name); !isWord(p.Name) || p.Name == "BEGIN" || p.Name == "END" {
		return p, notJCard("%q names no property", clip(name))
	}
	if kind = strings.ToLower(kind); !isWord(kind) {
		return p, notJCard("%s: %q is no type", clip(p.Name), clip(kind))
	}
	keys := make([]string, 0, len(params))
	for k := range params {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		par := strings.ToUpper(k)
		var values []string
		if !read(params[k], &values) {
			var one string
			if !read(params[k], &one) {
				return p, notJCard("%s: the parameter %q has no text", clip(p.Name), clip(k))
			}
			values = []string{one}
		}
		bad := !isWord(par) || len(values) == 0 || par == "VALUE" // §3.4: that is the type
		for _, v := range values {
			bad = bad || strings.ContainsFunc(v, func(r rune) bool { return r != '\n' && printable(r) < 0 && r != '\t' })
			p.Params = append(p.Params, Param{par, v})
		}
		if par == "GROUP" { // §3.3.1.2
			p.Group, p.Params = strings.ToUpper(strings.Join(values, ",")), p.Params[:len(p.Params)-len(values)]
			bad = bad || !isWord(p.Group)
		}
		if bad {
			return p, notJCard("%s: %q is no parameter (§3.4)", clip(p.Name), clip(k))
		}
	}
	// §5.1: only a type that the property does not have anyway is said.
	if kind != "unknown" && kind != valueTypes[p.Name] {
		p.Params = append(p.Params, Param{"VALUE", kind})
	}
	values := make([]string, 0, len(parts)-3)
	for _, raw := range parts[3:] {
		var v any
		s, ok := "", read(raw, &v)
		if ok {
			s, ok = plainValue(kind, v, 0)
		}
		if !ok {
			return p, notJCard("%s: no value of type %s", clip(p.Name), clip(kind))
		}
		values = append(values, s)
	}
	p.Value = strings.Join(values, ",")
	return p, nil
}

// plainValue writes a value as a vCard does: what has components parts them by
// semicolons, and what a component has several of by commas (§3.3.1.3).
func plainValue(kind string, v any, depth int) (string, bool) {
	switch v := v.(type) {
	case string:
		if kind == "text" {
			return escape.Replace(v), true
		}
		return narrow(kind, v), !strings.ContainsFunc(v, func(r rune) bool { return printable(r) < 0 && r != '\t' })
	case bool:
		return strings.ToUpper(fmt.Sprint(v)), true
	case json.Number:
		return v.String(), true
	case []any:
		if depth == 2 || len(v) == 0 {
			return "", false
		}
		out := make([]string, len(v))
		for i, e := range v {
			s, ok := plainValue(kind, e, depth+1)
			if !ok {
				return "", false
			}
			out[i] = s
		}
		return strings.Join(out, []string{";", ","}[depth]), true
	}
	return "", false
}
