package carddav

import (
	"encoding/json"
	"strconv"
	"strings"
)

// valueTypes are the types that values of 4.0's properties have where nothing
// is said (RFC 6350 §6); what is not here is text if it is in texts, and
// unknown otherwise (RFC 7095 §5.1).
var valueTypes = map[string]string{
	"SOURCE": "uri", "PHOTO": "uri", "IMPP": "uri", "GEO": "uri", "LOGO": "uri", "MEMBER": "uri", "RELATED": "uri", "UID": "uri", "URL": "uri", "KEY": "uri", "SOUND": "uri",
	"FBURL": "uri", "CALADRURI": "uri", "CALURI": "uri", "BDAY": "date-and-or-time", "ANNIVERSARY": "date-and-or-time", "REV": "timestamp", "LANG": "language-tag",
	"KIND": "text", "XML": "text", "FN": "text", "N": "text", "NICKNAME": "text", "GENDER": "text", "ADR": "text", "TEL": "text", "EMAIL": "text", "TZ": "text", "TITLE": "text",
	"ROLE": "text", "ORG": "text", "CATEGORIES": "text", "NOTE": "text", "PRODID": "text", "CLIENTPIDMAP": "text", "VERSION": "text",
}

// structured are the properties whose value has components, and lists those
// with several values (RFC 7095 §3.3.1.3, §3.3.1.4).
var (
	structured = map[string]bool{"N": true, "ADR": true, "ORG": true, "GENDER": true, "CLIENTPIDMAP": true}
	lists      = map[string]bool{"NICKNAME": true, "CATEGORIES": true}
)

// JCard returns the card as JSON (RFC 7095), made of its version 4.0.
func (c *Card) JCard() ([]byte, error) {
	if c.Version() != "4.0" {
		four, err := Parse(c.As("4.0"), Limits{Bytes: 2 * Defaults.Bytes, Properties: Defaults.Properties + 1})
		if err != nil {
			return nil, err
		}
		c = four
	}
	props := make([]any, 0, len(c.Props))
	for i := range c.Props {
		props = append(props, c.Props[i].json())
	}
	return json.Marshal([]any{"vcard", props})
}

// json is the array of one property (§3.3): name, parameters, type, values.
func (p *Prop) json() []any {
	params := map[string]any{}
	if p.Group != "" {
		params["group"] = strings.ToLower(p.Group) // §3.3.1.2
	}
	kind := valueTypes[p.Name]
	for _, q := range p.Params {
		name := strings.ToLower(q.Name)
		switch have := params[name].(type) {
		case nil:
			if name != "value" {
				params[name] = q.Value
			} else if q.Value != "" {
				kind = strings.ToLower(q.Value)
			}
		case string:
			params[name] = []string{have, q.Value}
		case []string:
			params[name] = append(have, q.Value)
		}
	}
	if kind == "" {
		kind = "unknown"
	}
	out := []any{strings.ToLower(p.Name), params, kind}
	switch {
	case kind == "unknown":
		return append(out, p.Value) // as it stands, escapes and all (§5.1)
	case structured[p.Name]:
		var parts []any
		for _, component := range split(p.Value, ';') {
			parts = append(parts, oneOrMany(split(component, ',')))
		}
		if len(parts) == 1 {
			return append(out, parts[0])
		}
		return append(out, parts)
	case lists[p.Name]:
		for _, v := range split(p.Value, ',') {
			out = append(out, unescape(v))
		}
		return out
	}
	return append(out, typed(kind, p))
}

func oneOrMany(values []string) any {
	if len(values) == 1 {
		return unescape(values[0])
	}
	var all []any
	for _, v := range values {
		all = append(all, unescape(v))
	}
	return all
}

// typed is a value as its type is written in JSON (§3.5).
func typed(kind string, p *Prop) any {
	v := p.Text()
	switch kind {
	case "uri", "language-tag", "utc-offset":
		return p.Value
	case "boolean":
		if b, err := strconv.ParseBool(strings.ToLower(v)); err == nil {
			return b
		}
	case "integer":
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n
		}
	case "float":
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return json.Number(strconv.FormatFloat(f, 'f', -1, 64))
		}
	case "date", "date-time", "date-and-or-time", "timestamp":
		// ISO 8601's extended format (§3.5.3 to §3.5.7).
		if m := date4.FindStringSubmatch(v); m != nil {
			d := m[1] + "-" + m[2] + "-" + m[3]
			if m[4] != "" {
				d += "T" + m[4] + ":" + m[5] + ":" + m[6] + m[7]
			}
			return d
		}
		if m := noYear4.FindStringSubmatch(v); m != nil {
			return "--" + m[1] + "-" + m[2]
		}
	}
	return v
}

func unescape(v string) string {
	p := Prop{Value: v}
	return p.Text()
}

// split cuts a value at a character that is not escaped.
func split(v string, at byte) (all []string) {
	from := 0
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
		case at:
			all = append(all, v[from:i])
			from = i + 1
		}
	}
	return append(all, v[from:])
}
