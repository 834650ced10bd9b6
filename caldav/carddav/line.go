package carddav

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLine is the longest line that is written, in octets (RFC 6350 §3.2).
const maxLine = 75

// appendLine adds a content line, folded between characters.
func appendLine(dst []byte, line string) []byte {
	for room := maxLine; len(line) > room; room = maxLine - 1 {
		n := room
		for n > 0 && !utf8.RuneStart(line[n]) {
			n--
		}
		dst = append(append(dst, line[:n]...), "\r\n "...)
		line = line[n:]
	}
	return append(append(dst, line...), "\r\n"...)
}

// escape writes a text as a value (RFC 6350 §3.4).
var escape = strings.NewReplacer(`\`, `\\`, ",", `\,`, ";", `\;`, "\r\n", `\n`, "\n", `\n`, "\r", `\n`)

// Kind of whom an entry of the directory describes.
type Kind uint8

const (
	Person Kind = iota
	Group
	Room
	Resource
)

// Entry is somebody in the directory of everybody here.
type Entry struct {
	UID       string
	Kind      Kind
	Name      string // as it is shown, never empty
	First     string // of a person
	Last      string
	Addresses []string // mail addresses, the preferred one first
	Capacity  int      // of a room; 0 unknown
	Building  string   // where it is; "" unknown
	Floor     string
	Features  []string // what it has
	Geo       string   // "LATITUDE,LONGITUDE"; "" unknown
}

// Bytes returns the entry as a card of version 3.0. Properties that only 4.0
// knows stand in it as well, where programs expect them or overlook them.
func (e *Entry) Bytes() []byte {
	b := []byte("BEGIN:VCARD\r\nVERSION:3.0\r\n")
	line := func(head, value string) { b = appendLine(b, head+":"+strings.Map(printable, escape.Replace(value))) }
	line("PRODID", "-//Convene//EN")
	line("UID", e.UID)
	line("FN", e.Name)
	// RFC 2426 §3.1.2 demands N.
	last := e.Last
	if e.Kind != Person || last == "" {
		last = e.Name
	}
	b = appendLine(b, strings.Map(printable, "N:"+escape.Replace(last)+";"+escape.Replace(e.First)+";;;"))
	switch e.Kind {
	case Group:
		line("KIND", "group")
		line("X-ADDRESSBOOKSERVER-KIND", "group")
	case Room:
		line("KIND", "location") // RFC 6350 §6.1.4
	case Resource:
		line("KIND", "x-resource")
	}
	line("X-CONVENE-CUTYPE", [...]string{"INDIVIDUAL", "GROUP", "ROOM", "RESOURCE"}[e.Kind]) // RFC 5545 §3.2.3
	for i, a := range e.Addresses {
		head := "EMAIL;TYPE=INTERNET,WORK"
		if i == 0 {
			head += ",PREF"
		}
		line(head, a)
	}
	if len(e.Addresses) > 0 {
		line("CALADRURI", "mailto:"+e.Addresses[0]) // RFC 2739 §2.1.3
	}
	var note []string
	if e.Capacity > 0 {
		n := strconv.Itoa(e.Capacity)
		line("X-CONVENE-CAPACITY", n)
		note = append(note, "Capacity: "+n)
	}
	if e.Building != "" { // RFC 2426 §3.2.1: the extended address
		b = appendLine(b, strings.Map(printable, "ADR;TYPE=WORK:;"+escape.Replace(e.Building)+";;;;;"))
	}
	if e.Floor != "" {
		line("X-CONVENE-FLOOR", e.Floor)
		note = append(note, "Floor: "+e.Floor)
	}
	if len(e.Features) > 0 { // RFC 2426 §3.6.1
		all := make([]string, len(e.Features))
		for i, f := range e.Features {
			all[i] = escape.Replace(f)
		}
		b = appendLine(b, strings.Map(printable, "CATEGORIES:"+strings.Join(all, ",")))
		note = append(note, "Features: "+strings.Join(e.Features, ", "))
	}
	if lat, lon, ok := strings.Cut(e.Geo, ","); ok { // RFC 2426 §3.4.2
		b = appendLine(b, "GEO:"+lat+";"+lon)
	}
	if len(note) > 0 {
		line("NOTE", strings.Join(note, "\n"))
	}
	return append(b, "END:VCARD\r\n"...)
}
