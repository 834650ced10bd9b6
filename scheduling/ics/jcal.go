package ics

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// JCal returns the object as jCal (RFC 7265 §3). A value that is not of its
// property's type is a string as it was written, so that nothing is lost.
func (o *Object) JCal() []byte {
	return appendComponent(make([]byte, 0, 2*len(o.raw)), o.root)
}

// valueTypes are the types of the values of properties that do not say
// (RFC 5545 §3.8, RFC 7953, RFC 7986, RFC 9073, RFC 9074, RFC 9253). Those that
// are not here are "unknown" (RFC 7265 §3.5.1).
var valueTypes = map[string]string{
	"ACKNOWLEDGED": "date-time", "COMPLETED": "date-time", "CREATED": "date-time", "DTEND": "date-time", "DTSTAMP": "date-time", "DTSTART": "date-time", "DUE": "date-time",
	"EXDATE": "date-time", "LAST-MODIFIED": "date-time", "RDATE": "date-time", "RECURRENCE-ID": "date-time",
	"DURATION": "duration", "REFRESH-INTERVAL": "duration", "TRIGGER": "duration",
	"EXRULE": "recur", "RRULE": "recur", "FREEBUSY": "period", "GEO": "float", "TZOFFSETFROM": "utc-offset", "TZOFFSETTO": "utc-offset",
	"PERCENT-COMPLETE": "integer", "PRIORITY": "integer", "REPEAT": "integer", "SEQUENCE": "integer",
	"ATTENDEE": "cal-address", "CALENDAR-ADDRESS": "cal-address", "ORGANIZER": "cal-address",
	"ATTACH": "uri", "CONCEPT": "uri", "CONFERENCE": "uri", "IMAGE": "uri", "LINK": "uri", "SOURCE": "uri", "TZURL": "uri", "URL": "uri",
	"ACTION": "text", "BUSYTYPE": "text", "CALSCALE": "text", "CATEGORIES": "text", "CLASS": "text", "COLOR": "text", "COMMENT": "text", "CONTACT": "text",
	"DESCRIPTION": "text", "LOCATION": "text", "LOCATION-TYPE": "text", "METHOD": "text", "NAME": "text", "PARTICIPANT-TYPE": "text", "PRODID": "text", "PROXIMITY": "text",
	"REFID": "text", "RELATED-TO": "text", "REQUEST-STATUS": "text", "RESOURCES": "text", "RESOURCE-TYPE": "text", "STATUS": "text", "STRUCTURED-DATA": "text", "STYLED-DESCRIPTION": "text",
	"SUMMARY": "text", "TRANSP": "text", "TZID": "text", "TZNAME": "text", "UID": "text", "VERSION": "text",
}

// listed are the properties that may have several values (RFC 5545 §3.1.2).
var listed = map[string]bool{"CATEGORIES": true, "EXDATE": true, "FREEBUSY": true, "LOCATION-TYPE": true, "RDATE": true, "RESOURCES": true}

func appendComponent(b []byte, c *Component) []byte {
	b = append(b, '[')
	b = appendString(b, strings.ToLower(c.Name))
	b = append(b, ",["...)
	for i := range c.Props {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendProp(b, &c.Props[i])
	}
	b = append(b, "],["...)
	for i, ch := range c.Children {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendComponent(b, ch)
	}
	return append(b, "]]"...)
}

func appendString(b []byte, s string) []byte {
	j, _ := json.Marshal(s) // of a string it cannot fail
	return append(b, j...)
}

// appendProp writes a property (RFC 7265 §3.4, §3.5).
func appendProp(b []byte, p *Prop) []byte {
	b = append(b, '[')
	b = appendString(b, strings.ToLower(p.Name))
	b = append(b, ",{"...)
	typ := strings.ToLower(strings.TrimSpace(p.Param("VALUE")))
	if _, ok := jName(typ); !ok || typ == "unknown" {
		if typ = valueTypes[p.Name]; typ == "" {
			typ = "unknown"
		}
	}
	first := true
	for i := range p.Params {
		par := &p.Params[i]
		if par.Name == "VALUE" || slices.ContainsFunc(p.Params[:i], func(q Param) bool { return q.Name == par.Name }) {
			continue // a second one of a name says nothing: Param reads the first
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, strings.ToLower(par.Name)), ':')
		if len(par.Values) < 2 {
			b = appendString(b, strings.Join(par.Values, ""))
			continue
		}
		b = append(b, '[')
		for j, v := range par.Values {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendString(b, v)
		}
		b = append(b, ']')
	}
	b = append(b, "},"...)
	values := []string{p.Value}
	switch {
	case listed[p.Name] && typ == "text":
		values = splitText(p.Value, ',')
	case listed[p.Name]:
		values = strings.Split(p.Value, ",")
	}
	if typ == "date-time" && !slices.ContainsFunc(values, func(v string) bool { return jDate(v) == "" }) {
		typ = "date" // some programs leave VALUE=DATE away
	}
	b = appendString(b, typ)
	for _, v := range values {
		b = appendValue(append(b, ','), p.Name, typ, v)
	}
	return append(b, ']')
}

