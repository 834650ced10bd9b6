package dav

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits bound what Parse accepts; the zero value of a field means the one
// that DefaultLimits gives it.
type Limits struct {
	Bytes    int64 // of the whole body
	Depth    int   // of nested elements; the root is 1
	Elements int   // in all
	Attrs    int   // of one element, namespace declarations included
}

// DefaultLimits hold a multiget of some ten thousand hrefs.
var DefaultLimits = Limits{Bytes: 4 << 20, Depth: 64, Elements: 100_000, Attrs: 64}

// ErrExternal is that of a document that refers to others (RFC 4918 §16).
var ErrExternal = &Error{Status: 403, Cond: D("no-external-entities"), Detail: "nothing outside of the request is read"}

// SyntaxError says where a request body stops being XML that we take.
type SyntaxError struct {
	Line   int // counted from 1
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("XML line %d: %s", e.Line, e.Reason) }

var (
	// ErrEmpty is returned for a body without any element.
	ErrEmpty = errors.New("dav: no XML")
	// ErrTooLarge is returned for a body that passes Limits.Bytes.
	ErrTooLarge = errors.New("dav: the XML is too long")
	// ErrCharset is returned for a body that is neither UTF-8 nor US-ASCII.
	ErrCharset = errors.New("dav: the XML is not in UTF-8")
)

// Element is one element of a request with everything in it.
type Element struct {
	Name  xml.Name
	Attrs []xml.Attr // names resolved; namespace declarations are not among them
	Nodes []Node
	Lang  string // xml:lang in force (RFC 4918 §4.3)
}

// Node is a piece of an element's content: a child, or text between children.
type Node struct {
	Elem *Element // nil: Text
	Text string
}

// Child returns the first child of that name, nil without one.
func (e *Element) Child(name xml.Name) *Element {
	for _, n := range e.Nodes {
		if n.Elem != nil && n.Elem.Name == name {
			return n.Elem
		}
	}
	return nil
}

// Children returns the child elements in their order.
func (e *Element) Children() []*Element {
	var out []*Element
	for _, n := range e.Nodes {
		if n.Elem != nil {
			out = append(out, n.Elem)
		}
	}
	return out
}

// Text returns the text directly inside, joined, as sent.
func (e *Element) Text() string {
	if len(e.Nodes) == 1 && e.Nodes[0].Elem == nil {
		return e.Nodes[0].Text
	}
	var b strings.Builder
	for _, n := range e.Nodes {
		if n.Elem == nil {
			b.WriteString(n.Text)
		}
	}
	return b.String()
}

// Trimmed is Text without blanks around it: for hrefs, tokens and numbers.
func (e *Element) Trimmed() string { return strings.TrimSpace(e.Text()) }

