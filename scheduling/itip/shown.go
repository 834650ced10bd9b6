package itip

import (
	"bytes"
	"slices"

	"github.com/convene-server/convene/scheduling/ics"
)

// mark begins the names of the properties and parameters that the core
// remembers things by in stored objects. They are nobody else's business: what
// a program reads is Shown.
const mark = "X-CONVENE-"

// told are the names of that prefix that say something to people: the headway of
// each attendee of a task, and which booking a room's owner decides about.
var told = []string{paramPercent, paramDone, "X-CONVENE-CONFIRMS"}

// isMark reports whether a name begins with a mark's.
func isMark(s []byte) bool {
	return bytes.HasPrefix(s, []byte(mark)) && !slices.ContainsFunc(told, func(name string) bool { return bytes.HasPrefix(s, []byte(name)) })
}

// Shown returns a stored object as its owner's programs see it: without the
// marks of the core, all other lines as they stand. Without any it is body.
func Shown(body []byte) []byte {
	if !hasMarks(body) {
		return body
	}
	out := make([]byte, 0, len(body))
	for rest := body; len(rest) > 0; {
		raw := contentLine(rest)
		rest = rest[len(raw):]
		if !hasMarks(raw) {
			out = append(out, raw...)
			continue
		}
		l := unfolded(raw)
		switch kept := unmarked(l); {
		case kept == nil:
		case len(kept) == len(l):
			out = append(out, raw...)
		default:
			out = ics.AppendLine(out, string(kept))
		}
	}
	return out
}

// hasMarks reports whether the text may hold a mark; a fold may stand inside of
// its name.
func hasMarks(b []byte) bool {
	if bytes.Contains(b, []byte(mark)) {
		return true
	}
	var around [2 * len(mark)]byte // a fold, without it
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("\n "))
		if i < 0 {
			return false
		}
		i += at
		at = i + 2
		before := bytes.TrimSuffix(b[max(0, i-len(mark)):i], []byte("\r"))
		if bytes.Contains(append(append(around[:0], before...), b[at:min(len(b), at+len(mark))]...), []byte(mark)) {
			return true
		}
	}
}

// contentLine is the first content line of b, with its folds and its end (RFC
// 5545 §3.1).
func contentLine(b []byte) []byte {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return b
		}
		at += i + 1
		if at == len(b) || b[at] != ' ' && b[at] != '\t' {
			return b[:at]
		}
	}
}

// unfolded is a content line without folds and end.
func unfolded(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		switch {
		case raw[i] == '\r' && i+1 < len(raw) && raw[i+1] == '\n':
		case raw[i] == '\n':
			i++ // and the blank after it
		default:
			out = append(out, raw[i])
		}
	}
	return out
}

// unmarked is a content line without its marks; nil if it is one.
func unmarked(l []byte) []byte {
	if isMark(l) {
		return nil
	}
	out := make([]byte, 0, len(l))
	quoted, from := false, 0 // from: where the piece begins that goes up to the next ; or :
	piece := func(to int) {
		if l[from] != ';' || !isMark(l[from+1:to]) {
			out = append(out, l[from:to]...)
		}
		from = to
	}
	for i, c := range l {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ';':
			piece(i)
		case c == ':':
			piece(i)
			return append(out, l[i:]...)
		}
	}
	return l
}
