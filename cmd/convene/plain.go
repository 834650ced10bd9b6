package main

import (
	"bytes"
	"io"
	"strings"
)

// plain lets no control character through but line ends: what strangers wrote
// into addresses and identifiers shall not steer a terminal.
type plain struct{ w io.Writer }

func (p plain) Write(b []byte) (int, error) {
	clean := bytes.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, b)
	if _, err := p.w.Write(clean); err != nil {
		return 0, err
	}
	return len(b), nil
}

// oneLine is what strangers wrote as one line of a table.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
