package imip

import (
	"bytes"
	"encoding/base64"
	"mime"
	"strings"
	"unicode/utf8"
)

// part is one leaf of a mail.
type part struct {
	media       string // in lower case
	params      map[string]string
	header      header
	body        []byte // still in its transfer encoding
	alternative bool   // one of a multipart/alternative
}

// walk calls leaf for every part that is not a multipart, in their order. What
// is inside a message/rfc822 belongs to another mail and is not looked at.
type walk struct {
	lim       Limits
	parts     int
	leaf      func(part)
	multipart func(media string) // each on the way; nil: nobody asks
}

func (w *walk) entity(h header, body []byte, depth int, alternative bool) error {
	if w.parts++; w.parts > w.lim.Parts {
		return &LimitError{"parts", w.lim.Parts}
	}
	media, params := h.contentType()
	boundary := params["boundary"]
	if boundary == "" && strings.HasPrefix(media, "multipart/") {
		boundary = firstBoundary(body) // the header lost it
	}
	if !strings.HasPrefix(media, "multipart/") || boundary == "" {
		w.leaf(part{media, params, h, body, alternative})
		return nil
	}
	if w.multipart != nil {
		w.multipart(media)
	}
	if depth >= w.lim.Depth {
		return &LimitError{"levels of parts", w.lim.Depth}
	}
	// The calendar part of an alternative may be wrapped once more
	// (multipart/related or mixed inside it).
	alternative = alternative || media == "multipart/alternative"
	return eachPart(body, boundary, func(b []byte) error {
		h, rest, err := readHeader(b, w.lim)
		if err != nil {
			return err
		}
		return w.entity(h, rest, depth+1, alternative)
	})
}

// firstBoundary returns the boundary that a body without a told one begins
// with, "" if none can be seen in its first lines.
func firstBoundary(body []byte) string {
	for range 20 {
		line, rest := cutLine(body)
		if b, ok := bytes.CutPrefix(bytes.TrimRight(line, " \t"), []byte("--")); ok && len(b) > 0 && len(b) <= 70 {
			return string(b)
		}
		if body = rest; len(body) == 0 {
			break
		}
	}
	return ""
}

// eachPart cuts a multipart body at its boundaries (RFC 2046 §5.1.1). A
// missing last boundary ends the last part where the body ends.
func eachPart(body []byte, boundary string, f func([]byte) error) error {
	delim := []byte("--" + boundary)
	start := -1 // of the open part
	for pos := 0; pos < len(body); {
		i := bytes.Index(body[pos:], delim)
		if i < 0 {
			break
		}
		at := pos + i
		// Behind the boundary, not from its begin on: one that holds a line end
		// would be longer than its line.
		line, rest := cutLine(body[at+len(delim):])
		tail := bytes.TrimRight(line, " \t")
		last := string(tail) == "--"
		if at > 0 && body[at-1] != '\n' || len(tail) > 0 && !last {
			pos = at + len(delim) // an equal beginning, as inside a longer boundary
			continue
		}
		if start >= 0 {
			if err := f(trimLineEnd(body[start:at])); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		start = len(body) - len(rest)
		pos = start
	}
	if start >= 0 && start < len(body) {
		return f(body[start:])
	}
	return nil
}

// trimLineEnd takes away the line end that belongs to the boundary.
func trimLineEnd(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
}

// filename returns the name that the part's header gives it.
func (p *part) filename() string {
	if v := p.header.get("content-disposition"); v != "" {
		if _, params := mediaType(v); params["filename"] != "" {
			return text(params["filename"])
		}
	}
	return text(p.params["name"])
}

// sealed reports whether the part is signed or encrypted by itself: S/MIME
// (RFC 8551 §3.2), or OpenPGP in the text (RFC 9580 §6.2).
func (p *part) sealed() bool {
	switch p.media {
	case "application/pkcs7-mime", "application/x-pkcs7-mime", "application/pkcs7-signature", "application/x-pkcs7-signature",
		"application/pgp-encrypted", "application/pgp-signature":
		return true
	}
	return strings.HasPrefix(p.media, "text/") && bytes.Contains(p.content(), []byte("-----BEGIN PGP "))
}

// attached reports whether the part is anything but words to read.
func (p *part) attached() bool {
	if p.media != "text/plain" && p.media != "text/html" {
		return true
	}
	disposition, _ := mediaType(p.header.get("content-disposition"))
	return disposition == "attachment"
}

// content undoes the transfer encoding (RFC 2045 §6), as far as it can be
// undone.
func (p *part) content() []byte {
	switch strings.ToLower(strings.TrimSpace(p.header.get("content-transfer-encoding"))) {
	case "base64":
		return decodeBase64(p.body)
	case "quoted-printable":
		return decodeQP(p.body)
	}
	return p.body
}

// decodeBase64 passes over everything outside the alphabet (RFC 2045 §6.8) and
// does not insist on padding.
func decodeBase64(b []byte) []byte {
	clean := make([]byte, 0, len(b))
	for _, c := range b {
		switch {
		case c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/':
			clean = append(clean, c)
		}
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, _ := base64.RawStdEncoding.Decode(out, clean)
	return out[:n]
}

// decodeQP leaves what is no quoted-printable as it is (RFC 2045 §6.7).
func decodeQP(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		line, end := b, []byte(nil)
		if i >= 0 {
			line, end = b[:i], b[i:i+1]
			if bytes.HasSuffix(line, []byte("\r")) {
				line, end = b[:i-1], b[i-1:i+1]
			}
			b = b[i+1:]
		} else {
			b = nil
		}
		line = bytes.TrimRight(line, " \t") // blanks at the end were added on the way
		if bytes.HasSuffix(line, []byte("=")) {
			line, end = line[:len(line)-1], nil
		}
		for j := 0; j < len(line); j++ {
			if line[j] == '=' && j+2 < len(line) {
				hi, ok1 := unhex(line[j+1])
				lo, ok2 := unhex(line[j+2])
				if ok1 && ok2 {
					out = append(out, hi<<4|lo)
					j += 2
					continue
				}
			}
			out = append(out, line[j])
		}
		out = append(out, end...)
	}
	return out
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// encodeWord makes encoded words of s where it needs them (RFC 2047), also
// where it would be read as one: what somebody wrote is shown as he wrote it.
func encodeWord(s string) string {
	if !strings.Contains(s, "=?") {
		return mime.QEncoding.Encode("utf-8", s)
	}
	var words []string
	for s != "" {
		n := min(len(s), 45) // 75 characters with what is around it (RFC 2047 §2)
		for n < len(s) && !utf8.RuneStart(s[n]) {
			n--
		}
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s = s[n:]
	}
	return strings.Join(words, " ")
}
