package ics

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// encode writes a tree as a stream (RFC 5545 §3.4). Properties that were not
// edited keep their line, folds included.
func encode(root *Component) []byte {
	var b bytes.Buffer
	b.Grow(octets(root))
	writeComponent(&b, root)
	return b.Bytes()
}

// octets is how long a tree gets when it is written, roughly: exactly, where
// nothing was edited.
func octets(c *Component) int {
	n := len("BEGIN:\r\nEND:\r\n") + 2*len(c.Name)
	for i := range c.Props {
		p := &c.Props[i]
		if n += len("\r\n"); p.raw != nil {
			n += len(p.raw)
			continue
		}
		n += len(p.Name) + 1 + len(p.Value) + len(p.Value)/24
		for _, par := range p.Params {
			n += len(par.Name) + 4
			for _, v := range par.Values {
				n += len(v) + 1
			}
		}
	}
	for _, ch := range c.Children {
		n += octets(ch)
	}
	return n
}

func writeComponent(b *bytes.Buffer, c *Component) {
	b.WriteString("BEGIN:" + c.Name + "\r\n")
	for i := range c.Props {
		writeProp(b, &c.Props[i])
	}
	for _, ch := range c.Children {
		writeComponent(b, ch)
	}
	b.WriteString("END:" + c.Name + "\r\n")
}

func writeProp(b *bytes.Buffer, p *Prop) {
	if p.raw != nil {
		b.Write(p.raw)
		b.WriteString("\r\n")
		return
	}
	var l strings.Builder
	l.WriteString(p.Name)
	for _, par := range p.Params {
		l.WriteByte(';')
		l.WriteString(par.Name)
		l.WriteByte('=')
		for i, v := range par.Values {
			if i > 0 {
				l.WriteByte(',')
			}
			v = caretEncoder.Replace(v) // RFC 6868 §3.1
			if strings.ContainsAny(v, ":;,") || par.Name == "CN" && v != "" {
				l.WriteString(`"` + v + `"`) // RFC 5545 §3.2; CN is quoted for programs that cannot read it otherwise
			} else {
				l.WriteString(v)
			}
		}
	}
	l.WriteByte(':')
	l.WriteString(oneLine(p.Value))
	fold(b, l.String())
}

// oneLine keeps a value from ever beginning a second content line, whatever
// somebody put into it.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 && r != '\t' || r == 0x7f }) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// foldAt is where lines are folded: RFC 5545 §3.1 wants 75 octets at most, and
// there are programs that count the space of a folded line's next one in.
const foldAt = 74

// fold writes a line in pieces, never inside a character.
func fold(b *bytes.Buffer, l string) { b.Write(AppendLine(b.AvailableBuffer(), l)) }

// AppendLine appends a content line, folded (RFC 5545 §3.1).
func AppendLine(b []byte, l string) []byte {
	room := foldAt
	for len(l) > room {
		cut := room
		for cut > 0 && !utf8.RuneStart(l[cut]) {
			cut--
		}
		if cut == 0 {
			cut = room
		}
		b = append(append(b, l[:cut]...), "\r\n "...)
		l, room = l[cut:], foldAt-1
	}
	return append(append(b, l...), "\r\n"...)
}
