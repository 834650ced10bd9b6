package ics

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// ParseJCal reads one jCal object (RFC 7265 §4) within the limits of Parse. Its
// bytes are those of the iCalendar object that says the same. The errors are
// those of Parse.
func ParseJCal(data []byte, lim Limits) (*Object, error) {
	lim = lim.orDefaults()
	if len(data) > lim.Bytes {
		return nil, &TooLargeError{"octets", lim.Bytes}
	}
	r := jReader{lim: lim}
	root, err := r.component(data, 1)
	if err != nil {
		return nil, err
	}
	return Parse(encode(root), lim) // which also checks what no JSON tells
}

type jReader struct {
	lim   Limits
	comps int
	props int
}

func notJCal(format string, args ...any) error {
	return &SyntaxError{0, "jCal: " + fmt.Sprintf(format, args...)}
}

// read decodes one piece of the text.
func read(data []byte, into any) bool {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(into) == nil && !d.More()
}

func jName(s string) (string, bool) {
	ok := s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r > 127 || !nameByte(byte(r)) })
	return strings.ToUpper(s), ok
}

func (r *jReader) component(data []byte, depth int) (*Component, error) {
	if r.comps++; r.comps > r.lim.Components {
		return nil, &TooLargeError{"components", r.lim.Components}
	}
	if depth > r.lim.Depth {
		return nil, &TooLargeError{"levels of components", r.lim.Depth}
	}
	var parts, props, comps []json.RawMessage
	var name string
	if !read(data, &parts) || len(parts) != 3 || !read(parts[0], &name) || !read(parts[1], &props) || !read(parts[2], &comps) {
		return nil, notJCal("a component is an array of a name, properties and components (§3.3)")
	}
	c := &Component{}
	var ok bool
	if c.Name, ok = jName(name); !ok {
		return nil, notJCal("%q names no component", clip(name))
	}
	for _, raw := range props {
		if r.props++; r.props > r.lim.Properties {
			return nil, &TooLargeError{"properties", r.lim.Properties}
		}
		p, err := r.property(raw)
		if err != nil {
			return nil, err
		}
		c.Props = append(c.Props, p)
	}
	for _, raw := range comps {
		ch, err := r.component(raw, depth+1)
		if err != nil {
			return nil, err
		}
		c.Children = append(c.Children, ch)
	}
	return c, nil
}

func (r *jReader) property(data []byte) (Prop, error) {
	var parts []json.RawMessage
	var name, typ string
	var params map[string]json.RawMessage
	if !read(data, &parts) || len(parts) < 4 || !read(parts[0], &name) || !read(parts[1], &params) || !read(parts[2], &typ) {
		return Prop{}, notJCal("a property is an array of a name, parameters, a type and values (§3.4)")
	}
	p := Prop{}
	var ok bool
	if p.Name, ok = jName(name); !ok || p.Name == "BEGIN" || p.Name == "END" {
		return Prop{}, notJCal("%q names no property", clip(name))
	}
	keys := make([]string, 0, len(params))
	for k := range params {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		par, ok := jName(k)
		var values []string
		if !read(params[k], &values) {
			var one string
			ok = ok && read(params[k], &one)
			values = []string{one}
		}
		if !ok || len(values) == 0 || par == "VALUE" {
			return Prop{}, notJCal("%s: %q is no parameter (§3.5)", p.Name, clip(k))
		}
		p.Params = append(p.Params, Param{par, values})
	}
	// §3.5.1: only a type that the property does not have anyway is said.
	typ = strings.ToLower(typ)
	if up, ok := jName(typ); !ok {
		return Prop{}, notJCal("%s: %q is no type", p.Name, clip(typ))
	} else if typ != "unknown" && typ != valueTypes[p.Name] {
		p.Params = append(p.Params, Param{"VALUE", []string{up}})
	}
	values := make([]string, 0, len(parts)-3)
	for _, raw := range parts[3:] {
		var v any
		s, ok := "", read(raw, &v)
		if ok {
			s, ok = plainValue(typ, v)
		}
		if !ok {
			return Prop{}, notJCal("%s: no value of type %s", p.Name, clip(typ))
		}
		values = append(values, s)
	}
	p.Value = strings.Join(values, ",")
	return p, nil
}

// plainValue writes a value of jCal as iCalendar does.
func plainValue(typ string, v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return plainText(typ, v), true
	case bool:
		return strings.ToUpper(fmt.Sprint(v)), true
	case json.Number:
		return number(v), true
	case map[string]any:
		if typ == "recur" {
			return plainRecur(v)
		}
	case []any: // §3.4.1, §3.6.9
		sep := ";"
		if typ == "period" {
			sep = "/"
		}
		var out []string
		for _, e := range v {
			switch e.(type) {
			case string, bool, json.Number:
			default:
				return "", false
			}
			s, _ := plainValue(typ, e)
			out = append(out, s)
		}
		return strings.Join(out, sep), len(out) > 0
	}
	return "", false
}

func plainText(typ, s string) string {
	switch typ {
	case "text":
		return Escape(s)
	case "date", "date-time", "time", "utc-offset":
		return plainForm(s)
	case "period": // as appendix B.2.2 has it
		from, to, ok := strings.Cut(s, "/")
		if ok {
			return plainForm(from) + "/" + plainForm(to)
		}
		return plainForm(s)
	}
	return s
}

// recurOrder is how the parts of a rule are put, for JSON has no order.
var recurOrder = []string{"RSCALE", "FREQ", "UNTIL", "COUNT", "INTERVAL", "BYSECOND", "BYMINUTE", "BYHOUR", "BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS", "WKST", "SKIP"}

func plainRecur(parts map[string]any) (string, bool) {
	values := map[string]string{}
	names := make([]string, 0, len(parts))
	for k, v := range parts {
		name, ok := jName(k)
		if _, twice := values[name]; !ok || twice {
			return "", false
		}
		list, many := v.([]any)
		if !many {
			list = []any{v}
		}
		var out []string
		for _, e := range list {
			switch e := e.(type) {
			case string:
				if strings.ContainsAny(e, ";=") {
					return "", false
				}
				out = append(out, plainForm(e))
			case json.Number:
				out = append(out, number(e))
			default:
				return "", false
			}
		}
		values[name] = strings.Join(out, ",")
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		i, j := slices.Index(recurOrder, a), slices.Index(recurOrder, b)
		if i < 0 && j < 0 {
			return strings.Compare(a, b)
		}
		if i < 0 || j < 0 {
			return j - i
		}
		return i - j
	})
	for i, n := range names {
		names[i] = n + "=" + values[n]
	}
	return strings.Join(names, ";"), len(names) > 0
}
