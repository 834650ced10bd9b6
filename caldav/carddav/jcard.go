package carddav

import (
	"encoding/json"
	"regexp"
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

// JSONType is the media type of jCard (RFC 7095 §9.1).
const JSONType = "application/vcard+json"

// JCard returns the card as JSON (RFC 7095), made of its version 4.0.
func (c *Card) JCard() ([]byte, error) {
	if c.Version() != "4.0" {
		four, err := Parse(c.As("4.0"), Limits{Bytes: 2 * Defaults.Bytes, Properties: Defaults.Properties + 1})
		if err != nil {
			return nil, err
		}
		c = four
	}
	return marshal(c.Props)
}

func marshal(ps []Prop) ([]byte, error) {
	props := make([]any, 0, len(ps))
	for i := range ps {
		props = append(props, ps[i].json())
	}
	return json.Marshal([]any{"vcard", props})
}

// json is the array of one property (§3.3): name, parameters, type, values.
func (p *Prop) json() []any {
	if p.Name == "VERSION" {
		return []any{"version", map[string]any{}, "text", "4.0"} // §3.3, whatever blanks stood around it
	}
	params := map[string]any{}
	if p.Group != "" {
		params["group"] = strings.ToLower(p.Group) // §3.3.1.2
	}
	kind := valueTypes[p.Name]
	if kind == "" {
		kind = "unknown"
	}
	for _, q := range p.Params {
		name := strings.ToLower(q.Name)
		if name == "value" {
			if low := strings.ToLower(q.Value); isWord(low) && low != "unknown" {
				kind = low
			}
			continue
		}
		if name == "group" {
			continue // which no parameter of a vCard may be called (§3.3.1.2)
		}
		values := []string{q.Value}
		if name == "type" {
			values = strings.Split(q.Value, ",") // a list in quotes is one (RFC 6350 §6.4.1)
		}
		for _, v := range values {
			switch have := params[name].(type) { // §3.4.1
			case nil:
				params[name] = v
			case string:
				params[name] = []string{have, v}
			case []string:
				params[name] = append(have, v)
			}
		}
	}
	out := []any{strings.ToLower(p.Name), params, kind}
	switch {
	case kind != "text":
		return append(out, typed(kind, p.Value))
	case structured[p.Name]:
		var parts []any
		for _, component := range split(p.Value, ';') {
			parts = append(parts, oneOrMany(split(component, ',')))
		}
		if one, ok := parts[0].(string); ok && len(parts) == 1 {
			return append(out, one)
		}
		return append(out, parts)
	case lists[p.Name]:
		for _, v := range split(p.Value, ',') {
			out = append(out, unescape(v))
		}
		return out
	}
	return append(out, p.Text())
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

// typed is a value that is no text as its type is written in JSON (§3.5). One
// that does not have the form of its type stays as it stands, escapes and all
// (§5.1).
func typed(kind, v string) any {
	switch kind {
	case "boolean":
		switch strings.ToUpper(v) {
		case "TRUE":
			return true
		case "FALSE":
			return false
		}
	case "integer", "float":
		if number.MatchString(v) && (kind == "float" || !strings.Contains(v, ".")) {
			return json.Number(v)
		}
	case "utc-offset":
		return wideZone(v) // §3.5.9
	case "date", "time", "date-time", "date-and-or-time", "timestamp":
		// ISO 8601's extended format (§3.5.3 to §3.5.7).
		if m := date4.FindStringSubmatch(v); m != nil {
			d := m[1] + "-" + m[2] + "-" + m[3]
			if m[4] != "" {
				d += "T" + m[4] + ":" + m[5] + ":" + m[6] + wideZone(m[7])
			}
			return d
		}
		if m := noYear4.FindStringSubmatch(v); m != nil {
			return "--" + m[1] + "-" + m[2]
		}
		if m := time4.FindStringSubmatch(v); m != nil {
			return m[1] + m[2] + ":" + m[3] + ":" + m[4] + wideZone(m[5])
		}
	}
	return v
}

// narrow is the way back of typed's dates, times and offsets.
func narrow(kind, v string) string {
	switch kind {
	case "utc-offset":
		return narrowZone(v)
	case "date", "time", "date-time", "date-and-or-time", "timestamp":
		if m := date3.FindStringSubmatch(v); m != nil {
			d := m[1] + m[2] + m[3]
			if m[4] != "" {
				d += "T" + m[4] + m[5] + m[6] + narrowZone(m[7])
			}
			return d
		}
		if m := noYearWide.FindStringSubmatch(v); m != nil {
			return "--" + m[1] + m[2]
		}
		if m := timeWide.FindStringSubmatch(v); m != nil {
			return m[1] + m[2] + m[3] + m[4] + narrowZone(m[5])
		}
	}
	return v
}

var (
	number     = regexp.MustCompile(`^-?(?:0|[1-9]\d{0,17})(?:\.\d{1,17})?$`)
	time4      = regexp.MustCompile(`^(T?)(\d\d)(\d\d)(\d\d)(Z|[+-]\d\d(?::?\d\d)?)?$`)
	timeWide   = regexp.MustCompile(`^(T?)(\d\d):(\d\d):(\d\d)(Z|[+-]\d\d(?::?\d\d)?)?$`)
	noYearWide = regexp.MustCompile(`^--(\d\d)-(\d\d)$`)
	zone4      = regexp.MustCompile(`^([+-]\d\d)(\d\d)$`)
	zoneWide   = regexp.MustCompile(`^([+-]\d\d):(\d\d)$`)
)

func wideZone(v string) string   { return zone4.ReplaceAllString(v, "$1:$2") }
func narrowZone(v string) string { return zoneWide.ReplaceAllString(v, "$1$2") }

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
