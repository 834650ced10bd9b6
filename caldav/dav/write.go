package dav

import (
	"bytes"
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Writer makes XML by hand into one buffer. Elements of the five namespaces of
// this package use the prefixes that the root declares; others declare theirs.
type Writer struct {
	buf []byte
}

// Len is how much was written so far; Cut takes back what was written since.
func (w *Writer) Len() int  { return len(w.buf) }
func (w *Writer) Cut(n int) { w.buf = w.buf[:n] }

// Bytes returns what was written.
func (w *Writer) Bytes() []byte { return w.buf }

// Raw writes markup as it is.
func (w *Writer) Raw(markup string) { w.buf = append(w.buf, markup...) }

// RawBytes writes markup as it is.
func (w *Writer) RawBytes(markup []byte) { w.buf = append(w.buf, markup...) }

// Text writes character data, escaped. A carriage return becomes a character
// reference: XML would make CRLF a single LF (XML 1.0 §2.11), and objects are
// served as they were sent. What XML cannot hold becomes U+FFFD.
func (w *Writer) Text(s string) { w.buf = appendText(w.buf, s, false) }

// TextBytes is Text for a body.
func (w *Writer) TextBytes(b []byte) { w.buf = appendText(w.buf, b, false) }

// Lines writes text with CRLF at the ends of its lines, such as iCalendar, as it
// is: to who reads it they are LF, which RFC 4791 §9.6 allows.
func (w *Writer) Lines(b []byte) {
	for line := range bytes.SplitSeq(b, []byte("\r\n")) {
		if len(line) > 0 {
			w.TextBytes(line)
			w.Raw("\r\n")
		}
	}
}

// Int writes a number.
func (w *Writer) Int(n int64) { w.buf = strconv.AppendInt(w.buf, n, 10) }

// Empty writes an element without content.
func (w *Writer) Empty(name xml.Name) { w.tag(name, "", true) }

// Open writes a start tag, Close the end tag.
func (w *Writer) Open(name xml.Name) { w.tag(name, "", false) }

func (w *Writer) Close(name xml.Name) {
	w.buf = append(w.buf, '<', '/')
	w.name(name)
	w.buf = append(w.buf, '>')
}

// OpenWith writes a start tag with attributes that are given as markup, such
// as ` preferred="1"`.
func (w *Writer) OpenWith(name xml.Name, attrs string) { w.tag(name, attrs, false) }

// Element writes an element with text in it.
func (w *Writer) Element(name xml.Name, text string) {
	w.Open(name)
	w.Text(text)
	w.Close(name)
}

// Href writes a DAV:href; the caller encoded it.
func (w *Writer) Href(href string) {
	w.Raw("<D:href>")
	w.Text(href)
	w.Raw("</D:href>")
}

func (w *Writer) tag(name xml.Name, attrs string, empty bool) {
	w.buf = append(w.buf, '<')
	w.name(name)
	if _, known := prefixes[name.Space]; !known && name.Space != "" {
		w.buf = append(w.buf, ` xmlns:X="`...)
		w.buf = appendText(w.buf, name.Space, true)
		w.buf = append(w.buf, '"')
	}
	w.buf = append(w.buf, attrs...)
	if empty {
		w.buf = append(w.buf, '/')
	}
	w.buf = append(w.buf, '>')
}

// name writes a qualified name. The root has no default namespace, so that a
// name without a namespace needs no prefix.
func (w *Writer) name(n xml.Name) {
	if n.Space != "" {
		p, known := prefixes[n.Space]
		if !known {
			p = "X"
		}
		w.buf = append(w.buf, p...)
		w.buf = append(w.buf, ':')
	}
	w.buf = append(w.buf, n.Local...)
}

// Tree writes an element that was read by Parse as markup that stands for
// itself: every namespace declared inside, xml:lang in force with it (RFC 4918
// §4.3). Dead properties are stored so.
func (w *Writer) Tree(e *Element) { w.tree(e, "", "") }

func (w *Writer) tree(e *Element, space, lang string) {
	w.buf = append(w.buf, '<')
	w.buf = append(w.buf, e.Name.Local...)
	attr := func(name, value string) {
		// As Apple's server wrote them: there are programs that compare text.
		w.buf = append(w.buf, ' ')
		w.buf = append(w.buf, name...)
		w.buf = append(w.buf, "='"...)
		w.buf = appendText(w.buf, value, true)
		w.buf = append(w.buf, '\'')
	}
	said := false
	for i, a := range e.Attrs {
		switch a.Name.Space {
		case "":
			attr(a.Name.Local, a.Value)
		case xmlNS:
			attr("xml:"+a.Name.Local, a.Value)
			said = said || a.Name.Local == "lang"
		default:
			p := "a" + strconv.Itoa(i)
			attr("xmlns:"+p, a.Name.Space)
			attr(p+":"+a.Name.Local, a.Value)
		}
	}
	if !said && e.Lang != lang {
		attr("xml:lang", e.Lang)
	}
	if e.Name.Space != space {
		attr("xmlns", e.Name.Space)
	}
	if len(e.Nodes) == 0 {
		w.buf = append(w.buf, '/', '>')
		return
	}
	w.buf = append(w.buf, '>')
	for _, n := range e.Nodes {
		if n.Elem != nil {
			w.tree(n.Elem, e.Name.Space, e.Lang)
		} else {
			w.Text(n.Text)
		}
	}
	w.buf = append(w.buf, '<', '/')
	w.buf = append(w.buf, e.Name.Local...)
	w.buf = append(w.buf, '>')
}

// appendText escapes character data, or an attribute's value in double quotes.
func appendText[T string | []byte](buf []byte, s T, attr bool) []byte {
	from := 0
	for i := 0; i < len(s); {
		b := s[i]
		var esc string
		n := 1
		switch {
		case b == '&':
			esc = "&amp;"
		case b == '<':
			esc = "&lt;"
		case b == '>':
			esc = "&gt;"
		case b == '\r':
			esc = "&#13;"
		case b >= 0x20 && b < utf8.RuneSelf:
			if b != '"' && b != '\'' || !attr {
				i++
				continue
			}
			esc = "&#" + strconv.Itoa(int(b)) + ";"
		case b == '\n' || b == '\t':
			if !attr { // XML 1.0 §3.3.3 would make blanks of them
				i++
				continue
			}
			esc = "&#" + strconv.Itoa(int(b)) + ";"
		case b < 0x20:
			esc = "\uFFFD"
		default:
			var r rune
			var tail [utf8.UTFMax]byte
			r, n = utf8.DecodeRune(tail[:copy(tail[:], s[i:])])
			if (r != utf8.RuneError || n > 1) && r != 0xFFFE && r != 0xFFFF {
				i += n
				continue
			}
			esc = "\uFFFD"
		}
		buf = append(buf, s[from:i]...)
		buf = append(buf, esc...)
		i += n
		from = i
	}
	return append(buf, s[from:]...)
}

// flushAt is how much a MultiStatus gathers before it writes.
const flushAt = 32 << 10

// MultiStatus writes a 207 answer as a stream (RFC 4918 §13). Errors of the
// stream stay until End.
type MultiStatus struct {
	Writer
	out     io.Writer
	err     error
	minimal bool

	// EncodedAt has "@" in the hrefs of responses as "%40": the spelling of the
	// request, which programs that compare octets look for (neon's: cadaver,
	// davfs2). Both mean the same (RFC 3986 §2.2).
	EncodedAt bool

	prop   int // where the current 200 propstat begins
	props  int // where its properties begin
	failed []failed
	begun  bool
}

type failed struct {
	name   xml.Name
	status int
	cond   xml.Name
}

// NewMultiStatus begins an answer. minimal leaves absent properties out (RFC
// 8144 §2.1, Prefer: return=minimal; Brief: t).
func NewMultiStatus(out io.Writer, minimal bool) *MultiStatus {
	m := &MultiStatus{out: out, minimal: minimal}
	m.buf = make([]byte, 0, 2048) // most answers are short; it grows once for the long ones
	return m
}

// Responses is a MultiStatus without the multistatus element: for responses
// inside a property (RFC 3253 §3.8). Flush ends it.
func Responses(out io.Writer, minimal bool) *MultiStatus {
	return &MultiStatus{out: out, minimal: minimal, begun: true}
}

// Flush writes what was gathered.
func (m *MultiStatus) Flush() error {
	m.write()
	return m.err
}

func (m *MultiStatus) begin() {
	if !m.begun {
		m.begun = true
		m.Raw(prolog + "<D:multistatus" + declarations + ">")
	}
}

// Status writes the response of a resource that has no properties to tell:
// 404 for what is gone, 507 for what is left out. conds are names of
// preconditions.
func (m *MultiStatus) Status(href string, status int, conds ...xml.Name) {
	m.begin()
	m.Raw("\n<D:response>")
	m.own(href)
	m.status(status)
	if len(conds) > 0 {
		m.Raw("<D:error>")
		for _, c := range conds {
			m.Empty(c)
		}
		m.Raw("</D:error>")
	}
	m.Raw("</D:response>")
	m.flush()
}

// own writes the href of a response.
func (m *MultiStatus) own(href string) {
	if m.EncodedAt {
		href = strings.ReplaceAll(href, "@", "%40")
	}
	m.Href(href)
}

func (m *MultiStatus) status(code int) {
	m.Raw("<D:status>")
	m.Raw(StatusLine(code))
	m.Raw("</D:status>")
}

// Begin opens the response of a resource; its properties follow, each by its
// markup or by Failed, then Finish.
func (m *MultiStatus) Begin(href string) {
	m.begin()
	m.Raw("\n<D:response>")
	m.own(href)
	m.prop = m.Len()
	m.Raw("<D:propstat><D:prop>")
	m.props = m.Len()
	m.failed = m.failed[:0]
}

// Absent tells that the resource has no such property.
func (m *MultiStatus) Absent(name xml.Name) {
	if !m.minimal {
		m.failed = append(m.failed, failed{name: name, status: 404})
	}
}

// Failed tells that a property could not be had or set, and by which
// precondition, which may be the zero Name. It is told in minimal answers too.
func (m *MultiStatus) Failed(name xml.Name, status int, cond xml.Name) {
	m.failed = append(m.failed, failed{name, status, cond})
}

// Finish closes the response: properties that were found first, for programs
// that look at the first status only; the others after them, one propstat for
// each status. With nothing to tell it is an empty propstat with 200.
func (m *MultiStatus) Finish() {
	if m.Len() == m.props && len(m.failed) > 0 {
		m.Cut(m.prop)
	} else {
		m.Raw("</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>")
	}
	for i := 0; i < len(m.failed); i++ {
		first := m.failed[i]
		if first.status == 0 {
			continue
		}
		m.Raw("<D:propstat><D:prop>")
		for j := i; j < len(m.failed); j++ {
			if f := &m.failed[j]; f.status == first.status && f.cond == first.cond {
				m.Empty(f.name)
				f.status = 0
			}
		}
		m.Raw("</D:prop>")
		m.status(first.status)
		if first.cond.Local != "" {
			m.Raw("<D:error>")
			m.Empty(first.cond)
			m.Raw("</D:error>")
		}
		m.Raw("</D:propstat>")
	}
	m.Raw("</D:response>")
	m.flush()
}

func (m *MultiStatus) flush() {
	if len(m.buf) >= flushAt {
		m.write()
	}
}

func (m *MultiStatus) write() {
	if m.err == nil {
		_, m.err = m.out.Write(m.buf)
	}
	m.buf = m.buf[:0]
}

// Err returns the first error of the stream, so that a long answer can stop.
func (m *MultiStatus) Err() error { return m.err }

// End closes the answer, with a DAV:sync-token if token is not "" (RFC 6578
// §6.4), and returns the first error of the stream.
func (m *MultiStatus) End(token string) error {
	m.begin()
	if token != "" {
		m.Raw("\n")
		m.Element(D("sync-token"), token)
	}
	m.Raw("\n</D:multistatus>\n")
	m.write()
	return m.err
}

// Document makes a whole answer with one root and the usual namespaces, such
// as a schedule-response or a prop.
func Document(root xml.Name, body func(*Writer)) []byte {
	w := &Writer{}
	w.Raw(prolog + "<")
	w.name(root)
	w.Raw(declarations + ">")
	body(w)
	w.Close(root)
	w.Raw("\n")
	return w.buf
}
