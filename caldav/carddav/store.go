package carddav

import (
	"bytes"
	"strings"
)

// maxUID is the longest UID that can be looked up in the index.
const maxUID = 1000

// Check says whether a card may be stored as an address object resource (RFC
// 6352 §5.1): its UID, if it has one, can be looked up, and it names somebody.
// The error is a *SyntaxError.
func (c *Card) Check() error {
	uids, versions, name := 0, 0, false
	for i := range c.Props {
		switch p := &c.Props[i]; p.Name {
		case "UID":
			uids++
		case "VERSION":
			versions++
		case "FN", "N", "ORG", "NICKNAME", "EMAIL":
			// RFC 6350 §6.2.1 wants FN. Programs that leave it out give one of
			// these, from which every other program makes a name.
			name = name || strings.Trim(p.Value, " ;") != "" || p.Name == "FN"
		}
	}
	switch {
	case uids > 1: // RFC 6350 §6.7.6
		return &SyntaxError{0, "it has more than one UID"}
	case versions > 1: // §6.7.9
		return &SyntaxError{0, "it has more than one VERSION"}
	case len(c.UID()) > maxUID:
		return &SyntaxError{0, "its UID is too long"}
	case !name:
		return &SyntaxError{0, "it has neither FN nor anything else that names somebody"}
	}
	return nil
}

// WithUID returns the bytes of the card with the UID put in before its end,
// for a program that sent none: RFC 6352 §5.1 asks for one in every card that
// is stored. Nothing else changes. A card whose UID is there but empty keeps
// that line out.
func (c *Card) WithUID(uid string) []byte {
	eol := "\n"
	if bytes.Contains(c.raw, []byte("\r\n")) {
		eol = "\r\n"
	}
	var out bytes.Buffer
	out.Grow(len(c.raw) + len(uid) + 8)
	from := 0
	for i := range c.Props {
		if p := &c.Props[i]; p.Name == "UID" {
			out.Write(c.raw[from:p.at])
			from = p.at + len(p.raw)
		}
	}
	out.Write(c.raw[from:c.end])
	out.WriteString("UID:" + strings.Map(printable, uid) + eol)
	out.Write(c.raw[c.end:])
	return out.Bytes()
}

// MembersOnce returns the bytes of a group without the lines that name a member
// a second time, which programs of Apple would show twice; nil where there are
// none. Nothing else changes.
func (c *Card) MembersOnce() []byte {
	var out []byte
	from := 0
	seen := map[string]bool{}
	for i := range c.Props {
		p := &c.Props[i]
		if p.Name != "MEMBER" && p.Name != "X-ADDRESSBOOKSERVER-MEMBER" {
			continue
		}
		if key := p.Name + ":" + p.Value; !seen[key] {
			seen[key] = true
			continue
		}
		out = append(out, c.raw[from:p.at]...)
		from = p.at + len(p.raw)
	}
	if from == 0 {
		return nil
	}
	return append(out, c.raw[from:]...)
}

func printable(r rune) rune {
	if r < 0x20 || r == 0x7f {
		return -1
	}
	return r
}
