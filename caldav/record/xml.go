package record

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
)

var (
	// plainElements have texts of the protocol.
	plainElements = words(`status getetag schedule-tag getctag sync-token getcontenttype getcontentlength getlastmodified creationdate nresults limit sync-level depth timeout
		quota-used-bytes quota-available-bytes max-resource-size max-image-size max-instances max-attendees-per-instance min-date-time max-date-time calendar-order calendar-color
		supported-collation request-status calendar-user-type record-type timezone-id calendar-timezone-id`)
	// dataElements hold iCalendar or vCard.
	dataElements = words(`calendar-data address-data calendar-timezone timezone calendar-availability default-alarm-vevent-datetime default-alarm-vevent-date
		default-alarm-vtodo-datetime default-alarm-vtodo-date`)
	hrefElements = words(`href recipient organizer`)
	// plainAttributes are those whose values are of the protocol.
	plainAttributes = words(`name namespace start end collation negate-condition match-type test novalue content-type version type context force preferred lang ns encoding`)
)

// xml redacts a body in XML: the texts in it, by the element that they stand in.
// Comments and declarations go. What follows a fault is not shown. false: it is
// no XML at all.
func (r *Redactor) xml(body []byte, cut bool) (string, bool) {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, io.ErrUnexpectedEOF }
	var b strings.Builder
	var in []string
	empty := false // the last thing was the beginning of an element
	text := ""     // collected since
	seen := false
	flush := func() {
		if strings.TrimSpace(text) == "" {
			b.WriteString(text)
		} else {
			b.WriteString(escape.Replace(r.inElement(in[max(len(in)-1, 0):], text)))
		}
		text = ""
	}
	begin := func() {
		if empty {
			b.WriteString(">")
			empty = false
		}
	}
	for {
		t, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			if !seen {
				return "", false
			}
			begin()
			flush()
			if !cut {
				b.WriteString("\n(what follows is not XML)")
			}
			break
		}
		switch t := t.(type) {
		case xml.StartElement:
			seen = true
			begin()
			flush()
			b.WriteString("<" + spell(t.Name))
			for _, a := range t.Attr {
				v := a.Value
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" && !plainAttributes[a.Name.Local] || len(v) > maxMark {
					v = r.text(v)
				}
				b.WriteString(" " + spell(a.Name) + `="` + strings.ReplaceAll(escape.Replace(oneLine(v)), `"`, "&quot;") + `"`)
			}
			in = append(in, t.Name.Local)
			empty = true
		case xml.EndElement:
			if empty && text == "" {
				b.WriteString("/>")
				empty = false
			} else {
				begin()
				flush()
				b.WriteString("</" + spell(t.Name) + ">")
			}
			if len(in) > 0 {
				in = in[:len(in)-1]
			}
			if t.Name.Local == "response" {
				b.WriteString("\n")
			}
		case xml.CharData:
			if len(in) > 0 {
				text += string(t)
			}
			if text != "" {
				begin()
			}
		}
	}
	return strings.TrimSpace(b.String()), seen
}

// escape keeps lines, and what stands in quotes, readable.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func spell(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

func (r *Redactor) inElement(in []string, text string) string {
	name := ""
	if len(in) > 0 {
		name = in[0]
	}
	trimmed := strings.TrimSpace(text)
	switch {
	case plainElements[name] && len(trimmed) <= maxMark:
		return oneLine(trimmed)
	case dataElements[name]:
		if out, ok := r.lines(text, false); ok {
			return "\n" + out
		}
	case hrefElements[name]:
		return r.Href(trimmed)
	}
	return r.Href(trimmed)
}