// splitText cuts a value at a separator that is not escaped.
func splitText(s string, sep byte) []string {
	var out []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

// appendValue writes one value (RFC 7265 §3.6, §3.4.1).
func appendValue(b []byte, name, typ, v string) []byte {
	var form func(string) string
	switch typ {
	case "text":
		if name == "REQUEST-STATUS" {
			return appendParts(b, splitText(v, ';'), Unescape)
		}
		return appendString(b, Unescape(v))
	case "boolean":
		switch v {
		case "TRUE":
			return append(b, "true"...)
		case "FALSE":
			return append(b, "false"...)
		}
	case "integer":
		if jNumber(v, false) {
			return append(b, v...)
		}
	case "float":
		if lat, long, ok := strings.Cut(v, ";"); ok && jNumber(lat, true) && jNumber(long, true) {
			return append(b, "["+lat+","+long+"]"...)
		}
		if jNumber(v, true) {
			return append(b, v...)
		}
	case "recur":
		if r, ok := appendRecur(b, v); ok {
			return r
		}
	case "period":
		if from, to, ok := strings.Cut(v, "/"); ok && jTime(from) != "" && to != "" {
			return appendParts(b, []string{from, to}, func(s string) string { return or(jTime(s), s) })
		}
	case "date":
		form = jDate
	case "date-time":
		form = jTime
	case "time":
		form = jClock
	case "utc-offset":
		form = jOffset
	}
	if form != nil {
		v = or(form(v), v)
	}
	return appendString(b, v)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func appendParts(b []byte, parts []string, form func(string) string) []byte {
	b = append(b, '[')
	for i, s := range parts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, form(s))
	}
	return append(b, ']')
}

// recurNumbers are the parts of a rule that are numbers (RFC 7265 §3.6.10).
var recurNumbers = []string{"COUNT", "INTERVAL", "BYSECOND", "BYMINUTE", "BYHOUR", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS"}

// appendRecur writes a rule; false: it is none.
func appendRecur(b []byte, v string) ([]byte, bool) {
	mark := len(b)
	b = append(b, '{')
	seen := map[string]bool{}
	for part := range strings.SplitSeq(v, ";") {
		name, val, ok := strings.Cut(part, "=")
		name = strings.ToUpper(name)
		if !ok || name == "" || val == "" || strings.Contains(val, "=") || seen[name] || strings.ContainsFunc(name, func(r rune) bool { return r > 127 || !nameByte(byte(r)) }) {
			return b[:mark], false
		}
		if len(seen) > 0 {
			b = append(b, ',')
		}
		seen[name] = true
		b = append(appendString(b, strings.ToLower(name)), ':')
		values := []string{val}
		if strings.HasPrefix(name, "BY") {
			values = strings.Split(val, ",")
		}
		if len(values) > 1 {
			b = append(b, '[')
		}
		for i, s := range values {
			if i > 0 {
				b = append(b, ',')
			}
			switch {
			case slices.Contains(recurNumbers, name) && jNumber(s, false):
				b = append(b, s...)
			case name == "UNTIL":
				b = appendString(b, or(jTime(s), or(jDate(s), s)))
			default:
				b = appendString(b, s)
			}
		}
		if len(values) > 1 {
			b = append(b, ']')
		}
	}
	return append(b, '}'), true
}

// jNumber reports whether a value is a number in JSON as it stands.
func jNumber(s string, float bool) bool {
	s = strings.TrimPrefix(s, "-")
	whole, frac, dot := strings.Cut(s, ".")
	if len(s) > 20 || whole == "" || !digits(whole) || len(whole) > 1 && whole[0] == '0' {
		return false
	}
	return !dot || float && frac != "" && digits(frac)
}

func digits(s string) bool {
	for i := range len(s) {
		if !digit(s[i]) {
			return false
		}
	}
	return true
}

// The forms of ISO 8601 that jCal has (RFC 7265 §3.6.4, §3.6.5, §3.6.12,
// §3.6.14); "" for what does not have the form of iCalendar.

func jDate(s string) string {
	if len(s) != 8 || !digits(s) {
		return ""
	}
	return s[:4] + "-" + s[4:6] + "-" + s[6:]
}

func jTime(s string) string {
	if len(s) < 15 || s[8] != 'T' || jDate(s[:8]) == "" || jClock(s[9:]) == "" {
		return ""
	}
	return jDate(s[:8]) + "T" + jClock(s[9:])
}

func jClock(s string) string {
	zone := ""
	if len(s) == 7 && s[6] == 'Z' {
		s, zone = s[:6], "Z"
	}
	if len(s) != 6 || !digits(s) {
		return ""
	}
	return s[:2] + ":" + s[2:4] + ":" + s[4:] + zone
}

func jOffset(s string) string {
	if len(s) != 5 && len(s) != 7 || s[0] != '+' && s[0] != '-' || !digits(s[1:]) {
		return ""
	}
	out := s[:3] + ":" + s[3:5]
	if len(s) == 7 {
		out += ":" + s[5:]
	}
	return out
}

// plainForm turns a date, time or offset of jCal into that of iCalendar; what
// is none stays.
func plainForm(s string) string {
	bare := strings.ReplaceAll(s, ":", "")
	if len(s) >= 10 && s[4] == '-' && s[7] == '-' {
		bare = s[:4] + s[5:7] + strings.ReplaceAll(s[8:], ":", "")
	}
	for _, form := range []func(string) string{jDate, jTime, jClock, jOffset} {
		if form(bare) == s {
			return bare
		}
	}
	return s
}

func number(n json.Number) string {
	if f, err := n.Float64(); err == nil && strings.ContainsAny(n.String(), "eE") {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return n.String()
}
