package imip

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
)

// toUTF8 makes UTF-8 of a calendar part. What is valid UTF-8 is UTF-8 whatever
// the header says: programs label UTF-8 as latin-1, or as nothing, far more
// often than text in another charset happens to be valid UTF-8. Then the label
// counts, and last windows-1252, in which every octet means something.
//
// repair says what was done where the label was not true; "" where it was.
func toUTF8(b []byte, label string) (text []byte, repair string) {
	label = strings.ToLower(strings.Trim(strings.TrimSpace(label), `"'`))
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}), bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		if out, err := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(b); err == nil {
			return out, ""
		}
	case len(b) >= 4 && b[0] == 'B' && b[1] == 0 && b[2] == 'E' && b[3] == 0:
		if out, err := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder().Bytes(b); err == nil {
			return out, ""
		}
	case len(b) >= 4 && b[0] == 0 && b[1] == 'B' && b[2] == 0 && b[3] == 'E':
		if out, err := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder().Bytes(b); err == nil {
			return out, ""
		}
	case label == "utf-7" || label == "unicode-1-1-utf-7" || label == "x-unicode-2-0-utf-7":
		return decodeUTF7(b), ""
	case bytes.Contains(b, []byte("\x1b$")) || bytes.Contains(b, []byte("\x1b(")):
		// ISO-2022-JP is text of seven bits, hence valid UTF-8; nothing else has
		// its escapes.
		if out, err := japanese.ISO2022JP.NewDecoder().Bytes(b); err == nil {
			return out, ""
		}
	case utf8.Valid(b):
		return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), ""
	}
	if label != "" && label != "utf-8" {
		if enc, name := charset.Lookup(label); enc != nil && name != "utf-8" && name != "replacement" {
			if out, err := enc.NewDecoder().Bytes(b); err == nil {
				return out, ""
			}
		}
	}
	// Some programs fold inside a character (RFC 5545 §3.1 allows it).
	if whole := unfold(b); utf8.Valid(whole) {
		return bytes.TrimPrefix(whole, []byte("\xef\xbb\xbf")), "folds inside characters"
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		out = bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	return out, "charset read as windows-1252"
}

// unfold joins folded lines octet by octet (RFC 5545 §3.1).
func unfold(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if j := lineEnd(b, i); j > 0 && i+j < len(b) && (b[i+j] == ' ' || b[i+j] == '\t') {
			i += j
			continue
		}
		out = append(out, b[i])
	}
	return out
}

// lineEnd returns the length of the line end at i, 0 if there is none.
func lineEnd(b []byte, i int) int {
	switch {
	case b[i] == '\n':
		return 1
	case b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n':
		return 2
	}
	return 0
}

// decodeUTF7 reads RFC 2152; what is no UTF-7 stays as it is.
func decodeUTF7(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		if b[i] != '+' {
			out = append(out, b[i])
			i++
			continue
		}
		end := i + 1
		for end < len(b) && base64Byte(b[end]) {
			end++
		}
		if run := b[i+1 : end]; len(run) == 0 {
			out = append(out, '+')
		} else {
			raw := make([]byte, base64.RawStdEncoding.DecodedLen(len(run)))
			n, _ := base64.RawStdEncoding.Decode(raw, run) // bits left over are padding
			units := make([]uint16, 0, n/2)
			for j := 0; j+1 < n; j += 2 {
				units = append(units, uint16(raw[j])<<8|uint16(raw[j+1]))
			}
			for _, r := range utf16.Decode(units) {
				out = utf8.AppendRune(out, r)
			}
		}
		if end < len(b) && b[end] == '-' {
			end++
		}
		i = end
	}
	return out
}

func base64Byte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}
