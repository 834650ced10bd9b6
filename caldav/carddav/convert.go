package carddav

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// made marks a property that was put in because version 3.0 demands it, and
// kept a value's form that 3.0 does not have: the way back takes both away.
const (
	made = "X-CONVENE-MADE"
	kept = "X-CONVENE-VALUE"
)

// As returns the card in version "3.0" or "4.0" (RFC 6352 §5.1.1): the bytes as
// they are if that is its own. What both versions have in two spellings is
// respelled; everything else, known or not, stays as it is, so that there and
// back nothing is lost. A group is a group in both: KIND and MEMBER are written
// as Apple's programs do in 3.0.
func (c *Card) As(version string) []byte {
	if version == "" || version == c.Version() {
		return c.raw
	}
	conv := converter{card: c, respell: down}
	if version == "4.0" {
		conv.respell = up
	}
	out := []byte("BEGIN:VCARD\r\nVERSION:" + version + "\r\n")
	for i := range c.Props {
		p := c.Props[i]
		if p.Name == "VERSION" || version == "4.0" && p.param(made) != "" {
			continue
		}
		p.Params = slices.Clone(p.Params)
		if conv.respell(&conv, &p) {
			out = appendLine(out, p.line())
		} else {
			out = append(append(out, bytes.TrimRight(p.raw, "\r\n")...), "\r\n"...)
		}
	}
	if version == "3.0" && !c.has("N") { // RFC 2426 §3.1.2 demands it
		out = appendLine(out, "N;"+made+"=1:"+escape.Replace(c.Value("FN"))+";;;;")
	}
	return append(out, "END:VCARD\r\n"...)
}

type converter struct {
	card    *Card
	respell func(*converter, *Prop) bool // false: the property stays as it is
}

func (c *Card) has(name string) bool {
	return slices.ContainsFunc(c.Props, func(p Prop) bool { return p.Name == name })
}

// param returns the first value of a parameter, "" without one.
func (p *Prop) param(name string) string {
	for _, q := range p.Params {
		if q.Name == name {
			return q.Value
		}
	}
	return ""
}

func (p *Prop) drop(name string) {
	p.Params = slices.DeleteFunc(p.Params, func(q Param) bool { return q.Name == name })
}

// types takes the values of TYPE out, lists in quotes apart (RFC 6350 §5.6).
func (p *Prop) types() (all []string) {
	for _, q := range p.Params {
		if q.Name == "TYPE" {
			all = append(all, strings.Split(q.Value, ",")...)
		}
	}
	p.drop("TYPE")
	return all
}

func (p *Prop) copy() *Prop {
	q := *p
	q.Params = slices.Clone(p.Params)
	return &q
}

func (p *Prop) setTypes(all []string) {
	for _, t := range all {
		p.Params = append(p.Params, Param{"TYPE", t})
	}
}

// line writes the property anew.
func (p *Prop) line() string {
	var b strings.Builder
	if p.Group != "" {
		// As it was written: the lines of its group that stay as they are have
		// that spelling, and not every program compares without regard to case,
		// as RFC 6350 §3.3 has it.
		if g := string(p.raw[:min(len(p.Group), len(p.raw))]); strings.EqualFold(g, p.Group) {
			b.WriteString(g + ".")
		} else {
			b.WriteString(p.Group + ".")
		}
	}
	b.WriteString(p.Name)
	for i, q := range p.Params {
		if i > 0 && p.Params[i-1].Name == q.Name {
			b.WriteByte(',')
		} else {
			b.WriteString(";" + q.Name + "=")
		}
		v := encaret.Replace(q.Value)
		if strings.ContainsAny(v, `,;:`) {
			v = `"` + v + `"`
		}
		b.WriteString(v)
	}
	return b.String() + ":" + p.Value
}

// encaret is RFC 6868 §3.1.
var encaret = strings.NewReplacer("^", "^^", "\n", "^n", `"`, "^'")

// media are the properties that hold a file or say where one is, with the type
// of media that their short names in 3.0 leave out.
var media = map[string]string{"PHOTO": "image/", "LOGO": "image/", "SOUND": "audio/", "KEY": "application/"}