// Attr returns an attribute that has no namespace, "" without it.
func (e *Element) Attr(local string) string {
	for _, a := range e.Attrs {
		if a.Name.Space == "" && a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// HasAttr reports whether an attribute without a namespace is there.
func (e *Element) HasAttr(local string) bool {
	for _, a := range e.Attrs {
		if a.Name.Space == "" && a.Name.Local == local {
			return true
		}
	}
	return false
}

const xmlNS = "http://www.w3.org/XML/1998/namespace"

// frame is an element that is being read.
type frame struct {
	elem  *Element
	raw   xml.Name // as written, to match the end tag
	decls []string // prefixes declared here
	text  []byte
}

func (f *frame) flush() {
	if len(f.text) > 0 {
		f.elem.Nodes = append(f.elem.Nodes, Node{Text: string(f.text)})
		f.text = f.text[:0]
	}
}

// Parse reads one XML document: UTF-8 with or without a byte order mark, no
// document type, no entities but the five of XML, every prefix declared,
// nothing after the root. The error is ErrEmpty, ErrTooLarge, ErrCharset,
// ErrExternal, a *SyntaxError, or that of r.
//
// Namespaces are resolved here and not by encoding/xml, which takes a prefix
// that was never declared for a namespace.
func Parse(r io.Reader, lim Limits) (*Element, error) {
	if lim.Bytes <= 0 {
		lim.Bytes = DefaultLimits.Bytes
	}
	if lim.Depth <= 0 {
		lim.Depth = DefaultLimits.Depth
	}
	if lim.Elements <= 0 {
		lim.Elements = DefaultLimits.Elements
	}
	if lim.Attrs <= 0 {
		lim.Attrs = DefaultLimits.Attrs
	}
	body, err := io.ReadAll(io.LimitReader(r, lim.Bytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > lim.Bytes {
		return nil, ErrTooLarge
	}
	if bytes.HasPrefix(body, []byte("\xFE\xFF")) || bytes.HasPrefix(body, []byte("\xFF\xFE")) {
		return nil, ErrCharset
	}
	body = bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))
	d := xml.NewDecoder(bytes.NewReader(body))
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if c := strings.ToLower(charset); c == "utf8" || c == "us-ascii" || c == "ascii" {
			return in, nil
		}
		return nil, ErrCharset
	}
	p := parser{d: d, lim: lim, scope: map[string][]string{}}
	return p.document()
}

type parser struct {
	d     *xml.Decoder
	lim   Limits
	stack []frame
	seen  int
	scope map[string][]string // namespaces of each prefix, the innermost last
}

func (p *parser) fail(format string, args ...any) error {
	line, _ := p.d.InputPos()
	return &SyntaxError{line, fmt.Sprintf(format, args...)}
}

func (p *parser) document() (*Element, error) {
	var root *Element
	for {
		tok, err := p.d.RawToken()
		if err == io.EOF {
			switch {
			case len(p.stack) > 0:
				return nil, p.fail("it ends inside <%s>", clip(p.stack[len(p.stack)-1].raw.Local))
			case root == nil:
				return nil, ErrEmpty
			}
			return root, nil
		}
		if err != nil {
			if errors.Is(err, ErrCharset) || strings.Contains(err.Error(), ErrCharset.Error()) {
				return nil, ErrCharset
			}
			var s *xml.SyntaxError
			if errors.As(err, &s) {
				return nil, &SyntaxError{s.Line, clip(s.Msg)}
			}
			return nil, p.fail("%s", clip(err.Error()))
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if root != nil && len(p.stack) == 0 {
				return nil, p.fail("a second root element <%s>", clip(t.Name.Local))
			}
			e, err := p.start(t)
			if err != nil {
				return nil, err
			}
			if root == nil {
				root = e
			}
		case xml.EndElement:
			if len(p.stack) == 0 || p.stack[len(p.stack)-1].raw != t.Name {
				return nil, p.fail("</%s> closes nothing", clip(t.Name.Local))
			}
			p.end()
		case xml.CharData:
			if len(p.stack) == 0 {
				if len(bytes.TrimSpace(t)) > 0 {
					return nil, p.fail("text outside the root element")
				}
				continue
			}
			top := &p.stack[len(p.stack)-1]
			top.text = append(top.text, t...)
		case xml.Directive:
			// RFC 4918 §20.6: entities are how XML makes a server work for
			// nothing; no WebDAV request needs a document type.
			if s := string(t); strings.Contains(s, "SYSTEM") || strings.Contains(s, "PUBLIC") {
				return nil, ErrExternal
			}
			return nil, p.fail("a document type is not allowed")
		}
	}
}

func (p *parser) start(t xml.StartElement) (*Element, error) {
	p.seen++
	if p.seen > p.lim.Elements {
		return nil, p.fail("more than %d elements", p.lim.Elements)
	}
	if len(p.stack) == p.lim.Depth {
		return nil, p.fail("elements are nested deeper than %d", p.lim.Depth)
	}
	if len(t.Attr) > p.lim.Attrs {
		return nil, p.fail("<%s> has more than %d attributes", clip(t.Name.Local), p.lim.Attrs)
	}
	if !ncName(t.Name) {
		return nil, p.fail("<%s> is no name", clip(t.Name.Local))
	}
	e := &Element{}
	f := frame{elem: e, raw: t.Name}
	for _, a := range t.Attr {
		if !ncName(a.Name) {
			return nil, p.fail("the attribute %q is no name", clip(a.Name.Local))
		}
		switch {
		case a.Name.Space == "xmlns":
			if a.Value == "" || a.Name.Local == "xmlns" || (a.Name.Local == "xml") != (a.Value == xmlNS) {
				return nil, p.fail("the prefix %q cannot be declared so", clip(a.Name.Local))
			}
			p.declare(&f, a.Name.Local, a.Value)
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			p.declare(&f, "", a.Value)
		}
	}
	var parent *Element
	if n := len(p.stack); n > 0 {
		p.stack[n-1].flush()
		parent = p.stack[n-1].elem
		e.Lang = parent.Lang
	}
	p.stack = append(p.stack, f)
	space, ok := p.resolve(t.Name.Space)
	if !ok {
		return nil, p.fail("the prefix %q is not declared", clip(t.Name.Space))
	}
	e.Name = xml.Name{Space: space, Local: t.Name.Local}
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		if a.Name.Space != "" { // an attribute without a prefix has no namespace
			if a.Name.Space, ok = p.resolve(a.Name.Space); !ok {
				return nil, p.fail("the prefix of the attribute %q is not declared", clip(a.Name.Local))
			}
		}
		for _, b := range e.Attrs {
			if a.Name == b.Name {
				return nil, p.fail("the attribute %q is there twice", clip(a.Name.Local))
			}
		}
		if a.Name.Space == xmlNS && a.Name.Local == "lang" {
			e.Lang = a.Value
		}
		e.Attrs = append(e.Attrs, a)
	}
	if parent != nil {
		parent.Nodes = append(parent.Nodes, Node{Elem: e})
	}
	return e, nil
}

// ncName looks at what encoding/xml leaves unchecked: the part after a colon is
// a name too (Namespaces in XML §3, NCName).
func ncName(n xml.Name) bool {
	first, _ := utf8.DecodeRuneInString(n.Local)
	return (first == '_' || unicode.IsLetter(first)) && !strings.Contains(n.Local, ":")
}

func (p *parser) declare(f *frame, prefix, space string) {
	f.decls = append(f.decls, prefix)
	p.scope[prefix] = append(p.scope[prefix], space)
}

func (p *parser) end() {
	top := &p.stack[len(p.stack)-1]
	top.flush()
	for _, prefix := range top.decls {
		p.scope[prefix] = p.scope[prefix][:len(p.scope[prefix])-1]
	}
	p.stack = p.stack[:len(p.stack)-1]
}

func (p *parser) resolve(prefix string) (string, bool) {
	if prefix == "xml" {
		return xmlNS, true
	}
	if in := p.scope[prefix]; len(in) > 0 {
		return in[len(in)-1], true
	}
	return "", prefix == ""
}

func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "..."
	}
	return s
}
