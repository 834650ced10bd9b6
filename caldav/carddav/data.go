package carddav

import (
	"bytes"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
)

// Data is a CARDDAV:address-data element of a request (RFC 6352 §10.4): which
// parts of a card a client wants, and in which version. The zero value is the
// whole card as it is.
type Data struct {
	Version string // "" whichever
	JSON    bool   // as jCard, which is of version 4.0 (RFC 7095)
	All     bool   // every property
	Props   []PickProp
}

// PickProp is a CARDDAV:prop (§10.4.2).
type PickProp struct {
	Group, Name string // upper case; Group "" whatever group
	NoValue     bool
}

// Versions are those in which cards are stored and served.
var Versions = []string{"3.0", "4.0"}

// ParseData reads a CARDDAV:address-data element. The error is a *dav.Error.
func ParseData(e *dav.Element) (*Data, error) {
	d := &Data{Version: e.Attr("version")}
	d.JSON = strings.EqualFold(e.Attr("content-type"), JSONType)
	if t := e.Attr("content-type"); t != "" && !d.JSON && !strings.EqualFold(t, "text/vcard") ||
		d.Version != "" && d.Version != "4.0" && (d.JSON || d.Version != "3.0") {
		return nil, &dav.Error{Status: 403, Cond: dav.CR("supported-address-data"), Detail: "cards are to be had as text/vcard, 3.0 or 4.0, and as " + JSONType}
	}
	if d.JSON {
		d.Version = "4.0"
	}
	var p parts
	for _, ch := range e.Children() {
		switch ch.Name {
		case dav.CR("allprop"):
			d.All = true
		case dav.CR("prop"):
			name, err := p.name(ch)
			if err != nil {
				return nil, err
			}
			q := PickProp{NoValue: ch.Attr("novalue") == "yes"}
			q.Group, q.Name = group(name)
			d.Props = append(d.Props, q)
		}
	}
	if len(d.Props) == 0 { // §10.4: without any prop, the whole card
		d.All = true
	}
	return d, nil
}

// Whole reports whether every card is returned as it is stored, so that it
// need not be read.
func (d *Data) Whole() bool { return d == nil || d.All && d.Version == "" }

// ErrConversion is the refusal to serve a card in another version than its own,
// which no other way could be found to write (RFC 6352 §8.7.2).
var ErrConversion = &dav.Error{Status: 415, Cond: dav.CR("supported-address-data-conversion"), Detail: "the card is of another version"}

// Of returns the wanted parts of a card, in the wanted version and form (RFC
// 6352 §5.1.1). The error is ErrConversion.
func (d *Data) Of(c *Card) ([]byte, error) {
	if d == nil {
		return c.Bytes(), nil
	}
	if d.Version != "" && d.Version != c.Version() {
		var err error
		if c, err = Parse(c.As(d.Version), Limits{Bytes: 2 * Defaults.Bytes, Properties: Defaults.Properties + 1}); err != nil {
			return nil, ErrConversion
		}
	}
	if d.JSON {
		b, err := marshal(d.pick(c))
		if err != nil {
			return nil, ErrConversion
		}
		return b, nil
	}
	if d.All {
		return c.Bytes(), nil
	}
	var out bytes.Buffer
	out.WriteString("BEGIN:VCARD\r\n")
	for _, p := range d.pick(c) {
		out.Write(bytes.TrimRight(p.raw, "\r\n"))
		out.WriteString("\r\n")
	}
	out.WriteString("END:VCARD\r\n")
	return out.Bytes(), nil
}

// pick returns the wanted properties; those without their values end at the
// colon.
func (d *Data) pick(c *Card) []Prop {
	if d.All {
		return c.Props
	}
	var all []Prop
	for _, p := range c.Props {
		for _, q := range d.Props {
			if q.Name != p.Name || q.Group != "" && q.Group != p.Group {
				continue
			}
			if q.NoValue {
				p.raw, p.Value = p.head(), ""
			}
			all = append(all, p)
			break
		}
	}
	return all
}

// head is the line of a property up to and with its colon, folds included.
func (p *Prop) head() []byte {
	n := 0 // octets of the unfolded line so far
	for i := 0; i < len(p.raw); i++ {
		switch b := p.raw[i]; {
		case b == '\r' || b == '\n':
		case (b == ' ' || b == '\t') && i > 0 && p.raw[i-1] == '\n':
		default:
			if n++; n == p.colon {
				return p.raw[:i+1]
			}
		}
	}
	return p.raw
}