var (
	base64Text = regexp.MustCompile(`^[A-Za-z0-9+/]+={0,2}$`)
	shortType  = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]*$`)
	date3      = regexp.MustCompile(`^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(Z|[+-]\d\d(?::?\d\d)?)?)?$`)
	date4      = regexp.MustCompile(`^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z|[+-]\d\d(?::?\d\d)?)?)?$`)
	noYear3    = regexp.MustCompile(`^(\d{4})-(\d\d-\d\d)$`)
	noYear4    = regexp.MustCompile(`^--(\d\d)(\d\d)$`)
	geo3       = regexp.MustCompile(`^([+-]?\d+(?:\.\d+)?);([+-]?\d+(?:\.\d+)?)$`)
	geo4       = regexp.MustCompile(`^geo:([+-]?\d+(?:\.\d+)?),([+-]?\d+(?:\.\d+)?)$`)
	uri        = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)
)

// omitYear is how Apple's programs write a day without a year in 3.0.
const omitYear = "X-APPLE-OMIT-YEAR"

// up respells a property of version 3.0 for 4.0.
func up(c *converter, p *Prop) (changed bool) {
	switch p.Name {
	case "PHOTO", "LOGO", "SOUND", "KEY":
		changed = mediaUp(p)
	case "UID": // 4.0 takes it for a URI where nothing is said (RFC 6350 §6.7.6)
		if !uri.MatchString(p.Value) && p.param("VALUE") == "" {
			p.Params, changed = append(p.Params, Param{"VALUE", "text"}), true
		}
	case "BDAY", "ANNIVERSARY", "REV":
		m := noYear3.FindStringSubmatch(p.Value)
		if m != nil && p.param(omitYear) == m[1] {
			p.drop(omitYear)
			p.Value, changed = "--"+strings.ReplaceAll(m[2], "-", ""), true
		} else if m := date3.FindStringSubmatch(p.Value); m != nil {
			p.Value, changed = m[1]+m[2]+m[3], true
			if m[4] != "" {
				p.Value += "T" + m[4] + m[5] + m[6] + m[7]
			}
		}
	case "GEO":
		if m := geo3.FindStringSubmatch(p.Value); m != nil {
			p.Value, changed = "geo:"+m[1]+","+m[2], true
		}
	case "TEL":
		if strings.EqualFold(p.param(kept), "uri") {
			p.drop(kept)
			p.Params = append(p.Params, Param{"VALUE", "uri"})
			p.Value, changed = "tel:"+p.Value, true
		}
	case "X-ADDRESSBOOKSERVER-KIND":
		if c.group("X-ADDRESSBOOKSERVER-KIND") && !c.card.has("KIND") && !c.card.has("MEMBER") {
			p.Name, changed = "KIND", true
		}
	case "X-ADDRESSBOOKSERVER-MEMBER":
		if c.group("X-ADDRESSBOOKSERVER-KIND") && !c.card.has("MEMBER") && !c.card.has("KIND") {
			p.Name, changed = "MEMBER", true
		}
	}
	if media[p.Name] != "" || p.param("PREF") != "" {
		return changed
	}
	types := p.copy().types()
	if i := slices.IndexFunc(types, func(t string) bool { return strings.EqualFold(t, "pref") }); i >= 0 {
		p.drop("TYPE")
		p.setTypes(slices.Delete(types, i, i+1))
		p.Params, changed = append(p.Params, Param{"PREF", "1"}), true // RFC 6350 §5.3
	}
	return changed
}

// down respells a property of version 4.0 for 3.0.
func down(c *converter, p *Prop) (changed bool) {
	switch p.Name {
	case "PHOTO", "LOGO", "SOUND", "KEY":
		changed = mediaDown(p)
	case "UID":
		if strings.EqualFold(p.param("VALUE"), "text") && !uri.MatchString(p.Value) {
			p.drop("VALUE")
			changed = true
		}
	case "BDAY", "ANNIVERSARY", "REV":
		if m := noYear4.FindStringSubmatch(p.Value); m != nil && p.param(omitYear) == "" {
			p.Params = append(p.Params, Param{omitYear, "1604"})
			p.Value, changed = "1604-"+m[1]+"-"+m[2], true
		} else if m := date4.FindStringSubmatch(p.Value); m != nil && p.param(omitYear) == "" {
			p.Value, changed = m[1]+"-"+m[2]+"-"+m[3], true
			if m[4] != "" {
				p.Value += "T" + m[4] + ":" + m[5] + ":" + m[6] + m[7]
			}
		}
	case "GEO":
		if m := geo4.FindStringSubmatch(p.Value); m != nil {
			p.Value, changed = m[1]+";"+m[2], true
		}
	case "TEL":
		if number, ok := strings.CutPrefix(p.Value, "tel:"); ok && strings.EqualFold(p.param("VALUE"), "uri") {
			p.drop("VALUE")
			p.Params = append(p.Params, Param{kept, "uri"})
			p.Value, changed = number, true
		}
	case "KIND":
		if c.group("KIND") && !c.card.has("X-ADDRESSBOOKSERVER-KIND") && !c.card.has("X-ADDRESSBOOKSERVER-MEMBER") {
			p.Name, changed = "X-ADDRESSBOOKSERVER-KIND", true
		}
	case "MEMBER":
		if c.group("KIND") && !c.card.has("X-ADDRESSBOOKSERVER-KIND") && !c.card.has("X-ADDRESSBOOKSERVER-MEMBER") {
			p.Name, changed = "X-ADDRESSBOOKSERVER-MEMBER", true
		}
	}
	listed := slices.ContainsFunc(p.Params, func(q Param) bool { return q.Name == "TYPE" && strings.Contains(q.Value, ",") })
	if media[p.Name] == "" && (listed || p.param("PREF") == "1") {
		types := p.types()
		if p.param("PREF") == "1" && !slices.ContainsFunc(types, func(t string) bool { return strings.EqualFold(t, "pref") }) {
			p.drop("PREF")
			types = append(types, "PREF")
		}
		p.setTypes(types)
		changed = true
	}
	return changed
}

// group reports whether a card is a group by the one line that says so; one that
// says it twice, or says something else as well, is left as it is.
func (c *converter) group(kind string) bool {
	n := 0
	for _, p := range c.card.Props {
		if p.Name == kind {
			n++
		}
	}
	return n == 1 && strings.EqualFold(c.card.Value(kind), "group")
}

// mediaUp makes base64 a data: URI (RFC 6350 §6.2.4), and a URI the default.
func mediaUp(p *Prop) bool {
	if e := p.param("ENCODING"); strings.EqualFold(e, "b") || strings.EqualFold(e, "base64") {
		types := p.copy().types()
		if len(types) > 1 || p.param("VALUE") != "" || !base64Text.MatchString(p.Value) {
			return false
		}
		kind := ""
		if len(types) == 1 {
			if kind = strings.ToLower(types[0]); !shortType.MatchString(kind) {
				return false
			}
			kind = media[p.Name] + kind
		}
		p.drop("ENCODING")
		p.drop("TYPE")
		p.Value = "data:" + kind + ";base64," + p.Value
		return true
	}
	if strings.EqualFold(p.param("VALUE"), "uri") {
		p.drop("VALUE")
		return true
	}
	return false
}

func mediaDown(p *Prop) bool {
	if v := p.param("VALUE"); v != "" && !strings.EqualFold(v, "uri") || !uri.MatchString(p.Value) {
		return false
	}
	p.drop("VALUE")
	if rest, ok := strings.CutPrefix(p.Value, "data:"); ok && p.param("TYPE") == "" && p.param("ENCODING") == "" {
		kind, data, ok := strings.Cut(rest, ";base64,")
		short, known := strings.CutPrefix(kind, media[p.Name])
		if ok && base64Text.MatchString(data) && (kind == "" || known && shortType.MatchString(short)) {
			p.Params = append(p.Params, Param{"ENCODING", "b"})
			if kind != "" {
				p.Params = append(p.Params, Param{"TYPE", strings.ToUpper(short)})
			}
			p.Value = data
			return true
		}
	}
	p.Params = append(p.Params, Param{"VALUE", "uri"})
	return true
}
